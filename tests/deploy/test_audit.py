"""What `make audit` is told: which packages, how strictly, and what it may leave out for a while."""

from __future__ import annotations

import importlib
import json
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 11, 27)
ENTRY = """
[[exception]]
id = "GHSA-0000-0000-0000"
package = "example"
reason = "Only its server is affected, which we do not use."
expires = 2026-11-27
"""


@pytest.fixture(scope="module")
def programs() -> Iterator[None]:
    """The programs beside the checks of a change can be imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / ".ci")
        yield
    for name in ("audit", "advisories"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def audit(programs: None) -> ModuleType:
    """The program that `make audit` runs."""
    return importlib.import_module("audit")


@pytest.fixture(scope="module")
def advisories(programs: None) -> ModuleType:
    """What answers it from a folder."""
    return importlib.import_module("advisories")


def test_no_exception_has_expired(audit: ModuleType) -> None:
    """Today every vulnerability that is left out is left out on purpose, by somebody who looked lately."""
    text = (ROOT / ".ci" / "audit-exceptions.toml").read_text(encoding="utf-8")

    assert [] == [one for one in audit.exceptions(text, datetime.now(UTC).date()) if not one.reason.strip()]


def test_an_exception_counts_up_to_its_last_day(audit: ModuleType) -> None:
    """On the day that it names it still counts, and pip-audit is told not to fail at it."""
    (one,) = audit.exceptions(ENTRY, TODAY)

    assert ["--ignore-vuln", "GHSA-0000-0000-0000"] == audit.command("pip-audit", "osv", [], [one])[-2:]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ENTRY.replace("11-27", "11-26"), "has expired on 2026-11-26"),
        (ENTRY.replace("expires = 2026-11-27\n", ""), "An exception has"),
        (ENTRY.replace("2026-11-27", '"2026-11-27"'), "An exception has"),
        (ENTRY.replace("Only its server is affected, which we do not use.", ""), "An exception has"),
        (ENTRY + "severity = 3\n", "An exception has"),
    ],
)
def test_an_exception_that_is_over_or_incomplete_is_refused(audit: ModuleType, text: str, said: str) -> None:
    """One whose day has passed, or that does not say why and until when, stops the audit with a sentence."""
    with pytest.raises(ValueError, match=said):
        audit.exceptions(text, TODAY)


def test_the_audit_is_strict(audit: ModuleType) -> None:
    """What the service does not know fails the audit instead of counting as free of vulnerabilities."""
    assert {"--strict", "--require-hashes", "--disable-pip"} <= set(audit.command("pip-audit", "pypi", [], []))


def advisory(name: str = "Some_Package", ecosystem: str = "PyPI", **affected: Any) -> dict[str, Any]:
    """An advisory of OSV's format about one package."""
    package = {"name": name, "ecosystem": ecosystem}
    return {"id": "PYSEC-2026-1", "affected": [{"package": package, **affected}]}


def ranges(*events: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"type": "ECOSYSTEM", "events": [{kind: version} for kind, version in events]}]


@pytest.mark.parametrize(
    ("affected", "inside", "outside"),
    [
        ({"versions": ["1.0", "1.10"]}, ["1.0", "1.0.0", "1.10"], ["1.1", "1.9"]),
        ({"ranges": ranges(("introduced", "0"), ("fixed", "1.10"))}, ["0.0.1.dev1", "1.9"], ["1.10", "2"]),
        ({"ranges": ranges(("introduced", "1.2"), ("last_affected", "1.4"))}, ["1.2", "1.4"], ["1.1", "1.4.1"]),
        (
            {"ranges": ranges(("fixed", "2.1"), ("introduced", "2"), ("introduced", "0"), ("fixed", "1.5"))},
            ["1.4", "2", "2.0.9"],
            ["1.5", "1.9", "2.1"],
        ),
        ({"ranges": ranges(("introduced", "0"))}, ["9"], []),
        ({"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}, [], ["1"]),
        ({}, [], ["1"]),
    ],
)
def test_an_advisory_is_about_the_versions_that_it_names(
    advisories: ModuleType, tmp_path: Path, affected: dict[str, Any], inside: list[str], outside: list[str]
) -> None:
    """By list or by range, however a package's name is written, and however events are ordered."""
    (tmp_path / "one.json").write_text(json.dumps(advisory(**affected)), encoding="utf-8")

    known = advisories.load(tmp_path)

    assert inside == [one for one in [*inside, *outside] if advisories.about(known, "some.package", one)]
    assert [] == advisories.about(known, "another", "1.0")


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"affected": [{"package": {}}]}', json.dumps(advisory(ecosystem="npm"))],
)
def test_a_folder_without_advisories_is_no_clean_audit(advisories: ModuleType, tmp_path: Path, content: str) -> None:
    """What is no advisory, or about other packages only, is told: an empty folder must not pass for nothing known."""
    (tmp_path / "one.json").write_text(content, encoding="utf-8")

    with pytest.raises(ValueError, match="OSV's format"):
        advisories.load(tmp_path)


def test_a_folder_answers_as_the_service_does(advisories: ModuleType, tmp_path: Path) -> None:
    """Over HTTP on loopback: the advisories of a version, and an empty object where there is none."""
    one = advisory(ranges=ranges(("introduced", "0"), ("fixed", "2")))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one.json").write_text(json.dumps(one), encoding="utf-8")

    with advisories.served(tmp_path) as address:
        found = [asked(address, version) for version in ("1", "2")]

    assert [{"vulns": [one]}, {}] == found


def asked(address: str, version: str) -> Any:
    question = {"package": {"name": "some-package", "ecosystem": "PyPI"}, "version": version}
    with urllib.request.urlopen(address, json.dumps(question).encode(), timeout=10) as answer:
        return json.load(answer)


def test_a_folder_is_asked_where_one_is_named(audit: ModuleType) -> None:
    """The address of what answers from it takes the place of the service's own."""
    address = "http://127.0.0.1:1/v1/query"

    assert ["-s", "osv", "--osv-url", address] == audit.command("pip-audit", address, [], [])[1:5]
