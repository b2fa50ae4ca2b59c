"""`flopwatch retention` and `flopwatch erase`: what may go by its period, and what somebody wants forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from monitor.app import keeping
from monitor.cli import show
from monitor.cli.options import before_option, config_option, json_option, state_option
from monitor.cli.progress import ProgressBar
from monitor.core.personal import PARTY, TENANT
from monitor.core.retention import HOLDINGS, Kind
from monitor.run.retention import Erased, Keeping
from monitor.settings import load_settings

NO_PERIODS = "Nothing has a period, so nothing is removed: `retention` in the settings says how many days what is kept."


@click.group()
def retention() -> None:
    """How long what is kept, and the removal of what is older. Facts, usage and the audit are kept for good."""


@retention.command("show")
@state_option
@json_option
@config_option
def show_retention(state: Path | None, as_json: bool, config: Path | None) -> None:
    """Say of each kind how long it is kept, how much is older, and what of that stays all the same."""
    found = keeping.retention(load_settings(config), state)
    if as_json:
        show.document([_document(one, "may_go") for one in found])
        return
    click.echo(_table(found, "may go"))
    click.echo(
        "\n"
        + "\n".join(
            f"{kind}: {one.holds}, from {one.counted_from} on. Stays: {one.stays}." for kind, one in HOLDINGS.items()
        )
    )
    if all(one.days is None for one in found):
        click.echo(f"\n{NO_PERIODS}")


@retention.command("apply")
@before_option
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in Kind]),
    help="Only these (default: all).",
)
@click.option("--dry-run", "dry", is_flag=True, help="Only say what would go.")
@state_option
@json_option
@config_option
def apply_retention(
    before: int, kinds: tuple[str, ...], dry: bool, state: Path | None, as_json: bool, config: Path | None
) -> None:
    """Remove for good what is from before a time and older than its period; what has none stays."""
    chosen = [Kind(one) for one in kinds] or list(Kind)
    settings = load_settings(config)
    if all(settings.retention.days[kind] is None for kind in chosen):
        raise click.UsageError(NO_PERIODS)
    with ProgressBar("Removing", quiet=as_json) as progress:
        found = keeping.apply_retention(settings, state, before, chosen, dry, progress)
    if as_json:
        show.document([_document(one, "may_go" if dry else "removed") for one in found])
    else:
        click.echo(_table(found, "would go" if dry else "removed"))


@click.command()
@click.argument("text", required=False)
@click.option("--tenant", help="All personal values of this tenant.")
@click.option("--party", help="All personal values of this party.")
@click.option("--reason", required=True, help="Why; kept in the audit, so do not name whom it is about.")
@click.option("--by", "person", required=True, help="Who does this.")
@state_option
@json_option
@config_option
def erase(
    text: str | None,
    tenant: str | None,
    party: str | None,
    reason: str,
    person: str,
    state: Path | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Forget what is personal of a customer: TEXT wherever it is a name, an address or the like, or all of somebody's.

    Facts, totals, digests and the audit stay as they are. Refused while somebody still looks at it.
    """
    given = [one for one in (text, tenant, party) if one is not None]
    if len(given) != 1:
        raise click.UsageError("Give one of these: a text, --tenant or --party.")
    if not reason.strip():
        raise click.UsageError("Whoever erases something says why; --reason is empty.")
    whom = f"{TENANT} {tenant}" if tenant is not None else f"{PARTY} {party}" if party is not None else None
    erased = keeping.erase_personal(load_settings(config), state, text, whom, reason.strip(), person)
    if as_json:
        show.document(erased._asdict())
    else:
        click.echo("\n".join(_lines(erased)))


def _lines(erased: Erased) -> list[str]:
    count = f"{erased.values:,} personal value{'s' * (erased.values != 1)}"
    lines = [show.plain(f"Erased: {count} of {', '.join(erased.whom)}; facts, totals and the audit are as they were.")]
    lines.append("What screening found by them is found no more. A running worker forgets them at its next start.")
    if erased.quoted:
        lines.append(
            f"{erased.quoted:,} sentences of flags, notices and cases quote one of them, and stay until these go by "
            "their own period."
        )
    return [
        *lines,
        "Event files, topics, backups and whatever the database keeps of old pages are not reached from here.",
    ]


def _table(found: Sequence[Keeping], gone: str) -> str:
    rows = [
        (
            one.kind.value,
            "for ever" if one.days is None else f"{one.days:,} days",
            "-" if one.until is None else show.instant(one.until),
            "-" if one.until is None else f"{one.stock.may_go:,}",
            "-" if one.until is None else f"{one.stock.stays:,}",
        )
        for one in found
    ]
    return show.table(("kind", "kept", "from before", gone, "older, and stays"), rows)


def _document(one: Keeping, gone: str) -> dict[str, Any]:
    return {
        "kind": one.kind.value,
        "days": one.days,
        "before": None if one.until is None else show.instant(one.until),
        gone: one.stock.may_go,
        "stays": one.stock.stays,
    }
