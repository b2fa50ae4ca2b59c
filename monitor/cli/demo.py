"""`flopwatch demo`: a simulated fleet in one process, for whoever wants to see what this is."""

from __future__ import annotations

import shutil
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event

import click

from monitor.app import staging
from monitor.app.staging import DemoConsole
from monitor.cli import show
from monitor.cli.options import config_option, json_option
from monitor.cli.replay import answer_document, answer_text
from monitor.core.flags import Change
from monitor.core.policy import Level
from monitor.run.demo import Moment
from monitor.settings import load_settings

INTRODUCTION = """\
flopwatch demo: a simulated cloud, {days} days in about {seconds:.0f} seconds.

Thirty tenants share some ten thousand accelerators: small ones, inference services with a daily rhythm, batch jobs,
large honest customers, a company headquartered in a country of concern that starts a large training run, and one run
split over several accounts. Flopwatch sees what a control plane would tell it, keeps exact books of who held what,
estimates the training compute of each tenant, and flags those that a reviewer should look at.
Stop at any time with Ctrl-C.
"""
DAYS = 60
DAYS_A_SECOND = 1.0


@click.command()
@click.option("--headless", is_flag=True, help="Run to the end without pauses, then print the answer.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another fleet.")
@json_option
@config_option
def demo(headless: bool, seed: int, as_json: bool, config: Path | None) -> None:
    """Play a simulated fleet and say who is flagged, and why."""
    load_settings(config)
    quiet = headless or as_json
    if not quiet:
        click.echo(INTRODUCTION.format(days=DAYS, seconds=DAYS / DAYS_A_SECOND))
    with staging.demo_stage() as (stage, path):
        try:
            for moment in staging.demo(stage, seed, None if quiet else DAYS_A_SECOND):
                if not quiet:
                    _tell(moment)
        except KeyboardInterrupt:
            click.echo("\nStopped before the end; the books are exact up to here.")
        answer, events = staging.demo_answer(stage)
        if not quiet:
            click.echo(farewell(path, len(answer.tenants), events["read"], _this_command()))
        if not quiet and sys.stdout.isatty():
            with staging.demo_console(stage, path) as console:
                click.echo(invitation(console))
                _wait()
    if as_json:
        show.document(answer_document(answer, events))
    elif headless:
        click.echo(answer_text(answer, events))


def _tell(moment: Moment) -> None:
    """A line a flag that changed; on a terminal also the date, in place."""
    told = [change for change in moment.changes if change.entry.act]
    if sys.stdout.isatty():
        click.echo(f"\r{show.instant(moment.now)[:10]}  {moment.events:,} events  ", nl=False)
        if told:
            click.echo("\r" + " " * 40 + "\r", nl=False)
    for change in told:
        click.echo(sentence(change))


def sentence(change: Change) -> str:
    """A change of a flag in a line: what the finding says, or why it no longer stands or has become urgent."""
    flag = change.flag
    colour = {Level.WATCH: "cyan", Level.WARNING: "yellow", Level.CRITICAL: "red"}[flag.level]
    day = show.instant(change.entry.at)[:10]
    head = click.style(f"{flag.level.upper():8}", fg=colour, bold=True)
    why, reasons = change.entry.reason, flag.finding.reasons
    return (
        f"{day}  {head} {flag.tenant} ({change.entry.act}, {flag.rule}): {' '.join(reasons) if why in reasons else why}"
    )


def invitation(console: DemoConsole) -> str:
    """Where the console is, and how to get in."""
    accounts = "\n".join(f"  {name:16} {password}" for name, password in console.passwords.items())
    return (
        f"\nThe console shows the same, opened on the most serious case: {console.address}\n"
        f"Sign in with one of these names; the passwords are not shown again:\n{accounts}\n"
        "To close that case takes both of them. Ctrl-C ends the console."
    )


def _wait() -> None:
    """Until somebody presses Ctrl-C."""
    with suppress(KeyboardInterrupt):
        Event().wait()


def _this_command() -> str:
    """How to call this program again from the same shell: by its name if that is found, else as it was called."""
    return "flopwatch" if shutil.which("flopwatch") else sys.argv[0]


def farewell(path: Path, tenants: int, events: int, command: str) -> str:
    """Where to look once the play is over."""
    return (
        f"\nThat was {events:,} events of {tenants} tenants. The books are in {path}. Where to look next:\n"
        f"  {command} flags --state {path}\n"
        f"  {command} explain orchid-compute --state {path}\n"
        f"  {command} verify --state {path}\n"
        "`verify` counts everything again from the stored facts. The daemon is `flopwatch run`; config/monitor.yaml\n"
        "says what it reads."
    )
