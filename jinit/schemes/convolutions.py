"""Kernels of convolutions: their taps and channels read from a shape, and the centre tap.

May import: jax, `jinit.axes`.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jinit.axes import Shape

__all__ = ["ConvShape", "at_centre", "check_taps", "conv_shape", "expanding_conv_shape"]

_NDIMS = (3, 4, 5)


class ConvShape(NamedTuple):
    """A convolution's kernel, `(*taps, inputs, outputs)`: one, two or three axes of taps."""

    taps: Shape
    inputs: int
    outputs: int

    @property
    def rms(self) -> float:
        """Root mean square of an element, when the taps' operator keeps every norm it can."""
        return 1 / math.sqrt(math.prod(self.taps) * max(self.inputs, self.outputs))


def conv_shape(shape: Shape) -> ConvShape:
    """Taps, inputs and outputs of a kernel `(*taps, inputs, outputs)`.

    Raises:
        ValueError: the shape is not that of a 1-, 2- or 3-D convolution, or has no taps.
    """
    if len(shape) not in _NDIMS:
        raise ValueError(
            f"`shape` (={shape}) is {len(shape)}-D; the kernel of a convolution is 3-D, 4-D or "
            "5-D: one to three axes of taps, then inputs, then outputs"
        )
    check_taps(shape, shape[:-2])
    return ConvShape(shape[:-2], shape[-2], shape[-1])


def expanding_conv_shape(shape: Shape) -> ConvShape:
    """`conv_shape` of a kernel that has no more inputs than outputs."""
    conv = conv_shape(shape)
    if conv.inputs > conv.outputs:
        raise ValueError(
            f"the kernel {shape} has more inputs (={conv.inputs}) than outputs (={conv.outputs}), "
            "and no such convolution keeps the norm of every input: some inputs must map to zero. "
            "For a projection, scaled so that the mean norm is kept, use "
            "jinit.scaled_uniform_orthogonal(delta=True)"
        )
    return conv


def check_taps(shape: Shape, taps: Shape) -> None:
    """Raise if an axis of taps is empty: then there is no tap to put anything at."""
    if 0 in taps:
        raise ValueError(
            f"`shape` (={shape}) has no taps along an axis (taps: {taps}); "
            "every axis of taps needs at least 1"
        )


def at_centre(matrix: Array, taps: Shape) -> Array:
    """The kernel that has `matrix` at its centre tap `(k - 1) // 2` and zeros elsewhere."""
    zero = jnp.zeros((), matrix.dtype)
    around = [((k - 1) // 2, k // 2, 0) for k in taps]
    kernel = matrix.reshape((1,) * len(taps) + matrix.shape)
    return lax.pad(kernel, zero, [*around, (0, 0, 0), (0, 0, 0)])
