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
    ordered = sorted(flags, key=lambda one: (one.told_at, one.id))
    gathering.open_again(ordered)
    gathering.end_authorisations()
    for flag in ordered:
        gathering.take(flag)
    return gathering.events


class _Gathering:
    """Cases as they become while flags are gathered."""

    def __init__(self, cases: Iterable[Case], known: Known, now: int) -> None:
        self.events: list[CaseEvent] = []
        self._known = known
        self._now = now
        self._cases: dict[str, Case] = {}
        self._having: dict[str, list[str]] = {}  # flag -> its cases, in order
        self._live: dict[str, str] = {}  # subject -> its case that is not decided
        self._ordinals: dict[str, int] = {}  # subject -> how many cases it has
        for case in sorted(cases, key=lambda one: (one.opened_at, one.id)):
            self._keep(case)
            self._ordinals[case.subject] = self._ordinals.get(case.subject, 0) + 1

    def open_again(self, flags: Iterable[Flag]) -> None:
        """Open decided cases again of which a flag has become more serious, if their parties have no other."""
        for flag in flags:
            home = self._home(flag.id)
            if home is not None and _rose_since(home, flag) and home.subject not in self._live:
                why = f"Flag {flag.id} has become {flag.level} since the case was decided."
                self._do(home, Act.REOPENED, {"cause": ROSE, "why": why})

    def take(self, flag: Flag) -> None:
        """Put a flag on the case where it belongs, or say there what has changed about it."""
        home = self._home(flag.id)
        if home is None:
            if flag.state is not State.CLOSED:
                self._add(subject_of(flag, self._known.party_of), flag)
        elif home.live:
            self._follow(home, flag)
        elif _rose_since(home, flag):
            self._add(home.subject, flag)

    def end_authorisations(self) -> None:
        """Open again what was authorised until a time that has come; one at a time of each party."""
        for case in list(self._cases.values()):
            ends = None if case.decision is None else case.decision.expires_at
            if ends is not None and ends <= self._now and case.subject not in self._live:
                why = f"The authorisation ended on {instant(ends)}."
                self._do(case, Act.REOPENED, {"cause": ENDED, "why": why})

    def _home(self, flag: str) -> Case | None:
        """The case that has a flag: the live one, else the latest."""
        having = [self._cases[name] for name in self._having.get(flag, ())]
        return next((case for case in having if case.live), having[-1] if having else None)

    def _add(self, subject: str, flag: Flag) -> None:
        name = self._live.get(subject)
        case = self._open(subject, flag) if name is None else self._cases[name]
        body = flagged_body(flag, self._known.scope_of(flag.rule), self._known.due_of(flag))
        self._overtake(self._do(case, Act.FLAGGED, body), f"Flag {flag.id} was added.")

    def _open(self, subject: str, flag: Flag) -> Case:
        ordinal = self._ordinals.get(subject, 0)
        self._ordinals[subject] = ordinal + 1
        name = case_id(subject, flag.id, ordinal)
        opened = CaseEvent(name, 1, self._now, Act.OPENED, SYSTEM, {"subject": subject})
        self.events.append(opened)
        return self._keep(fold([opened]))

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

    def _do(self, case: Case, act: Act, body: Body) -> Case:
        event = CaseEvent(case.id, case.number + 1, self._now, act, SYSTEM, body)
        self.events.append(event)
        return self._keep(step(case, event))

    def _keep(self, case: Case) -> Case:
        before = self._cases.get(case.id)
        for flag in case.flags if before is None else case.flags.keys() - before.flags.keys():
            self._having.setdefault(flag, []).append(case.id)
        self._cases[case.id] = case
        if case.live:
            self._live[case.subject] = case.id
        return case


def _rose(case: Case, flag: Flag) -> bool:
    """Whether a flag has a higher level than its case knows."""
    return LEVELS.index(flag.level) > LEVELS.index(case.flags[flag.id].level)


def _rose_since(case: Case, flag: Flag) -> bool:
    """Whether a flag has become more serious since its case was decided; nothing that is closed has."""
    return not case.live and flag.state is not State.CLOSED and _rose(case, flag)


def by_case(events: Iterable[CaseEvent]) -> Mapping[str, list[CaseEvent]]:
    """Events by the case that they are of, in their order."""
    found: dict[str, list[CaseEvent]] = {}
    for event in events:
        found.setdefault(event.case, []).append(event)
    return found
