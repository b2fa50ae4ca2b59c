"""What a rule makes of real clusters: runs by tenant, how much the largest one swallows, and who is above watch.

    python -m bench.traces [--only philly,acme_kalos]

Needs the traces beside the checkout (`../shared`); without them it says so and does nothing. For Kalos, whose jobs are
labelled, it prints precision and recall of the band `likely` by accelerator-hours beside the rule "96 or more GPUs".
The label there is almost a function of size: that rule is perfect on this trace, which says nothing of others.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.holdings import HeldStretch, Reported, held_by_tenant, time_of, used_by_allocation
from bench.rules import RULES, answered
from monitor.core.policy import Level

SHARED = Path(__file__).resolve().parents[2] / "shared"
TOOL = SHARED / "tools" / "trace_to_events.py"
LABELS = SHARED / "data" / "traces" / "acme_kalos_subset" / "normalized.csv"
TRACES = ("philly", "helios", "openb", "eagle", "acme_kalos")
LABELLED = "acme_kalos"
LARGE_SHARE = 0.01  # of a trace's accelerator-time: smaller tenants are counted only
PRETRAINING_GPUS = 96
DAY_MS = 86_400_000
HOUR_US = 3_600_000_000  # accelerator-microseconds of an accelerator-hour, in thousandths times milliseconds


class Largest(NamedTuple):
    """The run with most accelerator-time of one tenant."""

    tenant: str
    runs: int
    hours: float  # accelerator-hours of the tenant
    share: float  # of them in that run, 0 to 1
    jobs: int
    days: float


class Quality(NamedTuple):
    """Of what was picked, how much is right; of what is right, how much was picked. None: nothing to divide by."""

    precision: float | None
    recall: float | None


def largest(tenant: str, held: Iterable[HeldStretch], runs: Sequence[Reported]) -> Largest:
    """The largest run of a tenant, as a share of all that it held, jobs in no run included."""
    whole = sum(one.accelerator_us for one in held)
    run = max(runs, key=lambda run: run.accelerator_us, default=None)
    if run is None or not whole:
        return Largest(tenant, len(runs), whole / HOUR_US, 0.0, 0, 0.0)
    share, days = run.accelerator_us / whole, (run.end - run.start) / DAY_MS
    return Largest(tenant, len(runs), whole / HOUR_US, share, len(set(run.allocations)), days)


def quality(picked: Collection[str], right: Collection[str], used: Mapping[str, int]) -> Quality:
    """Precision and recall by accelerator-time."""
    both, chosen, wanted = (time_of(some, used) for some in (set(picked) & set(right), picked, right))
    return Quality(both / chosen if chosen else None, both / wanted if wanted else None)


def converted(name: str) -> list[bytes]:
    """A trace as events, one a line."""
    made = subprocess.run([sys.executable, TOOL, name], check=True, capture_output=True)
    return made.stdout.splitlines(keepends=True)


def pretraining() -> set[str]:
    """The allocations of Kalos that its label calls pretraining."""
    with LABELS.open(newline="") as file:
        return {f"job-{row['job_id']}" for row in csv.DictReader(file) if row["label"] == "Pretrain"}


def above_watch(lines: Sequence[bytes]) -> list[str]:
    """Tenants with a finding above watch at the end of a trace, with its rule."""
    return [
        f"{tenant.tenant}: {finding.level} by {finding.rule}"
        for tenant in answered(lines).tenants
        for finding in tenant.findings
        if finding.level is not Level.WATCH
    ]


HEAD = "| trace | tenant | accelerator-hours | runs | largest run's share | its jobs | its days |"


def rows(name: str, held: Mapping[str, Sequence[HeldStretch]], runs: Mapping[str, Sequence[Reported]]) -> Iterator[str]:
    """A line for each large tenant, largest first, and one for all others together."""
    found = [largest(tenant, mine, runs.get(tenant, ())) for tenant, mine in held.items()]
    found.sort(key=lambda one: -one.hours)
    least = LARGE_SHARE * sum(one.hours for one in found)
    for one in (one for one in found if one.hours >= least):
        figures = f"{one.hours:,.0f} | {one.runs} | {one.share:.1%} | {one.jobs} | {one.days:.1f}"
        yield f"| {name} | {one.tenant} | {figures} |"
    small = [one for one in found if one.hours < least]
    if small:
        hours, count = sum(one.hours for one in small), sum(one.runs for one in small)
        yield f"| {name} | {len(small)} others | {hours:,.0f} | {count} | | | |"


def shown(found: Quality) -> str:
    """As two cells of a table."""
    return " | ".join("none" if part is None else f"{part:.3f}" for part in found)


def labelled(held: Sequence[HeldStretch], runs_by_rule: Mapping[str, Sequence[Reported]]) -> Iterator[str]:
    """What `likely` says of Kalos by each rule, beside the rule of one line."""
    used, right = used_by_allocation(held), pretraining()
    yield "| picked in Kalos by | precision | recall |"
    yield "|---|---|---|"
    large = {one.allocation for one in held if one.thousandths >= 1000 * PRETRAINING_GPUS}
    yield f"| {PRETRAINING_GPUS} or more GPUs | {shown(quality(large, right, used))} |"
    for rule, runs in runs_by_rule.items():
        likely = {name for run in runs if run.training == "likely" for name in run.allocations}
        yield f"| `likely`, rule {rule} | {shown(quality(likely, right, used))} |"


def main() -> None:
    """Print a table for each rule, who is above watch, and the labelled trace."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(TRACES))
    options = parser.parse_args()
    if not TOOL.exists():
        print(f"Skipped {options.only}: the real traces of ../shared are not here.")
        return
    alarms: dict[str, list[str]] = {}
    tables: dict[str, list[str]] = {rule: [] for rule in RULES}
    kalos: list[str] = []
    for name in options.only.split(","):
        lines = converted(name)
        held = held_by_tenant(lines)
        runs = {rule: runs_of(lines) for rule, runs_of in RULES.items()}
        for rule, found in runs.items():
            tables[rule] += rows(name, held, found)
        if name == LABELLED:
            (tenant,) = held
            kalos += labelled(held[tenant], {rule: found.get(tenant, ()) for rule, found in runs.items()})
        alarms[name] = above_watch(lines)
    for rule, lines_of_rule in tables.items():
        print(f"\nRule: {rule}\n", HEAD, "|---" * (HEAD.count("|") - 1) + "|", *lines_of_rule, sep="\n")
    print("", *kalos, "", sep="\n")
    for name, who in alarms.items():
        print(f"Above watch in {name}: {'; '.join(who) or 'nobody'}.")


if __name__ == "__main__":
    main()
