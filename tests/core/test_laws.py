"""Moments of the laws against brute-force integration and closed forms."""

import math

import numpy as np
import pytest
from catalogue import truncated_moments as brute_force

from jinit.core.laws import (
    Constant,
    Normal,
    TruncatedNormal,
    Uniform,
    truncated_modulus_std,
    truncated_moments,
)


@pytest.mark.parametrize(
    ("lower", "upper"), [(-2, 2), (-1, 3), (0, 1), (-0.1, 0.1), (1.5, 1.6), (4, 9), (-7, -3)]
)
def test_truncated_moments(lower, upper):
    mean, std = truncated_moments(float(lower), float(upper))
    expected = brute_force(1.0, lower, upper)
    np.testing.assert_allclose([mean, std], [expected.mean, expected.std], rtol=1e-9, atol=1e-12)


def test_truncated_moments_of_open_windows():
    np.testing.assert_allclose(truncated_moments(-math.inf, math.inf), (0, 1), atol=1e-12)
    half_normal = (math.sqrt(2 / math.pi), math.sqrt(1 - 2 / math.pi))
    np.testing.assert_allclose(truncated_moments(0.0, math.inf), half_normal, rtol=1e-12)


def test_truncated_moments_far_out():
    """Past n standard deviations the tail is nearly exponential, of rate n."""
    mean, std = truncated_moments(1000.0, math.inf)
    np.testing.assert_allclose([mean - 1000, std], [1e-3, 1e-3], rtol=1e-5)


def test_truncated_modulus():
    t = np.linspace(0, 4, 2_000_001)
    density = np.exp(-t)
    expected = math.sqrt(np.trapezoid(t * density, t) / np.trapezoid(density, t))
    np.testing.assert_allclose(truncated_modulus_std(2.0), expected, rtol=1e-10)
    assert truncated_modulus_std(math.inf) == 1.0


def test_means_and_stds():
    assert (Constant(3.0).mean(), Constant(3.0).std()) == (3.0, 0.0)
    assert (Normal(1.0, 2.0).mean(), Normal(1.0, 2.0).std()) == (1.0, 2.0)
    assert Uniform(-1.0, 3.0, 2.0).mean() == 2.0
    np.testing.assert_allclose(Uniform(-1.0, 3.0, 2.0).std(), 8 / math.sqrt(12))
    np.testing.assert_allclose(Uniform(-1.0, 1.0, 2.0).std(complex_values=True), math.sqrt(2))
    np.testing.assert_allclose(
        TruncatedNormal(1.0, 2.0, 0.0, math.inf).mean(), 1 + 2 * 0.7978845608
    )
