"""Tenants that may be one customer: what they share, how far each thing goes, and the groups that follow.

Tenants that declare one party or one organisation are one *unit*: ordinary accounting, nothing to be found out. Between
units, what they share is *evidence* with a weight. A link is strong if the weights of its kinds reach `STRONG`; groups
are the components over strong links; a weak link is shown and groups nobody. Something that many units share (a public
image, the domain of a law firm) says little or nothing, so evidence is weighed by how many units share it.

The basis of a tie is told and moves no weight: nobody gains by claiming somebody else's payer.

A shared reseller alone is no link. Its customers that are not attested are its *book*: one unresolved party.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import combinations
from typing import NamedTuple

from monitor.core.coincidence import CHANCE, SYNCHRONOUS_MS, together
from monitor.core.model import SECOND_MS

STRONG = 700  # thousandths: one tie that only one customer can have, or two that have nothing to do with each other
WHOLE = 1000
NAMED_MAX = 3  # tenants and sources that a sentence names

IDENTIFIER_MIN = 4  # letters and digits: "0", "n/a" and the like identify nobody
# Anybody gets a mailbox there. A domain that is missing here still links nobody by itself.
_MAILBOXES = (
    "126.com 163.com aol.com fastmail.com foxmail.com gmail.com gmx.com gmx.de gmx.net googlemail.com hotmail.com "
    "icloud.com live.com mail.com mail.ru me.com msn.com naver.com outlook.com pm.me proton.me protonmail.com qq.com "
    "rediffmail.com sina.com tuta.com tutanota.com web.de yahoo.co.jp yahoo.com yandex.com yandex.ru ymail.com "
    "zoho.com"
)
PUBLIC_MAIL = frozenset(_MAILBOXES.split())


class LinkKind(StrEnum):
    """What tenants may share."""

    PARTY = "party"
    ORGANISATION = "organisation"
    OWNER = "owner"
    IDENTIFIER = "identifier"
    PAYER = "payer"
    DOMAIN = "contact domain"
    IMAGE = "image"
    RESERVATION = "reservation"
    END_CUSTOMER = "end customer"
    LAUNCHES = "synchronous launches"
    RESELLER = "reseller"


DECLARED = frozenset({LinkKind.PARTY, LinkKind.ORGANISATION})
# A reseller's customers share it anyway; beside one of these it is one thing too many in common.
BESIDE_RESELLER = frozenset({LinkKind.IMAGE, LinkKind.LAUNCHES})


class Step(NamedTuple):
    """What a shared value weighs in thousandths while at most so many units share it; None: however many do.

    Where it does not lead it adds to a link that is there for another reason, and makes none.
    """

    units_max: int | None
    weight: int
    leads: bool = True


class Weighing(NamedTuple):
    """How far a kind goes, and how it reads."""

    steps: tuple[Step, ...]
    says: str
    innocent: str  # the strongest innocent explanation
    settles: str  # what would settle it


WEIGHING: Mapping[LinkKind, Weighing] = {
    LinkKind.PARTY: Weighing(
        (Step(None, 1000),),
        "declare one party",
        "They say themselves that they are one customer.",
        "Nothing needs to be settled: their compute is added up.",
    ),
    LinkKind.ORGANISATION: Weighing(
        (Step(None, 1000),),
        "declare one organisation",
        "They say themselves that they are one customer.",
        "Nothing needs to be settled: their compute is added up.",
    ),
    LinkKind.OWNER: Weighing(
        (Step(None, 1000),),
        "have one ultimate parent",
        "Companies of one owner may work without each other, each for its own business.",
        "The owner's statement of what each company does, and who signs its orders.",
    ),
    LinkKind.IDENTIFIER: Weighing(
        (Step(None, 900),),
        "have one identifier",
        "The identifier was mistyped, or is that of an agent who filled in the forms.",
        "An extract of the register for each of them.",
    ),
    # A scheme of more than forty shells on one payer would be seen as its book of unattested customers.
    LinkKind.PAYER: Weighing(
        (Step(40, 800),),
        "are paid for by one payer",
        "An agent, an investor or a marketplace pays the bills of companies that have nothing else in common.",
        "The contracts between the payer and each of them.",
    ),
    LinkKind.DOMAIN: Weighing(
        (Step(12, 500),),
        "have contacts at one mail domain",
        "A consultant or a law firm answers for several customers.",
        "A contact inside each company.",
    ),
    # A digest is one build: most have one user. Popular releases of public images have hundreds, others a few.
    LinkKind.IMAGE: Weighing(
        (Step(8, 500), Step(100, 300, leads=False)),
        "ran one image",
        "The image is a public release that each of them chose by itself.",
        "Whether the digest is that of a public registry.",
    ),
    LinkKind.RESERVATION: Weighing(
        (Step(8, 500),),
        "used one reservation",
        "Reservations of the same name that are not the same, or capacity passed on in the open.",
        "Who ordered the reservation and who is billed for it.",
    ),
    LinkKind.END_CUSTOMER: Weighing(
        (Step(8, 400),),
        "hold for one end customer",
        "The end customer buys from several suppliers, in the open.",
        "The end customer's own account of what it buys and where.",
    ),
    LinkKind.LAUNCHES: Weighing(
        (Step(None, 400),),
        "launch together again and again",
        "Both follow one outside event: capacity that comes free, a price, a shared scheduler.",
        "The logs of whatever started the launches.",
    ),
    LinkKind.RESELLER: Weighing(
        (Step(None, 300, leads=False),),
        "buy through one reseller",
        "Customers of one reseller have their reseller in common, and the images that it offers.",
        "The reseller's record of each end customer.",
    ),
}


class Tie(NamedTuple):
    """One thing that a tenant shares if another has it too."""

    kind: LinkKind  # any but LAUNCHES
    value: str
    basis: str  # claimed, documented, registry, reviewer; observed, if the control plane saw it
    source: str


class Launch(NamedTuple):
    """A larger launch of a tenant: a segment of its runs, say."""

    start: int
    end: int
    count: int  # type: ignore[assignment]  # thousandths of an accelerator; hides tuple.count
    family: str = ""
    place: str = ""
    marks: frozenset[str] = frozenset()  # images and jobs


class Ties(NamedTuple):
    """What is known of one tenant that may link it. Of parties and organisations only what is declared now.

    Owners are ultimate parents by control. A past payer, owner or domain that counts is a tie of its own.
    """

    tenant: str
    ties: tuple[Tie, ...] = ()
    attested: bool = False  # its own headquarters are documented and somebody verified them
    launches: tuple[Launch, ...] = ()


class Evidence(NamedTuple):
    """Something that tenants share."""

    kind: LinkKind
    value: str
    weight: int  # thousandths
    leads: bool  # whether it can be the reason of a link
    tenants: tuple[str, ...]  # sorted
    sentence: str


class Strength(StrEnum):
    """Whether a link groups."""

    STRONG = "strong"
    WEAK = "weak"


class Link(NamedTuple):
    """Two units that share something."""

    one: tuple[str, ...]  # tenants of a unit, sorted
    other: tuple[str, ...]
    weight: int  # thousandths
    evidence: tuple[Evidence, ...]  # the weightiest of each kind, in order of weight

    @property
    def strength(self) -> Strength:
        """Strong links group, weak ones are shown."""
        return Strength.STRONG if self.weight >= STRONG else Strength.WEAK


class LinkedGroup(NamedTuple):
    """Tenants that are taken for one customer: two at least. With one unit it is a declared organisation."""

    tenants: tuple[str, ...]  # sorted
    units: tuple[tuple[str, ...], ...]
    evidence: tuple[Evidence, ...]  # what its units share, and what is declared inside them; the weightiest first


class ResellerBook(NamedTuple):
    """The customers of a reseller, or of a payer for very many, of whom nobody knows enough: one unresolved party."""

    reseller: str
    tenants: tuple[str, ...]  # sorted, two at least; none attested
    attested: int  # customers that are, and stand for themselves
    sentence: str


class Links:
    """What a set of tenants shares. Every answer is independent of the order in which they were given.

    `evidence`: all of it. `groups`: no tenant is in two. `weak`: what groups nobody. `books`: those of resellers; a
    tenant may be in a group as well, but not in two books. Asking for a tenant that was not given is a KeyError.
    """

    def __init__(self, of_tenants: Iterable[Ties]) -> None:
        """`of_tenants` has one record a tenant."""
        known = sorted(of_tenants, key=lambda one: one.tenant)
        self._units = _Components(one.tenant for one in known)
        shared = _shared(known)
        for (kind, _), ties in shared.items():
            if kind in DECLARED:
                self._units.join(ties)
        self._members = self._units.members()
        resellers = {value for kind, value in shared if kind is LinkKind.RESELLER}
        self.evidence = tuple(sorted([*self._evidence(shared, resellers), *_synchronous(known, self._units)]))
        self._sharing = [self._units_of(one.tenants) for one in self.evidence]
        self._of_unit: dict[str, set[int]] = {}
        for number, units in enumerate(self._sharing):
            for unit in units:
                self._of_unit.setdefault(unit, set()).add(number)
        self.weak, self.groups = self._grouped()
        self.books = self._booked(known, shared)

    def unit(self, tenant: str) -> tuple[str, ...]:
        """The tenants that declare one party or organisation with a tenant, itself included, sorted."""
        return self._members[self._units.of(tenant)]

    def between(self, one: str, other: str) -> Link | None:
        """The link between the units of two tenants; None: there is none, or they are one unit."""
        return self._link(self._units.of(one), self._units.of(other))

    def of(self, tenant: str) -> tuple[Link, ...]:
        """Every link of a tenant's unit, the strongest first."""
        unit = self._units.of(tenant)
        leading = (number for number in self._of_unit.get(unit, ()) if self.evidence[number].leads)
        others = {other for number in leading for other in self._sharing[number]}
        found = (self._link(unit, other) for other in sorted(others))
        return tuple(sorted((link for link in found if link is not None), key=lambda link: (-link.weight, link.other)))

    def _units_of(self, tenants: Iterable[str]) -> frozenset[str]:
        return frozenset(map(self._units.of, tenants))

    def _evidence(
        self, shared: Mapping[tuple[LinkKind, str], Mapping[str, Tie | None]], resellers: Collection[str]
    ) -> Iterator[Evidence]:
        for (kind, value), ties in shared.items():
            if len(ties) < 2 or (kind is LinkKind.PAYER and value in resellers):
                continue  # a reseller that pays for its customers is one fact, not two
            step = _step(kind, len(self._units_of(ties)))
            if step is not None:
                tenants = tuple(sorted(ties))
                yield Evidence(kind, value, step.weight, step.leads, tenants, _sentence(kind, value, ties))

    def _link(self, one: str, other: str) -> Link | None:
        common = self._of_unit.get(one, set()) & self._of_unit.get(other, set())
        best: dict[LinkKind, Evidence] = {}
        for each in _by_weight(self.evidence[number] for number in common):
            best.setdefault(each.kind, each)
        if one == other or not any(each.leads for each in best.values()):
            return None
        if BESIDE_RESELLER.isdisjoint(best):
            best.pop(LinkKind.RESELLER, None)
        weight = min(WHOLE, sum(each.weight for each in best.values()))
        return Link(self._members[one], self._members[other], weight, tuple(best.values()))

    def _grouped(self) -> tuple[tuple[Link, ...], tuple[LinkedGroup, ...]]:
        """The weak links, and the groups over the strong ones."""
        grouped = _Components(self._members)
        pairs: set[tuple[str, str]] = set()
        for one, sharing in zip(self.evidence, self._sharing, strict=True):
            if one.weight >= STRONG:
                grouped.join(sharing)
            elif one.leads:
                pairs.update(combinations(sorted(sharing), 2))
        weak = []
        for pair in sorted(pairs):
            link = self._link(*pair)
            assert link is not None, "Two units that share what leads to links are linked."
            if link.strength is Strength.STRONG:
                grouped.join(pair)
            else:
                weak.append(link)
        return tuple(weak), tuple(self._groups(grouped))

    def _groups(self, grouped: _Components) -> Iterator[LinkedGroup]:
        """The groups; their evidence is what joins units, and what the tenants of a unit declare."""
        inside: dict[str, list[Evidence]] = {}
        for one, sharing in zip(self.evidence, self._sharing, strict=True):
            sharers = map(self._units.of, one.tenants) if one.kind in DECLARED else sharing
            for group, times in Counter(map(grouped.of, sharers)).items():
                if times > 1:
                    inside.setdefault(group, []).append(one)
        for name, units in grouped.members().items():
            of_units = tuple(self._members[unit] for unit in units)
            tenants = tuple(sorted(tenant for unit in of_units for tenant in unit))
            if len(tenants) > 1:
                yield LinkedGroup(tenants, of_units, _by_weight(inside[name]))

    def _booked(
        self, known: Sequence[Ties], shared: Mapping[tuple[LinkKind, str], Mapping[str, Tie | None]]
    ) -> tuple[ResellerBook, ...]:
        """The books of resellers; each tenant is in one at most."""
        attested = {one.tenant for one in known if one.attested}
        sold = [key for key in sorted(shared) if key[0] is LinkKind.RESELLER]
        paid = [key for key in sorted(shared) if key[0] is LinkKind.PAYER]
        agents = [key for key in paid if _step(LinkKind.PAYER, len(self._units_of(shared[key]))) is None]
        booked: set[str] = set()
        books = []
        for key in [*sold, *agents]:
            customers = set(shared[key])
            tenants = tuple(sorted(customers - attested - booked))
            if len(tenants) > 1:
                booked.update(tenants)
                count = len(customers & attested)
                books.append(ResellerBook(key[1], tenants, count, _of_book(key[1], len(tenants), count)))
        return tuple(books)


