"""What each format says of a listed party, and which bytes are refused with which sentence."""

from __future__ import annotations

import json
import unicodedata
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.lists import ListedName, NameKind
from monitor.errors import ListProblem
from monitor.reference.lists import entries
from monitor.reference.lists.files import READERS
from monitor.settings import ScreeningList
from tests.reference.lists.samples import (
    CSL_CSV,
    CSL_JSON,
    EL,
    FTM,
    FTM_JSONL,
    OWN_YAML,
    SAMPLES,
    SDN,
    SIMPLE_CSV,
    SYNTHETIC,
    WRITTEN,
    only,
    read,
)

PRIMARY, ALIAS, FORMER, WEAK = NameKind.PRIMARY, NameKind.ALIAS, NameKind.FORMER, NameKind.WEAK
CSL_HEADER = b"source,name,addresses,alt_names,ids,programs,type,entity_number\n"


def refusal(content: bytes, format: str | None = None) -> str:
    with pytest.raises(ListProblem) as caught:
        read(content, format)
    sentence = str(caught.value)
    assert sentence.startswith("The list us")
    assert sentence.endswith(".")
    return sentence


def csl_row(name: str = "X", source: str = SDN, number: str = "1", address: str = "", aliases: str = "") -> bytes:
    return f'{source},"{name}","{address}","{aliases}",,,,{number}\n'.encode()


# -- what is read ----------------------------------------------------------------------------------------------------


def test_the_settings_know_the_formats() -> None:
    """A format can be named in the settings exactly if there is a reader of it."""
    (named, _) = get_args(ScreeningList.model_fields["format"].annotation)

    assert list(READERS) == list(get_args(named))


@pytest.mark.parametrize("format", READERS)
def test_a_format_is_recognised_by_its_content(format: str) -> None:
    """Without a name in the settings the content tells the format, and both ways read the same."""
    found = read(SAMPLES[format])

    assert format == found.format
    assert read(SAMPLES[format], format) == found
    assert found.version.entries == len(found.parties) > 0


def test_both_files_of_the_us_list_say_the_same() -> None:
    """CSV and JSON give equal parties: names, places, numbers and programmes."""
    parties = read(CSL_CSV).parties

    assert read(CSL_JSON).parties == parties
    listed, person = (party for party in parties if party.source == "us.sdn")
    assert ("501", "entity", frozenset({"GB"})) == (listed.id, listed.schema, listed.countries)
    assert (("QUARTZ FERRY LTD", PRIMARY), ("Quartz", ALIAS), ("QF LTD", ALIAS)) == listed.names
    assert ("1 Quay, Saltmouth, GB",) == listed.addresses
    assert (("Company Number", "X-1"),) == listed.identifiers
    assert ("SDGT", "IRAN") == listed.programs
    assert ("person", frozenset({"PA"})) == (person.schema, person.countries)


def test_an_entry_may_be_an_address_alone() -> None:
    """ "Address 03" is no name: such an entry of the Entity List has an address and nobody."""
    (party,) = (party for party in read(CSL_CSV).parties if party.source == "us.el")

    assert ((), ("Room 9, Heron Tower, Hong Kong, HK",), frozenset({"HK"})) == (
        party.names,
        party.addresses,
        party.countries,
    )


def test_columns_count_by_their_names() -> None:
    """Another order, more columns and names without underscores read the same."""
    lines = [line.split(b",") for line in (CSL_HEADER + csl_row()).splitlines()]
    turned = b"\n".join(b",".join([b"new", *reversed(line)]) for line in lines).replace(
        b"entity_number", b"EntityNumber"
    )

    assert read(CSL_HEADER + csl_row()).parties == read(turned).parties


def test_the_answer_of_the_search_interface_is_read() -> None:
    """There the state is `state_or_province`."""
    document = json.loads(CSL_JSON)
    document["results"] = document["results"][:1]
    document["results"][0]["addresses"] = [{"city": "Dry Fork", "state_or_province": "TX", "country": "US"}]

    assert ("Dry Fork, TX, US",) == only(json.dumps(document).encode()).addresses


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ("US, 80-1, Tax ID No.", (("Tax ID No.", "80-1"),)),
        ("80-1, Registration ID", (("Registration ID", "80-1"),)),
        ("1, 2 and 3, Gazette", (("Gazette", "1, 2 and 3"),)),
        ("80-1", (("", "80-1"),)),
        ("Subject to Secondary Sanctions, Additional Sanctions Information -; rules, Secondary sanctions risk:", ()),
    ],
)
def test_identifiers_of_the_us_csv(ids: str, expected: tuple[tuple[str, str], ...]) -> None:
    """Number and kind with or without a country; remarks that stand among them are no identifiers."""
    assert expected == only(CSL_HEADER + f'{SDN},X,,,"{ids}",,,1\n'.encode()).identifiers


