"""How soon evaders are found and how many innocents are named, over five simulated years of two thousand customers.

`python -m bench.detection [--seeds 1,2,3,4,5] [--step-days 1]` plays them on two processes and writes `table.md` and
`results.json` here, with machine, versions and date. The figures of the fleet are in `monitor/simulate/plan.py`.
Nothing is tuned on the seeds 1 to 5: develop on others, and give `--out` to leave the table as it is.
"""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from monitor.app import references, stores
from monitor.core.engine import Reference
from monitor.core.model import DAY_MS
from monitor.core.policy import LEVELS, Level
from monitor.reference.root import config_root
from monitor.run.detection import Detection, detect
from monitor.run.walk import Pace, Step, decoded
from monitor.settings import ScreeningList, load_settings
from monitor.simulate.scenarios import simulate

HERE = Path(__file__).parent
PROCESSES = 2
GROUPS_EVERY = 2  # looks
PATIENCE = 32  # see `Pace.patience`: who holds the same as ever waits, for a week in the end
# The bars of the issue. Shares of the threshold; days before crossing; flags for a thousand years of innocent tenants.
SHARES = {Level.WATCH: 0.10, Level.WARNING: 0.50, Level.CRITICAL: 1.00}
DAYS_BEFORE = {Level.WATCH: None, Level.WARNING: 14, Level.CRITICAL: None}
IN_VAIN = {Level.WARNING: 20, Level.CRITICAL: 1}


def screened() -> Reference:
    """What is shipped, with the synthetic list: two kinds of evaders are about listed parties."""
    one = ScreeningList(name="synthetic", path=config_root() / "lists" / "synthetic" / "csl.csv")
    with TemporaryDirectory() as folder:
        settings = load_settings(None).model_copy(update={"lists": (one,), "lists_state": Path(folder)})
        return references.screened_reference(settings)


def play(seed: int, step_days: int) -> dict[str, Any]:
    """One year under the policies that are shipped, as a document."""
    stores.tune_collector()
    began = time.process_time()
    simulation = simulate("population", seed=seed)
    reference = screened()
    facts = [0]

    def progress(step: Step) -> None:
        facts[0] = step.facts
        day = (step.now - simulation.start) // DAY_MS
        if day % 28 < step_days:
            print(f"seed {seed}: day {day}, {step.facts:,} facts", flush=True)

    pace = Pace(step_ms=step_days * DAY_MS, groups_every=GROUPS_EVERY, patience=PATIENCE)
    found = detect(
        decoded(simulation.events()), stores.working_archive(), reference, pace, lambda: simulation.truth, progress
    )
    seconds = round(time.process_time() - began)
    return {"seed": seed, "facts": facts[0], "cpu_seconds": seconds, **as_document(found)}


def as_document(found: Detection) -> dict[str, Any]:
    """What is kept of a year."""
    return {
        "innocent_years": found.innocent_ms / (365 * DAY_MS),
        "programmes": [
            {
                "name": one.programme.name,
                "kind": one.programme.kind,
                "evidence": one.programme.evidence,
                "why_missed": one.why_missed,
                "levels": {
                    str(level): {
                        "share": one.share(level),
                        "days_before": one.days_before(level),
                        "rule": one.levels[level].rule,
                    }
                    for level in LEVELS
                    if level in one.levels
                },
                "by_scope": {str(level): told.rule for level, told in one.by_scope.items()},
            }
            for one in found.detected
        ],
        "in_vain": [{"rule": one.rule, "who": one.who, "kind": one.kind, "level": one.level} for one in found.in_vain],
    }


