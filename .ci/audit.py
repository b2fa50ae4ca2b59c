"""Look up whether a package that requirements*.txt name has a known vulnerability; anything not looked up is a failure.

`make audit` runs it. SERVICE=osv asks another service than the package index, SERVICE=FOLDER none: it looks into a copy
of advisories, see `advisories.py`. Exceptions stand in `audit-exceptions.toml`. Unless it is strict, pip-audit says "No
known vulnerabilities found" of what its service does not know.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from advisories import served

ROOT = Path(__file__).resolve().parents[1]
EXCEPTIONS = ROOT / ".ci" / "audit-exceptions.toml"
SERVICES = ("pypi", "osv")


class Excepted(NamedTuple):
    """A vulnerability that is known, and until when it is none to us."""

    id: str
    package: str
    reason: str
    expires: date  # the last day


def exceptions(text: str, today: date) -> list[Excepted]:
    """The exceptions of a file.

    Raises:
        ValueError: one is incomplete or has expired, with a sentence.
    """
    found = []
    for entry in tomllib.loads(text).get("exception", []):
        if set(entry) != set(Excepted._fields) or not all(entry.values()) or type(entry["expires"]) is not date:
            raise ValueError(f"An exception has {', '.join(Excepted._fields)}, and nothing else: {entry}.")
        one = Excepted(**entry)
        if one.expires < today:
            raise ValueError(f"The exception for {one.id} of {one.package} has expired on {one.expires}: look again.")
        found.append(one)
    return found


def command(program: str, service: str, files: list[Path], excepted: list[Excepted]) -> list[str]:
    """How pip-audit is called: it reads pins with hashes as they are, resolves nothing, and is strict.

    `service` is one of SERVICES, or where OSV's question is answered.
    """
    asked = [word for file in files for word in ("--requirement", str(file))]
    ignored = [word for one in excepted for word in ("--ignore-vuln", one.id)]
    where = ["--vulnerability-service", service] if service in SERVICES else ["-s", "osv", "--osv-url", service]
    return [program, *where, "--strict", "--require-hashes", "--disable-pip", *asked, *ignored]


def main(program: str) -> None:
    """Ask; exit 0 only where each package was looked up and nothing is known of it."""
    service = os.environ.get("SERVICE") or SERVICES[0]
    # All in one, so that a package which several files name is asked for once.
    files = [ROOT / name for name in ("requirements-dev.txt", "requirements-audit.txt")]
    try:
        excepted = exceptions(EXCEPTIONS.read_text(encoding="utf-8"), datetime.now(UTC).date())
        with ExitStack() as stack:
            if service not in SERVICES:
                service = stack.enter_context(served(Path(service)))
            status = subprocess.run(command(program, service, files, excepted)).returncode
    except ValueError as problem:
        sys.exit(str(problem))
    sys.exit(status)


if __name__ == "__main__":
    main(sys.argv[1])
