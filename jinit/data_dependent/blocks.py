"""Numbers kept for a parameter's entries, side by side in one vector, and where which of them are.

May import: the standard library, NumPy, `jinit.axes`, and of `jinit.tracing` ledger, pieces, and of
`jinit.data_dependent` facts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jinit.axes import Shape
from jinit.data_dependent.facts import Pick, Sight
from jinit.tracing.pieces import Piece

__all__ = ["Block", "Index", "index_of", "lay_out"]


class Block(NamedTuple):
    """A parameter's part of the vector: a number for each position along some of its axes.

    Attributes:
        offset: where it begins.
        axes: the parameter's axes.
        shape: the whole parameter's shape.
    """

    offset: int
    axes: Shape
    shape: Shape

    @property
    def extents(self) -> Shape:
        """How many positions there are along each of the axes."""
        return tuple(self.shape[axis] for axis in self.axes)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return math.prod(self.extents)

    @property
    def broadcast(self) -> Shape:
        """The shape in which the numbers stand beside the parameter's entries."""
        return tuple(n if axis in self.axes else 1 for axis, n in enumerate(self.shape))

    def stride(self, axis: int) -> int:
        """How far apart neighbours along an axis are; 0 along axes that share one number."""
        if axis not in self.axes:
            return 0
        return math.prod(self.shape[a] for a in self.axes if a > axis)


def lay_out(axes: Mapping[int, frozenset[int]], shapes: Sequence[Shape]) -> dict[int, Block]:
    """Blocks one after another.

    >>> blocks = lay_out({4: frozenset(), 5: frozenset({0})}, [()] * 4 + [(2, 3), (7, 3)])
    >>> blocks[5].offset, blocks[5].size, blocks[5].broadcast
    (1, 7, (7, 1))
    """
    blocks, offset = {}, 0
    for leaf, kept in axes.items():
        blocks[leaf] = Block(offset, tuple(sorted(kept)), shapes[leaf])
        offset += blocks[leaf].size
    return blocks


@dataclass(frozen=True)
class Index:
    """Where in the vector the numbers of a value's entries are.

    Attributes:
        fixed: by entry, of length 1 along axes where numbers do not differ.
        moving: what is to be added as the program runs: a factor, and the pick of whose position.
    """

    fixed: np.ndarray[Any, np.dtype[np.int32]]
    moving: tuple[tuple[int, Pick], ...] = ()

    def table(self) -> np.ndarray[Any, np.dtype[np.int32]]:
        """All numbers that this can be: an axis for each pick, and one for entries if there are."""
        found = self.fixed.reshape(-1)
        for factor, pick in reversed(self.moving):
            steps = factor * np.arange(pick.piece.size, dtype=np.int32)
            found = steps.reshape(-1, *[1] * found.ndim) + found
        return found if self.fixed.size > 1 else found[..., 0]

    def every(self) -> np.ndarray[Any, np.dtype[np.int32]]:
        """All numbers that this can be, flat."""
        return np.unique(self.table())


def index_of(block: Block, sight: Sight, *, summed: bool = False) -> Index:
    """Where the numbers of a value's entries are.

    Args:
        block: the parameter's numbers.
        sight: the parameter in the value.
        summed: whether numbers of entries that a product has contracted are meant too: there are
            further axes in front then.
    """
    axes = [()] * len(sight.view.shape) if sight.view.lost else [*sight.view.axes]
    columns: list[Sequence[Piece]] = [(piece,) for piece in sight.summed] if summed else []
    columns += axes
    fixed = np.full((1,) * len(columns), block.offset, np.int32)
    for place, pieces in enumerate(columns):
        numbers = _along(block, pieces)
        if numbers.size > 1 or numbers.any():
            shape = [1] * len(columns)
            shape[place] = numbers.size
            fixed = fixed + numbers.reshape(shape)
    moving = []
    for piece in sight.view.picked:
        fixed = fixed + np.int32(_step(block, piece) * piece.start)
    for pick in sight.picks:
        if factor := _step(block, pick.piece):
            fixed = fixed + np.int32(factor * pick.piece.start)
            moving.append((factor, pick))
    return Index(fixed, tuple(moving))


def _along(block: Block, pieces: Sequence[Piece]) -> np.ndarray[Any, np.dtype[np.int32]]:
    """By how much numbers move along an axis of these pieces; one entry if they do not."""
    if not any(_step(block, piece) for piece in pieces):
        return np.zeros(1, np.int32)
    found = np.zeros(1, np.int32)
    for piece in pieces:
        steps = _step(block, piece) * (piece.start + np.arange(piece.size, dtype=np.int32))
        found = (found[:, None] + steps).reshape(-1)
    return found


def _step(block: Block, piece: Piece) -> int:
    return 0 if piece.axis is None else block.stride(piece.axis) * piece.stride
