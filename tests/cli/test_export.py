"""`flopwatch export`: tables as files that say whom they are for, and that the audit knows."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest

from monitor.core.tables import Table
from tests.cli.command import HELD, fact
from tests.cli.test_cases import Place

BASIS = ("--recipient", "the board", "--legal-basis", "15 CFR 744.6")
LARGE = {**HELD, "count": 10_000}


COMMANDS = {"tenants": ("tenants",), "runs": ("runs",), "flags": ("flags", "--all"), "cases": ("cases", "--all")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A large tenant, flagged, with a case."""
    place = Place(tmp_path_factory.mktemp("place"))
    place.replay(
        fact("tenant.profiled", "who", legal_name="=1+1", basis={"legal_name": "claimed"}, allocation=None),
        fact("allocation.started", "a", **LARGE),
        fact("allocation.seen", "b", "2026-03-20T00:00:00Z"),
    )
    return place


@pytest.mark.parametrize("table", Table)
def test_a_table_has_what_the_command_prints(place: Place, tmp_path: Path, table: Table) -> None:
    """As JSON with whom it is for, and as CSV with as many rows."""
    as_json, as_csv = tmp_path / "table.json", tmp_path / "table.zip"
    assert 0 == place.run("export", table, "--format", "json", "--out", as_json, *BASIS).code
    assert 0 == place.run("export", table, "--out", as_csv, *BASIS).code

    found = json.loads(as_json.read_text())
    with zipfile.ZipFile(as_csv) as archive:
        about, text = json.loads(archive.read("about.json")), archive.read(f"{table}.csv").decode()

    if table is not Table.AUDIT:
        assert place.run(*COMMANDS[table], "--json").document == found["rows"]
    assert 0 < found["row_count"] == len(found["rows"])
    assert about["row_count"] == len(list(csv.DictReader(io.StringIO(text, newline=""))))
    assert [("the board", "15 CFR 744.6")] * 2 == [(one["recipient"], one["legal_basis"]) for one in (found, about)]


def test_the_audit_knows_the_file(place: Place, tmp_path: Path) -> None:
    """By its digest, before anybody has it; a file that is there is never written over."""
    out = tmp_path / "tenants.json"
    assert 0 == place.run("export", "tenants", "--format", "json", "--out", out, *BASIS, "--by", "ana").code
    content = out.read_bytes()
    again = place.run("export", "tenants", "--format", "json", "--out", out, *BASIS)

    rows = place.run("audit", "list", "--act", "table.exported", "--json").document
    assert hashlib.sha256(content).hexdigest() == rows[0]["body"]["digest"]
    assert "ana" in rows[0]["who"]
    assert (2, True) == (again.code, "is there already" in again.err)
    assert content == out.read_bytes()


def test_a_government_gets_a_table_once_counsel_has_said_so(place: Place, tmp_path: Path) -> None:
    """It is proposed, released by somebody else, and made by its number; as no other table."""
    place.run("users", "add", "carla", "--role", "counsel", "--no-password")
    asked = place.run("export", "flags", "--out", tmp_path / "a.zip", *BASIS, "--recipient-kind", "governmental")
    number = asked.out.split()[1]

    assert (1, f"Export {number} waits for counsel") == (asked.code, asked.out.partition(":")[0])
    assert 1 == place.run("export", "flags", "--out", tmp_path / "a.zip", "--export", number).code
    assert 0 == place.run("exports", "release", number, "--by", "carla").code
    wrong = place.run("export", "cases", "--out", tmp_path / "a.zip", "--export", number)
    assert (2, True) == (wrong.code, f"Export {number} is of table flags." in wrong.err)
    assert 0 == place.run("export", "flags", "--out", tmp_path / "a.zip", "--export", number).code
    assert (tmp_path / "a.zip").is_file()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((), "An export names whom it is for, with --recipient, and why, with --legal-basis."),
        (("--recipient", " ", "--legal-basis", "law"), "An export names its recipient"),
        ((*BASIS, "--out", "none/at/all.zip"), "cannot be written to none/at/all.zip: no such file"),
    ],
)
def test_what_is_wrong_is_said(place: Place, tmp_path: Path, given: tuple[str, ...], sentence: str) -> None:
    """In a sentence, with exit code 2."""
    ran = place.run("export", "tenants", "--out", tmp_path / "x.zip", *given)

    assert (2, True) == (ran.code, sentence in ran.err), ran.err
