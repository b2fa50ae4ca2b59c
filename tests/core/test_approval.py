"""Policies that take two people: what counts, what supersedes, and what decisions leave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.core.approval import APPROVE, WITHDRAW, approved, refusal, subject_of
from monitor.core.policy import Aggregation, Consent, Policy, by_rule, consented, rules_in_force, standing, superseding
from tests.core.asked import policy, rule

DAY = 86_400_000
FIRST = replace(policy(rule(), start=DAY), digest="sha256:first")
SECOND = replace(FIRST, version=FIRST.version + 1, supersedes=FIRST.version, digest="sha256:second")
OWN = replace(SECOND, consent=Consent.WAITING)


def rules(policies: tuple[Policy, ...]) -> set[tuple[str, str]]:
    """The rules that count, each with the policy that it counts under."""
    return {(policy.name, rule.id) for policy, rule in rules_in_force(policies, DAY, list(Aggregation))}


def test_what_waits_tells_nobody_and_supersedes_nothing() -> None:
    """Until two people have approved it the version before it goes on; then it takes its place."""
    before, after = consented((FIRST, OWN), frozenset()), consented((FIRST, OWN), frozenset({OWN.digest}))

    assert rules((FIRST,)) == rules(before)
    assert {SECOND.name} == {name for name, _ in rules(after)}
    assert [Consent.FILE, Consent.WAITING] == [one.consent for one in before]
    assert [Consent.FILE, Consent.GIVEN] == [one.consent for one in after]
    assert ["applies", "waits"] == [standing(one, DAY) for one in before]
    assert ["never applied", "applies"] == [standing(one, DAY) for one in after]
    assert before == consented(after, frozenset())


def test_the_approval_of_another_file_counts_for_nothing() -> None:
    """It is of a digest: whoever changes the file asks for it anew."""
    assert consented((FIRST, OWN), frozenset()) == consented((FIRST, OWN), frozenset({"sha256:before"}))


def test_what_asks_for_no_approval_is_left_alone() -> None:
    """Shipped policies are the same object as before, whatever was decided."""
    shipped = superseding([FIRST, SECOND])

    assert consented(shipped, frozenset({"sha256:other"})) is shipped


def test_a_rule_is_the_one_of_the_version_that_counts() -> None:
    """The latest of several; one that waits only where nothing else has the rule."""
    name = FIRST.rules[0].id

    assert SECOND.name == by_rule([SECOND, FIRST])[name][0].name
    assert FIRST.name == by_rule([FIRST, OWN])[name][0].name
    assert OWN.name == by_rule([OWN])[name][0].name


def test_decisions_in_order_leave_what_is_approved() -> None:
    """What was withdrawn is no longer; what was approved again is. Other decisions say nothing of it."""
    first, second = {APPROVE: subject_of(FIRST)}, {APPROVE: subject_of(SECOND)}
    taken = {WITHDRAW: subject_of(FIRST)}

    assert frozenset() == approved([{"close": "F-1"}, taken])
    assert {FIRST.digest, SECOND.digest} == approved([first, second])
    assert {SECOND.digest} == approved([first, second, taken])
    assert {FIRST.digest, SECOND.digest} == approved([first, second, taken, first])


@pytest.mark.parametrize(
    ("consent", "kind", "sentence"),
    [
        (Consent.FILE, APPROVE, "takes no approval"),
        (Consent.FILE, WITHDRAW, "takes no approval"),
        (Consent.WAITING, APPROVE, None),
        (Consent.WAITING, WITHDRAW, "is not approved, so there is nothing to withdraw."),
        (Consent.GIVEN, APPROVE, "is approved already."),
        (Consent.GIVEN, WITHDRAW, None),
    ],
)
def test_what_can_be_proposed_of_a_policy(consent: Consent, kind: str, sentence: str | None) -> None:
    """What changes something; all else is refused with a sentence."""
    found = refusal(replace(OWN, consent=consent), kind)

    assert (sentence is None) == (found is None)
    assert found is None or (sentence is not None and sentence in found)


@pytest.mark.parametrize(
    ("now", "expected"), [(DAY - 1, "not yet"), (DAY, "applies"), (2 * DAY, "superseded"), (3 * DAY, "superseded")]
)
def test_how_a_superseded_policy_stands(now: int, expected: str) -> None:
    """By its own first day and by that of the version that takes its place."""
    first, _ = superseding([FIRST, replace(SECOND, effective_from=2 * DAY)])

    assert expected == standing(first, now)


def test_a_policy_that_ended_says_so() -> None:
    """By its own last day, without another version."""
    assert "ended" == standing(replace(FIRST, effective_to=2 * DAY), 2 * DAY)
