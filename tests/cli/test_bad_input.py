"""Bad input of every kind, through the command line: a clear sentence, an honest exit code, nothing lost silently."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from monitor.app.stores import opened_store
from monitor.reference.root import config_root
from tests.cli.command import HELD, fact, flopwatch, written

ROOT = Path(__file__).resolve().parents[2]
GOOD = fact("allocation.started", "good", **HELD)
STOPPED = fact("allocation.stopped", "end", "2026-03-01T01:00:00Z")
TENANTLESS = fact("allocation.started", "bad", **HELD)
del TENANTLESS["data"]["tenant"]
DEEP = b"[" * 10_000 + b"]" * 10_000


def bad(**data: object) -> dict[str, object]:
    return fact("allocation.started", "bad", **{**HELD, **data})


DEAD_LETTERS: dict[str, tuple[object, str, str]] = {
    "not JSON": (b"started", "json", "The record is not JSON"),
    "not an object": (b"[1, 2]", "json", "The record is a list of 2; expected one event, a JSON object."),
    "wrong specversion": (
        {**bad(), "specversion": "0.3"},
        "envelope",
        'specversion is "0.3"; expected the text "1.0".',
    ),
    "missing tenant": (TENANTLESS, "field", "data.tenant is missing; every event of this type must have it."),
    "count of -1": (bad(count=-1), "field", "data.count is -1; expected a number from 0 to 10,000,000."),
    "count of NaN": (bad(count=float("nan")), "field", "data.count is NaN; expected a number from 0 to 10,000,000."),
    "count of 1e9": (bad(count=1e9), "field", "data.count is 1000000000.0; expected a number from 0 to 10,000,000."),
    "time without zone": (
        {**bad(), "time": "2026-03-01T00:00:00"},
        "time",
        'time is "2026-03-01T00:00:00"; expected an RFC 3339 time with zone from 2010 to 2100',
    ),
    "year 9999": (
        {**bad(), "time": "9999-03-01T00:00:00Z"},
        "time",
        'time is "9999-03-01T00:00:00Z"; expected an RFC 3339 time with zone from 2010 to 2100',
    ),
    "event of 1 MiB": (
        bad(pad="x" * (1 << 20)),
        "bytes_limit",
        "The record is longer than 1,000,000 bytes; send smaller events or parts.",
    ),
    "nesting of 10,000": (DEEP, "json", "The record is not JSON: recursion limit exceeded"),
    "nesting of 10,000 in an unknown field": (
        json.dumps(bad(pad=0)).encode().replace(b'"pad": 0', b'"pad": ' + DEEP),
        "json",
        "The record is not JSON: recursion limit exceeded",
    ),
    "invalid UTF-8": (b'{"id": "\xff"}', "encoding", "Byte 8 of the record is not UTF-8; send events as UTF-8."),
    "unknown type of ours": (
        {**bad(), "type": "io.flopwatch.allocation.begun.v1"},
        "type",
        'type is "io.flopwatch.allocation.begun.v1"; expected one of the types of the event contract.',
    ),
}


@pytest.mark.parametrize("case", DEAD_LETTERS)
def test_unreadable_record_is_kept_and_named(case: str, tmp_path: Path) -> None:
    """A bad record costs itself and nothing else: what stands around it counts, it is kept byte for byte and named."""
    content, reason, sentence = DEAD_LETTERS[case]
    events = written(tmp_path / "events.jsonl", [GOOD, content, STOPPED])

    ran = flopwatch("replay", events, "--state", tmp_path / "books.db", "--json")

    counts = {"read": 3, "accepted": 2, "late": 0, "duplicate": 0, "ignored": 0, "rejected": 1}
    place = len(events.read_bytes().partition(b"\n")[0]) + 1
    assert 0 == ran.code
    assert counts == ran.document["events"]
    assert {"H100 SXM5 80GB": 8 * 3_600 * 1_000_000} == ran.document["tenants"][0]["accelerator_us"]
    assert f"1 record could not be read as events: 1 {reason}." in ran.err
    assert f"{events}, byte {place}: {sentence}" in ran.err
    with opened_store(f"sqlite:///{tmp_path / 'books.db'}") as store:
        (letter,) = store.dead_letters()
    record = events.read_bytes().split(b"\n")[1]
    assert (reason, place) == (letter.reason, letter.offset)
    assert record[:1_000_001] == letter.body  # whole, or cut off after the most that a record may have


def test_foreign_type_is_ignored_and_named(tmp_path: Path) -> None:
    """An event of somebody else's type is no mistake: counted as ignored, and its type is named."""
    events = written(tmp_path / "events.jsonl", [GOOD, {**GOOD, "type": "com.example.nodes.added"}])

    ran = flopwatch("replay", events, "--json")

    assert 0 == ran.code
    assert (1, 1, 0) == tuple(ran.document["events"][name] for name in ("accepted", "ignored", "rejected"))
    assert "Events of types that are not read here were ignored: 1 com.example.nodes.added." in ran.err


