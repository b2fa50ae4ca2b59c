"""What being on each source list means: `config/lists/effects.yaml` -> `monitor.core.lists.ListEffects`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.core.lists import NO_EFFECT, Effect, ListEffects
from monitor.errors import ReferenceProblem
from monitor.reference.reading import digest_of, label, milliseconds, read_document

FILE = "lists/effects.yaml"
OTHER, LINKED = "other", "linked"  # sources of entries that no label places, and of who is only beside a listed party
SUSPENSION_END = "suspension_end"
LABELS_CACHED_MAX = 4_096  # a file repeats the same few with every entry
STRICT = ConfigDict(frozen=True, extra="forbid")
Text = Annotated[str, Field(min_length=1)]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*([.][a-z0-9_]+)*$")]
Word = Literal["blocked", "licence", "end_use_review", "attention"]
Day = date | Literal["suspension_end"]


class _Period(BaseModel):
    """What holds for a while for what listed parties own half of."""

    model_config = STRICT
    effect: Word
    since: Day | None = None
    until: Day | None = None


class _Source(BaseModel):
    """One source list."""

    model_config = STRICT
    title: Text
    labels: tuple[Text, ...] = ()
    direct: Word
    owner: tuple[_Period, ...]
    decides: Text
    citation: Text
    basis: Literal["verified", "from memory"]
    as_of: date


class _Document(BaseModel):
    """`effects.yaml`."""

    model_config = STRICT
    schema_: Literal["flopwatch.effects/1"] = Field(alias="schema")
    version: Text
    sources: dict[Key, _Source]

    @model_validator(mode="after")
    def _has_what_is_needed(self) -> _Document:
        missing = sorted({OTHER, LINKED} - self.sources.keys())
        if missing:
            raise ValueError(f"sources must have {' and '.join(missing)}")
        seen: dict[str, str] = {}
        for key, source in self.sources.items():
            for text in (key, source.title, *source.labels):
                if seen.setdefault(plain_label(text), key) != key:
                    raise ValueError(f"the label {text} stands for both {seen[plain_label(text)]} and {key}")
        return self


class Sources(NamedTuple):
    """The effects, and which source a label in a file stands for."""

    effects: ListEffects
    labels: Mapping[str, str]  # `plain_label` of a label -> key of the source


@lru_cache(LABELS_CACHED_MAX)
def plain_label(text: str) -> str:
    """A label without regard to case, blanks and signs."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def load_effects(root: Path, suspension_end: date) -> Sources:
    """The effects under a configuration folder.

    `suspension_end` is the first day on which the affiliates rule of the Bureau of Industry and Security holds again.

    Raises:
        ReferenceProblem: with the first thing that is wrong with them.
    """
    path = root / FILE
    document = read_document(path, _Document)
    of_source = {}
    for key, source in document.sources.items():
        of_source[key] = _effects(key, source, milliseconds(suspension_end))
        for one, after in pairwise(of_source[key]):
            if one.owner_until is None or after.owner_since is None or after.owner_since < one.owner_until:
                raise ReferenceProblem(
                    f"{label(path)}: the owner effects of {key} overlap; let each end before the next begins."
                )
    labels = {
        plain_label(text): key
        for key, source in document.sources.items()
        for text in (key, source.title, *source.labels)
    }
    digest = digest_of([document.model_dump(mode="json"), suspension_end.isoformat()])
    return Sources(ListEffects(document.version, digest, of_source), labels)


def _effects(key: str, source: _Source, suspension_end: int) -> tuple[Effect, ...]:
    citation = f"{source.citation} ({source.basis}, as of {source.as_of})"

    def at(day: Day | None) -> int | None:
        return milliseconds(day) if isinstance(day, date) else suspension_end if day == SUSPENSION_END else None

    said: list[tuple[str, int | None, int | None]] = [
        (period.effect, at(period.since), at(period.until)) for period in source.owner
    ]
    return tuple(
        Effect(key, source.title, source.direct, effect, since, until, source.decides, citation)
        for effect, since, until in said or [(NO_EFFECT, None, None)]
    )
