"""What is said of samples: unknown values, windows that measure less than they say, power that contradicts them."""

from __future__ import annotations

import random

import pytest

from monitor.core.facts import effective
from monitor.core.model import SECOND_MS
from monitor.core.telemetry import BUSY_AT_REST, IDLE_AT_POWER, contradictions, notes, sampled
from monitor.core.timeline import fold
from monitor.intake.decode import decode_facts
from tests.core.table import BASE_MS, Taken, events

RATED_MW = 700_000
PRIOR = "this time keeps the prior."


def said(table: str) -> dict[str, tuple[str, ...]]:
    """The notes on each sample of a table's allocation, by id."""
    facts = decode_facts(events(table))
    _, effects = fold(facts)
    return {one.fact.id: notes(one) for one in sampled(facts, effects.measurements)}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("active=0.4 clock=1410", ()),
        ("active=0.4", ("The SM clock is unknown: taken as that of the stated peak.",)),
        ("active=808334905 clock=1410", ("tensor_active is nothing that hardware can have: it is unknown, not zero.",)),
        ("active=-1 clock=1410", ("tensor_active is nothing that hardware can have: it is unknown, not zero.",)),
        ("active=NaN clock=1410", ("tensor_active is nothing that hardware can have: it is unknown, not zero.",)),
        ("active= clock=1410", ("tensor_active is nothing that hardware can have: it is unknown, not zero.",)),
        (
            "active=9223372036854775794",
            ("tensor_active is nothing that hardware can have: it is unknown, not zero.",),
        ),
        ("active=0.4 clock=1410 covered=-1", ("accelerators_covered is nothing that hardware can have: "
                                              "it is unknown, not zero.",)),
        ("clock=1410", ("Tensor activity is unknown: " + PRIOR,)),
        ("active=0 clock=1410 observer=tenant", ("The tenant could have made it: it moves no bound.",)),
    ],
)  # fmt: skip
def test_a_value_that_is_unknown_is_said(fields: str, expected: tuple[str, ...]) -> None:
    """A sample that says nothing of use has a note that says why, and one with good values has none."""
    observer = "" if "observer" in fields else "observer=provider"
    found = said(f"0 start x count=4 \n 100 telemetry x window=60 {observer} {fields} id=w")["w"]
    assert expected == found[: len(expected)]
    assert len(found) <= len(expected) + 1
    assert all(PRIOR in note or "SM clock" in note for note in found[len(expected) :])


def test_windows_that_measure_less_than_they_say() -> None:
    """A window that another has, one before the start, and one of an allocation that is not held are explained."""
    held = "0 start x count=4 \n 80 telemetry x window=120 observer=provider active=0.5 clock=1410 id=early"
    both = f"{held} \n 100 telemetry x window=60 observer=provider active=0.5 clock=1410 id=later"
    same = f"{both} \n 100 telemetry x window=60 observer=provider active=0.9 clock=1410 id=same"
    found = said(f"{same} \n 110 stop x \n 120 telemetry x window=60 observer=provider active=1 clock=1410 id=after")
    assert found["early"][0].startswith("80 of its 120 seconds count: ")
    assert found["later"][0].startswith("20 of its 60 seconds count: ")
    assert found["same"][0].startswith("It measures nothing: ")
    assert found["after"][0].startswith("It measures nothing: ")


def test_a_window_of_another_tenants_allocation_measures_nothing() -> None:
    """The allocation of one tenant is none of another's, whatever its name."""
    table = "0 start x tenant=a count=4 \n 100 seen x tenant=a"
    stranger = "100 telemetry x tenant=b window=60 observer=provider active=0 clock=1410"
    taken = Taken(f"{table} \n {stranger}")
    assert Taken(table).book.tenants["a"].ledger.totals == taken.book.tenants["a"].ledger.totals
    assert {} == taken.book.tenants["a"].ledger.measured_totals == taken.book.tenants["b"].ledger.measured_totals


def anomalies(table: str, rated_mw: int | None = RATED_MW) -> list[tuple[str, int]]:
    """What power contradicts in a table's allocation: kind and seconds after the base."""
    facts = effective(decode_facts(events(table)), {})
    _, effects = fold(facts)
    found = contradictions(sampled(facts, effects.measurements), lambda _: rated_mw)
    return [(one.kind, (one.time - BASE_MS) // SECOND_MS) for one in found]


def windows(active: str, power: str, first: int = 1, many: int = 3) -> str:
    """Half-hours of one activity and power."""
    return "\n".join(
        f"{1800 * number} telemetry x window=1800 observer=provider active={active} {power}"
        for number in range(first, first + many)
    )


@pytest.mark.parametrize(
    ("active", "power", "expected"),
    [
        ("0", "power_watts=690", [(IDLE_AT_POWER, 3600)]),
        ("0", "energy_joules=1242000", [(IDLE_AT_POWER, 3600)]),  # 690 W over half an hour
        ("0", "power_watts=100 energy_joules=1242000", [(IDLE_AT_POWER, 3600)]),
        ("0.5", "power_watts=90", [(BUSY_AT_REST, 3600)]),
        ("0", "power_watts=90", []),
        ("0.5", "power_watts=650", []),
        ("0.01", "power_watts=500", []),  # memory-bound work
        ("0", "", []),
        ("0", "power_watts=808334905", []),
        ("-1", "power_watts=690", []),
    ],
)
def test_power_that_tensor_activity_contradicts(active: str, power: str, expected: list[tuple[str, int]]) -> None:
    """An hour of idle pipes near the rated power, or of busy ones at rest, is told once; all else is not."""
    assert expected == anomalies(f"0 start x count=4 \n {windows(active, power)}")


def test_only_an_hour_in_a_row_is_told() -> None:
    """A window that says otherwise begins the hour anew, and each stretch is told."""
    odd, well = "0", "0.5"
    table = "0 start x count=4 \n" + "\n".join(
        windows(active, "power_watts=690", number, 1)
        for number, active in enumerate((odd, well, odd, odd, odd, well, odd, odd), 1)
    )
    assert [(IDLE_AT_POWER, 7200), (IDLE_AT_POWER, 14400)] == anomalies(table)


def test_nothing_is_told_without_a_rated_power() -> None:
    """A chip whose rated power nobody knows contradicts nothing."""
    assert [] == anomalies(f"0 start x count=4 \n {windows('0', 'power_watts=690')}", None)


def test_what_is_said_does_not_depend_on_order() -> None:
    """Notes and contradictions are those of the set of facts, in whatever order they came."""
    table = (
        f"0 start x count=4 \n {windows('0', 'power_watts=690', 1, 4)} \n"
        "5000 telemetry x window=900 observer=provider active=0.3 id=a \n"
        "5000 telemetry x window=900 observer=provider active=0.9 id=b \n 6000 resize x count=2"
    )
    facts = decode_facts(events(table))
    chance = random.Random(5)
    found = set()
    for _ in range(10):
        shuffled = chance.sample(facts, len(facts))
        samples = list(sampled(shuffled, fold(shuffled)[1].measurements))
        told = contradictions(samples, lambda _: RATED_MW)
        found.add((tuple((one.fact.id, notes(one)) for one in samples), tuple(told)))
    assert 1 == len(found)
