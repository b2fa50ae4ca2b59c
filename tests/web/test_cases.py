"""Cases on pages: the queue, each form, two people at once, and what whoever sees no names is shown."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from monitor.core.cases import SYSTEM, Act, Case, CaseEvent, State, step
from monitor.core.flags import Change, Entry
from monitor.core.model import DAY_MS, HOUR_MS
from monitor.core.parties import Parties
from monitor.core.roles import Role
from monitor.log import tenant_reference
from monitor.run.casework import Gatherer
from monitor.store import TICK, AuditWanted, Deed, JournalEntry, Wanted
from monitor.web.display import picture
from tests.cli.command import HELD, fact, flopwatch, written
from tests.core.casefile import flag
from tests.web.browsing import NOW, PASSWORD, TEST, Browser, House, reference

ANY = "ladder.1e25.any"
REASON = "The contract covers exactly this use."
HOSTILE = "</bdi><script>alert(1)</script>\u202eevil"
DECIDED = {"outcome": "explained", "reason": REASON, "cited": f"internal-ladder@1 {ANY}"}


class CaseHouse(House):
    """A console with cases, and a second senior reviewer."""

    def __init__(self, folder: Path, **settings: object) -> None:
        super().__init__(folder, **settings)
        self.accounts.add("senior-two", Role.SENIOR_REVIEWER, PASSWORD, TEST)

    def raise_flag(
        self,
        name: str = "F-1",
        level: str = "watch",
        tenant: str = "t-1",
        reason: str = "",
        central: int = 10**25,
        rule: str = ANY,
    ) -> str:
        """The books have a flag, which is gathered; its case."""
        found = flag(name, level, rule=rule, tenant=tenant, told_at=NOW - DAY_MS, central=central)
        if reason:
            found = found._replace(finding=found.finding._replace(reasons=(reason,)))
        entry = Entry(name, NOW, "raised", found.level, f"It is so: {reason}")
        self.store.decide(JournalEntry(TICK, {"as_of": 0}), [Change(found, entry)], NOW)
        Gatherer(self.store.casework, reference().policies, self.clock).work({}, Parties({}, NOW))
        case = self.store.casework.home_of(name)
        assert case is not None
        return case.id

    def case(self, name: str) -> Case:
        """A case as it stands."""
        return self.records.desk.case(name)

    def sample(self, case: str) -> None:
        """The decision of a case waits for a blind review."""
        decided = self.case(case)
        if decided.review is None:
            assert decided.decision is not None
            event = CaseEvent(case, decided.number + 1, NOW, Act.SAMPLED, SYSTEM, {"decision": decided.decision.number})
            self.store.casework.write([Deed([event], step(decided, event))], NOW)

    def act(self, browser: Browser, case: str, form: str, **said: object) -> int:
        """Look at a case and send one of its forms; the status of the answer."""
        browser.get(f"/cases/{case}")
        return browser.post(f"/cases/{case}/{form}", {"seen": self.case(case).number, **said}).status_code


@pytest.fixture
def office(tmp_path: Path) -> Iterator[CaseHouse]:
    house = CaseHouse(tmp_path)
    yield house
    house.close()


def listed(page: str) -> list[str]:
    """The cases that a page lists, in order."""
    return re.findall(r'href="/cases/(C-[0-9a-f]+)"', page)


# -- the queue ---------------------------------------------------------------------------------------------------------


def test_the_queue_is_in_order_and_can_be_narrowed(office: CaseHouse) -> None:
    """Level first, then compute; each list has what it says."""
    watch, more, critical = (
        office.raise_flag("F-1", "watch", "t-1", central=10**24),
        office.raise_flag("F-2", "watch", "t-2", central=10**25),
        office.raise_flag("F-3", "critical", "t-3"),
    )
    browser = office.signed_in("reviewer")
    page = browser.get("/queue").text

    assert [critical, more, watch] == listed(page)
    assert "1e24 <small>(5e23 to 2e24)</small>" in page
    assert [critical] == listed(browser.get("/queue?level=critical").text)
    assert [] == listed(browser.get("/queue?show=mine").text)
    assert 303 == office.act(browser, more, "claim")
    assert 303 == office.act(browser, critical, "escalate", why="It is beyond me.")
    shown = {name: listed(browser.get(f"/queue?show={name}").text) for name in ("mine", "unclaimed", "escalated")}
    assert {"mine": [more], "unclaimed": [critical, watch], "escalated": [critical]} == shown


def test_the_queue_goes_on_where_a_page_ends(office: CaseHouse) -> None:
    """Every case is on one page; an address that names no place is no failure."""
    made = [office.raise_flag(f"F-{number}", tenant=f"t-{number}") for number in range(53)]
    browser = office.signed_in("viewer")
    first = browser.get("/queue").text
    further = re.search(r'href="(/queue\?[^"]*after=[^"]*)"', first)
    assert further is not None
    second = browser.get(further[1].replace("&amp;", "&")).text

    assert (50, 3) == (len(listed(first)), len(listed(second)))
    assert set(made) == set(listed(first) + listed(second))
    for after in ("1", "a.b.c.d", f"{2**63}.0.0.C-1", "1.2.3.4.5"):
        assert 400 == browser.get(f"/queue?after={after}").status_code


def test_the_next_case_is_taken(office: CaseHouse) -> None:
    """It is claimed, and shown; where there is none it says so. A claim says that the flags were looked at."""
    case = office.raise_flag()
    browser = office.signed_in("reviewer")
    browser.get("/queue")
    assert None is office.records.desk.story(case).times.first_viewed_at
    answer = browser.post("/queue/next", {})
    nothing = office.signed_in("senior-reviewer").post("/queue/next", {})

    assert (303, f"/cases/{case}") == (answer.status_code, answer.headers["Location"])
    assert "reviewer" == office.case(case).claimed_by
    assert NOW == office.records.desk.story(case).times.first_viewed_at
    assert (409, True) == (nothing.status_code, "Nothing waits for anybody." in nothing.text)


# -- a case ------------------------------------------------------------------------------------------------------------


def test_a_case_says_why(office: CaseHouse) -> None:
    """Sentences, numbers, the policy and what it is, what is not established, and the innocent explanation."""
    page = office.signed_in("reviewer").get(f"/cases/{office.raise_flag()}").text
    rules = {rule.id: rule for policy in reference().policies for rule in policy.rules}

    for text in ("It is watch.", "1e25", "internal-ladder@1", "the operator&#39;s own rule, no law", "provider"):
        assert text in page, text
    assert rules[ANY].false_positives[:40] in page
    assert f'<a href="/tenants/{tenant_reference("t-1")}"' in page


def test_every_form_does_what_it_says(office: CaseHouse) -> None:
    """From a claim to a decision and back; what somebody wrote stands on the page."""
    case = office.raise_flag()
    browser = office.signed_in("reviewer")
    steps = [
        ("claim", {}, State.CLAIMED),
        ("begin", {}, State.INVESTIGATING),
        ("note", {"text": "Two lines:\r\nthe second."}, State.INVESTIGATING),
        ("ask", {"whom": "sales", "what": "Which contract is it?", "due": "2027-02-01"}, State.WAITING),
        ("answer", {"what": "Contract 17."}, State.INVESTIGATING),
        ("snooze", {"until": "2027-02-01", "why": "The contract comes on Friday."}, State.INVESTIGATING),
        ("claim", {}, State.INVESTIGATING),
        ("assign", {"to": "senior-reviewer"}, State.INVESTIGATING),
        ("assign", {"to": "reviewer"}, State.INVESTIGATING),
        ("escalate", {"why": "It is beyond me."}, State.INVESTIGATING),
        ("claim", {}, State.INVESTIGATING),
        ("release", {}, State.INVESTIGATING),
        ("claim", {}, State.INVESTIGATING),
        ("decide", DECIDED, State.DECIDED),
        ("reverse", {"why": "The contract was another one, as it turned out."}, State.REOPENED),
    ]
    for form, said, state in steps:
        assert 303 == office.act(browser, case, form, **said), form
        assert state == office.case(case).state, form

    page = browser.get(f"/cases/{case}").text
    for text in ("Two lines:<br>the second.", "Which contract is it?", "Contract 17.", "as it turned out"):
        assert text in page, text


@pytest.mark.parametrize(
    ("form", "said", "told"),
    [
        ("snooze", {"until": "soon", "why": "The contract."}, "A day is written like 2027-01-31"),
        ("snooze", {"until": "2027-02-01", "why": ""}, "must say `why`"),
        ("assign", {"to": "viewer"}, "somebody who may claim it"),
        ("decide", {**DECIDED, "outcome": "guilty"}, "Choose an outcome"),
        ("decide", {**DECIDED, "reason": "Fine."}, "A reason is a sentence at least"),
        ("decide", {**DECIDED, "outcome": "authorised"}, "An authorisation has a scope, a quantity and an end"),
        ("decide", {**DECIDED, "cited": "none@1 none"}, "No policy that is known here"),
        ("suppress", {"rule": "other", "until": "2027-02-01", "reason": REASON}, "No flag of rule other stands"),
        ("note", {"text": "x", "seen": "no"}, "which state of the case you looked at"),
        ("answer", {"what": "Contract 17."}, "cannot be answered"),
        ("approve", {}, "waits for an answer"),
    ],
)
def test_what_is_not_possible_is_told(office: CaseHouse, form: str, said: dict[str, str], told: str) -> None:
    """As a sentence on the page, with what was typed; nothing has changed."""
    case = office.raise_flag()
    browser = office.signed_in("senior-reviewer")
    assert 303 == office.act(browser, case, "claim")
    number = office.case(case).number
    answer = browser.post(f"/cases/{case}/{form}", {"seen": number, **said})

    assert (400, True) == (answer.status_code, told in answer.text.replace("&#39;", "'"))
    assert number == office.case(case).number
    assert form != "decide" or said["reason"] in answer.text


def test_of_two_at_once_the_second_is_told(office: CaseHouse) -> None:
    """What the other one did stands on the page, and what was typed is still there."""
    case = office.raise_flag()
    first, second = office.signed_in("reviewer"), office.signed_in("senior-reviewer")
    seen = office.case(case).number
    first.get(f"/cases/{case}")
    second.get(f"/cases/{case}")
    assert 303 == first.post(f"/cases/{case}/claim", {"seen": seen}).status_code
    answer = second.post(f"/cases/{case}/note", {"seen": seen, "text": "Seen before."})

    assert 409 == answer.status_code
    assert "has changed since you looked at it" in answer.text
    told = answer.text.split("Since you looked</h2>")[1].split("</section>")[0]
    assert "reviewer</bdi> claimed" in told
    assert "Seen before.</textarea>" in answer.text


def test_a_case_of_many_flags_shows_the_worst(office: CaseHouse) -> None:
    """Fifty of them whole, and how many more there are; one of a rule that is gone says so."""
    for number in range(51):
        office.raise_flag(f"F-{number}")
    case = office.raise_flag("F-gone", "warning", rule="none.any")
    page = office.signed_in("reviewer").get(f"/cases/{case}").text

    assert 50 == page.count('<article class="flag">')
    assert "And 2 less serious ones" in page
    first = page.split('<article class="flag">')[1]
    assert [True, True] == [text in first for text in ("no longer among the policies", "not known")]


def test_an_authorisation_says_what_it_allows(office: CaseHouse) -> None:
    """While it is proposed and once it is decided: until when, what for and how much."""
    case = office.raise_flag(level="critical")
    one, two = office.signed_in("reviewer"), office.signed_in("senior-reviewer")
    office.act(one, case, "claim")
    allowed = {"outcome": "authorised", "expires": "2027-06-30", "scope": "Weather models", "quantity": "1e26 FLOP"}
    assert 303 == office.act(one, case, "decide", **{**DECIDED, **allowed})
    proposed = two.get(f"/cases/{case}").text
    assert 303 == office.act(two, case, "approve")
    decided = two.get(f"/cases/{case}").text

    for page in (proposed, decided):
        assert [True] * 4 == [text in page for text in ("authorised", "2027-06-30", "Weather models", "1e26 FLOP")]
    assert "until 2027-06-30 00:00 UTC: " in decided


# -- two people --------------------------------------------------------------------------------------------------------


def test_a_critical_case_is_closed_by_two_people(office: CaseHouse) -> None:
    """Who proposed is refused as the second one by the store, and told; another one approves."""
    case = office.raise_flag(level="critical")
    one, two = office.signed_in("senior-reviewer"), office.signed_in("senior-two")
    office.act(one, case, "claim")
    assert 303 == office.act(one, case, "decide", **DECIDED)
    assert State.CLAIMED == office.case(case).state
    assert [case] == listed(one.get("/queue?show=second").text)
    answer = one.post(f"/cases/{case}/approve", {"seen": office.case(case).number})

    assert (400, True) == (answer.status_code, "it takes another person" in answer.text)
    assert "/approve" not in one.get(f"/cases/{case}").text
    assert "/approve" in two.get(f"/cases/{case}").text
    assert 303 == office.act(two, case, "approve")
    decision = office.case(case).decision
    assert decision is not None
    assert ("senior-reviewer", "senior-two") == (decision.by, decision.second)


def test_who_proposed_cannot_approve_in_another_session(office: CaseHouse) -> None:
    """The store knows the person, not the browser; the case stays open, and somebody else's approval still counts."""
    case = office.raise_flag(level="critical")
    first, second = office.signed_in("senior-reviewer"), office.signed_in("senior-reviewer", address="203.0.113.9")
    office.act(first, case, "claim")
    assert 303 == office.act(first, case, "decide", **DECIDED)
    second.get(f"/cases/{case}")
    answer = second.post(f"/cases/{case}/approve", {"seen": office.case(case).number})

    assert (400, True) == (answer.status_code, "the store refuses the same" in answer.text)
    assert (True, None) == (office.case(case).live, office.case(case).decision)
    assert 303 == office.act(office.signed_in("senior-two"), case, "approve")


