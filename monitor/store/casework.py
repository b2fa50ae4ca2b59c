"""Cases in the store: their events, which are only ever added, and what the queue reads, in one transaction.

The number of an event is the fence: of two people who act on what they saw at the same moment one writes, the other is
told who was first. That two people are two is a constraint of the tables.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, and_, func, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from monitor.core.audit import NAMED, canonical
from monitor.core.cases import SYSTEM, Act, Case, CaseEvent, Outcome, Review, State, fold
from monitor.core.clocks import Seen, instant
from monitor.core.flags import Flag
from monitor.core.flags import State as FlagState
from monitor.core.model import DAY_MS
from monitor.core.notices import Telling, recipients_of, resumed_of
from monitor.core.policy import LEVELS, Level
from monitor.core.sight import sight_hash
from monitor.core.suppression import Suppression, standing_body, standing_from
from monitor.core.workload import Backlog, Undecided, Worked, backlog
from monitor.errors import CaseProblem
from monitor.store import rows
from monitor.store.auditing import append, remember, without_names
from monitor.store.case_rows import (
    AGES,
    Approval,
    CasePage,
    CaseRow,
    Deed,
    RuleFlags,
    Statistics,
    SuppressionRow,
    Tally,
    Verdict,
    Wanted,
)
from monitor.store.database import Database, insert_new
from monitor.store.outgoing import News, known_of, news_of, seen_of, write_news
from monitor.store.rows import canonical_json
from monitor.store.schema import (
    APPROVALS,
    AUTHORISED_UNTIL,
    CASE_EVENTS,
    CASE_FLAGS,
    CASE_LIVES,
    CASE_SIGHTS,
    CASES,
    FLAG_HISTORY,
    FLAGS,
    HOLDS,
    HOME,
    REVIEW_WAITS,
    SUPPRESSIONS,
    UNANSWERED,
    UNENDED,
    UNFREED,
)
from monitor.store.texts import original, storable
from monitor.store.writing import Writer

NO_DUE = 2**62  # in the order of the queue: whatever has nothing due comes last
NAMES_AT_ONCE = 500
# What the tables refuse, by what the database says of it -> as a sentence.
REFUSED = (
    (
        "approvals_other_person",
        "Whoever proposed this cannot approve or refuse it: it takes another person, and the store refuses the same.",
    ),
    (
        "cases_two_people",
        "To close this case takes two different people: the store refuses one, or the same one twice.",
    ),
    ("holds_two_people", "To end a legal hold takes two different people: the store refuses the same one twice."),
    ("suppressions_two_people", "A suppression takes two different people: the store refuses the same one twice."),
    ("cases_other_reviewer", "Whoever decided a case cannot review it blindly: the store refuses the same person."),
    ("cases_one_live", "The party has another case that is not decided: go on there, or decide that one first."),
    ("cases.subject", "The party has another case that is not decided: go on there, or decide that one first."),
    ("suppressions_holding", "This rule is suppressed for the party already."),
    ("suppressions.subject", "This rule is suppressed for the party already."),
)

PEOPLE = frozenset({"to", "proposed_by"})  # what an act says of other people


class Casework:
    """The cases of a store."""

    __slots__ = ("_database", "_writer")

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    # -- writing -------------------------------------------------------------------------------------------------

    def write(self, deeds: Sequence[Deed], at: int, telling: Telling | None = None) -> None:
        """Write everything or nothing; `telling`: who is told of flags that are suppressed no longer.

        Raises:
            CaseProblem: somebody else was first, a flag stands otherwise by now, or it takes another person.
            StoreProblem: the database cannot be written; nothing has changed.
        """
        if not deeds:
            return
        with self._database.writing() as connection, refusals():
            for deed in deeds:
                self._add_events(connection, deed)
                self._write_proposal(connection, deed, at)
                self._write_holds(connection, deed)
                self._write_case(connection, deed)
                self._check_flags(connection, deed.saw)
                if deed.sight is not None:
                    self._keep_sight(connection, deed.case.id, deed.sight)
                self._write_flags(connection, deed)
                if deed.suppression is not None:
                    self._suppress(connection, deed.suppression)
                if deed.ended:
                    self._end(connection, deed.ended, at, telling)
            changes = [change for deed in deeds for change in deed.changes]
            news = news_of(connection, changes, telling, at)
            self._writer.flags(connection, changes)
            write_news(connection, self._database, news)
            _audit(connection, [event for deed in deeds for event in deed.events])
            journal = [
                entry._replace(body=without_names(connection, entry.body)) for deed in deeds for entry in deed.journal
            ]
            self._writer.journal(connection, journal, at, own=False)

    def _add_events(self, connection: Connection, deed: Deed) -> None:
        """The first statement of the transaction: from here on nobody else comes in between."""
        for event in deed.events:
            row = {
                "case_id": event.case,
                "number": event.number,
                "at": event.at,
                "act": event.act.value,
                "actor": storable(event.actor),
                "body": storable(canonical_json(event.body)),
            }
            insert = insert_new(self._database, CASE_EVENTS).returning(CASE_EVENTS.c.number)
            if connection.execute(insert, row).first() is None:
                raise CaseProblem(self._who_was_first(connection, event))

    def _who_was_first(self, connection: Connection, event: CaseEvent) -> str:
        table = CASE_EVENTS.c
        query = select(table.actor, table.act, table.at)
        first = connection.execute(query.where(table.case_id == event.case, table.number == event.number)).one()
        return (
            f"{original(first.actor)} was first: case {event.case} was {first.act} at {instant(first.at)}. Nothing of "
            f"this was written; look at the case again."
        )

    def _write_case(self, connection: Connection, deed: Deed) -> None:
        row, is_new = _case_row(deed.case), any(event.number == 1 for event in deed.events)
        if is_new:
            connection.execute(CASES.insert(), row)
        elif connection.execute(update(CASES).where(CASES.c.id == deed.case.id).values(row)).rowcount != 1:
            raise CaseProblem(f"Case {deed.case.id} is no longer kept: its period has passed.")

    def _check_flags(self, connection: Connection, saw: Sequence[Flag]) -> None:
        """Whoever decides must have seen the flags as they are; until the end they stay so."""
        table = FLAGS.c
        for flag in saw:
            query = select(table.level, table.state).where(table.id == flag.id)
            level, state = connection.execute(query.with_for_update()).one()
            if (level, state) != (flag.level, flag.state):
                raise CaseProblem(f"Flag {flag.id} is {level} and {state} by now: look at the case again.")

    def _keep_sight(self, connection: Connection, case_id: str, sight: Mapping[str, object]) -> None:
        """Whoever looks twice at the same sees the same."""
        row = {"case_id": case_id, "hash": sight_hash(sight), "body": canonical(sight)}
        connection.execute(insert_new(self._database, CASE_SIGHTS), row)

    def _write_flags(self, connection: Connection, deed: Deed) -> None:
        table, mine = CASE_FLAGS.c, CASE_FLAGS.c.case_id == deed.case.id
        for event in deed.events:
            body = event.body
            if event.act is Act.FLAGGED:
                self._add_flag(connection, deed.case, body)
            elif event.act is Act.CHANGED:
                values = {"level": body["level"], "state": body["state"]}
                connection.execute(update(CASE_FLAGS).where(mine, table.flag == body["flag"]).values(values))
            elif event.act is Act.DECIDED:
                closed = {"state": FlagState.CLOSED.value, "suppression": None}
                connection.execute(update(CASE_FLAGS).where(mine).values(closed))
            elif event.act is Act.SUPPRESSED:
                of_rule = update(CASE_FLAGS).where(mine, table.rule == body["rule"])
                connection.execute(of_rule.values(suppression=body["suppression"]))
            elif event.act in (Act.REOPENED, Act.REVERSED):
                self._come_home(connection, deed.case)

    def _add_flag(self, connection: Connection, case: Case, body: Mapping[str, object]) -> None:
        table = CASE_FLAGS.c
        connection.execute(update(CASE_FLAGS).where(table.flag == body["flag"], HOME).values(home=False))
        holds = select(SUPPRESSIONS.c.id).where(
            SUPPRESSIONS.c.case_id == case.id, SUPPRESSIONS.c.rule == body["rule"], UNENDED
        )
        row = {name: body[name] for name in ("flag", "rule", "level", "state")}
        suppression = connection.execute(holds).scalar()
        whole = {"case_id": case.id, **row, "home": True, "suppression": suppression}
        connection.execute(_upsert(self._database.shared, CASE_FLAGS), whole)

    def _come_home(self, connection: Connection, case: Case) -> None:
        """A case that is open again has its flags, wherever they were meanwhile."""
        table = CASE_FLAGS.c
        mine = select(table.flag).where(table.case_id == case.id).scalar_subquery()
        connection.execute(update(CASE_FLAGS).where(table.flag.in_(mine), HOME).values(home=False))
        connection.execute(update(CASE_FLAGS).where(table.case_id == case.id).values(home=True))

    def _write_proposal(self, connection: Connection, deed: Deed, at: int) -> None:
        for event in deed.events:
            if event.act is Act.PROPOSED:
                row = {
                    "case_id": event.case,
                    "number": event.number,
                    "kind": event.body["kind"],
                    "body": storable(canonical_json(event.body["what"])),
                    "proposed_by": storable(event.actor),
                    "proposed_at": event.at,
                }
                connection.execute(APPROVALS.insert(), row)
        if deed.verdict is not None:
            self._answer(connection, deed.case.id, deed.verdict, at)

    def _answer(self, connection: Connection, case_id: str, verdict: Verdict, at: int) -> None:
        table = APPROVALS.c
        waiting = update(APPROVALS).where(table.case_id == case_id, table.number == verdict.number, UNANSWERED)
        by = None if verdict.by is None else storable(verdict.by)
        connection.execute(waiting.values(answered_by=by, answered_at=at, verdict=verdict.verdict))

    def _write_holds(self, connection: Connection, deed: Deed) -> None:
        for event in deed.events:
            if event.act is Act.HELD:
                row = {"case_id": event.case, "number": event.number, "held_by": storable(event.actor)}
                connection.execute(HOLDS.insert(), row | {"held_at": event.at})
            elif event.act is Act.FREED:
                by, second = storable(str(event.body["proposed_by"])), storable(event.actor)
                standing = update(HOLDS).where(HOLDS.c.case_id == event.case, UNFREED)
                connection.execute(standing.values(freed_at=event.at, freed_by=by, seconded_by=second))

    def _suppress(self, connection: Connection, one: Suppression) -> None:
        row = {
            "id": one.id,
            "case_id": one.case,
            "subject": storable(one.subject),
            "rule": one.rule,
            "since": one.since,
            "until": one.until,
            "saw": storable(canonical_json(standing_body(one.saw))),
            "reason": storable(one.reason),
            "proposed_by": storable(one.proposed_by),
            "approved_by": storable(one.approved_by),
        }
        connection.execute(SUPPRESSIONS.insert(), row)

    def _end(self, connection: Connection, ended: Mapping[str, str], at: int, telling: Telling | None) -> None:
        for name, why in ended.items():
            mine = CASE_FLAGS.c.suppression == name
            flags = connection.execute(
                select(*FLAGS.columns).join(CASE_FLAGS, CASE_FLAGS.c.flag == FLAGS.c.id).where(mine)
            )
            self._tell_again(connection, [rows.flag_of(row) for row in flags], name, why, at, telling)
            connection.execute(update(CASE_FLAGS).where(mine).values(suppression=None))
            connection.execute(update(SUPPRESSIONS).where(SUPPRESSIONS.c.id == name).values(ended_at=at, ended=why))

    def _tell_again(
        self, connection: Connection, flags: Sequence[Flag], name: str, why: str, at: int, telling: Telling | None
    ) -> None:
        if telling is None:
            return
        known = known_of(connection, [flag.id for flag in flags])
        notices = [
            notice for flag in flags if (notice := resumed_of(flag, known[flag.id], telling, name, why, at)) is not None
        ]
        news = [News(notice, recipients_of(notice, known[notice.flag], telling)) for notice in notices]
        write_news(connection, self._database, news)

    # -- reading -------------------------------------------------------------------------------------------------

    def events(self, case_id: str) -> list[CaseEvent]:
        """What happened to a case, in order; none: there is no such case."""
        return self._events([case_id]).get(case_id, [])

    def case(self, case_id: str) -> Case | None:
        """A case as it stands; None: there is none of that name."""
        events = self.events(case_id)
        return fold(events) if events else None

    def _events(self, names: Collection[str]) -> dict[str, list[CaseEvent]]:
        found: dict[str, list[CaseEvent]] = {}
        table = CASE_EVENTS.c
        for part in _parts(names):
            query = select(*CASE_EVENTS.columns).where(table.case_id.in_(part)).order_by(table.case_id, table.number)
            for case_id, number, at, act, actor, body in self._all(query):
                event = CaseEvent(case_id, number, at, Act(act), original(actor), json.loads(original(body)))
                found.setdefault(case_id, []).append(event)
        return found

    def queue(self, wanted: Wanted, now: int) -> CasePage:
        """Cases in the order in which people should look at them: level, what is due first, compute.

        Decided ones: the latest first, without pages.
        """
        table = CASES.c
        query = select(*CASES.columns).where(*_conditions(wanted, now)).limit(wanted.limit + 1)
        if wanted.decided:
            query = query.order_by(table.decided_at.desc(), table.id)
        else:
            order = (table.rank, table.due_order, table.compute_order, table.id)
            query = query.order_by(*order)
            if wanted.after is not None:
                query = query.where(tuple_(*order) > tuple_(*wanted.after))
        found = [_row(row) for row in self._all(query)]
        more = len(found) > wanted.limit and not wanted.decided
        return CasePage(found[: wanted.limit], found[wanted.limit - 1].cursor if more else None)

    def unfinished(self) -> list[Case]:
        """All cases that people have something to do about, and those under legal hold."""
        held = select(HOLDS.c.case_id).where(UNFREED)
        found = self._all(select(CASES.c.id).where(or_(CASE_LIVES, CASES.c.id.in_(held))))
        return [fold(events) for events in self._events([row[0] for row in found]).values()]

    def tally(self, wanted: Wanted, now: int) -> Tally:
        """How many cases a queue has, on all its pages together, and when the oldest of them was opened."""
        query = select(func.count(), func.min(CASES.c.opened_at)).where(*_conditions(wanted, now))
        return Tally(*self._all(query)[0])

    def of_subject(self, subject: str) -> list[CaseRow]:
        """All cases of a party, the earliest first."""
        query = select(*CASES.columns).where(CASES.c.subject == storable(subject))
        return [_row(row) for row in self._all(query.order_by(CASES.c.opened_at, CASES.c.id))]

    def home_of(self, flag: str) -> Case | None:
        """The case that a flag is looked at in now, or was last; None: it is on none."""
        found = self._all(select(CASE_FLAGS.c.case_id).where(CASE_FLAGS.c.flag == flag, HOME))
        return self.case(found[0][0]) if found else None

    def flags_of(self, case: Case) -> list[Flag]:
        """The flags of a case as they are now, by id."""
        return self._flags(case.flags)

    def flags_by_case(self, names: Collection[str]) -> dict[str, list[Flag]]:
        """The flags of some cases as they are now, by case and id."""
        found: dict[str, list[Flag]] = {name: [] for name in names}
        for part in _parts(names):
            joined = select(CASE_FLAGS.c.case_id, *FLAGS.columns).join(CASE_FLAGS, CASE_FLAGS.c.flag == FLAGS.c.id)
            for case_id, *row in self._all(joined.where(CASE_FLAGS.c.case_id.in_(part)).order_by(FLAGS.c.id)):
                found[case_id].append(rows.flag_of(row))
        return found

    def _flags(self, names: Collection[str]) -> list[Flag]:
        found = []
        for part in _parts(names):
            query = select(*FLAGS.columns).where(FLAGS.c.id.in_(part)).order_by(FLAGS.c.id)
            found += [rows.flag_of(row) for row in self._all(query)]
        return found

    def history_lines(self, flags: Collection[str]) -> dict[str, int]:
        """How many lines the history of each of these flags has."""
        table, found = FLAG_HISTORY.c, dict.fromkeys(flags, 0)
        for part in _parts(flags):
            query = select(table.flag, func.count()).where(table.flag.in_(part)).group_by(table.flag)
            found |= dict(map(tuple, self._all(query)))
        return found

    def sight(self, case_id: str, hash: str) -> dict[str, Any] | None:
        """What somebody saw of a case; None: it is not kept."""
        table = CASE_SIGHTS.c
        found = self._all(select(table.body).where(table.case_id == case_id, table.hash == hash))
        return json.loads(found[0].body) if found else None

    def ungathered(self) -> list[Flag]:
        """Flags that stand and are on no case, and those that are otherwise than their case knows."""
        known, flag = CASE_FLAGS.c, FLAGS.c
        joined = FLAGS.outerjoin(CASE_FLAGS, and_(known.flag == flag.id, HOME))
        alone = and_(known.flag.is_(None), flag.state != FlagState.CLOSED.value)
        moved = or_(known.level != flag.level, known.state != flag.state)
        query = select(*FLAGS.columns).select_from(joined).where(or_(alone, moved))
        return [rows.flag_of(row) for row in self._all(query)]

    def concerned(self, flags: Collection[str], subjects: Collection[str], now: int) -> list[Case]:
        """The cases that have any of these flags, those of these parties, those whose authorisation has ended, and all
        other cases of the parties of those.
        """
        table = CASES.c
        parties = set(subjects)
        for part in _parts(flags):
            query = select(table.subject).join(CASE_FLAGS, CASE_FLAGS.c.case_id == table.id)
            parties |= {original(row[0]) for row in self._all(query.where(CASE_FLAGS.c.flag.in_(part)))}
        ended = select(table.subject).where(AUTHORISED_UNTIL, table.expires_at <= now)
        parties |= {original(row[0]) for row in self._all(ended)}
        names: list[str] = []
        for part in _parts({storable(subject) for subject in parties}):
            names += [row[0] for row in self._all(select(table.id).where(table.subject.in_(part)))]
        return [fold(events) for events in self._events(names).values()]

    def seen(self) -> dict[str, Seen]:
        """By flag what people said of who looked at it and who knew."""
        with self._database.reading() as connection:
            return seen_of(connection)

    def holding(self) -> list[Suppression]:
        """The suppressions that have not ended."""
        return [one.suppression for one in self.suppressions(ended=False)]

    def suppressions(self, ended: bool = True) -> list[SuppressionRow]:
        """All suppressions, or those that have not ended, the latest first."""
        table = SUPPRESSIONS.c
        query = select(*SUPPRESSIONS.columns).order_by(table.since.desc(), table.id)
        return [_suppression(row) for row in self._all(query if ended else query.where(UNENDED))]

    def approvals(self, case_id: str) -> list[Approval]:
        """What was proposed of a case, in order, and what became of it."""
        table = APPROVALS.c
        found = self._all(select(*APPROVALS.columns).where(table.case_id == case_id).order_by(table.number))
        return [
            Approval(
                row.case_id, row.number, row.kind, json.loads(original(row.body)), original(row.proposed_by),
                row.proposed_at, None if row.answered_by is None else original(row.answered_by), row.answered_at,
                row.verdict,
            )
            for row in found
        ]  # fmt: skip

    def statistics(self, now: int) -> Statistics:
        """How the work on cases goes: what rules led to, whether reviewers agree, and how old is what waits."""
        table = CASES.c
        once = (
            select(CASE_FLAGS.c.rule, table.outcome, table.id)
            .join(CASE_FLAGS, CASE_FLAGS.c.case_id == table.id)
            .where(table.outcome.is_not(None))
            .distinct()
            .subquery()
        )
        outcomes: dict[str, dict[str, int]] = {}
        for rule, outcome, count in self._all(
            select(once.c.rule, once.c.outcome, func.count()).group_by(once.c.rule, once.c.outcome)
        ):
            outcomes.setdefault(rule, {})[outcome] = count
        reviews = self._all(select(table.review, func.count()).where(table.review.is_not(None)).group_by(table.review))
        aged = [func.count().filter(table.opened_at <= now - first * DAY_MS) for first, _ in AGES]
        (older,) = self._all(select(*aged).where(CASE_LIVES, table.suppressed_until <= now))
        ages = {name: older[place] - sum(older[place + 1 : place + 2]) for place, (_, name) in enumerate(AGES)}
        return Statistics(outcomes, dict(map(tuple, reviews)), ages)

    def backlog(self, now: int) -> Backlog:
        """What waits for people at an instant of the wall clock, and what they have decided."""
        table = CASES.c
        times = table.opened_at, table.claimed_until, table.snoozed_until, table.suppressed_until
        undecided = [
            Undecided(State(state), Level(level), max(waits), due_at)
            for state, level, due_at, *waits in self._all(
                select(table.state, table.level, table.due_at, *times).where(CASE_LIVES)
            )
        ]
        outcomes = self._all(
            select(table.outcome, func.count()).where(table.outcome.is_not(None)).group_by(table.outcome)
        )
        ends = [row[0] for row in self._all(select(SUPPRESSIONS.c.until).where(UNENDED))]
        return backlog(undecided, dict(map(tuple, outcomes)), ends, now)

    def flags_by_rule(self, since: Sequence[int]) -> dict[str, RuleFlags]:
        """By rule how many flags are open at each level, and how many people were told of since some instants."""
        table, found = FLAGS.c, dict[str, RuleFlags]()
        is_open = func.count().filter(table.state == FlagState.OPEN.value)
        told = [func.count().filter(table.told_at >= at) for at in since]
        for rule, level, standing, *counts in self._all(
            select(table.rule, table.level, is_open, *told).group_by(table.rule, table.level)
        ):
            before = found.get(rule, RuleFlags({}, (0,) * len(since)))
            now = {**before.standing, level: standing} if standing else before.standing
            found[rule] = RuleFlags(now, tuple(map(sum, zip(before.since, counts, strict=True))))
        return found

    def worked(self, since: int) -> list[Worked]:
        """How far the cases have come that were opened or decided since an instant."""
        table, event = CASES.c, CASE_EVENTS.c
        claimed = (
            select(event.case_id, func.min(event.at).label("at"))
            .where(event.act == Act.CLAIMED.value)
            .group_by(event.case_id)
            .subquery()
        )
        query = select(table.opened_at, claimed.c.at, table.decided_at, table.outcome)
        joined = query.outerjoin(claimed, claimed.c.case_id == table.id)
        lately = or_(table.opened_at >= since, table.decided_at >= since)
        return [Worked(*row) for row in self._all(joined.where(lately))]

    def _all(self, query: Any) -> Sequence[Any]:
        with self._database.reading() as connection:
            return connection.execute(query).all()


def _audit(connection: Connection, events: Sequence[CaseEvent]) -> None:
    """What people did, once more in the chain of the audit; what the monitor gathers follows from facts.

    Names first, which take locks of their own: whoever holds that of the chain waits for nobody.
    """
    by_people = [event for event in events if event.actor != SYSTEM]
    names = {event.actor for event in by_people}
    names |= {str(event.body[field]) for event in by_people for field in PEOPLE & event.body.keys()}
    hashes = {name: remember(connection, NAMED, name) for name in sorted(names - {""})}
    for event in by_people:
        body = {name: hashes.get(str(value), "") if name in PEOPLE else value for name, value in event.body.items()}
        what = {"event": event.number, **body}
        append(connection, event.at, hashes[event.actor], f"case.{event.act}", event.case, what)


@contextmanager
def refusals() -> Iterator[None]:
    """What the tables refuse, as a sentence.

    Raises:
        CaseProblem: they refused it.
    """
    try:
        yield
    except IntegrityError as refused:
        said = str(refused.orig)
        for name, text in REFUSED:
            if name in said:
                raise CaseProblem(text) from None
        raise


def _conditions(wanted: Wanted, now: int) -> Iterable[Any]:
    table = CASES.c
    if wanted.held:
        yield table.id.in_(select(HOLDS.c.case_id).where(UNFREED))
    if not (wanted.review or wanted.subject or wanted.held):
        yield table.state == State.DECIDED.value if wanted.decided else CASE_LIVES
    if wanted.review:
        yield REVIEW_WAITS
    elif not (wanted.hidden or wanted.decided or wanted.held):
        yield table.snoozed_until <= now
        yield table.suppressed_until <= now
    equal = {"level": wanted.level, "state": wanted.state, "senior": wanted.senior, "subject": wanted.subject}
    for name, value in equal.items():
        if value is not None:
            yield table[name] == (storable(value) if isinstance(value, str) else value)
    if wanted.person is not None:
        person = storable(wanted.person)
        yield or_(table.assigned == person, and_(table.claimed_by == person, table.claimed_until > now))
    if wanted.free_for is not None:
        yield table.claimed_until <= now
        yield table.assigned.in_(["", storable(wanted.free_for)])
    if wanted.proposed:
        yield table.proposed_by.is_not(None)
    if wanted.overdue:
        yield table.due_at <= now


def _case_row(case: Case) -> dict[str, Any]:
    decision, due_at = case.decision, case.due_at
    review, reviewed_by = _review(case.review)
    return {
        "id": case.id,
        "subject": storable(case.subject),
        "state": case.state.value,
        "number": case.number,
        "opened_at": case.opened_at,
        "level": case.level.value,
        "rank": len(LEVELS) - 1 - LEVELS.index(case.level),
        "due_order": NO_DUE if due_at is None else due_at,
        "compute_order": -case.tera,
        "two_people": case.two_people,
        "assigned": storable(case.assigned),
        "claimed_by": storable(case.claimed_by),
        "claimed_until": case.claimed_until,
        "senior": case.senior,
        "snoozed_until": case.snoozed_until,
        "suppressed_until": case.suppressed_until,
        "due_at": due_at,
        "proposed_by": None if case.proposal is None else storable(case.proposal.by),
        "decided_at": None if decision is None else decision.at,
        "decided_by": None if decision is None else storable(decision.by),
        "seconded_by": None if decision is None or not decision.second else storable(decision.second),
        "outcome": None if decision is None else decision.outcome.value,
        "expires_at": None if decision is None else decision.expires_at,
        "review": review,
        "reviewed_by": reviewed_by,
    }


def _review(review: Review | None) -> tuple[str | None, str | None]:
    if review is None:
        return None, None
    if not review.by:
        return "waiting", None
    return "agreed" if review.agrees else "disagreed", storable(review.by)


def _row(row: Any) -> CaseRow:
    found = CaseRow(*row)
    texts: dict[str, Any] = {
        name: original(value)
        for name in ("subject", "assigned", "claimed_by", "proposed_by", "decided_by", "seconded_by", "reviewed_by")
        if (value := getattr(found, name)) is not None
    }
    outcome = None if found.outcome is None else Outcome(found.outcome)
    typed: dict[str, Any] = {"state": State(found.state), "level": Level(found.level), "outcome": outcome}
    return found._replace(**texts, **typed)


def _suppression(row: Any) -> SuppressionRow:
    saw = standing_from(json.loads(original(row.saw)))
    people = original(row.proposed_by), original(row.approved_by)
    one = Suppression(
        row.id, row.case_id, original(row.subject), row.rule, row.since, row.until, saw, original(row.reason), *people
    )
    return SuppressionRow(one, row.ended_at, row.ended)


@cache
def _upsert(shared: bool, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Insert a row, or replace the one that has its primary key; to make the statement takes longer than to run it."""
    keys = list(table.primary_key)
    if shared:
        insert = postgresql.insert(table)
        rest = {one.name: insert.excluded[one.name] for one in table.columns if one not in keys}
        return insert.on_conflict_do_update(index_elements=keys, set_=rest)
    of_sqlite = sqlite.insert(table)
    rest = {one.name: of_sqlite.excluded[one.name] for one in table.columns if one not in keys}
    return of_sqlite.on_conflict_do_update(index_elements=keys, set_=rest)


def _parts(names: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(names)
    for start in range(0, len(ordered), NAMES_AT_ONCE):
        yield ordered[start : start + NAMES_AT_ONCE]
