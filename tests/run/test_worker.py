"""The daemon's loop, whole: real files, a real store, the packaged reference; only the clock is turned by hand."""

from __future__ import annotations

import gzip
import io
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from monitor.clock import Clock, SystemClock
from monitor.core.approval import APPROVE, WITHDRAW
from monitor.core.audit import OPERATOR, Person
from monitor.core.book import Book
from monitor.core.bounds import Bounds, greatest
from monitor.core.cases import Outcome
from monitor.core.engine import Reference, books_digest, tenant_runs
from monitor.core.estimate import Estimator
from monitor.core.flags import State
from monitor.core.lists import Band
from monitor.core.parties import Parties
from monitor.core.policy import Consent, Level
from monitor.errors import LimitReached, Overtaken, SourceProblem, StoreProblem
from monitor.intake.decode import decode_facts
from monitor.log import build_log, tenant_reference
from monitor.metrics import Metrics
from monitor.reference.catalogue import load_catalogue
from monitor.reference.countries import load_countries
from monitor.reference.durations import load_durations
from monitor.reference.policies import load_policies
from monitor.reference.priors import load_priors
from monitor.reference.root import config_root
from monitor.reference.training_score import load_weights
from monitor.run.casework import Conclusion, Desk, Gatherer
from monitor.run.proposals import Panel
from monitor.run.task import JOURNAL, Store
from monitor.run.worker import Ends, Worker
from monitor.settings import DeadLetters, Foreign, Settings
from monitor.source.files import FileSource
from monitor.store import Commit, JournalEntry, JournalRow, Loaded
from monitor.store.sql import SqlStore
from tests.core.listed import hit, lists
from tests.intake.test_cloudtrail import call

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
DAY_SECONDS = 86_400
SETTINGS = Settings(
    commit_seconds=1.0,
    tick_seconds=1.0,
    dead_letters=DeadLetters(ratio_max=0.1, window=20, seen_min=10, run_max=5),
)


@cache
def reference() -> Reference:
    root = config_root()
    estimator = Estimator(load_catalogue(root), load_priors(root))
    return Reference(estimator, load_countries(root), load_policies(root), load_weights(root), load_durations(root))


class TurnedClock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.wall = START
        self.seconds = 0.0

    def now_ms(self) -> int:
        return self.wall

    def monotonic(self) -> float:
        return self.seconds

    def turn(self, seconds: float) -> None:
        self.wall += round(seconds * 1_000)
        self.seconds += seconds


class BusyClock:
    """A clock of a busy machine: 0.2 seconds have passed whenever somebody looks."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now_ms(self) -> int:
        return START + round(self.seconds * 1_000)

    def monotonic(self) -> float:
        self.seconds += 0.2
        return self.seconds


class RefusingStore:
    """A real store whose disk is full for the next `refusals` commits, and whose journal may be out of reach."""

    def __init__(self, store: SqlStore, refusals: int) -> None:
        self._store = store
        self.refusals = refusals
        self.journal_fails = False

    def journal(self, after: int = 0, kinds: Sequence[str] | None = None) -> list[JournalRow]:
        if self.journal_fails:
            raise StoreProblem("The journal cannot be read.")
        return self._store.journal(after, kinds)

    def record(self, entries: Sequence[JournalEntry], at: int) -> None:
        if self.journal_fails:
            raise StoreProblem("The journal cannot be written.")
        self._store.record(entries, at)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def commit(self, commit: Commit) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StoreProblem("The disk of the store is full: free some space.")
        self._store.commit(commit)


class Books(NamedTuple):
    """The books of files: those of one partition, in a store that may refuse."""

    store: SqlStore
    refusing: RefusingStore
    settings: Settings

    def open(self, partition: int) -> tuple[Loaded, Store]:
        return self.store.load(decode_facts, self.settings.lateness_ms), self.refusing

    def heard(self) -> dict[str, int]:
        return self.store.heard()

    def letters_waiting(self) -> int:
        return self.store.letters_waiting()


class Daemon:
    """A worker with its ends, as the application builds it."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        settings: Settings = SETTINGS,
        refusals: int = 0,
        read_with: Reference | None = None,
    ) -> None:
        self.clock = clock
        self.store = SqlStore.open(f"sqlite:///{folder / 'books.db'}")
        self.source = FileSource(
            list(settings.files.paths) or [str(folder / "events.jsonl")],
            record_bytes_max=settings.record_bytes_max,
            follow=settings.files.follow,
        )
        self.registry = CollectorRegistry()
        self.logged = io.StringIO()
        self.refusing = RefusingStore(self.store, refusals)
        metrics = Metrics(self.registry)
        metrics.describe(settings.digest, reference())
        stores = Books(self.store, self.refusing, settings)
        ends = Ends(self.source, stores, metrics, clock, build_log("info", clock, self.logged))
        self.worker = Worker(ends, read_with or reference(), settings)

    @property
    def book(self) -> Book:
        return self.worker.tasks[0].book

    def passes(self, count: int, seconds: float = 1.0) -> None:
        """Passes with so many seconds before each."""
        for _ in range(count):
            assert isinstance(self.clock, TurnedClock)
            self.clock.turn(seconds)
            self.worker.step()

    def digest(self, now: int) -> str:
        return books_digest(self.book, now)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def log(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.logged.getvalue().splitlines()]

    def offset(self) -> int:
        read = {where: one for where, one in self.store.positions().items() if where != JOURNAL}
        return sum(position.next_offset for position in read.values())

    def close(self) -> None:
        self.source.close()
        self.store.close()


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


