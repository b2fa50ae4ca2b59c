"""What is in the wheel that people install, and what it asks them to install with it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = {
    "Jinja2",
    "PyYAML",
    "SQLAlchemy",
    "alembic",
    "anyascii",
    "argon2-cffi",
    "argon2-cffi-bindings",
    "click",
    "crc32c",
    "fastapi",
    "kafka-python",
    "lz4",
    "prometheus-client",
    "psycopg[binary]",
    "pydantic",
    "pydantic-settings",
    "python-multipart",
    "rapidfuzz",
    "starlette",
    "structlog",
    "tzdata",
    "uvicorn",
    "zstandard",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built offline with the build tool that the development environment pins."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    result = subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    (built,) = folder.glob("flopwatch-*.whl")
    return built


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def text_in(wheel: Path, ending: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(ending))
        return archive.read(name).decode()


@pytest.mark.parametrize(
    ("folder", "packed"),
    [
        ("monitor", "monitor"),
        ("monitor/store/migrations", "monitor/store/migrations"),
        ("config", "monitor/_config"),
        ("config/catalogue", "monitor/_config/catalogue"),
        ("config/policies", "monitor/_config/policies"),
        ("config/lists", "monitor/_config/lists"),
    ],
)
def test_wheel_carries_folder(wheel: Path, folder: str, packed: str) -> None:
    """Every file of the package, its migrations, the catalogue and the policies is in the wheel, and there are some."""
    files = {path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*") if path.is_file()}
    expected = {f"{packed}/{path.as_posix()}" for path in files if "__pycache__" not in path.parts}

    assert expected, f"{folder} has no files"
    assert set() == expected - names_in(wheel)


def test_wheel_names_the_script(wheel: Path) -> None:
    """Installing the wheel gives the command flopwatch, and nothing else."""
    parser = ConfigParser()
    parser.read_string(text_in(wheel, "/entry_points.txt"))

    assert {"flopwatch": "monitor.cli:main"} == dict(parser["console_scripts"])


def test_wheel_says_what_it_is(wheel: Path) -> None:
    """The metadata names the distribution, its licence and the oldest Python."""
    metadata = Parser().parsestr(text_in(wheel, "/METADATA"))

    assert "flopwatch" == metadata["Name"]
    assert "Apache-2.0" == metadata["License-Expression"]
    assert ">=3.11" == metadata["Requires-Python"]


def test_wheel_finds_its_own_configuration(wheel: Path, tmp_path: Path) -> None:
    """Code that runs from an installed wheel uses the configuration inside the wheel, wherever it is started."""
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    # Isolated from the checkout (-I leaves out the current folder and the environment), then only the wheel is added.
    program = f"import sys; sys.path.insert(0, {str(installed)!r})\n"
    program += "from monitor.reference.root import config_root; print(config_root())"

    answer = subprocess.run([sys.executable, "-I", "-c", program], cwd=tmp_path, capture_output=True, text=True)

    assert (str(installed / "monitor" / "_config"), "") == (answer.stdout.strip(), answer.stderr)


def test_run_time_dependencies_are_these() -> None:
    """A new run-time dependency is a decision: add it here, with a line in CHANGELOG.md that says what it is for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert RUNTIME == {re.split("[<>=]", requirement)[0] for requirement in project["dependencies"]}


@pytest.mark.parametrize(
    "file", ["requirements.txt", "requirements-build.txt", "requirements-dev.txt", "requirements-audit.txt"]
)
def test_requirements_are_pinned_with_hashes(file: str) -> None:
    """Each requirement names one version and at least one SHA-256, and nothing else."""
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]

    assert lines
    for name, *hashes in lines:
        assert name.count("==") == 1
        assert hashes
        assert all(word.startswith("--hash=sha256:") and len(word) == 14 + 64 for word in hashes)


def test_run_time_requirements_hold_every_dependency() -> None:
    """requirements.txt was written after the last change of the dependency list, and the files agree on versions."""
    pins = {file: pins_of(file) for file in ("requirements.txt", "requirements-build.txt", "requirements-dev.txt")}

    asked = {name.lower().partition("[")[0] for name in RUNTIME}
    assert set() == asked - {pin.split("==")[0] for pin in pins["requirements.txt"]}
    assert set() == (pins["requirements.txt"] | pins["requirements-build.txt"]) - pins["requirements-dev.txt"]


def pins_of(file: str) -> set[str]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines if "==" in line}
