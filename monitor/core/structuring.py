"""Signs that somebody stays below a threshold on purpose: each with its numbers and its strongest innocent explanation.

A signal is a question, not an answer: every one of these happens without any intent. Units: milliseconds, thousandths
of an accelerator, accelerator-microseconds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from monitor.core.coincidence import MINUTE_MS, beyond_chance, minute_of_hour
from monitor.core.links import DECLARED, WEIGHING, Launch, LinkedGroup, LinkKind, Ties
from monitor.core.model import DAY_MS, HOUR_MS

UNITS_MIN = 3  # two accounts are a parent and its subsidiary more often than a scheme
UNATTESTED_MIN = 2  # of those units: a customer that is verified has nothing to hide behind the others

LAUNCH_MS = 10 * MINUTE_MS  # what starts within it of the first is one launch, as in runs
ALIKE_PERCENT = 10
ROUNDS_MIN = 3  # equal launches together, or handovers: twice may be chance
HANDOVER_MS = 2 * HOUR_MS  # a restart of one run takes minutes to two hours
ONE_RUN_CHANCE = 10**6  # one in so many by chance: a group is looked at because it is linked already

TENTHS = 10  # "just" under or above a trigger: within a tenth of it
BUNCHED_MIN = 8  # allocations: fewer have no distribution
BUNCHED_BOUND = 34_539  # ln(1000) / 2, times 10,000: one in a thousand by chance, for one tenant and one trigger

SWITCH_MS = 7 * DAY_MS  # a programme moves within days; later it is the next one
SWITCH_HELD_MS = DAY_MS  # on each side: less is a trial

PAYERS_MIN, PAYERS_MS = 4, 90 * DAY_MS  # a card that expires and a change of bank make three

CHANGE_MS = 30 * DAY_MS  # a change this long before a jump may have prepared it
JUMP = 2  # times the largest day before
# 64 accelerators for a day: below, doubling is ordinary growth.
JUMP_MIN_US = 64_000 * DAY_MS
SETTLED_MS = 30 * DAY_MS  # known for so long without use, a customer is an old account, not a new one
CHANGED = {"payer": "payer", "owner": "owner", "hq_country": "headquarters"}

END_CUSTOMERS_MIN = 2


class SignalKind(StrEnum):
    """What a signal says."""

    UNDECLARED = "many undeclared accounts as one"
    TOGETHER = "one run over accounts"
    IN_TURN = "one run over accounts in turn"
    BUNCHING = "bunching just under a trigger"
    FAMILY_SWITCHED = "a family switched mid-programme"
    MANY_PAYERS = "many payers on one tenant"
    CHANGE_BEFORE_JUMP = "a change before a jump"
    CHANGE_BEFORE_THRESHOLD = "a change before a threshold"
    RE_RENTAL = "capacity rented on"


INNOCENT: Mapping[SignalKind, tuple[str, str]] = {
    SignalKind.TOGETHER: (
        "Independent teams train copies of one public recipe whenever the same capacity comes free.",
        "The logs or the outputs of one launch of each: one run exchanges gradients, several do not.",
    ),
    SignalKind.IN_TURN: (
        "A scarce reservation passes from one customer to the next one on the waiting list.",
        "The provider's own record of who waited for the capacity.",
    ),
    SignalKind.BUNCHING: (
        "The size is what fits a budget, a quota or the hardware, and the customer asks for no more than it may.",
        "The customer's own quota, and what it asked for before the trigger was there.",
    ),
    SignalKind.FAMILY_SWITCHED: (
        "The other family was cheaper, or the first one was full.",
        "The provider's prices and free capacity of those days.",
    ),
    SignalKind.MANY_PAYERS: (
        "Departments or grants of one customer pay with their own cards.",
        "Whose the payers are, and a contract that names them.",
    ),
    SignalKind.CHANGE_BEFORE_JUMP: (
        "A company that was bought or funded grows because it was.",
        "The contract of the purchase or of the financing, and who ordered the capacity.",
    ),
    SignalKind.CHANGE_BEFORE_THRESHOLD: (
        "A company is sold while a long project of its own goes on.",
        "The date of the contract, and who has had control of the project since.",
    ),
    SignalKind.RE_RENTAL: (
        "A managed service or a reseller that says so, whose customers are each small.",
        "Its record of each end customer, and what each of them used.",
    ),
}


class Signal(NamedTuple):
    """One sign, with what a reviewer needs to check it."""

    kind: SignalKind
    tenants: tuple[str, ...]  # sorted
    since: int | None  # None: it has no date
    until: int | None
    numbers: tuple[tuple[str, int], ...]
    sentence: str
    innocent: str  # the strongest innocent explanation
    settles: str  # what would settle it


class Version(NamedTuple):
    """What a field of a tenant's profile, or of its party's, said from an instant on."""

    at: int
    field: str  # payer, owner or hq_country
    value: str
    basis: str
    source: str


class Amount(NamedTuple):
    """How much one allocation of a tenant was of something that has a trigger."""

    tenant: str
    at: int
    value: int  # thousandths: of an accelerator, an hour, a unit of money


class Trigger(NamedTuple):
    """Where something begins: a quota is exceeded, a form must be filled in, somebody looks."""

    name: str
    value: int  # the least amount that sets it off, above 0; thousandths


class Crossing(NamedTuple):
    """When a total reached a threshold."""

    at: int
    threshold_flop: int


def signal_sentence(signal: Signal) -> str:
    """A sign in words, with what else it may be and what would tell."""
    return f"{signal.sentence} It may also be that: {signal.innocent} What would settle it: {signal.settles}"


def _signal(
    kind: SignalKind,
    tenants: Iterable[str],
    span: tuple[int | None, int | None],
    numbers: Sequence[tuple[str, int]],
    sentence: str,
) -> Signal:
    return Signal(kind, tuple(sorted(set(tenants))), *span, tuple(numbers), sentence, *INNOCENT[kind])


# -- many accounts as one ----------------------------------------------------------------------------------------------


def undeclared(group: LinkedGroup, attested: Set[str]) -> Signal | None:
    """Linked tenants that declare different parties, or none, and of whom too little is known.

    `attested` names the tenants whose headquarters are documented and verified.
    """
    unknown = [unit for unit in group.units if not all(tenant in attested for tenant in unit)]
    if len(group.units) < UNITS_MIN or len(unknown) < UNATTESTED_MIN:
        return None
    kinds = list(dict.fromkeys(one.kind for one in group.evidence if one.kind not in DECLARED))
    weighing = WEIGHING[kinds[0]]
    sentence = (
        f"{len(group.units)} customers that declare no common party or organisation are linked by "
        f"{', '.join(kinds)}; {len(unknown)} of them are not attested."
    )
    numbers = (("units", len(group.units)), ("tenants", len(group.tenants)), ("unattested", len(unknown)))
    kind = SignalKind.UNDECLARED
    return Signal(kind, group.tenants, None, None, numbers, sentence, weighing.innocent, weighing.settles)


def rented_on(of_tenant: Ties, attested: Set[str]) -> Signal | None:
    """A tenant that holds for several end customers that nobody has attested.

    `attested` names tenants and parties that are. Holding for itself is no re-rental.
    """
    own = {of_tenant.tenant, *(tie.value for tie in of_tenant.ties if tie.kind is LinkKind.PARTY)}
    customers = {tie.value for tie in of_tenant.ties if tie.kind is LinkKind.END_CUSTOMER} - own
    unknown = customers - attested
    if len(unknown) < END_CUSTOMERS_MIN:
        return None
    sentence = (
        f"{of_tenant.tenant} holds accelerators on behalf of {len(customers)} end customers; "
        f"{len(unknown)} of them are not attested."
    )
    numbers = (("end_customers", len(customers)), ("unattested", len(unknown)))
    return _signal(SignalKind.RE_RENTAL, [of_tenant.tenant], (None, None), numbers, sentence)


# -- one run over accounts ---------------------------------------------------------------------------------------------


class _Part(NamedTuple):
    """A launch of one unit of a group."""

    launch: Launch
    unit: int
    tenant: str


def _parts(group: LinkedGroup, launches: Mapping[str, Sequence[Launch]]) -> list[_Part]:
    """The launches of a group by start; none if it is one unit, whose launches are nobody's secret."""
    units = enumerate(group.units if len(group.units) > 1 else ())
    found = [
        _Part(launch, number, tenant)
        for number, unit in units
        for tenant in unit
        for launch in launches.get(tenant, ())
    ]
    return sorted(found, key=lambda part: (part.launch.start, part.tenant, part.launch.end, part.launch.count))


