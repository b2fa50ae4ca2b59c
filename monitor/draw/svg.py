"""The few SVG shapes that the pictures need, in colours that light and dark pages and colour-blind people can read.

Names of tenants and allocations come from outside: every text goes through `escaped`. Colours are named by their role.
Each shape carries its light colour as an attribute and its role as a class; one style sheet gives the dark colours, so
that a page which forbids styles shows the light picture.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterable
from typing import NamedTuple

# Role -> (light, dark). Data colours are of Okabe and Ito, which colour-blind people can tell apart.
COLOURS = {
    "paper": ("#ffffff", "#14181d"),
    "ink": ("#1f2328", "#e6edf3"),
    "muted": ("#57606a", "#9aa4ae"),
    "hatch": ("#9aa1a9", "#6e7882"),
    "grid": ("#dfe3e8", "#2c333b"),
    "blue": ("#0072b2", "#56b4e9"),
    "orange": ("#d55e00", "#ff8c42"),
    "green": ("#009e73", "#2fc79a"),
    "purple": ("#a8487f", "#e09ac4"),
    "amber": ("#b57900", "#f0b429"),
    "grey": ("#6e7781", "#a5afb9"),
}
FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"
SMALL, NORMAL, LARGE = 12, 13, 16  # font sizes in pixels
BOLD = 1.15  # how much wider bold letters are

# What characters take, in font sizes: about the most in any of FONTS.
WIDE_EM, CAPITAL_EM, USUAL_EM, THIN_EM = 1.1, 0.78, 0.64, 0.36
CAPITALS, THIN = frozenset("ABCDEFGHKLNOPQRSTUVXYZw&+=<>#~_"), frozenset("iljtfIr.,:;'|!()[]/ ")
WIDEST, WIDEST_EM = frozenset("WMm@%"), 1.0
TEXT_MAX = 500  # characters of one text: names come from outside
MARKS_MAX = 3  # combining marks in a row: more of them would paint over what is above
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})
_BLANKS = re.compile(r"\s+")


class Box(NamedTuple):
    """A rectangle in pixels, from its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height

    def meets(self, other: Box) -> bool:
        """Whether the two have a point in common."""
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom


def plain(text: str) -> str:
    """A text on one line without what paints elsewhere: control and direction characters, piles of marks."""
    kept: list[str] = []
    marks = 0
    for letter in _BLANKS.sub(" ", text[:TEXT_MAX]).strip():
        category = unicodedata.category(letter)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if marks <= MARKS_MAX:
            kept.append(REPLACEMENT if category[0] == "C" else letter)
    return "".join(kept)


def escaped(text: str) -> str:
    """A text from outside, fit for an element or an attribute."""
    return plain(text).translate(_ESCAPES)


def text_width(text: str, size: float = SMALL) -> float:
    """About how many pixels a text takes at most."""
    return size * sum(_em(letter) for letter in text)


def _em(letter: str) -> float:
    if unicodedata.category(letter) in {"Mn", "Me"}:
        return 0
    if letter in THIN:
        return THIN_EM
    if letter.isascii():
        return WIDEST_EM if letter in WIDEST else CAPITAL_EM if letter in CAPITALS else USUAL_EM
    return WIDE_EM if unicodedata.east_asian_width(letter) in {"W", "F"} else CAPITAL_EM


def fitted(text: str, width: float, size: float = SMALL) -> str:
    """As much of a text as fits, with an ellipsis where something is left out; nothing if not even that fits."""
    clean = plain(text)
    if text_width(clean, size) <= width:
        return clean
    left = width - text_width(ELLIPSIS, size)
    kept = 0
    for letter in clean:
        left -= _em(letter) * size
        if left < 0:
            break
        kept += 1
    return clean[:kept].rstrip() + ELLIPSIS if kept else ""


def number(value: float) -> str:
    """A coordinate with a tenth of a pixel."""
    shown = f"{value:.1f}".removesuffix(".0")
    return "0" if shown == "-0" else shown


def _paint(fill: str = "", stroke: str = "", opacity: float = 1) -> str:
    """The attributes of a fill and a stroke in the colours of roles; no role: none. `opacity` is of the fill."""
    roles = (("fill", fill), ("stroke", stroke))
    colours = "".join(f' {kind}="{COLOURS[role][0]}"' for kind, role in roles if role)
    classes = " ".join(f"fw-{kind[0]}-{role}" for kind, role in roles if role)
    faint = f' fill-opacity="{opacity:g}"' if opacity < 1 else ""
    empty = "" if fill else ' fill="none"'
    return f'{empty}{colours} class="{classes}"{faint}'


def _with_title(name: str, attributes: str, title: str) -> str:
    if not title:
        return f"<{name}{attributes}/>"
    return f"<{name}{attributes}><title>{escaped(title)}</title></{name}>"


def rect(box: Box, fill: str, opacity: float = 1, title: str = "") -> str:
    """A filled rectangle; `title` is what a pointer on it shows."""
    x, y, width, height = map(number, box)
    place = f' x="{x}" y="{y}" width="{width}" height="{height}"'
    return _with_title("rect", place + _paint(fill, opacity=opacity), title)


def frame(box: Box, stroke: str, dash: str = "", title: str = "") -> str:
    """The outline of a rectangle, inside its edges; what lies under it stays visible, and its inside has the title."""
    x, y, width, height = map(number, (box.x + 0.5, box.y + 0.5, max(box.width - 1, 0.2), max(box.height - 1, 0.2)))
    place = f' x="{x}" y="{y}" width="{width}" height="{height}" pointer-events="all"'
    return _with_title("rect", place + _paint(stroke=stroke) + _dashed(dash), title)


