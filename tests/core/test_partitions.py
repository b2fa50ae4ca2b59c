"""To which partition a tenant belongs: the hashes that producers use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as kafka_murmur2

from monitor.core.partitions import adopter, murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "hash"),
    # The test vectors of Apache Kafka's own client (UtilsTest.testMurmur2), as unsigned numbers.
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_the_one_of_the_java_client(key: bytes, hash: int) -> None:
    """The hash of a key is that of the client which most producers are made with."""
    assert hash % 2**32 == murmur2(key)


@given(st.binary(max_size=70))
def test_the_hash_is_the_one_of_the_python_client(key: bytes) -> None:
    """Whatever the key, the Python client puts it where we look for it."""
    assert kafka_murmur2(key) == murmur2(key)


@pytest.mark.parametrize(("partitioner", "partition"), [("murmur2", 6), ("crc32", 9)])
def test_producers_may_use_another_hash(partitioner: str, partition: int) -> None:
    """The partition follows from the producers' partitioner, the name and the number of partitions."""
    assert partition == partition_of("foobar", 10, partitioner)


@given(st.text(), st.integers(1, 20))
def test_exactly_one_partition_adopts_a_tenant(tenant: str, partitions: int) -> None:
    """Whatever its name, a tenant that nobody has written about is counted once."""
    adopting = [number for number in range(partitions) if adopter(number, partitions, "murmur2")(tenant)]

    assert [partition_of(tenant, partitions)] == adopting
