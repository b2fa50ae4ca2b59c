"""Signing in and out, and how long one is in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.core.people import ACCOUNT_TRIES, ADDRESS_TRIES
from monitor.core.roles import Role
from monitor.web.sessions import PLAIN_COOKIE, SECURE_COOKIE
from tests.web.browsing import NOW, ORIGIN, PASSWORD, TEST, Browser, House

MINUTE, HOUR = 60_000, 3_600_000
SIGN_INS = "flopwatch_console_sign_ins_total"


@pytest.fixture
def browser(house: House) -> Browser:
    return house.browser()


def test_who_has_not_signed_in_is_asked_to(browser: Browser) -> None:
    """And comes back to the page that they wanted."""
    asked = browser.get("/users?page=2")

    assert (303, "/sign-in?next=%2Fusers%3Fpage%3D2") == (asked.status_code, asked.headers["Location"])
    assert 'name="next" value="/users?page=2"' in browser.get(asked.headers["Location"]).text
    told = browser.sign_in("administrator", next="/users?page=2")
    assert (303, "/users?page=2") == (told.status_code, told.headers["Location"])
    assert 200 == browser.get("/users").status_code


@pytest.mark.parametrize(
    "next",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "",
        "users",
        "/a\r\nX: y",
        "/é",
    ],
)
def test_nobody_is_sent_elsewhere(browser: Browser, next: str) -> None:
    """Whatever a link to the sign-in page says, it leads to a page of ours."""
    assert "/" == browser.sign_in("viewer", next=next).headers["Location"]


def test_the_cookie_is_bound_to_this_host(browser: Browser) -> None:
    """Over https only, for no script, for no other host of the same site, and gone with the browser."""
    cookie = browser.post("/sign-in", {"name": "viewer", "password": PASSWORD}).headers["Set-Cookie"]

    name, *attributes = [part.strip().lower() for part in cookie.split(";")]
    assert re.fullmatch(rf"{SECURE_COOKIE.lower()}=\d+-is-the-number-of-this-secret-one", name)
    assert ["httponly", "path=/", "samesite=lax", "secure"] == sorted(attributes)


def test_on_the_loopback_address_the_cookie_is_a_plain_one(tmp_path: Path) -> None:
    """Not every browser takes a secure cookie there."""
    house = House(tmp_path, origin=None)
    browser = house.browser(address="127.0.0.1")

    cookie = browser.sign_in("viewer").headers["Set-Cookie"]
    assert cookie.startswith(f"{PLAIN_COOKIE}=0")
    assert "secure" not in cookie.split(";", 1)[1].lower()
    assert "Strict-Transport-Security" not in browser.get("/me").headers
    assert 200 == browser.get("/me").status_code
    house.close()


def test_a_wrong_password_lets_nobody_in(house: House, browser: Browser) -> None:
    """The same words for a wrong password, a name that nobody has, and an account that is disabled."""
    house.accounts.disable("auditor", TEST)
    answers = [
        browser.sign_in("viewer", "wrong horse battery"),
        browser.sign_in("nobody"),
        browser.sign_in("auditor"),
        browser.sign_in(""),
        browser.sign_in("x" * 5_000, "y" * 5_000),
    ]

    assert [401] * 5 == [answer.status_code for answer in answers]
    assert 1 == len({answer.text.split("<form")[0].split("Request")[0] for answer in answers})
    assert 5 == house.counted(SIGN_INS, outcome="refused")
    assert 0 == len(browser.cookies)


def test_names_are_found_however_they_are_typed(browser: Browser) -> None:
    """Keyboards of phones begin with a capital and end with a space; passwords are taken as they are."""
    assert 401 == browser.sign_in("viewer", f"{PASSWORD} ").status_code
    assert 303 == browser.sign_in(" Viewer ").status_code


def test_a_session_of_before_is_not_taken_over(house: House, browser: Browser) -> None:
    """Whoever plants a session, theirs or one that they made up, does not get into that of somebody else."""
    house.signed_in("viewer")
    planted = house.accounts.begin_session("viewer")
    for secret in (planted, "made-up"):
        browser.cookies.clear()
        browser.cookies.set(SECURE_COOKIE, secret, domain="flopwatch.example", path="/")
        answer = browser.send("POST", "/sign-in", {"Origin": ORIGIN}, {"name": "auditor", "password": PASSWORD})
        assert 303 == answer.status_code
        assert secret not in answer.headers["Set-Cookie"]
        assert house.accounts.session(secret) is None


def test_two_cookies_of_one_name_are_none(house: House) -> None:
    """A second one was put there by somebody else."""
    secret = house.accounts.begin_session("viewer")
    browser = house.browser()

    one = browser.send("GET", "/me", {"Cookie": f"{SECURE_COOKIE}={secret}"})
    two = browser.send("GET", "/me", {"Cookie": f"{SECURE_COOKIE}={secret}; {SECURE_COOKIE}=other"})
    assert [200, 303] == [one.status_code, two.status_code]


def test_who_signs_out_is_out(house: House) -> None:
    """The cookie goes, and whoever has copied it has nothing."""
    browser = house.signed_in("viewer")
    secret = browser.cookies[SECURE_COOKIE]

    assert 303 == browser.post("/sign-out", {}).status_code
    assert 0 == len(browser.cookies)
    assert house.accounts.session(secret) is None


def test_a_session_ends_without_requests(house: House) -> None:
    """After the minutes of the settings; each request begins them anew."""
    browser = house.signed_in("viewer")
    for _ in range(5):
        house.clock.now += 29 * MINUTE
        assert 200 == browser.get("/me").status_code

    house.clock.now += 30 * MINUTE
    assert 303 == browser.get("/me").status_code


def test_a_session_ends_altogether(house: House) -> None:
    """After the hours of the settings, however busy somebody is."""
    browser = house.signed_in("viewer")
    for _ in range(12 * 3 - 1):
        house.clock.now += 20 * MINUTE
        assert 200 == browser.get("/me").status_code

    house.clock.now += 20 * MINUTE
    assert 303 == browser.get("/me").status_code


def test_a_form_of_an_ended_session_says_so(house: House) -> None:
    """It is not lost in a redirection."""
    browser = house.signed_in("viewer")
    house.clock.now += 13 * HOUR

    answer = browser.post("/me/password", {})
    assert 401 == answer.status_code
    assert "You are not signed in any more" in answer.text


def test_a_part_of_a_page_does_not_become_the_sign_in_page(house: House) -> None:
    """htmx is told to leave the page for it."""
    answer = house.browser().get("/me", {"HX-Request": "true"})

    assert (401, "/sign-in") == (answer.status_code, answer.headers["HX-Redirect"])


def test_who_is_disabled_is_out_at_once(house: House) -> None:
    """At the next request, without waiting for anything."""
    browser = house.signed_in("reviewer")
    house.accounts.disable("reviewer", TEST)

    assert 303 == browser.get("/me").status_code


def test_another_role_holds_at_once(house: House) -> None:
    """For a page that was allowed, and for one that was not."""
    browser = house.signed_in("administrator")
    assert 200 == browser.get("/users").status_code
    house.accounts.set_role("administrator", Role.REVIEWER, TEST)

    assert 403 == browser.get("/users").status_code
    house.accounts.set_role("administrator", Role.ADMINISTRATOR, TEST)
    assert 200 == browser.get("/users").status_code


def test_who_fails_again_and_again_must_wait(house: House, browser: Browser) -> None:
    """Longer each time, even with the right password, from any address; the page and a header say how long."""
    for _ in range(ACCOUNT_TRIES):
        assert 401 == browser.sign_in("viewer", "wrong").status_code
    waits = []
    for wait in (1, 2, 4):
        answer = house.browser(address=f"203.0.113.{wait}").sign_in("viewer")
        assert 429 == answer.status_code
        waits.append(answer.headers["Retry-After"])
        assert f"wait for {wait} second" in answer.text
        house.clock.now += wait * 1_000
        assert 401 == browser.sign_in("viewer", "wrong").status_code

    assert ["1", "2", "4"] == waits
    assert 3 == house.counted(SIGN_INS, outcome="made to wait")
    house.clock.now += 8_000
    assert 303 == browser.sign_in("viewer").status_code
    assert 401 == browser.sign_in("viewer", "wrong").status_code


def test_long_waits_are_in_minutes(house: House, browser: Browser) -> None:
    """Nobody counts nine hundred seconds."""
    answer = browser.sign_in("viewer", "wrong")
    while answer.headers.get("Retry-After") != "900":
        house.clock.now += int(answer.headers.get("Retry-After", 0)) * 1_000
        answer = browser.sign_in("viewer", "wrong")

    assert "wait for 15 minutes" in answer.text
    assert house.clock.now - NOW < 2 * HOUR


def test_an_address_that_tries_many_names_must_wait(house: House, browser: Browser) -> None:
    """The names need not exist; elsewhere nobody waits."""
    for number in range(ADDRESS_TRIES):
        assert 401 == browser.sign_in(f"name-{number}", "wrong").status_code

    assert 429 == browser.sign_in("viewer").status_code
    assert 303 == house.browser(address="203.0.113.1").sign_in("viewer").status_code


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[House]:
    """A console behind a proxy that signs people in."""
    house = House(tmp_path, proxies=["10.0.0.0/24"], user_header="X-Remote-User")
    yield house
    house.close()


def visit_as(house: House, name: str, address: str = "10.0.0.5") -> Browser:
    return house.browser(address=address, headers={"X-Remote-User": name})


def test_a_trusted_proxy_signs_people_in(proxied: House) -> None:
    """By its header; the role is that of the account, and there is no password to ask for or to change."""
    browser = visit_as(proxied, "Auditor")

    asked = browser.get("/me")
    assert 303 == asked.status_code
    let_in = browser.get(asked.headers["Location"])
    assert (303, "/me") == (let_in.status_code, let_in.headers["Location"])
    page = browser.get("/me")
    assert 200 == page.status_code
    assert "auditor" in page.text
    assert 'type="password"' not in page.text
    assert 403 == browser.post("/me/password", {}).status_code
    assert (303, "/sign-in") == ((told := browser.sign_in("viewer")).status_code, told.headers["Location"])
    assert "The proxy in front of it may know you still" in browser.post("/sign-out", {}).text


def test_nobody_else_may_say_who_somebody_is(proxied: House) -> None:
    """From any other address the header, a session and a password are worth nothing."""
    secret = proxied.accounts.begin_session("auditor")
    browser = visit_as(proxied, "auditor", "10.0.1.5")
    browser.cookies.set(SECURE_COOKIE, secret, domain="flopwatch.example", path="/")

    answers = [browser.get("/me"), browser.get("/sign-in"), browser.sign_in("auditor")]
    assert [403] * 3 == [answer.status_code for answer in answers]
    assert "answers through its proxy only" in answers[0].text


def test_whom_the_proxy_names_must_have_an_account(proxied: House) -> None:
    """Not one that is disabled; the page says what to do."""
    proxied.accounts.disable("viewer", TEST)
    for name in ("stranger", "viewer", "", "<script>alert(1)</script>"):
        answer = visit_as(proxied, name).get("/sign-in")
        assert 403 == answer.status_code
        assert "there is no account of your name here" in answer.text
        assert "<script>alert" not in answer.text


def test_a_session_is_of_whom_the_proxy_names(proxied: House) -> None:
    """When somebody else signs in to the proxy on the same machine, or nobody, the session is worth nothing."""
    first = visit_as(proxied, "auditor")
    first.get("/sign-in")
    assert 200 == first.get("/me").status_code

    for name in ("viewer", ""):
        other = visit_as(proxied, name)
        other.cookies = first.cookies
        assert 303 == other.get("/me").status_code


def test_two_names_from_the_proxy_are_none(proxied: House) -> None:
    """One of them came from the browser."""
    browser = proxied.browser(address="10.0.0.5")
    answer = browser.send("GET", "/sign-in", {"X-Remote-User": "auditor", "x-remote-user": "viewer"})

    assert 403 == answer.status_code
