"""Objects of Kubernetes: what each becomes, what a pod is counted as, and that every way of telling counts once."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from monitor.intake.dialect import STARTED, STOPPED, Event, Options, event
from monitor.intake.kubernetes import recognises, translate
from monitor.intake.refusal import Ignored, Refusal
from tests.intake.foreign import (
    DAYS,
    REAL,
    Step,
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

OPTIONS = Options("/k8s")
OWNED = Options("/k8s", "acme")
H100 = "NVIDIA-H100-80GB-HBM3"
A100 = "NVIDIA-A100-SXM4-40GB"


def pod(number: int, namespace: str = "team-a") -> str:
    """The allocation of a built pod."""
    return f"pod/{namespace}/7d1f0000-0000-4000-8000-00000000000{number}"


BUILT = [
    ("watch-added", [f"started {pod(1)}"]),
    ("watch-succeeded", [f"started {pod(1)}, stopped {pod(1)}"]),
    ("watch-deleted", [f"started {pod(1)}, stopped {pod(1)}"]),
    ("watch-evicted", [f"started {pod(3)}, stopped {pod(3)}"]),
    ("watch-pending", ["ignored: a pod that is not scheduled"]),
    ("watch-bookmark", ["ignored: BOOKMARK"]),
    ("audit-status", [f"started {pod(1)}"]),
    ("audit-create", ["ignored: a pod that is not scheduled"]),
    ("audit-create-refused", ["ignored: create pods refused: 403"]),
    ("audit-binding", ["ignored: create pods/binding"]),
    ("audit-delete-asked", ["ignored: delete pods asked for: it holds what it has until it is gone"]),
    ("audit-delete", [f"started {pod(1)}, stopped {pod(1)}"]),
    ("audit-events", [
        f"started {pod(1)}", "ignored: get leases",
        "ignored: patch pods/status without the object: record answers (level RequestResponse)",
        "ignored: patch pods/status: stage RequestReceived",
    ]),
    ("pods", [
        f"started {pod(1)}", f"started {pod(4)}", f"started {pod(5)}", f"started {pod(6)}",
        "ignored: a pod that keeps an accelerator for others", "ignored: a pod without accelerators",
    ]),
    ("node", ["ignored: a node of all tenants: name the tenant whose cluster it is"]),
    ("claim", ["started claim/team-a/7d1f0000-0000-4000-8000-000000000000"]),
    ("pytorchjob", ["ignored: PyTorchJob: its pods hold what it asks for"]),
]  # fmt: skip


def made(name: str, options: Options = OPTIONS) -> list[Event]:
    """The events of a built sample."""
    return events(translate, sample(f"kubernetes/built-{name}.json"), options)


@pytest.mark.parametrize(("name", "expected"), BUILT)
def test_a_built_object_becomes_this(name: str, expected: list[str]) -> None:
    """Each sample starts, stops, or is ignored with its reason."""
    raw = sample(f"kubernetes/built-{name}.json")

    assert recognises(json.loads(raw))
    assert expected == outcomes(translate, raw, OPTIONS)


NO_PODS = "without accelerators"
REAL_OUTCOMES = [
    ("kubernetes_audit/create_deployment.json", ["ignored: create deployments"]),
    ("kubernetes_audit/create_nginx_pod_nohostnetwork.json", [f"ignored: a pod {NO_PODS}"]),
    ("kubernetes_audit/create_nginx_pod_unprivileged.json", [f"ignored: a pod {NO_PODS}"]),
    ("kubernetes_audit/create_pod_kube_system_namespace.json", [f"ignored: a pod {NO_PODS}"]),
    ("kubernetes_audit/delete_deployment.json", ["ignored: delete deployments"]),
    ("kubernetes_jobs/kueue-queued-pytorchjob-team-a.yaml", [
        "ignored: Service", "ignored: Deployment: its pods hold what it asks for",
        "ignored: PyTorchJob: its pods hold what it asks for",
    ]),
    ("kubernetes_jobs/mpijob-tensorflow-benchmarks.yaml", ["ignored: MPIJob: its pods hold what it asks for"]),
    ("kubernetes_jobs/pytorchjob-kai.yaml", ["ignored: PyTorchJob: its pods hold what it asks for"]),
    ("kubernetes_jobs/pytorchjob-llama3-70b-fsdp.yaml", ["ignored: PyTorchJob: its pods hold what it asks for"]),
    ("kubernetes_jobs/rayservice-llm-serve.yaml", [
        "ignored: RayService: its pods hold what it asks for", "ignored: Secret",
    ]),
    ("kubernetes_jobs/volcano-job-mindspore-gpu.yaml", ["ignored: Job: its pods hold what it asks for"]),
    ("kubernetes_pods/node-a100-mig.yaml", ["ignored: a node of all tenants: name the tenant whose cluster it is"]),
    ("kubernetes_pods/pod-fractional-gpu.yaml", ["started pod/runai-pa/a801b3c7-b9be-4830-821c-2456cad2234f"]),
    ("kubernetes_pods/pod-mig-7g-a100.yaml", ["started pod/runai-p1/83a0c3bc-63ed-4b94-85bc-e5bd124c72f2"]),
]  # fmt: skip


def documents(name: str) -> list[Any]:
    """The objects of a real sample, which are in YAML, of which JSON is a part."""
    file = REAL / name
    if not file.exists():
        pytest.skip("shared/data/events is not beside the checkout")
    return [document for document in yaml.safe_load_all(file.read_bytes()) if document is not None]


@pytest.mark.parametrize(("name", "expected"), REAL_OUTCOMES)
def test_a_real_object_becomes_this(name: str, expected: list[str]) -> None:
    """Manifests hold nothing; of the real pods the annotations say what they hold."""
    found = documents(name)

    assert all(map(recognises, found))
    assert expected == [
        one for document in found for one in outcomes(translate, json.dumps(document).encode(), OPTIONS)
    ]


REAL_COUNTS = [
    ("kubernetes_pods/pod-fractional-gpu.yaml", {"count": 0.5, "job": "frac-1", "purpose": "training"}),
    ("kubernetes_pods/pod-mig-7g-a100.yaml", {"count": 1, "job": "job-969475a25a51", "layer": "pod"}),
    ("kubernetes_pods/node-a100-mig.yaml", {"count": 1, "accelerator": A100, "layer": "node"}),
]


@pytest.mark.parametrize(("name", "stated"), REAL_COUNTS)
def test_real_pods_and_nodes_state_this(name: str, stated: dict[str, Any]) -> None:
    """Half an accelerator by annotation, a whole one as its largest slice, and a node by its labels."""
    (document,) = documents(name)

    data = events(translate, json.dumps(document).encode(), OWNED)[0]["data"]

    assert stated == {key: data.get(key) for key in stated}


def test_a_pod_says_all_that_is_asked_of_a_start() -> None:
    """Accelerators and their model, the job and what it is for, the image, the node, from when it was scheduled."""
    (started,) = made("watch-added")

    assert {
        "specversion": "1.0",
        "id": "7d1f0000-0000-4000-8000-000000000001/101",
        "source": "/k8s",
        "type": STARTED,
        "time": "2026-03-01T12:00:00Z",
        "data": {
            "tenant": "team-a",
            "allocation": pod(1),
            "accelerator": H100,
            "count": 8,
            "layer": "pod",
            "nodes": ["gpu-7"],
            "image_digest": "sha256:" + "ab" * 32,
            "job": "llm",
            "purpose": "training",
        },
    } == started


ENDS = [
    ("watch-succeeded", "2026-03-01T18:00:00Z", "Succeeded"),  # its last container
    ("watch-deleted", "2026-03-01T13:30:00Z", "Deleted"),
    ("watch-evicted", "2026-03-01T12:45:00Z", "Preempted"),  # no container has run, so the last condition
    ("audit-delete", "2026-03-01T13:30:05Z", "Deleted"),
]


@pytest.mark.parametrize(("name", "time", "reason"), ENDS)
def test_a_pod_ends_with_its_containers(name: str, time: str, reason: str) -> None:
    """Else when it is deleted, or when its state changed last."""
    started, stopped = made(name)

    assert ("started", "2026-03-01T12:00:00Z") == (verb(started), started["time"])
    assert ("stopped", time, reason) == (verb(stopped), stopped["time"], stopped["data"]["reason"])


def test_a_container_that_prepares_does_not_end_the_pod() -> None:
    """What was evicted before its containers ran held its accelerators until then."""
    watched = json.loads(sample("kubernetes/built-watch-evicted.json"))
    fetched = {"state": {"terminated": {"finishedAt": "2026-03-01T12:01:00Z"}}}
    watched["object"]["status"]["initContainerStatuses"] = [fetched]

    assert "2026-03-01T12:45:00Z" == events(translate, json.dumps(watched).encode(), OPTIONS)[1]["time"]


def test_slices_and_shares_are_parts_of_accelerators() -> None:
    """Two of 3g.20gb are six sevenths; what a product cut into slices lends as wholes are slices, too."""
    assert [(8, H100), (0.857, None), (0.286, A100), (0.25, None)] == [
        (one["data"]["count"], one["data"].get("accelerator")) for one in made("pods")
    ]


def with_limits(*containers: dict[str, Any], **spec: Any) -> bytes:
    """The running built pod with other limits."""
    watched = json.loads(sample("kubernetes/built-watch-added.json"))
    watched["object"]["spec"] |= {"containers": [{"resources": {"limits": one}} for one in containers], **spec}
    return json.dumps(watched).encode()


GPU = "nvidia.com/gpu"
INIT = {"resources": {"limits": {GPU: "4"}}}
SIDECAR = {"resources": {"limits": {GPU: "2"}}, "restartPolicy": "Always"}
LIMITS: list[tuple[bytes, object]] = [
    (with_limits({GPU: "1"}, {GPU: 2}), 3),
    (with_limits({GPU: "1"}, initContainers=[INIT]), 4),
    (with_limits({GPU: "1"}, initContainers=[INIT, INIT]), 4),
    (with_limits({GPU: "1"}, initContainers=[{**INIT, "restartPolicy": "Always"}]), 5),
    (with_limits({GPU: "1"}, initContainers=[SIDECAR, INIT]), 6),
    (with_limits({GPU: "1"}, initContainers=[INIT, SIDECAR]), 4),
    (with_limits({"amd.com/gpu": "8"}), 8),
    (with_limits({"nvidia.com/gpu.shared": "1"}), 1),
    (with_limits({"huawei.com/Ascend910": "8"}), 8),
    (with_limits({"aws.amazon.com/neuroncore": "32"}), 16),
    (with_limits({"deviceclass.resource.kubernetes.io/gpu.nvidia.com": "2"}), 2),
    (with_limits({GPU: "1", "nvidia.com/gpumem": "20000", "nvidia.com/gpucores": "30"}), 1),
    (with_limits({"google.com/tpu": "4"}), 4),
    (with_limits({"nvidia.com/mig-1g.6gb": "1"}), 0.25),
    (with_limits({"nvidia.com/mig-1g.5gb.me": "7"}), 1),
    (with_limits({"nvidia.com/mig-2c.3g.20gb": "1"}), 0.286),
    (with_limits({GPU: "1e3"}), "field"),
    (with_limits({GPU: "-1"}), "field"),
    (with_limits({"nvidia.com/mig-big": "1"}), "field"),
    (with_limits(*[{GPU: "9999999"}] * 2), "field"),
]


@pytest.mark.parametrize(("raw", "expected"), LIMITS)
def test_containers_are_added_up_as_they_run(raw: bytes, expected: object) -> None:
    """Together, or before the others one after another; what is no number of accelerators is refused."""
    (translated,) = translate(raw, OPTIONS)

    outcome = translated.outcome
    assert expected == (outcome.reason if isinstance(outcome, Refusal) else outcome[0]["data"]["count"])


NEITHER = "a pod with accelerators of unknown kind or share"
VAGUE = [
    ({"aliyun.com/gpu-mem": "10"}, NEITHER),
    ({"volcano.sh/vgpu-number": 1}, NEITHER),
    ({"nvidia.com/GH100_H100_SXM5_80GB": "8"}, NEITHER),
    ({"amd.com/cpx_nps4": "1"}, NEITHER),
    ({"example.com/gpu": "0"}, f"a pod {NO_PODS}"),
    ({"vpc.amazonaws.com/efa": "4", "hugepages-2Mi": "1Gi"}, f"a pod {NO_PODS}"),
]


@pytest.mark.parametrize(("limits", "reason"), VAGUE)
def test_accelerators_that_cannot_be_counted_are_no_reason_to_say_there_are_none(
    limits: dict[str, Any], reason: str
) -> None:
    """Memory, slots and names of a cluster's own tell of accelerators; network cards and memory pages do not."""
    assert [f"ignored: {reason}"] == outcomes(translate, with_limits(limits), OPTIONS)