class Daemons:
    """Starts daemons over one folder and closes them at the end."""

    def __init__(self, folder: Path, clock: TurnedClock) -> None:
        self.folder = folder
        self.clock = clock
        self.running: list[Daemon] = []

    def start(self, settings: Settings = SETTINGS, refusals: int = 0, read_with: Reference | None = None) -> Daemon:
        daemon = Daemon(self.folder, self.clock, settings, refusals, read_with)
        self.running.append(daemon)
        return daemon


@pytest.fixture
def daemons(tmp_path: Path, clock: TurnedClock) -> Iterator[Daemons]:
    starting = Daemons(tmp_path, clock)
    yield starting
    for daemon in starting.running:
        daemon.close()


def event(number: int, what: str, seconds: float, tenant: str = "t-1", **data: object) -> bytes:
    """One canonical event, `seconds` after the start."""
    at = START // 1_000 + seconds
    days, rest = divmod(round(at - START / 1_000), DAY_SECONDS)
    time = f"2026-01-{days + 1:02d}T{rest // 3_600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}Z"
    content = {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "provider/control-plane",
        "type": f"io.flopwatch.{what}.v1",
        "time": time,
        "data": {"tenant": tenant, **data},
    }
    return json.dumps(content).encode() + b"\n"


def started(number: int, seconds: float, allocation: str, count: int = 8, tenant: str = "t-1") -> bytes:
    data = {"allocation": allocation, "accelerator": "H100 SXM", "count": count, "region": "eu"}
    return event(number, "allocation.started", seconds, tenant, **data)


def stopped(number: int, seconds: float, allocation: str, tenant: str = "t-1") -> bytes:
    return event(number, "allocation.stopped", seconds, tenant, allocation=allocation)


def profiled(number: int, seconds: float, tenant: str = "t-1") -> bytes:
    data = {"party": "p-1", "hq_country": "CN", "basis": {"hq_country": "documented"}}
    return event(number, "tenant.profiled", seconds, tenant, **data)


def fleet(count: int) -> list[bytes]:
    """`count` allocations of one hour each, one after another."""
    lines = []
    for number in range(count):
        lines.append(started(2 * number, 3_600 * number, f"a-{number}"))
        lines.append(stopped(2 * number + 1, 3_600 * (number + 1), f"a-{number}"))
    return lines


def write(folder: Path, lines: Sequence[bytes]) -> Path:
    path = folder / "events.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def usage(daemon: Daemon, tenant: str = "t-1") -> int:
    """Usage of a tenant's finished pieces."""
    return sum(daemon.book.tenants[tenant].ledger.totals.values())


def test_what_a_file_says_is_counted_and_committed(daemons: Daemons, tmp_path: Path) -> None:
    """After a pass and a commit the books, the position and the numbers are those of the file."""
    path = write(tmp_path, fleet(3))
    daemon = daemons.start()

    daemon.passes(2)

    assert 3 * 8_000 * 3_600_000 == usage(daemon)
    assert path.stat().st_size == daemon.offset()
    assert 6 == daemon.value("flopwatch_events_consumed_total", topic="file", outcome="accepted")
    assert 1 == daemon.value("flopwatch_tenants")
    assert 0 == daemon.value("flopwatch_open_allocations")
    watermark = daemon.value("flopwatch_event_time_watermark_timestamp_seconds", topic="file", partition="0")
    assert START / 1_000 + 3 * 3_600 == watermark
    assert (True, "The books are loaded.") == daemon.worker.ready()
    assert daemon.worker.healthy()[0]


def test_one_bad_record_goes_to_the_dead_letters_and_the_rest_counts(daemons: Daemons, tmp_path: Path) -> None:
    """Its bytes and the reason are kept, nothing stops, and its text is not in the log."""
    lines = fleet(3)
    bad = b'{"specversion": "1.0", "secret name": "Jane Roe"\n'
    path = write(tmp_path, [*lines[:3], bad, *lines[3:]])
    daemon = daemons.start()

    daemon.passes(2)

    (letter,) = daemon.store.dead_letters()
    assert ("json", bad.rstrip(), sum(map(len, lines[:3]))) == (letter.reason, letter.body, letter.offset)
    assert 3 * 8_000 * 3_600_000 == usage(daemon)
    assert path.stat().st_size == daemon.offset()
    assert 1 == daemon.value("flopwatch_dead_letters_total", reason="json")
    assert 1 == daemon.value("flopwatch_events_consumed_total", topic="file", outcome="rejected")
    assert "Jane" not in daemon.logged.getvalue()
    assert "dead letters" in [line["event"] for line in daemon.log()]


