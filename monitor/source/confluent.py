"""Kafka through confluent-kafka: the same as `monitor.source.kafka`, faster, behind the setting `kafka.client`.

Three clients. One is a member of the group, and only learns which partitions are ours. One reads what was begun, each
partition from the place that the books give; so no place ever comes from the group, and whatever it is asked for may be
a record: only `poll` asks it. One answers questions about topics, on connections where no long fetch is in the way.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from kafka import errors as kafka_errors

from monitor.clock import SystemClock
from monitor.core.limits import Partition
from monitor.core.model import SECOND_MS, Record
from monitor.errors import SettingsProblem, SourceProblem
from monitor.settings import Kafka
from monitor.source import LostPosition, Position
from monitor.source.cloudevents import structured
from monitor.source.credentials import Stamp, secret, stamp, tls_context
from monitor.source.kafka_troubles import sentence, will_pass
from monitor.source.places import ASK_SECONDS, CLIENT_ID, FETCH_BYTES_MAX, METADATA_SECONDS, lost_place

try:
    from confluent_kafka import (
        OFFSET_END,
        Consumer,
        IsolationLevel,
        KafkaError,
        KafkaException,
        TopicCollection,
        TopicPartition,
    )
    from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]
except ModuleNotFoundError as missing:
    raise SettingsProblem(
        "`kafka.client` is confluent-kafka, and that package is not installed: install `flopwatch[fast]`, or set "
        "`kafka.client` to kafka-python."
    ) from missing

ATTEMPT_SECONDS = 1.0  # between two looks at what the clients report while nobody answers
WAIT_SECONDS = 0.05  # how long a poll waits for records when there are none
FIRST: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
END: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call] # what follows the last record
TOKEN_SECONDS = 60.0  # a token is taken to hold that long, and read again from its file before

_new = tuple.__new__
_quiet = logging.getLogger("monitor.source.confluent")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False  # what the clients report comes with `poll`; their own lines are not for our log


class ConfluentSource:
    """Two topics of one cluster.

    Raises:
        SourceProblem: nobody answers at the addresses, we may not read, or a topic is missing.
        SettingsProblem: a file with a secret or a certificate cannot be used.
    """

    def __init__(self, kafka: Kafka) -> None:
        self.restarted: list[str] = []
        self.trouble = ""
        self._kafka = kafka
        self._next: dict[Partition, int] = {}  # of each partition that was begun
        self._ids: dict[str, str] = {}  # of each topic with one, when a partition of it was begun last
        self._at_end: set[Partition] = set()
        self._made_anew: set[str] = set()  # topics that are not the ones that were begun
        self._gone: set[Partition] = set()  # read on from a place that the topic has lost: told as not ours once
        self._paused = False
        self._refused: kafka_errors.KafkaError | None = None  # what no waiting mends
        self._ours: set[Partition] = set()
        self._connect()

    def _connect(self) -> None:
        kafka = self._kafka
        self._stamp: Stamp = stamp(kafka)
        self._refused = None
        common = {**_connection(kafka), "error_cb": self._on_error}
        session = round(kafka.session_seconds * 1_000)
        membership = {
            "group.id": kafka.group,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": session,
            "heartbeat.interval.ms": round(session / 5),
            "max.poll.interval.ms": max(session, round(kafka.max_poll_seconds * 1_000)),
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
        }
        if kafka.static_member is not None:
            membership["group.instance.id"] = kafka.static_member
        reading = {
            "group.id": kafka.group,  # asked for by the client; this one never joins
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "max.partition.fetch.bytes": FETCH_BYTES_MAX,
            "fetch.max.bytes": 4 * FETCH_BYTES_MAX,
            "receive.message.max.bytes": 5 * FETCH_BYTES_MAX,
        }
        self._reader = Consumer({**common, **reading}, logger=_quiet)
        self._member = Consumer({**common, **membership}, logger=_quiet)
        self._admin = AdminClient(common, logger=_quiet)
        with ExitStack() as undo:
            undo.callback(self.close)
            self._partitions(kafka.tenant_topic)
            self._ours = {(kafka.control_topic, number) for number in range(self._partitions(kafka.control_topic))}
            self._member.subscribe(
                [kafka.tenant_topic], on_assign=self._take_on, on_revoke=self._let_go, on_lost=self._let_go
            )
            undo.pop_all()

    def _on_error(self, error: KafkaError) -> None:
        """A client reports, within `poll`; most of it mends itself."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN and self.trouble:
            return  # what was said before tells why
        problem = _as_kafka_python(error)
        self.trouble = sentence(problem, self._kafka)
        if not will_pass(problem):
            self._refused = problem

    def _partitions(self, topic: str) -> int:
        """How many partitions a topic has.

        Raises:
            SourceProblem: nobody answers, or there is none.
        """
        found = self._described(topic)
        if found.error is not None:
            refused = _as_kafka_python(found.error)
            if not will_pass(refused):
                raise SourceProblem(sentence(refused, self._kafka))
        if not found.partitions:
            raise SourceProblem(
                f"Kafka has no topic {topic}, or does not show it to us: create it, or mend `kafka.tenant_topic` "
                "and `kafka.control_topic`, or grant the rights Describe and Read on it."
            )
        return len(found.partitions)

    def _described(self, topic: str) -> Any:
        """What the brokers say of a topic.

        Raises:
            SourceProblem: nobody answers.
        """
        end = time.monotonic() + self._kafka.request_seconds
        self._serve()  # a token is asked for there
        while True:
            try:
                return self._admin.list_topics(topic, timeout=ATTEMPT_SECONDS).topics[topic]
            except KafkaException as problem:
                self._serve()  # why nobody answers is reported there
                if time.monotonic() > end:
                    raise SourceProblem(self.trouble or self._told(problem)) from None

    def _serve(self) -> None:
        """Let the client that answers questions report.

        Raises:
            SourceProblem: it reports what no waiting mends.
        """
        self._admin.poll(0)
        self._raise_refused()

    def _raise_refused(self) -> None:
        if self._refused is not None:
            raise SourceProblem(sentence(self._refused, self._kafka))

    def _told(self, problem: KafkaException) -> str:
        return sentence(_as_kafka_python(problem.args[0]), self._kafka)

    def tenant_partitions(self) -> int:
        """How many partitions the tenant topic has.

        Raises:
            SourceProblem: nobody answers.
        """
        return self._partitions(self._kafka.tenant_topic)

    # -- what the group tells us, within poll --------------------------------------------------------------------

    def _take_on(self, member: Consumer, given: Sequence[TopicPartition]) -> None:
        """The group gave us partitions: the member keeps them, and reads none of them."""
        places = [TopicPartition(one.topic, one.partition, OFFSET_END) for one in given]
        member.incremental_assign(places)
        member.pause(places)
        self._ours |= {(one.topic, one.partition) for one in given}

    def _let_go(self, _: Consumer, gone: Sequence[TopicPartition]) -> None:
        """The group took partitions from us."""
        for one in gone:
            where = (one.topic, one.partition)
            self._ours.discard(where)
            self._stop_reading(where)

    # -- the contract --------------------------------------------------------------------------------------------

    def poll(self, records_max: int) -> list[Record]:
        """The next records, at most so many.

        Raises:
            SourceProblem: we may not read any more.
        """
        self._gone.clear()
        for where in [where for where in self._next if where[0] in self._made_anew]:
            self._lose(where)
        self._made_anew.clear()
        if stamp(self._kafka) != self._stamp:
            self._reconnect()
        membership = self._member.poll(0)
        refusal = None if membership is None else membership.error()
        if refusal is not None:
            self._on_error(refusal)
        found: list[Any] = self._reader.consume(records_max, 0) or self._reader.consume(1, WAIT_SECONDS)
        records: list[Record] = []
        for message in found:
            error = message.error()
            if error is not None:
                self._hear_of(message, error)
                continue
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            where = (topic, partition)
            if offset < self._next.get(where, offset + 1):
                continue  # of a partition that is not begun, or was begun further on since
            self._next[where] = offset + 1
            self._at_end.discard(where)
            headers = message.headers()
            value = structured(headers, message.value()) if headers else message.value() or b""
            fields = (topic, partition, offset, offset + 1, value, message.timestamp()[1], message.key())
            # What `Record(...)` does, without the call of a Python function for each record.
            records.append(_new(Record, fields))
        if records:
            self.trouble = ""
        self._raise_refused()
        return records

    def _hear_of(self, message: Any, error: KafkaError) -> None:
        """What comes of a partition instead of a record."""
        where = (message.topic(), message.partition())
        if error.code() == KafkaError._PARTITION_EOF:
            self.trouble = ""
            if where in self._next:
                self._next[where] = message.offset()  # what lies between may be no record: the mark of a transaction
                self._at_end.add(where)
        elif error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            self._lose(where)
        else:
            self._on_error(error)

    def _lose(self, where: Partition) -> None:
        """The topic has lost our place: whoever reads must begin there again, and is told so now."""
        if where in self._next:
            self.halt(where)
            self._gone.add(where)

    def _reconnect(self) -> None:
        """Secrets or certificates have changed: new connections with the new ones."""
        self.close()
        self._ours, self._next, self._at_end = set(), {}, set()
        self._connect()

    def assigned(self) -> frozenset[Partition]:
        """The partitions that are ours as of the latest `poll`."""
        return frozenset(self._ours - self._gone)

    def begin(self, where: Partition, position: Position | None) -> LostPosition | None:
        """Deliver a partition from a position on, None: from its start; or say that the position is gone.

        Raises:
            SourceProblem: nobody answers.
        """
        if where not in self._ours:  # taken from us since; nothing would be delivered anyway
            return None
        first = self._offsets([where], FIRST)[where]
        end = self._offsets([where], END)[where]
        topic_id = self._topic_id(where[0])
        at = first
        if position is not None:
            lost = lost_place(where, position, first, end, topic_id)
            if lost is not None:
                return lost
            at = position.next_offset
        self._ids[where[0]] = topic_id
        self._stop_reading(where)
        self._reader.incremental_assign([TopicPartition(*where, at)])
        self._next[where] = at
        (self._reader.pause if self._paused else self._reader.resume)([TopicPartition(*where)])
        return None

    def _offsets(self, places: Collection[Partition], what: Any) -> dict[Partition, int]:
        """The offset FIRST or END of each of these partitions.

        Raises:
            SourceProblem: nobody answers.
        """
        asked = {TopicPartition(*where): what for where in places}
        level = IsolationLevel.READ_COMMITTED
        try:
            answers = self._admin.list_offsets(asked, isolation_level=level, request_timeout=ASK_SECONDS)
            return {(one.topic, one.partition): answer.result().offset for one, answer in answers.items()}
        except KafkaException as problem:
            raise SourceProblem(self._told(problem)) from None

    def _topic_id(self, topic: str) -> str:
        """What tells a topic from another of the same name; "" where the brokers do not say."""
        with suppress(KafkaException):
            asked = self._admin.describe_topics(TopicCollection([topic]), request_timeout=ASK_SECONDS)
            return str(asked[topic].result().topic_id)
        return ""

    def halt(self, where: Partition) -> None:
        """Deliver nothing more of a partition until `begin`."""
        self._stop_reading(where)

    def _stop_reading(self, where: Partition) -> None:
        if self._next.pop(where, None) is not None:
            self._at_end.discard(where)
            self._reader.incremental_unassign([TopicPartition(*where)])

    def positions(self) -> Mapping[Partition, Position]:
        """Of each partition that was begun, where to go on after what `poll` has delivered."""
        return {where: Position(offset, self._ids[where[0]]) for where, offset in self._next.items()}

    def behind(self) -> frozenset[Partition]:
        """The begun partitions that have more to deliver, or of which that is not known yet."""
        return frozenset(self._next.keys() - self._at_end)

    def ends(self) -> Mapping[Partition, int]:
        """What follows the last record of each partition of ours, asked for anew.

        Raises:
            SourceProblem: nobody answers.
        """
        self._made_anew |= {
            topic for topic, known in self._ids.items() if known and self._topic_id(topic) not in ("", known)
        }
        ends = self._offsets(self._ours, END)
        self.trouble = ""
        return ends

    def pause(self) -> None:
        """Deliver nothing for a while, and stay a member."""
        self._paused = True
        self._reader.pause([TopicPartition(*where) for where in self._next])

    def resume(self) -> None:
        """Deliver again."""
        self._paused = False
        self._reader.resume([TopicPartition(*where) for where in self._next])

    def committed(self, positions: Mapping[Partition, int]) -> None:
        """The books are so far: a hint for tools that show lag."""
        hints = [
            TopicPartition(*where, offset)
            for where, offset in positions.items()
            if where in self._ours and where[0] == self._kafka.tenant_topic
        ]
        if hints:
            with suppress(KafkaException):  # the books know; the next hint comes with the next commit
                self._member.commit(offsets=hints, asynchronous=True)

    def close(self) -> None:
        """Leave the group and close the connections."""
        self._member.close()
        self._reader.close()


