"""Priors of realised utilisation: `config/priors.yaml` -> `monitor.core.priors.Priors`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.core.priors import PPM, Measuring, Priors, Quantiles
from monitor.reference.reading import digest_of, read_document

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)
Share = Annotated[int, Field(gt=0, le=PPM)]
Text = Annotated[str, Field(min_length=1)]


class _Quantiles(BaseModel):
    """Three quantiles of a share of peak."""

    model_config = STRICT
    low_ppm: Share
    central_ppm: Share
    high_ppm: Share
    extrapolated: bool = False
    basis: Text

    @model_validator(mode="after")
    def _is_ordered(self) -> _Quantiles:
        if not self.low_ppm <= self.central_ppm <= self.high_ppm:
            raise ValueError("low_ppm, central_ppm and high_ppm must not fall")
        return self

    def core(self) -> Quantiles:
        """The same for the core."""
        return Quantiles(self.low_ppm, self.central_ppm, self.high_ppm, self.extrapolated, self.basis)


class _Fraction(BaseModel):
    """A factor of at least 1 as a fraction."""

    model_config = STRICT
    numerator: Annotated[int, Field(gt=0, le=1_000)]
    denominator: Annotated[int, Field(gt=0, le=1_000)]

    @model_validator(mode="after")
    def _is_at_least_one(self) -> _Fraction:
        if self.numerator < self.denominator:
            raise ValueError("the factor must be at least 1")
        return self


class _Telemetry(BaseModel):
    """How measured activity relates to training FLOP."""

    model_config = STRICT
    residual_low_ppm: Share
    residual_high_ppm: Annotated[int, Field(ge=PPM, le=4 * PPM)]
    recomputation_max: _Fraction
    steady_high_ppm: Share
    fp8_cycle_factor_ppm: Annotated[int, Field(ge=PPM, le=4 * PPM)]
    basis: Text

    def core(self) -> Quantiles:
        """Measured activity to model FLOP: all of the recomputation in low, its median in central, none in high."""
        most = self.recomputation_max
        return Quantiles(
            self.residual_low_ppm * most.denominator // most.numerator,
            PPM * 2 * most.denominator // (most.numerator + most.denominator),
            self.residual_high_ppm,
            False,
            self.basis,
        )

    def measuring(self) -> Measuring:
        """What is not known of executed FLOP, and what parts them from model FLOP."""
        most = self.recomputation_max
        return Measuring(
            executed=Quantiles(self.residual_low_ppm, PPM, self.residual_high_ppm, False, self.basis),
            recomputation_central_ppm=PPM * (most.numerator + most.denominator) // (2 * most.denominator),
            recomputation_high_ppm=-(-PPM * most.numerator // most.denominator),
            steady_high_ppm=self.steady_high_ppm,
            fp8_cycle_factor_ppm=self.fp8_cycle_factor_ppm,
        )


class _EarlierRuns(BaseModel):
    """How far runs of one tenant on one generation scatter."""

    model_config = STRICT
    scatter_ppm: Annotated[int, Field(gt=0, le=2 * PPM)]
    basis: Text


class _Document(BaseModel):
    """`priors.yaml`."""

    model_config = STRICT
    version: Text
    fitted_to: Text
    source: Text
    pooled: _Quantiles
    without_data: _Quantiles
    generations: dict[Text, _Quantiles]
    fp8_high_factor_ppm: Annotated[int, Field(ge=PPM, le=2 * PPM)]
    telemetry: _Telemetry
    earlier_runs: _EarlierRuns


def load_priors(root: Path) -> Priors:
    """The priors under a configuration folder. ReferenceProblem: with the first thing that is wrong with them."""
    document = read_document(root / "priors.yaml", _Document)
    return Priors(
        version=document.version,
        digest=digest_of(document.model_dump(mode="json")),
        fitted_to=document.fitted_to,
        source=document.source,
        pooled=document.pooled.core(),
        without_data=document.without_data.core(),
        generations={name: quantiles.core() for name, quantiles in document.generations.items()},
        fp8_high_factor_ppm=document.fp8_high_factor_ppm,
        telemetry=document.telemetry.core(),
        earlier_scatter_ppm=document.earlier_runs.scatter_ppm,
        measuring=document.telemetry.measuring(),
    )
