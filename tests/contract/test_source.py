"""What every source does alike: files, and Kafka through either client."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import pytest
from kafka import KafkaProducer

from monitor.core.limits import Partition
from monitor.core.model import Record
from monitor.errors import SourceProblem
from monitor.settings import Kafka
from monitor.source import Position, Source
from monitor.source.confluent import ConfluentSource
from monitor.source.files import FileSource
from monitor.source.kafka import KafkaSource
from tests.servers.kafka import JavaKafka, Topics, wait_for
from tests.servers.kafka import Kafka as Broker

CLIENTS: dict[str, type[KafkaSource] | type[ConfluentSource]] = {
    "kafka-python": KafkaSource,
    "confluent-kafka": ConfluentSource,
}
SECONDS = 60.0
QUIET_SECONDS = 0.6
PAUSE_SECONDS = 0.005  # between two polls, which wait by themselves


class Stand(Protocol):
    """Somewhere records are written, and the sources that read them."""

    def write(self, values: Sequence[bytes]) -> None:
        """Add records to the one partition."""
        ...

    def open(self) -> Source:
        """A source over it, with the partition assigned."""
        ...

    where: Partition


class FileStand:
    """A file."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._path = folder / "events.jsonl"
        self._path.touch()
        self._stack = stack
        self.where: Partition = (str(self._path), 0)

    def write(self, values: Sequence[bytes]) -> None:
        """Add lines."""
        with self._path.open("ab") as file:
            file.writelines(value + b"\n" for value in values)

    def open(self) -> Source:
        """A source that follows the file."""
        source = FileSource([str(self._path)], follow=True)
        self._stack.callback(source.close)
        return source


class KafkaStand:
    """A tenant topic and a control topic."""

    def __init__(self, topics: Topics, client: str, stack: ExitStack, partitions: int = 1) -> None:
        self.topics = topics
        self.client = client
        self.tenants, self.control = topics.create(partitions), topics.create(1)
        self.partitions = partitions
        self._stack = stack
        self.where: Partition = (self.tenants, 0)

    def settings(self) -> Kafka:
        """What a source is made with."""
        return Kafka(
            bootstrap_servers=(self.topics.bootstrap,),
            tenant_topic=self.tenants,
            control_topic=self.control,
            group=self.tenants,
            session_seconds=6,
            allow_insecure=True,
        )

    def write(self, values: Sequence[bytes]) -> None:
        """Send records."""
        self.topics.write(self.tenants, [(None, value) for value in values], partition=0)

    def open(self, all_of_it: bool = True, client: str = "") -> KafkaSource | ConfluentSource:
        """A member of the group, with every partition assigned unless others are there."""
        source = CLIENTS[client or self.client](self.settings())
        self._stack.callback(source.close)
        if all_of_it:
            self.share([source])
        return source

    def share(self, members: Sequence[Source]) -> None:
        """Wait until these members, and nobody else, have the tenant topic among them."""
        every = {(self.tenants, number) for number in range(self.partitions)}

        def shared() -> bool:
            for member in members:
                member.poll(100)
            held = [where for member in members for where in member.assigned() if where[0] == self.tenants]
            return len(held) == len(every) == len(set(held)) and all(
                any(where[0] == self.tenants for where in member.assigned()) for member in members
            )

        wait_for(shared, SECONDS, "the assignment", PAUSE_SECONDS)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Closes what a test opened."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=["files", *CLIENTS])
def stand(request: pytest.FixtureRequest, tmp_path: Path, stack: ExitStack) -> Stand:
    """Each kind of source."""
    if request.param == "files":
        return FileStand(tmp_path, stack)
    return KafkaStand(request.getfixturevalue("topics"), request.param, stack)


@pytest.fixture(params=list(CLIENTS))
def site(request: pytest.FixtureRequest, topics: Topics, stack: ExitStack) -> KafkaStand:
    """Topics of one partition, and each client of Kafka."""
    return KafkaStand(topics, request.param, stack)


def read(source: Source, count: int, records_max: int = 1_000) -> list[Record]:
    """So many records."""
    records: list[Record] = []

    def enough() -> bool:
        records.extend(source.poll(min(records_max, count - len(records))))
        return len(records) >= count

    wait_for(enough, SECONDS, f"{count} records", PAUSE_SECONDS)
    return records


def quiet(source: Source) -> bool:
    """Whether nothing comes for a while."""
    end = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < end:
        if source.poll(1_000):
            return False
    return True


def values(records: Sequence[Record]) -> list[bytes]:
    """The content of records."""
    return [record.value for record in records]


