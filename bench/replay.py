#!/usr/bin/env python3
"""How fast events become books, and what an open allocation costs.

    bench/replay.py [--events 200000] [--repeat 5] [--open 20000] [--heartbeats 100]

Speed: the same file of simulated events is read by a loop that only calls `json.loads` on each line, by a replay in
memory and by a replay into SQLite, evaluation and digest included; in turns, in one process each, so that a noisy
machine is noisy for all. What counts is the ratio of the medians. Memory: resident growth of a process that holds so
many open allocations of one start and so many heartbeats; then the start-up from that store against SQLite reading the
same rows.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from monitor.app import replays, stores
from monitor.core.model import ACCELERATOR, NOTHING_CLAIMED, Claim, Kind, Observation
from monitor.settings import load_settings
from monitor.simulate.scenarios import simulate

STARTED = Claim("H100 SXM5 80GB", ACCELERATOR, 8_000, "eu-1", "eu-1/a")
STARTED_JSON = ',"accelerator":"H100 SXM5 80GB","count":8,"region":"eu-1","fabric":"eu-1/a"'
BARS = {"in memory": 5.0, "into SQLite": 8.0}


def main() -> None:
    """Run both parts and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--open", type=int, default=20_000, help="open allocations of the memory part; 0 leaves it out")
    parser.add_argument("--heartbeats", type=int, default=100)
    parser.add_argument("--part", choices=("loads", "memory", "sqlite", "hold", "start"), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(PARTS[options.part](options)))
        return
    print(f"Python {platform.python_version()} on {platform.machine()}, SQLite {sqlite3.sqlite_version}")
    with tempfile.TemporaryDirectory(prefix="flopwatch-bench-") as folder:
        if options.events:
            speed(Path(folder), options)
        if options.open:
            memory(Path(folder), options)


def speed(folder: Path, options: argparse.Namespace) -> None:
    """Time the three readers in turns."""
    path = folder / "events.jsonl"
    scale = 1 + options.events // 200_000  # the whole span of the scenario, not just its first, busy hours
    with path.open("wb") as file:
        file.writelines(islice(simulate("steady", scale=scale).events(), options.events))
    lines = sum(1 for _ in path.open("rb"))
    print(f"{lines:,} events of the scenario steady, {path.stat().st_size / lines:.0f} bytes a line")
    seconds: dict[str, list[float]] = {"loads": [], "memory": [], "sqlite": []}
    for _ in range(options.repeat):
        for part, runs in seconds.items():
            runs.append(float(_child(part, path, options)["seconds"]))
    base = statistics.median(seconds["loads"])
    print(f"  json.loads alone   {lines / base:>10,.0f} events/s  {base / lines * 1e6:6.2f} us an event")
    for part, name in (("memory", "in memory"), ("sqlite", "into SQLite")):
        median = statistics.median(seconds[part])
        print(
            f"  replay {name:<12}{lines / median:>10,.0f} events/s  {median / lines * 1e6:6.2f} us an event, "
            f"{median / base:.2f} times json.loads (bar {BARS[name]:g})"
        )


def memory(folder: Path, options: argparse.Namespace) -> None:
    """Grow a store of open allocations, then start from it."""
    path = folder / "open.db"
    held = _child("hold", path, options)
    print(
        f"{options.open:,} open allocations of one start and {options.heartbeats} heartbeats: "
        f"{held['bytes']:,.0f} bytes each resident (bar 1,000); store of {path.stat().st_size / 1e6:,.0f} MB"
    )
    started = _child("start", path, options)
    print(
        f"  start-up {started['load']:.2f} s, SQLite reading the rows {started['rows']:.2f} s: "
        f"{started['load'] / started['rows']:.1f} times (bar 15)"
    )


