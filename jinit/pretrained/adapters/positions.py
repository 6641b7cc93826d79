"""Position tables of another length: interpolated along the sequence, or over the image.

May import: the standard library, numpy, `jinit.checks`, of `jinit.model` leaf, and of
`jinit.pretrained.adapters` adapter, resampling.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jinit.checks import check_choice, check_integer
from jinit.model.leaf import Leaf
from jinit.pretrained.adapters.adapter import Adapter, Array, axis_that_differs
from jinit.pretrained.adapters.resampling import METHODS, apply_along, resampling_matrix

__all__ = ["resize_positions"]

Grid = tuple[int, int]


def resize_positions(
    *,
    dims: int = 2,
    prefix: int = 0,
    old_grid: Sequence[int] | None = None,
    new_grid: Sequence[int] | None = None,
    method: str = "cubic",
    antialias: bool = True,
) -> Adapter:
    """Interpolate a position table `(..., positions, features)` to another number of positions.

    For a vision transformer at another resolution (`dims=2`, `prefix=1` with a class token), and
    for learned positions of a longer sequence (`dims=1`).

    Args:
        dims: 2 for positions of an image, row by row; 1 for a sequence.
        prefix: how many first positions are no places (class and register tokens); kept as
            they are.
        old_grid: rows and columns of the checkpoint's image; None for a square.
        new_grid: rows and columns of the model's image; None for a square.
        method: "cubic" (bicubic, Keys' a = -1/2) or "linear".
        antialias: widen the kernel where the table shrinks.

    Raises:
        ValueError: positions fill no square and their grid is not given, or not this grid.

    >>> from jinit.pretrained import resize_positions
    >>> adapt = resize_positions(prefix=1)  # 14 x 14 patches and a class token to 24 x 24

    Reference: Dosovitskiy et al. 2021 (arXiv:2010.11929), section 3.2: positions are interpolated
    in 2-D at a higher resolution.

    Differences: torch's bicubic has a = -3/4, which does not reproduce parabolas; JAX's is this.
    """
    check_choice("method", method, sorted(METHODS))
    if dims not in (1, 2):
        raise ValueError(f"`dims` (={dims!r}) must be 1 or 2")
    if dims == 1 and (old_grid is not None or new_grid is not None):
        raise ValueError("`old_grid` and `new_grid` belong to dims=2; a sequence has none")
    check_integer("prefix", prefix, least=0)
    grids = [_grid(name, grid) for name, grid in (("old_grid", old_grid), ("new_grid", new_grid))]
    return _Positions(dims, prefix, grids[0], grids[1], method, antialias)


def _grid(name: str, grid: Sequence[int] | None) -> Grid | None:
    if grid is None:
        return None
    if len(grid) != 2 or any(extent < 1 for extent in grid):
        raise ValueError(f"`{name}` (={grid!r}) must be two positive extents, rows and columns")
    return (grid[0], grid[1])


@dataclass(frozen=True)
class _Positions(Adapter):
    dims: int
    prefix: int
    old_grid: Grid | None
    new_grid: Grid | None
    method: str
    antialias: bool

    def check(self, shape: tuple[int, ...], leaf: Leaf) -> None:
        axis = self._axis(shape, leaf)
        self._grids(shape[axis], leaf.shape[axis], leaf)

    def __call__(self, value: Array, leaf: Leaf, key: Any) -> Any:
        axis = self._axis(value.shape, leaf)
        old, new = self._grids(value.shape[axis], leaf.shape[axis], leaf)
        table = np.moveaxis(value, axis, 0).astype(np.float64)
        first, places = table[: self.prefix], table[self.prefix :]
        grid = places.reshape(*old, *places.shape[1:])
        for at, (before, after) in enumerate(zip(old, new, strict=True)):
            if before != after:
                matrix = resampling_matrix(before, after, self.method, antialias=self.antialias)
                grid = apply_along(matrix, grid, at)
        resized = grid.reshape(-1, *places.shape[1:])
        return np.moveaxis(np.concatenate([first, resized]), 0, axis)

    def _axis(self, shape: tuple[int, ...], leaf: Leaf) -> int:
        same_length = tuple(shape) == leaf.shape  # another grid of as many positions
        return axis_that_differs(shape, leaf, max(len(shape) - 2, 0) if same_length else None)

    def _grids(self, old: int, new: int, leaf: Leaf) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The extents before and after."""
        if self.dims == 1:
            return (old - self.prefix,), (new - self.prefix,)
        before = _as_grid("old_grid", self.old_grid, old - self.prefix, self.prefix, leaf)
        return before, _as_grid("new_grid", self.new_grid, new - self.prefix, self.prefix, leaf)

    def __repr__(self) -> str:
        grids = f" {self.old_grid} to {self.new_grid}" if self.old_grid or self.new_grid else ""
        prefix = f", prefix={self.prefix}" if self.prefix else ""
        return f"resize_positions(dims={self.dims}{prefix}, {self.method}{grids})"


def _as_grid(name: str, grid: Grid | None, count: int, prefix: int, leaf: Leaf) -> Grid:
    if grid is not None:
        if math.prod(grid) != count:
            raise ValueError(
                f"`{name}` (={grid}) has {math.prod(grid)} places, and {leaf} needs {count} "
                f"after the prefix of {prefix}"
            )
        return grid
    side = math.isqrt(max(count, 0))
    if side * side != count or count == 0:
        raise ValueError(
            f"{count} positions after a prefix of {prefix} fill no square; give `{name}`, the rows "
            "and columns, or `prefix`, the number of class tokens"
        )
    return (side, side)