def test_over_the_limit_the_position_stays_at_the_last_commit(daemons: Daemons, tmp_path: Path) -> None:
    """The run stops with a sentence; neither the position nor the dead letters of the bad run are committed."""
    path = write(tmp_path, fleet(10))
    daemon = daemons.start()
    daemon.passes(2)
    good = path.stat().st_size
    append(path, b"not an event\n" * 5 + started(100, 40 * 3_600, "late"))

    with pytest.raises(LimitReached, match="flopwatch positions accept"):
        daemon.passes(2)

    assert good == daemon.offset()
    assert [] == list(daemon.store.dead_letters())
    assert 1 == daemon.value("flopwatch_limit_stops_total")


def stop_at_limit(daemons: Daemons, tmp_path: Path) -> Path:
    """A daemon that has stopped at the limit, with one fact after the bad records."""
    path = write(tmp_path, fleet(10))
    daemon = daemons.start()
    daemon.passes(2)
    append(path, b"not an event\n" * 5 + started(100, 40 * 3_600, "after"))
    with pytest.raises(LimitReached):
        daemon.passes(2)
    return path


def test_a_restart_does_not_read_past_a_stop(daemons: Daemons, tmp_path: Path) -> None:
    """A supervisor that restarts the process again and again does not empty the topic bit by bit."""
    stop_at_limit(daemons, tmp_path)

    for _ in range(2):
        with pytest.raises(LimitReached, match="3 of the last 20 records"):
            daemons.start()


def test_a_person_goes_past_a_stop_once(daemons: Daemons, tmp_path: Path) -> None:
    """After the decision everything is read, the dead letters are kept, and the next incident stops again."""
    path = stop_at_limit(daemons, tmp_path)
    decision = JournalEntry("decision", {"accept": str(path), "reason": "The producer is mended."})
    daemons.running[0].store.record([decision], START)

    past = daemons.start()
    past.passes(2)
    assert path.stat().st_size == past.offset()
    assert 5 == len(list(past.store.dead_letters()))
    assert "after" in past.book.tenants["t-1"].timelines

    again = daemons.start()
    append(path, b"not an event\n" * 5)
    with pytest.raises(LimitReached):
        again.passes(2)


def test_a_stop_of_a_file_that_is_no_longer_read_holds_nobody(daemons: Daemons, tmp_path: Path) -> None:
    """Taking a broken file out of the settings is an answer too."""
    stop_at_limit(daemons, tmp_path)
    other = tmp_path / "other.jsonl"
    other.write_bytes(started(1, 0, "other"))

    daemon = daemons.start(
        SETTINGS.model_copy(update={"files": SETTINGS.files.model_copy(update={"paths": (str(other),)})})
    )
    daemon.passes(2)

    assert "other" in daemon.book.tenants["t-1"].timelines


def test_while_the_store_refuses_nothing_is_lost_and_nothing_is_read(daemons: Daemons, tmp_path: Path) -> None:
    """The commit is kept and tried again with growing pauses; then reading goes on and the books are the same."""
    path = write(tmp_path, fleet(3))
    daemon = daemons.start(refusals=2)
    daemon.passes(1)
    assert 0 == daemon.offset()
    healthy, sentence = daemon.worker.healthy()
    assert not healthy
    assert "The disk of the store is full" in sentence

    append(path, started(100, 40 * 3_600, "after"))
    daemon.passes(2, seconds=0.6)
    assert 2 == daemon.value("flopwatch_store_failures_total")
    assert "after" not in daemon.book.tenants["t-1"].timelines
    daemon.passes(1, seconds=1.9)
    assert 0 == daemon.offset()
    daemon.passes(1, seconds=0.2)
    assert daemon.worker.healthy()[0]
    assert path.stat().st_size > daemon.offset() > 0
    daemon.passes(2)

    assert path.stat().st_size == daemon.offset()
    assert 3 * 8_000 * 3_600_000 == usage(daemon)
    loaded = daemons.start()
    assert daemon.digest(daemon.book.clock) == loaded.digest(daemon.book.clock)
    assert ["commit refused", "commit refused", "commits again"] == [
        line["event"] for line in daemon.log() if str(line["event"]).startswith("commit")
    ]


def test_a_store_that_refuses_the_last_commit_is_said(daemons: Daemons, tmp_path: Path) -> None:
    """Stopping with a full disk is a sentence, and the next start reads again what was not committed."""
    write(tmp_path, fleet(3))
    daemon = daemons.start(refusals=2)
    daemon.passes(1)

    with pytest.raises(StoreProblem, match="is read again at the next start"):
        daemon.worker.finish()

    again = daemons.start()
    again.passes(2)
    assert 3 * 8_000 * 3_600_000 == usage(again)


def test_stopping_commits_what_was_read(daemons: Daemons, tmp_path: Path) -> None:
    """Whatever is not due yet is committed at the end, and readiness ends at once."""
    path = write(tmp_path, fleet(3))
    daemon = daemons.start()
    daemon.passes(1, seconds=0.0)
    assert 0 == daemon.offset()

    daemon.worker.stop()
    assert (False, "The daemon is stopping.") == daemon.worker.ready()
    daemon.worker.finish()

    assert path.stat().st_size == daemon.offset()


