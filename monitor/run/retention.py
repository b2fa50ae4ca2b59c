"""What may go: by its period, or because somebody asks to be forgotten; never what people still look at."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, Protocol, TypeVar

from monitor.core.audit import NAMED, Person
from monitor.core.personal import PARTY, TENANT
from monitor.core.retention import Kind, Stock
from monitor.errors import RetentionProblem

ABOUT = (f"{TENANT} ", f"{PARTY} ")  # how whom a value is of begins; others are people who use flopwatch


class Value(Protocol):
    """Something personal that is not erased."""

    @property
    def whom(self) -> str:
        """Whom it is of."""
        ...


class Keeping(NamedTuple):
    """How much of a kind is kept, and until when."""

    kind: Kind
    days: int | None  # None: for ever
    until: int | None  # what is older may go, in milliseconds
    stock: Stock


class Erased(NamedTuple):
    """What was erased, of whom, and how many values."""

    whom: tuple[str, ...]
    values: int
    quoted: int  # sentences of flags, notices and cases that quote one of them, and stay until their own period ends


Found = TypeVar("Found", bound=Value)


def quiet(
    values: Sequence[Found], until: int, since: Mapping[str, int], needed: Collection[str]
) -> tuple[dict[str, list[Found]], int]:
    """By whom they are of the values whose period has passed, and how many such stay since somebody looks at them."""
    may_go: dict[str, list[Found]] = {}
    stays = 0
    for whom, found in groupby(values, key=attrgetter("whom")):
        mine = list(found)
        if whom.startswith(ABOUT) and since.get(whom, until) < until:
            if whom in needed:
                stays += len(mine)
            else:
                may_go[whom] = mine
    return may_go, stays


def refuse_needed(values: Sequence[Found], needed: Mapping[str, str], what: str) -> list[Found]:
    """The values that can be erased: all of those that were found.

    Raises:
        RetentionProblem: there is none, or somebody still looks at one of those whom they are of.
    """
    mine = [one for one in values if one.whom.startswith(ABOUT)]
    if not mine:
        raise RetentionProblem(f"Nothing personal is known of {what}, or it was erased before.")
    for one in mine:
        if one.whom in needed:
            raise RetentionProblem(
                f"{needed[one.whom]}, and rests on what is known of {one.whom}: nothing was erased. Decide it, and let "
                "two people end its legal hold if it is under one."
            )
    return mine


def by_name(person: str) -> Person:
    """Who does something, as they name themselves.

    Raises:
        RetentionProblem: nobody is named.
    """
    if not person.strip():
        raise RetentionProblem("Somebody does this: name the person with --by.")
    return Person(NAMED, " ".join(person.split()))
