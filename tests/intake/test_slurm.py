"""Accounting of Slurm: what each row and job becomes, in which time zone, and that every way of asking counts once."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.intake.dialect import STARTED, STOPPED, Event, Options, event
from monitor.intake.refusal import Refusal
from monitor.intake.slurm import NODES_MAX, hosts, recognises, recognises_text, translate
from tests.intake.foreign import (
    DAYS,
    REAL,
    Step,
    book_of,
    books_in_any_order,
    check_anything,
    day,
    events,
    outcomes,
    sample,
    strangers,
    truth,
    used,
    verb,
)

OPTIONS = Options("/slurm")
HOUR_MS = 3_600_000
HEADER = "JobIDRaw|Cluster|Account|JobName|State|Start|End|ElapsedRaw|AllocTRES|NodeList"


def job(number: int) -> str:
    """The allocation of a built job."""
    return f"slurm/alps/{number}"


ROWS = [
    f"started {job(9001)}, stopped {job(9001)}",
    "ignored: a step: its job's own row counts",
    "ignored: a step: its job's own row counts",
    f"started {job(9005)}, seen {job(9005)}",
    f"started {job(9010)}, stopped {job(9010)}",
    f"started {job(9010)}, seen {job(9010)}",
    "ignored: a job that is PENDING",
    "ignored: a job without accelerators",
    f"started {job(9013)}, stopped {job(9013)}",
    f"started {job(9014)}, stopped {job(9014)}",
    f"started {job(9015)}/h100, stopped {job(9015)}/h100, started {job(9015)}/a100, stopped {job(9015)}/a100",
    "ignored: a job without accelerators",
    "refused: field",
]
BUILT = [
    ("built-sacct.txt", ROWS),
    ("built-sacct.json", [f"started {job(9001)}, stopped {job(9001)}", "ignored: a job that is PENDING"]),
    ("built-squeue.json", [f"started {job(9005)}, seen {job(9005)}"]),
    ("built-squeue-old.json", [f"started {job(9005)}"]),
]


@pytest.mark.parametrize(("name", "expected"), BUILT)
def test_built_accounting_becomes_this(name: str, expected: list[str]) -> None:
    """Each job of a text or a document starts and ends or was seen, or is ignored or refused with its reason."""
    raw = sample(f"slurm/{name}")

    assert recognises(json.loads(raw)) if name.endswith("json") else recognises_text(raw)
    assert expected == outcomes(translate, raw, OPTIONS)


STEP = "ignored: a step: its job's own row counts"
REAL_OUTCOMES = [
    ("sample-sacct-one-multiline.txt", [
        STEP, "started slurm/cluster/201729, stopped slurm/cluster/201729",
        "started slurm/cluster/201844, stopped slurm/cluster/201844", STEP,
    ]),
    ("sample-sacct-output-midnight-edge-case-small.txt", [*["refused: field", *[STEP] * 3] * 3][:11]),
    ("sample-sacct-running-output.txt", [STEP] * 10),
    ("sample-scontrol-output.txt", ["refused: envelope"]),
    ("sample-squeue-output.txt", ["refused: envelope"]),
    ("squeue_out.json", ["ignored: a job without accelerators", "ignored: a job that is PENDING"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), REAL_OUTCOMES)
def test_real_accounting_becomes_this(name: str, expected: list[str]) -> None:
    """Rows of jobs with their columns count; totals of partitions and rows without a header are no jobs."""
    file = REAL / "slurm" / name
    if not file.exists():
        pytest.skip("shared/data/events is not beside the checkout")

    assert expected == outcomes(translate, file.read_bytes(), OPTIONS)


def test_a_job_says_all_that_is_asked_of_a_start() -> None:
    """Accelerators and their type once, the nodes, the job's name, the reservation, and the account as tenant."""
    started, stopped = events(translate, sample("slurm/built-sacct.txt"), OPTIONS)[:2]

    assert {
        "specversion": "1.0",
        "id": "9001/2026-03-01T10:00:00/COMPLETED/h100/2026-03-01T10:00:00Z/started",
        "source": "/slurm/alps",
        "type": STARTED,
        "time": "2026-03-01T10:00:00Z",
        "data": {
            "tenant": "physics",
            "allocation": job(9001),
            "accelerator": "h100",
            "count": 16,
            "layer": "job",
            "job": "llm",
            "reservation": "res-1",
            "nodes": ["gpu-07", "gpu-08"],
        },
    } == started
    assert (STOPPED, "2026-03-01T16:00:00Z", "COMPLETED") == (
        stopped["type"],
        stopped["time"],
        stopped["data"]["reason"],
    )


