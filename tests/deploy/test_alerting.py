"""Alerts reach people: Kafka, a worker, Prometheus, Alertmanager and what receives their messages, all on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from monitor.core.model import DAY_MS, SECOND_MS
from monitor.simulate.scenarios import SCENARIOS, simulate
from tests.deploy.monitoring import alertmanager, page, prometheus, wait_for
from tests.kafka.workers import Site
from tests.servers.kafka import Topics


class Receiver:
    """Notes every message that is sent to it, with the path that it was sent to."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.messages.append((self.path, json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,))
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def alerts(self, name: str, status: str = "firing") -> list[tuple[str, dict[str, Any]]]:
        """The alerts of a name that came, with the path each was sent to."""
        return [
            (path, alert)
            for path, message in list(self.messages)
            for alert in message["alerts"]
            if alert["labels"]["alertname"] == name and alert["status"] == status
        ]


class Producer:
    """Says that it is alive, twice a second, until it is stopped."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        number = 0
        while not self._stopped.wait(0.5):
            number += 1
            self._site.produce([alive(number)])

    def stop(self) -> None:
        """Say nothing more."""
        self._stopped.set()
        self._thread.join()


def alive(number: int) -> bytes:
    """A sign of life as of now."""
    event = {
        "specversion": "1.0",
        "id": f"alive-{number}",
        "source": "/producer",
        "type": "io.flopwatch.source.alive.v1",
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {"source": "/producer"},
    }
    return json.dumps(event).encode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiving = Receiver()
    yield receiving
    receiving.close()


@pytest.fixture
def site(topics: Topics, tmp_path: Path) -> Iterator[Site]:
    """Two partitions, and the books in a file."""
    site = Site(tmp_path, topics, f"sqlite:///{tmp_path / 'books.db'}", 2)
    yield site
    site.close()


@pytest.fixture
def producer(site: Site) -> Iterator[Producer]:
    """A producer that is up."""
    producer = Producer(site)
    yield producer
    producer.stop()


def active(port: int, name: str) -> list[dict[str, Any]]:
    """The alerts of a name that Alertmanager holds for active."""
    answer = page(port, f"api/v2/alerts?filter=alertname%3D{name}")
    assert answer
    return list(json.loads(answer))


def until_now() -> Iterator[bytes]:
    """The simulator's frontier run, in which one tenant trains beyond what its country may, until a moment ago."""
    span = SCENARIOS["frontier"].span_ms
    assert span > DAY_MS
    start = round(time.time()) * SECOND_MS - span
    return simulate("frontier", start=start).events()


def test_flags_blindness_and_death_reach_people(
    tmp_path: Path, receiver: Receiver, site: Site, producer: Producer
) -> None:
    """The flag reaches reviewers; a producer that falls silent and a dead worker reach operators; and the watchdog
    reaches its switch until Prometheus is gone, too.
    """
    worker = site.start(SILENCE_SECONDS=4)
    site.produce(until_now())
    with (
        alertmanager(tmp_path, receiver.port) as managed,
        prometheus(tmp_path, {"flopwatch": worker.port}, managed) as (asking, _),
    ):
        wait_for(lambda: bool(receiver.alerts("FlopwatchCriticalFlagOpen")), "the alert of the critical flag")
        for path, alert in receiver.alerts("FlopwatchCriticalFlagOpen"):
            expected = {"level": "critical", "severity": "critical", "family": "tenant", "job": "flopwatch"}
            assert "/reviewers" == path
            assert expected == {name: alert["labels"][name] for name in expected}
            assert alert["labels"]["rule"].startswith("ladder.")
            assert "orchid-compute" not in json.dumps(alert)  # who it is stands in the books only

        wait_for(lambda: not active(managed, "FlopwatchMonitorBlind"), "a monitor that sees")
        before = len(receiver.alerts("FlopwatchMonitorBlind"))
        producer.stop()
        wait_for(lambda: len(receiver.alerts("FlopwatchMonitorBlind")) > before, "the alert of the silent producer")
        for path, alert in receiver.alerts("FlopwatchMonitorBlind")[before:]:
            assert "/operators" == path
            assert ("silence", "monitor") == (alert["labels"]["cause"], alert["labels"]["family"])

        # With waits of a second, the moments before the first pass and the first scrape may have counted as death.
        wait_for(lambda: not active(managed, "FlopwatchDown"), "a worker that is known to be alive")
        before = len(receiver.alerts("FlopwatchDown"))
        worker.kill()
        wait_for(lambda: len(receiver.alerts("FlopwatchDown")) > before, "the alert of the dead worker")
        for path, alert in receiver.alerts("FlopwatchDown")[before:]:
            assert "/operators" == path
            assert ("critical", "monitor") == (alert["labels"]["severity"], alert["labels"]["family"])

        came = len(receiver.alerts("FlopwatchWatchdog"))
        wait_for(lambda: len(receiver.alerts("FlopwatchWatchdog")) > came + 1, "the watchdog, again and again")
        assert {"/dead-mans-switch"} == {path for path, _ in receiver.alerts("FlopwatchWatchdog")}
        asking.kill()
        wait_for(lambda: not active(managed, "FlopwatchWatchdog"), "the end of the watchdog")
