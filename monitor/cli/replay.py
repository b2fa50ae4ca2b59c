"""`flopwatch replay`: books and findings from event files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from monitor.app import replays
from monitor.cli import show
from monitor.cli.options import as_of_option, config_option, json_option
from monitor.cli.progress import ProgressBar
from monitor.core.engine import Answer
from monitor.core.structuring import signal_sentence
from monitor.run.documents import bounds_document, finding_document, run_document
from monitor.settings import load_settings


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--state", type=click.Path(path_type=Path), help="Keep the books in this file and go on from it.")
@click.option(
    "--past-limit",
    metavar="REASON",
    help="Go past the limit on unreadable records; the reason is kept.",
)
@as_of_option
@json_option
@config_option
def replay(
    paths: tuple[str, ...],
    state: Path | None,
    past_limit: str | None,
    as_of: int | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Read event files (JSON Lines; .gz and .zst too; - for standard input) and say what they add up to."""
    settings = load_settings(config)
    with ProgressBar("Reading", quiet=as_json) as bar:
        replayed = replays.replay(settings, list(paths), state, as_of, past_limit, bar)
    for sentence in replayed.remarks:
        click.echo(show.plain(sentence), err=True)
    if as_json:
        show.document(answer_document(replayed.answer, replayed.events))
    else:
        click.echo(answer_text(replayed.answer, replayed.events))


def answer_document(answer: Answer, events: dict[str, int]) -> dict[str, Any]:
    """What `replay --json` prints (the command line contract)."""
    return {
        "as_of": None if answer.as_of < 0 else show.instant(answer.as_of),  # null: no fact at all
        "events": events,
        "tenants": [
            {
                "tenant": tenant.tenant,
                "accelerator_us": tenant.accelerator_us,
                "accelerator_us_certain": tenant.accelerator_us_certain,
                "accelerator_us_open": tenant.accelerator_us_open,
                "flop": bounds_document(tenant.flop),
                "open_allocations": tenant.open_allocations,
                "runs": [run_document(run, training) for run, training in tenant.runs],
                "flags": [finding_document(finding) for finding in tenant.findings],
            }
            for tenant in answer.tenants
        ],
        "groups": [
            {
                "group": group.group,
                "tenants": list(group.tenants),
                "because": [one.sentence for one in group.evidence],
                "unresolved": group.unresolved,
                "signs": [signal_sentence(one) for one in group.signals],
                "flop": bounds_document(group.flop),
                "flags": [finding_document(finding) for finding in group.findings],
            }
            for group in answer.groups
        ],
        "books_digest": answer.books_digest,
        "digest": answer.digest,
    }


def answer_text(answer: Answer, events: dict[str, int]) -> str:
    """The same for people: tenants by compute, then what was flagged and why."""
    counts = ", ".join(f"{count:,} {name}" for name, count in events.items() if count or name == "read")
    rows = [
        (
            tenant.tenant,
            show.accelerator_hours(sum(tenant.accelerator_us.values())),
            show.flop(tenant.flop.central),
            show.flop(tenant.flop.low),
            show.flop(tenant.flop.high),
            str(tenant.open_allocations),
        )
        for tenant in sorted(answer.tenants, key=lambda one: (-one.flop.central, one.tenant))
    ]
    parts = [
        f"Events: {counts}.",
        *_book_lines(answer, rows),
        "",
        *_flag_lines(answer),
        "",
        f"books_digest {answer.books_digest}",
        f"digest       {answer.digest}",
    ]
    return "\n".join(parts)


def _book_lines(answer: Answer, rows: Sequence[Sequence[str]]) -> list[str]:
    if answer.as_of < 0:
        return ["There is no fact in these books."]
    head = f"Books as of {show.instant(answer.as_of)}, {len(rows)} tenants:"
    return [head, "", show.table(("tenant", "accelerator-hours", "FLOP", "low", "high", "open"), rows)]


def _flag_lines(answer: Answer) -> list[str]:
    findings = [finding for tenant in answer.tenants for finding in tenant.findings]
    findings += [finding for group in answer.groups for finding in group.findings]
    if not findings:
        return ["No tenant reaches a threshold of a policy in force."]
    lines = []
    for finding in sorted(findings, key=lambda one: (one.tenant, -one.threshold)):
        lines.append(
            f"{finding.level.upper()}  {show.subject(finding)}  {finding.rule} "
            f"({finding.legal_force}), since {show.instant(finding.raised_at)}"
        )
        lines.extend(f"    {show.plain(reason)}" for reason in finding.reasons)
        lines.extend(f"    Not established: {sentence}" for sentence in finding.not_established)
    return lines
