"""An index of addresses: which are the same place.

Two addresses are near one another when they share a number that may be that of a house, and at least two words that
are no mere kinds of place (a street and a place, say). How near is the share of their weight, rare words weighing
more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from monitor.screening.exact import PLACE_KINDS, address_words, numbered
from monitor.screening.hashed import Hashed
from monitor.screening.index import OWNERS_LEAST

HOUSE_NUMBER_LENGTH_MAX = 4  # longer ones are postal codes, which a quarter shares
WORDS_SHARED_MIN = 2
SHARE_MIN = 0.5
ADDRESSES_MAX = 64  # of one query that are looked at


class Nearby(NamedTuple):
    """Two addresses that are near one another."""

    owner: int
    asked: str
    matched: str
    share: float


class Places:
    """Addresses of numbered owners."""

    def __init__(self, owners: Sequence[Iterable[str]]) -> None:
        self._held: list[tuple[int, str, frozenset[str]]] = []
        for owner, addresses in enumerate(owners):
            for text in sorted(set(addresses)):
                if words := address_words(text):
                    self._held.append((owner, text, words))
        self._counts = Counter(word for *_, words in self._held for word in words)
        self._keys = Hashed((key, at) for at, (*_, words) in enumerate(self._held) for key in _keys(words))
        self._scale = max(len(self._held), OWNERS_LEAST).bit_length() + 1

    def near(self, addresses: Iterable[str]) -> list[Nearby]:
        """The nearest address of each owner that has one near to any of these."""
        best: dict[int, Nearby] = {}
        for asked in sorted(set(addresses))[:ADDRESSES_MAX]:
            words = address_words(asked)
            for at in self._candidates(words):
                owner, matched, held = self._held[at]
                share = self._share(words, held)
                if share >= SHARE_MIN and (owner not in best or share > best[owner].share):
                    best[owner] = Nearby(owner, asked, matched, share)
        return [best[owner] for owner in sorted(best)]

    def _candidates(self, words: frozenset[str]) -> list[int]:
        """Addresses that share a house number and enough words with it."""
        found = Counter(at for key in _keys(words) for at in self._keys.at(key))
        return sorted(at for at, keys in found.items() if keys >= WORDS_SHARED_MIN)

    def _share(self, one: frozenset[str], other: frozenset[str]) -> float:
        shared = one & other
        if sum(map(_tells, shared)) < WORDS_SHARED_MIN or not any(map(_house_number, shared)):
            return 0.0
        return 2 * self._mass(shared) / (self._mass(one) + self._mass(other))

    def _mass(self, words: frozenset[str]) -> float:
        return sum(1 - self._counts[word].bit_length() / self._scale for word in sorted(words))


def _keys(words: frozenset[str]) -> list[str]:
    return [f"{house} {word}" for house in filter(_house_number, words) for word in filter(_tells, words)]


def _house_number(word: str) -> bool:
    return len(word) <= HOUSE_NUMBER_LENGTH_MAX and numbered(word)


def _tells(word: str) -> bool:
    return word not in PLACE_KINDS and not numbered(word)