def test_the_simple_table_is_read() -> None:
    """Values with `;` inside are quoted; the list is as old as the day on which its entries were last seen."""
    found, party = read(SIMPLE_CSV), only(SIMPLE_CSV)

    assert 1_793_577_600_000 == found.version.dated == found.published
    assert ("us.sdn", "x1", "entity", frozenset({"GB", "PA"})) == (*party[:2], party.schema, party.countries)
    assert ("Quartz Ferry", "Quarz-Fähre", "Quartz; Ferry & Sons") == tuple(name.text for name in party.names)
    assert (("", "X-1"),) == party.identifiers


def test_followthemoney_entities_are_read() -> None:
    """Addresses and sanctions stand on lines of their own; who is only linked is on no list; others are left out."""
    found = read(FTM_JSONL)
    linked, listed = found.parties

    assert ("us.sdn", "f1", frozenset({"GB", "CN", "PA"})) == (*listed[:2], listed.countries)
    assert (("Quartz Ferry", PRIMARY), ("Agate Ferry", FORMER), ("QF", WEAK)) == listed.names
    assert (("1 Quay, Saltmouth",), (("leiCode", "LEI0000017"),), ("P-1",)) == (
        listed.addresses,
        listed.identifiers,
        listed.programs,
    )
    assert ("linked", "f2") == linked[:2]
    assert ("entities left out that are on no list: 1 (the first in line 5).",) == found.notes


def test_an_entity_on_two_lists_is_two_entries() -> None:
    """What holds for a party differs by list, so each list has its own entry of it."""
    entity = FTM[0] | {"datasets": ["SDN", "EL"]}

    assert ["us.el", "us.sdn"] == [party.source for party in read(json.dumps(entity).encode()).parties]


def test_our_own_format_is_read() -> None:
    """Each kind of name, and the day that the file states."""
    found, party = read(OWN_YAML), only(OWN_YAML)

    assert 1_793_491_200_000 == found.version.dated == found.published
    assert [PRIMARY, ALIAS, FORMER, WEAK] == [name.kind for name in party.names]
    assert (("company_number", "X-1"),) == party.identifiers


def test_the_synthetic_lists_are_sound() -> None:
    """Every format, all thirteen sources of the US list, equal entries in its two files, no natural person."""
    found = {path.name: read(path.read_bytes()) for path in sorted(SYNTHETIC.iterdir()) if path.suffix != ".md"}

    assert set(READERS) == {one.format for one in found.values()}
    assert 13 == len(found["csl.csv"].by_source)
    assert found["csl.csv"].parties == found["csl.json"].parties
    assert [] == [party for one in found.values() for party in one.parties if party.schema == "person"]
    names = [name.text for one in found.values() for party in one.parties for name in party.names]
    scripts = {unicodedata.name(letter).split()[0] for name in names for letter in name if letter.isalpha()}
    asked = "LATIN CJK KATAKANA HANGUL CYRILLIC GREEK ARABIC HEBREW DEVANAGARI TAMIL THAI ARMENIAN GEORGIAN"
    assert set(asked.split()) <= scripts
    assert "兰岫控股集团" in names


def test_an_entry_of_an_unknown_list_counts_as_other_and_is_told() -> None:
    """A list that effects.yaml does not know must not leave its entries unseen."""
    found = read(CSL_HEADER + csl_row(source="A new list (NEW)"))

    assert {"other": 1} == found.by_source
    assert "lists that effects.yaml does not know (A new list (NEW), NEW), which count as other: 1" in found.notes[0]


# -- ids -------------------------------------------------------------------------------------------------------------


def test_one_number_on_two_lists_is_two_entries() -> None:
    """Numbers are unique in a source at best: the same one elsewhere is somebody else."""
    found = read(CSL_HEADER + csl_row("One", SDN) + csl_row("Two", EL))

    assert [("us.el", "1"), ("us.sdn", "1")] == [party[:2] for party in found.parties]


