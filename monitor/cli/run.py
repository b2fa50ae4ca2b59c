"""`flopwatch run`: the daemon."""

from __future__ import annotations

from pathlib import Path

import click

from monitor import app
from monitor.cli.options import config_option
from monitor.settings import load_settings


@click.command()
@config_option
def run(config: Path | None) -> None:
    """Follow the sources of the settings, keep the books, raise flags, serve metrics and health until SIGTERM."""
    app.run_daemon(load_settings(config))
