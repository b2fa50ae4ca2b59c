"""The console on a real socket: what a connection may cost, and how it begins and ends."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from monitor.errors import SettingsProblem
from monitor.web import security, server
from monitor.web.passwords import AT_ONCE
from monitor.web.server import ConsoleServer
from tests.web.browsing import FORM_TOKEN, PASSWORD, House

HEAD = b"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = (
    b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: same-origin\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n"
)
ENOUGH = 20.0  # seconds, for what takes a fraction of one


@pytest.fixture
def local(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, origin=None)
    yield house
    house.close()


@pytest.fixture
def serving(local: House) -> Iterator[ConsoleServer]:
    console = ConsoleServer("127.0.0.1", 0, local.app)
    console.start()
    yield console
    console.close()


def connected(serving: ConsoleServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", serving.port), timeout=ENOUGH)


def rest(connection: socket.socket) -> bytes:
    """Everything until the other side ends the connection."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass  # it did not wait for what was still on its way
    return b"".join(parts)


def ask(serving: ConsoleServer, *parts: bytes) -> bytes:
    with connected(serving) as connection:
        for part in parts:
            connection.sendall(part)
        return rest(connection)


def test_somebody_signs_in_over_a_socket(serving: ConsoleServer) -> None:
    """As a browser does it: cookie, form, page."""
    connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=ENOUGH)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    form = urllib.parse.urlencode({"name": "viewer", "password": PASSWORD})
    connection.request("POST", "/sign-in", form, headers)
    answer = connection.getresponse()
    answer.read()
    cookie = str(answer.getheader("Set-Cookie")).split(";")[0]
    connection.request("GET", "/me", headers={"Cookie": cookie})
    page = connection.getresponse()
    text = page.read().decode()
    connection.close()

    assert (303, 200) == (answer.status, page.status)
    assert FORM_TOKEN.search(text)
    assert page.getheader("Server") is None


def test_an_answer_does_not_wait_for_word_that_its_beginning_came(serving: ConsoleServer) -> None:
    """Else each would take forty milliseconds longer on a connection that is used again."""
    connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=ENOUGH)
    took = []
    for _ in range(30):
        began = time.monotonic()
        connection.request("GET", "/sign-in")
        connection.getresponse().read()
        took.append(time.monotonic() - began)
    connection.close()

    assert min(took) < 0.03


