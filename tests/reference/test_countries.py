"""The country groups that ship, through time, and what is refused."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from monitor.errors import ReferenceProblem
from monitor.reference.countries import load_countries
from monitor.reference.reading import milliseconds
from monitor.reference.root import config_root

COUNTRIES = load_countries(config_root())
CONCERN = "HQ_OF_CONCERN"


def at(day: str) -> int:
    """The start of a day."""
    return milliseconds(date.fromisoformat(day))


@pytest.mark.parametrize(
    ("country", "group", "day", "expected"),
    [
        ("KH", "D5", "2025-11-06", True),
        ("KH", "D5", "2025-11-07", False),
        ("KH", "D1", "2026-07-14", True),
        ("KH", CONCERN, "2025-11-06", True),
        ("KH", CONCERN, "2025-11-07", False),
        ("AE", "D4", "2026-07-09", True),
        ("AE", "D4", "2026-07-10", False),
        ("AE", "A5", "2026-07-09", False),
        ("AE", "A5", "2030-01-01", True),
        ("AE", "CHIP_DESTINATIONS", "2026-07-09", True),
        ("AE", "CHIP_DESTINATIONS", "2026-07-10", False),
        ("CN", CONCERN, "2026-01-01", True),
        ("HK", CONCERN, "2026-01-01", True),
        ("HK", "A1", "2026-01-01", False),
        ("MO", CONCERN, "2026-01-01", True),
        ("MO", "D5", "2026-01-01", False),
        ("US", CONCERN, "2026-01-01", False),
        ("NO", "A1", "2026-01-01", True),
        ("IL", "CHIP_DESTINATIONS", "2026-07-14", False),
        ("XX", "D5", "2026-07-14", False),
    ],
)
def test_membership_at_a_day(country: str, group: str, day: str, expected: bool) -> None:
    """A country is in a group from the day of its change on; Hong Kong counts as China."""
    assert expected == COUNTRIES.in_group(country, group, at(day))


@pytest.mark.parametrize(("group", "size"), [("CHIP_DESTINATIONS", 45), ("D5", 22), (CONCERN, 23), ("A1", 40)])
def test_sizes_as_of_the_snapshot(group: str, size: int) -> None:
    """The groups of the snapshot day have as many members as their source."""
    assert size == len(COUNTRIES.members(group, at("2026-07-14")))


def test_times_of_change_are_all_instants_at_which_a_group_changes() -> None:
    """Between two of them no group changes, which is what callers rely on."""
    assert (at("2025-11-07"), at("2026-07-10")) == COUNTRIES.change_times
    assert {start for history in COUNTRIES.histories.values() for start in history.starts} == set(
        COUNTRIES.change_times
    )


def test_an_unknown_group_is_no_empty_group() -> None:
    """A policy that names a group which does not exist must not silently find nobody."""
    with pytest.raises(KeyError):
        COUNTRIES.in_group("CN", "D55", 0)


def test_disputed_membership_is_on_record() -> None:
    """Where sources disagree the file says so."""
    assert frozenset({"ET", "CY"}) == COUNTRIES.uncertain["D5"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"NL", "NO"', '"NL", NO', "groups.A1.29: input should be a valid string, not False"),
        ('"MX", "SG"', '"mx", "SG"', "groups.A6.4: string should match pattern"),
        ('E2: ["CU"]', 'E2: ["CU", "CU"]', "the group E2 names CU twice"),
        ("include: [D5], codes", "include: [D9], codes", "the derived group HQ_OF_CONCERN names the group D9"),
        ("group: D3, remove", "group: D6, remove", "the list of changes names the group D6"),
        ('group: D5, remove: ["KH"]', 'group: D5, remove: ["CN"]', "a change of the group D5 contradicts"),
        ('group: A5, add: ["AE"]', 'group: A5, add: ["KH"]', "a change of the group A5 contradicts"),
        ("derived:  #", 'derived:\n  E1: {codes: ["CN"]}  #', "the group E1 is both stated and derived"),
        ("uncertain:  #", 'uncertain:\n  D7: ["CN"]  #', "the list of uncertain members names the group D7"),
        ("as_of: ", "as_off: ", "as_of: field required"),
        ("changes:\n", "changes: 3\n", "is no valid YAML"),
    ],
)
def test_a_damaged_file_is_refused_with_a_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """What cannot be a list of groups is named by file and place, and people are told what to do."""
    text = (config_root() / "countries.yaml").read_text(encoding="utf-8")
    flat = re.sub(r",\n +", ", ", text)
    assert old in flat
    (tmp_path / "countries.yaml").write_text(flat.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ReferenceProblem) as problem:
        load_countries(tmp_path)
    assert sentence in str(problem.value)
    assert "countries.yaml" in str(problem.value)
