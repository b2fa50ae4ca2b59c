"""A worker on topics: whose books a record is for, what is lost and found again, when it cannot see."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from monitor.core.blind import GAP, HOLE, SILENCE
from monitor.core.book import Book
from monitor.core.bounds import Bounds
from monitor.core.partitions import adopter, partition_of
from monitor.errors import StoreProblem
from monitor.intake.decode import decode_facts
from monitor.log import build_log
from monitor.metrics import Metrics
from monitor.run.routing import Layout
from monitor.run.task import Store
from monitor.run.worker import STANDING_SECONDS, Ends, Worker
from monitor.settings import DeadLetters, Kafka, Settings
from monitor.store import DECISION, Commit, JournalEntry, Loaded
from monitor.store.sql import SqlStore
from tests.run.test_worker import START, TurnedClock, event, reference, started
from tests.run.topics import CONTROL, TENANTS, Member, Topics

PARTITIONS = 2
SETTINGS = Settings(
    kafka=Kafka(session_seconds=10),
    dead_letters=DeadLetters(ratio_max=0.5, window=20, seen_min=10, run_max=5),
)


class Refusing:
    """A real store that is away while it is told to be."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.away = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def commit(self, commit: Commit) -> None:
        if self.away:
            raise StoreProblem("The database is away.")
        self._store.commit(commit)


class Group:
    """A store, topics, and workers on them."""

    def __init__(self, folder: Path) -> None:
        self.topics = Topics(PARTITIONS)
        self.store = SqlStore.open(f"sqlite:///{folder / 'books.db'}")
        self.clock = TurnedClock()
        self.stores: list[SqlStore] = []
        self.rivals = 0  # how many times another worker takes over what is being opened

    def worker(self, *partitions: int) -> One:
        """A worker with these partitions."""
        return One(self, partitions)

    def facts(self, partition: int) -> list[bytes]:
        return list(self.store.beside(partition).lines())

    def letters(self) -> list[str]:
        return [letter.reason for letter in self.store.dead_letters()]

    def decide(self, **body: object) -> None:
        self.store.record([JournalEntry(DECISION, body)], START)


class One:
    """One worker of a group."""

    def __init__(self, group: Group, partitions: tuple[int, ...]) -> None:
        self.group = group
        self.member = Member(group.topics)
        self.member.give(*partitions)
        self.registry = CollectorRegistry()
        self.logged = io.StringIO()
        self.refusing: dict[int, Refusing] = {}
        log = build_log("info", group.clock, self.logged)
        ends = Ends(self.member, self, Metrics(self.registry), group.clock, log)
        self.worker = Worker(ends, reference(), SETTINGS, Layout(TENANTS, CONTROL))

    def open(self, partition: int) -> tuple[Loaded, Store]:
        store = self.group.store.beside(partition)
        store.claim()
        if self.group.rivals:
            self.group.rivals -= 1
            self.group.store.beside(partition).claim()
        loaded = store.load(decode_facts, SETTINGS.lateness_ms)
        loaded.book.adopts = adopter(partition, PARTITIONS, "murmur2")
        loaded.book.place = f"{TENANTS}-{partition}"
        self.refusing[partition] = Refusing(store)
        return loaded, self.refusing[partition]

    def heard(self) -> dict[str, int]:
        return self.group.store.heard()

    def letters_waiting(self) -> int:
        return self.group.store.letters_waiting()

    def passes(self, count: int, seconds: float = 1.0) -> None:
        for _ in range(count):
            self.group.clock.turn(seconds)
            self.worker.step()

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def log(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.logged.getvalue().splitlines()]


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    group = Group(tmp_path)
    yield group
    group.store.close()


def tenant_of(partition: int) -> str:
    """A tenant that belongs to a partition."""
    return next(name for name in map("t-{}".format, range(99)) if partition_of(name, PARTITIONS) == partition)


def write(group: Group, number: int, seconds: float, tenant: str, partition: int, allocation: str = "a") -> None:
    fact = started(number, seconds, allocation, tenant=tenant)
    group.topics.write((TENANTS, partition), fact.rstrip(b"\n"), tenant.encode())


def report(number: int, seconds: float, *tenants: str) -> bytes:
    held = [{"tenant": name, "allocation": "seen", "count": 8, "hardware": "H100 SXM 80GB"} for name in tenants]
    line = event(number, "inventory.reported", seconds, "", region="eu-1", allocations=held, complete=True,
                 capacity={"H100 SXM 80GB": 64}, part=1, parts=1)  # fmt: skip
    document = json.loads(line)
    del document["data"]["tenant"]
    return json.dumps(document).encode()


