"""What is measured of a leaf, in two passes over its values: range, moments, its first values.

May import: jax, numpy, `jinit.core.draw`.

A stacked leaf is measured slice by slice. Large leaves are reduced where they are, sharded or not,
by one compiled program for each shape, dtype and sharding; nothing but the results is moved.
"""

import functools
import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import NamedSharding, PartitionSpec

from jinit.core.draw import place

__all__ = ["PREFIX", "Reading", "count_nonfinite", "measure"]

Axes: TypeAlias = tuple[int, ...]
Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Flags: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

PREFIX = 512  # first values of each slice that are kept, to be compared with those of others
_ON_HOST = 2**16  # values below which NumPy is done before a program is compiled


class Reading(NamedTuple):
    """Measurements of one leaf; arrays have one entry for each slice, in row-major order.

    Of complex leaves the real and the imaginary parts are measured as one sample of reals.

    Attributes:
        size: values in a slice.
        extents: lengths of the stacked axes; () for a leaf that is one slice.
        low: the least value; NaN where there is a NaN.
        high: the largest value.
        mean: the mean.
        std: the standard deviation about that mean.
        kurtosis: the fourth central moment over the squared variance; 1 for constants.
        prefix: the first values of each slice in row-major order, at most `PREFIX`.
        sample: the first values of the whole leaf, as many as were asked for.
    """

    size: int
    extents: Axes
    low: Floats
    high: Floats
    mean: Floats
    std: Floats
    kurtosis: Floats
    prefix: Floats
    sample: Floats

    @property
    def finite(self) -> bool:
        """Whether every value is finite."""
        return bool(np.isfinite(self.low).all() and np.isfinite(self.high).all())

    @property
    def zero(self) -> Flags:
        """Which slices are zero throughout."""
        flags: Flags = (self.low == 0) & (self.high == 0)
        return flags

    @property
    def constant(self) -> Flags:
        """Which slices have one value throughout."""
        flags: Flags = self.low == self.high
        return flags


def measure(leaves: Iterable[tuple[Any, Axes, int]]) -> list[Reading]:
    """A reading of each leaf, given as its value, its stacked axes and the length of its sample.

    Every program is started before the first result is waited for.
    """
    started = [(value, stack, _start(value, stack, sample)) for value, stack, sample in leaves]
    return [_finish(value, stack, results) for value, stack, results in started]


def count_nonfinite(value: Any) -> tuple[int, int]:
    """How many values are NaN, and how many infinite."""
    with _mesh_of(value):
        nans, infinities = _counter(_replicated(value))(value)
    return int(nans), int(infinities)


def _start(value: Any, stack: Axes, sample: int) -> Any:
    if value.size <= _ON_HOST and getattr(value, "is_fully_addressable", True):
        array = np.asarray(value)
        wide = np.complex128 if array.dtype.kind == "c" else np.float64
        with np.errstate(all="ignore"):
            return _measure(np, array.astype(wide), stack, sample)
    with _mesh_of(value):
        return _program(stack, sample, _replicated(value))(value)


def _finish(value: Any, stack: Axes, results: Any) -> Reading:
    size, extents = _sizes(value, stack)
    slices = math.prod(extents)
    *ranges, second, fourth, prefix, sample = (np.asarray(r, np.float64) for r in results)
    low, high, mean, scale = (part.reshape(slices) for part in ranges)
    spread = np.where(low == high, 0, np.sqrt(second.reshape(slices)))
    with np.errstate(all="ignore"):
        kurtosis = np.where(spread > 0, fourth.reshape(slices) / spread**4, 1)
    prefix = prefix.reshape(slices, -1)
    return Reading(size, extents, low, high, mean, scale * spread, kurtosis, prefix, sample)


def _sizes(value: Any, stack: Axes) -> tuple[int, Axes]:
    extents = tuple(value.shape[axis] for axis in sorted(stack))
    rest = [n for axis, n in enumerate(value.shape) if axis not in stack]
    return math.prod(rest) * (2 if jnp.iscomplexobj(value) else 1), extents


@functools.lru_cache(maxsize=64)
def _program(stack: Axes, sample: int, out_sharding: Any) -> Any:
    run: Any = functools.partial(_measure, jnp, stack=stack, sample=sample)
    return jax.jit(run) if out_sharding is None else place(run, out_sharding)


@functools.lru_cache(maxsize=8)
def _counter(out_sharding: Any) -> Any:
    def count(x: Any) -> Any:
        return jnp.isnan(x).sum(), jnp.isinf(x).sum()

    return jax.jit(count) if out_sharding is None else place(count, out_sharding)


def _replicated(value: Any) -> Any:
    """The sharding that gives every device, and so every process, the whole result."""
    sharding = getattr(value, "sharding", None)
    if isinstance(sharding, NamedSharding):
        return NamedSharding(sharding.mesh, PartitionSpec())  # type: ignore[no-untyped-call]
    return None


def _mesh_of(value: Any) -> AbstractContextManager[Any]:
    """Entered where a mesh is explicit, which `place` must know."""
    mesh = getattr(_replicated(value), "mesh", None)
    return jax.set_mesh(mesh) if getattr(mesh, "explicit_axes", ()) else nullcontext()


def _measure(xp: ModuleType, x: Any, stack: Axes, sample: int) -> tuple[Any, ...]:
    """Range, mean, scale, second and fourth moments over that scale, prefix and sample.

    The moments are taken about the mean and over the largest distance from it, so that neither a
    large offset nor a small spread loses digits.
    """
    x = _as_reals(xp, x)
    rest = tuple(axis for axis in range(x.ndim) if axis not in stack)
    low, high = x.min(axis=rest, keepdims=True), x.max(axis=rest, keepdims=True)
    mean = x.mean(axis=rest, keepdims=True)
    scale = xp.maximum(high - mean, mean - low)
    unit = xp.where(scale > 0, scale, xp.ones_like(scale))
    second = (((x - mean) / unit) ** 2).mean(axis=rest)
    barrier: Any = lax.optimization_barrier
    mean_, unit_ = (mean, unit) if xp is np else barrier((mean, unit))
    square = ((x - mean_) / unit_) ** 2  # behind a barrier, or it would be kept from above
    fourth = (square * square).mean(axis=rest)
    prefix = _first(xp.moveaxis(x, stack, range(len(stack))), len(stack), PREFIX)
    return low, high, mean, scale, second, fourth, prefix, _first(x, 0, sample)


def _as_reals(xp: ModuleType, x: Any) -> Any:
    """The parts of complex values along a new last axis; others in 32 bits at least."""
    if xp.iscomplexobj(x):
        return xp.stack([x.real, x.imag], axis=-1)
    return x if x.dtype == np.float64 else x.astype(np.float32)


def _first(x: Any, stacked: int, count: int) -> Any:
    """The first `count` values, in row-major order, behind the first `stacked` axes.

    Cut axis by axis before it is flattened, or a sharded leaf would be gathered for it.
    """
    shape: Sequence[int] = x.shape[stacked:]
    inner = 1
    for axis in range(len(shape) - 1, -1, -1):
        wanted = min(shape[axis], -(-count // inner))
        x = x[(slice(None),) * (stacked + axis) + (slice(wanted),)]
        inner *= shape[axis]
    return x.reshape(*x.shape[:stacked], -1)[..., :count]
