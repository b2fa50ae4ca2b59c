"""The audit chain: whatever is done to it, the first bad row is named; and what stands for people in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.audit import (
    GENESIS,
    NAMED,
    OPERATOR,
    Broken,
    Checkpoint,
    Entry,
    Fault,
    Personal,
    Row,
    Verdict,
    act_of,
    canonical,
    chained,
    checkpoint_from,
    checkpoint_line,
    people_of,
    personal_hash,
    verify,
    with_people,
)
from monitor.core.clearances import Clearance, decision
from monitor.core.clocks import knowledge_decision, viewed_decision

AT = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def chain(count: int, act: str = "flag.closed", start: Sequence[Row] = ()) -> list[Row]:
    """So many rows after those that are there."""
    rows = list(start)
    for number in range(len(rows) + 1, len(rows) + count + 1):
        entry = Entry(number, AT + number, "ana", act, f"F-{number}", canonical({"reason": f"no {number}"}))
        rows.append(chained(rows[-1].hash if rows else GENESIS, entry))
    return rows


def at_row(rows: Sequence[Row], count: int) -> Checkpoint:
    """A checkpoint over the first rows."""
    return Checkpoint(AT, count, rows[count - 1].hash if count else GENESIS)


def changed(row: Row, **fields: Any) -> Row:
    """The row with other fields, its hash as it was."""
    own = {name: value for name, value in fields.items() if name in Row._fields}
    of_entry = {name: value for name, value in fields.items() if name in Entry._fields}
    return row._replace(entry=row.entry._replace(**of_entry), **own)


# -- a sound chain ---------------------------------------------------------------------------------------------------


def test_a_row_holds_the_hash_of_the_one_before() -> None:
    """Anybody can compute it: SHA-256 of the canonical JSON of a list that begins with that hash."""
    entry = Entry(1, AT, "ana", "flag.closed", "F-ü", '{"reason":"ok"}')

    row = chained(GENESIS, entry)

    text = json.dumps([GENESIS, 1, AT, "ana", "flag.closed", "F-ü", '{"reason":"ok"}'], separators=(",", ":"))
    assert (GENESIS, hashlib.sha256(text.encode()).hexdigest()) == (row.previous, row.hash)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_sound_chain_is_sound(count: int) -> None:
    """Of any length, without checkpoints and with those that were taken of it."""
    rows = chain(count)
    head = rows[-1].hash if rows else GENESIS

    assert Verdict(count, head, 0, None) == verify(rows)
    taken = [at_row(rows, number) for number in range(count, -1, -1)]
    assert Verdict(count, head, count, None) == verify(iter(rows), taken + taken)


def test_rows_after_the_last_checkpoint_are_covered_by_none() -> None:
    """The verdict says up to which row a checkpoint vouches."""
    rows = chain(5)

    assert 3 == verify(rows, [at_row(rows, 1), at_row(rows, 3)]).covered


def test_odd_texts_have_a_hash() -> None:
    """Lone surrogates and NUL, which come from other people's systems, are texts as any other."""
    entry = Entry(1, AT, "\x00", "\ud800", "\x1a", "{}")

    assert verify([chained(GENESIS, entry)]).broken is None


# -- what is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("at", AT),
        ("actor", "bo"),
        ("act", "flag.close"),
        ("subject", "F-2"),
        ("body", '{"reason": "no 3"}'),
        ("previous", GENESIS),
        ("hash", GENESIS),
    ],
)
def test_a_changed_field_is_named(field: str, value: object) -> None:
    """Any field of a row, the hashes included, and be it a blank in the body."""
    rows = chain(5)
    rows[2] = changed(rows[2], **{field: value})

    verdict = verify(rows)

    expected = Broken(3, 3, Fault.CHANGED, "Row 3 was changed: its hash is another one.")
    assert (2, rows[1].hash, expected) == (verdict.rows, verdict.head, verdict.broken)


def test_a_row_that_was_made_anew_does_not_follow_or_is_not_followed() -> None:
    """With its hash computed again, the row after it does not follow from it."""
    rows = chain(5)
    rows[2] = chained(rows[1].hash, rows[2].entry._replace(act="flag.viewed"))

    why = "Row 4 does not follow from row 3: one of the two was made anew."
    assert Broken(4, 4, Fault.UNLINKED, why) == verify(rows).broken


def test_a_chain_that_begins_elsewhere_is_named() -> None:
    """The first row follows from nothing."""
    row = chained("f" * 64, chain(1)[0].entry)

    why = "Row 1 does not follow from the beginning of a chain."
    assert Broken(1, 1, Fault.UNLINKED, why) == verify([row]).broken


@pytest.mark.parametrize(
    ("gone", "last", "why"),
    [
        (slice(2, 3), 3, "Row 3 is missing: row 4 comes next."),
        (slice(2, 4), 4, "Rows 3 to 4 are missing: row 5 comes next."),
    ],
)
def test_missing_rows_are_named(gone: slice, last: int, why: str) -> None:
    """In the middle, one or more."""
    rows = chain(6)
    del rows[gone]

    assert Broken(3, last, Fault.MISSING, why) == verify(rows).broken


