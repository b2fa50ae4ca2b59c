"""`flopwatch tenants`: what the store knows of each tenant."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.app import views
from monitor.cli import show
from monitor.cli.options import config_option, json_option, state_option
from monitor.run.documents import tenant_document
from monitor.settings import load_settings


@click.command()
@click.option("--above", type=float, default=0, metavar="FLOP", help="Only tenants whose high bound reaches this.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many to show.")
@state_option
@json_option
@config_option
def tenants(above: float, limit: int, state: Path | None, as_json: bool, config: Path | None) -> None:
    """List tenants by their central estimate, largest first."""
    answer = views.stored_tenants(load_settings(config), state)
    chosen = sorted(
        (tenant for tenant in answer.tenants if tenant.flop.high >= above),
        key=lambda one: (-one.flop.central, one.tenant),
    )
    if as_json:
        show.document([tenant_document(tenant) for tenant in chosen[:limit]])
        return
    rows = [
        (
            tenant.tenant,
            show.accelerator_hours(sum(tenant.accelerator_us.values())),
            show.flop(tenant.flop.central),
            show.flop(tenant.flop.low),
            show.flop(tenant.flop.high),
            str(tenant.open_allocations),
            ", ".join(f"{finding.level} {finding.rule}" for finding in tenant.findings) or "-",
        )
        for tenant in chosen[:limit]
    ]
    if answer.as_of < 0:
        click.echo("There is no fact in these books.")
        return
    click.echo(f"As of {show.instant(answer.as_of)}, {len(chosen)} tenants" + show.rest(len(chosen), limit))
    click.echo(show.table(("tenant", "accelerator-hours", "FLOP", "low", "high", "open", "findings"), rows))
