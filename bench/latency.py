"""How long from a record to the flag that it raises: paced events, and among them tenants of concern over a threshold.

    python -m bench.latency --bootstrap HOST:PORT --rate EVENTS_A_SECOND --consumer CORE [--seconds 30]

Every quarter of a second the last fact of one such tenant is produced; it is timed until its flag can be read in the
store by somebody else, who looks every few hundredths of a second. Prints its figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from confluent_kafka import Producer

from monitor.simulate.scenarios import simulate
from monitor.store.sql import SqlStore
from tests.servers.kafka import Topics, free_ports

ROOT = Path(__file__).resolve().parents[1]
RULE = "ladder.1e23.of_concern"
EVERY_SECONDS = 0.25
LOOK_SECONDS = 0.03
GRACE_SECONDS = 15.0
DAY_MS = 86_400_000


def main() -> None:
    """Produce, look, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--consumer", required=True)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--client", default="kafka-python")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flopwatch-latency-") as folder:
        print(json.dumps(measure(options, Path(folder))))


def measure(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """The figures of one run."""
    topics = Topics(options.bootstrap)
    tenants, control, url = topics.create(1), topics.create(1), f"sqlite:///{folder / 'books.db'}"
    (port,) = free_ports(1)
    settings = {
        "STORE_URL": url, "HTTP__PORT": port, "COMMIT_SECONDS": 1, "TICK_SECONDS": 1, "LOG_LEVEL": "error",
        "KAFKA__BOOTSTRAP_SERVERS": json.dumps([options.bootstrap]), "KAFKA__TENANT_TOPIC": tenants,
        "KAFKA__CONTROL_TOPIC": control, "KAFKA__GROUP": tenants, "KAFKA__ALLOW_INSECURE": "true",
        "KAFKA__CLIENT": options.client,
    }  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **{f"FLOPWATCH_{k}": str(v) for k, v in settings.items()}}
    command = ["taskset", "-c", options.consumer, sys.executable, "-W", "ignore", "-c"]
    worker = subprocess.Popen([*command, "from monitor.cli import main; main()", "run"], env=environment)
    seen: dict[str, float] = {}
    ended = threading.Event()
    try:
        wait_until_ready(port)
        watcher = threading.Thread(target=watch, args=(url, seen, ended))
        watcher.start()
        produced = produce(options, tenants)
        end = time.monotonic() + GRACE_SECONDS
        while len(seen) < len(produced) and time.monotonic() < end:
            time.sleep(0.1)
        ended.set()
        watcher.join()
    finally:
        worker.terminate()
        worker.wait()
        topics.close()
    waits = sorted(seen[tenant] - at for tenant, at in produced.items() if tenant in seen)
    return {
        "rate": options.rate,
        "flags": len(produced),
        "missing": len(produced) - len(waits),
        "p50": waits[len(waits) // 2],
        "p99": waits[min(len(waits) - 1, len(waits) * 99 // 100)],
    }


def wait_until_ready(port: int) -> None:
    """The worker has its partition."""
    while True:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
            if b"flopwatch_consumer_assigned_partitions 1.0" in page.read():
                return
        time.sleep(0.2)


def watch(url: str, seen: dict[str, float], ended: threading.Event) -> None:
    """Note when the flag of each tenant can be read."""
    store = SqlStore.open(url, create=False)
    try:
        while not ended.wait(LOOK_SECONDS):
            for flag in store.flags():
                if flag.rule == RULE:
                    seen.setdefault(flag.tenant, time.monotonic())
    finally:
        store.close()


def produce(options: argparse.Namespace, topic: str) -> dict[str, float]:
    """Send events at the rate; when the last fact of each tenant of concern was sent."""
    now = time.time_ns() // 1_000_000_000 * 1_000
    count = options.rate * options.seconds
    start = now - 9 * DAY_MS
    ordinary = list(islice(simulate("steady", start=start, scale=1 + count // 200_000).events(), count))
    producer = Producer({"bootstrap.servers": options.bootstrap, "linger.ms": 5})
    produced: dict[str, float] = {}
    began, sent = time.monotonic(), 0
    while sent < len(ordinary):
        passed = time.monotonic() - began
        due = min(len(ordinary), round(passed * options.rate))
        for line in ordinary[sent:due]:
            tenant = json.loads(line)["data"].get("tenant")
            if tenant is not None:
                producer.produce(topic, line, tenant.encode())
        sent = due
        if passed >= len(produced) * EVERY_SECONDS:
            tenant = f"of-concern-{len(produced)}"
            for line in run_of(tenant, now - 60 * DAY_MS, now - DAY_MS):
                producer.produce(topic, line, tenant.encode())
            produced[tenant] = time.monotonic()
        producer.poll(0.005)
    producer.flush()
    return produced


def run_of(tenant: str, start: int, end: int) -> Iterator[bytes]:
    """Thousands of accelerators for weeks, held by somebody from a country of concern."""
    party = {"party": tenant, "hq_country": "CN", "basis": {"hq_country": "documented"}}
    yield event(f"{tenant}/0", "tenant.profiled", start, {"tenant": tenant, **party})
    held = {"allocation": "run", "accelerator": "H100 SXM", "count": 8_000, "region": "eu"}
    yield event(f"{tenant}/1", "allocation.started", start, {"tenant": tenant, **held})
    yield event(f"{tenant}/2", "allocation.stopped", end, {"tenant": tenant, "allocation": "run"})


def event(name: str, kind: str, at: int, data: dict[str, object]) -> bytes:
    """A canonical event."""
    time_text = datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps(
        {
            "specversion": "1.0", "id": name, "source": "bench/latency", "type": f"io.flopwatch.{kind}.v1",
            "time": time_text, "data": data,
        }
    ).encode()  # fmt: skip


if __name__ == "__main__":
    main()
