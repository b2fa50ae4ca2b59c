"""Files of profiles as canonical events: what a row says, when it counts, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.model import Record
from monitor.errors import ProfileProblem
from monitor.intake.decode import Rules, decode
from monitor.intake.profiles import ProfileEvent, profile_events

AT = 1_767_225_600_000  # 2026-01-01
ROWS = """\
tenant,party,legal_name,aliases,hq_country,access_countries,home_jurisdiction_person,identifiers,basis,basis.hq_country,time
t-1,p-1,Tidewrack Ltd,Tidewrack; TW,gb,gb;FR,no,vat=X-1; lei=L-1,documented,registry,2026-02-01T00:00:00Z
t-2,,,,,,,,,,
"""


def events(text: str, at: int | None = AT) -> list[ProfileEvent]:
    return profile_events(text.encode(), "profiles.csv", at, "crm")


def documents(text: str, at: int | None = AT) -> list[dict[str, Any]]:
    return [json.loads(event.line) for event in events(text, at)]


def refusal(text: str, at: int | None = AT) -> str:
    with pytest.raises(ProfileProblem) as problem:
        events(text, at)
    return str(problem.value)


def owners(text: str) -> list[dict[str, Any]]:
    (document,) = documents(f'party,owners\np-1,"{text}"\n')
    found: list[dict[str, Any]] = document["data"]["owners"]
    return found


def test_a_row_is_a_profile_of_its_tenant() -> None:
    """Several values by `;`, identifiers as pairs, the basis of the row and of single fields, its own time."""
    first, second = documents(ROWS)

    assert ("io.flopwatch.tenant.profiled.v1", "crm", "t-1", "2026-02-01T00:00:00Z") == tuple(
        first[name] for name in ("type", "source", "subject", "time")
    )
    assert {
        "tenant": "t-1",
        "party": "p-1",
        "legal_name": "Tidewrack Ltd",
        "aliases": ["Tidewrack", "TW"],
        "hq_country": "gb",
        "access_countries": ["gb", "FR"],
        "home_jurisdiction_person": False,
        "identifiers": {"vat": "X-1", "lei": "L-1"},
        "basis": {name: "documented" for name in first["data"] if name not in ("tenant", "basis")}
        | {"hq_country": "registry"},
    } == first["data"]
    assert ("2026-01-01T00:00:00.000Z", {"tenant": "t-2"}) == (second["time"], second["data"])


def test_a_row_without_a_tenant_is_a_profile_of_its_party() -> None:
    """Facts about no tenant, which go to the control topic."""
    (event,) = events("tenant,party,names,hq_country,basis\n,p-9,Shore Ltd;Shore,vg,registry\n")

    assert (False, "p-9") == (event.of_tenant, event.key)
    document = json.loads(event.line)
    assert "io.flopwatch.party.profiled.v1" == document["type"]
    assert {"names": "registry", "hq_country": "registry"} == document["data"]["basis"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p-2=51%", {"party": "p-2", "share": 0.51}),
        ("p-2=0.25", {"party": "p-2", "share": 0.25}),
        ("p-2=?", {"party": "p-2", "share": None}),
        ("p-2 = 50 % control", {"party": "p-2", "share": 0.5, "control": True}),
        (
            "a=b=100% from 2024-01-01 to 2025-01-01",
            {"party": "a=b", "share": 1.0, "from": "2024-01-01", "to": "2025-01-01"},
        ),
        ('[{""party"": ""p-2"", ""share"": null}]', {"party": "p-2", "share": None}),
    ],
)
def test_owners_are_written_briefly_or_as_json(text: str, expected: dict[str, Any]) -> None:
    """A share in per cent, as a fraction or unknown; control; from when to when."""
    assert [expected] == owners(text)


def test_owners_may_own_each_other() -> None:
    """A circle is a fact like others."""
    found = documents("party,owners\np-1,p-2=60%;p-3=?\np-2,p-1=60%\n")

    assert ["p-1", "p-2"] == [document["data"]["party"] for document in found]


def test_objects_are_read_like_rows() -> None:
    """The same fields give the same event, whichever way they are written."""
    written = json.dumps({"tenant": "t-1", "hq_country": "gb", "aliases": ["A", "B"]})

    assert events("tenant,hq_country,aliases\nt-1,gb,A;B\n") == events(written)


def test_events_are_passed_on_as_they_are() -> None:
    """A canonical event keeps its id, source and time."""
    (document,) = documents(ROWS.rsplit("t-2", 1)[0])

    assert [document | {"id": "mine"}] == documents(json.dumps(document | {"id": "mine"}))


def test_the_same_row_counts_once() -> None:
    """Its id is a hash of what it says: twice in a file, or read again, it is the same fact."""
    text = "tenant,hq_country\nt-1,gb\nt-1,gb\nt-1,fr\n"

    found = events(text)
    assert 2 == len(found) == len({json.loads(event.line)["id"] for event in found})
    assert found == events(text)
    assert found != events(text, AT + 1)


def test_what_comes_out_is_taken_in() -> None:
    """Each event is accepted, and all of its fields are known."""
    records = [Record("file", 0, n, n + 1, one.line.rstrip(b"\n"), None) for n, one in enumerate(events(ROWS))]
    decoded = decode(records, Rules())

    assert (2, [], {}) == (len(decoded.observations), decoded.rejected, decoded.unknown_fields)


REFUSED = {
    "share of 150 per cent": ("party,owners\np-1,p-2=150%\n", "line 2: owners has 'p-2=150%'; a share is 0 to 100 %"),
    "share of 1.5": ('{"party": "p", "owners": [{"party": "q", "share": 1.5}]}', "line 1: data.owners[0].share is 1.5"),
    "share that is none": ("party,owners\np-1,p-2=1.2.3%\n", "line 2: owners has 'p-2=1.2.3%', whose share"),
    "owner without a share": ("party,owners\np-1,p-2\n", "line 2: owners has 'p-2'; write PARTY=SHARE"),
    "owners of a tenant": ("tenant,owners\nt,p-2=5%\n", "line 2: owners is no field of a tenant"),
    "JSON that is none": ("party,owners\np-1,[x\n", "line 2: owners begins like a JSON list and is none."),
    "no country": ("tenant,hq_country\nt-1,GB\nt-2,Ruritania\n", 'line 3: data.hq_country is "Ruritania"; expected'),
    "no truth": ("tenant,home_jurisdiction_person\nt,maybe\n", "line 2: home_jurisdiction_person is 'maybe'; write"),
    "identifier": ("tenant,identifiers\nt,X-1\n", "line 2: identifiers has 'X-1'; write SCHEME=VALUE"),
    "identifier twice": ("tenant,identifiers\nt,a=1;a=2\n", "line 2: identifiers has a twice"),
    "basis": ("tenant,hq_country,basis\nt,GB,hearsay\n", "line 2: data.basis.hq_country is"),
    "column": ("tenant,hq_contry\nt,GB\n", "line 1: The column hq_contry is none of a profile; did you mean hq_"),
    "field": ('{"tenant": "t", "hq_contry": "GB"}', "line 1: hq_contry is no field of a tenant; did you mean hq_"),
    "column twice": ("tenant,tenant\nt,t\n", "line 1: The column tenant stands twice"),
    "nobody's profiles": ("hq_country\nGB\n", "line 1: There is no column tenant or party"),
    "nobody": ("tenant,party,hq_country\n,,GB\n", "line 2: It names neither a tenant nor a party"),
    "fields": ("tenant,hq_country\nt,GB,1\n", "line 2: It has 3 fields where the header names 2; quote commas"),
    "CSV": ('tenant\n"t\n', "line 2 is no valid CSV (unexpected end of data)"),
    "time": ("tenant,time\nt,yesterday\n", 'line 2: time is "yesterday"; expected an RFC 3339 time'),
    "no JSON": ('{"tenant": "t"}\n{', "line 2: It is no JSON; give one object a line."),
    "no object": ('{"tenant": "t"}\n[]', "line 2: It is no object; give one object a line."),
    "another event": (
        '{"specversion":"1.0","id":"1","source":"s","type":"io.flopwatch.source.alive.v1",'
        '"time":"2026-01-01T00:00:00Z","data":{"source":"s"}}',
        "line 1: It is no profile; give events of tenants and parties only.",
    ),
    "empty": ("\n", "profiles.csv is empty"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_profile_is_refused_with_its_line(case: str) -> None:
    """The file, the line, what is wrong and what to do; nothing is written."""
    text, sentence = REFUSED[case]

    assert f"profiles.csv{'' if sentence.startswith('profiles') else ', '}{sentence.removeprefix('profiles.csv')}" in (
        refusal(text)
    )


def test_a_time_is_asked_for() -> None:
    """Without one in the row somebody must say: the clock would make new facts of old rows."""
    assert "line 2: It states no time; add a column or field `time`, or give --at TIME." in refusal("tenant\nt\n", None)


def test_many_problems_are_counted() -> None:
    """The first twenty are told, the others counted."""
    lines = refusal("tenant,hq_country\n" + "t,X\n" * 25).splitlines()

    assert (21, "So it is with 5 more lines.") == (len(lines), lines[-1])


def test_another_encoding_is_told_with_its_line() -> None:
    """Files are UTF-8; a byte-order mark does no harm."""
    with pytest.raises(ProfileProblem, match=r"profiles\.csv, line 2 is no UTF-8 text; save it as UTF-8"):
        profile_events("tenant\né\n".encode("latin-1"), "profiles.csv", AT, "crm")
    assert events("tenant\nt\n") == profile_events(b"\xef\xbb\xbftenant\nt\n", "profiles.csv", AT, "crm")


@settings(max_examples=100)
@given(data=st.data(), sample=st.sampled_from([ROWS, '{"party": "p", "owners": [{"party": "q", "share": 0.5}]}\n']))
def test_whatever_bytes_come_they_are_profiles_or_refused(data: st.DataObject, sample: str) -> None:
    """Damaged anywhere, a file is events that are taken in, or a sentence."""
    content = bytearray(sample.encode())
    place, length = data.draw(st.integers(0, len(content))), data.draw(st.integers(0, 10))
    content[place : place + length] = data.draw(
        st.binary(max_size=8) | st.sampled_from([b"[", b"=9%", b"\\ud800", b"null"])
    )
    try:
        found = profile_events(bytes(content), "profiles.csv", AT, "crm")
    except ProfileProblem:
        return

    records = [Record("file", 0, n, n + 1, one.line.rstrip(b"\n"), None) for n, one in enumerate(found)]
    assert [] == decode(records, Rules()).rejected
