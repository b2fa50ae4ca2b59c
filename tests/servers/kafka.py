"""A real Kafka for tests: one that is named, one in a container, or Apache Kafka itself, started on loopback.

In this order: KAFKA_BOOTSTRAP_SERVERS; testcontainers, where a container engine answers within five seconds; the
published jars of Apache Kafka in KRaft mode under Java, fetched by Maven into the user's cache. Where none of them can
be had, the test is skipped by name.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest
from confluent_kafka import Producer
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import MemberToRemove, NewPartitions, NewTopic, OffsetSpec
from kafka.errors import NoError, UnknownMemberIdError

from tests.servers.engine import engine_answers
from tests.servers.jars import fetched

START_SECONDS = 60.0
STOP_SECONDS = 20.0
READ_SECONDS = 60.0

Produced = tuple[bytes | None, bytes | None]  # key, value
Stood = tuple[dict[str, str], bytes | None, bytes]  # headers, key, value


class Kafka(Protocol):
    """A broker: where it is."""

    bootstrap: str


class Topics:
    """What tests do with topics of a broker."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap)

    def create(self, partitions: int, name: str = "", settings: Mapping[str, str] | None = None) -> str:
        """A new topic; the name is made up unless given."""
        topic = name or f"t-{uuid.uuid4().hex[:12]}"
        self._admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=dict(settings or {}))])
        return topic

    def widen(self, topic: str, partitions: int) -> None:
        """More partitions."""
        self._admin.create_partitions({topic: NewPartitions(partitions)})

    def remove(self, topic: str) -> None:
        """Delete a topic, and wait until it is gone."""
        self._admin.delete_topics([topic])
        wait_for(lambda: topic not in self._admin.list_topics(), READ_SECONDS, f"the end of {topic}")

    def cut(self, topic: str, partition: int, before: int) -> None:
        """Delete the records before an offset."""
        self._admin.delete_records({TopicPartition(topic, partition): before})

    def write(
        self,
        topic: str,
        records: Iterable[Produced],
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        **options: object,
    ) -> None:
        """Send records in order, and wait until they are there."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=5, **options)
        try:
            for key, value in records:
                producer.send(topic, key=key, value=value, partition=partition, headers=list(headers))
            producer.flush()
        finally:
            producer.close()

    def read(self, topic: str, count: int) -> list[Stood]:
        """The first records of a topic with one partition: headers, key and value."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, max_partition_fetch_bytes=2**25)
        place = TopicPartition(topic, 0)
        found: list[Stood] = []

        def enough() -> bool:
            for one in consumer.poll(timeout_ms=100).get(place, []):
                found.append(({name: value.decode() for name, value in one.headers}, one.key, one.value))
            return len(found) >= count

        try:
            consumer.assign([place])
            consumer.seek(place, 0)
            wait_for(enough, READ_SECONDS, f"{count} records of {topic}")
            return found
        finally:
            consumer.close()

    def ends(self, topics: Mapping[str, int]) -> dict[tuple[str, int], int]:
        """What follows the last record of each partition of these topics, {name: partitions}."""
        places = [TopicPartition(name, number) for name, count in topics.items() for number in range(count)]
        found = self._admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
        return {(place.topic, place.partition): one.offset for place, one in found.items()}

    def hints(self, group: str) -> dict[tuple[str, int], int]:
        """What a group has committed."""
        (found,) = self._admin.list_group_offsets({group: None}).values()
        return {(place.topic, place.partition): one.offset for place, one in found.items()}

    def members(self, group: str) -> dict[str, int]:
        """How many partitions each member of a group has."""
        found = self._admin.describe_groups([group])[group]["members"]
        given = {one["member_id"]: one["member_assignment"] or {"assigned_partitions": []} for one in found}
        return {
            name: sum(len(topic["partitions"]) for topic in all_of_it["assigned_partitions"])
            for name, all_of_it in given.items()
        }

    def strike_off(self, group: str, static_member: str) -> None:
        """Take a static member out of a group; its partitions go to the others at once.

        One that took longer to stop than its session lasts is out of it already.
        """
        (outcome,) = self._admin.remove_group_members(group, [MemberToRemove(group_instance_id=static_member)]).values()
        assert outcome in (NoError, UnknownMemberIdError), outcome

    def close(self) -> None:
        """Let go of the broker."""
        self._admin.close()


