"""The catalogue that ships, against its references, and every contradiction that its check must find."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace as replace_rows
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from monitor.core.catalogue import TERAFLOP
from monitor.core.model import ACCELERATOR, INSTANCE
from monitor.errors import ReferenceProblem
from monitor.reference.catalogue import check_catalogue, load_catalogue
from monitor.reference.contradictions import contradictions
from monitor.reference.root import config_root
from monitor.reference.rows import read_tables
from tests.cli.command import flopwatch

CATALOGUE = load_catalogue(config_root())
REFERENCE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "reference"
MID_2026 = 1_782_864_000_000  # 2026-07-01
needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason="shared/data/reference is not beside the checkout")

Mutation = Callable[[Path], None]


def reference_rows(name: str) -> list[dict[str, str]]:
    """The rows of a reference table."""
    with (REFERENCE / name).open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the configuration folder, to damage."""
    shutil.copytree(config_root() / "catalogue", tmp_path / "catalogue")
    return tmp_path


def test_what_ships_has_no_contradiction() -> None:
    """The shipped catalogue is clean."""
    assert [] == check_catalogue(config_root())


# Against the references


@needs_reference
def test_every_reference_accelerator_is_there_with_its_rate() -> None:
    """Each reference row resolves to a row of its own name, vendor, TPP and 16-bit rate, where it states one."""
    for row in reference_rows("accelerators.csv"):
        hardware = CATALOGUE.resolve(row["accelerator"], ACCELERATOR, MID_2026)
        assert row["accelerator"] == hardware.name
        if row["bf16_fp16_dense_tflops"]:
            assert int(Decimal(row["bf16_fp16_dense_tflops"]) * TERAFLOP) == hardware.chip.rate_high
            assert Decimal(row["tpp_computed"]) == pytest.approx(hardware.chip.tpp, rel=Decimal("0.005"))
            assert row["vendor"] == hardware.chip.vendor


@needs_reference
def test_every_accelerator_of_published_runs_resolves_to_the_peak_used_there() -> None:
    """Names of papers resolve, and their central rate is the dense 16-bit peak that the run was measured against."""
    for row in reference_rows("training_runs.csv"):
        hardware = CATALOGUE.resolve(row["accelerator"], ACCELERATOR, MID_2026)
        assert hardware.known, row["accelerator"]
        if row["precision"] != "fp8 mixed":  # measured against the FP8 peak
            expected = Decimal(row["peak_dense_tflops_used"])
            assert expected == pytest.approx(Decimal(hardware.chip.rate_central) / TERAFLOP, rel=Decimal("0.002"))


@needs_reference
def test_every_reference_instance_type_has_its_accelerators() -> None:
    """Each instance type resolves to what its accelerator's name resolves to, in thousandths of an accelerator."""
    for row in reference_rows("instances.csv"):
        hardware = CATALOGUE.resolve(row["instance_type"], INSTANCE, MID_2026)
        chip = CATALOGUE.resolve(row["accelerator_model"], ACCELERATOR, MID_2026).chip
        expected = (Decimal(row["accelerator_count"]) * 1_000).quantize(Decimal(1), ROUND_HALF_UP)
        assert expected == hardware.per_unit, row["instance_type"]
        assert chip.rate_low <= hardware.chip.rate_central <= chip.rate_high, row["instance_type"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # GPU feature discovery node labels and DCGM model names
        ("NVIDIA-A100-SXM4-80GB", "A100 SXM4 80GB"),
        ("NVIDIA A100-SXM4-40GB", "A100 SXM4 40GB"),
        ("NVIDIA A100 80GB PCIe", "A100 PCIe 80GB"),
        ("NVIDIA-H100-80GB-HBM3", "H100 SXM5 80GB"),
        ("NVIDIA H100 PCIe", "H100 PCIe 80GB"),
        ("NVIDIA-H200", "H200"),
        ("NVIDIA-H200-SXM5-141GB", "H200 SXM 141GB"),
        ("NVIDIA-GB200", "GB200 (per GPU)"),
        ("NVIDIA B200", "B200 (HGX)"),
        ("NVIDIA-L40S", "L40S"),
        ("Tesla T4", "T4"),
        ("Tesla V100-SXM2-16GB", "V100 SXM2 16GB"),
        ("AMD Instinct MI300X OAM", "Instinct MI300X"),
        # Slurm
        ("h100", "H100"),
        ("nvidia_h100_80gb_hbm3", "H100 SXM5 80GB"),
        ("a100", "A100"),
        ("gh200", "GH200"),
        ("mi250x", "Instinct MI250X"),
        # GCP and GKE
        ("nvidia-tesla-v100", "V100"),
        ("nvidia-h100-80gb", "H100 80GB"),
        ("nvidia-h100-mega-80gb", "H100 SXM5 80GB"),
        ("nvidia-a100-80gb", "A100 80GB"),
        ("tpu-v5-lite-podslice", "TPU v5e"),
        ("tpu-v6e-slice", "TPU v6e (Trillium)"),
        # Papers
        ("NVIDIA A100 (memory size not stated)", "A100"),
        ("Cerebras CS-2 (WSE-2)", "WSE-2 (CS-2 system)"),
        ("Ascend 910B", "Ascend 910B"),
        ("Trillium", "TPU v6e (Trillium)"),
    ],
)
def test_names_of_the_field_resolve(name: str, expected: str) -> None:
    """What clouds, schedulers, monitoring and papers call a chip leads to one row or family."""
    assert expected == CATALOGUE.resolve(name, ACCELERATOR, MID_2026).name


