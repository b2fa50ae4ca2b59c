"""Event files: JSON Lines, plain or compressed, and standard input.

Memory is bounded whatever is in a file: one chunk, one record that is too long, and what 1 KiB of compressed data can
become. Offsets count bytes of the uncompressed content.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, NamedTuple

from monitor.core.limits import Partition
from monitor.core.model import Record
from monitor.errors import SourceProblem
from monitor.source import Position
from monitor.source.content import COMPRESSED, DAMAGE, STANDARD_INPUT, opened

CHUNK_BYTES = 1 << 20
CHECK_BYTES = 1_024
MARK = b"\xef\xbb\xbf"  # the byte-order mark that some editors put before UTF-8

_new = tuple.__new__


def check_of(content: bytes) -> str:
    """What tells content apart: a hash of its last 1,024 bytes."""
    return hashlib.sha256(content[-CHECK_BYTES:]).hexdigest()[:16]


class FileSource:
    """Event files one after another, or, following, side by side for as long as they grow.

    A file that no longer has the content before the position asked for is read from its start (what was counted
    before counts once), and `restarted` says so. Standard input always starts anew.

    Raises:
        SourceProblem: a path is missing, a folder, or may not be read.
    """

    def __init__(self, paths: Sequence[str], follow: bool = False, record_bytes_max: int = 1_000_000) -> None:
        self.restarted: list[str] = []
        self.trouble = ""  # a file that cannot be read is a problem, not a trouble
        self._files: dict[str, _File | None] = {}  # None: not begun, or halted
        self._problem: SourceProblem | None = None
        self._turn = 0  # of the files in order, the one that delivers next
        self._follow = follow
        self._paused = False
        self._record_bytes_max = record_bytes_max
        for path in dict.fromkeys(paths):
            if paths.count(path) > 1:
                self.restarted.append(f"{path} is named {paths.count(path)} times and read once.")
            _refuse_unreadable(path)
            self._files[path] = None

    def assigned(self) -> frozenset[Partition]:
        """Every file, from the start."""
        return frozenset((path, 0) for path in self._files)

    def begin(self, where: Partition, position: Position | None) -> None:
        """Read a file from a position, None: from its start."""
        path = where[0]
        self.halt(where)
        self._files[path] = _File(path, position, self._follow, self._record_bytes_max, self.restarted.append)

    def begin_all(self, positions: Mapping[Partition, Position]) -> None:
        """Read every file, from its position where it has one."""
        for where in self.assigned():
            self.begin(where, positions.get(where))

    def halt(self, where: Partition) -> None:
        """Read nothing more of a file."""
        file = self._files[where[0]]
        if file is not None:
            file.close()
        self._files[where[0]] = None

    def poll(self, records_max: int) -> list[Record]:
        """The next records in order; an empty list at the end, or where nothing new was written yet.

        Raises:
            SourceProblem: a file is damaged or can no longer be read; everything readable before was delivered.
        """
        if self._problem is not None:
            raise self._problem
        records: list[Record] = []
        files = [] if self._paused else self._begun()
        turns = len(files)
        while turns and len(records) < records_max:
            file = files[self._turn % len(files)]
            try:
                file.take(records, records_max)
            except SourceProblem as problem:
                self._problem = problem
                if records:
                    break
                raise
            if file.at_end:
                turns -= 1
            # Following, everybody in turn; otherwise the next file once this one is done.
            if self._follow or file.at_end:
                self._turn = (self._turn + 1) % len(files)
        return records

    def _begun(self) -> list[_File]:
        return [file for file in self._files.values() if file is not None]

    def positions(self) -> dict[Partition, Position]:
        """Of every file that was begun, where to go on after what `poll` has delivered."""
        return {(file.path, 0): file.position for file in self._begun()}

    def behind(self) -> frozenset[Partition]:
        """The files that were not read to their present end."""
        return frozenset((file.path, 0) for file in self._begun() if self._problem is not None or not file.at_end)

    def ends(self) -> dict[Partition, int]:
        """Nothing: what is left of a file is known only by reading it."""
        return {}

    def pause(self) -> None:
        """Deliver nothing for a while."""
        self._paused = True

    def resume(self) -> None:
        """Deliver again."""
        self._paused = False

    def committed(self, positions: Mapping[Partition, int]) -> None:
        """Nobody asks how far a file was read."""

    @property
    def bytes_total(self) -> int | None:
        """The size of all files as they lie on the disk; None where one has no size, such as standard input."""
        sizes = [_size(path) for path in self._files]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    @property
    def bytes_done(self) -> int:
        """How much of that was read."""
        return sum(file.bytes_done for file in self._begun())

    def close(self) -> None:
        """Close all files."""
        for file in self._begun():
            file.close()


def _refuse_unreadable(path: str) -> None:
    """Say at once what would fail only after hours of reading other files. Pipes are not opened: that reads them."""
    if path == STANDARD_INPUT:
        return
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        raise SourceProblem(f"{path!r} cannot be read ({_why(error)}); check the name.") from None
    if stat.S_ISDIR(mode):
        raise SourceProblem(f"{path!r} is a folder; name the event files in it.")
    if not os.access(path, os.R_OK):
        raise SourceProblem(f"{path!r} may not be read; give this user permission to read it.")


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or "no reason given").lower()


def _size(path: str) -> int | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_size if path != STANDARD_INPUT and stat.S_ISREG(status.st_mode) else None


class _LongLine(NamedTuple):
    """A line that is longer than allowed, or the last one without a newline."""

    head: bytes  # at most one byte more than is allowed
    length: int
    tail: bytes  # the last content up to its end
    whole: bool


class _File:
    """One file on its way: lines that were read and wait, and the offset after the last line delivered.

    `_block` is the content from `_block_offset` to the end of the last whole line that was read, `_before` what lies
    before it (the last 1,024 bytes), `_rest` what follows it. `_ahead` was read but not yet looked at.
    """

    def __init__(
        self, path: str, resume: Position | None, follow: bool, record_bytes_max: int, remark: Callable[[str], None]
    ) -> None:
        self.path = path
        self.at_end = False
        self._follow = follow and path != STANDARD_INPUT and not path.endswith(COMPRESSED)
        self._record_bytes_max = record_bytes_max
        self._remark = remark
        self._resume = None if path == STANDARD_INPUT else resume
        self._raw: BinaryIO | None = None
        self._read: Callable[[int], bytes]
        self._bytes_done = 0  # once closed
        self._finished = False
        self._start_at(0, b"")

    def _start_at(self, offset: int, before: bytes) -> None:
        self._offset = self._block_offset = offset
        self._before = before[-CHECK_BYTES:]
        self._block = self._ahead = b""
        self._rest = bytearray()  # grows in place: a line may be as long as many chunks
        self._lines: list[bytes] = []  # the last to be delivered first
        self._long: _LongLine | None = None

    @property
    def position(self) -> Position:
        """After the last line delivered."""
        if self._resume is not None:  # not opened yet
            return self._resume
        return Position(self._offset, check_of(self._tail()))

    def _tail(self) -> bytes:
        inside = self._offset - self._block_offset
        return (self._before + self._block[max(0, inside - CHECK_BYTES) : inside])[-CHECK_BYTES:]

    @property
    def bytes_done(self) -> int:
        """How much was read of what lies on the disk."""
        return self._raw.tell() if self._raw is not None and self._raw.seekable() else self._bytes_done

    def close(self) -> None:
        """Let go of the file."""
        if self._raw is not None:
            self._bytes_done = self.bytes_done
            self._raw.close()
            self._raw = None

    # -- taking ------------------------------------------------------------------------------------------------------

    def take(self, records: list[Record], records_max: int) -> None:
        """Add records up to `records_max` in all; returns early once one chunk has given some."""
        before = len(records)
        self.at_end = False
        while len(records) < records_max:
            if self._lines:
                self._deliver(records, records_max - len(records))
            elif self._long is not None and self._long.whole:
                self._deliver_long(records, self._long)
            elif len(records) > before:
                return
            elif not self._refill():
                self.at_end = True
                return

    def _deliver(self, records: list[Record], count: int) -> None:
        path, limit, offset = self.path, self._record_bytes_max, self._offset
        taken = self._lines[-count:]
        del self._lines[-count:]
        for line in reversed(taken):
            following = offset + len(line) + 1
            if line and not line.isspace():
                value = line if len(line) <= limit else line[: limit + 1]
                # What `Record(...)` does, without the call of a Python function for each line.
                records.append(_new(Record, (path, 0, offset, following, value, None, None)))
            offset = following
        self._offset = offset

    def _deliver_long(self, records: list[Record], line: _LongLine) -> None:
        following = self._offset + line.length
        if not line.head.isspace():
            records.append(Record(self.path, 0, self._offset, following, line.head, None))
        ahead = self._ahead
        self._start_at(following, line.tail)
        self._ahead = ahead

    # -- reading -----------------------------------------------------------------------------------------------------

    def _refill(self) -> bool:
        """Read a chunk; False if there is nothing now. Called when every line that was read is delivered."""
        if self._finished:
            return False
        chunk, self._ahead = self._ahead, b""
        if not chunk:
            chunk = self._next_chunk()
            if chunk and self._follow and self._rewritten(len(chunk)):
                self._start_again("was written anew")
                return True
        if chunk:
            self._add(chunk)
            return True
        return self._reopen_if_replaced() if self._follow else self._finish()

    def _next_chunk(self) -> bytes:
        try:
            if self._raw is None:
                self._open()
            chunk, self._ahead = self._ahead, b""
            return chunk or self._read(CHUNK_BYTES)
        except DAMAGE as error:
            problem = f"is damaged or cut off ({_why(error)})"
        except OSError as error:
            problem = f"cannot be read on ({_why(error)})"
        raise SourceProblem(
            f"{self.path!r} {problem}; its content was read up to byte {self._offset:,}. "
            "Read a whole copy of it: what was counted already counts once."
        )

    def _add(self, chunk: bytes) -> None:
        """Cut new content into lines."""
        if self._long is not None:
            self._skip(self._long, chunk)
            return
        self._before, self._block_offset = self._tail(), self._offset
        end = chunk.rfind(b"\n") + 1
        if end:
            self._block, self._rest = b"".join((self._rest, memoryview(chunk)[:end])), bytearray(chunk[end:])
        else:
            self._block = b""
            self._rest += chunk
        if self._offset == 0 and (self._block or self._rest).startswith(MARK):
            block, rest = self._block, self._rest
            self._start_at(len(MARK), MARK)
            self._block, self._rest = (block[len(MARK) :], rest) if block else (block, rest[len(MARK) :])
        self._lines = self._block.split(b"\n")[-2::-1]
        if not end and len(self._rest) > self._record_bytes_max:
            self._long = self._cut(bytes(self._rest), whole=False)

    def _cut(self, content: bytes, whole: bool) -> _LongLine:
        tail = (self._tail() + content)[-CHECK_BYTES:]
        return _LongLine(content[: self._record_bytes_max + 1], len(content), tail, whole)

    def _skip(self, line: _LongLine, chunk: bytes) -> None:
        """Go on in a line that is too long: only its length and its last bytes matter."""
        end = chunk.find(b"\n") + 1
        dropped = chunk[:end] if end else chunk
        tail = (line.tail + dropped[-CHECK_BYTES:])[-CHECK_BYTES:]
        self._long = _LongLine(line.head, line.length + len(dropped), tail, bool(end))
        self._ahead = chunk[end:] if end else b""

    def _finish(self) -> bool:
        """The end of a file that will not grow; True if there is a last line without its newline."""
        self.close()
        self._finished = True
        return self._end_line()

    def _end_line(self) -> bool:
        """Take what was read of a line as all of it."""
        if self._long is not None:
            self._long = self._long._replace(whole=True)
        elif self._rest:
            self._long = self._cut(bytes(self._rest), whole=True)
        return self._long is not None

    def _reopen_if_replaced(self) -> bool:
        """Following, at the end: whether there is another file under this name now, or less in it than was read."""
        assert self._raw is not None
        try:
            status, held = os.stat(self.path), os.fstat(self._raw.fileno())
        except OSError:
            return False  # between the two steps of a rotation
        same = (status.st_dev, status.st_ino) == (held.st_dev, held.st_ino)
        if not stat.S_ISREG(held.st_mode) or (same and status.st_size >= self._raw.tell()):
            return False
        if not self._end_line():
            self._start_again("was cut shorter" if same else "was replaced by another file")
        return True

    def _rewritten(self, length: int) -> bool:
        """Following: whether what lies before the last `length` bytes read is no longer what was read there."""
        assert self._raw is not None
        if not self._raw.seekable():
            return False
        tail = self._long.tail if self._long is not None else self._tail() + self._rest[-CHECK_BYTES:]
        tail = tail[-CHECK_BYTES:]
        return os.pread(self._raw.fileno(), len(tail), self._raw.tell() - length - len(tail)) != tail

    def _start_again(self, what: str) -> None:
        self._remark(f"{self.path} {what} and is read from its start.")
        self.close()
        self._start_at(0, b"")

    # -- opening -----------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        resume = self._resume
        self._raw, self._read = opened(self.path)
        if resume is not None and resume.next_offset and not self._went_on(resume):
            self._remark(f"{self.path} is not what it was when it was last read, and is read from its start.")
            if self._raw.seekable():
                self._raw.close()
                self._raw, self._read = opened(self.path)
            self._ahead = b""
        self._resume = None

    def _went_on(self, resume: Position) -> bool:
        """Go to where an earlier run stopped, if the content before is the same."""
        assert self._raw is not None
        tail = self._sought(resume.next_offset) if self._raw.seekable() else None
        if tail is None or check_of(tail) != resume.check:
            return False
        ahead = self._ahead
        self._start_at(resume.next_offset, tail)
        self._ahead = ahead
        return True

    def _sought(self, offset: int) -> bytes | None:
        """Go to an offset of the content; returns the last bytes before it, None if the content ends earlier."""
        assert self._raw is not None
        start = 0
        if not self.path.endswith(COMPRESSED):
            start = self._raw.seek(max(0, offset - CHECK_BYTES))
        tail = b""
        while start < offset:
            chunk = self._read(CHUNK_BYTES)
            if not chunk:
                return None
            inside = min(len(chunk), offset - start)
            tail, self._ahead = (tail + chunk[:inside])[-CHECK_BYTES:], chunk[inside:]
            start += inside
        return tail
