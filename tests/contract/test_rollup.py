"""Groups cross partitions: whoever rolls up, people are told once, and what they are told is that of one replay."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from monitor.core.book import Book
from monitor.core.engine import GroupAnswer, answer
from monitor.core.flags import Act, State, flag_id
from monitor.core.notices import Recipient, Telling, terms_of
from monitor.errors import StoreProblem
from monitor.log import build_log
from monitor.metrics import Metrics
from monitor.run.aside import Aside
from monitor.run.rollup import REST, ROLL_UP_SECONDS, Rollup
from monitor.run.task import Watch
from monitor.store.memory import MemoryArchive
from monitor.store.sql import SqlStore
from tests.core.facts_strategy import event
from tests.core.table import BASE_MS, events
from tests.core.test_estimate import reference
from tests.core.test_groups import TOGETHER
from tests.run.test_worker import TurnedClock
from tests.store.taking import commit_of, loaded_book, take

LINES = events(TOGETHER)
PARTITIONS = {"a": 0, "b": 1, "c": 2}


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    """Three partitions, one tenant in each."""
    store = SqlStore.open(url)
    for number in range(3):
        commit(store, number, [line for line in LINES if number_of(line) == number])
    yield store
    store.close()


def number_of(line: bytes) -> int:
    """The partition of an event."""
    return PARTITIONS[json.loads(line)["data"]["tenant"]]


def commit(store: SqlStore, number: int, lines: list[bytes]) -> None:
    """Commit facts to the books of a partition."""
    beside = store.beside(number)
    beside.claim()
    book = loaded_book(beside)
    take(book, beside, lines)
    beside.commit(commit_of(book))


def watch(clock: TurnedClock) -> Watch:
    return Watch(Metrics(CollectorRegistry()), clock, build_log("info", clock, io.StringIO()))


def rollup(store: SqlStore, clock: TurnedClock | None = None) -> Rollup:
    """Somebody who rolls up."""
    return Rollup(store, reference(), watch(clock or TurnedClock()))


def groups_of(lines: list[bytes], now: int | None = None) -> tuple[GroupAnswer, ...]:
    """The groups of one book of everything."""
    book, archive = Book(), MemoryArchive()
    take(book, archive, lines)
    archive.commit(book.drain())
    return answer(book, reference(), book.clock if now is None else now, archive).groups


def told_of(store: SqlStore, groups: tuple[GroupAnswer, ...]) -> bool:
    """Whether the flags of groups are those of the findings of these groups, and no other."""
    findings = {flag_id(one.rule, group.group): one for group in groups for one in group.findings}
    return findings == {name: flag.finding for name, flag in store.group_flags().items()}


def test_a_group_over_partitions_is_flagged_as_one_replay_flags_it(store: SqlStore) -> None:
    """The flags are those of the findings of one book; tenants' own flags are left alone."""
    (group,) = groups_of(LINES)
    rolling = rollup(store)
    rolling.work()
    flags = store.group_flags()
    assert {flag_id(one.rule, "acme"): one for one in group.findings} == {
        name: flag.finding for name, flag in flags.items()
    }
    assert rolling.ours
    assert sum(rolling.flags.values()) == len(flags) > 1
    assert {} == store.beside(0).load(lambda lines: []).flags


def test_people_are_told_once(store: SqlStore) -> None:
    """Again and by others: nothing more happens, and not before it is time."""
    clock = TurnedClock()
    first, second = rollup(store, clock), rollup(store, clock)
    first.work()
    for _ in range(3):
        first.work()
        second.work()
        clock.turn(ROLL_UP_SECONDS)
    assert {"raised"} == {entry.act for flag in store.group_flags() for entry in store.flag_history(flag)}
    assert {1} == {len(store.flag_history(flag)) for flag in store.group_flags()}


