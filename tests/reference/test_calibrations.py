"""Earlier runs of tenants: the posterior they give, the file, and what is refused."""

from __future__ import annotations

from itertools import pairwise
from math import exp, log
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.priors import PPM, Quantiles
from monitor.errors import ReferenceProblem
from monitor.reference.calibrations import calibrated, load_calibrations, posterior
from monitor.reference.priors import load_priors
from monitor.reference.root import config_root

PRIORS = load_priors(config_root())
SCATTER = PRIORS.earlier_scatter_ppm
HOPPER = PRIORS.of("hopper")
GENERATIONS = {"hopper", "ampere", "blackwell"}
ENTRY = """\
  - tenant: t-0007
    generation: hopper
    utilisation_ppm: 310_000
    date: 2026-09-30
    source: "a report"
"""

shares = st.integers(20_000, 900_000)
factors = st.floats(1.05, 6)


@st.composite
def priors(draw: st.DrawFn) -> Quantiles:
    """Three quantiles that differ, with distances from the median that need not be alike."""
    central = draw(st.integers(100_000, 400_000))
    low, high = round(central / draw(factors)), min(PPM, round(central * draw(factors)))
    return Quantiles(low, central, high, draw(st.booleans()), "a prior")


@given(priors(), st.lists(shares, min_size=1, max_size=8))
def test_a_posterior_lies_between_prior_and_data(prior: Quantiles, earlier: list[int]) -> None:
    """Central is between the prior's and the geometric mean of what was seen, and the quantiles stay in order."""
    seen = exp(sum(map(log, earlier)) / len(earlier))

    after = posterior(prior, earlier, SCATTER)

    assert min(prior.central_ppm, seen) - 1 <= after.central_ppm <= max(prior.central_ppm, seen) + 1
    assert 0 < after.low_ppm <= after.central_ppm <= after.high_ppm <= PPM
    assert prior.extrapolated == after.extrapolated


@given(priors(), st.lists(shares, min_size=2, max_size=8))
def test_more_evidence_narrows(prior: Quantiles, earlier: list[int]) -> None:
    """Each further run, whatever it says, leaves less on both sides of the median; their order does not matter."""
    after = [prior, *(posterior(prior, earlier[:count], SCATTER) for count in range(1, len(earlier) + 1))]
    below = [log(one.central_ppm / one.low_ppm) for one in after]
    above = [log(one.high_ppm / one.central_ppm) for one in after if one.high_ppm < PPM]  # no share is above 1

    for distances in (below, above):
        assert all(later < sooner + 1e-3 for sooner, later in pairwise(distances))
    assert below[-1] < below[0]
    backwards = posterior(prior, earlier[::-1], SCATTER)
    assert posterior(prior, earlier, SCATTER).central_ppm == pytest.approx(backwards.central_ppm, abs=1)


def test_an_earlier_run_weighs_a_third() -> None:
    """Where a prior is hardly wider than runs of one tenant scatter, central moves a third of the way to one run."""
    after = posterior(HOPPER, [400_000], SCATTER)

    expected = HOPPER.central_ppm ** (2 / 3) * 400_000 ** (1 / 3)
    assert expected == pytest.approx(after.central_ppm, abs=1)
    assert after.basis.startswith("own: 1 earlier run at 0.400, over Beta(")


def test_a_wide_prior_gives_way_sooner() -> None:
    """Where nothing is published, a tenant's own run weighs most."""
    wide = PRIORS.of("blackwell")

    after = posterior(wide, [500_000, 500_000], SCATTER)

    assert log(500_000 / after.central_ppm) < log(after.central_ppm / wide.central_ppm) / 2
    assert after.basis.startswith("own: 2 earlier runs at 0.500, 0.500, over no published run")


def test_runs_move_their_generation_only() -> None:
    """A run on Hopper says nothing of A100; on a generation without data it makes a prior of its own."""
    own = calibrated(PRIORS, {"hopper": [310_000], "blackwell": [310_000]})

    assert HOPPER != own.of("hopper")
    assert PRIORS.of("blackwell") != own.of("blackwell")
    assert [PRIORS.of(name) for name in ("ampere", "rubin", "pooled")] == [
        own.of(name) for name in ("ampere", "rubin", "pooled")
    ]


def test_none_ship() -> None:
    """The packaged list is empty, and has a version and a digest."""
    shipped = load_calibrations(config_root(), PRIORS, GENERATIONS)

    assert {} == shipped.tenants
    assert shipped.version
    assert shipped.digest.startswith("sha256:")


def written(folder: Path, *entries: str) -> Path:
    (folder / "calibrations.yaml").write_text('version: "1"\ncalibrations:\n' + "".join(entries), encoding="utf-8")
    return folder


def test_a_file_gives_tenants_their_priors(tmp_path: Path) -> None:
    """Two runs of a tenant count together; another tenant has its own; each entry is in the digest."""
    other = ENTRY.replace("t-0007", "t-0008")
    second = ENTRY.replace("310_000", "280_000")

    loaded = load_calibrations(written(tmp_path, ENTRY, other, second), PRIORS, GENERATIONS)

    assert posterior(HOPPER, [310_000, 280_000], SCATTER) == loaded.tenants["t-0007"].of("hopper")
    assert posterior(HOPPER, [310_000], SCATTER) == loaded.tenants["t-0008"].of("hopper")
    assert loaded.digest != load_calibrations(written(tmp_path, ENTRY, other), PRIORS, GENERATIONS).digest


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("hopper", "hoper", "no accelerator of the catalogue is of generation 'hoper'"),
        ("310_000", "0", "calibrations.0.utilisation_ppm: input should be greater than 0"),
        ("310_000", "1_000_001", "calibrations.0.utilisation_ppm: "),
        ("310_000", "0.31", "calibrations.0.utilisation_ppm: "),
        ("2026-09-30", "September", "calibrations.0.date: "),
        ("2026-09-30", "2026-02-30", "cannot be read as the value"),
        ("    source:", "    sauce:", "calibrations.0.source: field required"),
        ("t-0007", '""', "calibrations.0.tenant: "),
    ],
)
def test_a_damaged_entry_is_refused_with_a_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """No entry is dropped: what cannot be one is named by its place."""
    with pytest.raises(ReferenceProblem) as problem:
        load_calibrations(written(tmp_path, ENTRY.replace(old, new)), PRIORS, GENERATIONS)

    assert sentence in str(problem.value)
    assert "calibrations.yaml" in str(problem.value)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    """An empty list is said, not left out."""
    with pytest.raises(ReferenceProblem, match=r"calibrations\.yaml cannot be read \(no such file"):
        load_calibrations(tmp_path, PRIORS, GENERATIONS)
