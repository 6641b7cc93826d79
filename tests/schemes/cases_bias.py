"""Cases of biases."""

import numpy as np
from catalogue import Case, disk_std, uniform_moments

import jinit


def _equals(expected):
    def check(weights: np.ndarray) -> None:
        np.testing.assert_allclose(weights, expected, rtol=2e-6)

    return check


def _fixed(init, shape, expected, empty=None) -> Case:
    return Case(init, shape, check=_equals(expected), random=False, empty=empty)


CASES = [
    Case(
        jinit.torch_bias(25),
        (4000,),
        uniform_moments(-0.2, 0.2),
        modulus=disk_std(0.2),
        empty=(0,),
    ),
    Case(jinit.torch_bias(4.0), (40, 100), uniform_moments(-0.5, 0.5), modulus=disk_std(0.5)),
    _fixed(jinit.prior_bias(0.01), (2, 3), np.full((2, 3), -np.log(99.0)), empty=(0,)),
    _fixed(jinit.prior_bias(np.array([0.5, 0.75])), (2,), [0, np.log(3.0)]),
    _fixed(jinit.prior_bias(counts=[1, 3]), (2,), [np.log(0.25), np.log(0.75)]),
    _fixed(jinit.prior_bias(counts=[0, 2], smoothing=1.0), (2,), [np.log(0.25), np.log(0.75)]),
]
