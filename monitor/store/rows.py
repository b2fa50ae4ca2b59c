"""Rows of the tables from the core's types, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from monitor.core.book import Restatement, Source
from monitor.core.findings import finding_document, finding_from
from monitor.core.flags import Flag, State
from monitor.core.gaps import Lag
from monitor.core.inventory import Conservation
from monitor.core.model import Record, Traits
from monitor.core.policy import Level
from monitor.core.timeline import FROM_START, Timeline
from monitor.store.commit import DeadLetter
from monitor.store.texts import original, storable

Row = tuple[Any, ...]


def canonical_json(content: object) -> str:
    """JSON with sorted keys and no blanks; integers stay exact."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def timeline_row(timeline: Timeline, shape_id: int, source_id: int | None, traits_id: int | None) -> Row:
    """The columns of `allocations` from `head` on."""
    if timeline.since is None:
        held: Row = (None, None, None, None, None, None, None)
    else:
        held = (
            timeline.since,
            timeline.count,
            timeline.evidence,
            source_id,
            timeline.lease_ms,
            timeline.measured_until,
            traits_id,
        )
    return (
        timeline.head,
        timeline.last_time,
        shape_id,
        timeline.within,
        timeline.counted,
        timeline.prints,
        *held,
        None if timeline.counted_from == FROM_START else timeline.counted_from,
    )


def counted_from_of(column: int | None) -> int:
    """From when on an allocation counts, from its column."""
    return FROM_START if column is None else column


def traits_row(traits: Traits) -> Row:
    """The columns of `traits` without the id."""
    *texts, nodes, network_mbit_s = traits
    return (*texts, None if nodes is None else json.dumps(nodes, separators=(",", ":")), network_mbit_s)


def traits_of(row: Iterable[Any]) -> Traits:
    """Traits from those columns."""
    *texts, nodes, network_mbit_s = row
    return Traits._make((*texts, None if nodes is None else tuple(json.loads(nodes)), network_mbit_s))


NO_SOURCE: Row = (-1, 0, 0, "[]")


def source_row(source: Source | None) -> Row:
    """The columns of `sources` after the name; None: it was named, and nothing came from it yet."""
    if source is None:
        return NO_SOURCE
    return (source.heard, source.pause, source.came, json.dumps(source.lags, separators=(",", ":")))


def lags_of(text: str) -> list[Lag]:
    """What a source said lately of how much it has sent."""
    return [Lag(*lag) for lag in json.loads(text)]


def restatement_row(one: Restatement) -> Row:
    """The columns of `restatements` without the id."""
    return (*one[:6], *map(str, one[6:]))


def restatement_of(row: Row) -> Restatement:
    """A restatement from those columns."""
    return Restatement(*row[:6], *map(int, row[6:]))


def conservation_row(one: Conservation) -> Row:
    """The columns of `conservation` without the id."""
    return (*one[:3], *map(str, one[3:8]), canonical_json(one.allocations))


def conservation_of(row: Row) -> Conservation:
    """A line of conservation from those columns."""
    region, time, hardware, *amounts, allocations = row
    capacity, attributed, unattributed, idle, surplus = map(int, amounts)
    keys = tuple((tenant, name) for tenant, name in json.loads(allocations))
    return Conservation(region, time, hardware, capacity, attributed, unattributed, idle, surplus, keys)


def dead_letter_row(record: Record, reason: str, sentence: str, at: int) -> Row:
    """The columns of `dead_letters` that are known at first: names of files may hold what is no text."""
    place = (storable(record.topic), record.partition, record.offset)
    return (*place, reason, storable(sentence), record.value, at, record.key)


def dead_letter_of(row: Row) -> DeadLetter:
    """A dead letter from all its columns."""
    letter = DeadLetter(*row)
    return letter._replace(topic=original(letter.topic), sentence=original(letter.sentence))


def flag_row(flag: Flag) -> Row:
    """The columns of `flags`."""
    return (*flag[:3], flag.state.value, flag.level.value, *flag[5:8], canonical_json(finding_document(flag.finding)))


def flag_of(row: Row) -> Flag:
    """A flag from those columns."""
    id, rule, tenant, state, level, raised_at, told_at, lower_since, text = row
    finding = finding_from(json.loads(text))
    return Flag(id, rule, tenant, State(state), Level(level), raised_at, told_at, lower_since, finding)
