"""The last good version of a list counts, whatever becomes of its file, and what is wrong is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zstandard

from monitor.errors import ListProblem
from monitor.reference.lists.shelf import ListShelf, Standing
from monitor.settings import ScreeningList
from tests.reference.lists.samples import SAMPLES, SDN, SOURCES

NOW, LATER = 1_795_000_000_000, 1_795_000_600_000


def csl(count: int) -> bytes:
    """A list of so many entries."""
    rows = "".join(f"{SDN},NAME {number},,,,,,{number}\n" for number in range(count))
    return f"source,name,addresses,alt_names,ids,programs,type,entity_number\n{rows}".encode()


def shelf(folder: Path) -> ListShelf:
    """A shelf as a new process has it."""
    return ListShelf([ScreeningList(name="us", path=folder / "us.csv")], folder / "state", SOURCES)


def taken(folder: Path, content: bytes, now: int = NOW) -> Standing:
    """How it is with the list once a process has read a file of this content."""
    (folder / "us.csv").write_bytes(content)
    (standing,) = shelf(folder).take(now)
    return standing


def entries(standing: Standing) -> int | None:
    return None if standing.kept is None else standing.kept.list.version.entries


def test_a_good_file_counts_and_is_kept(tmp_path: Path) -> None:
    """Its version, and since when; reading it again changes nothing."""
    first = taken(tmp_path, csl(10))
    again = taken(tmp_path, csl(10), LATER)

    assert (10, "", 10) == (entries(first), first.problem, len(first.changes.added))
    assert first.kept == again.kept
    assert ((), (), ()) == again.changes
    assert NOW == (again.kept.loaded_at if again.kept else None)


def test_a_copy_that_does_not_say_how_a_list_is_dated_learns_it_from_the_file(tmp_path: Path) -> None:
    """Copies of before did not keep it; the version counts on since when it was loaded."""
    first = taken(tmp_path, SAMPLES["flopwatch-yaml"])
    assert first.kept is not None
    (copy,) = (tmp_path / "state").glob("*.zst")
    head, _, lines = zstandard.ZstdDecompressor().decompress(copy.read_bytes(), 1_000_000).partition(b"\n")
    older = {name: value for name, value in json.loads(head).items() if name != "published"}
    copy.write_bytes(zstandard.ZstdCompressor().compress(json.dumps(older).encode() + b"\n" + lines))

    (standing,) = shelf(tmp_path).take(LATER)

    assert first.kept == standing.kept
    assert first.kept.list.version.dated == first.kept.list.published
    (tmp_path / "us.csv").unlink()
    (standing,) = shelf(tmp_path).look(LATER)
    assert standing.kept is not None
    assert None is standing.kept.list.published


@pytest.mark.parametrize("format", SAMPLES)
def test_what_is_kept_is_what_was_read(tmp_path: Path, format: str) -> None:
    """Every field of every format survives a restart."""
    first = taken(tmp_path, SAMPLES[format])
    (tmp_path / "us.csv").unlink()
    (standing,) = shelf(tmp_path).look(LATER)

    assert first.kept is not None
    assert first.kept == standing.kept


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (csl(7), "The list us has lost more than 20 per cent: 7 entries in all where there were 10"),
        (csl(10)[:-3], "The list us, line 11 has 7 fields where the header names 8"),
        (b"\xff", "The list us, line 1 is no UTF-8 text"),
        (b"", "The list us is empty"),
    ],
)
def test_a_bad_file_leaves_the_last_good_version(tmp_path: Path, content: bytes, problem: str) -> None:
    """It still counts after a restart, the problem is told each time and recorded once."""
    taken(tmp_path, csl(10))
    taken(tmp_path, content, LATER)
    standing = taken(tmp_path, content, LATER + 1)

    assert 10 == entries(standing)
    assert standing.problem.startswith(problem)
    assert standing.problem.endswith("Until then the last good version counts.")
    assert standing.refused is not None
    assert (LATER, standing.problem) == (standing.refused.at, standing.refused.said)
    assert 2 == len((tmp_path / "state" / "us.history.jsonl").read_text().splitlines())


def test_a_missing_file_leaves_the_last_good_version(tmp_path: Path) -> None:
    """The sentence names the path; without an earlier version nobody is screened, and that is said."""
    (before,) = shelf(tmp_path).take(NOW)
    taken(tmp_path, csl(10))
    (tmp_path / "us.csv").unlink()
    (after,) = shelf(tmp_path).take(LATER)

    assert (None, 10) == (entries(before), entries(after))
    assert "cannot be read from" in before.problem
    assert before.problem.endswith("Nobody is screened against it until then.")


def test_a_mended_file_counts_again(tmp_path: Path) -> None:
    """The refusal stays on record."""
    taken(tmp_path, csl(10))
    taken(tmp_path, csl(1), LATER)
    mended = taken(tmp_path, csl(11), LATER + 1)

    assert (11, "", 1) == (entries(mended), mended.problem, len(mended.changes.added))
    assert mended.refused is not None


def test_looking_writes_nothing(tmp_path: Path) -> None:
    """A new version is shown as what would count."""
    (tmp_path / "us.csv").write_bytes(csl(10))
    (standing,) = shelf(tmp_path).look(NOW)

    assert 10 == entries(standing)
    assert not (tmp_path / "state").exists()


def test_a_person_may_let_a_smaller_list_count(tmp_path: Path) -> None:
    """With a reason that stays with the version; the next one is judged against it."""
    taken(tmp_path, csl(10))
    taken(tmp_path, csl(5), LATER)
    accepted = shelf(tmp_path).accept("us", "delisted", LATER + 1)
    (standing,) = shelf(tmp_path).take(LATER + 2)

    assert (5, 5) == (entries(accepted), len(accepted.changes.removed))
    assert (5, "") == (entries(standing), standing.problem)
    assert "delisted" == (standing.kept.reason if standing.kept else None)
    assert "" == taken(tmp_path, csl(4), LATER + 3).problem


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (csl(10), "us", "Nothing holds the list us back; there is nothing to accept."),
        (csl(0), "us", "The list us holds no entry at all: take it out of the settings instead."),
        (b"\xff", "us", "The list us, line 1 is no UTF-8 text; save it as UTF-8, or fetch it again."),
        (csl(5), "eu", "The settings name no list eu; they name: us."),
    ],
)
def test_what_cannot_be_accepted_is_refused(tmp_path: Path, content: bytes, name: str, sentence: str) -> None:
    """Only a list that is held back for what has gone from it, and that still holds something."""
    taken(tmp_path, csl(10))
    (tmp_path / "us.csv").write_bytes(content)

    with pytest.raises(ListProblem) as problem:
        shelf(tmp_path).accept(name, "because", LATER)

    assert sentence == str(problem.value)


@pytest.mark.parametrize("damage", [b"", b"x", b"\x28\xb5\x2f\xfd\x00", None])
def test_a_damaged_copy_is_told_and_never_believed(tmp_path: Path, damage: bytes | None) -> None:
    """A copy that is cut, or is not what was written, counts as none; a good file takes its place."""
    taken(tmp_path, csl(10))
    copy = tmp_path / "state" / "us.jsonl.zst"
    copy.write_bytes(copy.read_bytes()[:-4] if damage is None else damage)
    bad, good = taken(tmp_path, b"\xff", LATER), taken(tmp_path, csl(9), LATER + 1)

    assert entries(bad) is None
    assert "is damaged" in bad.problem
    assert (9, "") == (entries(good), good.problem)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "state").write_text("a file")

    with pytest.raises(ListProblem) as problem:
        taken(tmp_path, csl(10))

    assert "make room there or set `lists_state`." in str(problem.value)
