"""Results show themselves: everywhere alike, whatever names and numbers they hold."""

import io
import json

import numpy as np
import pytest
from rich.console import Console
from rich.text import Text

import jinit
from jinit.display.columns import Column, column_table, fitting
from jinit.shown import Result, Shown


class Rows(Result):
    """A result of some rows."""

    _text_width = 60

    def __init__(self, *rows):
        self.rows = rows

    def to_config(self):
        return {"rows": self.rows}

    def _tables(self, width):
        columns = (
            Column("name", str),
            Column("letters", lambda row: f"{len(row)}", needed=50),
            Column("empty", lambda row: ""),
        )
        return [column_table(fitting(columns, self.rows, width), self.rows)]


def on_terminal(result, width):
    console = Console(file=io.StringIO(), width=width, color_system=None, force_jupyter=False)
    console.print(result)
    return console.file.getvalue()


def test_text_terminal_and_notebook_tell_the_same():
    rows = Rows("one", "three")
    for told in (str(rows), on_terminal(rows, 60), rows._repr_html_()):
        assert all(word in told for word in ("name", "one", "three", "letters", "5"))
        assert "empty" not in told


def test_a_narrow_terminal_leaves_columns_out():
    assert "letters" not in on_terminal(Rows("one"), 49)
    assert "letters" in on_terminal(Rows("one"), 50)


def test_brackets_in_names_are_no_markup():
    name = "[bold]layer[/bold][0]"
    assert name in str(Rows(name))
    assert name in on_terminal(Rows(name), 60)
    assert "<script>" not in Rows("<script>")._repr_html_()


def test_long_tables_are_cut_in_the_middle():
    told = str(Rows(*(f"row{number:04}" for number in range(1000))))
    assert "row0199" in told
    assert "row0200" not in told
    assert "... 600 more" in told
    assert "row0799" not in told
    assert "row0800" in told


def test_style_follows_the_row():
    table = column_table((Column("name", Text),), ["a", "b"], lambda row: "dim" * (row == "b"))
    assert [row.style for row in table.rows] == ["", "dim"]


def test_json_is_of_the_standard():
    values = (1.5, float("nan"), float("-inf"), np.float32(2.0), np.arange(3), {"deep": (None,)})
    told = Rows(*values).to_json()
    assert json.loads(told, parse_constant=pytest.fail) == {
        "rows": [1.5, "nan", "-inf", 2.0, [0, 1, 2], {"deep": [None]}]
    }
    assert json.loads(Rows("one").to_json(indent=2)) == {"rows": ["one"]}


def test_what_a_plan_says_is_its_config():
    plan = jinit.plan({"kernel": np.zeros((3, 4))}, {"**": jinit.he_normal()})
    assert isinstance(plan, Shown)
    assert json.loads(plan.to_json()) == plan.to_config()
