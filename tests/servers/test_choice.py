"""Which server a test gets: the one that is named, else one in a container, else our own."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psycopg
import pytest

from tests.servers.engine import ENGINE_SECONDS, engine_answers
from tests.servers.kafka import Kafka, Topics, any_kafka
from tests.store.cluster import Cluster, Named, any_postgres


def engine(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command `docker` that does what a script says."""
    command = folder / "docker"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_a_named_broker_is_used(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    """KAFKA_BOOTSTRAP_SERVERS goes before all else, and nothing is started."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap)
    with any_kafka() as named:
        topics = Topics(named.bootstrap)
        name = topics.create(1)
        assert {(name, 0): 0} == topics.ends({name: 1})
        topics.close()
    assert kafka.bootstrap == named.bootstrap


def test_a_named_database_is_used(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """POSTGRES_URL goes before all else; what was made in it is gone afterwards."""
    monkeypatch.setenv("POSTGRES_URL", cluster.url("postgres"))
    with any_postgres() as named:
        assert isinstance(named, Named)
        url = named.new_database()
        with psycopg.connect(url) as connection:
            assert (1,) == connection.execute("select 1").fetchone()
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_without_an_engine_the_database_is_our_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An engine that refuses is none."""
    engine(tmp_path, "exit 1", monkeypatch)
    monkeypatch.delenv("POSTGRES_URL", raising=False)
    with any_postgres() as own:
        assert isinstance(own, Cluster)


@pytest.mark.parametrize(("script", "answers"), [("exit 0", True), ("exit 1", False), ("exec sleep 60", False)])
def test_an_engine_has_five_seconds_to_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, answers: bool
) -> None:
    """Only a command that answers in time stands for an engine."""
    engine(tmp_path, script, monkeypatch)
    before = time.monotonic()
    assert answers == engine_answers()
    assert time.monotonic() - before < 2 * ENGINE_SECONDS
