"""What pages read: one state of the books, read anew in the background, each question answered once."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.app.references import load_reference
from monitor.app.stores import load_all, opened_store
from monitor.errors import StoreProblem
from monitor.log import build_log, tenant_reference
from monitor.reference.root import config_root
from monitor.run import survey as surveying
from monitor.run.condition import AuditSight, Condition, condition_of
from monitor.run.listing import ScreeningLists
from monitor.run.snapshot import Snapshot, Triggers
from monitor.run.survey import Survey, Surveys
from tests.cli.command import HELD, fact, flopwatch, written
from tests.run.test_worker import TurnedClock

REFERENCE = load_reference(config_root())
EFFECTS = REFERENCE.lists.effects
SECONDS = 60.0


class Place:
    """A store that grows, and the surveys of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "books.db"
        self.clock, self.log, self.broken, self.open = TurnedClock(), io.StringIO(), False, 0
        self.add("acme")
        self.surveys = Surveys(self.snapshot, self.clock, build_log("info", self.clock, self.log), SECONDS)

    def add(self, tenant: str) -> None:
        """One more tenant."""
        begun = fact("allocation.started", f"begin-{tenant}", tenant=tenant, **HELD)
        assert 0 == flopwatch("replay", written(self.folder / "events.jsonl", [begun]), "--state", self.state).code

    @contextmanager
    def snapshot(self) -> Iterator[tuple[Snapshot, Condition]]:
        """One state of the store."""
        if self.broken:
            raise StoreProblem("The store is away.")
        with opened_store(f"sqlite:///{self.state}", create=False) as store, store.still():
            self.open += 1
            condition = condition_of(store, ScreeningLists(EFFECTS, [], 0), AuditSight(), self.clock.now_ms())
            yield Snapshot(load_all(store), REFERENCE, Triggers((), ())), condition
            self.open -= 1

    def renewed(self) -> Survey:
        """The survey after the one that is old by now."""
        self.clock.turn(SECONDS)
        before = self.surveys.latest()
        making = self.surveys._making
        if making is not None:
            making.join()
        after = self.surveys.latest()
        assert self.broken or after is not before
        return after


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.surveys.close()
    assert 0 == place.open


def names(survey: Survey) -> list[str]:
    return [one.tenant for one in survey.tenants().tenants]


def test_a_survey_stays_as_it_is(place: Place) -> None:
    """Whoever asks sees one state, whatever is written meanwhile, until it is old; then the next one."""
    first = place.surveys.latest()
    place.add("basalt")

    assert first is place.surveys.latest()
    assert ["acme"] == names(first)
    assert ["acme", "basalt"] == names(place.renewed())
    assert ["acme"] == names(first)


def test_each_question_is_answered_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time the same answer is given; of many the oldest are forgotten, and computed again."""
    survey = place.surveys.latest()
    story = survey.tenant("acme")

    assert story is survey.tenant("acme")
    assert story is not None
    assert story.flop == survey.tenants().tenants[0].flop
    assert survey.runs("acme") is survey.runs("acme")
    assert ([], None) == (survey.hits().hits, survey.tenant("nobody"))
    monkeypatch.setattr(surveying, "REMEMBERED_MAX", 1)
    survey.tenant("somebody else")
    assert story is survey.tenant("acme") or story == survey.tenant("acme")


def test_a_tenant_is_found_by_its_reference(place: Place) -> None:
    """Addresses of pages name nobody."""
    survey = place.surveys.latest()

    assert "acme" == survey.named(tenant_reference("acme"))
    assert survey.named("t-none") is None
    assert survey.as_of == survey.tenants().as_of


def test_a_store_that_is_away_leaves_the_old_survey(place: Place) -> None:
    """It is said in the log, and tried again when somebody asks."""
    first = place.surveys.latest()
    place.broken = True

    assert first is place.renewed()
    assert "The store is away." in place.log.getvalue()
    place.broken = False
    assert first is not place.renewed()


def test_without_a_first_survey_whoever_asks_is_told(place: Place) -> None:
    """There is nothing to show then."""
    place.broken = True

    with pytest.raises(StoreProblem, match="away"):
        place.surveys.latest()


def test_old_states_are_let_go(place: Place) -> None:
    """The latest and the one before stay open: somebody may still be asking that."""
    place.surveys.latest()
    for _ in range(3):
        place.renewed()

    assert 2 == place.open


def test_many_ask_at_once(place: Place) -> None:
    """Each gets the same answer, and one survey is made."""
    place.surveys.latest()
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(place.surveys.latest().tenant("acme"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == len({id(story) for story in found})
    assert 8 == len(found)
