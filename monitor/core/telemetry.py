"""What became of telemetry: why a sample measured nothing, or less than it says, and where it contradicts power.

Only for people who ask; nothing here moves a bound. Power says whether a chip worked hard, to a third or so, and not at
what: near its rated power with idle tensor pipes it may do other work (FP64, mining, memory-bound inference), or its
counters are wrong. Busy tensor pipes at the power of a resting chip can only be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from monitor.core.model import HOUR_MS, Kind, Observation, Sample
from monitor.core.timeline import Anomaly, Measurement

PPM = 1_000_000
# Training draws 70 to 100 per cent of the rated power, memory-bound inference 60 to 80, a resting chip 10 to 20.
IDLE_PPM_MAX = 20_000  # of tensor activity
BUSY_PPM_MIN = 300_000
NEAR_RATED_PPM_MIN = 850_000  # of the rated power
RESTING_PPM_MAX = 250_000
SUSTAINED_MS = HOUR_MS  # of measured windows in a row that say the same

IDLE_AT_POWER = "telemetry contradicts power (tensor pipes idle near the rated power for an hour)"
BUSY_AT_REST = "telemetry contradicts power (tensor pipes busy at the power of a resting chip for an hour)"


class Sampled(NamedTuple):
    """One sample that counts as a fact, and what it measured."""

    fact: Observation
    sample: Sample
    measured: Measurement | None


def sampled(facts: Iterable[Observation], measurements: Iterable[Measurement]) -> Iterator[Sampled]:
    """The samples of an allocation's facts in the order of the books, each with what the fold made of it."""
    by_end = {measurement.end: measurement for measurement in measurements}
    for fact in sorted(facts, key=lambda one: (one.time, one.source, one.id)):
        sample = fact.body
        if fact.kind is Kind.TELEMETRY and isinstance(sample, Sample):
            yield Sampled(fact, sample, by_end.pop(fact.time, None) if _may_measure(sample) else None)


def _may_measure(sample: Sample) -> bool:
    return sample.provider and sample.tensor_active_ppm is not None and "accelerators_covered" not in sample.unknown


def notes(one: Sampled) -> tuple[str, ...]:
    """What a person should know of a sample, a sentence each."""
    sample, measured = one.sample, one.measured
    found = [f"{name} is nothing that hardware can have: it is unknown, not zero." for name in sample.unknown]
    if not sample.provider:
        found.append("The tenant could have made it: it moves no bound.")
    elif sample.tensor_active_ppm is None:
        found.append("Tensor activity is unknown: this time keeps the prior.")
    elif "accelerators_covered" in sample.unknown:
        found.append("How many accelerators it covers is unknown: this time keeps the prior.")
    elif measured is None:
        found.append(
            "It measures nothing: nothing was held in its window, nothing is covered, or another has the time."
        )
    else:
        counted_ms = measured.end - measured.start
        if counted_ms < sample.window_ms:
            found.append(
                f"{counted_ms // 1_000} of its {sample.window_ms // 1_000} seconds count: in the rest other hardware "
                "or nothing was held, or another window has it."
            )
        if measured.clock_khz is None:
            found.append("The SM clock is unknown: taken as that of the stated peak.")
    return tuple(found)


def contradictions(many: Iterable[Sampled], rated_mw: Callable[[Measurement], int | None]) -> list[Anomaly]:
    """Where power and tensor activity cannot both be true for an hour; each stretch is told once.

    `rated_mw` gives the rated power of what was measured in milliwatts; None: not known.
    """
    found: list[Anomaly] = []
    saying, lasted_ms = "", 0
    for fact, sample, measured in many:
        rated = None if measured is None or sample.power_mw is None else rated_mw(measured)
        if measured is None or sample.power_mw is None or rated is None:
            continue
        verdict = _verdict(measured.active_ppm, sample.power_mw * PPM // rated)
        if verdict != saying:
            saying, lasted_ms = verdict, 0
        before_ms, lasted_ms = lasted_ms, lasted_ms + measured.end - measured.start
        if verdict and before_ms < SUSTAINED_MS <= lasted_ms:
            found.append(Anomaly(verdict, fact.time, fact.source, fact.id))
    return found


def _verdict(active_ppm: int, power_ppm: int) -> str:
    if active_ppm <= IDLE_PPM_MAX and power_ppm >= NEAR_RATED_PPM_MIN:
        return IDLE_AT_POWER
    if active_ppm >= BUSY_PPM_MIN and power_ppm <= RESTING_PPM_MAX:
        return BUSY_AT_REST
    return ""
