"""Alerts reach people: a daemon, Prometheus, Alertmanager and what receives their messages, all on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from monitor.simulate.scenarios import simulate
from tests.deploy.monitoring import alertmanager, flopwatch, page, prometheus, wait_for


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


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiving = Receiver()
    yield receiving
    receiving.close()


def active(port: int, name: str) -> list[dict[str, Any]]:
    """The alerts of a name that Alertmanager holds for active."""
    answer = page(port, f"api/v2/alerts?filter=alertname%3D{name}")
    assert answer
    return list(json.loads(answer))


def test_a_critical_flag_and_a_dead_daemon_reach_people(tmp_path: Path, receiver: Receiver) -> None:
    """The flag reaches reviewers, the death operators, and the watchdog its switch until Prometheus is gone too.

    The daemon reads the simulator's frontier run, in which one tenant trains beyond what its country may.
    """
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"".join(simulate("frontier").events()))
    with (
        alertmanager(tmp_path, receiver.port) as managed,
        flopwatch(tmp_path, events) as (daemon, port),
        prometheus(tmp_path, {"flopwatch": port}, managed) as (asking, _),
    ):
        wait_for(lambda: bool(receiver.alerts("FlopwatchCriticalFlagOpen")), "the alert of the critical flag")
        for path, alert in receiver.alerts("FlopwatchCriticalFlagOpen"):
            expected = {"level": "critical", "severity": "critical", "family": "tenant", "job": "flopwatch"}
            assert "/reviewers" == path
            assert expected == {name: alert["labels"][name] for name in expected}
            assert alert["labels"]["rule"].startswith("ladder.")
            assert "orchid-compute" not in json.dumps(alert)  # who it is stands in the books only

        # With waits of a second, the moments before the first pass and the first scrape may have counted as death.
        wait_for(lambda: not active(managed, "FlopwatchDown"), "a daemon that is known to be alive")
        before = len(receiver.alerts("FlopwatchDown"))
        daemon.kill()
        wait_for(lambda: len(receiver.alerts("FlopwatchDown")) > before, "the alert of the dead daemon")
        for path, alert in receiver.alerts("FlopwatchDown")[before:]:
            assert "/operators" == path
            assert ("critical", "monitor") == (alert["labels"]["severity"], alert["labels"]["family"])

        came = len(receiver.alerts("FlopwatchWatchdog"))
        wait_for(lambda: len(receiver.alerts("FlopwatchWatchdog")) > came + 1, "the watchdog, again and again")
        assert {"/dead-mans-switch"} == {path for path, _ in receiver.alerts("FlopwatchWatchdog")}
        asking.kill()
        wait_for(lambda: not active(managed, "FlopwatchWatchdog"), "the end of the watchdog")
