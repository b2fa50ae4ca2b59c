"""Groups of countries, as of any instant.

A group is stated once, as of one day, with the changes before and after it. Countries are ISO 3166-1 alpha-2 codes,
instants are milliseconds since 1970.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class GroupChange(NamedTuple):
    """Who joined and who left a group at an instant."""

    at: int
    group: str
    added: frozenset[str]
    removed: frozenset[str]


class DerivedGroup(NamedTuple):
    """A group made of others: all of `include` and `codes`, without all of `exclude`."""

    include: tuple[str, ...]
    codes: frozenset[str]
    exclude: tuple[str, ...]


class History(NamedTuple):
    """The members of a group over time: `members[n]` holds from `starts[n - 1]` up to `starts[n]`."""

    starts: tuple[int, ...]
    members: tuple[frozenset[str], ...]

    def at(self, instant: int) -> frozenset[str]:
        """The members at an instant; a change holds from its own instant on."""
        return self.members[bisect_right(self.starts, instant)]


@dataclass(frozen=True, slots=True)
class Countries:
    """The country groups in force."""

    version: str
    digest: str
    source: str
    histories: Mapping[str, History]  # stated and derived groups
    aliases: Mapping[str, str]  # counted as another country: Hong Kong as China
    uncertain: Mapping[str, frozenset[str]]  # membership that sources dispute, by group
    change_times: tuple[int, ...]

    def members(self, group: str, at: int) -> frozenset[str]:
        """The countries of a group at an instant. KeyError: there is no such group."""
        return self.histories[group].at(at)

    def in_group(self, country: str, group: str, at: int) -> bool:
        """Whether a country, or the one it is counted as, is in a group at an instant. KeyError: no such group."""
        members = self.members(group, at)
        return country in members or self.aliases.get(country) in members


def history(members: frozenset[str], as_of: int, changes: Iterable[GroupChange]) -> History:
    """The history of one group from its members at `as_of` and its changes, in any order.

    A change at or before `as_of` is in `members` already and is undone backwards; a later one is applied forwards.
    """
    ordered = sorted(changes)
    past = [change for change in ordered if change.at <= as_of]
    states = [members]
    for change in reversed(past):
        states.insert(0, (states[0] - change.added) | change.removed)
    for change in ordered[len(past) :]:
        states.append((states[-1] - change.removed) | change.added)
    return History(tuple(change.at for change in ordered), tuple(states))


def derived(group: DerivedGroup, histories: Mapping[str, History]) -> History:
    """The history of a group made of others. KeyError: it names a group that `histories` lacks."""
    names = (*group.include, *group.exclude)
    starts = sorted({start for name in names for start in histories[name].starts})

    def members_of(names: Sequence[str], period: int) -> frozenset[str]:
        """All members over `names` in the period before the first change (0) or after the nth one."""
        parts = (histories[name] for name in names)
        states = (part.at(starts[period - 1]) if period else part.members[0] for part in parts)
        return frozenset[str]().union(*states)

    return History(
        tuple(starts),
        tuple(
            (group.codes | members_of(group.include, period)) - members_of(group.exclude, period)
            for period in range(len(starts) + 1)
        ),
    )
