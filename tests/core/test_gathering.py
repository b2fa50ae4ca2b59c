"""Flags come together in cases: one of each party at a time, whatever the order, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.cases import (
    DECISION,
    ENDED,
    OVERTAKEN,
    ROSE,
    SYSTEM,
    Act,
    Case,
    CaseEvent,
    State,
    case_id,
    fold,
    step,
)
from monitor.core.flags import Flag
from monitor.core.flags import State as FlagState
from monitor.core.gathering import Known, by_case, gather, subject_of
from monitor.core.model import DAY_MS, HOUR_MS
from monitor.core.policy import Level
from tests.core.casefile import ANA, DECIDED, NOW, REASON, flag

PARTIES: Mapping[str, str] = {"t-1": "acme", "t-2": "acme", "t-3": "bolt"}
KNOWN = Known(PARTIES.get, lambda rule: "any", lambda one: None)


class Cases:
    """Cases as a store would have them."""

    def __init__(self) -> None:
        self.cases: dict[str, Case] = {}
        self.now = NOW

    def gather(self, *flags: Flag) -> list[str]:
        """Gather flags; what that did, in words: a second time does nothing."""
        self.now += 1_000
        events = gather(flags, self.cases.values(), KNOWN, self.now)
        for event in events:
            self.take(event)
        assert [] == gather(flags, self.cases.values(), KNOWN, self.now)
        return [f"{event.act} {event.body.get('flag', event.body.get('cause', ''))}".strip() for event in events]

    def take(self, event: CaseEvent) -> None:
        """One more event."""
        before = self.cases.get(event.case)
        self.cases[event.case] = fold([event]) if before is None else step(before, event)

    def do(self, case: str, what: Act, person: str = ANA, /, **said: object) -> None:
        """A person's act."""
        self.take(CaseEvent(case, self.cases[case].number + 1, self.now, what, person, said))

    def decide(self, case: str, **said: object) -> None:
        """A decision of one person, whatever it takes."""
        self.do(case, Act.CLAIMED, minutes=60)
        self.do(case, Act.DECIDED, **{**DECIDED, **said})

    @property
    def only(self) -> Case:
        """The one case that there is."""
        (case,) = self.cases.values()
        return case


def closed(one: Flag, level: str = "watch") -> Flag:
    return one._replace(state=FlagState.CLOSED, level=Level(level))


@pytest.mark.parametrize(
    ("one", "subject"),
    [
        (flag(tenant="t-1"), "party acme"),
        (flag(tenant="alone"), "tenant alone"),
        (flag(tenant="acme", members=("t-1", "t-2")), "party acme"),
        (flag(tenant="acme", members=("t-1", "t-3")), "party acme"),
        (flag(tenant="holding", members=("t-1", "t-3")), "group holding"),
        (flag(tenant="tenants linked with a", members=("a", "b")), "group tenants linked with a"),
    ],
)
def test_whom_a_case_is_about(one: Flag, subject: str) -> None:
    """The declared party, else the tenant; a group that has the name of a party is that party."""
    assert subject == subject_of(one, PARTIES.get)


def test_flags_of_a_party_are_one_case() -> None:
    """Whichever tenant they are of, now or later; other parties have cases of their own."""
    cases = Cases()
    did = cases.gather(flag("F-2", tenant="t-2"), flag("F-1", told_at=NOW), flag("F-3", tenant="t-3"))
    assert ["opened", "flagged F-2", "opened", "flagged F-3", "flagged F-1"] == did
    assert {"party acme", "party bolt"} == {case.subject for case in cases.cases.values()}
    assert case_id("party acme", "F-2", 0) in cases.cases
    assert ["flagged F-4"] == cases.gather(flag("F-4", tenant="acme", members=("t-1", "t-2")))


def test_a_closed_flag_that_was_on_no_case_stays_where_it_is() -> None:
    """Somebody looked at it before there were cases; one that is withdrawn waits for a person."""
    assert [] == Cases().gather(flag(state="closed"))
    assert ["opened", "flagged F-1"] == Cases().gather(flag(state="withdrawn"))


