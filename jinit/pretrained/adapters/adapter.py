"""Adapters: values that fit a tensor of one shape to a leaf of another.

May import: the standard library, numpy, jax, and of `jinit.model` leaf.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from jinit.model.leaf import Leaf

__all__ = ["Adapter", "Array", "axis_that_differs", "check_rank"]

Array = np.ndarray[Any, Any]


class Adapter(ABC):
    """Fits a tensor to a leaf: first asked whether it can, then given the values.

    Subclass it, or give a function `(array, leaf) -> array` in its place.
    """

    needs_key: bool = False

    def check(self, shape: tuple[int, ...], leaf: Leaf) -> None:  # noqa: B027  # may be left out
        """Raise a ValueError unless a tensor of this shape can be made to fit `leaf`.

        The shape is the one that matching makes: layouts are the leaf's own already.
        """

    @abstractmethod
    def __call__(self, value: Array, leaf: Leaf, key: Any) -> Any:
        """The leaf's value, in its shape.

        Args:
            value: the tensor's values, in host memory, in the leaf's layout.
            leaf: what they are for.
            key: a PRNG key of this leaf's own, or None where `load` was given none.
        """


def check_rank(shape: tuple[int, ...], leaf: Leaf) -> None:
    """Raise unless a shape has as many axes as a leaf."""
    if len(shape) != len(leaf.shape):
        raise ValueError(
            f"the tensor has {len(shape)} axes {list(shape)}, and {leaf} has {len(leaf.shape)}"
        )


def axis_that_differs(shape: tuple[int, ...], leaf: Leaf, axis: int | None = None) -> int:
    """The one axis along which a shape and a leaf differ, or the one that was named.

    Raises:
        ValueError: they differ along several, or along another one than was named.
    """
    check_rank(shape, leaf)
    differing = [at for at, (a, b) in enumerate(zip(shape, leaf.shape, strict=True)) if a != b]
    if axis is not None and not -len(shape) <= axis < len(shape):
        raise ValueError(f"`axis` (={axis}) is none of the {len(shape)} axes of {leaf}")
    if not differing and axis is None:
        raise ValueError(f"{leaf} has the tensor's shape; name the axis: axis=0")
    chosen = differing[0] if axis is None else axis % len(shape)
    if [at for at in differing if at != chosen]:
        raise ValueError(
            f"the tensor {list(shape)} and {leaf} differ along axes {differing}; one is allowed"
            + ("" if axis is None else f", axis {chosen}")
        )
    return chosen
