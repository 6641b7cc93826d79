"""Axes as pieces of a leaf's axes: how a reshape splits and merges, and a slice cuts them.

May import: the standard library, `jinit.axes`.

An axis of length H * K that a model splits into heads becomes two pieces of one axis of the leaf;
merged again they are one. A reshape that no such pieces describe is not followed.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from jinit.axes import Shape

__all__ = ["Piece", "Pieces", "cut", "extent", "merged", "regrouped", "whole"]


class Piece(NamedTuple):
    """Some digits of the positions along one axis of a leaf.

    Attributes:
        axis: the leaf's axis; None for an axis that a broadcast made.
        stride: by how many positions of that axis neighbours differ.
        size: how many there are.
        start: the first of them, in strides.
    """

    axis: int | None
    stride: int
    size: int
    start: int = 0


Pieces: TypeAlias = tuple[Piece, ...]


def whole(shape: Sequence[int]) -> tuple[Pieces, ...]:
    """The axes of a leaf itself."""
    return tuple((Piece(axis, 1, size),) for axis, size in enumerate(shape))


def extent(pieces: Iterable[Piece]) -> int:
    """The length of an axis."""
    return math.prod(piece.size for piece in pieces)


def merged(pieces: Iterable[Piece]) -> Pieces:
    """Pieces, outer ones first, those joined that a split had parted.

    >>> merged([Piece(1, 4, 3), Piece(1, 1, 4)])
    (Piece(axis=1, stride=1, size=12, start=0),)
    """
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if last is not None and _adjoin(last, piece):
            start = last.start * piece.size + piece.start
            found[-1] = Piece(piece.axis, piece.stride, last.size * piece.size, start)
        else:
            found.append(piece)
    return tuple(found)


def _adjoin(outer: Piece, inner: Piece) -> bool:
    if outer.axis != inner.axis or outer.size == 1 or inner.start:
        return False
    return outer.axis is None or outer.stride == inner.stride * inner.size


def regrouped(axes: Sequence[Pieces], shape: Shape) -> tuple[Pieces, ...] | None:
    """The axes after a reshape to `shape`, or None where they are not made of whole pieces.

    >>> regrouped(whole((4, 6)), (4, 2, 3))[1:]
    ((Piece(axis=1, stride=3, size=2, start=0),), (Piece(axis=1, stride=1, size=3, start=0),))
    >>> regrouped(whole((4, 6)), (8, 3)) == (
    ...     (Piece(0, 1, 4), Piece(1, 3, 2)), (Piece(1, 1, 3),))
    True
    >>> regrouped(whole((4, 6)), (3, 8)) is None
    True
    """
    sizes = [extent(pieces) for pieces in axes]
    if 0 in sizes or 0 in shape:
        return None
    head = _same(sizes, shape)
    tail = _same(sizes[head:][::-1], shape[head:][::-1])
    stream = [piece for pieces in axes[head : len(axes) - tail] for piece in pieces]
    middle: list[Pieces] = []
    for size in shape[head : len(shape) - tail]:
        taken = _taken(stream, size)
        if taken is None:
            return None
        middle.append(merged(taken))
    return (*axes[:head], *middle, *axes[len(axes) - tail :])


def _same(ones: Sequence[int], others: Sequence[int]) -> int:
    """How many first entries are equal."""
    pairs = zip(ones, others, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(ones), len(others)))


def _taken(stream: list[Piece], size: int) -> list[Piece] | None:
    """Pieces off the front of `stream` that are `size` together."""
    if size == 1:
        return [stream.pop(0)] if stream and stream[0].size == 1 else []
    taken: list[Piece] = []
    while (missing := size // extent(taken)) > 1:
        if not stream:
            return None
        piece = stream.pop(0)
        if piece.size > missing:
            if piece.size % missing or piece.start:
                return None
            inner = piece.size // missing
            stream.insert(0, piece._replace(size=inner))
            piece = piece._replace(stride=piece.stride * inner, size=missing)
        elif missing % piece.size:
            return None
        taken.append(piece)
    return taken


def cut(pieces: Pieces, first: int, last: int, step: int = 1) -> Pieces | None:
    """An axis from `first` up to `last`, or None where that is no block of its pieces.

    >>> cut((Piece(0, 1, 12),), 4, 8)
    (Piece(axis=0, stride=1, size=4, start=4),)
    >>> cut((Piece(0, 1, 3), Piece(1, 1, 4)), 4, 8)
    (Piece(axis=0, stride=1, size=1, start=1), Piece(axis=1, stride=1, size=4, start=0))
    """
    if (first, last, step) == (0, extent(pieces), 1):
        return pieces
    if len(pieces) == 1:
        (piece,) = pieces
        size = max(0, -(-(last - first) // step))
        if step > 1:
            return (Piece(piece.axis, piece.stride * step, size, (piece.start + first) // step),)
        return (piece._replace(size=size, start=piece.start + first),)
    if not pieces or step > 1 or last <= first:
        return None
    return _cut_block(pieces, first, last)


def _cut_block(pieces: Pieces, first: int, last: int) -> Pieces | None:
    outer, *inner = pieces
    block = extent(inner)
    if first % block == 0 and last % block == 0:
        size = (last - first) // block
        return (outer._replace(size=size, start=outer.start + first // block), *inner)
    if first // block != (last - 1) // block:
        return None
    rest = cut(tuple(inner), first % block, (last - 1) % block + 1)
    if rest is None:
        return None
    return (outer._replace(size=1, start=outer.start + first // block), *rest)
