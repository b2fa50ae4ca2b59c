"""`flopwatch evidence`: a pack holds what its numbers need, and whoever changes anything in it is found."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.core.manifest import NAME, content_of
from monitor.simulate.scenarios import simulate
from tests.cli.command import HELD, Ran, fact, flopwatch
from tests.cli.test_approval import OWN, agreed
from tests.cli.test_approval import Place as Own
from tests.cli.test_cases import ANA, BO, REASON, Place
from tests.cli.test_hits import COMPANY, HOLDING, PROFILED

BASIS = ("--recipient", "the board", "--legal-basis", "15 CFR 744.6")
LARGE = {**HELD, "count": 10_000}
DAY = "2026-03-02T00:00:00Z"


def verified(folder: Path) -> Ran:
    """The check of a pack, which needs neither settings nor a store."""
    return flopwatch("evidence", "verify", folder, "--json")


def of_tenant(tenant: str, what: dict[str, Any]) -> dict[str, Any]:
    """A fact of another tenant."""
    return {**what, "id": f"{tenant}-{what['id']}", "data": {**what["data"], "tenant": tenant}}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Two large tenants of one party, which belongs to somebody listed; a third one that is no business of theirs."""
    place = Place(tmp_path_factory.mktemp("place"))
    report = {"tenant": "", "allocation": "", "region": "eu-1", "complete": True, "capacity": {"H100 SXM 80GB": 50_000}}
    held = [{"tenant": name, "allocation": "job", "count": 10_000} for name in ("acme", "beta", "other")]
    inventory = fact("inventory.reported", "all", "2026-03-01T12:00:00Z", **report, allocations=held)
    del inventory["data"]["tenant"], inventory["data"]["allocation"]
    facts = []
    for name in ("acme", "beta", "other"):
        facts += [
            of_tenant(name, fact("allocation.started", "begin", **LARGE)),
            of_tenant(name, fact("allocation.seen", "still", DAY)),
        ]
    for name in ("acme", "beta"):
        facts.append(of_tenant(name, fact("tenant.profiled", "who", **PROFILED)))
    place.replay(
        *facts,
        inventory,
        fact("party.profiled", "company", party="orchid", **COMPANY),
        fact("party.profiled", "above", party="holding", **HOLDING),
        fact("party.profiled", "nobody", party="stranger", **COMPANY),
    )
    return place


def case_of(place: Place) -> str:
    """The case of the party."""
    (found,) = [one for one in place.cases() if one["subject"] == "party orchid"]
    return str(found["case"])


@pytest.fixture(scope="module")
def made(place: Place) -> Path:
    """Its pack."""
    folder = place.folder / "pack"
    ran = place.run("evidence", case_of(place), "--out", folder, *BASIS)
    assert (0, "") == (ran.code, ran.err)
    return folder


