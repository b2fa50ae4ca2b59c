"""The check of an evidence pack, from the pack alone: every hash, then every number, made again from its facts.

A pack comes from outside: nothing of it is believed. No link is followed, no file is read beyond a limit, and what is
no pack is told in a sentence.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from monitor.core.clearances import Clearance, Place, standing
from monitor.core.engine import Reference
from monitor.core.lists import NO_LISTS, ListVersion
from monitor.core.manifest import FILES_MAX, NAME, Content, Manifest, disagreements, is_name, manifest_from
from monitor.core.sight import sight_hash
from monitor.errors import EvidenceProblem, ReferenceProblem, UnreadableFact
from monitor.run.evidence import Given, Numbers, Sought, differing, number_document, recomputed
from monitor.run.evidence_pack import CASE, FACTS, FORMAT, LISTS, REFERENCE
from monitor.run.replay import MakeArchive
from monitor.screening.recorded import Recorded, answers_from

CHUNK_BYTES = 1 << 20
MANIFEST_BYTES_MAX = 8 << 20
DOCUMENT_BYTES_MAX = 256 << 20
FACT_BYTES_MAX = 64 << 20  # of one line
# What reading a document that is not as it must be ends in.
UNLIKE = (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError)

LoadReference = Callable[[Path, date], Reference]  # of a folder; with the first day on which the affiliates rule holds


class Checked(NamedTuple):
    """What was found of a pack."""

    manifest: Manifest
    files: int
    problems: list[str]
    remarks: list[str]  # what is fine and must be known
    flags: int  # whose numbers follow from the facts of the pack
    tenants: int  # the same of their usage


def check_pack(folder: Path, load_reference: LoadReference, make_archive: MakeArchive) -> Checked:
    """Check every hash of a pack, then every number that its facts give; where a hash is wrong no number is looked at.

    Raises:
        EvidenceProblem: it is no pack, or cannot be read.
    """
    manifest = _manifest(folder)
    found, problems = _found(folder, manifest)
    problems += disagreements(manifest, found)
    if problems:
        return Checked(manifest, len(found), sorted(problems), [], 0, 0)
    try:
        case = _document(folder, CASE)
        return _compared(folder, manifest, case, load_reference, make_archive)
    except (UnreadableFact, ReferenceProblem) as problem:
        problems = [str(problem)]
    except UNLIKE:
        problems = [f"{CASE} or {LISTS} is not as packs of format {FORMAT} are: its numbers cannot be looked at."]
    except MemoryError:
        problems = ["The pack is too large to be computed again on this machine."]
    return Checked(manifest, len(found), problems, [], 0, 0)


# -- files -------------------------------------------------------------------------------------------------------------


def _manifest(folder: Path) -> Manifest:
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise EvidenceProblem(f"{folder} is no folder: give the folder of an evidence pack.")
        return manifest_from(_read(folder / NAME, MANIFEST_BYTES_MAX))
    except FileNotFoundError:
        raise EvidenceProblem(f"{folder} is no evidence pack: it has no {NAME}.") from None
    except ValueError as problem:
        raise EvidenceProblem(f"{folder} is no evidence pack: {problem}") from None
    except OSError as problem:
        raise EvidenceProblem(f"{folder} cannot be read: {_reason(problem)}.") from None


def _read(path: Path, bytes_max: int) -> bytes:
    """A file that is no link, as a whole.

    Raises:
        ValueError: it is a link or something else than a file, or too large.
    """
    with open(_opened(path), "rb") as file:
        content = file.read(bytes_max + 1)
    if len(content) > bytes_max:
        raise ValueError(f"{path.name} is larger than {bytes_max:,} bytes.")
    return content


def _opened(path: Path) -> int:
    """A descriptor of a plain file; a pipe would be waited for, a link leads anywhere."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{path.name} is no plain file.")
    return descriptor


def _found(folder: Path, manifest: Manifest) -> tuple[dict[str, Content], list[str]]:
    """What lies in a folder beside its manifest, and what no pack has."""
    found, problems = dict[str, Content](), list[str]()
    for path, is_file in _walk(folder):
        name = path.relative_to(folder).as_posix()
        if name == NAME:
            continue
        shown = name.encode("utf-8", "backslashreplace").decode()[:200]
        if not is_file or not is_name(name):
            problems.append(f"{shown!r} is no file that a pack has: a link, a pipe, or a name that is none.")
        elif len(found) >= FILES_MAX:
            raise EvidenceProblem(f"{folder} has more than {FILES_MAX:,} files: it is no evidence pack.")
        else:
            try:
                found[name] = _content(path, manifest.files.get(name))
            except (OSError, ValueError):
                problems.append(f"{shown!r} cannot be read.")
    return found, problems


