"""What somebody saw of a case when they decided about it: kept, so that it can be shown later as it was.

Flags go on moving, and a decision is judged by what was known then. Events of a case are never changed, so of them it
is enough to know the latest that was seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from monitor.core.audit import canonical
from monitor.core.cases import Act, CaseTimes
from monitor.core.flags import Flag, State, flag_document, flag_from
from monitor.core.policy import LEVELS

FLAGS_MAX = 50  # of a case that are shown whole, the most serious first
# Acts that answer for what was seen.
SIGHTED = frozenset({Act.PROPOSED, Act.DECIDED, Act.SUPPRESSED, Act.REVERSED, Act.REVIEWED})
FIELD = "sight"  # of such an act: the hash of what was seen


class Sight(NamedTuple):
    """A case as somebody saw it."""

    number: int  # its latest event
    flags: tuple[Flag, ...]  # those that are shown whole, the most serious first
    more: int  # others
    lines: Mapping[str, int]  # flag -> how many lines its history had
    times: CaseTimes


def seriousness(flag: Flag) -> tuple[bool, int, int, str]:
    """What flags are ordered by: those that stand first, then by level and compute."""
    return flag.state is State.CLOSED, -LEVELS.index(flag.level), -flag.finding.amount.central, flag.id


def shown(flags: Iterable[Flag]) -> tuple[Flag, ...]:
    """The flags of a case that are shown whole, the most serious first."""
    return tuple(sorted(flags, key=seriousness)[:FLAGS_MAX])


def sight_document(sight: Sight) -> dict[str, Any]:
    """It as JSON; instants in milliseconds."""
    return {
        "number": sight.number,
        "flags": [flag_document(flag) for flag in sight.flags],
        "more": sight.more,
        "lines": dict(sight.lines),
        "times": sight.times._asdict(),
    }


def sight_from(document: Mapping[str, Any]) -> Sight:
    """It from that."""
    flags = tuple(map(flag_from, document["flags"]))
    times = CaseTimes(**document["times"])
    return Sight(document["number"], flags, document["more"], document["lines"], times)


def sight_hash(document: Mapping[str, Any]) -> str:
    """What an act says of what was seen: the SHA-256 of its canonical JSON."""
    return hashlib.sha256(canonical(document).encode("ascii")).hexdigest()