def test_one_tenant_may_have_all_accounts_and_hold_its_jobs_within_nodes() -> None:
    """The account stands below it then, and the first node names what the job is within."""
    options = Options("/slurm", "acme", "node/{node}", lease_seconds=900)

    started, _, _, seen = events(translate, sample("slurm/built-sacct.txt"), options)[:4]

    assert ("acme", "physics", "node/gpu-07") == tuple(started["data"][key] for key in ("tenant", "account", "within"))
    assert ("2026-03-01T12:30:00Z", 900) == (seen["time"], seen["data"]["lease_seconds"])


def row(start: str, end: str, elapsed: object = "", **cells: str) -> bytes:
    """A text with one job."""
    told = {
        "JobIDRaw": "1", "Cluster": "alps", "Account": "a", "JobName": "n", "State": "COMPLETED", "Start": start,
        "End": end, "ElapsedRaw": str(elapsed), "AllocTRES": "gres/gpu=1", "NodeList": "n1", **cells,
    }  # fmt: skip
    return f"{'|'.join(told)}\n{'|'.join(told.values())}\n".encode()


ZONED = [
    ("UTC", "2026-07-01T12:00:00", "2026-07-01T13:00:00", "", "12:00:00", "13:00:00"),
    ("Europe/Berlin", "2026-07-01T12:00:00", "2026-07-01T13:00:00", "", "10:00:00", "11:00:00"),
    ("America/New_York", "2026-07-01T12:00:00", "2026-07-01T13:00:00", "", "16:00:00", "17:00:00"),
    # On 25 October 2026 clocks in Berlin go from 03:00 back to 02:00, at 01:00 UTC.
    ("Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T04:00:00", "", "00:30:00", "03:00:00"),
    ("Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T04:00:00", 9_000, "00:30:00", "03:00:00"),
    ("Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T04:00:00", 5_400, "01:30:00", "03:00:00"),
    ("Europe/Berlin", "2026-10-25T02:10:00", "2026-10-25T02:20:00", 4_200, "00:10:00", "01:20:00"),
    ("Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T02:10:00", "", "00:30:00", "01:10:00"),
    # On 29 March 2026 they leave out 02:00 to 03:00.
    ("Europe/Berlin", "2026-03-29T01:30:00", "2026-03-29T03:30:00", 3_600, "00:30:00", "01:30:00"),
    ("Europe/Berlin", "1782907200", "1782910800", "", "12:00:00", "13:00:00"),  # seconds since 1970
    ("Europe/Berlin", "2026-07-01T12:00:00+05:30", "2026-07-01T12:00:00Z", "", "06:30:00", "12:00:00"),
]


@pytest.mark.parametrize(("zone", "start", "end", "elapsed", "began", "ended"), ZONED)
def test_times_are_local_to_the_zone(zone: str, start: str, end: str, elapsed: object, began: str, ended: str) -> None:
    """Of an hour that comes twice what has elapsed tells which; without it nobody ends before the start."""
    made = events(translate, row(start, end, elapsed), Options("/slurm", zone=zone))

    assert [began, ended] == [datetime.fromisoformat(one["time"]).astimezone(UTC).strftime("%H:%M:%S") for one in made]


@given(
    start=st.integers(1_767_225_600, 1_798_761_600),
    elapsed=st.integers(0, 400_000),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
)
def test_a_finished_job_lasts_what_has_elapsed(start: int, elapsed: int, zone: str) -> None:
    """Whatever the clocks did between: start and end as Slurm prints them, with what has elapsed, give that length."""
    local = [f"{datetime.fromtimestamp(time, ZoneInfo(zone)):%Y-%m-%dT%H:%M:%S}" for time in (start, start + elapsed)]

    began, ended = (
        datetime.fromisoformat(one["time"])
        for one in events(translate, row(*local, elapsed), Options("/slurm", zone=zone))
    )

    assert elapsed == (ended - began).total_seconds()


