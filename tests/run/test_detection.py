"""How soon true training would be flagged: a tiny population end to end, and a run whose numbers are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.app.backtests import backtest_scenarios
from monitor.app.references import load_reference
from monitor.app.stores import working_archive
from monitor.cli.detection import as_document, as_text
from monitor.core.model import DAY_MS
from monitor.core.policy import Level
from monitor.intake.decode import decode_facts
from monitor.reference.root import config_root
from monitor.run.detection import Detected, Detection, InVain, Programme, Told, detect
from monitor.run.walk import Pace
from monitor.settings import load_settings
from monitor.simulate.fleet import Fleet
from monitor.simulate.plan import TINY
from monitor.simulate.population import population
from monitor.simulate.scenarios import START

GROWING = Programme(
    "p", "plain", frozenset({"t"}), 600, "", (((0, 0), (10 * DAY_MS, 400)), ((0, 0), (10 * DAY_MS, 600)))
)


def test_growth_is_even_between_changes() -> None:
    """What was trained by an instant is the sum over the parts, and the crossing is the first instant at it."""
    crossing = GROWING.crossing()

    assert (0, 500, 1_000, 1_000) == tuple(GROWING.by(days * DAY_MS) for days in (-1, 5, 10, 20))
    assert crossing is not None
    assert GROWING.by(crossing - 1) < 600 <= GROWING.by(crossing)
    assert GROWING._replace(threshold=1_001).crossing() is None


@pytest.mark.parametrize(("threshold", "share"), [(600, 500 / 600), (None, 0.5)])
def test_share_is_of_the_threshold(threshold: int | None, share: float) -> None:
    """A level's share is of the threshold, and of all that was trained where none is stated."""
    one = Detected(GROWING._replace(threshold=threshold), {Level.WATCH: Told(5 * DAY_MS, "r")}, {}, "")

    assert share == one.share(Level.WATCH)
    assert one.share(Level.CRITICAL) is None


def test_flags_in_vain_are_counted_from_their_level_on() -> None:
    """A critical flag was a warning before."""
    found = Detection((), [InVain("F", "r", "t", "k", Level.CRITICAL)], 1_000 * 365 * DAY_MS)

    assert [1.0, 1.0] == [found.per_thousand_years(level) for level in (Level.WARNING, Level.CRITICAL)]


def test_a_tiny_population_is_measured() -> None:
    """Who is of concern in the open is found in time; who shares nothing and has papers is missed, and why is said."""
    plan = replace(TINY, tenants=60)
    fleet = Fleet("population/5", START, START + 200 * DAY_MS, False)
    population(fleet, plan)
    facts = decode_facts(list(fleet.lines()))
    truth = {"tenants": fleet.truth(), "programmes": [one._asdict() for one in fleet.programmes]}
    pace = Pace(step_ms=28 * DAY_MS)
    found = detect(facts, working_archive(), load_reference(config_root()), pace, lambda: truth)
    by_kind = {one.programme.kind: one for one in found.detected}

    assert 16 == len(by_kind)
    assert {Level.WATCH, Level.WARNING, Level.CRITICAL} == set(by_kind["plain"].levels)
    assert "" == by_kind["plain"].why_missed
    assert not by_kind["straw"].levels
    assert by_kind["straw"].why_missed.startswith("The nearest rule is ")
    assert {"evader"}.isdisjoint(one.kind for one in found.in_vain)


def test_scenarios_are_played() -> None:
    """The command's report has each true run with its levels as shares, as text and as a document."""
    found = backtest_scenarios(load_settings(None), None, lambda _: None, ("frontier", "quiet"))
    document = as_document(found)

    assert ["frontier", "quiet"] == [one["scenario"] for one in document["scenarios"]]
    [run] = document["scenarios"][0]["runs"]
    assert ["orchid-compute"] == run["tenants"]
    assert 0 < run["flagged"]["watch"]["share"] <= run["flagged"]["critical"]["share"] < 0.5
    assert "orchid-large" in as_text(found)
    assert "Flags in vain that came to critical: 0.0 for 1,000 tenant-years." in as_text(found)
