"""Brokers that want to know who asks: what works, and the sentence for everything that does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from kafka.admin import ACLOperation, ResourceType

from monitor.core.model import Record
from monitor.errors import SettingsProblem, SourceProblem
from monitor.settings import Kafka, Sasl, Tls
from monitor.source import Outgoing, Position
from monitor.source.confluent import ConfluentSource
from monitor.source.kafka import KafkaSource
from monitor.source.kafka_sending import Sender
from tests.servers.kafka import Topics, wait_for
from tests.servers.secured import LONER, PASSWORD, READER, REAUTHENTICATE_MS, STRANGER, SecuredKafka, token

SECONDS = 60.0
CLIENTS = (KafkaSource, ConfluentSource)
Client = Callable[[Kafka], KafkaSource | ConfluentSource]


@pytest.fixture(scope="module")
def broker() -> Iterator[SecuredKafka]:
    """A broker with rights, TLS and three ways to say who one is."""
    broker = SecuredKafka()
    yield broker
    broker.close()


class Place:
    """Two topics with one record, and the settings of who wants to read them."""

    def __init__(self, broker: SecuredKafka, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.topics = Topics(broker.broker.bootstrap)
        self.tenants, self.control = self.topics.create(1), self.topics.create(1)
        self.written = 0
        self.write()

    def write(self) -> None:
        """One more record."""
        self.topics.write(self.tenants, [(None, b"%d" % self.written)])
        self.written += 1

    def keep(self, name: str, secret: str) -> Path:
        """A file with a secret."""
        path = self.folder / name
        path.write_text(secret + "\n", encoding="utf-8")
        return path

    def password(self, mechanism: str, user: str = READER, password: str = PASSWORD) -> Sasl:
        """Who one is, with a password."""
        return Sasl.model_validate(
            {"mechanism": mechanism, "username": user, "password_file": self.keep("password", password)}
        )

    def token(self, user: str = READER, seconds: float = 3_600.0) -> Sasl:
        """Who one is, with a token."""
        return Sasl(mechanism="OAUTHBEARER", token_file=self.keep("token", token(user, seconds)))

    def settings(self, sasl: Sasl, servers: str = "", ca_file: Path | None = None, topic: str = "") -> Kafka:
        """What a source is made with."""
        return Kafka(
            bootstrap_servers=(servers or self.broker.secured,),
            tenant_topic=topic or self.tenants,
            control_topic=self.control,
            group=self.tenants,
            session_seconds=6,
            request_seconds=1,
            tls=Tls(ca_file=ca_file or self.broker.ca_file),
            sasl=sasl,
        )


@pytest.fixture
def place(broker: SecuredKafka, tmp_path: Path) -> Iterator[Place]:
    """Topics on the secured broker."""
    place = Place(broker, tmp_path)
    yield place
    place.topics.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Closes what a test opened."""
    with ExitStack() as stack:
        yield stack


def read_on(source: KafkaSource | ConfluentSource, place: Place, at: int, count: int) -> list[bytes]:
    """So many records from an offset on; the partition is begun again whenever it was assigned anew."""
    where = (place.tenants, 0)
    records: list[Record] = []

    def enough() -> bool:
        records.extend(source.poll(count - len(records)))
        if where in source.assigned() - source.positions().keys():
            source.begin(where, Position(at + len(records), ""))
        return len(records) == count

    wait_for(enough, SECONDS, f"{count} records")
    return [record.value for record in records]


def opened(client: Client, settings: Kafka, stack: ExitStack) -> KafkaSource | ConfluentSource:
    """A source that is closed at the end of the test."""
    source = client(settings)
    stack.callback(source.close)
    return source


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512", "OAUTHBEARER"])
def test_who_one_is_is_said_in_three_ways(place: Place, stack: ExitStack, client: Client, mechanism: str) -> None:
    """Each mechanism lets us read."""
    sasl = place.token() if mechanism == "OAUTHBEARER" else place.password(mechanism)
    assert read_on(opened(client, place.settings(sasl), stack), place, 0, 1) == [b"0"]


@pytest.mark.parametrize("client", CLIENTS)
def test_tokens_are_renewed_while_reading(place: Place, stack: ExitStack, client: Client) -> None:
    """The broker wants a new token every few seconds; the one in the file is sent, and reading goes on."""
    source = opened(client, place.settings(place.token()), stack)
    assert read_on(source, place, 0, 1) == [b"0"]
    end = time.monotonic() + 2.5 * REAUTHENTICATE_MS / 1_000
    while time.monotonic() < end:
        place.token()
        place.write()
        last = place.written - 1
        assert read_on(source, place, last, 1) == [b"%d" % last]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_changed_password_is_read_again(place: Place, stack: ExitStack, client: Client) -> None:
    """A password that is changed at the broker and in its file: the source connects anew with it."""
    source = opened(client, place.settings(place.password("SCRAM-SHA-512")), stack)
    assert read_on(source, place, 0, 1) == [b"0"]
    try:
        place.broker.set_password(READER, "another one")
        place.keep("password", "another one")
        place.write()
        assert read_on(source, place, 1, 1) == [b"1"]
    finally:
        place.broker.set_password(READER, PASSWORD)


