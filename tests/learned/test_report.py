"""A report is a value, prints what was learned, and draws it, by day and by night."""

import json
import pickle
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib import colors, style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from rich.console import Console

import jinit
from jinit.learned.report import LearnedReport


def report(**changes):
    """Three steps of GradInit, one of them on the norm, on a leaf and a stack of three."""
    parts = {
        "method": "GradInit",
        "scales": {"head/kernel": 0.5, "layers/kernel": np.array([0.25, 1.5, 1.0])},
        "norms": {"head/kernel": 4.0, "layers/kernel": np.array([8.0, 2.0, 1.0])},
        "objective": np.array([30.0, 2.0, 1.5, 1.25]),
        "kinds": ("norm", "loss", "loss", "loss"),
        "loss": np.array([9.0, 3.0, 2.5, 2.25]),
        "gradient_norm": np.array([30.0, 0.75, 0.5, 0.875]),
        "gamma": 1.0,
        "skipped": ("head/bias",),
    }
    return LearnedReport(**{**parts, **changes})


QUOTIENTS = report(method="MetaInit", kinds=("quotient",) * 4, gamma=np.inf, skipped=())


def test_a_report_is_a_value():
    assert report() == report()
    assert report() != report(loss=np.array([9.0, 3.0, 2.5, 2.0]))
    assert report() != report(scales={"head/kernel": 0.5})
    assert pickle.loads(pickle.dumps(report())) == report()
    assert report() != "GradInit"
    assert report().steps == 3
    assert repr(report()) == "<LearnedReport: GradInit, 3 steps, loss 9 > 2.25>"
    with pytest.raises(AttributeError):
        report().gamma = 2.0
    with pytest.raises(TypeError, match="unhashable"):
        hash(report())


def test_json():
    told = json.loads(report().to_json())
    assert told["scales"] == {"head/kernel": 0.5, "layers/kernel": [0.25, 1.5, 1.0]}
    assert told["kinds"] == ["norm", "loss", "loss", "loss"]
    assert told["gamma"] == 1.0
    assert json.loads(QUOTIENTS.to_json())["gamma"] is None
    assert set(told) == set(vars(report()))


def test_the_arrays_of_a_report_cannot_be_changed():
    params = {"w": jnp.ones((2, 3, 3)), "v": jnp.ones((3, 2))}

    def loss(params, x):
        return ((x @ params["w"][0] @ params["w"][1] @ params["v"]) ** 2).mean()

    _, found = jinit.gradinit(
        loss, params, lambda step: np.eye(3, dtype=np.float32), steps=1, stacked={"w": 1}
    )
    assert found.scales["w"].shape == found.norms["w"].shape == (2,)
    assert found.objective.shape == found.loss.shape == found.gradient_norm.shape == (2,)
    for array in (found.loss, found.objective, found.gradient_norm, found.scales["w"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_the_table():
    lines = str(report()).splitlines()
    assert [line.split() for line in lines if "kernel" in line] == [
        ["head/kernel", "0.5", "2", "4"],
        ["layers/kernel", "0.25", "to", "1.5", "1", "to", "3", "1", "to", "8"],
    ]
    text = " ".join(" ".join(lines).split())
    assert "GradInit, 3 steps, 1 of them on the norm." in text
    assert "Loss 9 > 2.2." in text
    assert "Gradient norm 30 > 0.88, at most 1." in text
    assert "Zero, and so without a scale: head/bias." in text
    assert "Gradient quotient 30 > 1.2." in " ".join(str(QUOTIENTS).split())
    assert "on the norm" not in str(QUOTIENTS)


def test_the_last_entry_is_no_step():
    over = report(kinds=("loss", "loss", "loss", "norm"))
    assert "3 steps, 0 of them on the norm" in " ".join(str(over).split())


def test_notebooks_and_consoles(capsys):
    html = report()._repr_html_()
    assert html.count("<tr>") == 3
    assert "layers/kernel" in html
    Console(width=60).print(report())
    assert "layers/kernel" in capsys.readouterr().out


def test_large_tables_are_cut_in_the_middle():
    many = {f"leaf_{i}": 1.0 for i in range(1000)}
    text = str(report(scales=many, norms=many))
    assert "... 600 more" in text
    assert "leaf_199 " in text
    assert "leaf_200 " not in text
    assert "leaf_999 " in text


def luminance(colour):
    return float(np.dot(colors.to_rgb(colour), (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("background", ["default", "dark_background"])
@pytest.mark.parametrize("drawn", [report(), QUOTIENTS], ids=["gradinit", "metainit"])
def test_lines_stand_out_from_the_page(drawn, background):
    with style.context(background):
        figure = drawn.plot()
        FigureCanvasAgg(figure).draw()
        page = luminance(figure.get_facecolor())
        for axes in figure.axes:
            for line in axes.lines:
                assert abs(luminance(line.get_color()) - page) > 0.2


def test_the_figure_shows_the_report():
    objective, norm, scales = report().plot().axes
    loss, after = objective.lines
    np.testing.assert_array_equal(loss.get_ydata(), report().loss)
    np.testing.assert_array_equal(after.get_ydata(), [np.nan, 2.0, 1.5, 1.25])
    np.testing.assert_array_equal(norm.lines[0].get_ydata(), report().gradient_norm)
    np.testing.assert_array_equal(norm.lines[1].get_xdata(), [0])
    np.testing.assert_array_equal(norm.lines[2].get_ydata(), [1.0, 1.0])
    np.testing.assert_array_equal(scales.lines[0].get_xdata(), [0.5])
    np.testing.assert_array_equal(scales.lines[1].get_xdata(), [0.25, 1.5, 1.0])
    assert [tick.get_text() for tick in scales.get_yticklabels()] == list(report().scales)
    (quotient,) = QUOTIENTS.plot().axes[0].lines
    np.testing.assert_array_equal(quotient.get_ydata(), QUOTIENTS.objective)


def test_stacks_of_stacks():
    """A leaf with two stacked axes has as many of scales; a stack of one layer has an axis."""
    params = {"w": jnp.ones((2, 3, 4, 4)), "v": jnp.ones((1, 4))}
    _, found = jinit.gradinit(
        lambda params, x: (params["w"] ** 2).sum() + (params["v"] ** 2).sum(),
        params,
        [None],
        steps=1,
        overlap=1,
        stacked={"w": 2, "v": 1},
    )
    assert found.scales["w"].shape == (2, 3)
    assert found.scales["v"].shape == (1,)
    np.testing.assert_allclose(found.norms["w"], np.full((2, 3), 4.0), rtol=1e-6)
    FigureCanvasAgg(found.plot()).draw()
    assert "w " in str(found)


def test_scales_of_zero_are_drawn_on_a_plain_axis():
    figure = report(scales={"bias": 0.0}, norms={"bias": 1.0}).plot()
    FigureCanvasAgg(figure).draw()
    assert figure.axes[2].get_xscale() == "linear"


@pytest.mark.parametrize(
    ("progress", "terminal", "shown"),
    [(None, False, False), (None, True, True), (True, False, True), (False, True, False)],
)
def test_progress(progress, terminal, shown, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    jinit.gradinit(
        lambda params, x: (params["w"] ** 2).sum(),
        {"w": jnp.ones((2, 2))},
        [None],
        steps=3,
        progress=progress,
    )
    out, err = capsys.readouterr()
    assert out == ""
    assert ("GradInit loss" in err) == shown
