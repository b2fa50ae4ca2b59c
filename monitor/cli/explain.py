"""`flopwatch explain`: how a number came about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from monitor.app import views
from monitor.cli import show
from monitor.cli.flags import clock_lines, history_lines
from monitor.cli.options import config_option, json_option, state_option
from monitor.core.bounds import in_per_cent
from monitor.core.engine import GroupAnswer
from monitor.core.flags import Entry, Flag
from monitor.core.model import HOUR_MS
from monitor.core.structuring import Signal, signal_sentence
from monitor.errors import MonitorError
from monitor.run.documents import FlagTimes, flag_document, run_document
from monitor.run.explain import AllocationStory, LinkLine, TenantStory, story_document, utilisation_text
from monitor.run.run_story import RunStory
from monitor.settings import load_settings

ALLOCATIONS_SHOWN = 10
TYPES_SHOWN = 10
RUNS_SHOWN = 5
MEMBERS_SHOWN = 8
EVIDENCE_SHOWN = 5
SEGMENTS_SHOWN = 40


@click.command()
@click.argument("what", metavar="TENANT|RUN|FLAG|EVENT")
@state_option
@json_option
@config_option
def explain(what: str, state: Path | None, as_json: bool, config: Path | None) -> None:
    """Say how the numbers of a tenant, a run, a flag or an event came about."""
    settings = load_settings(config)
    story = views.explain(settings, state, what)
    if story is None:
        raise MonitorError(
            f"'{show.plain(what)}' is no tenant, run, flag or event id in this store. `flopwatch tenants` and "
            "`flopwatch flags` list what there is."
        )
    times = views.flag_times(settings, state, [story[0]]) if isinstance(story[0], Flag) else {}
    if as_json and isinstance(story, RunStory):
        show.document({"tenant": story.found.tenant, **run_document(story.found.run, story.found.training)})
    elif as_json:
        show.document(
            {"flag": flag_document(story[0], times[story[0].id]), "history": [entry._asdict() for entry in story[1]]}
            if isinstance(story[0], Flag)
            else story_document(story)
        )
    elif isinstance(story, TenantStory):
        click.echo("\n".join(_tenant_lines(story)))
    elif isinstance(story, RunStory):
        click.echo("\n".join(_run_lines(story)))
    elif isinstance(story, AllocationStory):
        click.echo("\n".join(_allocation_lines(story)))
    else:
        click.echo("\n".join(_flag_lines(*story, times[story[0].id])))


def _tenant_lines(story: TenantStory) -> list[str]:
    lines = [
        f"Tenant {show.plain(story.tenant)} as of {show.instant(story.as_of)}",
        f"Training compute since onboarding: {show.flop_range(story.flop)} FLOP, "
        f"ceiling {show.flop(story.flop.ceiling)}.",
        *(f"  {line}" for line in show.totals_by_days(story.flop_by_days)),
        "Model FLOP, from allocated time unless measured; 90 per cent range, bounds added over hardware.",
    ]
    lines += ["", "Who it is:", *(f"  {show.plain(sentence)}" for sentence in story.who)] if story.who else []
    lines += ["", "Hardware:"]
    for line in story.counting:
        hours = ", ".join(f"{show.accelerator_hours(amount)} h {name}" for name, amount in line.usage.items())
        lines += [
            f"  {line.name} (event: {show.plain(line.shape.hardware or 'not named')}, "
            f"region {show.plain(line.shape.region or 'not named')}): {hours} -> {show.flop_range(line.flop)} FLOP",
            f"    dense 16-bit rate {line.rate[1] / 1e12:,.1f} TFLOP/s ({line.source}); "
            f"realised share {utilisation_text(line.utilisation_ppm)} ({line.prior_basis})",
            *(
                [f"    executed, recomputation included: {show.flop_range(line.flop_executed)} FLOP"]
                if line.flop_executed is not None
                else []
            ),
            *(f"    Assumed: {show.plain(sentence)}" for sentence in line.assumptions),
        ]
    if story.without:
        more = f" and {len(story.without) - TYPES_SHOWN} more" if len(story.without) > TYPES_SHOWN else ""
        lines.append(f"  Without accelerators: {', '.join(map(show.plain, story.without[:TYPES_SHOWN]))}{more}")
    lines += ["", f"Held now: {len(story.open_allocations)} allocations"]
    for name, hardware, units, since, evidence in story.open_allocations[:ALLOCATIONS_SHOWN]:
        lines.append(
            f"  {show.plain(name)}: {units / 1000:g} x {show.plain(hardware)} since {show.instant(since)}, "
            f"last evidence {show.instant(evidence)}"
        )
    if len(story.open_allocations) > ALLOCATIONS_SHOWN:
        lines.append(f"  and {len(story.open_allocations) - ALLOCATIONS_SHOWN} more")
    if story.outlived:
        lines += [
            "",
            "Runs on without what it lay within:",
            *(f"  {show.plain(sentence)}" for sentence in story.outlived[:ALLOCATIONS_SHOWN]),
        ]
        if len(story.outlived) > ALLOCATIONS_SHOWN:
            lines.append(f"  and {len(story.outlived) - ALLOCATIONS_SHOWN} more")
    lines += _run_summary(story)
    lines += _projection_lines(story)
    lines += ["", "Headquarters:", *(f"  {show.plain(sentence)}" for sentence in story.headquarters)]
    if story.economic_interest:
        lines += ["", "Economic interest (shown only):"]
        lines += [f"  {show.plain(sentence)}" for sentence in story.economic_interest]
    if story.contradictions:
        lines += ["", "Contradictions:", *(f"  {show.plain(sentence)}" for sentence in story.contradictions)]
    lines += ["", "Findings:"] if story.findings else ["", "No finding stands."]
    for finding in story.findings:
        lines.append(
            f"  {finding.level.upper()} {finding.rule} ({finding.legal_force}), since {show.instant(finding.raised_at)}"
        )
        lines.extend(f"    {show.plain(reason)}" for reason in finding.reasons)
        lines.extend(f"    Not established: {sentence}" for sentence in finding.not_established)
    for group in story.groups:
        lines += _group_lines(story.tenant, group)
    lines += _kin_lines(story)
    if story.blind:
        lines += ["", "What could not be seen:"]
        for one in story.blind:
            end = "now" if one.end is None else show.instant(one.end)
            lines.append(f"  {one.cause}, {show.instant(one.start)} to {end}: {show.plain(one.sentence)}")
        if story.flop_unseen != story.flop:
            lines.append(f"  With what may have been lost in those hours: {show.flop_range(story.flop_unseen)} FLOP.")
    return lines


def _run_summary(story: TenantStory) -> list[str]:
    if not story.runs:
        return ["", "No run: it never held 16 accelerators together."]
    lines = ["", f"Probable runs: {len(story.runs)}"]
    for one in story.runs[:RUNS_SHOWN]:
        more = f", with weak links {show.flop_range(one.flop_with_weak_links)}"
        weak = "" if one.flop == one.flop_with_weak_links else more
        lines.append(
            f"  {one.run}: {show.instant(one.start)} to {show.instant(one.end)}, at most {one.peak // 1_000:,} "
            f"accelerators, {show.flop_range(one.flop)} FLOP{weak}; training: {one.training}"
        )
    if len(story.runs) > RUNS_SHOWN:
        lines.append(f"  and {len(story.runs) - RUNS_SHOWN} more: flopwatch runs {show.plain(story.tenant)}")
    return lines


def _run_lines(story: RunStory) -> list[str]:
    run, training = story.found.run, story.found.training
    lines = [
        f"Run {run.id} of tenant {show.plain(story.found.tenant)} as of {show.instant(story.as_of)}",
        f"{show.instant(run.start)} to {show.instant(run.end)}; at most {run.peak // 1_000:,} accelerators, "
        f"{len(run.allocations):,} allocations in {len(run.segments):,} segments.",
        f"Training compute: {show.flop_range(run.flop)} FLOP, ceiling {show.flop(run.flop.ceiling)}.",
        f"  with {len(run.chain) - 1} more over weak links: {show.flop_range(run.flop_chain)}",
        f"  with all {run.concurrent} chains of the same time: {show.flop_range(run.flop_concurrent)}",
        "",
        f"Training: {training.band.value} (score {training.score / 100:g}, no probability)",
        *(f"  {sentence}" for sentence in training.reasons),
        "",
        "Segments:",
    ]
    for position, segment in enumerate(run.segments[:SEGMENTS_SHOWN]):
        if position:
            link = run.links[position - 1]
            shared = f", same {' and '.join(link.shared)}" if link.shared else ""
            lines.append(f"    {link.gap / HOUR_MS:,.1f} h later: {link.reason}{shared}")
        lines.append(
            f"  {segment.id}: {show.instant(segment.start)} to {show.instant(segment.end)}, "
            f"{segment.scale // 1_000:,} {show.plain(segment.family)}, {len(segment.allocations):,} allocations"
        )
    if len(run.segments) > SEGMENTS_SHOWN:
        lines.append(f"  and {len(run.segments) - SEGMENTS_SHOWN} more")
    return lines


def _projection_lines(story: TenantStory) -> list[str]:
    if not story.projections:
        return []
    lines = ["", f"When thresholds may be reached: {story.projections[0].basis}"]
    for one in story.projections:
        chances = ", ".join(f"within {days} days {in_per_cent(chance)}" for days, chance in one.by_days.items())
        lines.append(f"  {show.flop(one.threshold_flop)} FLOP: now {in_per_cent(one.now)}, {chances}")
    return lines


def _kin_lines(story: TenantStory) -> list[str]:
    """Links, hits on lists, and signs."""
    lines = ["", "Linked with other tenants:"] if story.links else []
    for link in story.links:
        others = _named(link.tenants)
        lines += [f"  {link.strength} ({link.weight / 1000:.2f}): {others}", *_weighed(link.evidence, link)]
    lines += ["", "Screening:"]
    for one in story.lists:
        dated = "" if one.dated is None else f", of {show.instant(one.dated)}"
        lines.append(f"  asked: {show.plain(one.name)}, {one.entries:,} entries{dated} ({one.digest[:19]})")
    if not story.lists:
        lines.append("  No lists are configured: nobody is screened.")
    elif not story.matches:
        lines.append("  No list match. That is not the same as clear: lists are short, and names can be changed.")
    said = {reason for finding in story.findings for reason in finding.reasons}
    lines += [f"  {show.plain(one)}" for one in story.matches if one not in said]
    again = len(said.intersection(story.matches))
    lines += [f"  {again} more with the findings above."] if again else []
    if story.signs:
        lines += ["", "Signs, each a question:"]
        lines += [line for sign in story.signs for line in _weighed([sign.sentence], sign)]
    return lines


def _weighed(sentences: Iterable[str], one: LinkLine | Signal) -> list[str]:
    """What speaks for something, the strongest innocent explanation, and what would settle it."""
    return [
        *(f"    {show.plain(sentence)}" for sentence in sentences),
        f"    It may also be that: {show.plain(one.innocent)}",
        f"    What would settle it: {show.plain(one.settles)}",
    ]


def _named(tenants: Sequence[str]) -> str:
    more = f" and {len(tenants) - MEMBERS_SHOWN} more" if len(tenants) > MEMBERS_SHOWN else ""
    return ", ".join(map(show.plain, tenants[:MEMBERS_SHOWN])) + more


def _group_lines(tenant: str, group: GroupAnswer) -> list[str]:
    others = _named([name for name in group.tenants if name != tenant])
    lines = [
        "",
        f"In the group {show.plain(group.group)} with {others}: together {show.flop_range(group.flop)} FLOP.",
        *(f"  {show.plain(one.sentence)}" for one in group.evidence[:EVIDENCE_SHOWN]),
        *([] if group.unresolved is None else [f"  {show.plain(group.unresolved)}"]),
    ]
    for sign in group.signals:
        lines += [f"  Sign, a question: {sign.kind}", *_weighed([sign.sentence], sign)]
    said = {signal_sentence(sign) for sign in group.signals} | {group.unresolved}
    for finding in group.findings:
        lines.append(
            f"  {finding.level.upper()} {finding.rule} ({finding.legal_force}), since {show.instant(finding.raised_at)}"
        )
        lines.extend(f"    {show.plain(reason)}" for reason in finding.reasons if reason not in said)
    return lines


def _allocation_lines(story: AllocationStory) -> list[str]:
    lines = [f"Allocation {show.plain(story.allocation)} of tenant {show.plain(story.tenant)}", "", "Facts:"]
    for one in story.facts:
        fact = one.fact
        lines.append(
            f"  {show.instant(fact.time)}  {fact.kind.name.lower()}  "
            f"{show.plain(fact.source)} {show.plain(fact.id)}: {one.counts}"
        )
        lines.extend(f"    {note}" for note in one.notes)
    lines += ["", "Finished pieces:"]
    for piece in story.pieces:
        kind = "certain" if piece.certain else "open for good"
        lines.append(
            f"  {show.instant(piece.start)} to {show.instant(piece.end)}: {piece.count / 1000:g} x "
            f"{show.plain(piece.shape.hardware or 'unknown')}, {kind}"
        )
    if story.anomalies:
        lines += ["", "Inconsistencies:"]
        lines.extend(
            f"  {show.instant(one.time)}  {one.kind}: {show.plain(one.source)} {show.plain(one.id)}"
            for one in story.anomalies
        )
    return lines


def _flag_lines(flag: Flag, history: list[Entry], times: FlagTimes) -> list[str]:
    finding = flag.finding
    return [
        f"Flag {flag.id}: {flag.level} ({flag.state}), rule {flag.rule} of {finding.policy}@{finding.policy_version} "
        f"({finding.legal_force})",
        f"{_about(flag)}; the finding has held since {show.instant(flag.raised_at)}.",
        *(f"  {show.plain(reason)}" for reason in finding.reasons),
        *(f"  Not established: {sentence}" for sentence in finding.not_established),
        f"  Numbers: {show.numbers(finding)}.",
        "Clocks:",
        *clock_lines(times),
        "History:",
        *history_lines(history),
        f"`flopwatch explain {show.plain(flag.tenants[0])}` shows what the numbers rest on.",
    ]


def _about(flag: Flag) -> str:
    if not flag.of_group:
        return f"Tenant {show.plain(flag.tenant)}"
    return f"Group {show.plain(flag.tenant)}, tenants {', '.join(map(show.plain, flag.finding.members))}"
