"""How the work on cases went, by months: how many came, what they came to, how long people took, what was not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from monitor.core.blind import unseen_ms
from monitor.core.cases import Outcome, State
from monitor.core.model import DAY_MS
from monitor.core.policy import Level

MONTHS = 12


class Worked(NamedTuple):
    """How far a case has come; instants in milliseconds, None: not yet."""

    opened_at: int
    claimed_at: int | None  # for the first time
    decided_at: int | None
    outcome: str | None  # as it stands: a decision that was taken back has none


class Undecided(NamedTuple):
    """What counts of a case that people have something to do about; instants in milliseconds."""

    state: State
    level: Level
    waits_since: int  # for the latest of: it was opened, a claim lapsed, it was snoozed until, suppressed until
    due_at: int | None


class Backlog(NamedTuple):
    """What waits for people, and what they have decided, as of an instant."""

    cases: Mapping[tuple[str, str], int]  # (state, level) -> cases that are not decided, whatever hides them
    unclaimed_since: Mapping[str, int]  # level -> since when the longest has waited that nobody has claimed
    due_at: Mapping[str, int]  # level -> when the first is due
    decided: Mapping[str, int]  # outcome -> cases that are decided
    suppressions: Mapping[str, int]  # whether they end within a week -> how many hold


UNCLAIMED = (State.NEW, State.CLAIMED, State.REOPENED)  # claimed: a claim that has lapsed, before anything was begun
SOON_MS = 7 * DAY_MS
SOON, LATER = "yes", "no"


def backlog(undecided: Iterable[Undecided], decided: Mapping[str, int], ends: Iterable[int], now: int) -> Backlog:
    """Of cases, outcomes, and when suppressions end. What is hidden at `now` waits for nobody, but may be due."""
    cases: Counter[tuple[str, str]] = Counter()
    since: dict[str, int] = {}
    due: dict[str, int] = {}
    for one in undecided:
        cases[one.state, one.level] += 1
        if one.state in UNCLAIMED and one.waits_since <= now:
            since[one.level] = min(since.get(one.level, one.waits_since), one.waits_since)
        if one.due_at is not None:
            due[one.level] = min(due.get(one.level, one.due_at), one.due_at)
    held = Counter(SOON if end - now <= SOON_MS else LATER for end in ends)
    outcomes = {str(outcome): decided.get(outcome, 0) for outcome in Outcome}
    return Backlog(dict(cases), since, due, outcomes, {SOON: held[SOON], LATER: held[LATER]})


class Month(NamedTuple):
    """A calendar month in UTC, up to now if it is this one."""

    name: str  # 2027-01
    opened: int
    decided: Mapping[str, int]  # by outcome: cases that were decided in it and still are
    to_claim: int | None  # median of what was opened in it and claimed since, in milliseconds; None: nothing was
    to_decision: int | None  # median of what was decided in it, from its opening on
    unseen: int  # milliseconds


def months(cases: Iterable[Worked], blind: Sequence[tuple[int, int | None]], now: int) -> list[Month]:
    """The last twelve months, the latest first. `blind`: spans of time for which facts may be missing."""
    opened: dict[int, list[Worked]] = {}
    decided: dict[int, list[Worked]] = {}
    for one in cases:
        opened.setdefault(_month(one.opened_at), []).append(one)
        if one.decided_at is not None:
            decided.setdefault(_month(one.decided_at), []).append(one)
    last = _month(now)
    return [
        _summed(month, opened.get(month, ()), decided.get(month, ()), blind, now)
        for month in range(last, last - MONTHS, -1)
    ]


def first_of_months(now: int) -> int:
    """When the first of the last twelve months began."""
    return _begins(_month(now) - MONTHS + 1)


def _summed(
    month: int, opened: Sequence[Worked], decided: Sequence[Worked], blind: Iterable[tuple[int, int | None]], now: int
) -> Month:
    year, before = divmod(month, 12)
    return Month(
        name=f"{year}-{before + 1:02}",
        opened=len(opened),
        decided=Counter(str(one.outcome) for one in decided),
        to_claim=_median(one.claimed_at - one.opened_at for one in opened if one.claimed_at is not None),
        to_decision=_median(one.decided_at - one.opened_at for one in decided if one.decided_at is not None),
        unseen=unseen_ms(blind, _begins(month), min(now, _begins(month + 1))),
    )


def _median(durations: Iterable[int]) -> int | None:
    found = sorted(durations)
    return found[(len(found) - 1) // 2] if found else None


def _month(at: int) -> int:
    """The number of a month: twelve times its year, and how many of the year were before it."""
    moment = datetime.fromtimestamp(at / 1_000, UTC)
    return 12 * moment.year + moment.month - 1


def _begins(month: int) -> int:
    year, before = divmod(month, 12)
    return round(datetime(year, before + 1, 1, tzinfo=UTC).timestamp()) * 1_000
