"""The state of one partition: every tenant's timelines and usage, moved by one fact at a time.

`observe` is the hot path: a fact that is later than all others of its allocation continues that allocation's fold. A
fact that is not waits (`waiting`); the caller then reads what the archive holds of its allocation and calls `restate`,
which folds the whole set again and moves the ledger by new minus old. Either way the books are a function of the set
of facts. After every `observe` of a batch the caller settles: see `monitor.run.apply` for the one straight line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from monitor.core.facts import Identity, effective, repeats, same_content
from monitor.core.gaps import Gap, Lag, compared
from monitor.core.inventory import (
    Conservation,
    GroupKey,
    Inventory,
    Region,
    absence,
    conservation,
    presence,
    statements,
)
from monitor.core.ledger import Ledger, MeasuredRow, UsageRow
from monitor.core.model import HOUR_MS, NOTHING_CLAIMED, Alive, Claim, Key, Kind, Observation, Report, Retraction
from monitor.core.timeline import (
    FROM_START,
    Effects,
    Timeline,
    advance,
    begin,
    count_from,
    fingerprint,
    fold,
    given_up,
    may_hold,
    names_the_past,
    remember,
    units_at,
)

# Indexed by kind: an enum member in a set costs a call in Python, on every fact.
_OF_ALLOCATION = [Kind.STARTED, Kind.RESIZED, Kind.STOPPED, Kind.SEEN, Kind.TELEMETRY, Kind.DESCRIBED]
OF_ALLOCATION = tuple(kind in _OF_ALLOCATION for kind in range(max(Kind) + 1))
OF_SOMEBODY = tuple(kind in [Kind.TENANT_PROFILED, Kind.PARTY_PROFILED] for kind in range(max(Kind) + 1))
CLOSED_RESIDENT_MAX = 20_000  # closed allocations kept in memory for facts that follow soon
OTHER_CONTENT = "id with other content"  # an anomaly: two facts of one identity that do not say the same
PAUSE_FORGOTTEN = 14  # a pause fades by a part in 16,384 with each sign of life: bursts do not make it forgotten
RECOUNTED_AT_ONCE = 5_000  # allocations whose facts are in memory together since what they lie within has changed
SOURCE_IDS_MAX = 1_024  # identities of `alive` facts remembered for one source


class NewFact(NamedTuple):
    """A fact that the archive must keep: `number` in order of acceptance, `previous` of the same chain (0: none)."""

    number: int
    previous: int
    received: int | None
    raw: bytes
    profile: bool = False  # of a tenant or a party: it may have personal values


class Arrival(NamedTuple):
    """A fact that waits for the history of its allocation."""

    fact: Observation
    received: int | None
    late: bool


class Restatement(NamedTuple):
    """The past of an allocation changed by a late fact (ruling 6).

    Usage before and after in accelerator-microseconds, up to the clock: of the piece that the fact found where it came
    next for its allocation, of the whole allocation where the past had to be folded again. "Open" is all that is not
    certain.
    """

    tenant: str
    allocation: str
    source: str
    id: str
    fact_time: int
    clock: int  # of the partition when the fact came
    certain_before: int
    certain_after: int
    open_before: int
    open_after: int


class Counts:
    """What became of the facts of this book since it was made."""

    __slots__ = ("accepted", "anomalies", "duplicate", "late")

    def __init__(self) -> None:
        self.accepted = 0
        self.duplicate = 0
        self.late = 0
        self.anomalies: dict[str, int] = {}

    def anomaly(self, kind: str) -> None:
        """Facts that contradict each other were met."""
        self.anomalies[kind] = self.anomalies.get(kind, 0) + 1


class Tenant:
    """What the book knows of one tenant."""

    __slots__ = ("facts", "head", "inner", "ledger", "retracted", "timelines")

    def __init__(self) -> None:
        self.timelines: dict[str, Timeline] = {}  # open allocations, and lately closed ones
        self.ledger = Ledger()
        self.facts: dict[Identity, list[Observation]] = {}  # profiles, reservations and retractions
        self.retracted: frozenset[Identity] = frozenset()
        # Outer allocation -> inner ones that count, as it is not known yet or was given up, each with from when on.
        self.inner: dict[str, dict[str, int]] = {}
        self.head = 0

    @property
    def open_allocations(self) -> int:
        """How many allocations hold something, inner layers included."""
        return sum(timeline.since is not None for timeline in self.timelines.values())

    def placed(self, name: str, timeline: Timeline) -> int | None:
        """From when on an allocation counts, as its place among the layers was found last; None: not at all."""
        if timeline.within is None or timeline.within == name:
            return FROM_START
        return self.inner.get(timeline.within, {}).get(name)

    def held(self) -> Iterator[tuple[str, Timeline]]:
        """The allocations that hold something and are in the books."""
        return (
            (name, timeline)
            for name, timeline in self.timelines.items()
            if timeline.since is not None and timeline.counted
        )


class Source:
    """What the book knows of one producer."""

    __slots__ = ("came", "head", "heard", "lags", "pause", "recent")

    def __init__(self) -> None:
        self.came = 0  # facts of it that were not known before; see `Book.place`
        self.lags: list[Lag] = []  # what it said lately of how much it has sent
        self.heard = -1  # latest event time of anything from it
        self.pause = 0  # the longest between two of those, forgotten slowly; 0 before the second
        self.recent: dict[Identity, bytes] = {}
        self.head = 0


class Party:
    """The facts about one legal person."""

    __slots__ = ("facts", "head")

    def __init__(self) -> None:
        self.facts: dict[Identity, list[Observation]] = {}
        self.head = 0


class Finished(NamedTuple):
    """Pieces and measurements of one allocation that counts.

    `anew`: they are all there are, and replace what was known; otherwise they come after it.
    """

    effects: Effects
    anew: bool


class Refolded(NamedTuple):
    """An allocation as it was folded until now, and as it is folded from all that is known."""

    key: Key
    old: Timeline
    old_effects: Effects
    new: Timeline
    effects: Effects
    late: Observation | None  # the last of the late facts that it is folded again for


class Moved(NamedTuple):
    """What changed since the last commit."""

    timelines: dict[Key, Timeline]
    finished: dict[Key, Finished]
    usage: list[tuple[str, UsageRow]]  # by tenant
    measured: list[tuple[str, MeasuredRow]]
    chains: dict[Key, int]  # chains that are no allocation -> number of their latest fact
    sources: dict[str, int]  # source -> heard
    restatements: list[Restatement]
    conservation: list[Conservation]


def _everybody(_: str) -> bool:
    return True


class Book:
    """The books of one partition.

    `adopts` says whether a tenant that nobody knows yet, and that only inventory reports name, belongs to this
    partition; a tenant whose own facts come here belongs to it anyway.
    """

    def __init__(
        self,
        lateness_ms: int = 3_600_000,
        closed_resident_max: int = CLOSED_RESIDENT_MAX,
        adopts: Callable[[str], bool] = _everybody,
        resident_hours: int | None = None,
    ) -> None:
        """`resident_hours`: how many of the latest hours of usage stay in memory; None: all."""
        self.resident_hours = resident_hours
        self.lateness_ms = lateness_ms
        self.closed_resident_max = closed_resident_max
        self.adopts = adopts
        self.elsewhere: set[str] = set()  # tenants that other partitions own, of those that reports named here
        self.heard_elsewhere: Mapping[str, int] = {}  # what other partitions heard of sources, by source
        # How signs of life name the topic partition of these books; None: one stream has everything.
        self.place: str | None = None
        self.clock = -1  # the greatest event time accepted
        self.looked_at = -1  # the latest instant as of which people were told; whoever tells them says so here
        self.came_late: dict[str, int] = {}  # tenant -> late facts that such a look missed, until people are told
        self.next_fact = 1
        self.tenants: dict[str, Tenant] = {}
        self.regions: dict[str, Region] = {}
        self.sources: dict[str, Source] = {}
        self.parties: dict[str, Party] = {}
        self.counts = Counts()
        self.waiting: dict[Key, list[Arrival]] = {}
        self.dirty_tenants: set[str] = set()
        self._archived: dict[Key, int] = {}  # allocations of this batch that are in the archive only -> chain head
        self._recent: set[bytes] = set()  # facts of this batch: a repetition is often next to its original
        self._effects = Effects.none()  # of the fact at hand; made anew once it had some, which most facts have not
        self._new_facts: list[NewFact] = []
        self._new_retractions: set[str] = set()  # tenants
        # Region -> earliest instant of a report that allocations out of memory must hear of.
        self._late_reports: dict[str, int] = {}
        # The regions as their reports stand, as they stood when the batch began, and as they stood for each waiting
        # allocation when it was last folded; and the retractions that were in force before this settling.
        self._reports: Mapping[str, Region] = {}
        self._reports_at_start: Mapping[str, Region] = {}
        self._folded_under: dict[Key, Mapping[str, Region]] = {}
        self._retracted_before: dict[str, frozenset[Identity]] = {}
        # Reservations in memory that were given up, and when; those of which that changed, or from when on they count;
        # outer allocations that are not in memory, as they were when this settling asked for them.
        self._given_up: dict[Key, int] = {}
        self._changed_outers: set[Key] = set()
        self._outers: dict[Key, Timeline] = {}
        self._recount: set[Key] = set()  # inner allocations whose outer one has appeared, or was given up
        self._dirty: dict[Key, Timeline] = {}
        self._finished: dict[Key, Finished] = {}
        self._chains: dict[Key, int] = {}
        self._sources_dirty: set[str] = set()
        self._gaps: list[Gap] = []
        self._closed: dict[Key, None] = {}  # resident but closed, oldest first
        self._settled_until: dict[str | None, int] = {}  # region -> latest fact of what has left memory
        self._restatements: list[Restatement] = []
        self._conservation: list[Conservation] = []

    # -- what the caller must look up before a batch -------------------------------------------------------------

    def unknown(self, observations: Iterable[Observation]) -> set[Key]:
        """Allocations that a batch is about and that are not resident: the archive knows whether they are new."""
        keys: set[Key] = set()
        tenants = self.tenants
        for fact in observations:
            if OF_ALLOCATION[fact.kind]:
                tenant = tenants.get(fact.tenant)
                if tenant is None or fact.subject not in tenant.timelines:
                    keys.add((fact.tenant, fact.subject))
                if isinstance(fact.body, Claim) and fact.body.within is not None:
                    keys.add((fact.tenant, fact.body.within))
            elif isinstance(fact.body, Report):
                keys.update(key for key in fact.body.held if not self._resident(key) and self.owns(key[0]))
        return keys

    def owns(self, name: str) -> bool:
        """Whether what is said of a tenant is for these books."""
        return name in self.tenants or (name not in self.elsewhere and self.adopts(name))

    def unclaimed(self, fact: Observation) -> set[str]:
        """The tenants that a fact names and these books would make theirs: others may own them already."""
        if isinstance(fact.body, Report):
            return {name for name, _ in fact.body.held if name not in self.tenants and self.owns(name)}
        return {fact.tenant} - self.tenants.keys() - {""}

    def begin(self, archived: Mapping[Key, int]) -> None:
        """A batch follows; `archived` gives the chain heads of those of its allocations that the archive knows."""
        self._archived = dict(archived)
        self._recent = set()
        self._reports_at_start = self._reports

    def learn(self, archived: Mapping[Key, int]) -> None:
        """Chain heads of further allocations that the archive knows."""
        self._archived.update(archived)

    def missing(self, keys: Iterable[Key]) -> set[Key]:
        """Those of the allocations that are not resident."""
        return {key for key in keys if not self._resident(key)}

    def head(self, key: Key) -> int:
        """Number of the latest fact of an allocation, 0 if it has none."""
        tenant = self.tenants.get(key[0])
        timeline = None if tenant is None else tenant.timelines.get(key[1])
        return self._archived.get(key, 0) if timeline is None else timeline.head

    def _resident(self, key: Key) -> bool:
        tenant = self.tenants.get(key[0])
        return tenant is not None and key[1] in tenant.timelines

    def _known(self, key: Key) -> bool:
        return key in self._archived or self._resident(key)

    # -- the hot path --------------------------------------------------------------------------------------------

    def observe(self, fact: Observation, received: int | None = None) -> None:
        """Take in one fact."""
        late = self.is_late(fact)
        if fact.time > self.clock:
            self.clock = fact.time
        source = self._hear(fact.source, fact.time)
        if fact.tenant or self.place is None:
            source.came += 1
        if OF_ALLOCATION[fact.kind]:
            self._observe_allocation(fact, received, late)
        elif fact.kind is Kind.INVENTORY:
            self._observe_inventory(fact, received, late)
        elif fact.kind is Kind.ALIVE:
            self._observe_alive(fact, received, late)
        elif fact.kind is Kind.PARTY_PROFILED:
            self._observe_party(fact, received, late)
        else:
            self._observe_tenant(fact, received, late)

    def is_late(self, fact: Observation) -> bool:
        """Whether a fact that came now would be late."""
        return fact.time < self.clock - self.lateness_ms

    def _hear(self, name: str, time: int) -> Source:
        source = self.sources.get(name)
        if source is None:
            source = self.sources[name] = Source()
        heard = source.heard
        if time > heard:
            if heard >= 0:
                source.pause = max(time - heard, source.pause - (source.pause >> PAUSE_FORGOTTEN))
            source.heard = time
        self._sources_dirty.add(name)
        return source

    def _observe_allocation(self, fact: Observation, received: int | None, late: bool) -> None:
        key = (fact.tenant, fact.subject)
        if key in self.waiting:
            self._wait(key, Arrival(fact, received, late))
            return
        tenant = self.tenants.get(fact.tenant) or self.tenant(fact.tenant)
        timeline = tenant.timelines.get(fact.subject)
        mark = fingerprint(fact.source, fact.id)
        before = _standing(timeline, self.clock) if late and timeline is not None else (0, 0)
        if timeline is None:
            if not self._is_plain_beginning(tenant, key, fact):
                self._wait(key, Arrival(fact, received, late))
                return
            timeline = begin(fact, self._effects)
            self._take_on(tenant, key, timeline)
        elif mark in timeline.prints and fact.raw in self._recent:
            self._count_duplicate(fact)
            return
        elif self._continues(tenant, timeline, fact, mark):
            advance(timeline, fact, self._effects)
        elif not self._changes_nothing(tenant, timeline, fact, mark):
            self._wait(key, Arrival(fact, received, late))
            return
        remember(timeline, mark, fact.kind)
        timeline.head = self._keep(fact, received, timeline.head, late)
        self._recent.add(fact.raw)
        if late and timeline.counted:
            self._tell(key, fact, before, _plus(_sums(self._effects), _standing(timeline, self.clock)))
        self._book_effects(tenant, key, timeline)
        self._touch(key, timeline)

    def _wait(self, key: Key, arrival: Arrival | None = None) -> None:
        """An allocation waits for its history, and with it a fact if there is one."""
        if key not in self.waiting:
            self.waiting[key] = []
            self._folded_under[key] = self._reports if self._resident(key) else self._reports_at_start
        if arrival is not None:
            self.waiting[key].append(arrival)

    def _book_effects(self, tenant: Tenant, key: Key, timeline: Timeline) -> None:
        """Book what the fact at hand brought about."""
        effects = self._effects
        if effects.pieces or effects.measurements:
            if timeline.counted:
                tenant.ledger.add(effects)
                self._finish(key, effects)
            else:
                effects.pieces.clear()
                effects.measurements.clear()
        if effects.anomalies:
            for anomaly in effects.anomalies:
                self.counts.anomaly(anomaly.kind)
            effects.anomalies.clear()

    def _finish(self, key: Key, effects: Effects) -> None:
        """Add the effects of the fact at hand to what an allocation has finished since the last commit."""
        finished = self._finished.get(key)
        if finished is None:  # mostly: it may have them as they are, and the next fact gets others
            self._finished[key], self._effects = Finished(effects, False), Effects.none()
        else:
            finished.effects.pieces.extend(effects.pieces)
            finished.effects.measurements.extend(effects.measurements)
            effects.pieces.clear()
            effects.measurements.clear()

    def _is_plain_beginning(self, tenant: Tenant, key: Key, fact: Observation) -> bool:
        """Whether a fact about an allocation that is not resident begins its timeline, with nothing to look up."""
        return (
            key not in self._archived
            and (fact.source, fact.id) not in tenant.retracted
            and key[1] not in tenant.inner
            and (not isinstance(fact.body, Claim) or fact.body.within is None)
            and (
                not self.regions
                or (self.adopts(key[0]) and all(fact.time > region.last_time for region in self.regions.values()))
            )
        )

    def _continues(self, tenant: Tenant, timeline: Timeline, fact: Observation, mark: bytes) -> bool:
        """Whether a fact simply comes next in the fold."""
        if fact.time <= timeline.last_time or mark in timeline.prints:
            return False
        claim = fact.body
        if isinstance(claim, Claim) and claim is not NOTHING_CLAIMED and names_the_past(timeline, claim):
            return False
        if tenant.retracted and (fact.source, fact.id) in tenant.retracted:
            return False
        region = self.regions.get(timeline.shape.region or "")
        return region is None or fact.time > region.last_time

    def _changes_nothing(self, tenant: Tenant, timeline: Timeline, fact: Observation, mark: bytes) -> bool:
        """Whether a late fact is mere evidence inside a piece that is certain anyway: heartbeats out of order."""
        return (
            fact.kind is Kind.SEEN
            and fact.body == NOTHING_CLAIMED
            and units_at(timeline, fact.time) is not None
            and not may_hold(timeline.prints, [mark])
            and (fact.source, fact.id) not in tenant.retracted
        )

    def _count_duplicate(self, fact: Observation) -> None:
        self.counts.duplicate += 1
        if fact.tenant or self.place is None:
            self.sources[fact.source].came -= 1

    def _keep(self, fact: Observation, received: int | None, previous: int, late: bool) -> int:
        """Hand a fact to the archive and count it; returns its number."""
        number = self.next_fact
        self.next_fact += 1
        self._new_facts.append(NewFact(number, previous, received, fact.raw, OF_SOMEBODY[fact.kind]))
        self.counts.accepted += 1
        self.counts.late += late
        if late and fact.time <= self.looked_at:
            self._note_missed(fact)
        return number

    def _note_missed(self, fact: Observation) -> None:
        """People were told without a fact: it counts for those of our tenants that it is about."""
        names = {name for name, _ in fact.body.held} if isinstance(fact.body, Report) else {fact.tenant}
        for name in names & self.tenants.keys():
            self.came_late[name] = self.came_late.get(name, 0) + 1

    def _touch(self, key: Key, timeline: Timeline) -> None:
        self._dirty[key] = timeline
        self.dirty_tenants.add(key[0])
        if timeline.since is None:
            self._closed[key] = None
        else:
            self._closed.pop(key, None)
        if timeline.ended is not None or self._given_up:
            self._note_end(key, given_up(timeline))

    def _take_on(self, tenant: Tenant, key: Key, timeline: Timeline) -> None:
        """An allocation becomes resident; if it is new, inner layers that waited for it no longer count."""
        tenant.timelines[key[1]] = timeline
        if key not in self._archived:
            self._recount.update((key[0], inner) for inner in tenant.inner.get(key[1], ()))

    def tenant(self, name: str) -> Tenant:
        """The tenant of that name, made if it is new."""
        tenant = self.tenants.get(name)
        if tenant is None:
            tenant = self.tenants[name] = Tenant()
            if self._reports and not self.adopts(name):
                self._hear_of(name)
        return tenant

    def _hear_of(self, name: str) -> None:
        """A tenant whose facts came here though it is not one of ours by name: until now reports said nothing of it."""
        self.elsewhere.discard(name)
        for region in self._reports.values():
            for report in region.ordered:
                for key in report.held:
                    if key[0] == name:
                        self._wait(key)

    # -- facts that are not about one allocation -----------------------------------------------------------------

    def _observe_tenant(self, fact: Observation, received: int | None, late: bool) -> None:
        tenant = self.tenant(fact.tenant)
        if not self._keep_content(tenant.facts, fact):
            return
        tenant.head = self._chains[fact.tenant, ""] = self._keep(fact, received, tenant.head, late)
        self.dirty_tenants.add(fact.tenant)
        if fact.kind is Kind.RETRACTED or len(tenant.facts[fact.source, fact.id]) > 1:
            self._new_retractions.add(fact.tenant)

    def _observe_party(self, fact: Observation, received: int | None, late: bool) -> None:
        party = self.parties.setdefault(fact.subject, Party())
        if self._keep_content(party.facts, fact):
            key = ("", f"party/{fact.subject}")
            party.head = self._chains[key] = self._keep(fact, received, party.head, late)
            self.dirty_tenants.update(self.tenants)  # it may be above any of them

    def _observe_alive(self, fact: Observation, received: int | None, late: bool) -> None:
        assert isinstance(fact.body, Alive)
        self._hear(fact.body.source, fact.time)
        source = self.sources[fact.body.source]
        identity = (fact.source, fact.id)
        if identity in source.recent and same_content(source.recent[identity], fact.raw):
            self._count_duplicate(fact)
            return
        source.recent[identity] = fact.raw
        if len(source.recent) > SOURCE_IDS_MAX:
            del source.recent[next(iter(source.recent))]
        self._compare_counts(fact.body, source, fact.time)
        key = ("", f"source/{fact.body.source}")
        source.head = self._chains[key] = self._keep(fact, received, source.head, late)

    def _compare_counts(self, alive: Alive, source: Source, time: int) -> None:
        """Hold what a source says to have sent against what came."""
        sent = sum(alive.sent.values()) if self.place is None else alive.sent.get(self.place)
        if sent is None or not alive.sent:
            return
        source.lags, gap = compared(alive.source, source.lags, Lag(time, sent, sent - source.came))
        if gap is not None:
            self._gaps.append(gap)

    def take_gaps(self) -> list[Gap]:
        """What sources have sent and did not come, as far as it was noticed since the last call."""
        gaps, self._gaps = self._gaps, []
        return gaps

    def _observe_inventory(self, fact: Observation, received: int | None, late: bool) -> None:
        assert isinstance(fact.body, Report)
        region = self.regions.setdefault(fact.subject, Region())
        if region.knows(fact):
            self._count_duplicate(fact)
            return
        groups = region.add(fact)
        key = ("", f"region/{fact.subject}")
        region.head = self._chains[key] = self._keep(fact, received, region.head, late)
        for held in fact.body.held:
            # Known from now on, whatever comes of the report, since layers depend on what is known.
            if self.owns(held[0]) and not self._known(held):
                self._wait(held)
        for group in sorted(groups):
            self._apply_report(fact.subject, region, group, late)

    def _keep_content(self, facts: dict[Identity, list[Observation]], fact: Observation) -> bool:
        rivals = facts.setdefault((fact.source, fact.id), [])
        if repeats(fact, rivals):
            self._count_duplicate(fact)
            return False
        if rivals:
            self.counts.anomaly(OTHER_CONTENT)
        rivals.append(fact)
        return True

    # -- settling a batch: whatever needs the archive ------------------------------------------------------------

    def take_facts(self) -> list[NewFact]:
        """The facts accepted since the last call, for the archive."""
        taken, self._new_facts = self._new_facts, []
        return taken

    def unsettled(self) -> set[Key]:
        """Allocations that need their history: facts wait for it, or, of many some, their outer layer has changed."""
        return {*self.waiting, *islice(self._recount, RECOUNTED_AT_ONCE)}

    @property
    def has_unsettled(self) -> bool:
        """Whether settling would change what is held and counts."""
        return bool(self.waiting or self._recount or self._changed_outers or self._new_retractions)

    def take_retractions(self) -> dict[str, frozenset[Identity]]:
        """Tenants whose set of retracted facts changed -> the identities to look for."""
        changed: dict[str, frozenset[Identity]] = {}
        for name in self._new_retractions:
            tenant = self.tenants[name]
            difference = tenant.retracted ^ retracted_by(tenant)
            if difference:
                changed[name] = difference
        self._new_retractions = set()
        return changed

    def take_late_reports(self) -> dict[str, int]:
        """Regions with reports that concern what has left memory -> the earliest latest fact that is concerned."""
        taken, self._late_reports = self._late_reports, {}
        return taken

    def wait_for(self, keys: Iterable[Key]) -> None:
        """Allocations out of memory that must be folded again."""
        for key in keys:
            self._wait(key)

    def settled(self) -> None:
        """Nothing waits any more."""
        assert not self.waiting
        assert not self._recount
        assert not self._changed_outers
        self._outers = {}
        self._retracted_before = {}

    def marked(self, name: str, marks: Iterable[bytes]) -> list[Key]:
        """Resident allocations of a tenant that may hold a fact with one of these fingerprints."""
        wanted = list(marks)
        timelines = self.tenants[name].timelines
        return [(name, key) for key, timeline in timelines.items() if may_hold(timeline.prints, wanted)]

    def restate(self, histories: Mapping[Key, Sequence[Observation]]) -> None:
        """Fold allocations again from all their facts: their `histories` (as archived, latest first) and what waits.

        The ledger moves by the difference to what they were folded under until now. All are folded before any is
        counted, since from when on one counts depends on what it lies within, as that is now.
        """
        for refolded in [self._fold_again(key, history) for key, history in histories.items()]:
            self._count_again(refolded)

    def _fold_again(self, key: Key, history: Sequence[Observation]) -> Refolded:
        """Put the fold of what is known now into memory."""
        tenant = self.tenant(key[0])
        before_reports, before_retracted = self._reports, tenant.retracted
        if key in self._folded_under:
            before_reports = self._folded_under.pop(key)
            before_retracted = self._retracted_before.get(key[0], tenant.retracted)
        old, old_effects = self._folded(key, history, before_retracted, before_reports)
        head, before = self._chain(tenant, key, history)
        facts, accepted, head = self._sort_out(history, self.waiting.pop(key, []), head)
        new, effects = self._folded(key, facts, tenant.retracted, self._reports)
        new.head, new.prints, new.lasting = head, before.prints, before.lasting
        for arrival in accepted:
            remember(new, fingerprint(arrival.fact.source, arrival.fact.id), arrival.fact.kind)
        if key[1] in tenant.timelines:
            tenant.timelines[key[1]] = new
        else:
            self._take_on(tenant, key, new)
            ended = given_up(old)
            if ended is not None:
                self._given_up[key] = ended  # as its inner layers know it
        self._touch(key, new)
        for anomaly in set(effects.anomalies).difference(old_effects.anomalies):
            self.counts.anomaly(anomaly.kind)
        late = [arrival.fact for arrival in accepted if arrival.late]
        return Refolded(key, old, old_effects, new, effects, late[-1] if late else None)

    def _count_again(self, refolded: Refolded) -> None:
        """Give a new fold its place among the layers and in the ledger, instead of the old one."""
        key, old, old_effects, new, effects, late = refolded
        tenant = self.tenants[key[0]]
        self._recount.discard(key)
        self._leave_layer(tenant, key, old, old_effects)
        self._place_layer(tenant, key, new, effects)
        if given_up(new) is not None and (old.counted, old.counted_from) != (new.counted, new.counted_from):
            self._changed_outers.add(key)
        if old.counted:
            tenant.ledger.add(old_effects, -1)
        if new.counted:
            tenant.ledger.add(effects)
        self._finished[key] = Finished(effects if new.counted else Effects.none(), True)
        if late is not None:
            self._tell(
                key,
                late,
                _plus(_sums(old_effects), _standing(old, self.clock)) if old.counted else (0, 0),
                _plus(_sums(effects), _standing(new, self.clock)) if new.counted else (0, 0),
            )

    def _folded(
        self, key: Key, facts: Sequence[Observation], retracted: frozenset[Identity], regions: Mapping[str, Region]
    ) -> tuple[Timeline, Effects]:
        counting = effective(facts, retracted)
        return fold([*counting, *statements(regions, key, counting)])

    def _chain(self, tenant: Tenant, key: Key, history: Sequence[Observation]) -> tuple[int, Timeline]:
        """The head of an allocation's chain of facts, and a timeline with its fingerprints."""
        timeline = tenant.timelines.get(key[1])
        if timeline is not None:
            return timeline.head, timeline
        reloaded = Timeline()
        for fact in reversed(history):  # in the order of acceptance: the oldest are the first to be forgotten
            remember(reloaded, fingerprint(fact.source, fact.id), fact.kind)
        return self._archived.get(key, 0), reloaded

    def _sort_out(
        self, history: Sequence[Observation], arrivals: Sequence[Arrival], head: int
    ) -> tuple[list[Observation], list[Arrival], int]:
        """The whole set of facts, which arrivals are new to it, and the chain's new head."""
        rivals: dict[Identity, list[Observation]] = {}
        facts = list(history)
        for fact in history:
            rivals.setdefault((fact.source, fact.id), []).append(fact)
        accepted: list[Arrival] = []
        for arrival in arrivals:
            fact = arrival.fact
            same = rivals.setdefault((fact.source, fact.id), [])
            if repeats(fact, same):
                self._count_duplicate(fact)
                continue
            if same:
                self.counts.anomaly(OTHER_CONTENT)
            same.append(fact)
            facts.append(fact)
            accepted.append(arrival)
            head = self._keep(fact, arrival.received, head, arrival.late)
        return facts, accepted, head

    def _tell(self, key: Key, fact: Observation, before: tuple[int, int], after: tuple[int, int]) -> None:
        """Record a restatement if a late fact changed usage."""
        if before != after:
            self._restatements.append(
                Restatement(*key, fact.source, fact.id, fact.time, self.clock, before[0], after[0], before[1], after[1])
            )

    def retract(self, name: str, keys: Iterable[Key]) -> None:
        """Put a tenant's retractions in force; `keys` may hold facts that are concerned, and wait for their history."""
        tenant = self.tenants[name]
        self._retracted_before[name], tenant.retracted = tenant.retracted, retracted_by(tenant)
        for key in keys:
            self._wait(key)

    # -- layers: what lies within what ----------------------------------------------------------------------------

    def take_changed_outers(self) -> set[Key]:
        """Reservations that were given up, or are held after all, since the last call: for those within them."""
        taken, self._changed_outers = self._changed_outers, set()
        return taken

    def recount(self, outers: Collection[Key], inside: Iterable[Key]) -> None:
        """Fold all that lies within these again; `inside`: what of that the archive knows."""
        self._recount.update(inside)
        self._recount.update(key for key, timeline in self._dirty.items() if (key[0], timeline.within) in outers)

    def unseen(self, outers: Iterable[Key]) -> set[Key]:
        """Those that are neither in memory nor were looked at in this settling."""
        return {key for key in outers if self._outer(key) is None}

    def look_at(self, outer: Key, history: Sequence[Observation]) -> None:
        """What an allocation out of memory is like, for those within it; `history` as archived, latest first."""
        self._outers[outer], _ = self._folded(outer, history, self.tenants[outer[0]].retracted, self._reports)

    def around(self, keys: Iterable[Key]) -> set[Key]:
        """What these lie within, as far as they are in memory or were looked at."""
        seen = {key: self._outer(key) for key in keys}
        return {(key[0], one.within) for key, one in seen.items() if one is not None and one.within is not None}

    def _outer(self, key: Key) -> Timeline | None:
        tenant = self.tenants.get(key[0])
        timeline = None if tenant is None else tenant.timelines.get(key[1])
        return self._outers.get(key) if timeline is None else timeline

    def _note_end(self, key: Key, ended: int | None) -> None:
        """A reservation was given up then, or, None, is held or is none: its inner layers must hear of a change."""
        if ended == self._given_up.get(key):
            return
        self._changed_outers.add(key)
        if ended is None:
            del self._given_up[key]
        else:
            self._given_up[key] = ended

    def _leave_layer(self, tenant: Tenant, key: Key, old: Timeline, effects: Effects) -> None:
        """Take away the place that the fold of what was known before this settling had among the layers."""
        start = tenant.placed(key[1], old)
        old.counted = start is not None
        if start is not None:
            count_from(old, effects, start)
        counting = tenant.inner.get(old.within or "", {})
        if counting.pop(key[1], None) is not None and not counting:
            del tenant.inner[old.within or ""]

    def _place_layer(self, tenant: Tenant, key: Key, timeline: Timeline, effects: Effects) -> None:
        """Only the outermost known layer enters the books; within a reservation, from when that was given up."""
        start = self._counts_from(key, timeline)
        timeline.counted = start is not None
        if start is not None and timeline.within not in (None, key[1]):
            tenant.inner.setdefault(timeline.within, {})[key[1]] = start
            count_from(timeline, effects, start)

    def _counts_from(self, key: Key, timeline: Timeline) -> int | None:
        """From when on an allocation counts by itself, as far as what it lies within is concerned; None: not at all."""
        start, passed, here, name = FROM_START, {key[1]}, timeline, key[1]
        while here.within is not None and here.within != name and self._known((key[0], here.within)):
            name = here.within
            around = self._outer((key[0], name))
            assert around is not None, "what is known and not in memory was looked at"
            ended = given_up(around)
            if ended is None or name in passed:  # a circle counts nowhere
                return None
            passed.add(name)
            start, here = max(start, ended), around
        return start

    # -- inventory -----------------------------------------------------------------------------------------------

    def _apply_report(self, name: str, region: Region, group: GroupKey, late: bool) -> None:
        """Put a report in effect, if all its parts are there, and tell the allocations that it concerns."""
        new, old = region.assembled(group), region.in_effect.get(group)
        if new == old:
            return
        residents = self._residents(name)
        if new is not None and new.complete and not late:  # the books of a late one's instant are gone
            self._conservation.extend(conservation(name, self._own_part(new), _held(residents)))
        concerned = {key for key, _ in residents}
        for report in (new, old):
            concerned.update(() if report is None else self._own_part(report).held)
        for key in concerned:
            if key not in self.waiting and (new is None or old is not None or not self._heed(name, new, key)):
                self._wait(key)
        since = group[1] if old is None else -1
        if self._settled_until.get(name, -1) >= since:
            self._late_reports[name] = min(since, self._late_reports.get(name, since))
        region.put_in_effect(group, new)
        self._reports = {**self._reports, name: region.copy()}

    def _own_part(self, report: Inventory) -> Inventory:
        """What a report says of our tenants."""
        if self.adopts is _everybody and not self.elsewhere:
            return report
        return report._replace(held={key: claim for key, claim in report.held.items() if self.owns(key[0])})

    def _residents(self, region: str) -> list[tuple[Key, Timeline]]:
        """The resident allocations of a region."""
        return [
            ((name, key), timeline)
            for name, tenant in self.tenants.items()
            for key, timeline in tenant.timelines.items()
            if timeline.shape.region == region
        ]

    def _heed(self, region: str, report: Inventory, key: Key) -> bool:
        """Take a new report into the fold of an allocation, if that comes next or changes nothing."""
        tenant = self.tenants.get(key[0])
        timeline = None if tenant is None else tenant.timelines.get(key[1])
        if tenant is None or timeline is None:
            return False
        if report.time <= timeline.last_time:
            return _fits(timeline, region, report, key)
        if key in report.held:
            fact = presence(region, report, key)
            assert isinstance(fact.body, Claim)
            own = self.regions.get(timeline.shape.region or "")  # reports of no other region say that it is absent
            lacked_later = timeline.since is None and own is not None and report.time < own.last_time
            if lacked_later or names_the_past(timeline, fact.body):
                return False
        elif report.complete and timeline.since is not None:
            fact = absence(region, report, key)
        else:
            return True
        advance(timeline, fact, self._effects)
        self._book_effects(tenant, key, timeline)
        self._touch(key, timeline)
        return True

    # -- committing ----------------------------------------------------------------------------------------------

    def with_waiting(self, tenant: str, finished: Mapping[str, Effects]) -> Mapping[str, Effects]:
        """What allocations of a tenant have held, where the store lacks what the next commit takes."""
        waiting = {key[1]: one for key, one in self._finished.items() if key[0] == tenant}
        if not waiting:
            return finished
        together = dict(finished)
        for name, (effects, anew) in waiting.items():
            before = Effects.none() if anew else together.get(name, Effects.none())
            pieces, measurements = before.pieces + effects.pieces, before.measurements + effects.measurements
            together[name] = Effects(pieces, measurements, [])
        return together

    def drain(self) -> Moved:
        """What changed since the last call; afterwards old hours, and allocations that closed some time ago, leave
        memory.
        """
        names = sorted({key[0] for key in self._dirty})
        rows = {name: self.tenants[name].ledger.take_dirty() for name in names}
        self._let_go_of_hours(names)
        moved = Moved(
            self._dirty,
            self._finished,
            [(name, row) for name, (usage, _) in rows.items() for row in usage],
            [(name, row) for name, (_, measured) in rows.items() for row in measured],
            self._chains,
            {name: self.sources[name].heard for name in sorted(self._sources_dirty)},
            self._restatements,
            self._conservation,
        )
        self._dirty, self._finished, self._chains, self._sources_dirty = {}, {}, {}, set()
        self._restatements, self._conservation = [], []
        self._evict()
        return moved

    def _let_go_of_hours(self, names: Iterable[str]) -> None:
        """Hours that are old leave the memory of these tenants, several at once: each time all are looked through."""
        if self.resident_hours is None:
            return
        oldest = self.clock // HOUR_MS - self.resident_hours
        for name in names:
            ledger = self.tenants[name].ledger
            if oldest - ledger.resident_from > self.resident_hours // 4:
                ledger.let_go(oldest)

    def _evict(self) -> None:
        if len(self._closed) <= self.closed_resident_max:
            return
        # Half of them at once: taking the first of a dictionary again and again would walk over all that were taken.
        for key in list(islice(self._closed, len(self._closed) - self.closed_resident_max // 2)):
            del self._closed[key]
            self._given_up.pop(key, None)
            timeline = self.tenants[key[0]].timelines.pop(key[1])
            region = timeline.shape.region
            self._settled_until[region] = max(self._settled_until.get(region, -1), timeline.last_time)

    # -- rebuilding from a store ---------------------------------------------------------------------------------

    def restore_source(self, name: str, heard: int, pause: int, came: int, lags: Iterable[Lag]) -> None:
        """A source that was known: the latest event time of anything from it, its longest pause of late, its counts."""
        source = self.sources.setdefault(name, Source())
        source.heard, source.pause = heard, pause
        source.came, source.lags = came, list(lags)

    def restore_settled(self, region: str | None, last_time: int) -> None:
        """A closed allocation of a region, which stays out of memory, had its latest fact then."""
        self._settled_until[region] = max(self._settled_until.get(region, -1), last_time)

    def restore_chain(self, key: Key, head: int, facts: Sequence[Observation]) -> None:
        """A chain that is no allocation, as `Moved.chains` names it, with its facts in the order of acceptance."""
        kind, _, name = key[1].partition("/")
        if key[0] or not key[1]:
            tenant = self.tenant(key[0])
            tenant.head = head
            _restore_facts(tenant.facts, facts)
            tenant.retracted = retracted_by(tenant)
        elif kind == "party":
            party = self.parties.setdefault(name, Party())
            party.head = head
            _restore_facts(party.facts, facts)
        elif kind == "source":
            source = self.sources.setdefault(name, Source())
            source.head = head
            source.recent = {(fact.source, fact.id): fact.raw for fact in facts}
        else:
            region = self.regions.setdefault(name, Region())
            region.head = head
            for fact in facts:
                region.add(fact)
            for group in region.groups:
                region.put_in_effect(group, region.assembled(group))
            self._reports = {**self._reports, name: region.copy()}


def joined(books: Iterable[Book]) -> Book:
    """The books of all partitions as one, to be read only: each tenant is in one of them."""
    whole = Book()
    for book in books:
        whole.tenants.update(book.tenants)
        whole.clock = max(whole.clock, book.clock)
        for name, source in book.sources.items():
            if source.heard > whole.sources.setdefault(name, Source()).heard:
                whole.sources[name] = source
        whole.parties.update(book.parties)
    return whole


def is_source_chain(key: Key) -> bool:
    """Whether a chain has the `alive` facts about a source, of which a book remembers only the latest."""
    return key[0] == "" and key[1].startswith("source/")


def _restore_facts(facts: dict[Identity, list[Observation]], restored: Sequence[Observation]) -> None:
    for fact in restored:
        facts.setdefault((fact.source, fact.id), []).append(fact)


def retracted_by(tenant: Tenant) -> frozenset[Identity]:
    """The identities that the tenant's retractions in force take back; a retraction itself cannot be retracted."""
    facts = effective(fact for facts in tenant.facts.values() for fact in facts)
    return frozenset((fact.body.source, fact.body.id) for fact in facts if isinstance(fact.body, Retraction))


def _fits(timeline: Timeline, region: str, report: Inventory, key: Key) -> bool:
    """Whether a late report says of an allocation only what its fold has anyway."""
    claim = report.held.get(key)
    if claim is None:
        return not report.complete or report.time < timeline.first_time
    # Another name would hold from the start if the fact that named it until now is later than the report.
    shape = timeline.shape
    if region != shape.region or claim.hardware not in (None, shape.hardware):
        return False
    units = units_at(timeline, report.time)
    return units is not None and claim.count in (None, units) and not names_the_past(timeline, claim)


def _held(residents: Iterable[tuple[Key, Timeline]]) -> dict[Key, tuple[str, int]]:
    """Hardware and thousandths of what allocations hold and the books count."""
    return {
        key: (timeline.shape.hardware or "unknown", timeline.units)
        for key, timeline in residents
        if timeline.since is not None and timeline.counted
    }


def _sums(effects: Effects) -> tuple[int, int]:
    """Certain and other usage of finished pieces."""
    certain = sum(piece.count * (piece.end - piece.start) for piece in effects.pieces if piece.certain)
    total = sum(piece.count * (piece.end - piece.start) for piece in effects.pieces)
    return certain, total - certain


def _standing(timeline: Timeline, clock: int) -> tuple[int, int]:
    """Certain and other usage, up to the clock, of the piece now held."""
    if timeline.since is None:
        return 0, 0
    units, since = timeline.units, timeline.counted_since
    certain_end = max(timeline.evidence, since)
    return units * (certain_end - since), units * max(0, clock - certain_end)


def _plus(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]
