"""What somebody saw of a case when they decided about it."""

from __future__ import annotations

import json

import pytest

from monitor.core.audit import canonical
from monitor.core.cases import CaseTimes
from monitor.core.findings import finding_document, finding_from
from monitor.core.flags import Flag, flag_document, flag_from
from monitor.core.sight import FLAGS_MAX, Sight, shown, sight_document, sight_from, sight_hash
from tests.core.casefile import NOW, flag

TIMES = CaseTimes(NOW - 2, NOW - 1, None, None, NOW)
SIGHT = Sight(7, (flag(), flag("F-2", members=("t-1", "t\u2028<x>"))), 3, {"F-1": 2, "F-2": 1}, TIMES)


@pytest.mark.parametrize("one", [flag(), flag(level="critical", state="closed"), flag(members=("a", "b"))])
def test_a_flag_is_written_and_read_back(one: Flag) -> None:
    """As JSON, with whole numbers."""
    assert one == flag_from(json.loads(canonical(flag_document(one))))


def test_a_finding_of_before_is_read() -> None:
    """Older ones were of model FLOP, and said so by the names of their fields; they had no members."""
    finding = flag().finding
    fields = finding_document(finding)
    for now, before in (("amount", "flop"), ("threshold", "threshold_flop")):
        fields[before] = fields.pop(now)
    del fields["measure"], fields["members"]

    assert finding == finding_from(json.loads(canonical(fields)))


def test_a_sight_is_written_and_read_back() -> None:
    """It is the same, and so is its hash."""
    document = json.loads(canonical(sight_document(SIGHT)))

    assert sight_from(document) == SIGHT
    assert sight_hash(document) == sight_hash(sight_document(SIGHT))


@pytest.mark.parametrize(
    "other",
    [
        SIGHT._replace(number=8),
        SIGHT._replace(more=0),
        SIGHT._replace(lines={"F-1": 3, "F-2": 1}),
        SIGHT._replace(times=TIMES._replace(due_at=None)),
        SIGHT._replace(flags=(flag(central=10**25 + 1), SIGHT.flags[1])),
    ],
)
def test_what_is_seen_otherwise_has_another_hash(other: Sight) -> None:
    """An event, a number, a clock, a line of history."""
    assert sight_hash(sight_document(SIGHT)) != sight_hash(sight_document(other))


def test_the_most_serious_flags_are_shown() -> None:
    """Those that stand come first, then level, then compute; in whichever order they are given."""
    closed, watch, more = flag("F-1", "critical", "closed"), flag("F-2"), flag("F-3", central=10**26)
    critical = flag("F-4", "critical")
    many = [flag(f"F-{number:03d}") for number in range(FLAGS_MAX + 5)]

    assert (critical, more, watch, closed) == shown([closed, watch, more, critical])
    assert FLAGS_MAX == len(shown(many))
