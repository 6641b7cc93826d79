"""Biases: torch's, from the fan of the kernel beside them, and those that encode class priors.

May import: numpy, `jinit.core`, `jinit.checks`, `jinit.factory`, `jinit.schemes.vectors`.
"""

import math
from typing import Any

import numpy as np

from jinit.checks import check_non_negative, check_number
from jinit.core.inputs import check_broadcasts
from jinit.core.laws import Constant, Law, Uniform
from jinit.factory import Elementwise, Recipe, scheme
from jinit.schemes.vectors import rounded_once

__all__ = ["prior_bias", "torch_bias"]


@scheme
def torch_bias(fan_in: float, dtype: Any = None) -> Recipe:
    """Torch's bias: `b ~ U[-c, c)`, `c = 1 / sqrt(fan_in)`; std = 1 / sqrt(3 fan_in).

    For models ported from PyTorch, whose linear and convolution layers start so by default. A
    bias does not show the fan of its kernel, so it is given: `jinit.compute_fans(shape).fan_in`.

    Args:
        fan_in: connections into each unit of the layer; 0 gives zeros, as in torch.
        dtype: floating or complex dtype of the bias, unless the call gives one.

    Raises:
        TypeError: `fan_in` is not a number.
        ValueError: `fan_in` is negative.

    >>> import jinit
    >>> print(f"{jinit.torch_bias(jinit.compute_fans((300, 10)).fan_in).std((10,)):.4f}")
    0.0333

    Differences: the weights beside it are `jinit.he_uniform(negative_slope=5 ** 0.5)`. For a
    transposed convolution torch's own fan is that of the out channels. Equinox draws the same
    law, but U[-1, 1) where there are no inputs.
    """
    check_non_negative("fan_in", fan_in)
    if np.ndim(fan_in):
        raise TypeError(f"`fan_in` (={fan_in!r}) must be one number")
    law: Law = Uniform(-1.0, 1.0, 1 / math.sqrt(fan_in)) if fan_in else Constant(0.0)
    return Elementwise(lambda shape, dtype: law)


@scheme(keyless=True)
def prior_bias(
    probability: Any = None, dtype: Any = None, *, counts: Any = None, smoothing: float = 0.0
) -> Recipe:
    """Prior bias: `b = log(p / (1 - p))` before a sigmoid, `b_c = log p_c` before a softmax.

    For the last layer of a classifier of rare or unbalanced classes: with small weights beside it
    the net starts by predicting the prior, and its first loss is the prior's entropy, instead of
    spending its first steps on learning the frequencies.

    Args:
        probability: for sigmoid outputs, the probability of a positive, between 0 and 1; a
            number, or an array with one for each output.
        dtype: floating or complex dtype of the bias, unless the call gives one.
        counts: for a softmax, in place of `probability`: how often each class occurs, as counts
            or frequencies.
        smoothing: added to every count, so that a class that was never seen keeps a chance.

    Raises:
        ValueError: not exactly one of `probability` and `counts` is given; a probability is not
            strictly between 0 and 1, or a count is zero or negative; when drawing, there is not
            one for each output.

    >>> import jinit
    >>> print(f"{jinit.prior_bias(0.01)(None, (1,))[0]:.4f}")
    -4.5951
    >>> [round(float(b), 4) for b in jinit.prior_bias(counts=[900, 100])(None, (2,))]
    [-0.1054, -2.3026]

    Reference: Lin et al. 2017 (arXiv:1708.02002), for the sigmoid and p = 0.01.
    """
    if (probability is None) == (counts is None):
        raise ValueError(
            f"the prior is given by `probability` (={probability!r}), for sigmoid outputs, or by "
            f"`counts` (={counts!r}), for a softmax; give one of the two"
        )
    check_non_negative("smoothing", smoothing)
    if counts is None:
        if smoothing:
            raise ValueError(f"`smoothing` (={smoothing}) belongs to `counts`; leave it out")
        return _bias("probability", _log_odds(probability))
    return _bias("counts", _log_frequencies(counts, smoothing))


def _bias(name: str, values: np.ndarray[Any, Any]) -> Recipe:
    def law(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Constant:
        if name == "counts" and shape[-1:] != values.shape:
            raise ValueError(
                f"`counts` has {values.size} classes and the bias {shape} another number; give "
                "one count for each output"
            )
        check_broadcasts(f"`{name}`", values, shape)
        return Constant(rounded_once(values, dtype))

    return Elementwise(law)


def _log_odds(probability: Any) -> np.ndarray[Any, Any]:
    p = np.asarray(check_number("probability", probability), np.float64)
    if not np.all((p > 0) & (p < 1)):
        raise ValueError(f"`probability` (={probability!r}) must be strictly between 0 and 1")
    return np.log(p) - np.log1p(-p)


def _log_frequencies(counts: Any, smoothing: float) -> np.ndarray[Any, Any]:
    n = np.asarray(check_non_negative("counts", counts), np.float64)
    if n.ndim != 1 or not n.size:
        raise ValueError(f"`counts` (={counts!r}) must be a list of one count for each class")
    if not np.all(n + smoothing > 0):
        raise ValueError(
            f"`counts` has no example of class {int(np.argmin(n))}, whose bias would be minus "
            "infinity; give `smoothing`, such as 1, or leave the class out"
        )
    shares: np.ndarray[Any, Any] = np.log(n + smoothing) - np.log(np.sum(n + smoothing))
    return shares
