"""What people are told of flags, how much of a hurry it is, and what goes into one message.

A notice is one sentence's worth of news about one flag: it stands for the first time (again), it has become more
serious, it waits for too long, it no longer stands. Its name follows from the flag, the kind and which occurrence of it
this is, so that whoever comes to it twice tells it once. An episode of a flag ends when it is withdrawn or closed:
what was told before says nothing about what stands after.

A message is what one receiver gets at once. Its name follows from what is in it, and stays while it is sent again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from monitor.core.clocks import UNSEEN, Clock, Due, Seen, Times, due_of, due_sentence, instant
from monitor.core.flags import Act, Change, Flag, State
from monitor.core.model import DAY_MS, HOUR_MS
from monitor.core.policy import LEVELS, Level, Policy, by_rule

RAISED = "raised"  # the first line of a flag's history
SUMMARY_NOTICES_MAX = 500
NOTHING_ESTABLISHED = "whether anybody broke a rule"

# What the legal force of a rule means for whoever is told; nothing here says that a rule was broken.
FORCE = {
    "in_force": "a rule that is in force",
    "guidance": "guidance, which binds nobody",
    "internal": "the operator's own rule, no law",
    "unenforced": "a rule that nobody enforces",
    "suspended": "a rule that is suspended",
    "proposed": "a rule that was proposed and binds nobody",
    "rescinded": "a rule that was taken back",
    "research": "a number from research, no rule",
}


class Kind(StrEnum):
    """Why somebody is told."""

    FIRST = "first"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    WITHDRAWN = "withdrawn"


class Urgency(StrEnum):
    """How much of a hurry it is."""

    PAGE = "page"  # somebody is called, also at night
    QUEUE = "queue"  # it waits for working hours


ESCALATION = "escalation"  # what a sink may take beside pages and the queue: reminders of what waits for too long


class Notice(NamedTuple):
    """One piece of news about one flag. Instants in milliseconds."""

    id: str
    flag: str
    kind: Kind
    urgency: Urgency
    overdue: bool  # it waits for too long: those are told, too, to whom things are escalated
    level: Level
    policy: str  # with its version
    rule: str
    legal_force: str
    duty_holder: str
    tenant: str  # of a group: its name
    members: tuple[str, ...]  # the tenants of a group
    episode: int  # of the flag
    at: int  # the instant of the books that it speaks of
    made_at: int  # by the wall clock
    raised_at: int  # from when on the finding has held
    why: str  # the stated reason
    reasons: tuple[str, ...]  # of the finding
    not_established: tuple[str, ...]
    clock: str  # a sentence about what must be done by when; "": nothing
    due_at: int | None


class Told(NamedTuple):
    """A notice, and whom it is for."""

    notice: Notice
    sinks: frozenset[str]


class Terms(NamedTuple):
    """What a rule says of the duties that it speaks of."""

    duty_holder: str
    clock: Clock | None
    shadow: bool  # people are not told of its findings


GONE = Terms("not known: the rule is no longer among the policies", None, False)


def terms_of(policies: Iterable[Policy]) -> dict[str, Terms]:
    """What the rules of policies say, by rule; of several versions of a policy the latest that counts."""
    return {
        name: Terms(policy.duty_holder, rule.clock, rule.shadow) for name, (policy, rule) in by_rule(policies).items()
    }


class Recipient(NamedTuple):
    """A sink, and what it takes: page, queue, escalation."""

    name: str
    takes: frozenset[str]


class Telling(NamedTuple):
    """Who is told, and what the rules say that a finding does not."""

    terms: Mapping[str, Terms]  # by rule
    recipients: tuple[Recipient, ...]


class Known(NamedTuple):
    """What is known of a flag before it changes."""

    told: Sequence[Told] = ()
    episode: int = 0  # how often it was withdrawn or closed
    seen: Seen = UNSEEN

    @property
    def now(self) -> list[Notice]:
        """What was told of it in this episode."""
        return [one.notice for one in self.told if one.notice.episode == self.episode]

    @property
    def sinks(self) -> frozenset[str]:
        """Whom that was for."""
        return frozenset().union(*(one.sinks for one in self.told if one.notice.episode == self.episode))


class Reminding(NamedTuple):
    """When people are reminded. In milliseconds."""

    before: tuple[int, ...]  # a clock runs out
    queue: Mapping[Level, int]  # how long a flag may be open


class Limits(NamedTuple):
    """How many messages a sink gets."""

    group_ms: int  # how long a message waits for more news of the same tenant; a page does not
    messages_an_hour: int  # at most; pages have as many of their own


NOTICES, SUMMARY, TRIAL = "notices", "summary", "test"  # what a message is for


class Message(NamedTuple):
    """What a sink gets at once."""

    id: str
    sink: str
    purpose: str
    subject: str  # the tenant, or group, that all of it is about; "" of a summary
    urgency: Urgency
    made_at: int  # milliseconds
    notices: tuple[Notice, ...]  # one at least, in the order in which they were made


# -- notices ---------------------------------------------------------------------------------------------------------


def notice_of(change: Change, known: Known, telling: Telling, made_at: int) -> Notice | None:
    """What people are told of a change of a flag; None: nothing, since it is a mere note, lower, or told already."""
    flag, entry = change
    what = _news(change, known)
    if what is None or telling.terms.get(flag.rule, GONE).shadow:
        return None
    kind, occurrence, why = what
    page = kind is not Kind.WITHDRAWN and bool(flag.finding.page)
    notice = _notice(flag, kind, f"{occurrence}/{known.episode}", why, known, telling, made_at)
    notice = notice._replace(at=entry.at, urgency=Urgency.PAGE if page else Urgency.QUEUE)
    return None if any(one.notice.id == notice.id for one in known.told) else notice


def _news(change: Change, known: Known) -> tuple[Kind, str, str] | None:
    """The kind of news, what tells it from others of that kind, and the stated reason."""
    flag, entry = change
    if entry.act == Act.WITHDRAWN:
        return (Kind.WITHDRAWN, "", entry.reason) if known.now else None
    if flag.state is not State.OPEN or entry.act == Act.NOTED:
        return None
    why = flag.finding.page or entry.reason
    if entry.act in (RAISED, Act.RETURNED):
        return Kind.FIRST, flag.level, why
    if entry.act == Act.ESCALATED:
        return Kind.ESCALATED, flag.level, why
    if flag.finding.page and not any(one.urgency is Urgency.PAGE for one in known.now):
        return Kind.ESCALATED if known.now else Kind.FIRST, Urgency.PAGE, why
    return None


def _notice(flag: Flag, kind: Kind, occurrence: str, why: str, known: Known, telling: Telling, made_at: int) -> Notice:
    """A notice of the queue."""
    finding, terms = flag.finding, telling.terms.get(flag.rule, GONE)
    due = due_of_flag(flag, terms, known.seen)
    return Notice(
        f"N-{_hash(flag.id, kind, occurrence)}",
        flag.id,
        kind,
        Urgency.QUEUE,
        False,
        flag.level,
        f"{finding.policy}@{finding.policy_version}",
        flag.rule,
        finding.legal_force,
        terms.duty_holder,
        flag.tenant,
        finding.members,
        known.episode,
        made_at,
        made_at,
        finding.raised_at,
        why,
        finding.reasons,
        finding.not_established,
        "" if due is None else due_sentence(due),
        None if due is None else due.due_at,
    )


def due_of_flag(flag: Flag, terms: Terms, seen: Seen) -> Due | None:
    """The clock of a flag's rule; None: it has none."""
    return None if terms.clock is None else due_of(terms.clock, times_of(flag, seen), flag.finding.legal_force)


