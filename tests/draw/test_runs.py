"""The picture of a run: everything is in it, nothing leaves it, and it stays small."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.model import DAY_MS, HOUR_MS
from monitor.draw.runs import Bar, Blind, CumulativePoint, Strength, Threshold, runs_picture

T0 = 1_767_571_200_000
LADDER = [Threshold(f"step {power}", 10**power) for power in (23, 24, 25, 26)]
HOSTILE = "</svg><script>alert('&')</script>\u202e\x00"
SVG = "{http://www.w3.org/2000/svg}"
BYTES_MAX = 250_000


def restarts(count: int) -> list[Bar]:
    return [Bar(f"job-{n}", T0 + n * DAY_MS, T0 + n * DAY_MS + 20 * HOUR_MS, 992) for n in range(count)]


def grown(days: int) -> list[CumulativePoint]:
    return [
        CumulativePoint(T0 + day * DAY_MS, day * 10**22, day * 2 * 10**22, day * 5 * 10**22) for day in range(days + 1)
    ]


def words(picture: str) -> list[str]:
    """All texts that the picture shows."""
    return [element.text or "" for element in ElementTree.fromstring(picture.encode()).iter(f"{SVG}text")]


def titles(picture: str) -> list[str]:
    """All texts that a pointer on the picture shows."""
    return [element.text or "" for element in ElementTree.fromstring(picture.encode()).iter(f"{SVG}title")]


def test_a_run_shows_its_allocations_and_thresholds() -> None:
    """Each allocation says its name, size and time; each threshold its amount and name; the range is in a sentence."""
    picture = runs_picture("Run R-1", restarts(3), grown(3), LADDER)

    assert sum("job-" in title and "992 accelerators" in title for title in titles(picture)) == 3
    assert [f"1e{power} step {power}" for power in (23, 24, 25, 26)] == [one for one in words(picture) if "step" in one]
    assert (
        "2026-01-05 to 2026-01-08; 3 allocations, at most 992 accelerators at a time; 6e22 FLOP (3e22 to 1.5e23)"
        in (words(picture))
    )


def test_names_stay_text() -> None:
    """Hostile names of runs, allocations, thresholds and causes are words: there is no element that they made."""
    blind = [Blind(T0, T0 + HOUR_MS, HOSTILE)]
    picture = runs_picture(HOSTILE, [Bar(HOSTILE, T0, T0 + DAY_MS, 8)], grown(2), [Threshold(HOSTILE, 10**23)], blind)

    elements = {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(picture.encode()).iter()}
    assert "script" not in elements
    assert {"svg", "rect", "text", "title"} <= elements
    assert any("</svg><script>" in title for title in titles(picture))


def test_many_allocations_are_merged() -> None:
    """Ten thousand allocations give a file of a few hundred shapes that says it merged them."""
    chance = Random(7)
    bars = [
        Bar(f"pod-{n}", start, start + chance.randrange(5 * DAY_MS), 8, chance.choice(list(Strength)))
        for n in range(10_000)
        for start in [T0 + chance.randrange(90 * DAY_MS)]
    ]
    points = [CumulativePoint(T0 + n * HOUR_MS, n * 10**20, n * 10**21, n * 10**22) for n in range(10_000)]
    blind = [Blind(T0 + n * HOUR_MS, T0 + n * HOUR_MS + 1, f"cause {n}") for n in range(10_000)]
    picture = runs_picture("Tenant", bars, points, LADDER * 50, blind)

    assert len(picture) < BYTES_MAX
    assert picture.count("<") < 2_500
    assert any("merged: means over" in one for one in words(picture))
    assert not any("pod-" in title for title in titles(picture))


def test_a_merged_picture_has_the_height_of_what_is_held() -> None:
    """Allocations that hold 20,000 accelerators together reach the end of an axis of 20,000."""
    picture = runs_picture("Tenant", [Bar(f"n{n}", T0, T0 + DAY_MS, 1_000) for n in range(20)], grown(1))

    assert {"0", "10,000", "20,000"} <= set(words(picture))


def test_allocations_of_each_strength_look_different_and_are_explained() -> None:
    """Strong, weak and concurrent allocations have their line in the legend, and only those that are there."""
    bars = [Bar("a", T0, T0 + DAY_MS, 8, "weak"), Bar("b", T0, T0 + DAY_MS, 8, "concurrent")]
    shown = words(runs_picture("Run", bars, grown(1)))

    assert {"joined by weak links", "at the same time, perhaps of the run"} <= set(shown)
    assert "height of a bar: accelerators, at most 8" in shown
    assert "allocations of the run" not in shown


def test_an_unknown_strength_is_a_mistake() -> None:
    """A word that is none of the strengths is not drawn as one of them."""
    with pytest.raises(ValueError, match="strnog"):
        runs_picture("Run", [Bar("a", T0, T0 + DAY_MS, 8, "strnog")], [])


def test_blind_intervals_are_hatched_and_named() -> None:
    """Intervals that meet are one span; what lies outside the picture is neither drawn nor named."""
    blind = [
        Blind(T0 + DAY_MS, T0 + 2 * DAY_MS, "hole"),
        Blind(T0 + DAY_MS, T0 + 3 * DAY_MS, "silent source"),
        Blind(T0 + 5 * DAY_MS, T0 + 5 * DAY_MS, "stop"),
        Blind(T0 + 5 * DAY_MS + HOUR_MS * 12, T0 + 6 * DAY_MS, "gap"),
        Blind(T0 - 9 * DAY_MS, T0 - 8 * DAY_MS, "elsewhere"),
    ]
    picture = runs_picture("Run", restarts(10), grown(10), LADDER, blind)

    assert ["Blind: hole, silent source", "Blind: stop", "Blind: gap"] == [
        title for title in titles(picture) if title.startswith("Blind")
    ]
    assert "blind: gap, hole, silent source and 1 more" in words(picture)
    assert "hatch" not in runs_picture("Run", restarts(10), grown(10), LADDER).partition("</defs>")[2]


def test_nothing_is_said() -> None:
    """Without allocations and FLOP the picture says so, and still shows the thresholds."""
    shown = words(runs_picture("Run", [], [], LADDER))

    assert {"No allocations", "No FLOP so far", "Nothing was held in this time.", "1e26 step 26"} <= set(shown)


def test_blind_alone_is_shown() -> None:
    """With nothing held the time shown is that of the blind intervals."""
    assert "Blind: hole" in titles(runs_picture("Run", [], [], [], [Blind(T0, T0 + DAY_MS, "hole")]))


def test_no_flop_is_said() -> None:
    """Points of zero FLOP are no curve at the bottom of a logarithmic axis."""
    picture = runs_picture("Run", restarts(1), [CumulativePoint(T0, 0, 0, 0)], LADDER)

    assert "No FLOP so far" in words(picture)
    assert "polyline" not in picture


def test_a_low_bound_of_nothing_lies_on_the_axis() -> None:
    """A range from zero is a band from the bottom."""
    assert "polygon" in runs_picture("Run", restarts(1), [CumulativePoint(T0 + DAY_MS, 0, 10**22, 10**23)])


def test_labels_of_close_thresholds_are_apart() -> None:
    """Labels never stand on top of one another, however close the thresholds and however many."""
    close = [Threshold("near", 10**25 + n) for n in range(30)]
    root = ElementTree.fromstring(runs_picture("Run", restarts(2), grown(2), close).encode())
    heights = sorted(float(one.get("y", "")) for one in root.iter(f"{SVG}text") if one.text == "1e25 near")

    assert 12 == len(heights)
    assert all(after - before >= 14 for before, after in pairwise(heights))


BARS = st.lists(
    st.builds(
        Bar,
        st.text(max_size=40),
        st.integers(0, 10**13),
        st.integers(0, 10**13),
        st.integers(0, 10**6),
        st.sampled_from(list(Strength)),
    ),
    max_size=30,
)
POINTS = st.lists(
    st.tuples(st.integers(0, 10**13), st.lists(st.integers(0, 10**28), min_size=3, max_size=3)).map(
        lambda one: CumulativePoint(one[0], *sorted(one[1]))
    ),
    max_size=20,
)


@given(BARS, POINTS, st.randoms(use_true_random=False))
def test_any_facts_make_the_same_picture_in_any_order(
    bars: list[Bar], points: list[CumulativePoint], chance: Random
) -> None:
    """Nothing is drawn outside the picture, and the order in which facts are given does not matter."""
    picture = runs_picture("Run", bars, points, LADDER)
    chance.shuffle(bars)

    assert picture == runs_picture("Run", bars, reversed(points), LADDER)
    root = ElementTree.fromstring(picture.encode())
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    for rect in root.iter(f"{SVG}rect"):
        x, y, wide, high = (float(rect.get(name, "0")) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + wide <= width + 1
        assert 0 <= y <= y + high <= height
