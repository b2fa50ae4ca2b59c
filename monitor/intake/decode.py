"""Records to observations, a batch at a time: the door through which everything comes in.

`decode` never raises: a record is an observation, ignored, or rejected with a reason and a sentence. Each record is
validated by itself, in one call into compiled code; joining a batch into one array would save nothing and would let a
crafted line end its neighbour's.

Rounding: counts to thousandths, shares to parts per million, seconds to milliseconds, all half up and exact from the
shortest decimal form of the number sent (0.0005 is 1 thousandth, 1.0005 is 1,001).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import takewhile
from operator import itemgetter
from typing import Any, NamedTuple

from pydantic import ValidationError

from monitor.core.facts import event_bytes
from monitor.core.model import (
    ACCELERATOR,
    EVENT_TYPES,
    HOUR_MS,
    INSTANCE,
    NO_TRAITS,
    NOTHING_CLAIMED,
    Alive,
    Body,
    Claim,
    Kind,
    Observation,
    Profile,
    Record,
    Rejected,
    Report,
    Reservation,
    Retraction,
    Sample,
    Traits,
)
from monitor.errors import UnreadableFact
from monitor.intake.canonical import (
    ANY_EVENT,
    ANY_EVENT_WITHOUT_NUL,
    COUNT_MAX,
    LAST_ATTRIBUTE,
    LAST_FIELD,
    NUL_IN_JSON,
    PARTY_FIELDS,
    TENANT_FIELDS,
)
from monitor.intake.refusal import Ignored, Refusal, explain, shown

NAMES_COUNTED_MAX = 100
OTHER = "other"
CLAIMS_CACHED_MAX = 2_048
NAMES_CACHED_MAX = 16_384
SM_CLOCK_MHZ_MAX = 5_000
POWER_WATTS_MAX = 100_000  # a wafer takes 23,000
NODES_MAX = 4_096  # named by one event; more add nothing to what tells runs apart
NETWORK_GBIT_S_MAX = 1_000_000  # of one node: nothing built comes near, so more is no speed
PLAIN_FIELDS = 11  # tenant, allocation and those fields of an allocation that are always there: see `canonical`
PPM = 1_000_000

_validate_any = ANY_EVENT.validator.validate_json
_validate = ANY_EVENT_WITHOUT_NUL.validate_json
_new = tuple.__new__


@dataclass(frozen=True, slots=True)
class Rules:
    """What a deployment asks of a record beyond the event contract.

    `sources` are patterns of the event's `source` (* stands for anything) and the types that it may send, patterns too;
    no types: all. While `sources` is empty every source may send every type; else one that no pattern matches none.
    """

    record_bytes_max: int = 1_000_000
    future_ms_max: int = HOUR_MS
    sources: Mapping[str, Collection[str]] = field(default_factory=dict)


class Decoded(NamedTuple):
    """What became of a batch. `records` is parallel to `observations`; names beyond the first 100 count as "other"."""

    observations: list[Observation]
    records: list[Record]
    rejected: list[Rejected]
    ignored: dict[str, int]  # by type
    unknown_fields: dict[str, int]  # "name" of the envelope or "data.name"


Event = dict[str, Any]  # validated
Data = Mapping[str, Any]  # its payload
Made = tuple[str, str, Body]  # tenant, subject, body


class Form(NamedTuple):
    """How events of one type become observations."""

    kind: Kind
    make: Callable[[Event], Made | Refusal]
    last_field: str


# -- batches ---------------------------------------------------------------------------------------------------------


def decode(records: Sequence[Record], rules: Rules) -> Decoded:
    """Observations of a batch of structured CloudEvents, in their order, and what is none."""
    decoded = Decoded([], [], [], {}, {})
    verdicts: dict[tuple[str, str], Refusal | None] = {}
    for record in records:
        event = _validated(record.value, rules.record_bytes_max)
        if isinstance(event, Ignored):
            count_name(decoded.ignored, event.type)
            continue
        if isinstance(event, Refusal):
            decoded.rejected.append(Rejected(record, *event))
            continue
        outcome = _out_of_bounds(event, record.received, rules, verdicts) or _observation(event, record.value)
        if isinstance(outcome, Refusal):
            decoded.rejected.append(Rejected(record, *outcome))
            continue
        decoded.observations.append(outcome)
        decoded.records.append(record)
        _count_unknown(decoded.unknown_fields, event)
    return decoded


def decode_facts(lines: Iterable[bytes]) -> list[Observation]:
    """Facts that were accepted before, in their order: no limit that depends on settings or on receipt applies again.

    Raises:
        UnreadableFact: a line is no canonical event.
    """
    facts = []
    for line in lines:
        event = _validated(event_bytes(line), len(line))
        fact = event if isinstance(event, Refusal | Ignored) else _observation(event, line)
        if not isinstance(fact, Observation):
            why = fact.sentence if isinstance(fact, Refusal) else f"{fact.type} is none of our types."
            raise UnreadableFact(f"A stored fact cannot be read; use the version that wrote it. {why}")
        facts.append(fact)
    return facts


def count_name(counts: dict[str, int], name: str, amount: int = 1) -> None:
    """Count under a name somebody else chose: of at most 100 names, then under "other"."""
    if name not in counts and len(counts) >= NAMES_COUNTED_MAX:
        name = OTHER
    counts[name] = counts.get(name, 0) + amount


def _validated(raw: bytes, bytes_max: int) -> Event | Refusal | Ignored:
    if len(raw) > bytes_max:
        return Refusal("bytes_limit", f"The record is longer than {bytes_max:,} bytes; send smaller events or parts.")
    try:
        event: Event = _validate_any(raw) if NUL_IN_JSON in raw else _validate(raw)
    except ValidationError:
        return explain(raw)
    if LAST_ATTRIBUTE in event:
        return event
    return explain(raw)


def _out_of_bounds(
    event: Event,
    received: int | None,
    rules: Rules,
    verdicts: dict[tuple[str, str], Refusal | None],
) -> Refusal | None:
    """Whether an event comes from the future, or from a source that may not send it. `verdicts` is a cache."""
    receipt = received if received is not None else event.get("recordedtime")
    if receipt is not None and event["time"] > receipt + rules.future_ms_max:
        ahead_s = (event["time"] - receipt) // 1_000
        return Refusal(
            "time", f"time is {ahead_s:,} s ahead of its receipt; expected at most {rules.future_ms_max // 1_000:,} s."
        )
    if not rules.sources:
        return None
    pair = event["source"], event["type"]
    if pair not in verdicts:
        verdicts[pair] = _source_refusal(*pair, rules.sources)
    return verdicts[pair]


def _source_refusal(source: str, name: str, sources: Mapping[str, Collection[str]]) -> Refusal | None:
    for pattern, types in sources.items():
        if fnmatchcase(source, pattern) and (not types or any(fnmatchcase(name, one) for one in types)):
            return None
    return Refusal("source", f"source {shown(source)} may not send {name}; allow it in the setting `allowed_sources`.")


def _observation(event: Event, raw: bytes) -> Observation | Refusal:
    form = _FORMS[event["type"]]
    made = form.make(event)
    if isinstance(made, Refusal):
        return made
    tenant, subject, body = made
    # What `Observation(...)` does, without the call of a Python function for each record.
    return _new(
        Observation, (form.kind, tenant, subject, event["time"], _same(event["source"]), event["id"], body, raw)
    )


def _count_unknown(counts: dict[str, int], event: Event) -> None:
    """Count attributes and fields that nobody has heard of: they stand behind the last that is known."""
    data, last_field = event[LAST_ATTRIBUTE], _FORMS[event["type"]].last_field
    if next(reversed(event)) != LAST_ATTRIBUTE:
        for name in takewhile(LAST_ATTRIBUTE.__ne__, reversed(event)):
            count_name(counts, shown(name, quote=False))
    if next(reversed(data)) != last_field:
        for name in takewhile(last_field.__ne__, reversed(data)):
            count_name(counts, "data." + shown(name, quote=False))


@lru_cache(NAMES_CACHED_MAX)
def _same(name: str) -> str:
    """One string for all equal ones: names repeat a million times and stay in memory with what they name."""
    return name


def scaled(value: float, factor: int) -> int:
    """A finite number times `factor`, rounded half up, exact from the shortest decimal form of the number."""
    if value.is_integer():
        return int(value) * factor
    return int((Decimal(repr(value)) * factor).to_integral_value(ROUND_HALF_UP))


def _thousandths(value: float | None) -> int | None:
    return None if value is None else scaled(value, 1_000)


# -- allocations -----------------------------------------------------------------------------------------------------

Fields = tuple[Any, ...]
_CLAIM_FIELDS = itemgetter(
    "accelerator", "instance_type", "hardware", "count", "instances", "region", "fabric", "within", "lease_seconds"
)


@lru_cache(CLAIMS_CACHED_MAX)
def _held_claim(fields: Fields) -> Claim | Refusal:
    """What started and seen claim. The tuple repeats, and so does the claim: the same object each time."""
    accelerator, instance_type, hardware, count, instances, region, fabric, within, lease = fields
    names_accelerator = accelerator is not None or hardware is not None
    by_instance = count is None and (instances is not None or (instance_type is not None and not names_accelerator))
    if by_instance and accelerator is not None and instance_type is None:
        return Refusal(
            "field", "data.instances counts instances, but data.accelerator is named; send count, or instance_type."
        )
    unit: str | None
    if by_instance:
        name, unit, units = instance_type or hardware, INSTANCE, _thousandths(instances)
    else:
        name, units = accelerator or hardware or instance_type, _thousandths(count)
        unit = None if name is None and units is None else ACCELERATOR
    claim = Claim(name, unit, units, region, fabric, within, _thousandths(lease))
    return NOTHING_CLAIMED if claim == NOTHING_CLAIMED else claim


@lru_cache(CLAIMS_CACHED_MAX)
def _resized_claim(fields: Fields) -> Claim | Refusal:
    claim = _held_claim(fields)
    if isinstance(claim, Claim) and claim.count is None:
        return Refusal("field", "data.count is missing; a resize must say count, or instances.")
    return claim


@lru_cache(CLAIMS_CACHED_MAX)
def _stopped_claim(fields: Fields) -> Claim | Refusal:
    """A stop may name hardware, but a count in it (0, or what was released) is none that was held."""
    claim = _held_claim(fields)
    return claim._replace(count=None) if isinstance(claim, Claim) and claim.count is not None else claim


def _allocation(claim_of: Callable[[Fields], Claim | Refusal]) -> Callable[[Event], Made | Refusal]:
    def made(event: Event) -> Made | Refusal:
        data = event[LAST_ATTRIBUTE]
        claim = claim_of(_CLAIM_FIELDS(data))
        if isinstance(claim, Refusal):
            return claim
        if len(data) > PLAIN_FIELDS:
            get, nodes = data.get, _node_names(data.get("nodes"))
            traits = _traits(
                get("zone"),
                get("job"),
                get("reservation"),
                get("image_digest"),
                get("purpose"),
                get("layer"),
                get("on_behalf_of"),
                get("network_gbit_s"),
            )
            if nodes is not None:
                traits = traits._replace(nodes=nodes)
            if traits is not NO_TRAITS:
                claim = claim._replace(traits=traits)
        return _same(data["tenant"]), data["allocation"], claim

    return made


@lru_cache(CLAIMS_CACHED_MAX)
def _traits(
    zone: str | None,
    job: str | None,
    reservation: str | None,
    image: str | None,
    purpose: str | None,
    layer: str | None,
    end_customer: str | None,
    network_gbit_s: float | None,
) -> Traits:
    known = network_gbit_s is not None and network_gbit_s <= NETWORK_GBIT_S_MAX
    network = _thousandths(network_gbit_s) if known else None
    traits = Traits(zone, job, reservation, image, purpose, layer, end_customer, None, network)
    return NO_TRAITS if traits == NO_TRAITS else traits


def _node_names(value: object) -> tuple[str, ...] | None:
    """The nodes that an event names; anything but a list of names is none, since nothing rests on them alone."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return None
    return tuple(sorted(set(value))[:NODES_MAX]) or None


