"""Which case a flag belongs to: the flags of one party are looked at together, in one case at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from monitor.core.cases import (
    ENDED,
    OVERTAKEN,
    ROSE,
    SYSTEM,
    Act,
    Body,
    Case,
    CaseEvent,
    case_id,
    changed_body,
    flagged_body,
    fold,
    step,
)
from monitor.core.clocks import instant
from monitor.core.flags import Flag, State
from monitor.core.policy import LEVELS

PartyOf = Callable[[str], str | None]  # of a tenant; None: it declared none


class Known(NamedTuple):
    """What the gathering asks beside flags and cases."""

    party_of: PartyOf
    scope_of: Callable[[str], str]  # of a rule
    due_of: Callable[[Flag], int | None]  # when the clock of a flag runs out


def subject_of(flag: Flag, party_of: PartyOf) -> str:
    """Whom a flag is about, for a case: the declared party, else the tenant; of a group that party, else the group."""
    parties = {party_of(name) for name in flag.tenants}
    if flag.of_group:
        return f"party {flag.tenant}" if flag.tenant in parties else f"group {flag.tenant}"
    (party,) = parties
    return f"tenant {flag.tenant}" if party is None else f"party {party}"


def gather(flags: Iterable[Flag], cases: Iterable[Case], known: Known, now: int) -> list[CaseEvent]:
    """What flags and time change about cases; `cases`: those that have these flags, and all others of their parties.

    The order of neither matters, and once the events are there, nothing more follows from the same flags.
    """
    gathering = _Gathering(cases, known, now)
    for flag in sorted(flags, key=lambda one: (one.told_at, one.id)):
        gathering.take(flag)
    gathering.end_authorisations()
    return gathering.events


class _Gathering:
    """Cases as they become while flags are gathered."""

    def __init__(self, cases: Iterable[Case], known: Known, now: int) -> None:
        self.events: list[CaseEvent] = []
        self._known = known
        self._now = now
        self._cases = {case.id: case for case in sorted(cases, key=lambda one: (one.opened_at, one.id))}

    def take(self, flag: Flag) -> None:
        """Put a flag on the case where it belongs, or say there what has changed about it."""
        home = self._home(flag.id)
        if home is not None and home.live:
            self._follow(home, flag)
        elif home is None:
            if flag.state is not State.CLOSED:
                self._add(subject_of(flag, self._known.party_of), flag)
        elif flag.state is not State.CLOSED and _rose(home, flag):
            if self._live(home.subject) is None:
                self._reopen(home, ROSE, f"Flag {flag.id} has become {flag.level} since the case was decided.")
                self._follow(self._cases[home.id], flag)
            else:
                self._add(home.subject, flag)

    def end_authorisations(self) -> None:
        """Open again what was authorised until a time that has come; one at a time of each party."""
        for case in list(self._cases.values()):
            ends = None if case.decision is None else case.decision.expires_at
            if ends is not None and ends <= self._now and self._live(case.subject) is None:
                self._reopen(case, ENDED, f"The authorisation ended on {instant(ends)}.")

    def _home(self, flag: str) -> Case | None:
        """The case that has a flag: the live one, else the latest."""
        having = [case for case in self._cases.values() if flag in case.flags]
        return next((case for case in having if case.live), having[-1] if having else None)

    def _live(self, subject: str) -> Case | None:
        return next((case for case in self._cases.values() if case.live and case.subject == subject), None)

    def _add(self, subject: str, flag: Flag) -> None:
        case = self._live(subject)
        if case is None:
            ordinal = sum(one.subject == subject for one in self._cases.values())
            opened = CaseEvent(
                case_id(subject, flag.id, ordinal), 1, self._now, Act.OPENED, SYSTEM, {"subject": subject}
            )
            self.events.append(opened)
            case = self._cases[opened.case] = fold([opened])
        body = flagged_body(flag, self._known.scope_of(flag.rule), self._known.due_of(flag))
        self._overtake(self._do(case, Act.FLAGGED, body), f"Flag {flag.id} was added.")

    def _follow(self, case: Case, flag: Flag) -> None:
        before = case.flags[flag.id]
        if (before.level, before.state) == (flag.level, flag.state):
            return
        changed = self._do(case, Act.CHANGED, changed_body(flag))
        if _rose(case, flag) or before.state is State.CLOSED:
            self._overtake(changed, f"Flag {flag.id} is {flag.level} and {flag.state} now.")

    def _overtake(self, case: Case, why: str) -> None:
        """What was proposed was proposed without knowing this."""
        if case.proposal is not None:
            self._do(case, Act.DROPPED, {"proposal": case.proposal.number, "verdict": OVERTAKEN, "why": why})

    def _reopen(self, case: Case, cause: str, why: str) -> None:
        self._do(case, Act.REOPENED, {"cause": cause, "why": why})

    def _do(self, case: Case, act: Act, body: Body) -> Case:
        event = CaseEvent(case.id, case.number + 1, self._now, act, SYSTEM, body)
        self.events.append(event)
        after = self._cases[case.id] = step(case, event)
        return after


def _rose(case: Case, flag: Flag) -> bool:
    """Whether a flag has a higher level than its case knows."""
    return LEVELS.index(flag.level) > LEVELS.index(case.flags[flag.id].level)


def by_case(events: Iterable[CaseEvent]) -> Mapping[str, list[CaseEvent]]:
    """Events by the case that they are of, in their order."""
    found: dict[str, list[CaseEvent]] = {}
    for event in events:
        found.setdefault(event.case, []).append(event)
    return found
