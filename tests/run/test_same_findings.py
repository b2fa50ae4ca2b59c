"""One history, one policy, one answer: whatever the order, the repeats, the store and the crashes, byte for byte."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import pytest

from monitor.app import daemon, replays, stores, views
from monitor.core.engine import Answer
from monitor.core.findings import Finding
from monitor.core.flags import State
from monitor.settings import Files, Http, Settings
from monitor.simulate.faults import with_faults
from monitor.simulate.scenarios import simulate
from tests.cli.command import fact
from tests.run.test_crash import EAGER, killed_in_child, position
from tests.run.test_daemon import free_port, wait_for
from tests.store.cluster import Cluster, Named

DEVELOPER = "orchid-compute"
WATCHED = {DEVELOPER, *(f"t-000{number}" for number in range(2, 9))}  # everybody in the demo who is flagged in its end
WAIT_SECONDS = 120.0
KILLS = 3


@cache
def fleet() -> tuple[bytes, ...]:
    """The demo without those who are never flagged; two facts of the developer are retracted, and one of a stranger."""
    lines = []
    for line in simulate("demo").events():
        event = json.loads(line)
        data = event["data"]
        if data.get("tenant") in WATCHED or (not data.get("tenant") and "inventory" not in event["type"]):
            lines.append(line)
        elif "inventory" in event["type"] and event["time"].endswith("T00:00:00Z"):
            data["allocations"] = [one for one in data["allocations"] if one["tenant"] in WATCHED]
            lines.append(json.dumps(event).encode() + b"\n")
    starts = [json.loads(line) for line in lines if b"allocation.started" in line and DEVELOPER.encode() in line]
    for number, event in enumerate([starts[10], starts[-10], {**starts[20], "source": "/somebody/else"}]):
        retracted = {"source": event["source"], "id": event["id"]}
        one = fact("fact.retracted", f"r-{number}", starts[-1]["time"], tenant=DEVELOPER, retracts=retracted)
        del one["data"]["allocation"]
        one["source"] = starts[20]["source"]
        lines.insert(len(lines) // 2 + number, json.dumps(one).encode() + b"\n")
    return tuple(lines)


def shuffled(lines: Sequence[bytes]) -> list[bytes]:
    return random.Random(6).sample(lines, len(lines))


ORDERS: dict[str, Callable[[Sequence[bytes]], Iterable[bytes]]] = {
    "again": list,
    "backwards": lambda lines: lines[::-1],
    "shuffled": shuffled,
    "sent twice": lambda lines: with_faults(lines, 7, 0.3, 2_000),
}


def written(path: Path, lines: Iterable[bytes]) -> Path:
    path.write_bytes(b"".join(lines))
    return path


def canonical(findings: Iterable[Finding]) -> bytes:
    """Every field of findings, as bytes that are equal only if they are."""
    documents = [{**one._asdict(), "amount": one.amount._asdict()} for one in findings]
    lines = sorted(json.dumps(one, sort_keys=True, separators=(",", ":"), ensure_ascii=False) for one in documents)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def standing(answer: Answer) -> list[Finding]:
    tenants = [finding for one in answer.tenants for finding in one.findings]
    return tenants + [finding for one in answer.groups for finding in one.findings]


def replayed(path: Path) -> Answer:
    return replays.replay(Settings(), [str(path)], None, None, None, lambda done, total: None).answer


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """What a replay of the history in its own order says."""
    return replayed(written(tmp_path_factory.mktemp("plain") / "events.jsonl", fleet()))


def test_there_is_something_to_compare(expected: Answer) -> None:
    """Tenants, runs, clusters and a group are flagged, and every field is in the bytes that are compared."""
    found = standing(expected)
    assert len({one.rule for one in found}) >= 10
    assert {True, False} == {bool(one.members) for one in found} == {bool(one.part) for one in found}
    assert set(Finding._fields) == set(json.loads(canonical(found[:1])))
    assert canonical(found) == canonical(found[::-1])
    assert canonical(found) != canonical([found[0]._replace(raised_at=0), *found[1:]])


@pytest.mark.parametrize("order", ORDERS)
def test_another_order_is_the_same_answer(order: str, expected: Answer, tmp_path: Path) -> None:
    """A second replay, and one of the same facts in any order, however often each came, find the same bytes."""
    answer = replayed(written(tmp_path / "events.jsonl", ORDERS[order](fleet())))

    assert canonical(standing(expected)) == canonical(standing(answer))
    assert (expected.books_digest, expected.digest) == (answer.books_digest, answer.digest)


@pytest.mark.parametrize("order", ["again", "sent twice"])
def test_a_replay_that_is_killed_and_resumed_is_the_same_answer(order: str, expected: Answer, tmp_path: Path) -> None:
    """kill -9 at several points of a replay into SQLite: facts, books and flags give the findings of plain replay."""
    path, state = written(tmp_path / "events.jsonl", ORDERS[order](fleet())), tmp_path / "books.db"
    chance, stood = random.Random(8), set[int]()
    while len(stood) < KILLS:
        assert killed_in_child(path, state, chance.randrange(2, 10), chance.uniform(0, 0.02)), "it ended too soon"
        stood.add(position(state))
    assert not killed_in_child(path, state, None, 0)

    check_store(f"sqlite:///{state}", expected)
    with stores.opened_store(f"sqlite:///{state}", create=False) as store:
        told = [flag.finding for flag in store.flags() if flag.state is State.OPEN]
    of_replay = [one._replace(segments=()) for one in standing(expected)]  # a store does not keep these
    assert canonical(of_replay) == canonical(told)
    assert max(stood) < path.stat().st_size


def check_store(url: str, expected: Answer) -> None:
    """What a store counts again from its facts, and what its books say, is what plain replay says."""
    verified = views.verify_store(Settings(store_url=url), None, expected.as_of)
    assert [] == verified.problems
    assert canonical(standing(expected)) == canonical(standing(verified.answer))
    assert expected.digest == verified.answer.digest


def daemon_in_child(settings: Settings) -> int:
    """The daemon in a child process: its number."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            daemon.run_daemon(settings)
            code = 0
        finally:
            os._exit(code)
    return child


