"""Where records come from: one contract, and what a source remembers to go on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from monitor.core.limits import Partition
from monitor.core.model import Record


class Position(NamedTuple):
    """How far a partition was delivered, and what tells that it is still the same one."""

    next_offset: int
    check: str  # of a file: the last bytes before `next_offset`, 16 hexadecimal digits; of a topic: its id, if known


class LostPosition(NamedTuple):
    """A position that a topic no longer has."""

    where: Partition
    wanted: int  # where reading would have gone on
    available: int  # the first offset that can be read
    sentence: str


class Outgoing(NamedTuple):
    """A canonical event that is to be sent."""

    of_tenant: bool
    key: str  # the tenant, or whom it is about
    value: bytes


def letter_headers(
    where: Partition, offset: int, reason: str, sentence: str, left_out: bool, number: int | None = None
) -> list[tuple[str, bytes]]:
    """What stands beside a dead letter in its topic, whoever sends it: why it was refused, and where it came from.

    `letter` is its number in the store, where it has one: the same if it is sent twice. `body` is "left out" where the
    broker takes no record of that size.
    """
    fields: dict[str, object] = {} if number is None else {"letter": number}
    fields |= {"reason": reason, "sentence": sentence, "topic": where[0], "partition": where[1], "offset": offset}
    fields |= {"body": "left out"} if left_out else {}
    return [(name, str(value).encode("utf-8", "surrogatepass")) for name, value in fields.items()]


class Source(Protocol):
    """Records of each partition in the order in which they were written; the reader decides the pace.

    Which partitions are ours changes only within `poll`. Nothing of a partition is delivered before `begin`.
    """

    def poll(self, records_max: int) -> list[Record]:
        """The next records, at most so many; an empty list where there is nothing more right now.

        Raises:
            SourceProblem: it cannot be read on; everything readable before was delivered.
        """
        ...

    def assigned(self) -> frozenset[Partition]:
        """The partitions that are ours as of the latest `poll`."""
        ...

    def begin(self, where: Partition, position: Position | None) -> LostPosition | None:
        """Deliver a partition from a position on, None: from its start; or say that the position is gone."""
        ...

    def halt(self, where: Partition) -> None:
        """Deliver nothing more of a partition until `begin`."""
        ...

    def positions(self) -> Mapping[Partition, Position]:
        """Of each partition that was begun, where to go on after what `poll` has delivered."""
        ...

    def behind(self) -> frozenset[Partition]:
        """The begun partitions that have more to deliver, or of which that is not known yet."""
        ...

    def ends(self) -> Mapping[Partition, int]:
        """What follows the last record of each partition of ours, asked for anew; files have no such thing.

        Raises:
            SourceProblem: nobody answers.
        """
        ...

    def pause(self) -> None:
        """Deliver nothing for a while, and keep what is ours."""
        ...

    def resume(self) -> None:
        """Deliver again."""
        ...

    def committed(self, positions: Mapping[Partition, int]) -> None:
        """The books are so far: a hint for tools that show lag. Never fails."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...

    @property
    def trouble(self) -> str:
        """A sentence about what keeps the source from answering now, "" if nothing does."""
        ...

    @property
    def restarted(self) -> Sequence[str]:
        """A sentence for each topic that was read from its start again, or otherwise not as asked; only grows."""
        ...
