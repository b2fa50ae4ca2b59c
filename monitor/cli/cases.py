"""`flopwatch cases`: what people do about flags, from claiming a case to its decision, and whom that takes.

There is no sign-in on the command line: whoever acts is named with --by, and the store keeps that name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from monitor.app import decisions, views
from monitor.cli import show
from monitor.cli.options import config_option, json_option, state_option
from monitor.core.cases import (
    CLAIM_MINUTES,
    SAMPLE_PER_CENT,
    Act,
    Body,
    Case,
    CaseEvent,
    Outcome,
    State,
)
from monitor.core.clocks import instant
from monitor.core.model import HOUR_MS
from monitor.core.policy import LEVELS
from monitor.core.sight import FIELD as SIGHT
from monitor.core.suppression import Suppression
from monitor.core.workload import Month
from monitor.run.casework import AsItWas, Conclusion, Desk, Looked, Story
from monitor.run.documents import row_document, shown_events, story_document, suppression_document
from monitor.run.reports import report_document
from monitor.settings import load_settings
from monitor.store import CaseRow, Wanted

Command = TypeVar("Command", bound=Callable[..., Any])
Given = tuple[Path | None, Path | None]  # store and settings, where they stand before the command's own name

HELP = "\n\n".join(
    [
        "List cases that people have something to do about: level first, then what is due, then compute.",
        "A case gathers the flags of one party. To close one that ever had a warning, a critical flag or a flag of a "
        "rule about who somebody is takes two people: the first one's `decide` is a proposal, another one's `approve` "
        "closes it; the store refuses the same person. So does every suppression.",
        "There is no sign-in on the command line: --by names whoever acts, and the store keeps that name.",
    ]
)
OUTCOMES = [str(outcome) for outcome in Outcome]

by_option = click.option("--by", "person", required=True, help="Who does this.")
seen_option = click.option(
    "--seen", type=int, metavar="N", help="The latest event of the case that you looked at; refused if there are more."
)


def on_case(command: Command) -> Command:
    """The argument and options of a command on one case."""
    for option in (config_option, state_option, seen_option, by_option, click.argument("case")):
        command = option(command)
    return command


@click.group(invoke_without_command=True, help=HELP)
@click.option("--all", "with_hidden", is_flag=True, help="Those too that are snoozed or suppressed.")
@click.option("--decided", is_flag=True, help="Those that are decided, the latest first.")
@click.option("--level", type=click.Choice([str(level) for level in LEVELS]), help="Only those at this level.")
@click.option("--case-state", type=click.Choice([str(one) for one in State]), help="Only those in this state.")
@click.option("--person", help="Only those that are assigned to or held by this person.")
@click.option("--subject", help="Only those of this party, like 'party acme' or 'tenant t-7'; decided ones too.")
@click.option("--senior", is_flag=True, help="Only those that were escalated.")
@click.option("--proposed", is_flag=True, help="Only those that wait for a second person.")
@click.option("--held", is_flag=True, help="Only those under legal hold, decided ones too.")
@click.option("--to-review", is_flag=True, help="Only those whose decision waits for a blind second review.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most.")
@state_option
@json_option
@config_option
@click.pass_context
def cases(
    context: click.Context,
    with_hidden: bool,
    decided: bool,
    level: str | None,
    case_state: str | None,
    person: str | None,
    subject: str | None,
    senior: bool,
    proposed: bool,
    held: bool,
    to_review: bool,
    limit: int,
    state: Path | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """List cases."""
    context.obj = (state, config)
    if context.invoked_subcommand is not None:
        return
    wanted = Wanted(
        with_hidden, decided, level, case_state, person, None, senior or None, subject, proposed, to_review, None,
        limit, held,
    )  # fmt: skip
    with decisions.desk(load_settings(config), state) as desk:
        now = desk.now()
        page = desk.cases.queue(wanted, now)
    if as_json:
        show.document([row_document(row, now, blind=to_review) for row in page.rows])
    elif not page.rows:
        click.echo("No cases.")
    else:
        click.echo(_table(page.rows, now, blind=to_review))
        click.echo("\n`flopwatch cases show CASE` says all there is." + (" There are more." if page.after else ""))


@cases.command("show")
@click.argument("case")
@click.option("--blind", is_flag=True, help="Without what was decided: for whoever reviews it.")
@click.option("--as-it-was", type=int, metavar="N", help="As whoever decided or proposed at event N saw it.")
@state_option
@json_option
@config_option
@click.pass_obj
def show_case(
    given: Given,
    case: str,
    blind: bool,
    as_it_was: int | None,
    state: Path | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Say all there is of CASE: its flags, clocks, history, proposals, and other cases of the same party."""
    with _desk(given, state, config) as desk:
        if as_it_was is None:
            story, now = desk.story(case), desk.now()
        else:
            then = desk.as_it_was(case, as_it_was)
            story, now = then.story, then.act.at
            click.echo(_as_it_was_line(then), err=as_json)
    if as_json:
        show.document(story_document(story, now, blind))
    else:
        click.echo("\n".join(story_lines(story, now, blind)))


