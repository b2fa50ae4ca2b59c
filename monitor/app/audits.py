"""The audit: its rows, and whether its chain holds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from monitor.app.stores import existing
from monitor.core.audit import Checkpoint, Row, Verdict, checkpoint_from
from monitor.core.audit import verify as verify_chain
from monitor.errors import CheckpointProblem
from monitor.settings import Settings
from monitor.store import AuditWanted


def audit_rows(settings: Settings, state: Path | None, wanted: AuditWanted, limit: int) -> list[tuple[Row, str]]:
    """The latest rows of the audit, each with its actor for people to read."""
    with existing(settings, state) as store:
        return store.audit.latest(wanted, limit)


class AuditVerified(NamedTuple):
    """What a walk over the audit found."""

    verdict: Verdict
    checkpoints: int
    remarks: list[str]  # about lines that are no checkpoints


def verify_audit(settings: Settings, state: Path | None, lines: Iterable[bytes] | None) -> AuditVerified:
    """Walk over the audit of a store, against checkpoints: these lines, else those of the settings for their store.

    Raises:
        CheckpointProblem: the file of the settings cannot be read.
    """
    if lines is None and state is None and settings.audit.checkpoint_file is not None:
        lines = _checkpoint_lines(settings.audit.checkpoint_file)
    checkpoints, remarks = list[Checkpoint](), list[str]()
    for number, line in enumerate(lines or (), 1):
        try:
            checkpoints.append(checkpoint_from(line))
        except (ValueError, RecursionError):
            remarks.append(f"Line {number} of the checkpoints is none, and was left out.")
    with existing(settings, state) as store:
        return AuditVerified(verify_chain(store.audit.chain(), checkpoints), len(checkpoints), remarks)


def _checkpoint_lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError as problem:
        raise CheckpointProblem(
            f"The checkpoints in {path} cannot be read: {(problem.strerror or 'no reason given').lower()}. `flopwatch "
            "run` writes them; --checkpoints names another file."
        ) from None
