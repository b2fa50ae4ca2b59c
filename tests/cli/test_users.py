"""`flopwatch users` and `flopwatch tokens`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.app import console, decisions
from monitor.cli import flopwatch as command
from monitor.settings import Settings
from tests.cli.command import Ran, flopwatch

PASSWORD = "correct horse battery"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "books.db"


def add(state: Path, name: str = "ada", role: str = "reviewer", password: str = PASSWORD) -> Ran:
    file = state.with_name("password")
    file.write_text(f"{password}\n", encoding="utf-8")
    return flopwatch("users", "add", name, "--role", role, "--password-file", file, "--state", state)


def signs_in(state: Path, name: str, password: str) -> bool:
    with console.accounts(Settings(), state) as accounts:
        return accounts.sign_in(name, password, "127.0.0.1").session is not None


def test_an_account_is_made_in_a_new_store(state: Path) -> None:
    """Before there is anything else in it; the password is that of the file, without its line end."""
    ran = add(state)

    assert (0, "ada is a user now, as reviewer.\n", "") == ran
    assert signs_in(state, "ada", PASSWORD)
    (user,) = flopwatch("users", "list", "--state", state, "--json").document
    assert ("ada", "reviewer", "password", None) == tuple(
        user[key] for key in ("name", "role", "signs_in_by", "disabled_at")
    )


def test_a_password_is_asked_for_twice(state: Path) -> None:
    """What is typed is not shown; two that differ are asked for again."""
    arguments = ["users", "add", "ada", "--role", "viewer", "--state", str(state)]
    typed = f"{PASSWORD}\nother\n{PASSWORD}\n{PASSWORD}\n"
    ran = CliRunner().invoke(command, arguments, input=typed)

    assert 0 == ran.exit_code
    assert "do not match" in ran.stderr
    assert PASSWORD not in ran.output
    assert signs_in(state, "ada", PASSWORD)


@pytest.mark.parametrize(
    ("name", "role", "password", "sentence"),
    [
        ("Ada", "viewer", PASSWORD, "small letters"),
        ("<script>", "viewer", PASSWORD, "small letters"),
        ("ada", "emperor", PASSWORD, "is not one of 'viewer', 'reviewer', 'senior-reviewer'"),
        ("ada", "viewer", "short", "12 to 200 characters"),
        ("ada", "viewer", "", "12 to 200 characters"),
        ("ada", "viewer", "x" * 20_000, "12 to 200 characters"),
    ],
)
def test_accounts_that_cannot_be_made(state: Path, name: str, role: str, password: str, sentence: str) -> None:
    """One sentence each."""
    ran = add(state, name, role, password)

    assert (2, True) == (ran.code, sentence in ran.err)
    assert not password or password not in ran.err


def test_a_file_that_is_no_text_is_named(state: Path) -> None:
    """A key or a picture is no password."""
    file = state.with_name("password")
    file.write_bytes(b"\xff\xfe" * 100)
    ran = flopwatch("users", "add", "ada", "--role", "viewer", "--password-file", file, "--state", state)

    assert (2, True) == (ran.code, "cannot be read" in ran.err)


def test_a_name_is_given_once(state: Path) -> None:
    """The second account is refused."""
    add(state)

    assert (2, True) == ((ran := add(state)).code, "There is a user ada already" in ran.err)


def test_accounts_are_changed(state: Path) -> None:
    """Role, password, disabled and enabled; each says what it did."""
    add(state)
    new = state.with_name("new")
    new.write_text("another horse battery", encoding="utf-8")

    told = [
        flopwatch("users", *words, "--state", state)
        for words in (
            ("role", "ada", "--role", "auditor"),
            ("password", "ada", "--password-file", new),
            ("disable", "ada"),
        )
    ]
    assert [0] * 3 == [ran.code for ran in told]
    assert "ada is auditor now.\nada has another password.\nada is disabled.\n" == "".join(ran.out for ran in told)
    listed = flopwatch("users", "list", "--state", state).out
    assert "auditor" in listed
    assert not signs_in(state, "ada", "another horse battery")
    assert "ada is enabled.\n" == flopwatch("users", "enable", "ada", "--state", state).out
    assert signs_in(state, "ada", "another horse battery")


@pytest.mark.parametrize("words", [("disable",), ("enable",), ("role", "--role", "viewer"), ("password",)])
def test_nobody_is_changed_who_is_not_there(state: Path, words: tuple[str, ...]) -> None:
    """The sentence names who is missing."""
    add(state)
    more = ("--password-file", state.with_name("password")) if words == ("password",) else ()
    ran = flopwatch("users", words[0], "eve", *words[1:], *more, "--state", state)

    assert (2, True) == (ran.code, "There is no user eve" in ran.err)


def test_without_users_the_list_says_how_to_make_one(state: Path) -> None:
    """A store that is not there is not made by looking."""
    ran = flopwatch("users", "list", "--state", state)
    assert (2, False) == (ran.code, state.exists())

    with console.accounts(Settings(), state, create=True):
        pass
    assert "flopwatch users add NAME --role administrator" in flopwatch("users", "list", "--state", state).out


def test_behind_a_trusted_proxy_nobody_needs_a_password(state: Path) -> None:
    """And without one nobody signs in with one."""
    ran = flopwatch("users", "add", "ada@example.org", "--role", "viewer", "--no-password", "--state", state)

    assert 0 == ran.code
    assert "proxy" in flopwatch("users", "list", "--state", state).out
    assert not signs_in(state, "ada@example.org", "")


def test_a_token_is_printed_once(state: Path) -> None:
    """Alone on standard output, for a program to take; the list names it by a part of its hash."""
    add(state)
    assert "There are no tokens.\n" == flopwatch("tokens", "list", "--state", state).out
    words = ("--for", "ci", "--scope", "view_cases", "--scope", "export", "--days", "7")
    ran = flopwatch("tokens", "add", "ada", *words, "--state", state)

    secret = ran.out.strip()
    assert secret.startswith("flopwatch_")
    assert "of ada stands until" in ran.err
    (token,) = flopwatch("tokens", "list", "--state", state, "--json").document
    assert ("ada", "ci", ["export", "view_cases"], None) == tuple(
        token[key] for key in ("user", "for", "scopes", "used_at")
    )
    with console.accounts(Settings(), state) as accounts:
        assert accounts.token(secret) is not None
    listed = flopwatch("tokens", "list", "--state", state).out
    assert token["token"] in listed
    assert secret not in listed

    assert (
        f"Token {token['token']} is revoked.\n" == flopwatch("tokens", "revoke", token["token"], "--state", state).out
    )
    with console.accounts(Settings(), state) as accounts:
        assert accounts.token(secret) is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("add", "eve", "--for", "ci", "--scope", "export"), "There is no user eve"),
        (("add", "ada", "--for", "", "--scope", "export"), "what the token is for"),
        (("add", "ada", "--for", "ci", "--scope", "decide"), "is not one of 'export', 'see_audit'"),
        (("add", "ada", "--for", "ci"), "Missing option '--scope'"),
        (("add", "ada", "--for", "ci", "--scope", "export", "--days", "1000"), "1 to 366 days"),
        (("revoke", "0123456789ab"), "There is no such token"),
    ],
)
def test_tokens_that_cannot_be(state: Path, words: tuple[str, ...], sentence: str) -> None:
    """One sentence each."""
    add(state)
    ran = flopwatch("tokens", *words, "--state", state)

    assert (2, True) == (ran.code, sentence in ran.err)


def test_what_is_done_is_audited(state: Path) -> None:
    """By the user of the operating system, with what was done, and nothing that is secret."""
    add(state)
    made = flopwatch("tokens", "add", "ada", "--for", "ci", "--scope", "export", "--state", state)
    flopwatch("users", "disable", "ada", "--state", state)

    rows = flopwatch("audit", "list", "--state", state, "--json").document
    assert ["user.disabled", "token.added", "user.added"] == [row["act"] for row in rows]
    assert {f"{decisions.operator().value} (operating system user)"} == {row["who"] for row in rows}
    assert not {PASSWORD, made.out.strip(), "argon2"} & set(str(rows).split())
    assert 0 == flopwatch("audit", "verify", "--state", state).code
