"""Work on cases: what people do at a command or a page, and the gathering of flags in the roll-up.

Whoever acts says which case they looked at, and up to which event. What they may do is asked of the core, who was first
of the store; so is whether two people are two.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from monitor.clock import Clock
from monitor.core.book import Tenant
from monitor.core.case_acts import refusal
from monitor.core.cases import (
    APPROVED,
    CLAIM_MINUTES,
    DECISION,
    ENDED,
    FREEING,
    REFUSED,
    SUPPRESSION,
    SYSTEM,
    UNKNOWN_SCOPE,
    WITHDRAWN,
    Act,
    Body,
    Case,
    CaseEvent,
    CaseTimes,
    Outcome,
    changed_body,
    due_of,
    fold,
    is_sampled,
    step,
    times_of_case,
)
from monitor.core.clocks import UNSEEN, Seen, viewed_decision
from monitor.core.flags import Act as FlagAct
from monitor.core.flags import Flag, State, act, closing, reopening
from monitor.core.gathering import Known, by_case, gather, subject_of
from monitor.core.notices import GONE, Telling, terms_of
from monitor.core.parties import Parties
from monitor.core.policy import LEVELS, Policy, by_rule
from monitor.core.profiles import declared_party
from monitor.core.sight import FIELD as SIGHT
from monitor.core.sight import (
    SIGHTED,
    Sight,
    shown,
    sight_document,
    sight_from,
    sight_hash,
)
from monitor.core.suppression import (
    Standing,
    Suppression,
    ended_by,
    standing_body,
    standing_from,
    standing_of,
    suppression_id,
)
from monitor.core.workload import Worked
from monitor.errors import CaseProblem
from monitor.store import DECISION as DECIDED_ENTRY
from monitor.store import (
    Approval,
    CasePage,
    CaseRow,
    Deed,
    JournalEntry,
    RuleFlags,
    Statistics,
    SuppressionRow,
    Tally,
    Verdict,
    Wanted,
)

CASES_AT_ONCE = 200  # that are gathered in one transaction: people can write between two of them
TRIES = 20  # of what is done whoever was first
PLAIN = frozenset(
    {
        Act.RELEASED,
        Act.BEGUN,
        Act.ASSIGNED,
        Act.ESCALATED,
        Act.SNOOZED,
        Act.ASKED,
        Act.ANSWERED,
        Act.NOTED,
        Act.HELD,
    }
)


class Cases(Protocol):
    """The cases of a store."""

    def write(self, deeds: Sequence[Deed], at: int, telling: Telling | None = None) -> None:
        """Write everything or nothing; `telling`: who is told of flags that are suppressed no longer."""
        ...

    def events(self, case_id: str) -> list[CaseEvent]:
        """What happened to a case, in order; none: there is no such case."""
        ...

    def queue(self, wanted: Wanted, now: int) -> CasePage:
        """Cases in the order in which people should look at them."""
        ...

    def unfinished(self) -> list[Case]:
        """All cases that people have something to do about, and those under legal hold."""
        ...

    def tally(self, wanted: Wanted, now: int) -> Tally:
        """How many cases a queue has, on all its pages together, and when the oldest of them was opened."""
        ...

    def of_subject(self, subject: str) -> list[CaseRow]:
        """All cases of a party, the earliest first."""
        ...

    def home_of(self, flag: str) -> Case | None:
        """The case that a flag is looked at in now, or was last."""
        ...

    def flags_of(self, case: Case) -> list[Flag]:
        """The flags of a case as they are now."""
        ...

    def history_lines(self, flags: Collection[str]) -> dict[str, int]:
        """How many lines the history of each of these flags has."""
        ...

    def sight(self, case_id: str, hash: str) -> dict[str, Any] | None:
        """What somebody saw of a case; None: it is not kept."""
        ...

    def flags_by_case(self, names: Collection[str]) -> Mapping[str, list[Flag]]:
        """The flags of some cases as they are now."""
        ...

    def ungathered(self) -> list[Flag]:
        """Flags that are on no case, or otherwise than their case knows."""
        ...

    def concerned(self, flags: Collection[str], subjects: Collection[str], now: int) -> list[Case]:
        """The cases that flags, parties and ended authorisations concern."""
        ...

    def seen(self) -> Mapping[str, Seen]:
        """By flag what people said of who looked at it and who knew."""
        ...

    def holding(self) -> list[Suppression]:
        """The suppressions that have not ended."""
        ...

    def suppressions(self, ended: bool = True) -> list[SuppressionRow]:
        """All suppressions, or those that have not ended."""
        ...

    def approvals(self, case_id: str) -> list[Approval]:
        """What was proposed of a case, and what became of it."""
        ...

    def statistics(self, now: int) -> Statistics:
        """How the work on cases goes."""
        ...

    def flags_by_rule(self, since: Sequence[int]) -> Mapping[str, RuleFlags]:
        """By rule how many flags are open at each level, and how many people were told of since some instants."""
        ...

    def worked(self, since: int) -> list[Worked]:
        """How far the cases have come that were opened or decided since an instant."""
        ...


class Looked(NamedTuple):
    """What somebody who acts had looked at."""

    number: int  # the latest event of the case
    sight: str = ""  # the hash of what was to be seen; "": not stated


class Story(NamedTuple):
    """All there is to say of a case."""

    case: Case
    events: list[CaseEvent]
    flags: list[Flag]  # as they are now
    times: CaseTimes
    approvals: list[Approval]
    others: list[CaseRow]  # of the same party
    sight: Sight  # what of it whoever decides now answers for


class AsItWas(NamedTuple):
    """A case as somebody saw it who then decided about it."""

    act: CaseEvent  # what they did
    story: Story  # before that; other cases of the party are not part of it
    as_recorded: bool  # whether what is kept is what the act says


class Conclusion(NamedTuple):
    """What somebody decides of a case."""

    outcome: Outcome
    reason: str
    policy: str  # with its version
    rule: str
    expires_at: int | None = None  # of an authorisation, as scope and quantity
    scope: str = ""
    quantity: str = ""


class Desk:
    """Where people work on cases."""

    def __init__(self, cases: Cases, policies: Sequence[Policy], clock: Clock) -> None:
        self.cases = cases
        self._terms = terms_of(policies)
        self._rules = {(f"{one.id}@{one.version}", rule.id) for one in policies for rule in one.rules}
        self._clock = clock

    def now(self) -> int:
        """The wall clock, in milliseconds."""
        return self._clock.now_ms()

    # -- reading -------------------------------------------------------------------------------------------------

    def case(self, name: str) -> Case:
        """A case as it stands.

        Raises:
            CaseProblem: there is none of that name.
        """
        return fold(self._events(name))

    def _events(self, name: str) -> list[CaseEvent]:
        events = self.cases.events(name)
        if not events:
            raise CaseProblem(f"There is no case {name}; `flopwatch cases` lists them.")
        return events

    def story(self, name: str) -> Story:
        """All there is to say of a case.

        Raises:
            CaseProblem: there is none of that name.
        """
        events = self._events(name)
        case = fold(events)
        flags = self.cases.flags_of(case)
        sight = self._sight(case, flags)
        others = [row for row in self.cases.of_subject(case.subject) if row.id != name]
        return Story(case, events, flags, sight.times, self.cases.approvals(name), others, sight)

    def _sight(self, case: Case, flags: Sequence[Flag]) -> Sight:
        times = times_of_case(flags, self._terms, self.cases.seen())
        first = shown(flags)
        lines = self.cases.history_lines([flag.id for flag in first])
        return Sight(case.number, first, len(flags) - len(first), lines, times)

    def as_it_was(self, name: str, number: int) -> AsItWas:
        """A case as whoever did this saw it.

        Raises:
            CaseProblem: there is no such case, or nothing was kept of what was seen at that event.
        """
        events = self._events(name)
        act = next((event for event in events if event.number == number), None)
        kept = None if act is None else self.cases.sight(name, str(act.body.get(SIGHT, "")))
        if act is None or kept is None:
            raise CaseProblem(f"Event {number} of case {name} is no decision of which it is kept what was seen.")
        sight = sight_from(kept)
        before = [event for event in events if event.number <= sight.number]
        approvals = [_as_of(one, act.at) for one in self.cases.approvals(name) if one.number <= sight.number]
        story = Story(fold(before), before, list(sight.flags), sight.times, approvals, [], sight)
        return AsItWas(act, story, sight_hash(kept) == act.body[SIGHT])

    # -- acting --------------------------------------------------------------------------------------------------

    def do(self, name: str, person: str, what: Act, body: Body, seen: Looked | None = None) -> Case:
        """One of the acts that need nothing beside them; `seen`: the latest event that the person looked at.

        Raises:
            CaseProblem: it is not possible now, or somebody else was first.
        """
        if what not in PLAIN:
            raise CaseProblem(f"A case is not {what} by itself: it takes more than this.")
        return self._write(self._acting(name, person, seen, what, body))

    def claim(self, name: str, person: str, minutes: int = CLAIM_MINUTES, seen: Looked | None = None) -> Case:
        """Take a case over, for so long after one's latest act; whoever does that looks at its flags.

        Raises:
            CaseProblem: somebody else holds it, it is assigned to somebody else, or it is decided.
        """
        deed, said = self._acting(name, person, seen, Act.CLAIMED, {"minutes": minutes}), self.cases.seen()
        (event,) = deed.events
        unseen = [one.flag for one in deed.case.standing if said.get(one.flag, UNSEEN).first_viewed_at is None]
        viewed = [JournalEntry(DECIDED_ENTRY, viewed_decision(flag, event.actor, event.at)) for flag in unseen]
        return self._write(deed._replace(journal=viewed))

    def next(self, person: str, minutes: int = CLAIM_MINUTES) -> Case | None:
        """Claim what comes first in the queue and is free; None: there is nothing.

        Raises:
            CaseProblem: others are always first.
        """
        for _ in range(TRIES):
            page = self.cases.queue(Wanted(free_for=_person(person), limit=1), self.now())
            if not page.rows:
                return None
            try:
                return self.claim(page.rows[0].id, person, minutes)
            except CaseProblem as problem:
                last = problem
        raise last

    def decide(self, name: str, person: str, conclusion: Conclusion, seen: Looked | None = None) -> Case:
        """Decide a case, which closes its flags; or propose that, where it takes two people.

        Raises:
            CaseProblem: something is missing in what is said, it is not possible now, or somebody else was first.
        """
        if (conclusion.policy, conclusion.rule) not in self._rules:
            raise CaseProblem(
                f"No policy that is known here is {conclusion.policy} with a rule {conclusion.rule}: cite one, like "
                "internal-ladder@1; `flopwatch policies` lists them."
            )
        body = {**conclusion._asdict(), "outcome": str(conclusion.outcome), "proposed_by": ""}
        if self.case(name).two_people:
            return self._propose(name, person, seen, DECISION, body)
        return self._write(self._deciding(name, person, seen, body))

    def suppress(
        self,
        name: str,
        person: str,
        rule: str,
        until: int,
        reason: str,
        standing: Callable[[Sequence[Flag]], Standing],
        seen: Looked | None = None,
    ) -> Case:
        """Propose that people are not told of a rule for a while; `standing` says how it is with its flags now.

        Raises:
            CaseProblem: no flag of the rule stands on the case; or as for `decide`.
        """
        case = self.case(name)
        flags = [one for one in self.cases.flags_of(case) if one.rule == rule and one.state is not State.CLOSED]
        if not flags:
            raise CaseProblem(f"No flag of rule {rule} stands on case {name}.")
        what = {
            "suppression": suppression_id(name, case.number + 1),
            "rule": rule,
            "until": until,
            "reason": reason,
            "saw": standing_body(standing(flags)),
            "proposed_by": "",
        }
        return self._propose(name, person, Looked(case.number) if seen is None else seen, SUPPRESSION, what)

    def free(self, name: str, person: str, why: str, seen: Looked | None = None) -> Case:
        """Propose that a case is under legal hold no longer, so that what it rests on may be removed in its time.

        Raises:
            CaseProblem: it is under none, or as for `decide`.
        """
        return self._propose(name, person, seen, FREEING, {"why": why, "proposed_by": ""})

    def _propose(self, name: str, person: str, seen: Looked | None, kind: str, what: Body) -> Case:
        return self._write(self._acting(name, person, seen, Act.PROPOSED, {"kind": kind, "what": what}))

    def approve(self, name: str, person: str, seen: Looked | None = None) -> Case:
        """Approve what somebody else proposed; it is done at once.

        Raises:
            CaseProblem: nothing waits for an answer, the same person proposed it, or somebody else was first.
        """
        case = self.case(name)
        proposal = case.proposal
        if proposal is None:
            raise CaseProblem(f"Nothing that was proposed of case {name} waits for an answer.")
        person = _as_written(person, proposal.by)
        verdict = Verdict(proposal.number, APPROVED, person)
        body = {**proposal.what, "proposed_by": proposal.by}
        if proposal.kind == DECISION:
            return self._write(self._deciding(name, person, seen, body)._replace(verdict=verdict))
        if proposal.kind == FREEING:
            return self._write(self._acting(name, person, seen, Act.FREED, body)._replace(verdict=verdict))
        deed = self._acting(name, person, seen, Act.SUPPRESSED, body)
        return self._write(deed._replace(verdict=verdict, suppression=_suppression(deed), journal=_journal(deed)))

    def drop(self, name: str, person: str, why: str, seen: Looked | None = None) -> Case:
        """Refuse what somebody else proposed, or withdraw what one proposed oneself; both stay on record.

        Raises:
            CaseProblem: nothing waits for an answer, or somebody else was first.
        """
        case = self.case(name)
        if case.proposal is None:
            raise CaseProblem(f"Nothing that was proposed of case {name} waits for an answer.")
        by = _as_written(person, case.proposal.by)
        verdict = WITHDRAWN if case.proposal.by == by else REFUSED
        body = {"proposal": case.proposal.number, "verdict": verdict, "why": why}
        deed = self._acting(name, by, seen, Act.DROPPED, body)
        answered = Verdict(case.proposal.number, verdict, by if verdict == REFUSED else None)
        return self._write(deed._replace(verdict=answered))

    def reverse(self, name: str, person: str, why: str, seen: Looked | None = None) -> Case:
        """Take a decision back: the case is open again, and so are its flags; the decision stays on record.

        Raises:
            CaseProblem: it is not decided, the party has another case by now, or somebody else was first.
        """
        case = self.case(name)
        if case.decision is None:
            raise CaseProblem(f"Case {name} is not decided.")
        deed = self._acting(name, person, seen, Act.REVERSED, {"decision": case.decision.number, "why": why})
        return self._write(_with_flags_open(deed, self.cases.flags_of(case), deed.events[0].at, why))

    def review(self, name: str, person: str, outcome: Outcome, why: str) -> Case:
        """Say what one would have decided, without knowing what was.

        Raises:
            CaseProblem: no review is waited for, or the same person decided.
        """
        case = self.case(name)
        decision = 0 if case.review is None else case.review.decision
        body = {"decision": decision, "outcome": str(outcome), "why": why}
        return self._write(self._acting(name, person, None, Act.REVIEWED, body))

    def known(self, flag: Flag, person: str) -> None:
        """A clock of a flag may have begun, since somebody said when something was known: its case says so."""
        for tries_left in reversed(range(TRIES)):
            case = self.cases.home_of(flag.id)
            if case is None or not case.live:
                return
            due_at = due_of(flag, self._terms.get(flag.rule, GONE), self.cases.seen().get(flag.id, UNSEEN))
            try:
                self._write(self._acting(case.id, person, None, Act.KNOWN, {"flag": flag.id, "due_at": due_at}))
            except CaseProblem:
                if not tries_left:
                    raise
            else:
                return

    def _acting(self, name: str, person: str, seen: Looked | None, what: Act, body: Body) -> Deed:
        """An act of a person on a case as it stands, if it is possible."""
        case, by, at = self.case(name), _person(person), self.now()
        if seen is not None and seen.number != case.number:
            raise CaseProblem(f"Case {name} has changed since you looked at it: look again.")
        sight = None
        if what in SIGHTED:
            sight = sight_document(self._sight(case, self.cases.flags_of(case)))
            body = {**body, SIGHT: sight_hash(sight)}
            if seen is not None and seen.sight not in ("", body[SIGHT]):
                raise CaseProblem("The numbers of its flags have moved since you looked: look, and send it again.")
        event = CaseEvent(name, case.number + 1, at, what, by, body)
        wrong = refusal(case, event)
        if wrong is not None:
            raise CaseProblem(wrong)
        return Deed([event], step(case, event), sight=sight)

    def _deciding(self, name: str, person: str, seen: Looked | None, body: Body) -> Deed:
        """A decision, with all that it closes."""
        case = self.case(name)
        flags = self.cases.flags_of(case)
        deed = self._acting(name, person, seen, Act.DECIDED, body)
        for flag in flags:
            known = case.flags[flag.id].level
            if LEVELS.index(flag.level) > LEVELS.index(known):
                raise CaseProblem(
                    f"Flag {flag.id} is {flag.level} by now, and the case knows it as {known}: look at it again once "
                    "the next roll-up has brought the case up to date."
                )
        (event,) = deed.events
        deed = _synchronised(case, event, flags)._replace(sight=deed.sight)
        if is_sampled(name, event.number):
            decided = deed.events[-1].number
            deed = _also(deed, Act.SAMPLED, {"decision": decided}, event.at)
        standing = [flag for flag in flags if flag.state is not State.CLOSED]
        reason = str(body["reason"])
        ended = {one.id: f"Case {name} was decided." for one in self.cases.holding() if one.case == name}
        return deed._replace(
            saw=flags,
            changes=[act(flag, FlagAct.CLOSED, event.at, reason) for flag in standing],
            journal=[*_journal(deed), *(JournalEntry(DECIDED_ENTRY, closing(flag, reason)) for flag in standing)],
            ended=ended,
        )

    def _write(self, deed: Deed) -> Case:
        self.cases.write([deed], deed.events[-1].at)
        return deed.case


def _person(name: str) -> str:
    person = " ".join(name.split())
    if not person or person.casefold() == SYSTEM:
        raise CaseProblem("Somebody does this: name the person with --by.")
    return person


def _as_written(name: str, other: str) -> str:
    """Somebody as another entry names them, if both are one person: databases know upper case beyond ASCII or not."""
    person = _person(name)
    return other if person.casefold() == other.casefold() else person


def _as_of(approval: Approval, at: int) -> Approval:
    """A proposal as it was at an instant: not answered, if that came later."""
    if approval.answered_at is None or approval.answered_at < at:
        return approval
    return approval._replace(answered_by=None, answered_at=None, verdict=None)


def _synchronised(case: Case, decided: CaseEvent, flags: Iterable[Flag]) -> Deed:
    """A decision of flags as they are: what the case did not know of them comes first."""
    events: list[CaseEvent] = []
    for flag in flags:
        known = case.flags[flag.id]
        if (known.level, known.state) != (flag.level, flag.state):
            events.append(CaseEvent(case.id, case.number + 1, decided.at, Act.CHANGED, SYSTEM, changed_body(flag)))
            case = step(case, events[-1])
    events.append(decided._replace(number=case.number + 1))
    return Deed(events, step(case, events[-1]))


def _also(deed: Deed, what: Act, body: Body, at: int) -> Deed:
    """One more act of the monitor."""
    event = CaseEvent(deed.case.id, deed.case.number + 1, at, what, SYSTEM, body)
    return deed._replace(events=[*deed.events, event], case=step(deed.case, event))


def _with_flags_open(deed: Deed, flags: Iterable[Flag], at: int, why: str) -> Deed:
    """What is open again has its flags open again."""
    closed = [flag for flag in flags if flag.state is State.CLOSED]
    changes = [act(flag, FlagAct.REOPENED, at, why) for flag in closed]
    for change in changes:
        deed = _also(deed, Act.CHANGED, changed_body(change.flag), at)
    journal = [*_journal(deed), *(JournalEntry(DECIDED_ENTRY, reopening(flag, why)) for flag in closed)]
    return deed._replace(saw=[*deed.saw, *closed], changes=[*deed.changes, *changes], journal=journal)


PROPOSED_BY = "proposed_by"
_LOGGED = frozenset({Act.DECIDED, Act.SUPPRESSED, Act.REVERSED, Act.REOPENED})


def _journal(deed: Deed) -> list[JournalEntry]:
    """What of a deed is a decision, as the journal keeps it: names stand apart, so that they can be erased."""
    return [
        JournalEntry(
            DECIDED_ENTRY,
            {
                "case": event.case,
                "number": event.number,
                "act": str(event.act),
                "by": [
                    name for name in (event.actor, str(event.body.get(PROPOSED_BY, ""))) if name not in {"", SYSTEM}
                ],
                "what": {name: value for name, value in event.body.items() if name != PROPOSED_BY},
            },
        )
        for event in deed.events
        if event.act in _LOGGED
    ]


def _suppression(deed: Deed) -> Suppression:
    (event,) = deed.events
    body, saw, until = event.body, event.body["saw"], event.body["until"]
    assert isinstance(saw, Mapping)
    assert isinstance(until, int)
    subject, rule, reason = deed.case.subject, str(body["rule"]), str(body["reason"])
    people = str(body["proposed_by"]), event.actor
    return Suppression(
        str(body["suppression"]), event.case, subject, rule, event.at, until, standing_from(saw), reason, *people
    )


# -- gathering ---------------------------------------------------------------------------------------------------------


class Gatherer:
    """Puts flags on cases; for one process at a time."""

    def __init__(self, cases: Cases, policies: Sequence[Policy], clock: Clock, telling: Telling | None = None) -> None:
        """`telling`: who is told of flags; None: nobody."""
        self._cases = cases
        self._scopes = {name: str(rule.scope) for name, (_, rule) in by_rule(policies).items()}
        self._terms = terms_of(policies)
        self._clock = clock
        self._telling = telling

    def work(self, tenants: Mapping[str, Tenant], parties: Parties) -> list[CaseEvent]:
        """Gather what flags and time changed about some cases; nothing: that is all.

        `tenants`: those of whom anything is known beside what they hold.

        Raises:
            CaseProblem: a person was first; the next time it goes on from there.
            StoreProblem: the store cannot be read or written; nothing has changed.
        """
        now, flags = self._clock.now_ms(), self._cases.ungathered()
        deeds = self._gathered(flags, tenants, parties, now)
        for suppression in self._cases.holding():
            self._look_at(suppression, deeds, tenants, parties, now)
        some = list(deeds.values())[:CASES_AT_ONCE]
        self._cases.write(some, now, self._telling)
        return [event for deed in some for event in deed.events]

    def _gathered(
        self, flags: Sequence[Flag], tenants: Mapping[str, Tenant], parties: Parties, now: int
    ) -> dict[str, Deed]:
        seen = self._cases.seen() if flags else {}
        known = Known(
            lambda name: declared_party(tenants[name], parties.now) if name in tenants else None,
            lambda rule: self._scopes.get(rule, UNKNOWN_SCOPE),
            lambda flag: due_of(flag, self._terms.get(flag.rule, GONE), seen.get(flag.id, UNSEEN)),
        )
        subjects = {subject_of(flag, known.party_of) for flag in flags}
        before = self._cases.concerned({flag.id for flag in flags}, subjects, now)
        by_id = {case.id: case for case in before}
        deeds = {}
        for name, events in by_case(gather(flags, before, known, now)).items():
            case, first = by_id.get(name), list(events)
            for event in first:
                case = fold([event]) if case is None else step(case, event)
            assert case is not None
            deeds[name] = self._with_reopened(Deed(first, case), by_id.get(name), {one.id: one for one in flags})
        return deeds

    def _with_reopened(self, deed: Deed, before: Case | None, flags: Mapping[str, Flag]) -> Deed:
        """Proposals that were overtaken, and the flags of what was authorised until now."""
        for event in deed.events:
            if event.act is Act.DROPPED:
                number = event.body["proposal"]
                assert isinstance(number, int)
                deed = deed._replace(verdict=Verdict(number, str(event.body["verdict"]), None))
            if event.act is Act.REOPENED and event.body["cause"] == ENDED:
                assert before is not None
                closed = [flag for flag in self._cases.flags_of(before) if flag.id not in flags]
                deed = _with_flags_open(deed, closed, event.at, str(event.body["why"]))
        return deed

    def _look_at(
        self, one: Suppression, deeds: dict[str, Deed], tenants: Mapping[str, Tenant], parties: Parties, now: int
    ) -> None:
        """Whether a suppression ends."""
        deed = deeds.get(one.case)
        case = fold(self._cases.events(one.case)) if deed is None else deed.case
        flags = [flag for flag in self._cases.flags_of(case) if flag.rule == one.rule and flag.state is State.OPEN]
        why = ended_by(one, standing_of(flags, tenants, parties) if flags else None, now)
        if why is not None:
            after = _also(
                Deed([], case) if deed is None else deed,
                Act.RESUMED,
                {"suppression": one.id, "rule": one.rule, "why": why},
                now,
            )
            deeds[one.case] = after._replace(ended={**after.ended, one.id: why})
