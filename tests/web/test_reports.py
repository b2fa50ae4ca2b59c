"""The page of reports: the numbers that the command line prints, small enough, and on paper too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.core.model import HOUR_MS
from monitor.run.reports import report_document, report_of
from tests.web.test_cases import ANY, DECIDED, REASON, CaseHouse
from tests.web.test_overview import renewed

PAGE_BYTES_MAX = 100_000
MINUTES_MS = (600_000, 1_200_000)  # to a claim, and from there to a decision


@pytest.fixture
def office(tmp_path: Path) -> Iterator[CaseHouse]:
    house = CaseHouse(tmp_path)
    yield house
    house.close()


def cells(page: str, begins: str) -> list[str]:
    """What the row of a table says that begins so."""
    row = next(row for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL) if begins in row)
    return [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]


def test_a_report_counts_what_was_done(office: CaseHouse) -> None:
    """Two decisions and an open case: precision, the backlog, and how long it took."""
    reviewer = office.signed_in("reviewer")
    for number, outcome in ((1, "explained"), (2, "unexplained"), (3, "")):
        case = office.raise_flag(f"F-{number}", tenant=f"t-{number}")
        office.clock.now += MINUTES_MS[0]
        office.act(reviewer, case, "claim")
        office.clock.now += MINUTES_MS[1]
        if outcome:
            assert 303 == office.act(reviewer, case, "decide", **{**DECIDED, "outcome": outcome, "reason": REASON})
    renewed(office)
    page = office.signed_in("viewer").get("/reports").text

    assert ["2", "0.50", "1", "0", "1", "0", "0"] == cells(page, f"<code>{ANY}</code>")[1:]
    assert ["3", "1", "0", "1", "0", "0", "10 min", "30 min", "-"] == cells(page, "<td>2027-01</td>")[1:]
    assert '<dt>0 to 2 days</dt><dd class="number">1</dd>' in page
    assert "3 opened, 2 decided" in page
    assert PAGE_BYTES_MAX > len(page.encode())


def test_the_page_and_the_command_line_have_one_report(office: CaseHouse) -> None:
    """As JSON it has durations in seconds and twelve months, whatever happened in them."""
    case = office.raise_flag()
    office.clock.now += HOUR_MS
    office.act(office.signed_in("reviewer"), case, "claim")
    document = report_document(report_of(office.store.casework, [], office.clock.now))

    assert ([], {}) == (document["rules"], document["reviews"])
    assert 12 == len(document["months"])
    assert {
        "month": "2027-01",
        "opened": 1,
        "decided": {},
        "median_seconds_to_claim": 3600,
        "median_seconds_to_decision": None,
        "unseen_seconds": 0,
    } == document["months"][0]


def test_nothing_is_decided_yet(office: CaseHouse) -> None:
    """An empty store has a report."""
    assert "Nothing is decided yet." in office.signed_in("viewer").get("/reports").text
