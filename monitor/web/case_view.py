"""What a page says of cases, and to whom: no names to whoever sees none, no decision to whoever reviews it blindly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from monitor.core.bounds import Bounds
from monitor.core.case_acts import OF_HOLDER
from monitor.core.cases import IN_HAND, TRANSITIONS, Act, Case, CaseEvent
from monitor.core.flags import Act as FlagAct
from monitor.core.flags import Entry, Flag
from monitor.core.notices import force_words
from monitor.core.policy import Policy, Rule
from monitor.core.roles import PERMISSIONS, Permission
from monitor.core.sight import seriousness
from monitor.run.casework import Story
from monitor.run.documents import shown_events
from monitor.store import Approval, CaseRow
from monitor.web.display import instant, words
from monitor.web.visit import Visit

NO_RULE = "A rule that is no longer among the policies"

# Acts -> what a form for them asks for. That of a proposal is the form of what is proposed.
FORMS: Mapping[Act, Permission] = {
    Act.CLAIMED: Permission.CLAIM,
    Act.RELEASED: Permission.CLAIM,
    Act.BEGUN: Permission.CLAIM,
    Act.ASSIGNED: Permission.CLAIM,
    Act.ESCALATED: Permission.CLAIM,
    Act.SNOOZED: Permission.CLAIM,
    Act.ASKED: Permission.CLAIM,
    Act.ANSWERED: Permission.CLAIM,
    Act.NOTED: Permission.CLAIM,
    Act.PROPOSED: Permission.DECIDE,
    Act.REVERSED: Permission.DECIDE,
    Act.HELD: Permission.CLAIM,
    Act.FREED: Permission.DECIDE,
}
# What an act says that people read, in this order.
SAID = (
    "kind", "outcome", "verdict", "to", "whom", "what", "text", "why", "reason", "flag", "rule", "policy", "level",
    "state", "scope", "quantity", "until", "due_at", "expires_at", "minutes",
)  # fmt: skip

Rules = Mapping[tuple[str, str], tuple[Policy, Rule]]


class Line(NamedTuple):
    """A case of the queue."""

    row: CaseRow
    title: str  # of the rule
    amount: Bounds | None  # of the flag with the most compute, in FLOP; None: they count something else
    blind: bool  # what was decided is not for who asks


class FlagView(NamedTuple):
    """A flag of a case."""

    flag: Flag
    title: str
    sentences: Sequence[str]  # what was found; none for whom it may name somebody
    part: str  # the run or the cluster
    force: str
    holder: str  # of the duty
    innocent: str  # what else the same numbers come from
    history: Sequence[tuple[Entry, str]]  # with what was said


class EventView(NamedTuple):
    """One thing that happened to a case."""

    event: CaseEvent
    who: str
    said: Sequence[tuple[str, str]]


class View(NamedTuple):
    """A case as somebody may see it."""

    story: Story
    blind: bool
    reviews: bool  # who asks may say what they would have decided
    flags: Sequence[FlagView]
    more_flags: int
    events: Sequence[EventView]
    notes: Sequence[EventView]
    approvals: Sequence[Approval]
    others: Sequence[Line]
    may: frozenset[Act]  # for which there is a form
    answers: bool  # who asks may approve or refuse what is proposed
    withdraws: bool


def rules_of(policies: Iterable[Policy]) -> Rules:
    """Every rule with its policy, by the policy with its version and the rule."""
    return {(f"{one.id}@{one.version}", rule.id): (one, rule) for one in policies for rule in one.rules}


def rule_of(flag: Flag, rules: Rules) -> tuple[Policy, Rule] | None:
    """The policy and the rule of a flag; None: they are no longer known."""
    return rules.get((f"{flag.finding.policy}@{flag.finding.policy_version}", flag.rule))


def is_blind(row: CaseRow, visit: Visit) -> bool:
    """Whether a decision waits for the review of somebody like who asks, who must not know it then.

    It goes by the role, so that a token shows no more than its owner may know.
    """
    decided = {(row.decided_by or "").casefold(), (row.seconded_by or "").casefold()}
    return _may_review(row.review == "waiting", decided, visit)


def is_blind_to(case: Case, visit: Visit) -> bool:
    """The same, of a case."""
    waits = case.review is not None and not case.review.by
    decided = set() if case.decision is None else {case.decision.by.casefold(), case.decision.second.casefold()}
    return _may_review(waits, decided, visit)


def _may_review(waits: bool, decided: set[str], visit: Visit) -> bool:
    return waits and Permission.DECIDE in PERMISSIONS[visit.who.user.role] and visit.name.casefold() not in decided


def lines_of(rows: Iterable[CaseRow], flags: Mapping[str, Sequence[Flag]], rules: Rules, visit: Visit) -> list[Line]:
    """Cases of the queue, each with the rule of its most serious flag: the numbers stand beside it."""
    return [_line(row, flags.get(row.id, ()), rules, visit) for row in rows]


def _line(row: CaseRow, flags: Sequence[Flag], rules: Rules, visit: Visit) -> Line:
    computing = [flag.finding.amount for flag in flags if flag.finding.measure.endswith("_flop")]
    amount = max(computing, key=lambda one: one.central, default=None)
    first = min(flags, key=seriousness, default=None)
    return Line(row, "" if first is None else _title(first, rules), amount, is_blind(row, visit))


def _title(flag: Flag, rules: Rules) -> str:
    found = rule_of(flag, rules)
    return NO_RULE if found is None else found[1].title


def view_of(
    story: Story, histories: Mapping[str, Sequence[Entry]], others: Sequence[Line], rules: Rules, visit: Visit, now: int
) -> View:
    """A case as who asks may see it; `histories`: of the flags that are shown, by flag."""
    case, blind = story.case, is_blind_to(story.case, visit)
    flags = [_flag_view(flag, histories.get(flag.id, ()), rules, visit, blind) for flag in story.sight.flags]
    events = [_event_view(event, visit) for event in shown_events(story, blind)]
    proposed = case.proposal is not None
    own = case.proposal is not None and case.proposal.by.casefold() == visit.name.casefold()
    return View(
        story=story,
        blind=blind,
        reviews=blind and visit.may(Permission.DECIDE),
        flags=flags,
        more_flags=story.sight.more,
        events=events,
        notes=[one for one in events if one.event.act is Act.NOTED and one.said],
        approvals=[] if blind else story.approvals,
        others=others,
        may=frozenset() if blind else _possible(case, visit, now),
        answers=proposed and not own and visit.may(Permission.APPROVE),
        withdraws=own and visit.may(Permission.DECIDE),
    )


def _flag_view(flag: Flag, history: Sequence[Entry], rules: Rules, visit: Visit, blind: bool) -> FlagView:
    found, names = rule_of(flag, rules), visit.may(Permission.SEE_NAMES)
    return FlagView(
        flag=flag,
        title=NO_RULE if found is None else found[1].title,
        sentences=flag.finding.reasons if names else (),
        part=flag.finding.part if names else "",
        force=force_words(flag.finding.legal_force),
        holder="not known" if found is None else found[0].duty_holder,
        innocent="" if found is None else found[1].false_positives,
        history=[(entry, _entry_said(entry, names, blind)) for entry in history],
    )


def _entry_said(entry: Entry, names: bool, blind: bool) -> str:
    """What a line of a flag's history says; why it was closed is what was decided."""
    return "" if not names or (blind and entry.act in (FlagAct.CLOSED, FlagAct.REOPENED)) else entry.reason


