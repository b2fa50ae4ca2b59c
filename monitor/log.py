"""Structured logs on standard error: one JSON object a line, from an allow-list of fields.

Logs travel further than books: into other systems, other hands, other countries. So a field that is not on the list is
dropped, never masked; a tenant appears as an opaque reference only; names never do. What an event is called is a
constant in our code; values that came from outside are kept short and free of control characters.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, WrappedLogger

from monitor.clock import Clock

# Field -> what it holds. No field holds text of an event, a name of a person or company, or a raw tenant.
FIELDS: Mapping[str, str] = {
    "event": "what happened: a constant of the code",
    "level": "debug, info, warning or error",
    "time": "when it was logged, RFC 3339 in UTC",
    "tenant": "the first 12 hexadecimal digits of the SHA-256 of the tenant's id",
    "topic": "where records come from: a topic or a file",
    "partition": "of that topic",
    "offset": "the position reached in it",
    "flag": "the opaque id of a flag",
    "rule": "the id of a policy's rule",
    "severity": "the level of a flag",
    "act": "what happened to a flag",
    "reason": "one word of a closed set",
    "problem": "a sentence of a MonitorError: for operators, about our own files and settings",
    "as_of": "the instant of an evaluation, milliseconds since 1970",
    "clock": "the clock of a partition, milliseconds since 1970",
    "accepted": "a number of facts",
    "duplicate": "a number of facts",
    "rejected": "a number of records",
    "records": "a number of records",
    "changes": "a number of changes of flags",
    "cases": "a number of cases",
    "notices": "a number of notices",
    "entries": "a number of entries of a list",
    "sink": "a receiver of notices, as the settings call it",
    "message": "the opaque id of a message",
    "list": "a screening list, as the settings call it",
    "tenants": "a number of tenants",
    "partitions": "a number of partitions",
    "intervals": "a number of stretches of time for which facts may be missing",
    "seconds": "how long something took or will take",
    "host": "the address that we listen on",
    "port": "the port that we listen on",
    "version": "of this program",
    "request": "the random id of a request to the console",
    "place": "file and line of our own code",
}
VALUE_CHARACTERS_MAX = 500
REFERENCE_DIGITS = 12

# Control characters, line and paragraph separators, and the marks that turn the direction of text around.
_UNSAFE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff\\ud800-\\udfff]")

Log = FilteringBoundLogger


def tenant_reference(tenant: str) -> str:
    """The opaque reference of a tenant, the same everywhere."""
    return hashlib.sha256(tenant.encode("utf-8", "surrogatepass")).hexdigest()[:REFERENCE_DIGITS]


def build_log(level: str, clock: Clock, stream: TextIO | None = None) -> Log:
    """A log that writes to `stream` (standard error if not given) from `level` on: debug, info, warning or error."""

    def stamp(_logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["time"] = _rfc_3339(clock.now_ms())
        return event

    log: Log = structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr if stream is None else stream),
        processors=[structlog.processors.add_log_level, stamp, _only_allowed, _render],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
    )
    return log


def _rfc_3339(at_ms: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _only_allowed(_logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop every field that is not on the list, and make what stays safe."""
    allowed: dict[str, Any] = {}
    for name in FIELDS:
        if name in event:
            value = event[name]
            allowed[name] = tenant_reference(str(value)) if name == "tenant" else _safe(value)
    return allowed


def _safe(value: object) -> object:
    """Numbers and truths as they are; everything else as short text on one line."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return _UNSAFE.sub(" ", str(value)[:VALUE_CHARACTERS_MAX])


def _render(_logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]) -> str:
    return json.dumps(dict(event), ensure_ascii=False)
