"""kill -9 at random points of a replay into SQLite, resumed each time: nothing is counted twice or lost."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from monitor import app
from monitor.settings import Settings
from monitor.simulate.scenarios import simulate
from tests.cli.command import flopwatch

EAGER = Settings(commit_seconds=0.01, batch_records_max=50)


def replay_once(path: Path, state: Path) -> None:
    app.replay(EAGER, [str(path)], state, None, None, lambda done, total: None)


def in_child(path: Path, state: Path, kill_after: float | None) -> bool:
    """Replay in a child process; whether it was killed before its end."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            replay_once(path, state)
            code = 0
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def check_kills(folder: Path, lines: int, kills: int, seed: int) -> None:
    """Kill a replay so many times at random points, resume it each time, and compare with one that was left alone."""
    path, state = folder / "events.jsonl", folder / "books.db"
    path.write_bytes(b"".join(line for line, _ in zip(simulate("fleet").events(), range(lines), strict=False)))
    begun = time.monotonic()
    in_child(path, folder / "undisturbed.db", None)
    whole = time.monotonic() - begun
    chance, killed = random.Random(seed), 0
    while killed < kills:
        if not in_child(path, state, chance.uniform(0, whole / 2)):
            state.unlink()  # it got through: start anew, until so many kills have hit
        else:
            killed += 1
    in_child(path, state, None)
    answers = []
    for store in (folder / "undisturbed.db", state):
        ran = flopwatch("verify", "--state", store, "--json")
        assert 0 == ran.code, ran.out
        answers.append({name: ran.document[name] for name in ("books_digest", "digest", "problems")})
    plain = json.loads(flopwatch("replay", path, "--json").out)
    assert answers[0] == answers[1]
    assert (plain["books_digest"], plain["digest"]) == (answers[1]["books_digest"], answers[1]["digest"])
    with app.opened_store(f"sqlite:///{state}") as store:
        assert plain["events"]["accepted"] == sum(1 for _ in store.lines())


def test_a_killed_replay_goes_on_where_it_was_committed(tmp_path: Path) -> None:
    """Fifteen kills: the same digests as without, every fact stored once, and the books verify."""
    check_kills(tmp_path, lines=2_500, kills=15, seed=1)


@pytest.mark.torture
def test_two_hundred_kills(tmp_path: Path) -> None:
    """Two hundred kills at random points of a whole fleet."""
    check_kills(tmp_path, lines=15_000, kills=200, seed=2)
