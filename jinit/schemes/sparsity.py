"""Sparse and normalized columns: what the weights into one output unit have in common.

May import: jax, numpy, `jinit.core`, `jinit.axes`, `jinit.checks`, `jinit.factory`,
`jinit.schemes.building`, `jinit.schemes.matrices`.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.axes import AxisSpec, Shape
from jinit.checks import check_integer, check_non_negative
from jinit.core.bits import random_bits, split_key
from jinit.core.draw import sample
from jinit.core.laws import Normal, Uniform
from jinit.factory import Recipe, Structured, scheme
from jinit.schemes.building import scaled_recipe, working_dtype
from jinit.schemes.matrices import MatrixView, ViewReader, view_reader

__all__ = ["positive_unitball", "sparse"]


@scheme
def sparse(
    sparsity: float | None = None,
    stddev: Any = 0.01,
    dtype: Any = None,
    *,
    nonzeros: int | None = None,
    in_axis: AxisSpec = -2,
    out_axis: AxisSpec = -1,
    batch_axis: AxisSpec = (),
) -> Recipe:
    """Sparse: each output has `in - ceil(sparsity * in)` weights `~ N(0, stddev^2)`, the rest 0.

    For wide layers whose units should start different from each other without saturating: with
    `nonzeros=15` a unit has 15 inputs however wide the layer before it. Counts are exact, and
    positions random and independent from one output to the next.

    Args:
        sparsity: fraction of zeros among the weights into one output, between 0 and 1.
        stddev: standard deviation of the weights that are not zero.
        dtype: floating or complex dtype of the weights, unless the call gives one.
        nonzeros: how many weights into one output are not zero, in place of `sparsity`.
        in_axis: axis or axes that the layer contracts; taps of a convolution count with them.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels (experts, stacked layers).

    Raises:
        ValueError: `sparsity` and `nonzeros` are both given, both missing or out of range,
            `stddev` is negative or two roles name one axis; when drawing, the shape has no such
            axes, or `nonzeros` exceeds the inputs.

    >>> import jax, jinit
    >>> w = jinit.sparse(0.9)(jax.random.key(0), (100, 4))
    >>> (w != 0).sum(0).tolist()
    [10, 10, 10, 10]
    >>> (jinit.sparse(nonzeros=15, stddev=1.0)(jax.random.key(0), (100, 3)) != 0).sum(0).tolist()
    [15, 15, 15]

    Reference: Martens 2010 ("Deep learning via Hessian-free optimization"), sparse initialization
    with 15 weights a unit.

    Differences: torch's `sparse_` counts zeros in the columns of a weight (out, in), so among the
    weights out of one input: `in_axis=-1, out_axis=-2` is its law on kernels (in, out). Lasagne's
    `Sparse` and Caffe's `sparse` give the weights that are *not* zero.
    """
    check_non_negative("stddev", stddev)
    count = _counter(sparsity, nonzeros)
    read = functools.partial(_sparse_plan, view_reader(in_axis, out_axis, batch_axis), count)
    return scaled_recipe(read, _sparse, lambda plan: stddev, _sparse_rms)


class _SparsePlan(NamedTuple):
    view: MatrixView
    kept: int


def _sparse_plan(view_of: ViewReader, count: Callable[[int], int], shape: Shape) -> _SparsePlan:
    view = view_of(shape)
    return _SparsePlan(view, count(view.rows))


def _counter(sparsity: float | None, nonzeros: int | None) -> Callable[[int], int]:
    """How many of the weights into one output to keep."""
    if (sparsity is None) == (nonzeros is None):
        raise ValueError(
            f"`sparsity` (={sparsity}) and `nonzeros` (={nonzeros}) each say how many weights are "
            "zero; give one of them"
        )
    if nonzeros is not None:
        return functools.partial(_kept_exactly, check_integer("nonzeros", nonzeros, least=0))
    if isinstance(sparsity, bool) or not isinstance(sparsity, (int, float)):
        raise TypeError(f"`sparsity` (={sparsity!r}) must be a number between 0 and 1")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"`sparsity` (={sparsity}) must lie between 0 and 1")
    return functools.partial(_kept_fraction, sparsity)


def _kept_fraction(sparsity: float, inputs: int) -> int:
    # 0.07 * 100 is 7.000000000000001, and 7 zeros are meant.
    return inputs - math.ceil(round(sparsity * inputs, 6))


def _kept_exactly(nonzeros: int, inputs: int) -> int:
    if 0 < inputs < nonzeros:
        raise ValueError(
            f"`nonzeros` (={nonzeros}) exceeds the inputs (={inputs}) of an output; "
            "give at most as many, or `sparsity`"
        )
    return nonzeros


def _sparse(key: Any, plan: _SparsePlan, dtype: np.dtype[Any]) -> Array:
    view, kept = plan
    key_values, key_places = split_key(key)
    values = sample(Normal(), key_values, view.shape, dtype)
    # Where a random permutation is below `kept`, places are random and exactly that many.
    places = _permutations(key_places, (*view.batch, view.columns, view.rows)) < kept
    return jnp.where(view.fold(places.swapaxes(-1, -2)), values, jnp.zeros((), dtype))


def _permutations(key: Any, shape: Shape) -> Array:
    """A random permutation of 0 ... n - 1 along the last axis, another one in each row."""
    # Random words, their low bits replaced by the index, are sorted: one array, five times faster
    # on CPU than an argsort's two, and without ties. For 4096 inputs 20 random bits remain.
    low = np.uint32(2 ** (shape[-1] - 1).bit_length() - 1)
    index = lax.broadcasted_iota(jnp.uint32, shape, len(shape) - 1)
    return jnp.sort((random_bits(key, shape) & ~low) | index, axis=-1) & low


def _sparse_rms(plan: _SparsePlan) -> float:
    return math.sqrt(plan.kept / plan.view.rows)


@scheme
def positive_unitball(
    dtype: Any = None,
    *,
    in_axis: AxisSpec = -2,
    out_axis: AxisSpec = -1,
    batch_axis: AxisSpec = (),
) -> Recipe:
    """Positive unit ball: `W = U / sum(U)` over the inputs of each output, `U ~ U(0, 1]`.

    For layers that should start as weighted means of their inputs.

    Args:
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts; taps of a convolution count with them.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels (experts, stacked layers).

    Raises:
        ValueError: two roles name one axis; when drawing, the shape has no such axes, or the
            dtype is complex, which has no positive numbers.

    >>> import jax, jinit
    >>> w = jinit.positive_unitball()(jax.random.key(0), (20, 3))
    >>> w.sum(0).round(5).tolist()
    [1.0, 1.0, 1.0]

    Differences: Caffe's `positive_unitball` normalizes over all axes but the first, which in its
    layout is the output (`in_axis=1, out_axis=0`).
    """
    view_of = view_reader(in_axis, out_axis, batch_axis)

    def build(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Array:
        view = view_of(shape)
        if dtype.kind == "c":
            raise ValueError(
                f"`dtype` (={dtype.name}) is complex, and no complex number is positive; "
                "use a floating dtype"
            )
        return lax.convert_element_type(_unitball(key, view, working_dtype(dtype)), dtype)

    return Structured(build)


@functools.partial(jax.jit, static_argnames=("view", "dtype"))
def _unitball(key: Any, view: MatrixView, dtype: np.dtype[Any]) -> Array:
    # U in (0, 1], and not [0, 1): a single input that draws 0 would have no sum to divide by.
    positive = 1 - sample(Uniform(), key, view.shape, dtype)
    total = positive.sum(axis=view.row_axis, keepdims=True)
    return positive / jnp.broadcast_to(total, view.shape)
