"""What stands under a picture: a swatch and a few words for each thing in it, in as many lines as it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from monitor.draw.svg import SMALL, Box, fitted, text, text_width

LINE, SWATCH_WIDTH, SWATCH_HEIGHT = 22, 22, 12
GAP, BETWEEN = 7, 22


class Entry(NamedTuple):
    """One thing: what draws its swatch into a box, and what it is. Without a swatch it is a remark."""

    swatch: Callable[[Box], str] | None
    words: str


class Legend(NamedTuple):
    """Shapes, and how high they are together."""

    shapes: list[str]
    height: float


def legend(entries: Iterable[Entry], x: float, y: float, width: float) -> Legend:
    """The entries from left to right, from a point that is the upper left corner."""
    shapes: list[str] = []
    left, line = x, 0
    for entry in entries:
        indent = 0 if entry.swatch is None else SWATCH_WIDTH + GAP
        words = fitted(entry.words, width - indent)
        needed = indent + text_width(words, SMALL)
        if left > x and left + needed > x + width:
            left, line = x, line + 1
        top = y + line * LINE
        if entry.swatch is not None:
            shapes.append(entry.swatch(Box(left, top + (LINE - SWATCH_HEIGHT) / 2, SWATCH_WIDTH, SWATCH_HEIGHT)))
        shapes.append(text(left + indent, top + LINE / 2 + 4, words))
        left += needed + BETWEEN
    return Legend(shapes, (line + 1) * LINE if shapes else 0)
