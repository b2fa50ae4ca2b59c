"""`flopwatch estimate`: what one allocation would be counted as."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import click

from monitor.app import checks
from monitor.cli import show
from monitor.cli.options import json_option
from monitor.core.model import HOUR_MS
from monitor.core.priors import PPM
from monitor.run.documents import bounds_document
from monitor.run.single import FORMATS, FP8, Estimate, Single

COUNT_MAX = 10_000_000
HOURS_MAX = 1_000_000
BOUND_MEANINGS = {
    "low": "5 per cent",
    "central": "median",
    "high": "95 per cent",
    "ceiling": "full speed in the fastest format",
}


def _above_zero(text: str, most: int) -> Decimal:
    """A number above 0, up to `most`. BadParameter: it is none."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not 0 < number <= most:
        raise click.BadParameter(f"'{text}' is no number above 0 and up to {most:,}.")
    return number


def _parts(text: str) -> int:
    return max(1, int(_above_zero(text, 1) * PPM))


def _share(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    return None if value is None else _parts(value)


def _shares(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(map(_parts, values))


def _held(_context: click.Context, _parameter: click.Parameter, value: str) -> int:
    return max(1, int(_above_zero(value, HOURS_MAX) * HOUR_MS))


@click.command()
@click.option("--accelerator", required=True, metavar="NAME", help="Any name of it that the catalogue knows.")
@click.option("--count", type=click.IntRange(1, COUNT_MAX), required=True, help="How many accelerators.")
@click.option("--hours", "held_ms", callback=_held, required=True, metavar="H", help="For how long they are held.")
@click.option("--format", "number_format", type=click.Choice(FORMATS), default=FORMATS[0], show_default=True)
@click.option("--fp8", is_flag=True, help="The same as --format fp8.")
@click.option(
    "--duty",
    "duty_ppm",
    callback=_share,
    metavar="D",
    help="Share of the held time that ran anything, if known.",
)
@click.option(
    "--utilisation-earlier",
    "earlier_ppm",
    callback=_shares,
    multiple=True,
    metavar="U",
    help="Share of the 16-bit peak that an earlier run of the tenant realised on that generation; may be repeated.",
)
@json_option
def estimate(
    accelerator: str,
    count: int,
    held_ms: int,
    number_format: str,
    fp8: bool,
    duty_ppm: int | None,
    earlier_ppm: tuple[int, ...],
    as_json: bool,
) -> None:
    """Say what one allocation would be counted as, and what that assumes."""
    single = Single(accelerator, count, held_ms, FP8 if fp8 else number_format, duty_ppm, earlier_ppm)
    estimated = checks.estimate(single)
    if as_json:
        show.document({"flop": bounds_document(estimated.flop), "assumptions": dict(estimated.assumptions)})
    else:
        click.echo("\n".join(_lines(single, estimated)))


def _lines(single: Single, estimated: Estimate) -> list[str]:
    rows = [(name, show.flop(amount), BOUND_MEANINGS[name]) for name, amount in bounds_document(estimated.flop).items()]
    return [
        f"{single.accelerators:,} x {show.plain(str(estimated.assumptions['accelerator']))} "
        f"for {single.held_ms / HOUR_MS:,g} hours",
        "",
        show.table(("bound", "FLOP", "what it is"), rows),
        "",
        *(show.plain(sentence) for sentence in estimated.sentences),
    ]
