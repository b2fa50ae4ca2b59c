"""`flopwatch positions`: how far each topic has been read, and stops that a person must answer."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.app import decisions, views
from monitor.cli import show
from monitor.cli.options import config_option, json_option, state_option
from monitor.cli.progress import ProgressBar
from monitor.settings import load_settings


@click.group()
def positions() -> None:
    """Positions in the topics; stops that a person must answer."""


@positions.command("show")
@state_option
@json_option
@config_option
def show_positions(state: Path | None, as_json: bool, config: Path | None) -> None:
    """How far each topic has been read into the books."""
    stored = views.stored_positions(load_settings(config), state)
    if as_json:
        show.document(
            [
                {
                    "topic": topic,
                    "partition": partition,
                    "next_offset": position.next_offset,
                    "commits": position.sequence,
                    "clock": None if position.clock < 0 else show.instant(position.clock),
                }
                for (topic, partition), position in sorted(stored.items())
            ]
        )
        return
    rows = [
        (
            topic,
            str(partition),
            str(position.next_offset),
            "-" if position.clock < 0 else show.instant(position.clock),
        )
        for (topic, partition), position in sorted(stored.items())
    ]
    click.echo(show.table(("topic", "partition", "next offset", "clock"), rows) if rows else "Nothing was read yet.")


@positions.command()
@click.argument("topic")
@click.option("--partition", type=int, help="Only this partition of it.")
@click.option("--reason", required=True, help="Why it is right to go on; kept in the journal.")
@state_option
@config_option
def accept(topic: str, partition: int | None, reason: str, state: Path | None, config: Path | None) -> None:
    """Let the next run go past a stop of TOPIC: too many unreadable records, or records that are gone."""
    if not reason.strip():
        raise click.UsageError("Going past a stop needs a reason; --reason is empty.")
    decisions.accept_position(load_settings(config), state, topic, partition, reason.strip())
    click.echo(f"The next run goes past the stop of {show.plain(topic)}.")


@positions.command()
@click.option("--partitions", type=click.IntRange(1, 100_000), required=True, help="How many the topic has now.")
@state_option
@json_option
@config_option
def repartition(partitions: int, state: Path | None, as_json: bool, config: Path | None) -> None:
    """Move tenants after partitions were added to the tenant topic; stop all workers before.

    Every tenant's facts are taken in again by the books of the partition to which producers now send them. Until the
    last step nothing changes, and a worker that still runs cannot commit any more.
    """
    with ProgressBar("Moving", quiet=as_json) as bar:
        done = decisions.repartition_books(load_settings(config), state, partitions, bar)
    if as_json:
        show.document(done._asdict())
        return
    click.echo(
        f"The books of {done.before} partitions are those of {done.partitions} now; {done.moved:,} of "
        f"{done.tenants:,} tenants moved. Start the workers."
    )
