"""How the work on cases went, by months: how many came, what they came to, how long people took, what was not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from monitor.core.blind import unseen_ms

MONTHS = 12


class Worked(NamedTuple):
    """How far a case has come; instants in milliseconds, None: not yet."""

    opened_at: int
    claimed_at: int | None  # for the first time
    decided_at: int | None
    outcome: str | None  # as it stands: a decision that was taken back has none


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
