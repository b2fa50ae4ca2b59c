"""The image: what its recipe says, and what it would run, run without a right and with one writable folder.

No container engine is asked. The parts of the image are put together as the recipe does it, with the packages that the
tests run with, which have the versions of requirements.txt (tests/test_packaging.py).
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tomllib
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from monitor.metrics import REVISION_VARIABLE
from monitor.settings import Settings
from monitor.simulate.scenarios import simulate
from tests.deploy.shipped import DEPLOY, ROOT
from tests.servers.kafka import free_ports, wait_for

FILE = DEPLOY / "Dockerfile"
START_SECONDS = 60


def instructions() -> list[tuple[str, str]]:
    """The lines of the recipe: (FROM, ...), (RUN, ...); comments are left out and continued lines put together."""
    lines = [line for line in FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()]


def of(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def arguments() -> dict[str, str]:
    return dict(one.split("=", 1) for one in of("ARG"))


def test_the_base_is_fixed_and_supported() -> None:
    """Both stages begin with one slim Python of one version, which the program supports."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = re.fullmatch(r"python:(3\.\d+)\.\d+-slim-[a-z]+", arguments()["BASE"])

    assert base
    assert f"Programming Language :: Python :: {base[1]}" in project["classifiers"]
    assert ["${BASE} AS build", "${BASE}"] == of("FROM")


def test_what_is_installed_is_pinned_by_hashes() -> None:
    """Whatever comes from an index comes with its hash as a wheel; everything else comes from no index."""
    commands = [part for run in of("RUN") for part in run.split("&&")]
    installing = [part for part in commands if re.search(r"pip\b.* (install|wheel)\b", part)]

    assert 4 == len(installing)
    for command in installing:
        hashed = {"--require-hashes", "--only-binary", "--no-deps", "--requirement"} <= set(command.split())
        assert hashed or {"--no-index", "--no-deps"} <= set(command.split())


def test_the_image_says_what_it_is() -> None:
    """Version and licence are those of the program; the revision can be given, and the program is told of it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (labels,) = of("LABEL")
    found = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', labels))

    assert (project["name"], project["description"]) == (found["title"], found["description"])
    assert project["license"] == found["licenses"]
    assert ("${VERSION}", "${REVISION}") == (found["version"], found["revision"])
    assert project["version"] == arguments()["VERSION"]
    assert f"{REVISION_VARIABLE}=${{REVISION}}" in of("ENV")[-1].split()


def test_it_runs_as_nobody_in_particular_without_a_shell() -> None:
    """The user is a number that is not root's; what is run is a list of words, and begins with the program."""
    (user,) = of("USER")

    assert re.fullmatch(r"[1-9]\d{4,}:[1-9]\d{4,}", user)
    assert (["flopwatch"], ["run"]) == (json.loads(of("ENTRYPOINT")[0]), json.loads(of("CMD")[0]))
    number = user.split(":")[0]
    assert [number] * 2 == [
        word.partition("=")[2] for word in json.loads(of("RUN")[-1]) if word.startswith(("--owner", "--group"))
    ]


def test_one_folder_is_written_to() -> None:
    """State, working folder and temporary files lie in the one volume, which the user of the image owns."""
    (volume,) = json.loads(of("VOLUME")[0])

    assert [volume] * 2 == [of("WORKDIR")[-1], json.loads(of("RUN")[-1])[-1]]
    assert f"TMPDIR={volume}" in of("ENV")[-1].split()
    assert "PYTHONDONTWRITEBYTECODE=1" in of("ENV")[-1].split()


def test_ports_and_health_are_those_of_the_settings() -> None:
    """The ports that are named, and the one that the health check asks, are those that settings have by default."""
    unchanged = Settings()

    assert f"{unchanged.http.port} {unchanged.console.port}" == of("EXPOSE")[0]
    assert f"'http://127.0.0.1:{unchanged.http.port}/healthz'" in of("HEALTHCHECK")[0]


