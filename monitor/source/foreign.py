"""Foreign records of topics, of files, or of both, as the one input that a translator has."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from monitor.core.limits import Partition
from monitor.core.model import Record
from monitor.source.file_sets import FileSets
from monitor.source.kafka_group import GroupSource

IDLE_SECONDS = 0.2


class ForeignSource:
    """Topics of a group, and sets of files; one of them may be missing."""

    def __init__(self, topics: GroupSource | None, files: FileSets | None) -> None:
        self.trouble = ""
        self._topics = topics
        self._files = files

    @property
    def lost(self) -> int:
        """Records of topics that were gone before they were read."""
        return 0 if self._topics is None else self._topics.lost

    @property
    def restarted(self) -> Sequence[str]:
        """A sentence for each file that was read from its start again; only grows."""
        return [] if self._files is None else self._files.restarted

    def entry(self, record: Record) -> str:
        """By which name of the settings a record came: its topic, or the set that its file is of."""
        name = None if self._files is None else self._files.name_of(record.topic)
        return record.topic if name is None else name

    def poll(self, records_max: int) -> list[Record]:
        """The next records, at most so many of each kind; waits a moment where there are none.

        Raises:
            SourceProblem: topics cannot be read on.
        """
        records = [] if self._files is None else self._files.poll(records_max)
        if self._topics is not None:
            records += self._topics.poll(records_max, wait=not records)
        elif not records:
            time.sleep(IDLE_SECONDS)
        self.trouble = next((one.trouble for one in (self._topics, self._files) if one is not None and one.trouble), "")
        return records

    def pause(self) -> None:
        """Deliver nothing of topics for a while, and stay in the group; files wait by themselves until `commit`."""
        if self._topics is not None:
            self._topics.pause()

    def resume(self) -> None:
        """Deliver again."""
        if self._topics is not None:
            self._topics.resume()

    def commit(self, records: Sequence[Record]) -> None:
        """These records are done: of topics all before them, of files all that were delivered."""
        of_topics = [one for one in records if self._files is None or self._files.name_of(one.topic) is None]
        if self._topics is not None and of_topics:
            self._topics.commit(of_topics)
        if self._files is not None and len(of_topics) < len(records):
            self._files.commit()

    def left(self) -> Mapping[Partition, int]:
        """How many records more each partition of ours has than were delivered.

        Raises:
            SourceProblem: nobody answers.
        """
        return {} if self._topics is None else self._topics.left()

    def left_bytes(self) -> Mapping[str, int]:
        """How many bytes of each set of files were not read yet, as they lie on the disk."""
        return {} if self._files is None else self._files.left()
