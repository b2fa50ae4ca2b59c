"""The firing times on the page are those of the catalogue and priors that ship."""

from __future__ import annotations

from fractions import Fraction

import pytest

from bench.firing import PAGE, RUNS, THRESHOLDS, Run, build_estimator, crossings, day_of, flop_of, rewritten, table
from monitor.core.model import DAY_MS

ESTIMATOR = build_estimator()


def test_the_page_shows_what_the_code_prints() -> None:
    """A changed prior or catalogue changes the page: run `python -m bench.firing --write`, and read its prose again."""
    assert f"\n\n{table()}\n\n" in PAGE.read_text(encoding="utf-8")


def test_an_outdated_table_is_replaced() -> None:
    """Writing the page changes the table and the versions alone."""
    page = PAGE.read_text(encoding="utf-8")
    outdated = page.replace("DeepSeek-V3 |", "Old |").replace("Priors of 2", "Priors of 1")

    assert outdated != page
    assert page == rewritten(outdated) == rewritten(page)


def test_published_figures_are_inside_the_range() -> None:
    """What the page says of the three published runs holds."""
    above = {}
    for run in RUNS:
        if run.published != "-":
            low, central, high, _ = flop_of(run, ESTIMATOR)
            assert low <= Fraction(run.published) <= high
            above[run.name] = Fraction(run.published) > central

    assert {"INTELLECT-1": False, "DeepSeek-V3": True, "Llama 3.1 405B": True} == above


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