def test_each_tenant_is_in_the_books_of_its_partition(group: Group) -> None:
    """Tenant facts go to one partition's books, control facts to all of them, and each tenant is counted once."""
    here, there = tenant_of(0), tenant_of(1)
    write(group, 1, 0, here, 0)
    write(group, 2, 0, there, 1)
    group.topics.write((CONTROL, 0), report(3, 60, here, there, "t-only-reported"))
    worker = group.worker(0, 1)
    worker.passes(4)

    books = {number: task.book for number, task in worker.worker.tasks.items()}
    reported = partition_of("t-only-reported", PARTITIONS)
    assert {here} | ({"t-only-reported"} if reported == 0 else set()) == set(books[0].tenants)
    assert {there} | ({"t-only-reported"} if reported == 1 else set()) == set(books[1].tenants)
    assert [2, 2] == [len(group.facts(number)) for number in range(PARTITIONS)]
    assert {(TENANTS, 0): 1, (TENANTS, 1): 1} == worker.member.hints
    assert 1 == worker.value("flopwatch_events_consumed_total", topic=CONTROL, outcome="accepted")
    assert worker.worker.healthy()[0]


def test_what_the_books_of_partitions_show_adds_up(group: Group) -> None:
    """Tenants with hits of all books together, and the largest run of any: tenants are each in one of them."""
    worker = group.worker(0, 1)
    worker.passes(2)
    first, second = worker.worker.tasks.values()
    first.state = first.state._replace(hits={("sdn", "likely"): 2}, largest_run=Bounds(1, 5, 6, 9))
    second.state = second.state._replace(hits={("sdn", "likely"): 1}, largest_run=Bounds(2, 3, 7, 8))

    assert 3 == worker.value("flopwatch_screening_matches", list="sdn", band="likely")
    run = [worker.value("flopwatch_run_compute_flop_max", bound=bound) for bound in Bounds._fields]
    assert [2, 5, 7, 9] == run


def test_what_came_where_it_does_not_belong_is_a_dead_letter(group: Group) -> None:
    """Another key, another topic, another partition: kept with the reason, once, and not counted."""
    tenant = tenant_of(0)
    write(group, 1, 0, tenant, 0)
    group.topics.write((TENANTS, 0), started(2, 0, "b", tenant=tenant), b"another")
    group.topics.write((TENANTS, 0), report(3, 0, tenant))
    group.topics.write((CONTROL, 0), started(4, 0, "c", tenant=tenant))
    first = group.worker(0)
    first.passes(4)
    write(group, 5, 0, tenant, 1)
    second = group.worker(1)
    second.passes(4)

    assert sorted(["wrong_key", "wrong_topic", "wrong_topic", "other_partition"]) == sorted(group.letters())
    assert (1, 0) == (len(group.facts(0)), len(group.facts(1)))
    assert {} == second.worker.tasks[1].book.tenants


def test_control_facts_wait_for_the_clock_of_the_books(group: Group) -> None:
    """A report ahead of the books makes nothing late: it is taken in when the partition has been read that far."""
    tenant = tenant_of(0)
    for number in range(3_000):
        write(group, number, number, tenant, 0, f"a-{number}")
    group.topics.write((CONTROL, 0), report(9_999, 5_000, tenant))
    worker = group.worker(0)
    worker.passes(1)
    book = worker.worker.tasks[0].book
    assert {} == book.regions
    worker.passes(3)

    assert {"eu-1"} == set(book.regions)
    assert 0 == book.counts.late
    assert 3_001 == len(group.facts(0))


def test_an_overtaken_worker_drops_its_books_and_comes_back(group: Group) -> None:
    """Its commit is refused and nothing of it written; if the partition stays its own, it loads the books anew."""
    tenant = tenant_of(0)
    worker = group.worker(0)
    worker.passes(2)
    group.store.beside(0).claim()
    write(group, 1, 0, tenant, 0)
    worker.passes(2)
    assert ({}, []) == (worker.worker.tasks, group.facts(0))
    assert 1 == worker.value("flopwatch_overtaken_total")
    assert worker.worker.healthy()[0]
    worker.passes(13)

    assert 1 == len(group.facts(0))
    assert 1 == worker.log().count("partition overtaken")


