"""Foreign records for tests of dialects: samples, damaged ones, a day of a fleet, and what the books make of them."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st

from monitor.core.book import Book
from monitor.core.engine import books_digest, hearing
from monitor.core.estimate import totals
from monitor.core.model import CERTAIN, DAY_MS, SECOND_MS, Record
from monitor.intake.decode import Rules, decode
from monitor.intake.dialect import PREFIX, Event, Options, Translated, line
from monitor.intake.refusal import REASONS, Ignored, Refusal
from monitor.run.apply import take_in
from monitor.simulate.scenarios import START, simulate
from monitor.simulate.wire import instant
from monitor.store.memory import MemoryArchive

Translate = Callable[[bytes, Options], Iterator[Translated]]

BUILT = Path(__file__).resolve().parent / "samples"
# Of a thousand nodes, and of ten thousand.
DAYS = pytest.mark.parametrize("scale", [1, pytest.param(10, marks=pytest.mark.torture)])
REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "events"


def sample(name: str) -> bytes:
    """A built sample, as `gcp/built-insert-first.json`."""
    return (BUILT / name).read_bytes()


def samples(dialect: str) -> list[Any]:
    """The documents of all built samples of a dialect."""
    return [json.loads(file.read_bytes()) for file in sorted((BUILT / dialect).iterdir())]


def strangers(dialect: str, *folders: str) -> list[tuple[str, Any]]:
    """Documents of other sources, by name: built ones, and real ones, if they are there, outside these folders."""
    files = [file for file in BUILT.glob("*/*.json") if file.parent.name != dialect]
    files += [file for file in REAL.glob("*/*.json") if file.parent.name not in folders]
    return [(f"{file.parent.name}/{file.name}", json.loads(file.read_bytes())) for file in sorted(files)]


def events(translate: Translate, raw: bytes, options: Options) -> list[Event]:
    """The events of all foreign records in one record."""
    return [one for translated in translate(raw, options) for one in _made(translated)]


def _made(translated: Translated) -> tuple[Event, ...]:
    """Its events; a refusal is a tuple, too."""
    return () if isinstance(translated.outcome, Ignored | Refusal) else translated.outcome


def outcomes(translate: Translate, raw: bytes, options: Options) -> list[str]:
    """What became of each foreign record in a few words: `started nova/1`, `ignored: exists`, `refused: time`."""
    return [_told(translated.outcome) for translated in translate(raw, options)]


def _told(outcome: tuple[Event, ...] | Ignored | Refusal) -> str:
    if isinstance(outcome, Ignored):
        return f"ignored: {outcome.type}"
    if isinstance(outcome, Refusal):
        return f"refused: {outcome.reason}"
    return ", ".join(f"{verb(one)} {one['data']['allocation']}" for one in outcome)


def verb(made: Event) -> str:
    """The verb of an event's type: `started`."""
    return str(made["type"]).removeprefix(PREFIX + "allocation.").removesuffix(".v1")


def check_anything(translate: Translate, raw: bytes, options: Options) -> None:
    """Whatever comes, nothing is raised, refusals are of the closed set, and every event that leaves is accepted."""
    translated = list(translate(raw, options))
    made = [one for each in translated for one in _made(each)]
    decoded = decode(_records(map(line, made)), Rules())

    assert {one.outcome.reason for one in translated if isinstance(one.outcome, Refusal)} <= set(REASONS)
    assert [] == decoded.rejected
    assert {} == decoded.ignored
    assert len(made) == len(decoded.observations)


def _records(lines: Iterable[bytes]) -> list[Record]:
    return [Record("events", 0, place, place + 1, one, None) for place, one in enumerate(lines)]


# -- damage ----------------------------------------------------------------------------------------------------------

NASTY = [
    None, True, 0, -1, 10**30, 1e300, "", "x", "\0", "x" * 1_025, "1", "9" * 400, "2026-02-30T00:00:00Z",
    "1969-01-01T00:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01", "9999-12-31T23:59:59.9-23:59", "{", "[]", "e30=",
    "\u0660\u0661", [], {}, [None], {"value": {}}, [[]], {"": ""},
]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(NASTY),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
        max_leaves=5,
    ),
)


