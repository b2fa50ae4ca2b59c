"""What is personal in facts, and how facts are kept without it.

A fact with personal values is kept as a list of two in JSON: the SHA-256 of what came, and the event with a token in
the place of each personal value. No event is a list, so nothing that came can be taken for such a pair. A token is the
salted hash of a value and of whom it is about, so that what is erased of one customer stays known of another. Where all
values are known a fact reads as it came; else the tokens of those that were erased stand where they stood. Either way
it has the hash of what came, by which duplicates are known and rivals decided.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from monitor.core.audit import erased, personal_hash
from monitor.core.facts import content_hash, event_bytes, kept_apart, kept_as, style_of

TENANT, PARTY = "tenant", "party"  # whom a profile is about: a field of it, and the word before its value
_TENANT_TYPE, _PARTY_TYPE = "io.flopwatch.tenant.profiled.v1", "io.flopwatch.party.profiled.v1"
_ABOUT = {_TENANT_TYPE: TENANT, _PARTY_TYPE: PARTY}
# How most programs write JSON: written so again, a fact has the bytes that came; otherwise at least the same content.
_STYLES = tuple(
    ((comma, colon), ascii_only) for comma, colon in ((",", ":"), (", ", ": ")) for ascii_only in (False, True)
)
_TOKEN = re.compile("sha256:[0-9a-f]{64}")


class Field(NamedTuple):
    """A field of profiles whose values are personal: it is kept apart, and can be erased."""

    profile: str  # TENANT or PARTY
    name: str
    holds: str
    purpose: str


FIELDS = (
    Field(TENANT, "legal_name", "a name", "screening, and naming the customer to reviewers"),
    Field(TENANT, "aliases", "names", "screening"),
    Field(TENANT, "addresses", "addresses", "screening"),
    Field(TENANT, "identifiers", "numbers of registers, by scheme", "screening, and linking tenants of one customer"),
    Field(TENANT, "contact_domain", "the domain of a mail address", "linking tenants of one customer"),
    Field(TENANT, "declared_use", "what the customer wrote", "telling what was declared beside what was measured"),
    Field(PARTY, "names", "names", "screening, and naming owners to reviewers"),
    Field(PARTY, "addresses", "addresses", "screening"),
    Field(PARTY, "identifiers", "numbers of registers, by scheme", "screening, and linking tenants of one owner"),
)
_OF_PROFILE = {about: [one.name for one in FIELDS if one.profile == about] for about in (TENANT, PARTY)}


class Concealed(NamedTuple):
    """A fact as it is kept, and what was taken out of it."""

    raw: bytes
    whom: str  # it is about: "tenant t-7"; "": nobody
    values: Mapping[str, str]  # by token


def may_be_profile(raw: bytes) -> bool:
    """Whether a fact may be a profile: cheap, and true of any that is one, since its type may be written in escapes."""
    return b".profiled." in raw or b"\\u" in raw


def conceal(raw: bytes, salt: str) -> Concealed:
    """A fact without its personal values; one that has none as it is.

    Of a fact that was read while some of its values were erased, their tokens stay.
    """
    event = json.loads(event_bytes(raw), parse_int=_number)
    about, again = _ABOUT.get(event["type"]), kept_apart(raw)
    if about is None:
        return Concealed(raw, "", {})
    style = style_of(raw) if again else _style(event, raw)
    whom, values = f"{about} {event['data'][about]}", dict[str, str]()

    def instead(value: str) -> str:
        if again and _TOKEN.fullmatch(value):
            return value
        token = personal_hash(salt, whom, value)
        values[token] = value
        return token

    _replace(event["data"], about, instead)
    return Concealed(kept_as(content_hash(raw), style, _written(event, style)) if values else raw, whom, values)


def tokens(raw: bytes) -> list[str]:
    """The tokens of a fact as it is kept."""
    found: list[str] = []

    def noted(token: str) -> str:
        found.append(token)
        return token

    if kept_apart(raw):
        event = json.loads(event_bytes(raw))
        _replace(event["data"], _ABOUT[event["type"]], noted)
    return found


def reveal(raw: bytes, known: Mapping[str, str]) -> bytes:
    """A fact as it is read: with the values that are known in the place of their tokens.

    Beside tokens that stay, a value that looks like one stays a token, too: nothing is taken for what was erased.
    """
    if not kept_apart(raw):
        return raw
    hash = content_hash(raw)
    whole = _with(raw, known)
    if content_hash(whole) == hash:
        return whole
    plain = {token: value for token, value in known.items() if not _TOKEN.fullmatch(value)}
    return kept_as(hash, style_of(raw), _with(raw, plain))


def _with(raw: bytes, known: Mapping[str, str]) -> bytes:
    event = json.loads(event_bytes(raw))
    _replace(event["data"], _ABOUT[event["type"]], lambda token: known.get(token, token))
    return _written(event, style_of(raw))


def shown(value: str) -> str:
    """A personal value as people read it: of one that was erased, that it was."""
    return erased(value) if _TOKEN.fullmatch(value) else value


def _replace(data: dict[str, Any], about: str, instead: Callable[[str], str]) -> None:
    """Put something else in the place of each personal value."""
    for name in _OF_PROFILE[about]:
        value = data.get(name)
        if isinstance(value, str):
            data[name] = instead(value)
        elif isinstance(value, list):
            data[name] = [instead(one) for one in value]
        elif isinstance(value, dict):
            data[name] = {scheme: instead(one) for scheme, one in value.items()}


def _number(digits: str) -> int | float:
    """A whole number; one of more digits than Python reads is infinite here, and the hash tells what it was."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def _style(event: Mapping[str, object], raw: bytes) -> int:
    """The style in which an event was written; of one that was written in none of them, the first."""
    return next((style for style in range(len(_STYLES)) if _written(event, style) == raw), 0)


def _written(event: Mapping[str, object], style: int) -> bytes:
    separators, ascii_only = _STYLES[style]
    text = json.dumps(event, separators=separators, ensure_ascii=ascii_only)
    return text.encode("utf-8", "surrogatepass")
