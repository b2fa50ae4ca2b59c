"""An index of names by their words: what each word weighs, which names share a rare one, and how much two names share.

A word weighs by how many owners of names have one with it, in powers of two, so that a change of a list moves
weights seldom. Everyday words weigh little however rare they are here. Names are found by their rare words, or words
near those; names of common words only, by two of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

from monitor.screening.hashed import Hashed
from monitor.screening.names import EVERYDAY_WORDS, ONE_SPELLING, PLACES, Form
from monitor.screening.similarity import ALIKE_LENGTH_MIN, keys, similarity, skeleton

OWNERS_LEAST = 10_000  # a list that is shorter says no more of how rare a word is
EVERYDAY_WEIGHT = 0.2
PLACE_WEIGHT = 0.4  # a branch, or where somebody sits
COMMON = 500  # names that a word may be in and still be what a name is found by
SHORT_WEIGHTS = (0.0, 0.3, 0.5, 0.8, 0.9)  # of words of so many letters, as a share
PAIR_WEIGHT = 0.8  # of two letters of a script without spaces: neighbouring pairs overlap
REMEMBERED = 100_000  # words whose near ones are kept at hand
CANDIDATES_MAX = 50  # names compared for one form of a name, those that share most
FRAGMENT_MIN = 3  # letters of either half of a word that is cut
NEAR_WEIGHT_MIN = 0.7  # similarity from which an unknown word weighs as the one it is near


class Shared(NamedTuple):
    """What two names share: shares of the weight of each, and the sum of squares of what those words weigh in the list.

    Squares, since many common words do not make a rare one.
    """

    asked: float
    listed: float
    substance: float


class Candidate(NamedTuple):
    """A form of a name in the index, and what it shares with the one asked for."""

    owner: int
    name: int
    script: str
    written: bool
    shared: Shared


class Asked(NamedTuple):
    """A form that is looked for: its words, what they weigh, and which words of the index each may stand for."""

    tokens: tuple[str, ...]
    weights: tuple[float, ...]
    mass: float
    matches: dict[int, list[tuple[float, int]]]  # similarity and the words asked for, as bits
    splits: list[tuple[int, int, int]]  # a word asked for, as a bit, that is two words of the index


class Index:
    """Names of numbered owners. Built once, then only asked; the order of what is added does not matter."""

    def __init__(self, owners: Sequence[Iterable[tuple[int, Form]]], common: int | None = COMMON) -> None:
        held = [list(owner) for owner in owners]
        counts: dict[str, int] = {}
        for owner in held:
            for token in {token for _, form in owner for token in form.tokens}:
                counts[token] = counts.get(token, 0) + 1
        self.words = sorted(counts)
        self.number = {word: number for number, word in enumerate(self.words)}
        self._scale = max(len(held), OWNERS_LEAST).bit_length() + 1
        self.weights = array("d", (self._weight(word, counts[word]) for word in self.words))
        self._bones = [skeleton(word) for word in self.words]
        self._keys = Hashed(
            (key, number) for number, word in enumerate(self.words) for key in keys(word, self._bones[number])
        )
        self._near: dict[str, tuple[tuple[int, float], ...]] = {}
        self._add(held, common)

    def _add(self, held: list[list[tuple[int, Form]]], common: int | None) -> None:
        self.forms: list[tuple[int, ...]] = []
        self.masses = array("d")
        self.origins: list[tuple[int, int, str, bool]] = []
        found: list[array[int]] = [array("I") for _ in self.words]
        for owner, names in enumerate(held):
            for name, form in names:
                numbers = tuple(self.number[token] for token in form.tokens)
                for number in set(numbers):
                    found[number].append(len(self.forms))
                self.forms.append(numbers)
                self.masses.append(sum(self.weights[number] for number in numbers))
                self.origins.append((owner, name, form.script, form.written))
        self._postings = [posting if common is None or len(posting) <= common else None for posting in found]
        self._pairs: dict[int, list[int]] = {}
        self._common_masses = array("d")
        for at, numbers in enumerate(self.forms):
            self._common_masses.append(sum(self.weights[n] for n in numbers if self._postings[n] is None))
            if all(self._postings[number] is None for number in numbers):
                for pair in _pairs_of(sorted(set(numbers))):
                    self._pairs.setdefault(pair, []).append(at)

    def _weight(self, word: str, owners: int) -> float:
        weight = 1 - owners.bit_length() / self._scale
        if word in EVERYDAY_WORDS:
            return min(weight, EVERYDAY_WEIGHT)
        if word in PLACES:
            return min(weight, PLACE_WEIGHT)
        if not word.isascii():
            return weight * PAIR_WEIGHT if len(word) <= 2 else weight
        return weight * SHORT_WEIGHTS[len(word)] if len(word) < len(SHORT_WEIGHTS) and word.isalpha() else weight

    def near(self, word: str) -> tuple[tuple[int, float], ...]:
        """Words of the index that this one may be, the nearest first, with their similarity."""
        known = self._near.get(word)
        if known is None:
            if len(self._near) >= REMEMBERED:
                self._near.clear()
            known = self._near[word] = self._look_for(word)
        return known

    def _look_for(self, word: str) -> tuple[tuple[int, float], ...]:
        own = self.number.get(word)
        if own is not None and word in EVERYDAY_WORDS:
            return ((own, 1.0),)
        found = {} if own is None else {own: 1.0}
        bones = skeleton(word)
        numbers: set[int] = set()
        for key in keys(word, bones):
            numbers.update(self._keys.at(key))
        for number in numbers - found.keys():
            alike = len(bones) >= ALIKE_LENGTH_MIN and bones == self._bones[number]
            found[number] = similarity(word, self.words[number], alike)
        return tuple(sorted(((n, s) for n, s in found.items() if s), key=lambda pair: (-pair[1], pair[0])))

    def asked(self, form: Form) -> Asked:
        """Look up the words of a form, those that are one when put together, and those that are two when cut."""
        matches: dict[int, list[tuple[float, int]]] = {}
        weights, splits = [], []
        for at, token in enumerate(form.tokens):
            near = self.near(token)
            own = self.number.get(token)
            if own is None and near and near[0][1] >= NEAR_WEIGHT_MIN:
                own = near[0][0]
            weights.append(self._weight(token, 0) if own is None else self.weights[own])
            for number, alike in near:
                matches.setdefault(number, []).append((alike, 1 << at))
            if token not in self.number:
                splits += [(1 << at, one, other) for one, other in self._cut(token)]
        for one, other in combinations(range(len(form.tokens)), 2):
            for joined in (form.tokens[one] + form.tokens[other], form.tokens[other] + form.tokens[one]):
                joined = ONE_SPELLING.get(joined, joined)
                if joined in self.number:
                    matches.setdefault(self.number[joined], []).append((1.0, 1 << one | 1 << other))
        return Asked(form.tokens, tuple(weights), sum(weights), matches, splits)

    def _cut(self, token: str) -> Iterable[tuple[int, int]]:
        for at in range(FRAGMENT_MIN, len(token) - FRAGMENT_MIN + 1):
            start, end = token[:at], token[at:]
            one = self.number.get(ONE_SPELLING.get(start, start))
            if one is not None and (other := self.number.get(ONE_SPELLING.get(end, end))) is not None:
                yield one, other

    def candidates(self, form: Form, together_min: float) -> list[Candidate]:
        """Names of which, and of the form, at least so much is shared: two shares put together, so at most 2."""
        asked = self.asked(form)
        found = self._promising(asked, together_min)[:CANDIDATES_MAX]
        return [Candidate(*self.origins[at], self.shared(asked, at)) for _, at in found]

    def owners(self, form: Form, together_min: float) -> set[int]:
        """All owners of such names, however many; as far as the words of each alone tell."""
        return {self.origins[at][0] for _, at in self._promising(self.asked(form), together_min)}

    def _promising(self, asked: Asked, together_min: float) -> list[tuple[float, int]]:
        parts = [(number, ways[0][0] * self.weights[number]) for number, ways in asked.matches.items()]
        parts += [(part, self.weights[part]) for _, *halves in asked.splits for part in halves]
        # Whatever is listed, no more can be shared than the words asked for may stand for at best.
        best: dict[int, float] = {}
        for number, ways in asked.matches.items():
            weight = self.weights[number]
            for alike, bits in ways:
                if alike * weight > best.get(bits, 0.0):
                    best[bits] = alike * weight
        if sum(best.values()) + sum(map(self._split_weight, asked.splits)) < (together_min - 1) * asked.mass:
            return []
        masses, common = self._gathered(parts)
        # To reach the least, a name must share at least that less 1 of either side: most are left behind here.
        mass_min = (together_min - 1) * asked.mass - common
        found = []
        for at, mass in masses.items():
            if mass < mass_min:
                continue
            held = self._common_masses[at]
            mass += common if common < held else held
            of_asked, of_listed = mass / asked.mass, mass / self.masses[at]
            together = (of_asked if of_asked < 1 else 1) + (of_listed if of_listed < 1 else 1)
            if together >= together_min:
                found.append((-together, at))
        return sorted(found)

    def _split_weight(self, split: tuple[int, int, int]) -> float:
        return self.weights[split[1]] + self.weights[split[2]]

    def _gathered(self, parts: list[tuple[int, float]]) -> tuple[dict[int, float], float]:
        """Forms with a rare word that is asked for and the weight of such words; the weight of the common ones."""
        masses: dict[int, float] = {}
        common, numbers = 0.0, []
        for number, weight in parts:
            posting = self._postings[number]
            if posting is None:
                common += weight
                numbers.append(number)
            else:
                for at in posting:
                    masses[at] = masses.get(at, 0.0) + weight
        numbers = sorted(set(numbers))
        for pair in [*_pairs_of(numbers), *(_pair(number, number) for number in numbers)]:
            for at in self._pairs.get(pair, ()):
                masses[at] = 0.0
        return masses, common

    def shared(self, asked: Asked, at: int) -> Shared:
        """Pair the words of two names, the most alike first, each once."""
        numbers, free = self.forms[at], (1 << len(asked.tokens)) - 1
        ways = sorted(
            (-alike, -self.weights[number], bits, place)
            for place, number in enumerate(numbers)
            for alike, bits in asked.matches.get(number, ())
        )
        left = dict(enumerate(numbers))
        pairs: list[tuple[float, int, int]] = []  # how alike, the words asked for as bits, the word of the index
        for alike, _, bits, place in ways:
            if place in left and bits & free == bits:
                free &= ~bits
                pairs.append((-alike, bits, left.pop(place)))
        for bits, *halves in asked.splits:
            places = [next((place for place, number in left.items() if number == half), -1) for half in halves]
            if bits & free and -1 not in places and places[0] != places[1]:
                free &= ~bits
                pairs += [(1.0, bits, left.pop(places[0])), (1.0, 0, left.pop(places[1]))]
        of_asked = sum(alike * _weight_of(asked, bits) for alike, bits, _ in pairs)
        of_listed = sum(alike * self.weights[number] for alike, _, number in pairs)
        substance = sum(alike * self.weights[number] ** 2 for alike, _, number in pairs)
        return Shared(min(1.0, of_asked / asked.mass), min(1.0, of_listed / self.masses[at]), substance)


def _weight_of(asked: Asked, bits: int) -> float:
    if not bits & (bits - 1):
        return asked.weights[bits.bit_length() - 1] if bits else 0.0
    return sum(weight for at, weight in enumerate(asked.weights) if bits >> at & 1)


def _pairs_of(numbers: list[int]) -> list[int]:
    """Each two of these words, as one number; of one word alone, that of the word with itself."""
    return [_pair(one, other) for one, other in combinations(numbers, 2)] or [
        _pair(number, number) for number in numbers
    ]


def _pair(one: int, other: int) -> int:
    return one << 32 | other
