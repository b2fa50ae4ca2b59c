"""The life of a case: its table, who may do what and when, and what a decision must say."""

from __future__ import annotations

import hashlib
import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.case_acts import BODIES, days_max, is_sentence, refusal, wrong_body
from monitor.core.cases import (
    CLAIM_MINUTES,
    DECISION,
    FREEING,
    LIVE,
    SAMPLE_PER_CENT,
    SUPPRESSION,
    SYSTEM,
    TRANSITIONS,
    UNKNOWN_SCOPE,
    WITHDRAWN,
    Act,
    Case,
    CaseEvent,
    CaseTimes,
    Outcome,
    Question,
    Review,
    State,
    case_id,
    changed_body,
    due_of,
    flagged_body,
    flagged_of,
    fold,
    is_sampled,
    precision_of,
    step,
    tera_of,
    times_of_case,
)
from monitor.core.clocks import UNSEEN, Clock, ClockFrom, Seen
from monitor.core.flags import State as FlagState
from monitor.core.model import DAY_MS, HOUR_MS
from monitor.core.notices import Terms
from monitor.core.policy import Level
from tests.core.casefile import (
    ANA,
    BO,
    CASE,
    DECIDED,
    EVE,
    MINUTE_MS,
    NOW,
    REASON,
    RULE,
    SAID,
    SUBJECT,
    SUPPRESSED,
    SYSTEMS,
    File,
    flag,
    in_state,
)

LATER = NOW + 30 * DAY_MS

# -- the table ---------------------------------------------------------------------------------------------------------

TABLE = """
new            claimed    claimed
new            assigned escalated snoozed noted known flagged changed resumed    new
new            held proposed dropped freed    new
claimed        claimed proposed dropped suppressed assigned escalated snoozed noted known    claimed
claimed        flagged changed resumed held freed    claimed
claimed        released   new
claimed        begun      investigating
claimed        asked      waiting
claimed        decided    decided
investigating  claimed released proposed dropped suppressed assigned escalated snoozed noted known    investigating
investigating  flagged changed resumed held freed    investigating
investigating  asked      waiting
investigating  decided    decided
waiting        claimed released asked proposed dropped suppressed assigned escalated snoozed noted known    waiting
waiting        flagged changed resumed held freed    waiting
waiting        answered   investigating
waiting        decided    decided
decided        reversed reopened    reopened
decided        sampled reviewed noted held proposed dropped freed    decided
reopened       claimed    claimed
reopened       assigned escalated snoozed noted known flagged changed resumed    reopened
reopened       held proposed dropped freed    reopened
"""


def test_the_table_says_what_the_life_cycle_is() -> None:
    """Whoever changes the life cycle changes this table too."""
    expected = {}
    for line in TABLE.strip().splitlines():
        state, *acts, after = line.split()
        expected.update({(state, act): after for act in acts})

    assert expected == {(str(state), str(act)): str(after) for (state, act), after in TRANSITIONS.items()}


@pytest.mark.parametrize(("state", "what"), list(product(State, Act)))
def test_the_table_decides_every_act_in_every_state(state: State, what: Act) -> None:
    """An act that is in the table leads to its state; any other is refused by a sentence, and cannot be forced."""
    file = in_state(state)
    event = file.event(what)
    after = TRANSITIONS.get((state, what))

    if after is None:
        shown = "waiting for information" if state is State.WAITING else str(state)
        sentence = f"A case that is {shown} cannot be {what}."
        assert sentence == refusal(file.case, event)
        with pytest.raises(ValueError, match=sentence):
            step(file.case, event)
    else:
        assert after == step(file.case, event).state


# -- the fold ----------------------------------------------------------------------------------------------------------


