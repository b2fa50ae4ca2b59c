"""`flopwatch profiles --send` on a real broker: each profile arrives where workers read it, keyed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from monitor.core.partitions import partition_of
from tests.cli.command import flopwatch
from tests.servers.kafka import Topics

PARTITIONS = 3
TENANTS = [f"tenant-{number}" for number in range(8)]


def settings(folder: Path, bootstrap: str, tenants: str, control: str, partitioner: str, seconds: int) -> Path:
    file = folder / "monitor.yaml"
    kafka = {
        "bootstrap_servers": [bootstrap],
        "allow_insecure": True,
        "tenant_topic": tenants,
        "control_topic": control,
        "partitioner": partitioner,
        "request_seconds": seconds,
    }
    file.write_text(json.dumps({"kafka": kafka}), encoding="utf-8")
    return file


@pytest.mark.parametrize("partitioner", ["murmur2", "crc32"])
def test_profiles_arrive_where_workers_read_them(tmp_path: Path, topics: Topics, partitioner: str) -> None:
    """Those of tenants on the partition of their tenant, those of parties on the control topic."""
    tenants, control = topics.create(PARTITIONS), topics.create(1)
    config = settings(tmp_path, topics.bootstrap, tenants, control, partitioner, 30)
    file = tmp_path / "customers.csv"
    rows = [f"{name},p-{name},GB" for name in TENANTS] + [",p-9,VG"]
    file.write_text("\n".join(["tenant,party,hq_country", *rows]), encoding="utf-8")

    ran = flopwatch("profiles", file, "--at", "2026-02-01T00:00:00Z", "--send", "--config", config)

    assert (0, "Sent: 9 profiles.\n", "") == ran
    consumer = KafkaConsumer(bootstrap_servers=topics.bootstrap, auto_offset_reset="earliest")
    places = [TopicPartition(tenants, number) for number in range(PARTITIONS)] + [TopicPartition(control, 0)]
    consumer.assign(places)
    found = []
    while len(found) < len(rows):
        batches = consumer.poll(timeout_ms=10_000)
        assert batches, "not everything has arrived"
        found += [record for batch in batches.values() for record in batch]
    consumer.close()

    expected = {(tenants, partition_of(name, PARTITIONS, partitioner), name.encode()) for name in TENANTS}
    assert expected | {(control, 0, b"p-9")} == {(one.topic, one.partition, one.key) for one in found}
    assert {b"application/cloudevents+json"} == {value for one in found for _, value in one.headers}
    assert {*TENANTS, "p-9"} == {json.loads(one.value)["subject"] for one in found}


def test_a_topic_that_is_not_there_is_said(tmp_path: Path, topics: Topics) -> None:
    """Nothing is sent, and the sentence names the topic."""
    config = settings(tmp_path, topics.bootstrap, "no-such-topic", "nor-this", "murmur2", 2)
    file = tmp_path / "customers.csv"
    file.write_text("tenant\nt\n", encoding="utf-8")

    ran = flopwatch("profiles", file, "--at", "2026-02-01T00:00:00Z", "--send", "--config", config)

    assert (2, "") == (ran.code, ran.out)
    assert "no-such-topic" in ran.err
