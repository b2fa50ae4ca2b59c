"""Receivers that answer badly, and addresses that must not be used: a clear sentence, and nothing goes elsewhere."""

from __future__ import annotations

import hashlib
import hmac
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from monitor.alert import Receipt
from monitor.alert.alertmanager import Alertmanager
from monitor.alert.email import Email
from monitor.alert.reach import is_inside
from monitor.alert.webhook import Webhook
from monitor.clock import SystemClock
from monitor.core.model import HOUR_MS
from monitor.core.notices import Kind, Limits, Message, messages_of
from monitor.errors import NoticeProblem, SettingsProblem
from monitor.settings import AlertmanagerSink, EmailSink, WebhookSink
from monitor.store import Standing
from tests.core.test_notices import NOW, notice_at
from tests.servers.receivers import Answer, Mailbox, WebServer, alertmanager_at, alerts, until

KEY = "a key"


@pytest.fixture
def server() -> Iterator[WebServer]:
    server = WebServer()
    yield server
    server.close()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text(KEY + "\n", encoding="utf-8")
    return file


def message() -> Message:
    (found,) = messages_of("hook", [notice_at(NOW)], [], NOW + HOUR_MS, Limits(0, 1))
    return found


def hook(url: str, key: Path, **other: Any) -> Webhook:
    more = {"allow_private": True, "allow_insecure": True, "timeout_seconds": 0.5, **other}
    return Webhook(WebhookSink(name="hook", kind="webhook", url=url, key_file=key, **more), SystemClock())


# -- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "sentence", "pause"),
    [
        (Answer(500), "answers 500: it has not taken what was sent.", 0),
        (Answer(404), "answers 404: it has not taken what was sent.", 0),
        (Answer(429, [("Retry-After", "120")]), "answers 429 and asks for a pause of 120 seconds: it has not", 120),
        (Answer(503, [("Retry-After", "99999")]), "answers 503 and asks for a pause of 3600 seconds", 3600),
        (Answer(429, [("Retry-After", "soon")]), "answers 429: it has not taken what was sent.", 0),
        (Answer(500, [("Retry-After", "120")]), "answers 500: it has not taken what was sent.", 0),
    ],
)
def test_an_answer_that_confirms_nothing(
    server: WebServer, key: Path, answer: Answer, sentence: str, pause: float
) -> None:
    """Says what was answered, and for how long a pause the receiver asks; the next try arrives."""
    server.answers.append(answer)
    sink = hook(f"http://127.0.0.1:{server.port}/secret-token", key)

    receipt = sink.send(message())

    assert f"http://127.0.0.1:{server.port} {sentence}" in receipt.problem
    assert "secret-token" not in receipt.problem
    assert (False, pause) == (receipt.arrived, receipt.retry_seconds)
    assert sink.send(message()).arrived


@pytest.mark.parametrize("status", [201, 202, 204])
def test_other_answers_that_confirm(server: WebServer, key: Path, status: int) -> None:
    """Whatever begins with a two."""
    server.answers.append(Answer(status))

    assert Receipt() == hook(f"http://127.0.0.1:{server.port}", key).send(message())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(server: WebServer, key: Path, status: int) -> None:
    """Wherever they lead: what they point at hears nothing."""
    inside = WebServer()
    server.answers.append(Answer(status, [("Location", f"http://127.0.0.1:{inside.port}/latest/meta-data")]))

    receipt = hook(f"http://127.0.0.1:{server.port}", key).send(message())
    inside.close()

    assert f"answers {status} and points elsewhere: redirects are never followed." in receipt.problem
    assert ([], 1) == (inside.requests, len(server.requests))


@pytest.mark.parametrize("answer", [Answer(silent=True), Answer(trickling=True)])
def test_a_receiver_that_hangs(server: WebServer, key: Path, answer: Answer) -> None:
    """Is given up after the stated time, also where bytes trickle in all the while."""
    server.answers.append(answer)
    sink = hook(f"http://127.0.0.1:{server.port}", key)

    with pytest.raises(NoticeProblem, match=r"did not confirm what was sent: it gave no whole answer in time\."):
        sink.send(message())
    assert sink.send(message()).arrived