def read_by(url: str) -> int:
    """How many bytes of the file are committed."""
    return max((one.next_offset for one in views.stored_positions(Settings(store_url=url), None).values()), default=0)


def test_a_daemon_that_is_killed_and_started_again_is_the_same_answer(
    postgres: Cluster | Named, tmp_path: Path
) -> None:
    """kill -9 at several points of a daemon that reads into PostgreSQL: its facts and books give the same findings."""
    lines = [line for line in fleet() if DEVELOPER.encode() not in line]  # a daemon evaluates all the while
    expected = replayed(written(tmp_path / "plain.jsonl", lines))
    url, path = postgres.new_database(), written(tmp_path / "events.jsonl", ORDERS["sent twice"](lines))
    with stores.opened_store(url):
        pass
    size, stood = path.stat().st_size, list[int]()
    settings = EAGER.model_copy(
        update={
            "batch_records_max": 20,
            "store_url": url,
            "files": Files(paths=(str(path),)),
            "http": Http(port=free_port()),
        }
    )
    for number in range(1, KILLS + 1):
        child = daemon_in_child(settings)
        wait_for(lambda mark=size * number // (KILLS + 2): read_by(url) > mark, WAIT_SECONDS)  # type: ignore[misc]
        time.sleep(random.Random(number).uniform(0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        stood.append(read_by(url))
    child = daemon_in_child(settings)
    wait_for(lambda: read_by(url) == size, WAIT_SECONDS)
    # By the wall clock all that is held has grown for months: whom that flags is evaluated in a round of its own.
    wait_for(lambda: [] == views.verify_store(Settings(store_url=url), None, None).problems, WAIT_SECONDS)
    os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)

    assert 0 == os.waitstatus_to_exitcode(status)
    check_store(url, expected)
    assert sorted(stood) == stood
    assert 0 < stood[0] < size