def test_a_case_begins_with_being_opened() -> None:
    """Nothing is no case, and neither is what begins in the middle."""
    opened = CaseEvent(CASE, 1, NOW, Act.OPENED, SYSTEM, SAID[Act.OPENED])

    assert Case(CASE, SUBJECT, NOW, State.NEW, 1) == fold([opened])
    with pytest.raises(ValueError, match="No events"):
        fold([])
    with pytest.raises(ValueError, match="begins with being opened, not with event 2, opened"):
        fold([opened._replace(number=2)])
    with pytest.raises(ValueError, match="begins with being opened, not with event 1, noted"):
        fold([opened._replace(act=Act.NOTED)])


def test_events_follow_each_other() -> None:
    """One that is left out, comes twice or is of another case is refused."""
    file = File()
    event = file.event(Act.NOTED)

    for wrong in (event._replace(number=2), event._replace(number=4), event._replace(case="C-other")):
        with pytest.raises(ValueError, match="does not follow event 2"):
            step(file.case, wrong)


def test_flags_make_a_case_what_it_is() -> None:
    """Its level is that of what stands, its worst is never forgotten, and its compute is that of FLOP alone."""
    hours = flag("F-2", "warning", rule="hours", measure="accelerator_hours", central=10**30)
    file = File((flag(), "any"), (hours, "any"))

    assert (Level.WARNING, Level.WARNING, 10**13, True) == (
        file.case.level,
        file.case.worst,
        file.case.tera,
        file.case.two_people,
    )
    file.do(Act.CHANGED, **changed_body(hours._replace(level=Level.WATCH)))
    assert (Level.WATCH, Level.WARNING, True) == (file.case.level, file.case.worst, file.case.two_people)
    for one in (hours, flag()):
        file.do(Act.CHANGED, **changed_body(one._replace(state=FlagState.CLOSED)))
    assert ([], Level.WARNING) == (file.case.standing, file.case.level)
    assert (0, 10**13) == (tera_of(hours), tera_of(flag()))
    assert 0 == fold(file.events[:1]).tera


@pytest.mark.parametrize(
    ("level", "scope", "two"),
    [
        ("watch", "any", False),
        ("watch", "unresolved", False),
        ("warning", "any", True),
        ("critical", "foreign", True),
        ("watch", "of_concern", True),
        ("watch", "listed", True),
        ("watch", "possibly_affiliate", True),
        ("watch", UNKNOWN_SCOPE, True),
    ],
)
def test_what_takes_two_people(level: str, scope: str, two: bool) -> None:
    """A case that ever had a warning, a critical flag, or one about who somebody is; also of a rule that is gone."""
    assert two == File((flag(level=level), scope)).case.two_people


def test_a_flag_on_a_case_is_what_was_said_of_it() -> None:
    """Its JSON is read back as it was, with and without a clock."""
    known = [flagged_of(json.loads(json.dumps(flagged_body(flag(), "any", due)))) for due in (None, LATER)]

    assert [None, LATER] == [one.due_at for one in known]
    assert ("F-1", RULE, "internal-ladder@1", "any", Level.WATCH, ("t-1",)) == (*known[0][:5], known[0].tenants)


def test_whoever_acts_keeps_the_case() -> None:
    """An hour from the latest act of the holder; an act of somebody else, or after the hour, changes nothing."""
    file = File()
    file.do(Act.CLAIMED)
    file.now += 50 * MINUTE_MS
    file.do(Act.NOTED)
    file.now += 50 * MINUTE_MS
    file.do(Act.NOTED, BO)
    assert ANA == file.case.holder(file.now)
    assert file.now + 10 * MINUTE_MS == file.case.claimed_until
    assert "ana holds the case until" in str(file.refused(Act.CLAIMED, BO))
    assert "ana holds the case until" in str(file.refused(Act.BEGUN, BO))
    file.now += 10 * MINUTE_MS
    assert "" == file.case.holder(file.now)
    assert "claim it before" in str(file.refused(Act.BEGUN))
    file.do(Act.NOTED)
    assert "" == file.case.holder(file.now)
    assert BO == file.do(Act.CLAIMED, BO).claimed_by
    assert 60 == CLAIM_MINUTES


