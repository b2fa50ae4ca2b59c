"""Rules, runbooks and routes: each alert is what it should be, and leads to a page that helps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.metrics import BY_NAME
from monitor.web.console import ROUTERS
from tests.deploy.monitoring import DEPLOY, RULES, hurried, told

TESTS = sorted((DEPLOY / "prometheus" / "tests").glob("*.yaml"))
RUNBOOKS = DEPLOY / "runbooks"
HEADINGS = ["Meaning", "First look", "Likely causes", "What to do", "What not to do"]
FAMILIES = {"tenants.rules.yaml": "tenant", "monitor.rules.yaml": "monitor"}
CASES = {"firing", "quiet", "boundary"}
OWN_SUFFIXES = ("_bucket", "_count", "_sum")
HISTOGRAMS = {one.name for one in BY_NAME.values() if one.type == "histogram"}


PAGES = {route.path for router in ROUTERS for route in router.routes if "GET" in route.methods}


def groups(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load(file.read_text())["groups"])


EVERY = [(file.name, rule) for file in RULES for group in groups(file) for rule in group["rules"]]
ALERTS = [(file, rule) for file, rule in EVERY if "alert" in rule]
RECORDED = {rule["record"]: rule["expr"] for _, rule in EVERY if "record" in rule}
NAMES = sorted({rule["alert"] for _, rule in ALERTS})


def metrics_in(expression: str) -> set[str]:
    """The metrics of ours that an expression names, series of histograms by the histogram's name."""
    while recorded := [name for name in RECORDED if name in expression]:
        for name in recorded:
            expression = expression.replace(name, RECORDED[name])
    found = re.findall(r"\bflopwatch_[a-z_]+", expression)
    return {base if (base := stem(name)) in HISTOGRAMS else name for name in found}


def named(rule: dict[str, Any]) -> str:
    return str(rule.get("alert") or rule["record"])


def partitioned(pair: str) -> tuple[str, str, str]:
    return pair.partition("=")


def stem(name: str) -> str:
    return next((name.removesuffix(suffix) for suffix in OWN_SUFFIXES if name.endswith(suffix)), name)


def test_promtool_accepts_configuration_and_rules() -> None:
    """What an operator copies is what Prometheus takes."""
    assert 0 == told("promtool", "check", "config", DEPLOY / "prometheus" / "prometheus.yml")[0]
    code, said = told("promtool", "check", "rules", "--lint-fatal", *RULES)
    assert (0, len(RULES)) == (code, said.count("SUCCESS"))


def test_every_alert_fires_when_it_should_and_only_then() -> None:
    """The firing, quiet and boundary cases of all alerts hold under promtool."""
    code, said = told("promtool", "test", "rules", *TESTS)

    assert (0, "") == (code, said if code else "")


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_three_cases(name: str) -> None:
    """A firing, a quiet and a boundary case are named, and each says something about this alert."""
    cases = [case for file in TESTS for case in yaml.safe_load(file.read_text())["tests"]]
    mine = {case["name"].rpartition(": ")[2]: case for case in cases if case["name"].startswith(f"{name}: ")}

    assert set(mine) == CASES
    for case in mine.values():
        asked = [one["alertname"] for one in case.get("alert_rule_test", [])]
        asked += re.findall(r'alertname="(\w+)"', str([one["expr"] for one in case.get("promql_expr_test", [])]))
        assert asked
        assert {name} == set(asked)
    assert [one for one in mine["firing"]["alert_rule_test"] if one["exp_alerts"]]


@pytest.mark.parametrize(("was", "instead"), [("> 60\n", "> 600\n"), ("for: 1m", "for: 10m"), ("== 0", "== 7")])
def test_a_wrong_rule_is_seen(was: str, instead: str, tmp_path: Path) -> None:
    """The cases of an alert fail when a threshold, a slack or a comparison of it is another one."""
    of_alert = yaml.safe_load((DEPLOY / "prometheus" / "tests" / "monitor.test.yaml").read_text())
    of_alert["tests"] = [case for case in of_alert["tests"] if case["name"].startswith("FlopwatchDown: ")]
    rules = (DEPLOY / "prometheus" / "rules" / "monitor.rules.yaml").read_text()
    assert was in rules
    for name, text in (("rules/monitor.rules.yaml", rules), ("tests/monitor.test.yaml", yaml.safe_dump(of_alert))):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    cases = tmp_path / "tests" / "monitor.test.yaml"
    assert 0 == told("promtool", "test", "rules", cases)[0]
    (tmp_path / "rules" / "monitor.rules.yaml").write_text(rules.replace(was, instead))

    code, said = told("promtool", "test", "rules", cases)

    assert 0 != code
    assert "FlopwatchDown" in said


