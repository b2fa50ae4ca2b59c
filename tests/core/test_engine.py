"""What the engine asks of lists, links and rules over a whole book."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.bounds import ZERO
from monitor.core.clearances import Clearance, digest_of_entry, digest_of_query
from monitor.core.engine import (
    Reference,
    Sizes,
    answer,
    group_answer,
    hourly_look,
    joined_sizes,
    largest,
    linked_tenants,
    matches_of_all,
    tenant_amounts,
    tenant_findings,
    tenant_hours,
    tenant_runs,
    window_totals,
    with_late,
)
from monitor.core.estimate import totals
from monitor.core.flags import reconcile
from monitor.core.lists import Band, Hit, ListVersion
from monitor.core.model import DAY_MS
from monitor.core.policy import Aggregation
from monitor.core.structuring import Amount
from monitor.store.memory import MemoryArchive
from tests.core.facts_strategy import event
from tests.core.listed import hit, lists
from tests.core.table import BASE_MS, Taken
from tests.core.test_estimate import reference
from tests.core.test_flags import TENANT, finding

NOW = BASE_MS + 7_200_000
H100 = "accelerator=H100-SXM5-80GB"


def screened(*hits: Hit, cleared: tuple[Clearance, ...] = ()) -> Reference:
    """What ships, with these hits on lists."""
    return replace(reference(), lists=lists(*hits), cleared={one.place: one for one in cleared})


WHO = f"""
    0    profile party=P legal_name=One tenant=a
    0    profile party=P legal_name=Two tenant=b
    0    profile legal_name=Three tenant=c
    0    start x {H100} count=1 tenant=a
    0    start x {H100} count=8 tenant=b
    0    start x {H100} count=64 tenant=c
    7200 seen x tenant=a
    7200 seen x tenant=b
    7200 seen x tenant=c
"""
HITS = (
    hit("Three", "sdn", Band.POSSIBLE),
    hit("Two", "el", score=990),
    hit("One", "el", score=999),
    hit("Party", "sdn"),
)


PARTIES = [
    event("party.profiled", 0, "register", name, {"party": name, "names": [called], "owners": owners})
    for name, called, owners in (("A", "Owner", []), ("P", "Party", [{"party": "A", "share": 0.1}]))
]


def known() -> Taken:
    """Three tenants, the party of two, and its owner."""
    taken = Taken(WHO)
    taken.take(PARTIES)
    return taken


def test_the_hits_of_all_are_told_once_and_in_order() -> None:
    """A party's hit once, with the first of its tenants; of equal ones first the tenant that has computed most."""
    found = matches_of_all(known().book, screened(*HITS), NOW)

    assert [("a", "party P"), ("b", "tenant b"), ("a", "tenant a"), ("c", "tenant c")] == [
        (one.tenant, one.match.subject) for one in found
    ]
    assert [] == matches_of_all(known().book, reference(), NOW)


def test_the_hits_of_owners_are_told_on_account_of_whom_they_own() -> None:
    """With the first tenant whose party they own, however little; who owns nothing of anybody's is not asked for."""
    asked = screened(hit("Owner", "sdn"))

    assert [("a", "party A")] == [(one.tenant, one.match.subject) for one in matches_of_all(known().book, asked, NOW)]
    assert [] == matches_of_all(Taken(WHO).book, asked, NOW)


def test_a_cleared_hit_comes_last_and_raises_nothing() -> None:
    """It is told with its clearance, and its tenant is no longer in the scope of the rule."""
    book, sdn = Taken(WHO).book, hit("Three", "sdn")
    (one,) = matches_of_all(book, screened(sdn), NOW)
    decided = Clearance(
        *one.match.place, digest_of_query(one.match.query), digest_of_entry(sdn.listed), NOW + 1, ("ann", "bo"),
        "Another one", NOW,
    )  # fmt: skip
    el, by_shape = hit("One", "el"), totals(book.tenants["c"], NOW, lambda _: NOW)
    rules = [
        {found.rule for found in tenant_findings(book, asked, "c", by_shape, asked.parties(book, NOW), MemoryArchive())}
        for asked in (screened(sdn, el), screened(sdn, el, cleared=(decided,)))
    ]

    assert ["a", "c"] == [one.tenant for one in matches_of_all(book, screened(sdn, el, cleared=(decided,)), NOW)]
    assert [{"screening.blocked"}, set()] == rules


