"""What the program says of a thing as JSON: the command line prints it, the API answers it, exports are made from it.

Amounts of FLOP are integers, whatever their size; instants are RFC 3339 in UTC; usage is in accelerator-microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from monitor.core.audit import Row
from monitor.core.bounds import Bounds
from monitor.core.cases import SYSTEM, Act, CaseEvent
from monitor.core.clearances import clearance_sentence
from monitor.core.clocks import UNSEEN, Due, Seen, Times
from monitor.core.engine import TenantAnswer, TenantMatch
from monitor.core.findings import Finding
from monitor.core.flags import Flag, flag_id
from monitor.core.likelihood import Training
from monitor.core.notices import GONE, Terms, due_of_flag, times_of
from monitor.core.parties import match_sentence
from monitor.core.policy import LEVELS, Condition, Level, Policy, Rule, standing
from monitor.core.runs import Run
from monitor.run.casework import Story
from monitor.run.run_story import TenantRun
from monitor.store import CaseRow, SuppressionRow

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TERA = 10**12
# What says what was decided, or leads to it: not for whoever reviews it.
DECIDING = frozenset({Act.DECIDED, Act.PROPOSED, Act.DROPPED, Act.SUPPRESSED, Act.REVERSED, Act.REVIEWED})

Document = dict[str, Any]


def instant(milliseconds: int) -> str:
    """An instant as RFC 3339 in UTC, with milliseconds only where there are any."""
    at = EPOCH + timedelta(milliseconds=milliseconds)
    return at.isoformat(timespec="milliseconds" if milliseconds % 1_000 else "seconds").replace("+00:00", "Z")


def _instant(at: int | None) -> str | None:
    return None if at is None else instant(at)


def day(milliseconds: int) -> str:
    """The day of an instant, in UTC."""
    return instant(milliseconds)[:10]


# -- numbers of the books ----------------------------------------------------------------------------------------------


def bounds_document(bounds: Bounds) -> dict[str, int]:
    """Four integers."""
    return bounds._asdict()


def tenant_document(one: TenantAnswer) -> Document:
    """What the books say of a tenant."""
    return {
        "tenant": one.tenant,
        "accelerator_us": dict(one.accelerator_us),
        "flop": bounds_document(one.flop),
        "open_allocations": one.open_allocations,
        "flags": [finding_document(finding) for finding in one.findings],
    }


def tenant_run_document(one: TenantRun) -> Document:
    """A run, and whose it is."""
    return {"tenant": one.tenant, **run_document(one.run, one.training)}


def finding_document(finding: Finding) -> Document:
    """A finding as the contract of `replay --json` has it, with what must be shown beside it."""
    return {
        "flag": flag_id(finding.rule, finding.tenant, finding.anchor),
        "rule": finding.rule,
        "level": finding.level.value,
        "raised_at": instant(finding.raised_at),
        "reasons": list(finding.reasons),
        "policy": f"{finding.policy}@{finding.policy_version}",
        "legal_force": finding.legal_force,
        "measure": finding.measure,
        "part": finding.part,
        "threshold": finding.threshold,
        "amount": bounds_document(finding.amount),
        "not_established": list(finding.not_established),
        **({"tenants": list(finding.members)} if finding.members else {}),
    }


def run_document(run: Run, training: Training) -> Document:
    """A run as the contract of `replay --json` has it, with the range of what may belong to it."""
    return {
        "run": run.id,
        "start": instant(run.start),
        "end": instant(run.end),
        "accelerators_peak": run.peak // 1_000,
        "allocations": len(run.allocations),
        "accelerator_us": run.accelerator_us,
        "flop": bounds_document(run.flop),
        "training": training.band.value,
        "score": training.score / 100,
        "reasons": list(training.reasons),
        "segments": [segment.id for segment in run.segments],
        "links": run.links_by_reason,
        "flop_with_weak_links": bounds_document(run.flop_chain),
        "flop_with_concurrent": bounds_document(run.flop_concurrent),
    }


# -- flags and cases ---------------------------------------------------------------------------------------------------


class FlagTimes(NamedTuple):
    """When what happened to a flag, and what must be done by when."""

    times: Times
    due: Due | None  # None: its rule has no clock


def times_of_flags(flags: Iterable[Flag], terms: Mapping[str, Terms], seen: Mapping[str, Seen]) -> dict[str, FlagTimes]:
    """The clocks of flags, by id."""
    found = {}
    for flag in flags:
        said = seen.get(flag.id, UNSEEN)
        found[flag.id] = FlagTimes(times_of(flag, said), due_of_flag(flag, terms.get(flag.rule, GONE), said))
    return found


def most_serious_first(flags: Iterable[Flag]) -> list[Flag]:
    """Flags in the order in which lists have them."""
    return sorted(flags, key=lambda flag: (-LEVELS.index(flag.level), flag.raised_at, flag.id))


def clocks_document(times: FlagTimes) -> Document:
    """The same as JSON."""
    found: Document = {name: None if at is None else instant(at) for name, at in times.times._asdict().items()}
    due = times.due
    if due is not None:
        found |= {
            "due_at": None if due.due_at is None else instant(due.due_at),
            "days": due.clock.days,
            "day_kind": due.clock.kind,
            "since": str(due.clock.since),
            "what": due.clock.what,
            "planning": due.planning,
        }
    return found


def flag_document(flag: Flag, times: FlagTimes) -> Document:
    """A flag as JSON."""
    return {
        "flag": flag.id,
        "party" if flag.of_group else "tenant": flag.tenant,
        "rule": flag.rule,
        "state": flag.state.value,
        "level": Level(flag.level).value,
        "raised_at": instant(flag.raised_at),
        "told_at": instant(flag.told_at),
        "clocks": clocks_document(times),
        "finding": finding_document(flag.finding),
    }


def row_document(row: CaseRow, now: int, blind: bool = False) -> Document:
    """A case of the queue as JSON."""
    document: Document = {
        "case": row.id,
        "subject": row.subject,
        "state": str(row.state),
        "level": str(row.level),
        "event": row.number,
        "opened_at": instant(row.opened_at),
        "due_at": _instant(row.due_at),
        "flop": row.tera * TERA,
        "two_people": row.two_people,
        "assigned": row.assigned or None,
        "holder": row.holder(now) or None,
        "claimed_until": _instant(row.claimed_until or None),
        "senior": row.senior,
        "snoozed_until": _instant(row.snoozed_until or None),
        "suppressed_until": _instant(row.suppressed_until or None),
        "proposed_by": row.proposed_by,
    }
    if blind:
        return document
    return document | {
        "outcome": None if row.outcome is None else str(row.outcome),
        "decided_at": _instant(row.decided_at),
        "decided_by": row.decided_by,
        "seconded_by": row.seconded_by,
        "expires_at": _instant(row.expires_at),
        "review": row.review,
    }


def story_document(story: Story, now: int, blind: bool) -> Document:
    """All of a case as JSON."""
    case = story.case
    events = shown_events(story, blind)
    return {
        "case": case.id,
        "subject": case.subject,
        "state": str(case.state),
        "level": str(case.level),
        "worst": str(case.worst),
        "two_people": case.two_people,
        "legal_hold": case.held,
        "holder": case.holder(now) or None,
        "clocks": {name: _instant(at) for name, at in story.times._asdict().items()},
        "flags": [
            {"flag": flag.id, "rule": flag.rule, "level": str(flag.level), "state": str(flag.state)}
            for flag in story.flags
        ],
        "events": [
            {
                "event": event.number,
                "at": instant(event.at),
                "act": str(event.act),
                "by": event.actor,
                "said": dict(event.body),
            }
            for event in events
        ],
        "approvals": []
        if blind
        else [
            one._asdict() | {"proposed_at": instant(one.proposed_at), "answered_at": _instant(one.answered_at)}
            for one in story.approvals
        ],
        "others": [row_document(row, now, blind) for row in story.others],
    }


def shown_events(story: Story, blind: bool) -> list[CaseEvent]:
    """What happened to a case; to whoever reviews it blindly, only what does not tell what was decided."""
    until = _deciding_from(story) if blind else 0
    return [event for event in story.events if not (blind and _tells(event, until))]


def _deciding_from(story: Story) -> int:
    """The number of the event from which on people may have said what is decided: its proposal, else the decision."""
    decision = story.case.decision
    if decision is None:
        return story.case.number + 1
    proposals = [event.number for event in story.events if event.act is Act.PROPOSED and decision.second]
    return max((number for number in proposals if number < decision.number), default=decision.number)


def _tells(event: CaseEvent, until: int) -> bool:
    """Whether an event may say what was decided: the deciding itself, or what people wrote from then on."""
    return event.act in DECIDING or (event.number >= until and event.actor != SYSTEM)


def suppression_document(row: SuppressionRow) -> Document:
    """A suppression as JSON."""
    one = row.suppression
    return {
        "suppression": one.id,
        "case": one.case,
        "subject": one.subject,
        "rule": one.rule,
        "level": str(one.saw.level),
        "since": instant(one.since),
        "until": instant(one.until),
        "reason": one.reason,
        "proposed_by": one.proposed_by,
        "approved_by": one.approved_by,
        "ended_at": _instant(row.ended_at),
        "ended": row.ended,
    }


# -- policies, hits and the audit --------------------------------------------------------------------------------------


def condition_words(condition: Condition) -> str:
    """What gives a level."""
    on = condition.on
    words = f"probability of {on} per mille" if isinstance(on, int) else f"{on} bound"
    if condition.projected is not None:
        words += f", or {condition.projected.per_mille} per mille within {condition.projected.days} days"
    if condition.needs:
        words += f"; and {' or '.join(sorted(condition.needs))}"
    return words


def policy_document(policy: Policy, now: int) -> Document:
    """A policy as lists have it."""
    return {
        "policy": policy.id,
        "version": policy.version,
        "title": policy.title,
        "jurisdiction": policy.jurisdiction,
        "legal_force": policy.legal_force,
        "duty_holder": policy.duty_holder,
        "published": day(policy.published),
        "effective_from": day(policy.effective_from),
        "ends": None if policy.ends is None else day(policy.ends),
        "supersedes": policy.supersedes,
        "now": standing(policy, now),
        "consent": policy.consent.value,
        "rules": [{"rule": rule.id, "shadow": rule not in policy.telling} for rule in policy.rules],
        "digest": policy.digest,
    }


def policy_details(policy: Policy) -> Document:
    """What there is to a policy beside that."""
    return {
        "status": policy.status,
        "citation": policy.citation,
        "subject": policy.subject,
        "retroactive": policy.retroactive or None,
        "runbook": policy.runbook,
        "owner": policy.owner,
        "expected_flags_a_week": policy.expected_flags_a_week,
        "sources": [source._asdict() for source in policy.sources],
        "rules": [_rule_document(rule) for rule in policy.rules],
    }


def _rule_document(rule: Rule) -> Document:
    return {
        "rule": rule.id,
        "title": rule.title,
        "shadow": rule.shadow,
        "scope": rule.scope.value,
        "measure": rule.quantity.measure.value,
        "aggregation": rule.aggregation.value,
        "threshold": rule.threshold,
        "window_days": rule.window_days,
        "chips": sorted(rule.quantity.chips),
        "levels": {level.value: condition_words(condition) for level, condition in rule.levels.items()},
        "not_established": list(rule.not_established),
    }


def hit_document(one: TenantMatch) -> Document:
    """A hit on a screening list."""
    match = one.match
    listed = match.hit.listed
    return {
        "hit": match.id,
        "tenant": one.tenant,
        "subject": match.subject,
        "kind": match.hit.kind,
        "asked": match.hit.asked,
        "matched": match.hit.matched,
        "score": match.hit.score / 1000,
        "band": match.hit.band,
        "features": {name: value / 1000 for name, value in match.hit.features},
        "list": listed.source,
        "entry": listed.id,
        "programs": list(listed.programs),
        "effect": match.effect.direct,
        "list_version": match.hit.list_version,
        "sentence": match_sentence(match),
        "cleared": None if match.clearance is None else clearance_sentence(match.clearance),
    }


def audit_document(row: Row, who: str) -> Document:
    """A row of the audit; `who`: its actor for people to read."""
    number, at, actor, act, subject, body = row.entry
    return {
        "row": number,
        "at": instant_of_row(at),
        "actor": actor,
        "who": who,
        "act": act,
        "subject": subject,
        "body": content_of_row(body),
        "previous": row.previous,
        "hash": row.hash,
    }


def instant_of_row(at: int) -> str:
    """When a row is from; one that somebody has changed may have any time."""
    try:
        return instant(at)
    except OverflowError:
        return str(at)


def content_of_row(body: str) -> object:
    """What a body says; of one that somebody has changed, its text."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body
