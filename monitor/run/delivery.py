"""Telling people: notices that were written with changes of flags become messages, and are sent until they arrive.

Nothing here waits: each sink sends one message at a time in a thread of its own, and whoever calls `work` writes down
what became of it. A message is claimed before it is sent and settled after; a crash in between sends it again, with the
same id. What fails is tried again after pauses that grow, for as long as it takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from monitor.alert import Receipt, Sink
from monitor.core.model import SECOND_MS
from monitor.core.notices import Limits, Made, Message, Notice, Reminding, Telling, messages_of
from monitor.errors import MonitorError, StoreProblem
from monitor.metrics import ARRIVED, FAILED
from monitor.run.task import Watch
from monitor.store import Standing

LOOK_SECONDS = 1.0
REMIND_SECONDS = 60.0
KEEP_SECONDS = 60.0  # between two times of saying what stands to receivers that forget
PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 5.0, 900.0
CLAIM_MS = 300 * SECOND_MS  # longer than any sink may take; then a worker that died holds it up no more
HOUR_MS = 3_600 * SECOND_MS
CLOSED_MS = HOUR_MS  # for so long it is said that a flag was closed
FINISH_SECONDS = 10.0  # for what is under way when the process stops


class Post(Protocol):
    """What is needed of a store."""

    def making(self) -> AbstractContextManager[bool]:
        """One transaction; whether it is ours alone to make messages."""
        ...

    def remind(self, telling: Telling, reminding: Reminding, now: int) -> int:
        """Write the reminders that are due; how many."""
        ...

    def waiting(self) -> set[str]:
        """The sinks for which there are notices that are in no message."""
        ...

    def waiting_for(self, sink: str) -> Sequence[Notice]:
        """The oldest notices for a sink that are in no message."""
        ...

    def made_since(self, sink: str, since: int) -> Sequence[Made]:
        """The messages to a sink that were made after an instant."""
        ...

    def put(self, messages: Sequence[Message]) -> None:
        """Write messages."""
        ...

    def claim(self, sink: str, now: int, until: int) -> tuple[Message, int] | None:
        """A message that is to be sent now, and how often that was tried."""
        ...

    def arrived(self, message: str, at: int) -> None:
        """A message was confirmed."""
        ...

    def failed(self, message: str, next_try_at: int, problem: str) -> None:
        """A message was not confirmed."""
        ...

    def release(self) -> None:
        """Give up all claims."""
        ...

    def oldest_undelivered(self, sinks: Sequence[str]) -> int | None:
        """When the oldest notice was made that has not arrived everywhere."""
        ...

    def standing(self, sink: str, closed_since: int) -> Sequence[Standing]:
        """The flags of which a sink was told."""
        ...


class Rules(NamedTuple):
    """Whom to tell, when to remind, how much to send."""

    telling: Telling
    reminding: Reminding
    limits: Limits


class _Sending(NamedTuple):
    """A message under way, and how often it was tried before."""

    message: Message
    tries: int
    outcome: Future[Receipt]


class Delivery:
    """Sends what people are told to the sinks."""

    def __init__(self, sinks: Mapping[str, Sink], post: Post, rules: Rules, watch: Watch, shared: bool) -> None:
        """Over sinks by name; `shared`: other processes may send for the same store.

        Raises:
            StoreProblem: the store cannot be written.
        """
        self._sinks = dict(sinks)
        self._post = post
        self._rules = rules
        self._watch = watch
        self._threads = {name: ThreadPoolExecutor(1, f"sink-{name}") for name in sinks}
        self._under_way: dict[str, _Sending] = {}
        self._kept: dict[str, Future[None]] = {}
        self._next_look = self._next_reminders = self._next_keep = watch.clock.monotonic()
        self._told: dict[str, str] = {}  # sink -> the trouble that was logged last
        watch.metrics.initialise_sinks(sinks)
        if not shared:
            post.release()

    def work(self) -> None:
        """Write down what became of messages, make more, and send them, once in a while."""
        now = self._watch.clock.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        try:
            self._settle()
            if now >= self._next_reminders:
                self._next_reminders = now + REMIND_SECONDS
                self._post.remind(self._rules.telling, self._rules.reminding, self._watch.clock.now_ms())
            self._make()
            self._send()
            if now >= self._next_keep:
                self._next_keep = now + KEEP_SECONDS
                self._keep()
            oldest = self._post.oldest_undelivered(list(self._sinks))
            self._watch.metrics.set_time("flopwatch_notice_oldest_undelivered_timestamp_seconds", oldest or 0)
        except StoreProblem as problem:  # the next look asks again; nothing is lost
            self._watch.log.warning("notices not read", problem=str(problem))

    def finish(self) -> None:
        """Wait a while for what is under way, and write down what became of it; the rest waits for the next start."""
        wait([one.outcome for one in self._under_way.values()], FINISH_SECONDS)
        try:
            self._settle()
        except StoreProblem as problem:  # what arrived and is not marked comes again, with the same id
            self._watch.log.warning("notices not read", problem=str(problem))
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)

    def _settle(self) -> None:
        for name, sending in list(self._under_way.items()):
            if sending.outcome.done():
                self._write_down(name, sending, self._receipt(sending.outcome))
                del self._under_way[name]

    def _write_down(self, name: str, sending: _Sending, receipt: Receipt) -> None:
        now, message = self._watch.clock.now_ms(), sending.message
        if receipt.arrived:
            self._post.arrived(message.id, now)
            self._watch.log.info("told", sink=name, message=message.id, notices=len(message.notices))
        else:
            pause = min(PAUSE_SECONDS_MIN * 2 ** min(sending.tries, 20), PAUSE_SECONDS_MAX)
            next_try = now + round(max(pause, receipt.retry_seconds) * SECOND_MS)
            self._post.failed(message.id, next_try, receipt.problem)
        outcome = ARRIVED if receipt.arrived else FAILED
        self._watch.metrics.add("flopwatch_notifications_total", sink=name, outcome=outcome)
        self._tell_trouble(name, receipt.problem)

    def _receipt(self, outcome: Future[Receipt]) -> Receipt:
        problem = outcome.exception()
        if problem is None:
            return outcome.result()
        if isinstance(problem, MonitorError):
            return Receipt(str(problem))
        self._watch.log.error("sink failed", problem=repr(problem))  # a bug in one: the others, and the books, go on
        return Receipt(f"The sink failed by itself ({type(problem).__name__}): the log has more.")

    def _make(self) -> None:
        """Put notices into messages, if nobody else is at it."""
        now, limits = self._watch.clock.now_ms(), self._rules.limits
        waiting = sorted(self._post.waiting() & self._sinks.keys())
        if not waiting:
            return
        with self._post.making() as ours:
            for sink in waiting if ours else []:
                made = self._post.made_since(sink, now - HOUR_MS)
                self._post.put(messages_of(sink, self._post.waiting_for(sink), made, now, limits))

    def _send(self) -> None:
        for name in self._sinks.keys() - self._under_way.keys():
            now = self._watch.clock.now_ms()
            claimed = self._post.claim(name, now, now + CLAIM_MS)
            if claimed is not None:
                message, tries = claimed
                outcome = self._threads[name].submit(self._sinks[name].send, message)
                self._under_way[name] = _Sending(message, tries, outcome)

    def _keep(self) -> None:
        """Say again what stands; what could not be said is said the next time."""
        now = self._watch.clock.now_ms()
        for name, sink in self._sinks.items():
            before = self._kept.get(name)
            if not sink.forgets or (before is not None and not before.done()):
                continue
            problem = None if before is None else before.exception()
            if problem is not None:
                self._tell_trouble(name, str(problem))
            standing = self._post.standing(name, now - CLOSED_MS)
            self._kept[name] = self._threads[name].submit(sink.keep, standing, now)

    def _tell_trouble(self, name: str, problem: str) -> None:
        if problem and problem != self._told.get(name):
            self._watch.log.warning("notices not sent", sink=name, problem=problem)
        self._told[name] = problem