def test_the_loop_returns_when_asked_to(tmp_path: Path) -> None:
    """`run` in a thread, on the machine's clock, ends soon after `stop` with everything committed."""
    path = write(tmp_path, fleet(3))
    daemon = Daemon(tmp_path, SystemClock())
    running = threading.Thread(target=daemon.worker.run)
    running.start()
    threading.Timer(0.3, daemon.worker.stop).start()
    running.join(timeout=30)

    assert not running.is_alive()
    assert path.stat().st_size == daemon.offset()
    daemon.close()


def test_a_growing_file_is_followed(daemons: Daemons, tmp_path: Path) -> None:
    """New lines are read as they come; half a line waits for its end."""
    lines = fleet(3)
    path = write(tmp_path, lines[:2])
    daemon = daemons.start()
    daemon.passes(2)
    assert 8_000 * 3_600_000 == usage(daemon)

    append(path, b"".join(lines[2:4]) + lines[4][:20])
    daemon.passes(2)
    assert 2 * 8_000 * 3_600_000 == usage(daemon)
    assert sum(map(len, lines[:4])) == daemon.offset()

    append(path, lines[4][20:] + lines[5])
    daemon.passes(2)
    assert 3 * 8_000 * 3_600_000 == usage(daemon)


def test_a_file_that_was_replaced_is_read_from_its_start(daemons: Daemons, tmp_path: Path) -> None:
    """Rotation is noticed and said, once; facts that were there before count once."""
    lines = fleet(4)
    path = write(tmp_path, lines[:4])
    daemon = daemons.start()
    daemon.passes(2)

    other = tmp_path / "other"
    other.write_bytes(b"".join(lines[2:]))
    other.replace(path)
    daemon.passes(4)

    assert 4 * 8_000 * 3_600_000 == usage(daemon)
    assert 2 == daemon.value("flopwatch_duplicate_events_total")
    assert 1 == len([line for line in daemon.log() if line["event"] == "source restarted"])


def test_after_a_crash_nothing_is_counted_twice_or_lost(daemons: Daemons, tmp_path: Path) -> None:
    """A process that dies between commits reads again from the last one, and the books are the same."""
    settings = SETTINGS.model_copy(update={"batch_records_max": 4})
    write(tmp_path, fleet(20))
    for _ in range(4):
        dying = daemons.start(settings)
        dying.passes(2)  # read and commit
        dying.passes(2, seconds=0.1)  # read, and die before the commit
    last = daemons.start(settings)
    last.passes(10)
    assert 0 == last.value("flopwatch_duplicate_events_total")

    (tmp_path / "undisturbed").mkdir()
    write(tmp_path / "undisturbed", fleet(20))
    undisturbed = Daemon(tmp_path / "undisturbed", daemons.clock)
    undisturbed.passes(2)

    assert undisturbed.digest(START + 20 * 3_600_000) == last.digest(START + 20 * 3_600_000)
    undisturbed.close()


def test_two_processes_on_one_store_do_not_mix(daemons: Daemons, tmp_path: Path) -> None:
    """The one that was overtaken stops with a sentence and has written nothing."""
    write(tmp_path, fleet(3))
    slow, quick = daemons.start(), daemons.start()
    quick.passes(2)

    with pytest.raises(Overtaken, match="Another process"):
        slow.passes(2)


def test_a_file_that_ends_too_early_stops_after_what_could_be_read(daemons: Daemons, tmp_path: Path) -> None:
    """A truncated gzip file is a sentence, with everything before the damage in the books."""
    path = tmp_path / "events.jsonl.gz"
    lines = fleet(200)
    path.write_bytes(gzip.compress(b"".join(lines))[:-20])
    files = SETTINGS.files.model_copy(update={"paths": (str(path),), "follow": False})
    daemon = daemons.start(SETTINGS.model_copy(update={"files": files}))

    with pytest.raises(SourceProblem, match=r"events\.jsonl\.gz"):
        daemon.worker.run()

    assert daemon.offset() > 0
    assert usage(daemon) > 0


def frontier(nodes: int = 1_000) -> list[bytes]:
    """A tenant of concern that holds `nodes` times eight H100."""
    return [profiled(0, 0), *[started(number, 1, f"node-{number}") for number in range(1, nodes + 1)]]


def test_a_flag_is_raised_committed_and_told_without_a_name(daemons: Daemons, tmp_path: Path) -> None:
    """Usage over the threshold by a tenant of concern gives a flag in the store, a journalled tick and a log line."""
    stops = [stopped(5_000 + number, 20 * DAY_SECONDS, f"node-{number}") for number in range(1, 1_001)]
    write(tmp_path, [*frontier(), *stops])
    daemon = daemons.start()

    daemon.passes(4)

    rules = {flag.rule: flag for flag in daemon.store.flags()}
    assert State.OPEN == rules["ladder.3e23.of_concern"].state
    assert Level.CRITICAL == rules["ladder.3e23.of_concern"].level
    assert START + 20 * DAY_SECONDS * 1_000 == daemon.store.last_tick()
    assert 1 == daemon.value("flopwatch_flags", state="open", level="critical", rule="ladder.3e23.of_concern")
    told = [line for line in daemon.log() if line["event"] == "flag"]
    assert {tenant_reference("t-1")} == {line["tenant"] for line in told}
    assert {"raised"} == {line["act"] for line in told}
    assert "t-1" not in daemon.logged.getvalue()


