"""The pages of accounts: one's own, and those of others for administrators."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

import pytest

from monitor.core.people import ACCOUNT_TRIES, TOKENS_MAX
from monitor.core.roles import SCOPES, Permission, Role
from monitor.web.pages.users import USERS_AT_ONCE
from tests.web.browsing import NOW, PASSWORD, TEST, Browser, House

SECRET = re.compile(r'<code class="secret">([^<]+)</code>')
NEW = "another horse battery"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def administrator(house: House) -> Browser:
    return house.signed_in("administrator")


def change(browser: Browser, current: str = PASSWORD, new: str = NEW, again: str = NEW) -> tuple[int, str]:
    answer = browser.post("/me/password", {"current": current, "new": new, "again": again})
    return answer.status_code, answer.text


# -- one's own ---------------------------------------------------------------------------------------------------------


def test_a_new_password_holds_from_now_on(house: House) -> None:
    """The browser that changed it stays signed in, by a new session; all others are out."""
    here, elsewhere = house.signed_in("viewer"), house.signed_in("viewer")
    before = dict(here.cookies)

    assert 303 == change(here)[0]
    assert before != dict(here.cookies)
    assert [200, 303] == [browser.get("/me").status_code for browser in (here, elsewhere)]
    assert [401, 303] == [house.browser().sign_in("viewer", one).status_code for one in (PASSWORD, NEW)]


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"current": "wrong"}, "That is not your password now."),
        ({"again": "something else"}, "The two new passwords differ"),
        ({"new": "short", "again": "short"}, "12 to 200 characters"),
        ({"new": "I am Viewer and well", "again": "I am Viewer and well"}, "name in it"),
    ],
)
def test_a_password_that_cannot_be_changed(house: House, form: dict[str, str], sentence: str) -> None:
    """The page says why, and the old one holds."""
    browser = house.signed_in("viewer")

    status, text = change(browser, **form)
    assert (400, True) == (status, sentence in text)
    assert 200 == browser.get("/me").status_code
    assert 303 == house.browser().sign_in("viewer").status_code


def test_whoever_sits_down_at_a_desk_cannot_try_passwords_for_ever(house: House) -> None:
    """Tries there count as tries to sign in do."""
    browser = house.signed_in("viewer")
    for _ in range(ACCOUNT_TRIES):
        change(browser, current="wrong")

    assert "Too many tries have failed" in change(browser)[1]


def test_a_token_is_made_shown_once_and_revoked(house: House) -> None:
    """The page that makes it has its secret; the list has not. Revoked, it is worth nothing."""
    browser = house.signed_in("auditor")
    form = {"label": f"warehouse {SCRIPT}", "scope": ["view_cases", "see_audit"], "days": "30"}

    page = browser.post("/me/tokens", form)
    (secret,) = SECRET.findall(page.text)
    assert SCRIPT not in page.text
    token = house.accounts.token(secret)
    assert token is not None
    assert {Permission.VIEW_CASES, Permission.SEE_AUDIT} == token.scopes
    later = browser.get("/me").text
    assert secret not in later
    assert token.id in later
    assert "warehouse &lt;script&gt;" in later

    assert 303 == browser.post(f"/me/tokens/{token.id}/revoke", {}).status_code
    assert house.accounts.token(secret) is None
    assert "You have none." in browser.get("/me").text


def test_tokens_of_others_stay(house: House) -> None:
    """Nobody revokes them on their own page, nor learns of them there."""
    made = house.accounts.add_token("auditor", "ci", [Permission.VIEW_CASES], 1, TEST)
    browser = house.signed_in("viewer")

    answer = browser.post(f"/me/tokens/{made.token.id}/revoke", {})
    assert (400, True) == (answer.status_code, "There is no such token" in answer.text)
    assert made.token.id not in browser.get("/me").text
    assert house.accounts.token(made.secret) is not None


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({}, "Choose what the token may see"),
        ({"label": "ci", "days": "30"}, "A token needs scopes"),
        ({"label": "ci", "scope": "decide", "days": "30"}, "A token needs scopes"),
        ({"label": "ci", "scope": "manage_users", "days": "30"}, "A token needs scopes"),
        ({"label": "ci", "scope": SCRIPT, "days": "30"}, "Choose what the token may see"),
        ({"label": "", "scope": "view_cases", "days": "30"}, "what the token is for"),
        ({"label": "a\u202eb", "scope": "view_cases", "days": "30"}, "what the token is for"),
        ({"label": "ci", "scope": "view_cases", "days": "0"}, "1 to 366 days"),
        ({"label": "ci", "scope": "view_cases", "days": "367"}, "1 to 366 days"),
        ({"label": "ci", "scope": "view_cases", "days": "9" * 5_000}, "Choose what the token may see"),
    ],
)
def test_tokens_that_cannot_be_made(house: House, form: dict[str, str], sentence: str) -> None:
    """The page says what is expected, and none is made."""
    answer = house.signed_in("viewer").post("/me/tokens", form)

    assert (400, True) == (answer.status_code, sentence in answer.text)
    assert [] == house.accounts.tokens()


def test_a_role_is_offered_the_scopes_that_it_has(house: House) -> None:
    """A viewer cannot give a program more than a viewer sees, whatever the form says."""
    browser = house.signed_in("viewer")
    assert ["view_cases"] == re.findall(r'name="scope" value="(\w+)"', browser.get("/me").text)

    page = browser.post("/me/tokens", {"label": "ci", "scope": ["view_cases", "see_audit"], "days": "1"})
    bearer = {"Authorization": f"Bearer {SECRET.findall(page.text)[0]}"}
    assert 403 == house.browser().send("GET", "/users", bearer).status_code


# -- those of others ---------------------------------------------------------------------------------------------------


def test_an_administrator_adds_somebody(house: House, administrator: Browser) -> None:
    """The page shows a password of chance once; with it the new person signs in."""
    page = administrator.post("/users", {"name": "Ada@Example.org", "role": "reviewer"})
    (password,) = SECRET.findall(page.text)

    assert 200 == page.status_code
    assert 303 == house.browser().sign_in("ada@example.org", password).status_code
    later = administrator.get("/users").text
    assert "ada@example.org" in later
    assert password not in later


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"name": "viewer", "role": "viewer"}, "There is a user viewer already"),
        ({"name": "ada", "role": "emperor"}, "Choose one of the roles"),
        ({"name": "ada"}, "Choose one of the roles"),
        ({"name": "", "role": "viewer"}, "1 to 64 small letters"),
        ({"name": SCRIPT, "role": "viewer"}, "1 to 64 small letters"),
        ({"name": "a\r\nSet-Cookie: x=y", "role": "viewer"}, "1 to 64 small letters"),
        ({"name": '"><img src=x onerror=alert(1)>', "role": "viewer"}, "1 to 64 small letters"),
    ],
)
def test_nobody_is_added_wrongly(house: House, administrator: Browser, form: dict[str, str], sentence: str) -> None:
    """The page says why, shows what was typed as text, and nothing has changed."""
    answer = administrator.post("/users", form)

    assert (400, True) == (answer.status_code, sentence in answer.text)
    assert SCRIPT not in answer.text
    assert "<img" not in answer.text
    assert len(Role) == len(house.accounts.users())


def test_an_administrator_changes_roles_and_locks_out(house: House, administrator: Browser) -> None:
    """Each holds at once for who is signed in."""
    browser = house.signed_in("viewer")
    assert 303 == administrator.post("/users/viewer/role", {"role": "administrator"}).status_code
    assert 200 == browser.get("/users").status_code

    assert 303 == administrator.post("/users/viewer/disable", {}).status_code
    assert 303 == browser.get("/me").status_code
    assert "disabled 2027-01-15" in administrator.get("/users").text
    assert "disabled 2027-01-15" in administrator.get("/users/viewer").text
    assert 401 == house.browser().sign_in("viewer").status_code

    assert 303 == administrator.post("/users/viewer/enable", {}).status_code
    assert 303 == house.browser().sign_in("viewer").status_code


def test_an_administrator_gives_a_new_password(house: House, administrator: Browser) -> None:
    """Whoever had the old one is out."""
    browser = house.signed_in("viewer")
    (password,) = SECRET.findall(administrator.post("/users/viewer/password", {}).text)

    assert 303 == browser.get("/me").status_code
    assert [401, 303] == [house.browser().sign_in("viewer", one).status_code for one in (PASSWORD, password)]


def test_an_administrator_revokes_a_token(house: House, administrator: Browser) -> None:
    """On the page of whose it is, which has what it is for as text."""
    made = house.accounts.add_token("viewer", SCRIPT, [Permission.VIEW_CASES], 1, TEST)
    page = administrator.get("/users/viewer").text
    assert (True, False) == (made.token.id in page, SCRIPT in page)

    for name, status in (("auditor", 400), ("viewer", 303)):
        assert status == administrator.post(f"/users/{name}/tokens/{made.token.id}/revoke", {}).status_code
    assert house.accounts.token(made.secret) is None


def test_many_users_are_shown_a_hundred_at_a_time(house: House, administrator: Browser) -> None:
    """Each page under a hundred kilobytes; from one to the next everybody is there once."""
    for number in range(2 * USERS_AT_ONCE):
        house.people.add_user(f"p+{number:03d}.{'x' * 57}", Role.SENIOR_REVIEWER, None, TEST, NOW)
    path, names = "/users", list[str]()
    while path:
        page = administrator.get(path).text
        assert len(page.encode()) < 100_000
        names += [unquote(name) for name in re.findall(r'<a href="/users/([^"]+)"', page)]
        further = re.search(r'<a href="(/users\?after=[^"]+)"', page)
        path = further[1] if further else ""

    assert [user.name for user in house.accounts.users()] == names
    assert 200 == administrator.get(f"/users/{quote(names[150])}").status_code


def test_tokens_of_one_person_have_a_maximum(house: House) -> None:
    """The page says what to do; with all of them it is under a hundred kilobytes."""
    for _ in range(TOKENS_MAX):
        house.accounts.add_token("auditor", "x" * 100, list(SCOPES), 1, TEST)
    browser = house.signed_in("auditor")

    answer = browser.post("/me/tokens", {"label": "ci", "scope": "view_cases", "days": "1"})
    assert (400, True) == (answer.status_code, "revoke those that are over" in answer.text)
    assert len(answer.content) < 100_000


@pytest.mark.parametrize(
    ("path", "form", "sentence"),
    [
        ("/users/administrator/role", {"role": "senior-reviewer"}, "Nobody changes their own role"),
        ("/users/administrator/disable", {}, "Nobody locks themselves out"),
        ("/users/nobody/role", {"role": "viewer"}, "There is no such user"),
        ("/users/nobody/disable", {}, "There is no such user"),
        ("/users/nobody/enable", {}, "There is no such user"),
        ("/users/nobody/password", {}, "There is no such user"),
        ("/users/%3Cscript%3Ealert(1)%3C%2Fscript%3E/role", {"role": "viewer"}, "There is no such page"),
        ("/users/%3Cscript%3E/enable", {}, "There is no such user"),
        ("/users/viewer/tokens/0123456789ab/revoke", {}, "There is no such token"),
        ("/users/viewer/role", {"role": "emperor"}, "Choose one of the roles"),
    ],
)
def test_what_an_administrator_cannot_do(
    house: House, administrator: Browser, path: str, form: dict[str, str], sentence: str
) -> None:
    """Nobody lets themselves decide, or loses the last account."""
    answer = administrator.post(path, form)

    assert answer.status_code == (404 if "There is no such" in sentence and "token" not in sentence else 400)
    assert sentence in answer.text
    assert "<script>" not in answer.text
    assert {role.value: role for role in Role} == {user.name: user.role for user in house.accounts.users()}
    assert [None] * len(Role) == [user.disabled_at for user in house.accounts.users()]


def test_behind_a_trusted_proxy_accounts_have_no_password(tmp_path_factory: pytest.TempPathFactory) -> None:
    """None is made, and none is offered."""
    house = House(tmp_path_factory.mktemp("house"), proxies=["10.0.0.5"], user_header="X-Remote-User")
    browser = house.browser(address="10.0.0.5", headers={"X-Remote-User": "administrator"})
    browser.get("/sign-in")
    page = browser.get("/users/viewer")

    assert "new password" not in page.text
    assert 303 == browser.post("/users", {"name": "ada@example.org", "role": "viewer"}).status_code
    assert 400 == browser.post("/users", {"name": "ada@example.org", "role": "viewer"}).status_code
    assert [False] == [user.local for user in house.accounts.users() if user.name == "ada@example.org"]
    house.close()
