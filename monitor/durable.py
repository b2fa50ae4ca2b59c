"""Files that a crash leaves as they were or as they shall be, never in part."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def put(path: Path, beside: Path, write: Callable[[BinaryIO], object]) -> None:
    """Put what `write` writes in the place of a file, by way of another one in its folder, and wait for the disk.

    Raises:
        OSError: it cannot be written, or it is not sure that it lasts.
    """
    with beside.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
