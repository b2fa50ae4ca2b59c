"""kill -9 at random points of a replay into SQLite, resumed each time: nothing is counted twice or lost."""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import time
from pathlib import Path

import pytest

from monitor.app import replays, stores
from monitor.errors import StoreProblem
from monitor.settings import Settings
from monitor.simulate.scenarios import simulate
from tests.cli.command import flopwatch

EAGER = Settings(commit_seconds=0.01, batch_records_max=50)
PAUSE_SECONDS = 0.03  # a child that was reading and says nothing for so long has come to the evaluation at the end


def replay_in_child(path: Path, state: Path) -> tuple[int, int]:
    """Replay in a child process: its number, and a pipe on which it says a byte after each batch."""
    heard, said = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            replays.replay(EAGER, [str(path)], state, None, None, lambda done, total: (os.write(said, b"."), None)[1])
            code = 0
        finally:
            os._exit(code)
    os.close(said)
    return child, heard


def killed_in_child(path: Path, state: Path, batches: int | None, seconds: float) -> bool:
    """Replay in a child that is killed so many seconds after a number of batches; whether that came before its end.

    None: it is not killed.
    """
    child, heard = replay_in_child(path, state)
    for done in range(batches if batches is not None else 1_000_000_000):
        if done and batches is not None and not select.select([heard], [], [], PAUSE_SECONDS)[0]:
            break
        if not os.read(heard, 1):
            break
    if batches is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    os.close(heard)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or 0 == os.WEXITSTATUS(status)
    return os.WIFSIGNALED(status)


def position(state: Path) -> int:
    """How many bytes of the file are committed; seen in a copy, so that the next child recovers by itself."""
    copy = state.with_name("copy.db")
    for ending in ("", "-wal"):
        if state.with_name(state.name + ending).exists():
            shutil.copy(state.with_name(state.name + ending), copy.with_name(copy.name + ending))
    try:
        with stores.opened_store(f"sqlite:///{copy}", create=False) as store:
            return max((one.next_offset for one in store.positions().values()), default=0)
    except StoreProblem:  # killed before its tables were made
        return 0
    finally:
        for left in state.parent.glob("copy.db*"):
            left.unlink()


def told(state: Path) -> tuple[object, ...]:
    """What a store says of itself: whether it verifies, its digests, and how many facts it keeps."""
    ran = flopwatch("verify", "--state", state, "--json")
    with stores.opened_store(f"sqlite:///{state}") as store:
        facts = sum(1 for _ in store.lines())
    return ran.code, *(ran.document[name] for name in ("problems", "books_digest", "digest")), facts


def check_kills(folder: Path, lines: int, kills: int, seed: int) -> None:
    """Kill replays so many times at random points, resume them each time, and compare with one that was left alone."""
    path, state = folder / "events.jsonl", folder / "books.db"
    path.write_bytes(b"".join(line for line, _ in zip(simulate("fleet").events(), range(lines), strict=False)))
    plain = flopwatch("replay", path, "--json").document
    expected = (0, [], plain["books_digest"], plain["digest"], plain["events"]["accepted"])
    assert not killed_in_child(path, state, None, 0)
    assert expected == told(state)
    state.unlink()
    chance, stood = random.Random(seed), list[int]()
    while len(stood) < kills:
        start_up = chance.random() < 0.15
        batches = 0 if start_up else chance.randrange(1, 12)
        if killed_in_child(path, state, batches, chance.uniform(0, 0.5 if start_up else 0.02)):
            stood.append(position(state))
        else:  # it got through: what it has is compared, and another one starts anew, until so many kills have hit
            assert expected == told(state)
            state.unlink()
    assert not killed_in_child(path, state, None, 0)
    assert expected == told(state)
    within = {offset for offset in stood if 0 < offset < path.stat().st_size}
    assert len(within) >= kills // 3, f"too few kills hit a replay that had committed something: {stood}"


def test_a_killed_replay_goes_on_where_it_was_committed(tmp_path: Path) -> None:
    """Fifteen kills: the same digests as without, every fact stored once, and the books verify."""
    check_kills(tmp_path, lines=2_500, kills=15, seed=1)


@pytest.mark.torture
def test_two_hundred_kills(tmp_path: Path) -> None:
    """Two hundred kills at random points of a whole fleet."""
    check_kills(tmp_path, lines=15_000, kills=200, seed=2)
