"""Facts as a text table, one a line, and what the books make of them as another.

    0   start x accelerator=H100 count=2 lease=30
    60  seen x
    90  report east x=2 y=1 capacity=16

A line is: seconds after the base instant, what happened, to whom, and the fields of the payload. Tenant, source and id
may be given (`tenant=`, `source=`, `id=`); otherwise they are `t`, `s` and the number of the line, from 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitor.core.book import Book
from monitor.core.engine import hearing
from monitor.core.estimate import totals
from monitor.core.facts import effective
from monitor.core.inventory import statements
from monitor.core.model import SECOND_MS, Key
from monitor.core.timeline import Effects, Timeline, fold, tail
from monitor.intake.decode import decode_facts
from monitor.run.apply import take_in
from monitor.store.memory import MemoryArchive
from tests.core.facts_strategy import BASE, event

BASE_MS = int(BASE.timestamp() * SECOND_MS)
TYPES = {
    "start": "allocation.started",
    "resize": "allocation.resized",
    "stop": "allocation.stopped",
    "seen": "allocation.seen",
    "describe": "allocation.described",
    "telemetry": "telemetry.sampled",
    "report": "inventory.reported",
    "retract": "fact.retracted",
    "alive": "source.alive",
    "profile": "tenant.profiled",
    "party": "party.profiled",
}
SHORT = {
    "lease": "lease_seconds",
    "window": "window_seconds",
    "active": "tensor_active",
    "clock": "sm_clock_mhz",
    "covered": "accelerators_covered",
}
REPORT_FIELDS = {"complete", "capacity", "part", "parts", "hardware"}


def seconds(text: str) -> list[int]:
    """The instants of the lines of a table."""
    return [int(line.split()[0]) for line in rows(text)]


def rows(text: str) -> list[str]:
    """The lines of a table, without blank ones and surrounding blanks."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def events(text: str) -> list[bytes]:
    """The events of a table, each as a structured CloudEvent in JSON."""
    return [_event(number, line) for number, line in enumerate(rows(text), 1)]


def _event(number: int, line: str) -> bytes:
    at, word, *rest = line.split()
    subject = [part for part in rest if "=" not in part]
    fields: dict[str, object] = {
        name: _value(text) for name, text in (part.split("=", 1) for part in rest if "=" in part)
    }
    tenant, source, id = (
        str(fields.pop(name, default)) for name, default in (("tenant", "t"), ("source", "s"), ("id", number))
    )
    named = subject[0] if subject else ""
    data: dict[str, object]
    if word == "report":
        data = _report(tenant, named, fields)
    elif word == "retract":
        data = {"tenant": tenant, "retracts": {"source": source, "id": named}, "reason": "it was wrong"}
    elif word == "alive":
        data = {"source": named, "sent": {}}
    elif word in ("profile", "party"):
        basis = fields.pop("basis", None)
        data = {"tenant": tenant, **({"party": named} if named else {}), **fields}
        if basis is not None:  # of every field of the line
            data["basis"] = dict.fromkeys(data.keys() - {"tenant"}, basis)
    else:
        data = {
            "tenant": tenant,
            "allocation": named,
            **{SHORT.get(name, name): value for name, value in fields.items()},
        }
    return event(TYPES[word], int(at), source, id, data)


def _report(tenant: str, region: str, fields: Mapping[str, object]) -> dict[str, object]:
    hardware = fields.get("hardware", "H100")
    held = [
        {"tenant": tenant, "allocation": name, "count": count, "hardware": hardware}
        for name, count in fields.items()
        if name not in REPORT_FIELDS
    ]
    return {
        "region": region,
        "allocations": held,
        "complete": fields.get("complete", "yes") == "yes",
        "capacity": {str(hardware): fields.get("capacity", 16)},
        "part": fields.get("part", 1),
        "parts": fields.get("parts", 1),
    }


