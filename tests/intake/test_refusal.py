"""Bad input: what is wrong is named in one word and one sentence, and nothing is ever raised."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.model import EVENT_TYPES
from monitor.intake.decode import Rules, decode, decode_facts
from monitor.intake.refusal import REASONS, SHOWN_CHARACTERS_MAX, shown
from tests.intake.events import ABSENT, DATA, TIME_MS, event, line, records, with_data

NAMES = ("tenant", "allocation", "accelerator", "region", "fabric", "within", "account", "job", "hardware", "purpose")
LONG = "n" * 1_025


def replaced(old: bytes, new: bytes) -> bytes:
    """The good start event with some of its bytes replaced."""
    assert old in line(event())
    return line(event()).replace(old, new)


# Name of the case, the record, the reason, and words that the sentence must hold.
BAD: list[tuple[str, Any, str, tuple[str, ...]]] = [
    ("empty", b"", "json", ("not JSON",)),
    ("not JSON", b"{specversion: 1.0}", "json", ("not JSON", "column 2")),
    ("cut off", line(event())[:-1], "json", ("not JSON",)),
    ("two events", line(event()) * 2, "json", ("not JSON", "one event a record")),
    ("nested 10,000 deep", b"[" * 10_000 + b"]" * 10_000, "json", ("not JSON", "recursion limit")),
    ("nested in a field", replaced(b'"a-1"', b"[" * 10_000 + b"]" * 10_000), "json", ("recursion limit",)),
    ("an endless number", replaced(b" 8", b" " + b"9" * 5_000), "json", ("number out of range",)),
    ("half a character", replaced(b"acme", b"\\ud800"), "json", ("not JSON",)),
    ("not UTF-8", replaced(b"acme", b"\xff\xfe"), "encoding", ("is not UTF-8", "Byte ")),
    ("UTF-16", json.dumps(event()).encode("utf-16"), "encoding", ("Byte 0 ",)),
    ("1 MiB", with_data(purpose="p" * (1 << 20)), "bytes_limit", ("1,000,000 bytes",)),
    ("a list", [event()], "json", ("a list of 1", "a JSON object")),
    ("a number", b"7", "json", ("The record is 7",)),
    ("null", b"null", "json", ("The record is null",)),
    ("nothing in it", {}, "envelope", ("type is missing",)),
    ("type a number", event(type=7), "envelope", ("type is 7",)),
    ("type empty", event(type=""), "envelope", ('type is ""',)),
    ("type not known", event(type="io.flopwatch.allocation.exploded.v1"), "type", ("exploded.v1", "event contract")),
    ("type of another version", event(type="io.flopwatch.allocation.started.v2"), "type", ("started.v2",)),
    ("no specversion", event(specversion=ABSENT), "envelope", ("specversion is missing",)),
    ("specversion 0.3", event(specversion="0.3"), "envelope", ('specversion is "0.3"', '"1.0"')),
    ("specversion a number", event(specversion=1.0), "envelope", ("specversion is 1.0",)),
    ("no id", event(id=ABSENT), "envelope", ("id is missing",)),
    ("id empty", event(id=""), "envelope", ('id is ""', "1 to 1,024 characters")),
    ("id a number", event(id=17), "envelope", ("id is 17", "text")),
    ("id long", event(id=LONG), "envelope", ('id is "nnn', "…", "1,024")),
    ("no source", event(source=ABSENT), "envelope", ("source is missing",)),
    ("source null", event(source=None), "envelope", ("source is null",)),
    ("subject an object", event(subject={}), "envelope", ("subject is an object",)),
    ("no data", event(data=ABSENT), "envelope", ("data is missing",)),
    ("data text", event(data="{}"), "envelope", ('data is "{}"', "an object")),
    ("no time", event(time=ABSENT), "time", ("time is missing",)),
    ("time a number", event(time=1_772_366_400), "time", ("time is 1772366400", "RFC 3339")),
    ("time without zone", event(time="2026-03-01T12:00:00"), "time", ('"2026-03-01T12:00:00"', "with zone")),
    ("time of a week", event(time="2026-W09-7T12:00:00Z"), "time", ("RFC 3339",)),
    ("time without seconds", event(time="2026-03-01T12:00Z"), "time", ("RFC 3339",)),
    ("time with a blank", event(time="2026-03-01 12:00:00Z"), "time", ("RFC 3339",)),
    ("time at 24", event(time="2026-03-01T24:00:00Z"), "time", ("RFC 3339",)),
    ("no such day", event(time="2026-02-29T12:00:00Z"), "time", ("2026-02-29",)),
    ("year 0000", event(time="0000-01-01T00:00:00Z"), "time", ("2010 to 2100",)),
    ("year 0001", event(time="0001-01-01T00:00:00+23:59"), "time", ("2010 to 2100",)),
    ("before 2010", event(time="2009-12-31T23:59:59.999Z"), "time", ("2010 to 2100",)),
    ("after 2100", event(time="2101-01-01T00:00:00Z"), "time", ("2010 to 2100",)),
    ("year 9999", event(time="9999-12-31T23:59:59Z"), "time", ("9999-12-31", "2010 to 2100")),
    ("year 9999, west", event(time="9999-12-31T23:59:59-23:59"), "time", ("2010 to 2100",)),
    ("recordedtime without zone", event(recordedtime="2026-03-01"), "time", ("recordedtime is",)),
    ("an hour ahead", event(recordedtime="2026-03-01T11:00:00.249Z"), "time", ("3,600 s ahead", "at most 3,600 s")),
    ("no tenant", with_data(tenant=ABSENT), "field", ("data.tenant is missing",)),
    ("no allocation", with_data(allocation=ABSENT), "field", ("data.allocation is missing",)),
    ("tenant null", with_data(tenant=None), "field", ("data.tenant is null",)),
    *((f"{name} empty", with_data(**{name: ""}), "field", (f'data.{name} is ""', "1 to 1,024")) for name in NAMES),
    *((f"{name} long", with_data(**{name: LONG}), "field", (f"data.{name} is", "1,024")) for name in NAMES),
    *((f"{name} NUL", with_data(**{name: "a\0b"}), "field", (r"a\x00b", "without NUL")) for name in NAMES),
    *((f"{name} list", with_data(**{name: ["a"]}), "field", (f"data.{name} is a list of 1",)) for name in NAMES),
    ("count -1", with_data(count=-1), "field", ("data.count is -1", "0 to 10,000,000")),
    ("count NaN", with_data(count=float("nan")), "field", ("data.count is NaN", "0 to 10,000,000")),
    ("count infinite", with_data(count=float("inf")), "field", ("data.count is Infinity",)),
    ("count 1e400", replaced(b" 8", b" 1e400"), "field", ("data.count is Infinity",)),
    ("count 1e9", replaced(b" 8", b" 1e9"), "field", ("data.count is 1000000000.0", "10,000,000")),
    ("count of 400 digits", with_data(count=10**400), "field", ("data.count is 1000", "…")),
    ("count just above", with_data(count=10_000_000.001), "field", ("data.count",)),
    ("count text", with_data(count="8"), "field", ('data.count is "8"', "a number")),
    ("count true", with_data(count=True), "field", ("data.count is true", "a number")),
    ("instances -1", with_data(instances=-1), "field", ("data.instances is -1",)),
    ("instances of accelerators", with_data(count=None, instances=2), "field", ("data.instances", "instance_type")),
    ("lease negative", with_data(lease_seconds=-0.5), "field", ("data.lease_seconds is -0.5", "seconds from 0")),
    ("lease endless", with_data(lease_seconds=1e300), "field", ("data.lease_seconds",)),
    ("layer unknown", with_data(layer="rack"), "field", ('data.layer is "rack"', "'reservation', 'node'")),
    ("resize without count", with_data("allocation.resized.v1", count=ABSENT), "field", ("data.count is missing",)),
    ("state unknown", with_data("reservation.changed.v1", state="maybe"), "field", ('data.state is "maybe"',)),
    ("from no time", with_data("reservation.changed.v1", **{"from": "soon"}), "field", ('data.from is "soon"',)),
    ("no window", with_data("telemetry.sampled.v1", window_seconds=ABSENT), "field", ("window_seconds is missing",)),
    *((f"window {value}", with_data("telemetry.sampled.v1", window_seconds=value), "field", ("above 0", "86,400"))
      for value in (0, -1, 86_401, float("nan"), "60", None)),
    *((f"country {value}", with_data("tenant.profiled.v1", hq_country=value), "field", ("hq_country", "two letters"))
      for value in ("GBR", "G", "G1", "", 44, "ÄÖ")),
    ("access", with_data("tenant.profiled.v1", access_countries=["GB", "X"]), "field", ("access_countries[1]",)),
    ("day", with_data("tenant.profiled.v1", incorporated_on="2026-02-30"), "field", ("incorporated_on", "a day")),
    ("basis", with_data("tenant.profiled.v1", basis={"payer": "sure"}), "field", ("data.basis.payer", "'registry'")),
    ("person", with_data("tenant.profiled.v1", home_jurisdiction_person="yes"), "field", ("true or false",)),
    *((f"share {value}", with_data("party.profiled.v1", owners=[{"party": "p", "share": value}]), "field",
       ("data.owners[0].share", "0 to 1")) for value in (-0.1, 1.1, 40, "0.4", float("nan"), True)),
    ("control", with_data("party.profiled.v1", owners=[{"party": "p", "control": 1}]), "field", ("control is 1",)),
    ("no region", with_data("inventory.reported.v1", region=ABSENT), "field", ("data.region is missing",)),
    ("complete text", with_data("inventory.reported.v1", complete="yes"), "field", ("data.complete", "true or false")),
    ("allocations object", with_data("inventory.reported.v1", allocations={}), "field", ("data.allocations", "a list")),
    ("entry", with_data("inventory.reported.v1", allocations=[{"tenant": "a", "allocation": "b", "count": -1}]),
     "field", ("data.allocations[0].count is -1",)),
    ("entry twice", with_data("inventory.reported.v1", allocations=[{"tenant": "a", "allocation": "b"}] * 2), "field",
     ("data.allocations[1]", "once")),
    ("capacity", with_data("inventory.reported.v1", capacity={"H100": -1}), "field", ("data.capacity.H100 is -1",)),
    ("part beyond", with_data("inventory.reported.v1", part=3), "field", ("data.part is 3", "data.parts, 2")),
    ("part 0", with_data("inventory.reported.v1", part=0), "field", ("data.part is 0", "from 1")),
    ("parts many", with_data("inventory.reported.v1", parts=10_001), "field", ("data.parts", "10,000")),
    ("sent negative", with_data("source.alive.v1", sent={"t": -1}), "field", ("data.sent.t is -1",)),
    ("nothing retracted", with_data("fact.retracted.v1", retracts={}), "field", ("data.retracts.source is missing",)),
    ("another's", with_data("fact.retracted.v1", retracts={"source": "/other", "id": "e"}), "source", ('"/other"',)),
]  # fmt: skip


@pytest.mark.parametrize(("content", "reason", "words"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_input_is_named(content: object, reason: str, words: tuple[str, ...]) -> None:
    """Each kind of bad record has its word, and a sentence that names field, value and what is expected."""
    decoded = decode(records(content), Rules())

    assert [] == decoded.observations
    (rejected,) = decoded.rejected
    assert reason == rejected.reason
    assert [] == [word for word in words if word not in rejected.sentence]
    assert rejected.sentence.isprintable()
    assert rejected.sentence.endswith(".")
    assert len(rejected.sentence) < 300


def test_every_reason_has_a_case() -> None:
    """The closed set of reasons is what the tests here know."""
    assert set(REASONS) == {row[2] for row in BAD}


def test_the_longest_record_is_taken_and_one_more_byte_is_not() -> None:
    """The limit on bytes is exact."""
    content = line(event())

    assert [] == decode(records(content), Rules(record_bytes_max=len(content))).rejected
    assert ["bytes_limit"] == [
        one.reason for one in decode(records(content), Rules(record_bytes_max=len(content) - 1)).rejected
    ]


def test_names_of_1024_characters_are_taken() -> None:
    """A name is as long as the contract says, in characters and not in bytes."""
    assert [] == decode(records(with_data(tenant="名" * 1_024)), Rules()).rejected


@pytest.mark.parametrize(
    ("ahead_ms", "recorded", "reasons"),
    [
        (3_600_000, None, []),
        (3_600_001, None, ["time"]),
        (3_600_001, "2026-03-01T12:00:00Z", ["time"]),
        (0, "2020-01-01T00:00:00Z", []),
    ],
)
def test_receipt_bounds_the_future(ahead_ms: int, recorded: str | None, reasons: list[str]) -> None:
    """An event may be an hour ahead of its receipt; what the event says of its receipt counts only without one."""
    content = event(recordedtime=recorded)

    decoded = decode(records(content, received=TIME_MS - ahead_ms), Rules())

    assert reasons == [one.reason for one in decoded.rejected]


@pytest.mark.parametrize(
    ("sources", "reasons"),
    [
        ({}, []),
        ({"/sim/*": ()}, []),
        ({"/sim/*": ("io.flopwatch.allocation.started.v1",)}, []),
        ({"/sim/*": ("io.flopwatch.allocation.*",)}, []),
        ({"/sim/*": ("io.flopwatch.telemetry.sampled.v1",)}, ["source"]),
        ({"/sim/*": ("io.flopwatch.telemetry.sampled.v1",), "/sim/eu-1": ("io.flopwatch.allocation.started.v1",)}, []),
        ({"/k8s/*": ()}, ["source"]),
    ],
)
def test_a_source_sends_what_it_may(sources: dict[str, tuple[str, ...]], reasons: list[str]) -> None:
    """Settings say which sources may send which types; while they say nothing, all may send all."""
    decoded = decode(records(event()), Rules(sources=sources))

    assert reasons == [one.reason for one in decoded.rejected]
    assert all("/sim/eu-1" in one.sentence and "allowed_sources" in one.sentence for one in decoded.rejected)


def test_a_hostile_report_is_refused_in_time() -> None:
    """A record of nothing but errors costs little more than reading it."""
    bad = line(with_data("inventory.reported.v1", allocations=[{}] * 300_000))
    began = time.perf_counter()

    decoded = decode(records(bad), Rules(record_bytes_max=len(bad)))

    assert ["field"] == [one.reason for one in decoded.rejected]
    assert time.perf_counter() - began < 5


def test_values_are_shown_short_and_harmless() -> None:
    """A sentence cannot be made long, nor move the cursor of a terminal, by what somebody sent."""
    assert r'"\x1b[31m\u202e"' == shown("\x1b[31m\u202e")
    assert SHOWN_CHARACTERS_MAX + 2 == len(shown("\x1b" * 1_000))
    assert '"' + "a" * SHOWN_CHARACTERS_MAX + '"' == shown("a" * SHOWN_CHARACTERS_MAX)


# -- properties ------------------------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELD_NAMES = sorted(
    {name for data in DATA.values() for name in data} | {"x", "instances", "hardware", "instance_type"}
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good event with one or two things wrong: an attribute, a field, or bytes."""
    name = draw(st.sampled_from(sorted(DATA)))
    content = event(name)
    content["data"] = {**content["data"], **draw(st.dictionaries(st.sampled_from(FIELD_NAMES), VALUES, max_size=2))}
    if draw(st.booleans()):
        content[draw(st.sampled_from([*content, "recordedtime"]))] = draw(VALUES)
    raw = json.dumps(content).encode()
    if draw(st.booleans()):
        start = draw(st.integers(0, len(raw)))
        raw = raw[:start] + draw(st.binary(max_size=4)) + raw[start + draw(st.integers(0, 4)) :]
    return raw


