"""Usage to FLOP: the arithmetic of the accounting rules, on the real catalogue and priors."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.bounds import ZERO, Bounds, total
from monitor.core.engine import (
    Reference,
    answer,
    evaluate,
    group_answer,
    hearing,
    linked_tenants,
    note_retractions,
    tenant_answers,
    tenant_runs,
)
from monitor.core.estimate import PPM, SCALE, WEIGHTS_MAX, Estimator, HourUsage, active_of, totals
from monitor.core.flags import Act, Flag, act
from monitor.core.ledger import NOT_MEASURED, Measured
from monitor.core.model import ACCELERATOR, INSTANCE
from monitor.core.policy import Aggregation
from monitor.core.priors import Calibrations
from monitor.reference.calibrations import calibrated
from monitor.reference.catalogue import load_catalogue
from monitor.reference.countries import load_countries
from monitor.reference.durations import load_durations
from monitor.reference.policies import load_policies
from monitor.reference.priors import load_priors
from monitor.reference.root import config_root
from monitor.reference.training_score import load_weights
from monitor.store.memory import MemoryArchive
from tests.core.table import BASE_MS, Taken

HOUR_S = 3_600
H100 = "accelerator=H100-SXM5-80GB"
H100_RATE = 989_400_000_000_000
FP8_FACTOR = 1_350_000
STEADY = 603_430
FP8_CYCLE = 1.739_131


@cache
def reference() -> Reference:
    root = config_root()
    estimator = Estimator(load_catalogue(root), load_priors(root))
    return Reference(estimator, load_countries(root), load_policies(root), load_weights(root), load_durations(root))


def flop_of(table: str, seconds: int) -> Bounds:
    """The FLOP of tenant t of a table, so many seconds after its base."""
    (tenant,) = tenant_answers(Taken(table).book, reference(), BASE_MS + seconds * 1_000, MemoryArchive())
    return tenant.flop


def expected(certain: int, presumed: int, open_time: int, count: int = 1) -> Bounds:
    """FLOP of so many H100-seconds in each class by the rule's own formula."""
    prior = reference().estimator.priors.of("hopper")
    peak = count * H100_RATE
    return Bounds(
        certain * peak * prior.low_ppm // PPM,
        (certain + presumed) * peak * prior.central_ppm // PPM,
        (certain + presumed + open_time) * peak * (prior.high_ppm * FP8_FACTOR // PPM) // PPM,
        (certain + presumed + open_time) * peak * 2 * 98_945 // 98_940,
    )


def test_each_class_counts_in_its_bounds() -> None:
    """Certain time counts in every bound, presumed time in central and high, open time in high and ceiling only."""
    table = f"0 start x {H100} count=8 lease=3600 \n 3600 seen x"
    low, central, high, ceiling = flop_of(table, 3 * HOUR_S)
    assert expected(3600, 3600, 3600, 8)[:3] == (low, central, high)
    assert high < ceiling == 3 * 3600 * 8 * 1_978_900_000_000_000


def test_hours_add_up_to_the_total() -> None:
    """The FLOP by hour are those of the whole, whatever piece they come from."""
    table = (
        f"0 start x {H100} count=8 \n 5000 resize x count=16 \n 9000 stop x \n 4000 start y accelerator=V100 count=4"
    )
    book = Taken(table).book
    now = BASE_MS + 20_000_000
    estimator, tenant = reference().estimator, book.tenants["t"]
    hours = estimator.hours(tenant, now, hearing(book, now))
    whole = estimator.total(tenant, totals(tenant, now, hearing(book, now)), now, hearing(book, now))
    assert whole == total(hour.everything for hour in hours).divided(SCALE)
    assert [hour.hour for hour in hours] == sorted({hour.hour for hour in hours})


def test_unknown_hardware_is_nothing_to_the_fastest() -> None:
    """A name that nobody knows has low 0, and none of it counts as known."""
    table = f"0 start x accelerator=Quux9000 count=8 \n 7200 stop x \n 0 start y {H100} count=1 \n 7200 stop y"
    book = Taken(table).book
    now = BASE_MS + 7_200_000
    estimator, tenant = reference().estimator, book.tenants["t"]
    hours = estimator.hours(tenant, now, hearing(book, now))
    whole = estimator.total(tenant, totals(tenant, now, hearing(book, now)), now, hearing(book, now))
    assert expected(7200, 0, 0).low == whole.low
    assert total(hour.known for hour in hours).divided(SCALE)[:3] == expected(7200, 0, 0)[:3]
    assert all(hour.unknown.low == 0 < hour.unknown.central < hour.unknown.high for hour in hours)


def test_instances_count_their_accelerators() -> None:
    """Two p5.48xlarge are sixteen H100, in the usage shown and in the FLOP."""
    book = Taken("0 start x instance_type=p5.48xlarge instances=2 \n 3600 stop x").book
    (tenant,) = tenant_answers(book, reference(), BASE_MS + 3_600_000, MemoryArchive())
    assert {"H100 SXM5 80GB": 16 * HOUR_S * 10**6} == tenant.accelerator_us
    assert expected(3600, 0, 0, 16)[:3] == tenant.flop[:3]


def test_a_machine_without_accelerators_counts_nothing() -> None:
    """It is held like any allocation, measured or not, and adds to no sum; as accelerators it is unknown hardware."""
    table = "0 start x instance_type=p5.48xlarge instances=2 \n 3600 stop x"
    bare = "0 start y instance_type=m5.large instances=9 \n 3600 telemetry y window=3600 active=0.5 observer=provider"
    counted = "0 start z instance_type=m5.large count=1 \n 1 stop z"
    alone, beside = Taken(table), Taken(f"{table} \n {bare} \n {counted}")
    now = BASE_MS + 3_600_000

    (expected_tenant,) = tenant_answers(alone.book, reference(), now, MemoryArchive())
    (tenant,) = tenant_answers(beside.book, reference(), now, MemoryArchive())

    assert {**expected_tenant.accelerator_us, "m5.large": 10**6} == tenant.accelerator_us
    assert 1 == tenant.open_allocations
    assert (expected_tenant.flop.low, True) == (tenant.flop.low, expected_tenant.flop.high < tenant.flop.high)


@pytest.mark.parametrize(("clock", "share"), [("", 1.0), ("clock=915", 0.5)])
def test_measured_time_replaces_the_prior(clock: str, share: float) -> None:
    """Where the provider measured, FLOP are activity x clock over the clock of the peak, with the telemetry's doubt."""
    table = f"0 start x {H100} count=8 \n 3600 telemetry x window=3600 active=0.4 {clock} observer=provider"
    low, central, high, _ = flop_of(table, HOUR_S)
    telemetry = reference().estimator.priors.telemetry
    executed = 3600 * 8 * H100_RATE * 0.4 * share
    assert executed * telemetry.low_ppm / PPM == pytest.approx(low, rel=1e-9)
    assert executed * telemetry.central_ppm / PPM == pytest.approx(central, rel=1e-9)
    assert executed * telemetry.high_ppm / PPM * FP8_CYCLE == pytest.approx(high, rel=1e-5)


@pytest.mark.parametrize(("hardware", "fp8"), [("A100-SXM4-80GB", False), ("H100-SXM5-80GB", True)])
@pytest.mark.parametrize("active", [0.0, 0.05, 0.9])
def test_fp8_hides_in_the_high_bound_alone(hardware: str, fp8: bool, active: float) -> None:
    """A busy pipe may have worked in FP8, at more FLOP a cycle, where the chip has it."""
    table = f"0 start x accelerator={hardware} \n 3600 telemetry x window=3600 active={active} observer=provider"
    low, central, high, _ = flop_of(table, HOUR_S)
    peak = 3600 * (H100_RATE if fp8 else 312_000_000_000_000)
    expected_high = active * 1.279_831 * (FP8_CYCLE if fp8 else 1)
    expected_high = min(expected_high, 2 * 98_945 / 98_940 if fp8 else 1)  # the ceiling
    assert [0.781_353 * 0.75 * active, 6 / 7 * active, expected_high] == pytest.approx(
        [low / peak, central / peak, high / peak], abs=1e-5
    )


def test_a_tenant_cannot_lower_its_total() -> None:
    """Idle windows that the tenant reports move nothing; after the provider's, dark time may hold what they lack."""
    held = f"0 start x {H100} count=8 \n 7200 seen x"
    reported = f"{held} \n 3600 telemetry x window=3600 active=0 observer=tenant"
    half_dark = f"{held} \n 3600 telemetry x window=3600 active=0 observer=provider"
    assert flop_of(held, 2 * HOUR_S) == flop_of(reported, 2 * HOUR_S)
    low, central, high, _ = flop_of(half_dark, 2 * HOUR_S)
    assert expected(3600, 0, 0, 8)[:2] == (low, central)
    assert expected(3600, 0, 0, 8).high < high == 3600 * 8 * H100_RATE * (STEADY * FP8_FACTOR // PPM) // PPM
    mostly_dark = f"{held} \n 600 telemetry x window=600 active=0 observer=provider"
    assert expected(7200, 0, 0, 8).high == flop_of(mostly_dark, 2 * HOUR_S).high


@pytest.mark.parametrize("active", [0.0, 0.1, 0.4, 0.9])
def test_dark_time_keeps_the_prior_and_may_hold_more(active: float) -> None:
    """Beside measured time dark time keeps low and central; executed FLOP take it centrally for what was measured."""
    hour = 3600 * H100_RATE
    prior = reference().estimator.priors.of("hopper")
    table = f"0 start x {H100} \n 3600 telemetry x window=3600 active={active} observer=provider"
    seen, both = flop_of(table, HOUR_S), flop_of(f"{table} \n 7200 seen x", 2 * HOUR_S)
    dark = [(one - other) / hour for one, other in zip(both, seen, strict=True)]
    assert [prior.low_ppm / PPM, prior.central_ppm / PPM] == pytest.approx(dark[:2], rel=1e-5)
    assert min(2 * prior.high_ppm, STEADY) * FP8_FACTOR / PPM / PPM == pytest.approx(dark[2], rel=1e-5)
    estimator = reference().estimator
    hardware = estimator.catalogue.resolve("H100 SXM5 80GB", ACCELERATOR, BASE_MS)
    usage = 3_600_000_000
    measured = Measured(usage, 0, round(usage * active * PPM))
    executed = estimator.executed(hardware, HourUsage(2 * usage, 0, 0, measured))
    assert executed is not None
    central = active + max(prior.central_ppm / PPM * 7 / 6, active)
    assert central == pytest.approx(executed.divided(SCALE).central / hour, rel=1e-5)


def test_hours_of_measured_time_add_up() -> None:
    """What the provider measured, in some hours and of some accelerators, is the same by the hour and in total."""
    table = (
        f"0 start x {H100} count=8 lease=4000 \n 3600 telemetry x window=1800 active=0.1 clock=1830 observer=provider"
        "\n 5400 telemetry x window=3600 active=0.6 clock=915 covered=2 observer=provider \n 9000 seen x"
        "\n 2000 start y accelerator=A100-SXM4-80GB count=4 \n 7300 telemetry y window=900 active=0 observer=provider"
    )
    book = Taken(table).book
    now = BASE_MS + 20_000_000
    estimator, tenant = reference().estimator, book.tenants["t"]
    hours = estimator.hours(tenant, now, hearing(book, now))
    whole = estimator.total(tenant, totals(tenant, now, hearing(book, now)), now, hearing(book, now))
    summed = total(hour.everything for hour in hours).divided(SCALE)
    assert all(0 <= one - other <= 100 for one, other in zip(whole, summed, strict=True))  # rounded by the hour
    assert total(hour.known for hour in hours) == total(hour.everything for hour in hours)


usages = st.builds(
    lambda certain, presumed, open_time, share, active: HourUsage(
        certain, presumed, open_time, Measured(certain * share // 100, 0, certain * share // 100 * active)
    ),
    st.integers(1, 10**14),
    st.integers(0, 10**13),
    st.integers(0, 10**13),
    st.integers(0, 100),
    st.integers(0, PPM),
)
chips = st.sampled_from(("V100 SXM2 32GB", "A100 SXM4 80GB", "H100 SXM5 80GB", "B200 (HGX)", "H20", "A100"))


@given(chips, usages)
def test_measured_bounds_are_in_order(name: str, usage: HourUsage) -> None:
    """Low <= central <= high <= ceiling whatever was measured, and executed FLOP are no less than model FLOP."""
    estimator = reference().estimator
    hardware = estimator.catalogue.resolve(name, ACCELERATOR, BASE_MS)
    model = estimator.flop(hardware, usage)
    executed = estimator.executed(hardware, usage)
    assert list(model) == sorted(model)
    assert (executed is None) == (active_of(hardware, usage.measured) is None)
    if executed is not None:
        assert list(executed) == sorted(executed)
        assert all(one <= other for one, other in zip(model, executed, strict=True))


@given(chips, usages)
def test_no_window_takes_from_the_dark(name: str, usage: HourUsage) -> None:
    """What is not measured counts no less than the prior, and together with what is measured no less than the prior
    of all time in the high bound, as far as the dark time can hold it at the steady share of training."""
    estimator = reference().estimator
    hardware = estimator.catalogue.resolve(name, ACCELERATOR, BASE_MS)
    measured = usage.measured.usage
    prior = estimator.weights(hardware)
    bounds = estimator.flop(hardware, usage)
    everything = usage.certain + usage.presumed + usage.open
    dark = usage._replace(certain=usage.certain - measured, measured=NOT_MEASURED)
    assert all(one <= other for one, other in zip(estimator.flop(hardware, dark), bounds, strict=True))
    share = STEADY * FP8_FACTOR // PPM if hardware.chip.fp8 else STEADY
    steady = hardware.chip.rate_high * hardware.per_unit * share * (everything - measured)
    assert bounds.high >= min(prior.high * everything, steady)


@given(chips, usages, usages)
def test_parts_are_no_more_than_the_whole(name: str, one: HourUsage, other: HourUsage) -> None:
    """Two segments of one shape, each by itself, add up to no more than both together, on every bound."""
    estimator = reference().estimator
    hardware = estimator.catalogue.resolve(name, ACCELERATOR, BASE_MS)
    both = HourUsage(
        one.certain + other.certain,
        one.presumed + other.presumed,
        one.open + other.open,
        one.measured.plus(other.measured),
    )
    parts = estimator.flop(hardware, one).plus(estimator.flop(hardware, other))
    assert all(part <= whole for part, whole in zip(parts, estimator.flop(hardware, both), strict=True))


@given(chips, usages, st.integers(0, PPM))
def test_more_activity_never_means_less(name: str, usage: HourUsage, more: int) -> None:
    """Of two tenants that were seen for as long, the busier one has no less in low and central."""
    estimator = reference().estimator
    hardware = estimator.catalogue.resolve(name, ACCELERATOR, BASE_MS)
    measured = usage.measured
    busier = usage._replace(measured=measured._replace(plain=measured.plain + measured.usage * more))
    assert estimator.flop(hardware, usage)[:2] <= estimator.flop(hardware, busier)[:2]


def test_time_measured_on_a_chip_without_a_stated_clock_keeps_the_prior() -> None:
    """Without the clock of the stated peak activity cannot be turned into FLOP; hours and total agree on that."""
    table = "0 start x accelerator=Trainium2 count=8 \n 3600 seen x"
    sampled = f"{table} \n 3600 telemetry x window=3600 active=0.9 clock=1000 observer=provider"
    assert flop_of(table, HOUR_S) == flop_of(sampled, HOUR_S)


def test_measured_unknown_hardware_stays_unknown() -> None:
    """Telemetry of hardware that the catalogue does not know measures nothing."""
    table = "0 start x accelerator=Quux9000 count=8 \n 3600 seen x"
    sampled = f"{table} \n 3600 telemetry x window=3600 active=0.9 clock=1000 observer=provider"
    assert flop_of(table, HOUR_S) == flop_of(sampled, HOUR_S)


def test_measured_usage_stays_below_the_ceiling() -> None:
    """An activity of 1 at an overclock cannot exceed full speed in the fastest format."""
    estimator = reference().estimator
    hardware = estimator.catalogue.resolve("H100 SXM5 80GB", ACCELERATOR, BASE_MS)
    usage = 10**9
    clock = 5 * (hardware.chip.clock_khz or 0)
    bounds = estimator.flop(hardware, HourUsage(usage, 0, 0, Measured(usage, usage * PPM * clock, 0)))
    assert bounds.low <= bounds.central <= bounds.high == bounds.ceiling


CHIPS = sorted({named.chip.name for named in reference().estimator.catalogue.names.values() if named.chip.rate_ceiling})


@given(
    st.sampled_from(CHIPS),
    st.integers(1, PPM),
    st.tuples(*(st.integers(0, 10**18) for _ in range(3))),
    st.lists(st.integers(1, PPM), max_size=4),
)
def test_bounds_are_in_order(name: str, active_ppm: int, usage: tuple[int, int, int], earlier: list[int]) -> None:
    """On every chip, for any usage and activity, and after any earlier runs: low <= central <= high <= ceiling."""
    common = reference().estimator
    hardware = common.catalogue.resolve(name, ACCELERATOR, BASE_MS)
    own = calibrated(common.priors, {hardware.chip.generation: earlier} if earlier else {})
    bounds = Estimator(common.catalogue, own).flop(hardware, HourUsage(*usage, NOT_MEASURED))
    assert 0 <= bounds.low <= bounds.central <= bounds.high <= bounds.ceiling
    half = Measured(usage[0] // 2, usage[0] // 2 * active_ppm * (hardware.chip.clock_khz or 0), 0)
    measured = Estimator(common.catalogue, own).flop(hardware, HourUsage(*usage, half))
    assert 0 <= measured.low <= measured.central <= measured.high <= measured.ceiling == bounds.ceiling


def calibrated_reference(tenant: str) -> Reference:
    """The reference, where a run of one tenant on Hopper is known to have realised 0.4."""
    common = reference().estimator
    own = calibrated(common.priors, {"hopper": [400_000]})
    return replace(
        reference(), estimator=Estimator(common.catalogue, common.priors, Calibrations("1", "sha256:1", {tenant: own}))
    )


def test_a_tenant_with_an_earlier_run_has_its_own_weights() -> None:
    """Its total, hours and findings go by the posterior, on that generation alone; every other tenant has the prior."""
    ours = calibrated_reference("t")
    estimator = ours.estimator
    assert reference().estimator.of("t") is reference().estimator
    assert estimator.of("other") is estimator is not estimator.of("t")
    table = f"0 start x {H100} count=8 \n 3600 stop x \n 0 start y {H100} count=8 tenant=u \n 3600 stop y tenant=u"
    book, now = Taken(table).book, BASE_MS + 3_600_000
    t, u = tenant_answers(book, ours, now, MemoryArchive())
    prior = reference().estimator.priors.of("hopper")
    own = estimator.of("t").priors.of("hopper")
    assert expected(3600, 0, 0, 8).central == u.flop.central
    assert prior.central_ppm < own.central_ppm
    assert 8 * 3600 * H100_RATE * own.central_ppm // PPM == t.flop.central
    hours = estimator.of("t").hours(book.tenants["t"], now, hearing(book, now))
    assert t.flop == total(hour.everything for hour in hours).divided(SCALE)
    assert estimator.priors.of("ampere") == estimator.of("t").priors.of("ampere")


def test_a_run_goes_by_the_prior_of_its_tenant() -> None:
    """The one run of a tenant with an earlier run is its whole total, by the posterior."""
    book, now = Taken(f"0 start x {H100} count=64 \n 86400 seen x").book, BASE_MS + 86_400_000
    ours = calibrated_reference("t")
    ((run, _),) = tenant_runs(book, ours, "t", {}, now)
    (tenant,) = tenant_answers(book, ours, now, MemoryArchive())
    assert tenant.flop == run.flop
    assert expected(86_400, 0, 0, 64).central < run.flop.central


def test_a_group_adds_up_its_tenants_own_estimates() -> None:
    """In a group each tenant counts by its own prior, in the sum and in what findings rest on."""
    table = "\n".join(
        f"0 profile Acme tenant={name} \n 0 start {name} {H100} count=100000 tenant={name} \n"
        f" 7200000 stop {name} tenant={name}"
        for name in ("t", "u")
    )
    taken, now = Taken(table), BASE_MS + 7_200_000_000
    ours = answer(taken.book, calibrated_reference("t"), now, taken.archive)
    plain = answer(taken.book, reference(), now, taken.archive)
    (group,), (before,) = ([one for one in found.groups if one.kind is Aggregation.GROUP] for found in (ours, plain))
    assert total(tenant.flop for tenant in ours.tenants) == group.flop
    assert before.flop.central < group.flop.central
    assert group.findings
    assert group.flop == max(finding.amount for finding in group.findings)
    parties = calibrated_reference("t").parties(taken.book, now)
    (linked,) = linked_tenants(taken.book, calibrated_reference("t"), taken.archive, parties).of("u")
    assert group == group_answer(taken.book, calibrated_reference("t"), linked, parties)


def test_a_calibration_is_part_of_the_digest() -> None:
    """An answer says by its digest that it was read with other calibrations; the books are the same."""
    taken, now = Taken(f"0 start x {H100} count=8 tenant=u"), BASE_MS + 3_600_000
    plain, ours = (answer(taken.book, one, now, taken.archive) for one in (reference(), calibrated_reference("t")))
    assert plain.books_digest == ours.books_digest
    assert plain.digest != ours.digest


def test_invented_names_do_not_fill_the_memory() -> None:
    """Weights are cached for so many kinds of hardware, and are right after the cache was emptied."""
    estimator = Estimator(reference().estimator.catalogue, reference().estimator.priors)
    first = estimator.catalogue.resolve("invented 0", INSTANCE, BASE_MS)
    weights = estimator.weights(first)
    for number in range(1, WEIGHTS_MAX + 1):
        estimator.weights(estimator.catalogue.resolve(f"invented {number}", INSTANCE, BASE_MS))
    assert weights == estimator.weights(first)
    assert ZERO != weights


def test_retractions_are_noted_on_flags_that_stand() -> None:
    """Open flags of a tenant with retracted facts get a note, closed ones and other tenants' do not."""
    table = f"0 start x {H100} count=10000000 \n 3600000 seen x"
    book = Taken(table).book
    now = BASE_MS + 3_600_000_000
    flags: dict[str, dict[str, Flag]] = {"t": {}}
    for change in evaluate(book, reference(), ["t"], flags, now, MemoryArchive()):
        flags["t"][change.flag.id] = change.flag
    closed, *standing = sorted(flags["t"].values())
    flags["t"][closed.id] = act(closed, Act.CLOSED, now, "known").flag
    noted = note_retractions(["t", "nobody"], flags, now)
    assert standing
    assert {flag.id for flag in standing} == {change.entry.flag for change in noted}
    assert {"noted"} == {change.entry.act for change in noted}


def test_executed_dark_time_is_centrally_no_less_than_the_measured_mean() -> None:
    """Half of an hour measured at 90 per cent: nobody takes the dark half for what the prior says."""
    table = f"0 start x {H100} count=8 \n 1800 telemetry x window=1800 active=0.9 observer=provider \n 3600 stop x"
    book, now = Taken(table).book, BASE_MS + 3_600_000
    estimator, tenant, heard = reference().estimator, book.tenants["t"], hearing(book, now)
    executed, model = (
        total(
            hour.everything
            for row in estimator.stretches(tenant, now, heard, executed=executed)
            for hour in [row] * row.times
        ).divided(SCALE)
        for executed in (True, False)
    )
    whole = 8 * 3_600 * estimator.catalogue.resolve("H100-SXM5-80GB", None, now).chip.rate_central

    assert 0.9 * whole * 0.999 <= executed.central <= executed.high <= executed.ceiling
    assert model.central < executed.central
