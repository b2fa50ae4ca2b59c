"""Checkpoints of the audit: taken when it has grown, told when they cannot be written or no longer agree."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from monitor.alert import CheckpointPlace
from monitor.alert.checkpoints import CheckpointFile
from monitor.core.audit import OPERATOR, Checkpoint, Person, checkpoint_from, verify
from monitor.errors import CheckpointProblem, StoreProblem
from monitor.log import build_log
from monitor.metrics import Metrics
from monitor.run.checkpoints import RETRY_SECONDS, Checkpoints
from monitor.run.task import Watch
from monitor.store.sql import SqlStore
from tests.cli.command import HELD, fact, flopwatch, written
from tests.run.test_daemon import START_SECONDS, STOP_SECONDS, answer, free_port, wait_for
from tests.run.test_worker import TurnedClock
from tests.servers.receivers import until
from tests.store.taking import url_of
from tests.store.test_opening import run

MINUTES = 5
ANA = Person(OPERATOR, "ana")


class Held:
    """A place that takes its time, and has a bug."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.lines: list[str] = []
        self.bug = False

    def put(self, line: str) -> None:
        assert self.go.wait(20)
        if self.bug:
            raise ZeroDivisionError("a bug")
        self.lines.append(line)

    def close(self) -> None:
        """Nothing is open."""


class Unreadable:
    """An audit whose store does not answer for a while."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.away = True

    def head(self, at: int) -> Checkpoint:
        if self.away:
            raise StoreProblem("The store does not answer: start it.")
        return self._store.audit.head(at)

    def agrees(self, checkpoint: Checkpoint) -> bool:
        return self._store.audit.agrees(checkpoint)


class Place:
    """A store, a file, and what takes checkpoints of the one to the other; the test turns the clock."""

    def __init__(self, folder: Path) -> None:
        self.state, self.file = folder / "books.db", folder / "checkpoints.jsonl"
        self.clock, self.logged = TurnedClock(), io.StringIO()
        self.store = SqlStore.open(url_of(folder))
        self.checkpoints = self.started(CheckpointFile(self.file))

    def started(self, *places: CheckpointPlace, chain: Any = None) -> Checkpoints:
        """What takes checkpoints, as a process begins it."""
        self.registry = CollectorRegistry()
        watch = Watch(Metrics(self.registry), self.clock, build_log("info", self.clock, self.logged))
        self.checkpoints = Checkpoints(chain or self.store.audit, places, MINUTES, watch)
        return self.checkpoints

    def add(self, count: int = 1) -> None:
        for _ in range(count):
            self.store.audit.add(self.clock.now_ms(), ANA, "evidence.read", "F-1", {})

    def work(self, seconds: float = 0.0) -> None:
        """A pass after a while; what it begins is waited for, and noted by the next."""
        self.clock.turn(seconds)
        self.checkpoints.work()
        for outcome in self.checkpoints.under_way:
            until(outcome.done)
        self.checkpoints.work()

    @property
    def written(self) -> list[Checkpoint]:
        return [checkpoint_from(line) for line in self.file.read_bytes().splitlines()] if self.file.is_file() else []

    @property
    def rows(self) -> list[int]:
        """How many rows each checkpoint counts."""
        return [one.rows for one in self.written]

    def value(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"flopwatch_audit_{name}")

    @property
    def problems(self) -> list[str]:
        return [json.loads(line)["problem"] for line in self.logged.getvalue().splitlines()]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.checkpoints.finish()
    place.store.close()


def test_a_checkpoint_is_taken_at_the_start_and_when_the_audit_has_grown(place: Place) -> None:
    """Every five minutes at most; what has not grown needs no other."""
    place.work()
    place.add(2)
    place.work(MINUTES * 60 - 1)
    assert [0] == place.rows

    place.work(1)
    for _ in range(3):
        place.work(MINUTES * 60)
    place.add()
    place.work(MINUTES * 60)

    assert [0, 2, 3] == place.rows
    assert 3 == verify(place.store.audit.chain(), place.written).covered
    assert (0, place.clock.wall / 1_000) == (place.value("trouble"), place.value("checkpoint_timestamp_seconds"))
    assert [] == place.problems


def test_the_metric_moves_on_while_nothing_grows(place: Place) -> None:
    """All rows are known to be covered, although nothing is written."""
    place.work()
    place.work(MINUTES * 60)

    assert [0] == place.rows
    assert place.clock.wall / 1_000 == place.value("checkpoint_timestamp_seconds")


def test_a_last_one_is_taken_at_the_end(place: Place) -> None:
    """Of what came since, without waiting for its time."""
    place.work()
    place.add()
    place.checkpoints.finish()

    assert [0, 1] == place.rows


def test_a_file_that_cannot_be_written_is_told_and_tried_again(place: Place) -> None:
    """The metric says so at once, the log once; the worker goes on, and what was missing is made up for."""
    place.file.mkdir()
    place.add()
    for _ in range(3):
        place.work(RETRY_SECONDS)
    assert (1, 0) == (place.value("trouble"), place.value("checkpoint_timestamp_seconds"))
    (problem,) = place.problems
    assert f"A checkpoint of the audit cannot be added to {place.file} (is a directory)" in problem

    place.file.rmdir()
    place.work(RETRY_SECONDS)

    assert ([1], 0) == (place.rows, place.value("trouble"))


def test_a_chain_that_changed_is_told_for_good(place: Place) -> None:
    """The next checkpoint finds the row of the last one changed: the trouble stays until the process ends."""
    place.add(3)
    place.work()
    run(place.state, "drop trigger audit_stays", "delete from audit where number = 3")
    for _ in range(2):
        place.clock.turn(1)
        place.add()
        place.work(MINUTES * 60)

    assert 1 == place.value("trouble")
    (problem,) = place.problems
    assert problem.startswith("The audit no longer holds what the checkpoint of 2026-01-01T00:00:00Z says: ")
    broken = verify(place.store.audit.chain(), place.written).broken
    assert broken is not None
    assert (1, 3) == (broken.first, broken.last)


def test_a_place_that_takes_its_time_holds_up_nobody(place: Place, tmp_path: Path) -> None:
    """Neither the loop nor another place; it gets what is newest once it is ready."""
    slow = Held()
    place.started(slow, CheckpointFile(place.file))
    place.checkpoints.work()
    until(lambda: place.rows == [0])
    place.add()
    place.clock.turn(MINUTES * 60)
    place.checkpoints.work()
    until(lambda: place.rows == [0, 1])
    assert 0 == place.value("checkpoint_timestamp_seconds")

    slow.go.set()
    place.work()
    place.work(MINUTES * 60)

    assert [0, 1] == [checkpoint_from(line).rows for line in slow.lines]
    assert place.clock.wall / 1_000 == place.value("checkpoint_timestamp_seconds")


def test_a_bug_in_a_place_is_told(place: Place) -> None:
    """By its name; nothing stops."""
    broken = Held()
    broken.bug = True
    broken.go.set()
    place.started(broken)
    place.work()

    assert ["A checkpoint failed: ZeroDivisionError('a bug')."] == place.problems


def test_a_store_that_does_not_answer_is_asked_again(place: Place) -> None:
    """In half a minute; nothing was written meanwhile."""
    chain = Unreadable(place.store)
    place.started(CheckpointFile(place.file), chain=chain)
    place.work()
    assert (["The store does not answer: start it."], []) == (place.problems, place.rows)

    chain.away = False
    place.work(RETRY_SECONDS)

    assert [0] == place.rows


# -- the file --------------------------------------------------------------------------------------------------------


def test_a_torn_line_is_ended_before_the_next(tmp_path: Path) -> None:
    """What was there stays as it was, and every whole line is one."""
    path = tmp_path / "lines"
    file = CheckpointFile(path)
    file.put("a")
    with path.open("ab") as torn:
        torn.write(b'{"at":')
    file.put("b")
    file.put("c")
    file.close()

    assert b'a\n{"at":\nb\nc\n' == path.read_bytes()


def test_lines_of_several_writers_stay_whole(tmp_path: Path) -> None:
    """A daemon and commands beside it: each line in one piece."""
    path = tmp_path / "lines"
    lines = [f"{number:04d}" * 25 for number in range(100)]

    def write(part: list[str]) -> None:
        for line in part:
            CheckpointFile(path).put(line)

    threads = [threading.Thread(target=write, args=(lines[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(lines) == sorted(path.read_text().splitlines())


def test_a_file_that_is_none_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """Its name, the reason, what to do."""
    with pytest.raises(CheckpointProblem, match=r"cannot be added to .*none/lines \(no such file or directory\): mend"):
        CheckpointFile(tmp_path / "none" / "lines").put("a")
    with pytest.raises(CheckpointProblem, match=r"change `audit\.checkpoint_file`"):
        CheckpointFile(tmp_path).put("a")


def test_what_a_checkpoint_counts_outlasts_a_power_cut(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's log is written through before the checkpoint is taken; where there is no log any more, it was."""
    synced: list[int] = []
    real = os.fsync

    def watched(number: int) -> None:
        synced.append(os.fstat(number).st_ino)
        real(number)

    place.add()
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", watched)
        place.work()

    assert [Path(f"{place.state}-wal").stat().st_ino, place.file.stat().st_ino] == synced


