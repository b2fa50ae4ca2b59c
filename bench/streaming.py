"""How fast a worker reads Kafka, beside bare loops of the clients and the same job in other frameworks.

    python -m bench.streaming [--events 200000] [--repeat 3] [--only bare,none,sqlite,postgres,quix,faust,two,latency]

A broker and a database are started on a core of their own; each contestant is a process on another core that reads the
same topic from its start, with a new group and a fresh store, until its last record is committed. In turns, so that a
noisy machine is noisy for all: what counts is the ratio of the medians. CPU is the contestant's own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata, util
from itertools import islice
from pathlib import Path
from typing import Any

from monitor.simulate.scenarios import simulate
from tests.servers.kafka import JavaKafka, Topics, send
from tests.store.cluster import Cluster, programs, reachable

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "bench"
PEERS = ROOT / ".cache" / "bench-peers"
PACKAGES = {"quix": ("quixstreams", "pydantic"), "faust": ("faust-streaming", "pydantic")}
STAGES = ("poll", "decode", "route", "book", "evaluate", "archive", "store")
OWN = ("decode", "route", "book")
OWN_BAR_US = 12.0
# Of the throughput: contestant, against whom, at least.
BARS = (
    ("none kafka-python", "bare kafka-python", 0.5),
    ("sqlite kafka-python", "bare kafka-python", 0.35),
    ("sqlite kafka-python", "quix", 1.0),
    ("sqlite confluent-kafka", "quix", 1.3),
)
TWO_BAR, LATENCY_BAR_S = 1.7, 2.0
PARTS = ("bare", "none", "sqlite", "postgres", "quix", "faust", "two", "latency")
LIMIT_SECONDS = 3_600

Figures = dict[str, Any]


def main() -> None:
    """Run what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default=",".join(PARTS))
    options = parser.parse_args()
    parts = [part for part in PARTS if part in options.only.split(",")]
    site = Cores()
    print_machine(site)
    with servers(site) as (broker, cluster), tempfile.TemporaryDirectory(prefix="flopwatch-bench-") as folder:
        topics = Topics(broker.bootstrap)
        try:
            field = Field(options.events, site, topics, cluster, Path(folder))
            medians = contest(field, parts, options.repeat)
            if "two" in parts:
                two_workers(field)
            if "latency" in parts:
                latency(field, medians)
        finally:
            topics.close()


class Cores:
    """Which cores are whose: the last one is the servers', the others are the contestants'."""

    def __init__(self) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self.count = len(cores)
        self.servers = str(cores[-1])
        self.contestants = [str(core) for core in cores[:-1] or cores]


def print_machine(site: Cores) -> None:
    """What this run ran on."""
    versions = ", ".join(
        f"{name} {metadata.version(name)}" for name in ("kafka-python", "confluent-kafka", "psycopg", "pydantic")
    )
    print(f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()} on {platform.machine()}, {versions}")
    print(f"{site.count} cores: servers on {site.servers}, contestants on {', '.join(site.contestants)}")


@contextmanager
def servers(site: Cores) -> Iterator[tuple[JavaKafka, Cluster | None]]:
    """A broker and, where its programs are installed, a database; both on the servers' core."""
    mine, bin = os.sched_getaffinity(0), programs()
    os.sched_setaffinity(0, {int(site.servers)})  # what is started from here on inherits it
    broker = JavaKafka(cpus=site.servers, heap="1g")
    try:
        if bin is None:
            print("no PostgreSQL: its server programs are not installed")
            yield broker, None
            return
        with tempfile.TemporaryDirectory(prefix="flopwatch-pg-", dir=reachable()) as folder:
            cluster = Cluster(bin, Path(folder))
            try:
                yield broker, cluster
            finally:
                cluster.stop()
    finally:
        broker.close()
        os.sched_setaffinity(0, mine)


def environment(folder: str, *packages: str) -> Path:
    """The interpreter of an environment of its own with these packages, made where it is not there."""
    home = PEERS / folder
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        subprocess.run(command, check=True)
        (home / "complete").touch()
    ask = f"from importlib.metadata import version as v; print(', '.join(n + ' ' + v(n) for n in {packages}))"
    print("  " + subprocess.run([str(python), "-c", ask], check=True, capture_output=True, text=True).stdout.strip())
    return python


