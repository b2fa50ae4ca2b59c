"""What holds for every request and every answer of the console."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import httpx
import pytest
from fastapi import APIRouter
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response
from starlette.types import Message

from monitor.core.roles import Permission
from monitor.errors import StoreProblem
from monitor.web import security
from monitor.web.console import ROUTERS, build
from monitor.web.security import BODY_SECONDS_MAX, HEADER_BYTES_MAX, HEADERS_MAX, TARGET_BYTES_MAX
from monitor.web.visit import ANYBODY, Visit, asks
from tests.web.browsing import ORIGIN, PASSWORD, TEST, Browser, House

SECURE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Strict-Transport-Security": "max-age=31536000",
}
UNSAFE = re.compile(r"<script(?! src=\"/static/)|<style|\son\w+=|\sstyle=|javascript:", re.IGNORECASE)

broken = APIRouter()


@broken.get("/bug")
def bug(visit: Annotated[Visit, asks(ANYBODY)]) -> Response:
    raise KeyError("orchid-compute <script>")


@broken.get("/store")
def store(visit: Annotated[Visit, asks(ANYBODY)]) -> Response:
    raise StoreProblem("The store /somewhere/books.db is in use by another process.")


@broken.get("/weak")
def weak(visit: Annotated[Visit, asks(ANYBODY)]) -> Response:
    return Response("names", headers={"Content-Security-Policy": "default-src *", "Referrer-Policy": "unsafe-url"})


@broken.get("/slow")
async def slow(visit: Annotated[Visit, asks(ANYBODY)]) -> Response:
    await asyncio.sleep(3_600)
    raise AssertionError("it was given up before")


@pytest.fixture
def browser(house: House) -> Browser:
    return house.signed_in("administrator")


def break_(house: House) -> Browser:
    """A browser at a console with pages that fail."""
    house.app = build(house.console, house.secrets, (*ROUTERS, broken))
    return house.browser()


@pytest.mark.parametrize(
    ("path", "status"), [("/me", 200), ("/users", 200), ("/sign-in", 303), ("/none", 404), ("/sign-out", 405)]
)
def test_every_answer_has_the_headers(browser: Browser, path: str, status: int) -> None:
    """Pages, redirections and errors alike; each has an id of its own, and nothing on it is inline."""
    answer, again = browser.get(path), browser.get(path)

    assert status == answer.status_code
    assert SECURE == {name: answer.headers[name] for name in SECURE}
    assert re.fullmatch(r"[\w-]{16}", answer.headers["X-Request-Id"])
    assert answer.headers["X-Request-Id"] != again.headers["X-Request-Id"]
    assert UNSAFE.search(answer.text) is None


def test_no_page_weakens_the_headers(house: House) -> None:
    """What one says itself does not count."""
    answer = break_(house).get("/weak")

    assert SECURE == {name: answer.headers[name] for name in SECURE}


def test_files_are_kept_for_a_year(browser: Browser) -> None:
    """By an address with their digest, which any other content changes; another digest is not there."""
    page = browser.get("/me").text
    for path in re.findall(r'"(/static/[^"]+)"', page):
        answer = browser.send("GET", path)
        assert 200 == answer.status_code
        assert "public, max-age=31536000, immutable" == answer.headers["Cache-Control"]
        assert answer.headers["Content-Type"].startswith(("text/css", "text/javascript"))
    for path in ("/static/0123456789abcdef/console.css", "/static/x/README.md", "/static/..%2f..%2fsettings.py/x"):
        assert 404 == browser.send("GET", path).status_code


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN}, 303),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Origin": ORIGIN}, 303),
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 403),
        ({"Origin": "http://flopwatch.example"}, 403),
        ({"Origin": f"{ORIGIN}.evil.example"}, 403),
        ({"Origin": f"{ORIGIN}:444"}, 403),
    ],
)
def test_a_change_comes_from_our_own_pages(house: House, headers: dict[str, str], status: int) -> None:
    """Browsers say where a request comes from; signing in is asked the same, so that nobody is signed in by others."""
    browser = house.browser()
    form = {"name": "viewer", "password": PASSWORD}
    assert status == browser.send("POST", "/sign-in", headers, form).status_code

    inside = house.signed_in("viewer")
    assert status == inside.send("POST", "/sign-out", headers, {"form_token": inside.form_token}).status_code


def test_a_form_carries_the_token_of_its_session(house: House) -> None:
    """None, a wrong one, that of another session, one in the address, and one as a file are refused."""
    other, browser = house.signed_in("viewer"), house.signed_in("viewer")
    assert browser.form_token != other.form_token
    for form in ({}, {"form_token": ""}, {"form_token": "é" * 64}, {"form_token": other.form_token}):
        sent = browser.send("POST", "/sign-out", {"Origin": ORIGIN}, form)
        assert 403 == sent.status_code
        assert "go back, reload it" in sent.text
    path = f"/sign-out?form_token={browser.form_token}"
    assert 403 == browser.send("POST", path, {"Origin": ORIGIN}, {}).status_code
    assert 200 == browser.get("/me").status_code

    assert 303 == browser.post("/sign-out", {}).status_code


@pytest.mark.parametrize(
    ("base", "status"),
    [
        (ORIGIN, 303),
        ("https://evil.example", 421),
        ("https://flopwatch.example.evil.example", 421),
        (f"{ORIGIN}:444", 421),
    ],
)
def test_the_console_is_known_by_one_address(house: House, base: str, status: int) -> None:
    """Another name that leads to our address is not ours: what its pages do is not done from ours."""
    assert status == house.browser(base=base).get("/").status_code


@pytest.mark.parametrize(
    ("base", "status"),
    [
        ("http://127.0.0.1:9465", 303),
        ("http://localhost:8000", 303),
        ("http://[::1]:9465", 303),
        ("http://evil.example:9465", 421),
        ("http://127.0.0.1.evil.example", 421),
        ("http://10.0.0.1:9465", 421),
    ],
)
def test_on_the_loopback_address_names_of_others_are_refused(tmp_path: Path, base: str, status: int) -> None:
    """A page elsewhere whose name is made to lead to 127.0.0.1 cannot read ours; any port may be forwarded to it."""
    house = House(tmp_path, origin=None)

    assert status == house.browser(base=base, address="127.0.0.1").get("/").status_code
    house.close()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_methods_are_refused(browser: Browser, method: str) -> None:
    """Pages are read, forms are sent."""
    assert 405 == browser.send(method, "/me", {"Origin": ORIGIN}).status_code


def test_a_head_is_that_of_the_page(browser: Browser) -> None:
    """With the length of a text that does not come."""
    whole, head = browser.send("GET", "/me"), browser.send("HEAD", "/me")

    assert (200, "") == (head.status_code, head.text)
    assert whole.headers["Content-Length"] == head.headers["Content-Length"]


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({"X-Long": "x" * HEADER_BYTES_MAX}, "/", 431),
        ({f"X-{number}": "x" for number in range(HEADERS_MAX)}, "/", 431),
        ({}, "/" + "x" * TARGET_BYTES_MAX, 414),
        ({}, "/?" + "x" * TARGET_BYTES_MAX, 414),
        ({"Content-Length": "10000001"}, "/", 413),
        ({"Content-Length": "1"}, "/", 400),
        ({"Transfer-Encoding": "chunked"}, "/", 400),
    ],
)
def test_heads_have_limits(house: House, headers: dict[str, str], path: str, status: int) -> None:
    """Of headers, of the address, and of what is announced; reading carries nothing."""
    answer = house.browser().send("GET", path, headers)

    assert status == answer.status_code
    assert UNSAFE.search(answer.text) is None


def test_a_form_that_is_too_long_is_refused(house: House) -> None:
    """By what it announces, or where it announces nothing, once it has come so far; the connection ends."""
    browser = house.signed_in("viewer")
    answer = browser.post("/sign-out", {"filling": "x" * 1_000_000})

    assert 413 == answer.status_code
    assert "may carry 1,000,000 bytes" in answer.text
    assert 200 == browser.get("/me").status_code
    assert [413] == [message["status"] for message in streamed(house, 3, 400_000) if "status" in message]
    (start,) = (message for message in streamed(house, 3, 400_000) if "status" in message)
    assert (b"connection", b"close") in start["headers"]


def streamed(house: House, parts: int, bytes: int) -> list[Message]:
    """What is answered to a form of that many parts, each of so many bytes, of no announced length."""
    sent: list[Message] = []
    left = iter(range(parts, -1, -1))

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x" * bytes, "more_body": next(left) > 0}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(house.app(scope_of("/sign-in"), receive, send))
    return sent


def scope_of(path: str) -> dict[str, object]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "headers": [
            (b"host", b"flopwatch.example"),
            (b"origin", ORIGIN.encode()),
            (b"transfer-encoding", b"chunked"),
            (b"content-type", b"application/x-www-form-urlencoded"),
        ],
        "client": ("198.51.100.7", 50_000),
        "server": ("127.0.0.1", 9_465),
    }


def test_a_form_that_does_not_come_is_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However steadily it drips."""
    assert BODY_SECONDS_MAX <= 30
    monkeypatch.setattr(security, "BODY_SECONDS_MAX", 0.2)
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(house.app(scope_of("/sign-in"), receive, send))

    assert 408 == sent[0]["status"]
    assert b"did not come in time" in sent[1]["body"]


