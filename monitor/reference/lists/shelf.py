"""The lists that count: what the settings name, and of each the last good version, kept in a folder of its own.

A file that cannot be read, or from which too much has gone, never takes the place of the last good version: that one
still counts, after a restart too, and what is wrong is said until it is mended. In the folder, of each list:

- `NAME.jsonl.zst`: the last good version: a line about it, then one entry a line;
- `NAME.history.jsonl`: what was loaded, refused and accepted, when and why.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import zstandard

from monitor.core.lists import ListedName, ListedParty, ListVersion, NameKind
from monitor.core.model import DAY_MS
from monitor.durable import put
from monitor.errors import ListProblem
from monitor.reference.lists.effects import Sources
from monitor.reference.lists.entries import FILE_BYTES_MAX
from monitor.reference.lists.files import ListFile, read_list
from monitor.reference.lists.versions import Accepted, Changes, Refused, accept, changes
from monitor.settings import ScreeningList

LAYOUT = "flopwatch.shelf/1"
LOADED, REFUSED, ACCEPTED = "loaded", "refused", "accepted"
PACKED_BYTES_MAX = 4 * FILE_BYTES_MAX
_NO_CHANGES = Changes((), (), ())


class Kept(NamedTuple):
    """A version that counts, and since when it was loaded."""

    list: ListFile
    loaded_at: int  # milliseconds
    reason: str  # why a person accepted it although too much had gone; "" for others


class Event(NamedTuple):
    """A line of a list's history."""

    at: int  # milliseconds
    act: str
    digest: str  # of the file; "" where it could not be read
    said: str  # why it was refused, or accepted


