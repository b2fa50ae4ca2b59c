"""Tests of the simulator: its events keep the contract, and its truth is what a plain recount of them gives."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from monitor.reference.catalogue import load_catalogue
from monitor.simulate.faults import with_faults
from monitor.simulate.hardware import ALL, Hardware, number
from monitor.simulate.scenarios import SCENARIOS, START, STITCHING, simulate
from monitor.simulate.wire import instant

ROOT = Path(__file__).resolve().parents[2]
ENVELOPE = {"specversion", "id", "source", "type", "time", "subject", "datacontenttype", "data"}
# The contract's table of types: the fields that data must have, and those that it may have.
FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "allocation.started": (
        {"tenant", "allocation", "region"},
        {"accelerator", "count", "instance_type", "instances", "account", "zone", "fabric", "network_gbit_s", "layer"}
        | {"within", "kind", "on_behalf_of", "reservation", "job", "image_digest", "nodes", "purpose", "lease_seconds"},
    ),
    "allocation.resized": ({"tenant", "allocation"}, {"count", "instances"}),
    "allocation.stopped": ({"tenant", "allocation"}, {"reason"}),
    "allocation.seen": ({"tenant", "allocation"}, {"lease_seconds"}),
    "reservation.changed": ({"tenant", "reservation", "accelerator", "count", "from", "to", "state"}, set()),
    "telemetry.sampled": (
        {"tenant", "allocation", "window_seconds", "observer", "accelerators_covered"},
        {"tensor_active", "sm_active", "gpu_util", "dram_active", "sm_clock_mhz", "power_watts"},
    ),
    "tenant.profiled": (
        {"tenant", "basis"},
        {"party", "legal_name", "aliases", "hq_country", "incorporation_country", "billing_country"}
        | {"contact_domain", "declared_use", "payment_class", "verified_at", "payer", "organisation", "reseller_of"},
    ),
    "party.profiled": ({"party", "names", "hq_country", "incorporation_country", "basis"}, {"owners"}),
    "inventory.reported": ({"region", "allocations", "complete", "capacity", "part", "parts"}, set()),
    "source.alive": ({"source", "sent"}, set()),
}
OF_RUNS = ["demo", "honest", "frontier", "split"]
UNITS: dict[str, Hardware] = {hardware.named: hardware for hardware in ALL}


def verb(event: dict[str, Any]) -> str:
    return str(event["type"]).removeprefix("io.flopwatch.").removesuffix(".v1")


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@cache
def played(scenario: str) -> tuple[tuple[bytes, ...], dict[str, Any]]:
    simulation = simulate(scenario)
    told = tuple(simulation.events())
    return told, simulation.truth


def lines(scenario: str) -> tuple[bytes, ...]:
    return played(scenario)[0]


def truth(scenario: str) -> dict[str, Any]:
    return played(scenario)[1]


@cache
def events(scenario: str) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(line) for line in lines(scenario))


def digest(some: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(some)).hexdigest()


class Recount:
    """What start, resize and stop events say, counted the plain way."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], tuple[str, Hardware, int, int]] = {}  # region, hardware, thousandths, since
        self.used: Counter[tuple[str, str]] = Counter()  # (tenant, accelerator)
        self.used_by: Counter[tuple[str, str]] = Counter()  # (tenant, allocation)

    def take(self, event: dict[str, Any]) -> None:
        data, now = event["data"], milliseconds(event["time"])
        kind = verb(event)
        if kind not in {"allocation.started", "allocation.resized", "allocation.stopped"}:
            return
        key = (data["tenant"], data["allocation"])
        if kind == "allocation.started":
            assert key not in self.held, f"{key} is started twice"
            hardware = UNITS[data.get("accelerator") or data["instance_type"]]
            self.held[key] = (data["region"], hardware, units(data), now)
            return
        region, hardware, _, _ = self.settle(key, now)
        if kind == "allocation.resized":
            self.held[key] = (region, hardware, units(data), now)
        else:
            del self.held[key]

    def settle(self, key: tuple[str, str], now: int) -> tuple[str, Hardware, int, int]:
        region, hardware, thousandths, since = self.held[key]
        accelerator_us = thousandths * hardware.per_unit * (now - since) // 1000
        self.used[key[0], hardware.accelerator] += accelerator_us
        self.used_by[key] += accelerator_us
        return region, hardware, thousandths, since

    def finish(self, now: int) -> None:
        for key in self.held:
            self.settle(key, now)