LINES = st.lists(mutated() | st.binary(max_size=40) | st.sampled_from([line(event(name)) for name in DATA]), max_size=6)


@given(LINES)
def test_nothing_is_raised_and_nothing_is_lost(lines: list[bytes]) -> None:
    """Whatever comes, each record is an observation, ignored or rejected with a known reason."""
    decoded = decode(records(*lines), Rules())

    counted = len(decoded.observations) + len(decoded.rejected) + sum(decoded.ignored.values())
    assert len(lines) == counted
    assert {one.reason for one in decoded.rejected} <= set(REASONS)
    assert [one.value for one in decoded.records] == [fact.raw for fact in decoded.observations]
    assert all(one.sentence.isprintable() for one in decoded.rejected)


@given(LINES)
def test_a_batch_is_its_records(lines: list[bytes]) -> None:
    """A batch says of each record what that record alone would have been."""
    batch = records(*lines)
    together = decode(batch, Rules())

    alone = [decode([record], Rules()) for record in batch]
    assert [fact for one in alone for fact in one.observations] == together.observations
    assert [record for one in alone for record in one.records] == together.records
    assert [rejected for one in alone for rejected in one.rejected] == together.rejected


@given(LINES)
def test_what_was_accepted_reads_the_same_again(lines: list[bytes]) -> None:
    """Facts from the archive are the observations that went in: the books can be folded again."""
    accepted = decode(records(*lines), Rules()).observations

    assert accepted == decode_facts(fact.raw for fact in accepted)
    assert {fact.kind for fact in accepted} <= set(EVENT_TYPES.values())
