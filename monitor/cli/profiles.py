"""`flopwatch profiles`: files of profiles as canonical events."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from monitor.app import feeding
from monitor.cli.options import at_option, config_option
from monitor.settings import load_settings


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, dir_okay=False))
@at_option
@click.option(
    "--source", default="flopwatch/profiles", show_default=True, help="Who says it: the `source` of the events."
)
@click.option("--send", is_flag=True, help="Send the events to the topics of the settings instead of printing them.")
@config_option
def profiles(files: tuple[Path, ...], at: int | None, source: str, send: bool, config: Path | None) -> None:
    """Write what FILEs (CSV or JSON Lines) say of tenants and parties to standard output, one event a line.

    Columns and fields have the names of the fields of profiles. Nothing is written or sent while anything is wrong.
    """
    events = feeding.profiles(files, at, source)
    if send:
        count = feeding.send_profiles(load_settings(config), events)
        click.echo(f"Sent: {count:,} profile{'s' * (count != 1)}.")
        return
    for event in events:
        sys.stdout.buffer.write(event.line)
    sys.stdout.buffer.flush()
