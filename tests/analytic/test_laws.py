"""The numbers beneath the rules, against closed forms and brute force."""

import itertools
import math

import numpy as np
import pytest

from jinit.analytic.arrays import components_of
from jinit.analytic.axes import Axes
from jinit.analytic.components import covariance, of_covariance, product, total
from jinit.analytic.grid import gaussian_law, hermite_shares, mixed_law, moments, on_grid
from jinit.analytic.pooling import _power
from jinit.analytic.scaling import Scaling
from jinit.analytic.softmax import unevenness
from jinit.analytic.world import World

ROOT = math.sqrt(2 * math.pi)


# --- functions of a Gaussian ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "mean", "second", "error"),
    [
        (lambda z: np.maximum(z, 0), 1 / ROOT, 0.5, 1e-5),
        (np.abs, 2 / ROOT, 1.0, 1e-5),
        (np.square, 1.0, 3.0, 1e-9),
        (np.exp, math.exp(0.5), math.exp(2), 1e-9),
        (np.sin, 0.0, (1 - math.exp(-2)) / 2, 1e-12),
        (lambda z: z > 1, 0.158655, 0.158655, 1e-3),
    ],
)
def test_moments(function, mean, second, error):
    law = gaussian_law(0.0, 1.0)
    found = moments(law, function(law.nodes))
    assert found.mean == pytest.approx(mean, rel=error, abs=error)
    assert found.variance == pytest.approx(second - mean**2, rel=error, abs=error)


@pytest.mark.parametrize("c", [0.1, 0.5, 0.8])
def test_covariances_from_hermite_coefficients(c):
    """Of signs the arcsine law, of rectifiers that of Cho & Saul 2009, of exp `e (e^c - 1)`."""
    law = gaussian_law(0.0, 1.0)

    def series(values):
        shares = hermite_shares(values)[1:]
        whole = moments(law, values).variance
        return sum(s * c**k for k, s in enumerate(shares, 1)), (whole - shares.sum()) * c**13

    angle = math.acos(c)
    relu = (math.sin(angle) + (math.pi - angle) * c) / (2 * math.pi) - 1 / (2 * math.pi)
    for values, true in (
        (np.sign(law.nodes), 2 / math.pi * math.asin(c)),
        (np.maximum(law.nodes, 0), relu),
        (np.exp(law.nodes), math.e * (math.exp(c) - 1)),
    ):
        found, rest = series(values)
        assert found <= true * (1 + 1e-3)
        assert found + rest >= true * (1 - 1e-3)


def test_a_law_of_several_gaussians():
    variances = np.array([0.1, 1.0, 4.0])
    law = mixed_law(0.5, variances)
    found = moments(law, law.nodes)
    assert found.mean == pytest.approx(0.5)
    assert found.variance == pytest.approx(variances.mean(), rel=1e-6)
    fourth = law.weights @ (law.nodes - 0.5) ** 4
    assert fourth == pytest.approx(3 * np.mean(variances**2), rel=1e-4)
    many = mixed_law(0.0, np.linspace(0.5, 1.5, 5000))
    assert many.weights @ many.nodes**2 == pytest.approx(1, rel=1e-3)


def test_any_law_on_the_grid_of_a_gaussian():
    """The function of equal rank: of a uniform number's law, the normal distribution function."""
    law = gaussian_law(0.0, 1.0)
    nodes = (np.arange(4096) + 0.5) / 4096
    uniform = type(law)(nodes, np.full(4096, 1 / 4096))
    found = on_grid(uniform, nodes)
    below = np.array([0.5 * (1 + math.erf(z / math.sqrt(2))) for z in law.nodes])
    np.testing.assert_allclose(found, below, atol=1e-3)


# --- shares and extremes ----------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 8, 50])
@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0])
def test_unevenness_of_shares(count, spread):
    rng = np.random.default_rng(0)
    e = np.exp(spread * rng.normal(size=(100_000, count)))
    shares = e / e.sum(axis=1, keepdims=True)
    squares = np.sum(shares**2, axis=1)
    law = gaussian_law(0.0, spread**2)
    found = unevenness(np.exp(law.nodes[::10]), law.weights[::10] / law.weights[::10].sum(), count)
    assert found == pytest.approx(squares.mean(), abs=5 * squares.std() / math.sqrt(len(squares)))


