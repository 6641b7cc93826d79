"""What is done to a tensor on its way into a leaf: axes permuted, reshaped, mirrored, cut out.

May import: the standard library, numpy, `jinit.pretrained.regrouping`.

Operations move values and never change them. Each knows the shape it makes, and which window of
its input makes a given window of its output, so that a device can read its slice alone.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from jinit.pretrained.regrouping import pull_reshape

__all__ = [
    "Flip",
    "Operation",
    "Part",
    "Reshape",
    "Transpose",
    "Window",
    "flip",
    "part",
    "reshape",
    "transpose",
]

Array: TypeAlias = np.ndarray[Any, Any]
Shape: TypeAlias = tuple[int, ...]
Window: TypeAlias = tuple[slice, ...]


class Operation(Protocol):
    """One step between a tensor and a leaf."""

    def __call__(self, array: Array) -> Array:
        """The array after the step, a view of it where NumPy can."""

    def shape(self, shape: Shape) -> Shape:
        """The shape after the step.

        Raises:
            ValueError: an array of this shape cannot take it.
        """

    def pull(self, window: Window, shape: Shape) -> Window | None:
        """The window of the input, of this shape, that makes a window of the output.

        None where that is no window.
        """

    def narrow(self, array: Array, size: Shape) -> Array:
        """The step on a window of its input, which makes a window of this size."""


@dataclass(frozen=True)
class Transpose:
    """Axes in another order; `axes[i]` of the input becomes axis i. Made by `transpose`."""

    axes: Shape

    def __call__(self, array: Array) -> Array:
        """The array after it."""
        return array.transpose(self.order(array.ndim))

    def order(self, ndim: int) -> Shape:
        """The order for an array of so many axes."""
        axes = self.axes or tuple(reversed(range(ndim)))
        if sorted(axis % ndim if ndim else axis for axis in axes) != list(range(ndim)):
            raise ValueError(f"{self!r} needs an array of {len(axes)} axes, not of {ndim}")
        return tuple(axis % ndim for axis in axes)

    def shape(self, shape: Shape) -> Shape:
        """The shape after it."""
        return tuple(shape[axis] for axis in self.order(len(shape)))

    def pull(self, window: Window, shape: Shape) -> Window | None:
        """The window that makes a window of the result."""
        order = self.order(len(shape))
        return tuple(window[order.index(axis)] for axis in range(len(shape)))

    def narrow(self, array: Array, size: Shape) -> Array:
        """What it makes of a window."""
        return self(array)

    def __repr__(self) -> str:
        return f"transpose({', '.join(map(str, self.axes))})"


@dataclass(frozen=True)
class Reshape:
    """Another shape, the values in the same order. Made by `reshape`."""

    to: Shape

    def __call__(self, array: Array) -> Array:
        """The array after it."""
        return array.reshape(self.shape(array.shape))

    def shape(self, shape: Shape) -> Shape:
        """The shape after it."""
        known = math.prod(extent for extent in self.to if extent != -1)
        free = math.prod(shape) // known if -1 in self.to and known else 1
        made = tuple(free if extent == -1 else extent for extent in self.to)
        if math.prod(made) != math.prod(shape):
            raise ValueError(f"{self!r} needs {math.prod(made)} values, not those of {shape}")
        return made

    def pull(self, window: Window, shape: Shape) -> Window | None:
        """The window that makes a window of the result."""
        return pull_reshape(shape, self.shape(shape), window)

    def narrow(self, array: Array, size: Shape) -> Array:
        """What it makes of a window."""
        return array.reshape(size)

    def __repr__(self) -> str:
        return f"reshape({', '.join(map(str, self.to))})"


@dataclass(frozen=True)
class Flip:
    """Some axes mirrored: what is called a kernel by one convention, for another. By `flip`."""

    axes: Shape

    def __call__(self, array: Array) -> Array:
        """The array after it."""
        return np.flip(array, self.axes)

    def shape(self, shape: Shape) -> Shape:
        """The shape after it."""
        if any(not -len(shape) <= axis < len(shape) for axis in self.axes):
            raise ValueError(f"{self!r} names an axis that {shape} does not have")
        return shape

    def pull(self, window: Window, shape: Shape) -> Window | None:
        """The window that makes a window of the result."""
        mirrored = {axis % len(shape) for axis in self.axes}
        return tuple(
            slice(extent - cut.stop, extent - cut.start) if axis in mirrored else cut
            for axis, (cut, extent) in enumerate(zip(window, shape, strict=True))
        )

    def narrow(self, array: Array, size: Shape) -> Array:
        """What it makes of a window."""
        return self(array)

    def __repr__(self) -> str:
        return f"flip({', '.join(map(str, self.axes))})"


@dataclass(frozen=True)
class Part:
    """One of several equal parts along an axis: a query out of a fused matrix. Made by `part`."""

    number: int
    of: int
    axis: int = 0

    def __call__(self, array: Array) -> Array:
        """The array after it."""
        axis, start, size = self._cut(array.shape)
        return array[(*[slice(None)] * axis, slice(start, start + size))]

    def _cut(self, shape: Shape) -> tuple[int, int, int]:
        if not -len(shape) <= self.axis < len(shape) or shape[self.axis] % self.of:
            raise ValueError(
                f"{self!r} needs an axis {self.axis} that divides into {self.of}; "
                f"the shape is {shape}"
            )
        size = shape[self.axis] // self.of
        return self.axis % len(shape), self.number * size, size

    def shape(self, shape: Shape) -> Shape:
        """The shape after it."""
        axis, _, size = self._cut(shape)
        return (*shape[:axis], size, *shape[axis + 1 :])

    def pull(self, window: Window, shape: Shape) -> Window | None:
        """The window that makes a window of the result."""
        axis, start, _ = self._cut(shape)
        moved = slice(window[axis].start + start, window[axis].stop + start)
        return (*window[:axis], moved, *window[axis + 1 :])

    def narrow(self, array: Array, size: Shape) -> Array:
        """What it makes of a window."""
        return array  # the window was cut out of this part

    def __repr__(self) -> str:
        return f"part({self.number}, {self.of}, axis={self.axis})"


def transpose(*axes: int) -> Transpose:
    """Axes in another order, reversed where none is given, as in `numpy.transpose`.

    >>> from jinit.pretrained import transpose
    >>> transpose().shape((10, 784)), transpose(2, 3, 1, 0).shape((64, 3, 7, 5))
    ((784, 10), (7, 5, 3, 64))
    """
    return Transpose(axes)


def reshape(*shape: int) -> Reshape:
    """Another shape; one extent may be -1.

    >>> from jinit.pretrained import reshape
    >>> reshape(-1, 12, 64).shape((768, 768))
    (768, 12, 64)
    """
    if shape.count(-1) > 1 or any(extent < -1 for extent in shape):
        raise ValueError(f"`shape` (={shape}) must have no negative extents but one -1")
    return Reshape(shape)


def flip(*axes: int) -> Flip:
    """Some axes mirrored.

    >>> from jinit.pretrained import flip
    >>> flip(0, 1)
    flip(0, 1)
    """
    return Flip(axes)


def part(number: int, of: int, axis: int = 0) -> Part:
    """Part `number`, counted from 0, of `of` equal parts along an axis.

    >>> from jinit.pretrained import part
    >>> part(2, 3).shape((2304, 768))  # the values, of a fused query, key and value
    (768, 768)
    """
    if not 0 <= number < of:
        raise ValueError(f"`number` (={number}) must be one of the `of` (={of}) parts, from 0")
    return Part(number, of, axis)
