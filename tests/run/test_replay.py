"""Replay on real traces and simulated fleets: exact, and the same in any order."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard

from monitor.app import stores, views
from monitor.settings import load_settings
from monitor.simulate.scenarios import simulate
from tests.cli.command import flopwatch
from tests.run.test_worker import event, profiled, started, stopped

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
TOOL = SHARED / "tools" / "trace_to_events.py"
TRACES = ("philly", "acme_kalos", "openb", "helios", "eagle", "zhejiang")
needs_traces = pytest.mark.skipif(not TOOL.exists(), reason="the real traces of ../shared are not here")


def replayed(*paths: Path, options: tuple[object, ...] = ()) -> dict[str, Any]:
    """The document that a replay prints."""
    ran = flopwatch("replay", *paths, "--json", *options)
    assert 0 == ran.code, ran.err
    document: dict[str, Any] = ran.document
    return document


def digests(document: dict[str, Any]) -> tuple[str, str]:
    """What must not depend on order, repetition or crashes."""
    return document["books_digest"], document["digest"]


def trace(name: str, folder: Path) -> tuple[Path, dict[tuple[str, str], int]]:
    """A real trace as events, and the exact usage of each tenant and accelerator."""
    made = subprocess.run([sys.executable, TOOL, name], check=True, capture_output=True)
    path = folder / f"{name}.jsonl"
    path.write_bytes(made.stdout)
    rows = (line.split("\t") for line in made.stderr.decode().splitlines())
    return path, {(tenant, accelerator): int(used) for tenant, accelerator, used in rows}


@needs_traces
@pytest.mark.parametrize("name", TRACES)
def test_a_real_trace_is_counted_to_the_last_unit(name: str, tmp_path: Path) -> None:
    """The usage of every tenant and accelerator of a real cluster is exact, and nobody small is above watch."""
    path, truth = trace(name, tmp_path)
    document = replayed(path)
    counted = {
        (tenant["tenant"], accelerator): used
        for tenant in document["tenants"]
        for accelerator, used in tenant["accelerator_us"].items()
    }
    assert {key: used for key, used in truth.items() if used} == counted
    levels = {flag["level"] for tenant in document["tenants"] for flag in tenant["flags"]}
    assert levels <= {"watch"} or name == "acme_kalos"  # a cluster for large models, of nobody knows whom
    assert all(not tenant["open_allocations"] for tenant in document["tenants"])


@needs_traces
def test_a_published_run_lies_inside_its_range(tmp_path: Path) -> None:
    """Llama-2 7B on 32 A100: 4.1e20 FLOP counted by 6ND are inside [low, high]."""
    path, _ = trace("zhejiang", tmp_path)
    (tenant,) = replayed(path)["tenants"]
    assert tenant["flop"]["low"] <= 41 * 10**19 <= tenant["flop"]["high"]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The first days of a fleet of every kind, inventory and telemetry included."""
    return [line for line, _ in zip(simulate("fleet").events(), range(4_000), strict=False)]


def test_order_repetition_and_files_change_nothing(fleet: list[bytes], tmp_path: Path) -> None:
    """Shuffled, doubled, in several files in any order, compressed: the same digests."""
    chance = random.Random(2)
    shuffled = chance.sample(fleet, len(fleet))
    written = {
        "plain.jsonl": b"".join(fleet),
        "shuffled.jsonl": b"".join(shuffled),
        "doubled.jsonl": b"".join(line * 2 for line in fleet),
        "a.jsonl.gz": gzip.compress(b"".join(shuffled[::3])),
        "b.jsonl.zst": zstandard.compress(b"".join(shuffled[1::3])),
        "c.jsonl": b"".join(shuffled[2::3]),
    }
    for name, content in written.items():
        (tmp_path / name).write_bytes(content)
    plain = replayed(tmp_path / "plain.jsonl")
    doubled = replayed(tmp_path / "doubled.jsonl")
    assert len(fleet) == doubled["events"]["duplicate"] == doubled["events"]["accepted"]
    assert digests(plain) == digests(doubled)
    assert digests(plain) == digests(replayed(tmp_path / "shuffled.jsonl"))
    assert digests(plain) == digests(replayed(*(tmp_path / name for name in ("c.jsonl", "a.jsonl.gz", "b.jsonl.zst"))))
    stored = ("--state", tmp_path / "books.db")
    assert digests(plain) == digests(replayed(tmp_path / "shuffled.jsonl", options=stored))
    again = replayed(tmp_path / "plain.jsonl", options=stored)
    assert digests(plain) == digests(again)
    assert {"read": len(fleet), "duplicate": len(fleet), "accepted": 0}.items() <= again["events"].items()