def test_ids_do_not_depend_on_the_order_of_the_file() -> None:
    """Entries with one number, or with none, have the same ids whichever comes first."""
    rows = [csl_row("One"), csl_row("Two"), csl_row("Two", address="1 Quay"), csl_row("Three", number="")]

    there, back = read(CSL_HEADER + b"".join(rows)), read(CSL_HEADER + b"".join(reversed(rows)))

    assert there.parties == back.parties
    assert 4 == len({party.id for party in there.parties})


def test_an_entry_that_stands_twice_counts_once() -> None:
    """Repetition adds nobody, and is told."""
    found = read(CSL_HEADER + csl_row() + csl_row())

    assert 1 == found.version.entries
    assert ("entries left out that stand twice: 1 (the first in line 3).",) == found.notes


# -- what is tolerated -----------------------------------------------------------------------------------------------


def test_a_byte_order_mark_is_tolerated() -> None:
    """A mark at the start changes nothing but a note."""
    marked = read(b"\xef\xbb\xbf" + CSL_CSV)

    assert read(CSL_CSV).parties == marked.parties
    assert ("byte-order marks left out: 1 (the first in line 1).",) == marked.notes


def test_direction_marks_and_controls_are_left_out() -> None:
    """What is not seen must not keep a name from matching; joiners are letters and stay."""
    found = read(CSL_HEADER + csl_row("\u202eQuartz\u202c\u200f \x07Ferry\u00a0 Ltd", aliases="می\u200cخواهم"))

    assert ["Quartz Ferry Ltd", "می\u200cخواهم"] == [name.text for name in found.parties[0].names]
    assert "control characters or direction marks" in found.notes[0]


def test_half_a_surrogate_pair_is_left_out() -> None:
    """JSON can write what no UTF-8 can hold."""
    entity = FTM_JSONL.splitlines()[0].replace(b"Quartz Ferry", b"Quartz\\ud800 Ferry")

    assert ListedName("Quartz Ferry", PRIMARY) == only(entity).names[0]


def test_an_overlong_name_is_cut() -> None:
    """A name of a megabyte keeps its beginning, and is told."""
    entity = json.dumps(FTM[0] | {"properties": {"name": ["x" * 1_000_000]}}).encode()

    assert "x" * 1_024 == only(entity).names[0].text
    assert ("names cut to 1,024 characters: 1 (the first in line 1).",) == read(entity).notes[-1:]


def test_what_is_no_country_code_is_left_out() -> None:
    """The entry stays, without it."""
    entity = json.dumps(FTM[0] | {"properties": {"name": ["X"], "country": ["Ruritania", "gb"]}}).encode()

    assert frozenset({"GB"}) == only(entity).countries
    assert "countries left out that are no two-letter code: 1 (the first in line 1)." in read(entity).notes


def test_an_entry_that_says_nothing_is_left_out() -> None:
    """Without name, address and number there is nothing to match."""
    found = read(CSL_HEADER + csl_row(" \u200b ") + csl_row("X", number="2"))

    assert ["2"] == [party.id for party in found.parties]
    assert "entries left out that have no name, address or identifier: 1 (the first in line 2)." in found.notes


def test_the_age_of_a_list_that_does_not_say_it_is_that_of_its_file() -> None:
    """The US list states no day, and nobody is told that it was published on one."""
    found = read(CSL_CSV)

    assert (WRITTEN, None) == (found.version.dated, found.published)


# -- what is refused -------------------------------------------------------------------------------------------------

