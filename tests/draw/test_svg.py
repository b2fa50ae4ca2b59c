"""Shapes: what comes from outside stays text, and stays inside."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.draw.svg import (
    COLOURS,
    SHAPES,
    Box,
    document,
    escaped,
    fitted,
    marker,
    number,
    path,
    plain,
    text,
    text_width,
)


@pytest.mark.parametrize(
    ("outside", "shown"),
    [
        ("node-3/12", "node-3/12"),
        ("</text><script>alert('x')</script>", "</text><script>alert('x')</script>"),
        ("a\n\tb  c ", "a b c"),
        ("\x00\x07\ud800", "���"),
        ("a\u202eb", "a�b"),
        ("z" + "\u0301" * 50, "z" + "\u0301" * 3),
        ("x" * 9_999, "x" * 500),
    ],
)
def test_text_from_outside_is_text(outside: str, shown: str) -> None:
    """Markup is escaped; control and direction characters, piles of marks and floods never reach the file."""
    element = ElementTree.fromstring(text(0, 0, outside))

    assert shown == plain(outside) == element.text
    assert 0 == len(element)


@given(st.text())
def test_any_text_makes_a_file(words: str) -> None:
    """Whatever the title and description are, the file is XML that says both."""
    root = ElementTree.fromstring(document(10, 10, words, words, [text(0, 0, words)]).encode())

    assert [plain(words), plain(words)] == [child.text or "" for child in root[:2]]
    assert escaped(words).isprintable()


@given(st.text(max_size=60), st.floats(min_value=0, max_value=300))
def test_what_is_fitted_fits(words: str, width: float) -> None:
    """A text that is fitted takes no more than the width, and is whole where it can be."""
    shown = fitted(words, width)

    assert text_width(shown) <= width
    assert (shown == plain(words)) == (text_width(plain(words)) <= width or shown == plain(words))


def test_every_colour_is_dark_or_light_as_the_page_is() -> None:
    """The style sheet has a dark colour for each role, as fill and as stroke."""
    style = document(1, 1, "t", "d", []).partition("<style>")[2].partition("</style>")[0]

    assert style.startswith("@media (prefers-color-scheme: dark)")
    for role, (_, dark) in COLOURS.items():
        assert f".fw-f-{role}{{fill:{dark}}}" in style
        assert f".fw-s-{role}{{stroke:{dark}}}" in style


def test_a_picture_is_read_to_those_who_cannot_see_it() -> None:
    """The file is an image whose title and description are its label; two pictures on one page keep theirs apart."""
    one = ElementTree.fromstring(document(1, 1, "One", "first", []))
    other = ElementTree.fromstring(document(1, 1, "Other", "second", []))

    assert "img" == one.get("role")
    assert (one.get("aria-labelledby") or "").split() == [one[0].get("id"), one[1].get("id")]
    assert one.get("aria-labelledby") != other.get("aria-labelledby")


def test_coordinates_are_short() -> None:
    """A tenth of a pixel is enough; there is no minus nothing."""
    assert ["1", "1.3", "0", "-2"] == [number(value) for value in (1.0, 1.26, -0.01, -2)]


def test_each_mark_has_a_shape_of_its_own() -> None:
    """Marks differ in more than colour, and carry a title for the pointer."""
    marks = [marker(0, 0, shape, "blue", title="<b>") for shape in SHAPES]

    assert len(SHAPES) == len(set(marks))
    assert all("<title>&lt;b&gt;</title>" in mark for mark in marks)
    assert "" == path([])


def test_boxes_meet_where_they_overlap() -> None:
    """Boxes that only touch do not meet."""
    assert Box(0, 0, 10, 10).meets(Box(9, 9, 5, 5))
    assert not Box(0, 0, 10, 10).meets(Box(10, 0, 5, 5))
