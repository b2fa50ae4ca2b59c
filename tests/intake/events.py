"""Canonical events for tests: a good one of each type, to be changed in one place."""

from __future__ import annotations

import json
from typing import Any

from monitor.core.model import Record

DATA: dict[str, dict[str, Any]] = {
    "allocation.started.v1": {
        "tenant": "acme", "allocation": "job-1", "accelerator": "H100 SXM 80GB", "count": 8, "region": "eu-1",
        "fabric": "f-1", "within": "pool", "lease_seconds": 90, "layer": "job", "kind": "customer", "account": "a-1",
    },
    "allocation.resized.v1": {"tenant": "acme", "allocation": "job-1", "count": 0.5},
    "allocation.stopped.v1": {"tenant": "acme", "allocation": "job-1", "reason": "done"},
    "allocation.seen.v1": {"tenant": "acme", "allocation": "job-1"},
    "allocation.described.v1": {"tenant": "acme", "allocation": "job-1", "instance_type": "p5.48xlarge"},
    "reservation.changed.v1": {
        "tenant": "acme", "reservation": "r-1", "accelerator": "H100 SXM 80GB", "count": 512,
        "from": "2026-06-01T00:00:00Z", "to": "2026-09-01T00:00:00Z", "state": "granted",
    },
    "telemetry.sampled.v1": {
        "tenant": "acme", "allocation": "job-1", "window_seconds": 60, "observer": "provider",
        "accelerators_covered": 8, "tensor_active": 0.41, "sm_clock_mhz": 1755, "power_watts": 612.5,
    },
    "tenant.profiled.v1": {
        "tenant": "acme", "party": "p-1", "legal_name": "Acme Ltd", "hq_country": "gb",
        "access_countries": ["GB", "hk"], "identifiers": {"lei": "529900T8BM49AURSDO55"},
        "verified_at": "2026-02-01T00:00:00Z", "basis": {"hq_country": "documented", "payer": "claimed"},
    },
    "party.profiled.v1": {
        "party": "p-1", "names": ["Acme Ltd"], "hq_country": "GB",
        "owners": [{"party": "p-2", "share": 0.4, "control": True, "from": "1999-01-31", "source": "registry"}],
        "basis": {"owners": "registry"},
    },
    "inventory.reported.v1": {
        "region": "eu-1", "complete": True, "part": 1, "parts": 2, "capacity": {"H100 SXM 80GB": 64},
        "allocations": [{"tenant": "acme", "allocation": "job-1", "count": 8, "hardware": "H100 SXM 80GB"}],
    },
    "source.alive.v1": {"source": "/sim/eu-1", "sent": {"tenant/0": 17}},
    "fact.retracted.v1": {
        "tenant": "acme", "retracts": {"source": "/sim/eu-1", "id": "e-0"}, "reason": "sent by mistake",
    },
}  # fmt: skip
TIME = "2026-03-01T12:00:00.250Z"
TIME_MS = 1_772_366_400_250
ABSENT = object()


def event(name: str = "allocation.started.v1", /, **attributes: Any) -> dict[str, Any]:
    """A good event of a type with other attributes; ABSENT takes one away."""
    made = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/sim/eu-1",
        "type": f"io.flopwatch.{name}",
        "time": TIME,
        "subject": "job-1",
        "datacontenttype": "application/json",
        "data": DATA[name],
        **attributes,
    }
    return {key: value for key, value in made.items() if value is not ABSENT}


def with_data(name: str = "allocation.started.v1", /, **fields: Any) -> dict[str, Any]:
    """A good event of a type with other fields in its data; ABSENT takes one away."""
    data = {key: value for key, value in {**DATA[name], **fields}.items() if value is not ABSENT}
    return event(name, data=data)


def line(content: object) -> bytes:
    """As producers write it."""
    return content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()


def records(*contents: object, received: int | None = None) -> list[Record]:
    """One record for each event or line."""
    return [Record("events", 0, place, place + 1, line(one), received) for place, one in enumerate(contents)]
