"""One day seen by everybody who speaks of it: instances, the nodes and pods on them, and the jobs in these."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from monitor.core.model import SECOND_MS
from monitor.intake import cloudtrail, kubernetes, slurm
from monitor.intake.dialect import Event, Options
from tests.intake.foreign import Step, book_of, books_in_any_order, day, events, machines, said, sample, truth, used

HEADER = "JobIDRaw|Cluster|Account|JobName|State|Start|End|ElapsedRaw|AllocTRES|NodeList"


def lives() -> Iterator[tuple[Step, str, int, int]]:
    """Each machine of one unit in the simulated day: its first step, its name, and from when to when it is held."""
    since: dict[tuple[str, str, int], tuple[Step, str, int]] = {}
    for place, step in enumerate(day()):
        appear, go = machines(step.before, step.after)
        for number in appear:
            since[step.tenant, step.name, number] = step, f"i-{place}-{number}", step.time
        for number in go:
            yield *since.pop((step.tenant, step.name, number)), step.time


def instance(step: Step, name: str, start: int, end: int) -> list[Event]:
    """What CloudTrail says of a machine."""
    records = []
    for call, time in (("RunInstances", start), ("TerminateInstances", end)):
        record = json.loads(sample("cloudtrail/built-run-instances.json"))
        items = [{"instanceId": name, "instanceType": step.hardware}]
        record |= {"eventName": call, "eventTime": said(time), "eventID": f"{name}/{call}"}
        record |= {"responseElements": {"instancesSet": {"items": items}}, "requestParameters": {}}
        records.append(record)
    return events(cloudtrail.translate, json.dumps({"Records": records}).encode(), Options("/aws", step.tenant))


def in_cluster(step: Step, name: str, start: int, end: int) -> list[Event]:
    """What Kubernetes says of the node that the machine is, and of a pod on it."""
    identity = {"name": name, "uid": name, "creationTimestamp": said(start)}
    labels = {"nvidia.com/gpu.product": step.hardware, "nvidia.com/gpu.count": "1"}
    heartbeat = {"type": "Ready", "status": "True", "lastHeartbeatTime": said(end)}
    node: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {**identity, "resourceVersion": "1", "labels": labels},
        "spec": {"providerID": f"aws:///zone/{name}"},
        "status": {"capacity": {"nvidia.com/gpu": "1"}},
    }
    gone = {**node, "metadata": {**node["metadata"], "resourceVersion": "2"}, "status": {"conditions": [heartbeat]}}
    ended = {"state": {"terminated": {"finishedAt": said(end)}}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**identity, "namespace": "default", "resourceVersion": "3"},
        "spec": {"nodeName": name, "containers": [{"resources": {"limits": {"nvidia.com/gpu": "1"}}}]},
        "status": {
            "phase": "Succeeded",
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": said(start)}],
            "containerStatuses": [ended],
        },
    }
    watched = [("ADDED", node), ("MODIFIED", pod), ("DELETED", gone)]
    raw = [json.dumps({"type": verb, "object": thing}).encode() for verb, thing in watched]
    return [made for one in raw for made in events(kubernetes.translate, one, Options("/k8s", step.tenant))]


def job(step: Step, name: str, start: int, end: int) -> list[Event]:
    """What Slurm says of a job on the machine."""
    times = f"{said(start)}|{said(end)}|{(end - start) // SECOND_MS}"
    row = f"{name}|alps|default|n|COMPLETED|{times}|gres/gpu=1|{name}.dc\n"
    options = Options("/slurm", step.tenant, "node/{node}")
    return events(slurm.translate, f"{HEADER}\n{row}".encode(), options)


def test_a_day_seen_as_instances_pods_and_jobs_is_counted_once() -> None:
    """Whoever of the three speaks, and all together, in any order: the outermost that is known enters the books."""
    told = [(instance(*life), in_cluster(*life), job(*life)) for life in lives()]
    instances, cluster, jobs = ([one for each in view for one in each] for view in zip(*told, strict=True))
    everybody = [*jobs, *cluster, *instances]

    assert truth() == used(book_of(instances))
    assert truth() == used(book_of(cluster))
    assert truth() == used(book_of(everybody))
    assert sum(truth().values()) == sum(used(book_of(jobs)).values())
    assert 1 == len(set(books_in_any_order(everybody).values()))
