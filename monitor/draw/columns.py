"""Counts by month or the like: for each a group of columns, one of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from monitor.draw.axes import round_up
from monitor.draw.legend import Entry, legend
from monitor.draw.svg import NORMAL, SMALL, Box, document, line, rect, text

WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT = 960, 190, 50, 20, 64, 26
FILLED = 0.7  # of the width of a group


class Kind(NamedTuple):
    """One kind of column."""

    name: str
    colour: str  # a role of `monitor.draw.svg`
    counts: Sequence[int]  # one for each group


def columns(title: str, groups: Sequence[str], kinds: Sequence[Kind]) -> str:
    """The picture as a file: what cannot be told by colour stands in the order of the legend, with its count above."""
    most = round_up(max((count for kind in kinds for count in kind.counts), default=0))
    wide = (WIDTH - LEFT - RIGHT) / max(1, len(groups))
    each, foot = wide * FILLED / max(1, len(kinds)), TOP + HEIGHT
    entries = [Entry(partial(_swatch, kind.colour), kind.name) for kind in kinds]
    shapes = [text(LEFT, 20, title, size=NORMAL, bold=True), *legend(entries, LEFT, 28, WIDTH - LEFT - RIGHT).shapes]
    for number, group in enumerate(groups):
        left = LEFT + wide * (number + (1 - FILLED) / 2)
        shapes.append(text(LEFT + wide * (number + 0.5), foot + 18, group, size=SMALL, anchor="middle"))
        for place, kind in enumerate(kinds):
            count = kind.counts[number]
            high = HEIGHT * count / most
            box = Box(left + place * each, foot - high, each, high)
            shapes.append(rect(box, kind.colour, title=f"{group}: {count:,} {kind.name}"))
            if count:
                shapes.append(
                    text(box.x + each / 2, box.y - 4, f"{count:,}", size=SMALL, fill="muted", anchor="middle")
                )
    shapes.append(line(LEFT, foot, WIDTH - RIGHT, foot, "muted"))
    said = ", ".join(f"{sum(kind.counts):,} {kind.name}" for kind in kinds)
    return document(WIDTH, foot + FOOT, title, f"{groups[0]} to {groups[-1]}: {said}" if groups else "Nothing.", shapes)


def _swatch(colour: str, box: Box) -> str:
    return rect(box, colour)
