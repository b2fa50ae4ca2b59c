"""Texts that a database cannot hold as they are: PostgreSQL refuses NUL, and no UTF-8 has a lone surrogate.

Names come from other people's systems and may have either. Such a character becomes U+001A and four hexadecimal digits,
and so does U+001A itself, so that every text comes back as it was and different texts stay different.
"""

from __future__ import annotations

import re

ESCAPE = "\x1a"
_UNFIT = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile("\x1a([0-9a-f]{4})")


def storable(text: str) -> str:
    """A text that every database can hold."""
    if text.isascii() and "\x00" not in text and ESCAPE not in text:  # nearly all; the expression costs much more
        return text
    return _UNFIT.sub(lambda found: f"{ESCAPE}{ord(found[0]):04x}", text)


def original(text: str) -> str:
    """The text that `storable` made this one of."""
    return text if ESCAPE not in text else _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
