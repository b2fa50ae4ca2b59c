"""A store that fails once, or is slow for longer than a session: workers wait, stay in their group, and go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from monitor.simulate.scenarios import simulate
from tests.kafka.workers import SESSION_SECONDS, Site, until
from tests.servers.kafka import Topics
from tests.store.cluster import Cluster, Named

SECONDS = 60.0
SLOW_SECONDS = 1.5 * SESSION_SECONDS
LOCK = "lock table progress in access exclusive mode"
CUT = (
    "select pg_terminate_backend(pid) from pg_stat_activity "
    "where datname = current_database() and pid <> pg_backend_pid()"
)


@pytest.fixture
def site(topics: Topics, postgres: Cluster | Named, tmp_path: Path) -> Iterator[Site]:
    """Two partitions, and the books in a database."""
    site = Site(tmp_path, topics, postgres.new_database(), 2)
    yield site
    site.close()


def test_a_store_that_fails_and_then_is_slow_loses_nothing(site: Site, topics: Topics) -> None:
    """Both clients stay the members that they were, read nothing meanwhile, and go on by themselves."""
    lines = list(simulate("quiet").events())
    path = site.folder / "events.jsonl"
    path.write_bytes(b"".join(lines))
    workers = [site.start(KAFKA__CLIENT=client) for client in ("kafka-python", "confluent-kafka")]

    def each_has_one() -> bool:
        return all(worker.metric("flopwatch_consumer_assigned_partitions") == 1 for worker in workers)

    until(each_has_one, SECONDS, "a partition for each", site)
    site.produce(lines[:1_000])
    until(site.read_to_the_end, SECONDS, "the end of the topics", site)
    before = topics.members(site.tenants)

    with psycopg.connect(site.store_url, autocommit=True) as store:
        store.execute(CUT)
    site.produce(lines[1_000:2_000])
    until(site.read_to_the_end, SECONDS, "the end of the topics after the cut", site)

    with psycopg.connect(site.store_url) as store:
        store.execute(LOCK)
        stood = _positions(store)
        site.produce(lines[2_000:])
        time.sleep(SLOW_SECONDS)
        assert stood == _positions(store)
    until(site.read_to_the_end, SECONDS, "the end of the topics after the lock", site)

    assert before == topics.members(site.tenants)
    assert [0, 0] == [worker.metric("flopwatch_overtaken_total") for worker in workers]
    for worker in workers:
        worker.stop()
    alone = site.answer("replay", str(path))
    stored = site.answer("verify", "--as-of", alone["as_of"])
    assert (alone["books_digest"], alone["digest"]) == (stored["books_digest"], stored["digest"])


def _positions(store: psycopg.Connection) -> list[tuple[object, ...]]:
    return store.execute("select books, topic, partition, next_offset from progress order by 1, 2, 3").fetchall()
