"""Identities: kernels that pass their input on, for dense layers and for convolutions.

May import: jax, numpy, `jinit.axes`, `jinit.checks`, `jinit.fans`, `jinit.factory`,
`jinit.schemes.building`, `jinit.schemes.convolutions`, `jinit.schemes.matrices`.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.axes import Shape
from jinit.checks import check_integer, check_number
from jinit.core.inputs import check_holds
from jinit.factory import Recipe, Structured, scheme
from jinit.fans import resolve_axes
from jinit.schemes.building import parameter, working_dtype
from jinit.schemes.convolutions import check_taps, conv_shape
from jinit.schemes.matrices import check_matrix

__all__ = ["dirac", "eye", "identity"]


@scheme(keyless=True)
def identity(gain: Any = 1.0, dtype: Any = None) -> Recipe:
    """Identity: `W[..., i, i] = gain`, zeros elsewhere.

    For recurrent kernels of ReLU units (IRNN) and for layers that should start as no layer. The
    last two axes are the matrix, which need not be square: as many inputs as possible pass; axes
    before them hold copies of it (stacked layers, experts).

    Args:
        gain: a number, or an array that broadcasts to the weights.
        dtype: dtype of the weights, unless the call gives one; any dtype that holds `gain`.

    Raises:
        ValueError: `gain` is not finite; when drawing, the shape has fewer than two axes, or an
            integer dtype cannot hold `gain`.

    >>> import jinit
    >>> jinit.identity(2.0)(None, (2, 3)).tolist()
    [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]

    Reference: Le, Jaitly and Hinton 2015 (arXiv:1504.00941).

    Differences: torch's `eye_` and Keras' `Identity` take two axes only, Haiku's any number.
    """
    return _diagonal_recipe(check_number("gain", gain), _matrix_diagonal)


eye = identity


@scheme(keyless=True)
def dirac(
    gain: Any = 1.0, dtype: Any = None, *, groups: int = 1, layout: str | None = None
) -> Recipe:
    """Dirac: `K[centre, i, i] = gain` in each group of channels, zeros elsewhere.

    For convolutions that should start as no layer: each group passes on as many of its channels
    as it has room for. The centre of k taps is k // 2. For odd k a convolution with "SAME"
    padding is then the identity; for even k it moves its input by a tap, as in torch.

    Args:
        gain: a number, or an array that broadcasts to the weights.
        dtype: dtype of the weights, unless the call gives one; any dtype that holds `gain`.
        groups: feature groups of the convolution; each has `outputs / groups` outputs.
        layout: the axes by letter, such as "OIHW" or "BHWIO"; None is `(*taps, inputs, outputs)`
            with one to three axes of taps, where inputs are those of one group.

    Raises:
        ValueError: `gain` is not finite or `groups` is below 1; when drawing, the shape is not a
            convolution's, has an axis without taps, or its outputs do not divide into groups; or
            an integer dtype cannot hold `gain`.

    >>> import jinit
    >>> jinit.dirac()(None, (3, 2, 2)).tolist()
    [[[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]]

    Reference: Zagoruyko and Komodakis 2017 (arXiv:1706.00388).

    Differences: torch's `dirac_` reads (outputs, inputs, *taps), `layout="OI..."`.
    """
    check_integer("groups", groups)
    read = functools.partial(_conv_diagonal, groups, layout)
    return _diagonal_recipe(check_number("gain", gain), read)


class _Diagonal(NamedTuple):
    """Where the ones are: at `centre`, and where the input is the output's place in its group."""

    in_axis: int
    out_axis: int
    group_outputs: int
    centre: tuple[tuple[int, int], ...]


def _matrix_diagonal(shape: Shape) -> _Diagonal:
    check_matrix(shape)
    return _Diagonal(len(shape) - 2, len(shape) - 1, shape[-1], ())


def _conv_diagonal(groups: int, layout: str | None, shape: Shape) -> _Diagonal:
    if layout is None:
        conv_shape(shape)
    axes = resolve_axes(shape, layout=layout)
    (in_axis,), (out_axis,) = axes.in_axis, axes.out_axis
    taps = axes.receptive_axis(len(shape))
    check_taps(shape, tuple(shape[axis] for axis in taps))
    if shape[out_axis] % groups:
        raise ValueError(
            f"the outputs (={shape[out_axis]}) of the kernel {shape} must be divisible by `groups` "
            f"(={groups}); the output axis holds the outputs of all groups"
        )
    centre = tuple((axis, shape[axis] // 2) for axis in taps)
    return _Diagonal(in_axis, out_axis, shape[out_axis] // groups, centre)


def _diagonal_recipe(gain: Any, read: Callable[[Shape], _Diagonal]) -> Recipe:
    def build(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Array:
        diagonal = read(shape)
        exact = jnp.issubdtype(dtype, jnp.integer) or dtype == np.bool_
        if exact:
            check_holds("`gain`", gain, dtype)
        value = parameter("gain", gain, shape, dtype if exact else working_dtype(dtype))
        weights: Array = _filled(value, diagonal=diagonal, shape=shape, dtype=dtype)
        return weights

    def std(shape: Shape) -> Any:
        return abs(gain) * _rms(read(shape), shape)

    return Structured(build, std, inexact=False)


@functools.partial(jax.jit, static_argnames=("diagonal", "shape", "dtype"))
def _filled(value: Array, *, diagonal: _Diagonal, shape: Shape, dtype: np.dtype[Any]) -> Array:
    # Comparisons of counters, not a matrix at a place: one pass, and every device of a mesh
    # fills its own shard.
    index = functools.partial(lax.broadcasted_iota, jnp.int32, shape)
    in_group = index(diagonal.out_axis) % jnp.int32(max(1, diagonal.group_outputs))
    ones = index(diagonal.in_axis) == in_group
    for axis, centre in diagonal.centre:
        ones = ones & (index(axis) == jnp.int32(centre))
    filled = jnp.where(ones, jnp.broadcast_to(value, shape), jnp.zeros((), value.dtype))
    return lax.convert_element_type(filled, dtype)


def _rms(diagonal: _Diagonal, shape: Shape) -> float:
    """In each group min(inputs, outputs) ones among taps * inputs * outputs elements."""
    if 0 in shape:
        return 0.0
    taps = math.prod(shape[axis] for axis, _ in diagonal.centre)
    return 1 / math.sqrt(taps * max(shape[diagonal.in_axis], diagonal.group_outputs))
