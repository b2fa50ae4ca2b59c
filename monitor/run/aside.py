"""The roll-up beside the loop: in a thread of its own, over a store of its own, so that no record waits for it.

Over many tenants a roll-up takes minutes. A loop that does not poll meanwhile is taken for dead by its group, and one
that is told to stop is killed before it could commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

from monitor.core.engine import Reference
from monitor.run.rollup import Rollup

FINISH_SECONDS = 10.0  # for what is under way when the process stops, and as long for a last one


class Aside:
    """Looks at the groups of all books now and then, in a thread."""

    def __init__(self, rollup: Rollup) -> None:
        """`rollup`: over a store that nobody else uses."""
        self._rollup = rollup
        self._thread = ThreadPoolExecutor(1, "roll-up")
        self._under_way: Future[None] | None = None

    @property
    def flags(self) -> Mapping[tuple[str, str, str], int]:
        """As of the latest roll-up, if it was ours: (state, level, rule) -> how many."""
        return self._rollup.flags

    def refer(self, reference: Reference) -> None:
        """Read everything with another reference from the next roll-up on."""
        self._rollup.refer(reference)

    def work(self) -> None:
        """Begin a roll-up if it is time to and none is under way."""
        if self._under_way is not None:
            if not self._under_way.done():
                return
            self._under_way.result()
            self._under_way = None
        if self._rollup.is_due():
            self._under_way = self._thread.submit(self._rollup.work)

    def finish(self) -> None:
        """Roll up once more, after the last commit; what takes longer than a moment is given up and done by others."""
        for last in (self._under_way, self._thread.submit(self._rollup.finish)):
            if last is None:
                continue
            if wait([last], FINISH_SECONDS).not_done:
                self._rollup.stop()
            last.result()

    def close(self) -> None:
        """Give up what is under way."""
        self._rollup.stop()
        self._thread.shutdown()
