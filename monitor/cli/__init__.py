"""The commands: they print, they never compute. One module a group of commands."""

from __future__ import annotations

import os
import sys

import click

from monitor.cli.audit import audit
from monitor.cli.backtest import backtest
from monitor.cli.backup import backup, migrate, restore
from monitor.cli.cases import cases
from monitor.cli.check import check
from monitor.cli.dead_letters import dead_letters
from monitor.cli.demo import demo
from monitor.cli.estimate import estimate
from monitor.cli.evidence import evidence
from monitor.cli.explain import explain
from monitor.cli.export import export
from monitor.cli.exports import exports
from monitor.cli.flags import flags
from monitor.cli.hits import hits
from monitor.cli.lists import lists
from monitor.cli.notices import notices
from monitor.cli.policies import policies
from monitor.cli.positions import positions
from monitor.cli.profiles import profiles
from monitor.cli.replay import replay
from monitor.cli.retention import erase, retention
from monitor.cli.run import run
from monitor.cli.runs import runs
from monitor.cli.simulate import simulate
from monitor.cli.tenants import tenants
from monitor.cli.users import tokens, users
from monitor.cli.verify import verify
from monitor.errors import MonitorError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="flopwatch")
def flopwatch() -> None:
    """What is being trained on your accelerators, by whom, and how sure that is."""


for command in (
    audit,
    backtest,
    backup,
    cases,
    check,
    dead_letters,
    demo,
    erase,
    estimate,
    evidence,
    explain,
    export,
    exports,
    flags,
    hits,
    lists,
    migrate,
    policies,
    notices,
    positions,
    profiles,
    replay,
    restore,
    retention,
    run,
    runs,
    simulate,
    tenants,
    tokens,
    users,
    verify,
):
    flopwatch.add_command(command)


def main() -> None:
    """Run one command. Exit 0: done; 1: the answer is bad news; 2: wrong usage or configuration."""
    try:
        # Where click does not end the process itself, it returns the exit code that a command left with.
        sys.exit(flopwatch(prog_name="flopwatch", standalone_mode=False) or 0)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(2)
    except click.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except MonitorError as problem:
        click.echo(f"flopwatch: {problem}", err=True)
        sys.exit(2)
    except BrokenPipeError:  # the reader of our output has gone; nothing is left to say
        _drop_output()
        sys.exit(0)
    except OSError as problem:  # files and stores have sentences of their own: what is left is our output
        click.echo(
            f"flopwatch: The output cannot be written: {(problem.strerror or 'no reason given').lower()}.", err=True
        )
        _drop_output()
        sys.exit(2)


def _drop_output() -> None:
    """Let what was not written yet go nowhere, or Python would complain about it at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
