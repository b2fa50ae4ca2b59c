"""The translator's loop: what does not arrive is sent again, and what comes meanwhile waits for its turn."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry

from monitor.core.limits import Partition
from monitor.core.model import Record, Rejected
from monitor.errors import SourceProblem
from monitor.log import build_log
from monitor.metrics import IntakeMetrics
from monitor.run.translating import Translator
from monitor.settings import Foreign
from monitor.source import Outgoing
from tests.run.test_worker import TurnedClock, started

TOPIC = "foreign"
EVENT_BYTES_MAX = 10_000


class Group:
    """A group that gives batches as the test says, even while it is told to pause."""

    def __init__(self, *batches: list[Record]) -> None:
        self.trouble = ""
        self.lost = 0
        self.restarted: list[str] = []
        self.paused = False
        self.done: list[int] = []
        self._batches = list(batches)

    def entry(self, record: Record) -> str:
        return record.topic

    def poll(self, records_max: int) -> list[Record]:
        return self._batches.pop(0) if self._batches else []

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def commit(self, records: Sequence[Record]) -> None:
        self.done += [record.offset for record in records]

    def left(self) -> Mapping[Partition, int]:
        return {(TOPIC, 0): 0}

    def left_bytes(self) -> Mapping[str, int]:
        return {}


class Topics:
    """Topics that refuse the first so many batches."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.events: list[Outgoing] = []
        self.letters: list[Rejected] = []

    def send(self, events: Iterable[Outgoing], letters: Iterable[Rejected]) -> int:
        if self.refusals:
            self.refusals -= 1
            raise SourceProblem("The topic takes nothing: make room.")
        sent = list(events)
        self.events += sent
        self.letters += letters
        return len(sent)


def record(offset: int, value: bytes) -> Record:
    return Record(TOPIC, 0, offset, offset + 1, value, 1_767_600_000_000)


def translator(group: Group, topics: Topics, clock: TurnedClock, logged: io.StringIO | None = None) -> Translator:
    settings = {TOPIC: Foreign(topic=TOPIC, dialect="canonical", source="/x")}
    metrics = IntakeMetrics(CollectorRegistry(), settings)
    return Translator(
        group,
        topics,
        settings,
        1_000_000,
        EVENT_BYTES_MAX,
        metrics,
        clock,
        build_log("info", clock, logged if logged is not None else io.StringIO()),
    )


def test_what_comes_while_something_waits_is_not_lost() -> None:
    """A batch that does not arrive is tried again, after longer and longer; nothing is done before it has arrived."""
    batches = [[record(0, started(1, 0, "a"))], [record(1, started(2, 0, "b")), record(2, b"no event")]]
    group, topics, clock = Group(*batches), Topics(2), TurnedClock()
    loop = translator(group, topics, clock)

    loop.step()
    assert (True, [], False) == (group.paused, group.done, loop.healthy(60)[0])
    assert "The topic takes nothing: make room." == loop.healthy(60)[1]
    loop.step()  # brings the second batch, and is too early to try again
    assert 1 == topics.refusals
    clock.turn(1)
    loop.step()
    clock.turn(1)
    loop.step()
    assert [] == group.done
    clock.turn(1)
    loop.step()
    assert (False, [0], True) == (group.paused, group.done, loop.healthy(60)[0])
    loop.step()

    assert [0, 1, 2] == group.done
    assert ["t-1", "t-1"] == [event.key for event in topics.events]
    assert ["json"] == [letter.reason for letter in topics.letters]


def test_an_event_that_no_worker_takes_is_a_dead_letter() -> None:
    """An event of ours that is too long holds nothing up, neither here nor in the topic."""
    long = started(1, 0, "a" * EVENT_BYTES_MAX)
    group, topics = Group([record(0, long), record(1, started(2, 0, "b"))]), Topics(0)

    translator(group, topics, TurnedClock()).step()

    assert [0, 1] == group.done
    assert 1 == len(topics.events)
    assert [(long, "bytes_limit")] == [(letter.record.value, letter.reason) for letter in topics.letters]


def test_files_that_are_read_anew_are_told() -> None:
    """Each sentence once, however often somebody looks."""
    group, clock, logged = Group(), TurnedClock(), io.StringIO()
    loop = translator(group, Topics(0), clock, logged)
    group.restarted.append("a.log is read from its start.")
    loop.step()
    group.restarted.append("b.log is read from its start.")
    loop.step()
    loop.step()

    told = [json.loads(one)["problem"] for one in logged.getvalue().splitlines()]
    assert ["a.log is read from its start.", "b.log is read from its start."] == told


def test_records_that_are_gone_are_counted_and_a_loop_that_stands_is_told() -> None:
    """What the group lost is in the log; without a pass for a while it is not healthy."""
    group, clock = Group(), TurnedClock()
    loop = translator(group, Topics(0), clock)
    group.lost = 7
    loop.step()

    assert loop.healthy(60)[0]
    clock.turn(61)
    assert (False, "The translator has not completed a pass for 61 seconds.") == loop.healthy(60)