class Field:
    """What all contestants meet: the topics, the cores, and fresh stores."""

    def __init__(self, events: int, site: Cores, topics: Topics, cluster: Cluster | None, folder: Path) -> None:
        scale = 1 + events // 200_000
        self.site = site
        self.topics = topics
        self.cluster = cluster
        self.folder = folder
        self.tenants, self.halves, self.control = topics.create(1), topics.create(2), topics.create(1)
        facts: list[tuple[bytes, bytes]] = []
        control: list[tuple[bytes | None, bytes]] = []
        for line in islice(simulate("steady", scale=scale).events(), events):
            tenant = json.loads(line)["data"].get("tenant")
            if tenant is None:
                control.append((None, line))
            else:
                facts.append((tenant.encode(), line))
        produce(topics.bootstrap, self.tenants, facts)
        produce(topics.bootstrap, self.halves, facts)
        topics.write(self.control, control)
        self.events = len(facts)
        self.split = [topics.ends({self.halves: 2})[self.halves, number] for number in range(2)]
        size = sum(len(line) for _, line in facts) / len(facts)
        print(f"{self.events:,} events of tenants, {len(control):,} of the control topic; {size:.0f} bytes each")

    def store(self, kind: str) -> str:
        """The address of a fresh store; "" for none."""
        if kind == "sqlite":
            return f"sqlite:///{self.folder}/{uuid.uuid4().hex}.db"
        if kind == "postgres":
            assert self.cluster is not None
            return self.cluster.new_database()
        return ""

    def command(self, part: str, client: str, store: str, topic: str = "", group: str = "", own: int = 1) -> list[str]:
        """A contestant of bench/contestant.py."""
        words = [sys.executable, "-W", "ignore", "-m", "bench.contestant", part, "--client", client]
        words += ["--bootstrap", self.topics.bootstrap, "--topic", topic or self.tenants, "--control", self.control]
        words += ["--group", group or uuid.uuid4().hex, "--events", str(self.events), "--own", str(own)]
        return [*words, "--store", store] if store else words

    def peer(self, python: Path, name: str) -> list[str]:
        """A contestant of another framework."""
        job = str(HERE / "peers" / f"{name}_job.py")
        return [str(python), job, self.topics.bootstrap, self.tenants, f"{name}-{uuid.uuid4().hex}", str(self.events)]


def produce(bootstrap: str, topic: str, facts: Iterable[tuple[bytes, bytes]]) -> None:
    """Send keyed records in order, to the partitions that Kafka's own clients choose."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 20})
    for key, value in facts:
        send(producer, topic, key, value)
    producer.flush()


def start(command: Sequence[str], cores: Sequence[str]) -> subprocess.Popen[str]:
    """Start a contestant on these cores."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    pinned = ["taskset", "-c", ",".join(cores), *command]
    return subprocess.Popen(pinned, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ, cwd=ROOT)


def finish(process: subprocess.Popen[str]) -> Figures:
    """What a contestant printed.

    Raises:
        RuntimeError: it failed.
    """
    out, err = process.communicate(timeout=LIMIT_SECONDS)
    found = [line for line in out.splitlines() if line.startswith("{")]  # the others talk beside it
    if process.returncode or not found:
        raise RuntimeError(f"{process.args} failed:\n{out[-1_000:]}{err[-2_000:]}")
    return dict(json.loads(found[-1]))


# -- one consumer ------------------------------------------------------------------------------------------------------


def clients() -> list[str]:
    """The clients that can be measured."""
    if util.find_spec("monitor.source.confluent") is None:
        print("no worker on confluent-kafka: monitor/source/confluent.py is not there")
        return ["kafka-python"]
    return ["kafka-python", "confluent-kafka"]


