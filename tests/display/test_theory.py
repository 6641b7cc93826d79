"""Figures of the theory show its data, by day and by night."""

import math

import numpy as np
import pytest
from matplotlib import colors, style
from matplotlib.backends.backend_agg import FigureCanvasAgg

from jinit.display.theory import plot_correlation_map, plot_depth_scales, plot_phase_diagram
from jinit.theory import MeanField, correlation_curve, depth_scales, phase_diagram

WEIGHTS, BIASES = np.linspace(0.2, 3, 12), np.linspace(0, 1, 8)
CURVES = [correlation_curve(MeanField("tanh", w, 0.3)) for w in (1.0, 2.5)]
SCALES = depth_scales("tanh", [1.0, 1.39, 2.0], 0.3)


def luminance(colour):
    return float(np.dot(colors.to_rgb(colour), (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("background", ["default", "dark_background"])
def test_lines_stand_out_from_the_page(background):
    with style.context(background):
        for figure in (plot_correlation_map(CURVES), plot_depth_scales(SCALES)):
            FigureCanvasAgg(figure).draw()
            page = luminance(figure.get_facecolor())
            for line in figure.axes[0].lines:
                assert abs(luminance(line.get_color()) - page) > 0.2


@pytest.mark.parametrize("name", ["tanh", "relu", "sigmoid", "gelu"])
def test_the_phase_diagram(name):
    diagram = phase_diagram(name, WEIGHTS, BIASES)
    figure = plot_phase_diagram(diagram)
    FigureCanvasAgg(figure).draw()
    axes = figure.axes[0]
    shown = np.asarray(axes.collections[0].get_array()).reshape(diagram.chi.shape)
    np.testing.assert_allclose(10**shown, np.clip(diagram.chi, 0.1, 10), rtol=1e-12)
    texts = {text.get_text() for text in axes.texts}
    assert texts == ({"ordered"} if name == "sigmoid" else {"ordered", "chaotic"})
    solid, dotted = axes.lines[:2]
    assert np.isfinite(np.asarray(dotted.get_ydata())).any() == (name == "gelu")
    if name != "sigmoid":
        on = np.isfinite(np.asarray(solid.get_ydata()))
        assert np.asarray(solid.get_xdata())[on].min() == pytest.approx(
            diagram.edge.sigma_w[~(diagram.edge.variance_slope > 1 + 1e-9)].min()
        )
    assert len(axes.lines) == (3 if name == "relu" else 2)


def test_correlation_maps_end_where_they_settle():
    axes = plot_correlation_map(CURVES).axes[0]
    ordered, chaotic = axes.lines[2], axes.lines[4]
    assert ordered.get_xdata()[0] == pytest.approx(1.0)
    assert chaotic.get_xdata()[0] == pytest.approx(0.1216, abs=2e-3)
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), CURVES[0].mapped)


def test_depth_scales_are_drawn_where_they_are_finite():
    scales = depth_scales("relu", [1.0, math.sqrt(2)], 0.0)
    axes = plot_depth_scales(scales).axes[0]
    assert not np.isfinite(axes.lines[0].get_ydata()).any()
    np.testing.assert_allclose(axes.lines[1].get_ydata(), [1 / math.log(2), np.nan])
    marked = plot_depth_scales(SCALES).axes[0]
    assert marked.texts[0].get_text() == "edge of chaos"
    np.testing.assert_array_equal(marked.lines[0].get_ydata(), SCALES.xi_c)
