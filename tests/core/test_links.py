"""Links between tenants: what groups, what is shown, and what says nothing."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.links import STRONG, WEIGHING, Launch, Link, LinkKind, Links, Strength, Tie, Ties, identifier

MINUTE, DAY = 60_000, 86_400_000
TOGETHER = tuple(Launch(day * DAY + day * 7 * MINUTE, (day + 1) * DAY, 64_000) for day in (0, 4, 9, 15, 22, 28, 33, 39))


def tied(tenant: str, *shared: str, attested: bool = False, launches: tuple[Launch, ...] = ()) -> Ties:
    """A tenant with ties written as `kind=value`."""
    ties = tuple(
        Tie(LinkKind(kind), value, "claimed", "/kyc") for kind, _, value in (one.partition("=") for one in shared)
    )
    return Ties(tenant, ties, attested, launches)


def grouped(links: Links) -> list[tuple[str, ...]]:
    return [one.tenants for one in links.groups]


def kinds(link: Link | None) -> list[str]:
    return [] if link is None else [str(one.kind) for one in link.evidence]


@pytest.mark.parametrize("shared", ["owner=p-holding", "payer=card-1", "identifier=lei:529900ABC"])
def test_one_tie_of_one_customer_groups(shared: str) -> None:
    """An owner, a payer or an identifier is enough for a group, and its sentence can be checked."""
    links = Links([tied("b", shared), tied("a", shared), tied("c")])
    (evidence,) = links.evidence

    assert [("a", "b")] == grouped(links)
    assert (("a",), ("b",)) == links.groups[0].units
    assert evidence.sentence.startswith("a and b ")
    assert evidence.sentence.endswith("(claimed, from /kyc).")
    assert () == links.weak


@pytest.mark.parametrize(
    "shared", ["contact domain=x.example", "image=sha256:1", "reservation=r-1", "end customer=acme"]
)
def test_one_weak_tie_is_shown(shared: str) -> None:
    """A domain, an image, a reservation or an end customer in common is shown and groups nobody."""
    links = Links([tied("a", shared), tied("b", shared)])

    assert [] == grouped(links)
    assert [(("a",), ("b",), Strength.WEAK)] == [(one.one, one.other, one.strength) for one in links.weak]


def test_two_weak_ties_group() -> None:
    """Two kinds that have nothing to do with each other make a strong link."""
    links = Links(
        [
            tied("a", "contact domain=x.example", "image=sha256:1"),
            tied("b", "contact domain=X.example.", "image=sha256:1"),
        ]
    )
    link = links.between("a", "b")

    assert [("a", "b")] == grouped(links)
    assert ["contact domain", "image"] == kinds(link)
    assert link is not None
    assert (1000, Strength.STRONG) == (link.weight, link.strength)


def test_two_of_one_kind_count_once() -> None:
    """Two images in common weigh what one weighs."""
    links = Links([tied("a", "image=sha256:1", "image=sha256:2"), tied("b", "image=sha256:1", "image=sha256:2")])

    assert ([], 500) == (grouped(links), links.weak[0].weight)
    assert ["image"] == kinds(links.weak[0])


def test_synchronous_launches_are_weak() -> None:
    """Launches together again and again are shown, with how often; with an image that many have they group."""
    pair = [tied(name, launches=TOGETHER) for name in ("a", "b")]
    crowd = [tied(f"other-{number}", "image=common") for number in range(30)]
    both = [tied(name, "image=common", launches=TOGETHER) for name in ("a", "b")]

    assert [["synchronous launches"]] == [kinds(one) for one in Links(pair).weak]
    assert "at 8 different minutes of the hour, out of 8 and 8 launches" in Links(pair).evidence[0].sentence
    assert [("a", "b")] == grouped(Links([*both, *crowd]))


def test_declared_tenants_are_one_unit() -> None:
    """Accounts of one organisation or party are one customer that says so, whatever else they share."""
    accounts = [tied(f"a{number}", "organisation=o-1", "payer=p", launches=TOGETHER) for number in range(3)]
    links = Links([*accounts, tied("b", "party=q"), tied("c", "party=q", "organisation=o-1")])

    assert [("a0", "a1", "a2", "b", "c")] == grouped(links)
    assert (("a0", "a1", "a2", "b", "c"),) == links.groups[0].units
    assert {LinkKind.ORGANISATION, LinkKind.PARTY} == {one.kind for one in links.groups[0].evidence}
    assert links.unit("b") == links.unit("a0")
    assert links.between("b", "a0") is None
    assert () == links.of("b")


def test_units_are_linked_as_a_whole() -> None:
    """What one account of an organisation shares links all of them, and is told of the accounts that share it."""
    links = Links([tied("a", "party=p"), tied("b", "party=p", "payer=x"), tied("c", "payer=x")])
    (link,) = links.of("a")

    assert (("a", "b"), ("c",)) == (link.one, link.other)
    assert ("b", "c") == link.evidence[0].tenants
    assert [LinkKind.PARTY, LinkKind.PAYER] == [one.kind for one in links.groups[0].evidence]


@pytest.mark.parametrize(("tenants", "weights"), [(8, {500}), (9, set()), (101, set())])
def test_an_image_that_many_run_links_nobody(tenants: int, weights: set[int]) -> None:
    """An image of more than eight customers makes no link."""
    links = Links([tied(f"t{number:03d}", "image=base") for number in range(tenants)])

    assert weights == {one.weight for one in links.weak}
    assert (tenants > 100) == (links.evidence == ())


def test_accounts_of_one_customer_count_once() -> None:
    """An image in sixty departments of one university and at one other customer is rare: two customers have it."""
    departments = [tied(f"d{number}", "organisation=uni", "image=x") for number in range(60)]
    links = Links([*departments, tied("z", "image=x")])

    assert [(60, 1)] == [(len(one.one), len(one.other)) for one in links.weak]


def test_public_mail_links_nobody() -> None:
    """A mailbox where anybody gets one is no tie, nor is the domain of a firm that answers for many."""
    firm = [tied(f"t{number}", "contact domain=law.example") for number in range(13)]

    assert () == Links([tied("a", "contact domain=Gmail.com "), tied("b", "contact domain=gmail.com")]).evidence
    assert () == Links(firm).weak
    assert 66 == len(Links(firm[:12]).weak)


@pytest.mark.parametrize(("one", "other", "same"), [
    (("LEI", "5299 00-abc"), ("lei", "529900ABC"), True),
    (("lei", "529900ABC"), ("duns", "529900ABC"), False),
    (("vat", "n/a"), ("vat", "n/a"), False),
    (("vat", "00000000"), ("vat", "00000000"), False),
    (("a:b", "12345"), ("a b", "12345"), True),
])  # fmt: skip
def test_identifiers_are_exact(one: tuple[str, str], other: tuple[str, str], same: bool) -> None:
    """Identifiers agree in scheme and in letters and digits; what identifies nobody is no tie."""
    links = Links(
        [
            Ties(name, (Tie(LinkKind.IDENTIFIER, identifier(*each), "registry", "/r"),))
            for name, each in (("a", one), ("b", other))
        ]
    )

    assert same == bool(links.groups)


def test_a_blank_value_is_no_tie() -> None:
    """Two tenants that leave a field blank have nothing in common."""
    assert () == Links([tied("a", "payer= ", "owner="), tied("b", "payer= ", "owner=")]).evidence


def test_a_shared_reseller_alone_is_no_link() -> None:
    """Attested customers of one reseller that pays for them are not linked, nor by its image that many run."""
    customers = [tied(f"c{number:02d}", "reseller=r", "payer=r", "image=base", attested=True) for number in range(40)]
    links = Links([*customers, tied("r", "party=r", "payer=r", attested=True)])

    assert ((), (), ()) == (links.groups, links.weak, links.books)
    assert links.between("c00", "c01") is None
    assert (
        () == Links([tied(name, "reseller=r", "payer=r", attested=True) for name in "abc"]).groups
    )  # few enough to count


@pytest.mark.parametrize(("beside", "strength"), [
    ("image=x", Strength.STRONG),
    ("contact domain=reseller.example", Strength.WEAK),
    ("reservation=r-1", Strength.WEAK),
])  # fmt: skip
def test_a_reseller_beside_something_else(beside: str, strength: Strength) -> None:
    """One reseller and one image are a link; what a reseller gives all its customers adds nothing to it."""
    link = Links([tied("a", "reseller=r", beside), tied("b", "reseller=r", beside)]).between("a", "b")

    assert link is not None
    assert (strength, strength is Strength.STRONG) == (link.strength, "reseller" in kinds(link))


def test_a_reseller_beside_synchronous_launches() -> None:
    """One reseller and launches together are a link."""
    pair = [tied(name, "reseller=r", launches=TOGETHER, attested=True) for name in ("a", "b")]

    assert [("a", "b")] == grouped(Links(pair))


def test_the_book_of_a_reseller() -> None:
    """Customers that are not attested are one unresolved party; those that are stand for themselves."""
    customers = [tied(name, "reseller=r", attested=name == "c") for name in "abc"]
    (book,) = Links([*customers, tied("d", "reseller=s")]).books

    assert ("r", ("a", "b"), 1) == (book.reseller, book.tenants, book.attested)
    assert "2 customers that buy through r are not attested" in book.sentence
    assert "1 others are attested" in book.sentence
    assert "others" not in Links(customers[:2]).books[0].sentence


def test_a_payer_for_very_many_is_a_reseller() -> None:
    """Forty customers with one payer are linked; of more the payer is an agent, and who is not attested is its book."""
    many = [tied(f"t{number:02d}", "payer=agent", attested=number < 10) for number in range(41)]
    links = Links([*many, tied("u", "reseller=s", "payer=agent"), tied("v", "reseller=s")])

    assert [40] == [len(one) for one in grouped(Links(many[:40]))]
    assert () == links.groups
    assert [("s", 2), ("agent", 31)] == [(one.reseller, len(one.tenants)) for one in links.books]


def test_an_end_customer_may_be_a_tenant() -> None:
    """Who holds for a tenant, or for its party, is linked to it; who holds for itself to nobody."""
    links = Links(
        [
            tied("r1", "end customer=acme", "end customer=t-2"),
            tied("t-1", "party=acme"),
            tied("t-2", "end customer=t-2"),
        ]
    )

    assert [("r1", "t-1"), ("r1", "t-2")] == sorted((*one.one, *one.other) for one in links.weak)
    assert () == Links([tied("x", "end customer=x")]).evidence


def test_sentences_name_a_few() -> None:
    """A sentence about many tenants names three and says how many more there are."""
    few = Links([tied(name, "owner=o") for name in "abcd"]).evidence[0].sentence
    many = Links([tied(name, "owner=o") for name in "abcdef"]).evidence[0].sentence

    assert few.startswith("a, b, c and d have one ultimate parent, o")
    assert many.startswith("a, b, c and 3 other tenants have")


def test_a_tie_told_twice_is_one() -> None:
    """Of two statements of one tie the same one is told in whatever order they come."""
    one, other = Tie(LinkKind.PAYER, "x", "claimed", "/b"), Tie(LinkKind.PAYER, "x", "documented", "/a")
    first, second = (Links([Ties("a", ties), Ties("b", ties)]) for ties in ((one, other), (other, one)))

    assert first.evidence == second.evidence
    assert [("a", "b")] == grouped(first)


def test_every_kind_can_be_explained() -> None:
    """Each kind has an innocent explanation and says what would settle it; what weighs more is shared by fewer."""
    assert set(LinkKind) == set(WEIGHING)
    for weighing in WEIGHING.values():
        assert weighing.innocent.endswith(".")
        assert weighing.settles.endswith(".")
        assert list(weighing.steps) == sorted(weighing.steps, key=lambda step: -step.weight)


MANY, FEW = ("payer", "owner", "image", "reservation", "contact domain"), ("party", "organisation", "reseller")
tie_texts = st.one_of(
    st.builds("{}={}".format, st.sampled_from(MANY), st.integers(0, 3)),
    st.builds("{}={}".format, st.sampled_from((*FEW, "end customer")), st.integers(0, 2)),
)
clouds = st.lists(st.tuples(st.lists(tie_texts, max_size=4), st.booleans(), st.booleans()), min_size=1, max_size=7).map(
    lambda some: [
        tied(f"t{number}", *ties, attested=attested, launches=TOGETHER if launching else ())
        for number, (ties, attested, launching) in enumerate(some)
    ]
)


@settings(max_examples=40)
@given(clouds, st.randoms(use_true_random=False))
def test_order_does_not_matter(cloud: list[Ties], chance: object) -> None:
    """In whatever order tenants and their ties are given, everything found is the same."""
    shuffled = [one._replace(ties=tuple(reversed(one.ties))) for one in cloud]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = Links(cloud), Links(shuffled)

    assert (one.evidence, one.weak, one.groups, one.books) == (other.evidence, other.weak, other.groups, other.books)


@settings(max_examples=40)
@given(clouds)
def test_groups_and_books_are_parts(cloud: list[Ties]) -> None:
    """No tenant is in two groups or in two books, no unit is cut in two, and nobody attested is in a book."""
    links = Links(cloud)
    for parts in (links.groups, links.books):
        members = [tenant for part in parts for tenant in part.tenants]
        assert len(members) == len(set(members))
    for group in links.groups:
        assert group.tenants == tuple(sorted(tenant for unit in group.units for tenant in unit))
        assert all(unit == links.unit(tenant) for unit in group.units for tenant in unit)
        assert group.evidence
    assert not {one.tenant for one in cloud if one.attested} & {
        tenant for book in links.books for tenant in book.tenants
    }


@settings(max_examples=40)
@given(clouds)
def test_groups_are_the_components_of_strong_links(cloud: list[Ties]) -> None:
    """Two tenants are in one group exactly if a path of strong links or of declarations joins them."""
    links, names = Links(cloud), [one.tenant for one in cloud]
    reached = {name: {name} for name in names}
    for _ in names:
        for one, other in combinations(names, 2):
            link = links.between(one, other)
            if links.unit(one) == links.unit(other) or (link is not None and link.weight >= STRONG):
                reached[one] = reached[other] = reached[one] | reached[other]
    expected = {tuple(sorted(some)) for some in reached.values() if len(some) > 1}

    assert expected == set(grouped(links))


@settings(max_examples=40)
@given(clouds)
def test_links_of_a_tenant_are_those_between_two(cloud: list[Ties]) -> None:
    """What is told of one tenant is what is told of each pair, and a weak link is among it on both sides."""
    links = Links(cloud)
    for one, other in combinations([one.tenant for one in cloud], 2):
        link = links.between(one, other)
        mirrored = links.between(other, one)
        assert (link is None) == (links.unit(other) not in {each.other for each in links.of(one)})
        assert (link is None) == (mirrored is None)
        if link is not None and mirrored is not None:
            assert (link.one, link.other, link.evidence) == (mirrored.other, mirrored.one, mirrored.evidence)
    assert all(one == links.between(one.one[0], one.other[0]) for one in links.weak)
