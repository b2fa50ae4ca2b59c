"""What the tests of the store share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.store.sql import SqlStore
from tests.store.cluster import Cluster, Named
from tests.store.taking import url_of


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """A new store in the test's folder."""
    store = SqlStore.open(url_of(tmp_path))
    yield store
    store.close()


@pytest.fixture
def shared(postgres: Cluster | Named) -> str:
    """The address of a new, empty database of PostgreSQL."""
    return postgres.new_database()