def _walk(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Everything in a folder that is no folder, and whether it is a plain file; links are not followed."""
    for here, folders, names in os.walk(folder, followlinks=False):
        for name in sorted(names):
            path = Path(here, name)
            yield path, stat.S_ISREG(path.lstat().st_mode)
        for name in sorted(folders):
            if Path(here, name).is_symlink():
                yield Path(here, name), False


def _content(path: Path, wanted: Content | None) -> Content:
    """What a file holds; of one that has another size than it must, the size alone."""
    with open(_opened(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if wanted is None or size != wanted.bytes:
            return Content("", size)
        digest = hashlib.sha256()
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return Content(digest.hexdigest(), size)


def _document(folder: Path, name: str) -> Any:
    return json.loads(_read(folder / name, DOCUMENT_BYTES_MAX))


def _lines(path: Path) -> Iterator[bytes]:
    with open(_opened(path), "rb") as file:
        while line := file.readline(FACT_BYTES_MAX):
            yield line.rstrip(b"\n")


def _reason(problem: OSError) -> str:
    return (problem.strerror or "no reason given").lower()


# -- numbers -----------------------------------------------------------------------------------------------------------


def _compared(
    folder: Path, manifest: Manifest, case: Any, load_reference: LoadReference, make_archive: MakeArchive
) -> Checked:
    given, from_books = case["given"], frozenset(map(str, case["from_books"]))
    flags = [Sought(*(one[name] for name in Sought._fields)) for one in case["flags"]]
    names = [str(one["tenant"]) for one in case["tenants"]]
    lists = _document(folder, LISTS)
    reference = load_reference(folder / REFERENCE, date.fromisoformat(given["affiliates_rule_returns"]))
    reference = with_lists(reference, lists) if case["reference"]["effects"] else replace(reference, lists=NO_LISTS)
    heard = {str(source): int(at) for source, at in given["heard_ms"].items()}
    found = recomputed(
        _lines(folder / FACTS), make_archive, reference, names, flags, Given(int(given["as_of_ms"]), heard)
    )
    problems = [
        *_other_reference(case["reference"], reference),
        *_other_usage(case["tenants"], found, from_books),
        *_other_findings(case["flags"], found, from_books),
        *_other_sights(case["as_it_was"]),
    ]
    counted = [len({*ids} - from_books) for ids in ((flag.flag for flag in flags), names)]
    return Checked(manifest, len(manifest.files), problems, [str(one) for one in case["remarks"]], *counted)


def with_lists(reference: Reference, lists: Any) -> Reference:
    """A reference in which lists say what a pack wrote down of them.

    Raises:
        KeyError, TypeError, ValueError: the pack says it in another way.
    """
    screener = Recorded(answers_from(lists["answers"]))
    versions = tuple(ListVersion(*(one[name] for name in ListVersion._fields)) for one in lists["versions"])
    cleared: Mapping[Place, Clearance] = standing(lists["cleared"])
    known = reference.lists._replace(screener=screener, versions=versions)
    return replace(reference, lists=known, cleared=cleared)


def _other_reference(pack: Mapping[str, Any], reference: Reference) -> Iterator[str]:
    """What the numbers were made with and the files of the pack are not. Policies that did not count are not in it."""
    own = reference.digests
    for name, digest in own.items():
        if pack.get(name) != digest:
            yield f"The {name.replace('_', ' ')} of the pack are not those that its case names."


def _other_usage(tenants: Sequence[Any], found: Numbers, from_books: frozenset[str]) -> Iterator[str]:
    for one in tenants:
        rows, name = [tuple(row) for row in one["usage"]], str(one["tenant"])
        given = found.usage.get(name, [])
        if name not in from_books and rows != given:
            told, counted = (sum(row[-1] for row in of) for of in (rows, given))
            yield (
                f"Tenant {name}: the pack says {told:,} accelerator-microseconds, its facts give {counted:,}."
                if told != counted
                else f"Tenant {name}: the pack divides its usage by hardware and evidence otherwise than its facts do."
            )


def _other_findings(flags: Sequence[Any], found: Numbers, from_books: frozenset[str]) -> Iterator[str]:
    for one in flags:
        name = str(one["flag"])
        finding = found.findings.get(name)
        if name not in from_books:
            named = f"Flag {name} ({one['rule']}, {one['tenant']})"
            wrong = differing(named, one["now"], None if finding is None else number_document(finding))
            if wrong is not None:
                yield wrong


def _other_sights(sights: Sequence[Any]) -> Iterator[str]:
    for one in sights:
        if sight_hash(one["saw"]) != one["sight"]:
            yield f"Event {one['event']}: what the pack says was seen is not what the event says."
