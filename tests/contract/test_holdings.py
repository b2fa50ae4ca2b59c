"""What allocations held, as a store keeps it and as its facts give it: exactly what the commits moved, in each kind of
database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest
from sqlalchemy import text

from monitor.core.book import Book
from monitor.core.model import Key, Traits
from monitor.errors import Overtaken
from monitor.intake.decode import decode_facts
from monitor.run import holdings
from monitor.run.holdings import folded, make_pieces, past_of
from monitor.store.database import connect
from monitor.store.memory import MemoryArchive
from monitor.store.sql import SqlStore
from tests.core.table import BASE_MS, events
from tests.store.taking import AT, commit_of, filled, known_of, loaded_book, seen, started, stopped, take

TABLES = {
    "pieces and measurements": """
        0   start x accelerator=H100 count=8 job=a tenant=amber
        50  telemetry x window=40 observer=provider active=0.5 tenant=amber
        60  resize x count=4 job=b tenant=amber
        90  stop x tenant=amber
        95  start x tenant=amber
        """,
    "an inner layer": """
        0   start node accelerator=H100 count=8 tenant=amber
        5   start pod accelerator=H100 count=2 within=node job=a tenant=amber
        6   start alone accelerator=H100 count=2 within=nobody tenant=amber
        60  stop pod tenant=amber
        60  stop alone tenant=amber
        90  stop node tenant=amber
        """,
    "an outer layer that only a report names": """
        0   start pod accelerator=H100 count=2 within=node region=east tenant=amber
        30  stop pod tenant=amber
        50  report east node=8 tenant=amber
        80  report east node=6 tenant=amber
        90  report east other=1 tenant=amber
        """,
    "retractions": """
        0   start x accelerator=H100 count=8 id=a tenant=amber
        40  stop x tenant=amber
        50  start x accelerator=A100 count=8 tenant=amber
        60  seen x job=j id=wrong tenant=amber
        90  stop x tenant=amber
        99  retract a tenant=amber
        99  retract wrong tenant=amber
        """,
    "inventory reports": """
        0   start x accelerator=H100 count=8 region=east tenant=amber
        30  report east x=4 tenant=amber
        60  report east y=2 tenant=amber
        90  report east y=2 tenant=amber
        95  stop y tenant=amber
        """,
    "a tenant that holds all still": "0 start x accelerator=H100 count=8 job=a tenant=amber",
    "facts of a tenant that hold nothing": "0 profile p tenant=amber",
}


def in_memory(lines: list[bytes]) -> tuple[Book, MemoryArchive]:
    """A book of everything, and what its commits moved."""
    book, archive = Book(), MemoryArchive()
    take(book, archive, lines)
    archive.commit(book.drain())
    return book, archive


def same_as_memory(store: SqlStore, lines: list[bytes]) -> None:
    """A book loaded from the store has what memory has, and its open timelines the traits."""
    kept, archive = in_memory(lines)
    for name in kept.tenants:
        book = loaded_book(store)
        assert filled(archive.finished(name)) == filled(store.finished(name))
        assert traits_of(kept, name) == traits_of(book, name)
        assert filled(archive.finished(name)) == filled(folded(book, store, name))


def traits_of(book: Book, name: str) -> dict[str, Traits]:
    """What is said of what a tenant holds."""
    return {key: one.traits for key, one in book.tenants[name].held()}


@pytest.mark.parametrize("case", TABLES)
@pytest.mark.parametrize("batch", [1, 3, 100])
def test_a_store_gives_what_memory_gives(url: str, case: str, batch: int) -> None:
    """The same pieces and measurements, with the same traits, however many facts a commit has."""
    lines = events(TABLES[case])
    store = SqlStore.open(url)
    book = Book()
    for start in range(0, len(lines), batch):
        take(book, store, lines[start : start + batch])
        store.commit(commit_of(book))

    same_as_memory(store, lines)
    store.close()


def test_nobody_knows_a_tenant_that_never_came(url: str) -> None:
    """A store that has no fact of a tenant has none of its allocations either."""
    store = SqlStore.open(url)

    assert {} == store.heads_of("amber")
    assert {} == store.finished("amber")
    assert {} == store.finished_traits() == store.began([(0, 1)])
    assert store.has_pieces()
    store.close()


LINKING = """
    0   start x accelerator=H100 count=8 image_digest=i1 job=a tenant=amber
    60  resize x count=4 image_digest=i2 tenant=amber
    90  stop x tenant=amber
    95  start y accelerator=H100 count=8 reservation=r1 tenant=amber
    0   start x accelerator=H100 count=8 job=only tenant=basalt
    50  stop x tenant=basalt
    60  start x accelerator=H100 count=8 on_behalf_of=amber tenant=coral
    70  stop x tenant=coral
    80  start z accelerator=H100 count=8 on_behalf_of=amber tenant=coral
    """


def test_traits_that_may_link_are_those_of_memory(url: str) -> None:
    """Of what was held, and of what is held still, which memory has in its book; whoever says nothing is left out."""
    lines = events(LINKING)
    kept, archive = in_memory(lines)
    expected = {
        name: found
        for name, tenant in kept.tenants.items()
        if (found := {*archive.finished_traits().get(name, ()), *linking(one.traits for _, one in tenant.held())})
    }
    store = SqlStore.open(url)
    take(book := Book(), store, lines)
    store.commit(commit_of(book))

    assert {"amber", "coral"} == expected.keys()
    assert expected == store.finished_traits()
    store.close()


def linking(traits: Iterable[Traits]) -> set[Traits]:
    """Those parts that may link tenants, where there are any."""
    parts = {Traits(image=one.image, reservation=one.reservation, end_customer=one.end_customer) for one in traits}
    return parts - {Traits()}


def test_who_began_something_is_known_with_and_without_pieces(url: str) -> None:
    """Inside spans of time, both ends included, however many spans; of stores that lack pieces too."""
    lines = events(LINKING)
    spans = [(BASE_MS + at, BASE_MS + at) for at in range(0, 59_999, 100)] + [(BASE_MS + 60_000, BASE_MS + 94_999)]
    expected = {"amber": {BASE_MS, BASE_MS + 60_000}, "basalt": {BASE_MS}, "coral": {BASE_MS + 60_000}}
    store = SqlStore.open(url)
    take(book := Book(), store, lines)
    store.commit(commit_of(book))

    assert expected == store.began(spans)
    behind(url, *WITHOUT_PIECES)
    assert expected == past_of(loaded_book(store), store).began(spans)
    store.close()


def test_more_allocations_than_are_read_at_once(url: str) -> None:
    """All of many allocations are there, each with its own job."""
    number = holdings.ALLOCATIONS_AT_ONCE + 1
    lines = events(
        "\n".join(
            f"0 start x{n} accelerator=H100 count=1 job=j{n} tenant=amber \n 9 stop x{n} tenant=amber"
            for n in range(number)
        )
    )
    store = SqlStore.open(url)
    book = Book()
    take(book, store, lines)
    store.commit(commit_of(book))

    for found in (store.finished("amber"), folded(loaded_book(store), store, "amber")):
        assert {f"x{n}": [Traits(job=f"j{n}")] for n in range(number)} == {
            name: [piece.traits for piece in one.pieces] for name, one in found.items()
        }
    store.close()


TWO = """
    0   start x accelerator=H100 count=8 region=east job=a tenant=amber
    0   start x accelerator=A100 count=4 region=east tenant=basalt
    20  resize x count=2 job=b tenant=basalt
    30  report east x=4 tenant=amber
    60  report east x=1 tenant=basalt
    70  start pod accelerator=H100 count=1 within=x tenant=amber
    80  stop x tenant=basalt
    90  stop pod tenant=amber
    """


def test_each_partition_has_the_holdings_of_its_tenants(url: str) -> None:
    """Books of several partitions, each with all reports: every tenant has there what one book has of it."""
    lines = events(TWO)
    kept, archive = in_memory(lines)
    store = SqlStore.open(url)
    for number, name in enumerate(["amber", "basalt"]):
        beside = store.beside(number)
        beside.claim()
        book = Book(adopts=lambda tenant, own=name: tenant == own)
        book.elsewhere = {"amber", "basalt"} - {name}
        take(
            book,
            beside,
            [line for line, fact in zip(lines, decode_facts(lines), strict=True) if fact.tenant in ("", name)],
        )
        beside.commit(commit_of(book))

        assert filled(archive.finished(name)) == filled(beside.finished(name))
    assert {"amber", "basalt"} == set(kept.tenants)
    store.close()


# -- what a store must know of what is held ----------------------------------------------------------------------------


class Asked:
    """A store that counts how often it is asked for the facts of allocations."""

    def __init__(self, store: SqlStore) -> None:
        self.times = 0
        self.heads, self.append, self.marked, self.settled = store.heads, store.append, store.marked, store.settled
        self._store = store

    def histories(self, heads: Mapping[Key, int]) -> dict[Key, list[bytes]]:
        """The facts, and once more was asked for them."""
        self.times += len(heads)
        return self._store.histories(heads)


def test_a_fact_with_traits_after_a_restart_needs_no_history(url: str) -> None:
    """What was said of an open allocation comes back with it, so that a fact which says it again just comes next."""
    store = SqlStore.open(url)
    book = Book()
    said = {"job": "a", "zone": "z", "nodes": ["n2", "n1"]}
    take(book, store, [started("x", **said), started("y")])
    store.commit(commit_of(book))

    again, asked = loaded_book(store), Asked(store)
    take(again, asked, [started("x", 60, id="again", **said), stopped("x", 90), stopped("y", 90)])
    store.commit(commit_of(again))

    assert 0 == asked.times
    pieces = {key: [piece.traits for piece in one.pieces] for key, one in store.finished("amber").items()}
    assert {"x": [Traits("z", "a", nodes=("n1", "n2"))], "y": [Traits()]} == pieces
    store.close()


def test_what_is_read_meanwhile_stays_as_it_is(url: str) -> None:
    """Books and pieces that are read one after the other are of one state, whatever is committed between."""
    store, reader = SqlStore.open(url), SqlStore.open(url)
    book = Book()
    take(book, store, [started("x")])
    store.commit(commit_of(book))

    with reader.still():
        held = loaded_book(reader)
        take(book, store, [stopped("x", 60)])
        store.commit(commit_of(book))
        assert (1, {}) == (held.tenants["amber"].open_allocations, reader.finished("amber"))
    assert ["x"] == list(reader.finished("amber"))
    for one in (store, reader):
        one.close()


# -- stores whose facts came before there were pieces ------------------------------------------------------------------

WITHOUT_PIECES = (
    "delete from pieces",
    "delete from measurements",
    "delete from traits",
    "update allocations set traits_id = null",
    "update progress set pieces_sequence = -1",
)


def behind(url: str, *statements: str) -> None:
    """Do something to a database behind the program's back."""
    database = connect(url, create=False)
    with database.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    database.engine.dispose()


