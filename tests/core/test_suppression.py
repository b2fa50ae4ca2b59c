"""Suppressions: of what two people saw, and what ends them."""

from __future__ import annotations

import json

import pytest

from monitor.core.book import Tenant
from monitor.core.model import DAY_MS
from monitor.core.parties import Parties
from monitor.core.policy import Level
from monitor.core.suppression import (
    Standing,
    Suppression,
    ended_by,
    standing_body,
    standing_from,
    standing_of,
    suppression_id,
)
from tests.core.casefile import ANA, BO, CASE, NOW, REASON, RULE, SUBJECT, flag
from tests.core.listed import hit, lists
from tests.core.world import world

UNTIL = NOW + 30 * DAY_MS
SAW = Standing(Level.WARNING, 10**25, frozenset({"H-1"}), frozenset({"acme", "holding"}), frozenset({"P-1"}))
ONE = Suppression("S-1", CASE, SUBJECT, RULE, NOW, UNTIL, SAW, REASON, ANA, BO)


@pytest.mark.parametrize(
    ("stands", "now", "why"),
    [
        (SAW, NOW, None),
        (SAW, UNTIL - 1, None),
        (None, UNTIL - 1, None),
        (SAW, UNTIL, "The suppression of ladder.any ran out on 2026-10-21T14:13:20Z."),
        (None, UNTIL, "The suppression of ladder.any ran out on 2026-10-21T14:13:20Z."),
        (SAW._replace(level=Level.WATCH), NOW, None),
        (
            SAW._replace(level=Level.CRITICAL),
            NOW,
            "The suppression of ladder.any ends: it was warning, and is critical now.",
        ),
        (SAW._replace(central=2 * 10**25 - 1), NOW, None),
        (
            SAW._replace(central=2 * 10**25),
            NOW,
            "The suppression of ladder.any ends: the estimate has doubled since.",
        ),
        (
            SAW._replace(matches=frozenset()),
            NOW,
            "The suppression of ladder.any ends: another entry of a list may be meant.",
        ),
        (
            SAW._replace(owners=frozenset({"acme"})),
            NOW,
            "The suppression of ladder.any ends: the party or its owners have changed.",
        ),
        (
            SAW._replace(payers=frozenset({"P-2"})),
            NOW,
            "The suppression of ladder.any ends: the payer has changed.",
        ),
    ],
)
def test_what_ends_a_suppression(stands: Standing | None, now: int, why: str | None) -> None:
    """Its day, a new rung, doubled compute, a change of lists, owners or payer; nothing that is less than it was."""
    assert why == ended_by(ONE, stands, now)


def test_nothing_cannot_double() -> None:
    """A rule that had found nothing yet is not ended by finding nothing again."""
    nothing = SAW._replace(central=0)

    assert None is ended_by(ONE._replace(saw=nothing), nothing, NOW)


# -- what stands -------------------------------------------------------------------------------------------------------

TABLE = """
    0  t     party=P payer=X legal_name=T
    0  P     names=P owners=A-60c
    0  A     names=A owners=B-10
"""


def known(text: str = TABLE) -> tuple[dict[str, Tenant], Parties]:
    """Tenant t and its parties, with hits on the tenant's party and on somebody who owns a part of it."""
    tenant, parties = world(text)
    return {"t": tenant}, Parties(parties, NOW, lists(hit("P", "own"), hit("A", "sdn"), hit("other", "sdn")))


def test_what_a_rule_finds_of_a_party() -> None:
    """The highest level and the sum of its flags; hits of the party and its owners; who owns it, and who pays."""
    tenants, parties = known()
    flags = [flag("F-1", tenant="t"), flag("F-2", "critical", tenant="t", central=10**24)]
    stands = standing_of(flags, tenants, parties)

    assert (Level.CRITICAL, 11 * 10**24) == stands[:2]
    assert (2, {"P", "A", "B"}, {"X"}) == (len(stands.matches), stands.owners, stands.payers)
    assert stands.matches == {one.id for one in (*parties.matches("P"), *parties.matches_above("P"))}


def test_of_somebody_of_whom_nothing_is_said_nothing_is_known() -> None:
    """Neither party nor payer: what it computes still counts, and a group is all of its tenants."""
    tenants, parties = known()
    alone = standing_of([flag(tenant="nobody")], tenants, parties)
    group = standing_of([flag(tenant="P", members=("t", "nobody"))], tenants, parties)

    assert Standing(Level.WATCH, 10**25) == alone
    assert standing_of([flag(tenant="t")], tenants, parties) == group


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (TABLE, None),
        (TABLE + "1 A names=A owners=B-10+C-1", "the party or its owners have changed"),
        (TABLE + "1 t party=Q", "another entry of a list may be meant"),
        (TABLE + "1 t payer=Y", "the payer has changed"),
    ],
)
def test_a_suppression_is_of_whoever_it_was(text: str, why: str | None) -> None:
    """As known now: whatever is said later of owners, party or payer ends it."""
    before = standing_of([flag(tenant="t")], *known())
    ended = ended_by(ONE._replace(saw=before), standing_of([flag(tenant="t")], *known(text)), NOW)

    assert why == (None if ended is None else ended.partition("ends: ")[2].rstrip("."))


def test_what_was_seen_is_kept_as_it_was() -> None:
    """As JSON and back, with amounts that no float holds."""
    exact = SAW._replace(central=10**27 + 1)

    assert exact == standing_from(json.loads(json.dumps(standing_body(exact))))


def test_a_suppression_is_named_after_its_case() -> None:
    """And the event that proposed it."""
    assert "S-0123456789ab-4" == suppression_id(CASE, 4)
