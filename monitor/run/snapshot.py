"""What stored books say at one instant: the one place that commands, pages and exports ask, so that they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import NamedTuple

from monitor.core.book import Book, joined
from monitor.core.bounds import Bounds
from monitor.core.engine import (
    Reference,
    TenantAnswer,
    TenantMatch,
    group_answer,
    linked_tenants,
    matches_of_all,
    tenant_amounts,
    tenant_answers,
    tenant_holdings,
    tenant_hours,
    tenant_runs,
    tenant_ties,
    window_totals,
)
from monitor.core.facts import Identity
from monitor.core.flags import Flag
from monitor.core.groups import Linked, linked
from monitor.core.lists import ListVersion
from monitor.core.model import Observation, Traits
from monitor.core.parties import Parties
from monitor.core.policy import Aggregation
from monitor.core.profiles import declared_party
from monitor.core.structuring import Trigger, bunching
from monitor.core.suppression import Standing, standing_of
from monitor.core.timeline import Effects
from monitor.log import tenant_reference
from monitor.run.chart import Chart, bars_of, chart, thresholds_of
from monitor.run.evidence import Chains, Evidence, evidence
from monitor.run.explain import GroupStory, Kin, TenantStory, explain_tenant, link_lines
from monitor.run.holdings import Span, launched_with
from monitor.run.replay import MakeArchive
from monitor.run.run_story import RunStory, TenantRun, story_of
from monitor.run.verify import Kept

NEVER = 1 << 62  # later than any instant


def _latest_of(facts: Mapping[Identity, Sequence[Observation]]) -> int:
    return max((fact.time for rivals in facts.values() for fact in rivals), default=0)


class KnownTenants(NamedTuple):
    """What a store knows of every tenant, as of an instant."""

    as_of: int
    tenants: tuple[TenantAnswer, ...]


class KnownRuns(NamedTuple):
    """Runs as of an instant, and the story of the one that was asked for."""

    as_of: int
    runs: list[TenantRun]
    story: RunStory | None
    has_tenant: bool  # whether what was asked for is a tenant
    totals: dict[int, Bounds]  # of that tenant over the latest so many days; empty without one


class KnownHits(NamedTuple):
    """The hits of tenants, their parties and the owners of those, as of an instant."""

    as_of: int
    lists: tuple[ListVersion, ...]
    hits: list[TenantMatch]


class Triggers(NamedTuple):
    """Amounts at which a provider asks its customers something: their sizes may bunch just under them."""

    accelerators: Sequence[Trigger]  # thousandths
    accelerator_hours: Sequence[Trigger]  # thousandths


class Snapshot:
    """The books of some or all partitions in one state of the store, and what they are read with."""

    def __init__(self, kept: Sequence[Kept], reference: Reference, triggers: Triggers) -> None:
        self.kept = kept
        self._reference = reference
        self._triggers = triggers

    @cached_property
    def as_of(self) -> int:
        """The instant that the store is read at: its last tick, or its latest fact."""
        return max((max(one.book.clock, one.evaluated_at or 0) for one in self.kept), default=0)

    @cached_property
    def _book(self) -> Book:
        return self.kept[0].book if len(self.kept) == 1 else joined(one.book for one in self.kept)

    @cached_property
    def _past(self) -> _Pasts:
        return _Pasts(self.kept)

    @cached_property
    def _parties(self) -> Parties:
        return self._reference.parties(self._book, self.as_of)

    @cached_property
    def linked(self) -> Linked:
        """Who is linked with whom: it takes all tenants together, whoever is asked about."""
        return linked_tenants(self._book, self._reference, self._past, self._parties)

    def _of(self, tenant: str) -> Kept | None:
        return next((one for one in self.kept if tenant in one.book.tenants), None)

    def tenants(self) -> KnownTenants:
        """Every tenant."""
        now = self.as_of
        return KnownTenants(now, tenant_answers(self._book, self._reference, now, self._past))

    def hits(self) -> KnownHits:
        """The hits of everybody, the weightiest first."""
        now = self.as_of
        return KnownHits(now, self._reference.lists.versions, matches_of_all(self._book, self._reference, now))

    def standing(self, flags: Sequence[Flag]) -> Standing:
        """What flags and those they are about are like, for whoever suppresses them."""
        return standing_of(flags, self._book.tenants, self._parties)

    def evidence(self, flags: Sequence[Flag], chains: Sequence[Chains], make_archive: MakeArchive) -> Evidence:
        """What flags rest on; `chains`: the facts of each partition, as `kept` has them."""
        partitions = [(one.book, of_one) for one, of_one in zip(self.kept, chains, strict=True)]
        linked = self.linked if any(flag.of_group for flag in flags) else None
        return evidence(self._book, self._reference, self._past, partitions, flags, make_archive, self.as_of, linked)

    def tied(self, tenant: str) -> frozenset[str]:
        """Whose profiles an answer about a tenant rests on: its own, its party's and those of whoever owns that."""
        known, parties = self._book.tenants.get(tenant), self._parties
        declared = None if known is None else declared_party(known, self.as_of)
        above = () if declared is None else (declared, *parties.owners(declared))
        return frozenset({f"tenant {tenant}", *(f"party {party}" for party in above)})

    def quiet_since(self, latest: Mapping[str, int]) -> dict[str, int]:
        """Since when there is no fact about each tenant that holds nothing, and each party that belongs to no other.

        In milliseconds; `latest`: the latest fact about any allocation of each tenant.
        """
        found = {f"party {name}": _latest_of(party.facts) for name, party in self._book.parties.items()}
        for name, tenant in self._book.tenants.items():
            ended = NEVER if tenant.open_allocations else max(latest.get(name, 0), _latest_of(tenant.facts))
            for whom in self.tied(name):
                found[whom] = max(found.get(whom, 0), ended)
        return {whom: ended for whom, ended in found.items() if ended < NEVER}

    def runs(self, who: str | None = None) -> KnownRuns:
        """The runs of all tenants, or of the tenant, or with the run, that has this name."""
        own = None if who is None else self._of(who)
        if who is None or own is None:
            found = [run for one in self.kept for name in sorted(one.book.tenants) for run in self._runs(one, name)]
        else:
            found = self._runs(own, who)
        story = None if who is None else self._story(who, found)
        if own is None or who is None:
            shown = found if who is None else [] if story is None else [story.found]
            return KnownRuns(self.as_of, shown, story, False, {})
        hours = tenant_hours(own.book, self._reference, who, self.as_of)
        return KnownRuns(self.as_of, found, story, True, window_totals(hours, self.as_of))

    def _runs(self, one: Kept, name: str) -> list[TenantRun]:
        held = tenant_runs(one.book, self._reference, name, one.past.finished(name), self.as_of)
        return [TenantRun(name, *pair) for pair in held]

    def _story(self, who: str, found: Sequence[TenantRun]) -> RunStory | None:
        story = story_of(who, found, (), self._reference, self.as_of)
        if story is None:
            return None
        of_run = self._of(story.found.tenant)
        return story._replace(blind=() if of_run is None else tuple(of_run.blind))

    def tenant(self, name: str) -> TenantStory | None:
        """Everything that an answer about a tenant rests on; None: these books do not know it."""
        one = self._of(name)
        if one is None:
            return None
        found = tenant_runs(one.book, self._reference, name, one.past.finished(name), self.as_of)
        return explain_tenant(one.book, self._reference, name, self.as_of, one.past, found, self._kin(name), one.blind)

    def chart(self, story: TenantStory, named: bool) -> Chart:
        """The picture of a tenant of this story; `named`: with names in it."""
        one, now, catalogue = self._of(story.tenant), self.as_of, self._reference.estimator.catalogue
        assert one is not None, "whoever has a story is in the books"
        holdings = tenant_holdings(one.book, story.tenant, one.past.finished(story.tenant), now)
        rungs = self._reference.thresholds(Aggregation.TENANT, now)
        return chart(
            story.tenant if named else tenant_reference(story.tenant),
            bars_of(holdings, catalogue, now, named),
            tenant_hours(one.book, self._reference, story.tenant, now),
            thresholds_of(story.findings, rungs),
            story.blind,
            now,
        )

    def group(self, name: str) -> GroupStory | None:
        """Everything that an answer about a group rests on; None: there is none of that name."""
        kinds = ((self.linked.groups, Aggregation.GROUP), (self.linked.corporate, Aggregation.CORPORATE_GROUP))
        found = [(group, kind) for groups, kind in kinds for group in groups if group.name == name]
        if not found:
            return None
        members = {tenant for group, _ in found for tenant in group.tenants}
        flop = [(one.tenant, one.flop) for one in self.tenants().tenants if one.tenant in members]
        known = [link for tenant in sorted(members) for link in self.linked.links_of(tenant)]
        links = dict.fromkeys(sorted(known, key=lambda link: (-link.weight, *sorted((link.one, link.other)))))
        between = {link: None for link in links if members.issuperset((*link.one, *link.other))}
        return GroupStory(
            name,
            self.as_of,
            tuple(group_answer(self._book, self._reference, group, self._parties, kind) for group, kind in found),
            tuple(sorted(flop, key=lambda one: (-one[1].central, one[0]))),
            tuple(link_lines(between, lambda link: (*link.one, *link.other))),
            tuple(
                link_lines(
                    (link for link in links if link not in between),
                    lambda link: link.other if members.issuperset(link.one) else link.one,
                )
            ),
            tuple(self._reference.thresholds(Aggregation.GROUP, self.as_of)),
        )

    def _kin(self, name: str) -> Kin:
        """What links a tenant to others: also to those with which it shares nothing but the moments of launches.

        These links are weak whatever they are, so whoever looks for groups alone need not look for them.
        """
        book, reference, past, now = self._book, self._reference, self._past, self.as_of
        parties, known = self._parties, self.linked
        own = known.ties.get(name) or tenant_ties(book, reference, name, past, parties)
        others = launched_with(own.launches, book, past) - known.ties.keys() - {name}
        if others:
            further = {other: tenant_ties(book, reference, other, past, parties) for other in sorted(others)}
            known = linked(book.tenants, {**known.ties, name: own, **further})
        groups = tuple(group_answer(book, reference, group, parties) for group in known.of(name))
        amounts = tenant_amounts(book, reference, name, past, now)
        signs = (sign for own, under in zip(amounts, self._triggers, strict=True) for sign in bunching(own, under))
        return Kin(groups, known.links_of(name), own, tuple(signs))


class _Pasts:
    """The pasts of all partitions as one: each tenant is in one of them."""

    def __init__(self, kept: Sequence[Kept]) -> None:
        self._of_tenant = {name: one.past for one in kept for name in one.book.tenants}
        self._pasts = [one.past for one in kept]

    def finished(self, tenant: str) -> Mapping[str, Effects]:
        """Of each allocation of a tenant, with where it was measured."""
        return self._of_tenant[tenant].finished(tenant)

    def finished_traits(self) -> Mapping[str, AbstractSet[Traits]]:
        """Of each tenant what was said of it, as far as it may link tenants."""
        return {name: traits for past in self._pasts for name, traits in past.finished_traits().items()}

    def began(self, spans: Sequence[Span]) -> Mapping[str, AbstractSet[int]]:
        """Of each tenant when pieces that it no longer holds began, inside these spans of time alone."""
        return {name: starts for past in self._pasts for name, starts in past.began(spans).items()}
