"""What may go by its period, and what is erased, in each kind of database: never what people still look at."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from monitor.app.stores import load_all, working_archive
from monitor.core.audit import NAMED, Person
from monitor.core.book import OTHER_CONTENT, Book
from monitor.core.cases import Act, Case, CaseEvent, State, step
from monitor.core.engine import books_digest
from monitor.core.facts import same_content
from monitor.core.model import DAY_MS, Record, Rejected
from monitor.core.personal import conceal
from monitor.core.retention import Kind, Stock
from monitor.core.roles import Permission, Role
from monitor.errors import CaseProblem, PeopleProblem, StoreProblem
from monitor.run.repartition import repartition
from monitor.run.verify import verify
from monitor.settings import Kafka
from monitor.store import DISMISSED, Deed, Wanted
from monitor.store.people import People
from monitor.store.retention import Value
from monitor.store.schema import METADATA, PEOPLE, PERSONAL, SAID
from monitor.store.sql import SqlStore
from tests.contract.test_casework import Office
from tests.core.casefile import ANA, BO, EVE, NOW, flag
from tests.core.test_estimate import reference
from tests.store.taking import commit_of, event, known_of, loaded_book, started, stopped, take, url_of

EVA = Person(NAMED, "eva")
WHY = "A court asked us to keep it all."
ENOUGH = "The court does not ask any more."
LATER = NOW + 400 * DAY_MS


@pytest.fixture
def office(url: str) -> Iterator[Office]:
    made = Office(url)
    yield made
    made.store.close()


def removed(office: Office, kind: Kind, until: int = LATER) -> int:
    """How much of a kind goes."""
    return sum(office.store.retaining.remove(kind, until, LATER, EVA))


# -- legal hold --------------------------------------------------------------------------------------------------------


def test_a_hold_ends_by_two_people(office: Office) -> None:
    """One puts a case under hold, decided or not; another one than who proposes its end approves it."""
    case = office.decided(office.open(flag()))
    office.desk.do(case.id, EVE, Act.HELD, {"why": WHY})
    office.desk.free(case.id, ANA, ENOUGH)

    with pytest.raises(CaseProblem, match="takes another person"):
        office.desk.approve(case.id, ANA)
    assert [case.id] == [row.id for row in office.cases.queue(Wanted(held=True), NOW).rows]
    freed = office.desk.approve(case.id, BO)

    assert (State.DECIDED, False) == (freed.state, freed.held)
    assert [] == office.cases.queue(Wanted(held=True), NOW).rows
    assert [(ANA, BO)] == [tuple(row) for row in office.rows("select freed_by, seconded_by from holds")]
    assert ["case.held", "case.proposed", "case.freed"] == [
        row[0] for row in office.rows("select act from audit where act like 'case.%' order by number")
    ][-3:]


@pytest.mark.parametrize("people", ["'ana', null", "null, 'bo'", "'ana', 'Ana'"])
def test_the_store_refuses_the_end_of_a_hold_by_fewer_than_two(office: Office, people: str) -> None:
    """Whoever writes to the tables themselves needs two names as well."""
    case = office.open(flag())
    office.desk.do(case.id, EVE, Act.HELD, {"why": WHY})

    with pytest.raises(IntegrityError, match="holds_two_people"):
        office.rows(f"update holds set freed_at = 1, (freed_by, seconded_by) = (select {people})")


# -- by age ------------------------------------------------------------------------------------------------------------


def three_cases(office: Office) -> tuple[Case, Case, Case]:
    """One that is decided, one that is decided and held, and one that nobody has decided."""
    plain, held, live = (office.open(flag(f"F-{one}", tenant=one)) for one in ("plain", "held", "live"))
    plain, held = office.decided(plain), office.decided(held)
    office.desk.do(held.id, EVE, Act.HELD, {"why": WHY})
    return plain, held, live


def test_decided_cases_go_and_held_and_undecided_ones_stay(office: Office) -> None:
    """A case goes with all its rows once its period has passed; a second time there is nothing left."""
    plain, held, live = three_cases(office)
    office.rows("update cases set review = null")

    assert Stock(0, 0) == office.store.retaining.stock(Kind.CASES, NOW)
    assert Stock(1, 1) == office.store.retaining.stock(Kind.CASES, LATER)
    assert [1, 0] == [removed(office, Kind.CASES), removed(office, Kind.CASES)]

    assert [] == office.cases.events(plain.id)
    assert all(office.cases.events(one.id) for one in (held, live))
    left = sorted((held.id, live.id))
    assert [held.id] == [row[0] for row in office.rows("select distinct case_id from case_sights")]
    for table in ("case_events", "case_flags"):
        assert left == [row[0] for row in office.rows(f"select distinct case_id from {table} order by case_id")]
    (row,) = office.rows("select body from audit where act = 'retention.applied'")
    assert '"kind":"cases"' in row[0]
    assert [] == office.gather()


def test_who_is_stopped_in_the_middle_goes_on_where_they_were(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part is a transaction of its own with its row of the audit: what is not gone is whole."""
    monkeypatch.setattr("monitor.store.retention.ROWS_AT_ONCE", 2)
    cases = [office.decided(office.open(flag(f"F-{one}", tenant=f"t-{one}"))) for one in range(5)]
    office.rows("update cases set review = null")
    parts = office.store.retaining.remove(Kind.CASES, LATER, LATER, EVA)

    assert 2 == next(parts)
    del parts

    left = [one.id for one in cases if office.cases.events(one.id)]
    assert 3 == len(left)
    assert all(State.DECIDED is office.desk.case(name).state for name in left)
    assert Stock(3, 0) == office.store.retaining.stock(Kind.CASES, LATER)
    assert [2, 1] == list(office.store.retaining.remove(Kind.CASES, LATER, LATER, EVA))
    told = [
        json.loads(row[0])["removed"] for row in office.rows("select body from audit where act = 'retention.applied'")
    ]
    assert 5 == sum(told)


