"""Two people on pages, where it is about no case: policies that count, and hits that are somebody else."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.core.roles import Role
from monitor.log import tenant_reference
from monitor.settings import Policies, ScreeningList, Settings
from monitor.store import AuditWanted
from tests.cli.command import HELD, fact, flopwatch, written
from tests.cli.test_approval import OWN
from tests.cli.test_hits import COMPANY, HOLDING, LIST, PROFILED
from tests.store.taking import url_of
from tests.web.browsing import PASSWORD, TEST, Browser, House

REASON = {"reason": "The line is where the contract has it."}
WHY = {"why": "It is <b>not</b> so."}
HERE = f"/tenants/{tenant_reference('acme')}"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A console where a policy waits for two people, over a tenant that it would flag and a list may name."""
    house = deciding(tmp_path)
    yield house
    house.close()


def deciding(tmp_path: Path, **given: object) -> House:
    """The same, for whoever closes it."""
    for version, text in ((1, OWN), (2, OWN.replace("version: 1", "version: 2\nsupersedes: 1"))):
        path = tmp_path / "own" / "policies" / f"{version}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("Look.", "Look.\n  <script>alert(1)</script>") if version == 2 else text, "utf-8")
    settings = Settings(
        store_url=url_of(tmp_path),
        policies=Policies(folder=tmp_path / "own", approval="console"),
        lists=(ScreeningList(name="us", path=LIST),),
    )
    facts = [
        fact("allocation.started", "begin", **HELD),
        fact("tenant.profiled", "who", **PROFILED),
        fact("party.profiled", "company", party="orchid", **COMPANY),
        fact("party.profiled", "above", party="holding", **HOLDING),
        fact("allocation.stopped", "end", "2026-03-03T00:00:00Z"),
    ]
    state = url_of(tmp_path).removeprefix("sqlite:///")
    assert 0 == flopwatch("replay", written(tmp_path / "events.jsonl", facts), "--state", state).code
    house = House(tmp_path, books=settings, **given)
    house.accounts.add("senior-two", Role.SENIOR_REVIEWER, PASSWORD, TEST)
    return house


def findings(house: House) -> set[str]:
    """The rules of findings on the tenant, once the books were read anew."""
    before = house.surveys.latest()
    house.clock.now += 61_000
    while (survey := house.surveys.latest()) is before:
        time.sleep(0.01)
    story = survey.tenant("acme")
    assert story is not None
    return {finding.rule for finding in story.findings}


def sent(browser: Browser, page: str, path: str, form: dict[str, str]) -> int:
    """Look at a page and send a form of it; the status of the answer."""
    browser.get(page)
    return browser.post(path, form).status_code


# -- policies ----------------------------------------------------------------------------------------------------------


def test_a_policy_counts_once_a_second_person_has_approved_it(house: House) -> None:
    """The editor proposes, a senior reviewer approves; the pages say so, and the books are read with it."""
    editor, senior = house.signed_in("policy-editor"), house.signed_in("senior-reviewer")
    assert "It waits for two people" in senior.get("/policies/small@1").text
    assert "nobody yet" in senior.get("/policies").text
    assert "small.any" not in findings(house)

    assert 303 == sent(editor, "/policies/small@1", "/policies/small@1/propose", REASON)
    assert "proposed</strong>" in senior.get("/policies").text
    assert REASON["reason"] in senior.get("/proposals").text
    assert 303 == sent(senior, "/proposals", "/proposals/1/approve", {})
    assert "small.any" in findings(house)
    page = house.signed_in("viewer").get("/policies/small@1").text
    assert "It waits for two people" not in page
    assert "the word of two people" in page
    assert 1 == len(house.store.audit.latest(AuditWanted(act="policy.approved", subject="small@1"), 2))


def test_withdrawing_a_policy_takes_two_people(house: House) -> None:
    """Until the second one has said so, it goes on."""
    editor, senior = house.signed_in("policy-editor"), house.signed_in("senior-reviewer")
    sent(editor, "/policies/small@1", "/policies/small@1/propose", REASON)
    sent(senior, "/proposals", "/proposals/1/approve", {})
    assert 303 == sent(editor, "/policies/small@1", "/policies/small@1/withdraw", REASON)
    assert "applies" in editor.get("/policies/small@1").text

    assert 303 == sent(senior, "/proposals", "/proposals/2/approve", {})
    assert "It waits for two people" in editor.get("/policies/small@1").text


