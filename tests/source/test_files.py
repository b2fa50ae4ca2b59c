"""Event files: what is delivered, where it stands, and what happens to damage, restarts and growth."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.core.limits import Partition
from monitor.core.model import Record
from monitor.errors import SourceProblem
from monitor.intake.decode import Rules, decode
from monitor.source import Position, Source
from monitor.source.files import CHUNK_BYTES, FileSource, check_of


def plain(content: bytes) -> bytes:
    return content


def zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


FORMS: dict[str, Callable[[bytes], bytes]] = {"jsonl": plain, "gz": gzip.compress, "zst": zstd}
every_form = pytest.mark.parametrize("form", FORMS)


@contextmanager
def opened(
    *paths: object, positions: Mapping[Partition, Position] | None = None, **options: Any
) -> Iterator[FileSource]:
    source = FileSource([str(path) for path in paths], **options)
    source.begin_all(positions or {})
    try:
        yield source
    finally:
        source.close()


def drained(source: FileSource, records_max: int = 1_000) -> list[Record]:
    """All that a source has now."""
    records: list[Record] = []
    while batch := source.poll(records_max):
        assert len(batch) <= records_max
        records.extend(batch)
    assert not source.behind()
    return records


def read(*paths: object, **options: Any) -> list[Record]:
    with opened(*paths, **options) as source:
        return drained(source)


def values(records: list[Record]) -> list[bytes]:
    return [record.value for record in records]


def written(folder: Path, form: str, content: bytes, name: str = "events") -> Path:
    file = folder / f"{name}.{form}"
    file.write_bytes(FORMS[form](content))
    return file


def damaged(source: FileSource) -> tuple[list[Record], str]:
    """What was delivered before the problem, and its sentence."""
    records: list[Record] = []
    try:
        while batch := source.poll(2):
            records.extend(batch)
    except SourceProblem as problem:
        return records, str(problem)
    raise AssertionError("the source was read to its end")


def test_a_file_source_is_a_source() -> None:
    """Type checkers see that the contract is kept."""
    source: Source = FileSource([])
    assert [] == source.poll(1)
    assert not source.behind()


@every_form
def test_lines_and_where_they_stand(tmp_path: Path, form: str) -> None:
    """Each line is a record with its offset in the content, whichever way the file is packed."""
    file = written(tmp_path, form, b"one\n\ntwo\r\n  \nthree\n")

    assert [
        Record(str(file), 0, 0, 4, b"one", None),
        Record(str(file), 0, 5, 10, b"two\r", None),
        Record(str(file), 0, 13, 19, b"three", None),
    ] == read(file)


@every_form
@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n\n \n", []),
        (b"one", [(0, 3, b"one")]),
        (b"one\ntwo", [(0, 4, b"one"), (4, 7, b"two")]),
        (b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n", [(3, 7, b"one"), (7, 14, b"\xef\xbb\xbftwo")]),
        (b"\xef\xbb\xbf", []),
        (b"\xef\xbb\xbfone", [(3, 6, b"one")]),
        (b"one\n   ", [(0, 4, b"one")]),
    ],
)
def test_ends_marks_and_blanks(tmp_path: Path, form: str, content: bytes, lines: list[tuple[int, int, bytes]]) -> None:
    """A last line needs no newline, blank lines are none, and only the very first bytes may be a byte-order mark."""
    file = written(tmp_path, form, content)

    with opened(file) as source:
        records = drained(source)
        assert lines == [(record.offset, record.next_offset, record.value) for record in records]
        assert content[: source.positions()[str(file), 0].next_offset].strip() == content.strip()


def test_files_come_one_after_another(tmp_path: Path) -> None:
    """The order of the paths is the order of the records, whatever the batch."""
    files = [written(tmp_path, form, f"{form} 1\n{form} 2\n".encode()) for form in FORMS]

    for records_max in (1, 2, 3, 100):
        with opened(*files) as source:
            assert [b"jsonl 1", b"jsonl 2", b"gz 1", b"gz 2", b"zst 1", b"zst 2"] == values(
                drained(source, records_max)
            )


def test_several_packed_parts_are_one_file(tmp_path: Path) -> None:
    """Files that were put together with cat are read to their end."""
    for form in ("gz", "zst"):
        file = tmp_path / f"events.{form}"
        file.write_bytes(FORMS[form](b"one\ntw") + FORMS[form](b"") + FORMS[form](b"o\n"))

        assert [b"one", b"two"] == values(read(file))


def test_standard_input_is_read_to_its_end() -> None:
    """The path - is what is piped in, as it comes."""
    program = (
        "from monitor.source.files import FileSource\n"
        "source = FileSource(['-'])\n"
        "source.begin_all({})\n"
        "while batch := source.poll(2):\n"
        "    print([(record.topic, record.offset, record.value) for record in batch])\n"
        "print(source.bytes_total, source.behind(), source.positions()['-', 0].next_offset)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=b"one\ntwo\nthree", capture_output=True, check=True, timeout=60
    )

    assert "[('-', 0, b'one'), ('-', 4, b'two')]\n[('-', 8, b'three')]\nNone frozenset() 13\n" == done.stdout.decode()


def test_a_named_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    """What a shell passes as <(command) is read once, even where an earlier run has a position for it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = subprocess.Popen([sys.executable, "-c", f"open({str(pipe)!r}, 'w').write('one\\ntwo\\n')"])

    with opened(pipe, positions={(str(pipe), 0): Position(4, check_of(b"one\n"))}) as source:
        assert [b"one", b"two"] == values(drained(source))
        assert 1 == len(source.restarted)
    assert 0 == writer.wait(timeout=60)


