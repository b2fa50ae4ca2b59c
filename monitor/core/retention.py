"""How long what is kept of each kind, and what people still look at and so must not lose.

Nothing goes by itself: a period says what may go, and a person who removes it says before when. What the books are
made of (facts, usage, pieces) has no period: totals and `verify` rest on all of it. The audit has none either: a chain
that was shortened proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from monitor.core.cases import Case
from monitor.core.flags import Flag, State
from monitor.core.model import DAY_MS


class Kind(StrEnum):
    """What has a period."""

    CASES = "cases"
    NOTICES = "notices"
    DEAD_LETTERS = "dead_letters"
    SIGN_INS = "sign_ins"
    PERSONAL = "personal"


class Holding(NamedTuple):
    """What a kind holds, from when its period counts, and what of it stays however old it is."""

    holds: str
    counted_from: str
    stays: str


HOLDINGS: Mapping[Kind, Holding] = {
    Kind.CASES: Holding(
        "cases that are decided, with their events, proposals and suppressions",
        "the decision",
        "those of parties with a case that is undecided or under legal hold, authorisations that still hold, and what "
        "waits for a blind review",
    ),
    Kind.NOTICES: Holding(
        "notices and the messages in which they were sent",
        "their making",
        "those of flags that nobody has closed or that are on a case that is undecided or under legal hold, and what "
        "has not arrived",
    ),
    Kind.DEAD_LETTERS: Holding(
        "records that are no facts, as they came", "their arrival", "those that wait to be replayed or dismissed"
    ),
    Kind.SIGN_INS: Holding("sessions, tokens and failed tries to sign in", "their latest use or their end", "nothing"),
    Kind.PERSONAL: Holding(
        "personal values of tenants that hold nothing, and of parties that no other tenant belongs to",
        "the latest fact about them",
        "those of whoever is on a flag that stands, or on a case that is undecided or under legal hold",
    ),
}


class Stock(NamedTuple):
    """What there is of a kind from before an instant: what may go, and what stays all the same."""

    may_go: int
    stays: int


def until(days: int | None, now: int, before: int | None = None) -> int | None:
    """Before which instant things of a kind may go, as period and person say; None: nothing may."""
    if days is None:
        return None
    passed = now - days * DAY_MS
    return passed if before is None else min(passed, before)


def needed(cases: Iterable[Case], flags: Iterable[Flag], tied: Callable[[str], Iterable[str]]) -> dict[str, str]:
    """Whom ("tenant t-7", "party p-7") somebody still looks at, and why that is, as the beginning of a sentence.

    `cases` are undecided or under legal hold; `tied` says on whom an answer about a tenant rests.
    """
    found: dict[str, str] = {}
    for case in cases:
        why = f"Case {case.id} is {'under legal hold' if case.held else case.state}"
        about = {tenant for one in case.flags.values() for tenant in one.tenants}
        for whom in (case.subject, *(one for tenant in about for one in tied(tenant))):
            found[whom] = why
    for flag in flags:
        if flag.state is State.OPEN:
            for whom in (one for tenant in flag.tenants for one in tied(tenant)):
                found.setdefault(whom, f"Flag {flag.id} stands")
    return found
