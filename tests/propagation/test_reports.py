"""Reports and comparisons as values, as text, as HTML, as figures; and what is refused."""

import io
import json
import re

import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import matplotlib.style
import numpy as np
import pytest
from compilations import compilations
from flax import nnx
from rich.console import Console

import jinit

rng = np.random.default_rng(6)
X = rng.normal(0, 1, (8, 16)).astype(np.float32)
W = rng.normal(0, 0.35, (30, 16, 16)).astype(np.float32)


def apply(w, x):
    return jax.lax.scan(lambda x, w: (jnp.tanh(x @ w), None), x, w)[0]


@pytest.fixture(scope="module")
def report():
    return jinit.propagate(apply, W, X, jacobian=True)


@pytest.fixture(scope="module")
def comparison():
    starts = {"plain": W, "large": 3 * W, "nothing": 0 * W}
    return jinit.compare(W, starts, X, apply=apply, jacobian=True)


def printed(thing, width):
    console = Console(width=width, color_system=None, file=io.StringIO())
    console.print(thing)
    return console.file.getvalue()


# --- Values -------------------------------------------------------------------------------------


def test_a_report_is_a_value(report):
    again = jinit.propagate(apply, W, X, jacobian=True)
    assert again == report
    assert again != jinit.propagate(apply, 2 * W, X, jacobian=True)
    assert report.of_kind("linear")[3].name == "linear[3]"
    assert report.of_path("") == report.rows
    assert report.trunk() == report.of_kind("linear")
    assert repr(report).startswith("<Report: 62 rows; ")
    with pytest.raises(AttributeError):
        report.rows = ()


def test_json_has_everything(report):
    told = json.loads(report.to_json())
    assert list(told) == [
        *("rows", "leaves", "verdicts", "spectrum", "loss", "batch", "opaque", "ok")
    ]
    assert len(told["rows"]) == 62
    linear = told["rows"][1]
    assert linear["forward"]["rms"] == report.rows[1].forward.rms
    assert linear["forward"]["dead"] is None
    assert linear["step"] == [0]
    assert told["leaves"][4]["ratio"] == report.leaves[4].ratio
    assert sum(told["spectrum"]["weights"]) == pytest.approx(1)
    assert told["batch"] == 8


def test_json_has_text_for_what_is_no_number():
    told = json.loads(jinit.propagate(apply, np.nan * W, X).to_json())
    assert told["rows"][1]["forward"]["rms"] == "nan"
    assert told["ok"] is False


# --- As people see them -------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_tables_fit_the_terminal(report, width):
    lines = printed(report, width).splitlines()
    assert max(map(len, lines)) <= width
    head = next(line for line in lines if line.startswith("layer"))
    assert {"layer", "after", "operation", "rms", "alike", "gone", "gradient"} <= set(head.split())
    assert ("max" in head.split()) == (width >= 120)
    assert ("rank" in head.split()) == (width >= 110)
    caption = "\n".join(lines).rpartition("gone:")[0]
    for name, explained in [("means:", 90), ("rank:", 110), ("alike:", 0)]:
        assert (name in caption) == (width >= explained)


def test_deep_models_are_thinned(report):
    lines = printed(report, 120).splitlines()
    layers = [int(found[1]) for line in lines if (found := re.match(r" +(\d+)  linear", line))]
    assert layers[0] == 1
    assert layers[-1] == 30
    assert 25 <= len(layers) < 30
    assert any(line.strip() == "..." for line in lines)


def test_verdicts_stand_above_the_table(report):
    text = str(report)
    for verdict in report.verdicts:
        assert " ".join(verdict.text.split()) in " ".join(text.split())
    assert text.index(report.verdicts[0].text[:20]) < text.index("layer")


def test_html_is_well_formed_and_has_no_fixed_background(report, comparison):
    from xml.etree import ElementTree

    for shown in (report, comparison):
        html = shown._repr_html_()
        ElementTree.fromstring(html.replace("<br>", "<br/>"))
        assert "background" not in html
    assert html.count("<p><b>") == 3


def test_names_are_no_markup():
    shown = jinit.propagate(lambda p, x: x @ p["<b>[red]"], {"<b>[red]": W[0]}, X)
    assert "<b>[red]" in printed(shown, 100)
    assert "&lt;b&gt;[red]" in shown._repr_html_()


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_figures_draw_every_panel(report, comparison, style, tmp_path):
    with matplotlib.style.context(style):
        figure = report.plot()
        figure.savefig(tmp_path / "report.png")
        titles = [axes.get_title(loc="left") for axes in figure.axes]
        assert sorted(titles) == [
            "Directions that inputs take up",
            "Gradient",
            "Inputs and units",
            "Signal",
            "Singular values of the Jacobian",
            "Values, over their rms",
        ]
        assert all(axes.has_data() for axes in figure.axes)
        line = figure.axes[0].lines[0]
        np.testing.assert_allclose(line.get_ydata(), [r.forward.rms for r in report.trunk()])
        figure = comparison.plot()
        figure.savefig(tmp_path / "comparison.png")
        (legend,) = figure.legends
        names = [text.get_text() for text in legend.get_texts()]
        assert names == ["plain", "large", "nothing (0)"]


def test_a_report_without_batch_or_way_back_is_drawn_too(tmp_path):
    small = jinit.propagate(apply, W[:2], X, backward=False, batch_axis=None)
    small.plot().savefig(tmp_path / "small.png")
    assert "gradient" not in printed(small, 120).splitlines()[2]