def units(data: dict[str, Any]) -> int:
    count: float = data["instances"] if "instances" in data else data["count"]
    return round(1000 * count)


@cache
def recounted(scenario: str) -> Recount:
    recount = Recount()
    for event in events(scenario):
        recount.take(event)
    recount.finish(milliseconds(events(scenario)[-1]["time"]))
    return recount


FLEETS = sorted(name for name in SCENARIOS if name.removesuffix("-bare") not in STITCHING)  # others: test_stitching.py
SMALL = sorted(set(FLEETS) - {"steady", "heartbeats", "population"})  # test_population.py has the last


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_scenario_is_described(scenario: str) -> None:
    """Each scenario says in one sentence what it is."""
    description = SCENARIOS[scenario].description

    assert description[0].isupper()
    assert description.endswith(".")
    assert 1 == description.count(".")


@pytest.mark.parametrize("scenario", SMALL)
def test_events_keep_the_contract(scenario: str) -> None:
    """Every line is one structured event with the fields of its type, and no other."""
    for line, event in zip(lines(scenario), events(scenario), strict=True):
        needed, allowed = FIELDS[verb(event)]
        named = set(event["data"])
        assert line.endswith(b"}\n")
        assert set(event) == ENVELOPE
        assert event["specversion"] == "1.0"
        assert needed <= named, (needed - named, event)
        assert named <= needed | allowed, (named - needed - allowed, event)


def test_demo_uses_every_type() -> None:
    """The demo shows every type of the contract that a fleet without errors sends."""
    assert set(FIELDS) == {verb(event) for event in events("demo")}


@pytest.mark.parametrize("scenario", SMALL)
def test_events_are_in_order(scenario: str) -> None:
    """No event is earlier than the one before it."""
    times = [milliseconds(event["time"]) for event in events(scenario)]

    assert times == sorted(times)


@pytest.mark.parametrize("scenario", SMALL)
def test_ids_are_unique(scenario: str) -> None:
    """No two events have one identity."""
    identities = Counter((event["source"], event["id"]) for event in events(scenario))

    assert [] == [identity for identity, times in identities.items() if times > 1]


@pytest.mark.parametrize("scenario", SMALL)
def test_no_instant_is_shared(scenario: str) -> None:
    """No allocation has two events at one instant, and nothing of a tenant happens when a report is made."""
    instants = Counter(
        (event["data"]["tenant"], event["data"]["allocation"], event["time"])
        for event in events(scenario)
        if "allocation" in event["data"]
    )
    reports = {event["time"] for event in events(scenario) if verb(event) == "inventory.reported"}

    assert [] == [one for one, times in instants.items() if times > 1 or one[2] in reports]


@pytest.mark.parametrize("scenario", FLEETS)
def test_same_seed_same_bytes(scenario: str) -> None:
    """A seed gives the same bytes whenever it is played, and another seed gives others."""
    first = [digest(islice(simulate(scenario, seed=seed).events(), 5_000)) for seed in (1, 1, 2)]

    assert first[0] == first[1]
    assert first[0] != first[2]


