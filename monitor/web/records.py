"""What pages show of the books and the cases, and whom they ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from monitor.core.flags import Entry, Flag
from monitor.core.policy import Policy
from monitor.run.casework import Desk
from monitor.run.survey import Surveys
from monitor.store import DeadLetter


class Stored(Protocol):
    """What is read from the store as it stands, by many threads at once."""

    def flags(self) -> list[Flag]:
        """All flags."""
        ...

    def flag_history(self, flag: str) -> list[Entry]:
        """The history of a flag, oldest line first."""
        ...

    def dead_letters(self, after: int = 0) -> Iterator[DeadLetter]:
        """Records that are no facts, with numbers above `after`."""
        ...


@dataclass(frozen=True, slots=True)
class Records:
    """Everything that pages show."""

    desk: Desk
    surveys: Surveys
    stored: Stored
    policies: Sequence[Policy]
