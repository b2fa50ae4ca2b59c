"""A backtest of a store in each kind of database, of one partition and of several: as of files, and without a trace."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import inspect, text

from monitor.app import backtests, references, stores, views
from monitor.app.backtests import Asked, Backtested
from monitor.core.book import Book
from monitor.core.findings import Finding
from monitor.core.model import DAY_MS
from monitor.core.partitions import adopter, partition_of
from monitor.errors import StoreProblem
from monitor.intake.canonical import instant_ms
from monitor.intake.decode import decode_facts
from monitor.reference.root import config_root
from monitor.run.apply import take_in
from monitor.settings import Notices, Settings, WebhookSink
from monitor.simulate.scenarios import START, simulate
from monitor.simulate.wire import instant
from monitor.store import ACTIVATION, Commit, JournalEntry
from monitor.store.sql import SqlStore
from tests.cli.command import operators_alone
from tests.run.test_daemon import wait_for
from tests.servers.receivers import WebServer

WATCHED = {f"t-000{number}" for number in range(2, 9)}  # seven of the demo, six of them one customer
BATCH = 500
LATE = 0.02  # share of the events that come up to three days late
WAIT_SECONDS = 60.0
READING_SECONDS = 0.3  # after which a backtest has begun to read


@cache
def arrived() -> tuple[bytes, ...]:
    """Events of the demo in the order in which they came, some of them late; each says when."""
    chance, lines = random.Random(3), list[tuple[int, bytes]]()
    for line in simulate("demo").events():
        event = json.loads(line)
        if event["data"].get("tenant", "t-0002") in WATCHED and "inventory" not in event["type"]:
            late = chance.uniform(0, 3 * DAY_MS) if chance.random() < LATE else chance.uniform(0, 2_000)
            at = instant_ms(event["time"]) + round(late)
            lines.append((at, json.dumps({**event, "recordedtime": instant(at)}).encode()))
    return tuple(line for _, line in sorted(lines))


class Place(NamedTuple):
    """A store with what came, the file of the same events, and a policy to try."""

    settings: Settings
    policy: Path
    receiver: WebServer

    def backtest(self) -> Backtested:
        return backtests.backtest(self.settings, asked(self.policy), [], None, quiet)


def asked(policy: Path) -> Asked:
    """The last two weeks under a policy, with who is just under it."""
    return Asked(str(policy), below=5, since=START + 47 * DAY_MS)


def quiet(done: int, total: int | None) -> None:
    """Nobody looks how far it is."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped configuration with the policies of the operator alone."""
    return operators_alone(tmp_path_factory.mktemp("configuration"))