# -- the other types -------------------------------------------------------------------------------------------------


def _reservation(event: Event) -> Made:
    data = event[LAST_ATTRIBUTE]
    held = data["accelerator"], _thousandths(data["count"]), data["start"], data["end"]
    return _same(data["tenant"]), "", Reservation(data["reservation"], *held, data["state"])


def _telemetry(event: Event) -> Made:
    """A sample: a value that no hardware can have is unknown, never zero, and no reason to reject the rest."""
    data = event[LAST_ATTRIBUTE]
    unknown: list[str] = []

    def integer(name: str, factor: int, low: float, high: float) -> int | None:
        if name not in data:
            return None
        value = data[name]
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:  # NaN is not
            return scaled(float(value), factor)
        unknown.append(name)
        return None

    covered = integer("accelerators_covered", 1_000, 0, COUNT_MAX)
    active = integer("tensor_active", PPM, 0, 1)
    clock = integer("sm_clock_mhz", 1_000, 0.001, SM_CLOCK_MHZ_MAX)
    power = integer("power_watts", 1_000, 0.001, POWER_WATTS_MAX)
    window_ms = max(1, scaled(data["window_seconds"], 1_000))
    energy = integer("energy_joules", 1_000, 0.001, POWER_WATTS_MAX * window_ms / 1_000)
    if energy is not None:  # the counter misses no peak between two readings
        power = energy * 1_000 // window_ms
    observer = data.get("observer", "tenant")
    if observer not in ("provider", "tenant"):
        unknown.append("observer")
    sample = Sample(window_ms, observer == "provider", covered, active, clock, tuple(unknown), power)
    return _same(data["tenant"]), data["allocation"], sample


