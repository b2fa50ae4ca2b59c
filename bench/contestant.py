"""One contestant of bench/streaming.py in a process of its own: a bare loop of a client, or a worker. Prints JSON."""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from monitor.app import daemon, references, stores
from monitor.clock import SystemClock
from monitor.core.book import Book
from monitor.core.partitions import adopter
from monitor.log import build_log
from monitor.metrics import Metrics
from monitor.reference.root import config_root
from monitor.run import task as task_module
from monitor.run import worker as worker_module
from monitor.run.evaluation import Hours
from monitor.run.routing import Layout
from monitor.run.task import Task
from monitor.run.worker import Ends, Worker
from monitor.settings import Settings
from monitor.store import Commit, JournalEntry, JournalRow, Loaded
from monitor.store.memory import MemoryArchive
from monitor.store.sql import SqlStore

RECORDS_MAX = 2_000  # what the settings ask of a poll
FETCH_BYTES_MAX = 16 * 1024 * 1024  # what flopwatch asks of a partition


def main() -> None:
    """Run the part that the command names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("bare", "worker"))
    parser.add_argument("--client", choices=("kafka-python", "confluent-kafka"), default="kafka-python")
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--control", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--store", default="", help="none: facts in lists")
    parser.add_argument("--own", type=int, default=1, help="wait until so many partitions are ours")
    parser.add_argument("--profile", help="write what cProfile sees to this file")
    options = parser.parse_args()
    if options.part == "worker":
        figures = worker(options)
    else:
        figures = (bare_python if options.client == "kafka-python" else bare_confluent)(options)
    print(json.dumps(figures))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Clocked:
    """Seconds and CPU seconds from the first record delivered on."""

    def __init__(self) -> None:
        self.first = self.cpu = 0.0

    def start(self) -> None:
        """The first record is there."""
        if not self.first:
            self.first, self.cpu = time.time(), _cpu()

    def figures(self, records: int) -> dict[str, Any]:
        """What the process prints."""
        last = time.time()
        return {
            "seconds": last - self.first,
            "cpu": _cpu() - self.cpu,
            "records": records,
            "first": self.first,
            "last": last,
        }


# -- bare loops --------------------------------------------------------------------------------------------------------


def bare_python(options: argparse.Namespace) -> dict[str, Any]:
    """Poll of kafka-python, and nothing done with what it brings."""
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(
        bootstrap_servers=options.bootstrap,
        enable_auto_commit=False,
        metrics_enabled=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=FETCH_BYTES_MAX,
        fetch_max_bytes=4 * FETCH_BYTES_MAX,
    )
    consumer.assign([TopicPartition(options.topic, 0)])
    consumer.seek_to_beginning()
    clocked, seen, size = Clocked(), 0, 0
    while seen < options.events:
        for batch in consumer.poll(timeout_ms=500, max_records=RECORDS_MAX).values():
            clocked.start()
            for one in batch:
                size += len(one.value)
            seen += len(batch)
    figures = clocked.figures(seen)
    consumer.close()
    return figures


def bare_confluent(options: argparse.Namespace) -> dict[str, Any]:
    """Consume of confluent-kafka, and nothing done with what it brings."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    consumer = Consumer(
        {"bootstrap.servers": options.bootstrap, "group.id": options.group, "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(options.topic, 0, OFFSET_BEGINNING)])
    clocked, seen, size = Clocked(), 0, 0
    while seen < options.events:
        batch = consumer.consume(RECORDS_MAX, 0.05)
        if batch:
            clocked.start()
        for one in batch:
            size += len(one.value())
        seen += len(batch)
    figures = clocked.figures(seen)
    consumer.close()
    return figures


# -- the worker --------------------------------------------------------------------------------------------------------


class NoStore(MemoryArchive):
    """The archive in lists, and commits that go nowhere."""

    def commit(self, commit: Commit) -> None:
        """Forget everything but which allocations there are."""
        super().commit(commit.moved)

    def record(self, entries: Sequence[JournalEntry], at: int) -> None:
        """Nothing is kept."""

    def journal(self, after: int = 0, kinds: Collection[str] | None = None) -> list[JournalRow]:
        """Nobody decides anything."""
        return []

    def last_tick(self) -> int | None:
        """There was none."""
        return None

    def blind(self, partition: int | None = None) -> list[Any]:
        """Everything was seen."""
        return []

    def old_hours(self, tenant: str, before: int) -> Hours:
        """The book keeps all of them."""
        return (), ()

    def owners(self, names: Collection[str]) -> dict[str, int]:
        """Nobody owns them."""
        return {}


class NoStores:
    """Books of every partition with no store behind them."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        self._settings = settings
        self._partitions = partitions

    def open(self, partition: int) -> tuple[Loaded, NoStore]:
        """Empty books."""
        book = Book(self._settings.lateness_ms)
        book.adopts = adopter(partition, self._partitions, self._settings.kafka.partitioner)
        return Loaded(book, {}, {}), NoStore()

    def heard(self) -> Mapping[str, int]:
        """No other partition is asked."""
        return {}

    def letters_waiting(self) -> int:
        """Nothing was refused."""
        return 0


class Stages:
    """Seconds in each stage; what a stage calls that is a stage itself counts there alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner = [0.0]

    def wrap(self, where: object, name: str, stage: str) -> None:
        """Time the calls of an attribute from now on."""
        call = getattr(where, name)
        setattr(where, name, self.timed(call, stage))

    def timed(self, call: Callable[..., Any], stage: str) -> Callable[..., Any]:
        """A function that takes the time of another."""
        self.seconds.setdefault(stage, 0.0)

        def timed(*words: Any, **named: Any) -> Any:
            self._inner.append(0.0)
            started = time.perf_counter()
            try:
                return call(*words, **named)
            finally:
                took = time.perf_counter() - started
                self.seconds[stage] += took - self._inner.pop()
                self._inner[-1] += took

        return timed


def worker(options: argparse.Namespace) -> dict[str, Any]:
    """Read the topics from their start to their end, and commit."""
    stores.tune_collector()
    settings = Settings(
        store_url=options.store or "sqlite:///unused.db",
        kafka={
            "bootstrap_servers": [options.bootstrap], "tenant_topic": options.topic, "control_topic": options.control,
            "group": options.group, "client": options.client, "allow_insecure": True,
        },
    )  # fmt: skip
    source = daemon.kafka_source(settings.kafka)
    try:
        return _read(options, settings, source)
    finally:
        source.close()


def _read(options: argparse.Namespace, settings: Settings, source: Any) -> dict[str, Any]:
    while sum(topic == options.topic for topic, _ in source.assigned()) != options.own:
        source.poll(RECORDS_MAX)
    ends = source.ends()
    stages, clocked = Stages(), Clocked()
    poll = source.poll

    def polled(records_max: int) -> Any:
        records = poll(records_max)
        if records:
            clocked.start()
        return records

    source.poll = polled
    reference, clock = references.load_reference(config_root()), SystemClock()
    metrics = Metrics(CollectorRegistry())
    with _stores(options, settings, source, metrics) as stores:
        stages.wrap(source, "poll", "poll")
        stages.wrap(worker_module, "decode", "decode")
        stages.wrap(worker_module, "without_misrouted", "route")
        stages.wrap(task_module, "take_in", "book")
        stages.wrap(Task, "evaluate", "evaluate")
        for name in ("heads", "append", "histories", "commit"):
            stages.wrap(SqlStore if options.store else NoStore, name, "store" if name == "commit" else "archive")
        ends_of = Ends(source, stores, metrics, clock, build_log("error", clock))
        run = Worker(ends_of, reference, settings, Layout(options.topic, options.control))
        with _profiled(options.profile):
            while not _at(source, ends):
                if not run.step():
                    time.sleep(worker_module.IDLE_SECONDS)
            run.finish()
        records = sum(end for (topic, _), end in ends.items() if topic == options.topic)
        figures = clocked.figures(records)
    return {**figures, "stages": stages.seconds}


def _at(source: Any, ends: Mapping[Any, int]) -> bool:
    positions = source.positions()
    return all(not end or (where in positions and positions[where].next_offset >= end) for where, end in ends.items())


@contextmanager
def _stores(options: argparse.Namespace, settings: Settings, source: Any, metrics: Metrics) -> Iterator[Any]:
    if not options.store:
        yield NoStores(settings, source.tenant_partitions())
        return
    with stores.opened_store(options.store) as store:
        yield daemon.Books(store, settings, source.tenant_partitions, metrics)


@contextmanager
def _profiled(path: str | None) -> Iterator[None]:
    if path is None:
        yield
        return
    import cProfile

    profile = cProfile.Profile()
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
        profile.dump_stats(path)


if __name__ == "__main__":
    main()
