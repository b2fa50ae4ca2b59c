"""Policies that two people have approved, or withdrawn, by digest: whoever changes a file asks for both anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitor.core.policy import Consent, Policy

APPROVE, WITHDRAW = "approve_policy", "withdraw_policy"


def subject_of(policy: Policy) -> dict[str, object]:
    """What a decision about a policy says of it."""
    return {"subject": policy.name, "digest": policy.digest}


def approved(decisions: Iterable[Mapping[str, object]]) -> frozenset[str]:
    """The digests of the policies that journalled decisions, in order, leave approved."""
    found = set[str]()
    for body in decisions:
        given, taken = body.get(APPROVE), body.get(WITHDRAW)
        if isinstance(given, Mapping):
            found.add(str(given["digest"]))
        if isinstance(taken, Mapping):
            found.discard(str(taken["digest"]))
    return frozenset(found)


def refusal(policy: Policy, kind: str) -> str | None:
    """Why nobody can propose this of a policy as it stands, as a sentence; None: somebody can."""
    if policy.consent is Consent.FILE:
        return f"{policy.name} takes no approval: it is shipped, or `policies.approval` leaves it to the files."
    if kind == APPROVE and policy.consent is Consent.GIVEN:
        return f"{policy.name} is approved already."
    if kind == WITHDRAW and policy.consent is Consent.WAITING:
        return f"{policy.name} is not approved, so there is nothing to withdraw."
    return None
