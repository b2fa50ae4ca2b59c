"""Proposals in a store: two people are two, of two at once one is told, and what is approved is in the journal."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from monitor.core.approval import APPROVE
from monitor.core.audit import OPERATOR, Person
from monitor.core.cases import APPROVED, REFUSED, WITHDRAWN
from monitor.errors import ProposalProblem
from monitor.store import DECISION, AuditWanted
from monitor.store.sql import SqlStore
from tests.core.casefile import ANA, BO, EVE, NOW

BODY = {"subject": "small@1", "digest": "sha256:1"}
BY = Person(OPERATOR, "somebody")
REASON = "It is \ud800 well founded."


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    store = SqlStore.open(url)
    yield store
    store.close()


def proposed(store: SqlStore, subject: str = "small@1", person: str = ANA) -> int:
    return store.proposals.propose(APPROVE, subject, BODY, REASON, person, NOW, BY)


def test_what_is_approved_is_a_decision_of_two(store: SqlStore) -> None:
    """Journal, audit and the proposal say the same, and are written together."""
    number = proposed(store)
    assert [] == store.journal(0, (DECISION,))
    store.proposals.approve(number, BO, NOW + 1, BY)

    (row,) = store.journal(0, (DECISION,))
    assert {APPROVE: BODY, "by": [ANA, BO], "reason": REASON, "proposal": number} == row.entry.body
    (one,) = store.proposals.answered(5)
    assert (ANA, BO, NOW, NOW + 1, APPROVED) == (
        one.proposed_by, one.answered_by, one.proposed_at, one.answered_at, one.verdict,
    )  # fmt: skip
    acts = [found.entry.act for found, _ in store.audit.latest(AuditWanted(), 5)]
    assert ["policy.approved", "proposal.made"] == acts
    assert [] == store.proposals.waiting()


@pytest.mark.parametrize(("person", "verdict", "answered_by"), [(ANA, WITHDRAWN, None), (BO, REFUSED, BO)])
def test_what_is_dropped_decides_nothing(store: SqlStore, person: str, verdict: str, answered_by: str | None) -> None:
    """Whoever proposed it withdraws it, another one refuses it; both stay on record, and it can be proposed again."""
    store.proposals.drop(proposed(store), person, "It is not so.", NOW, BY)

    (one,) = store.proposals.answered(5)
    assert (verdict, answered_by, "It is not so.") == (one.verdict, one.answered_by, one.why)
    assert f"proposal.{verdict}" == store.audit.latest(AuditWanted(), 1)[0][0].entry.act
    assert [] == store.journal(0, (DECISION,))
    assert [proposed(store)] == [one.number for one in store.proposals.waiting()]


def test_two_people_are_two_to_the_database(store: SqlStore, url: str) -> None:
    """However the same name is written, and for whoever writes rows without asking us; nothing is written then."""
    number = proposed(store, person="Ärla")
    for same in ("Ärla", "ärla", "ÄRLA"):
        with pytest.raises(ProposalProblem, match="the store refuses the same"):
            store.proposals.approve(number, same, NOW, BY)
    with pytest.raises(ProposalProblem, match="the store refuses the same"):
        store.proposals.decide(APPROVE, "small@2", BODY, REASON, (BO, BO), NOW, BY)
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    for wrong, name in (
        ("answered_by = proposed_by, verdict = 'approved'", "proposals_other_person"),
        ("verdict = 'approved'", "proposals_answered"),
    ):
        with pytest.raises(IntegrityError, match=name), engine.begin() as connection:
            connection.execute(text(f"UPDATE proposals SET {wrong}"))
    engine.dispose()

    assert ([number], []) == ([one.number for one in store.proposals.waiting()], store.journal(0, (DECISION,)))
    assert 1 == len(store.audit.latest(AuditWanted(), 9))


def test_the_same_waits_once(store: SqlStore) -> None:
    """A second proposal of the same is refused; of something else it is not."""
    number = proposed(store)
    with pytest.raises(ProposalProblem, match="is proposed already"):
        proposed(store, person=BO)

    assert number != proposed(store, "small@2")


def test_of_two_at_once_one_is_told(store: SqlStore, url: str) -> None:
    """Bo and Eve answer at the same moment: one of them is first, and there is one decision."""
    number, gate, told = proposed(store), threading.Barrier(2), list[str]()

    def answer(person: str) -> None:
        other = SqlStore.open(url)
        gate.wait()
        try:
            other.proposals.approve(number, person, NOW, BY)
        except ProposalProblem as problem:
            told.append(str(problem))
        finally:
            other.close()

    threads = [threading.Thread(target=answer, args=(person,)) for person in (BO, EVE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [True] == ["somebody was first" in sentence for sentence in told]
    assert 1 == len(store.journal(0, (DECISION,)))


def test_what_never_was_is_not_answered(store: SqlStore) -> None:
    """A sentence says so."""
    with pytest.raises(ProposalProblem, match="somebody was first, or it never was"):
        store.proposals.approve(7, BO, NOW, BY)
    assert None is store.proposals.one(7)