def as_markdown(years: Sequence[dict[str, Any]], step_days: int) -> str:
    """The table, against the bars."""
    by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for year in years:
        for one in year["programmes"]:
            by_kind[one["kind"]].append(one)
    innocent = sum(year["innocent_years"] for year in years)
    parts = [
        f"Seeds {', '.join(str(year['seed']) for year in years)}; {sum(year['facts'] for year in years):,} facts; "
        f"looked at every {_days(step_days)}, groups every {_days(step_days * GROUPS_EVERY)}, whoever holds the same "
        f"for long after a {PATIENCE}th of that time, a week at most; "
        f"{sum(year['cpu_seconds'] for year in years):,} CPU seconds. "
        f"{platform.machine()}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}; "
        f"{datetime.now(UTC):%Y-%m-%d}. Each cell: the share of the threshold trained at the first flag, median "
        "and worst, and for how many programmes there was one; for warning also the fewest days before crossing.",
        "",
        "| kind | evidence | watch | warning | critical | bars met |",
        "|---|---|---|---|---|---|",
        *(_row(kind, some) for kind, some in sorted(by_kind.items())),
        "",
        "| innocents | flags in vain | for 1,000 tenant-years | bar | by rule and kind |",
        "|---|---|---|---|---|",
        *_rows_in_vain(years, innocent),
        "",
        "Missed:",
        "",
    ]
    missed = [one for some in by_kind.values() for one in some if one["why_missed"]]
    parts += [
        f"- {one['name']} ({one['evidence'] or 'nothing to be seen'}): {one['why_missed']}" for one in missed
    ] or ["- nobody"]
    return "\n".join(parts) + "\n"


def _days(number: int) -> str:
    return "day" if number == 1 else f"{number} days"


def _row(kind: str, some: Sequence[dict[str, Any]]) -> str:
    cells = [_cell(some, level) for level in LEVELS]
    evidence = some[0]["evidence"]
    met = " / ".join("yes" if _meets(some, level) else "**no**" for level in LEVELS) if evidence else "none apply"
    return f"| {kind} | {evidence or 'none'} | {' | '.join(cells)} | {met} |"


def _cell(some: Sequence[dict[str, Any]], level: Level) -> str:
    given = [one["levels"][level] for one in some if level in one["levels"]]
    if not given:
        return f"0 of {len(some)}"
    shares = [one["share"] for one in given]
    cell = f"{median(shares):.0%}, {max(shares):.0%}; {len(given)} of {len(some)}"
    days = [one["days_before"] for one in given if one["days_before"] is not None]
    return f"{cell}; {min(days):.0f} days" if level is Level.WARNING and days else cell


def _meets(some: Iterable[dict[str, Any]], level: Level) -> bool:
    """Whether all of a kind were told of in time."""
    for one in some:
        given = one["levels"].get(level)
        if given is None or given["share"] >= SHARES[level]:
            return False
        least = DAYS_BEFORE[level]
        if least is not None and (given["days_before"] is None or given["days_before"] < least):
            return False
    return True


def _rows_in_vain(years: Sequence[dict[str, Any]], innocent: float) -> Iterable[str]:
    flags = [one for year in years for one in year["in_vain"]]
    for level in LEVELS:
        some = [one for one in flags if LEVELS.index(Level(one["level"])) >= LEVELS.index(level)]
        what = Counter(f"{one['rule']} of {one['kind']}" for one in some).most_common(8)
        who = len({(one["who"]) for one in some})
        told = ", ".join(f"{name} {number}" for name, number in what)
        bar = IN_VAIN.get(level, "")
        yield f"| {level} | {len(some)} ({who} names) | {len(some) * 1_000 / innocent:.1f} | {bar} | {told} |"


def main() -> None:
    """Play the years and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--step-days", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE)
    asked = parser.parse_args()
    seeds = [int(one) for one in asked.seeds.split(",")]
    with ProcessPoolExecutor(PROCESSES) as pool:
        years = list(pool.map(play, seeds, [asked.step_days] * len(seeds)))
    (asked.out / "results.json").write_text(json.dumps(years, indent=1) + "\n", "utf-8")
    table = as_markdown(years, asked.step_days)
    (asked.out / "table.md").write_text(table, "utf-8")
    print(table)


if __name__ == "__main__":
    main()
