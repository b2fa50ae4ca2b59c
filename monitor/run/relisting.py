"""Screening lists change while the daemon runs: their files are looked at now and then, and read when they changed.

A file that cannot be read, or from which too much has gone, leaves the last good version in force; that is logged and
shown as a metric until it is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from monitor.core.lists import Lists
from monitor.errors import MonitorError
from monitor.reference.lists.shelf import Standing
from monitor.run.task import Watch

LOOK_SECONDS = 60.0

Read = Callable[[Lists | None], tuple[Lists, Sequence[Standing]]]


class Relisting:
    """The lists in force in this process. `read` reads them, given those that are in force."""

    def __init__(self, paths: Iterable[Path], read: Read, watch: Watch) -> None:
        """Read them for the first time.

        Raises:
            MonitorError: the effects of lists cannot be read, or last good lists cannot be kept.
        """
        self._paths = tuple(paths)
        self._read = read
        self._watch = watch
        self._seen = self._signature()
        self._next = watch.clock.monotonic() + LOOK_SECONDS
        self.lists = self._told(*read(None))

    def changed(self) -> Lists | None:
        """The lists, if they have changed since the last look; None: they have not, or it is not time to look."""
        now = self._watch.clock.monotonic()
        if now < self._next:
            return None
        self._next = now + LOOK_SECONDS
        signature = self._signature()
        if signature == self._seen:
            return None
        self._seen = signature
        before = self.lists
        try:
            self.lists = self._told(*self._read(before))
        except MonitorError as problem:
            self._watch.log.error("screening lists not read", problem=str(problem))
            return None
        return None if self.lists.versions == before.versions else self.lists

    def _told(self, lists: Lists, standings: Sequence[Standing]) -> Lists:
        """Log what was refused, and show how it is with each list."""
        metrics = self._watch.metrics
        for one in standings:
            metrics.set("flopwatch_screening_list_refused", int(bool(one.problem)), list=one.name)
            entries, loaded_at = (0, 0) if one.kept is None else (len(one.kept.list.parties), one.kept.loaded_at)
            metrics.set("flopwatch_screening_list_entries", entries, list=one.name)
            metrics.set_time("flopwatch_screening_list_loaded_timestamp_seconds", loaded_at, list=one.name)
            metrics.set_time("flopwatch_screening_list_stale_timestamp_seconds", one.stale_at or 0, list=one.name)
            if one.kept is None:
                metrics.show_list(one.name, "", None)
            else:
                metrics.show_list(one.name, one.kept.list.version.digest, one.kept.list.published)
            if one.problem:
                self._watch.log.error("screening list refused", problem=one.problem)
            else:
                self._watch.log.info("screening list counts", list=one.name, entries=entries)
        return lists

    def _signature(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_stamp(path) for path in self._paths)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