def an_older_store(url: str, lines: list[bytes]) -> SqlStore:
    """A store of before there were pieces."""
    store, book = SqlStore.open(url), Book()
    take(book, store, lines)
    store.commit(commit_of(book))
    store.close()
    behind(url, *WITHOUT_PIECES)
    return SqlStore.open(url)


@pytest.mark.parametrize("case", ["pieces and measurements", "an inner layer", "a tenant that holds all still"])
def test_an_older_store_gets_its_pieces_from_its_facts(url: str, case: str) -> None:
    """Who reads it has them from the facts; who owns the books writes them once, with the traits of what is held."""
    lines = events(TABLES[case])
    kept, archive = in_memory(lines)
    store = an_older_store(url, lines)
    read = loaded_book(store)
    for name in kept.tenants:
        assert filled(archive.finished(name)) == filled(past_of(read, store).finished(name))
        assert traits_of(kept, name) == traits_of(read, name)
    assert not store.has_pieces()

    owned = loaded_book(store)
    make_pieces(owned, store, AT)

    assert store.has_pieces()
    assert known_of(kept) == known_of(owned)
    same_as_memory(store, lines)
    store.close()


def test_what_comes_after_pieces_were_made_adds_to_them(url: str) -> None:
    """A store that got its pieces goes on as if it had always had them, whoever opens it."""
    before = [started("x", job="a"), started("y", job="b"), stopped("y", 30), seen("x", 40)]
    after = [stopped("x", 60), seen("y", 20), started("z", 61, job="a"), stopped("z", 70)]
    store = an_older_store(url, before)
    book = loaded_book(store)
    make_pieces(book, store, AT)
    take(book, store, after)
    store.commit(commit_of(book))

    same_as_memory(store, before + after)
    store.close()