def test_a_release_gives_the_case_back() -> None:
    """Only the holder can, and not while a proposal waits."""
    file = File()
    file.do(Act.CLAIMED)
    assert "ana holds" in str(file.refused(Act.RELEASED, BO))
    proposal = file.propose()
    assert "withdraw it first" in str(file.refused(Act.RELEASED))
    file.do(Act.DROPPED, BO, proposal=proposal)
    assert (State.NEW, "", 0, None) == (*file.do(Act.RELEASED)[3:4], *file.case[9:11], file.case.proposal)


@pytest.mark.parametrize(("minutes", "possible"), [(0, False), (1, True), (24 * 60, True), (24 * 60 + 1, False)])
def test_a_claim_lasts_a_day_at_most(minutes: int, possible: bool) -> None:
    """And a minute at least."""
    assert possible == (File().refused(Act.CLAIMED, minutes=minutes) is None)


def test_assigned_is_for_one_person() -> None:
    """Nobody else may claim it; whoever holds it keeps it only if it is assigned to that one."""
    file = File()
    file.do(Act.CLAIMED)
    assert ANA == file.do(Act.ASSIGNED, BO, to=ANA).holder(NOW)
    assert ("", BO) == (file.do(Act.ASSIGNED, to=BO).holder(NOW), file.case.assigned)
    assert "assigned to bo" in str(file.refused(Act.CLAIMED, EVE))
    assert None is file.refused(Act.CLAIMED, BO)


def test_an_escalated_case_is_for_somebody_senior() -> None:
    """Nobody holds it any more, whoever it was assigned to."""
    file = File()
    file.do(Act.ASSIGNED, to=ANA)
    file.do(Act.CLAIMED)
    case = file.do(Act.ESCALATED)

    assert (True, "", "") == (case.senior, case.assigned, case.holder(NOW))


@pytest.mark.parametrize(
    ("until", "possible"), [(NOW, False), (NOW + 1, True), (NOW + 90 * DAY_MS, True), (NOW + 90 * DAY_MS + 1, False)]
)
def test_a_case_sleeps_for_ninety_days_at_most(until: int, possible: bool) -> None:
    """And until a time to come."""
    file = in_state(State.CLAIMED)
    assert possible == (file.refused(Act.SNOOZED, until=until) is None)


def test_a_snoozed_case_wakes_early() -> None:
    """A new rung, another flag, or whoever takes it; not a lower level."""
    woken = {}
    for what, said in (
        (Act.CHANGED, changed_body(flag(level="warning"))),
        (Act.CHANGED, changed_body(flag(state="withdrawn"))),
        (Act.FLAGGED, flagged_body(flag("F-2"), "any", None)),
        (Act.CLAIMED, {"minutes": 60}),
    ):
        file = in_state(State.CLAIMED)
        assert NOW + 5 * DAY_MS == file.do(Act.SNOOZED).snoozed_until
        assert "" == file.case.holder(NOW)
        woken[what, said.get("state")] = file.do(what, **said).snoozed_until == 0

    assert {
        (Act.CHANGED, "open"): True,
        (Act.CHANGED, "withdrawn"): False,
        (Act.FLAGGED, "open"): True,
        (Act.CLAIMED, None): True,
    } == woken


def test_a_question_is_due() -> None:
    """Its answer is due at a time to come, before the clocks of flags or after; the answer ends it."""
    file = in_state(State.CLAIMED)
    for never in (NOW, None):
        assert "An answer is due at a time to come." == file.refused(Act.ASKED, due_at=never)
    due = NOW + 3 * DAY_MS
    assert (None, due) == (file.case.due_at, file.do(Act.ASKED).due_at)
    assert Question("sales", "Which contract is it?", due) == file.case.question
    assert NOW + DAY_MS == file.do(Act.KNOWN, BO).due_at
    assert (State.INVESTIGATING, None) == (file.do(Act.ANSWERED).state, file.case.question)
    assert None is file.do(Act.KNOWN, due_at=None).due_at


