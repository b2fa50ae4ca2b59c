"""The structure that the project keeps: layers, a deterministic core, plain names, tests that are sentences.

A check is a function from one file to the sentences of what is wrong in it. CHECKS lists them with a snippet that must
be caught and one that must pass, so that no check can rot into one that never fails.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Upper may import lower; neighbours on one step may meet as long as no circle closes.
LAYERS = {
    "cli": 5,
    "app": 4,
    "web": 3,
    "run": 3,
    "metrics": 3,
    "intake": 2,
    "reference": 2,
    "screening": 2,
    "source": 2,
    "store": 2,
    "alert": 2,
    "simulate": 2,
    "draw": 2,
    "settings": 1,
    "log": 1,
    "clock": 1,
    "durable": 1,
    "errors": 1,
    "core": 0,
}
# Packages with several implementations behind one contract: the contract is the package, the rest is for `app`.
CHOSEN_BY_APP = {"source", "store", "alert"}

CORE_IMPORTS = {
    "__future__",
    "array",
    "bisect",
    "collections",
    "dataclasses",
    "datetime",  # days in sentences; its clock is for nobody, see BANNED
    "decimal",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "json",
    "math",
    "operator",
    "re",
    "string",
    "struct",
    "types",
    "typing",
    "unicodedata",
    "zlib",
}
NO_FLOAT = {f"monitor/core/{name}.py" for name in ("timeline", "ledger", "bounds", "model")}

# Where time and chance come from; only monitor/clock.py may ask.
BANNED = re.compile(
    r"time\.(time|time_ns)|datetime\.datetime\.(now|utcnow|today)|datetime\.date\.today"
    r"|uuid\.uuid[14]|random\.(?!Random$)\w+|secrets\.\w+|os\.urandom"
)
BANNED_WORDS = {"mgr", "cfg", "util", "utils", "helper", "helpers", "manager"}
UNFINISHED = re.compile(r"\b(?:TO[D]O|FIX[M]E)\b")
MACHINE_PATH = re.compile(r"(?<![\w.:/~-])/(?:work|root|home|Users|opt|tmp)/")
REGISTRY = re.compile(r"//[^/\s]*(?:pypi|pythonhosted|npmjs)|--(?:(?:extra-)?index-url|find-links|trusted-host)")


class Source(NamedTuple):
    """One file of the project: where it lies, with slashes and relative to the root, and what it says."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return parsed(self.text)

    @property
    def module(self) -> tuple[str, ...]:
        """The dotted name in parts: ("monitor", "core", "book")."""
        parts = self.path.removesuffix(".py").split("/")
        return tuple(parts[:-1] if parts[-1] == "__init__" else parts)

    def at(self, node: ast.AST, sentence: str) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {sentence}"


