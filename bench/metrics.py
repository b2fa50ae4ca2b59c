#!/usr/bin/env python3
"""How large /metrics is and how long it takes with many tenants: `bench/metrics.py [--tenants 10000]`.

Books of so many tenants, each of which holds something, with the series of all shipped rules, every source list, 50
sources, 64 partitions of two topics and the console's most asked routes. Sizes in bytes; medians of 20 scrapes in this
process, and of 5 looks at who is largest, which a worker does once a minute.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from monitor.app import references
from monitor.core.book import Book
from monitor.core.engine import largest
from monitor.core.model import HOUR_MS
from monitor.intake.decode import decode_facts
from monitor.metrics import HIT_BANDS, BooksState, ConsoleMetrics, Metrics
from monitor.reference.lists.effects import load_effects
from monitor.reference.root import config_root
from monitor.run.apply import take_in
from monitor.settings import Settings
from monitor.store.memory import MemoryArchive

SHOWN = 200
ROUTES = ("/", "/queue", "/cases", "/tenants", "/runs", "/groups", "/policies", "/proposals", "/audit", "/api", "/me")
STATUSES = ("200", "303", "404", "409")
PARTITIONS, SOURCES = 64, 60


def lines(tenants: int) -> Iterator[bytes]:
    """Somebody of each tenant starts something, of different sizes."""
    for number in range(tenants):
        held = {"accelerator": "H100 SXM5 80GB", "count": 1 + number % 512, "region": f"r-{number % 20}"}
        event = {
            "specversion": "1.0",
            "id": f"e-{number}",
            "source": f"/control-plane/{number % SOURCES}",
            "type": "io.flopwatch.allocation.started.v1",
            "time": "2026-01-05T08:00:00Z",
            "data": {"tenant": f"t-{number:06d}", "allocation": "a", **held},
        }
        yield json.dumps(event).encode()


def median(work: Callable[[], object], times: int) -> float:
    """Seconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> None:
    """Fill books, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=10_000)
    tenants = parser.parse_args().tenants
    reference = references.load_reference(config_root())
    book, archive = Book(HOUR_MS, 1_000), MemoryArchive()
    facts = decode_facts(lines(tenants))
    take_in(book, archive, facts, [None] * len(facts))
    now = book.clock + 100 * HOUR_MS
    looking = median(lambda: largest(book, reference, SHOWN, now), 5)
    sizes = largest(book, reference, SHOWN, now)
    sources = load_effects(config_root(), Settings().affiliates_rule_returns).effects.of_source
    hits = {(source, band): tenants for source in sources for band in HIT_BANDS}
    state = BooksState(tenants=tenants, sizes=sizes, hits=hits, largest_run=sizes.shown[0][2])

    registry = CollectorRegistry()
    metrics, console = Metrics(registry), ConsoleMetrics(registry)
    metrics.describe("sha256:0", reference)
    metrics.expose(lambda: state, [rule.id for policy in reference.policies for rule in policy.rules])
    for number in range(PARTITIONS):
        for topic in ("tenants", "control"):
            metrics.set("flopwatch_consumer_lag_records", number, topic=topic, partition=str(number))
            metrics.set("flopwatch_partition_stalled", 0, topic=topic, partition=str(number))
    for number in range(SOURCES):
        metrics.heard(f"/control-plane/{number}", now)
    for route in ROUTES:
        for status in STATUSES:
            console.answered(route, "GET", int(status), 0.01)
    page = generate_latest(registry)
    series = sum(not line.startswith(b"#") for line in page.splitlines())
    print(f"{tenants:,} tenants: /metrics has {series:,} series in {len(page):,} bytes (bar 1,000,000)")
    print(f"one scrape {1_000 * median(lambda: generate_latest(registry), 20):.1f} ms (bar 200)")
    print(f"looking who is largest, once a minute: {1_000 * looking:.0f} ms")


if __name__ == "__main__":
    main()
