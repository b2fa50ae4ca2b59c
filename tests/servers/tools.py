"""Programs in Go that read what stands in deploy/, built once into the user's cache. `make test-deps` runs it.

`tests/deploy/go.mod` names them: Helm, and the reader of Compose files that Docker Compose itself has. Standard library
only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.servers.cache import kept

MODULE = Path(__file__).parents[1] / "deploy"
BUILD_SECONDS = 1_200
PACKAGES = {"helm": "helm.sh/helm/v3/cmd/helm", "compose-spec": "github.com/compose-spec/compose-go/v2/cmd"}


def built() -> Path:
    """The folder with the programs.

    Raises:
        RuntimeError: they are not there and cannot be had, with a sentence.
    """
    return kept(f"tools-{hashlib.sha256((MODULE / 'go.sum').read_bytes()).hexdigest()[:12]}", _build)


def _build(folder: Path) -> str:
    if shutil.which("go") is None:
        return "Go builds it: install Go 1.26 or newer."
    environment = {**os.environ, "CGO_ENABLED": "0"}
    for name, package in PACKAGES.items():
        command = ["go", "build", "-mod=readonly", "-trimpath", "-o", str(folder / name), package]
        done = subprocess.run(
            command, cwd=MODULE, env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS
        )
        if done.returncode:
            return f"Go could not build {name}: {done.stderr[-500:]}"
    return ""


if __name__ == "__main__":
    print(f"The tools lie in {built()}.")
