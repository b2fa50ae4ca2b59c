"""Logs: JSON lines from an allow-list, without personal data."""

from __future__ import annotations

import ast
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.log import FIELDS, build_log, tenant_reference

PACKAGE = Path(__file__).resolve().parents[1] / "monitor"


class FixedClock:
    def now_ms(self) -> int:
        return 1_767_225_600_123

    def monotonic(self) -> float:
        return 0.0


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def logged(**fields: object) -> dict[str, object]:
    stream = io.StringIO()
    build_log("info", FixedClock(), stream).info("something happened", **fields)
    (line,) = lines(stream)
    return line


def test_a_line_is_one_json_object_with_time_and_level() -> None:
    """What happened, how bad it is and when, by the clock given."""
    assert {
        "event": "something happened",
        "level": "info",
        "time": "2026-01-01T00:00:00.123Z",
        "records": 3,
    } == logged(records=3)


@pytest.mark.parametrize("name", ["legal_name", "names", "raw", "body", "email", "allocation", "sentence", "Tenant"])
def test_a_field_that_is_not_on_the_list_is_dropped(name: str) -> None:
    """Dropped, not masked: neither its name nor its value is in the line."""
    line = logged(**{name: "Jane Roe"})

    assert {"event", "level", "time"} == set(line)
    assert "Jane" not in json.dumps(line)


def test_a_tenant_is_an_opaque_reference() -> None:
    """The first twelve hexadecimal digits of the SHA-256 of its id; the id itself is not there."""
    line = logged(tenant="orchid-compute")

    assert hashlib.sha256(b"orchid-compute").hexdigest()[:12] == line["tenant"]
    assert tenant_reference("orchid-compute") == line["tenant"]


def test_a_tenant_of_any_characters_has_a_reference() -> None:
    """A lone surrogate in a tenant's id does not break the log."""
    assert 12 == len(tenant_reference("\ud800"))


@pytest.mark.parametrize("nasty", ["\n", "\r", "\x1b[31m", "\x00", "\x85", "\u2028", "\u202e", "\ud800"])
def test_control_characters_do_not_reach_the_log(nasty: str) -> None:
    """No value can forge a line, colour a terminal or turn text around."""
    stream = io.StringIO()
    build_log("info", FixedClock(), stream).info("read", topic=f"a{nasty}b")

    assert 1 == len(stream.getvalue().splitlines())
    assert nasty not in str(lines(stream)[0]["topic"])
    stream.getvalue().encode("utf-8")


def test_a_long_value_is_cut() -> None:
    """A value from outside cannot fill a disk."""
    assert 500 == len(str(logged(topic="x" * 10_000)["topic"]))


def test_below_the_level_nothing_is_written() -> None:
    """A log at warning keeps quiet about information."""
    stream = io.StringIO()
    log = build_log("warning", FixedClock(), stream)
    log.info("quiet")
    log.error("loud")

    assert ["loud"] == [line["event"] for line in lines(stream)]


def test_every_field_is_described_and_none_holds_a_name() -> None:
    """The list of fields is documentation: each has a description, and no name of a person or company is on it."""
    assert [] == [name for name, description in FIELDS.items() if not description]
    assert set() == set(FIELDS) & {"name", "names", "legal_name", "contact", "address", "raw", "body", "allocation"}


def said_in_code() -> Iterator[tuple[str, str]]:
    """Every field that a line of the package's log is given, with where."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                logs = node.func.attr in ("debug", "info", "warning", "error")
                yield from ((f"{path.name}:{node.lineno}", one.arg) for one in node.keywords if logs and one.arg)


def test_no_field_that_the_code_gives_is_dropped() -> None:
    """What is not in the list would vanish without a word."""
    assert len(list(said_in_code())) > 30
    assert [] == [(where, name) for where, name in said_in_code() if name not in FIELDS]
