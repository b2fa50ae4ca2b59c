"""A console over a real store, with a clock that is turned by hand, and browsers that visit it."""

from __future__ import annotations

import asyncio
import io
import itertools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from prometheus_client import CollectorRegistry

from monitor.app import handovers, references, stores
from monitor.core.audit import OPERATOR, Person
from monitor.core.engine import Reference
from monitor.core.exports import Export
from monitor.core.roles import Role
from monitor.log import build_log
from monitor.reference.policies import SHIPPED_ALONE, load_policies, texts_of
from monitor.reference.root import config_root
from monitor.run.casework import Desk
from monitor.run.condition import AuditSight, Condition, condition_of
from monitor.run.proposals import Panel
from monitor.run.snapshot import Snapshot, Triggers
from monitor.run.survey import Surveys
from monitor.settings import Console as ConsoleSettings
from monitor.settings import Settings
from monitor.store.people import People
from monitor.store.sql import SqlStore
from monitor.web.accounts import Accounts
from monitor.web.console import build, make_console
from monitor.web.passwords import Passwords
from monitor.web.records import Records
from tests.store.taking import url_of

NOW = 1_800_000_000_000
ORIGIN = "https://flopwatch.example"
TEST = Person(OPERATOR, "the test")
PASSWORD = "correct horse battery"
FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')
# As little work as argon2 takes: what it costs an attacker is not what these tests are about.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@cache
def reference() -> Reference:
    """What is shipped; no lists."""
    return references.load_reference(config_root())


@cache
def texts() -> Mapping[str, str]:
    """The policies that are shipped, as pages compare them."""
    return texts_of(config_root(), SHIPPED_ALONE)


class HandClock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.now = NOW

    def now_ms(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1_000


class House:
    """A store with one user of each role, all with one password, and the console over it.

    `books`: settings of what the books are read with, where those are not as shipped.
    """

    def __init__(
        self, folder: Path, hasher: PasswordHasher = CHEAP, books: Settings | None = None, **settings: Any
    ) -> None:
        self.settings = ConsoleSettings(**{"origin": ORIGIN, **settings})
        self.books = books
        policies = reference().policies if books is None else load_policies(config_root(), books.policies)
        self.people = People.open(url_of(folder))
        self.folder = folder
        self.of_program = Settings(store_url=url_of(folder))
        self.sight = AuditSight()
        self.clock = HandClock()
        numbers = itertools.count(1)
        self.secrets = lambda: f"{next(numbers):05d}-is-the-number-of-this-secret-one"
        self.accounts = Accounts(self.people, Passwords(hasher), self.clock, self.secrets, self.settings.limits)
        self.registry = CollectorRegistry()
        self.log = io.StringIO()
        log = build_log("info", self.clock, self.log)
        self.store = SqlStore.open(url_of(folder))
        self.surveys = Surveys(self._look, self.clock, log, self.settings.survey_seconds)
        desk, panel = (
            Desk(self.store.casework, policies, self.clock),
            Panel(self.store, policies, self.clock),
        )
        compared = texts() if books is None else texts_of(config_root(), books.policies)
        reports = self.settings.reports
        self.records = Records(desk, self.surveys, self.store, policies, panel, compared, self._pack, reports)
        self.console = make_console(self.accounts, self.records, self.settings, self.clock, self.registry, log)
        self.app = build(self.console, self.secrets)
        for role in Role:
            self.accounts.add(role.value, role, PASSWORD, TEST)

    @contextmanager
    def _look(self) -> Iterator[tuple[Snapshot, Condition]]:
        lists = references.screening_lists(self.of_program)._replace(now=self.clock.now)
        with stores.opened_store(url_of(self.folder), create=False) as store, store.still():
            found = reference() if self.books is None else references.screened_reference(self.books, store)
            snapshot = Snapshot(stores.load_all(store), found, Triggers((), ()))
            yield snapshot, condition_of(store, lists, self.sight, self.clock.now)

    def _pack(self, export: Export, by: str, now: int) -> Mapping[str, bytes]:
        with stores.opened_store(url_of(self.folder), create=False) as store, store.still():
            return handovers.pack_in(store, self.books or Settings(), export, by, now)

    def close(self) -> None:
        self.surveys.close()
        self.store.close()
        self.people.close()

    def browser(self, **given: Any) -> Browser:
        return Browser(self, **given)

    def signed_in(self, name: str, **given: Any) -> Browser:
        browser = self.browser(**given)
        assert 303 == browser.sign_in(name).status_code
        return browser

    def counted(self, metric: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(metric, labels)


class Browser:
    """Somebody with a browser, who has the console's cookies and sends what browsers send."""

    def __init__(
        self, house: House, address: str = "198.51.100.7", base: str | None = None, headers: Mapping[str, str] = {}
    ) -> None:
        self.house = house
        self.base = base or house.settings.origin or "http://127.0.0.1:9465"
        self.cookies = httpx.Cookies()
        self._address = address
        self._headers = dict(headers)
        self.form_token = ""

    def get(self, path: str, headers: Mapping[str, str] = {}) -> httpx.Response:
        """Follow a link."""
        answer = self.send("GET", path, headers)
        found = FORM_TOKEN.search(answer.text)
        self.form_token = found[1] if found else self.form_token
        return answer

    def post(self, path: str, form: Mapping[str, Any], headers: Mapping[str, str] = {}) -> httpx.Response:
        """Send a form of the console's latest page."""
        sent = {"Sec-Fetch-Site": "same-origin", "Origin": self.base, **headers}
        return self.send("POST", path, sent, {"form_token": self.form_token, **form})

    def sign_in(self, name: str, password: str = PASSWORD, next: str = "/") -> httpx.Response:
        answer = self.post("/sign-in", {"name": name, "password": password, "next": next})
        if answer.status_code == 303:
            self.get("/me")  # whose forms have the token
        return answer

    def send(
        self, method: str, path: str, headers: Mapping[str, str] = {}, form: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """Send exactly this."""
        return asyncio.run(self._send(method, path, headers, form))

    async def _send(
        self, method: str, path: str, headers: Mapping[str, str], form: Mapping[str, Any] | None
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.house.app, raise_app_exceptions=False, client=(self._address, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url=self.base, cookies=self.cookies) as client:
            answer = await client.request(method, path, headers={**self._headers, **headers}, data=form)
            self.cookies = client.cookies
        return answer
