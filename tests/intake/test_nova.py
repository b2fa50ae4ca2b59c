"""Notifications of Nova: what each becomes, what a flavor names, and that a step counts once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.core.model import HOUR_MS
from monitor.intake.dialect import Event, Options
from monitor.intake.nova import recognises, translate
from monitor.simulate.scenarios import START
from tests.intake.foreign import (
    DAYS,
    REAL,
    Step,
    book_of,
    books_in_any_order,
    day,
    events,
    outcomes,
    said,
    sample,
    truth,
    used,
    verb,
)

OPTIONS = Options("/nova")
UUID = "5f1c7d1e-0000-4000-8000-0000000000aa"
VM, OLD = f"nova/{UUID}", f"nova/{UUID}/old"

BUILT = [
    ("create-end-oslo", f"started {VM}"),
    ("create-end-vgpu", f"started {VM}"),
    ("resize-prep-end", f"described {OLD}"),
    ("resize-finish-end", f"started {VM}, started {OLD}"),
    ("resize-confirm-end", f"seen {VM}, stopped {OLD}"),
    ("resize-revert-end", f"started {VM}, stopped {OLD}"),
    ("shelve-offload-end", f"stopped {VM}"),
    ("exists-shelved", "ignored: instance.exists of an instance that is shelved_offloaded"),
    ("unshelve-end-pgpu", f"started {VM}"),
    ("exists-deleted", f"stopped {VM}"),
]


def made(name: str, options: Options = OPTIONS) -> list[Event]:
    """The events of a built sample."""
    return events(translate, sample(f"nova/built-{name}.json"), options)


@pytest.mark.parametrize(("name", "outcome"), BUILT)
def test_a_built_notification_becomes_this(name: str, outcome: str) -> None:
    """Each sample starts, stops, is a sign of life, or is ignored with its reason."""
    raw = sample(f"nova/built-{name}.json")

    assert recognises(json.loads(raw))
    assert [outcome] == outcomes(translate, raw, OPTIONS)


REAL_VM = "nova/178b0921-8f85-4257-88b6-2e743b5a975c"
REAL_OUTCOMES = [
    ("openstack_nova_versioned/instance-create-end", f"started {REAL_VM}"),
    ("openstack_nova_versioned/instance-create-error", "ignored: instance.create.error refused: FlavorDiskTooSmall"),
    ("openstack_nova_versioned/instance-delete-end", f"stopped {REAL_VM}"),
    ("openstack_nova_versioned/instance-exists", f"seen {REAL_VM}"),
    ("openstack_nova_versioned/instance-live_migration_post_dest-end", f"seen {REAL_VM}"),
    ("openstack_nova_versioned/instance-power_off-end", f"seen {REAL_VM}"),
    ("openstack_nova_versioned/instance-resize_confirm-end", f"seen {REAL_VM}, stopped {REAL_VM}/old"),
    ("openstack_nova_versioned/instance-resize_finish-end", f"started {REAL_VM}, started {REAL_VM}/old"),
    ("openstack_nova_versioned/instance-shelve_offload-end", f"stopped {REAL_VM}"),
    ("openstack_nova_versioned/instance-unshelve-end", f"started {REAL_VM}"),
    ("openstack_nova_legacy/instance_create_end",
     "described nova/9f9d01b9-4a58-4271-9e27-398b21ab20d1, started nova/9f9d01b9-4a58-4271-9e27-398b21ab20d1"),
    ("openstack_nova_legacy/instance_delete_start", "ignored: compute.instance.delete.start"),
    ("openstack_nova_legacy/instance_exists", "seen nova/3a513875-95c9-4012-a3e7-f90c678854e5"),
    ("openstack_nova_legacy/instance_finish_resize_end",
     "started nova/648e8963-6886-4c3c-98f9-4511c292f86b, started nova/648e8963-6886-4c3c-98f9-4511c292f86b/old"),
    ("openstack_ironic/baremetal.node.provision_set.start", "ignored: baremetal.node.provision_set.start"),
    ("openstack_ironic/baremetal.node.update.end", "ignored: baremetal.node.update.end"),
]  # fmt: skip


@pytest.mark.skipif(not REAL.is_dir(), reason="shared/data/events is not beside the checkout")
@pytest.mark.parametrize(("name", "outcome"), REAL_OUTCOMES)
def test_a_real_notification_becomes_this(name: str, outcome: str) -> None:
    """Each real sample is recognised, plain and in its envelope, and becomes what its collection says it is."""
    raw = (REAL / f"{name}.json").read_bytes()
    wrapped = json.dumps({"oslo.version": "2.0", "oslo.message": raw.decode()}).encode()

    assert recognises(json.loads(raw))
    assert recognises(json.loads(wrapped))
    assert [outcome] == outcomes(translate, raw, OPTIONS)
    assert [outcome] == outcomes(translate, wrapped, OPTIONS)


def test_a_create_says_everything() -> None:
    """From launch on, the flavor's accelerators are held; the message's id tells it apart."""
    expected = {
        "specversion": "1.0",
        "id": "m-1",
        "source": "/nova",
        "type": "io.flopwatch.allocation.started.v1",
        "time": "2026-03-01T10:00:00Z",
        "data": {
            "tenant": "lab",
            "allocation": VM,
            "zone": "az-1",
            "layer": "node",
            "accelerator": "h100",
            "count": 8,
        },
    }

    assert [expected] == made("create-end-oslo")


def test_an_envelope_that_has_been_read_says_the_same() -> None:
    """What carries messages on may have made an object of the text in the envelope."""
    envelope = json.loads(sample("nova/built-create-end-oslo.json"))
    envelope["oslo.message"] = json.loads(envelope["oslo.message"])

    assert recognises(envelope)
    assert made("create-end-oslo") == events(translate, json.dumps(envelope).encode(), OPTIONS)


def notified(name: str, specs: Any, **changed: Any) -> dict[str, Any]:
    """A notification of an instance whose flavor has these extra specs, with other fields of its payload."""
    message: dict[str, Any] = json.loads(sample("nova/built-unshelve-end-pgpu.json"))
    payload = message["payload"]["nova_object.data"]
    payload["flavor"]["nova_object.data"]["extra_specs"] = specs
    payload.update(changed)
    return {**message, "event_type": name}


BY_NAME = {"instance_type": "gpu.placement", "instances": 1}
FLAVORS: list[tuple[Any, dict[str, Any]]] = [
    (None, BY_NAME),
    ({}, BY_NAME),
    ({"hw:cpu_policy": "dedicated", "resources:VGPU": "0"}, BY_NAME),
    ({"pci_passthrough:alias": "h100:8"}, {"accelerator": "h100", "count": 8}),
    ({"pci_passthrough:alias": "h100:4, cx7:8"}, {"accelerator": "h100", "count": 4}),
    ({"pci_passthrough:alias": "h100"}, {"accelerator": "h100", "count": 1}),
    ({"pci_passthrough:alias": " "}, BY_NAME),
    ({"resources:PGPU": "2", "trait:CUSTOM_L40S": "required"}, {"accelerator": "L40S", "count": 2}),
    ({"resources:PGPU": "2", "trait:CUSTOM_L40S": "forbidden"}, {"accelerator": "gpu.placement", "count": 2}),
    ({"resources1:PGPU": "2", "resources_b:PGPU": "2"}, {"accelerator": "gpu.placement", "count": 4}),
    ({"resources:VGPU": "1", "trait:CUSTOM_L40S": "required"}, {"accelerator": "gpu.placement", "count": 1}),
]


@pytest.mark.parametrize(("specs", "shape"), FLAVORS)
def test_a_flavor_names_what_is_held(specs: Any, shape: dict[str, Any]) -> None:
    """An alias, or cards and slices by number, or the flavor's own name; a slice is never named as a whole card."""
    (event,) = events(translate, json.dumps(notified("instance.unshelve.end", specs)).encode(), OPTIONS)

    assert shape == {name: event["data"][name] for name in shape}
    assert not {"accelerator", "count", "instance_type", "instances"} - shape.keys() & event["data"].keys()


