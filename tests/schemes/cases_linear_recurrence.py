"""Cases of linear recurrent units."""

import numpy as np
from catalogue import Case
from oracles import assert_uniform

import jinit


def _ring(r_min: float, r_max: float):
    """|lambda|^2 = exp(-2 exp(nu_log)) is uniform between the squared radii."""

    def check(weights: np.ndarray) -> None:
        assert_uniform(np.exp(-2 * np.exp(weights)), r_min**2, r_max**2)

    return check


def _phases(max_phase: float):
    return lambda weights: assert_uniform(np.exp(weights), 0, max_phase, rounding=1e-5)


def _case(init, shape, check) -> Case:
    return Case(init, shape, check=check, complexes=False, empty=(0,))


CASES = [
    _case(jinit.lru_nu_log(), (4000,), _ring(0, 1)),
    _case(jinit.lru_nu_log(0.9, 0.999), (4, 1000), _ring(0.9, 0.999)),
    _case(jinit.lru_theta_log(), (4000,), _phases(2 * np.pi)),
    _case(jinit.lru_theta_log(0.314), (4, 1000), _phases(0.314)),
]