def test_a_party_that_falls_apart_withdraws_its_flags(store: SqlStore) -> None:
    """A tenant that declares another party leaves the group, and the flags say so."""
    clock = TurnedClock()
    rolling = rollup(store, clock)
    rolling.work()
    commit(store, 1, events("864000 profile party=bolt tenant=b id=later"))
    clock.turn(ROLL_UP_SECONDS)
    rolling.work()
    flags = store.group_flags().values()
    assert {State.WITHDRAWN} == {flag.state for flag in flags}
    assert {Act.WITHDRAWN} == {store.flag_history(flag.id)[-1].act for flag in flags}


def test_late_facts_are_told_where_they_moved_a_group(store: SqlStore) -> None:
    """The history of a group's flag says how many facts about its tenants came late since the look before, once."""
    clock = TurnedClock()
    rolling = rollup(store, clock)
    rolling.work()
    for number, tenant in ((0, "a"), (1, "b")):
        commit(store, number, events(f"60 stop x tenant={tenant} id=late-{tenant}"))
    clock.turn(ROLL_UP_SECONDS)
    rolling.work()
    commit(store, 1, events("864000 profile party=bolt tenant=b id=later"))
    clock.turn(ROLL_UP_SECONDS)
    rolling.work()

    histories = [store.flag_history(flag) for flag in store.group_flags()]
    assert histories
    late = "Since the look before 2 facts about it have come late."
    assert [[False, True]] * len(histories) == [[entry.reason.endswith(late) for entry in one] for one in histories]
    assert {"withdrawn"} == {one[-1].act for one in histories}


def test_what_came_late_before_a_first_look_is_not_told(store: SqlStore) -> None:
    """Whoever begins to roll up knows of no look before."""
    commit(store, 0, events("3000 resize x tenant=a count=90000 id=late"))
    rollup(store).work()

    assert {"raised"} == {entry.act for flag in store.group_flags() for entry in store.flag_history(flag)}
    assert not any("come late" in entry.reason for flag in store.group_flags() for entry in store.flag_history(flag))


def test_the_least_clock_rules(store: SqlStore) -> None:
    """While a partition lags, groups are looked at as of where it is."""
    commit(store, 0, events("999999 seen x tenant=a id=far"))
    rolling = rollup(store)
    rolling.work()
    assert {BASE_MS + 864_000_000} == {flag.told_at for flag in store.group_flags().values()}
    assert min(store.clocks()) == store.last_roll_up()


def test_evaluation_never_goes_back(store: SqlStore) -> None:
    """A partition that comes late to its first tenant does not turn the clock of the groups back."""
    clock = TurnedClock()
    rolling = rollup(store, clock)
    rolling.work()
    before = store.group_flags()
    commit(store, 3, events("5 profile party=acme tenant=z id=z"))
    clock.turn(ROLL_UP_SECONDS)
    rolling.work()
    assert before == store.group_flags()


def test_two_at_once_tell_once(store: SqlStore, url: str) -> None:
    """Of two that roll up at the same moment one writes; nothing is told twice."""
    others = [SqlStore.open(url) for _ in range(2)]
    rolling = [rollup(one) for one in others]
    threads = [threading.Thread(target=one.work) for one in rolling]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in rolling:
        one.finish()
    assert {1} == {len(store.flag_history(flag)) for flag in store.group_flags()}
    assert store.group_flags()
    for other in others:
        other.close()


def test_a_store_that_is_away_is_asked_again(store: SqlStore) -> None:
    """Nothing ends, nothing is shown meanwhile, and the next roll-up goes well."""

    class Away:
        """The store, told to be away."""

        def __init__(self) -> None:
            self.away = True

        def __getattr__(self, name: str) -> object:
            if self.away:
                raise StoreProblem("The database is away.")
            return getattr(store, name)

    clock, books = TurnedClock(), Away()
    rolling = Rollup(books, reference(), watch(clock))  # type: ignore[arg-type]
    rolling.work()
    assert ({}, False) == (rolling.flags, rolling.ours)
    books.away = False
    clock.turn(ROLL_UP_SECONDS)
    rolling.work()
    assert rolling.ours
    assert rolling.flags


