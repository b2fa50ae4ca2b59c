"""What goes into a store in one transaction, and what comes out of it when a process starts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from monitor.core.audit import Person
from monitor.core.book import Book, Moved
from monitor.core.flags import Change, Flag
from monitor.core.model import Rejected
from monitor.core.notices import Notice, Telling


class Position(NamedTuple):
    """Where to go on reading a partition once a commit has succeeded."""

    topic: str
    partition: int
    next_offset: int
    clock: int  # milliseconds; -1 before any fact
    check: str  # what must be found before `next_offset` for it to be the same stream; "" if nothing is known


class StoredPosition(NamedTuple):
    """A position as the store has it."""

    sequence: int  # how many commits have moved or confirmed it: the fence
    next_offset: int
    clock: int
    check: str


TICK, DECISION, STOP, ACTIVATION = "tick", "decision", "stop", "activation"  # kinds of journal entries


class JournalEntry(NamedTuple):
    """A tick, decision or activation: what beside the facts can change an answer."""

    kind: str  # one of the four
    body: Mapping[str, object]  # JSON; a tick has `as_of` in milliseconds


class JournalRow(NamedTuple):
    """A journal entry with its number and when it was written, in milliseconds."""

    number: int
    at: int
    entry: JournalEntry
    partition: int | None = None  # whose books wrote it; None: it concerns all


WAITING, REPLAYED, DISMISSED = "waiting", "replayed", "dismissed"  # states of dead letters
NO_LETTERS: Mapping[int, str] = MappingProxyType({})


class DeadLetter(NamedTuple):
    """A record that is no fact, as it came, and why."""

    number: int
    topic: str
    partition: int
    offset: int
    reason: str
    sentence: str
    body: bytes
    at: int  # when it was written, in milliseconds
    state: str = WAITING  # WAITING, REPLAYED or DISMISSED
    published: bool = False  # to the topic of dead letters
    key: bytes | None = None  # of the record, where its source has keys


class BlindRow(NamedTuple):
    """An interval of event time in which the books of a partition could not see, and why."""

    name: str  # of the interval, in the books of its partition: the same name later replaces it
    cause: str
    source: str | None
    topic: str | None
    topic_partition: int | None
    start: int
    end: int | None  # None: it goes on
    sentence: str
    found_at: int  # the wall clock, in milliseconds
    partition: int = 0  # of the books; a commit writes its own


class StoredFact(NamedTuple):
    """A fact with its number in order of acceptance, and when it was received (None: not known)."""

    number: int
    received: int | None
    raw: bytes


class Commit(NamedTuple):
    """Everything that a stretch of records changed, and where to go on after them.

    A commit that failed may be tried again as it is, as long as the book has observed nothing in between.
    """

    moved: Moved
    book: Book
    positions: Sequence[Position]
    flag_changes: Sequence[Change]
    rejected: Sequence[Rejected]
    journal: Sequence[JournalEntry]
    at: int  # the wall clock, in milliseconds
    blind: Sequence[BlindRow] = ()
    settled_letters: Mapping[int, str] = NO_LETTERS  # number of a dead letter -> its state from now on
    telling: Telling | None = None  # who is told of the changes of flags; None: nobody
    by: Person | None = None  # whose the decisions in the journal are, as the audit names them


class Standing(NamedTuple):
    """A flag of which a sink was told."""

    notice: Notice  # the latest
    closed_at: int | None  # milliseconds; None: no person has closed it


class Sent(NamedTuple):
    """What was told to somebody."""

    notice: Notice
    sink: str
    message: str | None  # None: it is in none yet
    tries: int
    arrived_at: int | None  # milliseconds; None: it has not
    problem: str  # why it has not; "": nothing is known to be wrong


class Loaded(NamedTuple):
    """The books as the latest commit left them."""

    book: Book
    flags: dict[str, dict[str, Flag]]  # tenant -> id -> flag
    positions: dict[tuple[str, int], StoredPosition]


class Backup(NamedTuple):
    """A file that holds a store."""

    file: Path
    bytes: int
    sha256: str
    revision: str  # the migration that its tables stand at


class AuditWanted(NamedTuple):
    """Which rows of the audit; None: all."""

    since: int | None = None  # milliseconds
    actors: Collection[str] | None = None  # names, or what stands for them
    act: str | None = None
    subject: str | None = None
    before: int | None = None  # only rows with a smaller number
