"""Whom a request is from: a person with a session in a cookie, or a program with a token.

Over https the cookie is `__Host-flopwatch`: a browser takes a cookie of this name from exactly this host, over https
and for all paths, or not at all. Over http, which is for the loopback address only, the name is another one and
`Secure` is missing: Chromium takes a secure cookie from http://127.0.0.1 and http://localhost, not every browser does,
and there nothing leaves the machine that could be read on the way.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from monitor.core.people import User
from monitor.core.roles import Permission, permitted
from monitor.settings import Console as ConsoleSettings
from monitor.web.accounts import Accounts
from monitor.web.addresses import origin_of

SECURE_COOKIE, PLAIN_COOKIE = "__Host-flopwatch", "flopwatch"
SECRET_CHARACTERS_MAX = 200


class Visitor(NamedTuple):
    """Who a request is from, what they may do, and what their forms must carry (nothing: a program has none)."""

    user: User
    permissions: frozenset[Permission]
    form_token: str | None


class Sessions:
    """Reads and writes what browsers and programs say who they are by."""

    def __init__(self, accounts: Accounts, settings: ConsoleSettings) -> None:
        self._accounts = accounts
        self._settings = settings
        self._cookie = PLAIN_COOKIE if settings.origin is None else SECURE_COOKIE

    def visitor(self, request: Request) -> Visitor | None:
        """Whom a request is from; None: nobody that we know. A token, where there is one, goes before a cookie."""
        authorization = request.headers.get("authorization")
        if authorization is not None:
            return self._program(authorization)
        secret = self.secret(request)
        session = None if secret is None else self._accounts.session(secret)
        if secret is None or session is None or self._named_otherwise(request, session.user.name):
            return None
        return Visitor(session.user, permitted(session.user.role), form_token(secret))

    def _program(self, authorization: str) -> Visitor | None:
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or len(secret) > SECRET_CHARACTERS_MAX:
            return None
        token = self._accounts.token(secret.strip())
        return None if token is None else Visitor(token.user, permitted(token.user.role, token.scopes), None)

    def _named_otherwise(self, request: Request, name: str) -> bool:
        """Whether the proxy that signs people in names somebody else, or nobody, for the same browser."""
        return self._settings.user_header is not None and self.named_by_proxy(request) != name

    def named_by_proxy(self, request: Request) -> str | None:
        """Whom the proxy names; that it is the proxy is seen to before any page (`monitor.web.security`)."""
        header = self._settings.user_header
        named = [] if header is None else request.headers.getlist(header)
        return named[0].strip().lower() if len(named) == 1 else None

    def secret(self, request: Request) -> str | None:
        """What the cookie holds, if it can be one of ours."""
        found = cookies(request.headers, self._cookie)
        return found[0] if len(found) == 1 and 0 < len(found[0]) <= SECRET_CHARACTERS_MAX else None

    def origin(self, request: Request) -> str:
        """The address to blame for a request."""
        peer = request.client.host if request.client else ""
        forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
        return origin_of(peer, forwarded, self._settings.proxies)

    def begin(self, request: Request, response: Response, secret: str) -> None:
        """Give the browser a new session; whatever it had before ends, so that nobody can have planted it."""
        self._end(request)
        self._set(response, secret)

    def end(self, request: Request, response: Response) -> None:
        """Take the session away."""
        self._end(request)
        self._set(response, "")

    def _end(self, request: Request) -> None:
        for secret in cookies(request.headers, self._cookie):
            self._accounts.end_session(secret)

    def _set(self, response: Response, secret: str) -> None:
        response.set_cookie(
            self._cookie,
            secret,
            max_age=None if secret else 0,
            path="/",
            secure=self._settings.origin is not None,
            httponly=True,
            samesite="lax",
        )


def form_token(secret: str) -> str:
    """What every form of a session carries: known to whoever has the session, and no way back to it."""
    return hashlib.sha256(f"form {secret}".encode()).hexdigest()


def is_token_of(visitor: Visitor, given: str) -> bool:
    """Whether a form carries the token of the session that it is sent with."""
    return visitor.form_token is not None and hmac.compare_digest(visitor.form_token.encode(), given.encode())


def cookies(headers: Headers, name: str) -> list[str]:
    """All values that a request has for a cookie; more than one, and somebody else has planted one."""
    pairs = [part.strip().partition("=") for line in headers.getlist("cookie") for part in line.split(";")]
    return [value for key, _, value in pairs if key == name]
