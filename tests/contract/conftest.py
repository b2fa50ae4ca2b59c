"""What the contracts share: each kind of database in turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.cluster import new_store
from tests.store.taking import url_of


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new store, in each kind of database."""
    if request.param == "sqlite":
        return url_of(tmp_path)
    return new_store(request.getfixturevalue("postgres"))
