"""Many workers, one truth: killed, paused, cut off, the books are those of one quiet replay."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from monitor.core.flags import State
from monitor.core.model import DAY_MS
from monitor.simulate.scenarios import simulate
from monitor.store.sql import SqlStore
from tests.kafka.workers import SESSION_SECONDS, Site, until
from tests.servers.kafka import JavaKafka, Topics
from tests.store.cluster import Cluster

PARTITIONS = 8
UNDER_FIRE_SECONDS = 3_600
CLIENTS = ("kafka-python", "confluent-kafka")


@pytest.fixture(scope="module")
def broker() -> Iterator[JavaKafka]:
    """A broker of our own, which may be killed."""
    broker = JavaKafka()
    yield broker
    broker.close()


@pytest.fixture
def site(broker: JavaKafka, cluster: Cluster, tmp_path: Path) -> Iterator[Site]:
    topics = Topics(broker.bootstrap)
    site = Site(tmp_path, topics, cluster.new_database(), PARTITIONS)
    yield site
    site.close()
    topics.close()


def missing(site: Site, path: Path) -> list[bytes]:
    """The events of the file that no books of the store have."""
    store = SqlStore.open(site.store_url, create=False)
    try:
        kept = {line.rstrip() for number in store.partitions() for line in store.beside(number).lines()}
    finally:
        store.close()
    return [line for line in path.read_bytes().splitlines() if line not in kept]


def check(site: Site, path: Path) -> None:
    """The stored books and findings are those of the file, and people were told once of each standing finding."""
    assert [] == missing(site, path)
    alone = site.answer("replay", str(path))
    together = site.answer("verify", "--as-of", alone["as_of"])
    assert alone["books_digest"] == together["books_digest"]
    assert alone["digest"] == together["digest"]
    assert [] == together["problems"]
    store = SqlStore.open(site.store_url, create=False)
    try:
        flags = store.flags()
        raised = Counter(entry.flag for flag in flags for entry in store.flag_history(flag.id) if entry.act == "raised")
        withdrawn = [flag.id for flag in flags if flag.state is State.WITHDRAWN]
        undone = [store.flag_history(flag)[-1].reason for flag in withdrawn]
    finally:
        store.close()
    standing = {(flag["rule"], tenant["tenant"]) for tenant in alone["tenants"] for flag in tenant["flags"]}
    opened = Counter((flag.rule, flag.tenant) for flag in flags if flag.state is State.OPEN)
    assert standing <= set(opened)
    assert set(opened.values()) <= {1}
    assert set(raised.values()) <= {1}
    assert all(undone)


def campaign(site: Site, broker: JavaKafka, cluster: Cluster, lines: list[bytes], kills: int, seed: int) -> None:
    """Workers read while somebody kills them, the broker and the database."""
    chance = random.Random(seed)
    workers = [
        site.start(KAFKA__STATIC_MEMBER="one"),
        site.start(KAFKA__STATIC_MEMBER="two", KAFKA__CLIENT="confluent-kafka"),
        site.start(),
    ]
    step = len(lines) // kills + 1
    for number in range(kills):
        site.produce(lines[number * step : (number + 1) * step])
        time.sleep(chance.uniform(0.5, 1.5))
        victim = chance.choice(workers)
        victim.kill()
        victim.start()
        if number == kills // 3:
            broker.restart()
        if number == kills // 2:
            cluster.restart()
    until(site.read_to_the_end, 90, "the end of the topics", site)
    for worker in workers:
        worker.stop()


def test_killed_workers_leave_the_books_of_a_quiet_replay(
    site: Site, broker: JavaKafka, cluster: Cluster, tmp_path: Path
) -> None:
    """Twenty kills, a broker and a database that go away: the same digests, and each flag told once."""
    lines = list(simulate("demo").events())
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(lines))

    campaign(site, broker, cluster, lines, kills=20, seed=1)

    check(site, path)


def written(path: Path, lines: Iterable[bytes]) -> int:
    """Write events to a file; how many."""
    count = 0
    with path.open("wb") as file:
        for line in lines:
            file.write(line)
            count += 1
    return count


@pytest.mark.torture
def test_two_million_events_under_fire(
    site: Site, broker: JavaKafka, cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo and then a busy week, read by three workers while somebody kills one every few seconds, restarts the
    broker twice and the database once, and takes a worker's partitions away by hand.
    """
    path = tmp_path / "events.jsonl"
    demo = simulate("demo")
    week = simulate("steady", start=demo.start + 60 * DAY_MS, scale=10)
    count = written(path, chain(demo.events(), (line.replace(b'"t-', b'"busy-') for line in week.events())))
    chance, kills, started = random.Random(2), 0, time.monotonic()
    workers = [
        site.start(KAFKA__STATIC_MEMBER="one", BATCH_RECORDS_MAX=2_000),
        site.start(KAFKA__STATIC_MEMBER="two", KAFKA__CLIENT="confluent-kafka", BATCH_RECORDS_MAX=2_000),
        site.start(BATCH_RECORDS_MAX=2_000),
    ]
    with path.open("rb") as file:
        site.produce(file)
    ends = site.ends()
    blows = {0.2: broker.restart, 0.4: workers[2].restart, 0.5: cluster.restart, 0.7: broker.restart}
    while not site.stands_at(ends):
        assert time.monotonic() - started < UNDER_FIRE_SECONDS, [one.logged()[-500:] for one in workers]
        time.sleep(chance.uniform(4.0, 8.0))
        for share in [share for share in blows if site.read() > share * count]:
            blows.pop(share)()
        victim = chance.choice(workers)
        victim.kill()
        victim.start()
        kills += 1
    seconds = time.monotonic() - started
    for worker in workers:
        worker.stop()

    check(site, path)
    assert {} == blows
    with capsys.disabled():
        print(f"\n{count:,} events, {kills} kills, {seconds:,.0f} s: {count / seconds:,.0f} events a second")


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