SHARES: list[tuple[dict[str, str], str | float]] = [
    ({"gpu-fraction": "0.5"}, 0.5),
    ({"gpu-fraction": "0.5", "gpu-fraction-num-devices": "3"}, 1.5),
    ({"gpu-fraction": "0.5", "gpu-fraction-num-devices": "3", "runai-allocated-gpus": "2"}, 2),  # all that it gave
    ({"gpu-fraction": "0.5", "gpu-fraction-num-devices": "x"}, 0.5),
    ({"gpu-memory": "20000"}, NEITHER),  # of a chip that may be any
]


@pytest.mark.parametrize(("annotations", "expected"), SHARES)
def test_a_share_is_what_its_annotations_say(annotations: dict[str, str], expected: str | float) -> None:
    """A part of each of several accelerators, or what a scheduler says that it gave."""
    document = json.loads(with_limits({}))
    document["object"]["metadata"]["annotations"] = annotations

    ((_, outcome),) = translate(json.dumps(document).encode(), OPTIONS)

    assert expected == (outcome.type if isinstance(outcome, Ignored) else outcome[0]["data"]["count"])


def required(*terms: list[dict[str, Any]]) -> dict[str, Any]:
    """A pod's affinity to nodes."""
    selector = {"nodeSelectorTerms": [{"matchExpressions": one} for one in terms]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": selector}}


BY_PRODUCT = {"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-L40S"]}
MODELS = [
    ({"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4"}}, "nvidia-l4"),
    ({"nodeSelector": {"nvidia.com/gpu.product": "Tesla-T4-SHARED"}}, "Tesla-T4"),
    ({"nodeSelector": {"karpenter.k8s.aws/instance-gpu-name": "h100"}}, "h100"),
    ({"nodeSelector": {}, "affinity": required([{"key": "zone", "operator": "Exists"}, BY_PRODUCT])}, "NVIDIA-L40S"),
    ({"nodeSelector": {}, "affinity": required([{**BY_PRODUCT, "values": ["A", "B"]}])}, None),
    ({"nodeSelector": {}, "affinity": required([{**BY_PRODUCT, "operator": "NotIn"}])}, None),
    ({"nodeSelector": {}, "affinity": required([BY_PRODUCT], [])}, None),
]