NO_NAME = CSL_CSV.replace(b",name,", b",title2,", 1)
REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b" \n", "is empty; fetch it again."),
    "wrong encoding": (CSL_CSV + "é".encode("latin-1"), ", line 5 is no UTF-8 text; save it as UTF-8"),
    "UTF-16": (CSL_CSV.decode().encode("utf-16"), "is UTF-16 text; save it as UTF-8."),
    "NUL bytes": (CSL_CSV + b"\0\0\0", ", line 5 has NUL bytes: the file is damaged or no text; fetch it again."),
    "a page": (b"<!DOCTYPE html><p>403", "is a page of the web or XML, no list; fetch the CSV or JSON file."),
    "no format": (b"a,b\n1,2\n", "is in no format that is known (us-csl-csv, us-csl-json, "),
    "missing column": (NO_NAME, ", line 1 lacks the column name: the layout is another one; look at what was fetched."),
    "column twice": (CSL_CSV.replace(b"title", b"name", 1), ", line 1 names the column name twice; look at what"),
    "fewer fields": (CSL_CSV[:-20], "fields where the header names 12: the file is cut off or damaged; fetch it"),
    "more fields": (CSL_CSV + b"," * 20, ", line 5 has 21 fields where the header names 12: the file is cut off"),
    "open quote": (CSL_CSV[: CSL_CSV.index(b"GB; GB")], ", line 2 is no valid CSV (unexpected end of data); fetch"),
    "1 MB field": (CSL_HEADER + csl_row("x" * 1_000_000), ", line 2 is no valid CSV (field larger than field limit"),
    "cut JSON": (CSL_JSON[:-9], ", line 1 is no valid JSON ("),
    "deep JSON": (b'{"results": ' + b"[" * 100_000, "is JSON that no list would hold; look at what was fetched."),
    "no results": (b'{"result": []}', "is JSON without a list of results; look at what was fetched."),
    "one page": (b'{"total": 900, "results": [{"source": "x"}]}', "holds 1 of 900 entries: one page of an answer"),
    "no source": (b'{"results": [{"name": "x"}]}', ", entry 1 names no source; fetch the file again."),
    "cut lines": (FTM_JSONL[:-9], ", line 6 is no valid JSON ("),
    "no entity": (FTM_JSONL + b'{"id": "x"}', ", line 7 is no entity with id, schema and properties: give a file of"),
    "own: source": (OWN_YAML.replace(b"own", b"us.xyz"), "names the source us.xyz, which effects.yaml lacks"),
    "own: country": (OWN_YAML.replace(b'"GB"', b"Ruritania"), "parties.0.countries.0: "),
    "own: unknown key": (OWN_YAML.replace(b"aliases:", b"alias:", 1), "parties.0.alias: "),
    "own: key twice": (OWN_YAML + b"title: x\n", ", line 15 is no valid YAML: the key 'title' stands twice"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_bytes_that_are_no_list_are_refused_with_a_sentence(case: str) -> None:
    """It says what is wrong, where, and what to do."""
    content, sentence = REFUSED[case]

    assert sentence in refusal(content)


@pytest.mark.parametrize("format", READERS)
def test_another_format_than_the_one_named_is_refused(format: str) -> None:
    """The settings' word counts: a file of another format is refused, whatever it is."""
    for other in READERS:
        if other != format:
            assert refusal(SAMPLES[other], format)


def test_limits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than a named maximum is refused: bytes of a file, entries, values of an entry."""
    monkeypatch.setattr(entries, "FILE_BYTES_MAX", len(CSL_CSV) - 1)
    assert "is larger than" in refusal(CSL_CSV)
    monkeypatch.undo()
    monkeypatch.setattr(entries, "ENTRIES_MAX", 2)
    assert ", line 4 is past 2 entries" in refusal(CSL_CSV)
    monkeypatch.undo()
    monkeypatch.setattr(entries, "VALUES_MAX", 2)
    assert ", line 2 has an entry with more than 2 names; split it" in refusal(CSL_CSV)


def test_a_list_that_unfolds_is_refused_in_no_time() -> None:
    """A few lines of YAML that stand for a billion entries make a short sentence."""
    folded = [b"x0: &x0 [y, y, y, y, y, y, y, y, y, y]"]
    folded += [b"x%d: &x%d [%s]" % (n, n, b", ".join([b"*x%d" % (n - 1)] * 10)) for n in range(1, 10)]
    content = b"schema: flopwatch.list/1\n" + b"\n".join(folded) + b"\nparties: [{id: *x9}]\n"

    assert 300 > len(refusal(content))


@settings(max_examples=60)
@given(data=st.data(), format=st.sampled_from(list(READERS)), named=st.booleans())
def test_whatever_bytes_come_they_are_read_or_refused(data: st.DataObject, format: str, named: bool) -> None:
    """Damaged anywhere, a file is a list or a sentence, never another exception."""
    content = bytearray(SAMPLES[format])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 20))
        content[place : place + length] = data.draw(
            st.binary(max_size=8)
            | st.sampled_from([b'"', b"\r", b"\n", b",", b";", b"{", b"]", b"\\ud800", b"null", b"9" * 9])
        )
    found: Any
    try:
        found = read(bytes(content), format if named else None)
    except ListProblem as problem:
        found = problem

    assert isinstance(found, ListProblem) or found.version.entries == len(found.parties)
