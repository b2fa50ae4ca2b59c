"""Ticks lie on whole units, inside the axis, and are never too many."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.model import DAY_MS, HOUR_MS
from monitor.draw.axes import Scale, decade_ticks, decades, flop, minute, moment, round_up, time_ticks

T0 = 1_767_571_200_000  # 2026-01-05
AMOUNTS = st.integers(min_value=1, max_value=10**40)


@given(st.integers(min_value=0, max_value=10**14), st.integers(min_value=1, max_value=10**14), st.integers(2, 12))
def test_ticks_of_time_are_few_and_inside(first: int, span: int, most: int) -> None:
    """From a millisecond to millennia: at most so many ticks, in order, on the axis."""
    ticks = [tick.value for tick in time_ticks(first, first + span, most)]

    assert len(ticks) <= most
    assert sorted(set(ticks)) == ticks
    assert all(first <= tick <= first + span for tick in ticks)


@pytest.mark.parametrize(
    ("span", "labels"),
    [
        (3 * HOUR_MS, ["01-05 00:00", "01:00", "02:00", "03:00"]),
        (DAY_MS, ["01-05 00:00", "06:00", "12:00", "18:00", "01-06 00:00"]),
        (3 * DAY_MS, ["2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08"]),
        (120 * DAY_MS, ["2026-02", "2026-03", "2026-04", "2026-05"]),
        (900 * DAY_MS, ["2026-07", "2027-01", "2027-07", "2028-01"]),
        (4_000 * DAY_MS, ["2028", "2030", "2032", "2034", "2036"]),
    ],
)
def test_ticks_of_time_are_whole_units(span: int, labels: list[str]) -> None:
    """Hours, days, months or years, as the span asks for; the day is said wherever it begins."""
    assert labels == [tick.label for tick in time_ticks(T0, T0 + span, 6)]


def test_instants_that_no_calendar_has() -> None:
    """They are put on the ends of the calendar; a picture never fails for them."""
    assert ("1970-01-01 00:00", "9999-12-31 00:00") == (minute(-5), minute(10**20))
    assert 1970 == moment(0).year


@given(st.lists(AMOUNTS, min_size=1), st.integers(2, 14))
@example(amounts=[10**40 - 10**31], most=3)  # its logarithm is that of a whole decade
def test_decades_hold_the_largest(amounts: list[int], most: int) -> None:
    """The axis ends above the largest amount and is never longer than asked."""
    bottom, top = decades(amounts, most)

    assert max(amounts) <= top * 1.000001
    assert 100 <= top // bottom <= 10**most
    assert bottom <= min(amounts) or top // bottom == 10**most


@given(st.integers(0, 30), st.integers(2, 20), st.integers(2, 9))
def test_ticks_of_decades_are_few(lowest: int, many: int, most: int) -> None:
    """Powers of ten up to the upper end, thinned out where they are too many."""
    ticks = decade_ticks(10**lowest, 10 ** (lowest + many), most)

    assert len(ticks) <= most
    assert 10 ** (lowest + many) == ticks[-1].value
    assert all(10**lowest <= tick.value == int(f"1{'0' * int(tick.label[2:])}") for tick in ticks)


def test_no_amounts_are_some_axis() -> None:
    """Nothing, or nothing above zero, still has two ends."""
    assert (1, 100) == decades([], 12) == decades([0, -5], 12)


def test_a_scale_clamps() -> None:
    """What lies beyond the axis is drawn on its end; halves lie in the middle."""
    straight, logarithmic = Scale(0, 10, 100, 200), Scale(1, 100, 100, 200, logarithmic=True)

    assert [100, 150, 200, 200] == [straight.at(value) for value in (-5, 5, 10, 99)]
    assert [100, 150, 200, 200] == [logarithmic.at(value) for value in (0, 10, 100, 10**30)]


@pytest.mark.parametrize(
    ("amount", "rounded"), [(0, 1), (1, 1), (3, 4), (5_632, 6_000), (10_000, 10_000), (10_001, 20_000)]
)
def test_amounts_are_rounded_up(amount: int, rounded: int) -> None:
    """The end of an axis of accelerators is a round number, at least as large."""
    assert rounded == round_up(amount)


@pytest.mark.parametrize(
    ("amount", "shown"), [(0, "0"), (-1, "0"), (10**23, "1e23"), (2_449 * 10**21, "2.4e24"), (999 * 10**22, "1e25")]
)
def test_flop_are_short(amount: int, shown: str) -> None:
    """Two digits, and one where the second is nothing."""
    assert shown == flop(amount)
