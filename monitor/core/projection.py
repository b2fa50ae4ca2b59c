"""When a threshold may be crossed: P(reached by then) in 30 and 90 days (accounting rules, section 6).

What is held now goes on as it is, until the stated end of its reservation; where none is stated, for as long as
published runs of that scale went on that had lasted as long. The scale is that of what has been computed so far, never
of the threshold: a higher threshold must not be likelier for being compared with longer runs. A probability is in per
mille; nothing here raises a level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from monitor.core.book import Tenant
from monitor.core.bounds import ZERO, Bounds, probability, total
from monitor.core.estimate import CLASSES, SCALE, Estimator, HourUsage
from monitor.core.ledger import NOT_MEASURED
from monitor.core.model import CERTAIN, DAY_MS
from monitor.core.reservations import GRANTED, statements
from monitor.core.runs import Run
from monitor.core.timeline import Shape, tail

HORIZONS_DAYS = (30, 90)
NEVER = 0
STEP = 10  # per mille: the chance of each day is rounded down to it where ninety of them are averaged
WHOLE = 10**9
# The share of runs that last longer, at 0 and at the 5, 25, 50, 75 and 95 per cent quantiles of their durations.
LONGER = tuple(WHOLE // 100 * per_cent for per_cent in (100, 95, 75, 50, 25, 5))


class Scale(NamedTuple):
    """How long published runs above some compute lasted."""

    over_flop: int
    runs: int
    days: tuple[int, ...]  # the 5, 25, 50, 75 and 95 per cent quantiles, rising

    def longer_than(self, duration_ms: int) -> int:
        """The share of runs that last longer, in parts of WHOLE: straight between the quantiles.

        The longest twentieth has no known end.
        """
        knots = [(days * DAY_MS, share) for days, share in zip((0, *self.days), LONGER, strict=True)]
        for (start, more), (end, less) in pairwise(knots):
            if duration_ms < end:
                return more - (more - less) * max(duration_ms - start, 0) // (end - start)
        return LONGER[-1]


@dataclass(frozen=True, slots=True)
class Durations:
    """The published durations in force: scales from the smallest, at least one."""

    version: str
    digest: str
    source: str
    scales: tuple[Scale, ...]

    def of(self, flop: int) -> Scale:
        """The durations at the scale of so much compute; below the smallest scale those of the smallest."""
        return next((scale for scale in reversed(self.scales) if scale.over_flop <= flop), self.scales[0])


class HeldNow(NamedTuple):
    """Something held now: thousandths of a unit of a shape, and the class of the evidence for it."""

    shape: Shape
    units: int
    usage_class: str


class Projection(NamedTuple):
    """The chances that a total reaches a threshold, in per mille; NEVER: not as things are."""

    threshold_flop: int
    now: int
    by_days: dict[int, int]  # for each of HORIZONS_DAYS
    basis: str


def held_now(tenant: Tenant, now: int, heard: Callable[[str], int]) -> list[HeldNow]:
    """What a tenant holds at an instant, each with the evidence class of its latest part."""
    found = []
    for _, timeline in tenant.held():
        classes = [usage_class for usage_class, _, _ in tail(timeline, now, heard)]
        found.append(HeldNow(timeline.shape, timeline.units, classes[-1] if classes else CERTAIN))
    return found


def stated_end(tenant: Tenant, now: int) -> int | None:
    """When the last of a tenant's granted reservations ends; None: none that has an end is granted beyond now.

    Of several facts about one reservation the latest counts.
    """
    latest = (said[-1].said for said in statements(tenant, now).values())
    ends = (one.end for one in latest if one.state == GRANTED and one.end is not None and one.end > now)
    return max(ends, default=None)


def rate_a_day(held: Iterable[HeldNow], estimator: Estimator, now: int) -> Bounds:
    """FLOP a day of what is held, by the prior: presumed holdings count in central and high, open ones in high."""
    return total(
        estimator.flop(estimator.catalogue.resolve(one.shape.hardware, one.shape.unit, now), _day_of(one))
        for one in held
    ).divided(SCALE)


def _day_of(held: HeldNow) -> HourUsage:
    """The usage of one day, in the class of its evidence."""
    certain, presumed, unproven = (held.units * DAY_MS * (held.usage_class == each) for each in CLASSES)
    return HourUsage(certain, presumed, unproven, NOT_MEASURED)


def project(
    so_far: Bounds, a_day: Bounds, threshold_flop: int, now: int, since: int, end: int | None, durations: Durations
) -> Projection:
    """The chances that a total reaches a threshold.

    `since` is when the run began; `end` the stated end of its reservation, None: none is stated. An end that has
    passed while the accelerators are still held is none.
    """
    already = NEVER if so_far.ceiling < threshold_flop else probability(so_far, threshold_flop)
    by_days = {
        days: chance_within(days, so_far, a_day, threshold_flop, now, since, end, durations) for days in HORIZONS_DAYS
    }
    if not any(a_day):
        basis = "Nothing is held now."
    elif end is not None and end > now:
        basis = _until(end - now)
    else:
        basis = _as_published(durations.of(so_far.central), max(now - since, 0), durations)
    return Projection(threshold_flop, already, by_days, basis)


def chance_within(
    days: int,
    so_far: Bounds,
    a_day: Bounds,
    threshold: int,
    now: int,
    since: int,
    end: int | None,
    durations: Durations,
) -> int:
    """P(a total reaches a threshold within so many days), in per mille; the arguments are those of `project`."""
    if not any(a_day):
        return probability(so_far, threshold) if so_far.high >= threshold else NEVER
    if end is not None and end > now:
        return _chance(so_far, a_day, threshold, min(days * DAY_MS, end - now), 1)
    return _mean_chance(so_far, a_day, threshold, days, max(now - since, 0), durations.of(so_far.central))


def run_a_day(run: Run, now: int) -> Bounds:
    """FLOP a day of a run that goes on as its latest segment does; nothing of one that has ended."""
    last = max(run.segments, key=lambda segment: (segment.end, segment.id))
    if last.end < now:
        return ZERO
    return Bounds(*(bound * DAY_MS // ((last.end - last.start) * SCALE) for bound in last.flop))


def _chance(so_far: Bounds, a_day: Bounds, threshold_flop: int, lasting_ms: int, step: int) -> int:
    """P(total >= threshold) once what is held has gone on for a time."""
    more = Bounds(*(bound * lasting_ms // DAY_MS for bound in a_day))
    then = so_far.plus(more)
    return NEVER if then.ceiling < threshold_flop else probability(then, threshold_flop, step)


def _mean_chance(so_far: Bounds, a_day: Bounds, threshold_flop: int, days: int, age: int, scale: Scale) -> int:
    """The chance by a horizon, over how long runs of that scale and age go on: those that end on a day, at its noon."""
    going = whole = scale.longer_than(age)
    weighted = 0
    for day in range(days):
        still = scale.longer_than(age + (day + 1) * DAY_MS)
        chance = _chance(so_far, a_day, threshold_flop, day * DAY_MS + DAY_MS // 2, STEP)
        weighted += (going - still) * chance
        going = still
    return (weighted + going * _chance(so_far, a_day, threshold_flop, days * DAY_MS, STEP)) // whole


def _until(left_ms: int) -> str:
    return f"What is held now stays as it is until its reservation ends, {_days(left_ms)} from now, and then stops."


def _as_published(scale: Scale, age: int, durations: Durations) -> str:
    shortest, _, median, _, longest = scale.days
    return (
        f"No end is stated: what is held now goes on as published runs above {scale.over_flop:.0e} FLOP did that had "
        f"lasted {_days(age)}; half of {scale.runs} took {median} days or less, 90 per cent {shortest} to {longest} "
        f"(durations of {durations.version})."
    ).replace("e+", "e")


def _days(milliseconds: int) -> str:
    days = milliseconds // DAY_MS
    return "less than a day" if not days else "1 day" if days == 1 else f"{days} days"