def test_a_head_that_drips_is_cut_off(serving: ConsoleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """However steadily; so is one that never begins, and the second one of a connection."""
    assert server.HEAD_SECONDS_MAX <= 10
    monkeypatch.setattr(server, "HEAD_SECONDS_MAX", 0.5)
    for beginning in (b"", HEAD + b"\r\n"):
        began = time.monotonic()
        with connected(serving) as connection:
            connection.sendall(beginning)
            stop = threading.Event()
            dripping = threading.Thread(target=drip, args=(connection, stop))
            dripping.start()
            received = rest(connection)
            stop.set()
            dripping.join()
        assert time.monotonic() - began < ENOUGH
        assert len(beginning and b"1") == received.count(b"HTTP/1.1 200")


def drip(connection: socket.socket, stop: threading.Event) -> None:
    for byte in HEAD * 100:
        if stop.wait(0.02):
            return
        try:
            connection.sendall(bytes([byte]))
        except OSError:
            return


def test_a_silent_connection_is_cut_off(serving: ConsoleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who connects and says nothing."""
    monkeypatch.setattr(server, "HEAD_SECONDS_MAX", 0.3)

    assert b"" == ask(serving)


def test_a_body_that_drips_is_cut_off(serving: ConsoleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a sentence, and the connection ends."""
    monkeypatch.setattr(security, "BODY_SECONDS_MAX", 0.3)
    answer = ask(serving, POST + b"Content-Length: 100\r\n\r\n", b"name=")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not come in time" in answer


def test_who_goes_away_in_the_middle_of_a_form_is_no_failure(serving: ConsoleServer, local: House) -> None:
    """Nothing is logged, and the next one is served."""
    for _ in range(3):
        with connected(serving) as connection:
            connection.sendall(POST + b"Content-Length: 100\r\n\r\nname=")

    assert ask(serving, HEAD + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    counted = "flopwatch_console_request_seconds_count"
    wait_for(lambda: local.counted(counted, route="/sign-in", method="POST", status="400") == 3)
    assert "" == local.log.getvalue()


def wait_for(what: Callable[[], bool]) -> None:
    limit = time.monotonic() + ENOUGH
    while not what():
        assert time.monotonic() < limit, "it did not come about in time"
        time.sleep(0.02)


def test_a_body_that_is_too_long_ends_the_connection(serving: ConsoleServer) -> None:
    """By what it announces, and by what comes; what follows is not read as another request."""
    announced = ask(serving, POST + b"Content-Length: 1000001\r\n\r\n")
    assert announced.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in announced.lower()

    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    assert ask(serving, POST + b"Transfer-Encoding: chunked\r\n\r\n", chunk * 17).startswith(b"HTTP/1.1 413 ")
    hidden = ask(serving, HEAD + b"Content-Length: 60\r\n\r\n", HEAD + b"\r\n")
    assert hidden.startswith(b"HTTP/1.1 400 ")
    assert 1 == hidden.count(b"HTTP/1.1")


@pytest.mark.parametrize(
    "request_",
    [HEAD + b"X-Long: " + b"x" * 60_000 + b"\r\n\r\n", HEAD + b"X: y\r\n" * 2_000 + b"\r\n", HEAD + b"x" * 200_000],
)
def test_a_head_that_is_too_long_is_refused(serving: ConsoleServer, request_: bytes) -> None:
    """Before any page sees it."""
    assert re.match(rb"HTTP/1.1 4(00|31) |$", ask(serving, request_))


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        HEAD + b"Host: 127.0.0.1\r\n\r\n",
        HEAD + b"X\x00: y\r\n\r\n",
        HEAD + b"X: a\r\n b\r\n\r\n",
        POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: -1\r\n\r\n",
        b"GET /sign-in HTTP/1.0\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(serving: ConsoleServer, request_: bytes) -> None:
    """And what two programs could read as two different ones; the next one is answered."""
    with connected(serving) as connection:
        connection.sendall(request_)
        connection.shutdown(socket.SHUT_WR)
        assert re.match(rb"HTTP/1.1 4\d\d |$", rest(connection))

    assert ask(serving, HEAD + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_no_header_of_ours_can_be_written_by_others(serving: ConsoleServer) -> None:
    """Line breaks in an address or a form become no line of an answer."""
    path = b"/users?x=%0d%0aSet-Cookie:%20evil=1"
    answer = ask(serving, HEAD.replace(b"/sign-in", path) + b"Connection: close\r\n\r\n")
    form = b"name=viewer&password=correct+horse+battery&next=%2F%0d%0aSet-Cookie:%20evil=1"
    signed_in = ask(serving, POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(form), form)

    assert [b"HTTP/1.1 303"] * 2 == [one[:12] for one in (answer, signed_in)]
    assert [False] * 2 == [b"\r\nset-cookie: evil" in one.lower() for one in (answer, signed_in)]


def test_connections_have_a_limit(serving: ConsoleServer, local: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes after so many is told to come again, and the others are served."""
    assert server.CONNECTIONS_MAX <= 1_000
    monkeypatch.setattr(server, "CONNECTIONS_MAX", 3)
    small = ConsoleServer("127.0.0.1", 0, local.app)
    small.start()
    try:
        with connected(small), connected(small):
            assert ask(small, HEAD + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 503 ")
        wait_for(lambda: ask(small, HEAD + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 "))
    finally:
        small.close()


class Slow(PasswordHasher):
    """Looks at passwords until it is let go on, and finds none to be right."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.looking = threading.Semaphore(0)
        self.go_on = threading.Event()

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        self.looking.release()
        assert self.go_on.wait(ENOUGH)
        raise VerificationError


def test_who_signs_in_does_not_keep_others_waiting(tmp_path: Path) -> None:
    """A hundred tries at once wait for each other, not everybody for them."""
    hasher = Slow()
    house = House(tmp_path, hasher, origin=None)
    serving = ConsoleServer("127.0.0.1", 0, house.app)
    serving.start()
    trying = [connected(serving) for _ in range(100)]
    for number, connection in enumerate(trying):
        form = b"name=nobody-%d&password=x" % number
        connection.sendall(POST + b"Content-Length: %d\r\n\r\n%b" % (len(form), form))
    for _ in range(AT_ONCE):
        assert hasher.looking.acquire(timeout=ENOUGH)

    assert ask(serving, HEAD + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert not hasher.looking.acquire(blocking=False)
    hasher.go_on.set()
    for connection in trying:
        assert re.match(rb"HTTP/1.1 4(01|29) ", connection.recv(65_536))
        connection.close()
    serving.close()
    house.close()


def test_the_server_says_whether_it_answers(local: House) -> None:
    """Before, while, and after it does; closing it gives the port back."""
    console = ConsoleServer("127.0.0.1", 0, local.app)
    assert (False, "The console has not begun, or has ended.") == console.answers()
    console.start()
    wait_for(lambda: console.answers() == (True, "The console answers."))
    port = console.port
    console.close()

    assert not console.answers()[0]
    again = ConsoleServer("127.0.0.1", port, local.app)
    again.close()


def test_an_address_that_is_taken_is_named(serving: ConsoleServer, local: House) -> None:
    """With the settings that choose another one."""
    with pytest.raises(SettingsProblem, match=r"address already in use\. Choose another `console\.host`"):
        ConsoleServer("127.0.0.1", serving.port, local.app)
