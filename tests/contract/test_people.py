"""Accounts, sessions and tokens in each kind of database: what is written, what ends with what, and who must wait."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text

from monitor.core.audit import OPERATOR, Person
from monitor.core.people import FORGOTTEN_MS, LEAK_MS, USER, Limits, Session, Token, User, token_id
from monitor.core.roles import Permission, Role
from monitor.errors import PeopleProblem, StoreProblem
from monitor.store.auditing import resolve
from monitor.store.people import SESSIONS_MAX, People
from monitor.store.sql import SqlStore

NOW = 1_800_000_000_000
LIMITS = Limits(idle_ms=1_000, whole_ms=10_000)
HASH = "0123456789abcdef" * 4
ADA = User("ada", Role.REVIEWER, NOW, None, True)


ROOT = Person(OPERATOR, "root")
BY_ADA = Person(USER, "ada")


@pytest.fixture
def people(url: str) -> Iterator[People]:
    people = People.open(url)
    people.add_user("ada", Role.REVIEWER, "argon", ROOT, NOW)
    yield people
    people.close()


def acts(url: str) -> list[tuple[str, str, str, object]]:
    """What the audit says: who did what to whom, and what else; names are those of people who are known."""
    store = SqlStore.open(url)
    rows = [row.entry for row in store.audit.chain()]
    with store._database.reading() as connection:
        known = resolve(connection, {name for row in rows for name in (row.actor, row.subject)})
    store.close()
    return [(known[row.actor].shown, row.act, known[row.subject].shown, json.loads(row.body)) for row in rows]


def test_an_account_is_kept_as_it_was_made(people: People, url: str) -> None:
    """Name, role, and the hash of the password beside it; without one, the account is not local."""
    people.add_user("bob", Role.ADMINISTRATOR, None, BY_ADA, NOW + 1)

    bob = User("bob", Role.ADMINISTRATOR, NOW + 1, None, False)
    assert [ADA, bob] == people.users()
    assert ([ADA], [bob], []) == (people.users(limit=1), people.users("ada", 5), people.users("bob"))
    assert (ADA, "argon") == people.user("ada")
    assert (bob, None) == people.user("bob")
    assert people.user("eve") is None
    body = {"role": "administrator", "password": False}
    assert ("ada (user)", "user.added", "bob (user)", body) == acts(url)[-1]


def test_a_name_is_given_once(people: People, url: str) -> None:
    """The second account of a name changes nothing of the first."""
    with pytest.raises(PeopleProblem, match="There is a user ada already"):
        people.add_user("ada", Role.ADMINISTRATOR, "other", ROOT, NOW)

    assert (ADA, "argon") == people.user("ada")
    assert 1 == len(acts(url))


def test_nobody_is_changed_who_is_not_there(people: People) -> None:
    """Each change names who is missing."""
    for change in (
        lambda: people.set_role("eve", Role.VIEWER, ROOT, NOW),
        lambda: people.set_password("eve", "x", ROOT, NOW),
        lambda: people.disable("eve", ROOT, NOW),
        lambda: people.enable("eve", ROOT, NOW),
    ):
        with pytest.raises(PeopleProblem, match="There is no user eve"):
            change()


def test_a_session_has_its_person_as_of_now(people: People) -> None:
    """Another role holds from the next look on, without signing in again."""
    people.begin_session(HASH, "ada", NOW, LIMITS)
    people.see_session(HASH, NOW + 5)
    people.set_role("ada", Role.VIEWER, ROOT, NOW + 6)

    assert Session(ADA._replace(role=Role.VIEWER), NOW, NOW + 5) == people.session(HASH)
    assert people.session("f" * 64) is None


def test_who_is_disabled_is_out_at_once(people: People, url: str) -> None:
    """All sessions are gone; being enabled again brings none back."""
    people.begin_session(HASH, "ada", NOW, LIMITS)
    people.disable("ada", ROOT, NOW + 1)

    assert people.session(HASH) is None
    assert NOW + 1 == people.users()[0].disabled_at
    people.enable("ada", ROOT, NOW + 2)
    assert people.session(HASH) is None
    assert [ADA] == people.users()
    assert ["user.disabled", "user.enabled"] == [act for _, act, _, _ in acts(url)[-2:]]


def test_another_password_ends_all_sessions(people: People) -> None:
    """Whoever took the old one is out."""
    people.begin_session(HASH, "ada", NOW, LIMITS)
    people.set_password("ada", "new", BY_ADA, NOW + 1)

    assert people.session(HASH) is None
    assert (ADA, "new") == people.user("ada")


def test_who_signs_out_is_out(people: People, url: str) -> None:
    """Once; a second time there is nothing to end, and nothing is noted."""
    people.begin_session(HASH, "ada", NOW, LIMITS)
    for _ in range(2):
        people.end_session(HASH, "ada", NOW + 1)

    assert people.session(HASH) is None
    assert ["user.added", "user.signed_in", "user.signed_out"] == [act for _, act, _, _ in acts(url)]


def test_sessions_that_no_longer_stand_go(people: People) -> None:
    """With the next person who signs in: those that were idle, and those that are too old however busy."""
    people.add_user("bob", Role.VIEWER, None, ROOT, NOW)
    for hash, seen in (("idle", NOW), ("busy", NOW + 9_500)):
        people.begin_session(hash, "ada", NOW, Limits())
        people.see_session(hash, seen)
    people.begin_session("first", "bob", NOW + 9_999, LIMITS)
    assert [False, True] == [people.session(hash) is not None for hash in ("idle", "busy")]

    people.see_session("busy", NOW + 9_999)
    people.begin_session("second", "bob", NOW + 10_000, LIMITS)
    assert [False, True] == [people.session(hash) is not None for hash in ("busy", "first")]


def test_one_person_has_so_many_sessions_at_most(people: People) -> None:
    """The one that was used least recently makes room, never the new one, and never that of another person."""
    people.add_user("bob", Role.VIEWER, None, ROOT, NOW)
    people.begin_session("bob's", "bob", NOW, Limits())
    for number in range(SESSIONS_MAX):
        people.begin_session(str(number), "ada", NOW, Limits())
        people.see_session(str(number), NOW + 10 - (number == 7))
    people.begin_session("new", "ada", NOW, Limits())

    hashes = (*map(str, range(SESSIONS_MAX)), "new", "bob's")
    assert ["7"] == [hash for hash in hashes if people.session(hash) is None]


def token(hash: str, user: User = ADA, label: str = "ci") -> Token:
    scopes = frozenset({Permission.VIEW_CASES, Permission.EXPORT})
    return Token(token_id(hash), user, label, scopes, NOW, NOW + 100, None)


def test_a_token_is_kept_by_its_hash(people: People, url: str) -> None:
    """With its scopes, its end, and when it was last used."""
    people.add_token(HASH, token(HASH), ROOT)
    people.use_token(HASH, NOW + 7)

    assert token(HASH)._replace(used_at=NOW + 7) == people.token(HASH)
    assert people.token("f" * 64) is None
    body = {"token": "0123456789ab", "scopes": ["export", "view_cases"], "expires_at": NOW + 100}
    assert ("root (operating system user)", "token.added", "ada (user)", body) == acts(url)[-1]


def test_tokens_are_listed_and_revoked(people: People, url: str) -> None:
    """By the id that the list shows; one's own only where one is named."""
    people.add_user("bob", Role.VIEWER, None, ROOT, NOW)
    bob = User("bob", Role.VIEWER, NOW, None, False)
    mine, other = token(HASH), token("f" * 64, bob, "<script>alert(1)</script>")
    people.add_token(HASH, mine, BY_ADA)
    people.add_token("f" * 64, other, Person(USER, "bob"))
    assert ([mine, other], [mine], [other]) == (people.tokens(), people.tokens("ada"), people.tokens("bob"))

    for id, user in (("f" * 12, "ada"), ("%", None), ("", None), (HASH, None)):
        with pytest.raises(PeopleProblem, match="There is no such token"):
            people.revoke_token(id, user, BY_ADA, NOW)
    people.revoke_token("f" * 12, None, ROOT, NOW)
    assert [mine] == people.tokens()
    body = {"token": "f" * 12}
    assert ("root (operating system user)", "token.revoked", "bob (user)", body) == acts(url)[-1]
    people.revoke_token("0123456789ab", "ada", BY_ADA, NOW)
    assert [] == people.tokens()


