"""Fit the priors to the published runs, write them, and judge them on families that the fit has not seen.

Run it with `make accuracy`. It prints the tables of README.md, and writes `config/priors.yaml`, results.json and
scatter.svg.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.accuracy import judge
from bench.accuracy.beta import Beta
from bench.accuracy.fit import CHOSEN, FIRST, GROUPS, METERED, Choices, Shares, shares_of, write_priors
from bench.accuracy.judge import Predicted, Scores, intervals, left_out, scores
from bench.accuracy.runs import read_runs
from monitor.draw.scatter import scatter_picture
from monitor.reference.catalogue import load_catalogue
from monitor.reference.priors import load_priors
from monitor.reference.root import config_root

VERSION = "2026-11-26"
RESULTS = Path(__file__).with_name("results.json")
SCATTER = Path(__file__).with_name("scatter.svg")
FLOPWATCH, POINT, PAPER, BETA = "flopwatch", "fixed 0.30", "fixed 0.40", "Beta(5, 12)"
HEAD = ("", "runs", "median error", "90th percentile", "coverage", "width", "interval score", "Brier score")


def fixed(share: float) -> Shares:
    """One share as all three quantiles."""
    return Shares(*(round(share * 10**6),) * 3)


def main() -> None:
    """Fit, write, judge, print."""
    root = config_root()
    catalogue = load_catalogue(root)
    runs = read_runs(catalogue)
    write_priors(root / "priors.yaml", runs, VERSION)
    base = load_priors(root)

    methods = {
        FLOPWATCH: judge.flopwatch(catalogue, base),
        POINT: judge.constant(catalogue, base, fixed(0.30)),
        PAPER: judge.constant(catalogue, base, fixed(0.40)),
        BETA: judge.constant(catalogue, base, shares_of(Beta(5, 12))),
    }
    predicted = {name: left_out(runs, predict) for name, predict in methods.items()}
    ours = predicted[FLOPWATCH]
    earlier = judge.with_an_earlier_run(runs, catalogue, base)
    known = {one.run.name for one in earlier}
    metered = [one for one in ours if one.run.hours_quality == METERED]
    grouped = {generation for part in GROUPS.values() for generation in part}
    tables: dict[str, dict[str, Sequence[Predicted]]] = {
        "Methods": predicted,
        "Parts": {
            **{name: [one for one in ours if one.run.generation in part] for name, part in GROUPS.items()},
            "without data (Trainium1)": [one for one in ours if one.run.generation not in grouped],
            "metered hours (A)": metered,
            "rounded or derived hours (B, C)": [one for one in ours if one.run.hours_quality != METERED],
            "fixed 0.30 on metered hours": [one for one in predicted[POINT] if one.run.hours_quality == METERED],
            "1e23 FLOP and more": [one for one in ours if one.run.flop >= 10**23],
        },
        "Earlier run": {
            "one earlier run known": earlier,
            "the same runs, none known": [one for one in ours if one.run.name in known],
        },
        "Other choices": {
            "format not seen, as in the daemon": left_out(runs, judge.flopwatch(catalogue, base, format_is_seen=False)),
            "developers left out, not families": left_out(runs, methods[FLOPWATCH], "developer"),
            "as first named (decision 29)": left_out(runs, judge.flopwatch(catalogue, base, FIRST)),
            **{told: left_out(runs, judge.flopwatch(catalogue, base, choices)) for told, choices in _varied()},
        },
    }
    results = {title: {name: scores(one) for name, one in rows.items()} for title, rows in tables.items()}
    spread = {name: intervals(one) for name, one in predicted.items()}
    bars = list(_bars(results["Methods"], scores(metered), scores(earlier)))
    shown = {title: markdown(HEAD, map(_row, rows, rows.values())) for title, rows in results.items()}
    shown["Intervals"] = markdown(HEAD[:1] + HEAD[2:], (_spread(name, *one) for name, one in spread.items()))
    shown["Bars"] = markdown(("", "measured", "bar", ""), bars)
    for title, table in shown.items():
        print(f"\n{title}\n\n{table}")
    points = judge.points(runs, catalogue, base)
    title = "Published runs, estimated without their family"
    SCATTER.write_text(scatter_picture(title, points), encoding="utf-8")
    document = {
        "version": VERSION,
        "bars": bars,
        "tables": {title: {name: _rounded(one) for name, one in rows.items()} for title, rows in results.items()},
        "intervals": {name: [_rounded(low), _rounded(high)] for name, (low, high) in spread.items()},
        "points": [point._asdict() for point in points],
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _varied() -> Iterable[tuple[str, Choices]]:
    for votes in (1.0, 4.0, 8.0):
        yield f"others share {votes:g} votes, not {CHOSEN.others_votes:g}", CHOSEN._replace(others_votes=votes)
    for weight in (0.25, 1.0):
        yield f"rounded hours weigh {weight:g}, not {CHOSEN.rounded_hours:g}", CHOSEN._replace(rounded_hours=weight)
    yield "each family one vote", CHOSEN._replace(family_power=0.0)
    yield "each run one vote", CHOSEN._replace(family_power=1.0)


def _bars(of: dict[str, Scores], metered: Scores, earlier: Scores) -> Iterable[tuple[str, str, str, str]]:
    """Each bar: what it is about, what was measured, what it asks, and whether it is met."""
    ours, point, paper, beta = of[FLOPWATCH], of[POINT], of[PAPER], of[BETA]

    def bar(about: str, measured: float, most: float, told: str = "") -> tuple[str, str, str, str]:
        return about, f"{measured:.3f}", f"at most {most:.3f}{told}", "met" if measured <= most else "missed"

    yield bar("median factor error", ours.median, point.median, ", that of fixed 0.30")
    yield bar("90th percentile of the factor error", ours.ninetieth, point.ninetieth, ", that of fixed 0.30")
    yield (
        "coverage of low to high",
        f"{ours.coverage:.3f}",
        "at least 0.850",
        "met" if ours.coverage >= 0.85 else "missed",
    )
    yield bar("mean width in the logarithm", ours.width, beta.width, ", that of Beta(5, 12)")
    yield bar("interval score", ours.interval_score, beta.interval_score, ", that of Beta(5, 12)")
    yield bar(
        "interval score", ours.interval_score, min(point.interval_score, paper.interval_score), ", the better point"
    )
    yield bar("metered hours: median", metered.median, 1.25)
    yield bar("metered hours: 90th percentile", metered.ninetieth, 1.75)
    yield bar("one earlier run: median", earlier.median, 1.27)
    yield bar("one earlier run: 90th percentile", earlier.ninetieth, 1.75)
    yield bar("Brier score, 1e22 to 1e24", ours.brier, point.brier, ", that of fixed 0.30")


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _row(name: str, one: Scores) -> list[str]:
    return [
        name,
        str(one.runs),
        f"{one.median:.2f}",
        f"{one.ninetieth:.2f}",
        f"{one.coverage:.0%}",
        f"{one.width:.2f}",
        f"{one.interval_score:.2f}",
        f"{one.brier:.4f}",
    ]


def _spread(name: str, low: Scores, high: Scores) -> list[str]:
    return [name, *(f"{least} to {most}" for least, most in zip(_row("", low)[2:], _row("", high)[2:], strict=True))]


def _rounded(one: Scores) -> dict[str, Any]:
    return {name: round(value, 4) for name, value in one._asdict().items()}


if __name__ == "__main__":
    main()
