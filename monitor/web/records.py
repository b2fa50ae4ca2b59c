"""What pages show of the books and the cases, and whom they ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from monitor.core.audit import Person, Row
from monitor.core.clocks import Seen
from monitor.core.exports import Export, Handover, Verdict
from monitor.core.flags import Entry, Flag
from monitor.core.model import HOUR_MS
from monitor.core.policy import Policy
from monitor.run.casework import Desk
from monitor.run.proposals import Panel
from monitor.run.survey import Surveys
from monitor.store import AuditWanted, DeadLetter

MakePack = Callable[[Export, str, int], Mapping[str, bytes]]  # of a released export: by whom, and when

READ_EVERY_MS = HOUR_MS  # of a person and a case that is read again and again, one row of the audit
READINGS_MAX = 10_000  # that are remembered; whoever reads what was forgotten has another row


class Audit(Protocol):
    """What people did, and where it is written down that somebody has read something."""

    def latest(self, wanted: AuditWanted, limit: int) -> list[tuple[Row, str]]:
        """The latest rows that are wanted, each with its actor for people to read."""
        ...

    def add(self, at: int, by: Person, act: str, subject: str, body: Mapping[str, object]) -> object:
        """Add a row."""
        ...


class Exports(Protocol):
    """What leaves the monitor as a file; each step is a row of the audit."""

    def propose(self, handover: Handover, by: Person, at: int) -> Export:
        """Write down what somebody wants to export; what takes no second person is released with it."""
        ...

    def answer(self, number: int, by: Person, at: int, verdict: Verdict, why: str = "") -> Export:
        """Release or refuse an export, as counsel."""
        ...

    def hand_over(self, number: int, by: Person, at: int, digest: str) -> None:
        """Write down that an export is made and given to somebody."""
        ...

    def export(self, number: int) -> Export:
        """One export."""
        ...

    def latest(self, limit: int) -> list[Export]:
        """Exports, those that wait for counsel first, then the latest."""
        ...


class Stored(Protocol):
    """What is read from the store as it stands, by many threads at once."""

    def flags(self, tenant: str | None = None) -> list[Flag]:
        """All flags, or those of a tenant or a group."""
        ...

    def seen(self) -> Mapping[str, Seen]:
        """By flag what people said of who looked at it and who knew."""
        ...

    def flag_history(self, flag: str) -> list[Entry]:
        """The history of a flag, oldest line first."""
        ...

    def latest_letters(self, limit: int, body_bytes: int) -> list[DeadLetter]:
        """The latest dead letters that wait for a person, the latest first, with so much of their bodies."""
        ...

    @property
    def exports(self) -> Exports:
        """What leaves the monitor as a file."""
        ...

    @property
    def audit(self) -> Audit:
        """What people did."""
        ...


@dataclass(frozen=True, slots=True)
class Records:
    """Everything that pages show."""

    desk: Desk
    surveys: Surveys
    stored: Stored
    policies: Sequence[Policy]  # that are loaded, whatever was decided of them
    panel: Panel
    texts: Mapping[str, str]  # of policy files, by the name of the policy
    evidence: MakePack
    reports: Path | None = None  # a folder
    readings: dict[tuple[Person, str], int] = field(default_factory=dict)  # when each was written down

    def case_read(self, case: str, by: Person, now: int) -> None:
        """Write down that somebody has read a case with the names in it, at most once an hour.

        Raises:
            StoreProblem: it cannot be written down.
        """
        before = self.readings.get((by, case))
        if before is not None and now - before < READ_EVERY_MS:
            return
        self.stored.audit.add(now, by, "case.read", case, {})
        if len(self.readings) >= READINGS_MAX:
            self.readings.clear()
        self.readings[by, case] = now
