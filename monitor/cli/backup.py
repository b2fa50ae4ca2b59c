"""`flopwatch migrate`, `backup` and `restore`: the store as a whole."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.app import keeping
from monitor.cli import show
from monitor.cli.options import config_option, json_option, state_option
from monitor.cli.progress import ProgressBar
from monitor.settings import load_settings
from monitor.store import Backup


@click.command()
@state_option
@json_option
@config_option
def migrate(state: Path | None, as_json: bool, config: Path | None) -> None:
    """Bring the tables of the store up to date, or make them; running workers go on meanwhile."""
    before, after = keeping.migrate_store(load_settings(config), state)
    if as_json:
        show.document({"before": before, "after": after})
    elif before == after:
        click.echo(f"The store is up to date: its tables stand at {after}.")
    else:
        was = "there were none" if before is None else f"they stood at {before}"
        click.echo(f"The tables of the store stand at {after} now; before, {was}.")


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The new file that holds it then."
)
@state_option
@json_option
@config_option
def backup(out: Path, state: Path | None, as_json: bool, config: Path | None) -> None:
    """Copy the store as it is at one moment into a file, while it is in use. The file is as secret as the store."""
    with ProgressBar("Copying", quiet=as_json) as progress:
        made = keeping.back_up(load_settings(config), state, out, progress)
    _say(made, "is a backup of the store", as_json)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--by", "person", required=True, help="Who does this; it goes into the audit.")
@click.option("--reason", required=True, help="Why; it goes into the audit.")
@state_option
@json_option
@config_option
def restore(file: Path, person: str, reason: str, state: Path | None, as_json: bool, config: Path | None) -> None:
    """Make a new store of a backup. Reading goes on where the backup stood, so what came since is read again."""
    found = keeping.restore(load_settings(config), state, file, person, reason)
    _say(found, "is the store now", as_json)
    if not as_json:
        click.echo(
            "Now: `flopwatch verify` and `flopwatch audit verify`, then start the workers. Checkpoints of the audit "
            "that are newer than the backup no longer agree: keep their file under another name. The page "
            "deploy/operations/backup.md has the rest."
        )


def _say(one: Backup, what: str, as_json: bool) -> None:
    if as_json:
        show.document({**one._asdict(), "file": str(one.file)})
    else:
        click.echo(f"{one.file} {what}: {one.bytes:,} bytes, tables at {one.revision}.\nsha256 {one.sha256}")