def _alike(one: Launch, other: Launch) -> bool:
    """The same family, and nearly the same size."""
    return one.family == other.family and abs(one.count - other.count) * 100 <= ALIKE_PERCENT * max(
        one.count, other.count
    )


def _rounds(parts: Iterable[_Part]) -> list[list[_Part]]:
    """Equal launches of several units that start together; `parts` are in order. Of a schedule only the first."""
    found: list[list[_Part]] = []
    waiting: list[list[_Part]] = []
    for part in parts:
        waiting = [one for one in waiting if part.launch.start - one[0].launch.start <= LAUNCH_MS]
        same = next((one for one in waiting if _alike(one[0].launch, part.launch)), None)
        if same is None:
            same = []
            waiting.append(same)
            found.append(same)
        same.append(part)
    by_minute: dict[int, list[_Part]] = {}
    for one in found:
        if len({part.unit for part in one}) > 1:
            by_minute.setdefault(minute_of_hour(one[0].launch.start), one)
    return list(by_minute.values())


def _often(times: int, parts: Sequence[_Part], window_ms: int) -> bool:
    """Whether so many launches of a group follow another launch or its end within a window too often for chance."""
    span = parts[-1].launch.start - parts[0].launch.start
    return beyond_chance(times, len(parts), len(parts) * window_ms, span, ONE_RUN_CHANCE)


