"""The first page, the banner of every page, and the pipeline: figures are of their lists, nothing broken is hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.core.book import Book
from monitor.core.model import DAY_MS, HOUR_MS, Record, Rejected
from monitor.run.stops import stop_entry
from monitor.settings import ScreeningList
from monitor.store import BlindRow, Position
from tests.store.taking import commit_of
from tests.web.browsing import NOW, Browser, House
from tests.web.test_cases import CaseHouse, listed

PAGE_BYTES_MAX = 100_000
HOSTILE = b"\xff\x00<script>alert(1)</script>\xe2\x80\xae\"'&" * 20
TILE = re.compile(
    r'<li><a href="([^"]*)"><span class="label">([^<]*)</span> <strong class="figure( pressing)?">([^<]*)'
)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[CaseHouse]:
    house = CaseHouse(tmp_path)
    yield house
    house.close()


def tiles(page: str) -> dict[str, tuple[str, str, bool]]:
    """Label -> figure, the list it leads to, and whether it is marked."""
    found = TILE.findall(page)
    return {label: (figure, path.replace("&amp;", "&"), bool(marked)) for path, label, marked, figure in found}


def renewed(office: CaseHouse) -> None:
    """The books are looked at anew."""
    office.clock.now += 61_000
    office.surveys.latest()
    making = office.surveys._making
    if making is not None:
        making.join()


def troubled(office: House) -> None:
    """A partition that stands still, silence since an hour, and sixty dead letters that were made to do harm."""
    rejected = [
        Rejected(Record("t", 0, number, number + 1, HOSTILE, None), "json", f"No JSON: {HOSTILE!r}.")
        for number in range(60)
    ]
    silence = BlindRow("now", "silence", "//a", None, None, NOW - HOUR_MS, None, "Nothing came from //a.", NOW)
    office.store.commit(commit_of(Book(), 1, rejected=rejected)._replace(blind=[silence]))
    office.store.record([stop_entry(("t", 3), 0, "hole", "Records 0 to 9 of t are gone.")], NOW)


@pytest.mark.parametrize("name", ["reviewer", "viewer"])
def test_a_figure_is_that_of_its_list(office: CaseHouse, name: str) -> None:
    """As many cases as the list has that it leads to, also of what is snoozed; the oldest says since when."""
    made = [office.raise_flag(f"F-{level}", level, f"t-{level}") for level in ("watch", "warning", "critical")]
    reviewer = office.signed_in("reviewer")
    assert 303 == office.act(reviewer, made[0], "claim")
    day = "2027-01-16"
    assert 303 == office.act(reviewer, made[0], "ask", whom="sales", what="Which contract?", due=day)
    for form in ("claim", "snooze"):
        assert 303 == office.act(reviewer, made[2], form, until="2027-01-20", why="They are away.")
    office.clock.now += 2 * DAY_MS
    browser = office.signed_in(name)

    found = tiles(browser.get("/").text)
    figures = {label: found[label] for label in list(found)[:4]}
    for figure, path, _ in figures.values():
        assert int(figure) == len(listed(browser.get(path).text))
    assert [True, False, True, False] == [marked for _, _, marked in figures.values()]
    assert ["1", "2", "1", "0"] == [figure for figure, _, _ in figures.values()]
    assert "the oldest opened 2 days ago" in browser.get("/").text


def test_what_is_broken_stands_on_every_page(office: CaseHouse) -> None:
    """Also on pages that read no books; nothing while all is well; whoever is not signed in is told nothing."""
    browser, outside = office.signed_in("viewer"), office.browser()
    office.surveys.latest()
    assert "What is broken" not in browser.get("/queue").text
    troubled(office)
    renewed(office)

    for path in ("/", "/queue", "/me", "/none", "/pipeline"):
        page = browser.get(path).text
        assert "1 blind interval now" in page
        assert "Reading has stopped in 1 partition until somebody answers" in page
    assert "What is broken" not in outside.get("/sign-in").text
    found = tiles(browser.get("/").text)
    assert ("60", "/pipeline#dead-letters", True) == found["Dead letters waiting"]
    assert ("1", "/pipeline#stops", True) == found["Stopped partitions"]
    assert ("61 min", "/pipeline", True) == found["Blind time today"]


def test_lists_and_the_audit_are_in_the_banner(office: CaseHouse) -> None:
    """A list that is refused by name; a broken audit leads to itself for those who may see it."""
    lists = (ScreeningList(name="dps", path=office.folder / "none.csv"),)
    office.of_program = office.of_program.model_copy(update={"lists": lists, "lists_state": office.folder / "lists"})
    auditor, viewer = office.signed_in("auditor"), office.signed_in("viewer")
    assert "refused or too old: dps." in after(office, viewer, "/")
    office.sight._trouble = "Row 2 was changed."

    assert 'The audit is broken: rows of it were changed or are missing.</strong> <a href="/audit">' in after(
        office, auditor, "/queue"
    )
    assert 'or are missing.</strong> <a href="/pipeline">' in viewer.get("/queue").text


def after(office: CaseHouse, browser: Browser, path: str) -> str:
    """A page once the books were looked at anew."""
    office.surveys.latest()
    renewed(office)
    return browser.get(path).text


def test_books_that_cannot_be_read_anew_are_said_to_be_old(office: CaseHouse) -> None:
    """As long as the last try failed."""
    browser = office.signed_in("viewer")
    office.surveys.latest()
    office.surveys.problem = "The store is away."

    assert "The books cannot be read anew: what pages say of them is old." in browser.get("/me").text


def test_the_pipeline_says_what_the_command_line_says(office: CaseHouse) -> None:
    """Positions, stops, blind intervals and dead letters, whatever those hold, within the size of a page."""
    troubled(office)
    page = office.signed_in("reviewer").get("/pipeline").text

    for said in (
        "events.jsonl",
        "Records 0 to 9 of t are gone.",
        "Nothing came from //a.",
        "Letter 60: json",
        "⟨0000⟩",
    ):
        assert said in page
    assert 50 == page.count("<details>")
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert PAGE_BYTES_MAX > len(page.encode())


def test_a_busy_pipeline_fits_a_page(office: CaseHouse) -> None:
    """Hundreds of partitions, blind intervals and dead letters: what is left out is counted, the worst comes first."""
    troubled(office)
    name, sentence = "tenant-events-of-the-west", "x" * 200
    positions = [Position(name, number, 10**12, NOW, "") for number in range(200)]
    spans = [
        BlindRow(f"b{number}", "dead letters", None, name, number, NOW - number, NOW, sentence, NOW)
        for number in range(200)
    ]
    office.store.commit(commit_of(Book(), 2)._replace(positions=positions, blind=spans))
    for partition in range(200):
        office.store.record([stop_entry((name, partition), 10**12, "dead letters", sentence)], NOW)
    page = office.signed_in("reviewer").get("/pipeline").text

    assert PAGE_BYTES_MAX > len(page.encode())
    assert ["And 181 more.", "And 137 more", "And 181 more."] == re.findall(r"And \d+ more\.?", page)
    assert "Nothing came from //a." in page


def test_who_sees_no_names_sees_no_words_of_others(office: CaseHouse) -> None:
    """Sentences and bodies may name somebody; that something waits is no secret."""
    troubled(office)
    page = office.signed_in("viewer").get("/pipeline").text

    assert "Letter 60: json" in page
    for hidden in ("alert(1)", "No JSON", "//a", "Records 0 to 9"):
        assert hidden not in page


def test_an_empty_store_has_its_pages(office: CaseHouse) -> None:
    """Nothing is no failure."""
    browser = office.signed_in("viewer")

    assert "Nothing was read yet." in browser.get("/pipeline").text
    assert [("0", False)] * 4 == [
        (figure, marked) for figure, _, marked in list(tiles(browser.get("/").text).values())[:4]
    ]
    assert "no list is configured: nobody is screened" in browser.get("/").text