def _by_weight(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(evidence, key=lambda one: (-one.weight, one)))


def _step(kind: LinkKind, units: int) -> Step | None:
    """What a value weighs that so many units share; None: nothing."""
    for step in WEIGHING[kind].steps:
        if step.units_max is None or units <= step.units_max:
            return step
    return None


def _of_book(reseller: str, tenants: int, attested: int) -> str:
    rest = f"; {attested} others are attested and stand for themselves" if attested else ""
    return f"{tenants} customers that buy through {reseller} are not attested: they are one unresolved party{rest}."


class _Components:
    """Sets of names that are joined step by step; each is called by its first name."""

    def __init__(self, names: Iterable[str]) -> None:
        self._above = {name: name for name in names}

    def of(self, name: str) -> str:
        """The first name of its set."""
        while (above := self._above[name]) != name:
            self._above[name] = name = self._above[above]
        return name

    def join(self, names: Iterable[str]) -> None:
        """Make one set of the sets of these names."""
        heads = {self.of(name) for name in names}
        first = min(heads)
        for head in heads:
            self._above[head] = first

    def members(self) -> dict[str, tuple[str, ...]]:
        """The names of each set, sorted, by its first name."""
        found: dict[str, list[str]] = {}
        for name in sorted(self._above):
            found.setdefault(self.of(name), []).append(name)
        return {first: tuple(names) for first, names in found.items()}


