"""Write requirements*.txt: every package, direct or not, at one version, with the hash of each wheel that may be used.

The programs that look at these packages (`requirements-audit.txt`) are never installed beside them: they stand apart.

Run it with `make lock`, on CPython 3.11 (the oldest we support: it needs every backport the newer ones need). pip does
all the looking up, as it is set up on the machine; nothing of that set-up is written down. Standard library only.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = (
    ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"),
    ("macosx_14_0_x86_64",),
    ("macosx_14_0_arm64",),
)
HEADER = "# Written by `make lock` from pyproject.toml. Change that file, then run it again.\n"

Pin = tuple[str, str]  # (normalised name, version)


def normalised(name: str) -> str:
    """Return a package's name in the one spelling that indexes compare."""
    return re.sub(r"[-_.]+", "-", name).lower()


def asked(arguments: Iterable[str]) -> dict[Pin, set[str]]:
    """Return what pip would install for these arguments: each pin with the SHA-256 of the chosen file."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed"]
        command += ["--only-binary=:all:", "--report", str(report), "--target", str(Path(folder, "target")), *arguments]
        subprocess.run(command, check=True)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    chosen: dict[Pin, set[str]] = {}
    for item in found:
        pin = (normalised(item["metadata"]["name"]), item["metadata"]["version"])
        chosen[pin] = {item["download_info"]["archive_info"]["hashes"]["sha256"]}
    return chosen


def hashes_everywhere(pins: Iterable[Pin]) -> dict[Pin, set[str]]:
    """Return the hashes of the wheels of these pins over all PYTHONS and PLATFORMS, and for the machine at hand."""
    exact = [f"{name}=={version}" for name, version in pins]
    hashes: dict[Pin, set[str]] = defaultdict(set)
    targets = [
        ["--python-version", python, *(word for tag in tags for word in ("--platform", tag))]
        for python in PYTHONS
        for tags in PLATFORMS
    ]
    for target in [[], *targets]:
        for pin, found in asked(["--no-deps", *target, *exact]).items():
            hashes[pin] |= found
    return hashes


def locked(pins: Iterable[Pin], hashes: dict[Pin, set[str]]) -> str:
    """Return the text of one requirements file."""
    lines = [HEADER]
    for name, version in sorted(pins):
        words = [f"{name}=={version}", *(f"--hash=sha256:{digest}" for digest in sorted(hashes[name, version]))]
        lines.append(" \\\n    ".join(words) + "\n")
    return "".join(lines)


def write(file: str, share: Iterable[Pin], hashes: dict[Pin, set[str]]) -> None:
    """Write one requirements file."""
    pins = list(share)
    (ROOT / file).write_text(locked(pins, hashes), encoding="utf-8")
    print(f"{file}: {len(pins)} packages")


def lock_audit(groups: dict[str, list[str]]) -> None:
    """Write what looks at the packages that the others name."""
    pins = asked(groups["audit"])
    write("requirements-audit.txt", pins, hashes_everywhere(pins))


def main() -> None:
    """Resolve everything together once, so that the files never disagree, then write each file's share of it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    runtime = project["project"]["dependencies"]
    build = project["build-system"]["requires"]
    wanted = {
        "requirements.txt": runtime,
        "requirements-build.txt": build,
        "requirements-dev.txt": [*runtime, *build, *project["dependency-groups"]["dev"]],
    }
    pins = asked(wanted["requirements-dev.txt"])
    hashes = hashes_everywhere(pins)
    with tempfile.TemporaryDirectory() as folder:
        together = Path(folder, "constraints.txt")
        together.write_text("".join(f"{name}=={version}\n" for name, version in pins), encoding="utf-8")
        for file, requirements in wanted.items():
            write(file, asked(["--constraint", str(together), *requirements]), hashes)
    lock_audit(project["dependency-groups"])


if __name__ == "__main__":
    main()