def test_files_of_another_format_need_no_hop(daemons: Daemons, tmp_path: Path) -> None:
    """Lines that a cloud wrote are in the books as what they mean; one that is none is a dead letter, as it came."""
    launched = {"instanceId": "i-1", "instanceType": "p5.48xlarge"}
    ended = {"instanceId": "i-1", "currentState": {"name": "shutting-down"}}
    calls = [call("RunInstances", "1", START, [launched]), call("TerminateInstances", "1", START + 3_600_000, [ended])]
    write(tmp_path, [*(json.dumps(one).encode() + b"\n" for one in calls), b"no record\n"])
    foreign = Foreign(dialect="auto", source="/aws")
    files = SETTINGS.files.model_copy(update={"foreign": foreign})
    daemon = daemons.start(SETTINGS.model_copy(update={"files": files}))
    daemon.passes(4)

    held = daemon.value("flopwatch_tenant_held_accelerator_seconds", tenant=tenant_reference("1"))
    assert 8 * 3_600 == held
    (letter,) = daemon.store.dead_letters()
    assert ("json", b"no record") == (letter.reason, letter.body)


def test_the_largest_tenants_are_shown_by_references(daemons: Daemons, tmp_path: Path) -> None:
    """What a tenant held and may have computed has a series; the others share one, and no name is in any."""
    lines = [started(1, 0, "a", 8, "t-1"), started(2, 0, "b", 4, "t-2"), started(3, 0, "c", 2, "t-3")]
    ends = [stopped(11, 3_600, "a", "t-1"), stopped(12, 3_600, "b", "t-2"), stopped(13, 3_600, "c", "t-3")]
    write(tmp_path, [*lines, *ends])
    settings = SETTINGS.model_copy(update={"http": SETTINGS.http.model_copy(update={"tenants_shown": 1})})
    daemon = daemons.start(settings)
    daemon.passes(4)

    held = "flopwatch_tenant_held_accelerator_seconds"
    assert 8 * 3_600 == daemon.value(held, tenant=tenant_reference("t-1"))
    assert 6 * 3_600 == daemon.value(held, tenant="other")
    flop = {
        bound: daemon.value("flopwatch_tenant_compute_flop", tenant=tenant_reference("t-1"), bound=bound)
        for bound in ("low", "central", "high", "ceiling")
    }
    assert None not in flop.values()
    assert sorted(flop.values()) == list(flop.values())
    assert "t-1" not in generate_latest(daemon.registry).decode()
    assert 0 < daemon.value("flopwatch_evaluations_total", depth="totals")


def test_the_largest_tenants_are_looked_for_again_soon_until_all_was_read(daemons: Daemons, tmp_path: Path) -> None:
    """Whoever the first records do not name is shown as soon as what there is was read, and not a minute later."""
    write(tmp_path, [started(number, number, "a", 8, f"t-{number}") for number in range(1, 10)])
    daemon = daemons.start(SETTINGS.model_copy(update={"batch_records_max": 3}))
    held = "flopwatch_tenant_held_accelerator_seconds"

    daemon.passes(1)
    assert daemon.value(held, tenant=tenant_reference("t-1")) is not None
    assert daemon.value(held, tenant=tenant_reference("t-9")) is None
    daemon.passes(5)
    assert daemon.value(held, tenant=tenant_reference("t-9")) is not None


def test_tenants_with_open_hits_are_counted_by_list_and_band(daemons: Daemons, tmp_path: Path) -> None:
    """Each tenant that uses anything once for each list, by its best hit there; every list and band has a number."""
    names = {"t-1": "Alike", "t-2": "Distant", "t-3": "Alike", "t-4": "Another"}
    lines = [
        event(number, "tenant.profiled", 0, tenant, legal_name=name)
        for number, (tenant, name) in enumerate(names.items())
    ]
    lines += [started(10 + number, 1, "a", tenant=tenant) for number, tenant in enumerate(["t-1", "t-2", "t-4"])]
    write(tmp_path, [*lines, stopped(20, 7_200, "a", "t-4")])
    found = lists(hit("Alike", "sdn"), hit("Alike", "sdn", Band.POSSIBLE, id="2"), hit("Distant", "el", Band.POSSIBLE))
    daemon = daemons.start(read_with=replace(reference(), lists=found))

    def told() -> dict[tuple[str, str], float]:
        (metric,) = (one for one in daemon.registry.collect() if one.name == "flopwatch_screening_matches")
        return {(one.labels["list"], one.labels["band"]): one.value for one in metric.samples}

    none = {(source, band): 0 for source in found.effects.of_source for band in ("likely", "possible")}
    assert none == told()
    daemon.passes(4)
    assert none | {("sdn", "likely"): 1, ("el", "possible"): 1} == told()

    daemon.worker.tasks[0].refer(replace(reference(), lists=lists(hit("Another", "el"))))
    daemon.passes(4)
    assert none | {("el", "likely"): 1} == told()