@pytest.fixture(autouse=True)
def configured(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (backtests, references):
        monkeypatch.setattr(module, "config_root", lambda: config)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ladder with another first rung."""
    path = tmp_path_factory.mktemp("policy") / "tried.yaml"
    ladder = (config_root() / "policies" / "internal-ladder.yaml").read_text("utf-8")
    path.write_text(ladder.replace("version: 1", "version: 2").replace('"1e23"', '"9e23"'), "utf-8")
    return path


@pytest.fixture
def of_files(policy: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Backtested:
    """What a backtest of the events as a file says."""
    return _of_files(policy, tmp_path_factory.getbasetemp())


@cache
def _of_files(policy: Path, folder: Path) -> Backtested:
    events = folder / "arrived.jsonl"
    events.write_bytes(b"".join(line + b"\n" for line in arrived()))
    return backtests.backtest(Settings(), asked(policy), [str(events)], None, quiet)


@pytest.fixture(params=[1, 3], ids=["one partition", "three partitions"])
def place(request: pytest.FixtureRequest, url: str, policy: Path, tmp_path: Path) -> Iterator[Place]:
    """Books of so many partitions, as workers keep them: control facts are in each."""
    hold(url, request.param)
    receiver = WebServer()
    (tmp_path / "key").write_text("a key", "utf-8")
    sink = WebhookSink(
        name="all",
        kind="webhook",
        url=f"http://127.0.0.1:{receiver.port}",
        key_file=tmp_path / "key",
        allow_insecure=True,
        allow_private=True,
    )
    yield Place(Settings(store_url=url, notices=Notices(sinks=(sink,))), policy, receiver)
    receiver.close()


def hold(url: str, partitions: int) -> None:
    """Take what came into the books of a store, each tenant where it belongs."""
    facts = decode_facts(arrived())
    receipts = [instant_ms(json.loads(fact.raw)["recordedtime"]) for fact in facts]
    with stores.opened_store(url) as store:
        store.record([JournalEntry(ACTIVATION, {"partitions": partitions})], 0)
        for number in range(partitions):
            books, book = store.beside(number), Book()
            book.adopts = adopter(number, partitions, "murmur2")
            ours = [
                (fact, receipt)
                for fact, receipt in zip(facts, receipts, strict=True)
                if not fact.tenant or partition_of(fact.tenant, partitions) == number
            ]
            for start in range(0, len(ours), BATCH):
                batch = ours[start : start + BATCH]
                take_in(book, books, [fact for fact, _ in batch], [receipt for _, receipt in batch])
                books.commit(Commit(book.drain(), book, [], [], [], [], 0))


def dumped(url: str) -> dict[str, list[str]]:
    """Every row of every table."""
    store = SqlStore.open(url, create=False)
    try:
        with store._database.engine.connect() as connection:
            return {
                table: sorted(map(repr, connection.execute(text(f'select * from "{table}"'))))
                for table in inspect(connection).get_table_names()
            }
    finally:
        store.close()


def test_a_store_says_what_the_files_say(place: Place, of_files: Backtested) -> None:
    """Whatever database and however many partitions: the same days, numbers, differences and who is just under."""
    of_store = place.backtest()

    assert of_files == of_store
    assert of_store.outcome.facts == len(arrived())
    assert of_store.outcome.late > 0
    differences, under = ([finding.members for finding in found] for found in findings(of_store))
    assert () in differences
    assert () in under
    assert any(differences + under)  # a group, of tenants in several partitions


def findings(found: Backtested) -> tuple[list[Finding], list[Finding]]:
    """Of what differs, and of who is just under."""
    outcome = found.outcome
    return [one.told.finding for one in outcome.differences], [one.finding for one in outcome.under]


def test_a_backtest_leaves_no_trace(place: Place, tmp_path: Path) -> None:
    """No table has another row, no file is there that was not, and nobody is told."""
    before, files = dumped(place.settings.store_url), sorted(tmp_path.iterdir())
    assert sum(map(len, before.values())) > 50

    place.backtest()

    assert before == dumped(place.settings.store_url)
    assert files == sorted(tmp_path.iterdir())
    assert [] == place.receiver.requests
    assert [] == views.told(place.settings, None, None)


def test_what_is_opened_to_be_read_cannot_be_written(place: Place) -> None:
    """The database itself refuses, whatever the program tries."""
    before = dumped(place.settings.store_url)
    with stores.opened_store(place.settings.store_url, create=False, read_only=True) as store:
        assert len(set(store.lines())) > 0
        with pytest.raises(StoreProblem, match="cannot be written"):
            store.record([JournalEntry(ACTIVATION, {"partitions": 7})], 0)

    assert before == dumped(place.settings.store_url)


def killed(place: Place, looks: int) -> None:
    """A backtest in a child process that is killed after so many looks, where it waits for that; 0: while it reads."""
    heard, said = os.pipe()
    child = os.fork()
    if child == 0:
        done = 0

        def progress(facts: int, total: int | None) -> None:
            nonlocal done
            done += 1
            if done == looks:
                os.write(said, b".")
                signal.pause()

        try:
            backtests.backtest(place.settings, asked(place.policy), [], None, progress)
        finally:
            os._exit(0)
    os.close(said)
    if looks:
        assert os.read(heard, 1), "it ended too soon"
    else:
        time.sleep(READING_SECONDS)
    os.kill(child, signal.SIGKILL)
    os.close(heard)
    os.waitpid(child, 0)


def test_a_backtest_that_is_killed_leaves_nothing_behind(place: Place, of_files: Backtested, tmp_path: Path) -> None:
    """kill -9 while the store is read and half way through: the same rows, no connection, the same outcome."""
    url = place.settings.store_url
    before, files = dumped(url), set(tmp_path.iterdir())

    for looks in (0, 1, 6):
        killed(place, looks)

    assert before == dumped(url)
    assert set(tmp_path.iterdir()) - files <= {tmp_path / f"books.db-{what}" for what in ("wal", "shm")}
    wait_for(lambda: connections(url) == 0, WAIT_SECONDS)
    assert [] == place.receiver.requests
    assert of_files == place.backtest()


def connections(url: str) -> int:
    """How many others are connected to a database."""
    if not url.startswith("postgresql"):
        return 0
    store = SqlStore.open(url, create=False)
    try:
        with store._database.engine.connect() as connection:
            others = (
                "select count(*) from pg_stat_activity where datname = current_database() and pid != pg_backend_pid()"
            )
            return int(connection.execute(text(others)).scalar_one())
    finally:
        store.close()
