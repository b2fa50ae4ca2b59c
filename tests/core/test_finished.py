"""What `Moved.finished` adds up to: the pieces and measurements of a plain fold, whatever order the facts come in."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from hypothesis import HealthCheck, given, settings

from monitor.core.book import Book
from monitor.core.facts import effective
from monitor.core.inventory import statements
from monitor.core.model import Key, Observation
from monitor.core.timeline import Effects, fold
from monitor.intake.decode import decode_facts
from monitor.run.apply import take_in
from monitor.store.memory import MemoryArchive
from tests.core import reference
from tests.core.facts_strategy import event_sets, in_batches
from tests.core.table import Taken, events
from tests.core.test_books_property import LATENESS_MS, PHASES, seeds

Found = dict[Key, tuple[list[object], list[object]]]


def added_up(book: Book, archive: MemoryArchive) -> Found:
    """Pieces and measurements by allocation, as the commits moved them."""
    return {
        (tenant, allocation): (list(effects.pieces), list(effects.measurements))
        for tenant in book.tenants
        for allocation, effects in archive.finished(tenant).items()
        if any(effects[:2])
    }


def folded(book: Book, facts: Sequence[Observation]) -> Found:
    """Pieces and measurements by allocation, each folded by itself from all facts, as far as layers let it count."""
    known = reference.known(facts)
    lives = reference.lives(facts)
    found: Found = {}
    for key in known:
        own = [fact for fact in facts if (fact.tenant, fact.subject) == key and fact.kind in reference.OF_ALLOCATION]
        counting = effective(own, book.tenants[key[0]].retracted)
        _, effects = fold([*counting, *statements(book.regions, key, counting)])
        start = reference.counts_from(key, lives)
        if start is None:
            continue
        pieces, measured = (list(reference.from_then(start, spans)) for spans in effects[:2])
        if pieces or measured:
            found[key] = pieces, measured
    return found


def taken(batches: Iterable[Sequence[Observation]], closed_resident_max: int) -> tuple[Book, MemoryArchive]:
    """A book and an archive that took in these batches, with a commit after each."""
    book, archive = Book(LATENESS_MS, closed_resident_max), MemoryArchive()
    for batch in batches:
        take_in(book, archive, batch, [None] * len(batch))
        archive.commit(book.drain())
    return book, archive


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
@given(event_sets(), seeds)
def test_what_commits_move_adds_up_to_the_fold_of_all_facts(lines: list[bytes], seed: int) -> None:
    """Random facts in random order, some of them twice: the same pieces with the same traits, in the same order."""
    facts = decode_facts(lines)
    chance = random.Random(seed)
    in_time = sorted(facts, key=lambda fact: fact.time)
    for resident in (1_000, 0):
        for batches in ([[fact] for fact in in_time], in_batches(facts, chance), [[one] for one in reversed(in_time)]):
            book, archive = taken(batches, resident)

            assert folded(book, facts) == added_up(book, archive)


def pieces(table: str, *later: str) -> list[str]:
    """The finished pieces of allocation x after some tables, a commit after each: length in seconds and job."""
    archive = Taken(table, *later).archive
    effects = archive.finished("t").get("x", Effects.none())
    return [f"{(piece.end - piece.start) // 1_000} {piece.traits.job}" for piece in effects.pieces]


def test_an_allocation_that_turns_out_to_be_an_inner_layer_is_taken_back() -> None:
    """What it had finished counts no more once its outer allocation is known; the outer one's counts."""
    inner = "0 start x accelerator=H100 count=8 within=y \n 60 stop x"

    assert ["60 None"] == pieces(inner)
    assert [] == pieces(inner, "5 start y accelerator=H100 count=8 id=outer \n 70 stop y id=end")


def test_a_late_fact_replaces_what_was_finished() -> None:
    """A job that is named afterwards is that of the pieces before, and a retracted start has none."""
    run = "0 start x accelerator=H100 count=8 id=a \n 60 stop x \n 70 start x \n 90 stop x"

    assert ["60 None", "20 None"] == pieces(run)
    assert ["60 j", "20 j"] == pieces(run, "80 seen x job=j id=late")
    assert ["20 None"] == pieces(run, "99 retract a id=r")


def test_what_waits_for_a_commit_is_there_too() -> None:
    """Runs are asked for between commits: what the store has, what comes after it, and what replaces it."""
    whole = "0 start x accelerator=H100 count=8 id=a \n 60 stop x id=b \n 70 start x id=c \n 90 stop x id=d"
    book, archive = Book(), MemoryArchive()
    lines = decode_facts(events(whole))
    take_in(book, archive, lines[:2], [None] * 2)
    archive.commit(book.drain())
    assert archive.finished("t") is book.with_waiting("t", archive.finished("t"))
    take_in(book, archive, lines[2:], [None] * 2)
    together = book.with_waiting("t", archive.finished("t"))

    assert [60, 20] == [(piece.end - piece.start) // 1_000 for piece in together["x"].pieces]
    assert 1 == len(archive.finished("t")["x"].pieces)
    take_in(book, archive, decode_facts(events("10 resize x count=4 id=e")), [None])
    anew = book.with_waiting("t", archive.finished("t"))
    assert [10, 50, 20] == [(piece.end - piece.start) // 1_000 for piece in anew["x"].pieces]
    archive.commit(book.drain())
    assert anew == archive.finished("t")
