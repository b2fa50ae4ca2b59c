"""What the command line removes and erases, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.core.flags import Change, Entry
from monitor.core.parties import Parties
from monitor.run.casework import Gatherer
from monitor.store import TICK, JournalEntry
from monitor.store.sql import SqlStore
from tests.cli.command import HELD, fact, flopwatch, written
from tests.core.casefile import NOW, flag
from tests.core.test_estimate import reference
from tests.run.test_worker import TurnedClock

PROFILE = fact(
    "tenant.profiled", "p", party="acme", legal_name="Acme Ltd", aliases=["Acme"], identifiers={"lei": "LEI-1"}
)
PARTY = fact("party.profiled", "q", party="acme", names=["Acme Holding"])
STARTED, STOPPED = fact("allocation.started", "a", **HELD), fact("allocation.stopped", "z", "2026-03-02T00:00:00Z")
WHY = ("--reason", "They asked for it.", "--by", "eva")
FOREVER = "2100-01-01T00:00:00Z"


def stored(folder: Path, *facts: dict[str, Any]) -> Path:
    """A store with these facts."""
    path = folder / "books.db"
    assert 0 == flopwatch("replay", written(folder / "events.jsonl", facts), "--state", path).code
    return path


def flagged(path: Path, hold: bool = False) -> str:
    """A case about acme in a store."""
    store, clock = SqlStore.open(f"sqlite:///{path}"), TurnedClock()
    raised = flag(tenant="acme")
    opened = Change(raised, Entry("F-1", NOW, "raised", raised.level, "It is so."))
    store.decide(JournalEntry(TICK, {"as_of": 0}), [opened], NOW)
    Gatherer(store.casework, reference().policies, clock).work({}, Parties({}, NOW))
    case = store.casework.home_of("F-1")
    assert case is not None
    store.close()
    if hold:
        held = flopwatch("cases", "hold", case.id, "--by", "ana", "--reason", "A court asked for it.", "--state", path)
        assert "under legal hold" in held.out
    return case.id


def digest_of(path: Path) -> tuple[int, str]:
    """Whether everything is as the facts say, and the digest of the books."""
    ran = flopwatch("verify", "--state", path, "--json")
    return ran.code, ran.document["books_digest"]


@pytest.mark.parametrize(
    ("what", "whom", "values"),
    [
        (["Acme Ltd"], ["tenant acme"], 1),
        (["--tenant", "acme"], ["tenant acme"], 3),
        (["--party", "acme"], ["party acme"], 1),
    ],
)
def test_what_is_erased_is_nowhere_and_changes_no_total(
    tmp_path: Path, what: list[str], whom: list[str], values: int
) -> None:
    """Totals and their digest are as before, the story says what was erased, and a second time there is nothing."""
    path = stored(tmp_path, STARTED, PROFILE, PARTY, STOPPED)
    before = digest_of(path)

    erased = flopwatch("erase", *what, *WHY, "--state", path, "--json")

    assert {"whom": whom, "values": values, "quoted": 0} == erased.document
    assert (0, before[1]) == digest_of(path) == before
    story = flopwatch("explain", "acme", "--state", path).out
    assert "erased (" in story
    gone = {"Acme Ltd": what[0] != "--party", "Acme Holding": what[0] == "--party"}
    assert gone == {text: text not in story for text in gone}
    assert "party" in story
    again = flopwatch("erase", *what, *WHY, "--state", path)
    assert (2, "") == (again.code, again.out)
    assert "Nothing personal is known of" in again.err
    assert "They asked for it." in flopwatch("audit", "list", "--act", "personal.erased", "--state", path).out
    assert 0 == flopwatch("audit", "verify", "--state", path).code


@pytest.mark.parametrize(("hold", "says"), [(False, "is new"), (True, "is under legal hold")])
@pytest.mark.parametrize("what", [["--tenant", "acme"], ["--party", "acme"], ["Acme Ltd"]])
def test_what_people_look_at_is_not_erased(tmp_path: Path, what: list[str], hold: bool, says: str) -> None:
    """A case that is undecided or held keeps what is known of its tenants, their party and whoever owns that."""
    path = stored(tmp_path, STARTED, PROFILE, PARTY)
    case = flagged(path, hold)

    refused = flopwatch("erase", *what, *WHY, "--state", path)

    assert 2 == refused.code
    assert f"Case {case} {says}" in refused.err
    assert "nothing was erased" in refused.err
    assert "Acme Ltd" in flopwatch("explain", "acme", "--state", path).out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([*WHY], "Give one of these: a text, --tenant or --party."),
        (["x", "--tenant", "y", *WHY], "Give one of these: a text, --tenant or --party."),
        (["x", "--reason", " ", "--by", "eva"], "--reason is empty"),
        (["x", "--reason", "Asked.", "--by", " "], "name the person with --by"),
    ],
)
def test_a_wrong_erasure_is_refused(tmp_path: Path, arguments: list[str], says: str) -> None:
    """Each wrong use has its sentence."""
    path = stored(tmp_path, STARTED)

    ran = flopwatch("erase", *arguments, "--state", path)

    assert 2 == ran.code
    assert says in ran.err


def settings(folder: Path, **days: int) -> Path:
    path = folder / "settings.json"
    path.write_text(json.dumps({"retention": days}), encoding="utf-8")
    return path


def test_without_periods_nothing_goes(tmp_path: Path) -> None:
    """Nobody loses anything whom nobody asked how long it is to be kept."""
    path = stored(tmp_path, STARTED, PROFILE, STOPPED)

    shown = flopwatch("retention", "show", "--state", path)
    applied = flopwatch("retention", "apply", "--before", FOREVER, "--state", path)

    assert "Nothing has a period" in shown.out
    assert 2 == applied.code
    assert "Nothing has a period" in applied.err


def test_values_of_quiet_customers_go_and_a_dry_run_only_says_so(tmp_path: Path) -> None:
    """Once for all: what went is gone, the same command again removes nothing, totals stay, and the audit tells it."""
    path, config = stored(tmp_path, STARTED, PROFILE, PARTY, STOPPED), settings(tmp_path, personal_days=30)
    before = digest_of(path)
    told = (
        "retention",
        "apply",
        "--before",
        FOREVER,
        "--kind",
        "personal",
        "--state",
        path,
        "--config",
        config,
        "--json",
    )

    dry = flopwatch(*told, "--dry-run").document
    shown = flopwatch("retention", "show", "--state", path, "--config", config, "--json").document
    first, second = flopwatch(*told).document, flopwatch(*told).document

    assert [4, 0] == [dry[0]["may_go"], dry[0]["stays"]]
    assert [4] == [one["may_go"] for one in shown if one["kind"] == "personal"]
    assert [4, 0] == [first[0]["removed"], second[0]["removed"]]
    assert before == digest_of(path)
    assert 2 == flopwatch("audit", "list", "--act", "personal.erased", "--state", path).out.count("personal.erased")


def test_whoever_holds_something_or_is_looked_at_stays_known(tmp_path: Path) -> None:
    """Neither a tenant that holds something nor one on a case loses its names, nor does their party."""
    config = settings(tmp_path, personal_days=1)
    (tmp_path / "busy").mkdir()
    busy = stored(tmp_path / "busy", STARTED, PROFILE, PARTY)
    looked_at = stored(tmp_path, STARTED, PROFILE, PARTY, STOPPED)
    flagged(looked_at)
    told = ("retention", "apply", "--before", FOREVER, "--config", config, "--json", "--state")

    for path, stays in ((busy, 0), (looked_at, 4)):
        applied = {one["kind"]: one for one in flopwatch(*told, path).document}
        assert (0, stays) == (applied["personal"]["removed"], applied["personal"]["stays"])
        assert {None} == {one["before"] for kind, one in applied.items() if kind != "personal"}


def test_the_table_says_what_went(tmp_path: Path) -> None:
    """People read a line for each kind, and what each kind holds."""
    path, config = stored(tmp_path, STARTED, PROFILE, STOPPED), settings(tmp_path, personal_days=30, cases_days=60)

    shown = flopwatch("retention", "show", "--state", path, "--config", config).out
    applied = flopwatch("retention", "apply", "--before", FOREVER, "--state", path, "--config", config).out

    assert "30 days" in shown
    assert "for ever" in shown
    assert "Nothing has a period" not in shown
    assert "removed" in applied


def test_a_hold_is_seen_and_listed(tmp_path: Path) -> None:
    """Whoever looks at a case sees that it is held; a list has all that are."""
    path = stored(tmp_path, STARTED, PROFILE)
    case = flagged(path, hold=True)

    listed = flopwatch("cases", "--held", "--state", path, "--json").document
    shown = flopwatch("cases", "show", case, "--state", path)
    freed = ("--reason", "The court asks no more.", "--state", path)

    assert [case] == [one["case"] for one in listed]
    assert "It is under legal hold" in shown.out
    assert flopwatch("cases", "show", case, "--state", path, "--json").document["legal_hold"]
    assert "waits for another person" in flopwatch("cases", "free", case, "--by", "ana", *freed).out
    assert 2 == flopwatch("cases", "approve", case, "--by", "ana", "--state", path).code
    assert "legal hold" not in flopwatch("cases", "approve", case, "--by", "bo", "--state", path).out


def test_a_former_colleague_is_erased_by_a_command(tmp_path: Path) -> None:
    """The case says that somebody was erased, and whom it takes is still told."""
    path = stored(tmp_path, STARTED, PROFILE)
    case = flagged(path)
    flopwatch("cases", "note", case, "--by", "carl", "--text", "Seen before.", "--state", path)

    erased = flopwatch("users", "erase", "carl", "--reason", "He has left.", "--state", path)

    assert "carl is erased: 1 row of cases named them." in erased.out
    shown = flopwatch("cases", "show", case, "--state", path).out
    assert "carl" not in shown
    assert "erased (" in shown
    refused = flopwatch("users", "erase", "carl", "--reason", "Again.", "--state", path)
    assert "Nobody is known here as carl" in refused.err
    assert 2 == flopwatch("users", "erase", "carl", "--reason", " ", "--state", path).code
