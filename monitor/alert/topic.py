"""Notices to a topic of Kafka: CloudEvents 1.0, one a notice, keyed by tenant; `id` is the same if one comes again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kafka import KafkaProducer
from kafka import errors as kafka_errors

from monitor.alert import Receipt
from monitor.core.clocks import instant
from monitor.core.notices import TRIAL, Message, Notice, notice_document
from monitor.errors import NoticeProblem
from monitor.settings import TopicSink
from monitor.store import Standing

BLOCK_MS = 5_000  # how long sending may wait for the topic to be found
CLOSE_SECONDS = 5.0
STRUCTURED = [("content-type", b"application/cloudevents+json")]
SOURCE = "/flopwatch"


class Topic:
    """A topic of notices."""

    forgets = False

    def __init__(self, settings: TopicSink, connection: Callable[[], Mapping[str, Any]]) -> None:
        """`connection` gives what a client connects with, secrets as they are then."""
        self._settings = settings
        self._connection = connection
        self._producer: KafkaProducer | None = None

    def check(self) -> None:
        """Look at the files of the settings; nothing is sent.

        Raises:
            SettingsProblem: one of them cannot be used.
        """
        self._connection()

    def send(self, message: Message) -> Receipt:
        """Send its notices, and wait until all have arrived."""
        topic, seconds = self._settings.topic, self._settings.timeout_seconds
        try:
            if self._producer is None:
                self._producer = KafkaProducer(
                    **{**self._connection(), "request_timeout_ms": round(seconds * 1_000)},
                    acks="all",
                    compression_type="gzip",
                    max_block_ms=BLOCK_MS,
                    delivery_timeout_ms=round(seconds * 1_000) + BLOCK_MS,
                    metrics_enabled=False,
                )
            under_way = [
                self._producer.send(topic, value, one.tenant.encode("utf-8", "surrogatepass"), headers=STRUCTURED)
                for one, value in ((one, _encoded(event_of(one, message))) for one in message.notices)
            ]
            for future in under_way:
                future.get(timeout=seconds + BLOCK_MS / 1_000)
        except kafka_errors.KafkaError as problem:
            self.close()  # secrets may have changed: the next attempt reads them anew
            raise NoticeProblem(
                f"Notices do not reach the topic {topic} ({problem}): create it, or grant Write on it, or mend the "
                "settings in `kafka`."
            ) from None
        return Receipt()

    def keep(self, standing: Sequence[Standing], now: int) -> None:
        """A topic forgets nothing: nothing is said again."""

    def close(self) -> None:
        """Let go of the connections."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            producer.close(timeout=CLOSE_SECONDS)


def event_of(notice: Notice, message: Message) -> dict[str, Any]:
    """A notice as a CloudEvent."""
    kind = "test" if message.purpose == TRIAL else notice.kind.value
    return {
        "specversion": "1.0",
        "id": notice.id,
        "source": SOURCE,
        "type": f"io.flopwatch.flag.{kind}.v1",
        "time": instant(notice.made_at),
        "subject": notice.flag,
        "datacontenttype": "application/json",
        "data": {**notice_document(notice), "message": message.id},
    }


def _encoded(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event).encode()
