"""Audit logs of Google Cloud: what each entry becomes, and that an operation counts once."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from monitor.core.model import HOUR_MS
from monitor.intake.dialect import Event, Options
from monitor.intake.gcp import OF_MANY, recognises, translate
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
    verb,
)

SLICE = "tpu/us-east5-a/slice-1"

OPTIONS = Options("/gcp")
VM, SPOT, WEB = (f"gce/us-central1-a/{number}" for number in (4711, 4712, 4713))

BUILT = [
    ("insert-first", f"described {VM}"),
    ("insert-last", f"started {VM}"),
    ("insert-first-a3", f"described {SPOT}"),
    ("insert-first-n1", f"described {WEB}"),
    ("insert-exhausted", "ignored: compute.instances.insert refused: RESOURCE_EXHAUSTED"),
    ("preempted", f"stopped {VM}"),
    ("run-limit-reached", f"stopped {VM}"),
    ("tpu-create-first", f"described {SLICE}"),
    ("tpu-create-last", f"started {SLICE}"),
    ("tpu-create-exhausted", "ignored: Tpu.CreateNode refused: RESOURCE_EXHAUSTED"),
    ("tpu-delete-first", "ignored: Tpu.DeleteNode under way"),
    ("tpu-delete-last", f"stopped {SLICE}"),
    ("tpu-queued", "ignored: google.cloud.tpu.v2.Tpu.CreateQueuedResource"),
    ("set-machine-resources-first", f"described {VM}"),
    ("set-machine-resources-none", f"described {VM}"),
    ("set-machine-type-first-n1", "ignored: compute.instances.setMachineType without shape"),
    ("pubsub-delete-last", f"stopped {VM}"),
    ("bulk-insert-first", f"ignored: {OF_MANY}"),
    ("bulk-insert-last", f"ignored: {OF_MANY}"),
    ("bulk-insert-one", f"started {VM}"),
    ("region-bulk-insert-last", f"ignored: {OF_MANY}"),
    ("region-bulk-insert-one", "started gce/us-central1-a/4714"),
]


def made(name: str, options: Options = OPTIONS) -> list[Event]:
    """The events of a built sample."""
    return events(translate, sample(f"gcp/built-{name}.json"), options)


@pytest.mark.parametrize(("name", "outcome"), BUILT)
def test_a_built_entry_becomes_this(name: str, outcome: str) -> None:
    """Each sample starts, stops, describes or is ignored with its reason."""
    assert [outcome] == outcomes(translate, sample(f"gcp/built-{name}.json"), OPTIONS)


REAL_OUTCOMES = [
    ("autoscaler-insert", "ignored: v1.compute.autoscalers.insert"),
    ("instances-delete-1-first", "ignored: compute.instances.delete under way"),
    ("instances-delete-1-last", "stopped gce/us-central1-a/8768673039379562539"),
    ("instances-delete-refused", "ignored: compute.instances.delete refused: NOT_FOUND"),
    ("instances-insert-1-first", "described gce/us-central1-a/963895663494893499"),
    ("instances-insert-1-last", "started gce/us-central1-a/963895663494893499"),
    ("instances-insert-2-first", "described gce/us-central1-a/8768673039379562539"),
    ("instances-insert-2-last", "started gce/us-central1-a/8768673039379562539"),
    ("instances-stop-last", "stopped gce/us-central1-a/2783469729662273620"),
    ("k8s_create_pool", "ignored: io.k8s.core.v1.pods.create"),
    ("migrate-on-host-maintenance", "seen gce/us-central1-a/7323852066847733001"),
    ("ml-job-create", "ignored: google.cloud.ml.v1.JobService.CreateJob"),
]


@pytest.mark.skipif(not REAL.is_dir(), reason="shared/data/events is not beside the checkout")
@pytest.mark.parametrize(("name", "outcome"), REAL_OUTCOMES)
def test_a_real_entry_becomes_this(name: str, outcome: str) -> None:
    """Each real sample is recognised and becomes what its collection says it is."""
    raw = (REAL / "gcp_audit" / f"{name}.json").read_bytes()

    assert recognises(json.loads(raw))
    assert [outcome] == outcomes(translate, raw, OPTIONS)


def test_the_first_half_names_everything() -> None:
    """An insert's first entry describes the accelerators, where they are, and the reservation that is asked for."""
    expected = {
        "specversion": "1.0",
        "id": "projects/atlas/logs/cloudaudit.googleapis.com%2Factivity/2026-03-01T10:00:00.123456789Z/a1",
        "source": "/gcp/us-central1",
        "type": "io.flopwatch.allocation.described.v1",
        "time": "2026-03-01T10:00:00.123456789Z",
        "data": {
            "tenant": "atlas",
            "allocation": VM,
            "region": "us-central1",
            "zone": "us-central1-a",
            "layer": "node",
            "accelerator": "nvidia-tesla-v100",
            "count": 8,
            "reservation": "spring",
        },
    }

    assert [expected] == made("insert-first")