def test_what_is_said_of_flags_is_said_of_its_own() -> None:
    """A flag that is not on the case can neither change nor have a clock there."""
    for what in (Act.KNOWN, Act.CHANGED):
        assert f"Flag F-9 is not on case {CASE}." == File().refused(what, flag="F-9")


# -- what acts must say ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", Act)
def test_an_act_says_all_that_it_must(what: Act) -> None:
    """Whatever is left out, blank or of another type is named; a truth value is no number."""
    said = SAID[what]
    assert None is wrong_body(what, said)
    for name, kind in BODIES[what].items():
        without = {other: value for other, value in said.items() if other != name}
        sentence = f"Whoever says that a case was {what} must say `{name}`."
        assert sentence == wrong_body(what, without)
        assert sentence == wrong_body(what, {**said, name: True})
        if kind is str and name not in {"scope", "quantity", "proposed_by"}:
            assert sentence == wrong_body(what, {**said, name: "  "})
        if name in {"due_at", "expires_at"} and what is not Act.ASKED:
            assert None is wrong_body(what, {**said, name: None})
    assert refusal(File().case, File().event(Act.NOTED, text="")) == (
        "Whoever says that a case was noted must say `text`."
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", False),
        ("ok", False),
        ("known customer", False),
        ("a b c d", False),
        ("a-very-long-word-without-any-blank", False),
        ("Known customer, contract 17.", True),
    ],
)
def test_a_reason_is_a_sentence(text: str, says: bool) -> None:
    """Of four words and twenty letters at least."""
    assert says == is_sentence(text)


# -- decisions ---------------------------------------------------------------------------------------------------------


def test_one_person_may_decide_a_small_case() -> None:
    """It is closed with its flags, nobody holds it, and what was decided stands there."""
    file = in_state(State.WAITING)
    case = file.do(Act.DECIDED)

    assert case.decision is not None
    assert (ANA, "", Outcome.EXPLAINED, REASON) == (
        case.decision.by,
        case.decision.second,
        case.decision.outcome,
        case.decision.reason,
    )
    assert (False, "", None, (case.decision,)) == (case.live, case.claimed_by, case.question, case.decided)
    assert [] == case.standing


def test_a_grave_case_takes_a_second_person() -> None:
    """The first one's decision is a proposal; it is decided when another one approves just that."""
    file = File((flag(level="critical"), "listed"))
    file.do(Act.CLAIMED)
    assert "takes two people" in str(file.refused(Act.DECIDED))
    assert "ana has proposed no decision" in str(file.refused(Act.DECIDED, BO, proposed_by=ANA))
    number = file.propose()
    assert (number, ANA, DECISION) == tuple(file.case.proposal or ())[:1] + tuple(file.case.proposal or ())[2:0:-1]
    assert "eve has proposed no decision" in str(file.refused(Act.DECIDED, BO, proposed_by=EVE))
    assert "What ana proposed before waits for an answer." == file.refused(Act.PROPOSED, kind=DECISION, what=DECIDED)
    case = file.do(Act.DECIDED, BO, proposed_by=ANA)

    assert case.decision is not None
    assert (ANA, BO, None) == (case.decision.by, case.decision.second, case.proposal)


def test_whoever_proposed_waits_for_the_answer() -> None:
    """Nobody decides alone what was proposed to somebody else."""
    file = in_state(State.CLAIMED)
    file.propose()

    assert "withdraw it first" in str(file.refused(Act.DECIDED))


def test_a_suppression_is_no_decision() -> None:
    """What was proposed as one cannot be approved as the other."""
    file = in_state(State.CLAIMED)
    file.propose(SUPPRESSION)
    assert "ana has proposed no decision" in str(file.refused(Act.DECIDED, BO, proposed_by=ANA))
    file.do(Act.DROPPED, BO, proposal=file.case.number)
    file.propose()
    assert "A suppression takes two people" in str(file.refused(Act.SUPPRESSED, BO))


