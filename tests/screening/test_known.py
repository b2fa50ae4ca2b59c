"""Whom a change of a list touches."""

from __future__ import annotations

from bench import invented
from monitor.core.lists import ListedParty, Query
from monitor.screening.known import Known
from tests.screening.listing import party, query, screen

PAIRS = [pair for half in (0, 1) for pair in invented.pairs(half, 300, 6)]
QUERIES = [(f"t{at:03}", query(pair.asked, country=pair.asked_country)) for at, pair in enumerate(PAIRS)]
LISTED = [party(f"p{at:03}", pair.listed.written(), country=pair.listed.country) for at, pair in enumerate(PAIRS)]
KNOWN = Known(QUERIES)


def hit_by(parties: list[ListedParty], queries: list[tuple[str, Query]]) -> set[str]:
    """Ids of all who have a hit on these parties, looked for one by one."""
    lists = screen(*parties)
    return {key for key, asked in queries if lists.hits(asked)}


def test_all_whom_changed_entries_hit_are_touched() -> None:
    """Nobody who has a hit on an entry that came, went or changed is left out, and most of the others are."""
    changed = LISTED[::15]
    touched = KNOWN.touched(changed)

    assert set() == hit_by(changed, QUERIES) - set(touched)
    assert len(QUERIES) / 3 > len(touched)
    assert sorted(touched) == list(touched)


def test_identifiers_and_addresses_touch_too() -> None:
    """A change that is found by number or place alone reaches those who have them."""
    known = Known(
        [
            ("a", query("Quarz", identifiers=(("tax", "12345678"),))),
            ("b", query("Glimmer", addresses=("47 Friendship Road, Beijing",))),
            ("c", query("Feldspat")),
        ]
    )
    changed = [
        party("1", "X", identifiers=(("inn", "1234-5678"),)),
        party("2", "Y", addresses=("47 Friendship Rd, Beijing",)),
    ]

    assert ("a", "b") == known.touched(changed)
    assert () == known.touched([])


def test_a_word_that_all_tenants_have_still_touches() -> None:
    """What is common among tenants may be what a listed party is known by."""
    known = Known([(f"t{at:04}", query(f"Nordlicht {at}")) for at in range(600)])

    assert 600 == len(known.touched([party("1", "Nordlicht")]))
