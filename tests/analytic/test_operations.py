"""Each operation's rule against simulation, with inputs from N(0.4, 1.5**2).

Functions are of many entries and draws: 2e5 to 2e6 numbers. Their mean has a standard error of
std / sqrt(independent numbers), their variance one of sqrt((kurtosis - 1) / numbers), which is
below 1% throughout; 3% is three of these and more. Where entries share much (averages, maxima over
few), the numbers that count are fewer, and the rule has the tolerance that is stated.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from analytic.nets import KEY, floats, tokens
from analytic.predicting import law_of, predicted, simulated

MEAN, STD = 0.4, 1.5


class Case(NamedTuple):
    """A function and its inputs; how far off its standard deviation, and its mean, may be."""

    function: Any
    inputs: tuple[Any, ...]
    tolerance: float = 0.03


def case(function, *inputs, tolerance=0.03):
    return Case(function, inputs, tolerance)


X = floats(64, 24, 16)
IMAGE = floats(32, 12, 12, 8)


def fixed(*shape, seed=7, mean=0.0):
    """A constant of a function."""
    return np.random.default_rng(seed).normal(mean, 1, shape).astype(np.float32)


def conv(x, kernel, strides=(1, 1), padding="SAME", groups=1, spread=(1, 1), dilation=(1, 1)):
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        strides,
        padding,
        lhs_dilation=spread,
        rhs_dilation=dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def window(x, size, stride, operation, start, padding="VALID"):
    shape = (1, size, size, 1)
    steps = (1, stride, stride, 1)
    return jax.lax.reduce_window(x, start, operation, shape, steps, padding)


def batch_statistics(x):
    mean, variance = (f(x, (0, 1), keepdims=True) for f in (jnp.mean, jnp.var))
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5)


def group_norm(x):
    grouped = jax.nn.standardize(x.reshape(64, 24, 4, 4), axis=(1, 3))
    return grouped.reshape(x.shape) + x


def clipped_tower(x):
    for _ in range(3):
        x = jnp.where(x > 0, x, 0.2 * x) - 0.1
    return jax.nn.sigmoid(x) ** 2


def counted(x):
    return jax.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, 0.7 * c[1] + 1), (0, x))[1]


BIAS = fixed(1, 1, 16)
HALVES = np.repeat([3.0, -3.0], 8).astype(np.float32)[None, None]
HALF = np.arange(128)[None, None] < 64
CAUSAL = np.tri(12, dtype=bool)
TRANSPOSED: dict[str, Any] = {"spread": (2, 2), "padding": ((2, 2), (2, 2))}


def over_time(step, x, **options):
    """A scan along the second axis; the outcomes of all steps, these first."""
    start = jnp.zeros((x.shape[0], x.shape[2]))
    return jax.lax.scan(step, start, jnp.swapaxes(x, 0, 1), **options)[1]


def noise(x, key):
    other = jax.random.uniform(jax.random.fold_in(key, 1), x.shape)
    return x * jax.random.normal(key, x.shape) + other


CASES = {
    # One value.
    "chain": case(clipped_tower, X),
    "softplus": case(jax.nn.softplus, X),
    "gelu": case(jax.nn.gelu, X),
    "round": case(jnp.round, X),
    "step": case(lambda x: (x > 0.3).astype(jnp.float32), X),
    "odd powers": case(lambda x: x**3 - x, X, tolerance=0.05),
    "reciprocal": case(lambda x: 1 / (1 + jnp.abs(x)), X),
    "digamma": case(lambda x: jax.scipy.special.gammaln(1 + x**2), X),
    "narrow": case(lambda x: jnp.tanh(x.astype(jnp.bfloat16)).astype(jnp.float32), X),
    # Sums and products.
    "doubled": case(lambda x: x + x, X),
    "square": case(lambda x: x * x, X),
    "product of correlated": case(lambda x, y: (x + y) * x, X, X, tolerance=0.05),
    "vector": case(lambda x: jnp.tanh(x + BIAS) * fixed(1, 1, 16, seed=8), X),
    "vector twice": case(lambda x: (x + BIAS) + BIAS, X),
    "two": case(lambda x, y: jax.nn.silu(x) * y + y, X, X),
    "quotient": case(lambda x, y: x / (1 + y**2), X, X),
    "maximum": case(jnp.maximum, X, X),
    "maximum of correlated": case(lambda x, y: jnp.maximum(x + y, x - 0.5 * y), X, X),
    "hypot": case(lambda x, y: jnp.arctan2(x, 3 + jnp.abs(y)), X, X),
    "choice": case(lambda x, y, z: jnp.where(z > 0, x, y), X, X, X),
    "stem": case(lambda x: x + jax.nn.relu(x), X),
    "transposed sum": case(lambda x: x + jnp.swapaxes(x, 1, 2), floats(16, 64, 64)),
    # Averages.
    "centred": case(lambda x: x - x.mean(-1, keepdims=True), floats(256, 16, 4)),
    "mean": case(lambda x: x.mean(1), X, tolerance=0.05),
    "mean of squares": case(lambda x: (x**2).mean(-1), X, tolerance=0.05),
    "difference of means": case(lambda x: x.mean(1) - x.mean((1, 2))[:, None], X, tolerance=0.05),
    "layer norm": case(lambda x: jax.nn.standardize(x, axis=-1), X),
    "rms norm": case(lambda x: x * jax.lax.rsqrt((x**2).mean(-1, keepdims=True)), X),
    "batch norm": case(batch_statistics, X),
    "vector norm": case(lambda x: x / jnp.linalg.norm(x, axis=-1, keepdims=True), X),
    "bias after batch norm": case(lambda x: jax.nn.relu(batch_statistics(x + BIAS)), X),
    "softmax": case(lambda x: jax.nn.softmax(x, axis=-1), X, tolerance=0.05),
    "softmax along the middle": case(lambda x: jax.nn.softmax(x, axis=1), X, tolerance=0.05),
    "log softmax": case(lambda x: jax.nn.log_softmax(0.3 * x), floats(64, 8, 256)),
    "weighted average": case(
        lambda x, y: jnp.einsum("bts,bsd->btd", jax.nn.softmax(x), y),
        floats(256, 6, 8),
        floats(256, 8, 16),
        tolerance=0.05,
    ),
    "average of a constant": case(
        lambda x, y: jnp.einsum("bts,bsd->btd", jax.nn.softmax(x), 0.2 * y + 9),
        floats(256, 6, 8),
        floats(256, 8, 16),
        tolerance=0.05,
    ),
    "masked log softmax": case(
        lambda x: jax.nn.log_softmax(jnp.where(HALF, 0.2 * x, -jnp.inf))[..., :64],
        floats(64, 4, 128),
    ),
    "masked softmax": case(
        lambda x: jax.nn.softmax(jnp.where(CAUSAL[None], x, -jnp.inf)), floats(512, 12, 12)
    ),
    "mask added along the middle": case(
        lambda x: jax.nn.softmax(x + jnp.where(CAUSAL, 0.0, -1e9)[None], axis=1),
        floats(512, 12, 12),
    ),
    # Extremes.
    "max": case(lambda x: x.max(-1), X, tolerance=0.05),
    "min of relu": case(lambda x: jax.nn.relu(x).min(-1), floats(512, 64, 3)),
    "max with common part": case(
        lambda x, y: (x + y).max(-1), floats(64, 24, 4), floats(64, 24, 1)
    ),
    "max pool": case(lambda x: window(x, 2, 2, jax.lax.max, -jnp.inf), IMAGE, tolerance=0.05),
    "avg pool": case(lambda x: window(x, 3, 3, jax.lax.add, 0.0) / 9, IMAGE),
    "padded avg pool": case(
        lambda x: window(x, 3, 2, jax.lax.add, 0.0, "SAME") / 9, IMAGE, tolerance=0.06
    ),
    # Linear operations.
    "dense": case(lambda x: x @ fixed(16, 40), X),
    "dense with a mean": case(lambda x: jax.nn.relu(x) @ fixed(16, 40, mean=0.3), X),
    "dense of a mean": case(lambda x: x.mean(1) @ fixed(16, 40), X, tolerance=0.05),
    "constant along inputs": case(
        lambda x: jnp.broadcast_to(x[..., :1], x.shape) @ fixed(16, 40), X, tolerance=0.05
    ),
    "split heads": case(
        lambda x: jnp.einsum(
            "bthk,hkf->btf", jax.nn.softmax(x.reshape(64, 24, 4, 4)), fixed(4, 4, 32)
        ),
        X,
    ),
    "batched": case(lambda x: jnp.einsum("btd,tdf->btf", x, fixed(24, 16, 8)), X),
    "from the left": case(lambda x: jnp.einsum("ft,btd->bfd", fixed(40, 24), x), X),
    "average by a matrix": case(lambda x: x @ np.full((16, 8), 1 / 16, np.float32), X),
    "conv": case(lambda x: conv(x, fixed(3, 3, 8, 16)), IMAGE),
    "conv of groups": case(lambda x: conv(x, fixed(3, 3, 2, 16), groups=4, strides=(2, 2)), IMAGE),
    "depthwise": case(lambda x: conv(x, fixed(3, 3, 1, 8), groups=8, padding="VALID"), IMAGE),
    "dilated": case(lambda x: conv(x, fixed(3, 3, 8, 8), dilation=(2, 2)), IMAGE),
    "transposed conv": case(lambda x: conv(x, fixed(4, 4, 8, 8), **TRANSPOSED), IMAGE),
    "scores": case(
        lambda x, y: jnp.einsum("btd,bsd->bts", x, y),
        floats(64, 12, 16),
        floats(64, 12, 16),
        tolerance=0.05,
    ),
    "own scores": case(
        lambda x: jnp.einsum("btd,bsd->bts", x @ fixed(16, 32), x @ fixed(16, 32, seed=8)),
        floats(64, 12, 16),
        tolerance=0.06,
    ),
    # Shapes.
    "reshaped norm": case(group_norm, X),
    "concatenated": case(lambda x, y: jnp.concatenate([x, 3 * jnp.exp(0.2 * y)], 1), X, X),
    "mean of concatenated": case(
        lambda x, y: jnp.concatenate([x, 3 * y], 1).mean(1), X, X, tolerance=0.05
    ),
    "padded": case(lambda x: jnp.pad(x, ((0, 0), (4, 4), (0, 0))), X),
    "parts": case(
        lambda x: x[..., :4] * x[..., 4:8] + x[:, ::6, 2:3].sum(1, keepdims=True), X, tolerance=0.05
    ),
    "the same part": case(lambda x: x[..., :4] * x[..., :4], X),
    "part of a bias": case(lambda x: jax.nn.sigmoid((x + HALVES)[..., :8]), X),
    "last": case(lambda x: x[:, -1] - x[:, 0], X, tolerance=0.05),
    "reversed": case(lambda x: x + x[:, ::-1], X),
    "rolled": case(lambda x: x - jnp.roll(x, 1, axis=1), X),
    # Chance, integers, loops.
    "dropout": case(
        lambda x, k: jnp.where(jax.random.bernoulli(k, 0.6, x.shape), x / 0.6, 0.0), X, KEY
    ),
    "noise": case(noise, X, KEY),
    "table": case(lambda i: jnp.asarray(fixed(50, 64))[i], tokens(128, 16)),
    "average of rows": case(
        lambda i: jnp.asarray(fixed(50, 64))[i].mean(1), tokens(512, 16), tolerance=0.05
    ),
    "one-hot": case(lambda i: jax.nn.one_hot(i, 50) @ fixed(50, 64), tokens(128, 16)),
    "steps": case(
        lambda x: over_time(lambda c, v: (jnp.tanh(c) + v, c * v), x),
        X,
        tolerance=0.05,
    ),
    "reverse steps": case(
        lambda x: over_time(lambda c, v: (0.5 * c + v,) * 2, x, reverse=True)[0],
        X,
        tolerance=0.05,
    ),
    "mean over steps": case(
        lambda x: over_time(lambda c, v: (c, v + c), x + x[:, :1]).mean(0), X, tolerance=0.06
    ),
    "mean over independent steps": case(
        lambda x: over_time(lambda c, v: (c, jnp.tanh(v)), x).mean(0), X, tolerance=0.05
    ),
    "counted": case(counted, X),
    "branches": case(lambda x: jax.lax.switch(1, [jnp.exp, jnp.tanh], x), X),
}


@pytest.mark.parametrize("name", CASES)
def test_mean_and_variance(name):
    function, inputs, tolerance = CASES[name]
    world, facts = predicted(function, *inputs, mean=MEAN, std=STD)
    mean, variance = law_of(world, facts[0])
    true_mean, true_variance = simulated(function, *inputs, mean=MEAN, std=STD)
    scale = np.sqrt(true_variance)
    assert np.sqrt(variance) == pytest.approx(scale, rel=tolerance)
    assert mean == pytest.approx(true_mean, abs=tolerance * scale)