def test_a_decision_needs_the_holder() -> None:
    """Whoever does not hold the case decides nothing, and proposes nothing."""
    file = in_state(State.CLAIMED)

    assert "ana holds the case until" in str(file.refused(Act.DECIDED, BO))
    assert "ana holds the case until" in str(file.refused(Act.PROPOSED, BO))
    file.now += HOUR_MS
    assert "Nobody holds the case" in str(file.refused(Act.DECIDED))


AUTHORISED = {"outcome": "authorised", "expires_at": LATER, "scope": "model training", "quantity": "1e26 FLOP"}


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({}, None),
        ({"outcome": "violation"}, "'violation' is no outcome: it is one of explained, authorised, unexplained, "
         "data_error, referred."),
        ({"policy": "internal-ladder"}, "A decision cites a policy with its version, like internal-ladder@1."),
        ({"policy": "@1"}, "A decision cites a policy with its version, like internal-ladder@1."),
        ({"policy": "internal-ladder@one"}, "A decision cites a policy with its version, like internal-ladder@1."),
        ({"reason": "Fine."}, "A reason is a sentence at least, which others can check."),
        (AUTHORISED, None),
        ({**AUTHORISED, "scope": ""}, "An authorisation has a scope, a quantity and an end: say all three."),
        ({**AUTHORISED, "quantity": ""}, "An authorisation has a scope, a quantity and an end: say all three."),
        ({**AUTHORISED, "expires_at": None}, "An authorisation has a scope, a quantity and an end: say all three."),
        ({**AUTHORISED, "expires_at": NOW}, "An authorisation ends at a time to come."),
        ({**AUTHORISED, "reason": "Fine."}, "A reason is a sentence at least, which others can check."),
    ],
)  # fmt: skip
def test_a_decision_says_what_it_rests_on(said: dict[str, object], sentence: str | None) -> None:
    """An outcome that is one, a policy with its version, a sentence; an authorisation what, how much and how long."""
    file = in_state(State.CLAIMED)

    assert sentence == file.refused(Act.DECIDED, **said)
    assert sentence == file.refused(Act.PROPOSED, kind=DECISION, what={**DECIDED, **said})


def test_a_proposal_says_as_much_as_what_it_proposes() -> None:
    """What is missing there is missing before anybody is asked."""
    file = in_state(State.CLAIMED)
    without = {name: value for name, value in DECIDED.items() if name != "rule"}

    assert "must say `rule`" in str(file.refused(Act.PROPOSED, kind=DECISION, what=without))
    assert "must say `until`" in str(file.refused(Act.PROPOSED, kind=SUPPRESSION, what={**SUPPRESSED, "until": None}))


def test_a_proposal_can_be_dropped() -> None:
    """Refused by another person, withdrawn by its own; it must be the one that waits."""
    file = in_state(State.CLAIMED)
    assert "no proposal 4" in str(file.refused(Act.DROPPED, BO))
    number = file.propose()
    assert f"no proposal {number + 1}" in str(file.refused(Act.DROPPED, BO, proposal=number + 1))
    assert "ana proposed it: you can refuse it" in str(
        file.refused(Act.DROPPED, BO, proposal=number, verdict=WITHDRAWN)
    )
    assert None is file.do(Act.DROPPED, proposal=number, verdict=WITHDRAWN).proposal


