"""Cleared hits: what they cover, what opens them again, and what the journal keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.core.clearances import (
    CLEAR,
    REOPEN,
    Clearance,
    clearance_sentence,
    decision,
    digest_of_entry,
    digest_of_query,
    standing,
)
from monitor.core.lists import ListedName, NameKind, Query
from monitor.core.model import DAY_MS
from tests.core.listed import entry

QUERY = Query(("Acme", "Acme Two"), frozenset({"CN", "HK"}), (("lei", "1"), ("duns", "2")), ("Here", "There"))
ENTRY = entry("sdn", "s-1")._replace(
    names=(ListedName("A", NameKind.PRIMARY), ListedName("B", NameKind.ALIAS)),
    countries=frozenset({"CN", "HK"}),
    addresses=("x", "y"),
    identifiers=(("lei", "1"), ("duns", "2")),
    programs=("P", "Q"),
)
CLEARED = Clearance(
    "tenant t", "sdn", "s-1", digest_of_query(QUERY), digest_of_entry(ENTRY), 30 * DAY_MS, ("ann", "bo"),
    "Another company of the same name", 10 * DAY_MS,
)  # fmt: skip


@pytest.mark.parametrize(
    ("now", "covered"), [(10 * DAY_MS - 1, False), (10 * DAY_MS, True), (30 * DAY_MS - 1, True), (30 * DAY_MS, False)]
)
def test_a_clearance_covers_from_its_decision_to_its_end(now: int, covered: bool) -> None:
    """It holds from when it was decided until it runs out."""
    assert covered == CLEARED.covers(QUERY, ENTRY, now)


CHANGES: list[dict[str, Any]] = [
    {"names": ("Acme",)},
    {"countries": frozenset({"CN"})},
    {"identifiers": (("lei", "1"),)},
    {"identifiers": (("lei", "2"), ("duns", "1"))},
    {"addresses": ("Here",)},
]


@pytest.mark.parametrize("changed", CHANGES)
def test_a_change_of_our_record_opens_the_hit(changed: dict[str, Any]) -> None:
    """Another name, country, identifier or address is another record."""
    assert not CLEARED.covers(QUERY._replace(**changed), ENTRY, 20 * DAY_MS)


ENTRY_CHANGES: list[dict[str, Any]] = [
    {"id": "s-2"},
    {"source": "el"},
    {"schema": "person"},
    {"names": (ListedName("A", NameKind.PRIMARY), ListedName("B", NameKind.WEAK))},
    {"countries": frozenset()},
    {"addresses": ("x",)},
    {"identifiers": ()},
    {"programs": ("P",)},
]


@pytest.mark.parametrize("changed", ENTRY_CHANGES)
def test_a_change_of_the_entry_opens_the_hit(changed: dict[str, Any]) -> None:
    """Whatever a list says anew of the party."""
    assert not CLEARED.covers(QUERY, ENTRY._replace(**changed), 20 * DAY_MS)


def test_the_order_in_which_things_are_said_changes_nothing() -> None:
    """Neither that of our record nor that of the entry; saying something twice does not either."""
    query = Query((*QUERY.names[::-1], "Acme"), QUERY.countries, QUERY.identifiers[::-1], QUERY.addresses[::-1])
    listed = ENTRY._replace(
        names=ENTRY.names[::-1],
        addresses=ENTRY.addresses[::-1],
        identifiers=ENTRY.identifiers[::-1],
        programs=ENTRY.programs[::-1],
    )

    assert CLEARED.covers(query, listed, 20 * DAY_MS)


def test_a_name_that_is_no_valid_text_has_a_digest() -> None:
    """Half a letter, as broken files have it."""
    assert digest_of_query(QUERY._replace(names=("\ud800",))) != digest_of_query(QUERY)


def test_the_journal_gives_a_clearance_back() -> None:
    """Through JSON, as it is kept."""
    kept = json.loads(json.dumps(decision(CLEARED)))

    assert {CLEARED.place: CLEARED} == standing([kept])


REOPENED = {REOPEN: {"subject": "tenant t", "source": "sdn", "entry": "s-1"}, "by": ["ann"], "reason": "It is them"}


def test_the_last_decision_on_a_hit_stands() -> None:
    """A later clearance replaces an earlier one, and reopening ends it; other decisions have nothing to do with it."""
    later = CLEARED._replace(until=60 * DAY_MS, at=12 * DAY_MS)
    first, second, other = decision(CLEARED), decision(later), {"close": "F-1"}

    assert {later.place: later} == standing([first, second, other])
    assert {} == standing([first, REOPENED])
    assert {later.place: later} == standing([first, REOPENED, second])
    assert {} == standing([REOPENED])
    assert CLEAR in first


def test_the_sentence_names_both_authors_and_the_end() -> None:
    """Until which day, by whom, and why."""
    assert "Cleared until 1970-01-31 by ann and bo: Another company of the same name" == clearance_sentence(CLEARED)
