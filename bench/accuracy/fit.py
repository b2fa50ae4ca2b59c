"""The priors from the published runs: decisions 29 and 30 as code, and `config/priors.yaml` written from it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import exp
from pathlib import Path
from typing import NamedTuple

from bench.accuracy.beta import Beta, fitted
from bench.accuracy.runs import Run
from monitor.core.priors import PPM

GROUPS = {  # generations of one kind, which share a fit, and what they are called
    "V100 and TPU v3": ("volta", "tpu_v3"),
    "A100, A800 and TPU v4": ("ampere", "tpu_v4"),
    "H100, H800, H200 and GH200": ("hopper",),
}
METERED = "A"  # quality of hours
FAMILIES_MIN = 3  # a group with fewer stands on no data of its own
OTHERS_VOTES = 2.0  # what all families of other groups weigh together
ROUNDED_HOURS = 0.5  # a run with rounded hours against one with metered hours, which a provider has
FAMILY_POWER = 0.5  # a family of n runs has n to this power votes
WIDE = 0.6  # standard deviation of the logarithm where no run of a generation is published
Z95 = 1.6448536269514722
PROBABILITIES = (0.05, 0.5, 0.95)


class Choices(NamedTuple):
    """What is chosen and not fitted."""

    others_votes: float = OTHERS_VOTES
    rounded_hours: float = ROUNDED_HOURS
    family_power: float = FAMILY_POWER


CHOSEN = Choices()
FIRST = Choices(4.0, 1.0, 0.0)  # as decision 29 named them, before anything was fitted


class Fit(NamedTuple):
    """Distributions of the realised share; groups without data of their own are not among them."""

    pooled: Beta
    groups: dict[str, Beta]


class Shares(NamedTuple):
    """Low, central and high as parts per million."""

    low_ppm: int
    central_ppm: int
    high_ppm: int


def votes(runs: Sequence[Run], choices: Choices = CHOSEN) -> list[tuple[float, float]]:
    """Each run's share and its weight: a family's votes are divided among its runs."""
    sizes = Counter(run.family for run in runs)
    return [
        (
            run.share,
            (1.0 if run.hours_quality == METERED else choices.rounded_hours)
            * sizes[run.family] ** (choices.family_power - 1),
        )
        for run in runs
    ]


def fit(runs: Sequence[Run], choices: Choices = CHOSEN) -> Fit:
    """The pooled fit, and one of each group with enough families."""
    groups: dict[str, Beta] = {}
    for name, generations in GROUPS.items():
        own = [run for run in runs if run.generation in generations]
        if len({run.family for run in own}) >= FAMILIES_MIN:
            others = votes([run for run in runs if run.generation not in generations], choices)
            part = choices.others_votes / sum(weight for _, weight in others)
            groups[name] = fitted([*votes(own, choices), *((share, weight * part) for share, weight in others)])
    return Fit(fitted(votes(runs, choices)), groups)


def shares_of(beta: Beta) -> Shares:
    """The quantiles of a distribution."""
    return Shares(*(round(beta.quantile(probability) * PPM) for probability in PROBABILITIES))


def widened(pooled: Shares) -> Shares:
    """The pooled median, scattered as widely as a generation without data may be."""
    factor = exp(Z95 * WIDE)
    return Shares(round(pooled.central_ppm / factor), pooled.central_ppm, min(PPM, round(pooled.central_ppm * factor)))


def by_generation(result: Fit) -> dict[str, Shares]:
    """The quantiles of each generation that has data."""
    return {
        generation: shares_of(result.groups[name])
        for name, generations in GROUPS.items()
        if name in result.groups
        for generation in generations
    }


def write_priors(path: Path, runs: Sequence[Run], version: str) -> None:
    """Put the fitted quantiles and their bases into the file of priors; all else in it stays, comments included."""
    result = fit(runs)
    pooled = shares_of(result.pooled)
    wide = widened(pooled)
    told = _told(result.pooled)
    families = len({run.family for run in runs})
    years = sorted(run.year for run in runs)
    own = sorted(run.share for run in runs)
    blocks = {
        "version:": f'version: "{version}"',
        "fitted_to:": (
            "fitted_to: >-\n"
            f"  {len(runs)} published training runs of {families} families, {years[0]} to {years[-1]}, whose hours do "
            "not follow from their FLOP, counted as\n"
            f"  6ND (bench/accuracy/runs.csv): median {own[len(own) // 2]:.3f}, from {own[0]:.2f} to {own[-1]:.2f}."
        ),
        "pooled:": f"pooled: {_inline(pooled, f'{told} over {len(runs)} published runs')}",
        "without_data:": (
            f"without_data:\n  low_ppm: {wide.low_ppm:_}\n  central_ppm: {wide.central_ppm:_}\n"
            f"  high_ppm: {wide.high_ppm:_}\n  extrapolated: true\n"
            f'  basis: "no published run of this generation: {told} over {len(runs)} runs of others, widened to {WIDE} '
            'in the logarithm"'
        ),
    }
    for name, beta in result.groups.items():
        number = sum(run.generation in GROUPS[name] for run in runs)
        basis = f"{_told(beta)} over {number} runs on {name}, shrunk to the pooled fit"
        for generation in GROUPS[name]:
            blocks[f"  {generation}:"] = f"  {generation}:\n    {_inline(shares_of(beta), basis)}"
    text = path.read_text(encoding="utf-8")
    for key, block in blocks.items():
        text = _replaced(text, key, block)
    path.write_text(text, encoding="utf-8")


def _replaced(text: str, key: str, block: str) -> str:
    """The text with what stands under one key, up to the next line that is not inside it, written anew."""
    indent = len(key) - len(key.lstrip())
    pattern = rf"(?m)^{re.escape(key)}.*\n(?:[ ]{{{indent + 1},}}.*\n)*"
    found, count = re.subn(pattern, lambda _: block + "\n", text)
    if count != 1:
        raise ValueError(f"The file of priors has '{key}' {count} times.")
    return found


def _inline(shares: Shares, basis: str) -> str:
    numbers = ", ".join(f"{name}: {value:_}" for name, value in shares._asdict().items())
    return f'{{{numbers}, basis: "{basis}"}}'


def _told(beta: Beta) -> str:
    return f"Beta({beta.a:.2f}, {beta.b:.2f})"
