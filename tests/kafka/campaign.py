"""Workers that read while somebody kills them, and what their books must be afterwards."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import NamedTuple

from monitor.core.flags import State
from monitor.core.model import DAY_MS
from monitor.simulate.scenarios import simulate
from monitor.store.sql import SqlStore
from tests.kafka.workers import Site, Worker, until

CALM_SECONDS = 300.0  # for what comes about once nobody is killed any more, on a machine that is busy with other work
STANDSTILL_SECONDS = 300.0
READ_BETWEEN_KILLS = 10_000  # records, at least
BUSY_SCALE = 10  # a busy week of two million events

Blows = Mapping[float, Callable[[], None]]  # share of the events -> what happens then


class Figures(NamedTuple):
    """What a campaign was."""

    events: int
    kills: int
    seconds: float


# -- the campaign -------------------------------------------------------------------------------------------------


def write_events(path: Path, busy: int) -> int:
    """The demo, with findings and reports, and then so many events of a busy week; returns how many they are."""
    demo = simulate("demo")
    week = simulate("steady", start=demo.start + 60 * DAY_MS, scale=BUSY_SCALE).events()
    renamed = (line.replace(b'"t-', b'"busy-') for line in islice(week, busy))  # the demo has a t-0001, too
    count = 0
    with path.open("wb") as file:
        for line in chain(demo.events(), renamed):
            file.write(line)
            count += 1
    return count


def begin(site: Site, **more: object) -> list[Worker]:
    """Three workers: both clients, two of them static members of the group."""
    return [
        site.start(KAFKA__STATIC_MEMBER="one", **more),
        site.start(KAFKA__STATIC_MEMBER="two", KAFKA__CLIENT="confluent-kafka", **more),
        site.start(**more),
    ]


def strike(site: Site, chance: random.Random, least: float, most: float) -> None:
    """After some seconds kill a worker, and start it again."""
    time.sleep(chance.uniform(least, most))
    victim = chance.choice(site.workers)
    victim.kill()
    victim.start()


def skirmish(site: Site, path: Path, blows: Mapping[int, Callable[[], None]], kills: int) -> None:
    """Workers read while events are written a piece before each of so many kills; `blows` come after kills."""
    chance = random.Random(1)
    lines = path.read_bytes().splitlines(keepends=True)
    step = len(lines) // kills + 1
    for number in range(kills):
        site.produce(lines[number * step : (number + 1) * step])
        strike(site, chance, 0.5, 1.5)
        blows.get(number, lambda: None)()
    until(site.read_to_the_end, CALM_SECONDS, "the end of the topics", site)
    for worker in site.workers:
        worker.stop()


def campaign(site: Site, path: Path, count: int, blows: Blows) -> Figures:
    """Workers read events that are all there, and are killed until the last one is read; each blow comes once.

    Nobody is killed before something was read since the last kill: a slow machine would else do nothing but start.
    """
    chance, kills, started, left = random.Random(2), 0, time.monotonic(), dict(blows)
    with path.open("rb") as file:
        site.produce(file)
    ends = site.ends()
    while left or not site.stands_at(ends):
        stood, since = site.read(), time.monotonic()
        strike(site, chance, 3.0, 6.0)
        kills += 1
        while site.read() < stood + READ_BETWEEN_KILLS and not site.stands_at(ends):
            assert time.monotonic() - since < STANDSTILL_SECONDS, [one.logged()[-500:] for one in site.workers]
            time.sleep(0.5)
        for share in [share for share in left if site.read() >= share * count]:
            left.pop(share)()
    figures = Figures(count, kills, time.monotonic() - started)
    for worker in site.workers:
        worker.stop()
    return figures


def moved_by_hand(site: Site, worker: Worker, member: str) -> None:
    """What an operator can do about a partition: stop a static member, strike it off the group, start it again later.

    A static member that merely stops keeps its partitions for a session's length; struck off, it loses them at once.
    """
    others = [one for one in site.workers if one is not worker]

    def others_have_all() -> bool:
        held = [one.metric("flopwatch_consumer_assigned_partitions") or 0 for one in others]
        return sum(held) == site.partitions

    def has_some() -> bool:
        return bool(worker.metric("flopwatch_consumer_assigned_partitions"))

    until(has_some, CALM_SECONDS, f"partitions of {member}", site)
    worker.stop()
    site.topics.strike_off(site.tenants, member)
    until(others_have_all, CALM_SECONDS, f"the partitions of {member} at the others", site)
    worker.start()


# -- what must be true afterwards ---------------------------------------------------------------------------------


def check(site: Site, path: Path) -> list[str]:
    """The stored books and findings are those of the file, and people were told once of each standing finding.

    Returns the flags that were withdrawn, with what undid them.
    """
    assert [] == missing(site, path)
    alone = site.answer("replay", str(path))
    together = site.answer("verify", "--as-of", alone["as_of"])
    assert alone["books_digest"] == together["books_digest"]
    assert alone["digest"] == together["digest"]
    assert [] == together["problems"]
    store = SqlStore.open(site.store_url, create=False)
    try:
        flags = store.flags()
        histories = {flag.id: [entry for entry in store.flag_history(flag.id) if entry.act] for flag in flags}
    finally:
        store.close()
    standing = {(flag["rule"], tenant["tenant"]) for tenant in alone["tenants"] for flag in tenant["flags"]}
    standing |= {(flag["rule"], group["group"]) for group in alone["groups"] for flag in group["flags"]}
    # A rule on runs has a flag for each of them, and none of them two.
    opened = Counter((flag.rule, flag.tenant, flag.finding.part) for flag in flags if flag.state is State.OPEN)
    assert standing <= {(rule, tenant) for rule, tenant, _ in opened}
    assert set(opened.values()) <= {1}
    for history in histories.values():
        assert ["raised"] == [entry.act for entry in history if entry.act == "raised"]
        assert history[0].act == "raised"
        assert all((one.act, one.level) != (then.act, then.level) for one, then in pairwise(history)), history
    said = [line for worker in site.workers for line in worker.notices()]
    assert [] == [line for line, times in Counter(said).items() if times > 1]
    withdrawn = [(flag, histories[flag.id][-1].reason) for flag in flags if flag.state is State.WITHDRAWN]
    assert all(reason for _, reason in withdrawn)
    return [f"{flag.rule} of {flag.tenant} was withdrawn: {reason}" for flag, reason in withdrawn]


def missing(site: Site, path: Path) -> list[bytes]:
    """The events of the file that no books of the store have."""
    store = SqlStore.open(site.store_url, create=False)
    try:
        kept = {_mark(line) for number in store.partitions() for line in store.beside(number).lines()}
    finally:
        store.close()
    with path.open("rb") as file:
        return list(islice((line for line in file if _mark(line) not in kept), 10))


def _mark(line: bytes) -> bytes:
    """Sixteen bytes for a line: millions of them fit into memory."""
    return blake2b(line.rstrip(), digest_size=16).digest()


def noted(figures: Figures, blows: str, withdrawn: list[str]) -> Iterator[str]:
    """What a campaign has to say for itself, a line each."""
    yield f"{figures.events:,} events, {figures.kills} kills, {blows}"
    yield f"{figures.seconds / 60:.1f} minutes, {figures.events / figures.seconds:,.0f} events a second"
    yield from withdrawn
