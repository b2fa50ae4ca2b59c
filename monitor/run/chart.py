"""A tenant as a picture: what its allocations have held, and what that may have computed, against thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from monitor.core.blind import Blind
from monitor.core.bounds import ZERO, Bounds
from monitor.core.catalogue import Catalogue
from monitor.core.estimate import SCALE, TenantHour
from monitor.core.findings import Finding
from monitor.core.model import HOUR_MS, OPEN
from monitor.core.policy import Measure
from monitor.core.segments import Holding
from monitor.draw.runs import Bar, CumulativePoint, Strength, Threshold, runs_picture
from monitor.draw.runs import Blind as Unseen

BARS_MAX = 60  # on a page; more are merged, since each takes some 400 bytes
ROWS_MAX = 12  # of the numbers that stand below the picture
RULES_MAX = 2  # that are named at one threshold


class Chart(NamedTuple):
    """The picture as SVG, and some of its numbers for whoever cannot see it."""

    svg: str
    rows: tuple[CumulativePoint, ...]


def chart(
    title: str,
    bars: Sequence[Bar],
    hours: Sequence[TenantHour],
    thresholds: Iterable[Threshold],
    blind: Iterable[Blind],
    now: int,
) -> Chart:
    """What was held, and the range of FLOP since the first hour, up to `now`."""
    points = _points(hours, now)
    first = min([bar.start_ms for bar in bars] + [point.time_ms for point in points], default=now)
    unseen = [
        Unseen(max(one.start, first), now if one.end is None else min(one.end, now), one.cause)
        for one in blind
        if one.touches(first, now)
    ]
    picture = runs_picture(title, bars, points, thresholds, unseen, BARS_MAX)
    return Chart(picture, tuple(_rows(points)))


def bars_of(holdings: Iterable[Holding], catalogue: Catalogue, now: int, named: bool) -> list[Bar]:
    """A bar for each stretch in which an allocation held the same; `named`: with its name."""
    found: list[Bar] = []
    for one in holdings:
        label, own = one.allocation if named else "", list[Bar]()
        for stay in one.held:
            per_unit = catalogue.resolve(stay.shape.hardware, stay.shape.unit, now).per_unit
            accelerators = -(-stay.count * per_unit // 10**6)  # of thousandths of units; a part counts as one
            strength = Strength.OPEN if stay.usage_class == OPEN else Strength.HELD
            bar = Bar(label, stay.start, stay.end, accelerators, strength)
            if own and _goes_on(own[-1], bar):
                bar = own.pop()._replace(end_ms=bar.end_ms)
            own.append(bar)
        found += own
    return found


def _goes_on(before: Bar, bar: Bar) -> bool:
    return before == bar._replace(start_ms=before.start_ms, end_ms=before.end_ms) and before.end_ms == bar.start_ms


def thresholds_of(findings: Iterable[Finding], otherwise: Iterable[int]) -> list[Threshold]:
    """The thresholds of what was found in FLOP, each with its rules; where nothing was, some others without a name."""
    rules: dict[int, list[str]] = {}
    for finding in findings:
        if finding.measure == Measure.MODEL_FLOP:
            rules.setdefault(finding.threshold, []).append(finding.rule)
    if not rules:
        return [Threshold("", flop) for flop in otherwise]
    return [Threshold(_named(sorted(set(names))), flop) for flop, names in sorted(rules.items())]


def _named(rules: Sequence[str]) -> str:
    rest = len(rules) - RULES_MAX
    return ", ".join(rules[:RULES_MAX]) + (f" and {rest} more" if rest > 0 else "")


def _points(hours: Sequence[TenantHour], now: int) -> list[CumulativePoint]:
    """The sums so far where they begin and cease to grow evenly."""
    total, points = ZERO, list[CumulativePoint]()
    for one in hours:
        start, end = one.hour * HOUR_MS, (one.hour + one.times) * HOUR_MS
        points.append(_point(start, total))
        total = total.plus(Bounds(*(bound * one.times for bound in one.everything)))
        points.append(_point(min(end, now), total))
    return sorted(set(points))


def _point(at: int, total: Bounds) -> CumulativePoint:
    low, central, high, _ = total.divided(SCALE)
    return CumulativePoint(at, low, central, high)


def _rows(points: Sequence[CumulativePoint]) -> Iterator[CumulativePoint]:
    """The last point in each of so many equal parts of the time."""
    if not points:
        return
    first, span = points[0].time_ms, points[-1].time_ms - points[0].time_ms + 1
    parts = [(point.time_ms - first) * ROWS_MAX // span for point in points]
    for point, part, following in zip(points, parts, [*parts[1:], -1], strict=True):
        if part != following:
            yield point
