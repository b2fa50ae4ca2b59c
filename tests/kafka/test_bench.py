"""The contestants of the streaming bench run: a bench that broke would be noticed only when its figures are wanted."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from bench.streaming import ROOT, STAGES, produce
from monitor.simulate.scenarios import simulate
from tests.servers.kafka import Topics

EVENTS = 500


@pytest.mark.parametrize(("client", "kind"), [("kafka-python", "none"), ("confluent-kafka", "sqlite")])
def test_a_worker_reads_all_and_says_where_its_time_went(
    client: str, kind: str, topics: Topics, tmp_path: Path
) -> None:
    """A contestant ends with all records taken in, and each second it names is of a known stage."""
    tenants, control = topics.create(1), topics.create(1)
    facts = [
        (tenant.encode(), line)
        for line in islice(simulate("steady").events(), EVENTS)
        if (tenant := json.loads(line)["data"].get("tenant")) is not None
    ]
    produce(topics.bootstrap, tenants, facts)
    command = [sys.executable, "-W", "ignore", "-m", "bench.contestant", "worker", "--client", client]
    command += ["--bootstrap", topics.bootstrap, "--topic", tenants, "--control", control, "--group", tenants]
    command += ["--events", str(len(facts))]
    if kind == "sqlite":
        command += ["--store", f"sqlite:///{tmp_path / 'books.db'}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["records"] == len(facts)
    assert set(figures["stages"]) <= set(STAGES)
    assert figures["stages"]["book"] > 0
