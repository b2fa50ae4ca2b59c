"""On which day of a run its bounds cross the thresholds of the ladder, for runs like published ones.

    python -m bench.firing [--write]

Prints the table of bench/firing.md, from the catalogue and the priors of `config/`, or puts it there. Nothing is
measured: every accelerator is held for the whole time, on evidence that makes it certain, and without telemetry.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import NamedTuple

from monitor.cli.show import flop
from monitor.core.bounds import Bounds
from monitor.core.catalogue import ONE_ACCELERATOR
from monitor.core.estimate import SCALE, Estimator, HourUsage
from monitor.core.ledger import NOT_MEASURED
from monitor.core.model import ACCELERATOR, DAY_MS, HOUR_MS
from monitor.reference.catalogue import load_catalogue
from monitor.reference.priors import load_priors
from monitor.reference.reading import milliseconds
from monitor.reference.root import config_root

THRESHOLDS = tuple(10**power for power in (23, 24, 25, 26))
AT = milliseconds(date(2026, 1, 1))
NOT_CROSSED = "not"
PAGE = Path(__file__).with_name("firing.md")


class Run(NamedTuple):
    """So many accelerators for so long, and the training FLOP that were published for it."""

    name: str
    accelerator: str
    count: int
    duration_ms: int
    published: str


RUNS = (
    Run("INTELLECT-1", "H100 SXM5 80GB", 112, 42 * DAY_MS, "6.1e22"),
    Run("DeepSeek-V3", "H800 SXM5", 2_048, 54 * DAY_MS, "3.3e24"),
    Run("Llama 3.1 405B", "H100 SXM5 80GB", 16_384, 30_840_000 * HOUR_MS // 16_384, "3.8e25"),
    Run("100,000 H100 for 90 days", "H100 SXM5 80GB", 100_000, 90 * DAY_MS, "-"),
)


def build_estimator() -> Estimator:
    """The catalogue and the priors of the configuration."""
    return Estimator(load_catalogue(config_root()), load_priors(config_root()))


def flop_of(run: Run, estimator: Estimator) -> Bounds:
    """FLOP of a whole run."""
    usage = HourUsage(run.count * ONE_ACCELERATOR * run.duration_ms, 0, 0, NOT_MEASURED)
    return estimator.flop(estimator.catalogue.resolve(run.accelerator, ACCELERATOR, AT), usage).divided(SCALE)


def day_of(run: Run, threshold: int, weight: int) -> int | None:
    """The day, from 1, on which a bound crosses a threshold; None: the run is over before."""
    needed = -(-threshold * SCALE // (weight * run.count * ONE_ACCELERATOR))
    return -(-needed // DAY_MS) if needed <= run.duration_ms else None


def crossings(run: Run, threshold: int, estimator: Estimator) -> str:
    """The days of high, central and low."""
    weights = estimator.weights(estimator.catalogue.resolve(run.accelerator, ACCELERATOR, AT))
    days = (day_of(run, threshold, weight) for weight in (weights.high, weights.central, weights.low))
    return " / ".join(NOT_CROSSED if day is None else str(day) for day in days)


def table() -> str:
    """The Markdown table, with what it was computed from under it."""
    estimator = build_estimator()
    head = ["run", "held", "days", "estimated FLOP", "published", *(flop_name(one) for one in THRESHOLDS)]
    lines = [head, ["---"] * len(head)]
    for run in RUNS:
        low, central, high, _ = flop_of(run, estimator)
        chip = estimator.catalogue.resolve(run.accelerator, ACCELERATOR, AT).name
        lines.append(
            [
                run.name,
                f"{run.count:,} {chip}",
                f"{run.duration_ms / DAY_MS:.0f}",
                f"{flop(central)} ({flop(low)} to {flop(high)})",
                run.published,
                *(crossings(run, threshold, estimator) for threshold in THRESHOLDS),
            ]
        )
    versions = f"Priors of {estimator.priors.version}, catalogue of {estimator.catalogue.version}."
    return "\n".join([*(f"| {' | '.join(cells)} |" for cells in lines), "", versions])


def flop_name(threshold: int) -> str:
    """A power of ten: 1e23."""
    return f"1e{len(str(threshold)) - 1}"


def rewritten(page: str) -> str:
    """The page with the table as it is now; what stands before and after it stays."""
    before, head, rest = page.partition("| run |")
    _, line_end, after = rest.partition("Priors of ")[2].partition("\n")
    assert head, "The page has no table to be replaced."
    return f"{before}{table()}{line_end}{after}"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(table())