# -- the daemon ------------------------------------------------------------------------------------------------------


def test_a_daemon_takes_checkpoints(tmp_path: Path) -> None:
    """One when it starts, one of what was decided meanwhile when it stops; the metric is there."""
    port, config = free_port(), tmp_path / "monitor.yaml"
    started = fact("allocation.started", "a", **{**HELD, "count": 40})
    events = written(tmp_path / "events.jsonl", [started, fact("allocation.stopped", "b", "2026-06-01T00:00:00Z")])
    settings = f"store_url: sqlite:///{tmp_path / 'books.db'}\nfiles: {{paths: ['{events}']}}\nhttp: {{port: {port}}}\n"
    config.write_text(f"{settings}audit: {{checkpoint_file: '{tmp_path / 'lines'}'}}\n", encoding="utf-8")
    command = [sys.executable, "-c", "from monitor.cli import main; main()", "run", "--config", str(config)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stderr=log, env=environment) as process:
        try:
            wait_for(lambda: (tmp_path / "lines").is_file(), START_SECONDS)
            wait_for(lambda: "flopwatch_audit_trouble 0.0" in answer(port, "metrics")[1], START_SECONDS)
            given = ("--state", tmp_path / "books.db", "--json")
            wait_for(lambda: bool(flopwatch("flags", *given).document), START_SECONDS)
            flag = flopwatch("flags", *given).document[0]["flag"]
            assert 0 == flopwatch("flags", "close", flag, "--reason", "known", "--state", tmp_path / "books.db").code
            process.send_signal(signal.SIGTERM)
            assert 0 == process.wait(STOP_SECONDS)
        finally:
            process.kill()

    verified = flopwatch("audit", "verify", "--config", config, "--json").document
    assert (1, 2, 1, None) == tuple(verified[name] for name in ("rows", "checkpoints", "covered", "broken"))
