"""Write dashboards/*.json: `python deploy/grafana/generate.py`.

Dashboards are made here and never in Grafana, so that a change can be read and every query is tested. The numbers of
panels are part of the addresses that alerts carry: a panel keeps its number, and no two dashboards have one in common.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "dashboards"
CONSOLE = "https://flopwatch.example"  # put your own address in its place
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS, HEIGHT = 24, 8
OLDEST_NOTICE = "flopwatch_notice_oldest_undelivered_timestamp_seconds"
SOURCE_HEARD = "flopwatch_source_last_heartbeat_timestamp_seconds"
FLAGS = "job_state_level_rule:flopwatch_flags:sum"
CASES = "job_state_level:flopwatch_cases:max"
UNCLAIMED = "flopwatch_case_oldest_unclaimed_timestamp_seconds"
DUE = "flopwatch_case_next_due_timestamp_seconds"
FLOP = "flopwatch_tenant_compute_flop"
HELD = "flopwatch_tenant_held_accelerator_seconds"
CONSUMED = "job_topic_outcome:flopwatch_events_consumed:rate5m"
REJECTED = "job:flopwatch_events_rejected:ratio_rate5m"
SLOWEST_ROUTES = "job_route:flopwatch_console_request_seconds:p99_rate5m"
OF_TENANT = '{job=~"$job", tenant="$tenant"}'
JOB = '{job=~"$job"}'
STALE = "flopwatch_screening_list_stale_timestamp_seconds"
LOADED = "flopwatch_screening_list_loaded_timestamp_seconds"
ROLLED_UP = "flopwatch_rolled_up_timestamp_seconds"
NO_NOTICE = f'0 * max by (job) ({OLDEST_NOTICE}{{job=~"$job"}})'


class Query(NamedTuple):
    """One expression, and how its series are named."""

    expr: str
    legend: str


class Panel(NamedTuple):
    """One picture; `limits` draws the lines from which on it is bad."""

    number: int
    title: str
    says: str
    queries: tuple[Query, ...]
    unit: str = "short"
    limits: tuple[float, ...] = ()
    kind: str = "timeseries"
    link: str = ""  # the console's page about it
    logarithmic: bool = False


class Row(NamedTuple):
    """Panels below a title, three beside each other."""

    title: str
    panels: tuple[Panel, ...]


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


def since(instant: str) -> str:
    """How long ago an instant of the store was, of which every worker says the same; nothing where there is none."""
    return f"max by (level) (time() - ({instant}{JOB} > 0)) or 0 * max by (level) ({instant}{JOB})"


OVERVIEW: tuple[Row, ...] = (
    Row(
        "Cases",
        (
            Panel(
                30,
                "Cases that are not decided, by level",
                "What waits for reviewers, or is in their hands.",
                (Query(f"sum by (level) ({CASES}{JOB})", "{{level}}"),),
                link="/queue",
            ),
            Panel(
                31,
                "Longest wait of a case that nobody has taken",
                "By level; nothing while none waits. The line is a quarter of an hour, which is for critical ones.",
                (Query(since(UNCLAIMED), "{{level}}"),),
                "s",
                (900,),
                link="/queue?show=unclaimed",
            ),
            Panel(
                32,
                "Since the first case was due",
                "By level: below zero it is due in so long, above it its time is over.",
                (Query(since(DUE), "{{level}}"),),
                "s",
                (0,),
                link="/queue?show=overdue",
            ),
            Panel(
                33,
                "Cases by state",
                "New and reopened ones wait; the others are in somebody's hands.",
                (Query(f"sum by (state) ({CASES}{JOB})", "{{state}}"),),
                link="/queue?show=hidden",
            ),
            Panel(
                34,
                "Decided in a day, by outcome",
                "None says that anybody broke a rule.",
                (
                    Query(
                        f"max by (job, outcome) (delta(flopwatch_cases_decided{JOB}[1d]))",
                        "{{outcome}}",
                    ),
                ),
                link="/queue?show=decided",
            ),
            Panel(
                35,
                "Suppressions that hold",
                "And of these, those that end within a week: then people are told again.",
                (
                    Query(f"sum by (job) (max by (job, ending_soon) (flopwatch_suppressions{JOB}))", "all"),
                    Query(
                        'max by (job) (flopwatch_suppressions{job=~"$job", ending_soon="yes"})',
                        "end within a week",
                    ),
                ),
                link="/suppressed",
            ),
        ),
    ),
    Row(
        "Flags",
        (
            Panel(
                1,
                "Open flags by level",
                "What reviewers have before them.",
                (Query(f'sum by (level) ({FLAGS}{{job=~"$job", state="open"}})', "{{level}}"),),
            ),
            Panel(
                2,
                "Flags by state",
                "Open, withdrawn since the finding no longer stands, closed by a person.",
                (Query(by("state", "flopwatch_flags"), "{{state}}"),),
            ),
            Panel(
                36,
                "Looks in which a rule held, in an hour",
                "The ten rules that held most often; each tenant is looked at once a minute at most.",
                (
                    Query(
                        f"topk(10, sum by (rule) (increase(flopwatch_findings_total{JOB}[1h])))",
                        "{{rule}}",
                    ),
                ),
                link="/policies",
            ),
        ),
    ),
    Row(
        "What rules look at",
        (
            Panel(
                37,
                "Largest run, by bound",
                "Of tenants of whose runs a rule may tell people; those of others are below what any such rule asks of "
                "them. Low, central and high are 5, 50 and 95 per cent quantiles; the ceiling is no estimate.",
                (Query(by("bound", "flopwatch_run_compute_flop_max", operation="max"), "{{bound}}"),),
                limits=(1e23, 1e24, 1e25, 1e26),
                link="/tenants",
                logarithmic=True,
            ),
            Panel(
                38,
                "Tenants with a hit that nobody has cleared",
                "By source list and the band of the best hit there; the ten most. A hit says that records are alike.",
                (Query(f"topk(10, {by('list, band', 'flopwatch_screening_matches')})", "{{list}}, {{band}}"),),
                link="/tenants",
            ),
        ),
    ),
    Row(
        "Telling people, and what is screened against",
        (
            Panel(
                26,
                "Age of the oldest notice that has not arrived",
                "At all of the sinks that it is for; nothing while all have.",
                (Query(f"time() - ({by('job', OLDEST_NOTICE, operation='min')} > 0) or {NO_NOTICE}", "{{job}}"),),
                "s",
                (900,),
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
                24,
                "Screening lists",
                "Entries that count, and files that do not: then the last good version counts.",
                (
                    Query(by("list", "flopwatch_screening_list_entries", operation="max"), "entries of {{list}}"),
                    Query(by("list", "flopwatch_screening_list_refused", operation="max"), "{{list}} is refused"),
                ),
            ),
        ),
    ),
)

TENANT: tuple[Row, ...] = (
    Row(
        "One of the largest tenants",
        (
            Panel(
                50,
                "Model FLOP since it was first seen",
                "Low, central and high are 5, 50 and 95 per cent quantiles; the ceiling is no estimate.",
                (Query(f"sum by (bound) ({FLOP}{OF_TENANT})", "{{bound}}"),),
                limits=(1e23, 1e24, 1e25, 1e26),
                link="/tenants/$tenant",
                logarithmic=True,
            ),
            Panel(
                51,
                "Accelerators held",
                "On average over the last hour, as far as is known now.",
                (Query(f"sum by (job) (deriv({HELD}{OF_TENANT}[1h]))", "accelerators"),),
                link="/tenants/$tenant",
            ),
            Panel(
                52,
                "Accelerator time since it was first seen",
                "In seconds of one accelerator.",
                (Query(f"sum by (job) ({HELD}{OF_TENANT})", "held"),),
                "s",
                link="/tenants/$tenant",
            ),
        ),
    ),
    Row(
        "Beside the others",
        (
            Panel(
                53,
                "Central estimates of the ten largest",
                "By references that name nobody: the console knows who they are.",
                (Query(f'topk(10, sum by (tenant) ({FLOP}{{job=~"$job", bound="central"}}))', "{{tenant}}"),),
                logarithmic=True,
                link="/tenants",
            ),
            Panel(
                54,
                "Share of all accelerator time",
                "Of this tenant, and of all that are too small for a series of their own.",
                (
                    Query(f"sum({HELD}{OF_TENANT}) / (sum({HELD}{JOB}) > 0)", "this tenant"),
                    Query(f'sum({HELD}{{job=~"$job", tenant="other"}}) / (sum({HELD}{JOB}) > 0)', "others"),
                ),
                "percentunit",
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
)

PIPELINE: tuple[Row, ...] = (
    Row(
        "Alive, and seeing",
        (
            Panel(
                4,
                "Age of the heartbeat",
                "Since the loop of a worker last completed a pass.",
                (Query(age("flopwatch_heartbeat_timestamp_seconds"), "{{instance}}"),),
                "s",
                (60,),
            ),
            Panel(
                6,
                "Blind intervals that last, by cause",
                "Reasons why facts may be missing right now.",
                (Query(by("cause", "flopwatch_blind_intervals"), "{{cause}}"),),
                limits=(1,),
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
                limits=(1,),
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
    Row(
        "Reading",
        (
            Panel(
                17,
                "Records read a second, by outcome",
                "Accepted, duplicate, of no interest, rejected.",
                (Query(f"sum by (topic, outcome) ({CONSUMED}{JOB})", "{{topic}} {{outcome}}"),),
                "ops",
            ),
            Panel(
                9,
                "Lag in records",
                "What Kafka has after the last record taken in.",
                (Query(f"flopwatch_consumer_lag_records{JOB}", "{{topic}} {{partition}}"),),
                limits=(100_000,),
            ),
            Panel(
                10,
                "Lag in event time",
                "Since the greatest event time accepted. It also grows while nothing happens.",
                (Query(age("flopwatch_event_time_watermark_timestamp_seconds"), "{{topic}} {{partition}}"),),
                "s",
                (900,),
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
                (120,),
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
                45,
                "Translators: trouble, and records behind",
                "1 while one cannot read or write; and what its topics have after the last record that it read.",
                (
                    Query(by("instance", "flopwatch_intake_trouble", operation="max"), "trouble {{instance}}"),
                    Query(by("topic", "flopwatch_intake_lag_records"), "{{topic}} behind"),
                ),
                limits=(1,),
            ),
            Panel(
                46,
                "Foreign records a second, by outcome",
                "Translated, of no interest, or refused.",
                (Query(rate("topic, outcome", "flopwatch_intake_records_total"), "{{topic}} {{outcome}}"),),
                "ops",
            ),
            Panel(
                55,
                "Translators: bytes of files behind",
                "What each set of files has after what was read, as it lies on the disk.",
                (Query(by("topic", "flopwatch_intake_lag_bytes"), "{{topic}}"),),
                "bytes",
            ),
            Panel(
                13,
                "Partitions that wait for a person",
                "Their records are lost, or too many of them were unreadable.",
                (
                    Query(by("job", "flopwatch_positions_lost"), "partitions"),
                    Query(f"sum by (job) (increase(flopwatch_limit_stops_total{JOB}[1h]))", "stops in an hour"),
                ),
                limits=(1,),
            ),
            Panel(
                14,
                "Dead letters",
                "How many wait for a person, and what came in an hour, by reason.",
                (
                    Query(by("job", "flopwatch_dead_letters_waiting", operation="max"), "waiting"),
                    Query(f"sum by (reason) (increase(flopwatch_dead_letters_total{JOB}[1h]))", "{{reason}}"),
                ),
                limits=(1,),
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
    Row(
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
                (0.01,),
            ),
        ),
    ),
    Row(
        "Groups, lists, audit and console",
        (
            Panel(
                29,
                "Since groups were looked at",
                "And flags were put on cases, by whichever process did so last.",
                (Query(f"time() - ({by('job', ROLLED_UP, operation='max')} > 0)", "{{job}}"),),
                "s",
                (1800,),
                link="/pipeline",
            ),
            Panel(
                25,
                "Until screening lists are too old",
                "Below zero they are. A list without a date of its own is never shown as too old.",
                (
                    Query(f"{by('list', STALE, operation='max')} - time()", "{{list}}"),
                    Query(f"{by('list', LOADED, operation='max')} - time()", "{{list}} was read"),
                ),
                "s",
                link="/lists",
            ),
            Panel(
                28,
                "The audit in trouble",
                "No checkpoint can be written, or the audit no longer holds what one says.",
                (Query(by("instance", "flopwatch_audit_trouble", operation="max"), "{{instance}}"),),
            ),
            Panel(
                40,
                "Requests a second to the console, by status",
                "4xx are people and programs that may not or mistype; 5xx are ours.",
                (Query(rate("status", "flopwatch_console_request_seconds_count"), "{{status}}"),),
                "reqps",
            ),
            Panel(
                41,
                "Slowest requests to the console, by route",
                "99th percentile.",
                (Query(f"{SLOWEST_ROUTES}{JOB}", "{{route}}"),),
                "s",
            ),
            Panel(
                42,
                "Records that are no fact, as a share",
                "Beyond one in a hundred of the last ten thousand of a partition a worker stops.",
                (Query(f"{REJECTED}{JOB}", "{{job}}"),),
                "percentunit",
                (0.01,),
            ),
            Panel(
                43,
                "Looks at tenants a second, by depth",
                "At the hours of those that may reach a threshold, at the totals of all others.",
                (Query(rate("depth", "flopwatch_evaluations_total"), "{{depth}}"),),
                "ops",
            ),
            Panel(
                44,
                "Time to put the metrics of the books together",
                "At each scrape.",
                (Query(f"flopwatch_collect_seconds{JOB}", "{{instance}}"),),
                "s",
            ),
        ),
    ),
)


class Dashboard(NamedTuple):
    """One file."""

    uid: str
    title: str
    says: str
    rows: tuple[Row, ...]


DASHBOARDS = (
    Dashboard("flopwatch-overview", "Flopwatch: reviewers", "What waits for people.", OVERVIEW),
    Dashboard(
        "flopwatch-pipeline",
        "Flopwatch: pipeline",
        "Whether flopwatch sees, reads and writes.",
        PIPELINE,
    ),
    Dashboard(
        "flopwatch-tenant",
        "Flopwatch: tenant",
        "What one of the largest tenants holds and may have computed, by a reference that names nobody.",
        TENANT,
    ),
)


def panel_document(panel: Panel, x: int, y: int, width: int) -> dict[str, Any]:
    """One panel as Grafana keeps it."""
    table = panel.kind == "table"
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    colours = ("yellow", "orange", "red", "dark-red") if len(panel.limits) > 1 else ("red",)
    steps += [{"color": colour, "value": limit} for colour, limit in zip(colours, panel.limits, strict=False)]
    custom: dict[str, Any] = {} if table else {"thresholdsStyle": {"mode": "line" if panel.limits else "off"}}
    if panel.logarithmic:
        custom["scaleDistribution"] = {"type": "log", "log": 10}
    links = [{"title": "In the console", "url": CONSOLE + panel.link, "targetBlank": True}] if panel.link else []
    return {
        "id": panel.number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": DATASOURCE,
        "links": links,
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


def panels(rows: tuple[Row, ...]) -> list[dict[str, Any]]:
    """All panels, three beside each other, each group below its title."""
    found: list[dict[str, Any]] = []
    y, width = 0, COLUMNS // 3
    for number, (title, group) in enumerate(rows):
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


def asked(name: str, label: str, query: str, everything: bool) -> dict[str, Any]:
    """A choice above a dashboard, of the values of a label."""
    current = {"current": {"text": ["All"], "value": ["$__all"]}} if everything else {}
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "includeAll": everything,
        "multi": everything,
        **current,
    }


def dashboard(one: Dashboard) -> dict[str, Any]:
    """The whole document."""
    variables = [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
        asked("job", "Job", "label_values(flopwatch_build_info, job)", True),
    ]
    if one.rows is TENANT:
        variables.append(asked("tenant", "Tenant", f'label_values({FLOP}{{job=~"$job"}}, tenant)', False))
    return {
        "uid": one.uid,
        "title": one.title,
        "description": one.says,
        "tags": ["flopwatch"],
        "timezone": "utc",
        "editable": False,
        "schemaVersion": 39,
        "version": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "links": [
            {"title": "Console", "type": "link", "url": CONSOLE, "targetBlank": True},
            {"title": "Flopwatch", "type": "dashboards", "tags": ["flopwatch"], "asDropdown": True},
        ],
        "templating": {"list": variables},
        "panels": panels(one.rows),
    }


def texts() -> dict[Path, str]:
    """The files as they must be."""
    return {FOLDER / f"{one.uid}.json": json.dumps(dashboard(one), indent=2) + "\n" for one in DASHBOARDS}


if __name__ == "__main__":
    for file, text in texts().items():
        file.write_text(text, encoding="utf-8")
