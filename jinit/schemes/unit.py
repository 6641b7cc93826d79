"""Unit scaling: weights of variance one, and TensorFlow's scheme of a similar name.

May import: numpy, `jinit.core`, `jinit.checks`, `jinit.factory`.
"""

import math
from typing import Any

import numpy as np

from jinit.checks import check_non_negative
from jinit.core.laws import Normal, Uniform, half_width
from jinit.factory import Elementwise, Recipe, scheme

__all__ = ["uniform_unit_scaling", "unit_scaling"]


@scheme
def unit_scaling(dtype: Any = None) -> Recipe:
    """Unit scaling: `W ~ N(0, 1)`, every weight of every layer.

    Only for models that scale in the forward pass. Theirs multiply the output of a matrix product
    by fan_in^-1/2 (the output layer's by 1 / fan_in), its gradient for the inputs by fan_out^-1/2
    and for the weights by batch^-1/2, so that all of them have variance near 1 and fit float8
    without loss scaling. Elsewhere use `jinit.lecun_normal`.

    Args:
        dtype: floating or complex dtype of the weights, unless the call gives one.

    >>> import jinit
    >>> jinit.unit_scaling().law((784, 512))
    Normal(center=0.0, stddev=1.0)

    Reference: Blake et al. 2023 (arXiv:2303.11257) and 2024 (arXiv:2407.17465).
    """
    return Elementwise(lambda shape, dtype: Normal(0.0, 1.0))


@scheme
def uniform_unit_scaling(scale: Any = 1.0, dtype: Any = None) -> Recipe:
    """Uniform unit scaling: `W ~ U[-b, b)`, `b = scale * sqrt(3 / n)`, n all axes but the last.

    For code that comes from TensorFlow 1 (`UniformUnitScaling`) or Haiku (`UniformScaling`). On
    dense layers and convolutions it is `jinit.lecun_uniform()` times `scale`.

    Args:
        scale: a number, or an array that broadcasts to the weights.
        dtype: floating or complex dtype of the weights, unless the call gives one. Complex
            weights fill a disk, with the same E|W|^2 = scale^2 / n.

    Raises:
        ValueError: `scale` is negative.

    >>> import jinit
    >>> print(f"{jinit.uniform_unit_scaling().std((3, 3, 64, 128)) ** -2:.1f}")
    576.0

    Reference: Sussillo and Abbott 2014 (arXiv:1412.6558).
    """
    check_non_negative("scale", scale)
    return Elementwise(lambda shape, dtype: Uniform(-1.0, 1.0, scale * _bound(shape, dtype)))


def _bound(shape: tuple[int, ...], dtype: np.dtype[Any]) -> float:
    return half_width(dtype) / math.sqrt(max(1, math.prod(shape[:-1])))