# -- suppressions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "scope", "days"),
    [
        ("critical", "any", 180),
        ("warning", "of_concern", 180),
        ("critical", "of_concern", 30),
        ("watch", "listed", 30),
        ("watch", "affiliate", 30),
        ("watch", UNKNOWN_SCOPE, 30),
    ],
)
def test_how_long_something_may_be_suppressed(level: str, scope: str, days: int) -> None:
    """180 days, but 30 where a list or a critical headquarters rule is in it; to the millisecond."""
    file = File((flag(level=level), scope))
    file.do(Act.CLAIMED)
    refused = {
        until: file.refused(Act.PROPOSED, kind=SUPPRESSION, what={**SUPPRESSED, "until": until})
        for until in (NOW, NOW + 1, NOW + days * DAY_MS, NOW + days * DAY_MS + 1)
    }
    sentence = f"A suppression of these flags ends at a time to come, {days} days away at most."

    assert days == days_max(file.case.standing)
    assert [sentence, None, None, sentence] == list(refused.values())


def test_what_is_suppressed_leaves_the_queue_until_then() -> None:
    """Once every flag that stands is; it is back when one of them no longer is, or a flag of another rule comes."""
    other = flag("F-2", rule="hours")
    file = File((flag(), "any"), (other, "any"))
    file.do(Act.CLAIMED)
    assert "No flag of rule nothing stands" in str(
        file.refused(Act.PROPOSED, kind=SUPPRESSION, what={**SUPPRESSED, "rule": "nothing"})
    )
    assert "A reason is a sentence" in str(
        file.refused(Act.PROPOSED, kind=SUPPRESSION, what={**SUPPRESSED, "reason": "No."})
    )
    assert "A suppression takes two people" in str(file.refused(Act.SUPPRESSED, BO))
    for rule, days in ((RULE, 20), ("hours", 10)):
        said = {"rule": rule, "until": NOW + days * DAY_MS}
        file.propose(SUPPRESSION, **said)
        assert 0 == file.case.suppressed_until
        file.do(Act.SUPPRESSED, BO, **said)
    assert (NOW + 10 * DAY_MS, None) == (file.case.suppressed_until, file.case.proposal)
    assert 0 == file.do(Act.RESUMED, rule="hours").suppressed_until
    file.do(Act.CHANGED, **changed_body(other._replace(state=FlagState.CLOSED)))
    assert NOW + 20 * DAY_MS == file.case.suppressed_until
    assert {} == file.decide().suppressed


# -- after the decision ------------------------------------------------------------------------------------------------


def test_a_decision_can_be_taken_back() -> None:
    """For a sentence, naming the decision that holds; the original stays, and a second decision follows it."""
    file = in_state(State.DECIDED)
    assert "What holds is decision 5" in str(file.refused(Act.REVERSED, decision=4))
    assert "A reason is a sentence" in str(file.refused(Act.REVERSED, why="Wrong."))
    case = file.do(Act.REVERSED, BO)
    assert (State.REOPENED, None, 1) == (case.state, case.decision, len(case.decided))
    file.do(Act.CHANGED)
    case = file.decide(outcome="unexplained")
    assert [Outcome.EXPLAINED, Outcome.UNEXPLAINED] == [one.outcome for one in case.decided]


def test_a_blind_review_is_somebody_elses() -> None:
    """Neither who decided nor who approved, once, with an outcome and a sentence."""
    file = File((flag(level="critical"), "any"))
    decided = file.decide().number
    said = {"decision": decided}
    assert f"No review of case {CASE} is waited for." == file.refused(Act.REVIEWED, EVE, **said)
    file.do(Act.SAMPLED, decision=decided)
    assert Review(decided, "", None, False) == file.case.review
    for person in (ANA, BO, "BO"):
        assert "Whoever decided a case cannot review it blindly." == file.refused(Act.REVIEWED, person, **said)
    assert "No review" in str(file.refused(Act.REVIEWED, EVE, decision=decided + 1))
    assert "'guilty' is no outcome" in str(file.refused(Act.REVIEWED, EVE, **said, outcome="guilty"))
    assert "A reason is a sentence" in str(file.refused(Act.REVIEWED, EVE, **said, why="Yes."))
    assert Review(decided, EVE, Outcome.EXPLAINED, True) == file.do(Act.REVIEWED, EVE, **said).review
    assert "No review" in str(file.refused(Act.REVIEWED, "mia", **said))