# -- limits ----------------------------------------------------------------------------------------------------------


@every_form
@pytest.mark.parametrize("length", [10, 11, 12, 5_000, CHUNK_BYTES, 3 * CHUNK_BYTES + 17])
@pytest.mark.parametrize("newline", [b"\n", b""])
def test_a_long_line_is_cut_and_the_next_is_right(tmp_path: Path, form: str, length: int, newline: bytes) -> None:
    """Of a line over the limit one byte more than allowed is delivered; offsets and what follows are as if whole."""
    content = b"one\n" + b"x" * length + newline + (b"two\n" * 600 if newline else b"")
    file = written(tmp_path, form, content)

    with opened(file, record_bytes_max=10) as source:
        first, long, *rest = drained(source)
        end = source.positions()[str(file), 0]

    assert (b"one", b"x" * min(length, 11)) == (first.value, long.value)
    assert (4, 4 + length + len(newline)) == (long.offset, long.next_offset)
    assert [content[record.offset : record.next_offset - 1] for record in rest] == values(rest)
    assert Position(len(content), check_of(content)) == end
    rejected = decode([long], Rules(record_bytes_max=10)).rejected
    assert ["bytes_limit" if length > 10 else "json"] == [one.reason for one in rejected]


def test_resuming_after_a_long_line(tmp_path: Path) -> None:
    """The position behind a line that was cut fits the content, not what was delivered of it."""
    file = written(tmp_path, "jsonl", b"x" * (2 * CHUNK_BYTES) + b"\none\n")

    with opened(file, record_bytes_max=10) as source:
        source.poll(1)
        position = source.positions()[str(file), 0]
    with opened(file, record_bytes_max=10, positions={(str(file), 0): position}) as source:
        assert [b"one"] == values(drained(source))
        assert [] == source.restarted