_NO_PROFILE_FIELDS = {"tenant", "basis"}


def _profile(data: Data, known: Collection[str]) -> Profile:
    fields = {
        name: [_owner(owner) for owner in value] if name == "owners" else value
        for name, value in data.items()
        if name in known and name not in _NO_PROFILE_FIELDS and value is not None
    }
    return Profile(fields, data["basis"] or {})


def _owner(owner: Data) -> dict[str, object]:
    """An owner with the share as parts per million, and the contract's names for the dates, in milliseconds."""
    share = owner.get("share")
    return {
        "party": owner["party"],
        "share_ppm": None if share is None else scaled(share, PPM),
        "control": owner.get("control"),
        "from": owner.get("start"),
        "to": owner.get("end"),
        "source": owner.get("source"),
    }


def _tenant_profile(event: Event) -> Made:
    data = event[LAST_ATTRIBUTE]
    return _same(data["tenant"]), "", _profile(data, TENANT_FIELDS)


def _party_profile(event: Event) -> Made:
    data = event[LAST_ATTRIBUTE]
    return "", data["party"], _profile(data, PARTY_FIELDS)


def _inventory(event: Event) -> Made | Refusal:
    data = event[LAST_ATTRIBUTE]
    if data["part"] > data["parts"]:
        return Refusal("field", f"data.part is {data['part']}; expected at most data.parts, {data['parts']}.")
    held: dict[tuple[str, str], Claim] = {}
    for position, entry in enumerate(data["allocations"]):
        key = _same(entry["tenant"]), entry["allocation"]
        if key in held:  # adding up or choosing would be a guess, and the books are checked against this
            return Refusal(
                "field", f"data.allocations[{position}] is {shown(key[1])} again; expected each allocation once."
            )
        held[key] = _reported_claim(entry["hardware"], entry["count"])
    capacity = {_same(name): scaled(count, 1_000) for name, count in (data["capacity"] or {}).items()}
    region = _same(data["region"])
    return "", region, Report(region, held, data["complete"], capacity, data["part"], data["parts"])