STATES: list[tuple[dict[str, Any], str]] = [
    ({"state": "active"}, f"seen {VM}"),
    ({"state": "stopped"}, f"seen {VM}"),
    ({"state": "building"}, "ignored: instance.exists of an instance that is building"),
    ({"state": "soft-delete"}, "ignored: instance.exists of an instance that is soft-delete"),
    ({"state": "error", "launched_at": None}, "ignored: instance.exists of an instance that never ran"),
    ({"state": "deleted", "terminated_at": "2026-03-01T16:30:00Z"}, f"stopped {VM}"),
    (
        {"state": "deleted", "terminated_at": "2026-03-01T16:30:00Z", "launched_at": ""},
        "ignored: instance.exists of an instance that never ran",
    ),
]


@pytest.mark.parametrize(("changed", "outcome"), STATES)
def test_an_instance_exists_where_it_has_a_host(changed: dict[str, Any], outcome: str) -> None:
    """What is nowhere is no sign of life; what was deleted in the audit period is a stop at that instant."""
    assert [outcome] == outcomes(translate, json.dumps(notified("instance.exists", None, **changed)).encode(), OPTIONS)


TIMES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"event_type": "instance.exists"}, {}, "2026-03-01T16:00:00Z"),
    ({"event_type": "instance.exists", "timestamp": None},
     {"audit_period": {"nova_object.data": {"audit_period_ending": "2026-03-01T15:00:00Z"}}}, "2026-03-01T15:00:00Z"),
    ({"event_type": "instance.exists"}, {"terminated_at": "2026-03-01T14:00:00Z"}, "2026-03-01T14:00:00Z"),
    ({"event_type": "instance.create.end"}, {"launched_at": "2026-03-01T13:00:00Z"}, "2026-03-01T13:00:00Z"),
    ({"event_type": "instance.unshelve.end"}, {"launched_at": "2026-03-01T13:00:00Z"}, "2026-03-01T16:00:00Z"),
    ({"event_type": "instance.delete.end"}, {"terminated_at": "2026-03-01T14:00:00Z"}, "2026-03-01T16:00:00Z"),
    ({"event_type": "instance.delete.end", "timestamp": None}, {"terminated_at": "2026-03-01T14:00:00Z"},
     "2026-03-01T14:00:00Z"),
    ({"event_type": "instance.rebuild.end", "timestamp": None}, {"updated_at": "2026-03-01T12:00:00Z"},
     "2026-03-01T12:00:00Z"),
]  # fmt: skip


