"""Ways for a tensor to become a leaf, the likely ones first.

May import: the standard library, and of `jinit.pretrained` leaves, operations, sources,
torch_layers.
"""

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

from jinit.pretrained.chains import shape_after
from jinit.pretrained.leaves import Wanted
from jinit.pretrained.operations import Operation, Reshape, Transpose
from jinit.pretrained.sources import TensorSpec
from jinit.pretrained.torch_layers import Layer, weight_operations

__all__ = ["Way", "ways"]


class Way(NamedTuple):
    """Operations, and how well the shape then fits, from 0 to 1."""

    operations: tuple[Operation, ...]
    fit: float


def ways(one: Wanted, name: str, spec: TensorSpec) -> Iterator[Way]:
    """The ways that make the leaf's shape of a tensor's."""
    leaf = one.leaf
    if math.prod(spec.shape) != math.prod(leaf.shape):
        return
    if name.endswith("weight") and leaf.name != "weight":
        layout = _torch_layout(one, spec)
        if layout is not None and shape_after(layout, spec.shape) == leaf.shape:
            yield Way(layout, 1.0)
    if spec.shape == leaf.shape:
        yield Way((), 1.0)
    if len(spec.shape) == len(leaf.shape) <= 5:
        for axes in itertools.permutations(range(len(leaf.shape))):
            if tuple(spec.shape[axis] for axis in axes) == leaf.shape:
                yield Way((Transpose(axes),), 0.7)
                break
    yield Way((Reshape(leaf.shape),), 0.3)


def _torch_layout(one: Wanted, spec: TensorSpec) -> tuple[Operation, ...] | None:
    """What PyTorch's layout of such a kernel needs, where the leaf's axes are known."""
    if one.leaf.stack:
        return None
    try:
        layer = Layer(one, (one.leaf.name,), one.leaf.shape, one.leaf.axes)
        return weight_operations(layer, spec.shape, stored=False)
    except ValueError:
        return None