@cases.command("next")
@by_option
@click.option("--minutes", type=int, default=CLAIM_MINUTES, show_default=True, help="How long the claim lasts.")
@state_option
@config_option
@click.pass_obj
def next_case(given: Given, person: str, minutes: int, state: Path | None, config: Path | None) -> None:
    """Claim what comes first and nobody holds, as `cases claim` does."""
    with _desk(given, state, config) as desk:
        found = desk.next(person, minutes)
    click.echo("Nothing waits for anybody." if found is None else _said(found))


@cases.command()
@click.option("--minutes", type=int, default=CLAIM_MINUTES, show_default=True, help="How long it lasts without an act.")
@on_case
@click.pass_obj
def claim(given: Given, /, minutes: int, **options: Any) -> None:
    """Take CASE over, which says that you looked at its flags."""
    with _desk(given, options["state"], options["config"]) as desk:
        click.echo(_said(desk.claim(options["case"], options["person"], minutes, _looked(options))))


@cases.command()
@on_case
@click.pass_obj
def release(given: Given, /, **options: Any) -> None:
    """Give CASE back to the queue."""
    _do(given, options, Act.RELEASED, {})


@cases.command()
@on_case
@click.pass_obj
def begin(given: Given, /, **options: Any) -> None:
    """Begin to investigate CASE."""
    _do(given, options, Act.BEGUN, {})


@cases.command()
@click.option("--to", "whom", required=True, help="Who is to do it.")
@on_case
@click.pass_obj
def assign(given: Given, /, whom: str, **options: Any) -> None:
    """Say who is to do CASE; nobody else may claim it then."""
    _do(given, options, Act.ASSIGNED, {"to": whom.strip()})


@cases.command()
@click.option("--reason", required=True, help="Why it needs somebody senior.")
@on_case
@click.pass_obj
def escalate(given: Given, /, reason: str, **options: Any) -> None:
    """Hand CASE to somebody senior."""
    _do(given, options, Act.ESCALATED, {"why": reason})


@cases.command()
@click.option("--text", required=True, help="What there is to know.")
@on_case
@click.pass_obj
def note(given: Given, /, text: str, **options: Any) -> None:
    """Write something down on CASE."""
    _do(given, options, Act.NOTED, {"text": text})


