"""/metrics, /healthz and /readyz: a small server in its own thread.

/healthz answers whether there is progress, not whether the process exists: 200, or 503 with a sentence that names what
stands still. /readyz answers whether the books are loaded and nothing is stopping. Both are asked of functions given to
the server. Connections, their number and their duration are bounded.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from monitor.errors import SettingsProblem

REQUEST_SECONDS_MAX = 5.0
CONNECTIONS_MAX = 16
POLL_SECONDS = 0.1  # how often the thread looks whether it should end
TEXT = "text/plain; charset=utf-8"

Question = Callable[[], tuple[bool, str]]  # -> whether it is so, and a sentence


class Answer(NamedTuple):
    """What a page answers."""

    status: HTTPStatus
    content_type: str
    body: bytes


class Pages:
    """What the server has to say."""

    def __init__(self, registry: CollectorRegistry, healthy: Question, ready: Question) -> None:
        self._registry = registry
        self._healthy = healthy
        self._ready = ready

    def answer(self, method: str, target: str, accept: str) -> Answer:
        """The answer to one request."""
        path = target.partition("?")[0]
        if path not in {"/metrics", "/healthz", "/readyz"}:
            return _text(HTTPStatus.NOT_FOUND, "There are three pages here: /metrics, /healthz and /readyz.")
        if method not in {"GET", "HEAD"}:
            return _text(HTTPStatus.METHOD_NOT_ALLOWED, f"{path} can only be read: use GET or HEAD.")
        if path == "/metrics":
            encode, content_type = choose_encoder(accept)
            return Answer(HTTPStatus.OK, content_type, encode(self._registry))
        yes, sentence = self._healthy() if path == "/healthz" else self._ready()
        return _text(HTTPStatus.OK if yes else HTTPStatus.SERVICE_UNAVAILABLE, sentence)


def _text(status: HTTPStatus, sentence: str) -> Answer:
    return Answer(status, TEXT, f"{sentence}\n".encode())


class _Handler(BaseHTTPRequestHandler):
    """Reads one request and writes the answer of the pages."""

    server: _Server
    server_version = "flopwatch"
    sys_version = ""
    timeout = REQUEST_SECONDS_MAX

    def _respond(self) -> None:
        answer = self.server.pages.answer(self.command, self.path, self.headers.get("Accept", ""))
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    # The names are those that the base class looks for.
    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _respond

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a request is counted by whoever sent it, and its text is not ours to log."""


class _Server(ThreadingHTTPServer):
    """A thread a connection, up to `CONNECTIONS_MAX`; more are closed at once."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = CONNECTIONS_MAX

    def __init__(self, family: socket.AddressFamily, address: tuple[str, int], pages: Pages) -> None:
        self.address_family = family
        self.pages = pages
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        super().__init__(address, _Handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Answer in a thread, if one is free."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Answer, and free the thread's place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Say nothing: the other side went away in the middle of its own request."""


class HealthServer:
    """The pages on an address, answered in threads of their own until closed."""

    def __init__(self, host: str, port: int, pages: Pages) -> None:
        """Take the address; port 0 takes any free one.

        Raises:
            SettingsProblem: the address cannot be had.
        """
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            self._server = _Server(family, (host, port), pages)
        except OSError as problem:
            raise SettingsProblem(
                f"Cannot listen on {host} port {port}: {(problem.strerror or str(problem)).lower()}. "
                "Choose another `http.host` or `http.port`."
            ) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="health", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that was taken."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering and give the port back."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
