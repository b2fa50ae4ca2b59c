"""Exports on pages: the evidence pack of a case, counsel's word on what goes to a government, and the files."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.core.exports import RELEASED_DAYS
from monitor.core.model import DAY_MS
from monitor.core.roles import Role
from monitor.run.evidence_pack import zipped
from monitor.store import AuditWanted
from tests.cli.command import flopwatch
from tests.web.browsing import NOW, PASSWORD, TEST, Browser
from tests.web.test_cases import DECIDED, HOSTILE, CaseHouse

ASKED = {
    "template": "general",
    "recipient_kind": "internal",
    "recipient": "the board",
    "legal_basis": "15 CFR 744.6",
}
TO_A_GOVERNMENT = {**ASKED, "recipient_kind": "governmental", "recipient": "the bureau"}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[CaseHouse]:
    house = CaseHouse(tmp_path)
    house.accounts.add("counsel-two", Role.COUNSEL, PASSWORD, TEST)
    yield house
    house.close()


def asked(office: CaseHouse, case: str, said: dict[str, str], who: str = "reviewer") -> Browser:
    """Somebody who has asked for the pack of a case that waits now."""
    browser = office.signed_in(who)
    browser.get(f"/cases/{case}/evidence")
    assert 303 == browser.post(f"/cases/{case}/evidence", said).status_code
    return browser


def acts(office: CaseHouse, case: str) -> list[tuple[str, str]]:
    """What the audit says of a case, the earliest first."""
    rows = office.store.audit.latest(AuditWanted(subject=case), 50)
    return [(who, row.entry.act) for row, who in reversed(rows) if "export" in row.entry.act]


def test_a_pack_is_one_archive_that_verifies(office: CaseHouse, tmp_path: Path) -> None:
    """The form leads to it; the audit names who has it, and its digest."""
    case = office.raise_flag("F-1")
    browser = office.signed_in("reviewer")
    assert f'href="/cases/{case}/evidence"' in browser.get(f"/cases/{case}").text
    assert "Legal basis" in browser.get(f"/cases/{case}/evidence").text

    answer = browser.post(f"/cases/{case}/evidence", ASKED)

    assert (200, "application/zip") == (answer.status_code, answer.headers["Content-Type"])
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path / "pack")
    assert 0 == flopwatch("evidence", "verify", tmp_path / "pack").code
    digest = hashlib.sha256((tmp_path / "pack" / "manifest.json").read_bytes()).hexdigest()
    assert f'attachment; filename="{case}-{digest[:12]}.zip"' == answer.headers["Content-Disposition"]
    assert [("reviewer (user)", "export.proposed"), ("reviewer (user)", "evidence.exported")] == acts(office, case)
    body = json.loads(office.store.audit.latest(AuditWanted(act="evidence.exported"), 1)[0][0].entry.body)
    assert (digest, "the board", "15 CFR 744.6") == tuple(body[name] for name in ("digest", "recipient", "legal_basis"))


def test_the_same_archive_is_the_same_bytes(office: CaseHouse) -> None:
    """For the same export, person and instant."""
    case = office.raise_flag("F-1")
    browser = office.signed_in("auditor")
    browser.get(f"/cases/{case}/evidence")
    browser.post(f"/cases/{case}/evidence", ASKED)
    export = office.store.exports.export(1)

    first, second = (zipped(office.records.evidence(export, "auditor", NOW), NOW) for _ in range(2))

    assert first == second


def test_what_is_missing_is_told_beside_what_was_typed(office: CaseHouse) -> None:
    """Nothing is written then."""
    case = office.raise_flag("F-1")
    browser = office.signed_in("reviewer")
    browser.get(f"/cases/{case}/evidence")
    for change, sentence in (
        ({"recipient": ""}, "names its recipient"),
        ({"legal_basis": " "}, "states its legal basis"),
        ({"template": "iaas-proposal", "recipient_kind": "customer"}, "is proposed and not in force"),
        ({"template": "none"}, "Choose a template"),
        ({"recipient_kind": "friend"}, "Say whose hands it gets into"),
    ):
        answer = browser.post(f"/cases/{case}/evidence", {**ASKED, "legal_basis": "typed before", **change})

        assert (400, True) == (answer.status_code, sentence in answer.text)
        assert "typed before" in answer.text or "legal_basis" in change
    assert [] == office.store.exports.latest(5)


def test_what_goes_to_a_government_waits_for_counsel(office: CaseHouse) -> None:
    """One proposes, another releases, then it is fetched, and again for some days."""
    case = office.raise_flag("F-1")
    browser = asked(office, case, TO_A_GOVERNMENT)
    page = browser.get("/exports").text
    assert "waits for counsel" in page
    assert "/exports/1/fetch" not in page
    assert "/exports/1/release" not in page
    assert 303 == browser.post("/exports/1/fetch", {}).status_code  # to the page that says so

    counsel = office.signed_in("counsel")
    assert "/exports/1/release" in counsel.get("/exports").text
    assert 303 == counsel.post("/exports/1/release", {}).status_code
    again = office.signed_in("counsel-two")
    again.get("/exports")
    assert "does not wait for counsel: it is released" in again.post("/exports/1/refuse", {"why": "No."}).text

    assert "/exports/1/fetch" in browser.get("/exports").text
    assert "application/zip" == browser.post("/exports/1/fetch", {}).headers["Content-Type"]
    assert ["export.proposed", "export.released", "evidence.exported"] == [act for _, act in acts(office, case)]
    office.clock.now += RELEASED_DAYS * DAY_MS
    browser = office.signed_in("reviewer")
    assert "/exports/1/fetch" not in browser.get("/exports").text
    assert "propose it again" in browser.post("/exports/1/fetch", {}).text


def test_whoever_has_become_counsel_does_not_release_what_they_proposed(office: CaseHouse) -> None:
    """The store refuses the same person, whatever role they have by now."""
    case = office.raise_flag("F-1")
    asked(office, case, TO_A_GOVERNMENT)
    office.accounts.set_role("reviewer", Role.COUNSEL, TEST)
    counsel = office.signed_in("reviewer")
    counsel.get("/exports")

    answer = counsel.post("/exports/1/release", {})

    assert (409, True) == (answer.status_code, "it takes another person" in answer.text)


def test_what_is_refused_says_why(office: CaseHouse) -> None:
    """To whoever proposed it; without a reason it is not refused."""
    case = office.raise_flag("F-1")
    browser = asked(office, case, {**TO_A_GOVERNMENT, "recipient": HOSTILE})
    counsel = office.signed_in("counsel")
    counsel.get("/exports")
    assert "says why" in counsel.post("/exports/1/refuse", {"why": " "}).text
    assert 303 == counsel.post("/exports/1/refuse", {"why": HOSTILE}).status_code

    page = browser.get("/exports").text

    assert "refused by" in page
    assert "<script>alert" not in page
    assert "Counsel refused export 1" in browser.post("/exports/1/fetch", {}).text


def test_whoever_reviews_a_decision_blindly_gets_no_pack_of_it(office: CaseHouse) -> None:
    """It says what was decided; whoever decides nothing gets it."""
    office.raise_flag("F-1")
    case = next(name for name in _decided_cases(office) if (found := office.case(name)).review and not found.review.by)

    answers = {
        who: office.signed_in(who).get(f"/cases/{case}/evidence").status_code for who in ("senior-two", "auditor")
    }

    assert {"senior-two": 403, "auditor": 200} == answers


def _decided_cases(office: CaseHouse) -> Iterator[str]:
    """Cases that a reviewer decides, one after the other: one in twenty is to be reviewed."""
    browser = office.signed_in("reviewer")
    for number in range(2, 400):
        case = office.raise_flag(f"F-{number}", tenant=f"t-{number}")
        office.act(browser, case, "claim")
        office.act(browser, case, "decide", **DECIDED)
        yield case


def test_there_is_no_pack_of_no_case(office: CaseHouse) -> None:
    """Neither a form nor a file, nor a fetch of what was never proposed."""
    browser = office.signed_in("reviewer")

    assert 404 == browser.get("/cases/C-none/evidence").status_code
    browser.get("/exports")
    assert 404 == browser.post("/cases/C-none/evidence", ASKED).status_code
    assert "There is no export 9" in browser.post("/exports/9/fetch", {}).text
