"""How people and other systems are told: one contract for whatever takes dead letters."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from monitor.store import DeadLetter


class Outcome(NamedTuple):
    """Numbers of letters."""

    arrived: Collection[int]
    failed: Collection[int]  # these may be sent again


class LetterSink(Protocol):
    """Takes dead letters and says later which have arrived; each at least once. Nothing here raises."""

    def send(self, letter: DeadLetter) -> bool:
        """Begin to send one; returns whether that was possible now."""
        ...

    def outcome(self) -> Outcome:
        """What became of those that were sent, since the last call."""
        ...

    @property
    def trouble(self) -> str:
        """A sentence about what keeps letters from arriving, "" if nothing does."""
        ...

    def close(self) -> None:
        """Let go of connections; what is under way may or may not arrive."""
        ...
