"""Two samples of one law: what a peer drew against what jinit draws.

Each comparison makes four tests at 1e-7 each: the Kolmogorov-Smirnov distance, the difference of
the means, the ratio of the standard deviations, and the share of values in the tails, by which a
truncated normal differs from one that is not. This room makes fewer than 250 comparisons, so that
a correct session fails once in ten thousand.
"""

import math

import numpy as np

# P(|z| > Z) = 1e-7 for a standard normal.
Z = 5.33
# P(sqrt(n) D > KS) = 1e-7: 2 exp(-2 KS^2).
KS = math.sqrt(-math.log(1e-7 / 2) / 2)
# In standard deviations: a normal cut at 2 of its own, widened or not, has nothing beyond 2.274,
# and a normal 2%.
TAIL = 2.3
# The largest E(w - mean)^4 / std^4 of the laws compared: a normal's.
KURTOSIS = 3.0


def assert_twins(ours, theirs, *, kurtosis: float = KURTOSIS) -> None:
    """Independent samples of one distribution; constants must be equal."""
    ours, theirs = (np.asarray(a, np.float64) for a in (ours, theirs))
    assert ours.shape == theirs.shape
    ours, theirs = ours.ravel(), theirs.ravel()
    if np.ptp(theirs) == 0:
        np.testing.assert_array_equal(ours, theirs)
        return
    n = ours.size
    assert n >= 20_000, "too few values to tell laws apart"
    _assert_close_distributions(ours, theirs)
    std = theirs.std()
    assert abs(ours.mean() - theirs.mean()) < Z * std * math.sqrt(2 / n)
    # The relative error of a standard deviation from n values is sqrt((kurtosis - 1) / 4n).
    assert abs(ours.std() / std - 1) < Z * math.sqrt((kurtosis - 1) / (4 * n) * 2)
    _assert_close_tails(ours - theirs.mean(), theirs - theirs.mean(), TAIL * std)


def _assert_close_tails(ours: np.ndarray, theirs: np.ndarray, bound: float) -> None:
    """Shares beyond `bound` are binomial; their difference has a variance of 2 p (1 - p) / n."""
    shares = [float((np.abs(values) > bound).mean()) for values in (ours, theirs)]
    p = sum(shares) / 2
    assert abs(shares[0] - shares[1]) <= Z * math.sqrt(2 * p * (1 - p) / ours.size)


def _assert_close_distributions(ours: np.ndarray, theirs: np.ndarray) -> None:
    ours, theirs = np.sort(ours), np.sort(theirs)
    every = np.concatenate([ours, theirs])
    gap = np.searchsorted(ours, every, "right") - np.searchsorted(theirs, every, "right")
    assert np.abs(gap).max() / ours.size < KS * math.sqrt(2 / ours.size)


def assert_isometry(weights, factor: float, columns: int = -1) -> None:
    """`weights / factor` has orthonormal rows or columns, the outputs along one axis.

    In float32 a product of unit vectors of n entries is off by less than n * 2^-23.
    """
    array = np.moveaxis(np.asarray(weights, np.float64) / factor, columns, -1)
    matrix = array.reshape(-1, array.shape[-1])
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    gram = tall.T @ tall
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=tall.shape[0] * 2.0**-23 * 4)