def test_file_without_a_single_fact(tmp_path: Path) -> None:
    """Books without a fact have no instant, and say so instead of showing the year 1969."""
    events, state = written(tmp_path / "events.jsonl", [b"nothing"]), tmp_path / "books.db"

    texts = [
        flopwatch("replay", events, "--state", state).out,
        flopwatch("tenants", "--state", state).out,
        flopwatch("verify", "--state", state).out,
    ]
    document = flopwatch("replay", events, "--json").document

    assert ["There is no fact in these books."] * 2 == [
        text.splitlines()[at] for text, at in ((texts[0], 1), (texts[1], 0))
    ]
    assert "The books agree with their facts: 0 tenants, no fact yet." == texts[2].splitlines()[0]
    assert (None, []) == (document["as_of"], document["tenants"])


INCONSISTENT = {
    "orphan stop": ([STOPPED], {}, "2026-03-01T01:00:00Z  orphan stop: /sim/eu-1 end"),
    "resize after stop": (
        [GOOD, STOPPED, fact("allocation.resized", "more", "2026-03-01T02:00:00Z", count=16)],
        {"H100 SXM5 80GB": 8 * 3_600 * 1_000_000},
        "2026-03-01T02:00:00Z  resize after stop: /sim/eu-1 more",
    ),
}


@pytest.mark.parametrize("case", INCONSISTENT)
def test_inconsistent_fact_is_shown(case: str, tmp_path: Path) -> None:
    """A fact that contradicts its allocation is accepted, adds nothing, and `explain` shows it as an inconsistency."""
    facts, usage, shown = INCONSISTENT[case]
    state = tmp_path / "books.db"

    ran = flopwatch("replay", written(tmp_path / "events.jsonl", facts), "--state", state, "--json")
    told = flopwatch("explain", facts[-1]["id"], "--state", state)

    assert (0, len(facts), 0) == (ran.code, ran.document["events"]["accepted"], ran.document["events"]["rejected"])
    assert usage == ran.document["tenants"][0]["accelerator_us"]
    assert 0 == ran.document["tenants"][0]["open_allocations"]
    assert (0, shown) == (told.code, told.out.partition("Inconsistencies:\n")[2].strip())
    assert 0 == flopwatch("verify", "--state", state).code


def test_unknown_hardware_raises_no_more_than_watch(tmp_path: Path) -> None:
    """Unknown hardware is booked under the event's name, its low bound is 0, and no size takes it above watch."""
    facts = [
        fact(
            "allocation.started", "begin", "2026-01-01T00:00:00Z", **{**HELD, "accelerator": "Mystery 9", "count": 1e7}
        ),
        fact("allocation.stopped", "end", "2026-12-01T00:00:00Z"),
    ]
    ran = flopwatch("replay", written(tmp_path / "events.jsonl", facts), "--json")

    tenant = ran.document["tenants"][0]
    assert {"Mystery 9": 10_000_000 * 334 * 86_400 * 1_000_000} == tenant["accelerator_us"]
    assert 0 == tenant["flop"]["low"] < tenant["flop"]["central"] < tenant["flop"]["high"]
    assert {"watch"} == {flag["level"] for flag in tenant["flags"]}
    assert "The catalogue knows no 16-bit rate of Mystery 9: add rows to" in ran.err


