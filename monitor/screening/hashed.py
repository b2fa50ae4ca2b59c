"""Numbers by key, some forty bytes a key: a dictionary of lists would take four times that."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from zlib import crc32

NONE = array("I")
COUNT_BITS = 24  # of a place in the array, for how many numbers lie there


class Hashed:
    """Numbers below 2^32 by the checksum of a key. Keys may share one: who asks looks again at what comes."""

    def __init__(self, pairs: Iterable[tuple[str, int]]) -> None:
        held = sorted({crc32(key.encode()) << 32 | number for key, number in pairs})
        self._numbers = array("I", (both & 0xFFFFFFFF for both in held))
        self._places: dict[int, int] = {}
        for at, both in enumerate(held):
            self._places[both >> 32] = self._places.get(both >> 32, at << COUNT_BITS) + 1

    def at(self, key: str) -> array[int]:
        """The numbers of a key, and of those that share its checksum, in order."""
        place = self._places.get(crc32(key.encode()))
        if place is None:
            return NONE
        start = place >> COUNT_BITS
        return self._numbers[start : start + (place & (1 << COUNT_BITS) - 1)]
