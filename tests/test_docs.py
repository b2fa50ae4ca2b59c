"""What the documentation says is true: its tables, links, commands and examples are compared with the code.

Each comparison has a reader that takes the text as an argument, so that a test can show it a text that is wrong.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner
from prometheus_client import CollectorRegistry, generate_latest

from monitor.app import references
from monitor.cli import flopwatch
from monitor.cli.evidence import PACK, CaseOrCommand
from monitor.core.bounds import Bounds
from monitor.core.model import EVENT_TYPES, Claim, Kind, Record
from monitor.core.personal import FIELDS
from monitor.core.retention import HOLDINGS
from monitor.core.timeline import Shape
from monitor.intake.decode import Rules, decode
from monitor.metrics import REVISION_VARIABLE, BooksState, Metrics
from monitor.reference.root import config_root
from monitor.settings import CONFIG_VARIABLE, PREFIX, setting_names

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("", "bench/", "config/**/", "deploy/**/", "monitor/**/", "tests/**/")
    for path in ROOT.glob(f"{folder}*.md")
)
MADE = (".venv", ".cache", "deploy/compose/secrets")  # named in the documentation, and made by make
VARIABLES_ELSEWHERE = {CONFIG_VARIABLE, REVISION_VARIABLE, "FLOPWATCH_NO_SKIPS"}  # the last in tests/conftest.py

# What is said of the past, and why, may name commands that are gone.
WITH_COMMANDS = [name for name in DOCUMENTS if Path(name).stem not in {"CHANGELOG", "DECISIONS"}]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """What stands under one heading of the second level."""
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of all table rows, heads and rules left out."""
    lines = text.splitlines()
    heads = {place for place, line in enumerate(lines[1:]) if re.fullmatch(r"\|[-:| ]+\|", line)}
    bodies = [line for place, line in enumerate(lines) if line.startswith("|") and not {place, place - 1} & heads]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in bodies]


