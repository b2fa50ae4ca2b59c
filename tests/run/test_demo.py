"""`flopwatch demo`: what a newcomer sees first, played to its end without pauses."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import httpx
import pytest

from monitor.app import staging
from monitor.cli.demo import DAYS_A_SECOND, farewell, invitation, sentence
from monitor.core.bounds import Bounds
from monitor.core.findings import Finding
from monitor.core.flags import Change, Entry, Flag, State
from monitor.core.model import DAY_MS
from monitor.core.policy import Level
from monitor.simulate.scenarios import START, simulate
from tests.cli.command import flopwatch


@pytest.fixture(autouse=True)
def demo_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo leaves its store for whoever wants to look: here, with the test's other files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_headless_demo_prints_what_a_replay_of_it_prints(demo_folder: Path) -> None:
    """Played a day at a time into a store, the demo gives the answer of one replay, and its store verifies."""
    ran = flopwatch("demo", "--headless", "--json")

    simulation = simulate("demo")
    events = demo_folder / "events.jsonl"
    events.write_bytes(b"".join(simulation.events()))
    again = flopwatch("replay", events, "--json")
    assert (0, "") == (ran.code, ran.err)
    assert again.document == ran.document
    (store,) = demo_folder.glob("flopwatch-demo-*/demo.db")
    flags = {flag["flag"]: flag for flag in flopwatch("flags", "--state", store, "--json").document}
    assert {one["flag"] for tenant in ran.document["tenants"] for one in tenant["flags"]} <= set(flags)
    assert "orchid-compute" in {flag.get("tenant") for flag in flags.values() if flag["level"] == "critical"}


def test_first_flag_within_twenty_seconds() -> None:
    """At the pace of a viewer the first flag is told within 20 seconds, and it is about the run of concern."""
    with staging.demo_stage() as (stage, _):
        moments = staging.demo(stage, 1, None)
        first = next(moment for moment in moments if any(change.entry.act for change in moment.changes))

    assert (first.now - START) / DAY_MS / DAYS_A_SECOND <= 20
    assert {"orchid-compute"} <= {change.flag.tenant for change in first.changes}


def test_the_console_opens_on_the_most_serious_case() -> None:
    """Both who are invited can sign in where the invitation says, and see the case of the run of concern."""
    with staging.demo_stage() as (stage, path):
        for moment in staging.demo(stage, 1, None):
            if any(change.flag.level is Level.CRITICAL for change in moment.changes):
                break
        with staging.demo_console(stage, path) as console:
            base, _, page = console.address.rpartition("/cases/")
            for name, password in console.passwords.items():
                with httpx.Client(base_url=base, headers={"Origin": base, "Sec-Fetch-Site": "same-origin"}) as browser:
                    form = {"name": name, "password": password, "next": f"/cases/{page}"}
                    case = browser.post("/sign-in", data=form, follow_redirects=True)
                assert 200 == case.status_code
                assert "orchid-compute" in case.text
                assert "takes two people" in case.text
            text = invitation(console)

    assert ["reviewer", "senior-reviewer"] == list(console.passwords)
    assert all(word in text for word in [console.address, *console.passwords, *console.passwords.values()])


def test_same_seed_same_play() -> None:
    """A seed plays the same fleet every time, another seed another one."""
    plays = []
    for seed in (3, 3, 4):
        with staging.demo_stage() as (stage, _):
            for _ in itertools.islice(staging.demo(stage, seed, None), 3):
                pass
            answer, events = staging.demo_answer(stage)
            plays.append((answer.digest, tuple(events.values())))

    assert plays[0] == plays[1] != plays[2]


def test_farewell_says_where_to_look(tmp_path: Path) -> None:
    """The last words give the number of events read, and commands that can be pasted as they are."""
    words = farewell(tmp_path / "demo.db", 30, 41_530, ".venv/bin/flopwatch")
    assert "41,530 events of 30 tenants" in words
    assert f"  .venv/bin/flopwatch flags --state {tmp_path / 'demo.db'}\n" in words


@pytest.mark.parametrize(
    ("act", "reason", "told"),
    [
        ("raised", "It is much.", "It is much. Nobody knows who it is."),
        ("withdrawn", "It is no longer there.", "It is no longer there."),
        ("paged", "It is soon.", "It is soon."),
    ],
)
def test_a_line_says_why(act: str, reason: str, told: str) -> None:
    """What stands with all its reasons; of what no longer does, that it does not, and of what is urgent, why."""
    numbers = Bounds(1, 2, 3, 4)
    finding = Finding(
        "p", 1, "internal", "r", "t", Level.WATCH, "model_flop", numbers, 3, 0,
        ("It is much.", "Nobody knows who it is."), (),
    )  # fmt: skip
    flag = Flag("F-1", "r", "t", State.OPEN, Level.WATCH, 0, 0, None, finding)
    line = sentence(Change(flag, Entry("F-1", 0, act, Level.WATCH, reason)))

    assert line.endswith(f"t ({act}, r): {told}")
