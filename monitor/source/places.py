"""Whether a place in a topic is still there, and the settings of a connection that both clients of Kafka share."""

from __future__ import annotations

from monitor.core.limits import Partition
from monitor.source import LostPosition, Position

CLIENT_ID = "flopwatch"
FETCH_BYTES_MAX = 16 * 1024 * 1024  # of a partition in one answer; a single record may be larger
ASK_SECONDS = 5.0  # how long a question about offsets may take
METADATA_SECONDS = 30.0  # after which a new partition, or a topic made anew, is noticed at the latest


def lost_place(where: Partition, position: Position, first: int, end: int, topic_id: str) -> LostPosition | None:
    """Whether a partition that has records `first` to before `end` lacks the place where the books stand."""
    wanted = position.next_offset
    if position.check and topic_id and position.check != topic_id:
        what = "may be others than those that were read: the topic was made anew"
    elif wanted < first:
        what = "were deleted before they were read"
    elif wanted > end:
        what = "are not there: the topic was made anew, or was cut off at its end"
    else:
        return None
    return LostPosition(
        where,
        wanted,
        first,
        f"The books stand at offset {wanted:,} of {where[0]}, partition {where[1]}, which now has {first:,} to "
        f"{end:,}; records {what}. Restore them, or go on without them with `flopwatch positions accept "
        f"{where[0]} --partition {where[1]} --reason TEXT`.",
    )