def times_of(flag: Flag, seen: Seen) -> Times:
    """The four instants of a flag."""
    return Times(flag.finding.raised_at, flag.told_at, *seen)


def resumed_of(flag: Flag, known: Known, telling: Telling, suppression: str, why: str, now: int) -> Notice | None:
    """What people are told when a suppression ends while its flag is open; None: nothing, or that was told."""
    if flag.state is not State.OPEN or telling.terms.get(flag.rule, GONE).shadow:
        return None
    notice = _notice(flag, Kind.REMINDER, f"resumed {suppression}", why, known, telling, now)
    notice = notice._replace(urgency=Urgency.PAGE if flag.finding.page else Urgency.QUEUE)
    return None if any(one.notice.id == notice.id for one in known.told) else notice


def is_quiet(notice: Notice, suppressed_at: Level | None) -> bool:
    """Whether nobody is told of this: the flag is suppressed, at a level (None: it is not), and it is not more serious.

    Somebody who would be called is called all the same.
    """
    if suppressed_at is None or notice.urgency is Urgency.PAGE:
        return False
    return LEVELS.index(notice.level) <= LEVELS.index(suppressed_at)


def recipients_of(notice: Notice, known: Known, telling: Telling) -> list[str]:
    """The sinks that a notice is for; that something no longer stands is for those alone who were told that it did."""
    if notice.kind is Kind.WITHDRAWN:
        return [one.name for one in telling.recipients if one.name in known.sinks]
    wanted = {str(notice.urgency)} | ({ESCALATION} if notice.overdue else set())
    return [one.name for one in telling.recipients if wanted & one.takes]


