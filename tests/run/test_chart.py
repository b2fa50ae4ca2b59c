"""The picture of a tenant: bars are what was held, the line ends at the total, thresholds are those of its findings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.app.stores import load_all, opened_store
from monitor.core.blind import Blind
from monitor.core.bounds import Bounds
from monitor.core.estimate import SCALE, TenantHour
from monitor.core.model import CERTAIN, HOUR_MS, NO_TRAITS, OPEN, PRESUMED
from monitor.core.segments import Holding, Stay
from monitor.core.timeline import Shape
from monitor.draw.runs import Bar, CumulativePoint, Strength, Threshold
from monitor.log import tenant_reference
from monitor.run.chart import BARS_MAX, ROWS_MAX, bars_of, chart, thresholds_of
from monitor.run.snapshot import Snapshot, Triggers
from tests.cli.command import HELD, fact, flopwatch, written
from tests.core.casefile import flag
from tests.core.test_estimate import reference

H100 = Shape("eu-1", "f-1", "H100 SXM5 80GB", "accelerator")
NODE = H100._replace(hardware="p5.48xlarge", unit="instance")
CATALOGUE = reference().estimator.catalogue
HOUR = 480_000  # since 1970
EVEN = Bounds(1 * SCALE, 2 * SCALE, 4 * SCALE, 9 * SCALE)


def stay(start: int, end: int, count: int, usage_class: str = CERTAIN, shape: Shape = H100) -> Stay:
    """So many thousandths of units over some hours."""
    return Stay(shape, start * HOUR_MS, end * HOUR_MS, count, usage_class, NO_TRAITS)


@pytest.mark.parametrize(
    ("held", "bars"),
    [
        ([stay(0, 2, 8_000)], [(0, 2, 8, Strength.HELD)]),
        ([stay(0, 2, 2_000, shape=NODE)], [(0, 2, 16, Strength.HELD)]),
        ([stay(0, 2, 250)], [(0, 2, 1, Strength.HELD)]),
        ([stay(0, 2, 8_000), stay(2, 3, 8_000, PRESUMED)], [(0, 3, 8, Strength.HELD)]),
        ([stay(0, 2, 8_000), stay(2, 3, 4_000)], [(0, 2, 8, Strength.HELD), (2, 3, 4, Strength.HELD)]),
        ([stay(0, 2, 8_000), stay(3, 4, 8_000)], [(0, 2, 8, Strength.HELD), (3, 4, 8, Strength.HELD)]),
        ([stay(0, 2, 8_000), stay(2, 9, 8_000, OPEN)], [(0, 2, 8, Strength.HELD), (2, 9, 8, Strength.OPEN)]),
    ],
)
def test_bars_are_what_was_held(held: list[Stay], bars: list[tuple[int, int, int, str]]) -> None:
    """Accelerators, a part as one; what goes on alike is one bar; what nobody heard the end of looks otherwise."""
    expected = [Bar("job", start * HOUR_MS, end * HOUR_MS, count, how) for start, end, count, how in bars]

    assert expected == bars_of([Holding("job", held, ())], CATALOGUE, 0, named=True)
    assert {""} == {bar.label for bar in bars_of([Holding("job", held, ())], CATALOGUE, 0, named=False)}


def test_the_line_is_the_sum_so_far() -> None:
    """It grows where something is held, and is level between; its last hour ends now."""
    hours = [TenantHour(HOUR, EVEN, EVEN, 2), TenantHour(HOUR + 10, EVEN, EVEN)]
    now = (HOUR + 10) * HOUR_MS + 60_000
    rows = chart("t", [], hours, [], [], now).rows

    assert CumulativePoint(now, 3, 6, 12) == rows[-1]
    assert {4} == {row.central for row in rows if (HOUR + 2) * HOUR_MS <= row.time_ms <= (HOUR + 10) * HOUR_MS}
    assert () == chart("t", [], [], [], [], now).rows


def test_the_numbers_below_are_few() -> None:
    """However long the time, and always with the last one."""
    hours = [TenantHour(HOUR + number, EVEN, EVEN) for number in range(5_000)]
    rows = chart("t", [], hours, [], [], 10**15).rows

    assert ROWS_MAX >= len(rows) > ROWS_MAX - 2
    assert 10_000 == rows[-1].central


@pytest.mark.parametrize("count", [1, BARS_MAX, BARS_MAX + 1, 300, 3_000])
def test_a_picture_fits_a_page_however_much_was_held(count: int) -> None:
    """One allocation after another in one lane, with long names; what is too much is merged."""
    bars = [Bar(f"{'job' * 20}-{n}", n * HOUR_MS, (n + 1) * HOUR_MS, 8 + n % 7, Strength.HELD) for n in range(count)]
    hours = [TenantHour(number, EVEN, EVEN) for number in range(count)]
    named = [Threshold(f"ladder.{number}", 10**number) for number in range(20, 27)]

    assert len(chart("t", bars, hours, named, [], count * HOUR_MS).svg) < 45_000


def test_thresholds_are_those_of_what_was_found() -> None:
    """In FLOP, rules of one threshold together; those of the ladder where nothing was found."""
    finding = flag().finding
    found = [replaced for rule in ("b", "a", "c") if (replaced := finding._replace(rule=rule, threshold=10**24))]
    other = finding._replace(rule="d", threshold=10**23)
    hours = finding._replace(rule="e", measure="accelerator_hours", threshold=5)

    assert [Threshold("d", 10**23), Threshold("a, b and 1 more", 10**24)] == thresholds_of([*found, other, hours], [7])
    assert [Threshold("", 7)] == thresholds_of([hours], [7])


@pytest.fixture
def snapshot(tmp_path: Path) -> Iterator[Snapshot]:
    """A tenant that trained, and whose partition was blind for a day."""
    begun = fact("allocation.started", "a", **{**HELD, "count": 512})
    ended = fact("allocation.stopped", "b", "2026-06-01T00:00:00Z")
    state = tmp_path / "books.db"
    assert 0 == flopwatch("replay", written(tmp_path / "events.jsonl", [begun, ended]), "--state", state).code
    with opened_store(f"sqlite:///{state}", create=False) as store, store.still():
        kept = load_all(store)
        day = ended["time"]
        start = max(one.book.clock for one in kept) - 30 * 24 * HOUR_MS
        blind = (Blind("lost_offset", "", "topic", 0, start, start + 24 * HOUR_MS, f"Before {day}."),)
        yield Snapshot([one._replace(blind=blind) for one in kept], reference(), Triggers((), ()))


def test_a_chart_says_what_the_story_says(snapshot: Snapshot) -> None:
    """The same total, the rules that found something, when nothing was seen; names only for whoever may know them."""
    story = snapshot.tenant("acme")
    assert story is not None
    named, other = (snapshot.chart(story, named) for named in (True, False))

    assert story.flop[:3] == named.rows[-1][1:] == other.rows[-1][1:]
    assert any(finding.rule in named.svg for finding in story.findings)
    assert "lost_offset" in named.svg
    assert [True, False] == ["acme" in one.svg for one in (named, other)]
    assert [True, False] == ["job" in one.svg for one in (named, other)]
    assert tenant_reference("acme") in other.svg
