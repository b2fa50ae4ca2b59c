"""Statements over many rows at once, as text for the driver: SQLAlchemy's handling of each row costs more than the
database's.

SQLite's driver runs a prepared statement for each row in about a microsecond. PostgreSQL gets the rows as one array a
column, `insert … select … from unnest(…)`: one statement, whatever their number, and one literal a column that is
joined rather than built cell by cell. A statement a row in pipeline mode and COPY into a temporary table took more of
both sides' time at the sizes of our commits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Engine, Table

from monitor.store.rows import Row

ArrayOf = Callable[[Sequence[Any]], object]

BYTES = "BYTEA"
KEYS_AT_ONCE = 200  # that SQLite looks up in one query
_QUOTED = re.compile(r'(["\\])')


class ManyRows:
    """One statement to be run over rows."""

    __slots__ = ("_arrays", "text")

    def __init__(self, text: str, arrays: Sequence[ArrayOf] | None) -> None:
        self.text = text
        self._arrays = arrays  # how each column becomes an array; None: the driver takes rows

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Run it, if there are rows."""
        if not rows:
            return
        if self._arrays is None:
            connection.exec_driver_sql(self.text, list(rows))
        else:
            columns = zip(*rows, strict=True)
            parameters = tuple(array(column) for array, column in zip(self._arrays, columns, strict=True))
            connection.exec_driver_sql(self.text, parameters)


class LookUp:
    """One query for the rows that have some primary keys."""

    __slots__ = ("_arrays", "_text", "_width")

    def __init__(self, text: str, width: int, arrays: Sequence[ArrayOf] | None) -> None:
        """`text` has a place `{wanted}` for the keys, of so many columns, unless the driver takes arrays."""
        self._text = text
        self._width = width
        self._arrays = arrays

    def run(self, connection: Connection, keys: Sequence[Row]) -> Iterator[Row]:
        """The rows, each with its key first, in no order."""
        if self._arrays is not None:
            if keys:
                columns = zip(*keys, strict=True)
                parameters = tuple(array(column) for array, column in zip(self._arrays, columns, strict=True))
                yield from map(tuple, connection.exec_driver_sql(self._text, parameters))
            return
        for start in range(0, len(keys), KEYS_AT_ONCE):
            part = keys[start : start + KEYS_AT_ONCE]
            places = f"({', '.join('?' * self._width)})"
            text = self._text.format(wanted=", ".join([places] * len(part)))
            values = tuple(value for key in part for value in key)
            yield from map(tuple, connection.exec_driver_sql(text, values))


