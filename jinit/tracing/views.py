"""A parameter on its way to its use: which of its axes are where, and what was done to it.

May import: the standard library, `jinit.axes`, and of `jinit.tracing` pieces.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from jinit.axes import Shape
from jinit.tracing.pieces import Piece, Pieces, cut, extent, merged, regrouped, whole

__all__ = ["Roles", "View", "disjoint"]


@dataclass(frozen=True)
class Roles:
    """The leaf's axes by what a use does along them.

    Attributes:
        by_role: for "in", "out", "batch" and "taps" the axes that have this role alone.
        mixed: axes of which one part has one role and another part another.
    """

    by_role: Mapping[str, Shape]
    mixed: Shape = ()


@dataclass(frozen=True)
class View:
    """What is left of one leaf in an intermediate value.

    Attributes:
        leaf: the leaf's number.
        shape: the leaf's shape.
        axes: the value's axes, each of pieces of the leaf's.
        picked: pieces of which one entry was taken.
        stack: axes of the leaf along which a scan goes.
        into: by axis, what part of the entries along it are the leaf's own, if it is contracted:
            more than all of them where it is divided over devices.
        onto: the same, if it stays.
        through: operations on the values, other than changes of shape, by name.
        lost: why axes cannot be told any more, the operation's name first; then `axes` is empty.
        looked_up: axes along which entries were picked by data.
    """

    leaf: int
    shape: Shape
    axes: tuple[Pieces, ...]
    picked: Pieces = ()
    stack: Shape = ()
    into: tuple[tuple[int, Fraction], ...] = ()
    onto: tuple[tuple[int, Fraction], ...] = ()
    through: tuple[str, ...] = ()
    lost: str = ""
    looked_up: Shape = ()

    @classmethod
    def of(cls, leaf: int, shape: Shape) -> "View":
        """The leaf itself."""
        return cls(leaf, shape, whole(shape))

    def passed(self, operation: str) -> "View":
        """After an operation on the values that leaves every entry in its place."""
        if operation in self.through:
            return self
        return replace(self, through=(*self.through, operation))

    def lose(self, reason: str) -> "View":
        """After an operation that cannot be followed."""
        return self if self.lost else replace(self, axes=(), lost=reason)

    def with_axes(self, axes: Sequence[Pieces] | None, reason: str) -> "View":
        """With other axes, or lost where there are none."""
        if self.lost or axes is None:
            return self.lose(reason)
        left = {piece for pieces in axes for piece in pieces}
        single = [piece for pieces in self.axes for piece in pieces if piece.size == 1]
        gone = [p for p in single if p.axis is not None and p not in left]
        return replace(self, axes=tuple(axes), picked=(*self.picked, *gone))

    def each(self, change: Callable[[Sequence[Pieces]], Sequence[Pieces] | None]) -> "View":
        """With its axes changed, unless it is lost already."""
        return self if self.lost else self.with_axes(change(self.axes), "reshape")

    # Changes of shape.

    def reshaped(self, shape: Shape) -> "View":
        """After a reshape in row-major order."""
        if self.lost:
            return self
        old = tuple(extent(pieces) for pieces in self.axes)
        reason = f"reshape from {old} to {shape}, which mixes axes"
        return self.with_axes(regrouped(self.axes, shape), reason)

    def permuted(self, order: Sequence[int]) -> "View":
        """After a transposition."""
        return self.each(lambda axes: [axes[place] for place in order])

    def broadcast(self, shape: Shape, places: Sequence[int]) -> "View":
        """After `broadcast_in_dim`: axis n goes to `places[n]`, and is repeated if it has to be."""

        def change(axes: Sequence[Pieces]) -> list[Pieces]:
            made: list[Pieces] = [(Piece(None, 0, size),) for size in shape]
            for pieces, place in zip(axes, places, strict=True):
                if extent(pieces) == shape[place]:
                    made[place] = pieces
            return made

        return self.each(change)

    def sliced(self, starts: Shape, limits: Shape, steps: Shape) -> "View":
        """After a slice with known limits."""

        def change(axes: Sequence[Pieces]) -> list[Pieces] | None:
            found = [cut(*args) for args in zip(axes, starts, limits, steps, strict=True)]
            return None if None in found else found  # type: ignore[return-value]

        if self.lost:
            return self
        return self.with_axes(change(self.axes), "slice across pieces of several axes")

    def resized(self, place: int, size: int) -> "View":
        """With one axis longer or shorter, as if the leaf's own axis were."""

        def change(axes: Sequence[Pieces]) -> list[Pieces] | None:
            pieces = axes[place]
            rest = extent(pieces[1:])
            if size % rest:
                return None
            outer = pieces[0]._replace(size=size // rest) if pieces else Piece(None, 0, size)
            return [*axes[:place], (outer, *pieces[1:]), *axes[place + 1 :]]

        return self.each(change)

    def peeled(self) -> "View":
        """One step of a scan along the first axis."""
        if self.lost:
            return self
        axes = [piece.axis for piece in self.axes[0] if piece.axis is not None]
        stack = tuple(dict.fromkeys((*self.stack, *axes)))
        return replace(self, axes=self.axes[1:], stack=stack)

    def joined(self, place: int, size: int) -> "View":
        """As a part of a concatenation of this length: an output sums all parts of the axis."""
        return self._grown(place, size, into=False)

    def padded(self, place: int, size: int) -> "View":
        """With zeros around it, that connect nothing."""
        return self._grown(place, size, into=True)

    def fitted(self, shape: Shape) -> "View":
        """One device's shard, or shards put together again, of this shape."""
        view = self
        for place, size in enumerate(shape):
            if not view.lost and view.extents[place] != size:
                view = view._grown(place, size, into=True)
        return view

    def _grown(self, place: int, size: int, into: bool) -> "View":
        view = self.resized(place, size)
        if view.lost or not view.axes[place]:
            return view
        axis, share = view.axes[place][0].axis, Fraction(self.extents[place], size)
        if axis is None or share == 1:
            return view
        onto = (*view.onto, (axis, share))
        return replace(view, onto=onto, into=(*view.into, (axis, share)) if into else view.into)

    # What it is made of.

    @property
    def extents(self) -> Shape:
        """The value's shape."""
        return tuple(extent(pieces) for pieces in self.axes)

    def own_axes(self) -> Shape:
        """The leaf's axes that are present with more than one entry."""
        present = {piece.axis for pieces in self.axes for piece in pieces if piece.size > 1}
        return tuple(sorted(axis for axis in present if axis is not None))

    def own_extent(self, place: int) -> int:
        """The length of an axis without what a broadcast repeats."""
        return extent(piece for piece in self.axes[place] if piece.axis is not None)

    def own_sizes(self) -> list[tuple[int, int]]:
        """The pieces of the leaf's axes that are present: axis and size."""
        pieces = [piece for pieces in self.axes for piece in pieces if piece.size > 1]
        return [(piece.axis, piece.size) for piece in pieces if piece.axis is not None]

    def shares(self, into: Sequence[int], onto: Sequence[int]) -> tuple[Fraction, Fraction]:
        """What part of the entries along contracted and along remaining axes are the leaf's."""
        return (
            math.prod((share for axis, share in self.into if axis in into), start=Fraction(1)),
            math.prod((share for axis, share in self.onto if axis in onto), start=Fraction(1)),
        )

    def roles(self, by_place: Sequence[str]) -> Roles:
        """The leaf's axes by role, from the roles of the value's axes.

        Axes of the leaf that are not there any more, as one entry was picked, are batch axes.
        """
        found: dict[int, set[str]] = {axis: {"batch"} for axis in (*self.stack, *self.looked_up)}
        for pieces, role in zip(self.axes, by_place, strict=True):
            for piece in pieces:
                if piece.axis is not None and (piece.size > 1 or self.shape[piece.axis] == 1):
                    found.setdefault(piece.axis, set()).add(role)
        for pieces, role in zip(self.axes, by_place, strict=True):
            for piece in pieces:
                if piece.axis is not None:
                    found.setdefault(piece.axis, {role})
        for axis, size in enumerate(self.shape):
            found.setdefault(axis, {"batch"} if size > 1 else set())
        single = {axis: next(iter(roles)) for axis, roles in found.items() if len(roles) == 1}
        names = ("in", "out", "batch", "taps")
        by_role = {name: tuple(sorted(a for a in single if single[a] == name)) for name in names}
        return Roles(by_role, tuple(sorted(a for a, roles in found.items() if len(roles) > 1)))

    @property
    def region(self) -> tuple[tuple[int, int, int, int], ...]:
        """Which entries of the leaf these are: axis, stride, first and last of each cut."""
        pieces = [*self.picked, *(piece for pieces in self.axes for piece in merged(pieces))]
        return tuple(
            (piece.axis, piece.stride, piece.start, piece.start + piece.size)
            for piece in pieces
            if piece.axis is not None
        )


def disjoint(one: Sequence[tuple[int, ...]], other: Sequence[tuple[int, ...]]) -> bool:
    """Whether two regions of a leaf have no entry in common, as far as can be told."""
    bounds = {(axis, stride): (first, last) for axis, stride, first, last in one}
    for axis, stride, first, last in other:
        if (axis, stride) in bounds:
            low, high = bounds[axis, stride]
            if last <= low or high <= first:
                return True
    return False