def _child(part: str, path: Path, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--part", part, "--file", str(path), "--open", str(options.open)]
    command += ["--heartbeats", str(options.heartbeats)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(printed.splitlines()[-1]))


def loads(options: argparse.Namespace) -> dict[str, float]:
    """Only parse each line."""
    start = time.perf_counter()
    with options.file.open("rb") as file:
        for line in file:
            json.loads(line)
    return {"seconds": time.perf_counter() - start}


def replay_in_memory(options: argparse.Namespace) -> dict[str, float]:
    """Everything but start-up of the interpreter."""
    stores.tune_collector()
    start = time.perf_counter()
    replays.replay(load_settings(None), [str(options.file)], None, None, None, lambda done, total: None)
    return {"seconds": time.perf_counter() - start}


def replay_into_sqlite(options: argparse.Namespace) -> dict[str, float]:
    """The same into a new store."""
    stores.tune_collector()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state.db"
        start = time.perf_counter()
        replays.replay(load_settings(None), [str(options.file)], state, None, None, lambda done, total: None)
        return {"seconds": time.perf_counter() - start}


def hold(options: argparse.Namespace) -> dict[str, float]:
    """Feed heartbeats into a store, and see how the process has grown."""
    stores.tune_collector()
    with stores.opened_store(f"sqlite:///{options.file}") as store:
        stores.hold(store, [list(beats(0, 10_000))])  # what does not grow with allocations is there before
        before = _resident_bytes()
        rounds = (beats(number, options.open) for number in range(1 + options.heartbeats))
        held = stores.hold(store, (batch for each in rounds for batch in _batches(each)))
        return {"bytes": (_resident_bytes() - before) / held}


def beats(number: int, until: int) -> Iterator[Observation]:
    """The start (round 0) or one heartbeat of the first `until` allocations, as facts: parsing is timed elsewhere."""
    at = 1_767_225_600_000 + number * 60_000
    kind, claim, event_type, shape = (
        (Kind.SEEN, NOTHING_CLAIMED, "seen.v1", "") if number else (Kind.STARTED, STARTED, "started.v1", STARTED_JSON)
    )
    time_text = f"2026-01-01T{number // 60:02}:{number % 60:02}:00Z"
    for allocation in range(until):
        tenant, name = sys.intern(f"t-{allocation // 10_000:04}"), f"i-{allocation:017x}"
        raw = (
            f'{{"specversion":"1.0","id":"{name}/{number}","source":"/control-plane/eu-1",'
            f'"type":"io.flopwatch.allocation.{event_type}","time":"{time_text}",'
            f'"data":{{"tenant":"{tenant}","allocation":"{name}"{shape}}}}}'
        )
        yield Observation(kind, tenant, name, at, "/control-plane/eu-1", f"{name}/{number}", claim, raw.encode())


def _batches(facts: Iterator[Observation]) -> Iterator[list[Observation]]:
    while batch := list(islice(facts, 20_000)):
        yield batch


def start_up(options: argparse.Namespace) -> dict[str, float]:
    """Load the books, and read the same rows with nothing done to them."""
    stores.tune_collector()
    connection = sqlite3.connect(options.file)
    connection.execute("SELECT * FROM allocations").fetchall()  # both find the file in the system's cache
    start = time.perf_counter()
    rows = connection.execute("SELECT * FROM allocations").fetchall()
    read = time.perf_counter() - start
    del rows
    connection.close()
    with stores.opened_store(f"sqlite:///{options.file}") as store:
        start = time.perf_counter()
        stores.load(store)
        return {"load": time.perf_counter() - start, "rows": read}


def _resident_bytes() -> float:
    """Resident size now; where the system does not say, the greatest so far."""
    status = Path("/proc/self/statm")
    if status.exists():
        return float(status.read_text().split()[1]) * resource.getpagesize()
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


PARTS = {
    "loads": loads,
    "memory": replay_in_memory,
    "sqlite": replay_into_sqlite,
    "hold": hold,
    "start": start_up,
}

if __name__ == "__main__":
    main()
