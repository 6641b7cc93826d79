"""Orthogonal kernels: which axes make the matrix, its law, JAX's calls, and what is refused."""

import inspect
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from structures import assert_isometry, draw, label, many_matrices, one_matrix

import jinit

KEY = jax.random.key(3)


@pytest.mark.parametrize(
    ("init", "shape", "check"),
    [
        (jinit.orthogonal(column_axis=0), (6, 2, 4), one_matrix(8, 6, (1, 2, 0))),
        (jinit.orthogonal(column_axis=-2), (2, 6, 2), one_matrix(4, 6, (0, 2, 1))),
        (jinit.orthogonal(in_axis=0, out_axis=(1, 2)), (8, 2, 3), one_matrix(8, 6)),
        (jinit.orthogonal(in_axis=(0, 1), out_axis=2), (2, 3, 8), one_matrix(6, 8)),
        (
            jinit.orthogonal(in_axis=1, out_axis=(3, 0)),
            (2, 3, 2, 4),
            one_matrix(6, 8, (1, 2, 3, 0)),
        ),
        (jinit.orthogonal(out_axis=()), (4, 2), one_matrix(8, 1)),
        (jinit.orthogonal(0.5, 0, batch_axis=-1), (4, 6, 3), many_matrices(2, 0.5)),
        (jinit.orthogonal(out_axis=0, batch_axis=1), (4, 3, 6), many_matrices(1)),
        (jinit.orthogonal(jax.nn.relu), (6, 8), one_matrix(6, 8, scale=math.sqrt(2))),
        (jinit.orthogonal("tanh"), (8, 6), one_matrix(8, 6, scale=5 / 3)),
        (jinit.orthogonal(0.0), (2, 2), lambda weights: np.testing.assert_array_equal(weights, 0)),
    ],
    ids=label,
)
def test_the_matrix_is_the_one_applied(init, shape, check):
    check(draw(init, shape))


def test_a_query_kernel_keeps_norms_as_applied():
    kernel = draw(jinit.orthogonal(in_axis=0, out_axis=(1, 2)), (6, 2, 3))
    x = np.random.default_rng(0).normal(size=(5, 6))
    y = np.einsum("bd,dhk->bhk", x, kernel)
    np.testing.assert_allclose((y**2).sum((1, 2)), (x**2).sum(1), rtol=1e-5)


@pytest.mark.parametrize(("shape", "axis"), [((2, 6, 2), 1), ((2, 3, 7), -1), ((7, 2, 3), 0)])
def test_jax_has_the_same_axes(shape, axis):
    theirs = jax.nn.initializers.orthogonal(1.5, axis)(KEY, shape)
    ours = draw(jinit.orthogonal(1.5, axis), shape)
    for weights in (np.asarray(theirs, np.float64), ours):
        rows = np.moveaxis(weights, axis, -1).reshape(-1, shape[axis])
        assert_isometry(rows, 1.5)


@pytest.mark.parametrize("name", ["orthogonal", "delta_orthogonal"])
def test_jax_has_the_same_leading_parameters(name):
    theirs = inspect.signature(getattr(jax.nn.initializers, name)).parameters
    ours = inspect.signature(getattr(jinit, name)).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    assert all(ours[option].default == theirs[option].default for option in theirs)


def test_signs_are_random():
    """Without random signs the corner of Q has one sign: of 100 fair ones, all but 3 deviations."""
    keys = jax.random.split(KEY, 100)
    corners = jax.vmap(lambda key: jinit.orthogonal()(key, (4, 3)))(keys)
    assert corners.shape == (100, 4, 3)
    positive = (np.asarray(corners) > 0).sum(0)
    assert (abs(positive - 50) <= 5 * 5.33).all()


def test_complex_matrices_are_unitary():
    weights = draw(jinit.orthogonal(2.0), (6, 8), jnp.complex64)
    assert_isometry(weights, 2.0)
    assert np.abs(weights.imag).max() > 0.1


