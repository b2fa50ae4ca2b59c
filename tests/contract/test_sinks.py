"""What every sink does with a message, before a real receiver of its kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from kafka import KafkaConsumer, TopicPartition

from monitor.alert import Receipt, Sink
from monitor.app.sinks import sink_of
from monitor.clock import SystemClock
from monitor.core.model import HOUR_MS
from monitor.core.notices import Kind, Limits, Message, Notice, messages_of, trial_message
from monitor.errors import NoticeProblem, SettingsProblem
from monitor.settings import Kafka, Notices, Settings
from monitor.store import Standing
from tests.core.test_notices import CALLED, NOW, notice_at
from tests.deploy.monitoring import free_port
from tests.servers.kafka import Topics
from tests.servers.receivers import Mailbox, WebServer, alertmanager_at, alerts, until

PASSWORD = "open sesame"
ODD = "acme <b>\u202e\x00\ud800\r\nBcc: all"  # a tenant's name, as somebody may send it


class Receiving:
    """A receiver of one kind, sinks that lead to it, and what it has."""

    def __init__(self, settings: dict[str, Any], has: Callable[[], list[tuple[str, str]]], kafka: str = "") -> None:
        self.settings = settings
        self._has = has
        self._kafka = kafka
        self._sinks: list[Sink] = []

    def sink(self, **other: object) -> Sink:
        """A sink as the settings make it, with others of them."""
        all_of_them = Settings(
            kafka=Kafka(bootstrap_servers=(str(other.pop("bootstrap", self._kafka)),), allow_insecure=True),
            notices=Notices(sinks=({"name": "one", **self.settings, **other},)),  # type: ignore[arg-type]
        )
        (one,) = all_of_them.notices.sinks
        sink = sink_of(one, all_of_them, SystemClock())
        self._sinks.append(sink)
        return sink

    def has(self, count: int) -> list[tuple[str, str]]:
        """What it has once it has so much: what a receiver tells repetitions by, and the notice."""
        return list(until(lambda: len(found := self._has()) >= count and found))

    def nobody(self) -> dict[str, object]:
        """Settings that lead to where nobody answers."""
        port = free_port()
        if self.settings["kind"] == "email":
            return {"port": port}
        if self.settings["kind"] == "kafka":
            return {"bootstrap": f"127.0.0.1:{port}", "timeout_seconds": 1}
        return {"url": f"http://127.0.0.1:{port}"}

    def close(self) -> None:
        for sink in self._sinks:
            sink.close()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=["webhook", "email", "alertmanager", "kafka"])
def receiving(request: pytest.FixtureRequest, tmp_path: Path, authority: trustme.CA) -> Iterator[Receiving]:
    """Each kind of receiver in turn."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "secret").write_text(PASSWORD + "\n", encoding="utf-8")
    found: Iterator[Receiving] = {
        "webhook": webhook, "email": email, "alertmanager": alertmanager, "kafka": topic,
    }[request.param](tmp_path, authority, request)  # fmt: skip
    yield from found


def webhook(folder: Path, authority: trustme.CA, _: object) -> Iterator[Receiving]:
    server = WebServer(authority.issue_cert("localhost"))

    def has() -> list[tuple[str, str]]:
        return [
            (one.headers["Flopwatch-Message"], notice["notice"])
            for one in list(server.requests)
            for notice in one.document["notices"]
        ]

    settings = {
        "kind": "webhook",
        "url": f"https://localhost:{server.port}/hooks?x=1",
        "key_file": folder / "secret",
        "ca_file": folder / "ca.pem",
        "allow_private": True,
        "allow_insecure": True,
    }
    receiving = Receiving(settings, has)
    yield receiving
    receiving.close()
    server.close()


def email(folder: Path, authority: trustme.CA, _: object) -> Iterator[Receiving]:
    server = Mailbox(authority.issue_cert("localhost"), PASSWORD)

    def has() -> list[tuple[str, str]]:
        return [
            (mail["Message-ID"], line.partition(";")[0].removeprefix("Notice "))
            for _, mail in list(server.mails)
            for line in str(mail.get_content()).splitlines()
            if line.startswith("Notice ")
        ]

    settings = {
        "kind": "email",
        "host": "localhost",
        "port": server.port,
        "sender": "flopwatch@example.org",
        "to": ["a@example.org", "b@example.org"],
        "username": "flopwatch",
        "password_file": folder / "secret",
        "ca_file": folder / "ca.pem",
        "allow_private": True,
    }
    receiving = Receiving(settings, has)
    yield receiving
    receiving.close()
    server.close()


def alertmanager(folder: Path, _: trustme.CA, __: object) -> Iterator[Receiving]:
    server = WebServer()
    with alertmanager_at(folder, server.port) as port:

        def has() -> list[tuple[str, str]]:
            return [(one["labels"]["flag"], one["annotations"]["notice"]) for one in alerts(port)]

        url = f"http://127.0.0.1:{port}"
        settings = {"kind": "alertmanager", "url": url, "allow_private": True, "allow_insecure": True}
        receiving = Receiving(settings, has)
        yield receiving
        receiving.close()
    server.close()


