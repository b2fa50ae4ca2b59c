"""How well and how fast names are screened, beside a plain token-set ratio and Jaro-Winkler.

    python -m bench.screening [--pairs 4000] [--seed 1] [--tenants 10000] [--only judge,speed] [--half test]

`judge` takes labelled pairs of invented names (`bench/invented.py`), for the half that nothing was tuned on unless
told otherwise. `speed` builds lists of 50,000 parties with 200,000 names and screens tenants against them. With
--list, the parties of that file are among the listed ones.
"""

from __future__ import annotations

import argparse
import platform
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from random import Random
from typing import NamedTuple

from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler
from rapidfuzz.utils import default_process

from bench import invented
from bench.invented import TEST, TUNING, Name, Pair
from monitor.core.lists import Band, Hit, ListedName, ListedParty, ListVersion, NameKind, Query
from monitor.reference.lists.effects import load_effects
from monitor.reference.lists.files import read_list
from monitor.reference.root import config_root
from monitor.screening.index import Index, Shared
from monitor.screening.known import Known
from monitor.screening.names import Form, forms
from monitor.screening.score import THRESHOLD, Writing, name_share, script_share
from monitor.screening.screen import Screen, named
from monitor.settings import Settings

VERSION = ListVersion("invented", "0" * 64, None, 0)
RECALLS = (0.90, 0.95, 0.99)
RESAMPLES = 400
FILLER = 5_000  # other parties on the list, which make words common
PARTIES, NAMES_EACH, CHANGED = 50_000, 4, 100
PART = 500  # tenants: on a machine that others use the fastest part says what it takes alone
TENANTS_A_SECOND_BAR, RESIDENT_MB_BAR = 2_000, 1_000


class Judged(NamedTuple):
    """A pair and what was said of it."""

    pair: Pair
    score: float