def test_a_look_tells_the_best_open_hit_on_each_list() -> None:
    """Of the tenant and of its party, likely before possible; a hit that two people have cleared is not told."""
    taken, asked = known(), screened(hit("One", "sdn", Band.POSSIBLE), hit("Party", "sdn"), hit("Party", "el"))
    of_sdn, of_el = asked.parties(taken.book, NOW).matches("P")
    decided = [
        Clearance(
            *one.place, digest_of_query(one.query), digest_of_entry(one.hit.listed), NOW + 1, ("ann", "bo"), "No", NOW
        )
        for one in (of_sdn, of_el)
    ]

    def told(*cleared: Clearance) -> Mapping[str, Band]:
        reference = replace(asked, cleared={one.place: one for one in cleared})
        return hourly_look(taken.book, reference, "a", reference.parties(taken.book, NOW), taken.archive).hits

    assert {"sdn": Band.LIKELY, "el": Band.LIKELY} == told()
    assert {"sdn": Band.POSSIBLE} == told(*decided)


@pytest.mark.parametrize(("count", "asked_for"), [(64, False), (20_000, True)])
def test_a_look_tells_the_largest_run_that_a_rule_asked_for(count: int, asked_for: bool) -> None:
    """It is the largest that the tenant has; of a tenant that is far below what rules on runs ask it tells none."""
    days = 30
    taken = Taken(f"""
        0             profile hq_country=CN tenant=a
        0             start x {H100} count={count} job=j region=eu fabric=f tenant=a
        {days * 86_400} stop x tenant=a
    """)
    now = BASE_MS + days * DAY_MS
    (held,) = tenant_runs(taken.book, reference(), "a", taken.archive.finished("a"), now)
    look = hourly_look(taken.book, reference(), "a", reference().parties(taken.book, now), taken.archive)

    assert (held[0].flop if asked_for else ZERO) == look.largest_run
    assert ZERO != held[0].flop


def test_lists_are_part_of_the_digest() -> None:
    """Another version of a list, or of what lists mean, is another answer; a list may be called anything."""
    taken, plain = Taken(WHO), reference()
    first = plain.lists._replace(versions=(ListVersion("effects", "sha256:1", None, 0),))
    newer = plain.lists._replace(versions=(ListVersion("effects", "sha256:2", None, 0),))
    other = first._replace(effects=first.effects._replace(digest="sha256:e"))
    answers = [
        answer(taken.book, replace(plain, lists=one), NOW, taken.archive) for one in (plain.lists, first, newer, other)
    ]

    assert 4 == len({one.digest for one in answers})
    assert 1 == len({one.books_digest for one in answers})


def test_thresholds_are_of_amounts_that_matter_by_themselves() -> None:
    """Those of rules on lists are at any use at all: nobody structures to stay below them."""
    of_tenants = reference().thresholds(Aggregation.TENANT, NOW)

    assert 10**23 in of_tenants
    assert of_tenants == sorted(set(of_tenants))
    assert 1 == min(rule.threshold for rule in reference().rules(NOW, Aggregation.TENANT)) < min(of_tenants)


@given(st.permutations(WHO.strip().splitlines()[:3]), st.permutations(["a", "b", "c"]))
def test_groups_are_answered_by_themselves_as_with_all(profiles: list[str], order: list[str]) -> None:
    """The answer for one group is the one in the answer for everything, whatever came first."""
    started = [f"1 start x {H100} count=8 tenant={name}" for name in order]
    taken = Taken("\n".join([*profiles, *started]))
    whole = answer(taken.book, reference(), NOW, taken.archive).groups
    parties = reference().parties(taken.book, NOW)
    alone = [
        group_answer(taken.book, reference(), group, parties)
        for group in linked_tenants(taken.book, reference(), taken.archive, parties).groups
    ]

    assert [("P", ("a", "b"))] == [(one.group, one.tenants) for one in whole]
    assert list(whole) == alone


