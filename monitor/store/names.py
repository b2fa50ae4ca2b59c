"""Small numbers for what many rows repeat: tenants, sources, shapes, and the rows of allocations."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from hashlib import blake2b
from itertools import islice
from typing import Generic, TypeVar

from monitor.core.model import Key, Traits

TRAITS_KNOWN_MAX = 65_536

Value = TypeVar("Value", bound=Hashable)


class Numbering(Generic[Value]):
    """Numbers after `base` for values, in the order in which they appear.

    A number stays given when the commit that would have written it fails; the next one writes it.
    """

    __slots__ = ("_base", "_numbers", "unwritten")

    def __init__(self, stored: Iterable[tuple[int, Value]], base: int = 0) -> None:
        self._base = base
        self._numbers = {value: number for number, value in stored}
        self.unwritten: list[tuple[int, Value]] = []

    def number(self, value: Value) -> int:
        """The number of a value, a new one if it has none."""
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = self._base + len(self._numbers) + 1
            self.unwritten.append((number, value))
        return number

    def known(self, value: Value) -> int | None:
        """The number of a value, if it has one."""
        return self._numbers.get(value)

    def values(self) -> dict[int, Value]:
        """The values by their numbers."""
        return {number: value for value, number in self._numbers.items()}


class TraitsNumbering:
    """Numbers for traits, which are as many as jobs: the oldest are forgotten, and get a new number if they return."""

    __slots__ = ("_next", "_numbers", "unwritten")

    def __init__(self, next_number: int) -> None:
        self._next = next_number
        self._numbers: dict[Traits, int] = {}
        self.unwritten: list[tuple[int, Traits]] = []

    def number(self, traits: Traits) -> int:
        """The number of some traits, a new one if none is known."""
        number = self._numbers.get(traits)
        if number is None:
            number, self._next = self._next, self._next + 1
            self.unwritten.append((number, traits))
            self.keep(traits, number)
        return number

    def keep(self, traits: Traits, number: int) -> None:
        """Some traits have this number."""
        if len(self._numbers) >= TRAITS_KNOWN_MAX:
            # Half of them at once: taking the first of a dictionary again and again walks over all that were taken.
            for oldest in list(islice(self._numbers, TRAITS_KNOWN_MAX // 2)):
                del self._numbers[oldest]
        self._numbers[traits] = number


class AllocationRows:
    """Which row belongs to which allocation: known of open ones for good, of others until the next commit."""

    __slots__ = ("_found", "_next", "_open")

    def __init__(self, next_row: int) -> None:
        self._next = next_row
        # By tenant, so that an entry shares its key with the book and costs less than a pair would.
        self._open: dict[str, dict[str, int]] = {}
        self._found: dict[Key, int] = {}  # looked up since the last commit; 0: has no row

    def of(self, key: Key) -> int | None:
        """The row of an allocation, 0 if it has none, None if that must be looked up."""
        rows = self._open.get(key[0])
        row = None if rows is None else rows.get(key[1])
        return self._found.get(key) if row is None else row

    def found(self, key: Key, row: int) -> None:
        """The database knows an allocation, or with row 0 does not."""
        self._found[key] = row

    def keep(self, key: Key, row: int) -> None:
        """An allocation is open, in this row."""
        self._open.setdefault(key[0], {})[key[1]] = row

    def new_rows(self) -> NewRows:
        """Rows for a commit to give out; they count once `committed` is told."""
        return NewRows(self._next)

    def committed(self, new: NewRows, opened: Iterable[tuple[Key, int]], closed: Iterable[Key]) -> None:
        """A commit has succeeded."""
        self._next = new.next
        self._found.clear()
        for key in closed:
            rows = self._open.get(key[0])
            if rows is not None and rows.pop(key[1], None) is not None and not rows:
                del self._open[key[0]]
        for key, row in opened:
            self.keep(key, row)


class NewRows:
    """Rows that one commit gives out."""

    __slots__ = ("next",)

    def __init__(self, next_row: int) -> None:
        self.next = next_row

    def take(self) -> int:
        """The next free row."""
        row = self.next
        self.next += 1
        return row


def key64(key: Key) -> int:
    """A hash of tenant and allocation that fits a signed integer of 64 bits."""
    text = f"{key[0]}\0{key[1]}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big", signed=True)
