#!/usr/bin/env python3
"""How fast a year of a fleet is played again under another policy, against a plain replay of the same file.

    bench/backtest.py [--days 365] [--tenants 160] [--repeat 3]

The fleet: one tenant in forty holds thousands of accelerators (the large runs of the scenario `demo`), the others are
ordinary; no inventory reports, which would be most of the events and of the work of both. Both read the same file with
the policies of `config/policies`, the backtest with the ladder at three times its figures beside them; in turns, in one
process each, on one core. What counts is the ratio of the medians.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from monitor.app import backtests, replays, stores
from monitor.core.model import DAY_MS
from monitor.reference.root import config_root
from monitor.settings import load_settings
from monitor.simulate import ordinary, training
from monitor.simulate.fleet import Fleet
from monitor.simulate.scenarios import START

BAR = 1 / 3
LARGE_ONE_IN = 40


def main() -> None:
    """Run both in turns and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--tenants", type=int, default=160)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--part", choices=tuple(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(PARTS[options.part](options.folder)))
        return
    with tempfile.TemporaryDirectory(prefix="flopwatch-bench-") as folder:
        compare(Path(folder), options)


def compare(folder: Path, options: argparse.Namespace) -> None:
    """Time both."""
    lines = 0
    with events(folder).open("wb") as file:
        for line in fleet(options.days, options.tenants).lines():
            file.write(line)
            lines += 1
    policy(folder).write_text(another_ladder(), "utf-8")
    print(f"Python {platform.python_version()} on {platform.machine()}, {date.today()}")
    print(f"{lines:,} events of {options.tenants} tenants in {options.days} days")
    seconds: dict[str, list[float]] = {part: [] for part in PARTS}
    for _ in range(options.repeat):
        for part, runs in seconds.items():
            command = [sys.executable, __file__, "--part", part, "--folder", str(folder)]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            runs.append(float(json.loads(printed.splitlines()[-1])["seconds"]))
    plain, again = (statistics.median(seconds[part]) for part in PARTS)
    print(f"  plain replay {lines / plain:>10,.0f} events/s  {plain:8.1f} s")
    print(f"  backtest     {lines / again:>10,.0f} events/s  {again:8.1f} s, {plain / again:.2f} of it (bar {BAR:.2f})")


def fleet(days: int, tenants: int) -> Fleet:
    """A year, or less, of a fleet most of whose tenants are ordinary."""
    made = Fleet(f"backtest/{tenants}", START, START + days * DAY_MS, False)
    large = max(1, tenants // LARGE_ONE_IN)
    training.frontier(made)
    for number in range(large - 1):
        training.large_honest(made, number)
    for number in range(tenants - large):
        (ordinary.quiet, ordinary.quiet, ordinary.inference, ordinary.batch)[number % 4](made, number)
    return made


def another_ladder() -> str:
    """The operator's ladder as it is, as another policy with higher figures."""
    text = (config_root() / "policies" / "internal-ladder.yaml").read_text("utf-8")
    return text.replace("\nversion: 1\n", "\nversion: 2\n").replace('threshold: "1e', 'threshold: "3e')


def events(folder: Path) -> Path:
    """The file that both read."""
    return folder / "events.jsonl"


def policy(folder: Path) -> Path:
    """The policy that is tried."""
    return folder / "ladder.yaml"


def replay(folder: Path) -> dict[str, float]:
    """Everything but start-up of the interpreter."""
    stores.tune_collector()
    start = time.process_time()
    replays.replay(load_settings(None), [str(events(folder))], None, None, None, lambda done, total: None)
    return {"seconds": time.process_time() - start}


def backtest(folder: Path) -> dict[str, float]:
    """The same."""
    start = time.process_time()
    asked = backtests.Asked(str(policy(folder)))
    backtests.backtest(load_settings(None), asked, [str(events(folder))], None, lambda done, total: None)
    return {"seconds": time.process_time() - start}


PARTS = {"replay": replay, "backtest": backtest}


if __name__ == "__main__":
    main()
