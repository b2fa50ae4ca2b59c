"""`flopwatch backtest --scenarios`: how soon true training is flagged, and who is flagged in vain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from monitor.app import backtests
from monitor.app.backtests import Scenarios
from monitor.cli import show
from monitor.core.policy import LEVELS, Level
from monitor.run.detection import Detected, Detection
from monitor.settings import Settings

HEAD = ("scenario", "run", "FLOP", *LEVELS, "by who it is alone", "why missed")


def show_scenarios(settings: Settings, policy: str | None, as_json: bool) -> None:
    """Play all of them and print what they show."""
    found = backtests.backtest_scenarios(
        settings, policy, lambda name: None if as_json else click.echo(f"Playing {name}", err=True)
    )
    if as_json:
        show.document(as_document(found))
    else:
        click.echo(as_text(found))


def as_document(scenarios: Scenarios) -> dict[str, Any]:
    """What `backtest --scenarios --json` prints."""
    return {
        "title": scenarios.title,
        "scenarios": [
            {
                "scenario": name,
                "runs": [_run(one) for one in found.detected],
                "in_vain": [{**one._asdict(), "level": one.level.value} for one in found.in_vain],
                "innocent_ms": found.innocent_ms,
            }
            for name, found in scenarios.found.items()
        ],
    }


def _run(one: Detected) -> dict[str, Any]:
    return {
        "run": one.programme.name,
        "tenants": sorted(one.programme.tenants),
        "flop": one.programme.flop,
        "flagged": {
            level.value: {"at": show.instant(told.at), "rule": told.rule, "share": one.share(level)}
            for level, told in one.levels.items()
        },
        "by_scope": {
            level.value: {"at": show.instant(told.at), "rule": told.rule} for level, told in one.by_scope.items()
        },
        "why_missed": one.why_missed,
    }


def as_text(scenarios: Scenarios) -> str:
    """The same for people."""
    rows = [_cells(name, one) for name, found in scenarios.found.items() for one in found.detected]
    return "\n".join(
        [
            f"{scenarios.title}. Levels: how much of a run was trained when people were first told.",
            "",
            show.table(HEAD, rows),
            "",
            *_in_vain(scenarios),
        ]
    )


def _cells(name: str, one: Detected) -> tuple[str, ...]:
    shares = [_share(one, level) for level in LEVELS]
    return (
        name,
        one.programme.name,
        show.flop(one.programme.flop),
        *shares,
        max(one.by_scope, key=LEVELS.index, default=""),
        one.why_missed,
    )


def _share(one: Detected, level: Level) -> str:
    share = one.share(level)
    return "" if share is None else f"{share:.1%}"


def _in_vain(scenarios: Scenarios) -> Iterator[str]:
    together = Detection(
        (),
        [one for found in scenarios.found.values() for one in found.in_vain],
        sum(found.innocent_ms for found in scenarios.found.values()),
    )
    for level in LEVELS:
        rate = together.per_thousand_years(level)
        yield f"Flags in vain that came to {level}: {rate:.1f} for 1,000 tenant-years."
