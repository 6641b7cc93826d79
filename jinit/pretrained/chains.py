"""Operations one after another: their shape, their result, the windows they need, their undoing.

May import: the standard library, numpy, `jinit.pretrained.operations`.
"""

from collections.abc import Sequence

import numpy as np

from jinit.pretrained.operations import Array, Operation, Shape, Window

__all__ = ["apply", "narrow_through", "pull_through", "shape_after", "size_of", "store"]


def shape_after(operations: Sequence[Operation], shape: Shape) -> Shape:
    """The shape of an array after some operations."""
    for operation in operations:
        shape = operation.shape(shape)
    return shape


def apply(operations: Sequence[Operation], array: Array) -> Array:
    """An array after some operations."""
    for operation in operations:
        array = operation(array)
    return array


def pull_through(
    operations: Sequence[Operation], window: Window, shape: Shape
) -> list[Window] | None:
    """The windows before each operation, and last `window`, of an array of this shape.

    None where some operation needs more than a window to make one.
    """
    shapes = [shape]
    for operation in operations[:-1]:
        shapes.append(operation.shape(shapes[-1]))
    windows = [window]
    for operation, before in zip(reversed(operations), reversed(shapes), strict=False):
        pulled = operation.pull(windows[0], before)
        if pulled is None:
            return None
        windows.insert(0, pulled)
    return windows


def narrow_through(
    operations: Sequence[Operation], windows: Sequence[Window], array: Array
) -> Array:
    """What operations make of the first of the windows that `pull_through` found."""
    for operation, window in zip(operations, windows[1:], strict=True):
        array = operation.narrow(array, size_of(window))
    return array


def size_of(window: Window) -> Shape:
    """The shape of a window."""
    return tuple(cut.stop - cut.start for cut in window)


def store(operations: Sequence[Operation], array: Array, value: Array) -> None:
    """Change `array` in place to one that operations make `value` of; other values stay."""
    if not operations:
        array[...] = value
        return
    first, rest = operations[0], operations[1:]
    made = first(array)
    store(rest, made, value)
    if not np.may_share_memory(made, array):  # only a reshape of strided memory is a copy
        array[...] = made.reshape(array.shape)
