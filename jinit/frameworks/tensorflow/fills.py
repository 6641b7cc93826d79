"""`tf.compat.v1`: what does not depend on fans.

May import: numpy, `jinit.core`, `jinit.initializer`, `jinit.schemes`, and of `jinit.frameworks`
arguments, borrowing, shapes.

An int as `seed` binds a key, and the initializer is then called with the shape alone: see
`jinit.frameworks.seeding`. TensorFlow 2's classes are Keras': `jinit.frameworks.keras`.

Reference: TensorFlow 1.15, `tensorflow/python/ops/init_ops.py`.
"""

import math
from typing import Any

import numpy as np

from jinit.checks import check_number
from jinit.core.inputs import check_holds
from jinit.core.laws import Constant
from jinit.frameworks.arguments import check_ends
from jinit.frameworks.borrowing import borrow
from jinit.frameworks.shapes import of_rank
from jinit.initializer import Elementwise, Recipe
from jinit.schemes.constants import ones, zeros
from jinit.schemes.distributions import normal, truncated_normal, uniform
from jinit.schemes.identities import identity

__all__ = [
    "constant_initializer",
    "identity_initializer",
    "ones_initializer",
    "random_normal_initializer",
    "random_uniform_initializer",
    "truncated_normal_initializer",
    "zeros_initializer",
]


@borrow("tensorflow", keyless=True)
def zeros_initializer(dtype: Any = None) -> Recipe:
    """All zeros: `W = 0`.

    Args:
        dtype: dtype of the weights, unless the call gives one.
    """
    return zeros().recipe


@borrow("tensorflow", keyless=True)
def ones_initializer(dtype: Any = None) -> Recipe:
    """All ones: `W = 1`.

    Args:
        dtype: dtype of the weights, unless the call gives one.
    """
    return ones().recipe


@borrow("tensorflow", keyless=True)
def constant_initializer(value: Any = 0, dtype: Any = None) -> Recipe:
    """Given values in order, the last one repeated until the weights are full.

    Args:
        value: a number, or an array or nested lists of numbers.
        dtype: dtype of the weights, unless the call gives one; any dtype that holds `value`.

    Raises:
        ValueError: when drawing, there are more values than weights.

    >>> constant_initializer([1.0, 2.0])(None, (2, 2)).tolist()
    [[1.0, 2.0], [2.0, 2.0]]

    Differences: `jinit.constant` broadcasts, and `jinit.from_array` wants the very shape.
    """
    values = np.asarray(check_number("value", value)).reshape(-1)

    def law(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Constant:
        size = math.prod(shape)
        if 0 < size < values.size:
            raise ValueError(
                f"`value` has {values.size} elements and weights of {shape} have {size}; "
                "TensorFlow fills up what is too short, and refuses what is too long"
            )
        check_holds("`value`", values, dtype)
        places = np.minimum(np.arange(size), values.size - 1)
        return Constant(values[places].reshape(shape) if values.size > 1 else values[0])

    return Elementwise(law, inexact=False)


@borrow("tensorflow")
def random_uniform_initializer(
    minval: float = 0, maxval: float | None = None, seed: int | None = None, dtype: Any = None
) -> Recipe:
    """Uniform: `W ~ U[minval, maxval)`, by default U[0, 1).

    Args:
        minval: lower end.
        maxval: upper end; None is 1.
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.

    >>> random_uniform_initializer(-0.1, 0.1).law((8, 8))
    Uniform(low=-0.1, high=0.1, scale=1.0)

    Differences: Keras' is U[-0.05, 0.05) by default, JAX's U[0, 0.01).
    """
    maxval = 1.0 if maxval is None else maxval
    check_ends(minval=minval, maxval=maxval)
    return uniform(low=minval, high=maxval).recipe


@borrow("tensorflow")
def random_normal_initializer(
    mean: float = 0.0, stddev: float = 1.0, seed: int | None = None, dtype: Any = None
) -> Recipe:
    """Normal: `W ~ N(mean, stddev^2)`, not truncated.

    Args:
        mean: mean.
        stddev: standard deviation.
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.

    Differences: Keras' `stddev` is 0.05 by default, JAX's 0.01.
    """
    return normal(stddev, mean=mean).recipe


@borrow("tensorflow")
def truncated_normal_initializer(
    mean: float = 0.0, stddev: float = 1.0, seed: int | None = None, dtype: Any = None
) -> Recipe:
    """Truncated normal: `W ~ N(mean, stddev^2)` cut at 2 stddev and not widened again.

    Args:
        mean: mean.
        stddev: standard deviation before truncation; after it, 0.88 of that.
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.

    >>> print(f"{truncated_normal_initializer(stddev=0.02).std((8, 8)):.5f}")
    0.01759
    """
    return truncated_normal(stddev, mean=mean).recipe


@borrow("tensorflow", keyless=True)
def identity_initializer(gain: float = 1.0, dtype: Any = None) -> Recipe:
    """Identity matrix: `W[i, i] = gain`, zeros elsewhere; two axes, square or not.

    Args:
        gain: value on the diagonal.
        dtype: dtype of the weights, unless the call gives one.

    Raises:
        ValueError: when drawing, the shape does not have two axes.
    """
    return of_rank(identity(gain).recipe, "TensorFlow's identity_initializer", 2)
