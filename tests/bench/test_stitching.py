"""Tests of how runs are scored against the truth, and of the naive rule, on cases made by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from bench.holdings import HeldStretch, held_by_tenant, naive_runs, used_by_allocation
from bench.rules import RULES, own_runs
from bench.stitching import HEAD, Match, Score, TrueRun, match, played, row, score
from bench.traces import Largest, Quality, largest, quality
from monitor.simulate.launches import BARE

HOUR = 3_600_000
USED = {"a": 60, "b": 35, "c": 5, "d": 100}  # the run of the cases is a, b and c
FOUND = ("run-bloom176b", "run-evader", "run-lucie7b", "run-palm540b", "run-nemotron15b", "run-parallel", "run-six")
NOBODY = ("other-serving", "other-equal", "other-nightly", "other-pool")
TRUE = TrueRun("run", ("a", "b", "c"))


class Run(NamedTuple):
    """A reported run by hand."""

    allocations: tuple[str, ...]
    training: str = "unknown"
    with_weak: tuple[str, ...] = ()
    with_concurrent: tuple[str, ...] = ()
    run: str = "r"
    start: int = 0
    end: int = 48 * HOUR
    accelerator_us: int = 0


@pytest.mark.parametrize(
    ("reported", "share", "purity", "found"),
    [
        ([], 0.0, 0.0, False),
        ([Run(("a", "b", "c"))], 1.0, 1.0, True),
        ([Run(("a", "b"))], 0.95, 1.0, True),
        ([Run(("a", "c"))], 0.65, 1.0, False),
        ([Run(("a", "b", "c", "d"))], 1.0, 0.5, False),
        ([Run(("d",))], 0.0, 0.0, False),
        ([Run(("b",)), Run(("a", "c"))], 0.65, 1.0, False),
        ([Run(("a", "b", "c", "d")), Run(("a", "b", "c"))], 1.0, 1.0, True),
        ([Run(("a", "b", "c", "a"))], 1.0, 1.0, True),
        ([Run(("a", "b", "c", "ghost"))], 1.0, 1.0, True),
        ([Run(())], 0.0, 0.0, False),
    ],
    ids=["none", "same", "nearly", "half", "impure", "other", "pieces", "purest of equals", "twice", "ghost", "empty"],
)
def test_the_best_run_is_found(reported: list[Run], share: float, purity: float, found: bool) -> None:
    """The run that holds most of the truth counts, the purest of equals; 95 per cent of both make it found."""
    best = match("t", TRUE, reported, USED)

    assert (share, purity, found) == (best.share, best.purity, best.found)


@pytest.mark.parametrize(
    ("reported", "ranges"),
    [
        ([Run(("a",), with_weak=("a", "b", "c"))], "weak"),
        ([Run(("a",), with_concurrent=("a", "b"))], "concurrent"),
        ([Run(("a",), "unknown", ("a", "b"), ("a", "b", "d"))], "weak, concurrent"),
        ([Run(("a",), with_weak=("a", "c"))], ""),
        ([Run(("a", "d"), with_weak=("a", "b", "c", "d"))], ""),
        ([Run(("a", "b"), with_weak=("a", "b", "c"))], ""),
        ([Run(("a",)), Run(("b",), with_weak=("a", "b", "c"))], "weak"),
    ],
    ids=["weak", "concurrent", "both", "too little", "impure", "found anyway", "of another"],
)
def test_a_range_may_hold_what_the_run_does_not(reported: list[Run], ranges: str) -> None:
    """A range counts where the run alone falls short, if what it starts from is of the true run."""
    assert ranges == match("t", TRUE, reported, USED).in_range


def test_a_run_that_held_nothing_is_not_found() -> None:
    """A true run without any accelerator-time has no share to find."""
    assert Match("t", "run", 0.0, 0.0, 0.0, 0.0) == match("t", TrueRun("run", ()), [Run(("a",))], USED)


def test_likely_where_there_is_no_run_fails() -> None:
    """Only the band `likely`, and only of a tenant without a run, is a false alarm."""
    used = {"trainer": USED, "server": {"x": 10}, "batch": {"y": 10}}
    reported: Mapping[str, Sequence[Run]] = {
        "trainer": [Run(("a", "b", "c"), "likely"), Run(("d",), "likely")],
        "server": [Run(("x",), "possible"), Run(("x",), "likely", run="s-1")],
        "batch": [Run(("y",), "unknown")],
    }
    result = score({"trainer": [TRUE], "server": [], "batch": []}, reported, used)

    assert ("server: s-1",) == result.likely_without
    assert not result.passed
    assert score({"trainer": [TRUE]}, {"trainer": reported["trainer"]}, {"trainer": USED}).passed


def test_every_true_run_must_be_found() -> None:
    """One of two runs found is not enough, and a tenant of whom nothing is reported has found none."""
    half = score({"t": [TRUE, TrueRun("other", ("d",))]}, {"t": [Run(("a", "b", "c"))]}, {"t": USED})
    nothing = score({"t": [TRUE]}, {}, {"t": USED})

    assert ([True, False], False) == ([one.found for one in half.matches], half.passed)
    assert ([False], False) == ([one.found for one in nothing.matches], nothing.passed)


def test_a_row_says_what_fails() -> None:
    """A row has a cell for each column; one that passes ends empty."""
    bad = Score((Match("t", "run", 0.6, 1.0, 0.97, 0.5), Match("t", "more", 0.99, 0.98, 0.0, 0.0)), ("x: r",))

    assert "| run-x | no | 1 of 2 | 0.60 | 0.98 | 1 (weak) | 1 | fails |" == row(f"run-x{BARE}", bad)
    assert "| other-x | yes | 0 of 0 |  |  |  |  |  |" == row("other-x", Score((), ()))
    assert HEAD.count("|") == row("other-x", Score((), ())).count("|")


def event(verb: str, hour: int, allocation: str, count: float | None = None) -> bytes:
    time = datetime.fromtimestamp(hour * 3_600, UTC).isoformat()
    data = {"tenant": "t", "allocation": allocation, **({} if count is None else {"count": count})}
    return json.dumps({"type": f"io.flopwatch.allocation.{verb}.v1", "time": time, "data": data}).encode()


def test_holdings_are_stretches_of_constant_count() -> None:
    """A resize and a stop end a stretch, other events do not, and what is open ends with the last event."""
    lines = [
        event("started", 0, "a", 2),
        event("started", 1, "b", 0.5),
        event("seen", 2, "a"),
        event("resized", 3, "a", 4),
        event("stopped", 4, "a"),
        event("seen", 6, "b"),
    ]
    held = held_by_tenant(lines)["t"]

    assert [
        HeldStretch("a", 0, 3 * HOUR, 2_000),
        HeldStretch("a", 3 * HOUR, 4 * HOUR, 4_000),
        HeldStretch("b", HOUR, 6 * HOUR, 500),
    ] == held
    assert {"a": 10_000 * HOUR, "b": 2_500 * HOUR} == used_by_allocation(held)


@pytest.mark.parametrize(
    ("jobs", "runs"),
    [
        ([("a", 0, 10), ("b", 16, 20)], [("a", "b")]),
        ([("a", 0, 10), ("b", 17, 20)], [("a",), ("b",)]),
        ([("a", 0, 100), ("b", 124, 125)], [("a", "b")]),
        ([("a", 0, 100), ("b", 126, 127)], [("a",), ("b",)]),
        ([("a", 0, 1_000), ("b", 1_072, 1_073)], [("a", "b")]),
        ([("a", 0, 1_000), ("b", 1_073, 1_074)], [("a",), ("b",)]),
        ([("a", 0, 100), ("b", 10, 11), ("c", 120, 121)], [("a", "b", "c")]),
    ],
    ids=["six hours", "seven", "a quarter", "more than a quarter", "three days", "more than three days", "within"],
)
def test_the_naive_rule_looks_at_gaps_alone(jobs: list[tuple[str, int, int]], runs: list[tuple[str, ...]]) -> None:
    """A job joins whatever ended at most six hours, or a quarter of that, and never more than three days before."""
    told = [(start, event("started", start, name, 1)) for name, start, _ in jobs]
    told += [(end, event("stopped", end, name)) for name, _, end in jobs]
    found = naive_runs(line for _, line in sorted(told))

    assert runs == [run.allocations for run in found["t"]]


def test_the_naive_rule_fails_where_it_must() -> None:
    """It cannot tell two runs at once apart, and loses one that rests; without a rest it finds one."""
    assert [False, False, True] == [
        played(name, 1, naive_runs).passed for name in ("run-parallel", "run-evader", "run-palm540b")
    ]


def test_the_largest_run_is_a_share_of_everything() -> None:
    """The largest run is told with its share of all that the tenant held, its jobs and the days that it spans."""
    held = [
        HeldStretch("a", 0, 24 * HOUR, 2_000),
        HeldStretch("b", 36 * HOUR, 48 * HOUR, 2_000),
        HeldStretch("c", 0, 12 * HOUR, 6_000),
    ]
    two = Run(("a", "b"), accelerator_us=72_000 * HOUR)

    assert Largest("t", 2, 144.0, 0.5, 2, 2.0) == largest("t", held, [Run(("c",), accelerator_us=1), two])
    assert Largest("t", 0, 144.0, 0.0, 0, 0.0) == largest("t", held, [])
    assert Largest("t", 0, 0.0, 0.0, 0, 0.0) == largest("t", [], [])


def test_quality_is_by_time() -> None:
    """Precision and recall weigh an allocation by its time; where nothing was picked there is no precision."""
    assert Quality(0.375, 0.6) == quality(["a", "d"], ["a", "b", "c"], USED)
    assert Quality(None, 0.0) == quality([], ["a"], USED)
    assert Quality(0.0, None) == quality(["a"], [], USED)


@pytest.mark.parametrize("scenario", FOUND)
def test_runs_are_found(scenario: str) -> None:
    """Flopwatch finds these runs to 95 per cent, with what is stated of their jobs."""
    assert played(scenario, 1, own_runs).passed


@pytest.mark.parametrize("scenario", NOBODY)
def test_nobody_is_accused(scenario: str) -> None:
    """Who trains nothing is never called a likely trainer, though nothing is stated of the jobs."""
    assert () == played(scenario + BARE, 1, own_runs).likely_without


@pytest.mark.parametrize(("scenario", "ranges"), [("run-bloom176b-bare", "weak"), ("run-fabrics-bare", "concurrent")])
def test_a_range_holds_what_the_run_does_not(scenario: str, ranges: str) -> None:
    """Where a long gap or another fabric cuts a run, the wider range that is meant for it holds it."""
    (only,) = played(scenario, 1, own_runs).matches

    assert not only.found
    assert ranges in only.in_range


def test_no_rule_is_left_out() -> None:
    """The benches run the rule of the product beside the naive one."""
    assert {"naive", "flopwatch"} == set(RULES)