def test_what_happens_to_a_flag_is_noted_on_its_case() -> None:
    """Levels, withdrawal, return, closing by a person; new numbers alone are nothing."""
    cases = Cases()
    cases.gather(flag())
    for changed in (flag(level="warning"), flag(level="warning", state="withdrawn"), flag(), closed(flag())):
        assert ["changed F-1"] == cases.gather(changed)
        known = cases.only.flags["F-1"]
        assert (changed.level, changed.state) == (known.level, known.state)
    assert [] == cases.gather(closed(flag(central=1)))
    assert Level.WARNING == cases.only.worst


def test_a_party_that_is_decided_has_another_case() -> None:
    """A new flag opens a second one; a third party's case is no reason for either."""
    cases = Cases()
    cases.gather(flag("F-1"), flag("F-3", tenant="t-3"))
    cases.decide(case_id("party acme", "F-1", 0))
    assert ["opened", "flagged F-2"] == cases.gather(flag("F-2"), closed(flag("F-1")))
    assert case_id("party acme", "F-2", 1) in cases.cases


def test_a_decided_case_whose_flag_escalates_is_open_again() -> None:
    """With that flag as it is now; the same level, whatever happened in between, opens nothing."""
    cases = Cases()
    cases.gather(flag(), flag("F-2"))
    cases.decide(cases.only.id)
    assert [] == cases.gather(flag())
    assert [] == cases.gather(flag(state="withdrawn"))
    assert [] == cases.gather(closed(flag(), "warning"))
    assert [f"reopened {ROSE}", "changed F-1"] == cases.gather(flag(level="warning"))
    assert (State.REOPENED, ["F-1"]) == (cases.only.state, [one.flag for one in cases.only.standing])


def test_a_case_that_is_open_again_follows_all_its_flags() -> None:
    """Also one that came before the flag for which it is open again, and stands at the level that was decided."""
    cases = Cases()
    cases.gather(flag(told_at=NOW - 2 * DAY_MS), flag("F-2"))
    cases.decide(cases.only.id)

    done = cases.gather(flag(told_at=NOW - 2 * DAY_MS), flag("F-2", "critical"))

    assert [f"reopened {ROSE}", "changed F-1", "changed F-2"] == done


def test_a_flag_that_escalates_goes_where_its_party_is_looked_at() -> None:
    """To the live case of the party, if there is one; the decided one stays decided, and later news stays there."""
    cases = Cases()
    cases.gather(flag())
    first = cases.only.id
    cases.decide(first)
    cases.gather(flag("F-2"))
    assert ["flagged F-1"] == cases.gather(flag(level="critical"))
    assert not cases.cases[first].live
    second = case_id("party acme", "F-2", 1)
    assert ["changed F-1"] == cases.gather(flag(level="warning"))
    cases.decide(second)
    assert [] == cases.gather(flag(level="warning"))
    assert [f"reopened {ROSE}", "changed F-1"] == cases.gather(flag(level="critical"))
    assert cases.cases[second].live


@pytest.mark.parametrize(
    ("news", "overtaken"),
    [
        (flag("F-2"), True),
        (flag(level="critical"), True),
        (flag(state="withdrawn"), False),
    ],
)
def test_what_was_proposed_without_knowing_is_dropped(news: Flag, overtaken: bool) -> None:
    """Another flag or a higher level; nothing else."""
    cases = Cases()
    cases.gather(flag())
    case = cases.only.id
    cases.do(case, Act.CLAIMED, minutes=60)
    cases.do(case, Act.PROPOSED, kind=DECISION, what=DECIDED)
    done = cases.gather(news)

    assert overtaken == (cases.only.proposal is None) == ("dropped" in done)


