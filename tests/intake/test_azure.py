"""Activity logs of Azure: what each record becomes in each of its forms, and that an operation counts once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.core.model import HOUR_MS
from monitor.intake.azure import recognises, translate
from monitor.intake.dialect import Event, Options
from tests.intake.foreign import (
    DAYS,
    REAL,
    book_of,
    books_in_any_order,
    day,
    events,
    machines,
    outcomes,
    said,
    sample,
    truth,
    used,
)

OPTIONS = Options("/azure")
SUBSCRIPTION = "0f3c1d6e-0000-4000-8000-00000000a1a1"
COMPUTE = f"azure/subscriptions/{SUBSCRIPTION}/resourcegroups/train/providers/microsoft.compute"
VM, SET = f"{COMPUTE}/virtualmachines/node-1", f"{COMPUTE}/virtualmachinescalesets/pool"
WRITE = "microsoft.compute/virtualmachines/write"
DEALLOCATE = "microsoft.compute/virtualmachines/deallocate/action"

BUILT = [
    ("event-hub-write", [f"described {VM}", f"ignored: {WRITE} under way", f"started {VM}"]),
    ("rest-deallocate", [f"ignored: {DEALLOCATE} under way"] * 2 + [f"stopped {VM}"]),
    ("rest-power-off", [f"seen {VM}"]),
    ("rest-write-bare", [f"started {VM}"]),
    ("rest-write-failed", [f"ignored: {WRITE} refused: Failed"]),
    ("rest-scale-set-write", [f"started {SET}"]),
    ("rest-scale-set-flexible", [f"described {SET}"]),
    ("rest-evict", [f"stopped {VM}"]),
    ("workspace-export-write", [f"described {VM}", f"started {VM}"]),
    ("event-grid-delete", [f"stopped {VM}"]),
    ("event-grid-cloud-event", [f"stopped {VM}"]),
    ("event-grid-validation", ["ignored: Microsoft.EventGrid.SubscriptionValidationEvent"]),
    ("event-hub-metric", ["ignored: metric"]),
]


def made(name: str, options: Options = OPTIONS) -> list[Event]:
    """The events of a built sample."""
    return events(translate, sample(f"azure/built-{name}.json"), options)


@pytest.mark.parametrize(("name", "expected"), BUILT)
def test_a_built_record_becomes_this(name: str, expected: list[str]) -> None:
    """Each sample, in each form, starts, stops, describes or is ignored with its reason."""
    raw = sample(f"azure/built-{name}.json")

    assert recognises(json.loads(raw))
    assert expected == outcomes(translate, raw, OPTIONS)


REAL_OUTCOMES = [
    ("azure_activity_log/disks-delete", "ignored: microsoft.compute/disks/delete"),
    ("azure_activity_log/disks-write", "ignored: microsoft.compute/disks/write"),
    ("azure_activity_log/event-hub-records-envelope", "ignored: microsoft.support/supporttickets/write"),
    ("azure_activity_log/virtualMachines-delete", "ignored: microsoft.compute/virtualmachines/delete under way"),
    ("azure_activity_log/virtualMachines-write", f"ignored: {WRITE} under way"),
    ("azure_event_grid/resource-delete-success", "ignored: microsoft.storage/storageaccounts/delete"),
    ("azure_event_grid/resource-write-success", "ignored: microsoft.storage/storageaccounts/write"),
]


@pytest.mark.skipif(not REAL.is_dir(), reason="shared/data/events is not beside the checkout")
@pytest.mark.parametrize(("name", "outcome"), REAL_OUTCOMES)
def test_a_real_record_becomes_this(name: str, outcome: str) -> None:
    """Each real sample is recognised; none of them has succeeded on a machine."""
    raw = (REAL / f"{name}.json").read_bytes()

    assert recognises(json.loads(raw))
    assert [outcome] == outcomes(translate, raw, OPTIONS)


@pytest.mark.skipif(not REAL.is_dir(), reason="shared/data/events is not beside the checkout")
@pytest.mark.parametrize(
    ("name", "verb"), [("virtualMachines-write", "started"), ("virtualMachines-delete", "stopped")]
)
def test_a_real_record_that_had_succeeded_counts(name: str, verb: str) -> None:
    """The SDK's form with the status of a later record of the same operation starts and stops one machine."""
    record = json.loads((REAL / "azure_activity_log" / f"{name}.json").read_bytes())
    record["status"]["value"] = "Succeeded"

    resource = "/subscriptions/12345678-9abc-defg-hijk-lmnopqrstuvw/resourcegroups/test-resource-group"
    machine = f"azure{resource}/providers/microsoft.compute/virtualmachines/test-vm"
    assert [f"{verb} {machine}"] == outcomes(translate, json.dumps(record).encode(), OPTIONS)