SHAPES = [
    ("tpu-create-first", {"instance_type": "v5p-128", "instances": 1, "region": "us-east5", "zone": "us-east5-a"}),
    ("insert-first-a3", {"instance_type": "a3-highgpu-8g", "instances": 1}),
    ("insert-first-n1", {"instance_type": "n1-standard-8", "count": 0}),
    ("set-machine-resources-first", {"accelerator": "nvidia-tesla-t4", "count": 4}),
    ("set-machine-resources-none", {"count": 0}),
]


@pytest.mark.parametrize(("name", "shape"), SHAPES)
def test_a_shape_is_named(name: str, shape: dict[str, Any]) -> None:
    """Attached accelerators are named and counted; else the machine type is, which may have them built in."""
    (event,) = made(name)

    assert shape.items() <= event["data"].items()


N1 = json.loads(sample("gcp/built-insert-first-n1.json"))["protoPayload"]["request"]
OF_N1: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (N1, {"count": 0}),
    ({**N1, "machineType": "custom-4-8192"}, {"count": 0}),
    ({**N1, "guestAccelerators": []}, {"count": 0}),
    ({**N1, "machineType": "n10-standard-8"}, {"instances": 1}),
    ({**N1, "machineType": "n2-custom-4-8192"}, {"instances": 1}),
    ({**N1, "disks": []}, {"instances": 1}),
    ({**N1, "sourceMachineImage": "global/machineImages/trainer"}, {"instances": 1}),
    ({**N1, "sourceInstanceTemplate": "global/instanceTemplates/trainer"}, {"instances": 1}),
]


@pytest.mark.parametrize(("request_", "shape"), OF_N1)
def test_a_machine_that_may_have_gpus_attached_has_none_if_all_of_it_is_said(
    request_: dict[str, Any], shape: dict[str, Any]
) -> None:
    """Only a request that is the whole machine says so; a template or an image may attach what it leaves out."""
    inserted = json.loads(sample("gcp/built-insert-first-n1.json"))
    inserted["protoPayload"]["request"] = request_

    (event,) = events(translate, json.dumps(inserted).encode(), OPTIONS)

    assert shape == {name: event["data"][name] for name in ("count", "instances") if name in event["data"]}
    assert request_["machineType"].endswith(event["data"]["instance_type"])


def test_one_tenant_has_projects_as_accounts() -> None:
    """Where the operator names the tenant, the project is an account of it, and the outer allocation is theirs."""
    (event,) = made("insert-last", Options("/gcp", "acme", "host/{node}"))

    assert ("acme", "atlas", "host/trainer-1") == tuple(event["data"][name] for name in ("tenant", "account", "within"))


def entry(**changed: Any) -> dict[str, Any]:
    """The last entry of an insert with other fields."""
    return {**json.loads(sample("gcp/built-insert-last.json")), **changed}


LABELS = entry()["resource"]["labels"]
REFUSED: list[tuple[bytes, str]] = [
    (b"{", "refused: json"),
    (b'"\xff"', "refused: encoding"),
    (b'"\\ud800"', "refused: json"),
    (b"[" * 300, "refused: json"),
    (b"{}", "refused: envelope"),
    (b'{"message": {"data": "%"}}', "refused: envelope"),
    (json.dumps(entry(timestamp="2026-03-01 noon")).encode(), "refused: time"),
    (json.dumps(entry(timestamp="2101-01-01T00:00:00Z")).encode(), "refused: time"),
    (json.dumps(entry(insertId="")).encode(), "refused: field"),
    (json.dumps(entry(resource={"labels": {**LABELS, "instance_id": ""}})).encode(), "refused: field"),
    (json.dumps(entry(resource={"labels": {**LABELS, "project_id": "x" * 1_025}})).encode(), "refused: field"),
    (json.dumps(entry(protoPayload={})).encode(), "ignored: log entry that audits nothing"),
    (json.dumps(entry(protoPayload={"methodName": "google.cloud.tpu.v2.Tpu.DeleteNode"})).encode(), "refused: field"),
]


@pytest.mark.parametrize(("raw", "outcome"), REFUSED)
def test_what_cannot_be_read_is_refused_with_its_reason(raw: bytes, outcome: str) -> None:
    """A record that says nothing certain is no event."""
    assert [outcome] == outcomes(translate, raw, OPTIONS)


