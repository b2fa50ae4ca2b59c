"""How well bounds predict published runs: predictions by the daemon's own arithmetic, and their scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import exp, log
from random import Random
from typing import NamedTuple

from bench.accuracy.fit import CHOSEN, Choices, Shares, by_generation, fit, shares_of, widened
from bench.accuracy.runs import SECONDS_AN_HOUR, Run
from monitor.core.bounds import Bounds
from monitor.core.catalogue import ONE_ACCELERATOR, Catalogue
from monitor.core.estimate import SCALE, Estimator, HourUsage
from monitor.core.ledger import NOT_MEASURED
from monitor.core.model import SECOND_MS
from monitor.core.priors import PPM, Priors, Quantiles
from monitor.draw.scatter import Estimate
from monitor.reference.calibrations import calibrated

THRESHOLDS = tuple(10 ** (22 + step / 10) for step in range(21))  # 1e22 to 1e24
UNDER, OVER = 0.025, 0.975  # "under 5" and "over 95 per cent", as numbers
MISS = 2 / 0.1  # what a miss costs a 90 per cent interval
SAMPLES = 1_000


@dataclass(frozen=True)
class Predicted:
    """A run and its bounds."""

    run: Run
    flop: Bounds
    weight: float = 1.0

    @cached_property
    def error(self) -> float:
        """The factor by which central misses, in the logarithm."""
        return abs(log(self.flop.central / self.run.flop))

    @cached_property
    def covered(self) -> bool:
        """Whether what was published lies between low and high."""
        return self.flop.low <= self.run.flop <= self.flop.high

    @cached_property
    def width(self) -> float:
        """High over low, in the logarithm."""
        return log(self.flop.high / self.flop.low)

    @cached_property
    def interval_score(self) -> float:
        """Winkler's score of the 90 per cent interval, in the logarithm: the less the better."""
        beyond = max(0.0, log(self.flop.low / self.run.flop), log(self.run.flop / self.flop.high))
        return self.width + MISS * beyond

    @cached_property
    def brier(self) -> float:
        """The mean squared error of P(FLOP >= T) over the thresholds."""
        errors = ((reaches(self.flop, at) - (self.run.flop >= at)) ** 2 for at in THRESHOLDS)
        return sum(errors) / len(THRESHOLDS)


class Scores(NamedTuple):
    """What is said of a set of predictions."""

    runs: int
    median: float  # factor error
    ninetieth: float
    coverage: float
    width: float
    interval_score: float
    brier: float


Predictor = Callable[[Run], Bounds]
Method = Callable[[Sequence[Run]], Predictor]  # from the runs that may be learnt from


def reaches(flop: Bounds, threshold: float) -> float:
    """P(FLOP >= threshold) by the daemon's rule; of a point, all or nothing."""
    if flop.low == flop.high:
        return float(flop.central >= threshold)
    if threshold <= flop.low:
        return OVER
    if threshold > flop.high:
        return UNDER
    if threshold <= flop.central:
        return 0.95 - 0.45 * log(threshold / flop.low) / log(flop.central / flop.low)
    return 0.5 - 0.45 * log(threshold / flop.central) / log(flop.high / flop.central)


def bounds(run: Run, catalogue: Catalogue, priors: Priors) -> Bounds:
    """What the daemon makes of the accelerator-hours of a run."""
    usage = run.accelerator_hours * SECONDS_AN_HOUR * SECOND_MS * ONE_ACCELERATOR
    return Estimator(catalogue, priors).flop(run.hardware, HourUsage(usage, 0, 0, NOT_MEASURED)).divided(SCALE)


def constant(catalogue: Catalogue, base: Priors, shares: Shares) -> Method:
    """The same shares for every run, whatever its format."""
    own = Quantiles(*shares, False, "")
    priors = replace(base, pooled=own, without_data=own, generations={}, fp8_high_factor_ppm=PPM)
    return lambda _: lambda run: bounds(run, catalogue, priors)


def priors_from(runs: Sequence[Run], base: Priors, choices: Choices = CHOSEN) -> Priors:
    """The priors fitted to some runs."""
    result = fit(runs, choices)
    pooled = shares_of(result.pooled)
    return replace(
        base,
        pooled=Quantiles(*pooled, False, ""),
        without_data=Quantiles(*widened(pooled), True, ""),
        generations={name: Quantiles(*shares, False, "") for name, shares in by_generation(result).items()},
    )


