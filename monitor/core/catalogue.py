"""What the hardware named by an event can compute, and how sure that is. The books never ask: compute does, on reading.

Rates are integer FLOP/s, dense; clocks are kHz; instants are milliseconds since 1970; numbers of accelerators are
thousandths. The rows, with their sources, are in `config/catalogue/`.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from monitor.core.model import ACCELERATOR, HOUR_MS, INSTANCE
from monitor.core.priors import POOLED

ONE_ACCELERATOR = 1_000
TERAFLOP = 10**12
UNKNOWN = "unknown"
NONE = "no accelerators"
CACHED_MAX = 8_192  # names come from outside: whoever invents new ones must not fill the memory

# Words before a model's name that tell nothing more: "NVIDIA-A100-SXM4-80GB" and "A100 SXM4 80GB" are one chip.
VENDOR_WORDS = frozenset(
    ("nvidia", "tesla", "geforce", "amd", "instinct", "google", "aws", "amazon", "intel", "huawei")
)
WORD = re.compile(r"[^\W_]+")
SLICE = re.compile(r"(?P<prefix>[a-z0-9]+)-(?P<units>[1-9][0-9]{0,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Chip:
    """One accelerator, or a family of them whose rates span its members.

    `rate_low`, `rate_central` and `rate_high` are the dense 16-bit rates that training may get, `rate_ceiling` the
    fastest dense training rate of all (16-bit, FP8, FP4). A `rate_ceiling` of 0 means that no 16-bit rate is known.
    """

    name: str
    vendor: str
    kind: str
    generation: str  # what priors go by
    release: int
    rate_low: int
    rate_central: int
    rate_high: int
    rate_ceiling: int
    fp8: bool  # has 8-bit float training rates above the 16-bit ones
    clock_khz: int | None  # of the stated peak
    tpp: int  # total processing performance, rounded down: comparisons with whole thresholds stay exact
    assumption: str | None  # a sentence to show wherever this chip is counted
    source: str
    origin: str  # seen, partly or memory
    rated_mw: int | None = None  # thermal design power, in milliwatts
    classes: frozenset[str] = frozenset()  # of export control, such as "3A090.a", that it certainly is in
    classes_possible: frozenset[str] = frozenset()  # those that it may be in, as far as the name tells


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a name of an event means: so many thousandths of this chip for each counted unit."""

    name: str  # canonical, or the event's own where the catalogue has none
    chip: Chip
    per_unit: int  # 0: a machine without accelerators
    known: bool
    assumptions: tuple[str, ...]
    network_mbit_s: int | None = None  # of one unit, towards others


# What a machine without accelerators holds: known, at any instant, and nothing.
WITHOUT = Hardware(
    NONE,
    Chip(
        name=NONE,
        vendor="",
        kind=NONE,
        generation=POOLED,
        release=0,
        rate_low=0,
        rate_central=0,
        rate_high=0,
        rate_ceiling=0,
        fp8=False,
        clock_khz=None,
        tpp=0,
        assumption=None,
        source="catalogue",
        origin="seen",
    ),
    0,
    True,
    (),
)


class Named(NamedTuple):
    """What one unit of a name is."""

    chip: Chip
    per_unit: int
    network_mbit_s: int | None = None  # of an instance, towards others


class Slice(NamedTuple):
    """What the number in a slice name such as v5p-4096 counts."""

    chip: Chip
    units_per_chip: int


class Release(NamedTuple):
    """The fastest of a set of chips from an instant on."""

    at: int
    rate: int
    name: str
    ceiling: int


class Pool(NamedTuple):
    """What hardware that nobody knows may be."""

    median: int  # dense 16-bit rate
    releases: tuple[Release, ...]  # at least one
    instants: tuple[int, ...]  # of the releases
    accelerators_per_instance: int


def normal_name(name: str) -> str:
    """A name without case, blanks, punctuation and leading vendor words.

    >>> normal_name("NVIDIA-A100-SXM4-80GB"), normal_name("a100_sxm4_80gb"), normal_name("nvidia")
    ('a100sxm480gb', 'a100sxm480gb', 'nvidia')
    """
    words = WORD.findall(unicodedata.normalize("NFKC", name).casefold())
    start = 0
    while start < len(words) - 1 and words[start] in VENDOR_WORDS:
        start += 1
    return "".join(words[start:])


