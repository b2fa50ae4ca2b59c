"""What is written of cases in one transaction, and what is asked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from monitor.core.cases import Case, CaseEvent, Outcome, State
from monitor.core.flags import Change, Flag
from monitor.core.policy import Level
from monitor.core.suppression import Suppression
from monitor.store.commit import JournalEntry


class Verdict(NamedTuple):
    """What becomes of a proposal."""

    number: int  # of the event that proposed it
    verdict: str  # one of those of `monitor.core.cases`
    by: str | None  # who answered; None: it was withdrawn or overtaken


class Deed(NamedTuple):
    """One or more acts on one case, and all that goes with them."""

    events: Sequence[CaseEvent]  # those that follow the latest that was read
    case: Case  # after them
    saw: Sequence[Flag] = ()  # flags as whoever acts saw them: they must still stand so
    changes: Sequence[Change] = ()  # of flags
    journal: Sequence[JournalEntry] = ()
    verdict: Verdict | None = None
    suppression: Suppression | None = None  # a new one
    ended: Mapping[str, str] = {}  # suppressions -> why they end
    sight: Mapping[str, object] | None = None  # what whoever acts saw of the case, where they answer for it


class Cursor(NamedTuple):
    """A place in the queue: where a page ends."""

    rank: int
    due_order: int
    compute_order: int
    id: str


class Wanted(NamedTuple):
    """Which cases are asked for."""

    hidden: bool = False  # those too that are snoozed or suppressed
    decided: bool = False  # those that are decided, instead
    level: str | None = None
    state: str | None = None
    person: str | None = None  # whom it is assigned to, or who holds it
    free_for: str | None = None  # that this person may claim
    senior: bool | None = None
    subject: str | None = None
    proposed: bool = False  # with a proposal that waits
    review: bool = False  # whose blind review waits
    after: Cursor | None = None
    limit: int = 50
    held: bool = False  # under legal hold, decided or not
    overdue: bool = False  # something of which is due by now


class CaseRow(NamedTuple):
    """A case as the queue shows it. Instants in milliseconds; 0 where something has not been for a while."""

    id: str
    subject: str
    state: State
    number: int
    opened_at: int
    level: Level
    rank: int
    due_order: int
    compute_order: int
    two_people: bool
    assigned: str
    claimed_by: str
    claimed_until: int
    senior: bool
    snoozed_until: int
    suppressed_until: int
    due_at: int | None
    proposed_by: str | None
    decided_at: int | None
    decided_by: str | None
    seconded_by: str | None
    outcome: Outcome | None
    expires_at: int | None
    review: str | None  # waiting, agreed or disagreed
    reviewed_by: str | None

    @property
    def cursor(self) -> Cursor:
        """Its place in the queue."""
        return Cursor(self.rank, self.due_order, self.compute_order, self.id)

    @property
    def tera(self) -> int:
        """The greatest central estimate of its flags, in 10^12 FLOP."""
        return -self.compute_order

    def holder(self, now: int) -> str:
        """Who holds it at an instant; "": nobody."""
        return self.claimed_by if now < self.claimed_until else ""


class CasePage(NamedTuple):
    """A part of a list of cases."""

    rows: list[CaseRow]
    after: Cursor | None  # where to go on; None: that is all


class Tally(NamedTuple):
    """How many cases are as somebody asked for them."""

    number: int
    opened_at: int | None  # the oldest of them, in milliseconds; None: there is none


class Approval(NamedTuple):
    """A proposal, and what became of it."""

    case: str
    number: int
    kind: str
    body: Mapping[str, object]
    proposed_by: str
    proposed_at: int
    answered_by: str | None
    answered_at: int | None
    verdict: str | None


class Proposal(NamedTuple):
    """What somebody proposed, and what became of it. People by name, or that they were erased."""

    number: int
    kind: str  # the key of the decision in the journal
    subject: str
    body: Mapping[str, object]  # what is decided
    reason: str
    proposed_by: str
    proposed_at: int
    answered_by: str | None
    answered_at: int | None
    verdict: str | None  # one of those of `monitor.core.cases`
    why: str | None  # it was refused or withdrawn


class SuppressionRow(NamedTuple):
    """A suppression, and how it ended."""

    suppression: Suppression
    ended_at: int | None
    ended: str | None


class RuleFlags(NamedTuple):
    """How many flags a rule has."""

    standing: Mapping[str, int]  # by level: those that are open
    since: tuple[int, ...]  # whom people were told of since the instants that were asked for


AGES = ((0, "0 to 2 days"), (3, "3 to 10 days"), (11, "11 to 30 days"), (31, "more than 30 days"))  # from so many days


class Statistics(NamedTuple):
    """How the work on cases goes."""

    outcomes: Mapping[str, Mapping[str, int]]  # by rule and outcome: decided cases with a flag of the rule
    reviews: Mapping[str, int]  # waiting, agreed, disagreed -> decided cases
    ages: Mapping[str, int]  # of what waits for people, by age
