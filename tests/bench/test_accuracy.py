"""The fit of the priors: its mathematics, the table of runs, and that what ships and what is told follow from it."""

from __future__ import annotations

import json
import shutil
from functools import cache
from math import exp, log
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.accuracy import judge
from bench.accuracy.__main__ import RESULTS, VERSION
from bench.accuracy.beta import Beta, fitted
from bench.accuracy.fit import FIRST, GROUPS, fit, shares_of, votes, widened, write_priors
from bench.accuracy.judge import Predicted, left_out, reaches, scores
from bench.accuracy.runs import TABLE, Run, read_runs
from monitor.core.bounds import Bounds
from monitor.core.catalogue import Catalogue
from monitor.core.priors import PPM, Priors
from monitor.reference.catalogue import load_catalogue
from monitor.reference.priors import load_priors
from monitor.reference.root import config_root

ROOT = Path(__file__).resolve().parents[2]


@cache
def catalogue() -> Catalogue:
    return load_catalogue(config_root())


@cache
def priors() -> Priors:
    return load_priors(config_root())


@cache
def runs() -> tuple[Run, ...]:
    return tuple(read_runs(catalogue()))


@cache
def predicted() -> list[Predicted]:
    return left_out(runs(), judge.flopwatch(catalogue(), priors()))


# -- the distribution ------------------------------------------------------------------------------------------------


@given(st.floats(0.5, 80), st.floats(0.5, 80), st.floats(0.02, 0.98))
def test_quantile_and_probability_are_inverse(a: float, b: float, probability: float) -> None:
    """The probability below a quantile is the one that was asked for."""
    beta = Beta(a, b)

    assert probability == pytest.approx(beta.below(beta.quantile(probability)), abs=1e-6)


@pytest.mark.parametrize(
    ("beta", "probability", "expected"),
    [(Beta(1, 1), 0.3, 0.3), (Beta(2, 1), 0.25, 0.5), (Beta(1, 3), 0.875, 0.5), (Beta(5, 12), 0.5, 0.285886)],
)
def test_quantiles_that_are_known(beta: Beta, probability: float, expected: float) -> None:
    """Distributions whose quantiles can be written down, and the default of the reference figures."""
    assert expected == pytest.approx(beta.quantile(probability), abs=1e-6)


def test_a_fit_finds_what_was_drawn() -> None:
    """Twenty thousand draws from a distribution lead back to it, whatever their common weight."""
    random = Random(7)
    draws = [(random.betavariate(5, 12), 0.25) for _ in range(20_000)]

    assert (5, 12) == pytest.approx(fitted(draws), rel=0.03)


def test_weight_counts_like_repetition() -> None:
    """A share of weight two is that share twice; one without weight is not there."""
    shares = [0.1, 0.2, 0.25, 0.4]

    twice = fitted([*((share, 1.0) for share in shares), (0.2, 1.0)])
    heavy = fitted([(share, 2.0 if share == 0.2 else 1.0) for share in shares] + [(0.9, 0.0)])

    assert twice == pytest.approx(heavy)


# -- the runs and the fit --------------------------------------------------------------------------------------------