def test_a_sender_goes_on_once_it_may(place: Place, stack: ExitStack) -> None:
    """Without the right to write nothing arrives, and it says so; once it is given the same sender sends."""
    kafka = place.settings(place.password("PLAIN"))
    sender = Sender(kafka)
    stack.callback(sender.close)
    with pytest.raises(
        SourceProblem, match=f"does not let us write: grant the rights Describe and Write on {place.tenants} and"
    ):
        sender.send([Outgoing(True, "t", b"1")])
    place.broker.grant(READER, ResourceType.TOPIC, place.tenants, [ACLOperation.WRITE])

    def sent() -> bool:
        try:
            return sender.send([Outgoing(True, "t", b"2")]) == 1
        except SourceProblem:
            return False  # the right is not yet known to the broker

    wait_for(sent, SECONDS, "an event")
    assert b"2" in [value for _, _, value in place.topics.read(place.tenants, 2)]


def refusals(place: Place) -> dict[str, tuple[Kafka, str]]:
    """What is wrong, the settings for it, and what must be said."""
    good = place.password("PLAIN")
    nobody = "127.0.0.1:1"
    return {
        "a wrong address": (place.settings(good, nobody), f"Kafka at {nobody} does not answer as it should"),
        "a wrong name": (place.settings(good, "no.such.host.invalid:9092"), "does not answer as it should"),
        "a port without TLS": (
            place.settings(good, place.broker.broker.bootstrap),
            "encrypted connection .* fails .*this port speaks TLS",
        ),
        "an expired certificate": (
            place.settings(good, place.broker.expired),
            "encrypted connection .* fails .*certificate .*check the broker's certificate, `kafka.tls`",
        ),
        "an unknown authority": (
            place.settings(good, ca_file=place.broker.other_ca_file),
            "encrypted connection .* fails .*check the broker's certificate, `kafka.tls`",
        ),
        "a stranger": (
            place.settings(place.password("PLAIN", STRANGER)),
            f"rights Describe and Read on .*|{place.tenants}",
        ),
        "a topic that is not there": (place.settings(good, topic="nowhere"), "Kafka has no topic nowhere"),
    }


@pytest.mark.parametrize("client", CLIENTS)
def test_each_refusal_has_its_sentence(place: Place, client: Client) -> None:
    """Wrong address, certificate, rights or topic: one sentence that says what to mend."""
    for name, (settings, told) in refusals(place).items():
        with pytest.raises(SourceProblem, match=told) as caught:
            client(settings)
        assert PASSWORD not in str(caught.value), name


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_wrong_password_is_told_as_one(place: Place, client: Client, mechanism: str) -> None:
    """Whoever is refused need not look for a broken network: it is told before the time for an answer is over."""
    started, patience = time.monotonic(), 180
    settings = place.settings(place.password(mechanism, password="guessed"))
    with pytest.raises(SourceProblem, match=r"refuses who we say we are: check `kafka\.sasl`"):
        client(settings.model_copy(update={"request_seconds": patience}))
    assert time.monotonic() - started < patience


@pytest.mark.parametrize("client", CLIENTS)
def test_no_right_on_the_group(place: Place, stack: ExitStack, client: Client) -> None:
    """Whoever may read the topics and not join the group is told so when it tries."""
    source = opened(client, place.settings(place.password("PLAIN", LONER)), stack)

    def refused() -> bool:
        source.poll(10)
        return False

    with pytest.raises(SourceProblem, match=f"the group {place.tenants}: grant the right Read on that group"):
        wait_for(refused, SECONDS, "the refusal")


@pytest.mark.parametrize("client", CLIENTS)
def test_files_that_are_not_there(place: Place, client: Client) -> None:
    """A secret or a certificate that cannot be read is a problem of the settings."""
    missing = place.folder / "missing"
    with pytest.raises(SettingsProblem, match=r"kafka\.tls"):
        client(place.settings(place.password("PLAIN"), ca_file=missing))
    with pytest.raises(SettingsProblem, match=r"secret in .*missing cannot be read"):
        client(place.settings(Sasl(mechanism="PLAIN", username=READER, password_file=missing)))
