"""Kafka through kafka-python 3: the tenant topic as a member of a group, the control topic whole.

Positions come from the books, never from the group: what is assigned stays paused until `begin`. What the group has
committed is a hint for tools that show lag. A place that a topic no longer has is told, never reset by itself.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka import errors as kafka_errors
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.net.sasl.oauth import AbstractTokenProvider

from monitor.core.limits import Partition
from monitor.core.model import Record
from monitor.errors import SourceProblem
from monitor.settings import Kafka
from monitor.source import LostPosition, Position
from monitor.source.cloudevents import structured
from monitor.source.credentials import Stamp, secret, stamp, tls_context
from monitor.source.kafka_troubles import connected, sentence, told, will_pass
from monitor.source.places import ASK_SECONDS, CLIENT_ID, FETCH_BYTES_MAX, METADATA_SECONDS, lost_place

POLL_MS = 50  # how long a poll waits for records when there are none
JOIN_MS = 1_000  # the same while the group shares its partitions out
CLOSE_MS = 5_000
RECONNECT_MS = 1_000
ATTEMPT_MS = 2_000  # to find the brokers, before it is looked why that fails
ASK_MS = round(ASK_SECONDS * 1_000)

_new = tuple.__new__


class _Token(AbstractTokenProvider):  # type: ignore[misc]
    """The token in a file, read anew for each authentication."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    def token(self) -> str:
        """The token as it is now."""
        return secret(self._kafka.sasl.token_file)


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """What the group gives and takes, within `poll`: given partitions stay paused until they are begun."""

    def __init__(self, source: KafkaSource) -> None:
        self._source = source

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """More partitions are ours."""
        self._source.take_on(assigned)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Partitions go to another member."""
        self._source.let_go(revoked)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """Partitions have gone to another member while we were away."""
        self._source.let_go(lost)


class KafkaSource:
    """Two topics of one cluster.

    Raises:
        SourceProblem: nobody answers at the addresses, we may not read, or a topic is missing.
        SettingsProblem: a file with a secret or a certificate cannot be used.
    """

    def __init__(self, kafka: Kafka) -> None:
        self.restarted: list[str] = []
        self.rebalances = 0
        self.trouble = ""
        self._kafka = kafka
        self._ours: set[TopicPartition] = set()
        self._begun: set[TopicPartition] = set()
        self._gone: set[TopicPartition] = set()  # read on from a place that the topic has lost: told as not ours once
        self._ids: dict[str, str] = {}  # of each topic with one, when a partition of it was begun last
        self._paused = False
        self._connect()

    def _connect(self) -> None:
        kafka = self._kafka
        self._stamp: Stamp = stamp(kafka)
        options = reading(kafka)
        with ExitStack() as undo, told(kafka):
            undo.callback(self.close)  # of whatever is there when something goes wrong
            self._control = connected(lambda: KafkaConsumer(**options), kafka.request_seconds)
            self._group = KafkaConsumer(**options, **membership(kafka, kafka.group))
            self._refuse_missing()
            self._group.subscribe([kafka.tenant_topic], listener=_Rebalances(self))
            control = sorted(self._control.partitions_for_topic(kafka.control_topic))
            self._control.assign([TopicPartition(kafka.control_topic, number) for number in control])
            self._control.pause(*self._control.assignment())
            undo.pop_all()
        self._ours = set(self._control.assignment())

    def _refuse_missing(self) -> None:
        for topic in (self._kafka.tenant_topic, self._kafka.control_topic):
            if not self._control.partitions_for_topic(topic):
                raise SourceProblem(
                    f"Kafka has no topic {topic}, or does not show it to us: create it, or mend `kafka.tenant_topic` "
                    "and `kafka.control_topic`, or grant the rights Describe and Read on it."
                )

    def tenant_partitions(self) -> int:
        """How many partitions the tenant topic has."""
        return len(self._group.partitions_for_topic(self._kafka.tenant_topic) or ())

    # -- what the group tells us, within poll --------------------------------------------------------------------

    def take_on(self, assigned: Iterable[TopicPartition]) -> None:
        """The group gave us partitions."""
        given = set(assigned)
        self._group.pause(*given)
        for where in given:
            # Without a place of its own a partition would be looked up in the group; it is paused until it has ours.
            self._group.seek(where, 0)
        self._ours |= given
        self.rebalances += 1

    def let_go(self, gone: Iterable[TopicPartition]) -> None:
        """The group took partitions from us."""
        left = set(gone)
        self._ours -= left
        self._begun -= left
        self.rebalances += 1

    # -- the contract --------------------------------------------------------------------------------------------

    def poll(self, records_max: int) -> list[Record]:
        """The next records, at most so many.

        Raises:
            SourceProblem: we may not read any more, or a topic is gone.
        """
        self._gone.clear()
        self._lose_topics_made_anew()
        if stamp(self._kafka) != self._stamp:
            self._reconnect()
        records: list[Record] = []
        self._poll(self._control, 0, records_max, records)
        waiting = joining(self._group)
        if len(records) < records_max:
            self._poll(self._group, JOIN_MS if waiting else 0 if records else POLL_MS, records_max, records)
        return records

    def _poll(self, consumer: KafkaConsumer, wait: int, records_max: int, records: list[Record]) -> None:
        try:
            found = consumer.poll(timeout_ms=wait, max_records=records_max - len(records))
        except kafka_errors.OffsetOutOfRangeError as problem:
            self._lose(problem)
            return
        except kafka_errors.KafkaError as problem:
            if not will_pass(problem):
                raise SourceProblem(sentence(problem, self._kafka)) from None
            self.trouble = sentence(problem, self._kafka)
            return
        self.trouble = ""
        for where, batch in found.items():
            if where not in self._begun:
                continue
            topic, partition = where
            for one in batch:
                value = structured(one.headers, one.value) if one.headers else one.value or b""
                fields = (topic, partition, one.offset, one.offset + 1, value, one.timestamp, one.key)
                # What `Record(...)` does, without the call of a Python function for each record.
                records.append(_new(Record, fields))

    def _lose(self, problem: kafka_errors.OffsetOutOfRangeError) -> None:
        """Somewhere the topic has lost our place: whoever reads must begin there again, and is told so then."""
        lost = {where for where in self._begun if where in (problem.args[0] if problem.args else {})}
        for where in lost or set(self._begun):
            self.halt(where)
            self._gone.add(where)

    def _lose_topics_made_anew(self) -> None:
        """A topic was deleted and created again: its offsets no longer mean what they meant."""
        for topic, known in self._ids.items():
            if known and _topic_id(self._control, topic) not in ("", known):
                for where in [where for where in self._begun if where.topic == topic]:
                    self.halt(where)
                    self._gone.add(where)

    def _reconnect(self) -> None:
        """Secrets or certificates have changed: new connections with the new ones."""
        self.close()
        self._ours, self._begun = set(), set()
        self._connect()
        if self._paused:
            self.pause()

    def assigned(self) -> frozenset[Partition]:
        """The partitions that are ours as of the latest `poll`."""
        return frozenset((where.topic, where.partition) for where in self._ours - self._gone)

    def begin(self, where: Partition, position: Position | None) -> LostPosition | None:
        """Deliver a partition from a position on, None: from its start; or say that the position is gone.

        Raises:
            SourceProblem: nobody answers.
        """
        place = TopicPartition(*where)
        consumer = self._of(place)
        if place not in self._ours:  # taken from us since; nothing would be delivered anyway
            return None
        first, end = self._bounds(consumer, place)
        wanted, topic_id = first, _topic_id(consumer, where[0])
        if position is not None:
            lost = lost_place(where, position, first, end, topic_id)
            if lost is not None:
                return lost
            wanted = position.next_offset
        self._ids[where[0]] = topic_id
        consumer.seek(place, wanted)
        self._begun.add(place)
        if not self._paused:
            consumer.resume(place)
        return None

    def _bounds(self, consumer: KafkaConsumer, place: TopicPartition) -> tuple[int, int]:
        with told(self._kafka):
            first = consumer.beginning_offsets([place], timeout_ms=ASK_MS)[place]
            end = consumer.end_offsets([place], timeout_ms=ASK_MS)[place]
        return first, end

    def _of(self, place: TopicPartition) -> KafkaConsumer:
        return self._control if place.topic == self._kafka.control_topic else self._group

    def halt(self, where: Partition) -> None:
        """Deliver nothing more of a partition until `begin`."""
        place = TopicPartition(*where)
        self._begun.discard(place)
        if place in self._ours:
            self._of(place).pause(place)

    def positions(self) -> Mapping[Partition, Position]:
        """Of each partition that was begun, where to go on after what `poll` has delivered."""
        return {tuple(where): Position(self._next(where), self._ids[where.topic]) for where in self._begun}

    def _next(self, where: TopicPartition) -> int:
        """The offset to go on at, as the client knows it.

        Asked by `position`, kafka-python waits for half a minute after a broker has restarted, to hear whether the
        topic was cut off before that offset; meanwhile nobody polls, and the group takes our partitions away.
        """
        return int(self._of(where)._subscription.assignment[where].position.offset)

    def behind(self) -> frozenset[Partition]:
        """The begun partitions that have more to deliver, or of which that is not known yet."""
        return frozenset(tuple(where) for where in self._begun if self._left(where))

    def _left(self, where: TopicPartition) -> bool:
        end = self._of(where).highwater(where)
        return end is None or self._next(where) < end

    def ends(self) -> Mapping[Partition, int]:
        """What follows the last record of each partition of ours, asked for anew.

        Raises:
            SourceProblem: nobody answers.
        """
        ends: dict[Partition, int] = {}
        with told(self._kafka):
            for consumer in (self._group, self._control):
                ours = [where for where in self._ours if self._of(where) is consumer]
                if ours:
                    found = consumer.end_offsets(ours, timeout_ms=ASK_MS)
                    ends |= {tuple(where): end for where, end in found.items()}
        return ends

    def pause(self) -> None:
        """Deliver nothing for a while, and stay a member."""
        self._paused = True
        for where in self._begun:
            self._of(where).pause(where)

    def resume(self) -> None:
        """Deliver again."""
        self._paused = False
        for where in self._begun:
            self._of(where).resume(where)

    def committed(self, positions: Mapping[Partition, int]) -> None:
        """The books are so far: a hint for tools that show lag."""
        ours = {TopicPartition(*where): offset for where, offset in positions.items()}
        hints = {
            where: OffsetAndMetadata(offset, "", -1)
            for where, offset in ours.items()
            if where in self._ours and self._of(where) is self._group
        }
        if hints:
            with suppress(kafka_errors.KafkaError):  # the books know; the next hint comes with the next commit
                self._group.commit_async(hints)

    def close(self) -> None:
        """Leave the group and close the connections."""
        for name in ("_group", "_control"):
            consumer = getattr(self, name, None)
            if consumer is not None:
                consumer.close(autocommit=False, timeout_ms=CLOSE_MS)


def _topic_id(consumer: KafkaConsumer, topic: str) -> str:
    """What tells a topic from another of the same name, as Kafka's own tools write it; "" where that is not known."""
    found = consumer._client.cluster.topic_id(topic)
    return "" if found is None else base64.b64encode(found.bytes).decode().rstrip("=")


