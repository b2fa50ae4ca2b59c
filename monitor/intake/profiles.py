"""Files of profiles, CSV or JSON Lines, as canonical events: what is known of customers and of who owns them.

CSV: columns by the names of the fields of `tenant.profiled` and `party.profiled`. A row with a tenant is a profile of
it, one with a party alone a profile of that legal person. `time` says from when on it is known; several values of one
field are separated by `;`, identifiers are `scheme=value`. `basis` holds for all fields of the row, `basis.hq_country`
for one. `owners` is a list in JSON, or owners separated by `;`, each `PARTY=SHARE`, the share in per cent, as a
fraction, or `?` where it is not known, then where they hold ` control`, ` from DAY` and ` to DAY`:

    p-holding=51%; p-fund=? control from 2024-01-01; p-founder=0.25 to 2025-06-30

JSON Lines: such events as they are, or objects of the same fields with `time` beside them.

An event's id is a hash of what it says, so that the same row counts once, however often it is read.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, NamedTuple

from monitor.core.model import Kind, Record
from monitor.errors import ProfileProblem
from monitor.intake.canonical import PARTY_FIELDS, TENANT_FIELDS
from monitor.intake.decode import Rules, decode

TENANT_TYPE, PARTY_TYPE = "io.flopwatch.tenant.profiled.v1", "io.flopwatch.party.profiled.v1"
FILE_BYTES_MAX = 1_000_000_000
PROBLEMS_SHOWN_MAX = 20
TIME, BASIS, BASIS_OF = "time", "basis", "basis."
CANONICAL_FIELDS = frozenset({"specversion", "id", "source", "type", "data"})

_OWNER = re.compile(
    r"(?P<party>.+?)\s*=\s*(?P<share>\?|[0-9.]+\s*%?)(?P<control>\s+control)?"
    r"(?:\s+from\s+(?P<from>\S+))?(?:\s+to\s+(?P<to>\S+))?"
)
_TRUTHS = {"true": True, "yes": True, "false": False, "no": False}


class ProfileEvent(NamedTuple):
    """One profile as a canonical event."""

    of_tenant: bool  # facts of a tenant go to the tenant topic, others to the control topic
    key: str  # whose profile it is
    line: bytes  # structured JSON, newline included


def profile_events(content: bytes, file: str, at: int | None, source: str) -> list[ProfileEvent]:
    """The profiles of a file. `at`: milliseconds since 1970, for those that state no time; `source`: who says it.

    Raises:
        ProfileProblem: some of it is not as it must be, with a line for each of the first problems.
    """
    text = _text(content, file)
    read = _objects if text.lstrip().startswith("{") else _rows
    events: list[ProfileEvent] = []
    problems: list[str] = []
    for line, row in read(text, file):
        try:
            if isinstance(row, ValueError):
                raise row
            events.append(_event(row, at, source))
        except ValueError as wrong:
            problems.append(f"{file}, line {line:,}: {wrong}")
    if problems:
        more = len(problems) - PROBLEMS_SHOWN_MAX
        shown = problems[:PROBLEMS_SHOWN_MAX] + ([f"So it is with {more:,} more lines."] if more > 0 else [])
        raise ProfileProblem("\n".join(shown))
    return list({event.line: event for event in events}.values())


def _text(content: bytes, file: str) -> str:
    if len(content) > FILE_BYTES_MAX:
        raise ProfileProblem(f"{file} is larger than {FILE_BYTES_MAX:,} bytes; split it.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = content.count(b"\n", 0, wrong.start) + 1
        raise ProfileProblem(f"{file}, line {line:,} is no UTF-8 text; save it as UTF-8.") from None
    if not text.strip():
        raise ProfileProblem(f"{file} is empty; give a CSV file with a header, or JSON Lines.")
    return text


# -- one row ---------------------------------------------------------------------------------------------------------


def _event(row: dict[str, Any], at: int | None, source: str) -> ProfileEvent:
    """A row, or an event as it is, as a canonical event. ValueError: with the rest of a sentence."""
    event = row if row.keys() >= CANONICAL_FIELDS else _from_fields(row, at, source)
    line = _json(event)
    decoded = decode([Record("profiles", 0, 0, 1, line, None)], Rules())
    if decoded.rejected:
        raise ValueError(decoded.rejected[0].sentence)
    if not decoded.observations or decoded.observations[0].kind not in (Kind.TENANT_PROFILED, Kind.PARTY_PROFILED):
        raise ValueError("It is no profile; give events of tenants and parties only.")
    of_tenant = decoded.observations[0].kind is Kind.TENANT_PROFILED
    return ProfileEvent(of_tenant, event["data"]["tenant" if of_tenant else "party"], line + b"\n")


def _from_fields(row: dict[str, Any], at: int | None, source: str) -> dict[str, Any]:
    data = {name: value for name, value in row.items() if value is not None}
    time = data.pop(TIME, None) or (None if at is None else _instant(at))
    if time is None:
        raise ValueError("It states no time; add a column or field `time`, or give --at TIME.")
    of_tenant = "tenant" in data
    if not of_tenant and "party" not in data:
        raise ValueError("It names neither a tenant nor a party; fill in one of them.")
    kind, known = (TENANT_TYPE, TENANT_FIELDS) if of_tenant else (PARTY_TYPE, PARTY_FIELDS)
    _refuse_unknown(data, known, "tenant" if of_tenant else "party")
    content = _json({"type": kind, "time": time, "data": data})
    return {
        "specversion": "1.0",
        "id": hashlib.sha256(content).hexdigest()[:32],
        "source": source,
        "type": kind,
        "time": time,
        "subject": data["tenant" if of_tenant else "party"],
        "datacontenttype": "application/json",
        "data": data,
    }


def _refuse_unknown(data: Mapping[str, Any], known: frozenset[str], of: str) -> None:
    """A slip in a column's name must not leave a field unknown, nor end as a field that nobody reads."""
    for name in data:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"a {of} has {', '.join(sorted(known))}."
            raise ValueError(f"{name} is no field of a {of}; {hint}")


