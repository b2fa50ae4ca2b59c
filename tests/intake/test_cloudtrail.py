"""Records of CloudTrail: what each becomes, that files may come in any order, and what a simulated day adds up to."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from monitor.core.catalogue import Named, normal_name
from monitor.core.engine import books_digest
from monitor.core.model import INSTANCE
from monitor.intake.cloudtrail import recognises, translate
from monitor.intake.dialect import STOPPED, Event, Options
from monitor.reference.catalogue import load_catalogue
from monitor.reference.root import config_root
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

OPTIONS = Options("/aws")
ACCOUNT = "210987654321"
REFUSED_LAUNCH = "ignored: RunInstances refused: Server.InsufficientInstanceCapacity"
SECOND = timedelta(seconds=1)
needs_samples = pytest.mark.skipif(not REAL.is_dir(), reason="shared/data/events is not beside the checkout")


def made(name: str, options: Options = OPTIONS) -> list[Event]:
    """The events of a built sample."""
    return events(translate, sample(f"cloudtrail/built-{name}.json"), options)


def record(**changed: Any) -> dict[str, Any]:
    """The record of a launch of two instances with other fields."""
    return {**json.loads(sample("cloudtrail/built-run-instances.json")), **changed}


LAUNCHED = "started ec2/i-0a1, started ec2/i-0a2"
BUILT: list[tuple[str, list[str]]] = [
    ("run-instances", [LAUNCHED]),
    ("eventbridge-detail", [LAUNCHED]),
    ("lookup-events", [LAUNCHED]),
    ("delivery-file", [
        REFUSED_LAUNCH, "stopped ec2/i-0a1", "described ec2/i-0a1", "started ec2/i-0a1",
        "stopped ec2/i-0a1, stopped ec2/i-0a2",
    ]),
    ("spot-taken-back", ["stopped ec2/i-0a1"]),
    ("create-fleet", ["started ec2/i-0b1, started ec2/i-0b2"]),
    ("create-capacity-reservation", ["started ec2/cr-0a1"]),
    ("modify-capacity-reservation", ["resized ec2/cr-0a1"]),
    ("cancel-capacity-reservation", ["stopped ec2/cr-0a1"]),
    ("create-training-job", ["described sagemaker/llm-7"]),
    ("create-training-job-of-groups", ["described sagemaker/llm-8/train, described sagemaker/llm-8/feed"]),
    ("stop-training-job", ["stopped sagemaker/llm-7"]),
    ("create-model-customization-job", ["ignored: bedrock CreateModelCustomizationJob"]),
    ("insight", ["ignored: insight"]),
    ("digest", ["ignored: digest of delivery files"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), BUILT)
def test_a_built_record_becomes_this(name: str, expected: list[str]) -> None:
    """Each sample is recognised, and each of its records starts, stops, describes or is ignored with its reason."""
    raw = sample(f"cloudtrail/built-{name}.json")

    assert recognises(json.loads(raw))
    assert expected == outcomes(translate, raw, OPTIONS)


NO_CHANGE = "ignored: ModifyInstanceAttribute: the instance type stays"
REAL_OUTCOMES: list[tuple[str, list[str]]] = [
    ("event-cloud-trail-bedrock-create-customization-jobs.json", ["ignored: bedrock CreateModelCustomizationJob"]),
    ("event-cloud-trail-run-instance-creator-assumed.json", ["started ec2/i-0f7c711dc84bedda0"]),
    ("event-cloud-trail-run-instances.json", ["started ec2/i-784cdacd, started ec2/i-7b4cdace"]),
    ("lookup-events-wrapper.jsonl", [
        "ignored: ec2 DescribeInstances", "stopped ec2/i-01234567890123456", "stopped ec2/i-01234567890123456",
        "ignored: ec2 SharedSnapshotVolumeCreated",
    ]),
    ("modify-instance-attribute.json", [NO_CHANGE]),
    ("run-instances-gpu-vcpulimit.json", ["ignored: RunInstances refused: Client.VcpuLimitExceeded"]),
    ("run-instances-invalid.json", ["ignored: RunInstances refused: Client.InvalidParameterValue"]),
    ("run-instances-success.json", ["started ec2/i-0dbc91f429e48eeed"]),
    ("terminate-instances.json", ["stopped ec2/i-0dbc91f429e48eeed"]),
]  # fmt: skip


@needs_samples
@pytest.mark.parametrize(("name", "expected"), REAL_OUTCOMES)
def test_a_real_record_becomes_this(name: str, expected: list[str]) -> None:
    """Each real sample is recognised and becomes what its collection says it is."""
    raw = (REAL / "aws_cloudtrail" / name).read_bytes()

    assert recognises(json.loads(raw.splitlines()[0] if name.endswith("l") else raw))
    assert expected == outcomes(translate, raw, OPTIONS)


@needs_samples
def test_a_real_delivery_file_holds_one_launch() -> None:
    """Of its 26 records one is a launch; the others are ignored by service and call."""
    told = outcomes(translate, (REAL / "aws_cloudtrail" / "delivery-file-one-batch.json").read_bytes(), OPTIONS)

    assert ["started ec2/i-05c30218156bcc246"] == [one for one in told if not one.startswith("ignored: ")]
    assert 25 == len([one for one in told if one.startswith("ignored: ")])
    assert "ignored: s3 CreateBucket" in told


def test_a_launch_names_everything() -> None:
    """An instance of a launch is of the account of the record, of its type, and where it says; its id is its own."""
    expected = {
        "specversion": "1.0",
        "id": "e1/i-0a2",
        "source": "/aws/us-east-2",
        "type": "io.flopwatch.allocation.started.v1",
        "time": "2026-03-01T10:00:00Z",
        "data": {
            "tenant": ACCOUNT,
            "region": "us-east-2",
            "allocation": "ec2/i-0a2",
            "instance_type": "p5.48xlarge",
            "instances": 1,
            "zone": "us-east-2b",
            "layer": "node",
            "within": "ec2/cr-0a1",
            "reservation": "cr-0a1",
        },
    }

    assert expected == made("run-instances")[1]


def test_the_type_of_an_instance_is_its_own() -> None:
    """What the response says of an instance counts; the type that was asked for stands in where it says none."""
    items = [{"instanceId": "i-1", "instanceType": "g6.xlarge"}, {"instanceId": "i-2"}, {"instanceId": "i-1"}]
    raw = json.dumps(record(responseElements={"instancesSet": {"items": items}})).encode()

    named = [one["data"]["instance_type"] for one in events(translate, raw, OPTIONS)]

    assert ["g6.xlarge", "p5.48xlarge"] == named


def test_one_tenant_has_accounts() -> None:
    """Where the operator names the tenant, the account is one of it, and the outer allocation is theirs."""
    data = made("run-instances", Options("/aws", "acme", "host/{node}"))[0]["data"]

    assert ("acme", ACCOUNT, "host/ip-10-0-0-1") == (data["tenant"], data["account"], data["within"])


def test_of_two_accounts_the_recipient_counts() -> None:
    """Who called may be of another account; without a recipient, as in old records, it is the caller's."""
    caller = {"type": "AssumedRole", "accountId": "111111111111"}
    old = record(userIdentity=caller, recipientAccountId=None)

    told = events(translate, json.dumps([record(userIdentity=caller), old]).encode(), OPTIONS)

    assert [ACCOUNT, ACCOUNT, "111111111111", "111111111111"] == [one["data"]["tenant"] for one in told]


