"""`flopwatch cases`: from a flag to a decision of two people, at the command line."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.clock import SystemClock
from monitor.core.cases import Outcome
from monitor.core.flags import Change, Entry
from monitor.run.documents import EPOCH
from monitor.store import JournalEntry
from monitor.store.sql import SqlStore
from tests.cli.command import HELD, Ran, fact, flopwatch, written
from tests.cli.test_hits import COMPANY, HOLDING, LIST, PROFILED
from tests.core.casefile import flag

REASON = ("--reason", "Another register number, seen in the register.")
ANA, BO, EVE = ("--by", "ana"), ("--by", "bo"), ("--by", "eve")


class Place:
    """Settings with a list, and a store in which somebody may be on it."""

    def __init__(self, folder: Path) -> None:
        self.state, self.config, self.folder = folder / "books.db", folder / "monitor.yaml", folder
        listed = folder / "us.csv"
        listed.write_bytes(LIST.read_bytes())
        settings = {"store_url": f"sqlite:///{self.state}", "lists": [{"name": "us", "path": str(listed)}]}
        self.config.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def replay(self, *facts: object) -> None:
        """Take in facts."""
        path = written(self.folder / f"{len(list(self.folder.iterdir()))}.jsonl", facts)
        ran = flopwatch("replay", path, "--state", self.state, "--json", "--config", self.config)
        assert 0 == ran.code, ran.err

    def run(self, *arguments: object) -> Ran:
        """Any command on the store."""
        return flopwatch(*arguments, "--config", self.config)

    def done(self, *arguments: object) -> str:
        """What a command on cases prints; it must go well."""
        ran = self.run("cases", *arguments)
        assert 0 == ran.code, ran.err
        return ran.out

    def cases(self, *options: object) -> list[dict[str, Any]]:
        """The cases that are listed."""
        found: list[dict[str, Any]] = self.run("cases", "--json", *options).document
        return found


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


@pytest.fixture
def case(place: Place) -> str:
    """The one case that there is."""
    (found,) = place.cases()
    name: str = found["case"]
    return name


def test_a_replay_opens_a_case(place: Place, case: str) -> None:
    """Of the party, with its flags; once more, nothing changes."""
    (before,) = place.cases()
    place.replay()

    assert [before] == place.cases()
    assert ("party orchid", "new", True, None) == tuple(
        before[name] for name in ("subject", "state", "two_people", "holder")
    )
    shown = place.run("cases", "show", case, "--json").document
    assert ["opened"] + ["flagged"] * len(shown["flags"]) == [event["act"] for event in shown["events"]]
    assert shown["clocks"]["evidence_at"] is not None
    assert case in place.done()
    assert "To close it takes two people." in place.done("show", case)


def test_a_case_is_decided_by_two(place: Place, case: str) -> None:
    """Claimed, worked on, proposed, refused to the same person, approved by another; the flags are closed with it."""
    decide = ("decide", case, "--outcome", "explained", *REASON, "--policy", "internal-ladder@1", *ANA)
    rule = ("--rule", "ladder.1e23.of_concern")
    assert 2 == place.run("cases", *decide, *rule).code
    for words in (
        ("next", *ANA),
        ("begin", case, *ANA),
        ("note", case, "--text", "Looks like another one.", *BO),
        ("ask", case, "--whom", "sales", "--what", "Which contract?", "--due", "2099-01-01", *ANA),
        ("answer", case, "--what", "Contract 17.", *ANA),
    ):
        assert case in place.done(*words)
    assert "what ana proposed waits for another person" in place.done(*decide, *rule)
    assert [case] == [one["case"] for one in place.cases("--proposed")]
    same = place.run("cases", "approve", case, *ANA)
    assert (2, True) == (same.code, "the store refuses the same" in same.err)
    assert "is decided" in place.done("approve", case, *BO)

    assert "No cases." in place.done()
    assert "No flags." in place.run("flags").out
    (decided,) = place.cases("--decided")
    assert ("explained", "ana", "bo") == tuple(decided[name] for name in ("outcome", "decided_by", "seconded_by"))
    assert "decided: explained" in place.done("--decided")
    assert "1  " in place.done("stats")
    report = place.run("cases", "stats", "--json").document
    assert all(row["precision"] == 0 for row in report["rules"])
    assert (12, {"explained": 1}) == (len(report["months"]), report["months"][0]["decided"])
    assert "explained 1" in place.done("stats").splitlines()[-1]
    assert "Contract 17." in place.done("show", case)
    sights = re.findall(r"--as-it-was ([0-9]+)", place.done("show", case))
    then = place.run("cases", "show", case, "--as-it-was", *sights)
    assert (0, True, False) == (then.code, "As bo saw it" in then.out, "is decided" in then.out)
    assert "As bo saw it" in place.run("cases", "show", case, "--json", "--as-it-was", *sights).err
    assert 2 == place.run("cases", "show", case, "--as-it-was", "1").code
    assert "Contract 17." in place.done("show", case, "--blind")
    blind = place.run("cases", "show", case, "--blind", "--json").document
    assert {"decided", "proposed"} & {event["act"] for event in blind["events"]} == set()
    assert [] == blind["approvals"]
    assert "is reopened" in place.done("reverse", case, "--reason", "The contract was another one.", *EVE)
    assert "No flags." not in place.run("flags").out


def test_a_proposal_is_refused_or_withdrawn(place: Place, case: str) -> None:
    """Both stay on record, and the case goes on."""
    decide = ("decide", case, "--outcome", "referred", *REASON, "--policy", "internal-ladder@1", *ANA)
    place.done("claim", case, *ANA)
    for person in (BO, ANA):
        place.done(*decide, "--rule", "ladder.1e23.of_concern")
        place.done("refuse", case, "--reason", "Not yet.", *person)
    shown = place.run("cases", "show", case, "--json").document
    assert ["refused", "withdrawn"] == [one["verdict"] for one in shown["approvals"]]
    assert "is new" in place.done("release", case, *ANA)


def test_what_was_looked_at_is_what_is_acted_on(place: Place, case: str) -> None:
    """Whoever says what they saw is refused when there is more to see."""
    seen = place.cases()[0]["event"]
    place.done("note", case, "--text", "Mine.", *BO)
    late = place.run("cases", "claim", case, "--seen", seen, *ANA)

    assert (2, True) == (late.code, "has changed since you looked at it" in late.err)


def test_a_case_is_put_off_and_handed_on(place: Place, case: str) -> None:
    """Snoozed it is listed only with --all; assigned or escalated it is somebody else's."""
    place.done("claim", case, *ANA)
    assert 2 == place.run("cases", "snooze", case, "--until", "2000-01-02", "--reason", "Never.", *ANA).code
    place.done("assign", case, "--to", "bo", *ANA)
    assert "assigned to bo" in place.run("cases", "claim", case, *ANA).err
    assert [case] == [one["case"] for one in place.cases("--person", "bo")]
    place.done("escalate", case, "--reason", "It is beyond me.", *BO)
    assert [case] == [one["case"] for one in place.cases("--senior")]
    assert [case] == [one["case"] for one in place.cases("--subject", "party orchid")]
    assert [] == place.cases("--case-state", "waiting")


