"""Identifiers and addresses in the one form that is compared."""

from __future__ import annotations

import re
from collections.abc import Iterable

from monitor.screening.names import IGNORED, folded, latin

IDENTIFIER_LENGTH_MIN = 6  # letters and digits; what is shorter is no one's own
IDENTIFIER_DIGITS_MIN = 4
# Schemes whose numbers are one in the world. All others (register, tax, trade, ...) are one family: lists call the same
# number now so, now so.
WORLDWIDE = {
    "lei": "lei",
    "duns": "duns",
    "dunsnumber": "duns",
    "imo": "imo",
    "imonumber": "imo",
    "bic": "bic",
    "swift": "bic",
    "swiftbic": "bic",
}
NATIONAL = "national"
DIGIT = re.compile(r"\d")
NOT_LETTERS = re.compile(r"[\W_]+")

# As abbreviated, and in full.
ADDRESS_ABBREVIATIONS = """
st=street str=street strasse=street ul=street ulitsa=street jie=street rd=road lu=road ave=avenue av=avenue
blvd=boulevard bldg=building fl=floor flr=floor rm=room ste=suite no=number nr=number num=number dist=district
dr=drive ln=lane sq=square apt=apartment prov=province n=north s=south e=east w=west
"""
# Words that any address may have: they say neither street nor place.
KINDS_OF_PLACE = """
unit flat office house block zone park industrial tower center centre po box city town county state shop lot km
"""
PLACE_WORDS = {short: word for short, _, word in (pair.partition("=") for pair in ADDRESS_ABBREVIATIONS.split())}
PLACE_KINDS = frozenset(PLACE_WORDS.values()) | frozenset(KINDS_OF_PLACE.split())
ADDRESS_WORDS_MAX = 40


def identifier(scheme: str, value: str) -> tuple[str, str] | None:
    """The family of a scheme and the letters and digits of a value; None where these are too few to be anyone's own."""
    plain = NOT_LETTERS.sub("", folded(value)).upper()
    if len(plain) < IDENTIFIER_LENGTH_MIN or sum(char.isdigit() for char in plain) < IDENTIFIER_DIGITS_MIN:
        return None
    return WORLDWIDE.get(NOT_LETTERS.sub("", folded(scheme)), NATIONAL), plain


def identifiers(written: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Identifiers that can be compared, each with how it is written."""
    return {found: value for scheme, value in sorted(written) if (found := identifier(scheme, value))}


def address_words(address: str) -> frozenset[str]:
    """The words and numbers of an address, in Latin letters and one spelling; none unless a number is among them."""
    text = folded(address)
    listed = (text if text.isascii() else latin(text)).split()[:ADDRESS_WORDS_MAX]
    found = frozenset(PLACE_WORDS.get(word, word) for word in listed if word in PLACE_WORDS or word not in IGNORED)
    return found if any(numbered(word) for word in found) else frozenset()


def numbered(word: str) -> bool:
    """Whether there is a digit in a word."""
    return DIGIT.search(word) is not None
