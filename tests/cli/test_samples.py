"""`flopwatch check --samples`: what foreign records would become, for whoever connects a source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import HELD, fact, flopwatch, written
from tests.intake.foreign import BUILT

FIRST, LAST, PREEMPTED = (
    json.loads((BUILT / "gcp" / f"built-{name}.json").read_bytes())
    for name in ("insert-first", "insert-last", "preempted")
)
OTHERS = {"logName": "projects/p/logs/x"}


def test_records_of_several_dialects_in_one_file(tmp_path: Path) -> None:
    """Each line is taken for what it is: events, a reason why none, or a reason why it is refused."""
    file = written(
        tmp_path / "mixed.jsonl",
        [
            fact("allocation.started", "a", **HELD),
            b"",
            PREEMPTED,
            {"logName": "projects/p/logs/x"},
            {"of": "nobody"},
            b"{",
        ],
    )

    ran = flopwatch("check", "--samples", file, "--json")

    told = [(one["line"], one["dialect"], one["becomes"]) for one in ran.document["records"]]
    assert 1 == ran.code
    assert [
        (1, "canonical", "translated"),
        (3, "gcp", "translated"),
        (4, "gcp", "ignored"),
        (5, None, "refused"),
        (6, None, "refused"),
    ] == told
    assert ["envelope", "json"] == [one["reason"] for one in ran.document["records"][3:]]


@pytest.mark.parametrize(
    "name",
    [
        "slurm/built-sacct.txt",
        "dcgm/built-pod.prom",
        "cloudtrail/built-delivery-file.json",
        "kubernetes/built-watch-added.json",
        "azure/built-event-hub-write.json",
        "nova/built-create-end-oslo.json",
        "eventbridge/built-running.json",
    ],
)
def test_a_file_of_each_dialect_is_recognised(name: str) -> None:
    """Whole documents and whole texts are read as one, whichever dialect they are of."""
    ran = flopwatch("check", "--samples", BUILT / name, "--json")

    assert {name.partition("/")[0]} == {one["dialect"] for one in ran.document["records"]}
    assert "translated" in {one["becomes"] for one in ran.document["records"]}


def test_the_table_says_what_becomes_of_what(tmp_path: Path) -> None:
    """People see a row for each event, and the reason of what becomes none."""
    file = written(tmp_path / "entries.jsonl", [LAST, OTHERS, {"of": "nobody"}])

    head, started, ignored, refused, summary = flopwatch("check", "--samples", file).out.splitlines()

    assert ["line", "dialect", "record", "becomes"] == head.split()
    assert "allocation.started gce/" in started
    assert "ignored: " in ignored
    assert "refused (envelope): The record is of no dialect that is known" in refused
    assert "1 translated; 1 ignored; 1 refused." == summary


def test_an_event_that_a_worker_would_refuse_is_refused_here(tmp_path: Path) -> None:
    """What is canonical passes a translator as it is, so its faults are told by the rules of events."""
    file = written(tmp_path / "wrong.jsonl", [fact("allocation.started", "a", count=-1), fact("weather.changed", "b")])

    wrong, unknown = flopwatch("check", "--samples", file, "--json").document["records"]

    assert ("refused", "field") == (wrong["becomes"], wrong["reason"])
    assert ("refused", "type") == (unknown["becomes"], unknown["reason"])


def test_a_named_dialect_is_taken_at_its_word(tmp_path: Path) -> None:
    """What is not of the dialect that was named is refused by it."""
    file = written(tmp_path / "entries.jsonl", [FIRST])

    ran = flopwatch("check", "--samples", file, "--dialect", "nova", "--json")

    assert [("nova", "refused")] == [(one["dialect"], one["becomes"]) for one in ran.document["records"]]


def test_a_file_that_is_not_there_or_empty(tmp_path: Path) -> None:
    """Nothing to read is no success."""
    missing = flopwatch("check", "--samples", tmp_path / "none")
    empty = flopwatch("check", "--samples", written(tmp_path / "empty", []))

    assert (2, True) == (missing.code, "cannot be read: no such file or directory." in missing.err)
    assert 1 == empty.code
