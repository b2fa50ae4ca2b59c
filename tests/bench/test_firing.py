"""The firing times on the page are those of the catalogue and priors that ship."""

from __future__ import annotations

from fractions import Fraction

import pytest

from bench.firing import RUNS, THRESHOLDS, Run, build_estimator, crossings, day_of, flop_of, table
from monitor.core.model import DAY_MS
from monitor.reference.root import config_root

PAGE = config_root().parent / "bench" / "firing.md"
ESTIMATOR = build_estimator()


def test_the_page_shows_what_the_code_prints() -> None:
    """A changed prior or catalogue changes the page, or this fails: run `python -m bench.firing` and paste it."""
    assert f"\n\n{table()}\n\n" in PAGE.read_text(encoding="utf-8")


def test_published_figures_are_inside_the_range() -> None:
    """What the page says of the three published runs holds."""
    for run in RUNS:
        if run.published != "-":
            low, _, high, _ = flop_of(run, ESTIMATOR)
            assert low <= Fraction(run.published) <= high


@pytest.mark.parametrize(
    ("needed_days", "day"),
    [(Fraction(1, 10), 1), (1, 1), (Fraction(11, 10), 2), (9, 9), (10, 10), (Fraction(101, 10), None)],
)
def test_days_are_counted_from_one(needed_days: Fraction, day: int | None) -> None:
    """A threshold crossed within the first day is crossed on day 1; after the last day it is not crossed."""
    run = Run("r", "H100", 1_000, 10 * DAY_MS, "-")
    weight = 10**20

    assert day == day_of(run, int(needed_days * run.count * 1_000 * DAY_MS * weight / 10**15), weight)


def test_crossings_agree_with_the_estimate_of_the_whole_run() -> None:
    """A bound crosses a threshold on some day exactly where the bound of the whole run is at least the threshold."""
    for run in RUNS:
        low, central, high, _ = flop_of(run, ESTIMATOR)
        for threshold in THRESHOLDS:
            crossed = [day != "not" for day in crossings(run, threshold, ESTIMATOR).split(" / ")]
            assert [high >= threshold, central >= threshold, low >= threshold] == crossed
