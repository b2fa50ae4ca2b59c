"""Who owns and controls whom: graphs with known answers, and the cascade against what its definition gives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain, combinations, product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.model import DAY_MS
from monitor.core.ownership import (
    ALWAYS,
    BEGINNING,
    END,
    HALF_PPM,
    INTEREST_UNITS,
    WHOLE_PPM,
    Cascade,
    Edge,
    Parent,
    Period,
    Stake,
    Verdict,
    cascade,
    components,
    edge_sentences,
    edges_at,
    interest,
    interest_sentences,
    parent,
)

NOW = 10 * DAY_MS
Graph = Mapping[str, Sequence[Edge]]

# Owners are written `owner>owned:share`, with what other sources say after a slash. A share is per cent or `?`; c: it
# controls, n: it does not; `@from..to`: in days, of which now is day 10. Listed is whose name begins with L.
# The parent of X: who is at the top, several with commas, a circle with plus signs; `?`: it is unknown who is above;
# `!`: it is disputed.
GRAPHS = """
owners                                               parent  verdict      why
-                                                    X       not          nobody is named
L>X:50                                               X       caught       half is enough, and no majority
L>X:49.9999                                          X       not          just less than half
L>X:50.0001                                          L       caught       just more than half
L>X:49;A>X:51                                        A       not          49 and 51
L>X:51;A>X:49                                        L       caught       51 and 49
L1>X:25;L2>X:25                                      X       caught       25 and 25 by two listed owners
L1>X:25;L2>X:24.9999                                 X       not          not quite
L1>X:5;L2>X:5;L3>X:5;L4>X:5;L5>X:5;L6>X:25           X       caught       many small ones
L>A:50;A>X:50                                        X       caught       50 of 50
L>A:100;A>X:50                                       X       caught       50 of 100
L>A:49;A>X:100                                       A       not          100 of 49
L>A:100;A>X:49                                       X       not          49 of 100
L>A:51;A>B:51;B>X:51                                 L       caught       51 of 51 of 51
L>A:50;A>B:50;B>C:50;C>D:50;D>X:50                   X       caught       five times 50
L>A:50;L>B:50;A>X:25;B>X:25                          X       caught       a diamond
L>A:50;L>B:49;A>X:25;B>X:25                          X       not          a diamond with one side
L>A:50;L>X:25;A>X:25                                 X       caught       direct and indirect
L>A:49;L>X:30;A>X:45                                 X       not          the sum of products is 52
L1>L2:50;L2>X:25                                     X       not          caught and listed counts once
L1>A:25;L2>A:25;A>X:25;L1>X:25                       X       caught       together in A, together in X
L>X:?                                                X?      undecided    an unknown share
L>X:?;A>X:51                                         A       not          at most 49
L>X:?;A>X:50                                         X       undecided    at most 50, no majority
L>X:?;A>X:49                                         X?      undecided    at most 51
L>X:40;A>X:?                                         X?      not          the unknown one is not listed
L1>X:30;L2>X:?;A>X:40                                X       undecided    30 and at most 30
L1>X:30;L2>X:?;A>X:60                                A       not          30 and at most 10
L1>X:?;L2>X:?;A>X:60                                 A       not          together at most 40
L1>X:?;A>X:?                                         X?      undecided    two unknown
L>X:50;A>X:?                                         X       caught       what is unknown does not matter
L>A:?;A>X:50                                         X       undecided    undecided is handed on
L1>X:30;L2>A:?;A>X:20                                X       undecided    and adds to what is known
A>X:60;B>A:?                                         A?      not          unknown further up
L>A:?;A>B:60;B>X:60                                  A?      undecided    unknown at the top of a chain
L>X:?c                                               L       undecided    control without a share
L>X:0c;A>X:100                                       L       not          control without shares
L>X:10c;A>X:90                                       L       not          control goes before majority
A>X:60n                                              A       not          a majority said not to, and nobody else
A>X:60n;L>X:40c                                      L       not          and somebody else
A>X:50c;L>X:50c                                      A,L     caught       joint control
A>X:60;B>A:30;C>A:30                                 A       not          no majority above A
L>X:40/60                                            L!      undecided    sources differ over half
L>X:51/60                                            L       caught       they differ, and half it is
L>X:20/30                                            X       not          they differ, and less it is
L1>X:20/30;L2>X:20/30                                X       undecided    two of them
L1>X:?;L2>X:20/60;A>X:70                             A,L2!   undecided    they differ, nothing is left for L1
L>X:60/?                                             L       caught       one does not know
A>X:10c/10n                                          A!      not          sources differ over control
A>X:10c/10n;L>X:80                                   A,L!    caught       if A does not control, L does
A>X:10c/10n;B>X:10c                                  A,B!    not          B does, and A perhaps
L>X:80c/80n                                          L       caught       control or not, it is L
A>X:?c/?n                                            A!      not          control disputed, share unknown
L>X:80@-400..-1                                      X       not          ended last year
L>X:80@..10                                          X       not          ends today
L>X:80@10..                                          L       caught       begins today
L>X:80@11..                                          X       not          begins tomorrow
X>X:60;L>X:40                                        X       not          owns most of itself
X>X:50;L>X:50                                        X       caught       owns half of itself
X>X:60;L>X:?                                         X       not          at most 40
X>X:10c;L>X:60                                       L       caught       controls itself
A>X:60;X>A:60                                        A+X     not          they own each other
A>X:60;B>A:60;X>B:60                                 A+B+X   not          a circle of three
A>X:60;B>A:60;A>B:60                                 A+B     not          owners that own each other
L>X:60;A>L:60;L>A:60                                 A+L     caught       and one of them is listed
A>X:60;X>A:50;L>A:50                                 A       caught       a circle that is caught
A>X:60;X>A:60;L>A:10c                                L       not          a circle that somebody controls
A>X:60;X>A:60;B>X:60;X>B:60                          A+B+X   not          two circles that meet
A>X:60c;B>X:30c;C>A:60;A>C:60                        A+C,B   not          a circle and a party
A>B:50;B>A:50;A>X:50;B>X:50;L>A:50                   X       caught       halves of each other
L1>X:60;L2>X:60                                      L1,L2   caught       over 100 per cent
A>X:80;B>X:80;L>X:?                                  A,B     not          over 100 per cent, nothing is left
"""
ROWS = [re.split(r"\s{2,}", line) for line in GRAPHS.strip().split("\n")[1:]]


def stake(owner: str, owned: str, text: str, source: str = "register") -> Stake:
    """A stake as one source states it in the notation above."""
    said, _, days = text.partition("@")
    start, _, end = days.partition("..")
    share = said.rstrip("cn")
    return Stake(
        owner,
        owned,
        None if share == "?" else int(Fraction(share) * 10_000),
        True if said.endswith("c") else False if said.endswith("n") else None,
        "registry",
        source,
        0,
        Period(int(start) * DAY_MS if start else BEGINNING, int(end) * DAY_MS if end else END),
        0,
        source,
    )


def stakes(text: str) -> dict[str, list[Stake]]:
    """The stakes of a line in the notation above, by whose they are."""
    found: dict[str, list[Stake]] = {}
    for part in text.split(";") if text != "-" else []:
        names, _, said = part.partition(":")
        owner, _, owned = names.partition(">")
        sources = said.split("/")
        found.setdefault(owned, []).extend(stake(owner, owned, one, f"s{n}") for n, one in enumerate(sources))
    return found


def graph(text: str) -> dict[str, Sequence[Edge]]:
    """The graph of a line in the notation above, now."""
    return {owned: edges_at(of_one, NOW) for owned, of_one in stakes(text).items()}


def listed(drawn: Graph) -> frozenset[str]:
    return frozenset(edge.owner for edges in drawn.values() for edge in edges if edge.owner.startswith("L"))


def parent_in(drawn: Graph, name: str = "X") -> Parent:
    return parent(name, lambda one: drawn.get(one, ()))


@pytest.mark.parametrize("row", ROWS, ids=[row[3] for row in ROWS])
def test_the_ultimate_parent_of_known_graphs(row: list[str]) -> None:
    """Control is followed to the top; what is unknown or disputed on the way is told."""
    owners, top = row[:2]
    found = parent_in(graph(owners))

    assert top == "".join(
        [",".join("+".join(part) for part in found.tops), "?" if found.unknown else "", "!" if found.disputed else ""]
    )


@pytest.mark.parametrize("row", ROWS, ids=[row[3] for row in ROWS])
def test_the_50_per_cent_test_on_known_graphs(row: list[str]) -> None:
    """Half by listed or caught owners together is caught; shares are added, never multiplied."""
    drawn = graph(row[0])

    assert row[2] == cascade(drawn, listed(drawn)).verdict("X").removesuffix(" caught")


def test_there_are_enough_known_graphs() -> None:
    """The table has what it must, and no two lines the same."""
    assert len({row[0] for row in ROWS}) == len(ROWS) >= 40
    assert {"caught", "undecided", "not"} == {row[2] for row in ROWS}


# -- evidence --------------------------------------------------------------------------------------------------------


def steps(edges: Sequence[Edge]) -> list[str]:
    return [f"{edge.owner}>{edge.owned}" for edge in edges]


def test_the_parent_comes_with_its_steps() -> None:
    """Every step upwards is named, with what sources say of it, and no other owner."""
    found = parent_in(graph("A>X:60;C>X:40;B>A:?c;A>D:100"))

    assert ["A>X", "B>A"] == steps(found.steps)
    assert ("X", "A", "B") == found.walked
    assert (
        "A holds 60 per cent of X (registry, from s0); "
        "B holds an unknown share of A and controls it (registry, from s0)" == edge_sentences(found.steps)
    )


def test_a_sentence_tells_shares_and_control_as_they_are_stated() -> None:
    """Shares are exact; control may be denied, or described."""
    how = stake("A", "X", "33.3333")._replace(control="board majority")

    assert "A holds 33.3333 per cent of X and controls it (board majority) (registry, from register)" == edge_sentences(
        edges_at([how], NOW)
    )
    assert "A holds 7.5 per cent of X and does not control it (registry, from s0)" == edge_sentences(
        graph("A>X:7.5n")["X"]
    )


def test_a_caught_party_comes_with_who_owns_how_much_of_what() -> None:
    """The evidence leads from the party to the listed owners, each step once, without owners that are not caught."""
    drawn = graph("L>A:50;A>B:30;L>B:20;B>X:40;A>X:10;C>X:50;D>A:50")
    found = cascade(drawn, {"L"})

    assert ["A>X", "B>X", "L>A", "L>B", "A>B"] == steps(found.evidence("X"))
    assert () == found.evidence("C")


def test_an_undecided_party_comes_with_the_shares_that_matter() -> None:
    """The evidence of what may be caught has the unknown shares in it."""
    found = cascade(graph("L>A:?;A>X:50"), {"L"})

    assert ["A>X", "L>A"] == steps(found.evidence("X"))


def test_the_evidence_of_a_circle_is_grounded() -> None:
    """A party is caught by those that were caught before it, so no circle holds itself up."""
    found = cascade(graph("L>A:50;A>X:60;X>A:50"), {"L"})

    assert ["A>X", "L>A"] == steps(found.evidence("X"))


def test_the_instrument_catches_only_while_it_is_in_force() -> None:
    """It begins with its first instant and is over at its last."""
    drawn, in_force = graph("L>X:50"), Period(NOW, NOW + 5)

    assert ["not caught", "caught", "caught", "not caught"] == [
        cascade(drawn, {"L"}, in_force, at).verdict("X") for at in (NOW - 1, NOW, NOW + 4, NOW + 5)
    ]
    assert "caught" == cascade(drawn, {"L"}, ALWAYS, NOW).verdict("X")


def test_a_listed_party_is_caught_only_by_its_owners() -> None:
    """That a party is listed is not the answer of this test."""
    found = cascade(graph("L1>L2:50;L2>L3:10;L3>L3:60"), {"L1", "L2", "L3"})

    assert {"L2"} == set(found.caught)


def test_the_latest_statement_of_each_source_counts() -> None:
    """Of one source the latest statement in force counts; what it says twice at once is a dispute with itself."""
    old, new = stake("A", "X", "30"), stake("A", "X", "70")._replace(said=5)
    twice = stake("A", "X", "40")._replace(said=5)

    assert {(70 * 10_000, 70 * 10_000, False)} == {
        (edge.least_ppm, edge.most_ppm, edge.disputed)
        for order in ([old, new], [new, old])
        for edge in edges_at(order, NOW)
    }
    assert [(40 * 10_000, 70 * 10_000, True)] == [
        (edge.least_ppm, edge.most_ppm, edge.disputed) for edge in edges_at([new, twice, old], NOW)
    ]


# -- the cascade against its definition --------------------------------------------------------------------------------

NAMES = ("A", "B", "C", "L", "X")
Shares = dict[tuple[str, str], Fraction]  # (owner, owned) -> share


def least_closed(shares: Shares, blocked: frozenset[str]) -> set[str]:
    """Straight from the definition: whoever is in every set that has all it catches."""
    owned = sorted({one for _, one in shares})
    closed = [
        set(some)
        for some in chain.from_iterable(combinations(owned, size) for size in range(len(owned) + 1))
        if all(
            one in some
            or sum((shares.get((other, one), Fraction(0)) for other in {*some, *blocked} - {one}), Fraction(0))
            < Fraction(1, 2)
            for one in owned
        )
    ]
    return set.intersection(*closed)


def known(drawn: Graph) -> Shares:
    return {(edge.owner, edge.owned): Fraction(edge.least_ppm, WHOLE_PPM) for edges in drawn.values() for edge in edges}


def random_graph(chance: Random) -> str:
    """A graph in the notation above, whose shares are known and, of each party, at most the whole."""
    lines = []
    for owned in ("A", "B", "C", "X"):
        left = 100
        for owner in chance.sample([name for name in NAMES if name != owned], chance.randint(1, 3)):
            share = chance.randint(0, left)
            left -= share
            lines.append(f"{owner}>{owned}:{share}")
    return ";".join(lines)


graphs = st.integers(0, 2**32).map(lambda seed: random_graph(Random(seed)))


@given(graphs)
def test_the_cascade_is_what_its_definition_gives(text: str) -> None:
    """Known shares: who is caught is the least set that has all it catches; nobody is undecided."""
    drawn = graph(text)
    found = cascade(drawn, {"L"})

    assert least_closed(known(drawn), frozenset({"L"})) == set(found.caught) == set(found.possible)


def by_products(shares: Shares, blocked: frozenset[str]) -> set[str]:
    """The wrong test: shares multiplied along each way that repeats nobody, and added up."""

    def held(owned: str, way: tuple[str, ...]) -> Fraction:
        return sum(
            (
                share * (1 if owner in blocked else held(owner, (*way, owner)))
                for (owner, one), share in shares.items()
                if one == owned and owner not in way
            ),
            Fraction(0),
        )

    return {owned for owned in {one for _, one in shares} if held(owned, (owned,)) >= Fraction(1, 2)}


def test_products_of_shares_would_be_found_out() -> None:
    """On about one in six of the graphs of the test above products of shares give another answer."""
    wrong = 0
    for seed in range(1_200):
        shares = known(graph(random_graph(Random(seed))))
        wrong += least_closed(shares, frozenset({"L"})) != by_products(shares, frozenset({"L"}))

    assert Fraction(1, 7) < Fraction(wrong, 1_200) < Fraction(1, 5)


STATEMENTS = st.sampled_from(["?", "0", "20", "30", "50", "60", "?c", "20/30", "40/60", "?/50", "30/?"])
EDGES = st.dictionaries(
    st.tuples(st.sampled_from(("L", "A", "B")), st.sampled_from(("A", "B", "X"))), STATEMENTS, max_size=5
)


def possible_shares(edges: Sequence[Edge]) -> Iterator[Shares]:
    """Extreme shares of the owners of one party that nothing said of them excludes."""
    unknown = [edge for edge in edges if edge.most_ppm is None]
    told = [edge for edge in edges if edge.most_ppm is not None]
    for shares in product(*({edge.least_ppm, edge.most_ppm or 0} for edge in told)):
        left = max(0, WHOLE_PPM - sum(shares))
        for holder in [None, *unknown]:
            taken = [*zip(told, shares, strict=True), *((edge, left if edge is holder else 0) for edge in unknown)]
            yield {(edge.owner, edge.owned): Fraction(share, WHOLE_PPM) for edge, share in taken}


@given(EDGES)
def test_undecided_is_whoever_some_possible_shares_would_catch(edges: dict[tuple[str, str], str]) -> None:
    """Tried one by one: whom the least shares catch is caught, whom any possible ones catch is at least undecided."""
    drawn = graph(";".join(f"{owner}>{owned}:{said}" for (owner, owned), said in edges.items()) or "-")
    found = cascade(drawn, {"L"})
    ever: set[str] = set()
    for worlds in product(*(list(possible_shares(of_one)) for of_one in drawn.values())):
        shares = {pair: share for world in worlds for pair, share in world.items()}
        ever |= least_closed(shares, frozenset({"L"}))

    assert least_closed(known(drawn), frozenset({"L"})) == set(found.caught)
    assert ever == set(found.possible)


@given(EDGES)
def test_what_is_caught_is_possible(edges: dict[tuple[str, str], str]) -> None:
    """Nobody is caught who could not be, and the evidence of whom it names reaches half."""
    drawn = graph(";".join(f"{owner}>{owned}:{said}" for (owner, owned), said in edges.items()) or "-")
    found = cascade(drawn, {"L"})

    assert set(found.caught) <= set(found.possible)
    assert all(sum(edge.least_ppm for edge in by) >= HALF_PPM for by in found.caught.values())


# -- parents in any graph ----------------------------------------------------------------------------------------------


def reachable(above: Mapping[str, Sequence[str]], name: str) -> set[str]:
    found, waiting = {name}, [name]
    while waiting:
        for other in above[waiting.pop()]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


@given(st.lists(st.lists(st.integers(0, 6), max_size=3), min_size=7, max_size=7))
def test_components_are_those_that_reach_each_other(ways: list[list[int]]) -> None:
    """Two are in one part exactly if each leads to the other; a part comes after all that it leads to."""
    above = {str(name): [str(other) for other in others] for name, others in enumerate(ways)}
    reach = {name: reachable(above, name) for name in above}
    found = components(above)

    assert {
        tuple(sorted(other for other in above if other in reach[name] and name in reach[other])) for name in above
    } == (set(found))
    assert sorted(above) == sorted(name for part in found for name in part)
    place = {name: number for number, part in enumerate(found) for name in part}
    assert all(place[other] <= place[name] for name in above for other in reach[name])


@given(EDGES)
def test_every_party_has_a_parent(edges: dict[tuple[str, str], str]) -> None:
    """Whatever the graph, there is a top, it was walked to, and nobody outside it controls it."""
    drawn = graph(";".join(f"{owner}>{owned}:{said}" for (owner, owned), said in edges.items()) or "-")
    found = parent_in(drawn)

    assert found.tops
    for part in found.tops:
        assert set(part) <= set(found.walked)
        assert all(step.owner in part for step in found.steps if step.owned in part)


# -- economic interest -------------------------------------------------------------------------------------------------

INTERESTS = """
owners                            interest
-                                 -
A>X:60                            A=60
A>X:60;B>A:50                     A=60,B=30
A>X:50;B>X:50;C>A:50;C>B:50       A=50,B=50,C=50
A>X:50;B>X:20;B>A:40              A=50,B=40
A>X:?;B>A:50                      -
A>X:40/60                         A=40
A>X:0;B>A:100                     -
X>X:50;A>X:50                     A=100
A>X:50;B>A:50;A>B:50              A=66.6667,B=33.3333
"""


@pytest.mark.parametrize("line", INTERESTS.strip().split("\n")[1:])
def test_economic_interest_is_a_sum_of_products(line: str) -> None:
    """Shares are multiplied along each way and added up, circles included; to a ten-thousandth of a per cent."""
    owners, expected = line.split()
    drawn = graph(owners)
    found = interest("X", lambda one: drawn.get(one, ()))

    assert expected == (
        ",".join(f"{owner}={round(units * 100 / INTEREST_UNITS, 4):g}" for owner, units in found.units.items()) or "-"
    )


def test_economic_interest_tells_what_it_cannot_know() -> None:
    """Unknown shares count as none and are named; so are circles, even of parties that hold all of each other."""
    drawn = graph("A>X:?;B>X:100;C>B:100;B>C:100;X>X:0")
    found = interest("X", lambda one: drawn.get(one, ()))

    assert ["A>X"] == steps(found.unknown)
    assert (("B", "C"), ("X",)) == found.circular
    assert {"B", "C"} == set(found.units)
    assert "A holds an unknown share of X (registry, from s0)" in interest_sentences("X", found)[-3]
    assert ["Parties that own each other: B, C", "Parties that own each other: X"] == interest_sentences("X", found)[
        -2:
    ]


def test_economic_interest_reads_with_the_greatest_first() -> None:
    """In per cent, rounded down to a ten-thousandth of it."""
    drawn = graph("A>X:33.3333;B>X:50;C>A:33.3333")

    assert [
        f"{part} per cent in X"
        for part in (
            "B has an economic interest of at least 50",
            "A has an economic interest of at least 33.3333",
            "C has an economic interest of at least 11.111",
        )
    ] == interest_sentences("X", interest("X", lambda one: drawn.get(one, ())))


# -- size --------------------------------------------------------------------------------------------------------------


def counting(drawn: Graph, asked: list[str]) -> Parent:
    """The parent of the first of a chain, counting whose owners are asked for."""

    def owners(name: str) -> Sequence[Edge]:
        asked.append(name)
        return drawn.get(name, ())

    return parent("0", owners)


def test_ten_thousand_parties_are_each_looked_at_once() -> None:
    """A chain that ends in a circle neither goes too deep nor is walked twice; all of it is caught, in one pass."""
    last = 10_000
    lines = [f"{number + 1}>{number}:60" for number in range(last)]
    drawn = graph(";".join([*lines, f"{last - 1}>{last}:60", f"L>{last}:50"]))
    asked: list[str] = []
    found = counting(drawn, asked)

    assert last + 1 == len(asked) == len(set(asked))
    assert ((str(last), str(last - 1)),) == tuple(tuple(sorted(part)) for part in found.tops)
    assert last + 1 == len(cascade(drawn, {"L"}).caught)
    assert last + 1 == len(cascade(drawn, {"L"}).evidence("0"))
    assert "60 per cent" in edge_sentences(found.steps[:1])
    assert WHOLE_PPM * 600_000 == interest("0", lambda one: drawn.get(one, ())).units["1"]


def test_verdicts_read_as_words() -> None:
    """There are three, and nobody is called clear."""
    assert ["caught", "undecided", "not caught"] == list(Verdict)
    assert Verdict.NOT_CAUGHT is Cascade({}, {}).verdict("X")
