"""Activity logs of Azure: which virtual machine is held, from when, until when.

Read are records in the form of the REST interface (also as its Python library writes it), in that of Event Hubs, which
sends `{"records": [...]}`, rows of the table AzureActivity that a workspace exports, and events of Event Grid; each
alone or in a list.

An operation writes two to four records: it is started, perhaps accepted, and has succeeded or failed. Only success
starts or stops anything, so an operation counts once. The size of a machine stands nowhere but in the body of the
request or of the answer, if the log has it: where a record under way has it, it describes and holds nothing.

`deallocate` and `delete` free the hardware. `powerOff` does not: the machine was seen. `write` is both create and
update, and the log does not say which, so success of it starts: on a machine that is held that changes nothing, but
one that is deallocated counts as held again until it is started and deallocated anew. A resize while held is seen if
the record of its success has the body. A scale set is one allocation of so many instances, but one in which machines
are arranged freely holds nothing by itself: its machines have records of their own.

Many logs have no bodies. Success of a `write` without one starts what nobody has named yet, since it may be all that is
ever said of a new machine: unknown hardware, until a record of any time that has a body, an inventory or the nodes of a
cluster name it, from its start on.

Case differs from record to record, so resources are named in lower case.

A spot machine that Azure takes back (`evictSpotVM`) frees the hardware, whatever becomes of its disks. Where some of
a set are evicted, deallocated or deleted, nothing says how many are left: that is ignored, and the next `write` counts.
So are events of Event Grid of other types, and metrics on the same hub.

The meaning of the verbs is that of the Azure Monitor activity log documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

MACHINES, SETS = "microsoft.compute/virtualmachines/", "microsoft.compute/virtualmachinescalesets/"
WHAT_IT_DOES = {
    MACHINES + "write": STARTED,
    MACHINES + "start/action": STARTED,
    MACHINES + "deallocate/action": STOPPED,
    MACHINES + "delete": STOPPED,
    MACHINES + "evictspotvm/action": STOPPED,
    MACHINES + "poweroff/action": SEEN,
    SETS + "write": STARTED,
    SETS + "delete": STOPPED,
}
SUCCEEDED = {"succeeded", "success"}
FAILED = {"failed", "failure", "canceled", "cancelled", "cancel"}
BODIES = ("responsebody", "requestbody")  # what was answered counts more than what was asked for

ACTIVITIES = "Microsoft.Resources."  # so begin the types of events of Event Grid that are activities

# The names of a field in each form.
OPERATION = ("operationName", "operation_name", "OperationNameValue")
STATUS = ("status", "resultType", "ActivityStatusValue")
TIME = ("eventTimestamp", "event_timestamp", "eventTime", "time", "TimeGenerated")
RESOURCE = ("resourceId", "resource_id", "resourceUri", "_ResourceId", "ResourceId")
SUBSCRIPTION = ("subscriptionId", "subscription_id", "SubscriptionId")
CORRELATION = ("correlationId", "correlation_id", "CorrelationId")
UNIQUE = ("eventDataId", "event_data_id", "EventDataId")
PROPERTIES = ("properties", "Properties_d", "Properties")


def recognises(document: object) -> bool:
    """Whether a JSON document is of this dialect."""
    first = next(_records(document), None)
    record = _flat(first)
    operation, kind = _first(record, OPERATION), text(first, "eventType") or text(first, "type") or ""
    if kind.startswith(ACTIVITIES) or (text(first, "specversion") is None and _other(first) is not None):
        return True
    resource = _first(record, RESOURCE)
    return isinstance(operation, str) and isinstance(resource, str) and ("/" in operation or resource.startswith("/"))


def _other(record: object) -> str | None:
    """What it is if Azure sends it on the same ways, and it is no activity."""
    if text(record, "metricName") is not None and text(record, "resourceId") is not None:
        return "metric"
    is_event = at(record, "dataVersion") is not None or text(record, "specversion") is not None
    kind = (text(record, "eventType") or text(record, "type")) if is_event else None
    return None if kind is None or kind.startswith(ACTIVITIES) else shown(kind, quote=False)


def translate(raw: bytes, options: Options) -> Iterator[Translated]:
    """What becomes of each activity of a record."""
    document = parsed(raw)
    if isinstance(document, Refusal):
        yield Translated("activity", document)
        return
    for one in _records(document):
        record = _flat(one)
        operation = _first(record, OPERATION)
        if isinstance(operation, str):
            yield Translated(shown(operation, quote=False), _outcome(record, operation, options))
        elif (other := _other(one)) is not None:
            yield Translated(other, Ignored(other))
        else:
            yield Translated(
                "activity", Refusal("envelope", f"The record is {shown(one)}; expected an activity with operationName.")
            )


def _records(document: object) -> Iterator[object]:
    """The records in a document: Event Hubs puts them into `records`, the REST interface into `value`."""
    if isinstance(document, Mapping):
        for name in ("records", "value"):
            if isinstance(document.get(name), list):
                document = document[name]
                break
    if isinstance(document, list):
        yield from document
    else:
        yield document


def _flat(record: object) -> Mapping[str, Any]:
    """The fields of an activity, and under `id` what tells events of Event Grid apart."""
    if not isinstance(record, Mapping):
        return {}
    data = record.get("data")
    if isinstance(data, Mapping) and "operationName" in data:
        own = {"eventTime": record.get("eventTime") or record.get("time"), "eventDataId": record.get("id")}
        return {**data, **own}
    return record


def _first(record: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The field of one of these names; the REST interface writes some as {value, localizedValue}."""
    for name in names:
        value = record.get(name)
        if value is not None:
            return value.get("value") if isinstance(value, Mapping) else value
    return None


