"""Rulings 1 to 5 as text tables: the facts of one allocation, and what was held in which evidence class."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from monitor.core.model import NO_TRAITS, Kind, Traits
from monitor.core.timeline import FINGERPRINTS_MAX, Effects, Timeline, advance, fingerprint, may_hold, remember
from monitor.intake.decode import decode_facts
from tests.core.table import BASE_MS, Taken, events, rows

NOW = 1_000


class Case(NamedTuple):
    says: str
    facts: str
    held: str


HELD = [
    Case(
        "a stop ends what a start began",
        "0 start x accelerator=H100 count=2 \n 60 stop x",
        "0 60 certain 2 H100",
    ),
    Case("nothing is held without a start", "0 seen x accelerator=H100 count=2 \n 60 stop x", ""),
    Case("an orphan stop adds nothing", "60 stop x", ""),
    Case(
        "a resize changes the count from then on, and no count is a pause",
        "0 start x accelerator=H100 count=2 \n 10 resize x count=0 \n 20 resize x count=8 \n 60 stop x",
        "0 10 certain 2 H100 \n 20 60 certain 8 H100",
    ),
    Case(
        "a start on a running allocation is a resize",
        "0 start x accelerator=H100 count=2 \n 10 start x accelerator=A100 count=3 \n 60 stop x",
        "0 10 certain 2 H100 \n 10 60 certain 3 A100",
    ),
    Case(
        "a seen with a count is a resize, one with the same count is not",
        "0 start x accelerator=H100 count=2 \n 10 seen x count=2 \n 20 seen x count=4 \n 60 stop x",
        "0 20 certain 2 H100 \n 20 60 certain 4 H100",
    ),
    Case(
        "a resize or a seen after a stop opens nothing",
        "0 start x accelerator=H100 count=2 \n 10 stop x \n 20 resize x count=8 \n 30 seen x",
        "0 10 certain 2 H100",
    ),
    Case(
        "a restart that states no count takes the last one",
        "0 start x accelerator=H100 count=2 \n 5 resize x count=4 \n 10 stop x \n 20 start x \n 30 stop x",
        "0 5 certain 2 H100 \n 5 10 certain 4 H100 \n 20 30 certain 4 H100",
    ),
    Case("a count that nobody states is one unit", "0 start x \n 60 stop x", "0 60 certain 1 ?"),
    Case(
        "hardware and the first count may be named later, and hold from the start",
        "0 start x \n 60 seen x accelerator=H100 \n 70 resize x count=4 \n 90 stop x",
        "0 90 certain 4 H100",
    ),
    Case(
        "a fact before the start may name it too",
        "0 seen x accelerator=H100 count=3 \n 10 start x \n 20 stop x",
        "10 20 certain 3 H100",
    ),
    Case(
        "of two facts of one instant the start names the hardware, whatever their ids",
        "0 start x \n 10 seen x accelerator=A100 id=a \n 10 start x accelerator=H100 id=b \n 20 stop x",
        "0 10 certain 1 H100 \n 10 20 certain 1 H100",
    ),
    # -- what is described and not held (decision 63)
    Case("a description alone holds nothing", "0 describe x accelerator=H100 count=8 \n 60 stop x", ""),
    Case(
        "a description names what a start without hardware holds, before it and after",
        "0 describe x accelerator=H100 count=8 \n 10 start x \n 20 stop x",
        "10 20 certain 8 H100",
    ),
    Case(
        "a description that comes later names it from the start",
        "0 start x \n 10 describe x accelerator=H100 count=8 \n 20 stop x",
        "0 20 certain 8 H100",
    ),
    Case(
        "a description of what is stopped holds for what starts next",
        "0 start x accelerator=A100 count=8 \n 10 stop x \n 15 describe x accelerator=H100 count=4 \n 20 start x "
        "\n 30 stop x",
        "0 10 certain 8 A100 \n 20 30 certain 4 H100",
    ),
    Case(
        "a description of what is held changes nothing that was named, and is no sign of life",
        "0 start x accelerator=H100 count=8 \n 10 describe x accelerator=A100 count=1 \n 20 stop x",
        "0 20 certain 8 H100",
    ),
    Case(
        "between a stop and a start of one instant a description holds for the start",
        "0 start x accelerator=A100 count=8 \n 10 start x id=c \n 10 stop x id=a \n 10 describe x accelerator=H100 id=z"
        " \n 20 stop x",
        "0 10 certain 8 A100 \n 10 20 certain 8 H100",
    ),
    # -- one instant
    Case(
        "a restart within one instant: stop, then start, then resize",
        "0 start x accelerator=H100 count=2 \n 10 resize x count=8 \n 10 start x count=4 \n 10 stop x \n 20 stop x",
        "0 10 certain 2 H100 \n 10 20 certain 8 H100",
    ),
    Case(
        "where nothing was held before: start, then resize, then stop",
        "10 stop x \n 10 resize x count=8 \n 10 start x accelerator=H100 count=4",
        "",
    ),
    Case(
        "equal kinds of one instant by source and id",
        "0 start x accelerator=H100 count=1 \n 10 resize x count=3 id=b \n 10 resize x count=2 id=c"
        "\n 10 resize x count=4 id=a \n 20 stop x",
        "0 10 certain 1 H100 \n 10 20 certain 2 H100",
    ),
    Case(
        "a plain seen at the instant of the stop stands before it",
        "0 start x accelerator=H100 count=1 \n 10 stop x \n 10 seen x",
        "0 10 certain 1 H100",
    ),
    # -- leases
    Case(
        "after the last evidence one lease is presumed, the rest is open",
        "0 start x accelerator=H100 count=2 lease=300 \n 100 seen x",
        "0 100 certain 2 H100 \n 100 400 presumed 2 H100 \n 400 1000 open 2 H100",
    ),
    Case(
        "without a lease it is presumed up to the time that its source was last heard of",
        "0 start x accelerator=H100 count=2 \n 700 start y",
        "0 700 presumed 2 H100 \n 700 1000 open 2 H100",
    ),
    Case(
        "a source is heard of through what others say about it, and through retracted facts",
        "0 start x accelerator=H100 count=2 \n 500 alive s source=other \n 600 seen y id=r \n 5 retract r",
        "0 600 presumed 2 H100 \n 600 1000 open 2 H100",
    ),
    Case(
        "another source than that of the last evidence does not count",
        "0 start x accelerator=H100 count=2 \n 700 start y source=other",
        "0 1000 open 2 H100",
    ),
    Case(
        "time after a lapsed lease, before evidence returns, stays open",
        "0 start x accelerator=H100 count=2 lease=30 \n 100 seen x \n 120 stop x",
        "0 30 certain 2 H100 \n 30 100 open 2 H100 \n 100 120 certain 2 H100",
    ),
    Case(
        "evidence at the very end of a lease renews it",
        "0 start x accelerator=H100 count=2 lease=30 \n 30 seen x \n 60 stop x",
        "0 60 certain 2 H100",
    ),
    Case(
        "a stop is evidence, and comes too late for a lapsed lease",
        "0 start x accelerator=H100 count=2 lease=30 \n 100 stop x",
        "0 30 certain 2 H100 \n 30 100 open 2 H100",
    ),
    Case(
        "a lease that is stated later says nothing of the time before",
        "0 start x accelerator=H100 count=2 \n 500 seen x lease=30 \n 600 stop x",
        "0 530 certain 2 H100 \n 530 600 open 2 H100",
    ),
    Case(
        "a lease holds until another is stated, over a restart, even if nothing was held when it was stated",
        "0 start x accelerator=H100 count=2 lease=30 \n 20 stop x \n 30 seen x lease=50 \n 100 start x \n 200 stop x",
        "0 20 certain 2 H100 \n 100 150 certain 2 H100 \n 150 200 open 2 H100",
    ),
    Case(
        "without any lease it is certain up to the last evidence, however far apart the facts are",
        "0 start x accelerator=H100 count=2 \n 900 stop x",
        "0 900 certain 2 H100",
    ),
    # -- telemetry as evidence
    Case(
        "the provider's telemetry is evidence, the tenant's is not",
        "0 start x accelerator=H100 count=1 lease=100 \n 100 telemetry x window=10 observer=provider"
        "\n 180 telemetry x window=10 observer=tenant",
        "0 100 certain 1 H100 \n 100 200 presumed 1 H100 \n 200 1000 open 1 H100",
    ),
    Case("telemetry of what is not held opens nothing", "10 telemetry x window=10 observer=provider", ""),
    # -- inventory
    Case(
        "presence opens what was not held, with what the report says",
        "100 report east x=2 \n 160 stop x",
        "100 160 certain 2 H100",
    ),
    Case(
        "presence with another count is a resize",
        "0 start x accelerator=H100 count=2 \n 100 report east x=4 \n 160 stop x",
        "0 100 certain 2 H100 \n 100 160 certain 4 H100",
    ),
    Case(
        "presence never renames hardware",
        "0 start x accelerator=A100 count=2 \n 100 report east x=2 \n 160 stop x",
        "0 160 certain 2 A100",
    ),
    Case(
        "a fact names hardware before a report of the same instant does",
        "0 start x \n 100 seen x accelerator=A100 \n 100 report east x=1 \n 160 stop x",
        "0 160 certain 1 A100",
    ),
    Case(
        "absence ends certain time at the last evidence, and the rest is open for good",
        "0 start x accelerator=H100 count=2 region=east \n 100 seen x \n 300 report east y=1",
        "0 100 certain 2 H100 \n 100 300 open 2 H100",
    ),
    Case(
        "absence from an incomplete report says nothing",
        "0 start x accelerator=H100 count=2 region=east \n 300 report east y=1 complete=no \n 400 stop x",
        "0 400 certain 2 H100",
    ),
    Case(
        "absence from another region's report says nothing",
        "0 start x accelerator=H100 count=2 region=west \n 300 report east y=1 \n 400 stop x",
        "0 400 certain 2 H100",
    ),
    Case(
        "an allocation stays in the region that was named first",
        "0 start x accelerator=H100 count=2 region=west \n 100 start x region=east \n 300 report east y=1"
        "\n 350 report west y=1",
        "0 100 certain 2 H100 \n 100 350 open 2 H100",
    ),
    Case(
        "absence of what is not held changes nothing",
        "0 start x accelerator=H100 count=2 region=east \n 100 stop x \n 300 report east y=1",
        "0 100 certain 2 H100",
    ),
    Case(
        "a report is in effect only when all its parts are there",
        "0 start x accelerator=H100 count=2 region=east \n 300 report east y=1 part=1 parts=2 \n 400 stop x",
        "0 400 certain 2 H100",
    ),
    Case(
        "parts make one report",
        "0 start x accelerator=H100 count=2 region=east \n 300 report east y=1 part=1 parts=2"
        "\n 300 report east x=3 part=2 parts=2 \n 400 stop x",
        "0 300 certain 2 H100 \n 300 400 certain 3 H100",
    ),
    Case(
        "of two reports of one instant that disagree the one that names it wins",
        "0 start x accelerator=H100 count=2 region=east \n 300 report east y=1 source=one"
        "\n 300 report east x=2 source=two \n 400 stop x",
        "0 400 certain 2 H100",
    ),
    Case(
        "an absence that evidence follows: presence opens it again",
        "0 start x accelerator=H100 count=2 region=east \n 300 report east y=1 \n 400 report east x=2 \n 500 stop x",
        "0 300 open 2 H100 \n 400 500 certain 2 H100",
    ),
    Case(
        "a region that only a report names counts from the start",
        "0 start x accelerator=H100 count=2 \n 300 report east y=1 \n 400 report east x=2 \n 500 stop x",
        "0 300 open 2 H100 \n 400 500 certain 2 H100",
    ),
    # -- retractions
    Case(
        "a retracted start holds nothing",
        "0 start x accelerator=H100 count=2 id=a \n 60 stop x \n 90 retract a",
        "",
    ),
    Case(
        "a retracted stop leaves it held",
        "0 start x accelerator=H100 count=2 \n 60 stop x id=b \n 90 retract b \n 500 seen x",
        "0 500 certain 2 H100 \n 500 1000 open 2 H100",
    ),
    Case(
        "a retracted seen is no evidence",
        "0 start x accelerator=H100 count=2 lease=100 \n 50 seen x id=b \n 90 retract b",
        "0 100 presumed 2 H100 \n 100 1000 open 2 H100",
    ),
    Case(
        "a retraction applies before its fact comes, whatever its time",
        "900 retract a \n 0 start x accelerator=H100 count=2 id=a \n 10 start x accelerator=H100 count=1 \n 60 stop x",
        "10 60 certain 1 H100",
    ),
    Case(
        "a retraction of a fact of another source, or of an unknown one, changes nothing",
        "0 start x accelerator=H100 count=2 id=a \n 60 stop x \n 90 retract a source=other \n 90 retract z",
        "0 60 certain 2 H100",
    ),
    Case(
        "a retraction cannot be retracted",
        "0 start x accelerator=H100 count=2 id=a \n 60 stop x \n 90 retract a id=r \n 91 retract r",
        "",
    ),
]


@pytest.mark.parametrize("case", HELD, ids=lambda case: case.says)
@pytest.mark.parametrize("resident", [1_000, 0], ids=["remembered", "forgotten"])
@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
def test_held_time(case: Case, backwards: bool, resident: int) -> None:
    """The facts of an allocation say what was held, and how sure that is, in whatever order they come."""
    lines = events(case.facts)
    taken = Taken(closed_resident_max=resident)
    for line in reversed(lines) if backwards else lines:
        taken.take([line])
    assert rows(case.held) == taken.held(NOW)


ANOMALIES = [
    Case("an orphan stop", "60 stop x", "60 orphan stop"),
    Case("a stop after a stop", "0 start x \n 60 stop x \n 70 stop x", "70 stop after stop"),
    Case("a resize after a stop", "0 start x \n 60 stop x \n 70 resize x count=2", "70 resize after stop"),
    Case("a seen after a stop", "0 start x \n 60 stop x \n 70 seen x", "70 seen after stop"),
    Case("a seen after an absence", "0 start x region=east \n 60 report east \n 70 seen x", "70 seen after stop"),
    Case("a resize before any start", "0 resize x count=2", "0 resize before any start"),
    Case("a seen before any start", "0 seen x \n 10 start x", "0 seen before any start"),
    Case("facts that agree", "0 start x \n 10 seen x \n 20 resize x count=2 \n 30 stop x", ""),
]


@pytest.mark.parametrize("case", ANOMALIES, ids=lambda case: case.says)
def test_contradictions_are_named(case: Case) -> None:
    """Facts of one allocation that contradict each other are an anomaly each, and add nothing."""
    assert rows(case.held) == Taken(case.facts).anomalies()


MEASURED = [
    Case(
        "a window counts back from its fact",
        "0 start x count=4 \n 100 telemetry x window=60 observer=provider active=0.5 clock=1410",
        "40 100 4 500000 1410000",
    ),
    Case(
        "not beyond the start of the piece held",
        "0 start x count=4 \n 70 resize x count=8 \n 100 telemetry x window=60 observer=provider active=0.5",
        "70 100 8 500000 ?",
    ),
    Case(
        "across another job, which changes nothing that is counted",
        "0 start x count=4 job=a \n 70 seen x job=b \n 100 telemetry x window=60 observer=provider active=0.5",
        "40 100 4 500000 ?",
    ),
    Case(
        "of two windows that overlap the one that ends first has the time",
        "0 start x count=4 \n 80 telemetry x window=60 observer=provider active=0.25"
        "\n 100 telemetry x window=60 observer=provider active=0.5",
        "20 80 4 250000 ? \n 80 100 4 500000 ?",
    ),
    Case(
        "of two windows with one end the first by source and id",
        "0 start x count=4 \n 80 telemetry x window=60 observer=provider active=0.25 id=b"
        "\n 80 telemetry x window=60 observer=provider active=0.5 id=a",
        "20 80 4 500000 ?",
    ),
    Case(
        "no more accelerators than are held, and only those covered",
        "0 start x count=4 \n 50 telemetry x window=10 observer=provider active=1 covered=2"
        "\n 80 telemetry x window=10 observer=provider active=1 covered=9",
        "40 50 2 1000000 ? \n 70 80 4 1000000 ?",
    ),
    Case(
        "not time whose lease had lapsed",
        "0 start x count=4 lease=10 \n 80 telemetry x window=60 observer=provider active=1",
        "",
    ),
    Case(
        "nothing where it is unknown how many were covered",
        "0 start x count=4 \n 80 telemetry x window=60 observer=provider active=1 covered=all",
        "",
    ),
    Case("nothing while paused", "0 start x count=0 \n 80 telemetry x window=60 observer=provider active=1", ""),
    Case("nothing where activity is unknown", "0 start x \n 80 telemetry x window=60 observer=provider", ""),
    Case(
        "nothing that the tenant could have made", "0 start x \n 80 telemetry x window=60 observer=tenant active=1", ""
    ),
    Case("nothing that is not held", "80 telemetry x window=60 observer=provider active=1", ""),
]


@pytest.mark.parametrize("case", MEASURED, ids=lambda case: case.says)
def test_measured_time(case: Case) -> None:
    """Provider telemetry measures held time, each moment at most once."""
    assert rows(case.held) == Taken(case.facts).measured()


TRAITS = [
    Case("nobody says", "0 start x accelerator=H100 \n 60 stop x", "0 60 -"),
    Case("the start says", "0 start x job=a zone=z \n 60 stop x", "0 60 job=a zone=z"),
    Case(
        "the first that names a trait holds from the start",
        "0 start x \n 30 seen x job=a \n 40 seen x zone=z \n 60 stop x",
        "0 60 job=a zone=z",
    ),
    Case(
        "another job from then on, and what it leaves out stays",
        "0 start x job=a zone=z \n 30 seen x job=b \n 60 stop x",
        "0 30 job=a zone=z \n 30 60 job=b zone=z",
    ),
    Case(
        "the same job again changes nothing", "0 start x job=a \n 30 resize x count=1 job=a \n 60 stop x", "0 60 job=a"
    ),
    Case(
        "a restart with another job changes it",
        "0 start x job=a \n 30 stop x \n 40 start x job=b \n 60 stop x",
        "0 30 job=a \n 40 60 job=b",
    ),
    Case(
        "a restart that names none goes on with the last one",
        "0 start x job=a \n 10 seen x job=b \n 30 stop x \n 40 start x \n 60 stop x",
        "0 10 job=a \n 10 30 job=b \n 40 60 job=b",
    ),
    Case(
        "a start within what is held, too",
        "0 start x job=a \n 30 start x job=b \n 60 stop x",
        "0 30 job=a \n 30 60 job=b",
    ),
    Case("a stop names what was held if nobody else does", "0 start x \n 60 stop x job=a", "0 60 job=a"),
    Case("and else changes nothing", "0 start x job=a \n 60 stop x job=b", "0 60 job=a"),
    Case(
        "what a resize or a seen of what is not held names holds from the start, too",
        "0 seen x job=a \n 10 start x accelerator=H100 \n 60 stop x",
        "10 60 job=a",
    ),
    Case(
        "a report says nothing of them",
        "0 start x accelerator=H100 job=a count=2 \n 30 report east x=2 \n 60 stop x",
        "0 60 job=a",
    ),
    Case(
        "of two names of one instant the last by source and id counts from then on, the first from the start",
        "0 start x \n 30 seen x job=b id=b \n 30 seen x job=a id=a \n 60 stop x",
        "0 30 job=a \n 30 60 job=b",
    ),
    Case(
        "an absence keeps them for the open time",
        "0 start x accelerator=H100 job=a region=east \n 20 seen x \n 60 report east y=1",
        "0 20 job=a \n 20 60 job=a",
    ),
    Case("a retracted name was never said", "0 start x \n 30 seen x job=a id=n \n 60 stop x \n 61 retract n", "0 60 -"),
]


@pytest.mark.parametrize("case", TRAITS, ids=lambda case: case.says)
@pytest.mark.parametrize("resident", [1_000, 0], ids=["remembered", "forgotten"])
def test_traits_of_what_was_held(case: Case, resident: int) -> None:
    """The finished pieces carry what was said of them, in whatever order the facts come."""
    lines = events(case.facts)
    for order in (lines, lines[::-1], lines[1:] + lines[:1]):
        taken = Taken(closed_resident_max=resident)
        for line in order:
            taken.take([line])
        found = [
            " ".join([str((piece.start - BASE_MS) // 1_000), str((piece.end - BASE_MS) // 1_000), named(piece.traits)])
            for piece in taken.archive.finished("t")["x"].pieces
        ]
        assert rows(case.held) == found


def named(traits: Traits) -> str:
    """The traits that are said, in words."""
    return " ".join(f"{name}={value}" for name, value in sorted(traits._asdict().items()) if value is not None) or "-"


def test_traits_of_what_is_held_now() -> None:
    """What is held now has the latest of each trait."""
    book = Taken("0 start x job=a zone=z \n 30 seen x job=b").book
    assert Traits(job="b", zone="z") == book.tenants["t"].timelines["x"].traits


def test_later_facts_name_what_they_say() -> None:
    """What a later fact leaves out stays; nodes are replaced as a whole."""
    before = Traits(zone="z", job="a", nodes=("n1", "n2"))
    assert before == before.updated(NO_TRAITS)
    assert before == NO_TRAITS.updated(before)
    assert Traits(zone="z", job="b", nodes=("n3",)) == before.updated(Traits(job="b", nodes=("n3",)))


def test_fingerprints_have_a_maximum() -> None:
    """An allocation remembers its latest heartbeats, at most `FINGERPRINTS_MAX`, and all its other facts."""
    timeline = Timeline()
    remember(timeline, fingerprint("s", "start"), Kind.STARTED)
    for number in range(FINGERPRINTS_MAX + 1):
        remember(timeline, fingerprint("s", str(number)), Kind.SEEN)
    remember(timeline, fingerprint("s", "resize"), Kind.RESIZED)
    assert FINGERPRINTS_MAX // 2 + 3 == len(timeline.prints) // len(fingerprint("s", "0"))
    assert timeline.prints.startswith(fingerprint("s", "start") + fingerprint("s", "resize"))
    assert timeline.prints.endswith(fingerprint("s", str(FINGERPRINTS_MAX)))


def test_what_may_have_been_forgotten_may_be_held() -> None:
    """A short list of fingerprints says surely what is not held; a long one may have lost any."""
    timeline = Timeline()
    remember(timeline, fingerprint("s", "1"), Kind.SEEN)
    assert may_hold(timeline.prints, [fingerprint("s", "2"), fingerprint("s", "1")])
    assert not may_hold(timeline.prints, [fingerprint("s", "2")])
    for number in range(FINGERPRINTS_MAX + 1):
        remember(timeline, fingerprint("s", str(number)), Kind.SEEN)
    assert may_hold(timeline.prints, [fingerprint("s", "never")])


def test_nothing_is_open_before_its_time() -> None:
    """At the very end of the certain or the presumed time nothing follows yet."""
    taken = Taken("0 start x accelerator=H100 count=2 lease=30 \n 60 seen x")
    assert ["0 30 certain 2 H100", "30 60 open 2 H100"] == taken.held(60)
    assert ["60 90 presumed 2 H100"] == taken.held(90)[2:]


def test_units_now_held() -> None:
    """What is held now counts in thousandths of a unit; nothing counts once it has stopped."""
    taken = Taken("0 start x count=2.5 \n 0 start y \n 0 start z \n 9 stop z")
    timelines = taken.book.tenants["t"].timelines
    assert [2_500, 1_000, 0] == [timelines[name].units for name in "xyz"]


def test_only_facts_of_an_allocation_continue_its_fold() -> None:
    """A fact about something else in an allocation's fold is a mistake of ours, and stops there."""
    (profile,) = decode_facts(events("0 profile p"))
    with pytest.raises(AssertionError, match="TENANT_PROFILED is no fact of an allocation"):
        advance(Timeline(), profile, Effects.none())