def test_a_receiver_that_hangs_up(key: Path) -> None:
    """Before it answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)
        sink = hook(f"http://127.0.0.1:{listening.getsockname()[1]}", key, timeout_seconds=0.2)
        with pytest.raises(NoticeProblem, match="did not confirm what was sent"):
            sink.send(message())


# -- certificates ----------------------------------------------------------------------------------------------------


def test_certificates_are_checked(tmp_path: Path, key: Path) -> None:
    """One of another name, one of an authority that nobody trusts, and plain text where encryption is expected."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    other = WebServer(authority.issue_cert("other.example"))
    right = WebServer(authority.issue_cert("localhost"))
    plain = WebServer()
    trusted = {"ca_file": tmp_path / "ca.pem", "timeout_seconds": 5}

    with pytest.raises(NoticeProblem, match=r"its certificate is not to be trusted .Hostname mismatch"):
        hook(f"https://localhost:{other.port}", key, **trusted).send(message())
    with pytest.raises(NoticeProblem, match=r"its certificate is not to be trusted .unable to get local issuer"):
        hook(f"https://localhost:{right.port}", key, timeout_seconds=5).send(message())
    with pytest.raises(NoticeProblem, match="did not confirm what was sent"):
        hook(f"https://localhost:{plain.port}", key, **trusted).send(message())
    assert hook(f"https://localhost:{right.port}", key, **trusted).send(message()).arrived
    assert ([], 1, []) == (other.requests, len(right.requests), plain.requests)
    for server in (other, right, plain):
        server.close()


# -- signatures ------------------------------------------------------------------------------------------------------


def test_messages_are_signed(server: WebServer, key: Path) -> None:
    """With the key as it is in its file when a message is sent, over the time and the body."""
    sink = hook(f"http://127.0.0.1:{server.port}/a?b=c", key)
    sink.send(message())
    key.write_text("another key", encoding="utf-8")
    sink.send(message())

    for request, secret in zip(server.requests, (KEY, "another key"), strict=True):
        seconds, signed = request.headers["Flopwatch-Signature"].removeprefix("t=").split(",v1=")
        expected = hmac.new(secret.encode(), f"{seconds}.".encode() + request.body, hashlib.sha256).hexdigest()
        assert expected == signed
        assert abs(time.time() - int(seconds)) < 60
        assert ("/a?b=c", message().id) == (request.path, request.headers["Flopwatch-Message"])
        assert message().id == request.document["message"]


@pytest.mark.parametrize(("content", "sentence"), [(None, "no such file"), ("", "is empty"), ("\n", "is empty")])
def test_without_a_key_nothing_is_sent(server: WebServer, tmp_path: Path, content: str | None, sentence: str) -> None:
    """And the file is named, when it is checked and when it is needed."""
    file = tmp_path / "gone"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    sink = hook(f"http://127.0.0.1:{server.port}", file)

    for what in (sink.check, lambda: sink.send(message())):
        with pytest.raises(SettingsProblem, match=rf"gone.*{sentence}"):
            what()
    assert [] == server.requests


