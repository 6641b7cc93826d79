import io
import re

import numpy as np
import perceptron
import pytest
from PIL import Image
from rich.console import Console

from jinit.demo.comparison import Comparison
from jinit.demo.presentation import perform
from jinit.demo.settings import Settings

SETTINGS = Settings(depth=3, width=16, schemes=("zeros", "he"), steps=5)


@pytest.fixture(scope="module")
def performance(tmp_path_factory):
    """The printed text, the figure's path, and the comparison of a tiny demo."""
    comparison = Comparison(SETTINGS)
    out = tmp_path_factory.mktemp("demo") / "figure.png"
    text = io.StringIO()
    perform(comparison, out, Console(file=text, width=80))
    return text.getvalue(), out, comparison


def numbers(line):
    return [float(x) for x in re.findall(r"(?<=\s)[\d.]+(?:e-?\d+)?(?=\s)", line)]


def row(text, name, direction):
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if re.match(rf"{name} +forward", line))
    return lines[start + (direction == "backward")]


def test_table_shows_the_pass_by_hand(performance):
    text, _, comparison = performance
    digits, layers = comparison.digits, perceptron.weights(comparison.params["he"])
    expected = perceptron.run(layers, digits.images[:256], digits.labels[:256])
    forward = numbers(row(text, "he", "forward"))
    backward = numbers(row(text, "he", "backward"))
    # Two digits are shown, so that the last may be half a unit off: 5 % at most.
    np.testing.assert_allclose(
        forward, [perceptron.rms(z) for z in expected.pre_activations], rtol=0.05
    )
    np.testing.assert_allclose(backward, [perceptron.rms(d) for d in expected.deltas], rtol=0.05)
    assert row(text, "he", "forward").rstrip().endswith("steady")


def test_zeros_are_named_so(performance):
    text, _, _ = performance
    for direction in ("forward", "backward"):
        assert numbers(row(text, "zeros", direction)) == [0, 0, 0]
        assert row(text, "zeros", direction).rstrip().endswith("zero")


def test_text_says_what_was_run(performance):
    text, out, _ = performance
    for said in (
        "3 hidden layers of 16, relu",
        "5 steps of 64 images",
        "0.0003, 0.001, 0.003",
        "jinit.he_normal(), std 0.35 in hidden layers",  # sqrt(2 / 16)
        "1437 images",
        "360 held out",
        "13% of the held-out images",
        f"Figure written to {out}",
    ):
        assert said in " ".join(text.split()), said


def test_text_fits_and_is_plain_where_no_one_watches(performance):
    text, out, _ = performance
    lines = [line for line in text.splitlines() if str(out) not in line]
    assert max(map(len, lines)) <= 80
    assert "…" not in text
    assert "\x1b" not in text
    assert "\r" not in text
    assert "training zeros" not in text  # the progress bar's words


def test_figure_is_a_picture(performance):
    with Image.open(performance[1]) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("L"))
    height, width = pixels.shape
    assert height > 500
    assert width > 1500
    third = width // 3
    for panel in range(3):
        inked = np.mean(pixels[:, panel * third : (panel + 1) * third] < 200)
        assert 0.005 < inked < 0.3


def test_a_scheme_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match="scheme 'dirac' does not fit this network: `shape`"):
        Comparison(Settings(depth=1, width=8, schemes=("dirac",), steps=1))


@pytest.mark.slow
def test_default_demo_tells_the_starts_apart(tmp_path):
    comparison = Comparison(Settings())
    signals = comparison.signals()
    runs = comparison.train(lambda name: None)
    last = {name: run.accuracies[-1] for name, run in runs.items()}
    # Three standard errors above guessing, at most.
    chance = comparison.digits.guessing + 3 * np.sqrt(comparison.digits.guessing / 360)
    assert max(last["zeros"], last["small_normal"]) < chance
    assert min(last["he"], last["orthogonal"], last["looks_linear"]) > 0.85
    pace = {name: np.mean(run.accuracies) for name, run in runs.items()}
    order = ["zeros", "xavier", "he", "orthogonal", "looks_linear"]
    assert sorted(order, key=pace.__getitem__) == order
    assert max(signals["zeros"].backward) == 0
    assert 0.1 < signals["he"].forward[-1] / signals["he"].forward[0] < 10
    # Each layer halves the second moment: relu, and Var W = 1 / n.
    ratio = signals["xavier"].forward[-1] / signals["xavier"].forward[0]
    assert abs(np.log10(ratio) - 29 * np.log10(np.sqrt(0.5))) < 1.2
