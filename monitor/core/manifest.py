"""The manifest of an evidence pack: what is in it, by SHA-256, and what of a folder does not agree with that."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import NamedTuple

NAME = "manifest.json"
FORMAT = 1
FILES_MAX = 10_000
# Names that mean the same on every system, and no place outside the folder.
_PATH = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9._@-]*(?:/[A-Za-z0-9_@][A-Za-z0-9._@-]*){0,7}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Content(NamedTuple):
    """What a file holds."""

    sha256: str
    bytes: int


class Manifest(NamedTuple):
    """What a pack says of itself, and of each of its other files by name."""

    about: Mapping[str, object]
    files: Mapping[str, Content]


def content_of(content: bytes) -> Content:
    """What bytes are known by."""
    return Content(hashlib.sha256(content).hexdigest(), len(content))


def manifest_text(files: Mapping[str, bytes], about: Mapping[str, object]) -> bytes:
    """The manifest of files, as it is written."""
    held = {name: content_of(content)._asdict() for name, content in sorted(files.items())}
    document = {"format": FORMAT, **about, "files": held}
    return (json.dumps(document, indent=2, ensure_ascii=True) + "\n").encode("ascii")


def manifest_from(text: bytes) -> Manifest:
    """The manifest of a text.

    Raises:
        ValueError: it is none, of another format, or names a file in a way that no pack does; a sentence.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{NAME} is no JSON document.") from None
    files = document.get("files") if isinstance(document, dict) else None
    if not isinstance(files, dict) or document.get("format") != FORMAT:
        raise ValueError(f"{NAME} is no manifest of format {FORMAT}.")
    if len(files) > FILES_MAX:
        raise ValueError(f"{NAME} names {len(files):,} files; a pack has at most {FILES_MAX:,}.")
    about = {name: value for name, value in document.items() if name not in ("format", "files")}
    return Manifest(about, {_name(name): _content(name, held) for name, held in files.items()})


def is_name(name: str) -> bool:
    """Whether a pack can have a file of this name beside its manifest."""
    return _PATH.fullmatch(name) is not None and name != NAME


def _name(name: str) -> str:
    if not is_name(name):
        raise ValueError(f"{NAME} names {name[:100]!r}, which is no name of a file in a pack.")
    return name


def _content(name: str, held: object) -> Content:
    if isinstance(held, dict) and held.keys() == set(Content._fields):
        sha256, size = held["sha256"], held["bytes"]
        if isinstance(sha256, str) and _DIGEST.fullmatch(sha256) and type(size) is int and size >= 0:
            return Content(sha256, size)
    raise ValueError(f"{NAME} does not say the SHA-256 and the bytes of {name}.")


def disagreements(manifest: Manifest, found: Mapping[str, Content]) -> list[str]:
    """What of the files that were found is not as the manifest says, a sentence each, by name."""
    problems = []
    for name in sorted({*manifest.files, *found}):
        wanted, held = manifest.files.get(name), found.get(name)
        if held is None:
            problems.append(f"{name} is missing.")
        elif wanted is None:
            problems.append(f"{name} was added: the manifest does not name it.")
        elif held != wanted:
            problems.append(f"{name} was changed: its SHA-256 is not that of the manifest.")
    return problems
