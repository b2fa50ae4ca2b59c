"""What `make audit` is told: which packages, how strictly, and what it may leave out for a while."""

from __future__ import annotations

import importlib.util
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType

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
def audit() -> ModuleType:
    """The program that `make audit` runs."""
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec
    assert spec.loader
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


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
