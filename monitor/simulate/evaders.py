"""Programmes that somebody hides, or does not, each of a kind, with the threshold that it crosses stated beforehand.

A programme is training for one party, over one tenant or several. `evident` says whether anything in the events or the
profiles points at it; where nothing does, no rule can find it, and a measurement lists it as missed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import NamedTuple

from monitor.core.model import DAY_MS, HOUR_MS, SECOND_MS, Kind
from monitor.simulate import plan as figures
from monitor.simulate.companies import Company
from monitor.simulate.fleet import (
    AP_SOUTH,
    EU_NORTH,
    EU_WEST,
    ONBOARDING,
    PLACES,
    PPM,
    US_EAST,
    WHOLE,
    Event,
    Fleet,
    Member,
    Place,
    Programme,
    Run,
    odd,
)
from monitor.simulate.hardware import A100_LABEL, H100, H100_LABEL, Hardware
from monitor.simulate.launches import Job, Launch, chance, launch, one_after_another, shares, short_gap
from monitor.simulate.profiles import blank_profile, party_of, profile, registered

E24, E25 = 10**24, 10**25
# On the synthetic list of screened companies (`config/lists/synthetic/csl.csv`), and as it writes itself here.
LISTED = Company("Lanxiu Holding Group", "CN", "lanxiu-holding.example", "holding")
VARIANT = Company("Lan Xiu Holdings Group Ltd", "SG", "lanxiu-intl.example", "language models")


class Share(NamedTuple):
    """What one part of a programme runs on: units in whole accelerators."""

    member: Member
    hardware: Hardware
    place: Place
    units: int


class _Hidden:
    """One programme while it is being laid out."""

    def __init__(self, fleet: Fleet, kind: str, number: int, threshold: int) -> None:
        self.fleet = fleet
        self.name = f"{kind}-{number + 1}"
        self.rng = chance(fleet, f"programme/{self.name}")
        self.threshold = threshold
        self.utilisation_ppm = self.rng.randrange(*figures.UTILISATION_PPM)
        self.image = f"sha256:{self.rng.getrandbits(256):064x}"
        self.start = fleet.start + self.rng.randrange(*figures.BEGIN_DAYS) * DAY_MS
        self.members: list[Member] = []

    def company(self, country: str, serial: int = 0) -> Company:
        """A company that nobody else is."""
        called = f"{self.name}-{serial + 1}"
        return Company(
            f"{called.replace('-', ' ').replace('_', ' ').title()} Systems", country, f"{called}.example", "research"
        )

    def tenant(
        self, company: Company | None, basis: str, further: Mapping[str, object] | None = None, place: Place = EU_NORTH
    ) -> Member:
        """A tenant of the programme; None: it leaves its profile blank."""
        member = self.fleet.member("evader", place, f"{self.name}-t{len(self.members) + 1}", of_concern=True)
        self.members.append(member)
        if company is None:
            blank_profile(self.fleet, member)
        else:
            profile(self.fleet, member, company, basis, {"payer": f"payer-{member.name}", **(further or {})})
        return member

    def days(self, parts: Sequence[Share]) -> int:
        """How long these parts together take for what the programme trains."""
        a_day = sum(part.units * part.hardware.rate for part in parts) * self.utilisation_ppm // PPM * 86_400
        return max(2, self.threshold * figures.BEYOND_PERCENT // 100 // a_day + 1)

    def launches(self, days: int, start: int) -> list[Launch]:
        """Attempts of days each, with a restart between two; units are set for each part."""
        lengths = shares(self.rng, days * DAY_MS, max(1, days // figures.ATTEMPT_DAYS))
        return one_after_another(start, lengths, short_gap(self.rng), WHOLE)

    def train(
        self, part: Share, launches: Sequence[Launch], image: bool = True, further: Mapping[str, object] | None = None
    ) -> None:
        """Let a part of the programme take place, under the image of all of it or under none."""
        stated: dict[str, object] = {**({"image_digest": self.image} if image else {}), **(further or {})}
        run = Run(self.name, part.hardware, self.utilisation_ppm)
        serial = len(part.member.runs)
        rng = chance(self.fleet, f"{part.member.name}/{serial}")
        name = f"{part.member.name}-{serial}"
        job = Job(part.member, name, part.hardware, part.place, rng, stated, run=run)
        launch(self.fleet, job, [one._replace(units=part.units * WHOLE) for one in launches])


Layout = Callable[[_Hidden], None]


def _alone(hidden: _Hidden, member: Member, units: int, further: Mapping[str, object] | None = None) -> None:
    """One run of one tenant at one place."""
    part = Share(member, H100_LABEL, member.place, units)
    hidden.train(part, hidden.launches(hidden.days([part]), hidden.start), further=further)


def _plain(hidden: _Hidden) -> None:
    _alone(hidden, hidden.tenant(hidden.company("CN"), "documented"), hidden.rng.randrange(512, 1_025, 64))


def _undeclared(hidden: _Hidden) -> None:
    _alone(hidden, hidden.tenant(None, ""), hidden.rng.randrange(384, 897, 64))


def _owned(hidden: _Hidden, steps: Sequence[tuple[Company, float]]) -> Company:
    """A company of a third country with its owners above it, each of the next with a share and no stated control."""
    company = hidden.company("SG")
    below = [company, *(one for one, _ in steps)]
    at = hidden.fleet.start + HOUR_MS
    events = []
    for number, (owner, share) in enumerate(steps):
        owns = [{"party": party_of(owner), "share": share, "source": "company register"}]
        if share < 1:  # the rest is known, so that nobody unknown may own it
            rest = party_of(hidden.company("NL", 10 + number))
            owns.append({"party": rest, "share": round(1 - share, 2), "source": "company register"})
            events.append(registered(hidden.rng, at + (10 + number) * SECOND_MS, hidden.company("NL", 10 + number)))
        events.append(registered(hidden.rng, at + (20 + number) * SECOND_MS, below[number], owns))
    events.append(registered(hidden.rng, at + 40 * SECOND_MS, steps[-1][0]))
    hidden.fleet.add(iter(sorted(events, key=lambda event: event.time)))
    return company


def _half(hidden: _Hidden) -> None:
    """Half of it belongs to a listed company, half to nobody of concern: the headquarters test finds nothing."""
    company = _owned(hidden, [(LISTED, 0.5)])
    _alone(hidden, hidden.tenant(company, "documented"), hidden.rng.randrange(384, 897, 64))


def _chain(hidden: _Hidden) -> None:
    """51 per cent of 51 per cent: by products a quarter, by control all of it."""
    middle = hidden.company("AE", 1)
    top = hidden.company("CN", 2)
    company = _owned(hidden, [(middle, 0.51), (top, 0.51)])
    _alone(hidden, hidden.tenant(company, "documented"), hidden.rng.randrange(384, 897, 64))


def _linked(hidden: _Hidden) -> None:
    """Six accounts of one payer under one image."""
    parts = []
    for serial in range(6):
        place = PLACES[serial % len(PLACES)]
        company = hidden.company(("SG", "AE", "MY", "TH", "GB", "US")[serial], serial)
        member = hidden.tenant(company, "claimed", {"payer": f"payer-{hidden.name}"}, place)
        parts.append(Share(member, H100_LABEL, place, 96 + 32 * hidden.rng.randrange(3)))
    launches = hidden.launches(hidden.days(parts), hidden.start)
    for part in parts:
        hidden.train(part, launches)


def _regions(hidden: _Hidden) -> None:
    """One tenant of a country of concern in three regions at once."""
    member = hidden.tenant(hidden.company("CN"), "documented")
    parts = [Share(member, H100_LABEL, place, 192) for place in (EU_NORTH, US_EAST, AP_SOUTH)]
    launches = hidden.launches(hidden.days(parts), hidden.start)
    for part in parts:
        hidden.train(part, launches)


def _pausing(hidden: _Hidden) -> None:
    """Ten days of work, eight of rest, and again."""
    part = Share(hidden.tenant(hidden.company("MY"), "claimed"), H100_LABEL, EU_WEST, 640)
    rounds = -(-hidden.days([part]) // 10)
    starts = (hidden.start + 18 * DAY_MS * number for number in range(rounds))
    hidden.train(part, [Launch(start, start + 10 * DAY_MS, WHOLE) for start in starts])


def _family(hidden: _Hidden) -> None:
    """Half on one family of chips, half on another."""
    member = hidden.tenant(hidden.company("AE"), "claimed")
    old, new = Share(member, A100_LABEL, EU_NORTH, 1_024), Share(member, H100_LABEL, EU_NORTH, 512)
    days = [hidden.days([part]) // 2 + 1 for part in (old, new)]
    hidden.train(old, hidden.launches(days[0], hidden.start))
    hidden.train(new, hidden.launches(days[1], hidden.start + (days[0] + 3) * DAY_MS))


def _slow(hidden: _Hidden) -> None:
    """Two hundred accelerators or so, from the first week on, for most of the year."""
    hidden.start = hidden.fleet.start + 3 * DAY_MS
    _alone(hidden, hidden.tenant(hidden.company("SG"), "claimed"), hidden.rng.randrange(208, 289, 16))


def _pools(hidden: _Hidden) -> None:
    """Eight pools of one tenant, two in each region, each with jobs, names and times of its own."""
    member = hidden.tenant(hidden.company("CN"), "documented")
    parts = [Share(member, H100_LABEL, place, 64) for place in PLACES * 2]
    days = hidden.days(parts)
    for number, part in enumerate(parts):
        launches = hidden.launches(days, hidden.start + number * 7 * HOUR_MS)
        hidden.train(part, launches, image=False, further={"purpose": "fine-tuning"})


def _resold(hidden: _Hidden) -> None:
    """A customer of a reseller that does not say who its customers are."""
    seller = hidden.company("NL", 5)
    at = hidden.fleet.start + HOUR_MS
    hidden.fleet.add(iter([registered(hidden.rng, at, seller)]))
    sold = {"reseller_of": party_of(seller), "payer": party_of(seller)}
    _alone(hidden, hidden.tenant(hidden.company("MY"), "claimed", sold), hidden.rng.randrange(384, 897, 64))


def _variant(hidden: _Hidden) -> None:
    """A listed company under another writing of its name, from another country, with papers for the latter."""
    own = VARIANT._replace(domain=f"{hidden.name}.example")
    _alone(hidden, hidden.tenant(own, "documented"), hidden.rng.randrange(4_096, 6_145, 512))


def _mislabelled(hidden: _Hidden) -> None:
    """It says that it serves."""
    member = hidden.tenant(hidden.company("TH"), "claimed")
    _alone(hidden, member, hidden.rng.randrange(512, 1_025, 64), {"purpose": "inference"})


def _bought(hidden: _Hidden) -> None:
    """A small documented account that a new payer takes over, a week before it grows a hundredfold."""
    hidden.start += 60 * DAY_MS
    member = hidden.tenant(hidden.company("DE"), "documented")
    small = Job(member, f"{member.name}-small", H100, EU_NORTH, chance(hidden.fleet, member.name), {})
    before = hidden.fleet.start + DAY_MS
    launch(hidden.fleet, small, [Launch(before, hidden.start - 9 * DAY_MS, 4 * WHOLE)])
    data: dict[str, object] = {
        "tenant": member.name,
        "payer": f"payer-new-{hidden.name}",
        "basis": {"payer": "claimed"},
    }
    at = odd(hidden.rng, hidden.start - 7 * DAY_MS)
    hidden.fleet.add(iter([Event(at, Kind.TENANT_PROFILED, ONBOARDING, member.name, data)]))
    _alone(hidden, member, hidden.rng.randrange(384, 897, 64))


def _straw(hidden: _Hidden) -> None:
    """Eight companies with papers that share nothing, neither image nor payer nor the moments of their launches."""
    parts = [
        Share(hidden.tenant(hidden.company(country, n), "documented"), H100_LABEL, place, 96)
        for n, (country, place) in enumerate(
            zip(("US", "DE", "GB", "FR", "JP", "CA", "NL", "SE"), cycle(PLACES), strict=False)
        )
    ]
    days = hidden.days(parts)
    for number, part in enumerate(parts):
        launches = hidden.launches(days, hidden.start + number * 31 * HOUR_MS)
        hidden.train(part, launches, image=False)


def _forged(hidden: _Hidden) -> None:
    """One company with forged papers of a country that nobody worries about."""
    _alone(hidden, hidden.tenant(hidden.company("DE"), "documented"), hidden.rng.randrange(512, 1_025, 64))


class EvaderKind(NamedTuple):
    """What somebody does, and what there is to be seen of it; "" where nothing is."""

    sentence: str
    evidence: str
    threshold: int
    lay_out: Layout


KINDS: Mapping[str, EvaderKind] = {
    "plain": EvaderKind(
        "A large run of a party of concern that says who it is", "documented headquarters", E24, _plain
    ),
    "undeclared": EvaderKind("A run of a tenant that left its profile blank", "no headquarters", E24, _undeclared),
    "half_owned": EvaderKind("A shell that a listed party owns half of", "register, list", E24, _half),
    "chain": EvaderKind("A chain of owners with 51 per cent each", "register", E24, _chain),
    "linked": EvaderKind("One run over six accounts with one payer and one image", "payer, image", E24, _linked),
    "regions": EvaderKind("One run over three regions", "documented headquarters", E24, _regions),
    "pausing": EvaderKind("A run that rests for eight days after every ten", "claimed headquarters", E24, _pausing),
    "family": EvaderKind("Another family of chips from the middle on", "claimed headquarters", E24, _family),
    "slow": EvaderKind("A slow accumulator", "claimed headquarters", E24, _slow),
    "pools": EvaderKind("Eight pools in four regions that hardly speak", "documented headquarters", E24, _pools),
    "resold": EvaderKind("The customer of a reseller that attests nothing", "claimed headquarters", E24, _resold),
    "variant": EvaderKind("A listed party under another writing of its name", "list, run geometry", E25, _variant),
    "mislabelled": EvaderKind("Training called inference, unmeasured", "claimed headquarters", E24, _mislabelled),
    "bought": EvaderKind("A bought account that jumps", "change of payer, jump", E24, _bought),
    "straw": EvaderKind("Eight straw renters that share nothing", "", E24, _straw),
    "forged": EvaderKind("Forged papers of a harmless country", "", E24, _forged),
}


def begin(fleet: Fleet, kind: str, number: int) -> None:
    """Add a programme of a kind to a fleet."""
    known = KINDS[kind]
    hidden = _Hidden(fleet, kind, number, known.threshold)
    known.lay_out(hidden)
    tenants = tuple(member.name for member in hidden.members)
    fleet.programmes.append(Programme(hidden.name, kind, tenants, known.threshold, known.evidence))
