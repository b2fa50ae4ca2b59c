"""The facts that come in, as the core sees them.

Units, everywhere in the core: instants are integer milliseconds since 1970-01-01T00:00:00Z, counts are integer
thousandths of an accelerator (or of an instance), usage is their product: accelerator-microseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

SECOND_MS = 1_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

ACCELERATOR = "accelerator"
INSTANCE = "instance"

# Evidence classes of held time (ruling 3).
CERTAIN = "certain"
PRESUMED = "presumed"
OPEN = "open"


class Kind(IntEnum):
    """The canonical event types (events.md), in the order in which they are documented."""

    STARTED = 1
    RESIZED = 2
    STOPPED = 3
    SEEN = 4
    RESERVATION = 5
    TELEMETRY = 6
    TENANT_PROFILED = 7
    PARTY_PROFILED = 8
    INVENTORY = 9
    ALIVE = 10
    RETRACTED = 11
    # What an inventory report in effect says of one allocation; made by the book, never sent.
    PRESENT = 12
    ABSENT = 13
    DESCRIBED = 14  # what an allocation is, said by somebody who does not say that it is held; not in the contract


EVENT_TYPES: Mapping[str, Kind] = {
    "io.flopwatch.allocation.started.v1": Kind.STARTED,
    "io.flopwatch.allocation.resized.v1": Kind.RESIZED,
    "io.flopwatch.allocation.stopped.v1": Kind.STOPPED,
    "io.flopwatch.allocation.seen.v1": Kind.SEEN,
    "io.flopwatch.allocation.described.v1": Kind.DESCRIBED,
    "io.flopwatch.reservation.changed.v1": Kind.RESERVATION,
    "io.flopwatch.telemetry.sampled.v1": Kind.TELEMETRY,
    "io.flopwatch.tenant.profiled.v1": Kind.TENANT_PROFILED,
    "io.flopwatch.party.profiled.v1": Kind.PARTY_PROFILED,
    "io.flopwatch.inventory.reported.v1": Kind.INVENTORY,
    "io.flopwatch.source.alive.v1": Kind.ALIVE,
    "io.flopwatch.fact.retracted.v1": Kind.RETRACTED,
}


class Traits(NamedTuple):
    """What else is said of what is held: it moves no usage, and tells which allocations are one run. None: not said."""

    zone: str | None = None
    job: str | None = None
    reservation: str | None = None
    image: str | None = None
    purpose: str | None = None
    layer: str | None = None
    end_customer: str | None = None  # on whose behalf it is held
    nodes: tuple[str, ...] | None = None  # sorted, each once
    network_mbit_s: int | None = None  # of one node, towards others

    def updated(self, newer: Traits) -> Traits:
        """What holds once a later fact has said something."""
        if newer is self or newer == NO_TRAITS:  # nearly always: an allocation says it once, when it starts
            return self
        if self == NO_TRAITS:
            return newer
        return Traits._make(old if new is None else new for old, new in zip(self, newer, strict=True))


NO_TRAITS = Traits()


class Claim(NamedTuple):
    """What one fact states of an allocation. None: the fact does not say."""

    hardware: str | None = None  # as the event named it
    unit: str | None = None  # ACCELERATOR or INSTANCE: what `count` counts
    count: int | None = None  # type: ignore[assignment]  # thousandths of a unit; tuple.count is not needed
    region: str | None = None
    fabric: str | None = None
    within: str | None = None  # the outer allocation of the same tenant
    lease_ms: int | None = None
    traits: Traits = NO_TRAITS


NOTHING_CLAIMED = Claim()


class Sample(NamedTuple):
    """Telemetry of one window that ends at the fact's time. None: unknown (absent, or outside physical bounds)."""

    window_ms: int
    provider: bool  # False: the tenant could have produced or observed it
    covered: int | None  # thousandths of an accelerator; None: all of them
    tensor_active_ppm: int | None
    sm_clock_khz: int | None
    unknown: tuple[str, ...] = ()  # the fields that were out of bounds and are therefore unknown
    power_mw: int | None = None  # mean over the window and the accelerators covered


class Report(NamedTuple):
    """One part of an inventory report of a region."""

    region: str
    held: Mapping[tuple[str, str], Claim]  # (tenant, allocation) -> what is held
    complete: bool
    capacity: Mapping[str, int]  # hardware as named -> thousandths
    part: int
    parts: int


class Retraction(NamedTuple):
    """The fact (source, id) was wrong."""

    source: str
    id: str
    reason: str


class Alive(NamedTuple):
    """A producer is up, and how much it has sent to each topic partition."""

    source: str
    sent: Mapping[str, int]


class Profile(NamedTuple):
    """What is known of a tenant or a party as of the fact's time: the validated fields, and each one's basis."""

    fields: Mapping[str, object]
    basis: Mapping[str, str]  # field -> claimed, documented, registry or reviewer


class Reservation(NamedTuple):
    """Capacity asked for or promised: no usage."""

    reservation: str
    accelerator: str | None
    count: int | None  # type: ignore[assignment]  # thousandths
    start: int | None
    end: int | None
    state: str


Key = tuple[str, str]  # (tenant, allocation)

Body = Claim | Sample | Report | Retraction | Alive | Profile | Reservation


class Observation(NamedTuple):
    """One accepted fact.

    `subject` is the allocation for the allocation and telemetry types, the party for a party's profile, the region
    for an inventory part, the source for `alive`, and "" otherwise. `tenant` is "" where the fact is about no single
    tenant. `raw` is the event as it came: one structured CloudEvent in JSON.
    """

    kind: Kind
    tenant: str
    subject: str
    time: int
    source: str
    id: str
    body: Body
    raw: bytes


class Record(NamedTuple):
    """One record as a source delivered it, before anybody looked inside."""

    topic: str
    partition: int
    offset: int
    next_offset: int  # where to go on after this record
    value: bytes
    received: int | None  # when the broker or we got it; None: not known (a historical file)
    key: bytes | None = None  # what the producer chose the partition by; None: nothing, or a file


class Rejected(NamedTuple):
    """A record that is no fact: a dead letter, with its reason as a sentence."""

    record: Record
    reason: str  # one of a closed set of words, for metrics
    sentence: str
