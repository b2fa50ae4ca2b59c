"""Numbers by key, in 8 bytes each: what a dictionary of a million keys would hold in a hundred megabytes."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from zlib import crc32

NUMBER = 0xFFFFFFFF


class Hashed:
    """Numbers below 2^32 by the checksum of a key. Keys may share one: who asks looks again at what comes."""

    def __init__(self, pairs: Iterable[tuple[str, int]]) -> None:
        self._held = array("Q", sorted({crc32(key.encode()) << 32 | number for key, number in pairs}))

    def at(self, key: str) -> list[int]:
        """The numbers of a key, and of those that share its checksum, in order."""
        held, low = self._held, crc32(key.encode()) << 32
        at, high = bisect_left(held, low), low | NUMBER
        end = at
        while end < len(held) and held[end] <= high:
            end += 1
        return [number & NUMBER for number in held[at:end]]