def some(first: int, count: int) -> list[bytes]:
    """Distinct values."""
    return [b"value %d" % number for number in range(first, first + count)]


# -- what every source does ---------------------------------------------------------------------------------------


def test_records_come_in_order_once_a_partition_was_begun(stand: Stand) -> None:
    """Nothing comes before `begin`; then every record, each where the one before it ends."""
    stand.write(some(0, 250))
    source = stand.open()
    assert quiet(source)
    assert stand.where in source.assigned()
    assert source.begin(stand.where, None) is None
    records = read(source, 250, records_max=100)
    assert values(records) == some(0, 250)
    assert all(first.next_offset == then.offset for first, then in pairwise(records))
    assert {(record.topic, record.partition) for record in records} == {stand.where}


def test_no_poll_brings_more_than_asked(stand: Stand) -> None:
    """The reader decides the pace."""
    stand.write(some(0, 250))
    source = stand.open()
    source.begin(stand.where, None)
    sizes = []
    while sum(sizes) < 250:
        sizes.append(len(source.poll(40)))
    assert max(sizes) <= 40


def test_reading_goes_on_from_a_position(stand: Stand) -> None:
    """A position leads back to the records after it, in the same source."""
    stand.write(some(0, 20))
    source = stand.open()
    source.begin(stand.where, None)
    read(source, 5, records_max=5)
    position = source.positions()[stand.where]
    assert values(read(source, 15)) == some(5, 15)
    again = source
    assert again.begin(stand.where, position) is None
    assert values(read(again, 15)) == some(5, 15)


def test_a_second_source_goes_on_where_the_first_was(stand: Stand) -> None:
    """A position leads there in another source, too."""
    stand.write(some(0, 20))
    first = stand.open()
    first.begin(stand.where, None)
    read(first, 7, records_max=7)
    position = first.positions()[stand.where]
    first.close()
    second = stand.open()
    assert second.begin(stand.where, position) is None
    assert values(read(second, 13)) == some(7, 13)


def test_nothing_comes_of_a_halted_partition(stand: Stand) -> None:
    """A halted partition has no position and is not behind; begun again, it goes on."""
    stand.write(some(0, 20))
    source = stand.open()
    source.begin(stand.where, None)
    read(source, 5, records_max=5)
    position = source.positions()[stand.where]
    source.halt(stand.where)
    assert quiet(source)
    assert stand.where not in source.positions()
    assert stand.where not in source.behind()
    source.begin(stand.where, position)
    assert values(read(source, 15)) == some(5, 15)


def test_nothing_comes_while_paused(stand: Stand) -> None:
    """A paused source keeps what is its own, and goes on where it was."""
    stand.write(some(0, 20))
    source = stand.open()
    source.begin(stand.where, None)
    read(source, 5, records_max=5)
    source.pause()
    assert quiet(source)
    assert stand.where in source.assigned()
    source.resume()
    assert values(read(source, 15)) == some(5, 15)


def test_a_partition_begun_while_paused_waits(stand: Stand) -> None:
    """What is begun during a pause comes after it."""
    stand.write(some(0, 5))
    source = stand.open()
    source.pause()
    source.begin(stand.where, None)
    assert quiet(source)
    source.resume()
    assert values(read(source, 5)) == some(0, 5)


def test_it_knows_whether_there_is_more(stand: Stand) -> None:
    """A source is behind until it has read everything, and reads what comes later."""
    stand.write(some(0, 20))
    source = stand.open()
    source.begin(stand.where, None)
    assert source.behind() == {stand.where}
    read(source, 20)
    wait_for(lambda: source.poll(10) == [] and not source.behind(), SECONDS, "the end")
    stand.write(some(20, 3))
    assert values(read(source, 3)) == some(20, 3)


# -- what both clients of Kafka do --------------------------------------------------------------------------------


def begun(site: KafkaStand) -> KafkaSource | ConfluentSource:
    """A source that reads the first partition from its start."""
    source = site.open()
    assert source.begin(site.where, None) is None
    return source


def test_key_time_and_an_absent_value(site: KafkaStand) -> None:
    """A record has its key and its time; no value is an empty one."""
    site.topics.write(site.tenants, [(b"globex", b"{}"), (b"k", None)])
    before = time.time() * 1_000
    first, second = read(begun(site), 2)
    assert (first.key, first.value) == (b"globex", b"{}")
    assert (second.key, second.value) == (b"k", b"")
    assert first.received is not None
    assert abs(first.received - before) < 60_000


