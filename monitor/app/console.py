"""The console: accounts, what its pages show, and its server."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from monitor.app.handovers import evidence_pack
from monitor.app.references import load_reference, policies_of, screened_by, screening_lists
from monitor.app.stores import opened_store, still, store_url
from monitor.app.views import snapshot_of
from monitor.clock import Clock, SystemClock, new_secret
from monitor.errors import MonitorError
from monitor.log import Log, build_log
from monitor.metrics import show_build
from monitor.reference.policies import texts_of
from monitor.reference.root import config_root
from monitor.run.casework import Desk
from monitor.run.condition import AuditSight, Condition, condition_of
from monitor.run.proposals import Panel
from monitor.run.snapshot import Snapshot
from monitor.run.survey import Surveys
from monitor.settings import Settings
from monitor.web.health import HealthServer, Pages

if TYPE_CHECKING:
    from monitor.web.accounts import Accounts
    from monitor.web.records import Records
    from monitor.web.server import ConsoleServer


@contextmanager
def accounts(settings: Settings, state: Path | None = None, create: bool = False) -> Iterator[Accounts]:
    """Who may use the console of a store.

    Raises:
        StoreProblem: it cannot be opened, or there is none and `create` is false.
    """
    from monitor.store.people import People
    from monitor.web.accounts import Accounts
    from monitor.web.passwords import Passwords

    people = People.open(store_url(settings, state), create)
    try:
        yield Accounts(people, Passwords(), SystemClock(), new_secret, settings.console.limits)
    finally:
        people.close()


@contextmanager
def records(settings: Settings, state: Path | None, clock: Clock, log: Log) -> Iterator[Records]:
    """What the pages of the console show of a store.

    Raises:
        StoreProblem: it cannot be opened.
    """
    from monitor.web.records import Records

    reference, sight = load_reference(config_root(), settings.policies), AuditSight()

    @contextmanager
    def look() -> Iterator[tuple[Snapshot, Condition]]:
        with still(settings, state) as store:
            lists = screening_lists(settings)
            screened = screened_by(reference, lists, store)
            yield snapshot_of(store, screened, settings), condition_of(store, lists, sight, clock.now_ms())

    surveys, policies = Surveys(look, clock, log, settings.console.survey_seconds), reference.policies
    texts, reports = texts_of(config_root(), settings.policies), settings.console.reports
    with opened_store(store_url(settings, state)) as store:
        try:
            desk, panel = Desk(store.casework, policies_of(settings, store), clock), Panel(store, policies, clock)
            make = partial(evidence_pack, settings, state)
            yield Records(desk, surveys, store, policies, panel, texts, make, reports)
        finally:
            surveys.close()


@contextmanager
def served_console(
    settings: Settings, known: Accounts, shown: Records, registry: CollectorRegistry, clock: Clock, log: Log
) -> Iterator[ConsoleServer]:
    """The console for these people, which answers until the end.

    Raises:
        SettingsProblem: its address cannot be had.
    """
    from monitor.web.console import build, make_console
    from monitor.web.server import ConsoleServer

    console = make_console(known, shown, settings.console, clock, registry, log)
    server = ConsoleServer(settings.console.host, settings.console.port, build(console, new_secret))
    server.start()
    try:
        yield server
    finally:
        server.close()


def run_console(settings: Settings) -> None:
    """Serve the console, its metrics and health, until SIGTERM or SIGINT.

    Raises:
        MonitorError: it cannot start.
    """
    clock, registry, stopping = SystemClock(), CollectorRegistry(), threading.Event()
    show_build(registry)
    log = build_log(settings.log_level, clock)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with (
        accounts(settings, create=True) as known,
        records(settings, None, clock, log) as shown,
        served_console(settings, known, shown, registry, clock, log) as serving,
    ):

        def ready() -> tuple[bool, str]:
            try:
                known.users(limit=1)
            except MonitorError as problem:
                return False, str(problem)
            return not stopping.is_set(), "The console is stopping." if stopping.is_set() else "The store answers."

        server = HealthServer(settings.http.host, settings.http.port, Pages(registry, serving.answers, ready))
        server.start()
        log.info("console serves", host=settings.console.host, port=serving.port)
        try:
            stopping.wait()
        finally:
            server.close()