def test_nothing_is_changed_that_the_audit_cannot_have(people: People, url: str) -> None:
    """A change and its row of the audit are one transaction."""
    people.begin_session(HASH, "ada", NOW, LIMITS)
    people.add_token(HASH, token(HASH), BY_ADA)
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text("drop table audit"))
    engine.dispose()
    for change in (
        lambda: people.add_user("bob", Role.VIEWER, None, ROOT, NOW),
        lambda: people.set_role("ada", Role.ADMINISTRATOR, BY_ADA, NOW),
        lambda: people.disable("ada", ROOT, NOW),
        lambda: people.end_session(HASH, "ada", NOW),
        lambda: people.revoke_token("0123456789ab", None, ROOT, NOW),
    ):
        with pytest.raises(StoreProblem):
            change()

    assert [ADA] == people.users()
    assert people.session(HASH) is not None
    assert 1 == len(people.tokens())


def test_who_fails_again_and_again_must_wait(people: People) -> None:
    """For an account, or an address, that has used up its free tries; a try that must wait counts for nothing."""
    free = {"account": 2, "address": 3}

    assert [0, 0, 1_000, 1_000] == [people.try_to_sign_in(free, NOW) for _ in range(4)]
    assert 0 == people.try_to_sign_in({"other account": 2, "address": 3}, NOW)
    assert 1_000 == people.try_to_sign_in({"third account": 2, "address": 3}, NOW)
    assert 0 == people.try_to_sign_in({"account": 2}, NOW + 1_000)
    assert 2_000 == people.try_to_sign_in({"account": 2}, NOW + 1_000)