@pytest.fixture
def pack(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return shutil.copytree(made, tmp_path / "pack")


def sealed(pack: Path) -> None:
    """Make the manifest anew, as whoever changes a pack would."""
    manifest = json.loads((pack / NAME).read_bytes())
    files = sorted(path for path in pack.rglob("*") if path.is_file() and path.name != NAME)
    held = {path.relative_to(pack).as_posix(): content_of(path.read_bytes())._asdict() for path in files}
    (pack / NAME).write_text(json.dumps({**manifest, "files": held}), "ascii")


# -- what is in it -----------------------------------------------------------------------------------------------------


def test_a_pack_verifies_without_store_and_settings(made: Path) -> None:
    """A group's flag, tenants' flags on lists and owners, and usage that a report changes: all from the pack alone."""
    case = json.loads((made / "case.json").read_bytes())

    found = verified(made)

    assert (0, []) == (found.code, found.document["problems"])
    assert [] == case["from_books"]
    assert {True, False} == {flag["of_group"] for flag in case["flags"]}
    assert (len(case["flags"]), 2) == (found.document["flags"], found.document["tenants"])
    assert "is whole" in flopwatch("evidence", "verify", made).out


def test_a_pack_holds_the_facts_of_its_tenants_and_of_nobody_else(made: Path) -> None:
    """Of a report that names others it holds what is said of these, and the hash of the whole."""
    facts = [json.loads(line) for line in (made / "facts.ndjson").read_bytes().splitlines()]
    case = json.loads((made / "case.json").read_bytes())
    (report,) = [one for one in facts if one["type"] == "io.flopwatch.inventory.reported.v1"]

    assert b"other" not in (made / "facts.ndjson").read_bytes()
    assert ["acme", "beta"] == [one["tenant"] for one in report["data"]["allocations"]]
    assert "capacity" not in report["data"]
    assert ["all"] == [one["id"] for one in case["given"]["reduced_reports"]]
    assert {"orchid", "holding"} == {one["data"]["party"] for one in facts if "party.profiled" in one["type"]}


def test_a_pack_names_whom_it_is_for_and_so_does_the_audit(place: Place, made: Path) -> None:
    """With the basis, who made it, and the digest of the manifest that was given out."""
    export = json.loads((made / NAME).read_bytes())["export"]
    rows = place.run("audit", "list", "--act", "evidence.exported", "--json").document

    assert ("the board", "15 CFR 744.6", "internal") == tuple(
        export[name] for name in ("recipient", "legal_basis", "recipient_kind")
    )
    body = rows[-1]["body"]
    assert ("the board", "15 CFR 744.6") == (body["recipient"], body["legal_basis"])
    assert content_of((made / NAME).read_bytes()).sha256 == body["digest"]


def test_the_page_needs_nothing_and_runs_nothing(made: Path) -> None:
    """No script and nothing from elsewhere; the general one has no mark."""
    page = (made / "case.html").read_text("utf-8")

    assert "default-src 'none'" in page
    assert [] == re.findall(r"<script|src=|href=|url\(", page)
    assert "orchid" in page
    assert "PROPOSED RULE" not in page


def test_the_proposed_rule_is_marked_and_stays_inside(place: Place, tmp_path: Path) -> None:
    """The mark stands on each page, on paper too; nobody outside gets one."""
    options = ("--template", "iaas-proposal", *BASIS)
    inside = place.run("evidence", case_of(place), "--out", tmp_path / "in", *options)
    outside = place.run("evidence", case_of(place), "--out", tmp_path / "out", *options, "--recipient-kind", "other")

    page = (tmp_path / "in" / "case.html").read_text("utf-8")
    assert (0, 2) == (inside.code, outside.code)
    assert '<p class="mark">PROPOSED RULE \N{EN DASH} NOT IN FORCE \N{EN DASH} INTERNAL</p>' in page
    assert ".mark{position:fixed" in page
    assert "Orchid Compute Technology Co., Ltd." in page
    assert "not known to this monitor" in page
    assert "is proposed and not in force" in outside.err
    assert not (tmp_path / "out").exists()


def test_a_government_gets_it_once_counsel_has_said_so(place: Place, tmp_path: Path) -> None:
    """Proposed by one, released by another, and then made: each is refused before its time."""
    case, out = case_of(place), tmp_path / "pack"
    place.run("users", "add", "carla", "--role", "counsel", "--no-password")
    asked = place.run("evidence", case, "--out", out, *BASIS, "--recipient-kind", "governmental", *BO)
    number = re.search(r"Export (\d+) waits for counsel", asked.out)
    assert number is not None, asked.err
    again = ("evidence", case, "--out", out, "--export", number[1])

    assert (1, 1, False) == (asked.code, place.run(*again).code, out.exists())
    refused = place.run("exports", "release", number[1], *BO)
    assert (2, True) == (refused.code, "is not counsel" in refused.err)
    assert 0 == place.run("exports", "release", number[1], "--by", "carla").code
    assert 0 == place.run(*again).code
    assert 0 == verified(out).code
    assert "carla" == json.loads((out / "case.json").read_bytes())["export"]["released_by"]
    assert "released" in place.run("exports").out
    assert "released" == place.run("exports", "--json").document[0]["verdict"]


def test_what_counsel_refuses_is_not_made(place: Place, tmp_path: Path) -> None:
    """The reason is told to whoever tries."""
    case = case_of(place)
    place.run("users", "add", "cleo", "--role", "counsel", "--no-password")
    asked = place.run("evidence", case, "--out", tmp_path / "x", *BASIS, "--recipient-kind", "governmental", *BO)
    number = re.search(r"Export (\d+) waits", asked.out)
    assert number is not None
    assert 0 == place.run("exports", "refuse", number[1], "--reason", "No basis.", "--by", "cleo").code

    ran = place.run("evidence", case, "--out", tmp_path / "x", "--export", number[1])

    assert (2, True) == (ran.code, "Counsel refused" in ran.err)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--out", "NEW"), "names whom it is for"),
        (("--out", "NEW", "--recipient", " ", "--legal-basis", "x"), "names its recipient"),
        (("--out", "FULL", *BASIS), "is not empty"),
        (("--out", "FILE", *BASIS), "is a file"),
        (("--out", "NEW", "--export", "999"), "There is no export 999"),
        (BASIS, "Missing option '--out'"),
    ],
)
def test_wrong_use_is_told(place: Place, tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    """In one sentence, and nothing is written."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("")
    places = {"NEW": tmp_path / "new", "FULL": tmp_path / "full", "FILE": tmp_path / "full" / "a"}

    ran = place.run("evidence", case_of(place), *(places.get(one, one) for one in arguments))

    assert (2, True) == (ran.code, sentence in ran.err), ran.err
    assert not (tmp_path / "new").exists()


def test_there_is_no_pack_of_no_case(place: Place, tmp_path: Path) -> None:
    """Nor a row that somebody wanted one."""
    before = len(place.run("exports", "--json").document)

    ran = place.run("evidence", "C-none", "--out", tmp_path / "x", *BASIS)

    assert (2, True) == (ran.code, "There is no case C-none" in ran.err)
    assert before == len(place.run("exports", "--json").document)


def test_policies_of_the_operator_are_in_it_once_they_count(tmp_path: Path) -> None:
    """A policy that waits for two people finds nothing that people are told of, and is left out."""
    place = Own(tmp_path, "console")
    (place.file.parent / "second.yaml").write_text(OWN.replace("id: small", "id: second"), "utf-8")
    assert set() == place.told()
    agreed(place)
    assert {"small.any"} == place.told()
    (case,) = place.run("cases", "--json").document

    ran = place.run("evidence", case["case"], "--out", tmp_path / "pack", *BASIS)

    assert (0, "") == (ran.code, ran.err)
    assert [] == verified(tmp_path / "pack").document["problems"]
    files = {path.name for path in (tmp_path / "pack" / "reference" / "policies").iterdir()}
    assert ({"small@1.yaml"}, True) == (files & {"small@1.yaml", "second@1.yaml"}, "internal-ladder@1.yaml" in files)


# -- since it was decided ----------------------------------------------------------------------------------------------


def test_what_was_seen_is_in_it_though_the_books_move_on(tmp_path: Path) -> None:
    """A late fact doubles the usage: the pack says that it is of now, and what was seen at each act."""
    place = Place(tmp_path)
    place.replay(
        fact("allocation.started", "begin", **HELD),
        fact("tenant.profiled", "who", **PROFILED),
        fact("party.profiled", "company", party="orchid", **COMPANY),
        fact("party.profiled", "above", party="holding", **HOLDING),
        fact("allocation.stopped", "end", DAY),
    )
    case, before = case_of(place), tmp_path / "before"
    cited = ("--policy", "internal-screening@1", "--rule", "owners.review")
    place.done("claim", case, *ANA)
    place.done("decide", case, "--outcome", "explained", *cited, *REASON, *ANA)
    place.done("approve", case, *BO)
    place.run("evidence", case, "--out", before, *BASIS)
    place.replay(fact("allocation.resized", "more", "2026-03-01T00:00:01Z", **{**HELD, "count": 16}))
    place.run("evidence", case, "--out", tmp_path / "after", *BASIS)

    first, then = (json.loads((tmp_path / name / "case.json").read_bytes()) for name in ("before", "after"))
    found = verified(tmp_path / "after")

    assert ([], first["as_it_was"]) == (first["remarks"], then["as_it_was"])
    assert ["proposed", "decided"] == [one["act"] for one in then["as_it_was"]]
    assert then["tenants"][0]["flop"]["central"] > 1.9 * first["tenants"][0]["flop"]["central"]
    (remark,) = then["remarks"]
    assert "This pack is of now" in remark
    assert (0, [remark]) == (found.code, found.document["remarks"])
    then["as_it_was"][0]["saw"]["flags"][0]["level"] = "watch"
    (tmp_path / "after" / "case.json").write_text(json.dumps(then), "ascii")
    sealed(tmp_path / "after")
    number = then["as_it_was"][0]["event"]
    assert [f"Event {number}: what the pack says was seen is not what the event says."] == verified(
        tmp_path / "after"
    ).document["problems"]


# -- what is changed in it is found ------------------------------------------------------------------------------------


def test_one_byte_of_any_file_is_found(pack: Path) -> None:
    """Each file but the manifest, changed by one bit in the middle, is named; the manifest itself is of no use then."""
    for path in sorted(one for one in pack.rglob("*") if one.is_file()):
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])

        found = flopwatch("evidence", "verify", pack)

        name = path.relative_to(pack).as_posix()
        assert found.code in ({1, 2} if name == NAME else {1}), name
        assert name == NAME or f"{name} was changed" in found.out
        path.write_bytes(content)
    assert 0 == flopwatch("evidence", "verify", pack).code


def remove_fact(pack: Path) -> None:
    path = pack / "facts.ndjson"
    path.write_bytes(b"".join(line for line in path.read_bytes().splitlines(True) if b"acme-still" not in line))


def other_number(pack: Path) -> None:
    path = pack / "case.json"
    document = json.loads(path.read_bytes())
    document["flags"][0]["now"]["amount"]["central"] += 1
    path.write_text(json.dumps(document), "ascii")


def no_flag(pack: Path) -> None:
    path = pack / "case.json"
    document = json.loads(path.read_bytes())
    document["flags"][0]["now"] = None
    path.write_text(json.dumps(document), "ascii")


def other_prior(pack: Path) -> None:
    path = pack / "reference" / "priors.yaml"
    path.write_bytes(path.read_bytes().replace(b"122_984", b"122_985"))


def off_the_list(pack: Path) -> None:
    path = pack / "lists.json"
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, "answers": []}), "ascii")


def no_owner(pack: Path) -> None:
    path = pack / "facts.ndjson"
    path.write_bytes(b"".join(line for line in path.read_bytes().splitlines(True) if b'"company"' not in line))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (remove_fact, "Tenant acme: the pack divides its usage"),
        (other_number, "Flag F-"),
        (no_flag, "the pack says that its finding does not stand"),
        (off_the_list, "Flag F-"),
        (no_owner, "Flag F-"),
        (other_prior, "priors"),
    ],
)
def test_what_is_changed_with_its_manifest_is_found_by_the_numbers(
    pack: Path, change: Callable[[Path], None], sentence: str
) -> None:
    """Hashes that were made anew hide nothing that a number rests on."""
    change(pack)
    sealed(pack)

    found = flopwatch("evidence", "verify", pack)

    assert (1, True) == (found.code, sentence in found.out), found.out


# -- hostile packs -----------------------------------------------------------------------------------------------------


def add_file(pack: Path) -> None:
    (pack / "more.txt").write_text("more")


def lose_file(pack: Path) -> None:
    (pack / "audit.ndjson").unlink()


def add_link(pack: Path) -> None:
    (pack / "link").symlink_to("/etc/passwd")


def add_linked_folder(pack: Path) -> None:
    (pack / "folder").symlink_to("/etc")


def replace_with_link(pack: Path) -> None:
    path = pack / "facts.ndjson"
    copy = pack.parent / "elsewhere"
    path.rename(copy)
    path.symlink_to(copy)


def add_pipe(pack: Path) -> None:
    os.mkfifo(pack / "pipe")


def add_odd_name(pack: Path) -> None:
    (pack / os.fsdecode(b"a\xff\x1b[31m")).write_text("x")


def huge_file(pack: Path) -> None:
    with (pack / "facts.ndjson").open("r+b") as file:
        file.truncate(1 << 40)


def no_manifest(pack: Path) -> None:
    (pack / NAME).unlink()


def manifest_is_link(pack: Path) -> None:
    (pack / NAME).unlink()
    (pack / NAME).symlink_to("/dev/zero")


def manifest_of(content: bytes) -> Callable[[Path], None]:
    def write(pack: Path) -> None:
        (pack / NAME).write_bytes(content)

    return write


def sealed_with(name: str, content: bytes) -> Callable[[Path], None]:
    def write(pack: Path) -> None:
        (pack / name).write_bytes(content)
        sealed(pack)

    return write


DEEP = b"[" * 100_000
HELD_FILES = '{"format": 1, "files": {"%s": {"sha256": "' + "0" * 64 + '", "bytes": 1}}}'


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        (add_file, 1, "more.txt was added"),
        (lose_file, 1, "audit.ndjson is missing"),
        (add_link, 1, "'link' is no file that a pack has"),
        (add_linked_folder, 1, "'folder' is no file that a pack has"),
        (replace_with_link, 1, "'facts.ndjson' is no file that a pack has"),
        (add_pipe, 1, "'pipe' is no file that a pack has"),
        (add_odd_name, 1, "is no file that a pack has"),
        (huge_file, 1, "facts.ndjson was changed"),
        (no_manifest, 2, "it has no manifest.json"),
        (manifest_is_link, 2, "cannot be read"),
        (manifest_of(DEEP), 2, "is no JSON document"),
        (manifest_of(b"\xff\xfe"), 2, "is no JSON document"),
        (manifest_of(b"[1]"), 2, "is no manifest of format 1"),
        (manifest_of(b'{"format": 2, "files": {}}'), 2, "is no manifest of format 1"),
        (manifest_of((HELD_FILES % "../x").encode()), 2, "is no name of a file in a pack"),
        (manifest_of((HELD_FILES % "/etc/passwd").encode()), 2, "is no name of a file in a pack"),
        (manifest_of((HELD_FILES % "a/../../x").encode()), 2, "is no name of a file in a pack"),
        (manifest_of(b'{"format": 1, "files": {"a": 1}}'), 2, "does not say the SHA-256"),
        (sealed_with("case.json", DEEP), 1, "is not as packs of format 1 are"),
        (sealed_with("case.json", b"[]"), 1, "is not as packs of format 1 are"),
        (sealed_with("case.json", b'{"given": 1e999}'), 1, "is not as packs of format 1 are"),
        (sealed_with("lists.json", b"{}"), 1, "is not as packs of format 1 are"),
        (sealed_with("lists.json", b"\xff"), 1, "is not as packs of format 1 are"),
        (sealed_with("facts.ndjson", DEEP), 1, "A stored fact cannot be read"),
        (sealed_with("facts.ndjson", b"\xff\n"), 1, "A stored fact cannot be read"),
        (sealed_with("reference/priors.yaml", b"&a [*a]"), 1, "priors.yaml"),
        (sealed_with("reference/catalogue/aliases.csv", b"\xff"), 1, "aliases.csv"),
    ],
)
def test_a_hostile_pack_is_told_in_a_sentence(
    pack: Path, change: Callable[[Path], None], code: int, sentence: str
) -> None:
    """Whatever is done to it, nothing else is read and nothing fails."""
    change(pack)

    found = flopwatch("evidence", "verify", pack)

    assert (code, True) == (found.code, sentence in found.out + found.err), found.out + found.err
    assert "\x1b" not in found.out + found.err


def test_what_is_no_folder_is_no_pack(tmp_path: Path) -> None:
    """Neither a file, nor nothing, nor a link to a folder."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path)

    for name in ("file", "none", "link"):
        assert 2 == flopwatch("evidence", "verify", tmp_path / name).code


# -- a whole fleet -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scenario", "facts"), [("fleet", 6_000), ("who-reseller", 100_000), ("who-owner", 100_000)])
def test_every_case_of_a_fleet_verifies(scenario: str, facts: int, tmp_path: Path) -> None:
    """With reports of regions, telemetry and late facts; tenants that are linked, of one owner, and of a reseller."""
    place = Place(tmp_path)
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"".join(line for line, _ in zip(simulate(scenario).events(), range(facts), strict=False)))
    assert 0 == place.run("replay", events, "--state", place.state).code
    cases = place.cases("--all")
    assert cases

    for number, case in enumerate(cases):
        folder = tmp_path / f"pack-{number}"
        assert 0 == place.run("evidence", case["case"], "--out", folder, *BASIS).code
        found = verified(folder).document
        assert ([], []) == (found["problems"], found["remarks"])
        assert found["flags"]
