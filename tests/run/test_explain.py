"""`flopwatch explain`: the numbers of a tenant, a flag and an event, and what they rest on."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.app import load
from monitor.core.blind import HOLE, SILENCE
from monitor.simulate.scenarios import simulate
from monitor.store import BlindRow
from monitor.store.sql import SqlStore
from tests.cli.command import HELD, fact, flopwatch, written
from tests.store.taking import commit_of


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the first week and more of a fleet, by which time somebody is flagged."""
    folder = tmp_path_factory.mktemp("fleet")
    path, state = folder / "events.jsonl", folder / "books.db"
    path.write_bytes(b"".join(line for line, _ in zip(simulate("fleet").events(), range(6_000), strict=False)))
    assert 0 == flopwatch("replay", path, "--state", state).code
    return state


def stored(folder: Path, *facts: object) -> Path:
    """A store of a few facts."""
    state = folder / "books.db"
    assert 0 == flopwatch("replay", written(folder / "events.jsonl", facts), "--state", state).code
    return state


def test_tenant_rests_on_its_hardware(fleet: Path) -> None:
    """What is explained of a tenant adds up to the number that is shown of it, to the last unit."""
    tenants = flopwatch("tenants", "--state", fleet, "--json").document
    assert len(tenants) > 10

    for tenant in tenants[::3]:  # loading the store takes most of the time
        story = flopwatch("explain", tenant["tenant"], "--state", fleet, "--json").document
        booked: dict[str, int] = {}
        for line in story["hardware"]:
            counted = line["usage"].get("certain", 0) + line["usage"].get("presumed", 0)
            booked[line["name"]] = booked.get(line["name"], 0) + counted

        assert list(tenant["flop"].values()) == list(story["flop"].values())
        assert tenant["accelerator_us"] == {name: amount for name, amount in booked.items() if amount}
        assert tenant["open_allocations"] == len(story["open_allocations"])
        assert all(line["source"] and line["prior_basis"] for line in story["hardware"])


def test_tenant_for_people(fleet: Path) -> None:
    """The text about a flagged tenant names totals, hardware, headquarters, the rule and what is not established."""
    flag = flopwatch("flags", "--state", fleet, "--json").document[0]

    text = flopwatch("explain", flag["tenant"], "--state", fleet).out

    assert text.startswith(f"Tenant {flag['tenant']} as of 2026-01-")
    for said in ("FLOP, ceiling", "dense 16-bit rate", "Headquarters:", flag["rule"], "Not established: End use"):
        assert said in text


def test_flag_with_its_history(fleet: Path) -> None:
    """A flag is explained by its reasons, its numbers and the line of history that raised it."""
    flag = flopwatch("flags", "--state", fleet, "--json").document[0]

    ran = flopwatch("explain", flag["flag"], "--state", fleet)
    document = flopwatch("explain", flag["flag"], "--state", fleet, "--json").document

    assert flag == document["flag"]
    assert "raised" == document["history"][0]["act"]
    assert (0, []) == (ran.code, [reason for reason in flag["finding"]["reasons"] if reason not in ran.out])
    assert (
        f"Flag {flag['flag']}: {flag['level']} (open), rule {flag['rule']} of internal-ladder@1 (internal)" in ran.out
    )


def test_event_leads_to_its_allocation(tmp_path: Path) -> None:
    """Any fact of an allocation leads to all its facts and the pieces that follow from them."""
    state = stored(
        tmp_path,
        fact("allocation.started", "begin", **HELD),
        fact("allocation.resized", "more", "2026-03-01T01:00:00Z", count=16),
        fact("allocation.stopped", "end", "2026-03-01T03:00:00Z"),
    )

    stories = [flopwatch("explain", id, "--state", state, "--json").document for id in ("begin", "more", "end")]

    assert stories[0] == stories[1] == stories[2]
    assert ["begin", "more", "end"] == [one["fact"]["id"] for one in stories[0]["facts"]]
    hour = 3_600_000
    expected = [(8_000, hour), (16_000, 2 * hour)]
    assert expected == [(piece["count"], piece["end"] - piece["start"]) for piece in stories[0]["pieces"]]
    assert [] == stories[0]["anomalies"]