@pytest.mark.parametrize(
    ("name", "unit", "accelerator", "per_unit"),
    [
        ("p5.48xlarge", INSTANCE, "H100 SXM5 80GB", 8_000),
        ("standard_nd96isr_h100_v5", INSTANCE, "H100 SXM5 80GB", 8_000),
        ("a2-ultragpu-8g", INSTANCE, "A100 SXM4 80GB", 8_000),
        ("g6f.xlarge", INSTANCE, "L4", 125),
        ("Standard_NV6ads_A10_v5", INSTANCE, "A10", 167),
        ("g2.8xlarge", INSTANCE, "K520 (half card)", 4_000),
        ("g3.16xlarge", INSTANCE, "M60 (half card)", 4_000),
        ("Standard_NC24r", INSTANCE, "K80 (half card)", 4_000),
        ("Standard_NC24rs_v2", INSTANCE, "P100 PCIe 16GB", 4_000),
        ("Standard_NV6", INSTANCE, "M60 (half card)", 1_000),
        ("Standard_NV28adms_V710_v5", INSTANCE, "Radeon Pro V710", 1_000),
        ("Standard_NG8ads_V620_v1", INSTANCE, "Radeon Pro V620", 250),
        ("Standard_ND96is_flex_H100_v5", INSTANCE, "H100 SXM5 80GB", 8_000),
        ("a3-ultragpu-8g-nolssd", INSTANCE, "H200 SXM 141GB", 8_000),
        ("g4-standard-6", INSTANCE, "RTX PRO 6000 Blackwell Server", 125),
        ("ct3p-hightpu-4t", INSTANCE, "TPU v3", 4_000),
        ("v4-512", INSTANCE, "TPU v4", 256_000),
        ("v5p-4096", INSTANCE, "TPU v5p", 2_048_000),
        ("v3-256", INSTANCE, "TPU v3", 128_000),
        ("v2-8", INSTANCE, "TPU v2", 4_000),
        ("v5litepod-16", INSTANCE, "TPU v5e", 16_000),
        ("v5e-16", INSTANCE, "TPU v5e", 16_000),
        ("v6e-256", INSTANCE, "TPU v6e (Trillium)", 256_000),
        ("tpu7x-8", INSTANCE, "TPU v7 / 7x (Ironwood)", 4_000),
        ("GB200 superchip", INSTANCE, "GB200 (per GPU)", 2_000),
        ("GB200 superchip", ACCELERATOR, "GB200 (per GPU)", 2_000),
        ("GB200 NVL72", INSTANCE, "GB200 (per GPU)", 72_000),
        ("GB200 NVL72", ACCELERATOR, "GB200 (per GPU)", 1_000),
        ("GH200", INSTANCE, "GH200", 1_000),
        ("MI250X GCD", ACCELERATOR, "Instinct MI250X", 500),
    ],
)
def test_slices_count_cores_and_superchips_two(name: str, unit: str, accelerator: str, per_unit: int) -> None:
    """One unit of a name is as many accelerators as its maker means by it."""
    hardware = CATALOGUE.resolve(name, unit, MID_2026)
    assert (accelerator, per_unit) == (hardware.name, hardware.per_unit)


