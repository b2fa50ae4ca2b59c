"""A worker that tells people: once, whatever it reads again, and nobody of what a replay or a check finds."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from monitor.alert.webhook import Webhook
from monitor.core.model import DAY_MS
from monitor.core.notices import Recipient, Telling, terms_of
from monitor.log import build_log
from monitor.metrics import Metrics
from monitor.run.delivery import Delivery, Rules
from monitor.run.rollup import Rollup
from monitor.run.task import Watch
from monitor.run.worker import Ends, Worker
from monitor.settings import Notices, Settings, WebhookSink
from monitor.simulate.scenarios import simulate
from monitor.source.files import FileSource
from monitor.store.sql import SqlStore
from tests.cli.command import flopwatch
from tests.core.test_estimate import reference
from tests.run.test_worker import Books, RefusingStore, TurnedClock
from tests.servers.receivers import WebServer, until
from tests.store.taking import url_of

EVENTS_AT_ONCE = 20_000
PASSES = 12
LATE_MS = 2 * DAY_MS


def latest(file: Path) -> int:
    """The latest time of the events of a file, in milliseconds."""
    times = (datetime.fromisoformat(json.loads(line)["time"]) for line in file.read_bytes().splitlines())
    return round(max(times).timestamp() * 1_000)


class Told:
    """A folder with a store, a receiver, and workers over files of events."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = WebServer()
        (folder / "key").write_text("a key", encoding="utf-8")

    def read(self, file: Path, **more: Any) -> None:
        """A worker reads a file to its end, tells whom it must, and stops; `more` are settings."""
        clock = TurnedClock()
        clock.wall = latest(file) + LATE_MS
        settings = Settings(store_url=url_of(self.folder), batch_records_max=EVENTS_AT_ONCE, **more)
        with (
            closing(SqlStore.open(settings.store_url)) as store,
            closing(FileSource([str(file)], record_bytes_max=settings.record_bytes_max)) as source,
        ):
            self._work(settings, store, source, clock)

    def _work(self, settings: Settings, store: SqlStore, source: FileSource, clock: TurnedClock) -> None:
        watch = Watch(Metrics(CollectorRegistry()), clock, build_log("error", clock, io.StringIO()))
        sink = WebhookSink(
            name="all",
            kind="webhook",
            url=f"http://127.0.0.1:{self.server.port}",
            key_file=self.folder / "key",
            allow_insecure=True,
            allow_private=True,
        )
        telling = Telling(terms_of(reference().policies), (Recipient("all", frozenset({"page", "queue"})),))
        notices = Notices(sinks=(sink,), messages_an_hour=3_600)
        rules = Rules(telling, notices.reminding, notices.limits)
        delivery = Delivery({"all": Webhook(sink, clock)}, store.outgoing, rules, watch, shared=False)
        books = Books(store, RefusingStore(store, 0), settings)
        rollup = Rollup(store, reference(), watch, telling)
        worker = Worker(Ends(source, books, *watch, None, rollup, None, telling, delivery), reference(), settings)
        for _ in range(PASSES):
            clock.turn(30)
            worker.step()
            for sending in delivery.under_way:
                until(sending.done)
        worker.finish()

    @property
    def notices(self) -> list[str]:
        """What came, by name."""
        return [one["notice"] for request in self.server.requests for one in request.document["notices"]]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    told = Told(tmp_path)
    yield told
    told.server.close()


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """The simulator's frontier run."""
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(simulate("frontier").events()))
    return file


def test_people_are_told_of_flags_once(told: Told, events: Path) -> None:
    """Of a backlog, too; another start, and the same events in another file, tell nothing again."""
    told.read(events)
    first = list(told.notices)
    store = SqlStore.open(url_of(told.folder))
    flags = {flag.id for flag in store.flags()}
    written = {one.notice.id for one in store.outgoing.sent()}
    arrived = [one.arrived_at is not None for one in store.outgoing.sent()]
    store.close()

    assert first
    assert len(first) == len(set(first))
    assert (written, True) == (set(first), all(arrived))
    assert flags >= {one["flag"] for request in told.server.requests for one in request.document["notices"]}

    told.read(events)
    again = events.with_name("again.jsonl")
    again.write_bytes(events.read_bytes())
    told.read(again)
    assert first == told.notices


def test_a_replay_tells_nobody(told: Told, events: Path) -> None:
    """Neither then nor later: a worker that goes on with its store, verify and explain tell nothing of it."""
    state = told.folder / "books.db"
    assert 0 == flopwatch("replay", events, "--state", state, "--json").code
    assert 0 == flopwatch("verify", "--state", state).code
    told.read(events)
    store = SqlStore.open(url_of(told.folder))

    assert store.flags()
    assert [] == [one.notice.kind for one in store.outgoing.sent() if one.notice.kind == "first"]
    store.close()
