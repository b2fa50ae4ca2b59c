"""What the answers of the API look like, for its description: documents of `monitor.run.documents`, and lists of them.

An answer is written from the document itself; tests compare it with what is described here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

STRICT = ConfigDict(extra="forbid")

Flop = Annotated[int, Field(description="FLOP, an integer of any size.")]
Instant = Annotated[str, Field(description="RFC 3339 in UTC.", examples=["2026-01-31T00:00:00Z"])]
Day = Annotated[str, Field(description="A day in UTC.", examples=["2026-01-31"])]
Usage = Annotated[int, Field(description="Accelerator-microseconds.")]
Level = Literal["watch", "warning", "critical"]
Named = Annotated[str, Field(description="The name, for whoever may see names; otherwise an opaque reference.")]
Somebody = Annotated[str, Field(description="A person, for whoever may see names; otherwise `somebody`.")]
AsOf = Annotated[Instant, Field(description="The instant that the books are read at, RFC 3339 in UTC.")]
Next = Annotated[str | None, Field(description="What `after` says to get what follows; null: that is all.")]


class Problem(BaseModel):
    """Why there is no answer."""

    model_config = STRICT
    status: Annotated[int, Field(description="The status of the answer.")]
    sentence: Annotated[str, Field(description="What is wrong, and what to do, for people.")]
    request_id: Annotated[str, Field(description="Names this request in the log; also in the header X-Request-Id.")]


class Failure(BaseModel):
    """What there is in the place of an answer."""

    model_config = STRICT
    error: Problem


class Bounds(BaseModel):
    """A range of 90 per cent, and what cannot be exceeded. The unit is that of the measure."""

    model_config = STRICT
    low: Annotated[int, Field(description="5 per cent of what may be are below.")]
    central: Annotated[int, Field(description="As much of what may be is below as above.")]
    high: Annotated[int, Field(description="5 per cent of what may be are above.")]
    ceiling: Annotated[int, Field(description="What the hardware can do at the very most.")]


class Finding(BaseModel):
    """A rule that holds now, or the one of a flag as people were told last."""

    model_config = STRICT
    flag: Annotated[str, Field(description="The id of its flag.")]
    rule: str
    level: Level
    raised_at: Annotated[Instant, Field(description="The hour from which on it has held, RFC 3339 in UTC.")]
    reasons: Annotated[list[str], Field(description="In sentences; none for whom they may name somebody.")]
    policy: Annotated[str, Field(description="With its version.", examples=["internal-ladder@1"])]
    legal_force: str
    measure: Annotated[str, Field(description="What is counted: its unit is the one of `amount` and `threshold`.")]
    part: Annotated[str, Field(description="The run or the cluster; empty: all of it, or who asks sees no names.")]
    threshold: int
    amount: Bounds
    not_established: list[str]
    tenants: Annotated[list[Named] | None, Field(description="Of a group: its tenants.")] = None


class Tenant(BaseModel):
    """What the books say of a tenant."""

    model_config = STRICT
    tenant: Named
    reference: Annotated[str, Field(description="What addresses have in the place of the name.")]
    accelerator_us: Annotated[dict[str, Usage], Field(description="By accelerator, certain and presumed.")]
    flop: Annotated[Bounds, Field(description="Training compute since onboarding, in FLOP.")]
    open_allocations: int
    flags: Annotated[list[Finding], Field(description="What rules find now.")]


class Tenants(BaseModel):
    """Tenants, those with the worst findings first, then those with most compute."""

    model_config = STRICT
    as_of: AsOf
    total: Annotated[int, Field(description="How many there are, on all pages together.")]
    tenants: list[Tenant]


class Run(BaseModel):
    """A probable training run."""

    model_config = STRICT
    tenant: Named
    reference: Annotated[str, Field(description="Of the tenant.")]
    run: Annotated[str, Field(description="Its id: the one of its first segment.")]
    start: Instant
    end: Instant
    accelerators_peak: int
    allocations: int
    accelerator_us: Usage
    flop: Annotated[Bounds, Field(description="Training compute, in FLOP.")]
    training: Annotated[str, Field(description="How much it looks like training.")]
    score: Annotated[float, Field(description="The same as a number; no probability.")]
    reasons: list[str]
    segments: list[str]
    links: Annotated[dict[str, int], Field(description="Why its segments are one run, and how often.")]
    flop_with_weak_links: Annotated[Bounds, Field(description="With what weak links join to it, in FLOP.")]
    flop_with_concurrent: Annotated[Bounds, Field(description="With all that ran at the same time, in FLOP.")]


class Runs(BaseModel):
    """The runs of all tenants or of one, the largest first."""

    model_config = STRICT
    as_of: AsOf
    total: int
    runs: list[Run]


class Hit(BaseModel):
    """Records that are alike: never that anybody is listed."""

    model_config = STRICT
    hit: str
    tenant: str
    subject: str
    kind: str
    asked: str
    matched: str
    score: Annotated[float, Field(description="From 0 to 1.")]
    band: str
    features: dict[str, float]
    list: str
    entry: str
    programs: Sequence[str]
    effect: str
    list_version: str
    sentence: str
    cleared: str | None


class Clocks(BaseModel):
    """The instants of a flag or a case, and what must be done by when, where its rule says that."""

    model_config = STRICT
    evidence_at: Instant | None
    alert_at: Instant | None
    first_viewed_at: Instant | None
    knowledge_at: Instant | None
    due_at: Instant | None = None
    days: int | None = None
    day_kind: str | None = None
    since: str | None = None
    what: str | None = None
    planning: Annotated[bool | None, Field(description="The rule binds nobody today.")] = None


class Flag(BaseModel):
    """What people were told."""

    model_config = STRICT
    flag: str
    tenant: Annotated[Named | None, Field(description="Of a flag of a tenant.")] = None
    party: Annotated[Named | None, Field(description="Of a flag of a group.")] = None
    rule: str
    state: str
    level: Level
    raised_at: Instant
    told_at: Instant
    clocks: Clocks
    finding: Finding


class Story(BaseModel):
    """What an answer about a tenant rests on."""

    model_config = STRICT
    as_of: AsOf
    tenant: Tenant
    flop_by_days: Annotated[dict[str, Bounds], Field(description="In FLOP, over the latest so many days.")]
    flop_unseen: Annotated[Bounds, Field(description="The total, widened for hours in which facts were lost, in FLOP.")]
    runs: list[Run]
    flags: Annotated[list[Flag], Field(description="What people were told, closed ones too.")]
    hits: Annotated[list[Hit] | None, Field(description="On lists; only for whoever may see names.")] = None


class Line(BaseModel):
    """A line of a flag's history."""

    model_config = STRICT
    at: Instant
    act: str
    level: Level
    reason: Annotated[str, Field(description="Empty where it may name somebody, or say what is to be reviewed.")]


