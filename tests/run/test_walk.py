"""The past in the order of its arrival: looks, waiting, late facts, and that the end is what a replay says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.app.references import load_reference
from monitor.app.stores import working_archive
from monitor.core.engine import Answer, Reference, answer
from monitor.core.flags import State
from monitor.core.model import DAY_MS
from monitor.intake.decode import decode_facts
from monitor.reference.root import config_root
from monitor.run.replay import rebuild
from monitor.run.walk import Pace, Step, Walk, arrivals, decoded, in_order
from monitor.simulate.scenarios import START, simulate
from tests.cli.command import fact

H100 = "H100 SXM 80GB"


@cache
def reference() -> Reference:
    """The shipped one, with the ladder alone, at a ten-thousandth of its figures: days are enough for a flag."""
    found = load_reference(config_root())
    ladder = next(one for one in found.policies if one.id == "internal-ladder")
    rules = tuple(replace(rule, threshold=rule.threshold // 10_000) for rule in ladder.rules)
    return replace(found, policies=(replace(ladder, rules=rules),))


def line(verb: str, id: str, day: float, /, **more: object) -> bytes:
    """An event of the given day of March 2026."""
    hours = round(day * 24)
    time = f"2026-03-{hours // 24 + 1:02}T{hours % 24:02}:00:00Z"
    return json.dumps(fact(verb, id, time, **more)).encode()


def held(tenant: str, name: str, start: float, end: float | None, count: int = 64) -> list[bytes]:
    whose = {"tenant": tenant, "allocation": name}
    lines = [line("allocation.started", f"{tenant}{name}", start, accelerator=H100, count=count, **whose)]
    if end is not None:
        lines.append(line("allocation.stopped", f"{tenant}{name}-end", end, **whose))
    return lines


LINES = [
    line("tenant.profiled", "p", 0, tenant="acme", hq_country="CN", basis={"hq_country": "documented"}),
    *held("acme", "a", 0.1, 6),
    *held("basalt", "a", 0.2, 0.4),
    *held("basalt", "b", 3.1, 3.3),
    *held("cobalt", "a", 1.1, None),
    line("source.alive", "alive", 9, source="/sim/eu-1"),
]


def in_time(lines: Sequence[bytes]) -> list[bytes]:
    return sorted(lines, key=lambda one: str(json.loads(one)["time"]))


def walked(lines: Sequence[bytes], pace: Pace = Pace()) -> tuple[Walk, list[Step]]:  # noqa: B008
    walk = Walk(working_archive(), reference(), {"all": reference().policies}, pace)
    return walk, list(walk.play(decoded(lines)))


def told(walk: Walk) -> list[tuple[object, ...]]:
    """The history of all flags."""
    return [tuple(entry) for entry in walk.views["all"].history]


def standing(walk: Walk) -> list[tuple[object, ...]]:
    """What stands in the end, with its numbers."""
    view = walk.views["all"]
    flags = [flag for of_tenant in view.flags.values() for flag in of_tenant.values()]
    return sorted(
        (flag.rule, flag.tenant, flag.finding.level, flag.finding.amount)
        for flag in [*flags, *view.group_flags.values()]
        if flag.state is State.OPEN
    )


def replayed(lines: Sequence[bytes]) -> Answer:
    working = working_archive()
    book = rebuild(lines, working, 1 << 50)
    return answer(book, reference(), book.clock, working.past)


def of_answer(found: Answer) -> list[tuple[object, ...]]:
    findings = [finding for one in found.tenants for finding in one.findings]
    findings += [finding for one in found.groups for finding in one.findings]
    return sorted((one.rule, one.tenant, one.level, one.amount) for one in findings)


def test_there_is_a_look_at_each_midnight_and_one_at_the_end() -> None:
    """Looks fall on the midnights of the facts' time, and the last on the latest fact."""
    walk, steps = walked(in_time(LINES))
    assert [step.now % DAY_MS for step in steps] == [0] * len(steps)
    assert len(steps) == 10  # the first and the last fact are of a midnight themselves
    assert steps[-1].now == walk.book.clock
    assert steps[-1].facts == len(LINES)
    _, more = walked(in_time([*LINES, line("source.alive", "later", 9.5, source="/sim/eu-1")]))
    assert more[-1].now % DAY_MS == DAY_MS // 2


def test_people_are_told_at_the_first_look_at_which_it_holds() -> None:
    """A flag is raised at the first look after its threshold is reached, and is no late one."""
    walk, steps = walked(in_time(LINES))
    raised = {change.flag.tenant for change in steps[1].changes["all"]}
    assert raised == {"acme", "basalt"}
    assert all(entry.act for entry in walk.views["all"].history)
    assert not walk.late


