"""Which facts of a set count: one for each identity, and none that was retracted (rulings 1 and 7)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Set

from monitor.core.model import Observation

Identity = tuple[str, str]  # (source, id)


def canonical(raw: bytes) -> bytes:
    """An event as canonical JSON: sorted keys, no blanks, without `recordedtime`, which differs between deliveries."""
    try:
        event = json.loads(raw)
        event.pop("recordedtime", None)
        text = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-8", "surrogatepass")
    except ValueError:  # a number of more digits than Python reads: the bytes themselves must do
        return raw


def content_hash(raw: bytes) -> bytes:
    """SHA-256 of the canonical form of an event."""
    return hashlib.sha256(canonical(raw)).digest()


def same_content(one: bytes, other: bytes) -> bool:
    """Whether two events say the same, however they are written."""
    return one == other or content_hash(one) == content_hash(other)


def repeats(fact: Observation, rivals: Iterable[Observation]) -> bool:
    """Whether one of the facts of the same identity says the same."""
    return any(same_content(fact.raw, rival.raw) for rival in rivals)


def effective(facts: Iterable[Observation], retracted: Set[Identity] = frozenset()) -> list[Observation]:
    """The facts that count: of each identity the one with the greatest hash, unless it was retracted."""
    winners: dict[Identity, Observation] = {}
    for fact in facts:
        identity = (fact.source, fact.id)
        if identity in retracted:
            continue
        rival = winners.get(identity)
        if rival is None or (fact.raw != rival.raw and content_hash(fact.raw) > content_hash(rival.raw)):
            winners[identity] = fact
    return list(winners.values())
