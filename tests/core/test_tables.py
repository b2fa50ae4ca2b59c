"""Tables as CSV: what comes back is what went in, and no cell is a formula."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.tables import COLUMNS, Table, as_csv, begins_formula, cell, csv_text, harmless

FORMULAS = [
    "=1+1",
    "+49 30 1234",
    "-2+3",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\nx",
    "  =HYPERLINK()",
    "\u00a0=1",
    "\u200b=1",
    "\x00=1",
    "\u202e@x",
    "\uff1d1+1",
    "\uff0bx",
    "\uff0dx",
    "\uff20x",
    "\ufe63x",
]
PLAIN = ["", "acme", "a=b", "1-2", "  acme", "\u4e2d", "(1)", "\U0001f600", "\u200b", "\ud800"]
TEXTS = st.text(st.one_of(st.sampled_from("=+-@'\"\t\r\n, \u200b\uff1d\uff20a1"), st.characters()), max_size=20)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_seen(text: str) -> None:
    """Whatever stands before its sign, and in whatever width: it gets an apostrophe."""
    assert begins_formula(text)
    assert f"'{text}" == harmless(text)


@pytest.mark.parametrize("text", PLAIN)
def test_other_texts_are_as_they_were(text: str) -> None:
    """A sign inside a text is none."""
    assert not begins_formula(text)
    assert text == harmless(text)


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=4), min_size=1, max_size=5))
def test_cells_come_back(rows: list[list[str]]) -> None:
    """Python reads the cells that were written; without its apostrophe each is the text that it was."""
    cells = [[harmless(text) for text in row] for row in rows]

    read = list(csv.reader(io.StringIO(csv_text(cells), newline=""), strict=True))

    assert cells == read
    assert rows == [[text[text.startswith("'") :] for text in row] for row in read]
    assert not any(begins_formula(text) for row in read for text in row)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (10**26, "1" + "0" * 26),
        (-3, "-3"),
        (-0.25, "-0.25"),
        ("-3", "'-3"),
        ("'a", "''a"),
        (["a", "b"], '["a", "b"]'),
        ({"H100": 1}, '{"H100": 1}'),
    ],
)
def test_a_value_has_a_cell(value: object, expected: str) -> None:
    """Numbers of ours are as they are, whatever their size and sign; texts are harmless; the rest is JSON."""
    assert expected == cell(value)


def test_a_table_has_a_column_for_each_part() -> None:
    """A part of a part is found by its path; what a document has not is empty."""
    document = {"tenant": "=acme", "flop": {"low": 1, "central": 2, "high": 3, "ceiling": 4}, "flags": [{"rule": "a"}]}

    (row,) = csv.DictReader(io.StringIO(as_csv(Table.TENANTS, [document])))

    assert ("'=acme", "2", "") == (row["tenant"], row["flop_central"], row["open_allocations"])
    assert [{"rule": "a"}] == json.loads(row["flags"])
    assert "" == next(csv.DictReader(io.StringIO(as_csv(Table.TENANTS, [{"flop": 1}]))))["flop_low"]


def test_every_table_has_columns() -> None:
    """Each once."""
    assert set(Table) == set(COLUMNS)
    assert all(len(columns) == len(set(columns)) for columns in COLUMNS.values())