WITHOUT = """
    a1.metal c3.large c5ad.24xlarge c6gn.medium c7i-flex.large c8id.96xlarge c9gd.xlarge cc2.8xlarge cr1.8xlarge
    d3en.12xlarge f1.2xlarge f2.48xlarge h1.16xlarge hpc7a.96xlarge hs1.8xlarge i2.8xlarge i4g.large i7ie.metal-24xl
    i8ge.48xlarge im4gn.large is4gen.medium m2.4xlarge m3.medium m5.large m5dn.metal m5zn.3xlarge m8idb.xlarge
    m9gd.large mac-m4pro.metal mac2-m1ultra.metal mac2.metal r5b.large r7iz.metal-16xl r8i-flex.large t1.micro t2.nano
    t3a.micro t4g.small t8i.large u-18tb1.112xlarge u-6tb1.metal u7inh-32tb.480xlarge vt1.24xlarge x1e.xlarge
    x2iedn.32xlarge x8aedz.large z1d.metal
    Basic_A1 Standard_A2m_v2 Standard_A11 Standard_B1ls Standard_B16als_v2 Standard_B2pts_v2 Standard_D1
    Standard_D11_v2_Promo Standard_D15i_v2 Standard_DS13-4_v2 Standard_D4s_v3 Standard_D2a_v4 Standard_D96ads_v5
    Standard_D2plds_v6 Standard_D16nlds_v6 Standard_D192is_v7 Standard_DC8_v2 Standard_DC96ads_cc_v5 Standard_DC2es_v6
    Standard_E4-2as_v4 Standard_E112ibds_v5 Standard_E96-24ads_v6 Standard_EC128ieds_v5 Standard_F1 Standard_F72s_v2
    Standard_F8amds_v7 Standard_FX4mds Standard_FX48-12mds_v2 Standard_FX2ms_v2 Standard_G5 Standard_GS5-16
    Standard_H16mr Standard_H8_Promo Standard_HB60rs Standard_HB176-144rs_v4 Standard_HB368rs_v5 Standard_HC44-16rs
    Standard_HX176rs Standard_L4s Standard_L80as_v3 Standard_L8aos_v5 Standard_M128 Standard_M16-4ms
    Standard_M128-64bds_3_v3 Standard_M416s_10_v2 Standard_M832ids_16_v3 Standard_NM16ads_MA35D Standard_NP40s
    Standard_PB6s
    c2-standard-60 c2d-highcpu-112 c3-highmem-192-metal c3d-standard-8-lssd c4-standard-288-lssd-metal
    c4a-highmem-72-lssd c4d-highmem-8-nolssd e2-medium e2-standard-32 e2-custom-4-8192 e2-custom-small-2048 f1-micro
    g1-small h3-standard-88 h4d-highmem-192-lssd m1-ultramem-160 m2-hypermem-416 m3-megamem-64 m4-ultramem-112
    n2-custom-4-8192 n2d-custom-8-131072-ext n2d-standard-224 n4-highcpu-80 n4a-standard-8 n4d-custom-4-8192
    t2a-standard-48 t2d-standard-60 x4-megamem-960-metal z3-highmem-88-highlssd z3-highmem-176-standardlssd
"""
UNDECIDED = """
    m5 m5.gpu m5.large.gpu xm5.large m9q.large m10i.large c10g.large g8.xlarge g10.xlarge gr7.xlarge p7.48xlarge
    trn4.48xlarge inf3.xlarge dl3.24xlarge f3.6xlarge vt2.3xlarge cg1.4xlarge u-p6e-gb300x72 u8i-12tb.224xlarge
    m1.large c1.medium
    Standard_D4s_v8 Standard_D4s_H100_v7 Standard_DG4_v7 Standard_ND96isr_B200_v6 Standard_NV4ads_X_v6 Standard_NC6_v9
    Standard_NX4_v1 Standard_X4s_v1 Standard_D4xs_v6
    n1-standard-8 n1-custom-4-8192 custom-4-8192 n1-megamem-96 n2-highgpu-8 n2-standard-8-gpu n3-standard-4
    c4-highgpu-8g a2-highgpu-9g a5-highgpu-8g g2-custom-8-32768 g5-standard-8 ct7-hightpu-4t m5-ultramem-8 e2-standard
    ecs.g7.large VM.Standard3.Flex s-1vcpu-1gb
"""