def reading(kafka: Kafka) -> dict[str, Any]:
    """What every consumer is made with. A place that a topic does not have is an error."""
    return {
        **connection(kafka),
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "metrics_enabled": False,
        "max_partition_fetch_bytes": FETCH_BYTES_MAX,
        "fetch_max_bytes": 4 * FETCH_BYTES_MAX,
        "request_timeout_ms": max(round(kafka.request_seconds * 1_000), round(kafka.session_seconds * 1_000) + 1_000),
    }


def membership(kafka: Kafka, group: str) -> dict[str, Any]:
    """What a consumer that is a member of a group is made with beside that."""
    return {
        "group_id": group,
        "group_instance_id": kafka.static_member,
        "partition_assignment_strategy": [CooperativeStickyAssignor],
        "session_timeout_ms": round(kafka.session_seconds * 1_000),
        "heartbeat_interval_ms": round(kafka.session_seconds * 1_000 / 5),
        "max_poll_interval_ms": round(kafka.max_poll_seconds * 1_000),
    }


def joining(consumer: KafkaConsumer) -> bool:
    """Whether the group of a consumer is about to share its partitions out anew.

    kafka-python 3.0.12 drops the outcome of a join that comes in between two polls: it then takes itself for a member,
    sends no heartbeat and reads nothing, for ever. So a join is waited for within one poll, and where it was missed,
    it is asked for again.
    """
    coordinator = consumer._coordinator
    if coordinator.rejoining and not coordinator.need_rejoin():
        coordinator.request_rejoin()
    return bool(coordinator.rejoining or coordinator.need_rejoin())


