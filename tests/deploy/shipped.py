"""What deployment files say, put together for tests: settings of a container, and programs that read such files."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from monitor.settings import Settings, load_settings
from tests.servers.tools import built

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def tool(name: str, *words: object, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """What a program in Go says; the test is skipped if it cannot be had."""
    try:
        program = built() / name
    except RuntimeError as problem:
        pytest.skip(f"{name} is not there: {problem}")
    return subprocess.run([program, *map(str, words)], cwd=folder, capture_output=True, text=True, timeout=120)


def settings_of(environment: Mapping[str, str], file: Path) -> Settings:
    """The settings of a container with an environment, whose settings file this is.

    Raises:
        SettingsProblem: a variable or a line of the file is no setting.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return load_settings(file)