def test_a_party_with_an_undecided_case_keeps_its_decided_ones(office: Office) -> None:
    """Whoever looks at a party again must find what was decided before."""
    office.decided(office.open(flag("F-1")))
    office.open(flag("F-2"))
    office.rows("update cases set review = null")

    assert Stock(0, 1) == office.store.retaining.stock(Kind.CASES, LATER)
    assert 0 == removed(office, Kind.CASES)


def test_who_acts_on_a_case_that_is_gone_is_told(office: Office) -> None:
    """An act that was under way when its case went is written nowhere."""
    case = office.decided(office.open(flag()))
    office.rows("update cases set review = null")
    event = CaseEvent(case.id, case.number + 1, NOW, Act.NOTED, EVE, {"text": "One more thing."})
    deed = Deed([event], step(case, event))
    removed(office, Kind.CASES)

    with pytest.raises(CaseProblem, match=f"Case {case.id} is no longer kept"):
        office.cases.write([deed], LATER)

    assert [] == office.rows("select * from case_events")


def test_notices_of_closed_flags_go_once_they_arrived(office: Office) -> None:
    """A notice stays while its flag is open, its case held, or its message on its way."""
    three_cases(office)
    assert Stock(0, 3) == office.store.retaining.stock(Kind.NOTICES, LATER)

    office.rows(
        "insert into messages (id, sink, purpose, subject, urgency, made_at, tries, next_try_at, claimed_until, "
        "arrived_at, problem) values ('M-1', 'all', 'news', '', 'queue', 1, 1, 0, 0, 2, '')"
    )
    office.rows("update deliveries set message = 'M-1'")

    assert Stock(1, 2) == office.store.retaining.stock(Kind.NOTICES, LATER)
    assert [1, 0] == [removed(office, Kind.NOTICES), removed(office, Kind.NOTICES)]
    assert ["F-held", "F-live"] == [row[0] for row in office.rows("select flag from notices order by flag")]
    assert [("M-1",)] == [tuple(row) for row in office.rows("select id from messages")]


def test_dead_letters_go_once_somebody_has_dealt_with_them(office: Office) -> None:
    """What waits for a person stays, however old it is."""
    letters = [Rejected(Record("events.jsonl", 0, n, n + 1, b"{", None), "json", "Not JSON.") for n in range(2)]
    office.store.commit(commit_of(Book(), 400, rejected=letters))
    office.rows(f"update dead_letters set state = '{DISMISSED}' where id = 1")

    assert Stock(1, 1) == office.store.retaining.stock(Kind.DEAD_LETTERS, LATER)
    assert [1, 0] == [removed(office, Kind.DEAD_LETTERS), removed(office, Kind.DEAD_LETTERS)]


