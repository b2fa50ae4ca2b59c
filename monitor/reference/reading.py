"""Reading the files of the configuration folder: CSV rows and YAML documents, checked, with problems as sentences."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import reprlib
from collections.abc import Hashable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from monitor.core.model import DAY_MS
from monitor.errors import ReferenceProblem

# With libyaml ten times faster, where PyYAML came with it: all of this is read at each start.
if TYPE_CHECKING or not yaml.__with_libyaml__:
    from yaml import SafeLoader as Loader
else:
    from yaml import CSafeLoader as Loader

EPOCH = date(1970, 1, 1).toordinal()
VALUE_CHARACTERS_MAX = 60
DEEP = "{where} nests lists or mappings too deeply; flatten it."
# Lists in lists are cut short while they are written out: an alias in YAML makes a billion entries of a few lines.
_REPR = reprlib.Repr()
_REPR.maxlevel = 1
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = VALUE_CHARACTERS_MAX
_REPR.maxstring = _REPR.maxlong = _REPR.maxother = 100_000_000
# What YAML's own constructors raise for a day or a number that does not exist; the parser, for lists in lists in lists.
_NO_VALUE = (ValueError, TypeError, ArithmeticError, AttributeError, LookupError)

Content = TypeVar("Content", bound=BaseModel)


def milliseconds(day: date) -> int:
    """The start of a day, UTC, in milliseconds since 1970."""
    return (day.toordinal() - EPOCH) * DAY_MS


def digest_of(content: object) -> str:
    """SHA-256 of canonical JSON: sorted keys, no blanks."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def label(path: Path) -> str:
    """A file as people find it: its folder and name."""
    return f"{path.parent.name}/{path.name}"


def read_text(path: Path) -> str:
    """The text of a file of the configuration folder. ReferenceProblem: it is not there or no UTF-8 text."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ReferenceProblem(f"{label(path)} is no UTF-8 text; save it as UTF-8.") from None
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise ReferenceProblem(
            f"{path} cannot be read ({reason}); put the file there or name another folder."
        ) from None


def read_document(path: Path, content: type[Content]) -> Content:
    """A YAML document. ReferenceProblem: with the first thing in it that is not as it must be."""
    return parse_document(read_text(path), label(path), content)


def parse_document(text: str, where: str, content: type[Content]) -> Content:
    """A YAML document that `where` names for people. ReferenceProblem: with the first thing that is wrong in it."""
    try:
        document = yaml.load(text, Loader=_UniqueKeys)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        what = getattr(error, "problem", None) or "it cannot be parsed"
        if "nesting depth" in what:
            raise ReferenceProblem(DEEP.format(where=where)) from None
        raise ReferenceProblem(f"{where}{line} is no valid YAML: {what}; correct it there.") from None
    except RecursionError:
        raise ReferenceProblem(DEEP.format(where=where)) from None
    try:
        return content.model_validate(document)
    except ValidationError as error:
        raise ReferenceProblem(f"{where}: {next(_sentences(error))}") from None


def read_table(path: Path, row: type[Content]) -> tuple[dict[int, Content], list[str]]:
    """The rows of a CSV file by line number, and a sentence for each row that is not as it must be.

    A blank field counts as left out. ReferenceProblem: the file or its header is not as it must be.
    """
    lines = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    rows: dict[int, Content] = {}
    problems: list[str] = []
    try:
        header = next(lines, [])
        _check_header(path, header, row)
        for fields in lines:
            if not fields:
                continue
            where = f"{label(path)}, line {lines.line_num}"
            if len(fields) != len(header):
                problems.append(
                    f"{where} has {len(fields)} fields where {len(header)} are due; quote commas in fields."
                )
                continue
            named = {name: value.strip() for name, value in zip(header, fields, strict=True) if value.strip()}
            try:
                rows[lines.line_num] = row.model_validate(named)
            except ValidationError as error:
                problems.extend(f"{where}, {sentence}" for sentence in _sentences(error))
    except csv.Error as error:
        raise ReferenceProblem(f"{label(path)}, line {lines.line_num} is no valid CSV ({error}); correct it.") from None
    return rows, problems


def _check_header(path: Path, header: list[str], row: type[BaseModel]) -> None:
    expected = [field.alias or name for name, field in row.model_fields.items()]
    if header != expected:
        raise ReferenceProblem(
            f"{label(path)} must begin with the header {','.join(expected)}; correct its first line."
        )


def _sentences(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        where = ".".join(str(part) for part in problem["loc"]) or "the document"
        message = problem["msg"].removeprefix("Value error, ").rstrip(".")
        message = message[:1].lower() + message[1:]
        found = "" if problem["type"] == "missing" else f", not {_shown(problem['input'])}"
        yield f"{where}: {message}{found}; correct it there."


def _shown(value: object) -> str:
    """A value for a sentence, whatever its size."""
    try:
        text = _REPR.repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= VALUE_CHARACTERS_MAX else text[: VALUE_CHARACTERS_MAX - 1] + "…"


class _UniqueKeys(Loader):
    """YAML in which a key that stands twice is an error: the first value would silently be lost.

    Whatever is wrong with a value is an error with its place.
    """

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node."""
        try:
            return super().construct_object(node, deep)
        except _NO_VALUE:
            text = _shown(node.value) if isinstance(node, yaml.ScalarNode) else "this list or mapping"
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"{text} cannot be read as the value that it looks like (text needs quotes)",
                node.start_mark,
            ) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping, once its keys are known to differ."""
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a list or mapping stands where a key is due", key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)
