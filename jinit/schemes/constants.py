"""Schemes without randomness: zeros, ones, a constant, given weights.

May import: numpy, `jinit.core`, `jinit.options`, `jinit.factory`.
"""

from typing import Any

import numpy as np

from jinit.core.inputs import check_broadcasts, check_holds
from jinit.core.laws import Constant
from jinit.factory import Elementwise, Recipe, scheme

__all__ = ["constant", "from_array", "ones", "zeros"]


@scheme(keyless=True)
def zeros(dtype: Any = None) -> Recipe:
    """All zeros: `W = 0`.

    For biases, and for the last layer of a residual branch or a head. A hidden kernel of zeros
    never learns: its units stay copies of each other.

    Args:
        dtype: dtype of the weights, unless the call gives one; any dtype.

    >>> import jax, jinit
    >>> jinit.zeros(jax.random.key(0), (2, 3)).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    return Elementwise(lambda shape, dtype: Constant(0), inexact=False)


@scheme(keyless=True)
def ones(dtype: Any = None) -> Recipe:
    """All ones: `W = 1`. For the scales of normalization layers.

    Args:
        dtype: dtype of the weights, unless the call gives one; any dtype.

    >>> import jax, jinit
    >>> jinit.ones(None, (3,)).tolist()
    [1.0, 1.0, 1.0]
    """
    return Elementwise(lambda shape, dtype: Constant(1), inexact=False)


@scheme(keyless=True)
def constant(value: Any, dtype: Any = None) -> Recipe:
    """Everywhere `value`: `W = value`, broadcast to the shape.

    Args:
        value: a number, or an array that broadcasts to the shape of the weights.
        dtype: dtype of the weights, unless the call gives one; any dtype that holds `value`.

    Raises:
        ValueError: when drawing, `value` does not broadcast to the shape, or an integer dtype
            cannot hold it (JAX's `constant(0.5)` silently becomes 0 there).

    >>> import jax.numpy as jnp, jinit
    >>> jinit.constant([1.0, 2.0])(None, (2, 2)).tolist()
    [[1.0, 2.0], [1.0, 2.0]]
    """
    value = np.asarray(value)[()] if isinstance(value, (list, tuple)) else value

    def law(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Constant:
        check_broadcasts("`value`", value, shape)
        check_holds("`value`", value, dtype)
        return Constant(value)

    return Elementwise(law, inexact=False)


@scheme(keyless=True)
def from_array(array: Any, dtype: Any = None) -> Recipe:
    """Copies of given weights: `W = array`, whose shape must be the shape asked for.

    For weights that come from elsewhere. Nothing is broadcast, transposed or reshaped: a shape
    that differs is an error, so that weights in another layout are never taken by accident.

    Args:
        array: the weights, as an array or nested lists of numbers.
        dtype: dtype of the result, unless the call gives one; None is JAX's default float.

    Raises:
        ValueError: when drawing, the shape differs; the message gives both.

    >>> import jinit
    >>> jinit.from_array([[1.0, 2.0]])(None, (1, 2)).tolist()
    [[1.0, 2.0]]
    """
    weights = np.asarray(array) if isinstance(array, (list, tuple)) else array

    def law(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Constant:
        found = tuple(np.shape(weights))
        if found != shape:
            hint = "; it has that shape transposed" if found[::-1] == shape else ""
            raise ValueError(
                f"`array` has shape {found}, but weights of {shape} are asked for{hint}"
            )
        check_holds("`array`", weights, dtype)
        return Constant(weights)

    return Elementwise(law, inexact=False)