def topic(_: Path, __: trustme.CA, request: pytest.FixtureRequest) -> Iterator[Receiving]:
    topics: Topics = request.getfixturevalue("topics")
    name = topics.create(1)
    consumer = KafkaConsumer(bootstrap_servers=topics.bootstrap, enable_auto_commit=False)
    consumer.assign([TopicPartition(name, 0)])
    consumer.seek_to_beginning()
    came: list[tuple[str, str]] = []

    def has() -> list[tuple[str, str]]:
        for records in consumer.poll(timeout_ms=100).values():
            for record in records:
                event = json.loads(record.value)
                assert ("1.0", "/flopwatch") == (event["specversion"], event["source"])
                assert record.key == event["data"]["tenant"].encode("utf-8", "surrogatepass")
                came.append((event["id"], event["data"]["notice"]))
        return came

    receiving = Receiving({"kind": "kafka", "topic": name, "timeout_seconds": 10}, has, topics.bootstrap)
    yield receiving
    receiving.close()
    consumer.close()


def message(*notices: Notice) -> Message:
    """One message of them all."""
    (found,) = messages_of("one", notices, [], NOW + HOUR_MS, Limits(0, 1))
    return found


def test_a_message_arrives(receiving: Receiving) -> None:
    """Its receiver confirms it, and has every notice of it."""
    sent = message(notice_at(NOW), notice_at(NOW, rule="clocked"))

    receipt = receiving.sink().send(sent)

    assert (Receipt(), True) == (receipt, receipt.arrived)
    assert {one.id for one in sent.notices} == {notice for _, notice in receiving.has(2)}


def test_a_message_that_comes_again_can_be_told(receiving: Receiving) -> None:
    """Whatever a receiver goes by is the same the second time, also from another process."""
    sent = message(notice_at(NOW))
    receiving.sink().send(sent)
    before = receiving.has(1)
    receiving.sink().send(sent)
    receiving.sink().send(message(notice_at(NOW, "bolt")))
    again = [one for one in receiving.has(2) if one[1] == sent.notices[0].id]

    assert set(before) == set(again)
    assert 2 == len(set(receiving.has(2)))


def test_a_summary_has_all_that_it_sums_up(receiving: Receiving) -> None:
    """News of many tenants in one message."""
    sent = message(*(notice_at(NOW, f"t-{number}") for number in range(30)))

    assert "summary" == sent.purpose
    assert receiving.sink().send(sent).arrived
    assert {one.id for one in sent.notices} == {notice for _, notice in receiving.has(30)}


def test_every_kind_of_news_arrives(receiving: Receiving) -> None:
    """New, more serious, a reminder, no longer there; a page as well; with clocks, and of groups."""
    notices = [
        notice_at(NOW, f"t-{kind}", CALLED if kind is Kind.ESCALATED else "", "clocked")._replace(
            kind=kind, members=("a", "b")
        )
        for kind in Kind
    ]

    for one in notices:
        assert receiving.sink().send(message(one)).arrived
    assert {one.id for one in notices} == {notice for _, notice in receiving.has(4)}


def test_a_test_arrives_as_a_test(receiving: Receiving) -> None:
    """It is a message like others that says what it is."""
    sent = trial_message("one", SystemClock().now_ms())

    assert receiving.sink().send(sent).arrived
    assert [sent.notices[0].id] == [notice for _, notice in receiving.has(1)]


def test_names_of_others_do_no_harm(receiving: Receiving) -> None:
    """Whatever a tenant is called, what it is told as arrives, in one piece."""
    odd = notice_at(NOW)._replace(tenant=ODD, reasons=(ODD,), why=ODD)

    assert receiving.sink().send(message(odd)).arrived
    assert [odd.id] == [notice for _, notice in receiving.has(1)]


def test_nobody_answers(receiving: Receiving) -> None:
    """A sentence that says what does not answer; once somebody does, the same message arrives."""
    sent = message(notice_at(NOW))

    with pytest.raises(NoticeProblem, match=r"does not answer|do not reach") as caught:
        receiving.sink(**receiving.nobody()).send(sent)

    assert str(caught.value).endswith(".")
    assert receiving.sink().send(sent).arrived


def test_what_stands_can_be_said_again(receiving: Receiving) -> None:
    """A receiver that forgets has it once more, one that does not gets nothing."""
    sink = receiving.sink()
    now = SystemClock().now_ms()
    sink.keep([Standing(notice_at(NOW), None)], now)
    sink.send(message(notice_at(NOW, "bolt")))

    assert (2 if sink.forgets else 1) == len(receiving.has(2 if sink.forgets else 1))


def test_settings_are_checked_without_sending(receiving: Receiving) -> None:
    """Nothing arrives; a file that is not there is named."""
    sink = receiving.sink()
    sink.check()
    sink.send(message(notice_at(NOW)))
    assert 1 == len(receiving.has(1))
    if receiving.settings["kind"] != "kafka":
        with pytest.raises(SettingsProblem, match=r"gone\.pem"):
            receiving.sink(ca_file="gone.pem").check()
