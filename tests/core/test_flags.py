"""The life of a flag: what people were told, and what happens to it as findings come and go."""

from __future__ import annotations

from itertools import product

import pytest

from monitor.core.bounds import Bounds
from monitor.core.findings import Finding
from monitor.core.flags import (
    TRANSITIONS,
    Act,
    Change,
    Entry,
    Flag,
    State,
    act,
    closing,
    decided,
    flag_id,
    numbers,
    reconcile,
    reopening,
)
from monitor.core.model import DAY_MS, HOUR_MS
from monitor.core.policy import Level

RULE, TENANT = "ladder.1e23.of_concern", "tenant-1"
UNDONE = "A fact was retracted."


def finding(level: str, rule: str = RULE, flop: int = 1) -> Finding:
    return Finding(
        policy="internal-ladder",
        policy_version=1,
        legal_force="internal",
        rule=rule,
        tenant=TENANT,
        level=Level(level),
        measure="model_flop",
        amount=Bounds(flop, flop, flop, flop),
        threshold=1,
        raised_at=HOUR_MS,
        reasons=(f"It is {level}.",),
        not_established=(),
    )


def flag(state: State, level: str = "warning") -> Flag:
    return Flag(flag_id(RULE, TENANT), RULE, TENANT, state, Level(level), HOUR_MS, DAY_MS, None, finding(level))


def live(story: str) -> tuple[dict[str, Flag], list[tuple[int, str, str]]]:
    """Play a story: each line is a day and the level found on it, `-` for no finding, or `close` for a person's act.

    Returns the flags at the end and the history as (day, act, level).
    """
    flags: dict[str, Flag] = {}
    history = []
    for line in story.split("\n"):
        if not line.strip():
            continue
        day, event = line.split()
        now = int(day) * DAY_MS
        if event == "close":
            changes = [act(one, Act.CLOSED, now, "Explained.") for one in flags.values()]
        else:
            changes = reconcile(flags, [] if event == "-" else [finding(event, flop=now)], now, UNDONE)
        for change in changes:
            flags[change.flag.id] = change.flag
            if change.entry.act:
                history.append((int(day), str(change.entry.act), str(change.entry.level)))
    return flags, history


@pytest.mark.parametrize(("state", "what"), list(product(State, Act)))
def test_the_table_decides_every_act_in_every_state(state: State, what: Act) -> None:
    """An act that is in the table leads to its state and one line of history; any other is refused by a sentence."""
    before = flag(state)
    after = TRANSITIONS.get((state, what))

    if after is None:
        with pytest.raises(ValueError, match=rf"^A flag that is {state} cannot be {what}\.$"):
            act(before, what, DAY_MS, "Because.")
    else:
        entry = Entry(before.id, DAY_MS, what, Level.WARNING, "Because.")
        assert Change(before._replace(state=after), entry) == act(before, what, DAY_MS, "Because.")


def test_the_table_says_what_the_life_cycle_is() -> None:
    """Whoever changes the life cycle changes this table too."""
    expected = """
    open       escalated  open
    open       lowered    open
    open       withdrawn  withdrawn
    open       closed     closed
    open       noted      open
    open       paged      open
    withdrawn  returned   open
    withdrawn  closed     closed
    withdrawn  noted      withdrawn
    closed     escalated  open
    closed     noted      closed
    closed     reopened   open
    """
    table = [[state, what, TRANSITIONS[state, what]] for state, what in TRANSITIONS]

    assert sorted(line.split() for line in expected.strip().split("\n")) == sorted(table)