def by_an_older_program(store: SqlStore, url: str) -> None:
    """A commit of a program that knows nothing of pieces, with what the last one should have written."""
    behind(url, "delete from pieces", "update progress set sequence = sequence + 1")


def by_a_claim(store: SqlStore, url: str) -> None:
    """Another process of this program takes the books over."""
    store.beside(0).claim()


@pytest.mark.parametrize(("meanwhile", "complete"), [(by_an_older_program, False), (by_a_claim, True)])
def test_pieces_that_another_program_left_out_are_noticed(
    url: str, meanwhile: Callable[[SqlStore, str], None], complete: bool
) -> None:
    """While an upgrade goes on an older worker may commit once more: its books are made again, and no others."""
    lines = events(TABLES["pieces and measurements"])
    store, book = SqlStore.open(url), Book()
    take(book, store, lines)
    store.commit(commit_of(book))

    meanwhile(store, url)

    assert complete == store.has_pieces()
    make_pieces(loaded_book(store), store, AT)
    assert store.has_pieces()
    same_as_memory(store, lines)
    store.close()


def test_making_pieces_is_all_or_nothing(url: str) -> None:
    """Who was overtaken while making them has changed nothing, and the next owner makes them."""
    lines = events(TABLES["a tenant that holds all still"] + "\n 50 stop x tenant=amber")
    an_older_store(url, lines).close()
    store = SqlStore.open(url)
    store.claim()
    late = loaded_book(store)
    next_owner = store.beside(0)
    next_owner.claim()

    with pytest.raises(Overtaken):
        make_pieces(late, store, AT)

    assert not next_owner.has_pieces()
    assert {} == next_owner.finished("amber")
    make_pieces(loaded_book(next_owner), next_owner, AT)
    assert ["x"] == list(next_owner.finished("amber"))
    store.close()


def test_pieces_of_one_partition_are_made_without_the_others(url: str) -> None:
    """Each owner makes those of its own books, and takes none away from another's."""
    store = SqlStore.open(url)
    for number, name in enumerate(["amber", "basalt"]):
        beside, book = store.beside(number), Book()
        beside.claim()
        take(book, beside, [started("x", tenant=name), stopped("x", 60, tenant=name)])
        beside.commit(commit_of(book))
    behind(url, "update progress set pieces_sequence = -1")
    first, second = store.beside(0), store.beside(1)

    make_pieces(loaded_book(first), first, AT)

    assert (True, False) == (first.has_pieces(), second.has_pieces())
    assert ["x"] == list(first.finished("amber")) == list(second.finished("basalt"))
    store.close()
