"""What the readers of all formats share: an entry as a file has it, text made harmless, and what was tolerated."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from monitor.core.lists import ListedName, NameKind
from monitor.errors import ListProblem

FILE_BYTES_MAX = 1_000_000_000
ENTRIES_MAX = 5_000_000
NAME_CHARACTERS_MAX = 1_024
VALUES_MAX = 10_000  # names, addresses or identifiers of one entry

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
UTF_8_MARK = b"\xef\xbb\xbf"
# Control characters, halves of surrogate pairs, and marks that are not seen: direction, zero width. The joiners of
# Persian and Indic scripts (200C, 200D) are letters there and stay.
_UNSEEN = re.compile(
    "[\\x00-\\x08\\x0e-\\x1f\\x7f-\\x84\\x86-\\x9f\\xad\\u200b\\u200e\\u200f\\u202a-\\u202e\\u2060-\\u2069\\ufeff\\ud800-\\udfff]"
)
_COUNTRY = re.compile(r"([A-Za-z]{2})(?:-[A-Za-z0-9]{1,3})?")


class Entry(NamedTuple):
    """One entry as a file has it; which source lists it is on is not settled yet."""

    line: int  # or the number of the entry, where lines are not known
    labels: tuple[str, ...]  # what the file calls the lists that it is on
    number: str  # the file's own id of it, "" where it has none
    names: tuple[ListedName, ...]
    schema: str
    countries: frozenset[str]
    addresses: tuple[str, ...]
    identifiers: tuple[tuple[str, str], ...]
    programs: tuple[str, ...]


class Content(NamedTuple):
    """What a file holds."""

    entries: list[Entry]
    dated: int | None  # milliseconds; None: the file does not say


class Reading:
    """The reading of one file: how its refusal begins, and what was tolerated in it, counted."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.place = "line"  # what numbers count; readers that know no lines count entries
        self._tolerated: dict[str, tuple[int, int]] = {}  # what -> how often, the line of the first

    def refusal(self, line: int | None, what: str) -> ListProblem:
        """Why the whole file is refused; `what` goes on after the file and the line."""
        return ListProblem(f"{self.file}{'' if line is None else f', {self.place} {line:,}'} {what}")

    def tolerate(self, what: str, line: int) -> None:
        """Count something that was left out or mended."""
        count, first = self._tolerated.get(what, (0, line))
        self._tolerated[what] = (count + 1, first)

    def notes(self) -> tuple[str, ...]:
        """A sentence for each kind of thing that was tolerated."""
        return tuple(
            f"{what}: {count:,} (the first in {self.place} {first:,})."
            for what, (count, first) in sorted(self._tolerated.items())
        )

    # -- text --------------------------------------------------------------------------------------------------------

    def text(self, content: bytes) -> str:
        """The text of a file.

        Raises:
            ListProblem: it is empty, too large, damaged, no UTF-8, or a page of the web.
        """
        if len(content) > FILE_BYTES_MAX:
            raise self.refusal(None, f"is larger than {FILE_BYTES_MAX:,} bytes; give a file of fewer lists.")
        if content.startswith(UTF_16):
            raise self.refusal(None, "is UTF-16 text; save it as UTF-8.")
        if content.startswith(UTF_8_MARK):
            content = content[len(UTF_8_MARK) :]
            self.tolerate("byte-order marks left out", 1)
        if b"\x00" in content:
            line = _line(content, content.index(b"\x00"))
            raise self.refusal(line, "has NUL bytes: the file is damaged or no text; fetch it again.")
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as wrong:
            line = _line(content, wrong.start)
            raise self.refusal(line, "is no UTF-8 text; save it as UTF-8, or fetch it again.") from None
        if not text.strip():
            raise self.refusal(None, "is empty; fetch it again.")
        if text.lstrip().startswith("<"):
            raise self.refusal(None, "is a page of the web or XML, no list; fetch the CSV or JSON file.")
        return text

    def clean(self, text: str, line: int) -> str:
        """Text without what is not seen, its blanks single."""
        kept = text
        if not text.isprintable():
            kept = _UNSEEN.sub("", text)
            if kept != text:
                self.tolerate("texts with control characters or direction marks, which were left out", line)
        return " ".join(kept.split())

    def cleaned(self, values: Iterable[str], line: int) -> tuple[str, ...]:
        """Each text that is left of many, once, in order."""
        found = dict.fromkeys(text for value in values if (text := self.clean(value, line)))
        if len(found) > VALUES_MAX:
            raise self.refusal(line, f"has an entry with more than {VALUES_MAX:,} values; split it or fetch it again.")
        return tuple(found)

    def names(self, named: Iterable[tuple[str, NameKind]], line: int) -> tuple[ListedName, ...]:
        """Names, each text once: of one that is given twice the first kind counts."""
        kinds: dict[str, NameKind] = {}
        for value, kind in named:
            if len(value) > NAME_CHARACTERS_MAX:
                self.tolerate(f"names cut to {NAME_CHARACTERS_MAX:,} characters", line)
            text = self.clean(value[:NAME_CHARACTERS_MAX], line)
            if text:
                kinds.setdefault(text, kind)
        if len(kinds) > VALUES_MAX:
            raise self.refusal(line, f"has an entry with more than {VALUES_MAX:,} names; split it or fetch it again.")
        return tuple(ListedName(text, kind) for text, kind in kinds.items())

    def countries(self, values: Iterable[str], line: int) -> frozenset[str]:
        """ISO 3166-1 alpha-2 codes; of a code of a part of a country, that of the country."""
        found = set()
        for value in values:
            text = self.clean(value, line)
            code = _COUNTRY.fullmatch(text)
            if code is not None:
                found.add(code[1].upper())
            elif text:
                self.tolerate("countries left out that are no two-letter code", line)
        return frozenset(found)

    def identifiers(self, pairs: Iterable[tuple[str, str]], line: int) -> tuple[tuple[str, str], ...]:
        """Schemes and values; remarks that stand among them (their scheme ends like "risk:") are left out."""
        cleaned = ((self.clean(scheme, line), self.clean(value, line)) for scheme, value in pairs)
        found = dict.fromkeys(pair for pair in cleaned if pair[1] and not pair[0].endswith(("-", ":")))
        if len(found) > VALUES_MAX:
            raise self.refusal(line, f"has an entry with more than {VALUES_MAX:,} identifiers; fetch it again.")
        return tuple(found)

    def limit(self, entries: list[Entry]) -> None:
        """Refuse a file of too many entries.

        Raises:
            ListProblem: there are more than a list may have.
        """
        if len(entries) > ENTRIES_MAX:
            raise self.refusal(
                entries[-1].line, f"is past {ENTRIES_MAX:,} entries, more than a list may have; give a file of fewer."
            )


def _line(content: bytes, offset: int) -> int:
    return content.count(b"\n", 0, offset) + 1