def test_an_operation_counts_once_from_its_last_entry_on() -> None:
    """First and last, in any order and twice, are one allocation of eight accelerators from the last one on."""
    later = json.loads(sample("gcp/built-pubsub-delete-last.json"))
    halves = [entry(), json.loads(sample("gcp/built-insert-first.json")), later]

    told = events(translate, json.dumps([*halves, *halves]).encode(), OPTIONS)

    held_ms = 4 * HOUR_MS - 21_500
    assert {("atlas", "nvidia-tesla-v100"): 8_000 * held_ms} == used(book_of(told))
    assert 1 == len(set(books_in_any_order(told).values()))


def test_a_machine_of_n1_without_gpus_holds_nothing() -> None:
    """It is there from its last entry on, as a machine of no accelerators under the name of its type."""
    last = entry(resource={"labels": {**LABELS, "instance_id": "4713"}})
    first = json.loads(sample("gcp/built-insert-first-n1.json"))

    book = book_of(events(translate, json.dumps([first, last]).encode(), OPTIONS))

    ((name, timeline),) = book.tenants["atlas"].held()
    assert (WEB, "n1-standard-8", 0) == (name, timeline.shape.hardware, timeline.units)


def test_a_change_of_the_type_keeps_the_gpus_attached() -> None:
    """A machine of n1 that was stopped, made larger and started has its GPUs again, and no type that nobody knows."""
    entries = [json.loads(sample(f"gcp/built-{name}.json")) for name in ("insert-first", "insert-last")]
    for hour, verb_ in ((11, "stop"), (12, "setMachineType"), (13, "start")):
        changed = (
            json.loads(sample("gcp/built-set-machine-type-first-n1.json")) if verb_ == "setMachineType" else entry()
        )
        changed["protoPayload"]["methodName"] = f"v1.compute.instances.{verb_}"
        entries.append({**changed, "timestamp": f"2026-03-01T{hour}:00:00Z", "insertId": verb_})
    entries.append(json.loads(sample("gcp/built-pubsub-delete-last.json")))

    told = events(translate, json.dumps(entries).encode(), OPTIONS)

    assert [("atlas", "nvidia-tesla-v100")] == list(used(book_of(told)))


ALONE: list[tuple[dict[str, Any], str, str]] = [
    ({"operation": None}, "started", "nvidia-tesla-v100"),
    ({"operation": {}}, "started", "nvidia-tesla-v100"),
    ({"operation": {"id": "o-1", "first": True, "last": True}}, "started", "nvidia-tesla-v100"),
    ({"operation": {"id": "o-1"}}, "described", "nvidia-tesla-v100"),
]


@pytest.mark.parametrize(("changed", "told", "card"), ALONE)
def test_one_entry_may_be_a_whole_operation(changed: dict[str, Any], told: str, card: str) -> None:
    """First and last at once, or without an operation, it starts what it names."""
    whole = {**json.loads(sample("gcp/built-insert-first.json")), **changed}

    (event,) = events(translate, json.dumps(whole).encode(), OPTIONS)

    assert (told, card) == (verb(event), event["data"]["accelerator"])


def test_labels_that_lack_are_found_elsewhere() -> None:
    """The zone stands in the resource's name, too, and the instance in the answer."""
    bare = entry(resource={"type": "gce_instance", "labels": {"project_id": "atlas"}})
    bare["protoPayload"]["response"] = {"targetId": "4711"}

    assert [f"started {VM}"] == outcomes(translate, json.dumps(bare).encode(), OPTIONS)


def test_a_stop_says_no_more_than_that() -> None:
    """What was held is known from elsewhere."""
    (event,) = made("preempted")

    assert {"tenant": "atlas", "allocation": VM} == event["data"]


def test_of_two_racing_deletes_one_is_refused() -> None:
    """The last entry of an operation that failed stops nothing."""
    failed = entry()
    failed["protoPayload"] |= {"methodName": "v1.compute.instances.delete", "status": {"code": 3}}

    assert ["ignored: compute.instances.delete refused: INVALID_ARGUMENT"] == outcomes(
        translate, json.dumps(failed).encode(), OPTIONS
    )


VERSIONS = ["v1.", "beta.", "alpha.", ""]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_version_of_a_method_does_not_matter(version: str) -> None:
    """The tail of the name says what it does."""
    changed = entry()
    changed["protoPayload"]["methodName"] = version + "compute.instances.insert"

    assert [f"started {VM}"] == outcomes(translate, json.dumps(changed).encode(), OPTIONS)


