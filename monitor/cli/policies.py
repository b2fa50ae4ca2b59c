"""`flopwatch policies`: which policies there are, what of them holds now, and what they rest on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import click

from monitor import app
from monitor.cli import show
from monitor.cli.options import json_option
from monitor.core.findings import number
from monitor.core.policy import Condition, Policy, Rule

WIDTH = 116
DIGITS = 12
reference_option = click.option(
    "--reference",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder with policies, countries and what is beside them (default: packaged).",
)


@click.group(invoke_without_command=True)
@reference_option
@json_option
@click.pass_context
def policies(context: click.Context, reference: Path | None, as_json: bool) -> None:
    """List policies: legal force, dates, what holds now, rules. `policies show` has the sources of one."""
    context.obj = reference
    if context.invoked_subcommand is not None:
        return
    found, now = app.policies(reference)
    if as_json:
        show.document({"policies": [_document(policy, now) for policy in found]})
    else:
        head = ("policy", "legal force", "from", "until", "now", "rules", "shadow", "digest")
        click.echo(show.table(head, [_row(policy, now) for policy in found]))


@policies.command("show")
@click.argument("name", metavar="ID[@VERSION]")
@json_option
@click.pass_obj
def show_policy(reference: Path | None, name: str, as_json: bool) -> None:
    """Show one policy: status, citations with what was seen of them, rules, and what they do not establish.

    Without a version: the one that holds now, or else the latest.
    """
    found, now = app.policies(reference)
    policy = _named(name, found, now)
    if as_json:
        show.document(_document(policy, now) | _details(policy))
    else:
        click.echo("\n".join(_lines(policy, now)))


@policies.command()
@click.pass_obj
def publish(reference: Path | None) -> None:
    """Guard every policy file against edits: its digest goes into published.yaml, and only an equal file is read."""
    added = app.publish_policies(reference)
    click.echo(f"Published: {', '.join(added)}." if added else "Every policy was published already.")


@policies.command()
def schema() -> None:
    """Print the JSON schema of policy files; config/policy.schema.json is a copy for editors."""
    click.echo(app.policy_schema(), nl=False)


def _named(name: str, found: Sequence[Policy], now: int) -> Policy:
    """The policy of a name. UsageError: there is none."""
    id, at, version = name.partition("@")
    versions = [policy for policy in found if policy.id == id]
    if at:
        versions = [policy for policy in versions if str(policy.version) == version]
    if not versions:
        raise click.UsageError(f"There is no policy '{name}'; `flopwatch policies` lists those that there are.")
    return next((policy for policy in versions if policy.in_force(now)), versions[-1])


def standing(policy: Policy, now: int) -> str:
    """How it is with a policy at an instant, in a word or two.

    That it applies says that its rules are looked at, as shadows if they are; its legal force says what it is in law.
    """
    if policy.ends is not None and policy.ends <= policy.effective_from:
        return "never applied"
    if policy.in_force(now):
        return "applies"
    if now < policy.effective_from:
        return "not yet"
    return "superseded" if policy.ends == policy.superseded_at else "ended"


def _day(instant: int) -> str:
    return show.instant(instant)[:10]


def _row(policy: Policy, now: int) -> tuple[str, ...]:
    return (
        _name(policy),
        policy.legal_force,
        _day(policy.effective_from),
        "-" if policy.ends is None else _day(policy.ends),
        standing(policy, now),
        str(len(policy.rules)),
        str(sum(rule.shadow for rule in policy.rules)),
        policy.digest.removeprefix("sha256:")[:DIGITS],
    )


def _name(policy: Policy) -> str:
    return f"{policy.id}@{policy.version}"


def _lines(policy: Policy, now: int) -> Iterator[str]:
    """A policy for people: what it is, what it rests on, its rules."""
    yield f"{_name(policy)}  {policy.title}"
    until = "" if policy.ends is None else f" until {_day(policy.ends)}"
    yield f"{policy.jurisdiction}; legal force: {policy.legal_force}; duty of: {policy.duty_holder}"
    yield f"From {_day(policy.effective_from)}{until}: {standing(policy, now)}. Published {_day(policy.published)}."
    yield f"Digest {policy.digest}; about {policy.expected_flags_a_week} new flags a week on the demo's fleet."
    yield ""
    for head, text in (
        ("Status", policy.status),
        ("Citation", policy.citation),
        ("Subject", policy.subject),
        ("Looks back because", policy.retroactive),
        ("Runbook", policy.runbook),
    ):
        if text:
            yield from _folded(f"{head}: {text}", "")
    yield ""
    yield "What it rests on:"
    for source in policy.sources:
        seen = "seen" if source.seen else "from memory, to be verified"
        yield from _folded(f"{source.number}: {source.where} ({seen})", "  ")
    for rule in policy.rules:
        yield ""
        yield f"{rule.id}{'  (shadow: nobody is told)' if rule.shadow else ''}"
        yield from _folded(f"{rule.title}.", "  ")
        yield from _folded(_measures(rule), "  ")
        for level, condition in rule.levels.items():
            yield f"  {level:8}  {_condition(condition)}"
        yield from _folded(f"Not established: {' '.join(rule.not_established)}", "  ")


def _folded(text: str, indent: str) -> Iterator[str]:
    yield from wrap(show.plain(text), WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ")


def _measures(rule: Rule) -> str:
    """What a rule counts, of whom."""
    window = "" if rule.window_days is None else f" in {rule.window_days} days"
    chips = f" on chips of {', '.join(sorted(rule.quantity.chips))}" if rule.quantity.chips else ""
    network = "" if rule.network_gbit_s_over is None else f", network over {rule.network_gbit_s_over} Gbit/s"
    unit = show.UNITS[rule.quantity.measure]
    threshold = f"{number(rule.threshold, 9)} {unit}{chips}{window}{network}"
    return f"{rule.quantity.measure} of a {rule.aggregation}, scope {rule.scope}: {threshold}"


def _condition(condition: Condition) -> str:
    """What gives a level."""
    on = condition.on
    words = f"probability of {on} per mille" if isinstance(on, int) else f"{on} bound"
    if condition.projected is not None:
        words += f", or {condition.projected.per_mille} per mille within {condition.projected.days} days"
    if condition.needs:
        words += f"; and {' or '.join(sorted(condition.needs))}"
    return words


def _document(policy: Policy, now: int) -> dict[str, Any]:
    return {
        "policy": policy.id,
        "version": policy.version,
        "title": policy.title,
        "jurisdiction": policy.jurisdiction,
        "legal_force": policy.legal_force,
        "duty_holder": policy.duty_holder,
        "published": _day(policy.published),
        "effective_from": _day(policy.effective_from),
        "ends": None if policy.ends is None else _day(policy.ends),
        "supersedes": policy.supersedes,
        "now": standing(policy, now),
        "rules": [{"rule": rule.id, "shadow": rule.shadow} for rule in policy.rules],
        "digest": policy.digest,
    }


def _details(policy: Policy) -> dict[str, Any]:
    """What `show` has beside the list."""
    return {
        "status": policy.status,
        "citation": policy.citation,
        "subject": policy.subject,
        "retroactive": policy.retroactive or None,
        "runbook": policy.runbook,
        "owner": policy.owner,
        "expected_flags_a_week": policy.expected_flags_a_week,
        "sources": [source._asdict() for source in policy.sources],
        "rules": [_rule_document(rule) for rule in policy.rules],
    }


def _rule_document(rule: Rule) -> dict[str, Any]:
    return {
        "rule": rule.id,
        "title": rule.title,
        "shadow": rule.shadow,
        "scope": rule.scope.value,
        "measure": rule.quantity.measure.value,
        "aggregation": rule.aggregation.value,
        "threshold": rule.threshold,
        "window_days": rule.window_days,
        "chips": sorted(rule.quantity.chips),
        "levels": {level.value: _condition(condition) for level, condition in rule.levels.items()},
        "not_established": list(rule.not_established),
    }
