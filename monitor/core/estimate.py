"""Usage to training FLOP: held time x dense 16-bit peak x realised utilisation, as a range.

Unmeasured time takes its utilisation from the prior of the chip's generation. Time that the provider measured takes
tensor activity x clock over the clock of the stated peak; that counts executed FLOP, of which recomputation may be a
part, so its low and central bounds are scaled towards model FLOP. What was measured may raise what dark time is taken
for in high, and never lowers it (decision 31). Numbers and sources: `config/priors.yaml`, `config/catalogue/`. Certain
time counts in every bound, presumed time in central and high, open time in high only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from monitor.core.book import Tenant
from monitor.core.bounds import ZERO, Bounds
from monitor.core.catalogue import Catalogue, Hardware
from monitor.core.ledger import NOT_MEASURED, Measured, MeasuredKey, changes_of, stretches
from monitor.core.model import CERTAIN, HOUR_MS, OPEN, PRESUMED
from monitor.core.priors import Calibrations, Priors, Quantiles
from monitor.core.timeline import Shape, tail

CLASSES = (CERTAIN, PRESUMED, OPEN)

# Usage x FLOP/s x ppm x thousandths of an accelerator a unit -> FLOP: 1e6 (microseconds) x 1e6 (ppm) x 1e3.
SCALE = 10**15
PPM = 1_000_000
WEIGHTS_MAX = 4_096  # names come from outside: whoever invents new ones must not fill the memory


class HourUsage(NamedTuple):
    """Usage of one shape in one hour, by evidence class, and how much of the certain part was measured."""

    certain: int
    presumed: int
    open: int
    measured: Measured


class TenantHour(NamedTuple):
    """FLOP of a tenant in one hour, times SCALE: of everything, and of hardware that the catalogue knows.

    `times`: so many equal hours in a row, of which this is the first.
    """

    hour: int
    everything: Bounds
    known: Bounds
    times: int = 1

    @property
    def unknown(self) -> Bounds:
        """The part on hardware that the catalogue does not know."""
        return Bounds(*(all_of_it - part for all_of_it, part in zip(self.everything, self.known, strict=True)))


class Sums:
    """What adds up in hours, kept where it changes: most hours are like the one before."""

    __slots__ = ("_changes",)

    def __init__(self) -> None:
        self._changes: dict[int, list[tuple[int, Bounds, Bounds | None]]] = {}

    def add(self, hour: int, times: int, everything: Bounds, known: Bounds | None) -> None:
        """Count an amount in each of so many hours; `known`: the part on known hardware, None: there is none."""
        self._changes.setdefault(hour, []).append((1, everything, known))
        self._changes.setdefault(hour + times, []).append((-1, everything, known))

    def stretches(self) -> Iterator[tuple[TenantHour, bool]]:
        """Equal hours in a row, in order, and whether anything in them is known; hours with nothing are left out."""
        parts = known_parts = 0
        total = total_known = ZERO
        hours = sorted(self._changes)
        for hour, following in pairwise(hours):
            for sign, everything, known in self._changes[hour]:
                parts += sign
                total = total.plus(everything) if sign > 0 else total.minus(everything)
                if known is not None:
                    known_parts += sign
                    total_known = total_known.plus(known) if sign > 0 else total_known.minus(known)
            if parts:
                yield TenantHour(hour, total, total_known, following - hour), known_parts > 0

    def hours(self) -> list[TenantHour]:
        """The same without more words."""
        return [one for one, _ in self.stretches()]


def by_the_hour(hours: Iterable[TenantHour]) -> list[TenantHour]:
    """Each hour by itself."""
    return [TenantHour(hour, one[1], one[2]) for one in hours for hour in range(one.hour, one.hour + one.times)]


Changes = dict[tuple[Shape, str], dict[int, tuple[int, int]]]


def usage_changes(tenant: Tenant, now: int, heard: Callable[[str], int]) -> Changes:
    """All usage of a tenant up to `now` as changes of rate and area: finished pieces and what is held now."""
    assert not tenant.ledger.resident_from, "Old hours are in the store only: recall them first."
    changes: Changes = {}
    for key, (rate, area) in tenant.ledger.changes.items():
        if rate or area:
            changes.setdefault((key.shape, key.usage_class), {})[key.hour] = (rate, area)
    for _, timeline in tenant.held():
        for usage_class, start, end in tail(timeline, now, heard):
            row = changes.setdefault((timeline.shape, usage_class), {})
            for hour, rate, area in changes_of(start, end, timeline.units):
                before = row.get(hour, (0, 0))
                row[hour] = (before[0] + rate, before[1] + area)
    return changes


def totals(tenant: Tenant, now: int, heard: Callable[[str], int]) -> dict[Shape, dict[str, int]]:
    """Usage of a tenant up to `now` by shape and class, without zeros."""
    sums: dict[tuple[Shape, str], int] = dict(tenant.ledger.totals)
    for _, timeline in tenant.held():
        for usage_class, start, end in tail(timeline, now, heard):
            key = (timeline.shape, usage_class)
            sums[key] = sums.get(key, 0) + timeline.units * (end - start)
    by_shape: dict[Shape, dict[str, int]] = {}
    for (shape, usage_class), usage in sums.items():
        if usage:
            by_shape.setdefault(shape, {})[usage_class] = usage
    return by_shape


class Estimator:
    """The catalogue and the priors in force, of all tenants or, taken with `of`, of one."""

    __slots__ = ("_own", "_weights", "calibrations", "catalogue", "priors")

    def __init__(self, catalogue: Catalogue, priors: Priors, calibrations: Calibrations | None = None) -> None:
        self.catalogue = catalogue
        self.priors = priors
        self.calibrations = Calibrations() if calibrations is None else calibrations
        self._own = {name: Estimator(catalogue, own) for name, own in self.calibrations.tenants.items()}
        self._weights: dict[Hardware, Bounds] = {}

    def of(self, tenant: str) -> Estimator:
        """The estimator of a tenant: this one, unless its own earlier runs are known."""
        return self._own.get(tenant, self)

    def weights(self, hardware: Hardware) -> Bounds:
        """FLOP, times SCALE, of one unit of usage without telemetry."""
        weights = self._weights.get(hardware)
        if weights is None:
            if len(self._weights) >= WEIGHTS_MAX:
                self._weights.clear()
            weights = self._weights[hardware] = self._make_weights(hardware)
        return weights

    def _make_weights(self, hardware: Hardware) -> Bounds:
        chip = hardware.chip
        prior = self.priors.of(chip.generation)
        ceiling = chip.rate_ceiling * hardware.per_unit * PPM
        high_ppm = prior.high_ppm * self.priors.fp8_high_factor_ppm // PPM if chip.fp8 else prior.high_ppm
        return Bounds(
            chip.rate_low * hardware.per_unit * prior.low_ppm,
            chip.rate_central * hardware.per_unit * prior.central_ppm,
            min(chip.rate_high * hardware.per_unit * high_ppm, ceiling),
            ceiling,
        )

    def flop(self, hardware: Hardware, usage: HourUsage) -> Bounds:
        """Model FLOP, times SCALE, of all usage of one shape of a tenant, or of a segment.

        No less than the sum over any parts of it, on every bound: measured time is linear, and dark time a minimum of
        linear functions.
        """
        active = active_of(hardware, usage.measured)
        if active is None:
            return _unmeasured(self.weights(hardware), usage)
        return self._dark(hardware, usage).plus(
            self._measured(hardware, usage.measured.usage, active, self.priors.telemetry)
        )

    def executed(self, hardware: Hardware, usage: HourUsage) -> Bounds | None:
        """Executed FLOP, times SCALE, of all usage of one shape of a tenant; None if none of it was measured.

        Dark time is taken for no less than the prior, nor centrally than the measured mean.
        """
        active = active_of(hardware, usage.measured)
        if active is None:
            return None
        measuring, prior, dark = self.priors.measuring, self.weights(hardware), self._dark(hardware, usage)
        measured = usage.measured.usage
        mean = min(hardware.chip.rate_central * hardware.per_unit * active // measured, prior.ceiling)
        central = max(
            dark.central * measuring.recomputation_central_ppm // PPM,
            (usage.certain + usage.presumed - measured) * mean,
        )
        high = min(max(central, dark.high * measuring.recomputation_high_ppm // PPM), dark.ceiling)
        return Bounds(dark.low, min(central, high), high, dark.ceiling).plus(
            self._measured(hardware, measured, active, measuring.executed)
        )

    def _dark(self, hardware: Hardware, usage: HourUsage) -> Bounds:
        """What was not measured, of usage some of which was.

        The prior speaks of all time together, idle hours included. So in high the dark part may hold as much as the
        prior gives to all of it, as far as training ever gets while it runs: nobody lowers its total by being seen only
        where it idles.
        """
        prior, chip, measured = self.weights(hardware), hardware.chip, usage.measured.usage
        dark = _unmeasured(prior, usage._replace(certain=usage.certain - measured))
        unmeasured = usage.certain + usage.presumed + usage.open - measured
        steady_ppm = self.priors.measuring.steady_high_ppm
        if chip.fp8:
            steady_ppm = steady_ppm * self.priors.fp8_high_factor_ppm // PPM
        steady = min(chip.rate_high * hardware.per_unit * steady_ppm, prior.ceiling)
        return dark._replace(high=max(dark.high, min(dark.high + measured * prior.high, unmeasured * steady)))

    def _measured(self, hardware: Hardware, usage: int, active: int, quantiles: Quantiles) -> Bounds:
        """What was measured; `active` is usage times utilisation in ppm. FP8, which it does not show, is in high."""
        chip = hardware.chip
        ceiling = usage * chip.rate_ceiling * hardware.per_unit * PPM
        high_ppm = quantiles.high_ppm
        if chip.fp8:
            high_ppm = high_ppm * self.priors.measuring.fp8_cycle_factor_ppm // PPM
        low, central, high = (
            min(active * rate * hardware.per_unit * factor // PPM, ceiling)
            for rate, factor in (
                (chip.rate_low, quantiles.low_ppm),
                (chip.rate_central, quantiles.central_ppm),
                (chip.rate_high, high_ppm),
            )
        )
        return Bounds(low, central, high, ceiling)

    def _unit(self, hardware: Hardware, executed: bool) -> Bounds:
        """FLOP, times SCALE, of one unit of usage without telemetry: model or executed."""
        weights = self.weights(hardware)
        return self.with_recomputation(weights) if executed else weights

    def with_recomputation(self, model: Bounds) -> Bounds:
        """Executed FLOP of model FLOP of which no more is known: recomputation may or may not come on top."""
        measuring = self.priors.measuring
        high = min(model.high * measuring.recomputation_high_ppm // PPM, model.ceiling)
        central = min(model.central * measuring.recomputation_central_ppm // PPM, high)
        return Bounds(model.low, central, high, model.ceiling)

    def _dark_weights(
        self, tenant: Tenant, now: int, heard: Callable[[str], int], executed: bool
    ) -> dict[Shape, Bounds]:
        """FLOP, times SCALE, of one unit of unmeasured usage, by shapes of a tenant some of which was measured."""
        measured_totals = tenant.ledger.measured_totals
        weights: dict[Shape, Bounds] = {}
        for shape, by_class in totals(tenant, now, heard).items() if measured_totals else ():
            hardware = self.catalogue.resolve(shape.hardware, shape.unit, now)
            usage = _usage_of(by_class, measured_totals.get(shape, NOT_MEASURED))
            if active_of(hardware, usage.measured) is not None:
                unmeasured = usage.certain + usage.presumed + usage.open - usage.measured.usage
                high = self._dark(hardware, usage).high // max(1, unmeasured)
                prior = self.weights(hardware)
                dark = prior._replace(high=max(prior.high, high))
                weights[shape] = self._executed_dark(hardware, dark, usage.measured) if executed else dark
        return weights

    def _executed_dark(self, hardware: Hardware, dark: Bounds, measured: Measured) -> Bounds:
        """The same as executed FLOP, centrally no less than the measured mean."""
        executed = self.with_recomputation(dark)
        active = active_of(hardware, measured) or 0
        mean = hardware.chip.rate_central * hardware.per_unit * active // measured.usage
        return executed._replace(central=min(max(executed.central, mean), executed.high))

    def hours(self, tenant: Tenant, now: int, heard: Callable[[str], int]) -> list[TenantHour]:
        """The model FLOP of a tenant by hour, up to `now`, in the order of the hours."""
        return by_the_hour(self.stretches(tenant, now, heard))

    def stretches(
        self,
        tenant: Tenant,
        now: int,
        heard: Callable[[str], int],
        *,
        executed: bool = False,
        chips: frozenset[str] = frozenset(),
    ) -> list[TenantHour]:
        """The FLOP of a tenant up to `now`, equal hours in a row together: model, or executed.

        `chips`: only what was on chips of one of these classes; none: on all.
        """
        until = now // HOUR_MS + 1
        sums = Sums()
        dark_weights = self._dark_weights(tenant, now, heard, executed)
        for (shape, usage_class), rows in usage_changes(tenant, now, heard).items():
            dark = dark_weights.get(shape)
            for first, times, amount in stretches(rows, until):
                for hour, in_a_row, hardware in self.catalogue.alike(shape.hardware, shape.unit, first, times):
                    weights = self._unit(hardware, executed) if dark is None else dark
                    flop = only_chips(_of_class(weights, usage_class, amount), chips, hardware)
                    sums.add(hour, in_a_row, flop, flop if hardware.known else None)
        corrections: dict[int, Bounds] = {}
        for key, measured in tenant.ledger.measured.items():
            dark = dark_weights.get(key.shape)
            if dark is not None:
                correction = self._correction(dark, key, measured, executed, chips)
                corrections[key.hour] = corrections.get(key.hour, ZERO).plus(correction)
        return _corrected(sums, corrections)

    def _correction(
        self, dark: Bounds, key: MeasuredKey, measured: Measured, executed: bool, chips: frozenset[str]
    ) -> Bounds:
        """What measured time of an hour adds to its bounds as dark time."""
        hardware = self.catalogue.resolve(key.shape.hardware, key.shape.unit, key.hour * HOUR_MS)
        active = active_of(hardware, measured) or 0
        quantiles = self.priors.measuring.executed if executed else self.priors.telemetry
        bounds = self._measured(hardware, measured.usage, active, quantiles)
        return only_chips(bounds.minus(_of_class(dark, CERTAIN, measured.usage)), chips, hardware)

    def total(
        self, tenant: Tenant, by_shape: Mapping[Shape, Mapping[str, int]], now: int, heard: Callable[[str], int]
    ) -> Bounds:
        """FLOP of a tenant since it was first seen, given its usage totals; divided once, rounded down."""
        measured = tenant.ledger.measured_totals
        total = ZERO
        unknown = False
        for shape, by_class in by_shape.items():
            hardware = self.catalogue.resolve(shape.hardware, shape.unit, now)
            if hardware.known:
                total = total.plus(self.flop(hardware, _usage_of(by_class, measured.get(shape, NOT_MEASURED))))
            unknown = unknown or not hardware.known
        if unknown:  # its bounds depend on the hour: the fastest chip released by then
            for hour in self.hours(tenant, now, heard):
                total = total.plus(hour.unknown)
        return total.divided(SCALE)

    def accelerators(
        self, by_shape: Mapping[Shape, Mapping[str, int]], classes: Iterable[str], now: int
    ) -> dict[str, int]:
        """Accelerator-microseconds by canonical name, over these evidence classes; of machines without any, nothing."""
        wanted = frozenset(classes)
        sums: dict[str, int] = {}
        for shape, by_class in by_shape.items():
            usage = sum(amount for usage_class, amount in by_class.items() if usage_class in wanted)
            hardware = self.catalogue.resolve(shape.hardware, shape.unit, now)
            if usage and hardware.per_unit:
                sums[hardware.name] = sums.get(hardware.name, 0) + usage * hardware.per_unit
        return {name: amount // 1_000 for name, amount in sorted(sums.items())}


def _corrected(sums: Sums, corrections: Mapping[int, Bounds]) -> list[TenantHour]:
    """Hours with what measuring adds to those of them in which there is anything that the catalogue knows."""
    if not corrections:
        return sums.hours()
    found, hours = list[TenantHour](), sorted(corrections)
    for one, some_known in sums.stretches():
        at, end = one.hour, one.hour + one.times
        for hour in hours[bisect_left(hours, at) : bisect_left(hours, end)] if some_known else ():
            correction = corrections[hour]
            if hour > at:
                found.append(one._replace(hour=at, times=hour - at))
            found.append(TenantHour(hour, one.everything.plus(correction), one.known.plus(correction)))
            at = hour + 1
        if at < end:
            found.append(one._replace(hour=at, times=end - at))
    return found


def active_of(hardware: Hardware, measured: Measured) -> int | None:
    """Measured usage times utilisation in ppm; None where nothing was measured that can be read.

    Without the clock of the stated peak activity is no share of it.
    """
    clock_khz = hardware.chip.clock_khz
    if not measured.usage or not hardware.known or clock_khz is None:
        return None
    return measured.work // clock_khz + measured.plain


def only_chips(bounds: Bounds, classes: frozenset[str], hardware: Hardware) -> Bounds:
    """What counts of an amount on some hardware where only chips of some classes do; no classes: all do."""
    if not classes or classes & hardware.chip.classes:
        return bounds
    if not hardware.known or classes & hardware.chip.classes_possible:
        return Bounds(0, 0, bounds.high, bounds.ceiling)
    return ZERO


def _usage_of(by_class: Mapping[str, int], measured: Measured) -> HourUsage:
    certain, presumed, open_time = (by_class.get(usage_class, 0) for usage_class in CLASSES)
    return HourUsage(certain, presumed, open_time, measured)


def _unmeasured(weights: Bounds, usage: HourUsage) -> Bounds:
    """FLOP, times SCALE, of usage as the prior has it."""
    presumed = usage.certain + usage.presumed
    everything = presumed + usage.open
    return Bounds(
        usage.certain * weights.low,
        presumed * weights.central,
        everything * weights.high,
        everything * weights.ceiling,
    )


def _of_class(weights: Bounds, usage_class: str, amount: int) -> Bounds:
    """FLOP, times SCALE, of unmeasured usage of one evidence class."""
    return Bounds(
        amount * weights.low if usage_class == CERTAIN else 0,
        amount * weights.central if usage_class != OPEN else 0,
        amount * weights.high,
        amount * weights.ceiling,
    )
