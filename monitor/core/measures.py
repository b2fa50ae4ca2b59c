"""What rules count, hour by hour, and what is reached of it in a window that ends now.

Flows (FLOP, accelerator-hours) add up over a window; growth is the window less the one before it; of what is held at
once (accelerators, TPP, op/s) the greatest hourly mean in the window counts. Certain time counts in every bound,
presumed time in central and high, open time in high only.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from monitor.core.book import Tenant
from monitor.core.bounds import ZERO, Bounds
from monitor.core.catalogue import TERAFLOP, Hardware
from monitor.core.estimate import SCALE, Estimator, Sums, TenantHour, only_chips, usage_changes
from monitor.core.ledger import changes_of, stretches
from monitor.core.model import CERTAIN, HOUR_MS, OPEN, Reservation
from monitor.core.policy import AT_ONCE, Bound, Measure, Precision, Quantity
from monitor.core.reservations import GRANTED, statements
from monitor.core.segments import Holding, Stay

HOURS_A_DAY = 24
# Usage (thousandths of a unit x milliseconds) x thousandths of an accelerator a unit -> accelerators in an hour.
UNIT_SCALE = HOUR_MS * 10**6
BOUNDS = (Bound.LOW, Bound.CENTRAL, Bound.HIGH)

Heard = Callable[[str], int]


def scale_of(quantity: Quantity) -> int:
    """What the amounts of a quantity's hours are multiplied by."""
    flop = quantity.measure in (Measure.MODEL_FLOP, Measure.EXECUTED_FLOP, Measure.GROWTH)
    return SCALE if flop else UNIT_SCALE


class Series:
    """An amount by hour, and what is reached of it in windows, up to an instant."""

    __slots__ = ("_hours", "_now", "_quantity", "_rolled", "_totals")

    def __init__(self, hours: Sequence[TenantHour], now: int, quantity: Quantity) -> None:
        """`hours` in order, several alike as one or not, their amounts times `scale_of(quantity)`."""
        self._hours = hours
        self._now = now
        self._quantity = quantity
        self._rolled: dict[tuple[int | None, Bound], list[tuple[int, int, int]]] = {}
        self._totals: dict[int | None, tuple[Bounds, Bounds]] = {}

    @property
    def hours(self) -> Sequence[TenantHour]:
        """The hours themselves, in order, several alike as one or not, their amounts times the scale."""
        return self._hours

    @property
    def first(self) -> int | None:
        """When its first hour began; None: there is none."""
        return self._hours[0].hour * HOUR_MS if self._hours else None

    def total(self, days: int | None) -> tuple[Bounds, Bounds]:
        """What is reached in the window that ends now: of everything, and of hardware that the catalogue knows.

        None: in all time.
        """
        found = self._totals.get(days)
        if found is None:
            inside, scale = list(self._inside(days)), scale_of(self._quantity)
            everything, known = self._reached(days, inside, _everything), self._reached(days, inside, _known)
            found = self._totals[days] = (everything.divided(scale), known.divided(scale))
        return found

    def _reached(self, days: int | None, inside: Sequence[TenantHour], part: Callable[[TenantHour], Bounds]) -> Bounds:
        if self._quantity.measure in AT_ONCE:
            return _greatest([part(one) for one in inside])
        now = _sum(inside, part)
        if self._quantity.measure is not Measure.GROWTH or days is None:
            return now
        return less(now, _sum(self._inside(2 * days, days), part))

    def _inside(self, days: int | None, until: int = 0) -> Iterator[TenantHour]:
        """The hours of the latest `days`, without the latest `until` days."""
        hour = self._now // HOUR_MS
        end = hour - until * HOURS_A_DAY + 1
        last = bisect_right(self._hours, end - 1, key=_hour)
        begin = self._hours[0].hour if days is None and self._hours else hour - (days or 0) * HOURS_A_DAY + 1
        first = max(0, bisect_right(self._hours, begin, key=_hour) - 1)
        for position in range(first, last):
            one = self._hours[position]
            start, stop = max(one.hour, begin), min(one.hour + one.times, end)
            if start < stop:
                yield TenantHour(start, one.everything, one.known, stop - start)

    def reached_since(self, days: int | None, threshold: int, bound: Bound = Bound.HIGH) -> int | None:
        """The hour from which on a bound of what is reached has been at the threshold; None: it is not now."""
        least = threshold * scale_of(self._quantity)
        if self._quantity.measure in AT_ONCE:
            return self._held_since(days, least, bound)
        amount, since = 0, None
        for hour, hours, each in self._slopes(days, bound):
            before, amount = amount, amount + each * hours
            if amount < least:
                since = None
            elif before < least:  # it came to the threshold in these hours, and only rose in them
                since = hour - (before - least) // each - 1
        return since

    def _held_since(self, days: int | None, least: int, bound: Bound) -> int | None:
        since, window = None, None if days is None else days * HOURS_A_DAY
        after = self._now // HOUR_MS
        for one in reversed(list(self._inside(None))):
            if getattr(one.everything, bound) < least:
                continue
            if window is not None and after - (one.hour + one.times - 1) > window - (since is None):
                break
            since = after = one.hour
        return since

    def _slopes(self, days: int | None, bound: Bound) -> list[tuple[int, int, int]]:
        """(hour, for how many, by how much the rolling sum times the scale changes in each), up to now, in order."""
        found = self._rolled.get((days, bound))
        if found is None:
            changes: dict[int, int] = {}
            for one in self._hours:
                for hour, amount in self._steps(one, days, bound):
                    for at, change in ((hour, amount), (hour + one.times, -amount)):
                        changes[at] = changes.get(at, 0) + change
            end = self._now // HOUR_MS + 1
            hours = [*sorted(hour for hour in changes if hour < end), end]
            found, slope = [], 0
            for hour, following in pairwise(hours):
                slope += changes[hour]
                found.append((hour, following - hour, slope))
            self._rolled[days, bound] = found
        return found

    def _steps(self, one: TenantHour, days: int | None, bound: Bound) -> Iterator[tuple[int, int]]:
        """How the amount of an hour enters a rolling window, and leaves it."""
        amount = getattr(one.everything, bound)
        yield one.hour, amount
        if days is None:
            return
        over = one.hour + days * HOURS_A_DAY
        yield over, -amount
        if self._quantity.measure is Measure.GROWTH:
            opposite = getattr(one.everything, BOUNDS[2 - BOUNDS.index(bound)])
            yield over, -opposite
            yield over + days * HOURS_A_DAY, opposite


