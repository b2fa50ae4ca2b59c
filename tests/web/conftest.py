"""What the tests of the console share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.browsing import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A console behind https, where people sign in with passwords."""
    house = House(tmp_path)
    yield house
    house.close()
