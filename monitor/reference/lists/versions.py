"""Whether a new version of a list may take the place of the last good one, and what differs between the two."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from monitor.core.lists import ListedParty
from monitor.reference.lists.files import ListFile

GONE_PERCENT_MAX = 20

Key = tuple[str, str]  # source and id


class Changes(NamedTuple):
    """What differs between two versions of a list."""

    added: tuple[Key, ...]
    removed: tuple[Key, ...]
    changed: tuple[Key, ...]


class Accepted(NamedTuple):
    """The new version counts from now on."""

    list: ListFile
    changes: Changes


class Refused(NamedTuple):
    """The last good version, if there is one, still counts."""

    sentence: str


def accept(previous: ListFile | None, new: ListFile) -> Accepted | Refused:
    """Judge a new version by what has gone from it, in all and from each source list."""
    name = new.version.name
    if not new.parties:
        return Refused(f"The list {name} holds no entry at all; fetch it again.")
    before = ListFile(new.version, new.format, (), (), None) if previous is None else previous
    # The same bytes are the same version, even where effects.yaml now places their entries elsewhere.
    gone = [] if before.version.digest == new.version.digest else shrunk(before, new)
    if gone:
        return Refused(
            f"The list {name} has lost more than {GONE_PERCENT_MAX} per cent: {'; '.join(gone)}. See whether the file "
            f"is whole and fetch it again; if they have really gone, `flopwatch lists accept {name} --reason TEXT`."
        )
    return Accepted(new, changes(before.parties, new.parties))


def shrunk(before: ListFile, new: ListFile) -> list[str]:
    """What has lost more than its share, in words: the whole, or single source lists."""
    after = new.by_source
    counts = [("entries in all", len(before.parties), len(new.parties))]
    counts += [(f"of {source}", count, after.get(source, 0)) for source, count in before.by_source.items()]
    return [
        f"{now:,} {what} where there were {then:,}"
        for what, then, now in counts
        if (then - now) * 100 > then * GONE_PERCENT_MAX
    ]


def changes(old: Iterable[ListedParty], new: Iterable[ListedParty]) -> Changes:
    """Which entries differ, by source and id, sorted."""
    before = {(party.source, party.id): party for party in old}
    after = {(party.source, party.id): party for party in new}
    return Changes(
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(before.keys() - after.keys())),
        tuple(sorted(key for key in after.keys() & before.keys() if after[key] != before[key])),
    )
