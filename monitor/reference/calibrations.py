"""Earlier runs of tenants: `config/calibrations.yaml` -> `monitor.core.priors.Calibrations`, and what they say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from math import exp, log, sqrt
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from monitor.core.priors import PPM, Calibrations, Priors, Quantiles
from monitor.errors import ReferenceProblem
from monitor.reference.reading import digest_of, label, read_document

FILE = "calibrations.yaml"
STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)
Text = Annotated[str, Field(min_length=1)]
Z95 = 1.6448536269514722  # standard deviations from the median to low and to high


class _Calibration(BaseModel):
    """What one earlier run of a tenant realised."""

    model_config = STRICT
    tenant: Text
    generation: Text
    utilisation_ppm: Annotated[int, Field(gt=0, le=PPM)]
    date: date
    source: Text


class _Document(BaseModel):
    """`calibrations.yaml`."""

    model_config = STRICT
    version: Text
    calibrations: tuple[_Calibration, ...] = Field(strict=False)


def load_calibrations(root: Path, priors: Priors, generations: Collection[str]) -> Calibrations:
    """The calibrations under a configuration folder, for these priors and the generations of the catalogue.

    Raises:
        ReferenceProblem: with the first thing that is wrong; none is dropped.
    """
    path = root / FILE
    document = read_document(path, _Document)
    earlier: dict[str, dict[str, list[int]]] = {}
    for place, row in enumerate(document.calibrations):
        if row.generation not in generations:
            raise ReferenceProblem(
                f"{label(path)}: calibrations.{place}.generation: no accelerator of the catalogue is of generation "
                f"'{row.generation}'; correct it there."
            )
        earlier.setdefault(row.tenant, {}).setdefault(row.generation, []).append(row.utilisation_ppm)
    tenants = {name: calibrated(priors, by_generation) for name, by_generation in earlier.items()}
    return Calibrations(document.version, digest_of(document.model_dump(mode="json")), tenants)


def calibrated(priors: Priors, earlier: Mapping[str, Sequence[int]]) -> Priors:
    """The priors of somebody whose earlier runs realised these shares (ppm), by generation."""
    moved = {
        generation: posterior(priors.of(generation), shares, priors.earlier_scatter_ppm)
        for generation, shares in earlier.items()
    }
    return replace(priors, generations={**priors.generations, **moved})


def posterior(prior: Quantiles, earlier_ppm: Sequence[int], scatter_ppm: int) -> Quantiles:
    """A prior after at least one earlier run: log-normal conjugate, in which what is known to scatter is `scatter_ppm`.

    The rest of the prior's variance is between tenants, half of the scatter's at least, so that a run always weighs a
    third. The prior's skew stays: both distances from the median shrink by the same factor.
    """
    low, central, high = (log(ppm / PPM) for ppm in (prior.low_ppm, prior.central_ppm, prior.high_ppm))
    within = (scatter_ppm / PPM) ** 2
    between = max(((high - low) / (2 * Z95)) ** 2 - within, within / 2)
    precision = 1 / between + len(earlier_ppm) / within
    median = (central / between + sum(log(ppm / PPM) for ppm in earlier_ppm) / within) / precision
    factor = sqrt((1 / precision + within) / (between + within))
    logarithms = (median - (central - low) * factor, median, median + (high - central) * factor)
    low_ppm, central_ppm, high_ppm = (min(PPM, max(1, round(PPM * exp(value)))) for value in logarithms)
    runs = "1 earlier run" if len(earlier_ppm) == 1 else f"{len(earlier_ppm)} earlier runs"
    basis = f"own: {runs} at {', '.join(f'{share / PPM:.3f}' for share in earlier_ppm)}, over {prior.basis}"
    return Quantiles(low_ppm, central_ppm, high_ppm, prior.extrapolated, basis)