def test_the_largest_run_that_a_rule_asks_for_is_shown(daemons: Daemons, tmp_path: Path) -> None:
    """Before a rule asks for any it is zero; then its bounds are those of the run that the console shows."""
    ends = [stopped(5_000 + number, 20 * DAY_SECONDS, f"node-{number}") for number in range(1, 1_001)]
    write(tmp_path, [*frontier(), *ends])
    daemon = daemons.start()

    def told() -> list[float | None]:
        return [daemon.value("flopwatch_run_compute_flop_max", bound=bound) for bound in Bounds._fields]

    assert [0, 0, 0, 0] == told()
    daemon.passes(4)
    finished = daemon.store.finished("t-1")
    runs = tenant_runs(daemon.book, reference(), "t-1", finished, START + 20 * DAY_SECONDS * 1_000)
    assert list(map(float, greatest(run.flop for run, _ in runs))) == told()
    assert 1e23 < (told()[1] or 0)


def test_no_tenant_is_shown_where_none_is_to_be(daemons: Daemons, tmp_path: Path) -> None:
    """With 0 there is no series of a tenant, not even of all together."""
    write(tmp_path, [started(1, 0, "a"), stopped(2, 3_600, "a")])
    settings = SETTINGS.model_copy(update={"http": SETTINGS.http.model_copy(update={"tenants_shown": 0})})
    daemon = daemons.start(settings)
    daemon.passes(4)

    assert 1 == daemon.value("flopwatch_tenants")
    assert "flopwatch_tenant_held_accelerator_seconds{" not in generate_latest(daemon.registry).decode()


def test_shadow_rules_have_no_series(daemons: Daemons, tmp_path: Path) -> None:
    """Rules that tell people have a number before their first flag; rules in the shadow have none, whatever is held."""
    stops = [stopped(5_000 + number, 20 * DAY_SECONDS, f"node-{number}") for number in range(1, 1_001)]
    write(tmp_path, [*frontier(), *stops])
    daemon = daemons.start()
    daemon.passes(4)

    shown = {
        sample.labels["rule"]
        for metric in daemon.registry.collect()
        for sample in metric.samples
        if "rule" in sample.labels
    }
    rules = [rule for policy in reference().policies for rule in policy.rules]
    assert {rule.id for rule in rules if not rule.shadow} == shown
    assert any(rule.shadow for rule in rules)


def test_time_alone_changes_what_is_known(daemons: Daemons, tmp_path: Path) -> None:
    """An allocation that stays open grows without any further fact; open time alone raises a flag to watch only."""
    write(tmp_path, frontier())
    daemon = daemons.start()
    daemon.passes(4)
    assert [] == daemon.store.flags()
    assert 1_000 == daemon.value("flopwatch_open_allocations")

    daemon.passes(4, seconds=5 * DAY_SECONDS)

    levels = {flag.rule: flag.level for flag in daemon.store.flags()}
    assert Level.WATCH == levels["ladder.1e23.of_concern"]


def test_while_there_is_more_to_read_now_is_the_clock_of_the_books(daemons: Daemons, tmp_path: Path) -> None:
    """Draining a backlog does not make every unread stop look open until today."""
    write(tmp_path, fleet(4))
    daemon = daemons.start(SETTINGS.model_copy(update={"batch_records_max": 1, "tick_seconds": 0.01}))
    daemons.clock.turn(30 * DAY_SECONDS)
    instants = []
    for _ in range(3):
        daemon.passes(1)
        instants.append(daemon.value("flopwatch_evaluated_timestamp_seconds"))

    assert [START / 1_000 + seconds for seconds in (0, 3_600, 3_600)] == instants


def test_once_everything_is_read_now_is_the_wall_clock_less_a_slack(daemons: Daemons, tmp_path: Path) -> None:
    """And it never goes back, even if the wall clock does."""
    write(tmp_path, fleet(1))
    daemon = daemons.start()
    daemons.clock.turn(2 * DAY_SECONDS)
    daemon.passes(3)
    reached = daemon.value("flopwatch_evaluated_timestamp_seconds")
    assert daemons.clock.wall / 1_000 - SETTINGS.clock_slack_seconds == reached

    daemons.clock.wall -= 3_600_000
    daemon.passes(2)

    assert reached == daemon.value("flopwatch_evaluated_timestamp_seconds")


def test_a_retraction_is_noted_on_the_flags_of_its_tenant(daemons: Daemons, tmp_path: Path) -> None:
    """Whoever retracts what supports a flag leaves a line in its history (ruling 7), once, however often it is sent."""
    stops = [stopped(5_000 + number, 20 * DAY_SECONDS, f"node-{number}") for number in range(1, 1_001)]
    path = write(tmp_path, [*frontier(), *stops])
    daemon = daemons.start()
    daemon.passes(4)
    flag = next(flag for flag in daemon.store.flags() if flag.rule == "ladder.1e23.of_concern")
    retraction = event(
        9_000,
        "fact.retracted",
        20 * DAY_SECONDS,
        retracts={"source": "provider/control-plane", "id": "e-1"},
        reason="billed twice",
    )

    append(path, retraction * 2)
    daemon.passes(3)
    append(path, retraction)
    daemon.passes(3)

    assert ["raised", "noted"] == [str(entry.act) for entry in daemon.store.flag_history(flag.id)]