def test_whoever_proposed_is_told_what_overtook_it() -> None:
    """The proposal is named, and so is the flag."""
    cases = Cases()
    cases.gather(flag())
    case = cases.only.id
    cases.do(case, Act.CLAIMED, minutes=60)
    cases.do(case, Act.PROPOSED, kind=DECISION, what=DECIDED)
    (_, dropped) = gather([flag("F-2")], cases.cases.values(), KNOWN, NOW)

    assert {"proposal": 4, "verdict": OVERTAKEN, "why": "Flag F-2 was added."} == dropped.body


def test_what_is_closed_and_stands_again_overtakes_a_proposal() -> None:
    """A flag that a person closed alone has become more serious."""
    cases = Cases()
    cases.gather(flag(), flag("F-2"))
    cases.gather(closed(flag()))
    case = cases.only.id
    cases.do(case, Act.CLAIMED, minutes=60)
    cases.do(case, Act.PROPOSED, kind=DECISION, what=DECIDED)

    assert ["changed F-1", "dropped"] == cases.gather(flag())


def test_an_authorisation_ends() -> None:
    """On its day its case is open again; while the party has another case, that comes first."""
    until = NOW + DAY_MS
    authorised = {"outcome": "authorised", "expires_at": until, "scope": "training", "quantity": "1e26 FLOP"}
    cases = Cases()
    cases.gather(flag())
    first = cases.only.id
    cases.decide(first, **authorised)
    assert [] == cases.gather()
    cases.gather(flag("F-2"))
    cases.now = until
    assert [] == cases.gather()
    cases.decide(case_id("party acme", "F-2", 1))
    assert [f"reopened {ENDED}"] == cases.gather()
    assert cases.cases[first].live


def test_a_case_says_what_was_known_of_its_flags() -> None:
    """Scope and clock as whoever gathers knows them; the monitor acts in its own name."""
    known = Known(PARTIES.get, lambda rule: f"scope of {rule}", lambda one: one.told_at + HOUR_MS)
    events = gather([flag()], [], known, NOW)

    assert {SYSTEM} == {event.actor for event in events}
    assert ("scope of ladder.any", NOW - DAY_MS + HOUR_MS) == (events[1].body["scope"], events[1].body["due_at"])


def test_events_by_case() -> None:
    """In their order."""
    events = gather([flag("F-1"), flag("F-3", tenant="t-3")], [], KNOWN, NOW)

    assert [[1, 2], [1, 2]] == [[event.number for event in of] for of in by_case(events).values()]


FLAGS = st.builds(
    flag,
    st.sampled_from([f"F-{number}" for number in range(4)]),
    st.sampled_from(["watch", "warning", "critical"]),
    st.sampled_from(["open", "withdrawn", "closed"]),
    st.just("ladder.any"),
    st.sampled_from(["t-1", "t-2", "t-3", "alone"]),
)
ROUNDS = st.lists(st.tuples(st.lists(FLAGS, unique_by=lambda one: one.id), st.booleans()), max_size=6)


def told(flags: Iterable[Flag]) -> list[Flag]:
    """Each flag with its own tenant for good, as in a store."""
    return [one._replace(tenant=["t-1", "t-2", "t-3", "alone"][int(one.id[-1])]) for one in flags]


def played(rounds: Sequence[tuple[list[Flag], bool]], backwards: bool) -> dict[str, Case]:
    """The cases after some rounds of flags, after some of which everything is decided."""
    cases = Cases()
    for flags, decides in rounds:
        now = told(flags)
        cases.gather(*(now[::-1] if backwards else now))
        for case in list(cases.cases.values()):
            if decides and case.live:
                cases.decide(case.id, outcome="explained", reason=REASON)
        assert len({case.subject for case in cases.cases.values() if case.live}) == sum(
            case.live for case in cases.cases.values()
        )
    return cases.cases


@given(ROUNDS)
def test_the_order_of_flags_does_not_matter(rounds: list[tuple[list[Flag], bool]]) -> None:
    """The same cases, with the same events, whichever way round; one live case of a party; a second look does nothing
    (which every round checks).
    """
    assert played(rounds, backwards=False) == played(rounds, backwards=True)