REFUSED = [
    (row("2026-03-01T12:00:00", "Unknown"), "time"),  # completed, and nobody knows when
    (row("2026-03-01T12:00:00", "2026-03-01T11:00:00"), "time"),
    (row("1969-03-01T12:00:00", "2026-03-01T11:00:00"), "time"),
    (row("yesterday", "2026-03-01T11:00:00"), "time"),
    (row("9" * 400, "2026-03-01T11:00:00"), "time"),
    (row("2026-03-01T12:00:00", "2026-03-01T13:00:00", Account=""), "field"),
    (row("2026-03-01T12:00:00", "2026-03-01T13:00:00", AllocTRES="gres/gpu=999999999"), "field"),
    (row("2026-03-01T12:00:00", "2026-03-01T13:00:00", AllocTRES="gres/gpu=some"), "field"),
    (row("2026-03-01T12:00:00", "2026-03-01T13:00:00", AllocTRES="gres/gpu:h100=2K"), "field"),
    (b"JobID|State|Start\n1|RUNNING|2026-03-01T12:00:00\n", "field"),
    (b"JobID State Start\n1 RUNNING 2026-03-01T12:00:00\n", "envelope"),
    (b'{"jobs": 1}', "envelope"),
    (b'{"jobs": [], "meta"', "json"),
    (b'{"jobs": [7], "meta": {}}', "field"),
    (b"", "envelope"),
]


@pytest.mark.parametrize(("raw", "reason"), REFUSED)
def test_what_cannot_be_is_refused(raw: bytes, reason: str) -> None:
    """One job, one reason; the others of the text are read."""
    assert [f"refused: {reason}"] == outcomes(translate, raw, OPTIONS)


def test_an_unknown_zone_is_refused_by_name() -> None:
    """No hour is guessed."""
    (translated,) = translate(row("2026-03-01T12:00:00", "2026-03-01T13:00:00"), Options("/slurm", zone="Mars/Base"))

    assert isinstance(translated.outcome, Refusal)
    assert translated.outcome.sentence.startswith('"Mars/Base" is no time zone')


def test_a_split_row_does_not_take_the_next_one_with_it() -> None:
    """A name with a line break is read across it; a torn row is refused alone, and what is whole stays whole."""
    head, good = row("2026-03-01T12:00:00", "2026-03-01T13:00:00").decode().splitlines()
    split = good.replace("|n|", "|a\n\nb|").replace("1|alps", "2|alps", 1)
    text = "\n".join([head, split, "torn|row", good, "", "rest of a name", good.replace("1|", "3|", 1)])

    assert [
        "started slurm/alps/2, stopped slurm/alps/2", "refused: field", "started slurm/alps/1, stopped slurm/alps/1",
        "refused: field", "started slurm/alps/3, stopped slurm/alps/3",
    ] == outcomes(translate, text.encode(), OPTIONS)  # fmt: skip


SEPARATORS = ["|", "|#", "\u00a6#", "\t", ";", "^^"]


@pytest.mark.parametrize("separator", SEPARATORS)
def test_any_separator_and_name_is_read(separator: str) -> None:
    """Names may be no UTF-8, lines may end as on Windows, and every line with a separator, too."""
    text = row("2026-03-01T12:00:00", "2026-03-01T13:00:00").decode().replace("|", separator)
    raw = text.encode().replace(b"\n", separator.encode() + b"\r\n")
    raw = raw.replace(f"{separator}n{separator}".encode(), separator.encode() + b"\xff\xfe" + separator.encode())

    assert recognises_text(raw)
    assert ["started slurm/alps/1, stopped slurm/alps/1"] == outcomes(translate, raw, OPTIONS)


