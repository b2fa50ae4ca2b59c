"""`flopwatch policies`: which policies there are, what of them holds now, and what they rest on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

import click

from monitor.app import decisions, references
from monitor.cli import show
from monitor.cli.options import config_option, json_option, state_option
from monitor.core.approval import APPROVE, WITHDRAW
from monitor.core.findings import number
from monitor.core.policy import CONSENTS, Consent, Policy, Rule, standing
from monitor.run.documents import condition_words, day, policy_details, policy_document
from monitor.settings import load_settings

WIDTH = 116
DIGITS = 12
reference_option = click.option(
    "--reference",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder with policies, countries and what is beside them (default: packaged).",
)


by_option = click.option("--by", "person", required=True, help="Who does this.")
reason_option = click.option("--reason", required=True, help="Why, as a sentence that others can check; it is kept.")
NAME = "ID@VERSION"


class Given(NamedTuple):
    """What stands before the command's own name."""

    reference: Path | None
    state: Path | None
    config: Path | None

    def known(self) -> references.KnownPolicies:
        """The policies as they count."""
        return references.policies(load_settings(self.config), self.state, self.reference)


@click.group(invoke_without_command=True)
@reference_option
@state_option
@json_option
@config_option
@click.pass_context
def policies(
    context: click.Context, reference: Path | None, state: Path | None, as_json: bool, config: Path | None
) -> None:
    """List policies: legal force, dates, what holds now, rules. `policies show` has the sources of one.

    Where `policies.approval` is console, a policy of your own tells nobody until one person has proposed it and another
    one has approved it, and stops to count the same way. There is no sign-in on the command line: --by names whoever
    acts, and the store keeps a hash of that name.
    """
    context.obj = Given(reference, state, config)
    if context.invoked_subcommand is not None:
        return
    found, now = context.obj.known()
    if as_json:
        show.document({"policies": [policy_document(policy, now) for policy in found]})
    else:
        head = ("policy", "legal force", "from", "until", "now", "rules", "shadow", "by", "digest")
        click.echo(show.table(head, [_row(policy, now) for policy in found]))


@policies.command("show")
@click.argument("name", metavar="ID[@VERSION]")
@json_option
@click.pass_obj
def show_policy(given: Given, name: str, as_json: bool) -> None:
    """Show one policy: status, citations with what was seen of them, rules, and what they do not establish.

    Without a version: the one that holds now, or else the latest.
    """
    found, now = given.known()
    policy = _named(name, found, now)
    if as_json:
        show.document(policy_document(policy, now) | policy_details(policy))
    else:
        click.echo("\n".join(_lines(policy, now)))


@policies.command()
@click.argument("name", metavar=NAME)
@reason_option
@by_option
@click.pass_obj
def propose(given: Given, name: str, reason: str, person: str) -> None:
    """Propose that a policy of your own counts, as its file is now; another person approves it."""
    _propose(given, name, APPROVE, reason, person)
    click.echo(f"{name} is proposed: `flopwatch policies approve {name}` is for another person.")


@policies.command()
@click.argument("name", metavar=NAME)
@reason_option
@by_option
@click.pass_obj
def withdraw(given: Given, name: str, reason: str, person: str) -> None:
    """Propose that a policy no longer counts; another person approves that."""
    _propose(given, name, WITHDRAW, reason, person)
    click.echo(f"{name} is proposed to count no longer: `flopwatch policies approve {name}` is for another person.")


def _propose(given: Given, name: str, kind: str, reason: str, person: str) -> None:
    with decisions.panel(load_settings(given.config), given.state) as panel:
        panel.propose_policy(name, kind, reason, person, decisions.operator())


@policies.command()
@click.argument("name", metavar=NAME)
@by_option
@click.pass_obj
def approve(given: Given, name: str, person: str) -> None:
    """Approve what another person proposed of a policy."""
    with decisions.panel(load_settings(given.config), given.state) as panel:
        found = panel.approve(panel.waiting_of(name).number, person, decisions.operator())
    click.echo(f"{name} counts from now on." if found.kind == APPROVE else f"{name} no longer counts.")


@policies.command()
@click.argument("name", metavar=NAME)
@reason_option
@by_option
@click.pass_obj
def refuse(given: Given, name: str, reason: str, person: str) -> None:
    """Refuse what another person proposed of a policy, or take back what you proposed yourself."""
    with decisions.panel(load_settings(given.config), given.state) as panel:
        panel.drop(panel.waiting_of(name).number, person, reason, decisions.operator())
    click.echo(f"What was proposed of {name} is off the table, and stays on record.")


@policies.command()
@click.pass_obj
def publish(given: Given) -> None:
    """Guard every policy file against edits: its digest goes into published.yaml, and only an equal file is read."""
    added = references.publish_policies(load_settings(given.config), given.reference)
    click.echo(f"Published: {', '.join(added)}." if added else "Every policy was published already.")


@policies.command()
def schema() -> None:
    """Print the JSON schema of policy files; config/policy.schema.json is a copy for editors."""
    click.echo(references.policy_schema(), nl=False)


def _named(name: str, found: Sequence[Policy], now: int) -> Policy:
    """The policy of a name. UsageError: there is none."""
    id, at, version = name.partition("@")
    versions = [policy for policy in found if policy.id == id]
    if at:
        versions = [policy for policy in versions if str(policy.version) == version]
    if not versions:
        raise click.UsageError(f"There is no policy '{name}'; `flopwatch policies` lists those that there are.")
    return next((policy for policy in versions if policy.in_force(now)), versions[-1])


def _row(policy: Policy, now: int) -> tuple[str, ...]:
    return (
        policy.name,
        policy.legal_force,
        day(policy.effective_from),
        "-" if policy.ends is None else day(policy.ends),
        standing(policy, now),
        str(len(policy.rules)),
        str(len(policy.rules) - len(policy.telling)),
        CONSENTS[policy.consent],
        policy.digest.removeprefix("sha256:")[:DIGITS],
    )


def _lines(policy: Policy, now: int) -> Iterator[str]:
    """A policy for people: what it is, what it rests on, its rules."""
    yield f"{policy.name}  {policy.title}"
    until = "" if policy.ends is None else f" until {day(policy.ends)}"
    yield f"{policy.jurisdiction}; legal force: {policy.legal_force}; duty of: {policy.duty_holder}"
    yield f"From {day(policy.effective_from)}{until}: {standing(policy, now)}. Published {day(policy.published)}."
    if policy.consent is not Consent.FILE:
        yield f"By the word of {CONSENTS[policy.consent]}."
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
            yield f"  {level:8}  {condition_words(condition)}"
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