def _event_view(event: CaseEvent, visit: Visit) -> EventView:
    said = _said(event.body) if visit.may(Permission.SEE_NAMES) else []
    return EventView(event, visit.somebody(event.actor), said)


def _said(body: Mapping[str, object]) -> list[tuple[str, str]]:
    """What an act says; of a proposal what is proposed."""
    proposed = body.get("what")
    flat = {**body, **proposed, "what": ""} if isinstance(proposed, Mapping) else body
    found = [(name, flat[name]) for name in SAID if flat.get(name) not in (None, "")]
    return [(words(name.removesuffix("_at")), _value(name, value)) for name, value in found]


def _value(name: str, value: object) -> str:
    return instant(value) if isinstance(value, int) and name in ("until", "due_at", "expires_at") else str(value)


def _possible(case: Case, visit: Visit, now: int) -> frozenset[Act]:
    """The acts that who asks can do now, as far as that can be known before they say more."""
    possible = {act for act, asks in FORMS.items() if (case.state, act) in TRANSITIONS and visit.may(asks)}
    holder = case.holder(now)
    if holder != visit.name:
        possible -= OF_HOLDER
    if holder not in ("", visit.name) or case.assigned not in ("", visit.name):
        possible -= {Act.CLAIMED}
    if case.proposal is not None:
        possible -= {Act.PROPOSED, Act.RELEASED, Act.FREED}
    possible -= {Act.HELD} if case.held else {Act.FREED}
    if case.state not in IN_HAND:
        possible -= {Act.PROPOSED}
    return frozenset(possible)