@pytest.mark.parametrize(("spec", "model"), MODELS)
def test_a_model_is_named_where_a_pod_can_run_on_no_other(spec: dict[str, Any], model: str | None) -> None:
    """By its node selector or its required affinity, if that leaves one; else it is unknown."""
    ((started,),) = [one.outcome for one in translate(with_limits({GPU: "1"}, **spec), OPTIONS)]

    assert model == started["data"].get("accelerator")


def test_a_pod_is_of_the_model_of_its_node_where_a_list_holds_both() -> None:
    """Unless it names one itself; told both ways it is two facts that agree, not one that contradicts itself."""
    pods = json.loads(sample("kubernetes/built-pods.json"))["items"]
    items = [json.loads(sample("kubernetes/built-node.json")), *({"kind": "Pod", **one} for one in pods)]
    listed = json.dumps({"kind": "List", "apiVersion": "v1", "items": items}).encode()

    told = events(translate, listed, OPTIONS)

    assert [(8, H100), (0.857, H100), (0.286, A100), (0.25, H100)] == [
        (one["data"]["count"], one["data"].get("accelerator")) for one in told
    ]
    assert told[0] in made("pods")
    assert not {one["id"] for one in told[1::2]} & {one["id"] for one in made("pods")}


def test_a_node_of_a_named_tenant_is_within_its_instance() -> None:
    """From its creation on, and seen with each heartbeat; a pod is then within its node."""
    started, seen = made("node", OWNED._replace(lease_seconds=600))
    (of_pod,) = made("watch-added", OWNED)

    assert ("started", "seen") == (verb(started), verb(seen))
    assert ("ec2/i-0abc0000000000007", H100, 8) == (
        started["data"]["within"],
        started["data"]["accelerator"],
        started["data"]["count"],
    )
    assert ("2026-03-01T12:05:00Z", 600) == (seen["time"], seen["data"]["lease_seconds"])
    assert ("node/gpu-7", "acme", "team-a") == (
        of_pod["data"]["within"],
        of_pod["data"]["tenant"],
        of_pod["data"]["account"],
    )