@pytest.mark.parametrize(
    ("story", "state", "level", "history"),
    [
        pytest.param("1 watch", "open", "watch", [(1, "raised", "watch")], id="raised"),
        pytest.param("1 watch\n2 watch\n9 watch", "open", "watch", [(1, "raised", "watch")], id="told once"),
        pytest.param(
            "1 watch\n2 critical",
            "open",
            "critical",
            [(1, "raised", "watch"), (2, "escalated", "critical")],
            id="escalated at once",
        ),
        pytest.param(
            "1 critical\n2 watch\n8 watch", "open", "critical", [(1, "raised", "critical")], id="not lowered yet"
        ),
        pytest.param(
            "1 critical\n2 watch\n9 watch",
            "open",
            "watch",
            [(1, "raised", "critical"), (9, "lowered", "watch")],
            id="lowered after seven days",
        ),
        pytest.param(
            "1 critical\n2 watch\n8 critical\n9 watch\n15 watch",
            "open",
            "critical",
            [(1, "raised", "critical")],
            id="one high day starts the seven anew",
        ),
        pytest.param(
            "1 warning\n2 watch\n8 critical\n9 watch\n15 watch\n16 watch",
            "open",
            "watch",
            [(1, "raised", "warning"), (8, "escalated", "critical"), (16, "lowered", "watch")],
            id="an escalation starts the seven anew",
        ),
        pytest.param(
            "1 warning\n2 -\n3 -",
            "withdrawn",
            "warning",
            [(1, "raised", "warning"), (2, "withdrawn", "warning")],
            id="withdrawn once",
        ),
        pytest.param(
            "1 warning\n2 -\n3 watch",
            "open",
            "watch",
            [(1, "raised", "warning"), (2, "withdrawn", "warning"), (3, "returned", "watch")],
            id="withdrawn, then returned with the level of the day",
        ),
        pytest.param(
            "1 warning\n2 watch\n3 -\n4 warning\n5 watch\n11 watch",
            "open",
            "warning",
            [(1, "raised", "warning"), (3, "withdrawn", "warning"), (4, "returned", "warning")],
            id="a return starts the seven anew",
        ),
        pytest.param(
            "1 warning\n2 close\n3 warning\n4 watch\n30 watch\n31 -\n32 warning",
            "closed",
            "warning",
            [(1, "raised", "warning"), (2, "closed", "warning")],
            id="closed stays closed",
        ),
        pytest.param(
            "1 warning\n2 close\n3 critical",
            "open",
            "critical",
            [(1, "raised", "warning"), (2, "closed", "warning"), (3, "escalated", "critical")],
            id="closed opens again when it grows",
        ),
        pytest.param(
            "1 watch\n2 -\n3 close",
            "closed",
            "watch",
            [(1, "raised", "watch"), (2, "withdrawn", "watch"), (3, "closed", "watch")],
            id="withdrawn, then closed by a person",
        ),
    ],
)
def test_a_flag_follows_its_finding(story: str, state: str, level: str, history: list[tuple[int, str, str]]) -> None:
    """A flag rises at once, falls after seven days, is withdrawn and returns; closed it stays so until it grows."""
    flags, told = live(story)

    assert history == told
    assert [(state, level)] == [(one.state, one.level) for one in flags.values()]


def test_seven_days_are_seven_days() -> None:
    """A level falls at the first tick that is seven days after the first lower one, and not a millisecond before."""
    raised = reconcile({}, [finding("critical")], 0, UNDONE)[0].flag
    lower = reconcile({raised.id: raised}, [finding("watch")], HOUR_MS, UNDONE)[0].flag
    just_before = HOUR_MS + 7 * DAY_MS - 1

    assert [] == reconcile({raised.id: lower}, [finding("watch")], just_before, UNDONE)
    assert [Act.LOWERED] == [
        change.entry.act for change in reconcile({raised.id: lower}, [finding("watch")], just_before + 1, UNDONE)
    ]


def test_a_raised_flag_keeps_both_times_and_its_reason() -> None:
    """A flag says when its finding first held and when people were told, and its first line of history why."""
    now = 5 * DAY_MS
    change = reconcile({}, [finding("warning")], now, UNDONE)[0]

    name = flag_id(RULE, TENANT)
    assert Flag(name, RULE, TENANT, State.OPEN, Level.WARNING, HOUR_MS, now, None, finding("warning")) == change.flag
    assert Entry(name, now, "raised", Level.WARNING, "It is warning.") == change.entry


def test_newer_numbers_reach_the_flag_without_a_line_of_history() -> None:
    """A flag shows the latest finding; nobody is told of numbers that leave the level as it is."""
    flags, told = live("1 warning\n2 warning")

    assert [finding("warning", flop=2 * DAY_MS)] == [one.finding for one in flags.values()]
    assert [(1, "raised", "warning")] == told


def test_nothing_changes_when_nothing_changed() -> None:
    """The same finding at a later tick changes nothing."""
    raised = reconcile({}, [finding("warning")], 0, UNDONE)[0].flag

    assert [] == reconcile({raised.id: raised}, [finding("warning")], DAY_MS, UNDONE)


