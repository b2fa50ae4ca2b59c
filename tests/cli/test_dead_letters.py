"""Dead letters through the command line: what is listed, shown, taken in after all, dismissed."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.cli.command import HELD, fact, flopwatch, written

GOOD = fact("allocation.started", "good", **HELD)
OTHER = fact("allocation.stopped", "other", "2026-03-01T01:00:00Z") | {"source": "//stranger"}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A store with three dead letters: one that is no JSON, one too large, one from a source that may not send."""
    config = tmp_path / "strict.yaml"
    config.write_text("allowed_sources:\n  /sim/*: []\nrecord_bytes_max: 4096\n", encoding="utf-8")
    events = written(tmp_path / "events.jsonl", [GOOD, b"{\x1b[31m\xff", b"[" + b" " * 5_000, OTHER])
    state = tmp_path / "books.db"
    assert 0 == flopwatch("replay", events, "--state", state, "--config", config, "--json").code
    return state


def test_letters_are_listed_and_shown(state: Path) -> None:
    """The list says why each was refused; what came from outside cannot touch the terminal."""
    listed = flopwatch("dead-letters", "list", "--state", state)
    letters = flopwatch("dead-letters", "list", "--state", state, "--json").document
    shown = flopwatch("dead-letters", "show", 1, "--state", state)
    as_json = flopwatch("dead-letters", "show", 1, "--state", state, "--json").document

    assert ["encoding", "bytes_limit", "source"] == [letter["reason"] for letter in letters]
    assert all(letter["reason"] in listed.out for letter in letters)
    assert "Refused as encoding: Byte 6 of the record is not UTF-8" in shown.out
    assert "{\\u001b[31m\\xff" in shown.out
    assert "\x1b" not in shown.out
    assert (b"{\x1b[31m\xff", 7) == (base64.b64decode(as_json["body_base64"]), as_json["bytes"])
    assert 1 == len(flopwatch("dead-letters", "list", "--state", state, "--kind", "source", "--json").document)
    assert "There are more" in flopwatch("dead-letters", "list", "--state", state, "--limit", 1).out


def test_a_letter_is_taken_in_by_the_next_replay(state: Path, tmp_path: Path) -> None:
    """The rule that kept it out was lifted: the replay after the request has the fact, and settles the letter."""
    asked = flopwatch("dead-letters", "replay", "--kind", "source", "--reason", "now allowed", "--state", state)
    assert "takes in 1 dead letter." in asked.out
    for _ in range(2):
        again = flopwatch("replay", tmp_path / "events.jsonl", "--state", state, "--json").document

    held = again["tenants"][0]["accelerator_us_certain"]
    assert {"H100 SXM 80GB": 8 * 3_600 * 10**6} == {
        name.replace("H100 SXM5 80GB", "H100 SXM 80GB"): held[name] for name in held
    }
    assert 0 == again["events"]["accepted"]
    assert ["waiting", "waiting", "replayed"] == [
        letter["state"] for letter in flopwatch("dead-letters", "list", "--all", "--state", state, "--json").document
    ]
    assert [] == flopwatch("verify", "--state", state, "--json").document["problems"]


def test_noise_is_dismissed(state: Path) -> None:
    """A dismissed letter waits no more and stays in the store."""
    assert (
        "Dismissed: 2 dead letters."
        in flopwatch("dead-letters", "dismiss", 1, 2, "--reason", "noise", "--state", state).out
    )
    assert 1 == len(flopwatch("dead-letters", "list", "--state", state, "--json").document)
    flopwatch("dead-letters", "dismiss", 3, "--reason", "noise", "--state", state)
    assert "No dead letters wait." in flopwatch("dead-letters", "list", "--state", state).out
    assert 3 == len(flopwatch("dead-letters", "list", "--state", state, "--all", "--json").document)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", 9), "There is no dead letter 9; `flopwatch dead-letters list` lists them."),
        (("replay", 9, "--reason", "x"), "There is no dead letter 9"),
        (("replay", 1, "--reason", "x"), "Dead letter 1 still cannot be taken in: Byte 6 of the record"),
        (("replay", "--reason", "x"), "Name dead letters by their numbers"),
        (("replay", 1, "--kind", "json", "--reason", "x"), "Name dead letters by their numbers"),
        (("replay", 3, "--reason", " "), "--reason is empty"),
        (("dismiss", "--kind", "wrong_key", "--reason", "x"), "No dead letter waits that was refused as wrong_key."),
    ],
)
def test_what_cannot_be_done_is_said(state: Path, words: tuple[object, ...], said: str) -> None:
    """A sentence, exit 2, and nothing changed."""
    ran = flopwatch("dead-letters", *words, "--state", state)

    assert (2, True) == (ran.code, said in ran.err)
    assert 3 == len(flopwatch("dead-letters", "list", "--state", state, "--json").document)


def test_a_settled_letter_is_not_settled_again(state: Path) -> None:
    """What was dismissed cannot be replayed."""
    flopwatch("dead-letters", "dismiss", 3, "--reason", "noise", "--state", state)

    ran = flopwatch("dead-letters", "replay", 3, "--reason", "x", "--state", state)

    assert "Dead letter 3 waits no more: it is dismissed." in ran.err
