"""The scenarios: which tenants a simulated cloud has, and for how long one watches.

The same scenario, seed, start and scale give the same bytes everywhere. `scale` multiplies the ordinary tenants and the
large honest ones (in `heartbeats`, the allocations); a run that somebody should look at stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from monitor.core.model import DAY_MS, HOUR_MS
from monitor.simulate import lookalikes, ordinary, published, stitching, training, who
from monitor.simulate import plan as figures
from monitor.simulate.fleet import Fleet
from monitor.simulate.launches import BARE
from monitor.simulate.plan import YEAR
from monitor.simulate.population import population
from monitor.simulate.wire import instant

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
HEARTBEAT_ROUNDS = 100
HEARTBEAT_TENANTS = 10


class Scenario(NamedTuple):
    """A fleet by name; `build` adds its tenants."""

    description: str
    span_ms: int  # a multiple of six hours: a report closes it
    reports: bool  # whether its regions report their inventory
    build: Callable[[Fleet, int], None]


class Simulation:
    """One scenario with its seed. Each call of `events` plays it from the beginning."""

    def __init__(self, name: str, seed: int, start: int, scale: int) -> None:
        self.name = name
        self.seed = seed
        self.start = start
        self.scale = scale
        self._played: Fleet | None = None

    def events(self) -> Iterator[bytes]:
        """The canonical events, one a line with its newline, in the order of their times, made as they are read."""
        scenario = SCENARIOS[self.name]
        fleet = Fleet(f"{self.name}/{self.seed}", self.start, self.start + scenario.span_ms, scenario.reports)
        scenario.build(fleet, self.scale)
        yield from fleet.lines()
        self._played = fleet

    @property
    def truth(self) -> dict[str, object]:
        """What really happened up to the last event (`end`), once `events` has been read to its end.

        For each tenant: `kind`; `of_concern`, whether whoever stands behind it is headquartered in a country of
        concern, whatever its profile says; `accelerator_us`, thousandths of an accelerator times milliseconds by
        accelerator, what is still held counted up to `end`; `open`, the allocations still held; `runs`, its training
        runs with the FLOP truly trained. The parts of one run over several tenants have one name. `programmes`: of a
        population what evaders train, with the threshold that each crosses and the evidence there is of it.
        """
        fleet = self._played
        assert fleet is not None, "The truth is known once all events have been read."
        return {
            "scenario": self.name,
            "seed": self.seed,
            "scale": self.scale,
            "start": instant(self.start),
            "end": instant(fleet.last_time),
            "tenants": fleet.truth(),
            "programmes": [one._asdict() for one in fleet.programmes],
            "who": [{**one._asdict(), "tenants": sorted(one.tenants)} for one in fleet.expected],
        }


def simulate(name: str, seed: int = 1, start: int = START, scale: int = 1) -> Simulation:
    """A scenario of `SCENARIOS` that begins at `start`, milliseconds since 1970 on a whole second."""
    return Simulation(name, seed, start, scale)


def _each(behaviour: Callable[[Fleet, int], None], fleet: Fleet, tenants: int) -> None:
    for number in range(tenants):
        behaviour(fleet, number)


def _demo(fleet: Fleet, scale: int) -> None:
    training.frontier(fleet)
    training.split(fleet)
    ordinary.unresolved(fleet)
    ordinary.blank(fleet)
    _each(training.large_honest, fleet, 3 * scale)
    _each(ordinary.inference, fleet, 4 * scale)
    _each(ordinary.batch, fleet, 4 * scale)
    _each(ordinary.quiet, fleet, 10 * scale)


def _frontier(fleet: Fleet, scale: int) -> None:
    training.frontier(fleet)
    _each(ordinary.quiet, fleet, 4 * scale)


def _split(fleet: Fleet, scale: int) -> None:
    training.split(fleet)
    _each(ordinary.quiet, fleet, 4 * scale)


def _heartbeats(fleet: Fleet, scale: int) -> None:
    for number in range(HEARTBEAT_TENANTS):
        ordinary.beating(fleet, number, 100 * scale, HEARTBEAT_ROUNDS)


def _ordinary(behaviour: Callable[[Fleet, int], None], tenants: int) -> Callable[[Fleet, int], None]:
    return lambda fleet, scale: _each(behaviour, fleet, tenants * scale)


# Without inventory reports, which would be most of the events: what counts here is what starts and stops.
STITCHING: Mapping[str, tuple[str, int, Callable[[Fleet], None]]] = {
    "run-opt175b": ("OPT-175B with its 90 restarts in 56 days", 57, published.opt175b),
    "run-lucie7b": ("Lucie-7B in 54 scheduler jobs of 20 hours", 60, published.lucie7b),
    "run-palm540b": ("PaLM 540B, which halves its accelerators on the way", 66, published.palm540b),
    "run-nemotron15b": ("Nemotron-4 15B, which triples its accelerators on the way", 15, published.nemotron15b),
    "run-bloom176b": ("BLOOM with its weekly crashes", 121, published.bloom176b),
    "run-kalos": ("Pretraining in jobs of seconds to days, as in the Kalos cluster", 50, published.kalos),
    "run-intellect1": ("INTELLECT-1 on single nodes in five countries", 44, published.intellect1),
    "run-parallel": ("Two runs of one tenant at once on one fabric", 45, stitching.parallel),
    "run-fabrics": ("One run over three fabrics", 33, stitching.fabrics),
    "run-six": ("One run over six tenants", 43, stitching.six),
    "run-evader": (
        "A run that rests for just over six hours after every 20",
        62,
        stitching.evader,
    ),
    "run-experiments": ("Many experiments in a year that have nothing in common", 367, stitching.experiments),
    "other-serving": ("Inference on 256 accelerators for 18 hours a day", 62, lookalikes.serving),
    "other-equal": ("Hundreds of equal inference instances of one accelerator", 30, lookalikes.equal),
    "other-small-jobs": ("Hundreds of small jobs that hold 2,000 accelerators at once", 30, lookalikes.small_jobs),
    "other-render": ("A render farm that works at night", 21, lookalikes.render),
    "other-nightly": ("A batch every night", 91, lookalikes.nightly),
    "other-pool": ("A reserved pool of nodes, held for months", 122, lookalikes.pool),
}


# Who is behind tenants: shells, resellers, organisations.
WHO: Mapping[str, tuple[str, int, Callable[[Fleet], None]]] = {
    "who-owner": ("Six shells of one owner, two of them through another company", 45, who.one_owner),
    "who-payer": ("Six shells with one payer", 45, who.one_payer),
    "who-launches": (
        "Two tenants that have nothing in common but the moments of their launches",
        45,
        who.launches_only,
    ),
    "who-reseller": ("Six shells with one image behind an honest reseller of many others", 45, who.behind_reseller),
    "who-attested": ("A reseller with 40 customers that are attested", 30, who.attested_book),
    "who-unattested": ("A reseller with 40 customers of whom nobody knows enough", 30, who.unattested_book),
    "who-accounts": ("An organisation with 400 accounts that it declares", 20, who.accounts),
    "who-university": ("A university with 60 departments", 30, who.university),
    "who-blank": ("A tenant that left its profile blank and passes 1e24 FLOP", 34, who.blank),
    "who-sold": ("A company that is sold a week before it passes 1e24 FLOP", 60, who.sold),
}


def _stitching(build: Callable[[Fleet], None], days: int, sentence: str) -> Scenario:
    return Scenario(sentence, days * DAY_MS, False, lambda fleet, scale: build(fleet))


SCENARIOS: Mapping[str, Scenario] = {
    **{name: _stitching(build, days, f"{what}.") for name, (what, days, build) in STITCHING.items()},
    **{
        name + BARE: _stitching(build, days, f"{what}; nothing is stated of its jobs.")
        for name, (what, days, build) in STITCHING.items()
    },
    **{name: _stitching(build, days, f"{what}.") for name, (what, days, build) in WHO.items()},
    "demo": Scenario(
        "Some thirty tenants of every kind over 60 days, with a large run of concern from the second day on.",
        60 * DAY_MS,
        True,
        _demo,
    ),
    "fleet": Scenario(
        "The tenants of the demo over 20 days, for tests of everything together.", 20 * DAY_MS, True, _demo
    ),
    "quiet": Scenario(
        "Ten tenants that each hold a few small allocations for weeks.",
        30 * DAY_MS,
        True,
        _ordinary(ordinary.quiet, 10),
    ),
    "inference": Scenario(
        "Four tenants whose services grow and shrink with the hour of the day.",
        14 * DAY_MS,
        True,
        _ordinary(ordinary.inference, 4),
    ),
    "batch": Scenario(
        "Eight tenants with many small jobs that last for hours.", 14 * DAY_MS, True, _ordinary(ordinary.batch, 8)
    ),
    "honest": Scenario(
        "Three large customers with documented headquarters, each with a pool and a training run.",
        50 * DAY_MS,
        True,
        _ordinary(training.large_honest, 3),
    ),
    "frontier": Scenario(
        "A company of a country of concern trains on 2,048 H100, with restarts, swapped nodes and a pause.",
        50 * DAY_MS,
        True,
        _frontier,
    ),
    "split": Scenario(
        "One training run spread over six tenants whose headquarters nobody has verified.", 50 * DAY_MS, True, _split
    ),
    "steady": Scenario(
        "A busy cloud without inventory reports, some 200,000 events for each step of the scale.",
        7 * DAY_MS,
        False,
        _ordinary(ordinary.busy, 20),
    ),
    "population": Scenario(
        "A year of two thousand customers, honest ones of every kind and sixteen evaders.",
        figures.DAYS * DAY_MS,
        False,
        lambda fleet, scale: population(fleet, replace(YEAR, tenants=scale * YEAR.tenants)),
    ),
    "heartbeats": Scenario(
        "A thousand open allocations for each step of the scale, each with one start and a hundred signs of life.",
        102 * HOUR_MS,
        False,
        _heartbeats,
    ),
}
# Those whose truth says whom to find: the others are for throughput, and a population takes minutes.
DETECTABLE = tuple(sorted(set(SCENARIOS) - {"heartbeats", "population", "steady"}))