def test_only_what_is_copied_is_sent_to_the_builder() -> None:
    """The builder is sent the files that the recipe copies and nothing else, and all of them are there."""
    copied = {word.strip("./") for one in of("COPY") if "--from" not in one for word in one.split()[:-1]}
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]

    assert "*" == patterns[0]
    assert copied == {pattern[1:] for pattern in patterns if pattern.startswith("!")}
    assert [] == [name for name in copied if not (ROOT / name).exists()]
    assert any(fnmatch("monitor/__pycache__", pattern) for pattern in patterns[1:])


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as the image has it: its wheel in an environment of its own, that has no pip."""
    folder = tmp_path_factory.mktemp("image")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheel = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run([*pip, *wheel], check=True)
    environment = folder / "flopwatch"
    venv.create(environment, with_pip=False)
    (found,) = folder.glob("*.whl")
    install = ["--python", str(environment), "install", "--no-deps", "--no-index", str(found)]
    subprocess.run([*pip, *install], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    # The checkout itself is left out: what is imported as `monitor` is what the wheel brought.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return environment


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """The one folder that may be written to, in one that may not."""
    state = tmp_path / "state"
    state.mkdir()
    tmp_path.chmod(0o555)
    yield state
    tmp_path.chmod(0o755)


def confined(command: list[str], state: Path, installed: Path, **more: str) -> subprocess.Popen[str]:
    """A command as a container runs it: of the environment only what is given, and of root's rights none."""
    # Root without rights may do what any owner of files may, and no more.
    without = ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    environment = {"PATH": f"{installed}/bin:/usr/bin:/bin", "TMPDIR": str(state), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [*without, *command],
        cwd=state,
        env={**environment, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_nothing_else_can_be_written(state: Path, installed: Path) -> None:
    """What runs so cannot write beside its folder, so that the next test shows that it need not."""
    program = "open('here', 'w').close(); open('../beside', 'w')"

    with confined(["python", "-c", program], state, installed) as process:
        said, _ = process.communicate(timeout=START_SECONDS)

    assert 1 == process.returncode
    assert "PermissionError" in said
    assert (state / "here").exists()


def test_what_the_image_runs_answers(state: Path, installed: Path) -> None:
    """Without home and rights, worker and console are healthy by the image's own check, and stop when asked."""
    port, console = free_ports(2)
    (state / "events.jsonl").write_bytes(b"".join(simulate("quiet").events()))
    settings = {
        "FLOPWATCH_FILES__PATHS": json.dumps([str(state / "events.jsonl")]),
        "FLOPWATCH_HTTP__PORT": str(port),
        "FLOPWATCH_CONSOLE__PORT": str(console),
    }
    entry = [*json.loads(of("ENTRYPOINT")[0]), *json.loads(of("CMD")[0])]
    words = json.loads(of("HEALTHCHECK")[0].partition("CMD ")[2])
    check = [word.replace(f":{Settings().http.port}/", f":{port}/") for word in words]

    def asked(command: list[str]) -> int:
        with confined(command, state, installed) as process:
            process.communicate(timeout=START_SECONDS)
        return process.returncode

    assert 1 == asked(check)  # nothing answers yet
    with confined([*entry, "--role", "all"], state, installed, **settings) as process:
        try:
            wait_for(lambda: process.poll() is not None or loaded(port), START_SECONDS, "the books of the file")
            assert 0 == asked(check)
            with urllib.request.urlopen(f"http://127.0.0.1:{console}/sign-in", timeout=10) as page:
                assert 200 == page.status
        finally:
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=START_SECONDS)

    assert 0 == process.returncode, said
    assert {"events.jsonl", "flopwatch.db"} <= {file.name for file in state.iterdir()}


def loaded(port: int) -> bool:
    """Whether everything is read."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
            return "flopwatch_caught_up 1.0" in page.read().decode()
    except urllib.error.URLError:
        return False
