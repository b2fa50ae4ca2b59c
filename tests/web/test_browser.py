"""The console in a real browser: without scripts, by keyboard, on a phone, enlarged, on paper, and for everybody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from monitor.core.approval import APPROVE
from monitor.core.exports import handover
from monitor.core.roles import Permission
from monitor.log import tenant_reference
from monitor.web.server import ConsoleServer
from tests.web.browsing import NOW, PASSWORD, TEST, House
from tests.web.test_cases import HOSTILE, CaseHouse
from tests.web.test_groups import GROUP, grouped
from tests.web.test_overview import troubled
from tests.web.test_proposals import HERE, REPORT, deciding

PAGES = (
    "/sign-in",
    "/me",
    "/users",
    "/users/viewer",
    "/none",
    "/tenants",
    "/policies",
    "/policies/internal-ladder@1",
    "/proposals",
    "/backtests",
    "/",
    "/reports",
    "/lists",
    "/pipeline",
)
FOR_EVERYBODY = ("/sign-in", "/users", "/none")  # whoever is not signed in gets the first of them for any other page
LABEL = "the export of everything that anybody has ever wanted to know <b>at once</b>"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a console on the loopback address, with a token to show."""
    house = House(tmp_path_factory.mktemp("house"), origin=None)
    house.accounts.add_token("administrator", LABEL, [Permission.VIEW_CASES], 30, TEST)
    server = ConsoleServer("127.0.0.1", 0, house.app)
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.close()
    house.close()


def visit(context: BrowserContext, address: str, name: str = "administrator", path: str = "/users") -> Page:
    """A page in it, signed in as somebody."""
    page = context.new_page()
    page.goto(f"{address}{path}")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url(f"{address}{path}")
    return page


def test_everything_works_without_scripts(chromium: Browser, serving: str) -> None:
    """From signing in to signing out, as a browser sends it."""
    context = chromium.new_context(java_script_enabled=False)
    page = visit(context, serving)
    page.click("text=Account")
    page.fill("#label", "warehouse")
    page.check("input[name=scope]")
    page.click("text=Make the token")
    assert page.inner_text("code.secret").startswith("flopwatch_")
    page.click("tr:has-text('warehouse') >> text=Revoke")
    assert 0 == page.locator("tr:has-text('warehouse')").count()
    page.click("text=Sign out")
    assert page.url == f"{serving}/sign-in"
    page.goto(f"{serving}/me")
    assert page.title() == "Sign in - flopwatch"
    context.close()


def test_scripts_are_held_back(chromium: Browser, serving: str) -> None:
    """htmx runs as configured; nothing on any page is refused by the policy or fails."""
    context = chromium.new_context()
    page = visit(context, serving)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for path in PAGES[:4]:
        page.goto(serving + path)
        assert [False, False, 0] == page.evaluate(
            "[htmx.config.allowEval, htmx.config.includeIndicatorStyles, htmx.config.historyCacheSize]"
        )

    assert [] == said
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out(chromium: Browser, serving: str, scheme: Literal["light", "dark"]) -> None:
    """axe finds no barrier on any page, contrast included, in both schemes."""
    inside, outside = (chromium.new_context(color_scheme=scheme) for _ in range(2))
    found = []
    for page, paths in ((visit(inside, serving), PAGES), (outside.new_page(), FOR_EVERYBODY)):
        for path in paths:
            page.goto(serving + path)
            found += [f"{page.url}: {problem['id']}" for problem in Axe().run(page).response["violations"]]

    assert [] == found
    inside.close()
    outside.close()


@pytest.mark.parametrize("width", [320, 640])
def test_pages_fit_a_phone_and_a_page_enlarged(chromium: Browser, serving: str, width: int) -> None:
    """Nothing but a table scrolls sideways: at 320 pixels, and as at 200 per cent of 1,280."""
    context = chromium.new_context(viewport={"width": width, "height": 640})
    page = visit(context, serving)
    for path in PAGES:
        page.goto(serving + path)
        assert width == page.evaluate("document.documentElement.scrollWidth"), path
    context.close()


