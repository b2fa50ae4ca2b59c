"""When we could not see: a source gone silent, records lost on the way, holes in a topic, too many dead letters.

A monitor that is silently blind is worse than none. Each stretch of event time for which facts may be missing is
recorded with its cause, shown with the tenants that it touches, and told to operators while it lasts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from monitor.core.model import SECOND_MS

SILENCE = "silence"  # a source has sent nothing for much longer than it ever did
GAP = "gap"  # a source says that it has sent more than came
HOLE = "hole"  # Kafka no longer has records that were not read
DEAD_LETTERS = "dead letters"  # so many records were unreadable that a person had to decide to go on
CAUSES = (SILENCE, GAP, HOLE, DEAD_LETTERS)

SILENCE_FACTOR = 3  # times the longest pause that the source has made
SILENCE_MS_MIN = 300 * SECOND_MS  # nobody is called silent sooner, unless a deployment says otherwise


class Blind(NamedTuple):
    """A stretch of event time for which facts may be missing."""

    cause: str
    source: str  # "": whatever came through the partition
    topic: str  # "" where it is not about one
    partition: int
    start: int
    end: int | None  # None: it lasts
    sentence: str

    @property
    def name(self) -> str:
        """What stays the same while it lasts and after."""
        return f"{self.cause}/{self.source}/{self.topic}/{self.partition}/{self.start}"

    def touches(self, start: int, end: int) -> bool:
        """Whether it overlaps [start, end)."""
        return self.start < end and (self.end is None or self.end > start)


class Rhythm(NamedTuple):
    """How a source has been heard of: when last, and its longest pause."""

    heard: int
    pause: int  # milliseconds; 0 before it was heard of twice


class Sight:
    """What the books of one partition could not see; changes wait for the next commit."""

    def __init__(self, known: Iterable[Blind] = (), least_ms: int = SILENCE_MS_MIN) -> None:
        """With what lasted before; `least_ms`: nobody is called silent sooner."""
        self._least_ms = least_ms
        self._lasting: dict[str, Blind] = {blind.name: blind for blind in known if blind.end is None}
        self._changed: dict[str, Blind] = {}
        self._stirred: dict[str, tuple[int, int]] = {}  # source -> what it was heard of last, and when that was noticed

    @property
    def lasting(self) -> list[Blind]:
        """What we cannot see now."""
        return list(self._lasting.values())

    @property
    def changed(self) -> bool:
        """Whether something began or ended since the last commit."""
        return bool(self._changed)

    def take_changed(self) -> list[Blind]:
        """What began or ended since the last call."""
        changed, self._changed = list(self._changed.values()), {}
        return changed

    def note(self, blind: Blind) -> None:
        """Something was not seen, or can be seen again."""
        if blind.end is None:
            self._lasting[blind.name] = blind
        else:
            self._lasting.pop(blind.name, None)
        self._changed[blind.name] = blind

    def listen(self, sources: Iterable[tuple[str, Rhythm]], now: int) -> None:
        """Hold each source's silence against its own rhythm.

        A source that sends facts of long ago is late and not silent: what counts is when it last had something to say.
        """
        for name, rhythm in sources:
            self._end_silence(name, rhythm.heard)
            allowed = max(self._least_ms, SILENCE_FACTOR * rhythm.pause)
            if rhythm.pause and now - self._last_stirred(name, rhythm.heard, now) > allowed:
                blind = Blind(
                    SILENCE,
                    name,
                    "",
                    0,
                    rhythm.heard,
                    None,
                    f"Nothing came from {name}; it had never paused for longer than {_length(rhythm.pause)}.",
                )
                if blind.name not in self._lasting:
                    self.note(blind)

    def waited(self, milliseconds: int) -> None:
        """So long nobody was listened to: what a source said meanwhile is not heard yet, so that is no silence."""
        for source, (heard, at) in self._stirred.items():
            self._stirred[source] = (heard, at + milliseconds)

    def _last_stirred(self, source: str, heard: int, now: int) -> int:
        """When a source last had something new to say, as far as that was noticed; at first its event time counts."""
        before, at = self._stirred.get(source, (heard, heard))
        if heard > before:
            at = now
        self._stirred[source] = (heard, at)
        return at

    def _end_silence(self, source: str, heard: int) -> None:
        for blind in self.lasting:
            if blind.cause == SILENCE and blind.source == source and heard > blind.start:
                self.note(blind._replace(end=heard))

    def end(self, cause: str, topic: str, partition: int, at: int) -> None:
        """What could not be seen of a partition for a cause can be seen again from an instant on."""
        for blind in self.lasting:
            if (blind.cause, blind.topic, blind.partition) == (cause, topic, partition):
                self.note(blind._replace(end=max(at, blind.start)))


def unseen_ms(spans: Iterable[tuple[int, int | None]], start: int, end: int) -> int:
    """How much of [start, end) lies in any of these spans, in milliseconds; a span without an end lasts."""
    total, until = 0, start
    for first, last in sorted((first, end if last is None else min(last, end)) for first, last in spans):
        total += max(0, last - max(first, until))
        until = max(until, last)
    return total


def _length(milliseconds: int) -> str:
    seconds = milliseconds // SECOND_MS
    for unit, size in (("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(1, seconds)} s"
