"""What people are told of flags: of what, how urgently, whom, once; and what goes into one message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from monitor.core.bounds import Bounds
from monitor.core.clocks import Clock, ClockFrom, Seen
from monitor.core.findings import Finding
from monitor.core.flags import Act, Change, Entry, Flag, State, act, reconcile
from monitor.core.model import DAY_MS, HOUR_MS
from monitor.core.notices import (
    Kind,
    Known,
    Limits,
    Made,
    Message,
    Notice,
    Recipient,
    Reminding,
    Telling,
    Terms,
    Told,
    Urgency,
    document,
    force_words,
    is_quiet,
    messages_of,
    notice_from,
    notice_of,
    recipients_of,
    reminders_of,
    resumed_of,
    stored_notice,
    terms_of,
    text,
    times_of,
    title,
    trial_message,
)
from monitor.core.policy import Level
from tests.core.test_estimate import reference

NOW = 1_790_000_000_000
RULE = "ladder.1e25.any"
CALLED = "It is likely on a list of parties with whom nobody may deal."
CLOCK = Clock(15, "calendar", ClockFrom.ALERT, "report to the office")
TELLING = Telling(
    {
        RULE: Terms("provider", None, False),
        "clocked": Terms("provider", CLOCK, False),
        "shadow": Terms("x", None, True),
    },
    (
        Recipient("queue", frozenset({"page", "queue"})),
        Recipient("pager", frozenset({"page"})),
        Recipient("boss", frozenset({"escalation"})),
    ),
)
REMINDING = Reminding(
    (7 * DAY_MS, DAY_MS), {Level.WATCH: 4 * DAY_MS, Level.WARNING: 2 * DAY_MS, Level.CRITICAL: DAY_MS}
)


def finding(level: Level = Level.WARNING, page: str = "", rule: str = RULE, tenant: str = "acme") -> Finding:
    return Finding(
        policy="internal-ladder",
        policy_version=1,
        legal_force="internal",
        rule=rule,
        tenant=tenant,
        level=level,
        measure="model_flop",
        amount=Bounds(1, 2, 3, 4),
        threshold=1,
        raised_at=NOW - DAY_MS,
        reasons=(f"Training compute is {level}.", "The rule looks at every tenant."),
        not_established=("what it is for",),
        page=page,
    )


class Story:
    """A flag that lives, and what people are told of it."""

    def __init__(self, telling: Telling = TELLING) -> None:
        self.flags: dict[str, Flag] = {}
        self.known = Known()
        self.telling = telling
        self.now = NOW

    def find(self, *findings: Finding, after: int = HOUR_MS) -> list[Notice]:
        """What is told when these findings stand, a while later."""
        self.now += after
        return self._tell(reconcile(self.flags, findings, self.now, "The facts changed."))

    def act(self, what: Act) -> list[Notice]:
        (flag,) = self.flags.values()
        return self._tell([act(flag, what, self.now, "A reason.")])

    def _tell(self, changes: Sequence[Change]) -> list[Notice]:
        told = []
        for change in changes:
            self.flags[change.flag.id] = change.flag
            notice = notice_of(change, self.known, self.telling, self.now)
            if notice is not None:
                sinks = recipients_of(notice, self.known, self.telling)
                self.known = self.known._replace(told=[*self.known.told, Told(notice, frozenset(sinks))])
                told.append(notice)
            ends = change.entry.act in (Act.WITHDRAWN, Act.CLOSED)
            self.known = self.known._replace(episode=self.known.episode + ends)
        return told

    def remind(self, after: int) -> list[Notice]:
        """What people are reminded of so long after the latest change; it counts as told."""
        (flag,) = self.flags.values()
        found = reminders_of(flag, self.known, self.telling, REMINDING, self.now + after)
        for notice in found:
            sinks = recipients_of(notice, self.known, self.telling)
            self.known = self.known._replace(told=[*self.known.told, Told(notice, frozenset(sinks))])
        return found


def kinds(notices: Sequence[Notice]) -> list[tuple[Kind, Urgency, Level]]:
    return [(one.kind, one.urgency, one.level) for one in notices]


# -- which changes are told --------------------------------------------------------------------------------------------


def test_a_new_flag_is_told() -> None:
    """With the reason, the numbers of the finding, the legal force, the duty holder and what is not established."""
    (notice,) = Story().find(finding())

    assert (Kind.FIRST, Urgency.QUEUE, Level.WARNING, False) == (*notice[2:4], notice.level, notice.overdue)
    assert "Training compute is warning." == notice.why
    assert ("internal", "provider", ("what it is for",)) == (
        notice.legal_force, notice.duty_holder, notice.not_established,
    )  # fmt: skip
    assert ("internal-ladder@1", RULE, "acme", NOW + HOUR_MS, NOW + HOUR_MS, NOW - DAY_MS) == (
        notice.policy, notice.rule, notice.tenant, notice.at, notice.made_at, notice.raised_at,
    )  # fmt: skip
    assert ("", None) == (notice.clock, notice.due_at)


def test_the_same_news_have_the_same_name_whenever_they_are_told() -> None:
    """A replay at another time, with other numbers, comes to the same name; another level or flag to another."""
    (first,) = Story().find(finding())
    later = Story()
    later.now += DAY_MS
    (again,) = later.find(finding())
    (other,) = Story().find(finding(tenant="bolt"))
    (higher,) = Story().find(finding(Level.CRITICAL))

    assert first.id == again.id
    assert first.made_at != again.made_at
    assert 3 == len({first.id, other.id, higher.id})


def test_only_more_serious_levels_are_told() -> None:
    """Lower ones, notes and mere numbers tell nobody; a level that was told before is not told again."""
    story = Story()

    assert [(Kind.FIRST, Urgency.QUEUE, Level.WATCH)] == kinds(story.find(finding(Level.WATCH)))
    assert [] == story.find(finding(Level.WATCH)._replace(reasons=("Other numbers.",)))
    assert [] == story.act(Act.NOTED)
    assert [(Kind.ESCALATED, Urgency.QUEUE, Level.CRITICAL)] == kinds(story.find(finding(Level.CRITICAL)))
    assert [] == story.find(finding(Level.WARNING))
    assert [] == story.find(finding(Level.WARNING), after=8 * DAY_MS)
    assert {Level.WARNING} == {flag.level for flag in story.flags.values()}
    assert [] == story.find(finding(Level.CRITICAL))


def test_withdrawn_is_told_and_what_stands_again_too() -> None:
    """A flag that comes back is told at its level, and everything after it anew."""
    story = Story()
    story.find(finding())
    story.find(finding(Level.CRITICAL))

    assert [(Kind.WITHDRAWN, Urgency.QUEUE, Level.CRITICAL)] == kinds(gone := story.find())
    assert "The facts changed." == gone[0].why
    assert [(Kind.FIRST, Urgency.QUEUE, Level.WARNING)] == kinds(story.find(finding()))
    assert [(Kind.ESCALATED, Urgency.QUEUE, Level.CRITICAL)] == kinds(story.find(finding(Level.CRITICAL)))
    assert [(Kind.WITHDRAWN, Urgency.QUEUE, Level.CRITICAL)] == kinds(story.find())
    assert 6 == len({one.notice.id for one in story.known.told})


def test_a_closed_flag_that_becomes_more_serious_is_told() -> None:
    """Also at a level that was told before it fell and a person closed it."""
    story = Story()
    story.find(finding(Level.CRITICAL))
    story.find(finding(Level.WARNING))
    story.find(finding(Level.WARNING), after=8 * DAY_MS)

    assert [] == story.act(Act.CLOSED)
    assert [] == story.find(finding(Level.WARNING))
    assert [(Kind.ESCALATED, Urgency.QUEUE, Level.CRITICAL)] == kinds(story.find(finding(Level.CRITICAL)))


def test_a_person_is_called_once() -> None:
    """When the finding says why; also where the level stays, and not again while it stands."""
    story = Story()
    story.find(finding())

    (called,) = story.find(finding(page=CALLED))
    assert (Kind.ESCALATED, Urgency.PAGE, CALLED) == (called.kind, called.urgency, called.why)
    assert [] == story.find(finding(page=CALLED)._replace(reasons=("Other numbers.",)))
    assert [] == story.find(finding())
    assert [] == story.find(finding(page=CALLED))
    assert [(Kind.ESCALATED, Urgency.PAGE, Level.CRITICAL)] == kinds(story.find(finding(Level.CRITICAL, CALLED)))
    assert [(Kind.WITHDRAWN, Urgency.QUEUE, Level.CRITICAL)] == kinds(story.find())


def test_a_call_is_the_first_that_is_told_where_nothing_was() -> None:
    """Of a flag that a replay raised, of which nobody was told."""
    story = Story()
    story.find(finding())
    story.known = Known()

    assert [(Kind.FIRST, Urgency.PAGE, Level.WARNING)] == kinds(story.find(finding(page=CALLED)))


def test_a_new_flag_calls_at_once() -> None:
    """The reason is why somebody is called."""
    (notice,) = Story().find(finding(page=CALLED))

    assert (Kind.FIRST, Urgency.PAGE, CALLED) == (notice.kind, notice.urgency, notice.why)


def test_nobody_is_told_that_what_they_never_heard_of_is_gone() -> None:
    """A flag that was raised while nobody was told."""
    story = Story()
    story.find(finding())
    story.known = Known()

    assert [] == story.find()


def test_shadow_rules_tell_nobody() -> None:
    """Whatever happens to a flag of theirs, reminders included."""
    story = Story()

    assert [] == story.find(finding(rule="shadow"))
    assert [] == story.remind(30 * DAY_MS)
    story.known = Known([Told(notice_at(NOW), frozenset({"queue"}))])
    assert [] == story.remind(30 * DAY_MS)


def test_what_is_told_late_keeps_its_date() -> None:
    """A backlog is told once, as of the instant that it speaks of, and the message says that it comes late."""
    (change,) = reconcile({}, [finding()], NOW, "")
    notice = notice_of(change, Known(), TELLING, NOW + 40 * DAY_MS)

    assert notice is not None
    assert (NOW, NOW + 40 * DAY_MS) == (notice.at, notice.made_at)
    assert "This is told late, on 2026-10-31T14:13:20Z" in text(message(notice))
    assert "told late" not in text(message(notice._replace(made_at=NOW + DAY_MS)))


def test_a_rule_that_is_gone_is_told_of_all_the_same() -> None:
    """Its duty holder is not known, and the notice says why."""
    (notice,) = Story(TELLING._replace(terms={})).find(finding())

    assert "not known: the rule is no longer among the policies" == notice.duty_holder


def test_rules_say_whose_duty_it_is() -> None:
    """Every rule of the policies that are read, and of several versions of a policy the latest."""
    policies = reference().policies
    (first, *_) = policies
    newer = replace(first, version=first.version + 1, duty_holder="developer")

    assert {rule.id for policy in policies for rule in policy.rules} == terms_of(policies).keys()
    assert {first.duty_holder} == {terms_of([first])[rule.id].duty_holder for rule in first.rules}
    assert {"developer"} == {terms_of([newer, first])[rule.id].duty_holder for rule in first.rules}


# -- whom --------------------------------------------------------------------------------------------------------------


def test_each_sink_gets_what_it_takes() -> None:
    """Pages go to whoever takes them, the rest to the queue, what waits for too long to whom things are escalated."""
    (queued,) = Story().find(finding())
    (called,) = Story().find(finding(page=CALLED))
    late = queued._replace(kind=Kind.REMINDER, overdue=True)

    assert ["queue"] == recipients_of(queued, Known(), TELLING)
    assert ["queue", "pager"] == recipients_of(called, Known(), TELLING)
    assert ["queue", "boss"] == recipients_of(late, Known(), TELLING)


def test_withdrawn_goes_to_whom_it_was_told() -> None:
    """To all of them, also where they take pages only, and to nobody else; sinks that are gone are left out."""
    story = Story()
    story.find(finding(page=CALLED))
    (gone,) = story.find()
    before = story.known._replace(episode=0)

    assert ["queue", "pager"] == recipients_of(gone, before, TELLING)
    assert ["pager"] == recipients_of(gone, before, TELLING._replace(recipients=TELLING.recipients[1:]))


# -- reminders ---------------------------------------------------------------------------------------------------------


def test_an_open_flag_is_reminded_of_after_a_while() -> None:
    """After the time for its level, and after twice and four times as long, each once; then it is escalated."""
    story = Story()
    story.find(finding())

    told = [(days, one.overdue, one.why) for days in range(10) for one in story.remind(days * DAY_MS)]

    since = "since the latest news of it, and nobody closed it."
    assert [
        (2, False, f"It has been open for more than 2 days {since}"),
        (4, True, f"It has been open for more than 4 days {since}"),
        (8, True, f"It has been open for more than 8 days {since}"),
    ] == told


def test_of_several_reminders_that_are_late_the_last_is_told() -> None:
    """A process that was away does not tell all at once."""
    story = Story()
    story.find(finding())

    assert ["It has been open for more than 16 days since the latest news of it, and nobody closed it."] == [
        one.why for one in story.remind(20 * DAY_MS)
    ]


def test_news_begin_the_wait_anew() -> None:
    """A flag that has become more serious has the time of its new level from then on; reminders are no news."""
    story = Story()
    story.find(finding(Level.WATCH))
    story.find(finding(Level.CRITICAL), after=3 * DAY_MS)

    assert [] == story.remind(DAY_MS - 1)
    assert ["It has been open for more than 24 hours since the latest news of it, and nobody closed it."] == [
        one.why for one in story.remind(DAY_MS)
    ]
    assert [] == story.remind(DAY_MS + 1)


def test_a_flag_that_calls_is_reminded_of_by_a_call() -> None:
    """While its finding still says why."""
    story = Story()
    story.find(finding(page=CALLED))

    assert [Urgency.PAGE] == [one.urgency for one in story.remind(2 * DAY_MS)]


@pytest.mark.parametrize("what", [Act.CLOSED, Act.WITHDRAWN])
def test_what_is_not_open_is_not_reminded_of(what: Act) -> None:
    """Neither closed nor withdrawn flags."""
    story = Story()
    story.find(finding())
    story.act(what)

    assert [] == story.remind(30 * DAY_MS)


def test_nobody_is_reminded_of_what_nobody_was_told() -> None:
    """A flag of a replay waits until its next change."""
    story = Story()
    story.find(finding())
    story.known = Known()

    assert [] == story.remind(30 * DAY_MS)


def test_people_are_reminded_before_a_clock_runs_out() -> None:
    """A week before, a day before, and when it has run out: then it is escalated."""
    story = Story()
    (first,) = story.find(finding(Level.WATCH, rule="clocked"))
    assert (story.now + 15 * DAY_MS, True) == (first.due_at, first.clock.startswith("Report to the office: due "))

    told = [
        (days, one.overdue, one.why)
        for days in range(20)
        for one in story.remind(days * DAY_MS)
        if not one.why.startswith("It has been open")
    ]

    assert [
        (8, False, "Its clock runs out in less than 7 days."),
        (14, False, "Its clock runs out in less than 24 hours."),
        (15, True, "Its clock has run out."),
    ] == told


def test_a_clock_that_ran_out_before_anybody_was_told_is_not_reminded_of() -> None:
    """What was told says so; only what comes later is an occasion."""
    (change,) = reconcile({}, [finding(rule="clocked")], NOW, "")
    late = notice_of(change, Known(), TELLING, NOW + 40 * DAY_MS)
    assert late is not None
    known = Known([Told(late, frozenset({"queue"}))])

    found = reminders_of(change.flag, known, TELLING, REMINDING, NOW + 41 * DAY_MS)

    assert [] == [one for one in found if "clock" in one.why]


def test_a_clock_from_knowledge_begins_when_somebody_says_so() -> None:
    """Nobody is reminded before; what is said later moves the occasions."""
    clock = CLOCK._replace(since=ClockFrom.KNOWLEDGE, days=3)
    story = Story(TELLING._replace(terms={"clocked": Terms("provider", clock, False)}))
    (first,) = story.find(finding(Level.WATCH, rule="clocked"))
    assert (None, True) == (first.due_at, "has not begun" in first.clock)
    assert [] == story.remind(2 * DAY_MS)

    story.known = story.known._replace(seen=Seen(None, story.now))
    (reminder,) = story.remind(2 * DAY_MS + HOUR_MS)

    assert ("Its clock runs out in less than 24 hours.", story.now + 3 * DAY_MS) == (reminder.why, reminder.due_at)
    (flag,) = story.flags.values()
    assert (NOW - DAY_MS, story.now, None, story.now) == times_of(flag, story.known.seen)


# -- messages ----------------------------------------------------------------------------------------------------------

LIMITS = Limits(60_000, 3)


def notice_at(made_at: int, tenant: str = "acme", page: str = "", rule: str = RULE) -> Notice:
    """A notice of a new flag."""
    (change,) = reconcile({}, [finding(page=page, tenant=tenant, rule=rule)], made_at, "")
    notice = notice_of(change, Known(), TELLING, made_at)
    assert notice is not None or rule == "shadow"
    return notice  # type: ignore[return-value]


def message(*notices: Notice) -> Message:
    (found,) = messages_of("queue", notices, [], NOW + HOUR_MS * 9_999, LIMITS)
    return found


def test_news_of_one_tenant_are_one_message() -> None:
    """Once the oldest of them has waited for more; those of others are messages of their own."""
    notices = [notice_at(NOW, rule="clocked"), notice_at(NOW + 30_000), notice_at(NOW + 1, "bolt")]

    assert [] == messages_of("queue", notices, [], NOW + 59_999, LIMITS)
    (acme,) = messages_of("queue", notices, [], NOW + 60_000, LIMITS)
    both = messages_of("queue", notices, [], NOW + 60_001, LIMITS)

    assert (("acme", "notices"), tuple(notices[:2])) == ((acme.subject, acme.purpose), acme.notices)
    assert ["acme", "bolt"] == [one.subject for one in both]


def test_a_group_and_a_tenant_of_one_name_are_two() -> None:
    """A group may be called after a tenant."""
    group = notice_at(NOW)._replace(id="N-group", members=("acme", "bolt"))

    assert 2 == len(messages_of("queue", [notice_at(NOW), group], [], NOW + 60_000, LIMITS))


def test_a_page_waits_for_nothing() -> None:
    """And takes along what else there is of its tenant."""
    notices = [notice_at(NOW, rule="clocked"), notice_at(NOW, page=CALLED), notice_at(NOW, "bolt")]

    (page,) = messages_of("queue", notices, [], NOW, LIMITS)

    assert (Urgency.PAGE, "acme", 2) == (page.urgency, page.subject, len(page.notices))


def test_what_is_over_the_limit_is_summed_up_in_the_last_message() -> None:
    """Nothing is lost: every notice is in one message."""
    notices = [notice_at(NOW + number, f"t-{number:02}") for number in range(9)]

    made = messages_of("queue", notices, [Made(NOW, Urgency.QUEUE)], NOW + 60_010, LIMITS)

    assert [("notices", "t-00", 1), ("summary", "", 8)] == [
        (one.purpose, one.subject, len(one.notices)) for one in made
    ]
    assert {one.id for one in notices} == {notice.id for one in made for notice in one.notices}


def test_as_many_as_may_be_sent_are_sent_by_themselves() -> None:
    """A summary only where there is more."""
    notices = [notice_at(NOW, f"t-{number}") for number in range(3)]

    assert ["notices"] * 3 == [one.purpose for one in messages_of("queue", notices, [], NOW + 60_000, LIMITS)]


def test_over_the_limit_nothing_is_sent_until_an_hour_has_passed() -> None:
    """Then the first one again; pages have as many of their own."""
    lately = [Made(NOW + number, Urgency.QUEUE) for number in range(3)]
    waiting = [notice_at(NOW)]

    assert [] == messages_of("queue", waiting, lately, NOW + HOUR_MS - 1, LIMITS)
    assert 1 == len(messages_of("queue", waiting, lately, NOW + HOUR_MS, LIMITS))
    assert 1 == len(messages_of("queue", [notice_at(NOW, page=CALLED)], lately, NOW + HOUR_MS - 1, LIMITS))


def test_a_summary_has_an_end() -> None:
    """What does not fit waits for the next; a single tenant's news are never torn."""
    notices = [notice_at(NOW + n, f"t-{n:03}")._replace(id=f"N-{n}") for n in range(501)]
    of_one = [notice_at(NOW)._replace(id=f"N-{n}") for n in range(501)]

    (summary,) = messages_of("queue", notices, [], NOW + HOUR_MS, LIMITS._replace(messages_an_hour=1))
    (whole,) = messages_of("queue", of_one, [], NOW + HOUR_MS, LIMITS._replace(messages_an_hour=1))

    assert (500, 501) == (len(summary.notices), len(whole.notices))


