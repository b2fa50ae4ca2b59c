"""The past once more, as it came: facts in the order of arrival, and at each step of their time what people were told.

Several sets of policies look at one book, and what they have in common is computed once. Everything is in memory,
nothing is sent, and the clock is the books' own: two walks over the same facts are the same.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

from monitor.core.book import OF_ALLOCATION, Book
from monitor.core.engine import (
    UNDONE_GROUP,
    Past,
    Reference,
    findings_of_groups,
    follow,
    hearing,
    tenant_findings,
    told_late,
)
from monitor.core.estimate import totals
from monitor.core.facts import event_bytes
from monitor.core.findings import Finding
from monitor.core.flags import Change, Entry, Flag, State, reconcile
from monitor.core.model import DAY_MS, Kind, Observation, Report
from monitor.core.parties import Parties
from monitor.core.policy import Policy
from monitor.core.signs import has_changed
from monitor.core.timeline import Shape
from monitor.intake.canonical import instant_ms
from monitor.intake.decode import decode_facts
from monitor.run.apply import take_in
from monitor.run.replay import Working

BATCH_FACTS = 5_000
RECORDED = b'"recordedtime"'
PATIENCE_MAX_MS = 7 * DAY_MS
ABOUT = 64  # holdings that differ by no more than one in so many are about the same
EVERYBODY = ""  # whom facts are about that are about no tenant: parties, sources, regions


class Pace(NamedTuple):
    """How often the books are looked at, on the clock of the facts."""

    step_ms: int = DAY_MS
    groups_every: int = 1  # steps
    since: int = 0  # the first look is no earlier
    until: int | None = None  # the last look; whatever is later, or came later, is not taken in
    # Who holds the same as before is looked at again when so small a part (one in `patience`) of the time for which it
    # has has passed, a week later at most: no amount has grown by a greater part since. 0: at every step.
    patience: int = 0


DAILY = Pace()


@dataclass(slots=True)
class View:
    """Some policies, and what they have said so far."""

    policies: tuple[Policy, ...]
    flags: dict[str, dict[str, Flag]] = field(default_factory=dict)  # by tenant, then id
    group_flags: dict[str, Flag] = field(default_factory=dict)  # by id
    history: list[Entry] = field(default_factory=list)  # of all of them, in order


class _Seen(NamedTuple):
    """A tenant at the latest look at it."""

    at: int
    held: Mapping[Shape, int]  # thousandths of a unit
    used: int  # all usage until then
    since: int  # the first look since which it has held about as much


class Step(NamedTuple):
    """One look at the books."""

    now: int  # the instant of the look; no fact in the books is later
    facts: int  # taken in so far
    changes: Mapping[str, Sequence[Change]]  # of flags, by the name of the view


def arrivals(received: Iterable[tuple[int | None, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Events of one stream with the instants of their arrival: the receipt, else what they say, else as before."""
    at = -1
    for receipt, line in received:
        if receipt is None and RECORDED in line:
            receipt = _recorded(line)
        at = at if receipt is None else receipt
        yield at, line


def in_order(arrived: Iterable[tuple[int, bytes]]) -> list[bytes]:
    """Events by arrival; those of one instant as they are."""
    return [line for _, line in sorted(arrived, key=itemgetter(0))]


def _recorded(line: bytes) -> int | None:
    """When an event was recorded, in milliseconds; None: it does not say, or is none."""
    try:
        return instant_ms(json.loads(event_bytes(line))["recordedtime"])
    except (KeyError, TypeError, ValueError):
        return None


def decoded(lines: Iterable[bytes]) -> Iterator[Observation]:
    """The facts that stored lines are, a batch in memory at a time."""
    iterator = iter(lines)
    while batch := list(islice(iterator, BATCH_FACTS)):
        yield from decode_facts(batch)