def test_who_signs_in_is_forgiven(people: People) -> None:
    """Their account altogether, the address that one try only: others may share it, or be tried from it."""
    free = {"account": 1, "address": 3}
    for at in range(10):
        assert 0 == people.try_to_sign_in(free, NOW + at)
        people.forgive("account", "address")
    for number in range(3):
        assert 0 == people.try_to_sign_in({str(number): 1, "address": 3}, NOW + 10)

    assert 1_000 == people.try_to_sign_in(free, NOW + 10)


def test_failures_are_forgotten_in_time(people: People, url: str) -> None:
    """Nobody waits for what failed a day ago, and the store does not fill up with it."""
    for _ in range(2):
        people.try_to_sign_in({"account": 2}, NOW)
    assert 0 == people.try_to_sign_in({"another": 2}, NOW + FORGOTTEN_MS)

    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        assert ["another"] == connection.execute(text("select origin from failed_sign_ins")).scalars().all()
    engine.dispose()


def test_an_office_that_fails_now_and_then_does_not_wait(people: People) -> None:
    """One failure is forgotten every ten minutes: those of a long day do not add up."""
    for number in range(50):
        assert 0 == people.try_to_sign_in({"address": 3}, NOW + number * LEAK_MS)

    for _ in range(3):
        assert 0 == people.try_to_sign_in({"address": 3}, NOW + 50 * LEAK_MS)
    assert 1_000 == people.try_to_sign_in({"address": 3}, NOW + 50 * LEAK_MS)


def test_tries_at_once_are_all_counted(people: People) -> None:
    """Whoever tries from many connections has as few free tries as from one."""
    waits: list[int] = []
    together = threading.Barrier(8)

    def try_once() -> None:
        together.wait()
        waits.append(people.try_to_sign_in({"account": 8, "address": 100}, NOW))

    threads = [threading.Thread(target=try_once) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [0] * 8 == waits
    assert 1_000 == people.try_to_sign_in({"account": 8}, NOW)
