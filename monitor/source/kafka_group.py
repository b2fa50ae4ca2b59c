"""Foreign topics of Kafka as a member of a group, whose committed offsets are the only place where it is known how far.

At least once: what was delivered and not committed comes again. That is enough where the same record becomes the same
facts, each of which counts once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka import errors as kafka_errors

from monitor.core.limits import Partition
from monitor.core.model import Record
from monitor.errors import SourceProblem
from monitor.settings import Kafka
from monitor.source.kafka import joining, membership, reading
from monitor.source.kafka_troubles import connected, sentence, told, will_pass

POLL_MS = 200
JOIN_MS = 1_000


class GroupSource:
    """Topics that a group shares out among its members.

    Raises:
        SourceProblem: nobody answers, we may not read, or a topic is missing.
        SettingsProblem: a file with a secret or a certificate cannot be used.
    """

    def __init__(self, kafka: Kafka, group: str, topics: Sequence[str]) -> None:
        self.trouble = ""
        self.lost = 0  # records that were gone before they were read
        self._kafka = kafka.model_copy(update={"group": group})  # for sentences
        self._topics = topics
        self._paused = False
        self._looked_at: set[TopicPartition] = set()
        with told(self._kafka, topics=topics):
            # A new group begins at the beginning; what a topic no longer has is counted in `lost`.
            options = {**reading(kafka), **membership(kafka, group), "auto_offset_reset": "earliest"}
            self._consumer = connected(lambda: KafkaConsumer(**options), kafka.request_seconds)
            for topic in topics:
                if not self._consumer.partitions_for_topic(topic):
                    self.close()
                    raise SourceProblem(
                        f"Kafka has no topic {topic}, or does not show it to us: create it, or mend `intake.topics`, "
                        "or grant the rights Describe and Read on it."
                    )
            self._consumer.subscribe(list(topics))

    def poll(self, records_max: int, wait: bool = True) -> list[Record]:
        """The next records, at most so many; none while paused, but what the group asks is answered.

        Where there are none, it may `wait` a moment; while the group shares its partitions out it does so always.

        Raises:
            SourceProblem: it cannot be read on.
        """
        try:
            milliseconds = JOIN_MS if joining(self._consumer) else POLL_MS if wait else 0
            if self._paused:  # whatever the group gave us meanwhile
                self._consumer.pause(*self._consumer.assignment())
            found = self._consumer.poll(timeout_ms=milliseconds, max_records=records_max)
        except kafka_errors.KafkaError as problem:
            if not will_pass(problem):
                raise SourceProblem(sentence(problem, self._kafka, topics=self._topics)) from None
            self.trouble = sentence(problem, self._kafka, topics=self._topics)
            return []
        self.trouble = ""
        self._look_for_holes(set(found))
        return [
            Record(where.topic, where.partition, one.offset, one.offset + 1, one.value or b"", one.timestamp, one.key)
            for where, batch in found.items()
            for one in batch
        ]

    def _look_for_holes(self, found: set[TopicPartition]) -> None:
        """Where a partition is first delivered from: a place of the group that the topic no longer has is a loss."""
        self._looked_at &= set(self._consumer.assignment())
        for where in found - self._looked_at:
            with suppress(kafka_errors.KafkaError):  # asked again when it is ours the next time
                first, known = self._consumer.beginning_offsets([where])[where], self._consumer.committed(where)
                self.lost += 0 if known is None else max(0, first - known)
                self._looked_at.add(where)

    def pause(self) -> None:
        """Deliver nothing for a while, and stay in the group."""
        self._paused = True

    def resume(self) -> None:
        """Deliver again."""
        self._paused = False
        self._consumer.resume(*self._consumer.assignment())

    def commit(self, records: Sequence[Record]) -> None:
        """These records, and all before them, are done; where that cannot be said any more, they come again."""
        ends = {TopicPartition(one.topic, one.partition): one.next_offset for one in records}
        offsets = {where: OffsetAndMetadata(end, "", -1) for where, end in ends.items()}
        with suppress(kafka_errors.KafkaError):  # another member has them now, or will once it answers again
            self._consumer.commit(offsets)

    def left(self) -> Mapping[Partition, int]:
        """How many records more each partition of ours has than were delivered.

        Raises:
            SourceProblem: nobody answers.
        """
        with told(self._kafka, topics=self._topics):
            ours = sorted(self._consumer.assignment())
            ends = self._consumer.end_offsets(ours) if ours else {}
            return {
                (where.topic, where.partition): max(0, end - (self._consumer.position(where) or 0))
                for where, end in ends.items()
            }

    def close(self) -> None:
        """Leave the group, and let go of the connection."""
        with suppress(kafka_errors.KafkaError):
            self._consumer.close(autocommit=False)
