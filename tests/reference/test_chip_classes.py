"""Classes of export control: the limits of ECCN 3A090, what is left open, and the chips of the catalogue."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from monitor.core.model import ACCELERATOR, INSTANCE
from monitor.reference.catalogue import check_catalogue, load_catalogue
from monitor.reference.chip_classes import classes_of, paragraph
from monitor.reference.root import config_root

CATALOGUE = load_catalogue(config_root())
MID_2026 = 1_782_864_000_000  # 2026-07-01
GPU, CARD = "datacentre GPU", "consumer GPU"
A, B, PRC = "3A090.a", "3A090.b", "prc_made"


@pytest.mark.parametrize(
    ("tpp", "density", "expected"),
    [
        pytest.param(4_800, 0, A, id="TPP of .a"),
        pytest.param(4_799, 1_599, None, id="TPP just under .a, density under .b"),
        pytest.param(4_799, 1_600, B, id="TPP just under .a"),
        pytest.param(1_600, 5_920, A, id="density of .a"),
        pytest.param(1_600, 5_919, B, id="density just under .a"),
        pytest.param(1_599, 9_000, None, id="TPP just under all"),
        pytest.param(2_400, 1_600, B, id="TPP and density of .b"),
        pytest.param(2_400, 1_599, None, id="density just under .b"),
        pytest.param(2_399, 3_199, None, id="TPP just under .b, density under its second limit"),
        pytest.param(2_399, 3_200, B, id="second limits of .b"),
        pytest.param(4_800, 3_200, A, id="what .a describes is not in .b"),
    ],
)
def test_the_limits_of_3a090(tpp: int, density: int, expected: str | None) -> None:
    """Each limit is reached at its number and not one below."""
    assert expected == paragraph(tpp, density)


@pytest.mark.parametrize(
    ("tpp", "area", "kind", "country", "certain", "possible"),
    [
        pytest.param("4992", "826", GPU, "US", {A}, {A}, id="all is known"),
        pytest.param("4799.9", "826", GPU, "US", {B}, {B}, id="TPP is rounded down"),
        # 2000 / 625.001 = 3.19999: rounded to two decimals it would be at the limit.
        pytest.param("2000", "625.001", GPU, "US", set(), set(), id="density is rounded down"),
        pytest.param("2000", "625", GPU, "US", {B}, {B}, id="density at the limit"),
        pytest.param("1599", None, GPU, "US", set(), set(), id="under every limit, whatever the area"),
        pytest.param("3610", None, GPU, "US", set(), {A, B}, id="the area decides and is not known"),
        pytest.param("4800", None, GPU, "US", {A}, {A}, id="the area does not matter"),
        pytest.param("0", None, GPU, "US", set(), {A, B}, id="no rate is known"),
        pytest.param("4799", "600", CARD, "US", set(), set(), id="Note 2"),
        pytest.param("4800", "600", CARD, "US", {A}, {A}, id="Note 2 ends at 4800"),
        pytest.param("4800", "600", GPU, "CN", {A, PRC}, {A, PRC}, id="made in China"),
        pytest.param("4000", "2500", GPU, "CN", {B, PRC}, {B, PRC}, id="made in China, .b"),
        pytest.param("4800", "600", GPU, "HK", {A, PRC}, {A, PRC}, id="made in Hong Kong"),
        pytest.param("1500", "600", GPU, "CN", set(), set(), id="made in China, not of 3A090"),
        pytest.param("3000", None, GPU, "CN", set(), {A, B, PRC}, id="made in China, perhaps of 3A090"),
    ],
)
def test_what_is_certain_and_what_is_possible(
    tpp: str, area: str | None, kind: str, country: str, certain: set[str], possible: set[str]
) -> None:
    """A class is certain where the figures decide it, and possible where a figure is missing."""
    classes = classes_of(Decimal(tpp), None if area is None else Decimal(area), kind, country)

    assert (certain, possible) == (classes.certain, classes.possible)


@pytest.mark.parametrize(
    ("name", "tpp", "certain"),
    [
        ("A100 SXM4 80GB", 4_992, {A}),
        ("H100 SXM5 80GB", 15_831, {A}),
        ("H200 SXM 141GB", 15_831, {A}),
        ("B200 (HGX)", 36_000, {A}),
        ("A800", 4_992, {A}),
        ("H800", 15_831, {A}),
        ("H20 96GB", 2_368, set()),
        ("L40", 2_896, {B}),
        ("A30", 2_640, {B}),
        ("L4", 1_936, {A}),
        ("L2", 1_544, set()),
        ("A10", 2_000, set()),
        ("V100 SXM2 32GB", 2_000, set()),
        ("T4", 1_040, set()),
        ("RTX 4090", 5_284, {A}),
        ("RTX 3090", 2_272, set()),
        ("RTX A6000", 2_477, set()),
        ("Ascend 910B", 6_400, {A, PRC}),
        ("Ascend 910C", 12_800, {A, PRC}),
        ("Ascend 310", 128, set()),
    ],
)
def test_known_chips(name: str, tpp: int, certain: set[str]) -> None:
    """TPP and class of chips that people know, as 88 FR 73458 and the datasheets have them."""
    chip = CATALOGUE.resolve(name, ACCELERATOR, MID_2026).chip

    assert (tpp, certain) == (chip.tpp, chip.classes)
    assert chip.classes <= chip.classes_possible


def test_a_family_is_in_a_class_only_if_all_members_are() -> None:
    """A member of which no area is known leaves the family's class possible; one of no class makes it uncertain."""
    cloud = CATALOGUE.resolve("Cloud AI 100", ACCELERATOR, MID_2026).chip
    cambricon = CATALOGUE.resolve("MLU370", ACCELERATOR, MID_2026).chip
    every = CATALOGUE.resolve("Ascend 910", ACCELERATOR, MID_2026).chip

    assert (frozenset(), {A, B}) == (cloud.classes, cloud.classes_possible)
    assert (frozenset(), {A, B, PRC}) == (cambricon.classes, cambricon.classes_possible)
    assert {A, PRC} == every.classes