def line(x1: float, y1: float, x2: float, y2: float, stroke: str, width: float = 1, dash: str = "") -> str:
    """A straight line."""
    ends = f' x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
    return f'<line{ends}{_paint(stroke=stroke)} stroke-width="{width:g}"{_dashed(dash)}/>'


def path(
    points: Iterable[tuple[float, float]], *, fill: str = "", stroke: str = "", opacity: float = 1, width: float = 1.8
) -> str:
    """A line through the points, or with a fill the area inside them."""
    steps = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    if not steps:
        return ""
    if fill:
        return f'<polygon points="{steps}"{_paint(fill, opacity=opacity)}/>'
    return f'<polyline points="{steps}"{_paint(stroke=stroke)} stroke-width="{width:g}"/>'


def text(
    x: float, y: float, words: str, *, size: float = SMALL, fill: str = "ink", anchor: str = "start", bold: bool = False
) -> str:
    """A text whose base line begins, or with `anchor` is centred or ends, at a point; it never meets a pointer."""
    weight = ' font-weight="600"' if bold else ""
    aligned = f' text-anchor="{anchor}"' if anchor != "start" else ""
    place = f' x="{number(x)}" y="{number(y)}" font-size="{size:g}"'
    return f"<text{place}{_paint(fill)}{aligned}{weight}>{escaped(words)}</text>"


def upright(x: float, y: float, words: str, size: float = SMALL) -> str:
    """A text that reads upwards, centred on a point."""
    place = f' transform="translate({number(x)} {number(y)}) rotate(-90)" font-size="{size:g}"'
    return f'<text{place}{_paint("muted")} text-anchor="middle">{escaped(words)}</text>'


SHAPES = ("circle", "square", "triangle", "diamond", "cross", "kite")


def marker(x: float, y: float, shape: str, fill: str, radius: float = 4.5, title: str = "") -> str:
    """A mark of a point in one of SHAPES."""
    points = {
        "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        "triangle": [(0, -1.2), (1.1, 0.8), (-1.1, 0.8)],
        "diamond": [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
        "cross": [
            (-0.4, -1.2), (0.4, -1.2), (0.4, -0.4), (1.2, -0.4), (1.2, 0.4), (0.4, 0.4), (0.4, 1.2), (-0.4, 1.2),
            (-0.4, 0.4), (-1.2, 0.4), (-1.2, -0.4), (-0.4, -0.4),
        ],
        "kite": [(0, 1.2), (1.1, -0.8), (-1.1, -0.8)],
    }.get(shape)  # fmt: skip
    paint = f'{_paint(fill, "paper")} stroke-width="0.8"'  # an edge, so that marks on top of others can be told apart
    if points is None:
        place = f' cx="{number(x)}" cy="{number(y)}" r="{number(radius)}"'
        return _with_title("circle", place + paint, title)
    corners = " ".join(f"{number(x + dx * radius)},{number(y + dy * radius)}" for dx, dy in points)
    return _with_title("polygon", f' points="{corners}"{paint}', title)


def hatched(box: Box, hatch: str, title: str = "") -> str:
    """A span filled with a hatch of the document; with its name from `hatch_id`."""
    x, y, width, height = map(number, box)
    place = f' x="{x}" y="{y}" width="{width}" height="{height}" fill="url(#{hatch})"'
    return _with_title("rect", place, title)


def hatch_id(title: str, description: str) -> str:
    """The name of the hatch of a document: several pictures may stand in one page."""
    return f"fw-{_number_of(title, description)}-hatch"


def _number_of(title: str, description: str) -> str:
    return f"{zlib.crc32(f'{title} {description}'.encode(errors='replace')):08x}"


def _dashed(dash: str) -> str:
    return f' stroke-dasharray="{dash}"' if dash else ""


def dark_rules() -> str:
    """The style sheet that gives the dark colours; a page that forbids styles in pictures brings it itself."""
    rules = "".join(f".fw-f-{role}{{fill:{dark}}}.fw-s-{role}{{stroke:{dark}}}" for role, (_, dark) in COLOURS.items())
    return f"@media (prefers-color-scheme: dark){{{rules}}}"


def inline(picture: str) -> str:
    """A document as a part of a page that brings the dark colours itself, and forbids styles anywhere else."""
    return picture.replace(_style(), "")


def _style() -> str:
    return f"<style>{dark_rules()}</style>\n"


def document(width: float, height: float, title: str, description: str, body: Iterable[str]) -> str:
    """A whole SVG file: its title and description are read to those who cannot see it."""
    number_of = _number_of(title, description)
    hatch = hatch_id(title, description)
    size = f'width="{number(width)}" height="{number(height)}" viewBox="0 0 {number(width)} {number(height)}"'
    shapes = "\n".join(shape for shape in body if shape)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{FONTS}"'
        f' aria-labelledby="fw-{number_of}-title fw-{number_of}-desc">\n'
        f'<title id="fw-{number_of}-title">{escaped(title)}</title>\n'
        f'<desc id="fw-{number_of}-desc">{escaped(description)}</desc>\n'
        f"{_style()}"
        f'<defs><pattern id="{hatch}" width="7" height="7" patternUnits="userSpaceOnUse"'
        f' patternTransform="rotate(45)">{line(1, 0, 1, 7, "hatch", 1.4)}</pattern></defs>\n'
        f"{rect(Box(0, 0, width, height), 'paper')}\n{shapes}\n</svg>\n"
    )