class Walk:
    """One book, played through once, and the views of it."""

    def __init__(
        self, working: Working, reference: Reference, policies: Mapping[str, Sequence[Policy]], pace: Pace = DAILY
    ) -> None:
        """`policies` of each view, by name; those of the reference count for none."""
        self.book = Book()
        self.views = {name: View(tuple(of_view)) for name, of_view in policies.items()}
        self.late: dict[str, int] = {}  # tenant (or EVERYBODY) -> facts that came after a look at their time
        self.came_late = 0
        self._working = working
        self._pace = pace
        self._reference = reference
        self._together, self._owners = _united(reference, self.views)
        self._seen: dict[str, _Seen] = {}
        self._news: set[str] = set()  # whom to look at whatever they hold
        self._looks: list[int] = []
        self._heard: list[dict[str, int]] = []  # at each look, the latest event time of each source
        self._facts = 0
        self._steps = 0
        self._last = -1  # the instant of the latest look, or that of which the first fact came after

    @property
    def past(self) -> Past:
        """What allocations have held, beside the book."""
        return self._working.past

    def play(self, facts: Iterable[Observation]) -> Iterator[Step]:
        """Take in facts as they came; a look whenever one is later than the next step, and one at the end."""
        batch: list[Observation] = []
        due: int | None = None
        until = self._pace.until
        for fact in facts:
            if due is None:
                due = self._step_after(max(fact.time, self._pace.since))
                if fact.time >= self._pace.since:  # whatever comes from before has missed a look
                    self._last = due - self._pace.step_ms
            if fact.time > due or len(batch) >= BATCH_FACTS:
                self._take(batch)
                batch = []
            while fact.time > due:
                if until is not None and due >= until:
                    yield self._last_look(until)
                    return
                yield self._look(due, self._due(due))
                due += self._pace.step_ms
            batch.append(fact)
        self._take(batch)
        if self.book.clock >= self._pace.since:
            yield self._last_look(self.book.clock)

    def _step_after(self, time: int) -> int:
        """The first step that is no earlier than an instant."""
        return -(-time // self._pace.step_ms) * self._pace.step_ms

    def _last_look(self, now: int) -> Step:
        """A look at everybody: what stands then is what a replay says."""
        return self._look(now, self.book.tenants, last=True)

    def _take(self, batch: Sequence[Observation]) -> None:
        in_time: list[Observation] = []
        for fact in batch:
            if fact.time <= self._last or fact.kind is Kind.RETRACTED:
                self._observe(in_time)
                in_time = []
                self._take_late(fact)
                continue
            if not OF_ALLOCATION[fact.kind]:
                self._news.update(self.book.tenants if fact.kind is Kind.PARTY_PROFILED else {fact.tenant})
            in_time.append(fact)
        self._observe(in_time)
        self._working.commit(self.book.drain())
        self._facts += len(batch)

    def _take_late(self, fact: Observation) -> None:
        about = _about(fact) | ({EVERYBODY} if self._was_awaited(fact) else set())
        if self._observe([fact]):  # a repetition is no news
            self.came_late += 1
            for name in about:
                self.late[name] = self.late.get(name, 0) + 1
                self._news.add(name)

    def _observe(self, facts: Sequence[Observation]) -> int:
        """Take facts into the book; how many of them are new."""
        before = self.book.counts.accepted
        take_in(self.book, self._working.archive, facts, [None] * len(facts))
        return self.book.counts.accepted - before

    def _was_awaited(self, fact: Observation) -> bool:
        """Whether its source seemed silent at a look because a fact had not come: that concerns all it tells of."""
        look = bisect_left(self._looks, fact.time)
        return look < len(self._looks) and fact.time > self._heard[look].get(fact.source, -1)

    def _due(self, now: int) -> set[str]:
        """Whom to look at: whose facts changed, who holds something or has a flag; all, where the rules changed."""
        names, self.book.dirty_tenants = self.book.dirty_tenants, set()
        if self._rules_changed(now):
            return set(self.book.tenants)
        for view in self.views.values():
            names.update(
                name for name, flags in view.flags.items() if any(flag.state is State.OPEN for flag in flags.values())
            )
        names.update(name for name, tenant in self.book.tenants.items() if tenant.open_allocations)
        return {name for name in names if not self._may_wait(name, now)} if self._pace.patience else names

    def _may_wait(self, name: str, now: int) -> bool:
        """Whether a tenant needs no look yet: it holds what it has held for long, and nothing else is new of it."""
        seen = self._seen.get(name)
        if seen is None or name in self._news or not self._is_steady(name, seen, now):
            return False
        return now - seen.at < min(PATIENCE_MAX_MS, (seen.at - seen.since) // self._pace.patience)

    def _note_look(self, name: str, now: int) -> None:
        seen, held = self._seen.get(name), self._held(name)
        steady = seen is not None and name not in self._news and self._is_steady(name, seen, now)
        self._seen[name] = _Seen(now, held, self._used(name, now), seen.since if seen is not None and steady else now)

    def _is_steady(self, name: str, seen: _Seen, now: int) -> bool:
        """Whether a tenant holds about what it held at the latest look, and has held about that ever since."""
        expected = sum(seen.held.values()) * (now - seen.at)
        apart = abs(self._used(name, now) - seen.used - expected)
        return apart * ABOUT <= expected and not _differ(seen.held, self._held(name))

    def _used(self, name: str, now: int) -> int:
        """All usage of a tenant."""
        tenant = self.book.tenants[name]
        held = (one.units * max(0, now - one.counted_since) for _, one in tenant.held())
        return sum(tenant.ledger.totals.values()) + sum(held)

    def _held(self, name: str) -> dict[Shape, int]:
        held: dict[Shape, int] = {}
        for _, timeline in self.book.tenants[name].held():
            held[timeline.shape] = held.get(timeline.shape, 0) + timeline.units
        return held

    def _rules_changed(self, now: int) -> bool:
        """Whether a policy began or ended, or a country changed groups, since the latest look."""
        policies = self._together.policies
        return any(one.in_force(now) != one.in_force(self._last) for one in policies) or any(
            self._last < at <= now for at in self._reference.countries.change_times
        )

    def _look(self, now: int, names: Iterable[str], last: bool = False) -> Step:
        changes: dict[str, list[Change]] = {name: [] for name in self.views}
        parties = self._reference.parties(self.book, now)
        for name in sorted(names):
            if self._pace.patience:
                self._note_look(name, now)
            for view, findings in self._findings(name, parties).items():
                changes[view] += self._followed(self.views[view], name, findings, now)
        if last or self._steps % self._pace.groups_every == 0:
            for view, findings in self._findings_of_groups(now).items():
                changes[view] += self._followed_groups(self.views[view], findings, now)
        self._last, self._steps, self._news = now, self._steps + 1, set()
        self._looks.append(now)
        self._heard.append({name: source.heard for name, source in self.book.sources.items()})
        return Step(now, self._facts, changes)

    def _findings(self, name: str, parties: Parties) -> dict[str, list[Finding]]:
        """What holds for a tenant in each view."""
        book, now = self.book, parties.now
        usage = totals(book.tenants[name], now, hearing(book, now))
        if has_changed(book.tenants[name], parties):  # then the thresholds of each policy show in the signs of others
            return {
                view: tenant_findings(
                    book, replace(self._reference, policies=one.policies), name, usage, parties, self.past
                )
                for view, one in self.views.items()
            }
        return self._shared_out(tenant_findings(book, self._together, name, usage, parties, self.past))

    def _findings_of_groups(self, now: int) -> dict[str, list[Finding]]:
        """What holds for groups in each view."""
        return self._shared_out(findings_of_groups(self.book, self._together, self.past, now))

    def _shared_out(self, findings: Iterable[Finding]) -> dict[str, list[Finding]]:
        """To each view what its own policies found, under their own names."""
        found: dict[str, list[Finding]] = {name: [] for name in self.views}
        for finding in findings:
            policy, views = self._owners[finding.policy]
            for view in views:
                found[view].append(finding._replace(policy=policy))
        return found

    def _followed(self, view: View, name: str, findings: Sequence[Finding], now: int) -> list[Change]:
        changes = self._explained(follow({name: findings}, view.flags, now))
        for change in changes:
            view.flags.setdefault(name, {})[change.flag.id] = change.flag
        view.history.extend(change.entry for change in changes if change.entry.act)
        return changes

    def _followed_groups(self, view: View, findings: Sequence[Finding], now: int) -> list[Change]:
        changes = self._explained(reconcile(view.group_flags, findings, now, UNDONE_GROUP))
        view.group_flags.update({change.flag.id: change.flag for change in changes})
        view.history.extend(change.entry for change in changes if change.entry.act)
        return changes

    def _explained(self, changes: Iterable[Change]) -> list[Change]:
        """The same, with a word on late facts."""
        return [told_late(change, "So far", self.late_facts(change.flag.tenants)) for change in changes]

    def late_facts(self, tenants: Iterable[str]) -> int:
        """How many facts about some tenants have come late, with those that are about everybody."""
        return sum(self.late.get(name, 0) for name in {EVERYBODY, *tenants})


def _differ(before: Mapping[Shape, int], after: Mapping[Shape, int]) -> bool:
    """Whether two holdings are not about the same."""
    apart = sum(abs(before.get(shape, 0) - after.get(shape, 0)) for shape in {**before, **after})
    return apart * ABOUT > sum(before.values())


def _about(fact: Observation) -> set[str]:
    """Whom a fact is about."""
    if isinstance(fact.body, Report):
        return {EVERYBODY, *(name for name, _ in fact.body.held)}
    return {fact.tenant}


def _united(
    reference: Reference, views: Mapping[str, View]
) -> tuple[Reference, dict[str, tuple[str, tuple[str, ...]]]]:
    """The policies of all views at once, each under a name of its own -> its name, and the views that it is in."""
    distinct: list[tuple[Policy, list[str]]] = []
    for name, view in views.items():
        for policy in view.policies:
            in_views = next((names for known, names in distinct if known == policy), None)
            if in_views is None:
                distinct.append((policy, [name]))
            else:
                in_views.append(name)
    owners = {str(n): (policy.id, tuple(in_views)) for n, (policy, in_views) in enumerate(distinct)}
    policies = tuple(replace(policy, id=str(n)) for n, (policy, _) in enumerate(distinct))
    return replace(reference, policies=policies), owners