@pytest.mark.parametrize(("number", "where", "expected"), [(0, 0, 1), (2, 3, 4)])
def test_an_added_row_is_named(number: int, where: int, expected: int) -> None:
    """Before the first, or a number that was there."""
    rows = chain(4)
    rows.insert(where, changed(rows[0], number=number))

    why = f"Row {number} was added: row {expected} is expected here."
    assert Broken(number, number, Fault.ADDED, why) == verify(rows).broken


@pytest.mark.parametrize(
    ("covered", "first", "rows_"), [([], 1, "One of rows 1 to 4"), ([2], 3, "One of rows 3 to 4"), ([3], 4, "Row 4")]
)
def test_a_chain_made_anew_disagrees_with_its_checkpoint(covered: list[int], first: int, rows_: str) -> None:
    """Whole in itself, it is another one: named are the rows since the last checkpoint that agrees."""
    was = chain(6)
    now = chain(3, "flag.viewed", was[:3])
    now = now if covered == [3] else chain(6 - (covered or [0])[0], "flag.viewed", was[: (covered or [0])[0]])

    verdict = verify(now, [at_row(was, 4), *(at_row(was, count) for count in covered)])

    at = "2026-01-01T00:00:00Z"
    why = f"{rows_} was made anew, or the checkpoint of {at} was: it has another hash for row 4."
    assert Broken(first, 4, Fault.REWRITTEN, why) == verdict.broken


@pytest.mark.parametrize(("length", "missing"), [(4, "Row 5 is"), (2, "Rows 3 to 5 are"), (0, "Rows 1 to 5 are")])
def test_a_chain_that_was_cut_off_is_shorter_than_its_checkpoint(length: int, missing: str) -> None:
    """The furthest checkpoint says how many rows are missing."""
    rows = chain(5)

    verdict = verify(rows[:length], [at_row(rows, 3), at_row(rows, 5)])

    why = f"{missing} missing at the end: the checkpoint of 2026-01-01T00:00:00Z counts 5."
    assert Broken(length + 1, 5, Fault.CUT_OFF, why) == verdict.broken


def test_a_false_checkpoint_of_nothing_is_named() -> None:
    """Before the first row there is one hash only; nothing after it is looked at."""
    verdict = verify(chain(2), [Checkpoint(AT, 0, "f" * 64)])

    assert (0, 0) == (verdict.rows, verdict.covered)
    assert verdict.broken is not None
    assert (0, 0, Fault.REWRITTEN) == verdict.broken[:3]


def test_the_last_row_may_be_the_one_that_disagrees() -> None:
    """A checkpoint of the whole chain with another hash is told although no row comes after it."""
    rows = chain(2)

    broken = verify(rows, [at_row(rows, 1), Checkpoint(AT, 2, GENESIS)]).broken

    assert broken is not None
    assert (2, 2, Fault.REWRITTEN) == broken[:3]


# -- properties ------------------------------------------------------------------------------------------------------

LENGTHS = st.integers(1, 12)


def other_byte(text: str, place: int, step: int) -> str:
    """The text with another character at one place."""
    place %= len(text)
    return text[:place] + chr((ord(text[place]) + step) % 0x110000) + text[place + 1 :]


@given(LENGTHS, st.data())
def test_one_changed_character_anywhere_is_found_at_its_row(count: int, data: st.DataObject) -> None:
    """Whatever row, field, character and bit: the row is named."""
    rows = chain(count)
    bad = data.draw(st.integers(0, count - 1))
    field = data.draw(st.sampled_from(("at", "actor", "act", "subject", "body", "previous", "hash")))
    step = data.draw(st.integers(1, 0x10FFFF))
    was = getattr(rows[bad] if field in Row._fields else rows[bad].entry, field)
    now = was + step if isinstance(was, int) else other_byte(was, data.draw(st.integers(0, 63)), step)
    rows[bad] = changed(rows[bad], **{field: now})

    broken = verify(rows, [at_row(chain(count), count)]).broken

    assert broken is not None
    assert (bad + 1, bad + 1, Fault.CHANGED) == broken[:3]


@given(st.integers(2, 12), st.data())
def test_swapped_rows_are_found_at_the_first(count: int, data: st.DataObject) -> None:
    """Two rows that take each other's place, with or without the numbers of it."""
    rows = chain(count)
    one, two = sorted(data.draw(st.lists(st.integers(0, count - 1), min_size=2, max_size=2, unique=True)))
    rows[one], rows[two] = rows[two], rows[one]
    if data.draw(st.booleans()):
        rows = [changed(row, number=number) for number, row in enumerate(rows, 1)]

    broken = verify(rows).broken

    assert broken is not None
    assert one + 1 == broken.first


@given(st.integers(2, 12), st.data())
def test_a_gap_is_found_where_it_is(count: int, data: st.DataObject) -> None:
    """Rows that are gone before the last one are named, first and last."""
    rows = chain(count)
    last = data.draw(st.integers(1, count - 1))
    first = data.draw(st.integers(1, last))
    del rows[first - 1 : last]

    broken = verify(rows).broken

    assert broken is not None
    assert (first, last, Fault.MISSING) == broken[:3]