def at_once(browsers: list[Browser], path: str, forms: list[dict[str, object]]) -> list[httpx.Response]:
    """Everybody sends a form at the same moment."""
    gate, answers = threading.Barrier(len(browsers)), dict[int, httpx.Response]()

    def send(place: int) -> None:
        gate.wait()
        answers[place] = browsers[place].post(path, forms[place])

    threads = [threading.Thread(target=send, args=(place,)) for place in range(len(browsers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[place] for place in range(len(browsers))]


def test_of_two_decisions_at_once_one_is_made(office: CaseHouse) -> None:
    """From two sessions of whoever holds the case, with two outcomes: one is written, the other one told."""
    case = office.raise_flag()
    sessions = [office.signed_in("reviewer"), office.signed_in("reviewer", address="203.0.113.9")]
    office.act(sessions[0], case, "claim")
    seen = office.case(case).number
    for browser in sessions:
        browser.get(f"/cases/{case}")
    outcomes = ["explained", "data_error"]
    forms: list[dict[str, object]] = [{**DECIDED, "outcome": outcome, "seen": seen} for outcome in outcomes]
    answers = at_once(sessions, f"/cases/{case}/decide", forms)

    statuses = [answer.status_code for answer in answers]
    decision = office.case(case).decision
    assert [303, 409] == sorted(statuses)
    assert decision is not None
    assert outcomes[statuses.index(303)] == decision.outcome
    assert "Since you looked" in answers[statuses.index(409)].text


def test_of_two_who_approve_at_once_one_does(office: CaseHouse) -> None:
    """Two senior reviewers press the button at the same moment: one decision, and the other one is told of it."""
    case = office.raise_flag(level="critical")
    office.act(office.signed_in("reviewer"), case, "claim")
    office.act(office.signed_in("reviewer"), case, "decide", **DECIDED)
    people = ["senior-reviewer", "senior-two"]
    browsers = [office.signed_in(name) for name in people]
    for browser in browsers:
        browser.get(f"/cases/{case}")
    answers = at_once(browsers, f"/cases/{case}/approve", [{"seen": office.case(case).number}] * 2)

    statuses = [answer.status_code for answer in answers]
    decision = office.case(case).decision
    assert [303, 409] == sorted(statuses)
    assert decision is not None
    assert ("reviewer", people[statuses.index(303)]) == (decision.by, decision.second)
    assert f"{decision.second}</bdi> decided" in answers[statuses.index(409)].text


def test_a_proposal_is_refused_or_withdrawn(office: CaseHouse) -> None:
    """By another one, or by who made it, and by nobody else."""
    case = office.raise_flag(level="critical")
    one, two, other = (office.signed_in(name) for name in ("reviewer", "senior-reviewer", "auditor"))
    office.act(one, case, "claim")
    office.act(one, case, "decide", **DECIDED)
    two.get(f"/cases/{case}")
    answer = two.post(f"/cases/{case}/withdraw", {"seen": office.case(case).number, "why": "No."})

    assert (400, True) == (answer.status_code, "nobody else can withdraw it" in answer.text)
    assert 303 == office.act(two, case, "refuse", why="The contract is another one.")
    assert 303 == office.act(one, case, "decide", **DECIDED)
    assert 303 == office.act(one, case, "withdraw", why="I was wrong.")
    assert ["refused", "withdrawn"] == [row.verdict for row in office.store.casework.approvals(case)]
    assert "Nothing: you may read it." in other.get(f"/cases/{case}").text


def test_what_is_suppressed_is_listed(office: CaseHouse) -> None:
    """It leaves the queue, and stands with why, by whom and until when; once it has ended it stands below."""
    case = office.raise_flag()
    one, two = office.signed_in("reviewer"), office.signed_in("senior-reviewer")
    office.act(one, case, "claim")
    assert 303 == office.act(one, case, "suppress", rule=ANY, until="2027-02-01", reason=REASON)
    assert 303 == office.act(two, case, "approve")
    page = one.get("/suppressed").text

    assert ([], [case]) == (listed(one.get("/queue").text), listed(one.get("/queue?show=hidden").text))
    assert [True] * 4 == [text in page for text in (REASON, "reviewer", "2027-02-01", "tenant t-1")]
    assert "Ended</h2>" not in page
    office.clock.now += 60 * DAY_MS
    Gatherer(office.store.casework, reference().policies, office.clock).work({}, Parties({}, NOW))
    ended = office.signed_in("reviewer").get("/suppressed").text
    assert [True, True] == [text in ended for text in ("Nothing is suppressed.", "ran out on 2027-02-01")]


def test_a_review_is_blind(office: CaseHouse) -> None:
    """Nothing on the page says what was decided until it is reviewed; who decided may see it, and does not review."""
    case = office.raise_flag(level="critical")
    one, two, three = (office.signed_in(name) for name in ("reviewer", "senior-reviewer", "senior-two"))
    for browser, form, said in (
        (one, "claim", {}),
        (one, "note", {"text": "Looked at it."}),
        (one, "decide", DECIDED),
        (one, "note", {"text": "I proposed: explained."}),
        (three, "approve", {}),
        (three, "note", {"text": "The outcome was: explained."}),
    ):
        assert 303 == office.act(browser, case, form, **said)
    office.sample(case)
    blind, queue = two.get(f"/cases/{case}").text, two.get("/queue?show=review").text

    assert [case] == listed(queue)
    assert [False] * 4 == [text in page for page in (blind, queue) for text in (REASON, ": explained")]
    assert [True, True] == [text in blind for text in ("/review", "Looked at it.")]
    assert [True, True] == [REASON in browser.get(f"/cases/{case}").text for browser in (one, three)]
    assert [] == listed(one.get("/queue?show=review").text)
    assert 303 == office.act(two, case, "review", outcome="unexplained", why="Nothing explains all this use.")
    assert [True, True] == [text in two.get(f"/cases/{case}").text for text in (REASON, "another outcome")]


# -- names -------------------------------------------------------------------------------------------------------------


def test_text_of_others_harms_nobody(office: CaseHouse) -> None:
    """Names and sentences stay text, and what cannot be seen in them is shown."""
    case = office.raise_flag(tenant=HOSTILE, reason=f"The tenant {HOSTILE} is large.")
    browser = office.signed_in("reviewer")
    office.act(browser, case, "claim")
    office.act(browser, case, "note", text=HOSTILE)
    for path in ("/queue", f"/cases/{case}"):
        page = browser.get(path).text
        assert [False, False, True] == [text in page for text in ("<script>alert", "\u202e", "⟨202E⟩")]


def test_who_sees_no_names_gets_none(office: CaseHouse) -> None:
    """References in the place of subjects, no person, no sentence that may name somebody; not on any page."""
    case = office.raise_flag(tenant="orchid", reason="The tenant orchid is large.")
    browser = office.signed_in("reviewer")
    for form, said in (("claim", {}), ("note", {"text": "Orchid called, Zoe said."}), ("decide", DECIDED)):
        assert 303 == office.act(browser, case, form, **said)
    office.raise_flag("F-2", tenant="orchid", reason="The tenant orchid is larger.")
    for name in ("viewer", "administrator"):
        viewer = office.signed_in(name)
        pages = [viewer.get(path).text for path in ("/queue", "/queue?show=decided", f"/cases/{case}", "/suppressed")]
        assert [True] * 3 == [tenant_reference("orchid") in page for page in pages[:3]]
        for page in pages:
            assert [] == [text for text in ("orchid", "zoe", "reviewer", REASON.lower()) if text in page.lower()]


def test_whoever_reads_names_is_in_the_audit(office: CaseHouse) -> None:
    """Once an hour for a person and a case; of whoever sees no names nothing is written."""
    case = office.raise_flag()
    reviewer, viewer = office.signed_in("reviewer"), office.signed_in("viewer")

    def read() -> list[str]:
        return [shown for _, shown in office.store.audit.latest(AuditWanted(act="case.read", subject=case), 10)]

    viewer.get(f"/cases/{case}")
    assert [] == read()
    for _ in range(2):
        reviewer.get(f"/cases/{case}")
    assert 1 == len(read())
    office.clock.now += HOUR_MS
    office.signed_in("reviewer").get(f"/cases/{case}")
    assert 2 == len(read())
    assert "reviewer" in read()[0]


def test_there_is_no_case_of_another_name(office: CaseHouse) -> None:
    """Neither to read nor to act on."""
    browser = office.signed_in("reviewer")
    assert 404 == browser.get("/cases/C-0").status_code
    assert 404 == browser.post("/cases/C-0/claim", {"seen": "1"}).status_code


# -- whom it is about -------------------------------------------------------------------------------------------------


def test_a_case_tells_of_its_tenants(tmp_path: Path) -> None:
    """What they have held and computed, their runs, more behind a link; also a case of whom the books know nothing."""
    facts = [
        fact("allocation.started", "a", **{**HELD, "count": 512}),
        fact("allocation.stopped", "b", "2026-06-01T00:00:00Z"),
    ]
    state = tmp_path / "books.db"
    assert 0 == flopwatch("replay", written(tmp_path / "events.jsonl", facts), "--state", state).code
    office = CaseHouse(tmp_path)
    (known,) = office.records.desk.cases.queue(Wanted(), NOW).rows
    unknown = office.raise_flag(tenant="t-1")
    reviewer, viewer = (office.signed_in(name) for name in ("reviewer", "viewer"))
    chart = office.surveys.latest().chart("acme", True)
    pages = [one.get(f"/cases/{known.id}").text for one in (reviewer, viewer)]
    assert chart is not None

    assert [True, False] == [picture(chart.svg) in page for page in pages]
    assert [2, 2] == [page.count("</svg>") + page.count("Its largest runs") for page in pages]
    assert f'href="/tenants/{tenant_reference("acme")}/runs/' in pages[0]
    assert "acme" not in pages[1]
    assert "</svg>" not in reviewer.get(f"/cases/{unknown}").text
    office.close()


# -- as it was ---------------------------------------------------------------------------------------------------------


def test_a_decision_shows_what_was_seen(office: CaseHouse) -> None:
    """The history leads to the case as it was: its numbers, its notes, its state; not what came later."""
    case = office.raise_flag(central=3 * 10**24)
    browser = office.signed_in("reviewer")
    for form, said in (
        ("claim", {}),
        ("note", {"text": "Seen before."}),
        ("decide", DECIDED),
        ("reverse", {"why": REASON}),
    ):
        assert 303 == office.act(browser, case, form, **said)
    office.raise_flag(central=7 * 10**24)
    office.act(browser, case, "note", text="Only later.")
    (link, _) = re.findall(rf'href="(/cases/{case}/as-it-was/[0-9]+)"', browser.get(f"/cases/{case}").text)
    page = browser.get(link).text

    assert [True, False] == [text in page for text in ("3e24", "7e24")]
    assert [True, False, False] == [text in page for text in ("Seen before.", "Only later.", REASON)]
    assert "As <bdi" in page
    assert "claimed" in page
    assert 404 == browser.get(f"/cases/{case}/as-it-was/1").status_code
    names = office.signed_in("viewer").get(link).text
    assert [False] * 3 == [text in names for text in ("Seen before.", "t-1<", "reviewer<")]


def test_what_was_seen_and_altered_since_is_told(office: CaseHouse) -> None:
    """The event has its hash, and the audit has the event."""
    case = office.raise_flag()
    browser = office.signed_in("reviewer")
    office.act(browser, case, "claim")
    office.act(browser, case, "decide", **DECIDED)
    with closing(sqlite3.connect(office.folder / "books.db")) as database:
        database.execute("UPDATE case_sights SET body = replace(body, '\"more\":0', '\"more\":1')")
        database.commit()

    assert "altered since" in browser.get(f"/cases/{case}/as-it-was/{office.case(case).number}").text


def test_a_form_of_other_numbers_is_refused(office: CaseHouse) -> None:
    """The numbers moved while somebody wrote: they are told, and what they wrote is still there."""
    case = office.raise_flag(central=3 * 10**24)
    browser = office.signed_in("reviewer")
    office.act(browser, case, "claim")
    sight = re.search(r'name="sight" value="([0-9a-f]{64})"', browser.get(f"/cases/{case}").text)
    assert sight is not None
    office.raise_flag(central=4 * 10**24)
    form = {"seen": office.case(case).number, "sight": sight[1], **DECIDED}
    answer = browser.post(f"/cases/{case}/decide", form)

    assert (400, True, True) == (
        answer.status_code,
        "have moved since you looked" in answer.text,
        REASON in answer.text,
    )


def test_whoever_reviews_blindly_does_not_see_what_was_decided_on(office: CaseHouse) -> None:
    """Until somebody has said what they would have decided."""
    case = office.raise_flag()
    browser = office.signed_in("reviewer")
    office.act(browser, case, "claim")
    office.act(browser, case, "decide", **DECIDED)
    decided = office.case(case).number
    office.sample(case)
    path = f"/cases/{case}/as-it-was/{decided}"

    assert [403, 200] == [office.signed_in(name).get(path).status_code for name in ("senior-two", "auditor")]
    assert 400 == office.act(office.signed_in("senior-two"), case, "reverse", why=REASON)
    assert State.DECIDED is office.case(case).state


# -- legal hold --------------------------------------------------------------------------------------------------------


def test_a_hold_begins_and_ends_on_the_page(office: CaseHouse) -> None:
    """A reviewer puts a decided case under hold; its end is proposed by one and approved by another."""
    case = office.raise_flag()
    browser, second = office.signed_in("reviewer"), office.signed_in("senior-reviewer")
    office.act(browser, case, "claim")
    office.act(browser, case, "decide", **DECIDED)

    assert 400 == office.act(browser, case, "hold", why="No.")
    assert 303 == office.act(browser, case, "hold", why="A court asked us to keep it all.")
    assert "Legal hold" in browser.get(f"/cases/{case}").text
    assert 303 == office.act(browser, case, "free", why="The court does not ask any more.")
    assert "freeing proposed" in second.get(f"/cases/{case}").text
    assert 303 == office.act(second, case, "approve")
    assert not office.case(case).held
    assert "Legal hold" not in browser.get(f"/cases/{case}").text
