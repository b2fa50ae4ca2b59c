"""Exact usage of one tenant by shape and hour, as changes of rate and area.

A piece of `count` units over [a, b) adds two rows whatever its length: at the hour of a the rate rises by `count` and
the area by what that hour still holds; at the hour of b the same falls. The usage of an hour is the sum of all earlier
rates times one hour, plus the hour's own area. Python integers throughout: ten years of a million accelerators do not
fit 64 bits in accelerator-microseconds.

Old hours leave memory: of those before `resident_from` a ledger has only what was added since the last commit, and the
store has the rest. Totals are always whole. `recall` brings the old hours back, for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

    def plus(self, other: Measured) -> Measured:
        """Both together."""
        return Measured(self.usage + other.usage, self.work + other.work, self.plain + other.plain)


NOT_MEASURED = Measured(0, 0, 0)


class UsageRow(NamedTuple):
    """A row of usage changes for the store: as it is now, or what is to be added to the one that is there."""

    key: UsageKey
    rate: int
    area: int
    added: bool


class MeasuredRow(NamedTuple):
    """A row of measured usage for the store: as it is now, or what is to be added to the one that is there."""

    key: MeasuredKey
    value: Measured
    added: bool


class Ledger:
    """Usage changes of one tenant, and which of them a commit has yet to write."""

    __slots__ = (
        "changes",
        "dirty",
        "measured",
        "measured_dirty",
        "measured_totals",
        "recalled",
        "resident_from",
        "totals",
    )

    def __init__(self, resident_from: int = 0) -> None:
        """With all hours from `resident_from` (hours since 1970) on in memory."""
        self.changes: dict[UsageKey, tuple[int, int]] = {}  # -> (rate, area)
        self.measured: dict[MeasuredKey, Measured] = {}
        self.totals: dict[tuple[Shape, str], int] = {}  # (shape, class) -> usage of all finished pieces
        self.measured_totals: dict[Shape, Measured] = {}
        self.dirty: set[UsageKey] = set()
        self.measured_dirty: set[MeasuredKey] = set()
        self.resident_from = resident_from
        self.recalled = False  # all hours are wanted, and stay

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
            clock = measurement.clock_khz
            more = Measured(usage, 0, active) if clock is None else Measured(usage, active * clock, 0)
            self.measured[key] = self.measured.get(key, NOT_MEASURED).plus(more)
            self.measured_dirty.add(key)
            self._add_to_measured_total(key.shape, more)

    def _add_to_measured_total(self, shape: Shape, more: Measured) -> None:
        total = self.measured_totals.get(shape, NOT_MEASURED).plus(more)
        if any(total):
            self.measured_totals[shape] = total
        else:
            self.measured_totals.pop(shape, None)

    # -- what a store has ----------------------------------------------------------------------------------------

    def restore(self, key: UsageKey, rate: int, area: int) -> None:
        """A row of the store, of any hour."""
        if key.hour >= self.resident_from:
            self.changes[key] = (rate, area)
        # The area holds what is left of the hour of each change; with the whole hours after it, that is all.
        total_key = (key.shape, key.usage_class)
        self.totals[total_key] = self.totals.get(total_key, 0) + area - rate * (key.hour + 1) * HOUR_MS

    def restore_measured(self, key: MeasuredKey, value: Measured) -> None:
        """A row of the store, of any hour."""
        if key.hour >= self.resident_from:
            self.measured[key] = value
        self._add_to_measured_total(key.shape, value)

    def recall(
        self, usage: Iterable[tuple[UsageKey, tuple[int, int]]], measured: Iterable[tuple[MeasuredKey, Measured]]
    ) -> None:
        """Bring back the rows that the store has of hours before `resident_from`; from now on all hours stay."""
        for key, (rate, area) in usage:
            more = self.changes.get(key, (0, 0))
            self.changes[key] = (rate + more[0], area + more[1])
        for measured_key, value in measured:
            self.measured[measured_key] = value.plus(self.measured.get(measured_key, NOT_MEASURED))
        self.resident_from, self.recalled = 0, True

    def take_dirty(self) -> tuple[list[UsageRow], list[MeasuredRow]]:
        """The rows that changed since the last call; what was added to old hours leaves memory."""
        usage, measured = [], []
        for key in self.dirty:
            added = key.hour < self.resident_from
            rate, area = self.changes.pop(key) if added else self.changes[key]
            usage.append(UsageRow(key, rate, area, added))
        for measured_key in self.measured_dirty:
            added = measured_key.hour < self.resident_from
            value = self.measured.pop(measured_key) if added else self.measured[measured_key]
            measured.append(MeasuredRow(measured_key, value, added))
        self.dirty, self.measured_dirty = set(), set()
        return usage, measured

    def let_go(self, before: int) -> None:
        """Hours before that one leave memory, unless all hours are wanted; nothing must be dirty."""
        if self.recalled or before <= self.resident_from:
            return
        self.resident_from = before
        self.changes = {key: row for key, row in self.changes.items() if key.hour >= before}
        self.measured = {key: value for key, value in self.measured.items() if key.hour >= before}


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


def stretches(changes: dict[int, tuple[int, int]], until: int) -> Iterator[tuple[int, int, int]]:
    """Usage, where there is any, of one shape and class before `until` (hours since 1970): equal hours in a row.

    `changes` are {hour: (rate, area)}; what comes is (first hour, how many, usage of each).
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
            yield hour, 1, usage
        rate += change
        between = min(following, until) - hour - 1
        if rate and between > 0:
            yield hour + 1, between, rate * HOUR_MS


def hourly(changes: dict[int, tuple[int, int]], until: int) -> Iterator[tuple[int, int]]:
    """The same hour by hour."""
    for first, times, usage in stretches(changes, until):
        for hour in range(first, first + times):
            yield hour, usage