def test_sessions_tokens_and_failed_tries_go(office: Office) -> None:
    """Each from its latest use or its end on; accounts stay."""
    office.rows(f"insert into users (name, role, created_at) values ('ana', '{Role.REVIEWER.value}', 0)")
    for number, at in (("1", NOW), ("2", LATER)):
        office.rows(f"insert into sessions values ('s{number}', 'ana', {at}, {at})")
        scopes = Permission.VIEW_CASES.value
        office.rows(f"insert into tokens values ('t{number}', 'ana', 'x', '{scopes}', 0, {at}, null)")
        office.rows(f"insert into failed_sign_ins values ('f{number}', 1, {at})")

    assert Stock(3, 0) == office.store.retaining.stock(Kind.SIGN_INS, LATER)
    assert [3, 0] == [removed(office, Kind.SIGN_INS), removed(office, Kind.SIGN_INS)]
    assert ["s2", "t2"] == [
        row[0] for row in office.rows("select hash from sessions union select hash from tokens order by 1")
    ]
    people = People.open(office.url)
    assert ["ana"] == [one.name for one in people.users()]
    people.close()


# -- personal values ---------------------------------------------------------------------------------------------------


def profile(name: str = "Basalt Ltd", tenant: str = "basalt", id: str = "profile", seconds: int = 3) -> bytes:
    data = {"tenant": tenant, "party": "p-1", "legal_name": name, "addresses": ["1 Quarry Road"], "hq_country": "DE"}
    return event("tenant.profiled", seconds, "//cloud", id, data)


PARTY = event("party.profiled", 4, "//crm", "party", {"party": "p-1", "names": ["Basalt Holding"]})
LINES = [started("x", tenant="basalt"), profile(), PARTY, profile("Amber Ltd", "amber"), stopped("x", 60, "basalt")]


def taken(url: str) -> SqlStore:
    """A store with facts of two tenants and a party."""
    store = SqlStore.open(url)
    book = Book()
    take(book, store, LINES)
    store.commit(commit_of(book))
    return store


def test_facts_are_read_as_they_came_and_kept_without_names(office: Office) -> None:
    """A store has personal values once, in their own table, and gives its facts back byte for byte."""
    store = taken(office.url)

    again = SqlStore.open(office.url)
    assert LINES == list(store.lines()) == list(again.lines())
    assert known_of(loaded_book(store)) == known_of(loaded_book(again))
    pages = [zstandard.decompress(body) for (body,) in office.rows("select body from fact_pages")]
    assert [] == [page for page in pages if b"Basalt" in page or b"Quarry" in page]
    assert ["party p-1", "tenant amber", "tenant basalt"] == sorted({one.whom for one in store.retaining.values()})
    store.close()
    again.close()


def test_a_fact_that_comes_again_is_known_before_and_after_erasure(office: Office) -> None:
    """Duplicates are known by what came; the same identity with other content is a rival, as ever."""
    store = taken(office.url)
    for _ in range(2):
        book = loaded_book(store)
        take(book, store, LINES)
        assert (0, len(LINES)) == (book.counts.accepted, book.counts.duplicate)
        values = store.retaining.values(whom="tenant basalt")
        store.retaining.forget(values, NOW, EVA, "tenant basalt", {"reason": "asked"})
    book = loaded_book(store)
    take(book, store, [profile("Basalt Limited")])

    assert ({OTHER_CONTENT: 1}, 1) == (book.counts.anomalies, book.counts.accepted)
    store.close()


def test_erasure_changes_no_digest_and_verify_passes(office: Office) -> None:
    """The books, their digest and every chain are the same; what was erased of one stays known of another."""
    store = taken(office.url)
    before = books_digest(loaded_book(store), NOW)
    values = store.retaining.values(whom="tenant basalt")
    store.retaining.forget(values, NOW, EVA, "tenant basalt", {"reason": "asked"})

    again = SqlStore.open(office.url)
    assert before == books_digest(loaded_book(again), NOW)
    assert [] == verify(load_all(again), {}, working_archive, reference(), None).problems
    lines = list(again.lines())
    assert all(same_content(one, other) for one, other in zip(LINES, lines, strict=True))
    assert b"Basalt Ltd" not in b"".join(lines)
    assert [LINES[2], LINES[3]] == [lines[2], lines[3]]
    assert [] == again.retaining.values(whom="tenant basalt")
    assert [] == again.retaining.values("Basalt Ltd")
    assert ["tenant amber"] == [one.whom for one in again.retaining.values("1 Quarry Road")]
    (row,) = office.rows("select subject, body from audit where act = 'personal.erased'")
    assert "tenant basalt" == row[0]
    assert "Basalt" not in row[1]
    store.close()
    again.close()


