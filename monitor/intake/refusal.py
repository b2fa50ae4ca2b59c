"""Why a record is no fact: one word of a closed set for metrics, one sentence for the person who mends the producer.

Only records that failed the fast path come here, so this may take its time, but not for ever: all work is linear in the
bytes of the record.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json

from monitor.core.model import EVENT_TYPES
from monitor.intake.canonical import (
    CANONICAL,
    COUNT_MAX,
    LEASE_SECONDS_MAX,
    NAME_CHARACTERS_MAX,
    PARTS_MAX,
    WINDOW_SECONDS_MAX,
)

OWN_PREFIX = "io.flopwatch."
SHOWN_CHARACTERS_MAX = 60

Reason = Literal["bytes_limit", "encoding", "json", "envelope", "type", "time", "field", "source"]
REASONS: tuple[Reason, ...] = ("bytes_limit", "encoding", "json", "envelope", "type", "time", "field", "source")
# Of facts that are as they must be, but came where the books that they belong to cannot be.
MISROUTED = ("wrong_topic", "wrong_key", "other_partition")


class Refusal(NamedTuple):
    """A record, or something in it, is not as it must be."""

    reason: Reason
    sentence: str


class Ignored(NamedTuple):
    """An event of a type that is none of ours: counted, never rejected."""

    type: str


_NAME = f"text of 1 to {NAME_CHARACTERS_MAX:,} characters without NUL"
_TIME = "an RFC 3339 time with zone from 2010 to 2100, such as 2026-03-01T12:00:00Z"
_COUNT = f"a number from 0 to {COUNT_MAX:,}"
_COUNTRY = "two letters, an ISO 3166-1 alpha-2 country"
_DAY = "a day such as 2026-03-01"

# What a field must be, by its name; the rest follows from what pydantic says.
_EXPECTED = {
    "specversion": 'the text "1.0"',
    "time": _TIME,
    "recordedtime": _TIME,
    "verified_at": _TIME,
    "data": "an object with the fields of the event's type",
    "count": _COUNT,
    "instances": _COUNT,
    "capacity": "an object of hardware names and counts",
    "share": "a number from 0 to 1, or null where it is not known",
    "lease_seconds": f"a number of seconds from 0 to {LEASE_SECONDS_MAX:,}",
    "window_seconds": f"a number of seconds above 0 and up to {WINDOW_SECONDS_MAX:,}",
    "part": f"a whole number from 1 to {PARTS_MAX:,}",
    "parts": f"a whole number from 1 to {PARTS_MAX:,}",
    "hq_country": _COUNTRY,
    "incorporation_country": _COUNTRY,
    "billing_country": _COUNTRY,
    "access_countries": "a list of ISO 3166-1 alpha-2 countries, two letters each",
    "incorporated_on": _DAY,
    "from": f"{_TIME}, or {_DAY} in an owner",
    "to": f"{_TIME}, or {_DAY} in an owner",
    "control": "true, false or what kind of control it is",
    "sent": "an object of topic partitions and whole numbers of events",
}
_BY_ERROR = {
    "list_type": "a list",
    "dict_type": "an object",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
}
_TIMES = ("time", "recordedtime")


def explain(raw: bytes) -> Refusal | Ignored:
    """Why `raw`, which did not validate as a canonical event, is none."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        return Refusal("encoding", f"Byte {problem.start} of the record is not UTF-8; send events as UTF-8.")
    try:
        event = from_json(raw)
    except ValueError as problem:
        return Refusal("json", f"The record is not JSON: {shown(str(problem), quote=False)}; send one event a record.")
    if not isinstance(event, dict):
        return Refusal("json", f"The record is {shown(event)}; expected one event, a JSON object.")
    name = event.get("type")
    if not isinstance(name, str) or not name:
        what = f"is {shown(name)}" if "type" in event else "is missing"
        return Refusal(
            "envelope", f"type {what}; expected the name of an event type, such as {next(iter(EVENT_TYPES))}."
        )
    if not name.startswith(OWN_PREFIX):
        return Ignored(shown(name, quote=False))
    if name not in EVENT_TYPES:
        return Refusal("type", f"type is {shown(name)}; expected one of the types of the event contract.")
    return _first_problem(raw)


def _first_problem(raw: bytes) -> Refusal:
    try:
        CANONICAL.validate_json(raw)
    except ValidationError as problem:
        error = problem.errors(include_url=False, include_context=False)[0]
        return _refusal(error)
    raise AssertionError("A record that validates was given to be explained.")


def _refusal(error: ErrorDetails) -> Refusal:
    location = error["loc"][1:]  # the first is the type, by which the form was chosen
    top = str(location[0])
    reason: Reason = "time" if top in _TIMES else "field" if top == "data" and len(location) > 1 else "envelope"
    where = path(location)
    if error["type"] == "missing":
        return Refusal(reason, f"{where} is missing; every event of this type must have it.")
    return Refusal(reason, f"{where} is {shown(error['input'])}; expected {_expected(location, error)}.")


def _expected(location: Sequence[int | str], error: ErrorDetails) -> str:
    names = [part for part in location if isinstance(part, str)]
    if "capacity" in names[:-1]:
        return _COUNT if error["type"] != "string_too_short" else _NAME
    for name in reversed(names[-2:]):
        if name in _EXPECTED and (name != "data" or len(location) == 1):
            return _EXPECTED[name]
    if error["type"] == "literal_error":
        return error["msg"].removeprefix("Input should be ")
    return _BY_ERROR.get(error["type"], _NAME)


def path(location: Sequence[int | str]) -> str:
    """Where a value is: data.allocations[3].count."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        if part == "control":  # what follows names the forms that were tried
            break
    return shown(text, quote=False)


def shown(value: Any, quote: bool = True) -> str:
    """A value for a sentence: as JSON writes it, shortened, control characters escaped."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    if isinstance(value, dict):
        return f"an object of {len(value):,} fields"
    text = value if isinstance(value, str) else json.dumps(value)
    escaped = text[: SHOWN_CHARACTERS_MAX + 1]
    if not escaped.isprintable():
        escaped = "".join(map(_escaped, escaped))
    if len(escaped) > SHOWN_CHARACTERS_MAX:
        escaped = escaped[: SHOWN_CHARACTERS_MAX - 1] + "…"
    return f'"{escaped}"' if quote and isinstance(value, str) else escaped


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
