"""The table of dialects, which of them a record is of, and what becomes of whole records, each of which may hold many.

Nothing here keeps anything: the same record becomes the same events each time, with the same identities, so whoever
sends them twice changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from monitor.core.model import Record, Rejected
from monitor.intake import azure, cloudtrail, dcgm, eventbridge, gcp, kubernetes, nova, slurm
from monitor.intake.decode import Decoded, Rules, count_name, decode
from monitor.intake.dialect import CONTROL_TYPES, Event, Options, Translated, line, parsed, text
from monitor.intake.refusal import Ignored, Refusal

CANONICAL, AUTO = "canonical", "auto"

Translate = Callable[[bytes, Options], Iterator[Translated]]


def canonical(raw: bytes, options: Options) -> Iterator[Translated]:
    """What is an event of ours already stays as it is."""
    document = parsed(raw)
    if isinstance(document, Refusal):
        yield Translated("event", document)
    elif not isinstance(document, dict):
        yield Translated("event", Refusal("json", "The record is no event; expected one event, a JSON object."))
    else:
        yield Translated(text(document, "type") or "event", (document,))


def _is_canonical(document: object) -> bool:
    """Whether it is a CloudEvent, but none in which Event Grid tells an activity of Azure."""
    return text(document, "specversion") is not None and not azure.recognises(document)


class Dialect(NamedTuple):
    """A format of foreign records."""

    translate: Translate
    recognises: Callable[[object], bool] | None = None  # given the value of a JSON document
    recognises_text: Callable[[bytes], bool] | None = None  # given what is no JSON


DIALECTS: Mapping[str, Dialect] = {
    CANONICAL: Dialect(canonical, _is_canonical),
    "cloudtrail": Dialect(cloudtrail.translate, cloudtrail.recognises),
    "eventbridge": Dialect(eventbridge.translate, eventbridge.recognises),
    "gcp": Dialect(gcp.translate, gcp.recognises),
    "azure": Dialect(azure.translate, azure.recognises),
    "nova": Dialect(nova.translate, nova.recognises),
    "kubernetes": Dialect(kubernetes.translate, kubernetes.recognises),
    "slurm": Dialect(slurm.translate, slurm.recognises, slurm.recognises_text),
    "dcgm": Dialect(dcgm.translate, None, dcgm.recognises_text),
}
UNRECOGNISED = "The record is of no dialect that is known; name one of " + ", ".join(DIALECTS) + "."


def dialect_of(raw: bytes) -> str | Refusal:
    """The dialect that a record is of, or why it is of none. Of JSON on several lines the first line counts."""
    document: Any = parsed(raw)
    if isinstance(document, Refusal):
        for name, dialect in DIALECTS.items():
            if dialect.recognises_text is not None and dialect.recognises_text(raw):
                return name
        first, *rest = raw.split(b"\n", 1)
        document = parsed(first) if rest else document
        if isinstance(document, Refusal):
            return document
    for name, dialect in DIALECTS.items():
        if dialect.recognises is not None and dialect.recognises(document):
            return name
    return Refusal("envelope", UNRECOGNISED)


def translate(raw: bytes, name: str, options: Options) -> Iterator[Translated]:
    """What becomes of everything in a record of a dialect; AUTO: whichever it is of."""
    found = dialect_of(raw) if name == AUTO else name
    if isinstance(found, Refusal):
        yield Translated("record", found)
    else:
        yield from DIALECTS[found].translate(raw, options)


class Outcome(NamedTuple):
    """What became of one record."""

    events: list[Event]
    ignored: Counter[str]
    refused: int  # parts of it
    first: Refusal | None  # of these


def too_long(raw: bytes, bytes_max: int) -> Refusal | None:
    """Why a record is refused for its length alone; None: it is not."""
    if len(raw) <= bytes_max:
        return None
    return Refusal("bytes_limit", f"The record is longer than {bytes_max:,} bytes; send smaller ones.")


def outcome(raw: bytes, name: str, options: Options, bytes_max: int) -> Outcome:
    """What becomes of one record, which may hold many foreign ones."""
    long = too_long(raw, bytes_max)
    if long is not None:
        return Outcome([], Counter(), 1, long)
    events: list[Event] = []
    ignored: Counter[str] = Counter()
    refused, first = 0, None
    for one in translate(raw, name, options):
        if isinstance(one.outcome, Ignored):
            count_name(ignored, one.outcome.type)
        elif isinstance(one.outcome, Refusal):
            refused, first = refused + 1, first or one.outcome
        else:
            events.extend(one.outcome)
    return Outcome(events, ignored, refused, first)


def fitting(found: Outcome, bytes_max: int) -> Outcome:
    """The same without events that workers would refuse for their length, and topics may not take: they are refused."""
    refusals = [too_long(line(event), bytes_max) for event in found.events]
    long = [refusal for refusal in refusals if refusal is not None]
    if not long:
        return found
    events = [event for event, refusal in zip(found.events, refusals, strict=True) if refusal is None]
    return found._replace(events=events, refused=found.refused + len(long), first=found.first or long[0])


def rejected(record: Record, found: Outcome) -> Rejected | None:
    """The dead letter of a record some of which was refused: one, however much it is, with the first reason."""
    if found.first is None:
        return None
    whole = found.refused + len(found.events) + found.ignored.total()
    part = "" if whole == 1 else f"{found.refused:,} of the record's {whole:,} parts; of the first: "
    return Rejected(record, found.first.reason, part + found.first.sentence)


def is_of_tenant(event: Event) -> bool:
    """Whether an event goes to the topic of tenants, not to that of everybody."""
    return event.get("type") not in CONTROL_TYPES


def decode_foreign(records: Sequence[Record], name: str, options: Options, rules: Rules, bytes_max: int) -> Decoded:
    """Observations of a batch of foreign records, without the hop through topics; each with the record it came in.

    When a line of a file is read says nothing of when it was written, so a record without any time is refused.
    """
    made: list[Record] = []
    letters: list[Rejected] = []
    ignored: dict[str, int] = {}
    for record in records:
        found = outcome(record.value, name, options, bytes_max)
        letter = rejected(record, found)
        letters += [] if letter is None else [letter]
        for word, count in found.ignored.items():
            count_name(ignored, word, count)
        made += [record._replace(value=line(event)) for event in found.events]
    decoded = decode(made, rules)
    for word, count in decoded.ignored.items():
        count_name(ignored, word, count)
    return decoded._replace(rejected=letters + decoded.rejected, ignored=ignored)
