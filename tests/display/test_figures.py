import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from jinit.display.figures import Panel, comparison_figure

NAMES = ("zeros", "small_normal", "xavier", "he", "orthogonal", "looks_linear", "lecun", "spectral")
LAYERS = range(1, 31)
SIGNALS = {
    name: (LAYERS, [scale * rate**layer for layer in LAYERS])
    for name, scale, rate in zip(
        NAMES,
        (0.0, 0.08, 0.9, 1.4, 1.4, 1.4, 0.9, 1.3),
        (1.0, 0.05, 0.7, 1.0, 1.0, 1.01, 0.7, 5.0),
        strict=True,
    )
}
SHARES = {name: ((0, 10, 20), (0.1, 0.5, 0.9)) for name in NAMES}
PANELS = (
    Panel("Forward", "layer", SIGNALS),
    Panel("Backward", "layer, last to first", SIGNALS, falling=True),
    Panel("Accuracy", "step", SHARES, level=0.13),
)


@pytest.fixture(scope="module")
def figure():
    made = comparison_figure(PANELS, "A title")
    FigureCanvasAgg(made).draw()
    return made


def names_in(axes):
    return [text for text in axes.texts if text.get_text().split()[0] in NAMES]


def test_curves_are_the_data(figure):
    for axes, panel in zip(figure.axes, PANELS, strict=True):
        drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
        for x, y in panel.curves.values():
            assert (list(x), list(y)) in drawn


def test_every_curve_has_its_name_in_its_colour(figure):
    for axes in figure.axes:
        labels = names_in(axes)
        assert [label.get_text().split()[0] for label in labels] == list(NAMES)
        assert [label.get_color() for label in labels] == [
            line.get_color() for line in axes.lines[: len(NAMES)]
        ]
        assert len({label.get_color() for label in labels}) == len(NAMES)


def test_names_do_not_meet_and_stay_in_the_figure(figure):
    renderer = figure.canvas.get_renderer()
    for axes in figure.axes:
        boxes = [Text.get_window_extent(label, renderer) for label in names_in(axes)]
        for one, other in itertools.combinations(boxes, 2):
            assert not (one.y0 < other.y1 - 4 and other.y0 < one.y1 - 4)
        for box in boxes:
            assert box.x1 < figure.bbox.x1
            assert 0 < box.y0 < box.y1 < figure.bbox.y1


def test_what_leaves_the_panel_says_where(figure):
    labels = {label.get_text() for label in names_in(figure.axes[0])}
    assert {"zeros (0)", "small_normal ↓", "spectral ↑", "he"} <= labels


def test_the_gradient_runs_from_the_last_layer_to_the_first(figure):
    assert figure.axes[0].get_xlim() == (1, 30)
    assert figure.axes[1].get_xlim() == (30, 1)


def test_one_layer_and_nothing_but_zeros_can_be_drawn(recwarn):
    lost = {"zeros": ([1], [0.0]), "mad": ([1], [float("nan")])}
    shares = {"zeros": ((0, 1), (0.1, 0.1))}
    panels = (Panel("Forward", "layer", lost), Panel("Accuracy", "step", shares, level=0.1))
    made = comparison_figure(panels, "")
    FigureCanvasAgg(made).draw()
    assert [text.get_text() for text in made.axes[0].texts] == ["zeros (0)", "mad (overflow)"]
    assert [str(warning.message) for warning in recwarn] == []