def test_a_withdrawn_flag_says_what_undid_it() -> None:
    """The history of a withdrawn flag names what undid its finding."""
    raised = reconcile({}, [finding("warning")], 0, UNDONE)[0].flag

    assert [UNDONE] == [change.entry.reason for change in reconcile({raised.id: raised}, [], DAY_MS, UNDONE)]


def test_rules_live_side_by_side() -> None:
    """Findings of several rules raise a flag each, and one that goes takes only its own flag with it."""
    both = reconcile({}, [finding("watch"), finding("critical", rule="ladder.1e24.of_concern")], 0, UNDONE)
    flags = {change.flag.id: change.flag for change in both}

    assert ["raised", "raised"] == [change.entry.act for change in both]
    assert [(Act.WITHDRAWN, flag_id("ladder.1e24.of_concern", TENANT))] == [
        (change.entry.act, change.flag.id) for change in reconcile(flags, [finding("watch")], DAY_MS, UNDONE)
    ]


def test_the_name_of_a_flag_depends_on_rule_and_tenant_alone() -> None:
    """The same rule and tenant give the same name; no other pair gives it, however it is cut."""
    assert flag_id(RULE, TENANT) == flag_id(RULE, TENANT)
    assert 4 == len({flag_id("a", "bc"), flag_id("ab", "c"), flag_id("a", "b"), flag_id("c", "ab")})


# -- decisions -----------------------------------------------------------------------------------------------------

NAME = flag_id(RULE, TENANT)
CLOSE = {"close": NAME, "reason": "Explained."}


def test_flags_are_counted_by_state_level_and_rule() -> None:
    """What differs in none of the three is one number."""
    other = flag(State.OPEN)._replace(rule="other")

    assert {
        ("open", "warning", RULE): 2,
        ("open", "critical", RULE): 1,
        ("withdrawn", "warning", RULE): 1,
        ("open", "warning", "other"): 1,
    } == numbers([*(flag(State.OPEN),) * 2, flag(State.OPEN, "critical"), flag(State.WITHDRAWN), other])


def by_tenant(*many: Flag) -> dict[str, dict[str, Flag]]:
    """Flags as the daemon keeps them, among those of others."""
    flags: dict[str, dict[str, Flag]] = {"a-quiet-tenant": {}, "tenant-0": {"F-0": flag(State.OPEN)._replace(id="F-0")}}
    for one in many:
        flags.setdefault(one.tenant, {})[one.id] = one
    return flags


@pytest.mark.parametrize("state", State)
def test_a_decision_closes_a_flag_wherever_the_table_allows_it(state: State) -> None:
    """A journalled decision does to its flag what the act of closing does, and nothing where that is refused."""
    before = flag(state)
    allowed = (state, Act.CLOSED) in TRANSITIONS
    expected = act(before, Act.CLOSED, DAY_MS, "Explained.") if allowed else None

    assert (state is not State.CLOSED) == allowed
    assert expected == decided(by_tenant(before), CLOSE, DAY_MS)


def test_a_decision_that_was_read_before_changes_nothing() -> None:
    """A flag that a decision has closed stays as it is when the decision is read again."""
    change = decided(by_tenant(flag(State.OPEN)), CLOSE, DAY_MS)

    assert change is not None
    assert State.CLOSED == change.flag.state
    assert None is decided(by_tenant(change.flag), CLOSE, 2 * DAY_MS)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"accept": "everything", "reason": "Explained."},
        {"close": "F-1", "reason": "Explained."},
        {"close": TENANT, "reason": "Explained."},
        {"close": None, "reason": "Explained."},
        {"close": [NAME], "reason": "Explained."},
        {"close": {"flag": NAME}, "reason": "Explained."},
        {"close": NAME},
        {"close": NAME, "reason": None},
    ],
)
def test_other_decisions_change_no_flag(body: dict[str, object]) -> None:
    """A decision about something else, about a flag that is not there, or without a reason changes nothing."""
    assert None is decided(by_tenant(flag(State.OPEN)), body, DAY_MS)


