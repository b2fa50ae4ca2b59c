"""Sets of files of foreign records, looked for by patterns again and again, and a file that says how far each was read.

What was delivered and is not yet done is all that is under way: meanwhile nothing more is delivered. So a crash at any
point brings at most that again, which is enough where the same record becomes the same facts.
"""

from __future__ import annotations

import glob
import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from monitor.clock import Clock
from monitor.core.model import Record
from monitor.durable import put
from monitor.errors import SettingsProblem, SourceProblem
from monitor.settings import Files
from monitor.source import Position
from monitor.source.content import COMPRESSED
from monitor.source.files import FileSource

LOOK_SECONDS = 5.0
LOOK_SHARE = 20  # a look that takes long, in folders with very many files, is so many times rarer
RETRY_SECONDS = 60.0  # until a file that could not be read is tried again, unless it has changed
LINES_MIN = 100  # of the file of positions, until it is written anew with a line for each file
BATCH_BYTES = 16 << 20  # a record may be a whole file: what is under way is bounded by size, too

FIELDS = ("path", "next_offset", "check", "size", "changed_ns")  # of a line of the file of positions

Stamp = tuple[int, int]  # bytes of a file as it lies on the disk, and when it was changed, in nanoseconds


class Place(NamedTuple):
    """How far a file was read."""

    position: Position
    end: Stamp | None = None  # what the file was when it was read to its end; None: there may be more


class Failure(NamedTuple):
    """Why a file could not be read on."""

    sentence: str
    stamp: Stamp
    at: float  # seconds of the clock


class _Open(NamedTuple):
    """A file that is being read."""

    source: FileSource
    stamp: Stamp  # before it was opened: what changes later is seen at the next look
    grows: bool


