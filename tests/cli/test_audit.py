"""`flopwatch audit`: every decision is listed, and whoever changes a byte of it is found."""

from __future__ import annotations

import json
import os
import pwd
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from monitor.app.decisions import operator
from monitor.app.stores import opened_store
from monitor.core.audit import GENESIS
from monitor.store import ACTIVATION, JournalEntry
from tests.cli.command import HELD, Ran, fact, flopwatch, written
from tests.cli.test_hits import COMPANY, HOLDING, LATER, PEOPLE, PROFILED, REASON
from tests.cli.test_hits import Place as Hits

ROOT = Path(__file__).resolve().parents[2]
LARGE = {**HELD, "count": 40}  # a watch, which one person may close


class Place:
    """Settings with a file of checkpoints, and a store with flags and a dead letter."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state, self.checkpoints = folder, folder / "books.db", folder / "checkpoints.jsonl"
        self.config = folder / "monitor.yaml"
        self.config.write_text(
            f"store_url: sqlite:///{self.state}\naudit: {{checkpoint_file: '{self.checkpoints}'}}\n", encoding="utf-8"
        )
        start, end = fact("allocation.started", "a", **LARGE), fact("allocation.stopped", "b", "2026-06-01T00:00:00Z")
        events = written(folder / "events.jsonl", [start, end, b"{"])
        assert 0 == flopwatch("replay", events, "--state", self.state, "--json").code

    def run(self, *arguments: object) -> Ran:
        return flopwatch(*arguments, "--config", self.config)

    def close(self, reason: str = "explained") -> str:
        """Close a flag; its id."""
        flag = str(self.run("flags", "--json").document[0]["flag"])
        assert 0 == self.run("flags", "close", flag, "--reason", reason).code
        return flag

    def change(self, *statements: str) -> None:
        """Do something to the database that its triggers would refuse."""
        with closing(sqlite3.connect(self.state)) as database, database:
            for name in ("audit_stays_as_it_is", "audit_stays", "audit_grows_at_its_end"):
                database.execute(f"drop trigger if exists {name}")
            for statement in statements:
                database.execute(statement)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_decision_is_listed_with_who_took_it(place: Place) -> None:
    """The user of the operating system, marked as such; the newest first; names of others as hashes."""
    assert "The audit is empty." in place.run("audit", "list").out
    flag = place.close("explained by their licence")
    other = place.run("flags", "--json").document[0]["flag"]
    assert 0 == place.run("flags", "viewed", other, "--by", "bo of compliance").code

    listed = place.run("audit", "list")
    viewed, closed = place.run("audit", "list", "--json").document

    user = pwd.getpwuid(os.getuid()).pw_name
    assert [f"{user} (operating system user)"] * 2 == [viewed["who"], closed["who"]]
    assert ("flag.closed", flag, 1) == (closed["act"], closed["subject"], closed["row"])
    assert {"close": flag, "level": "watch", "reason": "explained by their licence"} == closed["body"]
    assert ("flag.viewed", other, closed["hash"]) == (viewed["act"], viewed["subject"], viewed["previous"])
    assert "bo of compliance" not in json.dumps(viewed)
    assert "explained by their licence" in listed.out
    assert f"{user} (operating system user)" in listed.out


def test_rows_are_chosen(place: Place) -> None:
    """By actor, act, subject and time, at most so many."""
    flag = place.close()
    place.close()
    user = pwd.getpwuid(os.getuid()).pw_name

    def rows(*options: object) -> list[int]:
        return [row["row"] for row in place.run("audit", "list", "--json", *options).document]

    assert [2, 1] == rows() == rows("--actor", user) == rows("--since", "2020-01-01T00:00:00Z")
    assert [2, 1] == rows("--act", "flag.closed")
    assert [1] == rows("--subject", flag)
    assert [2] == rows("--limit", 1)
    assert [] == rows("--since", "2100-01-01T00:00:00Z") == rows("--actor", "nobody else")
    assert "There are more; --limit shows them (now 1)." in place.run("audit", "list", "--limit", 1).out
    assert "Nothing of that kind" in place.run("audit", "list", "--act", "flag.viewed").out


def test_a_whole_audit_is_said_to_be_whole_and_what_that_does_not_prove(place: Place) -> None:
    """Every command has added a checkpoint of its own."""
    place.close()
    place.close()

    ran = place.run("audit", "verify")
    document = place.run("audit", "verify", "--json").document

    assert 0 == ran.code
    assert "The audit is whole: 2 rows, the last with the hash " in ran.out
    assert "2 checkpoints agree with it." in ran.out
    assert "That does not prove that what was entered is true" in ran.out
    assert (2, 2, 2, None) == tuple(document[name] for name in ("rows", "checkpoints", "covered", "broken"))
    assert document["head"] in ran.out


def test_without_checkpoints_it_says_what_is_not_seen(place: Place) -> None:
    """A store that the settings do not mean has none: its checkpoints would be those of another one."""
    place.close()
    before = place.checkpoints.read_bytes()

    ran = place.run("audit", "verify", "--state", place.state)
    place.run("dead-letters", "dismiss", 1, "--reason", "noise", "--state", place.state)

    assert (0, True) == (ran.code, "Without checkpoints, rows that were cut off" in ran.out)
    assert before == place.checkpoints.read_bytes()
    assert "1 checkpoint agrees with it; 1 row came after the last one." in place.run("audit", "verify").out


def test_one_changed_byte_of_an_old_row_is_named(place: Place) -> None:
    """In the file itself, behind every trigger: the row is named, exit 1."""
    for reason in ("the first one", "the second one"):
        place.close(reason)
    with closing(sqlite3.connect(place.state)) as database:
        database.execute("pragma wal_checkpoint(truncate)")
    content = place.state.read_bytes()
    for byte in (b"F", b"\xe6"):
        at = content.index(b'"reason":"the first one"}' + GENESIS.encode())
        place.state.write_bytes(content[: at + 14] + byte + content[at + 15 :])

        ran = place.run("audit", "verify")
        document = place.run("audit", "verify", "--json")
        listed = place.run("audit", "list", "--json")

        assert (1, "The audit is broken. Row 1 was changed: its hash is another one.\n") == (ran.code, ran.out)
        assert 1 == document.code
        assert (1, 1, "changed") == tuple(document.document["broken"][name] for name in ("first", "last", "fault"))
        assert (0, 2) == (listed.code, len(listed.document))
        assert 0 == place.run("audit", "list").code


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["delete from audit where number = 2"], "Row 2 is missing: row 3 comes next."),
        (["delete from audit where number > 1"], "Rows 2 to 3 are missing at the end: the checkpoint of "),
        (["delete from audit"], "Rows 1 to 3 are missing at the end"),
        (["update audit set at = 1 where number = 3"], "Row 3 was changed"),
        (["update audit set at = 'x', body = '{' where number = 2"], "Row 2 was changed"),
        (["update audit set at = 8e17 where number = 2"], "Row 2 was changed"),
        (["insert into audit select 0, at, actor, act, subject, body, previous, hash from audit limit 1"], "Row 0 was"),
    ],
)
def test_what_was_done_to_the_chain_is_named(place: Place, statements: list[str], said: str) -> None:
    """A sentence with the row, exit 1; the list shows what there is."""
    for _ in range(2):
        place.close()
    place.run("dead-letters", "dismiss", 1, "--reason", "noise")
    place.change(*statements)

    ran = place.run("audit", "verify")

    assert (1, True) == (ran.code, said in ran.out), ran.out
    assert [0, 0] == [place.run("audit", "list", *more).code for more in ((), ("--json",))]


def test_checkpoints_come_from_a_file_or_standard_input(place: Place, tmp_path: Path) -> None:
    """As a topic's reader prints them; lines that are none are told and left out."""
    place.close()
    one = place.checkpoints.read_bytes()
    file = tmp_path / "other.jsonl"
    file.write_bytes(b"torn {\n" + one + b"\xff\n")
    command = [sys.executable, "-c", "from monitor.cli import main; main()", "audit", "verify", "--checkpoints", "-"]

    ran = place.run("audit", "verify", "--checkpoints", file)
    piped = subprocess.run(
        [*command, "--state", place.state],
        input=one,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert "Line 1 of the checkpoints is none, and was left out." in ran.out
    assert "Line 3 of the checkpoints is none" in ran.out
    assert "1 checkpoint agrees with it." in ran.out
    assert (0, True) == (piped.returncode, b"1 checkpoint agrees with it." in piped.stdout)


def test_checkpoints_that_cannot_be_read_are_named(place: Place) -> None:
    """A file of the settings that is not there is no reason to say that all is well."""
    ran = place.run("audit", "verify")

    assert 2 == ran.code
    assert f"The checkpoints in {place.checkpoints} cannot be read: no such file or directory." in ran.err
    assert 2 == place.run("audit", "verify", "--checkpoints", place.folder / "none").code


def test_a_decision_stands_although_its_checkpoint_cannot_be_written(place: Place) -> None:
    """The command does what it is for, and the log says what was not written."""
    place.checkpoints.mkdir()

    flag = str(place.run("flags", "--json").document[0]["flag"])
    ran = place.run("flags", "close", flag, "--reason", "explained")

    assert 0 == ran.code
    assert f"A checkpoint of the audit cannot be added to {place.checkpoints} (is a directory)" in ran.err
    assert [flag] == [row["subject"] for row in place.run("audit", "list", "--json").document]


def test_every_command_that_decides_has_an_act(place: Place) -> None:
    """None of them falls under what has no name of its own."""
    flag = str(place.run("flags", "--json").document[0]["flag"])
    place.run("flags", "viewed", flag, "--by", "ana")
    place.run("flags", "knowledge", flag, "--at", "2026-05-01T00:00:00Z", "--by", "ana", "--reason", "a call")
    place.close()
    place.run("dead-letters", "dismiss", 1, "--reason", "noise")
    place.run("positions", "accept", "events.jsonl", "--reason", "they are lost")
    strict = place.folder / "strict.yaml"
    strict.write_text("allowed_sources: {'/sim/*': []}\n", encoding="utf-8")
    stranger = fact("allocation.started", "c", **HELD) | {"source": "/else"}
    more = written(place.folder / "more.jsonl", [stranger])
    assert 0 == flopwatch("replay", more, "--state", place.state, "--config", strict, "--past-limit", "known").code
    assert 0 == place.run("dead-letters", "replay", 2, "--reason", "now allowed").code
    with opened_store(f"sqlite:///{place.state}") as store:
        store.record([JournalEntry(ACTIVATION, {"partitions": 4})], 0)
    place.run("positions", "repartition", "--partitions", 2)

    rows = place.run("audit", "list", "--json").document

    assert [
        "books.repartitioned",
        "letters.replayed",
        "limit.passed",
        "position.accepted",
        "letters.dismissed",
        "flag.closed",
        "case.known",
        "flag.known",
        "flag.viewed",
    ] == [row["act"] for row in rows]
    assert {operator().value + " (operating system user)", "ana"} == {row["who"] for row in rows}
    assert 0 == place.run("audit", "verify").code


def test_hits_are_in_the_audit_without_the_names_of_two_people(tmp_path: Path) -> None:
    """Clearing and reopening; who cleared it stands as a hash."""
    hits = Hits(tmp_path)
    hits.replay(
        fact("allocation.started", "begin", **HELD),
        fact("tenant.profiled", "who", **PROFILED),
        fact("party.profiled", "company", party="orchid", **COMPANY),
        fact("party.profiled", "above", party="holding", **HOLDING),
        fact("allocation.stopped", "end", "2026-03-01T05:00:00Z"),
    )
    name = hits.hits()[0]["hit"]
    assert 0 == hits.run("hits", "clear", name, *PEOPLE, *LATER, *REASON).code
    assert 0 == hits.run("hits", "reopen", name, *REASON).code

    rows = hits.run("audit", "list", "--json").document
    reopened, cleared = (row for row in rows if row["act"].startswith("hit."))

    assert ("hit.reopened", "hit.cleared") == (reopened["act"], cleared["act"])
    assert reopened["subject"] == cleared["subject"]
    assert [71, 71] == [len(who) for who in cleared["body"]["by"]]


def test_a_user_without_a_name_has_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container."""
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_001)

    assert ("operating system user", "uid 4000000001") == operator()