@cases.command()
@click.option("--until", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The day on which it is back.")
@click.option("--reason", required=True, help="Why nothing can be done before.")
@on_case
@click.pass_obj
def snooze(given: Given, /, until: datetime, reason: str, **options: Any) -> None:
    """Take CASE off the queue until a day; a higher level or another flag brings it back before."""
    _do(given, options, Act.SNOOZED, {"until": _day(until), "why": reason})


@cases.command()
@click.option("--whom", required=True, help="Who is asked.")
@click.option("--what", required=True, help="What is asked.")
@click.option("--due", required=True, type=click.DateTime(["%Y-%m-%d"]), help="When the answer is due.")
@on_case
@click.pass_obj
def ask(given: Given, /, whom: str, what: str, due: datetime, **options: Any) -> None:
    """Write down that somebody was asked for information about CASE."""
    _do(given, options, Act.ASKED, {"whom": whom, "what": what, "due_at": _day(due)})


@cases.command()
@click.option("--what", required=True, help="What the answer was.")
@on_case
@click.pass_obj
def answer(given: Given, /, what: str, **options: Any) -> None:
    """Write down what was answered."""
    _do(given, options, Act.ANSWERED, {"what": what})


@cases.command()
@click.option("--outcome", required=True, type=click.Choice(OUTCOMES), help="What it comes to.")
@click.option("--reason", required=True, help="Why, as a sentence at least, which others can check.")
@click.option("--policy", required=True, help="The policy that it rests on, with its version: internal-ladder@1.")
@click.option("--rule", required=True, help="The rule of that policy.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="When an authorisation ends.")
@click.option("--scope", default="", help="What an authorisation is for.")
@click.option("--quantity", default="", help="How much it allows.")
@on_case
@click.pass_obj
def decide(
    given: Given,
    /,
    outcome: str,
    reason: str,
    policy: str,
    rule: str,
    until: datetime | None,
    scope: str,
    quantity: str,
    **options: Any,
) -> None:
    """Decide CASE, which closes its flags; where that takes two people, propose it."""
    ends = None if until is None else _day(until)
    conclusion = Conclusion(Outcome(outcome), reason.strip(), policy, rule, ends, scope.strip(), quantity.strip())
    with _desk(given, options["state"], options["config"]) as desk:
        click.echo(_said(desk.decide(options["case"], options["person"], conclusion, _looked(options))))


@cases.command()
@click.option("--rule", required=True, help="Which rule.")
@click.option(
    "--until", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The day on which it ends at the latest."
)
@click.option("--reason", required=True, help="Why, as a sentence at least, which others can check.")
@click.argument("case")
@by_option
@state_option
@config_option
@click.pass_obj
def suppress(
    given: Given,
    case: str,
    rule: str,
    until: datetime,
    reason: str,
    person: str,
    state: Path | None,
    config: Path | None,
) -> None:
    """Propose that nobody is told of a rule on CASE for a while: 180 days at most, 30 where a list or a critical
    headquarters rule is in it. It ends before that when the level rises, the estimate doubles, or the party's list
    entries, owners or payer change.
    """
    where = load_settings(config or given[1]), state or given[0]
    click.echo(_said(decisions.suppress_rule(*where, case, person, rule, _day(until), reason.strip())))


@cases.command()
@on_case
@click.pass_obj
def approve(given: Given, /, **options: Any) -> None:
    """Approve what somebody else proposed of CASE."""
    with _desk(given, options["state"], options["config"]) as desk:
        click.echo(_said(desk.approve(options["case"], options["person"], _looked(options))))


@cases.command()
@click.option("--reason", required=True, help="Why not.")
@on_case
@click.pass_obj
def refuse(given: Given, /, reason: str, **options: Any) -> None:
    """Refuse what somebody else proposed of CASE, or withdraw what you proposed."""
    with _desk(given, options["state"], options["config"]) as desk:
        click.echo(_said(desk.drop(options["case"], options["person"], reason, _looked(options))))


@cases.command()
@click.option("--reason", required=True, help="Why the decision does not hold, as a sentence at least.")
@on_case
@click.pass_obj
def reverse(given: Given, /, reason: str, **options: Any) -> None:
    """Take the decision of CASE back: it and its flags are open again; the decision stays on record."""
    with _desk(given, options["state"], options["config"]) as desk:
        click.echo(_said(desk.reverse(options["case"], options["person"], reason.strip(), _looked(options))))


@cases.command()
@click.option("--reason", required=True, help="Why it must be kept, as a sentence at least.")
@on_case
@click.pass_obj
def hold(given: Given, /, reason: str, **options: Any) -> None:
    """Put CASE under legal hold: what it and its party rest on is kept until two people end that."""
    _do(given, options, Act.HELD, {"why": reason.strip()})


@cases.command()
@click.option("--reason", required=True, help="Why it need not be kept any more, as a sentence at least.")
@on_case
@click.pass_obj
def free(given: Given, /, reason: str, **options: Any) -> None:
    """Propose to end the legal hold of CASE; somebody else's `approve` ends it."""
    with _desk(given, options["state"], options["config"]) as desk:
        click.echo(_said(desk.free(options["case"], options["person"], reason.strip(), options["seen"])))


@cases.command()
@click.argument("case")
@by_option
@click.option("--outcome", required=True, type=click.Choice(OUTCOMES), help="What you would have decided.")
@click.option("--reason", required=True, help="Why, as a sentence at least.")
@state_option
@config_option
@click.pass_obj
def review(
    given: Given,
    case: str,
    person: str,
    outcome: str,
    reason: str,
    state: Path | None,
    config: Path | None,
) -> None:
    """Review the decision of CASE blindly: `cases --to-review` lists what waits, `cases show --blind` shows it."""
    with _desk(given, state, config) as desk:
        found = desk.review(case, person, Outcome(outcome), reason.strip()).review
    assert found is not None
    click.echo(f"{case} is reviewed: {'the same outcome' if found.agrees else 'another outcome'}.")


@cases.command()
@click.option("--all", "with_ended", is_flag=True, help="Those too that have ended.")
@state_option
@json_option
@config_option
@click.pass_obj
def suppressed(given: Given, with_ended: bool, state: Path | None, as_json: bool, config: Path | None) -> None:
    """List what nobody is told of for a while, and who decided that."""
    with _desk(given, state, config) as desk:
        found = desk.cases.suppressions(with_ended)
    if as_json:
        show.document([suppression_document(row) for row in found])
    elif not found:
        click.echo("Nothing is suppressed.")
    else:
        head = ("suppression", "case", "whom", "rule", "level", "until", "by", "why it ended")
        click.echo(show.table(head, [_suppression_cells(row.suppression, row.ended) for row in found]))


@cases.command()
@state_option
@json_option
@config_option
@click.pass_obj
def stats(given: Given, state: Path | None, as_json: bool, config: Path | None) -> None:
    """Say what rules led to, whether reviewers agree, how old is what waits, and how the last months went.

    Precision of a rule: of the decided cases with a flag of it, the share that came to authorised, unexplained or
    referred: somebody had to answer for something. Explained and data_error count against it.
    """
    found = views.report(load_settings(config or given[1]), state or given[0])
    if as_json:
        show.document(report_document(found))
        return
    reviews = {name: found.reviews.get(name, 0) for name in ("agreed", "disagreed", "waiting")}
    lines = ["What waits, by age: " + ", ".join(f"{name} {count}" for name, count in found.ages.items()) + "."]
    lines.append(
        f"Blind second reviews ({SAMPLE_PER_CENT} per cent of closures): {reviews['agreed']} agreed, "
        f"{reviews['disagreed']} did not, {reviews['waiting']} wait."
    )
    rules = [(one.rule, str(one.decided), f"{one.precision:.2f}", _outcomes_cell(one.outcomes)) for one in found.rules]
    lines += [show.table(("rule", "decided", "precision", "outcomes"), rules) if rules else "Nothing is decided yet."]
    worked = [_month_cells(one) for one in found.months if one.opened or one.decided]
    if worked:
        lines += ["", show.table(("month", "opened", "decided", "to a claim", "to a decision", "unseen"), worked)]
    click.echo("\n".join(lines))


def _month_cells(one: Month) -> tuple[str, ...]:
    decided = _outcomes_cell(one.decided) or "-"
    hours = [None if at is None else at / HOUR_MS for at in (one.to_claim, one.to_decision, one.unseen)]
    return one.name, str(one.opened), decided, *("-" if at is None else f"{at:.1f} h" for at in hours)


def _outcomes_cell(outcomes: Mapping[str, int]) -> str:
    return ", ".join(f"{outcome} {count}" for outcome, count in sorted(outcomes.items()))


# -- what is printed ---------------------------------------------------------------------------------------------------


def _desk(given: Given, state: Path | None, config: Path | None) -> Any:
    return decisions.desk(load_settings(config or given[1]), state or given[0])


def _looked(options: dict[str, Any]) -> Looked | None:
    """What whoever acts says that they looked at."""
    return None if options["seen"] is None else Looked(options["seen"])


def _do(given: Given, options: dict[str, Any], what: Act, body: Body) -> None:
    """One act, and what the case is after it."""
    with _desk(given, options["state"], options["config"]) as desk:
        assert isinstance(desk, Desk)
        click.echo(_said(desk.do(options["case"], options["person"], what, body, _looked(options))))


def _day(day: datetime) -> int:
    return round(day.replace(tzinfo=UTC).timestamp() * 1000)


def _said(case: Case) -> str:
    held = f"; {case.claimed_by} holds it until {instant(case.claimed_until)}" if case.claimed_by else ""
    held += "; it is under legal hold" if case.held else ""
    waits = f"; what {case.proposal.by} proposed waits for another person" if case.proposal else ""
    return show.plain(f"{case.id} ({case.subject}) is {case.state}{held}{waits}.")


def _table(found: list[CaseRow], now: int, blind: bool) -> str:
    head = ("case", "level", "state", "whom", "since", "due", "FLOP", "who")
    return show.table(
        head,
        [
            (
                row.id,
                row.level,
                _state_cell(row, now, blind),
                row.subject,
                instant(row.opened_at),
                "-" if row.due_at is None else instant(row.due_at),
                show.flop(row.tera * 10**12),
                row.holder(now) or row.assigned or "-",
            )
            for row in found
        ],
    )


def _state_cell(row: CaseRow, now: int, blind: bool) -> str:
    if row.outcome is not None and not blind:
        return f"{row.state}: {row.outcome}"
    if row.proposed_by is not None:
        return f"{row.state}, proposed"
    if row.suppressed_until > now:
        return f"{row.state}, suppressed"
    return f"{row.state}, snoozed" if row.snoozed_until > now else row.state


def _as_it_was_line(then: AsItWas) -> str:
    """Whose sight it is, and whether it is to be trusted."""
    whose = f"As {then.act.actor} saw it, who on {instant(then.act.at)} did this: {then.act.act}."
    altered = "" if then.as_recorded else " What is kept is NOT what the event says was seen: it was altered since."
    return show.plain(whose + altered)


def story_lines(story: Story, now: int, blind: bool) -> list[str]:
    """All of a case in words."""
    case, times = story.case, story.times
    holder = f", held by {case.holder(now)} until {instant(case.claimed_until)}" if case.holder(now) else ""
    lines = [
        show.plain(f"{case.id}: {case.subject}, {case.level}, {case.state}{holder}. Event {case.number}."),
        "To close it takes two people." if case.two_people else "One person may close it.",
        *(["It is under legal hold: what it rests on is kept."] if case.held else []),
        "Clocks:",
        *(f"  {name}: {'-' if at is None else instant(at)}" for name, at in times._asdict().items()),
        "Flags:",
        *(show.plain(f"  {flag.id} {flag.level} {flag.state}: {flag.finding.reasons[0]}") for flag in story.flags),
        "What happened:",
        *(show.plain(f"  {_event_line(event)}") for event in shown_events(story, blind)),
    ]
    sighted = [event.number for event in shown_events(story, blind) if SIGHT in event.body]
    if sighted:
        lines += [f"  `flopwatch cases show {case.id} --as-it-was {sighted[-1]}`: the case as was seen at that event."]
    if story.others:
        lines += ["Other cases of the same party:"]
        lines += [show.plain(f"  {row.id} {row.level} {_state_cell(row, now, blind)}") for row in story.others]
    return lines


def _event_line(event: CaseEvent) -> str:
    said = {name: value for name, value in event.body.items() if value not in (None, "", []) and name != SIGHT}
    words = "; ".join(f"{name} {_value(name, value)}" for name, value in said.items() if not isinstance(value, dict))
    return f"{event.number}. {instant(event.at)} {event.actor}: {event.act}" + (f" ({words})" if words else "")


def _value(name: str, value: object) -> object:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return instant(value) if isinstance(value, int) and name.endswith(("_at", "until")) else value


def _suppression_cells(one: Suppression, ended: str | None) -> tuple[str, ...]:
    people = f"{one.proposed_by}, {one.approved_by}"
    return one.id, one.case, one.subject, one.rule, one.saw.level, instant(one.until), people, ended or "-"
