"""Dead letters that are taken in after all: by whom, and settled with the books they moved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.run.letters import REPLAY
from monitor.store import REPLAYED, WAITING
from tests.run.test_partitions import Group, report, tenant_of
from tests.run.test_worker import started
from tests.run.topics import CONTROL, TENANTS


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    group = Group(tmp_path)
    yield group
    group.store.close()


def states(group: Group) -> list[str]:
    return [letter.state for letter in group.store.dead_letters()]


def test_a_letter_under_a_wrong_key_is_taken_in_where_its_tenant_belongs(group: Group) -> None:
    """It came on partition 0, and the tenant is of partition 1: those books take it in and settle it."""
    worker = group.worker(0, 1)
    tenant = tenant_of(1)
    group.topics.write((TENANTS, 0), started(1, 0, "a", tenant=tenant), b"somebody else")
    worker.passes(4)
    assert [WAITING] == states(group)
    assert 1 == worker.value("flopwatch_dead_letters_waiting")

    group.decide(**{REPLAY: [1]})
    worker.passes(4)

    assert [REPLAYED] == states(group)
    assert [0, 1] == [len(group.facts(number)) for number in (0, 1)]
    assert 0 == worker.value("flopwatch_dead_letters_waiting")


def test_a_control_fact_on_the_tenant_topic_is_taken_in_by_all_books(group: Group) -> None:
    """Each partition's books take it in; those of partition 0 settle it."""
    worker = group.worker(0, 1)
    control = report(1, 0, "t-9")
    group.topics.write((TENANTS, 1), control)
    worker.passes(4)

    group.decide(**{REPLAY: [1]})
    worker.passes(4)

    assert [REPLAYED] == states(group)
    assert [control] == group.facts(0) == group.facts(1)


def test_a_letter_that_still_is_no_fact_waits_on(group: Group) -> None:
    """Asking again changes nothing about it, nor does naming one that does not exist."""
    worker = group.worker(0, 1)
    group.topics.write((TENANTS, 0), b"{")
    group.topics.write((CONTROL, 0), b"[")
    worker.passes(4)

    group.decide(**{REPLAY: [1, 2, 3]})
    group.decide(reason="something else")
    worker.passes(4)

    assert [WAITING, WAITING] == states(group)


def test_a_request_is_heard_by_whoever_owns_the_books_next(group: Group) -> None:
    """Nobody had the partition when a person decided; the next owner takes the letter in, once."""
    first = group.worker(0)
    tenant = tenant_of(0)
    group.topics.write((TENANTS, 0), started(1, 0, "a", tenant=tenant), b"somebody else")
    first.passes(4)
    first.worker.finish()
    group.decide(**{REPLAY: [1]})

    for _ in range(2):
        second = group.worker(0)
        second.passes(4)
        second.worker.finish()

    assert [REPLAYED] == states(group)
    assert 1 == len(group.facts(0))
