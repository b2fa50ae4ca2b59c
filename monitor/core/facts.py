"""Which facts of a set count: one for each identity, and none that was retracted (rulings 1 and 7)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Set

from monitor.core.model import Observation

Identity = tuple[str, str]  # (source, id)


# A fact whose personal values are kept apart, see `monitor.core.personal`: ["hash of what came",style,event].
_BEFORE_HASH, _AFTER_HASH, _END = b'["', b'",', b"]"
_HASH_END = len(_BEFORE_HASH) + 64
_STYLE = _HASH_END + len(_AFTER_HASH)
_EVENT = _STYLE + len(b"0,")


def kept_as(hash: bytes, style: int, event: bytes) -> bytes:
    """A fact that came with this content hash, written in a style (one digit), and the event that is kept of it."""
    return b'["%b",%d,%b]' % (hash.hex().encode("ascii"), style, event)


def kept_apart(raw: bytes) -> bool:
    """Whether personal values of a fact are kept apart from it."""
    return raw.startswith(_BEFORE_HASH)


def style_of(raw: bytes) -> int:
    """The style in which such a fact was written."""
    return int(raw[_STYLE : _STYLE + 1])


def event_bytes(raw: bytes) -> bytes:
    """The event of a fact, which is the fact as it came unless personal values of it are kept apart."""
    return raw[_EVENT : -len(_END)] if kept_apart(raw) else raw


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
    """SHA-256 of the canonical form of an event, as it came."""
    if kept_apart(raw):
        return bytes.fromhex(raw[len(_BEFORE_HASH) : _HASH_END].decode("ascii"))
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