def together(group: LinkedGroup, launches: Mapping[str, Sequence[Launch]]) -> Signal | None:
    """Linked tenants that again and again start equal shapes of one family at once: the geometry of one run."""
    every = _parts(group, launches)
    rounds = _rounds(every)
    parts = [part for one in rounds for part in one]
    followers = sum(len({part.unit for part in one}) - 1 for one in rounds)
    if len(rounds) < ROUNDS_MIN or not _often(followers, every, LAUNCH_MS):
        return None
    tenants, places = {part.tenant for part in parts}, {part.launch.place for part in parts}
    most = max(sum(part.launch.count for part in one) for one in rounds)
    where = f" in {len(places)} places" if len(places) > 1 else ""
    sentence = (
        f"{len(tenants)} linked tenants started equal shapes together {len(rounds)} times{where}: "
        f"as one run it has {most // 1000:,} accelerators."
    )
    numbers = (("rounds", len(rounds)), ("places", len(places)), ("accelerators_thousandths", most))
    dates = (parts[0].launch.start, max(part.launch.end for part in parts))
    return _signal(SignalKind.TOGETHER, tenants, dates, numbers, sentence)


def in_turn(group: LinkedGroup, launches: Mapping[str, Sequence[Launch]]) -> Signal | None:
    """Linked tenants of which one starts what another has just ended, at the same size: one run over time."""
    parts = _parts(group, launches)
    by_end = sorted(parts, key=lambda part: (part.launch.end, part.tenant))
    ends = [part.launch.end for part in by_end]
    handovers = []
    for later in parts:
        start = later.launch.start
        before = by_end[bisect_left(ends, start - HANDOVER_MS) : bisect_right(ends, start)]
        if any(part.unit == later.unit for part in before):
            continue  # it goes on with its own
        taken = [part for part in before if _alike(part.launch, later.launch)]
        if taken:
            handovers.append((taken[-1], later))
    if len(handovers) < ROUNDS_MIN or not _often(len(handovers), parts, HANDOVER_MS):
        return None
    tenants = {part.tenant for pair in handovers for part in pair}
    gap = max(later.launch.start - earlier.launch.end for earlier, later in handovers)
    sentence = (
        f"{len(tenants)} linked tenants took over from each other {len(handovers)} times, at the same size and within "
        f"{-(-gap // MINUTE_MS)} minutes."
    )
    numbers = (("handovers", len(handovers)), ("gap_ms_max", gap))
    dates = (handovers[0][0].launch.start, max(later.launch.end for _, later in handovers))
    return _signal(SignalKind.IN_TURN, tenants, dates, numbers, sentence)