def test_nothing_to_play_is_no_look() -> None:
    """Without a fact in the days asked for nobody looks."""
    assert walked([])[1] == []
    assert walked(in_time(LINES), Pace(since=START + 3_000 * DAY_MS))[1] == []


def test_a_walk_begins_and_ends_on_the_days_that_are_asked_for() -> None:
    """Looks fall inside the days asked for, and what stood before is told at the first."""
    march = 1_772_323_200_000
    _, steps = walked(in_time(LINES), Pace(since=march + 2 * DAY_MS, until=march + 4 * DAY_MS))
    assert [step.now for step in steps] == [march + 2 * DAY_MS, march + 3 * DAY_MS, march + 4 * DAY_MS]
    assert {change.flag.tenant for change in steps[0].changes["all"]} >= {"acme"}


def test_in_the_end_a_walk_says_what_a_replay_says() -> None:
    """What stands at the end, numbers included, is what a replay of the same facts finds."""
    for pace in (Pace(), Pace(groups_every=3, patience=2)):
        walk, _ = walked(in_time(LINES), pace)
        assert standing(walk) == of_answer(replayed(LINES))


def test_a_simulated_fleet_ends_as_its_replay_does() -> None:
    """So it is for a simulated fleet with groups and waiting."""
    lines = list(simulate("who-payer", seed=3).events())
    walk, _ = walked(lines, Pace(groups_every=14, patience=16))
    assert standing(walk) == of_answer(replayed(lines))
    assert standing(walk)


def test_who_holds_the_same_is_looked_at_less_often() -> None:
    """A tenant that holds the same is skipped at some looks, and never at the last."""
    steady = in_time([*held("cobalt", "a", 0, None, 4_096), line("source.alive", "x", 20, source="/sim/eu-1")])
    looks = {}
    for pace in (Pace(), Pace(patience=2)):
        _, steps = walked(steady, pace)
        looks[pace.patience] = [bool(step.changes["all"]) for step in steps]
    assert sum(looks[2]) < sum(looks[0])
    assert looks[2][-1]  # everybody at the end


@pytest.mark.parametrize(
    "news",
    [
        held("cobalt", "b", 12.3, None, 4_096),  # it holds more
        held("cobalt", "b", 12.3, 12.6, 8_192),  # it held more for a while
        [line("tenant.profiled", "p", 12.3, tenant="cobalt", hq_country="DE")],
        [line("party.profiled", "q", 12.3, party="p-1", name="Somebody")],
        [line("fact.retracted", "r", 12.3, tenant="cobalt", retracts={"source": "/sim/eu-1", "id": "nothing"})],
    ],
)
def test_news_end_the_waiting(news: list[bytes]) -> None:
    """Whatever is new of a tenant brings a look at the next midnight."""
    steady = [*held("cobalt", "a", 0, None, 4_096), line("source.alive", "x", 20, source="/sim/eu-1")]
    plain = {step.now for step in walked(in_time(steady), Pace(patience=1))[1] if step.changes["all"]}
    more = {step.now for step in walked(in_time([*steady, *news]), Pace(patience=1))[1] if step.changes["all"]}
    thirteenth = 1_772_323_200_000 + 13 * DAY_MS
    assert thirteenth not in plain
    assert thirteenth in more


def test_facts_come_in_the_order_in_which_they_were_recorded() -> None:
    """Receipts count, then what events say, then their places."""
    first, second, third = (
        json.dumps({**json.loads(one), "recordedtime": at}).encode()
        for one, at in zip(
            LINES[:3], ("2026-03-05T02:00:00+02:00", "2026-03-04T23:00:00Z", "2026-03-05T01:00:00Z"), strict=True
        )
    )
    unstated, rubbish = LINES[3], b'{"recordedtime": 5'
    said = [
        arrivals((None, line) for line in lines)
        for lines in ([first, unstated, rubbish, second, third], [unstated, second])
    ]
    assert in_order(said[0]) == [second, first, unstated, rubbish, third]
    assert in_order(said[1]) == [unstated, second]
    assert [at for at, _ in arrivals([(7, first), (None, unstated), (3, second)])] == [7, 7, 3]


def test_a_repetition_is_not_late() -> None:
    """A fact that came in time and comes once more after a look is no late fact."""
    walk, _ = walked([*in_time(LINES), LINES[0]])

    assert {} == walk.late
    assert 0 == walk.came_late


def test_late_facts_are_told_of_in_the_history() -> None:
    """Entries of a flag say how many facts of its tenant came late, and those of others do not."""
    lines = [
        *held("acme", "a", 5.1, None, 8),
        *held("basalt", "a", 6.1, None, 8),
        *held("acme", "late", 2.1, 4.5, 512),
        *held("basalt", "b", 7.1, None, 8),
    ]
    walk, _ = walked(lines)
    assert walk.late == {"acme": 2}
    assert any(entry.reason.endswith("So far 2 facts about it have come late.") for entry in walk.views["all"].history)
    of_basalt = set(walk.views["all"].flags["basalt"])
    assert not any("late" in entry.reason for entry in walk.views["all"].history if entry.flag in of_basalt)


