"""What a canonical event looks like (the wire contract), for pydantic, and the one validator of all of them.

A value leaves this module valid, and as a number or text of Python; instants are integer milliseconds since 1970.
`null` stands for an optional field that is absent. Of a key that occurs twice in one object the last counts. Fields
nobody has heard of are kept, behind the known ones: each type ends with a field that is always there, so that one look
at the last key of a result says whether anything unknown came with it.

Telemetry is the exception: its values are not checked here, since nonsense there is *unknown* and no reason to reject.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Generic, Literal, Required, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter
from pydantic_core import SchemaValidator
from typing_extensions import TypedDict  # pydantic cannot read the one of `typing` before Python 3.12

from monitor.core.model import EVENT_TYPES, SECOND_MS, Kind

NAME_CHARACTERS_MAX = 1_024
COUNT_MAX = 10_000_000
LEASE_SECONDS_MAX = 3_155_760_000  # a hundred years: only so that every instant fits an integer of 64 bits
WINDOW_SECONDS_MAX = 86_400
PARTS_MAX = 10_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_MS = (datetime(2010, 1, 1, tzinfo=UTC) - _EPOCH).days * 86_400 * SECOND_MS
_LATEST_MS = (datetime(2101, 1, 1, tzinfo=UTC) - _EPOCH).days * 86_400 * SECOND_MS  # the first that is too late

_HOUR_MINUTE = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_RFC_3339 = (
    f"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt]{_HOUR_MINUTE}:(?:[0-5][0-9]|60)(?:[.][0-9]+)?(?:[Zz]|[+-]{_HOUR_MINUTE})$"
)


def instant_ms(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time, floored.

    Raises:
        ValueError: no such day, or outside the years 2010 to 2100.
    """
    instant = _since_epoch_ms(text)
    if not _EARLIEST_MS <= instant < _LATEST_MS:
        raise ValueError("outside the years 2010 to 2100")
    return instant


def _since_epoch_ms(text: str) -> int:
    try:
        since = datetime.fromisoformat(text) - _EPOCH
        leap_ms = 0
    except ValueError:  # a lower-case zone, a leap second, or no such day
        plain = text.upper()
        leap_ms = SECOND_MS if plain[17:19] == "60" else 0
        since = datetime.fromisoformat(plain[:17] + "59" + plain[19:] if leap_ms else plain) - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND_MS + since.microseconds // 1_000 + leap_ms


def _real_day(text: str) -> str:
    date.fromisoformat(text)
    return text


def _day_or_instant_ms(text: str) -> int:
    """The instant, of any year; where a day is all that can be read, its beginning in UTC."""
    midnight = _since_epoch_ms(f"{text[:10]}T00:00:00Z")
    try:
        return _since_epoch_ms(text) if len(text) > len("2010-01-01") else midnight
    except (TypeError, ValueError):  # no time of day, or one without a zone
        return midnight


