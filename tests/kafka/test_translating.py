"""The translator between real topics: what clouds send ends in the books that the same facts make without the hop."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.core.model import SECOND_MS
from monitor.intake.dialect import Options, line
from monitor.intake.translate import outcome
from monitor.simulate.scenarios import START
from tests.cli.command import flopwatch
from tests.intake.test_cloudtrail import call
from tests.kafka.test_bad_input import SECONDS
from tests.kafka.workers import Site, until
from tests.servers.kafka import Topics

SOURCE = "/aws"
INSTANCES = 2_000
BYTES_MAX = 64_000_000


def records() -> list[bytes]:
    """Calls that launch and end instances of ten accounts, as CloudTrail tells of them, one a record."""
    told = []
    for number in range(INSTANCES):
        account, name = f"{number % 10:012d}", f"i-{number:017x}"
        begun = START + number * SECOND_MS
        item = {"instanceId": name, "instanceType": "p5.48xlarge", "currentState": {"name": "running"}}
        told.append(call("RunInstances", account, begun, [item]))
        ended = {"instanceId": name, "currentState": {"name": "shutting-down"}}
        told.append(call("TerminateInstances", account, begun + 3_600 * SECOND_MS, [ended]))
    return [json.dumps(one).encode() for one in told]


def canonical(foreign: list[bytes]) -> list[bytes]:
    """The events that they are, without any hop."""
    return [line(one) for raw in foreign for one in outcome(raw, "cloudtrail", Options(SOURCE), BYTES_MAX).events]


def digests(site: Site, lines: list[bytes]) -> tuple[object, object]:
    """Of the books of a replay of these events."""
    path = site.folder / "events.jsonl"
    path.write_bytes(b"".join(lines))
    answer = site.answer("replay", str(path))
    return answer["as_of"], answer["books_digest"]


@pytest.fixture
def site(topics: Topics, tmp_path: Path) -> Iterator[Site]:
    """Two partitions, and the books in a file."""
    site = Site(tmp_path, topics, f"sqlite:///{tmp_path / 'books.db'}", 2)
    yield site
    site.close()


def test_a_translator_that_is_killed_loses_nothing_and_doubles_nothing(site: Site, topics: Topics) -> None:
    """Killed twice in the middle, with records that nobody can read among the others: the same books, and the bad
    ones in the topic of dead letters.
    """
    foreign, letters = topics.create(3), topics.create(1)
    told = records()
    topics.write(foreign, [(None, one) for one in told[:1_500]])
    topics.write(foreign, [(None, b"no record"), (None, b'{"neither": "this"}')])
    settings = {
        "INTAKE__TOPICS": json.dumps([{"topic": foreign, "dialect": "cloudtrail", "source": SOURCE}]),
        "INTAKE__GROUP": f"group-{foreign}",
        "KAFKA__DEAD_LETTER_TOPIC": letters,
    }
    worker = site.start()
    translator = site.start("intake", **settings)
    until(lambda: (translator.metric("flopwatch_intake_events_total") or 0) > 100, SECONDS, "events", site)
    for start in (1_500, 2_750):
        translator.kill()
        topics.write(foreign, [(None, one) for one in told[start : start + 1_250]])
        translator.start()
        until(lambda: (translator.metric("flopwatch_intake_events_total") or 0) > 100, SECONDS, "events", site)

    as_of, expected = digests(site, canonical(told))
    until(lambda: site.read() >= len(told), SECONDS, "the books", site)
    until(lambda: translator.metric("flopwatch_intake_lag_records") == 0, SECONDS, "the end", site)
    until(site.read_to_the_end, SECONDS, "the end of the topics", site)
    assert 1 == translator.metric("flopwatch_intake_trouble") or "reads and writes" in translator.page("/healthz")
    translator.stop()
    worker.stop()
    assert expected == site.answer("verify", "--as-of", as_of)["books_digest"]
    assert topics.ends({letters: 1})[letters, 0] >= 1


def test_files_are_translated_beside_topics_whoever_is_killed(site: Site, topics: Topics) -> None:
    """A log that grows and a folder that fills, with a topic; killed twice: the same books, letters that name files."""
    foreign, letters, folder = topics.create(1), topics.create(1), site.folder / "trail"
    folder.mkdir()
    told, log = records(), folder / "audit.jsonl"
    in_topic, grown, delivered = told[:500], told[500:2_000], told[2_000:]
    settings = {
        "INTAKE__TOPICS": json.dumps([{"topic": foreign, "dialect": "cloudtrail", "source": SOURCE}]),
        "INTAKE__GROUP": f"group-{foreign}",
        "INTAKE__FILES": json.dumps(
            {
                "audit": {"paths": [str(log)], "foreign": {"dialect": "cloudtrail", "source": SOURCE}},
                "trail": {"paths": [f"{folder}/**/*.json.gz"], "foreign": {"source": SOURCE}},
            }
        ),
        "INTAKE__POSITIONS_FILE": site.folder / "positions.json",
        "KAFKA__DEAD_LETTER_TOPIC": letters,
    }

    def more(part: int) -> None:
        """A third of everything: lines, files of 40 calls, and what is neither."""
        with log.open("ab") as file:
            file.write(b"".join(one + b"\n" for one in grown[part::3]))
            file.write(b"no record of part %d\n" % part)
        (folder / str(part)).mkdir()
        mine = delivered[part::3]
        for number in range(0, len(mine), 40):
            document = b'{"Records": [' + b",".join(mine[number : number + 40]) + b"]}"
            (folder / str(part) / f"{number}.json.gz").write_bytes(gzip.compress(document))

    topics.write(foreign, [(None, one) for one in in_topic])
    more(0)
    worker = site.start()
    translator = site.start("intake", **settings)
    for part in (1, 2):
        until(lambda: (translator.metric("flopwatch_intake_events_total") or 0) > 100, SECONDS, "events", site)
        translator.kill()
        more(part)
        translator.start()

    as_of, expected = digests(site, canonical(told))
    until(lambda: site.read() >= len(told), SECONDS, "the books", site)
    for lag in ("flopwatch_intake_lag_records", "flopwatch_intake_lag_bytes"):
        until(lambda lag=lag: translator.metric(lag) == 0, SECONDS, f"the end, by {lag}", site)
    until(site.read_to_the_end, SECONDS, "the end of the topics", site)
    translator.stop()
    worker.stop()
    assert expected == site.answer("verify", "--as-of", as_of)["books_digest"]
    found = topics.read(letters, 3)
    assert {(str(log), "0", "json")} == {(one["topic"], one["partition"], one["reason"]) for one, _, _ in found}
    assert {b"no record of part %d" % part for part in range(3)} == {body for _, _, body in found}


def test_a_topic_that_is_missing_is_said(site: Site, topics: Topics) -> None:
    """Without the topic of control facts it says so and ends; once that is there it goes on where it was."""
    foreign = topics.create(1)
    topics.write(foreign, [(None, one) for one in records()[:50]])
    topics.remove(site.control)
    settings = {
        "INTAKE__TOPICS": json.dumps([{"topic": foreign, "source": SOURCE}]),
        "KAFKA__REQUEST_SECONDS": 3,
        "INTAKE__GROUP": f"group-{foreign}",
    }
    translator = site.start("intake", **settings)
    until(lambda: not translator.running, SECONDS, "the refusal", site)
    assert "Kafka has no topic" in translator.logged()
    topics.create(1, site.control)
    translator.start()
    until(lambda: translator.metric("flopwatch_intake_events_total") == 50, SECONDS, "the events", site)
    translator.stop()


def test_a_translator_without_anything_to_translate_says_so(tmp_path: Path) -> None:
    """The sentence names the settings."""
    (tmp_path / "monitor.yaml").write_text(f"store_url: 'sqlite:///{tmp_path / 'books.db'}'\n", encoding="utf-8")
    refused = flopwatch("run", "--role", "intake", "--config", tmp_path / "monitor.yaml")

    assert 2 == refused.code
    assert "`intake.topics`" in refused.err
