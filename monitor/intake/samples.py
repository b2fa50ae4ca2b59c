"""What each record of a file of samples would become, before anything is connected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from monitor.core.model import Record, Rejected
from monitor.intake.decode import Rules, decode
from monitor.intake.dialect import Event, Options, line, parsed
from monitor.intake.refusal import Ignored, Refusal
from monitor.intake.translate import AUTO, DIALECTS, dialect_of, too_long


class Sampled(NamedTuple):
    """What one foreign record would become."""

    line: int  # of the file, the first is 1, where the record that holds it begins
    dialect: str | None  # None: of none that is known
    what: str
    outcome: tuple[Event, ...] | Ignored | Rejected


class Taken(NamedTuple):
    """How samples are taken: as a translator would take the records of a topic or of files."""

    dialect: str  # or AUTO: whichever each record is of
    options: Options
    bytes_max: int
    lines: bool = False  # each line is a record, whatever a text or a document over several lines would be


def sampled(raw: bytes, taken: Taken) -> Iterator[Sampled]:
    """What each record of a file would become."""
    for record in _records(raw, taken):
        long = too_long(record.value, taken.bytes_max)
        found = long or (dialect_of(record.value) if taken.dialect == AUTO else taken.dialect)
        if isinstance(found, Refusal):
            yield Sampled(record.offset, None, "record", Rejected(record, *found))
            continue
        for one in DIALECTS[found].translate(record.value, taken.options):
            yield Sampled(record.offset, found, one.what, _checked(record, one.outcome))


def _records(raw: bytes, taken: Taken) -> Iterator[Record]:
    """The whole file where it is one document or one text of its dialect, else its lines; offsets are their numbers."""
    known = DIALECTS.values() if taken.dialect == AUTO else (DIALECTS[taken.dialect],)
    of_lines = taken.lines or (
        isinstance(parsed(raw), Refusal)
        and not any(dialect.recognises_text is not None and dialect.recognises_text(raw) for dialect in known)
    )
    for number, one in enumerate(raw.split(b"\n") if of_lines else (raw,), 1):
        if one.strip():
            yield Record("samples", 0, number, number + 1, one, None)


def _checked(record: Record, outcome: tuple[Event, ...] | Ignored | Refusal) -> tuple[Event, ...] | Ignored | Rejected:
    """The outcome as a worker would see it, which reads the events once more."""
    if isinstance(outcome, Refusal):
        return Rejected(record, *outcome)
    if isinstance(outcome, Ignored):
        return outcome
    decoded = decode([record._replace(value=line(event)) for event in outcome], Rules())
    if decoded.rejected:
        return decoded.rejected[0]
    if decoded.ignored and not decoded.observations:
        return Ignored(next(iter(decoded.ignored)))
    return outcome
