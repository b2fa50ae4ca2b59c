"""What rules count: windows of flows, growth and what is held at once, against a recount hour by hour."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.book import Tenant
from monitor.core.bounds import ZERO, Bounds
from monitor.core.engine import hearing
from monitor.core.estimate import SCALE, TenantHour
from monitor.core.measures import UNIT_SCALE, Series, hours_of, less, reserved_most, scale_of, weight
from monitor.core.model import ACCELERATOR, DAY_MS, HOUR_MS, Kind, Observation, Profile, Reservation
from monitor.core.policy import MODEL_FLOP, Bound, Measure, Precision, Quantity
from tests.core.table import BASE_MS, Taken
from tests.core.test_estimate import reference

H100, A100 = "H100-SXM5-80GB", "A100-SXM4-80GB"
GROWTH, HELD = Quantity(Measure.GROWTH), Quantity(Measure.ACCELERATORS)
FIRST = BASE_MS // HOUR_MS


def row(hour: int, low: int, central: int, high: int, times: int = 1, scale: int = SCALE) -> TenantHour:
    """Hours of known hardware."""
    bounds = Bounds(low * scale, central * scale, high * scale, high * scale)
    return TenantHour(hour, bounds, bounds, times)


ROWS = st.dictionaries(
    st.integers(0, 20),
    st.tuples(st.lists(st.integers(0, 5), min_size=3, max_size=3).map(sorted), st.integers(1, 40)),
    max_size=6,
)


def rows(made: dict[int, tuple[list[int], int]], scale: int) -> list[TenantHour]:
    """Rows that do not overlap, a place of 40 hours for each."""
    return [row(40 * place, *bounds, times, scale) for place, (bounds, times) in sorted(made.items())]


def by_definition(hours: list[TenantHour], quantity: Quantity, days: int | None, hour: int) -> Bounds:
    """What is reached in the window that ends with an hour, straight from what windows are."""
    each = {one.hour + n: one.everything for one in hours for n in range(one.times)}

    def window(first: float, last: int) -> list[Bounds]:
        return [bounds for at, bounds in each.items() if first < at <= last]

    start = float("-inf") if days is None else hour - 24 * days
    inside = window(start, hour)
    if quantity.measure is Measure.ACCELERATORS:
        return Bounds(*(max((one[n] for one in inside), default=0) // UNIT_SCALE for n in range(4)))
    now = Bounds(*(sum(one[n] for one in inside) for n in range(4)))
    if quantity.measure is Measure.GROWTH and days is not None:
        earlier = window(hour - 48 * days, hour - 24 * days)
        now = less(now, Bounds(*(sum(one[n] for one in earlier) for n in range(4))))
    return now.divided(SCALE)


QUANTITIES = st.sampled_from([MODEL_FLOP, GROWTH, HELD])
WINDOWS = st.one_of(st.none(), st.integers(1, 4))


@given(ROWS, QUANTITIES, WINDOWS, st.integers(0, 900), st.integers(1, 12), st.sampled_from(list(Bound)))
def test_windows_are_what_a_recount_gives(
    made: dict[int, tuple[list[int], int]],
    quantity: Quantity,
    days: int | None,
    hour: int,
    threshold: int,
    bound: Bound,
) -> None:
    """The total, and the first of the unbroken row of hours up to now in which a bound of it is at a threshold."""
    hours = rows(made, scale_of(quantity))
    series = Series(hours, hour * HOUR_MS, quantity)
    since = None
    for at in range(hour, -1, -1):
        if getattr(by_definition(hours, quantity, days, at), bound) < threshold:
            break
        since = at

    assert by_definition(hours, quantity, days, hour) == series.total(days)[0]
    assert since == series.reached_since(days, threshold, bound)


@pytest.mark.parametrize(
    ("quantity", "days", "threshold", "since"),
    [
        (MODEL_FLOP, None, 30, 4),
        (MODEL_FLOP, 1, 30, None),
        (GROWTH, 1, 10, None),
        (GROWTH, 2, 10, 1),
        (HELD, 1, 5, None),
        (HELD, 2, 5, 0),
        (HELD, None, 5, 0),
        (HELD, None, 7, None),
    ],
)
def test_since_when_a_threshold_is_reached(
    quantity: Quantity, days: int | None, threshold: int, since: int | None
) -> None:
    """Six units in each of the first ten hours, three in one of the hours after them, seen from hour 40."""
    scale = scale_of(quantity)
    series = Series([row(0, 6, 6, 6, 10, scale), row(20, 3, 3, 3, 1, scale)], 40 * HOUR_MS, quantity)

    assert since == series.reached_since(days, threshold)


def test_growth_in_a_window_that_comes_and_goes() -> None:
    """More than in the day before, until the day before has as much."""
    series = [Series([row(0, 1, 2, 3, 48)], hour * HOUR_MS, GROWTH) for hour in (23, 24, 30, 47)]

    assert [48, 46, 34, 0] == [one.total(1)[0].central for one in series]
    assert [(24, 72), (0, 48)] == [(one.total(1)[0].low, one.total(1)[0].high) for one in (series[0], series[3])]
    assert [4, 4, 4, None] == [one.reached_since(1, 10, Bound.CENTRAL) for one in series]


def test_a_series_knows_its_first_hour() -> None:
    """In milliseconds; without any hour there is none."""
    assert 7 * HOUR_MS == Series([row(7, 1, 1, 1)], DAY_MS, MODEL_FLOP).first
    assert None is Series([], DAY_MS, MODEL_FLOP).first


# -- what a unit of hardware counts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "quantity", "expected"),
    [
        (H100, HELD, (1_000, 1_000, 1_000)),
        (H100, Quantity(Measure.TPP), (15_824_000, 15_824_000, 15_824_000)),
        (H100, Quantity(Measure.OP_PER_S, precision=Precision.DENSE_16BIT), (989 * 10**15,) * 3),
        (H100, Quantity(Measure.OP_PER_S, precision=Precision.FASTEST), (1_979 * 10**15,) * 3),
        (H100, Quantity(Measure.ACCELERATOR_HOURS, frozenset({"3A090.a"})), (1_000, 1_000, 1_000)),
        (H100, Quantity(Measure.ACCELERATOR_HOURS, frozenset({"prc_made"})), (0, 0, 0)),
        ("no such thing", Quantity(Measure.ACCELERATOR_HOURS, frozenset({"prc_made"})), (0, 0, 1_000)),
    ],
)
def test_what_a_unit_counts(name: str, quantity: Quantity, expected: tuple[int, ...]) -> None:
    """Accelerators, TPP and op/s of an accelerator, times a thousand, in low, central and high."""
    found = weight(quantity, reference().estimator.catalogue.resolve(name, ACCELERATOR, BASE_MS))

    assert all(abs(one - other) * 1_000 <= other for one, other in zip(found[:3], expected, strict=True)), found


@pytest.mark.parametrize("measure", [Measure.TPP, Measure.OP_PER_S])
def test_unknown_hardware_is_between_nothing_and_the_fastest(measure: Measure) -> None:
    """As in FLOP: low and central are nothing, high is what the fastest chip of the time has."""
    precision = Precision.FASTEST if measure is Measure.OP_PER_S else None
    found = weight(Quantity(measure, precision=precision), reference().estimator.catalogue.resolve("x", None, BASE_MS))

    assert (0, 0) == found[:2]
    assert 0 < found.high <= found.ceiling


# -- hours of a tenant ---------------------------------------------------------------------------------------------


def test_hours_of_accelerators() -> None:
    """The hourly mean, by class of evidence, without what counts nothing."""
    taken = Taken(f"0 start x accelerator={H100} count=16 \n 5400 stop x \n 0 start y accelerator={A100} count=8")
    tenant, now = taken.book.tenants["t"], BASE_MS + 2 * HOUR_MS - 1
    controlled = Quantity(Measure.ACCELERATORS, frozenset({"prc_made"}))

    def hours(quantity: Quantity) -> list[tuple[int, Bounds]]:
        found = hours_of(quantity, tenant, reference().estimator, now, hearing(taken.book, now))
        return [(one.hour - FIRST, one.everything.divided(UNIT_SCALE)) for one in found for _ in range(one.times)]

    assert [(0, 16), (1, 8)] == [(hour, bounds.low) for hour, bounds in hours(HELD)]
    assert [24, 15] == [bounds.high for _, bounds in hours(HELD)]
    assert [] == hours(controlled)


def test_executed_flop_is_no_less_than_model_flop() -> None:
    """Centrally and in high; low says that nothing was computed twice."""
    taken = Taken(f"0 start x accelerator={H100} count=16 \n 7200 stop x")
    tenant, now = taken.book.tenants["t"], BASE_MS + 3 * HOUR_MS
    estimator, heard = reference().estimator, hearing(taken.book, now)
    executed, model = (
        Series(hours_of(quantity, tenant, estimator, now, heard), now, quantity).total(None)[0]
        for quantity in (Quantity(Measure.EXECUTED_FLOP), MODEL_FLOP)
    )

    assert executed.low == model.low
    assert (model.central, model.high) < (executed.central, executed.high)
    assert model.ceiling == executed.ceiling


def test_telemetry_in_the_middle_of_a_long_time() -> None:
    """The hours around it are as they were; chips that do not count have none, measured or not."""
    table = f"0 start x accelerator={H100} count=8 \n 21600 telemetry x window=3600 active=0.9 observer=provider"
    taken = Taken(f"{table} \n 36000 stop x")
    tenant, now, estimator = taken.book.tenants["t"], BASE_MS + 10 * HOUR_MS, reference().estimator

    def hours(quantity: Quantity) -> list[tuple[int, int]]:
        found = hours_of(quantity, tenant, estimator, now, hearing(taken.book, now))
        return [(one.hour + n - FIRST, one.everything.low) for one in found for n in range(one.times)]

    model = dict(hours(MODEL_FLOP))
    assert [*range(10)] == list(model)
    assert {model[0]} == {model[hour] for hour in model if hour != 5}
    assert model[0] < model[5]
    for measure in (Measure.MODEL_FLOP, Measure.EXECUTED_FLOP):
        assert [] == [one for one in hours(Quantity(measure, frozenset({"prc_made"}))) if one[1]]


# -- reservations --------------------------------------------------------------------------------------------------


def reserving(*said: tuple[str, int, int | None, int | None, int | None, str]) -> Tenant:
    """A tenant that was told (reservation, hour, accelerators, from hour, to hour, state)."""
    made = Tenant()
    for number, (name, hour, count, start, end, state) in enumerate(said):
        start_ms, end_ms = (None if at is None else at * HOUR_MS for at in (start, end))
        body = Reservation(name, "H100", None if count is None else count * 1_000, start_ms, end_ms, state)
        fact = Observation(
            Kind.RESERVATION, "t", "", hour * HOUR_MS, "s", str(number), body, json.dumps(number).encode()
        )
        made.facts["s", str(number)] = [fact]
    return made


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([("r", 0, 64, None, None, "granted")], {0: 64, 1: 64, 2: 64, 3: 64, 4: 64, 5: 64}),
        ([("r", 0, 64, 2, 4, "granted")], {2: 64, 3: 64}),
        ([("r", 0, 64, None, None, "requested")], {}),
        ([("r", 0, None, None, None, "granted")], {}),
        ([("r", 0, 64, None, None, "granted"), ("r", 2, 64, None, None, "cancelled")], {0: 64, 1: 64}),
        ([("r", 3, 64, None, None, "granted"), ("q", 4, 8, None, None, "granted")], {3: 64, 4: 72, 5: 72}),
        ([("r", 4, 64, None, None, "granted"), ("r", 5, 32, None, None, "granted")], {4: 64, 5: 32}),
        ([("r", 9, 64, None, None, "granted")], {}),
        ([("r", 2, 64, 3, 3, "granted")], {}),
    ],
)
def test_reserved_accelerators(
    said: list[tuple[str, int, int | None, int | None, int | None, str]], expected: dict[int, int]
) -> None:
    """What is granted and not cancelled, hour by hour up to now, hour 5; never more than was promised in all."""
    tenant, quantity = reserving(*said), Quantity(Measure.RESERVED_ACCELERATORS)
    profile = Profile({"payer": "p"}, {})
    tenant.facts["s", "p"] = [Observation(Kind.TENANT_PROFILED, "t", "", 0, "s", "p", profile, b"{}")]
    found = hours_of(quantity, tenant, reference().estimator, 5 * HOUR_MS, lambda _: 0)
    by_hour = {one.hour + n: one.everything.low // UNIT_SCALE for one in found for n in range(one.times)}

    assert expected == by_hour
    assert max(by_hour.values(), default=0) <= reserved_most(tenant)


def test_less_is_never_less_than_nothing() -> None:
    """The bounds of a difference are those farthest apart."""
    assert Bounds(0, 2, 8, 9) == less(Bounds(3, 5, 9, 10), Bounds(1, 3, 7, 7))
    assert ZERO == less(ZERO, Bounds(1, 3, 7, 7))
