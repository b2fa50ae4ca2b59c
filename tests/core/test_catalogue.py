"""What a name of hardware means: resolution, families, slices and hardware that nobody knows."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.catalogue import (
    CACHED_MAX,
    NONE,
    TERAFLOP,
    Catalogue,
    Chip,
    Named,
    Slice,
    family,
    normal_name,
    pool,
)
from monitor.core.countries import DerivedGroup, GroupChange, derived, history
from monitor.core.model import ACCELERATOR, DAY_MS, INSTANCE
from monitor.core.priors import POOLED, Measuring, Priors, Quantiles


def chip(name: str, teraflops: int, release: int = 0, ceiling: int | None = None, clock_khz: int | None = None) -> Chip:
    """A chip of one 16-bit rate."""
    rate = teraflops * TERAFLOP
    top = rate if ceiling is None else ceiling * TERAFLOP
    return Chip(
        name,
        "Maker",
        "datacentre GPU",
        "gen",
        release,
        rate,
        rate,
        rate,
        top,
        top > rate,
        clock_khz,
        0,
        None,
        "",
        "seen",
    )


OLD = chip("Old 16GB", 100, release=10 * DAY_MS, clock_khz=1_410_000)
NEW = chip("New 80GB", 1_000, release=20 * DAY_MS, ceiling=4_000)
MIDDLE = chip("Middle", 300, release=30 * DAY_MS)
UNRATED = chip("Unrated", 0)
EITHER = family("Either", NEW, [OLD, NEW], "its age", "seen")
CATALOGUE = Catalogue(
    version="1",
    digest="sha256:0",
    names={
        normal_name(name): Named(target, per_unit)
        for name, target, per_unit in [
            ("Old 16GB", OLD, 1_000),
            ("New 80GB", NEW, 1_000),
            ("Middle", MIDDLE, 1_000),
            ("Unrated", UNRATED, 1_000),
            ("Either", EITHER, 1_000),
            ("New superchip", NEW, 2_000),
            ("rack", NEW, 1_000),
        ]
    },
    instances={
        "new8xlarge": Named(NEW, 8_000),
        "eighth": Named(NEW, 125),
        "rack": Named(NEW, 72_000),
        "cpu1gpu": Named(NEW, 1_000),
    },
    slices={"v1": Slice(OLD, 2), "v2e": Slice(NEW, 1)},
    without=(re.compile(r"cpu[0-9][.][a-z]+"), re.compile("rack")),
    pool=pool([NEW, MIDDLE, OLD, UNRATED], 8),
)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("NVIDIA A100-SXM4-80GB", "A100 SXM4 80GB", True),
        ("nvidia_a100-sxm4-80gb", "NVIDIA-A100-SXM4-80GB", True),
        ("Tesla V100-SXM2-16GB", "v100 sxm2 16gb", True),
        ("NVIDIA Tesla T4", "T4", True),
        ("AMD Instinct MI300X", "mi300x", True),
        ("A100", "H100", False),
        ("P4", "P40", False),
        ("NVIDIA", "AMD", False),
        ("Ｈ１００", "H100", True),
    ],
)
def test_names_match_without_case_punctuation_and_vendor(first: str, second: str, same: bool) -> None:
    """Case, blanks, punctuation, width of letters and leading vendor words do not matter; all else does."""
    assert same == (normal_name(first) == normal_name(second))


@pytest.mark.parametrize(
    ("name", "unit", "expected", "per_unit", "assumptions"),
    [
        ("maker-new 80GB", ACCELERATOR, "maker-new 80GB", 1_000, 1),  # another vendor's word is part of the name
        ("NVIDIA New-80GB", ACCELERATOR, "New 80GB", 1_000, 0),
        ("new.8xlarge", INSTANCE, "New 80GB", 8_000, 0),
        ("new.8xlarge", None, "New 80GB", 8_000, 0),
        ("new.8xlarge", ACCELERATOR, "New 80GB", 1_000, 1),
        ("eighth", INSTANCE, "New 80GB", 125, 0),
        ("New 80GB", INSTANCE, "New 80GB", 1_000, 1),
        ("New superchip", ACCELERATOR, "New 80GB", 2_000, 0),
        ("rack", INSTANCE, "New 80GB", 72_000, 0),
        ("rack", ACCELERATOR, "New 80GB", 1_000, 0),
        ("v1-512", INSTANCE, "Old 16GB", 256_000, 0),
        ("V1-512", None, "Old 16GB", 256_000, 0),
        ("v1-512", ACCELERATOR, "Old 16GB", 1_000, 1),
        ("v2e-16", INSTANCE, "New 80GB", 16_000, 0),
        ("Either", ACCELERATOR, "Either", 1_000, 1),
        ("cpu1.large", INSTANCE, NONE, 0, 0),
        (" CPU2.small", None, NONE, 0, 0),
        ("cpu1.large", ACCELERATOR, "cpu1.large", 1_000, 1),  # whoever counts accelerators knows of some
        ("cpu1.large.2", INSTANCE, "cpu1.large.2", 1_000, 2),  # all of the name, or nothing
        ("cpu1.gpu", INSTANCE, "New 80GB", 1_000, 0),  # a row says more than a pattern
    ],
)
def test_what_a_name_means(name: str, unit: str | None, expected: str, per_unit: int, assumptions: int) -> None:
    """A name resolves to its chip and to so many accelerators a unit; what had to be assumed is said."""
    hardware = CATALOGUE.resolve(name, unit, 40 * DAY_MS)
    assert (expected, per_unit, assumptions) == (hardware.name, hardware.per_unit, len(hardware.assumptions))


def test_a_family_spans_its_members() -> None:
    """An ambiguous name is counted as its default, with bounds over all members and a sentence that says so."""
    assert (100, 1_000, 1_000, 4_000) == tuple(
        rate // TERAFLOP for rate in (EITHER.rate_low, EITHER.rate_central, EITHER.rate_high, EITHER.rate_ceiling)
    )
    assert OLD.release == EITHER.release
    assert EITHER.clock_khz is None  # its members differ
    assert (
        "'Either' does not state its age: counted as New 80GB, with bounds over 2 chips (100 TFLOP/s to 1,000 TFLOP/s)."
        == EITHER.assumption
    )


def test_a_family_of_equals_keeps_their_clock() -> None:
    """Members that share a clock and a rate share it with the family."""
    twins = family("Twins", OLD, [OLD, OLD], "anything", "seen")
    assert OLD.clock_khz == twins.clock_khz
    assert "all at 100 TFLOP/s" in str(twins.assumption)


@pytest.mark.parametrize(
    ("day", "central", "high", "ceiling"),
    [
        (0, 100, 100, 100),  # before any release the first chip stands in
        (10, 100, 100, 100),  # never above what was released
        (20, 300, 1_000, 4_000),
        (40, 300, 1_000, 4_000),  # a slower chip came later
    ],
)
def test_unknown_hardware_is_at_most_the_fastest_of_its_day(day: int, central: int, high: int, ceiling: int) -> None:
    """Unknown: low 0, central the median chip, high and ceiling the fastest released by then; under its own name."""
    hardware = CATALOGUE.resolve("Nobody's", ACCELERATOR, day * DAY_MS)
    rates = hardware.chip
    assert ("Nobody's", 1_000, False) == (hardware.name, hardware.per_unit, hardware.known)
    assert (0, central, high, ceiling) == (
        rates.rate_low,
        rates.rate_central // TERAFLOP,
        rates.rate_high // TERAFLOP,
        rates.rate_ceiling // TERAFLOP,
    )


def test_an_unknown_instance_type_is_one_unit_but_eight_chips() -> None:
    """The books count an unknown instance as one; compute takes it as eight accelerators and says so."""
    hardware = CATALOGUE.resolve("mystery.xl", INSTANCE, 40 * DAY_MS)
    assert (1_000, 0, 2_400, 8_000, 32_000) == (
        hardware.per_unit,
        hardware.chip.rate_low,
        hardware.chip.rate_central // TERAFLOP,
        hardware.chip.rate_high // TERAFLOP,
        hardware.chip.rate_ceiling // TERAFLOP,
    )
    assert (
        "An instance of 'mystery.xl' is taken to hold 8 accelerators; the books count it as 1." in hardware.assumptions
    )


def test_hardware_without_a_rate_counts_as_unknown_under_its_canonical_name() -> None:
    """A row without a 16-bit rate names the hardware but bounds nothing."""
    hardware = CATALOGUE.resolve("unrated", ACCELERATOR, 40 * DAY_MS)
    assert ("Unrated", False, 0, POOLED) == (
        hardware.name,
        hardware.known,
        hardware.chip.rate_low,
        hardware.chip.generation,
    )


@pytest.mark.parametrize("name", ["v1-0", "v1-", "v1-1234567", "v3-8", "v1-8-8", "", "---"])
def test_what_is_no_slice_is_unknown(name: str) -> None:
    """Only a known prefix and a number of one to six digits is a slice."""
    assert not CATALOGUE.resolve(name, INSTANCE, 0).known


def test_hardware_that_nobody_named_is_unknown() -> None:
    """No name at all is unknown hardware called so."""
    assert "unknown" == CATALOGUE.resolve(None, None, 0).name


@given(
    st.none()
    | st.text(max_size=40)
    | st.sampled_from(["New-80gb", "either", "v1-8", "new.8xlarge", "Unrated", "rack", "cpu1.large"]),
    st.sampled_from([None, ACCELERATOR, INSTANCE]),
    st.integers(-(10**15), 10**15),
)
def test_resolution_never_fails_and_bounds_never_cross(name: str | None, unit: str | None, at: int) -> None:
    """Whatever is asked: an answer, low <= central <= high <= ceiling, and the same answer again."""
    hardware = CATALOGUE.resolve(name, unit, at)
    rates = hardware.chip
    assert 0 <= rates.rate_low <= rates.rate_central <= rates.rate_high <= rates.rate_ceiling
    assert hardware.per_unit > 0 or (hardware.known and not rates.rate_ceiling)
    assert hardware is CATALOGUE.resolve(name, unit, at)


def test_invented_names_do_not_fill_the_memory() -> None:
    """However many names arrive, the cache stays bounded."""
    for number in range(CACHED_MAX + 2):
        CATALOGUE.resolve(f"invented-{number}", ACCELERATOR, 0)
    assert len(CATALOGUE._resolved) <= CACHED_MAX


def test_priors_fall_back_to_the_widened_one() -> None:
    """A generation with runs has its own prior, an unknown one the pooled, any other the widened."""
    pooled, wide, own = (Quantiles(low, 300_000, 500_000, low == 2, "") for low in (1, 2, 3))
    measuring = Measuring(own, 1_166_666, 1_333_334, 600_000, 2_000_000)
    priors = Priors("1", "", "", "", pooled, wide, {"gen": own}, 1_350_000, pooled, 310_000, measuring)
    assert [own, pooled, wide] == [priors.of("gen"), priors.of(POOLED), priors.of("newest")]


def test_a_change_before_the_day_is_undone_and_one_after_it_applied() -> None:
    """Members are stated as of day 20; the change of day 10 is undone before it, the one of day 30 holds from it on."""
    changes = [
        GroupChange(30, "G", frozenset({"DD"}), frozenset({"AA"})),
        GroupChange(10, "G", frozenset({"BB"}), frozenset({"CC"})),
    ]
    group = history(frozenset({"AA", "BB"}), 20, changes)
    expected = [(9, {"AA", "CC"}), (10, {"AA", "BB"}), (29, {"AA", "BB"}), (30, {"BB", "DD"})]
    assert expected == [(at, set(group.at(at))) for at, _ in expected]


def test_a_derived_group_changes_with_its_parts() -> None:
    """A derived group is its parts and codes less what it excludes, at any instant."""
    parts = {
        "X": history(frozenset({"AA"}), 20, [GroupChange(10, "X", frozenset(), frozenset({"BB"}))]),
        "Y": history(frozenset({"ZZ"}), 20, [GroupChange(30, "Y", frozenset({"AA"}), frozenset())]),
    }
    group = derived(DerivedGroup(("X",), frozenset({"MM"}), ("Y",)), parts)
    expected = [(9, {"AA", "BB", "MM"}), (10, {"AA", "MM"}), (30, {"MM"})]
    assert expected == [(at, set(group.at(at))) for at, _ in expected]
