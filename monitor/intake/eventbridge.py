"""Events of AWS EventBridge: states of EC2 instances, Auto Scaling, reservations, SageMaker's jobs and clusters.

A state change of an instance names no type: that stands in CloudTrail's record of the launch, and the books join the
two. `running` starts; `stopped` and `terminated` end, and what lies between goes before one of them. Of an instance
that Auto Scaling launched it says that it was seen; one that it terminated holds nothing. What goes into a warm pool is
left to the other records. Records of CloudTrail on the same bus are read as `cloudtrail` reads them. A capacity block,
or a reservation for a later day, is there from its event on: the call that bought it only described it.

A training job holds its instances from `TrainingStartTime` to `TrainingEndTime`, both of which its later state changes
repeat. So start and end are facts of the job, not of the event that tells them, and each counts once.

Instances of a HyperPod cluster run in an account of AWS, so no other record tells of them: each group of a cluster is
one allocation of as many as are there, until the cluster is deleted. That a group was taken out of a cluster nothing
tells. State changes of endpoints name no instance type: they are ignored.

A replayed event has the id of the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.intake import cloudtrail
from monitor.intake.cloudtrail import about, documents, owner, source_of, training
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
    text,
    together,
    whole,
)
from monitor.intake.refusal import Ignored, Refusal, shown

STATE_CHANGE = "EC2 Instance State-change Notification"
TRAINING_JOB = "SageMaker Training Job State Change"
LAUNCHED, TERMINATED = "EC2 Instance Launch Successful", "EC2 Instance Terminate Successful"
CLUSTER = "SageMaker HyperPod Cluster State Change"
# The guide to EC2 has had two names for the events of a capacity block.
WARNINGS = frozenset({"Capacity Block Expiration Warning", "Capacity Block Reservation Expiration Warning"})
RESERVATIONS = {
    "Capacity Block Delivered": STARTED,
    "Capacity Block Reservation Delivered": STARTED,
    "EC2 Capacity Reservation Active": STARTED,
    "EC2 Capacity Reservation Expired": STOPPED,
    "EC2 Capacity Reservation Cancelled": STOPPED,
    **dict.fromkeys(WARNINGS, STOPPED),
}
BY_STATE = {"running": STARTED, "stopped": STOPPED, "terminated": STOPPED}
ENDED = frozenset({"Completed", "Failed", "Stopped"})
MILLISECONDS_MAX = 4_133_980_800_000  # 2101

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Outcome = tuple[Event, ...] | Ignored | Refusal


def recognises(document: object) -> bool:
    """Whether a JSON document is of this dialect: it is an event of it, or a list of which the first is one."""
    if isinstance(document, list):
        return bool(document) and _is_event(document[0])
    return _is_event(document)


def _is_event(document: object) -> bool:
    named = text(document, "detail-type") is not None and text(document, "source") is not None
    return named and isinstance(at(document, "detail"), dict) and not cloudtrail.recognises(document)


def translate(raw: bytes, options: Options) -> Iterator[Translated]:
    """What becomes of an event, or of each of a list, or of those on lines."""
    for document in documents(raw):
        for told in document if isinstance(document, list) else (document,):
            yield cloudtrail.translated(told, options) if cloudtrail.recognises(told) else _translated(told, options)


def _translated(told: object, options: Options) -> Translated:
    if isinstance(told, Refusal):
        return Translated("event", told)
    name = text(told, "detail-type")
    if name is None or not isinstance(at(told, "detail"), dict):
        expected = "expected an event of EventBridge, with detail-type and detail"
        return Translated("event", Refusal("envelope", f"The record is {shown(told)}; {expected}."))
    name = shown(name, quote=False)
    outcome = _outcome(told, name, options)
    return Translated(name if isinstance(outcome, Ignored | Refusal) else about(name, outcome), outcome)


def _outcome(told: object, name: str, options: Options) -> Outcome:
    if name == TRAINING_JOB:
        return _training(told, options)
    if name == CLUSTER:
        return _cluster(told, options)
    detail = at(told, "detail")
    state = text(detail, "state")
    if name == STATE_CHANGE:
        kind, key = BY_STATE.get(state or ""), "instance-id"
        if kind is None:
            return Ignored(f"{name}: {shown(state, quote=False)}")
    elif name in (LAUNCHED, TERMINATED):
        kind, key = SEEN if name == LAUNCHED else STOPPED, "EC2InstanceId"
        if text(detail, "Destination") == "WarmPool":
            return Ignored(f"{name}: into a warm pool")
    elif name in RESERVATIONS:
        kind, key = RESERVATIONS[name], "capacity-reservation-id"
    else:
        return Ignored(name)
    # The warning comes 40 minutes before the end, and nothing comes at the end.
    time = instant(at(detail, "end-date") if name in WARNINGS else at(told, "time"))
    if isinstance(time, Refusal):
        return time
    resource = text(detail, key) or text(detail, key.replace("-", "_"))
    identity, account, region = text(told, "id"), text(told, "account"), text(told, "region")
    if identity is None or account is None:
        return Refusal("envelope", "id or account is missing; expected both, as EventBridge sends them.")
    if resource is None:
        return Refusal("field", f"detail.{key} is missing; expected what the event is about.")
    within = outer(options, None) if kind == STARTED else None
    made = event(
        kind,
        (source_of(options, region), identity),
        time,
        **owner(options, account),
        allocation=f"ec2/{resource}",
        region=region,
        layer="reservation" if key == "capacity-reservation-id" else "node",
        within=within,
    )
    return together(made)


def _training(told: object, options: Options) -> Outcome:
    detail = at(told, "detail")
    job, account, region = text(detail, "TrainingJobName"), text(told, "account"), text(told, "region")
    if job is None or account is None:
        return Refusal("field", "detail.TrainingJobName or account is missing; expected whose job it is.")
    start, end = at(detail, "TrainingStartTime"), at(detail, "TrainingEndTime")
    status = text(detail, "TrainingJobStatus")
    if start is None:
        return Ignored(f"{TRAINING_JOB}: {shown(status, quote=False)}, not started")
    began = _moment(start)
    ended = _moment(at(told, "time") if end is None else end) if status in ENDED else None
    for time in (began, ended):
        if isinstance(time, Refusal):
            return time
    config = at(detail, "ResourceConfig")
    groups = at(config, "InstanceGroups")
    made: list[Event | Refusal] = []
    for group in groups if isinstance(groups, list) and groups else [config]:
        shape = training(
            job,
            text(group, "InstanceGroupName"),
            text(group, "InstanceType"),
            whole(at(group, "InstanceCount")),
        )
        fact = f"{account}/{shape['allocation']}/{began}"
        for kind, verb, time in ((STARTED, "start", began), (STOPPED, "end", ended)):
            if isinstance(time, str):
                identity = source_of(options, region), f"{fact}/{verb}"
                fields = {**shape, "region": region, "within": outer(options, None)}
                made.append(event(kind, identity, time, **owner(options, account), **fields))
    return together(*made)


def _cluster(told: object, options: Options) -> Outcome:
    """As many instances of each group as are there; a cluster that is being deleted gives all of them back."""
    detail, identity, region = at(told, "detail"), text(told, "id"), text(told, "region")
    cluster, account, groups = text(detail, "ClusterName"), text(told, "account"), at(detail, "InstanceGroups")
    if identity is None or cluster is None or account is None:
        return Refusal("field", "id, account or detail.ClusterName is missing; expected whose cluster it is.")
    time = instant(at(told, "time"))
    if isinstance(time, Refusal):
        return time
    status = text(detail, "ClusterStatus")
    made: list[Event | Refusal] = []
    for group in groups if isinstance(groups, list) else ():
        name, count = text(group, "InstanceGroupName"), whole(at(group, "CurrentCount"))
        if name is None or count is None:
            expected = "expected each with InstanceGroupName, and CurrentCount, a number"
            return Refusal("field", f"detail.InstanceGroups is {shown(groups)}; {expected}.")
        if status == "Creating" and not count:
            continue  # nothing has come yet
        held: dict[str, Any] = {}
        if count and status != "Deleting":
            kind = text(group, "InstanceType")
            held = {"instance_type": kind and kind.removeprefix("ml."), "instances": count}
        made.append(
            event(
                STARTED if held else STOPPED,
                (source_of(options, region), f"{identity}/{name}"),
                time,
                **owner(options, account),
                allocation=f"hyperpod/{cluster}/{name}",
                region=region,
                layer="node",
                within=outer(options, None) if held else None,
                **held,
            )
        )
    return together(*made) if made else Ignored(f"{CLUSTER}: {shown(status, quote=False)}, no instance")


def _moment(value: Any) -> str | Refusal:
    """A time as text, or as SageMaker writes it: milliseconds since 1970."""
    if type(value) is int and 0 <= value < MILLISECONDS_MAX:
        value = (_EPOCH + timedelta(milliseconds=value)).isoformat(timespec="milliseconds")
    return instant(value)
