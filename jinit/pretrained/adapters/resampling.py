"""Resampling along an axis: the matrices of linear and cubic interpolation.

May import: the standard library, numpy.
"""

import numpy as np

from jinit.pretrained.adapters.adapter import Array

__all__ = ["METHODS", "apply_along", "resampling_matrix"]


def _linear(x: Array) -> Array:
    return np.asarray(np.maximum(0.0, 1 - np.abs(x)))


def _cubic(x: Array) -> Array:
    """Keys' cubic with a = -1/2, the one of them that reproduces parabolas."""
    x = np.abs(x)
    near = ((1.5 * x - 2.5) * x) * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


METHODS = {"cubic": _cubic, "linear": _linear}


def resampling_matrix(old: int, new: int, method: str, *, antialias: bool = True) -> Array:
    """The matrix (new, old) that interpolates, pixels being cells and not points.

    Where it shrinks, `antialias` widens the kernel to what falls into a new cell; rows sum to 1,
    also at the edges.

    Reference: Keys 1981 (IEEE Trans. ASSP 29), equation 15, of the cubic kernel.
    """
    scale = old / new
    width = max(scale, 1.0) if antialias else 1.0
    centres = (np.arange(new) + 0.5) * scale - 0.5
    weights = METHODS[method]((centres[:, None] - np.arange(old)) / width)
    matrix: Array = weights / weights.sum(axis=1, keepdims=True)
    return matrix


def apply_along(matrix: Array, array: Array, axis: int) -> Array:
    """A matrix (new, old) applied to one axis of an array."""
    return np.moveaxis(np.tensordot(matrix, array, axes=(1, axis)), 0, axis)
