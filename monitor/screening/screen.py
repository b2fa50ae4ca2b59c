"""Lists that can be asked who somebody may be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from monitor.core.lists import Band, Hit, ListedParty, ListVersion, NameKind, Query
from monitor.screening.exact import NATIONAL, identifiers
from monitor.screening.index import Candidate, Index, Shared
from monitor.screening.names import Form, forms
from monitor.screening.places import Places
from monitor.screening.score import (
    IDENTIFIER_SCORES,
    THRESHOLD,
    UNLIKELY_MIN,
    Writing,
    agreement,
    band,
    name_score,
    name_share,
    order,
    script_share,
    together_min,
)

ORGANISATIONS = frozenset({"entity", "unknown"})
NAMES_MAX = 64  # of one party that are looked at


class Entry(NamedTuple):
    """A listed party and the digest of the list that it was read from."""

    party: ListedParty
    version: str


class Judged(NamedTuple):
    """What a name that may be the one asked for is worth, and by what."""

    score: int
    name: float
    script: float
    country: int
    weak: bool
    identified: bool

    def features(self, shared: Shared) -> dict[str, int]:
        """All features of a hit by name, in thousandths."""
        return {
            "name": _thousandths(self.name),
            "asked": _thousandths(shared.asked),
            "listed": _thousandths(shared.listed),
            "substance": _thousandths(shared.substance),
            "script": _thousandths(self.script),
            "country": self.country,
            "alias": 0 if self.weak else 1000,
            "identifier": 1000 if self.identified else 0,
        }


class Screen:
    """Lists in memory, indexed: seconds to build for a large list. Asking changes no answer."""

    def __init__(
        self,
        lists: Iterable[tuple[ListVersion, Iterable[ListedParty]]],
        threshold: int = THRESHOLD,
        schemas: frozenset[str] = ORGANISATIONS,
    ) -> None:
        """Take lists, each with its version, but for parties of other schemas. ValueError: no such threshold."""
        if not UNLIKELY_MIN < threshold < 1000:
            raise ValueError(f"A threshold lies between {UNLIKELY_MIN} and 1000; {threshold} does not.")
        self.threshold = threshold
        entries = (
            Entry(party, version.digest) for version, parties in lists for party in parties if party.schema in schemas
        )
        self.entries = sorted(entries, key=lambda entry: (entry.party.source, entry.party.id, entry.version))
        self._names = Index([_listed_forms(entry.party) for entry in self.entries])
        self._places = Places([entry.party.addresses for entry in self.entries])
        self._identifiers: dict[tuple[str, str], list[int]] = {}
        for at, entry in enumerate(self.entries):
            for held in identifiers(entry.party.identifiers):
                self._identifiers.setdefault(held, []).append(at)

    def hits(self, query: Query, least: Band = Band.POSSIBLE) -> tuple[Hit, ...]:
        """The hits of at least this band, the best first: at most one of each kind for a listed party."""
        score_min = UNLIKELY_MIN if least is Band.UNLIKELY else self.threshold
        identified = self._identified(query)
        found = [*identified.values(), *self._named(query, score_min, identified), *self._placed(query)]
        return tuple(sorted((hit for hit in found if hit.score >= score_min), key=order))

    def _identified(self, query: Query) -> dict[int, Hit]:
        hits: dict[int, Hit] = {}
        for held, asked in identifiers(query.identifiers).items():
            for at in self._identifiers.get(held, ()):
                party = self.entries[at].party
                country = agreement(query.countries, party.countries)
                kind = "worldwide" if held[0] != NATIONAL else "elsewhere" if country < 0 else "national"
                hit = self._hit(
                    at,
                    "identifier",
                    (asked, identifiers(party.identifiers)[held]),
                    IDENTIFIER_SCORES[kind],
                    {"identifier": 1000, "country": country},
                )
                hits[at] = min(hit, hits.get(at, hit), key=order)
        return hits

    def _named(self, query: Query, score_min: int, identified: dict[int, Hit]) -> Iterable[Hit]:
        hits: dict[int, Hit] = {}
        texts = sorted(set(query.names))[:NAMES_MAX]
        for name, form in named(texts):
            writing = Writing(form.script, form.written)
            for candidate in self._names.candidates(form, together_min(score_min)):
                at = candidate.owner
                judged = self._judged(candidate, writing, query, at in identified)
                if judged.score >= score_min and (at not in hits or judged.score > hits[at].score):
                    listed = self.entries[at].party.names[candidate.name].text
                    hits[at] = self._hit(
                        at, "name", (texts[name], listed), judged.score, judged.features(candidate.shared)
                    )
        return hits.values()

    def _judged(self, candidate: Candidate, asked: Writing, query: Query, identified: bool) -> Judged:
        party = self.entries[candidate.owner].party
        name = name_share(candidate.shared)
        script = script_share(asked, Writing(candidate.script, candidate.written))
        country = agreement(query.countries, party.countries)
        weak = party.names[candidate.name].kind is NameKind.WEAK
        score = name_score(name * script, candidate.shared.substance, country, weak, identified, self.threshold)
        return Judged(score, name, script, country, weak, identified)

    def _placed(self, query: Query) -> Iterable[Hit]:
        for at, asked, matched, share in self._places.near(query.addresses):
            country = agreement(query.countries, self.entries[at].party.countries)
            features = {"address": _thousandths(share), "country": country}
            yield self._hit(at, "address", (asked, matched), _thousandths(share), features)

    def _hit(self, at: int, kind: str, texts: tuple[str, str], score: int, features: dict[str, int]) -> Hit:
        party, version = self.entries[at]
        return Hit(party, kind, *texts, score, band(score, self.threshold), tuple(features.items()), version)


def named(texts: Sequence[str], weak: Collection[int] = ()) -> list[tuple[int, Form]]:
    """The forms of names, each with the number of its name; of two with the same words, the one that is worth more."""
    found = [(at, form) for at, text in enumerate(texts[:NAMES_MAX]) for form in forms(text)]
    found.sort(key=lambda pair: (pair[0] in weak, not pair[1].written))
    distinct: dict[tuple[str, ...], tuple[int, Form]] = {}
    for at, form in found:
        distinct.setdefault(form.tokens, (at, form))
    return list(distinct.values())


def _listed_forms(party: ListedParty) -> list[tuple[int, Form]]:
    weak = {at for at, name in enumerate(party.names) if name.kind is NameKind.WEAK}
    return named([name.text for name in party.names], weak)


def _thousandths(share: float) -> int:
    return round(1000 * share)