def contest(field: Field, parts: Sequence[str], repeat: int) -> dict[str, float]:
    """Everybody in turns; seconds of the median by name."""
    entries: dict[str, tuple[str, list[str]]] = {}  # name -> what it is, and its fixed words
    pythons = {name: environment(name, *PACKAGES[name]) for name in ("quix", "faust") if name in parts}
    if "bare" in parts:
        entries |= {f"bare {client}": ("bare", [client]) for client in ("kafka-python", "confluent-kafka")}
    for client in clients():
        for kind in ("none", "sqlite", "postgres"):
            if kind in parts and (kind != "postgres" or field.cluster is not None):
                entries[f"{kind} {client}"] = (kind, [client])
    entries |= {name: (name, []) for name in pythons}
    runs: dict[str, list[Figures]] = {name: [] for name in entries}
    for turn in range(repeat):
        for name, (kind, words) in entries.items():
            if kind == "faust" and turn:  # once is enough of what takes so long
                continue
            if kind in pythons:
                command = field.peer(pythons[kind], kind)
            else:
                part = "bare" if kind == "bare" else "worker"
                command = field.command(part, words[0], "" if kind in ("bare", "none") else field.store(kind))
            runs[name].append(finish(start(command, field.site.contestants[:1])))
            print(f"turn {turn + 1}, {name}: {runs[name][-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
    return report(field, runs)


def report(field: Field, runs: dict[str, list[Figures]]) -> dict[str, float]:
    """Print the table, the stages and the bars."""
    medians = {name: statistics.median(run["seconds"] for run in each) for name, each in runs.items() if each}
    base = medians.get("bare kafka-python")
    print("\n| | events a second | us an event | CPU us an event | of the bare kafka-python loop |")
    print("|---|---|---|---|---|")
    for name, seconds in medians.items():
        cpu = statistics.median(run["cpu"] for run in runs[name])
        ratio = f"{base / seconds:.2f}" if base else ""
        print(
            f"| {name} | {field.events / seconds:,.0f} | {seconds / field.events * 1e6:.2f} | "
            f"{cpu / field.events * 1e6:.2f} | {ratio} |"
        )
    staged = {name: each for name, each in runs.items() if each and "stages" in each[0]}
    if staged:
        print(f"\n| us a record | {' | '.join(STAGES)} | rest | own: {', '.join(OWN)} (bar {OWN_BAR_US:g}) |")
        print("|---" * (len(STAGES) + 3) + "|")
    for name, each in staged.items():
        us = {
            stage: statistics.median(run["stages"].get(stage, 0.0) for run in each) / field.events * 1e6
            for stage in STAGES
        }
        rest = medians[name] / field.events * 1e6 - sum(us.values())
        cells = " | ".join(f"{us[stage]:.2f}" for stage in STAGES)
        print(f"| {name} | {cells} | {rest:.2f} | {sum(us[stage] for stage in OWN):.2f} |")
    print()
    for name, other, least in BARS:
        if name in medians and other in medians:
            times = medians[other] / medians[name]
            print(f"{name} against {other}: {times:.2f} times (bar {least:g}, {verdict(times >= least)})")
    return medians


def verdict(good: bool) -> str:
    """A word for a bar."""
    return "met" if good else "MISSED"


# -- two workers -------------------------------------------------------------------------------------------------------


def two_workers(field: Field) -> None:
    """The same topic of two partitions, read by one worker and by two."""
    cores = field.site.contestants
    enough = len(cores) >= 2
    print(f"\ntwo workers, partitions of {field.split[0]:,} and {field.split[1]:,} events:")
    if not enough:
        print(f"  this machine has {field.site.count} cores: the second worker shares the servers', so no bar applies")
    pairs = [[cores[0]], [cores[1] if enough else field.site.servers]]
    for kind in ("none", "postgres"):
        if kind == "postgres" and field.cluster is None:
            continue
        alone = finish(start(field.command("worker", "kafka-python", field.store(kind), field.halves, own=2), pairs[0]))
        store, group = field.store(kind), uuid.uuid4().hex
        started = [
            start(field.command("worker", "kafka-python", store, field.halves, group, own=1), pair) for pair in pairs
        ]
        both = [finish(one) for one in started]
        seconds = max(one["last"] for one in both) - min(one["first"] for one in both)
        times = alone["seconds"] / seconds
        most = field.events / max(field.split)  # what the shares of the partitions allow
        bar = f"bar {TWO_BAR}, {verdict(times >= TWO_BAR)}" if enough else "no bar"
        print(f"  {kind}: {times:.2f} times one worker ({bar}; {most:.2f} is what the partitions' shares allow)")


# -- latency -----------------------------------------------------------------------------------------------------------


def latency(field: Field, medians: dict[str, float]) -> None:
    """From produced to flag committed at half of what a worker into SQLite manages."""
    seconds = medians.get("sqlite kafka-python")
    rate = field.events / seconds / 2 if seconds else 5_000
    command = [sys.executable, "-W", "ignore", "-m", "bench.latency", "--bootstrap", field.topics.bootstrap]
    command += ["--rate", str(round(rate)), "--consumer", field.site.contestants[0], "--seconds", "30"]
    found = finish(start(command, [field.site.servers]))
    print(
        f"\nproduced to flag committed, {found['rate']:,.0f} events a second, {found['flags']} flags: "
        f"p50 {found['p50']:.2f} s, p99 {found['p99']:.2f} s (bar {LATENCY_BAR_S:g} s, "
        f"{verdict(found['p99'] < LATENCY_BAR_S)}); {found['missing']} flags missing"
    )


if __name__ == "__main__":
    main()