@pytest.mark.parametrize(("outside", "inside", "time"), TIMES)
def test_each_step_has_its_time(outside: dict[str, Any], inside: dict[str, Any], time: str) -> None:
    """Launched, notified, gone or at the end of an audit period; outside the bus by what the payload says."""
    message = {**notified("", None, **inside), **outside}

    (event,) = events(translate, json.dumps(message).encode(), OPTIONS)

    assert time == event["time"]


def test_both_events_of_a_step_are_told_apart() -> None:
    """An id is that of one fact; a message without one is known by instance, step and request."""
    plain = json.loads(sample("nova/built-resize-finish-end.json"))
    del plain["message_id"]

    told = events(translate, json.dumps(plain).encode(), OPTIONS)

    assert ["m-3", "m-3/old"] == [event["id"] for event in made("resize-finish-end")]
    by_hand = f"{UUID}/instance.resize_finish.end/req-m-3/2026-03-01T12:01:00Z"
    assert [by_hand, f"{by_hand}/old"] == [event["id"] for event in told]


def test_a_sign_of_life_is_good_for_a_lease() -> None:
    """The operator says how often instances are audited, and whose projects they are."""
    raw = json.dumps(notified("instance.exists", None)).encode()

    (event,) = events(translate, raw, Options("/nova", "acme", "hypervisor/{node}", lease_seconds=7_200))

    fields = ("tenant", "account", "within", "lease_seconds")
    assert ("acme", "lab", "hypervisor/gpu-07", 7_200) == tuple(event["data"][name] for name in fields)


HELD_ALONE: list[tuple[str, dict[str, int]]] = [
    # 8 from 10:00:00 to 12:01:00; then 4 beside the old 8 for 59 minutes; then 4 up to 14:00:00.
    ("resize-confirm-end", {"h100": 8 * 7_260 + 12 * 3_540 + 4 * 3_600}),
    # The same, but from 13:00:00 on 8 again.
    ("resize-revert-end", {"h100": 8 * 7_260 + 12 * 3_540 + 8 * 3_600}),
]