@lru_cache(CLAIMS_CACHED_MAX)
def _reported_claim(hardware: str | None, count: float | None) -> Claim:
    """What a report says of one allocation; of what kind the name is, it does not say."""
    return Claim(hardware=hardware, count=_thousandths(count))


def _alive(event: Event) -> Made:
    data = event[LAST_ATTRIBUTE]
    source = _same(data["source"])
    return "", source, Alive(source, data["sent"] or {})


def _retraction(event: Event) -> Made | Refusal:
    data, source = event[LAST_ATTRIBUTE], event["source"]
    retracts = data["retracts"]
    if retracts["source"] != source:
        what = f"data.retracts.source is {shown(retracts['source'])}"
        return Refusal("source", f"{what}; expected {shown(source)}, the source that retracts.")
    return _same(data["tenant"]), "", Retraction(_same(source), retracts["id"], data["reason"] or "")


_MAKERS: Mapping[Kind, Callable[[Event], Made | Refusal]] = {
    Kind.STARTED: _allocation(_held_claim),
    Kind.RESIZED: _allocation(_resized_claim),
    Kind.STOPPED: _allocation(_stopped_claim),
    Kind.SEEN: _allocation(_held_claim),
    Kind.DESCRIBED: _allocation(_held_claim),
    Kind.RESERVATION: _reservation,
    Kind.TELEMETRY: _telemetry,
    Kind.TENANT_PROFILED: _tenant_profile,
    Kind.PARTY_PROFILED: _party_profile,
    Kind.INVENTORY: _inventory,
    Kind.ALIVE: _alive,
    Kind.RETRACTED: _retraction,
}
_FORMS: Mapping[str, Form] = {name: Form(kind, _MAKERS[kind], LAST_FIELD[kind]) for name, kind in EVENT_TYPES.items()}
