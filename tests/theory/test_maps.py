"""The maps against closed forms, and against wide networks in NumPy."""

import math
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinit.theory import MeanField, leaky_relu_correlation
from jinit.theory.smoothing import GaussianPair
from jinit.theory.tabulated import tabulate

CORRELATIONS = [-1.0, -0.7, -1e-9, 0.0, 0.3, 0.9, 0.999, 1 - 2.0**-20, 1 - 2.0**-40, 1.0]


def arc_cosine_loss(c):
    """`1 - C(c)` of ReLU without biases (Cho and Saul 2009), without cancellation near 1."""
    angle = 2 * math.asin(math.sqrt((1 - c) / 2))
    series = angle**3 / 3 - angle**5 / 30  # of sin(t) - t cos(t)
    bend = series if angle < 1e-3 else math.sin(angle) - angle * c
    return (1 - c) - bend / math.pi


@pytest.mark.parametrize("q", [1e-8, 0.37, 1.0, 1e6])
def test_relu_is_the_arc_cosine_kernel_at_every_variance(q):
    relu = MeanField("relu", math.sqrt(2))
    assert relu.variance(q) == pytest.approx(q, rel=1e-12)
    assert relu.chi(q) == pytest.approx(1.0, rel=1e-12)
    assert relu.variance_slope(q) == pytest.approx(1.0, rel=1e-11)
    for c in CORRELATIONS:
        assert relu.decorrelation(c, q) == pytest.approx(arc_cosine_loss(c), rel=1e-9, abs=1e-15)
        slope = (math.pi - math.acos(c)) / math.pi
        assert relu.correlation_slope(c, q) == pytest.approx(slope, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("q", [0.01, 1.0, 7.0])
def test_erf_is_the_arc_sine_kernel(q):
    sigma_w, sigma_b = 1.3, 0.4
    erf = MeanField("erf", sigma_w, sigma_b)
    share = 2 * q / (1 + 2 * q)

    def covariance(c):  # Williams 1997
        return sigma_w**2 * 2 / math.pi * math.asin(share * c) + sigma_b**2

    def slope(c):
        return sigma_w**2 * 2 / math.pi * share / math.sqrt(1 - (share * c) ** 2)

    assert erf.variance(q) == pytest.approx(covariance(1), rel=1e-12)
    assert erf.chi(q) == pytest.approx(slope(1) / q, rel=1e-10)
    rate = sigma_w**2 * 2 / math.pi * 2 / (1 + 2 * q) ** 2 / math.sqrt(1 - share**2)
    assert erf.variance_slope(q) == pytest.approx(rate, rel=1e-10)
    for c in CORRELATIONS:
        assert erf.correlation(c, q) == pytest.approx(covariance(c) / covariance(1), rel=1e-12)
        assert erf.correlation_slope(c, q) == pytest.approx(slope(c) / covariance(1), rel=1e-9)
    close = 1 - 2.0**-30  # the first term of the expansion about 1 is enough
    assert erf.decorrelation(close, q) == pytest.approx(
        2.0**-30 * slope(1) / covariance(1), rel=1e-6
    )


@pytest.mark.parametrize("name", ["sigmoid", "gelu", "hard_tanh"])
def test_the_slope_of_the_variance_is_its_difference_quotient(name):
    field, q, step = MeanField(name, 1.7, 0.2), 0.8, 1e-4
    quotient = (field.variance(q + step) - field.variance(q - step)) / (2 * step)
    assert field.variance_slope(q) == pytest.approx(quotient, rel=1e-6)


@pytest.mark.parametrize("c", [-0.6, 0.0, 0.5, 0.95])
def test_sine_and_powers(c):
    q = 2.0
    sine = MeanField("sin", 1.0)
    expected = math.exp(-q) * math.sinh(q * c) / (math.exp(-q) * math.sinh(q))
    assert sine.correlation(c, q) == pytest.approx(expected, rel=1e-11, abs=1e-14)
    square = MeanField(np.square, 1.0)
    assert square.correlation(c, q) == pytest.approx((1 + 2 * c * c) / 3, rel=1e-11)
    assert square.correlation_slope(c, q) == pytest.approx(4 * c / 3, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("at", [0.0, 0.731, -2.002])
@pytest.mark.parametrize("c", [0.2, 0.99, 1 - 1e-9])
def test_a_jump_anywhere_costs_no_digits(at, c):
    """At 0 the orthant probability (Sheppard 1899) is exact; elsewhere, slices of it."""
    pair = GaussianPair(MeanField(lambda x: jnp.where(x > at, 1.0, 0.0), 1.0).phi, 1.0)
    angles = np.linspace(0, math.acos(c), 4001)
    # d/dc P(u1 > a, u2 > a) is the bivariate density at (a, a).
    density = np.exp(-(at**2) / (1 + np.cos(angles))) / (2 * math.pi)
    expected = float(((density[1:] + density[:-1]) / 2 * np.diff(angles)).sum())
    assert pair.difference(c) == pytest.approx(expected, rel=2e-7)


@pytest.mark.parametrize("slope", [0.0, 0.3, -1.0])
def test_leaky_relu_in_closed_form(slope):
    field = MeanField("leaky_relu", math.sqrt(2 / (1 + slope**2)), param=slope)
    for c in (-0.5, 0.0, 0.8):
        assert field.correlation(c, 3.0) == pytest.approx(
            leaky_relu_correlation(c, slope), rel=1e-11
        )


@pytest.mark.parametrize(
    ("name", "function"),
    [("gelu", lambda x: jax.nn.gelu(x, approximate=False)), ("relu", jax.nn.relu)],
)
def test_jax_functions_are_evaluated_in_float64(name, function):
    named, given = MeanField(name, 1.2, 0.3), MeanField(function, 1.2, 0.3)
    assert not jax.config.jax_enable_x64
    assert given.variance(2.0) == pytest.approx(named.variance(2.0), rel=1e-13)
    assert given.chi(2.0) == pytest.approx(named.chi(2.0), rel=1e-9)
    assert given.decorrelation(0.99, 2.0) == pytest.approx(
        named.decorrelation(0.99, 2.0), rel=1e-11
    )
    assert not jax.config.jax_enable_x64
    assert jnp.ones(()).dtype == jnp.float32


def test_a_polynomial_stands_in_for_the_map():
    for name, q in (("relu", 1.0), ("tanh", 12.0)):
        field = MeanField(name, 1.4, 0.2)
        epsilon = np.array([1.0, 0.61, 0.03, 1e-5, 1e-11])
        exact = [field.decorrelation(1 - float(e), q) / (1 - (1 - e)) * e for e in epsilon]
        np.testing.assert_allclose(tabulate(field, q).decorrelation(epsilon), exact, rtol=1e-8)


@pytest.mark.parametrize(
    ("name", "sigma_w", "sigma_b"), [("relu", math.sqrt(2), 0.0), ("tanh", 1.6, 0.3)]
)
def test_wide_networks_follow_the_maps(name, sigma_w, sigma_b):
    """Thirty networks of width 500 and 5 layers: their mean is within 5 of its standard errors.

    By Student's law with 29 degrees of freedom one of the 24 comparisons fails for one seed in
    1,600; finite width shifts a mean by O(depth / width), which is allowed for beside.
    """
    phi = {"relu": lambda x: np.maximum(x, 0), "tanh": np.tanh}[name]
    width, depth, members, c = 500, 5, 30, 0.4
    rng = np.random.default_rng(20)
    h = rng.standard_normal((members, 2, width))
    h[:, 1] = c * h[:, 0] + math.sqrt(1 - c * c) * h[:, 1]
    measured = [_gram(h)]
    for _ in range(depth):
        weights = rng.standard_normal((members, width, width), dtype=np.float32)
        h = sigma_w / math.sqrt(width) * (phi(h).astype(np.float32) @ weights)
        h = h + sigma_b * rng.standard_normal((members, 1, width))
        measured.append(_gram(h))
    field = MeanField(name, sigma_w, sigma_b)
    q, correlations = field.variances(1.0, depth), field.correlations(c, depth)
    theory = np.stack([q, q * correlations], axis=1)
    error = np.std(measured, axis=1, ddof=1) / math.sqrt(members)
    assert (np.abs(np.mean(measured, axis=1) - theory) <= 5 * error + depth / width * theory).all()
    assert (5 * error <= 0.25 * theory).all()  # or the check would see nothing


def _gram(h):
    """Mean variance and covariance of the two inputs, a row a network."""
    return np.stack([np.square(h).mean(axis=(1, 2)), (h[:, 0] * h[:, 1]).mean(axis=1)], axis=1)


def test_networks_are_values():
    one, two = MeanField("relu", 1, 0), MeanField("relu", 1.0)
    assert one == two
    assert hash(one) == hash(two)
    assert pickle.loads(pickle.dumps(one)) == one
    assert repr(one) == "MeanField(activation='relu', sigma_w=1.0, sigma_b=0.0, param=None)"


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: MeanField("tan", 1.0), ValueError, "did you mean 'tanh'"),
        (lambda: MeanField(3, 1.0), TypeError, "must be a name, such as 'tanh', or an elementwise"),
        (lambda: MeanField("tanh", 1.0, param=2.0), ValueError, r"`param` \(=2.0\) has no meaning"),
        (lambda: MeanField(np.tanh, 1.0, param=2.0), ValueError, "belongs to a named activation"),
        (lambda: MeanField("tanh", 0.0), ValueError, r"`sigma_w` \(=0.0\) must be > 0"),
        (lambda: MeanField("tanh", 1.0, -0.1), ValueError, r"`sigma_b` \(=-0.1\) must be >= 0"),
        (lambda: MeanField(jax.nn.softmax, 1.0), ValueError, "depends on the others"),
        (lambda: MeanField("tanh", 1.0).variance(-1.0), ValueError, r"`q` \(=-1.0\) must be >= 0"),
        (
            lambda: MeanField("tanh", 1.0).correlation(1.5),
            ValueError,
            r"`c` \(=1.5\) must be a corr",
        ),
        (
            lambda: MeanField("tanh", 1.0).correlation(0.5, 0.0),
            ValueError,
            r"`q` \(=0.0\) must be > 0",
        ),
        (lambda: MeanField("tanh", 1.0).variances(1.0, 2.5), TypeError, "`depth`"),
        (lambda: MeanField(np.exp, 1.0).variance(100.0), ValueError, "did not converge"),
    ],
)
def test_errors(build, error, message):
    with pytest.raises(error, match=message):
        build()