def test_however_it_is_wrapped_a_record_is_one_fact() -> None:
    """The delivery file, the event bus and a look-up tell the same record: the same events, which count once."""
    forms = [made(name) for name in ("run-instances", "eventbridge-detail", "lookup-events")]

    assert forms[0] == forms[1] == forms[2]


def test_a_new_type_counts_from_the_next_start() -> None:
    """A stopped instance that gets another type holds that one when it is started again."""
    told = [*made("run-instances"), *made("delivery-file")]
    hours = 3_600_000 * 1_000

    book = book_of(told)

    # The other instance is of no known reservation, so it counts by itself.
    held = {(ACCOUNT, "p5.48xlarge"): (1 + 4) * hours, (ACCOUNT, "p5en.48xlarge"): 2 * hours}
    assert held == used(book)
    assert 1 == len(set(books_in_any_order(told).values()))


def test_a_reservation_is_held_whole_with_the_instances_in_it() -> None:
    """Four instances reserved are four, whatever runs in them; half given back are two; cancelled they are none."""
    reserved = [one for name in ("create", "modify", "cancel") for one in made(f"{name}-capacity-reservation")]
    hours = 3_600_000 * 1_000
    inside = [one for one in made("run-instances") if "within" in one["data"]]

    assert {(ACCOUNT, "p5.48xlarge"): (4 + 2) * 24 * hours} == used(book_of([*reserved, *inside]))
    assert 7 * 86_400 == reserved[0]["data"]["lease_seconds"]