def main() -> None:
    """Run what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tenants", type=int, default=10_000)
    parser.add_argument("--only", default="judge,speed")
    parser.add_argument("--half", choices=("tuning", "test"), default="test")
    parser.add_argument("--list", type=Path)
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, rapidfuzz {metadata.version('rapidfuzz')}, {platform.machine()}")
    public = read(options.list) if options.list else []
    if "judge" in options.only:
        judge(TEST if options.half == "test" else TUNING, options.pairs, options.seed, public)
    if "speed" in options.only:
        speed(options.tenants, options.seed, public)


def read(path: Path) -> list[ListedParty]:
    """The parties of a public list."""
    settings = Settings()
    sources = load_effects(config_root(), settings.affiliates_rule_returns)
    return list(read_list(path.stem, path.read_bytes(), None, None, sources).parties)


# -- how well ---------------------------------------------------------------------------------------------------------


def judge(half: int, count: int, seed: int, public: Sequence[ListedParty]) -> None:
    """Print average precision, precision at recalls, and false matches, of ours and of plain measures."""
    labelled = list(invented.pairs(half, count, seed))
    screen = Screen([(VERSION, [*listed(labelled), *filler(half, seed), *public])])
    compared = Compared(labelled, screen)
    scorers: dict[str, Callable[[int, Pair], float]] = {
        "ours": compared.score,
        "ours, as hits": lambda at, pair: scored(screen, at, pair, False),
        "ours, as hits, countries known": lambda at, pair: scored(screen, at, pair, True),
        "token-set ratio": lambda _, pair: fuzz.token_set_ratio(
            pair.listed.written(), pair.asked, processor=default_process
        ),
        "Jaro-Winkler": lambda _, pair: JaroWinkler.similarity(
            pair.listed.written(), pair.asked, processor=default_process
        ),
        "token-set ratio of our forms": lambda _, pair: of_forms(pair, lambda a, b: fuzz.token_set_ratio(a, b)),
        "Jaro-Winkler of our forms": lambda _, pair: of_forms(pair, lambda a, b: JaroWinkler.similarity(a, b)),
    }
    results = {
        name: [Judged(pair, score(at, pair)) for at, pair in enumerate(labelled)] for name, score in scorers.items()
    }
    same = sum(pair.same for pair in labelled)
    print(f"\n{('Tuning', 'Test')[half]} half, seed {seed}: {count} pairs, {same} the same; {RESAMPLES} resamples\n")
    print("| | average precision | " + " | ".join(f"precision at recall {recall:.2f}" for recall in RECALLS) + " |")
    print("|---" * (2 + len(RECALLS)) + "|")
    for name, judged in results.items():
        print(f"| {name} | " + " | ".join(with_interval(judged, measure, seed) for measure in MEASURES) + " |")
    by_change(results["ours, as hits"])
    false_matches(results["ours, as hits, countries known"])


def listed(labelled: Iterable[Pair]) -> list[ListedParty]:
    """The first name of each pair as a list has it."""
    return [party(f"p{at}", pair.listed.country, (pair.listed.written(),)) for at, pair in enumerate(labelled)]


def party(key: str, country: str, names: Iterable[str], **more: tuple[str, ...]) -> ListedParty:
    """An invented listed party."""
    kinds = tuple(ListedName(name, NameKind.ALIAS if at else NameKind.PRIMARY) for at, name in enumerate(names))
    identifiers = tuple(("registration", value) for value in more.get("identifiers", ()))
    return ListedParty(
        "invented", key, kinds, "entity", frozenset({country}), more.get("addresses", ()), identifiers, ()
    )


def filler(half: int, seed: int) -> list[ListedParty]:
    """Other parties on the list."""
    random = Random(f"filler {half} {seed}")
    names = [invented.invented(random, half) for _ in range(FILLER)]
    return [party(f"f{at}", name.country, (name.written(),)) for at, name in enumerate(names)]


class Compared:
    """The share of two names as it is before the threshold and everything that is left out below it."""

    def __init__(self, labelled: Sequence[Pair], screen: Screen) -> None:
        self._index = Index([*(named([pair.listed.written()]) for pair in labelled), *others(screen)])
        self._places: dict[int, list[int]] = defaultdict(list)
        for place, (owner, *_) in enumerate(self._index.origins):
            self._places[owner].append(place)

    def score(self, at: int, pair: Pair) -> float:
        """The likeness of the best two forms; below zero the more each lacks, so that all pairs have an order."""
        return max(
            (
                likeness(self._index.shared(asked, place), Writing(form.script, form.written), Writing(*origin[2:]))
                for _, form in named([pair.asked])
                for asked in (self._index.asked(form),)
                for place in self._places[at]
                for origin in (self._index.origins[place],)
            ),
            default=-2.0,
        )


def others(screen: Screen) -> Iterable[list[tuple[int, Form]]]:
    """The names of all listed parties that are of no pair."""
    return (named([name.text for name in e.party.names]) for e in screen.entries if not e.party.id.startswith("p"))


def likeness(shared: Shared, asked: Writing, listed: Writing) -> float:
    """The share of two names; where it is nothing, what both lack."""
    return name_share(shared) * script_share(asked, listed) or shared.asked + shared.listed - 2


def scored(screen: Screen, at: int, pair: Pair, countries: bool) -> float:
    """What we say of a pair: the score of its listed party among the hits, however unlikely, or 0."""
    known = frozenset({pair.asked_country} - {""}) if countries else frozenset()
    query = Query((pair.asked,), known, (), ())
    return max((hit.score for hit in screen.hits(query, Band.UNLIKELY) if hit.listed.id == f"p{at}"), default=0)


def of_forms(pair: Pair, measure: Callable[[str, str], float]) -> float:
    """A plain measure on names without legal forms, in Latin letters too: the best of all pairs of forms."""
    return max(
        (
            measure(" ".join(one.tokens), " ".join(other.tokens))
            for one in forms(pair.listed.written())
            for other in forms(pair.asked)
        ),
        default=0,
    )


def average_precision(judged: Sequence[Judged]) -> float:
    """The mean precision over all recalls; pairs of one score are taken together."""
    return sum(precision * step for _, step, precision in curve(judged))


def precision_at(recall: float) -> Callable[[Sequence[Judged]], float]:
    """The best precision at this recall or a higher one."""
    return lambda judged: max(precision for reached, _, precision in curve(judged) if reached >= recall - 1e-9)


def curve(judged: Sequence[Judged]) -> list[tuple[float, float, float]]:
    """Recall, its step and precision at each score, from the highest down."""
    at: dict[float, list[int]] = defaultdict(lambda: [0, 0])
    for pair, score in judged:
        at[score][pair.same] += 1
    total = sum(same for _, same in at.values())
    points, taken, found = [], 0, 0
    for score in sorted(at, reverse=True):
        other, same = at[score]
        taken, found = taken + other + same, found + same
        points.append((found / total, same / total, found / taken))
    return points


MEASURES = (average_precision, *(precision_at(recall) for recall in RECALLS))


def with_interval(judged: Sequence[Judged], measure: Callable[[Sequence[Judged]], float], seed: int) -> str:
    """A measure and its bootstrap interval over pairs."""
    random = Random(seed)
    found = sorted(measure(random.choices(judged, k=len(judged))) for _ in range(RESAMPLES))
    low, high = found[RESAMPLES // 40], found[-1 - RESAMPLES // 40]
    return f"{measure(judged):.3f} ({low:.3f} to {high:.3f})"


def by_change(judged: Sequence[Judged]) -> None:
    """Print how many of each kind of pair reach the threshold and the top band, by name alone."""
    print("\n| by name alone | pairs | at least possible | likely |\n|---|---|---|---|")
    for same in (True, False):
        for how in sorted({pair.how for pair, _ in judged if pair.same is same}):
            print(
                f"| {'same' if same else 'other'}: {how} | "
                + shares([j for j in judged if (j.pair.same, j.pair.how) == (same, how)])
            )


def false_matches(judged: Sequence[Judged]) -> None:
    """Print how many pairs of two companies reach the threshold, by script and by country."""
    others = [row for row in judged if not row.pair.same]
    for title, key in (
        ("script", lambda row: row.pair.listed.script),
        ("country", lambda row: row.pair.listed.country),
    ):
        print(f"\n| two companies, by {title} | pairs | at least possible | likely |\n|---|---|---|---|")
        for value in sorted({key(row) for row in others}):
            print(f"| {value} | " + shares([row for row in others if key(row) == value]))


def shares(judged: Sequence[Judged]) -> str:
    """Two cells: the share at the threshold, and in the top band."""
    likely = (THRESHOLD + 1000) // 2
    reached = [sum(row.score >= least for row in judged) / len(judged) for least in (THRESHOLD, likely)]
    return f"{len(judged)} | " + " | ".join(f"{share:.1%}" for share in reached) + " |"


# -- how fast ---------------------------------------------------------------------------------------------------------


def speed(tenants: int, seed: int, public: Sequence[ListedParty]) -> None:
    """Print what loading, screening and screening again after a change cost."""
    random = Random(seed)
    parties = [many_named(random, f"p{at}") for at in range(PARTIES)]
    queries = [(f"t{at:05}", tenant(random, parties)) for at in range(tenants)]
    before_mb = resident_mb()
    start = time.process_time()
    screen = Screen([(VERSION, [*parties, *public])])
    loaded, spent = time.process_time() - start, 0.0
    names = sum(len(entry.party.names) for entry in screen.entries)
    print(
        f"\n{len(screen.entries)} parties, {names} names: {loaded:.1f} s of CPU to load; "
        f"{resident_mb()} MB resident (bar {RESIDENT_MB_BAR}), {before_mb} of them before"
    )
    fastest = 0.0
    hits = {}
    for at in range(0, tenants, PART):
        start = time.process_time()
        hits |= {key: screen.hits(query) for key, query in queries[at : at + PART]}
        fastest = max(fastest, len(queries[at : at + PART]) / (time.process_time() - start))
        spent += time.process_time() - start
    found = sum(map(bool, hits.values()))
    print(
        f"{tenants} tenants: {spent:.2f} s of CPU, {tenants / spent:.0f} a second "
        f"(bar {TENANTS_A_SECOND_BAR}), {fastest:.0f} in the fastest {PART}; {found} with hits"
    )
    again(random, parties, queries, hits, public)


def again(
    random: Random,
    parties: list[ListedParty],
    queries: list[tuple[str, Query]],
    hits: dict[str, tuple[Hit, ...]],
    public: Sequence[ListedParty],
) -> None:
    """Change a list, screen those whom it touches, and compare with screening everybody again."""
    start = time.process_time()
    known = Known(queries)
    indexed = time.process_time() - start
    where = random.sample(range(len(parties)), CHANGED)
    changed, now = [], list(parties)
    for at in where:
        now[at] = many_named(random, parties[at].id)
        changed += [parties[at], now[at]]
    start = time.process_time()
    ids = known.touched(changed)
    asked = time.process_time() - start
    fresh = Screen([(VERSION, [*now, *public])])
    start = time.process_time()
    wanted = dict(queries)
    screened = {key: fresh.hits(wanted[key]) for key in ids}
    spent = time.process_time() - start
    names = {(party.source, party.id) for party in changed}
    all_hits = {key: fresh.hits(query) for key, query in queries}
    differ = {key for key, query in queries if of_changed(all_hits[key], names) != of_changed(hits[key], names)}
    moved = {key for key, _ in queries if bands(all_hits[key]) != bands(hits[key])} - differ
    print(
        f"{CHANGED} entries changed: {indexed:.1f} s to index {len(queries)} tenants, "
        f"{asked:.2f} s to find {len(ids)} to screen again, {spent:.2f} s to screen these {len(screened)}. "
        f"Hits on changed entries differ for {len(differ)} tenants, {len(differ - set(ids))} of them not found; "
        f"hits on other entries, since weights moved, for {len(moved)}."
    )


def of_changed(hits: Iterable[Hit], names: set[tuple[str, str]]) -> list[tuple[object, ...]]:
    """Hits on these entries."""
    return sorted((hit.listed, hit.kind, hit.band) for hit in hits if (hit.listed.source, hit.listed.id) in names)


def bands(hits: Iterable[Hit]) -> set[tuple[object, ...]]:
    """Who is hit, and how far."""
    return {(hit.listed.source, hit.listed.id, hit.kind, hit.band) for hit in hits}


def anybody(random: Random) -> Name:
    """A name of words of both halves; of two words one in three is among a thousand that many have."""
    name = invented.invented(random, random.choice((TUNING, TEST)))
    both = [part for half in (TUNING, TEST) for part in invented.syllables(half, name.script)]
    stems = []
    for _ in name.stems:
        chooser = (
            Random(f"{name.script} {random.randrange(1_000)}")
            if len(name.stems) > 1 and random.random() < 1 / 3
            else random
        )
        stems.append(invented.joined(chooser.choices(both, k=chooser.choice((4, 4, 5))), name.script))
    return name._replace(stems=tuple(stems))


def many_named(random: Random, key: str) -> ListedParty:
    """A listed party with four names: at home, abroad, abbreviated, and with one stem only."""
    name = anybody(random)
    half = TUNING if random.random() < 0.5 else TEST
    names = (name.written(), name.written(1), invented.abroad(random, name, half, 2), spelt(random, name, half))
    return party(key, name.country, names[:NAMES_EACH], addresses=(address(random),), identifiers=(number(random),))


def spelt(random: Random, name: Name, half: int) -> str:
    """Another spelling."""
    return (
        invented.changed_stem(random, name, invented.doubled)
        if half
        else invented.shorter(invented.abroad(random, name, half, 1), half)
    )


def address(random: Random) -> str:
    """An invented address."""
    street = invented.stem(random, random.choice((TUNING, TEST)), "latin").usual
    place = invented.words_of(invented.PLACES["latin"], random.choice((TUNING, TEST)))
    return f"{random.randrange(1, 400)} {street} Road, {random.choice(place).usual} {random.randrange(10_000, 99_999)}"


def number(random: Random) -> str:
    """An invented number in a register."""
    return f"{random.randrange(10**9, 10**10)}"


def tenant(random: Random, parties: Sequence[ListedParty]) -> Query:
    """A tenant: one in fifty is a listed party under a changed name; the others are nobody's likeness but by chance."""
    if random.random() < 0.02:
        listed = random.choice(parties)
        return Query((invented.turned(listed.names[1].text.split()),), listed.countries, (), listed.addresses)
    name = anybody(random)
    names = (name.written(),) if name.script == "latin" else (name.written(), name.written(1))
    return Query(names, frozenset({name.country}), (("tax", number(random)),), (address(random),))


def resident_mb() -> int:
    """The most memory that was resident so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
