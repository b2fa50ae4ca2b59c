"""Who is behind tenants: shells, resellers and customers, organisations with many accounts, a company that is sold.

Everybody here has jobs of its own, with an image of its own and at its own times, unless the scenario says otherwise:
so what is to be found is what the scenario says and nothing else. `Fleet.expected` tells it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from monitor.core.model import DAY_MS, HOUR_MS, SECOND_MS
from monitor.simulate import ordinary
from monitor.simulate.companies import CONCERN_PARENT, LARGE, ORDINARY, SHELLS, Company
from monitor.simulate.fleet import EU_WEST, PLACES, WHOLE, Expected, Fleet, Member, Run
from monitor.simulate.hardware import H100_LABEL
from monitor.simulate.launches import Job, Launch, chance, launch, shares
from monitor.simulate.profiles import blank_profile, party_of, profile, registered

BYSTANDERS = 4
CUSTOMERS, ACCOUNTS, DEPARTMENTS = 40, 400, 60
MIDDLE = Company("Cobalt Reef Nominees Ltd", "VG", "cobalt-reef.example", "holding")
RESELLER = Company("Harbour Bell Cloud Resale B.V.", "NL", "harbourbell.example", "resale")
UNIVERSITY = Company("Universität Lindenfurt", "DE", "uni-lindenfurt.example", "research")
UTILISATION_PPM = 240_000  # the middle of what published runs on H100 got


def _image(rng: Random) -> str:
    return f"sha256:{rng.getrandbits(256):064x}"


def _times(fleet: Fleet, rng: Random, launches: int, days: int) -> list[Launch]:
    """So many launches of 64 accelerators in so many days, one after another, at times of their own."""
    time = fleet.start + HOUR_MS + rng.randrange(DAY_MS)
    found = []
    for length in shares(rng, (days - 2) * DAY_MS, launches):
        held = max(HOUR_MS, length * rng.randrange(60, 95) // 100)
        found.append(Launch(time, time + held, 64 * WHOLE))
        time += max(length, held + HOUR_MS // 4)
    return found


def _works(fleet: Fleet, member: Member, launches: Sequence[Launch], image: str = "", trains: bool = False) -> None:
    """Let a tenant hold what it launches, under one image: its own where none is given."""
    rng = chance(fleet, f"{member.name}/works")
    own = _image(rng)
    run = Run(member.name, H100_LABEL, UTILISATION_PPM) if trains else None
    stated: dict[str, object] = {"image_digest": image or own}
    launch(fleet, Job(member, member.name, H100_LABEL, member.place, rng, stated, run=run), launches)


def _customer(
    fleet: Fleet, name: str, company: Company, basis: str, further: Mapping[str, object] | None = None
) -> Member:
    """A tenant and its profile."""
    member = fleet.member("customer", PLACES[len(fleet.members) % len(PLACES)], name)
    profile(fleet, member, company, basis, further)
    return member


def _shells(fleet: Fleet, further: Mapping[str, object] | None = None, image: str = "") -> tuple[str, ...]:
    """Six companies that claim who they are, each with a part of a run."""
    for number, company in enumerate(SHELLS):
        name = f"shell-{number + 1}"
        place = PLACES[number % len(PLACES)]
        member = fleet.member("shell", place, name, of_concern=True)
        profile(fleet, member, company, "claimed", {"payer": f"payer-{name}", **(further or {})})
        _works(fleet, member, _times(fleet, chance(fleet, name), 8, 44), image, trains=True)
    shells = tuple(f"shell-{number + 1}" for number in range(len(SHELLS)))
    fleet.expected.append(Expected("unresolved", shells))
    return shells


def _bystanders(fleet: Fleet) -> None:
    for number in range(BYSTANDERS):
        ordinary.quiet(fleet, number)


def _found(fleet: Fleet, shells: tuple[str, ...], *by: str) -> None:
    """The shells are one, and nobody said so."""
    fleet.expected.append(Expected("group", shells, by))
    fleet.expected.append(Expected("signal", shells, ("many undeclared accounts as one",)))


def one_owner(fleet: Fleet) -> None:
    """Six shells that the register traces to one holding, two of them through a company between."""
    shells = _shells(fleet)
    rng = chance(fleet, "register")
    events = [registered(rng, fleet.start + DAY_MS, CONCERN_PARENT)]
    holding, between = ({"party": party_of(one), "source": "company register"} for one in (CONCERN_PARENT, MIDDLE))
    events.append(registered(rng, fleet.start + DAY_MS + SECOND_MS, MIDDLE, [{**holding, "share": 1, "control": True}]))
    for number, company in enumerate(SHELLS):
        owner = between if number in (1, 4) else holding
        owners = [{**owner, "share": 0.6 + number / 20, "control": True}]
        events.append(registered(rng, fleet.start + DAY_MS + (2 + number) * SECOND_MS, company, owners))
    fleet.add(iter(events))
    _bystanders(fleet)
    _found(fleet, shells, "owner")


def one_payer(fleet: Fleet) -> None:
    """Six shells whose bills one payer pays."""
    shells = _shells(fleet, {"payer": "payer-7731"})
    _bystanders(fleet)
    _found(fleet, shells, "payer")


def launches_only(fleet: Fleet) -> None:
    """Two tenants that start within seconds of each other, twelve times in six weeks, and a third that does not."""
    times = _times(fleet, chance(fleet, "both"), 12, 44)
    for number in range(2):
        member = _customer(fleet, f"twin-{number + 1}", ORDINARY[7 + number], "claimed")
        rng = chance(fleet, member.name)
        own = [one._replace(start=one.start + rng.randrange(20) * SECOND_MS) for one in times]
        _works(fleet, member, own)
    alone = _customer(fleet, "alone", ORDINARY[9], "claimed")
    _works(fleet, alone, _times(fleet, chance(fleet, "alone"), 12, 44))
    _bystanders(fleet)
    fleet.expected.append(Expected("weak link", ("twin-1", "twin-2"), ("synchronous launches",)))
    fleet.expected.append(Expected("unresolved", ("twin-1", "twin-2", "alone")))


def _resold(fleet: Fleet, customers: int, basis: str, image: str = "") -> tuple[str, ...]:
    """A reseller that pays for its customers, and so many of them, whose jobs share an image if there is one."""
    reseller = _customer(fleet, "harbour-bell", RESELLER, "documented")
    _works(fleet, reseller, _times(fleet, chance(fleet, "harbour-bell"), 2, 20))
    further = {"reseller_of": party_of(RESELLER), "payer": party_of(RESELLER)}
    names = [f"customer-{number + 1:02d}" for number in range(customers)]
    for number, name in enumerate(names):
        country = ("NL", "BE", "DE", "FR")[number % 4]
        company = Company(f"Kestrel Row {number + 1} Works", country, f"kestrel-row-{number + 1}.example", "analytics")
        member = _customer(fleet, name, company, basis, further)
        _works(fleet, member, _times(fleet, chance(fleet, name), 5, 29), image)
    return tuple(names)


def behind_reseller(fleet: Fleet) -> None:
    """Six shells that buy through a reseller of many attested customers, and run one image that nobody else has."""
    _resold(fleet, 20, "documented")
    image = _image(chance(fleet, "image"))
    shells = _shells(fleet, {"reseller_of": party_of(RESELLER), "payer": party_of(RESELLER)}, image)
    _found(fleet, shells, "image", "reseller")
    fleet.expected.append(Expected("reseller book", shells, ("reseller",)))


def attested_book(fleet: Fleet) -> None:
    """A reseller whose 40 customers are documented and verified. It pays for them, and they run the image it offers."""
    _resold(fleet, CUSTOMERS, "documented", _image(chance(fleet, "image")))


def unattested_book(fleet: Fleet) -> None:
    """The same reseller, whose 40 customers nobody has verified."""
    customers = _resold(fleet, CUSTOMERS, "claimed", _image(chance(fleet, "image")))
    fleet.expected.append(Expected("reseller book", customers, ("reseller",)))
    fleet.expected.append(Expected("unresolved", customers))


def _organisation(fleet: Fleet, company: Company, parts: str, number: int, launches: int, days: int) -> None:
    """Tenants that declare one organisation, without a party of their own, and share an image, a payer and a domain."""
    image = _image(chance(fleet, "image"))
    further = {"party": None, "organisation": party_of(company), "payer": party_of(company)}
    names = tuple(f"{parts}-{one + 1:03d}" for one in range(number))
    for name in names:
        member = _customer(fleet, name, company, "documented", further)
        _works(fleet, member, _times(fleet, chance(fleet, name), launches, days), image)
    fleet.expected.append(Expected("organisation", names, ("organisation",)))


def accounts(fleet: Fleet) -> None:
    """A large customer with 400 accounts that it declares."""
    _organisation(fleet, LARGE[0], "account", ACCOUNTS, 3, 19)
    _bystanders(fleet)


def university(fleet: Fleet) -> None:
    """60 departments of one university."""
    _organisation(fleet, UNIVERSITY, "department", DEPARTMENTS, 8, 29)
    _bystanders(fleet)


def blank(fleet: Fleet) -> None:
    """A tenant that left its profile blank holds 2,048 H100 for 32 days."""
    member = fleet.member("blank", EU_WEST, "blank", of_concern=True)
    blank_profile(fleet, member)
    start = fleet.start + DAY_MS
    _works(fleet, member, [Launch(start, start + 32 * DAY_MS, 2_048 * WHOLE)], trains=True)
    _bystanders(fleet)
    fleet.expected.append(Expected("unresolved", ("blank",)))


def sold(fleet: Fleet) -> None:
    """A company on 1,024 H100 is sold to another owner after 40 days, and passes 1e24 FLOP a week later."""
    company, founder = ORDINARY[8], ORDINARY[5]
    member = _customer(fleet, "sold", company, "documented")
    start = fleet.start + DAY_MS
    _works(fleet, member, [Launch(start, start + 57 * DAY_MS, 1_024 * WHOLE)], trains=True)
    rng = chance(fleet, "register")
    owners = [
        [{"party": party_of(one), "share": 1, "control": True, "source": "company register"}]
        for one in (founder, CONCERN_PARENT)
    ]
    at = fleet.start + DAY_MS // 2
    events = [registered(rng, at + number * SECOND_MS, one) for number, one in enumerate((founder, CONCERN_PARENT))]
    events.append(registered(rng, at + 2 * SECOND_MS, company, owners[0]))
    events.append(registered(rng, start + 40 * DAY_MS, company, owners[1]))
    fleet.add(iter(events))
    _bystanders(fleet)
    fleet.expected.append(Expected("signal", ("sold",), ("a change before a threshold",)))
