"""Personal values of facts, which the table `personal` has in the place of the facts: see `monitor.core.personal`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain

import zstandard
from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from monitor.core.book import NewFact
from monitor.core.facts import kept_apart
from monitor.core.personal import conceal, may_be_profile, reveal, tokens
from monitor.store.auditing import salt_of
from monitor.store.database import Database
from monitor.store.pages import COMPRESSION_LEVEL, pack, unpack
from monitor.store.schema import FACT_PAGES, PERSONAL
from monitor.store.texts import original, storable

HASHES_AT_ONCE = 500


class Personal:
    """The personal values of the facts that one process keeps; those of no commit yet are in memory."""

    __slots__ = ("_database", "_salt", "_unwritten")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._salt = ""  # not read yet
        self._unwritten: dict[str, tuple[str, str]] = {}  # by token: whom it is of, and the value

    def concealed(self, facts: Sequence[NewFact]) -> Sequence[NewFact]:
        """Facts as they are kept; the next commit writes their values."""
        if not any(fact.profile for fact in facts):
            return facts
        if not self._salt:
            with self._database.reading() as connection:
                self._salt = salt_of(connection)
        return [self._concealed(fact) if fact.profile else fact for fact in facts]

    def _concealed(self, fact: NewFact) -> NewFact:
        raw, whom, values = conceal(fact.raw, self._salt)
        self._unwritten |= {token: (whom, value) for token, value in values.items()}
        return fact._replace(raw=raw)

    def write(self, connection: Connection) -> None:
        """Write what no commit has written; a value that was erased and came again is known again."""
        add(connection, self._unwritten)

    def written(self) -> None:
        """A commit has succeeded."""
        self._unwritten.clear()

    def revealed(self, lines: Sequence[bytes]) -> Sequence[bytes]:
        """Facts as they are read, but for what was erased."""
        if not any(map(kept_apart, lines)):
            return lines
        wanted = set(chain.from_iterable(map(tokens, lines)))
        known = {token: self._unwritten[token][1] for token in wanted & self._unwritten.keys()}
        with self._database.reading() as connection:
            known |= values_of(connection, wanted - known.keys())
        return [reveal(line, known) for line in lines]


def add(connection: Connection, values: Mapping[str, tuple[str, str]]) -> None:
    """Keep personal values, by token: whom each is of, and the value. In the order of the tokens, so that two who write
    the same ones wait for each other, and not in a circle.
    """
    if not values:
        return
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(PERSONAL)
    again = {"value": insert.excluded.value, "erased_at": None}
    statement = insert.on_conflict_do_update(
        index_elements=[PERSONAL.c.hash], set_=again, where=PERSONAL.c.value.is_(None)
    )
    rows = [
        {"hash": token, "kind": storable(whom), "value": storable(value)}
        for token, (whom, value) in sorted(values.items())
    ]
    connection.execute(statement, rows)


def values_of(connection: Connection, wanted: Collection[str]) -> dict[str, str]:
    """The values of these tokens, as far as they are known and not erased."""
    ordered, found = sorted(wanted), dict[str, str]()
    query = select(PERSONAL.c.hash, PERSONAL.c.value).where(PERSONAL.c.value.is_not(None))
    for start in range(0, len(ordered), HASHES_AT_ONCE):
        part = query.where(PERSONAL.c.hash.in_(ordered[start : start + HASHES_AT_ONCE]))
        found.update((token, original(value)) for token, value in connection.execute(part))
    return found


def conceal_pages(connection: Connection) -> None:
    """Take the personal values out of the facts of a store of before; pages without profiles stay as they are."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")  # else what was there stays in free pages
    salt, table = salt_of(connection), FACT_PAGES.c
    packing, unpacking = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL), zstandard.ZstdDecompressor()
    for number in connection.execute(select(table.page).order_by(table.page)).scalars().all():
        count, body = connection.execute(select(table.facts, table.body).where(table.page == number)).one()
        page = unpack(unpacking.decompress(body), count)
        concealed = [conceal(raw, salt) if may_be_profile(raw) else None for raw in map(page.raw, range(count))]
        if any(one is not None and one.values for one in concealed):
            for one in filter(None, concealed):
                add(connection, {token: (one.whom, value) for token, value in one.values.items()})
            facts = [
                NewFact(0, page.previous[place], page.received[place], page.raw(place) if one is None else one.raw)
                for place, one in enumerate(concealed)
            ]
            changed = update(FACT_PAGES).where(table.page == number)
            connection.execute(changed.values(body=packing.compress(pack(facts))))