@pytest.mark.parametrize(("file", "rule"), ALERTS, ids=lambda value: value["alert"] if isinstance(value, dict) else "")
def test_an_alert_says_whom_it_is_for_and_where_to_look(file: str, rule: dict[str, Any]) -> None:
    """Labels, annotations, runbook and panel are there; the summary is one sentence that is always the same."""
    labels, annotations = rule["labels"], rule["annotations"]

    assert re.fullmatch(r"Flopwatch[A-Z][A-Za-z]+", rule["alert"])
    assert labels["severity"] in {"critical", "warning", "info"}
    assert FAMILIES[file] == labels["family"]
    assert {"summary", "description", "runbook_url", "console_url", "dashboard_url"} == set(annotations)
    assert re.fullmatch(r"[A-Z][^{}.]*\.", annotations["summary"])
    assert annotations["runbook_url"].endswith(f"/deploy/runbooks/{rule['alert']}.md")
    assert (RUNBOOKS / f"{rule['alert']}.md").is_file()
    assert re.search(r"/d/flopwatch-[a-z]+\?viewPanel=\d+$", annotations["dashboard_url"])
    page, _, asked = annotations["console_url"].removeprefix("https://flopwatch.example").partition("?")
    assert page in PAGES
    assert {name for name, _, _ in map(partitioned, filter(None, asked.split("&")))} <= {"show", "level"}
    if rule["alert"] != "FlopwatchWatchdog":  # which must stop at once when Prometheus does
        assert rule["keep_firing_for"]


@pytest.mark.parametrize(("file", "rule"), EVERY, ids=lambda value: named(value) if isinstance(value, dict) else "")
def test_rules_ask_for_metrics_that_exist(file: str, rule: dict[str, Any]) -> None:
    """Every metric in a rule is in the list of metrics, and labels that it selects by are labels of it."""
    assert metrics_in(rule["expr"]) or rule.get("alert") == "FlopwatchWatchdog"
    assert set() == metrics_in(rule["expr"]) - BY_NAME.keys()
    for name, selector in re.findall(r"\b(flopwatch_\w+)\{([^}]*)\}", rule["expr"]):
        described = BY_NAME[stem(name)] if stem(name) in HISTOGRAMS else BY_NAME[name]
        assert set() == set(re.findall(r"(\w+)\s*[=!]", selector)) - {*described.labels, "job", "instance"}


def test_a_metric_that_is_gone_is_seen() -> None:
    """Series of a histogram stand for it; a name that merely looks like one does not."""
    asked = metrics_in("rate(flopwatch_batch_seconds_bucket[1m]) / flopwatch_gone_sum + flopwatch_tenants")

    assert {"flopwatch_batch_seconds", "flopwatch_gone_sum", "flopwatch_tenants"} == asked


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_has_its_five_parts(name: str) -> None:
    """Meaning, first look, likely causes, what to do, what not to do: in this order, none of them empty."""
    text = (RUNBOOKS / f"{name}.md").read_text()

    assert f"# {name}\n" == text[: len(name) + 3]
    assert HEADINGS == re.findall(r"(?m)^## (.*)$", text)
    assert all(part.strip() for part in re.split(r"(?m)^##? .*$", text)[2:])


def test_every_runbook_is_of_an_alert() -> None:
    """No page is left of an alert that is gone, and the overview lists them all."""
    assert NAMES == sorted(file.stem for file in RUNBOOKS.glob("*.md"))
    overview = (DEPLOY / "README.md").read_text()
    assert NAMES == sorted(re.findall(r"\]\(runbooks/(\w+)\.md\)", overview))


def test_the_alertmanager_example_is_accepted() -> None:
    """amtool finds nothing wrong, no rule lets one alert hide another, and there are three receivers."""
    code, said = told("amtool", "check-config", DEPLOY / "alertmanager" / "alertmanager.yml")

    assert 0 == code, said
    assert "0 inhibit rules" in said
    assert "3 receivers" in said


@pytest.mark.parametrize(("file", "rule"), ALERTS, ids=lambda value: value["alert"] if isinstance(value, dict) else "")
def test_each_alert_goes_to_its_receiver(file: str, rule: dict[str, Any]) -> None:
    """Tenants' alerts to reviewers, the monitor's to operators, the watchdog to the dead-man's switch."""
    expected = {"tenant": "reviewers", "monitor": "operators"}[rule["labels"]["family"]]
    if rule["alert"] == "FlopwatchWatchdog":
        expected = "dead-mans-switch"
    labels = [f"{name}={value}" for name, value in {**rule["labels"], "alertname": rule["alert"]}.items()]

    config = DEPLOY / "alertmanager" / "alertmanager.yml"
    code, said = told("amtool", "config", "routes", "test", f"--config.file={config}", *labels)

    assert (0, expected) == (code, said.split()[0])  # a warning may follow


def test_hurried_configuration_differs_in_waits_only() -> None:
    """What the tests with servers run is what is shipped, with every wait a second."""
    text = "for: 1m\nkeep_firing_for: 15m\ngroup_wait: 0s\nrepeat_interval: 12h\nexpr: x > 60 # look for: it"

    assert "for: 1s\nkeep_firing_for: 1s\ngroup_wait: 0s\nrepeat_interval: 1s\nexpr: x > 60 # look for: it" == (
        hurried(text)
    )
