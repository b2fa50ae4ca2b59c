"""Hits that two people have looked at and found to be somebody else.

A clearance is a decision with two authors, a reason and an end. It covers one listed party and one record of ours as
they were: when either changes, the hit is open again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from monitor.core.lists import ListedParty, Query

CLEAR, REOPEN = "clear_hit", "reopen_hit"
AUTHORS = 2

Place = tuple[str, str, str]  # whose record ("tenant t-7", "party p-7"), the list's source, the entry's id


class Clearance(NamedTuple):
    """What two people decided about a hit."""

    subject: str
    source: str
    entry: str
    record_digest: str  # of what was known of the subject
    entry_digest: str  # of what the list said
    until: int  # milliseconds
    authors: tuple[str, ...]
    reason: str
    at: int  # of what they saw, by the time of events, which may be long before they looked

    @property
    def place(self) -> Place:
        """Which hit it is about."""
        return self.subject, self.source, self.entry

    def covers(self, query: Query, listed: ListedParty, now: int) -> bool:
        """Whether it still holds: neither record has changed, and it has not run out."""
        return (
            self.at <= now < self.until
            and self.record_digest == digest_of_query(query)
            and self.entry_digest == digest_of_entry(listed)
        )


Clearances = Mapping[Place, Clearance]


def digest_of_query(query: Query) -> str:
    """A digest of what is known of somebody, whatever the order."""
    names, countries, identifiers, addresses = query
    return _digest([sorted(set(names)), sorted(countries), sorted(set(identifiers)), sorted(set(addresses))])


def digest_of_entry(listed: ListedParty) -> str:
    """A digest of what a list says of a party, whatever the order."""
    said = [sorted(listed.names), sorted(listed.countries), sorted(listed.addresses), sorted(listed.identifiers)]
    return _digest([listed.source, listed.id, listed.schema, *said, sorted(listed.programs)])


def _digest(content: object) -> str:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def clearance_sentence(clearance: Clearance) -> str:
    """What was decided, in words."""
    until = datetime.fromtimestamp(clearance.until / 1_000, UTC).date().isoformat()
    return f"Cleared until {until} by {' and '.join(clearance.authors)}: {clearance.reason}"


def decision(clearance: Clearance) -> dict[str, object]:
    """A clearance as the journal keeps it."""
    _, _, _, record, entry, until, authors, reason, at = clearance
    what: dict[str, object] = {"subject": clearance.subject, "source": clearance.source, "entry": clearance.entry}
    what |= {"record": record, "digest": entry, "as_of": at, "until": until}
    return {CLEAR: what, "by": list(authors), "reason": reason}


def standing(decisions: Iterable[Mapping[str, object]]) -> dict[Place, Clearance]:
    """The clearances that journalled decisions, in order, leave."""
    found: dict[Place, Clearance] = {}
    for body in decisions:
        cleared, reopened = body.get(CLEAR), body.get(REOPEN)
        if isinstance(cleared, Mapping):
            one = _clearance(cleared, body)
            found[one.place] = one
        if isinstance(reopened, Mapping):
            found.pop(_place(reopened), None)
    return found


def _place(what: Mapping[str, object]) -> Place:
    return str(what["subject"]), str(what["source"]), str(what["entry"])


def _clearance(what: Mapping[str, object], body: Mapping[str, object]) -> Clearance:
    authors, at, until = body["by"], what["as_of"], what["until"]
    assert isinstance(authors, list)
    assert isinstance(at, int)
    assert isinstance(until, int)
    digests = str(what["record"]), str(what["digest"])
    return Clearance(*_place(what), *digests, until, tuple(map(str, authors)), str(body["reason"]), at)
