"""Sets of foreign files: every line once it is done, whatever appears, grows, breaks or is taken away meanwhile."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.model import Record
from monitor.errors import SettingsProblem, SourceProblem
from monitor.settings import Files
from monitor.source.file_sets import BATCH_BYTES, LINES_MIN, LOOK_SECONDS, LOOK_SHARE, RETRY_SECONDS, FileSets
from tests.run.test_worker import TurnedClock

BYTES_MAX = 64_000_000


class Folder:
    """A folder with files, and whoever reads them; `start` again is what follows a crash."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = TurnedClock()
        self.positions = path / "positions" / "of-files.json"
        self.positions.parent.mkdir()
        self._sets: dict[str, Files] = {}
        self.start(logs=self.set("*.log*"))

    def set(self, *patterns: str, follow: bool = True) -> Files:
        return Files(paths=tuple(str(self.path / pattern) for pattern in patterns), follow=follow)

    def start(self, **sets: Files) -> None:
        if self._sets:
            self.reader.close()
        self._sets = sets or self._sets
        self.reader = FileSets(self._sets, self.positions, BYTES_MAX, self.clock)

    def write(self, name: str, content: bytes) -> None:
        with (self.path / name).open("ab") as file:
            file.write(gzip.compress(content) if name.endswith(".gz") else content)

    def poll(self, records_max: int = 100) -> list[bytes]:
        return [one.value for one in self.records(records_max)]

    def records(self, records_max: int = 100) -> list[Record]:
        self.clock.turn(LOOK_SECONDS)
        return self.reader.poll(records_max)

    def drained(self) -> list[bytes]:
        """All that is there now, each batch done before the next."""
        values: list[bytes] = []
        while found := self.poll():
            values += found
            self.reader.commit()
        return values


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path)
    yield folder
    folder.reader.close()


# -- what is delivered -----------------------------------------------------------------------------------------------


def test_files_that_appear_and_grow_are_read(folder: Folder) -> None:
    """A new file is seen at the next look; one that grows goes on; packed ones are whole."""
    folder.write("a.log", b"1\n2\n3")
    assert [b"1", b"2"] == folder.drained()
    folder.write("a.log", b"3\n")
    folder.write("b.log.gz", b"4\n5")
    folder.write("other", b"6\n")

    assert [b"33", b"4", b"5"] == sorted(folder.drained())
    assert "" == folder.reader.trouble


def test_records_say_their_file_and_the_set_that_it_is_of(folder: Folder) -> None:
    """A file that two sets name is of the first; names are known as long as the records are under way."""
    folder.start(first=folder.set("a.log"), second=folder.set("*.log", "**/*.gz"))
    (folder.path / "deep" / "er").mkdir(parents=True)
    for name in ("a.log", "b.log", "deep/er/c.gz"):
        folder.write(name, b"1\n")

    found = {one.topic: folder.reader.name_of(one.topic) for one in folder.records()}

    files = {"a.log": "first", "b.log": "second", "deep/er/c.gz": "second"}
    assert {str(folder.path / name): of for name, of in files.items()} == found
    assert folder.reader.name_of("a-topic") is None


def test_the_file_of_positions_is_never_read(folder: Folder) -> None:
    """A pattern that takes it in would make records of each record that is done, and so on for ever."""
    folder.start(all=folder.set("**/*"))
    folder.write("a.log", b"1\n")

    values = []
    for _ in range(5):
        values += folder.poll()
        folder.reader.commit()

    assert [b"1"] == values


def test_a_document_that_fills_a_file_is_a_record(folder: Folder) -> None:
    """With `follow: false` the last line counts without its newline; what is added later counts, too."""
    folder.start(whole=folder.set("*.json", follow=False))
    folder.write("a.json", b'{"Records": []}')
    assert [b'{"Records": []}'] == folder.drained()
    folder.write("a.json", b"\n{}")

    assert [b"{}"] == folder.drained()


