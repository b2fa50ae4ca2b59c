"""What holds for every request and every answer, before and after any page: whatever is refused here reaches none.

A request that changes something must come from our own pages: browsers say so in Sec-Fetch-Site and Origin, and every
browser of today sends one of them. Beside that, each form of somebody who has signed in carries a token of the session
(see `monitor.web.visit`). Programs with a token in Authorization have no cookie to abuse, and say neither.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.clock import Clock, Secrets
from monitor.metrics import ConsoleMetrics
from monitor.settings import Console as ConsoleSettings
from monitor.web.addresses import is_among
from monitor.web.api.answers import is_of_api

HEADER_BYTES_MAX = 16_384
HEADERS_MAX = 100
TARGET_BYTES_MAX = 4_096
BODY_SECONDS_MAX = 20.0  # from the head of a request to its last byte
REQUEST_SECONDS_MAX = 60.0  # altogether, until the answer has gone
REQUEST_ID_CHARACTERS = 16
SAFE_METHODS = frozenset({"GET", "HEAD"})
METHODS = SAFE_METHODS | {"POST"}
YEAR_SECONDS = 31_536_000

# Nothing inline, nothing from elsewhere, in nobody's frame.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Nothing of our addresses goes to others. With `no-referrer` browsers send `Origin: null` from our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
NO_STORE = "no-store"
REQUEST_ID = "X-Request-Id"
LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?")
FORMS = "Pages are read with GET and HEAD, forms are sent with POST."
SLOW = HTTPStatus.SERVICE_UNAVAILABLE, "This took too long and was given up: try again, or ask for less at once."

# (path, status, a sentence, the request's id) -> what is said of it
Refuse = Callable[[str, HTTPStatus, str, str], Response]


class Guard:
    """An ASGI application around the console."""

    def __init__(
        self,
        inner: ASGIApp,
        settings: ConsoleSettings,
        refuse: Refuse,
        clock: Clock,
        secrets: Secrets,
        metrics: ConsoleMetrics,
    ) -> None:
        self._inner = inner
        self._settings = settings
        self._refuse = refuse
        self._clock = clock
        self._secrets = secrets
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        began = self._clock.monotonic()
        answer = _Answer(send, self._secrets()[:REQUEST_ID_CHARACTERS], self._settings.origin is not None)
        scope["state"] = {**scope.get("state", {}), "request_id": answer.request_id}
        body = _Body(scope, receive, self._settings.body_bytes_max)
        answer.all_was_read = lambda: body.ended
        problem = self._problem(scope, Headers(scope=scope))
        # A page is written for HEAD as for GET; the server leaves the text away.
        inner = {**scope, "method": "GET" if scope["method"] == "HEAD" else scope["method"]}
        try:
            async with asyncio.timeout(REQUEST_SECONDS_MAX):
                if problem is not None:
                    await self._refusal(problem, answer, scope)
                else:
                    await self._inner(inner, body.receive, answer.send)
        except TimeoutError:
            if answer.status:
                raise  # it has begun: all that can be done is to close the connection
            await self._refusal(SLOW, answer, scope)
        finally:
            if answer.status:  # else nobody was there any more
                route = getattr(inner.get("route"), "path", "")  # which the application has put there
                self._metrics.answered(route, scope["method"], answer.status, self._clock.monotonic() - began)

    async def _refusal(self, problem: tuple[HTTPStatus, str], answer: _Answer, scope: Scope) -> None:
        answer.all_was_read = lambda: False
        response = self._refuse(scope["path"], *problem, answer.request_id)
        if problem[0] is HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = ", ".join(sorted(_methods(scope["path"])))
        await response(scope, _nothing, answer.send)

    def _problem(self, scope: Scope, headers: Headers) -> tuple[HTTPStatus, str] | None:
        """Why a request goes no further, by its head alone."""
        return (
            _size_problem(scope, headers, self._settings.body_bytes_max)
            or self._peer_problem(scope)
            or self._host_problem(headers)
            or _method_problem(scope["method"], scope["path"], headers)
            or self._cross_site_problem(scope["method"], headers)
        )

    def _peer_problem(self, scope: Scope) -> tuple[HTTPStatus, str] | None:
        settings = self._settings
        peer = (scope.get("client") or ("", 0))[0]
        if settings.user_header is None or is_among(peer, settings.proxies):
            return None
        return HTTPStatus.FORBIDDEN, "The console answers through its proxy only: use the address that it is known by."

    def _host_problem(self, headers: Headers) -> tuple[HTTPStatus, str] | None:
        """A page of another name that leads to our address is no page of ours."""
        host = headers.get("host", "")
        if len(headers.getlist("host")) == 1 and self._is_ours(host):
            return None
        return HTTPStatus.MISDIRECTED_REQUEST, "The console is not known by this address: use the one in its settings."

    def _is_ours(self, host: str) -> bool:
        if self._settings.origin is not None:
            return f"https://{host.lower()}" == self._settings.origin
        return LOOPBACK_HOST.fullmatch(host) is not None

    def _cross_site_problem(self, method: str, headers: Headers) -> tuple[HTTPStatus, str] | None:
        if method in SAFE_METHODS or _has_token(headers):
            return None
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        ours = self._settings.origin or f"http://{headers['host']}"
        from_us = site in (None, "same-origin", "none") and origin in (None, ours)
        if from_us and (site, origin) != (None, None):
            return None
        return HTTPStatus.FORBIDDEN, "This was not sent from a page of the console: go back, reload it, and try again."


class _Answer:
    """Sends an answer on, with the headers that every answer has."""

    def __init__(self, send: Send, request_id: str, encrypted: bool) -> None:
        self._send = send
        self._encrypted = encrypted
        self.request_id = request_id
        self.status = 0  # of the answer, once it has begun
        self.all_was_read: Callable[[], bool] = lambda: True

    async def send(self, message: Message) -> None:
        """Send one message of it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            headers.setdefault("Cache-Control", NO_STORE)
            headers[REQUEST_ID] = self.request_id
            if self._encrypted:
                headers["Strict-Transport-Security"] = f"max-age={YEAR_SECONDS}"
            if not self.all_was_read():  # what is still to come would be taken for the next request, or wait for ever
                headers["Connection"] = "close"
        await self._send(message)