def spans(text: str) -> list[str]:
    """What stands between backticks on a line, code blocks left out."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```$", "", text))


def blocks(text: str, language: str = "") -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


# -- folders, files and links ----------------------------------------------------------------------------------------


def targets(text: str) -> Iterator[str]:
    """What a document points at inside the repository: its links, and spans that look like a file or folder."""
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not link.startswith(("http://", "https://", "#")):
            yield link.partition("#")[0]
    for span in spans(text):
        path = re.fullmatch(r"\.?[\w-]+(?:/[\w.*-]+)*/?(?:\.(?:md|py|yaml|yml|toml|txt|csv))?", span)
        if path and ("/" in span or re.search(r"\.(?:md|py|yaml|yml|toml|txt|csv)$", span)):
            yield span


def missing(name: str, text: str) -> list[str]:
    """The targets that are neither beside the document, nor under the root, nor in the package."""
    bases = (ROOT / name).parent, ROOT, ROOT / "monitor"
    return [
        target
        for target in targets(text)
        if not target.startswith(MADE) and not any(list(base.glob(target.rstrip("/"))) for base in bases)
    ]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_document_points_at_exists(name: str) -> None:
    """Every link and every path between backticks leads to a file or folder of the repository."""
    assert [] == missing(name, read(name))


def test_a_dead_link_is_seen() -> None:
    """A link or path that leads nowhere is named; addresses, commands and media types are none of our business."""
    text = "[a](LICENSE) [b](no.md#x) [c](https://x.example) `gone/` `core/gone.py` `make test` `.gz`"

    assert ["no.md", "gone/", "core/gone.py"] == missing("README.md", text)


def test_the_folder_map_is_the_folders() -> None:
    """The table "Where things are" has one row for each folder of the package, and no other."""
    folders = {f"`{path.parent.name}/`" for path in (ROOT / "monitor").glob("*/__init__.py")}
    table = [row[0] for row in rows(section(read("monitor/README.md"), "Where things are"))]

    assert sorted(folders) == sorted(table)


def test_the_layers_name_every_module_of_the_package() -> None:
    """The line of layers holds each folder and file of the package once."""
    text = section(read("monitor/README.md"), "Where things are").partition("never the reverse:")[2].partition(".")[0]
    modules = [
        path for path in (ROOT / "monitor").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    ]
    names = [path.stem for path in modules if not path.name.startswith("_")]

    assert sorted(names) == sorted(spans(text))


def test_the_walk_names_functions_that_exist() -> None:
    """Each function that the walk of one event names is defined in a file that the walk names."""
    walk = spans(section(read("monitor/README.md"), "The walk of one event"))
    code = "".join(read(f"monitor/{name}") for name in walk if name.endswith(".py"))
    functions = [name for name in walk if name.endswith("()")]

    assert functions
    assert [] == [name for name in functions if f"def {name.removesuffix('()')}(" not in code]


def test_the_words_are_words_of_the_code() -> None:
    """Each word of the glossary is explained once, and the core uses it as a name or in one."""
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "monitor" / "core").glob("*.py"))
    words = [word for row in rows(section(read("monitor/README.md"), "Words")) for word in row[0].split(", ")]
    names = {part.lower() for name in re.findall(r"\w+", code) for part in re.findall(r"[A-Za-z][a-z]*", name)}

    assert words
    assert sorted(set(words)) == sorted(words)
    assert [] == [word for word in words if word not in names]


def test_the_words_bounds_and_shape_list_their_fields() -> None:
    """What the glossary says that bounds and a shape hold is what they hold, in that order."""
    said = {row[0]: re.sub(r"\([^)]*\)", "", row[1]) for row in rows(section(read("monitor/README.md"), "Words"))}

    assert list(Bounds._fields) == [word for word in re.findall(r"\w+", said["bounds"]) if word != "and"]
    assert list(Shape._fields) == re.findall(r"\w+", said["shape"].partition(", as events")[0].replace(" and ", " "))


def test_decisions_are_numbered_without_gaps() -> None:
    """Decisions are appended: 1, 2, 3 and so on, each with a title."""
    numbers = re.findall(r"(?m)^## (.*?)\. \S", read("monitor/DECISIONS.md"))

    assert numbers
    assert len(re.findall(r"(?m)^## ", read("monitor/DECISIONS.md"))) == len(numbers)
    assert [str(number) for number in range(1, len(numbers) + 1)] == numbers


# -- commands --------------------------------------------------------------------------------------------------------


def command_lines(text: str) -> list[list[str]]:
    """Every use of flopwatch in code blocks and spans, in words, without what the shell does with its output."""
    lines = [line.removeprefix("$ ") for block in blocks(text) for line in block.splitlines()] + spans(text)
    found = [shlex.split(line.partition(">")[0], comments=True) for line in lines if line.startswith("flopwatch ")]
    return [words[1:] for words in found]


def problem_of(words: list[str]) -> str:
    """Why the command line does not take these words, or nothing. Nothing is run."""
    command: click.Command = flopwatch
    rest = list(words)
    while isinstance(command, click.Group) and rest and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    if isinstance(command, CaseOrCommand) and rest:
        command = command.commands[PACK]
    asked = [*words[: len(words) - len(rest)], "--help"]
    answer = CliRunner().invoke(flopwatch, asked)
    if answer.exit_code:
        return f"{' '.join(asked)}: {answer.output}"
    if isinstance(command, click.Group) and not rest:
        return "" if command is not flopwatch else "no command"
    if isinstance(command, click.Group) and not rest[0].startswith("-"):
        return f"{' '.join(words)}: no such command"
    try:
        command.make_context(words[0], rest)  # empties the list
    except click.ClickException as wrong:
        return f"{' '.join(words)}: {wrong.format_message()}"
    return ""


def commands_of_the_table(text: str) -> list[str]:
    """The top-level commands in the first column of the README's table of commands."""
    cells = [span for row in rows(section(text, "What it looks like")) for span in spans(row[0])]
    words = [cell.removeprefix("flopwatch ").split()[0] for cell in cells]
    return [word for word in words if word == word.lower()]  # TENANT, FLAG and EVENT are what explain takes