def test_a_partition_that_goes_to_another_worker_is_read_on_there(group: Group) -> None:
    """Nothing is counted twice or lost when partitions move, whatever was not committed."""
    tenant = tenant_of(1)
    first, second = group.worker(0, 1), group.worker()
    for number in range(40):
        write(group, number, number, tenant, 1, f"a-{number}")
        first.passes(1, 0.3)
        second.passes(1, 0)
        if number in (10, 25):
            first.member.give(*((0,) if number == 10 else (0, 1)))
            second.member.give(*((1,) if number == 10 else ()))
    first.passes(3)

    assert 40 == len(group.facts(1))
    assert {} == second.worker.tasks
    assert 2.0 == first.value("flopwatch_consumer_assigned_partitions")
    assert second.value("flopwatch_consumer_lag_records", topic=TENANTS, partition="1") is None


def test_a_lost_position_waits_for_a_person(group: Group) -> None:
    """Records that are gone before they were read: the partition stands still, the others go on, nothing is reset."""
    here, there = tenant_of(0), tenant_of(1)
    first = group.worker(0, 1)
    write(group, 1, 0, here, 0)
    first.passes(2)
    for number in range(2, 6):
        write(group, number, number, here, 0, f"a-{number}")
    group.topics.first[TENANTS, 0] = 4
    second = group.worker(0, 1)
    write(group, 9, 0, there, 1)
    second.passes(3)
    assert {1} == set(second.worker.tasks)
    assert (False, "tenants no longer has offset 1.") == second.worker.healthy()
    assert 1 == second.value("flopwatch_positions_lost")
    group.decide(accept=TENANTS, partition=0, reason="They are in the archive.")
    second.passes(3, STANDING_SECONDS)

    assert (2, 1) == (len(group.facts(0)), len(group.facts(1)))
    assert second.worker.healthy()[0]
    (hole,) = [row for row in group.store.blind() if row.cause == HOLE]
    assert hole.end is not None
    assert (TENANTS, 0, START) == (hole.topic, hole.topic_partition, hole.start)


def test_a_stop_at_the_limit_holds_one_partition(group: Group) -> None:
    """Too many unreadable records: that partition waits for a person, across restarts; the rest is read."""
    here, there = tenant_of(0), tenant_of(1)
    for _ in range(6):
        group.topics.write((TENANTS, 0), b"{")
    write(group, 1, 0, here, 0)
    write(group, 2, 0, there, 1)
    group.worker(0, 1).passes(3)
    worker = group.worker(0, 1)
    worker.passes(2)
    assert {1} == set(worker.worker.tasks)
    assert "flopwatch positions accept" in worker.worker.healthy()[1]
    assert (0, 1) == (len(group.facts(0)), len(group.facts(1)))
    group.decide(accept=TENANTS, reason="The producer is mended.")
    worker.passes(3, STANDING_SECONDS)

    assert (1, 6) == (len(group.facts(0)), len(group.letters()))
    assert worker.worker.healthy()[0]


def test_while_the_store_is_away_nothing_is_delivered(group: Group) -> None:
    """The membership is kept, consumption pauses, and goes on by itself once the store is back."""
    tenant = tenant_of(0)
    worker = group.worker(0)
    worker.passes(2)
    worker.refusing[0].away = True
    for number in range(10):
        write(group, number, number, tenant, 0, f"a-{number}")
        worker.passes(1)
    assert worker.member.paused
    assert "The database is away." in worker.worker.healthy()[1]
    worker.refusing[0].away = False
    worker.passes(40)

    assert 10 == len(group.facts(0))
    assert not worker.member.paused
    assert worker.worker.healthy()[0]


def test_lag_counts_from_where_the_books_stand_at_the_first_look(group: Group) -> None:
    """A partition that is given is opened before its lag is shown: what was read before is none."""
    write(group, 1, 0, tenant_of(0), 0)
    group.worker(0).passes(4)
    second = group.worker(0)
    second.passes(1)
    assert 0 == second.value("flopwatch_consumer_lag_records", topic=TENANTS, partition="0")


