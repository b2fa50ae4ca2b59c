"""Audit logs of Google Cloud: which instance holds what, from when, until when.

Read are log entries (`LogEntry` with `protoPayload`), lists of them, also in an answer of the logging interface, and
messages of Pub/Sub that carry one in base64.

A slice of TPUs is one node, which has a name and no number; its type is that of the slice, if the log has the request.
A queued resource does not say when its nodes are there, and is ignored.

An operation writes two entries. The instance is there, or gone, from the `last` one on: that one starts or stops. The
`first` one alone names machine type and accelerators: it describes, and holds nothing. An entry that is both, or has
no operation, does both. So an operation counts once, in whichever order its halves come; of a half that was lost, a
start is missed and a stop comes late, as with any lost event. An entry with a status code was refused: no allocation.

Of instances made in bulk, in a zone or a region, each has an entry of its own, which does not name its shape: that
stands in the entry of all, which names no instance and shares no number with theirs. Their hardware is unknown until
somebody else names it: an inventory, the nodes of a cluster, a later change of the machine.

Machine types without accelerators are not told apart here: the books hold them under their names. But GPUs are attached
to machines of the series n1, whose type says nothing of them: a request that makes a whole machine of that series and
attaches none says that it has none, and one that changes only the type says nothing.
Pods of GKE are read from the cluster itself, and jobs that are asked for do not say when they run: both are ignored.
The meaning of the verbs is that of the Compute Engine audit log documentation and of Google's own reader of these logs,
github.com/GoogleCloudPlatform/gce-license-tracker.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

from monitor.intake.dialect import (
    DESCRIBED,
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

TPU = "google.cloud.tpu."  # what comes after is the version (v1, v2, v2alpha1)
NODES = {"CreateNode": STARTED, "StartNode": STARTED, "StopNode": STOPPED, "DeleteNode": STOPPED}

SIDES_MAX = 3  # slices are flat or blocks

# What comes before is the version (v1, beta, alpha or nothing), what comes after is the verb.
METHODS = ("compute.instances", "compute.regionInstances")
WHAT_IT_DOES = {
    "insert": STARTED,
    "bulkInsert": STARTED,
    "start": STARTED,
    "startWithEncryptionKey": STARTED,
    "resume": STARTED,
    "automaticRestart": STARTED,  # after a host error or maintenance
    "delete": STOPPED,
    "stop": STOPPED,
    "suspend": STOPPED,
    "preempted": STOPPED,
    "hostError": STOPPED,
    "terminateOnHostMaintenance": STOPPED,
    "guestTerminate": STOPPED,
    "instanceManagerHaltForRestart": STOPPED,
    "baremetalCaretakerPreempted": STOPPED,
    "stoppedDueToPdDoubleServe": STOPPED,
    "deferredStop": STOPPED,  # the limit of its run time was reached
    "deferredDelete": STOPPED,
    "migrateOnHostMaintenance": SEEN,
}
NAMES_THE_SHAPE = {"insert", "update", "setMachineType", "setMachineResources"}  # in the first entry
OF_MANY = "compute.instances.bulkInsert of many: each has an entry, and an inventory or a cluster says what it is"
TAKES_GPUS = re.compile(r"(n1|custom)-.*", re.DOTALL)  # custom types of no named series are of n1

# Status codes of RPCs, by number (google/rpc/code.proto).
CODES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)


def recognises(document: object) -> bool:
    """Whether a JSON document is of this dialect."""
    entries = _entries(document)
    return bool(entries) and recognises_one(entries[0])


def recognises_one(document: object) -> bool:
    """Whether it is a log entry, or a message of Pub/Sub with one."""
    if text(document, "message", "data") is not None:
        entry = _unwrapped(document)
        return isinstance(entry, Mapping) and "logName" in entry
    return isinstance(at(document, "protoPayload"), Mapping) or text(document, "logName") is not None


def translate(raw: bytes, options: Options) -> Iterator[Translated]:
    """What becomes of each log entry of a record."""
    document = parsed(raw)
    for one in _entries(document):
        entry = _unwrapped(one)
        if isinstance(entry, Refusal):
            yield Translated("log entry", entry)
        else:
            yield _translated(entry, options)


def _entries(document: Any) -> Sequence[Any]:
    """The entries in a document: the logging interface puts them into `entries`."""
    listed = at(document, "entries")
    if not isinstance(listed, list):
        listed = document
    return listed if isinstance(listed, list) else (document,)


def _unwrapped(document: Any) -> Any | Refusal:
    """The log entry in a message of Pub/Sub; anything else is given back as it is."""
    data = text(document, "message", "data")
    if data is None:
        return document
    try:
        return parsed(b64decode(data, validate=True))
    except ValueError:
        return Refusal("envelope", f"message.data is {shown(data)}; expected a log entry in base64.")


def _translated(entry: Any, options: Options) -> Translated:
    method = text(entry, "protoPayload", "methodName")
    if method is None:
        if text(entry, "logName") is not None:
            return Translated("log entry", Ignored("log entry that audits nothing"))
        return Translated(
            "log entry", Refusal("envelope", f"The entry is {shown(entry)}; expected a log entry with protoPayload.")
        )
    what = shown(method, quote=False)
    of, _, verb = method.rpartition(".")
    of_node = of.startswith(TPU) and verb in NODES
    if not of_node and (not of.endswith(METHODS) or (verb not in WHAT_IT_DOES and verb not in NAMES_THE_SHAPE)):
        return Translated(what, Ignored(what))
    named = f"Tpu.{verb}" if of_node else f"compute.instances.{verb}"
    code = at(entry, "protoPayload", "status", "code")
    if code:
        known = type(code) is int and 0 < code < len(CODES)
        return Translated(what, Ignored(f"{named} refused: {CODES[code] if known else shown(code)}"))
    operation = at(entry, "operation")
    done = not operation or at(operation, "last") is True
    return Translated(what, (_node if of_node else _outcome)(entry, verb, done, options))


def _outcome(
    entry: Mapping[str, Any], verb: str, done: bool, options: Options
) -> tuple[Event, ...] | Ignored | Refusal:
    numbered = text(entry, "resource", "labels", "instance_id")
    if verb == "bulkInsert" and numbered is None:
        return Ignored(OF_MANY)
    shape = _shape(at(entry, "protoPayload", "request"), verb) if verb in NAMES_THE_SHAPE else {}
    if isinstance(shape, Refusal):
        return shape
    kind = WHAT_IT_DOES.get(verb) if done else None
    if kind is None and not shape:
        return Ignored(f"compute.instances.{verb} {'under way' if verb in WHAT_IT_DOES else 'without shape'}")
    project = text(entry, "resource", "labels", "project_id")
    path = (text(entry, "protoPayload", "resourceName") or "").split("/")  # projects/P/zones/Z/instances/NAME
    zone = text(entry, "resource", "labels", "zone") or (path[3] if len(path) == 6 else None)
    instance = numbered or text(entry, "protoPayload", "response", "targetId")
    if project is None or not zone or instance is None:
        labels = at(entry, "resource", "labels")
        return Refusal("field", f"resource.labels is {shown(labels)}; expected project_id, zone and instance_id.")
    held = {"within": outer(options, path[-1] or None), **shape}
    return _made(entry, kind, options, project, zone, f"gce/{zone}/{instance}", held)


def _node(entry: Mapping[str, Any], verb: str, done: bool, options: Options) -> tuple[Event, ...] | Ignored | Refusal:
    """A slice of TPUs."""
    request = at(entry, "protoPayload", "request")
    shape = _shape_of_node(at(request, "node"))
    kind = NODES[verb] if done else None
    if kind is None and not shape:
        return Ignored(f"Tpu.{verb} under way")
    project = text(entry, "resource", "labels", "project_id")
    resource = text(entry, "protoPayload", "resourceName") or ""
    path = resource.split("/")  # projects/P/locations/Z/nodes/NAME, or no more than Z where one is asked for
    zone, node = path[3] if len(path) > 3 else None, path[5] if len(path) == 6 else text(request, "nodeId")
    if project is None or not zone or not node:
        return Refusal("field", f"resourceName is {shown(resource)}; expected a node, and project_id in the labels.")
    return _made(entry, kind, options, project, zone, f"tpu/{zone}/{node}", {"within": outer(options, node), **shape})


def _shape_of_node(node: object) -> dict[str, Any]:
    """The type of a slice, as v5p-128, or its generation and the numbers of chips along its sides, as V4 and 2x2x4."""
    slice_type = text(node, "acceleratorType")
    if slice_type is not None:
        return {"instance_type": slice_type, "instances": 1}
    generation, topology = text(node, "acceleratorConfig", "type"), text(node, "acceleratorConfig", "topology")
    sides = [whole(side) for side in (topology or "").split("x", SIDES_MAX - 1)]
    if generation is None or None in sides:
        return {}
    chips = whole(prod(side or 0 for side in sides))
    return {} if chips is None else {"accelerator": f"TPU {generation}", "count": chips}


def _made(
    entry: Mapping[str, Any],
    kind: str | None,
    options: Options,
    project: str,
    zone: str,
    allocation: str,
    held: dict[str, Any],
) -> tuple[Event, ...] | Refusal:
    """The event of an entry: what starts or stops, or, if its kind is None, what is described."""
    unique = text(entry, "insertId")
    if unique is None:
        return Refusal("field", f"insertId is {shown(at(entry, 'insertId'))}; expected what tells entries apart.")
    time = instant(at(entry, "timestamp"))
    if isinstance(time, Refusal):
        return time
    region = zone.rpartition("-")[0] or zone
    id = f"{at(entry, 'logName')}/{at(entry, 'timestamp')}/{unique}"
    held = {} if kind is STOPPED else {"region": region, "zone": zone, "layer": "node", **held}
    return together(
        event(
            kind or DESCRIBED,
            (f"{options.source}/{region}", id),
            time,
            options.tenant or project,
            allocation=allocation,
            account=project if options.tenant else None,
            **held,
        )
    )


def _shape(request: object, verb: str) -> dict[str, Any] | Refusal:
    """What a request names: the accelerators attached, or a machine type that may have them built in or attached."""
    attached = at(request, "guestAccelerators")
    if isinstance(attached, list) and (attached or at(request, "machineType") is None):
        counts = [whole(at(one, "acceleratorCount")) for one in attached]
        count = None if None in counts else whole(sum(one or 0 for one in counts))
        if count is None:
            return Refusal(
                "field",
                f"request.guestAccelerators is {shown(attached)}; expected each with acceleratorCount, a number.",
            )
        name = _last_part(text(attached[0], "acceleratorType")) if attached else None  # an instance has one type
        return {"accelerator": name and name.removesuffix("-vws"), "count": count, **_reserved(request)}
    machine = _last_part(text(request, "machineType"))
    if machine is None:
        return {}
    held = {"instances": 1}
    if TAKES_GPUS.fullmatch(machine):
        if verb == "setMachineType":  # what is attached stays
            return {}
        if _whole_machine(request):
            held = {"count": 0}
    return {"instance_type": machine, **held, **_reserved(request)}


def _whole_machine(request: object) -> bool:
    """Whether a request says all of a machine: it names its disks, and no template or image that may say more."""
    return (
        isinstance(request, dict)
        and bool(request.get("disks"))
        and not any(name.startswith("source") for name in request)
    )


def _reserved(request: object) -> dict[str, Any]:
    """The reservation that an instance asks for by name."""
    names = at(request, "reservationAffinity", "values")
    return {"reservation": names[0]} if isinstance(names, list) and names and isinstance(names[0], str) else {}


def _last_part(url: str | None) -> str | None:
    return None if url is None else url.rpartition("/")[2] or None