def folded(name: str) -> str:
    """A name as rules for whole names of instance types see it: without case and the blanks around it."""
    return name.strip().casefold()


def pool(chips: Iterable[Chip], accelerators_per_instance: int) -> Pool:
    """The pool of these chips, at least one of which has a known rate."""
    rated = sorted((chip for chip in chips if chip.rate_ceiling), key=lambda chip: (chip.release, chip.name))
    rates = sorted(chip.rate_central for chip in rated)
    releases: list[Release] = []
    for chip in rated:
        last = releases[-1] if releases else Release(0, 0, "", 0)
        rate, name = max((last.rate, last.name), (chip.rate_high, chip.name), key=lambda pair: pair[0])
        releases.append(Release(chip.release, rate, name, max(last.ceiling, chip.rate_ceiling)))
    instants = (release.at for release in releases)
    return Pool(rates[(len(rates) - 1) // 2], tuple(releases), tuple(instants), accelerators_per_instance)


def family(name: str, default: Chip, members: Sequence[Chip], unstated: str, origin: str) -> Chip:
    """A chip for an ambiguous name: counted as its default member, with bounds over all members.

    `unstated` says what the name leaves open, for example "memory and form factor".
    """
    low = min(chip.rate_low for chip in members)
    high = max(chip.rate_high for chip in members)
    clocks = {chip.clock_khz for chip in members}
    rated = {chip.rated_mw for chip in members}
    span = f"all at {_teraflops(low)}" if low == high else f"{_teraflops(low)} to {_teraflops(high)}"
    return replace(
        default,
        name=name,
        release=min(chip.release for chip in members),
        rate_low=low,
        rate_high=high,
        rate_ceiling=max(chip.rate_ceiling for chip in members),
        fp8=any(chip.fp8 for chip in members),
        clock_khz=clocks.pop() if len(clocks) == 1 else None,
        tpp=max(chip.tpp for chip in members),
        rated_mw=rated.pop() if len(rated) == 1 else None,
        classes=frozenset.intersection(*(chip.classes for chip in members)),
        classes_possible=frozenset.union(*(chip.classes_possible for chip in members)),
        assumption=(
            f"'{name}' does not state {unstated}: counted as {default.name}, "
            f"with bounds over {len(members)} chips ({span})."
        ),
        origin=origin,
    )


def _classified_as(known: Chip, unrated: Chip) -> Chip:
    """A stand-in for a chip whose 16-bit rate is not known, in the classes of that chip: they go by other figures."""
    return replace(unrated, classes=known.classes, classes_possible=known.classes_possible)


def _teraflops(rate: int) -> str:
    return f"{rate // TERAFLOP:,} TFLOP/s"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All names that the catalogue knows. Keys of `names` and `instances` are normal names.

    Each of `without` matches the whole names, in lower case, of instance types that have no accelerators.
    """

    version: str
    digest: str
    names: Mapping[str, Named]
    instances: Mapping[str, Named]
    slices: Mapping[str, Slice]
    without: tuple[re.Pattern[str], ...]
    pool: Pool
    _resolved: dict[tuple[str | None, str | None, int], Hardware] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def resolve(self, hardware: str | None, unit: str | None, at: int) -> Hardware:
        """What a unit of `hardware` is at an instant; never fails.

        `unit` is what the event counted: ACCELERATOR, INSTANCE, or None where only the name can tell. Hardware that
        nobody knows, or whose 16-bit rate nobody knows, is between nothing and the fastest chip released by then.
        """
        step = bisect_right(self.pool.instants, at)
        key = (hardware, unit, step)
        found = self._resolved.get(key)
        if found is None:
            if len(self._resolved) >= CACHED_MAX:
                self._resolved.clear()
            # Before the first release the first chip stands in, so that low <= central <= high holds at any instant.
            fastest = self.pool.releases[max(step - 1, 0)]
            found = self._resolved[key] = self._resolve(UNKNOWN if hardware is None else hardware, unit, fastest)
        return found

    def alike(
        self, hardware: str | None, unit: str | None, hour: int, times: int
    ) -> Iterator[tuple[int, int, Hardware]]:
        """What a unit of `hardware` is in so many hours (since 1970) from one on: (hour, for how many, what)."""
        end = hour + times
        while hour < end:
            found = self.resolve(hardware, unit, hour * HOUR_MS)
            if found.known:  # the same at any instant
                yield hour, end - hour, found
                return
            step = bisect_right(self.pool.instants, hour * HOUR_MS)
            later = self.pool.instants[step] if step < len(self.pool.instants) else end * HOUR_MS
            until = min(end, -(-later // HOUR_MS))
            yield hour, until - hour, found
            hour = until

    def _resolve(self, name: str, unit: str | None, fastest: Release) -> Hardware:
        named, assumption = self._find(name, unit)
        if named is None:
            # Whoever counts accelerators of a machine knows of some: they stay unknown ones.
            if unit != ACCELERATOR and any(one.fullmatch(folded(name)) for one in self.without):
                return WITHOUT
            instances = self.pool.accelerators_per_instance if unit == INSTANCE else 1
            return self._unknown(name, ONE_ACCELERATOR, instances, fastest)
        if not named.chip.rate_ceiling:
            unrated = self._unknown(named.chip.name, named.per_unit, 1, fastest)
            return replace(unrated, chip=_classified_as(named.chip, unrated.chip))
        sentences = tuple(sentence for sentence in (named.chip.assumption, assumption) if sentence)
        return Hardware(named.chip.name, named.chip, named.per_unit, True, sentences, named.network_mbit_s)

    def _find(self, name: str, unit: str | None) -> tuple[Named | None, str | None]:
        """What one unit of a name is, and the assumption in it; the unit decides which kind of name goes first."""
        accelerator = self.names.get(normal_name(name))
        instance = self._instance(name)
        if unit == INSTANCE:
            if instance is None and accelerator is not None:
                return (
                    accelerator,
                    f"'{name}' is no instance type but an accelerator: its count is taken as accelerators.",
                )
            return instance, None
        if accelerator is None and instance is not None and unit == ACCELERATOR:
            return (
                Named(instance.chip, ONE_ACCELERATOR),
                f"'{name}' is an instance type: its count is taken as accelerators, as the event says.",
            )
        return accelerator or instance, None

    def _instance(self, name: str) -> Named | None:
        """An instance type by its row, or a slice by its number of cores or chips."""
        row = self.instances.get(normal_name(name))
        if row is not None:
            return row
        match = SLICE.fullmatch(folded(name))
        rule = self.slices.get(match["prefix"]) if match else None
        if match is None or rule is None:
            return None
        return Named(rule.chip, int(match["units"]) * ONE_ACCELERATOR // rule.units_per_chip)

    def _unknown(self, name: str, per_unit: int, accelerators: int, fastest: Release) -> Hardware:
        """Hardware without a known rate; `accelerators` is how many a counted unit is taken to hold."""
        high = fastest.rate * accelerators
        chip = Chip(
            name=name,
            vendor="",
            kind=UNKNOWN,
            generation=POOLED,
            release=fastest.at,
            rate_low=0,
            rate_central=min(self.pool.median * accelerators, high),
            rate_high=high,
            rate_ceiling=fastest.ceiling * accelerators,
            fp8=fastest.ceiling > fastest.rate,
            clock_khz=None,
            tpp=0,
            assumption=(
                f"The catalogue has no 16-bit rate for '{name}': taken as anything from nothing to {fastest.name}, the "
                f"fastest data-centre chip by then ({_teraflops(fastest.rate)}), centrally as the median one "
                f"({_teraflops(min(self.pool.median, fastest.rate))})."
            ),
            source="catalogue",
            origin=UNKNOWN,
        )
        sentences = [str(chip.assumption)]
        if accelerators > 1:
            sentences.append(
                f"An instance of '{name}' is taken to hold {accelerators} accelerators; the books count it as 1."
            )
        return Hardware(name, chip, per_unit, False, tuple(sentences))
