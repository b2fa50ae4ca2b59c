"""A report as one page of HTML: no script, nothing from elsewhere, as good on paper as on a screen.

Every text is escaped here; pictures are made by `monitor.draw.svg`, which escapes what it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
body{max-width:76rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
th,td{border:1px solid #9aa1a9;padding:.3rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}
th{background:#9aa1a933}
svg{max-width:100%;height:auto}
.mark{position:fixed;inset:0 0 auto;margin:0;padding:.3rem;text-align:center;font-weight:bold}
.mark{background:#b00020;color:#fff;print-color-adjust:exact;-webkit-print-color-adjust:exact}
.mark+h1{margin-top:3.5rem}
@media print{.mark{top:40%;background:none;color:#b00020;opacity:.25;font-size:2.3rem;transform:rotate(-30deg)}}
@media print{.mark+h1{margin-top:0}}
td:first-child{min-width:7.5rem}
@media print{body{margin:0;max-width:none;font-size:10pt}thead{display:table-header-group}tr{break-inside:avoid}}
"""


class Section(NamedTuple):
    """A heading, what it means, and a table, which may be empty."""

    heading: str
    sentence: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def page(title: str, sentences: Iterable[str], picture: str, sections: Iterable[Section], mark: str = "") -> str:
    """A whole file; `picture` is a document of `monitor.draw.svg`, or nothing; `mark` stands on each of its pages."""
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8"/>',
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>",
        f"<title>{_safe(title)}</title><style>{_STYLE}</style></head><body>",
        f'<p class="mark">{_safe(mark)}</p>' if mark else "",
        f"<h1>{_safe(title)}</h1>",
        *(f"<p>{_safe(sentence)}</p>" for sentence in sentences),
        picture,
        *(part for section in sections for part in _section(section)),
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _section(section: Section) -> Iterable[str]:
    yield f"<h2>{_safe(section.heading)}</h2>"
    yield f"<p>{_safe(section.sentence)}</p>"
    if section.rows:
        yield f"<table><thead><tr>{''.join(f'<th>{_safe(cell)}</th>' for cell in section.head)}</tr></thead><tbody>"
        yield from (f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in row)}</tr>" for row in section.rows)
        yield "</tbody></table>"


def _safe(text: str) -> str:
    """A text from outside: escaped, and without what no printer shows."""
    return escape("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text))