def test_what_is_closed_is_what_was_seen() -> None:
    """A decision about a flag that has become more serious since closes nothing; one that is milder now it closes."""
    body = closing(flag(State.OPEN), "Explained.")

    assert None is decided(by_tenant(flag(State.OPEN, "critical")), body, DAY_MS)
    milder = decided(by_tenant(flag(State.OPEN, "watch")), body, DAY_MS)
    assert milder is not None
    assert State.CLOSED == milder.flag.state
    assert None is not decided(by_tenant(flag(State.OPEN, "critical")), {**body, "level": "none"}, DAY_MS)


def test_a_decision_opens_a_closed_flag_again() -> None:
    """Whoever takes a closing back has the flag open again, once, and no other flag."""
    before = flag(State.CLOSED)
    body = reopening(before, "The contract was another one.")
    change = decided(by_tenant(before), body, DAY_MS)

    assert act(before, Act.REOPENED, DAY_MS, "The contract was another one.") == change
    assert None is decided(by_tenant(flag(State.OPEN)), body, DAY_MS)


def test_without_flags_a_decision_changes_nothing() -> None:
    """Where nobody was told anything there is nothing to close."""
    assert None is decided({}, CLOSE, DAY_MS)


# -- flags of runs -------------------------------------------------------------------------------------------------


def of_run(run: str, *segments: str, level: str = "warning", page: str = "") -> Finding:
    """A finding on a run of these segments."""
    return finding(level)._replace(part=run, anchor=run, segments=(run, *segments), page=page)


def told(*steps: tuple[int, list[Finding]]) -> tuple[dict[str, Flag], list[tuple[int, str, str, str]]]:
    """The flags after what stood on some days, and their history: day, anchor, act, reason."""
    flags: dict[str, Flag] = {}
    history = []
    for day, findings in steps:
        for change in reconcile(flags, findings, day * DAY_MS, UNDONE):
            flags[change.flag.id] = change.flag
            if change.entry.act:
                history.append((day, change.flag.finding.anchor, str(change.entry.act), change.entry.reason))
    return flags, history


def test_a_flag_follows_the_run_that_holds_its_segment() -> None:
    """An earlier segment gives the run another name; the flag keeps its own, and tells of the run as it is now."""
    flags, history = told((1, [of_run("b", "c")]), (2, [of_run("a", "b", "c")]))
    (one,) = flags.values()

    assert flag_id(RULE, TENANT, "b") == one.id
    assert ("a", "b") == (one.finding.part, one.finding.anchor)
    assert [(1, "b", "raised", "It is warning.")] == history


def test_two_runs_that_become_one_have_one_flag() -> None:
    """Whichever people were told of first goes on; the other is withdrawn and says where its run is now."""
    flags, history = told((1, [of_run("b")]), (2, [of_run("b"), of_run("a")]), (3, [of_run("a", "b")]))
    first = flag_id(RULE, TENANT, "b")

    assert (3, "a", "withdrawn", f"The run is a part of the run of flag {first} now.") == history[-1]
    assert {first: State.OPEN, flag_id(RULE, TENANT, "a"): State.WITHDRAWN} == {
        name: one.state for name, one in flags.items()
    }


def test_a_run_that_falls_apart_has_two_flags() -> None:
    """The part with the segment keeps the flag, the other is told anew."""
    flags, _ = told((1, [of_run("a", "b")]), (2, [of_run("a"), of_run("b")]))

    assert {flag_id(RULE, TENANT, "a"), flag_id(RULE, TENANT, "b")} == flags.keys()
    assert {State.OPEN} == {one.state for one in flags.values()}


def test_runs_of_other_rules_and_tenants_have_flags_of_their_own() -> None:
    """A segment names a flag within its rule and tenant only."""
    other = of_run("a")._replace(rule="another")
    flags, _ = told((1, [of_run("a"), other]), (2, [other]))

    assert {flag_id(RULE, TENANT, "a"): State.WITHDRAWN, flag_id("another", TENANT, "a"): State.OPEN} == {
        name: one.state for name, one in flags.items()
    }


def test_what_becomes_urgent_is_a_line_of_history() -> None:
    """Once; whoever was told of it as urgent already is not told again."""
    urgent = of_run("a", page="Soon.")
    _, history = told((1, [of_run("a")]), (2, [urgent]), (3, [urgent]))

    assert [(1, "a", "raised", "It is warning."), (2, "a", "paged", "Soon.")] == history