def reminders_of(flag: Flag, known: Known, telling: Telling, reminding: Reminding, now: int) -> list[Notice]:
    """What people are reminded of now. Only open flags of which somebody was told; each occasion once.

    A clock that had run out before anybody was told is in what they were told. Of several occasions that have passed
    the latest alone counts.
    """
    told = [one for one in known.now if one.kind is not Kind.REMINDER]
    terms = telling.terms.get(flag.rule, GONE)
    if flag.state is not State.OPEN or not told or terms.shadow:
        return []
    since = max(one.made_at for one in told)
    occasions = [_of_clock(flag, terms, known.seen, reminding, since, now), _of_queue(flag, reminding, since, now)]
    urgency = Urgency.PAGE if flag.finding.page else Urgency.QUEUE
    made = (
        _notice(flag, Kind.REMINDER, f"{occurrence}/{known.episode}", why, known, telling, now)._replace(
            urgency=urgency, overdue=overdue
        )
        for occurrence, why, overdue in (one for one in occasions if one is not None)
    )
    before = {one.notice.id for one in known.told}
    return [notice for notice in made if notice.id not in before]


Occasion = tuple[str, str, bool]  # which, why, whether it waits for too long


def _of_clock(flag: Flag, terms: Terms, seen: Seen, reminding: Reminding, since: int, now: int) -> Occasion | None:
    due = due_of_flag(flag, terms, seen)
    if due is None or due.due_at is None:
        return None
    passed = [before for before in (*reminding.before, 0) if since < due.due_at - before <= now]
    if not passed:
        return None
    before = min(passed)
    why = f"Its clock runs out in less than {_long(before)}." if before else "Its clock has run out."
    return f"due {due.due_at} {before}", why, not before


def _of_queue(flag: Flag, reminding: Reminding, since: int, now: int) -> Occasion | None:
    """After a stated time, after twice that time, four times and so on."""
    limit, age, times = reminding.queue[flag.level], now - since, 0
    if age < limit:
        return None
    while limit << (times + 1) <= age:
        times += 1
    why = f"It has been open for more than {_long(limit << times)} since the latest news of it, and nobody closed it."
    return f"queue {flag.level} {since} {times}", why, times > 0


def _long(milliseconds: int) -> str:
    if milliseconds % DAY_MS == 0 and milliseconds > DAY_MS:
        return f"{milliseconds // DAY_MS} days"
    hours = milliseconds // HOUR_MS
    return f"{hours} hour{'s' * (hours != 1)}"


# -- messages --------------------------------------------------------------------------------------------------------


class Made(NamedTuple):
    """A message that was made before."""

    at: int  # milliseconds
    urgency: Urgency


def messages_of(sink: str, waiting: Iterable[Notice], made: Sequence[Made], now: int, limits: Limits) -> list[Message]:
    """The messages to be made now of notices that are in none; `made`: those of the last hour.

    News of one tenant are one message. Where there are more of them than may be sent, the last one that may be sent
    sums the rest up; where none may be sent any more, they wait.
    """
    groups: dict[tuple[str, bool], list[Notice]] = {}
    for notice in sorted(waiting, key=lambda one: (one.made_at, one.at, one.id)):
        groups.setdefault((notice.tenant, bool(notice.members)), []).append(notice)
    found: list[Message] = []
    for urgency in Urgency:
        due = [
            group
            for group in groups.values()
            if _urgency(group) is urgency and (urgency is Urgency.PAGE or now - group[0].made_at >= limits.group_ms)
        ]
        lately = sum(one.urgency is urgency and one.at > now - HOUR_MS for one in made)
        found += _within(sink, due, limits.messages_an_hour - lately, urgency, now)
    return found


def _within(sink: str, groups: Sequence[list[Notice]], budget: int, urgency: Urgency, now: int) -> list[Message]:
    if budget <= 0:
        return []
    alone = len(groups) if len(groups) <= budget else budget - 1
    messages = [_message(sink, NOTICES, group[0].tenant, urgency, now, group) for group in groups[:alone]]
    rest: list[Notice] = []
    for group in groups[alone:]:
        if rest and len(rest) + len(group) > SUMMARY_NOTICES_MAX:
            break
        rest += group
    return messages + ([_message(sink, SUMMARY, "", urgency, now, rest)] if rest else [])


def _message(sink: str, purpose: str, subject: str, urgency: Urgency, now: int, notices: Sequence[Notice]) -> Message:
    name = f"M-{_hash(sink, *(one.id for one in notices))}"
    return Message(name, sink, purpose, subject, urgency, now, tuple(notices))


