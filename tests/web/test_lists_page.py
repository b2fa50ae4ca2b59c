"""The page of screening lists: what counts, how old it is, and what is wrong, as the command line says it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.app import references
from monitor.core.model import DAY_MS
from monitor.run.listing import problems_of
from monitor.settings import ScreeningList
from tests.cli.test_lists import csl
from tests.web.browsing import NOW, House

PAGE_BYTES_MAX = 100_000


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A console with one list, which was loaded and is forty days old."""
    house = House(tmp_path)
    (tmp_path / "us.csv").write_text(csl(10), encoding="utf-8")
    aged(house, 40)
    one = ScreeningList(name="us", path=tmp_path / "us.csv")
    house.of_program = house.of_program.model_copy(update={"lists": (one,)})
    references.take_lists(house.of_program)
    yield house
    house.close()


def aged(house: House, days: int) -> None:
    """The file was changed so many days ago."""
    seconds = NOW / 1_000 - days * DAY_MS / 1_000
    os.utime(house.folder / "us.csv", (seconds, seconds))


@pytest.mark.parametrize(("days_max", "said"), [(30, "too old"), (40, "counts")])
def test_a_list_is_held_against_its_limit(house: House, days_max: int, said: str) -> None:
    """Entries and what they mean are there, too; only what is too old is in the banner."""
    one = house.of_program.lists[0].model_copy(update={"days_max": days_max})
    house.of_program = house.of_program.model_copy(update={"lists": (one,)})
    page = house.signed_in("viewer").get("/lists").text

    assert f">{said}<" in page
    for cell in ("<td>us.sdn</td>", '<td class="number">10</td>', '<td class="number">40</td>'):
        assert cell.replace("us.sdn", '<bdi class="text" title="us.sdn">us.sdn</bdi>') in page
    assert ("OLD: it is dated 40 days ago, and may be 30 days old" in page) == (days_max == 30)
    assert ("refused or too old: us." in page) == (days_max == 30)
    assert PAGE_BYTES_MAX > len(page.encode())


def test_a_refused_list_says_what_the_command_line_says(house: House) -> None:
    """The same sentences; the last good version counts until then."""
    (house.folder / "us.csv").write_text(csl(2), encoding="utf-8")
    page = house.signed_in("viewer").get("/lists").text

    assert "refused, the last good one counts" in page
    standing = house.surveys.latest().condition.lists.standings[0]
    assert problems_of(standing, NOW)[0].split("'")[0] in page
    assert "REFUSED: " in page


def test_a_list_that_never_counted_screens_nobody(house: House) -> None:
    """That is the first thing to know of it."""
    one = ScreeningList(name="none", path=house.folder / "none.csv")
    house.of_program = house.of_program.model_copy(update={"lists": (one,)})

    assert "nobody is screened" in house.signed_in("viewer").get("/lists").text


def test_without_lists_nobody_is_screened(tmp_path: Path) -> None:
    """The page says so."""
    house = House(tmp_path)

    assert "No lists are configured: nobody is screened." in house.signed_in("viewer").get("/lists").text
    house.close()