def test_the_greatest_of_several():
    """Of two normal numbers it has mean 1/sqrt(pi) and variance 1 - 1/pi."""
    law = gaussian_law(0.0, 1.0)
    for flip in (1.0, -1.0):
        greatest = _power(flip * law.nodes, law.weights, 2, flip)
        assert greatest.weights.sum() == pytest.approx(1)
        mean = greatest.weights @ greatest.nodes
        assert mean == pytest.approx(flip / math.sqrt(math.pi), rel=1e-2)
        second = greatest.weights @ np.square(greatest.nodes)
        assert second - mean**2 == pytest.approx(1 - 1 / math.pi, rel=1e-2)


# --- components -------------------------------------------------------------------------------


def test_covariances_and_components_are_each_other():
    a, b = frozenset({0}), frozenset({1})
    components = {frozenset(): 0.5, a: 1.0, a | b: 2.0}
    again = of_covariance(components, lambda agree: covariance(components, agree))
    assert again == components
    assert total(components) == 3.5
    assert covariance(components, a) == 1.5


def test_products_of_covariances():
    rng = np.random.default_rng(1)
    sets = [frozenset(s) for n in range(3) for s in itertools.combinations((0, 1), n)]
    one, other = ({s: rng.uniform() for s in sets} for _ in range(2))
    both = product(one, other)
    for agree in sets:
        assert covariance(both, agree) == pytest.approx(
            covariance(one, agree) * covariance(other, agree)
        )


@pytest.mark.parametrize("shape", [(5,), (4, 3), (3, 2, 4), (4, 1, 3)])
def test_components_of_an_array_are_means_over_pairs(shape):
    """Brute force: the mean product of all pairs of entries that agree along T alone."""
    array = np.random.default_rng(2).normal(size=shape)
    array -= array.mean()
    names = [frozenset({position}) for position in range(len(shape))]
    components = components_of(array, names)
    varying = [position for position, size in enumerate(shape) if size > 1]
    sums, counts = {}, {}
    for p, q in itertools.product(np.ndindex(*shape), repeat=2):
        agree = frozenset(n for n in varying if p[n] == q[n])
        sums[agree] = sums.get(agree, 0.0) + array[p] * array[q]
        counts[agree] = counts.get(agree, 0) + 1
    for agree, value in sums.items():
        assert covariance(components, agree) == pytest.approx(value / counts[agree], abs=1e-12)


def test_an_average_and_what_it_is_taken_of():
    """Var x = 1 and of the mean of n of them 1/n, which is also their covariance."""
    world = World(Scaling(1.0, "std", frozenset(), ()))
    places = world.axes.places((8, 5))
    x = world.fresh(places, (8, 5), 0.0, {frozenset(places[0] + places[1]): 1.0})
    (atom,) = x.terms
    average = type(x)(places, (8, 5), 0.0, {atom._replace(over=frozenset(places[1])): 1.0})
    assert world.variance(average) == pytest.approx(1 / 5)
    assert total(world.components(x, average)) == pytest.approx(1 / 5)
    rest = type(x)(places, (8, 5), 0.0, {**x.terms, **average.times(-1.0).terms})
    assert world.variance(rest) == pytest.approx(1 - 1 / 5)
    # Two entries of one row are left with -1/n: they sum to 0.
    row = frozenset(world.axes.known(places[0]))
    assert covariance(world.components(rest), row) == pytest.approx(-1 / 5)


# --- names ------------------------------------------------------------------------------------


def test_axes_are_split_merged_and_renamed():
    axes = Axes()
    (a,), (b,) = axes.new(6), axes.new(4)
    assert axes.new(1) == ()
    rows, columns = axes.regrouped((a, b), (3, 8))
    assert axes.size(rows) == 3
    assert axes.known((a,)) == (*rows, columns[0])
    assert columns[1:] == (b,)
    assert axes.regrouped((b,), (3,)) is None
    assert axes.regrouped((*rows,), (2, 2)) is None
    (c,) = axes.new(4)
    axes.rename(c, b)
    assert axes.known((c,)) == (b,)
    assert axes.aligned(axes.new(6), axes.new(4)) is None
