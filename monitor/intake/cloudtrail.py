"""Management events of AWS CloudTrail: which EC2 instances and reservations an account holds, and SageMaker's jobs.

Read are delivery files (`{"Records": […]}`), the answers and lines of LookupEvents (the record is a text inside
`CloudTrailEvent`), what EventBridge makes of a record (it is the `detail`), and records one a line, by themselves or as
the `record` beside the name of their file. What a trail writes beside them (insights into how often calls are made,
digests of its files) is ignored.

Only what a call brought about counts: a record with an `errorCode` is a request that was refused. An instance is held
from the call that launched or started it, though it runs some seconds later: a trail says no more. It is held until the
call that stopped or terminated it, or until a spot instance was taken back. What a call brought about stands in its
response, an instance each; numbers that were asked for are not read. Instance types are never judged here: one without
accelerators is for the catalogue to know.

A capacity reservation is held whole while it is active, also where nothing runs in it, and the instances in it are
within it. One with an end date is good until then. What begins later (capacity blocks) is promised and described; that
it is there, EventBridge says. A training job is only described: when it got its instances, and for how long, is said
by its state changes, too (`eventbridge`). Jobs of Bedrock name no hardware.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from monitor.core.model import SECOND_MS
from monitor.intake.canonical import instant_ms
from monitor.intake.dialect import (
    DESCRIBED,
    RESERVATION,
    RESIZED,
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

DOMAIN = ".amazonaws.com"
EC2, SAGEMAKER = "ec2" + DOMAIN, "sagemaker" + DOMAIN
HELD_STATES = frozenset({"pending", "running"})
FREE_STATES = frozenset({"stopping", "stopped", "shutting-down", "terminated"})
ACTIVE = "active"
SOME = 5  # so many allocations are named for people, of those that one record is about

Made = Iterable[Event | Refusal]


class Call(NamedTuple):
    """A call that was not refused: what it asked for, what it brought about, and what all events of it share."""

    name: str
    request: Any
    response: Any
    source: str
    id: str
    time: str
    account: str
    region: str | None
    options: Options


def recognises(document: object) -> bool:
    """Whether a JSON document is of this dialect: it is a record of it, or a list of which the first is one."""
    for listed in (document, at(document, "Records"), at(document, "Events")):
        if isinstance(listed, list):
            return bool(listed) and _is_record(listed[0])
    return _is_record(document)


def _is_record(document: object) -> bool:
    if text(document, "CloudTrailEvent") is not None:
        return True
    record = _inside(document)
    called = (text(record, "eventSource") or "").endswith(DOMAIN) and text(record, "eventName") is not None
    return called or _beside(record) is not None


def _beside(document: object) -> str | None:
    """What it is if a trail writes it, and it is no record of a call."""
    if isinstance(at(document, "insightDetails"), dict):
        return "insight"
    return "digest of delivery files" if text(document, "digestS3Object") is not None else None


def _inside(document: object) -> object:
    """The record in an event of EventBridge, or in a line that tells its delivery file, or the document itself."""
    for name in ("detail", "record"):
        if text(document, name, "eventName") is not None:
            return at(document, name)
    return document


def translate(raw: bytes, options: Options) -> Iterator[Translated]:
    """What becomes of each record of a file or a message."""
    for document in documents(raw):
        for record in _records(document):
            yield translated(record, options)


def documents(raw: bytes) -> Iterator[Any]:
    """The JSON document, or those of all lines where the first line is one by itself; a refusal where there is none."""
    everything = parsed(raw)
    if not isinstance(everything, Refusal):
        yield everything
        return
    told = (line for line in raw.splitlines() if line.strip())
    first = parsed(next(told, b""))
    if isinstance(first, Refusal):
        yield everything
        return
    yield first
    for line in told:
        yield parsed(line)


def _records(document: Any) -> Iterable[Any]:
    for listed in (document, at(document, "Records"), at(document, "Events")):
        if isinstance(listed, list):
            return listed
    return (document,)


def translated(record: object, options: Options) -> Translated:
    """What becomes of one record, however it is wrapped."""
    inside = text(record, "CloudTrailEvent")
    record = _inside(record) if inside is None else parsed(inside.encode())
    if isinstance(record, Refusal):
        return Translated("record", record)
    service, name = text(record, "eventSource"), text(record, "eventName")
    if service is None or name is None or not isinstance(record, dict):
        other = _beside(record)
        if other is not None:
            return Translated(other, Ignored(other))
        expected = "expected a record of CloudTrail, with eventSource and eventName"
        return Translated("record", Refusal("envelope", f"The record is {shown(record)}; {expected}."))
    verb = VERBS.get((service, name))
    if verb is None:
        called = shown(f"{service.removesuffix(DOMAIN)} {name}", quote=False)
        return Translated(called, Ignored(called))
    error = record.get("errorCode")
    if error is not None and error != "":  # tables that were made of records have no null
        return Translated(name, Ignored(f"{name} refused: {shown(error, quote=False)}"))
    call = _call(record, name, options)
    if isinstance(call, Refusal):
        return Translated(name, call)
    make, otherwise = verb
    made = tuple(make(call))
    if not made:
        return Translated(name, Ignored(f"{name}: {otherwise}"))
    return Translated(about(name, made), together(*made))


def about(name: str, made: Iterable[Event | Refusal]) -> str:
    """For people: what happened, and to which allocations."""
    held = dict.fromkeys(text(one, "data", "allocation") for one in made if not isinstance(one, Refusal))
    held.pop(None, None)
    named = ", ".join(shown(one, quote=False) for one in list(held)[:SOME])
    return f"{name} {named} and {len(held) - SOME:,} more" if len(held) > SOME else f"{name} {named}".rstrip()


def _call(record: Mapping[str, Any], name: str, options: Options) -> Call | Refusal:
    time = instant(record.get("eventTime"))
    if isinstance(time, Refusal):
        return time
    identity = text(record, "eventID")
    if identity is None:
        return Refusal("envelope", f"eventID is {shown(record.get('eventID'))}; expected the id of the record.")
    account = text(record, "recipientAccountId") or text(record, "userIdentity", "accountId")
    if account is None:
        return Refusal("field", "recipientAccountId is missing; expected the account that the record is of.")
    region = text(record, "awsRegion")
    response = at(record, "responseElements")
    response = at(response, f"{name}Response") or response  # newer calls of EC2 are logged in a wrapper
    request = at(record, "requestParameters")
    request = at(request, f"{name}Request") or request
    if name == "BidEvictedEvent":
        response = at(record, "serviceEventDetails")
    source = source_of(options, region)
    return Call(name, request, response, source, identity, time, account, region, options)


def source_of(options: Options, region: str | None) -> str:
    """The source of events of a region: what is unique there need not be so elsewhere."""
    return options.source if region is None else f"{options.source}/{region}"


def owner(options: Options, account: str) -> dict[str, str]:
    """Whose it is: the account, or the tenant whose account that is."""
    return {"tenant": account} if options.tenant is None else {"tenant": options.tenant, "account": account}


def several(listed: Any) -> list[Any]:
    """What a list of EC2 holds; it is written as `items`, as `item`, and that as a list or as the only one."""
    for name in ("items", "item"):
        inside = at(listed, name)
        if inside is not None:
            return inside if isinstance(inside, list) else [inside]
    return listed if isinstance(listed, list) else []


def _event(call: Call, kind: str, resource: str, **fields: Any) -> Event | Refusal:
    """An event of a call about one of its resources, such as i-0abc."""
    identity = call.source, f"{call.id}/{resource}"
    return event(kind, identity, call.time, **owner(call.options, call.account), region=call.region, **fields)


# -- instances -------------------------------------------------------------------------------------------------------


def _instances(listed: Any) -> dict[str, Any]:
    """The instances of a list by id, each once."""
    found: dict[str, Any] = {}
    for item in several(listed):
        name = text(item, "instanceId")
        if name is not None:
            found.setdefault(name, item)
    return found


def _launched(call: Call, name: str, item: object, instance_type: str | None) -> Event | Refusal:
    """An instance that was launched, and what is said of where it is."""
    reservation = text(item, "capacityReservationId")
    inside = outer(call.options, text(item, "privateDnsName")) if reservation is None else f"ec2/{reservation}"
    return _event(
        call,
        STARTED,
        name,
        allocation=f"ec2/{name}",
        instance_type=instance_type,
        instances=1,
        zone=text(item, "placement", "availabilityZone"),
        layer="node",
        within=inside,
        reservation=reservation,
    )


def _ran(call: Call) -> Made:
    asked = text(call.request, "instanceType")
    for name, item in _instances(at(call.response, "instancesSet")).items():
        if text(item, "instanceState", "name") not in FREE_STATES:  # launched and lost in one call
            yield _launched(call, name, item, text(item, "instanceType") or asked)


def _fleet(call: Call) -> Made:
    names: set[str] = set()
    for item in several(at(call.response, "fleetInstanceSet")):
        for name in several(at(item, "instanceIds")):
            if isinstance(name, str) and name and name not in names:
                names.add(name)
                yield _launched(call, name, item, text(item, "instanceType"))


def _changed(call: Call, kind: str, states: frozenset[str]) -> Made:
    """Instances whose state is now one of these; those that were asked for, where the response has none."""
    items = _instances(at(call.response, "instancesSet")) or _instances(at(call.request, "instancesSet"))
    for name, item in items.items():
        if text(item, "currentState", "name") in {None, *states}:
            yield _event(call, kind, name, allocation=f"ec2/{name}")


def _started(call: Call) -> Made:
    return _changed(call, STARTED, HELD_STATES)


def _stopped(call: Call) -> Made:
    return _changed(call, STOPPED, FREE_STATES)


def _evicted(call: Call) -> Made:
    listed = at(call.response, "instanceIdSet")
    for name in dict.fromkeys(name for name in several(listed) if isinstance(name, str) and name):
        yield _event(call, STOPPED, name, allocation=f"ec2/{name}", reason="spot instance taken back")


def _modified(call: Call) -> Made:
    """Another type can be given to a stopped instance only: it counts from its next start."""
    name, instance_type = text(call.request, "instanceId"), text(call.request, "instanceType", "value")
    if text(call.request, "attribute") == "instanceType":
        instance_type = text(call.request, "value")
    if name is not None and instance_type is not None:
        yield _event(call, DESCRIBED, name, allocation=f"ec2/{name}", instance_type=instance_type, instances=1)


# -- reservations ----------------------------------------------------------------------------------------------------


def _reserved(call: Call) -> Made:
    """A reservation that is there, or one that is promised: its instances count once it is there."""
    said = at(call.response, "capacityReservation")
    name, state = text(said, "capacityReservationId"), text(said, "state")
    if name is None:
        return
    end = _time(at(said, "endDate"))
    shape: dict[str, Any] = {
        "allocation": f"ec2/{name}",
        "instance_type": text(said, "instanceType"),
        "instances": whole(at(said, "totalInstanceCount")),
        "zone": text(said, "availabilityZone"),
        "layer": "reservation",
        "within": outer(call.options, None),
    }
    if state is None or state == ACTIVE:
        yield _event(call, STARTED, name, lease_seconds=_seconds(call.time, end), **shape)
        return
    yield _event(call, DESCRIBED, name, **shape)
    promise: dict[str, Any] = {"from": _time(at(said, "startDate")), "to": end}
    identity, whose = (call.source, f"{call.id}/{name}/promised"), owner(call.options, call.account)
    yield event(RESERVATION, identity, call.time, **whose, reservation=f"ec2/{name}", **promise, state="granted")


def _re_reserved(call: Call) -> Made:
    """Another number of instances, or another end."""
    name, instances = _asked(call, "CapacityReservationId"), whole(_asked(call, "InstanceCount"))
    lease = _seconds(call.time, _time(_asked(call, "EndDate")))
    if isinstance(name, str) and name and (instances is not None or lease is not None):
        kind = SEEN if instances is None else RESIZED
        yield _event(call, kind, name, allocation=f"ec2/{name}", instances=instances, lease_seconds=lease)


def _cancelled(call: Call) -> Made:
    name = _asked(call, "CapacityReservationId")
    if isinstance(name, str) and name:
        yield _event(call, STOPPED, name, allocation=f"ec2/{name}")


def _asked(call: Call, name: str) -> Any:
    """A parameter of the request: those of newer calls begin with a capital, those of older ones do not."""
    value = at(call.request, name)
    return at(call.request, name[0].lower() + name[1:]) if value is None else value


def _time(value: object) -> str | None:
    """A time that says until when something is good; None: it says none."""
    found = instant(value)
    return None if isinstance(found, Refusal) else found


def _seconds(start: str, end: str | None) -> int | None:
    """Seconds between two times; None: there is no end, or it was before."""
    if end is None:
        return None
    seconds = (instant_ms(end) - instant_ms(start)) // SECOND_MS
    return seconds if seconds > 0 else None


# -- training jobs ---------------------------------------------------------------------------------------------------


def training(job: str, group: str | None, instance_type: str | None, instances: int | None) -> dict[str, Any]:
    """The fields of a training job, or of one group of its instances; `ml.p5.48xlarge` is a p5.48xlarge."""
    return {
        "allocation": f"sagemaker/{job}" if group is None else f"sagemaker/{job}/{group}",
        "instance_type": None if instance_type is None else instance_type.removeprefix("ml."),
        "instances": instances,
        "layer": "job",
        "job": job,
        "purpose": "training",
    }


def _job(call: Call) -> Made:
    job, config = text(call.request, "trainingJobName"), at(call.request, "resourceConfig")
    if job is None:
        return
    groups = at(config, "instanceGroups")
    for group in groups if isinstance(groups, list) and groups else [config]:
        name = text(group, "instanceGroupName")
        shape = training(job, name, text(group, "instanceType"), whole(at(group, "instanceCount")))
        yield _event(call, DESCRIBED, shape["allocation"], **shape)


def _job_stopped(call: Call) -> Made:
    job = text(call.request, "trainingJobName")
    if job is not None:
        yield _event(call, STOPPED, job, allocation=f"sagemaker/{job}")


# What each call that matters becomes, and what is said of one that becomes nothing.
VERBS: Mapping[tuple[str, str], tuple[Callable[[Call], Made], str]] = {
    (EC2, "RunInstances"): (_ran, "no instance in the response"),
    (EC2, "CreateFleet"): (_fleet, "no instance in the response; RunInstances tells of each"),
    (EC2, "StartInstances"): (_started, "no instance was started"),
    (EC2, "StopInstances"): (_stopped, "no instance was stopped"),
    (EC2, "TerminateInstances"): (_stopped, "no instance was terminated"),
    (EC2, "BidEvictedEvent"): (_evicted, "no instance is named"),
    (EC2, "ModifyInstanceAttribute"): (_modified, "the instance type stays"),
    (EC2, "CreateCapacityReservation"): (_reserved, "no reservation in the response"),
    (EC2, "PurchaseCapacityBlock"): (_reserved, "no reservation in the response"),
    (EC2, "ModifyCapacityReservation"): (_re_reserved, "the number of instances and the end stay"),
    (EC2, "CancelCapacityReservation"): (_cancelled, "no reservation is named"),
    (SAGEMAKER, "CreateTrainingJob"): (_job, "no job is named"),
    (SAGEMAKER, "StopTrainingJob"): (_job_stopped, "no job is named"),
}
