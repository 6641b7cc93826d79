"""Cases of initializers made of other initializers."""

import numpy as np
from catalogue import Case, normal_moments, uniform_moments
from oracles import assert_law, assert_normal, assert_uniform
from scipy.special import ndtr

import jinit

STRIPES = np.arange(50) % 3 == 0


def _rows_scaled(weights: np.ndarray) -> None:
    assert_normal(weights[0], 0.25)
    assert_normal(weights[1], 1.0)


def _negated(weights: np.ndarray) -> None:
    assert_uniform(weights, -2.0, 3.0)


def _orthogonal(weights: np.ndarray) -> None:
    np.testing.assert_allclose(weights.T @ weights, 9 * np.eye(8), atol=1e-4)


def _striped(weights: np.ndarray) -> None:
    assert (weights[:, ~STRIPES] == 0).all()
    assert_normal(weights[:, STRIPES], 0.5)


def _without_rows(weights: np.ndarray) -> None:
    assert (weights[[1, 49]] == 0).all()
    assert_normal(np.delete(weights, [1, 49], axis=0), 0.125)


def _without_columns(weights: np.ndarray) -> None:
    assert (weights[:, 0] == 0).all()
    assert_normal(weights[:, 1:], 0.5)


def _plain(weights: np.ndarray) -> None:
    assert_normal(weights, 0.5)


def _cut(low: float, high: float):
    """A standard normal, moved onto the ends beyond them."""

    def check(weights: np.ndarray) -> None:
        assert weights.min() >= low
        assert weights.max() <= high
        n = weights.size
        for end, share, there in [
            (low, ndtr(low), (weights == np.float32(low)).mean()),
            (high, ndtr(-high), (weights == np.float32(high)).mean()),
        ]:
            if np.isfinite(end):
                assert abs(there - share) < 5.33 * np.sqrt(share * (1 - share) / n)
        inside = weights[(weights > low) & (weights < high)]
        inner = ndtr(high) - ndtr(low)
        assert_law(inside, lambda x: (ndtr(x) - ndtr(low)) / inner)

    return check


CASES = [
    Case(jinit.scaled(jinit.normal(0.5), 4.0), (60, 100), normal_moments(2.0), empty=(0,)),
    Case(jinit.scaled(jinit.normal(1.0, mean=3.0), 0.5), (60, 100), normal_moments(0.5, 1.5)),
    Case(jinit.scaled(jinit.uniform(1.0), 3.0), (60, 100), uniform_moments(0, 3), complexes=False),
    Case(jinit.scaled(jinit.he_uniform(), 0.5), (24, 200), uniform_moments(-0.25, 0.25)),
    Case(
        jinit.scaled(jinit.zero_rows(jinit.normal(1.0), None), [0.25, 1.0], axis=0),
        (2, 3000),
        check=_rows_scaled,
    ),
    Case(
        jinit.scaled(jinit.uniform(low=-3.0, high=2.0), -1.0),
        (60, 100),
        check=_negated,
        complexes=False,
    ),
    Case(jinit.scaled(jinit.orthogonal(), 3.0), (16, 8), check=_orthogonal),
    Case(jinit.masked(jinit.normal(0.5), STRIPES), (100, 50), check=_striped, empty=(0, 50)),
    Case(jinit.zero_rows(jinit.embedding(), [1, -1]), (50, 64), check=_without_rows, empty=(2, 0)),
    Case(jinit.zero_rows(jinit.normal(0.5), 0, axis=1), (60, 100), check=_without_columns),
    Case(jinit.zero_rows(jinit.normal(0.5), None), (60, 100), check=_plain, empty=(0,)),
    Case(
        jinit.clipped(jinit.normal(1.0), -0.5, 1.0),
        (60, 100),
        check=_cut(-0.5, 1.0),
        complexes=False,
        empty=(0,),
    ),
    Case(
        jinit.clipped(jinit.normal(1.0), high=0.0),
        (60, 100),
        check=_cut(-np.inf, 0.0),
        complexes=False,
    ),
    Case(jinit.from_function(jinit.normal(0.5)), (60, 100), check=_plain, empty=(0,)),
]
