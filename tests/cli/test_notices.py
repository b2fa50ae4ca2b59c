"""`flopwatch notices` and the clocks of `flopwatch flags`: who was told, who looked, who knew, and sinks on trial."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.core.model import DAY_MS
from monitor.reference.policies import load_policies
from monitor.reference.root import config_root
from tests.cli.command import Ran, flopwatch
from tests.contract.test_outgoing import Books
from tests.core.test_notices import CALLED, NOW, finding
from tests.servers.receivers import Answer, WebServer
from tests.store.taking import commit_of, loaded_book, started, take, url_of

EARLY, LATE = "2026-09-01T00:00:00Z", "2026-09-02T00:00:00Z"
WHY = ("--reason", "the letter of that day")


class Place:
    """A store with two tenants and a flag of one, settings with one sink, and its receiver."""

    def __init__(self, folder: Path) -> None:
        self.books = Books(url_of(folder))
        self.server = WebServer()
        (folder / "key").write_text("a key", encoding="utf-8")
        self.sink = {
            "name": "queue",
            "kind": "webhook",
            "url": f"http://127.0.0.1:{self.server.port}",
            "key_file": str(folder / "key"),
            "allow_insecure": True,
            "allow_private": True,
        }
        self.config = folder / "monitor.yaml"
        self.write([self.sink])
        book = loaded_book(self.books.store)
        take(book, self.books.store, [started("job", tenant=name, id=name) for name in ("acme", "bolt")])
        self.books.store.commit(commit_of(book))
        (change,) = self.books.find(finding(), told=False)
        self.flag = change.flag.id

    def write(self, sinks: list[dict[str, Any]]) -> None:
        settings = {"store_url": url_of(self.config.parent), "notices": {"sinks": sinks}}
        self.config.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def run(self, *arguments: object) -> Ran:
        return flopwatch(*arguments, "--config", self.config)

    @property
    def clocks(self) -> dict[str, Any]:
        (flag,) = self.run("flags", "--json").document
        found: dict[str, Any] = flag["clocks"]
        return found

    def know(self, at: str, *people: str) -> Ran:
        return self.run("flags", "knowledge", self.flag, "--at", at, *people, *WHY)

    def close(self) -> None:
        self.server.close()
        self.books.store.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


# -- clocks ----------------------------------------------------------------------------------------------------------


def test_flags_have_four_instants(place: Place) -> None:
    """Evidence and alert from the books; nobody has looked or known yet; no clock where the rule has none."""
    assert {
        "evidence_at": "2026-09-20T14:13:20Z",
        "alert_at": "2026-09-21T15:13:20Z",
        "first_viewed_at": None,
        "knowledge_at": None,
    } == place.clocks
    text = place.run("explain", place.flag).out
    assert "Evidence since 2026-09-20T14:13:20Z; told at 2026-09-21T15:13:20Z." in text
    assert "First looked at: nobody has said; known since: nobody has said." in text
    assert place.clocks == place.run("explain", place.flag, "--json").document["flag"]["clocks"]


def test_the_first_who_looks_counts(place: Place) -> None:
    """Who looks later changes nothing."""
    ran = place.run("flags", "viewed", place.flag, "--by", "ana")
    first = place.clocks["first_viewed_at"]
    place.run("flags", "viewed", place.flag, "--by", "bo")

    assert (0, f"{place.flag} (ladder.1e25.any, acme) was looked at.\n") == (ran.code, ran.out)
    assert first is not None
    assert first == place.clocks["first_viewed_at"]


def test_the_earliest_knowledge_counts(place: Place) -> None:
    """One person says so; an earlier time counts, a later one is refused until two people say so."""
    ran = place.know(LATE, "--by", "ana")
    assert (0, LATE) == (ran.code, place.clocks["knowledge_at"])
    assert f"known since: {LATE}." in ran.out
    place.know(EARLY, "--by", "bo")
    assert EARLY == place.clocks["knowledge_at"]

    for people in (("--by", "ana"), ("--by", "ana", "--by", " ana "), ("--by", "ana", "--by", " ")):
        refused = place.know(LATE, *people)
        assert (2, EARLY) == (refused.code, place.clocks["knowledge_at"])
        assert "moving it to a later time takes two people: name each of them with --by." in refused.err

    assert 0 == place.know(LATE, "--by", "ana", "--by", "bo").code
    assert LATE == place.clocks["knowledge_at"]
    assert 3 == len([row for row in place.books.store.journal() if "knowledge" in row.entry.body])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("knowledge", "F-0", "--at", EARLY, "--by", "ana", *WHY), "There is no flag F-0"),
        (("knowledge", "FLAG", "--at", "2099-01-01T00:00:00Z", "--by", "ana", *WHY), "give a time that has passed"),
        (("knowledge", "FLAG", "--at", "yesterday", "--by", "ana", *WHY), "'yesterday' is no time"),
        (("knowledge", "FLAG", "--at", EARLY, "--by", " ", *WHY), "name the person with --by"),
        (("knowledge", "FLAG", "--at", EARLY, "--by", "ana", "--reason", " "), "--reason is empty"),
        (("viewed", "F-0", "--by", "ana"), "There is no flag F-0"),
        (("viewed", "FLAG", "--by", " "), "name the person with --by"),
    ],
)
def test_what_cannot_be_said_is_refused(place: Place, arguments: tuple[str, ...], sentence: str) -> None:
    """A sentence and 2; the journal stays as it was."""
    ran = place.run("flags", *(place.flag if one == "FLAG" else one for one in arguments))

    assert (2, "") == (ran.code, ran.out)
    assert sentence in ran.err
    assert (None, None) == (place.clocks["first_viewed_at"], place.clocks["knowledge_at"])


def test_a_rule_with_a_clock_says_what_is_due(place: Place) -> None:
    """Of a policy that is among the files: what, by when, in which days, and that it is for planning only."""
    policy, rule = next(
        (policy, rule) for policy in load_policies(config_root()) for rule in policy.rules if rule.clock is not None
    )
    clocked = finding(rule=rule.id, tenant="bolt")._replace(legal_force=policy.legal_force)
    place.books.find(finding(), clocked)

    (flag,) = place.run("flags", "--tenant", "bolt", "--json").document
    listed = place.run("flags", "--tenant", "bolt").out
    told = place.run("explain", flag["flag"]).out

    assert rule.clock is not None
    assert (rule.clock.days, rule.clock.kind, rule.clock.what) == tuple(
        flag["clocks"][name] for name in ("days", "day_kind", "what")
    )
    assert (flag["clocks"]["due_at"] or "not begun") in listed
    assert (
        (policy.legal_force not in ("in_force", "internal")) == flag["clocks"]["planning"] == ("(planning)" in listed)
    )
    assert f"{rule.clock.days} {rule.clock.kind} day" in told


# -- notices ---------------------------------------------------------------------------------------------------------


def test_what_was_told_is_listed(place: Place) -> None:
    """To whom, why, how urgently, whether it arrived, and what is wrong if not."""
    assert "Nobody was told anything.\n" == place.run("notices", "list").out
    place.books.find(finding(page=CALLED))
    waiting = place.run("notices", "list").out
    (message,) = place.books.put()
    place.books.claim()
    place.books.outgoing.failed(message.id, 0, "It answers 500.")
    failing = place.run("notices", "list", "--undelivered").out
    place.books.outgoing.arrived(message.id, NOW + DAY_MS)
    (arrived, _) = sorted(place.run("notices", "list", "--json").document, key=lambda one: one["sink"] != "queue")

    assert all(word in waiting for word in ("queue", "pager", "first", "page", "warning", place.flag, "acme"))
    assert "waits for a message" in waiting
    assert "waits, 1 try: It answers 500." in failing
    assert ("2026-09-22T14:13:20Z", 2, "", message.id) == (
        arrived["arrived_at"], arrived["tries"], arrived["problem"], arrived["message"],
    )  # fmt: skip
    assert ("acme", "internal, the operator's own rule, no law") == (arrived["tenant"], arrived["force"])
    assert "arrived 2026-09-22T14:13:20Z" in place.run("notices", "list", "--flag", place.flag).out
    assert "Nobody was told anything.\n" == place.run("notices", "list", "--flag", "F-0").out
    assert "and 1 more; --limit shows them." in place.run("notices", "list", "--limit", "1").out


def test_everything_has_arrived(place: Place) -> None:
    """Then nothing is listed as undelivered."""
    assert "Everything has arrived.\n" == place.run("notices", "list", "--undelivered").out


def test_sinks_are_tried(place: Place) -> None:
    """Each gets a message that says that it is a test; the store is not asked, and nothing is written."""
    ran = place.run("notices", "test")
    (request,) = place.server.requests

    message = request.document["message"]
    assert (0, f"queue: message {message} has arrived.\n") == (ran.code, ran.out)
    assert ("test", "Test: how flopwatch tells people") == (request.document["purpose"], request.document["title"])
    assert "Nobody was told anything.\n" == place.run("notices", "list").out


def test_a_sink_that_fails_is_named(place: Place) -> None:
    """With what is wrong, and exit code 1; the others are tried all the same."""
    gone = {**place.sink, "name": "gone", "url": "http://gone.invalid"}
    place.write([gone, place.sink])
    place.server.answers += [Answer(), Answer(500)]

    both = place.run("notices", "test")
    one = place.run("notices", "test", "--sink", "queue", "--json")

    assert 1 == both.code == one.code
    assert "gone: The host gone.invalid is not known" in both.out
    assert "has arrived." in both.out
    ((name, _, problem),) = (tuple(tried.values()) for tried in one.document)
    assert ("queue", True) == (name, "answers 500" in problem)


def test_without_sinks_nothing_is_tried(place: Place) -> None:
    """A sentence says what to add."""
    unknown = place.run("notices", "test", "--sink", "other")
    place.write([])
    none = place.run("notices", "test")

    assert [2, 2] == [unknown.code, none.code]
    assert "The settings name no sink other: add it to `notices.sinks`." in unknown.err
    assert "The settings name no sink: add it to `notices.sinks`." in none.err


def test_check_looks_at_sinks_without_sending(place: Place) -> None:
    """A file that is not there is a problem like others."""
    before = place.run("check", "--json").document["problems"]
    place.write([{**place.sink, "key_file": "gone.key"}])
    ran = place.run("check", "--json")

    assert 1 == ran.code
    (problem,) = [one for one in ran.document["problems"] if one not in before]
    assert "The sink queue: The secret in gone.key cannot be read: no such file or directory." == problem
    assert [] == place.server.requests
