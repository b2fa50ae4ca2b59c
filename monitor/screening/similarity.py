"""How near two words are, and by which keys a near one is found.

A word within one typing error of another shares with it a key of `keys`, and so does one that sounds alike in another
romanisation: what is left without vowels, aspirations and doubled letters. Shares run from 0 to 1.
"""

from __future__ import annotations

import re

from rapidfuzz.distance import OSA

from monitor.screening.exact import numbered

FUZZY_LENGTH_MIN = 4  # below that a word is another word when a letter changes
PREFIX = 10  # letters from which keys are made
EDIT_LETTERS = 5  # a typing error for each so many letters, at least one
STEEPNESS = 1.2  # an edit counts for more than its letter
ALIKE = 0.85  # words that sound alike; half of their letters may differ
ALIKE_LENGTH_MIN = 3  # sounds that are left

# How romanisations differ: written so, counted as that. The longest that fits goes first, single letters last.
SOUNDED = """
shch=s sch=s tsch=s tch=s dzh=s dj=s zh=s ch=s sh=s hs=s cz=s sz=s ts=s tz=s ce=s ci=s cy=s qi=s ks=s ph=f kh=k ck=k
oua=v oue=v oui=v
"""
SOUNDS = {written: sound for written, _, sound in (pair.partition("=") for pair in SOUNDED.split())}
SOUND = re.compile("|".join(sorted(SOUNDS, key=lambda written: (-len(written), written))))
SINGLE = str.maketrans("jxzqcwgdbeiouy", "ssskkvktpaaaaa", "h")
DOUBLED = re.compile(r"(.)\1+")


def skeleton(word: str) -> str:
    """What is left of a romanised word in any romanisation; "" for other scripts and for words with digits."""
    if not word.isascii() or not word.isalpha():
        return ""
    sounds = SOUND.sub(lambda match: SOUNDS[match.group()], word).translate(SINGLE)
    first = "a" if word[:1] in "aeiouy" and sounds[:1] == "a" else ""
    return first + DOUBLED.sub(r"\1", sounds.replace("a", ""))


def keys(word: str, bones: str) -> tuple[str, ...]:
    """Keys of which near words share one: the first letters, those with one left out, and the skeleton.

    A word with digits has none: another number is another word.
    """
    if numbered(word):
        return ()
    found = set()
    if len(word) >= FUZZY_LENGTH_MIN:
        head = word[:PREFIX]
        found = {head, *(head[:i] + head[i + 1 :] for i in range(len(head)))}
    if len(bones) >= ALIKE_LENGTH_MIN:
        found.add("~" + bones)
    return tuple(found)


def similarity(one: str, other: str, alike: bool) -> float:
    """How far two words that share a key are the same: 0 if they are two words. `alike`: their skeletons are equal."""
    longest = max(len(one), len(other))
    edits_max = max(1, longest // EDIT_LETTERS)
    edits = OSA.distance(one, other, score_cutoff=longest // 2 if alike else edits_max)
    if one[0] != other[0]:
        edits += 1  # few err in the first letter
    if edits <= edits_max and longest >= FUZZY_LENGTH_MIN:
        return 1 - STEEPNESS * edits / longest
    return ALIKE if alike and edits <= longest // 2 else 0.0