def test_instances_run_on_when_their_reservation_is_cancelled() -> None:
    """What is in a reservation counts as part of it, and by itself from the call that cancelled it to its own end."""
    cancelled = [*made("create-capacity-reservation"), *made("cancel-capacity-reservation")]
    started = [one for one in made("run-instances") if "within" in one["data"]]
    end = {"type": STOPPED, "id": "the end", "time": "2026-03-05T09:00:00Z"}
    stopped = [{**one, **end, "data": {**one["data"], "reason": "terminated"}} for one in started]
    days = 24 * 3_600_000 * 1_000

    assert 1 == len(stopped)
    assert {(ACCOUNT, "p5.48xlarge"): (4 * 2 + 1 * 2) * days} == used(book_of([*cancelled, *started, *stopped]))
    assert 1 == len(set(books_in_any_order([*cancelled, *started, *stopped]).values()))


def test_a_capacity_block_is_promised_and_described() -> None:
    """What begins later holds nothing yet: its shape is known, and from when to when it is promised."""
    (translated,) = translate(sample("cloudtrail/built-purchase-capacity-block.json"), OPTIONS)
    described, promised = translated.outcome

    assert "PurchaseCapacityBlock ec2/cr-0a1" == translated.what
    assert "io.flopwatch.allocation.described.v1" == described["type"]
    assert ("ec2/cr-0a1", "p5.48xlarge", 4) == tuple(
        described["data"][name] for name in ("allocation", "instance_type", "instances")
    )
    assert {
        "tenant": ACCOUNT,
        "reservation": "ec2/cr-0a1",
        "from": "2026-03-01T11:30:00.000Z",
        "to": "2026-03-08T11:30:00.000Z",
        "state": "granted",
    } == promised["data"]


def test_a_training_job_is_described() -> None:
    """The request names so many machines of EC2 for a job that trains."""
    data = made("create-training-job")[0]["data"]

    expected = {"instance_type": "p5.48xlarge", "instances": 16, "layer": "job", "job": "llm-7", "purpose": "training"}
    assert expected.items() <= data.items()


