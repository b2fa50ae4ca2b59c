"""How people and other systems are told: contracts for what takes dead letters, notices, checkpoints of the audit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from monitor.core.notices import Message
from monitor.store import DeadLetter, Standing


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


class Receipt(NamedTuple):
    """What became of a message."""

    problem: str = ""  # a sentence about why it may not have arrived; "": its receiver has confirmed it
    retry_seconds: float = 0.0  # the receiver asks for so long a pause

    @property
    def arrived(self) -> bool:
        """Whether the receiver has confirmed it."""
        return not self.problem


class Sink(Protocol):
    """Takes messages, each at least once: the same one may come again, with the same id.

    It may wait, for a limited time, and is used by one thread. It raises NoticeProblem or SettingsProblem where a
    message cannot be sent.
    """

    @property
    def forgets(self) -> bool:
        """Whether its receiver forgets what is not said again."""
        ...

    def check(self) -> None:
        """Look at the files of its settings; nothing is sent."""
        ...

    def send(self, message: Message) -> Receipt:
        """Send one, and wait until its receiver confirms it."""
        ...

    def keep(self, standing: Sequence[Standing], now: int) -> None:
        """Say again what stands, for receivers that forget; `now` in milliseconds."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class CheckpointPlace(Protocol):
    """Takes checkpoints of the audit. It may wait, for a limited time, and is used by one thread."""

    def put(self, line: str) -> None:
        """Add a checkpoint, and wait until it is there; CheckpointProblem or SettingsProblem where it may not be."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
