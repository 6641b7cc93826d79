"""A leaf as rules see it: one parameter, what uses it, its neighbours and its place in the depth.

May import: numpy, `jinit.axes`, `jinit.fans`, and of `jinit.model` blocks, paths, structure.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jinit.fans import Fans, compute_fans
from jinit.model.blocks import Block, number_blocks
from jinit.model.paths import Parts, join
from jinit.model.structure import Slot

__all__ = ["Leaf", "as_leaves"]


class Leaf:
    """One parameter of a model.

    Attributes:
        path: its path, names joined by slashes.
        parts: the names.
        name: the last of them.
        shape: its shape, stacked axes included.
        dtype: its dtype.
        layer: class of the layer that owns it ("Dense", ...), or None where that is not known.
        role: what the layer does with it: see `jinit.by_role`.
        axes: its axes by role, or None where nothing but the shape is known.
        stack: axes along which whole layers are stacked.
        sharding: the sharding that the model asks for, or None.
    """

    def __init__(self, slot: Slot, block: Block | None, family: Mapping[Parts, "Leaf"]) -> None:
        self.slot = slot
        self.parts = slot.parts
        self.path = join(slot.parts)
        self.name = slot.parts[-1] if slot.parts else ""
        self.shape, self.dtype = slot.shape, slot.dtype
        self.layer, self.role = slot.layer, slot.role
        self.axes, self.stack = slot.axes, slot.stack
        self.sharding = slot.sharding
        self._block = block
        self._family = family

    def __repr__(self) -> str:
        return f"<Leaf {self}>"

    def __str__(self) -> str:
        """Path, dtype and shape, as messages name it."""
        return str(self.slot)

    @property
    def size(self) -> int:
        """How many weights there are."""
        return math.prod(self.shape)

    @property
    def fans(self) -> Fans:
        """Connections into and out of a unit, of one slice where layers are stacked.

        Raises:
            ValueError: the leaf is no weight, or its use cannot be read from its shape.
        """
        if self.slot.fans is not None:
            return self.slot.fans
        if self.axes is None:
            raise ValueError(self._no_axes())
        return compute_fans(self.shape, **self.axes._asdict())

    def _no_axes(self) -> str:
        if len(self.shape) - len(self.stack) < 2:
            return (
                f"{self} has fewer than two axes and therefore no fans; a bias can use its "
                "kernel's: lambda leaf: jinit.torch_bias(leaf.sibling('kernel').fans.fan_in)"
            )
        return (
            f"{self} has {len(self.shape)} axes, and its shape does not say which of them its "
            "layer contracts; pass the model instead of its parameters (a Linen module: "
            "jinit.with_inputs(module, *inputs)), or say it: layouts={'"
            + self.path
            + "': '"
            + "HWIO"[-len(self.shape) :]
            + "'}, or in_axis=, out_axis= in the scheme"
        )

    @property
    def index(self) -> Any:
        """The number, from 0, of the block that this leaf is in.

        An int; for a stacked leaf one for each layer, as an array that broadcasts to the leaf.

        Raises:
            ValueError: the leaf is in no numbered block.
        """
        if self.stack:
            extents = [self.shape[axis] for axis in self.stack]
            shape = [n if axis in self.stack else 1 for axis, n in enumerate(self.shape)]
            return np.arange(math.prod(extents)).reshape(shape)
        return self._placed().number

    @property
    def depth(self) -> int:
        """How many such blocks there are.

        Raises:
            ValueError: the leaf is in no numbered block.
        """
        if self.stack:
            return math.prod(self.shape[axis] for axis in self.stack)
        return self._placed().depth

    @property
    def in_block(self) -> bool:
        """Whether the leaf is in a numbered block or a stack, and `index` and `depth` are known."""
        return bool(self.stack) or self._block is not None

    def _placed(self) -> Block:
        if self._block is None:
            raise ValueError(
                f"{self} is in no numbered block (such as 'h_3' or 'layers/3') and has no stacked "
                "axis, so that it has neither index nor depth; give the depth itself"
            )
        return self._block

    @property
    def siblings(self) -> Mapping[str, "Leaf"]:
        """The leaves beside it, of the same layer, by name."""
        return {
            parts[-1]: leaf
            for parts, leaf in self._family.items()
            if parts[:-1] == self.parts[:-1] and parts != self.parts
        }

    def sibling(self, *names: str) -> "Leaf":
        """The leaf beside it that has the first of these names that exists.

        Raises:
            ValueError: there is none; the message lists those there are.
        """
        siblings = self.siblings
        for name in names:
            if name in siblings:
                return siblings[name]
        there = ", ".join(sorted(siblings)) or "none"
        raise ValueError(
            f"{self} has no sibling called {' or '.join(map(repr, names))}; there are: {there}"
        )


def as_leaves(slots: Sequence[Slot]) -> tuple[Leaf, ...]:
    """The leaves of a model, each knowing its neighbours and its block.

    Raises:
        ValueError: two parameters have one path.
    """
    blocks = number_blocks(slot.parts for slot in slots)
    layers: dict[Parts, dict[Parts, Leaf]] = {}
    leaves = []
    for slot in slots:
        family = layers.setdefault(slot.parts[:-1], {})
        if slot.parts in family:
            raise ValueError(f"two parameters have the path {join(slot.parts)!r}; rename one")
        leaf = Leaf(slot, blocks.get(slot.parts), family)
        family[slot.parts] = leaf
        leaves.append(leaf)
    return tuple(leaves)