def test_facts_that_came_late_are_told_where_they_moved_a_flag(daemons: Daemons, tmp_path: Path) -> None:
    """The history says how many late facts there were when they undo a finding, and nothing of those told before."""
    stops = [stopped(5_000 + number, 20 * DAY_SECONDS, f"node-{number}") for number in range(1, 1_001)]
    path = write(tmp_path, [*frontier(), *stops])
    daemon = daemons.start()
    daemon.passes(4)
    undoing = [stopped(10_000 + number, 60, f"node-{number}") for number in range(1, 1_001)]
    append(path, b"".join([*undoing, *undoing]))
    daemon.passes(4)
    again = [started(20_000 + number, 20 * DAY_SECONDS + 1, f"again-{number}") for number in range(1, 1_001)]
    ends = [stopped(30_000 + number, 25 * DAY_SECONDS, f"again-{number}") for number in range(1, 1_001)]
    append(path, b"".join([*again, *ends]))
    daemon.passes(4)

    flag = next(flag for flag in daemon.store.flags() if flag.rule == "ladder.1e23.of_concern")
    history = daemon.store.flag_history(flag.id)
    assert ["raised", "withdrawn", "returned"] == [str(entry.act) for entry in history]
    late = "Since the look before 1,000 facts about it have come late."
    assert [False, True, False] == [entry.reason.endswith(late) for entry in history]


def test_a_flag_that_a_person_closed_stays_closed(daemons: Daemons, tmp_path: Path) -> None:
    """A decision in the journal reaches the running loop, which does not open the flag again."""
    write(tmp_path, frontier())
    daemon = daemons.start()
    daemon.passes(4)
    daemon.passes(4, seconds=5 * DAY_SECONDS)
    flag = next(flag for flag in daemon.store.flags() if flag.rule == "ladder.1e23.of_concern")

    decision = JournalEntry("decision", {"close": flag.id, "reason": "Known to the reviewer."})
    daemon.store.record([decision], daemons.clock.wall)
    daemon.passes(4, seconds=61)

    assert State.CLOSED == next(one for one in daemon.store.flags() if one.id == flag.id).state


def test_a_running_loop_hears_that_a_policy_counts_and_no_longer_does(daemons: Daemons, tmp_path: Path) -> None:
    """Until two people have approved it nobody is told; what they withdraw takes its flags with it."""
    write(tmp_path, frontier())
    waiting = tuple(replace(one, consent=Consent.WAITING) for one in reference().policies)
    daemon = daemons.start(read_with=replace(reference(), policies=waiting))
    daemon.passes(4)
    daemon.passes(4, seconds=5 * DAY_SECONDS)
    assert [] == daemon.store.flags()

    (ladder,) = (one for one in waiting if one.id == "internal-ladder")
    panel, by = Panel(daemon.store, waiting, daemons.clock), Person(OPERATOR, "somebody")
    number = panel.propose_policy(ladder.name, APPROVE, "It is what we agreed on.", "ana", by)
    daemon.passes(4, seconds=61)
    assert [] == daemon.store.flags()
    panel.approve(number, "bo", by)
    daemon.passes(4, seconds=61)
    assert {State.OPEN} == {flag.state for flag in daemon.store.flags()}

    number = panel.propose_policy(ladder.name, WITHDRAW, "It was another one.", "ana", by)
    panel.approve(number, "bo", by)
    daemon.passes(4, seconds=61)
    assert {State.WITHDRAWN} == {flag.state for flag in daemon.store.flags()}


def test_a_case_closes_and_opens_flags_of_a_running_loop(daemons: Daemons, tmp_path: Path) -> None:
    """What two people decide of a case reaches the loop, which leaves the flags so; taken back, they are as before."""
    write(tmp_path, frontier())
    daemon = daemons.start()
    daemon.passes(4)
    daemon.passes(4, seconds=5 * DAY_SECONDS)
    flags = daemon.store.flags()
    Gatherer(daemon.store.casework, reference().policies, daemons.clock).work({}, Parties({}, daemons.clock.wall))
    desk = Desk(daemon.store.casework, reference().policies, daemons.clock)
    cases = {case.id for flag in flags if (case := daemon.store.casework.home_of(flag.id)) is not None}
    policy = reference().policies[0]
    conclusion = Conclusion(
        Outcome.EXPLAINED, "The contract covers it.", f"{policy.id}@{policy.version}", policy.rules[0].id
    )

    for case in cases:
        desk.claim(case, "ana")
        desk.decide(case, "ana", conclusion)
        desk.approve(case, "bo")
    daemon.passes(4, seconds=61)
    assert {State.CLOSED} == {flag.state for flag in daemon.store.flags()}
    for case in cases:
        desk.reverse(case, "eve", "The contract was another one.")
    daemon.passes(4, seconds=61)

    assert flags
    assert {flag.id: flag.state for flag in flags} == {flag.id: flag.state for flag in daemon.store.flags()}