class _Body:
    """The body of a request, no more and no slower than it may be."""

    def __init__(self, scope: Scope, receive: Receive, bytes_max: int) -> None:
        self._receive = receive
        self._bytes_max = bytes_max
        self._bytes = 0
        self._until = asyncio.get_running_loop().time() + BODY_SECONDS_MAX
        self.ended = not _announces_body(Headers(scope=scope))

    async def receive(self) -> Message:
        """The next part of it; once it has ended, word that the browser has gone.

        Raises:
            HTTPException: it is too long, or does not come.
        """
        if self.ended:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, "The request did not come in time: try again.") from None
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._bytes_max:
            raise HTTPException(*_too_long(self._bytes_max))
        self.ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def _announces_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _has_token(headers: Headers) -> bool:
    return "authorization" in headers


def _size_problem(scope: Scope, headers: Headers, bytes_max: int) -> tuple[HTTPStatus, str] | None:
    raw = headers.raw
    if len(raw) > HEADERS_MAX or sum(len(name) + len(value) for name, value in raw) > HEADER_BYTES_MAX:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        return status, "The head of the request is too long: delete the cookies of this site and try again."
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > TARGET_BYTES_MAX:
        return HTTPStatus.REQUEST_URI_TOO_LONG, "The address is too long: follow a link of the console."
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > bytes_max:
        return _too_long(bytes_max)
    return None


def _too_long(bytes_max: int) -> tuple[HTTPStatus, str]:
    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A request may carry {bytes_max:,} bytes: send less at once."


def _methods(path: str) -> frozenset[str]:
    return SAFE_METHODS if is_of_api(path) else METHODS


def _method_problem(method: str, path: str, headers: Headers) -> tuple[HTTPStatus, str] | None:
    if method not in _methods(path):
        sentence = "The API is read with GET and HEAD." if is_of_api(path) else FORMS
        return HTTPStatus.METHOD_NOT_ALLOWED, sentence
    if method in SAFE_METHODS and _announces_body(headers):
        return HTTPStatus.BAD_REQUEST, "A request that reads carries nothing: send it without a body."
    return None