def test_the_clock_stands_while_a_store_is_away_and_until_brokers_say_what_came_meanwhile(group: Group) -> None:
    """What other books hold is not counted on up to now while nothing is read: it may have stopped long ago."""
    worker = group.worker(0, 1)
    write(group, 1, 0, tenant_of(1), 1)
    worker.passes(10)
    other = worker.worker.tasks[1].book
    assert START + 4_000 <= other.looked_at
    assert 1 == worker.value("flopwatch_caught_up")
    worker.refusing[0].away = True
    write(group, 2, 10, tenant_of(0), 0)
    worker.passes(10)
    assert worker.member.paused
    stood = other.looked_at
    worker.passes(60)
    assert (stood, 0) == (other.looked_at, worker.value("flopwatch_caught_up"))

    write(group, 3, 70, tenant_of(1), 1, "later")
    worker.member.deaf.add((TENANTS, 1))  # the client has not fetched again yet, and thinks that it is at the end
    worker.refusing[0].away = False
    worker.passes(40)
    assert not worker.member.paused
    assert (stood, 0) == (other.looked_at, worker.value("flopwatch_caught_up"))
    worker.member.deaf.clear()
    worker.passes(7)
    assert stood + 100_000 < other.looked_at
    assert 1 == worker.value("flopwatch_caught_up")


def waiting(group: Group) -> tuple[One, Book]:
    """A worker that has waited for the store with the books of partition 0 for ten minutes, and its other books."""
    worker = group.worker(0, 1)
    write(group, 1, 0, tenant_of(1), 1)
    worker.passes(10)
    worker.refusing[0].away = True
    write(group, 2, 10, tenant_of(0), 0)
    worker.passes(600)
    assert worker.member.paused
    return worker, worker.worker.tasks[1].book


def goes_on(worker: One) -> None:
    """The store is back, up to the pass in which reading goes on."""
    worker.refusing[0].away = False
    for _ in range(60):
        worker.passes(1)
        if not worker.member.paused:
            return
    raise AssertionError("reading does not go on")


def test_control_facts_that_came_during_a_pause_are_in_the_books_before_the_clock_goes_on(group: Group) -> None:
    """A report that comes with the first poll is taken in before books are evaluated up to now."""
    worker, other = waiting(group)
    group.topics.write((CONTROL, 0), report(3, 60))
    at = other.looked_at
    goes_on(worker)
    assert at + 500_000 < other.looked_at
    assert {"eu-1"} == set(other.regions)


def test_control_facts_that_wait_at_the_brokers_hold_the_clock_of_all(group: Group) -> None:
    """A client delivers nothing in its first poll after a pause: a report there may say that all is given up."""
    worker, other = waiting(group)
    at = other.looked_at
    group.topics.write((CONTROL, 0), report(3, 60))
    worker.member.deaf.add((CONTROL, 0))
    goes_on(worker)
    assert (at, {}) == (other.looked_at, other.regions)
    worker.member.deaf.clear()
    worker.passes(2)
    assert {"eu-1"} == set(other.regions)
    assert at + 500_000 < other.looked_at


def test_a_source_that_other_books_hear_is_not_silent_after_a_pause(group: Group) -> None:
    """What it said during a pause is not yet committed by the books that have it: others do not know that it spoke."""
    worker = group.worker(0, 1)
    for number in range(5):
        worker.passes(6, 10.0)
        for partition in (0, 1):
            write(group, 10 + 2 * number + partition, group.clock.seconds, tenant_of(partition), partition)
    worker.passes(5)
    worker.refusing[0].away = True
    other = json.loads(started(1, group.clock.seconds, "during", tenant=tenant_of(0)))
    group.topics.write((TENANTS, 0), json.dumps({**other, "source": "another"}).encode(), tenant_of(0).encode())
    worker.passes(5)
    for minute in range(20):
        worker.passes(6, 10.0)
        write(group, 30 + minute, group.clock.seconds, tenant_of(0), 0)
    worker.refusing[0].away = False
    worker.passes(60)
    assert not worker.member.paused
    assert [] == list(group.store.blind())


def test_a_partition_that_stands_still_is_told_within_a_minute(group: Group) -> None:
    """Kafka has records and the client delivers none, though it knows of no trouble: bad health, a metric."""
    worker = group.worker(0)
    worker.passes(10)
    worker.member.deaf.add((TENANTS, 0))
    write(group, 1, 0, tenant_of(0), 0)
    worker.passes(59)
    assert (False, "Partition 0 of tenants stands still") == (
        worker.worker.healthy()[0], worker.worker.healthy()[1].split(":")[0]
    )  # fmt: skip
    assert 1 == worker.value("flopwatch_consumer_lag_records", topic=TENANTS, partition="0")
    assert 1 == worker.value("flopwatch_partition_stalled", topic=TENANTS, partition="0")
    worker.member.deaf.clear()
    worker.passes(7)

    assert worker.worker.healthy()[0]
    assert 0 == worker.value("flopwatch_partition_stalled", topic=TENANTS, partition="0")