# -- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("0.0.0.0", True),
        ("10.1.2.3", True),
        ("172.16.0.1", True),
        ("192.168.1.1", True),
        ("100.64.0.1", True),
        ("100.100.100.200", True),
        ("169.254.169.254", True),
        ("168.63.129.16", True),
        ("224.0.0.1", True),
        ("255.255.255.255", True),
        ("::1", True),
        ("::", True),
        ("fe80::1%eth0", True),
        ("fc00::1", True),
        ("fd00:ec2::254", True),
        ("ff02::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:169.254.169.254", True),
        ("64:ff9b::7f00:1", True),
        ("2002:7f00:1::", True),
        ("8.8.8.8", False),
        ("172.32.0.1", False),
        ("::ffff:8.8.8.8", False),
        ("64:ff9b::808:808", False),
        ("2001:4860:4860::8888", False),
    ],
)
def test_which_addresses_are_inside(address: str, inside: bool) -> None:
    """Private, loopback, link-local, metadata, shared and multicast ones, however they are written."""
    assert inside == is_inside(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_addresses_inside_are_refused(server: WebServer, key: Path, host: str) -> None:
    """By whatever name; nothing reaches them."""
    with pytest.raises(NoticeProblem, match=r"which is inside .*: give another address, or set `allow_private`"):
        hook(f"http://{host}:{server.port}", key, allow_private=False).send(message())
    assert [] == server.requests


def test_the_address_that_was_looked_at_is_the_one_that_is_used(
    server: WebServer, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that means something else when it is asked for again is asked for once."""
    outside, inside = ("192.88.99.1", server.port), ("127.0.0.1", server.port)
    asked: list[object] = []

    def resolve(*question: object, **_: object) -> list[object]:
        asked.append(question)
        place = outside if len(asked) == 1 else inside
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(NoticeProblem, match=r"hooks\.example port \d+ does not answer"):
        hook(f"http://hooks.example:{server.port}", key, allow_private=False).send(message())
    assert (1, []) == (len(asked), server.requests)


def test_of_several_addresses_those_inside_are_left_out(
    server: WebServer, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One address that may be used does not open the others."""
    places = [("127.0.0.1", server.port), ("192.88.99.1", server.port)]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    with pytest.raises(NoticeProblem, match="does not answer"):
        hook("http://hooks.example", key, allow_private=False).send(message())
    assert [] == server.requests


def test_a_host_that_nobody_knows(key: Path) -> None:
    """Is named."""
    with pytest.raises(NoticeProblem, match=r"The host gone\.invalid is not known"):
        hook("http://gone.invalid", key).send(message())


def test_mail_servers_and_alertmanagers_inside_are_refused(server: WebServer) -> None:
    """The same guard stands before every sink that connects by itself."""
    mail = EmailSink(name="m", kind="email", host="localhost", sender="f@example.org", to=("a@example.org",))
    managed = AlertmanagerSink(
        name="a", kind="alertmanager", url=f"http://localhost:{server.port}", allow_insecure=True
    )

    for sink in (Email(mail), Alertmanager(managed, SystemClock())):
        with pytest.raises(NoticeProblem, match="which is inside"):
            sink.send(message())
    assert [] == server.requests


# -- mail servers ----------------------------------------------------------------------------------------------------


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Callable[..., tuple[Mailbox, Email]]]:
    """Mail servers, and sinks that lead to them."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    boxes: list[Mailbox] = []

    def made(name: str = "localhost", password: str = "", **settings: object) -> tuple[Mailbox, Email]:
        box = Mailbox(authority.issue_cert(name) if name else None, password)
        boxes.append(box)
        known: dict[str, Any] = {
            "name": "mail",
            "kind": "email",
            "host": "localhost",
            "port": box.port,
            "sender": "flopwatch@example.org",
            "to": ("a@example.org", "b@example.org"),
            "ca_file": tmp_path / "ca.pem",
            "allow_private": True,
            "timeout_seconds": 5,
        }
        return box, Email(EmailSink(**{**known, **settings}))

    yield made
    for box in boxes:
        box.close()


def test_a_mail_says_what_it_must(mail: Callable[..., tuple[Mailbox, Email]]) -> None:
    """The tenant in the text and not in the subject; the id, and that a machine wrote it."""
    box, sink = mail()

    assert sink.send(message()).arrived
    ((to, found),) = box.mails
    assert ["a@example.org", "b@example.org"] == to
    assert f"[flopwatch] Queue: {message().notices[0].flag}, warning, new" == found["Subject"]
    assert f"<{message().id}@example.org>" == found["Message-ID"]
    assert ("auto-generated", message().id) == (found["Auto-Submitted"], found["X-Flopwatch-Message"])
    assert "tenant acme" in str(found.get_content())


def test_a_mail_server_without_encryption_is_refused(mail: Callable[..., tuple[Mailbox, Email]]) -> None:
    """Unless the settings allow it."""
    box, sink = mail(name="")
    with pytest.raises(NoticeProblem, match="offers no STARTTLS"):
        sink.send(message())
    assert [] == box.mails

    _, open_sink = mail(name="", port=box.port, tls="none", allow_insecure=True)
    assert open_sink.send(message()).arrived
    assert 1 == len(box.mails)


def test_a_mail_server_of_another_name(mail: Callable[..., tuple[Mailbox, Email]]) -> None:
    """Gets nothing."""
    box, sink = mail(name="other.example")

    with pytest.raises(NoticeProblem, match=r"its certificate is not to be trusted .Hostname mismatch"):
        sink.send(message())
    assert [] == box.mails


def test_a_wrong_password(mail: Callable[..., tuple[Mailbox, Email]], tmp_path: Path) -> None:
    """Is told in the server's words, without the password; mended in its file, the next try arrives."""
    file = tmp_path / "password"
    file.write_text("wrong", encoding="utf-8")
    box, sink = mail(password="right", username="flopwatch", password_file=file)

    with pytest.raises(NoticeProblem, match="it answers 535") as caught:
        sink.send(message())
    assert "wrong" not in str(caught.value)
    file.write_text("right", encoding="utf-8")
    assert sink.send(message()).arrived
    assert {"flopwatch"} == set(box.logins)


def test_who_has_a_mail_does_not_get_it_again(mail: Callable[..., tuple[Mailbox, Email]]) -> None:
    """Of two recipients one is refused: it is sent again to that one alone until it is taken."""
    box, sink = mail()
    box.refused.add("b@example.org")

    first = sink.send(message())
    again = sink.send(message())
    box.refused.clear()
    last = sink.send(message())

    assert "refuses b@example.org: 550 there is nobody of that name; the others have it." in first.problem
    assert "refuses b@example.org" in again.problem
    assert last.arrived
    assert [["a@example.org"], ["b@example.org"]] == [to for to, _ in box.mails]


def test_a_mail_server_that_hangs(mail: Callable[..., tuple[Mailbox, Email]]) -> None:
    """It takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        _, sink = mail(port=listening.getsockname()[1], timeout_seconds=0.2)
        with pytest.raises(NoticeProblem, match="did not take a message: it gave no whole answer in time"):
            sink.send(message())


# -- Alertmanagers ---------------------------------------------------------------------------------------------------


def test_an_alert_stands_until_its_flag_is_closed(tmp_path: Path) -> None:
    """Said again, also when its finding is gone; ended when a person closed it; no tenant is named anywhere."""
    server = WebServer()
    with alertmanager_at(tmp_path, server.port) as port:
        settings = AlertmanagerSink(
            name="a", kind="alertmanager", url=f"http://127.0.0.1:{port}/", allow_private=True, allow_insecure=True
        )
        sink, clock = Alertmanager(settings, SystemClock()), SystemClock()
        notice = notice_at(clock.now_ms())
        (first,) = messages_of("a", [notice], [], notice.made_at, Limits(0, 1))
        sink.send(first)
        (alert,) = alerts(port)
        sink.keep([Standing(notice._replace(kind=Kind.WITHDRAWN), None)], clock.now_ms() + HOUR_MS)
        (later,) = alerts(port)
        until(lambda: server.requests)
        sink.keep([Standing(notice, clock.now_ms())], clock.now_ms())
        until(lambda: not alerts(port))
        until(lambda: [one for one in server.requests if one.document["status"] == "resolved"])
    server.close()

    assert (
        {
            "alertname": "FlopwatchFlag",
            "flag": notice.flag,
            "rule": notice.rule,
            "policy": notice.policy,
            "level": "warning",
            "severity": "warning",
            "urgency": "queue",
            "legal_force": "internal",
            "family": "tenant",
        }
        == alert["labels"]
        == later["labels"]
    )
    assert "its finding stands" in alert["annotations"]["summary"]
    assert "its finding no longer stands" in later["annotations"]["summary"]
    assert alert["endsAt"] < later["endsAt"]
    for words in ("Legal force: internal,", "Duty holder: provider.", "Not established: what it is for."):
        assert words in alert["annotations"]["description"]
    assert "acme" not in str([alert, later])


def test_what_an_alertmanager_does_not_take(server: WebServer, key: Path) -> None:
    """A sentence, of news and of what stands; the token of its file is sent along."""
    server.answers += [Answer(400), Answer(500)]
    url = f"http://127.0.0.1:{server.port}/am"
    settings = AlertmanagerSink(
        name="a", kind="alertmanager", url=url, allow_private=True, allow_insecure=True, token_file=key
    )
    sink = Alertmanager(settings, SystemClock())
    sink.check()

    assert "answers 400: it has not taken what was sent." in sink.send(message()).problem
    with pytest.raises(NoticeProblem, match="answers 500"):
        sink.keep([Standing(notice_at(NOW), None)], NOW)
    assert {("/am/api/v2/alerts", f"Bearer {KEY}")} == {
        (one.path, one.headers["Authorization"]) for one in server.requests
    }
