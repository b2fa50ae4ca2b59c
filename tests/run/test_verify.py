"""`flopwatch verify`: the stored books against their own facts, and what happens when somebody changes either."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from monitor.simulate.scenarios import simulate
from tests.cli.command import flopwatch


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first week and more of a fleet, by which time somebody is flagged."""
    path = tmp_path_factory.mktemp("fleet") / "events.jsonl"
    path.write_bytes(b"".join(line for line, _ in zip(simulate("fleet").events(), range(6_000), strict=False)))
    return path


@pytest.fixture(scope="module")
def replayed(fleet: Path) -> Path:
    """A store with the fleet in it, which nobody changes."""
    state = fleet.with_name("books.db")
    assert 0 == flopwatch("replay", fleet, "--state", state).code
    return state


@pytest.fixture
def state(replayed: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(replayed, tmp_path))


def changed(state: Path, statement: str) -> None:
    """Do to the database what no command would."""
    with closing(sqlite3.connect(state)) as database, database:
        assert database.execute(statement).rowcount > 0


def test_untouched_store_agrees(fleet: Path, state: Path) -> None:
    """Books that nobody touched verify, at the end and at an earlier instant, with the digests of a replay."""
    times = [json.loads(line)["time"] for line in fleet.read_bytes().splitlines()]

    for options in ((), ("--as-of", times[3_000])):
        verified = flopwatch("verify", "--state", state, "--json", *options)
        again = flopwatch("replay", fleet, "--json", *options)

        assert (0, [], "") == (verified.code, verified.document["problems"], verified.err)
        for name in ("as_of", "books_digest", "digest"):
            assert again.document[name] == verified.document[name]


def test_changed_usage_is_seen(state: Path) -> None:
    """One unit too much in each row of the books is bad news that names the tenants and both numbers."""
    changed(state, "update usage set area = cast(cast(area as integer) + 1 as text) where cast(area as integer) > 0")

    ran = flopwatch("verify", "--state", state)

    problems = [line for line in ran.out.splitlines() if line.startswith("Tenant ")]
    assert 1 == ran.code
    assert problems
    assert all("the books say" in problem and "the facts give" in problem for problem in problems)


def test_changed_pieces_are_seen(state: Path) -> None:
    """A piece that is longer than its facts say is bad news that names the tenant and an allocation."""
    changed(
        state, "update pieces set end_time = end_time + 1 where allocation_id = (select min(allocation_id) from pieces)"
    )

    ran = flopwatch("verify", "--state", state, "--json")

    (problem,) = ran.document["problems"]
    assert 1 == ran.code
    assert re.fullmatch(r"Tenant \S+: what allocation \S+ held, or measured, is not what the facts give\.", problem)


def test_missing_flag_is_seen(state: Path) -> None:
    """A flag that was made to vanish while its finding stands is bad news that names the rule and the tenant."""
    flag = flopwatch("flags", "--state", state, "--json").document[0]
    changed(state, f"delete from flags where id = '{flag['flag']}'")

    ran = flopwatch("verify", "--state", state, "--json")

    sentence = f"Finding {flag['rule']} of tenant {flag['tenant']} stands, but there is no flag {flag['flag']}."
    assert (1, [sentence]) == (ran.code, ran.document["problems"])


def test_closed_flag_is_no_contradiction(state: Path) -> None:
    """Two people may close a flag while its finding stands: the history keeps the reason, and the store verifies."""
    flag = flopwatch("flags", "--state", state, "--json").document[0]["flag"]
    case = next(
        one["case"]
        for one in flopwatch("cases", "--state", state, "--json").document
        if flag
        in {of["flag"] for of in flopwatch("cases", "show", one["case"], "--state", state, "--json").document["flags"]}
    )
    reason = "Known customer, contract 17 covers it."
    cited = ("--outcome", "explained", "--policy", "internal-ladder@1", "--rule", "ladder.1e23.of_concern")

    alone = flopwatch("flags", "close", flag, "--reason", reason, "--state", state)
    for words in (
        ("claim", case, "--by", "ana"),
        ("decide", case, "--by", "ana", "--reason", reason, *cited),
        ("approve", case, "--by", "bo"),
    ):
        assert 0 == flopwatch("cases", *words, "--state", state).code
    again = flopwatch("flags", "close", flag, "--reason", reason, "--state", state)

    history = flopwatch("explain", flag, "--state", state, "--json").document["history"]
    assert [2, 2] == [alone.code, again.code]
    assert case in alone.err
    assert flag in again.err
    assert reason == history[-1]["reason"]
    assert flag not in {one["flag"] for one in flopwatch("flags", "--state", state, "--json").document}
    assert 0 == flopwatch("verify", "--state", state).code
