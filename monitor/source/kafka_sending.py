"""Facts to the two topics that workers read: those of a tenant keyed by it, others to the control topic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka import errors as kafka_errors

from monitor.core.partitions import partition_of
from monitor.errors import SourceProblem
from monitor.settings import Kafka
from monitor.source.kafka import connection
from monitor.source.kafka_troubles import connected, told

DELIVERY_SECONDS = 60
CLOSE_SECONDS = 5.0
STRUCTURED = [("content-type", b"application/cloudevents+json")]


class Outgoing(NamedTuple):
    """A canonical event that is to be sent."""

    of_tenant: bool
    key: str  # the tenant, or whom it is about
    value: bytes


def send(kafka: Kafka, events: Iterable[Outgoing]) -> int:
    """Send events and wait until all have arrived; the number of them.

    Raises:
        SourceProblem: not all have arrived. What did counts once when everything is sent again.
        SettingsProblem: a file with a secret or a certificate cannot be used.
    """
    with told(kafka):
        producer = connected(lambda: _producer(kafka), kafka.request_seconds)
        try:
            partitions = {topic: _partitions(producer, topic) for topic in (kafka.tenant_topic, kafka.control_topic)}
            under_way = [_sent(producer, kafka, event, partitions[kafka.tenant_topic]) for event in events]
            for future in under_way:
                future.get(timeout=DELIVERY_SECONDS)
        finally:
            producer.close(timeout=CLOSE_SECONDS)
    return len(under_way)


def _producer(kafka: Kafka) -> Any:
    return KafkaProducer(
        **connection(kafka),
        acks="all",
        compression_type="gzip",
        max_block_ms=round(kafka.request_seconds * 1_000),
        metrics_enabled=False,
    )


def _partitions(producer: Any, topic: str) -> int:
    """How many partitions a topic has.

    Raises:
        SourceProblem: there is no such topic.
    """
    try:
        found = producer.partitions_for(topic)
    except kafka_errors.KafkaTimeoutError:
        found = None
    if not found:
        raise SourceProblem(f"Kafka has no topic {topic}, or does not show it to us: create it, or mend the settings.")
    return len(found)


def _sent(producer: Any, kafka: Kafka, event: Outgoing, partitions: int) -> Any:
    key = event.key.encode("utf-8", "surrogatepass")
    if not event.of_tenant:
        return producer.send(kafka.control_topic, event.value, key, headers=STRUCTURED)
    partition = partition_of(event.key, partitions, kafka.partitioner)
    return producer.send(kafka.tenant_topic, event.value, key, headers=STRUCTURED, partition=partition)