def test_pages_are_used_by_keyboard(chromium: Browser, serving: str) -> None:
    """The first key leads past the navigation; what has the focus shows it; every control can be reached."""
    context = chromium.new_context()
    page = visit(context, serving)
    page.goto(f"{serving}/me")
    page.keyboard.press("Tab")
    assert "Skip to content" == page.evaluate("document.activeElement.textContent")
    assert "none" != page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.keyboard.press("Enter")
    assert "main" == page.evaluate("document.activeElement.id")
    controls = page.locator("main :is(a, button, input:not([type=hidden]):not([hidden]), select, .scroll)").count()
    reached = 0
    for _ in range(controls):
        page.keyboard.press("Tab")
        reached += page.evaluate("document.activeElement.closest('main') !== null")
    assert controls == reached
    context.close()


def test_pages_print_what_they_say(chromium: Browser, serving: str) -> None:
    """Text is not cut off; what can only be clicked is left away."""
    context = chromium.new_context()
    page = visit(context, serving)
    page.goto(f"{serving}/me")
    assert page.evaluate("(e => e.scrollWidth > e.clientWidth)(document.querySelector('td .text'))")
    page.emulate_media(media="print")

    assert not page.evaluate("(e => e.scrollWidth > e.clientWidth)(document.querySelector('td .text'))")
    assert [False, False] == [page.locator(where).first.is_visible() for where in ("nav", "form")]
    assert page.inner_text("td .text") == LABEL
    context.close()


def test_the_look_of_a_page_comes_from_its_file(chromium: Browser, serving: str) -> None:
    """The policy lets the style sheet in: the head has the colour that the file gives it."""
    context = chromium.new_context(color_scheme="dark")
    page = visit(context, serving)

    assert "rgb(20, 23, 26)" == page.evaluate("getComputedStyle(document.body).backgroundColor")
    context.close()


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a console with much to say: a group with a hostile name, and all that can be broken."""
    house = grouped(tmp_path_factory.mktemp("house"), origin=None)
    troubled(house)
    server = ConsoleServer("127.0.0.1", 0, house.app)
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.close()
    house.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_bad_news_keeps_nobody_out(chromium: Browser, broken: str, scheme: Literal["light", "dark"]) -> None:
    """axe finds no barrier on pages full of trouble, all opened; they fit a phone, whatever the names are."""
    context = chromium.new_context(color_scheme=scheme, viewport={"width": 320, "height": 640})
    page = visit(context, broken, "senior-reviewer", "/")
    found = []
    for path in ("/", "/pipeline", "/reports", f"/groups/{tenant_reference(GROUP)}"):
        page.goto(f"{broken}{path}")
        page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        assert 1 == page.locator(".troubles").count(), path
        assert 320 == page.evaluate("document.documentElement.scrollWidth"), path
        found += [f"{path}: {problem['id']}" for problem in Axe().run(page).response["violations"]]

    assert [] == found
    context.close()


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a console with two cases, one of them with names that were made to break pages."""
    house = CaseHouse(tmp_path_factory.mktemp("house"), origin=None)
    house.raise_flag("F-1", "watch", "orchid")
    case = house.raise_flag("F-2", "warning", HOSTILE * 5, f"The tenant {HOSTILE * 20} is large.")
    for kind in ("internal", "governmental"):
        asked = handover("case", case, "pack", "general", kind, HOSTILE * 4, f"15 CFR 744.6 {HOSTILE * 5}")
        house.store.exports.propose(asked, TEST, NOW)
    server = ConsoleServer("127.0.0.1", 0, house.app)
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.close()
    house.close()


