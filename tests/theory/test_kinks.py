"""Kinks and jumps are found wherever they are, and nowhere else."""

import numpy as np
import pytest

from jinit.theory.kinks import texture

PLACES = [0.0, 1.0, -2.002, 1e-9, *np.random.default_rng(3).uniform(-4, 4, 40).tolist()]


@pytest.mark.parametrize("reach", [1.0, 12.0, 500.0])
def test_one_is_found_anywhere(reach):
    for place in PLACES:
        at = place * reach / 12
        (kink,) = texture(lambda x, at=at: np.maximum(x - at, 0), reach).kinks
        (jump,) = texture(lambda x, at=at: np.where(x > at, 1.0, 0.0), reach).kinks
        assert kink == pytest.approx(at, abs=1e-7 * reach)
        assert jump == pytest.approx(at, abs=1e-13 * reach)


def test_several_are_told_apart():
    def steps(x):
        return np.clip(x, -1, 1) + np.maximum(x - 1.01, 0) + np.where(x > 3, 2.0, 0.0)

    np.testing.assert_allclose(texture(steps, 12.0).kinks, [-1, 1, 1.01, 3], atol=1e-6)


@pytest.mark.parametrize("function", [np.tanh, np.sin, lambda x: x**3, lambda x: 0 * x])
def test_smooth_functions_have_none(function):
    assert texture(function, 12.0).kinks.size == 0


def test_finer_functions_want_narrower_panels():
    widths = [texture(lambda x, k=k: np.sin(k * x), 12.0).width for k in (0.1, 2.0, 20.0)]
    assert widths[0] > widths[1] > widths[2]


def test_noise_has_no_kinks():
    rng = np.random.default_rng(0)
    assert texture(lambda x: x + 1e-6 * rng.standard_normal(x.shape), 12.0).kinks.size == 0
