"""The store as a whole on the command line: brought up to date, copied, made of a copy."""

from __future__ import annotations

from pathlib import Path

from monitor.store.schema import REVISION
from tests.cli.command import HELD, flopwatch, written


def test_a_store_is_made_copied_and_made_again(tmp_path: Path) -> None:
    """Each step says what it did, for people and for programs, and the books are the same in the end."""
    events = written(tmp_path / "events.jsonl", HELD)
    first, second, saved = (tmp_path / name for name in ("first.db", "second.db", "saved"))

    assert {"before": None, "after": REVISION} == flopwatch("migrate", "--state", first, "--json").document
    assert f"The store is up to date: its tables stand at {REVISION}." in flopwatch("migrate", "--state", first).out
    assert 0 == flopwatch("replay", events, "--state", first).code
    made = flopwatch("backup", "--out", saved, "--state", first, "--json").document
    assert (str(saved), REVISION) == (made["file"], made["revision"])
    told = flopwatch("restore", saved, "--state", second, "--by", "ana", "--reason", "a try")
    assert made["sha256"] in told.out
    assert "deploy/operations/backup.md" in told.out
    before, after = (flopwatch("verify", "--state", store, "--json").document for store in (first, second))
    assert before == after
    again = flopwatch("restore", saved, "--state", second, "--by", "ana", "--reason", "a try")
    assert 2 == again.code
    assert "nothing is replaced" in again.err
