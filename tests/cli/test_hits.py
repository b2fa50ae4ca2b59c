"""`flopwatch hits`: who may be on a list, two people who say that somebody else is meant, and what opens it again."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.reference.root import config_root
from tests.cli.command import HELD, Ran, fact, flopwatch, written

LIST = config_root() / "lists" / "synthetic" / "csl.csv"
OWNERS = [{"party": "holding", "share": 0.8, "control": True, "source": "company register"}]
COMPANY = {"names": ["Orchid Compute Technology Co., Ltd."], "hq_country": "CN", "owners": OWNERS}
HOLDING = {"names": ["Lanxiu Holding Group"], "hq_country": "CN"}
PROFILED = {"legal_name": "Orchid Compute Technology Co., Ltd.", "party": "orchid", "hq_country": "CN"}
PEOPLE = ("--by", "ana", "--by", "bo")
LATER = ("--until", "2999-01-01")
REASON = ("--reason", "another register number")


class Place:
    """Settings with a list, event files and a store."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state, self.files = folder, folder / "books.db", 0
        self.list, self.config = folder / "us.csv", folder / "monitor.yaml"
        self.list.write_bytes(LIST.read_bytes())
        settings = {"store_url": f"sqlite:///{self.state}", "lists": [{"name": "us", "path": str(self.list)}]}
        self.config.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def replay(self, *facts: object) -> Any:
        """Take in facts; the document of the replay."""
        self.files += 1
        path = written(self.folder / f"events-{self.files}.jsonl", facts)
        ran = flopwatch("replay", path, "--state", self.state, "--json", "--config", self.config)
        assert 0 == ran.code, ran.err
        return ran.document

    def run(self, *arguments: object) -> Ran:
        """Any command on the store."""
        return flopwatch(*arguments, "--state", self.state, "--config", self.config)

    def hits(self, *options: str) -> list[dict[str, Any]]:
        """The hits that are listed."""
        found: list[dict[str, Any]] = self.run("hits", "--json", *options).document
        return found

    def rows(self, statement: str, *values: object) -> list[str]:
        """What no command does to the database."""
        with closing(sqlite3.connect(self.state)) as database, database:
            return [row[0] for row in database.execute(statement, values)]

    def findings(self) -> set[str]:
        """The rules on lists that stand for the tenant."""
        return rules_on_lists(self.replay())