def _hour(one: TenantHour) -> int:
    return one.hour


def _everything(one: TenantHour) -> Bounds:
    return one.everything


def _known(one: TenantHour) -> Bounds:
    return one.known


def less(now: Bounds, before: Bounds) -> Bounds:
    """How much more there is than before, at least nothing: the bounds of a difference are those farthest apart."""
    return Bounds(
        max(0, now.low - before.high),
        max(0, now.central - before.central),
        max(0, now.high - before.low),
        max(0, now.ceiling - before.low),
    )


def _sum(hours: Iterable[TenantHour], part: Callable[[TenantHour], Bounds]) -> Bounds:
    low = central = high = ceiling = 0
    for one in hours:
        bounds, times = part(one), one.times
        low += bounds.low * times
        central += bounds.central * times
        high += bounds.high * times
        ceiling += bounds.ceiling * times
    return Bounds(low, central, high, ceiling)


def _greatest(many: Sequence[Bounds]) -> Bounds:
    """The greatest of each bound."""
    return Bounds(*(max(one[n] for one in many) for n in range(len(ZERO)))) if many else ZERO


# -- the hours of one tenant -------------------------------------------------------------------------------------------


def hours_of(quantity: Quantity, tenant: Tenant, estimator: Estimator, now: int, heard: Heard) -> list[TenantHour]:
    """A quantity of one tenant by hour, up to `now`, times its scale."""
    if quantity.measure is Measure.RESERVED_ACCELERATORS:
        return _reserved(tenant, now)
    if scale_of(quantity) == SCALE:
        executed = quantity.measure is Measure.EXECUTED_FLOP
        return estimator.stretches(tenant, now, heard, executed=executed, chips=quantity.chips)
    sums = Sums()
    for (shape, usage_class), rows in usage_changes(tenant, now, heard).items():
        if _never_counts(quantity, estimator.catalogue.resolve(shape.hardware, shape.unit, now)):
            continue
        for first, times, amount in stretches(rows, now // HOUR_MS + 1):
            for hour, in_a_row, hardware in estimator.catalogue.alike(shape.hardware, shape.unit, first, times):
                _count(sums, hour, in_a_row, in_class(weight(quantity, hardware), usage_class, amount), hardware.known)
    return sums.hours()


def _never_counts(quantity: Quantity, hardware: Hardware) -> bool:
    """Whether hardware is known, so that it is the same at any instant, and none of it counts in a quantity."""
    return hardware.known and not weight(quantity, hardware).ceiling


def _count(sums: Sums, hour: int, times: int, bounds: Bounds, known: bool) -> None:
    """Count something in some hours, unless it is nothing."""
    if bounds.ceiling:
        sums.add(hour, times, bounds, bounds if known else None)


def weight(quantity: Quantity, hardware: Hardware) -> Bounds:
    """What one unit of usage counts, times UNIT_SCALE, of a measure that is no FLOP.

    TPP is 2 x MAC rate x bits, dense, the greatest over precisions (ECCN 3A090); of hardware that the catalogue does
    not know no less than nothing and no more than 16 bits at its high rate, or 8 at its ceiling.
    """
    chip, each = hardware.chip, hardware.per_unit
    if quantity.measure is Measure.TPP:
        most = max(chip.tpp, max(chip.rate_high * 16, chip.rate_ceiling * 8) // TERAFLOP)
        bounds = Bounds(*([chip.tpp] * 4)) if hardware.known else Bounds(0, 0, most, most)
    elif quantity.measure is Measure.OP_PER_S:
        low, central, high = chip.rate_low, chip.rate_central, chip.rate_high
        if quantity.precision is Precision.FASTEST:
            low = central = high = chip.rate_ceiling
        bounds = Bounds(low, central, high, chip.rate_ceiling) if hardware.known else Bounds(0, 0, high, high)
    else:
        bounds = Bounds(1, 1, 1, 1)
    return only_chips(Bounds(*(each * bound for bound in bounds)), quantity.chips, hardware)


def in_class(weights: Bounds, usage_class: str, amount: int) -> Bounds:
    """An amount of usage of one evidence class, in the bounds that it counts in."""
    return Bounds(
        amount * weights.low if usage_class == CERTAIN else 0,
        amount * weights.central if usage_class != OPEN else 0,
        amount * weights.high,
        amount * weights.ceiling,
    )


def _reserved(tenant: Tenant, now: int) -> list[TenantHour]:
    """Accelerators that were promised, by hour; a promise without a count is none that can be counted."""
    sums = Sums()
    for said in statements(tenant, now).values():
        ends = [at for at, _ in said[1:]] + [(now // HOUR_MS + 1) * HOUR_MS]
        for (at, body), until in zip(said, ends, strict=True):
            if body.state == GRANTED and body.count is not None:
                start, end = max(at, body.start or at), min(until, body.end or until)
                amount = body.count * UNIT_SCALE // 1_000
                if start // HOUR_MS < end // HOUR_MS:
                    each = Bounds(amount, amount, amount, amount)
                    _count(sums, start // HOUR_MS, end // HOUR_MS - start // HOUR_MS, each, True)
    return sums.hours()


def reserved_most(tenant: Tenant) -> int:
    """No fewer accelerators than were ever reserved at once: all that was ever promised together."""
    return sum(
        -(-fact.body.count // 1_000)
        for facts in tenant.facts.values()
        for fact in facts
        if isinstance(fact.body, Reservation) and fact.body.count is not None
    )


# -- clusters ----------------------------------------------------------------------------------------------------------


class Cluster(NamedTuple):
    """What a tenant holds on one fabric; where no fabric is stated, in one region."""

    place: str
    series: Series
    unstated: bool  # whether the speed of some of its network is not known


def clusters(
    quantity: Quantity, over_gbit_s: int | None, holdings: Iterable[Holding], estimator: Estimator, now: int
) -> list[Cluster]:
    """The clusters of a tenant, by place, as far as a network faster than so many Gbit/s joins them.

    Where the network's speed is not known, what it joins counts in high only.
    """
    parts: dict[_Part, dict[int, tuple[int, int]]] = {}
    unstated: set[str] = set()
    for holding in holdings:
        for stay in holding.held:
            hardware = estimator.catalogue.resolve(stay.shape.hardware, stay.shape.unit, stay.start)
            joined = _joined(stay, hardware, over_gbit_s)
            if joined is False:
                continue
            place, weights = _place(stay), weight(quantity, hardware)
            if joined is None:
                unstated.add(place)
                weights = Bounds(0, 0, weights.high, weights.ceiling)
            _hold(stay, parts.setdefault(_Part(place, weights, stay.usage_class, hardware.known), {}))
    sums: dict[str, Sums] = {}
    for part, changes in parts.items():
        of_place = sums.setdefault(part.place, Sums())
        for hour, times, amount in stretches(changes, now // HOUR_MS + 1):
            _count(of_place, hour, times, in_class(part.weights, part.usage_class, amount), part.known)
    return [
        Cluster(place, Series(of_place.hours(), now, quantity), place in unstated)
        for place, of_place in sorted(sums.items())
    ]


class _Part(NamedTuple):
    """What of a cluster counts alike: thousands of stays come to a few of these."""

    place: str
    weights: Bounds
    usage_class: str
    known: bool


def _hold(stay: Stay, changes: dict[int, tuple[int, int]]) -> None:
    """Add what is held to changes of rate and area, as the ledger has them."""
    for hour, rate, area in changes_of(stay.start, stay.end, stay.count):
        before = changes.get(hour, (0, 0))
        changes[hour] = (before[0] + rate, before[1] + area)


def _joined(stay: Stay, hardware: Hardware, over_gbit_s: int | None) -> bool | None:
    """Whether a network faster than so much joins what is held; None: not known."""
    if over_gbit_s is None:
        return True
    stated = stay.traits.network_mbit_s
    mbit_s = hardware.network_mbit_s if stated is None else stated
    return None if mbit_s is None else mbit_s > over_gbit_s * 1_000


def _place(stay: Stay) -> str:
    where = stay.shape.region or "no region"
    return f"{where}, no fabric stated" if stay.shape.fabric is None else f"{where}, fabric {stay.shape.fabric}"
