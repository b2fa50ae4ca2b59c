"""Checkpoints of the audit in a topic of a real broker, and what they are good for there."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition
from prometheus_client import CollectorRegistry

from monitor.alert.checkpoints import CheckpointTopic
from monitor.core.audit import NAMED, Person, checkpoint_from
from monitor.errors import CheckpointProblem
from monitor.log import build_log
from monitor.metrics import Metrics
from monitor.run.checkpoints import RETRY_SECONDS, Checkpoints
from monitor.run.task import Watch
from monitor.settings import Kafka
from monitor.source.kafka import connection
from monitor.store.sql import SqlStore
from tests.cli.command import flopwatch
from tests.deploy.monitoring import free_port
from tests.run.test_worker import TurnedClock
from tests.servers.kafka import Topics, wait_for
from tests.store.test_opening import run

SECONDS = 60.0


def topic_of(topics: Topics, name: str, bootstrap: str = "") -> CheckpointTopic:
    """A topic as a place for checkpoints."""
    kafka = Kafka(bootstrap_servers=(bootstrap or topics.bootstrap,), allow_insecure=True)
    return CheckpointTopic(name, 5.0, lambda: connection(kafka))


def lines_of(topics: Topics, topic: str, count: int) -> list[bytes]:
    """The values of the first records of a topic."""
    consumer, place = KafkaConsumer(bootstrap_servers=topics.bootstrap), TopicPartition(topic, 0)
    found: list[bytes] = []
    try:
        consumer.assign([place])
        consumer.seek(place, 0)

        def enough() -> bool:
            found.extend(one.value for one in consumer.poll(timeout_ms=100).get(place, []))
            return len(found) >= count

        wait_for(enough, SECONDS, f"{count} records of {topic}")
        return found
    finally:
        consumer.close()


def test_rows_cut_off_are_found_by_what_the_topic_has(topics: Topics, tmp_path: Path) -> None:
    """The checkpoints of the topic, read out and given to the command, name the rows that are gone."""
    store, clock, logged = SqlStore.open(f"sqlite:///{tmp_path / 'books.db'}"), TurnedClock(), io.StringIO()
    name = "checkpoints-" + tmp_path.name
    watch = Watch(Metrics(CollectorRegistry()), clock, build_log("info", clock, logged))
    place = topic_of(topics, name)
    checkpoints = Checkpoints(store.audit, [place], 1, watch)

    def work(count: int) -> None:
        def arrived() -> bool:
            checkpoints.work()
            return not checkpoints.under_way

        for _ in range(count):
            store.audit.add(clock.now_ms(), Person(NAMED, "ana"), "evidence.read", "F-1", {})
        clock.turn(RETRY_SECONDS * 2)
        checkpoints.work()
        wait_for(arrived, SECONDS, "a checkpoint")

    work(1)
    assert f"A checkpoint of the audit does not reach the topic {name}" in logged.getvalue()
    topics.create(1, name)
    work(1)
    work(3)
    checkpoints.finish()
    place.close()
    store.close()

    file = tmp_path / "read.jsonl"
    file.write_bytes(b"".join(line + b"\n" for line in lines_of(topics, name, 2)))
    assert [2, 5] == [checkpoint_from(line).rows for line in file.read_bytes().splitlines()]
    verify = ("audit", "verify", "--state", tmp_path / "books.db", "--checkpoints", file)
    whole = flopwatch(*verify)
    run(tmp_path / "books.db", "drop trigger audit_stays", "delete from audit where number > 3")
    cut_off = flopwatch(*verify)

    assert (0, True) == (whole.code, "2 checkpoints agree with it." in whole.out)
    assert (1, True) == (cut_off.code, "Rows 4 to 5 are missing at the end" in cut_off.out)


def test_a_topic_that_forgets_by_key_is_refused(topics: Topics) -> None:
    """A compacted topic would keep the last checkpoint alone: the broker takes no record without a key."""
    place = topic_of(topics, topics.create(1, settings={"cleanup.policy": "compact"}))

    with pytest.raises(CheckpointProblem, match="does not reach the topic"):
        place.put("{}")
    place.close()


def test_a_broker_that_is_away_is_a_sentence(topics: Topics) -> None:
    """Nobody answers there."""
    place = topic_of(topics, "any", f"127.0.0.1:{free_port()}")

    with pytest.raises(CheckpointProblem, match="does not reach the topic any"):
        place.put("{}")
    place.close()
