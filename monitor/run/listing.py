"""How it is with the screening lists, as commands and pages say it."""

from __future__ import annotations

from typing import NamedTuple

from monitor.core.lists import NO_EFFECT, ListEffects
from monitor.reference.lists.shelf import Standing
from monitor.run.documents import Document, instant


class ScreeningLists(NamedTuple):
    """How it is with each list of the settings."""

    effects: ListEffects
    standings: list[Standing]
    now: int  # milliseconds


class SourceLine(NamedTuple):
    """What a list has of one source, and what being on it means."""

    source: str
    entries: int
    direct: str
    owned: str  # for who is owned by half by those on it


def sources_of(standing: Standing, effects: ListEffects, now: int) -> list[SourceLine]:
    """What counts of a list, by source."""
    if standing.kept is None:
        return []
    lines = []
    for source, count in standing.kept.list.by_source.items():
        known = source in effects.of_source
        owned = effects.of_owned(source, now) if known else None
        direct = effects.of(source).direct if known else "no effect is known"
        lines.append(SourceLine(source, count, direct, owned.owner if owned else NO_EFFECT))
    return lines


def problems_of(standing: Standing, now: int) -> list[str]:
    """What is wrong with a list, a sentence each; of one that counts, what was wrong last."""
    said = []
    if standing.problem:
        said.append(f"REFUSED: {standing.problem}")
    elif standing.refused is not None:
        said.append(f"Last refused {instant(standing.refused.at)}: {standing.refused.said}")
    if standing.is_stale(now):
        said.append(
            f"OLD: it is dated {standing.days_old(now)} days ago, and may be {standing.days_max} days old: put a newer "
            "file there, or set its `days_max`."
        )
    return said


def lists_document(lists: ScreeningLists) -> Document:
    """All lists as JSON."""
    return {
        "effects": {"version": lists.effects.version, "digest": lists.effects.digest},
        "lists": [_document(standing, lists.now) for standing in lists.standings],
    }


def _document(standing: Standing, now: int) -> Document:
    kept = standing.kept
    version = None if kept is None else kept.list.version
    dated = None if version is None else version.dated
    return {
        "list": standing.name,
        "path": str(standing.path),
        "format": None if kept is None else kept.list.format,
        "digest": None if version is None else version.digest,
        "dated": None if dated is None else instant(dated),
        "days_old": standing.days_old(now),
        "days_max": standing.days_max,
        "loaded_at": None if kept is None else instant(kept.loaded_at),
        "entries": 0 if version is None else version.entries,
        "entries_by_source": {} if kept is None else kept.list.by_source,
        "notes": [] if kept is None else list(kept.list.notes),
        "accepted_because": kept.reason if kept is not None and kept.reason else None,
        "problem": standing.problem or None,
        "last_refusal": None
        if standing.refused is None
        else {"at": instant(standing.refused.at), "sentence": standing.refused.said},
    }
