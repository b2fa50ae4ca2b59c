"""Each alert made to fire for real, once: what it is about is broken on a running site, and its receiver is told.

The rules are those that ship, with every wait and every threshold of time cut down (`impatient`); what they look at is
not touched. Each message's links are followed: to the console's page, the runbook and the panel.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from kafka import KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

from tests.deploy.monitoring import DEPLOY, ROOT, alertmanager, free_port, prometheus, wait_for
from tests.deploy.test_alerting import Producer, Receiver, alive, until_now
from tests.deploy.test_alerts import ALERTS, NAMES
from tests.kafka.workers import Site, Worker
from tests.servers.kafka import JavaKafka, Topics

pytestmark = pytest.mark.torture
SECONDS = 120.0  # for an alert to come
PASSWORD = "seven green herons walk"
LAW = "own.3e23"  # a rule of our own, with a clock that ran out


def impatient(text: str) -> str:
    """The same rules with waits of a second and thresholds of seconds."""
    limits = {"60": "3", "120": "5", "900": "2", "1800": "40", "172800": "2", "100000": "50"}
    return re.sub(r"(?<=> )(\d+)(?=\n)", lambda found: limits.get(found[1], found[1]), text)


class Scene:
    """A site with everything that can break: two partitions, lists, a sink that nobody answers, checkpoints."""

    def __init__(self, folder: Path, kafka: JavaKafka, receiver: Receiver) -> None:
        self.folder = folder
        self.kafka = kafka
        self.receiver = receiver
        self.site = Site(folder, Topics(kafka.bootstrap), f"sqlite:///{folder / 'books.db'}", 2)
        self.console = free_port()
        self.list = folder / "own.yaml"
        shutil.copy(ROOT / "config" / "lists" / "synthetic" / "own.yaml", self.list)
        (folder / "policies").mkdir()
        (folder / "policies" / "law.yaml").write_text(law(), encoding="utf-8")
        (folder / "key").write_text("a key", encoding="utf-8")
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        (folder / "checkpoints").mkdir()
        url = f"https://127.0.0.1:{free_port()}/"
        sink = {"name": "own", "kind": "webhook", "url": url, "key_file": f"{folder / 'key'}", "allow_private": True}
        self.more: dict[str, object] = {
            "LISTS": json.dumps([{"name": "own", "path": f"{self.list}", "days_max": 1}]),
            "NOTICES__SINKS": json.dumps([sink]),
            "POLICIES__FOLDER": folder,
            "AUDIT__CHECKPOINT_FILE": folder / "checkpoints" / "audit.jsonl",
            "AUDIT__CHECKPOINT_MINUTES": 1,
            "CONSOLE__PORT": self.console,
            "SILENCE_SECONDS": 6,
        }
        self.told: list[tuple[str, dict[str, Any]]] = []  # by which receiver, which alert

    def start(self) -> Worker:
        """One process that keeps the books and serves the console."""
        return self.site.start("all", **self.more)

    def translate(self) -> Worker:
        """A process that translates a topic."""
        topic = self.site.topics.create(1)
        return self.site.start("intake", INTAKE__TOPICS=json.dumps([{"topic": topic, "source": "/aws"}]))

    def configured(self, *words: object) -> None:
        """A command over the store of the site."""
        assert self.site.said(*map(str, words)) is not None

    def fires(self, name: str, **labels: str) -> None:
        """Wait until a receiver is told of an alert with these labels, and keep what came."""

        def came() -> list[tuple[str, dict[str, Any]]]:
            found = self.receiver.alerts(name)
            return [one for one in found if labels.items() <= one[1]["labels"].items()]

        wait_for(lambda: bool(came()), f"{name} {labels}", SECONDS)
        self.told.append(came()[-1])


def law() -> str:
    """The shipped ladder's rule of 3e23 FLOP as a law with a clock of a day from the evidence."""
    policy = yaml.safe_load((ROOT / "config" / "policies" / "internal-ladder.yaml").read_text(encoding="utf-8"))
    (rule,) = (one for one in policy["rules"] if one["id"] == "ladder.3e23.of_concern")
    clock = {"days": 1, "kind": "calendar", "from": "evidence", "what": "a report to whoever asks for it"}
    rule |= {"id": LAW, "clock": clock}
    return yaml.safe_dump({**policy, "id": "own-law", "version": 1, "rules": [rule]}, sort_keys=False)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiving = Receiver()
    yield receiving
    receiving.close()


@pytest.fixture
def kafka() -> Iterator[JavaKafka]:
    """A broker of this test alone, which it may kill."""
    broker = JavaKafka()
    yield broker
    broker.close()


@pytest.fixture
def scene(tmp_path: Path, kafka: JavaKafka, receiver: Receiver) -> Iterator[Scene]:
    scene = Scene(tmp_path, kafka, receiver)
    yield scene
    scene.site.close()


def report() -> bytes:
    """An inventory report, as of now, of what no event has told of: half of the region's capacity."""
    now = json.loads(alive(0))["time"]
    held = {"tenant": "t-nobody", "allocation": "a", "count": 4, "hardware": "H100 SXM5 80GB"}
    event = {
        "specversion": "1.0",
        "id": "report-1",
        "source": "/producer",
        "type": "io.flopwatch.inventory.reported.v1",
        "time": now,
        "data": {"region": "far", "allocations": [held], "complete": True, "capacity": {"H100 SXM5 80GB": 8}},
    }
    return json.dumps(event).encode()


