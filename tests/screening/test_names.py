"""One name, however it is written, has the same words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.screening.names import NAME_LENGTH_MAX, TOKENS_MAX, folded, forms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Nordlicht Rechenwerke GmbH", "NORDLICHT RECHENWERKE"),
        ("Nordlicht GmbH & Co. KG", "Nordlicht"),
        ("Przędza Danych sp. z o.o.", "Przedza Danych"),
        ("Société Brume S.A.R.L.", "Societe Brume"),
        ("Foo Quarz S. A.", "Foo Quarz"),
        ("I.B.Q. Corp", "IBQ Inc."),
        ("Orchid Tech Co., Ltd.", "Orchid Technologies Limited"),
        ("Univ. of Tuuliviiri", "Tuuliviiri University"),
        ("ООО «Кедровая Тропа»", "Кедровая Тропа"),
        ("兰岫算力科技有限公司", "兰岫算力科技股份有限公司"),
        ("かもめ沢計算株式会社", "かもめ沢計算"),
        ("주식회사 한빛여울", "한빛여울 (주)"),
        ("مدار الندى ش.م.ح", "مدار الندى"),
        ("บริษัท ดอกปีบ จำกัด", "ดอกปีบ"),
        ("Nоrdlicht", "Nordlicht"),  # the first o is Cyrillic
        ("\u202eNord\u200blicht", "Nordlicht"),
        ("ＮＯＲＤＬＩＣＨＴ", "Nordlicht"),
    ],
)
def test_writings_of_one_name_have_the_same_words(one: str, other: str) -> None:
    """Case, marks, punctuation, legal forms, abbreviations, look-alikes and unseen characters make no other name."""
    assert forms(one)
    assert forms(other) == forms(one)


@pytest.mark.parametrize(
    ("native", "word"),
    [
        ("兰岫科技有限公司", "lanxiu"),
        ("ООО Кедровая", "kedrovaya"),
        ("주식회사 한빛여울", "hanbityeoul"),
        ("東京カモメ", "tokyo"),
    ],
)
def test_other_scripts_come_in_latin_letters_too(native: str, word: str) -> None:
    """A name in another script has a second form, in Latin letters."""
    written, romanised = forms(native)

    assert (True, False) == (written.written, romanised.written)
    assert word in romanised.tokens


def test_texts_without_spaces_are_compared_by_pairs_of_letters() -> None:
    """Where no word ends is known, neighbouring letters are what a name is made of."""
    assert ("兰岫", "岫泽", "泽川", "technology") == tuple(
        sorted(forms("兰岫泽川科技")[0].tokens, key="兰岫泽川technology".find)
    )


@pytest.mark.parametrize(
    "name",
    ["", " ", "Ltd", "GmbH & Co. KG", "有限公司", "ООО", "... --- !!!", "🎉🎉", "\u202e\u200b", "\ud800", "\x00\x07"],
)
def test_what_says_nothing_has_no_form(name: str) -> None:
    """Nothing, punctuation, legal forms alone, pictures, lone surrogates: nobody's name."""
    assert () == forms(name)


def test_a_name_of_a_megabyte_is_cut() -> None:
    """No more than the named maximum is looked at, in letters and in words."""
    assert NAME_LENGTH_MAX >= len(folded("x" * 1_000_000))
    assert NAME_LENGTH_MAX >= len(folded("\ufdfa" * 1_000_000))
    assert all(TOKENS_MAX >= len(form.tokens) for form in forms("ab cd ef gh ij " * 70_000))
    assert forms("Nordlicht " + "x " * 500_000)


@given(st.text(max_size=40))
@settings(deadline=None)
def test_any_text_has_forms_of_words(text: str) -> None:
    """Whatever is written, no word is empty, and words are in the order of the alphabet."""
    for form in forms(text):
        assert form.tokens
        assert all(form.tokens)
        assert list(form.tokens) == sorted(form.tokens)
