"""Metrics and health over HTTP."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from monitor.app.references import load_reference
from monitor.core.bounds import Bounds
from monitor.core.inventory import Conservation
from monitor.errors import SettingsProblem
from monitor.metrics import (
    METRICS,
    OTHER_SOURCES,
    REVISION_VARIABLE,
    SOURCES_MAX,
    BooksState,
    Metrics,
    conservation_figures,
    show_build,
)
from monitor.reference.root import config_root
from monitor.web import health
from monitor.web.health import HealthServer, Pages

RULES = ["ladder.1e23.of_concern"]


class Told:
    """What the pages are told when they ask."""

    def __init__(self) -> None:
        self.healthy = (True, "All is well.")
        self.ready = (True, "The books are loaded.")


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def server(told: Told, registry: CollectorRegistry) -> Iterator[HealthServer]:
    serving = HealthServer("127.0.0.1", 0, Pages(registry, lambda: told.healthy, lambda: told.ready))
    serving.start()
    yield serving
    serving.close()


def ask(server: HealthServer, method: str, target: str) -> tuple[int, str, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request(method, target)
        response = connection.getresponse()
        return response.status, response.read().decode(), response.headers
    finally:
        connection.close()


def test_health_says_what_stands_still(server: HealthServer, told: Told) -> None:
    """200 while there is progress, 503 with the sentence when there is none."""
    assert (200, "All is well.\n") == ask(server, "GET", "/healthz")[:2]

    told.healthy = (False, "The books cannot be committed.")
    assert (503, "The books cannot be committed.\n") == ask(server, "GET", "/healthz")[:2]


def test_readiness_is_another_question(server: HealthServer, told: Told) -> None:
    """A daemon that stops is healthy and not ready."""
    told.ready = (False, "The daemon is stopping.")

    assert (503, "The daemon is stopping.\n") == ask(server, "GET", "/readyz")[:2]
    assert 200 == ask(server, "GET", "/healthz")[0]


def test_a_head_request_has_no_body(server: HealthServer) -> None:
    """HEAD answers like GET, without the text."""
    status, body, headers = ask(server, "HEAD", "/healthz")

    assert (200, "") == (status, body)
    assert str(len("All is well.\n")) == headers["Content-Length"]


@pytest.mark.parametrize("target", ["/", "/metric", "/healthz/", "/..%2fetc/passwd"])
def test_another_page_is_not_there(server: HealthServer, target: str) -> None:
    """The answer names the pages that are."""
    status, body, _ = ask(server, "GET", target)

    assert 404 == status
    assert "/metrics, /healthz and /readyz" in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_written(server: HealthServer, method: str) -> None:
    """Other methods are refused, with the ones that work."""
    status, body, headers = ask(server, method, "/metrics")

    assert (405, "GET, HEAD") == (status, headers["Allow"])
    assert "use GET or HEAD" in body


def test_a_silent_connection_does_not_keep_others_waiting(server: HealthServer) -> None:
    """Somebody who connects and says nothing has a thread to himself."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5):
        assert 200 == ask(server, "GET", "/healthz")[0]