def test_a_message_is_called_after_what_is_in_it() -> None:
    """The same notices for the same sink have the same name, whenever they are put together."""
    one, other = notice_at(NOW), notice_at(NOW, rule="clocked")
    names = [
        messages_of(sink, notices, [], at, LIMITS)[0].id
        for sink, notices, at in [
            ("queue", [one, other], NOW + DAY_MS),
            ("queue", [other, one], NOW + 2 * DAY_MS),
            ("queue", [one], NOW + DAY_MS),
            ("other", [one, other], NOW + DAY_MS),
        ]
    ]

    assert names[0] == names[1]
    assert 3 == len(set(names))


# -- words -------------------------------------------------------------------------------------------------------------


def test_a_message_says_what_it_must() -> None:
    """The tenant, the reason, the rule with its legal force and duty holder, what is not established, the clock."""
    said = text(message(notice_at(NOW, rule="clocked")))

    for sentence in [
        "WARNING flag F-",
        ", tenant acme",
        "Why you are told: Training compute is warning.",
        "The rule looks at every tenant.",
        "Rule clocked of internal-ladder@1: internal, the operator's own rule, no law. Duty holder: provider.",
        "Not established: what it is for.",
        "Report to the office: due 2026-10-06T14:13:20Z (15 calendar days from when it was told).",
        "As of 2026-09-21T14:13:20Z; the finding has held since 2026-09-20T14:13:20Z.",
        "says what it rests on.",
        "no finding says that anybody broke a rule",
    ]:
        assert sentence in said
    assert 1 == said.count("Training compute is warning.")
    assert "violation" not in said.lower()


