"""Notices on their way: made with the changes of flags, put into messages, sent until they arrive.

A notice is written in the transaction that changes its flag, with a delivery for each sink that it is for. Messages
are made of deliveries by one process at a time. Whoever sends a message claims it for a while first, so that of several
workers one sends it; a claim that nobody settles, since its worker died, runs out, and the message is sent again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, case, exists, func, or_, select, update

from monitor.core.clocks import KNOWLEDGE, UNSEEN, VIEWED, Seen, seen_in
from monitor.core.flags import Act, Change, State
from monitor.core.notices import (
    Known,
    Made,
    Message,
    Notice,
    Reminding,
    Telling,
    Told,
    Urgency,
    is_quiet,
    notice_from,
    notice_of,
    recipients_of,
    reminders_of,
    stored_notice,
)
from monitor.core.policy import Level
from monitor.core.suppression import standing_from
from monitor.store import rows
from monitor.store.commit import DECISION, Sent, Standing
from monitor.store.database import Database, insert_new
from monitor.store.schema import (
    CASE_FLAGS,
    DELIVERIES,
    FLAG_HISTORY,
    FLAGS,
    JOURNAL,
    MESSAGES,
    NOTICES,
    SUPPRESSED,
    SUPPRESSIONS,
    UNDELIVERED,
    WAITS,
)
from monitor.store.texts import original, storable

ENDINGS = (Act.WITHDRAWN.value, Act.CLOSED.value)  # of an episode
NAMES_AT_ONCE = 500
WAITING_MAX = 5_000  # notices of a sink that are looked at together
_SUPPRESSED_FLAG = exists().where(CASE_FLAGS.c.flag == FLAGS.c.id, SUPPRESSED)


class News(NamedTuple):
    """A notice that is to be written, and the sinks that it is for."""

    notice: Notice
    sinks: Sequence[str]


# -- what is written with a change of a flag --------------------------------------------------------------------------


def news_of(connection: Connection, changes: Sequence[Change], telling: Telling | None, at: int) -> list[News]:
    """What people are told of changes that are not written yet."""
    moving = {change.flag.id for change in changes if change.entry.act or change.flag.finding.page}
    if telling is None or not telling.recipients or not moving:
        return []
    known, news = known_of(connection, moving), list[News]()
    suppressed = suppressed_of(connection, moving)
    for change in changes:
        name = change.flag.id
        if name not in moving:
            continue
        before = known[name]
        notice = notice_of(change, before, telling, at)
        if notice is not None and not is_quiet(notice, suppressed.get(name)):
            sinks = recipients_of(notice, before, telling)
            if sinks:
                news.append(News(notice, sinks))
                before = before._replace(told=[*before.told, Told(notice, frozenset(sinks))])
        known[name] = before._replace(episode=before.episode + (change.entry.act in ENDINGS))
    return news


def write_news(connection: Connection, database: Database, news: Iterable[News]) -> None:
    """Write notices whose flags are there; what is there already stays."""
    for notice, sinks in news:
        body = json.dumps(stored_notice(notice), sort_keys=True, separators=(",", ":"))
        row = {"id": notice.id, "flag": notice.flag, "made_at": notice.made_at, "body": body}
        connection.execute(insert_new(database, NOTICES), row)
        places = [{"notice": notice.id, "sink": sink, "message": None} for sink in sinks]
        connection.execute(insert_new(database, DELIVERIES), places)


def known_of(connection: Connection, flags: Collection[str]) -> dict[str, Known]:
    """What was told of these flags and is known of them."""
    told: dict[str, dict[str, tuple[Notice, set[str]]]] = {name: {} for name in flags}
    episodes: dict[str, int] = {}
    for part in _parts(flags):
        of_notices = select(NOTICES.c.flag, NOTICES.c.id, NOTICES.c.body, DELIVERIES.c.sink)
        of_notices = of_notices.join_from(NOTICES, DELIVERIES, DELIVERIES.c.notice == NOTICES.c.id)
        for flag, name, body, sink in connection.execute(of_notices.where(NOTICES.c.flag.in_(part))):
            told[flag].setdefault(name, (_notice(body), set()))[1].add(sink)
        ended = select(FLAG_HISTORY.c.flag, func.count()).where(
            FLAG_HISTORY.c.flag.in_(part), FLAG_HISTORY.c.act.in_(ENDINGS)
        )
        episodes |= dict(map(tuple, connection.execute(ended.group_by(FLAG_HISTORY.c.flag))))
    seen = seen_of(connection)
    return {
        name: Known(
            [Told(notice, frozenset(sinks)) for notice, sinks in found.values()],
            episodes.get(name, 0),
            seen.get(name, UNSEEN),
        )
        for name, found in told.items()
    }


def suppressed_of(connection: Connection, flags: Collection[str]) -> dict[str, Level]:
    """Those of these flags that are suppressed, and the level at which they were."""
    found: dict[str, Level] = {}
    for part in _parts(flags):
        query = select(CASE_FLAGS.c.flag, SUPPRESSIONS.c.saw).join(
            SUPPRESSIONS, SUPPRESSIONS.c.id == CASE_FLAGS.c.suppression
        )
        for flag, saw in connection.execute(query.where(SUPPRESSED, CASE_FLAGS.c.flag.in_(part))):
            found[flag] = standing_from(json.loads(original(saw))).level
    return found


def seen_of(connection: Connection) -> dict[str, Seen]:
    """By flag what people said of who looked and who knew."""
    table = JOURNAL.c
    said = or_(*(table.body.contains(f'"{name}":') for name in (VIEWED, KNOWLEDGE)))
    query = select(table.body).where(table.kind == DECISION, said).order_by(table.number)
    return seen_in(json.loads(original(body)) for (body,) in connection.execute(query))


def _notice(body: str) -> Notice:
    return notice_from(json.loads(body))


def _parts(names: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(names)
    for start in range(0, len(ordered), NAMES_AT_ONCE):
        yield ordered[start : start + NAMES_AT_ONCE]


# -- what becomes of it -----------------------------------------------------------------------------------------------


class Outgoing:
    """The notices and messages of a store."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def making(self) -> Iterator[bool]:
        """One transaction for everything that is read and written meanwhile; whether it is ours alone to make messages.

        Raises:
            StoreProblem: the database cannot be read or written; nothing has changed.
        """
        with self._database.whole() as connection:
            yield self._database.alone_at_messages(connection)

    def remind(self, telling: Telling, reminding: Reminding, now: int) -> int:
        """Write the reminders that are due; how many."""
        with self._database.writing() as connection:
            query = select(*FLAGS.columns).where(
                FLAGS.c.state == State.OPEN.value, FLAGS.c.id.in_(select(NOTICES.c.flag)), ~_SUPPRESSED_FLAG
            )
            flags = [rows.flag_of(row) for row in connection.execute(query).all()]
            known = known_of(connection, [flag.id for flag in flags])
            news = [
                News(notice, recipients_of(notice, known[flag.id], telling))
                for flag in flags
                for notice in reminders_of(flag, known[flag.id], telling, reminding, now)
            ]
            news = [one for one in news if one.sinks]
            write_news(connection, self._database, news)
        return len(news)

    def waiting(self) -> set[str]:
        """The sinks for which there are notices that are in no message."""
        return {sink for (sink,) in self._all(select(DELIVERIES.c.sink).where(WAITS).distinct())}

    def waiting_for(self, sink: str) -> list[Notice]:
        """The oldest notices for a sink that are in no message."""
        query = select(NOTICES.c.body).join_from(DELIVERIES, NOTICES, NOTICES.c.id == DELIVERIES.c.notice)
        query = query.where(WAITS, DELIVERIES.c.sink == sink).order_by(NOTICES.c.made_at, NOTICES.c.id)
        return [_notice(body) for (body,) in self._all(query.limit(WAITING_MAX))]

    def made_since(self, sink: str, since: int) -> list[Made]:
        """The messages to a sink that were made after an instant."""
        query = select(MESSAGES.c.made_at, MESSAGES.c.urgency).where(MESSAGES.c.sink == sink)
        return [Made(at, Urgency(urgency)) for at, urgency in self._all(query.where(MESSAGES.c.made_at > since))]

    def put(self, messages: Iterable[Message]) -> None:
        """Write messages; their notices are in them from now on."""
        with self._database.writing() as connection:
            for one in messages:
                row = {
                    "id": one.id,
                    "sink": one.sink,
                    "purpose": one.purpose,
                    "subject": storable(one.subject),
                    "urgency": one.urgency.value,
                    "made_at": one.made_at,
                    "tries": 0,
                    "next_try_at": 0,
                    "claimed_until": 0,
                    "arrived_at": None,
                    "problem": "",
                }
                connection.execute(insert_new(self._database, MESSAGES), row)
                for part in _parts([notice.id for notice in one.notices]):
                    place = and_(DELIVERIES.c.notice.in_(part), DELIVERIES.c.sink == one.sink, WAITS)
                    connection.execute(update(DELIVERIES).where(place).values(message=one.id))

    def claim(self, sink: str, now: int, until: int) -> tuple[Message, int] | None:
        """A message to a sink that is to be sent now, and how often that was tried; nobody else sends it until then.

        Pages come first, then what was made first. What is about a tenant waits for what came before it.
        """
        earlier = MESSAGES.alias("earlier")
        before = exists().where(
            earlier.c.sink == MESSAGES.c.sink,
            earlier.c.subject == MESSAGES.c.subject,
            earlier.c.arrived_at.is_(None),
            or_(
                earlier.c.made_at < MESSAGES.c.made_at,
                and_(earlier.c.made_at == MESSAGES.c.made_at, earlier.c.id < MESSAGES.c.id),
            ),
        )
        free = and_(UNDELIVERED, MESSAGES.c.claimed_until <= now, MESSAGES.c.next_try_at <= now)
        query = select(*MESSAGES.columns).where(free, MESSAGES.c.sink == sink, or_(MESSAGES.c.subject == "", ~before))
        order = case((MESSAGES.c.urgency == Urgency.PAGE.value, 0), else_=1)
        found = self._all(query.order_by(order, MESSAGES.c.made_at, MESSAGES.c.id).limit(1))
        if not found:
            return None
        row = found[0]
        with self._database.writing() as connection:
            ours = update(MESSAGES).where(MESSAGES.c.id == row.id, free).values(claimed_until=until)
            if connection.execute(ours).rowcount != 1:
                return None
        return self._message(row), row.tries

    def _message(self, row: Any) -> Message:
        query = select(NOTICES.c.body).join_from(DELIVERIES, NOTICES, NOTICES.c.id == DELIVERIES.c.notice)
        bodies = self._all(query.where(DELIVERIES.c.message == row.id))
        notices = sorted((_notice(body) for (body,) in bodies), key=lambda one: (one.made_at, one.at, one.id))
        subject, urgency = original(row.subject), Urgency(row.urgency)
        return Message(row.id, row.sink, row.purpose, subject, urgency, row.made_at, tuple(notices))

    def arrived(self, message: str, at: int) -> None:
        """A message was confirmed by its receiver.

        Raises:
            StoreProblem: the database cannot be written.
        """
        self._settle(message, arrived_at=at, problem="")

    def failed(self, message: str, next_try_at: int, problem: str) -> None:
        """A message was not confirmed, and is to be tried again.

        Raises:
            StoreProblem: the database cannot be written.
        """
        self._settle(message, next_try_at=next_try_at, problem=storable(problem))

    def _settle(self, message: str, **values: object) -> None:
        table = MESSAGES.c
        with self._database.writing() as connection:
            settled = update(MESSAGES).where(table.id == message, UNDELIVERED)
            connection.execute(settled.values(tries=table.tries + 1, claimed_until=0, **values))

    def release(self) -> None:
        """Give up all claims: only for whoever knows that no other process sends.

        Raises:
            StoreProblem: the database cannot be written.
        """
        with self._database.writing() as connection:
            connection.execute(update(MESSAGES).where(MESSAGES.c.claimed_until > 0).values(claimed_until=0))

    def oldest_undelivered(self, sinks: Collection[str]) -> int | None:
        """When the oldest notice was made that has not arrived at one of these sinks; None: all have."""
        query = (
            select(func.min(NOTICES.c.made_at))
            .select_from(DELIVERIES)
            .join(NOTICES, NOTICES.c.id == DELIVERIES.c.notice)
        )
        query = query.outerjoin(MESSAGES, MESSAGES.c.id == DELIVERIES.c.message)
        found = self._all(query.where(DELIVERIES.c.sink.in_(sorted(sinks)), UNDELIVERED))
        return None if found[0][0] is None else int(found[0][0])

    def standing(self, sink: str, closed_since: int) -> list[Standing]:
        """The flags of which a sink was told, as it was told last: those that are open or wait to be closed, and those
        that were closed since an instant; not what is suppressed.
        """
        closed = select(FLAG_HISTORY.c.flag, func.max(FLAG_HISTORY.c.at).label("at"))
        closed = closed.where(FLAG_HISTORY.c.act == Act.CLOSED.value).group_by(FLAG_HISTORY.c.flag)
        ends = closed.subquery()
        query = select(NOTICES.c.body, FLAGS.c.state, ends.c.at).select_from(DELIVERIES)
        query = query.join(NOTICES, NOTICES.c.id == DELIVERIES.c.notice).join(FLAGS, FLAGS.c.id == NOTICES.c.flag)
        query = query.outerjoin(ends, ends.c.flag == FLAGS.c.id)
        still = and_(or_(FLAGS.c.state != State.CLOSED.value, ends.c.at >= closed_since), ~_SUPPRESSED_FLAG)
        found: dict[str, Standing] = {}
        bodies = self._all(query.where(DELIVERIES.c.sink == sink, ~WAITS, still))
        notices = [(_notice(body), at if state == State.CLOSED else None) for body, state, at in bodies]
        for notice, closed_at in sorted(notices, key=lambda one: (one[0].made_at, one[0].at, one[0].id)):
            found[notice.flag] = Standing(notice, closed_at)
        return list(found.values())

    def sent(self, flag: str | None = None) -> list[Sent]:
        """What was told to whom, the latest first, and whether it arrived."""
        query = select(NOTICES.c.body, DELIVERIES.c.sink, *MESSAGES.columns).select_from(DELIVERIES)
        query = query.join(NOTICES, NOTICES.c.id == DELIVERIES.c.notice)
        query = query.outerjoin(MESSAGES, MESSAGES.c.id == DELIVERIES.c.message)
        if flag is not None:
            query = query.where(NOTICES.c.flag == flag)
        order = (NOTICES.c.made_at.desc(), NOTICES.c.id, DELIVERIES.c.sink)
        return [
            Sent(_notice(row[0]), row[1], row.id, row.tries or 0, row.arrived_at, original(row.problem or ""))
            for row in self._all(query.order_by(*order))
        ]

    def _all(self, query: Any) -> Sequence[Any]:
        with self._database.reading() as connection:
            return connection.execute(query).all()
