"""Events of EventBridge: what each becomes, and that they and CloudTrail together tell of one instance once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.intake.dialect import Event, Options
from monitor.intake.eventbridge import recognises, translate
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
from tests.intake.test_cloudtrail import ACCOUNT, call
from tests.intake.test_cloudtrail import made as called

OPTIONS = Options("/aws")
STATE, JOB = "EC2 Instance State-change Notification", "SageMaker Training Job State Change"
CLUSTER = "SageMaker HyperPod Cluster State Change"
WORKER, CONTROL = "hyperpod/pretraining/worker", "hyperpod/pretraining/control"
HOUR = 3_600_000 * 1_000  # of one instance: thousandths times milliseconds


def made(name: str, options: Options = OPTIONS) -> list[Event]:
    """The events of a built sample."""
    return events(translate, sample(f"eventbridge/built-{name}.json"), options)


BUILT: list[tuple[str, str]] = [
    ("running", "started ec2/i-0a1"),
    ("stopping", f"ignored: {STATE}: shutting-down"),
    ("terminated", "stopped ec2/i-0a1"),
    ("terminated-replayed", "stopped ec2/i-0a1"),
    ("launch-successful", "seen ec2/i-0a1"),
    ("launch-into-warm-pool", "ignored: EC2 Instance Launch Successful: into a warm pool"),
    ("terminate-successful", "stopped ec2/i-0a1"),
    ("capacity-block-delivered", "started ec2/cr-0a1"),
    ("capacity-block-expires", "stopped ec2/cr-0a1"),
    ("reservation-active", "started ec2/cr-0a1"),
    ("cluster-creating", f"ignored: {CLUSTER}: Creating, no instance"),
    ("cluster-in-service", f"started {WORKER}, started {CONTROL}"),
    ("cluster-emptied", f"stopped {WORKER}, started {CONTROL}"),
    ("cluster-deleting", f"stopped {WORKER}, stopped {CONTROL}"),
    ("training-pending", f"ignored: {JOB}: InProgress, not started"),
    ("training-started", "started sagemaker/llm-7"),
    ("training-completed", "started sagemaker/llm-7, stopped sagemaker/llm-7"),
    ("training-failed-early", f"ignored: {JOB}: Failed, not started"),
    ("health", "ignored: AWS Health Event"),
]


@pytest.mark.parametrize(("name", "outcome"), BUILT)
def test_a_built_event_becomes_this(name: str, outcome: str) -> None:
    """Each sample is recognised and starts, stops, was seen or is ignored with its reason."""
    raw = sample(f"eventbridge/built-{name}.json")

    assert recognises(json.loads(raw))
    assert [outcome] == outcomes(translate, raw, OPTIONS)


REAL_OUTCOMES: list[tuple[str, str]] = [
    ("autoscaling-event-launch-successful", "refused: time"),  # the epoch
    ("autoscaling-event-terminate-successful", "refused: time"),
    ("ec2-state-terminated", "stopped ec2/i-1234567890abcdef0"),  # the key is instance_id, and it is a replay
    ("event-asg-instance-failed", "ignored: EC2 Instance Launch Unsuccessful"),
    ("event-instance-state", f"ignored: {STATE}: pending"),
    ("event-phd-ec2-retire", "ignored: AWS Health Event"),
]


@pytest.mark.skipif(not REAL.is_dir(), reason="shared/data/events is not beside the checkout")
@pytest.mark.parametrize(("name", "outcome"), REAL_OUTCOMES)
def test_a_real_event_becomes_this(name: str, outcome: str) -> None:
    """Each real sample is recognised and becomes what its collection says it is."""
    raw = (REAL / "aws_eventbridge" / f"{name}.json").read_bytes()

    assert recognises(json.loads(raw))
    assert [outcome] == outcomes(translate, raw, OPTIONS)


def test_a_replay_is_the_same_fact() -> None:
    """A replayed event is known by its id, whatever else it says."""
    assert made("terminated") == made("terminated-replayed")


def test_records_of_cloudtrail_on_the_bus_are_those_of_its_files() -> None:
    """The bus carries calls as well: they become what the delivery file makes of them."""
    raw = sample("cloudtrail/built-eventbridge-detail.json")

    assert not recognises(json.loads(raw))
    assert called("run-instances") == events(translate, raw, OPTIONS)


def test_a_call_and_its_state_changes_count_once() -> None:
    """An instance is held from the call, named by it, and until the call that ended it; later states add nothing."""
    launched = [one for one in called("run-instances") if one["data"]["allocation"] == "ec2/i-0a1"]
    told = [*launched, *made("running"), *made("launch-successful"), *made("terminated"), *made("terminate-successful")]

    assert {(ACCOUNT, "p5.48xlarge"): 4 * HOUR + 40_000 * 1_000} == used(book_of(told))
    assert 1 == len(set(books_in_any_order(told).values()))


def test_a_capacity_block_is_held_from_its_delivery_to_its_end() -> None:
    """What was bought is known from the purchase; it is held for the week that it is there."""
    told = [*called("purchase-capacity-block"), *made("capacity-block-delivered"), *made("capacity-block-expires")]

    assert {(ACCOUNT, "p5.48xlarge"): 4 * 7 * 24 * HOUR} == used(book_of(told))


RESERVATIONS: list[tuple[str, str]] = [
    ("Capacity Block Delivered", "started 2026-03-01T11:30:00Z"),
    ("Capacity Block Expiration Warning", "stopped 2026-03-08T11:30:00Z"),
    ("EC2 Capacity Reservation Expired", "stopped 2026-03-01T11:30:00Z"),
    ("EC2 Capacity Reservation Cancelled", "stopped 2026-03-01T11:30:00Z"),
]


@pytest.mark.parametrize(("name", "expected"), RESERVATIONS)
def test_a_reservation_comes_and_goes_under_each_name_of_its_events(name: str, expected: str) -> None:
    """A block or a reservation for a later day is there and is over when its event says so, whatever it is called."""
    told = {**json.loads(sample("eventbridge/built-capacity-block-delivered.json")), "detail-type": name}

    (event,) = events(translate, json.dumps(told).encode(), OPTIONS)

    assert (expected, "reservation") == (f"{verb(event)} {event['time']}", event["data"]["layer"])


def test_a_cluster_is_held_as_it_grows_and_until_it_is_given_back() -> None:
    """Sixteen machines for three hours, 64 for one, none for another, and the one that controls them for five."""
    told = [one for name in ("in-service", "grown", "emptied", "deleting") for one in made(f"cluster-{name}")]

    expected = {(ACCOUNT, "p5.48xlarge"): (16 * 3 + 64) * HOUR, (ACCOUNT, "m5.12xlarge"): 5 * HOUR}
    assert expected == used(book_of(told))
    assert 1 == len(set(books_in_any_order(told).values()))


def test_every_state_change_of_a_job_tells_the_same_start() -> None:
    """The start of a job is one fact, whichever of its events tells it."""
    assert made("training-started")[0] == made("training-completed")[0]


def test_a_training_job_is_held_from_its_start_to_its_end() -> None:
    """Sixteen machines for ten hours, however often its state is told, and by the last event alone."""
    told = [*called("create-training-job"), *made("training-started"), *made("training-completed")]

    expected = {(ACCOUNT, "p5.48xlarge"): 16 * 10 * HOUR}
    assert expected == used(book_of(told))
    assert expected == used(book_of(made("training-completed")))
    assert 1 == len(set(books_in_any_order(told).values()))


def test_a_job_that_tells_no_end_ended_when_it_was_told() -> None:
    """A last state without an end is one at the time of the event; groups of instances are held apart."""
    last = json.loads(sample("eventbridge/built-training-completed.json"))
    del last["detail"]["TrainingEndTime"]
    group = {"InstanceGroupName": "train", "InstanceType": "ml.p4d.24xlarge", "InstanceCount": 2}
    last["detail"]["ResourceConfig"] = {"InstanceGroups": [group]}

    started, stopped = events(translate, json.dumps(last).encode(), OPTIONS)

    assert ("2026-03-01T08:20:00.500+00:00", "2026-03-01T18:20:05Z") == (started["time"], stopped["time"])
    assert ("sagemaker/llm-7/train", "p4d.24xlarge", 2) == tuple(
        started["data"][name] for name in ("allocation", "instance_type", "instances")
    )


def test_one_tenant_has_accounts() -> None:
    """Where the operator names the tenant, the account is one of it, and the outer allocation is theirs."""
    data = made("running", Options("/aws", "acme", "hall"))[0]["data"]

    assert ("acme", ACCOUNT, "hall") == (data["tenant"], data["account"], data["within"])


def event(**changed: Any) -> dict[str, Any]:
    """The event of an instance that runs with other fields."""
    return {**json.loads(sample("eventbridge/built-running.json")), **changed}


def job(**detail: Any) -> dict[str, Any]:
    """The event of a job that completed with other details."""
    told: dict[str, Any] = json.loads(sample("eventbridge/built-training-completed.json"))
    return {**told, "detail": {**told["detail"], **detail}}


def cluster(**detail: Any) -> dict[str, Any]:
    """The event of a cluster in service with other details."""
    told: dict[str, Any] = json.loads(sample("eventbridge/built-cluster-in-service.json"))
    return {**told, "detail": {**told["detail"], **detail}}


STRANGE: list[tuple[dict[str, Any], str]] = [
    (event(time="2026-03-01 noon"), "refused: time"),
    (event(id=None), "refused: envelope"),
    (event(account=7), "refused: envelope"),
    (event(account="\0"), "refused: field"),
    (event(detail={"state": "running"}), "refused: field"),
    (event(detail={"instance-id": "i-1", "state": "rebooting"}), f"ignored: {STATE}: rebooting"),
    (event(detail={"instance-id": "i-1"}), f"ignored: {STATE}: null"),
    (event(detail={"instance-id": "i-1", "state": "stopped"}), "stopped ec2/i-1"),
    (event(detail=[]), "refused: envelope"),
    (job(TrainingStartTime=10**30), "refused: time"),
    (job(TrainingStartTime=True), "refused: time"),
    (job(TrainingEndTime="never"), "refused: time"),
    (job(TrainingJobName=""), "refused: field"),
    (job(TrainingJobStatus="Stopping"), "started sagemaker/llm-7"),
    (cluster(ClusterName=None), "refused: field"),
    (cluster(InstanceGroups=None), f"ignored: {CLUSTER}: InService, no instance"),
    (cluster(InstanceGroups=[]), f"ignored: {CLUSTER}: InService, no instance"),
    (cluster(InstanceGroups=[{"InstanceGroupName": "worker", "CurrentCount": "many"}]), "refused: field"),
    (cluster(InstanceGroups=[{"InstanceGroupName": "worker", "CurrentCount": 2}]), f"started {WORKER}"),
    ({**cluster(), "time": None}, "refused: time"),
]


@pytest.mark.parametrize(("told", "outcome"), STRANGE)
def test_a_strange_event_has_its_reason(told: dict[str, Any], outcome: str) -> None:
    """An event that is not as it must be is refused."""
    assert [outcome] == outcomes(translate, json.dumps(told).encode(), OPTIONS)


def test_lists_and_lines_of_events_are_read() -> None:
    """A relay may join events into one record; one that is broken costs no other."""
    told = json.dumps(event()).encode()

    assert recognises([event(), {}])
    assert not recognises([])
    assert ["started ec2/i-0a1"] * 2 == outcomes(translate, b"[" + told + b"," + told + b"]", OPTIONS)
    assert ["started ec2/i-0a1", "refused: json"] == outcomes(translate, told + b"\n{\n", OPTIONS)


def changed(account: str, time: int, name: str, state: str) -> dict[str, Any]:
    """The event of a state of an instance."""
    return {
        "version": "0",
        "id": f"{name}/{state}/{time}",
        "detail-type": STATE,
        "source": "aws.ec2",
        "account": account,
        "time": said(time),
        "region": "us-east-2",
        "resources": [f"arn:aws:ec2:us-east-2:{account}:instance/{name}"],
        "detail": {"instance-id": name, "state": state},
    }


@DAYS
def test_a_simulated_day_gives_the_books_of_its_truth(scale: int) -> None:
    """The call that launched an instance names it, its states say when it was held: the books hold the truth."""
    told = []
    for step in day(scale):
        came, went = machines(step.before, step.after)
        for number in (*came, *went):
            name = f"i-{step.tenant}-{step.name}-{number}"
            if number in went:
                told.append(changed(step.tenant, step.time - 30_000, name, "shutting-down"))
                told.append(changed(step.tenant, step.time, name, "terminated"))
                continue
            told.append(
                call("RunInstances", step.tenant, step.time, [{"instanceId": name, "instanceType": step.hardware}])
            )
            told.append(changed(step.tenant, step.time, name, "pending"))
            told.append(changed(step.tenant, step.time + 20_000, name, "running"))

    made = [one for each in told for one in events(translate, json.dumps(each).encode(), OPTIONS)]

    assert truth(scale) == used(book_of(made))
    assert 1 == len(set(books_in_any_order(made).values()))
