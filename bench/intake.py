#!/usr/bin/env python3
"""How fast foreign records are translated, on one core: `bench/intake.py [--records 4000] [--repeat 5]`.

The built samples of each dialect (`tests/intake/samples/`) again and again, from bytes to the lines that a translator
sends, against the same number of canonical events from bytes to observations, in turns in one process. A record is what
the source calls one: an entry, a row, a pod of a list. What counts is the ratio of the medians; the bar is a fifth.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from monitor.core.model import Record
from monitor.intake.decode import Rules, decode
from monitor.intake.dialect import Options, line
from monitor.intake.refusal import Ignored, Refusal
from monitor.intake.translate import CANONICAL, DIALECTS, Translate
from monitor.simulate.scenarios import simulate

SAMPLES = Path(__file__).resolve().parents[1] / "tests" / "intake" / "samples"
OPTIONS = Options("/bench", received="2026-03-01T00:00:00Z")
BAR = 0.2


def translated(translate: Translate, raws: Sequence[bytes]) -> int:
    """Translate all and write the events as lines; the number of foreign records in them."""
    count = 0
    for raw in raws:
        for one in translate(raw, OPTIONS):
            count += 1
            if not isinstance(one.outcome, Ignored | Refusal):
                for event in one.outcome:
                    line(event)
    return count


def many(translate: Translate, raws: Sequence[bytes], records: int) -> list[bytes]:
    """These over and over, until they hold so many records at least."""
    return list(raws) * -(-records // translated(translate, raws))


def timed(work: Callable[[], int]) -> float:
    """Records a second of processor time, so that others on the machine count little."""
    began = time.process_time()
    count = work()
    return count / (time.process_time() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=4_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    events = [raw for raw, _ in zip(simulate("fleet").events(), range(options.records), strict=False)]
    batch = [Record("events", 0, number, number + 1, raw, None) for number, raw in enumerate(events)]
    works: dict[str, Callable[[], int]] = {CANONICAL: lambda: len(decode(batch, Rules()).observations)}
    for name, dialect in DIALECTS.items():
        if name != CANONICAL:
            files = [file.read_bytes() for file in sorted((SAMPLES / name).iterdir())]
            raws = many(dialect.translate, files, options.records)
            works[name] = lambda translate=dialect.translate, raws=raws: translated(translate, raws)  # type: ignore[misc]
    speeds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(options.repeat):
        for name, work in works.items():
            speeds[name].append(timed(work))
    base = statistics.median(speeds[CANONICAL])
    print(f"Python {platform.python_version()} on {platform.machine()}, {options.records:,} records at least of each")
    for name, found in speeds.items():
        median = statistics.median(found)
        verdict = "" if name == CANONICAL else f"  {median / base:5.2f} of canonical (bar {BAR:g})"
        print(f"  {name:<12}{median:>10,.0f} records/s{verdict}")


if __name__ == "__main__":
    main()
