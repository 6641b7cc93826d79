"""What an index takes of an array, worked out before there is an array.

May import: jax, numpy, `jinit.core`.
"""

import operator
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np
from jax import lax

from jinit.core.inputs import describe

__all__ = ["Part", "as_part"]

Shape: TypeAlias = tuple[int, ...]


class Part(NamedTuple):
    """`size` elements along every axis from `start` on, of an array of shape `whole`."""

    whole: Shape
    start: Shape
    size: Shape

    def along(self, axes: slice) -> "Part":
        """The part along some of the axes alone."""
        return Part(self.whole[axes], self.start[axes], self.size[axes])

    def of(self, array: Any) -> Any:
        """The part of `array`, which has the shape `whole` or broadcasts to it."""
        extents = np.shape(array)
        own = self.along(slice(len(self.whole) - len(extents), None))
        start = [s if n > 1 else 0 for s, n in zip(own.start, extents, strict=True)]
        size = [min(wanted, n) for wanted, n in zip(own.size, extents, strict=True)]
        if isinstance(array, jax.Array):
            # The start is a value at run time: one compiled program for all parts of one size.
            return lax.dynamic_slice(array, [np.uint32(s) for s in start], size)
        return np.asarray(array)[tuple(slice(s, s + n) for s, n in zip(start, size, strict=True))]


def as_part(index: Any, shape: Shape) -> tuple[Part, Shape]:
    """The part that `index` takes of an array of `shape`, and the shape that indexing gives it.

    Raises:
        IndexError: there are more indices than axes, or an int is out of range.
        TypeError: an index is neither a slice nor an int nor an Ellipsis.
        ValueError: a slice has another step than 1.

    >>> as_part((..., -1, slice(2, None)), (5, 4, 8))
    (Part(whole=(5, 4, 8), start=(0, 3, 2), size=(5, 1, 6)), (5, 6))
    """
    entries = list(_full(index, len(shape)))
    bounds = [_bounds(e, axis, shape) for axis, e in enumerate(entries)]
    part = Part(shape, tuple(a for a, _ in bounds), tuple(b - a for a, b in bounds))
    left = tuple(n for n, e in zip(part.size, entries, strict=True) if isinstance(e, slice))
    return part, left


def _full(index: Any, ndim: int) -> Iterator[Any]:
    """One entry for each axis: the Ellipsis, or the end, stands for axes taken whole."""
    entries = index if isinstance(index, tuple) else (index,)
    places = [place for place, entry in enumerate(entries) if entry is Ellipsis]
    if len(entries) - len(places) > ndim or len(places) > 1:
        raise IndexError(
            f"`index` (={index!r}) has {len(entries) - len(places)} entries and {len(places)} "
            f"Ellipsis; an array of {ndim} axes takes up to {ndim} entries and 1 Ellipsis"
        )
    place = places[0] if places else len(entries)
    yield from entries[:place]
    yield from [slice(None)] * (ndim - len(entries) + len(places))
    yield from entries[place + 1 :]


def _bounds(entry: Any, axis: int, shape: Shape) -> tuple[int, int]:
    """Where the part begins and ends along an axis."""
    extent = shape[axis]
    if isinstance(entry, slice):
        start, stop, step = entry.indices(extent)
        if step != 1:
            raise ValueError(
                f"`index` has {entry!r} for axis {axis}; slices must have step 1 or None: draw the "
                "range that they span, and take every so many of the result"
            )
        return start, max(start, stop)
    place = _as_int(entry, axis)
    if not -extent <= place < extent:
        raise IndexError(
            f"`index` has {place} for axis {axis} of the shape {shape}; it must lie in "
            f"[{-extent}, {extent - 1}]"
        )
    return place % extent, place % extent + 1


def _as_int(entry: Any, axis: int) -> int:
    try:
        if not isinstance(entry, bool):
            return operator.index(entry)
    except TypeError:
        pass
    raise TypeError(
        f"`index` has {describe(entry)} for axis {axis}; allowed: an int, a slice, an Ellipsis, "
        "known before the draw"
    )
