"""Cases of state matrices, entry by entry from their formulas."""

from math import pi, sqrt

import numpy as np
from catalogue import Case

import jinit


def _equals(expected):
    def check(weights: np.ndarray) -> None:
        np.testing.assert_allclose(weights, np.broadcast_to(expected, weights.shape), rtol=2e-6)

    return check


def _fixed(init, shape, expected, empty=None) -> Case:
    return Case(init, shape, check=_equals(expected), random=False, empty=empty)


LEGS = [
    [-1, 0, 0, 0],
    [-sqrt(3), -2, 0, 0],
    [-sqrt(5), -sqrt(15), -3, 0],
    [-sqrt(7), -sqrt(21), -sqrt(35), -4],
]

CASES = [
    _fixed(jinit.hippo_legs(), (4, 4), LEGS, empty=(0, 0)),
    _fixed(jinit.hippo_legs(), (2, 4, 4), LEGS),
    _fixed(jinit.hippo_legs_input(), (2, 4), [1, sqrt(3), sqrt(5), sqrt(7)], empty=(0,)),
    _fixed(jinit.s4d_lin(part="imag"), (2, 3), [0, pi, 2 * pi], empty=(0,)),
    _fixed(jinit.s4d_lin(part="real"), (3,), [-0.5, -0.5, -0.5]),
    # N = 6: (6 / pi) (6 / 1 - 1), (6 / pi) (6 / 3 - 1), (6 / pi) (6 / 5 - 1)
    _fixed(jinit.s4d_inv(part="imag"), (2, 3), [30 / pi, 6 / pi, 1.2 / pi], empty=(3, 0)),
    _fixed(jinit.s4d_inv(part="real"), (3,), [-0.5, -0.5, -0.5]),
    _fixed(jinit.s4d_real(), (2, 3), [-1, -2, -3], empty=(0,)),
]