ITEM = {"instanceId": "i-1", "instanceType": "p5.48xlarge"}
STRANGE: list[tuple[dict[str, Any], str]] = [
    ({"eventTime": "2026-03-01 noon"}, "refused: time"),
    ({"eventTime": "1970-01-01T00:00:00Z"}, "refused: time"),
    ({"eventTime": 1_772_359_200}, "refused: time"),
    ({"eventID": None}, "refused: envelope"),
    ({"eventID": "x" * 1_025}, "refused: field"),
    ({"eventName": 7}, "refused: envelope"),
    ({"recipientAccountId": "\0"}, "refused: field"),
    ({"recipientAccountId": "", "userIdentity": []}, "refused: field"),
    ({"eventSource": "ec2.example.com"}, "ignored: ec2.example.com RunInstances"),
    ({"responseElements": None}, "ignored: RunInstances: no instance in the response"),
    ({"responseElements": {"instancesSet": {"items": [None, 7, {"instanceId": ""}]}}},
     "ignored: RunInstances: no instance in the response"),
    ({"responseElements": {"instancesSet": {"items": [ITEM, ITEM]}}}, "started ec2/i-1"),
    ({"responseElements": {"instancesSet": {"items": [{**ITEM, "instanceState": {"name": "terminated"}}]}}},
     "ignored: RunInstances: no instance in the response"),
    ({"errorCode": ""}, LAUNCHED),
    ({"errorCode": 7}, "ignored: RunInstances refused: 7"),
    ({"eventName": "StartInstances", "responseElements": None,
      "requestParameters": {"instancesSet": {"items": [ITEM]}}}, "started ec2/i-1"),
    ({"eventName": "StopInstances",
      "responseElements": {"instancesSet": {"items": [{**ITEM, "currentState": {"name": "running"}}]}}},
     "ignored: StopInstances: no instance was stopped"),
    ({"eventName": "CreateFleet",
      "responseElements": {"fleetInstanceSet": [
          {"instanceIds": [None, "i-1", "i-1"]}, {"instanceIds": {"item": "i-2"}}]}},
     "started ec2/i-1, started ec2/i-2"),
    ({"eventName": "ModifyInstanceAttribute",
      "requestParameters": {"instanceId": "i-1", "attribute": "instanceType", "value": "g6.xlarge"}},
     "described ec2/i-1"),
    ({"eventName": "ModifyCapacityReservation",
      "requestParameters": {"capacityReservationId": "cr-1", "endDate": "2026-03-02T00:00:00Z"}}, "seen ec2/cr-1"),
    ({"eventName": "ModifyCapacityReservation",
      "requestParameters": {"capacityReservationId": "cr-1", "endDate": "2026-02-02T00:00:00Z"}},
     "ignored: ModifyCapacityReservation: the number of instances and the end stay"),
    ({"eventName": "CreateCapacityReservation"}, "ignored: CreateCapacityReservation: no reservation in the response"),
    ({"eventName": "CancelCapacityReservation"}, "ignored: CancelCapacityReservation: no reservation is named"),
    ({"eventName": "CreateTrainingJob", "eventSource": "sagemaker.amazonaws.com"},
     "ignored: CreateTrainingJob: no job is named"),
    ({"eventName": "StopTrainingJob", "eventSource": "sagemaker.amazonaws.com"},
     "ignored: StopTrainingJob: no job is named"),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "outcome"), STRANGE)
def test_a_strange_record_has_its_reason(changed: dict[str, Any], outcome: str) -> None:
    """A record that is not as it must be is refused; one that brought about nothing is ignored."""
    assert [outcome] == outcomes(translate, json.dumps(record(**changed)).encode(), OPTIONS)


LINE = json.dumps(record()).encode()
NO_RECORDS: list[tuple[bytes, list[str]]] = [
    (b"", ["refused: json"]),
    (b"{", ["refused: json"]),
    (b'"\xff"', ["refused: encoding"]),
    (b'{"eventName": "\\ud800"}', ["refused: json"]),
    (b"[" * 300, ["refused: json"]),
    (b"[NaN]", ["refused: json"]),
    (b"{}", ["refused: envelope"]),
    (b'{"Records": []}', []),
    (b'{"Records": [7, {"CloudTrailEvent": "{"}]}', ["refused: envelope", "refused: json"]),
    (sample("cloudtrail/built-run-instances.json")[:-3], ["refused: json"]),
    (LINE + b"\n\n{\r\n" + LINE, [LAUNCHED, "refused: json", LAUNCHED]),
]


