"""What a layer does with a parameter: its role, axes and fans, on the shape the layer itself sees.

May import: the standard library, `jinit.axes`, `jinit.fans`.
"""

import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

from jinit.axes import Axes, Shape
from jinit.fans import Fans, compute_fans, resolve_axes

__all__ = [
    "DENSE",
    "DENSE_OUT_FIRST",
    "UNKNOWN",
    "Use",
    "conv_transpose_use",
    "conv_use",
    "einsum_use",
    "embedding_use",
    "general_use",
    "local_conv_use",
    "stack_use",
    "stacked_axes",
    "without_axes",
]


class Use(NamedTuple):
    """What is known of one parameter of a layer.

    Attributes:
        role: one of `jinit.model.structure.ROLES`.
        axes: the axes by role, or None where the shape alone is known or there is nothing to tell.
        fans: connections, where the layer tells more than `axes` do.
    """

    role: str = "unknown"
    axes: Axes | None = None
    fans: Fans | None = None


UNKNOWN = Use()
DENSE = Use("dense", Axes((0,), (1,)))
DENSE_OUT_FIRST = Use("dense", Axes((1,), (0,)))


def general_use(n_batch: int, n_in: int, n_out: int) -> Use:
    """A kernel of shape (*batch, *inputs, *outputs)."""
    first, last = n_batch + n_in, n_batch + n_in + n_out
    batch, inputs, outputs = (range(n_batch), range(n_batch, first), range(first, last))
    return Use("dense", Axes(tuple(inputs), tuple(outputs), tuple(batch)))


def einsum_use(shape: Shape, einsum: str | None) -> Use:
    """The second operand of an einsum; its axes stay unknown where the string cannot tell them."""
    if einsum is None:
        return Use("einsum")
    try:
        return Use("einsum", resolve_axes(shape, einsum=einsum))
    except ValueError:  # a form without fans, such as one that sums an axis of the input alone
        return Use("einsum")


def embedding_use(shape: Shape) -> Use:
    """A table (vocabulary, features): a lookup sums nothing, and its fans are the features."""
    if len(shape) != 2:
        return Use("embedding")
    return Use("embedding", Axes((0,), (1,)), Fans(shape[1], shape[1]))


def conv_use(
    shape: Shape,
    *,
    groups: int = 1,
    stride: Any = 1,
    input_dilation: Any = 1,
    layout: str = "...IO",
) -> Use:
    """The kernel of a convolution, whose input axis holds the channels of one group.

    A dilated input is one with zeros in between: a transposed convolution by another name.
    """
    axes = resolve_axes(shape, layout=layout)
    onward = compute_fans(shape, layout=layout, groups=groups, stride=_strides(stride))
    dilated = compute_fans(
        shape, layout=layout, groups=groups, stride=_strides(input_dilation), transposed=True
    )
    depthwise = groups > 1 and shape[axes.in_axis[0]] == 1
    role = "depthwise" if depthwise else "conv"
    return Use(role, axes, Fans(dilated.fan_in, onward.fan_out))


def conv_transpose_use(
    shape: Shape, *, groups: int = 1, stride: Any = 1, layout: str = "...IO"
) -> Use:
    """The kernel of a transposed convolution; `I` in its layout is what the layer contracts."""
    axes = resolve_axes(shape, layout=layout)
    fans = compute_fans(
        shape, layout=layout, groups=groups, stride=_strides(stride), transposed=True
    )
    return Use("conv_transpose", axes, fans)


def local_conv_use(shape: Shape, kernel_size: Sequence[int], stride: Any = 1) -> Use:
    """Unshared kernels (*positions, taps * inputs, outputs), one for each position.

    An input is seen by as many positions as a shared kernel would be applied at, so that the
    connections are those of the shared kernel.
    """
    *positions, inputs, outputs = range(len(shape))
    axes = Axes((inputs,), (outputs,), tuple(positions))
    shared = (*kernel_size, shape[inputs] // math.prod(kernel_size), shape[outputs])
    return Use("conv", axes, compute_fans(shared, stride=_strides(stride)))


def stacked_axes(outer: Shape, inner: Sequence[int | None]) -> tuple[Shape, ...]:
    """Every choice of axes of `outer` without which it is `inner`, leading ones first.

    An extent of `inner` that is None may be any.

    >>> stacked_axes((4, 8, 4), (8, 4))
    ((0,),)
    >>> stacked_axes((4, 4, 8), (4, 8))
    ((0,), (1,))
    """
    extra = len(outer) - len(inner)
    if extra < 0:
        return ()
    choices = itertools.combinations(range(len(outer)), extra)
    return tuple(axes for axes in choices if _fits(without_axes(outer, axes), inner))


def stack_use(use: Use, stack: Shape, ndim: int) -> Use:
    """The use of a stack of layers: axes of one layer renumbered, stacked axes independent."""
    if use.axes is None:
        return use
    kept = [axis for axis in range(ndim) if axis not in stack]
    inputs, outputs, batch = (tuple(kept[axis] for axis in role) for role in use.axes)
    return use._replace(axes=Axes(inputs, outputs, (*stack, *batch)))


def _fits(shape: Shape, extents: Sequence[int | None]) -> bool:
    return all(want in (None, extent) for extent, want in zip(shape, extents, strict=True))


def without_axes(shape: Shape, axes: Sequence[int]) -> Shape:
    """A shape without some of its axes."""
    return tuple(extent for axis, extent in enumerate(shape) if axis not in axes)


def _strides(stride: int | Sequence[int] | None) -> int | tuple[int, ...]:
    """Strides as the layers store them: None, one for all, or one each."""
    if stride is None:
        return 1
    return tuple(stride) if isinstance(stride, Sequence) else operator.index(stride)