def test_fact_that_does_not_count_says_why(tmp_path: Path) -> None:
    """Of two facts with one identity and of a retracted fact the story says that they do not count, and why."""
    retraction = fact("fact.retracted", "oops", "2026-03-01T05:00:00Z", reason="sent by mistake")
    retraction["data"] = {
        "tenant": "acme", "retracts": {"source": "/sim/eu-1", "id": "wrong"}, "reason": "sent by mistake",
    }  # fmt: skip
    state = stored(
        tmp_path,
        fact("allocation.started", "begin", **HELD),
        fact("allocation.resized", "twice", "2026-03-01T01:00:00Z", count=16),
        fact("allocation.resized", "twice", "2026-03-01T01:00:00Z", count=24),
        fact("allocation.resized", "wrong", "2026-03-01T02:00:00Z", count=4_000),
        fact("allocation.stopped", "end", "2026-03-01T03:00:00Z"),
        retraction,
    )

    facts = flopwatch("explain", "begin", "--state", state, "--json").document["facts"]

    verdicts = {(one["fact"]["id"], one["counts"]) for one in facts}
    greater = "does not count: another fact of the same source and id has the greater hash"
    assert {
        ("begin", "counts"), ("twice", "counts"), ("twice", greater), ("wrong", "retracted by its source"),
        ("end", "counts"),
    } == verdicts  # fmt: skip
    twice = {one["counts"]: one["digest"] for one in facts if one["fact"]["id"] == "twice"}
    assert twice["counts"] > twice[greater]


def test_event_id_in_any_script(tmp_path: Path) -> None:
    """An event is found by its id even where its JSON writes the letters as escapes."""
    state = stored(tmp_path, fact("allocation.started", "départ-1", **HELD), fact("allocation.seen", "vu \\ 2"))

    for id in ("départ-1", "vu \\ 2"):
        assert "Allocation job of tenant acme" in flopwatch("explain", id, "--state", state).out


@pytest.mark.parametrize("name", ["nobody", "dé\nmo", "\udcff", ""])
def test_name_that_the_store_does_not_know(name: str, tmp_path: Path) -> None:
    """An unknown name, whatever its letters, is a sentence that says where to look."""
    state = stored(tmp_path, fact("allocation.started", "begin", **HELD))

    ran = flopwatch("explain", name, "--state", state)

    assert (2, "") == (ran.code, ran.out)
    assert "is no tenant, run, flag or event id in this store. `flopwatch tenants` and `flopwatch flags`" in ran.err


def test_hostile_names_reach_no_terminal(tmp_path: Path) -> None:
    """Control characters in names are shown as text wherever a person reads them."""
    bell = "a\x1b[31m\x07b"
    data = {**HELD, "tenant": bell, "allocation": bell, "accelerator": bell}
    state = stored(tmp_path, fact("allocation.started", bell, **data))

    texts = [
        flopwatch("explain", bell, "--state", state).out,
        flopwatch("tenants", "--state", state).out,
        flopwatch("replay", tmp_path / "events.jsonl").out,
    ]

    assert all("a\\u001b[31m\\u0007b" in text for text in texts)
    assert not any(letter in text for text in texts for letter in "\x1b\x07")


def test_hours_with_lost_facts_widen_the_range(tmp_path: Path) -> None:
    """Where facts were lost the range is wider than the books, which stay as they are; silence widens nothing."""
    state = stored(
        tmp_path,
        fact("allocation.started", "begin", **HELD),
        fact("allocation.stopped", "end", "2026-03-01T04:00:00Z"),
    )
    before = flopwatch("explain", "acme", "--state", state, "--json").document
    hour = 3_600_000
    start = 1_772_323_200_000
    rows = [
        BlindRow("a", HOLE, None, "t", 0, start + hour, start + 2 * hour, "Records were deleted.", 0),
        BlindRow("b", SILENCE, "/sim/eu-1", None, None, start + 2 * hour, start + 3 * hour, "Nothing came.", 0),
    ]
    store = SqlStore.open(f"sqlite:///{state}")
    store.commit(commit_of(load(store).book)._replace(blind=rows))
    store.close()

    after = flopwatch("explain", "acme", "--state", state, "--json").document
    flop, unseen = after["flop"], after["flop_unseen"]
    text = flopwatch("explain", "acme", "--state", state).out

    assert before["flop"] == before["flop_unseen"] == flop
    assert (3 * flop["low"], 4 * flop["central"], 5 * flop["high"], 5 * flop["ceiling"]) == tuple(
        4 * value for value in unseen.values()
    )
    assert "hole, 2026-03-01T01:00:00" in text
    assert "With what may have been lost in those hours:" in text
