"""Cases of Mamba's step sizes and decay rates."""

import numpy as np
from catalogue import Case
from oracles import assert_uniform

import jinit


def _log_steps(low: float, high: float):
    """log softplus(b) is uniform."""

    def check(weights: np.ndarray) -> None:
        steps = np.log(np.log1p(np.exp(weights)))
        assert_uniform(steps, np.log(low), np.log(high))

    return check


def _log_integers(weights: np.ndarray) -> None:
    np.testing.assert_allclose(weights, np.log([[1, 2, 3, 4]] * 3), rtol=1e-6)


def _rates(low: float, high: float):
    return lambda weights: assert_uniform(np.exp(weights), low, high)


CASES = [
    Case(jinit.mamba_dt_bias(), (4000,), check=_log_steps(1e-3, 0.1), complexes=False, empty=(0,)),
    Case(jinit.mamba_dt_bias(0.01, 2.0), (4, 1000), check=_log_steps(0.01, 2.0), complexes=False),
    Case(jinit.mamba_a_log(), (3, 4), check=_log_integers, random=False, empty=(3, 0)),
    Case(jinit.mamba2_a_log(), (4000,), check=_rates(1, 16), complexes=False, empty=(0,)),
    Case(jinit.mamba2_a_log(0.5, 0.6), (4000,), check=_rates(0.5, 0.6), complexes=False),
]
