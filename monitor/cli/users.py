"""`flopwatch users` and `flopwatch tokens`: who may use the console, and which programs read from it."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.app import console, decisions
from monitor.cli import show
from monitor.cli.options import config_option, json_option, state_option
from monitor.core.people import Token, User
from monitor.core.roles import SCOPES, Permission, Role
from monitor.settings import load_settings

PASSWORD_BYTES_MAX = 10_000  # of a file
role_option = click.option(
    "--role", type=click.Choice([role.value for role in Role]), required=True, help="What they may do."
)
password_option = click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A file that holds the password on its one line (default: it is asked for, twice).",
)


@click.group()
def users() -> None:
    """Accounts of the console. Whoever can write the store can change all of them."""


@users.command()
@click.argument("name")
@role_option
@password_option
@click.option("--no-password", is_flag=True, help="A trusted proxy signs them in (`console.user_header`).")
@state_option
@config_option
def add(
    name: str, role: str, password_file: Path | None, no_password: bool, state: Path | None, config: Path | None
) -> None:
    """Make an account for NAME."""
    settings = load_settings(config)
    password = None if no_password else _password(password_file)
    with console.accounts(settings, state, create=True) as accounts:
        accounts.add(name, Role(role), password, decisions.operator())
    click.echo(f"{name} is a user now, as {role}.")


@users.command("list")
@state_option
@json_option
@config_option
def list_users(state: Path | None, as_json: bool, config: Path | None) -> None:
    """List who has an account."""
    with console.accounts(load_settings(config), state) as accounts:
        found = accounts.users()
    if as_json:
        show.document([_user_document(user) for user in found])
    elif not found:
        click.echo("There are no users; `flopwatch users add NAME --role administrator` makes the first one.")
    else:
        rows = [
            (
                user.name,
                user.role,
                "password" if user.local else "proxy",
                show.instant(user.created_at),
                "-" if user.disabled_at is None else show.instant(user.disabled_at),
            )
            for user in found
        ]
        click.echo(show.table(("name", "role", "signs in by", "since", "disabled"), rows))


@users.command()
@click.argument("name")
@state_option
@config_option
def disable(name: str, state: Path | None, config: Path | None) -> None:
    """Let NAME in no longer; who is in is out at once."""
    with console.accounts(load_settings(config), state) as accounts:
        accounts.disable(name, decisions.operator())
    click.echo(f"{name} is disabled.")


@users.command()
@click.argument("name")
@state_option
@config_option
def enable(name: str, state: Path | None, config: Path | None) -> None:
    """Let NAME in again."""
    with console.accounts(load_settings(config), state) as accounts:
        accounts.enable(name, decisions.operator())
    click.echo(f"{name} is enabled.")


@users.command("erase")
@click.argument("name")
@click.option("--reason", required=True, help="Why; kept in the audit.")
@state_option
@config_option
def erase_user(name: str, reason: str, state: Path | None, config: Path | None) -> None:
    """Forget NAME, who has left: the account, and the name in cases. What they did stays, under a hash.

    Their account is disabled first, and no case may wait for them.
    """
    if not reason.strip():
        raise click.UsageError("Whoever erases somebody says why; --reason is empty.")
    with console.accounts(load_settings(config), state) as accounts:
        named = accounts.erase(name, reason.strip(), decisions.operator())
    rows = f"{named:,} row{'s' * (named != 1)} of cases"
    click.echo(f"{name} is erased: {rows} named them. What people wrote of them in sentences stays.")


@users.command("role")
@click.argument("name")
@role_option
@state_option
@config_option
def set_role(name: str, role: str, state: Path | None, config: Path | None) -> None:
    """Give NAME another role; it holds from the next request on."""
    with console.accounts(load_settings(config), state) as accounts:
        accounts.set_role(name, Role(role), decisions.operator())
    click.echo(f"{name} is {role} now.")


@users.command("password")
@click.argument("name")
@password_option
@state_option
@config_option
def set_password(name: str, password_file: Path | None, state: Path | None, config: Path | None) -> None:
    """Give NAME another password; all their sessions end."""
    settings = load_settings(config)
    password = _password(password_file)
    with console.accounts(settings, state) as accounts:
        accounts.set_password(name, password, decisions.operator())
    click.echo(f"{name} has another password.")


@click.group()
def tokens() -> None:
    """Tokens by which programs read what a person may see."""


@tokens.command("add")
@click.argument("name")
@click.option("--for", "label", required=True, help="What it is for; people tell tokens apart by it.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(sorted(scope.value for scope in SCOPES)),
    multiple=True,
    required=True,
    help="What it may do; once for each.",
)
@click.option("--days", type=int, default=90, show_default=True, help="How long it stands.")
@state_option
@config_option
def add_token(
    name: str, label: str, scopes: tuple[str, ...], days: int, state: Path | None, config: Path | None
) -> None:
    """Make a token of NAME, and print it: this once."""
    with console.accounts(load_settings(config), state) as accounts:
        made = accounts.add_token(name, label, [Permission(scope) for scope in scopes], days, decisions.operator())
    click.echo(f"Token {made.token.id} of {name} stands until {show.instant(made.token.expires_at)}.", err=True)
    click.echo(made.secret)


@tokens.command("list")
@state_option
@json_option
@config_option
def list_tokens(state: Path | None, as_json: bool, config: Path | None) -> None:
    """List the tokens of everybody."""
    with console.accounts(load_settings(config), state) as accounts:
        found = accounts.tokens()
    if as_json:
        show.document([_token_document(token) for token in found])
    elif not found:
        click.echo("There are no tokens.")
    else:
        rows = [
            (
                token.id,
                token.user.name,
                show.plain(token.label),
                ", ".join(sorted(token.scopes)),
                show.instant(token.expires_at),
                "-" if token.used_at is None else show.instant(token.used_at),
            )
            for token in found
        ]
        click.echo(show.table(("token", "of", "for", "may", "ends", "last used"), rows))


@tokens.command("revoke")
@click.argument("token")
@state_option
@config_option
def revoke_token(token: str, state: Path | None, config: Path | None) -> None:
    """Let the program that has TOKEN in no longer."""
    with console.accounts(load_settings(config), state) as accounts:
        accounts.revoke_token(token, None, decisions.operator())
    click.echo(f"Token {token} is revoked.")


def _password(file: Path | None) -> str:
    if file is None:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt="The same again", err=True))
    try:
        with file.open(encoding="utf-8") as opened:
            text = opened.read(PASSWORD_BYTES_MAX)
    except (OSError, UnicodeDecodeError):
        raise click.UsageError(f"{file} cannot be read: it holds the password as UTF-8 on one line.") from None
    return text.removesuffix("\n").removesuffix("\r")


def _user_document(user: User) -> dict[str, object]:
    return {
        "name": user.name,
        "role": user.role.value,
        "signs_in_by": "password" if user.local else "proxy",
        "created_at": show.instant(user.created_at),
        "disabled_at": None if user.disabled_at is None else show.instant(user.disabled_at),
    }


def _token_document(token: Token) -> dict[str, object]:
    return {
        "token": token.id,
        "user": token.user.name,
        "for": token.label,
        "scopes": sorted(token.scopes),
        "created_at": show.instant(token.created_at),
        "expires_at": show.instant(token.expires_at),
        "used_at": None if token.used_at is None else show.instant(token.used_at),
    }
