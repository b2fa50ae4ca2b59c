"""Serves the console over HTTP in a thread of its own, with limits on what a connection may cost.

uvicorn reads requests; it waits for the head of one as long as it takes, so the protocol here gives it a time. How long
and how much the rest may be is seen to in `monitor.web.security`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading

from starlette.types import ASGIApp
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from monitor.errors import SettingsProblem
from monitor.web.security import HEADER_BYTES_MAX

HEAD_SECONDS_MAX = 10.0
IDLE_SECONDS_MAX = 15  # between two requests of one connection
CONNECTIONS_MAX = 200
STOP_SECONDS_MAX = 10
ANSWER_SECONDS_MAX = 2.0  # of the loop, when it is asked whether it is alive


class ConsoleServer:
    """The console on an address, answered until closed."""

    def __init__(self, host: str, port: int, app: ASGIApp) -> None:
        """Take the address; port 0 takes any free one.

        Raises:
            SettingsProblem: the address cannot be had.
        """
        try:
            self._socket = _listening(host, port)
        except OSError as problem:
            reason = (problem.strerror or str(problem)).partition(" (")[0].lower()
            raise SettingsProblem(
                f"Cannot listen on {host} port {port}: {reason}. Choose another `console.host` or `console.port`."
            ) from None
        # What it would log is text of strangers; what fails on our side is logged by the console itself.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
        config = Config(
            app,
            http=_Bounded,
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_keep_alive=IDLE_SECONDS_MAX,
            timeout_graceful_shutdown=STOP_SECONDS_MAX,
            h11_max_incomplete_event_size=HEADER_BYTES_MAX,
        )
        self._server = Server(config)
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def port(self) -> int:
        """The port that was taken."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def answers(self) -> tuple[bool, str]:
        """Whether requests are answered, and a sentence."""
        loop = self._loop
        if loop is None or not self._thread.is_alive():
            return False, "The console has not begun, or has ended."
        alive = threading.Event()
        loop.call_soon_threadsafe(alive.set)
        if not alive.wait(ANSWER_SECONDS_MAX):
            return False, "The console does not answer: restart it."
        return True, "The console answers."

    def close(self) -> None:
        """Answer what has begun, for some seconds, and give the port back."""
        if self._thread.is_alive():
            self._server.should_exit = True
            self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._loop = None


def _listening(host: str, port: int) -> socket.socket:
    """A socket on an address. It says that it speaks TCP: else asyncio would leave connections waiting for 40 ms.

    Raises:
        OSError: the address cannot be had.
    """
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    found = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(CONNECTIONS_MAX)
    except OSError:
        found.close()
        raise
    return found


class _Bounded(H11Protocol):
    """A connection that is closed when the head of a request does not come in time."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Have a timer run while a head is awaited of which a part may have come; more of it starts no new one."""
        if not self._awaits_head():
            self._unwatch()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS_MAX, self._too_late)

    def _awaits_head(self) -> bool:
        return str(self.conn.their_state) == "IDLE"

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self._timer = None
        if self._awaits_head() and not self.transport.is_closing():
            self.transport.close()
