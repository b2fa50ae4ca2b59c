"""How pages are written: templates, files with their digest in the address, and text of others made harmless.

Autoescape is on everywhere, and a name that a template does not know is an error. What tenants write is shown with
what cannot be seen made visible (`visible`), cut off with the whole text at hand, and its direction kept to itself: the
macros of `templates/parts.html` do that.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from monitor.core.bounds import in_per_cent
from monitor.core.findings import Finding, number
from monitor.core.model import DAY_MS, HOUR_MS
from monitor.core.policy import LEVELS
from monitor.draw.axes import day
from monitor.draw.svg import dark_rules, inline
from monitor.log import tenant_reference

FOLDER = Path(__file__).parent
DIGEST_DIGITS = 16
FLOP_DECIMALS = 2
PICTURES = "pictures.css"
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript"}  # of files in `static` that browsers get

# Control, formatting (among them what turns the direction of text), surrogates, private use, not assigned, line and
# paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class File(NamedTuple):
    """A file that browsers get as it is."""

    content: bytes
    media_type: str
    digest: str


def read_files(folder: Path = FOLDER / "static") -> dict[str, File]:
    """What browsers get as it is, by name; the colours of pictures among it, which no page may bring inline."""
    contents = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in MEDIA_TYPES}
    contents[PICTURES] = dark_rules().encode()
    return {name: _file(name, content) for name, content in contents.items()}


def _file(name: str, content: bytes) -> File:
    digest = hashlib.sha256(content).hexdigest()[:DIGEST_DIGITS]
    return File(content, MEDIA_TYPES[Path(name).suffix], digest)


def environment(files: dict[str, File]) -> Environment:
    """The templates, with what all of them may use."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "visible": visible,
        "instant": instant,
        "day": day,
        "words": words,
        "flop": flop,
        "reference": tenant_reference,
        "worst_first": worst_first,
        "span": span,
        "per_cent": in_per_cent,
        "picture": picture,
    }
    made.globals["static"] = lambda name: f"/static/{files[name].digest}/{name}"
    return made


def picture(drawn: str) -> Markup:
    """A picture of our own drawing, where every text of others is escaped, as a part of a page."""
    return Markup(inline(drawn))


def visible(text: object) -> str:
    """A text in which every character can be seen: what cannot stands there as its number, as in ⟨202E⟩."""
    return "".join(
        f"\u27e8{ord(letter):04X}\u27e9" if unicodedata.category(letter) in _UNSEEN else letter for letter in str(text)
    )


def instant(at_ms: int | None) -> str:
    """An instant in UTC to the minute, or that there is none."""
    if at_ms is None:
        return "never"
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return at.strftime("%Y-%m-%d %H:%M UTC")


def flop(amount: int) -> str:
    """An amount of FLOP with three digits."""
    return number(amount, FLOP_DECIMALS)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Findings by level, the greatest first; those of one level as they were."""
    return sorted(findings, key=lambda one: -LEVELS.index(one.level))


def span(duration_ms: int) -> str:
    """How long something lasts, in whole minutes, hours or days: the longest of which there are two."""
    for unit, length in (("days", DAY_MS), ("hours", HOUR_MS)):
        if duration_ms >= 2 * length:
            return f"{duration_ms // length} {unit}"
    return f"{max(duration_ms, 0) // (HOUR_MS // 60)} min"


def words(name: object) -> str:
    """A name of the code as people write it."""
    return str(name).replace("_", " ").replace("-", " ")
