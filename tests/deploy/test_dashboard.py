"""The dashboard: made by its generator, about metrics that exist, and every query has an answer."""

from __future__ import annotations

import importlib.util
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from monitor.clock import SystemClock
from monitor.metrics import METRICS, Metrics
from monitor.simulate.scenarios import simulate
from monitor.web.health import HealthServer, Pages
from tests.deploy.monitoring import DEPLOY, flopwatch, page, prometheus, samples, told, wait_for
from tests.deploy.test_alerts import ALERTS, metrics_in

FILE = DEPLOY / "grafana" / "dashboards" / "flopwatch.json"
# Of these only a worker on Kafka has series.
OF_KAFKA = {
    "flopwatch_consumer_lag_records",
    "flopwatch_partition_progress_timestamp_seconds",
    "flopwatch_partition_stalled",
    "flopwatch_topic_partitions",
    "flopwatch_source_last_heartbeat_timestamp_seconds",
}


def document() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text()))


def panels() -> list[dict[str, Any]]:
    return [panel for panel in document()["panels"] if panel["type"] != "row"]


QUERIES = [target["expr"] for panel in panels() for target in panel["targets"]]


def filled(query: str, job: str) -> str:
    """A query as Grafana sends it for one job."""
    return query.replace("$job", job).replace("$__rate_interval", "10s")


@pytest.fixture
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DEPLOY / "grafana" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_dashboard_is_what_its_generator_makes(generator: ModuleType) -> None:
    """Generating it again changes nothing."""
    assert generator.text() == FILE.read_text()


def test_panels_have_numbers_and_places_of_their_own() -> None:
    """No number is given twice, no panel covers another, and no data source is named for good."""
    everything = document()["panels"]
    places = [panel["gridPos"] for panel in everything]
    cells = [(place["x"] + x, place["y"] + y) for place in places for x in range(place["w"]) for y in range(place["h"])]

    assert len(everything) == len({panel["id"] for panel in everything})
    assert len(cells) == len(set(cells))
    assert {"${datasource}"} == set(re.findall(r'"uid": "(\$.*?)"', FILE.read_text()))
    assert all(panel["fieldConfig"]["defaults"]["noValue"] == "no data" for panel in panels())


def test_queries_are_about_metrics_that_exist() -> None:
    """Every query names metrics of the list and no other, and keeps to the chosen jobs."""
    for query in QUERIES:
        assert metrics_in(query)
        assert set() == metrics_in(query) - {one.name for one in METRICS}
        assert query.count('job=~"$job"') == len(re.findall(r"\bflopwatch_\w+", query))


def test_queries_can_be_read_by_prometheus(tmp_path: Path) -> None:
    """Each query is an expression, as promtool finds when it stands in a rule."""
    rules = [{"record": f"query:{n}:value", "expr": filled(query, "x")} for n, query in enumerate(QUERIES)]
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))

    code, said = told("promtool", "check", "rules", tmp_path / "queries.yaml")

    assert 0 == code, said


@pytest.mark.parametrize("rule", [rule for _, rule in ALERTS], ids=lambda rule: rule["alert"])
def test_an_alert_leads_to_a_panel_about_it(rule: dict[str, Any]) -> None:
    """The panel that an alert's address names shows a metric that the alert is about."""
    number = int(rule["annotations"]["dashboard_url"].rpartition("=")[2])
    (panel,) = (panel for panel in panels() if panel["id"] == number)
    shown = {name for target in panel["targets"] for name in metrics_in(target["expr"])}

    assert metrics_in(rule["expr"]) & shown or rule["alert"] == "FlopwatchWatchdog"


@pytest.fixture
def kafka_page() -> Iterator[int]:
    """The port of a page with what a worker shows of the partitions that it reads."""
    registry = CollectorRegistry()
    metrics, now = Metrics(registry), SystemClock().now_ms()
    for number in "01":
        partition = {"topic": "flopwatch.tenants", "partition": number}
        metrics.set("flopwatch_consumer_lag_records", 0, **partition)
        metrics.set("flopwatch_partition_stalled", 0, **partition)
        metrics.set_time("flopwatch_partition_progress_timestamp_seconds", now, **partition)
    metrics.set("flopwatch_topic_partitions", 2, topic="flopwatch.tenants")
    metrics.heard("/sim/eu-1", now)
    serving = HealthServer("127.0.0.1", 0, Pages(registry, lambda: (True, ""), lambda: (True, "")))
    serving.start()
    yield serving.port
    serving.close()


def test_every_query_has_an_answer(tmp_path: Path, kafka_page: int) -> None:
    """A Prometheus that scrapes a daemon has numbers for every query, and promtool nothing against the page.

    The daemon reads a file that grows meanwhile. What only a worker on Kafka shows is scraped from a page of its own.
    """
    lines = [line for line, _ in zip(simulate("frontier").events(), range(6_000), strict=False)]
    events, rest = tmp_path / "events.jsonl", iter(lines[1_000:])
    events.write_bytes(b"".join(lines[:1_000]))
    unanswered = {(query, "kafka" if metrics_in(query) & OF_KAFKA else "flopwatch") for query in QUERIES}

    with (
        flopwatch(tmp_path, events) as (_, port),
        prometheus(tmp_path, {"flopwatch": port, "kafka": kafka_page}) as (_, asked),
    ):

        def answered() -> bool:
            with events.open("ab") as file:
                file.writelines(line for line, _ in zip(rest, range(20), strict=False))
            for query, job in list(unanswered):
                values = [float(one["value"][1]) for one in samples(asked, filled(query, job))]
                if any(map(math.isfinite, values)):
                    unanswered.remove((query, job))
            return not unanswered

        try:
            wait_for(answered, "an answer to every query", 40)
        except AssertionError:
            assert set() == unanswered  # names them
        metrics = page(port, "metrics")
        assert metrics
        assert (0, "") == told("promtool", "check", "metrics", stdin=metrics)
        (scraped,) = samples(asked, 'scrape_samples_post_metric_relabeling{job="flopwatch"}')
        (limit,) = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
        assert 7 * float(scraped["value"][1]) < limit["sample_limit"]
