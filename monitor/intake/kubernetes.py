"""Objects of Kubernetes: which pod holds which accelerators, which node is lent, from when, until when.

Read are audit events (v1 and v1beta1, also in an EventList), events of a watch (ADDED, MODIFIED, DELETED), lists, and
single objects, all as JSON. Namespaces are the tenants, unless the operator names one whose namespaces they are.

A pod holds what it asks for from the time when it was scheduled, not when it was created, until its containers have
ended or it is gone. Every state of it says both, so that lost and repeated ones do no harm. That a pod is to be
created, bound, evicted or deleted is ignored: what follows is its state, and only that names what it holds. So an audit
policy must record pods and pods/status with their answers (level RequestResponse).

What a pod asks for: the limits of its containers, or what a scheduler has written into its annotations, in whole
accelerators or slices: MIG profiles, shares of `runai-allocated-gpus` and `gpu-fraction`. The model is what its node
selector or its required node affinity names, else that of its node, if a list holds both (`kubectl get nodes,pods -A
-o json`); else it is unknown. Pods in which a scheduler of shares keeps a whole accelerator are ignored, since the pods
that share it are counted. One that pods use in turns (`nvidia.com/gpu.shared`, a product named `-SHARED`) counts whole
for each, since each may use all of it. What is asked for as memory, or by names that are not known, is ignored.

Devices of dynamic resource allocation belong to a ResourceClaim, which is an allocation of its own beside the pod, from
when it was allocated; where no time says that, from when its status was first written. A claim that the scheduler makes
of what a pod asks for by name is ignored: the pod counts.

A node counts where a tenant is named, since it is then that tenant's: from its creation, within the instance that its
provider id names. A pod is then within its node. Job kinds (PyTorchJob, MPIJob, ...) hold nothing: their pods do, and
what these say of their job is its name and what it is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from monitor.intake.canonical import COUNT_MAX, instant_ms
from monitor.intake.dialect import (
    SEEN,
    STARTED,
    STOPPED,
    Event,
    Options,
    Translated,
    at,
    event,
    instant,
    outer,
    parsed,
    text,
    together,
    whole,
)
from monitor.intake.refusal import Ignored, Refusal, shown

WATCHED = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"}
KINDS = {"pods": "Pod", "nodes": "Node", "resourceclaims": "ResourceClaim"}
WHOLE_ONES = {"nvidia.com/gpu", "amd.com/gpu", "google.com/tpu", "gpu.intel.com/i915", "gpu.intel.com/xe"}
WHOLE_ONES |= {"nvidia.com/gpu.shared", "nvidia.com/pgpu", "habana.ai/gaudi", "huawei.com/Ascend910", "huawei.com/npu"}
WHOLE_ONES |= {"cambricon.com/mlu", "hygon.com/dcu", "metax-tech.com/gpu", "iluvatar.com/gpu", "mthreads.com/gpu"}
# Names of the same chips, of which a node has all and a pod asks for one: the first counts.
NEURON = ("aws.amazon.com/neuron", "aws.amazon.com/neurondevice", "aws.amazon.com/neuroncore")
CORES = 2  # of a Neuron chip, or more: a core is taken to be half a chip
MIG = "nvidia.com/mig-"
SLICES = 7  # of a chip that can be cut
FOUR_SLICES = {"1g.6gb", "2g.12gb", "4g.24gb", "2g.48gb", "4g.96gb"}  # profiles of chips that are cut in four
PRODUCT = (
    "nvidia.com/gpu.product", "amd.com/gpu.product-name", "cloud.google.com/gke-accelerator",
    "cloud.google.com/gke-tpu-accelerator", "karpenter.k8s.aws/instance-gpu-name",
    "eks.amazonaws.com/instance-gpu-name", "k8s.amazonaws.com/accelerator", "gpu.nvidia.com/class",
)  # fmt: skip
INSTANCE_TYPE = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
RESERVING = {"runai-reservation", "kai-resource-reservation"}  # namespaces of pods that keep an accelerator for others
DEVICES = re.compile(r"(?:^|[.-])(?:gpu|tpu|neuron|gaudi)", re.ASCII)  # drivers and classes of accelerators
OF_A_CLASS = "deviceclass.resource.kubernetes.io/"  # names by which a pod may ask for devices without a claim
JOB_LABELS = (
    "training.kubeflow.org/job-name", "jobset.sigs.k8s.io/jobset-name", "leaderworkerset.sigs.k8s.io/name",
    "volcano.sh/job-name", "ray.io/cluster", "workloadName", "batch.kubernetes.io/job-name", "job-name",
)  # fmt: skip
# Controllers whose kind says what for; the label says which made a Ray cluster.
TRAINING = {"PyTorchJob", "MPIJob", "TFJob", "JAXJob", "XGBoostJob", "PaddleJob", "TrainJob", "TrainingWorkload"}
SERVING = {"RayService", "InferenceService", "InferenceWorkload", "LeaderWorkerSet"}
FOR_A_POD = "resource.kubernetes.io/extended-resource-claim"  # what a claim is for, if a scheduler has made it
NO_JOBS = {"Node", "DaemonSet"}
DNS_NAME_MAX = 253  # characters
ENDED = {"Succeeded", "Failed"}

_MIG_PROFILE = re.compile(r"(?:([1-9])c\.)?(([1-9])g\.\d{1,4}gb)", re.ASCII)  # 1c.3g.20gb computes on one of three
_MIG_PRODUCT = re.compile(r"(.+)-MIG-((?:\dc\.)?\dg\.\d{1,4}gb)(?:\..*)?", re.ASCII)
# How drivers name a slice: its profile, or the number that NVML has for that.
_MIG_DEVICE = re.compile(r"gpu-\d+-mig-(?:([1-9]g)(\d{1,4}gb)|(\d{1,2})-\d{1,2}-\d{1,2}$)", re.ASCII)
_MIG_NUMBERS = {"0": 7, "5": 4, "9": 3, "14": 2, "15": 1, "19": 1, "20": 1}  # slices of seven
_OF_ACCELERATORS = re.compile(r"[gnv]pu|nvidia\.com/[A-Z]|amd\.com/[a-z]px_", re.ASCII)  # other names that tell of them
_SHARE = re.compile(r"\d{1,7}(?:\.\d{1,9})?", re.ASCII)
_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$", re.ASCII)


class State(NamedTuple):
    """An object as it was told of."""

    object: Any
    gone: bool  # it has been deleted
    audit: str | None = None  # the identity of the audit event; None: the object's version is its identity
    audited: str | None = None  # when
    model: str | None = None  # of its node, where that is told with it


Outcome = tuple[Event, ...] | Ignored | Refusal
Held = tuple[float, str | None]  # accelerators, and the profile of their slices


def recognises(document: object) -> bool:
    """Whether a JSON document is of this dialect."""
    if text(document, "type") in WATCHED:
        return text(document, "object", "kind") is not None
    kind, version = text(document, "kind"), text(document, "apiVersion")
    return _is_audit(document) or (kind is not None and version is not None and (version == "v1" or "/" in version))


def translate(raw: bytes, options: Options) -> Iterator[Translated]:
    """What becomes of an audit event, an event of a watch, an object, or of each of a list."""
    document = parsed(raw)
    if isinstance(document, Refusal):
        yield Translated("object", document)
    elif not recognises(document):
        sentence = f"The record is {shown(document)}; expected an audit event, an event of a watch, or an object."
        yield Translated("object", Refusal("envelope", sentence))
    elif (text(document, "kind") or "").endswith("List") and isinstance(document.get("items"), list):
        of = document["kind"].removesuffix("List")
        version = document["apiVersion"]
        models = _models(document["items"])
        for item in document["items"]:
            full = {"kind": of, "apiVersion": version, **item} if of and isinstance(item, dict) else item
            yield _one(full, options, models)
    else:
        yield _one(document, options, {})


def _models(items: list[Any]) -> dict[str | None, str]:
    """The models of the nodes in a list, by their names: pods in the same list are told with those."""
    nodes = [one for one in items if text(one, "kind") == "Node"]
    found = {text(one, "metadata", "name"): _first(at(one, "metadata", "labels"), PRODUCT) for one in nodes}
    return {name: model for name, model in found.items() if model is not None}


def _one(document: Any, options: Options, models: Mapping[str | None, str]) -> Translated:
    if text(document, "type") in WATCHED and "object" in document:
        return _watched(document, options)
    if _is_audit(document):
        return _audited(document, options)
    node = text(document, "spec", "nodeName")
    return _told(State(document, False, model=models.get(node) if node is not None else None), options)


def _is_audit(document: object) -> bool:
    """Some forwarders leave its apiVersion out."""
    return text(document, "kind") == "Event" and text(document, "auditID") is not None


def _watched(document: Any, options: Options) -> Translated:
    if document["type"] in ("BOOKMARK", "ERROR"):
        return Translated(document["type"], Ignored(document["type"]))
    return _told(State(document["object"], document["type"] == "DELETED"), options)


def _audited(document: Any, options: Options) -> Translated:
    """What an audit event says: only what was done counts, and only by the state that it led to."""
    verb, stage = text(document, "verb") or "", text(document, "stage")
    resource, part = text(document, "objectRef", "resource") or "", text(document, "objectRef", "subresource")
    what = f"{verb} {resource}{'/' + part if part else ''}"
    if stage != "ResponseComplete":
        return Translated(what, Ignored(f"{what}: stage {shown(stage, quote=False)}"))
    code = at(document, "responseStatus", "code")
    if not isinstance(code, int) or not 200 <= code < 300:
        return Translated(what, Ignored(f"{what} refused: {shown(code, quote=False)}"))
    if "dryRun=" in (text(document, "requestURI") or "") or at(document, "requestObject", "dryRun"):
        return Translated(what, Ignored(f"{what} on trial: nothing was done"))
    kind = KINDS.get(resource)
    if kind is None or verb not in ("create", "update", "patch", "delete") or part not in (None, "status"):
        return Translated(what, Ignored(what))
    answer = document.get("responseObject")
    if text(answer, "kind") != kind:
        return Translated(what, Ignored(f"{what} without the object: record answers (level RequestResponse)"))
    if verb == "delete" and at(answer, "metadata", "deletionGracePeriodSeconds"):
        return Translated(what, Ignored(f"{what} asked for: it holds what it has until it is gone"))
    told = text(document, "stageTimestamp") or text(document, "timestamp")
    identity = f"{document['auditID']}/{stage}"
    translated = _told(State(answer, verb == "delete", identity, told), options)
    return Translated(f"{what}: {translated.what}", translated.outcome)


def _told(state: State, options: Options) -> Translated:
    kind = text(state.object, "kind")
    name = shown(f"{kind} {text(state.object, 'metadata', 'name')}", quote=False)
    if kind == "Pod":
        return Translated(name, _pod(state, options))
    if kind == "Node":
        return Translated(name, _node(state, options))
    if kind == "ResourceClaim":
        return Translated(name, _claim(state, options))
    if isinstance(at(state.object, "spec"), dict) and _replicas(state.object["spec"]):
        return Translated(name, Ignored(f"{shown(kind, quote=False)}: its pods hold what it asks for"))
    return Translated(name, Ignored(shown(kind, quote=False)))


def _replicas(spec: dict[str, Any]) -> bool:
    """Whether an object makes pods."""
    makes = ("template", "replicas", "tasks", "replicatedJobs", "rayClusterConfig", "headGroupSpec", "trainer")
    return any(key in spec for key in makes) or any(key.endswith("ReplicaSpecs") for key in spec)


# -- pods ------------------------------------------------------------------------------------------------------------


def _pod(state: State, options: Options) -> Outcome:
    pod = state.object
    metadata, spec, status = at(pod, "metadata"), at(pod, "spec"), at(pod, "status")
    namespace, uid, node = text(metadata, "namespace"), text(metadata, "uid"), text(spec, "nodeName")
    if namespace in RESERVING:
        return Ignored("a pod that keeps an accelerator for others")
    held = _held(pod)
    if isinstance(held, Refusal):
        return held
    if not held[0]:
        return Ignored(
            f"a pod {'with accelerators of unknown kind or share' if _vague(pod) else 'without accelerators'}"
        )
    if held[0] > COUNT_MAX:
        return Refusal("field", f"The pod asks for {held[0]:.0f} accelerators; expected at most {COUNT_MAX:,}.")
    if uid is None or namespace is None:
        return Ignored("a pod that is not made yet: it has no uid and namespace")
    scheduled = _when(pod, "PodScheduled")
    if scheduled is None and node is not None:
        scheduled = text(status, "startTime")
    if scheduled is None:
        return Ignored("a pod that is not scheduled")
    start = instant(scheduled)
    if isinstance(start, Refusal):
        return start
    tenant, node = options.tenant or namespace, _node_name(node)
    allocation = f"pod/{namespace}/{uid}"
    selected = _selected(pod)
    count, model = _model(held, selected or state.model)
    started = event(
        STARTED,
        _identity(state, uid, "" if selected or model is None else f"/{model}", options),
        start,
        tenant,
        allocation=allocation,
        account=namespace if options.tenant else None,
        accelerator=model,
        count=count,
        layer="pod",
        within=outer(options, node) or (f"node/{node}" if node and options.tenant else None),
        nodes=[node] if node else None,
        image_digest=_image(pod),
        **_job(pod),
    )
    if not state.gone and text(status, "phase") not in ENDED:
        return together(started)
    end = _end(state, start, options)
    if isinstance(end, Refusal):
        return end
    phase = text(status, "phase")
    reason = text(status, "reason") or (phase if phase in ENDED else "Deleted")
    stopped = event(STOPPED, _identity(state, uid, "/end", options), end, tenant, allocation=allocation, reason=reason)
    return together(started, stopped)


def _node_name(told: str | None) -> str | None:
    """A DNS name, as names of nodes are; nothing longer."""
    return told if told is not None and len(told) <= DNS_NAME_MAX else None


def _identity(state: State, uid: str, suffix: str, options: Options) -> tuple[str, str]:
    """An audit event has an identity; else an object at one version of it is the same, however often it is told."""
    version = text(state.object, "metadata", "resourceVersion") or ""
    gone = "/gone" if state.gone else ""
    return options.source, (state.audit or f"{uid}/{version}{gone}") + suffix


def _end(state: State, start: str, options: Options) -> str | Refusal:
    """When a pod that has ended held its accelerators no more: when its last container ended, else what is known."""
    pod = state.object
    statuses = [one for name in ("containerStatuses", "initContainerStatuses") for one in _list(pod, "status", name)]
    finished = [text(one, "state", "terminated", "finishedAt") for one in statuses]
    times = [time for time in finished if time is not None]
    if None in finished or not _list(pod, "status", "containerStatuses"):
        others = text(pod, "metadata", "deletionTimestamp"), state.audited, _changed(pod), options.received
        times += [time for time in others if time is not None][:1]
    if not times:
        return Refusal("time", "The pod has ended and names no time; expected one of its containers, or of the record.")
    return _latest([start, *times])


def _changed(pod: Any) -> str | None:
    """When the condition of a pod changed last."""
    changes = [text(one, "lastTransitionTime") for one in _list(pod, "status", "conditions")]
    return max((time for time in changes if time is not None), default=None)


def _latest(times: list[str]) -> str | Refusal:
    found = [instant(time) for time in times]
    refused = next((one for one in found if isinstance(one, Refusal)), None)
    return refused or max((one for one in found if isinstance(one, str)), key=instant_ms)


def _when(thing: Any, condition: str) -> str | None:
    """Since when a condition has been true; None: it is not."""
    for one in _list(thing, "status", "conditions"):
        if text(one, "type") == condition and text(one, "status") == "True":
            return text(one, "lastTransitionTime")
    return None


def _list(thing: Any, *path: str) -> list[Any]:
    value = at(thing, *path)
    return value if isinstance(value, list) else []


def _held(pod: Any) -> Held | Refusal:
    """How many accelerators a pod holds: containers run together, others before them one after another.

    What starts before the others and goes on beside them (a sidecar) also runs with those that come after it.
    """
    parallel, most, slices = 0.0, 0.0, None
    for name in ("initContainers", "containers"):
        for container in _list(pod, "spec", name):
            asked = _asked(container)
            if isinstance(asked, Refusal):
                return asked
            slices = slices or asked[1]
            if name == "containers" or text(container, "restartPolicy") == "Always":
                parallel += asked[0]
            else:
                most = max(most, parallel + asked[0])
    if count := max(parallel, most):
        return count, slices
    return _annotated(at(pod, "metadata", "annotations"))


def _asked(container: Any) -> Held | Refusal:
    return _sum(_amounts(container))


def _amounts(container: Any) -> dict[str, Any]:
    """What a container asks for, by its name."""
    resources = at(container, "resources")
    limits = at(resources, "limits")
    asked = limits if isinstance(limits, dict) and limits else at(resources, "requests")
    return asked if isinstance(asked, dict) else {}


def _vague(pod: Any) -> bool:
    """Whether a pod asks for something of accelerators that is no number of them: memory, cores, names of its own."""
    amounts = [item for one in _list(pod, "spec", "containers") for item in _amounts(one).items()]
    names = {name for name, value in amounts if value not in (0, "0")}
    return any(map(_OF_ACCELERATORS.search, names)) or text(pod, "metadata", "annotations", "gpu-memory") is not None


def _sum(amounts: dict[str, Any]) -> Held | Refusal:
    count, slices = 0.0, None
    neuron = next((name for name in NEURON if name in amounts), None)
    for name, value in amounts.items():
        by_class = name.startswith(OF_A_CLASS) and DEVICES.search(name.removeprefix(OF_A_CLASS)) is not None
        if name not in WHOLE_ONES and name != neuron and not name.startswith(MIG) and not by_class:
            continue
        profile = name.removeprefix(MIG) if name.startswith(MIG) else None
        number, part = whole(value), 1 / CORES if name == NEURON[-1] else part_of_a_chip(profile)
        if number is None or part is None:
            return Refusal("field", f"{shown(name, quote=False)} is {shown(value)}; expected a number of accelerators.")
        count += number * part
        slices = profile if number and profile else slices
    return count, slices


def part_of_a_chip(profile: str | None) -> float | None:
    """Which part of a chip one slice is: 3g.20gb is three sevenths. None: it is no profile."""
    if profile is None:
        return 1.0
    found = _MIG_PROFILE.match(profile)  # what may follow, as in 1g.5gb.me, is about engines
    return int(found[1] or found[3]) / (4 if found[2] in FOUR_SLICES else SLICES) if found else None


def _annotated(annotations: Any) -> Held | Refusal:
    """What a scheduler of shares wrote: slices, what it gave, what was asked of it."""
    if not isinstance(annotations, dict):
        return 0.0, None
    slices = _sum({name: value for name, value in annotations.items() if name.startswith(MIG)})
    if isinstance(slices, Refusal) or slices[0]:
        return slices
    for name in ("runai-allocated-gpus", "gpu-fraction"):
        value = annotations.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or not _SHARE.fullmatch(value):
            return Refusal("field", f"{name} is {shown(value)}; expected a number of accelerators.")
        if float(value):
            number = whole(annotations.get(f"{name}-num-devices"))  # of so many accelerators each that share
            return float(value) * (number or 1), None
    return 0.0, None


def _model(held: Held, product: str | None) -> tuple[float, str | None]:
    """How many of what, in thousandths. A product may be named by the slice or share that is lent as if it were one."""
    count, profile = held
    if product is not None:
        product = product.removesuffix("-SHARED")
        if cut := _MIG_PRODUCT.fullmatch(product):
            product = cut[1]
            if profile is None:
                count *= part_of_a_chip(cut[2]) or 1
    return round(count, 3), product


def _selected(pod: Any) -> str | None:
    """The model that a pod can only run on."""
    if name := _first(at(pod, "spec", "nodeSelector"), PRODUCT):
        return name
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    terms = _list(pod, "spec", "affinity", "nodeAffinity", required, "nodeSelectorTerms")
    if len(terms) != 1:  # any of several will do
        return None
    for one in _list(terms[0], "matchExpressions"):
        values = _list(one, "values")
        if text(one, "key") in PRODUCT and text(one, "operator") == "In" and len(values) == 1:
            return text({"": values[0]}, "")
    return None


def _first(labels: Any, names: tuple[str, ...]) -> str | None:
    """The first of these labels that an object has."""
    for name in names if isinstance(labels, dict) else ():
        value = labels.get(name)
        if isinstance(value, str) and value:
            return value
    return None


def _image(pod: Any) -> str | None:
    for one in _list(pod, "status", "containerStatuses"):
        if found := _DIGEST.search(text(one, "imageID") or ""):
            return found[1]
    return None


def _job(pod: Any) -> dict[str, str | None]:
    """The job that a pod belongs to, and what that is for, where its kind says so."""
    labels, owners = at(pod, "metadata", "labels"), _list(pod, "metadata", "ownerReferences")
    owner = next((one for one in owners if at(one, "controller") is True), None)
    kinds = {text(owner, "kind"), text(labels, "workloadKind"), text(labels, "ray.io/originated-from-crd")}
    if operator := text(labels, "training.kubeflow.org/operator-name"):
        kinds |= {kind for kind in TRAINING if operator.startswith(kind.lower())}
    name = _first(labels, JOB_LABELS) or (None if text(owner, "kind") in NO_JOBS else text(owner, "name"))
    purpose = "training" if kinds & TRAINING else "serving" if kinds & SERVING else None
    return {"job": name, "purpose": purpose}


# -- nodes and claims ------------------------------------------------------------------------------------------------


def _node(state: State, options: Options) -> Outcome:
    node = state.object
    labels, name, uid = at(node, "metadata", "labels"), text(node, "metadata", "name"), text(node, "metadata", "uid")
    capacity = at(node, "status", "capacity")
    held = _sum(capacity if isinstance(capacity, dict) else {})
    if isinstance(held, Refusal):
        return held
    chips = whole(text(labels, "nvidia.com/gpu.count"))  # or all slices, where the product is named as one
    if held[0] > COUNT_MAX:
        return Refusal("field", f"The node has {held[0]:.0f} accelerators; expected at most {COUNT_MAX:,}.")
    if not held[0] and not chips:
        return Ignored("a node without accelerators")
    if options.tenant is None:
        return Ignored("a node of all tenants: name the tenant whose cluster it is")
    if name is None or uid is None:
        return Refusal("field", "metadata is without name or uid; every node has both.")
    start = instant(text(node, "metadata", "creationTimestamp"))
    if isinstance(start, Refusal):
        return start
    # Capacity also counts slices that are told as what they are, and shares as if they were whole.
    count, product = _model((chips, None) if chips else held, _first(labels, PRODUCT))
    kind = _first(labels, INSTANCE_TYPE) if product is None else None
    shape = {"instance_type": kind, "instances": 1} if kind else {"accelerator": product, "count": count}
    allocation = f"node/{name}"
    made = [
        event(
            STARTED,
            _identity(state, uid, "", options),
            start,
            options.tenant,
            allocation=allocation,
            layer="node",
            region=text(labels, "topology.kubernetes.io/region"),
            zone=text(labels, "topology.kubernetes.io/zone"),
            within=outer(options, name) or _instance(node),
            nodes=[name] if _node_name(name) else None,
            **shape,
        )
    ]
    known = [one for one in _list(node, "status", "conditions") if text(one, "status") != "Unknown"]
    beats = [text(one, "lastHeartbeatTime") for one in known]
    times = [time for time in beats if time is not None]
    if state.gone:
        end = _latest([start, *times, *filter(None, (state.audited, text(node, "metadata", "deletionTimestamp")))])
        if isinstance(end, Refusal):
            return end
        made.append(event(STOPPED, _identity(state, uid, "/end", options), end, options.tenant, allocation=allocation))
    elif times:
        seen = _latest([start, max(times)])  # of one server, in one form: the greatest text is the latest
        if isinstance(seen, Refusal):
            return seen
        identity = _identity(state, uid, "/seen", options)
        lease = options.lease_seconds
        made.append(event(SEEN, identity, seen, options.tenant, allocation=allocation, lease_seconds=lease))
    return together(*made)


def _instance(node: Any) -> str | None:
    """The allocation that a node runs on, as other dialects name it."""
    provider, _, path = (text(node, "spec", "providerID") or "").partition("://")
    last = path.rpartition("/")[2]
    if provider == "aws" and last:
        return f"ec2/{last}"
    if provider == "azure" and last:
        machine = path.strip("/").lower()
        scale_set, of_set, _ = machine.partition("/virtualmachines/")
        return f"azure/{scale_set if of_set and '/virtualmachinescalesets/' in scale_set else machine}"
    if provider == "openstack" and last:
        return f"nova/{last}"
    number = text(node, "metadata", "annotations", "container.googleapis.com/instance_id")
    parts = path.split("/")
    return f"gce/{parts[1]}/{number}" if provider == "gce" and len(parts) == 3 and number else None


def _claim(state: State, options: Options) -> Outcome:
    """A claim holds the devices that were allocated to it."""
    claim = state.object
    namespace, uid = text(claim, "metadata", "namespace"), text(claim, "metadata", "uid")
    if namespace is None or uid is None:
        return Ignored("a claim that is not made yet: it has no uid and namespace")
    if text(claim, "metadata", "annotations", FOR_A_POD) == "true":
        return Ignored("a claim for a pod that counts itself")
    devices = _list(claim, "status", "allocation", "devices", "results")
    count = round(sum(_part_of_a_device(one) for one in devices), 3)
    ended = text(claim, "metadata", "deletionTimestamp") if state.gone else None
    told = text(claim, "status", "allocation", "allocationTimestamp")
    written = _written(claim) if told is None else None
    start = instant(told or written or state.audited or text(claim, "metadata", "creationTimestamp"))
    if isinstance(start, Refusal):
        return start
    if not count:
        return Ignored("a claim to which no accelerator is allocated")
    tenant = options.tenant or namespace
    allocation = f"claim/{namespace}/{uid}"
    pool = text(devices[0], "pool")
    started = event(
        STARTED,
        _identity(state, uid, "" if written is None else "/written", options),  # kubectl leaves out who wrote what
        start,
        tenant,
        allocation=allocation,
        account=namespace if options.tenant else None,
        count=count,
        layer="pod",
        within=outer(options, pool) or (f"node/{pool}" if pool and options.tenant else None),
    )
    if not state.gone:
        return together(started)
    end = _latest([start, *filter(None, (ended, state.audited))])
    if isinstance(end, Refusal):
        return end
    return together(
        started,
        event(STOPPED, _identity(state, uid, "/end", options), end, tenant, allocation=allocation),
    )


def _part_of_a_device(device: Any) -> float:
    """How much of an accelerator a device that was allocated is: nothing where it is none, or only watched over."""
    if DEVICES.search(text(device, "driver") or "") is None or at(device, "adminAccess"):
        return 0
    cut = _MIG_DEVICE.match(text(device, "device") or "")
    if cut is None:
        return 1
    if cut[3] is not None:
        return _MIG_NUMBERS.get(cut[3], SLICES) / SLICES
    return part_of_a_chip(f"{cut[1]}.{cut[2]}") or 1


def _written(claim: Any) -> str | None:
    """When the status of a claim was first written, as far as its last writers tell: it is allocated then."""
    fields = [one for one in _list(claim, "metadata", "managedFields") if text(one, "subresource") == "status"]
    times = [text(one, "time") for one in fields]
    return min((time for time in times if time is not None), default=None)