def test_the_body_of_the_request_names_everything() -> None:
    """Its size, its region by one name, and its reservation are described before anything is held."""
    described, started = made("event-hub-write")

    assert {
        "tenant": SUBSCRIPTION,
        "allocation": VM,
        "region": "eastus",
        "layer": "node",
        "instance_type": "Standard_ND96isr_H100_v5",
        "instances": 1,
        "reservation": f"{COMPUTE.removeprefix('azure/')}/capacityreservationgroups/spring",
    } == described["data"]
    assert {"tenant": SUBSCRIPTION, "allocation": VM, "layer": "node"} == started["data"]
    assert "2026-03-01T10:00:42.5Z" == started["time"]
    assert described["id"] != started["id"]


def test_a_scale_set_is_so_many_machines() -> None:
    """One that succeeded with its body holds its capacity; one of free machines holds nothing by itself."""
    shape = {"instance_type": "Standard_ND96isr_MI300X_v5", "instances": 16, "region": "westeurope"}

    (held,), (free,) = made("rest-scale-set-write"), made("rest-scale-set-flexible")

    assert shape.items() <= held["data"].items()
    assert 0 == free["data"]["instances"]


def test_a_row_of_a_workspace_says_what_the_record_says() -> None:
    """It has other names for the same fields, and the identity that REST gives to a record."""
    described, started = made("workspace-export-write")

    assert ("l-1", SUBSCRIPTION) == (described["id"], described["data"]["tenant"])
    assert ("Standard_ND96isr_H100_v5", "eastus") == (described["data"]["instance_type"], described["data"]["region"])
    assert ("l-2", "2026-03-01T10:00:42.5Z") == (started["id"], started["time"])


def test_one_tenant_has_subscriptions_as_accounts() -> None:
    """Where the operator names the tenant, the subscription is an account of it, and the outer allocation is theirs."""
    (event,) = made("rest-power-off", Options("/azure", "acme", "host/{node}"))

    assert ("acme", SUBSCRIPTION, "host/node-1") == tuple(
        event["data"][name] for name in ("tenant", "account", "within")
    )


def test_what_tells_records_apart_is_theirs() -> None:
    """REST has eventDataId, Event Grid an id, Event Hubs neither: there it is all that may differ."""
    hub = made("event-hub-write")[1]

    assert ["d-2"] == [one["id"] for one in made("rest-deallocate")]
    assert ["g-1"] == [one["id"] for one in made("event-grid-delete")]
    assert f"c-1/{WRITE}/success/2026-03-01T10:00:42.5Z/{VM.removeprefix('azure/')}" == hub["id"]


def record(**changed: Any) -> dict[str, Any]:
    """A write that succeeded, in the form of REST, with other fields."""
    return {
        "eventDataId": "e-1",
        "operationName": {"value": "Microsoft.Compute/virtualMachines/write"},
        "status": {"value": "Succeeded"},
        "eventTimestamp": "2026-03-01T10:00:00Z",
        "resourceId": f"/{VM.removeprefix('azure/')}",
        **changed,
    }


OTHERS: list[tuple[Any, list[str]]] = [
    (record(), [f"started {VM}"]),
    (record(properties='{"requestbody": "{"}'), [f"started {VM}"]),
    (record(properties="{"), [f"started {VM}"]),
    (record(status=None), [f"ignored: {WRITE} under way"]),
    (record(status={"value": "Canceled"}), [f"ignored: {WRITE} refused: Canceled"]),
    (record(eventTimestamp="2026-02-30T00:00:00Z"), ["refused: time"]),
    (record(eventTimestamp=None), ["refused: time"]),
    (record(resourceId="/"), ["refused: field"]),
    (record(resourceId="/subscriptions/" + "x" * 1_025), ["refused: field"]),
    (record(resourceId=7), ["refused: field"]),
    (record(operationName=None), ["refused: envelope"]),
    ([record(), 7], [f"started {VM}", "refused: envelope"]),
    ({"records": []}, []),
    ({"specversion": "1.0", "id": "g-5", "type": "Microsoft.Storage.BlobCreated", "data": {"api": "PutBlob"}},
     ["ignored: Microsoft.Storage.BlobCreated"]),
    ({"dataVersion": "2", "eventType": "Microsoft.Resources.ResourceWriteSuccess", "data": {}}, ["refused: envelope"]),
    ({"specversion": "1.0", "id": "g-2", "type": "Microsoft.Resources.ResourceActionSuccess",
      "time": "2026-03-01T10:00:00Z", "data": {**record(), "eventTimestamp": None}}, [f"started {VM}"]),
]  # fmt: skip


@pytest.mark.parametrize(("document", "expected"), OTHERS)
def test_other_records_have_their_reasons(document: Any, expected: list[str]) -> None:
    """A body that cannot be read says nothing; a record that cannot be read is refused."""
    assert expected == outcomes(translate, json.dumps(document).encode(), OPTIONS)


