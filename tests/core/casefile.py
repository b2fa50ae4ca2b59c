"""A case that a test plays: acts with what they must say, and flags to put on it."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.core.bounds import Bounds
from monitor.core.case_acts import refusal
from monitor.core.cases import (
    DECISION,
    SYSTEM,
    Act,
    Case,
    CaseEvent,
    State,
    flagged_body,
    fold,
    step,
)
from monitor.core.findings import Finding
from monitor.core.flags import Flag
from monitor.core.flags import State as FlagState
from monitor.core.model import DAY_MS, HOUR_MS
from monitor.core.policy import Level
from monitor.core.suppression import Standing, standing_body

NOW = 1_790_000_000_000
MINUTE_MS = 60_000
CASE, SUBJECT, RULE = "C-0123456789ab", "party acme", "ladder.any"
ANA, BO, EVE = "ana", "bo", "eve"
REASON = "The contract covers exactly this use."
SYSTEMS = frozenset({Act.OPENED, Act.FLAGGED, Act.CHANGED, Act.RESUMED, Act.REOPENED, Act.SAMPLED})
DECIDED = {
    "outcome": "explained", "reason": REASON, "policy": "internal-ladder@1", "rule": RULE, "expires_at": None,
    "scope": "", "quantity": "", "proposed_by": "",
}  # fmt: skip
SUPPRESSED = {
    "suppression": "S-1", "rule": RULE, "until": NOW + 20 * DAY_MS, "reason": REASON,
    "saw": standing_body(Standing(Level.WATCH, 10**25)), "proposed_by": ANA,
}  # fmt: skip


def flag(
    name: str = "F-1",
    level: str = "watch",
    state: str = "open",
    rule: str = RULE,
    tenant: str = "t-1",
    members: tuple[str, ...] = (),
    central: int = 10**25,
    measure: str = "model_flop",
    told_at: int = NOW - DAY_MS,
) -> Flag:
    """A flag of the store."""
    finding = Finding(
        policy="internal-ladder",
        policy_version=1,
        legal_force="internal",
        rule=rule,
        tenant=tenant,
        level=Level(level),
        measure=measure,
        amount=Bounds(central // 2, central, central * 2, central * 4),
        threshold=1,
        raised_at=told_at - HOUR_MS,
        reasons=(f"It is {level}.",),
        not_established=(),
        members=members,
    )
    return Flag(name, rule, tenant, FlagState(state), Level(level), told_at - HOUR_MS, told_at, None, finding)


# What each act says where a test does not say otherwise.
SAID: Mapping[Act, Mapping[str, object]] = {
    Act.OPENED: {"subject": SUBJECT},
    Act.FLAGGED: flagged_body(flag(), "any", None),
    Act.CHANGED: {"flag": "F-1", "level": "watch", "state": "open", "tera": 0},
    Act.RESUMED: {"suppression": "S-1", "rule": RULE, "why": "It ran out."},
    Act.REOPENED: {"cause": "rose", "why": "A flag has become more serious."},
    Act.SAMPLED: {"decision": 5},
    Act.CLAIMED: {"minutes": 60},
    Act.RELEASED: {},
    Act.BEGUN: {},
    Act.ASSIGNED: {"to": ANA},
    Act.ESCALATED: {"why": "It is beyond me."},
    Act.SNOOZED: {"until": NOW + 5 * DAY_MS, "why": "The contract comes on Friday."},
    Act.ASKED: {"whom": "sales", "what": "Which contract is it?", "due_at": NOW + 3 * DAY_MS},
    Act.ANSWERED: {"what": "Contract 17."},
    Act.NOTED: {"text": "Seen before."},
    Act.KNOWN: {"flag": "F-1", "due_at": NOW + DAY_MS},
    Act.PROPOSED: {"kind": DECISION, "what": DECIDED},
    Act.DROPPED: {"proposal": 4, "verdict": "refused", "why": "The contract is another one."},
    Act.SUPPRESSED: SUPPRESSED,
    Act.DECIDED: DECIDED,
    Act.REVERSED: {"decision": 5, "why": "The contract was another one."},
    Act.REVIEWED: {"decision": 5, "outcome": "explained", "why": "The same contract covers it."},
    Act.HELD: {"why": "A court asked us to keep it all."},
    Act.FREED: {"why": "The court does not ask any more.", "proposed_by": ANA},
}


class File:
    """A case, its events, and a clock that a test turns."""

    def __init__(self, *flags: tuple[Flag, str]) -> None:
        """With these flags, each with the scope of its rule; none: a watch flag of scope any."""
        self.now = NOW
        self.events = [CaseEvent(CASE, 1, NOW, Act.OPENED, SYSTEM, SAID[Act.OPENED])]
        self.case = fold(self.events)
        for one, scope in flags or [(flag(), "any")]:
            self.do(Act.FLAGGED, **flagged_body(one, scope, None))

    def event(self, what: Act, person: str = ANA, /, **said: object) -> CaseEvent:
        """What would happen next."""
        actor = SYSTEM if what in SYSTEMS else person
        return CaseEvent(CASE, self.case.number + 1, self.now, what, actor, {**SAID[what], **said})

    def refused(self, what: Act, person: str = ANA, /, **said: object) -> str | None:
        """Why an act is not possible now."""
        return refusal(self.case, self.event(what, person, **said))

    def do(self, what: Act, person: str = ANA, /, **said: object) -> Case:
        """Do it; it must be possible."""
        event = self.event(what, person, **said)
        assert None is refusal(self.case, event)
        self.case = step(self.case, event)
        self.events.append(event)
        return self.case

    def propose(self, kind: str = DECISION, **said: object) -> int:
        """Propose something as Ana; the number of the event."""
        what = {**(DECIDED if kind == DECISION else SUPPRESSED), **said}
        return self.do(Act.PROPOSED, kind=kind, what=what).number

    def decide(self, **said: object) -> Case:
        """Ana decides alone, or Bo approves where it takes two people."""
        self.do(Act.CLAIMED)
        if not self.case.two_people:
            return self.do(Act.DECIDED, **said)
        self.propose(**said)
        return self.do(Act.DECIDED, BO, proposed_by=ANA, **said)


def in_state(state: State) -> File:
    """A case that has come to a state, with a watch flag."""
    file = File()
    steps: dict[State, list[Act]] = {
        State.NEW: [],
        State.CLAIMED: [Act.CLAIMED],
        State.INVESTIGATING: [Act.CLAIMED, Act.BEGUN],
        State.WAITING: [Act.CLAIMED, Act.ASKED],
        State.DECIDED: [Act.CLAIMED, Act.BEGUN, Act.DECIDED],
        State.REOPENED: [Act.CLAIMED, Act.BEGUN, Act.DECIDED, Act.REOPENED],
    }
    for what in steps[state]:
        file.do(what)
    assert state == file.case.state
    return file
