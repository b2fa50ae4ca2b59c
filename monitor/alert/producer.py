"""A client that sends a few records to a topic of Kafka now and then, and waits until all have arrived."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kafka import KafkaProducer
from kafka import errors as kafka_errors

BLOCK_MS = 5_000  # how long sending may wait for the topic to be found
CLOSE_SECONDS = 5.0


class PatientProducer:
    """Connects when it is first needed, and anew after a failure, since secrets may have changed."""

    def __init__(self, seconds: float, connection: Callable[[], Mapping[str, Any]]) -> None:
        """`seconds`: how long a broker may take; `connection` gives what a client connects with, as it is then."""
        self._seconds = seconds
        self._connection = connection
        self._producer: KafkaProducer | None = None

    def send(
        self, topic: str, records: Iterable[tuple[bytes, bytes | None]], headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Send values with their keys, and wait until all have arrived.

        Raises:
            KafkaError: not all may have.
            SettingsProblem: a file with a secret or a certificate cannot be used.
        """
        try:
            if self._producer is None:
                self._producer = self._connected()
            under_way = [self._producer.send(topic, value, key, headers=list(headers)) for value, key in records]
            for future in under_way:
                future.get(timeout=self._seconds + BLOCK_MS / 1_000)
        except kafka_errors.KafkaError:
            self.close()
            raise

    def _connected(self) -> KafkaProducer:
        milliseconds = round(self._seconds * 1_000)
        return KafkaProducer(
            **{**self._connection(), "request_timeout_ms": milliseconds},
            acks="all",
            compression_type="gzip",
            max_block_ms=BLOCK_MS,
            delivery_timeout_ms=milliseconds + BLOCK_MS,
            metrics_enabled=False,
        )

    def close(self) -> None:
        """Let go of the connections."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            producer.close(timeout=CLOSE_SECONDS)
