"""Parties that lists name, what being on a list means, and hits of tenants on them.

The types only: files are read in `monitor/reference/lists`, names are compared in `monitor/screening`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

NO_EFFECT = "none"


class NameKind(StrEnum):
    """What a list says of a name."""

    PRIMARY = "primary"
    ALIAS = "alias"
    FORMER = "former"
    WEAK = "weak"  # the list itself does not trust it


class ListedName(NamedTuple):
    """One name of a listed party."""

    text: str
    kind: NameKind


class ListedParty(NamedTuple):
    """One entry of a list."""

    source: str  # of `effects.yaml`, as "us.sdn"
    id: str  # unique within its source, stable over versions
    names: tuple[ListedName, ...]
    schema: str  # entity, person, vessel, aircraft or unknown
    countries: frozenset[str]  # ISO 3166-1 alpha-2
    addresses: tuple[str, ...]
    identifiers: tuple[tuple[str, str], ...]  # scheme, value; as written
    programs: tuple[str, ...]


class Effect(NamedTuple):
    """What being on a source list means."""

    source: str
    title: str
    direct: str  # blocked, licence, end_use_review or attention: for the listed party itself
    owner: str  # for what such parties own half of: the same words, or none
    owner_since: int | None  # milliseconds; None: always. The owner effect holds in [owner_since, owner_until)
    owner_until: int | None
    decides: str  # who, in words
    citation: str


class ListEffects(NamedTuple):
    """What being on each source list means, and to whom."""

    version: str
    digest: str
    of_source: Mapping[str, tuple[Effect, ...]]  # one for each period of the owner effect, in order, at least one

    def of(self, source: str) -> Effect:
        """What holds for a listed party itself, at any time. `source` is one of `of_source`."""
        return self.of_source[source][0]

    def of_owned(self, source: str, at: int) -> Effect | None:
        """What holds at an instant for what parties of a source own half of; None: nothing."""
        for effect in self.of_source[source]:
            begun = effect.owner_since is None or effect.owner_since <= at
            if begun and (effect.owner_until is None or at < effect.owner_until):
                return None if effect.owner == NO_EFFECT else effect
        return None


class ListVersion(NamedTuple):
    """Which state of a list file was read."""

    name: str  # of the file's entry in the settings
    digest: str  # sha256 of its bytes
    dated: int | None  # milliseconds: what the file says of itself, else when it was last changed
    entries: int


class Band(StrEnum):
    """How far a hit goes."""

    LIKELY = "likely"
    POSSIBLE = "possible"
    UNLIKELY = "unlikely"  # below the threshold: kept out of the queue, shown when asked for


BANDS = {
    Band.LIKELY: "The same name but for what differs between two writings of it, and nothing against it. Treat it "
    "as the listed party until somebody has shown that it is another.",
    Band.POSSIBLE: "A good part of the name is the same; or all of it, where the name is short or of everyday words, "
    "where the list does not trust the alias, or where the country is another. Somebody must look.",
    Band.UNLIKELY: "Something rare in the name is the same. Kept out of the queue, shown on demand. Finding nothing "
    "never means that somebody is on no list.",
}


class Query(NamedTuple):
    """What is known of somebody who is to be screened."""

    names: tuple[str, ...]
    countries: frozenset[str]
    identifiers: tuple[tuple[str, str], ...]
    addresses: tuple[str, ...]


class Hit(NamedTuple):
    """A listed party that somebody may be."""

    listed: ListedParty
    kind: str  # name, identifier or address
    asked: str  # what of the query matched
    matched: str  # what of the list
    score: int  # thousandths
    band: Band
    features: tuple[tuple[str, int], ...]  # what the score is made of, in thousandths
    list_version: str  # digest


class Screener(Protocol):
    """Whatever compares names with lists."""

    def hits(self, query: Query) -> tuple[Hit, ...]:
        """The hits that are at least possible, the best first."""
        ...


class Lists(NamedTuple):
    """The lists that count: who is asked, what a list means, and which versions were read."""

    screener: Screener
    effects: ListEffects
    versions: tuple[ListVersion, ...]


class _Nobody:
    """No list at all."""

    def hits(self, query: Query) -> tuple[Hit, ...]:
        """None."""
        return ()


NO_LISTS = Lists(_Nobody(), ListEffects("", "", {}), ())
