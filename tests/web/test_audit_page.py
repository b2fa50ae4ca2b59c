"""The page of the audit: who did what, for auditors alone."""

from __future__ import annotations

from tests.web.browsing import House

HOSTILE = "<script>alert(1)</script>\u202e"


def test_an_auditor_sees_who_did_what(house: House) -> None:
    """The latest first; of one act, of somebody, or about something; nothing else of the store is read for it."""
    house.signed_in("reviewer")
    auditor = house.signed_in("auditor")
    rows = auditor.get("/audit").text

    assert rows.index("user.signed_in") < rows.index("user.added")
    assert "operating system user" in rows
    only = auditor.get("/audit?act=user.added").text
    assert "user.added" in only
    assert '<td><bdi class="text" title="user.signed_in"' not in only
    assert "No such row." in auditor.get("/audit?who=nobody").text
    assert "No such row." in auditor.get("/audit?about=nothing").text


def test_what_people_type_is_harmless_there(house: House) -> None:
    """Names of tokens are text of others, and so is what somebody looks for."""
    reviewer = house.signed_in("reviewer")
    assert 200 == reviewer.post("/me/tokens", {"label": HOSTILE[:-1], "scope": "view_cases", "days": "3"}).status_code
    page = house.signed_in("auditor").get(f"/audit?who={HOSTILE}").text + house.signed_in("auditor").get("/audit").text

    assert "<script>alert" not in page
    assert "\u202e" not in page