def test_a_machine_without_accelerators_is_no_unknown_hardware(tmp_path: Path) -> None:
    """It is held, counts nothing, and leads to no remark; the explanation says what it was taken for."""
    facts = [
        fact("allocation.started", "bare", allocation="web", instance_type="m5.large", instances=1),
        fact("allocation.started", "none", allocation="db", instance_type="n1-standard-8", count=0),
        fact("allocation.started", "begin", **HELD),
        fact("allocation.stopped", "end", "2026-03-01T01:00:00Z"),
    ]
    events, state = written(tmp_path / "events.jsonl", facts), tmp_path / "books.db"

    ran, told = flopwatch("replay", events, "--state", state, "--json"), flopwatch("explain", "acme", "--state", state)

    (tenant,) = ran.document["tenants"]
    assert ({"H100 SXM5 80GB": 8 * 3_600 * 10**6}, 2) == (tenant["accelerator_us"], tenant["open_allocations"])
    assert "The catalogue knows no" not in ran.err
    assert "  Without accelerators: m5.large\n" in told.out


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_damaged_file_keeps_what_came_before(ending: str, tmp_path: Path) -> None:
    """A cut-off archive ends with a sentence; what was readable is committed, and the whole file later counts once."""
    state, events = tmp_path / "books.db", tmp_path / f"events.jsonl{ending}"
    heartbeats = [
        fact("allocation.seen", f"seen-{n}", f"2026-03-01T{n // 60:02}:{n % 60:02}:00Z") for n in range(1, 1_000)
    ]
    content = b"".join(json.dumps(one).encode() + b"\n" for one in [GOOD, *heartbeats])
    packed = gzip.compress(content) if ending == ".gz" else zstandard.compress(content)
    events.write_bytes(packed[: len(packed) * 2 // 3])

    cut = flopwatch("replay", events, "--state", state)
    events.write_bytes(packed)
    whole = flopwatch("replay", events, "--state", state, "--json")

    assert 2 == cut.code
    assert f"{str(events)!r} is damaged or cut off" in cut.err
    assert "Read a whole copy of it: what was counted already counts once." in cut.err
    plain = flopwatch("replay", written(tmp_path / "plain.jsonl", [GOOD, *heartbeats]), "--json").document
    assert plain["digest"] == whole.document["digest"]
    assert ending == ".zst" or whole.document["events"]["read"] < 1_000  # zstd packs all of this into one block


UNWRITABLE = {
    "folder missing": "missing/books.db",
    "below a file": "file/books.db",
    "a folder": "folder",
}


@pytest.mark.parametrize("case", UNWRITABLE)
def test_unwritable_store(case: str, tmp_path: Path) -> None:
    """A store that cannot be made is a wrong path: exit 2, and the sentence names it and what to give instead."""
    events = written(tmp_path / "events.jsonl", [GOOD])
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    state = tmp_path / UNWRITABLE[case]

    ran = flopwatch("replay", events, "--state", state)

    sentence = f"The store {state} cannot be opened: give a file in a folder that this user can write to."
    assert (2, "", f"flopwatch: {sentence}\n") == ran


def test_store_that_is_something_else(tmp_path: Path) -> None:
    """A file that is no store is not touched."""
    events = written(tmp_path / "events.jsonl", [GOOD] * 100)
    before = events.read_bytes()

    ran = flopwatch("replay", events, "--state", events)

    assert (2, before) == (ran.code, events.read_bytes())
    assert "is not a store but some other file" in ran.err


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
from monitor.cli import main
main()
"""


def test_full_disk(tmp_path: Path) -> None:
    """Where nothing more can be written a replay stops with a sentence; with room it goes on to the same answer."""
    heartbeats = [
        fact(
            "allocation.seen",
            f"{n * 0x9E3779B97F4A7C15 % 2**64:x}",
            f"2026-03-{1 + n // 1_440:02}T{n // 60 % 24:02}:{n % 60:02}:00Z",
        )
        for n in range(1, 20_000)
    ]
    events, state = written(tmp_path / "events.jsonl", [GOOD, *heartbeats]), tmp_path / "books.db"

    arguments = [sys.executable, "-c", LIMITED, "400000", "replay", str(events), "--state", str(state)]
    full = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    room = flopwatch("replay", events, "--state", state, "--json")

    assert (2, "") == (full.returncode, full.stdout)
    sentence = f"Reading or writing the store {state} failed: check its disk; what was committed before is safe."
    assert f"flopwatch: {sentence}\n" == full.stderr
    assert flopwatch("replay", events, "--json").document["digest"] == room.document["digest"]
    assert 0 == flopwatch("verify", "--state", state).code


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [("simulate", "quiet"), ("simulate", "--list"), ("check", "--json")])
def test_output_on_a_full_disk(arguments: tuple[str, ...]) -> None:
    """An answer that cannot be written is a sentence too, and no success."""
    command = [sys.executable, "-c", "from monitor.cli import main; main()", *arguments]
    with Path("/dev/full").open("wb") as nowhere:
        ran = subprocess.run(command, cwd=ROOT, stdout=nowhere, stderr=subprocess.PIPE, text=True, check=False)

    assert (2, "flopwatch: The output cannot be written: no space left on device.\n") == (ran.returncode, ran.stderr)


def changed_reference(tmp_path: Path, name: str, old: str, new: str) -> Path:
    """A copy of the packaged configuration with one passage of one file changed."""
    folder = tmp_path / "config"
    shutil.copytree(config_root(), folder)
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


def test_policy_with_a_typo(tmp_path: Path) -> None:
    """A policy with a misspelt key is refused with the file, the key and what was probably meant."""
    folder = changed_reference(tmp_path, "policies/internal-ladder.yaml", "legal_force:", "legal_forse:")

    ran = flopwatch("check", "--reference", folder)

    assert (2, "") == (ran.code, ran.out)
    assert "policies/internal-ladder.yaml" in ran.err
    assert "legal_forse" in ran.err
    assert "legal_force" in ran.err


def test_catalogue_with_a_duplicate(tmp_path: Path) -> None:
    """An accelerator that stands twice in the catalogue is bad news, with its name and place."""
    name = "catalogue/accelerators.csv"
    row = next(
        line
        for line in (config_root() / name).read_text(encoding="utf-8").splitlines()
        if line.startswith("H100 SXM5 80GB,")
    )
    folder = changed_reference(tmp_path, name, row, f"{row}\n{row}")

    ran = flopwatch("check", "--reference", folder)

    assert ran.code in {1, 2}
    assert "accelerators.csv" in ran.out + ran.err
    assert "H100 SXM5 80GB" in ran.out + ran.err


def test_alias_used_twice(tmp_path: Path) -> None:
    """A name that stands for two chips is bad news, with the name."""
    text = (config_root() / "catalogue/aliases.csv").read_text(encoding="utf-8")
    row = text.splitlines()[1]
    alias, _, rest = row.partition(",")
    folder = changed_reference(
        tmp_path, "catalogue/aliases.csv", row, f"{row}\n{alias},H100 SXM5 80GB,{rest.partition(',')[2]}"
    )

    ran = flopwatch("check", "--reference", folder)

    assert ran.code in {1, 2}
    assert alias in ran.out + ran.err


def test_packaged_reference_is_sound() -> None:
    """What is delivered passes its own check."""
    ran = flopwatch("check")

    assert (0, "") == (ran.code, ran.err)
    assert "training score, country groups, effects of lists, lists and policies are sound.\n" in ran.out


def test_training_score_with_a_feature_too_many(tmp_path: Path) -> None:
    """Weights for a feature that nobody computes are bad configuration, with the file and the name."""
    folder = changed_reference(tmp_path, "training_score.yaml", "  daily:", "  weekly:")

    ran = flopwatch("check", "--reference", folder)

    assert (2, "") == (ran.code, ran.out)
    assert "training_score.yaml: the document: each feature once and no other: daily, weekly" in ran.err


WRONG_USAGE = {
    "no such file": (("replay", "nothing.jsonl"), "'nothing.jsonl' cannot be read (no such file or directory)"),
    "a folder": (("replay", "."), "'.' is a folder; name the event files in it."),
    "no file at all": (("replay",), "Missing argument 'PATH...'"),
    "name that is no text": (("replay", "\udcff"), "cannot be read (no such file or directory)"),
    "unknown scenario": (("simulate", "wobbly"), "Name a scenario: batch, demo,"),
    "no scenario": (("simulate",), "Name a scenario: batch, demo,"),
    "as of no time": (("replay", "x", "--as-of", "yesterday"), "write it like 2026-01-31T00:00:00Z"),
    "as of no zone": (("replay", "x", "--as-of", "2026-01-01T00:00:00"), "has no zone; add Z for UTC"),
    "as of the year 9999": (("replay", "x", "--as-of", "9999-12-31T23:00:00-23:00"), "outside the years 2010 to 2100"),
    "as of the year 1": (("verify", "--as-of", "0001-01-01T00:00:00Z"), "outside the years 2010 to 2100"),
    "unknown option": (("replay", "x", "--jsno"), "No such option '--jsno'"),
    "unknown command": (("reply", "x"), "No such command 'reply'"),
    "no settings file": (("replay", "x", "--config", "no.yaml"), "The settings file no.yaml cannot be read"),
    "no store": (("tenants", "--state", "no.db"), "There is no store at no.db: give the path of one, or make one with"),
    "no such reference": (("check", "--reference", "no"), "'no' does not exist"),
    "empty reason": (("flags", "close", "F-1", "--reason", " "), "--reason is empty"),
}


@pytest.mark.parametrize("case", WRONG_USAGE)
def test_wrong_usage(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong usage exits with 2, prints nothing on standard output, and says what to do."""
    monkeypatch.chdir(tmp_path)
    arguments, sentence = WRONG_USAGE[case]

    ran = flopwatch(*arguments)

    assert (2, "") == (ran.code, ran.out)
    assert sentence in ran.err


def test_unknown_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt setting is refused, in the file and in the environment, with the name that was probably meant."""
    events, settings = written(tmp_path / "events.jsonl", [GOOD]), tmp_path / "settings.yaml"
    settings.write_text("store_ulr: sqlite:///books.db\n")

    in_file = flopwatch("replay", events, "--config", settings)
    monkeypatch.setenv("FLOPWATCH_STORE_ULR", "sqlite:///books.db")
    in_environment = flopwatch("replay", events)

    assert [2, 2] == [in_file.code, in_environment.code]
    assert "`store_ulr` is no setting; did you mean `store_url`?" in in_file.err
    assert "FLOPWATCH_STORE_ULR is no setting; did you mean FLOPWATCH_STORE_URL?" in in_environment.err


def test_limit_of_unreadable_records(tmp_path: Path) -> None:
    """A thousand bad records stop a replay with the way past them; with a reason it goes on, and keeps both."""
    events, state = written(tmp_path / "events.jsonl", [GOOD, *[b"bad"] * 1_001, STOPPED]), tmp_path / "books.db"

    stopped = flopwatch("replay", events, "--state", state)
    past = flopwatch("replay", events, "--state", state, "--past-limit", "lost disk of 1 March", "--json")

    assert (2, "") == (stopped.code, stopped.out)
    assert f"999 of the last 1,000 records of {events}, partition 0, are unreadable: reading stopped" in stopped.err
    assert "A replay goes past them with --past-limit REASON." in stopped.err
    assert (0, 2, 1_001) == (past.code, past.document["events"]["accepted"], past.document["events"]["rejected"])
    with opened_store(f"sqlite:///{state}") as store:
        letters = list(store.dead_letters())
        decisions = [row.entry.body for row in store.journal() if row.entry.kind == "decision"]
    assert 1_001 == len(letters)
    assert ["lost disk of 1 March"] == [body["reason"] for body in decisions]


def test_share_of_unreadable_records(tmp_path: Path) -> None:
    """Over 1 per cent of unreadable records stops a replay once 1,000 were seen; exactly 1 per cent does not."""
    seen = [fact("allocation.seen", f"seen-{n}", f"2026-03-02T{n // 60 % 24:02}:{n % 60:02}:00Z") for n in range(1_000)]

    over = flopwatch("replay", written(tmp_path / "over.jsonl", [*[b"bad"] * 11, *seen[:989]]))
    at = flopwatch("replay", written(tmp_path / "at.jsonl", [*[b"bad"] * 10, *seen[:990]]))

    assert [2, 0] == [over.code, at.code]
    assert "11 of the last 1,000 records of" in over.err


def test_standard_input_and_a_closed_pipe(tmp_path: Path) -> None:
    """Events come from standard input too, in a process of its own; a reader that leaves early is no error."""
    command = f'"{sys.executable}" -c "from monitor.cli import main; main()"'
    content = json.dumps(GOOD) + "\n" + json.dumps(STOPPED)

    told = subprocess.run(
        f"{command} replay - --json", shell=True, cwd=ROOT, input=content, capture_output=True, text=True, check=False
    )
    left = subprocess.run(
        f"{command} simulate quiet | head -n 1", shell=True, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (0, "", 2) == (told.returncode, told.stderr, json.loads(told.stdout)["events"]["accepted"])
    assert (1, "") == (len(left.stdout.splitlines()), left.stderr)


def test_instances_against_accelerators_are_told(tmp_path: Path) -> None:
    """Eight instances in the events and eight accelerators in the report: the first few are named, the rest counted."""
    names = [f"job-{number}" for number in range(12)]
    events = written(
        tmp_path / "events.jsonl",
        [
            *(
                {
                    **fact("allocation.started", name, **{**HELD, "allocation": name}),
                    "data": {"tenant": "acme", "allocation": name, "instance_type": "p5.48xlarge", "instances": 8,
                             "region": "eu-1"},
                }
                for name in names
            ),
            fact(
                "inventory.reported",
                "report",
                "2026-03-01T01:00:00Z",
                region="eu-1",
                complete=True,
                capacity={"H100": 96},
                allocations=[
                    {"tenant": "acme", "allocation": name, "count": 8, "hardware": "H100"} for name in names
                ],
            ),
        ],
    )  # fmt: skip

    told = flopwatch("replay", events)

    assert 0 == told.code
    sentence = "events count p5.48xlarge (8 accelerators each), the report of region eu-1 counts H100 (1 each)"
    assert 10 == (told.out + told.err).count(sentence)
    assert "So do 2 more allocations." in told.out + told.err