HELD: list[tuple[str, list[tuple[str | None, float]]]] = [
    ("cpu=8,gres/gpu:h100=8,gres/gpu=8", [("h100", 8)]),
    ("cpu=8,gres/gpu:A100:1", [("A100", 1)]),  # as jobs ask for it
    ("gres/gpu=2,gres/gpumem=80G,gres/gpuutil=50", [(None, 2)]),
    ("gres/gpu=2,gres/gpu:1g.10gb=2", [(None, 0.286)]),
    ("gres/gpu:nvidia_h100_80gb_hbm3_3g.40gb=1", [("nvidia_h100_80gb_hbm3", 0.429)]),
    ("gres/gpu:nvidia_a100-sxm4-40gb_mig_1g.5gb=7", [("nvidia_a100-sxm4-40gb", 1)]),
    ("gres/gpu:a30_2g.12gb=1", [("a30", 0.5)]),
    ("gres/gpu:a100_1c.3g.20gb=2", [("a100", 0.286)]),
    ("gres/gpu:a100=2,gres/gpu:a100_1g.5gb=2,gres/nvme=100", [("a100", 2), ("a100", 0.286)]),
]


@pytest.mark.parametrize(("tres", "held"), HELD)
def test_accelerators_are_counted_by_type_and_slices_as_parts(tres: str, held: list[tuple[str | None, float]]) -> None:
    """The plain number repeats the types, what else is accounted of a GPU is none, a MIG profile is part of a chip."""
    made = events(translate, row("2026-03-01T12:00:00", "2026-03-01T13:00:00", AllocTRES=tres), OPTIONS)

    assert held == [(one["data"].get("accelerator"), one["data"]["count"]) for one in of_type(made, STARTED)]


@pytest.mark.parametrize("tres", ["cpu=8,gres/shard=4", "gres/mps=50"])
def test_a_share_of_unknown_size_is_ignored_as_such(tres: str) -> None:
    """How many shares make an accelerator stands in the settings of nodes, not in what is accounted."""
    raw = row("2026-03-01T12:00:00", "2026-03-01T13:00:00", AllocTRES=tres)

    assert ["ignored: a job with a share of an accelerator: how much is not told"] == outcomes(translate, raw, OPTIONS)


def polled(**changed: Any) -> bytes:
    """The built job of squeue with other fields."""
    document = json.loads(sample("slurm/built-squeue.json"))
    document["jobs"][0] |= changed
    return json.dumps(document).encode()


ON_NODES: list[tuple[object, float | None]] = [
    (["gpu:h100:8(IDX:0-7)", "gpu:h100:4(IDX:0-1,4-5)"], 12),
    (["gpu:h100:1(IDX:0),nic:2(IDX:0-1)"], 1),
    (["nic:2(IDX:0-1)"], None),
    ([7], None),
    ("gpu:h100:8", None),
]


@pytest.mark.parametrize(("details", "count"), ON_NODES)
def test_gpus_that_are_not_accounted_for_are_those_of_the_nodes(details: object, count: float | None) -> None:
    """All nodes of the job are added up, and only their GPUs."""
    made = events(translate, polled(tres_alloc_str="cpu=8,node=2", gres_detail=details), OPTIONS)

    assert ([("h100", count)] if count else []) == [
        (one["data"]["accelerator"], one["data"]["count"]) for one in of_type(made, STARTED)
    ]


def test_a_resized_job_has_a_row_for_each_size() -> None:
    """The row of the old size ends when the next begins: two GPUs for an hour, then one, and no sign of life after."""
    first = row("2026-03-01T12:00:00", "2026-03-01T13:00:00", State="RESIZING", AllocTRES="gres/gpu=2")
    second = row("2026-03-01T13:00:00", "2026-03-01T14:00:00").split(b"\n", 1)[1]

    told = events(translate, first + second, Options("/slurm", received="2026-03-01T15:00:00Z"))

    assert ["started", "stopped", "started", "stopped"] == list(map(verb, told))
    assert {("a", ""): 3_000 * HOUR_MS} == used(book_of(told))


ENDING: list[tuple[object, int, tuple[str, str | None]]] = [
    (["COMPLETED", "COMPLETING"], 1_772_367_300, ("stopped", "COMPLETED")),
    (["CANCELLED", "COMPLETING"], 1_772_367_300, ("stopped", "CANCELLED")),
    (["PENDING", "COMPLETING"], 1_772_367_300, ("stopped", "COMPLETING")),  # it is to run once more
    ("COMPLETING", 1_772_367_300, ("stopped", "COMPLETING")),
    (["COMPLETED", "COMPLETING"], 0, ("seen", None)),
    (["RUNNING", "CONFIGURING"], 1_772_367_300, ("seen", None)),  # an end that is only expected
]


