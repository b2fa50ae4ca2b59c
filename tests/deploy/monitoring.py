"""Programs of Prometheus and Alertmanager, started on loopback with copies of what stands in deploy/."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
RULES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yaml"))
PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
}
START_SECONDS = 60.0


def program(name: str) -> str:
    """Where a program is; the test is skipped if it is not there."""
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed: `make test-deps`, or Debian's package {PACKAGES[name]}")
    return found


def told(*command: object, stdin: str = "") -> tuple[int, str]:
    """Exit code and everything that a program says."""
    name, *rest = map(str, command)
    ran = subprocess.run([program(name), *rest], input=stdin, capture_output=True, text=True, timeout=60)
    return ran.returncode, ran.stdout + ran.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def page(port: int, path: str) -> str | None:
    """The text of a page; None while there is none."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as response:
            return str(response.read().decode())
    except urllib.error.HTTPError as refused:
        refused.close()
        return None
    except OSError:
        return None


def wait_for(what: Callable[[], bool], said: str, seconds: float = START_SECONDS) -> None:
    """Wait until something is so, for a limited time."""
    limit = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < limit, f"{said} did not come about in {seconds:.0f} s"
        time.sleep(0.1)


@contextmanager
def running(command: list[str], log: Path, port: int, ready: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that answers a page, ended at the end."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=log.parent
        )
    try:
        wait_for(lambda: process.poll() is not None or page(port, ready) is not None, f"an answer of {command[0]}")
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def prometheus(
    folder: Path, targets: dict[str, int], alertmanager: int | None = None, more: Callable[[str], str] = str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A Prometheus with our configuration and rules, which asks and decides every half second; and its port.

    `targets` are the ports to scrape, by job; `more` changes the rules further.
    """
    settings = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    (scrape,) = settings["scrape_configs"]
    settings["global"] = {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"}
    settings["scrape_configs"] = [
        {**scrape, "job_name": job, "scrape_interval": "500ms", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
        for job, port in targets.items()
    ]
    del settings["alerting"]
    if alertmanager:
        address = {"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}
        settings["alerting"] = {"alertmanagers": [address]}
    (folder / "rules").mkdir()
    for file in RULES:
        (folder / "rules" / file.name).write_text(more(hurried(file.read_text())))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    port = free_port()
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=1s",
        "--log.level=warn",
    ]
    with running(command, folder / "prometheus.log", port, "-/ready") as process:
        yield process, port


@contextmanager
def alertmanager(folder: Path, receiver: int) -> Iterator[int]:
    """The port of an Alertmanager with our configuration, in a hurry, that sends everything to one port."""
    text = hurried((DEPLOY / "alertmanager" / "alertmanager.yml").read_text())
    own = re.sub(r"https://hooks\.example/flopwatch", f"http://127.0.0.1:{receiver}", text)
    with alertmanager_of(folder, own) as port:
        yield port


@contextmanager
def alertmanager_of(folder: Path, configuration: str) -> Iterator[int]:
    """The port of an Alertmanager with a configuration."""
    (folder / "alertmanager.yml").write_text(configuration, encoding="utf-8")
    port = free_port()
    command = [
        program("prometheus-alertmanager"),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    with running(command, folder / "alertmanager.log", port, "-/ready"):
        yield port


def hurried(text: str) -> str:
    """The same with every wait a second or less."""
    return re.sub(r"\b(for|keep_firing_for|group_wait|group_interval|repeat_interval): [1-9]\w*", r"\1: 1s", text)


def samples(port: int, query: str) -> list[dict[str, Any]]:
    """What Prometheus answers to a query now."""
    text = page(port, "api/v1/query?" + urllib.parse.urlencode({"query": query}))
    return list(json.loads(text)["data"]["result"]) if text else []
