"""Which positions along a parameter's axis its uses take: the whole, parts, or one at a time.

May import: the standard library, NumPy, and of `jinit.data_dependent` facts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jinit.data_dependent.facts import Sight

__all__ = ["parts_along"]


@dataclass(frozen=True)
class _Region:
    """Positions, or any single one of all where `positions` is None."""

    positions: frozenset[int] | None

    def apart(self, other: "_Region") -> bool:
        """Whether the two are one, or have nothing in common, or are single positions."""
        if self.positions is None or other.positions is None:
            return all(r.positions is None or len(r.positions) == 1 for r in (self, other))
        return self.positions == other.positions or not self.positions & other.positions


def parts_along(axis: int, sights: Sequence[Sight]) -> bool:
    """Whether all uses together take an axis apart, into parts that can have scales of their own.

    Args:
        axis: the parameter's axis.
        sights: the parameter in each of its uses.
    """
    if all(_is_whole(sight, axis) for sight in sights):
        return False
    if any(axis in sight.blurred or _is_whole(sight, axis) for sight in sights):
        return False
    found = [_region(sight, axis) for sight in sights]
    known = list(dict.fromkeys(region for region in found if region is not None))
    if len(known) < len(dict.fromkeys(found)):
        return False
    return all(one.apart(other) for n, one in enumerate(known) for other in known[:n])


def _is_whole(sight: Sight, axis: int) -> bool:
    if axis in sight.blurred:
        return True
    seen = [p for pieces in sight.view.axes for p in pieces if p.axis == axis]
    return math.prod(piece.size for piece in seen) == sight.view.shape[axis]


def _region(sight: Sight, axis: int) -> _Region | None:
    """The positions, or None where they cannot be told."""
    seen = [p for pieces in sight.view.axes for p in pieces if p.axis == axis and p.size > 1]
    if any(pick.piece.axis == axis and pick.piece.size > 1 for pick in sight.picks):
        return None if seen else _Region(None)
    gone = [piece for piece in sight.view.picked if piece.axis == axis]
    single = [p for pieces in sight.view.axes for p in pieces if p.axis == axis and p.size == 1]
    positions = np.zeros(1, np.int64)
    for piece in (*seen, *single, *gone):
        steps = piece.stride * (piece.start + np.arange(piece.size))
        positions = (positions[:, None] + steps).reshape(-1)
    return _Region(frozenset(positions.tolist()))
