"""`flopwatch check`: settings, catalogue, policies, lists, sinks, samples; nothing is started or sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from monitor.app import checks
from monitor.cli import show
from monitor.cli.options import config_option, json_option
from monitor.core.model import Rejected
from monitor.intake.dialect import PREFIX, Event, text
from monitor.intake.refusal import Ignored
from monitor.intake.samples import Sampled
from monitor.intake.translate import AUTO, DIALECTS

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option(
    "--reference",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder with catalogue, policies, priors and what is beside them, countries (default: packaged).",
)
@click.option("--samples", type=FILE, help="Tell instead what each record of this file of another format would become.")
@click.option(
    "--dialect",
    type=click.Choice([AUTO, *DIALECTS]),
    help="With --samples: the format of the records; auto, which is the default, looks at each.",
)
@click.option(
    "--as",
    "name",
    metavar="NAME",
    help="With --samples: take them as a translator takes those of this topic, or set of files, of the settings.",
)
@json_option
@config_option
@click.pass_context
def check(
    context: click.Context,
    reference: Path | None,
    samples: Path | None,
    dialect: str | None,
    name: str | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Look for contradictions in settings, sinks, catalogue, lists and policies; run the policies' examples.

    With --samples nothing of that: what each record would become, and why it would become nothing.
    """
    if name is not None and (samples is None or dialect is not None):
        raise click.UsageError("--as is for --samples, and the settings say the dialect.")
    if samples is not None:
        found = checks.samples(samples, dialect or AUTO) if name is None else checks.samples_of(config, samples, name)
        context.exit(_tell(found, as_json))
    problems, remarks = checks.check(config, reference)
    if as_json:
        show.document({"problems": problems, "remarks": remarks})
    elif problems:
        for problem in problems:
            click.echo(problem)
    else:
        click.echo(
            "Settings, catalogue, priors, calibrations, durations, training score, country groups, effects of lists, "
            "lists and policies are sound."
        )
    if not as_json:
        for remark in remarks:
            click.echo(remark)
    context.exit(1 if problems else 0)


def _tell(found: Iterable[Sampled], as_json: bool) -> int:
    """Print what became of samples; 1 if any of them was refused, or there were none."""
    records = list(found)
    counts = Counter(_word(one) for one in records)
    if as_json:
        show.document({"records": [_shown(one) for one in records]})
    else:
        click.echo(show.table(["line", "dialect", "record", "becomes"], _rows(records)) if records else "No records.")
        click.echo("; ".join(f"{counts[word]:,} {word}" for word in ("translated", "ignored", "refused")) + ".")
    return int(not records or counts["refused"] > 0)


def _word(one: Sampled) -> str:
    if isinstance(one.outcome, Rejected):
        return "refused"
    return "ignored" if isinstance(one.outcome, Ignored) else "translated"


def _shown(one: Sampled) -> dict[str, Any]:
    outcome = one.outcome
    what: dict[str, Any] = {"line": one.line, "dialect": one.dialect, "record": one.what, "becomes": _word(one)}
    if isinstance(outcome, Rejected):
        return {**what, "reason": outcome.reason, "because": outcome.sentence}
    if isinstance(outcome, Ignored):
        return {**what, "because": outcome.type}
    return {**what, "events": list(outcome)}


def _rows(records: Iterable[Sampled]) -> Iterator[list[str]]:
    """A row for each event, and one for what becomes none."""
    for one in records:
        begin = [str(one.line), one.dialect or "-", one.what]
        if isinstance(one.outcome, Rejected):
            yield [*begin, f"refused ({one.outcome.reason}): {one.outcome.sentence}"]
        elif isinstance(one.outcome, Ignored):
            yield [*begin, f"ignored: {one.outcome.type}"]
        else:
            yield from ([*begin, _said(event)] for event in one.outcome)


def _said(event: Event) -> str:
    """An event in a few words: `allocation.started ec2/i-0abc of 123456789012`."""
    kind = (text(event, "type") or "").removeprefix(PREFIX).removesuffix(".v1")
    about, tenant = text(event, "data", "allocation"), text(event, "data", "tenant")
    return " ".join([kind, *([about] if about else []), *([f"of {tenant}"] if tenant else [])])
