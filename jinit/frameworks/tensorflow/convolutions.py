"""`tf.compat.v1`: convolutions that are isometries.

May import: `jinit.checks`, `jinit.initializer`, `jinit.schemes`, and of `jinit.frameworks`
borrowing, shapes.
"""

from typing import Any

from jinit.checks import check_non_negative
from jinit.frameworks.borrowing import borrow
from jinit.frameworks.shapes import of_rank, with_equal_taps
from jinit.initializer import Recipe
from jinit.schemes.conv_orthogonality import conv_orthogonal, delta_orthogonal

__all__ = [
    "convolutional_delta_orthogonal",
    "convolutional_orthogonal_1d",
    "convolutional_orthogonal_2d",
    "convolutional_orthogonal_3d",
]


@borrow("tensorflow")
def convolutional_delta_orthogonal(
    gain: float = 1.0, seed: int | None = None, dtype: Any = None
) -> Recipe:
    """Delta-orthogonal: `K[centre] = gain * Q`, Q Haar with orthonormal rows, zeros elsewhere.

    Args:
        gain: factor of every norm.
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.

    Raises:
        ValueError: when drawing, the shape is not 3-D, 4-D or 5-D, or has more inputs than
            outputs.

    Reference: Xiao et al. 2018 (arXiv:1806.05393), algorithm 2.

    Differences: the first releases multiplied by the square root of `gain`.
    """
    return delta_orthogonal(check_non_negative("gain", gain)).recipe


def _orthogonal(gain: float, ndim: int) -> Recipe:
    name = f"TensorFlow's convolutional_orthogonal_{ndim}d"
    recipe = conv_orthogonal(check_non_negative("gain", gain)).recipe
    return of_rank(with_equal_taps(recipe, name), name, ndim + 2)


@borrow("tensorflow")
def convolutional_orthogonal_1d(
    gain: float = 1.0, seed: int | None = None, dtype: Any = None
) -> Recipe:
    """Orthogonal convolution of one axis: `gain` times an isometry of circular signals.

    Args:
        gain: factor of every norm.
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.

    Raises:
        ValueError: when drawing, the shape is not 3-D or has more inputs than outputs.

    Reference: Xiao et al. 2018 (arXiv:1806.05393), algorithm 1.

    Differences: the projectors of TensorFlow have a random rank, those of jinit half the outputs.
    """
    return _orthogonal(gain, 1)


@borrow("tensorflow")
def convolutional_orthogonal_2d(
    gain: float = 1.0, seed: int | None = None, dtype: Any = None
) -> Recipe:
    """Orthogonal convolution of two axes: `gain` times an isometry of circular images.

    Args:
        gain: factor of every norm.
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.

    Raises:
        ValueError: when drawing, the shape is not 4-D with as many taps along both axes, or has
            more inputs than outputs.

    Reference: Xiao et al. 2018 (arXiv:1806.05393), algorithm 1.

    Differences: the projectors of TensorFlow have a random rank, those of jinit half the outputs.
    """
    return _orthogonal(gain, 2)


@borrow("tensorflow")
def convolutional_orthogonal_3d(
    gain: float = 1.0, seed: int | None = None, dtype: Any = None
) -> Recipe:
    """Orthogonal convolution of three axes: `gain` times an isometry of circular volumes.

    Args:
        gain: factor of every norm.
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.

    Raises:
        ValueError: when drawing, the shape is not 5-D with as many taps along all axes, or has
            more inputs than outputs.

    Reference: Xiao et al. 2018 (arXiv:1806.05393), algorithm 1.

    Differences: the projectors of TensorFlow have a random rank, those of jinit half the outputs.
    """
    return _orthogonal(gain, 3)
