"""A year of a cloud with two thousand customers: honest ones of every kind, and evaders whose truth is known.

`plan` says who there is and why; this builds the honest, `evaders` the others. Allocations last days to months, those
of queues hours, so that a year is some hundred thousand events.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from random import Random

from monitor.core.model import DAY_MS, HOUR_MS
from monitor.simulate import evaders
from monitor.simulate import plan as figures
from monitor.simulate.companies import Company
from monitor.simulate.fleet import MINUTE_MS, PLACES, WHOLE, Allocation, Event, Fleet, Member, Run, odd, resized
from monitor.simulate.fleet import started as begins
from monitor.simulate.fleet import stopped as ends
from monitor.simulate.hardware import A100, A100_LABEL, H100, H100_LABEL, L4, L40S, T4, Hardware
from monitor.simulate.launches import Job, chance, launch, one_after_another, shares, short_gap
from monitor.simulate.plan import Plan
from monitor.simulate.profiles import party_of, profile

COUNTRIES = ("US", "US", "US", "DE", "GB", "FR", "JP", "KR", "IN", "CA", "NL", "SE", "BR", "AU", "PL", "ES", "SG")
COUNTRIES_OF_CONCERN = ("CN", "CN", "CN", "RU", "RU", "BY", "VE", "CU", "IQ", "LB")
FIRST = (
    "Amber",
    "Basalt",
    "Cedar",
    "Dapple",
    "Elder",
    "Fallow",
    "Garnet",
    "Heather",
    "Ivory",
    "Juniper",
    "Kelp",
    "Linden",
)
SECOND = ("Badger", "Curlew", "Dormouse", "Egret", "Finch", "Gannet", "Hare", "Ibex", "Jackdaw", "Knot", "Lapwing")
SMALL, MIDDLE = (L4, T4, L40S, A100, A100_LABEL, H100_LABEL), (A100_LABEL, H100_LABEL, H100)


def population(fleet: Fleet, plan: Plan) -> None:
    """Everybody of a plan; ordinary companies make up the number of tenants."""
    for number in range(plan.programmes):
        for kind in evaders.KINDS:
            evaders.begin(fleet, kind, number)
    for number in range(plan.large):
        _large(fleet, number)
    for number in range(plan.universities):
        _university(fleet, number, plan.groups)
    for number in range(plan.attested_resellers + plan.unattested_resellers):
        _reseller(fleet, number, plan.customers, number < plan.attested_resellers)
    for number in range(plan.services):
        _service(fleet, number)
    for number in range(plan.of_concern):
        _ordinary(fleet, "of_concern", number, COUNTRIES_OF_CONCERN)
    for number in range(plan.tenants - len(fleet.members)):
        _ordinary(fleet, "ordinary", number, COUNTRIES)


def _customer(
    fleet: Fleet,
    kind: str,
    number: int,
    countries: tuple[str, ...],
    basis: str,
    further: dict[str, object] | None = None,
) -> Member:
    rng = chance(fleet, f"company/{kind}/{number}")
    name = f"{rng.choice(FIRST)} {rng.choice(SECOND)} {kind.replace('_', ' ').title()} {number + 1}"
    domain = f"{name.lower().replace(' ', '-')}.example"
    company = Company(name, rng.choice(countries), domain, rng.choice(("analytics", "images", "speech", "simulation")))
    member = fleet.member(kind, rng.choice(PLACES), f"{kind}-{number + 1:04d}")
    profile(fleet, member, company, basis, {"payer": f"payer-{member.name}", **(further or {})})
    return member


def _size(rng: Random) -> int:
    """A size of an ordinary customer, in accelerators."""
    drawn = figures.SIZE_MEDIAN * rng.lognormvariate(0.0, figures.SIZE_SIGMA)
    return max(1, min(figures.SIZE_MAX, round(drawn)))


def _ordinary(fleet: Fleet, kind: str, number: int, countries: tuple[str, ...]) -> None:
    """A company of any size. One of a country of concern says so in documents."""
    rng = chance(fleet, f"{kind}/{number}")
    size = _size(rng)
    undocumented = next(share for most, share in figures.UNDOCUMENTED if size < most)
    claimed = kind == "ordinary" and rng.randrange(100) < undocumented
    member = _customer(fleet, kind, number, countries, "claimed" if claimed else "documented")
    _works(fleet, member, rng, size)


def _works(fleet: Fleet, member: Member, rng: Random, size: int) -> None:
    """Let a customer of a size hold things in one of the usual ways, from the day on which it comes."""
    hardware = rng.choice(SMALL if size < 16 else MIDDLE)
    first = 0 if rng.randrange(100) < figures.THERE_BEFORE_PERCENT else rng.randrange(figures.COMING_DAYS)
    time, way = fleet.start + first * DAY_MS + rng.randrange(HOUR_MS, DAY_MS), rng.randrange(100)
    if way < figures.STEADY:
        process = _spells(member, rng, hardware, size, time, figures.STEADY_DAYS, DAY_MS)
    elif way < figures.STEADY + figures.PROJECTS:
        process = _spells(member, rng, hardware, size, time, figures.PROJECT_DAYS, 20 * DAY_MS)
    else:
        process = _queue(member, rng, hardware, size, time)
    fleet.provide(member.place, hardware, 2 * size * WHOLE)
    fleet.add(process)


def _spells(
    member: Member, rng: Random, hardware: Hardware, size: int, time: int, days: float, gap_ms: int
) -> Iterator[Event]:
    """One allocation after another, with an image of its own each."""
    for serial in count(1):
        image = f"sha256:{rng.getrandbits(256):064x}"
        stated: dict[str, object] = {"image_digest": image}
        allocation = Allocation(member, f"{member.name}-{serial}", hardware, member.place, stated=stated)
        end = odd(rng, time + HOUR_MS + int(DAY_MS * days * rng.lognormvariate(0.0, figures.DAYS_SIGMA)))
        yield begins(odd(rng, time), allocation, max(1, round(size * rng.uniform(0.7, 1.3))) * WHOLE)
        yield ends(end, allocation, "deleted")
        time = end + MINUTE_MS + int(rng.expovariate(1 / gap_ms))


def _queue(member: Member, rng: Random, hardware: Hardware, size: int, time: int) -> Iterator[Event]:
    """Jobs of hours, one after another."""
    for serial in count(1):
        name = f"{member.name}-job-{serial}"
        allocation = Allocation(member, name, hardware, member.place, stated={"job": name})
        end = odd(rng, time + MINUTE_MS + int(rng.expovariate(1 / (14 * HOUR_MS))))
        yield begins(odd(rng, time), allocation, rng.randrange(1, size + 1) * WHOLE)
        yield ends(end, allocation, "completed")
        time = end + MINUTE_MS + int(rng.expovariate(1 / (26 * HOUR_MS)))


def _service(fleet: Fleet, number: int) -> None:
    """A service that is small at night and large at day, documented."""
    rng = chance(fleet, f"service/{number}")
    member = _customer(fleet, "service", number, COUNTRIES, "documented")
    _serves(fleet, member, rng, 16 + _size(rng), rng.choice(MIDDLE))


def _serves(fleet: Fleet, member: Member, rng: Random, size: int, hardware: Hardware) -> None:
    stated: dict[str, object] = {"purpose": "inference"}
    fleet.provide(member.place, hardware, size * WHOLE)
    allocation = Allocation(member, f"{member.name}-serving", hardware, member.place, stated=stated)
    fleet.add(_daily(fleet.start + rng.randrange(DAY_MS), rng, allocation, size))


def _daily(start: int, rng: Random, allocation: Allocation, size: int) -> Iterator[Event]:
    yield begins(odd(rng, start), allocation, size * WHOLE)
    for half in count(1):
        share = rng.uniform(0.35, 0.5) if half % 2 else rng.uniform(0.85, 1.0)
        at = odd(rng, start + half * DAY_MS // 2 + rng.randrange(2 * HOUR_MS))
        yield resized(at, allocation, max(1, round(size * share)) * WHOLE)


def _large(fleet: Fleet, number: int) -> None:
    """A large customer, documented: every other one trains, the others serve."""
    rng = chance(fleet, f"large/{number}")
    size = min(figures.LARGE_MAX, int(figures.LARGE_MIN * rng.paretovariate(figures.LARGE_SHAPE)))
    member = _customer(fleet, "large", number, COUNTRIES, "documented")
    hardware = rng.choice(MIDDLE)
    if number % 2:
        _serves(fleet, member, rng, size, hardware)
        return
    trained = round(size * figures.RUN_SHARE)
    fleet.provide(member.place, hardware, 2 * size * WHOLE)
    fleet.add(_spells(member, rng, hardware, size - trained, fleet.start + HOUR_MS, figures.STEADY_DAYS, HOUR_MS))
    time = fleet.start + rng.randrange(5, 40) * DAY_MS
    for serial in range(rng.choice(figures.RUNS)):
        days = rng.randrange(*figures.RUN_DAYS)
        utilisation = rng.randrange(*figures.UTILISATION_PPM)
        run = Run(f"{member.name}-model-{serial + 1}", hardware, utilisation)
        stated: dict[str, object] = {"image_digest": f"sha256:{rng.getrandbits(256):064x}", "purpose": "training"}
        job = Job(member, run.name, hardware, member.place, rng, stated, run=run)
        lengths = shares(rng, days * DAY_MS, max(1, days // figures.ATTEMPT_DAYS))
        launch(fleet, job, one_after_another(time, lengths, short_gap(rng), trained * WHOLE))
        time += (days + rng.randrange(10, 40)) * DAY_MS


def _university(fleet: Fleet, number: int, groups: int) -> None:
    """Groups that declare one university and have a payer and a mail domain in common."""
    rng = chance(fleet, f"university/{number}")
    name, country = f"University of {rng.choice(FIRST)}field {number + 1}", rng.choice(COUNTRIES)
    company = Company(name, country, f"university-{number + 1}.example", "research")
    declared: dict[str, object] = {"party": None, "organisation": party_of(company), "payer": party_of(company)}
    for group in range(groups):
        member = fleet.member("university", rng.choice(PLACES), f"university-{number + 1}-{group + 1:02d}")
        profile(fleet, member, company, "documented", declared)
        own = chance(fleet, member.name)
        _works(fleet, member, own, min(64, _size(own)))


def _reseller(fleet: Fleet, number: int, customers: int, attested: bool) -> None:
    """A reseller that pays for its customers, whom it knows and names in documents, or only claims to."""
    seller = _customer(fleet, "reseller", number, COUNTRIES, "documented")
    rng = chance(fleet, f"reseller/{number}")
    _works(fleet, seller, rng, _size(rng))
    sold: dict[str, object] = {"reseller_of": seller.name, "payer": seller.name}
    for one in range(customers):
        kind = "resold_attested" if attested else "resold"
        basis = "documented" if attested else "claimed"
        member = _customer(fleet, kind, number * customers + one, COUNTRIES, basis, sold)
        own = chance(fleet, member.name)
        _works(fleet, member, own, min(32, _size(own)))