@cache
def parsed(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def project_files() -> tuple[Source, ...]:
    """Every text file that is, or would be, under version control."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    found = []
    for name in sorted(set(filter(None, names))):
        file = ROOT / name
        if file.is_file():
            try:
                found.append(Source(name, file.read_text(encoding="utf-8")))
            except UnicodeDecodeError:
                continue  # a binary sample says nothing that these checks read
    return tuple(found)


def imports(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """Every module that the file imports, absolute; `from a import b` counts as a.b, since b may be a module."""
    package = source.module if source.path.endswith("__init__.py") else source.module[:-1]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            yield from ((node, ".".join([*base, alias.name])) for alias in node.names)


def names_of(source: Source) -> dict[str, str]:
    """What each imported name stands for: {"now": "datetime.datetime.now"} and the like."""
    names = {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]  # `import a.b` binds a
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return names


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """The full name of an expression like `datetime.now`, or "" if it is none."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        base = dotted(node.value, names)
        return f"{base}.{node.attr}" if base else ""
    return ""


def layers(source: Source) -> list[str]:
    """Upper layers may import lower ones, never the reverse; only `app` names a concrete store, source or sink."""
    if len(source.module) < 2 or source.module[0] != "monitor":
        return []
    own = source.module[1]
    if own not in LAYERS:
        return [f"{source.path}: monitor/{own} is in no layer: add it to LAYERS where it belongs."]
    problems = []
    for node, name in imports(source):
        parts = name.split(".")
        if parts[0] != "monitor" or len(parts) < 2 or parts[1] == own or parts[1] not in LAYERS:
            continue
        other = parts[1]
        if LAYERS[other] > LAYERS[own]:
            problems.append(source.at(node, f"monitor/{own} is below monitor/{other} and must not import it."))
        if other in CHOSEN_BY_APP and own != "app" and (len(parts) > 3 or is_module(name)):
            problems.append(source.at(node, f"only monitor/app may choose {name}; take it as an argument."))
    return problems


def is_module(name: str) -> bool:
    """Whether `monitor.store.memory` is a file or folder; `monitor.store.Store` is a name inside one."""
    file = ROOT.joinpath(*name.split("."))
    return name.count(".") > 1 and (file.is_dir() or file.with_suffix(".py").is_file())


def core_imports(source: Source) -> list[str]:
    """The core imports itself and a short list of pure modules of the standard library."""
    if not source.path.startswith("monitor/core/"):
        return []
    return [
        source.at(node, f"the core must stay pure and {name} is not in CORE_IMPORTS.")
        for node, name in imports(source)
        if not name.startswith("monitor.core") and name.split(".")[0] not in CORE_IMPORTS
    ]


def time_and_chance(source: Source) -> list[str]:
    """The time of day, random numbers and random ids are arguments; only monitor/clock.py asks for them."""
    if not source.path.startswith("monitor/") or source.path == "monitor/clock.py":
        return []
    names = names_of(source)
    problems = []
    for node in ast.walk(source.tree):
        name = dotted(node, names)
        if isinstance(node, ast.Name | ast.Attribute) and BANNED.fullmatch(name):
            problems.append(source.at(node, f"{name} is for monitor/clock.py only; take the value as an argument."))
        if isinstance(node, ast.Call) and not node.args and dotted(node.func, names) == "random.Random":
            problems.append(source.at(node, "random.Random() without a seed differs from run to run; give it one."))
    return problems


def blind_except(source: Source) -> list[str]:
    """Catching everything hides bugs; only the loops in monitor/run may, to stop in good order."""
    if not source.path.startswith("monitor/") or source.path.startswith("monitor/run/"):
        return []
    problems, names = [], names_of(source)
    for node in ast.walk(source.tree):
        caught: list[ast.expr | None] = []
        if isinstance(node, ast.ExceptHandler):
            caught = list(node.type.elts) if isinstance(node.type, ast.Tuple) else [node.type]
        elif isinstance(node, ast.Call) and dotted(node.func, names) == "contextlib.suppress":
            caught = list(node.args)
        if any(kind is None or getattr(kind, "id", "") in {"Exception", "BaseException"} for kind in caught):
            problems.append(source.at(node, "name the exceptions that are expected; a bug must be seen."))
    return problems


def no_float(source: Source) -> list[str]:
    """The books are integers: no float, and no division that makes one."""
    if source.path not in NO_FLOAT:
        return []
    problems = []
    for node in ast.walk(source.tree):
        literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
        named = isinstance(node, ast.Name) and node.id == "float"
        if literal or named:
            problems.append(source.at(node, "the books hold integers; no float here."))
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            problems.append(source.at(node, "/ makes a float; divide with // and say how it rounds."))
    return problems


def plain_names(source: Source) -> list[str]:
    """Names say what a thing is: none of the words that say nothing."""
    given: list[tuple[ast.AST, str]] = [(source.tree, part) for part in source.path.removesuffix(".py").split("/")]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            given.append((node, node.name))
        elif isinstance(node, ast.arg):
            given.append((node, node.arg))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            given.append((node, node.id))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            given.append((node, node.attr))
        elif isinstance(node, ast.alias) and node.asname:
            given.append((node, node.asname))
    return [
        source.at(node, f"{name} says nothing with a word like {', '.join(sorted(words))}; name what it is or does.")
        for node, name in given
        if (words := {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)} & BANNED_WORDS)
    ]


