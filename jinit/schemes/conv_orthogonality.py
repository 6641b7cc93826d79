"""Orthogonal convolutions: kernels that keep the norm of every image, not of every patch.

May import: jax, numpy, `jinit.core`, `jinit.axes`, `jinit.factory`, `jinit.schemes.building`,
`jinit.schemes.convolutions`.

A kernel that is orthogonal as a matrix, taps and inputs against outputs, is no isometry: patches
overlap. What must be orthogonal is the operator, which the Fourier transform takes apart into one
matrix for each frequency, the sum over taps t of `K[t] exp(-i w t)`.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.axes import Shape
from jinit.core.haar import random_orthogonal
from jinit.factory import Recipe, scheme
from jinit.schemes.building import Scale, as_scale, scaled_recipe
from jinit.schemes.convolutions import ConvShape, at_centre, expanding_conv_shape

__all__ = ["conv_orthogonal", "delta_orthogonal", "delta_recipe"]

# Reduced-precision products (TF32, bfloat16 passes) would cost orthogonality.
_product = functools.partial(jnp.matmul, precision=lax.Precision.HIGHEST)


@scheme
def delta_orthogonal(scale: Scale = 1.0, column_axis: int = -1, dtype: Any = None) -> Recipe:
    """Delta-orthogonal: `K[centre] = scale * Q`, Q Haar with orthonormal rows, zeros elsewhere.

    For very deep convolutional nets without normalization or skips: every stride-1 convolution
    starts as an isometry, whatever its padding, and mixes no pixels.

    Args:
        scale: a number, or the name of the activation before this layer, or that activation
            itself, for its gain (`jinit.calculate_gain`).
        column_axis: axis of the outputs in the matrix (inputs, outputs) at the centre: -1 or 1,
            and -2 or 0 for the other one. With orthonormal rows both give the same law.
        dtype: floating or complex dtype of the weights, unless the call gives one.

    The shape is `(*taps, inputs, outputs)` with one to three axes of taps; the centre of k taps
    is (k - 1) // 2.

    Raises:
        ValueError: `scale` is negative or `column_axis` names no axis; when drawing, the shape is
            not a convolution's, has an axis without taps, or has more inputs than outputs.

    >>> import jax, jax.numpy as jnp, jinit
    >>> kernel = jinit.delta_orthogonal()(jax.random.key(0), (3, 3, 8, 16))
    >>> (kernel ** 2).sum((2, 3)).round(3).tolist()
    [[0.0, 0.0, 0.0], [0.0, 8.0, 0.0], [0.0, 0.0, 0.0]]

    Reference: Xiao et al. 2018 (arXiv:1806.05393).

    Differences: the law is that of `jax.nn.initializers.delta_orthogonal`, the bits are not.
    """
    factor = as_scale(scale)
    if column_axis not in (-2, -1, 0, 1):
        raise ValueError(
            f"`column_axis` (={column_axis}) must be one of -2, -1, 0, 1: it counts within the "
            "matrix (inputs, outputs)"
        )
    return delta_recipe(expanding_conv_shape, lambda conv: factor)


def delta_recipe(read: Callable[[Shape], ConvShape], factor: Callable[[ConvShape], Any]) -> Recipe:
    """The recipe of `K[centre] = factor * Q`, Q Haar, channels and factor read from the shape."""
    return scaled_recipe(read, _delta, factor, _rms)


def _delta(key: Any, conv: ConvShape, dtype: np.dtype[Any]) -> Array:
    return at_centre(random_orthogonal(key, conv.inputs, conv.outputs, dtype), conv.taps)


def _rms(conv: ConvShape) -> float:
    return conv.rms


@scheme
def conv_orthogonal(scale: Scale = 1.0, dtype: Any = None) -> Recipe:
    """Orthogonal convolution: `K = scale * (Q conv B_1 conv B_2 ...)`, an isometry of images.

    For deep convolutional nets that should mix pixels from the start. With circular padding the
    convolution changes the norm of no image; with zeros outside, energy leaves at the border.

    Q is a Haar matrix with orthonormal rows, and every B has two taps, `[P, I - P]` along one axis
    of taps, with its own random projector P onto half of the outputs. There are k - 1 of them
    along an axis of k taps, so that axes may differ. As each moves the other half by a tap, the
    weight gathers about the middle of the kernel.

    Args:
        scale: a number, or the name of the activation before this layer, or that activation
            itself, for its gain (`jinit.calculate_gain`).
        dtype: floating or complex dtype of the weights, unless the call gives one.

    The shape is `(*taps, inputs, outputs)` with one to three axes of taps.

    Raises:
        ValueError: `scale` is negative; when drawing, the shape is not a convolution's, has an
            axis without taps, or has more inputs than outputs.

    >>> import jax, jax.numpy as jnp, jinit
    >>> kernel = jinit.conv_orthogonal()(jax.random.key(0), (3, 3, 4, 4))
    >>> frequencies = jnp.fft.fft2(kernel, (8, 8), axes=(0, 1))
    >>> singular = jnp.linalg.svd(frequencies, compute_uv=False)
    >>> print(f"{singular.min():.4f} {singular.max():.4f}")
    1.0000 1.0000

    Reference: Xiao et al. 2018 (arXiv:1806.05393), algorithm 1; the factors are those of
    Kautsky and Turcajova 1994.

    Differences: TensorFlow 1's `convolutional_orthogonal_2d` draws the rank of each projector.
    """
    factor = as_scale(scale)
    return scaled_recipe(expanding_conv_shape, _full, lambda conv: factor, _rms)


def _full(key: Any, conv: ConvShape, dtype: np.dtype[Any]) -> Array:
    key_matrix, key_bases = jax.random.split(key)
    matrix = random_orthogonal(key_matrix, conv.inputs, conv.outputs, dtype)
    steps = _steps(conv.taps)
    half = (conv.outputs + 1) // 2
    bases = random_orthogonal(key_bases, conv.outputs, half, dtype, len(steps))
    kernel = matrix.reshape((1,) * len(conv.taps) + matrix.shape)
    for index, (axis, step) in enumerate(steps):
        # An odd dimension has no half: ceiling and floor take turns, lest the kernel drift.
        rank = (conv.outputs + (step + 1) % 2) // 2
        kernel = _convolve(kernel, bases[index, :, :rank], axis)
    return kernel


def _steps(taps: tuple[int, ...]) -> list[tuple[int, int]]:
    """The axis of every factor, and its turn there: axes alternate while they have taps left."""
    return [
        (axis, step) for step in range(max(taps) - 1) for axis, k in enumerate(taps) if step < k - 1
    ]


def _convolve(kernel: Array, basis: Array, axis: int) -> Array:
    """Convolve with `[P, I - P]` along `axis`, P the projector onto the columns of `basis`."""
    kept = _product(_product(kernel, basis), basis.T.conj())
    return _shifted(kept, axis, 0) + _shifted(kernel - kept, axis, 1)


def _shifted(kernel: Array, axis: int, by: int) -> Array:
    """`kernel` with one more tap along `axis`, moved `by` taps (0 or 1)."""
    widths = [(by, 1 - by) if a == axis else (0, 0) for a in range(kernel.ndim)]
    return jnp.pad(kernel, widths)
