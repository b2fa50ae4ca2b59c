"""The demo's flagged tenants in a real browser, from the queue to a decision of two people, by keyboard alone.

It leaves pictures of the main pages under `.cache/pictures`, for people to look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from monitor.core.roles import Role
from monitor.simulate.scenarios import simulate
from monitor.web.server import ConsoleServer
from tests.cli.command import flopwatch
from tests.store.taking import url_of
from tests.web.browsing import PASSWORD, TEST, House
from tests.web.test_browser import visit

PICTURES = Path(__file__).resolve().parents[2] / ".cache" / "pictures"
TABS_MAX = 250  # of a page, from its top to its end
REASON = "The contract covers exactly this use, and its end user is known."
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a console over the demo, played to its end."""
    folder = tmp_path_factory.mktemp("demo")
    events = folder / "events.jsonl"
    events.write_bytes(b"".join(simulate("demo").events()))
    assert 0 == flopwatch("replay", events, "--state", url_of(folder).removeprefix("sqlite:///")).code
    house = House(folder, origin=None)
    house.accounts.add("senior-two", Role.SENIOR_REVIEWER, PASSWORD, TEST)
    server = ConsoleServer("127.0.0.1", 0, house.app)
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.close()
    house.close()


def reach(page: Page, what: str) -> None:
    """Press Tab until something has the focus, and see that it shows."""
    for _ in range(TABS_MAX):
        page.keyboard.press("Tab")
        if page.locator(f":focus:is({what})").count():
            style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert "none" != style, f"{what} does not show that it has the focus"
            return
    raise AssertionError(f"Tab does not reach {what} on {page.url}")


def press(page: Page, what: str) -> None:
    """Reach a button or a link, and press Enter."""
    reach(page, what)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def button(label: str) -> str:
    return f"button:text-is('{label}')"


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_case_is_decided_by_two_people_by_keyboard(chromium: Browser, demo: str, scripts: bool) -> None:
    """The reviewer opens what comes first, claims it and proposes; another one finds that, approves, and it is gone.

    With scripts the queue has keys of its own; without, every case is a link that Tab reaches.
    """
    contexts = [chromium.new_context(java_script_enabled=scripts) for _ in range(2)]
    page = visit(contexts[0], demo, "reviewer", "/queue")
    whom = page.inner_text(".cases tbody tr:first-child td:nth-child(3)")
    link = page.locator(".cases tbody tr:first-child a")
    case = link.inner_text()
    if scripts:
        page.keyboard.press("j")
        assert case == page.locator(":focus").inner_text()
        with page.expect_navigation():
            page.keyboard.press("Enter")
    else:
        press(page, f"a[href='/cases/{case}']")
    assert whom in page.inner_text("h1")
    press(page, button("Claim"))
    reach(page, "#decide-outcome")
    page.keyboard.type("expl")
    reach(page, "#decide-reason")
    page.keyboard.type(REASON)
    press(page, button("Propose"))
    assert "waits for" in page.inner_text("main") or "proposed" in page.inner_text("main")

    other = visit(contexts[1], demo, "senior-two", "/queue")
    press(other, "a[href='/queue?show=second']")
    press(other, f"a[href='/cases/{case}']")
    assert REASON in other.inner_text("main")
    press(other, button("Approve"))
    facts = other.inner_text("dl.facts >> nth=0")
    assert all(word in facts for word in ("explained", "reviewer", "senior-two"))
    press(other, "a[href='/queue']")
    assert 0 == other.locator(f"a[href='/cases/{case}']").count()
    for context in contexts:
        context.close()


def test_keys_lead_through_the_queue(chromium: Browser, demo: str) -> None:
    """Down and up, not past the ends, not while somebody types; they can be turned off, which lasts."""
    context = chromium.new_context()
    page = visit(context, demo, "reviewer", "/queue")
    cases = page.locator(".cases td a").all_inner_texts()

    def after(keys: str) -> str:
        for key in keys:
            page.keyboard.press(key)
        return page.locator(":focus").inner_text() if page.locator(":focus").count() else ""

    assert [cases[0], cases[2], cases[1], cases[0], cases[0]] == [after(keys) for keys in ("j", "jj", "k", "k", "k")]
    assert "Keys" == after("?")
    assert page.locator("#keys kbd").first.is_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert "Turn these keys on" == page.inner_text("#keys button") == after("j")
    page.reload()
    assert "" == after("j")
    context.close()


def test_a_person_cannot_approve_in_another_browser(chromium: Browser, demo: str) -> None:
    """Who proposed to close it finds no button for that, whichever session they come with."""
    first, second = chromium.new_context(), chromium.new_context()
    page = visit(first, demo, "senior-reviewer", "/queue")
    case = page.locator(".cases td a").first.inner_text()
    page.goto(f"{demo}/cases/{case}")
    page.click(button("Claim"))
    page.select_option("#decide-outcome", "explained")
    page.fill("#decide-reason", REASON)
    page.click(button("Propose"))
    other = visit(second, demo, "senior-reviewer", f"/cases/{case}")

    assert (0, 1) == (
        other.locator(button("Approve")).count(),
        other.locator("summary:text-is('Withdraw what you proposed')").count(),
    )
    first.close()
    second.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_main_pages_have_their_pictures_taken(
    chromium: Browser, demo: str, size: str, scheme: Literal["light", "dark"]
) -> None:
    """Each is there, says what it is, and fits the width; the pictures are for people."""
    viewport = PHONE if size == "phone" else DESKTOP
    context = chromium.new_context(color_scheme=scheme, viewport=viewport)
    page = visit(context, demo, "senior-reviewer", "/queue")
    case = page.get_attribute(".cases td a", "href")
    page.goto(f"{demo}{case}")
    tenant = page.get_attribute("dd a[href^='/tenants/']", "href")
    page.goto(f"{demo}{tenant}")
    run = page.get_attribute("td a[href*='/runs/']", "href")
    pages = {
        "queue": "/queue",
        "case": case,
        "tenant": tenant,
        "run": run,
        "policies": "/policies",
        "proposals": "/proposals",
    }
    pages["policy"] = "/policies/us-diffusion-2025@2"
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, path in pages.items():
        page.goto(f"{demo}{path}")
        assert viewport["width"] == page.evaluate("document.documentElement.scrollWidth"), name
        page.screenshot(path=PICTURES / f"{name}-{scheme}-{size}.png", full_page=True)
    context.close()