class Standing(NamedTuple):
    """How it is with a list."""

    name: str
    path: Path
    kept: Kept | None  # what counts; None: nobody is screened against this list
    problem: str  # why the file as it is now does not count; "" if it does
    changes: Changes  # between what counted before and what counts now
    refused: Event | None  # the last refusal on record
    days_max: int  # how old it may be

    def days_old(self, now: int) -> int | None:
        """How many whole days ago what counts is dated; None: nothing counts, or it has no date."""
        dated = None if self.kept is None else self.kept.list.version.dated
        return None if dated is None else max(0, (now - dated) // DAY_MS)

    @property
    def stale_at(self) -> int | None:
        """From when on it is older than it may be, in whole days; None: nothing counts, or it has no date."""
        dated = None if self.kept is None else self.kept.list.version.dated
        return None if dated is None else dated + (self.days_max + 1) * DAY_MS

    def is_stale(self, now: int) -> bool:
        """Whether it is older than it may be."""
        return self.stale_at is not None and now >= self.stale_at


class ListShelf:
    """The lists of the settings. `folder` holds what is kept; it is made when there is something to keep."""

    def __init__(self, lists: Sequence[ScreeningList], folder: Path, sources: Sources) -> None:
        self._lists = lists
        self._folder = folder
        self._sources = sources

    def look(self, now: int) -> list[Standing]:
        """How it is with each list; nothing is written. `now`: milliseconds."""
        return [self._look(one, now) for one in self._lists]

    def take(self, now: int) -> list[Standing]:
        """The same, and new versions that are good are kept from now on, refusals recorded.

        Raises:
            ListProblem: the folder cannot be written.
        """
        standings = []
        for standing in self.look(now):
            if standing.problem:
                standing = standing._replace(refused=self._record_refusal(standing, now))
            elif standing.kept is not None and standing.kept.loaded_at == now:  # it was not what counted before
                self._keep(standing.kept)
                self._record(standing.name, Event(now, LOADED, standing.kept.list.version.digest, ""))
            standings.append(standing)
        return standings

    def accept(self, name: str, reason: str, now: int) -> Standing:
        """Let the file of a list count although too much has gone from it.

        Raises:
            ListProblem: there is no such list, its file cannot be read, or nothing holds it back.
        """
        entry = next((one for one in self._lists if one.name == name), None)
        if entry is None:
            known = ", ".join(one.name for one in self._lists) or "none"
            raise ListProblem(f"The settings name no list {name}; they name: {known}.")
        before, _ = self._kept(name)
        new = self._read(entry)
        if isinstance(accept(before.list if before else None, new), Accepted):
            raise ListProblem(f"Nothing holds the list {name} back; there is nothing to accept.")
        if not new.parties:
            raise ListProblem(f"The list {name} holds no entry at all: take it out of the settings instead.")
        kept = Kept(new, now, reason)
        self._keep(kept)
        self._record(name, Event(now, ACCEPTED, new.version.digest, reason))
        made = changes(before.list.parties if before else (), new.parties)
        return Standing(name, entry.path, kept, "", made, self._last_refusal(name), entry.days_max)

    def _look(self, entry: ScreeningList, now: int) -> Standing:
        before, damage = self._kept(entry.name)
        refused = self._last_refusal(entry.name)
        try:
            new = self._read(entry)
        except ListProblem as problem:
            said = " ".join(filter(None, [str(problem), damage, _still(before)]))
            return Standing(entry.name, entry.path, before, said, _NO_CHANGES, refused, entry.days_max)
        judged = accept(before.list if before else None, new)
        if isinstance(judged, Refused):
            said = " ".join(filter(None, [judged.sentence, damage, _still(before)]))
            return Standing(entry.name, entry.path, before, said, _NO_CHANGES, refused, entry.days_max)
        kept = Kept(new, now, "")
        if before is not None and (before.list.version.digest, before.list.parties) == (
            new.version.digest,
            new.parties,
        ):  # older copies do not know how the file dates itself
            kept = before._replace(list=before.list._replace(published=new.published))
        return Standing(entry.name, entry.path, kept, "", judged.changes, refused, entry.days_max)

    def _read(self, entry: ScreeningList) -> ListFile:
        try:
            status = entry.path.stat()
            if status.st_size > FILE_BYTES_MAX:
                raise ListProblem(
                    f"The list {entry.name} is larger than {FILE_BYTES_MAX:,} bytes; give a file of fewer lists."
                )
            content = entry.path.read_bytes()
        except OSError as wrong:
            why = (wrong.strerror or "no reason given").lower()
            raise ListProblem(
                f"The list {entry.name} cannot be read from {entry.path} ({why}); put the file there or mend `lists`."
            ) from None
        return read_list(entry.name, content, entry.format, status.st_mtime_ns // 1_000_000, self._sources)

    # -- the folder --------------------------------------------------------------------------------------------------

    def _kept(self, name: str) -> tuple[Kept | None, str]:
        """The last good version, and why it cannot be read where it cannot."""
        path = self._folder / f"{name}.jsonl.zst"
        try:
            packed = path.read_bytes()
        except FileNotFoundError:
            return None, ""
        except OSError as wrong:
            return None, f"The last good copy {path} cannot be read ({(wrong.strerror or 'no reason given').lower()})."
        try:
            return _unpacked(packed), ""
        except (ValueError, TypeError, KeyError, zstandard.ZstdError):
            return None, f"The last good copy {path} is damaged."

    def _keep(self, kept: Kept) -> None:
        self._replace(f"{kept.list.version.name}.jsonl.zst", _packed(kept))

    def _record_refusal(self, standing: Standing, now: int) -> Event:
        """A refusal goes on record when it is another one than the last thing that happened."""
        last = next(iter(reversed(self._history(standing.name))), None)
        if last is not None and (last.act, last.said) == (REFUSED, standing.problem):
            return last
        event = Event(now, REFUSED, "", standing.problem)
        self._record(standing.name, event)
        return event

    def _last_refusal(self, name: str) -> Event | None:
        return next((event for event in reversed(self._history(name)) if event.act == REFUSED), None)

    def _history(self, name: str) -> list[Event]:
        try:
            lines = (self._folder / f"{name}.history.jsonl").read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []
        return list(_events(lines))

    def _record(self, name: str, event: Event) -> None:
        path = self._folder / f"{name}.history.jsonl"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as history:
                history.write(json.dumps(event._asdict(), ensure_ascii=False) + "\n")
                history.flush()
                os.fsync(history.fileno())
        except OSError as wrong:
            raise self._unwritable(wrong) from None

    def _replace(self, name: str, content: bytes) -> None:
        """Write a file so that a crash leaves the old one or the new one, never a part."""
        beside = self._folder / f".{name}.new"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            put(self._folder / name, beside, lambda file: file.write(content))
        except OSError as wrong:
            raise self._unwritable(wrong) from None

    def _unwritable(self, wrong: OSError) -> ListProblem:
        why = (wrong.strerror or "no reason given").lower()
        return ListProblem(
            f"Last good lists cannot be kept in {self._folder} ({why}); make room there or set `lists_state`."
        )


def _still(kept: Kept | None) -> str:
    return "Until then the last good version counts." if kept else "Nobody is screened against it until then."


def _events(lines: Iterable[str]) -> Iterator[Event]:
    for line in lines:
        try:
            yield Event(**json.loads(line))
        except (ValueError, TypeError):  # a line that a crash cut off
            continue


# -- the form in which a version is kept -----------------------------------------------------------------------------


def _packed(kept: Kept) -> bytes:
    """A line about the version, with the digest of the lines that follow: one for each entry."""
    lines = b"".join(_line(_party_document(party)) for party in kept.list.parties)
    head = {
        "layout": LAYOUT,
        "version": kept.list.version._asdict(),
        "format": kept.list.format,
        "notes": kept.list.notes,
        "published": kept.list.published,
        "loaded_at": kept.loaded_at,
        "reason": kept.reason,
        "entries_digest": hashlib.sha256(lines).hexdigest(),
    }
    return zstandard.ZstdCompressor().compress(_line(head) + lines)


def _unpacked(packed: bytes) -> Kept:
    """The version that was packed.

    Raises:
        ValueError, TypeError, KeyError, ZstdError: it is damaged.
    """
    content = zstandard.ZstdDecompressor().decompress(packed, max_output_size=PACKED_BYTES_MAX)
    first, _, lines = content.partition(b"\n")
    head = json.loads(first)
    if head["layout"] != LAYOUT or head["entries_digest"] != hashlib.sha256(lines).hexdigest():
        raise ValueError("another layout, or not what was written")
    parties = tuple(_party(json.loads(line)) for line in lines.splitlines())
    version = ListVersion(**head["version"])
    file = ListFile(version, head["format"], parties, tuple(head["notes"]), head.get("published"))
    return Kept(file, head["loaded_at"], head["reason"])


def _line(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _party_document(party: ListedParty) -> dict[str, Any]:
    return party._asdict() | {"countries": sorted(party.countries)}


def _party(document: dict[str, Any]) -> ListedParty:
    return ListedParty(
        source=document["source"],
        id=document["id"],
        names=tuple(ListedName(text, NameKind(kind)) for text, kind in document["names"]),
        schema=document["schema"],
        countries=frozenset(document["countries"]),
        addresses=tuple(document["addresses"]),
        identifiers=tuple((scheme, value) for scheme, value in document["identifiers"]),
        programs=tuple(document["programs"]),
    )