def flopwatch(catalogue: Catalogue, base: Priors, choices: Choices = CHOSEN, format_is_seen: bool = True) -> Method:
    """The fitted priors. Where the format is not seen, high allows for FP8 on chips that have it: the daemon's way."""

    def method(others: Sequence[Run]) -> Predictor:
        fitted = priors_from(others, base, choices)
        sixteen_bits = replace(fitted, fp8_high_factor_ppm=PPM)
        return lambda run: bounds(run, catalogue, sixteen_bits if format_is_seen and not run.fp8 else fitted)

    return method


def left_out(runs: Sequence[Run], method: Method, group: str = "family") -> list[Predicted]:
    """Each run, predicted from the runs of all other families or developers."""
    names = {getattr(run, group) for run in runs}
    predictors = {name: method([run for run in runs if getattr(run, group) != name]) for name in names}
    return [Predicted(run, predictors[getattr(run, group)](run)) for run in runs]


def with_an_earlier_run(runs: Sequence[Run], catalogue: Catalogue, base: Priors) -> list[Predicted]:
    """Each run, predicted from other families and one other run of its own on its generation, each of them in turn."""
    predicted = []
    for run in runs:
        siblings = [
            one for one in runs if one is not run and (one.family, one.generation) == (run.family, run.generation)
        ]
        if not siblings:
            continue
        priors = priors_from([one for one in runs if one.family != run.family], base)
        if not run.fp8:
            priors = replace(priors, fp8_high_factor_ppm=PPM)
        for one in siblings:
            own = calibrated(priors, {run.generation: [round(one.share * PPM)]})
            predicted.append(Predicted(run, bounds(run, catalogue, own), 1 / len(siblings)))
    return predicted


def scores(predicted: Sequence[Predicted]) -> Scores:
    """The scores of predictions, by their weights."""
    total = sum(one.weight for one in predicted)

    def mean(values: Iterable[float]) -> float:
        return sum(value * one.weight for value, one in zip(values, predicted, strict=True)) / total

    return Scores(
        round(total),
        exp(quantile(predicted, 0.5)),
        exp(quantile(predicted, 0.9)),
        mean(one.covered for one in predicted),
        mean(one.width for one in predicted),
        mean(one.interval_score for one in predicted),
        mean(one.brier for one in predicted),
    )


def quantile(predicted: Sequence[Predicted], probability: float) -> float:
    """A quantile of the errors, interpolated between their middles of weight."""
    ordered = sorted((one.error, one.weight) for one in predicted)
    total = sum(weight for _, weight in ordered)
    places, done = [], 0.0
    for _, weight in ordered:
        places.append(done + weight / 2)
        done += weight
    span = places[-1] - places[0]
    at = places[0] + probability * span if span else total
    for (place, (error, _)), (beyond, (greater, _)) in zip(
        zip(places, ordered, strict=True), zip(places[1:], ordered[1:], strict=True), strict=False
    ):
        if at <= beyond:
            return error + (greater - error) * (at - place) / (beyond - place)
    return ordered[-1][0]


def intervals(predicted: Sequence[Predicted], seed: int = 29) -> tuple[Scores, Scores]:
    """The 5 and 95 per cent quantiles of each score, where families are drawn anew."""
    families: dict[str, list[Predicted]] = {}
    for one in predicted:
        families.setdefault(one.run.family, []).append(one)
    names, random = sorted(families), Random(seed)
    drawn = [
        scores([one for name in random.choices(names, k=len(names)) for one in families[name]]) for _ in range(SAMPLES)
    ]
    columns = [sorted(column) for column in zip(*drawn, strict=True)]
    low, high = ([column[int(SAMPLES * share)] for column in columns] for share in (0.05, 0.95))
    return Scores(*low), Scores(*high)


def points(runs: Sequence[Run], catalogue: Catalogue, base: Priors) -> list[Estimate]:
    """Each run as published and as predicted without its family, for a scatter picture."""
    return [
        Estimate(one.run.name, one.run.generation, one.run.flop, *one.flop[:3])
        for one in left_out(runs, flopwatch(catalogue, base))
    ]