SLICED = [
    ("NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "14"),  # as if slices were chips: fourteen of them
    ("NVIDIA-A100-SXM4-40GB-MIG-1g.5gb-SHARED", "28"),
    ("NVIDIA-A100-SXM4-40GB", "2"),
]


@pytest.mark.parametrize(("product", "capacity"), SLICED)
def test_a_node_whose_chips_are_cut_or_shared_has_as_many_as_before(product: str, capacity: str) -> None:
    """Its label counts slices where its product is one, and never shares; two chips are two."""
    node = json.loads(sample("kubernetes/built-node.json"))
    labels = {"nvidia.com/gpu.product": product, "nvidia.com/gpu.count": "14" if "MIG" in product else "2"}
    node["metadata"]["labels"] = labels
    node["status"]["capacity"] = {"nvidia.com/gpu": capacity}

    data = events(translate, json.dumps(node).encode(), OWNED)[0]["data"]

    assert (2, A100) == (data["count"], data["accelerator"])


def test_a_node_that_names_its_chips_thrice_has_them_once() -> None:
    """Neuron chips are told as chips, as devices and as their cores."""
    node = json.loads(sample("kubernetes/built-node.json"))
    names = {"neuroncore": "128", "neurondevice": "16", "neuron": "16"}
    node["status"]["capacity"] = {f"aws.amazon.com/{name}": value for name, value in names.items()}
    node["metadata"]["labels"] = {}

    assert 16 == events(translate, json.dumps(node).encode(), OWNED)[0]["data"]["count"]


PROVIDERS = [
    ("azure:///subscriptions/AB/resourceGroups/G/providers/Microsoft.Compute/virtualMachines/vm-1",
     "azure/subscriptions/ab/resourcegroups/g/providers/microsoft.compute/virtualmachines/vm-1"),
    ("azure:///subscriptions/ab/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/s/virtualMachines/3",
     "azure/subscriptions/ab/resourcegroups/g/providers/microsoft.compute/virtualmachinescalesets/s"),
    ("openstack:///0a1b", "nova/0a1b"),
    ("gce://project/europe-west4-a/vm-1", "gce/europe-west4-a/778"),
    ("kind://docker/kind/worker", None),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "within"), PROVIDERS)
