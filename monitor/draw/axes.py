"""Scales and their ticks: time in UTC, and FLOP on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import ceil, log10
from typing import NamedTuple

from monitor.core.model import DAY_MS, HOUR_MS, SECOND_MS

MINUTE_MS = 60 * SECOND_MS
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS = (datetime(9999, 12, 31, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
_STEPS = (
    *(n * MINUTE_MS for n in (1, 5, 15, 30)),
    *(n * HOUR_MS for n in (1, 3, 6, 12)),
    *(n * DAY_MS for n in (1, 2, 7, 14)),
)
_MONTHS = (1, 3, 6, 12, 24, 60, 120, 600, 1_200, 6_000, 12_000, 120_000)


class Tick(NamedTuple):
    """A value of an axis that is labelled."""

    value: int
    label: str


class Scale(NamedTuple):
    """Values from `first` to `last` on pixels from `start` to `end`, straight or by their logarithm."""

    first: int
    last: int
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: int) -> float:
        """The pixel of a value; what lies beyond an end of the axis is put on that end."""
        inside = min(max(value, self.first), self.last)
        if self.logarithmic:
            share = (log10(inside) - log10(self.first)) / (log10(self.last) - log10(self.first))
        else:
            share = (inside - self.first) / (self.last - self.first)
        return self.start + share * (self.end - self.start)


def moment(milliseconds: int) -> datetime:
    """An instant in UTC; what no calendar has is put on its ends."""
    return EPOCH + timedelta(milliseconds=min(max(milliseconds, 0), LAST_MS))


def day(milliseconds: int) -> str:
    """The day of an instant: 2026-01-05."""
    return moment(milliseconds).strftime("%Y-%m-%d")


def minute(milliseconds: int) -> str:
    """An instant to the minute: 2026-01-05 08:30."""
    return moment(milliseconds).strftime("%Y-%m-%d %H:%M")


def time_ticks(first: int, last: int, ticks_max: int) -> list[Tick]:
    """At most so many ticks from `first` to `last`, on whole minutes, hours, days or months."""
    span = last - first
    for step in _STEPS:
        if span // step + 1 <= ticks_max:
            return [_tick(at, step) for at in range(-(-first // step) * step, last + 1, step)]
    by_month = (list(_month_ticks(first, last, step)) for step in _MONTHS if span <= step * 32 * DAY_MS * ticks_max)
    return next(ticks for ticks in by_month if len(ticks) <= ticks_max)


def _tick(at: int, step: int) -> Tick:
    when = moment(at)
    if step >= DAY_MS:
        return Tick(at, when.strftime("%Y-%m-%d"))
    if at % DAY_MS == 0:
        return Tick(at, when.strftime("%m-%d %H:%M"))
    return Tick(at, when.strftime("%H:%M"))


def _month_ticks(first: int, last: int, step: int) -> Iterable[Tick]:
    begin, end = moment(first), moment(last)
    month = begin.year * 12 + begin.month - 1
    for number in range(-(-month // step) * step, end.year * 12 + end.month, step):
        if number // 12 < 1:
            continue
        at = datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
        milliseconds = (at - EPOCH) // timedelta(milliseconds=1)
        if first <= milliseconds <= last:
            yield Tick(milliseconds, at.strftime("%Y" if step % 12 == 0 else "%Y-%m"))


def decades(amounts: Iterable[int], decades_max: int) -> tuple[int, int]:
    """Powers of ten around positive amounts, at least two apart; the lowest are left out beyond so many decades."""
    positive = [amount for amount in amounts if amount > 0]
    if not positive:
        return 1, 100
    top = ceil(log10(max(positive)) - 1e-9)
    bottom = len(str(min(positive))) - 1
    bottom = max(bottom, top - decades_max, 0)
    top = max(top, bottom + 2)
    return 10**bottom, 10**top


def decade_ticks(first: int, last: int, ticks_max: int) -> list[Tick]:
    """Powers of ten from `first` to `last`, every second or third one where there are too many."""
    lowest, highest = round(log10(first)), round(log10(last))
    step = next(step for step in range(1, highest + 2) if (highest - lowest) // step + 1 <= ticks_max)
    return [
        Tick(10**power, f"1e{power}") for power in range(highest - (highest - lowest) // step * step, highest + 1, step)
    ]


def round_up(amount: int) -> int:
    """The next amount of one digit that halves well: 1, 2, 4, 6, 8, 10, 20, 40 and so on."""
    power: int = 10 ** (len(str(max(amount, 1))) - 1)
    return next(factor * power for factor in (1, 2, 4, 6, 8, 10) if amount <= factor * power)


def flop(amount: int) -> str:
    """FLOP as people write them, with two digits: 1e23, 2.4e24."""
    if amount <= 0:
        return "0"
    digits, exponent = f"{Decimal(amount):.1e}".split("e+")
    return f"{digits.removesuffix('.0')}e{exponent}"
