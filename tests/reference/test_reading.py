"""Reading documents: whatever stands in a file, it is read or refused with a sentence."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, RootModel

from monitor.errors import ReferenceProblem
from monitor.reference.policies import load_policies
from monitor.reference.reading import read_document


class Anything(RootModel[dict[str, Any]]):
    """Any mapping."""


class Numbered(BaseModel):
    """A document with one number."""

    number: int


def refusal(path: Path, text: str, content: type[BaseModel] = Anything) -> str:
    """The sentence with which a document of this text is refused, without the name of its folder."""
    path.write_text(text, "utf-8")
    with pytest.raises(ReferenceProblem) as caught:
        read_document(path, content)
    return str(caught.value).removeprefix(f"{path.parent.name}/")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        pytest.param("a: 1\nb: 2010-02-30\n", "line 2 is no valid YAML: '2010-02-30' cannot be read", id="no such day"),
        pytest.param(
            "2010-02-30: 1\n", "line 1 is no valid YAML: '2010-02-30' cannot be read", id="no such day as key"
        ),
        pytest.param("a: 2010-01-01 00:00:00+99:99", "line 1 is no valid YAML: '2010-01-01 00:00", id="no such zone"),
        pytest.param(f"a:\n  - {'9' * 5_000}", f"line 2 is no valid YAML: '{'9' * 58}… cannot", id="5,000 digits"),
        pytest.param(f"a: 1{':59' * 300}.5", "line 1 is no valid YAML: '1:59:59:", id="a number past all floats"),
        pytest.param("a: !!int ''", "line 1 is no valid YAML: '' cannot be read", id="no digit"),
        pytest.param("a: !!bool maybe", "line 1 is no valid YAML: 'maybe' cannot be read", id="no such truth"),
        pytest.param("a: !!timestamp soon", "line 1 is no valid YAML: 'soon' cannot be read", id="no such time"),
        pytest.param(
            "a: 1\n? [b]\n: 2", "line 2 is no valid YAML: a list or mapping stands where a key is", id="list key"
        ),
        pytest.param(
            "? {b: 1}\n: 2", "line 1 is no valid YAML: a list or mapping stands where a key is", id="mapping key"
        ),
        pytest.param(
            "a: {[b]: 1}", "line 1 is no valid YAML: a list or mapping stands where a key is", id="inner list key"
        ),
        pytest.param(
            "? &b [*b]\n: 2", "line 1 is no valid YAML: a list or mapping stands where", id="key inside itself"
        ),
        pytest.param("a: !!map [b]", "line 1 is no valid YAML: expected a mapping node", id="list called a mapping"),
        pytest.param("a: 1\nb: 2\na: 3", "line 3 is no valid YAML: the key 'a' stands twice", id="key twice"),
        pytest.param("a: !!python/object:os.system {}", "line 1 is no valid YAML: could not determine", id="an object"),
        pytest.param("a: \x00", "is no valid YAML: it cannot be parsed", id="a control character"),
    ],
)
def test_what_yaml_cannot_read_is_said_with_its_line(tmp_path: Path, text: str, what: str) -> None:
    """A value, a key or a tag that means nothing is refused in a sentence that says where and what to do."""
    sentence = refusal(tmp_path / "x.yaml", text)

    assert f"x.yaml, {what}" in sentence or f"x.yaml {what}" in sentence
    assert sentence.endswith("; correct it there.")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: " + "[" * 3_000 + "]" * 3_000, id="lists"),
        pytest.param("a: " + "{a: " * 3_000 + "1" + "}" * 3_000, id="mappings"),
        pytest.param("\n".join(" " * depth + "a:" for depth in range(3_000)), id="indented mappings"),
        pytest.param("- " * 3_000 + "1", id="indented lists"),
        pytest.param("a: " + "[" * 3_000, id="never closed"),
    ],
)
def test_a_document_that_nests_too_deeply_is_refused(tmp_path: Path, text: str) -> None:
    """Three thousand levels are refused in a sentence."""
    assert "x.yaml nests lists or mappings too deeply; flatten it." == refusal(tmp_path / "x.yaml", text)


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        (f"number: -0x{'f' * 5_000}.", f"not '-0x{'f' * 55}…; correct it there."),
        (f"number: [0x{'f' * 5_000}]", "not a number of thousands of digits; correct it there."),
        ("number: &a [*a]", "not [[...]]; correct it there."),
        ("number:", "not None; correct it there."),
        ("{}", "number: field required; correct it there."),
    ],
)
def test_a_value_that_does_not_do_is_shown_whatever_its_size(tmp_path: Path, text: str, ending: str) -> None:
    """The sentence about a value ends with the value, or with what kind of value it is where that is too long."""
    assert refusal(tmp_path / "x.yaml", text, Numbered).endswith(ending)


def test_what_yaml_can_read_is_read(tmp_path: Path) -> None:
    """Days, text, lists and merged mappings come through as they are."""
    path = tmp_path / "x.yaml"
    path.write_text(
        "day: 2010-02-28\nquoted: '2010-02-30'\nbase: &base {one: 1}\nmore: {<<: *base, two: [2, 3]}\n", "utf-8"
    )
    expected = {
        "day": date(2010, 2, 28),
        "quoted": "2010-02-30",
        "base": {"one": 1},
        "more": {"one": 1, "two": [2, 3]},
    }

    assert expected == read_document(path, Anything).root


@given(st.text(st.sampled_from("a1-:?[]{}&*!|>'\"%@# \n<=.~,0x29_tT"), max_size=40))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Nothing but a document or a sentence comes of any text."""
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, "utf-8")
    try:
        outcome: object = read_document(path, Anything).root
    except ReferenceProblem as problem:
        outcome = str(problem)

    assert isinstance(outcome, dict) or str(outcome).endswith(".")


def test_a_policy_with_a_day_that_does_not_exist_is_refused_with_its_line(tmp_path: Path) -> None:
    """Where policies are loaded, such a day in no quotes is said with file and line."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "p.yaml").write_text("schema: flopwatch.policy/1\neffective_from: 2010-02-30\n", "utf-8")

    with pytest.raises(ReferenceProblem, match=r"^policies/p\.yaml, line 2 is no valid YAML: '2010-02-30' cannot"):
        load_policies(tmp_path)
