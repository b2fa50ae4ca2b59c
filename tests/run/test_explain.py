"""`flopwatch explain`: the numbers of a tenant, a flag and an event, and what they rest on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from monitor.app.references import load_reference
from monitor.app.stores import load
from monitor.core.blind import HOLE, SILENCE
from monitor.core.estimate import Estimator
from monitor.core.priors import Calibrations
from monitor.reference.calibrations import calibrated
from monitor.reference.root import config_root
from monitor.run.explain import explain_tenant
from monitor.simulate.scenarios import simulate
from monitor.store import BlindRow
from monitor.store.memory import MemoryArchive
from monitor.store.sql import SqlStore
from tests.cli.command import HELD, SOURCE, fact, flopwatch, written
from tests.core.table import BASE_MS, Taken
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


def test_tenant_with_its_party_and_parents(tmp_path: Path) -> None:
    """The story tells headquarters of tenant, party and parent, who controls whom, and what contradicts itself."""
    parent = {"party": "P", "share": 0.6, "source": "company register"}
    state = stored(
        tmp_path,
        fact("allocation.started", "begin", **HELD),
        fact("tenant.profiled", "who", party="P", hq_country="US", basis={"hq_country": "documented"}),
        fact("party.profiled", "p", party="P", hq_country="SG", owners=[{**parent, "party": "Q"}]),
        fact("party.profiled", "q", party="Q", hq_country="CN", basis={"hq_country": "registry"}),
    )

    story = flopwatch("explain", "acme", "--state", state, "--json").document
    text = flopwatch("explain", "acme", "--state", state).out

    held = "Q holds 60 per cent of P (claimed, from company register)"
    assert [
        f"US (documented), from {SOURCE}",
        f"party P: SG (claimed), from {SOURCE}",
        f"ultimate parent Q: CN (registry), from {SOURCE}",
        held,
        f"Who controls P is only claimed, not documented: {held}.",
    ] == story["headquarters"]
    assert [
        f"hq_country: the profile of P says SG (claimed, from {SOURCE}), but the tenant's profile says US (documented, "
        f"from {SOURCE})."
    ] == story["contradictions"]
    assert ["Q has an economic interest of at least 60 per cent in P"] == story["economic_interest"]
    assert all(
        sentence in text
        for sentence in [
            "Contradictions:",
            *story["economic_interest"],
            *story["headquarters"],
            *story["contradictions"],
        ]
    )


def test_flag_with_its_history(fleet: Path) -> None:
    """A flag is explained by its reasons, its numbers and the line of history that raised it."""
    flag = flopwatch("flags", "--state", fleet, "--json").document[0]

    ran = flopwatch("explain", flag["flag"], "--state", fleet)
    document = flopwatch("explain", flag["flag"], "--state", fleet, "--json").document

    assert flag == document["flag"]
    assert "raised" == document["history"][0]["act"]
    assert (0, []) == (ran.code, [reason for reason in flag["finding"]["reasons"] if reason not in ran.out])
    finding = flag["finding"]
    of_policy = f"{finding['policy']} ({finding['legal_force']})"
    assert f"Flag {flag['flag']}: {flag['level']} (open), rule {flag['rule']} of {of_policy}" in ran.out


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


def test_what_outlives_its_outer_allocation_is_said(tmp_path: Path) -> None:
    """What runs on where what it lay within was given up is named: in a reservation it counts from then on."""
    begun = [
        fact("allocation.started", "outer", **HELD),
        fact("allocation.started", "block", **HELD | {"allocation": "block", "layer": "reservation"}),
        fact("allocation.started", "reserved", **HELD | {"allocation": "vm-3"}, within="block"),
        fact("allocation.started", "inner", **HELD | {"allocation": "vm"}, within="job"),
        fact("allocation.started", "over", **HELD | {"allocation": "vm-2"}, within="job"),
        fact("allocation.stopped", "over-end", "2026-03-01T00:30:00Z", allocation="vm-2"),
    ]
    held = flopwatch("explain", "acme", "--state", stored(tmp_path, *begun)).out
    ends = [
        fact("allocation.stopped", "end", "2026-03-01T01:00:00Z"),
        fact("allocation.stopped", "end of block", "2026-03-01T01:00:00Z", allocation="block"),
    ]

    said = flopwatch("explain", "acme", "--state", stored(tmp_path, *begun, *ends)).out

    assert "Runs on without what it lay within" not in held
    assert "vm holds 8 x H100 SXM 80GB within job, which holds nothing any more: it is not in the totals." in said
    assert (
        "vm-3 holds 8 x H100 SXM 80GB within block, which holds nothing any more: "
        "it is in the totals from 2026-03-01T01:00:00Z on."
    ) in said
    assert "vm-2 holds" not in said


def test_earlier_runs_of_a_tenant_are_said() -> None:
    """Where earlier runs of a tenant moved its prior, the share that is shown, its basis and its FLOP are its own."""
    common = load_reference(config_root())
    own = calibrated(common.estimator.priors, {"hopper": [400_000]})
    estimator = Estimator(common.estimator.catalogue, common.estimator.priors, Calibrations("1", "", {"t": own}))
    hardware = "accelerator=H100-SXM5-80GB count=8"
    book = Taken(f"0 start x {hardware} \n 3600 stop x \n 0 start y tenant=u {hardware} \n 3600 stop y tenant=u").book

    ours, other = (
        explain_tenant(book, replace(common, estimator=estimator), name, BASE_MS + 3_600_000, MemoryArchive())
        for name in ("t", "u")
    )

    (line,), (plain,) = ours.hardware, other.hardware
    assert line.prior_basis.startswith("own: 1 earlier run at 0.400, over Beta(")
    assert plain.prior_basis.startswith("Beta(")
    assert own.of("hopper").central_ppm == line.utilisation_ppm[1]
    assert line.flop == ours.flop == ours.flop_unseen
    assert plain.flop == other.flop
    assert other.flop.central < ours.flop.central


HOSTILE: list[object] = [808334905, -1, "NaN", "", None, 9223372036854775794]
END = "2026-03-01T02:00:00Z"


def sampled(id: str, time: str = "2026-03-01T01:00:00Z", /, **fields: object) -> dict[str, object]:
    """An hour of the provider's telemetry."""
    return fact("telemetry.sampled", id, time, **{"window_seconds": 3600, "observer": "provider", **fields})


