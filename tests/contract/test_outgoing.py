"""Notices and messages of a store: written with the flag or not at all, sent by one, told once, in each database."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from monitor.core.book import Book
from monitor.core.clocks import Seen, knowledge_decision, viewed_decision
from monitor.core.findings import Finding
from monitor.core.flags import Act, Change, Flag, act, reconcile
from monitor.core.model import DAY_MS, HOUR_MS
from monitor.core.notices import Kind, Limits, Made, Message, Notice, Urgency, messages_of
from monitor.core.policy import Level
from monitor.errors import Overtaken
from monitor.store import DECISION, TICK, JournalEntry, Sent, Standing
from monitor.store.sql import SqlStore
from tests.core.test_notices import CALLED, NOW, REMINDING, TELLING, finding
from tests.store.taking import commit_of

LIMITS = Limits(0, 100)


class Books:
    """A store, and the flags in it as whoever changes them knows them."""

    def __init__(self, url: str) -> None:
        self.store = SqlStore.open(url)
        self.outgoing = self.store.outgoing
        self.flags: dict[str, Flag] = {}
        self.now = NOW

    def changes(self, findings: Sequence[Finding]) -> list[Change]:
        self.now += HOUR_MS
        by_tenant: dict[str, list[Finding]] = {one.tenant: [] for one in self.flags.values()}
        for one in findings:
            by_tenant.setdefault(one.tenant, []).append(one)
        found = []
        for tenant, standing in by_tenant.items():
            own = {name: flag for name, flag in self.flags.items() if flag.tenant == tenant}
            found += reconcile(own, standing, self.now, "The facts changed.")
        self.flags |= {change.flag.id: change.flag for change in found}
        return found

    def find(self, *findings: Finding, told: bool = True) -> list[Change]:
        """These findings stand, and no other; what changes is written."""
        changes = self.changes(findings)
        telling = TELLING if told else None
        self.store.decide(JournalEntry(TICK, {"as_of": self.now}), changes, self.now, telling=telling)
        return changes

    def close(self) -> None:
        """A person closes every flag."""
        self.now += HOUR_MS
        changes = [act(flag, Act.CLOSED, self.now, "Explained.") for flag in self.flags.values()]
        self.flags |= {change.flag.id: change.flag for change in changes}
        self.store.decide(JournalEntry(DECISION, {"close": "all", "reason": "Explained."}), changes, self.now)

    def say(self, body: dict[str, object]) -> None:
        self.store.record([JournalEntry(DECISION, body)], self.now)

    def put(self, sink: str = "queue") -> list[Message]:
        """Put what waits for a sink into messages."""
        found = messages_of(sink, self.outgoing.waiting_for(sink), [], self.now, LIMITS)
        self.outgoing.put(found)
        return found

    def waiting(self, sink: str = "queue") -> list[tuple[Kind, Level]]:
        return [(one.kind, one.level) for one in self.outgoing.waiting_for(sink)]

    def claim(self, sink: str = "queue", after: int = 0) -> tuple[Message, int] | None:
        return self.outgoing.claim(sink, self.now + after, self.now + after + 60_000)


@pytest.fixture
def books(url: str) -> Iterator[Books]:
    books = Books(url)
    yield books
    books.store.close()


def ids(notices: Sequence[Notice]) -> set[str]:
    return {one.id for one in notices}


def test_a_notice_is_committed_with_its_flag(books: Books) -> None:
    """In the commit of the books, for every sink that takes it."""
    commit = commit_of(Book(), changes=books.changes([finding(page=CALLED)]))
    books.store.commit(commit._replace(telling=TELLING))

    assert {"queue", "pager"} == books.outgoing.waiting()
    assert [(Kind.FIRST, Level.WARNING)] == books.waiting() == books.waiting("pager")
    assert [] == books.waiting("boss")


def test_a_commit_that_fails_tells_nobody(books: Books, url: str) -> None:
    """A worker that was overtaken has written neither flag nor notice; whoever tries again writes both once."""
    changes = books.changes([finding()])
    other = SqlStore.open(url)
    other.commit(commit_of(Book()))

    with pytest.raises(Overtaken):
        books.store.commit(commit_of(Book(), changes=changes)._replace(telling=TELLING))

    assert (set(), []) == (books.outgoing.waiting(), books.store.flags())
    other.commit(commit_of(Book(), changes=changes)._replace(telling=TELLING))
    assert 1 == len(books.outgoing.waiting_for("queue"))
    other.close()


def test_what_nobody_listens_to_is_not_written(books: Books) -> None:
    """A replay has no telling, and a telling may have nobody who takes a notice."""
    books.find(finding(), told=False)
    changes = books.changes([finding(), finding(tenant="bolt")])
    alone = TELLING._replace(recipients=TELLING.recipients[2:])
    books.store.decide(JournalEntry(TICK, {}), changes, books.now, telling=alone)
    books.store.decide(JournalEntry(TICK, {}), changes, books.now, telling=TELLING._replace(recipients=()))

    assert [] == books.outgoing.sent()


def test_whoever_reads_the_same_again_tells_nobody_again(books: Books) -> None:
    """The same changes in the same store, at another time: one notice, one delivery."""
    changes = books.find(finding())
    books.put()
    books.store.decide(JournalEntry(TICK, {}), changes, books.now + DAY_MS, telling=TELLING)

    assert set() == books.outgoing.waiting()
    assert 1 == len(books.outgoing.sent())


def test_an_episode_ends_with_a_withdrawal_or_a_person(books: Books) -> None:
    """Told: new, more serious, gone, back, more serious again as before, and once more after a closing."""
    told = []
    for findings in (
        [finding()],
        [finding(Level.CRITICAL)],
        [],
        [finding()],
        [finding(Level.CRITICAL)],
        [finding(Level.WARNING)],
    ):
        books.find(*findings)
        told += books.waiting()
        books.put()
    books.now += 8 * DAY_MS
    books.find(finding(Level.WARNING))
    books.close()
    assert [] == books.waiting()
    books.find(finding(Level.CRITICAL))
    told += books.waiting()

    first, worse, gone = Kind.FIRST, Kind.ESCALATED, Kind.WITHDRAWN
    assert [
        (first, Level.WARNING),
        (worse, Level.CRITICAL),
        (gone, Level.CRITICAL),
        (first, Level.WARNING),
        (worse, Level.CRITICAL),
        (worse, Level.CRITICAL),
    ] == told


def test_several_changes_of_a_flag_in_one_commit(books: Books) -> None:
    """Each counts with those before it."""
    changes = [*books.changes([finding()]), *books.changes([]), *books.changes([finding()])]
    books.store.decide(JournalEntry(TICK, {}), changes, books.now, telling=TELLING)

    assert [Kind.FIRST, Kind.FIRST, Kind.WITHDRAWN] == sorted(kind for kind, _ in books.waiting())


def test_withdrawn_is_for_those_who_were_told(books: Books) -> None:
    """A flag that was raised before anybody was told goes without a word; a page that is gone reaches the pager."""
    books.find(finding(), told=False)
    books.find()
    assert set() == books.outgoing.waiting()

    books.find(finding(page=CALLED, tenant="bolt"))
    books.find()
    assert [Kind.FIRST, Kind.WITHDRAWN] == sorted(kind for kind, _ in books.waiting("pager"))


def test_a_message_is_sent_until_it_arrives(books: Books) -> None:
    """With the same id and notices; not while it is claimed, not before its pause is over, and never after."""
    books.find(finding())
    (message,) = books.put()
    assert (message, 0) == books.claim()
    assert books.claim() is None

    books.outgoing.failed(message.id, books.now + 90_000, "It answers 500.")
    assert books.claim(after=89_999) is None
    assert (message, 1) == books.claim(after=90_000)
    (sent,) = books.outgoing.sent()
    assert ("queue", message.id, 1, None, "It answers 500.") == sent[1:]

    books.outgoing.arrived(message.id, books.now + 91_000)
    assert books.claim(after=DAY_MS) is None
    assert [Sent(message.notices[0], "queue", message.id, 2, books.now + 91_000, "")] == books.outgoing.sent()
    books.outgoing.failed(message.id, 0, "too late")
    assert books.claim(after=DAY_MS) is None


def test_a_claim_that_nobody_settles_runs_out(books: Books) -> None:
    """Its worker died: another one sends the message, or the same after it gave up all claims."""
    books.find(finding())
    (message,) = books.put()
    books.claim()
    assert books.claim(after=59_999) is None
    assert (message, 0) == books.claim(after=60_000)
    books.outgoing.release()

    assert (message, 0) == books.claim()


def test_of_two_that_claim_at_once_one_sends(books: Books, url: str) -> None:
    """Whatever the database, one of them has it."""
    books.find(finding())
    books.put()
    others = [SqlStore.open(url) for _ in range(4)]
    claimed: list[object] = []
    begin = threading.Barrier(4)

    def claim(store: SqlStore) -> None:
        begin.wait()
        claimed.append(store.outgoing.claim("queue", books.now, books.now + 60_000))

    threads = [threading.Thread(target=claim, args=(one,)) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in others:
        one.close()

    assert 4 == len(claimed)
    assert 1 == sum(one is not None for one in claimed)


def test_pages_are_sent_first(books: Books) -> None:
    """Also such as were made later."""
    books.find(finding())
    books.put()
    books.find(finding(), finding(page=CALLED, tenant="bolt"))
    books.put()

    assert ["bolt", "acme"] == [claimed[0].subject for claimed in (books.claim(), books.claim()) if claimed]


def test_news_of_a_tenant_arrive_in_their_order(books: Books) -> None:
    """What is newer waits while the older is on its way or failed; that of others does not."""
    books.find(finding())
    (older,) = books.put()
    books.find(finding(Level.CRITICAL))
    (newer,) = books.put()
    books.claim()
    books.outgoing.failed(older.id, books.now + DAY_MS, "It answers 500.")
    assert books.claim(after=HOUR_MS) is None
    books.find(finding(Level.CRITICAL), finding(tenant="bolt"))
    books.put()

    other = books.claim()
    assert other is not None
    assert "bolt" == other[0].subject
    books.outgoing.arrived(older.id, books.now)
    assert (newer, 0) == books.claim()


def test_a_message_has_each_notice_once(books: Books) -> None:
    """What was put into a message waits no more, for this sink alone; sinks do not share messages."""
    books.find(finding(page=CALLED))
    (message,) = books.put()
    books.outgoing.put([message])

    assert {"pager"} == books.outgoing.waiting()
    assert [Made(books.now, Urgency.PAGE)] == books.outgoing.made_since("queue", books.now - 1)
    assert [] == books.outgoing.made_since("queue", books.now) == books.outgoing.made_since("pager", 0)
    (pager,) = books.put("pager")
    assert pager.id != message.id
    assert ids(pager.notices) == ids(message.notices)


def test_one_at_a_time_makes_messages(books: Books, url: str) -> None:
    """On PostgreSQL whoever comes second makes none; an SQLite store has one process."""
    other = SqlStore.open(url)
    with books.outgoing.making() as ours:
        assert ours
        if url.startswith("postgresql"):
            with other.outgoing.making() as theirs:
                assert not theirs
    with other.outgoing.making() as theirs:
        assert theirs
    other.close()


def test_reminders_are_written_once(books: Books) -> None:
    """Of flags of which somebody was told, and only of those; a second look at the same time adds nothing."""
    books.find(finding(), finding(rule="clocked"))
    books.find(finding(), finding(rule="clocked"), finding(tenant="bolt"), told=False)

    later = books.now + 3 * DAY_MS
    assert 2 == books.outgoing.remind(TELLING, REMINDING, later)
    assert 0 == books.outgoing.remind(TELLING, REMINDING, later)
    assert (4, []) == (len(books.waiting()), books.waiting("boss"))
    assert 3 == books.outgoing.remind(TELLING, REMINDING, books.now + 15 * DAY_MS)  # two of the queue, one of a clock
    assert [Kind.REMINDER] * 3 == [kind for kind, _ in books.waiting("boss")]


def test_nobody_takes_a_reminder(books: Books) -> None:
    """Where no sink takes it, none is written."""
    books.find(finding())
    pager = TELLING._replace(recipients=TELLING.recipients[1:2])

    assert 0 == books.outgoing.remind(pager, REMINDING, books.now + 3 * DAY_MS)


def test_what_people_say_of_flags(books: Books) -> None:
    """Who looked and who knew, from the journal; it moves the clocks of what is told."""
    (change,) = books.find(finding())
    name = change.flag.id
    books.say(viewed_decision(name, "ana", NOW))
    books.say(knowledge_decision(name, ["ana"], NOW - 5, "a letter"))
    books.say({"accept": "t", "reason": '{"viewed": "F-2"}'})

    assert {name: Seen(NOW, NOW - 5)} == books.store.seen()


def test_the_oldest_that_has_not_arrived(books: Books) -> None:
    """Whether it is in a message yet or not; only at the sinks that are asked about."""
    assert books.outgoing.oldest_undelivered(["queue", "pager"]) is None
    books.find(finding())
    first = books.now
    (message,) = books.put()
    books.find(finding(Level.CRITICAL))

    assert first == books.outgoing.oldest_undelivered(["queue"])
    assert books.outgoing.oldest_undelivered(["pager"]) is None
    books.outgoing.arrived(message.id, books.now)
    assert books.now == books.outgoing.oldest_undelivered(["queue", "pager"])


def test_what_stands(books: Books) -> None:
    """The latest that a sink was told of each flag, until a person has closed it, and for a while after."""
    (change,) = books.find(finding())
    assert [] == books.outgoing.standing("queue", 0)
    books.put()
    books.find(finding(Level.CRITICAL))
    books.put()
    (standing,) = books.outgoing.standing("queue", 0)
    assert (Kind.ESCALATED, change.flag.id, None) == (standing.notice.kind, standing.notice.flag, standing.closed_at)
    assert [] == books.outgoing.standing("pager", 0)

    books.find()
    books.put()
    (standing,) = books.outgoing.standing("queue", 0)
    assert (Kind.WITHDRAWN, None) == (standing.notice.kind, standing.closed_at)

    books.close()
    assert [Standing(standing.notice, books.now)] == books.outgoing.standing("queue", books.now)
    assert [] == books.outgoing.standing("queue", books.now + 1)


def test_what_was_told_of_one_flag(books: Books) -> None:
    """Or of all, the latest first."""
    (one,) = books.find(finding())
    books.find(finding(), finding(tenant="bolt"))

    assert ["bolt", "acme"] == [sent.notice.tenant for sent in books.outgoing.sent()]
    assert [(one.flag.id, None, 0)] == [
        (sent.notice.flag, sent.message, sent.tries) for sent in books.outgoing.sent(one.flag.id)
    ]


def test_names_that_no_database_can_hold(books: Books) -> None:
    """Come back as they were."""
    name = "a\x00b\x1a\u202eß\ud800"
    books.store.decide(JournalEntry(TICK, {}), books.changes([finding(tenant="plain")]), books.now, telling=TELLING)
    (notice,) = books.outgoing.waiting_for("queue")
    message = Message("M-1", "queue", "notices", name, Urgency.QUEUE, books.now, (notice,))
    books.outgoing.put([message])

    assert (message, 0) == books.claim()
