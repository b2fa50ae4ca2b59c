"""How a number came about: facts, pieces, catalogue rows, assumptions, rules. Documents for people and programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from monitor.core.blind import SILENCE, Blind
from monitor.core.book import Book, Tenant
from monitor.core.bounds import ZERO, Bounds
from monitor.core.catalogue import Catalogue, Hardware
from monitor.core.clearances import clearance_sentence
from monitor.core.clocks import instant
from monitor.core.engine import (
    GroupAnswer,
    Past,
    Reference,
    answer_tenant,
    hearing,
    signs_of_tenant,
    tenant_hours,
    window_totals,
)
from monitor.core.estimate import CLASSES, PPM, SCALE, HourUsage, TenantHour, active_of, totals
from monitor.core.facts import content_hash, effective
from monitor.core.findings import Finding
from monitor.core.inventory import statements
from monitor.core.ledger import NOT_MEASURED
from monitor.core.likelihood import Training
from monitor.core.links import WEIGHING, Link, LinkKind, Ties
from monitor.core.lists import ListVersion
from monitor.core.model import HOUR_MS, Key, Observation
from monitor.core.ownership import interest, interest_sentences, stake_sentence
from monitor.core.parties import Parties, affiliation_sentence, match_sentence
from monitor.core.personal import shown
from monitor.core.policy import Aggregation
from monitor.core.profiles import (
    HEADQUARTERS,
    PARTY,
    Profiled,
    contradiction_sentence,
    declared_party,
    of_tenant,
)
from monitor.core.projection import Projection, held_now, project, rate_a_day, stated_end
from monitor.core.runs import Run
from monitor.core.signs import signs_of_holdings
from monitor.core.structuring import Signal
from monitor.core.telemetry import contradictions, notes, sampled
from monitor.core.timeline import FROM_START, Anomaly, Measurement, Piece, Shape, fold

# What a profile says, in the words of a story; where it is headquartered stands with its owners.
TOLD = {
    "legal_name": "legal name",
    "aliases": "also called",
    "party": "party",
    "organisation": "organisation",
    "payer": "payer",
    "reseller_of": "reseller",
    "contact_domain": "contacts at",
    "declared_use": "use",
}


class HardwareLine(NamedTuple):
    """Usage of one shape and what it may have computed."""

    shape: Shape
    name: str  # canonical
    usage: dict[str, int]  # accelerator-microseconds by evidence class
    flop: Bounds
    rate: tuple[int, int, int]  # dense 16-bit FLOP/s: low, central, high
    utilisation_ppm: tuple[int, int, int]
    prior_basis: str
    source: str
    assumptions: tuple[str, ...]
    flop_executed: Bounds | None  # what the hardware did, recomputation included; None where nothing was measured


class RunLine(NamedTuple):
    """One run of a tenant, in short."""

    run: str
    start: int
    end: int
    peak: int  # thousandths of an accelerator
    flop: Bounds
    flop_with_weak_links: Bounds
    training: str


class LinkLine(NamedTuple):
    """Tenants that share one thing, or the same things, with a tenant or with each other."""

    strength: str
    weight: int  # thousandths
    tenants: tuple[str, ...]  # sorted
    evidence: tuple[str, ...]  # sentences, the weightiest first
    innocent: str  # the strongest innocent explanation of the weightiest
    settles: str  # what would settle it


class TenantStory(NamedTuple):
    """Everything that an answer about a tenant rests on."""

    tenant: str
    as_of: int
    flop: Bounds
    flop_by_days: dict[int, Bounds]  # over the latest so many days
    hardware: list[HardwareLine]
    open_allocations: list[tuple[str, str, int, int, int]]  # name, hardware, thousandths, since, last evidence
    outlived: list[str]  # inner allocations that hold something though what they lie within holds nothing any more
    headquarters: list[str]  # its own, its party's, its ultimate parents'; why it is unresolved
    findings: tuple[Finding, ...]
    runs: list[RunLine]  # with most compute first
    projections: list[Projection]  # of its total, for each threshold that it has not surely reached
    groups: list[GroupAnswer]  # that it is in
    links: list[LinkLine]  # to other tenants, the strongest first
    matches: list[str]  # on lists, of it, its party and the owners; what was cleared says so
    lists: list[ListVersion]  # that were asked
    signs: list[Signal]  # of somebody staying below a threshold on purpose; those of its groups stand there
    blind: list[Blind]  # when facts about it may be missing
    flop_unseen: Bounds  # the range, widened for the hours in which facts were lost
    economic_interest: list[str]  # in its party: shown, no rule asks
    contradictions: list[str]  # between sources of its profile and its party's
    who: list[str]  # what its profile says of it, and what its party and the owners of that one are called

    @property
    def counting(self) -> list[HardwareLine]:
        """The hardware that can compute anything."""
        return [line for line in self.hardware if line.rate[-1]]

    @property
    def without(self) -> list[str]:
        """The instance types without accelerators, as events named them."""
        return sorted({line.shape.hardware or "" for line in self.hardware if not line.rate[-1]})


class Kin(NamedTuple):
    """What links a tenant to others, as far as the books of all partitions know."""

    groups: tuple[GroupAnswer, ...]
    links: tuple[Link, ...]
    ties: Ties | None
    signs: tuple[Signal, ...]  # that the sizes of its allocations show


class GroupStory(NamedTuple):
    """Everything that an answer about a group rests on."""

    name: str
    as_of: int
    answers: tuple[GroupAnswer, ...]  # as linked tenants, as those of one owner; one at least
    members: tuple[tuple[str, Bounds], ...]  # with their model FLOP, the largest first
    links: tuple[LinkLine, ...]  # between them, the strongest first
    others: tuple[LinkLine, ...]  # to whoever is not in it: weak ones, which group nobody
    thresholds: tuple[int, ...]  # in model FLOP, of the rules in force that add groups up


NO_KIN = Kin((), (), None, ())


def explain_tenant(
    book: Book,
    reference: Reference,
    name: str,
    now: int,
    past: Past,
    runs: Sequence[tuple[Run, Training]] = (),
    kin: Kin = NO_KIN,
    blind: Iterable[Blind] = (),
) -> TenantStory:
    """The story of a tenant that the book knows and of its kin; `blind`: what its partition missed."""
    tenant = book.tenants[name]
    touching = [one for one in blind if _touches(one, tenant)]
    by_shape, parties = totals(tenant, now, hearing(book, now)), reference.parties(book, now)
    hours = tenant_hours(book, reference, name, now)
    answered = answer_tenant(book, reference, name, by_shape, parties, past, {name: [run for run, _ in runs]})
    held = [
        (key, timeline.shape.hardware or "unknown", timeline.units, timeline.since, timeline.evidence)
        for key, timeline in tenant.held()
        if timeline.since is not None
    ]
    return TenantStory(
        name,
        now,
        answered.flop,
        window_totals(hours, now),
        [
            _hardware_line(book, reference, name, shape, usage, now)
            for shape, usage in sorted(by_shape.items(), key=repr)
        ],
        sorted(held, key=lambda one: (-one[2], one[0])),
        list(_outlived(tenant)),
        _headquarters(tenant, parties),
        answered.findings,
        [
            RunLine(run.id, run.start, run.end, run.peak, run.flop, run.flop_chain, training.band.value)
            for run, training in sorted(runs, key=lambda one: (-one[0].flop.central, one[0].id))
        ],
        _projections(book, reference, name, answered.flop, now),
        list(kin.groups),
        list(link_lines(kin.links, lambda link: link.other if name in link.one else link.one)),
        _matches(name, tenant, parties),
        list(reference.lists.versions),
        _signs(book, reference, name, kin, hours, parties),
        touching,
        _widened(answered.flop, hours, touching),
        _economic_interest(tenant, parties),
        _contradictions(name, tenant, parties),
        [*_told(of_tenant(tenant, now)), *_called(tenant, parties)],
    )


def _outlived(tenant: Tenant) -> Iterator[str]:
    """What runs on within something that holds nothing any more: in a reservation it counts from then on (69)."""
    for name, inner in sorted(tenant.timelines.items()):
        if inner.since is None or inner.within is None or (inner.counted and inner.counted_from == FROM_START):
            continue
        outer = tenant.timelines.get(inner.within)
        if outer is None or outer.since is None:
            counts = f"in the totals from {instant(inner.counted_from)} on" if inner.counted else "not in the totals"
            yield (
                f"{name} holds {inner.units / 1000:g} x {inner.shape.hardware or 'unknown'} within {inner.within}, "
                f"which holds nothing any more: it is {counts}."
            )


def _matches(name: str, tenant: Tenant, parties: Parties) -> list[str]:
    """The hits of a tenant, its party and the owners of that one, and what the owners' would mean for it."""
    who = parties.who(name, tenant)
    declared = declared_party(tenant, parties.now)
    of_owners = [] if declared is None else parties.matches_above(declared)
    sentences = [
        match_sentence(one) + ("" if one.clearance is None else f" {clearance_sentence(one.clearance)}")
        for one in (*who.matches, *of_owners)
    ]
    return sentences + [affiliation_sentence(one) for one in who.affiliations]


