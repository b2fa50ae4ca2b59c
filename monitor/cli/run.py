"""`flopwatch run`: the daemon, the console, both, or the translator."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.app import console, daemon
from monitor.cli.options import config_option
from monitor.settings import load_settings


@click.command()
@click.option(
    "--role",
    type=click.Choice(["worker", "web", "all", "intake"]),
    default="worker",
    show_default=True,
    help="worker keeps the books; web serves the console from the same store; all is both in one process; intake "
    "translates foreign records from topics or files.",
)
@config_option
def run(role: str, config: Path | None) -> None:
    """Keep the books of what the settings name, raise flags, serve metrics and health until SIGTERM; or the console."""
    settings = load_settings(config)
    if role == "web":
        console.run_console(settings)
    elif role == "intake":
        daemon.run_translator(settings)
    else:
        daemon.run_daemon(settings, console=role == "all")
