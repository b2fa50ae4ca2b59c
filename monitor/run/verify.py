"""Recompute everything from the stored facts, and say where the stored books differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from monitor.core.book import Book
from monitor.core.engine import Answer, Reference, answer, hearing
from monitor.core.estimate import totals
from monitor.core.flags import Flag, State, flag_id
from monitor.run.replay import MakeArchive, rebuild


class Verified(NamedTuple):
    """The recomputed answer, and what is wrong with the stored one, a sentence each."""

    answer: Answer
    problems: list[str]


def verify(
    book: Book,
    flags: Mapping[str, Mapping[str, Flag]],
    lines: Iterable[bytes],
    make_archive: MakeArchive,
    reference: Reference,
    evaluated_at: int | None,
    as_of: int | None,
) -> Verified:
    """Compare stored books and flags with what their facts give.

    `evaluated_at` is the instant of the last evaluation stored, None if there was none. For an earlier `as_of` the
    store keeps no answer to compare with: then the facts are only counted again.
    """
    now = book.clock if as_of is None else as_of
    rebuilt = rebuild(lines, make_archive, now)
    result = answer(rebuilt, reference, now)
    if now < book.clock:
        return Verified(result, [])
    problems = _compare_usage(book, rebuilt, now)
    if evaluated_at is not None:
        standing = result
        if evaluated_at >= book.clock and evaluated_at != now:
            standing = answer(rebuilt, reference, evaluated_at)
        problems.extend(_compare_flags(standing, flags))
    return Verified(result, problems)


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


def _compare_flags(result: Answer, flags: Mapping[str, Mapping[str, Flag]]) -> list[str]:
    standing = {
        flag_id(finding.rule, finding.tenant): finding for tenant in result.tenants for finding in tenant.findings
    }
    kept = {name: flag for of_tenant in flags.values() for name, flag in of_tenant.items()}
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