def test_the_instance_of_a_node_goes_by_the_name_that_its_cloud_gives_it(provider: str, within: str | None) -> None:
    """As the dialects of the clouds name allocations, so that one is counted within the other."""
    node = json.loads(sample("kubernetes/built-node.json"))
    node["spec"]["providerID"] = provider
    node["metadata"]["annotations"] = {"container.googleapis.com/instance_id": "778"}

    started = events(translate, json.dumps(node).encode(), OWNED)[0]

    assert within == started["data"].get("within")


def test_a_claim_holds_the_devices_that_it_was_given() -> None:
    """Its accelerators, not its network cards, from when they were allocated; gone, it holds none."""
    (started,) = made("claim")
    watched = json.loads(sample("kubernetes/built-claim.json"))
    watched["type"], watched["object"]["metadata"]["deletionTimestamp"] = "DELETED", "2026-03-01T14:00:00Z"

    gone = events(translate, json.dumps(watched).encode(), OPTIONS)

    assert (4, "2026-03-01T12:00:00Z") == (started["data"]["count"], started["time"])
    assert [STARTED, STOPPED] == [one["type"] for one in gone]
    assert "2026-03-01T14:00:00Z" == gone[1]["time"]


def claim(devices: list[dict[str, Any]], **metadata: Any) -> bytes:
    """The built claim with other devices, and no time at which they were allocated."""
    watched = json.loads(sample("kubernetes/built-claim.json"))
    watched["object"]["metadata"] |= metadata
    watched["object"]["status"]["allocation"] = {"devices": {"results": devices}}
    return json.dumps(watched).encode()