def test_who_proposed_cannot_approve(house: House) -> None:
    """Also not after they have become somebody else: the store refuses it, and says so."""
    editor = house.signed_in("policy-editor")
    sent(editor, "/policies/small@1", "/policies/small@1/propose", REASON)
    house.accounts.set_role("policy-editor", Role.SENIOR_REVIEWER, TEST)
    again = house.signed_in("policy-editor")
    again.get("/proposals")
    answer = again.post("/proposals/1/approve", {})

    assert (409, True) == (answer.status_code, "the store refuses the same" in answer.text)
    assert 409 == sent(house.signed_in("senior-reviewer"), "/proposals", "/proposals/1/withdraw", WHY)
    assert 303 == sent(again, "/proposals", "/proposals/1/withdraw", WHY)


def test_of_two_who_answer_the_second_is_told(house: House) -> None:
    """One has approved it, the other refuses what is not there any more."""
    sent(house.signed_in("policy-editor"), "/policies/small@1", "/policies/small@1/propose", REASON)
    one, other = house.signed_in("senior-reviewer"), house.signed_in("senior-two")
    other.get("/proposals")
    assert 303 == sent(one, "/proposals", "/proposals/1/approve", {})
    answer = other.post("/proposals/1/refuse", WHY)

    assert (409, True) == (answer.status_code, "somebody was first" in answer.text)
    for number in ("0", "x", "9" * 40):
        assert 409 == other.post(f"/proposals/{number}/approve", {}).status_code


@pytest.mark.parametrize(
    ("path", "form", "told"),
    [
        ("/policies/small@1/propose", {"reason": " "}, "for a reason"),
        ("/policies/small@1/withdraw", REASON, "is not approved"),
        ("/policies/internal-ladder@1/propose", REASON, "takes no approval"),
    ],
)
def test_what_cannot_be_proposed_is_told(house: House, path: str, form: dict[str, str], told: str) -> None:
    """On the page of the policy, and nothing is written."""
    editor = house.signed_in("policy-editor")
    editor.get(path.rpartition("/")[0])
    answer = editor.post(path, form)

    assert (409, True) == (answer.status_code, told in answer.text)
    assert [] == house.records.panel.proposals.waiting()


def test_a_version_is_compared_with_the_one_before(house: House) -> None:
    """Signs say what was added and removed; what the file says is text. The first version has nothing before it."""
    viewer = house.signed_in("viewer")
    second, first = viewer.get("/policies/small@2").text, viewer.get("/policies/small@1").text

    assert "What changed since version 1" in second
    assert '<tr class="removed"><td>−</td><td><code>version: 1</code></td></tr>' in second
    assert '<tr class="added"><td>+</td><td><code>version: 2</code></td></tr>' in second
    assert "<script>alert" not in second
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in second
    assert "There is no earlier version to compare it with." in first


# -- hits --------------------------------------------------------------------------------------------------------------


def test_a_hit_is_cleared_by_two_people(house: House) -> None:
    """A reviewer proposes it on the tenant's page, a senior one approves; then it is cleared for that tenant."""
    reviewer, senior = house.signed_in("reviewer"), house.signed_in("senior-reviewer")
    (hit,) = house.surveys.latest().hits().hits
    path = f"{HERE}/hits/{hit.match.id}/clear"
    assert hit.match.id in reviewer.get(HERE).text
    assert 303 == sent(reviewer, HERE, path, {**REASON, "until": "2099-01-01"})
    assert "It waits for another person." in senior.get(HERE).text
    again = senior.post(path, {**REASON, "until": "2099-01-01"})
    assert (409, True) == (again.status_code, "is proposed already" in again.text)

    assert 303 == sent(senior, "/proposals", "/proposals/1/approve", {})
    before = findings(house)
    page = house.signed_in("reviewer").get(HERE).text
    assert "Cleared until 2099-01-01 by reviewer and senior-reviewer" in page
    assert not any(rule.startswith(("owners.", "screening.")) for rule in before)
    assert 1 == len(house.store.audit.latest(AuditWanted(act="hit.cleared"), 2))


@pytest.mark.parametrize(
    ("hit", "form", "told"),
    [
        ("", {**REASON, "until": "soon"}, "A day is written like 2027-01-31"),
        ("", {**REASON, "until": "2001-01-01"}, "A clearance ends in the future"),
        ("", {"reason": "", "until": "2099-01-01"}, "for a reason"),
        ("H-none", {**REASON, "until": "2099-01-01"}, "There is no such hit"),
    ],
)
def test_what_is_no_clearance_is_told(house: House, hit: str, form: dict[str, str], told: str) -> None:
    """On the tenant's page; the hit stays open."""
    (known,) = house.surveys.latest().hits().hits
    reviewer = house.signed_in("reviewer")
    reviewer.get(HERE)
    answer = reviewer.post(f"{HERE}/hits/{hit or known.match.id}/clear", form)

    assert (409, True) == (answer.status_code, told in answer.text)
    assert [] == house.records.panel.proposals.waiting()


