"""The daemon as an operator meets it: a process that follows a file, answers over HTTP and stops when told to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.simulate.scenarios import simulate
from tests.cli.command import flopwatch

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS, STOP_SECONDS = 60.0, 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer(port: int, page: str) -> tuple[int, str]:
    """Status and text of a page; 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()
    except OSError:
        return 0, ""


def wait_for(what: Callable[[], bool], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < limit, "it did not come about in time"
        time.sleep(0.1)


@pytest.fixture
def lines() -> list[bytes]:
    return [line for line, _ in zip(simulate("frontier").events(), range(3_000), strict=False)]


@pytest.fixture
def daemon(tmp_path: Path, lines: list[bytes]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A daemon that follows a file which has half of its events so far."""
    (tmp_path / "events.jsonl").write_bytes(b"".join(lines[:1_500]))
    port = free_port()
    (tmp_path / "monitor.yaml").write_text(
        f"store_url: sqlite:///{tmp_path / 'books.db'}\n"
        f"files: {{paths: ['{tmp_path / 'events.jsonl'}']}}\n"
        f"http: {{port: {port}}}\n"
    )
    command = [sys.executable, "-c", "from monitor.cli import main; main()", "run"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--config", str(tmp_path / "monitor.yaml")],
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    try:
        yield process, port
    finally:
        process.kill()
        process.wait()


def test_a_daemon_from_start_to_stop(
    daemon: tuple[subprocess.Popen[bytes], int], lines: list[bytes], tmp_path: Path
) -> None:
    """It becomes ready, follows the growing file, counts in its metrics, and ends on SIGTERM with exact books."""
    process, port = daemon
    accepted = 'flopwatch_events_consumed_total{outcome="accepted",topic="file"}'
    wait_for(lambda: answer(port, "readyz")[0] == 200, START_SECONDS)
    wait_for(lambda: f"{accepted} 1500.0" in answer(port, "metrics")[1], START_SECONDS)
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.writelines(lines[1_500:])
    wait_for(lambda: f"{accepted} 3000.0" in answer(port, "metrics")[1], START_SECONDS)
    assert 200 == answer(port, "healthz")[0]

    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert 0 == process.wait(STOP_SECONDS)
    assert time.monotonic() - told < STOP_SECONDS

    state = tmp_path / "books.db"
    assert 0 == flopwatch("verify", "--state", state).code
    as_of = flopwatch("replay", tmp_path / "events.jsonl", "--json").document["as_of"]
    digests = [
        flopwatch(*command, "--json").document["books_digest"]
        for command in (
            ("verify", "--state", state, "--as-of", as_of),
            ("replay", tmp_path / "events.jsonl"),
        )
    ]
    assert digests[0] == digests[1]
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert "orchid-compute" not in log  # tenants are known to the log by an opaque reference only


def test_a_daemon_without_sources_says_what_to_set(tmp_path: Path) -> None:
    """Settings that name no event files are refused with the setting's name."""
    (tmp_path / "monitor.yaml").write_text("store_url: sqlite:///nowhere.db\n")
    ran = flopwatch("run", "--config", tmp_path / "monitor.yaml")
    assert 2 == ran.code
    assert "files.paths" in ran.err


def started(tmp_path: Path, role: str, settings: str) -> subprocess.Popen[bytes]:
    (tmp_path / "monitor.yaml").write_text(f"store_url: sqlite:///{tmp_path / 'books.db'}\n{settings}")
    command = [sys.executable, "-c", "from monitor.cli import main; main()", "run", "--role", role]
    with (tmp_path / "log").open("wb") as log:
        return subprocess.Popen(
            [*command, "--config", str(tmp_path / "monitor.yaml")],
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )


SIGN_IN_COUNTED = 'flopwatch_console_request_seconds_count{method="GET",route="/sign-in",status="200"} 1.0'


def test_a_console_from_start_to_stop(tmp_path: Path) -> None:
    """It serves its pages, metrics and health from a store of its own making, and ends on SIGTERM."""
    port, page_port = free_port(), free_port()
    process = started(tmp_path, "web", f"http: {{port: {port}}}\nconsole: {{port: {page_port}}}\n")
    try:
        wait_for(lambda: answer(port, "readyz") == (200, "The store answers.\n"), START_SECONDS)
        assert (200, "The console answers.\n") == answer(port, "healthz")
        assert "<h1>Sign in</h1>" in answer(page_port, "sign-in")[1]
        # A request is counted once its answer has left.
        wait_for(lambda: SIGN_IN_COUNTED in answer(port, "metrics")[1], STOP_SECONDS)
        # Of a worker: here it would never move, and alert.
        assert "flopwatch_heartbeat" not in answer(port, "metrics")[1]
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(STOP_SECONDS)
        assert 0 == answer(page_port, "sign-in")[0]
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_daemon_serves_the_console_too(tmp_path: Path, lines: list[bytes]) -> None:
    """One process keeps the books and serves the pages, with the metrics of both."""
    (tmp_path / "events.jsonl").write_bytes(b"".join(lines))
    port, page_port = free_port(), free_port()
    files = f"files: {{paths: ['{tmp_path / 'events.jsonl'}']}}\n"
    process = started(tmp_path, "all", f"{files}http: {{port: {port}}}\nconsole: {{port: {page_port}}}\n")
    try:
        wait_for(lambda: answer(port, "readyz")[0] == 200, START_SECONDS)
        assert "<h1>Sign in</h1>" in answer(page_port, "sign-in")[1]
        wait_for(lambda: SIGN_IN_COUNTED in answer(port, "metrics")[1], STOP_SECONDS)
        assert "flopwatch_heartbeat_timestamp_seconds" in answer(port, "metrics")[1]
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(STOP_SECONDS)
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in (tmp_path / "log").read_text()
