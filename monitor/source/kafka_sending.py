"""Facts to the two topics that workers read: those of a tenant keyed by it, others to the control topic."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from kafka import KafkaProducer
from kafka import errors as kafka_errors

from monitor.core.model import Rejected
from monitor.core.partitions import partition_of
from monitor.errors import SourceProblem
from monitor.settings import Kafka
from monitor.source import Outgoing, letter_headers
from monitor.source.kafka import connection
from monitor.source.kafka_troubles import connected, told

DELIVERY_SECONDS = 60
CLOSE_SECONDS = 5.0
REQUEST_BYTES_MAX = 64 * 1024 * 1024
TOO_LARGE = (kafka_errors.MessageSizeTooLargeError, kafka_errors.RecordListTooLargeError)
STRUCTURED = [("content-type", b"application/cloudevents+json")]


class Sender:
    """A connection by which events go to their topics, and what is none to that of dead letters.

    Raises:
        SourceProblem: nobody answers, or a topic is missing.
        SettingsProblem: a file with a secret or a certificate cannot be used.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        letters = [] if kafka.dead_letter_topic is None else [kafka.dead_letter_topic]
        self._topics = [kafka.tenant_topic, kafka.control_topic, *letters]
        self._producer: Any = None  # None: to be made
        self._partitions = 0  # of the topic of tenants
        self._connect()

    def _connect(self) -> None:
        kafka = self._kafka
        with ExitStack() as undo, told(kafka, "Write", self._topics):
            undo.callback(self.close)
            self._producer = connected(lambda: _producer(kafka), kafka.request_seconds)
            self._partitions, _ = (
                _partitions(self._producer, one) for one in (kafka.tenant_topic, kafka.control_topic)
            )
            undo.pop_all()

    def send(self, events: Iterable[Outgoing], letters: Iterable[Rejected] = ()) -> int:
        """Send events and wait until all have arrived; the number of them.

        After a failure it connects anew: secrets and topics may have changed.

        Raises:
            SourceProblem: not all have arrived. What did counts once when everything is sent again.
            SettingsProblem: a file with a secret or a certificate cannot be used.
        """
        if self._producer is None:
            self._connect()
        kafka, topic = self._kafka, self._kafka.dead_letter_topic
        with ExitStack() as undo, told(kafka, "Write", self._topics):
            undo.callback(self.close)
            sent = [_sent(self._producer, kafka, event, self._partitions) for event in events]
            for future in sent:
                future.get(timeout=DELIVERY_SECONDS)
            if topic is not None:
                self._send_letters(topic, letters)
            undo.pop_all()
        return len(sent)

    def _send_letters(self, topic: str, letters: Iterable[Rejected]) -> None:
        """Send each as it came, or without its bytes where they are too many for the broker."""
        for letter, future in [(letter, self._refused(topic, letter)) for letter in letters]:
            try:
                future.get(timeout=DELIVERY_SECONDS)
            except TOO_LARGE:
                self._refused(topic, letter, left_out=True).get(timeout=DELIVERY_SECONDS)

    def _refused(self, topic: str, letter: Rejected, left_out: bool = False) -> Any:
        record, reason, sentence = letter
        where = (record.topic, record.partition)
        headers = letter_headers(where, record.offset, reason, sentence, left_out)
        try:
            return self._producer.send(topic, b"" if left_out else record.value, record.key, headers=headers)
        except TOO_LARGE:  # for the client already
            if left_out:
                raise
            return self._refused(topic, letter, left_out=True)

    def close(self) -> None:
        """Let go of the connection."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            producer.close(timeout=CLOSE_SECONDS)


def send(kafka: Kafka, events: Iterable[Outgoing]) -> int:
    """Send events by a connection of their own and wait until all have arrived; the number of them.

    Raises:
        SourceProblem: not all have arrived. What did counts once when everything is sent again.
        SettingsProblem: a file with a secret or a certificate cannot be used.
    """
    sender = Sender(kafka)
    try:
        return sender.send(events)
    finally:
        sender.close()


def _producer(kafka: Kafka) -> Any:
    return KafkaProducer(
        **connection(kafka),
        acks="all",
        # With it, kafka-python sends nothing more for good after one refusal, such as of a record that is too large.
        enable_idempotence=False,
        compression_type="gzip",
        max_block_ms=round(kafka.request_seconds * 1_000),
        max_request_size=REQUEST_BYTES_MAX,
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