def test_who_sees_no_names_sees_none_of_proposals(house: House) -> None:
    """Neither whom a hit is about, nor what people wrote, nor who they are."""
    (hit,) = house.surveys.latest().hits().hits
    reviewer = house.signed_in("reviewer")
    sent(reviewer, HERE, f"{HERE}/hits/{hit.match.id}/clear", {"reason": "Not acme.", "until": "2099-01-01"})
    sent(house.signed_in("senior-reviewer"), "/proposals", "/proposals/1/refuse", {"why": "It is acme."})
    sent(reviewer, HERE, f"{HERE}/hits/{hit.match.id}/clear", {"reason": "Not acme.", "until": "2099-01-01"})
    viewer = house.signed_in("viewer")

    for page in (viewer.get("/proposals").text, viewer.get(HERE).text):
        assert [False, False] == [word in page for word in ("acme", ">reviewer")]
    assert hit.match.id in viewer.get("/proposals").text


# -- backtests ---------------------------------------------------------------------------------------------------------

DIFFERENCE = {
    "first_told": "2026-03-01T00:00:00Z",
    "late_facts": False,
    "who": "acme</td><script>alert(1)</script>",
    "rule": "small.any",
    "legal_force": "internal",
    "level": "watch",
    "reasons": ["It is <b>large</b>."],
    "measure": "model_flop",
    "amount": {"low": 10**24, "central": 10**25, "high": 10**26, "ceiling": 10**27},
    "before": {},
    "after": {"watch": "2026-03-01T00:00:00Z"},
}
REPORT = {
    "title": "small version 2 <i>against</i> the policies in force",
    "from": "2026-03-01T00:00:00Z",
    "to": "2026-03-09T00:00:00Z",
    "facts": 1_234,
    "late": 5,
    "flags": {"present": 1, "other": 2},
    "newly_flagged": [DIFFERENCE],
    "no_longer_flagged": [],
    "changed_level": [],
    "under": [{"rule": "r", "who": "acme", "per_mille": 913, "threshold": 10**25, "amount": DIFFERENCE["amount"]}],
}


def test_a_report_is_shown_as_data(tmp_path: Path) -> None:
    """Its numbers and sentences, whatever they say; no names for whoever sees none."""
    (tmp_path / "tried.json").write_text(json.dumps(REPORT), "utf-8")
    house = House(tmp_path, reports=tmp_path)
    reviewer, viewer = house.signed_in("reviewer"), house.signed_in("viewer")
    assert 'href="/backtests/tried"' in reviewer.get("/backtests").text
    page, hidden = (browser.get("/backtests/tried").text for browser in (reviewer, viewer))

    for text in ("1,234 facts, 5 of them late", "Newly flagged (1)", "91.3 per cent", "1e25 <small>(1e24 to 1e26)"):
        assert text in page
    assert "<script>alert" not in page
    assert "It is &lt;b&gt;large&lt;/b&gt;." in page
    assert [False, False] == [word in hidden for word in ("acme", "large")]
    house.close()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[" * 100_000, b"{}", json.dumps({**REPORT, "facts": "many"}).encode(), b" " * 5_000_001],
    ids=["empty", "cut off", "no text", "deep", "another document", "another type", "large"],
)
def test_a_file_that_is_no_report_is_not_found(tmp_path: Path, content: bytes) -> None:
    """It is a page that says so, not a failure."""
    (tmp_path / "tried.json").write_bytes(content)
    house = House(tmp_path, reports=tmp_path)
    reviewer = house.signed_in("reviewer")
    answers = [reviewer.get(f"/backtests/{name}").status_code for name in ("tried", "none", "..%2Ftried", ".tried")]

    assert [404] * 4 == answers
    house.close()


def test_without_a_folder_there_is_no_report(tmp_path: Path) -> None:
    """The page says which setting names one; a folder that is gone has none."""
    house = House(tmp_path)
    assert "The settings name no such folder." in house.signed_in("viewer").get("/backtests").text
    assert 404 == house.signed_in("viewer").get("/backtests/tried").status_code
    house.close()
    (tmp_path / "other").mkdir()
    gone = House(tmp_path / "other", reports=tmp_path / "gone")
    assert "There is no report in it." in gone.signed_in("viewer").get("/backtests").text
    gone.close()