def _outcome(record: Mapping[str, Any], operation: str, options: Options) -> tuple[Event, ...] | Ignored | Refusal:
    folded = operation.lower()
    kind = WHAT_IT_DOES.get(folded)
    if kind is None:
        return Ignored(shown(folded, quote=False))
    status = _first(record, STATUS)
    word = status.lower() if isinstance(status, str) else ""
    if word in FAILED:
        return Ignored(f"{folded} refused: {shown(status, quote=False)}")
    shape = {} if kind is STOPPED else _shape(record, folded.startswith(SETS))
    if word not in SUCCEEDED:
        if not shape:
            return Ignored(f"{folded} under way")
        kind = DESCRIBED
    resource = _first(record, RESOURCE)
    path = resource.lower().strip("/").split("/") if isinstance(resource, str) else []
    subscription = _first(record, SUBSCRIPTION) or (path[1] if path[0:1] == ["subscriptions"] and path[1:] else None)
    if len(path) < 2 or not isinstance(subscription, str):
        return Refusal("field", f"resourceId is {shown(resource)}; expected the path of a resource in a subscription.")
    stated = _first(record, TIME)
    time = instant(stated)
    if isinstance(time, Refusal):
        return time
    id = _first(record, UNIQUE)
    if not isinstance(id, str):  # records of Event Hubs have none
        id = f"{_first(record, CORRELATION)}/{folded}/{word}/{stated}/{'/'.join(path)}"
    tenant = subscription.lower()
    held: dict[str, Any] = {}
    if kind is not STOPPED:
        held = {"region": _region(record.get("location")), "layer": "node", "within": outer(options, path[-1]), **shape}
    return together(
        event(
            kind,
            (options.source, id),
            time,
            options.tenant or tenant,
            allocation="azure/" + "/".join(path),
            account=tenant if options.tenant else None,
            **held,
        )
    )


def _shape(record: Mapping[str, Any], of_set: bool) -> dict[str, Any]:
    """What the bodies in a record's properties say of a machine or a scale set; nothing where there are none."""
    properties = next((record[name] for name in PROPERTIES if record.get(name)), None)
    if isinstance(properties, str):
        properties = parsed(properties.encode())
    if not isinstance(properties, Mapping):
        return {}
    bodies = {name.lower(): body for name, body in properties.items() if name.lower() in BODIES}
    for name in BODIES:
        body = bodies.get(name)
        content = parsed(body.encode()) if isinstance(body, str) else body
        shape = _shape_of_set(content) if of_set else _shape_of_machine(content)
        if shape:
            return {**shape, **({"region": region} if (region := _region(at(content, "location"))) else {})}
    return {}


def _shape_of_machine(content: object) -> dict[str, Any]:
    size = text(content, "properties", "hardwareProfile", "vmSize")
    if size is None:
        return {}
    group = text(content, "properties", "capacityReservation", "capacityReservationGroup", "id")
    reserved = {} if group is None else {"reservation": group.lower().strip("/")}
    return {"instance_type": size, "instances": 1, **reserved}


def _shape_of_set(content: object) -> dict[str, Any]:
    if (text(content, "properties", "orchestrationMode") or "").lower() == "flexible":
        return {"instances": 0}  # its machines have records of their own
    size, capacity = text(content, "sku", "name"), whole(at(content, "sku", "capacity"))
    if size is None:
        return {} if capacity is None else {"instances": capacity}
    return {"instance_type": size, "instances": capacity}


def _region(location: object) -> str | None:
    """A region by one name: "East US" and "eastus" are the same; activities that belong to none are "global"."""
    folded = "".join(location.split()).lower() if isinstance(location, str) else ""
    return folded if folded and folded != "global" else None