# -- ties --------------------------------------------------------------------------------------------------------------


def _shared(known: Iterable[Ties]) -> dict[tuple[LinkKind, str], dict[str, Tie | None]]:
    """Who has which value; without a tie a tenant is the end customer that others name."""
    shared: dict[tuple[LinkKind, str], dict[str, Tie | None]] = {}
    called: dict[str, set[str]] = {}
    for one in known:
        called.setdefault(one.tenant, set()).add(one.tenant)
        for tie in one.ties:
            value = comparable(tie)
            if value:
                ties = shared.setdefault((tie.kind, value), {})
                ties[one.tenant] = min(tie, ties.get(one.tenant) or tie)
                if tie.kind is LinkKind.PARTY:
                    called.setdefault(value, set()).add(one.tenant)
    for (kind, value), ties in shared.items():
        if kind is LinkKind.END_CUSTOMER:
            for tenant in called.get(value, ()):
                ties.setdefault(tenant, None)
    return shared


def comparable(tie: Tie) -> str:
    """A value as it is compared; "" if it says nothing of who somebody is."""
    value = tie.value.strip()
    if tie.kind is LinkKind.DOMAIN:
        domain = value.casefold().rstrip(".")
        return "" if domain in PUBLIC_MAIL else domain
    if tie.kind is LinkKind.IDENTIFIER:
        scheme, _, number = value.partition(":")
        digits = "".join(letter for letter in number.upper() if letter.isalnum())
        return f"{scheme.casefold()}:{digits}" if len(digits) >= IDENTIFIER_MIN and len(set(digits)) > 1 else ""
    return value


