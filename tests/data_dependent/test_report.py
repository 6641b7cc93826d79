"""The report: rows, what was left, JSON, tables."""

import io
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from data_dependent.models import data
from rich.console import Console

import jinit

X = data(32, 8)
PARAMS = {
    "stack": data(3, 8, 8, seed=1) * 3,
    "bias": np.zeros(4, np.float32),
    "head": data(8, 4, seed=2),
    "spare": data(2, seed=3),
    "table": data(8, 8, seed=4),
}


def apply(p, x):
    x, _ = jax.lax.scan(lambda x, w: (jnp.tanh(x @ w), None), x, p["stack"])
    x = x + p["table"][jnp.argmax(x, axis=1)]
    return (x @ p["head"] + p["bias"][None]) @ p["head"].T @ p["table"]


@pytest.fixture(scope="module")
def result():
    return jinit.lsuv(apply, PARAMS, X, verify=True)


def test_rows(result):
    new, report = result
    stack, head = report["stack"], report["head"]
    assert [row.path for row in report.rows] == ["stack", "head"]
    assert stack.scale.shape == stack.before.shape == stack.after.shape == (3,)
    np.testing.assert_allclose(
        new["stack"], PARAMS["stack"] * stack.scale[:, None, None], rtol=1e-6
    )
    np.testing.assert_allclose(stack.before[0], (X @ PARAMS["stack"][0]).std(), rtol=1e-5)
    np.testing.assert_allclose(stack.before * stack.scale, 1, rtol=1e-5)
    np.testing.assert_allclose(stack.after, 1, rtol=1e-5)
    assert head.reused
    assert head.scale.shape == ()
    assert report.left == {
        "bias": "bias",
        "spare": "unused",
        "table": 'first used, as it is, by gather; reuse="all" rescales it',
    }
    assert report.deviation < 1e-5
    with pytest.raises(KeyError, match=r"'spare' was not rescaled \(unused\); rows are of 'stack'"):
        report["spare"]


def test_json(result):
    told = json.loads(result[1].to_json())
    assert told["rows"][0]["path"] == "stack"
    assert len(told["rows"][0]["scale"]) == 3
    assert told["target"] == 1.0
    assert told["left"]["spare"] == "unused"
    assert (told["passes"], told["settled"]) == (1, True)
    assert told["deviation"] == result[1].deviation


def test_text(result):
    lines = str(result[1]).splitlines()
    assert lines[0].split() == [
        *("parameter", "operation", "numbers", "std", "before", "scale", "std", "after", "notes")
    ]
    assert lines[2].split()[:3] == ["stack", "dot_general", "3"]
    assert lines[3].split()[-1] == "reused"
    assert lines[4].startswith("table")
    assert lines[4].endswith('left: first used, as it is, by gather; reuse="all" rescales it')
    text = " ".join(lines[5:])
    assert text.startswith("std 1 per layer, in 1 forward pass. Off by ")
    assert text.endswith("Left as they are: 1 bias, 1 unused.")


def test_narrow_terminals_and_notebooks(result):
    console = Console(file=io.StringIO(), width=60)
    console.print(result[1])
    text = console.file.getvalue()
    assert "operation" not in text
    assert all(len(line) <= 60 for line in text.splitlines())
    html = result[1]._repr_html_()
    assert html.count("<tr>") == 4  # a head, two rows, and the table that was left
    assert "stack" in html


def test_long_tables_are_cut():
    params = {f"w{n:03}": data(1, 2, seed=n) for n in range(3)}

    def wide(p, x):
        return [x[:, :1] @ w for w in p.values()]

    _, report = jinit.lsuv(wide, params, X)
    many = jinit.LsuvReport(rows=report.rows * 200, left={})
    text = str(many)
    assert "... 200 more" in text
    assert text.count("w000") < 200
