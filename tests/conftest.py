"""What every test run shares: how hypothesis searches, one of each server, and that a skip may count as a failure.

A server is started for the first test that asks for it and serves the whole run. What starts it is imported then, so
that tests without servers begin at once.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from coverage import Coverage
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

if TYPE_CHECKING:
    from tests.servers.kafka import JavaKafka, Kafka, Topics
    from tests.store.cluster import Cluster, Named

TESTS = Path(__file__).resolve().parent
set_hypothesis_home_dir(TESTS.parent / ".cache" / "hypothesis")
# No deadline: machines that share their cores are slow now and then. The blob makes a failure reproducible elsewhere.
settings.register_profile("flopwatch", deadline=None, print_blob=True)
settings.register_profile("fuzz", deadline=None, print_blob=True, max_examples=5_000)  # for `make fuzz`
settings.load_profile("flopwatch")

NO_SKIPS = "FLOPWATCH_NO_SKIPS"
SLOW = {"kafka", "broker", "granted", "chromium"}  # fixtures whose tests wait most of the time


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """A broker."""
    from tests.servers.kafka import any_kafka

    with any_kafka() as broker:
        yield broker


@pytest.fixture(scope="session")
def own_kafka(kafka: Kafka) -> Iterator[JavaKafka]:
    """A broker of our own, which may be killed."""
    from tests.servers.kafka import JavaKafka

    if isinstance(kafka, JavaKafka):
        yield kafka
    else:
        own = JavaKafka()
        yield own
        own.close()


@pytest.fixture
def topics(kafka: Kafka) -> Iterator[Topics]:
    """The broker's topics."""
    from tests.servers.kafka import Topics

    topics = Topics(kafka.bootstrap)
    yield topics
    topics.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster | Named]:
    """A database server."""
    from tests.store.cluster import any_postgres

    with any_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def cluster(postgres: Cluster | Named) -> Iterator[Cluster]:
    """A database server of our own, which may be stopped."""
    from tests.store.cluster import Cluster, private

    if isinstance(postgres, Cluster):
        yield postgres
    else:
        with private() as own:
            yield own


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Two processes for each core: whoever waits for a broker leaves its core to the other."""
    return (yield) * 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where processes share the files among them, begin with those that wait most of the time."""
    if hasattr(config, "workerinput"):
        waiting = {item.path for item in items if SLOW & set(getattr(item, "fixturenames", ()))}
        items.sort(key=lambda item: item.path not in waiting)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure how the core is covered by its own tests only: where every line is noted, all take twice as long."""
    if TESTS / "core" in item.path.parents:
        return (yield)
    measured = []
    while running := Coverage.current():  # two of them in a process of xdist
        running.stop()
        measured.append(running)
    try:
        return (yield)
    finally:
        for one in reversed(measured):
            one.start()


def skipped(config: pytest.Config) -> list[str]:
    """Return one line for each test or module that was skipped so far: where, and why."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter else []
    lines = []
    for report in reports:
        # A skip's long form is (file, line, reason); anything else prints as it is.
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        lines.append(f"{report.nodeid}: {reason}")
    return lines


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Turn a passing run with skips into a failing one where FLOPWATCH_NO_SKIPS is set."""
    if os.environ.get(NO_SKIPS) and exitstatus == pytest.ExitCode.OK and skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the skips that made the run fail."""
    lines = skipped(terminalreporter.config)
    if os.environ.get(NO_SKIPS) and lines:
        terminalreporter.section(f"{NO_SKIPS} is set and {len(lines)} skipped: install what they need", red=True)
        for line in lines:
            terminalreporter.line(line)
