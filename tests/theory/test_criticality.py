"""The edge of chaos, depths and slopes against published values and brute force."""

import math

import numpy as np
import pytest

from jinit.theory import (
    MeanField,
    correlation_curve,
    critical_for_bias,
    critical_for_depth,
    critical_for_variance,
    critical_line,
    fixed_point,
    jacobian_spectrum,
    tat_slope,
)

# --- The edge of chaos --------------------------------------------------------------------------


def erf_point(q):
    weights = math.pi * math.sqrt(1 + 4 * q) / 4
    return weights, q - weights * 2 / math.pi * math.asin(2 * q / (1 + 2 * q))


@pytest.mark.parametrize("q", [0.01, 1.0, 9.0])
def test_erf_in_closed_form(q):
    weights, biases = erf_point(q)
    field = critical_for_variance("erf", q)
    assert field.sigma_w**2 == pytest.approx(weights, rel=1e-10)
    assert field.sigma_b**2 == pytest.approx(biases, rel=1e-6)
    line = critical_line("erf", [q])
    assert (line.sigma_w[0], line.sigma_b[0]) == (field.sigma_w, field.sigma_b)


def test_small_variances_of_tanh():
    """`sigma_w**2 = 1 + 2q + O(q**2)`, by tanh'**2 = 1 - 2x**2 + ..."""
    field = critical_for_variance("tanh", 1e-4)
    assert field.sigma_w**2 == pytest.approx(1 + 2e-4, abs=1e-7)


@pytest.mark.parametrize("biases", [2.01e-5])
def test_tanh_as_published(biases):
    """Xiao et al. 2018 (arXiv:1806.05393): (1.05, 2.01e-5) is critical."""
    assert critical_for_bias("tanh", math.sqrt(biases)).sigma_w ** 2 == pytest.approx(
        1.05, abs=5e-5
    )


@pytest.mark.parametrize(
    ("name", "q", "weights", "biases"),
    [("gelu", 3.561553, 1.983058, 0.172922), ("silu", 14.320174, 1.988005, 0.555143)],
)
def test_half_stable_points_as_published(name, q, weights, biases):
    """Roberts, Yaida and Hanin 2021 (arXiv:2106.10165)."""
    field = critical_for_variance(name, q)
    assert field.sigma_w**2 == pytest.approx(weights, rel=1e-6)
    assert field.sigma_b**2 == pytest.approx(biases, rel=1e-5)
    assert field.variance_slope(q) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("sigma_b", [0.05, 0.3, 1.0])
def test_given_biases_the_fixed_point_is_critical(sigma_b):
    field = critical_for_bias("tanh", sigma_b)
    assert field.sigma_b == sigma_b
    assert fixed_point(field).chi == pytest.approx(1.0, abs=1e-8)
    assert fixed_point(MeanField("tanh", field.sigma_w - 0.01, sigma_b)).phase == "ordered"
    assert fixed_point(MeanField("tanh", field.sigma_w + 0.01, sigma_b)).phase == "chaotic"


@pytest.mark.parametrize(
    ("name", "sigma_w"),
    [("tanh", 1.0), ("erf", math.sqrt(math.pi) / 2), ("relu", math.sqrt(2)), ("gelu", 2.0)],
)
def test_without_biases(name, sigma_w):
    assert critical_for_bias(name).sigma_w == pytest.approx(sigma_w, rel=1e-7)


def test_relu_s_edge_is_a_point():
    line = critical_line("relu", [0.1, 1.0, 30.0])
    np.testing.assert_allclose(line.sigma_w, math.sqrt(2), rtol=1e-12)
    np.testing.assert_array_equal(line.sigma_b, 0)


def test_sigmoid_has_no_edge_at_usual_variances():
    assert np.isnan(critical_line("sigmoid", [0.1, 1.0, 10.0]).sigma_b).all()


# --- Depths -------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [50])
def test_the_depth_s_network_is_the_best_of_a_scan(depth):
    field = critical_for_depth("tanh", depth)
    found = fixed_point(field)
    assert found.chi == pytest.approx(1.0, abs=1e-8)

    def end(q):
        c, critical = 0.0, critical_for_variance("tanh", q)
        for _ in range(depth):
            c = critical.correlation(c, q)
        return c

    assert end(found.q) == pytest.approx(0.9, abs=1e-6)
    scan = [q for q in found.q * np.array([0.9, 0.99, 1.01, 1.1]) if end(float(q)) <= 0.9]
    assert len(scan) == 2
    assert max(scan) < found.q


def test_a_shallow_network_may_have_the_variance_it_wants():
    assert critical_for_depth("tanh", 2, q=0.7) == critical_for_variance("tanh", 0.7)


