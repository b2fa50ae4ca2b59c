"""The rows of `config/catalogue/` as people write them, and reading all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from monitor.reference.reading import digest_of, milliseconds, read_document, read_table

FOLDER = "catalogue"

Name = Annotated[str, Field(min_length=1, max_length=200)]
Rate = Annotated[Decimal, Field(gt=0, le=1_000_000)]  # TFLOP/s, or TOPS
Positive = Annotated[Decimal, Field(gt=0)]
Thousandths = Annotated[int, Field(gt=0, le=10**10)]
Origin = Literal["seen", "partly", "memory"]
STRICT = ConfigDict(frozen=True, extra="forbid")


class Settings(BaseModel):
    """`catalogue.yaml`."""

    model_config = STRICT
    version: Name
    data_centre_classes: Annotated[tuple[Name, ...], Field(min_length=1)]
    unknown_instance_accelerators: Annotated[int, Field(gt=0, le=1_000)]


class AcceleratorRow(BaseModel):
    """A row of `accelerators.csv`: one chip. Rates are dense but for the one that says sparse."""

    model_config = STRICT
    accelerator: Name
    vendor: Name
    kind: Name = Field(alias="class")
    generation: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    release_date: str
    fp64_vector_tflops: Rate | None = None
    fp64_matrix_tflops: Rate | None = None
    fp32_vector_tflops: Rate | None = None
    tf32_dense_tflops: Rate | None = None
    bf16_fp16_dense_tflops: Rate | None = None
    bf16_fp16_slower_tflops: Rate | None = None  # with 32-bit accumulation, or of the slower 16-bit format
    bf16_fp16_sparse_tflops: Rate | None = None  # what the vendor prints with sparsity: only to recognise it
    fp8_dense_tflops: Rate | None = None
    fp4_dense_tflops: Rate | None = None
    int8_dense_tops: Rate | None = None
    eight_bit_ratio: Positive | None = None  # dense 8-bit over 16-bit rate where it is not 2
    memory_gb: Positive | None = None
    tdp_w: Positive | None = None
    die_area_mm2: Positive | None = None
    peak_clock_mhz: Annotated[int, Field(gt=0, le=10_000)] | None = None
    tpp: Positive | None = None
    performance_density: Positive | None = None
    confidence: Literal["high", "medium", "low"]
    origin: Origin
    source: Name
    note: str = ""

    @field_validator("release_date")
    @classmethod
    def _is_a_date(cls, value: str) -> str:
        """A day, or only a year: announced, counted as released on the last day of that year."""
        date.fromisoformat(f"{value}-12-31" if len(value) == 4 else value)
        return value

    @property
    def release(self) -> int:
        """The start of the release day, in milliseconds since 1970."""
        text = self.release_date
        return milliseconds(date.fromisoformat(f"{text}-12-31" if len(text) == 4 else text))


class FamilyRow(BaseModel):
    """A row of `families.csv`: an ambiguous name. Members are separated by `|`."""

    model_config = STRICT
    family: Name
    default: Name
    members: Name
    unstated: Name
    origin: Origin

    @property
    def member_names(self) -> tuple[str, ...]:
        """The accelerators that the name may mean."""
        return tuple(member.strip() for member in self.members.split("|"))


class AliasRow(BaseModel):
    """A row of `aliases.csv`: what somebody calls an accelerator or a family, or so many thousandths of it."""

    model_config = STRICT
    alias: Name
    name: Name
    accelerator_thousandths: Thousandths
    used_by: Name
    origin: Origin


class InstanceRow(BaseModel):
    """A row of `instances.csv`: an instance type of a provider."""

    model_config = STRICT
    provider: Name
    instance_type: Name
    accelerator: Name
    accelerator_thousandths: Thousandths
    network_gbit_s: Positive | None = None
    fabric: str = ""
    origin: Origin
    source: Name
    note: str = ""


class SliceRow(BaseModel):
    """A row of `slices.csv`: how many of what a slice name counts make one chip."""

    model_config = STRICT
    prefix: Annotated[str, Field(pattern=r"^[a-z0-9]+$")]
    accelerator: Name
    units_per_chip: Annotated[int, Field(gt=0, le=64)]
    origin: Origin
    source: Name
    note: str = ""


class WithoutRow(BaseModel):
    """A row of `without.csv`: instance types of a provider that have no accelerators, by what all of a name matches."""

    model_config = STRICT
    provider: Name
    pattern: re.Pattern[str]
    origin: Origin
    source: Name
    note: str = ""


class VendorRow(BaseModel):
    """A row of `vendors.csv`: in which country the maker of chips is headquartered."""

    model_config = STRICT
    vendor: Name
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    origin: Origin
    source: Name


@dataclass(frozen=True, slots=True)
class Tables:
    """All files of the catalogue; rows by their line in the file."""

    settings: Settings
    accelerators: Mapping[int, AcceleratorRow]
    families: Mapping[int, FamilyRow]
    aliases: Mapping[int, AliasRow]
    instances: Mapping[int, InstanceRow]
    slices: Mapping[int, SliceRow]
    without: Mapping[int, WithoutRow]
    vendors: Mapping[int, VendorRow]

    def digest(self) -> str:
        """SHA-256 of what the rows say, whatever their order or layout."""
        tables: tuple[Iterable[BaseModel], ...] = (
            self.accelerators.values(),
            self.families.values(),
            self.aliases.values(),
            self.instances.values(),
            self.slices.values(),
            self.without.values(),
            self.vendors.values(),
        )
        content = [sorted(row.model_dump_json() for row in rows) for rows in tables]
        return digest_of([self.settings.model_dump(mode="json"), content])


def read_tables(root: Path) -> tuple[Tables, list[str]]:
    """The catalogue under a configuration folder, and a sentence for each row that is not as it must be."""
    folder = root / FOLDER
    settings = read_document(folder / "catalogue.yaml", Settings)
    accelerators, first = read_table(folder / "accelerators.csv", AcceleratorRow)
    families, second = read_table(folder / "families.csv", FamilyRow)
    aliases, third = read_table(folder / "aliases.csv", AliasRow)
    instances, fourth = read_table(folder / "instances.csv", InstanceRow)
    slices, fifth = read_table(folder / "slices.csv", SliceRow)
    without, sixth = read_table(folder / "without.csv", WithoutRow)
    vendors, seventh = read_table(folder / "vendors.csv", VendorRow)
    tables = Tables(settings, accelerators, families, aliases, instances, slices, without, vendors)
    return tables, first + second + third + fourth + fifth + sixth + seventh
