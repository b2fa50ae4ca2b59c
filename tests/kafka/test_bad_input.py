"""What a worker says and keeps when topics are not what they were, or records are not what they should be."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.simulate.scenarios import simulate
from monitor.store.sql import SqlStore
from tests.kafka.workers import COMMAND, Site, until
from tests.servers.kafka import Topics

SECONDS = 60.0
LARGE = 10 * 1024 * 1024


@pytest.fixture
def site(topics: Topics, tmp_path: Path) -> Iterator[Site]:
    """Two partitions, and the books in a file."""
    site = Site(tmp_path, topics, f"sqlite:///{tmp_path / 'books.db'}", 2)
    yield site
    site.close()


def events() -> list[bytes]:
    """A quiet provider."""
    return list(simulate("quiet").events())


def verified(site: Site, lines: list[bytes]) -> bool:
    """Whether the stored books are those of a replay of these events."""
    path = site.folder / "events.jsonl"
    path.write_bytes(b"".join(lines))
    alone = site.answer("replay", str(path))
    stored = site.answer("verify", "--as-of", alone["as_of"])
    return bool(alone["books_digest"] == stored["books_digest"] and alone["digest"] == stored["digest"])


@pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])
def test_records_that_are_not_as_they_should_be(site: Site, topics: Topics, client: str) -> None:
    """A key that is not the tenant and a record of 10 MiB are dead letters with a sentence; all others count."""
    lines = events()
    large = topics.create(2, settings={"max.message.bytes": str(2 * LARGE)})
    site.tenants = large
    site.produce(lines)
    misplaced = next(line for line in lines if b"globex" in line or b'"tenant"' in line)
    event = json.loads(misplaced)
    event["data"]["id"] = event["id"] = "misplaced"
    topics.write(large, [(b"somebody else", json.dumps(event).encode())], partition=0)
    topics.write(large, [(b"k", b'"' + b"x" * LARGE + b'"')], partition=1, max_request_size=2 * LARGE)
    worker = site.start(KAFKA__CLIENT=client)

    until(site.read_to_the_end, SECONDS, "the end of the topics", site)

    assert worker.metric("flopwatch_dead_letters_total") == 2
    worker.stop()
    letters = site.answer("dead-letters", "list")
    assert {"bytes_limit", "wrong_key"} == {one["reason"] for one in letters}
    assert all(one["sentence"].endswith(".") for one in letters)
    assert verified(site, lines)


def test_one_partition_more(site: Site, topics: Topics) -> None:
    """All wait for a person and are told; once tenants have moved everything is read on, and nothing is lost."""
    lines = events()
    site.produce(lines[:200])
    worker = site.start(KAFKA__CLIENT="confluent-kafka")
    until(site.read_to_the_end, SECONDS, "the end of the topics", site)
    topics.widen(site.tenants, 3)
    worker.restart()
    until(lambda: worker.metric("flopwatch_positions_lost") == 3, SECONDS, "the question to a person", site)

    assert "has 3 partitions, and the books were kept for 2" in worker.page("/healthz")
    assert "`flopwatch positions repartition`" in worker.page("/healthz")
    assert worker.metric("flopwatch_topic_partitions") == 3
    worker.stop()
    assert site.answer("positions", "repartition", "--partitions", "3")["partitions"] == 3
    site.partitions = 3
    site.produce(lines[200:])
    worker.start()
    until(site.read_to_the_end, SECONDS, "the end of the topics", site)
    worker.stop()
    assert verified(site, lines)
    assert [] == site.answer("dead-letters", "list")


def test_one_partition_less(site: Site, topics: Topics) -> None:
    """A topic that was made anew with fewer partitions: nothing of it is read into the wrong books."""
    lines = events()
    site.produce(lines[:200])
    worker = site.start()
    until(site.read_to_the_end, SECONDS, "the end of the topics", site)
    worker.stop()
    topics.remove(site.tenants)
    topics.create(1, site.tenants)
    topics.write(site.tenants, [(None, b"{}")] * 300)
    worker.start()
    until(lambda: worker.metric("flopwatch_positions_lost") == 1, SECONDS, "the question to a person", site)

    assert "has 1 partitions, and the books were kept for 2" in worker.page("/healthz")
    worker.stop()
    assert verified(site, lines[:200])


def test_a_topic_made_anew_while_it_is_read(site: Site, topics: Topics) -> None:
    """Records that came and went unread are a recorded hole, once a person accepts that; then reading goes on."""
    lines = events()
    site.produce(lines[:200])
    worker = site.start()
    until(site.read_to_the_end, SECONDS, "the end of the topics", site)
    topics.remove(site.tenants)
    topics.create(2, site.tenants)
    worker.kill()
    worker.start()
    until(lambda: worker.metric("flopwatch_positions_lost") == 2, SECONDS, "the question to a person", site)
    assert "the topic was made anew" in worker.page("/healthz")
    for partition in ("0", "1"):
        site.said("positions", "accept", site.tenants, "--partition", partition, "--reason", "made anew on purpose")
    until(lambda: worker.metric("flopwatch_positions_lost") == 0, SECONDS, "the answer", site)
    site.produce(lines[200:400])
    until(site.read_to_the_end, SECONDS, "the end of the topics", site)
    worker.stop()

    assert verified(site, lines[:400])
    store = SqlStore.open(site.store_url, create=False)
    try:
        holes = [(one.cause, one.topic_partition) for one in store.blind() if one.cause != "silence"]
        assert [("hole", 0), ("hole", 1)] == sorted(holes)
    finally:
        store.close()


def test_a_worker_that_cannot_start_says_why(site: Site) -> None:
    """Nobody at the address: one sentence, and a supervisor sees that it failed."""
    environment = {
        **site.settings(0, {"KAFKA__REQUEST_SECONDS": 1}),
        "FLOPWATCH_KAFKA__BOOTSTRAP_SERVERS": '["127.0.0.1:1"]',
    }
    done = subprocess.run([*COMMAND, "run"], env=environment, capture_output=True, text=True, timeout=SECONDS)

    assert done.returncode != 0
    assert "Kafka at 127.0.0.1:1 does not answer as it should" in done.stderr
    assert "Traceback" not in done.stderr