class FileSets:
    """Files of sets, which take turns.

    Raises:
        SettingsProblem: where positions are kept, nothing can be written.
        SourceProblem: what is there are no positions.
    """

    def __init__(self, sets: Mapping[str, Files], positions: Path, record_bytes_max: int, clock: Clock) -> None:
        self.trouble = ""
        self.restarted: list[str] = []  # a sentence for each file that was read from its start again; only grows
        self._sets = sets
        self._positions = positions
        self._record_bytes_max = record_bytes_max
        self._clock = clock
        self._beside = positions.with_name(f"{positions.name}.new")
        self._own = {os.path.abspath(path) for path in (positions, self._beside)}  # never read, whatever patterns say
        self._places = _read(positions)
        self._under_way: dict[str, Place] = {}  # what the places are once that is done
        self._unsaved = ""  # why the places could not be written
        self._open: dict[str, dict[str, _Open]] = {name: {} for name in sets}
        self._names: dict[str, str] = {}  # path -> the set that it is of
        self._failures: dict[str, Failure] = {}
        self._absent: dict[str, str] = {}  # path that a set names -> why there is no such file
        self._gone: set[str] = set()  # files being read that were not there at the latest look
        self._left = dict.fromkeys(sets, 0)
        self._next_look = clock.monotonic()
        self._turn = 0
        self._lines = 0  # of the file of positions
        self._write_anew()
        if self._unsaved:
            raise SettingsProblem(self._unsaved)

    def name_of(self, path: str) -> str | None:
        """The set that a file of a delivered record is of; None: it is none of ours."""
        return self._names.get(path)

    def poll(self, records_max: int) -> list[Record]:
        """The next records, at most so many; none while others are under way."""
        records: list[Record] = []
        if self._unsaved:
            self._write_anew()
        if not self._under_way and not self._unsaved:
            if self._clock.monotonic() >= self._next_look:
                self._look()
            self._fill(records, records_max)
            if not records and self._under_way:  # ends of files, after which nothing came
                self.commit()
        self._tell()
        return records

    def commit(self) -> None:
        """What was delivered is done; where that cannot be written, nothing more is delivered before it is."""
        done, self._under_way = self._under_way, {}
        self._places |= done
        if self._lines > 2 * len(self._places) + LINES_MIN:
            self._write_anew()
        else:
            self._add(done)
        self._tell()

    def left(self) -> Mapping[str, int]:
        """How many bytes of each set, as they lie on the disk, followed what was read at the latest look."""
        return self._left

    def close(self) -> None:
        """Let go of all files."""
        for files in self._open.values():
            for one in files.values():
                one.source.close()

    def _tell(self) -> None:
        failed = [*self._absent.values(), *(one.sentence for one in self._failures.values())]
        more = f" {len(failed) - 1:,} more cannot be read." if len(failed) > 1 else ""
        self.trouble = self._unsaved or (failed[0] + more if failed else "")

    # -- reading -----------------------------------------------------------------------------------------------------

    def _fill(self, records: list[Record], records_max: int) -> None:
        """Take from one set after the other; each time another one is the first."""
        names = list(self._sets)
        first, self._turn = self._turn, (self._turn + 1) % len(names)
        size = 0
        for name in names[first:] + names[:first]:
            for path, one in list(self._open[name].items()):
                if len(records) >= records_max or size >= BATCH_BYTES:
                    return
                size += self._take(name, path, one, records, records_max, BATCH_BYTES - size)

    def _take(self, name: str, path: str, one: _Open, records: list[Record], records_max: int, bytes_max: int) -> int:
        """Take what a file has now, up to so many records in all or so many bytes of its own, and one record more."""
        files, where, before, size = self._open[name], (path, 0), len(records), 0
        try:
            while len(records) < records_max and size < bytes_max:
                found = one.source.poll(1)
                if not found:
                    if not one.grows:
                        self._under_way[path] = Place(one.source.positions()[where], one.stamp)
                        self._shut(name, path)
                    return size
                records += found
                size += len(found[0].value)
            if one.grows:  # the others in turn; what does not grow is read to its end first
                files[path] = files.pop(path)
        except SourceProblem as problem:
            self._failures[path] = Failure(str(problem), one.stamp, self._clock.monotonic())
            self._shut(name, path)
        finally:
            self.restarted += one.source.restarted
            one.source.restarted.clear()
            if len(records) > before:
                self._under_way.setdefault(path, Place(one.source.positions()[where]))
        return size

    def _shut(self, name: str, path: str) -> None:
        self._open[name].pop(path).source.close()

    # -- looking -----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """What files there are now; those with something to read are opened, those that are gone are let go of."""
        began = self._clock.monotonic()
        found = self._found()
        self._let_go(found)
        self._left = dict.fromkeys(self._sets, 0)
        for path, (name, stamp) in found.items():
            place = self._places.get(path)
            if path not in self._open[name] and place is not None and place.end == stamp:
                continue  # read to its end, and still the same
            one = self._open[name].get(path) or self._opened(name, path, stamp, place)
            self._left[name] += max(0, stamp[0] - (0 if one is None else one.source.bytes_done))
        now = self._clock.monotonic()
        self._next_look = now + max(LOOK_SECONDS, LOOK_SHARE * (now - began))

    def _found(self) -> dict[str, tuple[str, Stamp]]:
        """All files of all sets; of two sets that name a file it is of the first."""
        found: dict[str, tuple[str, Stamp]] = {}
        self._absent = {}
        for name, files in self._sets.items():
            for pattern in files.paths:
                for path in _matching(pattern):
                    if path in found or path in self._own:
                        continue
                    try:
                        status = os.stat(path)
                        if stat.S_ISREG(status.st_mode):
                            found[path] = name, (status.st_size, status.st_mtime_ns)
                        elif path == os.path.abspath(pattern):
                            self._absent[path] = f"{path!r} is no file; name files, such as {path + '/*.json.gz'!r}."
                    except OSError as problem:
                        if path == os.path.abspath(pattern):  # else it has gone since it was found
                            why = (problem.strerror or "no reason given").lower()
                            self._absent[path] = f"{path!r} cannot be read ({why}); check the name."
        return found

    def _let_go(self, found: Mapping[str, tuple[str, Stamp]]) -> None:
        """Forget files that are not there; one that is being read may be away for a moment while it is replaced."""
        gone = {(name, path) for name, files in self._open.items() for path in files if path not in found}
        for name, path in gone:
            if path in self._gone:
                self._shut(name, path)
        self._gone = {path for _, path in gone} - self._gone
        self._names = {path: name for path, (name, _) in found.items()} | {
            path: name for name, files in self._open.items() for path in files
        }
        self._places = {path: place for path, place in self._places.items() if path in self._names}
        self._failures = {path: failure for path, failure in self._failures.items() if path in found}

    def _opened(self, name: str, path: str, stamp: Stamp, place: Place | None) -> _Open | None:
        """Begin with a file where it was left, unless it lately failed and is still the same."""
        failure, now = self._failures.get(path), self._clock.monotonic()
        if failure is not None and failure.stamp == stamp and now < failure.at + RETRY_SECONDS:
            return None
        grows = self._sets[name].follow and not path.endswith(COMPRESSED)
        try:
            source = FileSource([path], follow=grows, record_bytes_max=self._record_bytes_max)
        except SourceProblem as problem:
            self._failures[path] = Failure(str(problem), stamp, now)
            return None
        self._failures.pop(path, None)
        source.begin((path, 0), None if place is None else place.position)
        self._open[name][path] = one = _Open(source, stamp, grows)
        return one

    # -- positions ---------------------------------------------------------------------------------------------------

    def _add(self, places: Mapping[str, Place]) -> None:
        """Add lines for these; where a crash cuts the last one off, it is as if it was not there."""
        try:
            with self._positions.open("ab") as file:
                _write(file, places)
                file.flush()
                os.fsync(file.fileno())
            self._lines += len(places)
        except OSError as problem:  # the file may end within a line now: it is written anew
            self._tell_unsaved(problem)

    def _write_anew(self) -> None:
        """Write a line for each file, so that a crash leaves the file of before or this one."""
        try:
            put(self._positions, self._beside, lambda file: _write(file, self._places))
            self._lines, self._unsaved = len(self._places), ""
        except OSError as problem:
            self._tell_unsaved(problem)

    def _tell_unsaved(self, problem: OSError) -> None:
        why = (problem.strerror or "no reason given").lower()
        self._unsaved = (
            f"How far files were read cannot be kept in {self._positions} ({why}): make room there, or change "
            "`intake.positions_file`."
        )