class Statements:
    """Makes statements for one kind of database; the values of a row stand in the order of the columns named."""

    __slots__ = ("_arrays", "_dialect")

    def __init__(self, engine: Engine) -> None:
        self._dialect = engine.dialect
        self._arrays = engine.dialect.name == "postgresql"

    def insert(self, table: Table, columns: Sequence[Column[Any]]) -> ManyRows:
        """Insert rows."""
        return self._over(columns, f"insert into {self._name(table)} ({self._names(columns)}) {self._values(columns)}")

    def upsert(self, table: Table, columns: Sequence[Column[Any]]) -> ManyRows:
        """Insert rows, or replace those that have their primary keys; no key may be twice among the rows."""
        keys = list(table.primary_key)
        rest = [self._name(column) for column in columns if column not in keys]
        changes = ", ".join(f"{name} = excluded.{name}" for name in rest)
        into = f"insert into {self._name(table)} ({self._names(columns)}) {self._values(columns)}"
        return self._over(columns, f"{into} on conflict ({self._names(keys)}) do update set {changes}")

    def update(self, table: Table, columns: Sequence[Column[Any]], key: Column[Any]) -> ManyRows:
        """Change the rows that have this key, which comes after the columns."""
        name = self._name(table)
        if not self._arrays:
            changes = ", ".join(f"{self._name(column)} = ?" for column in columns)
            return ManyRows(f"update {name} set {changes} where {self._name(key)} = ?", None)
        changes = ", ".join(f"{self._name(column)} = fresh.{self._name(column)}" for column in columns)
        fresh = f"{self._unnested([*columns, key])} as fresh({self._names([*columns, key])})"
        same = f"{name}.{self._name(key)} = fresh.{self._name(key)}"
        return self._over([*columns, key], f"update {name} set {changes} from {fresh} where {same}")

    def look_up(self, table: Table) -> LookUp:
        """The rows that have these primary keys, which come first."""
        keys, name = list(table.primary_key), self._name(table)
        rest = [column for column in table.columns if column not in keys]
        columns = ", ".join(f"{name}.{self._name(column)}" for column in [*keys, *rest])
        same = " and ".join(f"{name}.{self._name(key)} = wanted.{self._name(key)}" for key in keys)
        if self._arrays:
            wanted = f"{self._unnested(keys)} as wanted({self._names(keys)})"
            text = f"select {columns} from {wanted} join {name} on {same}"
            return LookUp(text, len(keys), [_array_of(self._type(key)) for key in keys])
        # A join, since SQLite would read the whole table for `(a, b) in (values …)`.
        wanted = f"with wanted({self._names(keys)}) as (values {{wanted}})"
        return LookUp(f"{wanted} select {columns} from wanted cross join {name} on {same}", len(keys), None)

    def delete(self, table: Table, keys: Sequence[Column[Any]]) -> ManyRows:
        """Delete the rows that have these values in these columns."""
        name = self._name(table)
        if not self._arrays:
            return ManyRows(f"delete from {name} where {' and '.join(f'{self._name(key)} = ?' for key in keys)}", None)
        same = " and ".join(f"{name}.{self._name(key)} = gone.{self._name(key)}" for key in keys)
        gone = f"{self._unnested(keys)} as gone({self._names(keys)})"
        return self._over(keys, f"delete from {name} using {gone} where {same}")

    def _over(self, columns: Sequence[Column[Any]], text: str) -> ManyRows:
        return ManyRows(text, [_array_of(self._type(column)) for column in columns] if self._arrays else None)

    def _values(self, columns: Sequence[Column[Any]]) -> str:
        if self._arrays:
            return f"select * from {self._unnested(columns)}"
        return f"values ({', '.join('?' * len(columns))})"

    def _unnested(self, columns: Sequence[Column[Any]]) -> str:
        kinds = [self._type(column) for column in columns]
        arrays = [f"{'%b' if kind == BYTES else '%s'}::{kind}[]" for kind in kinds]
        return f"unnest({', '.join(arrays)})"

    def _type(self, column: Column[Any]) -> str:
        return str(column.type.compile(self._dialect))

    def _names(self, columns: Sequence[Column[Any]]) -> str:
        return ", ".join(self._name(column) for column in columns)

    def _name(self, thing: Table | Column[Any]) -> str:
        return self._dialect.identifier_preparer.quote(thing.name)


def _array_of(type_name: str) -> ArrayOf:
    makers: dict[str, ArrayOf] = {"TEXT": texts, BYTES: binaries}
    return makers.get(type_name, plain)


def plain(values: Sequence[object]) -> str:
    """Numbers and truth values as an array of PostgreSQL."""
    if None in values:
        return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"
    return "{" + ",".join(map(str, values)) + "}"


def binaries(values: Sequence[bytes | None]) -> list[bytes | None]:
    """Bytes as a list, which the driver sends as they are: a literal would be twice as long."""
    return list(values)


def texts(values: Sequence[str | None]) -> str:
    """Texts as an array of PostgreSQL; what it refuses altogether, `monitor.store.postgres` takes care of."""
    present = [value for value in values if value is not None]
    if len(present) == len(values) and not _QUOTED.search("".join(present)):
        return '{"' + '","'.join(present) + '"}'
    return "{" + ",".join("NULL" if value is None else f'"{_escaped(value)}"' for value in values) + "}"


def _escaped(text: str) -> str:
    return _QUOTED.sub(r"\\\1", text)
