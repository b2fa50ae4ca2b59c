"""What one allocation held, when, and how sure that is: a left fold over its facts in time order.

A fact later than all before it continues the fold (`advance`); anything else folds the whole set again (`fold`).
Both are the same code, so the order of arrival cannot matter. The rules are rulings 1 to 5 of the event contract.

Units: milliseconds, thousandths of an accelerator or instance, and their product.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from monitor.core.model import (
    CERTAIN,
    NO_TRAITS,
    NOTHING_CLAIMED,
    OPEN,
    PRESUMED,
    Claim,
    Kind,
    Observation,
    Sample,
    Traits,
)

ONE_UNIT = 1_000  # an allocation whose count nobody states is one unit
FROM_START = -1
RESERVATION_LAYER = "reservation"
FINGERPRINT_BYTES = 3
SHAPES_CACHED_MAX = 65_536
FINGERPRINTS_MAX = 32  # heartbeats and samples whose identity one allocation remembers in memory; DECISIONS 5


class Shape(NamedTuple):
    """What usage is keyed by beside tenant and hour. None: not stated."""

    region: str | None
    fabric: str | None
    hardware: str | None
    unit: str | None


@lru_cache(maxsize=SHAPES_CACHED_MAX)
def shape_of(region: str | None, fabric: str | None, hardware: str | None, unit: str | None) -> Shape:
    """The one shape of these parts: a million allocations share a few."""
    return Shape(region, fabric, hardware, unit)


class Piece(NamedTuple):
    """`count` units held over [start, end), with certain evidence or open for good."""

    shape: Shape
    start: int
    end: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs
    certain: bool
    traits: Traits = NO_TRAITS


class Measurement(NamedTuple):
    """Provider telemetry over [start, end) of a certain piece: `count` units covered."""

    shape: Shape
    start: int
    end: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs
    active_ppm: int  # tensor pipe activity
    clock_khz: int | None


class Anomaly(NamedTuple):
    """Facts of one allocation that contradict each other: an inconsistency finding."""

    kind: str
    time: int
    source: str
    id: str


class Timeline:
    """The state of the fold after the latest fact."""

    __slots__ = (
        "closed_piece",
        "count",
        "counted",
        "counted_from",
        "ended",
        "evidence",
        "first_time",
        "head",
        "last_time",
        "lasting",
        "lease_ms",
        "measured_until",
        "prints",
        "shape",
        "since",
        "source",
        "stopped",
        "traits",
        "within",
    )

    def __init__(self) -> None:
        self.first_time = -1  # of the earliest fact; -1 also after a restart, when only the archive knows
        self.last_time = -1  # of the latest fact
        self.since: int | None = None  # start of the piece now held; None: nothing is held
        self.count: int | None = None  # None: nobody has stated it
        self.shape = NO_SHAPE
        self.traits = NO_TRAITS
        self.evidence = -1  # of the piece now held
        self.source = ""  # of that evidence
        self.lease_ms: int | None = None
        self.stopped = False  # a stop, or an absence, came last
        self.closed_piece: tuple[int, int, int] | None = None  # start, end and units of the last one, if none is held
        self.ended: int | None = None  # if none is held: when it was stopped, or the report that lacked it
        self.measured_until = -1  # or, if that is later, the latest change of what is measured
        self.within: str | None = None
        self.counted = True  # False: an inner layer, explains the outer one
        self.counted_from = FROM_START  # or from when what it lay within was given up
        self.prints = b""  # fingerprints of its facts' identities: first of those that last, then of passing ones
        self.lasting = 0  # how many bytes of them are of facts other than heartbeats and samples
        self.head = 0  # number of its latest fact in the archive

    @property
    def counted_since(self) -> int:
        """When what is held now begins to count, while anything is held."""
        assert self.since is not None
        return max(self.since, self.counted_from)

    @property
    def units(self) -> int:
        """Thousandths of a unit now held, 0 if nothing is held."""
        if self.since is None:
            return 0
        return ONE_UNIT if self.count is None else self.count


NO_SHAPE = Shape(None, None, None, None)


class Effects(NamedTuple):
    """What applying facts brought about."""

    pieces: list[Piece]
    measurements: list[Measurement]
    anomalies: list[Anomaly]

    @staticmethod
    def none() -> Effects:
        """Nothing yet."""
        return Effects([], [], [])


def fingerprint(source: str, id: str) -> bytes:
    """Three bytes of the identity of a fact: equal identities have equal ones, others seldom."""
    return (zlib.crc32(f"{source}\0{id}".encode()) & 0xFFFFFF).to_bytes(FINGERPRINT_BYTES, "big")


def remember(timeline: Timeline, mark: bytes, kind: Kind) -> None:
    """Keep a fact's fingerprint; of heartbeats and samples the oldest half is dropped beyond `FINGERPRINTS_MAX`."""
    prints, lasting = timeline.prints, timeline.lasting
    if kind is not Kind.SEEN and kind is not Kind.TELEMETRY:
        timeline.prints = prints[:lasting] + mark + prints[lasting:]
        timeline.lasting = lasting + FINGERPRINT_BYTES
    elif len(prints) - lasting < FINGERPRINTS_MAX * FINGERPRINT_BYTES:
        timeline.prints = prints + mark
    else:
        timeline.prints = prints[:lasting] + prints[lasting + FINGERPRINTS_MAX // 2 * FINGERPRINT_BYTES :] + mark


def begin(fact: Observation, effects: Effects) -> Timeline:
    """The timeline of an allocation's only fact: `fold([fact])`, without the sorting."""
    timeline = Timeline()
    _name_from_the_start(timeline, [fact])
    advance(timeline, fact, effects)
    return timeline


def may_hold(prints: bytes, marks: Iterable[bytes]) -> bool:
    """Whether an allocation with these fingerprints may hold a fact with one of these marks.

    Half of `FINGERPRINTS_MAX` or more: older ones may have been dropped, so it may hold anything.
    """
    return len(prints) >= FINGERPRINTS_MAX // 2 * FINGERPRINT_BYTES or any(mark in prints for mark in marks)


def fold(facts: Iterable[Observation]) -> tuple[Timeline, Effects]:
    """The timeline of a set of facts of one allocation, with all its pieces."""
    ordered = sorted(facts, key=_naming_order)
    timeline, effects = Timeline(), Effects.none()
    _name_from_the_start(timeline, ordered)
    for _, instant in groupby(ordered, key=attrgetter("time")):
        for fact in _in_order(instant, timeline.since is not None):
            advance(timeline, fact, effects)
    return timeline, effects


def _naming_order(fact: Observation) -> tuple[int, bool, int, str, str]:
    """The order in which facts name what holds from the start; at one instant a fact comes before a report."""
    return fact.time, fact.kind is Kind.PRESENT, RANKS_FREE[_rank_kind(fact)], fact.source, fact.id


def names_the_past(timeline: Timeline, claim: Claim) -> bool:
    """Whether a fact names what holds from the first start on, so that pieces already made change.

    Such a fact must go through `fold`, never straight to `advance`.
    """
    shape = timeline.shape
    return (
        (claim.hardware is not None and shape.hardware is None)
        or (claim.unit is not None and shape.unit is None)
        or (claim.region is not None and shape.region is None)
        or (claim.fabric is not None and shape.fabric is None)
        or (claim.within is not None and timeline.within is None)
        or (claim.count is not None and timeline.count is None)
        or (claim.traits is not NO_TRAITS and _names_a_trait(timeline.traits, claim.traits))
    )


def _names_a_trait(known: Traits, claimed: Traits) -> bool:
    return any(new is not None and old is None for old, new in zip(known, claimed, strict=True))


def given_up(timeline: Timeline) -> int | None:
    """When an allocation that is a reservation ended, in milliseconds; None: it is none, or is held.

    What ran in a reservation goes on without it, where the end of a node ends what is on it.
    """
    return timeline.ended if timeline.traits.layer == RESERVATION_LAYER else None


def count_from(timeline: Timeline, effects: Effects, start: int) -> None:
    """What the allocation held before an instant is not its own; `effects` are all that it had."""
    timeline.counted_from = start
    if start == FROM_START:
        return
    pieces, measurements = effects.pieces, effects.measurements
    pieces[:] = [one._replace(start=max(one.start, start)) for one in pieces if one.end > start]
    measurements[:] = [one._replace(start=max(one.start, start)) for one in measurements if one.end > start]


def units_at(timeline: Timeline, time: int) -> int | None:
    """Thousandths certainly held at an instant strictly inside the latest piece; None elsewhere.

    Evidence at such an instant that states nothing else changes nothing, however late it comes: a lease that had
    lapsed, or another count, would have ended the piece.
    """
    if timeline.since is not None:
        return timeline.units if timeline.since < time < timeline.evidence else None
    piece = timeline.closed_piece
    return piece[2] if piece is not None and piece[0] < time < piece[1] else None


def _name_from_the_start(timeline: Timeline, ordered: list[Observation]) -> None:
    """Hardware, place and count may be named by any later fact; the first that states one holds from the start."""
    for fact in ordered:
        if isinstance(fact.body, Claim) and fact.kind is not Kind.ABSENT:
            _fill(timeline, fact.body)


def _fill(timeline: Timeline, claim: Claim) -> None:
    """Take from a claim what the timeline does not know yet."""
    shape = timeline.shape
    timeline.shape = shape_of(
        shape.region if shape.region is not None else claim.region,
        shape.fabric if shape.fabric is not None else claim.fabric,
        shape.hardware if shape.hardware is not None else claim.hardware,
        shape.unit if shape.unit is not None else claim.unit,
    )
    if claim.traits is not NO_TRAITS:
        timeline.traits = claim.traits.updated(timeline.traits)
    if timeline.count is None:
        timeline.count = claim.count
    if timeline.within is None:
        timeline.within = claim.within


def _in_order(instant: Iterable[Observation], held: bool) -> list[Observation]:
    """The facts of one instant as ruling 1 orders them; equal kinds by (source, id)."""
    ranks = RANKS_HELD if held else RANKS_FREE
    return sorted(instant, key=lambda fact: (ranks[_rank_kind(fact)], fact.source, fact.id))


def _rank_kind(fact: Observation) -> Kind:
    """A seen with a count is a resize."""
    if fact.kind is Kind.SEEN and isinstance(fact.body, Claim) and fact.body.count is not None:
        return Kind.RESIZED
    return fact.kind


def _by_kind(ranks: dict[Kind, int]) -> tuple[int, ...]:
    """A table to index by kind: an enum member as a dictionary key costs a call in Python."""
    return tuple(ranks.get(Kind(kind), 0) if kind else 0 for kind in range(max(Kind) + 1))


# An absence stands before a presence, so that two reports of one instant that disagree count as present.
RANKS_HELD = _by_kind(
    {
        Kind.ABSENT: 0,
        Kind.PRESENT: 1,
        Kind.SEEN: 2,
        Kind.TELEMETRY: 3,
        Kind.STOPPED: 4,
        Kind.DESCRIBED: 5,  # for what starts again at this instant
        Kind.STARTED: 6,
        Kind.RESIZED: 7,
    }
)
RANKS_FREE = _by_kind(
    {
        Kind.ABSENT: 0,
        Kind.DESCRIBED: 1,
        Kind.PRESENT: 2,
        Kind.STARTED: 3,
        Kind.RESIZED: 4,
        Kind.SEEN: 5,
        Kind.TELEMETRY: 6,
        Kind.STOPPED: 7,
    }
)


def advance(timeline: Timeline, fact: Observation, effects: Effects) -> None:
    """Continue the fold by the next fact in order."""
    if timeline.last_time < 0:
        timeline.first_time = fact.time
    timeline.last_time = fact.time
    APPLY[fact.kind](timeline, fact, effects)


def _started(timeline: Timeline, fact: Observation, effects: Effects) -> None:
    claim = fact.body
    assert isinstance(claim, Claim)
    if timeline.since is not None:
        _evidence(timeline, fact, effects)
        _change(timeline, claim, fact.time, effects)
    else:
        _open(timeline, claim, fact)


def _resized(timeline: Timeline, fact: Observation, effects: Effects) -> None:
    claim = fact.body
    assert isinstance(claim, Claim)
    if timeline.since is None:
        effects.anomalies.append(_anomaly(timeline, fact))
        if claim.lease_ms is not None:  # it belongs to the allocation, whatever opens it again
            timeline.lease_ms = claim.lease_ms
    else:
        _evidence(timeline, fact, effects)
        if claim is not NOTHING_CLAIMED:
            _change(timeline, claim, fact.time, effects)


def _stopped(timeline: Timeline, fact: Observation, effects: Effects) -> None:
    if timeline.since is None:
        kind = "stop after stop" if timeline.stopped else "orphan stop"
        effects.anomalies.append(Anomaly(kind, fact.time, fact.source, fact.id))
    else:
        _evidence(timeline, fact, effects)
        _close(timeline, fact.time, effects)
        timeline.ended = fact.time
    timeline.stopped = True


def _present(timeline: Timeline, fact: Observation, effects: Effects) -> None:
    claim = fact.body
    assert isinstance(claim, Claim)
    if timeline.since is None:
        _open(timeline, Claim(count=claim.count), fact)
    else:
        _evidence(timeline, fact, effects)
        _change(timeline, Claim(count=claim.count), fact.time, effects)


def _absent(timeline: Timeline, fact: Observation, effects: Effects) -> None:
    """A stop at an unknown time in (last evidence, report]: certain ends, the rest is open for good."""
    assert isinstance(fact.body, Claim)
    if timeline.since is None or timeline.shape.region != fact.body.region:
        return
    _close(timeline, timeline.evidence, effects)
    _emit(timeline, timeline.evidence, fact.time, False, effects)
    timeline.ended = fact.time
    timeline.stopped = True


def _telemetry(timeline: Timeline, fact: Observation, effects: Effects) -> None:
    sample = fact.body
    assert isinstance(sample, Sample)
    if timeline.since is None or not sample.provider:
        return
    _evidence(timeline, fact, effects)
    start = max(fact.time - sample.window_ms, timeline.measured_until, timeline.counted_from)
    count = timeline.units if sample.covered is None else min(sample.covered, timeline.units)
    if "accelerators_covered" in sample.unknown:
        return
    if sample.tensor_active_ppm is not None and start < fact.time and count > 0:
        effects.measurements.append(
            Measurement(timeline.shape, start, fact.time, count, sample.tensor_active_ppm, sample.sm_clock_khz)
        )
        timeline.measured_until = fact.time


def _described(timeline: Timeline, fact: Observation, effects: Effects) -> None:
    """It holds nothing and is no evidence: while nothing is held it says what opens next, else nothing changes."""
    claim = fact.body
    assert isinstance(claim, Claim)
    if timeline.since is None:
        _reshape(timeline, claim)


def _nothing(timeline: Timeline, fact: Observation, effects: Effects) -> None:
    raise AssertionError(f"{fact.kind.name} is no fact of an allocation.")


# By kind: an enum member as a dictionary key costs a call in Python, on every fact.
APPLY: tuple[Callable[[Timeline, Observation, Effects], None], ...] = tuple(
    {
        Kind.STARTED.value: _started,
        Kind.RESIZED.value: _resized,
        Kind.STOPPED.value: _stopped,
        Kind.SEEN.value: _resized,
        Kind.TELEMETRY.value: _telemetry,
        Kind.PRESENT.value: _present,
        Kind.ABSENT.value: _absent,
        Kind.DESCRIBED.value: _described,
    }.get(kind, _nothing)
    for kind in range(max(Kind) + 1)
)


def _anomaly(timeline: Timeline, fact: Observation) -> Anomaly:
    what = "resize" if fact.kind is Kind.RESIZED else "seen"
    when = "after stop" if timeline.stopped else "before any start"
    return Anomaly(f"{what} {when}", fact.time, fact.source, fact.id)


def _open(timeline: Timeline, claim: Claim, fact: Observation) -> None:
    """Something is held from now on. What the claim leaves out stays as it was known."""
    timeline.since = timeline.evidence = timeline.measured_until = fact.time
    timeline.closed_piece = timeline.ended = None
    timeline.source = fact.source
    timeline.stopped = False
    if claim.lease_ms is not None:
        timeline.lease_ms = claim.lease_ms
    _reshape(timeline, claim)


def _reshape(timeline: Timeline, claim: Claim) -> None:
    """What a claim says holds for what is opened, now or next."""
    if claim.count is not None:
        timeline.count = claim.count
    timeline.shape = _reshaped(timeline.shape, claim)
    if claim.traits is not NO_TRAITS:
        timeline.traits = timeline.traits.updated(claim.traits)


def _evidence(timeline: Timeline, fact: Observation, effects: Effects) -> None:
    """It was still held at this instant. Time after a lapsed lease, before evidence returned, stays open."""
    now = fact.time
    if timeline.lease_ms is not None and now > timeline.evidence + timeline.lease_ms:
        lapsed = timeline.evidence + timeline.lease_ms
        assert timeline.since is not None
        _emit(timeline, timeline.since, lapsed, True, effects)
        _emit(timeline, lapsed, now, False, effects)
        timeline.since = timeline.measured_until = now
    timeline.evidence = now
    timeline.source = fact.source


def _change(timeline: Timeline, claim: Claim, now: int, effects: Effects) -> None:
    """Another count, other hardware or other traits from now on; a new lease."""
    shape = _reshaped(timeline.shape, claim)
    count = timeline.count if claim.count is None else claim.count
    traits = timeline.traits if claim.traits is NO_TRAITS else timeline.traits.updated(claim.traits)
    remeasured = shape != timeline.shape or count != timeline.count
    if remeasured or traits != timeline.traits:
        assert timeline.since is not None
        _emit(timeline, timeline.since, now, True, effects)
        timeline.since = now
        if remeasured:  # other traits change nothing that is counted
            timeline.measured_until = now
        timeline.shape = shape
        timeline.count = count
        timeline.traits = traits
    if claim.lease_ms is not None:
        timeline.lease_ms = claim.lease_ms


def _reshaped(shape: Shape, claim: Claim) -> Shape:
    """The shape from now on. An allocation stays in its region: other regions' reports say nothing of it."""
    if claim.hardware is None and claim.unit is None and claim.fabric is None:
        return shape
    return shape_of(
        shape.region,
        shape.fabric if claim.fabric is None else claim.fabric,
        shape.hardware if claim.hardware is None else claim.hardware,
        shape.unit if claim.unit is None else claim.unit,
    )


def _close(timeline: Timeline, end: int, effects: Effects) -> None:
    """Nothing is held from `end` on; up to there it certainly was."""
    assert timeline.since is not None
    _emit(timeline, timeline.since, end, True, effects)
    timeline.closed_piece = (timeline.since, end, timeline.units)
    timeline.since = None


def _emit(timeline: Timeline, start: int, end: int, certain: bool, effects: Effects) -> None:
    count = ONE_UNIT if timeline.count is None else timeline.count
    start = max(start, timeline.counted_from)
    if start < end and count > 0:
        effects.pieces.append(Piece(timeline.shape, start, end, count, certain, timeline.traits))


def tail(timeline: Timeline, now: int, heard: Callable[[str], int]) -> Iterator[tuple[str, int, int]]:
    """The piece now held, as (evidence class, start, end) up to `now`.

    `heard(source)` is the latest event time of anything from that source. Presumed time reaches one lease beyond the
    last evidence, or without a lease to the time its source was last heard of; after that it is open.
    """
    if timeline.since is None:
        return
    limit = heard(timeline.source) if timeline.lease_ms is None else timeline.evidence + timeline.lease_ms
    since = timeline.counted_since
    certain_end = max(timeline.evidence, since)
    presumed_end = min(max(limit, certain_end), now)
    if since < certain_end:
        yield CERTAIN, since, certain_end
    if certain_end < presumed_end:
        yield PRESUMED, certain_end, presumed_end
    if presumed_end < now:
        yield OPEN, presumed_end, now
