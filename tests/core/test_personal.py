"""Personal values of facts: taken out and put back, and what is left once they are erased."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.facts import content_hash, event_bytes, kept_apart, same_content
from monitor.core.personal import FIELDS, PARTY, TENANT, conceal, may_be_profile, reveal, shown, tokens

SALT = "salt"
LIKE_A_TOKEN = "sha256:" + "0" * 64
WHOLE: dict[str, Any] = {
    "legal_name": "Basalt Ltd",
    "aliases": ["Basalt", LIKE_A_TOKEN],
    "addresses": ["1 Quarry Road"],
    "identifiers": {"lei": "LEI-5299", "duns": "D-U-N-S 15"},
    "contact_domain": "basalt.example",
    "declared_use": "rocks",
    "names": ["Basalt Holding"],
    "hq_country": "DE",
}


def profile(about: str = TENANT, whom: str = "t-7", /, **data: object) -> dict[str, Any]:
    """An event about somebody."""
    return {"specversion": "1.0", "type": f"io.flopwatch.{about}.profiled.v1", "data": {about: whom, **data}}


def written(event: object, **style: Any) -> bytes:
    return json.dumps(event, **style).encode("utf-8", "surrogatepass")


def personal(about: str) -> dict[str, Any]:
    """All personal fields of a profile."""
    return {one.name: WHOLE[one.name] for one in FIELDS if one.profile == about}


@pytest.mark.parametrize("about", [TENANT, PARTY])
def test_no_personal_value_is_in_a_fact_as_it_is_kept(about: str) -> None:
    """Every value of each personal field has become a token, and what is not personal stands there."""
    values = {text for value in personal(about).values() for text in texts(value)}

    concealed = conceal(written(profile(about, "x-7", hq_country="DE", **personal(about))), SALT)

    assert values == set(concealed.values.values())
    assert sorted(concealed.values) == sorted(tokens(concealed.raw))
    assert [] == [value for value in values if value.encode() in concealed.raw]
    assert f"{about} x-7" == concealed.whom
    assert "DE" == json.loads(event_bytes(concealed.raw))["data"]["hq_country"]


def texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value.values() if isinstance(value, dict) else value)


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_fact_is_read_as_it_came(ascii_only: bool, separators: tuple[str, str]) -> None:
    """In each way in which programs write JSON, byte for byte."""
    event = profile(legal_name="Basält", time="2026-01-01T00:00:00Z")
    raw = written(event, ensure_ascii=ascii_only, separators=separators)

    concealed = conceal(raw, SALT)

    assert raw == reveal(concealed.raw, concealed.values)


STRANGE = [
    (b'{ "type":"io.flopwatch.tenant.profiled.v1","data":{"tenant":"t","legal_name":"A", "share":1e2}}', "blanks"),
    (b'{"type":"io.flopwatch.tenant.profiled.v1","data":{"tenant":"t","legal_name":"B","legal_name":"A"}}', "twice"),
    (b'{"type":"io.flopwatch.tenant.profil\\u0065d.v1","data":{"tenant":"t","legal_name":"\\u0041"}}', "escapes"),
]


@pytest.mark.parametrize("raw", [raw for raw, _ in STRANGE], ids=[name for _, name in STRANGE])
def test_a_fact_that_is_written_strangely_says_the_same(raw: bytes) -> None:
    """Whatever nobody writes has the same content afterwards, and is a list to nobody."""
    concealed = conceal(raw, SALT)

    whole = reveal(concealed.raw, concealed.values)

    assert may_be_profile(raw)
    assert same_content(raw, whole)
    assert same_content(raw, concealed.raw)
    assert not kept_apart(whole)
    assert ["A"] == list(concealed.values.values())


def test_a_number_of_too_many_digits_keeps_its_hash() -> None:
    """A number that Python cannot read is not kept, but what came is known again by its hash."""
    raw = b'{"type":"io.flopwatch.tenant.profiled.v1","data":{"tenant":"t","legal_name":"A","n":%s}}' % (b"9" * 5_000)

    concealed = conceal(raw, SALT)

    assert content_hash(raw) == content_hash(concealed.raw)
    assert content_hash(raw) == content_hash(reveal(concealed.raw, concealed.values))


@pytest.mark.parametrize(
    "event",
    [
        profile(hq_country="DE"),
        profile(legal_name=None),
        {"type": "io.flopwatch.allocation.started.v1", "data": {"tenant": "t", "legal_name": "A"}},
        {"type": "io.flopwatch.fact.retracted.v1", "data": {"tenant": "t", "reason": ".profiled. by hand"}},
    ],
)
def test_what_has_nothing_personal_is_kept_as_it_came(event: dict[str, Any]) -> None:
    """Profiles without personal fields and other facts are left alone."""
    raw = written(event)

    assert raw == conceal(raw, SALT).raw
    assert raw == reveal(raw, {})
    assert [] == tokens(raw)


def test_the_same_value_of_another_customer_has_another_token() -> None:
    """So what is erased of one stays known of the other; with another salt everything is another."""
    found = {
        tuple(conceal(written(profile(about, whom, addresses=["1 Quarry Road"])), salt).values)
        for about, whom, salt in [(TENANT, "a", SALT), (TENANT, "b", SALT), (PARTY, "a", SALT), (TENANT, "a", "other")]
    }

    assert 4 == len(found)


def test_what_is_erased_leaves_its_token_and_the_hash() -> None:
    """The rest reads as it came, the fact is known again by what it was, and people read that it was erased."""
    raw = written(profile(legal_name="Basalt Ltd", aliases=["Basalt"]))
    concealed = conceal(raw, SALT)
    gone = next(token for token, value in concealed.values.items() if value == "Basalt")
    left = {token: value for token, value in concealed.values.items() if token != gone}

    read = reveal(concealed.raw, left)

    data = json.loads(event_bytes(read))["data"]
    assert ("Basalt Ltd", [gone]) == (data["legal_name"], data["aliases"])
    assert same_content(raw, read)
    assert shown(gone).startswith("erased (")
    assert "Basalt" == shown("Basalt")


def test_a_fact_that_was_read_with_something_erased_is_kept_as_before() -> None:
    """Books that are made anew keep the tokens of what was erased, and take out what still stands in clear."""
    concealed = conceal(written(profile(legal_name="Basalt Ltd", aliases=["Basalt"])), SALT)
    left = {token: value for token, value in concealed.values.items() if value == "Basalt Ltd"}

    again = conceal(reveal(concealed.raw, left), SALT)

    assert (concealed.raw, left) == (again.raw, again.values)
    assert concealed.raw == conceal(reveal(concealed.raw, {}), SALT).raw


def test_a_value_that_looks_like_a_token_is_a_value() -> None:
    """Whoever is called like a token is kept, and read, as called so."""
    raw = written(profile(legal_name=LIKE_A_TOKEN))
    concealed = conceal(raw, SALT)

    assert LIKE_A_TOKEN.encode() not in concealed.raw
    assert raw == reveal(concealed.raw, concealed.values)


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12) | st.just(LIKE_A_TOKEN)


@given(
    st.dictionaries(st.sampled_from(("legal_name", "contact_domain")), NAMES),
    st.lists(NAMES),
    st.dictionaries(NAMES, NAMES),
    st.data(),
)
def test_taking_out_and_putting_back_changes_nothing(
    named: dict[str, str], aliases: list[str], identifiers: dict[str, str], data: st.DataObject
) -> None:
    """Whatever customers are called, a fact reads as it came, and with any of it erased it keeps its hash."""
    raw = written(profile(**named, aliases=aliases, identifiers=identifiers))
    concealed = conceal(raw, SALT)
    left = {token: value for token, value in concealed.values.items() if data.draw(st.booleans())}

    assert raw == reveal(concealed.raw, concealed.values)
    assert content_hash(raw) == content_hash(reveal(concealed.raw, left))
    assert concealed.raw == conceal(reveal(concealed.raw, left), SALT).raw