def test_every_alert_fires_and_leads_somewhere(tmp_path: Path, scene: Scene, receiver: Receiver) -> None:
    """One trouble after another, each mended where it must be; in the end no alert is left out, and each link opens."""
    with ExitStack() as stack:
        producing = Producer(scene.site)
        stack.callback(producing.stop)
        worker = scene.start()
        scene.site.produce([*until_now(), report()])
        translator = scene.translate()
        managed = stack.enter_context(alertmanager(tmp_path, receiver.port))
        targets = {"flopwatch": worker.port, "translator": translator.port}
        stack.enter_context(prometheus(tmp_path, targets, managed, impatient))

        scene.fires("FlopwatchWatchdog")
        tenants_are_told_of(scene)
        lists_and_books(scene)
        people_and_audit(scene)
        producing.stop()
        scene.fires("FlopwatchMonitorBlind", cause="silence")
        store_refuses(scene)
        partitions(scene)
        links_open(scene)
        scene.kafka.stop()
        scene.fires("FlopwatchSourceTrouble")
        scene.fires("FlopwatchTranslatorTrouble")
        worker.kill()
        scene.fires("FlopwatchDown")

    assert NAMES == sorted({alert["labels"]["alertname"] for _, alert in scene.told})
    family = {name: rule["labels"]["family"] for _, rule in ALERTS for name in [rule["alert"]]}
    expected = {"tenant": "/reviewers", "monitor": "/operators"}
    for path, alert in scene.told:
        name = alert["labels"]["alertname"]
        assert path == ("/dead-mans-switch" if name == "FlopwatchWatchdog" else expected[family[name]])
        assert "orchid-compute" not in json.dumps(alert)
        leads_to_pages_of_the_project(alert["annotations"])


def tenants_are_told_of(scene: Scene) -> None:
    """A tenant of concern trains: its flag, its case that nobody takes, a law's deadline that has passed."""
    scene.fires("FlopwatchCriticalFlagOpen")
    scene.fires("FlopwatchCaseUnclaimed", level="critical", severity="critical")
    scene.fires("FlopwatchCaseOverdue")


def lists_and_books(scene: Scene) -> None:
    """A list that is weeks old, then is cut off in the middle; a report of what no event told of."""
    scene.fires("FlopwatchListStale", list="own")
    scene.list.write_text("schema: flopwatch.list/1\ntitle: cut off in the", encoding="utf-8")
    scene.fires("FlopwatchListRefused", list="own")
    scene.fires("FlopwatchBooksDiffer")


def people_and_audit(scene: Scene) -> None:
    """Nobody answers where notices go; the folder of checkpoints is gone when the audit grows."""
    scene.fires("FlopwatchNoticesDoNotArrive")
    shutil.rmtree(scene.folder / "checkpoints")
    (scene.folder / "checkpoints").write_text("a file where a folder was", encoding="utf-8")
    account = ("users", "add", "rita", "--role", "auditor", "--password-file", scene.folder / "password")
    scene.configured(*account)
    scene.fires("FlopwatchAuditTrouble")


def store_refuses(scene: Scene) -> None:
    """Somebody holds the store while records come: nothing is committed, read, or rolled up."""
    with held(scene.folder / "books.db"):
        scene.site.produce(alive(10_000 + number) for number in range(200))
        rest = until_now()
        scene.site.produce(line for line, _ in zip(rest, range(2_000), strict=False))
        scene.fires("FlopwatchStoreRefuses")
        scene.fires("FlopwatchPartitionStandsStill")
        scene.fires("FlopwatchLagHigh", measure="records")
        scene.fires("FlopwatchLagHigh", measure="event_time")
        scene.fires("FlopwatchRollupLate")


@contextmanager
def held(file: Path) -> Iterator[None]:
    """A store that somebody else writes to, until the end."""
    connection = sqlite3.connect(file, timeout=60, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def partitions(scene: Scene) -> None:
    """Somebody who is no worker takes a partition; then a few records are no events, and in the end none is."""
    group = {"group_id": scene.site.tenants, "partition_assignment_strategy": [CooperativeStickyAssignor]}
    consumer = KafkaConsumer(scene.site.tenants, bootstrap_servers=scene.kafka.bootstrap, **group)
    try:
        limit = time.monotonic() + SECONDS
        while not scene.receiver.alerts("FlopwatchPartitionUnassigned"):
            consumer.poll(500)
            assert time.monotonic() < limit
        scene.fires("FlopwatchPartitionUnassigned")
    finally:
        consumer.close()
    scene.site.topics.write(scene.site.tenants, [(b"x", b"no event")] * 3)
    scene.fires("FlopwatchDeadLetters")
    scene.site.topics.write(scene.site.tenants, [(b"x", b"no event")] * 1_500)
    scene.fires("FlopwatchPositionLost")


def links_open(scene: Scene) -> None:
    """Whoever signs in and follows a link of an alert sees the page that it names."""
    base = f"http://127.0.0.1:{scene.console}"
    links = {alert["annotations"]["console_url"] for _, alert in scene.told}
    with httpx.Client(base_url=base, headers={"Origin": base}, timeout=60) as client:
        client.post("/sign-in", data={"name": "rita", "password": PASSWORD, "next": "/queue"})
        for link in sorted(links):
            answer = client.get(link.removeprefix("https://flopwatch.example"))
            assert 200 == answer.status_code, (link, answer.text[:300])


def leads_to_pages_of_the_project(annotations: dict[str, str]) -> None:
    """The runbook is a file, and the panel one of a dashboard."""
    assert (ROOT / annotations["runbook_url"].removeprefix("https://flopwatch.example/")).is_file()
    uid, _, panel = annotations["dashboard_url"].removeprefix("https://grafana.example/d/").partition("?viewPanel=")
    document = json.loads((DEPLOY / "grafana" / "dashboards" / f"{uid}.json").read_text(encoding="utf-8"))
    assert int(panel) in {one["id"] for one in document["panels"]}