@needs_traces
def test_a_real_trace_in_any_order(tmp_path: Path) -> None:
    """A real trace with shared accelerators, shuffled, or doubled: the same digests."""
    path, _ = trace("openb", tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    shuffled, doubled = tmp_path / "shuffled.jsonl", tmp_path / "doubled.jsonl"
    shuffled.write_bytes(b"".join(random.Random(3).sample(lines, len(lines))))
    doubled.write_bytes(b"".join(lines) * 2)
    plain = digests(replayed(path))
    twice = replayed(doubled)
    assert plain == digests(replayed(shuffled)) == digests(twice)
    assert len(lines) == twice["events"]["duplicate"] == twice["events"]["accepted"]


def test_a_state_goes_on_where_it_was(fleet: list[bytes], tmp_path: Path) -> None:
    """A file that was read is not read again; what was appended is; a file that changed is read from its start."""
    path, stored = tmp_path / "events.jsonl", ("--state", tmp_path / "books.db")
    path.write_bytes(b"".join(fleet[:1_000]))
    assert 1_000 == replayed(path, options=stored)["events"]["read"]
    assert 0 == replayed(path, options=stored)["events"]["read"]
    path.write_bytes(b"".join(fleet[:1_500]))
    assert 500 == replayed(path, options=stored)["events"]["accepted"]
    path.write_bytes(b"".join(fleet[1_000:2_000]))
    ran = flopwatch("replay", path, "--json", *stored)
    assert {"duplicate": 500, "accepted": 500}.items() <= ran.document["events"].items()
    assert "events.jsonl" in ran.err
    whole = tmp_path / "whole.jsonl"
    whole.write_bytes(b"".join(fleet[:2_000]))
    assert digests(replayed(whole)) == digests(ran.document)


@pytest.mark.parametrize("state", [False, True])
def test_as_of_leaves_later_facts_unapplied(fleet: list[bytes], tmp_path: Path, state: bool) -> None:
    """At an earlier instant the answer is that of the facts up to then, whatever else was read."""
    path, early = tmp_path / "all.jsonl", tmp_path / "early.jsonl"
    path.write_bytes(b"".join(fleet))
    instant = json.loads(fleet[2_500])["time"]
    early.write_bytes(b"".join(line for line in fleet if json.loads(line)["time"] <= instant))
    options = ("--as-of", instant, *(("--state", tmp_path / "books.db") if state else ()))
    document = replayed(path, options=options)
    assert digests(replayed(early)) == digests(document)
    assert len(fleet) == document["events"]["accepted"]


@pytest.mark.parametrize("name", ["quiet", "inference", "batch", "split", "fleet"])
def test_books_hold_the_truth_and_balance(name: str, tmp_path: Path) -> None:
    """Every tenant's books add up to what the simulator did; bounds are in order; each inventory report balances."""
    simulation = simulate(name)
    path, state = tmp_path / "events.jsonl", tmp_path / "books.db"
    path.write_bytes(b"".join(simulation.events()))
    truth: Any = simulation.truth
    document = replayed(path, options=("--state", state))
    for tenant in document["tenants"]:
        used = dict(tenant["accelerator_us_open"])
        for accelerator, amount in tenant["accelerator_us"].items():
            used[accelerator] = used.get(accelerator, 0) + amount
        assert truth["tenants"][tenant["tenant"]]["accelerator_us"] == used
        bounds = tenant["flop"]
        assert bounds["low"] <= bounds["central"] <= bounds["high"] <= bounds["ceiling"]
    assert set(truth["tenants"]) == {tenant["tenant"] for tenant in document["tenants"]}
    with stores.opened_store(f"sqlite:///{state}") as store:
        checks = store.conservation()
    assert checks
    assert all(check.holds for check in checks)


def test_the_document_has_the_fields_of_the_contract(fleet: list[bytes], tmp_path: Path) -> None:
    """`replay --json` prints the agreed keys, and FLOP as integers."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(fleet[:500]))
    document = replayed(path)
    assert {"as_of", "events", "tenants", "groups", "books_digest", "digest"} == set(document)
    assert {"read", "accepted", "late", "duplicate", "ignored", "rejected"} == set(document["events"])
    usage = {"accelerator_us", "accelerator_us_certain", "accelerator_us_open"}
    for tenant in document["tenants"]:
        assert {"tenant", "flop", "open_allocations", "runs", "flags", *usage} == set(tenant)
        assert ["low", "central", "high", "ceiling"] == list(tenant["flop"])
        assert all(type(bound) is int for bound in tenant["flop"].values())


def test_a_late_fact_leaves_a_restatement(tmp_path: Path) -> None:
    """A stop that comes hours late changes the past, and the change is on record with before and after."""
    path, state = tmp_path / "events.jsonl", tmp_path / "books.db"
    held = {"tenant": "t", "allocation": "a"}
    shape = {"accelerator": "H100 SXM5 80GB", "count": 8, "region": "eu-1"}

    def event(id: str, verb: str, time: str, data: dict[str, object]) -> dict[str, object]:
        kind = f"io.flopwatch.allocation.{verb}.v1"
        return {"specversion": "1.0", "id": id, "source": "/s", "type": kind, "time": time, "data": data}

    lines = [
        event("1", "started", "2026-01-01T00:00:00Z", held | shape),
        event("2", "seen", "2026-01-01T10:00:00Z", held),
        event("3", "stopped", "2026-01-01T04:00:00Z", held),
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    document = replayed(path, options=("--state", state))
    assert 1 == document["events"]["late"]
    with stores.opened_store(f"sqlite:///{state}") as store:
        (restatement,) = store.restatements("t")
    hour = 8 * 3_600 * 1_000_000
    assert (10 * hour, 4 * hour) == (restatement.certain_before, restatement.certain_after)
    assert views.verify_store(load_settings(), state, None).problems == []


def test_late_facts_and_retractions_are_in_the_history_of_flags(tmp_path: Path) -> None:
    """A replay that goes on from a state says what came late and what was retracted where its flags stand."""
    state = tmp_path / "books.db"
    days = 86_400
    held = [started(number, 0, f"node-{number}", 4_000) for number in (1, 2)]
    seen = [event(9, "allocation.seen", 20 * days, allocation="node-1")]
    late = [stopped(11, 60, "node-1"), stopped(12, 60, "node-2")]
    retracts = {"source": "provider/control-plane", "id": "e-1"}
    for number, lines in enumerate(
        [
            [profiled(0, 0), *held, *seen, stopped(10, 20 * days, "node-2")],
            [event(20, "fact.retracted", 20 * days, retracts=retracts)],
            late,
        ]
    ):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(b"".join(lines))
        replayed(path, options=("--state", state))

    with stores.opened_store(f"sqlite:///{state}") as store:
        (flag,) = (one for one in store.flags() if one.rule == "ladder.1e23.of_concern")
        history = store.flag_history(flag.id)
    assert ["raised", "noted", "withdrawn"] == [str(entry.act) for entry in history]
    assert "retracted" in history[1].reason
    assert history[2].reason.endswith("Since the look before 2 facts about it have come late.")
    assert views.verify_store(load_settings(), state, None).problems == []