def _told(profiled: Profiled) -> Iterator[str]:
    """What a profile says of a tenant now, what has one basis and source together."""
    told: dict[tuple[str, str], list[str]] = {}
    for field, words in TOLD.items():
        version = profiled.current(field)
        if version is not None:
            value = version.value
            values = [value] if isinstance(value, str) or not isinstance(value, Iterable) else value
            text = ", ".join(shown(str(one)) for one in values)
            told.setdefault((version.basis, version.source), []).append(f"{words} {text}")
    for (basis, source), said in told.items():
        yield f"{'; '.join(said)} ({basis}, from {source})"


def _called(tenant: Tenant, parties: Parties) -> Iterator[str]:
    """What the party of a tenant and everybody above it are called."""
    declared = declared_party(tenant, parties.now)
    if declared is not None:
        above = {one for part in parties.parent(declared).tops for one in part}
        above |= interest(declared, parties.owners_at(parties.now)).units.keys()
        for party in [declared, *sorted(above - {declared})]:
            version = parties.profiled(party).current("names")
            if version is not None and isinstance(version.value, Iterable):
                called = ", ".join(shown(str(one)) for one in version.value)
                yield f"party {party} is {called} ({version.basis}, from {version.source})"


def link_lines(links: Iterable[Link], whom: Callable[[Link], Iterable[str]]) -> Iterator[LinkLine]:
    """Links in words, those of one strength that rest on the same evidence as one; `whom`: the tenants to be named."""
    alike: dict[tuple[str, int, tuple[str, ...], LinkKind], set[str]] = {}
    for link in links:
        key = link.strength.value, link.weight, tuple(one.sentence for one in link.evidence), link.evidence[0].kind
        alike.setdefault(key, set()).update(whom(link))
    for (strength, weight, sentences, kind), tenants in alike.items():
        weighing = WEIGHING[kind]
        yield LinkLine(strength, weight, tuple(sorted(tenants)), sentences, weighing.innocent, weighing.settles)


