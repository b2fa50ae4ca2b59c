"""Answers of a screen, written down: who was found on lists can be computed again without the lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitor.core.lists import Band, Hit, ListedName, ListedParty, NameKind, Query, Screener


class Recording:
    """A screen of which it is remembered who was asked about."""

    def __init__(self, screener: Screener) -> None:
        self._screener = screener
        self.answers: dict[Query, tuple[Hit, ...]] = {}

    def hits(self, query: Query) -> tuple[Hit, ...]:
        """The hits that are at least possible, the best first."""
        found = self.answers[query] = self._screener.hits(query)
        return found


class Recorded:
    """The answers that were written down; whoever else is asked about is on no list."""

    def __init__(self, answers: Mapping[Query, tuple[Hit, ...]]) -> None:
        self._answers = answers

    def hits(self, query: Query) -> tuple[Hit, ...]:
        """The hits that are at least possible, the best first."""
        return self._answers.get(query, ())


def answers_document(answers: Mapping[Query, Sequence[Hit]]) -> list[dict[str, Any]]:
    """Answers as JSON, in one order whatever the order in which they were asked for."""
    found = [{"query": _query_document(query), "hits": [_hit_document(hit) for hit in hits]} for query, hits in
             answers.items()]  # fmt: skip
    return sorted(found, key=lambda one: repr(one["query"]))


def answers_from(document: Any) -> dict[Query, tuple[Hit, ...]]:
    """What `answers_document` made this of.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    return {_query_from(one["query"]): tuple(map(_hit_from, one["hits"])) for one in document}


def _query_document(query: Query) -> dict[str, Any]:
    return {
        "names": list(query.names),
        "countries": sorted(query.countries),
        "identifiers": [list(pair) for pair in query.identifiers],
        "addresses": list(query.addresses),
    }


def _query_from(document: Any) -> Query:
    return Query(
        tuple(map(str, document["names"])),
        frozenset(map(str, document["countries"])),
        _pairs(document["identifiers"], str),
        tuple(map(str, document["addresses"])),
    )


def _hit_document(hit: Hit) -> dict[str, Any]:
    listed = hit.listed
    return hit._asdict() | {
        "listed": listed._asdict()
        | {
            "names": [[name.text, str(name.kind)] for name in listed.names],
            "countries": sorted(listed.countries),
            "identifiers": [list(pair) for pair in listed.identifiers],
        },
        "band": str(hit.band),
        "features": [list(pair) for pair in hit.features],
    }


def _hit_from(document: Any) -> Hit:
    listed = document["listed"]
    party = ListedParty(
        str(listed["source"]),
        str(listed["id"]),
        tuple(ListedName(str(text), NameKind(kind)) for text, kind in listed["names"]),
        str(listed["schema"]),
        frozenset(map(str, listed["countries"])),
        tuple(map(str, listed["addresses"])),
        _pairs(listed["identifiers"], str),
        tuple(map(str, listed["programs"])),
    )
    return Hit(
        party,
        str(document["kind"]),
        str(document["asked"]),
        str(document["matched"]),
        int(document["score"]),
        Band(document["band"]),
        _pairs(document["features"], int),
        str(document["list_version"]),
    )


def _pairs(pairs: Any, second: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((str(name), second(value)) for name, value in pairs)