_NO_NUL = r"^[^\x00]+$"
Name = Annotated[str, Field(strict=True, min_length=1, max_length=NAME_CHARACTERS_MAX, pattern=_NO_NUL)]
Country = Annotated[str, Field(strict=True, pattern="^[A-Za-z]{2}$"), AfterValidator(str.upper)]
Instant = Annotated[str, Field(strict=True, pattern=_RFC_3339), AfterValidator(instant_ms)]
Day = Annotated[str, Field(strict=True, pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_real_day)]
# Of a change of owner some know the day, some the second.
DayOrInstant = Annotated[
    str,
    Field(strict=True, pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt][0-9:.Zz+-]+)?$"),
    AfterValidator(_day_or_instant_ms),
]
Count = Annotated[float, Field(strict=True, ge=0, le=COUNT_MAX, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(strict=True, ge=0, le=LEASE_SECONDS_MAX, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True, ge=0, lt=1 << 63)]
Truth = Annotated[bool, Field(strict=True)]

# A list ends at its first wrong entry: a report of 100,000 of them would otherwise be 100,000 sentences.
Names = Annotated[list[Name], Field(fail_fast=True)]
Countries = Annotated[list[Country], Field(fail_fast=True)]
AbsentName = Annotated[Name | None, Field(default=None)]
AbsentCount = Annotated[Count | None, Field(default=None)]


class AllocationData(TypedDict, total=False):
    """started, resized, stopped, seen: each may name anything of the allocation, so they share one form."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    tenant: Required[Name]
    allocation: Required[Name]
    account: Name | None
    zone: Name | None
    network_gbit_s: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] | None
    layer: Literal["reservation", "node", "pod", "job"] | None
    kind: Literal["customer", "internal", "managed_service", "reseller"] | None
    on_behalf_of: Name | None
    reservation: Name | None
    job: Name | None
    image_digest: Name | None
    nodes: Any
    purpose: Name | None
    reason: Any
    accelerator: AbsentName
    instance_type: AbsentName
    hardware: AbsentName
    count: AbsentCount
    instances: AbsentCount
    region: AbsentName
    fabric: AbsentName
    within: AbsentName
    lease_seconds: Annotated[Seconds | None, Field(default=None)]


class ReservationData(TypedDict, total=False):
    """Capacity asked for or promised. `from` is a keyword of Python, hence the other names."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    tenant: Required[Name]
    reservation: Required[Name]
    accelerator: AbsentName
    count: AbsentCount
    start: Annotated[Instant | None, Field(default=None, validation_alias="from")]
    end: Annotated[Instant | None, Field(default=None, validation_alias="to")]
    state: Required[Literal["requested", "granted", "cancelled"]]


class TelemetryData(TypedDict, total=False):
    """What the hardware did: only whose window it is must be right."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    tenant: Required[Name]
    allocation: Required[Name]
    observer: Any
    accelerators_covered: Any
    tensor_active: Any
    sm_active: Any
    gpu_use: Annotated[Any, Field(validation_alias="gpu_util")]
    dram_active: Any
    sm_clock_mhz: Any
    power_watts: Any
    energy_joules: Any
    nvlink_bytes: Any
    network_bytes_out: Any
    network_bytes_in: Any
    window_seconds: Required[Annotated[float, Field(strict=True, gt=0, le=WINDOW_SECONDS_MAX, allow_inf_nan=False)]]


Basis = dict[Name, Literal["claimed", "documented", "registry", "reviewer"]]


class TenantProfileData(TypedDict, total=False):
    """What is known of a customer; only the fields that it names."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    tenant: Required[Name]
    party: Name | None
    legal_name: Name | None
    aliases: Names | None
    addresses: Names | None
    hq_country: Country | None
    incorporation_country: Country | None
    billing_country: Country | None
    access_countries: Countries | None
    home_jurisdiction_person: Truth | None
    identifiers: dict[Name, Name] | None
    organisation: Name | None
    reseller_of: Name | None
    payer: Name | None
    payment_class: Name | None
    contact_domain: Name | None
    incorporated_on: Day | None
    declared_use: Name | None
    verified_at: Instant | None
    basis: Annotated[Basis | None, Field(default=None)]


class OwnerData(TypedDict, total=False):
    """Who owns or controls a party; a share that is not known is null."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    party: Required[Name]
    share: Share | None
    control: Truth | Name | None
    start: Annotated[DayOrInstant | None, Field(validation_alias="from")]
    end: Annotated[DayOrInstant | None, Field(validation_alias="to")]
    source: Name | None


class PartyProfileData(TypedDict, total=False):
    """A legal person that need not be a tenant."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    party: Required[Name]
    names: Names | None
    addresses: Names | None
    hq_country: Country | None
    incorporation_country: Country | None
    identifiers: dict[Name, Name] | None
    owners: Annotated[list[OwnerData], Field(fail_fast=True)] | None
    basis: Annotated[Basis | None, Field(default=None)]


class HeldData(TypedDict, total=False):
    """One allocation of an inventory report."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    tenant: Required[Name]
    allocation: Required[Name]
    count: AbsentCount
    hardware: AbsentName


class InventoryData(TypedDict, total=False):
    """All that the control plane holds in a region, or one part of it."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    region: Required[Name]
    allocations: Required[Annotated[list[HeldData], Field(fail_fast=True)]]
    complete: Required[Truth]
    capacity: Annotated[dict[Name, Count] | None, Field(default=None)]
    part: Annotated[int, Field(strict=True, ge=1, le=PARTS_MAX, default=1)]
    parts: Annotated[int, Field(strict=True, ge=1, le=PARTS_MAX, default=1)]


class AliveData(TypedDict, total=False):
    """A producer is up."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    source: Required[Name]
    sent: Annotated[dict[Name, Whole] | None, Field(default=None)]


class RetractedData(TypedDict):
    """The identity of the fact that was wrong."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    source: Name
    id: Name


class RetractionData(TypedDict, total=False):
    """A fact was wrong."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    tenant: Required[Name]
    retracts: Required[RetractedData]
    reason: AbsentName


Type = TypeVar("Type")
Data = TypeVar("Data")


class Event(TypedDict, Generic[Type, Data], total=False):
    """The CloudEvents envelope, structured mode."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    specversion: Required[Literal["1.0"]]
    id: Required[Name]
    source: Required[Name]
    type: Required[Type]
    time: Required[Instant]
    recordedtime: Instant | None
    subject: Name | None
    datacontenttype: Any
    dataschema: Any
    data: Required[Data]


class Foreign(TypedDict):
    """Anything with a type: tried last, so of our own types only what is not as it must be ends here."""

    type: str


Allocation = Literal[
    "io.flopwatch.allocation.started.v1",
    "io.flopwatch.allocation.resized.v1",
    "io.flopwatch.allocation.stopped.v1",
    "io.flopwatch.allocation.seen.v1",
    "io.flopwatch.allocation.described.v1",
]
Canonical = Annotated[
    Event[Allocation, AllocationData]
    | Event[Literal["io.flopwatch.reservation.changed.v1"], ReservationData]
    | Event[Literal["io.flopwatch.telemetry.sampled.v1"], TelemetryData]
    | Event[Literal["io.flopwatch.tenant.profiled.v1"], TenantProfileData]
    | Event[Literal["io.flopwatch.party.profiled.v1"], PartyProfileData]
    | Event[Literal["io.flopwatch.inventory.reported.v1"], InventoryData]
    | Event[Literal["io.flopwatch.source.alive.v1"], AliveData]
    | Event[Literal["io.flopwatch.fact.retracted.v1"], RetractionData],
    Field(discriminator="type"),
]

CANONICAL: TypeAdapter[Any] = TypeAdapter(Canonical, config=ConfigDict(defer_build=True))  # for refusals only
ANY_EVENT: TypeAdapter[Any] = TypeAdapter(Annotated[Canonical | Foreign, Field(union_mode="left_to_right")])

NUL_IN_JSON = b"\\u0000"  # the one way to write it there


def _without_pattern(schema: Any, pattern: str) -> Any:
    if isinstance(schema, dict):
        kept = {key: _without_pattern(value, pattern) for key, value in schema.items()}
        return {key: value for key, value in kept.items() if key != "pattern" or value != pattern}
    return [_without_pattern(one, pattern) for one in schema] if isinstance(schema, list) else schema


# For records without `NUL_IN_JSON`: looking for it in each of ten names costs a quarter of what all of an event costs.
ANY_EVENT_WITHOUT_NUL = SchemaValidator(_without_pattern(ANY_EVENT.core_schema, _NO_NUL))

# The last known field of each type: it is always there, and what follows it is unknown.
LAST_ATTRIBUTE = "data"
LAST_FIELD: dict[Kind, str] = {
    EVENT_TYPES[name]: list(form.__annotations__)[-1]
    for name, form in {
        "io.flopwatch.allocation.started.v1": AllocationData,
        "io.flopwatch.allocation.resized.v1": AllocationData,
        "io.flopwatch.allocation.stopped.v1": AllocationData,
        "io.flopwatch.allocation.seen.v1": AllocationData,
        "io.flopwatch.allocation.described.v1": AllocationData,
        "io.flopwatch.reservation.changed.v1": ReservationData,
        "io.flopwatch.telemetry.sampled.v1": TelemetryData,
        "io.flopwatch.tenant.profiled.v1": TenantProfileData,
        "io.flopwatch.party.profiled.v1": PartyProfileData,
        "io.flopwatch.inventory.reported.v1": InventoryData,
        "io.flopwatch.source.alive.v1": AliveData,
        "io.flopwatch.fact.retracted.v1": RetractionData,
    }.items()
}

TENANT_FIELDS = frozenset(TenantProfileData.__annotations__)
PARTY_FIELDS = frozenset(PartyProfileData.__annotations__)