def _signs(
    book: Book, reference: Reference, name: str, kin: Kin, hours: Sequence[TenantHour], parties: Parties
) -> list[Signal]:
    signs = signs_of_tenant(book, reference, name, hours, parties)
    signs += [] if kin.ties is None else signs_of_holdings(kin.ties, parties)
    return [*signs, *kin.signs]


def _headquarters(tenant: Tenant, parties: Parties) -> list[str]:
    """Every version of the headquarters of a tenant and its party, those of its ultimate parents, and what is open."""
    profiled = of_tenant(tenant, parties.now)
    sentences = _versions(profiled)
    declared = profiled.current(PARTY)
    if declared is not None:
        party = str(declared.value)
        above = parties.parent(party)
        sentences += _versions(parties.profiled(party), f"party {party}: ")
        sentences += [
            sentence
            for part in above.tops
            for top in part
            if top != party
            for sentence in _versions(parties.profiled(top), f"ultimate parent {top}: ")
        ]
        sentences += [stake_sentence(stake) for edge in above.steps for stake in edge.stakes]
    status = parties.unresolved(tenant)
    return sentences + ([] if status is None else [status])


def _versions(profiled: Profiled, whose: str = "") -> list[str]:
    return [f"{whose}{one.value} ({one.basis}), from {one.source}" for one in profiled.history(HEADQUARTERS)]


