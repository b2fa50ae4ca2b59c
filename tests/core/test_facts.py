"""Which of several facts counts: the canonical form, conflicts by hash, repetitions, retractions."""

from __future__ import annotations

import json

import pytest

from monitor.core.facts import canonical, content_hash, effective, repeats, same_content
from monitor.core.model import Observation
from monitor.intake.decode import decode_facts
from tests.core.table import events

START = events("0 start x count=2 id=a")[0]
OTHER = events("0 start x count=4 id=a")[0]


def respelled(raw: bytes, **more: object) -> bytes:
    """The same event with other blanks and another order of its keys, and further attributes."""
    event = {**json.loads(raw), **more}
    return json.dumps(dict(reversed(event.items())), indent=1).encode()


def test_one_fact_written_in_two_ways() -> None:
    """Blanks, the order of keys and `recordedtime` make no other fact; anything else does."""
    assert same_content(START, START)
    assert same_content(START, respelled(START, recordedtime="2025-01-01T00:00:09Z"))
    assert not same_content(START, OTHER)
    assert not same_content(START, respelled(START, subject="x"))


def test_the_canonical_form_is_utf8() -> None:
    """Names in any script stand as themselves, so that every implementation finds the same hash."""
    assert '{"a":"Ω","b":[1,2.5]}'.encode() == canonical(b'{"b": [1, 2.5], "a": "\\u03a9"}')


def test_numbers_too_long_to_read() -> None:
    """An event with a number of more digits than Python reads stands for itself."""
    raw = b'{"data": {"extra": ' + b"9" * 5_000 + b"}}"
    assert raw == canonical(raw)


@pytest.mark.parametrize("order", [[START, OTHER], [OTHER, START], [START, OTHER, respelled(START)]])
def test_the_greater_hash_counts(order: list[bytes]) -> None:
    """Of one identity with two contents the one with the greater hash counts, in whatever order they came."""
    (winner,) = effective(decode_facts(order))
    assert max(START, OTHER, key=content_hash) == winner.raw


def test_both_contents_are_kept_once_each() -> None:
    """Repetitions are dropped, another content of the same identity is not."""
    kept: list[Observation] = []
    for fact in decode_facts([START, OTHER, respelled(START), OTHER]):
        if not repeats(fact, kept):
            kept.append(fact)
    assert [START, OTHER] == [fact.raw for fact in kept]


def test_a_retraction_takes_back_every_content() -> None:
    """What was retracted does not count, neither the winner nor the one that had lost to it."""
    facts = decode_facts([START, OTHER, *events("5 stop x id=b")])
    assert ["b"] == [fact.id for fact in effective(facts, {("s", "a")})]