def test_a_case_is_decided_without_scripts(chromium: Browser, working: str) -> None:
    """From the queue to a decision; nothing else than pages and forms."""
    context = chromium.new_context(java_script_enabled=False)
    page = visit(context, working, "reviewer", "/queue")
    page.click("a:text-is('Watch')")
    page.click("tr:has-text('orchid') >> a")
    page.click("button:text-is('Claim')")
    page.click("button:text-is('Begin to investigate')")
    page.click("summary:text-is('Note')")
    page.fill("#note-text", "Sales knows the contract.")
    page.click("button:text-is('Add')")
    page.select_option("#decide-outcome", "explained")
    page.fill("#decide-reason", "The contract covers exactly this use.")
    page.click("button:text-is('Decide')")

    assert "explained" in page.inner_text("dl.facts >> nth=0")
    assert "Sales knows the contract." in page.inner_text("main")
    page.click("text=Queue")
    assert 0 == page.locator("tr:has-text('orchid')").count()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_exports_keep_nobody_out(chromium: Browser, working: str, scheme: Literal["light", "dark"]) -> None:
    """axe finds no barrier on the pages of exports, whoever looks; they fit a phone, whatever recipients are called."""
    found = []
    for name in ("auditor", "counsel"):
        context = chromium.new_context(color_scheme=scheme, viewport={"width": 320, "height": 640})
        page = visit(context, working, name, "/exports")
        case = page.get_attribute("td a", "href")
        for path in ("/exports", *([f"{case}/evidence", "/exports/tables"] if name == "auditor" else [])):
            page.goto(f"{working}{path}")
            page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
            assert 320 == page.evaluate("document.documentElement.scrollWidth"), path
            found += [f"{path}: {problem['id']}" for problem in Axe().run(page).response["violations"]]
        context.close()

    assert [] == found


def test_a_pack_is_fetched_without_scripts(chromium: Browser, working: str) -> None:
    """The form leads to an archive, and what is released is fetched from the list."""
    context = chromium.new_context(java_script_enabled=False)
    page = visit(context, working, "auditor", "/exports")
    for link in ("Fetch export 1", "Make the pack"):
        if link == "Make the pack":
            page.goto(f"{working}{page.get_attribute('td a', 'href')}/evidence")
            page.fill("#recipient", "the board")
            page.fill("#legal_basis", "15 CFR 744.6")
        with page.expect_download() as download:
            page.click(f"button:text-is('{link}')")
        assert download.value.suggested_filename.endswith(".zip")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_cases_keep_nobody_out(chromium: Browser, working: str, scheme: Literal["light", "dark"]) -> None:
    """axe finds no barrier on the pages of cases, forms open; they fit a phone, whatever the names are."""
    context = chromium.new_context(color_scheme=scheme, viewport={"width": 320, "height": 640})
    page = visit(context, working, "senior-reviewer", "/queue")
    found = []
    for path in ("/queue", page.get_attribute("tr:has-text('warning') a", "href"), "/suppressed"):
        page.goto(f"{working}{path}")
        if page.locator("button:text-is('Claim')").count():
            page.click("button:text-is('Claim')")
        page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        assert 320 == page.evaluate("document.documentElement.scrollWidth"), path
        found += [f"{path}: {problem['id']}" for problem in Axe().run(page).response["violations"]]

    assert [] == found
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_proposals_keep_nobody_out(chromium: Browser, tmp_path: Path, scheme: Literal["light", "dark"]) -> None:
    """axe finds no barrier where policies and hits are proposed and answered, all open; they fit a phone."""
    (tmp_path / "tried.json").write_text(json.dumps(REPORT), "utf-8")
    house = deciding(tmp_path, origin=None, reports=tmp_path)
    house.records.panel.propose_policy("small@1", APPROVE, "It is as agreed.", "policy-editor", TEST)
    server = ConsoleServer("127.0.0.1", 0, house.app)
    server.start()
    found = []
    for name, paths in (
        ("policy-editor", ("/policies", "/policies/small@1", "/policies/small@2", "/backtests/tried")),
        ("senior-reviewer", ("/proposals", HERE)),
    ):
        context = chromium.new_context(color_scheme=scheme, viewport={"width": 320, "height": 640})
        page = visit(context, f"http://127.0.0.1:{server.port}", name, "/policies")
        for path in paths:
            page.goto(f"http://127.0.0.1:{server.port}{path}")
            page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
            assert 320 == page.evaluate("document.documentElement.scrollWidth"), path
            found += [f"{path}: {problem['id']}" for problem in Axe().run(page).response["violations"]]
        context.close()
    server.close()
    house.close()

    assert [] == found