def _economic_interest(tenant: Tenant, parties: Parties) -> list[str]:
    """Who has what part in the tenant's party, products of shares along each way."""
    party = declared_party(tenant, parties.now)
    return [] if party is None else interest_sentences(party, interest(party, parties.owners_at(parties.now)))


def _contradictions(name: str, tenant: Tenant, parties: Parties) -> list[str]:
    """Where sources, or the tenant and its party, say different things."""
    return [contradiction_sentence(one) for one in parties.who(name, tenant).contradictions]


def _projections(book: Book, reference: Reference, name: str, flop: Bounds, now: int) -> list[Projection]:
    """The chances that a tenant's total reaches each threshold of the rules on tenants."""
    tenant = book.tenants[name]
    held = held_now(tenant, now, hearing(book, now))
    since = min((timeline.counted_since for _, timeline in tenant.held()), default=now)
    a_day, end = rate_a_day(held, reference.estimator.of(name), now), stated_end(tenant, now)
    return [
        project(flop, a_day, threshold, now, since, end, reference.durations)
        for threshold in reference.thresholds(Aggregation.TENANT, now)
        if flop.low < threshold
    ]


def _touches(blind: Blind, tenant: Tenant) -> bool:
    """Whether facts about a tenant may be missing: any came that way, or it holds what the silent source spoke of."""
    return blind.cause != SILENCE or any(timeline.source == blind.source for _, timeline in tenant.held())


def _widened(flop: Bounds, hours: Iterable[TenantHour], blind: Sequence[Blind]) -> Bounds:
    """A range in which hours with lost facts may have been nothing, or twice as much.

    Silence is not among the losses: time without a sign of life has evidence classes of its own.
    """
    lost = [one for one in blind if one.cause != SILENCE]
    touched = ZERO
    for hour in hours:
        start = hour.hour * HOUR_MS
        if any(one.touches(start, start + HOUR_MS) for one in lost):
            touched = touched.plus(hour.everything)
    touched = touched.divided(SCALE)
    return Bounds(
        max(0, flop.low - touched.low), flop.central, flop.high + touched.high, flop.ceiling + touched.ceiling
    )


