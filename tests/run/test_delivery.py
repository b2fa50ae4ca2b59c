"""Telling people, the whole way: flags, notices, messages, a receiver that answers well or badly, crashes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from monitor.alert import Receipt, Sink
from monitor.alert.webhook import Webhook
from monitor.core.model import DAY_MS, HOUR_MS
from monitor.core.notices import Limits, Message
from monitor.errors import StoreProblem
from monitor.log import build_log
from monitor.metrics import Metrics
from monitor.run.delivery import (
    CLAIM_MS,
    KEEP_SECONDS,
    LOOK_SECONDS,
    PAUSE_SECONDS_MAX,
    REMIND_SECONDS,
    Delivery,
    Rules,
)
from monitor.run.task import Watch
from monitor.settings import WebhookSink
from monitor.store import Sent, Standing
from tests.contract.test_outgoing import Books
from tests.core.test_notices import CALLED, NOW, REMINDING, TELLING, finding
from tests.run.test_worker import TurnedClock
from tests.servers.receivers import Answer, WebServer, until
from tests.store.taking import url_of

GROUP_SECONDS = 60
LIMITS = Limits(GROUP_SECONDS * 1_000, 3)


class Place:
    """Books, a receiver, and what delivers to it; the clock is turned by the test."""

    def __init__(self, folder: Path) -> None:
        self.clock = TurnedClock()
        self.clock.wall = NOW
        self.books = Books(url_of(folder))
        self.server = WebServer()
        self.registry = CollectorRegistry()
        self.logged = io.StringIO()
        key = folder / "key"
        key.write_text("a key", encoding="utf-8")
        self.settings = WebhookSink(
            name="queue",
            kind="webhook",
            url=f"http://127.0.0.1:{self.server.port}",
            key_file=key,
            allow_insecure=True,
            allow_private=True,
            timeout_seconds=1,
        )
        self.delivery = self.started()

    def started(self, sink: Sink | None = None, shared: bool = False, post: Any = None) -> Delivery:
        """A delivery, as a process begins it."""
        self.registry = CollectorRegistry()
        watch = Watch(Metrics(self.registry), self.clock, build_log("info", self.clock, self.logged))
        sinks = {"queue": sink or Webhook(self.settings, self.clock)}
        return Delivery(sinks, post or self.books.outgoing, Rules(TELLING, REMINDING, LIMITS), watch, shared)

    def find(self, *findings: Any) -> None:
        self.books.now = self.clock.wall - HOUR_MS
        self.books.find(*findings)

    def work(self, seconds: float = LOOK_SECONDS) -> None:
        """A look after a while; what was begun is waited for, and written down by the next."""
        self.clock.turn(seconds)
        self.delivery.work()
        for begun in (*self.delivery.under_way, *self.delivery._kept.values()):
            until(begun.done)
        self.clock.turn(LOOK_SECONDS)
        self.delivery.work()
        for kept in list(self.delivery._kept.values()):
            until(kept.done)

    @property
    def came(self) -> list[list[str]]:
        """What came: of each message the tenants of its notices."""
        return [[one["tenant"] for one in request.document["notices"]] for request in self.server.requests]

    def ids(self) -> list[str]:
        return [request.headers["Flopwatch-Message"] for request in self.server.requests]

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def total(self, outcome: str) -> float | None:
        return self.value("flopwatch_notifications_total", sink="queue", outcome=outcome)

    @property
    def sent(self) -> list[Sent]:
        """What was told to the sink that there is."""
        return [one for one in self.books.outgoing.sent() if one.sink == "queue"]

    @property
    def oldest(self) -> float | None:
        return self.value("flopwatch_notice_oldest_undelivered_timestamp_seconds")

    def log(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.logged.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]

    def close(self) -> None:
        self.delivery.finish()
        self.server.close()
        self.books.store.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


def test_news_reach_their_receiver_once(place: Place) -> None:
    """After a while for more of the same tenant, one message; confirmed once, it never comes again."""
    assert (0, 0, None) == (place.total("arrived"), place.total("failed"), place.oldest or None)
    place.find(finding(), finding(rule="clocked"), finding(tenant="bolt"))
    place.work()
    assert ([], NOW / 1_000) == (place.came, place.oldest)

    place.work(GROUP_SECONDS)
    place.work()
    for _ in range(5):
        place.work(HOUR_MS / 1_000)

    assert [["acme", "acme"], ["bolt"]] == sorted(place.came)
    assert (2, 0, 0) == (place.total("arrived"), place.total("failed"), place.oldest)
    assert all(one.arrived_at for one in place.sent)
    assert 2 == len(place.log("told"))


def test_a_page_does_not_wait(place: Place) -> None:
    """The next look sends it."""
    place.find(finding(page=CALLED))
    place.work()

    assert ["page"] == [request.document["urgency"] for request in place.server.requests]


@pytest.mark.parametrize(
    "answer", [Answer(500), Answer(302, [("Location", "http://127.0.0.1:1/")]), Answer(silent=True), Answer(404)]
)
def test_what_fails_is_sent_again_until_it_arrives(place: Place, answer: Answer) -> None:
    """The same message with the same id, after pauses that grow; then never again."""
    place.server.answers += [answer] * 3
    place.find(finding(page=CALLED))
    came_at = []
    for _ in range(40):
        place.work(1)
        came_at += [place.clock.wall] * (len(place.server.requests) - len(came_at))
    pauses = [later - earlier for earlier, later in pairwise(came_at)]
    for _ in range(3):
        place.work(HOUR_MS / 1_000)

    assert (4, 1) == (len(place.ids()), len(set(place.ids())))
    assert (1, 3) == (place.total("arrived"), place.total("failed"))
    assert sorted(set(pauses)) == pauses
    assert 3 == len(pauses)
    assert 0 == place.oldest
    assert 1 == len(place.log("notices not sent"))  # one line for one trouble


def test_a_receiver_that_asks_for_a_pause_gets_it(place: Place) -> None:
    """429 with Retry-After: nothing comes before, and then it arrives."""
    place.server.answers.append(Answer(429, [("Retry-After", "600")]))
    place.find(finding(page=CALLED))
    place.work()
    place.work(590)
    assert 1 == len(place.came)

    place.work(20)
    assert (2, 1) == (len(place.came), place.total("arrived"))


def test_pauses_have_a_greatest(place: Place) -> None:
    """However often it failed, a receiver that is back gets it within a quarter of an hour."""
    place.server.answers += [Answer(500)] * 20
    place.find(finding(page=CALLED))
    place.work()
    for _ in range(20):
        place.work(PAUSE_SECONDS_MAX)

    assert (21, 1) == (len(place.came), place.total("arrived"))


def test_one_sink_that_hangs_holds_up_nothing_else(place: Place) -> None:
    """A look never waits for a receiver."""
    place.server.answers.append(Answer(silent=True))
    place.find(finding(page=CALLED))
    place.clock.turn(LOOK_SECONDS)
    place.delivery.work()
    until(lambda: place.server.requests)

    (under_way,) = place.delivery.under_way
    assert not under_way.done()
    place.clock.turn(LOOK_SECONDS)
    place.delivery.work()
    assert 1 == len(place.server.requests)


def test_a_crash_after_a_message_was_sent(place: Place) -> None:
    """Nobody wrote down that it arrived: it comes again with the same id, and never after that."""
    place.find(finding(page=CALLED))
    place.clock.turn(LOOK_SECONDS)
    place.delivery.work()
    until(lambda: place.server.requests)

    place.delivery = place.started()
    place.work()
    place.work(HOUR_MS / 1_000)

    assert (2, 1) == (len(place.ids()), len(set(place.ids())))
    assert all(one.arrived_at for one in place.sent)


def test_a_crash_before_a_message_was_sent(place: Place) -> None:
    """What was claimed by a worker that died is sent by another, once the claim has run out."""
    place.find(finding(page=CALLED))
    (message,) = place.books.put()
    place.books.outgoing.claim("queue", place.clock.wall, place.clock.wall + CLAIM_MS)

    place.delivery = place.started(shared=True)
    place.work()
    assert [] == place.came
    place.work(CLAIM_MS / 1_000)
    assert [message.id] == place.ids()


def test_a_store_that_is_away_loses_nothing(place: Place) -> None:
    """What arrived meanwhile is written down once the store is back, and is not sent again."""

    class Away:
        """The notices of the store, told to be away."""

        away = False

        def __getattr__(self, name: str) -> object:
            if self.away:
                raise StoreProblem("The database is away.")
            return getattr(place.books.outgoing, name)

    post = Away()
    place.delivery = place.started(post=post)
    place.find(finding(page=CALLED))
    place.clock.turn(LOOK_SECONDS)
    place.delivery.work()
    until(lambda: all(one.done() for one in place.delivery.under_way))
    post.away = True
    place.work()
    place.work()
    assert 0 == place.total("arrived")
    assert place.log("notices not read")

    post.away = False
    place.work()
    place.work(HOUR_MS / 1_000)
    assert (1, 1) == (len(place.came), place.total("arrived"))


def test_more_news_than_may_be_sent_are_summed_up(place: Place) -> None:
    """Three messages an hour: two tenants by themselves, one summary; every notice came once."""
    tenants = [f"t-{number}" for number in range(9)]
    place.find(*(finding(tenant=name) for name in tenants))
    place.work()
    for _ in range(20):
        place.work(GROUP_SECONDS)

    assert [1, 1, 7] == sorted(map(len, place.came))
    assert tenants == sorted(name for message in place.came for name in message)
    assert 1 == sum(request.document["purpose"] == "summary" for request in place.server.requests)

    place.find(*(finding(tenant=name) for name in [*tenants, "t-last"]))
    place.work(GROUP_SECONDS)
    assert 3 == len(place.came)
    place.work(HOUR_MS / 1_000)
    place.work()
    assert ["t-last"] == place.came[-1]


def test_people_are_reminded(place: Place) -> None:
    """Of a flag that stays open, each occasion once, by whichever process looks."""
    place.find(finding(page=CALLED))
    place.work()
    place.work(2 * DAY_MS / 1_000)
    place.work()
    place.delivery.finish()
    place.delivery = place.started()
    place.work(REMIND_SECONDS)
    place.work()

    assert ["first", "reminder"] == [request.document["notices"][0]["kind"] for request in place.server.requests]


def test_what_a_replay_raised_tells_nobody(place: Place) -> None:
    """Neither when it is raised, nor by a reminder, nor when it is gone."""
    place.books.now = place.clock.wall - HOUR_MS
    place.books.find(finding(), told=False)
    for _ in range(3):
        place.work(5 * DAY_MS / 1_000)
    place.find()
    place.work(GROUP_SECONDS)

    assert [] == place.came


class Forgetful:
    """A receiver that forgets; it notes what is said again."""

    forgets = True

    def __init__(self) -> None:
        self.kept: list[list[tuple[str, bool]]] = []
        self.fails = False

    def check(self) -> None:
        """Nothing to look at."""

    def send(self, message: Message) -> Receipt:
        """It arrives, unless there is a bug."""
        if self.fails:
            raise ZeroDivisionError("a bug")
        return Receipt()

    def keep(self, standing: list[Standing], now: int) -> None:
        """Note it."""
        self.kept.append([(one.notice.tenant, one.closed_at is None) for one in standing])

    def close(self) -> None:
        """Nothing to close."""


def test_what_stands_is_said_again(place: Place) -> None:
    """While it stands, and that it was closed for an hour after."""
    sink = Forgetful()
    place.delivery = place.started(sink)
    place.find(finding(page=CALLED))
    place.work()
    for _ in range(2):
        place.work(KEEP_SECONDS)
    place.books.now = place.clock.wall - HOUR_MS
    place.books.close()
    place.work(KEEP_SECONDS)
    place.work(HOUR_MS / 1_000 + KEEP_SECONDS)
    place.delivery.finish()

    assert [("acme", True)] in sink.kept
    assert [("acme", False)] in sink.kept
    assert [] == sink.kept[-1]


def test_a_bug_in_a_sink_is_seen_and_holds_up_nobody(place: Place) -> None:
    """The log names it, the message waits, and arrives once the bug is gone."""
    sink = Forgetful()
    sink.fails = True
    place.delivery = place.started(sink)
    place.find(finding(page=CALLED))
    place.work()
    assert "ZeroDivisionError('a bug')" == place.log("sink failed")[0]["problem"]
    (sent,) = place.sent
    assert "The sink failed by itself (ZeroDivisionError): the log has more." == sent.problem

    sink.fails = False
    place.work(60)
    assert 1 == place.total("arrived")
