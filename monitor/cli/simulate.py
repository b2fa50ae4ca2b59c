"""`flopwatch simulate`: canonical events of a seeded fleet whose truth is known."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from monitor.cli import show
from monitor.cli.options import json_option
from monitor.errors import MonitorError
from monitor.simulate.scenarios import SCENARIOS
from monitor.simulate.scenarios import simulate as simulated


@click.command()
@click.argument("scenario", required=False)
@click.option("--list", "listed", is_flag=True, help="List the scenarios.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another fleet.")
@click.option("--scale", type=click.IntRange(min=1), default=1, show_default=True, help="How large the fleet is.")
@click.option("--truth", type=click.Path(path_type=Path, dir_okay=False), help="Write what really happened here.")
@json_option
def simulate(scenario: str | None, listed: bool, seed: int, scale: int, truth: Path | None, as_json: bool) -> None:
    """Write the events of SCENARIO to standard output, one a line."""
    if listed:
        _list(as_json)
        return
    if scenario is None or scenario not in SCENARIOS:
        known = ", ".join(sorted(SCENARIOS))
        raise click.UsageError(f"Name a scenario: {known}. `flopwatch simulate --list` says what each is.")
    simulation = simulated(scenario, seed=seed, scale=scale)
    output = sys.stdout.buffer
    for line in simulation.events():
        output.write(line)
    output.flush()
    if truth is not None:
        try:
            truth.write_text(json.dumps(simulation.truth, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as problem:
            raise MonitorError(f"The truth cannot be written to {truth}: {problem.strerror}.") from None


def _list(as_json: bool) -> None:
    if as_json:
        show.document([{"scenario": name, "is": one.description} for name, one in sorted(SCENARIOS.items())])
    else:
        click.echo(show.table(("scenario", "is"), [(name, one.description) for name, one in sorted(SCENARIOS.items())]))
