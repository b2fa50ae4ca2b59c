"""What people were told: a flag has a history, a finding has none.

The life cycle is a table. A flag is named by its rule and its tenant, so that a rule has one flag for each tenant, with
one history, and whoever reads the same facts again finds the same names. One of a run is named by a segment, too: by
the earliest of the run when people were told. Whichever run holds that segment now is the one that it is about.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from monitor.core.findings import Finding, finding_document, finding_from
from monitor.core.policy import LEVELS, Level


class State(StrEnum):
    """Where a flag is in its life."""

    OPEN = "open"
    WITHDRAWN = "withdrawn"  # its finding no longer stands; it stays in the queue until a person closes it
    CLOSED = "closed"


class Act(StrEnum):
    """What can happen to a flag."""

    ESCALATED = "escalated"
    LOWERED = "lowered"
    WITHDRAWN = "withdrawn"
    RETURNED = "returned"
    CLOSED = "closed"
    NOTED = "noted"
    PAGED = "paged"  # it became urgent
    REOPENED = "reopened"  # a person took the closing back


TRANSITIONS: Mapping[tuple[State, Act], State] = {
    (State.OPEN, Act.ESCALATED): State.OPEN,
    (State.OPEN, Act.LOWERED): State.OPEN,
    (State.OPEN, Act.WITHDRAWN): State.WITHDRAWN,
    (State.OPEN, Act.CLOSED): State.CLOSED,
    (State.OPEN, Act.NOTED): State.OPEN,
    (State.OPEN, Act.PAGED): State.OPEN,
    (State.WITHDRAWN, Act.RETURNED): State.OPEN,
    (State.WITHDRAWN, Act.CLOSED): State.CLOSED,
    (State.WITHDRAWN, Act.NOTED): State.WITHDRAWN,
    (State.CLOSED, Act.ESCALATED): State.OPEN,
    (State.CLOSED, Act.NOTED): State.CLOSED,
    (State.CLOSED, Act.REOPENED): State.OPEN,
}


class Flag(NamedTuple):
    """A flag as it stands."""

    id: str
    rule: str
    tenant: str  # of a group: its party
    state: State
    level: Level
    raised_at: int  # when its finding first held
    told_at: int  # the tick at which it was raised
    lower_since: int | None  # since when its finding has been lower than its level
    finding: Finding

    @property
    def of_group(self) -> bool:
        """Whether it is about the tenants of a party."""
        return bool(self.finding.members)

    @property
    def tenants(self) -> tuple[str, ...]:
        """Whom it is about."""
        return self.finding.members or (self.tenant,)


class Entry(NamedTuple):
    """One line of a flag's history."""

    flag: str
    at: int
    act: str
    level: Level
    reason: str


class Change(NamedTuple):
    """A flag after a change, and the line of its history that says so."""

    flag: Flag
    entry: Entry


def flag_document(flag: Flag) -> dict[str, Any]:
    """A flag as JSON; instants in milliseconds, amounts as whole numbers."""
    return {**flag._asdict(), "finding": finding_document(flag.finding)}


def flag_from(fields: Mapping[str, Any]) -> Flag:
    """A flag from that."""
    typed = {"state": State(fields["state"]), "level": Level(fields["level"])}
    return Flag(**{**fields, **typed, "finding": finding_from(fields["finding"])})


def flag_id(rule: str, tenant: str, anchor: str = "") -> str:
    """The stable name of a flag; `anchor` names the part of a tenant that it is about, if it is about one."""
    part = f"\0{anchor}" if anchor else ""
    return "F-" + hashlib.sha256(f"{rule}\0{tenant}{part}".encode("utf-8", "surrogatepass")).hexdigest()[:12]


def identified(findings: Iterable[Finding], flags: Mapping[str, Flag]) -> dict[str, Finding]:
    """Findings by the names of their flags: of a run that has several, the one that people were told of first."""
    of_runs = [flag for flag in flags.values() if flag.finding.anchor]
    of_runs.sort(key=lambda flag: (flag.told_at, flag.id))
    found = {}
    for finding in findings:
        told = (
            flag.finding.anchor
            for flag in of_runs
            if flag.rule == finding.rule and flag.tenant == finding.tenant and flag.finding.anchor in finding.segments
        )
        anchored = finding._replace(anchor=next(told, finding.anchor))
        found[flag_id(finding.rule, finding.tenant, anchored.anchor)] = anchored
    return found