def _hardware_line(
    book: Book, reference: Reference, name: str, shape: Shape, usage: dict[str, int], now: int
) -> HardwareLine:
    estimator = reference.estimator.of(name)
    hardware = estimator.catalogue.resolve(shape.hardware, shape.unit, now)
    prior = estimator.priors.of(hardware.chip.generation)
    measured = book.tenants[name].ledger.measured_totals.get(shape, NOT_MEASURED)
    certain, presumed, open_time = (usage.get(usage_class, 0) for usage_class in CLASSES)
    assumptions = list(hardware.assumptions)
    if prior.extrapolated:
        assumptions.append(f"No published run on {hardware.chip.generation}: the pooled prior, widened (extrapolated).")
    whole = HourUsage(certain, presumed, open_time, measured)
    if measured.usage:
        assumptions += _of_measured(hardware, whole)
    executed = estimator.executed(hardware, whole)
    return HardwareLine(
        shape,
        hardware.name,
        {usage_class: amount * hardware.per_unit // 1_000 for usage_class, amount in usage.items()},
        estimator.flop(hardware, whole).divided(SCALE),
        (hardware.chip.rate_low, hardware.chip.rate_central, hardware.chip.rate_high),
        (prior.low_ppm, prior.central_ppm, prior.high_ppm),
        prior.basis,
        hardware.chip.source,
        tuple(assumptions),
        None if executed is None else executed.divided(SCALE),
    )


def _of_measured(hardware: Hardware, usage: HourUsage) -> list[str]:
    """What telemetry of a shape says, and what the rest of the time is taken for."""
    share = usage.measured.usage * 100 // max(1, usage.certain)
    said = f"{share} per cent of the certain time was measured by the provider"
    active = active_of(hardware, usage.measured)
    if active is None:
        return [f"{said}, which moves nothing: the catalogue has no clock of the stated peak of {hardware.name}."]
    mean = active * 100 // PPM // usage.measured.usage
    return [
        f"{said}: on average {mean} per cent of the dense 16-bit peak, executed.",
        "Time that nobody measured keeps the prior; in the high bound it may hold what the prior gives to all of the "
        "time, as far as training ever gets while it runs. Executed FLOP take it centrally for no less than what was "
        "measured.",
    ]


class FactStory(NamedTuple):
    """What one fact of an allocation did."""

    fact: Observation
    counts: str  # a sentence: whether it counts, and if not why
    digest: str
    notes: tuple[str, ...]  # what telemetry did not say, or did not measure


class AllocationStory(NamedTuple):
    """All facts of an allocation and the pieces that follow from them."""

    tenant: str
    allocation: str
    facts: list[FactStory]
    pieces: list[Piece]
    anomalies: list[Anomaly]


def explain_allocation(book: Book, catalogue: Catalogue, key: Key, history: Sequence[Observation]) -> AllocationStory:
    """The story of an allocation from its facts."""
    tenant = book.tenant(key[0])
    counting = effective(history, tenant.retracted)
    _, effects = fold([*counting, *statements(book.regions, key, counting)])
    chosen = {id(fact) for fact in counting}
    samples = list(sampled(counting, effects.measurements))
    said = {id(one.fact): notes(one) for one in samples}

    def rated_mw(measured: Measurement) -> int | None:
        shape = measured.shape
        return catalogue.resolve(shape.hardware, shape.unit, measured.end).chip.rated_mw

    stories = [
        FactStory(
            fact,
            _verdict(fact, id(fact) in chosen, tenant.retracted),
            content_hash(fact.raw).hex(),
            said.get(id(fact), ()),
        )
        for fact in sorted(history, key=lambda one: (one.time, one.source, one.id))
    ]
    anomalies = [*effects.anomalies, *contradictions(samples, rated_mw)]
    return AllocationStory(key[0], key[1], stories, effects.pieces, anomalies)


def _verdict(fact: Observation, counts: bool, retracted: Iterable[tuple[str, str]]) -> str:
    if counts:
        return "counts"
    if (fact.source, fact.id) in retracted:
        return "retracted by its source"
    return "does not count: another fact of the same source and id has the greater hash"


def utilisation_text(ppm: tuple[int, int, int]) -> str:
    """Realised utilisation as shares."""
    return " / ".join(f"{share / PPM:.2f}" for share in ppm)


def story_document(story: Any) -> Any:
    """Named tuples as JSON objects, all the way down; raw bytes as text."""
    if isinstance(story, tuple) and hasattr(story, "_asdict"):
        return {name: story_document(value) for name, value in story._asdict().items()}
    if isinstance(story, list | tuple):
        return [story_document(value) for value in story]
    if isinstance(story, dict):
        return {str(name): story_document(value) for name, value in story.items()}
    if isinstance(story, bytes):
        return story.decode("utf-8", "replace")
    return story
