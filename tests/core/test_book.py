"""The book as a whole, as text tables: layers, late facts, reports that are replaced, what left memory, retractions."""

from __future__ import annotations

from itertools import permutations
from typing import NamedTuple

import pytest

from monitor.core.book import RECOUNTED_AT_ONCE, SOURCE_IDS_MAX, Book, is_source_chain
from monitor.core.facts import content_hash
from monitor.core.model import HOUR_MS, SECOND_MS, Key
from monitor.core.timeline import FINGERPRINTS_MAX
from monitor.intake.decode import decode_facts
from monitor.run.apply import settle
from tests.core.table import BASE_MS, Taken, events, rows

NOW = 1_000


class Case(NamedTuple):
    says: str
    facts: str
    usage: str


USAGE = [
    Case(
        "an inner layer does not count beside its outer one",
        """
        0   start node accelerator=H100 count=8
        0   start pod accelerator=H100 count=2 within=node
        100 stop node
        100 stop pod
        """,
        "t ? ? H100 certain=800",
    ),
    Case(
        "an inner layer counts itself while nothing is known of the outer one",
        """
        0   start pod accelerator=H100 count=2 within=node
        100 stop pod
        """,
        "t ? ? H100 certain=200",
    ),
    Case(
        "a fact that opens nothing makes the outer layer known too",
        """
        0   start pod accelerator=H100 count=2 within=node
        100 stop pod
        100 stop node
        """,
        "",
    ),
    Case(
        "an outer layer that only a report names is known",
        """
        0   start pod accelerator=H100 count=2 within=node
        100 stop pod
        50  report east node=8
        100 stop node
        """,
        "t east ? H100 certain=400",
    ),
    Case(
        "so is one that only a part of a report names, in effect or not",
        """
        0   start pod accelerator=H100 count=2 within=node
        100 stop pod
        50  report east node=8 part=1 parts=2
        """,
        "",
    ),
    Case(
        "an outer layer whose only fact was retracted stays known",
        """
        0   start pod accelerator=H100 count=2 within=node
        100 stop pod
        0   start node accelerator=H100 count=8 id=gone
        100 retract gone
        """,
        "",
    ),
    Case(
        "an allocation within itself is its own outermost layer",
        """
        0   start pod accelerator=H100 count=2 within=pod
        100 stop pod
        """,
        "t ? ? H100 certain=200",
    ),
    Case(
        "the outer layer may be named later, by the first fact that does",
        """
        0   start node accelerator=H100 count=8
        100 stop node
        0   start pod accelerator=H100 count=2
        50  start pod within=node
        60  start pod within=elsewhere
        100 stop pod
        """,
        "t ? ? H100 certain=800",
    ),
    Case(
        "a retraction may take away the outer layer",
        """
        0   start node accelerator=H100 count=8
        100 stop node
        0   start pod accelerator=H100 count=2
        50  start pod within=node id=wrong
        100 stop pod
        100 retract wrong
        """,
        "t ? ? H100 certain=1000",
    ),
    Case(
        "an inner layer that was moved to another outer one forgets the first",
        """
        0   start pod accelerator=H100 count=2 within=lost id=wrong
        0   start pod accelerator=H100 count=2 within=node
        100 stop pod
        0   start node accelerator=H100 count=8
        100 stop node
        100 retract wrong
        0   start lost accelerator=H100 count=1
        100 stop lost
        """,
        "t ? ? H100 certain=900",
    ),
    Case(
        "what runs on in a reservation that was given up counts from then on, with all that was said of it before",
        """
        0   start cr accelerator=H100 count=8 layer=reservation
        0   start vm accelerator=H100 count=8 within=cr layer=node
        50  start vm-2 accelerator=H100 count=8 within=cr layer=node
        60  stop vm-2
        100 stop cr
        150 seen vm
        200 stop vm
        """,
        "t ? ? H100 certain=1600",
    ),
    Case(
        "what is on it stays within it",
        """
        0   start cr accelerator=H100 count=8 layer=reservation
        0   start vm accelerator=H100 count=8 within=cr layer=node
        0   start pod accelerator=H100 count=8 within=vm layer=pod
        100 stop cr
        200 stop pod
        200 stop vm
        """,
        "t ? ? H100 certain=1600",
    ),
    Case(
        "a reservation within something that is held still frees nothing; once that is given up, too, it does",
        """
        0   start fleet accelerator=H100 count=8 layer=reservation
        0   start cr accelerator=H100 count=8 layer=reservation within=fleet
        0   start vm accelerator=H100 count=8 within=cr
        100 stop cr
        300 stop fleet
        400 stop vm
        """,
        "t ? ? H100 certain=3200",
    ),
    Case(
        "a reservation that is held again holds what lies within it again, from its first start on",
        """
        0   start cr accelerator=H100 count=8 layer=reservation
        0   start vm accelerator=H100 count=8 within=cr
        100 stop cr
        200 start cr
        300 stop vm
        300 stop cr
        """,
        "t ? ? H100 certain=1600",
    ),
    Case(
        "a stop that is retracted was none",
        """
        0   start cr accelerator=H100 count=8 layer=reservation
        0   start vm accelerator=H100 count=8 within=cr
        100 stop cr id=wrong
        300 stop vm
        400 stop cr
        500 retract wrong
        """,
        "t ? ? H100 certain=3200",
    ),
    Case(
        "a reservation that a report lacks may have been held until the report: nothing is counted twice",
        """
        0   start cr accelerator=H100 count=8 layer=reservation region=east
        0   start vm accelerator=H100 count=8 within=cr region=east
        50  seen cr
        100 report east vm=8
        200 stop vm
        """,
        "t east ? H100 certain=1200 open=400",
    ),
    Case(
        "a lease runs on from the last evidence, however early that was",
        """
        0   start cr accelerator=H100 count=8 layer=reservation
        0   start vm accelerator=H100 count=8 within=cr lease=50
        100 stop cr
        200 seen vm
        240 stop vm
        """,
        "t ? ? H100 certain=1120 open=800",
    ),
    Case(
        "a circle counts nowhere",
        """
        0   start x accelerator=H100 count=8 layer=reservation within=y
        10  stop x
        0   start y accelerator=H100 count=8 layer=reservation within=x
        20  stop y
        """,
        "",
    ),
    Case(
        "a report that comes late opens an allocation up to the later one that lacks it",
        """
        0   start x accelerator=H100 count=2 region=east
        10  stop x
        100 report east y=1
        50  report east x=2
        """,
        """
        t east ? H100 certain=20 open=100
        t east ? H100 open=900
        """,
    ),
    Case(
        "so does one of another region",
        """
        0   start x accelerator=H100 count=2 region=east
        10  stop x
        100 report east y=1
        50  report west x=2
        """,
        """
        t east ? H100 certain=20 open=100
        t east ? H100 open=900
        """,
    ),
    Case(
        "tenants do not meet",
        """
        0   start x accelerator=H100 count=8
        100 stop x
        0   start x accelerator=H100 count=2 tenant=u
        50  stop x tenant=u
        0   start pod count=1 accelerator=H100 within=x tenant=v
        10  stop pod tenant=v
        """,
        "t ? ? H100 certain=800 \n u ? ? H100 certain=100 \n v ? ? H100 certain=10",
    ),
    Case(
        "one id for two allocations is two facts",
        """
        0   start x accelerator=H100 count=8 id=a
        100 stop x id=b
        0   start y accelerator=H100 count=2 id=a
        100 stop y id=b
        """,
        "t ? ? H100 certain=1000",
    ),
    Case(
        "a retraction takes back every fact of its tenant with that source and id",
        """
        0   start x accelerator=H100 count=8 id=a
        100 stop x
        0   start y accelerator=H100 count=2 id=a
        100 stop y
        0   start y accelerator=H100 count=1 id=a tenant=u
        100 stop y tenant=u
        100 retract a
        """,
        "u ? ? H100 certain=100",
    ),
    Case(
        "a report between a stop and a late restart, though it changed nothing when it came",
        """
        0   start x accelerator=H100 count=2 region=east
        10  stop x
        600 report east
        60  start x
        """,
        "t east ? H100 certain=20 open=1080",
    ),
    Case(
        "a report names hardware before a later fact does, however late the report comes",
        """
        0   start x count=1 region=east
        60  seen x accelerator=A100
        600 stop x
        10  report east x=1 hardware=H100
        """,
        "t east ? H100 certain=60 \n t east ? A100 certain=540",
    ),
    Case(
        "a report names the region before a later fact does, however late the report comes",
        """
        0   start x accelerator=H100 count=1
        60  start x region=west
        600 stop x
        10  report east x=1
        """,
        "t east ? H100 certain=600",
    ),
    Case(
        "a late report may be the only one to name the region",
        """
        0   start x accelerator=H100 count=1
        600 stop x
        10  report east x=1
        """,
        "t east ? H100 certain=600",
    ),
    Case(
        "time and count in fractions stay exact",
        """
        0   start x accelerator=H100 count=0.333
        1   stop x
        """,
        "t ? ? H100 certain=0.333",
    ),
]