def _instant(at: int) -> str:
    text = datetime.fromtimestamp(at // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{at % 1_000:03d}Z"


def _json(content: object) -> bytes:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


# -- JSON Lines ------------------------------------------------------------------------------------------------------


def _objects(text: str, file: str) -> Iterator[tuple[int, dict[str, Any] | ValueError]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            yield number, ValueError("It is no JSON; give one object a line.")
            continue
        yield number, found if isinstance(found, dict) else ValueError("It is no object; give one object a line.")


# -- CSV -------------------------------------------------------------------------------------------------------------


def _rows(text: str, file: str) -> Iterator[tuple[int, dict[str, Any] | ValueError]]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(lines, [])]
        _check_header(header, file)
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                yield (
                    lines.line_num,
                    ValueError(
                        f"It has {len(cells)} fields where the header names {len(header)}; quote commas in fields."
                    ),
                )
                continue
            given = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
            try:
                yield lines.line_num, _fields(given)
            except ValueError as wrong:
                yield lines.line_num, wrong
    except csv.Error as wrong:
        raise ProfileProblem(f"{file}, line {lines.line_num:,} is no valid CSV ({wrong}); correct it there.") from None


def _check_header(header: Sequence[str], file: str) -> None:
    known = TENANT_FIELDS | PARTY_FIELDS
    for name in header:
        if name != TIME and name.removeprefix(BASIS_OF) not in known:
            near = get_close_matches(name, [*known, TIME], 1)
            hint = f"did you mean {near[0]}?" if near else "the names are those of the fields of profiles."
            raise ProfileProblem(f"{file}, line 1: The column {name or 'without a name'} is none of a profile; {hint}")
        if header.count(name) > 1:
            raise ProfileProblem(f"{file}, line 1: The column {name} stands twice; take one of them out.")
    if not {"tenant", "party"} & set(header):
        raise ProfileProblem(f"{file}, line 1: There is no column tenant or party; say whose profiles these are.")


def _fields(given: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a row. ValueError: with a sentence about the first that cannot be read."""
    fields: dict[str, Any] = {
        name: READ[name](text) if name in READ else text
        for name, text in given.items()
        if name != BASIS and not name.startswith(BASIS_OF)
    }
    basis = {name: given[BASIS] for name in fields if name not in ("tenant", TIME)} if BASIS in given else {}
    if "tenant" not in fields:
        basis.pop("party", None)
    for name, text in given.items():
        if name.startswith(BASIS_OF):
            basis[name.removeprefix(BASIS_OF)] = text
    return fields | ({BASIS: basis} if basis else {})


def _values(text: str) -> list[str]:
    return [value.strip() for value in text.split(";") if value.strip()]


def _identifiers(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in _values(text):
        scheme, equals, value = (part.strip() for part in pair.partition("="))
        if not (scheme and equals and value):
            raise ValueError(f"identifiers has {pair!r}; write SCHEME=VALUE, several separated by ;.")
        if scheme in found:
            raise ValueError(f"identifiers has {scheme} twice; a scheme has one value.")
        found[scheme] = value
    return found


def _truth(text: str) -> bool:
    if text.lower() not in _TRUTHS:
        raise ValueError(f"home_jurisdiction_person is {text!r}; write yes or no.")
    return _TRUTHS[text.lower()]


def _owners(text: str) -> list[Any]:
    if text.startswith("["):
        try:
            owners = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("owners begins like a JSON list and is none.") from None
        return list(owners)
    return [_owner(one) for one in _values(text)]


def _owner(text: str) -> dict[str, Any]:
    found = _OWNER.fullmatch(text)
    if found is None:
        raise ValueError(f"owners has {text!r}; write PARTY=SHARE, then control, from DAY, to DAY where they hold.")
    dates = {name: found[name] for name in ("from", "to") if found[name]}
    control = {"control": True} if found["control"] else {}
    return {"party": found["party"], "share": _share(found["share"], text), **control, **dates}


def _share(text: str, owner: str) -> float | None:
    """A share between 0 and 1; what is beyond is left to whoever checks events, and named there."""
    if text == "?":
        return None
    try:
        number = Decimal(text.rstrip("% "))
    except InvalidOperation:
        raise ValueError(f"owners has {owner!r}, whose share is no number.") from None
    share = number / 100 if text.endswith("%") else number
    if share > 1:
        raise ValueError(f"owners has {owner!r}; a share is 0 to 100 %, or 0 to 1 without the sign.")
    return float(share)


READ: Mapping[str, Callable[[str], Any]] = {
    "aliases": _values,
    "names": _values,
    "addresses": _values,
    "access_countries": _values,
    "identifiers": _identifiers,
    "owners": _owners,
    "home_jurisdiction_person": _truth,
}
