"""Cases of the identities."""

import numpy as np
from catalogue import Case

import jinit


def _case(init, shape, expected, empty=None) -> Case:
    expected = np.broadcast_to(expected, shape)

    def check(weights: np.ndarray) -> None:
        np.testing.assert_array_equal(weights, expected)

    return Case(init, shape, check=check, random=False, floats=False, empty=empty)


def _kernel(shape, ones, gain=1.0) -> np.ndarray:
    kernel = np.zeros(shape)
    for place in ones:
        kernel[place] = gain
    return kernel


CASES = [
    _case(jinit.identity(3), (3, 5), 3 * np.eye(3, 5), (0, 2)),
    _case(jinit.identity(), (2, 5, 3), np.eye(5, 3), (0, 2, 2)),
    _case(
        jinit.dirac(-2, groups=2),
        (4, 3, 1, 6),
        _kernel((4, 3, 1, 6), [(2, 1, 0, 0), (2, 1, 0, 3)], -2),
        (3, 3, 0, 2),
    ),
    _case(
        jinit.dirac(layout="OI..."),
        (2, 3, 1, 2, 5),
        _kernel((2, 3, 1, 2, 5), [(0, 0, 0, 1, 2), (1, 1, 0, 1, 2)]),
    ),
]