def test_the_sizes_of_allocations_are_accelerators_whatever_was_counted() -> None:
    """Instances count as the accelerators in them: at most so many at once, and so many hours in all."""
    taken = Taken("""
        0    start x instance_type=p5.48xlarge instances=2 tenant=a
        3600 resize x instances=4 tenant=a
        7200 stop x tenant=a
    """)

    most, hours = tenant_amounts(taken.book, reference(), "a", taken.archive, NOW)

    assert [Amount("a", BASE_MS, 32_000)] == most
    assert [Amount("a", BASE_MS, 48_000)] == hours


def test_the_largest_tenants_are_those_that_held_most() -> None:
    """Instances count as the accelerators in them, equal sizes go by name, and the others are told together."""
    taken = Taken(f"""
        0    start x {H100} count=8 tenant=b
        0    start x instance_type=p5.48xlarge instances=1 tenant=a
        0    start x {H100} count=4 tenant=c
        0    start x {H100} count=2 tenant=d
        3600 stop x tenant=a
        3600 stop x tenant=b
        3600 stop x tenant=c
        3600 stop x tenant=d
    """)
    hour_us = 3_600 * 1_000_000

    sizes = largest(taken.book, reference(), 2, NOW)

    assert [("a", 8 * hour_us), ("b", 8 * hour_us)] == [one[:2] for one in sizes.shown]
    assert 6 * hour_us == sizes.rest
    whole = {one.tenant: one.flop for one in answer(taken.book, reference(), NOW, taken.archive).tenants}
    assert [whole["a"], whole["b"]] == [flop for _, _, flop in sizes.shown]


def test_the_sizes_of_several_books_are_those_of_one() -> None:
    """Each book tells its own largest; together they tell as many, and nothing of what is held is lost."""
    (a, b, c), nothing = (((name, size, ZERO),) for name, size in (("a", 1), ("b", 3), ("c", 2))), ()

    assert Sizes(b + c, 1 + 10 + 20) == joined_sizes([Sizes(c + a, 10), Sizes(b, 20)], 2)
    assert Sizes(nothing, 0) == joined_sizes([], 2)


def test_the_totals_of_longer_windows_hold_those_of_shorter_ones() -> None:
    """What was held 100 days ago is in the total of 180 days and not in that of 90."""
    day = 86_400
    taken = Taken(f"""
        0            start x {H100} count=8 tenant=a
        3600         stop x tenant=a
        {100 * day}  start y {H100} count=1 tenant=a
        {100 * day + 3600}  stop y tenant=a
    """)
    now = BASE_MS + (100 * day + 3600) * 1_000

    totals = window_totals(tenant_hours(taken.book, reference(), "a", now), now)

    assert totals[90].high * 9 == pytest.approx(totals[180].high)
    assert totals[180] == totals[365] == totals[540]


def test_late_facts_are_told_where_people_are_told() -> None:
    """A line of history says how many facts came late since the look before; what nobody is told of says nothing."""
    told = reconcile({}, [finding("warning")], DAY_MS, "Undone.")
    silent = [told[0]._replace(entry=told[0].entry._replace(act="", reason=""))]

    assert told == with_late(told, {}) == with_late(told, {"somebody-else": 2})
    assert silent == with_late(silent, {TENANT: 2})
    for late, sentence in ((1, "1 fact about it has come late."), (2_000, "2,000 facts about it have come late.")):
        (change,) = with_late(told, {TENANT: late})
        assert f"It is warning. Since the look before {sentence}" == change.entry.reason
        assert told[0].flag == change.flag


def test_late_facts_about_any_tenant_of_a_group_are_told() -> None:
    """The history of a group's flag counts the facts about all of its tenants."""
    told = reconcile({}, [finding("warning")._replace(members=("a", "b"))], DAY_MS, "Undone.")

    (change,) = with_late(told, {"a": 1, "b": 2, "c": 4})

    assert change.entry.reason.endswith("3 facts about it have come late.")
