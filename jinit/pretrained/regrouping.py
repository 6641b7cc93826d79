"""Windows through a reshape: which values of one shape are a window of another.

May import: the standard library.
"""

import math
from collections.abc import Iterator
from typing import TypeAlias

__all__ = ["pull_reshape"]

Shape: TypeAlias = tuple[int, ...]
Window: TypeAlias = tuple[slice, ...]


def pull_reshape(before: Shape, after: Shape, window: Window) -> Window | None:
    """The window of an array of shape `before` that is a window of it in shape `after`.

    None where it is no window: where a cut goes through several axes at once.

    >>> pull_reshape((12, 64), (3, 4, 64), (slice(1, 2), slice(0, 4), slice(0, 64)))
    (slice(4, 8, None), slice(0, 64, None))
    """
    if any(cut.start == cut.stop for cut in window):
        return tuple(slice(0, 0) for _ in before)
    pulled: list[slice] = []
    for outer, inner, cuts in _groups(before, after, window):
        found = _merged(inner, cuts) if len(outer) == 1 else _split(outer, inner, cuts)
        if found is None:
            return None
        pulled += found
    return tuple(pulled)


def _groups(before: Shape, after: Shape, window: Window) -> Iterator[tuple[Shape, Shape, Window]]:
    """The shortest runs of axes, before and after, that hold the same number of values."""
    i = j = 0
    while i < len(before) or j < len(after):
        first, second = i, j
        i, j = min(i + 1, len(before)), min(j + 1, len(after))
        while math.prod(before[first:i]) != math.prod(after[second:j]):
            if math.prod(before[first:i]) < math.prod(after[second:j]):
                i += 1
            else:
                j += 1
        yield before[first:i], after[second:j], window[second:j]


def _merged(extents: Shape, cuts: Window) -> list[slice] | None:
    """The range of one axis that cuts of the several axes it was split into leave; None if none."""
    start, size = 0, 1
    ranged = False
    for extent, cut in zip(extents, cuts, strict=True):
        whole = (cut.start, cut.stop) == (0, extent)
        if ranged and not whole:
            return None
        start = start * extent + cut.start
        size *= cut.stop - cut.start
        ranged = ranged or cut.stop - cut.start != 1
    return [slice(start, start + size)]


def _split(outer: Shape, inner: Shape, cuts: Window) -> list[slice] | None:
    """The window of several axes that were merged into one; None if it is none."""
    whole = [slice(0, extent) for extent in outer]
    if all((cut.start, cut.stop) == (0, extent) for extent, cut in zip(inner, cuts, strict=True)):
        return whole
    if len(inner) != 1:
        return None
    (cut,) = cuts
    lead = next(at for at, extent in enumerate(outer) if extent > 1)
    block = math.prod(outer[lead + 1 :])
    if cut.start % block or cut.stop % block:
        return None
    ranged = slice(cut.start // block, cut.stop // block)
    return [*whole[:lead], ranged, *whole[lead + 1 :]]