def test_processes_agree() -> None:
    """Another process, with another order of hashes, makes the same bytes."""
    program = (
        "import hashlib; from monitor.simulate.scenarios import simulate; "
        "print(hashlib.sha256(b''.join(simulate('quiet').events())).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert digest(lines("quiet")) == other.stdout.strip()


def test_events_can_be_played_again() -> None:
    """One simulation gives the same events and truth each time it is played."""
    simulation = simulate("inference")
    first, first_truth = digest(simulation.events()), simulation.truth

    assert (first, first_truth) == (digest(simulation.events()), simulation.truth)


def test_start_moves_everything() -> None:
    """A fleet that begins on another day is as long and uses as much."""
    later = simulate("inference", start=START + 86_400_000)
    count = sum(1 for _ in later.events())
    moved: Any = later.truth

    assert len(lines("inference")) == count
    assert "2026-01-02T00:00:00.000Z" == moved["start"]
    assert instant(milliseconds(truth("inference")["end"]) + 86_400_000) == moved["end"]


def test_scale_multiplies_tenants() -> None:
    """Twice the scale is twice the ordinary tenants."""
    larger = simulate("quiet", scale=2)
    for _ in larger.events():
        pass
    tenants: Any = larger.truth["tenants"]

    assert 2 * len(truth("quiet")["tenants"]) == len(tenants)


@pytest.mark.parametrize("scenario", SMALL)
def test_truth_is_what_the_events_say(scenario: str) -> None:
    """A plain recount of starts, resizes and stops gives the truth of every tenant to the last unit."""
    recount = recounted(scenario)
    expected: dict[str, dict[str, int]] = {}
    for (tenant, accelerator), used in recount.used.items():
        expected.setdefault(tenant, {})[accelerator] = used
    told = {tenant: said["accelerator_us"] for tenant, said in truth(scenario)["tenants"].items()}

    assert expected == {tenant: used for tenant, used in told.items() if used}
    assert sorted(recount.held) == [
        (tenant, name) for tenant, said in sorted(truth(scenario)["tenants"].items()) for name in said["open"]
    ]


def test_truth_of_a_throughput_fleet() -> None:
    """The truth of a fleet without inventory reports is a recount of its events as well."""
    simulation = simulate("heartbeats")
    recount, last = Recount(), b""
    for last in simulation.events():
        recount.take(json.loads(last))
    recount.finish(milliseconds(json.loads(last)["time"]))
    tenants: Any = simulation.truth["tenants"]

    assert {tenant: used for (tenant, _), used in recount.used.items()} == {
        tenant: said["accelerator_us"]["A100 SXM4 80GB"] for tenant, said in tenants.items()
    }


@pytest.mark.parametrize("scenario", OF_RUNS)
def test_truth_of_runs(scenario: str) -> None:
    """A run is its allocations: their time is its time, and it trained a plausible share of what they could do."""
    rates = {hardware.accelerator: hardware.rate for hardware in ALL}
    for tenant, said in truth(scenario)["tenants"].items():
        for run in said["runs"]:
            used = sum(recounted(scenario).used_by[tenant, name] for name in run["allocations"])
            share = run["flop"] / (used / 1_000_000 * rates[run["accelerator"]])
            assert used == run["accelerator_us"]
            assert 0.25 <= share <= 0.45
            assert run["start"] < run["end"] <= truth(scenario)["end"]


def test_every_run_is_told() -> None:
    """The demo has one frontier run, three of large customers and six parts of the split one."""
    runs = Counter((said["kind"], len(said["runs"])) for said in truth("demo")["tenants"].values())

    assert {("frontier", 1): 1, ("large_honest", 1): 3, ("split", 1): 6} == {
        kind: tenants for kind, tenants in runs.items() if kind[1]
    }
    assert {"frontier", "split"} == {said["kind"] for said in truth("demo")["tenants"].values() if said["of_concern"]}


def reported(event: dict[str, Any]) -> dict[tuple[str, str], tuple[str, int]]:
    return {
        (one["tenant"], one["allocation"]): (one["hardware"], round(1000 * one["count"]))
        for one in event["data"]["allocations"]
    }


@pytest.mark.parametrize("scenario", SMALL)
def test_inventory_is_what_is_held(scenario: str) -> None:
    """Each report, with both of its parts, lists what its region holds, within a capacity that never changes."""
    recount = Recount()
    capacities: dict[str, dict[str, int]] = {}
    first: dict[str, Any] | None = None
    for event in events(scenario):
        recount.take(event)
        if verb(event) != "inventory.reported":
            continue
        if first is None:
            first = event
            continue
        region, capacity = event["data"]["region"], event["data"]["capacity"]
        listed = {**reported(first), **reported(event)}
        held = {key: (one[1].named, one[2]) for key, one in recount.held.items() if one[0] == region}
        assert held == listed
        assert capacity == first["data"]["capacity"] == capacities.setdefault(region, capacity)
        for hardware, available in capacity.items():
            assert sum(count for named, count in held.values() if named == hardware) <= 1000 * available
        first = None


def test_reports_come_every_six_hours() -> None:
    """Each region of the demo reports every six hours from the first to the last, in two parts."""
    reports = Counter(event["time"] for event in events("demo") if verb(event) == "inventory.reported")
    times = sorted(milliseconds(time) for time in reports)

    assert {8} == set(reports.values())  # four regions, two parts
    assert {6 * 3_600_000} == {later - earlier for earlier, later in pairwise(times)}
    assert (240, truth("demo")["end"]) == (len(times), instant(times[-1]))


def test_sources_are_alive_at_the_end() -> None:
    """Every source speaks at the last instant, and says how many events it sent before."""
    sent = Counter(event["source"] for event in events("fleet"))
    end = truth("fleet")["end"]
    last = {
        event["source"]: event["data"]["sent"]
        for event in events("fleet")
        if verb(event) == "source.alive" and event["time"] == end
    }

    assert {source: {"events-0": count - 1} for source, count in sent.items()} == last


@pytest.mark.parametrize("hardware", ALL, ids=lambda hardware: hardware.named)
def test_hardware_is_in_the_catalogue(hardware: Hardware) -> None:
    """The catalogue says of each name what the truth assumes: accelerator, number and dense 16-bit rate."""
    unit = "instance" if hardware.instance else "accelerator"
    found = load_catalogue(ROOT / "config").resolve(hardware.named, unit, START)

    assert (hardware.accelerator, hardware.per_unit, True) == (found.name, found.per_unit, found.known)
    assert (hardware.rate,) == (found.chip.rate_central,)


def test_the_demo_is_a_cloud() -> None:
    """The demo has some thirty tenants, 8,000 to 15,000 accelerators and 20,000 to 60,000 events in 60 days."""
    most: Counter[str] = Counter()
    for event in events("demo"):
        if verb(event) == "inventory.reported":
            most[event["time"]] += sum(
                units(one) * UNITS[one["hardware"]].per_unit // 1_000_000 for one in event["data"]["allocations"]
            )

    assert 30 == len(truth("demo")["tenants"])
    assert 8_000 <= max(most.values()) <= 15_000
    assert 20_000 <= len(events("demo")) <= 60_000


def test_the_frontier_run_is_large_early() -> None:
    """The run of concern of the demo can reach 1e23 FLOP in its first four days, and trains more than 1e24."""
    own = [event for event in events("demo") if event["data"].get("tenant") == "orchid-compute"]
    first = next(milliseconds(event["time"]) for event in own if verb(event) == "allocation.started")
    run = truth("demo")["tenants"]["orchid-compute"]["runs"][0]

    assert first < START + 2 * 86_400_000
    assert 10**24 < run["flop"]
    assert 2_048 == run["accelerators"]
    assert "CN" in {event["data"].get("hq_country") for event in own}


@pytest.mark.parametrize(("thousandths", "text"), [(0, "0"), (8000, "8"), (250, "0.25"), (1001, "1.001")])
def test_counts_are_exact(thousandths: int, text: str) -> None:
    """A count is written so that it is read as the same number of thousandths."""
    assert text == json.dumps(number(thousandths))


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (START, "2026-01-01T00:00:00.000Z"),
        (START + 86_399_999, "2026-01-01T23:59:59.999Z"),
        (1_709_210_096_007, "2024-02-29T12:34:56.007Z"),
    ],
)
def test_instants_are_written(time: int, text: str) -> None:
    """An instant is written as RFC 3339 in UTC, to the millisecond."""
    assert text == instant(time)


def test_faults_lose_nothing() -> None:
    """Faults repeat and reorder lines, the same way for the same seed, and lose none."""
    original = lines("quiet")
    faulty = list(with_faults(original, 7, 0.1, 200))

    assert set(original) == set(faulty)
    assert list(original) != faulty
    assert 1.05 < len(faulty) / len(original) < 1.15
    assert faulty == list(with_faults(original, 7, 0.1, 200))
    assert faulty != list(with_faults(original, 8, 0.1, 200))


def test_no_faults_change_nothing() -> None:
    """A window of one line and no repeats leave the lines as they are."""
    assert list(lines("quiet")) == list(with_faults(lines("quiet"), 1, 0.0, 1))
