"""What is held on a fabric, hour by hour, and hours that no chip of a class has."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.bounds import Bounds
from monitor.core.engine import hearing
from monitor.core.measures import UNIT_SCALE, Cluster, clusters, hours_of, in_class, weight
from monitor.core.model import CERTAIN, HOUR_MS, NO_TRAITS, OPEN, PRESUMED, Traits
from monitor.core.policy import Measure, Quantity
from monitor.core.segments import Stay
from tests.core.table import BASE_MS, Taken
from tests.core.test_estimate import reference
from tests.core.test_runs import A100, ESTIMATOR, P5, held, one

HELD = Quantity(Measure.ACCELERATORS)
NOW = BASE_MS + 50 * HOUR_MS
FIRST = BASE_MS // HOUR_MS


def accelerators(stays: Sequence[Stay], over: int | None = None) -> dict[str, list[tuple[int, Bounds]]]:
    """The accelerators of each place by hour, whole ones."""
    found = clusters(HELD, over, [one("a", *stays)], ESTIMATOR, NOW)
    return {
        cluster.place: [(hour - FIRST, bounds.divided(UNIT_SCALE)) for hour, bounds in by_hour(cluster)]
        for cluster in found
    }


def by_hour(cluster: Cluster) -> list[tuple[int, Bounds]]:
    """Each hour by itself, where the series has equal ones in a row as one."""
    return [(one.hour + n, one.everything) for one in cluster.series._hours for n in range(one.times)]


def test_a_stay_counts_in_the_hours_that_it_touches() -> None:
    """Whole hours in full, the first and the last by their part."""
    sums = accelerators([held(0.5, 3.25, 16)])

    assert {
        "eu, fabric f": [(0, Bounds(*[8] * 4)), *[(n, Bounds(*[16] * 4)) for n in (1, 2)], (3, Bounds(*[4] * 4))]
    } == sums


def test_classes_of_evidence_and_fabrics_are_kept_apart() -> None:
    """Presumed time is not in low, open time in high only; a stay without a fabric counts for its region."""
    sums = accelerators(
        [
            held(0, 1, 16),
            held(0, 1, 8, usage_class=PRESUMED),
            held(0, 1, 4, usage_class=OPEN),
            held(0, 1, 2, fabric=None),
            held(0, 1, 1, fabric=None, region=None),
        ]
    )

    assert {
        "eu, fabric f": [(0, Bounds(16, 24, 28, 28))],
        "eu, no fabric stated": [(0, Bounds(2, 2, 2, 2))],
        "no region, no fabric stated": [(0, Bounds(1, 1, 1, 1))],
    } == sums


def test_a_slow_network_joins_nothing_and_an_unknown_one_perhaps() -> None:
    """Only what a faster network joins counts; where nobody says how fast, in high only, and that is said."""
    stays = [
        held(0, 1, 16, Traits(network_mbit_s=100_001)),
        held(0, 1, 8, Traits(network_mbit_s=100_000)),
        held(0, 1, 4, NO_TRAITS),
    ]

    assert {"eu, fabric f": [(0, Bounds(16, 16, 20, 20))]} == accelerators(stays, 100)
    (unsure,) = clusters(HELD, 100, [one("a", *stays)], ESTIMATOR, NOW)
    (sure,) = clusters(HELD, 100, [one("a", *stays[:2])], ESTIMATOR, NOW)
    assert (True, False) == (unsure.unstated, sure.unstated)


stays_of = st.lists(
    st.builds(
        held,
        start=st.integers(0, 20).map(lambda n: n / 4),
        end=st.integers(21, 60).map(lambda n: n / 4),
        count=st.integers(1, 64),
        usage_class=st.sampled_from([CERTAIN, PRESUMED, OPEN]),
        fabric=st.sampled_from(["f", "g", None]),
        hardware=st.sampled_from([A100, P5, "nobody knows it"]),
    ),
    max_size=8,
)


@given(stays=stays_of)
def test_the_same_as_hour_by_hour(stays: list[Stay]) -> None:
    """Against the plain sum: each stay by itself, each hour by itself."""
    plain: dict[tuple[str | None, int], list[int]] = {}
    for stay in stays:
        hardware = ESTIMATOR.catalogue.resolve(stay.shape.hardware, stay.shape.unit, stay.start)
        for hour in range(stay.start // HOUR_MS, -(-stay.end // HOUR_MS)):
            milliseconds = min(stay.end, (hour + 1) * HOUR_MS) - max(stay.start, hour * HOUR_MS)
            bounds = in_class(weight(HELD, hardware), stay.usage_class, stay.count * milliseconds)
            sums = plain.setdefault((stay.shape.fabric, hour), [0, 0, 0, 0])
            plain[stay.shape.fabric, hour] = [one + other for one, other in zip(sums, bounds, strict=True)]

    found = {
        (None if cluster.place.endswith("stated") else cluster.place[-1], hour): list(bounds)
        for cluster in clusters(HELD, None, [one("a", *stays)], ESTIMATOR, NOW)
        for hour, bounds in by_hour(cluster)
    }

    assert plain == found


def test_hours_on_chips_of_no_class_are_not_looked_at() -> None:
    """Known hardware outside of a class counts nowhere, inside it in full, and unknown hardware in high only."""
    book = Taken(
        """
        0     start x accelerator=H100-SXM5-80GB count=8
        0     start y accelerator=T4 count=4
        0     start z accelerator=warp-core count=2
        7200  stop x
        7200  stop y
        7200  stop z
        """
    ).book
    quantity = Quantity(Measure.ACCELERATOR_HOURS, frozenset({"3A090.a"}))

    hours = hours_of(quantity, book.tenants["t"], reference().estimator, book.clock, hearing(book, book.clock))

    assert [Bounds(8, 8, 10, 10)] * 2 == [hour.everything.divided(UNIT_SCALE) for hour in hours]
    assert [Bounds(8, 8, 8, 8)] * 2 == [hour.known.divided(UNIT_SCALE) for hour in hours]


def test_chips_that_do_not_count_make_no_cluster() -> None:
    """Nothing is held where only chips of another class count."""
    made = Quantity(Measure.ACCELERATORS, frozenset({"prc_made"}))
    (cluster,) = clusters(made, None, [one("a", held(0, 9))], ESTIMATOR, NOW)

    assert [] == list(cluster.series.hours)
