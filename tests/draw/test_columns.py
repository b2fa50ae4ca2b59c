"""Columns: as high as they count, each said in words, too."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from monitor.draw.columns import HEIGHT, Kind, columns
from monitor.draw.svg import inline

SVG = "{http://www.w3.org/2000/svg}"


def heights(picture: str) -> list[float]:
    """Of the columns, which alone have titles."""
    rects = ElementTree.fromstring(picture).iter(f"{SVG}rect")
    return [float(one.attrib["height"]) for one in rects if one.find(f"{SVG}title") is not None]


def test_a_column_is_as_high_as_it_counts() -> None:
    """Against the largest of all, rounded up; its count stands above, and what it is of in its title."""
    picture = columns(
        "Cases", ["2027-01", "2027-02"], [Kind("opened", "blue", [10, 5]), Kind("decided", "green", [0, 1])]
    )

    assert [HEIGHT, 0, HEIGHT / 2, HEIGHT / 10] == heights(picture)
    assert "2027-02: 5 opened" in picture
    assert "2027-01 to 2027-02: 15 opened, 1 decided" in picture


@pytest.mark.parametrize("groups", [[], ["2027-01"]])
def test_nothing_is_no_failure(groups: list[str]) -> None:
    """Neither no groups, nor groups of nothing."""
    assert [0.0] * len(groups) == heights(columns("Cases", groups, [Kind("opened", "blue", [0] * len(groups))]))


def test_a_picture_for_a_page_brings_no_style() -> None:
    """The page has the colours of the dark scheme, and forbids styles anywhere else; nothing else is missing."""
    picture = columns("Cases", ["2027-01"], [Kind("opened", "blue", [1])])

    assert "<style>" in picture
    assert "<style" not in inline(picture)
    assert heights(picture) == heights(inline(picture))
