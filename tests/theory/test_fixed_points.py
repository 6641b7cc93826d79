"""Fixed points and depth scales against iteration, closed forms and published behaviour."""

import math

import numpy as np
import pytest

from jinit.theory import MeanField, depth_scale, depth_scales, fixed_point, phase_diagram
from jinit.theory.fixed_points import fixed_variance
from jinit.theory.roots import bisected, doubled


@pytest.mark.parametrize(
    ("name", "sigma_w", "sigma_b"),
    [
        ("tanh", 0.8, 0.4),
        ("tanh", 2.0, 0.1),
        ("relu", 1.1, 0.5),
        ("sigmoid", 3.0, 0.2),
        ("sin", 1.5, 0.3),
    ],
)
def test_where_many_layers_lead(name, sigma_w, sigma_b):
    field = MeanField(name, sigma_w, sigma_b)
    found = fixed_point(field)
    q = field.variances(1.0, 150)
    assert found.q == pytest.approx(q[-1], rel=1e-9)
    c = 0.3
    for _ in range(120):
        c = field.correlation(c, found.q)
    assert found.c == pytest.approx(c, abs=1e-3 if found.xi_c > 15 else 1e-7)


def test_depth_scales_are_the_rates_of_approach():
    field = MeanField("tanh", 2.0, 0.3)
    found = fixed_point(field)
    assert found.phase == "chaotic"
    q = field.variances(found.q * 1.001, 1)
    shrunk = (q[1] - found.q) / (q[0] - found.q)
    assert math.exp(-1 / found.xi_q) == pytest.approx(shrunk, rel=2e-3)
    c = found.c + 1e-4
    shrunk = (field.correlation(c, found.q) - found.c) / 1e-4
    assert math.exp(-1 / found.xi_c) == pytest.approx(shrunk, rel=1e-3)
    assert math.exp(1 / found.xi_gradient) == pytest.approx(found.chi, rel=1e-12)


def test_relu_at_its_one_critical_point_keeps_what_it_is_given():
    for q in (0.01, 1.0, 40.0):
        found = fixed_point(MeanField("relu", math.sqrt(2)), q)
        assert (found.q, found.c, found.chi, found.phase) == (q, 1.0, 1.0, "critical")
        assert found.xi_q == found.xi_c == found.xi_gradient == math.inf


@pytest.mark.parametrize(
    ("name", "sigma_w", "sigma_b", "q", "chi"),
    [
        ("relu", 2.0, 0.0, math.inf, 2.0),
        ("relu", math.sqrt(2), 0.5, math.inf, 1.0),
        ("relu", 1.0, 0.0, 0.0, 0.5),
        ("relu", 0.5, 1e-6, 1e-12 / 0.875, 0.125),
        ("relu", 1.0, 0.5, 0.5, 0.5),  # sigma_b**2 / (1 - sigma_w**2 / 2)
        ("tanh", 0.9, 0.0, 0.0, 0.81),
        ("tanh", 1.0, 0.0, 0.0, 1.0),
        ("linear", 0.5, 1.0, 4 / 3, 0.25),
    ],
)
def test_variances_that_die_grow_or_stay(name, sigma_w, sigma_b, q, chi):
    found = fixed_point(MeanField(name, sigma_w, sigma_b))
    assert found.q == pytest.approx(q, rel=1e-9)
    assert found.chi == pytest.approx(chi, rel=1e-9)


@pytest.mark.parametrize("sigma_w", [1.41, 1.5, 3.0])
def test_past_the_edge_correlations_settle_beneath_one(sigma_w):
    field = MeanField("tanh", sigma_w, 0.3)
    found = fixed_point(field)
    assert found.chi > 1 > found.correlation_slope
    assert 0 < found.c < 0.99
    assert field.correlation(found.c, found.q) == pytest.approx(found.c, rel=1e-12)
    slope = field.correlation_slope(found.c, found.q)
    assert found.correlation_slope == pytest.approx(slope, rel=1e-6)


def test_odd_functions_without_biases_scatter_all_inputs():
    found = fixed_point(MeanField("tanh", 1.5))
    assert found.c == pytest.approx(0.0, abs=1e-12)


def test_a_linear_network_keeps_every_correlation():
    found = fixed_point(MeanField("linear", 1.0))
    assert math.isnan(found.c)
    assert found.xi_c == math.inf


def test_close_to_the_edge_the_depth_scale_diverges():
    """Schoenholz et al. 2017: xi_c is largest at the edge of chaos, and infinite there."""
    scales = depth_scales("tanh", [1.2, 1.39, 1.3955839751549017, 1.4, 1.6], 0.3)
    assert np.argmax(scales.xi_c) == 2
    assert scales.xi_c[2] > 1e5
    assert scales.xi_c[1] > 100
    assert scales.xi_c[3] > 100
    assert (scales.xi_q < 2).all()
    assert scales.xi_gradient[0] == pytest.approx(scales.xi_c[0])


def test_the_phase_diagram_is_the_fixed_points():
    diagram = phase_diagram("tanh", [0.5, 1.5, 3.0], [0.1, 0.7])
    for row, sigma_b in enumerate(diagram.sigma_b):
        for column, sigma_w in enumerate(diagram.sigma_w):
            field = MeanField("tanh", sigma_w, sigma_b)
            q = fixed_variance(field)
            assert diagram.q[row, column] == pytest.approx(q, rel=2e-3)
            assert diagram.chi[row, column] == pytest.approx(field.chi(q), rel=2e-3)
    relu = phase_diagram("relu", [1.0, 2.0], [0.0, 0.5])
    np.testing.assert_array_equal(relu.q[:, 1], [np.inf, np.inf])
    assert relu.q[0, 0] == 0
    assert relu.q[1, 0] == pytest.approx(0.5, rel=1e-3)
    np.testing.assert_allclose(relu.chi, [[0.5, 2.0], [0.5, 2.0]], rtol=1e-9)


def test_depth_scale_of_special_slopes():
    assert depth_scale(1.0) == math.inf
    assert depth_scale(0.0) == 0.0
    assert depth_scale(-0.5) == depth_scale(2.0) == pytest.approx(1 / math.log(2))


def test_roots():
    assert doubled(lambda x: 1.0, 1.0, 50.0) is None
    assert doubled(lambda x: x - 0.1, 1.0, 1e-3) == (0.125, 0.0625)
    assert bisected(lambda x: math.exp(x) - 5, 0.0, 10.0) == pytest.approx(math.log(5), rel=1e-14)


def test_errors():
    with pytest.raises(ValueError, match=r"`q` \(=0\) must be > 0"):
        fixed_point(MeanField("tanh", 1.0), 0)