def test_binary_cloudevents_become_structured(site: KafkaStand) -> None:
    """Headers become attributes; a structured event stays as it is."""
    headers = [("ce_id", b"1"), ("ce_type", b"t"), ("content-type", b"application/json"), ("other", b"x")]
    site.topics.write(site.tenants, [(b"k", b'{"tenant":"globex"}')], headers=headers)
    site.topics.write(site.tenants, [(b"k", b'{"id":"2"}')], headers=[("content-type", b"application/cloudevents")])
    first, second = read(begun(site), 2)
    assert first.value == b'{"data":{"tenant":"globex"},"id":"1","type":"t"}'
    assert second.value == b'{"id":"2"}'


@pytest.mark.parametrize("compression", ["gzip", "lz4", "zstd"])
def test_compressed_records(site: KafkaStand, compression: str) -> None:
    """Each codec that producers use is read."""
    site.topics.write(site.tenants, [(None, value) for value in some(0, 500)], compression_type=compression)
    assert values(read(begun(site), 500)) == some(0, 500)


def test_a_record_of_ten_mebibytes(topics: Topics, stack: ExitStack, site: KafkaStand) -> None:
    """A record that is larger than most answers is delivered, and what follows it."""
    tenants = topics.create(1, settings={"max.message.bytes": str(16 * 1024 * 1024)})
    large = KafkaStand(topics, site.client, stack)
    large.tenants, large.where = tenants, (tenants, 0)
    value = bytes(10 * 1024 * 1024)
    topics.write(tenants, [(None, b"before"), (None, value), (None, b"after")], max_request_size=16 * 1024 * 1024)
    assert values(read(begun(large), 3)) == [b"before", value, b"after"]


def test_the_marks_of_transactions_are_passed(site: KafkaStand) -> None:
    """What was undone is not delivered, and the marks of transactions are no rest to be read."""
    producer = KafkaProducer(bootstrap_servers=site.topics.bootstrap, transactional_id=site.tenants)
    producer.init_transactions()
    for value, end in ((b"kept", producer.commit_transaction), (b"undone", producer.abort_transaction)):
        producer.begin_transaction()
        producer.send(site.tenants, value=value, partition=0).get(SECONDS)
        end()
    producer.close()
    source = begun(site)
    assert values(read(source, 1)) == [b"kept"]
    wait_for(lambda: source.poll(10) == [] and not source.behind(), SECONDS, "the end")
    assert source.positions()[site.where].next_offset == source.ends()[site.where] == 4


def test_ends_and_hints(site: KafkaStand) -> None:
    """It tells where partitions end, and lets Kafka's tools see how far the books are."""
    site.write(some(0, 20))
    source = begun(site)
    assert source.ends() == {site.where: 20, (site.control, 0): 0}
    assert source.tenant_partitions() == 1
    source.committed({site.where: 11, (site.control, 0): 3})
    wait_for(lambda: source.poll(10) is not None and site.topics.hints(site.tenants) == {site.where: 11}, SECONDS, "it")


def test_questions_bring_no_record(topics: Topics, stack: ExitStack, site: KafkaStand) -> None:
    """What is asked between two polls takes nothing from what they bring."""
    wide = KafkaStand(topics, site.client, stack, partitions=4)
    for number in range(4):
        topics.write(wide.tenants, [(None, value) for value in some(0, 50)], partition=number)
    source = wide.open()
    for number in range(4):
        source.begin((wide.tenants, number), None)
        time.sleep(QUIET_SECONDS)  # records are there, and wait to be asked for
        source.tenant_partitions()
        source.ends()
    records = read(source, 200)
    for number in range(4):
        assert values([record for record in records if record.partition == number]) == some(0, 50)


def test_the_control_topic_is_read_whole_by_every_member(topics: Topics, stack: ExitStack, site: KafkaStand) -> None:
    """Each member reads all of the control topic, whatever the group shares out."""
    site.topics.write(site.control, [(None, b"inventory")])
    wide = KafkaStand(topics, site.client, stack, partitions=2)
    wide.control = site.control
    first, second = wide.open(), wide.open(all_of_it=False)
    wide.share([first, second])
    for member in (first, second):
        member.begin((site.control, 0), None)
        assert values(read(member, 1)) == [b"inventory"]


