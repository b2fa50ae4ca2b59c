"""When something must have been done: from evidence, from an alert, or from when somebody knew.

Four instants, each of which says something else: `evidence_at`, from when on a finding could have been computed;
`alert_at`, when the books told of it; `first_viewed_at`, when a person first looked; `knowledge_at`, when a person says
that it was known. The last two are decisions in the journal, which is only ever added to: the earliest counts, and
only two people together can move what is known to a later time.

Days are counted after the day on which a clock begins, to the same time of day, in UTC. Business days are Monday to
Friday: public holidays are not known here, so whoever has some may have more time than is said, never less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

AUTHORS = 2  # who together may move what is known to a later time
SATURDAY = 5  # as `datetime.weekday` counts
VIEWED, KNOWLEDGE = "viewed", "knowledge"  # decisions in the journal
CALENDAR, BUSINESS = "calendar", "business"
IN_FORCE = frozenset({"in_force", "internal"})  # the legal forces of rules that bind somebody


class ClockFrom(StrEnum):
    """From when a clock runs."""

    EVIDENCE = "evidence"  # when the finding could first be computed
    ALERT = "alert"  # when people were told
    KNOWLEDGE = "knowledge"  # when somebody knew


class Clock(NamedTuple):
    """How long there is to do something."""

    days: int
    kind: str  # calendar or business
    since: ClockFrom
    what: str


class Seen(NamedTuple):
    """What people said of a flag. Instants in milliseconds; None: nobody said it."""

    first_viewed_at: int | None = None
    knowledge_at: int | None = None


UNSEEN = Seen()


class Times(NamedTuple):
    """The four instants of a flag, in milliseconds."""

    evidence_at: int
    alert_at: int
    first_viewed_at: int | None
    knowledge_at: int | None


class Due(NamedTuple):
    """A clock of a flag: what must be done, and by when; None: it has not begun."""

    clock: Clock
    due_at: int | None
    planning: bool  # the rule binds nobody today: the clock is for planning


def due_of(clock: Clock, times: Times, legal_force: str) -> Due:
    """When the time of a clock is over."""
    begins = {
        ClockFrom.EVIDENCE: times.evidence_at,
        ClockFrom.ALERT: times.alert_at,
        ClockFrom.KNOWLEDGE: times.knowledge_at,
    }[ClockFrom(clock.since)]
    due_at = None if begins is None else _after(begins, clock)
    return Due(clock, due_at, legal_force not in IN_FORCE)


def _after(begins: int, clock: Clock) -> int:
    """The instant so many days after another one."""
    at = _datetime(begins)
    if clock.kind == CALENDAR:
        return _milliseconds(at + timedelta(days=clock.days))
    left = clock.days
    while left:
        at += timedelta(days=1)
        left -= at.weekday() < SATURDAY
    return _milliseconds(at)


def due_sentence(due: Due) -> str:
    """A clock in words: what, by when, counted how, and whether it binds anybody."""
    clock = due.clock
    days = f"{clock.days} {clock.kind} day{'s' * (clock.days != 1)}"
    since = {
        ClockFrom.EVIDENCE: "from when it could first be computed",
        ClockFrom.ALERT: "from when it was told",
        ClockFrom.KNOWLEDGE: "from when it was known",
    }[ClockFrom(clock.since)]
    end = "has not begun: nobody has said when it was known" if due.due_at is None else f"due {instant(due.due_at)}"
    holidays = "; Monday to Friday, public holidays are not known" if clock.kind == BUSINESS else ""
    planning = "; for planning: the rule binds nobody today" if due.planning else ""
    return f"{clock.what[:1].upper()}{clock.what[1:]}: {end} ({days} {since}{holidays}{planning})."


def seen_in(decisions: Iterable[Mapping[str, object]]) -> dict[str, Seen]:
    """By flag what journalled decisions, in their order, leave of who looked and who knew."""
    found: dict[str, Seen] = {}
    for body in decisions:
        for name in (VIEWED, KNOWLEDGE):
            flag, at = body.get(name), body.get("at")
            if isinstance(flag, str) and isinstance(at, int):
                people = body.get("by")
                before = found.get(flag, UNSEEN)
                found[flag] = _with(before, name, at, len(people) if isinstance(people, list) else 0)
    return found


def _with(seen: Seen, what: str, at: int, people: int) -> Seen:
    if what == VIEWED:
        return seen._replace(first_viewed_at=_earliest(seen.first_viewed_at, at))
    if people >= AUTHORS or not moves_later(seen, at):
        return seen._replace(knowledge_at=at)
    return seen


def moves_later(seen: Seen, at: int) -> bool:
    """Whether saying that a flag was known at an instant moves that to a later time, which takes two people."""
    return seen.knowledge_at is not None and at > seen.knowledge_at


def viewed_decision(flag: str, by: str, at: int) -> dict[str, object]:
    """That somebody looked at a flag, as the journal keeps it."""
    return {VIEWED: flag, "by": [by], "at": at}


def knowledge_decision(flag: str, by: Sequence[str], at: int, reason: str) -> dict[str, object]:
    """That something was known from an instant on, as the journal keeps it."""
    return {KNOWLEDGE: flag, "by": list(by), "at": at, "reason": reason}


def instant(milliseconds: int) -> str:
    """An instant as RFC 3339 in UTC, to the second."""
    return _datetime(milliseconds).isoformat(timespec="seconds").replace("+00:00", "Z")


def _earliest(before: int | None, at: int) -> int:
    return at if before is None else min(before, at)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _datetime(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)
