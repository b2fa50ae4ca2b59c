"""What takes two people and is about no case: policies that count or no longer do, and hits that are somebody else.

One person proposes, another one approves; the store keeps them apart, and the decision goes into the journal, which
everything that reads the books hears.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from monitor.clock import Clock
from monitor.core.approval import APPROVE, WITHDRAW, approved, refusal, subject_of
from monitor.core.audit import Person
from monitor.core.clearances import CLEAR, Clearance, decision, digest_of_entry, digest_of_query
from monitor.core.engine import TenantMatch
from monitor.core.policy import Consent, Policy, consented
from monitor.errors import ProposalProblem
from monitor.store import DECISION, JournalRow, Proposal

OF_POLICIES, OF_HITS = frozenset({APPROVE, WITHDRAW}), frozenset({CLEAR})


class Proposals(Protocol):
    """The proposals of a store."""

    def propose(
        self, kind: str, subject: str, body: Mapping[str, object], reason: str, person: str, at: int, by: Person
    ) -> int:
        """Write down what a person proposes, and return its number; `by`: who it is to the audit."""
        ...

    def decide(
        self,
        kind: str,
        subject: str,
        body: Mapping[str, object],
        reason: str,
        people: tuple[str, str],
        at: int,
        by: Person,
    ) -> None:
        """Propose and approve at once: two people said so together."""
        ...

    def approve(self, number: int, person: str, at: int, by: Person) -> Proposal:
        """Be the second person: it is decided, and the journal has it."""
        ...

    def drop(self, number: int, person: str, why: str, at: int, by: Person) -> Proposal:
        """Withdraw what one proposed oneself, or refuse what another one did; it stays on record."""
        ...

    def waiting(self) -> list[Proposal]:
        """What waits for a second person, the oldest first."""
        ...

    def answered(self, limit: int) -> list[Proposal]:
        """What was answered, the latest first."""
        ...

    def one(self, number: int) -> Proposal | None:
        """A proposal; None: there is none of that number."""
        ...


class Deciding(Protocol):
    """A store, as far as people decide in it."""

    @property
    def proposals(self) -> Proposals:
        """What takes two people and is about no case."""
        ...

    def journal(self, after: int, kinds: Sequence[str]) -> list[JournalRow]:
        """The entries of these kinds with numbers above `after`."""
        ...


class Panel:
    """Where two people decide what changes an answer."""

    def __init__(self, store: Deciding, policies: tuple[Policy, ...], clock: Clock) -> None:
        """`policies`: those that are loaded, whatever was decided of them."""
        self._store = store
        self._policies = policies
        self._clock = clock

    @property
    def proposals(self) -> Proposals:
        """What was proposed, and what became of it."""
        return self._store.proposals

    def policies(self) -> tuple[Policy, ...]:
        """The policies that are loaded, as they count now."""
        if all(one.consent is Consent.FILE for one in self._policies):
            return self._policies
        rows = self._store.journal(0, (DECISION,))
        return consented(self._policies, approved(row.entry.body for row in rows))

    def policy(self, name: str) -> Policy:
        """One of them, by its id with its version.

        Raises:
            ProposalProblem: there is none of that name.
        """
        for policy in self.policies():
            if policy.name == name:
                return policy
        raise ProposalProblem(f"There is no policy {name} here: `flopwatch policies` lists those that there are.")

    def propose_policy(self, name: str, kind: str, reason: str, person: str, by: Person) -> int:
        """Propose that a policy counts (`APPROVE`), or no longer does (`WITHDRAW`); returns the proposal's number.

        Raises:
            ProposalProblem: it does already, nobody or no reason is named, or the same is proposed already.
        """
        policy = self.policy(name)
        wrong = refusal(policy, kind)
        if wrong is not None:
            raise ProposalProblem(wrong)
        said = _said(reason), _person(person)
        return self.proposals.propose(kind, name, subject_of(policy), *said, self._clock.now_ms(), by)

    def propose_clearance(
        self, found: TenantMatch, as_of: int, until: int, reason: str, people: Sequence[str], by: Person
    ) -> None:
        """Propose that a hit is somebody else until an instant; with two people it is decided at once.

        Raises:
            ProposalProblem: it ends in the past, nobody or no reason is named, or the same is proposed already.
        """
        match, now = found.match, self._clock.now_ms()
        if until <= now:
            raise ProposalProblem("A clearance ends in the future: give a later day.")
        digests = digest_of_query(match.query), digest_of_entry(match.hit.listed)
        what = decision(Clearance(*match.place, *digests, until, (), "", as_of))[CLEAR]
        assert isinstance(what, Mapping)
        names = tuple(map(_person, people))
        if len(names) == 2:
            self.proposals.decide(CLEAR, match.id, what, _said(reason), names, now, by)
        else:
            (person,) = names
            self.proposals.propose(CLEAR, match.id, what, _said(reason), person, now, by)

    def approve(self, number: int, person: str, by: Person) -> Proposal:
        """Be the second person; it is decided at once.

        Raises:
            ProposalProblem: nothing of that number waits, the same person proposed it, or what it is about has changed.
        """
        found, now = self.waiting(number), self._clock.now_ms()
        if found.kind in OF_POLICIES:
            policy = self.policy(found.subject)
            wrong = refusal(policy, found.kind)
            if wrong is None and policy.digest != found.body["digest"]:
                wrong = f"The file of {policy.name} says something else by now: refuse this, and propose it anew."
            if wrong is not None:
                raise ProposalProblem(wrong)
        until = found.body.get("until")
        if isinstance(until, int) and until <= now:
            raise ProposalProblem("This clearance would have ended by now: refuse it, and propose a later day.")
        return self.proposals.approve(number, _person(person), now, by)

    def drop(self, number: int, person: str, why: str, by: Person) -> Proposal:
        """Refuse what somebody else proposed, or withdraw what one proposed oneself.

        Raises:
            ProposalProblem: nothing of that number waits, or nobody or no reason is named.
        """
        return self.proposals.drop(number, _person(person), _said(why), self._clock.now_ms(), by)

    def waiting(self, number: int) -> Proposal:
        """A proposal that waits for an answer.

        Raises:
            ProposalProblem: nothing of that number does.
        """
        found = self.proposals.one(number)
        if found is None or found.verdict is not None:
            raise ProposalProblem(f"No proposal {number} waits for an answer: somebody was first, or it never was.")
        return found

    def waiting_of(self, subject: str, kinds: frozenset[str] = OF_POLICIES) -> Proposal:
        """What waits of a policy or a hit.

        Raises:
            ProposalProblem: nothing does.
        """
        for one in self.proposals.waiting():
            if one.subject == subject and one.kind in kinds:
                return one
        raise ProposalProblem(f"Nothing that was proposed of {subject} waits for an answer.")


def _person(name: str) -> str:
    person = " ".join(name.split())
    if not person:
        raise ProposalProblem("Somebody does this: name the person with --by.")
    return person


def _said(reason: str) -> str:
    if not reason.strip():
        raise ProposalProblem("This is done for a reason that others can check: give one.")
    return reason.strip()
