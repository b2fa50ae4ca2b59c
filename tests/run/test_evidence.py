"""What a pack holds of the books: which facts, what of reports, and what does not follow from these alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from monitor.app.references import load_reference
from monitor.app.stores import working_archive
from monitor.core.book import Book
from monitor.core.engine import hearing
from monitor.core.model import Key
from monitor.core.timeline import Shape
from monitor.intake.decode import decode_facts
from monitor.reference.root import config_root
from monitor.run.evidence import evidence, facts_of
from monitor.run.replay import Working, rebuild
from tests.cli.command import HELD, fact
from tests.core.casefile import flag

LATER = "2026-03-01T05:00:00Z"
NOW = 1_772_341_200_000


class Chains:
    """The facts of a store by what they are about; some are lost."""

    def __init__(self, book: Book, working: Working, lost: frozenset[str] = frozenset()) -> None:
        self._book = book
        self._archive = working.archive
        self._lost = lost

    def heads_of(self, tenant: str) -> dict[Key, int]:
        """All allocations of a tenant -> number of the latest fact."""
        return {(tenant, name): line.head for name, line in self._book.tenants[tenant].timelines.items()}

    def histories(self, heads: Mapping[Key, int]) -> dict[Key, list[bytes]]:
        """All facts of these chains as they came, latest first."""
        found = self._archive.histories(heads)
        return {
            key: [line for line in lines if json.loads(line)["id"] not in self._lost] for key, lines in found.items()
        }


def of(tenant: str, what: dict[str, Any]) -> bytes:
    """A fact of a tenant, as it comes."""
    return json.dumps({**what, "id": f"{tenant}-{what['id']}", "data": {**what["data"], "tenant": tenant}}).encode()


def report(region: str, *tenants: str, **more: object) -> bytes:
    """A complete report of a region."""
    held = [{"tenant": tenant, "allocation": "job", "count": 8} for tenant in tenants]
    data = {"region": region, "complete": True, "allocations": held, **more}
    return json.dumps({**fact("inventory.reported", f"of {region} {more}", LATER), "data": data}).encode()


def books(lines: list[bytes]) -> tuple[Book, Working]:
    """Books of these facts."""
    working = working_archive()
    return rebuild(lines, working, NOW), working


ALL = [
    of("a", fact("allocation.started", "begin", **HELD)),
    of("a", fact("allocation.seen", "still", "2026-03-01T04:00:00Z")),
    of("b", fact("allocation.started", "begin", **HELD)),
    of("c", fact("allocation.started", "begin", **{**HELD, "region": "us-1"})),
]


def test_a_report_is_reduced_to_the_tenants_of_the_pack() -> None:
    """One that names them alone stays as it came; one of a region where they are nothing is left out."""
    alone, others = report("eu-1", "a"), report("eu-1", "a", "b", capacity={"H100 SXM 80GB": 100})
    elsewhere = report("us-1", "c")
    book, working = books([*ALL, alone, others, elsewhere])

    found = facts_of([(book, Chains(book, working))], {"a"})

    reports = [line for line in found.lines if b"inventory" in line]
    assert alone in reports
    assert 2 == len(reports)
    (reduced,) = (json.loads(line)["data"] for line in reports if line != alone)
    assert {
        "region": "eu-1",
        "complete": True,
        "allocations": [{"tenant": "a", "allocation": "job", "count": 8}],
    } == reduced
    assert [json.loads(others)["id"]] == [id for _, id, _ in found.reduced]
    assert 4 == len(found.lines)


def test_tenants_of_several_partitions_are_in_one_pack() -> None:
    """Each is asked of the books that have it, and no fact is there twice."""
    first, second = ([line for line in ALL if f'"tenant": "{name}"'.encode() in line] for name in "ab")
    pairs = [(book, Chains(book, working)) for book, working in (books(first), books(second), books(ALL[3:]))]

    found = facts_of(pairs, {"a", "b"})

    assert sorted([*first, *second]) == sorted(found.lines)
    assert {"a", "b"} == {one.tenant for one in decode_facts(found.lines)}


def test_what_does_not_follow_from_the_pack_alone_is_named() -> None:
    """A store that has lost a fact cannot prove what its books say of that tenant; of the others it can."""
    book, working = books(ALL)
    chains = Chains(book, working, frozenset({"a-still"}))
    flags = [flag("F-1", tenant="a"), flag("F-2", tenant="b")]

    found = evidence(book, load_reference(config_root()), working.past, [(book, chains)], flags, working_archive, NOW)

    assert {"a"} == found.from_books
    assert {"a", "b"} == found.numbers.usage.keys()
    assert {"/sim/eu-1": hearing(book, NOW)("/sim/eu-1")} == found.given.heard
    (row, *_) = found.numbers.usage["b"]
    assert tuple(Shape("eu-1", "f-1", "H100 SXM 80GB", "accelerator")) == row[:4]
