"""Cases in a store: two people are two, of two at once one is told, and what is written together is together."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import IntegrityError

from monitor.core.book import Tenant
from monitor.core.cases import (
    OVERTAKEN,
    SYSTEM,
    Act,
    Case,
    CaseEvent,
    Outcome,
    State,
    fold,
    is_sampled,
    step,
)
from monitor.core.clocks import UNSEEN, knowledge_decision
from monitor.core.flags import Act as FlagAct
from monitor.core.flags import Change, Entry, Flag
from monitor.core.flags import State as FlagState
from monitor.core.model import DAY_MS
from monitor.core.notices import Recipient, Telling, Terms
from monitor.core.parties import Parties
from monitor.core.policy import Level, Scope
from monitor.core.sight import sight_document, sight_hash
from monitor.core.suppression import Standing
from monitor.core.workload import Backlog, Worked
from monitor.errors import CaseProblem, StoreProblem
from monitor.log import build_log
from monitor.metrics import Metrics
from monitor.run.backlog import BacklogWatch
from monitor.run.casework import CASES_AT_ONCE, Conclusion, Desk, Gatherer, Looked
from monitor.run.rollup import ROLL_UP_SECONDS, Rollup
from monitor.run.task import Watch
from monitor.store import DECISION, TICK, AuditWanted, Cursor, Deed, JournalEntry, Wanted
from monitor.store.auditing import entries, resolve
from monitor.store.sql import SqlStore
from tests.contract.test_rollup import LINES, commit, number_of
from tests.core.casefile import ANA, BO, EVE, NOW, REASON, RULE, SAID, flag
from tests.core.test_estimate import reference
from tests.run.test_worker import TurnedClock

EVERYBODY = Recipient("all", frozenset({"page", "queue"}))
TELLING = Telling({RULE: Terms("provider", None, False), "other": Terms("provider", None, False)}, (EVERYBODY,))
POLICY = reference().policies[0]
RULES = tuple(replace(POLICY.rules[0], id=name, scope=Scope.ANY, clock=None) for name in (RULE, "other"))
POLICIES = (replace(POLICY, rules=RULES),)
CITED = (f"{POLICY.id}@{POLICY.version}", RULE)
EXPLAINED = Conclusion(Outcome.EXPLAINED, REASON, *CITED)
PARTIES = Parties({}, NOW)


class Office:
    """A store with flags and cases, and people who work on them."""

    def __init__(self, url: str, clock: TurnedClock | None = None) -> None:
        self.url = url
        self.store = SqlStore.open(url)
        self.clock = clock or TurnedClock()
        self.clock.wall = max(self.clock.wall, NOW)
        self.cases = self.store.casework
        self.desk = Desk(self.cases, POLICIES, self.clock)
        self.gatherer = Gatherer(self.cases, POLICIES, self.clock, TELLING)

    def raise_flags(self, *flags: Flag, what: str = "raised") -> None:
        """The books have these flags now."""
        changes = [Change(one, Entry(one.id, self.clock.wall, what, one.level, "It is so.")) for one in flags]
        tick = JournalEntry(TICK, {"as_of": 0})
        self.store.decide(tick, changes, self.clock.wall, telling=TELLING)

    def gather(self, tenants: Mapping[str, Tenant] | None = None) -> list[str]:
        """Gather; what it did."""
        done: list[str] = []
        while some := self.gatherer.work(tenants or {}, PARTIES):
            done += [str(event.act) for event in some]
        return done

    def open(self, *flags: Flag) -> Case:
        """The case of these flags, claimed by Ana."""
        self.raise_flags(*flags)
        self.gather()
        case = self.cases.home_of(flags[0].id)
        assert case is not None
        return self.desk.claim(case.id, ANA)

    def decided(self, case: Case) -> Case:
        """Ana decides, and Bo approves where it takes two."""
        after = self.desk.decide(case.id, ANA, EXPLAINED)
        return self.desk.approve(case.id, BO) if after.live else after

    def flag(self, name: str) -> Flag:
        """A flag as the store has it."""
        return next(one for one in self.store.flags() if one.id == name)

    def rows(self, statement: str, **values: object) -> list[Any]:
        """What raw SQL says, or does."""
        engine = create_engine(address(self.url))
        try:
            with engine.begin() as connection:
                found = connection.execute(text(statement), values)
                return list(found.all()) if found.returns_rows else []
        finally:
            engine.dispose()

    def queue(self, **wanted: Any) -> list[str]:
        """The ids of the queue."""
        return [row.id for row in self.cases.queue(Wanted(**wanted), self.clock.wall).rows]

    def told(self) -> list[tuple[str, str]]:
        """What people were told: kind and reason, the first news first."""
        return [(str(one.notice.kind), one.notice.why) for one in reversed(self.store.outgoing.sent())]


def address(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture
def office(url: str) -> Iterator[Office]:
    office = Office(url)
    yield office
    office.store.close()


CRITICAL = flag(level="critical")
WATCH = flag()


# -- what is written ---------------------------------------------------------------------------------------------------


def test_a_case_is_the_fold_of_its_events(office: Office) -> None:
    """Opened by the monitor, read back as it was, and the row of the queue says the same."""
    case = office.open(CRITICAL, flag("F-2", "watch"))
    events = office.cases.events(case.id)
    (row,) = office.cases.of_subject("tenant t-1")

    assert [Act.OPENED, Act.FLAGGED, Act.FLAGGED, Act.CLAIMED] == [one.act for one in events]
    assert [SYSTEM] * 3 + [ANA] == [one.actor for one in events]
    assert case == fold(events) == office.cases.case(case.id)
    assert (case.id, "tenant t-1", State.CLAIMED, 4, Level.CRITICAL, True, ANA) == (
        row.id, row.subject, row.state, row.number, row.level, row.two_people, row.holder(office.clock.wall),
    )  # fmt: skip
    assert case.tera == row.tera
    assert (None, []) == (office.cases.case("C-none"), office.cases.events("C-none"))


def test_flags_are_gathered_once(office: Office) -> None:
    """A second look does nothing; what changes in between is noted, and only that."""
    office.raise_flags(WATCH)
    assert ["opened", "flagged"] == office.gather()
    assert [] == office.gather()
    office.raise_flags(flag(level="warning"), what="escalated")
    assert ["changed"] == office.gather()
    office.raise_flags(flag("F-2", state="closed"))
    assert [] == office.gather()
    assert None is office.cases.home_of("F-2")


def test_the_flags_of_many_cases_are_read_at_once(office: Office) -> None:
    """Each case has its own; one that is on no case has none."""
    first = office.open(WATCH, flag("F-2", "watch"))
    second = office.open(flag("F-3", tenant="t-2"))
    found = office.cases.flags_by_case([first.id, second.id, "C-none"])

    assert {first.id: ["F-1", "F-2"], second.id: ["F-3"], "C-none": []} == {
        name: [one.id for one in flags] for name, flags in found.items()
    }
    assert office.cases.flags_of(first) == found[first.id]


def test_many_cases_are_gathered_in_several_transactions(office: Office) -> None:
    """So that people can write in between; in the end each flag is on its case."""
    office.raise_flags(*(flag(f"F-{number}", tenant=f"t-{number}") for number in range(CASES_AT_ONCE + 1)))
    first = office.gatherer.work({}, PARTIES)
    assert (CASES_AT_ONCE, 1) == (len({event.case for event in first}), len(office.cases.ungathered()))
    assert ["opened", "flagged"] == office.gather()


def test_what_was_seen_at_a_decision_is_kept(office: Office) -> None:
    """Whatever moves later: each of two people answers for what was to be seen when they acted."""
    case = office.open(CRITICAL, flag("F-2", "watch"))
    before = office.desk.story(case.id)
    proposed = office.desk.decide(case.id, ANA, EXPLAINED)
    office.raise_flags(flag(level="critical", central=3 * 10**25), what="noted")
    office.clock.wall += 1_000
    approved = office.desk.approve(case.id, BO)
    office.raise_flags(flag(level="critical", state="closed", central=9 * 10**25), what="noted")
    then, later = (office.desk.as_it_was(case.id, one.number) for one in (proposed, approved))

    assert (before.case, before.events) == (then.story.case, then.story.events)
    assert list(before.sight.flags) == then.story.flags
    assert (before.times, before.sight) == (then.story.times, then.story.sight)
    assert [10**25, 3 * 10**25] == [one.story.flags[0].finding.amount.central for one in (then, later)]
    assert {"F-1": 1, "F-2": 1} == then.story.sight.lines
    assert {"F-1": 2, "F-2": 1} == later.story.sight.lines
    assert [None] == [one.verdict for one in later.story.approvals]
    assert (ANA, BO, True, True) == (then.act.actor, later.act.actor, then.as_recorded, later.as_recorded)


def test_what_is_kept_is_held_against_what_was_recorded(office: Office) -> None:
    """A byte of it changed, and it says so; of other events nothing is kept."""
    case = office.open(WATCH)
    decided = office.desk.decide(case.id, ANA, EXPLAINED)
    office.rows(
        "UPDATE case_sights SET body = replace(body, '10000000000000000000000000', '10000000000000000000000001')"
    )

    assert not office.desk.as_it_was(case.id, decided.number).as_recorded
    for number in (1, 99):
        with pytest.raises(CaseProblem, match="no decision of which it is kept"):
            office.desk.as_it_was(case.id, number)


def test_whoever_saw_other_numbers_looks_again(office: Office) -> None:
    """Nothing happened to the case, but its flag has moved: a decision is on what was seen, or it is none."""
    case = office.open(WATCH)
    sight = sight_hash(sight_document(office.desk.story(case.id).sight))
    office.raise_flags(flag(central=2 * 10**25), what="noted")

    with pytest.raises(CaseProblem, match="have moved since you looked"):
        office.desk.decide(case.id, ANA, EXPLAINED, Looked(case.number, sight))
    sight = sight_hash(sight_document(office.desk.story(case.id).sight))
    assert not office.desk.decide(case.id, ANA, EXPLAINED, Looked(case.number, sight)).live


def test_names_and_texts_are_kept_as_they_are(office: Office) -> None:
    """Whatever signs are in them, in both kinds of database."""
    case = office.open(WATCH)
    said = "Ünïcode ☃, a quote ', a nul \x00 and a half \ud800 of a pair."
    office.desk.do(case.id, "Zoë O'Hara", Act.NOTED, {"text": said})

    event = office.cases.events(case.id)[-1]
    assert ("Zoë O'Hara", said) == (event.actor, event.body["text"])


def test_a_decision_closes_its_flags_and_is_journalled(office: Office) -> None:
    """In one transaction: the case, the flags and their histories, a decision for each flag and one for the case."""
    case = office.decided(office.open(WATCH, flag("F-2")))

    assert State.DECIDED == case.state
    assert [FlagState.CLOSED] * 2 == [one.state for one in office.store.flags()]
    assert [REASON] * 2 == [office.store.flag_history(name)[-1].reason for name in ("F-1", "F-2")]
    bodies = [row.entry.body for row in office.store.journal(0, (DECISION,))]
    assert ["decided"] == [body["act"] for body in bodies if "case" in body]
    assert {"F-1", "F-2"} == {body["close"] for body in bodies if "close" in body}
    assert [] == office.gather()


def test_a_decision_is_of_the_flags_as_they_are(office: Office) -> None:
    """One that is milder by now is closed as it is; one that is more serious has to be looked at first."""
    case = office.open(flag(level="warning"), flag("F-2"))
    office.desk.decide(case.id, ANA, EXPLAINED)
    office.raise_flags(flag(state="withdrawn"), what="withdrawn")
    assert State.DECIDED == office.desk.approve(case.id, BO).state
    assert [Act.CHANGED, Act.DECIDED] == [one.act for one in office.cases.events(case.id)[-2:]]
    office.raise_flags(flag(level="critical"), what="escalated")
    assert ["reopened", "changed"] == office.gather()
    office.desk.claim(case.id, ANA)
    office.desk.decide(case.id, ANA, EXPLAINED)
    office.raise_flags(flag("F-2", "critical"), what="escalated")
    with pytest.raises(CaseProblem, match="Flag F-2 is critical by now, and the case knows it as watch"):
        office.desk.approve(case.id, BO)
    assert ["changed", "dropped"] == office.gather()
    (_, overtaken) = office.cases.approvals(case.id)[-2:]
    assert (OVERTAKEN, None) == (overtaken.verdict, overtaken.answered_by)


def test_a_flag_that_moves_while_it_is_closed_stops_that(office: Office) -> None:
    """Between reading and writing nothing may have changed: not the flag either."""
    case = office.open(WATCH)
    deed = office.desk._deciding(case.id, ANA, None, {**EXPLAINED._asdict(), "outcome": "explained", "proposed_by": ""})
    office.raise_flags(flag(level="critical"), what="escalated")

    with pytest.raises(CaseProblem, match="Flag F-1 is critical and open by now: look at the case again"):
        office.cases.write([deed], NOW)
    assert [CaseEvent] == list({type(one) for one in office.cases.events(case.id)})
    assert (Act.CLAIMED, FlagState.OPEN) == (office.cases.events(case.id)[-1].act, office.flag("F-1").state)


def test_a_crash_leaves_all_or_nothing(office: Office) -> None:
    """What comes last in the transaction fails: neither event nor row, flag nor journal entry is there."""
    case = office.open(WATCH)
    before = office.rows("select count(*) from journal"), office.rows("select number, state from cases")
    deed = office.desk._deciding(case.id, ANA, None, {**EXPLAINED._asdict(), "outcome": "explained", "proposed_by": ""})
    broken = deed._replace(journal=[*deed.journal, JournalEntry(DECISION, {"what": object()})])
    with pytest.raises(TypeError):
        office.cases.write([broken], NOW)

    assert before == (office.rows("select count(*) from journal"), office.rows("select number, state from cases"))
    assert (case, FlagState.OPEN) == (office.cases.case(case.id), office.flag("F-1").state)
    office.cases.write([deed], NOW)
    assert State.DECIDED == office.desk.case(case.id).state


def die_deciding(url: str, case: str, acts: int) -> None:
    """A process that is killed while it decides, after so many acts are in its transaction."""
    office = Office(url)
    written: list[str] = []

    def die(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        written.extend([statement] * statement.upper().startswith("INSERT INTO CASE_EVENTS"))
        if len(written) == acts:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(office.cases._database.engine, "after_cursor_execute", die)
    office.desk.decide(case, ANA, EXPLAINED)


@pytest.mark.parametrize("acts", [1, 2])
def test_a_process_that_is_killed_has_decided_nothing(office: Office, acts: int) -> None:
    """In the middle of its transaction: the case is as it was, and whoever comes next can decide it."""
    case = office.open(WATCH, flag("F-2"))
    office.raise_flags(flag("F-2", state="withdrawn"), what="withdrawn")
    context = multiprocessing.get_context("spawn")
    dying = context.Process(target=die_deciding, args=(office.url, case.id, acts))
    dying.start()
    dying.join(timeout=60)

    assert -signal.SIGKILL == dying.exitcode
    assert (case, FlagState.OPEN) == (office.cases.case(case.id), office.flag("F-1").state)
    assert State.DECIDED == office.decided(case).state
    assert FlagState.CLOSED == office.flag("F-1").state


# -- two people --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "again"), [(ANA, ANA), (ANA, "ANA"), (ANA, "  ana "), ("Änne", "ÄNNE")])
def test_whoever_proposed_cannot_approve(office: Office, url: str, first: str, again: str) -> None:
    """In another session, with another connection, written otherwise: the store refuses, and nothing has changed."""
    case = office.open(CRITICAL)
    office.desk.do(case.id, ANA, Act.RELEASED, {})
    office.desk.claim(case.id, first)
    assert State.CLAIMED == office.desk.decide(case.id, first, EXPLAINED).state
    elsewhere = Office(url, office.clock)

    with pytest.raises(CaseProblem, match="takes another person, and the store refuses the same"):
        elsewhere.desk.approve(case.id, again)
    assert [None] == [one.verdict for one in elsewhere.cases.approvals(case.id)]
    assert FlagState.OPEN == elsewhere.flag("F-1").state
    assert State.DECIDED == elsewhere.desk.approve(case.id, BO).state
    (row,) = office.cases.of_subject("tenant t-1")
    assert (first, BO) == (row.decided_by, row.seconded_by)
    (approval,) = office.cases.approvals(case.id)
    assert (first, BO, "approved", {"expires_at": None}) == (
        approval.proposed_by, approval.answered_by, approval.verdict,
        {name: value for name, value in approval.body.items() if value is None},
    )  # fmt: skip
    elsewhere.store.close()


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("update approvals set answered_by = 'Ana', verdict = 'approved'", "approvals_other_person"),
        ("update approvals set verdict = 'approved'", "approvals_answered"),
        ("update cases set state = 'decided', decided_by = 'ana'", "cases_two_people"),
        ("update cases set state = 'decided', decided_by = 'ana', seconded_by = 'ANA'", "cases_two_people"),
        ("update cases set state = 'decided', seconded_by = 'bo'", "cases_two_people"),
        ("update cases set decided_by = 'ana', reviewed_by = 'Ana'", "cases_other_reviewer"),
        ("update suppressions set approved_by = 'ANA'", "suppressions_two_people"),
    ],
)
def test_the_tables_refuse_what_no_command_would_do(office: Office, statement: str, constraint: str) -> None:
    """Raw SQL cannot make one person two."""
    case = office.open(CRITICAL)
    suppressed(office, case.id)
    office.desk.decide(case.id, ANA, EXPLAINED)

    with pytest.raises(IntegrityError, match=constraint):
        office.rows(statement)


def test_a_refusal_stays_on_record(office: Office) -> None:
    """Refused by another, withdrawn by oneself: both are there afterwards, and the case can be decided otherwise."""
    case = office.open(CRITICAL)
    office.desk.decide(case.id, ANA, EXPLAINED)
    office.desk.drop(case.id, BO, "The contract is another one.")
    office.desk.decide(case.id, ANA, EXPLAINED)
    office.desk.drop(case.id, ANA, "I was wrong about the contract.")
    for problem in (office.desk.approve, lambda name, who: office.desk.drop(name, who, "Why not.")):
        with pytest.raises(CaseProblem, match="Nothing that was proposed"):
            problem(case.id, BO)
    office.decided(case)

    assert [("refused", BO), ("withdrawn", None), ("approved", BO)] == [
        (one.verdict, one.answered_by) for one in office.cases.approvals(case.id)
    ]


# -- two at once -------------------------------------------------------------------------------------------------------


def decide_elsewhere(url: str, case: str, person: str, barrier: Any, answers: Any) -> None:
    """Somebody decides in a process of their own, at the same moment as another."""
    office = Office(url)
    barrier.wait()
    try:
        office.desk.decide(case, person, EXPLAINED)
        answers.put("")
    except (CaseProblem, StoreProblem) as problem:
        answers.put(str(problem))
    office.store.close()


def test_a_decision_raced_by_two_is_one_decision(office: Office) -> None:
    """In two processes: one wins, the other is told who was first; the case has one decision."""
    office.clock.wall += DAY_MS
    case = office.open(WATCH)
    office.desk.claim(case.id, ANA, minutes=24 * 60)
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(2), context.Queue()
    people = [
        context.Process(target=decide_elsewhere, args=(office.url, case.id, ANA, barrier, answers)) for _ in range(2)
    ]
    for one in people:
        one.start()
    said = sorted(answers.get(timeout=60) for _ in people)
    for one in people:
        one.join()

    assert "" == said[0]
    assert "was first" in said[1] or "A case that is decided cannot be decided" in said[1]
    assert 1 == len(office.desk.case(case.id).decided)
    assert 1 == sum(entry.act == FlagAct.CLOSED for entry in office.store.flag_history("F-1"))


def test_whoever_is_second_is_told_who_was_first(office: Office, url: str) -> None:
    """Both read the same case; the second one's act is not written, and a name and a time say why."""
    case = office.open(WATCH)
    other = Office(url, office.clock)
    late = other.desk._acting(case.id, BO, None, Act.NOTED, {"text": "Mine."})
    office.desk.do(case.id, ANA, Act.NOTED, {"text": "First."})

    with pytest.raises(CaseProblem, match=rf"ana was first: case {case.id} was noted at .*Z\. Nothing of this"):
        other.cases.write([late], NOW)
    with pytest.raises(CaseProblem, match="has changed since you looked at it"):
        other.desk.do(case.id, BO, Act.NOTED, {"text": "Mine."}, Looked(case.number))
    assert ["First."] == [one.body["text"] for one in office.cases.events(case.id) if one.act is Act.NOTED]
    other.store.close()


