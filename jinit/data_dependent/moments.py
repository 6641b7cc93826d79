"""The scale that brings an outcome's deviation to a target, for all of it or along some axes.

May import: the standard library, jax, NumPy, `jinit.axes`, and of `jinit.tracing` pieces.

With y the kernel's outcome and b the bias that is added to it, both apart from their means, the
variance of s y + b is  s^2 <y y> + 2 s <y b> + <b b>:  there is one positive s for which it is
target^2, as long as <b b> < target^2. The bias itself stays what it is.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jinit.axes import Shape
from jinit.tracing.pieces import Piece, Pieces

__all__ = ["CONSTANT", "OVERCOME", "Asked", "Layout", "Pool", "layout_of", "wide"]

CONSTANT = 1e-5  # a deviation below this part of the root mean square is rounding
_FEW = 2**16  # entries that are summed in one go
OVERCOME = -1.0  # stands for the scale of a kernel whose bias alone is too wide


def wide(y: Any) -> Any:
    """The array in a dtype in which squares can be summed."""
    return (
        y
        if y.dtype.itemsize >= 4 and jnp.issubdtype(y.dtype, jnp.inexact)
        else (y.astype(jnp.float32))
    )


def replicated(x: Any) -> Any:
    """The array whole on every device, where its type says how it is divided."""
    sharding = jax.typeof(x).sharding
    if not any(sharding.spec):
        return x
    whole = NamedSharding(sharding.mesh, PartitionSpec())  # type: ignore[no-untyped-call]
    return jax.reshard(x, whole)  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Layout:
    """An outcome's axes, taken apart into those that numbers are kept along and others.

    Attributes:
        split: the outcome's shape, taken apart.
        reduced: the axes of it that means are taken over.
        full: its shape with 1 for every axis along which the numbers do not differ.
        apart: the same of the outcome itself.
    """

    split: Shape
    reduced: Shape
    full: Shape
    apart: Shape

    @property
    def count(self) -> int:
        """How many entries a mean is taken over."""
        count = 1
        for axis in self.reduced:
            count *= self.split[axis]
        return count

    def pick(self, numbers: Any) -> Any:
        """Of numbers in the shape `apart`, those that differ: none of the axes that are reduced."""
        at = tuple(0 if axis in self.reduced else slice(None) for axis in range(len(self.split)))
        return numbers.reshape(self.full)[at]

    def mean(self, y: Any) -> Any:
        """The mean along axes that are not kept, in the shape `apart`."""
        if self.split != y.shape:
            y = y.reshape(self.split)
        found = replicated(jnp.mean(y, self.reduced, keepdims=True))
        if found.shape != self.full:
            found = jnp.broadcast_to(found, self.full)
        return found.reshape(self.apart)


def layout_of(axes: Sequence[Pieces], kept: Collection[int]) -> Layout:
    """The layout of a value with these axes, numbers being kept along some axes of the pieces.

    >>> layout_of([(Piece(None, 0, 5),), (Piece(0, 1, 2), Piece(1, 1, 3))], {0})
    Layout(split=(5, 2, 3), reduced=(0, 2), full=(1, 2, 3), apart=(1, 6))
    """
    split: list[int] = []
    reduced: list[int] = []
    full: list[int] = []
    apart: list[int] = []
    for pieces in axes:
        size = 1
        is_kept = any(piece.axis in kept and piece.size > 1 for piece in pieces)
        for piece in pieces or (Piece(None, 0, 1),):
            if piece.axis not in kept:
                reduced.append(len(split))
            split.append(piece.size)
            full.append(piece.size if is_kept else 1)
            size *= piece.size
        apart.append(size if is_kept else 1)
    return Layout(tuple(split), tuple(reduced), tuple(full), tuple(apart))


class Asked(NamedTuple):
    """What is asked: a statistic, "std" or "rms", and its target.

    Attributes:
        statistic: "std" or "rms".
        target: its target.
        divided: whether outcomes may be divided over devices.
    """

    statistic: str
    target: Any
    divided: bool = False

    def measure(self, y: Any, bias: Any, layout: Layout) -> Any:
        """The scale for a kernel with the outcome `y`, to which `bias` (or None) is added.

        Returns:
            Three numbers, each in the shape `layout.apart`: the scale, which is 0 where the
            kernel's outcome is zero or constant, NaN where it is not finite and `OVERCOME` where
            the bias alone is too wide; the statistic of the whole outcome; and the root mean square
            of the kernel's.
        """
        return _measure(y, bias, self.target, layout, self.statistic, self.divided)


def _measure(y: Any, bias: Any, target: Any, layout: Layout, statistic: str, divided: bool) -> Any:
    values = [y.reshape(layout.split)]
    if bias is not None:
        values.append(jnp.broadcast_to(bias, y.shape).reshape(layout.split))
    few = layout.count <= _FEW and not divided
    means, products = _moments(values, layout, few, statistic == "std")
    own = products[0]
    rms = jnp.sqrt(own + _squared(means[0])) if statistic == "std" else jnp.sqrt(own)
    target = jnp.asarray(target).astype(own.dtype)
    if bias is None:
        before = jnp.sqrt(own)
        found = target / before
    else:
        both, others = products[1:]
        room = target * target - others
        root = jnp.sqrt(both * both + own * jnp.maximum(room, 0))
        found = jnp.where(room > 0, (root - both) / own, OVERCOME)
        before = jnp.sqrt(jnp.maximum(own + 2 * both + others, 0))
    found = jnp.where(jnp.sqrt(own) <= CONSTANT * rms, 0.0, found)
    found = jnp.where(jnp.isfinite(own), found, jnp.nan)
    kept = jnp.stack([found, before, rms])
    return jnp.broadcast_to(kept, (3, *layout.full)).reshape(3, *layout.apart)


def _moments(
    values: Sequence[Any], layout: Layout, few: bool, centered: bool
) -> tuple[list[Any], list[Any]]:
    """Means (where they count), and mean products of two values, the first with itself first.

    Few entries are summed in one go, apart from one of themselves so that nothing cancels; many in
    two, apart from their mean.
    """
    axes = layout.reduced
    origins = [_first(x, axes) if few else _mean(x, axes) for x in values]
    apart = [x - origin if centered else x for x, origin in zip(values, origins, strict=True)]
    pairs = [(n, m) for n in range(len(values)) for m in range(n, len(values))]
    products = [jnp.real(apart[n] * jnp.conj(apart[m])) for n, m in pairs]
    if not few:
        return origins, [_mean(product, axes) for product in products]
    sums = _summed([*apart, *products], axes)
    means = [found / layout.count for found in sums]
    off, raw = means[: len(values)], means[len(values) :]
    if not centered:
        return off, raw
    inner = [jnp.real(off[n] * jnp.conj(off[m])) for n, m in pairs]
    return (
        [origin + mean for origin, mean in zip(origins, off, strict=True)],
        [
            a - b if n != m else jnp.maximum(a - b, 0)
            for a, b, (n, m) in zip(raw, inner, pairs, strict=True)
        ],
    )


def _first(x: Any, axes: Sequence[int]) -> Any:
    """The first entry along some axes."""
    stop = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    return jax.lax.slice(x, [0] * x.ndim, stop)


def _mean(x: Any, axes: Sequence[int]) -> Any:
    return replicated(jnp.mean(x, axes, keepdims=True))


def _summed(terms: Sequence[Any], axes: Sequence[int]) -> list[Any]:
    """The sums of several arrays along the same axes, in one loop."""
    zeros = [np.zeros((), term.dtype) for term in terms]
    found = jax.lax.reduce(tuple(terms), tuple(zeros), _added, tuple(axes))
    return [jnp.expand_dims(total, tuple(axes)) for total in found]


def _added(ones: Sequence[Any], others: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(one + other for one, other in zip(ones, others, strict=True))


def _squared(y: Any) -> Any:
    return jnp.real(y * jnp.conj(y)) if jnp.issubdtype(y.dtype, jnp.complexfloating) else y * y


class Pool(NamedTuple):
    """Count, mean (0 where it does not count) and sum of squared deviations of entries met."""

    count: Any
    mean: Any
    squares: Any

    def joined(self, z: Any, layout: Layout, statistic: str) -> "Pool":
        """With those of another outcome (Chan, Golub and LeVeque 1983)."""
        count = layout.count
        squares = layout.mean(_squared(z))
        mean = jnp.zeros_like(squares)
        if statistic == "std" and jnp.isrealobj(z):
            mean = layout.mean(z)
            squares = layout.mean(_squared(z - mean))
        total, apart = self.count + count, mean - self.mean
        return Pool(
            total,
            self.mean + apart * count / total,
            self.squares + squares * count + apart**2 * self.count * count / total,
        )
