"""Checkpoints: now and then, where the audit has grown, how long it is goes to a second place.

Nothing here waits: each place has a thread of its own. What fails is told, by the log and by a metric, and tried again;
the books go on. A chain that no longer holds what the last checkpoint of this process said is told as well, for as long
as the process runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NamedTuple, Protocol

from monitor.alert import CheckpointPlace
from monitor.core.audit import Checkpoint, checkpoint_line
from monitor.core.clocks import instant
from monitor.errors import MonitorError, StoreProblem
from monitor.run.task import Watch

MINUTE_SECONDS = 60
RETRY_SECONDS = 30.0
FINISH_SECONDS = 10.0  # for what is under way when the process stops


class Chain(Protocol):
    """What is needed of the audit of a store."""

    def head(self, at: int) -> Checkpoint:
        """How long it is; `at`: the time that it is."""
        ...

    def agrees(self, checkpoint: Checkpoint) -> bool:
        """Whether it still holds what a checkpoint says."""
        ...


class _Sending(NamedTuple):
    """A checkpoint on its way to a place."""

    checkpoint: Checkpoint
    outcome: Future[None]


class _Place:
    """A place, what has arrived there, and what is on its way."""

    def __init__(self, place: CheckpointPlace) -> None:
        self.place = place
        self.thread = ThreadPoolExecutor(1, "checkpoint")
        self.arrived: Checkpoint | None = None
        self.sending: _Sending | None = None
        self.problem = ""

    def lacks(self, head: Checkpoint) -> bool:
        """Whether the place does not have it, and nothing is on its way."""
        return self.sending is None and (self.arrived is None or self.arrived[1:] != head[1:])

    def covered_at(self, head: Checkpoint) -> int:
        """When the place was last known to have a checkpoint of all rows, in milliseconds; 0: never."""
        if self.arrived is None:
            return 0
        return head.at if self.arrived[1:] == head[1:] else self.arrived.at


class Checkpoints:
    """Takes checkpoints of one store's audit to their places."""

    def __init__(self, chain: Chain, places: Sequence[CheckpointPlace], minutes: int, watch: Watch) -> None:
        """`minutes`: between two checkpoints, at least."""
        self._chain = chain
        self._places = [_Place(one) for one in places]
        self._seconds = minutes * MINUTE_SECONDS
        self._watch = watch
        self._next = watch.clock.monotonic()
        self._last: Checkpoint | None = None
        self._told = ""  # the trouble that was logged last
        self._disagreement = ""

    @property
    def under_way(self) -> list[Future[None]]:
        """What is being written, and what was and is not noted yet."""
        return [one.sending.outcome for one in self._places if one.sending is not None]

    def work(self) -> None:
        """Note what has arrived, and take a checkpoint if it is time to."""
        now = self._watch.clock.monotonic()
        self._settle()
        if now >= self._next:
            self._next = now + self._seconds
            self._take()
            self._tell()

    def finish(self) -> None:
        """Take a last one, after the last commit, and wait a moment for it."""
        wait(self.under_way, FINISH_SECONDS)
        self._settle()
        self._take()
        wait(self.under_way, FINISH_SECONDS)
        self._settle()
        for one in self._places:
            one.thread.shutdown(wait=False, cancel_futures=True)

    def _take(self) -> None:
        try:
            if self._last is not None and not self._chain.agrees(self._last):
                self._disagreement = (
                    f"The audit no longer holds what the checkpoint of {instant(self._last.at)} says: "
                    "`flopwatch audit verify` names the first bad row."
                )
            self._last = head = self._chain.head(self._watch.clock.now_ms())
        except StoreProblem as problem:  # the books tell it, too
            self._next = self._watch.clock.monotonic() + RETRY_SECONDS
            self._watch.log.warning("audit not read", problem=str(problem))
            return
        for one in self._places:
            if one.lacks(head):
                one.sending = _Sending(head, one.thread.submit(one.place.put, checkpoint_line(head)))

    def _settle(self) -> None:
        settled = [one for one in self._places if one.sending is not None and one.sending.outcome.done()]
        for one in settled:
            self._note(one)
        if settled:
            self._tell()

    def _note(self, one: _Place) -> None:
        assert one.sending is not None
        checkpoint, outcome = one.sending
        one.sending, problem = None, outcome.exception()
        if problem is None:
            one.arrived, one.problem = checkpoint, ""
            return
        one.problem = str(problem) if isinstance(problem, MonitorError) else f"A checkpoint failed: {problem!r}."
        self._next = min(self._next, self._watch.clock.monotonic() + RETRY_SECONDS)

    def _tell(self) -> None:
        trouble = " ".join(filter(None, [self._disagreement, *(one.problem for one in self._places)]))
        if trouble and trouble != self._told:
            self._watch.log.error("audit in trouble", problem=trouble)
        self._told = trouble
        metrics = self._watch.metrics
        metrics.set("flopwatch_audit_trouble", int(bool(trouble)))
        if self._last is not None:
            covered = min(one.covered_at(self._last) for one in self._places)
            metrics.set_time("flopwatch_audit_checkpoint_timestamp_seconds", covered)
            metrics.set("flopwatch_audit_rows", self._last.rows)