def trial_message(sink: str, now: int) -> Message:
    """A message that says that it is a test."""
    why = "This is a test of how people are told; no flag is behind it."
    notice = Notice(
        f"N-{_hash(sink, TRIAL, str(now))}", "F-000000000000", Kind.FIRST, Urgency.QUEUE, False, Level.WATCH, "test@1",
        "test", "internal", "nobody", "a tenant that does not exist", (), 0, now, now, now, why, (), (), "", None,
    )  # fmt: skip
    return _message(sink, TRIAL, notice.tenant, Urgency.QUEUE, now, [notice])


def _urgency(group: Iterable[Notice]) -> Urgency:
    return Urgency.PAGE if any(one.urgency is Urgency.PAGE for one in group) else Urgency.QUEUE


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


# -- words -----------------------------------------------------------------------------------------------------------

_KINDS = {
    Kind.FIRST: "new",
    Kind.ESCALATED: "more serious",
    Kind.REMINDER: "a reminder",
    Kind.WITHDRAWN: "no longer stands",
}


def title(message: Message) -> str:
    """A line that names no tenant: it is shown where anybody may look."""
    if message.purpose == TRIAL:
        return "Test: how flopwatch tells people"
    level = max((one.level for one in message.notices), key=LEVELS.index)
    flags = sorted({one.flag for one in message.notices})
    how = "Page" if message.urgency is Urgency.PAGE else "Queue"
    if message.purpose == SUMMARY:
        return f"{how}: summary of {len(flags)} flags, {level} at most"
    kinds = sorted({one.kind for one in message.notices}, key=list(Kind).index)
    which = flags[0] if len(flags) == 1 else f"{len(flags)} flags"
    return f"{how}: {which}, {level}, {', '.join(_KINDS[kind] for kind in kinds)}"


def text(message: Message) -> str:
    """The whole message in words."""
    if message.purpose == SUMMARY:
        head = [f"More news than may be sent by itself: {len(message.notices)}, a paragraph each.", ""]
    else:
        head = []
    parts = "\n\n".join("\n".join(_lines(one)) for one in message.notices)
    return "\n".join([*head, parts, "", f"Message {message.id}. Estimates, and questions to people: no finding says"
                      " that anybody broke a rule."]) + "\n"  # fmt: skip


def _lines(notice: Notice) -> list[str]:
    whose = f"group {notice.tenant} of {len(notice.members)} tenants" if notice.members else f"tenant {notice.tenant}"
    lines = [
        f"{notice.level.upper()} flag {notice.flag} ({_KINDS[notice.kind]}), {whose}",
        f"Why you are told: {notice.why}",
        *(reason for reason in notice.reasons if reason != notice.why),
        f"Rule {notice.rule} of {notice.policy}: {force_words(notice.legal_force)}. Duty holder: {notice.duty_holder}.",
        f"Not established: {'; '.join(notice.not_established) or NOTHING_ESTABLISHED}.",
        *([notice.clock] if notice.clock else []),
        f"As of {instant(notice.at)}; the finding has held since {instant(notice.raised_at)}.",
    ]
    if notice.made_at - notice.at > DAY_MS:
        lines.append(f"This is told late, on {instant(notice.made_at)}: what it rests on was read only then.")
    return [*lines, f"Notice {notice.id}; `flopwatch explain {notice.flag}` says what it rests on."]


def force_words(legal_force: str) -> str:
    """A legal force, and what it means."""
    return f"{legal_force}, {FORCE[legal_force]}" if legal_force in FORCE else legal_force


def document(message: Message) -> dict[str, object]:
    """The message as JSON."""
    return {
        "message": message.id,
        "purpose": message.purpose,
        "urgency": str(message.urgency),
        "title": title(message),
        "made_at": instant(message.made_at),
        "notices": [notice_document(one) for one in message.notices],
        "text": text(message),
    }


def notice_document(notice: Notice) -> dict[str, object]:
    """A notice as JSON, its instants as people write them."""
    fields: dict[str, object] = notice._asdict() | {"notice": notice.id, "force": force_words(notice.legal_force)}
    del fields["id"], fields["episode"]
    for name in ("at", "made_at", "raised_at", "due_at"):
        value = fields[name]
        fields[name] = instant(value) if isinstance(value, int) else value
    return fields


def stored_notice(notice: Notice) -> dict[str, object]:
    """A notice as a store keeps it."""
    return notice._asdict()


def notice_from(fields: Mapping[str, object]) -> Notice:
    """What `stored_notice` made these fields of, lists for tuples."""
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    notice = Notice(**values)  # type: ignore[arg-type]
    return notice._replace(kind=Kind(notice.kind), urgency=Urgency(notice.urgency), level=Level(notice.level))
