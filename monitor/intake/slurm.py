"""Accounting of Slurm: which job holds which accelerators, from when, until when.

Read are the rows of `sacct --parsable2` (or `--parsable`) with a header and any separator but a comma, and the JSON of
`sacct --json` and `squeue --json`, with numbers in both forms. Needed are JobID or JobIDRaw, State, Start, End,
AllocTRES, and Account unless one tenant is named; Cluster, Elapsed or ElapsedRaw, NodeList, JobName and Reservation are
used if they are there. Slurm has no events, only states that somebody asks for again and again: each says when a job
started and whether it has ended, so repeated windows and lost ones do no harm.

Only the row of a job counts: its batch, extern and numbered steps are parts of it. A job that waits or was cancelled
before it began holds nothing. A running one was seen at its start plus what has elapsed, which is when Slurm was asked.
A job that was requeued keeps its id and starts again: another life of the same allocation, with facts of its own.
Accelerators are `gres/gpu` of AllocTRES, by type if types are there, since the plain number repeats their sum. A type
may name a MIG profile, and is then so many slices of the chip before it. Where Slurm is told to account for no GPUs,
`squeue` still names those of each node (`gres_detail`). Shards and MPS are shares of unknown size, and ignored.
A job that was resized is told by `squeue` with its first start and its last size: it counts from when it was resized.

Times of rows are local to `zone`. Of an hour that comes twice a year the first is meant, unless what has elapsed says
otherwise. A line break in a name splits a row: what lacks columns goes on in the next line. (A name
with separators in it can look like another row: who has tenants that would do that reads the JSON.)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from monitor.intake.canonical import COUNT_MAX, instant_ms
from monitor.intake.dialect import (
    SEEN,
    STARTED,
    STOPPED,
    Event,
    Options,
    Translated,
    at,
    event,
    instant,
    outer,
    parsed,
    text,
    together,
    whole,
)
from monitor.intake.kubernetes import part_of_a_chip
from monitor.intake.refusal import Ignored, Refusal, shown

CLEANED_UP = "COMPLETING"  # it has ended, as its account says at once, if anything says when
RESIZED = "RESIZING"  # in accounts: it has ended with its old size, and goes on in a row of its own
# States of a job that has its nodes; every other one that has started has ended.
HOLDING = {CLEANED_UP, RESIZED, "RUNNING", "CONFIGURING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT"}
WAITING = {"PENDING", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT", "REVOKED"}
NEEDED = ("State", "Start", "End", "AllocTRES")
UNKNOWN = {"", "None", "Unknown", "N/A", "Invalid"}
NO_ACCELERATORS = "a job without accelerators"
TYPES_MAX = 16  # of accelerators in one job
NODES_MAX = 4_096  # named of one job; more add nothing to what tells runs apart
SECONDS_MAX = 5_000_000_000  # since 1970: beyond the year 2100

_HEADER = re.compile(r"[A-Za-z]{2,32}([^A-Za-z,\n]{1,8})[A-Za-z]", re.ASCII)
_LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}", re.ASCII)
_ELAPSED = re.compile(r"(?:(\d{1,5})-)?(?:(\d{1,3}):)?(\d{1,3}):(\d{2})(?:\.\d+)?", re.ASCII)
_GPUS = re.compile(r"gres/gpu(?::([^=,:]{1,200}))?[=:](\d{1,9})", re.ASCII)
_SHARES = re.compile(r"\bgres/(?:shard|mps)\b", re.ASCII)
# How NVML names a slice, with or without what it is a slice of: nvidia_a100-sxm4-40gb_1g.5gb.
_SLICE = re.compile(r"(?:(.+?)[_.-])??(?:mig[_.-])?((?:[1-9]c\.)?[1-9]g\.\d{1,4}gb)(?:[_.+-]me)?", re.ASCII)
_ON_A_NODE = re.compile(r"(?:^|,)gpu(?::([^:,()]{1,200}))?:(\d{1,9})(?=[(,]|$)", re.ASCII)
_HOSTS = re.compile(r"([\w.-]{0,100})(?:\[([0-9,-]*)\]([\w.-]{0,100}))?(?:,|$)", re.ASCII)
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?", re.ASCII)


class Job(NamedTuple):
    """One job at one state, as a row or an object tells of it."""

    id: str
    cluster: str | None
    account: str | None
    state: str
    start: str  # as it was told
    began: str | None  # RFC 3339; None: it has not begun
    ended: str | None  # None: it has not ended, or when is not known
    seen: str | None  # when it was told of, if that is known
    tres: str | None  # what was allocated; None: nothing says so
    nodes: str
    name: str | None
    reservation: str | None


def recognises(document: object) -> bool:
    """Whether a JSON document is of this dialect."""
    return isinstance(at(document, "jobs"), list) and ("meta" in _dict(document) or "errors" in _dict(document))


def recognises_text(raw: bytes) -> bool:
    """Whether a text is of this dialect, by its first line."""
    header = _header(raw[:65_536].partition(b"\n")[0].decode("utf-8", "replace"))
    return header is not None and "State" in header[1] and bool({"JobID", "JobIDRaw"} & set(header[1]))


def translate(raw: bytes, options: Options) -> Iterator[Translated]:
    """What becomes of each row of a text or each job of a document."""
    zone = _zone(options.zone)
    if isinstance(zone, Refusal):
        yield Translated("jobs", zone)
    elif raw.lstrip()[:1] in (b"{", b"["):
        yield from _document(raw, options)
    elif not recognises_text(raw):
        sentence = f"The first line is {shown(_line(raw))}; expected a header of sacct -P with JobID and State."
        yield Translated("rows", Refusal("envelope", sentence))
    else:
        yield from _rows(raw, zone, options)


def _line(raw: bytes) -> str:
    return raw[:200].partition(b"\n")[0].decode("utf-8", "replace")


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo | Refusal:
    if name == "UTC":  # needs no data of zones
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return Refusal("time", f"{shown(name)} is no time zone that is known here; expected one such as Europe/Berlin.")


# -- rows ------------------------------------------------------------------------------------------------------------


def _header(line: str) -> tuple[str, list[str]] | None:
    """The separator of a header and its columns."""
    found = _HEADER.match(line)
    if found is None or found[1] == " " * len(found[1]):
        return None
    return found[1], line.rstrip("\r").split(found[1])


def _rows(raw: bytes, zone: tzinfo, options: Options) -> Iterator[Translated]:
    lines = iter(raw.decode("utf-8", "replace").split("\n"))  # of names only: what decides is ASCII
    header = _header(next(lines))
    assert header is not None
    separator, columns = header
    place = {name: position for position, name in reversed(list(enumerate(columns))) if name}
    row: list[str] = []  # its lines so far
    cells = 0
    for line in lines:
        more = line.count(separator)
        if row and (more + 1 >= len(columns) or cells + more > len(columns)):
            yield _short(cells, columns)
            row = []
        if not row and not line.strip():
            continue
        cells = cells + more if row else more + 1
        row.append(line)
        if cells >= len(columns):
            told = "\n".join(row).rstrip("\r").split(separator)
            yield _row(told, place, zone, options) if cells == len(columns) else _short(cells, columns)
            row = []
    if row:
        yield _short(cells, columns)


def _short(cells: int, columns: list[str]) -> Translated:
    return Translated("row", Refusal("field", f"The row has {cells} columns; expected {len(columns)}."))


def _row(cells: list[str], place: Mapping[str, int], zone: tzinfo, options: Options) -> Translated:
    def cell(name: str) -> str:
        position = place.get(name)
        return "" if position is None else cells[position].strip()

    id = cell("JobIDRaw") or cell("JobID")
    state = cell("State").partition(" ")[0].rstrip("+")  # CANCELLED by 1000; a + is what did not fit
    what = f"{shown(state, quote=False)} {shown(id, quote=False)}"
    if "." in id:
        return Translated(what, Ignored("a step: its job's own row counts"))
    if missing := [name for name in NEEDED if name not in place]:
        sentence = f"{', '.join(missing)} missing; ask sacct for these columns, too."
        return Translated(what, Refusal("field", sentence))
    elapsed = _elapsed(cell("ElapsedRaw"), cell("Elapsed"))
    expected = state in HOLDING and state not in (CLEANED_UP, RESIZED)
    times = _times(cell("Start"), "" if expected else cell("End"), elapsed, zone)
    if isinstance(times, Refusal):
        return Translated(what, times)
    began, ended = times
    seen = _later(began, elapsed) if began is not None and elapsed is not None else None
    job = Job(
        id, cell("Cluster") or None, cell("Account") or None, state, cell("Start"), began, ended, seen,
        cell("AllocTRES"), cell("NodeList"), cell("JobName") or None,
        cell("Reservation") or None,
    )  # fmt: skip
    return Translated(what, _outcome(job, options))


def _elapsed(raw: str, told: str) -> int | None:
    """Seconds."""
    if raw.isascii() and raw.isdigit() and len(raw) <= 10:
        return int(raw)
    found = _ELAPSED.fullmatch(told)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


Times = tuple[str | None, str | None]


def _times(start: str, end: str, elapsed: int | None, zone: tzinfo) -> Times | Refusal:
    """Start and end with zone. Where the clocks give an hour twice, what has elapsed says which of the two it was."""
    starts, ends = _readings(start, zone), _readings(end, zone)
    for found in (starts, ends):
        if isinstance(found, Refusal):
            return found
    assert isinstance(starts, list)
    assert isinstance(ends, list)
    if len(starts) > 1 or len(ends) > 1:
        pairs = [(a, b) for a in starts for b in ends] if starts and ends else []
        if elapsed is not None and pairs:
            return min(pairs, key=lambda pair: abs(instant_ms(pair[1]) - instant_ms(pair[0]) - 1_000 * elapsed))
        if pairs:  # nobody ends before the start
            return next((pair for pair in pairs if instant_ms(pair[0]) <= instant_ms(pair[1])), pairs[-1])
    return (starts[0] if starts else None), (ends[0] if ends else None)


def _readings(told: str, zone: tzinfo) -> list[str] | Refusal:
    """What a time of a row may be: none where it is not known, two where the clocks went back."""
    if told in UNKNOWN:
        return []
    if told.isascii() and told.isdigit():  # SLURM_TIME_FORMAT=%s
        return _since_1970(int(told) if len(told) <= 10 else SECONDS_MAX)
    if not _LOCAL.fullmatch(told):
        time = instant(told) if told[19:] else None  # with a zone of its own
        return [time] if isinstance(time, str) else _no_time(told)
    try:
        local = datetime.fromisoformat(told)
        both = [local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    except (ValueError, OverflowError):
        return _no_time(told)
    # In an hour that is left out the two differ as well, but stand in the other order: it is no hour that comes twice.
    times = [instant(f"{one:%Y-%m-%dT%H:%M:%S}Z") for one in (both if both[0] < both[1] else both[:1])]
    return _no_time(told) if any(isinstance(time, Refusal) for time in times) else [str(time) for time in times]


def _no_time(told: object) -> Refusal:
    return Refusal("time", f"The time is {shown(told)}; expected one from 2010 to 2100, such as 2026-03-01T12:00:00.")


def _since_1970(seconds: int) -> list[str] | Refusal:
    if not 0 <= seconds < SECONDS_MAX:
        return _no_time(seconds)
    time = instant(f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}Z")
    return _no_time(seconds) if isinstance(time, Refusal) else [time]


def _later(time: str, seconds: int) -> str | None:
    """So many seconds after a time; None: out of range."""
    found = _since_1970(instant_ms(time) // 1_000 + seconds)
    return None if isinstance(found, Refusal) else found[0]


# -- documents -------------------------------------------------------------------------------------------------------


def _document(raw: bytes, options: Options) -> Iterator[Translated]:
    document = parsed(raw)
    if isinstance(document, Refusal):
        yield Translated("jobs", document)
    elif not recognises(document):
        sentence = f"The record is {shown(document)}; expected jobs, as sacct --json and squeue --json write them."
        yield Translated("jobs", Refusal("envelope", sentence))
    else:
        asked = _number(document.get("last_update"))
        for job in document["jobs"]:
            yield _job(job, asked, options)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> int | None:
    """A whole number, plain or as {set, infinite, number}; None: it is not set."""
    if isinstance(value, dict):
        value = None if value.get("infinite") is True or value.get("set") is False else value.get("number")
    return value if type(value) is int and abs(value) < SECONDS_MAX else None


def _states(job: Any) -> list[str]:
    value = at(job, "state", "current") or at(job, "job_state") or at(job, "state")
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _job(job: Any, asked: int | None, options: Options) -> Translated:
    """A job of either command; `squeue` tells an end that is only expected."""
    states = _states(job)
    number = _number(at(job, "job_id"))
    what = f"{shown(' '.join(states), quote=False)} {number}"
    if number is None or not states:
        sentence = f"The job is {shown(job)}; expected its job_id and state."
        return Translated("job", Refusal("field", sentence))
    state = next((one for one in states if one in HOLDING), states[0])
    expected = state in HOLDING and state != CLEANED_UP
    end = None if expected else _number(at(job, "time", "end")) or _number(at(job, "end_time"))
    if state == CLEANED_UP and end and states[0] not in WAITING:
        state = states[0]
    start = _number(at(job, "time", "start")) or _number(at(job, "start_time"))
    if start and (resized := _number(at(job, "resize_time"))):
        start = max(start, resized)
    told = {"start": start, "end": end, "seen": asked}
    elapsed = _number(at(job, "time", "elapsed"))
    if told["start"] and elapsed:
        told["seen"] = told["start"] + elapsed
    times: dict[str, str | None] = {}
    for name, seconds in told.items():
        found = _since_1970(seconds) if seconds else [None]
        if isinstance(found, Refusal):
            return Translated(what, found)
        times[name] = found[0]
    reservation = text(job, "reservation", "name") or text(job, "resv_name")
    read = Job(
        str(number), text(job, "cluster"), text(job, "account"), state, str(start), times["start"], times["end"],
        times["seen"], _tres(job), text(job, "nodes") or "", text(job, "name"), reservation,
    )  # fmt: skip
    return Translated(what, _outcome(read, options))


def _tres(job: Any) -> str | None:
    """What was allocated, as rows write it."""
    told = at(job, "tres_alloc_str")
    if isinstance(told, str):
        return told if "gres/gpu" in told else ",".join([told, *_on_nodes(at(job, "gres_detail"))])
    allocated = at(job, "tres", "allocated")
    if not isinstance(allocated, list):
        return None
    parts = []
    for one in allocated:
        kind, name, count = text(one, "type"), text(one, "name"), _number(at(one, "count"))
        parts.append(f"{kind}{'/' + name if name else ''}={count}")
    return ",".join(parts)


def _on_nodes(details: object) -> Iterator[str]:
    """The accelerators on all nodes of a job, by type, as rows write them."""
    counts: Counter[str] = Counter()
    for one in details if isinstance(details, list) else []:
        for kind, number in _ON_A_NODE.findall(one) if isinstance(one, str) else ():
            counts[kind] += int(number)
    return (f"gres/gpu{':' + kind if kind else ''}={number}" for kind, number in counts.items())


# -- what becomes of a job -------------------------------------------------------------------------------------------


def _outcome(job: Job, options: Options) -> tuple[Event, ...] | Ignored | Refusal:
    if job.state in WAITING:
        return Ignored(f"a job that is {job.state}")
    held = None if job.tres is None else _accelerators(job.tres)
    if held is None:
        return Refusal("field", "The job does not say what was allocated; expected its TRES.")
    if isinstance(held, Refusal):
        return held
    if not held:
        shares = _SHARES.search(job.tres or "") is not None
        return Ignored("a job with a share of an accelerator: how much is not told" if shares else NO_ACCELERATORS)
    if job.began is None:
        return Ignored(f"a job that is {shown(job.state, quote=False)} and never began")
    account = job.account
    if not job.id or (account is None and options.tenant is None):
        return Refusal("field", "The job is without id or account; expected both, or one tenant for all accounts.")
    ended = job.ended
    if ended is None and job.state not in HOLDING:
        return Refusal("time", f"The job is {shown(job.state)} and its end is not known.")
    if ended is not None and instant_ms(ended) < instant_ms(job.began):
        return Refusal("time", f"The job ends at {ended}, before its start at {job.began}.")
    nodes = hosts(job.nodes)
    made = []
    for kind, count in held:
        name = "/".join(("slurm", *([job.cluster] if job.cluster else []), job.id, *([kind] if len(held) > 1 else [])))
        started = {
            "account": account if options.tenant else None,
            **_shape(kind, count),
            "layer": "job",
            "job": job.name,
            "reservation": job.reservation,
            "nodes": nodes or None,
            "within": outer(options, nodes[0] if nodes else None),
        }
        seen = job.seen or options.received
        facts: list[tuple[str, str, dict[str, Any]]] = [(STARTED, job.began, started)]
        if ended is not None:
            facts.append((STOPPED, ended, {"reason": job.state}))
        elif seen is not None:
            facts.append((SEEN, seen, {"lease_seconds": options.lease_seconds}))
        for verb, time, data in facts:
            id = f"{job.id}/{job.start}/{job.state}/{kind}/{time}"
            source = f"{options.source}/{job.cluster}" if job.cluster else options.source
            identity = source, f"{id}/{verb.split('.')[-2]}"
            made.append(event(verb, identity, time, options.tenant or account or "", allocation=name, **data))
    return together(*made)


def _accelerators(tres: str) -> list[tuple[str, int]] | Refusal:
    """How many of each type; "" stands for a type that is not told."""
    plain, typed = 0, {}
    for part in tres.split(","):
        if (found := _GPUS.fullmatch(part.strip())) is not None:
            number = whole(found[2])
            if number is None:
                return Refusal("field", f"AllocTRES is {shown(tres)}; expected at most {COUNT_MAX:,} accelerators.")
            if found[1] is None:
                plain = number
            elif number:
                typed[found[1]] = number
        elif part.strip().startswith(("gres/gpu=", "gres/gpu:")):
            return Refusal("field", f"AllocTRES is {shown(tres)}; expected a whole number of accelerators.")
    if len(typed) > TYPES_MAX:
        return Refusal("field", f"AllocTRES names {len(typed):,} types of accelerators; expected at most {TYPES_MAX}.")
    if len(typed) == 1:
        return [(kind, max(number, plain)) for kind, number in typed.items()]
    return list(typed.items()) or ([("", plain)] if plain else [])


def _shape(kind: str, number: int) -> dict[str, Any]:
    """How many accelerators of which model are so many of a type."""
    if (cut := _SLICE.fullmatch(kind)) is None:
        return {"accelerator": kind or None, "count": number}
    return {"accelerator": cut[1], "count": round(number * (part_of_a_chip(cut[2]) or 1), 3)}


def hosts(told: str) -> list[str]:
    """The names in a list of hosts such as n[1-3,07],m5: the first 4,096; none where it is no such list."""
    names: list[str] = []
    position = 0
    while position < len(told) and len(names) < NODES_MAX:
        found = _HOSTS.match(told, position)
        if found is None or found.end() == position:
            return []
        position = found.end()
        before, ranges, after = found.groups()
        if ranges is None:
            names += [before] if before else []
            continue
        for part in ranges.split(","):
            if (ends := _RANGE.fullmatch(part)) is None:
                return []
            low, high = int(ends[1]), int(ends[2] or ends[1])
            if (room := NODES_MAX - len(names)) <= 0:
                return names
            names += [
                f"{before}{number:0{len(ends[1])}}{after}" for number in range(low, min(high, low + room - 1) + 1)
            ]
    return names