def test_the_table_of_commands_is_the_commands() -> None:
    """README has each top-level command in its table once, and no command that does not exist."""
    assert sorted(flopwatch.commands) == sorted(commands_of_the_table(read("README.md")))


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_commands_in_documents_are_commands(name: str) -> None:
    """Every command line that a document shows names an existing command, and arguments and options that it takes."""
    assert [] == [problem for words in command_lines(read(name)) if (problem := problem_of(words))]


@pytest.mark.parametrize(
    "line",
    [
        "flopwatch",
        "flopwatch inspect",
        "flopwatch replay",
        "flopwatch replay PATH --stat books.db",
        "flopwatch explain",
        "flopwatch flags shut F-1 --reason TEXT",
        "flopwatch positions accept FILE",
    ],
)
def test_a_wrong_command_line_is_seen(line: str) -> None:
    """A command, an argument or an option that is not there, or one that is missing, is named."""
    assert "" != problem_of(line.split()[1:])


def test_commands_are_found_in_blocks_and_spans() -> None:
    """Prompts, redirections and comments are left out; other programs are no business of ours."""
    text = "```\n$ flopwatch simulate quiet > a.jsonl\n$ ls\nmake demo\n```\nand `flopwatch flags  # all`, `flopwatch`."

    assert [["simulate", "quiet"], ["flags"]] == command_lines(text)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_make_targets_in_documents_exist(name: str) -> None:
    """Every `make TARGET` that a document shows is a target of the Makefile."""
    text = read(name)
    shown = [*spans(text), *(line for block in blocks(text) for line in block.splitlines())]
    asked = {found[1] for line in shown if (found := re.match(r"make ([a-z][a-z-]*)", line))}
    makefile = set(re.findall(r"(?m)^([a-z-]+):", read("Makefile")))

    assert set() == asked - makefile


def test_the_session_in_the_readme_works(tmp_path: Path) -> None:
    """A reader who types what README shows gets the books, flags and the story of the tenant that it names."""
    (session,) = (block for block in blocks(read("README.md")) if block.startswith("$ "))
    program = tmp_path / "flopwatch"
    program.write_text(f"#!{sys.executable}\nfrom monitor.cli import main\n\nmain()\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PATH", "")])
    script = "set -e\n" + re.sub(r"(?m)^\$ ", "", session)

    told = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    assert (0, "") == (told.returncode, told.stderr)
    assert "ladder.1e23.of_concern" in told.stdout
    assert "Tenant orchid-compute as of " in told.stdout


# -- events ----------------------------------------------------------------------------------------------------------


def example() -> bytes:
    """The event that README shows, on one line as producers send it."""
    (block,) = blocks(read("README.md"), "json")
    return json.dumps(json.loads(block)).encode()


def test_the_example_event_is_an_event() -> None:
    """What README shows as an event is accepted as a start, and all of its fields are known."""
    decoded = decode([Record("file", 0, 0, 1, example(), None)], Rules())

    assert ([], {}, {}) == (decoded.rejected, decoded.ignored, decoded.unknown_fields)
    (fact,) = decoded.observations
    expected = Claim("H100 SXM5 80GB", "accelerator", 8_000, "eu-1", "eu-1/a")
    assert (Kind.STARTED, "t-0007", "node-3/12", expected) == (fact.kind, fact.tenant, fact.subject, fact.body)


def test_the_example_event_replays(tmp_path: Path) -> None:
    """The event that README shows makes books: an hour later its tenant holds eight accelerators of that name."""
    file = tmp_path / "events.jsonl"
    file.write_bytes(example() + b"\n")

    told = CliRunner().invoke(flopwatch, ["replay", str(file), "--as-of", "2026-01-05T09:00:00Z", "--json"])

    assert 0 == told.exit_code
    answer = json.loads(told.stdout)
    assert (1, 1) == (answer["events"]["read"], answer["events"]["accepted"])
    (tenant,) = answer["tenants"]
    assert ("t-0007", 1) == (tenant["tenant"], tenant["open_allocations"])
    assert {"H100 SXM5 80GB": 8 * 3_600_000_000} == tenant["accelerator_us_open"]


