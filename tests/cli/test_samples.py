"""`flopwatch check --samples`: what foreign records would become, for whoever connects a source."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from monitor.intake.dialect import Options
from monitor.intake.translate import outcome
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


@pytest.mark.parametrize(("ending", "packed"), [(".gz", gzip.compress), (".zst", zstandard.compress)])
def test_a_packed_file_is_unpacked(tmp_path: Path, ending: str, packed: Callable[[bytes], bytes]) -> None:
    """As it would be where files are read; one that is cut off is told."""
    plain = BUILT / "cloudtrail" / "built-delivery-file.json"
    whole, half = tmp_path / f"whole.json{ending}", tmp_path / f"half.json{ending}"
    whole.write_bytes(packed(plain.read_bytes()))
    half.write_bytes(whole.read_bytes()[:-20])

    cut = flopwatch("check", "--samples", half)

    assert flopwatch("check", "--samples", plain).out == flopwatch("check", "--samples", whole).out
    assert (2, True) == (cut.code, "cannot be read: it is damaged or cut off" in cut.err)


SETTINGS = """
intake:
  topics: [{topic: aws, dialect: cloudtrail, source: /ours, tenant: acme}, {topic: scrapes, dialect: dcgm, source: /s}]
  files:
    logs: {paths: [a], foreign: {source: /logs}}
    scraped: {paths: [b], foreign: {dialect: dcgm, source: /s}}
  positions_file: p
"""


def test_samples_are_taken_as_the_translator_would_take_them(tmp_path: Path) -> None:
    """Of a topic: its dialect and what the settings say of it, so that the events are those that would be sent."""
    (tmp_path / "monitor.yaml").write_text(SETTINGS, encoding="utf-8")
    file = BUILT / "cloudtrail" / "built-delivery-file.json"
    sent = outcome(file.read_bytes(), "cloudtrail", Options("/ours", "acme"), 64_000_000).events

    ran = flopwatch("check", "--samples", file, "--as", "aws", "--config", tmp_path / "monitor.yaml", "--json")

    assert sent
    assert sent == [event for one in ran.document["records"] for event in one.get("events", [])]


def test_files_are_taken_by_the_line(tmp_path: Path) -> None:
    """A set of files has a record on each line, and a mark before the first is none of it."""
    (tmp_path / "monitor.yaml").write_text(SETTINGS, encoding="utf-8")
    lines = [b"\xef\xbb\xbf" + json.dumps(FIRST).encode(), *json.dumps(LAST, indent=1).encode().splitlines()]
    file = written(tmp_path / "entries.jsonl", lines)

    ran = flopwatch("check", "--samples", file, "--as", "logs", "--config", tmp_path / "monitor.yaml", "--json")

    first, *rest = ran.document["records"]
    assert ("gcp", "translated") == (first["dialect"], first["becomes"])
    assert (len(lines) - 1, {"refused"}) == (len(rest), {one["becomes"] for one in rest})


def test_a_file_knows_no_time_for_what_tells_none(tmp_path: Path) -> None:
    """Of a topic the broker's time counts; when a line is read says nothing of when it was written."""
    (tmp_path / "monitor.yaml").write_text(SETTINGS, encoding="utf-8")
    scrape = (BUILT / "dcgm" / "built-pod.prom").read_bytes().splitlines()
    timeless = [line.rpartition(b" ")[0] for line in scrape if line.startswith(b"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE")]
    file = written(tmp_path / "scrape.prom", timeless[:1])
    words = ("check", "--samples", file, "--config", tmp_path / "monitor.yaml", "--json", "--as")

    in_topic, in_file = (flopwatch(*words, name).document["records"] for name in ("scrapes", "scraped"))

    assert ["translated"] == [one["becomes"] for one in in_topic]
    assert ["time"] == [one["reason"] for one in in_file]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--samples", "x", "--as", "azure"],
            "no topic and no files of the name azure; those that it has: aws, logs, scraped, scrapes.",
        ),
        (["--as", "aws"], "--as is for --samples"),
        (["--samples", "x", "--as", "aws", "--dialect", "gcp"], "the settings say the dialect"),
    ],
)
def test_a_name_that_cannot_be_is_told(tmp_path: Path, words: list[str], sentence: str) -> None:
    """Names are those of the settings, which say all that is to be known of them."""
    (tmp_path / "monitor.yaml").write_text(SETTINGS, encoding="utf-8")

    ran = flopwatch("check", *words, "--config", tmp_path / "monitor.yaml")

    assert (2, True) == (ran.code, sentence in ran.err)


def test_a_record_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """By the limit of the settings, as the translator would refuse it."""
    (tmp_path / "monitor.yaml").write_text(SETTINGS + "  record_bytes_max: 1024\n", encoding="utf-8")
    file = written(tmp_path / "long.jsonl", [{"of": "x" * 1_024}])

    ran = flopwatch("check", "--samples", file, "--as", "aws", "--config", tmp_path / "monitor.yaml", "--json")

    assert ["bytes_limit"] == [one["reason"] for one in ran.document["records"]]


def test_a_file_that_is_not_there_or_empty(tmp_path: Path) -> None:
    """Nothing to read is no success."""
    missing = flopwatch("check", "--samples", tmp_path / "none")
    empty = flopwatch("check", "--samples", written(tmp_path / "empty", []))

    assert (2, True) == (missing.code, "cannot be read: no such file or directory." in missing.err)
    assert 1 == empty.code