def connection(kafka: Kafka) -> dict[str, Any]:
    """What any client connects with; secrets and certificates as they are now.

    Raises:
        SettingsProblem: a file with one of them cannot be used.
    """
    context, sasl = tls_context(kafka), kafka.sasl
    options: dict[str, Any] = {
        "bootstrap_servers": list(kafka.bootstrap_servers),
        "client_id": CLIENT_ID,
        "allow_auto_create_topics": False,
        "bootstrap_timeout_ms": ATTEMPT_MS,
        "reconnect_backoff_max_ms": RECONNECT_MS,  # else up to half a minute after a broker is back
        "metadata_max_age_ms": round(METADATA_SECONDS * 1_000),
        "security_protocol": ("PLAINTEXT" if context is None else "SSL")
        if sasl.mechanism is None
        else ("SASL_PLAINTEXT" if context is None else "SASL_SSL"),
    }
    if context is not None:
        options["ssl_context"] = context
    if sasl.mechanism == "OAUTHBEARER":
        options |= {"sasl_mechanism": sasl.mechanism, "sasl_oauth_token_provider": _Token(kafka)}
    elif sasl.mechanism is not None:
        options |= {
            "sasl_mechanism": sasl.mechanism,
            "sasl_plain_username": sasl.username,
            "sasl_plain_password": secret(sasl.password_file),
        }
    return options
