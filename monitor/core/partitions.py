"""To which partition of the tenant topic a tenant belongs, as producers choose it: a hash of the record's key.

A tenant whose records have come belongs where they came; the hash only tells of tenants that nobody has written about
but an inventory report, so that exactly one partition counts what such a tenant holds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from zlib import crc32

_M = 0x5BD1E995
_SEED = 0x9747B28C
_BITS = 0xFFFFFFFF
NAMES_CACHED_MAX = 65_536


def murmur2(key: bytes) -> int:
    """MurmurHash2 (Austin Appleby, 32 bits, seed 0x9747b28c), as the Java client and its relatives hash keys."""
    value = _SEED ^ len(key)
    whole = len(key) // 4 * 4
    for start in range(0, whole, 4):
        k = int.from_bytes(key[start : start + 4], "little") * _M & _BITS
        k = (k ^ (k >> 24)) * _M & _BITS
        value = (value * _M & _BITS) ^ k
    rest = key[whole:]
    if rest:
        value = (value ^ int.from_bytes(rest, "little")) * _M & _BITS
    value = (value ^ (value >> 13)) * _M & _BITS
    return value ^ (value >> 15)


HASHES: dict[str, Callable[[bytes], int]] = {
    "murmur2": lambda key: murmur2(key) & 0x7FFFFFFF,  # Java, kafka-python, and librdkafka's murmur2 partitioners
    "crc32": crc32,  # librdkafka's consistent partitioners, its default
}


def partition_of(tenant: str, partitions: int, partitioner: str = "murmur2") -> int:
    """The partition of a tenant's records among so many, by the name of the producers' partitioner."""
    return HASHES[partitioner](tenant.encode("utf-8", "surrogatepass")) % partitions


def adopter(partition: int, partitions: int, partitioner: str) -> Callable[[str], bool]:
    """Whether a tenant belongs to a partition; the latest names are remembered."""

    @lru_cache(NAMES_CACHED_MAX)
    def adopts(tenant: str) -> bool:
        return partition_of(tenant, partitions, partitioner) == partition

    return adopts
