"""The audit: what people did, as a chain of rows in which each holds the hash of the one before.

A row is never changed and never removed. Its hash is the SHA-256 of the canonical JSON of the list [hash of the row
before, number, at, actor, act, subject, body], so whoever changes, removes, adds or moves a row must make all rows
after it anew. A checkpoint says how many rows there were at an instant, and the hash of the last one. Kept where the
chain's owner cannot write, it shows that rows were made anew, or cut off at the end, since.

What this does not prove: that what was entered is true, and that nobody who can write both the rows and the
checkpoints has made both anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from monitor.core.approval import APPROVE, WITHDRAW
from monitor.core.clearances import CLEAR, REOPEN
from monitor.core.clocks import KNOWLEDGE, VIEWED, instant

GENESIS = "0" * 64  # stands before the first row
HASH_DIGITS = 12  # of a hash that is shown in place of a name

# -- rows ------------------------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """What somebody did."""

    number: int  # 1, 2, 3 and so on
    at: int  # the wall clock, in milliseconds
    actor: str  # `personal_hash` of a person, or a part of the program
    act: str  # noun.verb: flag.closed
    subject: str  # what it was done to: an id
    body: str  # canonical JSON: everything else


class Row(NamedTuple):
    """An entry in the chain."""

    entry: Entry
    previous: str  # the hash of the row before
    hash: str


def canonical(content: object) -> str:
    """JSON with sorted keys, without blanks, in ASCII: the same content has one such text.

    Raises:
        ValueError: it is no JSON: not a number, or infinite.
        TypeError: the same, of a type that JSON has not.
    """
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def chained(previous: str, entry: Entry) -> Row:
    """An entry as the row after the one that has the hash `previous`."""
    return Row(entry, previous, _digest([previous, *entry]))


def _digest(content: object) -> str:
    return hashlib.sha256(canonical(content).encode("ascii")).hexdigest()


# -- checkpoints -----------------------------------------------------------------------------------------------------


class Checkpoint(NamedTuple):
    """How long the chain was at an instant, and the hash of its last row."""

    at: int  # the wall clock, in milliseconds
    rows: int
    head: str


def checkpoint_line(checkpoint: Checkpoint) -> str:
    """A checkpoint as one line of canonical JSON, without its end."""
    return canonical(checkpoint._asdict())


def checkpoint_from(line: str | bytes) -> Checkpoint:
    """The checkpoint of a line.

    Raises:
        ValueError: the line is none.
    """
    content = json.loads(line)
    if not isinstance(content, dict) or content.keys() != set(Checkpoint._fields):
        raise ValueError("a checkpoint has at, rows and head")
    at, rows, head = (content[name] for name in Checkpoint._fields)
    if type(at) is not int or type(rows) is not int or rows < 0 or not isinstance(head, str):
        raise ValueError("at and rows are whole numbers, head is a hash")
    return Checkpoint(at, rows, head)


# -- what is wrong with a chain --------------------------------------------------------------------------------------


class Fault(StrEnum):
    """What is wrong with a row."""

    CHANGED = "changed"
    MISSING = "missing"
    ADDED = "added"
    UNLINKED = "unlinked"  # it does not follow from the row before
    REWRITTEN = "rewritten"  # the chain is whole, and another one than a checkpoint says
    CUT_OFF = "cut off"  # a checkpoint counts more rows


class Broken(NamedTuple):
    """The first rows of which one is bad."""

    first: int
    last: int
    fault: Fault
    why: str  # a sentence that names the rows


class Verdict(NamedTuple):
    """What a walk over a chain found. Rows after a bad one are not looked at."""

    rows: int  # that follow from each other
    head: str  # the hash of the last of them
    covered: int  # the last row that a checkpoint vouches for; 0: none
    broken: Broken | None


def verify(rows: Iterable[Row], checkpoints: Iterable[Checkpoint] = ()) -> Verdict:
    """Walk over a chain, in the order of its numbers, and compare it with checkpoints, in any order."""
    wanted: dict[int, list[Checkpoint]] = {}
    for one in checkpoints:
        wanted.setdefault(one.rows, []).append(one)
    count, head, covered = 0, GENESIS, 0
    broken = _disagreeing(wanted.pop(0, ()), head, covered)
    for row in rows:
        broken = broken or _broken(row, count, head)
        if broken:
            break
        count, head = row.entry.number, row.hash
        here = wanted.pop(count, ())
        broken = _disagreeing(here, head, covered)
        covered = count if here and not broken else covered
    if not broken and wanted:
        broken = _cut_off(count, wanted[max(wanted)][0])
    return Verdict(count, head, covered, broken)


def _broken(row: Row, count: int, head: str) -> Broken | None:
    """What is wrong with the row after `count` good ones, the last of which has the hash `head`."""
    number = row.entry.number
    if number <= count:
        return Broken(number, number, Fault.ADDED, f"Row {number} was added: row {count + 1} is expected here.")
    if number > count + 1:
        why = f"{_rows(count + 1, number - 1)} missing: row {number} comes next."
        return Broken(count + 1, number - 1, Fault.MISSING, why)
    if chained(row.previous, row.entry).hash != row.hash:
        return Broken(number, number, Fault.CHANGED, f"Row {number} was changed: its hash is another one.")
    if row.previous != head:
        before = f"row {count}: one of the two was made anew" if count else "the beginning of a chain"
        return Broken(number, number, Fault.UNLINKED, f"Row {number} does not follow from {before}.")
    return None


def _disagreeing(here: Sequence[Checkpoint], head: str, covered: int) -> Broken | None:
    """Whether a checkpoint of so many rows says something else; up to row `covered` an earlier one agrees."""
    for one in here:
        if one.head != head:
            first = min(covered + 1, one.rows)
            which = f"Row {first}" if first == one.rows else f"One of rows {first} to {one.rows}"
            at, has = instant(one.at), f"it has another hash for row {one.rows}"
            why = f"{which} was made anew, or the checkpoint of {at} was: {has}."
            return Broken(first, one.rows, Fault.REWRITTEN, why)
    return None


def _cut_off(count: int, furthest: Checkpoint) -> Broken:
    missing = _rows(count + 1, furthest.rows)
    why = f"{missing} missing at the end: the checkpoint of {instant(furthest.at)} counts {furthest.rows}."
    return Broken(count + 1, furthest.rows, Fault.CUT_OFF, why)


def _rows(first: int, last: int) -> str:
    return f"Row {first} is" if first == last else f"Rows {first} to {last} are"


# -- people ----------------------------------------------------------------------------------------------------------

# Kinds of people, by who says who they are.
OPERATOR = "operating system user"
NAMED = "named"  # nobody but whoever typed the name


class Person(NamedTuple):
    """Somebody, as known by a name of some kind."""

    kind: str
    value: str


class Personal(NamedTuple):
    """What is kept of something personal; None: it was erased, and nothing but its hash is left."""

    hash: str
    kind: str
    value: str | None

    @property
    def shown(self) -> str:
        """The name with its kind where the system says who it is, or that it was erased."""
        if self.value is None:
            return erased(self.hash)
        return self.value if self.kind == NAMED else f"{self.value} ({self.kind})"


def erased(hash: str) -> str:
    """What stands, wherever people read it, for something personal of which nothing but its hash is left."""
    return f"erased ({hash.removeprefix('sha256:')[:HASH_DIGITS]}…)"


def personal_hash(salt: str, kind: str, value: str) -> str:
    """What stands for something personal wherever it must not: the same for the same kind and value.

    Whoever has the salt can try names; nobody can read one off it.
    """
    return "sha256:" + _digest([salt, kind, value])


# -- decisions -------------------------------------------------------------------------------------------------------

# What a decision in the journal is about, by the key that only it has.
ACTS = {
    "close": "flag.closed",
    VIEWED: "flag.viewed",
    KNOWLEDGE: "flag.known",
    CLEAR: "hit.cleared",
    REOPEN: "hit.reopened",
    APPROVE: "policy.approved",
    WITHDRAW: "policy.withdrawn",
    "accept": "position.accepted",
    "replay_dead_letters": "letters.replayed",
    "dismiss_dead_letters": "letters.dismissed",
    "past_limit": "limit.passed",
    "partitions": "books.repartitioned",
}
OTHER_ACT = "decided"
PEOPLE = "by"  # the key of those who took it


def act_of(decision: Mapping[str, object]) -> tuple[str, str]:
    """What a journalled decision is called in the audit, and its subject."""
    for key, act in ACTS.items():
        if key in decision:
            return act, _subject(decision[key])
    return OTHER_ACT, ""


def _subject(about: object) -> str:
    if isinstance(about, Mapping):
        return str(about.get("subject", ""))
    if isinstance(about, list):
        more = f" and {len(about) - 1} more" if len(about) > 1 else ""
        return f"{about[0]}{more}" if about else ""
    return str(about)


def people_of(decision: Mapping[str, object]) -> list[str]:
    """Those whom a decision names as taking it: their names, or what stands for them."""
    named = decision.get(PEOPLE)
    return [str(name) for name in named] if isinstance(named, list) else []


def with_people(decision: Mapping[str, object], instead: Mapping[str, str]) -> dict[str, object]:
    """A decision with others in the place of some of those whom it names."""
    people = [instead.get(name, name) for name in people_of(decision)]
    return {**decision, PEOPLE: people} if people else dict(decision)
