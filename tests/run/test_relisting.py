"""Screening lists that change while a worker runs: which version counts, and what metrics say of it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from monitor.core.lists import Lists
from monitor.core.model import SECOND_MS
from monitor.log import build_log
from monitor.metrics import Metrics
from monitor.reference.lists.shelf import ListShelf, Standing
from monitor.run.relisting import LOOK_SECONDS, Relisting
from monitor.run.task import Watch
from monitor.settings import ScreeningList
from tests.core.listed import lists
from tests.reference.lists.samples import CSL_CSV, OWN_YAML, SOURCES
from tests.run.test_worker import TurnedClock

DATED_MS = 1_793_491_200_000  # of the sample in our own format


@pytest.mark.parametrize(("content", "published"), [(OWN_YAML, DATED_MS), (CSL_CSV, None)])
def test_a_list_is_shown_as_its_last_good_version_is(tmp_path: Path, content: bytes, published: int | None) -> None:
    """How it is dated, where it says so, and its digest: also while a file that is broken does not count."""
    file, clock, registry = tmp_path / "one", TurnedClock(), CollectorRegistry()
    shelf = ListShelf([ScreeningList(name="one", path=file)], tmp_path / "state", SOURCES)

    def read(_before: Lists | None) -> tuple[Lists, Sequence[Standing]]:
        standings = shelf.take(clock.now_ms())
        versions = tuple(one.kept.list.version for one in standings if one.kept)
        return lists()._replace(versions=versions), standings

    def told(name: str) -> float | None:
        return registry.get_sample_value(f"flopwatch_screening_list_{name}", {"list": "one"})

    relisting = Relisting([file], read, Watch(Metrics(registry), clock, build_log("info", clock, io.StringIO())))
    assert (1, None) == (told("refused"), told("published_timestamp_seconds"))

    for good, refused in ((content, 0), (b"broken", 1)):
        file.write_bytes(good)
        clock.turn(LOOK_SECONDS)
        changed = relisting.changed()
        (version,) = relisting.lists.versions

        assert (not refused, refused) == (changed is not None, told("refused"))
        assert (None if published is None else published / SECOND_MS) == told("published_timestamp_seconds")
        info = {"list": "one", "digest": version.digest}
        assert 1 == registry.get_sample_value("flopwatch_screening_list_info", info)