@pytest.mark.parametrize(("raw", "expected"), NO_RECORDS)
def test_what_is_no_record_is_refused(raw: bytes, expected: list[str]) -> None:
    """A document that is broken is refused once; of records on lines, one that is broken costs no other."""
    assert expected == outcomes(translate, raw, OPTIONS)


def test_a_call_that_launched_a_hundred_thousand_is_read() -> None:
    """Work is linear in the bytes, and for people a few are named."""
    items = [{**ITEM, "instanceId": f"i-{number:017x}"} for number in range(100_000)]
    raw = json.dumps(record(responseElements={"instancesSet": {"items": items}})).encode()

    (translated,) = translate(raw, OPTIONS)

    assert 100_000 == len(translated.outcome)
    assert translated.what.endswith("ec2/i-00000000000000004 and 99,995 more")


OTHERS: list[Any] = [
    {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]},  # of files in a bucket
    {"Records": []},
    [],
    {"Events": [{"EventId": "1"}]},
]


@pytest.mark.parametrize("document", OTHERS)
def test_lists_of_others_are_not_taken(document: Any) -> None:
    """A list is of this dialect if its first record is."""
    assert not recognises(document)
    assert recognises([record(), document])


# -- the real stream -------------------------------------------------------------------------------------------------

COPIES = 250
INSTANCE_CALLS = {"RunInstances", "TerminateInstances", "ModifyInstanceAttribute"}


def stream() -> list[dict[str, Any]]:
    """The real records with the file that each was delivered in."""
    with gzip.open(REAL / "aws_cloudtrail" / "stream-2900-records.jsonl.gz") as lines:
        return [json.loads(line) for line in lines]


def moved(time: str, seconds: int) -> str:
    """A time of CloudTrail, so many seconds later."""
    return (datetime.fromisoformat(time) + seconds * SECOND).strftime("%Y-%m-%dT%H:%M:%SZ")


def repeated(told: list[dict[str, Any]], chance: random.Random) -> tuple[list[dict[str, Any]], int]:
    """The records, and those about instances again under new ids, at times of their own; seconds that are held then.

    A copy lies behind its original in the file that this was delivered in. What was launched earlier by so many seconds
    and terminated later by as many others was held for that much longer.
    """
    seconds = 0
    more: list[list[dict[str, Any]]] = [[one] for one in told]
    for copy in range(COPIES):
        ids: dict[str, str] = {}
        for place, one in enumerate(told):
            name = one["record"]["eventName"]
            if name not in INSTANCE_CALLS:
                continue
            shift = 0 if copy == 0 else chance.randrange(300)
            earlier = name == "RunInstances"
            raw = json.dumps(one)
            for instance in instances(one["record"]):
                new = ids.setdefault(instance, instance if copy == 0 else f"i-{chance.getrandbits(68):017x}")
                raw = raw.replace(instance, new)
            again = json.loads(raw)
            again["record"]["eventTime"] = moved(again["record"]["eventTime"], -shift if earlier else shift)
            if copy > 0:
                again["record"]["eventID"] += f"-{copy}"
                more[place].append(again)
            if name != "ModifyInstanceAttribute" and "errorCode" not in one["record"]:
                at = int(datetime.fromisoformat(again["record"]["eventTime"]).timestamp())
                seconds += -at if earlier else at
    return [one for copies in more for one in copies], seconds


def instances(record: dict[str, Any]) -> Iterator[str]:
    """The ids of instances that a call is about; none if it was refused."""
    if record["eventName"] == "ModifyInstanceAttribute":
        yield record["requestParameters"]["instanceId"]
    for item in ((record["responseElements"] or {}).get("instancesSet") or {}).get("items", []):
        yield item["instanceId"]


def files(told: list[dict[str, Any]]) -> list[bytes]:
    """Delivery files in the order in which they were delivered, each with its records as they lie in it."""
    by_file: dict[tuple[str, str], list[Any]] = {}
    for one in told:
        by_file.setdefault((one["delivered"], one["file"]), []).append(one["record"])
    return [json.dumps({"Records": records}).encode() for _, records in sorted(by_file.items())]


