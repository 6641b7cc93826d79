"""Mirrored kernels: ReLU nets of them are linear, which is tested against the linear net itself."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from structures import centre_matrix, draw, label, mirrored

import jinit

KEY = jax.random.key(5)


@pytest.mark.parametrize(
    ("init", "shape", "check"),
    [
        (jinit.looks_linear(position="first"), (5, 8), mirrored(5, 4, "first")),
        (jinit.looks_linear(position="last"), (8, 5), mirrored(4, 5, "last")),
        (jinit.looks_linear(2.0), (3, 4, 4, 8, 6), mirrored(4, 3, "hidden", 2.0)),
    ],
    ids=label,
)
def test_structure(init, shape, check):
    check(draw(init, shape))


@pytest.mark.parametrize("depth", [1, 30])
def test_a_deep_relu_net_is_exactly_linear(depth):
    """The net's blocks multiply to its matrix, all of whose singular values are 1."""
    with jax.enable_x64(True):
        first = draw(jinit.looks_linear(position="first"), (6, 16), jnp.float64)
        hidden = [draw(jinit.looks_linear(), (16, 16), jnp.float64, i) for i in range(depth)]
        last = draw(jinit.looks_linear(position="last"), (16, 8), jnp.float64)
    linear = first[:, :8]
    x = np.random.default_rng(1).normal(size=(20, 6))
    y = np.maximum(x @ first, 0)
    for kernel in hidden:
        y = np.maximum(y @ kernel, 0)
        linear = linear @ kernel[:8, :8]
    linear = linear @ last[:8]
    np.testing.assert_allclose(y @ last, x @ linear, atol=1e-12)
    np.testing.assert_allclose(np.linalg.svd(linear, compute_uv=False), 1, rtol=1e-12)


def test_a_concatenated_relu_net_is_exactly_linear():
    """CReLU doubles the channels itself: its layers take the last position."""
    kernel = draw(jinit.looks_linear(position="last"), (10, 5))
    x = np.random.default_rng(1).normal(size=(20, 5))
    y = np.maximum(np.concatenate([x, -x], axis=1), 0) @ kernel
    np.testing.assert_allclose(y, x @ kernel[:5], atol=1e-12)


def test_a_convolutional_relu_net_is_exactly_linear():
    shapes = {"first": (3, 3, 2, 8), "hidden": (3, 3, 8, 8), "last": (3, 3, 8, 4)}
    kernels = {p: jinit.looks_linear(position=p)(KEY, s) for p, s in shapes.items()}

    def net(images):
        for position, kernel in kernels.items():
            images = images if position == "first" else jax.nn.relu(images)
            images = jax.lax.conv_general_dilated(
                images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
        return images

    x, y = jax.random.normal(jax.random.key(0), (2, 3, 5, 5, 2))
    np.testing.assert_allclose(net(x) + net(y), net(x + y), atol=1e-5)
    first, hidden, last = (centre_matrix(np.asarray(k, np.float64)) for k in kernels.values())
    linear = first[:, :4] @ hidden[:4, :4] @ last[:4]
    np.testing.assert_allclose(np.asarray(net(x)), np.asarray(x) @ linear, atol=1e-5)


@pytest.mark.parametrize(
    ("init", "shape", "expected"),
    [
        (jinit.looks_linear(3.0), (8, 18), 1.0),
        (jinit.looks_linear(position="first"), (4, 18), 1 / 3),
        (jinit.looks_linear(position="last"), (32, 4), 0.25),
        (jinit.looks_linear(), (3, 3, 8, 32), 1 / 12),
        (jinit.looks_linear(), (0, 4), 0.0),
    ],
)
def test_stated_std(init, shape, expected):
    assert init.std(shape) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"position": "middle"}, "must be one of 'first', 'hidden', 'last'"),
        ({"scale": -1}, "`scale` (=-1) must be >= 0"),
    ],
)
def test_a_wrong_configuration_is_refused_at_once(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        jinit.looks_linear(**options)


@pytest.mark.parametrize(
    ("init", "shape", "message"),
    [
        (jinit.looks_linear(), (5, 4), "the inputs (=5) of the kernel (5, 4) must be even"),
        (jinit.looks_linear(), (4, 5), "the outputs (=5) of the kernel (4, 5) must be even"),
        (jinit.looks_linear(position="first"), (4, 5), "`position` (='first'), which pairs"),
        (jinit.looks_linear(position="last"), (5, 4), "the inputs (=5) of the kernel (5, 4)"),
        (jinit.looks_linear(), (4,), "is 1-D; the kernel of a convolution is 3-D"),
    ],
)
def test_a_wrong_shape_is_refused(init, shape, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        init(KEY, shape)