def test_a_slow_roll_up_is_followed_by_a_rest(store: SqlStore) -> None:
    """A worker gives groups a twentieth of its time at most, however much there is to read."""
    clock, took = TurnedClock(), 5.0

    class Slow:
        """The store, with much to read."""

        def __getattr__(self, name: str) -> object:
            if name == "clocks":
                clock.turn(took)
            return getattr(store, name)

    rolling = Rollup(Slow(), reference(), watch(clock))  # type: ignore[arg-type]
    rolling.work()
    clock.turn(REST * took - 0.1)
    began = clock.monotonic()
    rolling.work()
    assert began == clock.monotonic()
    clock.turn(0.1)
    rolling.work()
    assert began < clock.monotonic() - took


def test_only_one_process_rolls_up(url: str) -> None:
    """On PostgreSQL whoever comes second does nothing; when the first is done, it may."""
    one, other = SqlStore.open(url), SqlStore.open(url)
    if not url.startswith("postgresql"):
        one.close()
        other.close()
        return  # one process has the store
    with one.rolling_up() as ours, other.rolling_up() as theirs:
        assert (True, False) == (ours, theirs)
    with other.rolling_up() as theirs:
        assert theirs
    one.close()
    other.close()


def test_a_roll_up_knows_parties(store: SqlStore) -> None:
    """What is known of a party, which every partition has, counts for its group as in one replay."""
    changed = events("864000 retract pa tenant=a id=r \n 864000 profile party=acme tenant=a id=again")
    known = events("864000 party acme hq_country=CN id=known")
    for number in range(3):
        commit(store, number, [*known, *(changed if number == 0 else [])])
    (group,) = groups_of([*LINES, *changed, *known], BASE_MS + 864_000_000)
    rollup(store).work()
    flags = store.group_flags()
    assert {flag_id(one.rule, "acme"): one for one in group.findings} == {
        name: flag.finding for name, flag in flags.items()
    }
    assert any("The party of the tenant, acme, is headquartered in CN" in one.reasons[1] for one in group.findings)


# What each of two tenants holds: together it is more than 1e23 FLOP at the high bound.
HOLD = "accelerator=H100-SXM5-80GB count=200"
START = f"1 start x tenant=a id=xa {HOLD} {{0}} \n 1 start x tenant=b id=xb {HOLD} {{0}}"
STOP = "864000 stop x tenant=a \n 864000 stop x tenant=b \n 864000 profile tenant=c id=pc"
# Each of five launches at a minute of its own, of both tenants within seconds: b has nothing but its launches.
LAUNCHES = "\n".join(
    f"""
    {start} start l{start} tenant=a {HOLD} {{0}}
    {start + 5} start l{start} tenant=b {HOLD} {{1}}
    {start + 170_000} stop l{start} tenant=a
    {start + 170_000} stop l{start} tenant=b
    """
    for start in (60, 172_920, 346_200, 519_720, 692_580)
)
LINKED = {
    "a payer": "0 profile tenant=a payer=P-1 id=pa \n 0 profile tenant=b payer=P-1 id=pb \n"
    + START.format("")
    + "\n"
    + STOP,
    "an owner": f"""
        0 profile party=one tenant=a id=pa
        0 profile party=other tenant=b id=pb
        {START.format("")}
        {STOP}
        """,
    "an image and launches, one tenant without a profile": "0 profile tenant=a id=pa \n"
    + LAUNCHES.format("image_digest=i1", "image_digest=i1")
    + "\n"
    + STOP.splitlines()[-1],
    "an end customer that has nothing but launches": "0 profile tenant=a id=pa \n"
    + LAUNCHES.format("on_behalf_of=b", "")
    + "\n"
    + STOP.splitlines()[-1],
    "a reseller's book": f"""
        0 profile tenant=a reseller_of=R id=pa
        0 profile tenant=b reseller_of=R id=pb
        {START.format("")}
        {STOP}
        """,
}


def register() -> list[bytes]:
    """What every partition hears: two companies of one owner."""
    return [
        event(
            "party.profiled",
            0,
            "s",
            f"of {name}",
            {"party": name, "owners": [{"party": "holding", "share": 1, "control": True, "source": "register"}]},
        )
        for name in ("one", "other")
    ]