def _write(file: BinaryIO, places: Mapping[str, Place]) -> None:
    """Write a line for each place."""
    for path, (position, end) in places.items():
        values = (path, *position, *(end or (None, None)))
        file.write(json.dumps(dict(zip(FIELDS, values, strict=True))).encode("ascii") + b"\n")


def _matching(pattern: str) -> Iterator[str]:
    """The paths that a pattern stands for, without links or dots in front; itself if it is one."""
    if not glob.has_magic(pattern) or os.path.lexists(pattern):
        yield os.path.abspath(pattern)
    else:
        yield from sorted(os.path.abspath(path) for path in glob.iglob(pattern, recursive=True))


def _read(path: Path) -> dict[str, Place]:
    """The places that an earlier run has kept.

    Raises:
        SettingsProblem: they cannot be read.
        SourceProblem: they are none.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as problem:
        why = (problem.strerror or "no reason given").lower()
        raise SettingsProblem(f"{path} cannot be read ({why}); mend it, or change `intake.positions_file`.") from None
    try:
        return dict(_place(json.loads(line)) for line in content.split(b"\n")[:-1])  # the last one is cut off, or empty
    except (ValueError, KeyError, TypeError):
        raise SourceProblem(
            f"{path} does not say how far files were read; put it aside: all files are then read from their start, "
            "and what was counted already counts once."
        ) from None


def _place(document: Mapping[str, object]) -> tuple[str, Place]:
    path, next_offset, check, size, changed_ns = (document[name] for name in FIELDS)
    if not isinstance(path, str) or not isinstance(next_offset, int) or not isinstance(check, str):
        raise TypeError("a position is a path, a number and a check")
    end = (size, changed_ns) if isinstance(size, int) and isinstance(changed_ns, int) else None
    return path, Place(Position(next_offset, check), end)
