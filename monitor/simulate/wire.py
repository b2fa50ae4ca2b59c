"""Simulated events as canonical lines: one structured CloudEvent in compact JSON each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from random import Random

from monitor.core.model import DAY_MS, EVENT_TYPES, Kind

TYPE_OF: Mapping[int, str] = {kind.value: name for name, kind in EVENT_TYPES.items()}
ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


@lru_cache(maxsize=64)
def _day(days: int) -> str:
    return datetime.fromtimestamp(days * DAY_MS // 1000, UTC).strftime("%Y-%m-%dT")


def instant(time: int) -> str:
    """Milliseconds since 1970 as RFC 3339 in UTC."""
    days, rest = divmod(time, DAY_MS)
    seconds, milliseconds = divmod(rest, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_day(days)}{hour:02d}:{minute:02d}:{second:02d}.{milliseconds:03d}Z"


def random_id(rng: Random) -> str:
    """An id that looks like a random UUID."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def line(kind: Kind, id: str, source: str, time: int, subject: str, data: Mapping[str, object]) -> bytes:
    """One event as a line, newline included; `time` in milliseconds since 1970."""
    # The envelope is written by hand, for speed: our own ids and names hold nothing that JSON escapes.
    return (
        f'{{"specversion":"1.0","id":"{id}","source":"{source}","type":"{TYPE_OF[kind.value]}",'
        f'"time":"{instant(time)}","subject":"{subject}","datacontenttype":"application/json","data":{ENCODE(data)}}}\n'
    ).encode()
