"""The priors that ship, against the distributions they claim, and what is refused."""

from __future__ import annotations

import re
import shutil
from math import exp, lgamma, log
from pathlib import Path

import pytest

from monitor.core.catalogue import Chip
from monitor.core.priors import POOLED, PPM
from monitor.errors import ReferenceProblem
from monitor.reference.catalogue import load_catalogue
from monitor.reference.priors import load_priors
from monitor.reference.root import config_root

PRIORS = load_priors(config_root())
Z95 = 1.6448536269514722


def beta_share_below(x: float, a: float, b: float) -> float:
    """The cumulative Beta distribution, by Simpson's rule."""
    steps = 4_000
    scale = lgamma(a + b) - lgamma(a) - lgamma(b)

    def density(t: float) -> float:
        return exp(scale + (a - 1) * log(t) + (b - 1) * log(1 - t)) if 0 < t < 1 else 0.0

    inner = sum((4 if n % 2 else 2) * density(x * n / steps) for n in range(1, steps))
    return (density(0) + inner + density(x)) * x / steps / 3


@pytest.mark.parametrize(
    ("generation", "runs"),
    [(POOLED, 61), ("hopper", 17), ("ampere", 34), ("tpu_v4", 34), ("volta", 9), ("tpu_v3", 9)],
)
def test_quantiles_are_those_of_the_stated_distribution(generation: str, runs: int) -> None:
    """Low, central and high are the 5, 50 and 95 per cent quantiles of the Beta distribution in the basis."""
    prior = PRIORS.of(generation)
    said = re.match(rf"Beta\(([\d.]+), ([\d.]+)\) over {runs} ", prior.basis)
    assert said is not None
    assert not prior.extrapolated
    a, b = map(float, said.groups())
    shares = [beta_share_below(ppm / PPM, a, b) for ppm in (prior.low_ppm, prior.central_ppm, prior.high_ppm)]
    assert [0.05, 0.5, 0.95] == pytest.approx(shares, abs=1e-3)  # the basis has two decimals


def test_a_generation_without_data_is_pooled_widened_and_marked() -> None:
    """Blackwell and the like have the pooled median, a standard deviation of 0.6 in the logarithm, and say so."""
    wide = PRIORS.of("blackwell")
    median = PRIORS.pooled.central_ppm
    assert wide.extrapolated
    assert [median * exp(-Z95 * 0.6), median, median * exp(Z95 * 0.6)] == pytest.approx(
        [wide.low_ppm, wide.central_ppm, wide.high_ppm], abs=1
    )


def test_telemetry_holds_recomputation_and_a_residual() -> None:
    """Low takes all recomputation and the lower residual, central the median recomputation, high none."""
    telemetry = PRIORS.telemetry
    assert [PPM * exp(-Z95 * 0.15) * 3 / 4, PPM * 6 / 7, PPM * exp(Z95 * 0.15)] == pytest.approx(
        [telemetry.low_ppm, telemetry.central_ppm, telemetry.high_ppm], abs=1
    )


def test_executed_flop_hold_a_residual_and_no_recomputation() -> None:
    """Executed FLOP are activity with its residual; recomputation of 1 to 4/3 parts them from model FLOP."""
    measuring = PRIORS.measuring
    executed = measuring.executed
    assert [PPM * exp(-Z95 * 0.15), PPM, PPM * exp(Z95 * 0.15)] == pytest.approx(
        [executed.low_ppm, executed.central_ppm, executed.high_ppm], abs=1
    )
    assert [PPM * 7 / 6, PPM * 4 / 3] == pytest.approx(
        [measuring.recomputation_central_ppm, measuring.recomputation_high_ppm], abs=1
    )


def test_the_steady_share_is_the_upper_quantile_of_published_runs() -> None:
    """While training runs it gets 0.40 of the peak, with 0.25 in the logarithm; high is the 95 per cent quantile."""
    assert PPM * 0.40 * exp(Z95 * 0.25) == pytest.approx(PRIORS.measuring.steady_high_ppm, abs=100)


def test_the_factor_of_fp8_is_that_of_its_share() -> None:
    """An FP8 run does 0.85 of its FLOP in FP8, in half the cycles."""
    assert PPM / (1 - 0.85 / 2) == pytest.approx(PRIORS.measuring.fp8_cycle_factor_ppm, abs=1)


def test_every_prior_is_used_by_some_chip() -> None:
    """A generation in the priors that no chip has would be a typing error."""
    generations = {named.chip.generation for named in load_catalogue(config_root()).names.values()}
    assert set() == set(PRIORS.generations) - generations


@pytest.mark.parametrize(
    ("accelerator", "extrapolated"),
    [("A100 SXM4 80GB", False), ("H200 SXM 141GB", False), ("GB200", True), ("MI300X", True), ("H20", True)],
)
def test_chips_have_the_prior_of_their_generation(accelerator: str, extrapolated: bool) -> None:
    """Only generations with published runs stand on data of their own."""
    chip: Chip = load_catalogue(config_root()).resolve(accelerator, "accelerator", 0).chip
    assert extrapolated == PRIORS.of(chip.generation).extrapolated


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("pooled: {low_ppm: 1", "pooled: {low_ppm: 3", "must not fall"),
        ("fp8_high_factor_ppm: 1_350_000", "fp8_high_factor_ppm: 1.35", "fp8_high_factor_ppm: "),
        ("high_ppm: 68", "high_ppm: 1_68", "without_data.high_ppm: "),
        ("extrapolated: true", "extrapolate: true", "without_data.extrapolate: "),
        ("numerator: 4", "numerator: 2", "at least 1"),
        ("version:", "versoin:", "version: "),
        ("generations:", "generations: [", "is no valid YAML"),
        ("telemetry:", "pooled: 1\ntelemetry:", "the key 'pooled' stands twice"),
    ],
)
def test_a_damaged_file_is_refused_with_a_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """What cannot be a prior is named by file and field, and people are told what to do."""
    text = (config_root() / "priors.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "priors.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ReferenceProblem) as problem:
        load_priors(tmp_path)
    assert sentence in str(problem.value)
    assert "priors.yaml" in str(problem.value)
    assert str(problem.value).endswith("correct it there.")


def test_the_digest_follows_the_content_alone(tmp_path: Path) -> None:
    """A comment changes nothing; a figure changes the digest."""
    shutil.copy(config_root() / "priors.yaml", tmp_path)
    path = tmp_path / "priors.yaml"
    path.write_text("# a remark\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert PRIORS.digest == load_priors(tmp_path).digest
    path.write_text(path.read_text(encoding="utf-8").replace("1_350_000", "1_300_000"), encoding="utf-8")
    assert PRIORS.digest != load_priors(tmp_path).digest


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    """No file: the sentence names it."""
    with pytest.raises(ReferenceProblem, match=r"priors\.yaml cannot be read \(no such file or directory\)"):
        load_priors(tmp_path)
