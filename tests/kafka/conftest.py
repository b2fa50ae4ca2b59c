"""What the tests on real servers share: one broker and one database cluster for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.kafka import Kafka, Topics, any_kafka
from tests.store.cluster import cluster, postgres

__all__ = ["cluster", "postgres"]


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """A broker."""
    with any_kafka() as broker:
        yield broker


@pytest.fixture
def topics(kafka: Kafka) -> Iterator[Topics]:
    """The broker's topics."""
    topics = Topics(kafka.bootstrap)
    yield topics
    topics.close()
