"""What Prometheus can read of the daemon: one described list, and the numbers of the books as of the latest pass.

Names follow the Prometheus conventions: one prefix, base units, `_total` on counters, times instead of ages (an age
stops growing when the loop that computes it stands still). No label names a person, and a tenant only by an opaque
reference: of the largest ones, so that having a series says nothing but that. What can have many values, such as the
sources of events, has a maximum and a name for the rest.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from monitor.core.blind import CAUSES
from monitor.core.book import OTHER_CONTENT
from monitor.core.bounds import ZERO, Bounds
from monitor.core.engine import Reference, Sizes
from monitor.core.flags import State
from monitor.core.inventory import Conservation
from monitor.core.lists import Band
from monitor.core.model import SECOND_MS
from monitor.core.policy import LEVELS
from monitor.intake.refusal import MISROUTED, REASONS
from monitor.log import tenant_reference

OUTCOMES = ("accepted", "duplicate", "ignored", "rejected")
TRANSLATED, IGNORED, REJECTED = "translated", "ignored", "rejected"  # outcomes of parts of foreign records
ARRIVED, FAILED = "arrived", "failed"  # outcomes of sending a message
LET_IN, REFUSED, MADE_TO_WAIT = "let in", "refused", "made to wait"  # outcomes of signing in
ANOMALIES = (
    "orphan stop",
    "stop after stop",
    "resize before any start",
    "resize after stop",
    "seen before any start",
    "seen after stop",
    OTHER_CONTENT,
)
SOURCES_MAX = 50  # that have a series of their own; the rest share one
OTHER_SOURCES = OTHER_TENANTS = "other"
METHODS = ("GET", "HEAD", "POST")
HIT_BANDS = (Band.LIKELY.value, Band.POSSIBLE.value)  # others are kept out of the queue
REVISION_VARIABLE = "FLOPWATCH_REVISION"  # the image sets it
UNKNOWN = "unknown"
MICRO = 1_000_000
BUCKETS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)

Type = Literal["counter", "gauge", "histogram", "state"]


class Described(NamedTuple):
    """One metric. A `state` is a gauge that is read off the books at each scrape."""

    name: str
    type: Type
    help: str
    labels: tuple[str, ...] = ()


METRICS = (
    Described(
        "flopwatch_build_info",
        "gauge",
        "Version of the program, the commit that it was built of if anybody said, version of Python; always 1.",
        ("version", "revision", "python"),
    ),
    Described("flopwatch_config_info", "gauge", "Digest of the settings in force; always 1.", ("digest",)),
    Described(
        "flopwatch_policy_info",
        "gauge",
        "Policies loaded, with version and digest; always 1.",
        ("policy", "version", "digest"),
    ),
    Described(
        "flopwatch_screening_list_refused",
        "gauge",
        "1 while the file of a screening list does not count, and the last good version does.",
        ("list",),
    ),
    Described(
        "flopwatch_screening_list_info",
        "gauge",
        "Version of a screening list that counts, by its digest; always 1.",
        ("list", "digest"),
    ),
    Described(
        "flopwatch_screening_list_stale_timestamp_seconds",
        "gauge",
        "When the version of a screening list that counts is older than it may be; 0 where none does.",
        ("list",),
    ),
    Described("flopwatch_screening_list_entries", "gauge", "Entries of a screening list that count.", ("list",)),
    Described(
        "flopwatch_screening_list_loaded_timestamp_seconds",
        "gauge",
        "When the version of a screening list that counts was loaded; 0 where none does.",
        ("list",),
    ),
    Described(
        "flopwatch_screening_list_published_timestamp_seconds",
        "gauge",
        "How the version of a screening list that counts is dated in its file; nothing where the file does not say.",
        ("list",),
    ),
    Described("flopwatch_catalogue_info", "gauge", "Hardware catalogue loaded; always 1.", ("version", "digest")),
    Described(
        "flopwatch_events_consumed_total",
        "counter",
        "Records read: accepted as a fact, a duplicate of one, of no interest, or rejected.",
        ("topic", "outcome"),
    ),
    Described("flopwatch_late_events_total", "counter", "Accepted facts older than the clock by the stated lateness."),
    Described("flopwatch_duplicate_events_total", "counter", "Facts seen before; they count once."),
    Described("flopwatch_dead_letters_total", "counter", "Records that are no fact, by reason.", ("reason",)),
    Described("flopwatch_anomalies_total", "counter", "Facts of one allocation that contradict each other.", ("kind",)),
    Described("flopwatch_restatements_total", "counter", "Times that a late fact changed the usage of the past."),
    Described("flopwatch_limit_stops_total", "counter", "Times that too many unreadable records stopped the worker."),
    Described(
        "flopwatch_event_last_processed_timestamp_seconds",
        "gauge",
        "When the last record was processed.",
        ("topic", "partition"),
    ),
    Described(
        "flopwatch_event_time_watermark_timestamp_seconds",
        "gauge",
        "The greatest event time accepted.",
        ("topic", "partition"),
    ),
    Described("flopwatch_evaluated_timestamp_seconds", "gauge", "The instant for which flags were last evaluated."),
    Described("flopwatch_heartbeat_timestamp_seconds", "gauge", "When the loop last completed a pass."),
    Described("flopwatch_last_commit_timestamp_seconds", "gauge", "When the books were last committed."),
    Described(
        "flopwatch_caught_up",
        "gauge",
        "1 while there is nothing more to read right now; 0 while that is not known, or reading waits for the store.",
    ),
    Described("flopwatch_source_trouble", "gauge", "1 while what is read from does not answer as it should."),
    Described("flopwatch_insecure_connection", "gauge", "1 while records are read over a connection without TLS."),
    Described(
        "flopwatch_topic_partitions",
        "gauge",
        "Partitions of a topic that workers share among themselves.",
        ("topic",),
    ),
    Described("flopwatch_consumer_assigned_partitions", "gauge", "Of those partitions, how many this worker reads."),
    Described("flopwatch_rebalances_total", "counter", "Times that the partitions of this worker changed."),
    Described("flopwatch_overtaken_total", "counter", "Books dropped because another worker had taken them over."),
    Described(
        "flopwatch_consumer_lag_records",
        "gauge",
        "Records that Kafka has after the last one taken in.",
        ("topic", "partition"),
    ),
    Described(
        "flopwatch_partition_progress_timestamp_seconds",
        "gauge",
        "When a record was last taken in, or the partition was last seen to be read to its end.",
        ("topic", "partition"),
    ),
    Described(
        "flopwatch_partition_stalled",
        "gauge",
        "1 while Kafka has more records of the partition and none is taken in.",
        ("topic", "partition"),
    ),
    Described(
        "flopwatch_positions_lost",
        "gauge",
        "Partitions that wait for a person, since records are lost or too many were unreadable.",
    ),
    Described("flopwatch_dead_letters_published_total", "counter", "Dead letters that reached their topic."),
    Described("flopwatch_dead_letters_waiting", "gauge", "Dead letters in the store that wait for a person."),
    Described(
        "flopwatch_blind_intervals", "gauge", "Reasons why facts may be missing right now, by cause.", ("cause",)
    ),
    Described("flopwatch_blind_seconds_total", "counter", "Event time for which facts may be missing.", ("cause",)),
    Described(
        "flopwatch_source_last_heartbeat_timestamp_seconds",
        "gauge",
        "When a source of events was last heard of; beyond 50 sources, the latest of the others.",
        ("source",),
    ),
    Described("flopwatch_commits_total", "counter", "Commits that the store took."),
    Described("flopwatch_store_failures_total", "counter", "Commits that the store refused; each is tried again."),
    Described("flopwatch_store_transaction_seconds", "histogram", "Duration of a commit."),
    Described("flopwatch_batch_seconds", "histogram", "Duration of decoding a batch of records and taking it in."),
    Described("flopwatch_evaluation_seconds", "histogram", "Duration of evaluating tenants on a tick."),
    Described(
        "flopwatch_evaluations_total",
        "counter",
        "Looks at one tenant: at its totals, where they are far below all thresholds, or at its hours.",
        ("depth",),
    ),
    Described(
        "flopwatch_findings_total",
        "counter",
        "Looks at one tenant in which a rule held.",
        ("rule",),
    ),
    Described("flopwatch_tenants", "state", "Tenants in the books."),
    Described(
        "flopwatch_tenant_compute_flop",
        "state",
        "Model FLOP of one of the largest tenants since it was first seen, by bound; as of the last full count.",
        ("tenant", "bound"),
    ),
    Described(
        "flopwatch_tenant_held_accelerator_seconds",
        "state",
        "Accelerator time held by one of the largest tenants since it was first seen, and by all others together.",
        ("tenant",),
    ),
    Described(
        "flopwatch_run_compute_flop_max",
        "state",
        "Model FLOP of the largest run, by bound, of tenants of whose runs a rule may tell people; those of others are "
        "below what any such rule asks of them.",
        ("bound",),
    ),
    Described(
        "flopwatch_screening_matches",
        "state",
        "Tenants with a hit, their own or their party's, that nobody has cleared, by source list and band of the best "
        "there; as far as a rule may tell people of them, as rules on lists may at any use.",
        ("list", "band"),
    ),
    Described("flopwatch_collect_seconds", "state", "How long it took to put the numbers of the books together."),
    Described("flopwatch_open_allocations", "state", "Allocations that hold something, as of the last full count."),
    Described(
        "flopwatch_flags", "state", "Flags by state, level and rule; none of shadow rules.", ("state", "level", "rule")
    ),
    Described("flopwatch_cases", "gauge", "Cases that are not decided, by state and level.", ("state", "level")),
    Described(
        "flopwatch_case_oldest_unclaimed_timestamp_seconds",
        "gauge",
        "Since when the longest has waited of the cases that nobody has claimed; 0 if none waits.",
        ("level",),
    ),
    Described(
        "flopwatch_case_next_due_timestamp_seconds",
        "gauge",
        "When the first of the cases is due that are not decided; 0 if none has a time by which.",
        ("level",),
    ),
    Described("flopwatch_cases_decided", "gauge", "Cases that are decided, by outcome.", ("outcome",)),
    Described(
        "flopwatch_suppressions",
        "gauge",
        "Suppressions that hold, by whether they end within seven days.",
        ("ending_soon",),
    ),
    Described(
        "flopwatch_notifications_total",
        "counter",
        "Messages about flags to each sink: its receiver has confirmed one, or a try has failed and is made again.",
        ("sink", "outcome"),
    ),
    Described(
        "flopwatch_notice_oldest_undelivered_timestamp_seconds",
        "gauge",
        "When the oldest notice was made that has not arrived at all its sinks; 0 if all have.",
    ),
    Described(
        "flopwatch_rollup_timestamp_seconds",
        "gauge",
        "The instant as of which groups were last evaluated by this process; 0 if they never were.",
    ),
    Described(
        "flopwatch_rolled_up_timestamp_seconds",
        "gauge",
        "When this process last completed a look at groups and put flags on cases; 0 if it never did.",
    ),
    Described(
        "flopwatch_audit_checkpoint_timestamp_seconds",
        "gauge",
        "When all rows of the audit were last known to be in a checkpoint at each place; 0 if never.",
    ),
    Described("flopwatch_audit_rows", "gauge", "Rows of the audit, as of its latest checkpoint."),
    Described(
        "flopwatch_audit_trouble",
        "gauge",
        "1 while a checkpoint of the audit cannot be written, or since the audit disagrees with one.",
    ),
    Described(
        "flopwatch_unattributed_accelerators",
        "state",
        "Held according to the latest complete inventory reports but not in the books.",
    ),
    Described(
        "flopwatch_conservation_error_ratio",
        "state",
        "The greatest share of a region's capacity on which books and latest complete report differ.",
    ),
)
# What the process that serves the console counts; a worker without it has none of these.
CONSOLE_METRICS = (
    Described(
        "flopwatch_console_request_seconds",
        "histogram",
        "Duration of answering a request, by the first part of its route, method and status.",
        ("route", "method", "status"),
    ),
    Described(
        "flopwatch_console_sign_ins_total",
        "counter",
        "Tries to sign in to the console: let in, refused, or made to wait after too many that failed.",
        ("outcome",),
    ),
    Described(
        "flopwatch_console_survey_timestamp_seconds",
        "gauge",
        "As of when the console shows the books; 0 before it has read them.",
    ),
    Described(
        "flopwatch_audit_verified_timestamp_seconds",
        "gauge",
        "When the console last walked over all rows of the audit; 0 if never.",
    ),
    Described(
        "flopwatch_audit_chain_valid",
        "gauge",
        "1 if each row of the audit followed from the one before, and nothing was taken away since.",
    ),
)
# What `flopwatch run --role intake` counts; nobody else has any of these.
INTAKE_METRICS = (
    Described(
        "flopwatch_intake_records_total",
        "counter",
        "Parts of foreign records, by topic and outcome: translated, ignored, or rejected.",
        ("topic", "outcome"),
    ),
    Described("flopwatch_intake_events_total", "counter", "Canonical events that have arrived in their topics."),
    Described(
        "flopwatch_intake_dead_letters_total", "counter", "Foreign records some of which was refused.", ("reason",)
    ),
    Described(
        "flopwatch_intake_lost_records_total", "counter", "Foreign records that were gone before they were read."
    ),
    Described(
        "flopwatch_intake_lag_records",
        "gauge",
        "Foreign records that Kafka has after the last one read.",
        ("topic", "partition"),
    ),
    Described(
        "flopwatch_intake_lag_bytes",
        "gauge",
        "What a set of foreign files has after what was read, in bytes as they lie on the disk.",
        ("topic",),
    ),
    Described("flopwatch_intake_heartbeat_timestamp_seconds", "gauge", "When the translator last completed a pass."),
    Described(
        "flopwatch_intake_trouble",
        "gauge",
        "1 while the translator cannot read all that it should, or what it made does not arrive.",
    ),
)
BY_NAME: Mapping[str, Described] = {
    described.name: described for described in (*METRICS, *CONSOLE_METRICS, *INTAKE_METRICS)
}


class BooksState(NamedTuple):
    """The numbers of the books that a scrape shows; replaced as a whole, so that a scrape never sees half of one."""

    tenants: int = 0
    open_allocations: int = 0
    flags: Mapping[tuple[str, str, str], int] = {}  # (state, level, rule) -> how many
    unattributed: float = 0.0  # accelerators
    conservation_error: float = 0.0
    sizes: Sizes = Sizes((), 0)
    hits: Mapping[tuple[str, str], int] = {}  # (source list, band) -> tenants
    largest_run: Bounds = ZERO  # FLOP; on each bound by itself


class Metrics:
    """All metrics of one process, in the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry
        self._counters = {one.name: Counter(*_arguments(one), registry=registry) for one in _of("counter")}
        self._gauges = {one.name: Gauge(*_arguments(one), registry=registry) for one in _of("gauge")}
        self._histograms = {
            one.name: Histogram(*_arguments(one), buckets=BUCKETS, registry=registry) for one in _of("histogram")
        }
        self._sources: set[str] = set()
        self._others_heard_ms = 0
        self._initialise()

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count up."""
        counter = self._counters[name]
        (counter.labels(**labels) if labels else counter).inc(amount)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def set_time(self, name: str, at_ms: int, **labels: str) -> None:
        """Set a gauge to an instant."""
        self.set(name, at_ms / SECOND_MS, **labels)

    def observe(self, name: str, seconds: float) -> None:
        """Note a duration."""
        self._histograms[name].observe(seconds)

    def describe(self, config_digest: str, reference: Reference) -> None:
        """Say which program, settings, policies and catalogue are in force."""
        catalogue = reference.estimator.catalogue
        self.set("flopwatch_build_info", 1, **build())
        self.set("flopwatch_config_info", 1, digest=config_digest)
        self.set("flopwatch_catalogue_info", 1, version=str(catalogue.version), digest=catalogue.digest)
        for policy in reference.policies:
            self.set("flopwatch_policy_info", 1, policy=policy.id, version=str(policy.version), digest=policy.digest)

    def show_list(self, name: str, digest: str, published: int | None) -> None:
        """Say which version of a screening list counts ("": none), and how its file dates it, if it does."""
        for gauge in ("flopwatch_screening_list_info", "flopwatch_screening_list_published_timestamp_seconds"):
            self._gauges[gauge].remove_by_labels({"list": name})
        if digest:
            self.set("flopwatch_screening_list_info", 1, list=name, digest=digest)
        if published is not None:
            self.set_time("flopwatch_screening_list_published_timestamp_seconds", published, list=name)

    def initialise_topics(self, topics: Iterable[str]) -> None:
        """Give the counters of these topics a zero before the first record, so that a rate over them starts there."""
        for topic in topics:
            for outcome in OUTCOMES:
                self.add("flopwatch_events_consumed_total", 0, topic=topic, outcome=outcome)

    def initialise_sinks(self, sinks: Iterable[str]) -> None:
        """Give the counters of these sinks a zero before the first message."""
        for sink in sinks:
            for outcome in (ARRIVED, FAILED):
                self.add("flopwatch_notifications_total", 0, sink=sink, outcome=outcome)

    def forget_partition(self, topic: str, partition: str) -> None:
        """Drop what is said of a partition that another worker reads now: its last words here would only mislead."""
        for described in _of("gauge"):
            if described.labels == ("topic", "partition"):
                self._gauges[described.name].remove(topic, partition)

    def heard(self, source: str, at_ms: int) -> None:
        """Note when a source was last heard of. The first 50 have a series each, all others one together."""
        if source in self._sources or len(self._sources) < SOURCES_MAX:
            self._sources.add(source)
        else:
            self._others_heard_ms = at_ms = max(self._others_heard_ms, at_ms)
            source = OTHER_SOURCES
        self.set_time("flopwatch_source_last_heartbeat_timestamp_seconds", at_ms, source=source)

    def expose(self, read: Callable[[], BooksState], rules: Iterable[str]) -> None:
        """Show the state of the books at each scrape; each of these rules has a number before its first flag."""
        told = tuple(rules)
        for rule in told:
            self.add("flopwatch_findings_total", 0, rule=rule)
        self.registry.register(_BooksCollector(read, told))

    def _initialise(self) -> None:
        """A series of a known label exists before the first event, so that a rate over it starts at zero."""
        for depth in ("totals", "hours"):
            self.add("flopwatch_evaluations_total", 0, depth=depth)
        for reason in (*REASONS, *MISROUTED):
            self.add("flopwatch_dead_letters_total", 0, reason=reason)
        for kind in ANOMALIES:
            self.add("flopwatch_anomalies_total", 0, kind=kind)
        for cause in CAUSES:
            self.set("flopwatch_blind_intervals", 0, cause=cause)
            self.add("flopwatch_blind_seconds_total", 0, cause=cause)


class ConsoleMetrics:
    """What the console counts, in the registry given; requests are answered in many threads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        seconds, sign_ins, *gauges = CONSOLE_METRICS
        self._seconds = Histogram(*_arguments(seconds), buckets=BUCKETS, registry=registry)
        self._sign_ins = Counter(*_arguments(sign_ins), registry=registry)
        self._surveyed, self._verified, self._valid = (Gauge(*_arguments(one), registry=registry) for one in gauges)
        for outcome in (LET_IN, REFUSED, MADE_TO_WAIT):
            self._sign_ins.labels(outcome=outcome).inc(0)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Note a request that was answered. `route`: the template of its path, "" if there is none."""
        first = "/" + route.strip("/").partition("/")[0] if route else "none"
        known = method if method in METHODS else "other"  # else whoever asks could make series without end
        self._seconds.labels(route=first, method=known, status=str(status)).observe(seconds)

    def follow(self, read: Callable[[], tuple[int, int, bool]]) -> None:
        """At each scrape ask when the books were read, when the audit was walked over, and whether it was in order."""
        self._surveyed.set_function(lambda: read()[0] / SECOND_MS)
        self._verified.set_function(lambda: read()[1] / SECOND_MS)
        self._valid.set_function(lambda: int(read()[2]))

    def tried(self, outcome: str) -> None:
        """Count a try to sign in: let in, refused or made to wait."""
        self._sign_ins.labels(outcome=outcome).inc()


class IntakeMetrics:
    """What a translator counts, in the registry given; `topic` is the name of a topic or of a set of files."""

    def __init__(self, registry: CollectorRegistry, topics: Iterable[str]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        records, events, letters, lost, lag, lag_bytes, heartbeat, trouble = INTAKE_METRICS
        self._records = Counter(*_arguments(records), registry=registry)
        self._events = Counter(*_arguments(events), registry=registry)
        self._letters = Counter(*_arguments(letters), registry=registry)
        self._lost = Counter(*_arguments(lost), registry=registry)
        self._lag = Gauge(*_arguments(lag), registry=registry)
        self._lag_bytes = Gauge(*_arguments(lag_bytes), registry=registry)
        self._heartbeat = Gauge(*_arguments(heartbeat), registry=registry)
        self._trouble = Gauge(*_arguments(trouble), registry=registry)
        for topic in topics:
            for outcome in (TRANSLATED, IGNORED, REJECTED):
                self._records.labels(topic=topic, outcome=outcome).inc(0)
        for reason in REASONS:
            self._letters.labels(reason=reason).inc(0)

    def read(self, topic: str, outcome: str, count: int) -> None:
        """Count parts of foreign records."""
        self._records.labels(topic=topic, outcome=outcome).inc(count)

    def refused(self, reason: str) -> None:
        """Count a record some of which was refused."""
        self._letters.labels(reason=reason).inc()

    def arrived(self, events: int) -> None:
        """Count events that are in their topics."""
        self._events.inc(events)

    def lost(self, records: int) -> None:
        """Count records that nobody can read any more."""
        self._lost.inc(records)

    def behind(self, left: Mapping[tuple[str, int], int], left_bytes: Mapping[str, int]) -> None:
        """Show how far each partition of ours is behind, and no other; and how far each set of files."""
        self._lag.clear()
        for (topic, partition), count in left.items():
            self._lag.labels(topic=topic, partition=str(partition)).set(count)
        for name, size in left_bytes.items():
            self._lag_bytes.labels(topic=name).set(size)

    def beat(self, at_ms: int, in_trouble: bool) -> None:
        """A pass was completed."""
        self._heartbeat.set(at_ms / SECOND_MS)
        self._trouble.set(in_trouble)


def program_version() -> str:
    """The version of the installed distribution."""
    try:
        return importlib.metadata.version("flopwatch")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that was never installed
        return UNKNOWN


def build() -> dict[str, str]:
    """The labels of `flopwatch_build_info`."""
    revision = os.environ.get(REVISION_VARIABLE) or UNKNOWN
    return {"version": program_version(), "revision": revision, "python": platform.python_version()}


def show_build(registry: CollectorRegistry) -> None:
    """Say which program runs in a process that keeps no books."""
    described = BY_NAME["flopwatch_build_info"]
    Gauge(*_arguments(described), registry=registry).labels(**build()).set(1)


def _of(kind: Type) -> list[Described]:
    return [described for described in METRICS if described.type == kind]


def _arguments(described: Described) -> tuple[str, str, tuple[str, ...]]:
    return described.name, described.help, described.labels


class _BooksCollector(Collector):
    """Turns the latest state of the books into gauges when somebody asks."""

    def __init__(self, read: Callable[[], BooksState], rules: tuple[str, ...]) -> None:
        self._read = read
        self._rules = rules

    def collect(self) -> Iterator[Metric]:
        """The gauges, from one reading. What fails here fails the scrape: then `up` is 0, and FlopwatchDown fires."""
        began = time.perf_counter()
        state = self._read()
        yield _gauge("flopwatch_tenants", state.tenants)
        yield _gauge("flopwatch_open_allocations", state.open_allocations)
        yield _gauge("flopwatch_unattributed_accelerators", state.unattributed)
        yield _gauge("flopwatch_conservation_error_ratio", state.conservation_error)
        yield self._flags(state.flags)
        yield _hits(state.hits)
        yield _largest_run(state.largest_run)
        yield from _tenants(state.sizes)
        yield _gauge("flopwatch_collect_seconds", time.perf_counter() - began)

    def _flags(self, flags: Mapping[tuple[str, str, str], int]) -> GaugeMetricFamily:
        family = _family("flopwatch_flags")
        known = {(str(state), str(level), rule) for state in State for level in LEVELS for rule in self._rules}
        for labels in sorted(known | set(flags)):
            family.add_metric(labels, flags.get(labels, 0))
        return family


def _tenants(sizes: Sizes) -> Iterator[Metric]:
    """The largest tenants by their opaque references, and what all others hold; nothing where no tenant is shown."""
    flop, held = _family("flopwatch_tenant_compute_flop"), _family("flopwatch_tenant_held_accelerator_seconds")
    for tenant, usage, bounds in sizes.shown:
        reference = tenant_reference(tenant)
        held.add_metric((reference,), usage / MICRO)
        for bound, amount in bounds._asdict().items():
            flop.add_metric((reference, bound), float(amount))
    if sizes.shown:
        held.add_metric((OTHER_TENANTS,), sizes.rest / MICRO)
    yield flop
    yield held


def _hits(hits: Mapping[tuple[str, str], int]) -> GaugeMetricFamily:
    family = _family("flopwatch_screening_matches")
    for labels, tenants in sorted(hits.items()):
        family.add_metric(labels, tenants)
    return family


def _largest_run(run: Bounds) -> GaugeMetricFamily:
    family = _family("flopwatch_run_compute_flop_max")
    for bound, amount in run._asdict().items():
        family.add_metric((bound,), float(amount))
    return family


def _family(name: str) -> GaugeMetricFamily:
    """A gauge with labels, without a sample yet."""
    return GaugeMetricFamily(name, BY_NAME[name].help, labels=BY_NAME[name].labels)


def _gauge(name: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, BY_NAME[name].help, value=value)


def conservation_figures(latest: Iterable[Conservation]) -> tuple[float, float]:
    """Accelerators that reports name and the books do not have, and the greatest error as a share of capacity."""
    unattributed, error = 0, 0.0
    for one in latest:
        unattributed += one.unattributed
        differing = one.unattributed + one.surplus
        if differing:
            error = max(error, differing / max(one.capacity, differing))
    return unattributed / 1_000, error
