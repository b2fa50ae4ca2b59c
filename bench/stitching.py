"""How well a rule puts runs together where the truth is known: a table of scenarios, with and without evidence.

    python -m bench.stitching [--only run-lucie7b,other-pool] [--seed 1]

A true run is found if one reported run holds 95 per cent of its accelerator-time, and no more than 5 per cent of that
reported run is anything else. Where none does, the wider ranges may hold it. Nobody without a run may be called a
likely trainer.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bench.holdings import Reported, held_by_tenant, time_of, used_by_allocation
from bench.rules import RULES, RunsOf
from monitor.simulate.launches import BARE
from monitor.simulate.scenarios import STITCHING, simulate

ENOUGH = 0.95


class TrueRun(NamedTuple):
    """What a tenant really trained: a name and the allocations that held it."""

    name: str
    allocations: Sequence[str]


class Match(NamedTuple):
    """The reported run that holds most of a true one. Shares of accelerator-time, 0 to 1."""

    tenant: str
    name: str
    share: float  # of the true run that the reported one holds
    purity: float  # of the reported run that is of the true one
    weak: float  # most of the true run that a pure reported run holds with weak links
    concurrent: float  # the same with concurrent chains

    @property
    def found(self) -> bool:
        """The reported run is the true one."""
        return self.share >= ENOUGH and self.purity >= ENOUGH

    @property
    def in_range(self) -> str:
        """The ranges that hold the run where it is not found by itself."""
        if self.found:
            return ""
        ranges = {"weak": self.weak, "concurrent": self.concurrent}
        return ", ".join(name for name, share in ranges.items() if share >= ENOUGH)


class Score(NamedTuple):
    """How a rule did: each true run with its match, and tenants without a run that were called likely trainers."""

    matches: tuple[Match, ...]
    likely_without: tuple[str, ...]
    stated: bool = True  # whether there was evidence; without it a range that holds the run is enough

    @property
    def passed(self) -> bool:
        """Every run was found and nobody was accused."""
        return not self.likely_without and all(
            match.found or (match.in_range and not self.stated) for match in self.matches
        )


def score(
    true: Mapping[str, Sequence[TrueRun]],
    reported: Mapping[str, Sequence[Reported]],
    used: Mapping[str, Mapping[str, int]],
    stated: bool = True,
) -> Score:
    """Compare runs by tenant. `used`: accelerator-microseconds by tenant and allocation, all tenants included.

    `stated`: whether there was evidence.
    """
    matches = [
        match(tenant, run, reported.get(tenant, ()), used[tenant]) for tenant, runs in true.items() for run in runs
    ]
    likely = [
        f"{tenant}: {run.run}"
        for tenant in used
        if not true.get(tenant)
        for run in reported.get(tenant, ())
        if run.training == "likely"
    ]
    return Score(tuple(matches), tuple(likely), stated)


def match(tenant: str, true: TrueRun, reported: Iterable[Reported], used: Mapping[str, int]) -> Match:
    """The reported run that holds most of a true run, the purest of equals, and how far pure ones reach if widened."""
    own, whole = set(true.allocations), time_of(true.allocations, used)
    best, weak, concurrent = (0.0, 0.0), 0.0, 0.0
    for run in reported:
        common, held = time_of(own.intersection(run.allocations), used), time_of(run.allocations, used)
        share, purity = common / whole if whole else 0.0, common / held if held else 0.0
        best = max(best, (share, purity))
        if purity >= ENOUGH:
            weak = max(weak, time_of(own.intersection(run.with_weak), used) / whole)
            concurrent = max(concurrent, time_of(own.intersection(run.with_concurrent), used) / whole)
    return Match(tenant, true.name, *best, weak, concurrent)


def true_runs(truth: Mapping[str, Any]) -> dict[str, list[TrueRun]]:
    """The runs of a simulation's truth, by tenant."""
    return {
        tenant: [TrueRun(run["name"], run["allocations"]) for run in told["runs"]]
        for tenant, told in truth["tenants"].items()
    }


def played(scenario: str, seed: int, runs_of: RunsOf) -> Score:
    """Play a scenario and score what a rule makes of its events."""
    simulation = simulate(scenario, seed=seed)
    lines = list(simulation.events())
    used = {tenant: used_by_allocation(held) for tenant, held in held_by_tenant(lines).items()}
    return score(true_runs(simulation.truth), runs_of(lines), used, stated=not scenario.endswith(BARE))


HEAD = "| scenario | evidence | runs found | least share | least purity | in range | likely, yet none | |"


def row(scenario: str, result: Score) -> str:
    """One line of the table."""
    matches = result.matches
    ranges = [match.in_range for match in matches if match.in_range]
    cells = [
        scenario.removesuffix(BARE),
        "no" if scenario.endswith(BARE) else "yes",
        f"{sum(match.found for match in matches)} of {len(matches)}",
        f"{min(match.share for match in matches):.2f}" if matches else "",
        f"{min(match.purity for match in matches):.2f}" if matches else "",
        f"{len(ranges)} ({'; '.join(sorted(set(ranges)))})" if ranges else "",
        str(len(result.likely_without)) if result.likely_without else "",
        "" if result.passed else "fails",
    ]
    return f"| {' | '.join(cells)} |"


def table(scenarios: Iterable[str], seed: int, runs_of: RunsOf) -> Iterable[str]:
    """The lines of a Markdown table, each as soon as it is known."""
    yield HEAD
    yield "|---" * (HEAD.count("|") - 1) + "|"
    for scenario in scenarios:
        yield row(scenario, played(scenario, seed, runs_of))


def main() -> None:
    """Print a table for each rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(STITCHING))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    scenarios = [name + suffix for name in options.only.split(",") for suffix in ("", BARE)]
    for rule, runs_of in RULES.items():
        print(f"\nRule: {rule}\n")
        for line in table(scenarios, options.seed, runs_of):
            print(line, flush=True)


if __name__ == "__main__":
    main()
