"""From what two names share to a score, and from a score to a band.

A score runs from 0 to 1000 and is made of FEATURES, which every hit carries. One setting, the threshold, is where
possible begins; likely begins half-way from there to 1000.
"""

from __future__ import annotations

from typing import NamedTuple

from monitor.core.lists import Band, Hit
from monitor.screening.index import Shared

THRESHOLD = 700
UNLIKELY_MIN = 400  # below that nothing is shown at all

FEATURES = {
    "name": "how far the words are the same, each by how rare it is among all that are listed",
    "asked": "the share of the asked name that is in the listed one",
    "listed": "the share of the listed name that is in the asked one",
    "substance": "how much stands on what both share; below 700 it is too short or too common to stand alone",
    "script": "1000 where both are compared as they are written; less where one or both are known by their sound",
    "country": "1000 where a country is the same, -1000 where both have some and share none, 0 where one has none",
    "alias": "1000, or 0 for an alias that the list itself does not trust",
    "identifier": "1000 where an identifier is the same",
    "address": "how far words and numbers of two addresses are the same, each by how rare it is",
}

# What the larger of the two missing shares costs, and the smaller one. A part may be left out of a name; two names of
# which each has what the other lacks are two names.
MISSING_COST, CONFLICT_COST = 0.55, 0.75
SUBSTANCE_MIN = 0.7
CROSS_SCRIPT = 0.95
CROSS_IDEOGRAPHS = 0.9  # many characters sound the same
SAME_SOUND = 0.85  # both in ideographs, which differ
COUNTRY_GAIN, COUNTRY_LOSS = 0.2, 0.1  # of what is missing to 1; of the score
IDENTIFIER_SCORES = {"worldwide": 1000, "national": 950, "elsewhere": 750}  # two registers may give out one number


class Writing(NamedTuple):
    """How a form of a name comes: its script, and whether it is written in it or romanised from it."""

    script: str
    written: bool


def name_share(shared: Shared) -> float:
    """How far two names are the same, 0 to 1. The less weight they share, the more it counts what one of them lacks."""
    smaller, larger = sorted((1 - shared.asked, 1 - shared.listed))
    thin = min(1.0, shared.substance / SUBSTANCE_MIN)
    if not thin:
        return 0.0
    return max(0.0, 1 - MISSING_COST * larger / thin - CONFLICT_COST * smaller)


def together_min(score_min: int) -> float:
    """What two names must share together, each share 0 to 1, to reach a score where the country is the same."""
    name = (score_min / 1000 - COUNTRY_GAIN) / (1 - COUNTRY_GAIN)
    return 2 - (1 - name) / MISSING_COST


def script_share(asked: Writing, listed: Writing) -> float:
    """What a likeness is worth between two writings, 0 to 1."""
    if asked.written and listed.written:
        return 1.0
    ideographs = {"han", "kana"} & {asked.script, listed.script}
    if asked.script == listed.script:
        return SAME_SOUND if ideographs else 1.0
    return CROSS_IDEOGRAPHS if ideographs else CROSS_SCRIPT


def agreement(some: frozenset[str], others: frozenset[str]) -> int:
    """1000 where countries agree, -1000 where they do not, 0 where one side has none."""
    if not some or not others:
        return 0
    return 1000 if some & others else -1000


def name_score(share: float, substance: float, country: int, weak: bool, identified: bool, threshold: int) -> int:
    """The score of two names in thousandths; capped where only corroboration could make it more."""
    if country > 0:
        share += (1 - share) * COUNTRY_GAIN
    elif country < 0:
        share -= share * COUNTRY_LOSS
    score = round(1000 * share)
    if substance < SUBSTANCE_MIN and country <= 0 and not identified:
        score = min(score, threshold - 1 if country else likely_min(threshold) - 1)
    return min(score, likely_min(threshold) - 1) if weak else score


def likely_min(threshold: int) -> int:
    """The score from which a hit is likely."""
    return (threshold + 1000) // 2


def band(score: int, threshold: int) -> Band:
    """The band of a score."""
    if score >= likely_min(threshold):
        return Band.LIKELY
    return Band.POSSIBLE if score >= threshold else Band.UNLIKELY


def order(hit: Hit) -> tuple[object, ...]:
    """By band; in the top band by what corroborates, since there the scores say little; then by score."""
    features = dict(hit.features)
    corroborated = features.get("identifier", 0) + features["country"] if hit.band is Band.LIKELY else 0
    rank = (Band.LIKELY, Band.POSSIBLE, Band.UNLIKELY).index(hit.band)
    return rank, -corroborated, -hit.score, hit.listed.source, hit.listed.id, hit.kind, hit.list_version
