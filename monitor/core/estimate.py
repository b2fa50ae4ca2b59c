"""Usage to training FLOP: held time x dense 16-bit peak x realised utilisation, as a range.

Unmeasured time takes its utilisation from the prior of the chip's generation. Time that the provider measured takes
tensor activity x clock over the clock of the stated peak; that counts executed FLOP, of which recomputation may be a
part, so its low and central bounds are scaled towards model FLOP. Numbers and sources: `config/priors.yaml`,
`config/catalogue/`. Certain time counts in every bound, presumed time in central and high, open time in high only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from monitor.core.book import Tenant
from monitor.core.bounds import ZERO, Bounds
from monitor.core.bounds import total as sum_of
from monitor.core.catalogue import Catalogue, Hardware
from monitor.core.ledger import NOT_MEASURED, Measured, changes_of, hourly
from monitor.core.model import CERTAIN, HOUR_MS, OPEN, PRESUMED
from monitor.core.priors import Calibrations, Priors
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
    """FLOP of a tenant in one hour, times SCALE: of everything, and of hardware that the catalogue knows."""

    hour: int
    everything: Bounds
    known: Bounds

    @property
    def unknown(self) -> Bounds:
        """The part on hardware that the catalogue does not know."""
        return Bounds(*(all_of_it - part for all_of_it, part in zip(self.everything, self.known, strict=True)))


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
        """FLOP, times SCALE, of usage of one kind of hardware."""
        weights = self.weights(hardware)
        measured, active = usage.measured, 0
        if measured.usage and hardware.chip.clock_khz:
            active = measured.work // hardware.chip.clock_khz + measured.plain
        else:
            measured = NOT_MEASURED
        certain = usage.certain - measured.usage
        everything = certain + usage.presumed + usage.open
        executed = self._executed(hardware, measured.usage, active)
        return Bounds(
            certain * weights.low + executed.low,
            (certain + usage.presumed) * weights.central + executed.central,
            everything * weights.high + executed.high,
            everything * weights.ceiling + executed.ceiling,
        )

    def _executed(self, hardware: Hardware, usage: int, active: int) -> Bounds:
        """Bounds of measured usage; `active` is usage times utilisation in ppm."""
        if not usage:
            return ZERO
        chip, telemetry = hardware.chip, self.priors.telemetry
        ceiling = usage * chip.rate_ceiling * hardware.per_unit * PPM
        high_ppm = telemetry.high_ppm * self.priors.fp8_high_factor_ppm // PPM if chip.fp8 else telemetry.high_ppm
        low, central, high = (
            min(active * rate * hardware.per_unit * factor // PPM, ceiling)
            for rate, factor in (
                (chip.rate_low, telemetry.low_ppm),
                (chip.rate_central, telemetry.central_ppm),
                (chip.rate_high, high_ppm),
            )
        )
        return Bounds(low, central, high, ceiling)

    def hours(self, tenant: Tenant, now: int, heard: Callable[[str], int]) -> list[TenantHour]:
        """The FLOP of a tenant by hour, up to `now`, in the order of the hours."""
        until = now // HOUR_MS + 1
        everything: dict[int, list[Bounds]] = {}
        known: dict[int, list[Bounds]] = {}
        for (shape, usage_class), rows in usage_changes(tenant, now, heard).items():
            last_hardware, last_amount, flop = None, -1, ZERO  # most hours of a pool are equal
            for hour, amount in hourly(rows, until):
                hardware = self.catalogue.resolve(shape.hardware, shape.unit, hour * HOUR_MS)
                if hardware is not last_hardware or amount != last_amount:
                    flop = _of_class(self.weights(hardware), usage_class, amount)
                    last_hardware, last_amount = hardware, amount
                everything.setdefault(hour, []).append(flop)
                if hardware.known:
                    known.setdefault(hour, []).append(flop)
        for key, measured in tenant.ledger.measured.items():
            hardware = self.catalogue.resolve(key.shape.hardware, key.shape.unit, key.hour * HOUR_MS)
            if hardware.known and key.hour in known:
                correction = self._correction(hardware, measured)
                everything[key.hour].append(correction)
                known[key.hour].append(correction)
        return [TenantHour(hour, sum_of(everything[hour]), sum_of(known.get(hour, ()))) for hour in sorted(everything)]

    def _correction(self, hardware: Hardware, measured: Measured) -> Bounds:
        """What measured time adds to the bounds of certain time as the prior has them."""
        usage = HourUsage(measured.usage, 0, 0, measured)
        prior = _of_class(self.weights(hardware), CERTAIN, measured.usage)
        return Bounds(*(one - other for one, other in zip(self.flop(hardware, usage), prior, strict=True)))

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
                certain, presumed, open_time = (by_class.get(usage_class, 0) for usage_class in CLASSES)
                usage = HourUsage(certain, presumed, open_time, measured.get(shape, NOT_MEASURED))
                total = total.plus(self.flop(hardware, usage))
            unknown = unknown or not hardware.known
        if unknown:  # its bounds depend on the hour: the fastest chip released by then
            for hour in self.hours(tenant, now, heard):
                total = total.plus(hour.unknown)
        return total.divided(SCALE)

    def accelerators(
        self, by_shape: Mapping[Shape, Mapping[str, int]], classes: Iterable[str], now: int
    ) -> dict[str, int]:
        """Accelerator-microseconds by canonical name, over these evidence classes."""
        wanted = frozenset(classes)
        sums: dict[str, int] = {}
        for shape, by_class in by_shape.items():
            usage = sum(amount for usage_class, amount in by_class.items() if usage_class in wanted)
            if usage:
                hardware = self.catalogue.resolve(shape.hardware, shape.unit, now)
                sums[hardware.name] = sums.get(hardware.name, 0) + usage * hardware.per_unit
        return {name: amount // 1_000 for name, amount in sorted(sums.items())}


def _of_class(weights: Bounds, usage_class: str, amount: int) -> Bounds:
    """FLOP, times SCALE, of unmeasured usage of one evidence class."""
    return Bounds(
        amount * weights.low if usage_class == CERTAIN else 0,
        amount * weights.central if usage_class != OPEN else 0,
        amount * weights.high,
        amount * weights.ceiling,
    )
