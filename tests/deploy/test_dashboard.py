"""The dashboards: made by their generator, about metrics that exist, and every query has an answer."""

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

from monitor.log import tenant_reference
from monitor.metrics import BY_NAME
from monitor.run.task import SIZES_SECONDS
from monitor.simulate.scenarios import simulate
from tests.deploy.monitoring import DEPLOY, ROOT, free_port, page, prometheus, samples, told, wait_for
from tests.deploy.test_alerts import ALERTS, PAGES, metrics_in
from tests.kafka.workers import Site
from tests.servers.kafka import Topics

TENANT = "orchid-compute"  # of the simulated scenario that is played
FILES = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))


def documents() -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in FILES]


def panels() -> list[dict[str, Any]]:
    return [panel for document in documents() for panel in document["panels"] if panel["type"] != "row"]


QUERIES = sorted({target["expr"] for panel in panels() for target in panel["targets"]})


def filled(query: str, job: str) -> str:
    """A query as Grafana sends it for one job."""
    spans = {"[1h]": "[10s]", "[1d]": "[10s]", "$__rate_interval": "10s"}  # nobody waits for an hour
    for was, instead in {"$job": job, "$tenant": tenant_reference(TENANT), **spans}.items():
        query = query.replace(was, instead)
    return query


@pytest.fixture
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DEPLOY / "grafana" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_dashboards_are_what_their_generator_makes(generator: ModuleType) -> None:
    """Generating them again changes nothing, and no file is left of a dashboard that is gone."""
    assert generator.texts() == {file: file.read_text() for file in FILES}


def test_panels_have_numbers_and_places_of_their_own() -> None:
    """No number is given twice, no panel covers another, and no data source is named for good."""
    for document, file in zip(documents(), FILES, strict=True):
        everything = document["panels"]
        places = [panel["gridPos"] for panel in everything]
        cells = [
            (place["x"] + x, place["y"] + y) for place in places for x in range(place["w"]) for y in range(place["h"])
        ]
        assert file.stem == document["uid"]
        assert len(everything) == len({panel["id"] for panel in everything})
        assert len(cells) == len(set(cells))
        assert {"${datasource}"} == set(re.findall(r'"uid": "(\$.*?)"', file.read_text()))
    assert len(panels()) == len({panel["id"] for panel in panels()})
    assert all(panel["fieldConfig"]["defaults"]["noValue"] == "no data" for panel in panels())


def test_panels_lead_to_pages_of_the_console() -> None:
    """Each link is a route that answers; a tenant's page is asked for by its reference."""
    leading = {link["url"] for panel in panels() for link in panel["links"]}
    paths = {url.removeprefix("https://flopwatch.example").partition("?")[0] for url in leading}

    assert paths - PAGES == {"/tenants/$tenant"}
    assert "/tenants/{reference}" in PAGES


def test_grafana_is_told_where_dashboards_and_data_are() -> None:
    """The provisioning files are what Grafana reads: one provider that takes no change, one source of data."""
    provisioning = DEPLOY / "grafana" / "provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "flopwatch.yaml").read_text())["providers"]
    (source,) = yaml.safe_load((provisioning / "datasources" / "flopwatch.yaml").read_text())["datasources"]

    assert ("file", False) == (provider["type"], provider["allowUiUpdates"])
    assert ("prometheus", False) == (source["type"], source["editable"])


def test_queries_are_about_metrics_that_exist() -> None:
    """Every query names metrics of the list and no other, and keeps to the chosen jobs."""
    for query in QUERIES:
        assert metrics_in(query)
        assert set() == metrics_in(query) - BY_NAME.keys()
        assert query.count('job=~"$job"') == len(re.findall(r"(?:\w+:)?\bflopwatch_\w+", query))


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
    uid = rule["annotations"]["dashboard_url"].rpartition("/")[2].partition("?")[0]
    (document,) = (one for one in documents() if one["uid"] == uid)
    (panel,) = (panel for panel in document["panels"] if panel["id"] == number)
    shown = {name for target in panel["targets"] for name in metrics_in(target["expr"])}

    assert metrics_in(rule["expr"]) & shown or rule["alert"] == "FlopwatchWatchdog"


@pytest.fixture
def site(topics: Topics, tmp_path: Path) -> Iterator[Site]:
    """Two partitions, and the books in a file."""
    site = Site(tmp_path, topics, f"sqlite:///{tmp_path / 'books.db'}", 2)
    yield site
    site.close()


def test_every_query_has_an_answer(tmp_path: Path, site: Site) -> None:
    """A Prometheus that scrapes a worker has numbers for every query, and promtool nothing against the page.

    The worker reads topics of Kafka that grow meanwhile. A translator and a console say what they are, too.
    """
    lines = [line for line, _ in zip(simulate("frontier").events(), range(6_000), strict=False)]
    rest = iter(lines[1_000:])
    site.produce(lines[:1_000])
    lists = [{"name": "own", "path": str(ROOT / "config" / "lists" / "synthetic" / "own.yaml")}]
    key = tmp_path / "key"
    key.write_text("a key", encoding="utf-8")
    sinks = [{"name": "own", "kind": "webhook", "url": "https://127.0.0.1:1/", "key_file": str(key)}]
    console = free_port()
    worker = site.start("all", LISTS=json.dumps(lists), NOTICES__SINKS=json.dumps(sinks), CONSOLE__PORT=console)
    foreign = site.topics.create(1)
    site.topics.write(foreign, [(None, b"{}")])
    topics = json.dumps([{"topic": foreign, "source": "/aws"}])
    files = json.dumps({"trail": {"paths": [f"{tmp_path}/*.json.gz"], "foreign": {"source": "/aws"}}})
    translator = site.start(
        "intake",
        INTAKE__TOPICS=topics,
        INTAKE__GROUP=foreign,
        INTAKE__FILES=files,
        INTAKE__POSITIONS_FILE=tmp_path / "positions.json",
    )
    web = site.start("web", CONSOLE__PORT=free_port())
    ports = {"flopwatch": worker.port, "translator": translator.port, "console": web.port}
    unanswered = set(QUERIES)

    with prometheus(tmp_path, ports) as (_, asked):

        def answered() -> bool:
            site.produce(line for line, _ in zip(rest, range(20), strict=False))
            page(console, "sign-in")
            for query in list(unanswered):
                values = [float(one["value"][1]) for one in samples(asked, filled(query, ".+"))]
                if any(map(math.isfinite, values)):
                    unanswered.remove(query)
            return not unanswered

        try:
            wait_for(answered, "an answer to every query", 1.5 * SIZES_SECONDS)
        except AssertionError:
            assert set() == unanswered  # names them
        assert ports.keys() == {one["metric"]["job"] for one in samples(asked, "flopwatch_build_info")}
        metrics = page(worker.port, "metrics")
        assert metrics
        assert (0, "") == told("promtool", "check", "metrics", stdin=metrics)
        (scraped,) = samples(asked, 'scrape_samples_post_metric_relabeling{job="flopwatch"}')
        (limit,) = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
        assert 7 * float(scraped["value"][1]) < limit["sample_limit"]