def send(producer: Producer, topic: str, key: bytes | None, value: bytes) -> None:
    """Hand a record to a producer of librdkafka, once it has room for it."""
    while True:
        try:
            producer.produce(topic, value, key)
            return
        except BufferError:
            producer.poll(0.1)


def wait_for(what: object, seconds: float, name: str, pause: float = 0.05) -> None:
    """Look again and again until something holds, with so many seconds between two looks.

    Raises:
        AssertionError: it did not in the time given.
    """
    assert callable(what)
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"{name} did not come within {seconds:.0f} seconds"
        time.sleep(pause)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody has."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


# -- Apache Kafka, from its jars --------------------------------------------------------------------------------------


class JavaKafka:
    """One broker that is its own controller, with its data in a temporary folder until it is closed."""

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        cpus: str = "",
        heap: str = "512m",
        secured: Mapping[str, int] | None = None,
    ) -> None:
        """`secured`: ports of listeners beside the open one, by name; `settings` say how each is secured."""
        try:
            self._jars = fetched()
        except RuntimeError as problem:
            pytest.skip(f"no Kafka: {problem}")
        self._cpus = cpus
        self._heap = heap
        self._folder = Path(tempfile.mkdtemp(prefix="fwk-"))
        port, controller = free_ports(2)
        self.bootstrap = f"127.0.0.1:{port}"
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        more = "".join(f",{name}://127.0.0.1:{number}" for name, number in (secured or {}).items())
        kinds = "".join(f",{name}:SASL_SSL" for name in secured or ())
        listeners = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{more}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}{more}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT{kinds}",
            "log.dirs": str(self._folder / "data"),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            # A broker that was killed comes back once the controller no longer takes the old one for alive.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
            "group.min.session.timeout.ms": "1000",
            "auto.create.topics.enable": "false",
            "message.max.bytes": "20971520",
            "replica.fetch.max.bytes": "20971520",
            "log.cleaner.enable": "false",
        }
        lines = "".join(f"{name}={value}\n" for name, value in {**listeners, **(settings or {})}.items())
        (self._folder / "server.properties").write_text(lines, encoding="utf-8")
        try:
            self._format()
            self.start()
        except BaseException:
            self.close()
            raise

    def _java(self, *words: str) -> list[str]:
        command = ["java", f"-Xmx{self._heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{self._jars}/*"]
        return [*(["taskset", "-c", self._cpus] if self._cpus else []), *command, *words]

    def _format(self) -> None:
        name = uuid.uuid4().hex[:22]  # as long as the base64 that Kafka makes, and never with a hyphen before it
        settings = str(self._folder / "server.properties")
        command = self._java("kafka.tools.StorageTool", "format", "-t", name, "-c", settings)
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def start(self) -> None:
        """Start the broker, with the data that it has, and wait until it answers."""
        log = (self._folder / "kafka.log").open("ab")
        command = self._java("kafka.Kafka", str(self._folder / "server.properties"))
        with log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                tail = (self._folder / "kafka.log").read_text(encoding="utf-8", errors="replace")[-2_000:]
                raise RuntimeError(f"Kafka did not start:\n{tail}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), 1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Kill the broker; its data stay."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(STOP_SECONDS)
            self._process = None

    def restart(self) -> None:
        """Kill it and start it again."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it and remove its data."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


# -- whichever can be had ---------------------------------------------------------------------------------------------


class _Named:
    """A broker that somebody else runs."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap


@contextmanager
def any_kafka() -> Iterator[Kafka]:
    """A broker, whichever can be had first."""
    named = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if named:
        yield _Named(named)
        return
    if engine_answers():
        from testcontainers.kafka import KafkaContainer

        with KafkaContainer().with_kraft() as container:
            yield _Named(container.get_bootstrap_server())
        return
    broker = JavaKafka()
    try:
        yield broker
    finally:
        broker.close()