def test_a_silent_connection_is_closed_in_time(server: HealthServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that says nothing ends after the time that a request may take."""
    monkeypatch.setattr(health._Handler, "timeout", 0.05)

    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as silent:
        assert b"" == silent.recv(1)


def test_more_connections_than_the_maximum_are_closed(server: HealthServer) -> None:
    """Too many at once cost no more threads, and when they are gone the next one is answered."""
    silent = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(health.CONNECTIONS_MAX)]
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as one_more:
        assert b"" == one_more.recv(1)
    for connection in silent:
        connection.close()

    for _ in range(100):
        try:
            assert 200 == ask(server, "GET", "/healthz")[0]
            break
        except (ConnectionError, http.client.HTTPException):
            continue
    else:
        pytest.fail("no connection was freed")


def test_an_address_in_use_is_a_sentence(server: HealthServer, registry: CollectorRegistry) -> None:
    """A port that somebody else has names the setting to change."""
    pages = Pages(registry, lambda: (True, ""), lambda: (True, ""))

    for host in ("127.0.0.1", "203.0.113.1"):
        with pytest.raises(SettingsProblem, match=r"Choose another `http\.host` or `http\.port`"):
            HealthServer(host, server.port, pages)


def exposed(registry: CollectorRegistry, state: BooksState) -> Metrics:
    metrics = Metrics(registry)
    metrics.expose(lambda: state, RULES)
    return metrics


def test_the_page_has_every_metric_of_the_list_and_no_other(server: HealthServer, registry: CollectorRegistry) -> None:
    """The described list is the whole truth about names, types and descriptions."""
    exposed(registry, BooksState())

    status, body, _ = ask(server, "GET", "/metrics")
    families = {family.name: family for family in text_string_to_metric_families(body)}

    assert 200 == status
    assert {one.name.removesuffix("_total") for one in METRICS} == set(families)
    for one in METRICS:
        family = families[one.name.removesuffix("_total")]
        assert one.help == family.documentation
        assert ("gauge" if one.type == "state" else one.type) == family.type


def test_metrics_follow_the_conventions() -> None:
    """One prefix, `_total` on counters only, seconds for durations, a full sentence of help, no label of a name.

    Sources are a label of one metric only, and references of tenants of two; both have a maximum.
    """
    for one in METRICS:
        assert re.fullmatch(r"flopwatch_[a-z_]+", one.name)
        assert (one.type == "counter") == one.name.endswith("_total")
        assert one.type != "histogram" or one.name.endswith("_seconds")
        assert one.help.endswith(".")
        assert set() == set(one.labels) & {"allocation", "name", "run"}
    assert ["flopwatch_tenant_compute_flop", "flopwatch_tenant_held_accelerator_seconds"] == [
        one.name for one in METRICS if "tenant" in one.labels
    ]
    assert ["flopwatch_source_last_heartbeat_timestamp_seconds"] == [
        one.name for one in METRICS if "source" in one.labels
    ]


def test_series_exist_before_the_first_event(server: HealthServer, registry: CollectorRegistry) -> None:
    """A rate over a counter of a known label starts at zero, and no `_created` series stands beside it."""
    exposed(registry, BooksState()).initialise_topics(["file", "flopwatch.control"])

    body = ask(server, "GET", "/metrics")[1]

    assert 'flopwatch_events_consumed_total{outcome="rejected",topic="file"} 0.0' in body
    assert 'flopwatch_events_consumed_total{outcome="accepted",topic="flopwatch.control"} 0.0' in body
    assert 'flopwatch_dead_letters_total{reason="json"} 0.0' in body
    assert 'flopwatch_blind_intervals{cause="silence"} 0.0' in body
    assert 'flopwatch_blind_seconds_total{cause="dead letters"} 0.0' in body
    assert 'flopwatch_flags{level="critical",rule="ladder.1e23.of_concern",state="open"} 0.0' in body
    assert "_created" not in body


def test_the_state_of_the_books_is_read_at_each_scrape(registry: CollectorRegistry) -> None:
    """The numbers are those of the moment of the question."""
    states = [BooksState(tenants=1), BooksState(tenants=2, flags={("open", "watch", RULES[0]): 3})]
    metrics = Metrics(registry)
    metrics.expose(lambda: states[0], RULES)

    assert 1 == registry.get_sample_value("flopwatch_tenants")
    states.pop(0)
    assert 2 == registry.get_sample_value("flopwatch_tenants")
    labels = {"state": "open", "level": "watch", "rule": RULES[0]}
    assert 3 == registry.get_sample_value("flopwatch_flags", labels)


def test_the_largest_run_and_open_hits_are_those_of_the_books(registry: CollectorRegistry) -> None:
    """Each bound of the run, and each list and band that is told, has a series; without a run its bounds are zero."""
    states = [BooksState(), BooksState(hits={("us.sdn", "likely"): 3}, largest_run=Bounds(1, 2, 3, 10**26))]
    metrics = Metrics(registry)
    metrics.expose(lambda: states[0], RULES)

    def run() -> list[float | None]:
        return [registry.get_sample_value("flopwatch_run_compute_flop_max", {"bound": one}) for one in Bounds._fields]

    assert [0, 0, 0, 0] == run()
    states.pop(0)
    assert [1, 2, 3, 1e26] == run()
    assert 3 == registry.get_sample_value("flopwatch_screening_matches", {"list": "us.sdn", "band": "likely"})


@pytest.mark.parametrize(("said", "told"), [(None, "unknown"), ("", "unknown"), ("3f2a", "3f2a")])
def test_the_commit_that_was_built_is_told_where_somebody_said_it(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch, said: str | None, told: str
) -> None:
    """From the variable that the image sets; by whatever process, with or without books."""
    monkeypatch.delenv(REVISION_VARIABLE, raising=False)
    if said is not None:
        monkeypatch.setenv(REVISION_VARIABLE, said)
    others = CollectorRegistry()
    Metrics(registry).describe("sha256:0", load_reference(config_root()))
    show_build(others)

    (of_books,), (of_others,) = (
        [
            sample.labels
            for metric in one.collect()
            if metric.name == "flopwatch_build_info"
            for sample in metric.samples
        ]
        for one in (registry, others)
    )
    assert of_books == of_others
    assert told == of_books["revision"]


def test_a_list_is_dated_where_its_file_says_so(registry: CollectorRegistry) -> None:
    """Only the latest version has series; where nothing counts, or the file does not say, nothing is told."""
    metrics = Metrics(registry)

    def told(digest: str, published: int | None) -> tuple[list[str], list[float]]:
        metrics.show_list("us", digest, published)
        found = {metric.name.removeprefix("flopwatch_screening_list_"): metric.samples for metric in registry.collect()}
        return (
            [sample.labels["digest"] for sample in found["info"]],
            [sample.value for sample in found["published_timestamp_seconds"]],
        )

    assert (["sha256:1"], [1.0]) == told("sha256:1", 1_000)
    assert (["sha256:2"], [0.0]) == told("sha256:2", 0)
    assert (["sha256:3"], []) == told("sha256:3", None)
    assert ([], []) == told("", None)


def test_a_partition_that_is_gone_leaves_no_series(registry: CollectorRegistry) -> None:
    """What was said of a partition disappears when another worker reads it; its neighbours and counters stay."""
    metrics = Metrics(registry)
    by_partition = [one.name for one in METRICS if one.labels == ("topic", "partition")]
    for name in by_partition:
        metrics.set(name, 7, topic="tenants", partition="3")
        metrics.set(name, 7, topic="tenants", partition="4")
    metrics.initialise_topics(["tenants"])

    metrics.forget_partition("tenants", "3")
    metrics.forget_partition("tenants", "5")  # never had any

    gone, kept = ({"topic": "tenants", "partition": number} for number in "34")
    assert 5 == len(by_partition)
    assert [None] * 5 == [registry.get_sample_value(name, gone) for name in by_partition]
    assert [7] * 5 == [registry.get_sample_value(name, kept) for name in by_partition]
    consumed = {"topic": "tenants", "outcome": "accepted"}
    assert 0 == registry.get_sample_value("flopwatch_events_consumed_total", consumed)


def test_many_sources_share_a_series(registry: CollectorRegistry) -> None:
    """The first fifty sources have a series each; of the others the latest word counts, in whatever order it comes."""
    metrics = Metrics(registry)
    for number in range(SOURCES_MAX):
        metrics.heard(f"source-{number}", 1_000)
    metrics.heard("one-more", 9_000)
    metrics.heard("and-another", 5_000)
    metrics.heard("source-0", 2_000)

    def heard(source: str) -> float | None:
        return registry.get_sample_value("flopwatch_source_last_heartbeat_timestamp_seconds", {"source": source})

    assert [2, 1, 9, None] == [heard(source) for source in ("source-0", "source-49", OTHER_SOURCES, "one-more")]


def test_two_sets_of_metrics_do_not_know_each_other() -> None:
    """The registry is given, never a global one."""
    one, other = CollectorRegistry(), CollectorRegistry()
    Metrics(one).add("flopwatch_late_events_total", 2)
    Metrics(other)

    assert 2 == one.get_sample_value("flopwatch_late_events_total")
    assert 0 == other.get_sample_value("flopwatch_late_events_total")


def against_report(capacity: int, unattributed: int, surplus: int) -> Conservation:
    return Conservation("eu", 0, "H100", capacity, 0, unattributed, 0, surplus, ())


@pytest.mark.parametrize(
    ("reports", "figures"),
    [
        ([], (0.0, 0.0)),
        ([against_report(8_000, 0, 0)], (0.0, 0.0)),
        ([against_report(8_000, 2_000, 0), against_report(4_000, 0, 3_000)], (2.0, 0.75)),
        ([against_report(0, 0, 5_000)], (0.0, 1.0)),
        ([against_report(0, 0, 0)], (0.0, 0.0)),
    ],
)
def test_what_books_and_reports_differ_on(reports: list[Conservation], figures: tuple[float, float]) -> None:
    """Accelerators nobody accounts for, and the greatest share of a capacity that is wrong either way."""
    assert figures == conservation_figures(reports)