def test_unknown_hardware_is_in_no_class() -> None:
    """A name that the catalogue does not have says nothing of a class; its accelerators count in high, as unknown."""
    hardware = CATALOGUE.resolve("warp-core", ACCELERATOR, MID_2026)

    assert not hardware.known
    assert (frozenset(), frozenset()) == (hardware.chip.classes, hardware.chip.classes_possible)


def test_a_known_chip_without_a_16_bit_rate_keeps_its_class() -> None:
    """Its compute is unknown, and its class is not: that goes by the 8-bit rate."""
    hardware = CATALOGUE.resolve("MLU290-M5", ACCELERATOR, MID_2026)

    assert not hardware.known
    assert {A, PRC} == hardware.chip.classes


def test_an_instance_is_classified_by_its_chip() -> None:
    """What classifies is the chip, also where an instance holds eight of them."""
    assert {A} == CATALOGUE.resolve("p5.48xlarge", INSTANCE, MID_2026).chip.classes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the catalogue, to damage."""
    shutil.copytree(config_root() / "catalogue", tmp_path / "catalogue")
    return tmp_path


def test_a_vendor_that_is_not_in_the_table_is_said(root: Path) -> None:
    """Each vendor of an accelerator stands in vendors.csv, once."""
    path = root / "catalogue" / "vendors.csv"
    text = path.read_text("utf-8")
    path.write_text(text.replace("Groq,US", "Grok,US") + "Intel,US,memory,again\n", "utf-8")

    problems = check_catalogue(root)

    assert 2 == len(problems)
    assert problems[0].endswith("(Intel): the vendor stands twice; remove one of them.")
    assert problems[1].endswith(
        "(GroqChip LPU v1): the vendor 'Groq' is not in vendors.csv; add it there or correct the name."
    )
