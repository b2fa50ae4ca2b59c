"""Who may do what to a case, and when; and what must be said with it.

That two people are two is not looked at here: the store refuses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitor.core.cases import (
    DECISION,
    FREEING,
    IN_HAND,
    LISTED_SCOPES,
    SUPPRESSION,
    SYSTEM,
    TRANSITIONS,
    WITHDRAWN,
    Act,
    Body,
    Case,
    CaseEvent,
    Flagged,
    Outcome,
    not_possible,
    number_of,
)
from monitor.core.clocks import instant
from monitor.core.model import DAY_MS
from monitor.core.policy import Level, Scope

SNOOZE_DAYS_MAX = 90
SUPPRESSED_DAYS_MAX, SUPPRESSED_DAYS_MAX_OF_CONCERN = 180, 30
SENTENCE_WORDS, SENTENCE_LETTERS = 4, 20  # a reason has at least so many

_DECISION_FIELDS = {
    "outcome": str, "reason": str, "policy": str, "rule": str, "expires_at": int, "scope": str, "quantity": str,
    "proposed_by": str,
}  # fmt: skip
# What an act must say: fields and their types. A text may be empty where `_MAY_BE_EMPTY` has it, a number None.
BODIES: Mapping[Act, Mapping[str, type]] = {
    Act.OPENED: {"subject": str},
    Act.FLAGGED: {
        "flag": str, "rule": str, "policy": str, "scope": str, "level": str, "state": str, "raised_at": int,
        "told_at": int, "due_at": int, "tera": int, "tenants": list,
    },
    Act.CHANGED: {"flag": str, "level": str, "state": str, "tera": int},
    Act.RESUMED: {"suppression": str, "rule": str, "why": str},
    Act.REOPENED: {"cause": str, "why": str},
    Act.SAMPLED: {"decision": int},
    Act.CLAIMED: {"minutes": int},
    Act.RELEASED: {},
    Act.BEGUN: {},
    Act.ASSIGNED: {"to": str},
    Act.ESCALATED: {"why": str},
    Act.SNOOZED: {"until": int, "why": str},
    Act.ASKED: {"whom": str, "what": str, "due_at": int},
    Act.ANSWERED: {"what": str},
    Act.NOTED: {"text": str},
    Act.KNOWN: {"flag": str, "due_at": int},
    Act.PROPOSED: {"kind": str, "what": dict},
    Act.DROPPED: {"proposal": int, "verdict": str, "why": str},
    Act.SUPPRESSED: {
        "suppression": str, "rule": str, "until": int, "reason": str, "saw": dict, "proposed_by": str,
    },
    Act.DECIDED: _DECISION_FIELDS,
    Act.REVERSED: {"decision": int, "why": str},
    Act.REVIEWED: {"decision": int, "outcome": str, "why": str},
    Act.HELD: {"why": str},
    Act.FREED: {"why": str, "proposed_by": str},
}  # fmt: skip
_MAY_BE_EMPTY = frozenset({"scope", "quantity", "proposed_by", "due_at", "expires_at"})

# Of these somebody must have taken the case over; an approval is somebody else's.
OF_HOLDER = frozenset({Act.RELEASED, Act.BEGUN, Act.SNOOZED, Act.ASKED, Act.ANSWERED, Act.PROPOSED})


def days_max(flags: Iterable[Flagged]) -> int:
    """For how many days flags may be suppressed: fewer if a list or a critical headquarters rule is among them."""
    short = any(
        flag.scope in LISTED_SCOPES or (flag.scope == Scope.OF_CONCERN and flag.level is Level.CRITICAL)
        for flag in flags
    )
    return SUPPRESSED_DAYS_MAX_OF_CONCERN if short else SUPPRESSED_DAYS_MAX


def refusal(case: Case, event: CaseEvent) -> str | None:
    """Why an act is not possible now, as a sentence; None: it is."""
    wrong = wrong_body(event.act, event.body)
    if wrong is None and not _is_possible(case, event):
        wrong = not_possible(case, event.act)
    if wrong is None and event.actor != SYSTEM:
        wrong = _wrong_person(case, event)
    check = _CHECKS.get(event.act)
    return wrong if wrong is not None or check is None else check(case, event)


def _is_possible(case: Case, event: CaseEvent) -> bool:
    proposes = event.act is Act.PROPOSED and event.body["kind"] != FREEING
    return (case.state, event.act) in TRANSITIONS and (case.state in IN_HAND or not proposes)


def wrong_body(act: Act, body: Body) -> str | None:
    """What is wrong with what an act says, as a sentence; None: nothing."""
    for name, kind in BODIES[act].items():
        value = body.get(name)
        empty = value is None or (isinstance(value, str) and not value.strip())
        if empty and name in _MAY_BE_EMPTY and name in body:
            continue
        if empty or not isinstance(value, kind) or isinstance(value, bool):
            return f"Whoever says that a case was {act} must say `{name}`."
    return None


def is_sentence(text: str) -> bool:
    """Whether a reason says something."""
    return len(text.split()) >= SENTENCE_WORDS and len(text.strip()) >= SENTENCE_LETTERS


def _wrong_person(case: Case, event: CaseEvent) -> str | None:
    holder, person = case.holder(event.at), event.actor
    if event.act is Act.CLAIMED:
        if holder not in ("", person):
            return f"{holder} holds the case until {instant(case.claimed_until)}: wait, or ask {holder} to release it."
        if case.assigned not in ("", person):
            return f"The case is assigned to {case.assigned}: assign it to yourself first."
        return None
    if event.body.get("kind") == FREEING:
        return None  # a hold is nobody's, and may outlast the case
    approval = bool(event.body.get("proposed_by"))
    if event.act not in OF_HOLDER and (event.act is not Act.DECIDED or approval):
        return None
    if not holder:
        return f"Nobody holds the case: claim it before it can be {event.act}."
    if holder != person:
        return f"{holder} holds the case until {instant(case.claimed_until)}."
    return None


def _check_claim(_case: Case, event: CaseEvent) -> str | None:
    minutes = number_of(event.body, "minutes")
    return None if 1 <= minutes <= 24 * 60 else "A claim lasts between a minute and a day."


def _check_release(case: Case, _event: CaseEvent) -> str | None:
    return (
        None if case.proposal is None else f"What {case.proposal.by} proposed waits for an answer: withdraw it first."
    )


def _check_snooze(_case: Case, event: CaseEvent) -> str | None:
    until = number_of(event.body, "until")
    if until <= event.at or until > event.at + SNOOZE_DAYS_MAX * DAY_MS:
        return f"A case is snoozed until a time to come, {SNOOZE_DAYS_MAX} days away at most."
    return None


def _check_question(_case: Case, event: CaseEvent) -> str | None:
    due_at = event.body["due_at"]
    return None if isinstance(due_at, int) and due_at > event.at else "An answer is due at a time to come."


def _check_known_flag(case: Case, event: CaseEvent) -> str | None:
    flag = event.body["flag"]
    return None if flag in case.flags else f"Flag {flag} is not on case {case.id}."


def _check_proposal(case: Case, event: CaseEvent) -> str | None:
    if case.proposal is not None:
        return f"What {case.proposal.by} proposed before waits for an answer."
    what = event.body["what"]
    assert isinstance(what, Mapping)
    if event.body["kind"] == DECISION:
        return wrong_body(Act.DECIDED, what) or _wrong_decision(what, event.at)
    if event.body["kind"] == FREEING:
        return wrong_body(Act.FREED, what) or _wrong_freeing(case) or _wrong_reason(what["why"])
    return wrong_body(Act.SUPPRESSED, what) or _wrong_suppression(case, what, event.at) or _wrong_reason(what["reason"])


def _check_drop(case: Case, event: CaseEvent) -> str | None:
    proposal = case.proposal
    if proposal is None or proposal.number != event.body["proposal"]:
        return f"There is no proposal {event.body['proposal']} on case {case.id} that waits for an answer."
    if event.body["verdict"] == WITHDRAWN and event.actor != proposal.by:
        return f"{proposal.by} proposed it: you can refuse it, not withdraw it."
    return None


def _check_decision(case: Case, event: CaseEvent) -> str | None:
    proposed_by = event.body["proposed_by"]
    if proposed_by:
        if case.proposal is None or (case.proposal.kind, case.proposal.by) != (DECISION, proposed_by):
            return f"{proposed_by} has proposed no decision of case {case.id} that waits for an answer."
    elif case.two_people:
        return "To close this case takes two people: propose the decision, and let somebody else approve it."
    elif case.proposal is not None:
        return f"What {case.proposal.by} proposed waits for an answer: withdraw it first."
    return _wrong_decision(event.body, event.at)


def _wrong_decision(body: Body, at: int) -> str | None:
    outcome, policy, version = body["outcome"], *str(body["policy"]).partition("@")[::2]
    if outcome not in set(Outcome):
        return f"'{outcome}' is no outcome: it is one of {', '.join(Outcome)}."
    if not policy or not version.isdecimal():
        return "A decision cites a policy with its version, like internal-ladder@1."
    if outcome == Outcome.AUTHORISED:
        if not str(body["scope"]).strip() or not str(body["quantity"]).strip() or body["expires_at"] is None:
            return "An authorisation has a scope, a quantity and an end: say all three."
        if number_of(body, "expires_at") <= at:
            return "An authorisation ends at a time to come."
    return _wrong_reason(body["reason"])


def _wrong_reason(reason: object) -> str | None:
    return None if is_sentence(str(reason)) else "A reason is a sentence at least, which others can check."


def _check_suppression(case: Case, event: CaseEvent) -> str | None:
    by = event.body["proposed_by"]
    if case.proposal is None or (case.proposal.kind, case.proposal.by) != (SUPPRESSION, by):
        return "A suppression takes two people: propose it, and let somebody else approve it."
    return _wrong_suppression(case, event.body, event.at)


def _wrong_suppression(case: Case, body: Body, at: int) -> str | None:
    flags, until = [flag for flag in case.standing if flag.rule == body["rule"]], number_of(body, "until")
    if not flags:
        return f"No flag of rule {body['rule']} stands on case {case.id}."
    if until <= at or until > at + days_max(flags) * DAY_MS:
        return f"A suppression of these flags ends at a time to come, {days_max(flags)} days away at most."
    return None


def _check_reversal(case: Case, event: CaseEvent) -> str | None:
    assert case.decision is not None
    if event.body["decision"] != case.decision.number:
        return f"What holds is decision {case.decision.number} of case {case.id}."
    return _wrong_reason(event.body["why"])


def _check_hold(case: Case, event: CaseEvent) -> str | None:
    return f"Case {case.id} is under legal hold already." if case.held else _wrong_reason(event.body["why"])


def _wrong_freeing(case: Case) -> str | None:
    return None if case.held else f"Case {case.id} is not under legal hold."


def _check_freeing(case: Case, event: CaseEvent) -> str | None:
    by = event.body["proposed_by"]
    if case.proposal is None or (case.proposal.kind, case.proposal.by) != (FREEING, by):
        return "To end a legal hold takes two people: propose it, and let somebody else approve it."
    return _wrong_freeing(case)


def _check_review(case: Case, event: CaseEvent) -> str | None:
    review, decision = case.review, case.decision
    if review is None or decision is None or review.by or review.decision != event.body["decision"]:
        return f"No review of case {case.id} is waited for."
    if event.actor.casefold() in (decision.by.casefold(), decision.second.casefold()):
        return "Whoever decided a case cannot review it blindly."
    if event.body["outcome"] not in set(Outcome):
        return f"'{event.body['outcome']}' is no outcome: it is one of {', '.join(Outcome)}."
    return _wrong_reason(event.body["why"])


_CHECKS = {
    Act.CLAIMED: _check_claim,
    Act.RELEASED: _check_release,
    Act.SNOOZED: _check_snooze,
    Act.ASKED: _check_question,
    Act.KNOWN: _check_known_flag,
    Act.CHANGED: _check_known_flag,
    Act.PROPOSED: _check_proposal,
    Act.DROPPED: _check_drop,
    Act.DECIDED: _check_decision,
    Act.SUPPRESSED: _check_suppression,
    Act.REVERSED: _check_reversal,
    Act.REVIEWED: _check_review,
    Act.HELD: _check_hold,
    Act.FREED: _check_freeing,
}