def identifier(scheme: str, value: str) -> str:
    """The value of a tie by an identifier: both parts of it."""
    return f"{scheme.replace(':', ' ')}:{value}"


def _sentence(kind: LinkKind, value: str, ties: Mapping[str, Tie | None]) -> str:
    stated = [tie for tie in ties.values() if tie is not None]
    bases = ", ".join(sorted({tie.basis for tie in stated}))
    sources = _named(sorted({tie.source for tie in stated}), "sources")
    return f"{_named(sorted(ties), 'tenants')} {WEIGHING[kind].says}, {value} ({bases}, from {sources})."


def _named(names: Sequence[str], plural: str) -> str:
    """Some names, the first few of them where they are many."""
    if len(names) > NAMED_MAX + 1:
        return f"{', '.join(names[:NAMED_MAX])} and {len(names) - NAMED_MAX} other {plural}"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


# -- synchronous launches ----------------------------------------------------------------------------------------------


def _synchronous(known: Sequence[Ties], units: _Components) -> Iterator[Evidence]:
    """Tenants of different units that launch within a minute of each other too often for chance."""
    starts = [sorted(launch.start for launch in one.launches) for one in known]
    step = WEIGHING[LinkKind.LAUNCHES].steps[0]
    for (one, other), times in together(starts):
        pair = (known[one].tenant, known[other].tenant)
        if units.of(pair[0]) != units.of(pair[1]):
            seconds, launches = SYNCHRONOUS_MS // SECOND_MS, f"{len(starts[one])} and {len(starts[other])} launches"
            sentence = (
                f"{pair[0]} and {pair[1]} launched within {seconds} seconds of each other at {times} different minutes "
                f"of the hour, out of {launches}: by chance less than once in {CHANCE:,} pairs."
            )
            yield Evidence(LinkKind.LAUNCHES, f"{times} times", step.weight, step.leads, pair, sentence)
