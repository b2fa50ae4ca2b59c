"""`flopwatch lists`: what counts, how old it is, what was refused, and letting a smaller list count."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from monitor.app import references
from monitor.reference.root import config_root
from monitor.settings import load_settings
from tests.cli.command import Ran, flopwatch

SYNTHETIC = config_root() / "lists" / "synthetic"
ROW = "Specially Designated Nationals (SDN) - Treasury Department,NAME {0},,,,,,{0}\n"
HEADER = "source,name,addresses,alt_names,ids,programs,type,entity_number\n"


def csl(count: int) -> str:
    return HEADER + "".join(ROW.format(number) for number in range(count))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings that name one list, beside an SQLite store."""
    (tmp_path / "us.csv").write_text(csl(10), encoding="utf-8")
    file = tmp_path / "monitor.yaml"
    content = {
        "store_url": f"sqlite:///{tmp_path}/books.db",
        "lists": [{"name": "us", "path": str(tmp_path / "us.csv")}],
    }
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def shrunk(config: Path, count: int) -> None:
    """The list was loaded, then its file was replaced by a smaller one."""
    settings = load_settings(config)
    references.take_lists(settings)
    (config.parent / "us.csv").write_text(csl(count), encoding="utf-8")


def lists(config: Path, *arguments: str) -> Ran:
    return flopwatch("lists", *arguments, "--config", config)


def test_without_lists_nobody_is_screened_and_that_is_said() -> None:
    """The packaged settings name none, not even the synthetic ones."""
    ran = flopwatch("lists")

    assert (0, "") == (ran.code, ran.err)
    assert "No lists are configured: nobody is screened." in ran.out
    assert [] == flopwatch("lists", "--json").document["lists"]


def test_a_list_is_shown_with_what_it_means(config: Path) -> None:
    """Entries by source, with the direct effect and that of ownership."""
    ran = lists(config)

    assert (0, "") == (ran.code, ran.err)
    assert "us.sdn            10  blocked; owned by half: blocked" in ran.out
    (shown,) = lists(config, "--json").document["lists"]
    assert ("us", "us-csl-csv", 10, {"us.sdn": 10}, None, None) == tuple(
        shown[name] for name in ("list", "format", "entries", "entries_by_source", "problem", "last_refusal")
    )
    assert (True, 0) == (shown["digest"].startswith("sha256:"), shown["days_old"])
    assert not (config.parent / "books.db.lists").exists()


def test_a_refused_list_is_bad_news(config: Path) -> None:
    """What counts is the version before; the problem stands first, and the command leaves with 1."""
    shrunk(config, 3)
    ran = lists(config)

    assert (1, "") == (ran.code, ran.err)
    assert "REFUSED: The list us has lost more than 20 per cent: 3 entries in all where there were 10" in ran.out
    (shown,) = lists(config, "--json").document["lists"]
    assert 10 == shown["entries"]
    problems = flopwatch("check", "--config", config, "--json").document["problems"]
    assert [shown["problem"]] == problems


def test_a_person_lets_a_smaller_list_count(config: Path) -> None:
    """With a reason, which stays with the list."""
    shrunk(config, 3)
    accepted = lists(config, "accept", "us", "--reason", "delisted on 2 November")
    shown = lists(config)

    assert (0, "The list us counts with 3 entries; 7 have gone.\n", "") == accepted
    assert (0, True) == (shown.code, "Accepted by a person: delisted on 2 November" in shown.out)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("accept", "us", "--reason", " "), "A list is accepted for a reason; --reason is empty."),
        (("accept", "us", "--reason", "x"), "Nothing holds the list us back; there is nothing to accept."),
        (("accept", "eu", "--reason", "x"), "The settings name no list eu; they name: us."),
    ],
)
def test_what_cannot_be_accepted_is_said(config: Path, arguments: tuple[str, ...], sentence: str) -> None:
    """A sentence, and 2."""
    ran = lists(config, *arguments)

    assert (2, "") == (ran.code, ran.out)
    assert sentence in ran.err


def test_a_list_that_is_not_there_is_bad_news(config: Path) -> None:
    """Nobody is screened against it, and that is said."""
    (config.parent / "us.csv").unlink()
    ran = lists(config)

    assert 1 == ran.code
    assert "no such file or directory" in ran.out
    assert "Nobody is screened against it until then." in ran.out


def test_a_store_that_is_no_file_needs_a_folder(config: Path) -> None:
    """With PostgreSQL somebody must say where last good versions are kept."""
    content = yaml.safe_load(config.read_text()) | {"store_url": "postgresql://nobody@localhost/none"}
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    ran = lists(config)

    assert 2 == ran.code
    assert "set `lists_state` to a folder" in ran.err
    config.write_text(yaml.safe_dump(content | {"lists_state": str(config.parent / "kept")}), encoding="utf-8")
    assert 0 == lists(config).code


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"lists": [{"name": "a/b", "path": "x"}]}, "lists.0.name"),
        ({"lists": [{"name": "us", "path": "x"}, {"name": "US", "path": "y"}]}, "`lists` names us twice"),
        ({"lists": [{"name": "us", "path": "x", "format": "xml"}]}, "lists.0.format"),
        ({"bis_affiliates_suspended_until": "2025-11-09"}, "bis_affiliates_suspended_until"),
    ],
)
def test_wrong_settings_of_lists_are_said(config: Path, settings: dict[str, object], sentence: str) -> None:
    """Names that are no file names or stand twice, unknown formats, a date before the suspension."""
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    ran = lists(config)

    assert 2 == ran.code
    assert sentence in ran.err


def test_the_synthetic_lists_are_shown(config: Path) -> None:
    """All five formats at once, with what was tolerated in them."""
    names = ("csl.csv", "csl.json", "targets.simple.csv", "entities.ftm.json", "own.yaml")
    named = [{"name": name.replace(".", "-"), "path": str(SYNTHETIC / name)} for name in names]
    config.write_text(yaml.safe_dump({"lists": named, "lists_state": str(config.parent / "kept")}), encoding="utf-8")
    ran = lists(config)

    assert (0, "") == (ran.code, ran.err)
    assert "which count as other: 4" in ran.out


def test_a_daemon_takes_lists_in_and_tells_what_it_refuses(config: Path) -> None:
    """At its start: new versions count from then on, and a refused file is in the log, loudly."""
    gone = {"name": "gone", "path": str(config.parent / "gone.csv")}
    content = yaml.safe_load(config.read_text())
    content |= {
        "store_url": f"sqlite:///{config.parent}/no-such-folder/books.db",  # so that it stops after that
        "lists_state": str(config.parent / "kept"),
        "lists": [*content["lists"], gone],
        "files": {"paths": ["events.jsonl"]},
    }
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    ran = flopwatch("run", "--config", config)

    assert 2 == ran.code
    warnings = [line for line in ran.err.splitlines() if "screening list refused" in line]
    assert 1 == len(warnings)
    assert '"level":"error"' in warnings[0].replace(" ", "")
    assert "The list gone cannot be read from" in warnings[0]
    assert ["gone.history.jsonl", "us.history.jsonl", "us.jsonl.zst"] == sorted(
        path.name for path in (config.parent / "kept").iterdir()
    )
