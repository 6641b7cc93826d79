"""Initializers made of several draws: stacked layers or experts, and fused kernels.

May import: jax, numpy, `jinit.core`, `jinit.checks`, `jinit.factory`, `jinit.schemes.callables`.

One array often holds what are several kernels. An initializer that sees the whole reads fans and
structure off the wrong shape; here it sees each kernel's own.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.checks import check_integer
from jinit.factory import Recipe, Structured, scheme
from jinit.schemes.callables import (
    InitFunction,
    check_inner,
    draw_inner,
    inner_inexact,
    inner_std,
)

__all__ = ["split", "stacked"]

Shape = tuple[int, ...]


@scheme
def stacked(init: InitFunction, axes: int = 1, dtype: Any = None) -> Recipe:
    """Stacked: each slice along the leading axes is drawn by `init` on its own, with its own key.

    For layers under `nn.scan`, experts, and ensembles held in one array `(layers, in, out)`: fans
    are those of `(in, out)`, and orthogonal kernels are orthogonal layer by layer.

    Slice i (row-major, where there are several leading axes) of n is what
    `init(jax.random.split(key, n)[i], inner_shape)` gives: to the bit where weights are
    independent, and up to the order of sums in the matrix products of orthogonal ones.

    Args:
        init: an initializer, of jinit or any function (key, shape, dtype) -> array that
            `jax.vmap` can map over keys.
        axes: how many leading axes count slices.
        dtype: dtype of the weights, unless the call gives one; any dtype that `init` takes.

    Raises:
        TypeError: `init` is not an initializer.
        ValueError: `axes` is below 1; when drawing, the shape has fewer axes.

    >>> import jax, jinit
    >>> init = jinit.stacked(jinit.lecun_normal())
    >>> print(f"{init.std((12, 256, 64)) ** -2:.1f}")
    256.0
    >>> key = jax.random.key(0)
    >>> one = jinit.lecun_normal()(jax.random.split(key, 12)[3], (256, 64))
    >>> bool((init(key, (12, 256, 64))[3] == one).all())
    True

    Differences: `batch_axis=0` gives jinit's own schemes the same fans from one key.
    """
    check_inner("init", init, dtype)
    check_integer("axes", axes)

    def build(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Array:
        inner = _inner_shape(shape, axes)
        keys = jax.random.split(key, math.prod(shape[:axes]))
        slices = jax.vmap(lambda key: draw_inner(init, key, inner, dtype))(keys)
        return lax.convert_element_type(slices.reshape(shape), dtype)

    return Structured(
        build, lambda shape: inner_std(init, _inner_shape(shape, axes)), inner_inexact(init)
    )


def _inner_shape(shape: Shape, axes: int) -> Shape:
    if len(shape) < axes:
        raise ValueError(
            f"`shape` (={shape}) is {len(shape)}-D and has no {axes} leading axes to stack along "
            f"(`axes`={axes})"
        )
    return shape[axes:]


@scheme
def split(
    init: InitFunction | Sequence[InitFunction],
    parts: int | Sequence[int] | None = None,
    axis: int = -1,
    dtype: Any = None,
) -> Recipe:
    """Split: a fused kernel is drawn as its parts, side by side along `axis`, each on its own.

    For query, key and value in one array `(d, 3 d)`, gates in one, or a gated MLP's two halves:
    every part has the fans, and the orthogonality, that it would have alone.

    Part i of n is what `init(jax.random.split(key, n)[i], its_shape)` gives.

    Args:
        init: an initializer for every part, or a list with one for each.
        parts: how many parts, of equal size; or the size of each along `axis`. A list of
            initializers alone means as many equal parts.
        axis: the axis along which the parts lie.
        dtype: dtype of the weights, unless the call gives one; any dtype that every part takes.

    Raises:
        TypeError: `init` holds what is not an initializer, or `parts` what is not an int.
        ValueError: the numbers of initializers and parts differ, or `parts` is missing or not
            positive; when drawing, the parts do not fill the axis.

    >>> import jax, jinit
    >>> qkv = jinit.split(jinit.glorot_uniform(), parts=3)
    >>> w = qkv(jax.random.key(0), (64, 192))
    >>> print(f"{w.std():.2f} as three, {jinit.glorot_uniform().std((64, 192)):.2f} as one")
    0.13 as three, 0.09 as one
    >>> jinit.split([jinit.ones, jinit.zeros], [2, 1])(jax.random.key(0), (3,)).tolist()
    [1.0, 1.0, 0.0]
    """
    inits = init if isinstance(init, (list, tuple)) else None
    for one in (init,) if inits is None else inits:
        check_inner("init", one, dtype)
    count = _count(inits, parts)

    def build(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Array:
        position, sizes = _sizes(parts, count, axis, shape)
        drawn = [
            draw_inner(one, part_key, (*shape[:position], size, *shape[position + 1 :]), dtype)
            for one, part_key, size in zip(
                inits or (init,) * count, jax.random.split(key, count), sizes, strict=True
            )
        ]
        return lax.convert_element_type(jnp.concatenate(drawn, axis=position), dtype)

    inexact = any(inner_inexact(one) for one in (inits or (init,)))
    return Structured(build, inexact=inexact)


def _count(inits: Sequence[Any] | None, parts: Any) -> int:
    """How many parts there are, by all that says so."""
    if isinstance(parts, (list, tuple, np.ndarray)):
        for size in parts:
            check_integer("parts", int(size) if isinstance(size, np.integer) else size, least=0)
        count = len(parts)
    elif parts is not None:
        count = check_integer("parts", parts)
    elif inits is None:
        raise ValueError("one initializer needs `parts`, a number or a list of sizes")
    else:
        count = len(inits)
    if count < 1 or (inits is not None and len(inits) != count):
        raise ValueError(
            f"there must be one initializer for each part, and at least one; `init` has "
            f"{1 if inits is None else len(inits)} and `parts` (={parts!r}) means {count}"
        )
    return count


def _sizes(parts: Any, count: int, axis: int, shape: Shape) -> tuple[int, list[int]]:
    """The position of `axis`, and the extent of each part along it."""
    if not -len(shape) <= axis < len(shape):
        raise ValueError(
            f"`axis` (={axis}) is out of range for the {len(shape)}-D shape {shape}; it must lie "
            f"in [{-len(shape)}, {len(shape) - 1}]"
        )
    extent = shape[axis]
    if isinstance(parts, (list, tuple, np.ndarray)):
        sizes = [int(size) for size in parts]
    else:
        sizes = [extent // count] * count
    if sum(sizes) != extent:
        raise ValueError(
            f"axis {axis} (={extent}) of the weights {shape} must be the sum of its parts "
            f"(`parts`={parts!r}, {count} of them)"
        )
    return axis % len(shape), sizes
