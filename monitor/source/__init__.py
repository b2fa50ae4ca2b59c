"""Where records come from: one contract, and what a source remembers to go on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from monitor.core.model import Record


class Position(NamedTuple):
    """How far a topic was delivered, and what tells that it is still the same topic."""

    next_offset: int
    check: str  # of the last bytes before `next_offset`; 16 hexadecimal digits


class Source(Protocol):
    """Records in the order in which they were written, topic by topic; the reader decides the pace."""

    def poll(self, records_max: int) -> list[Record]:
        """The next records, at most so many; an empty list where there is nothing more right now.

        Raises:
            SourceProblem: it cannot be read on; everything readable before was delivered.
        """
        ...

    def positions(self) -> Mapping[str, Position]:
        """By topic, where to go on after what `poll` has delivered."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...

    @property
    def caught_up(self) -> bool:
        """Whether the latest `poll` found nothing more to deliver."""
        ...

    @property
    def restarted(self) -> Sequence[str]:
        """A sentence for each topic that was read from its start again, or otherwise not as asked; only grows."""
        ...
