"""Cases: what people do about the flags of one party, from the first flag to a decision, and beyond it.

A case is a fold over its events. Which act is possible in which state is a table; who may do it, when, and what must
be said with it, is in `monitor.core.case_acts`. Nothing is ever taken away: a decision that is reversed stays, and a
later event names it. Instants of events are the wall clock's, in milliseconds; those of flags are the books'.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from monitor.core.clocks import UNSEEN, Seen
from monitor.core.flags import Flag
from monitor.core.flags import State as FlagState
from monitor.core.notices import GONE, Terms, due_of_flag, times_of
from monitor.core.policy import LEVELS, Level, Scope

SYSTEM = "flopwatch"  # who gathers flags; no person may have this name
CLAIM_MINUTES = 60  # of no act of whoever holds a case, after which somebody else may claim it
SAMPLE_PER_CENT = 5  # of closures, that somebody else decides again without knowing what was decided
TERA = 10**12
_MINUTE_MS = 60_000

# A flag of such a rule says something of who somebody is: to hide it takes two people, whatever its level. So does one
# of a rule that no policy has any more: nobody knows what it looked at.
UNKNOWN_SCOPE = ""
LISTED_SCOPES = frozenset[str](
    {Scope.LISTED, Scope.POSSIBLY_LISTED, Scope.AFFILIATE, Scope.POSSIBLY_AFFILIATE, UNKNOWN_SCOPE}
)
WHO_SCOPES = LISTED_SCOPES | {Scope.OF_CONCERN}
GRAVE = frozenset({Level.WARNING, Level.CRITICAL})


class State(StrEnum):
    """Where a case is in its life."""

    NEW = "new"
    CLAIMED = "claimed"
    INVESTIGATING = "investigating"
    WAITING = "waiting"  # for information
    DECIDED = "decided"
    REOPENED = "reopened"


class Act(StrEnum):
    """What can happen to a case."""

    # What the monitor does.
    OPENED = "opened"
    FLAGGED = "flagged"  # a flag was added
    CHANGED = "changed"  # a flag of it has another level or state
    RESUMED = "resumed"  # what was suppressed no longer is
    REOPENED = "reopened"
    SAMPLED = "sampled"  # its decision is to be reviewed blindly
    # What people do.
    CLAIMED = "claimed"
    RELEASED = "released"
    BEGUN = "begun"
    ASSIGNED = "assigned"
    ESCALATED = "escalated"  # to a senior person
    SNOOZED = "snoozed"
    ASKED = "asked"  # somebody outside, for information
    ANSWERED = "answered"
    NOTED = "noted"
    KNOWN = "known"  # somebody said when something was known, which begins a clock
    PROPOSED = "proposed"  # what takes two people
    DROPPED = "dropped"  # a proposal: refused, withdrawn or overtaken
    SUPPRESSED = "suppressed"
    DECIDED = "decided"
    REVERSED = "reversed"
    REVIEWED = "reviewed"
    HELD = "held"  # by law: nothing that it rests on may be removed
    FREED = "freed"  # of that; two people


class Outcome(StrEnum):
    """What a case comes to; none says that anybody broke a rule."""

    EXPLAINED = "explained"
    AUTHORISED = "authorised"  # by a licence or an exception
    UNEXPLAINED = "unexplained"
    DATA_ERROR = "data_error"
    REFERRED = "referred"


# Outcomes of cases in which a rule found something that somebody had to answer for: what its precision counts.
FOUND_SOMETHING = frozenset({Outcome.AUTHORISED, Outcome.UNEXPLAINED, Outcome.REFERRED})


def precision_of(outcomes: Mapping[str, int]) -> float:
    """The share of decided cases, one at least, in which a rule found something that somebody had to answer for."""
    found = sum(count for outcome, count in outcomes.items() if outcome in FOUND_SOMETHING)
    return found / sum(outcomes.values())


LIVE = (State.NEW, State.CLAIMED, State.INVESTIGATING, State.WAITING, State.REOPENED)
IN_HAND = (State.CLAIMED, State.INVESTIGATING, State.WAITING)
_ANYTIME = (Act.FLAGGED, Act.CHANGED, Act.RESUMED, Act.ASSIGNED, Act.ESCALATED, Act.SNOOZED, Act.NOTED, Act.KNOWN)

TRANSITIONS: Mapping[tuple[State, Act], State] = {
    **{(state, act): state for state in LIVE for act in _ANYTIME},
    # In other states than these nothing can be proposed but to free it: see `monitor.core.case_acts`.
    **{(state, act): state for state in State for act in (Act.HELD, Act.PROPOSED, Act.DROPPED, Act.FREED)},
    **{(state, Act.SUPPRESSED): state for state in IN_HAND},
    (State.NEW, Act.CLAIMED): State.CLAIMED,
    (State.REOPENED, Act.CLAIMED): State.CLAIMED,
    **{(state, Act.CLAIMED): state for state in IN_HAND},
    (State.CLAIMED, Act.RELEASED): State.NEW,
    (State.INVESTIGATING, Act.RELEASED): State.INVESTIGATING,
    (State.WAITING, Act.RELEASED): State.WAITING,
    (State.CLAIMED, Act.BEGUN): State.INVESTIGATING,
    **{(state, Act.ASKED): State.WAITING for state in IN_HAND},
    (State.WAITING, Act.ANSWERED): State.INVESTIGATING,
    **{(state, Act.DECIDED): State.DECIDED for state in IN_HAND},
    (State.DECIDED, Act.REVERSED): State.REOPENED,
    (State.DECIDED, Act.REOPENED): State.REOPENED,
    **{(State.DECIDED, act): State.DECIDED for act in (Act.SAMPLED, Act.REVIEWED, Act.NOTED)},
}

DECISION, SUPPRESSION, FREEING = "decision", "suppression", "freeing"  # kinds of proposals
ROSE, ENDED = "rose", "ended"  # why a case is open again: a flag, or the end of its authorisation
APPROVED, REFUSED, WITHDRAWN, OVERTAKEN = "approved", "refused", "withdrawn", "overtaken"  # what becomes of them

Body = Mapping[str, object]


class CaseEvent(NamedTuple):
    """One thing that happened to a case; its number counts from 1."""

    case: str
    number: int
    at: int  # by the wall clock
    act: Act
    actor: str  # a person, or SYSTEM
    body: Body


class Flagged(NamedTuple):
    """A flag as a case knows it. Instants of the books."""

    flag: str
    rule: str
    policy: str  # with its version
    scope: str  # of the rule
    level: Level
    state: FlagState
    raised_at: int
    told_at: int
    due_at: int | None  # when the clock of its rule runs out, if that binds anybody
    tera: int  # central estimate in 10^12 FLOP; 0: the rule counts something else
    tenants: tuple[str, ...]


class Question(NamedTuple):
    """What somebody was asked."""

    whom: str
    what: str
    due_at: int


class Proposal(NamedTuple):
    """What takes a second person, and waits for that one."""

    number: int  # of the event
    kind: str  # DECISION, SUPPRESSION or FREEING
    by: str
    at: int
    what: Body


class Decision(NamedTuple):
    """What was decided of a case."""

    number: int  # of the event
    at: int
    by: str
    second: str  # who approved it; "": nobody had to
    outcome: Outcome
    reason: str
    policy: str
    rule: str
    expires_at: int | None  # of an authorisation
    scope: str
    quantity: str


class Review(NamedTuple):
    """What somebody else decided who did not know the decision."""

    decision: int  # the number of its event
    by: str  # "": nobody yet
    outcome: Outcome | None
    agrees: bool


class Case(NamedTuple):
    """A case as it stands."""

    id: str
    subject: str
    opened_at: int
    state: State
    number: int  # of the latest event
    flags: Mapping[str, Flagged] = {}
    worst: Level = Level.WATCH  # that any flag of it ever had
    about_who: bool = False  # whether any flag of it ever was of a rule about who somebody is
    assigned: str = ""
    claimed_by: str = ""
    claimed_until: int = 0
    claim_ms: int = 0  # how long a claim lasts from the latest act of whoever holds it
    senior: bool = False
    snoozed_until: int = 0
    question: Question | None = None
    proposal: Proposal | None = None
    suppressed: Mapping[str, int] = {}  # rule -> until when
    decision: Decision | None = None
    review: Review | None = None
    decided: tuple[Decision, ...] = ()  # all that was ever decided, in order
    held: bool = False  # under legal hold

    @property
    def live(self) -> bool:
        """Whether people have something to do about it."""
        return self.state is not State.DECIDED

    @property
    def two_people(self) -> bool:
        """Whether it takes two people to close it."""
        return self.about_who or self.worst in GRAVE

    @property
    def standing(self) -> list[Flagged]:
        """Its flags that nobody has closed."""
        return [one for one in self.flags.values() if one.state is not FlagState.CLOSED]

    @property
    def level(self) -> Level:
        """The highest level of its flags that nobody has closed; of none, the worst that there ever was."""
        return max((one.level for one in self.standing), key=LEVELS.index, default=self.worst)

    @property
    def tera(self) -> int:
        """The greatest central estimate of its flags, in 10^12 FLOP."""
        return max((one.tera for one in self.flags.values()), default=0)

    @property
    def due_at(self) -> int | None:
        """When something must have been done next: a clock of a flag, or the answer to a question."""
        asked = [] if self.question is None else [self.question.due_at]
        return min([one.due_at for one in self.standing if one.due_at is not None] + asked, default=None)

    @property
    def suppressed_until(self) -> int:
        """Until when all that stands is suppressed, in milliseconds; 0: it is not."""
        return min((self.suppressed.get(one.rule, 0) for one in self.standing), default=0)

    def holder(self, now: int) -> str:
        """Who holds it at an instant; "": nobody."""
        return self.claimed_by if now < self.claimed_until else ""


class CaseTimes(NamedTuple):
    """The clocks of a case, over its flags. Milliseconds; None: it has not happened, or nothing is due."""

    evidence_at: int | None
    alert_at: int | None
    first_viewed_at: int | None
    knowledge_at: int | None
    due_at: int | None


def case_id(subject: str, flag: str, ordinal: int) -> str:
    """The stable name of a case: of its party, its first flag, and how many cases that party had before."""
    text = f"{subject}\0{flag}\0{ordinal}"
    return "C-" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def is_sampled(case: str, number: int) -> bool:
    """Whether the decision with this number is reviewed blindly: by a hash, so that nobody can choose."""
    digest = hashlib.sha256(f"{case}\0{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 100 < SAMPLE_PER_CENT


def due_of(flag: Flag, terms: Terms, seen: Seen) -> int | None:
    """When the clock of a flag runs out; None: it has none that has begun and binds anybody."""
    due = due_of_flag(flag, terms, seen)
    return None if due is None or due.planning else due.due_at


def times_of_case(flags: Iterable[Flag], terms: Mapping[str, Terms], seen: Mapping[str, Seen]) -> CaseTimes:
    """The clocks of a case: of each instant the earliest of its flags."""
    chosen = list(flags)
    times = [times_of(flag, seen.get(flag.id, UNSEEN)) for flag in chosen]
    dues = [due_of(flag, terms.get(flag.rule, GONE), seen.get(flag.id, UNSEEN)) for flag in chosen]
    columns = [*zip(*times, strict=True), dues] if chosen else [()] * 5
    return CaseTimes(*(min((at for at in column if at is not None), default=None) for column in columns))


# -- the fold ----------------------------------------------------------------------------------------------------------


def fold(events: Iterable[CaseEvent]) -> Case:
    """The case that events make, in their order.

    Raises:
        ValueError: they do not begin with an opening, leave a number out, or the table does not allow one of them.
    """
    case: Case | None = None
    for event in events:
        case = _opened(event) if case is None else step(case, event)
    if case is None:
        raise ValueError("No events make no case.")
    return case


def _opened(event: CaseEvent) -> Case:
    if event.act is not Act.OPENED or event.number != 1:
        raise ValueError(f"A case begins with being opened, not with event {event.number}, {event.act}.")
    return Case(event.case, str(event.body["subject"]), event.at, State.NEW, 1)


def step(case: Case, event: CaseEvent) -> Case:
    """A case after one more event.

    Raises:
        ValueError: it is of another case, does not come next, or the table does not allow it.
    """
    if (event.case, event.number) != (case.id, case.number + 1):
        raise ValueError(f"Event {event.number} of {event.case} does not follow event {case.number} of {case.id}.")
    state = TRANSITIONS.get((case.state, event.act))
    if state is None:
        raise ValueError(not_possible(case, event.act))
    moved = case._replace(state=state, number=event.number)
    if event.actor == case.holder(event.at):
        moved = moved._replace(claimed_until=event.at + case.claim_ms)
    after = _AFTER.get(event.act)
    return moved if after is None else after(moved, event)


def not_possible(case: Case, act: Act) -> str:
    """That the table does not allow an act, as a sentence."""
    state = "waiting for information" if case.state is State.WAITING else case.state
    return f"A case that is {state} cannot be {act}."


def _flagged(case: Case, event: CaseEvent) -> Case:
    flag = flagged_of(event.body)
    return _with_flag(case, flag)._replace(snoozed_until=0, about_who=case.about_who or flag.scope in WHO_SCOPES)


def _changed(case: Case, event: CaseEvent) -> Case:
    body = event.body
    before = case.flags[str(body["flag"])]
    level, state = Level(str(body["level"])), FlagState(str(body["state"]))
    after = before._replace(level=level, state=state, tera=number_of(body, "tera"))
    rung = LEVELS.index(level) > LEVELS.index(before.level)
    return _with_flag(case, after)._replace(snoozed_until=0 if rung else case.snoozed_until)


def _with_flag(case: Case, flag: Flagged) -> Case:
    worst = max(case.worst, flag.level, key=LEVELS.index)
    return case._replace(flags={**case.flags, flag.flag: flag}, worst=worst)


def _claimed(case: Case, event: CaseEvent) -> Case:
    lasts = number_of(event.body, "minutes") * _MINUTE_MS
    return case._replace(claimed_by=event.actor, claimed_until=event.at + lasts, claim_ms=lasts, snoozed_until=0)


def _released(case: Case, _event: CaseEvent) -> Case:
    return case._replace(claimed_by="", claimed_until=0, claim_ms=0)


def _assigned(case: Case, event: CaseEvent) -> Case:
    whom = str(event.body["to"])
    return case._replace(assigned=whom) if whom == case.claimed_by else _released(case._replace(assigned=whom), event)


def _escalated(case: Case, event: CaseEvent) -> Case:
    return _released(case._replace(senior=True, assigned=""), event)


def _snoozed(case: Case, event: CaseEvent) -> Case:
    return _released(case._replace(snoozed_until=number_of(event.body, "until")), event)


def _asked(case: Case, event: CaseEvent) -> Case:
    body = event.body
    return case._replace(question=Question(str(body["whom"]), str(body["what"]), number_of(body, "due_at")))


def _answered(case: Case, _event: CaseEvent) -> Case:
    return case._replace(question=None)


def _known(case: Case, event: CaseEvent) -> Case:
    flag = case.flags[str(event.body["flag"])]
    return case._replace(flags={**case.flags, flag.flag: flag._replace(due_at=_instant(event.body, "due_at"))})


def _proposed(case: Case, event: CaseEvent) -> Case:
    what = event.body["what"]
    assert isinstance(what, Mapping)
    return case._replace(proposal=Proposal(event.number, str(event.body["kind"]), event.actor, event.at, what))


def _dropped(case: Case, _event: CaseEvent) -> Case:
    return case._replace(proposal=None)


def _suppressed(case: Case, event: CaseEvent) -> Case:
    until = {str(event.body["rule"]): number_of(event.body, "until")}
    return case._replace(suppressed={**case.suppressed, **until}, proposal=None)


def _resumed(case: Case, event: CaseEvent) -> Case:
    """Whatever rule it was of: there is one suppression of a rule at a time, and its event names the rule."""
    rule = str(event.body["rule"])
    return case._replace(suppressed={name: until for name, until in case.suppressed.items() if name != rule})


def _decided(case: Case, event: CaseEvent) -> Case:
    body = event.body
    proposed_by = str(body["proposed_by"])
    by, second = (proposed_by, event.actor) if proposed_by else (event.actor, "")
    said = str(body["reason"]), str(body["policy"]), str(body["rule"]), _instant(body, "expires_at")
    what = Outcome(str(body["outcome"])), *said, str(body["scope"]), str(body["quantity"])
    decision = Decision(event.number, event.at, by, second, *what)
    closed = {name: flag._replace(state=FlagState.CLOSED) for name, flag in case.flags.items()}
    return _released(case, event)._replace(
        flags=closed, decision=decision, decided=(*case.decided, decision), review=None, proposal=None, question=None,
        suppressed={}, snoozed_until=0, senior=False,
    )  # fmt: skip


def _open_again(case: Case, _event: CaseEvent) -> Case:
    return case._replace(decision=None, review=None)


def _sampled(case: Case, event: CaseEvent) -> Case:
    return case._replace(review=Review(number_of(event.body, "decision"), "", None, False))


def _reviewed(case: Case, event: CaseEvent) -> Case:
    assert case.decision is not None
    outcome = Outcome(str(event.body["outcome"]))
    return case._replace(review=Review(case.decision.number, event.actor, outcome, outcome is case.decision.outcome))


def _held(case: Case, _event: CaseEvent) -> Case:
    return case._replace(held=True)


def _freed(case: Case, _event: CaseEvent) -> Case:
    return case._replace(held=False, proposal=None)


_AFTER = {
    Act.FLAGGED: _flagged,
    Act.CHANGED: _changed,
    Act.RESUMED: _resumed,
    Act.REOPENED: _open_again,
    Act.SAMPLED: _sampled,
    Act.CLAIMED: _claimed,
    Act.RELEASED: _released,
    Act.ASSIGNED: _assigned,
    Act.ESCALATED: _escalated,
    Act.SNOOZED: _snoozed,
    Act.ASKED: _asked,
    Act.ANSWERED: _answered,
    Act.KNOWN: _known,
    Act.PROPOSED: _proposed,
    Act.DROPPED: _dropped,
    Act.SUPPRESSED: _suppressed,
    Act.DECIDED: _decided,
    Act.REVERSED: _open_again,
    Act.REVIEWED: _reviewed,
    Act.HELD: _held,
    Act.FREED: _freed,
}


def flagged_body(flag: Flag, scope: str, due_at: int | None) -> dict[str, object]:
    """What a case says of a flag that is added to it."""
    finding = flag.finding
    return {
        "flag": flag.id, "rule": flag.rule, "policy": f"{finding.policy}@{finding.policy_version}", "scope": scope,
        "level": str(flag.level), "state": str(flag.state), "raised_at": flag.raised_at, "told_at": flag.told_at,
        "due_at": due_at, "tera": tera_of(flag), "tenants": list(flag.tenants),
    }  # fmt: skip


def changed_body(flag: Flag) -> dict[str, object]:
    """What a case says of a flag that has changed."""
    return {"flag": flag.id, "level": str(flag.level), "state": str(flag.state), "tera": tera_of(flag)}


def tera_of(flag: Flag) -> int:
    """The central estimate of a flag on model or executed FLOP, in 10^12; 0: it counts something else."""
    return flag.finding.amount.central // TERA if flag.finding.measure.endswith("_flop") else 0


def flagged_of(body: Body) -> Flagged:
    """What `flagged_body` made this of."""
    tenants = body["tenants"]
    assert isinstance(tenants, list)
    return Flagged(
        str(body["flag"]), str(body["rule"]), str(body["policy"]), str(body["scope"]), Level(str(body["level"])),
        FlagState(str(body["state"])), number_of(body, "raised_at"), number_of(body, "told_at"),
        _instant(body, "due_at"), number_of(body, "tera"), tuple(map(str, tenants)),
    )  # fmt: skip


def number_of(body: Body, name: str) -> int:
    """A number that an act states."""
    value = body[name]
    assert isinstance(value, int)
    return value


def _instant(body: Body, name: str) -> int | None:
    return None if body[name] is None else number_of(body, name)
