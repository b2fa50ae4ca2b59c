"""Progress: what it says of a source that does not answer, and how it knows whether there is more to read."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry

from monitor.core.limits import Partition
from monitor.errors import SourceProblem
from monitor.metrics import Metrics
from monitor.run.watching import LOOK_SECONDS, Progress
from tests.run.test_worker import TurnedClock

STALLED_SECONDS = 30.0


class Broker:
    """A source whose client polls in peace, while nobody may be there to say where its partitions end."""

    def __init__(self) -> None:
        self.away = True

    def ends(self) -> Mapping[Partition, int]:
        if self.away:
            raise SourceProblem("Nobody answers: start the broker.")
        return {("tenants", 0): 7}


def test_a_source_that_does_not_answer_is_in_trouble_at_once() -> None:
    """The first look says why; the loop stands still only once that has lasted; an answer ends both."""
    broker, clock = Broker(), TurnedClock()
    progress = Progress(broker, STALLED_SECONDS, clock, Metrics(CollectorRegistry()))  # type: ignore[arg-type]

    progress.look({})
    assert "Nobody answers: start the broker." == progress.trouble
    assert "" == progress.stalled()
    clock.turn(STALLED_SECONDS)
    progress.look({})
    assert "has not answered for 30 seconds. Nobody answers" in progress.stalled()
    broker.away = False
    clock.turn(LOOK_SECONDS)
    progress.look({("tenants", 0): 7})
    assert ("", "") == (progress.trouble, progress.stalled())


def test_after_a_pause_a_partition_is_behind_until_its_end_is_told() -> None:
    """A client knows no end from before the pause; who does not answer leaves it unknown, too."""
    broker, clock = Broker(), TurnedClock()
    where = ("tenants", 0)
    progress = Progress(broker, STALLED_SECONDS, clock, Metrics(CollectorRegistry()))  # type: ignore[arg-type]
    broker.away = False
    progress.look({where: 7})
    assert ({where}, set()) == (progress.behind({where: 6}), progress.behind({where: 7, ("control", 0): 3}))

    progress.resumed()
    assert {where} == progress.behind({where: 7})
    broker.away = True
    progress.look({where: 7})
    assert {where} == progress.behind({where: 7})
    broker.away = False
    clock.turn(LOOK_SECONDS)
    progress.look({where: 7})
    assert set() == progress.behind({where: 7})
