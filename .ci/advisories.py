"""Answer what pip-audit asks of OSV from a folder of advisories: for machines that reach no service of vulnerabilities.

A folder has files of https://ossf.github.io/osv-schema/, one advisory each, at any depth: OSV's export for PyPI, or
a checkout of an advisory database of that format. What is published after the copy was made is not known to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

Known = Mapping[str, Sequence[Mapping[str, Any]]]  # by name of a package


def load(folder: Path) -> Known:
    """The advisories of a folder.

    Raises:
        ValueError: there is none, or a file is none, with a sentence.
    """
    known: dict[str, list[Mapping[str, Any]]] = {}
    for path in sorted(folder.rglob("*.json")):
        try:
            advisory = json.loads(path.read_bytes())
            packages = {of_package(affected) for affected in advisory["affected"]}
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path} is no advisory in OSV's format.") from None
        for package in packages - {None}:
            known.setdefault(str(package), []).append(advisory)
    if not known:
        raise ValueError(f"{folder} has no advisories of Python packages: files of OSV's format that end in .json.")
    return known


def of_package(affected: Mapping[str, Any]) -> str | None:
    """The name of the Python package that part of an advisory is about; none: it is about another kind of package."""
    package = affected["package"]
    return canonicalize_name(package["name"]) if package["ecosystem"] == "PyPI" else None


def about(known: Known, name: str, version: str) -> list[Mapping[str, Any]]:
    """The advisories that say that this version of a package is affected."""
    package, ours = canonicalize_name(name), Version(version)
    return [
        advisory
        for advisory in known.get(package, ())
        if any(of_package(one) == package and affects(one, ours) for one in advisory["affected"])
    ]


def affects(affected: Mapping[str, Any], ours: Version) -> bool:
    """Whether a version is one of those named, or in a range: OSV's own way of deciding it."""
    if any(_version(one) == ours for one in affected.get("versions", ())):
        return True
    return any(_in_range(one["events"], ours) for one in affected.get("ranges", ()) if one["type"] == "ECOSYSTEM")


def _in_range(events: Sequence[Mapping[str, str]], ours: Version) -> bool:
    inside = False
    for event in sorted(events, key=lambda one: _version(*one.values())):
        ((kind, text),) = event.items()
        at = _version(text)
        if kind == "introduced" and at <= ours:
            inside = True
        elif (kind == "fixed" and at <= ours) or (kind == "last_affected" and at < ours):
            inside = False
    return inside


def _version(text: str) -> Version:
    """A version; one that is written as none comes before all others, as 0 does, which means the very first."""
    try:
        return Version(text)
    except InvalidVersion:
        return Version("0.dev0")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which OSV's question, https://google.github.io/osv.dev/post-v1-query/, is answered from a folder.

    Raises:
        ValueError: the folder has no advisories, with a sentence.
    """
    known = load(folder)

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = about(known, asked["package"]["name"], asked["version"])
            body = json.dumps({"vulns": found} if found else {}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: pip-audit tells what it found."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        server.server_close()