def test_hostile_telemetry_lowers_nothing_and_is_explained(tmp_path: Path) -> None:
    """Values that no hardware has, windows of the tenant and those of others leave the FLOP as they are, with notes."""
    held = [fact("allocation.started", "begin", **HELD), fact("allocation.seen", "alive", END)]
    hostile = [sampled(f"bad-{number}", tensor_active=value) for number, value in enumerate(HOSTILE)]
    hostile += [
        sampled("own", tensor_active=0, observer="tenant"),
        sampled("count", tensor_active=0, accelerators_covered=-1),
    ]
    other = sampled("stranger", tensor_active=0)
    other["data"]["tenant"] = "other"  # type: ignore[index]
    (tmp_path / "plain").mkdir()
    plain = flopwatch("explain", "acme", "--state", stored(tmp_path / "plain", *held), "--json").document
    state = stored(tmp_path, *held, *hostile, other)

    document = flopwatch("explain", "acme", "--state", state, "--json").document
    story = flopwatch("explain", "begin", "--state", state, "--json").document
    text = flopwatch("explain", "begin", "--state", state).out
    stranger = flopwatch("explain", "stranger", "--state", state).out

    assert plain["flop"] == document["flop"]
    assert [None] == [line["flop_executed"] for line in document["hardware"]]
    notes = {one["fact"]["id"]: one["notes"] for one in story["facts"]}
    unknown = "tensor_active is nothing that hardware can have: it is unknown, not zero."
    assert all(unknown in notes[f"bad-{number}"] for number in range(len(HOSTILE)))
    assert ["The tenant could have made it: it moves no bound."] == notes["own"]
    assert "accelerators_covered is nothing that hardware can have: it is unknown, not zero." in notes["count"]
    assert [] == notes["begin"] == notes["alive"]
    assert f"    {unknown}\n" in text
    assert "It measures nothing: nothing was held in its window" in stranger