def test_what_is_suppressed_is_listed_by_itself(place: Place, case: str) -> None:
    """Two people, with an end; out of the queue, on a page of its own, and back when it ends."""
    rules = {flag["rule"] for flag in place.run("cases", "show", case, "--json").document["flags"]}
    place.done("claim", case, *ANA)
    far = place.run("cases", "suppress", case, "--rule", min(rules), "--until", "2099-01-01", *REASON, *ANA)
    assert (2, True) == (far.code, "30 days away at most" in far.err)
    none = place.run("cases", "suppress", case, "--rule", "no.rule", "--until", "2099-01-01", *REASON, *ANA)
    assert "No flag of rule no.rule stands" in none.err
    assert "Nothing is suppressed." in place.done("suppressed")
    for rule in sorted(rules):
        place.done("suppress", case, "--rule", rule, "--until", soon(), *REASON, *ANA)
        place.done("approve", case, *BO)
    assert ([], [case]) == (place.cases(), [one["case"] for one in place.cases("--all")])
    assert "suppressed" in place.done("--all")
    listed = place.run("cases", "suppressed", "--json").document
    assert [(rule, "ana", "bo", None) for rule in sorted(rules)] == sorted(
        (one["rule"], one["proposed_by"], one["approved_by"], one["ended"]) for one in listed
    )
    assert min(rules) in place.done("suppressed")
    place.replay()
    assert [] == place.cases()
    place.replay(fact("tenant.profiled", "payer", "2026-03-02T00:00:00Z", **PROFILED, payer="P-9"))
    assert [case] == [one["case"] for one in place.cases()]
    assert "the payer has changed" in place.done("suppressed", "--all")


def soon() -> str:
    """A day that is less than 30 days away."""
    return f"{EPOCH + timedelta(milliseconds=SystemClock().now_ms(), days=10):%Y-%m-%d}"


def test_a_flag_that_takes_two_is_not_closed_alone(place: Place, case: str) -> None:
    """`flags close` names the case to decide; knowledge said of a flag is on its case."""
    flag = place.run("cases", "show", case, "--json").document["flags"][0]["flag"]
    alone = place.run("flags", "close", flag, *REASON)
    assert (2, True) == (alone.code, case in alone.err)
    known = place.run("flags", "knowledge", flag, "--at", "2026-03-01T00:00:00Z", "--by", "ana", *REASON)
    assert 0 == known.code, known.err
    shown = place.run("cases", "show", case, "--json").document
    assert ("known", "2026-03-01T00:00:00Z") == (shown["events"][-1]["act"], shown["clocks"]["knowledge_at"])


@pytest.mark.parametrize(("level", "code"), [("watch", 0), ("warning", 2)])
def test_a_small_flag_that_is_on_no_case_is_closed_alone(place: Place, level: str, code: int) -> None:
    """By one person, as before there were cases; a grave one waits until it is on a case."""
    store = SqlStore.open(f"sqlite:///{place.state}")
    one = flag("F-alone", level, tenant="nobody")
    store.decide(JournalEntry("tick", {"as_of": 0}), [Change(one, Entry(one.id, 0, "raised", one.level, "Big."))], 0)
    store.close()
    ran = place.run("flags", "close", one.id, *REASON)

    assert (code, code == 2) == (ran.code, "To close F-alone takes two people: decide its case" in ran.err)


def test_nothing_to_review_and_nothing_to_do(place: Place, case: str) -> None:
    """Each list says so; a review that nobody waits for is refused."""
    assert [] == place.cases("--to-review")
    refused = place.run("cases", "review", case, "--outcome", str(Outcome.EXPLAINED), *REASON, *EVE)
    assert (2, True) == (refused.code, "cannot be reviewed" in refused.err)
    assert "Nothing is decided yet." in place.done("stats")
    place.done("claim", case, *ANA)
    assert "Nothing waits for anybody." in place.done("next", *BO)