class FlagStory(BaseModel):
    """A flag, and how it came to that."""

    model_config = STRICT
    flag: Flag
    history: list[Line]


class Flags(BaseModel):
    """Flags, the most serious first."""

    model_config = STRICT
    total: int
    flags: list[Flag]


class Case(BaseModel):
    """A case of the queue. What was decided is missing for whoever may be asked to review it."""

    model_config = STRICT
    case: str
    subject: Annotated[str, Field(description="Whom it is about: the kind, and the name or a reference.")]
    state: str
    level: Level
    event: Annotated[int, Field(description="The number of its latest event.")]
    opened_at: Instant
    due_at: Instant | None
    flop: Flop
    two_people: Annotated[bool, Field(description="It takes two people to close it.")]
    assigned: Somebody | None
    holder: Somebody | None
    claimed_until: Instant | None
    senior: bool
    snoozed_until: Instant | None
    suppressed_until: Instant | None
    proposed_by: Somebody | None
    outcome: str | None = None
    decided_at: Instant | None = None
    decided_by: Somebody | None = None
    seconded_by: Somebody | None = None
    expires_at: Instant | None = None
    review: str | None = None


class Cases(BaseModel):
    """Cases in the order in which people should look at them."""

    model_config = STRICT
    cases: list[Case]
    after: Next


