"""The demo: a simulated fleet, the books that follow, and a console over them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry

from monitor.app.console import accounts, records, served_console
from monitor.app.decisions import operator
from monitor.app.references import load_reference
from monitor.app.replays import gather_all
from monitor.app.stores import load, opened_store, tune_collector
from monitor.clock import SystemClock
from monitor.core.book import Moved
from monitor.core.engine import Answer, answer
from monitor.core.flags import Change
from monitor.core.roles import Role
from monitor.log import build_log
from monitor.reference.root import config_root
from monitor.run.demo import Moment, Stage, play
from monitor.run.replay import Tally, event_counts
from monitor.settings import Console, Settings
from monitor.simulate.scenarios import simulate
from monitor.store import TICK, Commit, JournalEntry, Wanted


@contextmanager
def demo_stage() -> Iterator[tuple[Stage, Path]]:
    """An empty store in a folder of its own, which stays for whoever wants to look."""
    path = Path(tempfile.mkdtemp(prefix="flopwatch-demo-")) / "demo.db"
    clock = SystemClock()
    tune_collector()
    with opened_store(f"sqlite:///{path}") as store:
        book = load(store).book

        def keep(moved: Moved, changes: Sequence[Change]) -> None:
            tick = [JournalEntry(TICK, {"as_of": book.clock})]
            store.commit(Commit(moved, book, [], changes, [], tick, clock.now_ms()))

        yield Stage(book, store, load_reference(config_root()), keep, store), path


def demo(stage: Stage, seed: int, days_a_second: float | None) -> Iterator[Moment]:
    """Play the scenario `demo` on a stage."""
    return play(simulate("demo", seed=seed).events(), stage, days_a_second, SystemClock())


class DemoConsole(NamedTuple):
    """Where the console over what was played answers, and who may sign in."""

    address: str  # of the most serious case
    passwords: Mapping[str, str]  # by name


@contextmanager
def demo_console(stage: Stage, path: Path) -> Iterator[DemoConsole]:
    """The console over the store of a play, on a free port of the loopback address, until the end."""
    settings = Settings(store_url=f"sqlite:///{path}", console=Console(port=0))
    clock, registry = SystemClock(), CollectorRegistry()
    log = build_log("error", clock)
    with (
        accounts(settings) as known,
        records(settings, None, clock, log) as shown,
        served_console(settings, known, shown, registry, clock, log) as serving,
    ):
        cases = shown.desk.cases
        gather_all(cases, stage.reference, stage.book, clock)
        first = cases.queue(Wanted(limit=1), clock.now_ms()).rows
        roles = (Role.REVIEWER, Role.SENIOR_REVIEWER)
        passwords = {role.value: known.add_with_new_password(role.value, role, operator()) for role in roles}
        page = f"cases/{first[0].id}" if first else "queue"
        yield DemoConsole(f"http://127.0.0.1:{serving.port}/{page}", passwords)


def demo_answer(stage: Stage) -> tuple[Answer, dict[str, int]]:
    """What the stage knows at the end, as `replay` says it."""
    book = stage.book
    tally = Tally()
    tally.read = book.counts.accepted + book.counts.duplicate
    told = answer(book, stage.reference, book.clock, stage.past)
    return told, event_counts(book, tally)
