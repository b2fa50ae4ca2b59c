"""`flopwatch backtest`: what people would have been told under other policies, as text, JSON or a page to print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import click

from monitor.app import backtests
from monitor.app.backtests import Asked, Backtested
from monitor.cli import detection, show
from monitor.cli.options import config_option, json_option, state_option
from monitor.cli.progress import ProgressBar
from monitor.core.model import DAY_MS
from monitor.core.policy import LEVELS
from monitor.draw.axes import day
from monitor.draw.days import Lane, Mark, days
from monitor.draw.page import Section, page
from monitor.run.backtest import OTHER, PRESENT, Difference, Kind, Outcome, Told, Under
from monitor.run.documents import bounds_document, finding_document
from monitor.settings import load_settings

SENTENCES = {
    Kind.NEW: "Nobody was told of these under the policies in force.",
    Kind.GONE: "People were told of these, and would not have been.",
    Kind.CHANGED: "Flagged either way, but at another level or on another day.",
}
HEAD = ("first told", "who", "rule", "level", "before", "amount", "why")
UNDER = "Just under the line"
UNDER_SENTENCE = (
    "Those in a rule's scope that come nearest to its threshold at the end without a flag of it: is the line where it "
    "should be? The share is the high bound's."
)
UNDER_HEAD = ("rule", "who", "of the threshold", "amount", "why")


def _midnight(_context: click.Context, _parameter: click.Parameter, value: datetime | None) -> int | None:
    return None if value is None else round(value.replace(tzinfo=UTC).timestamp() * 1_000)


def _evening(context: click.Context, parameter: click.Parameter, value: datetime | None) -> int | None:
    return None if value is None else _midnight(context, parameter, value + timedelta(days=1))


DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--policy",
    metavar="FILE",
    help="The policy file to try; with --shadow a policy that is loaded, as ID or ID@VERSION.",
)
@click.option("--scenarios", is_flag=True, help="Play the simulated fleets, whose truth is known, instead of facts.")
@click.option("--shadow", is_flag=True, help="What shadow rules would have said, had people been told.")
@click.option(
    "--below",
    type=click.IntRange(0, 1_000),
    default=0,
    metavar="N",
    help="Show N tenants or groups just under each threshold, too.",
)
@click.option(
    "--from", "since", type=DAY, callback=_midnight, help="The first day to look at (default: that of the first fact)."
)
@click.option(
    "--to", "until", type=DAY, callback=_evening, help="The last day to look at (default: that of the last fact)."
)
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the report as one page to this file, too."
)
@state_option
@json_option
@config_option
def backtest(
    paths: tuple[str, ...],
    policy: str | None,
    scenarios: bool,
    shadow: bool,
    below: int,
    since: int | None,
    until: int | None,
    html: Path | None,
    state: Path | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Play the facts of the store, or event files, day by day as they came, under another policy file.

    It says who would be flagged, who would not, and who at another level, and on which day first. Nothing is written
    to the store, and nobody is told.
    """
    if scenarios:
        if paths or shadow or below or since or until or html or state:
            raise click.UsageError("With --scenarios give --policy, --json and --config alone.")
        detection.show_scenarios(load_settings(config), policy, as_json)
        return
    if policy is None and not shadow and not below:
        raise click.UsageError("Name a policy file with --policy, or ask with --shadow, --below N or --scenarios.")
    if paths and state is not None:
        raise click.UsageError("Give event files or a store with --state, not both.")
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--to is a day before --from; give a later one.")
    settings = load_settings(config)
    with ProgressBar("Playing", quiet=as_json) as bar:
        found = backtests.backtest(settings, Asked(policy, shadow, below, since, until), list(paths), state, bar)
    for sentence in found.remarks:
        click.echo(show.plain(sentence), err=True)
    if html is not None:
        _write(html, as_page(found))
    if as_json:
        show.document(as_document(found))
    else:
        click.echo(as_text(found))


def _write(path: Path, content: str) -> None:
    try:
        path.write_text(content, "utf-8")
    except OSError as problem:
        raise click.UsageError(
            f"The page {path} cannot be written: {(problem.strerror or 'no reason given').lower()}; name another file."
        ) from None


# -- as JSON -----------------------------------------------------------------------------------------------------------


def as_document(found: Backtested) -> dict[str, Any]:
    """What `backtest --json` prints."""
    outcome = found.outcome
    return {
        "title": found.title,
        "from": show.instant(outcome.first),
        "to": show.instant(outcome.last),
        "facts": outcome.facts,
        "late": outcome.late,
        "flags": {view: outcome.flags[view] for view in (PRESENT, OTHER)},
        **{
            kind.value.replace(" ", "_"): [_difference(one) for one in outcome.differences if one.kind is kind]
            for kind in Kind
        },
        "under": [
            {
                "rule": one.finding.rule,
                "who": one.finding.tenant,
                "per_mille": one.per_mille,
                "threshold": one.threshold,
                "amount": bounds_document(one.finding.amount),
                "reason": one.finding.reasons[-1],
                "tenants": list(one.finding.members),
            }
            for one in outcome.under
        ],
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "first_told": show.instant(one.told.first),
        "late_facts": one.told.late,
        **finding_document(one.told.finding),
        "who": one.told.flag.tenant,
        "before": _levels(one.before),
        "after": _levels(one.after),
    }


def _levels(told: Told | None) -> dict[str, str]:
    """Each level that was given -> when it was given first."""
    return (
        {} if told is None else {level.value: show.instant(told.days[level]) for level in LEVELS if level in told.days}
    )


