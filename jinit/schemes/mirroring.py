"""Mirrored kernels: units in pairs of opposite sign, with which a ReLU net starts linear.

May import: jax, numpy, `jinit.core`, `jinit.axes`, `jinit.checks`, `jinit.factory`,
`jinit.schemes.building`, `jinit.schemes.convolutions`.
"""

import functools
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from jinit.axes import Shape
from jinit.checks import check_choice
from jinit.core.haar import random_orthogonal
from jinit.factory import Recipe, scheme
from jinit.schemes.building import Scale, as_scale, scaled_recipe
from jinit.schemes.convolutions import ConvShape, at_centre, conv_shape

__all__ = ["looks_linear"]

_POSITIONS = ("first", "hidden", "last")


class _Mirrored(NamedTuple):
    """A mirrored kernel: the block that it repeats, and along which of its axes."""

    block: ConvShape
    inputs: bool
    outputs: bool


@scheme
def looks_linear(scale: Scale = 1.0, dtype: Any = None, *, position: str = "hidden") -> Recipe:
    """Looks-linear: `W = [[A, -A], [-A, A]]`, A Haar: a deep ReLU net that starts exactly linear.

    For very deep ReLU nets without skips: half of the units carry what the other half cuts off,
    since relu(x) - relu(-x) = x, and the gradients of different inputs agree. All three positions
    belong together, with zero biases:

        first    [A, -A]                `position="first"`, outputs doubled
        hidden   [[A, -A], [-A, A]]     `position="hidden"`, both doubled
        last     [[A], [-A]]            `position="last"`, inputs doubled

    A net of concatenated ReLUs, whose activation does the doubling, has "last" everywhere but in
    its first layer, which is `jinit.orthogonal`. Kernels `(*taps, inputs, outputs)` of
    convolutions hold the blocks at their centre tap (k - 1) // 2.

    Args:
        scale: a number, or the name of an activation or itself, for its gain
            (`jinit.calculate_gain`); A is scaled. Leave it at 1 for ReLU: the net is linear.
        dtype: floating or complex dtype of the weights, unless the call gives one.
        position: "first", "hidden" or "last".

    Raises:
        ValueError: `scale` is negative or `position` unknown; when drawing, a doubled axis is odd,
            or the shape is neither a matrix nor a convolution's.

    >>> import jax, jax.numpy as jnp, jinit
    >>> keys = jax.random.split(jax.random.key(0), 3)
    >>> first = jinit.looks_linear(position="first")(keys[0], (5, 8))
    >>> hidden = jinit.looks_linear()(keys[1], (8, 8))
    >>> last = jinit.looks_linear(position="last")(keys[2], (8, 5))
    >>> def net(x):
    ...     return jax.nn.relu(jax.nn.relu(x @ first) @ hidden) @ last
    >>> x = jnp.arange(5.0)
    >>> bool(jnp.allclose(net(-x), -net(x), atol=1e-5))
    True

    Reference: Balduzzi et al. 2017 (arXiv:1702.08591); without the concatenation, Burkholz and
    Dubatovka 2019 ("Initialization of ReLUs for dynamical isometry").
    """
    factor = as_scale(scale)
    check_choice("position", position, _POSITIONS)
    read = functools.partial(_mirrored, position)
    return scaled_recipe(read, _mirror, lambda plan: factor, _mirrored_rms)


def _mirrored(position: str, shape: Shape) -> _Mirrored:
    conv = ConvShape((), *shape) if len(shape) == 2 else conv_shape(shape)
    inputs, outputs = position != "first", position != "last"
    block = ConvShape(
        conv.taps,
        _halved("inputs", conv.inputs, position, shape) if inputs else conv.inputs,
        _halved("outputs", conv.outputs, position, shape) if outputs else conv.outputs,
    )
    return _Mirrored(block, inputs, outputs)


def _halved(name: str, extent: int, position: str, shape: Shape) -> int:
    if extent % 2:
        raise ValueError(
            f"the {name} (={extent}) of the kernel {shape} must be even for `position` "
            f"(={position!r}), which pairs every one of them with its negative"
        )
    return extent // 2


def _mirror(key: Any, plan: _Mirrored, dtype: np.dtype[Any]) -> Array:
    matrix = random_orthogonal(key, plan.block.inputs, plan.block.outputs, dtype)
    if plan.outputs:
        matrix = jnp.concatenate([matrix, -matrix], axis=1)
    if plan.inputs:
        matrix = jnp.concatenate([matrix, -matrix], axis=0)
    return at_centre(matrix, plan.block.taps)


def _mirrored_rms(plan: _Mirrored) -> float:
    return plan.block.rms
