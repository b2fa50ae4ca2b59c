#!/usr/bin/env python3
"""How long the console works on each page, and how large the page is, over a large store.

    bench/console.py [--tenants 10000] [--cases 500] [--closed 100000] [--repeat 20]
                     [--survey-seconds 3600]

So many tenants, of whom as many as there shall be cases hold 512 H100 each and do not say who they are; then as many
closed cases behind the queue. The console is the program itself, in a process of its own. Each page is asked for over
loopback, so its time has the way there and back in it. The first time of a page is told apart: what needs computing is
computed then, and remembered until the next survey.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from monitor.app import console, decisions, references, replays, stores
from monitor.clock import SystemClock
from monitor.core.cases import Outcome
from monitor.core.model import DAY_MS
from monitor.core.roles import Role
from monitor.reference.root import config_root
from monitor.run.casework import Conclusion, Desk
from monitor.settings import Settings, load_settings
from monitor.simulate.companies import Company
from monitor.simulate.fleet import PLACES, WHOLE, Allocation, Event, Fleet, odd, started
from monitor.simulate.hardware import H100_LABEL, L4
from monitor.simulate.profiles import profile
from monitor.simulate.scenarios import START
from monitor.store import Wanted
from monitor.store.sql import SqlStore

DAYS = 60
BYTES_MAX, SECONDS_MAX = 100_000, 0.200
ACCELERATORS = 512  # of those who train
COUNTRIES = ("DE", "FR", "US", "NL", "IN", "BR")
# Pages that no menu leads to, by their addresses; each is found on a page before it.
LINKS = (
    '/cases/[^"/?]+',
    '/tenants/[^"/?]+',
    '/tenants/[^"?]+/runs/[^"/?]+',
    '/policies/[^"/?]+',
)
WAIT_SECONDS = 600


def main() -> None:
    """Make the store, serve it, and ask for each page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, default=10_000)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--closed", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--survey-seconds", type=int, default=3_600, help="1: books are read anew all the while")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flopwatch-bench-") as folder:
        settings = settings_in(Path(folder), options.survey_seconds)
        password = fill(Path(folder), settings, options)
        with served(Path(folder), settings, password) as client:
            measure(client, options.repeat)


def settings_in(folder: Path, survey_seconds: int) -> Settings:
    """Where the store is and the console answers, as a file too."""
    console, health = (free_port() for _ in range(2))
    file = folder / "flopwatch.yaml"
    said = {
        "store_url": f"sqlite:///{folder / 'flopwatch.db'}",
        "console": {"port": console, "survey_seconds": survey_seconds},
        "http": {"port": health},
    }
    file.write_text(json.dumps(said), "utf-8")  # JSON is YAML
    return load_settings(file)