def rules_on_lists(document: Any) -> set[str]:
    """The rules on lists of a replay's findings."""
    rules = {flag["rule"] for tenant in document["tenants"] for flag in tenant["flags"]}
    return {rule for rule in rules if rule.startswith(("screening.", "owners."))}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A tenant whose party belongs to somebody who is listed."""
    place = Place(tmp_path)
    place.replay(
        fact("allocation.started", "begin", **HELD),
        fact("tenant.profiled", "who", **PROFILED),
        fact("party.profiled", "company", party="orchid", **COMPANY),
        fact("party.profiled", "above", party="holding", **HOLDING),
        fact("allocation.stopped", "end", "2026-03-01T05:00:00Z"),
    )
    return place


def test_an_owner_that_is_listed_is_found(place: Place) -> None:
    """A finding on the tenant, a hit on the owner with its score and list, and a story that says what it would mean."""
    assert {"owners.review"} == place.findings()
    (hit,) = place.hits()
    ran = place.run("hits")
    text = place.run("explain", "acme").out

    assert ("acme", "party holding", "likely", "us.el", "s-0001", None) == tuple(
        hit[name] for name in ("tenant", "subject", "band", "list", "entry", "cleared")
    )
    assert hit["features"]
    assert hit["list_version"].startswith("sha256:")
    assert (0, "") == (ran.code, ran.err)
    assert all(word in ran.out for word in (hit["hit"], "likely", "Lanxiu Holding Group (s-0001)", "open"))
    assert "Owners that are likely on Entity List (EL)" in text
    assert "holding holds 80 per cent of orchid and controls it" in text
    assert hit["sentence"] in text
    assert "asked: us, 25 entries" in text
    assert [] == place.hits("--tenant", "nobody")


def test_two_people_clear_a_hit(place: Place) -> None:
    """The finding goes, the hit is listed with --all alone, and the story says who cleared it, why and until when."""
    (hit,) = place.hits()

    ran = place.run("hits", "clear", hit["hit"], *PEOPLE, *REASON, *LATER)

    cleared = "Cleared until 2999-01-01 by ana and bo: another register number"
    assert (0, "") == (ran.code, ran.err)
    assert f"{hit['hit']} (party holding, Lanxiu Holding Group) is cleared until 2999-01-01.\n" == ran.out
    assert set() == place.findings()
    assert [] == place.hits()
    assert [cleared] == [one["cleared"] for one in place.hits("--all")]
    assert "No list match." in place.run("hits").out
    assert "cleared" in place.run("hits", "--all").out
    assert cleared in place.run("explain", "acme").out
    assert 0 == place.run("verify").code


def test_one_person_proposes_to_clear_a_hit(place: Place) -> None:
    """It is open until another one approves it; the same one cannot, and both are told of in the story."""
    (hit,) = place.hits()
    name = hit["hit"]
    assert "is proposed to be cleared" in place.run("hits", "clear", name, "--by", "ana", *REASON, *LATER).out
    assert [name] == [one["hit"] for one in place.hits()]
    again = place.run("hits", "clear", name, "--by", "bo", *REASON, *LATER)
    same = place.run("hits", "approve", name, "--by", "Ana")
    assert (2, 2) == (again.code, same.code)
    assert "waits for a second person" in again.err
    assert "the store refuses the same" in same.err

    assert f"{name} is cleared.\n" == place.run("hits", "approve", name, "--by", "bo").out
    assert [] == place.hits()
    assert "by ana and bo" in place.run("explain", "acme").out
    assert set() == place.findings()
    assert 0 == place.run("verify").code


def test_a_proposed_clearance_is_refused(place: Place) -> None:
    """The hit stays open, and can be proposed again."""
    (hit,) = place.hits()
    place.run("hits", "clear", hit["hit"], "--by", "ana", *REASON, *LATER)
    assert 0 == place.run("hits", "refuse", hit["hit"], "--by", "bo", *REASON).code

    assert hit["hit"] == place.hits()[0]["hit"]
    assert 2 == place.run("hits", "approve", hit["hit"], "--by", "bo").code
    assert 0 == place.run("hits", "clear", hit["hit"], "--by", "ana", *REASON, *LATER).code


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--by", "ana", "--by", " ana", *REASON, *LATER), "A hit is cleared by two people"),
        (("--by", "ana", "--by", " ", *REASON, *LATER), "A hit is cleared by two people"),
        (("--by", "ana", "--by", "bo", "--by", "cy", *REASON, *LATER), "A hit is cleared by two people"),
        ((*PEOPLE, *REASON, "--until", "2026-01-01"), "A clearance ends in the future"),
        ((*PEOPLE, "--reason", " ", *LATER), "A hit is cleared for a reason; --reason is empty."),
    ],
)
def test_what_is_no_clearance_is_refused(place: Place, arguments: tuple[str, ...], sentence: str) -> None:
    """A sentence and 2, and the hit stays open."""
    (hit,) = place.hits()

    ran = place.run("hits", "clear", hit["hit"], *arguments)

    assert (2, "") == (ran.code, ran.out)
    assert sentence in ran.err
    assert [hit] == place.hits()


def test_unknown_hits_and_open_ones(place: Place) -> None:
    """Nothing is cleared that is not there, and nothing reopened that is open, or without a reason."""
    (hit,) = place.hits()

    gone = place.run("hits", "clear", "H-000000000000", *PEOPLE, *REASON, *LATER)
    still = place.run("hits", "reopen", hit["hit"], "--reason", "x")
    empty = place.run("hits", "reopen", hit["hit"], "--reason", " ")

    assert [2, 2, 2] == [gone.code, still.code, empty.code]
    assert "There is no hit H-000000000000; `flopwatch hits` lists them." in gone.err
    assert f"{hit['hit']} is open." in still.err
    assert "--reason is empty" in empty.err


def cleared(place: Place) -> dict[str, Any]:
    (hit,) = place.hits()
    assert 0 == place.run("hits", "clear", hit["hit"], *PEOPLE, *REASON, *LATER).code
    assert [] == place.hits()
    return hit


def test_a_person_opens_it_again(place: Place) -> None:
    """With a reason; the finding is back."""
    hit = cleared(place)

    ran = place.run("hits", "reopen", hit["hit"], "--reason", "the register was wrong")

    assert (0, f"{hit['hit']} (party holding, Lanxiu Holding Group) is open again.\n") == (ran.code, ran.out)
    assert [hit] == place.hits()
    assert {"owners.review"} == place.findings()


def test_another_profile_opens_it_again(place: Place) -> None:
    """Whatever becomes known of the owner: the two people looked at something else."""
    hit = cleared(place)

    place.replay(
        fact("party.profiled", "moved", "2026-03-02T00:00:00Z", party="holding", **{**HOLDING, "hq_country": "SG"})
    )

    assert [hit["hit"]] == [one["hit"] for one in place.hits()]
    assert {"owners.review"} == place.findings()


def test_another_entry_opens_it_again_and_other_entries_do_not(place: Place) -> None:
    """What the list says of the same party; a change elsewhere on the list leaves the hit cleared."""
    hit = cleared(place)
    text = place.list.read_text(encoding="utf-8")

    place.list.write_text(text.replace("17 Lanyue Street", "18 Lanyue Street"), encoding="utf-8")
    assert [] == place.hits()
    place.list.write_text(text.replace("8 Lanxiu Road", "9 Lanxiu Road"), encoding="utf-8")

    assert [hit["hit"]] == [one["hit"] for one in place.hits()]


def test_a_clearance_runs_out(place: Place) -> None:
    """By the time of the events: nobody can name an end that has passed, so the journal is told that it has."""
    hit = cleared(place)
    (body,) = place.rows("select body from journal where body like '%clear_hit%'")
    decided = json.loads(body)
    decided["clear_hit"]["until"] = decided["clear_hit"]["as_of"]
    place.rows("update journal set body = ? where body = ?", json.dumps(decided), body)

    assert [hit] == place.hits()
    assert {"owners.review"} == place.findings()


def test_without_lists_nobody_is_screened_and_that_is_said(place: Place) -> None:
    """No hit, no finding, and the story says why."""
    settings = yaml.safe_load(place.config.read_text(encoding="utf-8"))
    place.config.write_text(yaml.safe_dump({"store_url": settings["store_url"]}), encoding="utf-8")

    ran = place.run("hits")

    assert (0, "") == (ran.code, ran.err)
    assert "No lists are configured: nobody is screened." in ran.out
    assert "No lists are configured: nobody is screened." in place.run("explain", "acme").out
    assert set() == place.findings()
    assert [] == json.loads(place.run("hits", "--json").out)
