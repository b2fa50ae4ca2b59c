"""Records to observations: good events of each type, numbers and times, and what the batch does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    Observation,
    Profile,
    Record,
    Report,
    Reservation,
    Retraction,
    Sample,
    Traits,
)
from monitor.errors import UnreadableFact
from monitor.intake.decode import NAMES_COUNTED_MAX, NODES_MAX, OTHER, Rules, decode, decode_facts, scaled
from tests.intake.events import ABSENT, DATA, TIME_MS, event, line, records, with_data

H100 = "H100 SXM 80GB"


def only(content: object) -> Observation:
    """The one observation that an event must be."""
    decoded = decode(records(content), Rules())
    assert [] == decoded.rejected
    (observation,) = decoded.observations
    return observation


GOOD: list[tuple[str, str, str, Body]] = [
    ("allocation.started.v1", "acme", "job-1",
     Claim(H100, ACCELERATOR, 8_000, "eu-1", "f-1", "pool", 90_000, Traits(layer="job"))),
    ("allocation.resized.v1", "acme", "job-1", Claim(unit=ACCELERATOR, count=500)),
    ("allocation.stopped.v1", "acme", "job-1", NOTHING_CLAIMED),
    ("allocation.seen.v1", "acme", "job-1", NOTHING_CLAIMED),
    ("allocation.described.v1", "acme", "job-1", Claim("p5.48xlarge", "instance")),
    ("reservation.changed.v1", "acme", "",
     Reservation("r-1", H100, 512_000, 1_780_272_000_000, 1_788_220_800_000, "granted")),
    ("telemetry.sampled.v1", "acme", "job-1", Sample(60_000, True, 8_000, 410_000, 1_755_000, (), 612_500)),
    ("tenant.profiled.v1", "acme", "",
     Profile({"party": "p-1", "legal_name": "Acme Ltd", "hq_country": "GB", "access_countries": ["GB", "HK"],
              "identifiers": {"lei": "529900T8BM49AURSDO55"}, "verified_at": 1_769_904_000_000},
             {"hq_country": "documented", "payer": "claimed"})),
    ("party.profiled.v1", "", "p-1",
     Profile({"party": "p-1", "names": ["Acme Ltd"], "hq_country": "GB",
              "owners": [{"party": "p-2", "share_ppm": 400_000, "control": True, "from": 917_740_800_000, "to": None,
                          "source": "registry"}]},
             {"owners": "registry"})),
    ("inventory.reported.v1", "", "eu-1",
     Report("eu-1", {("acme", "job-1"): Claim(hardware=H100, count=8_000)}, True, {H100: 64_000}, 1, 2)),
    ("source.alive.v1", "", "/sim/eu-1", Alive("/sim/eu-1", {"tenant/0": 17})),
    ("fact.retracted.v1", "acme", "", Retraction("/sim/eu-1", "e-0", "sent by mistake")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "tenant", "subject", "body"), GOOD, ids=[row[0] for row in GOOD])
def test_a_good_event_is_exactly_this_observation(name: str, tenant: str, subject: str, body: Body) -> None:
    """Each type of the contract becomes one observation, field by field."""
    content = event(name)

    kind = EVENT_TYPES[f"io.flopwatch.{name}"]
    assert Observation(kind, tenant, subject, TIME_MS, "/sim/eu-1", "e-1", body, line(content)) == only(content)


def test_every_type_has_a_golden_event() -> None:
    """The table above covers the contract."""
    assert set(EVENT_TYPES) == {f"io.flopwatch.{row[0]}" for row in GOOD} == {f"io.flopwatch.{name}" for name in DATA}


OWNED_SINCE = [
    ("1999-01-31", 917_740_800_000),
    ("1969-12-31", -86_400_000),
    ("2026-06-01T00:00:00Z", 1_780_272_000_000),
    ("2026-06-01t02:00:00.5+02:00", 1_780_272_000_500),
    ("2026-06-01T10:00", 1_780_272_000_000),  # no zone
    ("2026-06-01T99", 1_780_272_000_000),
]


@pytest.mark.parametrize(("text", "instant"), OWNED_SINCE)
def test_since_when_an_owner_owns(text: str, instant: int) -> None:
    """Of any year, in milliseconds; where a day is all that can be read, from its beginning in UTC."""
    body = only(with_data("party.profiled.v1", owners=[{"party": "p-2", "from": text, "to": text}])).body

    assert isinstance(body, Profile)
    assert [
        {"party": "p-2", "share_ppm": None, "control": None, "from": instant, "to": instant, "source": None}
    ] == body.fields["owners"]


HARDWARE: list[tuple[dict[str, Any], Claim]] = [
    ({}, NOTHING_CLAIMED),
    ({"accelerator": "A100"}, Claim("A100", ACCELERATOR)),
    ({"accelerator": "A100", "count": 2}, Claim("A100", ACCELERATOR, 2_000)),
    ({"hardware": "A100"}, Claim("A100", ACCELERATOR)),
    ({"hardware": "A100", "count": 2}, Claim("A100", ACCELERATOR, 2_000)),
    ({"hardware": "p5.48xlarge", "instances": 2}, Claim("p5.48xlarge", INSTANCE, 2_000)),
    ({"instance_type": "p5.48xlarge"}, Claim("p5.48xlarge", INSTANCE)),
    ({"instance_type": "p5.48xlarge", "instances": 2}, Claim("p5.48xlarge", INSTANCE, 2_000)),
    ({"instance_type": "p5.48xlarge", "count": 16}, Claim("p5.48xlarge", ACCELERATOR, 16_000)),
    ({"accelerator": "H100", "instance_type": "p5.48xlarge"}, Claim("H100", ACCELERATOR)),
    ({"accelerator": "H100", "instance_type": "p5.48xlarge", "count": 16}, Claim("H100", ACCELERATOR, 16_000)),
    ({"accelerator": "H100", "instance_type": "p5.48xlarge", "instances": 2}, Claim("p5.48xlarge", INSTANCE, 2_000)),
    ({"accelerator": "H100", "instance_type": "p5", "count": 16, "instances": 2}, Claim("H100", ACCELERATOR, 16_000)),
    ({"count": 3}, Claim(unit=ACCELERATOR, count=3_000)),
    ({"instances": 3}, Claim(unit=INSTANCE, count=3_000)),
    ({"accelerator": None, "count": None, "region": None}, NOTHING_CLAIMED),
    ({"lease_seconds": 0.0015}, Claim(lease_ms=2)),
]


@pytest.mark.parametrize(("fields", "claim"), HARDWARE)
@pytest.mark.parametrize("name", ["allocation.started.v1", "allocation.seen.v1"])
def test_what_counts_and_what_is_counted(name: str, fields: dict[str, Any], claim: Claim) -> None:
    """count counts accelerators and instances counts instances, whichever way hardware is named."""
    content = event(name, data={"tenant": "acme", "allocation": "job-1", **fields})

    assert claim == only(content).body


def test_nothing_claimed_is_one_object() -> None:
    """A heartbeat that says nothing shares its body with all others: millions of them are in memory."""
    assert NOTHING_CLAIMED is only(event("allocation.seen.v1")).body
    plain = with_data(layer=ABSENT)
    assert only(plain).body is only(plain).body


TRAITS: list[tuple[dict[str, Any], Traits]] = [
    ({"zone": "eu-1a"}, Traits(zone="eu-1a")),
    ({"job": "llm-7"}, Traits(job="llm-7")),
    ({"reservation": "r-1"}, Traits(reservation="r-1")),
    ({"image_digest": "sha256:ab"}, Traits(image="sha256:ab")),
    ({"purpose": "pre-training"}, Traits(purpose="pre-training")),
    ({"layer": "node"}, Traits(layer="node")),
    ({"on_behalf_of": "c-1"}, Traits(end_customer="c-1")),
    ({"nodes": ["n-2", "n-1", "n-2"]}, Traits(nodes=("n-1", "n-2"))),
    (
        {"zone": "z", "job": "j", "reservation": "r", "image_digest": "i", "purpose": "p", "nodes": ["n"]},
        Traits("z", "j", "r", "i", "p", None, None, ("n",)),
    ),
    ({"job": "llm-7", "nodes": 7}, Traits(job="llm-7")),
]


@pytest.mark.parametrize(("fields", "traits"), TRAITS)
@pytest.mark.parametrize("name", ["started", "resized", "stopped", "seen"])
def test_traits_are_what_else_is_said(name: str, fields: dict[str, Any], traits: Traits) -> None:
    """Facts of an allocation may name its zone, job, reservation, image, purpose, layer, end customer and nodes."""
    data = {"tenant": "acme", "allocation": "job-1", "count": 8, **fields}

    body = only(event(f"allocation.{name}.v1", data=data)).body

    assert isinstance(body, Claim)
    assert traits == body.traits


@pytest.mark.parametrize(
    "nodes", [None, [], "n-1", 7, {"n-1": 1}, ["n-1", 7], ["n-1", None]], ids=lambda nodes: str(nodes)
)
def test_nodes_of_another_form_are_none(nodes: object) -> None:
    """What is no list of names names no node: the event counts, and its claim is the one that all like it share."""
    data = {"tenant": "acme", "allocation": "job-1"}

    assert NOTHING_CLAIMED is only(event("allocation.seen.v1", data={**data, "nodes": nodes})).body


@pytest.mark.parametrize("fields", [{}, {"account": "a-1"}, {"job": None, "zone": None}, {"shoe_size": 46}])
def test_claims_without_traits_are_shared(fields: dict[str, Any]) -> None:
    """Fields that are no traits, and traits that are null, leave the claim the object that all like it share."""
    plain = {"tenant": "acme", "allocation": "job-1", "accelerator": H100, "count": 8}

    body = only(event(data={**plain, **fields})).body

    assert isinstance(body, Claim)
    assert NO_TRAITS is body.traits
    assert only(event(data=plain)).body is body


def test_nodes_of_one_event_are_bounded() -> None:
    """However many nodes an event names, so many of them are kept, and always the same ones."""
    names = [f"n-{number:05}" for number in range(NODES_MAX + 1)]

    body = only(with_data(nodes=names[::-1])).body

    assert isinstance(body, Claim)
    assert tuple(names[:NODES_MAX]) == body.traits.nodes


def test_a_stop_names_hardware_but_no_count() -> None:
    """The count in a stop is what is left or was released, never what was held."""
    content = with_data("allocation.stopped.v1", accelerator="A100", count=0)

    assert Claim("A100", ACCELERATOR) == only(content).body


@pytest.mark.parametrize(
    ("number", "thousandths"),
    [
        (b"0", 0), (b"-0.0", 0), (b"8", 8_000), (b"8.0", 8_000), (b"8e0", 8_000), (b"0.0005", 1), (b"1.0005", 1_001),
        (b"0.00049999999999999", 0), (b"0.3335", 334), (b"2.6745", 2_675), (b"1e-300", 0), (b"1e7", 10_000_000_000),
    ],
)  # fmt: skip
def test_counts_are_rounded_half_up_to_thousandths(number: bytes, thousandths: int) -> None:
    """The decimal that was sent is rounded, not the binary fraction next to it."""
    content = line(with_data(count=-1)).replace(b"-1", number)

    body = only(content).body
    assert isinstance(body, Claim)
    assert thousandths == body.count


@given(st.integers(0, 10**12))
def test_thousandths_are_exact(number: int) -> None:
    """A number of at most three decimals is not changed by rounding."""
    assert number == scaled(float(f"{number // 1000}.{number % 1000:03}"), 1_000)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01T12:00:00Z", TIME_MS - 250),
        ("2026-03-01t12:00:00z", TIME_MS - 250),
        ("2026-03-01T12:00:00.2509999999Z", TIME_MS),
        ("2026-03-01T12:00:00.2Z", TIME_MS - 50),
        ("2026-03-01T13:30:00.250+01:30", TIME_MS),
        ("2026-03-01T00:00:00.250-12:00", TIME_MS),
        ("2026-03-01T12:00:00.250-00:00", TIME_MS),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("2016-12-31T23:59:60.9999z", 1_483_228_800_999),
        ("2010-01-01T00:00:00Z", 1_262_304_000_000),
        ("2100-12-31T23:59:59.999Z", 4_133_980_799_999),
        ("2101-01-01T01:00:00+01:30", 4_133_979_000_000),
    ],
)
def test_times_are_floored_to_milliseconds(text: str, instant: int) -> None:
    """RFC 3339 in all its forms: any zone, any precision, lower case, leap seconds."""
    assert instant == only(event(time=text)).time


SENTINELS = [9223372036854775794, 808334905]
NONSENSE = [None, "", " ", "NaN", True, [], {}, float("nan"), float("inf"), -1, 10**400, *SENTINELS]


@pytest.mark.parametrize("value", NONSENSE, ids=lambda value: str(value)[:20])
@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("accelerators_covered", "covered"),
        ("tensor_active", "tensor_active_ppm"),
        ("sm_clock_mhz", "sm_clock_khz"),
        ("power_watts", "power_mw"),
    ],
)
def test_nonsense_in_telemetry_is_unknown(name: str, field: str, value: object) -> None:
    """A value no hardware can have is unknown and named, never zero, and no reason to reject the sample."""
    body = only(with_data("telemetry.sampled.v1", **{name: value})).body

    assert isinstance(body, Sample)
    assert None is getattr(body, field)
    assert (name,) == body.unknown


@pytest.mark.parametrize(
    ("fields", "sample"),
    [
        ({}, Sample(60_000, False, None, None, None)),
        ({"observer": "tenant"}, Sample(60_000, False, None, None, None)),
        ({"observer": ["provider"]}, Sample(60_000, False, None, None, None, ("observer",))),
        ({"observer": "provider", "tensor_active": 0}, Sample(60_000, True, None, 0, None)),
        ({"tensor_active": 1, "sm_clock_mhz": 5000}, Sample(60_000, False, None, 1_000_000, 5_000_000)),
        ({"tensor_active": 0.0000005}, Sample(60_000, False, None, 1, None)),
        ({"sm_clock_mhz": 5000.1}, Sample(60_000, False, None, None, None, ("sm_clock_mhz",))),
        ({"sm_clock_mhz": 0}, Sample(60_000, False, None, None, None, ("sm_clock_mhz",))),
        ({"accelerators_covered": 0.5, "gpu_util": "broken"}, Sample(60_000, False, 500, None, None)),
        ({"power_watts": 0}, Sample(60_000, False, None, None, None, ("power_watts",))),
        ({"power_watts": 99.5}, Sample(60_000, False, None, None, None, (), 99_500)),
        ({"power_watts": 99.5, "energy_joules": 30_000}, Sample(60_000, False, None, None, None, (), 500_000)),
        (
            {"power_watts": 99.5, "energy_joules": 808334905},
            Sample(60_000, False, None, None, None, ("energy_joules",), 99_500),
        ),
    ],
)
def test_telemetry_within_bounds_is_kept(fields: dict[str, object], sample: Sample) -> None:
    """What is there and possible becomes an integer; an unnamed observer is the tenant."""
    data = {"tenant": "acme", "allocation": "job-1", "window_seconds": 60, **fields}

    assert sample == only(event("telemetry.sampled.v1", data=data)).body


def test_a_window_in_the_future_is_no_fact() -> None:
    """A window that ends more than an hour after it came is refused, and is neither idle nor busy time."""
    raw = line(event("telemetry.sampled.v1"))
    came = [Record("t", 0, n, n + 1, raw, TIME_MS - ahead) for n, ahead in enumerate((HOUR_MS, HOUR_MS + 1))]

    decoded = decode(came, Rules())

    assert [0] == [record.offset for record in decoded.records]
    assert [(1, "time")] == [(one.record.offset, one.reason) for one in decoded.rejected]


def test_a_report_without_parts_is_whole() -> None:
    """part and parts may be left out, and so may a count, hardware and capacity."""
    data = {"region": "eu-1", "complete": False, "allocations": [{"tenant": "acme", "allocation": "job-1"}]}

    assert (
        Report("eu-1", {("acme", "job-1"): Claim()}, False, {}, 1, 1)
        == only(event("inventory.reported.v1", data=data)).body
    )


def test_null_profile_fields_are_not_named() -> None:
    """A profile updates only the fields that it names, and null names none."""
    data = {"tenant": "acme", "legal_name": None, "payer": "p-9", "shoe_size": 46}

    assert Profile({"payer": "p-9"}, {}) == only(event("tenant.profiled.v1", data=data)).body


def test_of_a_repeated_key_the_last_counts() -> None:
    """JSON with the same key twice is read as most readers do, and the same way everywhere."""
    content = line(with_data(count=1)).replace(b'"count": 1', b'"count": 1, "count": 2')

    body = only(content).body
    assert isinstance(body, Claim)
    assert 2_000 == body.count
    assert 2 == json.loads(only(content).raw)["data"]["count"]


# -- batches ---------------------------------------------------------------------------------------------------------


def test_types_of_others_are_ignored_and_counted() -> None:
    """A type outside io.flopwatch. is counted by name and never rejected, whatever else is wrong with it."""
    foreign = event(type="com.example.built", specversion="0.3", data=ABSENT, time="yesterday")

    decoded = decode(records(foreign, event(), foreign), Rules())

    assert ({"com.example.built": 2}, 1, []) == (decoded.ignored, len(decoded.observations), decoded.rejected)


def test_ignored_names_are_bounded() -> None:
    """Names that others choose cannot fill the memory: after a hundred they are one."""
    names = [f"com.example.t{number}" for number in range(NAMES_COUNTED_MAX + 7)]

    decoded = decode(records(*(event(type=name) for name in names)), Rules())

    assert NAMES_COUNTED_MAX + 1 == len(decoded.ignored)
    assert 7 == decoded.ignored[OTHER]


def test_unknown_fields_are_kept_and_counted() -> None:
    """A field nobody has heard of is no error, stays in the raw event and is counted by where it stands."""
    content = {**with_data(shoe_size=46, gpu_util=1), "traceparent": "00-1"}

    decoded = decode(records(content, event(), content), Rules())

    assert {"traceparent": 2, "data.shoe_size": 2, "data.gpu_util": 2} == decoded.unknown_fields
    assert line(content) == decoded.observations[0].raw


@pytest.mark.parametrize("name", DATA)
def test_fields_of_the_contract_are_known(name: str) -> None:
    """No field that the contract names counts as unknown, and one more does, in every type."""
    assert {} == decode(records(event(name)), Rules()).unknown_fields
    assert {"data.x": 1} == decode(records(with_data(name, x=1)), Rules()).unknown_fields


def test_records_stay_beside_their_observations() -> None:
    """The records of accepted facts are parallel to the observations, and order is kept."""
    mixed = records(event(id="1"), b"no", event(id="2"), event(type="x"), event(id="3"))

    decoded = decode(mixed, Rules())

    assert ["1", "2", "3"] == [fact.id for fact in decoded.observations]
    assert [mixed[0], mixed[2], mixed[4]] == decoded.records
    assert [mixed[1]] == [one.record for one in decoded.rejected]


def test_a_line_cannot_reach_into_the_next() -> None:
    """Two halves of an event in two records are two rejections, and two events in one record are one."""
    whole = line(event())

    decoded = decode(records(whole[:40], whole[40:], whole + b"," + whole), Rules())

    assert ["json"] * 3 == [one.reason for one in decoded.rejected]
    assert [] == decoded.observations


def test_stored_facts_are_read_without_the_limits_of_settings() -> None:
    """What was accepted under other limits, or from a source since refused, stays readable, in order."""
    ahead = event(id="2", recordedtime="2020-01-01T00:00:00Z")

    facts = decode_facts([line(event(id="1")), line(ahead)])

    assert ["1", "2"] == [fact.id for fact in facts]


@pytest.mark.parametrize("content", [b"{", event(type="com.example.built"), event(id="")])
def test_a_stored_line_that_is_no_fact_stops_the_reading(content: object) -> None:
    """A fact of the books is never skipped in silence."""
    with pytest.raises(UnreadableFact, match="A stored fact cannot be read"):
        decode_facts([line(content)])


def test_a_line_of_the_trace_converter_decodes() -> None:
    """A line as the converter of public traces writes it is an observation."""
    content = (
        b'{"specversion":"1.0","id":"run-1/start","source":"/traces/philly","type":"io.flopwatch.allocation.started.v1",'
        b'"time":"2026-01-01T10:30:41.000Z","subject":"run-1","datacontenttype":"application/json","data":{"tenant":'
        b'"7f04ca","allocation":"run-1","accelerator":"P100 PCIe 16GB","count":8,"region":"philly","fabric":"philly"}}'
    )

    assert Claim("P100 PCIe 16GB", ACCELERATOR, 8_000, "philly", "philly") == only(content).body
