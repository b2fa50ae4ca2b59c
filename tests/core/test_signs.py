"""Signs of structuring that are read from a tenant's hours, its profile and what was seen of it."""

from __future__ import annotations

import pytest

from monitor.core.engine import hearing, hourly_look, signs_of_tenant, tenant_ties
from monitor.core.estimate import totals
from monitor.core.links import Launch, LinkKind, Tie, Ties
from monitor.core.model import CERTAIN, DAY_MS, OPEN, PRESUMED
from monitor.core.parties import Parties
from monitor.core.signs import daily_usage, has_changed, signs_of, signs_of_holdings
from monitor.core.structuring import JUMP_MIN_US, SignalKind
from tests.core.table import BASE_MS, Taken
from tests.core.test_estimate import reference
from tests.core.test_findings import used
from tests.core.world import world

NOW = 60 * DAY_MS


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("0 t hq_country=US payer=p", False),
        ("0 t payer=p \n 5 t payer=p:registry", False),  # said again
        ("0 t payer=p \n 5 t payer=q", True),
        ("0 t payer=p \n 70 t payer=q", False),  # later
        ("0 t hq_country=US \n 5 t hq_country=CN", True),
        ("0 t party=P \n 0 P owners=A-60", False),
        ("0 t party=P \n 0 P owners=A-60 \n 5 P owners=B-60", True),
        ("0 t party=P \n 5 t party=Q", True),
        ("0 t party=P \n 5 t party=Q \n 0 P owners=A-60 \n 0 Q owners=A-60", False),  # of one owner
        ("0 t organisation=p \n 5 t organisation=q", False),
    ],
)
def test_whether_anything_changed(table: str, expected: bool) -> None:
    """Payer, owner or headquarters; where nothing did, there is no sign."""
    tenant, parties = world(table)
    known = Parties(parties, NOW)
    busy = {20: 100 * JUMP_MIN_US}

    assert expected == has_changed(tenant, known)
    assert expected or [] == signs_of("t", tenant, used((20 * 24, 10**6)), busy, known, [1])


def test_many_payers_are_a_sign() -> None:
    """Four within some months."""
    tenant, parties = world("\n".join(f"{day} t payer=p{day}" for day in range(4)))

    assert [SignalKind.MANY_PAYERS] == [one.kind for one in signs_of("t", tenant, [], {}, Parties(parties, NOW), [])]


def test_a_change_before_a_jump_is_a_sign() -> None:
    """Of the owner, a week before use jumps; a change a quarter before is none."""
    before = dict.fromkeys(range(20), JUMP_MIN_US)
    kinds = {}
    for day in (30, 1):
        tenant, parties = world(f"0 t party=P \n 0 P owners=A-60 \n {day} P owners=B-60")
        daily = {**before, 37: 4 * JUMP_MIN_US}
        kinds[day] = [one.kind for one in signs_of("t", tenant, [], daily, Parties(parties, NOW), [])]

    assert {30: [SignalKind.CHANGE_BEFORE_JUMP], 1: []} == kinds


def test_a_change_before_a_threshold_is_a_sign() -> None:
    """When the central total reaches each threshold, several in one hour included; those not reached are no sign."""
    tenant, parties = world("0 t payer=p \n 10 t payer=q")
    hours = used((5 * 24, 90), (12 * 24, 20), (15 * 24, 2_000))
    found = signs_of("t", tenant, hours, {}, Parties(parties, NOW), [1_000, 100, 500, 80, 10_000])

    assert {SignalKind.CHANGE_BEFORE_THRESHOLD} == {one.kind for one in found}
    assert [(12, 100), (15, 500), (15, 1_000)] == sorted(
        (one.until // DAY_MS, dict(one.numbers)["threshold_flop"]) for one in found if one.until is not None
    )


def test_daily_usage_adds_up_to_what_was_used() -> None:
    """By day, in accelerators of the catalogue, without time that nobody saw the end of."""
    day = BASE_MS // DAY_MS
    table = """
        0      start x accelerator=H100-SXM5-80GB count=8
        172800 stop x
        0      start y accelerator=H100-SXM5-80GB count=1
        3600   seen y
    """
    taken, now = Taken(table), BASE_MS + 3 * DAY_MS
    heard = hearing(taken.book, now)
    tenant, estimator = taken.book.tenants["t"], reference().estimator
    by_shape = totals(tenant, now, heard)
    found = daily_usage(tenant, estimator.catalogue, now, heard)

    assert {day, day + 1, day + 2} >= found.keys() >= {day, day + 1}
    assert sum(found.values()) == sum(estimator.accelerators(by_shape, (CERTAIN, PRESUMED), now).values())
    assert estimator.accelerators(by_shape, (OPEN,), now)
    assert found[day] >= 8 * (DAY_MS - BASE_MS % DAY_MS) * 1_000


def test_what_was_seen_may_be_a_sign() -> None:
    """A family that is switched, and end customers that nobody attested."""
    tenant, parties = world("0 t hq_country=US \n 0 known hq_country=US:registry")
    launches = (
        Launch(0, 2 * DAY_MS, 8_000, "hopper", "x", frozenset({"image-1"})),
        Launch(3 * DAY_MS, 5 * DAY_MS, 8_000, "blackwell", "x", frozenset({"image-1"})),
    )
    ties = tuple(Tie(LinkKind.END_CUSTOMER, name, "observed", "the control plane") for name in ("c", "d", "known"))
    known = Parties(parties, NOW)

    assert [] == signs_of_holdings(Ties("t"), known)
    assert [] == signs_of_holdings(Ties("t", ties[1:]), known)  # one of two is known
    assert [SignalKind.FAMILY_SWITCHED, SignalKind.RE_RENTAL] == [
        one.kind for one in signs_of_holdings(Ties("t", ties, False, launches), known)
    ]
    assert tenant.facts


SOLD = """
    0       profile payer=p id=1
    0       start x accelerator=H100-SXM5-80GB count=4000
    2592000 profile payer=q id=2
    2592000 start y accelerator=H100-SXM5-80GB count=40000
    3456000 stop x
    3456000 stop y
"""


def test_a_change_before_a_jump_is_a_finding() -> None:
    """From events to the rule; without the change there is neither."""
    rules = []
    for table in (SOLD, SOLD.replace("payer=q", "payer=p")):
        taken, now = Taken(table), BASE_MS + 3_456_000_000
        hours = reference().estimator.of("t").hours(taken.book.tenants["t"], now, hearing(taken.book, now))
        signs = signs_of_tenant(taken.book, reference(), "t", hours, reference().parties(taken.book, now))
        found = hourly_look(taken.book, reference(), "t", reference().parties(taken.book, now), taken.archive).findings
        rules.append(({one.kind for one in signs}, "structuring.tenant" in {one.rule for one in found}))

    both = {SignalKind.CHANGE_BEFORE_JUMP, SignalKind.CHANGE_BEFORE_THRESHOLD}
    assert both >= rules[0][0] >= {SignalKind.CHANGE_BEFORE_JUMP}
    assert [True, False] == [found for _, found in rules]
    assert set() == rules[1][0]
    taken = Taken(SOLD)
    parties = reference().parties(taken.book, BASE_MS + 3_456_000_000)
    assert 2 == len(tenant_ties(taken.book, reference(), "t", taken.archive, parties).launches)
