"""Gaussian expectations against closed forms."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from jinit.quadrature import expectation, slope


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (np.ones_like, 1.0),
        (np.square, 1.0),
        (lambda z: z, 0.0),
        (lambda z: z**10, 945.0),
        (np.exp, math.exp(0.5)),
        (lambda z: np.cos(20 * z), math.exp(-200)),
        (lambda z: np.square(np.sin(50 * z)), (1 - math.exp(-5000)) / 2),
        (np.abs, math.sqrt(2 / math.pi)),
    ],
)
def test_smooth_functions(function, expected):
    assert expectation(function) == pytest.approx(expected, rel=1e-13, abs=1e-14)


@pytest.mark.parametrize("at", [-1.7, 0.0, 0.1234, 1 / 3, 2.5, 4.0])
def test_kinks_and_jumps_may_lie_anywhere(at):
    tail, density = norm.sf(at), norm.pdf(at)
    step = expectation(lambda z: np.where(z > at, 1.0, 0.0))
    ramp = expectation(lambda z: np.maximum(z - at, 0))
    assert step == pytest.approx(tail, rel=1e-11)
    assert ramp == pytest.approx(density - at * tail, rel=1e-10, abs=1e-13)


def test_float32_noise_costs_accuracy_and_nothing_else():
    rough = expectation(lambda z: np.square(np.sin(z.astype(np.float32))).astype(np.float64))
    assert rough == pytest.approx((1 - math.exp(-2)) / 2, rel=1e-6)


def test_evaluations_stay_few():
    points = []

    def recorded(z):
        points.append(z.size)
        return np.square(z)

    expectation(recorded)
    assert sum(points) == 3 * 24 * 16  # each unit panel, and its two halves


@pytest.mark.parametrize(
    "function",
    [
        lambda z: np.exp(np.square(z)),  # infinite
        lambda z: np.exp(10 * z),  # its mass lies beyond the cutoff
        lambda z: 1 / np.abs(z),
        lambda z: np.where(np.arange(z.size).reshape(z.shape) % 2, 1.0, -1.0),  # no function
        lambda z: z * np.nan,
    ],
)
def test_what_does_not_converge_is_refused(function):
    with pytest.raises(ValueError, match="did not converge"):
        expectation(function)


@pytest.mark.parametrize(
    ("function", "derivative"),
    [(np.sin, np.cos), (np.tanh, lambda z: 1 - np.tanh(z) ** 2), (np.abs, np.sign)],
)
@pytest.mark.parametrize("width", [1.0, 2.0**-6])
def test_slope_is_the_derivative_on_a_panel(function, derivative, width):
    nodes = (np.polynomial.legendre.leggauss(16)[0] + 1) / 2
    points = np.array([[-2.0], [0.0], [1.0]]) + width * nodes
    np.testing.assert_allclose(slope(function)(points), derivative(points), rtol=0, atol=1e-10)


def test_slope_survives_a_kink_within_a_panel():
    bent = slope(lambda z: np.abs(z - 0.3))
    assert expectation(lambda z: np.square(bent(z))) == pytest.approx(1.0, rel=1e-9)