def test_a_source_that_does_not_answer_is_told(group: Group) -> None:
    """Nobody to ask how much there is: that is bad health, too."""
    worker = group.worker(0)
    worker.passes(10)
    worker.member.away = True
    worker.passes(59)

    assert "The broker does not answer." in worker.worker.healthy()[1]


def test_a_broker_that_goes_away_while_books_are_opened_ends_nobody(group: Group) -> None:
    """Partitions that come while the broker restarts are opened once it answers again; until then health says why."""
    for number in (0, 1):
        write(group, number, number, tenant_of(number), number, f"a-{number}")
    worker = group.worker(0)
    worker.passes(3)
    worker.member.away = True
    worker.member.give(0, 1)
    worker.passes(3)
    assert (False, True) == (worker.worker.healthy()[0], "The broker does not answer." in worker.worker.healthy()[1])
    worker.member.away = False
    worker.passes(5)

    assert worker.worker.healthy()[0]
    assert [1, 1] == [len(group.facts(number)) for number in (0, 1)]


def test_books_that_another_worker_claims_while_they_are_opened_end_nobody(group: Group) -> None:
    """Loading takes its time, and the partition may go elsewhere meanwhile: it is opened again if it stays ours."""
    for number in (0, 1):
        write(group, number, number, tenant_of(number), number, f"a-{number}")
    group.rivals = 1
    worker = group.worker(0, 1)
    worker.passes(5)

    assert worker.worker.healthy()[0]
    assert "books not opened" in worker.log()
    assert [1, 1] == [len(group.facts(number)) for number in (0, 1)]


def test_a_silent_source_is_a_recorded_blind_interval(group: Group) -> None:
    """A source that stays away much longer than ever before: told while it lasts, stored with its end."""
    tenant = tenant_of(0)
    worker = group.worker(0)
    for number in range(5):
        write(group, number, number * 60, tenant, 0, f"a-{number}")
    worker.passes(600)
    assert 1 == worker.value("flopwatch_blind_intervals", cause=SILENCE)
    write(group, 9, 1_000, tenant, 0, "back")
    worker.passes(3)

    (silence,) = group.store.blind()
    assert (SILENCE, START + 240_000, START + 1_000_000) == (silence.cause, silence.start, silence.end)
    assert 0 == worker.value("flopwatch_blind_intervals", cause=SILENCE)
    assert 760 == worker.value("flopwatch_blind_seconds_total", cause=SILENCE)
    assert ["blind", "sees again"] == [said for said in worker.log() if said in ("blind", "sees again")]


def test_a_backlog_that_comes_in_pieces_is_told_calmly(group: Group) -> None:
    """A worker that is at the end again and again while facts of yesterday come says once that it sees again."""
    tenant = tenant_of(0)
    for number in range(5):
        write(group, number, number * 60, tenant, 0, f"a-{number}")
    group.clock.turn(86_400)
    worker = group.worker(0)
    worker.passes(3)
    for number in range(5, 40):
        write(group, number, number * 60, tenant, 0, f"a-{number}")
        worker.passes(2)

    assert ["blind", "sees again"] == [said for said in worker.log() if said in ("blind", "sees again")]
    assert [False] == [blind.end is None for blind in group.store.blind()]


def test_what_was_sent_and_did_not_come_is_recorded(group: Group) -> None:
    """A source that has sent more to the partition than came: stored once with the number, also across a crash."""
    tenant = tenant_of(0)
    worker = group.worker(0)
    for number in range(24):
        write(group, number, number * 60, tenant, 0, f"a-{number}")
        sent = number + 1 + (3 if number > 12 else 0)
        line = event(100 + number, "source.alive", number * 60 + 1, "", source="provider/control-plane",
                     sent={f"{TENANTS}-0": sent, f"{TENANTS}-1": 5 * number})  # fmt: skip
        document = json.loads(line)
        del document["data"]["tenant"]
        group.topics.write((CONTROL, 0), json.dumps(document).encode())
        worker.passes(2)
        if number in (6, 14):  # a crash: what was not committed is read again by the next
            worker = group.worker(0)

    (gap,) = group.store.blind()
    assert (GAP, "provider/control-plane") == (gap.cause, gap.source)
    assert START + 12 * 60_000 <= gap.start < gap.end <= START + 14 * 60_000
    assert "has sent 3 events more than came" in gap.sentence
