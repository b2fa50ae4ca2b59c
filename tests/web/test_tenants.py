"""Pages of tenants and runs: the numbers of the books, harmless names, and no names for whoever sees none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.core.findings import number
from monitor.log import tenant_reference
from monitor.web.display import picture
from tests.cli.command import HELD, fact, flopwatch, written
from tests.store.taking import url_of
from tests.web.browsing import House

HOSTILE = "<script>alert(1)</script>\u202e=HYPERLINK()\n" + "x" * 300
HELD_NOW = {**HELD, "count": 64}
PAGE_BYTES_MAX = 100_000


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A console over a store with a large tenant, one with a hostile name, and many small ones."""
    folder = tmp_path_factory.mktemp("house")
    facts = [
        fact("allocation.started", "a", tenant="acme", **HELD_NOW),
        fact("allocation.stopped", "b", "2026-06-01T00:00:00Z", tenant="acme"),
        fact("allocation.started", "bare", tenant="acme", allocation="web", instance_type="m5.large", instances=1),
        fact("tenant.profiled", "who", tenant="acme", legal_name=HOSTILE, basis={"legal_name": "claimed"}),
        fact("allocation.started", "c", tenant=HOSTILE, allocation=HOSTILE, **HELD_NOW),
        *(fact("allocation.started", f"n{number}", tenant=f"small-{number:03d}", **HELD) for number in range(150)),
    ]
    state = url_of(folder).removeprefix("sqlite:///")
    assert 0 == flopwatch("replay", written(folder / "events.jsonl", facts), "--state", Path(state)).code
    house = House(folder)
    yield house
    house.close()


def test_the_list_has_everybody_the_largest_first(house: House) -> None:
    """A hundred a page; whoever has findings comes first; a search finds by a part of the name."""
    reviewer = house.signed_in("reviewer")
    first, second = (reviewer.get(f"/tenants?page={page}").text for page in (1, 2))
    found = reviewer.get("/tenants?named=SMALL-149").text

    assert "152 as of" in first
    assert (100, 52) == tuple(text.count('<td><a href="/tenants/') for text in (first, second))
    assert 1 == found.count('<td><a href="/tenants/')
    assert "No tenant has such a name." in reviewer.get("/tenants?named=nobody").text
    assert PAGE_BYTES_MAX > len(first.encode())


def test_a_page_has_the_numbers_of_the_books(house: House) -> None:
    """The same that the command line prints: total, findings, runs and what they rest on."""
    story = house.surveys.latest().tenant("acme")
    assert story is not None
    page = house.signed_in("reviewer").get(f"/tenants/{tenant_reference('acme')}").text

    assert story.findings
    for bounds in (story.flop, story.runs[0].flop):
        assert f"{number(bounds.central, 2)} <small>({number(bounds.low, 2)} to {number(bounds.high, 2)})" in page
    for finding in story.findings:
        assert finding.rule in page
        assert all(reason.replace("'", "&#39;") in page for reason in finding.reasons)
    assert ["m5.large"] == story.without
    assert re.search(r"<p>Without accelerators: [^,]*m5\.large", page)
    chart = house.surveys.latest().chart("acme", True)
    assert chart is not None
    assert picture(chart.svg) in page
    assert all(f">{number(row.central, 2)}</td>" in page for row in chart.rows)
    assert "Not established" in page
    assert "nobody is screened" in page
    assert PAGE_BYTES_MAX > len(page.encode())


def test_a_run_has_its_picture_and_its_segments(house: House) -> None:
    """It is reached from the tenant, by any of its segments; one that is none is not found."""
    reviewer, place = house.signed_in("reviewer"), f"/tenants/{tenant_reference('acme')}"
    (link,) = re.findall(rf'href="({place}/runs/[0-9a-f]+)"', reviewer.get(place).text)
    page = reviewer.get(link).text

    assert "<svg" in page
    assert "Looks like training" in page
    assert 404 == reviewer.get(f"{place}/runs/none").status_code
    assert 404 == reviewer.get(f"/tenants/{tenant_reference('small-001')}/runs/none").status_code
    assert 404 == reviewer.get("/tenants/t-none").status_code


def test_a_viewer_sees_no_name(house: House) -> None:
    """References stand for tenants, and what may hold a name is left out, on all three pages."""
    viewer, place = house.signed_in("viewer"), f"/tenants/{tenant_reference('acme')}"
    pages = [viewer.get(path).text for path in ("/tenants", place)]
    (link,) = re.findall(rf'href="({place}/runs/[0-9a-f]+)"', pages[1])
    pages.append(viewer.get(link).text)

    assert [False] * 3 == ["acme" in page or "HYPERLINK" in page for page in pages]
    assert all(tenant_reference("acme") in page for page in pages)
    assert "<svg" not in pages[2]
    assert 0 == viewer.get("/tenants?named=acme").text.count('<td><a href="/tenants/')


def test_hostile_names_are_harmless(house: House) -> None:
    """No tag, no turned direction, no line break; the address names nobody."""
    reviewer = house.signed_in("reviewer")
    for page in (reviewer.get("/tenants").text, reviewer.get(f"/tenants/{tenant_reference(HOSTILE)}").text):
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;\u27e8202E\u27e9" in page
    assert "HYPERLINK" in reviewer.get(f"/tenants/{tenant_reference('acme')}").text