def test_a_variance_that_repels_is_kept_small():
    depth = 100
    field = critical_for_depth("silu", depth)
    line = critical_line("silu", np.logspace(-4, 0, 81))
    order = np.argsort(line.sigma_w)
    growth = float(np.interp(field.sigma_w, line.sigma_w[order], line.variance_slope[order]))
    assert growth**depth == pytest.approx(math.e, rel=0.05)
    assert line.variance_slope[-1] ** depth > 1e3  # at q = 1


# --- Tailored slopes ----------------------------------------------------------------------------


def leaky_end(slope, depth):
    """The published map (Zhang et al. 2022), composed; written as they write it."""
    c = 0.0
    for _ in range(depth):
        bend = math.sqrt(1 - c * c) + (math.pi - math.acos(c)) * c
        c = min(1.0, ((1 - slope) ** 2 * bend / math.pi + 2 * slope * c) / (1 + slope**2))
    return c


def test_a_slope_for_a_hundred_layers():
    assert tat_slope(100) == pytest.approx(0.57044, abs=5e-6)


@pytest.mark.parametrize(("depth", "correlation"), [(5, 0.7), (20, 0.9), (1000, 0.95)])
def test_slopes_meet_their_correlation(depth, correlation):
    slope = tat_slope(depth, correlation)
    assert 0 < slope < 1
    assert leaky_end(slope, depth) == pytest.approx(correlation, abs=1e-9)


def test_few_relus_need_no_slope():
    assert leaky_end(0.0, 3) < 0.9
    assert tat_slope(3) == 0.0


# --- Jacobians ----------------------------------------------------------------------------------


def _orthogonal(rng, n):
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    return q * np.sign(np.diag(r))


@pytest.mark.parametrize("orthogonal", [True, False])
def test_the_spread_of_singular_values(orthogonal):
    """Twelve networks of width 100: their mean is within 5 of its standard errors.

    By Student's law with 11 degrees of freedom that fails for one seed in 2,500. 3% is left for
    the width.
    """
    field, depth, q = critical_for_variance("tanh", 0.3), 6, 0.3
    spectra = [_squares(field, depth, q, orthogonal, seed) for seed in range(12)]
    theory = jacobian_spectrum(field, depth, q, orthogonal=orthogonal)
    assert theory.mean == pytest.approx(1.0, rel=1e-8)
    spreads = np.array([s.std() / s.mean() for s in spectra])
    error = 5 * spreads.std(ddof=1) / math.sqrt(12) + 0.03 * theory.spread
    assert error < 0.15 * theory.spread
    assert spreads.mean() == pytest.approx(theory.spread, abs=error)


def _squares(field, depth, q, orthogonal, seed, n=100):
    """Squared singular values of the Jacobian of one network."""
    rng = np.random.default_rng(seed)
    h, jacobian = rng.standard_normal(n) * math.sqrt(q), np.eye(n)
    for _ in range(depth):
        w = _orthogonal(rng, n) if orthogonal else rng.standard_normal((n, n)) / math.sqrt(n)
        w = w * field.sigma_w
        jacobian = w @ (jacobian / np.cosh(h)[:, None] ** 2)
        h = w @ np.tanh(h) + field.sigma_b * rng.standard_normal(n)
    return np.linalg.eigvalsh(jacobian @ jacobian.T)


def test_relu_spreads_whatever_its_weights():
    """E[phi'**4] / E[phi'**2]**2 = 2, so that a layer adds 1."""
    relu = MeanField("relu", math.sqrt(2))
    assert jacobian_spectrum(relu, 16, 1.0).spread == pytest.approx(4.0)
    assert jacobian_spectrum(relu, 8, 1.0, orthogonal=False).spread == pytest.approx(4.0)


# --- Errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: critical_for_variance("sigmoid"), r"`q` \(=1.0\) is no fixed point of 'sigmoid'"),
        (lambda: critical_for_bias("relu", 0.1), r"`sigma_b` \(=0.1\) is not on the edge of chaos"),
        (lambda: critical_for_bias("sigmoid"), "use another `sigma_b`"),
        (lambda: critical_for_depth("relu", 50), r"`depth` \(=50\) is too much for 'relu'"),
        (lambda: critical_for_depth("tanh", 5, correlation=1.0), "must lie between 0 and 1"),
        (lambda: critical_for_depth("tanh", 0), r"`depth` \(=0\) must be at least 1"),
        (lambda: tat_slope(5, 0.0), r"`correlation` \(=0.0\) must lie between 0 and 1"),
        (
            lambda: correlation_curve(MeanField("tanh", 0.5)),
            "goes to 0 with depth; give the variance",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
