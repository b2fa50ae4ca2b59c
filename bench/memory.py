"""How much memory a worker takes over many events: a figure at the start, in the middle and at the end.

    python -m bench.memory [--events 20000000] [--client confluent-kafka] [--report 1000000]

A fixed fleet of 200 tenants works through weeks of event time, some 290,000 events a day: whatever is held at the end
of a week is given back. A producer on the servers' core keeps the topic ahead of the worker by a bounded number of
records; the worker (`flopwatch run`, SQLite) has a core of its own. What counts is growth after the first report, when
the caches are full.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count, islice
from pathlib import Path

from confluent_kafka import Producer

from bench.streaming import ROOT, Cores, print_machine
from monitor.core.model import DAY_MS
from monitor.simulate.scenarios import START, simulate
from monitor.simulate.wire import instant
from tests.servers.kafka import JavaKafka, Topics, free_ports, send

SCALE = 10
WEEK_MS = 7 * DAY_MS
AHEAD_MAX = 1_500_000  # records that the topic may be ahead of the worker
LOOK_EVERY = 50_000  # records between two looks how far the worker is
SEGMENT_BYTES = 256 * 1024 * 1024
KEPT_BYTES = 4 * 1024 * 1024 * 1024  # of the topic on disk: several times what the worker may be behind


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--report", type=int, default=1_000_000)
    parser.add_argument("--client", default="confluent-kafka")
    options = parser.parse_args()
    site = Cores()
    print_machine(site)
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(site.servers)})
    broker = JavaKafka(cpus=site.servers, heap="1g")
    try:
        with tempfile.TemporaryDirectory(prefix="flopwatch-memory-") as folder:
            measure(options, site, broker, Path(folder))
    finally:
        broker.close()
        os.sched_setaffinity(0, mine)


def measure(options: argparse.Namespace, site: Cores, broker: JavaKafka, folder: Path) -> None:
    """Produce, watch the worker, print a line now and then."""
    topics = Topics(broker.bootstrap)
    kept = {"segment.bytes": str(SEGMENT_BYTES), "retention.bytes": str(KEPT_BYTES)}
    tenants, control = topics.create(1, settings=kept), topics.create(1)
    worker = Worker(options.client, site.contestants[0], broker.bootstrap, tenants, control, folder)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 20})
    print("\n| events | resident MB | events a second | store MB |\n|---|---|---|---|")
    started, next_report = time.monotonic(), options.report
    figures: list[tuple[int, float]] = []
    produced = 0
    try:
        for line in islice(fleet(), options.events):
            tenant = json.loads(line)["data"].get("tenant")
            topic, key = (control, None) if tenant is None else (tenants, tenant.encode())
            send(producer, topic, key, line)
            produced += 1
            if produced % LOOK_EVERY == 0:
                while True:
                    taken = worker.taken()
                    if taken >= next_report:
                        figures.append(worker.report(taken, started))
                        next_report += options.report
                    if produced - taken < AHEAD_MAX:
                        break
                    producer.poll(0.2)
        producer.flush()
        while (taken := worker.taken()) < produced:
            if taken >= next_report:
                figures.append(worker.report(taken, started))
                next_report += options.report
            time.sleep(0.5)
        figures.append(worker.report(taken, started))
    finally:
        worker.close()
        topics.close()
    first, last = figures[0][1], figures[-1][1]
    middle = figures[len(figures) // 2][1]
    print(f"\nresident: {first:.0f} MB at the start, {middle:.0f} in the middle, {last:.0f} at the end", end="")
    print(f" ({(last / first - 1) * 100:+.1f} per cent); the highest ever {worker.peak:.0f}")


def fleet() -> Iterator[bytes]:
    """The same tenants week after week, each week with jobs of its own, all of which end by its end."""
    for week in count():
        simulation = simulate("steady", seed=week + 1, start=START + week * WEEK_MS, scale=SCALE)
        name = b'"job%d-' % week
        for line in simulation.events():
            yield line.replace(b'"job-', name)
        end = instant(START + (week + 1) * WEEK_MS - 1)
        held = simulation.truth["tenants"]
        assert isinstance(held, dict)
        for tenant, truth in held.items():
            for allocation in truth["open"]:
                data = {"tenant": tenant, "allocation": allocation.replace("job-", name.decode()[1:], 1)}
                yield json.dumps(
                    {
                        "specversion": "1.0", "id": f"end/{week}/{tenant}/{allocation}", "source": "/bench/memory",
                        "type": "io.flopwatch.allocation.stopped.v1", "time": end, "data": data,
                    }
                ).encode()  # fmt: skip


class Worker:
    """One `flopwatch run`, watched from outside."""

    def __init__(self, client: str, core: str, bootstrap: str, tenants: str, control: str, folder: Path) -> None:
        self.peak = 0.0
        self._store = folder / "books.db"
        self._tenants, self._control = tenants, control
        settings = {
            "STORE_URL": f"sqlite:///{self._store}", "HTTP__PORT": free_ports(1)[0], "LOG_LEVEL": "error",
            "KAFKA__BOOTSTRAP_SERVERS": json.dumps([bootstrap]), "KAFKA__TENANT_TOPIC": tenants,
            "KAFKA__CONTROL_TOPIC": control, "KAFKA__GROUP": tenants, "KAFKA__ALLOW_INSECURE": "true",
            "KAFKA__CLIENT": client,
        }  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **{f"FLOPWATCH_{k}": str(v) for k, v in settings.items()}}
        command = ["taskset", "-c", core, sys.executable, "-W", "ignore", "-c"]
        self._process = subprocess.Popen([*command, "from monitor.cli import main; main()", "run"], env=environment)

    def taken(self) -> int:
        """How many records its commits have taken in."""
        self.peak = max(self.peak, self._resident())
        if not self._store.exists():
            return 0
        with closing(sqlite3.connect(f"file:{self._store}?mode=ro", uri=True)) as connection:
            query = "select coalesce(sum(next_offset), 0) from progress where topic in (?, ?)"
            try:
                return int(connection.execute(query, (self._tenants, self._control)).fetchone()[0])
            except sqlite3.OperationalError:  # it is being made
                return 0

    def report(self, taken: int, started: float) -> tuple[int, float]:
        """Print a line; events and resident megabytes."""
        resident = self._resident()
        size = self._store.stat().st_size / 1e6
        print(f"| {taken:,} | {resident:.0f} | {taken / (time.monotonic() - started):,.0f} | {size:,.0f} |", flush=True)
        return taken, resident

    def _resident(self) -> float:
        if self._process.poll() is not None:
            raise RuntimeError("The worker has ended.")
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize() / 1e6

    def close(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait()


if __name__ == "__main__":
    main()
