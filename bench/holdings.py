"""Events as plain intervals (who held how many from when to when), and the naive rule that makes runs of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

HOUR_MS = 3_600_000
GAP_MS_LEAST = 6 * HOUR_MS
GAP_MS_MOST = 72 * HOUR_MS
VERBS = {f"io.flopwatch.allocation.{verb}.v1": verb for verb in ("started", "resized", "stopped")}


class HeldStretch(NamedTuple):
    """A stretch of constant count. Instants in milliseconds since 1970, `thousandths` of an accelerator."""

    allocation: str
    start: int
    end: int
    thousandths: int

    @property
    def accelerator_us(self) -> int:
        """Accelerator-time, in accelerator-microseconds."""
        return self.thousandths * (self.end - self.start)


class Reported(Protocol):
    """What is looked at in a run that a rule reports. Instants in milliseconds since 1970."""

    @property
    def run(self) -> str:
        """Its name."""

    @property
    def start(self) -> int:
        """When it began."""

    @property
    def end(self) -> int:
        """When the last of it ended, or the last event."""

    @property
    def accelerator_us(self) -> int:
        """Accelerator-time; of an allocation it may hold a part."""

    @property
    def allocations(self) -> Sequence[str]:
        """The allocations of the run alone."""

    @property
    def training(self) -> str:
        """Its band: unlikely, possible, likely or unknown."""

    @property
    def with_weak(self) -> Sequence[str]:
        """Those with weak links as well."""

    @property
    def with_concurrent(self) -> Sequence[str]:
        """Those with concurrent chains as well."""


class NaiveRun(NamedTuple):
    """A run as the naive rule sees it; nothing is known of ranges or of training."""

    run: str
    start: int
    end: int
    allocations: tuple[str, ...]
    accelerator_us: int
    training: str = "unknown"
    with_weak: tuple[str, ...] = ()
    with_concurrent: tuple[str, ...] = ()


def held_by_tenant(lines: Iterable[bytes]) -> dict[str, list[HeldStretch]]:
    """All stretches of each tenant, by their ends; what is still held at the last event ends there.

    Raises:
        KeyError: an event names instances, which only the catalogue can count.
    """
    found: dict[str, list[HeldStretch]] = {}
    now_open: dict[tuple[str, str], tuple[int, int]] = {}
    now = 0
    for line in lines:
        event = json.loads(line)
        data, now = event["data"], round(datetime.fromisoformat(event["time"]).timestamp() * 1000)
        verb = VERBS.get(event["type"])
        if verb is None:
            continue
        key = (data["tenant"], data["allocation"])
        found.setdefault(key[0], [])
        if key in now_open:
            found[key[0]].append(HeldStretch(key[1], now_open[key][0], now, now_open.pop(key)[1]))
        if verb != "stopped":
            now_open[key] = (now, round(1000 * data["count"]))
    for (tenant, allocation), (since, count) in now_open.items():
        found[tenant].append(HeldStretch(allocation, since, now, count))
    return found


def used_by_allocation(held: Iterable[HeldStretch]) -> dict[str, int]:
    """Accelerator-microseconds of each allocation."""
    used: dict[str, int] = {}
    for one in held:
        used[one.allocation] = used.get(one.allocation, 0) + one.accelerator_us
    return used


def naive_runs(lines: Iterable[bytes]) -> dict[str, list[NaiveRun]]:
    """Runs by the gap alone: whatever a tenant starts soon after anything of it has ended belongs to one run.

    Soon is six hours or a quarter of what has ended, whichever is more, and three days at most.
    """
    return {tenant: list(_naive(tenant, held)) for tenant, held in held_by_tenant(lines).items()}


def _naive(tenant: str, held: Iterable[HeldStretch]) -> Iterator[NaiveRun]:
    members: list[HeldStretch] = []
    reach = 0
    for one in sorted(held, key=lambda one: (one.start, one.allocation)):
        if members and one.start > reach:
            yield _naive_run(tenant, members)
            members = []
        members.append(one)
        gap = min(GAP_MS_MOST, max(GAP_MS_LEAST, (one.end - one.start) // 4))
        reach = max(reach, one.end + gap)
    if members:
        yield _naive_run(tenant, members)


def _naive_run(tenant: str, members: Sequence[HeldStretch]) -> NaiveRun:
    return NaiveRun(
        f"{tenant}/{members[0].allocation}",
        members[0].start,
        max(one.end for one in members),
        tuple(dict.fromkeys(one.allocation for one in members)),
        sum(one.accelerator_us for one in members),
    )


def time_of(allocations: Iterable[str], used: Mapping[str, int]) -> int:
    """Accelerator-microseconds of some allocations."""
    return sum(used.get(allocation, 0) for allocation in set(allocations))