def test_a_long_line_costs_in_proportion_to_its_length(tmp_path: Path) -> None:
    """Files of audit logs are one line of tens of megabytes, unpacked in small pieces; none is copied often."""
    seconds = {}
    for length in (1_000_000, 16_000_000):
        line = Random(length).randbytes(length // 2).hex().encode()
        with opened(written(tmp_path, "gz", line), record_bytes_max=length) as source:
            began = time.process_time()
            assert [line] == values(source.poll(1))
            seconds[length] = time.process_time() - began

    assert seconds[16_000_000] < 80 * seconds[1_000_000]  # 16 times is right, 256 times was wrong


def test_a_packed_bomb_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """A few kilobytes that unpack to hundreds of megabytes without a newline cost time, not memory."""
    program = (
        "import sys\n"
        "from monitor.source.files import FileSource\n"
        "source = FileSource([sys.argv[1]])\n"
        "source.begin_all({})\n"
        "print([len(record.value) for record in source.poll(10)], source.poll(10))\n"
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(int(peak.split()[1]) // 1024 < 200)\n"  # the peak of ru_maxrss would be the parent's too
    )
    compressor = zstandard.ZstdCompressor().compressobj()
    packed = b"".join(compressor.compress(b" x" * (1 << 19)) for _ in range(256)) + compressor.flush()
    file = tmp_path / "events.zst"
    file.write_bytes(packed)
    assert len(packed) < 1 << 20

    done = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, check=True, timeout=120)

    assert "[1000001] []\nTrue\n" == done.stdout.decode()


# -- damage ----------------------------------------------------------------------------------------------------------

LINES = b"".join(b'{"number": %d, "noise": "%x"}\n' % (number, number * 0x9E3779B97F4A7C15) for number in range(9_000))


@pytest.mark.parametrize("form", ["gz", "zst"])
@pytest.mark.parametrize("kept", [0.5, 0.9, 0.9999])
def test_a_cut_off_file_gives_what_it_has(tmp_path: Path, form: str, kept: float) -> None:
    """Every whole line before the end of a truncated file is delivered; then a sentence says how far that was."""
    whole = FORMS[form](LINES)
    file = tmp_path / f"events.{form}"
    file.write_bytes(whole[: int(len(whole) * kept)])

    with opened(file) as source:
        records, sentence = damaged(source)
        assert source.behind()
        done = source.positions()[str(file), 0].next_offset

    assert len(records) > 9_000 * (kept - 0.2) - 1_500
    assert LINES.split(b"\n")[: len(records)] == values(records)
    assert done == records[-1].next_offset
    assert str(file) in sentence
    assert f"{done:,}" in sentence
    assert "cut off" in sentence


@pytest.mark.parametrize("form", ["gz", "zst"])
def test_a_damaged_file_is_named(tmp_path: Path, form: str) -> None:
    """Bytes that are no packed data, at the start or in the middle, end in a sentence, also when asked again."""
    middle = bytearray(FORMS[form](LINES))
    middle[len(middle) // 2 : len(middle) // 2 + 500] = b"\xa5" * 500
    for content in (b"{}\n", bytes(middle), FORMS[form](b"one\n") + b"garbage"):
        file = tmp_path / f"events.{form}"
        file.write_bytes(content)
        with opened(file) as source:
            _, sentence = damaged(source)
            assert ([], sentence) == damaged(source)
        assert "is damaged or cut off" in sentence


def test_files_before_a_damaged_one_are_delivered(tmp_path: Path) -> None:
    """One bad file does not cost what came before it in the same batch."""
    good, bad = written(tmp_path, "jsonl", b"one\ntwo\n"), tmp_path / "bad.gz"
    bad.write_bytes(b"no gzip")

    with opened(good, bad) as source:
        assert [b"one", b"two"] == values(source.poll(100))
        with pytest.raises(SourceProblem, match=r"bad\.gz"):
            source.poll(100)


@pytest.mark.parametrize(
    ("name", "words"), [("absent.jsonl", "check the name"), ("", "is a folder"), ("a\0b", "check the name")]
)
def test_what_cannot_be_read_is_said_at_once(tmp_path: Path, name: str, words: str) -> None:
    """A missing file and a folder are sentences before anything is read."""
    with pytest.raises(SourceProblem, match=words):
        FileSource([f"{tmp_path}/{name}"])


def test_a_forbidden_file_is_said_at_once(tmp_path: Path) -> None:
    """A file without permission is a sentence that says what is missing."""
    file = written(tmp_path, "jsonl", b"one\n")
    file.chmod(0)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:  # root may read every file
                os.setuid(65_534)
            FileSource([str(file)])
        except SourceProblem as problem:
            os.write(writing, str(problem).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as sentence:
        assert b"permi" in sentence.read()
    os.waitpid(child, 0)


def test_a_path_named_twice_is_read_once(tmp_path: Path) -> None:
    """The position of a path is one, so the same path twice is read once, and that is said."""
    file = written(tmp_path, "jsonl", b"one\n")

    with opened(file, file) as source:
        assert [b"one"] == values(drained(source))
        assert [f"{file} is named 2 times and read once."] == source.restarted


# -- going on --------------------------------------------------------------------------------------------------------

SHORT = b"\xef\xbb\xbfone\n\n" + b"".join(b"line %d\n" % number for number in range(300)) + b"last"


@every_form
def test_a_run_goes_on_after_any_line(tmp_path: Path, form: str) -> None:
    """Stopped after any record, the next run delivers exactly the rest."""
    file = written(tmp_path, form, SHORT)
    everything = read(file)

    for stop in range(0, len(everything) + 1, 7):
        with opened(file) as source:
            first = source.poll(stop) if stop else []
            position = source.positions()[str(file), 0]
        with opened(file, positions={(str(file), 0): position}) as source:
            assert position == source.positions()[str(file), 0]
            assert everything == first + drained(source)
            assert [] == source.restarted


@every_form
@pytest.mark.parametrize(
    "changed",
    [SHORT.replace(b"line 7\n", b"LINE 7\n"), SHORT[:60], b"", b"x" + SHORT],
    ids=["other", "less", "none", "more"],
)
def test_a_changed_file_is_read_from_its_start(tmp_path: Path, form: str, changed: bytes) -> None:
    """Where the content before the position is not what it was, all of it is read again, and that is said."""
    file = written(tmp_path, form, SHORT)
    with opened(file) as source:
        source.poll(20)
        position = source.positions()[str(file), 0]
    written(tmp_path, form, changed)

    with opened(file, positions={(str(file), 0): position}) as source:
        records = drained(source)
        assert 1 == len(source.restarted)
        assert str(file) in source.restarted[0]
    assert read(file) == records


def test_a_file_that_grew_goes_on_within_its_last_line(tmp_path: Path) -> None:
    """A last line that had no newline yet is not read twice once the file goes on."""
    file = written(tmp_path, "jsonl", b"one\ntwo")
    with opened(file) as source:
        drained(source)
        position = source.positions()[str(file), 0]
    written(tmp_path, "jsonl", b"one\ntwo\nthree\n")

    assert [b"three"] == values(read(file, positions={(str(file), 0): position}))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.lists(st.sampled_from([b"one", b"\n", b"\n", b"x" * 30, b" ", b"\xef\xbb\xbf"]), max_size=20).map(
        b"".join
    ),
    records_max=st.integers(1, 4),
    form=st.sampled_from(sorted(FORMS)),
)
def test_every_byte_is_in_one_record_or_blank(tmp_path: Path, content: bytes, records_max: int, form: str) -> None:
    """Records do not overlap, leave nothing but blanks out, and stopping after each of them loses nothing."""
    file = written(tmp_path, form, content)
    delivered: list[Record] = []
    positions: dict[Partition, Position] = {}
    while True:
        with opened(file, positions=positions, record_bytes_max=20) as source:
            batch = source.poll(records_max)
            positions = source.positions()
            assert [] == source.restarted
        delivered.extend(batch)
        if not batch:
            break

    end = 0
    for record in delivered:
        assert b"" == content[end : record.offset].removeprefix(b"\xef\xbb\xbf").strip()
        assert content[record.offset : record.next_offset].removesuffix(b"\n")[:21] == record.value
        end = record.next_offset
    assert b"" == content[end:].removeprefix(b"\xef\xbb\xbf").strip()
    at_end = positions[str(file), 0] == Position(end, check_of(content[:end]))
    assert at_end or content[end:].strip(b" \n\xef\xbb\xbf") == b""


# -- following -------------------------------------------------------------------------------------------------------


def test_a_growing_file_is_followed_line_by_line(tmp_path: Path) -> None:
    """Half a line waits for its newline; what is appended is delivered with the next poll."""
    file = written(tmp_path, "jsonl", b"one\ntw")

    with opened(file, follow=True) as source, file.open("ab") as more:
        assert [b"one"] == values(drained(source))
        assert 4 == source.positions()[str(file), 0].next_offset
        for addition, lines in ((b"o", []), (b"\nthree\nfo", [b"two", b"three"]), (b"ur\n", [b"four"]), (b"\n", [])):
            more.write(addition)
            more.flush()
            assert lines == values(drained(source))
        content = file.read_bytes()
        assert Position(len(content), check_of(content)) == source.positions()[str(file), 0]
        assert [] == source.restarted


def test_a_long_line_that_grows_is_cut_once(tmp_path: Path) -> None:
    """A line that is too long while it is still written is delivered once, when its newline comes."""
    file = written(tmp_path, "jsonl", b"x" * 30)

    with opened(file, follow=True, record_bytes_max=10) as source, file.open("ab") as more:
        assert [] == drained(source)
        more.write(b"x" * 30)
        more.flush()
        assert [] == drained(source)
        assert Position(0, check_of(b"")) == source.positions()[str(file), 0]
        more.write(b"\none\n")
        more.flush()
        assert [Record(str(file), 0, 0, 61, b"x" * 11, None), Record(str(file), 0, 61, 65, b"one", None)] == drained(
            source
        )


def test_a_file_that_was_cut_shorter_starts_again(tmp_path: Path) -> None:
    """A followed file with less in it than was read is read from its start, and that is said."""
    file = written(tmp_path, "jsonl", b"one\ntwo\n")

    with opened(file, follow=True) as source:
        drained(source)
        file.write_bytes(b"1\n")
        assert [b"1"] == values(drained(source))
        assert [f"{file} was cut shorter and is read from its start."] == source.restarted
        assert Position(2, check_of(b"1\n")) == source.positions()[str(file), 0]


def test_a_file_that_was_written_anew_starts_again(tmp_path: Path) -> None:
    """A followed file with other and more content under the same name is read from its start, and that is said."""
    file = written(tmp_path, "jsonl", b"one\ntwo\npart")

    with opened(file, follow=True) as source:
        drained(source)
        file.write_bytes(b"1\n2\n3\n4\n5\n6\n7\n8\n")
        assert [b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8"] == values(drained(source))
        assert [f"{file} was written anew and is read from its start."] == source.restarted


def test_a_rotated_file_is_finished_and_the_new_one_read(tmp_path: Path) -> None:
    """The rest of the old file is delivered, its last line too; until there is a new file, there is nothing more."""
    file = written(tmp_path, "jsonl", b"one\n")

    with opened(file, follow=True) as source:
        assert [b"one"] == values(drained(source))
        with file.open("ab") as old:
            old.write(b"two\nlast")
        file.rename(tmp_path / "events.1")
        assert [b"two"] == values(drained(source))
        written(tmp_path, "jsonl", b"new and longer than before\n")
        assert [b"last", b"new and longer than before"] == values(drained(source))
        assert [f"{file} was replaced by another file and is read from its start."] == source.restarted


def test_followed_files_take_turns(tmp_path: Path) -> None:
    """A file that always has more does not keep the others waiting."""
    busy, quiet = written(tmp_path, "jsonl", b"busy\n" * 100, "busy"), written(tmp_path, "jsonl", b"quiet\n", "quiet")

    with opened(busy, quiet, follow=True) as source:
        assert b"quiet" in values(source.poll(10) + source.poll(10))


def test_packed_files_do_not_grow(tmp_path: Path) -> None:
    """Following reads a packed file to its end once."""
    file = written(tmp_path, "gz", b"one\ntwo")

    with opened(file, follow=True) as source:
        assert [b"one", b"two"] == values(drained(source))
        assert [] == source.poll(1)


# -- progress --------------------------------------------------------------------------------------------------------


def test_progress_counts_bytes_on_the_disk(tmp_path: Path) -> None:
    """At the end as much is done as there was in all, packed or not, and never more on the way."""
    files = [written(tmp_path, form, LINES) for form in FORMS]

    with opened(*files) as source:
        assert (0, sum(file.stat().st_size for file in files)) == (source.bytes_done, source.bytes_total)
        before = 0
        while source.poll(1_000):
            assert before <= source.bytes_done <= (source.bytes_total or 0)
            before = source.bytes_done
        assert source.bytes_done == source.bytes_total
