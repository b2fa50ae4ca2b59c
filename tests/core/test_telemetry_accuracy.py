"""Invented runs with known truth, seen through telemetry: the estimate is as close as is claimed."""

from __future__ import annotations

import pytest

from bench.telemetry_sim import SCENARIOS, Scenario, figures

RUNS = 120  # `bench/telemetry_sim.py` has more, and its table stands in bench/README.md
SEED = 2


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.says)
def test_the_bars_of_a_scenario_hold(scenario: Scenario) -> None:
    """Executed FLOP are within the median factor, and the truth between low and high as often, as the scenario asks."""
    found = figures(scenario, RUNS, SEED)
    assert found.meets(scenario), found


def test_a_missed_bar_is_seen() -> None:
    """A bar that nobody could reach is missed, and one that everybody reaches is met."""
    scenario = SCENARIOS[0]
    found = figures(scenario, 5, SEED)
    assert not found.meets(scenario._replace(bar_error=0.9))
    assert not found.meets(scenario._replace(bar_inside=1.1))
    assert found.meets(scenario._replace(bar_error=None, bar_inside=0.0))


def test_the_same_seed_gives_the_same_figures() -> None:
    """The table can be made again."""
    assert figures(SCENARIOS[1], 5, SEED) == figures(SCENARIOS[1], 5, SEED)
