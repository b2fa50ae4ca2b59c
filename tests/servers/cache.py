"""What is fetched or built once, in the user's cache. Standard library only: `make test-deps` runs it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def kept(name: str, fill: Callable[[Path], str]) -> Path:
    """The folder of that name; if it is not there, `fill` fills it, and says why it cannot, "" if it can.

    Raises:
        RuntimeError: it could not be filled, with that sentence.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flopwatch"
    folder = cache / name
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    incoming = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=cache))
    problem = fill(incoming)
    if problem:
        shutil.rmtree(incoming)
        raise RuntimeError(problem)
    try:
        incoming.rename(folder)
    except OSError:  # somebody else was faster
        shutil.rmtree(incoming)
    return folder