def test_a_review_may_disagree() -> None:
    """That changes nothing by itself."""
    file = in_state(State.DECIDED)
    file.do(Act.SAMPLED)
    case = file.do(Act.REVIEWED, EVE, outcome="referred")

    assert (State.DECIDED, Review(5, EVE, Outcome.REFERRED, False)) == (case.state, case.review)


def test_a_case_that_is_open_again_waits_for_no_review() -> None:
    """The decision that was to be reviewed no longer holds."""
    file = in_state(State.DECIDED)
    file.do(Act.SAMPLED)

    assert None is file.do(Act.REOPENED).review


def test_one_in_twenty_is_reviewed() -> None:
    """By a hash that nobody chooses: always the same ones, about five in a hundred."""
    sampled = [number for number in range(10_000) if is_sampled(CASE, number)]
    digest = hashlib.sha256(f"{CASE}\0{sampled[0]}".encode()).digest()

    assert 5 == SAMPLE_PER_CENT
    assert int.from_bytes(digest[:8], "big") % 100 < 5
    assert 400 < len(sampled) < 600


# -- names and clocks --------------------------------------------------------------------------------------------------


def test_a_case_has_a_name_of_its_own() -> None:
    """From its party, its first flag and how many there were before; the same for whoever asks again."""
    names = {case_id(*parts) for parts in (("a", "F", 0), ("a", "F", 1), ("a", "G", 0), ("b", "F", 0))}

    assert 4 == len(names)
    assert "C-" + hashlib.sha256(b"a\0F\x000").hexdigest()[:12] == case_id("a", "F", 0)


def test_the_clocks_of_a_case_are_the_earliest_of_its_flags() -> None:
    """Evidence, alert, look, knowledge and what is due; clocks that bind nobody do not count."""
    early, late = flag("F-1", told_at=NOW), flag("F-2", told_at=NOW + DAY_MS, rule="clocked")
    planned = late._replace(id="F-3", finding=late.finding._replace(legal_force="proposed"))
    terms = {"clocked": Terms("provider", Clock(2, "calendar", ClockFrom.ALERT, "report"), False)}
    seen = {"F-1": Seen(NOW + 5, None), "F-2": Seen(NOW + 3, NOW + 4)}

    assert CaseTimes(NOW - HOUR_MS, NOW, NOW + 3, NOW + 4, NOW + 3 * DAY_MS) == times_of_case(
        [early, late, planned], terms, seen
    )
    assert CaseTimes(None, None, None, None, None) == times_of_case([], terms, seen)
    assert [None, NOW + 3 * DAY_MS, None] == [
        due_of(one, terms.get(one.rule, Terms("provider", None, False)), UNSEEN) for one in (early, late, planned)
    ]


# -- legal hold --------------------------------------------------------------------------------------------------------

FREEING_SAID = {"why": "The court does not ask any more.", "proposed_by": ""}


@pytest.mark.parametrize("state", list(State))
def test_a_case_is_held_in_any_state_until_two_people_free_it(state: State) -> None:
    """A hold takes one person and no claim; its end is proposed by one and approved by another."""
    file = in_state(state)

    assert file.do(Act.HELD, EVE).held
    assert f"Case {CASE} is under legal hold already." == file.refused(Act.HELD)
    file.do(Act.PROPOSED, EVE, kind=FREEING, what=FREEING_SAID)
    freed = file.do(Act.FREED, BO, proposed_by=EVE)

    assert (state, False, None) == (freed.state, freed.held, freed.proposal)