def test_what_a_rule_leaves_open_is_said_also_where_it_names_nothing() -> None:
    """Compute alone never establishes that a rule was broken; a group says how many it is."""
    bare = notice_at(NOW)._replace(not_established=(), members=("acme", "bolt"))

    assert "Not established: whether anybody broke a rule." in text(message(bare))
    assert ", group acme of 2 tenants" in text(message(bare))


@pytest.mark.parametrize(
    "force", ["in_force", "guidance", "internal", "unenforced", "suspended", "proposed", "rescinded", "research"]
)
def test_every_legal_force_has_words(force: str) -> None:
    """What it means stands behind it."""
    assert force_words(force).startswith(f"{force}, ")
    assert "violat" not in force_words(force)


def test_a_legal_force_without_words_is_shown_as_it_is() -> None:
    """Nothing is made up."""
    assert "martial" == force_words("martial")


def test_titles_name_no_tenant() -> None:
    """They say how urgent it is, how serious and what kind of news; of a summary how many flags."""
    one, other = notice_at(NOW), notice_at(NOW, rule="clocked")
    called = notice_at(NOW, page=CALLED)
    many = [notice_at(NOW + number, f"t-{number}") for number in range(4)]
    (summary,) = messages_of("queue", many, [], NOW + HOUR_MS, LIMITS._replace(messages_an_hour=1))

    assert [
        f"Queue: {one.flag}, warning, new",
        "Queue: 2 flags, warning, new, no longer stands",
        f"Page: {called.flag}, warning, new",
        "Queue: summary of 4 flags, warning at most",
        "Test: how flopwatch tells people",
    ] == [
        title(message(one)),
        title(message(one, other._replace(kind=Kind.WITHDRAWN))),
        title(message(called)),
        title(summary),
        title(trial_message("queue", NOW)),
    ]
    assert "More news than may be sent by itself: 4, a paragraph each." in text(summary)


