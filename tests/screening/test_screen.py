"""Who is found on a list, how sure, and why."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import invented
from monitor.core.lists import BANDS, Band, ListVersion, NameKind
from monitor.screening.score import FEATURES, SUBSTANCE_MIN
from monitor.screening.screen import Screen
from tests.screening.listing import VERSION, party, query, screen

RANDOM = Random(5)
NAMES = [invented.invented(RANDOM, half) for half in (0, 1) for _ in range(60)]
PARTIES = [party(f"p{at:03}", name.written(), country=name.country) for at, name in enumerate(NAMES)]
LIST = screen(*PARTIES)
ANY = st.integers(min_value=0, max_value=len(NAMES) - 1)
LATIN = st.sampled_from(
    [at for at, name in enumerate(NAMES) if name.script in {"latin", "cyrillic", "greek", "hangul"}]
)


@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        ("Nordlicht Rechenwerke GmbH", "Rechenwerke Nordlicht AG"),
        ("Nordlicht Rechenwerke GmbH", "Nordlihct Rechenwerke"),
        ("Tidewrack Glimmer Ltd", "Tide Wrack Glimmer"),
        ("Tide Wrack Glimmer Ltd", "Tidewrack Glimmer"),
        ("兰岫泽川科技有限公司", "Lanxiu Zechuan Technology Co., Ltd."),
        ("兰岫泽川科技有限公司", "Lan Xiu Ze Chuan Keji"),
        ("兰岫泽川科技有限公司", "蘭岫澤川科技"),
        ("ООО Кедровая Тропа", "Kedrovaia Tropa LLC"),
        ("مدار شمند للحوسبة ش.م.ح", "Madar Shamnad Computing FZE"),
        ("Υφάντρα Υπολογιστική Α.Ε.", "Yfantra Computing S.A."),
        ("한빛여울 컴퓨트 주식회사", "Hanbityeoul Compute Co., Ltd."),
        ("शिखरदीप कम्प्यूट प्राइवेट लिमिटेड", "Shikhardeep Compute"),
    ],
)
def test_known_pairs_are_found(listed: str, asked: str) -> None:
    """One company under another writing of its name is at least possible."""
    (hit,) = screen(party("1", listed)).hits(query(asked))

    assert ("name", asked, listed, "d1") == (hit.kind, hit.asked, hit.matched, hit.list_version)


@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        ("Orchid Technology Co., Ltd.", "Technology Co Ltd"),
        ("Orchid Technology Co., Ltd.", "Pelican Technology Co., Ltd."),
        ("Nordlicht Rechenwerke GmbH", "Nordlicht Backwaren GmbH"),
        ("38 Research Institute", "39 Research Institute"),
        ("兰岫科技有限公司", "泽川科技有限公司"),
        ("Institute 8251", "Institute 8252"),
    ],
)
def test_everyday_words_and_one_of_two_words_are_no_hit(listed: str, asked: str) -> None:
    """What many names are made of finds nobody, and two names that each have what the other lacks are two."""
    assert () == screen(party("1", listed, country="CN")).hits(query(asked, country="CN"))


@given(ANY)
@settings(max_examples=60, deadline=None)
def test_an_own_name_is_always_likely(at: int) -> None:
    """Who has the name and the country of a listed party is likely to be it."""
    hits = LIST.hits(query(NAMES[at].written(), country=NAMES[at].country))

    assert PARTIES[at] in {hit.listed for hit in hits if hit.band is Band.LIKELY}


@given(LATIN, st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_the_order_of_words_changes_no_score(at: int, random: Random) -> None:
    """The same words in another order are the same name, asked for and listed."""
    words = NAMES[at]._replace(form="").written().split()
    random.shuffle(words)
    turned = screen(*PARTIES[:at], PARTIES[at]._replace(names=party("", " ".join(words)).names), *PARTIES[at + 1 :])
    straight = [(hit.listed.id, hit.score) for hit in LIST.hits(query(NAMES[at].written()), Band.UNLIKELY)]

    assert straight == [(hit.listed.id, hit.score) for hit in LIST.hits(query(" ".join(words)), Band.UNLIKELY)]
    assert straight == [(hit.listed.id, hit.score) for hit in turned.hits(query(NAMES[at].written()), Band.UNLIKELY)]


@given(LATIN, st.sampled_from(["Ltd", "GmbH", "S.A.", "Sp. z o.o.", "Pte. Ltd.", "LLC", "有限公司", "ООО"]))
@settings(max_examples=60, deadline=None)
def test_a_legal_form_more_changes_nothing(at: int, form: str) -> None:
    """Legal forms are not what a company is known by."""
    plain = NAMES[at]._replace(form="").written()
    with_form = [hit._replace(asked="") for hit in LIST.hits(query(f"{plain} {form}"))]

    assert [hit._replace(asked="") for hit in LIST.hits(query(plain))] == with_form


@given(st.randoms(use_true_random=False))
@settings(max_examples=5, deadline=None)
def test_the_order_of_lists_changes_nothing(random: Random) -> None:
    """The same entries give the same hits, whichever came first."""
    parties = list(PARTIES)
    random.shuffle(parties)
    shuffled = Screen([(VERSION, parties[:50]), (VERSION, parties[50:])])

    for name in NAMES[:20]:
        asked = query(name.written(), name.written(1), country="RU")
        assert LIST.hits(asked, Band.UNLIKELY) == shuffled.hits(asked, Band.UNLIKELY)


def test_a_short_name_needs_corroboration() -> None:
    """One short word is possible at most, likely with its country or an identifier, and nothing in another country."""
    listed = screen(party("1", "ABQ Ltd", country="DE", identifiers=(("tax", "12345678"),)))

    assert [Band.POSSIBLE] == [hit.band for hit in listed.hits(query("ABQ"))]
    assert [Band.LIKELY] == [hit.band for hit in listed.hits(query("ABQ", country="DE"))]
    assert [] == [hit.band for hit in listed.hits(query("ABQ", country="FR"))]
    bands = {hit.kind: hit.band for hit in listed.hits(query("ABQ", identifiers=(("vat", "123 456 78"),)))}
    assert {"identifier": Band.LIKELY, "name": Band.LIKELY} == bands


def test_an_alias_that_the_list_does_not_trust_is_possible_at_most() -> None:
    """Weak aliases never make a likely hit, whatever corroborates."""
    weak = screen(party("1", "Nordlicht Rechenwerke", country="DE", kind=NameKind.WEAK))
    (hit,) = weak.hits(query("Nordlicht Rechenwerke", country="DE"))

    assert (Band.POSSIBLE, 0) == (hit.band, dict(hit.features)["alias"])


def test_a_name_that_is_also_a_weak_alias_is_trusted() -> None:
    """The same words as an alias that is not trusted take nothing from a name that is."""
    names = party("1", "Nordlicht Quarz", kind=NameKind.WEAK).names + party("1", "Quarz Nordlicht GmbH").names
    (hit,) = screen(party("1")._replace(names=names)).hits(query("Nordlicht Quarz"))

    assert (Band.LIKELY, "Quarz Nordlicht GmbH") == (hit.band, hit.matched)


@pytest.mark.parametrize("schema", ["person", "vessel", "aircraft"])
def test_persons_and_vessels_are_no_organisations(schema: str) -> None:
    """They are found only where they are asked for."""
    listed = party("1", "Nordlicht Rechenwerke")._replace(schema=schema)

    assert () == screen(listed).hits(query("Nordlicht Rechenwerke"))
    assert Screen([(VERSION, [listed])], schemas=frozenset({schema})).hits(query("Nordlicht Rechenwerke"))


def test_identifiers_are_exact_but_for_how_they_are_written() -> None:
    """Neither punctuation nor the name of a national scheme matters; worldwide schemes and other digits do."""
    listed = screen(
        party("1", "Q", country="DE", identifiers=(("LEI", "5299-00T8BM49AURSDO55"), ("HRB", "12 34 56 78")))
    )

    def score(scheme: str, value: str, country: str = "") -> list[int]:
        return [hit.score for hit in listed.hits(query(identifiers=((scheme, value),), country=country))]

    assert [1000] == score("lei", "529900t8bm49aursdo55")
    assert [950] == score("registration", "12345678")
    assert [750] == score("registration", "12345678", "FR")
    assert [] == score("duns", "12345678")
    assert [] == score("registration", "12345679")
    assert () == screen(party("1", "Q", identifiers=(("tax", "123"),))).hits(query(identifiers=(("tax", "123"),)))


def test_an_address_is_a_hit_of_its_own() -> None:
    """House, street and place must be the same; neither a postal code nor a street alone is an address."""
    listed = screen(party("1", "Q", addresses=("Room 12, 47 Friendship Rd., Haidian, Beijing 100081",)))

    def kinds(address: str) -> list[str]:
        return [hit.kind for hit in listed.hits(query(addresses=(address,)))]

    assert ["address"] == kinds("47 Friendship Road, Haidian, Beijing 100081, Room 12")
    assert [] == kinds("48 Friendship Road, Haidian, Beijing 100081")
    assert [] == kinds("Friendship Road, Haidian, Beijing")
    assert [] == kinds("47 Peace Avenue, Beijing 100081")


def test_corroborated_hits_go_first_in_the_top_band() -> None:
    """Among likely hits the country and an identifier count before the score."""
    listed = screen(
        party("a", "Nordlicht Rechenwerke"),
        party("b", "Nordlicht Rechenwerke", country="DE"),
        party("c", "Nordlicht Rechenwerk", country="DE", identifiers=(("tax", "12345678"),)),
    )
    hits = listed.hits(query("Nordlicht Rechenwerke", country="DE", identifiers=(("tax", "12345678"),)))

    assert ["c", "c", "b", "a"] == [hit.listed.id for hit in hits]


def test_unlikely_hits_are_shown_when_asked_for() -> None:
    """The threshold moves hits between the bands, and what lies below it is kept out."""
    strict = screen(party("1", "Nordlicht Rechenwerke"), threshold=990)
    asked = query("Nordlicht Rechenwerkk")

    assert () == strict.hits(asked)
    assert [Band.UNLIKELY] == [hit.band for hit in strict.hits(asked, Band.UNLIKELY)]
    assert [Band.LIKELY] == [hit.band for hit in screen(party("1", "Nordlicht Rechenwerke")).hits(asked)]


@pytest.mark.parametrize("threshold", [0, 400, 1000])
def test_a_threshold_that_leaves_no_band_is_refused(threshold: int) -> None:
    """A sentence says between what it lies."""
    with pytest.raises(ValueError, match="A threshold lies between 400 and 1000"):
        screen(threshold=threshold)


def test_every_feature_and_band_is_explained() -> None:
    """What a hit carries is in the table that people read, and each kind of hit is made of nothing else."""
    listed = screen(
        party("1", "Nordlicht Quarz", addresses=("47 Friendship Rd, Beijing",), identifiers=(("lei", "12345678"),))
    )
    hits = listed.hits(
        query("Nordlicht Quarz", addresses=("47 Friendship Rd, Beijing",), identifiers=(("lei", "12345678"),))
    )

    assert set(Band) == set(BANDS)
    assert set(FEATURES) == {name for hit in hits for name, _ in hit.features}
    assert f"below {round(1000 * SUBSTANCE_MIN)}" in FEATURES["substance"]


def test_hits_carry_the_version_of_their_list() -> None:
    """Two lists, two digests: each hit says which it is from."""
    other = ListVersion("other", "d2", None, 1)
    lists = Screen([(VERSION, [party("1", "Nordlicht Quarz")]), (other, [party("2", "Nordlicht Quarz")])])

    assert ["d1", "d2"] == [hit.list_version for hit in lists.hits(query("Nordlicht Quarz"))]


@given(st.lists(st.text(max_size=40), max_size=4), st.lists(st.text(max_size=40), max_size=4))
@settings(max_examples=100, deadline=None)
def test_no_text_breaks_it(listed: list[str], asked: list[str]) -> None:
    """Whatever stands on a list and in a profile, hits come in order and scores stay in their range."""
    texts = tuple(("tax", text) for text in listed)
    hits = screen(party("1", *listed, addresses=tuple(listed), identifiers=texts)).hits(
        query(*asked, addresses=tuple(asked), identifiers=tuple(("tax", text) for text in asked)), Band.UNLIKELY
    )

    assert all(0 <= hit.score <= 1000 for hit in hits)


@pytest.mark.parametrize("hostile", ["x" * 1_000_000, "\ud800" * 9, "🎉", "", "Ltd", "\u202eevil", "a " * 500_000])
def test_hostile_names_are_neither_found_nor_fatal(hostile: str) -> None:
    """A megabyte, lone surrogates, pictures and nothing at all, asked for or listed, match no honest name."""
    honest = "Nordlicht Rechenwerke"

    assert () == screen(party("1", honest)).hits(query(hostile, addresses=(hostile,), identifiers=(("tax", hostile),)))
    assert () == screen(party("1", hostile, addresses=(hostile,))).hits(query(honest))