def family_switched(launches: Mapping[str, Sequence[Launch]]) -> list[Signal]:
    """Where the same image or job moves from one accelerator family to another within days, and stays.

    `launches` are those of one tenant, or of the tenants of one group.
    """
    marked: dict[str, dict[str, list[tuple[Launch, str]]]] = {}
    for tenant in sorted(launches):
        for launch in launches[tenant]:
            for mark in launch.marks:
                marked.setdefault(mark, {}).setdefault(launch.family, []).append((launch, tenant))
    switches: dict[tuple[str, str], list[tuple[str, list[tuple[Launch, str]]]]] = {}
    for mark in sorted(marked):
        families = sorted(marked[mark].items(), key=lambda item: (min(one.start for one, _ in item[1]), item[0]))
        for (earlier, olds), (later, news) in pairwise(families):
            gap = min(one.start for one, _ in news) - max(one.end for one, _ in olds)
            if 0 <= gap <= SWITCH_MS and _held(olds) >= SWITCH_HELD_MS and _held(news) >= SWITCH_HELD_MS:
                switches.setdefault((earlier, later), []).append((mark, [*olds, *news]))
    return [_switched(families, switches[families]) for families in sorted(switches)]


def _held(some: Iterable[tuple[Launch, str]]) -> int:
    return sum(launch.end - launch.start for launch, _ in some)


def _switched(families: tuple[str, str], found: Sequence[tuple[str, list[tuple[Launch, str]]]]) -> Signal:
    earlier, later = families
    moved = [one for _, some in found for one in some]
    at = min(launch.start for launch, _ in moved if launch.family == later)
    marks = f"{found[0][0]} and {len(found) - 1} others" if len(found) > 1 else found[0][0]
    sentence = f"What ran on {earlier} went on with on {later} within days: {marks}."
    tenants = {tenant for _, tenant in moved}
    until = max(launch.end for launch, _ in moved)
    return _signal(SignalKind.FAMILY_SWITCHED, tenants, (at, until), (("marks", len(found)),), sentence)


# -- bunching ----------------------------------------------------------------------------------------------------------


class _Bands(NamedTuple):
    """How many amounts lie below and above a trigger: in the tenth next to it, and in the tenth after that."""

    under: int
    over: int
    under_far: int
    over_far: int


