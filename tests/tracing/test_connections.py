"""Connections counted tap by tap, against the numbers that fans are made of."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from trees_of_models import shape

from jinit.tracing.connections import Window, conv_fans
from jinit.tracing.tracer import trace


def _brute(window):
    """Every input that an output reads: with zeros written out, as in a picture."""
    spaced = {place * window.spread for place in range(window.inputs)}
    return sum(
        output * window.stride + tap * window.dilation - window.low in spaced
        for output in range(window.outputs)
        for tap in range(window.taps)
    )


OPTIONS = ((1, 5, 8), (1, 2, 4), (1, 2, 3), (1, 2, 3), (1, 2), (0, 1, 3))


def test_pairs_are_those_counted_one_by_one():
    for inputs, taps, stride, spread, dilation, low in itertools.product(*OPTIONS):
        reach = (inputs - 1) * spread + 1 + 2 * low - (taps - 1) * dilation
        window = Window(inputs, max(0, -(-reach // stride)), taps, stride, spread, dilation, low)
        assert window.pairs == _brute(window), window


def test_without_edges_the_middle_of_the_image_counts():
    window = Window(100, 50, 4, stride=2, low=1)
    assert conv_fans(8, 32, 4, [window]) == (32, 16)
    far = conv_fans(8, 32, 4, [window], edges=True)
    assert far.fan_in == pytest.approx(32, rel=0.02)
    assert far.fan_out == pytest.approx(16, rel=0.02)


def _dense_matrix(apply, kernel, image):
    """Which weights join which inputs and outputs: all of them, written out one by one."""
    x = np.zeros(image)
    columns = []
    for place in np.ndindex(*image):
        x[place] = 1
        columns.append(np.asarray(apply(jnp.ones(kernel), jnp.asarray(x, jnp.float32))).ravel())
        x[place] = 0
    return np.stack(columns)


CONVS = [
    ((2, 3, 4, 6), (1, 5, 4, 4), {"window_strides": (1, 1)}),
    ((3, 3, 1, 4), (1, 5, 5, 4), {"window_strides": (2, 1), "feature_group_count": 4}),
    ((3, 2, 2, 6), (1, 5, 4, 4), {"window_strides": (1, 2), "feature_group_count": 2}),
    ((3, 3, 2, 3), (1, 4, 3, 2), {"window_strides": (1, 1), "lhs_dilation": (2, 3)}),
    ((2, 2, 3, 2), (1, 6, 6, 3), {"window_strides": (2, 2), "rhs_dilation": (2, 1)}),
    ((4, 3, 2, 2), (1, 4, 4, 2), {"window_strides": (3, 2), "lhs_dilation": (2, 1)}),
]


@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 2), (0, 1)), ((3, 2), (2, 2))])
@pytest.mark.parametrize("number", range(len(CONVS)))
def test_convolutions_are_counted_connection_by_connection(number, padding):
    kernel, image, options = CONVS[number]

    def apply(w, x):
        numbers = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            x, w, padding=padding, dimension_numbers=numbers, **options
        )

    joined = _dense_matrix(jax.jit(apply), kernel, image)
    assert set(np.unique(joined)) <= {0, 1}
    fans = trace(apply, shape(*kernel), shape(*image), edges=True)[""].fans
    assert fans.fan_in == pytest.approx(joined.sum(0).mean(), rel=1e-9)
    assert fans.fan_out == pytest.approx(joined.sum(1).mean(), rel=1e-9)
