"""The translator: foreign topics and files in, canonical events out, at least once.

A batch is read, translated, sent, and only once all of it has arrived said to be done. Until then nothing more is read,
so what is under way is one batch at most; whatever fails is sent again, and what arrives twice counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from monitor.clock import Clock
from monitor.core.clocks import instant
from monitor.core.limits import Partition
from monitor.core.model import Record, Rejected
from monitor.errors import SourceProblem
from monitor.intake.dialect import Options, line
from monitor.intake.translate import fitting, is_of_tenant, outcome, rejected
from monitor.log import Log
from monitor.metrics import IGNORED, REJECTED, TRANSLATED, IntakeMetrics
from monitor.settings import Foreign
from monitor.source import Outgoing

LAG_SECONDS = 5.0
RETRY_SECONDS_MIN, RETRY_SECONDS_MAX = 1.0, 30.0
BATCH_RECORDS = 500


class Input(Protocol):
    """Where foreign records come from."""

    trouble: str

    @property
    def lost(self) -> int:
        """Records that were gone before they were read."""
        ...

    @property
    def restarted(self) -> Sequence[str]:
        """A sentence for each file that was read from its start again; only grows."""
        ...

    def entry(self, record: Record) -> str:
        """By which name of the settings a record came."""
        ...

    def poll(self, records_max: int) -> list[Record]:
        """The next records, at most so many."""
        ...

    def pause(self) -> None:
        """Deliver nothing for a while, and stay in the group."""
        ...

    def resume(self) -> None:
        """Deliver again."""
        ...

    def commit(self, records: Sequence[Record]) -> None:
        """These records, and all before them, are done."""
        ...

    def left(self) -> Mapping[Partition, int]:
        """How many records more each partition of ours has."""
        ...

    def left_bytes(self) -> Mapping[str, int]:
        """How many bytes of each set of files were not read yet."""
        ...


class Output(Protocol):
    """Where canonical events go."""

    def send(self, events: Iterable[Outgoing], letters: Iterable[Rejected]) -> int:
        """Send them and wait until all have arrived."""
        ...


class Batch(NamedTuple):
    """What became of some records."""

    records: list[Record]
    events: list[Outgoing]
    letters: list[Rejected]


class Translator:
    """The loop of the role `intake`."""

    def __init__(
        self,
        source: Input,
        sink: Output,
        entries: Mapping[str, Foreign],
        bytes_max: int,
        event_bytes_max: int,
        metrics: IntakeMetrics,
        clock: Clock,
        log: Log,
    ) -> None:
        """`bytes_max` is what a foreign record may have, `event_bytes_max` what workers take."""
        self._source = source
        self._sink = sink
        self._entries = {name: (foreign.dialect, options_of(foreign)) for name, foreign in entries.items()}
        self._bytes_max = bytes_max
        self._event_bytes_max = event_bytes_max
        self._metrics = metrics
        self._clock = clock
        self._log = log
        self._held: Batch | None = None  # what has not arrived yet
        self._waiting: list[Record] = []
        self._retry_at = self._retry_seconds = 0.0
        self._next_lag = self._passed = clock.monotonic()
        self._lost = self._restarted = 0  # so many were told
        self._problem = self._told = ""
        self._stopping = False
        self.began = False

    def stop(self) -> None:
        """Ask the loop to finish its pass and return. May be called from a signal handler."""
        self._stopping = True

    def healthy(self, limit: float) -> tuple[bool, str]:
        """Whether there is progress, and a sentence that says what stands still if not; `limit` in seconds."""
        standing = self._clock.monotonic() - self._passed
        if standing > limit:
            return False, f"The translator has not completed a pass for {standing:.0f} seconds."
        trouble = self._problem or self._source.trouble
        return not trouble, trouble or "The translator reads and writes."

    def run(self) -> None:
        """Translate until told to stop.

        Raises:
            SourceProblem: it cannot be read on; what was not said to be done comes again at the next start.
        """
        while not self._stopping:
            self.step()

    def step(self) -> None:
        """One pass: a batch, or another try for the one before."""
        # What the group gives us while it is paused may bring a few records along: they wait.
        self._waiting += self._source.poll(BATCH_RECORDS)
        if self._held is None and self._waiting:
            self._held, self._waiting = self._translated(self._waiting), []
        if self._held is not None and self._clock.monotonic() >= self._retry_at:
            self._send(self._held)
        self._look()
        self._passed, self.began = self._clock.monotonic(), True
        trouble = self._problem or self._source.trouble
        self._metrics.beat(self._clock.now_ms(), bool(trouble))
        if trouble and trouble != self._told:
            self._log.warning("translator in trouble", problem=trouble)
        self._told = trouble

    def _translated(self, records: list[Record]) -> Batch:
        batch = Batch(records, [], [])
        for record in records:
            name = self._source.entry(record)
            dialect, options = self._entries[name]
            if record.received is not None:  # the broker's time, which is the same however often it is read
                options = options._replace(received=instant(record.received))
            found = outcome(record.value, dialect, options, self._bytes_max)
            if len(record.value) > self._event_bytes_max:  # of a shorter one no event is longer
                found = fitting(found, self._event_bytes_max)
            for event in found.events:
                of_tenant = is_of_tenant(event)
                data = event.get("data")
                key = data.get("tenant") if of_tenant and isinstance(data, dict) else event.get("source")
                batch.events.append(Outgoing(of_tenant, key if isinstance(key, str) else "", line(event)))
            letter = rejected(record, found)
            batch.letters.extend([] if letter is None else [letter])
            self._metrics.read(name, TRANSLATED, len(found.events))
            self._metrics.read(name, IGNORED, found.ignored.total())
            self._metrics.read(name, REJECTED, found.refused)
        return batch

    def _send(self, batch: Batch) -> None:
        try:
            self._metrics.arrived(self._sink.send(batch.events, batch.letters))
        except SourceProblem as problem:
            self._problem = str(problem)
            pause = min(max(RETRY_SECONDS_MIN, 2 * self._retry_seconds), RETRY_SECONDS_MAX)
            self._retry_at, self._retry_seconds = self._clock.monotonic() + pause, pause
            self._source.pause()
            return
        for letter in batch.letters:
            self._metrics.refused(letter.reason)
            self._log.warning(
                "dead letter", reason=letter.reason, topic=letter.record.topic, offset=letter.record.offset
            )
        self._source.commit(batch.records)
        if self._problem:
            self._source.resume()
        self._held, self._problem, self._retry_at, self._retry_seconds = None, "", 0.0, 0.0

    def _look(self) -> None:
        """How far behind it is, once in a while; what nobody can read any more, and what is read anew."""
        if self._source.lost > self._lost:
            count, self._lost = self._source.lost - self._lost, self._source.lost
            self._metrics.lost(count)
            self._log.error("records lost", rejected=count)
        for sentence in self._source.restarted[self._restarted :]:
            self._log.warning("source restarted", problem=sentence)
            self._restarted += 1
        if self._clock.monotonic() < self._next_lag:
            return
        self._next_lag = self._clock.monotonic() + LAG_SECONDS
        try:
            self._metrics.behind(self._source.left(), self._source.left_bytes())
        except SourceProblem as problem:
            self._source.trouble = str(problem)


def options_of(foreign: Foreign) -> Options:
    """The same as dialects take it."""
    return Options(foreign.source, foreign.tenant, foreign.within, foreign.zone, foreign.lease_seconds)
