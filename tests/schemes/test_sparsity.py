"""Sparse columns: exact counts at uniformly random places; and columns that sum to one."""

import re

import jax
import numpy as np
import pytest
from scipy import stats
from structures import Z, counts, draw, label, sums

import jinit

KEY = jax.random.key(8)


@pytest.mark.parametrize(
    ("init", "shape", "check"),
    [
        (jinit.sparse(0.75), (50, 80), counts(0, 12, 0.01)),
        (jinit.sparse(0.3), (5, 200), counts(0, 3, 0.01)),
        (jinit.sparse(0), (5, 200), counts(0, 5, 0.01)),
        (jinit.sparse(1.0), (5, 20), counts(0, 0, 0.01)),
        (jinit.sparse(0.9, in_axis=-1, out_axis=-2), (70, 30), counts(1, 3, 0.01)),
        (
            jinit.sparse(0.75, 3.0, in_axis=1, out_axis=(2, 3), batch_axis=0),
            (4, 20, 5, 6),
            counts(1, 5, 3.0),
        ),
        (jinit.sparse(nonzeros=0), (5, 20), counts(0, 0, 0.01)),
        (jinit.positive_unitball(in_axis=1, out_axis=0), (20, 5, 3, 2), sums((1, 2, 3))),
        (jinit.positive_unitball(batch_axis=0), (4, 5, 3), sums(1)),
    ],
    ids=label,
)
def test_structure(init, shape, check):
    check(draw(init, shape))


@pytest.mark.parametrize(
    ("sparsity", "inputs", "zeros"),
    [(0.07, 100, 7), (0.1, 10, 1), (0.55, 100, 55), (0.071, 100, 8), (0.701, 10, 8), (0.0, 3, 0)],
)
def test_a_fraction_means_its_decimal(sparsity, inputs, zeros):
    """0.07 * 100 in floats is 7.000000000000001, whose ceiling is 8."""
    kept = jinit.sparse(sparsity, stddev=1.0).std((inputs, 2)) ** 2 * inputs
    assert kept == pytest.approx(inputs - zeros)


def test_places_are_uniform_and_independent():
    """All 10 pairs of 5 inputs are as frequent, also given the pair of the output before.

    Chi-square at a false alarm in 10^7.
    """
    outputs = 20_001
    kept = draw(jinit.sparse(nonzeros=2), (5, outputs)) != 0
    subset = (kept * 2 ** np.arange(5)[:, None]).sum(0)
    names, index = np.unique(subset, return_inverse=True)
    assert len(names) == 10
    single = np.bincount(index)
    assert stats.chisquare(single).pvalue > 1e-7
    pairs = np.bincount(10 * index[1:] + index[:-1], minlength=100)
    assert stats.chisquare(pairs).pvalue > 1e-7


def test_values_do_not_know_their_places():
    """Of two inputs one is kept; if places came from the same bits, it would be the smaller."""
    keys = jax.random.split(KEY, 2000)
    weights = jax.vmap(lambda key: jinit.sparse(0.5, 1.0)(key, (2, 1)))(keys)
    values = np.asarray(weights).sum((1, 2))
    assert values.shape == (2000,)
    assert abs(values.mean()) < Z / np.sqrt(2000)


def test_share_of_two_uniform_numbers():
    """W = U / (U + V): P(W < w) = w / (2 - 2 w) below a half, and symmetric."""
    first, second = draw(jinit.positive_unitball(), (2, 5000))
    np.testing.assert_allclose(first + second, 1, rtol=1e-6)

    def cdf(w):
        below = np.minimum(w, 1 - w)
        half = below / (2 - 2 * below)
        return np.where(w < 0.5, half, 1 - half)

    assert stats.kstest(first, cdf).pvalue > 1e-7


def test_a_single_input_has_all_the_weight():
    np.testing.assert_array_equal(draw(jinit.positive_unitball(), (1, 50)), 1)


@pytest.mark.parametrize(
    ("init", "shape", "expected"),
    [
        (jinit.sparse(0.75), (40, 3), 0.005),
        (jinit.sparse(nonzeros=4, stddev=3.0), (16, 3), 1.5),
        (jinit.sparse(0.75), (0, 3), 0.0),
        (jinit.positive_unitball(), (4, 3), None),
    ],
)
def test_stated_std(init, shape, expected):
    assert init.std(shape) == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "`sparsity` (=None) and `nonzeros` (=None) each say how many weights are zero"),
        ({"sparsity": 0.5, "nonzeros": 3}, "`sparsity` (=0.5) and `nonzeros` (=3) each say"),
        ({"sparsity": 1.5}, "`sparsity` (=1.5) must lie between 0 and 1"),
        ({"sparsity": -0.1}, "`sparsity` (=-0.1) must lie between 0 and 1"),
        ({"sparsity": float("nan")}, "`sparsity` (=nan) must lie between 0 and 1"),
        ({"nonzeros": -1}, "`nonzeros` (=-1) must be at least 0"),
        ({"sparsity": 0.5, "stddev": -1.0}, "`stddev` (=-1.0) must be >= 0"),
        ({"sparsity": 0.5, "in_axis": -1}, "`in_axis` (=-1) and `out_axis` (=-1) both name"),
    ],
)
def test_a_wrong_configuration_is_refused_at_once(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        jinit.sparse(**options)


def test_a_sparsity_that_is_no_number_is_refused_at_once():
    with pytest.raises(TypeError, match=r"`sparsity` \(='half'\) must be a number"):
        jinit.sparse("half")
    with pytest.raises(TypeError, match=r"`nonzeros` \(=1.5\) must be an int"):
        jinit.sparse(nonzeros=1.5)


def test_a_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"`nonzeros` \(=15\) exceeds the inputs \(=10\)"):
        jinit.sparse(nonzeros=15)(KEY, (10, 4))
    for init in (jinit.sparse(0.5), jinit.positive_unitball()):
        with pytest.raises(ValueError, match=r"`shape` \(=\(4,\)\) is 1-D, and a matrix needs"):
            init(KEY, (4,))