def test_comparisons_print_a_row_a_start(comparison):
    lines = printed(comparison, 100).splitlines()
    starts = {line.split()[0]: line for line in lines[2:5]}
    assert list(starts) == ["plain", "large", "nothing"]
    assert "zero" in starts["nothing"]
    for name, shown in comparison.items():
        assert shown.verdicts[0].kind.split()[0] in starts[name]
    assert repr(comparison).startswith("<Comparison: plain: ")
    assert json.loads(comparison.to_json()).keys() == {"plain", "large", "nothing"}
    with pytest.raises(KeyError, match=r"no start is called 'small'; there are plain, large"):
        comparison["small"]


# --- Comparing ----------------------------------------------------------------------------------


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, double=False):
        x = nn.relu(nn.Dense(16, use_bias=False)(x))
        return (2 if double else 1) * nn.Dense(16, use_bias=False)(x)


STARTS = {"he": jinit.he_normal(), "small": {"**": jinit.normal(0.01)}, "lecun": jinit.lecun_normal}


def stds(comparison):
    return {
        name: [leaf.weight_rms for leaf in report.leaves] for name, report in comparison.items()
    }


def test_rules_are_drawn_as_initialize_draws_them():
    key = jax.random.key(3)
    found = jinit.compare(Net(), STARTS, X, key=key, backward=False)
    drawn = jinit.initialize(jinit.with_inputs(Net(), X), jinit.he_normal(), key)["params"]
    expected = [float(np.sqrt(np.mean(np.square(d["kernel"])))) for d in drawn.values()]
    assert stds(found)["he"] == pytest.approx(expected, rel=1e-5)
    assert stds(found)["small"] == pytest.approx([0.01, 0.01], rel=0.2)


def test_all_starts_share_one_program():
    jinit.compare(Net(), STARTS, X)
    key = jax.random.key(1)
    with compilations() as compiled:
        jinit.compare(Net(), STARTS, X, key=key)
    assert compiled == []


def test_other_kinds_of_models():
    model = nnx.Linear(16, 16, use_bias=False, rngs=nnx.Rngs(0))
    found = jinit.compare(model, {"as it is": model, "he": jinit.he_normal()}, X, backward=False)
    assert [len(report.of_kind("linear")) for report in found.values()] == [1, 1]
    kernel = np.asarray(model.kernel[...])
    assert stds(found)["as it is"] == pytest.approx([np.sqrt((kernel**2).mean())], rel=1e-5)
    transformed = hk.transform(lambda x: hk.Linear(16, with_bias=False)(x))
    found = jinit.compare(transformed, {"ones": jinit.ones}, X, backward=False)
    assert stds(found) == {"ones": [1.0]}
    doubled = jinit.compare(Net(), {"he": jinit.he_normal()}, X, double=True, backward=False)
    plain = jinit.compare(Net(), {"he": jinit.he_normal()}, X, backward=False)
    outputs = [c["he"].rows[-1].forward.rms for c in (doubled, plain)]
    assert outputs[0] == pytest.approx(2 * outputs[1], rel=1e-5)


# --- Errors -------------------------------------------------------------------------------------


def refused(match, *args, **options):
    with pytest.raises(ValueError, match=match):
        jinit.propagate(*args, **options)


def test_what_a_report_cannot_be_made_of():
    shapes = jax.ShapeDtypeStruct((30, 16, 16), "float32")
    refused(r"`params` \(a dict\) holds no parameter", apply, {}, X)
    refused(r"^params is abstract \(float32\[30, 16, 16\]\), .*jinit.initialize", apply, shapes, X)
    refused(r"an input is abstract \(float32\[8, 16\]\)", apply, W, jax.eval_shape(lambda: X))
    with pytest.raises(ValueError, match=r"^an input is traced .*call jinit.propagate outside of"):
        jax.jit(lambda x: jinit.propagate(apply, W, x).rows[0].std)(X)
    refused(
        r"no gradient of what the model returns \(int32\[8\]\); return a floating array, or pass "
        "`backward=False`",
        lambda w, x: jnp.argmax(x @ w, axis=-1).astype(jnp.int32),
        W[0],
        X,
    )
    refused(r"`loss` must return one floating number; it returns float32\[8\]", apply, W, X,
            loss=lambda y: y.sum(axis=1))  # fmt: skip
    refused(r"`batch_axis` \(=-1\) must be at least 0", apply, W, X, batch_axis=-1)


def test_integer_inputs_have_no_jacobian():
    def embed(table, tokens):
        return table[tokens]

    tokens = np.zeros((4, 3), np.int32)
    refused(
        r"`jacobian` needs floating inputs and outputs, and the inputs are int32\[4, 3\]; start "
        "the model at its embedded inputs",
        embed,
        W[0],
        tokens,
        jacobian=True,
    )
    (row,) = jinit.propagate(embed, W[0], tokens).of_kind("linear")
    assert row.operation == "embedding"


def test_what_cannot_be_compared():
    with pytest.raises(ValueError, match="`starts` is empty; give rules or parameters by name"):
        jinit.compare(Net(), {}, X)
    with pytest.raises(ValueError, match=r"`apply` is needed for a dict, which cannot be called"):
        jinit.compare({"w": W[0]}, {"he": jinit.he_normal()}, X)
    with pytest.raises(ValueError, match=r"start 'bad': .*hits no leaf"):
        jinit.compare(Net(), {"bad": {"nowhere/*": jinit.zeros, "**": jinit.zeros}}, X)
    with pytest.raises(TypeError, match="`key` must be a PRNG key"):
        jinit.compare(Net(), STARTS, X, key=0)
