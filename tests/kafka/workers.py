"""Workers as processes on a real Kafka and a real store, and what a test asks of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from monitor.errors import StoreProblem
from monitor.store.sql import SqlStore
from tests.cli.command import flopwatch
from tests.servers.kafka import Topics, free_ports, send, wait_for

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "from monitor.cli import main; main()"]
STOP_SECONDS = 60.0
PRODUCE_SECONDS = 120.0
SESSION_SECONDS = 6
LOOK_SECONDS = 0.2  # between two looks at the books: each opens a store, and the workers need the processor


class Site:
    """Two topics, a store, and the settings of the workers that join them."""

    def __init__(self, folder: Path, topics: Topics, store_url: str, partitions: int) -> None:
        self.folder = folder
        self.topics = topics
        self.partitions = partitions
        self.tenants, self.control = topics.create(partitions), topics.create(1)
        self.store_url = store_url
        self.workers: list[Worker] = []

    def settings(self, port: int, more: Mapping[str, object]) -> dict[str, str]:
        """The environment of a worker."""
        values = {
            "STORE_URL": self.store_url,
            "HTTP__PORT": port,
            "COMMIT_SECONDS": 0.2,
            "TICK_SECONDS": 0.5,
            "BATCH_RECORDS_MAX": 500,
            "KAFKA__BOOTSTRAP_SERVERS": json.dumps([self.topics.bootstrap]),
            "KAFKA__TENANT_TOPIC": self.tenants,
            "KAFKA__CONTROL_TOPIC": self.control,
            "KAFKA__GROUP": self.tenants,
            "KAFKA__SESSION_SECONDS": SESSION_SECONDS,
            "KAFKA__ALLOW_INSECURE": "true",
            **more,
        }
        # kafka-python warns of its own use of importlib when it is first read.
        settings = {f"FLOPWATCH_{name}": str(value) for name, value in values.items()}
        return {**os.environ, **settings, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}

    def start(self, role: str = "worker", **more: object) -> Worker:
        """One more worker; of role `all` it serves the console, too."""
        worker = Worker(self, len(self.workers), role, more)
        self.workers.append(worker)
        return worker

    def produce(self, lines: Iterable[bytes]) -> None:
        """Send events to the topics, keyed by tenant, and wait until they are there."""
        producer = Producer(
            {"bootstrap.servers": self.topics.bootstrap, "partitioner": "murmur2_random", "linger.ms": 5}
        )
        for line in lines:
            tenant = json.loads(line)["data"].get("tenant")
            topic, key = (self.control, None) if tenant is None else (self.tenants, tenant.encode())
            send(producer, topic, key, line)
        assert producer.flush(PRODUCE_SECONDS) == 0

    def read(self) -> int:
        """How many records of tenants the books have taken in."""
        try:
            store = SqlStore.open(self.store_url, create=False)
        except StoreProblem:  # no worker has made it yet
            return 0
        try:
            return sum(
                place.next_offset
                for places in store.book_positions().values()
                for (topic, _), place in places.items()
                if topic == self.tenants
            )
        finally:
            store.close()

    def read_to_the_end(self) -> bool:
        """Whether the books of all partitions stand at the ends of both topics."""
        return self.stands_at(self.ends())

    def ends(self) -> dict[tuple[str, int], int]:
        """What follows the last record of each partition of both topics."""
        return self.topics.ends({self.tenants: self.partitions, self.control: 1})

    def stands_at(self, ends: Mapping[tuple[str, int], int]) -> bool:
        """Whether the books of all partitions have come to these places."""
        try:
            store = SqlStore.open(self.store_url, create=False)
        except StoreProblem:  # no worker has made it yet
            return False
        try:
            books = store.book_positions()
        finally:
            store.close()
        return all(
            number in books
            and all(
                end == 0 or (where in books[number] and books[number][where].next_offset == end)
                for where, end in ends.items()
                if where in ((self.tenants, number), (self.control, 0))
            )
            for number in range(self.partitions)
        )

    def answer(self, *words: str) -> Any:
        """What a command prints as JSON about the store."""
        return json.loads(self.said(*words, "--json"))

    def said(self, *words: str) -> str:
        """What a command prints; in this process, since starting one takes longer than most answers."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.settings(0, {}).items():
                patch.setenv(name, value)
            done = flopwatch(*words)
        assert done.code == 0, done.out[-2_000:] + done.err[-2_000:]
        return done.out

    def close(self) -> None:
        """Kill whoever still runs."""
        for worker in self.workers:
            worker.kill()


class Worker:
    """One `flopwatch run`."""

    def __init__(self, site: Site, number: int, role: str, more: Mapping[str, object]) -> None:
        self._role = role
        self.port = free_ports(1)[0]
        self._log = site.folder / f"worker-{number}.log"
        self._more = more
        self._environment = site.settings(self.port, more)
        self.start()

    def start_over(self, site: Site) -> None:
        """Start it again over the store that the site has now."""
        self._environment = site.settings(self.port, self._more)
        self.start()

    def start(self) -> None:
        """Start it, also again."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*COMMAND, "run", "--role", self._role], stderr=log, env=self._environment)

    def kill(self) -> None:
        """Kill it at once."""
        self._process.kill()
        self._process.wait(STOP_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def stop(self) -> None:
        """Ask it to stop once it has started, and wait until it has."""
        wait_for(lambda: self.page("/readyz"), STOP_SECONDS, "an answer of the worker")
        self.signal(signal.SIGTERM)
        assert self._process.wait(STOP_SECONDS) == 0, self.logged()[-2_000:]

    def restart(self) -> None:
        """Ask it to stop, so that its partitions go to others at once, and start it again."""
        self.stop()
        self.start()

    @property
    def running(self) -> bool:
        """Whether the process exists."""
        return self._process.poll() is None

    def page(self, path: str) -> str:
        """What it answers over HTTP, "" while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.read().decode()
        except OSError:
            return ""

    def metric(self, name: str) -> float | None:
        """The sum of a metric over all its labels."""
        families = text_string_to_metric_families(self.page("/metrics"))
        values = [one.value for family in families for one in family.samples if one.name == name]
        return sum(values) if values else None

    def notices(self) -> list[tuple[str, str, str]]:
        """What it told people about flags: which, what, and as of when."""
        lines = (json.loads(line) for line in self.logged().splitlines() if line.startswith('{"event": "flag"'))
        return [(line["flag"], line["act"], line["as_of"]) for line in lines]

    def logged(self) -> str:
        """Everything that it has logged."""
        return self._log.read_text(encoding="utf-8")


def until(what: Any, seconds: float, name: str, site: Site) -> None:
    """Wait for something, and show what the workers said if it does not come."""
    try:
        wait_for(what, seconds, name, LOOK_SECONDS)
    except AssertionError as late:
        logs = "\n".join(f"worker {number}: {one.logged()[-1_500:]}" for number, one in enumerate(site.workers))
        raise AssertionError(f"{late}\n{logs}") from None