def reconcile(flags: Mapping[str, Flag], findings: Iterable[Finding], now: int, undone_by: str) -> list[Change]:
    """What the findings of one tenant change about its flags; `flags` by id, all of that tenant.

    `undone_by` says what undid findings that no longer stand.
    """
    changes = []
    standing = identified(findings, flags)
    for name, finding in standing.items():
        flag = flags.get(name)
        if flag is None:
            changes.append(_raise(name, finding, now))
        else:
            changes.extend(_follow(flag, finding, now))
    for name, flag in flags.items():
        if name not in standing and flag.state is State.OPEN:
            changes.append(act(flag, Act.WITHDRAWN, now, _joined(flag, standing) or undone_by))
    return changes


def _joined(flag: Flag, standing: Mapping[str, Finding]) -> str | None:
    """Whether the run of a flag is a part of another flag's run now, as a sentence."""
    anchor = flag.finding.anchor
    for name, finding in standing.items():
        if anchor and finding.rule == flag.rule and anchor in finding.segments:
            return f"The run is a part of the run of flag {name} now."
    return None


def _raise(name: str, finding: Finding, now: int) -> Change:
    flag = Flag(name, finding.rule, finding.tenant, State.OPEN, finding.level, finding.raised_at, now, None, finding)
    return Change(flag, Entry(name, now, "raised", finding.level, finding.reasons[0]))


def _follow(flag: Flag, finding: Finding, now: int) -> list[Change]:
    """A standing finding's effect on its flag."""
    before, after = LEVELS.index(flag.level), LEVELS.index(finding.level)
    updated = flag._replace(finding=finding)
    if flag.state is State.WITHDRAWN:
        return [act(updated._replace(level=finding.level, lower_since=None), Act.RETURNED, now, finding.reasons[0])]
    if after > before:
        escalated = updated._replace(level=finding.level, lower_since=None)
        return [act(escalated, Act.ESCALATED, now, finding.reasons[0])]
    if flag.state is State.CLOSED:
        return []
    if finding.page and not flag.finding.page and flag.state is State.OPEN:
        return [act(updated._replace(lower_since=None), Act.PAGED, now, finding.page)]
    if after == before:
        return _refreshed(flag, updated._replace(lower_since=None), now)
    since = now if flag.lower_since is None else flag.lower_since
    if now - since >= finding.falls_after_ms:
        return [act(updated._replace(level=finding.level, lower_since=None), Act.LOWERED, now, finding.reasons[0])]
    return _refreshed(flag, updated._replace(lower_since=since), now)


def _refreshed(flag: Flag, updated: Flag, now: int) -> list[Change]:
    """The flag with newer numbers; no line of history, since nobody is told."""
    if updated == flag:
        return []
    return [Change(updated, Entry(flag.id, now, "", updated.level, ""))]


def act(flag: Flag, what: Act, now: int, reason: str) -> Change:
    """Carry out one act of the table.

    Raises:
        ValueError: the table does not allow it, with a sentence that says so.
    """
    state = TRANSITIONS.get((flag.state, what))
    if state is None:
        raise ValueError(f"A flag that is {flag.state} cannot be {what}.")
    return Change(flag._replace(state=state), Entry(flag.id, now, what, flag.level, reason))


def numbers(flags: Iterable[Flag]) -> dict[tuple[str, str, str], int]:
    """How many flags there are by (state, level, rule)."""
    counts: dict[tuple[str, str, str], int] = {}
    for flag in flags:
        key = (str(flag.state), str(flag.level), flag.rule)
        counts[key] = counts.get(key, 0) + 1
    return counts


def closing(flag: Flag, reason: str) -> dict[str, object]:
    """The decision to close a flag as a person saw it, as the journal keeps it."""
    return {"close": flag.id, "reason": reason, "level": str(flag.level)}


def reopening(flag: Flag, reason: str) -> dict[str, object]:
    """The decision to open a flag again, as the journal keeps it."""
    return {"reopen": flag.id, "reason": reason}


def decided(flags: Mapping[str, Mapping[str, Flag]], body: Mapping[str, object], at: int) -> Change | None:
    """What a journalled decision of `closing` or `reopening` changes; `flags` by tenant, then id.

    None: the decision is of another kind, there is no such flag, the table does not allow it (it is closed already), or
    the flag has a higher level by now than whoever closed it saw.
    """
    what = Act.CLOSED if "close" in body else Act.REOPENED
    name, reason = body.get("close", body.get("reopen")), body.get("reason")
    if not isinstance(name, str) or not isinstance(reason, str):
        return None
    flag = next((of_tenant[name] for of_tenant in flags.values() if name in of_tenant), None)
    if flag is None or (flag.state, what) not in TRANSITIONS:
        return None
    saw = body.get("level", str(flag.level))  # older decisions do not say it
    if what is Act.CLOSED and saw in LEVELS and LEVELS.index(flag.level) > LEVELS.index(Level(str(saw))):
        return None
    return act(flag, what, at, reason)