def _as_kafka_python(error: KafkaError) -> kafka_errors.KafkaError:
    """The same trouble as the other client tells it, so that one table has all sentences."""
    if error.code() == KafkaError._AUTHENTICATION:
        return kafka_errors.SaslAuthenticationFailedError(error.str())
    if error.code() > 0:
        problem: kafka_errors.KafkaError = kafka_errors.for_code(error.code())(error.str())
        return problem
    return kafka_errors.KafkaConnectionError(error.str())


def _connection(kafka: Kafka) -> dict[str, Any]:
    """What all clients connect with; secrets and certificates as they are now.

    Raises:
        SettingsProblem: a file with one of them cannot be used.
    """
    sasl = kafka.sasl
    options: dict[str, Any] = {
        "bootstrap.servers": ",".join(kafka.bootstrap_servers),
        "client.id": CLIENT_ID,
        "allow.auto.create.topics": False,
        "topic.metadata.refresh.interval.ms": round(METADATA_SECONDS * 1_000),
        "reconnect.backoff.max.ms": 1_000,
        "security.protocol": ("SASL_" if sasl.mechanism else "") + ("PLAINTEXT" if kafka.allow_insecure else "SSL"),
    }
    if tls_context(kafka) is not None:  # made for its checks: what it refuses, the client would refuse less clearly
        files = {
            "ssl.ca.location": kafka.tls.ca_file,
            "ssl.certificate.location": kafka.tls.certificate_file,
            "ssl.key.location": kafka.tls.key_file,
        }
        options |= {name: str(file) for name, file in files.items() if file is not None}
        if kafka.tls.key_password_file is not None:
            options["ssl.key.password"] = secret(kafka.tls.key_password_file)
    if sasl.mechanism is not None:
        options["sasl.mechanism"] = sasl.mechanism
    if sasl.mechanism == "OAUTHBEARER":
        options["oauth_cb"] = lambda _: (secret(sasl.token_file), SystemClock().now_ms() / SECOND_MS + TOKEN_SECONDS)
    elif sasl.mechanism is not None:
        options |= {"sasl.username": sasl.username, "sasl.password": secret(sasl.password_file)}
    return options
