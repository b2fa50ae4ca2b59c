"""Stops that only a person can answer: too many unreadable records (ruling 8), and records that Kafka no longer has.

Both are recorded in the journal at the position of the last commit. Without the record a supervisor that restarts the
process would read on bit by bit, past what nobody has looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from monitor.core.blind import DEAD_LETTERS
from monitor.core.limits import Partition
from monitor.errors import LimitReached
from monitor.store import DECISION, STOP, JournalEntry, JournalRow


def stop_entry(where: Partition, next_offset: int, cause: str, sentence: str) -> JournalEntry:
    """The record of a stop; `next_offset` is the position of the last commit, where reading would go on."""
    topic, partition = where
    body = {
        "topic": topic,
        "partition": partition,
        "next_offset": next_offset,
        "cause": cause,
        "sentence": sentence,
    }
    return JournalEntry(STOP, body)


def lifted(
    journal: Iterable[JournalRow], offsets: Mapping[Partition, int], mine: Collection[Partition]
) -> dict[Partition, str]:
    """The partitions whose stop a person has accepted -> its cause. A stop whose position has been passed is history.

    `offsets` are the positions of the store, `mine` the partitions that are going to be read.

    Raises:
        LimitReached: a partition stands at a stop that nobody has answered.
    """
    standing, accepted = _standing(journal, offsets, mine)
    for where, stop in standing.items():
        if where not in accepted:
            raise LimitReached(str(stop["sentence"]))
    return {where: str(standing[where].get("cause", DEAD_LETTERS)) for where in accepted}


def unanswered_stops(journal: Iterable[JournalRow], offsets: Mapping[Partition, int]) -> dict[Partition, str]:
    """The partitions that stand at a stop that nobody has answered -> a sentence about it."""
    standing, accepted = _standing(journal, offsets, None)
    return {where: str(stop["sentence"]) for where, stop in standing.items() if where not in accepted}


def _standing(
    journal: Iterable[JournalRow], offsets: Mapping[Partition, int], mine: Collection[Partition] | None
) -> tuple[dict[Partition, Mapping[str, object]], set[Partition]]:
    """The stops at which partitions stand, all or those of mine, and which of them a person has accepted."""
    standing: dict[Partition, Mapping[str, object]] = {}
    accepted: set[Partition] = set()
    for row in journal:
        body = row.entry.body
        if row.entry.kind == STOP:
            where = (str(body["topic"]), int(str(body["partition"])))
            if (mine is None or where in mine) and offsets.get(where, 0) == body["next_offset"]:
                standing[where] = body
                accepted.discard(where)
        elif row.entry.kind == DECISION and "accept" in body:
            only = body.get("partition")
            accepted.update(where for where in standing if where[0] == body["accept"] and only in (None, where[1]))
    return standing, accepted