def public(nodes: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The public functions of a module or class, and the public methods of its public classes."""
    for node in nodes:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public(node.body)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node


def documented(source: Source) -> list[str]:
    """Every public function and method of the package says what it gives."""
    if not source.path.startswith("monitor/"):
        return []
    return [
        source.at(node, f"{node.name} is public and has no docstring: say shapes, units and errors.")
        for node in public(source.tree.body)
        if not ast.get_docstring(node)
    ]


def no_inheritance(source: Source) -> list[str]:
    """No class of ours inherits from another, except leaves of MonitorError."""
    if not source.path.startswith("monitor/"):
        return []
    names = names_of(source)
    local = {node.name for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)}
    problems = []
    for node in ast.walk(source.tree):
        for base in node.bases if isinstance(node, ast.ClassDef) else []:
            plain = base.value if isinstance(base, ast.Subscript) else base
            full = dotted(plain, names)
            ours = full.startswith("monitor.") or (isinstance(plain, ast.Name) and plain.id in local)
            if ours and (full or ast.unparse(plain)).split(".")[-1] != "MonitorError":
                problems.append(source.at(node, f"{ast.unparse(plain)} is ours: hold one or take a Protocol instead."))
    return problems


def sentences(source: Source) -> list[str]:
    """Every test has a docstring that says what must be true."""
    if not source.path.startswith("tests/"):
        return []
    return [
        source.at(node, f"{node.name} has no docstring: say in one sentence what must be true.")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]


def no_mocks(source: Source) -> list[str]:
    """Tests run the real thing: no mock anywhere, and in tests of the core no patching either."""
    if not source.path.startswith("tests/"):
        return []
    problems = [
        source.at(node, "no mocks: give the code a real object, or split the decision from the doing.")
        for node, name in imports(source)
        if name.startswith(("unittest.mock", "mock", "pytest_mock"))
    ]
    for node in ast.walk(source.tree):
        patching = isinstance(node, ast.arg) and node.arg in {"monkeypatch", "mocker"}
        if patching and source.path.startswith("tests/core/"):
            problems.append(source.at(node, "tests of the core patch nothing: pass the value as an argument."))
    return problems


def finished(source: Source) -> list[str]:
    """Nothing is left for later inside a file."""
    return lines_with(UNFINISHED, source, "finish it, or file an issue and take the line out.")


def only_itself(source: Source) -> list[str]:
    """The project names no path of somebody's machine and no package index."""
    return [
        *lines_with(MACHINE_PATH, source, "this is a path of one machine; make it relative or a setting."),
        *lines_with(REGISTRY, source, "which package index to use is the machine's choice; name none here."),
    ]


def lines_with(pattern: re.Pattern[str], source: Source, sentence: str) -> list[str]:
    lines = source.text.splitlines()
    return [f"{source.path}:{n}: {sentence}" for n, line in enumerate(lines, 1) if pattern.search(line)]


Check = Callable[[Source], list[str]]
OF_PYTHON: list[Check] = [
    layers,
    core_imports,
    time_and_chance,
    blind_except,
    no_float,
    plain_names,
    documented,
    no_inheritance,
    sentences,
    no_mocks,
]
OF_TEXT: list[Check] = [finished, only_itself]

CAUGHT: list[tuple[Check, str, str]] = [
    (layers, "monitor/core/book.py", "from monitor.store import Store"),
    (layers, "monitor/core/book.py", "from ..store import Store"),
    (layers, "monitor/store/__init__.py", "import monitor.run"),
    (layers, "monitor/intake/decode.py", "def later():\n    from monitor import app"),
    (layers, "monitor/run/worker.py", "from monitor.source.files import FileSource"),
    (layers, "monitor/misc/thing.py", "import json"),
    (core_imports, "monitor/core/book.py", "import pydantic"),
    (core_imports, "monitor/core/book.py", "from pathlib import Path"),
    (core_imports, "monitor/core/book.py", "import logging"),
    (time_and_chance, "monitor/run/worker.py", "import time\nnow = time.time()"),
    (time_and_chance, "monitor/run/worker.py", "from time import time as clock\nnow = clock()"),
    (time_and_chance, "monitor/log.py", "import datetime\nnow = datetime.datetime.now(datetime.UTC)"),
    (time_and_chance, "monitor/log.py", "from datetime import datetime\nnow = datetime.utcnow"),
    (time_and_chance, "monitor/simulate/fleet.py", "import random\nx = random.random()"),
    (time_and_chance, "monitor/simulate/fleet.py", "import random\nx = random.Random()"),
    (time_and_chance, "monitor/app/stores.py", "from uuid import uuid4\nfactory = uuid4"),
    (blind_except, "monitor/intake/decode.py", "try:\n    f()\nexcept Exception:\n    pass"),
    (blind_except, "monitor/intake/decode.py", "try:\n    f()\nexcept (ValueError, BaseException):\n    pass"),
    (blind_except, "monitor/intake/decode.py", "try:\n    f()\nexcept:\n    pass"),
    (blind_except, "monitor/log.py", "from contextlib import suppress\nwith suppress(Exception):\n    f()"),
    (no_float, "monitor/core/ledger.py", "share = 0.5"),
    (no_float, "monitor/core/timeline.py", "def f(x):\n    return float(x)"),
    (no_float, "monitor/core/bounds.py", "half = total / 2"),
    (no_float, "monitor/core/model.py", "total /= 2"),
    (plain_names, "monitor/store/session_manager.py", ""),
    (plain_names, "monitor/app/stores.py", "class StoreManager: ..."),
    (plain_names, "monitor/app/stores.py", "def f(cfg): ..."),
    (plain_names, "tests/run/test_worker.py", "def start_helper(): ..."),
    (plain_names, "monitor/app/stores.py", "import yaml as yaml_utils"),
    (documented, "monitor/core/book.py", "def observe(fact): ..."),
    (documented, "monitor/core/book.py", "class Book:\n    def observe(self): ..."),
    (no_inheritance, "monitor/core/book.py", "class A: ...\nclass B(A): ..."),
    (no_inheritance, "monitor/store/disk.py", "from monitor.store import Store\nclass Disk(Store): ..."),
    (no_inheritance, "monitor/errors.py", "class A(MonitorError): ...\nclass B(A): ..."),
    (sentences, "tests/core/test_book.py", "def test_adds():\n    assert 2 == 1 + 1"),
    (sentences, "tests/core/test_book.py", "class TestBook:\n    def test_adds(self):\n        assert 2 == 1 + 1"),
    (no_mocks, "tests/core/test_book.py", "from unittest.mock import patch"),
    (no_mocks, "tests/run/test_worker.py", "import unittest.mock"),
    (no_mocks, "tests/core/test_book.py", "def test_adds(monkeypatch):\n    'Adds.'"),
    (finished, "README.md", "TO" + "DO: describe the console"),
    (finished, "monitor/app/stores.py", "x = 1  # FIX" + "ME"),
    (only_itself, "CONTRIBUTING.md", "cd " + "/home" + "/me/flopwatch"),
    (only_itself, "bench/replay.py", "path = '" + "/tmp" + "/events.jsonl'"),
    (only_itself, "requirements.txt", "--index" + "-url https://packages.example/simple"),
    (only_itself, "Makefile", "pip install https:/" + "/pypi.example/x.whl"),
]

PASSED: list[tuple[Check, str, str]] = [
    (layers, "monitor/app/stores.py", "from monitor.store.memory import MemoryStore\nfrom monitor.run import worker"),
    (layers, "monitor/store/memory.py", "from monitor.store import Store\nfrom monitor.core.model import Kind"),
    (layers, "monitor/run/worker.py", "from monitor.store import Store"),
    (core_imports, "monitor/core/book.py", "from collections.abc import Mapping\nfrom monitor.core.model import Kind"),
    (core_imports, "monitor/store/memory.py", "import sqlalchemy"),
    (time_and_chance, "monitor/clock.py", "import time\nnow = time.time()"),
    (time_and_chance, "monitor/simulate/fleet.py", "from random import Random\nx = Random(7).random()"),
    (time_and_chance, "monitor/run/worker.py", "import time\ntime.sleep(1)"),
    (blind_except, "monitor/run/worker.py", "try:\n    f()\nexcept Exception:\n    raise"),
    (blind_except, "monitor/log.py", "try:\n    f()\nexcept (OSError, ValueError):\n    pass"),
    (no_float, "monitor/core/ledger.py", "half = total // 2"),
    (no_float, "monitor/core/likelihood.py", "share = 0.5"),
    (plain_names, "monitor/app/stores.py", "from contextlib import contextmanager\nmanagerial = 1"),
    (documented, "monitor/core/book.py", "def observe(fact):\n    'Give.'\ndef _private(): ..."),
    (no_inheritance, "monitor/errors.py", "class MonitorError(Exception): ...\nclass StoreProblem(MonitorError): ..."),
    (no_inheritance, "monitor/core/model.py", "from typing import NamedTuple\nclass A(NamedTuple): ..."),
    (sentences, "tests/core/test_book.py", "def test_adds():\n    'One and one are two.'\ndef fact(): ..."),
    (no_mocks, "tests/run/test_worker.py", "def test_adds(monkeypatch):\n    'Adds.'"),
    (finished, "README.md", "Everything to do is done."),
    (only_itself, "monitor/store/sqlite.py", "url = 'sqlite:///books.db'  # see https://sqlite.org/home/x"),
]


def case(entry: tuple[Check, str, str]) -> str:
    return f"{entry[0].__name__}-{entry[1]}"


@pytest.mark.parametrize("check", OF_PYTHON, ids=lambda check: check.__name__)
def test_python_is_tidy(check: Check) -> None:
    """Every Python file of the project passes every structural check."""
    files = [source for source in project_files() if source.path.endswith(".py")]

    assert [] == [problem for source in files for problem in check(source)]


@pytest.mark.parametrize("check", OF_TEXT, ids=lambda check: check.__name__)
def test_text_is_tidy(check: Check) -> None:
    """Every text file of the project is finished and speaks only of the project."""
    assert [] == [problem for source in project_files() for problem in check(source)]


@pytest.mark.parametrize("entry", CAUGHT, ids=case)
def test_check_catches(entry: tuple[Check, str, str]) -> None:
    """Each check catches a snippet that breaks its rule, once, and names the file."""
    check, path, text = entry

    problems = check(Source(path, text))

    assert [path] == [problem.split(":")[0] for problem in problems]


@pytest.mark.parametrize("entry", PASSED, ids=case)
def test_check_passes(entry: tuple[Check, str, str]) -> None:
    """Each check leaves alone what its rule allows."""
    check, path, text = entry

    assert [] == check(Source(path, text))


def test_every_check_is_shown_to_fail() -> None:
    """No check stands without a snippet that it catches and one that it passes."""
    checks = {check.__name__ for check in OF_PYTHON + OF_TEXT}

    assert checks == {check.__name__ for check, _, _ in CAUGHT}
    assert checks == {check.__name__ for check, _, _ in PASSED}


def circles(edges: dict[str, set[str]]) -> list[str]:
    """Packages that reach themselves through what they import."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            fresh = edges.get(waiting.pop(), set()) - seen
            seen |= fresh
            waiting += fresh
        return seen

    return sorted(name for name in edges if name in reached(name))


def test_packages_import_in_no_circle() -> None:
    """Packages on one layer may meet, but none imports itself through others."""
    edges: dict[str, set[str]] = {}
    for source in project_files():
        if source.path.startswith("monitor/") and source.path.endswith(".py") and len(source.module) > 1:
            named = {name.split(".")[1] for _, name in imports(source) if name.startswith("monitor.")}
            edges.setdefault(source.module[1], set()).update(named - {source.module[1]})

    assert [] == circles(edges)


def test_circle_is_seen() -> None:
    """Three packages that import one another in a ring are all named, a bystander is not."""
    assert ["run", "store", "web"] == circles({"run": {"store"}, "store": {"web"}, "web": {"run"}, "cli": {"run"}})