def _bands(values: Iterable[int], trigger: int) -> _Bands:
    tenths = [value * TENTHS // trigger for value in values]
    return _Bands(*(tenths.count(TENTHS + step) for step in (-1, 0, -2, 1)))


def bunching(amounts: Iterable[Amount], triggers: Iterable[Trigger]) -> list[Signal]:
    """Tenants whose amounts lie just under a trigger more often than chance allows.

    What would be there otherwise: of the amounts within a tenth of the trigger half lie below it, or more if what lies
    one tenth further away on both sides says so, or what all other tenants hold; the largest of these shares counts.
    """
    of_tenant: dict[str, list[Amount]] = {}
    for amount in amounts:
        of_tenant.setdefault(amount.tenant, []).append(amount)
    found = []
    for trigger in triggers:
        bands = {name: _bands((one.value for one in own), trigger.value) for name, own in of_tenant.items()}
        under, over = sum(one.under for one in bands.values()), sum(one.over for one in bands.values())
        for name in sorted(bands):
            own = bands[name]
            shares = (
                Fraction(1, 2),
                Fraction(own.under_far + 1, own.under_far + own.over_far + 2),
                Fraction(under - own.under + 1, under - own.under + over - own.over + 2),
            )
            if own.under >= BUNCHED_MIN and _rare(own.under, own.under + own.over, max(shares)):
                found.append(_bunched(name, of_tenant[name], trigger, own, max(shares)))
    return found


def _rare(times: int, of: int, share: Fraction) -> bool:
    """Whether so many out of `of` are too many for this share by chance; Hoeffding's bound is never too small."""
    more = times - of * share
    return more > 0 and more * more * 10_000 >= BUNCHED_BOUND * of


def _bunched(tenant: str, amounts: Sequence[Amount], trigger: Trigger, own: _Bands, share: Fraction) -> Signal:
    inside = [one.at for one in amounts if _bands([one.value], trigger.value).under]
    expected = (own.under + own.over) * share
    sentence = (
        f"{own.under} allocations of {tenant} are less than a tenth under {trigger.name} and {own.over} "
        f"as little above it; without a trigger {round(expected)} would be under it."
    )
    numbers = (("under", own.under), ("over", own.over), ("expected", round(expected)), ("trigger", trigger.value))
    return _signal(SignalKind.BUNCHING, [tenant], (min(inside), max(inside)), numbers, sentence)


# -- changes of a profile ----------------------------------------------------------------------------------------------


def _of_field(versions: Iterable[Version], field: str) -> list[Version]:
    """The versions of one field, in order; of several at one instant the last by content."""
    by_time = {one.at: one for one in sorted(versions) if one.field == field}
    return [by_time[at] for at in sorted(by_time)]


def many_payers(tenant: str, versions: Iterable[Version]) -> Signal | None:
    """A tenant that was paid for by many payers within some months."""
    payers = _of_field(versions, "payer")
    paying: Counter[str] = Counter()
    first, most, span = 0, 0, (0, 0)
    for one in payers:
        paying[one.value] += 1
        while one.at - payers[first].at > PAYERS_MS:
            gone = payers[first].value
            paying[gone] -= 1
            if not paying[gone]:
                del paying[gone]
            first += 1
        if len(paying) > most:
            most, span = len(paying), (payers[first].at, one.at)
    if most < PAYERS_MIN:
        return None
    days = -(-(span[1] - span[0]) // DAY_MS)
    sentence = f"{tenant} was paid for by {most} payers within {days} days."
    return _signal(SignalKind.MANY_PAYERS, [tenant], span, (("payers", most), ("days", days)), sentence)


def changes_before(
    tenant: str, versions: Iterable[Version], daily: Mapping[int, int], crossings: Iterable[Crossing]
) -> list[Signal]:
    """Changes of payer, owner or headquarters at most 30 days before usage jumps or a total reaches a threshold.

    `daily`: accelerator-microseconds by day (days since 1970). Usage jumps on the first day with at least twice what
    the largest of the 30 days before the change had.
    """
    known, reached = sorted(versions), sorted(crossings)
    found: list[Signal] = []
    for field in sorted(CHANGED):
        for earlier, later in pairwise(_of_field(known, field)):
            if earlier.value != later.value:
                found += _before_jump(tenant, earlier, later, known[0].at, daily)
                found += _before_threshold(tenant, earlier, later, reached)
    return found


def _before_jump(
    tenant: str, earlier: Version, later: Version, known_since: int, daily: Mapping[int, int]
) -> Iterator[Signal]:
    day, reach = later.at // DAY_MS, CHANGE_MS // DAY_MS
    before = max(daily.get(one, 0) for one in range(day - reach, day))
    if not before and later.at - known_since < SETTLED_MS:
        return  # a new customer that begins: there is nothing to jump from
    least = max(JUMP * before, JUMP_MIN_US)
    jump = next((one for one in range(day, day + reach + 1) if daily.get(one, 0) >= least), None)
    if jump is None:
        return
    after = max(daily.get(one, 0) for one in range(day, day + reach + 1))
    times = after // before if before else 0
    grew = f"reached {times} times its largest day before" if before else "began after a time without any"
    sentence = (
        f"{_changed(tenant, earlier, later)} {jump - day} days before its use jumped: "
        f"within {reach} days of the change it {grew}."
    )
    numbers = (("days", jump - day), ("accelerator_us_before", before), ("accelerator_us_after", after))
    yield _signal(SignalKind.CHANGE_BEFORE_JUMP, [tenant], (later.at, max(later.at, jump * DAY_MS)), numbers, sentence)


def _before_threshold(tenant: str, earlier: Version, later: Version, reached: Sequence[Crossing]) -> Iterator[Signal]:
    for crossing in reached:
        if 0 <= crossing.at - later.at <= CHANGE_MS:
            days = (crossing.at - later.at) // DAY_MS
            sentence = (
                f"{_changed(tenant, earlier, later)} {days} days before its total reached "
                f"{crossing.threshold_flop:.3g} FLOP."
            )
            numbers = (("days", days), ("threshold_flop", crossing.threshold_flop))
            yield _signal(SignalKind.CHANGE_BEFORE_THRESHOLD, [tenant], (later.at, crossing.at), numbers, sentence)


def _changed(tenant: str, earlier: Version, later: Version) -> str:
    return (
        f"The {CHANGED[later.field]} of {tenant} changed from {earlier.value} to {later.value} "
        f"({later.basis}, from {later.source})"
    )