@pytest.mark.parametrize(
    ("what", "said", "sentence"),
    [
        (Act.FREED, {}, "To end a legal hold takes two people: propose it, and let somebody else approve it."),
        (Act.HELD, {"why": "So it is."}, "A reason is a sentence at least, which others can check."),
        (
            Act.PROPOSED,
            {"kind": FREEING, "what": FREEING_SAID},
            f"Case {CASE} is not under legal hold.",
        ),
        (Act.PROPOSED, {"kind": FREEING, "what": {}}, "Whoever says that a case was freed must say `why`."),
    ],
)
def test_what_is_no_hold_or_its_end_is_refused(what: Act, said: dict[str, object], sentence: str) -> None:
    """Each wrong act about a hold has its sentence."""
    assert sentence == File().refused(what, **said)


def test_the_end_of_a_hold_is_a_reason() -> None:
    """Whoever proposes it says why, as a sentence."""
    file = File()
    file.do(Act.HELD)

    said = {**FREEING_SAID, "why": "Enough."}

    assert "A reason is a sentence at least, which others can check." == file.refused(
        Act.PROPOSED, kind=FREEING, what=said
    )


@pytest.mark.parametrize("state", [State.NEW, State.DECIDED, State.REOPENED])
def test_nothing_else_is_proposed_of_a_case_that_nobody_works_on(state: State) -> None:
    """A decision is proposed by whoever holds the case."""
    assert f"A case that is {state} cannot be proposed." == in_state(state).refused(Act.PROPOSED)


def test_a_hold_that_ended_while_its_end_was_proposed_stays_ended() -> None:
    """Whatever order events have, a case that is not held is not freed."""
    file = File()
    file.do(Act.HELD)
    file.do(Act.PROPOSED, kind=FREEING, what=FREEING_SAID)

    loose = file.case._replace(held=False)

    assert f"Case {CASE} is not under legal hold." == refusal(loose, file.event(Act.FREED, BO))


# -- any story ---------------------------------------------------------------------------------------------------------

PEOPLE = st.sampled_from([ANA, BO, EVE])
WISHES = st.lists(st.tuples(st.sampled_from([act for act in Act if act is not Act.OPENED]), PEOPLE,
                            st.integers(0, 90)), max_size=60)  # fmt: skip


def bodies(file: File, what: Act) -> dict[str, object]:
    """What somebody would say now, where it must fit what is there."""
    case = file.case
    if what is Act.DROPPED and case.proposal is not None:
        return {"proposal": case.proposal.number}
    if what in (Act.REVERSED, Act.REVIEWED, Act.SAMPLED) and case.decision is not None:
        return {"decision": case.decision.number}
    if what in (Act.DECIDED, Act.FREED) and case.proposal is not None:
        return {"proposed_by": case.proposal.by}
    return {}


@given(WISHES, st.sampled_from(["watch", "critical"]))
def test_whatever_is_possible_makes_a_sound_case(wishes: list[tuple[Act, str, int]], level: str) -> None:
    """The fold of any story is what its steps made; what two people must close never closed without a second name, no
    decision is lost, and only what is possible was done.
    """
    file = File((flag(level=level), "any"))
    decided = 0
    for what, person, minutes in wishes:
        file.now += minutes * MINUTE_MS
        said = bodies(file, what)
        if file.refused(what, person, **said) is None:
            file.do(what, person, **said)
            decided += what is Act.DECIDED

    case = fold(file.events)
    assert file.case == case
    assert decided == len(case.decided)
    assert (case.state in LIVE) == case.live == (case.decision is None)
    if case.two_people:
        assert all(one.second for one in case.decided)
    assert len(file.events) == case.number
    assert all((event.actor == SYSTEM) == (event.act in SYSTEMS) for event in file.events)


@pytest.mark.parametrize(
    ("outcomes", "share"),
    [
        ({"explained": 1}, 0.0),
        ({"referred": 2}, 1.0),
        ({"authorised": 1, "unexplained": 1, "data_error": 1, "explained": 1}, 0.5),
    ],
)
def test_precision_is_the_share_that_had_to_be_answered_for(outcomes: dict[str, int], share: float) -> None:
    """Explanations and errors in the data count against a rule."""
    assert share == precision_of(outcomes)
