"""The catalogue of accelerators: `config/catalogue/` -> `monitor.core.catalogue.Catalogue`, and its check."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from monitor.core.catalogue import ONE_ACCELERATOR, TERAFLOP, Catalogue, Chip, Named, Slice, family, normal_name, pool
from monitor.errors import ReferenceProblem
from monitor.reference.chip_classes import classes_of
from monitor.reference.contradictions import contradictions, total_processing_performance
from monitor.reference.rows import AcceleratorRow, InstanceRow, Tables, read_tables

FASTER = Decimal("1.05")  # an FP8 rate within 5 per cent of the 16-bit one is the same rate, rounded


def check_catalogue(root: Path) -> list[str]:
    """What is wrong with the catalogue under a configuration folder, as sentences; none if all is well."""
    try:
        tables, problems = read_tables(root)
    except ReferenceProblem as problem:
        return [str(problem)]
    # A row that could not be read would make others look wrong that name it.
    return problems or list(contradictions(tables))


def load_catalogue(root: Path) -> Catalogue:
    """The catalogue under a configuration folder. ReferenceProblem: with the first thing that is wrong with it."""
    tables, problems = read_tables(root)
    problems = problems or list(contradictions(tables))
    if problems:
        more = f" ({len(problems) - 1} more: see `flopwatch check`.)" if len(problems) > 1 else ""
        raise ReferenceProblem(problems[0] + more)
    return _catalogue(tables)


def _catalogue(tables: Tables) -> Catalogue:
    countries = {row.vendor: row.country for row in tables.vendors.values()}
    chips = {row.accelerator: _chip(row, countries[row.vendor]) for row in tables.accelerators.values()}
    classes = frozenset(tables.settings.data_centre_classes)
    data_centre = [chip for chip in chips.values() if chip.kind in classes]
    names = _names(tables, chips)
    return Catalogue(
        version=tables.settings.version,
        digest=tables.digest(),
        names=names,
        instances={
            normal_name(row.instance_type): _instance(names[normal_name(row.accelerator)], row)
            for row in tables.instances.values()
        },
        slices={row.prefix: Slice(chips[row.accelerator], row.units_per_chip) for row in tables.slices.values()},
        without=tuple(row.pattern for row in tables.without.values()),
        pool=pool(data_centre, tables.settings.unknown_instance_accelerators),
    )


def _names(tables: Tables, chips: Mapping[str, Chip]) -> dict[str, Named]:
    """Accelerators, families and aliases by their normal names."""
    named = dict(chips)
    for row in tables.families.values():
        members = [chips[member] for member in row.member_names]
        named[row.family] = family(row.family, chips[row.default], members, row.unstated, row.origin)
    names = {normal_name(name): Named(chip, ONE_ACCELERATOR) for name, chip in named.items()}
    for alias in tables.aliases.values():
        names[normal_name(alias.alias)] = Named(named[alias.name], alias.accelerator_thousandths)
    return names


def _instance(named: Named, row: InstanceRow) -> Named:
    """What an instance type is, made of what the name of its accelerator stands for."""
    network = None if row.network_gbit_s is None else int(row.network_gbit_s * 1_000)
    return Named(named.chip, named.per_unit * row.accelerator_thousandths // ONE_ACCELERATOR, network)


def _chip(row: AcceleratorRow, country: str) -> Chip:
    dense, slower = row.bf16_fp16_dense_tflops, row.bf16_fp16_slower_tflops
    central = dense if slower is None else slower
    tpp = total_processing_performance(row)
    classes = classes_of(tpp, row.die_area_mm2, row.kind, country)
    training = [rate for rate in (dense, row.fp8_dense_tflops, row.fp4_dense_tflops) if rate is not None]
    return Chip(
        name=row.accelerator,
        vendor=row.vendor,
        kind=row.kind,
        generation=row.generation,
        release=row.release,
        rate_low=_flop_per_second(central),
        rate_central=_flop_per_second(central),
        rate_high=_flop_per_second(dense),
        rate_ceiling=_flop_per_second(None if dense is None else max(training)),
        fp8=dense is not None and row.fp8_dense_tflops is not None and row.fp8_dense_tflops > dense * FASTER,
        clock_khz=None if row.peak_clock_mhz is None else row.peak_clock_mhz * 1_000,
        tpp=int(tpp),
        assumption=_assumption(row),
        source=row.source,
        origin=row.origin,
        rated_mw=None if row.tdp_w is None else int(row.tdp_w * 1_000),
        classes=classes.certain,
        classes_possible=classes.possible,
    )


def _flop_per_second(rate: Decimal | None) -> int:
    return 0 if rate is None else int(rate * TERAFLOP)


def _assumption(row: AcceleratorRow) -> str | None:
    """What a reader of a number should know of the chip's row."""
    sentences = []
    if row.bf16_fp16_slower_tflops is not None:
        sentences.append(
            f"{row.accelerator} trains at {row.bf16_fp16_slower_tflops} to {row.bf16_fp16_dense_tflops} TFLOP/s, "
            "depending on format and accumulation: centrally the slower."
        )
    if row.confidence == "low":
        note = f": {row.note}" if row.note else ""
        sentences.append(f"The rates of {row.accelerator} are of low confidence{note}.")
    return " ".join(sentences) or None