SIZE = {"properties": {"hardwareProfile": {"vmSize": "Standard_ND6s"}}}
LARGER = {"properties": {"hardwareProfile": {"vmSize": "Standard_ND24s"}}}
BODIES: list[Any] = [
    {"requestbody": SIZE},
    {"requestBody": json.dumps(SIZE)},
    json.dumps({"requestbody": json.dumps(SIZE)}),
    {"requestbody": json.dumps(LARGER), "responseBody": json.dumps(SIZE)},
    {"requestbody": json.dumps(SIZE), "responseBody": "not found"},
]


@pytest.mark.parametrize("properties", BODIES)
def test_a_body_is_found_however_it_is_written(properties: Any) -> None:
    """As an object or a text, in any case, in properties that are a text; what was answered counts first."""
    (event,) = events(translate, json.dumps(record(properties=properties)).encode(), OPTIONS)

    assert ("Standard_ND6s", 1) == (event["data"]["instance_type"], event["data"]["instances"])


def test_a_subscription_is_one_tenant_however_it_is_written() -> None:
    """Names of subscriptions and resources are folded."""
    loud = record(subscriptionId=SUBSCRIPTION.upper(), resourceId=f"/{VM.removeprefix('azure/')}".upper())

    (event,) = events(translate, json.dumps(loud).encode(), OPTIONS)

    assert (SUBSCRIPTION, VM) == (event["data"]["tenant"], event["data"]["allocation"])


def test_other_logs_of_the_same_hub_are_taken_and_ignored() -> None:
    """Sign-ins, and operations of a storage, are named otherwise than activities, and may come first."""
    signed_in = {"operationName": "Sign-in activity", "resourceId": "/tenants/t-1/providers/Microsoft.aadiam"}
    hub = {"records": [signed_in, record()]}

    assert recognises(hub)
    assert ["ignored: sign-in activity", f"started {VM}"] == outcomes(translate, json.dumps(hub).encode(), OPTIONS)


def test_an_operation_counts_once_from_its_success_on() -> None:
    """Started, accepted and succeeded, in any order and twice, are one machine, from success to success."""
    told = made("event-hub-write") + made("rest-deallocate")

    held_ms = 2 * HOUR_MS + 2_000 - 42_500
    assert {(SUBSCRIPTION, "Standard_ND96isr_H100_v5"): 1_000 * held_ms} == used(book_of(told))
    assert 1 == len(set(books_in_any_order(told).values()))


LATER: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"status": {"value": "Accepted"}, "properties": {"requestbody": SIZE}}, "Standard_ND6s"),
    ({"properties": {"responseBody": SIZE}}, "Standard_ND6s"),
]


@pytest.mark.parametrize(("later", "hardware"), LATER)
def test_a_success_without_a_body_is_a_machine_that_nobody_has_named_yet(later: dict[str, Any], hardware: str) -> None:
    """It is held from then on; whoever names it later, and were it a request under way, names it from its start on."""
    second = record(**{"eventDataId": "e-2", "eventTimestamp": "2026-03-01T11:00:00Z", **later})
    told = [
        *made("rest-write-bare"),
        *events(translate, json.dumps(second).encode(), OPTIONS),
        *made("rest-deallocate"),
    ]

    stopped = 2 * HOUR_MS + 2_000
    assert {(SUBSCRIPTION, hardware): 1_000 * stopped} == used(book_of(told))
    assert 1 == len(set(books_in_any_order(told).values()))


def activity(time: int, result: str, verb: str, tenant: str, name: str, body: dict[str, Any] | None) -> dict[str, Any]:
    """A record of the simulated day, as Event Hubs sends it."""
    return {
        "time": said(time),
        "resourceId": f"/SUBSCRIPTIONS/{tenant}/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.COMPUTE/VIRTUALMACHINES/{name}",
        "operationName": f"MICROSOFT.COMPUTE/VIRTUALMACHINES/{verb}",
        "resultType": result,
        "correlationId": f"{name}/{time}",
        "properties": {} if body is None else {"requestbody": json.dumps(body)},
    }


@DAYS
def test_a_simulated_day_gives_the_books_of_its_truth(scale: int) -> None:
    """A machine for each unit that is held, two or three records each: the books hold what was held, in any order."""
    records = []
    for step in day(scale):
        came, went = machines(step.before, step.after)
        body = {"properties": {"hardwareProfile": {"vmSize": step.hardware}}}
        for number in (*came, *went):
            verb, asked = ("WRITE", body) if number in came else ("DELETE", None)
            name = f"{step.name}-{number}"
            records.append(activity(step.time - 9_000, "Start", verb, step.tenant, name, asked))
            records.append(activity(step.time - 5_000, "Accept", verb, step.tenant, name, None))
            records.append(activity(step.time, "Success", verb, step.tenant, name, None))

    told = events(translate, json.dumps({"records": records}).encode(), OPTIONS)

    assert truth(scale) == used(book_of(told))
    assert 1 == len(set(books_in_any_order(told).values()))
