"""Cases of the biases of gated cells."""

import numpy as np
from catalogue import Case
from oracles import assert_uniform

import jinit

UNITS = 2000


def _forget_block(weights: np.ndarray) -> None:
    np.testing.assert_array_equal(weights, [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0])


def _per_unit(weights: np.ndarray) -> None:
    np.testing.assert_array_equal(weights, [[0, 0, 0, 0, 3, 6, 0, 0]] * 2)


def _tied(order: str, low: float, high: float, uniform):
    """The gates of `order`: u = uniform(b_f) from U[low, high), b_i = -b_f, the others zero."""

    def check(weights: np.ndarray) -> None:
        blocks = dict(zip(order, np.split(weights, len(order), axis=-1), strict=True))
        forget = blocks.pop("f")
        assert_uniform(uniform(forget), low, high, rounding=1e-5)
        if "i" in blocks:
            np.testing.assert_array_equal(blocks.pop("i"), -forget)
        assert all((block == 0).all() for block in blocks.values())

    return check


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


CASES = [
    Case(jinit.lstm_bias(), (12,), check=_forget_block, random=False, empty=(0,)),
    Case(jinit.lstm_bias([3.0, 6.0], gates="igfo"), (2, 8), check=_per_unit, random=False),
    Case(
        jinit.chrono_bias(50),
        (4 * UNITS,),
        check=_tied("ifgo", 1, 49, np.exp),
        complexes=False,
        empty=(0,),
    ),
    Case(
        jinit.chrono_bias(1000.0, gates="igfo"),
        (2, 4 * UNITS),
        check=_tied("igfo", 1, 999, np.exp),
        complexes=False,
    ),
    Case(
        jinit.uniform_gate_bias(),
        (4 * UNITS,),
        check=_tied("ifgo", 1 / UNITS, 1 - 1 / UNITS, _sigmoid),
        complexes=False,
        empty=(3, 0),
    ),
    Case(
        jinit.uniform_gate_bias(gates="f"),
        (100, 20),
        check=_tied("f", 1 / 20, 1 - 1 / 20, _sigmoid),
        complexes=False,
    ),
]
