"""What dialects have in common: times, numbers, outer allocations, names."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.intake.canonical import COUNT_MAX, instant_ms
from monitor.intake.decode import Rules, decode
from monitor.intake.dialect import STARTED, Options, event, instant, line, outer, together, whole
from monitor.intake.refusal import Refusal
from tests.intake.events import records

TIMES = [
    ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
    ("2026-03-01 12:00:00", "2026-03-01T12:00:00Z"),
    ("2026-03-01 12:00:00.123456", "2026-03-01T12:00:00.123456Z"),
    ("2026-03-01t12:00:00.1234567+05:30", "2026-03-01T12:00:00.1234567+05:30"),
    ("2016-12-31T23:59:60Z", "2016-12-31T23:59:60Z"),
]


@pytest.mark.parametrize(("told", "expected"), TIMES)
def test_a_time_is_kept_to_its_last_digit(told: str, expected: str) -> None:
    """With a blank or a T, with a zone or in UTC."""
    assert expected == instant(told)


NO_TIMES = [
    None, 0, "", "2026-03-01", "2026-02-30T00:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T12:00Z",
    "2026-03-01T12:00:00Z\n", "2026-03-01T12:00:00+0530", "1970-01-01T00:00:00Z", "2101-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "\u0662026-03-01T12:00:00Z",
    f"2026-03-01T12:00:00.{'1' * 31}Z",
]  # fmt: skip


@pytest.mark.parametrize("told", NO_TIMES)
def test_what_is_no_time_is_refused(told: object) -> None:
    """No such day, a year that cannot be, or no time at all: the reason is the time."""
    refused = instant(told)

    assert isinstance(refused, Refusal)
    assert "time" == refused.reason


@given(st.datetimes().map(str) | st.text("0123456789-:.TtZz+ ", max_size=35))
def test_every_time_that_leaves_is_accepted(told: str) -> None:
    """What is not refused, the contract reads as the instant that it is."""
    time = instant(told)

    if not isinstance(time, Refusal):
        made = event(STARTED, ("/s", "1"), time, "acme", allocation="a")
        assert not isinstance(made, Refusal)
        assert [instant_ms(time)] == [fact.time for fact in decode(records(line(made)), Rules()).observations]


NUMBERS = [
    (8, 8), (0, 0), ("16", 16), ("007", 7), (COUNT_MAX, COUNT_MAX),
    (COUNT_MAX + 1, None), (str(COUNT_MAX + 1), None), ("9" * 5_000, None), (-1, None), ("-1", None), (True, None),
    (1.0, None), ("", None), ("\u0661", None), ("\u00b2", None), (None, None), ([], None),
]  # fmt: skip


@pytest.mark.parametrize(("told", "number"), NUMBERS)
def test_a_number_is_whole_and_can_be(told: object, number: int | None) -> None:
    """Whole numbers of JSON, also as text; nothing else is one."""
    assert number == whole(told)


OUTER = [
    (None, "gpu-7.dc", None),
    ("pool", None, "pool"),
    ("node/{node}", "gpu-7.dc.example", "node/gpu-7"),
    ("node/{node}", None, None),
]


@pytest.mark.parametrize(("within", "node", "name"), OUTER)
def test_the_outer_allocation_is_the_operators(within: str | None, node: str | None, name: str | None) -> None:
    """By a fixed name, or by the node's up to its first dot, if that is known."""
    assert name == outer(Options("/s", within=within), node)


def test_a_record_counts_whole_or_not_at_all() -> None:
    """One event that cannot be takes the others with it."""
    good = event(STARTED, ("/s", "1"), "2026-03-01T12:00:00Z", "acme", allocation="a")
    bad = event(STARTED, ("/s", "2"), "2026-03-01T12:00:00Z", "acme", allocation="x" * 1_025)

    assert isinstance(bad, Refusal)
    assert (good, good) == together(good, good)
    assert bad == together(good, bad)
    assert () == together()


def test_fields_that_say_nothing_are_left_out() -> None:
    """An event has what is known of it, and is one line."""
    made = event(STARTED, ("/s", "1"), "2026-03-01T12:00:00Z", "acme", allocation="a", count=0, region=None)

    assert not isinstance(made, Refusal)
    assert {"tenant": "acme", "allocation": "a", "count": 0} == made["data"]
    assert made == json.loads(line(made))
    assert 1 == line(made).count(b"\n")
