"""Exact usage of one tenant by shape and hour, as changes of rate and area.

A piece of `count` units over [a, b) adds two rows whatever its length: at the hour of a the rate rises by `count` and
the area by what that hour still holds; at the hour of b the same falls. The usage of an hour is the sum of all earlier
rates times one hour, plus the hour's own area. Python integers throughout: ten years of a million accelerators do not
fit 64 bits in accelerator-microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from monitor.core.model import CERTAIN, HOUR_MS, OPEN
from monitor.core.timeline import Effects, Measurement, Piece, Shape


class UsageKey(NamedTuple):
    """One row of usage changes of a tenant."""

    shape: Shape
    usage_class: str  # CERTAIN, or OPEN: time whose lease had lapsed or that ended at an unknown instant, for good
    hour: int  # hours since 1970


class MeasuredKey(NamedTuple):
    """One row of measured usage of a tenant."""

    shape: Shape
    hour: int


class Measured(NamedTuple):
    """Certain usage of an hour that the provider measured.

    `work` is the sum of usage times activity (ppm) times clock (kHz); `plain` the sum of usage times activity where
    the clock is unknown. The catalogue divides by the clock of the stated peak on reading.
    """

    usage: int
    work: int
    plain: int


NOT_MEASURED = Measured(0, 0, 0)


class Ledger:
    """Usage changes of one tenant, and which of them a commit has yet to write."""

    __slots__ = ("changes", "dirty", "measured", "measured_dirty", "totals")

    def __init__(self) -> None:
        self.changes: dict[UsageKey, tuple[int, int]] = {}  # -> (rate, area)
        self.measured: dict[MeasuredKey, Measured] = {}
        self.totals: dict[tuple[Shape, str], int] = {}  # (shape, class) -> usage of all finished pieces
        self.dirty: set[UsageKey] = set()
        self.measured_dirty: set[MeasuredKey] = set()

    def add(self, effects: Effects, sign: int = 1) -> None:
        """Book pieces and measurements; with sign -1 take back what was booked before."""
        for piece in effects.pieces:
            self._add_piece(piece, sign)
        for measurement in effects.measurements:
            self._add_measurement(measurement, sign)

    def _add_piece(self, piece: Piece, sign: int) -> None:
        usage_class = CERTAIN if piece.certain else OPEN
        shape, rate = piece.shape, sign * piece.count
        for hour, rate_change, area in changes_of(piece.start, piece.end, rate):
            key = UsageKey(shape, usage_class, hour)
            before = self.changes.get(key)
            self.changes[key] = (rate_change, area) if before is None else (before[0] + rate_change, before[1] + area)
            self.dirty.add(key)
        total_key = (shape, usage_class)
        self.totals[total_key] = self.totals.get(total_key, 0) + rate * (piece.end - piece.start)

    def _add_measurement(self, measurement: Measurement, sign: int) -> None:
        for hour, start, end in hours_of(measurement.start, measurement.end):
            key = MeasuredKey(measurement.shape, hour)
            usage = sign * measurement.count * (end - start)
            active = usage * measurement.active_ppm
            before = self.measured.get(key, NOT_MEASURED)
            clock = measurement.clock_khz
            self.measured[key] = Measured(
                before.usage + usage,
                before.work + (0 if clock is None else active * clock),
                before.plain + (active if clock is None else 0),
            )
            self.measured_dirty.add(key)

    def take_dirty(self) -> tuple[set[UsageKey], set[MeasuredKey]]:
        """The keys of rows that changed since the last call."""
        taken = self.dirty, self.measured_dirty
        self.dirty, self.measured_dirty = set(), set()
        return taken

    def measured_by_shape(self) -> dict[Shape, Measured]:
        """What was measured of each shape in all hours together."""
        sums: dict[Shape, Measured] = {}
        for key, value in self.measured.items():
            before = sums.get(key.shape, NOT_MEASURED)
            sums[key.shape] = Measured(*(one + other for one, other in zip(before, value, strict=True)))
        return sums


def changes_of(start: int, end: int, rate: int) -> tuple[tuple[int, int, int], ...]:
    """A constant rate over [start, end) as changes (hour, rate, area); one where both ends are in one hour."""
    first, last = start // HOUR_MS, end // HOUR_MS
    if first == last:
        return ((first, 0, rate * (end - start)),)
    return (
        (first, rate, rate * ((first + 1) * HOUR_MS - start)),
        (last, -rate, rate * (end - (last + 1) * HOUR_MS)),
    )


def hours_of(start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The hours that [start, end) touches, as (hour, start within it, end within it)."""
    hour = start // HOUR_MS
    while start < end:
        stop = min(end, (hour + 1) * HOUR_MS)
        yield hour, start, stop
        start, hour = stop, hour + 1


def hourly(changes: dict[int, tuple[int, int]], until: int) -> Iterator[tuple[int, int]]:
    """Usage, where there is any, of each hour before `until` (hours since 1970) of one shape and class.

    `changes` are {hour: (rate, area)}.
    """
    rate = 0
    hours = sorted(changes)
    for position, hour in enumerate(hours):
        if hour >= until:
            return
        change, area = changes[hour]
        following = hours[position + 1] if position + 1 < len(hours) else until
        usage = rate * HOUR_MS + area
        if usage:
            yield hour, usage
        rate += change
        if rate:
            for between in range(hour + 1, min(following, until)):
                yield between, rate * HOUR_MS