NAMES = st.sampled_from(["Basalt Ltd", "Basält", "1 Quarry Road", "sha256:" + "0" * 64])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(["amber", "basalt"]), NAMES, NAMES), max_size=6), st.data())
def test_whatever_is_erased_of_whatever_facts_the_books_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    """Any values of any profiles may go: the digest stays, every fact is known again, and `verify` finds nothing."""
    lines = [started("x"), *(named(number, *one) for number, one in enumerate(told)), stopped("x", 60)]
    store = SqlStore.open(url_of(tmp_path_factory.mktemp("books")))
    book = Book()
    take(book, store, lines)
    store.commit(commit_of(book))
    values = [one for one in store.retaining.values() if data.draw(st.booleans())]
    store.retaining.forget(values, NOW, EVA, "text", {"reason": "asked"})

    after = loaded_book(store)

    assert books_digest(book, NOW) == books_digest(after, NOW)
    assert [] == verify(load_all(store), {}, working_archive, reference(), None).problems
    take(after, store, lines)
    assert 0 == after.counts.accepted
    left = {one.hash for one in store.retaining.values()}
    assert not left & {one.hash for one in values}
    store.close()


def named(number: int, tenant: str, name: str, address: str) -> bytes:
    data = {"tenant": tenant, "legal_name": name, "addresses": [address], "identifiers": {"lei": name}}
    return event("tenant.profiled", number, "//cloud", f"profile {number}", data)


def test_books_for_other_partitions_keep_what_was_erased_erased(office: Office) -> None:
    """Facts are taken in anew as they are read: tokens stay tokens, and what is in clear is kept apart again."""
    store = taken(office.url)
    store.retaining.forget(store.retaining.values("Basalt Ltd"), NOW, EVA, "text", {"reason": "asked"})
    before = list(store.lines())

    repartition(store, 1, 3, Kafka(), 3_600_000, NOW, lambda done, total: None)

    lines = [line for number in range(3) for line in store.beside(number).lines()]
    assert set(before) == set(lines)
    pages = [zstandard.decompress(body) for (body,) in office.rows("select body from fact_pages")]
    assert [] == [page for page in pages if b"Basalt" in page or b"Quarry" in page]
    assert [] == store.retaining.values("Basalt Ltd")
    store.close()


def test_who_is_named_anew_is_known_again(office: Office) -> None:
    """A new fact brings its values; the old fact with the same ones reads whole again."""
    store = taken(office.url)
    store.retaining.forget(store.retaining.values(whom="tenant basalt"), NOW, EVA, "tenant basalt", {"reason": "asked"})
    book = loaded_book(store)

    take(book, store, [profile(id="another", seconds=90)])
    store.commit(commit_of(book, 401))

    assert [*LINES, profile(id="another", seconds=90)] == list(store.lines())
    store.close()


def test_a_refused_commit_brings_its_values_with_the_next_try(office: Office) -> None:
    """What could not be written is written when it can be, and until then it is read from memory."""
    store = taken(office.url)
    other = SqlStore.open(office.url)
    book = loaded_book(store)
    take(book, store, [profile("Cobalt Ltd", "cobalt")])
    commit = commit_of(book, 402)
    office.rows("alter table fact_pages rename to away")
    with pytest.raises(StoreProblem):
        store.commit(commit)
    office.rows("alter table away rename to fact_pages")

    assert [] == other.retaining.values("Cobalt Ltd")
    store.commit(commit)

    assert ["tenant cobalt"] == [one.whom for one in other.retaining.values("Cobalt Ltd")]
    assert [*LINES, profile("Cobalt Ltd", "cobalt")] == list(other.beside(0).lines())
    store.close()
    other.close()


