"""Whether a run looks like training: an ordinal score with reasons, in bands.

It is no probability, since it is calibrated on nothing, and it never lowers compute. Weights and sentences are in
`config/training_score.yaml`; what each feature means, in units, is here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from monitor.core.model import DAY_MS, HOUR_MS
from monitor.core.runs import Run
from monitor.core.segments import LAUNCH_MS, SEGMENT_MIN, Segment, Stay

PERCENT_MOST = 90
PERCENT_FLAT, PERCENT_UNEVEN = 90, 70  # the mean of what a segment holds, of its peak
NODE, SMALL = 8_000, 4_000  # thousandths of an accelerator
LARGE = 1_024_000
RESTARTS_MIN = 3
RESTART_SCALE_PERCENT = 125
QUARTERS = 4  # of a day
PERCENT_DAILY = 60  # a quarter of the day that is empty, of the fullest of that day
DAILY_MIN_MS = 3 * DAY_MS
RHYTHM_MIN = 2  # days: what happens once is no rhythm
CHANCE_MAX = 4  # allocations that may have started together without being one program
SCATTERED_MIN = 8  # allocations, of which fewer than half end with their segment
BUSY_PPM, IDLE_PPM = 250_000, 50_000
OCCUPIED_MS = 14 * DAY_MS
TRAINING = re.compile(r"(?<!s)train(?!ed)|fine.?tun(?!ed)|(?<![a-z])tuning")  # not: constrained, a trained model


class Band(StrEnum):
    """How much a run looks like training."""

    UNLIKELY = "unlikely"
    POSSIBLE = "possible"
    LIKELY = "likely"
    UNKNOWN = "unknown"


class Feature(NamedTuple):
    """What a feature weighs, in hundredths, and the sentence that says it."""

    weight: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights in force. Bands begin at these scores."""

    version: str
    digest: str
    likely: int
    possible: int
    features: Mapping[str, Feature]


class Training(NamedTuple):
    """The band, the score in hundredths and the sentences behind it."""

    band: Band
    score: int
    reasons: tuple[str, ...]


OCCUPANCY = "Held for weeks without a break, and nothing says what runs on it: a pool, or a run on one."


def training(run: Run, weights: Weights) -> Training:
    """How much a run looks like training."""
    if is_occupancy(run):
        return Training(Band.UNKNOWN, 0, (OCCUPANCY,))
    found = [weights.features[name] for name in FEATURES if FEATURES[name](run)]
    score = sum(feature.weight for feature in found)
    band = Band.LIKELY if score >= weights.likely else Band.POSSIBLE if score >= weights.possible else Band.UNLIKELY
    found.sort(key=lambda feature: -abs(feature.weight))
    return Training(band, score, tuple(feature.sentence for feature in found))


def is_occupancy(run: Run) -> bool:
    """Whether a run is a long-lived pool, seen without anything that runs on it."""
    traits = {stay.traits for stay in _stays(run)}
    return (
        len(run.segments) == 1
        and run.end - run.start >= OCCUPIED_MS
        and all(one.job is None and one.image is None and one.purpose is None for one in traits)
        and _activity(run) is None
    )


def _by_chance(segment: Segment) -> int:
    """A segment's accelerator-time, if it is a few small allocations that name neither job nor reservation."""
    small = segment.peak < len(segment.allocations) * SEGMENT_MIN
    few = 1 < len(segment.allocations) <= CHANCE_MAX and small
    return segment.accelerator_us if few and not segment.evidence.jobs and not segment.evidence.reservations else 0


def _busy_ms(run: Run) -> int:
    return sum(segment.end - segment.start for segment in run.segments)


def _most(run: Run, part: Callable[[Segment], int], percent: int = PERCENT_MOST) -> bool:
    """Whether a part of each segment's accelerator-time makes up so much of the run's."""
    return sum(map(part, run.segments)) * 100 >= percent * run.accelerator_us


def _starts_with(segment: Segment) -> int:
    """A segment's accelerator-time, if all that it holds starts with it."""
    first: dict[str, int] = {}
    for part in segment.parts:
        first[part.allocation] = min(first.get(part.allocation, part.start), part.start)
    return segment.accelerator_us if max(first.values()) - segment.start <= LAUNCH_MS else 0


def _ends_alone(segment: Segment) -> int:
    """A segment's accelerator-time, if most of the many allocations in it end before it does."""
    last: dict[str, int] = {}
    for part in segment.parts:
        last[part.allocation] = max(last.get(part.allocation, part.end), part.end)
    with_it = sum(segment.end - end <= LAUNCH_MS for end in last.values())
    return segment.accelerator_us if len(last) >= SCATTERED_MIN and 2 * with_it < len(last) else 0


