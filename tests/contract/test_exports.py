"""Exports in each kind of database: what is written of them, and that nobody is counsel to themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from monitor.app import handovers
from monitor.clock import SystemClock
from monitor.core.audit import NAMED, Person
from monitor.core.book import Book
from monitor.core.exports import RELEASED_DAYS, Handover, Verdict, handover
from monitor.core.flags import Change, Entry
from monitor.core.model import DAY_MS
from monitor.core.parties import Parties
from monitor.core.people import USER
from monitor.core.roles import Role
from monitor.errors import ExportProblem
from monitor.run.casework import Gatherer
from monitor.settings import Settings
from monitor.store import TICK, JournalEntry
from monitor.store.people import People
from monitor.store.sql import SqlStore
from tests.core.casefile import flag
from tests.store.taking import commit_of, seen, started, take

NOW = 1_800_000_000_000
ADA, CARL = Person(USER, "ada"), Person(USER, "carl")
DIGEST = "sha256:0123"


def asked(recipient_kind: str = "internal", kind: str = "case") -> Handover:
    return handover(kind, "C-1", "pack", "general", recipient_kind, "the \x00bureau", "15 CFR 744.6 \udc80")


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    """A store in which ada reviews and carl is counsel."""
    store = SqlStore.open(url)
    people = People.open(url)
    people.add_user("ada", Role.REVIEWER, None, ADA, NOW)
    people.add_user("carl", Role.COUNSEL, None, ADA, NOW)
    people.close()
    yield store
    store.close()


def acts(store: SqlStore) -> list[tuple[str, str, str]]:
    """What the audit says of exports: who did what to which."""
    rows = [row.entry for row in store.audit.chain() if row.entry.act.partition(".")[0] != "user"]
    names = hashes(store)
    return [(names[row.actor], row.act, row.subject) for row in rows]


def hashes(store: SqlStore) -> dict[str, str]:
    with store._database.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(text("select hash, value from personal"))}


def test_what_takes_nobody_else_is_released_as_it_is_proposed(store: SqlStore) -> None:
    """And each time that it is handed over is a row of the audit, with all that it names."""
    export = store.exports.propose(asked(), ADA, NOW)
    store.exports.hand_over(export.number, ADA, NOW + 1, DIGEST)

    assert Verdict.RELEASED == export.verdict
    assert export == store.exports.export(export.number)
    assert [("ada", "export.proposed", "C-1"), ("ada", "evidence.exported", "C-1")] == acts(store)
    body = json.loads(list(store.audit.chain())[-1].entry.body)
    assert (DIGEST, "the \x00bureau", "15 CFR 744.6 \udc80") == (body["digest"], body["recipient"], body["legal_basis"])


def test_a_table_is_handed_over_under_a_name_of_its_own(store: SqlStore) -> None:
    """Whoever looks for tables in the audit finds them."""
    export = store.exports.propose(asked(kind="table"), ADA, NOW)
    store.exports.hand_over(export.number, ADA, NOW, DIGEST)

    assert "table.exported" == acts(store)[-1][1]


def test_what_goes_to_a_government_waits_for_counsel(store: SqlStore) -> None:
    """Before that nothing is handed over; after it, whoever exports may."""
    export = store.exports.propose(asked("governmental"), ADA, NOW)
    with pytest.raises(ExportProblem, match="waits for counsel"):
        store.exports.hand_over(export.number, ADA, NOW, DIGEST)

    released = store.exports.answer(export.number, CARL, NOW + 5, Verdict.RELEASED)
    store.exports.hand_over(export.number, ADA, NOW + 6, DIGEST)

    assert ("carl", NOW + 5, Verdict.RELEASED) == (released.answered_by, released.answered_at, released.verdict)
    assert [released] == store.exports.latest(10)
    assert ["export.proposed", "export.released", "evidence.exported"] == [act for _, act, _ in acts(store)]
    with pytest.raises(ExportProblem, match="propose it again"):
        store.exports.hand_over(export.number, ADA, NOW + 5 + RELEASED_DAYS * DAY_MS, DIGEST)


def test_what_counsel_refuses_is_never_handed_over(store: SqlStore) -> None:
    """The reason is kept; there is one."""
    export = store.exports.propose(asked("governmental"), ADA, NOW)
    with pytest.raises(ExportProblem, match="says why"):
        store.exports.answer(export.number, CARL, NOW, Verdict.REFUSED, " ")

    store.exports.answer(export.number, CARL, NOW, Verdict.REFUSED, "No basis.")

    with pytest.raises(ExportProblem, match=r"Counsel refused export 1: No basis\."):
        store.exports.hand_over(export.number, ADA, NOW, DIGEST)
    with pytest.raises(ExportProblem, match="does not wait for counsel: it is refused"):
        store.exports.answer(export.number, CARL, NOW, Verdict.RELEASED)


@pytest.mark.parametrize("proposed_by", [CARL, Person(NAMED, "Carl")])
def test_counsel_does_not_release_what_counsel_proposed(store: SqlStore, proposed_by: Person) -> None:
    """The store refuses the same person, by whatever kind of name they came."""
    export = store.exports.propose(asked("governmental"), proposed_by, NOW)

    with pytest.raises(ExportProblem, match="it takes another person, and the store refuses the same"):
        store.exports.answer(export.number, CARL, NOW, Verdict.RELEASED)

    assert store.exports.export(export.number).verdict is None


@pytest.mark.parametrize("who", ["ada", "nobody", "x\x00y"])
def test_nobody_releases_without_an_account_as_counsel(store: SqlStore, who: str) -> None:
    """Whoever types a name at a command must be known for it, too."""
    export = store.exports.propose(asked("governmental"), Person(NAMED, "bob"), NOW)

    with pytest.raises(ExportProblem, match="is not counsel"):
        store.exports.answer(export.number, Person(NAMED, who), NOW, Verdict.RELEASED)


@pytest.mark.parametrize("answered_by", ["null", "proposed_by"])
def test_the_tables_refuse_a_release_without_a_second_person(store: SqlStore, url: str, answered_by: str) -> None:
    """Whatever program writes them."""
    store.exports.propose(asked("governmental"), ADA, NOW)
    engine = create_engine(url)

    with pytest.raises(IntegrityError, match="exports_"), engine.begin() as connection:
        connection.execute(text(f"update exports set verdict = 'released', answered_by = {answered_by}"))

    engine.dispose()


@pytest.mark.parametrize("number", [0, 2, -1, 2**70])
def test_there_is_no_export_of_another_number(store: SqlStore, number: int) -> None:
    """However large."""
    store.exports.propose(asked(), ADA, NOW)

    with pytest.raises(ExportProblem, match=f"There is no export {number}"):
        store.exports.export(number)


def test_those_that_wait_come_first(store: SqlStore) -> None:
    """Then the latest."""
    for kind in ("governmental", "internal", "customer"):
        store.exports.propose(asked(kind), ADA, NOW)

    assert [1, 3, 2] == [one.number for one in store.exports.latest(10)]
    assert [1] == [one.number for one in store.exports.latest(1)]


def test_a_pack_is_made_of_each_kind_of_database(store: SqlStore, tmp_path: Path) -> None:
    """Of two partitions of it, over one state of the store; it verifies without that."""
    for partition, tenant in enumerate(("amber", "blue")):
        bound, book = store.beside(partition), Book()
        take(book, bound, [started("job", tenant=tenant), seen("job", 3_600, tenant=tenant)])
        bound.commit(commit_of(book))
    found = flag("F-1", tenant="group", members=("amber", "blue"))
    store.decide(
        JournalEntry(TICK, {"as_of": 0}), [Change(found, Entry("F-1", NOW, "raised", found.level, "So."))], NOW
    )
    Gatherer(store.casework, (), SystemClock()).work({}, Parties({}, NOW))
    case = store.casework.home_of("F-1")
    assert case is not None
    export = store.exports.propose(asked()._replace(what=case.id), ADA, NOW)

    with store.still():
        files = handovers.pack_in(store, Settings(), export, "ada", NOW)
    for name, content in files.items():
        (tmp_path / "pack" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pack" / name).write_bytes(content)
    checked = handovers.verify_pack(tmp_path / "pack")

    assert ([], 1, 2) == (checked.problems, checked.flags, checked.tenants)
    assert 4 == len(files["facts.ndjson"].splitlines())
    assert b"export.proposed" in files["audit.ndjson"]