def test_a_source_that_seemed_silent_was_so_for_all_that_it_tells_of() -> None:
    """A late fact that would have been its source's latest is late for everybody."""
    seen = line("allocation.seen", "s", 3.3, tenant="basalt", allocation="a")
    lines = [*held("acme", "a", 0.1, None), line("source.alive", "o", 5.1, source="/other"), seen]
    elsewhere = json.dumps({**json.loads(lines[1]), "source": "/other"}).encode()
    walk, _ = walked([lines[0], elsewhere, seen, lines[0].replace(b"acmea", b"acmeb").replace(b"03-01", b"03-08")])
    assert walk.late == {"": 1, "basalt": 1}
    assert any(entry.reason.endswith("So far 1 fact about it has come late.") for entry in walk.views["all"].history)


def test_a_late_report_is_late_for_whoever_is_in_it() -> None:
    """A late inventory report counts for the tenants that it names."""
    report = line(
        "inventory.reported", "i", 1, region="eu-1", part=1, parts=1, complete=False,
        allocations=[{"tenant": "cobalt", "allocation": "a", "hardware": H100, "count": 64}],
    )  # fmt: skip
    walk, _ = walked([*in_time(LINES), report])
    assert walk.late == {"": 1, "cobalt": 1}


@settings(max_examples=10, deadline=None)
@example([LINES[-1], *LINES[1:-1], LINES[0]])  # the last comes first
@example([*LINES[:3], *LINES[3:][::-1]])
@given(st.permutations(LINES))
def test_other_orders_end_the_same_and_differ_only_where_facts_came_late(lines: list[bytes]) -> None:
    """Any order ends with the same findings; another history has late facts."""
    ordered, _ = walked(in_time(LINES))
    walk, _ = walked(lines)
    assert standing(walk) == standing(ordered)
    for name in ("acme", "basalt", "cobalt"):
        flags = [{flag.id for flag in one.views["all"].flags.get(name, {}).values()} for one in (ordered, walk)]
        histories = [
            [tuple(entry) for entry in one.views["all"].history if entry.flag in ids]
            for one, ids in zip((ordered, walk), flags, strict=True)
        ]
        assert histories[0] == histories[1] or walk.late_facts([name])


@settings(max_examples=4, deadline=None)
@given(st.permutations(LINES))
def test_two_walks_over_the_same_are_the_same(lines: list[bytes]) -> None:
    """Histories are a function of the facts and their order."""
    assert told(walked(lines)[0]) == told(walked(lines)[0])


def test_views_that_share_policies_say_what_each_says_alone() -> None:
    """Seeing two sets of policies at once changes neither history."""
    lines = in_time([*LINES, line("tenant.profiled", "p2", 2, tenant="acme", hq_country="DE", payer="x")])
    policy = reference().policies[0]
    dearer = replace(policy, rules=tuple(replace(rule, threshold=rule.threshold * 3) for rule in policy.rules))
    both = Walk(working_archive(), reference(), {"one": (policy,), "other": (dearer,)})
    list(both.play(decoded(lines)))
    for name, alone in (("one", policy), ("other", dearer)):
        walk = Walk(working_archive(), reference(), {"all": (alone,)})
        list(walk.play(decoded(lines)))
        assert [tuple(entry) for entry in both.views[name].history] == told(walk)
        assert {entry.flag for entry in both.views[name].history}


def test_a_policy_that_begins_is_asked_about_everybody() -> None:
    """At the first look of a policy tenants that hold nothing any more are looked at, too."""
    policy = reference().policies[0]
    later = replace(policy, effective_from=1_772_323_200_000 + 5 * DAY_MS + 1)
    walk = Walk(working_archive(), reference(), {"all": (later,)})
    raised = {
        change.flag.tenant: step.now for step in walk.play(decoded(in_time(LINES))) for change in step.changes["all"]
    }
    assert "basalt" in raised or "acme" in raised
    assert min(entry.at for entry in walk.views["all"].history) == 1_772_323_200_000 + 6 * DAY_MS


def test_many_facts_of_a_day_are_taken_in_batches() -> None:
    """A day of more facts than a batch has is taken in whole."""
    many = [line("allocation.seen", f"s{n}", 2, tenant="acme", allocation="a") for n in range(5_001)]
    walk, _ = walked([*held("acme", "a", 0.1, None), *many])
    assert len(decode_facts(many)) == 5_001
    assert walk.book.counts.accepted == 5_002
