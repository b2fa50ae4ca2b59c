"""Many workers, one truth: killed, paused, cut off, the books are those of one quiet replay."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from monitor.simulate.scenarios import simulate
from tests.kafka.campaign import begin, campaign, check, moved_by_hand, noted, skirmish, write_events
from tests.kafka.workers import SESSION_SECONDS, Site, until
from tests.servers.kafka import JavaKafka, Topics
from tests.store.cluster import Cluster

PARTITIONS = 8
TORTURE_EVENTS = int(os.environ.get("TORTURE_EVENTS", "2000000"))  # beside those of the demo
CLIENTS = ("kafka-python", "confluent-kafka")


@pytest.fixture
def site(own_kafka: JavaKafka, cluster: Cluster, tmp_path: Path) -> Iterator[Site]:
    topics = Topics(own_kafka.bootstrap)
    site = Site(tmp_path, topics, cluster.new_database(), PARTITIONS)
    yield site
    site.close()
    topics.close()


def test_killed_workers_leave_the_books_of_a_quiet_replay(
    site: Site, own_kafka: JavaKafka, cluster: Cluster, tmp_path: Path
) -> None:
    """Twenty kills, a broker and a database that go away: the same digests, and each flag told once."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(simulate("fleet").events()))
    begin(site)

    skirmish(site, path, {6: own_kafka.restart, 10: cluster.restart}, kills=20)

    check(site, path)


@pytest.mark.torture
def test_two_million_events_under_fire(
    site: Site, own_kafka: JavaKafka, cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo and then a busy week, read by three workers while somebody kills one every few seconds, restarts the
    broker twice and the database once, and moves partitions by hand twice.
    """
    path = tmp_path / "events.jsonl"
    count = write_events(path, busy=TORTURE_EVENTS)
    one, two, _ = begin(site, BATCH_RECORDS_MAX=2_000)
    blows = {
        0.2: own_kafka.restart,
        0.35: partial(moved_by_hand, site, one, "one"),
        0.5: cluster.restart,
        0.65: partial(moved_by_hand, site, two, "two"),
        0.8: own_kafka.restart,
    }

    figures = campaign(site, path, count, blows)

    withdrawn = check(site, path)
    told = "the broker restarted twice, the database once, partitions moved by hand twice"
    with capsys.disabled():
        print("", *noted(figures, told, withdrawn), sep="\n")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_worker_that_was_paused_too_long_commits_nothing(site: Site, tmp_path: Path, client: str) -> None:
    """A zombie's commit is refused: it drops its books, joins again, and the books are right."""
    lines = list(simulate("quiet").events())
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(lines))
    first, _ = site.start(KAFKA__CLIENT=client), site.start(KAFKA__CLIENT=client)
    site.produce(lines[: len(lines) // 2])
    until(lambda: "partition opened" in first.logged(), 60, "the first worker's partitions", site)

    first.signal(signal.SIGSTOP)
    site.produce(lines[len(lines) // 2 :])
    until(site.read_to_the_end, 60 + SESSION_SECONDS, "the end of the topics without the first worker", site)
    first.signal(signal.SIGCONT)
    until(lambda: first.logged().count("partition left") > 0, 60, "the first worker's farewell", site)

    assert first.running
    for worker in site.workers:
        worker.stop()
    check(site, path)
