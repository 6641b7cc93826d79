"""Upsampling: bilinear kernels of transposed convolutions, and ICNR for pixel shuffles.

May import: jax, numpy, `jinit.core`, `jinit.checks`, `jinit.factory`, `jinit.schemes.building`,
`jinit.schemes.callables`, `jinit.schemes.convolutions`.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.checks import check_choice, check_integer
from jinit.core.draw import real_dtype
from jinit.factory import Recipe, Structured, scheme
from jinit.schemes.callables import InitFunction, check_inner, draw_inner, inner_std
from jinit.schemes.convolutions import ConvShape, conv_shape

__all__ = ["bilinear", "icnr"]

Shape = tuple[int, ...]

_CHANNELS = ("all", "diagonal")
_ORDERS = ("crd", "dcr")


@scheme(keyless=True)
def bilinear(dtype: Any = None, *, channels: str = "diagonal", groups: int = 1) -> Recipe:
    """Bilinear upsampling: taps `1 - |t - (k - 1) / 2| / s`, `s = (k + 1) // 2`, in each channel.

    For transposed convolutions that start by interpolating, in one, two or three dimensions:
    kernels `(*taps, in, out)` with stride s along an axis of k = 2s or 2s - 1 taps, so that a
    constant input stays constant (edges aside). Along several axes the taps multiply.

    Args:
        dtype: floating or complex dtype of the weights, unless the call gives one.
        channels: "diagonal" upsamples each channel by itself and needs as many inputs as outputs;
            "all" gives every pair of channels the same taps.
        groups: feature groups of the convolution, with `in` the inputs of one group; as many as
            channels for a depthwise kernel `(*taps, 1, out)`.

    Raises:
        ValueError: `channels` is unknown or `groups` not positive; when drawing, the shape is not
            a convolution's, or its channels are not those of `groups` diagonals.

    >>> import jinit
    >>> jinit.bilinear()(None, (4, 1, 1)).ravel().tolist()
    [0.25, 0.75, 0.75, 0.25]
    >>> jinit.bilinear()(None, (3, 1, 1)).ravel().tolist()
    [0.5, 1.0, 0.5]

    Reference: Long, Shelhamer and Darrell 2015 (arXiv:1411.4038).

    Differences: Caffe and MXNet have "all", meant for depthwise kernels; where inputs are not
    grouped it sums them up. MXNet's and Paddle's centre is right only for k = 2s - s % 2, so that
    their three taps are .25, .75, .75.
    """
    check_choice("channels", channels, _CHANNELS)
    check_integer("groups", groups)
    if channels == "all" and groups != 1:
        raise ValueError(f"`groups` (={groups}) belongs to channels='diagonal'; leave it out")

    def build(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Array:
        conv = conv_shape(shape)
        if channels == "diagonal":
            _check_diagonal(conv, groups)
        kernel = _bilinear(conv, groups if channels == "diagonal" else None, real_dtype(dtype))
        return lax.convert_element_type(kernel, dtype)

    return Structured(build)


def _check_diagonal(conv: ConvShape, groups: int) -> None:
    if conv.inputs * groups != conv.outputs:
        raise ValueError(
            f"inputs (={conv.inputs}) times `groups` (={groups}) must equal outputs "
            f"(={conv.outputs}), since each channel is upsampled by itself; a depthwise kernel, "
            "with 1 input, takes groups=outputs, and channels='all' any number of each"
        )


@functools.partial(jax.jit, static_argnames=("conv", "groups", "dtype"))
def _bilinear(conv: ConvShape, groups: int | None, dtype: np.dtype[Any]) -> Array:
    weights = jnp.ones((), dtype)
    for k in conv.taps:
        weights = jnp.multiply.outer(weights, jnp.asarray(_taps(k), dtype))
    pairs = (conv.inputs, conv.outputs)
    within_group = lax.broadcasted_iota(np.int32, pairs, 1) % max(conv.inputs, 1)
    diagonal = within_group == lax.broadcasted_iota(np.int32, pairs, 0)
    connected = jnp.ones(pairs, bool) if groups is None else diagonal
    return jnp.where(connected, weights[..., None, None], jnp.zeros((), dtype))


def _taps(k: int) -> np.ndarray[Any, Any]:
    """A triangle about the centre, as steep as the largest stride that `k` taps serve."""
    taps: np.ndarray[Any, Any] = 1 - np.abs(np.arange(k) - (k - 1) / 2) / ((k + 1) // 2)
    return taps


@scheme
def icnr(
    init: InitFunction, factor: int | Sequence[int], dtype: Any = None, *, order: str = "crd"
) -> Recipe:
    """ICNR: the kernel of a pixel shuffle, `W = init` repeated for the pixels of each block.

    For sub-pixel convolutions, which raise the resolution by giving each pixel's r x r successors
    as channels. All of a block's pixels start equal, so the layer starts as a nearest-neighbour
    upsampling of what a convolution with `init` gives, and without a checkerboard.

    Args:
        init: an initializer of the kernel `(*taps, in, out / r^d)`, whose fans are those it has.
        factor: r, of every one of the d axes of taps; or one for each axis that is shuffled,
            whatever the axes of taps (a Dense kernel before a shuffle, say).
        dtype: dtype of the weights, unless the call gives one.
        order: how the output channels are laid out. "crd", channels first, then the position in
            the block: torch's `PixelShuffle`, einops' "(c h2 w2)". "dcr", position first:
            TensorFlow's `depth_to_space`, einops' "(h2 w2 c)". The names are ONNX's.

    Raises:
        TypeError: `init` is not an initializer, or `factor` no int.
        ValueError: `factor` is not positive, or `order` unknown; when drawing, the outputs do not
            divide into blocks.

    >>> import jax, jinit
    >>> jinit.icnr(jinit.from_array([[1.0, 2.0]]), (2,))(jax.random.key(0), (1, 4)).tolist()
    [[1.0, 1.0, 2.0, 2.0]]

    Reference: Aitken et al. 2017 (arXiv:1707.02937).
    """
    check_inner("init", init, dtype)
    check_choice("order", order, _ORDERS)
    for r in factor if isinstance(factor, (list, tuple, np.ndarray)) else (factor,):
        check_integer("factor", r)

    def build(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Array:
        pixels, small = _block(shape, factor)
        kernel = draw_inner(init, key, small, dtype)
        if order == "crd":
            whole = jnp.repeat(kernel, pixels, axis=-1)
        else:
            whole = jnp.tile(kernel, (1,) * (len(shape) - 1) + (pixels,))
        return lax.convert_element_type(whole, dtype)

    return Structured(build, lambda shape: inner_std(init, _block(shape, factor)[1]))


def _block(shape: Shape, factor: int | Sequence[int]) -> tuple[int, Shape]:
    """Pixels of a block, and the shape of the kernel that they share."""
    if len(shape) < 2 or (isinstance(factor, int) and len(shape) < 3):
        raise ValueError(
            f"`shape` (={shape}) is {len(shape)}-D; the kernel of a pixel shuffle is "
            "(*taps, in, out), or (in, out) with one `factor` for each axis that is shuffled"
        )
    pixels = factor ** (len(shape) - 2) if isinstance(factor, int) else math.prod(factor)
    if shape[-1] % pixels:
        raise ValueError(
            f"the outputs (={shape[-1]}) of the kernel {shape} must be divisible by the "
            f"{pixels} pixels of a block (`factor`={factor})"
        )
    return pixels, (*shape[:-1], shape[-1] // pixels)
