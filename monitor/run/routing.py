"""Whose books a record is for: a tenant topic by partition, a control topic for all, files for one.

A fact that came where its books cannot be is a dead letter: a control fact on the tenant topic would be seen by one
partition only, and a record under another key than its tenant makes a tenant appear in two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from monitor.core.limits import Partition
from monitor.core.model import Observation, Record, Rejected
from monitor.intake.decode import Decoded

FILES_BOOKS = 0  # files have one partition's books, whatever their number


class Layout(NamedTuple):
    """The topics that are read; files have none of them."""

    tenant_topic: str | None = None
    control_topic: str | None = None

    @property
    def shared(self) -> bool:
        """Whether there are partitions that other workers may own."""
        return self.tenant_topic is not None

    @property
    def topics(self) -> list[str]:
        """The names of the topics."""
        return [topic for topic in (self.tenant_topic, self.control_topic) if topic is not None]

    def books(self, where: Partition) -> int | None:
        """The books that a partition is for; None: those of every partition."""
        if self.tenant_topic is None:
            return FILES_BOOKS
        return where[1] if where[0] == self.tenant_topic else None

    def is_control(self, topic: str) -> bool:
        """Whether a topic is read whole by every worker."""
        return self.shared and topic == self.control_topic


def without_misrouted(decoded: Decoded, layout: Layout) -> Decoded:
    """The facts that came where they belong; the others are dead letters."""
    if not layout.shared:
        return decoded
    observations: list[Observation] = []
    records: list[Record] = []
    rejected = list(decoded.rejected)
    for fact, record in zip(decoded.observations, decoded.records, strict=True):
        why = _misrouted(fact, record, layout)
        if why is None:
            observations.append(fact)
            records.append(record)
        else:
            rejected.append(Rejected(record, *why))
    return decoded._replace(observations=observations, records=records, rejected=rejected)


def _misrouted(fact: Observation, record: Record, layout: Layout) -> tuple[str, str] | None:
    if record.topic == layout.control_topic:
        if fact.tenant:
            return (
                "wrong_topic",
                f"This is a fact of one tenant: send it to {layout.tenant_topic}, keyed by the tenant.",
            )
        return None
    if not fact.tenant:
        return "wrong_topic", f"This is a fact of no single tenant: send it to {layout.control_topic}."
    if record.key is not None and record.key != fact.tenant.encode("utf-8", "surrogatepass"):
        return "wrong_key", "The record's key is not the event's tenant: key records by `data.tenant`."
    return None


class Part(NamedTuple):
    """What one partition of a topic brought in one poll."""

    where: Partition
    observations: list[Observation]
    records: list[Record]  # of the observations
    rejected: list[Rejected]
    all: list[Record]


def parts(records: Sequence[Record], decoded: Decoded) -> Iterator[Part]:
    """A decoded batch by partition, each in the order of its records, in the order of their appearance."""
    if not records:
        return
    if records[0][:2] == records[-1][:2] and all(record[:2] == records[0][:2] for record in records):
        yield Part(records[0][:2], decoded.observations, decoded.records, decoded.rejected, list(records))
        return
    everything: dict[Partition, list[Record]] = {}
    for where, group in groupby(records, key=_partition):
        everything.setdefault(where, []).extend(group)
    facts: dict[Partition, tuple[list[Observation], list[Record]]] = {where: ([], []) for where in everything}
    for fact, record in zip(decoded.observations, decoded.records, strict=True):
        of_facts, of_records = facts[record[:2]]
        of_facts.append(fact)
        of_records.append(record)
    rejected: dict[Partition, list[Rejected]] = {where: [] for where in everything}
    for one in decoded.rejected:
        rejected[one.record[:2]].append(one)
    for where, of_partition in everything.items():
        yield Part(where, *facts[where], rejected[where], of_partition)


def _partition(record: Record) -> Partition:
    return record[:2]


def whose(owners: Mapping[str, int], own: int) -> set[str]:
    """The tenants that other partitions own."""
    return {name for name, partition in owners.items() if partition != own}