@needs_samples
def test_the_real_stream_is_read_as_it_lies_there() -> None:
    """Each line names the delivery file beside the record: 2 launches, 2 ends, 6 requests refused, all else ignored."""
    raw = gzip.decompress((REAL / "aws_cloudtrail" / "stream-2900-records.jsonl.gz").read_bytes())

    told = outcomes(translate, raw, OPTIONS)

    assert recognises(json.loads(raw.splitlines()[0]))
    assert 2_900 == len(told)
    assert {"started": 2, "stopped": 2, "ignored:": 2_896} == Counter(one.split()[0] for one in told)
    assert 6 == len([one for one in told if one.startswith("ignored: RunInstances refused: ")])


@needs_samples
def test_the_real_stream_gives_the_same_books_in_any_order() -> None:
    """2,900 records and 500 lives, as delivered, by event time and shuffled: the same books, and they are right."""
    told, seconds = repeated(stream(), random.Random("stream"))
    chance = random.Random("order")
    alone = [json.dumps(one["record"]).encode() for one in sorted(told, key=lambda one: one["record"]["eventTime"])]
    ways = [files(told), alone, chance.sample([*alone, *alone], 2 * len(alone))]

    books = [book_of([event for raw in way for event in events(translate, raw, OPTIONS)]) for way in ways]

    shipped, now = load_catalogue(config_root()), books[0].clock
    chip = shipped.resolve("H100 SXM5 80GB", None, now).chip
    one_each = replace(shipped, instances={normal_name("t3.micro"): Named(chip, 1_000)})
    accelerators = {
        (tenant, hardware.name): amount * hardware.per_unit // 1_000
        for (tenant, name), amount in used(books[0]).items()
        for hardware in [one_each.resolve(name, INSTANCE, now)]
    }
    lives = {event["data"]["allocation"] for raw in ways[1] for event in events(translate, raw, OPTIONS)}
    assert 2 * COPIES == len(lives)
    assert {("123837392027", "H100 SXM5 80GB"): seconds * 10**6} == accelerators
    assert 1 == len({books_digest(book, now) for book in books})


# -- a simulated day -------------------------------------------------------------------------------------------------


def call(name: str, account: str, time: int, items: list[dict[str, Any]]) -> dict[str, Any]:
    """A record of a call about instances."""
    return {
        "eventVersion": "1.10",
        "eventTime": said(time),
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-2",
        "requestParameters": {"instancesSet": {"items": [{"minCount": 1, "maxCount": 1_000}]}},
        "responseElements": {"instancesSet": {"items": items}},
        "eventID": f"{name}/{time}/{items[0]['instanceId']}",
        "recipientAccountId": account,
    }


@DAYS
def test_a_simulated_day_gives_the_books_of_its_truth(scale: int) -> None:
    """An instance for each unit that is held, a call for each change, delivered in files: the books hold the truth."""
    records = []
    for step in day(scale):
        came, went = machines(step.before, step.after)
        if came:
            names = [f"i-{step.tenant}-{step.name}-{number}" for number in came]
            items = [{"instanceId": name, "instanceType": step.hardware} for name in names]
            records.append(call("RunInstances", step.tenant, step.time, items))
        if went:
            names = [f"i-{step.tenant}-{step.name}-{number}" for number in went]
            state: dict[str, Any] = {"currentState": {"name": "shutting-down"}, "previousState": {"name": "running"}}
            items = [{"instanceId": name, **state} for name in names]
            records.append(call("TerminateInstances", step.tenant, step.time, items))
    random.Random("day").shuffle(records)
    delivered = [json.dumps({"Records": records[at : at + 20]}).encode() for at in range(0, len(records), 20)]

    told = [event for raw in delivered for event in events(translate, raw, OPTIONS)]

    assert truth(scale) == used(book_of(told))
    assert 1 == len(set(books_in_any_order(told).values()))
