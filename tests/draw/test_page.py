"""A page for paper, and marks on days."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from monitor.core.model import DAY_MS
from monitor.draw.days import LOOKS, Lane, Mark, days
from monitor.draw.page import Section, page

MARCH = 1_772_323_200_000


def test_every_text_of_a_page_is_escaped() -> None:
    """No text from outside becomes markup, and empty tables are left out."""
    nasty = '<b onload="x">&\u202e\x00'
    sections = [Section(nasty, nasty, [nasty], [[nasty]]), Section("empty", "None.", ["never shown"], [])]
    text = page(nasty, [nasty], "", sections)
    tree = ET.fromstring(text.removeprefix("<!DOCTYPE html>"))
    assert not list(tree.iter("b"))
    assert [cell.text for cell in tree.iter("td")] == [
        '<b onload="x">&\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}'
    ]
    assert "never shown" not in text
    assert len(list(tree.iter("table"))) == 1


def test_a_mark_is_on_every_page() -> None:
    """A page without one has none; with one it stands before everything else, and stays on paper."""
    marked, plain = page("Title", [], "", [], "NOT <IN> FORCE"), page("Title", [], "", [])

    assert '<body>\n<p class="mark">NOT &lt;IN&gt; FORCE</p>\n<h1>' in marked
    assert 'class="mark"' not in plain
    assert ".mark{position:fixed" in marked


def test_marks_stand_on_their_days() -> None:
    """Each mark says its day, and a picture of no days is one."""
    marks = [Mark(MARCH + day * DAY_MS, level, f"tenant {level}") for day, level in enumerate(LOOKS)]
    tree = ET.fromstring(days("Told", [Lane("before", marks), Lane("now", [])], MARCH, MARCH + 10 * DAY_MS))
    titles = [one.text for one in tree.iter("{http://www.w3.org/2000/svg}title")]
    assert "2026-03-01: tenant watch" in titles
    assert "2026-03-03: tenant critical" in titles
    assert ET.fromstring(days("Told", [], MARCH, MARCH)) is not None