def test_the_table_holds_what_is_said_of_it() -> None:
    """61 runs of 35 families, each with a source, a quality of hours and a share between 0 and 1."""
    assert (61, 35) == (len(runs()), len({run.family for run in runs()}))
    assert 61 == len({run.name for run in runs()})
    assert all(run.source and run.hours_quality in "ABC" and 0 < run.share < 1 for run in runs())


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (",V100 SXM2,volta,", ",V100 SXM2,hopper,", "the catalogue has no V100 SXM2 of generation hopper"),
        ("8.93387e20", "8.93387e21", "are not six times parameters times tokens"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """A wrong generation, or FLOP that parameters and tokens do not give, is named."""
    table = tmp_path / "runs.csv"
    table.write_text(TABLE.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")

    with pytest.raises(ValueError, match=sentence):
        read_runs(catalogue(), table)


def test_votes_go_to_families() -> None:
    """A family of n runs has the root of n votes, fewer if its hours are rounded; as first named, one."""
    pythia = [run for run in runs() if run.family == "Pythia"]
    weights = {run.name: weight for run, (_, weight) in zip(runs(), votes(runs()), strict=True)}

    assert 8**0.5 == pytest.approx(sum(weights[run.name] for run in pythia))
    assert 0.5 == weights["Lucie-7B"]
    assert 1 == pytest.approx(sum(weight for _, weight in votes(pythia, FIRST)))


def test_a_group_of_two_families_has_no_fit() -> None:
    """Three families are the least that a generation stands on."""
    hopper = [run for run in runs() if run.generation == "hopper"]
    few = sorted({run.family for run in hopper})[:2]
    some = [run for run in runs() if run.generation != "hopper" or run.family in few]

    assert set(GROUPS) - {"H100, H800, H200 and GH200"} == set(fit(some).groups)
    assert set(GROUPS) == set(fit(runs()).groups)


def test_a_group_lies_between_its_own_runs_and_all() -> None:
    """Shrinkage moves each median towards the pooled one, never past it."""
    pooled = fit(runs()).pooled.quantile(0.5)
    for name, generations in GROUPS.items():
        alone = fitted(votes([run for run in runs() if run.generation in generations])).quantile(0.5)
        shrunk = fit(runs()).groups[name].quantile(0.5)
        assert min(alone, pooled) < shrunk < max(alone, pooled)


def test_what_ships_is_what_the_fit_gives(tmp_path: Path) -> None:
    """Writing the priors again changes nothing, and over other figures restores them, with every comment."""
    shipped = (config_root() / "priors.yaml").read_text(encoding="utf-8")
    file = tmp_path / "priors.yaml"
    file.write_text(
        shipped.replace(f"central_ppm: {priors().pooled.central_ppm:_}", "central_ppm: 1"), encoding="utf-8"
    )
    assert shipped != file.read_text(encoding="utf-8")

    write_priors(file, runs(), VERSION)

    assert shipped == file.read_text(encoding="utf-8")


def test_a_file_without_a_place_for_a_prior_is_refused(tmp_path: Path) -> None:
    """A generation that the file does not have is not lost silently."""
    file = tmp_path / "priors.yaml"
    shutil.copy(config_root() / "priors.yaml", file)
    file.write_text(file.read_text(encoding="utf-8").replace("  hopper:", "  grace:"), encoding="utf-8")

    with pytest.raises(ValueError, match="hopper:' 0 times"):
        write_priors(file, runs(), VERSION)


# -- judging ---------------------------------------------------------------------------------------------------------


def test_a_run_is_predicted_without_its_family() -> None:
    """Were a family's runs learnt from, a change of them would change their own prediction; it does not."""
    raised = [run._replace(flop=run.flop * 2) if run.family == "DeepSeek" else run for run in runs()]

    before = {one.run.name: one.flop for one in predicted()}
    after = {one.run.name: one.flop for one in left_out(raised, judge.flopwatch(catalogue(), priors()))}

    own = {run.name for run in runs() if run.family == "DeepSeek"}
    assert all(before[name] == after[name] for name in own)
    assert any(before[name] != after[name] for name in before.keys() - own)


def test_the_daemon_and_the_judge_agree() -> None:
    """Predictions are the daemon's integers: hours x rate x quantile, divided once."""
    llama = next(run for run in runs() if run.name == "Llama-2-70B")
    shares = priors().of("ampere")

    bounds = judge.bounds(llama, catalogue(), priors())

    expected = [
        llama.accelerator_hours * 3_600 * 312 * 10**12 * ppm // PPM
        for ppm in (shares.low_ppm, shares.central_ppm, shares.high_ppm)
    ]
    assert expected == list(bounds[:3])


@given(st.floats(1e21, 1e25), st.floats(1e21, 1e25))
def test_probability_falls_with_the_threshold(one: float, other: float) -> None:
    """P(FLOP >= T) follows the daemon's rule: 95, 50 and 5 per cent at the bounds, never rising between."""
    bounds = Bounds(10**22, 3 * 10**22, 10**24, 10**25)

    assert [0.5, 0.05] == pytest.approx([reaches(bounds, bounds.central), reaches(bounds, bounds.high)])
    assert 0.95 == pytest.approx(reaches(bounds, bounds.low * 1.000001), abs=1e-4)
    assert reaches(bounds, min(one, other)) >= reaches(bounds, max(one, other))
    assert [1, 0] == [reaches(Bounds(5, 5, 5, 5), at) for at in (5, 6)]


def test_scores_of_predictions_that_are_known() -> None:
    """Two runs: one inside its interval, missed by two; one above it by e, missed by four."""
    run = runs()[0]._replace(flop=200)
    inside = Predicted(run, Bounds(50, 100, 400, 400))
    outside = Predicted(run._replace(flop=round(400 * exp(1) * 10**6)), Bounds(50 * 10**6, 10**8, 4 * 10**8, 4 * 10**8))

    assert (2, True, log(8)) == pytest.approx((exp(inside.error), inside.covered, inside.interval_score))
    assert log(8) + 20 == pytest.approx(outside.interval_score)
    assert 0.5 == scores([inside, outside]).coverage


def test_the_widened_prior_is_the_pooled_median() -> None:
    """Where nothing is published the median stays, the logarithm has a deviation of 0.6, and no share is above 1."""
    wide = widened(shares_of(Beta(5, 12)))

    assert 285_886 == wide.central_ppm
    assert 2 * 1.6449 * 0.6 == pytest.approx(log(wide.high_ppm / wide.low_ppm), abs=1e-3)
    assert PPM == widened(shares_of(Beta(50, 12))).high_ppm


# -- what is told ----------------------------------------------------------------------------------------------------


def test_results_are_those_of_this_fit() -> None:
    """results.json holds what these predictions score, and one point a run for a picture."""
    told = json.loads(RESULTS.read_text(encoding="utf-8"))

    expected = {name: round(value, 4) for name, value in scores(predicted())._asdict().items()}
    assert expected == pytest.approx(told["tables"]["Methods"]["flopwatch"])
    points = judge.points(runs(), catalogue(), priors())
    assert [point._asdict() for point in points] == told["points"]
    assert all(point.low <= point.central <= point.high for point in points)


def test_the_readme_tells_the_results() -> None:
    """Every bar stands in the README as results.json has it, met or not."""
    text = (ROOT / "bench" / "accuracy" / "README.md").read_text(encoding="utf-8")
    bars = json.loads(RESULTS.read_text(encoding="utf-8"))["bars"]

    assert 11 == len(bars)
    assert [] == [bar for bar in bars if f"| {' | '.join(bar)} |" not in text]


def test_an_earlier_run_helps_against_large_errors() -> None:
    """With one earlier run of the family known the ninetieth percentile falls and the interval narrows."""
    with_one = judge.with_an_earlier_run(runs(), catalogue(), priors())
    names = {one.run.name for one in with_one}
    without = [one for one in predicted() if one.run.name in names]

    assert scores(with_one).runs == len(without) == 36
    assert scores(with_one).ninetieth < scores(without).ninetieth
    assert scores(with_one).width < scores(without).width
