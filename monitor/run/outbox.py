"""What is written to the store first and then sent on: dead letters to their topic, at least once.

Nothing here waits. A letter is marked once its arrival was confirmed, so that a crash in between sends it again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from monitor.alert import LetterSink
from monitor.clock import Clock
from monitor.errors import StoreProblem
from monitor.log import Log
from monitor.metrics import Metrics
from monitor.store import DeadLetter

UNDER_WAY_MAX = 100
LOOK_SECONDS = 1.0
REST_SECONDS = 30.0  # after nothing could be sent


class Letters(Protocol):
    """What is needed of the store."""

    def unpublished(self, limit: int, partitions: Collection[int]) -> Sequence[DeadLetter]:
        """The oldest dead letters of these books that are not in their topic yet, at most so many."""
        ...

    def mark_published(self, numbers: Collection[int]) -> None:
        """These dead letters are in their topic."""
        ...


class Outbox:
    """Sends the dead letters of the books at hand."""

    def __init__(self, sink: LetterSink, letters: Letters, metrics: Metrics, clock: Clock, log: Log) -> None:
        self._sink = sink
        self._letters = letters
        self._metrics = metrics
        self._clock = clock
        self._log = log
        self._under_way: set[int] = set()
        self._next_look = clock.monotonic()
        self._told = ""

    def work(self, partitions: Collection[int]) -> None:
        """Mark what has arrived and send more, once in a while; `partitions`: whose letters are ours to send."""
        if self._clock.monotonic() < self._next_look:
            return
        self._next_look = self._clock.monotonic() + LOOK_SECONDS
        try:
            self._mark()
            for letter in self._letters.unpublished(UNDER_WAY_MAX, partitions):
                if letter.number not in self._under_way:
                    if not self._sink.send(letter):
                        self._next_look += REST_SECONDS
                        break
                    self._under_way.add(letter.number)
        except StoreProblem as problem:  # the next look asks again; what arrived and is not marked arrives twice
            self._log.warning("dead letters not read", problem=str(problem))
        self._tell_trouble()

    def _mark(self) -> None:
        arrived, failed = self._sink.outcome()
        self._under_way -= {*arrived, *failed}
        if arrived:
            self._letters.mark_published(arrived)
            self._metrics.add("flopwatch_dead_letters_published_total", len(arrived))

    def _tell_trouble(self) -> None:
        trouble = self._sink.trouble
        if trouble and trouble != self._told:
            self._log.warning("dead letters not sent", problem=trouble)
        self._told = trouble
