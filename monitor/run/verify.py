"""Recompute everything from the stored facts, and say where the stored books differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from monitor.core.blind import Blind
from monitor.core.book import Book, joined
from monitor.core.engine import (
    Answer,
    Past,
    Reference,
    answer,
    findings_of_groups,
    hearing,
    tenant_findings,
)
from monitor.core.estimate import totals
from monitor.core.findings import Finding
from monitor.core.flags import Flag, State, identified
from monitor.run.holdings import Held
from monitor.run.replay import MakeArchive, rebuild


class Kept(NamedTuple):
    """What a store keeps of one partition."""

    book: Book
    flags: Mapping[str, Mapping[str, Flag]]  # by tenant, then id
    evaluated_at: int | None  # the instant of the last evaluation stored, None if there was none
    lines: Callable[[], Iterable[bytes]]  # every fact as it came
    past: Held
    blind: Sequence[Blind]  # when facts of it may be missing


class Verified(NamedTuple):
    """The recomputed answer, and what is wrong with the stored one, a sentence each."""

    answer: Answer
    problems: list[str]


def verify(
    kept: Sequence[Kept],
    group_flags: Mapping[str, Flag],
    make_archive: MakeArchive,
    reference: Reference,
    as_of: int | None,
) -> Verified:
    """Compare the stored books, pieces and flags of all partitions with what their facts give.

    For an `as_of` before the latest fact the store keeps no answer to compare with: then the facts are only counted
    again.
    """
    stored = joined(one.book for one in kept)
    now = stored.clock if as_of is None else as_of
    working = make_archive()
    rebuilt = rebuild(chain.from_iterable(one.lines() for one in kept), working, now)
    result = answer(rebuilt, reference, now, working.past)
    if now < stored.clock:
        return Verified(result, [])
    problems = _compare_usage(stored, rebuilt, now)
    for one in kept:
        problems.extend(_compare_pieces(one, working.past))
        if one.evaluated_at is not None:
            at = now if one.evaluated_at < one.book.clock else one.evaluated_at
            findings = _findings(rebuilt, reference, one.book.tenants, at, working.past)
            problems.extend(_compare_flags(findings, one.flags))
    if any(one.evaluated_at is not None for one in kept):
        # Groups are evaluated as of the least clock of all books.
        at = min((one.book.clock for one in kept if one.book.tenants), default=-1)
        of_groups = findings_of_groups(rebuilt, reference, working.past, at)
        problems.extend(_compare_flags(of_groups, {"": group_flags}))
    return Verified(result, problems)


def _findings(book: Book, reference: Reference, names: Iterable[str], at: int, past: Past) -> list[Finding]:
    """What stands at an instant for some tenants."""
    heard, parties = hearing(book, at), reference.parties(book, at)
    return [
        finding
        for name in sorted(names)
        if name in book.tenants
        for finding in tenant_findings(book, reference, name, totals(book.tenants[name], at, heard), parties, past)
    ]


def _compare_usage(stored: Book, rebuilt: Book, now: int) -> list[str]:
    problems = []
    for name in sorted({*stored.tenants, *rebuilt.tenants}):
        usage = [
            totals(book.tenants[name], now, hearing(book, now)) if name in book.tenants else {}
            for book in (stored, rebuilt)
        ]
        for shape in sorted({*usage[0], *usage[1]}, key=repr):
            kept, counted = usage[0].get(shape, {}), usage[1].get(shape, {})
            if kept != counted:
                problems.append(
                    f"Tenant {name}, {shape.hardware or 'unknown hardware'} in {shape.region or 'no region'}: "
                    f"the books say {kept or 'nothing'}, the facts give {counted or 'nothing'}."
                )
    return problems


def _compare_pieces(kept: Kept, counted: Past) -> Iterator[str]:
    for name in sorted(kept.book.tenants):
        stored, given = (
            {key: effects[:2] for key, effects in past.finished(name).items() if any(effects[:2])}
            for past in (kept.past, counted)
        )
        wrong = sorted(key for key in {*stored, *given} if stored.get(key) != given.get(key))
        if wrong:
            others = f" and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
            yield f"Tenant {name}: what allocation {wrong[0]}{others} held, or measured, is not what the facts give."


def _compare_flags(findings: Iterable[Finding], flags: Mapping[str, Mapping[str, Flag]]) -> list[str]:
    kept = {name: flag for of_tenant in flags.values() for name, flag in of_tenant.items()}
    standing = identified(findings, kept)
    problems = [
        f"Finding {finding.rule} of tenant {finding.tenant} stands, but there is no flag {name}."
        for name, finding in standing.items()
        if name not in kept or kept[name].state is State.WITHDRAWN
    ]
    problems.extend(
        f"Flag {name} ({flag.rule}, tenant {flag.tenant}) is open, but its finding does not stand."
        for name, flag in kept.items()
        if flag.state is State.OPEN and name not in standing
    )
    return problems