@pytest.mark.parametrize(("names", "expected"), [(WITHOUT, (True, 0)), (UNDECIDED, (False, 1_000))])
def test_only_families_that_are_known_to_have_no_accelerators_have_none(names: str, expected: tuple[bool, int]) -> None:
    """A machine of such a family is nothing that counts; what nobody decided stays unknown hardware, alike or not."""
    resolved = {name: CATALOGUE.resolve(name, INSTANCE, MID_2026) for name in names.split()}

    assert dict.fromkeys(resolved, expected) == {name: (one.known, one.per_unit) for name, one in resolved.items()}


@pytest.mark.parametrize(
    ("name", "low", "central", "high", "ceiling"),
    [
        ("A100", 312, 312, 312, 312),
        ("H100", 756, 989, 989, 1_978),
        ("Ascend 910B", 280, 376, 400, 400),
        ("RTX 4090", 165, 165, 330, 660),
        ("TPU v6e", 918, 918, 918, 918),
        ("B200", 2_250, 2_250, 2_250, 9_000),
    ],
)
def test_rates_span_what_a_name_leaves_open(name: str, low: int, central: int, high: int, ceiling: int) -> None:
    """Families span their members, GeForce its accumulation, and the ceiling takes the fastest training format."""
    chip = CATALOGUE.resolve(name, ACCELERATOR, MID_2026).chip
    rates = (chip.rate_low, chip.rate_central, chip.rate_high, chip.rate_ceiling)
    assert (low, central, high, ceiling) == tuple(rate // TERAFLOP for rate in rates)


@pytest.mark.parametrize(
    ("name", "clock_mhz"), [("H100 SXM", 1_830), ("A100", 1_410), ("B200", 1_965), ("H100", None), ("MI300X", None)]
)
def test_clocks_of_the_stated_peak(name: str, clock_mhz: int | None) -> None:
    """Telemetry is scaled by the clock of the stated peak, where one is known and the members agree."""
    expected = None if clock_mhz is None else clock_mhz * 1_000
    assert expected == CATALOGUE.resolve(name, ACCELERATOR, MID_2026).chip.clock_khz


@pytest.mark.parametrize(
    ("name", "watts"),
    [
        ("V100 SXM2 32GB", 300),
        ("A100 SXM4 80GB", 400),
        ("H100 SXM5 80GB", 700),
        ("H200 SXM 141GB", 700),
        ("B200 (HGX)", 1000),
        ("A100", None),
    ],
)
def test_rated_power_is_that_of_the_row(name: str, watts: int | None) -> None:
    """Power is compared with the rated one, where a name says whose it is."""
    expected = None if watts is None else watts * 1_000
    assert expected == CATALOGUE.resolve(name, ACCELERATOR, MID_2026).chip.rated_mw


def test_fp8_is_marked_where_it_is_faster() -> None:
    """The FP8 factor belongs to chips that gain from it: not to those whose FP8 rate is their 16-bit rate."""
    names = ("H100", "B200", "A100", "TPU v6e", "Gaudi 3")
    expected = [True, True, False, False, False]
    assert expected == [CATALOGUE.resolve(name, ACCELERATOR, MID_2026).chip.fp8 for name in names]


# Contradictions


def edit(table: str, key: str, **changes: str) -> Mutation:
    """Change fields of the row whose first or second field is `key`."""

    def mutate(root: Path) -> None:
        path = root / "catalogue" / f"{table}.csv"
        with path.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        found = [row for row in rows if key in list(row.values())[:2]]
        assert len(found) == 1
        found[0].update(changes)
        write(path, rows)

    return mutate


def write(path: Path, rows: list[dict[str, str]]) -> None:
    """Write the rows of a table back."""
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def append(table: str, line: str) -> Mutation:
    """Add a line at the end of a table."""

    def mutate(root: Path) -> None:
        with (root / "catalogue" / f"{table}.csv").open("a", encoding="utf-8") as lines:
            lines.write(line + "\n")

    return mutate


def replace(name: str, old: str, new: str) -> Mutation:
    """Replace text in a file."""

    def mutate(root: Path) -> None:
        path = root / "catalogue" / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return mutate


def overwrite(name: str, content: bytes) -> Mutation:
    """Write other bytes into a file."""

    def mutate(root: Path) -> None:
        (root / "catalogue" / name).write_bytes(content)

    return mutate


CONTRADICTIONS: list[tuple[Mutation, str]] = [
    (
        edit("accelerators", "A100 SXM4 80GB", bf16_fp16_dense_tflops="624", tpp="9984", performance_density="12.09"),
        "(A100 SXM4 80GB): the 16-bit rate 624 is the vendor's sparse figure (624); write the dense rate.",
    ),
    (  # everything doubled alike: no ratio tells, but the vendor's figure does
        edit(
            "accelerators",
            "H100 SXM5 80GB",
            bf16_fp16_dense_tflops="1978.9",
            fp8_dense_tflops="3957.8",
            int8_dense_tops="3957.8",
            tpp="31662.4",
            performance_density="38.9",
        ),
        "(H100 SXM5 80GB): the 16-bit rate 1978.9 is the vendor's sparse figure (1978.8); write the dense rate.",
    ),
    (
        edit("accelerators", "H100 SXM5 80GB", fp8_dense_tflops="3957.8", tpp="31662.4", performance_density="38.9"),
        "(H100 SXM5 80GB): the 8-bit rate 3957.8 is 4.00 times the 16-bit rate 989.4 where 2 is expected: "
        "the 8-bit rate looks sparse; write the dense rate, or state eight_bit_ratio.",
    ),
    (
        edit("accelerators", "TPU v5p", bf16_fp16_dense_tflops="918", tpp="14688"),
        "(TPU v5p): the 8-bit rate 918 is 1.00 times the 16-bit rate 918 where 2 is expected: "
        "the 16-bit rate looks doubled or sparse; write the dense rate, or state eight_bit_ratio.",
    ),
    (
        edit("accelerators", "TPU v5p", int8_dense_tops="1100", tpp="8800"),
        "(TPU v5p): the 8-bit rate 1100 is 2.40 times the 16-bit rate 459 where 2 is expected; "
        "correct a rate, or state eight_bit_ratio.",
    ),
    (
        edit("accelerators", "TPU v3", bf16_fp16_dense_tflops="246"),
        "(TPU v3): the TPP 1968 does not follow from the rates, which give 3936; correct one.",
    ),
    (
        edit("accelerators", "TPU v4", tpp="4300"),
        "(TPU v4): the TPP 4300 does not follow from the rates, which give 4400; correct one.",
    ),
    (
        edit("accelerators", "T4", performance_density="2.91"),
        "(T4): the performance density 2.91 does not follow from TPP over die area, which gives 1.91; "
        "correct one of them.",
    ),
    (
        edit("accelerators", "TPU v4", performance_density="2.91"),
        "(TPU v4): a performance density of 2.91 needs a die area; state it or leave the density out.",
    ),
    (
        edit("accelerators", "RTX 4090", bf16_fp16_slower_tflops=""),
        "(RTX 4090): a consumer GPU halves its 16-bit rate (330.3) with 32-bit accumulation; "
        "write that half in bf16_fp16_slower_tflops.",
    ),
    (
        edit("accelerators", "Instinct MI100", bf16_fp16_slower_tflops="184.6"),
        "(Instinct MI100): the slower 16-bit rate 184.6 is not below the 16-bit rate 184.6; leave it out.",
    ),
    (
        edit("accelerators", "P100 SXM2 16GB", bf16_fp16_dense_tflops="10.6"),
        "(P100 SXM2 16GB): the 16-bit rate 10.6 is 1.00 times the 32-bit rate 10.6 where 2 is expected of a chip "
        "without 8-bit rates; correct one of them.",
    ),
    (
        edit("accelerators", "K80 (half card)", bf16_fp16_dense_tflops="8.74"),
        "(K80 (half card)): the 16-bit rate 8.74 is 2.00 times the 32-bit rate 4.37 where 1 is expected of a chip "
        "without 8-bit rates; correct one of them.",
    ),
    (
        edit("accelerators", "TPU v2", accelerator="TPU-V3"),
        "the name 'TPU v3' is used already at catalogue/accelerators.csv, line",
    ),
    (edit("accelerators", "Bow IPU", accelerator="+++"), "the name '+++' has no letter or digit; rename it."),
    (
        append("aliases", "NVIDIA H20,H20 96GB,1000,papers,memory"),
        "the name 'NVIDIA H20' is used already at catalogue/aliases.csv, line",
    ),
    (
        append("aliases", "nvidia-l4,L4,1000,papers,memory"),
        "the name 'nvidia-l4' is used already at catalogue/accelerators.csv, line",
    ),
    (
        append("aliases", "Warp 9,Warp Drive,1000,papers,memory"),
        "'Warp 9' stands for 'Warp Drive', which is neither an accelerator nor a family; correct the name.",
    ),
    (
        edit("instances", "p5.48xlarge", accelerator="H1000"),
        "(AWS p5.48xlarge): the accelerator 'H1000' is unknown; add it to accelerators.csv or aliases.csv.",
    ),
    (
        append("instances", "AWS,P5-48XLARGE,H100 SXM5 80GB,8000,,,memory,memory,"),
        "(AWS P5-48XLARGE): the instance type stands already on line",
    ),
    (
        append("instances", "Other,p5.48xlarge,H100 SXM5 80GB,4000,,,memory,memory,"),
        "(Other p5.48xlarge): AWS means other hardware by this name on line",
    ),
    (
        edit("instances", "v5p-4096", accelerator_thousandths="4096000"),
        "(v5p-4096): 4096000 thousandths of TPU v5p, but slices.csv makes it 2048000 of TPU v5p; correct one of them.",
    ),
    (
        edit("families", "H100", members="H100 SXM5 80GB|H100 Turbo"),
        "(H100): the member 'H100 Turbo' is not in accelerators.csv; add it there or correct the name.",
    ),
    (
        edit("families", "H100", members="H100 PCIe 80GB|H100 NVL 94GB"),
        "(H100): the default 'H100 SXM5 80GB' is no member; make it one or take another.",
    ),
    (
        edit("families", "H100", members="H100 SXM5 80GB|Hanguang 800"),
        "(H100): the member 'Hanguang 800' has no 16-bit rate, so it cannot bound a family; state it.",
    ),
    (append("slices", "v4,TPU v4,1,memory,memory,"), "(v4): the prefix stands twice; remove one of them."),
    (
        append("without", r"AWS,g[4-9][a-z]*[.][0-9x]*large,memory,memory,"),
        "(AWS): the pattern takes in 'g4ad.xlarge', which has accelerators by catalogue/instances.csv, line 3; narrow",
    ),
    (
        append("without", "GCP,v[2-9][a-z]*-[0-9]+,memory,memory,"),
        "(GCP): the pattern takes in 'v2-8', which has accelerators by catalogue/instances.csv, line",
    ),
    (
        append("slices", "v9,TPU v9,1,memory,memory,"),
        "(v9): the accelerator 'TPU v9' is not in accelerators.csv; correct the name.",
    ),
    (
        overwrite(
            "catalogue.yaml",
            b"version: '1'\ndata_centre_classes: [abacus]\nunknown_instance_accelerators: 8\n",
        ),
        "no accelerator with a 16-bit rate is of a data_centre_classes class; name one.",
    ),
]


@pytest.mark.parametrize(
    ("factor", "slip"),
    [("2", "doubled"), ("0.5", "halved"), ("1000", "GFLOP for TFLOP"), ("0.001", "PFLOP for TFLOP")],
    ids=lambda value: str(value),
)
def test_a_wrong_sixteen_bit_rate_is_seen_on_every_chip(factor: str, slip: str) -> None:
    """Whatever chip's 16-bit rate is doubled, halved or in the wrong unit: its line is named, or its field refused."""
    tables, _ = read_tables(config_root())
    rated = {line: row for line, row in tables.accelerators.items() if row.bf16_fp16_dense_tflops is not None}
    wrong = {
        line: row.model_copy(update={"bf16_fp16_dense_tflops": Decimal(factor) * row.bf16_fp16_dense_tflops})
        for line, row in rated.items()
        if row.bf16_fp16_dense_tflops is not None
    }
    told = "\n".join(contradictions(replace_rows(tables, accelerators={**tables.accelerators, **wrong})))
    assert len(rated) > 100
    assert [] == [row.accelerator for line, row in rated.items() if f"accelerators.csv, line {line} (" not in told], (
        slip
    )


def test_check_names_a_doubled_rate(root: Path) -> None:
    """The command says which line and which chip, and leaves with 1."""
    edit("accelerators", "H100 SXM5 80GB", bf16_fp16_dense_tflops="1978.8")(root)
    ran = flopwatch("check", "--reference", root)
    assert (1, "") == (ran.code, ran.err)
    assert (
        "(H100 SXM5 80GB): the 16-bit rate 1978.8 is the vendor's sparse figure (1978.8); write the dense rate."
        in ran.out
    )


@pytest.mark.parametrize(("mutate", "sentence"), CONTRADICTIONS, ids=[sentence for _, sentence in CONTRADICTIONS])
def test_a_contradiction_is_found(root: Path, mutate: Mutation, sentence: str) -> None:
    """Each damage is told in one sentence that names file and line; loading refuses it too."""
    mutate(root)
    sentences = check_catalogue(root)
    assert 1 == sum(sentence in told for told in sentences), sentences
    assert all(told.startswith("catalogue/") and told.endswith(".") and "\n" not in told for told in sentences)
    with pytest.raises(ReferenceProblem, match="catalogue/"):
        load_catalogue(root)


def test_the_same_type_from_two_providers_may_mean_the_same(root: Path) -> None:
    """Two providers that mean the same hardware by one name do not contradict each other."""
    append("instances", "Other,p5.48xlarge,NVIDIA H100 SXM 80GB,8000,,,memory,memory,")(root)
    assert [] == check_catalogue(root)


def test_loading_names_the_first_problem_and_counts_the_rest(root: Path) -> None:
    """Several problems: the first in full, and where to see the others."""
    edit("accelerators", "A100 SXM4 80GB", bf16_fp16_dense_tflops="624")(root)
    with pytest.raises(ReferenceProblem, match=r"\(3 more: see `flopwatch check`\.\)$"):
        load_catalogue(root)


UNREADABLE: list[tuple[Mutation, str]] = [
    (edit("accelerators", "T4", tdp_w="seventy"), "line 8, tdp_w: input should be a valid decimal, not 'seventy';"),
    (edit("accelerators", "T4", tdp_w="-70"), "line 8, tdp_w: input should be greater than 0, not '-70';"),
    (edit("accelerators", "T4", tdp_w="NaN"), "line 8, tdp_w: "),
    (edit("accelerators", "T4", release_date="2018-13-01"), "line 8, release_date: month must be in 1..12"),
    (edit("accelerators", "T4", confidence="certain"), "line 8, confidence: "),
    (edit("accelerators", "T4", generation="Turing!"), "line 8, generation: "),
    (edit("accelerators", "T4", vendor=""), "line 8, vendor: field required; correct it there."),
    (edit("instances", "p5.48xlarge", accelerator_thousandths="8.5"), "accelerator_thousandths: "),
    (edit("aliases", "K80 card", accelerator_thousandths="0"), "accelerator_thousandths: "),
    (append("slices", "v9,TPU v4"), "line 11 has 2 fields where 6 are due; quote commas in fields."),
    (append("slices", '"v9'), "is no valid CSV"),
    (append("without", "AWS,m5[.,memory,memory,"), "pattern: input should be a valid regular expression, not 'm5[.';"),
    (replace("families.csv", "family,", "fam,"), "catalogue/families.csv must begin with the header family,default,"),
    (replace("catalogue.yaml", "version:", "version: ["), "catalogue/catalogue.yaml, line"),
    (replace("catalogue.yaml", "version:", "edition:"), "catalogue/catalogue.yaml: version: field required"),
    (replace("catalogue.yaml", "version:", "version: '1'\nversion:"), "the key 'version' stands twice"),
    (lambda root: (root / "catalogue" / "aliases.csv").unlink(), "aliases.csv cannot be read (no such file or direct"),
    (
        overwrite("aliases.csv", b"alias\xff"),
        "catalogue/aliases.csv is no UTF-8 text; save it as UTF-8.",
    ),
]


@pytest.mark.parametrize(("mutate", "sentence"), UNREADABLE, ids=[sentence for _, sentence in UNREADABLE])
def test_a_damaged_file_is_told_in_a_sentence(root: Path, mutate: Mutation, sentence: str) -> None:
    """What cannot be read is named by file, line and field, alone, since what follows from it would mislead."""
    mutate(root)
    sentences = check_catalogue(root)
    assert 1 == len(sentences), sentences
    assert sentence in sentences[0]
    with pytest.raises(ReferenceProblem):
        load_catalogue(root)


def test_the_digest_follows_the_content_alone(root: Path) -> None:
    """The order of rows and blank lines change nothing; a field does."""
    path = root / "catalogue" / "aliases.csv"
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([header, "", *reversed(lines), ""]), encoding="utf-8")
    assert CATALOGUE.digest == load_catalogue(root).digest
    edit("aliases", "K80 card", used_by="hearsay")(root)
    assert CATALOGUE.digest != load_catalogue(root).digest
