"""A run for people: its parts in words, and as a picture of what was held and what that may have computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from monitor.core.blind import Blind
from monitor.core.bounds import ZERO, Bounds
from monitor.core.engine import Reference
from monitor.core.estimate import SCALE
from monitor.core.likelihood import Training
from monitor.core.policy import Aggregation
from monitor.core.runs import Run
from monitor.draw.runs import Bar, CumulativePoint, Strength, Threshold, runs_picture
from monitor.draw.runs import Blind as Unseen

POINTS_MAX = 400  # of the cumulative line
THRESHOLDS_FLOP = (10**23, 10**24, 10**25, 10**26)


class TenantRun(NamedTuple):
    """A run, whose it is, and how much it looks like training."""

    tenant: str
    run: Run
    training: Training


class RunStory(NamedTuple):
    """A run with everything that a picture or an explanation of it needs."""

    found: TenantRun
    others: tuple[TenantRun, ...]  # of the same tenant, by start
    blind: tuple[Blind, ...]  # of the books that its facts came to
    as_of: int
    thresholds: tuple[int, ...]  # FLOP, of the rules on one tenant that are in force, or else of the ladder


def story_of(
    name: str, found: Sequence[TenantRun], blind: Iterable[Blind], reference: Reference, as_of: int
) -> RunStory | None:
    """The run that a segment's id or a tenant's name leads to (a tenant's largest one), if there is one."""
    chosen = [one for one in found if one.tenant == name] or [
        one for one in found if any(segment.id == name for segment in one.run.segments)
    ]
    if not chosen:
        return None
    run = max(chosen, key=lambda one: (one.run.flop.central, one.run.id))
    others = tuple(one for one in found if one.tenant == run.tenant and one.run.id != run.run.id)
    thresholds = tuple(reference.thresholds(Aggregation.TENANT, as_of))
    return RunStory(run, others, tuple(blind), as_of, thresholds or THRESHOLDS_FLOP)


def story_of_run(of_tenant: RunStory, run: str) -> RunStory | None:
    """The story of another run of the same tenant, by any of its segments; None: there is none."""
    found = (of_tenant.found, *of_tenant.others)
    chosen = next((one for one in found if any(segment.id == run for segment in one.run.segments)), None)
    if chosen is None:
        return None
    return of_tenant._replace(found=chosen, others=tuple(one for one in found if one is not chosen))


def picture(story: RunStory) -> str:
    """The run as SVG: its allocations over time, those that may belong to it, and the cumulative range."""
    run = story.found.run
    bars = _bars(run, Strength.STRONG)
    for other in story.others:
        if other.run.id in run.chain:
            bars += _bars(other.run, Strength.WEAK)
        elif other.run.start < run.end and other.run.end > run.start:
            bars += _bars(other.run, Strength.CONCURRENT)
    end = run.end
    unseen = [
        Unseen(max(one.start, run.start), min(story.as_of if one.end is None else one.end, end), one.cause)
        for one in story.blind
        if one.touches(run.start, end)
    ]
    return runs_picture(
        f"Run {run.id} of {story.found.tenant}",
        bars,
        _cumulative(run),
        [Threshold("", flop) for flop in story.thresholds],
        unseen,
    )


def _bars(run: Run, strength: Strength) -> list[Bar]:
    return [
        Bar(part.allocation, part.start, part.end, part.accelerators // 1_000, strength)
        for segment in run.segments
        for part in segment.parts
    ]


def _cumulative(run: Run) -> list[CumulativePoint]:
    """The range over time: within a segment it grows evenly."""
    steps = max(1, POINTS_MAX // len(run.segments))
    total, points = ZERO, []
    for segment in run.segments:
        for step in range(steps + 1):
            time = segment.start + (segment.end - segment.start) * step // steps
            part = Bounds(*(bound * step // steps for bound in segment.flop))
            low, central, high, _ = total.plus(part).divided(SCALE)
            points.append(CumulativePoint(time, low, central, high))
        total = total.plus(segment.flop)
    return points