@pytest.mark.parametrize(("state", "end", "expected"), ENDING)
def test_a_job_that_is_cleaned_up_after_has_ended(state: object, end: int, expected: tuple[str, str | None]) -> None:
    """As its account says at once: a sign of life after that would contradict it. Without an end it has its nodes."""
    _, last = events(translate, polled(job_state=state, end_time=end), OPTIONS)

    assert expected == (verb(last), last["data"].get("reason"))


def test_a_job_that_was_resized_had_its_first_size_until_then() -> None:
    """It keeps its start and tells its last size: one GPU for a quarter of an hour, then two for another."""
    resized = {"resize_time": {"set": True, "infinite": False, "number": 1_772_367_300}}
    later = polled(**resized, tres_alloc_str="cpu=8,node=2,gres/gpu=2")

    told = [one for raw in (polled(), later) for one in events(translate, raw, OPTIONS)]

    assert [(1, "2026-03-01T12:00:00Z"), (2, "2026-03-01T12:15:00Z")] == [
        (one["data"]["count"], one["time"]) for one in of_type(told, STARTED)
    ]
    assert {("physics", ""): (1_000 + 2_000) * HOUR_MS // 4} == used(book_of(told))


HOSTS = [
    ("n1", ["n1"]),
    ("n[1-3,07],m5", ["n1", "n2", "n3", "n07", "m5"]),
    ("gpu[098-101]-ib", ["gpu098-ib", "gpu099-ib", "gpu100-ib", "gpu101-ib"]),
    ("None assigned", []),
    ("r[1-2]n[1-2]", []),
    ("n[3-1]", []),
    ("", []),
    ("n[", []),
]


@pytest.mark.parametrize(("told", "names"), HOSTS)
def test_a_list_of_hosts_is_read(told: str, names: list[str]) -> None:
    """Ranges, leading zeros, several parts; what is no such list names nobody."""
    assert names == hosts(told)


def test_a_long_list_of_hosts_ends() -> None:
    """Millions of nodes in a few bytes are no millions of names."""
    assert NODES_MAX == len(hosts("n[0-999999999]," * 50))


def test_every_way_of_asking_counts_a_job_once() -> None:
    """Rows, both commands' JSON, repeated windows, running and ended: each accelerator-hour once, in any order."""
    told = [one for name, _ in BUILT for _ in range(2) for one in events(translate, sample(f"slurm/{name}"), OPTIONS)]

    assert {
        ("physics", "h100"): 6 * 16_000 * HOUR_MS,
        ("physics", ""): 1_000 * HOUR_MS // 2,
        ("biology", "a100"): (4 + 4 + 4 + 2) * 1_000 * HOUR_MS + 1_000 * HOUR_MS // 2,
        ("biology", "h100"): 2_000 * HOUR_MS,
    } == used(book_of(told))
    assert 1 == len(set(books_in_any_order(told).values()))


def test_a_job_within_an_instance_is_counted_with_it() -> None:
    """What EC2 lends is what the jobs on it hold: the instance counts, its jobs explain it."""
    shape = {"accelerator": "h100", "count": 16, "layer": "node"}
    ec2 = [
        event(STARTED, ("/aws", "1"), "2026-03-01T08:00:00Z", "acme", allocation="ec2/gpu-07", **shape),
        event(STOPPED, ("/aws", "2"), "2026-03-01T20:00:00Z", "acme", allocation="ec2/gpu-07"),
    ]
    jobs = events(translate, row("2026-03-01T10:00:00", "2026-03-01T16:00:00", NodeList="gpu-[07-08].dc"),
                  Options("/slurm", "acme", "ec2/{node}"))  # fmt: skip

    assert {("acme", "h100"): 12 * 16_000 * HOUR_MS} == used(book_of([*ec2, *jobs]))


def rows_of(step: Step, start: int, end: int | None, asked: int, life: int) -> str:
    """The row of a job and that of its batch step, as Slurm tells them at an instant."""
    local = ZoneInfo("Europe/Berlin")

    def told(time: int) -> str:
        return f"{datetime.fromtimestamp(time // 1_000, local):%Y-%m-%dT%H:%M:%S}"

    until = asked if end is None else end
    state = "RUNNING" if end is None else "PREEMPTED" if life % 2 else "COMPLETED"
    cells = ["alps", step.tenant, "n", state, told(start), "Unknown" if end is None else told(end)]
    cells += [str((until - start) // 1_000), f"cpu=4,gres/gpu={step.before},gres/gpu:{step.hardware}={step.before}"]
    # The scenario's names are free text, and a job's id is none.
    return "".join(f"{step.tenant}-{step.name}{suffix}|{'|'.join(cells)}|n1\n" for suffix in ("", ".batch"))


@DAYS
def test_a_simulated_day_gives_the_books_of_its_truth(scale: int) -> None:
    """Polled while they run and when they have ended, each change of size a life of the job: what was held, exactly."""
    chance = random.Random("polls")
    since: dict[tuple[str, str], int] = {}
    polls = []
    for life, step in enumerate(day(scale)):
        key = step.tenant, step.name
        if step.before and since[key] < step.time:
            ways = [(None, chance.randrange(since[key], step.time)), (step.time, step.time), (step.time, step.time)]
            polls += [rows_of(step, since[key], end, asked, life) for end, asked in ways]
        since[key] = step.time

    text = f"{HEADER}\n{''.join(polls)}".encode()
    told = events(translate, text, Options("/slurm", zone="Europe/Berlin"))

    assert {"started", "seen", "stopped"} == set(map(verb, told))
    assert truth(scale) == used(book_of(told))
    assert 1 == len(set(books_in_any_order(told).values()))


CELLS = st.sampled_from([
    "", "1", "1.0", "RUNNING", "COMPLETED", "Unknown", "2026-03-01T12:00:00", "9" * 30, "\0", "\n", "gres/gpu=8",
    "gres/gpu:x=1,gres/gpu:y=2", "n[1-9]", "9999-12-31T23:59:59", "x" * 2_000,
])  # fmt: skip
TABLES = st.lists(st.lists(CELLS | st.text(max_size=9), min_size=1, max_size=12).map("|".join), max_size=5)
DAMAGED = TABLES.map(lambda rows: "\n".join([HEADER, *rows]).encode("utf-8", "replace"))


@given(raw=DAMAGED | st.binary(), options=st.sampled_from([OPTIONS, Options("/s", "acme", "n/{node}", "Asia/Kolkata")]))
def test_whatever_a_text_holds_is_an_event_or_has_a_reason(raw: bytes, options: Options) -> None:
    """No text raises anything, and every event that leaves is one of the contract."""
    recognises_text(raw)
    check_anything(translate, raw, options)


@given(cells=st.lists(CELLS, min_size=10, max_size=10))
def test_whatever_a_row_holds_is_an_event_or_has_a_reason(cells: list[str]) -> None:
    """Also where it has all its columns."""
    check_anything(translate, f"{HEADER}\n{'|'.join(cells)}\n".encode(), OPTIONS)


def test_nobody_elses_documents_are_taken_for_accounting() -> None:
    """Neither as documents nor as texts."""
    others: list[tuple[str, Any]] = strangers("slurm", "slurm")

    assert [] == [file for file, document in others if recognises(document)]
    assert [] == [file for file, document in others if recognises_text(json.dumps(document).encode())]


def of_type(made: list[Event], kind: str) -> list[Event]:
    """The events of one type."""
    return [one for one in made if one["type"] == kind]


def test_a_requeued_job_has_two_lives() -> None:
    """The same allocation twice, with facts of their own: what lies between is not held."""
    made = [one for one in events(translate, sample("slurm/built-sacct.txt"), OPTIONS)
            if one["data"]["allocation"] == job(9010)]  # fmt: skip

    assert ["2026-03-01T10:00:00Z", "2026-03-01T11:30:00Z"] == [one["time"] for one in of_type(made, STARTED)]
    assert len(made) == len({one["id"] for one in made})
    assert {("biology", "a100"): 2 * 4_000 * HOUR_MS} == used(book_of(made))