def test_a_message_as_json() -> None:
    """Instants as text, the notices with all that people must see, and the words."""
    one = notice_at(NOW, rule="clocked")
    made = message(one)
    found = document(made)

    assert (made.id, "notices", "queue", title(made), text(made)) == tuple(
        found[name] for name in ("message", "purpose", "urgency", "title", "text")
    )
    (notice,) = found["notices"]  # type: ignore[misc]
    assert (one.id, "2026-09-21T14:13:20Z", "2026-10-06T14:13:20Z", "internal, the operator's own rule, no law") == (
        notice["notice"], notice["at"], notice["due_at"], notice["force"],
    )  # fmt: skip
    assert {"id", "episode"} & notice.keys() == set()


def test_a_notice_comes_back_from_a_store() -> None:
    """With lists for tuples, as JSON has them."""
    one = notice_at(NOW, page=CALLED)
    fields = {name: list(value) if isinstance(value, tuple) else value for name, value in stored_notice(one).items()}
    back = notice_from(fields)

    assert one == back
    assert (Kind.FIRST, Urgency.PAGE, Level.WARNING) == (back.kind, back.urgency, back.level)
    assert all(isinstance(value, Kind | Urgency | Level) for value in (back.kind, back.urgency, back.level))


def test_entries_of_other_acts_tell_nobody() -> None:
    """A flag that is not open tells nothing, whatever its entry says."""
    (change,) = reconcile({}, [finding(page=CALLED)], NOW, "")
    closed = Change(change.flag._replace(state=State.CLOSED), Entry(change.flag.id, NOW, "", Level.WARNING, ""))

    assert notice_of(closed, Known(), TELLING, NOW) is None