def free_port() -> int:
    """A port of the loopback address that nobody has now."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


# -- the store -------------------------------------------------------------------------------------------------------


def fill(folder: Path, settings: Settings, options: argparse.Namespace) -> str:
    """Books, flags and cases of so many tenants, and closed cases; returns the password of a senior reviewer."""
    begun, clock, events = time.monotonic(), SystemClock(), folder / "events.jsonl"
    with events.open("wb") as file:
        file.writelines(fleet(options.tenants, options.cases).lines())
    replays.replay(settings, [str(events)], folder / "flopwatch.db", None, None, lambda done, total: None)
    reference = references.load_reference(config_root())
    with stores.opened_store(settings.store_url) as store:
        replays.gather_all(store.casework, reference, stores.load(store).book, clock)
        close_one(store, Desk(store.casework, reference.policies, clock))
    copies(folder / "flopwatch.db", options.closed)
    with console.accounts(settings) as known:
        password = known.add_with_new_password("senior", Role.SENIOR_REVIEWER, decisions.operator())
    print(f"Python {platform.python_version()} on {platform.machine()}, {date.today()}")
    print(f"The store took {time.monotonic() - begun:,.0f} s to make.")
    return password


def fleet(tenants: int, cases: int) -> Fleet:
    """Tenants of a small allocation or three each, and those who train."""
    made = Fleet("console", START, START + DAYS * DAY_MS, False)
    for number in range(tenants):
        place, trains = PLACES[number % len(PLACES)], number < cases
        member = made.member("trains" if trains else "small", place)
        company = Company(f"Company {number} Ltd", COUNTRIES[number % len(COUNTRIES)], f"c{number}.example", "research")
        profile(made, member, company, "claimed" if trains else "documented")
        hardware, units = (H100_LABEL, ACCELERATORS * WHOLE) if trains else (L4, WHOLE)
        for serial in range(1 + number % 3):
            made.add(held(made, Allocation(member, f"a{serial}", hardware, place), units))
    return made


def held(fleet: Fleet, allocation: Allocation, units: int) -> Iterator[Event]:
    """Held for good from some time of the first week on."""
    rng = allocation.member.rng
    yield started(odd(rng, fleet.start + rng.randrange(7 * DAY_MS)), allocation, units)


def close_one(store: SqlStore, desk: Desk) -> None:
    """Decide the last case of the queue: one proposes it, another one approves."""
    rows = desk.cases.queue(Wanted(limit=10_000), desk.now()).rows
    print(f"{len(rows):,} cases are open.")
    case = rows[-1].id
    flag = desk.cases.flags_of(desk.case(case))[0]
    cited = f"{flag.finding.policy}@{flag.finding.policy_version}", flag.rule
    desk.claim(case, "anna")
    if desk.decide(case, "anna", Conclusion(Outcome.EXPLAINED, "A service, as they have shown.", *cited)).proposal:
        desk.approve(case, "ben")


def copies(file: Path, count: int) -> None:
    """So many more cases like the one that is closed."""
    with closing(sqlite3.connect(file)) as database:
        (case,) = database.execute("SELECT id FROM cases WHERE state = 'decided'").fetchone()
        for table, key in (("cases", "id"), ("case_events", "case_id")):
            names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(
                f"one.{name} || '-' || copy.n" if name in (key, "subject") else f"one.{name}" for name in names
            )
            database.execute(
                f"WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < ?) "
                f"INSERT INTO {table} SELECT {values} FROM copy, {table} AS one WHERE one.{key} = ?",
                (count, case),
            )
        database.commit()


# -- the pages -------------------------------------------------------------------------------------------------------


@contextmanager
def served(folder: Path, settings: Settings, password: str) -> Iterator[httpx.Client]:
    """The console in a process of its own, and somebody who has signed in."""
    command = [str(Path(sys.executable).with_name("flopwatch")), "run", "--role", "web"]
    command += ["--config", str(folder / "flopwatch.yaml")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        base = f"http://127.0.0.1:{settings.console.port}"
        with httpx.Client(base_url=base, timeout=WAIT_SECONDS, headers={"Origin": base}) as client:
            try:
                answers(client, process)
                said = {"name": "senior", "password": password, "next": "/queue"}
                client.post("/sign-in", data=said)
                yield client
            finally:
                process.terminate()


def answers(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    """Wait until the console answers."""
    while True:
        try:
            client.get("/sign-in")
        except httpx.TransportError:
            if process.poll() is not None:
                raise SystemExit("The console has ended before it answered.") from None
            time.sleep(0.1)
        else:
            return


class Visited(NamedTuple):
    """One answer, and the seconds that it took."""

    text: str
    seconds: float


def measure(client: httpx.Client, repeat: int) -> None:
    """Ask for each page, and say what it took."""
    print(f"The first survey: {visited(client, '/tenants').seconds:.1f} s.")
    print(f"{'page':<26} {'kB':>6} {'first ms':>9} {'median ms':>10} {'worst ms':>9}")
    above = []
    for path, first in pages(client).items():
        times = [visited(client, path).seconds for _ in range(repeat)]
        size, median = len(first.text.encode()), statistics.median(times)
        shown = re.sub(r"[0-9a-f]{12,}", "…", path)
        milliseconds = (1_000 * one for one in (first.seconds, median, max(times)))
        print(f"{shown:<26} {size / 1_000:>6.1f} " + "{:>9.1f} {:>10.1f} {:>9.1f}".format(*milliseconds))
        if median > SECONDS_MAX or size > BYTES_MAX:
            above.append(shown)
    print(f"Above {BYTES_MAX // 1_000} kB or {SECONDS_MAX * 1_000:.0f} ms: {', '.join(above) or 'none'}.")


def pages(client: httpx.Client) -> dict[str, Visited]:
    """All pages that the menu leads to, and the first case, tenant, run and policy that those name; each once."""
    found = {"/queue?show=decided": visited(client, "/queue?show=decided")}
    menu = re.search(r"<nav.*?</nav>", client.get("/me").text, re.DOTALL)
    for path in re.findall(r'href="(/[a-z]*)"', menu[0] if menu else ""):
        found[path] = visited(client, path)
    for link in LINKS:
        named = (re.search(f'href="({link})"', page.text) for page in found.values())
        path = next((one[1] for one in named if one), None)
        if path is None:
            raise SystemExit(f"No page has a link like {link}.")
        found[path] = visited(client, path)
    return found


def visited(client: httpx.Client, path: str) -> Visited:
    """One page."""
    begun = time.perf_counter()
    answer = client.get(path)
    seconds = time.perf_counter() - begun
    if answer.status_code != httpx.codes.OK:
        raise SystemExit(f"{path} answered {answer.status_code}.")
    return Visited(answer.text, seconds)


if __name__ == "__main__":
    main()