def test_measured_time_shows_both_flop(tmp_path: Path) -> None:
    """Where time was measured, executed FLOP stand beside model FLOP, and what dark time is taken for is said."""
    state = stored(
        tmp_path,
        fact("allocation.started", "begin", **HELD),
        sampled("busy", tensor_active=0.4, sm_clock_mhz=1830),
        fact("allocation.stopped", "end", END),
    )

    (line,) = flopwatch("explain", "acme", "--state", state, "--json").document["hardware"]
    text = flopwatch("explain", "acme", "--state", state).out

    assert all(line["flop_executed"][name] >= line["flop"][name] for name in line["flop"])
    assert line["flop_executed"]["central"] > line["flop"]["central"]
    assert "executed, recomputation included: " in text
    assert "50 per cent of the certain time was measured by the provider: on average 40 per cent of the dense" in text
    assert "Time that nobody measured keeps the prior" in text


def test_measured_time_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    """Telemetry of a chip whose peak has no stated clock moves nothing, and that is said."""
    state = stored(
        tmp_path,
        fact("allocation.started", "begin", **{**HELD, "accelerator": "H20"}),
        sampled("busy", tensor_active=0.4, sm_clock_mhz=1830),
    )

    (line,) = flopwatch("explain", "acme", "--state", state, "--json").document["hardware"]

    assert line["flop_executed"] is None
    assert any(
        "which moves nothing: the catalogue has no clock of the stated peak of H20" in one
        for one in line["assumptions"]
    )


def test_telemetry_that_contradicts_power(tmp_path: Path) -> None:
    """An hour of idle tensor pipes near the rated power is among the inconsistencies, and moves no bound."""
    windows = [
        sampled(f"w{hour}", f"2026-03-01T0{hour}:00:00Z", tensor_active=0, sm_clock_mhz=1830, power_watts=690)
        for hour in (1, 2)
    ]
    held = [fact("allocation.started", "begin", **HELD), fact("allocation.stopped", "end", "2026-03-01T03:00:00Z")]
    state = stored(tmp_path, *held, *windows)
    (tmp_path / "quiet").mkdir()
    for window in windows:
        del window["data"]["power_watts"]  # type: ignore[attr-defined]
    quiet = stored(tmp_path / "quiet", *held, *windows)

    text = flopwatch("explain", "begin", "--state", state).out
    flop = [flopwatch("explain", "acme", "--state", one, "--json").document["flop"] for one in (state, quiet)]

    sentence = "telemetry contradicts power (tensor pipes idle near the rated power for an hour): /sim/eu-1 w1"
    assert 1 == text.count("telemetry contradicts power")
    assert sentence in text
    assert flop[0] == flop[1]
    assert "telemetry contradicts power" not in flopwatch("explain", "begin", "--state", quiet).out


def test_when_thresholds_may_be_reached(tmp_path: Path) -> None:
    """The story of a tenant says how likely each threshold is in 30 and 90 days, and what that goes by."""
    start, seen = "2026-03-01T00:00:00Z", "2026-03-08T00:00:00Z"
    many = {**HELD, "count": 4_000}
    held = [fact("allocation.started", "begin", start, **many), fact("allocation.seen", "alive", seen)]
    reserved = fact("reservation.changed", "r", start, reservation="r-1", state="granted", to="2026-03-18T00:00:00Z")
    (tmp_path / "reserved").mkdir()
    plain, ending = stored(tmp_path, *held), stored(tmp_path / "reserved", *held, reserved)

    document = flopwatch("explain", "acme", "--state", plain, "--json").document
    text = flopwatch("explain", "acme", "--state", plain).out
    until = flopwatch("explain", "acme", "--state", ending).out

    thresholds = [one["threshold_flop"] for one in document["projections"]]
    assert sorted(thresholds) == thresholds
    assert 10**25 in thresholds
    assert "\nWhen thresholds may be reached: No end is stated:" in text
    assert "  1.00e26 FLOP: now none, within 30 days none, within 90 days " in text
    assert [one["by_days"]["30"] <= one["by_days"]["90"] for one in document["projections"]] == [True] * len(thresholds)
    assert "until its reservation ends, 10 days from now" in until
