"""Recipes: what a leaf is made of, tensors each on their way, side by side or on top of another.

May import: the standard library, numpy, and of `jinit.pretrained` binary, chains,
operations, sources.

Recipes read both ways: `read` makes a leaf of tensors, `write` makes the tensors of a leaf.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from jinit.pretrained.binary import aligned_empty
from jinit.pretrained.chains import (
    apply,
    narrow_through,
    pull_through,
    shape_after,
    size_of,
    store,
)
from jinit.pretrained.operations import Array, Operation, Shape, Window
from jinit.pretrained.sources import Source, TensorSpec

__all__ = [
    "Joined",
    "Recipe",
    "Tensor",
    "dtype_of",
    "read",
    "shape_of",
    "tensors_of",
    "windowed",
    "write",
]


@dataclass(frozen=True)
class Tensor:
    """A tensor of the source, after some operations.

    Attributes:
        name: its name in the source.
        operations: what is done to it, first to last.
    """

    name: str
    operations: tuple[Operation, ...] = ()

    def __str__(self) -> str:
        return self.name

    @property
    def how(self) -> str:
        """The operations as text; empty if there are none."""
        return ", ".join(map(repr, self.operations))


@dataclass(frozen=True)
class Joined:
    """Several parts made one.

    Attributes:
        parts: what is joined.
        how_joined: "stack" along a new axis, "concatenate" along one there is, or "sum".
        axis: the axis.
    """

    parts: tuple["Recipe", ...]
    how_joined: str
    axis: int = 0

    def __str__(self) -> str:
        names = [tensor.name for tensor in tensors_of(self)]
        return f"{names[0]} ... {names[-1]} ({len(names)})" if len(names) > 3 else ", ".join(names)

    @property
    def how(self) -> str:
        """What is done, as text."""
        inner = self.parts[0].how
        joined = "sum" if self.how_joined == "sum" else f"{self.how_joined} on axis {self.axis}"
        return f"{inner}, {joined}" if inner else joined


Recipe: TypeAlias = Tensor | Joined


def tensors_of(recipe: Recipe) -> Iterator[Tensor]:
    """The tensors of a recipe, in order."""
    if isinstance(recipe, Tensor):
        yield recipe
        return
    for part in recipe.parts:
        yield from tensors_of(part)


def dtype_of(recipe: Recipe, specs: Mapping[str, TensorSpec]) -> np.dtype[Any]:
    """The dtype of what a recipe makes.

    Raises:
        ValueError: its tensors have several.
    """
    dtypes = {specs[tensor.name].dtype for tensor in tensors_of(recipe)}
    if len(dtypes) > 1:
        names = ", ".join(f"{t.name} {specs[t.name]}" for t in tensors_of(recipe))
        raise ValueError(f"tensors of several dtypes are to be one leaf: {names}")
    return dtypes.pop()


def shape_of(recipe: Recipe, specs: Mapping[str, TensorSpec]) -> Shape:
    """The shape of what a recipe makes.

    Raises:
        ValueError: an operation does not fit its tensor, or parts do not fit each other.
    """
    if isinstance(recipe, Tensor):
        return shape_after(recipe.operations, specs[recipe.name].shape)
    return _joined_shape(recipe, [shape_of(part, specs) for part in recipe.parts])


def _joined_shape(recipe: Joined, shapes: Sequence[Shape]) -> Shape:
    first, axis = shapes[0], recipe.axis
    beside = recipe.how_joined == "concatenate"
    if len({_without(shape, axis) if beside else shape for shape in shapes}) > 1:
        pairs = zip(recipe.parts, shapes, strict=True)
        named = ", ".join(f"{part} {list(shape)}" for part, shape in pairs)
        raise ValueError(f"parts of different shapes are to be one leaf: {named}")
    if recipe.how_joined == "stack":
        return (*first[:axis], len(shapes), *first[axis:])
    if beside:
        return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])
    return first


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


def read(recipe: Recipe, source: Source, window: Window | None = None) -> Array:
    """What a recipe makes, or a window of it; of the tensors only what is needed, where it can be.

    The result may be a view of the source's memory.
    """
    if isinstance(recipe, Tensor):
        return _read_tensor(recipe, source, window)
    shape = shape_of(recipe, source)
    window = window or tuple(slice(0, extent) for extent in shape)
    made = aligned_empty(size_of(window), dtype_of(recipe, source))
    if recipe.how_joined == "sum":
        made[...] = 0
    for part, inner, place in _places(recipe, source, window):
        values = read(part, source, inner)
        if recipe.how_joined == "sum":
            made += values
        else:
            made[place] = values
    return made


def windowed(recipe: Recipe, specs: Mapping[str, TensorSpec], window: Window) -> bool:
    """Whether a window of the result needs but windows of the tensors."""
    if isinstance(recipe, Tensor):
        shape = specs[recipe.name].shape
        return pull_through(recipe.operations, window, shape) is not None
    return all(windowed(part, specs, inner) for part, inner, _ in _places(recipe, specs, window))


def _read_tensor(tensor: Tensor, source: Source, window: Window | None) -> Array:
    operations = tensor.operations
    if window is None:
        return apply(operations, source.read(tensor.name))
    windows = pull_through(operations, window, source[tensor.name].shape)
    if windows is None:
        return apply(operations, source.read(tensor.name))[window]
    return narrow_through(operations, windows, source.read(tensor.name, windows[0]))


def _places(
    recipe: Joined, specs: Mapping[str, TensorSpec], window: Window
) -> Iterator[tuple[Recipe, Window, Any]]:
    """The parts that a window of the whole needs: what of each, and where that goes."""
    if recipe.how_joined == "sum":
        yield from ((part, window, ...) for part in recipe.parts)
        return
    axis, stacks = recipe.axis, recipe.how_joined == "stack"
    before, cut, after = window[:axis], window[axis], window[axis + 1 :]
    ahead = (slice(None),) * axis
    start = 0
    for part in recipe.parts:
        size = 1 if stacks else shape_of(part, specs)[axis]
        low, high = max(cut.start, start), min(cut.stop, start + size)
        if low < high:
            inner = () if stacks else (slice(low - start, high - start),)
            place = low - cut.start if stacks else slice(low - cut.start, high - cut.start)
            yield part, (*before, *inner, *after), (*ahead, place)
        start += size


def write(recipe: Recipe, value: Array, tensors: Mapping[str, Array]) -> None:
    """Change tensors in place to ones that a recipe makes `value` of.

    Of a sum the first part is the value, and the others are zero.
    """
    if isinstance(recipe, Tensor):
        store(recipe.operations, tensors[recipe.name], value)
        return
    if recipe.how_joined == "sum":
        for part in recipe.parts:
            write(part, value, tensors)
            value = np.zeros_like(value)
        return
    specs = {
        tensor.name: TensorSpec(tensors[tensor.name].shape, tensors[tensor.name].dtype)
        for tensor in tensors_of(recipe)
    }
    for part, _, place in _places(recipe, specs, tuple(slice(0, n) for n in value.shape)):
        write(part, value[place], tensors)
