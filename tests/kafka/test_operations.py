"""What deploy/operations says, to the letter: backups of a store in use, lost stores, upgrades beside old workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from monitor.store.schema import REVISION
from tests.cli.command import flopwatch
from tests.kafka.test_bad_input import SECONDS, events, verified
from tests.kafka.workers import Site, until
from tests.servers.kafka import Topics
from tests.store.cluster import Cluster, Named

# What the next version might do: add, and take nothing away. Only `postgresql` has workers beside it.
ADDITIVE = (
    "alter table allocations add column next_version_knows text",
    "create table next_version (number bigint primary key, what text not null)",
    "create index next_version_index on tenants (since)",
    "update alembic_version set version_num = '9999'",
)


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Three addresses of one kind at which there is no store."""
    if request.param == "sqlite":
        return [f"sqlite:///{tmp_path / name}" for name in ("first.db", "second.db", "third.db")]
    postgres: Cluster | Named = request.getfixturevalue("postgres")
    return [postgres.new_database() for _ in range(3)]


@pytest.fixture
def site(topics: Topics, stores: list[str], tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, topics, stores[0], 2)
    yield site
    site.close()


def test_a_lost_store_comes_back(site: Site, stores: list[str], tmp_path: Path) -> None:
    """From a backup made while records came, then from nothing but the topics: the same books, digest by digest."""
    lines = events()
    site.produce(lines[:200])
    worker = site.start(KAFKA__STATIC_MEMBER="one")  # by its name it has its partitions again at once
    until(site.read_to_the_end, SECONDS, "the end of the topics", site)
    site.produce(lines[200:400])
    saved = tmp_path / "backup"
    site.said("backup", "--out", str(saved))
    site.produce(lines[400:])
    until(site.read_to_the_end, SECONDS, "the end of the topics", site)
    worker.kill()
    site.said("audit", "verify")

    site.store_url = stores[1]
    restored = site.answer("restore", str(saved), "--by", "ana", "--reason", "the first one burnt")
    assert (REVISION, saved.stat().st_size) == (restored["revision"], restored["bytes"])
    (row,) = site.answer("audit", "list")
    assert ("store.restored", restored["sha256"]) == (row["act"], row["body"]["sha256"])
    worker.start_over(site)
    until(site.read_to_the_end, SECONDS, "the end of the topics", site)
    worker.stop()
    assert verified(site, lines)

    site.store_url = stores[2]
    worker.start_over(site)
    until(site.read_to_the_end, SECONDS, "the end of the topics", site)
    worker.stop()
    assert verified(site, lines)


@pytest.mark.parametrize("stores", ["postgresql"], indirect=True)
def test_old_workers_go_on_while_tables_grow(site: Site) -> None:
    """A migration that adds is made beside them and loses nothing; an old program that starts afterwards says so."""
    lines = events()
    site.produce(lines[:300])
    worker = site.start()
    until(site.read_to_the_end, SECONDS, "the end of the topics", site)
    with psycopg.connect(site.store_url) as store:
        for statement in ADDITIVE:
            store.execute(statement)
    site.produce(lines[300:])
    end = sum(at for (topic, _), at in site.ends().items() if topic == site.tenants)
    until(lambda: read(site) == end, SECONDS, "the end of the topic", site)
    assert worker.running
    assert 0 == worker.metric("flopwatch_store_failures_total")
    worker.stop()

    refused = flopwatch("flags", "--config", settings(site))
    assert 2 == refused.code
    assert "was written by a newer flopwatch (its tables are at 9999" in refused.err
    with psycopg.connect(site.store_url) as store:
        store.execute(f"update alembic_version set version_num = '{REVISION}'")
    assert verified(site, lines)


def read(site: Site) -> int:
    """How far the books have read, of the topic of tenants; this program refuses to open such a store."""
    with psycopg.connect(site.store_url) as store:
        (found,) = store.execute("select sum(next_offset) from progress where topic = %s", [site.tenants]).fetchall()
    return int(found[0])


def settings(site: Site) -> Path:
    """A file that names the store."""
    file = site.folder / "monitor.yaml"
    file.write_text(f"store_url: '{site.store_url}'\n", encoding="utf-8")
    return file
