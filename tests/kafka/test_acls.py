"""The rights of deploy/kafka/acls.txt are enough, each is needed, and they allow nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.admin import ACL, ACLFilter, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType
from kafka.errors import TopicAuthorizationFailedError

from monitor.errors import SourceProblem
from monitor.settings import Kafka, Sasl, Tls
from monitor.simulate.scenarios import START, simulate
from monitor.source.kafka_sending import Outgoing, send
from tests.intake.test_cloudtrail import call
from tests.kafka.workers import Site, Worker, until
from tests.servers.kafka import Topics
from tests.servers.secured import PASSWORD, SecuredKafka

SECONDS = 60.0
WORKER, PRODUCER, INTAKE = "flopwatch-worker", "flopwatch-producer", "flopwatch-intake"
TENANTS, CONTROL, LETTERS = "flopwatch.tenants", "flopwatch.control", "flopwatch.dead-letters"
FOREIGN = "flopwatch.foreign"
ACLS = Path(__file__).parents[2] / "deploy/kafka/acls.txt"
MECHANISM = "SCRAM-SHA-512"


def shipped() -> list[ACL]:
    """The rights as the file has them."""
    lines = [line.split() for line in ACLS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return [
        ACL(
            f"User:{user}",
            "*",
            ACLOperation[operation.upper()],
            ACLPermissionType.ALLOW,
            ResourcePattern(ResourceType[kind.upper()], name),
        )
        for user, operation, kind, name in lines
    ]


class Granted:
    """A broker whose rights are those of the file, and the settings of who uses them."""

    def __init__(self, folder: Path) -> None:
        self.broker = SecuredKafka()
        self.topics = Topics(self.broker.broker.bootstrap)
        for topic in (TENANTS, CONTROL, LETTERS, FOREIGN):
            self.topics.create(1, topic)
        for user in (WORKER, PRODUCER, INTAKE):
            self.broker.set_password(user, PASSWORD)
        for right in shipped():
            self.give(right)
        self.password = folder / "password"
        self.password.write_text(PASSWORD, encoding="utf-8")

    def give(self, right: ACL) -> None:
        assert not self.broker.admin.create_acls([right])["failed"]

    def take(self, right: ACL) -> None:
        mine = ACLFilter(right.principal, right.host, right.operation, right.permission_type, right.resource_pattern)
        self.broker.admin.delete_acls([mine])

    def settings(self, user: str) -> Kafka:
        """What a client of this user is made with."""
        return Kafka(
            bootstrap_servers=(self.broker.secured,),
            request_seconds=5,
            tls=Tls(ca_file=self.broker.ca_file),
            sasl=Sasl(mechanism=MECHANISM, username=user, password_file=self.password),
        )

    def close(self) -> None:
        self.topics.close()
        self.broker.close()


@pytest.fixture(scope="module")
def granted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Granted]:
    granted = Granted(tmp_path_factory.mktemp("rights"))
    yield granted
    granted.close()


@pytest.fixture
def worker(granted: Granted, tmp_path: Path) -> Iterator[tuple[Site, Worker]]:
    """A worker with its rights, over the shipped names."""
    site = Site(tmp_path, granted.topics, f"sqlite:///{tmp_path / 'books.db'}", 1)
    site.tenants, site.control = TENANTS, CONTROL
    worker = site.start(
        KAFKA__BOOTSTRAP_SERVERS=f'["{granted.broker.secured}"]',
        KAFKA__GROUP="flopwatch",
        KAFKA__DEAD_LETTER_TOPIC=LETTERS,
        KAFKA__ALLOW_INSECURE="false",
        KAFKA__REQUEST_SECONDS=2,
        KAFKA__TLS__CA_FILE=granted.broker.ca_file,
        KAFKA__SASL__MECHANISM=MECHANISM,
        KAFKA__SASL__USERNAME=WORKER,
        KAFKA__SASL__PASSWORD_FILE=granted.password,
    )
    yield site, worker
    site.close()


def test_a_worker_has_all_it_needs_and_nothing_more(granted: Granted, worker: tuple[Site, Worker]) -> None:
    """It reads, commits and publishes dead letters; with one right less it says which, and goes on after it is back."""
    site, running = worker
    site.produce(list(simulate("quiet").events())[:100])
    granted.topics.write(TENANTS, [(b"k", b"no event")])
    until(lambda: granted.topics.ends({LETTERS: 1})[LETTERS, 0] == 1, SECONDS, "the dead letter", site)
    until(site.read_to_the_end, SECONDS, "the end of the topics", site)
    until(lambda: granted.topics.hints("flopwatch"), SECONDS, "what the group has committed", site)

    for right in [one for one in shipped() if one.principal == f"User:{WORKER}"]:
        name = right.resource_pattern.resource_name
        granted.take(right)
        granted.topics.write(TENANTS, [(b"k", b"no event either")])
        if right.operation is ACLOperation.READ:
            until(lambda: not running.running, SECONDS, f"the end without {right}", site)
            last = running.logged().splitlines()[-1]
            assert "grant the right" in last, last
            assert name in last, last
            granted.give(right)
            running.start()
        else:
            until(lambda: "or grant Write on it" in running.logged(), SECONDS, f"trouble without {right}", site)
            granted.give(right)
        until(site.read_to_the_end, SECONDS, "the end of the topics", site)
    until(lambda: granted.topics.ends({LETTERS: 1})[LETTERS, 0] >= 5, SECONDS, "the letters that waited", site)


@pytest.mark.torture
def test_a_translator_has_all_it_needs_and_nothing_more(granted: Granted, tmp_path: Path) -> None:
    """It reads, sends and publishes dead letters; with one right less it ends or is in trouble, and says which."""
    site = Site(tmp_path, granted.topics, f"sqlite:///{tmp_path / 'books.db'}", 1)
    site.tenants, site.control = TENANTS, CONTROL
    item = {"instanceId": "i-1", "instanceType": "p5.48xlarge"}
    good = json.dumps(call("RunInstances", "1", START, [item])).encode()
    translator = site.start(
        "intake",
        INTAKE__TOPICS=json.dumps([{"topic": FOREIGN, "source": "/aws"}]),
        KAFKA__BOOTSTRAP_SERVERS=f'["{granted.broker.secured}"]',
        KAFKA__DEAD_LETTER_TOPIC=LETTERS,
        KAFKA__ALLOW_INSECURE="false",
        KAFKA__REQUEST_SECONDS=2,
        KAFKA__TLS__CA_FILE=granted.broker.ca_file,
        KAFKA__SASL__MECHANISM=MECHANISM,
        KAFKA__SASL__USERNAME=INTAKE,
        KAFKA__SASL__PASSWORD_FILE=granted.password,
    )
    try:
        for right in [one for one in shipped() if one.principal == f"User:{INTAKE}"]:
            granted.topics.write(FOREIGN, [(None, good), (None, b"no record")])
            until(lambda: translator.metric("flopwatch_intake_lag_records") == 0, SECONDS, "all that came", site)
            assert 0 == translator.metric("flopwatch_intake_trouble")
            granted.take(right)
            translator.kill()
            granted.topics.write(FOREIGN, [(None, good), (None, b"no record")])
            translator.start()
            until(
                lambda: not translator.running or translator.metric("flopwatch_intake_trouble") == 1,
                SECONDS,
                f"trouble without {right}",
                site,
            )
            granted.give(right)
            translator.kill()
            translator.start()
        until(lambda: translator.metric("flopwatch_intake_lag_records") == 0, SECONDS, "all that came", site)
    finally:
        site.close()


@pytest.mark.parametrize("topic", [TENANTS, CONTROL])
def test_a_worker_writes_no_facts(granted: Granted, topic: str) -> None:
    """The broker refuses what a worker would write into the topics that it reads."""
    producer = KafkaProducer(
        bootstrap_servers=granted.broker.secured,
        security_protocol="SASL_SSL",
        ssl_cafile=str(granted.broker.ca_file),
        sasl_mechanism=MECHANISM,
        sasl_plain_username=WORKER,
        sasl_plain_password=PASSWORD,
    )

    with pytest.raises(TopicAuthorizationFailedError):
        producer.send(topic, b"a fact").get(timeout=SECONDS)

    producer.close(timeout=1)


def test_a_producer_has_all_it_needs_and_nothing_more(granted: Granted) -> None:
    """It sends to both topics; without either right sending fails with a sentence."""
    events = [Outgoing(True, "globex", b"{}"), Outgoing(False, "inventory", b"{}")]
    settings = granted.settings(PRODUCER)

    assert 2 == send(settings, events)

    for right in [one for one in shipped() if one.principal == f"User:{PRODUCER}"]:
        granted.take(right)
        with pytest.raises(SourceProblem, match=right.resource_pattern.resource_name):
            send(settings, events)
        granted.give(right)
