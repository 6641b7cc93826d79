"""Isometries for a purpose: the purpose itself is tested, in float64 NumPy."""

import re

import jax
import numpy as np
import pytest
from structures import draw, label, matrix_at_centre, one_matrix

import jinit

KEY = jax.random.key(5)
SUO = jinit.scaled_uniform_orthogonal


@pytest.mark.parametrize(
    ("init", "shape", "check"),
    [
        (SUO(3.0), (8, 4), one_matrix(8, 4, scale=3.0)),
        (SUO("relu"), (3, 2, 24), one_matrix(6, 24, scale=2 * 2**0.5)),
        (SUO(in_axis=0, out_axis=(1, 2)), (3, 3, 4), one_matrix(3, 12, scale=2.0)),
        (SUO(2.0, delta=True), (2, 9, 4), matrix_at_centre(2.0)),
        (SUO(delta=True), (4, 3, 2, 2, 8), matrix_at_centre(2.0)),
        (jinit.spectral(3.0), (4, 16), one_matrix(4, 16, scale=6.0)),
        (jinit.spectral(), (3, 3, 4), one_matrix(9, 4, scale=2 / 3)),
        (jinit.spectral(in_axis=1, out_axis=0), (8, 2), one_matrix(2, 8, (1, 0), scale=2.0)),
    ],
    ids=label,
)
def test_structure(init, shape, check):
    check(draw(init, shape))


def test_scaled_uniform_orthogonal_keeps_the_mean_square():
    x = np.random.default_rng(0).normal(size=(4000, 6))
    wide, narrow = draw(SUO(), (6, 12)), draw(SUO(), (6, 3))
    mean_square = (x**2).mean(1)
    np.testing.assert_allclose(((x @ wide) ** 2).mean(1), mean_square, rtol=1e-5)
    # A projection to 3 of 6 dimensions keeps the mean over inputs; chi-squares, 5 deviations.
    assert ((x @ narrow) ** 2).mean() == pytest.approx(1, abs=5 * (2 / 12000) ** 0.5)


def test_spectral_bounds_the_gain_of_any_width():
    for shape in ((64, 256), (256, 64), (256, 256)):
        bound = (shape[1] / shape[0]) ** 0.5
        normal = draw(jinit.spectral(distribution="normal"), shape)
        # Bai and Yin: a Gaussian matrix has norm std * (sqrt(rows) + sqrt(columns)).
        expected = (1 + min(shape[0] / shape[1], shape[1] / shape[0]) ** 0.5) * bound
        assert np.linalg.norm(normal, 2) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("init", "shape", "expected"),
    [
        (SUO(), (4, 16), 0.5),
        (SUO(2.0), (16, 4), 0.5),
        (SUO(delta=True), (3, 3, 4, 16), 1 / 6),
        (jinit.spectral(), (16, 4), 0.125),
        (jinit.spectral(), (4, 16), 0.5),
        (jinit.spectral(distribution="normal"), (16, 4), 0.125),
        (jinit.spectral(distribution="normal"), (4, 16), 0.5),
    ],
)
def test_stated_std(init, shape, expected):
    assert init.std(shape) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("scheme", "options", "message"),
    [
        (SUO, {"scale": -1}, "`scale` (=-1) must be >= 0"),
        (SUO, {"delta": True, "out_axis": 0}, "`delta` reads kernels as (*taps, inputs, outputs)"),
        (SUO, {"in_axis": 1, "out_axis": 1}, "`in_axis` (=1) and `out_axis` (=1) both name axis 1"),
        (jinit.spectral, {"distribution": "orthogonl"}, "did you mean 'orthogonal'?"),
        (jinit.spectral, {"scale": -1}, "`scale` (=-1) must be >= 0"),
    ],
)
def test_a_wrong_configuration_is_refused_at_once(scheme, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        scheme(**options)


@pytest.mark.parametrize(
    ("init", "shape", "message"),
    [
        (SUO(), (4,), "`shape` (=(4,)) is 1-D, and a matrix needs at least 2 axes"),
        (SUO(delta=True), (4, 4), "`shape` (=(4, 4)) is 2-D; the kernel of a convolution"),
        (SUO(delta=True), (0, 4, 4), "has no taps along an axis"),
        (jinit.spectral(distribution="normal"), (4,), "`shape` (=(4,)) is 1-D"),
    ],
)
def test_a_wrong_shape_is_refused(init, shape, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        init(KEY, shape)
