"""The topic of dead letters, on a real broker: what is refused arrives there with the reason, at least once."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from monitor.alert.kafka import REQUEST_BYTES_MAX, KafkaLetters
from monitor.core.book import Book
from monitor.core.model import Record, Rejected
from monitor.log import build_log
from monitor.metrics import Metrics
from monitor.run.outbox import REST_SECONDS, Outbox
from monitor.settings import Kafka
from monitor.source.kafka_sending import Sender
from monitor.store.sql import SqlStore
from tests.run.test_worker import TurnedClock
from tests.servers.kafka import Stood, Topics, wait_for
from tests.store.taking import commit_of

SECONDS = 60.0


class Sending:
    """A store with dead letters, and an outbox that sends them to a topic."""

    def __init__(self, folder: Path, topics: Topics) -> None:
        self.topics = topics
        self.topic = "dead-" + folder.name
        self.clock = TurnedClock()
        self.store = SqlStore.open(f"sqlite:///{folder / 'books.db'}")
        self.registry = CollectorRegistry()
        self.logged = io.StringIO()
        self.sink = KafkaLetters(self.topic, lambda: {"bootstrap_servers": topics.bootstrap})
        log = build_log("info", self.clock, self.logged)
        self.outbox = Outbox(self.sink, self.store, Metrics(self.registry), self.clock, log)

    def refuse(self, *bodies: bytes) -> None:
        """The books of partition 0 refuse records."""
        rejected = [
            Rejected(Record("t", 0, offset, offset + 1, body, None, b"k\xff"), "json", 'The record is "\u202e".')
            for offset, body in enumerate(bodies)
        ]
        self.store.commit(commit_of(Book(), rejected=rejected))

    def work(self, seconds: float = 2.0) -> None:
        self.clock.turn(seconds)
        self.outbox.work([0])
        time.sleep(0.02)

    def all_arrive(self, count: int) -> None:
        def arrived() -> bool:
            self.work()
            return self.registry.get_sample_value("flopwatch_dead_letters_published_total") == count

        wait_for(arrived, SECONDS, f"{count} dead letters in {self.topic}")

    def read(self, count: int) -> list[Stood]:
        return self.topics.read(self.topic, count)


@pytest.fixture
def sending(tmp_path: Path, topics: Topics) -> Iterator[Sending]:
    sending = Sending(tmp_path, topics)
    yield sending
    sending.sink.close()
    sending.store.close()


def test_a_refused_record_arrives_as_it_came(sending: Sending) -> None:
    """Bytes and key as they were, the reason and the place in headers, each once where nothing fails."""
    sending.topics.create(1, sending.topic)
    sending.refuse(b"{", b"\x00\xff")

    sending.all_arrive(2)
    for _ in range(3):
        sending.work()

    first, second = sending.read(2)
    place = {"topic": "t", "partition": "0", "offset": "0", "letter": "1"}
    assert ({**place, "reason": "json", "sentence": 'The record is "\u202e".'}, b"k\xff", b"{") == first
    assert b"\x00\xff" == second[2]
    assert [] == sending.store.unpublished(10, [0])
    assert sending.topics.ends({sending.topic: 1})[sending.topic, 0] == 2


LARGE = {"the broker": bytes(range(256)) * 4_000, "the client": b"x" * (REQUEST_BYTES_MAX + 1)}
who_refuses = pytest.mark.parametrize("body", LARGE.values(), ids=LARGE)


@who_refuses
def test_a_record_that_is_too_large_arrives_without_its_bytes(sending: Sending, body: bytes) -> None:
    """The topic takes 1,000 bytes: the letter arrives with its reason, and says that the body was left out."""
    sending.topics.create(1, sending.topic, {"max.message.bytes": "1000"})
    sending.refuse(body)

    sending.all_arrive(1)

    headers, _, value = sending.read(1)[0]
    assert ("left out", b"") == (headers["body"], value)


@who_refuses
def test_a_translator_sends_the_same_letters(sending: Sending, topics: Topics, body: bytes) -> None:
    """Without a number of the store; what is too large holds up neither the letters after it nor the translator."""
    letters = topics.create(1, sending.topic, {"max.message.bytes": "1000"})
    kafka = Kafka(
        bootstrap_servers=(topics.bootstrap,),
        tenant_topic=topics.create(1),
        control_topic=topics.create(1),
        dead_letter_topic=letters,
        allow_insecure=True,
    )
    sender = Sender(kafka)

    sender.send(
        [], [Rejected(Record("t", 0, at, at + 1, one, None), "json", "No.") for at, one in enumerate((body, b"{"))]
    )
    sender.close()

    place = {"reason": "json", "sentence": "No.", "topic": "t", "partition": "0"}
    found = sorted(sending.read(2), key=lambda one: one[0]["offset"])
    assert [({**place, "offset": "0", "body": "left out"}, None, b""), ({**place, "offset": "1"}, None, b"{")] == found


def test_a_missing_topic_is_told_and_letters_wait(sending: Sending) -> None:
    """Nothing is lost: the letters stay in the store, and arrive once the topic is there."""
    sending.refuse(b"{")
    sending.work()
    assert f"Dead letters do not reach the topic {sending.topic}" in sending.logged.getvalue()
    assert 1 == len(sending.store.unpublished(10, [0]))

    sending.topics.create(1, sending.topic)
    sending.clock.turn(REST_SECONDS)
    sending.all_arrive(1)

    assert b"{" == sending.read(1)[0][2]