@given(LENGTHS, st.data())
def test_rows_cut_off_below_a_checkpoint_are_found(count: int, data: st.DataObject) -> None:
    """Also when others were put in their place since: then the checkpoint has another hash."""
    rows = chain(count)
    left = data.draw(st.integers(0, count - 1))
    again = data.draw(st.integers(0, count))
    now = chain(again, "flag.viewed", rows[:left])

    broken = verify(now, [at_row(rows, left), at_row(rows, count)]).broken

    assert broken is not None
    cut_off = left + again < count
    first = left + again + 1 if cut_off else left + 1
    assert (first, Fault.CUT_OFF if cut_off else Fault.REWRITTEN) == broken[::2]


# -- checkpoints -----------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_one_line() -> None:
    """Of canonical JSON, which gives the same checkpoint back."""
    checkpoint = Checkpoint(AT, 7, "a" * 64)

    line = checkpoint_line(checkpoint)

    assert f'{{"at":1767225600000,"head":"{"a" * 64}","rows":7}}' == line
    assert checkpoint == checkpoint_from(line) == checkpoint_from(line.encode())


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "7",
        "{}",
        b"\xff",
        '{"at":1,"rows":1,"head":"x","more":1}',
        '{"at":1.5,"rows":1,"head":"x"}',
        '{"at":true,"rows":1,"head":"x"}',
        '{"at":1,"rows":-1,"head":"x"}',
        '{"at":1,"rows":"1","head":"x"}',
        '{"at":1,"rows":1,"head":7}',
    ],
)
def test_what_is_no_checkpoint_is_refused(line: str | bytes) -> None:
    """A line that was torn or belongs to something else."""
    with pytest.raises(ValueError, match=r"[a-z]"):
        checkpoint_from(line)


# -- people and decisions --------------------------------------------------------------------------------------------


def test_the_hash_of_a_person_depends_on_salt_kind_and_value() -> None:
    """And on nothing else; parts of one never count as parts of another."""
    hashes = [
        personal_hash("salt", NAMED, "ana"),
        personal_hash("other", NAMED, "ana"),
        personal_hash("salt", OPERATOR, "ana"),
        personal_hash("salt", NAMED, "bo"),
        personal_hash("salt", NAMED + "a", "na"),
    ]

    assert len(hashes) == len(set(hashes))
    assert hashes[0] == personal_hash("salt", NAMED, "ana")
    assert "sha256:" == hashes[0][:7]
    assert 71 == len(hashes[0])


def test_people_are_shown_while_they_are_known() -> None:
    """The user of the operating system is marked as such; of whom was erased there is the beginning of a hash."""
    hash = "sha256:0123456789abcdef"

    assert "ana" == Personal(hash, NAMED, "ana").shown
    assert "ana (operating system user)" == Personal(hash, OPERATOR, "ana").shown
    assert "erased (0123456789ab…)" == Personal(hash, NAMED, None).shown


CLEARANCE = Clearance("tenant acme", "list", "7", "sha256:1", "sha256:2", AT, ("ana", "bo"), "no match", AT)


@pytest.mark.parametrize(
    ("body", "act", "subject", "people"),
    [
        ({"close": "F-1", "reason": "ok"}, "flag.closed", "F-1", []),
        (viewed_decision("F-1", "ana", AT), "flag.viewed", "F-1", ["ana"]),
        (knowledge_decision("F-1", ["ana", "bo"], AT, "seen"), "flag.known", "F-1", ["ana", "bo"]),
        (decision(CLEARANCE), "hit.cleared", "tenant acme", ["ana", "bo"]),
        ({"reopen_hit": {"source": "list"}}, "hit.reopened", "", []),
        ({"accept": "topic", "partition": 3}, "position.accepted", "topic", []),
        ({"replay_dead_letters": [3]}, "letters.replayed", "3", []),
        ({"dismiss_dead_letters": [3, 4, 9]}, "letters.dismissed", "3 and 2 more", []),
        ({"past_limit": []}, "limit.passed", "", []),
        ({"partitions": 8}, "books.repartitioned", "8", []),
        ({"reason": "something else", "by": "ana"}, "decided", "", []),
    ],
)
def test_a_decision_has_an_act_a_subject_and_people(
    body: dict[str, object], act: str, subject: str, people: list[str]
) -> None:
    """Each decision that people take has a name of its own."""
    assert ((act, subject), people) == (act_of(body), people_of(body))


def test_people_of_a_decision_are_put_in_each_others_place() -> None:
    """Those who are known, in their order; a decision that names nobody stays as it is."""
    body: dict[str, object] = {"close": "F-1", "by": ["ana", "bo", "cy"], "reason": "ana"}

    assert {**body, "by": ["1", "bo", "3"]} == with_people(body, {"ana": "1", "cy": "3"})
    assert {"close": "F-1"} == with_people({"close": "F-1"}, {"ana": "1"})
