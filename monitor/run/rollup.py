"""Groups cross partitions: one process at a time looks at all books together and tells people about groups.

Whoever gets the lock reads one state of all books, as of the least clock of them, evaluates the groups in it, and
writes what changed, all in one transaction. The books of single partitions are never touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from monitor.core.book import Book, joined
from monitor.core.engine import Reference, evaluate_groups
from monitor.core.flags import Change, Flag, numbers
from monitor.core.model import Observation, Profile
from monitor.core.profiles import PARTY
from monitor.errors import StoreProblem
from monitor.intake.decode import decode_facts
from monitor.run.task import Watch, tell_flags
from monitor.store import TICK, JournalEntry

Decode = Callable[[Sequence[bytes]], list[Observation]]  # of stored facts; as many, in the same order
ROLL_UP_SECONDS = 10.0
REST = 19  # a roll-up is followed by so many times its duration without one: it takes a twentieth of a worker at most
LAST_TRIES, LAST_TRY_SECONDS = 20, 0.1


class Part(Protocol):
    """The books of one partition, to be read."""

    def histories(self, heads: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], list[bytes]]:
        """All facts of these chains, as they came."""
        ...

    def load_tenants(self, decode: Decode, names: Collection[str]) -> Book:
        """What these books have of some of their tenants, to be read only."""
        ...


class Books(Protocol):
    """The books of all partitions."""

    def rolling_up(self) -> AbstractContextManager[bool]:
        """One transaction over one state of all books; whether it is ours alone."""
        ...

    def beside(self, partition: int) -> Part:
        """The books of one partition."""
        ...

    def clocks(self) -> Sequence[int]:
        """The clocks of the books of each partition that has tenants."""
        ...

    def profile_heads(self) -> Mapping[str, tuple[int, int]]:
        """Of each tenant with a profile, its partition and the number of the latest fact of that chain."""
        ...

    def heard(self) -> Mapping[str, int]:
        """When any partition last heard of each source."""
        ...

    def group_flags(self) -> Mapping[str, Flag]:
        """The flags of groups, by id."""
        ...

    def last_roll_up(self) -> int | None:
        """The instant of the latest roll-up that changed something."""
        ...

    def decide(self, entry: JournalEntry, changes: Sequence[Change], at: int) -> None:
        """Write a journal entry and what it changes about flags."""
        ...


class Rollup:
    """Looks at the groups of all books, now and then."""

    def __init__(self, books: Books, reference: Reference, watch: Watch) -> None:
        self.flags: dict[tuple[str, str, str], int] = {}  # (state, level, rule) -> how many; of whoever rolled up last
        self.ours = False  # whether the last try went well
        self._books = books
        self._reference = reference
        self._watch = watch
        self._next = watch.clock.monotonic()
        self._heads: dict[str, tuple[int, int]] = {}  # as they were when the parties below were read
        self._parties: dict[str, frozenset[str]] = {}  # tenant -> every party that it ever declared

    def work(self) -> None:
        """Roll up if it is time to and nobody else does; a store that does not answer is asked again later."""
        now = self._watch.clock.monotonic()
        if now < self._next:
            return
        self.flags, self.ours = {}, False
        try:
            with self._books.rolling_up() as ours:
                changes = self._roll_up() if ours else []
            self.ours = ours
        except StoreProblem as problem:
            self.flags = {}
            self._watch.log.warning("groups not evaluated", problem=str(problem))
            return
        finally:
            after = self._watch.clock.monotonic()
            self._next = max(now + ROLL_UP_SECONDS, after + REST * (after - now))
        tell_flags(self._watch.log, changes)

    def finish(self) -> None:
        """Roll up once more, after the last commit; wait a moment for whoever is at it."""
        for _ in range(LAST_TRIES):
            self._next = self._watch.clock.monotonic()
            self.work()
            if self.ours:
                return
            time.sleep(LAST_TRY_SECONDS)

    def _roll_up(self) -> list[Change]:
        at = min(self._books.clocks(), default=-1)
        last = self._books.last_roll_up()
        flags = dict(self._books.group_flags())
        changes = []
        if at >= (0 if last is None else last):  # evaluation never goes back
            changes = evaluate_groups(self._candidates(), self._reference, flags, at)
            if changes:
                self._books.decide(JournalEntry(TICK, {"as_of": at}), changes, self._watch.clock.now_ms())
                flags |= {change.flag.id: change.flag for change in changes}
            self._watch.metrics.set_time("flopwatch_rollup_timestamp_seconds", at)
        self.flags = numbers(flags.values())
        return changes

    def _candidates(self) -> Book:
        """The books of all tenants that may be in a group: some other tenant has declared the same party."""
        heads = self._books.profile_heads()
        self._learn({name: place for name, place in heads.items() if self._heads.get(name) != place})
        self._heads = dict(heads)
        by_party: dict[str, set[str]] = {}
        for name in heads:
            for party in self._parties[name]:
                by_party.setdefault(party, set()).add(name)
        wanted: dict[int, set[str]] = {}
        for names in by_party.values():
            if len(names) > 1:
                for name in names:
                    wanted.setdefault(heads[name][0], set()).add(name)
        whole = joined(self._books.beside(number).load_tenants(decode_facts, wanted[number]) for number in wanted)
        whole.heard_elsewhere = self._books.heard()
        return whole

    def _learn(self, changed: Mapping[str, tuple[int, int]]) -> None:
        """Read which parties these tenants have declared."""
        chains: dict[int, dict[tuple[str, str], int]] = {}
        for name, (partition, head) in changed.items():
            chains.setdefault(partition, {})[name, ""] = head
        for partition, heads in chains.items():
            for (name, _), lines in self._books.beside(partition).histories(heads).items():
                profiles = (fact.body for fact in decode_facts(lines) if isinstance(fact.body, Profile))
                self._parties[name] = frozenset(str(one.fields[PARTY]) for one in profiles if PARTY in one.fields)
