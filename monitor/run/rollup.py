"""Groups cross partitions: one process at a time looks at all books together and tells people about groups.

Whoever gets the lock reads one state of all books, as of the least clock of them, evaluates the groups in it, and
writes what changed, all in one transaction. The books of single partitions are never touched. In another one flags are
gathered into cases, of which people may be writing at the same moment: whoever is second tries again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from typing import Protocol

from monitor.core.book import Book, Tenant, joined
from monitor.core.cases import CaseEvent
from monitor.core.engine import Reference, evaluate_groups, with_late
from monitor.core.flags import Change, Flag, numbers
from monitor.core.model import Observation, Traits
from monitor.core.notices import Telling
from monitor.core.parties import Parties
from monitor.core.ties import sharing, tenant_keys
from monitor.core.timeline import Effects
from monitor.errors import CaseProblem, StoreProblem
from monitor.intake.decode import decode_facts
from monitor.run.casework import Cases, Gatherer
from monitor.run.decisions import as_decided
from monitor.run.task import Watch, tell_flags
from monitor.store import DECISION, TICK, JournalEntry, JournalRow

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
        """What these books have of some of their tenants, and of all parties, to be read only."""
        ...

    def finished(self, tenant: str) -> Mapping[str, Effects]:
        """What the allocations of a tenant have held and no longer hold."""
        ...

    def finished_traits(self) -> Mapping[str, AbstractSet[Traits]]:
        """Of each tenant what was said of what it has held, as far as it may link tenants."""
        ...


class Books(Protocol):
    """The books of all partitions."""

    def rolling_up(self) -> AbstractContextManager[bool]:
        """One transaction over one state of all books; whether it is ours alone."""
        ...

    def beside(self, partition: int) -> Part:
        """The books of one partition."""
        ...

    def partitions(self) -> Sequence[int]:
        """The partitions that there are books of."""
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

    def restated(self, after: int | None) -> tuple[int, Mapping[str, int]]:
        """The number of the latest restatement, and by tenant how many facts restated anything after another number."""
        ...

    def last_roll_up(self) -> int | None:
        """The instant of the latest roll-up that changed something."""
        ...

    def journal(self, after: int = 0, kinds: Collection[str] | None = None) -> Sequence[JournalRow]:
        """Journal entries with numbers above `after`, in order, of all kinds or of these."""
        ...

    @property
    def casework(self) -> Cases:
        """The cases of all flags."""
        ...

    def decide(
        self,
        entry: JournalEntry,
        changes: Sequence[Change],
        at: int,
        *,
        telling: Telling | None = None,
    ) -> None:
        """Write a journal entry and what it changes about flags; `telling`: who is told of it."""
        ...


class Rollup:
    """Looks at the groups of all books, now and then."""

    def __init__(self, books: Books, reference: Reference, watch: Watch, telling: Telling | None = None) -> None:
        """Over the books of all partitions; `telling`: who is told of flags; None: nobody."""
        self.flags: dict[tuple[str, str, str], int] = {}  # (state, level, rule) -> how many; of whoever rolled up last
        self.ours = False  # whether the last try went well
        self._books = books
        self._reference = reference
        self._watch = watch
        self._telling = telling
        self._next = watch.clock.monotonic()
        self._stopping = False
        self._heads: dict[str, tuple[int, int]] = {}  # as they were when the profiles below were read
        self._profiled: dict[str, Tenant] = {}  # tenants with nothing but their own facts
        self._parties: Parties | None = None  # as of the latest roll-up
        self._policies = reference.policies  # the same
        self._restated: int | None = None  # the latest restatement that our latest roll-up knew of

    def refer(self, reference: Reference) -> None:
        """Read everything with another reference from now on."""
        self._reference = reference

    def is_due(self) -> bool:
        """Whether it is time to roll up."""
        return self._watch.clock.monotonic() >= self._next

    def stop(self) -> None:
        """Give up what is under way, and begin no more. May be called from another thread."""
        self._stopping = True

    def work(self) -> None:
        """Roll up if it is time to and nobody else does; a store that does not answer is asked again later."""
        if self._stopping or not self.is_due():
            return
        now, self.ours = self._watch.clock.monotonic(), False
        try:
            with self._books.rolling_up() as ours:
                changes = self._roll_up() if ours else []
            self.ours = ours
            if ours:
                self._gather()
            else:
                self.flags = {}
        except _GivenUpError:
            return
        except StoreProblem as problem:
            self.flags = {}
            self._watch.log.warning("groups not evaluated", problem=str(problem))
            return
        finally:
            after = self._watch.clock.monotonic()
            self._next = max(now + ROLL_UP_SECONDS, after + REST * (after - now))
        tell_flags(self._watch.log, changes)

    def _gather(self) -> None:
        """Put flags on cases, as parties are known at the latest evaluation; if that fails, it is tried again."""
        if self._parties is None:
            return
        gatherer = Gatherer(self._books.casework, self._policies, self._watch.clock, self._telling)
        events: list[CaseEvent] = []
        try:
            while not self._stopping and (some := self._some(gatherer)):
                events += some
        except (StoreProblem, CaseProblem) as problem:
            self._watch.log.warning("cases not gathered", problem=str(problem))
        else:
            self._watch.metrics.set_time("flopwatch_rolled_up_timestamp_seconds", self._watch.clock.now_ms())
        if events:
            self._watch.log.info("cases gathered", cases=len({event.case for event in events}))

    def _some(self, gatherer: Gatherer) -> list[CaseEvent]:
        """What is gathered in one transaction; nothing: that is all, or somebody else is at it."""
        assert self._parties is not None
        with self._books.rolling_up() as ours:
            return gatherer.work(self._profiled, self._parties) if ours else []

    def finish(self) -> None:
        """Roll up once more, after the last commit; wait a moment for whoever is at it."""
        for _ in range(LAST_TRIES):
            if self._stopping:
                return
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
        decisions = self._books.journal(0, (DECISION,))
        reference = as_decided(self._reference, decisions)
        self._policies = reference.policies
        if at >= (0 if last is None else last):  # evaluation never goes back
            parts = {number: self._books.beside(number) for number in self._books.partitions()}
            traits = {number: part.finished_traits() for number, part in parts.items()}
            owner = {name: number for number, of_part in traits.items() for name in of_part}
            heads = self._books.profile_heads()
            owner |= {name: place for name, (place, _) in heads.items()}
            known = {name: seen for of_part in traits.values() for name, seen in of_part.items()}
            past = _Past(parts, owner, known, self._go_on)
            restated, late = self._books.restated(self._restated)
            candidates = self._candidates(past, heads, reference, at)
            changes = with_late(evaluate_groups(candidates, reference, past, flags, at), late)
            if changes:
                tick, now = JournalEntry(TICK, {"as_of": at}), self._watch.clock.now_ms()
                self._books.decide(tick, changes, now, telling=self._telling)
                flags |= {change.flag.id: change.flag for change in changes}
            self._restated = restated
            self._watch.metrics.set_time("flopwatch_rollup_timestamp_seconds", at)
        self.flags = numbers(flags.values())
        return changes

    def _go_on(self) -> None:
        if self._stopping:
            raise _GivenUpError

    def _candidates(self, past: _Past, heads: Mapping[str, tuple[int, int]], reference: Reference, at: int) -> Book:
        """The books of all tenants that may be in a group: another one has something in common with them."""
        self._learn({name: place for name, place in heads.items() if self._heads.get(name) != place})
        self._heads = dict(heads)
        named = past.end_customers() - past.owner.keys()
        told = {number: part.load_tenants(decode_facts, named) for number, part in past.parts.items()}
        past.owner |= {name: number for number, book in told.items() for name in book.tenants}
        known = joined(told.values())
        everybody = {name: self._profiled.get(name) or Tenant() for name in past.owner}
        self._parties = reference.parties(known, at)
        keys = tenant_keys(everybody, past.finished_traits(), self._parties)
        wanted: dict[int, set[str]] = {}
        for name in sharing(keys):
            wanted.setdefault(past.owner[name], set()).add(name)
        whole = joined(past.parts[number].load_tenants(decode_facts, names) for number, names in wanted.items())
        whole.heard_elsewhere = self._books.heard()
        return whole

    def _learn(self, changed: Mapping[str, tuple[int, int]]) -> None:
        """Read what is said of these tenants."""
        chains: dict[int, dict[tuple[str, str], int]] = {}
        for name, (partition, head) in changed.items():
            chains.setdefault(partition, {})[name, ""] = head
        for partition, heads in chains.items():
            for (name, _), lines in self._books.beside(partition).histories(heads).items():
                book = Book()
                book.restore_chain((name, ""), heads[name, ""], decode_facts(lines[::-1]))
                self._profiled[name] = book.tenants[name]


class _GivenUpError(Exception):
    """The process stops in the middle of a roll-up: nothing of it is written."""


class _Past:
    """What allocations of all partitions have held."""

    def __init__(
        self,
        parts: Mapping[int, Part],
        owner: dict[str, int],
        traits: Mapping[str, AbstractSet[Traits]],
        go_on: Callable[[], None],
    ) -> None:
        """`go_on` is asked before each tenant, and raises if the rest is not wanted any more."""
        self._go_on = go_on
        self.parts = parts
        self.owner = owner  # tenant -> partition
        self._traits = traits

    def finished(self, tenant: str) -> Mapping[str, Effects]:
        """Of each allocation of a tenant, with where it was measured."""
        self._go_on()
        return self.parts[self.owner[tenant]].finished(tenant)

    def finished_traits(self) -> Mapping[str, AbstractSet[Traits]]:
        """Of each tenant what was said of it, as far as it may link tenants."""
        return self._traits

    def end_customers(self) -> set[str]:
        """Whom somebody holds something for: tenants may be among them of whom nothing else is said."""
        return {one.end_customer.strip() for seen in self._traits.values() for one in seen if one.end_customer}
