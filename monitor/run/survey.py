"""What pages read: one state of all books at a time, looked at anew in the background, so that no page waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from typing import TypeVar

from monitor.clock import Clock
from monitor.core.flags import Flag
from monitor.core.groups import Linked
from monitor.core.suppression import Standing
from monitor.errors import MonitorError
from monitor.log import Log, tenant_reference
from monitor.run.chart import Chart
from monitor.run.condition import Condition
from monitor.run.explain import GroupStory, TenantStory
from monitor.run.snapshot import KnownHits, KnownRuns, KnownTenants, Snapshot

REMEMBERED_MAX = 500  # stories, each of what one page shows

Found = TypeVar("Found")


class Survey:
    """One state of the books, asked by many threads: each question is answered once."""

    def __init__(self, snapshot: Snapshot, condition: Condition) -> None:
        self._snapshot = snapshot
        self.condition = condition  # of the monitor itself, when the books were read
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], object] = {}

    @property
    def as_of(self) -> int:
        """The instant that the books are read at, in milliseconds."""
        return self._snapshot.as_of

    def _once(self, key: tuple[str, str], compute: Callable[[], Found]) -> Found:
        with self._lock:
            if key not in self._known:
                if len(self._known) >= REMEMBERED_MAX:
                    del self._known[next(iter(self._known))]
                self._known[key] = compute()
            found = self._known[key]
        return found  # type: ignore[return-value]

    def tenants(self) -> KnownTenants:
        """Every tenant."""
        return self._once(("tenants", ""), self._snapshot.tenants)

    def linked(self) -> Linked:
        """Who is linked with whom."""
        return self._once(("linked", ""), lambda: self._snapshot.linked)

    @cached_property
    def _names(self) -> dict[str, str]:
        return {tenant_reference(one.tenant): one.tenant for one in self.tenants().tenants}

    def named(self, reference: str) -> str | None:
        """The tenant with an opaque reference; None: there is none."""
        return self._names.get(reference)

    def group(self, reference: str) -> GroupStory | None:
        """Everything that an answer about a group rests on, by an opaque reference; None: there is none."""
        name = self._groups.get(reference)
        return None if name is None else self._once(("group", name), lambda: self._snapshot.group(name))

    @cached_property
    def _groups(self) -> dict[str, str]:
        known = self.linked()
        return {tenant_reference(one.name): one.name for one in (*known.groups, *known.corporate)}

    def hits(self) -> KnownHits:
        """The hits of everybody on lists, the weightiest first."""
        return self._once(("hits", ""), self._snapshot.hits)

    def tenant(self, name: str) -> TenantStory | None:
        """Everything that an answer about a tenant rests on; None: there is none of that name."""
        return self._once(("tenant", name), lambda: self._snapshot.tenant(name))

    def chart(self, name: str, named: bool) -> Chart | None:
        """The picture of a tenant, with names in it or without; None: there is none of that name."""
        story = self.tenant(name)
        if story is None:
            return None
        return self._once(("chart named" if named else "chart", name), lambda: self._snapshot.chart(story, named))

    def standing(self, flags: Sequence[Flag]) -> Standing:
        """What flags of one rule, one at least, and those they are about are like, for whoever suppresses them."""
        with self._lock:
            return self._snapshot.standing(flags)

    def runs(self, who: str) -> KnownRuns:
        """The runs of a tenant, or the one that has this name."""
        return self._once(("runs", who), lambda: self._snapshot.runs(who))


class Surveys:
    """The latest survey; whoever asks for one that has grown old begins the next, and gets the old one meanwhile."""

    def __init__(
        self,
        make: Callable[[], AbstractContextManager[tuple[Snapshot, Condition]]],
        clock: Clock,
        log: Log,
        seconds: float,
    ) -> None:
        """`make` opens one state of the store for as long as it is asked; a survey is old after so many seconds."""
        self._make = make
        self._clock = clock
        self._log = log
        self._seconds = seconds
        self._lock = threading.Lock()
        self._open: list[ExitStack] = []  # the latest, and the one before, which somebody may still be asking
        self._survey: Survey | None = None
        self._made_at = 0.0
        self._making: threading.Thread | None = None
        self.problem = ""  # why the books could not be read when that was tried last; "": they could

    def latest(self) -> Survey:
        """The latest survey; the first one is waited for.

        Raises:
            MonitorError: there is none, and none can be made.
        """
        making = self._making
        if self._survey is None and making is not None:
            making.join()
        with self._lock:
            if self._survey is None:
                self._survey = self._made()
            elif self._clock.monotonic() - self._made_at >= self._seconds and self._making is None:
                self._begin()
            return self._survey

    def known(self) -> Survey | None:
        """The latest survey without any waiting, for what pages show beside what they were asked for; None: none yet.

        Whoever asks begins the first one, as `latest` begins those after it.
        """
        if not self._lock.acquire(blocking=False):  # somebody waits for the first one
            return self._survey
        try:
            old = self._survey is None or self._clock.monotonic() - self._made_at >= self._seconds
            if old and self._making is None:
                self._begin()
            return self._survey
        finally:
            self._lock.release()

    @property
    def condition(self) -> Condition | None:
        """How the monitor was at the latest survey; None: there is none. Begins nothing."""
        return None if self._survey is None else self._survey.condition

    def _begin(self) -> None:
        self._making = threading.Thread(target=self._renew, name="survey", daemon=True)
        self._making.start()

    def _renew(self) -> None:
        try:
            survey = self._made()
        except MonitorError as problem:
            self._log.error("survey failed", problem=str(problem))
            self.problem, self._making = str(problem), None
            return
        with self._lock:
            self._survey, self._making, self.problem = survey, None, ""

    def _made(self) -> Survey:
        stack = ExitStack()
        survey = Survey(*stack.enter_context(self._make()))
        survey.tenants()
        survey.linked()  # which takes all of them: not at the first page of one
        self._open.append(stack)
        self._made_at = self._clock.monotonic()
        while len(self._open) > 2:
            self._open.pop(0).close()
        return survey

    def close(self) -> None:
        """Let go of the store."""
        making = self._making
        if making is not None:
            making.join()
        while self._open:
            self._open.pop().close()
