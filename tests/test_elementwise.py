"""Callables as float64 functions: shapes, precision, derivatives, place of evaluation."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinit.elementwise import derivative, evaluate_apart, real_function

NODES = (np.polynomial.legendre.leggauss(16)[0] + 1) / 2


@pytest.mark.parametrize("shape", [(), (1,), (1024,), (1025,), (70, 30)])
def test_points_of_any_shape(shape):
    points = np.random.default_rng(0).normal(size=shape)
    values = evaluate_apart(lambda: real_function(jnp.sin)(points))
    assert (values.shape, values.dtype) == (shape, np.float64)
    np.testing.assert_allclose(values, np.sin(points), rtol=1e-14)


def test_every_call_has_one_shape_and_float64():
    seen = set()

    def recorded(z):
        seen.add((z.shape, z.dtype.name))
        return z

    evaluate_apart(lambda: real_function(recorded)(np.zeros(3000)))
    assert seen == {((1024,), "float64")}


def test_undefined_values_at_points_not_asked_for_are_no_matter():
    values = evaluate_apart(lambda: real_function(lambda z: jnp.sin(z) / z)(np.array([1.0])))
    np.testing.assert_allclose(values, np.sin(1.0), rtol=1e-14)


@pytest.mark.parametrize("tanh", [jnp.tanh, np.tanh], ids=["traced", "fitted"])
def test_derivatives(tanh):
    points = np.array([[-1.0], [0.5]]) + NODES
    slopes = evaluate_apart(lambda: derivative(tanh)(points))
    np.testing.assert_allclose(slopes, 1 - np.tanh(points) ** 2, rtol=0, atol=1e-9)


def test_a_jump_has_the_backward_slope_that_jax_gives_it():
    points = NODES[None] - 0.3
    assert not evaluate_apart(lambda: derivative(jnp.sign)(points)).any()
    assert not evaluate_apart(lambda: derivative(lambda z: z > 0)(points)).any()


def test_the_surroundings_are_left_as_they_were():
    before = jnp.ones(()).dtype, threading.active_count()
    device = evaluate_apart(lambda: jnp.ones(()).device)
    assert device.platform == "cpu"
    assert (jnp.ones(()).dtype, threading.active_count()) == before


def test_mixed_dtypes_are_no_error_of_the_users():
    with jax.numpy_dtype_promotion("strict"):
        double = real_function(lambda z: z * jnp.float32(2))
        assert evaluate_apart(lambda: double(np.ones(1)))[0] == 2
