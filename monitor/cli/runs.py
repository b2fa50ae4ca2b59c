"""`flopwatch runs`: the probable training runs, largest first, and a picture of one."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.app import views
from monitor.cli import show
from monitor.cli.options import config_option, json_option, state_option
from monitor.errors import MonitorError
from monitor.run.documents import tenant_run_document
from monitor.run.run_story import TenantRun, picture
from monitor.run.snapshot import KnownRuns
from monitor.settings import load_settings


@click.command()
@click.argument("who", metavar="[TENANT|RUN]", required=False)
@click.option("--above", type=float, default=0, metavar="FLOP", help="Only runs whose high bound reaches this.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many to show.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.svg",
    help="Draw the run, or the tenant's largest one, into this file.",
)
@state_option
@json_option
@config_option
def runs(
    who: str | None,
    above: float,
    limit: int,
    plot: Path | None,
    state: Path | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """List probable training runs by their central estimate, largest first; of all tenants, or of one."""
    if plot is not None and who is None:
        raise click.UsageError("Say whose run to draw: flopwatch runs TENANT --plot FILE.svg, or a run's id.")
    known = views.stored_runs(load_settings(config), state, who)
    if who is not None and known.story is None and not known.has_tenant:
        raise MonitorError(
            f"'{show.plain(who)}' is no tenant and no run in this store. `flopwatch tenants` and `flopwatch runs` "
            "list what there is."
        )
    if plot is not None:
        _draw(known, plot)
    chosen = sorted(
        (one for one in known.runs if one.run.flop.high >= above),
        key=lambda one: (-one.run.flop.central, one.tenant, one.run.id),
    )
    if as_json:
        show.document([tenant_run_document(one) for one in chosen[:limit]])
        return
    click.echo(f"As of {show.instant(known.as_of)}, {len(chosen)} runs" + show.rest(len(chosen), limit))
    if chosen:
        click.echo(show.table(HEAD, map(_row, chosen[:limit])))
        click.echo(
            "`flopwatch explain RUN` says what may belong to one besides: over weak links, and at the same time."
        )
    if known.totals:
        click.echo(f"All that this tenant held: {'; '.join(show.totals_by_days(known.totals))}.")


def _draw(known: KnownRuns, plot: Path) -> None:
    if known.story is None:
        raise MonitorError("This tenant has no run to draw: it never held 16 accelerators together.")
    try:
        plot.write_text(picture(known.story), encoding="utf-8")
    except OSError as problem:
        reason = (problem.strerror or "no reason given").lower()
        raise MonitorError(f"The picture cannot be written to {plot}: {reason}.") from problem
    click.echo(f"Run {known.story.found.run.id} is drawn in {plot}.", err=True)


HEAD = ("run", "tenant", "from", "to", "peak", "FLOP", "low", "high", "training", "segments")


def _row(one: TenantRun) -> tuple[str, ...]:
    run = one.run
    return (
        run.id,
        one.tenant,
        show.instant(run.start)[:10],
        show.instant(run.end)[:10],
        f"{run.peak // 1_000:,}",
        show.flop(run.flop.central),
        show.flop(run.flop.low),
        show.flop(run.flop.high),
        one.training.band.value,
        str(len(run.segments)),
    )