DEVICES = [
    ("gpu-0", 1),
    ("gpu-0-mig-1g5gb-19-0", 0.143),
    ("gpu-1-mig-2g12gb-0-1", 0.5),
    ("gpu-0-mig-9-4-4", 0.429),
    ("gpu-vfio-0", 1),
]


@pytest.mark.parametrize(("device", "count"), DEVICES)
def test_a_slice_that_is_claimed_is_part_of_a_chip(device: str, count: float) -> None:
    """Its name has its profile, or the number that the profile has on chips cut in seven."""
    (started,) = events(translate, claim([{"driver": "gpu.nvidia.com", "device": device}]), OPTIONS)

    assert count == started["data"]["count"]


CHIP = {"driver": "gpu.nvidia.com", "pool": "gpu-7", "device": "gpu-0"}
WRITERS = [
    {"manager": "kubectl", "time": "2026-03-01T11:59:50Z"},
    {"manager": "gpu.nvidia.com", "subresource": "status", "time": "2026-03-01T12:00:09Z"},
    {"manager": "kube-scheduler", "subresource": "status", "time": "2026-03-01T12:00:04Z"},
]
SINCE = [(WRITERS, "2026-03-01T12:00:04Z"), (WRITERS[:1], "2026-03-01T11:59:50Z"), (7, "2026-03-01T11:59:50Z")]


@pytest.mark.parametrize(("writers", "time"), SINCE)
def test_a_claim_holds_from_when_its_status_was_first_written(writers: object, time: str) -> None:
    """It may have waited since it was created; where nobody wrote down who wrote, it counts from then."""
    (started,) = events(translate, claim([CHIP], managedFields=writers), OPTIONS)

    assert time == started["time"]


def test_a_claim_told_with_and_without_its_writers_is_no_contradiction() -> None:
    """They are two facts: kubectl leaves out who wrote what, a watch does not."""
    told = [
        one for writers in (WRITERS, []) for one in events(translate, claim([CHIP], managedFields=writers), OPTIONS)
    ]

    assert 2 == len({one["id"] for one in told})


def test_a_claim_that_the_scheduler_made_for_a_pod_is_not_counted_beside_it() -> None:
    """The pod asks for the same devices by name."""
    raw = claim([CHIP], annotations={"resource.kubernetes.io/extended-resource-claim": "true"})

    assert ["ignored: a claim for a pod that counts itself"] == outcomes(translate, raw, OPTIONS)