def test_partitions_go_to_who_is_there(topics: Topics, stack: ExitStack, site: KafkaStand) -> None:
    """Partitions move between members, and what moves waits until it is begun."""
    wide = KafkaStand(topics, site.client, stack, partitions=4)
    for number in range(4):
        topics.write(wide.tenants, [(None, b"%d" % number)], partition=number)
    first = wide.open()
    for number in range(4):
        first.begin((wide.tenants, number), None)
    assert sorted(values(read(first, 4))) == [b"0", b"1", b"2", b"3"]
    second = wide.open(all_of_it=False)
    wide.share([first, second])
    assert set(first.positions()) == {where for where in first.assigned() if where[0] == wide.tenants}
    moved = {where for where in second.assigned() if where[0] == wide.tenants}
    assert quiet(second)
    for where in moved:
        second.begin(where, Position(0, ""))
    assert sorted(values(read(second, len(moved)))) == sorted(b"%d" % where[1] for where in moved)
    for where in moved:
        topics.write(wide.tenants, [(None, b"more")], partition=where[1])
    assert quiet(first)
    second.close()
    wide.share([first])
    assert quiet(first)  # what comes back waits until it is begun


def test_a_client_goes_on_where_the_other_was(site: KafkaStand) -> None:
    """Positions mean the same to both clients, the identity of the topic included."""
    site.write(some(0, 20))
    first = begun(site)
    read(first, 7, records_max=7)
    position = first.positions()[site.where]
    assert position.check
    first.close()
    (other,) = set(CLIENTS) - {site.client}
    second = site.open(client=other)
    assert second.begin(site.where, position) is None
    assert values(read(second, 13)) == some(7, 13)


def test_a_place_that_was_deleted_is_told(site: KafkaStand) -> None:
    """Records that were deleted unread are a lost position, with what to do about it."""
    site.write(some(0, 20))
    site.topics.cut(site.tenants, 0, 12)
    source = site.open()
    lost = source.begin(site.where, Position(5, ""))
    assert lost is not None
    assert (lost.wanted, lost.available) == (5, 12)
    assert "were deleted before they were read" in lost.sentence
    assert f"flopwatch positions accept {site.tenants} --partition 0" in lost.sentence
    assert quiet(source)
    assert source.begin(site.where, Position(12, "")) is None
    assert values(read(source, 8)) == some(12, 8)


def test_a_place_after_the_end_is_told(site: KafkaStand) -> None:
    """A topic that is shorter than the books is a lost position."""
    site.write(some(0, 3))
    lost = site.open().begin(site.where, Position(5, ""))
    assert lost is not None
    assert "are not there" in lost.sentence


def test_a_place_that_is_deleted_while_read_is_told_once(site: KafkaStand) -> None:
    """A partition that loses its place is not ours for one poll, so that it is begun anew."""
    site.write(some(0, 20))
    source = site.open()
    source.pause()
    source.begin(site.where, Position(5, ""))
    site.topics.cut(site.tenants, 0, 12)
    source.resume()
    wait_for(lambda: source.poll(10) == [] and site.where not in source.assigned(), SECONDS, "the loss")
    source.poll(10)
    assert site.where in source.assigned()
    assert source.begin(site.where, Position(5, "")) is not None


def test_a_topic_that_was_made_anew_is_told(site: KafkaStand) -> None:
    """Another topic of the same name is a lost position, even where it has more records."""
    site.write(some(0, 5))
    source = begun(site)
    read(source, 5)
    position = source.positions()[site.where]
    source.close()
    site.topics.remove(site.tenants)
    site.topics.create(1, site.tenants)
    site.write(some(100, 20))  # more than before: its offsets alone would not tell
    again = site.open()
    lost = again.begin(site.where, position)
    assert lost is not None
    assert (lost.wanted, lost.available) == (5, 0)
    assert "the topic was made anew" in lost.sentence
    assert again.begin(site.where, Position(lost.available, "")) is None
    assert values(read(again, 20)) == some(100, 20)


def test_a_broker_that_restarts(kafka: Broker, site: KafkaStand) -> None:
    """No record is lost or comes twice, and the trouble is told while it lasts."""
    if not isinstance(kafka, JavaKafka):
        pytest.skip("somebody else's broker is not restarted")
    site.write(some(0, 5))
    source = begun(site)
    read(source, 5)
    kafka.stop()
    with pytest.raises(SourceProblem, match="does not answer"):
        source.ends()
    assert source.poll(10) == []
    kafka.start()
    site.write(some(5, 3))
    found: list[Record] = []

    def read_on() -> bool:
        found.extend(source.poll(10))
        if site.where in source.assigned() - source.positions().keys():  # the group was shared out anew meanwhile
            source.begin(site.where, Position(5, ""))
        return len(found) == 3

    wait_for(read_on, SECONDS, "three records")
    assert values(found) == some(5, 3)
    assert source.ends()[site.where] == 8
    assert source.trouble == ""
