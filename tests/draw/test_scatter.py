"""The picture of the accuracy: every run has a mark, the worst misses have names."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from monitor.draw.scatter import KINDS_MAX, LABELS_MAX, Estimate, scatter_picture
from tests.draw.test_runs import HOSTILE, SVG, titles, words


def run(name: str, published: int, central: int, generation: str = "hopper") -> Estimate:
    return Estimate(name, generation, published, central // 2, central, central * 2)


def test_each_run_has_a_mark_and_the_sentence_counts_them() -> None:
    """Marks tell name, generation and figures; runs within a factor of two, and inside their range, are counted."""
    rows = [run("A", 10**24, 2 * 10**24), run("B", 10**23, 3 * 10**23, "ampere"), run("C", 0, 10**23)]
    picture = scatter_picture("Accuracy", rows)

    assert "2 runs: 1 within a factor of two, 1 inside their 90 per cent range; 1 without figures not drawn" in (
        words(picture)
    )
    assert "B (ampere): published 1e23, estimated 3e23 (1.5e23 to 6e23)" in titles(picture)
    assert {"ampere (1)", "hopper (1)", "equal", "half and twice"} <= set(words(picture))


def test_only_misses_are_named_the_worst_first() -> None:
    """Runs off by more than a factor of two have their name and factor, at most so many of them."""
    good = [run(f"good {n}", 10**22 + n, 10**22 + n) for n in range(20)]
    bad = [run(f"bad {n}", 10 ** (16 + n), 10 ** (17 + n) + n * 10 ** (16 + n)) for n in range(9)]
    shown = words(scatter_picture("Accuracy", [*good, *bad]))

    assert not any(one.startswith("good") for one in shown)
    named = [one for one in shown if one.startswith("bad")]
    assert 0 < len(named) <= LABELS_MAX
    assert f"bad 8 ×{18}" in named


def test_labels_that_find_no_room_are_left_out() -> None:
    """Many runs on one spot: names never lie on one another."""
    shown = words(scatter_picture("Accuracy", [run("W" * 60 + str(n), 10**23, 10**25) for n in range(50)]))

    assert 0 < len([one for one in shown if one.startswith("WW")]) <= LABELS_MAX


def test_nothing_is_said() -> None:
    """Without runs there are axes and a sentence; a run estimated at nothing is counted."""
    assert "No runs with a published figure and an estimate." in words(scatter_picture("Accuracy", []))
    assert any("1 run: 1 within" in one for one in words(scatter_picture("Accuracy", [run("A", 10**23, 10**23)])))


def test_more_generations_than_can_be_told_apart_are_others() -> None:
    """Every generation has a look of its own, as long as there are looks."""
    rows = [run(f"r{n}", 10**23, 10**23, f"g{n:03}") for n in range(KINDS_MAX + 5)]
    shown = words(scatter_picture("Accuracy", rows))

    assert "other (6)" in shown
    assert KINDS_MAX == sum(one.endswith((" (1)", " (6)")) for one in shown)


def test_names_stay_text() -> None:
    """Hostile names of runs and generations are words, and change nothing else."""
    picture = scatter_picture(HOSTILE, [run(HOSTILE, 10**23, 10**25, HOSTILE)])
    elements = {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(picture.encode()).iter()}

    assert "script" not in elements


@given(
    st.lists(
        st.builds(
            Estimate,
            st.text(max_size=30),
            st.text(max_size=5),
            *(st.integers(0, 10**28) for _ in range(4)),
        ),
        max_size=20,
    )
)
def test_any_rows_make_the_same_file_in_any_order(rows: list[Estimate]) -> None:
    """The picture is XML whatever the figures are, and the order of the rows does not matter."""
    picture = scatter_picture("Accuracy", rows)

    assert picture == scatter_picture("Accuracy", reversed(rows))
    assert ElementTree.fromstring(picture.encode()) is not None