@pytest.mark.parametrize(("end", "expected"), HELD_ALONE)
def test_the_old_host_is_held_until_a_resize_is_confirmed_or_reverted(end: str, expected: dict[str, int]) -> None:
    """Between finish and confirmation both shapes count, whatever the order; afterwards the one that stays."""
    steps = ["create-end-oslo", "resize-prep-end", "resize-finish-end", end, "shelve-offload-end", "exists-shelved"]

    told = [event for name in steps for event in made(name)]

    in_seconds = {name: amount // 10**6 for (_, name), amount in used(book_of(told)).items()}
    assert expected == in_seconds
    assert 1 == len(set(books_in_any_order(told).values()))


def flat(name: str, id: str) -> bytes:
    """The flat notification of a step of the built instance, which names only its flavor."""
    payload = {
        "instance_id": UUID, "tenant_id": "lab", "instance_type": "gpu.placement", "launched_at": "2026-03-01T10:00:00",
        "deleted_at": "",
    }  # fmt: skip
    message = {"event_type": f"compute.instance.{name}", "publisher_id": "compute.c1", "message_id": id}
    return json.dumps({**message, "timestamp": "2026-03-01 10:00:05.5", "payload": payload}).encode()


BOTH = [([], {"gpu.placement": 4}), (["create-end-oslo"], {"h100": 4 * 8})]


@pytest.mark.parametrize("id", ["a", "z"])
@pytest.mark.parametrize(("versioned", "expected"), BOTH)
def test_a_flat_notification_names_only_what_the_versioned_one_does_not(
    id: str, versioned: list[str], expected: dict[str, int]
) -> None:
    """Nova may send both of one create, at one time: in any order accelerators count, not the name of the flavor."""
    told = [event for name in [*versioned, "shelve-offload-end"] for event in made(name)]
    told += events(translate, flat("create.end", id), OPTIONS)

    assert expected == {name: amount // (1_000 * HOUR_MS) for (_, name), amount in used(book_of(told)).items()}
    assert 1 == len(set(books_in_any_order(told).values()))


def test_an_instance_may_be_resized_again() -> None:
    """The old host of the second resize has the flavor of the first: 8 become 4, then 2."""
    steps = [Step(10_000_000, "lab", "vm", "h100", before, after) for before, after in ((0, 8), (8, 4), (4, 2), (2, 0))]
    records = []
    for place, step in enumerate(steps):
        began = [("create.end", step.after)] if step.before == 0 else [("delete.end", step.before)]
        if step.before and step.after:
            began = [("resize_prep.end", step.before), ("resize_finish.end", step.after)]
        at = step._replace(time=START + place * HOUR_MS)
        records += [notification(at, place, name, units) for name, units in began]
        if step.before and step.after:
            confirmed = at._replace(time=at.time + HOUR_MS // 2)
            records.append(notification(confirmed, place, "resize_confirm.end", step.after))

    told = [event for raw in records for event in events(translate, raw, OPTIONS)]

    halves = 2 * 8 + (4 + 8) + 4 + (2 + 4) + 2
    assert {("lab", "h100"): 1_000 * halves * HOUR_MS // 2} == used(book_of(told))
    assert 1 == len(set(books_in_any_order(told).values()))


REFUSED: list[tuple[Any, str]] = [
    (
        notified("instance.delete.end", None, launched_at=None),
        "ignored: instance.delete.end of an instance that never ran",
    ),
    ({"oslo.message": "{"}, "refused: json"),
    ({"oslo.message": "7"}, "refused: envelope"),
    ({"oslo.message": [7]}, "refused: envelope"),
    ([], "refused: envelope"),
    (notified("instance.exists", None, tenant_id=""), "refused: field"),
    (notified("instance.exists", None, uuid="x" * 1_025), "refused: field"),
    ({**notified("instance.exists", None), "timestamp": "2026-03-01 25:00:00"}, "refused: time"),
    ({**notified("instance.exists", None), "payload": None}, "refused: field"),
    (notified("instance.create.start", None), "ignored: instance.create.start"),
    (notified("keypair.create.end", None), "ignored: keypair.create.end"),
]


@pytest.mark.parametrize(("document", "outcome"), REFUSED)
def test_what_cannot_be_read_is_refused_with_its_reason(document: Any, outcome: str) -> None:
    """A notification that says nothing certain is no event."""
    assert [outcome] == outcomes(translate, json.dumps(document).encode(), OPTIONS)


def notification(step: Step, place: int, name: str, units: int) -> bytes:
    """A notification of the simulated day, as it is on the bus."""
    data = {
        "uuid": step.name,
        "tenant_id": step.tenant,
        "launched_at": said(step.time),
        "flavor": {
            "nova_object.data": {"name": "f", "extra_specs": {"pci_passthrough:alias": f"{step.hardware}:{units}"}}
        },
    }
    message = {
        "message_id": f"{place}/{name}",
        "timestamp": said(step.time).replace("T", " ").removesuffix("Z"),
        "event_type": f"instance.{name}",
        "payload": {"nova_object.data": data},
    }
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message)}).encode()


@DAYS
def test_a_simulated_day_gives_the_books_of_its_truth(scale: int) -> None:
    """Starts and ends of creates, resizes, shelving and deletes: the books hold what was held, in any order."""
    records, known = [], set()
    for place, step in enumerate(day(scale)):
        if step.before == 0:
            names = ["unshelve.start", "unshelve.end"] if step[1:3] in known else ["create.start", "create.end"]
            steps = [(name, step.after) for name in names]
            known.add(step[1:3])
        elif step.after == 0:
            names = ["shelve_offload.end"] if place % 2 else ["delete.start", "delete.end"]
            steps = [(name, step.before) for name in names]
        else:
            steps = [("resize_prep.end", step.before), ("resize_finish.end", step.after)]
            steps.append(("resize_confirm.end", step.after))
        records += [notification(step, place, name, units) for name, units in steps]

    told = [event for raw in records for event in events(translate, raw, OPTIONS)]

    assert {"started", "stopped", "seen", "described"} == set(map(verb, told))
    assert truth(scale) == used(book_of(told))
    assert 1 == len(set(books_in_any_order(told).values()))
