"""The table of one name in each framework: its figures, recomputed, and how it reads."""

import math

import pytest

import jinit
from jinit.frameworks import Comparison, compare
from jinit.frameworks.names import vocabulary

NAMES = sorted(vocabulary())


@pytest.mark.parametrize("name", NAMES)
def test_every_name(name):
    table = compare(name)
    assert isinstance(table, Comparison)
    assert len(table.rows) >= 4
    assert len({row.framework for row in table.rows}) == len(table.rows)
    text = str(table)
    for row in table.rows:
        assert row.std == pytest.approx(row.init.std(table.shape))
        assert eval(row.call, {"jinit": jinit}) == row.init
        assert row.framework in text
        assert f"`{row.call}`" in table.to_markdown()
    assert table._repr_html_().count("<table") == 1


def test_figures():
    table = compare("xavier_normal", shape=(300, 500))
    stds = {row.framework: row.std for row in table.rows}
    glorot = math.sqrt(2 / 800)
    cut = 0.8796256610342398
    expected = dict.fromkeys(("jax", "torch", "keras", "tensorflow", "lux"), glorot)
    expected |= {"mxnet": math.sqrt(3) * glorot, "tf.contrib": math.sqrt(1.3) * cut * glorot}
    assert stds == pytest.approx(expected, rel=1e-6)
    assert table["mxnet"].ratio == pytest.approx(math.sqrt(3), rel=1e-6)
    kinds = {row.framework: row.kind for row in table.rows}
    assert {name for name, kind in kinds.items() if kind == "normal"} == {"torch", "mxnet", "lux"}


def test_ranges():
    assert compare("uniform")["jax"].range == "0 to 0.01"
    assert compare("uniform")["keras"].range == "-0.05 to 0.05"
    assert compare("normal")["torch"].range == "unbounded"
    assert compare("orthogonal")["torch"].range == ""
    cut = compare("truncated_normal")
    assert (cut["jax"].low, cut["torch"].low) == pytest.approx((-0.04, -2.0))
    assert cut["torch"].ratio == pytest.approx(1 / 0.8796256610342398)


def test_layers_start():
    linear = compare("linear", shape=(400, 100))
    stds = {row.framework: row.std for row in linear.rows}
    assert stds["jax"] == pytest.approx(0.05)
    assert stds["torch"] == pytest.approx(0.05 / math.sqrt(3))
    assert stds["haiku"] == pytest.approx(0.05 * 0.8796256610342398)
    assert stds["keras"] == pytest.approx(math.sqrt(2 / 500))
    assert stds["caffe"] == 0.0
    transposed = compare("conv_transpose", shape=(4, 4, 30, 50))
    assert transposed["torch"].std == pytest.approx(1 / math.sqrt(3 * 16 * 50))
    assert transposed["equinox"].std == pytest.approx(1 / math.sqrt(3 * 16 * 30))


def test_other_names_and_errors():
    assert compare("kaiming_normal").rows == compare("he_normal").rows
    assert compare("kaiming_normal").name == "kaiming_normal"
    with pytest.raises(
        ValueError, match=r"`name` \(='xavier_norml'\) must be one of .*; did you mean"
    ):
        compare("xavier_norml")
    with pytest.raises(KeyError, match="'sparse' is no name of 'keras'"):
        compare("sparse")["keras"]