def test_an_answer_that_does_not_come_is_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says so."""
    monkeypatch.setattr(security, "REQUEST_SECONDS_MAX", 0.2)
    answer = break_(house).get("/slow")

    assert 503 == answer.status_code
    assert "took too long" in answer.text


def test_a_bug_says_nothing_of_itself(house: House) -> None:
    """The page has the request's id, the log kind and place of the bug, neither its text."""
    answer = break_(house).get("/bug")

    assert 500 == answer.status_code
    assert "The console has failed at this request" in answer.text
    assert answer.headers["X-Request-Id"] in answer.text
    assert SECURE.items() <= dict(zip(SECURE, map(answer.headers.get, SECURE), strict=True)).items()
    log = house.log.getvalue()
    assert '"reason": "KeyError"' in log
    assert answer.headers["X-Request-Id"] in log
    assert '"place": "' in log
    assert "orchid" not in answer.text + log


def test_a_store_that_does_not_answer_is_no_bug(house: House) -> None:
    """People are told to try again, operators what to do."""
    answer = break_(house).get("/store")

    assert 503 == answer.status_code
    assert "Nothing was changed" in answer.text
    assert "books.db" not in answer.text
    assert "in use by another process" in house.log.getvalue()


def test_requests_are_counted(house: House, browser: Browser) -> None:
    """By route, method and status, with how long they took; no path of a page and no method of a visitor's making."""
    browser.get("/me")
    browser.get("/none")
    browser.send("BREW", "/me")

    def counted(route: str, method: str, status: str) -> float | None:
        labels = {"route": route, "method": method, "status": status}
        return house.counted("flopwatch_console_request_seconds_count", **labels)

    assert 2 == counted("/me", "GET", "200")  # one of them by signing in
    assert 1 == counted("/sign-in", "POST", "303")
    assert 1 == counted("none", "GET", "404")
    assert 1 == counted("none", "other", "405")


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe\x00", b"a=%ff%fe", b"=&=&=", b"form_token[]=1", b"&" * 5_000, b"a=1&" * 5_000, b"{", b"%"],
)
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"])
def test_forms_that_cannot_be_read_are_refused(house: House, body: bytes, kind: str) -> None:
    """With a sentence, never with a failure of ours."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = scope_of("/sign-in")
    scope["headers"] = [(b"host", b"flopwatch.example"), (b"origin", ORIGIN.encode()), (b"content-type", kind.encode())]
    scope["headers"] += [(b"content-length", str(len(body)).encode())]
    asyncio.run(house.app(scope, receive, send))

    assert sent[0]["status"] in {400, 401}
    assert "" == house.log.getvalue()


def test_a_connection_that_is_no_request_is_left_alone(house: House) -> None:
    """There are no web sockets here."""

    async def receive() -> Message:
        raise AssertionError("nobody asks")

    async def send(_message: Message) -> None:
        raise AssertionError("nobody answers")

    asyncio.run(house.app({"type": "websocket"}, receive, send))


def test_an_auditor_reads_with_a_token(house: House) -> None:
    """A program sends it in a header; a cookie beside it, other schemes and made-up ones count for nothing."""
    made = house.accounts.add_token("auditor", "ci", [Permission.VIEW_CASES], 1, TEST)
    viewing = APIRouter()

    @viewing.get("/cases")
    @viewing.post("/cases")
    def cases(visit: Annotated[Visit, asks(Permission.VIEW_CASES)]) -> Response:
        return Response(visit.tenant("acme"))

    house.app = build(house.console, house.secrets, (*ROUTERS, viewing))
    browser = house.browser()
    bearer = {"Authorization": f"Bearer {made.secret}"}
    answer = browser.send("GET", "/cases", bearer)
    assert (200, False) == (answer.status_code, "acme" in answer.text)
    assert 200 == browser.send("POST", "/cases", bearer, {}).status_code  # no cookie, so nothing to abuse
    assert 403 == browser.send("GET", "/me", bearer).status_code

    signed_in = house.signed_in("auditor")
    assert "acme" == signed_in.send("GET", "/cases").text
    for wrong in ("Bearer made-up", "Bearer", f"Basic {made.secret}", f"Bearer {'x' * 300}", ""):
        answer = signed_in.send("GET", "/cases", {"Authorization": wrong})
        assert (401, "Bearer") == (answer.status_code, answer.headers["WWW-Authenticate"])

    house.accounts.disable("auditor", TEST)
    assert 401 == browser.send("GET", "/cases", bearer).status_code
    house.accounts.enable("auditor", TEST)
    assert 200 == browser.send("GET", "/cases", bearer).status_code
    house.clock.now += 24 * 3_600_000
    assert 401 == browser.send("GET", "/cases", bearer).status_code


def test_a_busy_store_lets_people_read(house: House, tmp_path: Path) -> None:
    """While another process writes, a session is not noted as used, and the page is there."""
    browser = house.signed_in("viewer")
    house.clock.now += 120_000
    other = sqlite3.connect(tmp_path / "books.db", isolation_level=None)
    other.execute("begin immediate")

    assert 200 == browser.get("/me").status_code
    other.close()


header_names = st.sampled_from(
    ["Accept", "Content-Type", "Cookie", "Origin", "Range", "Sec-Fetch-Site", "X-Forwarded-For"]
)
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80)
paths = st.text(max_size=60).map(lambda text: "/" + quote(text)) | st.sampled_from(
    [
        "/",
        "/me",
        "/users",
        "/users?after=%00",
        "/users/%ff",
        "/sign-in?next=%00",
        "/me/tokens",
        "/static/a/b",
        "//",
        "/%",
    ]
)


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One console for many requests, and an administrator in it."""
    house = House(tmp_path_factory.mktemp("house"))
    yield house.signed_in("administrator")
    house.close()


@given(
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    path=paths,
    headers=st.dictionaries(header_names, header_values, max_size=4),
    form=st.dictionaries(
        st.text(max_size=20) | st.sampled_from(["name", "role", "next", "days"]), st.text(max_size=60)
    ),
)
def test_no_request_makes_the_console_fail(
    open_house: Browser, method: str, path: str, headers: dict[str, str], form: dict[str, str]
) -> None:
    """Whatever an administrator's browser sends: each answer is a page of ours with the headers."""
    sent = {"Sec-Fetch-Site": "same-origin", **headers}
    fields = {"form_token": open_house.form_token, **form} if method == "POST" else None
    cookies = httpx.Cookies(open_house.cookies)
    answer = open_house.send(method, path, sent, fields)
    open_house.cookies = cookies  # what an answer gave is not kept

    assert answer.status_code < 500, open_house.house.log.getvalue()
    assert SECURE["Content-Security-Policy"] == answer.headers["Content-Security-Policy"]
    assert UNSAFE.search(answer.text) is None
