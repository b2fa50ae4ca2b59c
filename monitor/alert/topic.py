"""Notices to a topic of Kafka: CloudEvents 1.0, one a notice, keyed by tenant; `id` is the same if one comes again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kafka import errors as kafka_errors

from monitor.alert import Receipt
from monitor.alert.producer import PatientProducer
from monitor.core.clocks import instant
from monitor.core.notices import TRIAL, Message, Notice, notice_document
from monitor.errors import NoticeProblem
from monitor.settings import TopicSink
from monitor.store import Standing

STRUCTURED = [("content-type", b"application/cloudevents+json")]
SOURCE = "/flopwatch"


class Topic:
    """A topic of notices."""

    forgets = False

    def __init__(self, settings: TopicSink, connection: Callable[[], Mapping[str, Any]]) -> None:
        """`connection` gives what a client connects with, secrets as they are then."""
        self._settings = settings
        self._connection = connection
        self._producer = PatientProducer(settings.timeout_seconds, connection)

    def check(self) -> None:
        """Look at the files of the settings; nothing is sent.

        Raises:
            SettingsProblem: one of them cannot be used.
        """
        self._connection()

    def send(self, message: Message) -> Receipt:
        """Send its notices, and wait until all have arrived."""
        topic = self._settings.topic
        events = ((one.tenant, event_of(one, message)) for one in message.notices)
        records = ((_encoded(event), tenant.encode("utf-8", "surrogatepass")) for tenant, event in events)
        try:
            self._producer.send(topic, records, STRUCTURED)
        except kafka_errors.KafkaError as problem:
            raise NoticeProblem(
                f"Notices do not reach the topic {topic} ({problem}): create it, or grant Write on it, or mend the "
                "settings in `kafka`."
            ) from None
        return Receipt()

    def keep(self, standing: Sequence[Standing], now: int) -> None:
        """A topic forgets nothing: nothing is said again."""

    def close(self) -> None:
        """Let go of the connections."""
        self._producer.close()


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