# -- what is suppressed ------------------------------------------------------------------------------------------------


def test_what_is_suppressed_is_told_to_nobody_unless_it_is_worse() -> None:
    """A level that two people saw, or a lower one, is quiet; a higher one is told, and so is what calls somebody."""
    queued, called = notice_at(NOW), notice_at(NOW, page=CALLED)

    assert [False, False, True, True] == [
        is_quiet(queued, level) for level in (None, Level.WATCH, Level.WARNING, Level.CRITICAL)
    ]
    assert not is_quiet(called, Level.CRITICAL)


def test_people_are_told_when_a_suppression_ends() -> None:
    """Of a flag that is still open, once, with the reason; of one that calls somebody as a page."""
    story = Story()
    story.find(finding())
    (flag,) = story.flags.values()
    notice = resumed_of(flag, story.known, TELLING, "S-1", "It ran out.", NOW)

    assert notice is not None
    assert (Kind.REMINDER, Urgency.QUEUE, "It ran out.") == (notice.kind, notice.urgency, notice.why)
    told = story.known._replace(told=[*story.known.told, Told(notice, frozenset({"queue"}))])
    assert None is resumed_of(flag, told, TELLING, "S-1", "It ran out.", NOW + DAY_MS)
    assert None is not resumed_of(flag, told, TELLING, "S-2", "It ran out.", NOW + DAY_MS)
    called = resumed_of(flag._replace(finding=finding(page=CALLED)), told, TELLING, "S-2", "It ran out.", NOW)
    assert called is not None
    assert Urgency.PAGE == called.urgency


def test_nobody_is_told_of_what_no_longer_stands_or_was_never_told() -> None:
    """A flag that was withdrawn or closed meanwhile, and one of a shadow rule."""
    story = Story()
    story.find(finding(rule="shadow"))
    (flag,) = story.flags.values()

    assert None is resumed_of(flag, story.known, TELLING, "S-1", "It ran out.", NOW)
    for state in (State.WITHDRAWN, State.CLOSED):
        gone = flag._replace(rule=RULE, state=state)
        assert None is resumed_of(gone, story.known, TELLING, "S-1", "It ran out.", NOW)