class FlagOfCase(BaseModel):
    """A flag that a case has."""

    model_config = STRICT
    flag: str
    rule: str
    level: Level
    state: str


class Event(BaseModel):
    """Something that happened to a case."""

    model_config = STRICT
    event: int
    at: Instant
    act: str
    by: Somebody
    said: Annotated[dict[str, Any], Field(description="What was said; nothing where it may name somebody.")]


class Approval(BaseModel):
    """What one person proposed, and what another one answered."""

    model_config = STRICT
    case: str
    number: Annotated[int, Field(description="Of the event that proposed it.")]
    kind: str
    body: Annotated[dict[str, Any], Field(description="What was proposed; nothing where it may name somebody.")]
    proposed_by: Somebody
    proposed_at: Instant
    answered_by: Somebody | None
    answered_at: Instant | None
    verdict: str | None


class CaseStory(BaseModel):
    """All there is to a case."""

    model_config = STRICT
    case: str
    subject: str
    state: str
    level: Level
    worst: Annotated[Level, Field(description="The most serious level that it ever had.")]
    two_people: bool
    legal_hold: Annotated[bool, Field(description="Nothing that it rests on is removed.")]
    holder: Somebody | None
    clocks: Clocks
    flags: list[FlagOfCase]
    events: list[Event]
    approvals: list[Approval]
    others: Annotated[list[Case], Field(description="Other cases of the same party.")]


class Suppression(BaseModel):
    """A rule of which nobody is told for a while, of one party."""

    model_config = STRICT
    suppression: str
    case: str
    subject: str
    rule: str
    level: Level
    since: Instant
    until: Instant
    reason: Annotated[str, Field(description="Empty where it may name somebody.")]
    proposed_by: Somebody
    approved_by: Somebody
    ended_at: Instant | None
    ended: Annotated[str | None, Field(description="Why it ended.")]


class Suppressions(BaseModel):
    """Those that hold, and those that have ended."""

    model_config = STRICT
    suppressions: list[Suppression]


class RuleName(BaseModel):
    """A rule of a policy."""

    model_config = STRICT
    rule: str
    shadow: Annotated[bool, Field(description="Nobody is told of it.")]


class Policy(BaseModel):
    """A version of a policy."""

    model_config = STRICT
    policy: str
    version: int
    title: str
    jurisdiction: str
    legal_force: str
    duty_holder: str
    published: Day
    effective_from: Day
    ends: Day | None
    supersedes: int | None
    now: Annotated[str, Field(description="How it is with it now.", examples=["applies"])]
    consent: Annotated[str, Field(description="Who made it count.")]
    rules: list[RuleName]
    digest: str


class Policies(BaseModel):
    """All versions of all policies."""

    model_config = STRICT
    policies: list[Policy]


class Act(BaseModel):
    """A row of the audit."""

    model_config = STRICT
    row: int
    at: str
    actor: Annotated[str, Field(description="A hash that stands for a person, or a part of the program.")]
    who: Annotated[str, Field(description="The same for people to read; the hash for whoever sees no names.")]
    act: str
    subject: str
    body: Annotated[Any, Field(description="Everything else; nothing where it may name somebody.")]
    previous: Annotated[str, Field(description="The hash of the row before.")]
    hash: str


class Audit(BaseModel):
    """Rows of the audit, the latest first."""

    model_config = STRICT
    rows: list[Act]
    before: Annotated[int | None, Field(description="What `before` says to get what follows; null: that is all.")]


class Overview(BaseModel):
    """How many there are of what."""

    model_config = STRICT
    as_of: AsOf
    tenants: int
    tenants_by_level: Annotated[dict[str, int], Field(description="By the most serious of what rules find now.")]
    flags: Annotated[dict[str, int], Field(description="That are not closed, by level.")]
    cases: Annotated[dict[str, int], Field(description="By the lists that `cases` has.")]
    reviews: Annotated[dict[str, int], Field(description="Of decided cases: waiting, agreed, disagreed.")]
