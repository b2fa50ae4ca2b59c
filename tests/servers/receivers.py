"""Receivers of notices on loopback: a web server that answers as it is told, a mail server, an Alertmanager."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as SmtpServer
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from tests.deploy.monitoring import alertmanager_of, free_port, page

STEP_SECONDS = 0.05  # between two bytes of an answer that trickles


class Answer(NamedTuple):
    """How a web server answers one request."""

    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    silent: bool = False  # it takes the request, and says nothing
    trickling: bool = False  # it sends an endless head, a byte at a time


class Request(NamedTuple):
    """What came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class WebServer:
    """Notes every request, and gives the answers that it was told in their order, then 200."""

    def __init__(self, certificate: trustme.LeafCert | None = None, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.answers: list[Answer] = []
        self.released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append(Request(self.path, dict(self.headers), body))
                receiver.answer(self)

            do_GET = do_HEAD = do_POST

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # whoever sends may hang up
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        answer = self.answers.pop(0) if self.answers else Answer()
        if answer.silent:
            self.released.wait()
            return
        if answer.trickling:
            while not self.released.wait(STEP_SECONDS):
                handler.wfile.write(b"H")
            return
        handler.send_response(answer.status)
        for name, value in answer.headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop, also what still waits."""
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Mailbox:
    """A mail server that notes what it takes, and refuses the recipients that it was told."""

    def __init__(self, certificate: trustme.LeafCert | None, password: str = "", port: int = 0) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.refused: set[str] = set()
        self.logins: list[str] = []
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)

        def authenticated(
            server: object, session: object, envelope: object, mechanism: str, given: object
        ) -> AuthResult:
            assert isinstance(given, LoginPassword)
            self.logins.append(given.login.decode())
            right = given.password.decode() == password
            return AuthResult(success=right, handled=right)  # otherwise the server answers

        self._controller = Controller(
            self,
            "127.0.0.1",
            port or free_port(),
            tls_context=context,
            require_starttls=context is not None,
            auth_required=bool(password),
            authenticator=authenticated,
        )
        self._controller.start()

    @property
    def port(self) -> int:
        return int(self._controller.port)

    async def handle_RCPT(
        self, server: SmtpServer, session: Session, envelope: Envelope, address: str, options: object
    ) -> str:
        """Take a recipient, or refuse it."""
        if address in self.refused:
            return "550 there is nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SmtpServer, session: Session, envelope: Envelope) -> str:
        """Note a mail."""
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append((list(envelope.rcpt_tos), mail))
        return "250 OK"

    def close(self) -> None:
        """Stop."""
        self._controller.stop()


@contextmanager
def alertmanager_at(folder: Path, receiver: int) -> Iterator[int]:
    """The port of an Alertmanager that sends everything to a port at once."""
    hooks = [{"url": f"http://127.0.0.1:{receiver}/told", "send_resolved": True}]
    route = {
        "receiver": "all",
        "group_by": ["..."],
        "group_wait": "0s",
        "group_interval": "1s",
        "repeat_interval": "1h",
    }
    settings = {"route": route, "receivers": [{"name": "all", "webhook_configs": hooks}]}
    with alertmanager_of(folder, json.dumps(settings)) as port:
        yield port


def alerts(port: int) -> list[dict[str, Any]]:
    """What an Alertmanager holds for active."""
    answer = page(port, "api/v2/alerts")
    assert answer is not None
    return list(json.loads(answer))


def until(what: Any, seconds: float = 30.0) -> Any:
    """What a question gives once it gives something."""
    limit = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < limit, "it did not come about"
        time.sleep(0.02)
    return found
