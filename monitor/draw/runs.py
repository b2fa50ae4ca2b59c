"""A run: its allocations over time, and under them what it has computed so far against thresholds.

Many allocations are merged into accelerators held, so that ten thousand of them give a file as small as a hundred.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from monitor.core.model import DAY_MS, HOUR_MS, SECOND_MS
from monitor.draw.axes import Scale, day, decade_ticks, decades, flop, minute, round_up, time_ticks
from monitor.draw.legend import Entry, legend
from monitor.draw.svg import (
    BOLD,
    LARGE,
    NORMAL,
    SMALL,
    Box,
    document,
    fitted,
    frame,
    hatch_id,
    hatched,
    line,
    path,
    plain,
    rect,
    text,
    text_width,
    upright,
)

WIDTH, LEFT, RIGHT = 960, 72, 218
TOP, FLOP_HEIGHT, BETWEEN = 66, 250, 18
LANES_MAX, BARS_MAX = 14, 400  # beyond either, allocations are merged
LANES_HEIGHT, LANE_MIN, LANE_MAX = 210, 15, 44
MERGED_HEIGHT, COLUMN = 150, 2
BAR_WIDTH_MIN, BAR_HEIGHT_MIN, BLIND_WIDTH_MIN, POINT_WIDTH = 1.0, 3.0, 3.0, 3.0
LABEL_HEIGHT, LABEL_WIDTH_MIN = 14, 44
CAUSES_MAX = 3  # named in the legend
THRESHOLDS_MAX = 12  # drawn, from the lowest: more of them would be no picture
TIME_TICKS_MAX, FLOP_TICKS_MAX, DECADES_MAX = 7, 9, 12


class Strength(StrEnum):
    """How an allocation belongs to the run; of a whole tenant: whether there is a sign that it was held."""

    STRONG = "strong"
    WEAK = "weak"
    CONCURRENT = "concurrent"
    HELD = "held"
    OPEN = "open"


class Bar(NamedTuple):
    """An allocation, from start to end, with so many accelerators. `strength` is one of Strength."""

    label: str
    start_ms: int
    end_ms: int
    accelerators: int
    strength: str = Strength.STRONG


class CumulativePoint(NamedTuple):
    """FLOP from the start of the run to an instant."""

    time_ms: int
    low: int
    central: int
    high: int


class Threshold(NamedTuple):
    """A line to compare with. `name` says whose it is; it may be empty."""

    name: str
    flop: int


class Blind(NamedTuple):
    """A time of which not all was heard."""

    start_ms: int
    end_ms: int
    cause: str


class _Look(NamedTuple):
    """How bars of one strength look."""

    colour: str
    opacity: float
    dash: str | None  # of a frame; None: no frame
    ink: str
    words: str


_LOOKS = {
    Strength.STRONG: _Look("blue", 1, None, "paper", "allocations of the run"),
    Strength.WEAK: _Look("amber", 0.35, "4 2", "ink", "joined by weak links"),
    Strength.CONCURRENT: _Look("grey", 0.2, "", "ink", "at the same time, perhaps of the run"),
    Strength.HELD: _Look("blue", 1, None, "paper", "held"),
    Strength.OPEN: _Look("grey", 0.2, "4 2", "ink", "not heard to have ended"),
}


class _Upper(NamedTuple):
    """The upper part of the picture."""

    shapes: list[str]
    labels: list[str]  # to be drawn above the hatches
    height: float
    remark: str


def runs_picture(
    title: str,
    bars: Iterable[Bar],
    points: Iterable[CumulativePoint],
    thresholds: Iterable[Threshold] = (),
    blind: Iterable[Blind] = (),
    bars_max: int = BARS_MAX,
) -> str:
    """An SVG file of a run, or of a tenant: allocations as bars above, FLOP low to high as a band below.

    More bars than `bars_max` are merged into what was held.

    ValueError: a bar's strength is none of Strength.
    """
    bars = sorted(bars, key=lambda bar: (bar.start_ms, bar.end_ms, bar.label, bar.accelerators, bar.strength))
    points = sorted(points)
    thresholds = sorted(thresholds, key=lambda one: (one.flop, one.name))[:THRESHOLDS_MAX]
    first, last = _span(bars, points, blind := sorted(blind))
    blind = [one for one in blind if one.end_ms >= first and one.start_ms <= last]
    time = Scale(first, last, LEFT, WIDTH - RIGHT)
    upper = _allocations(bars, time, bars_max)
    lower = Box(LEFT, TOP + upper.height + BETWEEN, time.end - LEFT, FLOP_HEIGHT)
    sentence = _sentence(bars, points, first, last)
    hatch = hatch_id(title, sentence)
    spans = _blind_spans(blind, time)
    body = [
        text(LEFT, 28, fitted(title, WIDTH - LEFT - 20, LARGE * BOLD), size=LARGE, bold=True),
        text(LEFT, 50, fitted(sentence, WIDTH - LEFT - 20, NORMAL), size=NORMAL, fill="muted"),
        *_time_axis(time, TOP, lower.bottom),
        *upper.shapes,
        *_flop(points, thresholds, lower, time),
        *(
            hatched(Box(left, TOP, right - left, lower.bottom - TOP), hatch, f"Blind: {_causes(causes)}")
            for left, right, causes in spans
        ),
        *upper.labels,
    ]
    entries = _entries(bars, points, blind, hatch, upper.remark)
    below = legend(entries, LEFT, lower.bottom + 34, WIDTH - LEFT - 20)
    height = lower.bottom + 34 + below.height + 12
    return document(WIDTH, height, title, sentence, [*body, *below.shapes])


def _span(bars: Sequence[Bar], points: Sequence[CumulativePoint], blind: Sequence[Blind]) -> tuple[int, int]:
    """The time that is shown: of what is drawn; blind intervals alone never make it longer."""
    times = [at for bar in bars for at in (bar.start_ms, bar.end_ms)] + [point.time_ms for point in points]
    times = times or [at for one in blind for at in (one.start_ms, one.end_ms)] or [0, DAY_MS]
    first, last = min(times), max(times)
    return first, max(last, first + HOUR_MS)


def _sentence(bars: Sequence[Bar], points: Sequence[CumulativePoint], first: int, last: int) -> str:
    if not bars and not points:
        return "Nothing was held in this time."
    shown = minute if last - first < 2 * DAY_MS else day
    count = "1 allocation" if len(bars) == 1 else f"{len(bars):,} allocations"
    parts = [f"{shown(first)} to {shown(last)}", f"{count}, at most {_peak(bars):,} accelerators at a time"]
    if points:
        end = points[-1]
        parts.append(
            f"{flop(end.central)} FLOP ({flop(end.low)} to {flop(end.high)})" if end.high > 0 else "no FLOP so far"
        )
    return "; ".join(parts)


def _peak(bars: Iterable[Bar]) -> int:
    """The most accelerators held at one time."""
    held = most = 0
    for _, change in sorted(_changes(bars)):
        held += change
        most = max(most, held)
    return most


def _changes(bars: Iterable[Bar]) -> list[tuple[int, int]]:
    return [
        change
        for bar in bars
        if bar.end_ms > bar.start_ms
        for change in ((bar.start_ms, bar.accelerators), (bar.end_ms, -bar.accelerators))
    ]


# -- allocations -----------------------------------------------------------------------------------------------------


def _allocations(bars: Sequence[Bar], time: Scale, bars_max: int) -> _Upper:
    if not bars:
        words = text((time.start + time.end) / 2, TOP + 26, "No allocations", fill="muted", anchor="middle")
        return _Upper([words], [], 44, "")
    lanes = _lanes(bars) if len(bars) <= bars_max else None
    return _merged(bars, time) if lanes is None else _drawn(lanes, time)


def _lanes(bars: Iterable[Bar]) -> list[list[Bar]] | None:
    """Bars in rows in which none meets another; None: that takes too many rows."""
    lanes: list[list[Bar]] = []
    for bar in bars:
        lane = next((lane for lane in lanes if lane[-1].end_ms <= bar.start_ms), None)
        if lane is not None:
            lane.append(bar)
        elif len(lanes) < LANES_MAX:
            lanes.append([bar])
        else:
            return None
    return lanes


def _drawn(lanes: Sequence[Sequence[Bar]], time: Scale) -> _Upper:
    each = min(max(LANES_HEIGHT / len(lanes), LANE_MIN), LANE_MAX)
    most = max(max(bar.accelerators for lane in lanes for bar in lane), 1)
    shapes, labels = [], []
    for number, lane in enumerate(lanes):
        bottom = TOP + (number + 1) * each
        shapes.append(line(time.start, bottom, time.end, bottom, "grid"))
        lefts = [time.at(bar.start_ms) for bar in lane]
        rights = [max(time.at(bar.end_ms), left + BAR_WIDTH_MIN) for bar, left in zip(lane, lefts, strict=True)]
        room = list(pairwise([time.start, *rights])), [*lefts[1:], time.end]
        for place, bar in enumerate(lane):
            height = max((each - 4) * max(bar.accelerators, 0) / most, BAR_HEIGHT_MIN)
            box = Box(lefts[place], bottom - height, rights[place] - lefts[place], height)
            shapes += _bar(bar, box)
            labels.append(_label(bar, box, room[0][place][0], room[1][place]))
    if text_width("Allocations") <= len(lanes) * each:
        shapes.append(upright(LEFT - 48, TOP + len(lanes) * each / 2, "Allocations"))
    return _Upper(shapes, labels, len(lanes) * each, f"height of a bar: accelerators, at most {most:,}")


def _bar(bar: Bar, box: Box) -> list[str]:
    look = _LOOKS[Strength(bar.strength)]
    title = f"{bar.label}: {bar.accelerators:,} accelerators, {minute(bar.start_ms)} to {minute(bar.end_ms)} UTC"
    # A hair's breadth between bars, where there is room for one, keeps restarts apart.
    drawn = box._replace(width=box.width - 0.6) if box.width > 3 * BAR_WIDTH_MIN else box
    shapes = [rect(drawn, look.colour, look.opacity, title)]
    if look.dash is not None:
        shapes.append(frame(drawn, look.colour, look.dash, title))
    return shapes


def _label(bar: Bar, box: Box, left: float, right: float) -> str:
    """The name and size of an allocation inside its bar, else beside it, else nowhere."""
    size = f" \N{MIDDLE DOT} {bar.accelerators:,}"
    name = plain(bar.label)
    base = box.bottom - 4
    if box.height >= LABEL_HEIGHT and box.width - 10 >= LABEL_WIDTH_MIN:
        words = _named(name, size, box.width - 10)
        return text(box.x + 5, base, words, fill=_LOOKS[Strength(bar.strength)].ink)
    if right - box.right - 10 >= LABEL_WIDTH_MIN:
        words = _named(name, size, right - box.right - 10)
        return text(box.right + 5, base, words)
    if box.x - left - 10 >= LABEL_WIDTH_MIN:
        words = _named(name, size, box.x - left - 10)
        return text(box.x - 5, base, words, anchor="end")
    return ""


def _named(name: str, size: str, width: float) -> str:
    """The whole name with the size, or as much of the name alone as fits."""
    return name + size if text_width(name + size) <= width else fitted(name, width)


def _merged(bars: Sequence[Bar], time: Scale) -> _Upper:
    """Accelerators held, as the mean of each column of pixels, one strength on top of another."""
    columns = int((time.end - time.start) // COLUMN)
    edges = [time.first + (time.last - time.first) * number // columns for number in range(columns + 1)]
    levels = {
        strength: _means([bar for bar in bars if Strength(bar.strength) is strength], edges) for strength in Strength
    }
    most = round_up(max(max(map(sum, zip(*levels.values(), strict=True))), 1))
    scale = Scale(0, most, TOP + MERGED_HEIGHT, TOP)
    shapes = [line(time.start, scale.at(most // 2), time.end, scale.at(most // 2), "grid")]
    ground = [0] * columns
    for strength in Strength:
        if any(levels[strength]):
            top = [low + level for low, level in zip(ground, levels[strength], strict=True)]
            look = _LOOKS[strength]
            outline = [*_steps(top, time, scale), *reversed(_steps(ground, time, scale))]
            shapes.append(path(outline, fill=look.colour, opacity=look.opacity))
            if look.dash is not None:
                shapes.append(path(_steps(top, time, scale), stroke=look.colour, width=1))
            ground = top
    shapes.append(line(time.start, scale.start, time.end, scale.start, "muted"))
    for value in sorted({0, most // 2, most}):
        shapes.append(text(LEFT - 8, scale.at(value) + 4, f"{value:,}", fill="muted", anchor="end"))
    shapes.append(upright(LEFT - 58, TOP + MERGED_HEIGHT / 2, "Accelerators"))
    return _Upper(shapes, [], MERGED_HEIGHT, f"merged: means over {_duration(edges[1] - edges[0])}")


def _means(bars: Iterable[Bar], edges: Sequence[int]) -> list[int]:
    """The mean number of accelerators held between each two edges, rounded up so that nothing is drawn as nothing."""
    changes = sorted(_changes(bars))
    means, held, place, at = [], 0, 0, edges[0]
    for start, end in pairwise(edges):
        area = 0
        while place < len(changes) and changes[place][0] < end:
            area += held * (changes[place][0] - at)
            at = changes[place][0]
            held += changes[place][1]
            place += 1
        area += held * (end - at)
        at = end
        means.append(-(-area // max(end - start, 1)))
    return means


def _steps(levels: Sequence[int], time: Scale, scale: Scale) -> list[tuple[float, float]]:
    """The outline of columns, without the points between equal neighbours."""
    outline: list[tuple[float, float]] = []
    for number, level in enumerate(levels):
        if number in (0, len(levels) - 1) or level != levels[number - 1] or level != levels[number + 1]:
            height = scale.at(level)
            outline += [
                (time.start + (time.end - time.start) * edge / len(levels), height) for edge in (number, number + 1)
            ]
    return outline


def _duration(milliseconds: int) -> str:
    for unit, size in (("days", DAY_MS), ("hours", HOUR_MS), ("minutes", 60 * SECOND_MS)):
        if milliseconds >= 2 * size:
            return f"{milliseconds / size:.0f} {unit}"
    return f"{milliseconds / SECOND_MS:.0f} seconds"


# -- FLOP ------------------------------------------------------------------------------------------------------------


def _flop(points: Sequence[CumulativePoint], thresholds: Sequence[Threshold], box: Box, time: Scale) -> list[str]:
    last = points[-1] if points else CumulativePoint(0, 0, 0, 0)
    known = [amount for amount in (last.low, last.central, last.high, *(one.flop for one in thresholds)) if amount > 0]
    # A decade below the least shows where the run came from.
    bottom, top = decades([max(min(known, default=1) // 10, 1), *known], DECADES_MAX)
    scale = Scale(bottom, top, box.bottom, box.y, logarithmic=True)
    shapes = []
    for tick in decade_ticks(bottom, top, FLOP_TICKS_MAX):
        height = scale.at(tick.value)
        shapes.append(line(box.x, height, box.right, height, "grid"))
        shapes.append(text(box.x - 8, height + 4, tick.label, fill="muted", anchor="end"))
    shapes.append(upright(LEFT - 48, box.y + box.height / 2, "Training FLOP so far"))
    if last.high > 0:
        shapes += _band(_thinned(points, time), scale, time)
    else:
        shapes.append(text(box.x + 10, box.bottom - 10, "No FLOP so far", fill="muted"))
    shapes.append(line(box.x, box.bottom, box.right, box.bottom, "muted"))
    return [*shapes, *_thresholds(thresholds, scale, box)]


def _thinned(points: Sequence[CumulativePoint], time: Scale) -> list[CumulativePoint]:
    """The last point of every few pixels, and the first of all."""
    by_place = {round(time.at(point.time_ms) / POINT_WIDTH): point for point in points}
    return sorted({points[0], *by_place.values()})


def _band(points: Sequence[CumulativePoint], scale: Scale, time: Scale) -> list[str]:
    def curve(bound: int) -> list[tuple[float, float]]:
        return [(time.at(point.time_ms), scale.at(max(point[bound], 1))) for point in points]

    low, central, high = curve(1), curve(2), curve(3)
    return [
        path([*high, *reversed(low)], fill="blue", opacity=0.22),
        path(high, stroke="blue", width=0.8),
        path(low, stroke="blue", width=0.8),
        path(central, stroke="blue", width=2.2),
    ]


def _thresholds(thresholds: Sequence[Threshold], scale: Scale, box: Box) -> list[str]:
    """A dashed line for each threshold; its label on the right, moved where labels would meet."""
    shapes = []
    room = RIGHT - 26
    wanted = [scale.at(one.flop) for one in thresholds]  # from the lowest threshold, so from the bottom up
    for one, height, place in zip(thresholds, wanted, _apart(wanted, SMALL + 3, box), strict=True):
        amount = flop(one.flop)
        name = plain(one.name)
        words = amount if name in ("", amount) else f"{amount} {name}"
        shapes.append(line(box.x, height, box.right, height, "orange", 1.2, "6 4"))
        shapes.append(line(box.right, height, box.right + 10, place, "orange", 1))
        shapes.append(text(box.right + 14, place + 4, fitted(words, room)))
    return shapes


def _apart(wanted: Sequence[float], distance: float, box: Box) -> list[float]:
    """Heights near the wanted ones, which go upwards, with a distance between neighbours, from the box's bottom up."""
    places: list[float] = []
    for height in wanted:
        places.append(min(height, places[-1] - distance) if places else min(height, box.bottom))
    limit = box.y
    for number in range(len(places) - 1, -1, -1):
        places[number] = max(places[number], limit)
        limit = places[number] + distance
    return places