def test_the_event_types_that_the_readme_names_exist() -> None:
    """The paragraph under the example names the ends of event types that are accepted."""
    paragraph = section(read("README.md"), "What it reads").rpartition("```")[2]
    names = spans(paragraph)

    assert names
    assert [] == [name for name in names if not any(one.endswith(f".{name}.v1") for one in EVENT_TYPES)]


# -- what is kept of people ------------------------------------------------------------------------------------------


def test_the_personal_fields_are_those_of_the_code() -> None:
    """Each field of profiles that is personal is told with its purpose, and no other is."""
    table = rows(section(read("deploy/data-protection.md"), "Personal values of customers"))

    assert [[f"`{one.profile}.profiled`", f"`{one.name}`", one.holds, one.purpose] for one in FIELDS] == table


def test_the_periods_are_those_of_the_code() -> None:
    """Each kind that has a period is told with what it holds, from when on, and what stays."""
    table = rows(section(read("deploy/data-protection.md"), "For how long"))

    assert [[f"`{kind}`", *holding] for kind, holding in HOLDINGS.items()] == table


# -- settings and metrics --------------------------------------------------------------------------------------------


def explained(text: str) -> dict[str, bool]:
    """The settings of a settings file, dotted, and whether a comment stands above each, or above its section."""
    found: dict[str, bool] = {}
    above = False
    path: list[str] = []  # the sections around a line, from the outermost
    for line in text.splitlines():
        key = re.match(r"( *)(\w+):", line)
        if key:
            path = [*path[: len(key[1]) // 2], key[2]]
            found[".".join(path)] = above or found.get(".".join(path[:-1]), False)
        above = line.strip().startswith("#") if line.strip() else False
    return found


def test_every_setting_is_explained() -> None:
    """config/monitor.yaml has exactly the settings that there are, each with a sentence above it or its section."""
    found = explained(read("config/monitor.yaml"))

    assert sorted(setting_names()) == sorted(found)
    assert [] == [name for name, is_explained in found.items() if not is_explained]


def test_a_setting_without_a_word_is_seen() -> None:
    """A comment above another setting explains that one only; the one above a section holds for all of it."""
    text = "# Said.\na: 1\nb: 2\n\n# Said.\n\nc: 3\n# Said.\nd:\n  e: 4\nf:\n  g: 5\n  # Said.\n  h:\n    i: 6\n"

    assert {
        "a": True, "b": False, "c": False, "d": True, "d.e": True, "f": False, "f.g": False, "f.h": True,
        "f.h.i": True,
    } == explained(text)  # fmt: skip


@pytest.mark.parametrize("name", [*DOCUMENTS, "config/monitor.yaml"])
def test_variables_in_documents_exist(name: str) -> None:
    """Every environment variable that a document writes out is one that is read."""
    known = {PREFIX + setting.upper().replace(".", "__") for setting in setting_names()} | VARIABLES_ELSEWHERE

    assert set() == set(re.findall(r"FLOPWATCH_[A-Z][A-Z_]*[A-Z]", read(name))) - known


def test_the_table_of_metrics_is_what_its_generator_makes() -> None:
    """Generating it again changes nothing."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "deploy" / "prometheus" / "generate.py")
    assert spec
    assert spec.loader
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)

    assert generator.text() == read("deploy/prometheus/README.md")


def test_the_scrape_example_fits_the_daemon() -> None:
    """The example asks where the daemon answers by default, and its limit leaves room for seven times the series."""
    (scrape,) = yaml.safe_load(read("deploy/prometheus/prometheus.yml"))["scrape_configs"]
    http = yaml.safe_load(read("config/monitor.yaml"))["http"]
    reference, registry = references.load_reference(config_root()), CollectorRegistry()
    metrics = Metrics(registry)
    metrics.describe("sha256:0", reference)
    told = [rule.id for policy in reference.policies for rule in policy.rules if not rule.shadow]
    metrics.expose(BooksState, told)
    series = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]

    assert [{"targets": [f"{http['host']}:{http['port']}"]}] == scrape["static_configs"]
    assert 7 * len(series) <= scrape["sample_limit"]
