"""Cases of the plain distributions and of the constants."""

import numpy as np
from catalogue import (
    Case,
    Moments,
    disk_std,
    normal_moments,
    truncated_modulus_std,
    truncated_moments,
    uniform_moments,
)

import jinit

SHAPE = (64, 100)


def _shifted(moments: Moments, by: float) -> Moments:
    return Moments(
        moments.mean + by, moments.std, moments.kurtosis, moments.low + by, moments.high + by
    )


def _equals(expected) -> object:
    def check(weights: np.ndarray) -> None:
        np.testing.assert_array_equal(weights, np.broadcast_to(expected, weights.shape))

    return check


def _fixed(init, shape, expected, *, floats=False, empty=(0, 3)) -> Case:
    return Case(init, shape, check=_equals(expected), random=False, floats=floats, empty=empty)


CASES = [
    Case(jinit.uniform(), SHAPE, uniform_moments(0, 0.01), complexes=False, empty=(0,)),
    Case(jinit.uniform(0.3), SHAPE, uniform_moments(0, 0.3), complexes=False, empty=(0,)),
    Case(jinit.uniform(low=-1.0, high=3.0), SHAPE, uniform_moments(-1, 3), complexes=False),
    Case(
        jinit.uniform(bound=0.2),
        SHAPE,
        uniform_moments(-0.2, 0.2),
        modulus=disk_std(0.2),
        empty=(3, 0),
    ),
    Case(jinit.uniform(stddev=0.2), SHAPE, uniform_moments(-0.2 * 3**0.5, 0.2 * 3**0.5)),
    Case(jinit.normal(), SHAPE, normal_moments(0.01), empty=(0,)),
    Case(jinit.normal(0.5, mean=2.0), SHAPE, normal_moments(0.5, 2.0)),
    Case(
        jinit.truncated_normal(),
        SHAPE,
        truncated_moments(0.01),
        modulus=truncated_modulus_std(0.01, 2),
        empty=(0,),
    ),
    Case(
        jinit.truncated_normal(0.5, lower=-1.0, upper=3.0),
        SHAPE,
        truncated_moments(0.5, -1.0, 3.0),
        complexes=False,
    ),
    Case(
        jinit.truncated_normal(0.5, mean=1.0, bounds=(0.0, 2.0)),
        SHAPE,
        _shifted(truncated_moments(0.5, -2.0, 2.0), 1.0),
        modulus=truncated_modulus_std(0.5, 2),
    ),
    Case(
        jinit.truncated_normal(0.5, exact_std=True, lower=-1.0, upper=1.0),
        SHAPE,
        truncated_moments(0.5 / truncated_moments(1.0, -1.0, 1.0).std, -1.0, 1.0),
    ),
    Case(
        jinit.truncated_normal(1.0, lower=4.0, upper=9.0),
        SHAPE,
        truncated_moments(1.0, 4.0, 9.0),
        complexes=False,
    ),
    Case(
        jinit.truncated_normal(2.0, lower=-float("inf"), upper=-3.5),
        SHAPE,
        truncated_moments(2.0, -40.0, -3.5),
        complexes=False,
    ),
    _fixed(jinit.zeros(), (3, 4), 0),
    _fixed(jinit.ones(), (3, 4), 1),
    _fixed(jinit.constant(3), (3, 4), 3),
    _fixed(jinit.constant([1.0, 2.0]), (3, 2), [1.0, 2.0], empty=(0, 2)),
    _fixed(jinit.from_array([[1.0, 2.0], [3.0, 4.0]]), (2, 2), [[1, 2], [3, 4]], empty=None),
]
