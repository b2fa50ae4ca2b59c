"""What every dialect has in common: what a foreign record becomes, and how a canonical event is made of it.

A dialect is one module with a function `translate(raw, options)`. It keeps no state: what one record says of an
allocation and another does not is joined in the books. Whatever comes, it raises nothing: a record becomes events, is
ignored because it says nothing of accelerators held, or is refused with a reason and a sentence.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from monitor.intake.canonical import COUNT_MAX, NAME_CHARACTERS_MAX, instant_ms
from monitor.intake.refusal import Ignored, Refusal, shown

Event = dict[str, Any]  # one canonical event, structured mode; `line` writes it

PREFIX = "io.flopwatch."
STARTED = PREFIX + "allocation.started.v1"
RESIZED = PREFIX + "allocation.resized.v1"
STOPPED = PREFIX + "allocation.stopped.v1"
SEEN = PREFIX + "allocation.seen.v1"
DESCRIBED = PREFIX + "allocation.described.v1"  # what it is, by whom was asked for it; it holds nothing by itself
RESERVATION = PREFIX + "reservation.changed.v1"
TELEMETRY = PREFIX + "telemetry.sampled.v1"
RETRACTED = PREFIX + "fact.retracted.v1"
CONTROL_TYPES = frozenset({PREFIX + "inventory.reported.v1", PREFIX + "source.alive.v1", PREFIX + "party.profiled.v1"})

_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]((?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:[.][0-9]{1,30})?)"
    r"([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
)


class Options(NamedTuple):
    """What the operator says of one topic or file of foreign records.

    `source` is the beginning of `source` of every event made of it. With `tenant` all that it names (projects,
    namespaces, Slurm accounts) are accounts of that one tenant; else each is a tenant. `within` is the name of the
    outer allocation of whatever it tells of, `{node}` in it the first node's name up to the first dot. `zone` is the
    time zone, by its IANA name, of times without one. `lease_seconds`: how long a sign of life is good for. `received`
    is when the record came, RFC 3339 with zone, for what tells no time itself, such as a scrape; None: nobody knows.
    """

    source: str
    tenant: str | None = None
    within: str | None = None
    zone: str = "UTC"
    lease_seconds: int | None = None
    received: str | None = None


class Translated(NamedTuple):
    """What became of one foreign record: events, or one word or sentence on why there are none."""

    what: str  # for people: the verb and what it is about
    outcome: tuple[Event, ...] | Ignored | Refusal


def parsed(raw: bytes) -> Any | Refusal:
    """The value of a JSON document, or why it is none. Nesting beyond 200 levels, NaN and infinity are refused."""
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError as problem:
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError as encoding:
            return Refusal("encoding", f"Byte {encoding.start} of the record is not UTF-8; send records as UTF-8.")
        return Refusal("json", f"The record is not JSON: {shown(str(problem), quote=False)}.")


def event(kind: str, identity: tuple[str, str], time: str, tenant: str, **data: Any) -> Event | Refusal:
    """A canonical event of `identity` (source, id); fields that are None are left out. `time` is RFC 3339 with zone."""
    named = (*identity, tenant, *(value for value in data.values() if isinstance(value, str)))
    for name in named:
        if not 0 < len(name) <= NAME_CHARACTERS_MAX or "\0" in name:
            return Refusal(
                "field", f"{shown(name)} is no name; expected text of 1 to {NAME_CHARACTERS_MAX:,} characters."
            )
    source, id = identity
    kept = {name: value for name, value in {"tenant": tenant, **data}.items() if value is not None}
    return {"specversion": "1.0", "id": id, "source": source, "type": kind, "time": time, "data": kept}


def line(made: Event) -> bytes:
    """The event as one line of JSON, newline included."""
    return to_json(made) + b"\n"


def text(record: object, *path: str) -> str | None:
    """The text that is not empty at a path of keys; None where there is none, or something else."""
    value = at(record, *path)
    return value if isinstance(value, str) and value else None


def at(record: object, *path: str) -> Any:
    """What is at a path of keys; None where there is nothing."""
    for key in path:
        if not isinstance(record, dict):  # asking for a Mapping would take longer than the rest
            return None
        record = record.get(key)
    return record


def instant(value: object) -> str | Refusal:
    """A time of a record as RFC 3339 with zone, every digit kept; UTC where it names no zone. Refused: no such time."""
    matched = _TIME.fullmatch(value) if isinstance(value, str) else None
    if matched is not None:
        day, clock, zone = matched.groups()
        time = f"{day}T{clock}{zone or 'Z'}"
        try:
            instant_ms(time)
            return time
        except ValueError:
            pass  # no such day, or a year that cannot be: refused as what is no time at all
    return Refusal("time", f"The time is {shown(value)}; expected one from 2010 to 2100, such as 2026-03-01T12:00:00Z.")


def whole(value: object) -> int | None:
    """A number of accelerators or instances, as JSON writes whole numbers or as text; None: it is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(COUNT_MAX)):
        value = int(value)
    return value if type(value) is int and 0 <= value <= COUNT_MAX else None  # true is no number


def outer(options: Options, node: str | None) -> str | None:
    """The outer allocation that the operator names, or None: none, or it goes by the node and that is not known."""
    if options.within is None or "{node}" not in options.within:
        return options.within
    return None if node is None else options.within.replace("{node}", node.partition(".")[0])


def together(*made: Event | Refusal) -> tuple[Event, ...] | Refusal:
    """The events of one record, or why one of them is none: a record counts whole or not at all."""
    events = tuple(one for one in made if not isinstance(one, Refusal))
    return events if len(events) == len(made) else next(one for one in made if isinstance(one, Refusal))