def test_what_is_quoted_is_counted(office: Office) -> None:
    """A finding and its notice that quote a value are counted; texts of a few letters are not looked for."""
    office.raise_flags(flag("F-1")._replace(finding=flag().finding._replace(reasons=('"Basalt Ltd" is on a list.',))))

    assert 2 == office.store.retaining.quoting({"Basalt Ltd"})
    assert 0 == office.store.retaining.quoting({"list"})


def test_values_of_people_are_told_apart_by_whom_they_are_of(office: Office) -> None:
    """What stands for a value names whom it is of."""
    store = taken(office.url)

    (value,) = store.retaining.values("Amber Ltd")

    salt = office.rows("select salt from personal_salt")[0][0]
    assert value == Value(next(iter(conceal(LINES[3], salt).values)), "tenant amber", "Amber Ltd")
    store.close()


# -- people ------------------------------------------------------------------------------------------------------------


def test_every_column_that_names_people_is_known() -> None:
    """Whoever adds a table with a person in it adds that to what is erased."""
    of_hashes = {f"{name}.{by}" for name in ("proposals", "exports") for by in ("proposed_by", "answered_by")}
    hashed = {"audit.actor", *of_hashes}
    found = {
        f"{table.name}.{column.name}"
        for table in METADATA.tables.values()
        for column in table.columns
        if column.name.endswith("_by") or column.name in ("actor", "assigned")
    }

    assert found - hashed == {str(column) for column in PEOPLE}


def test_a_former_colleague_is_erased_everywhere(office: Office) -> None:
    """The name is nowhere in the store any more; what was decided stays, by two people that can be told apart."""
    case = office.open(flag(level="critical"))
    office.desk.do(case.id, ANA, Act.ASSIGNED, {"to": ANA})
    office.decided(case)
    office.desk.do(case.id, ANA.upper(), Act.HELD, {"why": WHY})
    people = People.open(office.url)
    people.add_user(ANA, Role.REVIEWER, None, EVA, NOW)

    with pytest.raises(PeopleProblem, match="still has an account: disable it first"):
        people.erase(ANA, "left", EVA, NOW)
    people.disable(ANA, EVA, NOW)
    people.erase(ANA, "left", EVA, NOW)
    people.close()

    (row,) = office.cases.queue(Wanted(decided=True), NOW).rows
    assert (row.decided_by or "").startswith("erased (")
    assert BO == row.seconded_by
    decision = office.desk.case(case.id).decision
    assert decision is not None
    assert (row.decided_by, BO) == (decision.by, decision.second)
    assert [] == office.rows("select * from users")
    for column in (*PEOPLE, *SAID, PERSONAL.c.value):
        values = [str(row[0]).casefold() for row in office.rows(f"select {column.name} from {column.table.name}")]
        assert [] == [value for value in values if value == ANA or f'"{ANA}"' in value]
    (act, subject) = office.rows("select act, subject from audit order by number desc limit 1")[0]
    assert "user.erased" == act
    assert subject.startswith("sha256:")


@pytest.mark.parametrize(
    ("name", "by", "sentence"),
    [
        ("nobody", EVA, "Nobody is known here as nobody"),
        (BO, EVA, "waits for bo: assign it to somebody else"),
        (BO, Person(NAMED, "Bo"), "Nobody erases themselves"),
    ],
)
def test_who_is_needed_or_not_known_is_not_erased(office: Office, name: str, by: Person, sentence: str) -> None:
    """Each refusal has its sentence, and changes nothing."""
    case = office.open(flag())
    office.desk.do(case.id, ANA, Act.ASSIGNED, {"to": BO})
    people = People.open(office.url)

    with pytest.raises(PeopleProblem, match=sentence):
        people.erase(name, "left", by, NOW)

    people.close()
    assert BO == office.desk.case(case.id).assigned


def test_whose_proposal_waits_is_not_erased(office: Office) -> None:
    """What somebody proposed of a policy is answered first; then they can be forgotten."""
    number = office.store.proposals.propose("policy", "p@1", {}, "It is right.", ANA, NOW, EVA)
    people = People.open(office.url)

    with pytest.raises(PeopleProblem, match=f"Proposal {number} of ana waits for an answer"):
        people.erase(ANA, "left", EVA, NOW)
    office.store.proposals.drop(number, BO, "It is not.", NOW, EVA)
    people.erase(ANA, "left", EVA, NOW)

    people.close()
    assert [] == office.rows("select * from personal where value = 'ana'")
