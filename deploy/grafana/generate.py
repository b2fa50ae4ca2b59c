"""Write dashboards/flopwatch.json: `python deploy/grafana/generate.py`.

The dashboard is made here and never in Grafana, so that a change can be read and every query is tested. The numbers of
the panels are part of the addresses that alerts carry: a panel keeps its number.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).parent / "dashboards" / "flopwatch.json"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS, HEIGHT = 24, 8
OLDEST_NOTICE = "flopwatch_notice_oldest_undelivered_timestamp_seconds"
SOURCE_HEARD = "flopwatch_source_last_heartbeat_timestamp_seconds"
JOB = '{job=~"$job"}'
NO_NOTICE = f'0 * max by (job) ({OLDEST_NOTICE}{{job=~"$job"}})'


class Query(NamedTuple):
    """One expression, and how its series are named."""

    expr: str
    legend: str


class Panel(NamedTuple):
    """One picture; `limit` draws the line from which on it is bad."""

    number: int
    title: str
    says: str
    queries: tuple[Query, ...]
    unit: str = "short"
    limit: float | None = None
    kind: str = "timeseries"


def by(labels: str, metric: str, selector: str = JOB, operation: str = "sum") -> str:
    """Aggregate a metric of the chosen jobs."""
    return f"{operation} by ({labels}) ({metric}{selector})"


def rate(labels: str, counter: str) -> str:
    """Aggregate the rate of a counter."""
    return f"sum by ({labels}) (rate({counter}{JOB}[$__rate_interval]))"


def age(metric: str) -> str:
    """How long ago an instant was."""
    return f"time() - {metric}{JOB}"


def slowest(histogram: str) -> Query:
    """The 99th percentile of a duration."""
    return Query(
        f"histogram_quantile(0.99, sum by (job, le) (rate({histogram}_bucket{JOB}[$__rate_interval])))",
        histogram.removeprefix("flopwatch_").removesuffix("_seconds"),
    )


ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Flags",
        (
            Panel(
                1,
                "Open flags by level",
                "What reviewers have before them.",
                (Query(by("level", "flopwatch_flags", '{job=~"$job", state="open"}'), "{{level}}"),),
            ),
            Panel(
                2,
                "Flags by state",
                "Open, withdrawn since the finding no longer stands, closed by a person.",
                (Query(by("state", "flopwatch_flags"), "{{state}}"),),
            ),
            Panel(
                3,
                "Tenants and open allocations",
                "What is in the books.",
                (
                    Query(by("job", "flopwatch_tenants"), "tenants"),
                    Query(by("job", "flopwatch_open_allocations"), "open allocations"),
                ),
            ),
        ),
    ),
    (
        "Telling people",
        (
            Panel(
                26,
                "Age of the oldest notice that has not arrived",
                "At all of the sinks that it is for; nothing while all have.",
                (Query(f"time() - ({by('job', OLDEST_NOTICE, operation='min')} > 0) or {NO_NOTICE}", "{{job}}"),),
                "s",
                900,
            ),
            Panel(
                27,
                "Messages in an hour, by sink",
                "Confirmed by the receiver, or failed and to be tried again.",
                (
                    Query(
                        f"sum by (sink, outcome) (increase(flopwatch_notifications_total{JOB}[1h]))",
                        "{{sink}} {{outcome}}",
                    ),
                ),
            ),
            Panel(
                28,
                "The audit in trouble",
                "No checkpoint can be written, or the audit no longer holds what one says.",
                (Query(by("instance", "flopwatch_audit_trouble", operation="max"), "{{instance}}"),),
            ),
        ),
    ),
    (
        "Alive, and seeing",
        (
            Panel(
                4,
                "Age of the heartbeat",
                "Since the loop of a worker last completed a pass.",
                (Query(age("flopwatch_heartbeat_timestamp_seconds"), "{{instance}}"),),
                "s",
                60,
            ),
            Panel(
                6,
                "Blind intervals that last, by cause",
                "Reasons why facts may be missing right now.",
                (Query(by("cause", "flopwatch_blind_intervals"), "{{cause}}"),),
                limit=1,
            ),
            Panel(
                7,
                "Since sources were heard of",
                "Each source has its own rhythm; a line that leaves it is what silence looks like.",
                (Query(f"time() - {by('source', SOURCE_HEARD, operation='max')}", "{{source}}"),),
                "s",
            ),
            Panel(
                8,
                "Trouble with what is read from",
                "1 while it does not answer as it should, or is read without TLS.",
                (
                    Query(by("instance", "flopwatch_source_trouble", operation="max"), "trouble {{instance}}"),
                    Query(by("instance", "flopwatch_insecure_connection", operation="max"), "no TLS {{instance}}"),
                ),
                limit=1,
            ),
            Panel(
                5,
                "Blind, in seconds of event time a second",
                "How much of the time facts were missing, by cause.",
                (Query(rate("cause", "flopwatch_blind_seconds_total"), "{{cause}}"),),
            ),
            Panel(
                16,
                "What is in force",
                "Versions and digests of program, settings, policies and catalogue.",
                (
                    Query(f"flopwatch_build_info{JOB}", "program"),
                    Query(f"flopwatch_config_info{JOB}", "settings"),
                    Query(f"flopwatch_policy_info{JOB}", "policy"),
                    Query(f"flopwatch_catalogue_info{JOB}", "catalogue"),
                ),
                kind="table",
            ),
        ),
    ),
    (
        "Reading",
        (
            Panel(
                17,
                "Records read a second, by outcome",
                "Accepted, duplicate, of no interest, rejected.",
                (Query(rate("topic, outcome", "flopwatch_events_consumed_total"), "{{topic}} {{outcome}}"),),
                "ops",
            ),
            Panel(
                9,
                "Lag in records",
                "What Kafka has after the last record taken in.",
                (Query(f"flopwatch_consumer_lag_records{JOB}", "{{topic}} {{partition}}"),),
                limit=100_000,
            ),
            Panel(
                10,
                "Lag in event time",
                "Since the greatest event time accepted. It also grows while nothing happens.",
                (Query(age("flopwatch_event_time_watermark_timestamp_seconds"), "{{topic}} {{partition}}"),),
                "s",
                900,
            ),
            Panel(
                11,
                "Since the last progress",
                "Since a record was taken in, or the end was reached; and 1 for a partition that stands still.",
                (
                    Query(age("flopwatch_partition_progress_timestamp_seconds"), "{{topic}} {{partition}}"),
                    Query(f"flopwatch_partition_stalled{JOB}", "stands still: {{topic}} {{partition}}"),
                ),
                "s",
                120,
            ),
            Panel(
                12,
                "Partitions that are read",
                "By each worker; together they must be as many as the topic has.",
                (
                    Query(f"flopwatch_consumer_assigned_partitions{JOB}", "{{instance}}"),
                    Query(by("topic", "flopwatch_topic_partitions", operation="max"), "there are: {{topic}}"),
                ),
            ),
            Panel(
                18,
                "Changes of assignment",
                "In an hour: partitions given or taken, and books lost to another worker.",
                (
                    Query(f"sum by (job) (increase(flopwatch_rebalances_total{JOB}[1h]))", "rebalances"),
                    Query(f"sum by (job) (increase(flopwatch_overtaken_total{JOB}[1h]))", "overtaken"),
                ),
            ),
            Panel(
                13,
                "Partitions that wait for a person",
                "Their records are lost, or too many of them were unreadable.",
                (
                    Query(by("job", "flopwatch_positions_lost"), "partitions"),
                    Query(f"sum by (job) (increase(flopwatch_limit_stops_total{JOB}[1h]))", "stops in an hour"),
                ),
                limit=1,
            ),
            Panel(
                14,
                "Dead letters",
                "How many wait for a person, and what came in an hour, by reason.",
                (
                    Query(by("job", "flopwatch_dead_letters_waiting", operation="max"), "waiting"),
                    Query(f"sum by (reason) (increase(flopwatch_dead_letters_total{JOB}[1h]))", "{{reason}}"),
                ),
                limit=1,
            ),
            Panel(
                19,
                "Late, repeated and contradicting facts a second",
                "And how often a late fact changed the usage of the past.",
                (
                    Query(rate("job", "flopwatch_late_events_total"), "late"),
                    Query(rate("job", "flopwatch_duplicate_events_total"), "repeated"),
                    Query(rate("kind", "flopwatch_anomalies_total"), "{{kind}}"),
                    Query(rate("job", "flopwatch_restatements_total"), "restated"),
                ),
                "ops",
            ),
        ),
    ),
    (
        "Deciding and writing",
        (
            Panel(
                15,
                "Commits a second, and refusals",
                "A refusal is tried again; refusals without commits are not right.",
                (
                    Query(rate("job", "flopwatch_commits_total"), "taken"),
                    Query(rate("job", "flopwatch_store_failures_total"), "refused"),
                ),
                "ops",
            ),
            Panel(
                20,
                "Age of the latest commit and evaluation",
                "Nothing is committed while nothing changes.",
                (
                    Query(age("flopwatch_last_commit_timestamp_seconds"), "commit {{instance}}"),
                    Query(age("flopwatch_evaluated_timestamp_seconds"), "evaluation {{instance}}"),
                ),
                "s",
            ),
            Panel(
                21,
                "Durations, 99th percentile",
                "Of a commit, of a batch of records, of evaluating tenants on a tick.",
                (
                    slowest("flopwatch_store_transaction_seconds"),
                    slowest("flopwatch_batch_seconds"),
                    slowest("flopwatch_evaluation_seconds"),
                ),
                "s",
            ),
            Panel(
                22,
                "Accelerators that nobody accounts for",
                "Held according to inventory reports and not in the books.",
                (Query(by("job", "flopwatch_unattributed_accelerators"), "accelerators"),),
            ),
            Panel(
                23,
                "Books against inventory reports",
                "The greatest share of a region's capacity on which they differ.",
                (Query(by("job", "flopwatch_conservation_error_ratio", operation="max"), "difference"),),
                "percentunit",
                0.01,
            ),
            Panel(
                24,
                "Screening lists",
                "Entries that count, and files that do not: then the last good version counts.",
                (
                    Query(by("list", "flopwatch_screening_list_entries", operation="max"), "entries of {{list}}"),
                    Query(by("list", "flopwatch_screening_list_refused", operation="max"), "{{list}} is refused"),
                ),
            ),
            Panel(
                25,
                "Age of screening lists",
                "Since the version that counts was loaded; a list that nobody fetches grows old here.",
                (Query(age("flopwatch_screening_list_loaded_timestamp_seconds"), "{{list}} {{instance}}"),),
                "s",
            ),
        ),
    ),
)


def panel_document(panel: Panel, x: int, y: int, width: int) -> dict[str, Any]:
    """One panel as Grafana keeps it."""
    table = panel.kind == "table"
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    custom = {} if table else {"thresholdsStyle": {"mode": "line" if panel.limit is not None else "off"}}
    return {
        "id": panel.number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": DATASOURCE,
        "gridPos": {"x": x, "y": y, "w": width, "h": HEIGHT},
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "noValue": "no data",  # not to be taken for zero
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": custom,
            },
            "overrides": [],
        },
        "options": {} if table else {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": DATASOURCE,
                "expr": query.expr,
                "legendFormat": query.legend,
                **({"format": "table", "instant": True} if table else {}),
            }
            for place, query in enumerate(panel.queries)
        ],
    }


def panels() -> list[dict[str, Any]]:
    """All panels, three beside each other, each group below its title."""
    found: list[dict[str, Any]] = []
    y, width = 0, COLUMNS // 3
    for number, (title, group) in enumerate(ROWS):
        found.append(
            {
                "id": 100 + number,
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
                "panels": [],
            }
        )
        y += 1
        for place, panel in enumerate(group):
            found.append(panel_document(panel, place % 3 * width, y + place // 3 * HEIGHT, width))
        y += -(-len(group) // 3) * HEIGHT
    return found


def dashboard() -> dict[str, Any]:
    """The whole document."""
    return {
        "uid": "flopwatch",
        "title": "Flopwatch: pipeline and flags",
        "description": "Whether flopwatch sees, reads and writes, and what it has flagged. No panel names a tenant.",
        "tags": ["flopwatch"],
        "timezone": "utc",
        "editable": False,
        "schemaVersion": 39,
        "version": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
                {
                    "name": "job",
                    "label": "Job",
                    "type": "query",
                    "datasource": DATASOURCE,
                    "query": {"query": "label_values(flopwatch_build_info, job)", "refId": "job"},
                    "refresh": 2,
                    "includeAll": True,
                    "multi": True,
                    "current": {"text": ["All"], "value": ["$__all"]},
                },
            ]
        },
        "panels": panels(),
    }


def text() -> str:
    """The file as it must be."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