@pytest.mark.parametrize("case", USAGE, ids=lambda case: case.says)
@pytest.mark.parametrize("resident", [1_000, 0], ids=["remembered", "forgotten"])
def test_usage_in_any_order(case: Case, resident: int) -> None:
    """The usage of all allocations follows from the set of facts: every rotation of them, and its reverse."""
    lines = events(case.facts)
    for turn in range(len(lines)):
        turned = lines[turn:] + lines[:turn]
        for order in (turned, turned[::-1]):
            taken = Taken(closed_resident_max=resident)
            for line in order:
                taken.take([line])
            assert sorted(rows(case.usage)) == taken.usage(NOW)


def test_what_lies_deeper_hears_of_an_end_that_did_not_last() -> None:
    """A batch in which a reservation ends and is held again leaves all layers below it as if it had never ended."""
    taken = Taken()
    taken.take(
        events(
            """
            0  start x accelerator=H100 count=8 layer=reservation
            0  start z accelerator=H100 count=8 layer=reservation within=x
            10 stop z
            0  start w accelerator=H100 count=8 within=z
            60 seen w
            """
        )
    )

    taken.take(events("100 stop x id=a \n 100 start x id=b \n 50 resize w count=4 id=c \n 200 stop w id=d"))

    assert rows("t ? ? H100 certain=800 presumed=800") == taken.usage(NOW // 5)


def test_all_that_lies_within_a_reservation_hears_of_its_end() -> None:
    """However much runs on in a reservation that is given up, all of it counts from then on."""
    many = RECOUNTED_AT_ONCE + 1
    inner = "\n".join(f"0 start i{number} accelerator=H100 count=1 within=r" for number in range(many))
    taken = Taken(f"{inner} \n 0 start r accelerator=H100 count=8 layer=reservation")

    taken.take(events("100 stop r id=end"))

    assert rows(f"t ? ? H100 certain=800 open={many * 100}") == taken.usage(200)


COMPARED = [
    Case(
        "that a reservation was given up",
        """
        0 start r accelerator=H100 count=8 layer=reservation
        0 start i accelerator=H100 count=8 within=r region=east
        """,
        "100 stop r id=end \n 200 report east i=8",
    ),
    Case(
        "that a stop was none",
        "0 start r accelerator=H100 count=8 region=east \n 50 stop r id=wrong",
        "100 retract wrong \n 200 report east r=8",
    ),
]


@pytest.mark.parametrize("case", COMPARED, ids=lambda case: case.says)
def test_a_report_is_compared_with_what_came_before_it_in_its_batch(case: Case) -> None:
    """The books agree with a report of what they hold, if what changed them comes in the same batch as the report."""
    taken = Taken(case.facts)

    taken.take(events(case.usage))

    assert ["200 east H100: 8 + 0 + 8 = 16, surplus 0, holds"] == taken.conservation


CONFLICTS = [
    Case("starts", "0 start x accelerator=H100 count=2 id=a", "0 start x accelerator=H100 count=4 id=a"),
    Case("a start and a stop", "0 start x accelerator=H100 count=2 id=a", "100 stop x id=a"),
    Case("reports of one instant", "50 report east y=1 id=a", "50 report east x=3 id=a"),
    Case("reports of two instants", "50 report east y=1 id=a", "60 report east y=1 id=a"),
    Case("retractions", "50 retract b id=a", "50 retract c id=a"),
    *(
        Case(f"a profile and the retraction at {at}", f"{at} retract b id=a", "50 profile p id=a")
        for at in range(50, 56)
    ),
]
AROUND = "0 start x accelerator=H100 count=1 region=east id=b \n 90 seen x id=c"


@pytest.mark.parametrize("case", CONFLICTS, ids=lambda case: case.says)
def test_of_two_contents_the_greater_hash_counts(case: Case) -> None:
    """Same source and id with other content: the books are as if only the one with the greater hash had come."""
    one, other = events(case.facts)[0], events(case.usage)[0]
    around = events(AROUND)
    alone = Taken()
    alone.take([*around, max(one, other, key=content_hash)])
    for order in permutations([one, other, *around]):
        taken = Taken(closed_resident_max=0)
        for line in order:
            taken.take([line])
        assert alone.usage(95) == taken.usage(95)
        assert 4 == taken.book.counts.accepted


def test_repetitions_are_counted_and_change_nothing() -> None:
    """A fact seen again, in the same batch or a later one, is a duplicate, whatever its kind."""
    table = """
        0  start x accelerator=H100 count=2
        10 seen x
        20 profile p
        30 party p
        40 alive s
        50 report east y=1
        60 stop x
    """
    lines = events(table)
    taken = Taken()
    taken.take([line for line in lines for _ in range(2)])
    usage = taken.usage(NOW)
    taken.take(reversed(lines))
    assert usage == taken.usage(NOW)
    assert (7, 14) == (taken.book.counts.accepted, taken.book.counts.duplicate)


def test_a_report_that_replaces_another() -> None:
    """Another content of a part, with the greater hash, replaces the report, also for what has left memory."""
    start = events("0 start x accelerator=H100 count=2 region=east")
    one, other = sorted(events("50 report east y=1 id=r") + events("50 report east x=2 z=1 id=r"), key=content_hash)
    late = Taken(closed_resident_max=0)
    for line in (one, *start, *events("100 stop x id=stop"), other):
        late.take([line])
    alone = Taken(closed_resident_max=0)
    alone.take([*start, *events("100 stop x id=stop"), other])
    assert alone.usage(200) == late.usage(200)


def test_a_late_report_reaches_what_has_left_memory() -> None:
    """A report of an earlier instant restates allocations that closed and were forgotten."""
    table = "0 start x accelerator=H100 count=2 region=east \n 100 seen x \n 200 stop x"
    taken = Taken(table, "50 report east y=1 id=r", closed_resident_max=0)
    assert ["0 50 open 2 H100"] == taken.held(NOW)
    assert ["t east ? H100 open=100", "t east ? H100 open=800 presumed=150"] == taken.usage(NOW)


def test_an_earlier_part_comes_last() -> None:
    """A report takes effect at its instant when its last part comes, though later reports are in effect already."""
    first = "0 start x accelerator=H100 count=2 region=east \n 50 report east y=1 part=1 parts=2"
    second = "80 report east x=2 id=later"
    last = "50 report east z=1 part=2 parts=2 id=last"
    taken = Taken(first, second, last)
    assert ["0 50 open 2 H100", "80 1000 open 2 H100"] == taken.held(NOW)


def test_a_late_fact_is_a_restatement() -> None:
    """A fact late by more than the lateness that changes the past is told with what was before and after."""
    taken = Taken(
        "0 start x accelerator=H100 count=2 \n 50 stop x \n 9000 start y",
        "20 resize x count=4 id=late",
        "49 seen x id=nothing-new",
    )
    assert ["x by late at 20: certain 100 -> 160, open 0 -> 0"] == taken.restatements
    assert 2 == taken.book.counts.late


def test_a_fact_in_time_is_no_restatement() -> None:
    """A fact that comes out of order, but not late, changes the books without being told."""
    taken = Taken("0 start x accelerator=H100 count=2 \n 50 stop x", "20 resize x count=4 id=early")
    assert [] == taken.restatements
    assert ["t ? ? H100 certain=160"] == taken.usage(NOW)


def test_an_inner_layer_restates_nothing() -> None:
    """A late fact about an inner layer changes no usage and tells nothing."""
    taken = Taken(
        "0 start node accelerator=H100 count=8 \n 0 start x accelerator=H100 count=2 within=node"
        "\n 50 stop x \n 9000 seen node",
        "20 resize x count=4 id=late",
    )
    assert [] == taken.restatements


def test_a_late_fact_reloads_what_has_left_memory() -> None:
    """A closed allocation leaves memory, and comes back with its whole history when a fact about it comes."""
    taken = Taken("0 start x accelerator=H100 count=2 \n 50 stop x", closed_resident_max=0)
    assert {} == taken.book.tenants["t"].timelines
    taken.take(events("70 start x id=again \n 80 stop x id=end"))
    assert ["0 50 certain 2 H100", "70 80 certain 2 H100"] == taken.held(NOW)
    assert ["t ? ? H100 certain=120"] == taken.usage(NOW)


def test_closed_allocations_leave_memory_oldest_first() -> None:
    """Beyond the maximum half of the closed allocations go, those that closed first; what is held stays."""
    table = "\n".join(f"{at} start x{at} \n {at} stop x{at}" for at in range(5)) + "\n 9 start held"
    assert ["x3", "x4", "held"] == list(Taken(table, closed_resident_max=4).book.tenants["t"].timelines)


@pytest.mark.parametrize("resident", [1_000, 0])
def test_a_retraction_reaches_facts_whose_fingerprint_is_forgotten(resident: int) -> None:
    """However many facts followed it, a retracted resize is taken back."""
    heartbeats = "\n".join(f"{at} seen x id=h{at}" for at in range(100, 100 + FINGERPRINTS_MAX + 1))
    table = f"0 start x accelerator=H100 count=2 \n 50 resize x count=4 id=wrong \n {heartbeats} \n 2000 stop x"
    taken = Taken(table, "2000 retract wrong id=r", closed_resident_max=resident)
    assert ["t ? ? H100 certain=4000"] == taken.usage(3_000)


def test_a_long_history_is_forgotten_from_its_old_end() -> None:
    """An allocation that comes back remembers its latest facts, as if it had never left."""
    heartbeats = "\n".join(f"{at} seen x id=h{at}" for at in range(100, 100 + FINGERPRINTS_MAX))
    table = f"0 start x accelerator=H100 count=2 \n {heartbeats} \n 2000 stop x"
    stayed, left = Taken(table), Taken(table, closed_resident_max=0)
    left.book.closed_resident_max = 1_000
    for taken in (stayed, left):
        taken.take(events("2010 seen x id=after"))
    assert stayed.book.tenants["t"].timelines["x"].prints == left.book.tenants["t"].timelines["x"].prints


def test_what_a_source_says_of_itself_is_remembered_up_to_a_maximum() -> None:
    """The identities of `alive` facts are bounded; the time at which the source was last heard of is not lost."""
    book = Book()
    table = "\n".join(f"{at} alive other" for at in range(SOURCE_IDS_MAX + 1))
    for fact in decode_facts(events(table)):
        book.observe(fact)
    source = book.sources["other"]
    assert SOURCE_IDS_MAX == len(source.recent)
    assert book.clock == source.heard


def test_the_book_says_what_moved() -> None:
    """A commit is told the allocations, rows, chains and sources that changed since the last one, and nothing else."""
    book = Taken("0 start x accelerator=H100 count=2 \n 10 seen x").book
    assert ({}, {}, [], [], {}) == (book.drain().timelines, *book.drain()[1:5])
    for fact in decode_facts(events("20 profile p id=p \n 30 stop x id=stop")):
        book.observe(fact)
    moved = book.drain()
    assert [("t", "x")] == list(moved.timelines) == list(moved.finished)
    assert (1, False) == (len(moved.finished["t", "x"].effects.pieces), moved.finished["t", "x"].anew)
    assert {("t", "")} == set(moved.chains)
    assert ["s"] == list(moved.sources)
    assert [("t", "certain")] == sorted({(name, row.key.usage_class) for name, row in moved.usage})
    assert [] == moved.measured


def rebuilt(taken: Taken, chains: dict[Key, int]) -> Book:
    """A book with nothing resident, made again from the chains of facts and the ledgers."""
    book = Book(closed_resident_max=0)
    for name, tenant in taken.book.tenants.items():
        book.tenant(name).ledger = tenant.ledger
    for key, head in chains.items():
        lines = taken.archive.histories({key: head})[key]
        book.restore_chain(key, head, decode_facts(reversed(lines)))
    for name, source in taken.book.sources.items():
        book.restore_source(name, source.heard, source.pause, source.came, source.lags)
    book.restore_settled("east", BASE_MS + 100_000)
    book.next_fact, book.clock = taken.book.next_fact, taken.book.clock
    return book


def test_a_rebuilt_book_goes_on() -> None:
    """A book made again from its chains knows what it knew: reports, retractions, profiles, sources, repetitions."""
    table = """
        0   start x accelerator=H100 count=2 region=east
        50  report east x=4
        100 stop x
        100 profile p
        100 party p
        100 alive s
        100 retract later id=r
    """
    after = """
        0  start x accelerator=H100 count=1 region=east id=later
        20 resize x count=3 id=new
        30 report east id=absent
    """
    lines = events(table)
    stayed = Taken()
    for fact in decode_facts(lines):
        stayed.book.begin({})
        stayed.book.observe(fact)
        settle(stayed.book, stayed.archive)
    moved = stayed.book.drain()
    stayed.archive.commit(moved)
    stayed.book.closed_resident_max = 0
    stayed.book.drain()
    assert [True, False] == [is_source_chain(("", "source/s")), is_source_chain(("t", ""))]
    before = {name: tenant.facts for name, tenant in stayed.book.tenants.items()}
    stayed.book = rebuilt(stayed, moved.chains)
    assert before == {name: tenant.facts for name, tenant in stayed.book.tenants.items()}
    assert set(moved.chains) >= {("t", ""), ("", "party/p"), ("", "source/s"), ("", "region/east")}
    stayed.take([*lines, *events(after)])
    assert Taken(table, after).usage(NOW) == stayed.usage(NOW)
    assert len(lines) == stayed.book.counts.duplicate


def test_old_hours_leave_memory_several_at_once() -> None:
    """A book that keeps four hours lets go of older ones once there are two of them, and what they add up to stays."""
    taken, base_hour = Taken(), BASE_MS // HOUR_MS
    taken.book.resident_hours = 4
    kept = []
    for hour in (0, 4, 5, 6):
        taken.take(events(f"{3_600 * hour} start x{hour} count=8 \n {3_600 * hour + 60} stop x{hour}"))
        ledger = taken.book.tenants["t"].ledger
        kept.append(sorted(key.hour - base_hour for key in ledger.changes))

    assert [[0], [0, 4], [0, 4, 5], [4, 5, 6]] == kept
    assert [4 * 8_000 * 60_000] == list(ledger.totals.values())


def test_an_old_fact_delivered_again_is_a_duplicate() -> None:
    """However many facts followed it, a heartbeat that comes again is recognised and not kept twice."""
    heartbeats = "\n".join(f"{at} seen x id=h{at}" for at in range(1, FINGERPRINTS_MAX + 100))
    taken = Taken(f"0 start x count=1 id=a \n {heartbeats}", "5 seen x id=h5")
    assert (FINGERPRINTS_MAX + 100, 1) == (taken.book.counts.accepted, taken.book.counts.duplicate)


def test_contradictions_are_counted_however_late_they_show() -> None:
    """An orphan stop, a resize after a stop and an id with other content are counted once each, in any order."""
    lines = events("0 start x count=1 id=a \n 10 stop x id=b \n 20 resize x count=2 id=c \n 30 stop y id=d")
    rival = events("0 start x count=3 id=a")
    expected = {"resize after stop": 1, "orphan stop": 1, "id with other content": 1}
    for order in (lines + rival, (lines + rival)[::-1]):
        taken = Taken("")
        for line in order:
            taken.take([line])
        assert expected == taken.book.counts.anomalies


def test_a_fact_about_a_party_makes_every_tenant_due() -> None:
    """The party may be above any of them, so all are evaluated again."""
    taken = Taken("0 start x tenant=a count=1 \n 0 profile party=p tenant=b")
    taken.book.dirty_tenants.clear()
    taken.take(events("9 party p hq_country=CN"))
    assert {"a", "b"} == taken.book.dirty_tenants


def test_facts_that_a_look_missed_are_late_news() -> None:
    """Late facts from before people were told are counted for whom they are about, once; others are not."""
    taken = Taken("0 start x accelerator=H100 count=2 region=east \n 100 seen x", lateness_ms=10 * SECOND_MS)
    taken.take(events("80 seen x id=unlooked"))  # late, but nobody has looked yet
    taken.book.looked_at = BASE_MS + 100 * SECOND_MS
    taken.take(events("95 seen x id=hardly"))  # within the lateness
    taken.take(events("200 seen x id=later"))
    assert {} == taken.book.came_late

    late = "50 stop x id=s \n 60 profile p id=q \n 70 report east y=1 id=r \n 75 alive s id=a"
    taken.take(events(late))
    taken.take(events(late))
    taken.take(events("150 seen x id=after"))  # late, and no look has missed it

    taken.take(events("60 start z tenant=new accelerator=H100 count=1 id=z"))

    assert {"t": 3, "new": 1} == taken.book.came_late
