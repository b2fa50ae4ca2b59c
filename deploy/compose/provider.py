"""A simulated provider for `deploy/compose.yaml`: makes the topics, sends what tenants did until now, stays alive.

It runs in the image of flopwatch with the settings of its workers. Started again, it sends nothing twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import NewTopic, OffsetSpec
from kafka.errors import TopicAlreadyExistsError

from monitor.clock import SystemClock
from monitor.settings import Kafka, load_settings
from monitor.simulate.scenarios import SCENARIOS, simulate
from monitor.simulate.wire import instant
from monitor.source.kafka import connection
from monitor.source.kafka_sending import Outgoing, send

SCENARIO = "demo"
PARTITIONS = 4
BATCH = 5_000  # events under way at once
ALIVE_SECONDS = 60
READY = Path("topics")  # for the health check


def make_topics(admin: KafkaAdminClient, kafka: Kafka) -> bool:
    """Make both topics where they are not there; whether the tenants' is still empty."""
    for topic, partitions in ((kafka.tenant_topic, PARTITIONS), (kafka.control_topic, 1)):
        try:
            admin.create_topics([NewTopic(topic, partitions, 1)])
        except TopicAlreadyExistsError:
            continue
    places = [TopicPartition(kafka.tenant_topic, number) for number in range(PARTITIONS)]
    ends = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
    return all(one.offset == 0 for one in ends.values())


def outgoing(line: bytes) -> Outgoing:
    """An event on its way: of a tenant, or about no single one."""
    event = json.loads(line)
    tenant = event["data"].get("tenant")
    return Outgoing(tenant is not None, tenant or event["source"], line.rstrip(b"\n"))


def batches(events: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The same events, BATCH at a time."""
    rest = iter(events)
    while batch := list(islice(rest, BATCH)):
        yield batch


def alive(source: str, now: int) -> bytes:
    """A sign of life of a source, as of an instant in milliseconds."""
    at = instant(now)
    event = {
        "specversion": "1.0",
        "id": f"alive{source}/{at}",
        "source": source,
        "type": "io.flopwatch.source.alive.v1",
        "time": at,
        "data": {"source": source},
    }
    return json.dumps(event).encode()


def main() -> None:
    """Send, then say once a minute that every source is alive, until it is stopped."""
    settings, clock = load_settings(), SystemClock()
    options = connection(settings.kafka)
    del options["allow_auto_create_topics"]  # which the admin client does not know
    admin = KafkaAdminClient(**options)
    empty = make_topics(admin, settings.kafka)
    admin.close()
    READY.touch()
    sources: set[str] = set()
    start = clock.now_ms() - SCENARIOS[SCENARIO].span_ms
    for batch in batches(simulate(SCENARIO, start=start).events()):
        sources |= {json.loads(line)["source"] for line in batch}
        if empty:
            send(settings.kafka, map(outgoing, batch))
    print(f"The past of {len(sources)} sources {'is sent' if empty else 'was there already'}.", flush=True)
    while True:
        send(settings.kafka, [outgoing(alive(source, clock.now_ms())) for source in sorted(sources)])
        time.sleep(ALIVE_SECONDS)


if __name__ == "__main__":
    main()