def test_a_tenant_is_evaluated_again_after_a_restart(daemons: Daemons, tmp_path: Path) -> None:
    """A process that died after committing facts and before evaluating them leaves no tenant unseen."""
    stops = [stopped(5_000 + number, 20 * DAY_SECONDS, f"node-{number}") for number in range(1, 1_001)]
    path = write(tmp_path, [profiled(0, 0)])
    dying = daemons.start(SETTINGS.model_copy(update={"tick_seconds": 3_600.0}))
    dying.passes(2)
    append(path, b"".join([*frontier()[1:], *stops]))
    dying.passes(4)
    assert [] == dying.store.flags()

    daemons.start().passes(2)

    assert "ladder.1e23.of_concern" in {flag.rule for flag in dying.store.flags()}


def test_health_notices_a_loop_that_stands_still(daemons: Daemons, tmp_path: Path) -> None:
    """No pass for longer than the setting says is unhealthy; another pass heals it."""
    write(tmp_path, fleet(1))
    daemon = daemons.start()
    assert (False, "The books are being loaded.") == daemon.worker.ready()
    daemon.passes(2)

    daemons.clock.turn(61)
    assert (False, "The loop has not completed a pass for 61 seconds.") == daemon.worker.healthy()

    daemon.passes(1)
    assert daemon.worker.healthy()[0]


def test_a_batch_has_a_maximum(daemons: Daemons, tmp_path: Path) -> None:
    """One record more than the maximum of a batch waits for the next pass."""
    write(tmp_path, fleet(2))
    daemon = daemons.start(SETTINGS.model_copy(update={"batch_records_max": 3}))

    daemon.passes(1)
    assert 3 == daemon.value("flopwatch_events_consumed_total", topic="file", outcome="accepted")

    daemon.passes(1)
    assert 4 == daemon.value("flopwatch_events_consumed_total", topic="file", outcome="accepted")


def test_books_that_differ_from_a_report_are_measured(daemons: Daemons, tmp_path: Path) -> None:
    """What a complete report names and the books do not have is a number for the operator."""
    report = json.loads(event(50, "inventory.reported", 60))
    report["data"] = {
        "region": "eu",
        "allocations": [
            {"tenant": "t-1", "allocation": "a", "count": 8, "hardware": "H100 SXM"},
            {"tenant": "t-2", "allocation": "lost", "count": 4, "hardware": "H100 SXM"},
        ],
        "complete": True,
        "capacity": {"H100 SXM": 16},
        "part": 1,
        "parts": 1,
    }
    write(tmp_path, [started(1, 0, "a"), json.dumps(report).encode() + b"\n"])
    daemon = daemons.start()

    daemon.passes(2)

    assert 4 == daemon.value("flopwatch_unattributed_accelerators")
    assert 0.25 == daemon.value("flopwatch_conservation_error_ratio")


def test_evaluating_many_tenants_leaves_the_loop_free_to_stop(tmp_path: Path) -> None:
    """What takes long is done in slices: a pass ends after the tenant it is at, and in the end nobody is left out."""
    tenants = [f"t-{number}" for number in range(12)]
    lines = [event(number, "tenant.profiled", 0, name, party="p") for number, name in enumerate(tenants)]
    for number, name in enumerate(tenants):
        lines.append(started(100 + number, 1, "large", 8_000, name))
        lines.append(stopped(200 + number, 10 * DAY_SECONDS, "large", name))
    write(tmp_path, lines)
    daemon = Daemon(tmp_path, BusyClock())
    flagged = []
    for _ in range(40):
        daemon.worker.step()
        flagged.append(len({flag.tenant for flag in daemon.store.flags()}))
    daemon.close()

    assert 0 < min(flagged) < 12
    assert 12 == flagged[-1]
    assert max(after - before for before, after in pairwise([0, *flagged])) < 12


def test_facts_that_contradict_each_other_are_counted(daemons: Daemons, tmp_path: Path) -> None:
    """A stop of what never started adds nothing to the books and one to its counter."""
    write(tmp_path, [stopped(1, 0, "never-started")])
    daemon = daemons.start()

    daemon.passes(2)

    assert 1 == daemon.value("flopwatch_anomalies_total", kind="orphan stop")
    assert 0 == usage(daemon)


def test_a_journal_out_of_reach_stops_nothing(daemons: Daemons, tmp_path: Path) -> None:
    """Decisions are asked for again at the next tick, and a stop at the limit is still a stop."""
    path = write(tmp_path, fleet(1))
    daemon = daemons.start()
    daemon.refusing.journal_fails = True
    daemon.passes(2)
    assert path.stat().st_size == daemon.offset()

    append(path, b"not an event\n" * 5)
    with pytest.raises(LimitReached):
        daemon.passes(1)

    events = [line["event"] for line in daemon.log()]
    assert {"journal not read", "stopped at the dead-letter limit", "stop not recorded"} <= set(events)


def test_what_is_in_force_is_shown(daemons: Daemons, tmp_path: Path) -> None:
    """Settings, policies and catalogue are named with their digests."""
    write(tmp_path, [])
    daemon = daemons.start()

    assert 1 == daemon.value("flopwatch_config_info", digest=SETTINGS.digest)
    for policy in reference().policies:
        labels = {"policy": policy.id, "version": str(policy.version), "digest": policy.digest}
        assert 1 == daemon.value("flopwatch_policy_info", **labels)