def audited(time: int, method: str, half: str, step_name: str, request: dict[str, Any]) -> bytes:
    """An entry of the simulated day, inside a message of Pub/Sub."""
    tenant, _, name = step_name.partition("|")
    content = {
        "logName": f"projects/{tenant}/logs/cloudaudit.googleapis.com%2Factivity",
        "resource": {"type": "gce_instance", "labels": {"project_id": tenant, "zone": "z-a", "instance_id": name}},
        "insertId": f"{name}/{method}/{half}",
        "timestamp": said(time),
        "operation": {"id": f"{name}/{method}", half: True},
        "protoPayload": {"methodName": f"v1.compute.instances.{method}", "request": request},
    }
    data = b64encode(json.dumps(content).encode()).decode()
    return json.dumps({"message": {"data": data, "messageId": "1"}}).encode()


@DAYS
def test_a_simulated_day_gives_the_books_of_its_truth(scale: int) -> None:
    """A machine for each unit that is held, first and last entries: the books hold what was held, in any order."""
    records = []
    for step in day(scale):
        came, went = machines(step.before, step.after)
        card = {"acceleratorType": f"zones/z-a/acceleratorTypes/{step.hardware}", "acceleratorCount": 1}
        for number in (*came, *went):
            method = "insert" if number in came else "delete"
            request = {"machineType": "n1-standard-8", "guestAccelerators": [card]} if number in came else {}
            name = f"{step.tenant}|{step.name}-{number}"
            records.append(audited(step.time - 9_000, method, "first", name, request))
            records.append(audited(step.time, method, "last", name, {}))

    told = [event for raw in records for event in events(translate, raw, OPTIONS)]

    assert truth(scale) == used(book_of(told))
    assert 1 == len(set(books_in_any_order(told).values()))


def test_a_list_of_a_hundred_thousand_accelerators_is_read() -> None:
    """Work is linear in the bytes."""
    request = {"guestAccelerators": [{"acceleratorType": "nvidia-l4", "acceleratorCount": 1}] * 100_000}
    many = json.loads(sample("gcp/built-insert-first.json"))
    many["protoPayload"]["request"] = request

    (event,) = events(translate, json.dumps(many).encode(), OPTIONS)

    assert ("nvidia-l4", 100_000) == (event["data"]["accelerator"], event["data"]["count"])


SLICES: list[tuple[Any, dict[str, Any]]] = [
    ({"acceleratorConfig": {"type": "V4", "topology": "2x2x4"}}, {"accelerator": "TPU V4", "count": 16}),
    ({"acceleratorConfig": {"type": "V5LITE_POD", "topology": "4x4"}}, {"accelerator": "TPU V5LITE_POD", "count": 16}),
    ({"acceleratorConfig": {"type": "V4", "topology": "2x2x2x2"}}, {}),
    ({"acceleratorConfig": {"type": "V4", "topology": "2x"}}, {}),
    ({"acceleratorConfig": {"type": "V4", "topology": "9999999x9999999"}}, {}),
    ({"acceleratorConfig": {"topology": "2x2x4"}}, {}),
    ("v4-8", {}),
]


@pytest.mark.parametrize(("node", "shape"), SLICES)
def test_a_slice_is_known_by_its_chips_as_well(node: Any, shape: dict[str, Any]) -> None:
    """A request may give generation and topology in place of a type; from what says neither nothing is made up."""
    whole = json.loads(sample("gcp/built-tpu-create-last.json"))
    whole["protoPayload"]["request"] = {"node": node}

    (event,) = events(translate, json.dumps(whole).encode(), OPTIONS)

    names = ("instance_type", "instances", "accelerator", "count")
    assert shape == {name: event["data"][name] for name in names if name in event["data"]}


def test_a_slice_of_tpus_is_held_from_its_creation_to_its_end() -> None:
    """Its halves are joined by its name, in any order and twice: four hours of one v5p-128."""
    told = [one for name in ("delete-last", "create-last", "create-first") for one in made(f"tpu-{name}")]

    assert {("atlas", "v5p-128"): 1_000 * 4 * HOUR_MS} == used(book_of([*told, *told]))
    assert 1 == len(set(books_in_any_order(told).values()))


def test_an_answer_of_the_logging_interface_is_read() -> None:
    """It puts the entries into a list."""
    answer = {"entries": [entry(), json.loads(sample("gcp/built-preempted.json"))], "nextPageToken": "p"}

    assert recognises(answer)
    assert not recognises({"entries": []})
    assert [f"started {VM}", f"stopped {VM}"] == outcomes(translate, json.dumps(answer).encode(), OPTIONS)