def test_many_take_what_comes_next(office: Office, url: str) -> None:
    """Each of some people gets a case of their own, however many ask at once; then nothing is left."""
    people = [f"person {number}" for number in range(4)]
    office.raise_flags(*(flag(f"F-{number}", tenant=f"t-{number}") for number in range(len(people))))
    office.gather()
    taken: dict[str, str] = {}

    def take(person: str) -> None:
        own = Office(url, office.clock)
        for _ in range(50):
            try:
                case = own.desk.next(person)
            except (CaseProblem, StoreProblem):
                continue  # the others were first, or the file was in use
            assert case is not None
            taken[person] = case.id
            break
        own.store.close()

    threads = [threading.Thread(target=take, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(people), len(people)) == (len(taken), len(set(taken.values())))
    assert None is office.desk.next("too late")


def test_next_gives_up_where_others_are_always_first(office: Office) -> None:
    """Whoever cannot claim what is free is told why."""
    office.raise_flags(WATCH)
    office.gather()
    with pytest.raises(CaseProblem, match="A claim lasts between a minute and a day"):
        office.desk.next(ANA, minutes=0)


# -- the queue ---------------------------------------------------------------------------------------------------------


def test_the_queue_is_in_the_order_of_what_matters(office: Office) -> None:
    """Level, then what is due first, then compute; what is snoozed or decided is not in it, page after page."""
    office.raise_flags(
        flag("F-1", "warning", tenant="small", central=10**24),
        flag("F-2", "warning", tenant="large", central=10**26),
        flag("F-3", "critical", tenant="worst", central=10**23),
        flag("F-4", "warning", tenant="asked", central=10**23),
        flag("F-5", tenant="least"),
        flag("F-6", "critical", tenant="asleep"),
        flag("F-7", tenant="done"),
    )
    office.gather()
    case = {one.subject.removeprefix("tenant "): one.id for one in office.cases.queue(Wanted(), NOW).rows}
    for name in ("asked", "asleep", "done"):
        office.desk.claim(case[name], ANA)
    office.desk.do(case["asked"], ANA, Act.ASKED, dict(SAID[Act.ASKED]) | {"due_at": office.clock.wall + DAY_MS})
    office.desk.do(case["asleep"], ANA, Act.SNOOZED, dict(SAID[Act.SNOOZED]) | {"until": office.clock.wall + DAY_MS})
    office.decided(office.desk.case(case["done"]))
    names = {id: name for name, id in case.items()}

    assert ["worst", "asked", "large", "small", "least"] == [names[one] for one in office.queue()]
    assert ["worst", "asleep"] == sorted(
        (names[one] for one in office.queue(hidden=True, level="critical")), reverse=True
    )
    assert ["done"] == [names[one] for one in office.queue(decided=True)]
    assert ["asked"] == [names[one] for one in office.queue(person=ANA)]
    assert ["asked"] == [names[one] for one in office.queue(state="waiting")]
    assert ["worst", "large", "small", "least"] == [names[one] for one in office.queue(free_for=BO)]
    assert [] == office.queue(senior=True)
    assert ["done"] == [names[one] for one in office.queue(subject="tenant done", hidden=True)]
    pages: list[str] = []
    after: Cursor | None = None
    while True:
        page = office.cases.queue(Wanted(after=after, limit=2), office.clock.wall)
        pages += [names[row.id] for row in page.rows]
        after = page.after
        if after is None:
            break
    assert ["worst", "asked", "large", "small", "least"] == pages
    office.clock.turn(24 * 3600)
    assert "asleep" in [names[one] for one in office.queue()]


def test_what_is_proposed_is_found(office: Office) -> None:
    """By whoever is asked for a second opinion."""
    case = office.open(CRITICAL)
    assert [] == office.queue(proposed=True)
    office.desk.decide(case.id, ANA, EXPLAINED)
    assert [case.id] == office.queue(proposed=True)


# -- after the decision ------------------------------------------------------------------------------------------------


def test_a_reversal_opens_the_case_and_its_flags(office: Office) -> None:
    """The original decision stays; the flags are open, and the books will follow them again."""
    case = office.decided(office.open(CRITICAL))
    with pytest.raises(CaseProblem, match="A reason is a sentence"):
        office.desk.reverse(case.id, EVE, "Wrong.")
    reopened = office.desk.reverse(case.id, EVE, "The contract was another one.")

    assert (State.REOPENED, 1, FlagState.OPEN) == (reopened.state, len(reopened.decided), office.flag("F-1").state)
    assert reopened == office.cases.case(case.id)
    bodies = [row.entry.body for row in office.store.journal(0, (DECISION,))]
    assert {"reopen": "F-1", "reason": "The contract was another one."} in bodies
    assert [] == office.gather()
    with pytest.raises(CaseProblem, match="is not decided"):
        office.desk.reverse(case.id, EVE, "The contract was another one.")
    office.desk.claim(case.id, ANA)
    office.desk.decide(case.id, ANA, EXPLAINED)
    with pytest.raises(CaseProblem, match="store refuses the same"):
        office.desk.approve(case.id, ANA)


def test_a_party_has_one_case_at_a_time(office: Office) -> None:
    """A decision cannot be taken back while the party is looked at elsewhere; the store refuses it."""
    first = office.decided(office.open(WATCH))
    office.raise_flags(flag("F-2"))
    office.gather()

    with pytest.raises(CaseProblem, match="has another case that is not decided"):
        office.desk.reverse(first.id, EVE, "The contract was another one.")
    assert [first.id] == [row.id for row in office.cases.of_subject("tenant t-1") if row.outcome is not None]
    second = office.cases.home_of("F-2")
    assert second is not None
    story = office.desk.story(second.id)
    assert [first.id] == [row.id for row in story.others]


def test_a_flag_moves_to_the_live_case_and_back(office: Office) -> None:
    """What escalates is looked at where its party is; when the first case is open again, it has its flags."""
    first = office.decided(office.open(WATCH))
    second = office.open(flag("F-2"))
    office.raise_flags(flag(level="critical"), what="escalated")
    office.gather()
    home = office.cases.home_of("F-1")
    assert home is not None
    assert second.id == home.id
    office.decided(office.desk.case(second.id))
    office.desk.reverse(first.id, EVE, "The contract was another one.")
    home = office.cases.home_of("F-1")
    assert home is not None
    assert first.id == home.id
    assert [] == office.gather()


def test_an_authorisation_ends_by_itself(office: Office) -> None:
    """On its day the case and its flags are open again, and the next look does nothing."""
    case = office.open(WATCH)
    until = office.clock.wall + DAY_MS
    office.desk.decide(
        case.id,
        ANA,
        EXPLAINED._replace(outcome=Outcome.AUTHORISED, expires_at=until, scope="training", quantity="1e26"),
    )
    assert [] == office.gather()
    office.clock.turn(24 * 3600)
    assert ["reopened", "changed"] == office.gather()
    assert (FlagState.OPEN, [case.id]) == (office.flag("F-1").state, office.queue())
    assert [] == office.gather()


def test_a_sampled_decision_is_reviewed_blindly(office: Office) -> None:
    """Five in a hundred: it waits for somebody else, who neither decided nor approved; agreement is counted."""
    number = next(number for number in range(10_000) if is_sampled(case_named(number), 4))
    case = written(office, case_named(number))
    office.desk.claim(case.id, ANA)
    decided = office.decided(case)
    assert Act.SAMPLED == office.cases.events(case.id)[-1].act
    assert [case.id] == office.queue(review=True)
    with pytest.raises(CaseProblem, match="cannot review it blindly"):
        office.desk.review(case.id, ANA, Outcome.EXPLAINED, REASON)
    assert {"waiting": 1} == office.cases.statistics(NOW).reviews
    after = office.desk.review(case.id, EVE, Outcome.UNEXPLAINED, REASON)
    assert after.review is not None
    assert (EVE, False) == (after.review.by, after.review.agrees)
    assert ({"disagreed": 1}, []) == (office.cases.statistics(NOW).reviews, office.queue(review=True))
    assert decided.decision == after.decision
    with pytest.raises(CaseProblem, match="No review"):
        office.desk.review(case.id, "mia", Outcome.EXPLAINED, REASON)


def case_named(number: int) -> str:
    return f"C-{number:012d}"


def written(office: Office, name: str) -> Case:
    """A case of this name, with a watch flag."""
    office.raise_flags(WATCH)
    opened = CaseEvent(name, 1, office.clock.wall, Act.OPENED, SYSTEM, {"subject": "tenant t-1"})
    flagged = CaseEvent(name, 2, office.clock.wall, Act.FLAGGED, SYSTEM, SAID[Act.FLAGGED])
    case = step(fold([opened]), flagged)
    office.cases.write([Deed([opened, flagged], case)], office.clock.wall)
    return case


def test_flags_are_counted_by_rule(office: Office) -> None:
    """Those that are open, by level; and how many people were told of since some instants, closed ones too."""
    office.raise_flags(
        flag("F-1", "watch", told_at=NOW - 40 * DAY_MS),
        flag("F-2", "watch", told_at=NOW - 10 * DAY_MS),
        flag("F-3", "critical", told_at=NOW - 10 * DAY_MS),
        flag("F-4", "critical", told_at=NOW - 10 * DAY_MS)._replace(state=FlagState.CLOSED),
        flag("F-5", "warning", rule="other", told_at=NOW - 100 * DAY_MS)._replace(state=FlagState.WITHDRAWN),
    )
    found = office.cases.flags_by_rule([NOW - 30 * DAY_MS, NOW - 90 * DAY_MS])

    assert {RULE: ({"watch": 2, "critical": 1}, (3, 4)), "other": ({}, (0, 0))} == found


def test_statistics_count_what_rules_led_to(office: Office) -> None:
    """Decided cases by rule and outcome, each once however many flags; and how old is what waits."""
    office.raise_flags(
        flag("F-1", tenant="a"), flag("F-2", tenant="a"), flag("F-3", tenant="b"),
        flag("F-4", tenant="b", rule="other"), flag("F-5", tenant="c"),
    )  # fmt: skip
    office.gather()
    for name, outcome in (("F-1", Outcome.EXPLAINED), ("F-3", Outcome.REFERRED)):
        case = office.cases.home_of(name)
        assert case is not None
        office.desk.claim(case.id, ANA)
        office.desk.decide(case.id, ANA, EXPLAINED._replace(outcome=outcome))
    found = office.cases.statistics(office.clock.wall + 3 * DAY_MS)

    assert {RULE: {"explained": 1, "referred": 1}, "other": {"referred": 1}} == found.outcomes
    assert {"0 to 2 days": 0, "3 to 10 days": 1, "11 to 30 days": 0, "more than 30 days": 0} == found.ages
    ages = [office.cases.statistics(office.clock.wall + days * DAY_MS).ages for days in (0, 2, 11, 31)]
    assert ["0 to 2 days", "0 to 2 days", "11 to 30 days", "more than 30 days"] == [
        next(name for name, count in one.items() if count) for one in ages
    ]


def test_what_waits_for_people_is_shown(office: Office) -> None:
    """A new critical case waits since it was opened, a claimed one does not until its claim lapses; what is decided and
    what has a time by which is told, too.
    """
    opened = office.clock.wall
    metrics = Metrics(CollectorRegistry())
    watch = BacklogWatch(office.cases, Watch(metrics, office.clock, build_log("info", office.clock, io.StringIO())))

    def shown(name: str, **labels: str) -> float | None:
        office.clock.turn(60)
        watch.work()
        return metrics.registry.get_sample_value(name, labels)

    oldest, level = "flopwatch_case_oldest_unclaimed_timestamp_seconds", "critical"
    assert 0 == shown(oldest, level=level)
    office.raise_flags(flag("F-1", level, tenant="a"))
    office.gather()
    assert opened / 1_000 == pytest.approx(shown(oldest, level=level), abs=200)
    assert 1 == shown("flopwatch_cases", state="new", level=level)
    case = office.cases.home_of("F-1")
    assert case is not None
    case = office.desk.claim(case.id, ANA)
    assert (0, 1) == (shown(oldest, level=level), shown("flopwatch_cases", state="claimed", level=level))
    office.decided(case)
    assert (0, 1) == (
        shown("flopwatch_cases", state="claimed", level=level), shown("flopwatch_cases_decided", outcome="explained")
    )  # fmt: skip
    assert 0 == shown("flopwatch_suppressions", ending_soon="yes")


def test_a_store_that_does_not_answer_is_asked_again_what_waits(office: Office) -> None:
    """It is logged, and nothing fails."""
    logged = io.StringIO()
    watch = BacklogWatch(
        Silent(), Watch(Metrics(CollectorRegistry()), office.clock, build_log("info", office.clock, logged))
    )
    watch.work()

    assert "cases not read" in logged.getvalue()


class Silent:
    """Cases of a store that does not answer."""

    def backlog(self, now: int) -> Backlog:
        raise StoreProblem("The store does not answer: start it.")


def test_a_tally_is_of_the_whole_list(office: Office) -> None:
    """As many as the pages of the queue have together, and the oldest of them; what is due by now is asked for."""
    made = office.clock.wall
    for tenant in ("a", "b"):
        office.raise_flags(flag(f"F-{tenant}", tenant=tenant))
        office.gather()
        office.clock.turn(3600)
    now = office.clock.wall
    every = [Wanted(limit=1), Wanted(level="critical"), Wanted(overdue=True, hidden=True)]

    assert [(2, made), (0, None), (0, None)] == [office.cases.tally(wanted, now) for wanted in every]
    (case, _), due = office.queue(), now + DAY_MS
    office.desk.claim(case, ANA)
    office.desk.do(case, ANA, Act.ASKED, {"whom": "sales", "what": "Which contract?", "due_at": due})
    assert [0, 1] == [office.cases.tally(every[2], at).number for at in (due - 1, due)]


def test_what_was_worked_on_is_known_since_an_instant(office: Office) -> None:
    """When a case was opened, claimed for the first time and decided, and to what; those of long ago are left out."""
    opened = office.clock.wall
    office.raise_flags(WATCH)
    office.gather()
    (case,) = office.queue()
    office.clock.turn(60)
    office.desk.claim(case, ANA)
    office.desk.do(case, ANA, Act.RELEASED, {})
    office.clock.turn(60)
    office.desk.claim(case, ANA)
    office.desk.decide(case, ANA, EXPLAINED)

    whole = Worked(opened, opened + 60_000, opened + 120_000, "explained")
    assert [[whole], [whole], []] == [office.cases.worked(since) for since in (opened, opened + 1, opened + 120_001)]
    office.desk.reverse(case, BO, REASON)
    assert [whole._replace(decided_at=None, outcome=None)] == office.cases.worked(opened)


# -- suppressions ------------------------------------------------------------------------------------------------------

SAW = Standing(Level.WATCH, 10**25)


def suppressed(office: Office, case: str, days: int = 20, saw: Standing = SAW, rule: str = RULE) -> None:
    """Ana proposes that nobody is told of a rule for some days, and Bo approves."""
    office.desk.suppress(case, ANA, rule, office.clock.wall + days * DAY_MS, REASON, lambda _: saw)
    office.desk.approve(case, BO)


def test_a_suppressed_case_leaves_the_queue(office: Office) -> None:
    """It is listed elsewhere with both people, its flags stay as they are, and no reminder is made."""
    case = office.open(WATCH)
    office.desk.suppress(case.id, ANA, RULE, office.clock.wall + 20 * DAY_MS, REASON, lambda _: SAW)
    assert [case.id] == office.queue()
    with pytest.raises(CaseProblem, match="store refuses the same"):
        office.desk.approve(case.id, ANA)
    office.desk.approve(case.id, BO)

    assert ([], [case.id], FlagState.OPEN) == (office.queue(), office.queue(hidden=True), office.flag("F-1").state)
    (row,) = office.cases.suppressions()
    one = row.suppression
    assert (case.id, "tenant t-1", RULE, SAW, ANA, BO, None) == (
        one.case, one.subject, one.rule, one.saw, one.proposed_by, one.approved_by, row.ended,
    )  # fmt: skip
    assert "suppressed" in {row.entry.body.get("act") for row in office.store.journal(0, (DECISION,))}
    assert [] == office.store.outgoing.standing("all", 0)


def test_nobody_is_told_of_what_is_suppressed(office: Office) -> None:
    """News at the level that two people saw is told to nobody; a new rung is, and ends the suppression."""
    case = office.open(WATCH)
    suppressed(office, case.id)
    office.raise_flags(flag(state="withdrawn"), what="withdrawn")
    office.raise_flags(WATCH, what="returned")
    office.gather()
    assert [("first", "It is so.")] == office.told()
    office.raise_flags(flag(level="warning"), what="escalated")
    assert ["changed", "resumed"] == office.gather()
    (row,) = office.cases.suppressions()
    assert "The suppression of ladder.any ends: it was watch, and is warning now." == row.ended
    assert [case.id] == office.queue()
    assert [("first", "It is so."), ("escalated", "It is so."), ("reminder", str(row.ended))] == sorted(
        office.told(), key=lambda one: ["first", "escalated", "reminder"].index(one[0])
    )
    assert [] == office.gather()


@pytest.mark.parametrize("how", ["time", "doubled", "decided"])
def test_a_suppression_ends(office: Office, how: str) -> None:
    """On its day or with twice the compute the case is back and people are told; a decision ends it quietly."""
    case = office.open(WATCH)
    suppressed(office, case.id)
    if how == "time":
        office.clock.turn(20 * 24 * 3600)
        assert ["resumed"] == office.gather()
    elif how == "doubled":
        doubled = flag(central=2 * 10**25)
        office.store.decide(
            JournalEntry(TICK, {}), [Change(doubled, Entry("F-1", NOW, "", Level.WATCH, ""))], office.clock.wall
        )
        assert ["resumed"] == office.gather()
    else:
        office.decided(case)
        assert [] == office.gather()

    assert [] == office.cases.holding()
    assert ([] if how == "decided" else [case.id]) == office.queue()
    assert (how != "decided") == (len(office.told()) == 2)
    assert 1 == len(office.cases.suppressions())


def test_a_suppressed_rule_stays_so_for_another_flag_of_the_party(office: Office) -> None:
    """The case is not back because another tenant of the party has the same flag; with another rule it is."""
    case = office.open(WATCH)
    suppressed(office, case.id, saw=SAW._replace(central=10**26))
    office.raise_flags(flag("F-2"))
    assert ["flagged"] == office.gather()
    assert [] == office.queue()
    office.raise_flags(flag("F-3", rule="other"))
    office.gather()
    assert [case.id] == office.queue()


def test_a_rule_is_suppressed_once(office: Office) -> None:
    """A second suppression of it waits until the first has ended."""
    case = office.open(WATCH)
    suppressed(office, case.id)

    with pytest.raises(CaseProblem, match="This rule is suppressed for the party already"):
        suppressed(office, case.id)


# -- clocks ------------------------------------------------------------------------------------------------------------


def test_knowing_begins_a_clock_on_the_case(office: Office) -> None:
    """Said of a flag, it is on the live case of that flag, and nowhere when there is none."""
    case = office.open(WATCH)
    office.store.record([JournalEntry(DECISION, knowledge_decision("F-1", [ANA], NOW, REASON))], NOW)
    office.desk.known(office.flag("F-1"), ANA)
    assert (Act.KNOWN, None) == (office.cases.events(case.id)[-1].act, office.desk.case(case.id).due_at)
    times = office.desk.story(case.id).times
    assert (NOW, WATCH.told_at) == (times.knowledge_at, times.alert_at)
    office.decided(case)
    office.desk.known(office.flag("F-1"), ANA)
    assert Act.KNOWN != office.cases.events(case.id)[-1].act


# -- people and names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "  ", "flopwatch", " FlopWatch "])
def test_somebody_does_it(office: Office, name: str) -> None:
    """Nobody acts without a name, or in the name of the monitor."""
    case = office.open(WATCH)
    with pytest.raises(CaseProblem, match="name the person with --by"):
        office.desk.do(case.id, name, Act.NOTED, {"text": "Mine."})


def test_what_is_not_there_is_said(office: Office) -> None:
    """No such case, no such rule, no act that takes more than itself."""
    case = office.open(WATCH)
    with pytest.raises(CaseProblem, match="There is no case C-none; `flopwatch cases` lists them"):
        office.desk.claim("C-none", ANA)
    with pytest.raises(CaseProblem, match="No policy that is known here is x@1 with a rule y"):
        office.desk.decide(case.id, ANA, EXPLAINED._replace(policy="x@1", rule="y"))
    with pytest.raises(CaseProblem, match="A case is not decided by itself"):
        office.desk.do(case.id, ANA, Act.DECIDED, dict(SAID[Act.DECIDED]))


def test_acts_of_people_are_in_the_audit_without_their_names(office: Office) -> None:
    """Each in the transaction of the act, by hash; what the monitor gathers is not; the journal has no name either."""
    case = office.open(CRITICAL)
    office.desk.do(case.id, ANA, Act.ASSIGNED, {"to": BO})
    office.desk.claim(case.id, BO)
    office.desk.decide(case.id, BO, EXPLAINED)
    office.desk.approve(case.id, ANA)

    with office.cases._database.reading() as connection:
        rows = [row.entry for row in entries(connection, AuditWanted(subject=case.id))][::-1]
        people = {one.value for one in resolve(connection, {row.actor for row in rows}).values()}
    acts = ["case.claimed", "case.assigned", "case.claimed", "case.proposed", "case.decided"]
    assert acts == [row.act for row in rows]
    assert {ANA, BO} == people
    said = "".join(row.body for row in rows) + "".join(row[0] for row in office.rows("select body from journal"))
    assert [] == [name for name in (ANA, BO) if f'"{name}"' in said]


def test_a_suppression_is_in_the_audit_without_names(office: Office) -> None:
    """Neither what was proposed nor what was approved says who they are."""
    case = office.open(WATCH)
    suppressed(office, case.id)

    with office.cases._database.reading() as connection:
        rows = [row.entry for row in entries(connection, AuditWanted(subject=case.id))]
    said = "".join(row.body for row in rows) + "".join(row[0] for row in office.rows("select body from journal"))
    assert {"case.claimed", "case.proposed", "case.suppressed"} == {row.act for row in rows}
    assert [] == [name for name in (ANA, BO) if f'"{name}"' in said]
    assert [ANA] == [one.suppression.proposed_by for one in office.cases.suppressions()]


# -- the roll-up -------------------------------------------------------------------------------------------------------


def test_the_roll_up_gathers(office: Office) -> None:
    """Flags of tenants and groups are on one case of their party after a roll-up, and on no other after the next."""
    for number in range(3):
        commit(office.store, number, [line for line in LINES if number_of(line) == number])
    office.raise_flags(flag("F-1", tenant="a"), flag("F-2", tenant="nobody"))
    watch = Watch(Metrics(CollectorRegistry()), office.clock, build_log("info", office.clock, io.StringIO()))
    rolling = Rollup(office.store, reference(), watch)
    for _ in range(2):
        rolling.work()
        office.clock.turn(ROLL_UP_SECONDS)

    subjects = {row.subject for row in office.cases.queue(Wanted(), office.clock.wall).rows}
    assert {"party acme", "tenant nobody"} == subjects
    (row,) = office.cases.of_subject("party acme")
    case = office.desk.case(row.id)
    assert {"F-1", *office.store.group_flags()} == set(case.flags)
    assert row.number == len(case.flags) + 1


def lines_of(log: Iterable[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log if line.strip()]


def test_a_gathering_that_is_refused_comes_again(office: Office) -> None:
    """Somebody else was first: the roll-up goes on, says so, and gathers the next time."""
    for number in range(3):
        commit(office.store, number, [line for line in LINES if number_of(line) == number])
    out = io.StringIO()
    watch = Watch(Metrics(CollectorRegistry()), office.clock, build_log("info", office.clock, out))

    class Busy:
        """The store, in which somebody else is always first."""

        away = True

        def __getattr__(self, name: str) -> object:
            if name == "casework" and self.away:
                return self
            return getattr(office.store, name)

        def ungathered(self) -> list[Flag]:
            raise CaseProblem("bo was first.")

    books = Busy()
    rolling = Rollup(books, reference(), watch)  # type: ignore[arg-type]
    rolling.work()
    assert rolling.ours
    assert ["cases not gathered"] == [one["event"] for one in lines_of(out.getvalue().splitlines()) if "problem" in one]
    assert [] == office.queue()
    books.away = False
    office.clock.turn(ROLL_UP_SECONDS)
    rolling.work()
    assert 1 == len(office.queue())


def test_whoever_does_not_roll_up_gathers_nothing(office: Office) -> None:
    """Another process was at it, and knows parties better than this one remembers them: flags are left to it."""
    for number in range(3):
        commit(office.store, number, [line for line in LINES if number_of(line) == number])
    watch = Watch(Metrics(CollectorRegistry()), office.clock, build_log("info", office.clock, io.StringIO()))

    class Elsewhere:
        """The store, of which another process has the lock for the first roll-up and no longer."""

        busy = False

        def __getattr__(self, name: str) -> object:
            return getattr(office.store, name)

        @contextmanager
        def rolling_up(self) -> Iterator[bool]:
            if self.busy:
                self.busy = False
                yield False
            else:
                with office.store.rolling_up() as ours:
                    yield ours

    books = Elsewhere()
    rolling = Rollup(books, reference(), watch)  # type: ignore[arg-type]
    rolling.work()
    office.raise_flags(flag("F-1", tenant="nobody"))
    found = []
    for busy in (True, False):
        books.busy = busy
        office.clock.turn(ROLL_UP_SECONDS)
        rolling.work()
        found.append((rolling.ours, len(office.queue())))

    assert [(False, 1), (True, 2)] == found


def test_whoever_claims_a_case_has_looked_at_its_flags(office: Office) -> None:
    """The first one counts, for each flag that stands then; one that comes later was not looked at yet."""
    case = office.open(WATCH)
    first = office.clock.wall
    office.raise_flags(flag("F-2"), flag("F-3", "watch", "withdrawn"))
    office.gather()
    assert [first, None] == [office.store.seen().get(name, UNSEEN).first_viewed_at for name in ("F-1", "F-2")]
    office.clock.turn(7200)
    office.desk.claim(case.id, BO)
    seen = office.store.seen()
    assert [first] + [office.clock.wall] * 2 == [seen[name].first_viewed_at for name in ("F-1", "F-2", "F-3")]
    assert first == office.desk.story(case.id).times.first_viewed_at


def test_knowledge_is_said_whoever_was_first(office: Office, url: str) -> None:
    """Somebody who acts on the case at the same moment does not keep it from the case; somebody always first does."""
    case = office.open(WATCH)
    other = Office(url, office.clock)
    times = 1

    class Raced:
        """The cases of the store, where another act comes before each of ours, so many times."""

        def __getattr__(self, name: str) -> object:
            return getattr(office.cases, name)

        def write(self, deeds: list[Deed], at: int) -> None:
            nonlocal times
            if times:
                times -= 1
                other.desk.do(case.id, BO, Act.NOTED, {"text": "First."})
            office.cases.write(deeds, at)

    raced = Desk(Raced(), POLICIES, office.clock)  # type: ignore[arg-type]
    raced.known(office.flag("F-1"), ANA)
    assert [Act.NOTED, Act.KNOWN] == [one.act for one in office.cases.events(case.id)[-2:]]
    times = 1_000
    with pytest.raises(CaseProblem, match="bo was first"):
        raced.known(office.flag("F-1"), ANA)
    other.store.close()