@pytest.mark.parametrize("case", LINKED)
def test_what_links_tenants_of_several_partitions(url: str, case: str) -> None:
    """Whatever links them, and whatever their partitions know of them: the flags are those of one replay."""
    known, lines = register(), events(LINKED[case])
    groups = groups_of([*known, *lines])
    store = SqlStore.open(url)
    for number in range(3):
        commit(store, number, [*known, *(line for line in lines if number_of(line) == number)])

    rollup(store).work()

    assert [("a", "b")] == [group.tenants for group in groups]
    assert store.group_flags()
    assert told_of(store, groups)
    store.close()


def test_a_crash_between_two_roll_ups_changes_nothing(store: SqlStore, url: str) -> None:
    """Who begins anew, with nothing in memory, tells what the first would have: nothing is told twice, nothing lost."""
    rollup(store).work()
    later = events("864000 profile tenant=c party=acme id=joins")
    commit(store, 2, later)
    store.close()

    again = SqlStore.open(url)
    rollup(again).work()
    rollup(again).work()

    groups = groups_of([*LINES, *later])
    assert [("a", "b", "c")] == [group.tenants for group in groups]
    assert told_of(again, groups)
    assert {1} == {sum(entry.act == "raised" for entry in again.flag_history(flag)) for flag in again.group_flags()}
    again.close()


def test_people_are_told_of_groups(store: SqlStore) -> None:
    """In the transaction that raises their flags, once, with the tenants of the group; nobody where nobody is to be."""
    everybody = Recipient("all", frozenset({"page", "queue"}))
    telling = Telling(terms_of(reference().policies), (everybody,))
    clock = TurnedClock()
    for _ in range(3):
        Rollup(store, reference(), watch(clock), telling).work()
    told = store.outgoing.waiting_for("all")

    assert sorted(store.group_flags()) == sorted(one.flag for one in told)
    assert {("first", ("a", "b"))} == {(str(one.kind), one.members) for one in told}


def test_without_anybody_to_tell_nothing_is_written(store: SqlStore) -> None:
    """Flags of groups as of tenants."""
    rollup(store).work()

    assert store.group_flags()
    assert [] == store.outgoing.sent()


# -- beside the loop ---------------------------------------------------------------------------------------------------


class Held:
    """A store whose partitions are not told until somebody lets them be."""

    def __init__(self, store: SqlStore) -> None:
        self.asked, self.let = threading.Event(), threading.Event()
        self._store = store

    def partitions(self) -> Sequence[int]:
        """Of the store, in the end."""
        self.asked.set()
        assert self.let.wait(30)
        return self._store.partitions()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.fixture
def held(store: SqlStore, url: str) -> Iterator[tuple[Held, Aside]]:
    """A roll-up in a thread, over a store of its own, which has begun and does not get on."""
    own = SqlStore.open(url)
    holding, clock = Held(own), TurnedClock()
    aside = Aside(Rollup(holding, reference(), watch(clock)))
    aside.work()
    assert holding.asked.wait(30)
    yield holding, aside
    holding.let.set()
    aside.close()
    own.close()


def test_the_loop_does_not_wait_for_a_roll_up(store: SqlStore, held: tuple[Held, Aside]) -> None:
    """While one is under way no other one begins; in the end people are told what they are told otherwise."""
    holding, aside = held
    aside.work()
    assert {} == aside.flags
    holding.let.set()
    aside.finish()

    assert told_of(store, groups_of(LINES))
    assert sum(aside.flags.values()) == len(store.group_flags()) > 1


def test_a_roll_up_that_takes_too_long_is_given_up(
    store: SqlStore, held: tuple[Held, Aside], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stops waits a moment; nothing of it is written, and the next one who looks tells people."""
    monkeypatch.setattr("monitor.run.aside.FINISH_SECONDS", 0.01)
    holding, aside = held
    letting = threading.Timer(0.2, holding.let.set)
    letting.start()
    aside.finish()
    letting.join()

    assert {} == store.group_flags()
    rollup(store).work()
    assert told_of(store, groups_of(LINES))
