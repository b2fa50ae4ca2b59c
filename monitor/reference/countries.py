"""Country groups: `config/countries.yaml` -> `monitor.core.countries.Countries`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from monitor.core.countries import Countries, DerivedGroup, GroupChange, History, derived, history
from monitor.errors import ReferenceProblem
from monitor.reference.reading import digest_of, label, milliseconds, read_document

FILE = "countries.yaml"
STRICT = ConfigDict(frozen=True, extra="forbid")
Code = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Group = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
Text = Annotated[str, Field(min_length=1)]


class _Derived(BaseModel):
    """A group made of others."""

    model_config = STRICT
    include: tuple[Group, ...] = ()
    codes: tuple[Code, ...] = ()
    exclude: tuple[Group, ...] = ()

    def core(self) -> DerivedGroup:
        """The same for the core."""
        return DerivedGroup(self.include, frozenset(self.codes), self.exclude)


class _Change(BaseModel):
    """Who joined and left a group on a day."""

    model_config = STRICT
    date: date
    group: Group
    add: tuple[Code, ...] = ()
    remove: tuple[Code, ...] = ()
    cite: Text

    def core(self) -> GroupChange:
        """The same for the core."""
        return GroupChange(milliseconds(self.date), self.group, frozenset(self.add), frozenset(self.remove))


class _Document(BaseModel):
    """`countries.yaml`. Codes are quoted there: YAML reads an unquoted NO as a boolean."""

    model_config = STRICT
    version: Text
    as_of: date
    review_by: date
    source: Text
    aliases: dict[Code, Code]
    groups: dict[Group, tuple[Code, ...]]
    derived: dict[Group, _Derived]
    changes: tuple[_Change, ...]
    uncertain: dict[Group, tuple[Code, ...]]

    @field_validator("groups")
    @classmethod
    def _has_no_code_twice(cls, groups: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for group, codes in groups.items():
            twice = sorted({code for code in codes if codes.count(code) > 1})
            if twice:
                raise ValueError(f"the group {group} names {', '.join(twice)} twice")
        return groups


def load_countries(root: Path) -> Countries:
    """The country groups under a configuration folder. ReferenceProblem: with the first thing that is wrong."""
    path = root / FILE
    document = read_document(path, _Document)
    changes = [change.core() for change in document.changes]
    for sentence in _contradictions(document, changes):
        raise ReferenceProblem(f"{label(path)}: {sentence}")
    as_of = milliseconds(document.as_of)
    histories: dict[str, History] = {
        group: history(frozenset(codes), as_of, [change for change in changes if change.group == group])
        for group, codes in document.groups.items()
    }
    made = {group: derived(row.core(), histories) for group, row in document.derived.items()}
    return Countries(
        version=document.version,
        digest=digest_of(document.model_dump(mode="json")),
        source=document.source,
        histories=histories | made,
        aliases=document.aliases,
        uncertain={group: frozenset(codes) for group, codes in document.uncertain.items()},
        change_times=tuple(sorted({change.at for change in changes})),
    )


def _contradictions(document: _Document, changes: list[GroupChange]) -> list[str]:
    sentences = []
    named = [(group, f"derived group {name}") for name, row in document.derived.items() for group in row.include]
    named += [(group, f"derived group {name}") for name, row in document.derived.items() for group in row.exclude]
    named += [(change.group, "list of changes") for change in changes]
    named += [(group, "list of uncertain members") for group in document.uncertain]
    for group, where in named:
        if group not in document.groups:
            sentences.append(f"the {where} names the group {group}, which is not stated; correct the name.")
    sentences += [f"the group {group} is both stated and derived; rename one." for group in _both(document)]
    if not sentences:
        sentences += _of_changes(document, changes)
    return sentences


def _both(document: _Document) -> list[str]:
    return sorted(document.groups.keys() & document.derived.keys())


def _of_changes(document: _Document, changes: list[GroupChange]) -> list[str]:
    """A change must really change: who leaves was in, who joins was not, and the members hold as of their day."""
    sentences = []
    as_of = milliseconds(document.as_of)
    for group, codes in document.groups.items():
        mine = sorted(change for change in changes if change.group == group)
        states = history(frozenset(codes), as_of, mine).members
        for change, before, after in zip(mine, states, states[1:], strict=False):
            wrong = sorted(
                (change.removed - before) | (change.removed & after) | (change.added & before) | (change.added - after)
            )
            if wrong:
                sentences.append(
                    f"a change of the group {group} contradicts its members as of {document.as_of}: "
                    f"{', '.join(wrong)}; correct the change or the members."
                )
    return sentences