TRIALS = [
    {"requestURI": "/api/v1/namespaces/team-a/pods/llm-worker-1?dryRun=All"},
    {"requestObject": {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}},
]


@pytest.mark.parametrize("asked", TRIALS)
def test_what_was_only_tried_out_is_ignored(asked: dict[str, Any]) -> None:
    """A server answers a dry run as if it had done it: a pod that runs on is not deleted."""
    audited = json.loads(sample("kubernetes/built-audit-delete.json")) | asked

    assert ["ignored: delete pods on trial: nothing was done"] == outcomes(
        translate, json.dumps(audited).encode(), OPTIONS
    )


def test_every_way_of_telling_counts_a_pod_once() -> None:
    """A watch, a list and audit events of one pod: six hours of eight accelerators."""
    told = [one for name in ("watch-added", "audit-status", "audit-events", "watch-succeeded") for one in made(name)]

    assert {("team-a", H100): 6 * 3_600_000 * 8_000} == used(book_of(told))
    assert 1 == len(set(books_in_any_order(told).values()))


def test_instance_node_and_pod_are_counted_once() -> None:
    """What EC2 lends, the node that it is and the pod on it are one: eight accelerators from launch to end."""
    instance = "ec2/i-0abc0000000000007"
    shape = {"accelerator": H100, "count": 8, "layer": "node"}
    ec2 = [
        event(STARTED, ("/aws", "1"), "2026-03-01T09:55:00Z", "acme", allocation=instance, **shape),
        event(STOPPED, ("/aws", "2"), "2026-03-01T19:55:00Z", "acme", allocation=instance),
    ]
    told = [*ec2, *made("node", OWNED), *made("watch-added", OWNED), *made("watch-succeeded", OWNED)]

    assert {("acme", H100): 10 * 3_600_000 * 8_000} == used(book_of(told))
    assert 1 == len(set(books_in_any_order(told).values()))


def watched(step: Step, place: int, number: int, verb: str) -> bytes:
    """A pod of one unit that is lent or given back, as a watch tells it."""
    uid = f"{step.tenant}-{step.name}-{number}-{place if verb == 'ADDED' else ''}"
    status: dict[str, Any] = {"phase": "Running"}
    status["conditions"] = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": said(step.time)}]
    metadata = {"name": f"{step.name}-{number}", "namespace": step.tenant, "uid": uid, "resourceVersion": f"{place}"}
    spec = {
        "nodeName": f"n-{number}",
        "nodeSelector": {"nvidia.com/gpu.product": step.hardware},
        "containers": [{"resources": {"limits": {GPU: "1"}}}],
    }
    told = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}
    return json.dumps({"type": verb, "object": told}).encode()


@DAYS
def test_a_simulated_day_gives_the_books_of_its_truth(scale: int) -> None:
    """A pod for each unit, created, started and ended as a fleet does: the books hold what was held, in any order."""
    records, running = [], {}
    for place, step in enumerate(day(scale)):
        appear, go = machines(step.before, step.after)
        for number in appear:
            document = json.loads(watched(step, place, number, "ADDED"))
            waiting = json.loads(json.dumps(document))
            waiting["object"]["status"] = {"phase": "Pending"}
            del waiting["object"]["spec"]["nodeName"]
            records += [waiting, document]
            running[step.tenant, step.name, number] = document["object"]
        for number in go:
            ended = running.pop((step.tenant, step.name, number))
            terminated = {"state": {"terminated": {"finishedAt": said(step.time)}}}
            status = {**ended["status"], "phase": "Succeeded", "containerStatuses": [terminated]}
            version = {**ended["metadata"], "resourceVersion": f"{place}"}
            for kind in ("MODIFIED", "DELETED"):
                records.append({"type": kind, "object": {**ended, "metadata": version, "status": status}})

    told = [one for record in records for one in events(translate, json.dumps(record).encode(), OPTIONS)]

    assert truth(scale) == used(book_of(told))
    assert 1 == len(set(books_in_any_order(told).values()))