def test_what_is_under_way_is_bounded(folder: Folder) -> None:
    """By number, and by size with one record more, as records may be whole files."""
    folder.write("a.log.gz", b"1\n" * 250)
    for number in range(5):
        folder.write(f"b{number}.log.gz", b"x" * (BATCH_BYTES // 2 - 1))
    sizes = []
    while found := folder.records():
        sizes.append((len(found), sum(len(one.value) for one in found)))
        folder.reader.commit()

    assert 250 + 5 == sum(count for count, _ in sizes)
    assert max(count for count, _ in sizes) == 100
    assert max(size for _, size in sizes) < BATCH_BYTES + BATCH_BYTES // 2


def test_nobody_waits_for_a_large_file_of_another_set(folder: Folder) -> None:
    """Sets take turns, and within a set the files that grow."""
    folder.start(large=folder.set("large*"), small=folder.set("small*"))
    for name in ("large-1", "large-2"):
        folder.write(name, name.encode() + b"\n" + b"x\n" * 500)
    folder.write("small", b"small\n")
    values = []
    for _ in range(3):
        values += folder.poll()
        folder.reader.commit()

    assert {b"large-1", b"large-2", b"small"} == set(values) - {b"x"}


def test_the_lag_is_what_was_not_read(folder: Folder) -> None:
    """In bytes as they lie on the disk, at the latest look."""
    folder.write("a.log", b"1\n" * 300)
    folder.write("b.log.gz", b"2\n")
    size = (folder.path / "b.log.gz").stat().st_size
    folder.poll()
    assert {"logs": 600 + size} == folder.reader.left()
    folder.reader.commit()
    folder.drained()

    assert {"logs": 0} == folder.reader.left()


class SlowClock(TurnedClock):
    """A clock of a machine on which everything takes a second."""

    def monotonic(self) -> float:
        self.turn(1)
        return super().monotonic()


def test_looks_that_take_long_are_rare(folder: Folder) -> None:
    """In a folder with very many files most of the time is for reading."""
    folder.clock = SlowClock()
    folder.start()
    folder.reader.poll(1)
    folder.write("a.log", b"1\n")
    polls = 1
    while not folder.reader.poll(1):
        polls += 1

    assert LOOK_SHARE <= polls <= 2 * LOOK_SHARE


# -- crashes ---------------------------------------------------------------------------------------------------------


def test_what_was_under_way_comes_again_and_nothing_else(folder: Folder) -> None:
    """Nothing more is delivered before a batch is done, and a crash brings that batch again."""
    folder.write("a.log", b"".join(b"%d\n" % number for number in range(250)))
    done = folder.poll()
    folder.reader.commit()
    under_way = folder.poll()
    assert [] == folder.poll()
    folder.start()

    assert under_way == folder.poll()
    folder.reader.commit()
    assert [b"%d" % number for number in range(250)] == done + under_way + folder.drained()


ACTIONS = st.lists(st.sampled_from(["grow a.log", "grow b.log", "new", "done", "crash", "rotate"]), max_size=40)


@given(ACTIONS, st.integers(1, 5))
@example(["new", "done"], 3)  # the end of a file is a batch's end
def test_every_line_is_done_once(actions: list[str], records_max: int) -> None:
    """Whatever grows, appears or is taken away, and whenever it crashes: each line is done exactly once."""
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(Path(path))
        folder.start(logs=folder.set("*.log"), packed=folder.set("*.gz"))
        written, done = [], []
        for number, action in enumerate(actions):
            lines = [b"%d-%d" % (number, part) for part in range(3)]
            if action == "rotate":  # what is taken away before it was read is nowhere any more
                done += folder.drained()
                (folder.path / "a.log").unlink(missing_ok=True)
            elif action in ("done", "crash"):
                found = folder.poll(records_max)
                if action == "done":
                    done += found
                    folder.reader.commit()
                else:
                    folder.start()
            else:
                written += lines
                name = f"{number}.gz" if action == "new" else action.removeprefix("grow ")
                folder.write(name, b"".join(line + b"\n" for line in lines))
        done += folder.drained()
        folder.write("c.log", b"end\n")  # what ended before holds nothing up
        done += folder.drained()
        folder.reader.close()

    assert sorted([*written, b"end"]) == sorted(done)


def test_a_file_that_was_read_to_its_end_is_not_opened_again(folder: Folder) -> None:
    """After a restart nothing of it is read; as soon as it is another file it is read from its start."""
    folder.write("a.log.gz", b"1\n2\n")
    file = folder.path / "a.log.gz"
    folder.drained()
    status = file.stat()
    file.write_bytes(b"x" * status.st_size)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    folder.start()
    assert ([], "") == (folder.drained(), folder.reader.trouble)
    file.unlink()
    folder.write("a.log.gz", b"3\n4\n")

    assert [b"3", b"4"] == folder.drained()
    assert [f"{file} is not what it was when it was last read, and is read from its start."] == folder.reader.restarted


# -- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_damaged_file_holds_up_no_other(folder: Folder) -> None:
    """It is told until there is a whole copy; what could be read of it is done and does not come again."""
    whole = gzip.compress(b"".join(b"%d\n" % (number * number) for number in range(20_000)))
    file = folder.path / "a.log.gz"
    file.write_bytes(whole[: len(whole) // 2])
    folder.write("b.log", b"b\n")
    first = folder.drained()
    assert b"b" in first
    assert folder.reader.trouble.startswith(f"'{file}' is damaged or cut off")
    file.write_bytes(whole)

    rest = folder.drained()

    assert "" == folder.reader.trouble
    assert 20_001 == len(first) + len(rest)
    assert len(set(first)) > 1


def test_a_damaged_file_is_not_unpacked_at_every_look(folder: Folder) -> None:
    """The same file is tried again after a minute, and stays told meanwhile."""
    folder.write("a.log.gz", b"1\n")
    file = folder.path / "a.log.gz"
    whole, status = file.read_bytes(), file.stat()
    file.write_bytes(b"x" * status.st_size)
    os.utime(file, ns=(0, 0))
    folder.poll()
    file.write_bytes(whole)
    os.utime(file, ns=(0, 0))
    assert ([], True) == (folder.poll(), "a.log.gz" in folder.reader.trouble)
    folder.clock.turn(RETRY_SECONDS)

    assert ([b"1"], "") == (folder.poll(), folder.reader.trouble)


def test_a_file_named_in_full_is_missed_and_a_folder_is_none(folder: Folder) -> None:
    """Both are told, other files are read, and once it is there it is read."""
    folder.start(logs=folder.set("a.log", "positions", "nothing*", "b[1].log"))
    folder.write("b[1].log", b"b\n")
    assert [b"b"] == folder.drained()
    missing, sub = str(folder.path / "a.log"), str(folder.path / "positions")
    sentence = f"{missing!r} cannot be read (no such file or directory); check the name. 1 more cannot be read."
    assert sentence == folder.reader.trouble
    folder.write("a.log", b"a\n")

    assert [b"a"] == folder.drained()
    assert f"{sub!r} is no file; name files, such as {sub + '/*.json.gz'!r}." == folder.reader.trouble


def held(folder: Path) -> list[str]:
    """The logs of a folder that this process has open."""
    links = [path for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    opened = [name.removesuffix(" (deleted)") for name in map(os.readlink, links)]
    return [name for name in opened if name.startswith(f"{folder}/") and name.endswith(".log")]


def test_a_file_that_is_deleted_is_let_go_of(folder: Folder) -> None:
    """Its space on the disk is free again; a moment without it is a rotation."""
    folder.write("a.log", b"1\n")
    folder.write("b.log", b"1\n")
    folder.drained()
    (folder.path / "a.log").unlink()
    folder.poll()
    assert str(folder.path / "a.log") in held(folder.path)
    folder.poll()
    folder.write("b.log", b"2\n")
    folder.drained()

    assert [str(folder.path / "b.log")] == held(folder.path)


def test_where_nothing_can_be_kept_nothing_more_is_read(folder: Folder) -> None:
    """What is done could otherwise come again after a crash; once there is room it goes on."""
    folder.write("a.log", b"1\n")
    folder.poll()
    shutil.rmtree(folder.positions.parent)
    folder.reader.commit()
    folder.write("a.log", b"2\n")
    assert ([], True) == (folder.poll(), "`intake.positions_file`" in folder.reader.trouble)
    folder.positions.parent.mkdir()

    assert ([b"2"], "") == (folder.poll(), folder.reader.trouble)
    folder.start()
    assert [b"2"] == folder.poll()


LINE = b'{"path": "a", "next_offset": 1, "check": "", "size": null, "changed_ns": null}\n'


@pytest.mark.parametrize("content", [b"\n", b"[]\n", b'{"path": "a"}\n', LINE.replace(b"1", b'"1"') + LINE, b"\xff\n"])
def test_what_are_no_positions_is_refused(folder: Folder, content: bytes) -> None:
    """Rather than to read everything again unasked."""
    folder.positions.write_bytes(content)

    with pytest.raises(SourceProblem, match="does not say how far files were read"):
        folder.start()


def test_a_line_that_a_crash_cut_off_is_none(folder: Folder) -> None:
    """What it would have said comes again; what stands before it counts."""
    folder.write("a.log", b"1\n")
    folder.drained()
    folder.write("a.log", b"2\n")
    folder.drained()
    folder.positions.write_bytes(folder.positions.read_bytes()[:-20])
    folder.start()

    assert [b"2"] == folder.drained()
    folder.start()
    assert [] == folder.drained()


def test_the_file_of_positions_stays_small(folder: Folder) -> None:
    """However often a file is read on, and however many files have come and gone."""
    for number in range(LINES_MIN + 100):
        folder.write("a.log", b"%d\n" % number)
        folder.poll()
        folder.reader.commit()
    (folder.path / "a.log").unlink()
    folder.write("b.log", b"1\n")
    for _ in range(3):
        folder.drained()

    assert LINES_MIN + 5 > len(folder.positions.read_bytes().splitlines())
    folder.start()
    assert [] == folder.drained()


def test_a_place_for_positions_is_needed_at_once(folder: Folder) -> None:
    """A folder that is not there, or a folder in its place, is said before anything is read."""
    shutil.rmtree(folder.positions.parent)
    with pytest.raises(SettingsProblem, match=r"cannot be kept in .* \(no such file or directory\)"):
        folder.start()
    folder.positions.mkdir(parents=True)

    with pytest.raises(SettingsProblem, match=r"cannot be read \(is a directory\)"):
        folder.start()
