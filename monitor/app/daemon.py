"""The daemon: a worker or a translator, from settings, until it is told to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from monitor.alert import CheckpointPlace
from monitor.app.console import accounts, records, served_console
from monitor.app.references import lists_that_count, load_reference, take_lists
from monitor.app.sinks import sink_of
from monitor.app.stores import RESIDENT_HOURS, known_partitions, load_own, opened_store, tune_collector
from monitor.clock import Clock, SystemClock
from monitor.core.engine import Reference
from monitor.core.lists import Lists
from monitor.core.notices import Recipient, Telling, terms_of
from monitor.core.partitions import adopter
from monitor.errors import LimitReached, SettingsProblem
from monitor.log import Log, build_log
from monitor.metrics import IntakeMetrics, Metrics, show_build
from monitor.reference.lists.shelf import Standing
from monitor.reference.root import config_root
from monitor.run.aside import Aside
from monitor.run.backlog import BacklogWatch
from monitor.run.checkpoints import Checkpoints
from monitor.run.decisions import as_decided
from monitor.run.delivery import Delivery
from monitor.run.delivery import Rules as DeliveryRules
from monitor.run.outbox import Outbox
from monitor.run.relisting import Relisting
from monitor.run.rollup import Rollup
from monitor.run.routing import Layout
from monitor.run.task import Store, Watch
from monitor.run.worker import Ends, Worker
from monitor.settings import Kafka, Settings
from monitor.source.file_sets import FileSets
from monitor.source.files import FileSource
from monitor.store import ACTIVATION, DECISION, JournalEntry, Loaded
from monitor.web.health import HealthServer, Pages
from monitor.web.health import Question as HealthQuestion

if TYPE_CHECKING:
    from monitor.source.confluent import ConfluentSource
    from monitor.source.foreign import ForeignSource
    from monitor.source.kafka import KafkaSource
    from monitor.store.sql import SqlStore


class Books:
    """The books of the partitions in one database."""

    def __init__(
        self, store: SqlStore, settings: Settings, partitions: Callable[[], int] | None, metrics: Metrics
    ) -> None:
        """`partitions` counts those of the tenant topic; None where files are read."""
        self._store = store
        self._metrics = metrics
        self._settings = settings
        self._partitions = partitions

    def open(self, partition: int) -> tuple[Loaded, Store]:
        """The books of a partition; those of a topic can from now on be committed by nobody else.

        Raises:
            LimitReached: the topic has another number of partitions than the books.
            StoreProblem: the books cannot be read.
        """
        if self._partitions is None:
            return load_own(self._store, self._settings.lateness_ms, RESIDENT_HOURS), self._store
        now = self._partitions()
        self._metrics.set("flopwatch_topic_partitions", now, topic=self._settings.kafka.tenant_topic)
        known = self._known(now)
        store = self._store.beside(partition)
        store.claim()
        loaded = load_own(store, self._settings.lateness_ms, RESIDENT_HOURS)
        kafka = self._settings.kafka
        loaded.book.adopts = adopter(partition, known, kafka.partitioner)
        loaded.book.place = f"{kafka.tenant_topic}-{partition}"
        return loaded, store

    def _known(self, now: int) -> int:
        """How many partitions the books have; the number at their start, until a person moves tenants."""
        known = known_partitions(self._store)
        if known is None:
            entry = JournalEntry(ACTIVATION, {"partitions": now})
            self._store.record([entry], SystemClock().now_ms())
            return now
        if now != known:
            raise LimitReached(
                f"{self._settings.kafka.tenant_topic} has {now} partitions, and the books were kept for {known}: stop "
                "the workers once they have read the old partitions to their end, then move tenants with "
                "`flopwatch positions repartition`."
            )
        return known

    def heard(self) -> dict[str, int]:
        """When any partition last heard of each source."""
        return self._store.heard()

    def letters_waiting(self) -> int:
        """How many dead letters of all books wait for a person."""
        return self._store.letters_waiting()


def run_daemon(settings: Settings, console: bool = False) -> None:
    """Read Kafka or follow files, keep the books, serve metrics and health, until SIGTERM or SIGINT.

    With `console` it serves that, too.

    Raises:
        MonitorError: it cannot start, or had to stop; everything committed stands.
    """
    reference, clock = load_reference(config_root(), settings.policies), SystemClock()
    layout = _layout(settings)
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.describe(settings.digest, reference)
    log = build_log(settings.log_level, clock)
    watch = Watch(metrics, clock, log)
    relisting = _relisting(settings, watch)
    if relisting is not None:
        reference = replace(reference, lists=relisting.lists)
    with ExitStack() as stack:
        store = stack.enter_context(opened_store(settings.store_url))
        if layout.shared:  # brokers may take a while to answer, or not to
            log.info("connecting to Kafka", seconds=settings.kafka.request_seconds)
        source = stack.enter_context(_source(settings))
        partitions = None if isinstance(source, FileSource) else source.tenant_partitions
        metrics.set("flopwatch_insecure_connection", int(layout.shared and settings.kafka.allow_insecure))
        outbox = stack.enter_context(_outbox(settings, store, metrics, clock, log))
        decided = as_decided(reference, store.journal(0, (DECISION,)))
        telling = _telling(settings, decided) if settings.notices.sinks else None
        rollup = _rollup(settings, store, reference, watch, telling, stack)
        books = Books(store, settings, partitions, metrics)
        delivery = None if telling is None else stack.enter_context(_delivery(settings, store, telling, watch, layout))
        checkpoints = stack.enter_context(_checkpoints(settings, store, watch))
        backlog = BacklogWatch(store.casework, watch)
        ends = Ends(
            source, books, metrics, clock, log, outbox, rollup, relisting, telling, delivery, checkpoints, backlog
        )
        worker = Worker(ends, reference, settings, layout)
        healthy = worker.healthy
        if console:
            known = stack.enter_context(accounts(settings))
            shown = stack.enter_context(records(settings, None, clock, log))
            serving = stack.enter_context(served_console(settings, known, shown, registry, clock, log))
            healthy = _both(serving.answers, worker.healthy)
            log.info("console serves", host=settings.console.host, port=serving.port)
        server = HealthServer(settings.http.host, settings.http.port, Pages(registry, healthy, worker.ready))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        tune_collector()
        server.start()
        try:
            worker.run()
        finally:
            server.close()


def run_translator(settings: Settings) -> None:
    """Translate foreign topics and files into the two topics that workers read, until SIGTERM or SIGINT.

    Raises:
        MonitorError: it cannot start, or cannot read on.
    """
    intake, kafka = settings.intake, settings.kafka
    if not intake.entries or not kafka.bootstrap_servers:
        raise SettingsProblem(
            "The settings name nothing to translate: set `kafka.bootstrap_servers`, and `intake.topics`, each with its "
            "`topic` and `source`, or `intake.files`."
        )
    # Only here, as the client of Kafka below.
    from monitor.run.translating import Translator
    from monitor.source.kafka_sending import Sender

    clock, registry = SystemClock(), CollectorRegistry()
    log, metrics = build_log(settings.log_level, clock), IntakeMetrics(registry, intake.entries)
    show_build(registry)
    with ExitStack() as stack:
        log.info("connecting to Kafka", seconds=kafka.request_seconds)
        source = _foreign(settings, clock, stack)
        sender = Sender(kafka)
        stack.callback(sender.close)
        limits = (intake.record_bytes_max, settings.record_bytes_max)
        translator = Translator(source, sender, intake.entries, *limits, metrics, clock, log)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: translator.stop())

        def ready() -> tuple[bool, str]:
            return translator.began, "The translator reads." if translator.began else "It has not read yet."

        limit = settings.stalled_seconds
        server = HealthServer(
            settings.http.host, settings.http.port, Pages(registry, lambda: translator.healthy(limit), ready)
        )
        server.start()
        stack.callback(server.close)
        translator.run()


def _foreign(settings: Settings, clock: Clock, stack: ExitStack) -> ForeignSource:
    """The topics and files that a translator reads, until the stack closes them."""
    from monitor.source.foreign import ForeignSource
    from monitor.source.kafka_group import GroupSource

    intake, files, topics = settings.intake, None, None
    if intake.files and intake.positions_file is not None:
        files = FileSets(intake.files, intake.positions_file, intake.record_bytes_max, clock)
        stack.callback(files.close)
    if intake.topics:
        topics = GroupSource(settings.kafka, intake.group, [str(one.topic) for one in intake.topics])
        stack.callback(topics.close)
    return ForeignSource(topics, files)


def _rollup(
    settings: Settings,
    store: SqlStore,
    reference: Reference,
    watch: Watch,
    telling: Telling | None,
    stack: ExitStack,
) -> Rollup | Aside:
    """What looks at groups: beside the loop, except where a store has one writer at a time."""
    if not store.shared:
        return Rollup(store, reference, watch, telling)
    own = stack.enter_context(opened_store(settings.store_url))
    aside = Aside(Rollup(own, reference, watch, telling))
    stack.callback(aside.close)
    return aside


def _both(first: HealthQuestion, second: HealthQuestion) -> HealthQuestion:
    """Whether both are so; the second one says it."""

    def ask() -> tuple[bool, str]:
        yes, sentence = first()
        return second() if yes else (False, sentence)

    return ask


def _relisting(settings: Settings, watch: Watch) -> Relisting | None:
    """What reads the lists of the settings again when they change; None: they name none."""
    if not settings.lists:
        return None

    def read(before: Lists | None) -> tuple[Lists, list[Standing]]:
        known = take_lists(settings)
        return lists_that_count(known, before), known.standings

    return Relisting([one.path for one in settings.lists], read, watch)


def _layout(settings: Settings) -> Layout:
    """What the settings say is read.

    Raises:
        SettingsProblem: nothing, or both kinds of source at once.
    """
    kafka = settings.kafka
    if kafka.bootstrap_servers and settings.files.paths:
        raise SettingsProblem(
            "The settings name both `kafka.bootstrap_servers` and `files.paths`: a daemon reads one of them; event "
            "files can be taken in with `flopwatch replay --state` before."
        )
    if kafka.bootstrap_servers:
        return Layout(kafka.tenant_topic, kafka.control_topic)
    if settings.files.paths:
        return Layout()
    raise SettingsProblem(
        "The settings name nothing to read: set `kafka.bootstrap_servers`, or `files.paths` in the settings file, or "
        'FLOPWATCH_FILES__PATHS to a JSON list such as ["/var/lib/flopwatch/events.jsonl"].'
    )


def kafka_source(kafka: Kafka) -> KafkaSource | ConfluentSource:
    """The client of Kafka that the settings name.

    Raises:
        SettingsProblem: its package is not installed, or a file with a secret or a certificate cannot be used.
        SourceProblem: Kafka does not answer, or does not let us read.
    """
    if kafka.client == "kafka-python":
        from monitor.source.kafka import KafkaSource

        return KafkaSource(kafka)
    # Only here: the package is an extra, `flopwatch[fast]`.
    from monitor.source.confluent import ConfluentSource

    return ConfluentSource(kafka)


@contextmanager
def _outbox(settings: Settings, store: SqlStore, metrics: Metrics, clock: Clock, log: Log) -> Iterator[Outbox | None]:
    """What sends dead letters to their topic, if there is one."""
    kafka = settings.kafka
    if not kafka.bootstrap_servers or kafka.dead_letter_topic is None:
        yield None
        return
    from monitor.alert.kafka import KafkaLetters
    from monitor.source.kafka import connection

    sink = KafkaLetters(kafka.dead_letter_topic, lambda: connection(kafka))
    try:
        yield Outbox(sink, store, metrics, clock, log)
    finally:
        sink.close()


@contextmanager
def _delivery(
    settings: Settings, store: SqlStore, telling: Telling, watch: Watch, layout: Layout
) -> Iterator[Delivery]:
    """What sends notices to the sinks of the settings, whose connections are closed at the end."""
    notices = settings.notices
    sinks = {one.name: sink_of(one, settings, watch.clock) for one in notices.sinks}
    try:
        rules = DeliveryRules(telling, notices.reminding, notices.limits)
        yield Delivery(sinks, store.outgoing, rules, watch, layout.shared)
    finally:
        for sink in sinks.values():
            sink.close()


@contextmanager
def _checkpoints(settings: Settings, store: SqlStore, watch: Watch) -> Iterator[Checkpoints | None]:
    """What takes checkpoints of the audit to the places of the settings, if they name any."""
    places = list(_checkpoint_places(settings))
    try:
        yield Checkpoints(store.audit, places, settings.audit.checkpoint_minutes, watch) if places else None
    finally:
        for one in places:
            one.close()


def _checkpoint_places(settings: Settings) -> Iterator[CheckpointPlace]:
    audit, kafka = settings.audit, settings.kafka
    # Only here, as the clients above.
    if audit.checkpoint_file is not None:
        from monitor.alert.checkpoints import CheckpointFile

        yield CheckpointFile(audit.checkpoint_file)
    if audit.checkpoint_topic is not None:
        from monitor.alert.checkpoints import CheckpointTopic
        from monitor.source.kafka import connection

        yield CheckpointTopic(audit.checkpoint_topic, kafka.request_seconds, lambda: connection(kafka))


def _telling(settings: Settings, reference: Reference) -> Telling:
    """Who is told of flags, and what the rules say beside."""
    recipients = tuple(Recipient(one.name, frozenset(one.takes)) for one in settings.notices.sinks)
    return Telling(terms_of(reference.policies), recipients)


@contextmanager
def _source(settings: Settings) -> Iterator[FileSource | KafkaSource | ConfluentSource]:
    """Where records come from, closed at the end."""
    files = settings.files
    source = (
        kafka_source(settings.kafka)
        if settings.kafka.bootstrap_servers
        else FileSource(files.paths, follow=files.follow, record_bytes_max=settings.record_bytes_max)
    )
    try:
        yield source
    finally:
        source.close()