def _in_allocations(segment: Segment, fits: Callable[[int], bool]) -> int:
    """Accelerator-time of the allocations whose mean scale fits, in thousandths."""
    area: dict[str, int] = {}
    length: dict[str, int] = {}
    for name, start, end, accelerators, _ in segment.parts:
        area[name] = area.get(name, 0) + accelerators * (end - start)
        length[name] = length.get(name, 0) + end - start
    return sum(area[name] for name in area if fits(area[name] // length[name]))


def _flatness(run: Run) -> int:
    """The mean of what segments hold, in per cent of their peaks, weighed by time."""
    held = sum(segment.accelerator_us for segment in run.segments)
    peaks = sum(segment.peak * (segment.end - segment.start) for segment in run.segments)
    return held * 100 // peaks


def _is_daily(run: Run) -> bool:
    """Whether one quarter of the day has much less than the fullest one on two of three days, over three days or more.

    Only whole days count, and only those on which something was held.
    """
    if run.end - run.start < DAILY_MIN_MS:
        return False
    days: dict[int, list[int]] = {}
    step = DAY_MS // QUARTERS
    for segment in run.segments:
        for start, end, level in _levels(segment):
            time = start
            while time < end:
                until = min(end, (time // step + 1) * step)
                day, quarter = divmod(time // step, QUARTERS)
                days.setdefault(day, [0] * QUARTERS)[quarter] += (until - time) * level
                time = until
    whole = [quarters for day, quarters in days.items() if run.start <= day * DAY_MS and (day + 1) * DAY_MS <= run.end]
    most = max(
        sum(quarters[one] * 100 < PERCENT_DAILY * max(quarters) for quarters in whole) for one in range(QUARTERS)
    )
    return most >= RHYTHM_MIN and 3 * most >= 2 * len(whole)


def _levels(segment: Segment) -> Iterator[tuple[int, int, int]]:
    """What a segment holds over time: start, end and thousandths of an accelerator."""
    steps: dict[int, int] = {}
    for part in segment.parts:
        steps[part.start] = steps.get(part.start, 0) + part.accelerators
        steps[part.end] = steps.get(part.end, 0) - part.accelerators
    level = 0
    for start, end in pairwise(sorted(steps)):
        level += steps[start]
        yield start, end, level


def _restarts(run: Run) -> int:
    scales = [segment.scale for segment in run.segments]
    return sum(
        link.gap <= 6 * HOUR_MS and max(one, other) * 100 <= RESTART_SCALE_PERCENT * min(one, other)
        for link, one, other in zip(run.links, scales, scales[1:], strict=False)
    )


def _shares(run: Run) -> bool:
    return bool(run.links) and 2 * sum(bool(link.shared) for link in run.links) >= len(run.links)


def _stays(run: Run) -> Iterator[Stay]:
    return (part.stay for segment in run.segments for part in segment.parts)


def _fabrics(run: Run) -> set[str | None]:
    return {stay.shape.fabric for stay in _stays(run)}


def _purposes(run: Run) -> set[str]:
    traits = {stay.traits for stay in _stays(run)}
    return {one.purpose.casefold() for one in traits if one.purpose is not None}


def _calls_it_training(run: Run) -> bool:
    return any(TRAINING.search(purpose) for purpose in _purposes(run))


def _activity(run: Run) -> int | None:
    """Mean tensor activity in parts per million over what was measured, if a tenth of the run was."""
    usage = sum(segment.measured_us for segment in run.segments)
    if usage * 10 < run.accelerator_us:
        return None
    return sum(segment.active_us_ppm for segment in run.segments) // usage


def _measured(run: Run, fits: Callable[[int], bool]) -> bool:
    activity = _activity(run)
    return activity is not None and fits(activity)


FEATURES: Mapping[str, Callable[[Run], bool]] = {
    "together": lambda run: _most(run, _starts_with),
    "scattered": lambda run: _most(run, _ends_alone, 50),
    "nodes": lambda run: _most(run, lambda segment: _in_allocations(segment, lambda scale: scale >= NODE)),
    "pieces": lambda run: _most(run, lambda segment: _in_allocations(segment, lambda scale: scale < SMALL), 50),
    "chance": lambda run: _most(run, _by_chance, 50),
    "days": lambda run: _busy_ms(run) >= 3 * DAY_MS,
    "weeks": lambda run: _busy_ms(run) >= 14 * DAY_MS,
    "hours": lambda run: _busy_ms(run) < DAY_MS,
    "flat": lambda run: _flatness(run) >= PERCENT_FLAT,
    "uneven": lambda run: _flatness(run) < PERCENT_UNEVEN,
    "daily": _is_daily,
    "restarts": lambda run: _restarts(run) >= RESTARTS_MIN,
    "same": _shares,
    "fabric": lambda run: len(_fabrics(run)) == 1 and None not in _fabrics(run),
    "large": lambda run: run.peak >= LARGE,
    "declared": _calls_it_training,
    "otherwise": lambda run: bool(_purposes(run)) and not _calls_it_training(run),
    "busy": lambda run: _measured(run, lambda activity: activity >= BUSY_PPM),
    "idle": lambda run: _measured(run, lambda activity: activity < IDLE_PPM),
}