# -- time, blindness, legend -----------------------------------------------------------------------------------------


def _time_axis(time: Scale, top: float, bottom: float) -> list[str]:
    shapes = []
    for tick in time_ticks(time.first, time.last, TIME_TICKS_MAX):
        at = time.at(tick.value)
        shapes.append(line(at, top, at, bottom + 5, "grid"))
        shapes.append(text(at, bottom + 20, tick.label, fill="muted", anchor="middle"))
    shapes.append(text(WIDTH - RIGHT + 50, bottom + 20, "Time, UTC", fill="muted"))
    return shapes


def _blind_spans(blind: Iterable[Blind], time: Scale) -> list[tuple[float, float, list[str]]]:
    """Blind intervals in pixels, those that meet joined, each with its causes."""
    spans: list[tuple[float, float, list[str]]] = []
    for one in blind:
        left = min(time.at(one.start_ms), time.end - BLIND_WIDTH_MIN)
        right = max(time.at(one.end_ms), left + BLIND_WIDTH_MIN)
        if spans and left <= spans[-1][1]:
            before = spans.pop()
            spans.append((before[0], max(before[1], right), [*before[2], one.cause]))
        else:
            spans.append((left, right, [one.cause]))
    return spans


def _causes(causes: Iterable[str]) -> str:
    """Different causes, the first few by name."""
    different = sorted({plain(cause) for cause in causes})
    rest = len(different) - CAUSES_MAX
    named = ", ".join(fitted(cause, 200) for cause in different[:CAUSES_MAX])
    return f"{named} and {rest} more" if rest > 0 else named


def _entries(
    bars: Sequence[Bar], points: Sequence[CumulativePoint], blind: Sequence[Blind], hatch: str, remark: str
) -> list[Entry]:
    strengths = {bar.strength for bar in bars}
    entries = [Entry(partial(_swatch, look), look.words) for strength, look in _LOOKS.items() if strength in strengths]
    if remark:
        entries.append(Entry(None, remark))
    if points and points[-1].high > 0:
        entries.append(Entry(_band_swatch, "FLOP: median, and 5 to 95 per cent"))
    if blind:
        entries.append(Entry(lambda box: hatched(box, hatch), f"blind: {_causes(one.cause for one in blind)}"))
    return entries


def _swatch(look: _Look, box: Box) -> str:
    framed = frame(box, look.colour, look.dash) if look.dash is not None else ""
    return rect(box, look.colour, look.opacity) + framed


def _band_swatch(box: Box) -> str:
    middle = box.y + box.height / 2
    return rect(box, "blue", 0.22) + line(box.x, middle, box.right, middle, "blue", 2.2)
