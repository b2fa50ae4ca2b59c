"""Random events that meet often: few tenants, allocations, sources, identities and instants, every type of fact.

`event_sets()` yields lists of structured CloudEvents in JSON, in no particular order. Nothing in them is later than
`LATEST_MS`, the instant at which two books made of the same set can be compared.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple, TypeVar

from hypothesis import strategies as st

BASE = datetime(2025, 1, 1, tzinfo=UTC)
SECONDS = (0, 10, 60, 600, 3_600, 5_000, 20_000)
LATEST_MS = int(BASE.timestamp() * 1_000) + 40_000_000

Item = TypeVar("Item")


def in_batches(items: Sequence[Item], chance: random.Random) -> list[list[Item]]:
    """The items shuffled, some of them twice or more, in batches of random size."""
    many = [*items, *chance.choices(items, k=chance.randint(0, len(items)))] if items else []
    chance.shuffle(many)
    batches = []
    while many:
        size = chance.randint(1, len(many))
        batches.append(many[:size])
        many = many[size:]
    return batches


counts = st.sampled_from((1, 1, 1, 2, 0.5, 0))
leases = st.sampled_from((0, 30, 600, 4_000))
hardware = st.sampled_from(("H100", "A100"))
LAYERS = st.sampled_from(("reservation", "reservation", "reservation", "node"))
traits = {"job": st.sampled_from(("j1", "j2")), "zone": st.just("z"), "nodes": st.sampled_from((["n2", "n1"], 7))}


def event(type: str, seconds: int, source: str, id: str, data: dict[str, object]) -> bytes:
    """One structured CloudEvent in JSON, `seconds` after the base instant."""
    time = (BASE + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    attributes = {"specversion": "1.0", "type": f"io.flopwatch.{type}.v1", "time": time, "source": source, "id": id}
    return json.dumps({**attributes, "data": data}).encode()


def _data(
    required: dict[str, object], optional: dict[str, object] | None = None
) -> st.SearchStrategy[dict[str, object]]:
    """A payload of fixed fields; every strategy in it draws, everything else stands as it is."""
    fixed = {
        name: value if isinstance(value, st.SearchStrategy) else st.just(value) for name, value in required.items()
    }
    return st.fixed_dictionaries(fixed, optional=optional or {})


_SHARE = st.sampled_from((0, 0.25, 1))
_HOSTILE = st.sampled_from((-1, "", None, 808_334_905, 9_223_372_036_854_775_794))
_COUNTRY = {"hq_country": st.sampled_from(("DE", "CN"))}


class World(NamedTuple):
    """Among what the events of one set choose: in a small world they meet more often."""

    tenants: int
    allocations: int
    regions: int
    sources: int
    identities: int

    def event(self, type: str, data: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[bytes]:
        """Events of one type."""
        return st.builds(event, st.just(type), st.sampled_from(SECONDS), self.source, self.identity, data)

    @property
    def source(self) -> st.SearchStrategy[str]:
        return st.sampled_from(("//cloud", "//slurm")[: self.sources])

    @property
    def identity(self) -> st.SearchStrategy[str]:
        return st.integers(1, self.identities).map(str)

    @property
    def region(self) -> st.SearchStrategy[str]:
        return st.sampled_from(("east", "west")[: self.regions])

    @property
    def tenant(self) -> dict[str, object]:
        return {"tenant": st.sampled_from(("amber", "basalt")[: self.tenants])}

    @property
    def subject(self) -> dict[str, object]:
        return {**self.tenant, "allocation": st.sampled_from(("x", "y", "z")[: self.allocations])}


worlds = st.builds(
    World,
    st.sampled_from((1, 1, 2)),
    st.sampled_from((1, 1, 2, 3)),
    st.sampled_from((1, 1, 2)),
    st.sampled_from((1, 2)),
    st.sampled_from((4, 12, 40, 40)),
)


def _started(world: World) -> st.SearchStrategy[bytes]:
    place = {"region": world.region, "fabric": st.sampled_from(("f1", "f2"))}
    anything = {**place, "within": world.subject["allocation"], "lease_seconds": leases, "layer": LAYERS, **traits}
    chips = {**world.subject, "accelerator": hardware, "count": counts}
    instances = {**world.subject, "instance_type": st.sampled_from(("p5.48xlarge", "m5.large")), "instances": counts}
    return world.event(
        "allocation.started",
        st.one_of(
            _data({**chips, "region": world.region}),
            _data(chips, anything),
            _data(world.subject, anything),
            _data(instances, place),
        ),
    )


def _seen(world: World) -> st.SearchStrategy[bytes]:
    named = _data({**world.subject, "accelerator": hardware}, {"count": counts, "lease_seconds": leases})
    plain = _data(world.subject, {"lease_seconds": leases})
    return world.event("allocation.seen", st.one_of(plain, plain, named, _data(world.subject, traits)))


def _described(world: World) -> st.SearchStrategy[bytes]:
    named = {"accelerator": hardware, "count": counts, "region": world.region, "within": world.subject["allocation"]}
    return world.event("allocation.described", _data(world.subject, {**named, "lease_seconds": leases, **traits}))


def _telemetry(world: World) -> st.SearchStrategy[bytes]:
    fields = {
        "window_seconds": st.sampled_from((10, 600, 5_000)),
        "observer": st.sampled_from(("provider", "provider", "tenant")),
    }
    optional = {
        "tensor_active": st.one_of(_SHARE, _HOSTILE),
        "sm_clock_mhz": st.one_of(st.just(1_410), _HOSTILE),
        "power_watts": st.one_of(st.just(400), _HOSTILE),
        "accelerators_covered": st.one_of(counts, st.just("")),
    }
    return world.event("telemetry.sampled", _data({**world.subject, **fields}, optional))


def _inventory(world: World) -> st.SearchStrategy[bytes]:
    held = st.lists(
        _data({**world.subject, "count": counts, "hardware": hardware}),
        max_size=4,
        unique_by=lambda entry: (entry["tenant"], entry["allocation"]),
    )
    fields = {"region": world.region, "allocations": held, "capacity": {"H100": 16}}
    complete = st.sampled_from((True, True, False))
    parts = st.sampled_from(({"part": 1, "parts": 1}, {"part": 1, "parts": 2}, {"part": 2, "parts": 2}))
    whole = _data({**fields, "complete": complete, "part": 1, "parts": 1})
    some = st.builds(lambda data, part: {**data, **part}, _data({**fields, "complete": complete}), parts)
    return world.event("inventory.reported", st.one_of(whole, some))


def _retracted(world: World) -> st.SearchStrategy[bytes]:
    def retraction(seconds: int, source: str, id: str, data: dict[str, object], retracted: str) -> bytes:
        retracts = {"source": source, "id": retracted}  # valid only from the source whose fact it retracts
        return event("fact.retracted", seconds, source, id, {**data, "retracts": retracts})

    data = _data({**world.tenant, "reason": st.sampled_from(("wrong", "a test"))})
    return st.builds(retraction, st.sampled_from(SECONDS), world.source, world.identity, data, world.identity)


def _aside(world: World) -> st.SearchStrategy[bytes]:
    """Facts that hold nothing."""
    reserved = {"reservation": "block", "accelerator": hardware, "count": counts, "state": "granted"}
    return st.one_of(
        world.event("source.alive", _data({"source": world.source, "sent": {"events 0": 3}})),
        world.event("tenant.profiled", _data({**world.tenant, "party": "p"}, _COUNTRY)),
        world.event("party.profiled", _data({"party": "p", **_COUNTRY})),
        world.event("reservation.changed", _data({**world.tenant, **reserved})),
    )


@cache
def _events(world: World) -> st.SearchStrategy[bytes]:
    started, seen, inventory = _started(world), _seen(world), _inventory(world)
    stopped = world.event("allocation.stopped", _data(world.subject, {"reason": st.just("done")}))
    resized = world.event("allocation.resized", _data({**world.subject, "count": counts}, traits))
    return st.one_of(
        started, started, started, stopped, stopped, seen, seen, resized, inventory, inventory,
        _telemetry(world), _retracted(world), _aside(world), _described(world),
    )  # fmt: skip


LAYERED = World(tenants=1, allocations=3, regions=1, sources=2, identities=40)


@cache
def _layered() -> st.SearchStrategy[list[bytes]]:
    """Three allocations within each other, mostly reservations, mostly ended, and now and then in a circle."""

    def life(name: str, outer: str | None, layer: str, times: Sequence[int], end: bool) -> list[bytes]:
        data: dict[str, object] = {"tenant": "amber", "allocation": name}
        held = {**data, "accelerator": "H100", "layer": layer, **({} if outer is None else {"within": outer})}
        start, stop = times
        begun = event("allocation.started", start, "//cloud", f"begin {name}", held)
        return [begun, event("allocation.stopped", stop, "//cloud", f"end {name}", data)] if end else [begun]

    spans = st.lists(st.sampled_from(SECONDS), min_size=2, max_size=2).map(sorted)
    lives = [
        st.builds(life, st.just(name), outer, LAYERS, spans, st.sampled_from((True, True, False)))
        for name, outer in (("x", st.sampled_from((None, None, "z"))), ("y", st.just("x")), ("z", st.just("y")))
    ]
    return st.builds(lambda *parts: [one for part in parts for one in part], *lives)


def event_sets(most: int = 14) -> st.SearchStrategy[list[bytes]]:
    """Sets of up to `most` events, each a structured CloudEvent in JSON; of layers now and then."""
    anything = worlds.flatmap(lambda world: st.lists(_events(world), max_size=most))
    more = st.lists(_events(LAYERED), max_size=max(most - 6, 0))
    return st.one_of(anything, anything, st.builds(lambda layers, others: layers + others, _layered(), more))
