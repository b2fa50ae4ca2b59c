"""Estimated against published FLOP: a mark for each run, with its range, on two logarithmic axes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import product
from math import log
from typing import NamedTuple

from monitor.draw.axes import Scale, decade_ticks, decades, flop
from monitor.draw.legend import Entry, legend
from monitor.draw.svg import (
    BOLD,
    LARGE,
    NORMAL,
    SHAPES,
    SMALL,
    Box,
    document,
    fitted,
    line,
    marker,
    plain,
    rect,
    text,
    text_width,
    upright,
)

WIDTH, SIDE, LEFT, TOP = 760, 620, 84, 66
LABELS_MAX = 6
LABEL_WIDTH_MAX = 220
DECADES_MAX, TICKS_MAX = 14, 9
COLOURS = ("blue", "orange", "green", "purple", "amber", "grey")
KINDS_MAX = len(COLOURS) * len(SHAPES)
FACTOR = 2
REST = "other"  # generations beyond those that can be told apart


class Estimate(NamedTuple):
    """A run of known compute, and what was estimated for it, in FLOP."""

    name: str
    generation: str
    published: int
    low: int
    central: int
    high: int


def scatter_picture(title: str, rows: Iterable[Estimate]) -> str:
    """An SVG file of estimates against published figures; the worst misses are named.

    Rows without a published or central figure have no place on a logarithmic axis: they are counted, not drawn.
    """
    everything = sorted(rows)
    drawn = [row for row in everything if row.published > 0 and row.central > 0]
    box = Box(LEFT, TOP, SIDE, SIDE)
    first, last = decades(
        (amount for row in drawn for amount in (row.published, row.low, row.central, row.high)), DECADES_MAX
    )
    across = Scale(first, last, box.x, box.right, logarithmic=True)
    up = Scale(first, last, box.bottom, box.y, logarithmic=True)
    kinds = _kinds(drawn)
    sentence = _sentence(drawn, len(everything) - len(drawn))
    entries = [
        Entry(partial(_swatch, *kinds[generation]), f"{generation or 'unknown'} ({count})")
        for generation, count in _counted(drawn, kinds)
    ]
    entries += [
        Entry(partial(_line_swatch, "ink", ""), "equal"),
        Entry(partial(_line_swatch, "muted", "6 4"), "half and twice"),
    ]
    below = legend(entries, LEFT, box.bottom + 58, WIDTH - LEFT - 20)
    body = [
        text(LEFT, 28, fitted(title, WIDTH - LEFT - 20, LARGE * BOLD), size=LARGE, bold=True),
        text(LEFT, 50, fitted(sentence, WIDTH - LEFT - 20, NORMAL), size=NORMAL, fill="muted"),
        *_grid(box, across, up),
        *(shape for row in drawn for shape in _bar(row, across, up)),
        *(shape for row in drawn for shape in _mark(row, across, up, kinds)),
        *_labels(drawn, across, up, box),
        *below.shapes,
    ]
    return document(WIDTH, box.bottom + 58 + below.height + 12, title, sentence, body)


def _sentence(drawn: Sequence[Estimate], left_out: int) -> str:
    if not drawn:
        return "No runs with a published figure and an estimate."
    near = sum(row.central <= FACTOR * row.published <= FACTOR**2 * row.central for row in drawn)
    inside = sum(row.low <= row.published <= row.high for row in drawn)
    missing = f"; {left_out} without figures not drawn" if left_out else ""
    runs = "1 run" if len(drawn) == 1 else f"{len(drawn)} runs"
    return f"{runs}: {near} within a factor of two, {inside} inside their 90 per cent range{missing}"


def _kinds(rows: Iterable[Estimate]) -> dict[str, tuple[str, str]]:
    """A colour and a shape for each generation, in the order of their names."""
    names = sorted({plain(row.generation) for row in rows})
    # Colours and shapes change together, so that six generations differ in both.
    looks = [
        (COLOURS[place], SHAPES[(place + turn) % len(SHAPES)])
        for turn, place in product(range(len(SHAPES)), range(len(COLOURS)))
    ]
    if len(names) > KINDS_MAX:
        kept = {name: looks[place] for place, name in enumerate(names[: KINDS_MAX - 1])}
        return {**kept, REST: looks[-1]}
    return dict(zip(names, looks, strict=False))


def _kind(row: Estimate, kinds: dict[str, tuple[str, str]]) -> str:
    name = plain(row.generation)
    return name if name in kinds else REST


def _counted(rows: Iterable[Estimate], kinds: dict[str, tuple[str, str]]) -> list[tuple[str, int]]:
    counts = dict.fromkeys(kinds, 0)
    for row in rows:
        counts[_kind(row, kinds)] += 1
    return list(counts.items())


def _grid(box: Box, across: Scale, up: Scale) -> list[str]:
    shapes = []
    for tick in decade_ticks(across.first, across.last, TICKS_MAX):
        x, y = across.at(tick.value), up.at(tick.value)
        shapes += [line(x, box.y, x, box.bottom, "grid"), line(box.x, y, box.right, y, "grid")]
        shapes.append(text(x, box.bottom + 18, tick.label, fill="muted", anchor="middle"))
        shapes.append(text(box.x - 8, y + 4, tick.label, fill="muted", anchor="end"))
    first, last = across.first, across.last
    shapes.append(line(box.x, box.bottom, box.right, box.y, "ink", 1.2))
    for low, high in (
        ((first, first * FACTOR), (last // FACTOR, last)),
        ((first * FACTOR, first), (last, last // FACTOR)),
    ):
        shapes.append(line(across.at(low[0]), up.at(low[1]), across.at(high[0]), up.at(high[1]), "muted", 1, "6 4"))
    shapes += [line(box.x, box.bottom, box.right, box.bottom, "muted"), line(box.x, box.y, box.x, box.bottom, "muted")]
    shapes.append(
        text(box.x + box.width / 2, box.bottom + 42, "Published training FLOP", fill="muted", anchor="middle")
    )
    shapes.append(upright(box.x - 56, box.y + box.height / 2, "Estimated training FLOP: median, and 5 to 95 per cent"))
    return shapes


def _bar(row: Estimate, across: Scale, up: Scale) -> list[str]:
    x, low, high = across.at(row.published), up.at(max(row.low, 1)), up.at(max(row.high, 1))
    caps = [line(x - 3, y, x + 3, y, "muted") for y in (low, high)]
    return [line(x, low, x, high, "muted"), *caps]


def _mark(row: Estimate, across: Scale, up: Scale, kinds: dict[str, tuple[str, str]]) -> list[str]:
    colour, shape = kinds[_kind(row, kinds)]
    title = (
        f"{row.name} ({row.generation}): published {flop(row.published)}, estimated {flop(row.central)} "
        f"({flop(row.low)} to {flop(row.high)})"
    )
    return [marker(across.at(row.published), up.at(row.central), shape, colour, title=title)]


def _labels(rows: Sequence[Estimate], across: Scale, up: Scale, box: Box) -> list[str]:
    """The names of the worst misses, where they cover neither marks nor one another."""
    marks = [(across.at(row.published), up.at(row.central)) for row in rows]
    taken = [Box(x - 6, y - 6, 12, 12) for x, y in marks]
    worst = sorted(rows, key=lambda row: (-_miss(row), row))[:LABELS_MAX]
    shapes = []
    for row in (row for row in worst if _miss(row) > log(FACTOR)):
        words = f"{fitted(row.name, LABEL_WIDTH_MAX)} {_times(row)}".strip()
        x, y = across.at(row.published), up.at(row.central)
        width, height = text_width(words), SMALL + 4
        for place in _places(x, y, width, height):
            inside = box.x <= place.x and place.right <= box.right and box.y <= place.y and place.bottom <= box.bottom
            if inside and not any(place.meets(other) for other in taken):
                taken.append(place)
                corner = min(max(x, place.x), place.right), min(max(y, place.y), place.bottom)
                shapes.append(line(x, y, *corner, "muted", 0.8))
                shapes.append(rect(place, "paper", 0.85))
                shapes.append(text(place.x, place.bottom - 4, words))
                break
    return shapes


def _places(x: float, y: float, width: float, height: float) -> Iterable[Box]:
    """Where a label may stand, the nearest places first."""
    for far in (10, 22, 36, 52, 72, 96, 124):
        for dx, dy in ((far, -height / 2), (-far - width, -height / 2), (far, far / 2), (far, -height - far / 2)):
            yield Box(x + dx, y + dy, width, height)
        for dx, dy in ((-far - width, far / 2), (-far - width, -height - far / 2)):
            yield Box(x + dx, y + dy, width, height)
        for dy in (far, -height - far):
            yield Box(x - width / 2, y + dy, width, height)


def _miss(row: Estimate) -> float:
    """How far the central estimate is off, in the logarithm."""
    return abs(log(row.central) - log(row.published))


def _times(row: Estimate) -> str:
    return f"\N{MULTIPLICATION SIGN}{row.central / row.published:.2g}"


def _swatch(colour: str, shape: str, box: Box) -> str:
    return marker(box.x + box.width / 2, box.y + box.height / 2, shape, colour)


def _line_swatch(colour: str, dash: str, box: Box) -> str:
    middle = box.y + box.height / 2
    return line(box.x, middle, box.right, middle, colour, 1.2, dash)
