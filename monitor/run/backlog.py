"""What waits for people, shown to Prometheus: every process that keeps books says the same of the one store."""

from __future__ import annotations

from typing import Protocol

from monitor.core.cases import LIVE
from monitor.core.policy import LEVELS
from monitor.core.workload import Backlog
from monitor.errors import StoreProblem
from monitor.run.task import Watch

LOOK_SECONDS = 15.0


class Waiting(Protocol):
    """What is needed of the cases of a store."""

    def backlog(self, now: int) -> Backlog:
        """What waits for people at an instant of the wall clock, and what they have decided."""
        ...


class BacklogWatch:
    """Reads now and then what waits for people, and sets the gauges of it."""

    def __init__(self, cases: Waiting, watch: Watch) -> None:
        self._cases = cases
        self._watch = watch
        self._next = watch.clock.monotonic()

    def work(self) -> None:
        """Look, if it is time to."""
        now = self._watch.clock.monotonic()
        if now < self._next:
            return
        self._next = now + LOOK_SECONDS
        try:
            self._show(self._cases.backlog(self._watch.clock.now_ms()))
        except StoreProblem as problem:  # the next look asks again
            self._watch.log.warning("cases not read", problem=str(problem))

    def _show(self, found: Backlog) -> None:
        metrics = self._watch.metrics
        for level in map(str, LEVELS):
            for state in LIVE:
                metrics.set("flopwatch_cases", found.cases.get((state, level), 0), state=str(state), level=level)
            since, due = found.unclaimed_since.get(level, 0), found.due_at.get(level, 0)
            metrics.set_time("flopwatch_case_oldest_unclaimed_timestamp_seconds", since, level=level)
            metrics.set_time("flopwatch_case_next_due_timestamp_seconds", due, level=level)
        for outcome, count in found.decided.items():
            metrics.set("flopwatch_cases_decided", count, outcome=outcome)
        for soon, count in found.suppressions.items():
            metrics.set("flopwatch_suppressions", count, ending_soon=soon)
