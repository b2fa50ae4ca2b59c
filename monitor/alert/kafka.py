"""Dead letters to a topic of Kafka: the record as it came, and beside it why it was refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kafka import KafkaProducer
from kafka import errors as kafka_errors

from monitor.alert import Outcome
from monitor.errors import MonitorError
from monitor.source import letter_headers
from monitor.store import DeadLetter

BLOCK_MS = 1_000  # how long sending may wait for the topic to be found
DELIVERY_MS = 30_000
REQUEST_BYTES_MAX = 64 * 1024 * 1024
CLOSE_SECONDS = 5.0
TOO_LARGE = (kafka_errors.MessageSizeTooLargeError, kafka_errors.RecordListTooLargeError)


class KafkaLetters:
    """A topic of dead letters; a record that is too large for it is sent without its bytes."""

    def __init__(self, topic: str, connection: Callable[[], Mapping[str, Any]]) -> None:
        """`connection` gives what a client connects with, secrets as they are then."""
        self.trouble = ""
        self._topic = topic
        self._connection = connection
        self._producer: KafkaProducer | None = None
        self._under_way: dict[int, Any] = {}  # letter -> what its delivery ends with
        self._left_out: set[int] = set()  # letters that are too large for the broker

    def send(self, letter: DeadLetter) -> bool:
        """Begin to send one; returns whether that was possible now."""
        try:
            if self._producer is None:
                self._producer = self._connected()
            self._under_way[letter.number] = self._sent(self._producer, letter)
        except (kafka_errors.KafkaError, MonitorError) as problem:
            self._fail(problem)
            return False
        return True

    def _sent(self, producer: KafkaProducer, letter: DeadLetter) -> Any:
        left_out = letter.number in self._left_out
        where = (letter.topic, letter.partition)
        headers = letter_headers(where, letter.offset, letter.reason, letter.sentence, left_out, letter.number)
        try:
            return producer.send(self._topic, b"" if left_out else letter.body, letter.key, headers=headers)
        except TOO_LARGE:  # for the client already
            if left_out:
                raise
            self._left_out.add(letter.number)
            return self._sent(producer, letter)

    def _connected(self) -> KafkaProducer:
        return KafkaProducer(
            **self._connection(),
            acks="all",
            linger_ms=50,
            compression_type="gzip",
            max_block_ms=BLOCK_MS,
            delivery_timeout_ms=DELIVERY_MS + 1_000,
            max_request_size=REQUEST_BYTES_MAX,
            metrics_enabled=False,
        )

    def outcome(self) -> Outcome:
        """What became of those that were sent, since the last call."""
        arrived: list[int] = []
        failed: list[int] = []
        for number, future in list(self._under_way.items()):
            if future.is_done:
                del self._under_way[number]
                (failed if future.failed() else arrived).append(number)
                if future.failed():
                    self._left_out |= {number} if isinstance(future.exception, TOO_LARGE) else set()
                    self._fail(future.exception)
        if arrived:
            self.trouble = ""
        return Outcome(arrived, failed)

    def _fail(self, problem: Exception) -> None:
        self.trouble = (
            f"Dead letters do not reach the topic {self._topic} ({problem}): create it, or grant Write on it, or mend "
            "the settings in `kafka`. They wait in the store."
        )
        self._disconnect()  # secrets may have changed: the next attempt reads them anew

    def _disconnect(self) -> None:
        if self._producer is not None and not self._under_way:
            producer, self._producer = self._producer, None
            producer.close(timeout=CLOSE_SECONDS)

    def close(self) -> None:
        """Let go of the connections."""
        self._under_way.clear()
        self._disconnect()
