"""What in the catalogue cannot all be true: each as one sentence that names file, line and what to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal

from monitor.core.catalogue import ONE_ACCELERATOR, SLICE, folded, normal_name
from monitor.reference.reading import milliseconds
from monitor.reference.rows import AcceleratorRow, InstanceRow, Tables

ACCELERATORS = "catalogue/accelerators.csv"
FAMILIES = "catalogue/families.csv"
ALIASES = "catalogue/aliases.csv"
INSTANCES = "catalogue/instances.csv"
SLICES = "catalogue/slices.csv"
WITHOUT = "catalogue/without.csv"
VENDORS = "catalogue/vendors.csv"

USUAL_EIGHT_BIT_RATIO = Decimal(2)
RATIO_TOLERANCE = Decimal("0.05")  # vendors round: 733 of 362, 1299 of 667
SLIP = Decimal("1.6")  # a ratio this far off is a doubled or sparse figure, not a rounded one
TPP_TOLERANCE = Decimal("0.002")  # 756 x 16 and 1,513 x 8 are the same chip
DENSITY_TOLERANCE = Decimal("0.005")  # stated to two decimals
SPARSE_FROM = Decimal("0.9")
PACKED_FROM = milliseconds(date(2016, 1, 1))  # from Pascal on, a 32-bit unit does two 16-bit operations
PACKED_TOLERANCE = Decimal("0.1")
CONSUMER = "consumer GPU"


def contradictions(tables: Tables) -> Iterator[str]:
    """All contradictions of a catalogue whose rows are each well-formed."""
    for line, row in tables.accelerators.items():
        for sentence in _of_accelerator(row):
            yield f"{ACCELERATORS}, line {line} ({row.accelerator}): {sentence}"
    yield from _of_names(tables)
    yield from _of_families(tables)
    yield from _of_targets(tables)
    yield from _of_instances(tables)
    yield from _of_slices(tables)
    yield from _of_patterns(tables)
    yield from _of_vendors(tables)


def total_processing_performance(row: AcceleratorRow) -> Decimal:
    """TPP: the greatest dense TOPS times bits of all precisions, TF32 at 19 bits; 0 without any rate."""
    rates = (
        (row.fp64_vector_tflops, 64),
        (row.fp64_matrix_tflops, 64),
        (row.fp32_vector_tflops, 32),
        (row.tf32_dense_tflops, 19),
        (row.bf16_fp16_dense_tflops, 16),
        (row.fp8_dense_tflops, 8),
        (row.int8_dense_tops, 8),
        (row.fp4_dense_tflops, 4),
    )
    return max((rate * bits for rate, bits in rates if rate is not None), default=Decimal(0))


def _of_accelerator(row: AcceleratorRow) -> Iterator[str]:
    yield from _of_sixteen_bits(row)
    yield from _of_eight_bits(row)
    yield from _of_vectors(row)
    yield from _of_tpp(row)


def _of_sixteen_bits(row: AcceleratorRow) -> Iterator[str]:
    dense, slower, sparse = row.bf16_fp16_dense_tflops, row.bf16_fp16_slower_tflops, row.bf16_fp16_sparse_tflops
    if dense is None:
        return
    if sparse is not None and dense >= sparse * SPARSE_FROM:
        yield f"the 16-bit rate {dense} is the vendor's sparse figure ({sparse}); write the dense rate."
    if row.kind == CONSUMER and (slower is None or slower > dense * Decimal("0.55")):
        yield (
            f"a consumer GPU halves its 16-bit rate ({dense}) with 32-bit accumulation; "
            "write that half in bf16_fp16_slower_tflops."
        )
    elif slower is not None and slower >= dense:
        yield f"the slower 16-bit rate {slower} is not below the 16-bit rate {dense}; leave it out."


def _of_eight_bits(row: AcceleratorRow) -> Iterator[str]:
    dense = row.bf16_fp16_dense_tflops
    eight = row.fp8_dense_tflops if row.fp8_dense_tflops is not None else row.int8_dense_tops
    if dense is None or eight is None:
        return
    expected = USUAL_EIGHT_BIT_RATIO if row.eight_bit_ratio is None else row.eight_bit_ratio
    ratio = eight / dense
    told = f"the 8-bit rate {eight} is {ratio:.2f} times the 16-bit rate {dense} where {expected} is expected"
    if ratio * SLIP < expected:
        yield f"{told}: the 16-bit rate looks doubled or sparse; write the dense rate, or state eight_bit_ratio."
    elif ratio > expected * SLIP:
        yield f"{told}: the 8-bit rate looks sparse; write the dense rate, or state eight_bit_ratio."
    elif abs(ratio - expected) > expected * RATIO_TOLERANCE:
        yield f"{told}; correct a rate, or state eight_bit_ratio."


def _of_vectors(row: AcceleratorRow) -> Iterator[str]:
    """Without units for matrices or 8 bits, only the 32-bit rate tells whether the 16-bit one can be true."""
    dense, vector = row.bf16_fp16_dense_tflops, row.fp32_vector_tflops
    if dense is None or vector is None or row.fp8_dense_tflops is not None or row.int8_dense_tops is not None:
        return
    if dense > vector * 2 * (1 + PACKED_TOLERANCE):  # units for matrices: TPP comes from the 16-bit rate
        return
    expected = 2 if row.release >= PACKED_FROM else 1
    if abs(dense / vector - expected) > expected * PACKED_TOLERANCE:
        yield (
            f"the 16-bit rate {dense} is {dense / vector:.2f} times the 32-bit rate {vector} where {expected} is "
            "expected of a chip without 8-bit rates; correct one of them."
        )


def _of_tpp(row: AcceleratorRow) -> Iterator[str]:
    computed = total_processing_performance(row)
    if row.tpp is not None and abs(row.tpp - computed) > row.tpp * TPP_TOLERANCE:
        yield f"the TPP {row.tpp} does not follow from the rates, which give {computed.normalize():f}; correct one."
    if row.performance_density is None:
        return
    if row.die_area_mm2 is None:
        yield f"a performance density of {row.performance_density} needs a die area; state it or leave the density out."
        return
    density = computed / row.die_area_mm2
    if abs(row.performance_density - density) > density * TPP_TOLERANCE + DENSITY_TOLERANCE:
        yield (
            f"the performance density {row.performance_density} does not follow from TPP over die area, "
            f"which gives {density:.2f}; correct one of them."
        )


def _of_names(tables: Tables) -> Iterator[str]:
    """A name that is used twice, after normalisation, whatever it stands for."""
    first: dict[str, str] = {}
    for name, where in _places(tables):
        key = normal_name(name)
        if not key:
            yield f"{where}: the name '{name}' has no letter or digit; rename it."
        elif key in first:
            yield f"{where}: the name '{name}' is used already at {first[key]}; remove or rename one of them."
        else:
            first[key] = where


def _places(tables: Tables) -> Iterator[tuple[str, str]]:
    for line, accelerator in tables.accelerators.items():
        yield accelerator.accelerator, f"{ACCELERATORS}, line {line}"
    for line, family in tables.families.items():
        yield family.family, f"{FAMILIES}, line {line}"
    for line, alias in tables.aliases.items():
        yield alias.alias, f"{ALIASES}, line {line}"


def _of_families(tables: Tables) -> Iterator[str]:
    rows = {row.accelerator: row for row in tables.accelerators.values()}
    for line, family in tables.families.items():
        where = f"{FAMILIES}, line {line} ({family.family})"
        for member in family.member_names:
            if member not in rows:
                yield f"{where}: the member '{member}' is not in accelerators.csv; add it there or correct the name."
            elif rows[member].bf16_fp16_dense_tflops is None:
                yield f"{where}: the member '{member}' has no 16-bit rate, so it cannot bound a family; state it."
        if family.default not in family.member_names:
            yield f"{where}: the default '{family.default}' is no member; make it one or take another."


def _of_targets(tables: Tables) -> Iterator[str]:
    chips = {row.accelerator for row in tables.accelerators.values()}
    known = chips | {row.family for row in tables.families.values()}
    for line, alias in tables.aliases.items():
        if alias.name not in known:
            yield (
                f"{ALIASES}, line {line}: '{alias.alias}' stands for '{alias.name}', which is neither an accelerator "
                "nor a family; correct the name."
            )
    if not any(row.kind in tables.settings.data_centre_classes for row in _rated(tables.accelerators.values())):
        yield "catalogue/catalogue.yaml: no accelerator with a 16-bit rate is of a data_centre_classes class; name one."


def _rated(rows: Iterable[AcceleratorRow]) -> Iterator[AcceleratorRow]:
    return (row for row in rows if row.bf16_fp16_dense_tflops is not None)


def _of_instances(tables: Tables) -> Iterator[str]:
    meanings = _meanings(tables)
    first: dict[str, tuple[int, InstanceRow]] = {}
    for line, row in tables.instances.items():
        where = f"{INSTANCES}, line {line} ({row.provider} {row.instance_type})"
        if normal_name(row.accelerator) not in meanings:
            yield f"{where}: the accelerator '{row.accelerator}' is unknown; add it to accelerators.csv or aliases.csv."
        before = first.setdefault(normal_name(row.instance_type), (line, row))
        if before[0] == line:
            continue
        if before[1].provider == row.provider:
            yield f"{where}: the instance type stands already on line {before[0]}; remove one of them."
        elif _meaning(before[1], meanings) != _meaning(row, meanings):
            yield (
                f"{where}: {before[1].provider} means other hardware by this name on line {before[0]} "
                f"({before[1].accelerator_thousandths} thousandths of {before[1].accelerator}); rename one of them."
            )


def _meanings(tables: Tables) -> dict[str, tuple[str, int]]:
    """What each normal name stands for: an accelerator or a family, and thousandths of it."""
    meanings = {normal_name(name): (name, ONE_ACCELERATOR) for name, _ in _places(tables)}
    for alias in tables.aliases.values():
        meanings[normal_name(alias.alias)] = (alias.name, alias.accelerator_thousandths)
    return meanings


def _meaning(row: InstanceRow, meanings: Mapping[str, tuple[str, int]]) -> tuple[str, int]:
    name, thousandths = meanings.get(normal_name(row.accelerator), (row.accelerator, ONE_ACCELERATOR))
    return name, thousandths * row.accelerator_thousandths


def _of_slices(tables: Tables) -> Iterator[str]:
    chips = {row.accelerator for row in tables.accelerators.values()}
    rules: dict[str, tuple[str, int]] = {}
    for line, row in tables.slices.items():
        where = f"{SLICES}, line {line} ({row.prefix})"
        if row.prefix in rules:
            yield f"{where}: the prefix stands twice; remove one of them."
        if row.accelerator not in chips:
            yield f"{where}: the accelerator '{row.accelerator}' is not in accelerators.csv; correct the name."
        rules.setdefault(row.prefix, (row.accelerator, row.units_per_chip))
    yield from _of_slice_instances(tables, rules)


def _of_patterns(tables: Tables) -> Iterator[str]:
    """A pattern of types without accelerators that takes in a type that has some."""
    types = [(folded(row.instance_type), f"{INSTANCES}, line {line}") for line, row in tables.instances.items()]
    types += [(f"{row.prefix}-8", f"{SLICES}, line {line}") for line, row in tables.slices.items()]
    for line, row in tables.without.items():
        taken = next(((name, where) for name, where in types if row.pattern.fullmatch(name)), None)
        if taken is not None:
            name, where = taken
            yield (
                f"{WITHOUT}, line {line} ({row.provider}): the pattern takes in '{name}', which has accelerators by "
                f"{where}; narrow it."
            )


def _of_vendors(tables: Tables) -> Iterator[str]:
    vendors: set[str] = set()
    for line, row in tables.vendors.items():
        if row.vendor in vendors:
            yield f"{VENDORS}, line {line} ({row.vendor}): the vendor stands twice; remove one of them."
        vendors.add(row.vendor)
    for line, accelerator in tables.accelerators.items():
        if accelerator.vendor not in vendors:
            yield (
                f"{ACCELERATORS}, line {line} ({accelerator.accelerator}): the vendor '{accelerator.vendor}' is not in "
                "vendors.csv; add it there or correct the name."
            )


def _of_slice_instances(tables: Tables, rules: Mapping[str, tuple[str, int]]) -> Iterator[str]:
    """An instance type that is a slice name must say what the rule for slices says."""
    for line, row in tables.instances.items():
        match = SLICE.fullmatch(folded(row.instance_type))
        if match is None or match["prefix"] not in rules:
            continue
        accelerator, units_per_chip = rules[match["prefix"]]
        thousandths = int(match["units"]) * ONE_ACCELERATOR // units_per_chip
        if (row.accelerator, row.accelerator_thousandths) != (accelerator, thousandths):
            yield (
                f"{INSTANCES}, line {line} ({row.instance_type}): {row.accelerator_thousandths} thousandths of "
                f"{row.accelerator}, but slices.csv makes it {thousandths} of {accelerator}; correct one of them."
            )