@st.composite
def damaged(draw: st.DrawFn, documents: Sequence[Any]) -> bytes:
    """One of these documents with other values at some places, or with none."""
    document = [deepcopy(draw(st.sampled_from(documents)))]
    for _ in range(draw(st.integers(0, 3))):
        inside, key = draw(st.sampled_from(list(_places(document))))
        if draw(st.booleans()) or inside is document:
            inside[key] = deepcopy(draw(VALUES))
        else:
            del inside[key]
    return json.dumps(document[0]).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict | list):
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from _places(inner)


# -- a day of a fleet ------------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """An allocation holds other units from an instant on; none before it starts and after it has stopped."""

    time: int  # milliseconds since 1970, a whole second: some sources say no more
    tenant: str
    name: str
    hardware: str
    before: int
    after: int


@cache
def day(scale: int = 1) -> tuple[Step, ...]:
    """What the tenants of the simulated fleet do in its first day, in whole units; at its end all is given back."""
    held: dict[tuple[str, str], tuple[str, int]] = {}
    steps = []
    for raw in simulate("fleet", scale=scale).events():
        told = json.loads(raw)
        time = int(datetime.fromisoformat(told["time"]).timestamp()) * SECOND_MS
        if time >= START + DAY_MS:
            break
        if not told["type"].startswith(PREFIX + "allocation.") or verb(told) == "seen":
            continue
        data = told["data"]
        key = data["tenant"], data["allocation"]
        hardware, before = held.get(key) or (data.get("accelerator") or data["instance_type"], 0)
        after = int(data.get("count", data.get("instances", 0)))
        held[key] = hardware, after
        if before != after:
            steps.append(Step(time, *key, hardware, before, after))
    end = START + DAY_MS
    return (*steps, *(Step(end, *key, hardware, units, 0) for key, (hardware, units) in held.items() if units))


def machines(before: int, after: int) -> tuple[range, range]:
    """Numbers of the machines that appear and go where each is one unit."""
    return range(before, after), range(after, before)


def truth(scale: int = 1) -> dict[tuple[str, str], int]:
    """What each tenant held of each hardware in that day, in thousandths of a unit times milliseconds."""
    used: Counter[tuple[str, str]] = Counter()
    for step in day(scale):
        used[step.tenant, step.hardware] += 1_000 * (step.before - step.after) * (step.time - START)
    return {key: amount for key, amount in used.items() if amount}


def said(time: int) -> str:
    """An instant as clouds write it."""
    return instant(time)


# -- books -----------------------------------------------------------------------------------------------------------


def book_of(made: Sequence[Event]) -> Book:
    """The book of these events, in the order in which they come."""
    decoded = decode(_records(map(line, made)), Rules())
    assert [] == decoded.rejected
    book, archive = Book(), MemoryArchive()
    take_in(book, archive, decoded.observations, [None] * len(decoded.observations))
    archive.commit(book.drain())
    return book


def used(book: Book) -> dict[tuple[str, str], int]:
    """What each tenant certainly held of each hardware, in thousandths of a unit times milliseconds."""
    heard = hearing(book, book.clock)
    sums: Counter[tuple[str, str]] = Counter()
    for name, tenant in book.tenants.items():
        for shape, by_class in totals(tenant, book.clock, heard).items():
            sums[name, shape.hardware or ""] += by_class.get(CERTAIN, 0)
    return {key: amount for key, amount in sums.items() if amount}


def books_in_any_order(made: Sequence[Event]) -> dict[str, str]:
    """The digests of the books of these events: as they came, in the order of their times, shuffled, all doubled."""
    chance = random.Random("order")
    ways = {
        "as they came": list(made),
        "by time": sorted(made, key=lambda one: str(one["time"])),
        "shuffled": chance.sample(made, len(made)),
        "doubled": chance.sample([*made, *made], 2 * len(made)),
    }
    return {way: books_digest(book := book_of(some), book.clock) for way, some in ways.items()}
