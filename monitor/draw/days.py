"""When flags were raised: a lane for each set of policies, a mark for each flag on its day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from monitor.core.model import DAY_MS
from monitor.draw.axes import Scale, day, time_ticks
from monitor.draw.svg import NORMAL, SMALL, document, line, marker, text

WIDTH, LEFT, RIGHT, TOP, LANE, BOTTOM = 960, 130, 20, 34, 34, 30
TICKS_MAX = 8
LOOKS = {"watch": ("circle", "blue"), "warning": ("triangle", "amber"), "critical": ("diamond", "orange")}


class Mark(NamedTuple):
    """A flag's level, one of LOOKS, on the day on which it was given."""

    at: int
    level: str
    title: str


class Lane(NamedTuple):
    """A line of marks with a name."""

    name: str
    marks: Sequence[Mark]


def days(title: str, lanes: Sequence[Lane], first: int, last: int) -> str:
    """The picture as a file."""
    scale = Scale(first, max(last, first + DAY_MS), LEFT, WIDTH - RIGHT)
    foot = TOP + LANE * len(lanes)
    shapes = [text(LEFT, 20, title, size=NORMAL, bold=True)]
    for tick in time_ticks(scale.first, scale.last, TICKS_MAX):
        x = scale.at(tick.value)
        shapes += [line(x, TOP, x, foot, "grid"), text(x, foot + 18, tick.label, size=SMALL, anchor="middle")]
    for number, lane in enumerate(lanes):
        middle = TOP + LANE * (number + 0.5)
        shapes += [line(LEFT, middle, WIDTH - RIGHT, middle, "hatch"), text(8, middle + 4, lane.name)]
        for one in lane.marks:
            shape, colour = LOOKS[one.level]
            shapes.append(marker(scale.at(one.at), middle, shape, colour, title=f"{day(one.at)}: {one.title}"))
    return document(WIDTH, foot + BOTTOM, title, f"{day(first)} to {day(last)}", shapes)
