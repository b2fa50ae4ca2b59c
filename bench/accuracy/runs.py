"""The published runs of `runs.csv`: what was trained, on what, for how long, and how many FLOP it counted."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from monitor.core.catalogue import Catalogue, Hardware
from monitor.core.model import ACCELERATOR

TABLE = Path(__file__).with_name("runs.csv")
SECONDS_AN_HOUR = 3_600


class Run(NamedTuple):
    """One published run whose hours do not follow from its FLOP."""

    name: str
    family: str  # whose runs resemble each other
    developer: str
    year: int
    hardware: Hardware
    accelerator_hours: int
    hours_quality: str  # A: metered, or exact days; B: rounded days; C: derived from throughput
    fp8: bool
    parameters: int  # active ones
    tokens: int
    flop: int
    source: str

    @property
    def generation(self) -> str:
        """What priors go by."""
        return self.hardware.chip.generation

    @property
    def share(self) -> float:
        """The realised share of the dense 16-bit peak over all accelerator-hours."""
        return self.flop / (self.accelerator_hours * SECONDS_AN_HOUR * self.hardware.chip.rate_central)


def read_runs(catalogue: Catalogue, table: Path = TABLE) -> list[Run]:
    """All runs of the table. ValueError: a row contradicts the catalogue or itself."""
    with table.open(newline="", encoding="utf-8") as lines:
        return [_run(row, catalogue) for row in csv.DictReader(lines)]


def _run(row: dict[str, str], catalogue: Catalogue) -> Run:
    hardware = catalogue.resolve(row["accelerator"], ACCELERATOR, 0)
    if not hardware.known or hardware.chip.generation != row["generation"]:
        raise ValueError(f"{row['name']}: the catalogue has no {row['accelerator']} of generation {row['generation']}.")
    run = Run(
        row["name"],
        row["family"],
        row["developer"],
        int(row["year"]),
        hardware,
        int(row["accelerator_hours"]),
        row["hours_quality"],
        row["format"] == "fp8",
        int(row["parameters"]),
        int(row["tokens"]),
        int(Fraction(row["flop"])),
        row["source"],
    )
    if abs(run.flop - 6 * run.parameters * run.tokens) * 500 > run.flop:
        raise ValueError(f"{run.name}: {run.flop:.4g} FLOP are not six times parameters times tokens.")
    return run
