"""Topics and files as one input: whose a record is, and what is done with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from monitor.core.limits import Partition
from monitor.core.model import Record
from monitor.settings import Files
from monitor.source.file_sets import LOOK_SECONDS, FileSets
from monitor.source.foreign import ForeignSource
from tests.run.test_worker import TurnedClock

TOPIC = "foreign"


class Group:
    """A group that gives batches as the test says."""

    def __init__(self, *batches: Sequence[bytes]) -> None:
        self.trouble = ""
        self.lost = 3
        self.paused = False
        self.waited: list[bool] = []
        self.done: list[bytes] = []
        self._batches = list(batches)

    def poll(self, records_max: int, wait: bool = True) -> list[Record]:
        self.waited.append(wait)
        values = self._batches.pop(0) if self._batches else ()
        return [Record(TOPIC, 0, at, at + 1, one, 1) for at, one in enumerate(values)]

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def commit(self, records: Sequence[Record]) -> None:
        self.done += [record.value for record in records]

    def left(self) -> Mapping[Partition, int]:
        return {(TOPIC, 0): 5}


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FileSets]:
    """A file with one line."""
    (tmp_path / "a.log").write_bytes(b"of a file\n")
    sets = {"logs": Files(paths=(str(tmp_path / "*.log"),))}
    files = FileSets(sets, tmp_path / "positions", 1_000, TurnedClock())
    yield files
    files.close()


def test_records_of_both_come_together_and_are_done_apart(files: FileSets, tmp_path: Path) -> None:
    """The group is told of its own, files wait for theirs; each record is known by its name in the settings."""
    group = Group([b"of a topic"], [], [b"more"])
    source = ForeignSource(group, files)

    both = source.poll(10)

    assert [("logs", b"of a file"), (TOPIC, b"of a topic")] == [(source.entry(one), one.value) for one in both]
    assert [] == source.poll(10)
    assert [False, True] == group.waited  # where files give something nobody waits for topics
    source.commit(source.poll(10))
    assert [b"more"] == group.done
    assert 0 == (tmp_path / "positions").stat().st_size
    source.commit(both)
    assert [b"more", b"of a topic"] == group.done
    assert b"a.log" in (tmp_path / "positions").read_bytes()


def test_either_alone_is_enough(files: FileSets) -> None:
    """What is missing has no trouble, has lost nothing and has nothing left."""
    topics_alone, files_alone = ForeignSource(Group([b"1"]), None), ForeignSource(None, files)

    assert ([b"1"], [b"of a file"]) == tuple(
        [one.value for one in each.poll(9)] for each in (topics_alone, files_alone)
    )
    assert ({(TOPIC, 0): 5}, {}, 3, []) == (
        topics_alone.left(),
        topics_alone.left_bytes(),
        topics_alone.lost,
        topics_alone.restarted,
    )
    assert ({}, {"logs": 10}, 0, []) == (
        files_alone.left(),
        files_alone.left_bytes(),
        files_alone.lost,
        files_alone.restarted,
    )


def test_the_trouble_of_either_is_told(tmp_path: Path) -> None:
    """That of topics first: without Kafka nothing arrives."""
    clock, group = TurnedClock(), Group()
    named = {"logs": Files(paths=(str(tmp_path / "missing"),))}
    files = FileSets(named, tmp_path / "positions", 1_000, clock)
    source = ForeignSource(group, files)
    source.poll(1)
    assert "missing" in source.trouble
    group.trouble = "Kafka does not answer."
    source.poll(1)
    assert "Kafka does not answer." == source.trouble
    group.trouble = ""
    (tmp_path / "missing").touch()
    clock.turn(LOOK_SECONDS)
    source.poll(1)
    files.close()

    assert "" == source.trouble


def test_only_the_group_is_told_to_pause(files: FileSets) -> None:
    """Files give nothing more by themselves before what they gave is done."""
    group = Group()
    source = ForeignSource(group, files)
    source.pause()
    assert group.paused
    source.resume()

    assert not group.paused
    ForeignSource(None, files).pause()
