"""Mean-field theory says what a report of a wide network shows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit
from jinit.theory import MeanField

WIDTH, BATCH, DEPTH = 512, 8, 10


@pytest.mark.parametrize(
    ("activation", "sigma_w", "sigma_b"),
    [("tanh", 1.5, 0.2), ("relu", 2**0.5, 0.0), ("tanh", 0.8, 0.3)],
)
def test_profiles_follow_the_maps(activation, sigma_w, sigma_b):
    rng = np.random.default_rng(5)
    function = {"tanh": jnp.tanh, "relu": jax.nn.relu}[activation]
    w = rng.normal(0, sigma_w * WIDTH**-0.5, (DEPTH, WIDTH, WIDTH)).astype(np.float32)
    b = rng.normal(0, max(sigma_b, 1e-9), (DEPTH, WIDTH)).astype(np.float32)

    def apply(params, h):
        def layer(h, slice_):
            return function(h) @ slice_[0] + slice_[1][None], None

        return jax.lax.scan(layer, h, params)[0]

    # pre-activations of variance 1 with a correlation of 0.4 between any two inputs
    common, own = rng.normal(0, 1, (1, WIDTH)), rng.normal(0, 1, (BATCH, WIDTH))
    h = (0.4**0.5 * common + 0.6**0.5 * own).astype(np.float32)
    report = jinit.propagate(apply, (w, b), h)
    rows = [report.rows[0], *report.of_kind("linear")]
    assert len(rows) == DEPTH + 1

    field = MeanField(activation, sigma_w, sigma_b)
    variances = field.variances(1.0, DEPTH)
    # Means over a layer of n units fluctuate by some sqrt(kurtosis / n) a layer, and add up.
    error = 3 * np.sqrt(5 / WIDTH * np.arange(1, DEPTH + 2))
    found = np.array([row.forward.rms**2 for row in rows])
    assert (np.abs(found / variances - 1) < error).all()
    correlations = field.correlations(0.4, DEPTH)
    found = np.array([row.forward.correlation for row in rows])
    assert (np.abs(found - correlations) < 0.06).all()
    # chi is what a layer multiplies the squared gradient by, on its way back
    chis = np.array([field.chi(q) for q in variances[:-1]])
    back = np.array([row.backward.rms**2 for row in rows])
    ratios = back[:-1] / back[-1]
    expected = np.cumprod(chis[::-1])[::-1]
    assert (np.abs(ratios / expected - 1) < error[::-1][:-1] + 0.05).all()
