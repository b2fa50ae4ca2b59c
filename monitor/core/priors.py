"""What share of peak training really gets, where nobody measured it: quantiles by accelerator generation.

Shares are parts per million of the dense 16-bit peak over all accelerator-hours of a run. The figures, and what they
were fitted to, are in `config/priors.yaml`; earlier runs of tenants, which move them, in `config/calibrations.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PPM = 1_000_000
POOLED = "pooled"  # hardware whose generation is not known: its range of rates carries that doubt already


@dataclass(frozen=True, slots=True)
class Quantiles:
    """The 5, 50 and 95 per cent quantiles of a share, in parts per million."""

    low_ppm: int
    central_ppm: int
    high_ppm: int
    extrapolated: bool  # no published run of that generation stands behind it
    basis: str  # where the figures come from, as a sentence


@dataclass(frozen=True, slots=True)
class Measuring:
    """What telemetry does not say, in parts per million. Tensor activity counts executed FLOP, in whatever format."""

    executed: Quantiles  # executed FLOP over those of the activity in 16 bits
    recomputation_central_ppm: int  # executed over model FLOP
    recomputation_high_ppm: int
    steady_high_ppm: int  # the 95 per cent quantile of what training gets of the peak while it runs
    fp8_cycle_factor_ppm: int  # FLOP of a tensor-pipe cycle of an FP8 run over those in 16 bits


@dataclass(frozen=True, slots=True)
class Priors:
    """The priors in force.

    `telemetry` is what measured activity is multiplied with: its low and central quantiles hold that up to a third of
    what tensor pipes execute may be recomputation, which is no training progress.
    """

    version: str
    digest: str
    fitted_to: str
    source: str
    pooled: Quantiles
    without_data: Quantiles
    generations: Mapping[str, Quantiles]
    fp8_high_factor_ppm: int
    telemetry: Quantiles
    earlier_scatter_ppm: int  # standard deviation of ln U between runs of one tenant on one generation
    measuring: Measuring

    def of(self, generation: str) -> Quantiles:
        """The prior of a generation: fitted where runs were published, else the pooled one, widened."""
        if generation == POOLED:
            return self.pooled
        return self.generations.get(generation, self.without_data)


@dataclass(frozen=True, slots=True)
class Calibrations:
    """The priors of the tenants whose own earlier runs are known; all others have the common ones."""

    version: str = ""
    digest: str = ""
    tenants: Mapping[str, Priors] = field(default_factory=dict)