# -- as text -----------------------------------------------------------------------------------------------------------


def as_text(found: Backtested) -> str:
    """The same for people."""
    parts = [show.plain(found.title), *_counts(found)]
    for section in _kinds(found):
        if section.some:
            parts += ["", f"{section.heading} ({len(section.some)}). {section.sentence}"]
            parts += [line for one in section.some for line in _lines(one)]
    if found.outcome.under:
        parts += [
            "",
            f"{UNDER}. {UNDER_SENTENCE}",
            "",
            show.table(UNDER_HEAD[:-1], map(_under_cells, found.outcome.under)),
        ]
    return "\n".join(parts)


def _counts(found: Backtested) -> list[str]:
    """What was played, and how much came of it."""
    outcome = found.outcome
    late = f", {outcome.late:,} of them late" if outcome.late else ""
    lines = [
        f"Played {outcome.facts:,} facts{late}; looked at every day from {day(outcome.first)} to {day(outcome.last)}."
    ]
    weeks = max(DAY_MS, outcome.last - outcome.first) / (7 * DAY_MS)
    raised = f"{outcome.flags[OTHER]:,} flags ({outcome.flags[OTHER] / weeks:.1f} a week)"
    if found.asked.shadow:
        lines.append(f"Had people been told, there would have been {raised}.")
    elif found.asked.policy is None:
        lines.append(f"The policies in force raised {raised}.")
    else:
        numbers = ((kind, sum(one.kind is kind for one in outcome.differences)) for kind in Kind)
        lines.append(
            f"The policies in force raised {outcome.flags[PRESENT]:,} flags; with this one there are {raised}."
        )
        lines.append(", ".join(f"{number:,} {kind}" for kind, number in numbers) + ".")
    if any(one.told.late for one in outcome.differences):
        lines.append("Some facts came late; the flags that they may have moved say so.")
    return lines


class _OfKind(NamedTuple):
    """The differences of a kind, with what they are called."""

    heading: str
    sentence: str
    some: Sequence[Difference]


def _kinds(found: Backtested) -> list[_OfKind]:
    """The kinds that there can be."""
    if found.asked.shadow:
        return [_OfKind("Would have been flagged", "Nobody was told of these.", found.outcome.differences)]
    if found.asked.policy is None:
        return []
    by_kind = {kind: [one for one in found.outcome.differences if one.kind is kind] for kind in Kind}
    return [_OfKind(kind.capitalize(), SENTENCES[kind], some) for kind, some in by_kind.items()]


def _lines(one: Difference) -> Iterable[str]:
    told = one.told
    yield f"{day(told.first)}  {told.level.upper()}  {show.subject(told.finding)}  {told.finding.rule} ({_force(told)})"
    if one.before is not None and one.after is not None:
        yield f"    before: {_by_day(one.before)}; now: {_by_day(one.after)}"
    yield f"    {show.numbers(told.finding)}"
    yield from (f"    {show.plain(sentence)}" for sentence in _reasons(told))


def _force(told: Told) -> str:
    return told.finding.legal_force


def _by_day(told: Told | None) -> str:
    """Each level with its day."""
    return (
        "" if told is None else ", ".join(f"{level} {day(told.days[level])}" for level in LEVELS if level in told.days)
    )


def _reasons(told: Told) -> Sequence[str]:
    late = ("Facts about it came late: with them in time people would have been told on another day.",)
    return (*told.finding.reasons, *(late if told.late else ()))


def _under_cells(one: Under) -> tuple[str, str, str, str]:
    return (
        one.finding.rule,
        show.subject(one.finding),
        f"{one.per_mille / 10:.1f} per cent",
        f"{show.flop_range(one.finding.amount)} of {show.flop(one.threshold)} {show.UNITS[one.finding.measure]}",
    )


# -- as a page ---------------------------------------------------------------------------------------------------------


def as_page(found: Backtested) -> str:
    """The same as one file of HTML."""
    outcome = found.outcome
    sections = [
        Section(
            f"{one.heading} ({len(one.some)})", one.sentence if one.some else "None.", HEAD, list(map(_row, one.some))
        )
        for one in _kinds(found)
    ]
    if outcome.under:
        rows = [(*_under_cells(one), show.plain(one.finding.reasons[-1])) for one in outcome.under]
        sections.append(Section(UNDER, UNDER_SENTENCE, UNDER_HEAD, rows))
    return page(show.plain(found.title), _counts(found), _picture(outcome), sections)


def _row(one: Difference) -> tuple[str, ...]:
    told = one.told
    return (
        day(told.first),
        show.subject(told.finding),
        f"{told.finding.rule} ({_force(told)})",
        _by_day(one.after) or "none",
        _by_day(one.before) or "none",
        show.numbers(told.finding),
        " ".join(map(show.plain, _reasons(told))),
    )


def _picture(outcome: Outcome) -> str:
    if not outcome.differences:
        return ""
    title = "When what differs was told"
    sides = (
        ("before", [one.before for one in outcome.differences]),
        ("now", [one.after for one in outcome.differences]),
    )
    lanes = [Lane(name, [mark for told in side if told is not None for mark in _marks(told)]) for name, side in sides]
    return days(title, lanes, outcome.first, outcome.last)


def _marks(told: Told) -> Iterable[Mark]:
    what = f"{show.subject(told.finding)}, {told.finding.rule}"
    return (Mark(at, level.value, f"{level}, {what}") for level, at in told.days.items())
