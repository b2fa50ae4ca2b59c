"""Names in the forms that are compared: folded, without legal forms, as words of one script.

A name in Latin letters has one form. Any other has two: as it is written, and in Latin letters, which is what
somebody who writes it abroad may come near. Texts of scripts without spaces are cut at everyday words; what is left
between them is compared by pairs of letters where it is native, and by pairs of syllables in Latin letters.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from anyascii import anyascii

from monitor.screening import words

NAME_LENGTH_MAX = 512  # characters that are looked at
TOKENS_MAX = 24  # words that are looked at

LATIN = "latin"
# First code point and script. What is not named here is as good as Latin: compared as it is, and romanised.
SCRIPTS = (
    (0x0000, LATIN),
    (0x0370, "greek"),
    (0x0400, "cyrillic"),
    (0x0530, "armenian"),
    (0x0590, "hebrew"),
    (0x0600, "arabic"),
    (0x0700, "other"),
    (0x0900, "devanagari"),
    (0x0980, "indic"),
    (0x0E00, "thai"),
    (0x0E80, "other"),
    (0x1100, "hangul"),
    (0x1200, "other"),
    (0x1E00, LATIN),
    (0x1F00, "greek"),
    (0x2000, LATIN),
    (0x2E80, "han"),
    (0x3040, "kana"),
    (0x3100, "han"),
    (0x3130, "hangul"),
    (0x3190, "han"),
    (0xA000, "other"),
    (0xAC00, "hangul"),
    (0xD7B0, "other"),
    (0xF900, "han"),
    (0xFB00, "other"),
    (0x20000, "han"),
    (0x32000, "other"),
)
# Marks that others leave out: of Latin, Greek, Cyrillic, Hebrew and Arabic. In other scripts they are letters.
OPTIONAL_MARKS = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u20d0-\u20ff]"
)
DOTTED = re.compile(r"(?<!\w)(?:\w\.)+\w(?!\w)\.?")
SPACED = re.compile(r"[぀-ヿ㐀-鿿豈-﫿\U00020000-\U0003134f]+")
IDEOGRAPHS = re.compile(r"[㐀-鿿豈-﫿\U00020000-\U0003134f]+")
LATIN_LETTER = re.compile(r"[a-z]")
ARABIC_ARTICLE = re.compile(r"\bال(?=\w{3})")
ARABIC_FIRST = re.compile(r"\b[اع]")  # a vowel or what sounds like one
NASAL = re.compile("ं(?![पफबभम])")
SAID_OTHERWISE = {ord("च"): "ch", ord("छ"): "chh", ord("ー"): None}  # than anyascii has it
HANGUL = re.compile(r"[가-힣]")
HANGUL_STARTS, HANGUL_VOWELS, HANGUL_ENDS = (
    [sound.strip("-") for sound in line.split()]
    for line in (
        "g kk n d tt r m b pp s ss - j jj ch k t p h",
        "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i",
        "- k k k n n n t l k m l l l p l m p p t t ng t t k t p t",
    )
)
# The other romanisation of kana: sounds that no key finds by.
KUNREI_SOUNDS = {"shi": "si", "chi": "ti", "tsu": "tu", "fu": "hu", "ji": "zi"}
KUNREI = re.compile("|".join(KUNREI_SOUNDS))
UNSEEN = "'’ʼ`´‘׳״ʹʺ"  # between letters of one word


class Form(NamedTuple):
    """One way to write a name: its words in the order of the alphabet, each as often as it occurs."""

    tokens: tuple[str, ...]
    script: str
    written: bool  # in this script; else romanised from it


# Letters of one word that Arabic and Persian keyboards write differently.
PERSIAN = {"ی": "ي", "ى": "ي", "ک": "ك", "ة": "ه"}


class Letters(dict[int, str | None]):
    """What each character is to a name: itself, a space or nothing. Filled as characters come."""

    def __missing__(self, code: int) -> str | None:
        """Look at the category of a character that was not seen before."""
        char = chr(code)
        category = unicodedata.category(char)
        kept: str | None = char
        if char in UNSEEN or (category in {"Cf", "Cs", "Cn", "Co", "Lm"} and char not in "ー々"):
            kept = None
        elif category[0] in "PZCS":
            kept = " "
        self[code] = kept = PERSIAN.get(char, char) if kept == char else kept
        return kept


LETTERS = Letters()


def folded(text: str) -> str:
    """Letters and digits of a text, small, without optional marks; words apart by one space."""
    text = text[:NAME_LENGTH_MAX]
    if not text.isascii():
        text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
        text = unicodedata.normalize("NFC", OPTIONAL_MARKS.sub("", text))[:NAME_LENGTH_MAX]
    text = DOTTED.sub(lambda match: match.group().replace(".", ""), text.lower())
    return " ".join(text.translate(LETTERS).split())


def script_of(text: str) -> str:
    """The script of most letters that are not ASCII; kana makes a text Japanese, whatever else is in it."""
    found: dict[str, int] = {}
    for char in text:
        if char > "\x7f" and char.isalpha():
            script = _script(ord(char))
            found[script] = found.get(script, 0) + 1
    if "kana" in found:
        return "kana"
    return max(sorted(found), key=found.__getitem__, default=LATIN)


@lru_cache(maxsize=4096)
def _script(code: int) -> str:
    return max(start for start in SCRIPTS if start[0] <= code)[1]


def forms(name: str) -> tuple[Form, ...]:
    """The forms of a name; none where nothing is left but legal forms and punctuation."""
    text = folded(name)
    if text.isascii():
        return _form(_said(text), LATIN, True)
    text = _without_look_alikes(text)
    script = script_of(text)
    if script == LATIN:
        return _form(_said(latin(text)), LATIN, True)
    text = JOINED_WORD.sub(lambda match: f" {JOINED_WORDS[match.group()]} ", JOINED_LEGAL.sub(" ", text))
    text = " ".join(_said(text))
    native = SPACED.sub(lambda match: f" {' '.join(_pairs(match.group()))} ", text).split()
    romanised = _said(latin(text))
    found = _form(native, script, True) + (_form(romanised, script, False) if romanised != native else ())
    if script == "kana":
        found += _form(
            [KUNREI.sub(lambda match: KUNREI_SOUNDS[match.group()], word) for word in romanised], script, False
        )
    return tuple(dict.fromkeys(found))


def _form(tokens: list[str], script: str, written: bool) -> tuple[Form, ...]:
    return (Form(tuple(sorted(tokens)), script, written),) if tokens else ()


def _pairs(run: str) -> list[str]:
    """Neighbouring characters two by two: what a text without spaces is made of, wherever its words begin."""
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


def _hangul(syllable: re.Match[str]) -> str:
    """A syllable in the Revised Romanisation, without what neighbours do to each other."""
    code = ord(syllable.group()) - 0xAC00
    return HANGUL_STARTS[code // 588] + HANGUL_VOWELS[code % 588 // 28] + HANGUL_ENDS[code % 28]


def latin(text: str) -> str:
    """A folded text in Latin letters; of ideographs two syllables make a word, three the last one of an odd number."""
    text = IDEOGRAPHS.sub(lambda match: f" {' '.join(_syllables(match.group()))} ", HANGUL.sub(_hangul, text))
    text = ARABIC_FIRST.sub("a", ARABIC_ARTICLE.sub("", text))
    return folded(anyascii(NASAL.sub("न", text).translate(SAID_OTHERWISE)))


def _syllables(run: str) -> list[str]:
    sounds = [anyascii(char).strip().lower() for char in run]
    if len(sounds) <= 3:
        return ["".join(sounds)]
    cuts = [*range(0, len(sounds) - len(sounds) % 2, 2)]
    return ["".join(sounds[a:b]) for a, b in zip(cuts, [*cuts[1:], len(sounds)], strict=True)]


def _without_look_alikes(text: str) -> str:
    """Words with Latin letters in them are Latin: what only looks so is put right."""
    if not LATIN_LETTER.search(text):
        return text
    return " ".join(word.translate(words.LOOK_ALIKE) if LATIN_LETTER.search(word) else word for word in text.split())


def _said(text: str) -> list[str]:
    """The words of a folded text that say something, everyday ones in one spelling."""
    listed = _without_legal_forms(text.split()[:TOKENS_MAX])
    listed = [ONE_SPELLING.get(word, word) for word in _initials_joined(listed)]
    return [word for word in listed if word not in IGNORED] or listed


def _without_legal_forms(listed: list[str]) -> list[str]:
    kept, at = [], 0
    while at < len(listed):
        length = next((n for n in LEGAL_LENGTHS.get(listed[at], ()) if tuple(listed[at : at + n]) in LEGAL), 0)
        if not length:
            kept.append(listed[at])
        at += length or 1
    return kept


def _initials_joined(listed: list[str]) -> list[str]:
    """Single letters next to each other are one word: "i b m" is "ibm"."""
    joined: list[str] = []
    open_run = False
    for word in listed:
        single = len(word) == 1 and word.isalpha()
        if single and open_run:
            joined[-1] += word
        else:
            joined.append(word)
        open_run = single
    return joined


def _legal_forms() -> frozenset[tuple[str, ...]]:
    written = [form.strip() for line in words.LEGAL_FORMS.splitlines() for form in line.split("|")]
    found = {tuple(folded(form).split()) for form in written}
    found |= {tuple(latin(folded(form)).split()) for form in written if script_of(folded(form)) == LATIN}
    found |= {tuple(folded(form.replace(".", " ")).split()) for form in written if "." in form}
    return frozenset(found - {()})


def _lengths(legal: frozenset[tuple[str, ...]]) -> dict[str, tuple[int, ...]]:
    lengths: dict[str, set[int]] = {}
    for form in legal:
        lengths.setdefault(form[0], set()).add(len(form))
    return {first: tuple(sorted(found, reverse=True)) for first, found in lengths.items()}


def _everyday() -> dict[str, str]:
    table = {}
    for line in filter(None, words.EVERYDAY.splitlines()):
        word, _, others = line.partition(":")
        for other in (word, *others.split()):
            table[folded(other)] = word
            table.setdefault(latin(folded(other)), word)
    return table


def _in_twos(table: str) -> dict[str, str]:
    listed = table.split()
    return {folded(written): word for written, word in zip(listed[::2], listed[1::2], strict=True)}


def _any_of(texts: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(text) for text in sorted(filter(None, texts), key=lambda t: (-len(t), t))))


LEGAL = _legal_forms()
LEGAL_LENGTHS = _lengths(LEGAL)
EVERYDAY = _everyday()
EVERYDAY_WORDS = frozenset(EVERYDAY.values())
PLACES = frozenset(folded(words.PLACES).split())
IGNORED = frozenset(folded(words.IGNORED).split())
JOINED_LEGAL = _any_of([folded(form) for form in words.JOINED_LEGAL_FORMS.split()])
ONE_SPELLING = EVERYDAY | _in_twos(words.ABROAD)
JOINED_WORDS = _in_twos(words.JOINED_EVERYDAY + words.JOINED_PLACES)
for _written, _word in _in_twos(words.JOINED_EVERYDAY).items():
    ONE_SPELLING.setdefault(latin(_written).replace(" ", ""), _word)
JOINED_WORD = _any_of(list(JOINED_WORDS))