def _value(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


class Taken:
    """A book that took in the facts of some tables, with a commit after each table."""

    def __init__(self, *tables: str, closed_resident_max: int = 1_000, lateness_ms: int = 3_600_000) -> None:
        self.book = Book(lateness_ms, closed_resident_max)
        self.archive = MemoryArchive()
        self.restatements: list[str] = []
        self.conservation: list[str] = []
        for table in tables:
            self.take(events(table))

    def take(self, lines: Iterable[bytes]) -> None:
        """Take in a batch of events, and commit."""
        facts = decode_facts(lines)
        take_in(self.book, self.archive, facts, [None] * len(facts))
        moved = self.book.drain()
        self.archive.commit(moved)
        self.restatements += [
            f"{one.allocation} by {one.id} at {_s(one.fact_time)}: certain {one.certain_before // 1_000_000} -> "
            f"{one.certain_after // 1_000_000}, open {one.open_before // 1_000_000} -> {one.open_after // 1_000_000}"
            for one in moved.restatements
        ]
        self.conservation += [
            f"{_s(one.time)} {one.region} {one.hardware}: {one.attributed // 1000} + {one.unattributed // 1000} + "
            f"{one.idle // 1000} = {one.capacity // 1000}, surplus {one.surplus // 1000}, "
            f"{'holds' if one.holds else 'fails'} {','.join(key[1] for key in one.allocations)}".strip()
            for one in moved.conservation
        ]

    def folded(self, key: Key) -> tuple[Timeline, Effects]:
        """An allocation's timeline and all its pieces."""
        history = decode_facts(self.archive.histories(self.archive.heads([key])).get(key, []))
        counting = effective(history, self.book.tenants[key[0]].retracted)
        return fold([*counting, *statements(self.book.regions, key, counting)])

    def held(self, now: int, allocation: str = "x", tenant: str = "t") -> list[str]:
        """What an allocation held up to `now` (seconds): start, end, class, count and hardware, a line each."""
        timeline, effects = self.folded((tenant, allocation))
        lines = [
            _line(piece.start, piece.end, "certain" if piece.certain else "open", piece.count, piece.shape.hardware)
            for piece in effects.pieces
        ]
        now_ms = BASE_MS + now * SECOND_MS
        for usage_class, start, end in tail(timeline, now_ms, hearing(self.book, now_ms)):
            if timeline.units:
                lines.append(_line(start, end, usage_class, timeline.units, timeline.shape.hardware))
        return lines

    def usage(self, now: int) -> list[str]:
        """Usage of everything up to `now` (seconds) in accelerator-seconds: tenant, shape and classes, a line each."""
        now_ms = BASE_MS + now * SECOND_MS
        heard = hearing(self.book, now_ms)
        return sorted(
            " ".join(
                [
                    name,
                    *(part or "?" for part in shape[:3]),
                    *sorted(f"{word}={_number(amount, 10**6)}" for word, amount in by_class.items()),
                ]
            )
            for name, tenant in self.book.tenants.items()
            for shape, by_class in totals(tenant, now_ms, heard).items()
        )

    def anomalies(self, allocation: str = "x", tenant: str = "t") -> list[str]:
        """What contradicts itself in an allocation's facts."""
        return [f"{_s(one.time)} {one.kind}" for one in self.folded((tenant, allocation))[1].anomalies]

    def measured(self, allocation: str = "x", tenant: str = "t") -> list[str]:
        """What the provider measured: start, end, count, activity in ppm and clock in kHz, a line each."""
        return [
            f"{_s(one.start)} {_s(one.end)} {_number(one.count, 1000)} {one.active_ppm} {one.clock_khz or '?'}"
            for one in self.folded((tenant, allocation))[1].measurements
        ]


def _line(start: int, end: int, usage_class: str, count: int, hardware: str | None) -> str:
    return f"{_s(start)} {_s(end)} {usage_class} {_number(count, 1_000)} {hardware or '?'}"


def _s(instant: int) -> str:
    return _number(instant - BASE_MS, SECOND_MS)


def _number(amount: int, scale: int) -> str:
    """An exact quotient as people write it."""
    return f"{amount / scale:g}" if amount % scale else str(amount // scale)
