"""Names of axes: which axis of one value is which of another, through splits and merges.

May import: the standard library.

A position of a value's shape is a sequence of names, outer ones first, whose sizes multiply to its
length. A reshape regroups them, and splits one into two where it has to; a sum of two values makes
two names one. Sizes of 1 have no name.
"""

import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias

__all__ = ["Axes", "Names", "Places"]

Names: TypeAlias = tuple[int, ...]
Places: TypeAlias = tuple[Names, ...]


class Axes:
    """All names of a walk, and what has become of them."""

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._into: dict[int, Names] = {}

    def new(self, size: int) -> Names:
        """A name of its own."""
        if size == 1:
            return ()
        self._sizes.append(size)
        return (len(self._sizes) - 1,)

    def places(self, shape: Iterable[int]) -> Places:
        """A name of its own for each position of a shape."""
        return tuple(self.new(size) for size in shape)

    @property
    def changes(self) -> int:
        """How many names have been split or merged."""
        return len(self._into)

    def known(self, names: Iterable[int]) -> Names:
        """The names as they are now, after splits and merges."""
        found: list[int] = []
        for name in names:
            found += self.known(self._into[name]) if name in self._into else (name,)
        return tuple(found)

    def size(self, names: Iterable[int]) -> int:
        """How many positions there are along all of these."""
        return math.prod(self._sizes[name] for name in self.known(names))

    def rename(self, old: int, new: int) -> None:
        """Make `old` another word for `new`."""
        if old != new:
            self._into[old] = (new,)

    def split(self, name: int, outer: int) -> Names:
        """Part a name in two, of sizes `outer` and the rest."""
        self._into[name] = (*self.new(outer), *self.new(self._sizes[name] // outer))
        return self._into[name]

    def regrouped(self, names: Iterable[int], shape: Sequence[int]) -> Places | None:
        """Names put together anew for a shape, or None where that would cut across one."""
        stream, found = list(self.known(names)), []
        for size in shape:
            taken = self._taken(stream, size)
            if taken is None:
                return None
            found.append(taken)
        return tuple(found)

    def _taken(self, stream: list[int], size: int) -> Names | None:
        """Names off the front of `stream` that are `size` together."""
        taken: list[int] = []
        while (missing := size // self.size(taken)) > 1:
            if not stream:
                return None
            name = stream.pop(0)
            length = self._sizes[name]
            if length > missing:
                if length % missing:
                    return None
                name, rest = self.split(name, missing)
                stream.insert(0, rest)
            elif missing % length:
                return None
            taken.append(name)
        return tuple(taken)

    def aligned(self, one: Iterable[int], other: Iterable[int]) -> list[tuple[int, int]] | None:
        """Pairs of names of equal size, from two positions of equal length; None if there are none.

        >>> axes = Axes()
        >>> axes.aligned(axes.new(6), (*axes.new(2), *axes.new(3)))
        [(3, 1), (4, 2)]
        """
        ones, others, pairs = list(self.known(one)), list(self.known(other)), []
        while ones and others:
            a, b = ones.pop(0), others.pop(0)
            if self._sizes[a] > self._sizes[b] and self._sizes[a] % self._sizes[b] == 0:
                a, rest = self.split(a, self._sizes[b])
                ones.insert(0, rest)
            elif self._sizes[b] > self._sizes[a] and self._sizes[b] % self._sizes[a] == 0:
                b, rest = self.split(b, self._sizes[a])
                others.insert(0, rest)
            elif self._sizes[a] != self._sizes[b]:
                return None
            pairs.append((a, b))
        return pairs
