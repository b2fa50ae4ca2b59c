"""What every test run shares: how hypothesis searches, and that a skipped test may count as a failure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

set_hypothesis_home_dir(Path(__file__).resolve().parents[1] / ".cache" / "hypothesis")
# No deadline: machines that share their cores are slow now and then. The blob makes a failure reproducible elsewhere.
settings.register_profile("flopwatch", deadline=None, print_blob=True)
settings.load_profile("flopwatch")

NO_SKIPS = "FLOPWATCH_NO_SKIPS"


def skipped(config: pytest.Config) -> list[str]:
    """Return one line for each test or module that was skipped so far: where, and why."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter else []
    lines = []
    for report in reports:
        # A skip's long form is (file, line, reason); anything else prints as it is.
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        lines.append(f"{report.nodeid}: {reason}")
    return lines


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Turn a passing run with skips into a failing one where FLOPWATCH_NO_SKIPS is set."""
    if os.environ.get(NO_SKIPS) and exitstatus == pytest.ExitCode.OK and skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the skips that made the run fail."""
    lines = skipped(terminalreporter.config)
    if os.environ.get(NO_SKIPS) and lines:
        terminalreporter.section(f"{NO_SKIPS} is set and {len(lines)} skipped: install what they need", red=True)
        for line in lines:
            terminalreporter.line(line)