def test_float64_is_orthogonal_in_float64():
    with jax.enable_x64(True):
        weights = draw(jinit.orthogonal("relu"), (9, 7), jnp.float64)
    assert_isometry(weights, math.sqrt(2), atol=1e-13)


def test_a_scale_for_each_layer_and_a_traced_scale():
    scales = np.array([0.5, 1.0, 2.0]).reshape(3, 1, 1)
    init = jinit.orthogonal(scales, batch_axis=0)
    plain = draw(jinit.orthogonal(batch_axis=0), (3, 4, 2))
    np.testing.assert_allclose(draw(init, (3, 4, 2)), scales * plain, rtol=1e-6)
    traced = jax.jit(lambda scale: jinit.orthogonal(scale)(KEY, (4, 2)))(3.0)
    np.testing.assert_allclose(np.asarray(traced), 3 * draw(jinit.orthogonal(), (4, 2)), rtol=1e-5)
    with pytest.raises(ValueError, match=r"`scale` has shape \(2,\), which does not broadcast"):
        jinit.orthogonal([1.0, 2.0])(KEY, (2, 3))


def test_one_program_for_all_scales():
    init, other = jinit.orthogonal(0.3), jinit.orthogonal("gelu")
    draw(init, (5, 4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jinit.schemes.orthogonality.random_orthogonal", None)  # a trace calls it
        assert_isometry(draw(other, (5, 4)), jinit.calculate_gain("gelu"))
        with pytest.raises(TypeError, match="not callable"):
            draw(init, (5, 3))


@pytest.mark.parametrize(
    ("init", "shape", "expected"),
    [
        (jinit.orthogonal(2.0), (16, 4), 0.5),
        (jinit.orthogonal(2.0), (4, 16), 0.5),
        (jinit.orthogonal(column_axis=0), (4, 3, 12), 1 / 6),
        (jinit.orthogonal(batch_axis=0), (7, 4, 16), 0.25),
        (jinit.orthogonal(), (0, 16), 0.0),
    ],
)
def test_stated_std(init, shape, expected):
    assert init.std(shape) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": -1.0}, "`scale` (=-1.0) must be >= 0"),
        ({"scale": "rellu"}, "did you mean 'relu'?"),
        ({"in_axis": 0}, "`in_axis` (=0) needs `out_axis`"),
        ({"column_axis": 0, "out_axis": 1}, "`column_axis` (=0) and `out_axis` (=1) both name"),
        ({"in_axis": (0, 1), "out_axis": 1}, "`in_axis` (=(0, 1)) and `out_axis` (=1) both name"),
        ({"batch_axis": -1}, "`column_axis` (=-1) and `batch_axis` (=-1) both name axis -1"),
        ({"out_axis": 1, "batch_axis": 1}, "`out_axis` (=1) and `batch_axis` (=1) both name"),
        ({"dtype": "int8"}, "`dtype` (=int8) must be a floating or complex dtype"),
    ],
)
def test_a_wrong_configuration_is_refused_at_once(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        jinit.orthogonal(**options)


@pytest.mark.parametrize(
    ("init", "shape", "message"),
    [
        (jinit.orthogonal(), (5,), "`shape` (=(5,)) is 1-D, and a matrix needs at least 2 axes"),
        (jinit.orthogonal(), (), "`shape` (=()) is 0-D"),
        (jinit.orthogonal(column_axis=2), (3, 4), "must lie in [-2, 1]"),
        (jinit.orthogonal(column_axis=-3), (3, 4), "`column_axis` (=-3) is out of range"),
        (jinit.orthogonal(out_axis=2), (3, 4), "`out_axis` (=2) is out of range"),
        (jinit.orthogonal(in_axis=1, out_axis=-1), (3, 4), "are both axis 1 of the shape (3, 4)"),
        (jinit.orthogonal(column_axis=1, batch_axis=-1), (3, 4), "share axis 1"),
    ],
)
def test_a_wrong_shape_is_refused(init, shape, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        init(KEY, shape)
    with pytest.raises(ValueError, match=re.escape(message)):
        init.std(shape)
