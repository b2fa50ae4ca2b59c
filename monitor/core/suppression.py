"""Suppressions: two people who know what a rule finds of a party need not hear of it again for a while.

The flags stay as they are; the case leaves the queue, and nobody is told. A suppression is of what the two people saw:
when that changes, it ends before its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from monitor.core.book import Tenant
from monitor.core.clocks import instant
from monitor.core.flags import Flag
from monitor.core.parties import Parties
from monitor.core.policy import LEVELS, Level
from monitor.core.profiles import declared_party, of_tenant

PAYER = "payer"


class Standing(NamedTuple):
    """What a rule finds of a party, and who that is, as people saw it or as it is now."""

    level: Level
    central: int  # of all its flags together, in the unit of the rule
    matches: frozenset[str] = frozenset()  # hits on lists, by id
    owners: frozenset[str] = frozenset()  # of the tenants' parties, and those parties
    payers: frozenset[str] = frozenset()


class Suppression(NamedTuple):
    """What two people decided not to be told of. Instants of the wall clock."""

    id: str
    case: str
    subject: str
    rule: str
    since: int
    until: int
    saw: Standing
    reason: str
    proposed_by: str
    approved_by: str


def suppression_id(case: str, number: int) -> str:
    """The name of the suppression that an event of a case makes."""
    return f"S-{case.removeprefix('C-')}-{number}"


def standing_of(flags: Iterable[Flag], tenants: Mapping[str, Tenant], parties: Parties) -> Standing:
    """What flags of one rule, one at least, say together; `tenants`: whom they are about, as far as they are known."""
    chosen = list(flags)
    level = max((flag.level for flag in chosen), key=LEVELS.index)
    found = Standing(level, sum(flag.finding.amount.central for flag in chosen))
    for name in sorted({name for flag in chosen for name in flag.tenants}):
        found = _with_tenant(found, name, tenants.get(name, Tenant()), parties)
    return found


def _with_tenant(found: Standing, name: str, tenant: Tenant, parties: Parties) -> Standing:
    party, payer = declared_party(tenant, parties.now), of_tenant(tenant, parties.now).current(PAYER)
    matches = {match.id for match in parties.matches_of_tenant(name, tenant)}
    owners = set[str]()
    if party is not None:
        matches |= {match.id for match in parties.matches_above(party)}
        owners = {party, *parties.owners(party)}
    payers = set() if payer is None else {str(payer.value)}
    return found._replace(matches=found.matches | matches, owners=found.owners | owners, payers=found.payers | payers)


def ended_by(suppression: Suppression, now_stands: Standing | None, now: int) -> str | None:
    """Why a suppression ends, as a sentence; None: it holds. `now_stands`: None where no flag of the rule is open."""
    if now >= suppression.until:
        return f"The suppression of {suppression.rule} ran out on {instant(suppression.until)}."
    if now_stands is None:
        return None
    saw = suppression.saw
    if LEVELS.index(now_stands.level) > LEVELS.index(saw.level):
        return f"The suppression of {suppression.rule} ends: it was {saw.level}, and is {now_stands.level} now."
    if saw.central and now_stands.central >= 2 * saw.central:
        return f"The suppression of {suppression.rule} ends: the estimate has doubled since."
    for what in ("matches", "owners", "payers"):
        before, after = getattr(saw, what), getattr(now_stands, what)
        if before != after:
            return f"The suppression of {suppression.rule} ends: {_CHANGED[what]}."
    return None


_CHANGED = {
    "matches": "another entry of a list may be meant",
    "owners": "the party or its owners have changed",
    "payers": "the payer has changed",
}


def standing_body(standing: Standing) -> dict[str, object]:
    """A standing as JSON; the amount may be greater than what JSON's readers keep exactly, so it is text."""
    return {
        "level": str(standing.level),
        "central": str(standing.central),
        **{name: sorted(getattr(standing, name)) for name in _CHANGED},
    }


def standing_from(body: Mapping[str, object]) -> Standing:
    """What `standing_body` made this of."""
    sets = []
    for name in _CHANGED:
        values = body[name]
        assert isinstance(values, list)
        sets.append(frozenset(map(str, values)))
    return Standing(Level(str(body["level"])), int(str(body["central"])), *sets)
