"""Usage as changes of rate and area: exact by hour, whatever the length of a piece, and back to nothing."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.ledger import NOT_MEASURED, Ledger, Measured, MeasuredKey, UsageKey, hourly, hours_of
from monitor.core.model import CERTAIN, HOUR_MS, OPEN
from monitor.core.timeline import Effects, Measurement, Piece, Shape

SHAPE = Shape("east", None, "H100", "accelerator")
YEAR_HOURS = 8_760

instants = st.integers(0, 5 * HOUR_MS)
pieces = st.builds(
    lambda one, other, count, certain: Piece(SHAPE, min(one, other), max(one, other) + 1, count, certain),
    instants,
    instants,
    st.integers(1, 10_000_000_000),
    st.booleans(),
)


def booked(*held: Piece) -> Ledger:
    ledger = Ledger()
    ledger.add(Effects(list(held), [], []))
    return ledger


def changes(ledger: Ledger, usage_class: str) -> dict[int, tuple[int, int]]:
    return {key.hour: row for key, row in ledger.changes.items() if key.usage_class == usage_class}


def test_a_piece_is_two_rows_whatever_its_length() -> None:
    """Ten years add a row where they start and a row where they end."""
    ledger = booked(Piece(SHAPE, HOUR_MS // 2, (10 * YEAR_HOURS) * HOUR_MS, 3, True))
    expected = {
        UsageKey(SHAPE, CERTAIN, 0): (3, 3 * HOUR_MS // 2),
        UsageKey(SHAPE, CERTAIN, 10 * YEAR_HOURS): (-3, -3 * HOUR_MS),
    }
    assert expected == ledger.changes
    assert set(expected) == ledger.dirty


@given(st.lists(pieces, max_size=6))
def test_hours_add_up_to_totals(held: list[Piece]) -> None:
    """By class, the usage of each hour is what the pieces held in it, and the hours add up to the total."""
    ledger = booked(*held)
    for usage_class in (CERTAIN, OPEN):
        expected: dict[int, int] = defaultdict(int)
        for piece in held:
            if piece.certain == (usage_class == CERTAIN):
                for hour in range(7):
                    inside = min(piece.end, (hour + 1) * HOUR_MS) - max(piece.start, hour * HOUR_MS)
                    expected[hour] += piece.count * max(0, inside)
        amounts = {hour: amount for hour, amount in hourly(changes(ledger, usage_class), 7) if amount}
        assert {hour: amount for hour, amount in expected.items() if amount} == amounts
        assert sum(amounts.values()) == ledger.totals.get((SHAPE, usage_class), 0)


@given(st.lists(pieces, max_size=6), st.integers(0, 8))
def test_hours_stop_where_they_are_told_to(held: list[Piece], until: int) -> None:
    """No hour at or after `until` is given, and those before it do not depend on it."""
    rows = changes(booked(*held), CERTAIN)
    assert [one for one in hourly(rows, 20) if one[0] < until] == list(hourly(rows, until))


@given(st.lists(pieces, max_size=6), st.lists(pieces, max_size=6))
def test_what_is_taken_back_leaves_nothing(held: list[Piece], gone: list[Piece]) -> None:
    """A ledger moves by new minus old: what was booked and taken back is as if it had never been."""
    ledger = booked(*held, *gone)
    ledger.add(Effects(gone, [], []), -1)
    fresh = booked(*held)
    assert fresh.changes == {key: row for key, row in ledger.changes.items() if key in fresh.changes}
    assert {(0, 0)} >= {row for key, row in ledger.changes.items() if key not in fresh.changes}
    assert fresh.totals == {key: total for key, total in ledger.totals.items() if total}


def test_measurements_fall_into_their_hours() -> None:
    """A measured window adds to each hour that it touches; work where the clock is known, plain where it is not."""
    ledger = Ledger()
    known = Measurement(SHAPE, HOUR_MS - 10, HOUR_MS + 20, 2, 500_000, 1_000)
    unknown = Measurement(SHAPE, HOUR_MS + 20, HOUR_MS + 30, 2, 250_000, None)
    ledger.add(Effects([], [known, unknown], []))
    expected = {
        MeasuredKey(SHAPE, 0): Measured(20, 20 * 500_000 * 1_000, 0),
        MeasuredKey(SHAPE, 1): Measured(60, 40 * 500_000 * 1_000, 20 * 250_000),
    }
    assert expected == ledger.measured
    assert set(expected) == ledger.measured_dirty
    ledger.add(Effects([], [known, unknown], []), -1)
    assert {Measured(0, 0, 0)} == set(ledger.measured.values())


@given(st.lists(st.tuples(st.lists(pieces, max_size=3), st.booleans(), st.integers(0, 6)), max_size=6))
def test_what_leaves_memory_comes_back(commits: list[tuple[list[Piece], bool, int]]) -> None:
    """Rows written as they are or added to what is stored are those of a ledger that keeps everything."""
    whole, ledger = Ledger(), Ledger()
    stored: dict[UsageKey, tuple[int, int]] = {}
    stored_measured: dict[MeasuredKey, Measured] = {}
    for held, recalls, oldest in commits:
        measurements = [Measurement(SHAPE, one.start, one.end, one.count, 500_000, 1_000) for one in held]
        for one in (whole, ledger):
            one.add(Effects(list(held), list(measurements), []))
        if recalls:
            before = ledger.resident_from
            ledger.recall(
                [(key, row) for key, row in stored.items() if key.hour < before],
                [(key, row) for key, row in stored_measured.items() if key.hour < before],
            )
            assert (whole.changes, whole.measured) == (ledger.changes, ledger.measured)
        usage, measured = ledger.take_dirty()
        for row in usage:
            rate, area = stored.get(row.key, (0, 0)) if row.added else (0, 0)
            stored[row.key] = (rate + row.rate, area + row.area)
        for line in measured:
            stored_measured[line.key] = line.value.plus(
                stored_measured.get(line.key, NOT_MEASURED) if line.added else NOT_MEASURED
            )
        ledger.let_go(oldest)
        assert (whole.changes, whole.measured) == (stored, stored_measured)
        assert (whole.totals, whole.measured_totals) == (ledger.totals, ledger.measured_totals)


def test_a_ledger_is_restored_from_its_rows() -> None:
    """Totals take in every row, memory only those of the hours that stay."""
    whole = booked(Piece(SHAPE, 10, 5 * HOUR_MS, 3, True))
    whole.add(Effects([], [Measurement(SHAPE, 10, 2 * HOUR_MS, 3, 500_000, None)], []))
    restored = Ledger(resident_from=1)
    for key, row in whole.changes.items():
        restored.restore(key, *row)
    for measured_key, value in whole.measured.items():
        restored.restore_measured(measured_key, value)
    assert (whole.totals, whole.measured_totals) == (restored.totals, restored.measured_totals)
    assert {5} == {key.hour for key in restored.changes}
    assert {1} == {key.hour for key in restored.measured}


def test_nothing_measured_is_no_total() -> None:
    """A window of no accelerators leaves nothing behind."""
    ledger = Ledger()
    ledger.add(Effects([], [Measurement(SHAPE, 0, 10, 0, 500_000, 1_000)], []))
    assert {} == ledger.measured_totals


def test_hours_of_a_stretch() -> None:
    """A stretch is cut at full hours, and nothing touches no hour."""
    assert [(0, 5, HOUR_MS), (1, HOUR_MS, 2 * HOUR_MS), (2, 2 * HOUR_MS, 2 * HOUR_MS + 1)] == list(
        hours_of(5, 2 * HOUR_MS + 1)
    )
    assert [] == list(hours_of(5, 5))


def test_a_million_accelerators_for_ten_years() -> None:
    """Usage beyond 64 bits stays exact."""
    ledger = booked(Piece(SHAPE, 0, 10 * YEAR_HOURS * HOUR_MS, 10**6 * 1_000, True))
    total = ledger.totals[SHAPE, CERTAIN]
    assert 10**9 * 10 * YEAR_HOURS * HOUR_MS == total
    assert total > 2**64
    assert total == sum(amount for _, amount in hourly(changes(ledger, CERTAIN), 10 * YEAR_HOURS + 1))
