"""Whether there is a container engine for testcontainers to ask."""

from __future__ import annotations

import shutil
import subprocess

ENGINE_SECONDS = 5.0


def engine_answers() -> bool:
    """Whether a container engine answers within five seconds."""
    if shutil.which("docker") is None:
        return False
    try:
        # The library leaves a socket open where no engine answers; the command does not.
        asked = subprocess.run(["docker", "version"], capture_output=True, timeout=ENGINE_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0
