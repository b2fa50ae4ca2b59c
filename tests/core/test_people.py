"""Accounts, sessions, tokens, and who must wait: what follows from rows and the time."""

from __future__ import annotations

import pytest

from monitor.core.people import (
    ACCOUNT_TRIES,
    FORGOTTEN_MS,
    LEAK_MS,
    WAIT_MS_MAX,
    Failures,
    Limits,
    Session,
    Token,
    User,
    label_problem,
    name_problem,
    password_problem,
    remembered,
    session_stands,
    token_id,
    token_stands,
    wait_ms,
)
from monitor.core.roles import Role

NOW = 1_800_000_000_000
ADA = User("ada", Role.REVIEWER, NOW - 1_000, None, True)
GONE = ADA._replace(disabled_at=NOW - 1)
LIMITS = Limits(idle_ms=100, whole_ms=1_000)


@pytest.mark.parametrize("name", ["a", "ada", "ada.l@example.org", "7of9", "a" * 64, "a+b_c-d"])
def test_names(name: str) -> None:
    """Small letters, digits and a few signs, as mail addresses have them."""
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name", ["", "Ada", ".ada", "a" * 65, "ada\n", "ada lovelace", "<script>", "a\r\nx: y", "аda", "ada\u202e", "a;b"]
)
def test_what_is_no_name(name: str) -> None:
    """Nothing that means something to a page, a header, a log or an eye that confuses letters."""
    assert "choose another one" in str(name_problem(name))


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("correct horse battery", None),
        ("p\u00e4ssw\u00f6rter \U0001f40e", None),
        ("x" * 11, "12 to 200 characters"),
        ("abcdefgh" * 25 + "i", "12 to 200 characters"),
        ("aaaaaaaabbbb", "different characters"),
        ("I am ADA and you?", "the person's name"),
    ],
)
def test_passwords(password: str, problem: str | None) -> None:
    """Long enough, not one key held down, and not the name."""
    found = password_problem(password, "ada")

    assert found is None if problem is None else problem in str(found)


@pytest.mark.parametrize("label", ["ci", "the export to the warehouse <b>", "a" * 100])
def test_labels(label: str) -> None:
    """Any words on one line."""
    assert label_problem(label) is None


@pytest.mark.parametrize("label", ["", " ", " ci", "a" * 101, "a\nb", "a\u202eb", "a\x00b"])
def test_what_is_no_label(label: str) -> None:
    """Nothing, too much, or signs that cannot be seen."""
    assert "what the token is for" in str(label_problem(label))


@pytest.mark.parametrize(
    ("session", "stands"),
    [
        (Session(ADA, NOW, NOW), True),
        (Session(ADA, NOW - 999, NOW - 99), True),
        (Session(ADA, NOW - 999, NOW - 100), False),
        (Session(ADA, NOW - 1_000, NOW), False),
        (Session(ADA, NOW + 5_000, NOW + 5_000), True),
        (Session(GONE, NOW, NOW), False),
    ],
)
def test_sessions(session: Session, stands: bool) -> None:
    """A session ends without requests, after a whole day's work, and with the account."""
    assert stands == session_stands(session, NOW, LIMITS)


@pytest.mark.parametrize(
    ("user", "expires_at", "stands"), [(ADA, NOW + 1, True), (ADA, NOW, False), (GONE, NOW + 1, False)]
)
def test_tokens(user: User, expires_at: int, stands: bool) -> None:
    """A token ends at its time, and with the account."""
    token = Token("0123456789ab", user, "ci", frozenset(), NOW - 1, expires_at, None)

    assert stands == token_stands(token, NOW)


def test_a_token_is_named_by_the_beginning_of_its_hash() -> None:
    """Enough to tell tokens apart, not enough to use one."""
    assert "0123456789ab" == token_id("0123456789abcdef" * 4)


@pytest.mark.parametrize(
    ("tries", "ago", "wait"),
    [
        (0, 0, 0),
        (ACCOUNT_TRIES - 1, 0, 0),
        (ACCOUNT_TRIES, 0, 1_000),
        (ACCOUNT_TRIES, 400, 600),
        (ACCOUNT_TRIES, 1_000, 0),
        (ACCOUNT_TRIES, 5_000, 0),
        (ACCOUNT_TRIES + 1, 0, 2_000),
        (ACCOUNT_TRIES + 4, 0, 16_000),
        (ACCOUNT_TRIES + 10, 0, WAIT_MS_MAX),
        (10**9, 0, WAIT_MS_MAX),
        (10**9, WAIT_MS_MAX - 1, 1),
        (10**9, FORGOTTEN_MS, 0),
        (ACCOUNT_TRIES, LEAK_MS, 0),
        (ACCOUNT_TRIES + 10, LEAK_MS, WAIT_MS_MAX - LEAK_MS),
        (ACCOUNT_TRIES, -5_000, 6_000),
    ],
)
def test_waiting(tries: int, ago: int, wait: int) -> None:
    """Some tries are free; then each failure doubles the wait, up to a quarter of an hour."""
    assert wait == wait_ms(Failures(tries, NOW - ago), ACCOUNT_TRIES, NOW)


@pytest.mark.parametrize(
    ("tries", "ago", "left"),
    [
        (0, 0, 0),
        (7, 0, 7),
        (7, LEAK_MS - 1, 7),
        (7, LEAK_MS, 6),
        (7, 5 * LEAK_MS, 2),
        (7, FORGOTTEN_MS, 0),
        (7, -LEAK_MS, 7),
    ],
)
def test_forgetting(tries: int, ago: int, left: int) -> None:
    """One failure every ten minutes, so that those of a whole week never add up; a clock set back forgets nothing."""
    assert left == remembered(Failures(tries, NOW - ago), NOW)
