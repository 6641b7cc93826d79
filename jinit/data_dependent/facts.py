"""What is known of a program's values: constants, values made of parameters, and data.

May import: the standard library, `jinit.axes`, and of `jinit.tracing` ledger, pieces, views, and
of `jinit.data_dependent` degrees.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from jinit.axes import Shape
from jinit.data_dependent.degrees import Scaling
from jinit.tracing.ledger import Place
from jinit.tracing.pieces import Piece, Pieces
from jinit.tracing.views import View

__all__ = [
    "Const",
    "Data",
    "Fact",
    "Made",
    "Pick",
    "Product",
    "Sight",
    "leaves_of",
    "merged_sights",
]


class Pick(NamedTuple):
    """One entry of some piece of an axis, taken at a position known as the program runs.

    Attributes:
        piece: the piece.
        inner: of a position, `position // inner % piece.size` is the entry.
        source: what the position is: the step of a scan, by how many are around that one, or where
            a slice was taken.
    """

    piece: Piece
    inner: int
    source: int | Place


@dataclass(frozen=True)
class Sight:
    """Where the entries of a parameter are, in a value that it has a part in.

    Attributes:
        view: the parameter's axes in the value.
        picks: entries taken at positions known as the program runs.
        mixed: the parameter's axes whose entries cannot be told from one another any more.
        summed: pieces that a product has contracted.
    """

    view: View
    picks: tuple[Pick, ...] = ()
    mixed: frozenset[int] = frozenset()
    summed: Pieces = ()

    @property
    def blurred(self) -> frozenset[int]:
        """The parameter's axes along which its entries cannot be scaled one by one."""
        return frozenset(range(len(self.view.shape))) if self.view.lost else self.mixed

    @property
    def extents(self) -> Shape:
        """The value's shape, if the view is not lost."""
        return self.view.extents

    def changed(self, change: Callable[[View], View]) -> "Sight":
        """After a change of shape."""
        return replace(self, view=change(self.view))

    def lose(self, operation: str) -> "Sight":
        """After an operation that leaves no entry in a place of its own."""
        return replace(self, view=self.view.lose(operation))

    def mix(self, pieces: Iterable[Piece]) -> "Sight":
        """With entries along these pieces made one."""
        axes = {piece.axis for piece in pieces if piece.axis is not None}
        return replace(self, mixed=self.mixed | axes) if axes else self

    def mix_along(self, places: Iterable[int]) -> "Sight":
        """With entries along the value's own axes made one."""
        if self.view.lost:
            return self
        return self.mix(piece for place in places for piece in self.view.axes[place])

    def spread(self, shape: Shape) -> "Sight":
        """Repeated along axes of length 1, and over all of a larger array if it is one number."""
        if self.view.lost or self.extents == shape:
            return self
        places = range(len(shape)) if len(self.view.axes) == len(shape) else ()
        return self.changed(lambda view: view.broadcast(shape, tuple(places)))

    def traces(self, axis: int) -> tuple[object, ...]:
        """All that tells which entries along one axis of the parameter are where."""
        there = [
            (place, piece)
            for place, pieces in enumerate(self.view.axes)
            for piece in pieces
            if piece.axis == axis and piece.size > 1
        ]
        gone = [piece for piece in self.view.picked if piece.axis == axis]
        return (there, gone, [pick for pick in self.picks if pick.piece.axis == axis])


def merged_sights(ones: Mapping[int, Sight], others: Mapping[int, Sight]) -> dict[int, Sight]:
    """Sights in an elementwise function of two values: what does not agree is mixed."""
    found = {**others, **ones}
    for leaf in ones.keys() & others.keys():
        one, other = ones[leaf], others[leaf]
        if one == other:
            continue
        if one.view.lost or other.view.lost:
            found[leaf] = one if one.view.lost else other
            continue
        axes = range(len(one.view.shape))
        differing = {axis for axis in axes if one.traces(axis) != other.traces(axis)}
        found[leaf] = replace(one, mixed=one.mixed | other.mixed | differing)
    return found


@dataclass(frozen=True)
class Const:
    """A value that neither parameters nor data have a part in; `value` where it is one number."""

    value: float | None = None


@dataclass(frozen=True)
class Made:
    """A value made of parameters and constants.

    Attributes:
        scaling: how it changes as parameters are rescaled.
        sights: by parameter, where its entries are.
        pure: whether it is one parameter itself, but for its shape.
    """

    scaling: Scaling
    sights: Mapping[int, Sight]
    pure: bool = False

    def moved(self, change: Callable[[Sight], Sight], *, pure: bool = False) -> "Made":
        """After an operation that changes no value but moves entries."""
        sights = {leaf: change(sight) for leaf, sight in self.sights.items()}
        return Made(self.scaling, sights, self.pure and pure)

    def scaled(self, scaling: Scaling) -> "Made":
        """After an elementwise function of its own."""
        return Made(scaling, self.sights)


@dataclass(frozen=True)
class Product:
    """A linear operation's outcome, as long as no more than its shape has changed.

    Attributes:
        site: the operation.
        scaling: how it changes as parameters are rescaled, data being equal.
        sights: by parameter, where the outputs of its entries are.
        frame: the axes that the operation's outcome had, in this value.
    """

    site: Place
    scaling: Scaling
    sights: Mapping[int, Sight]
    frame: View

    def changed(self, change: Callable[[View], View]) -> "Product | None":
        """After a change of shape; None if axes cannot be told any more."""
        frame = change(self.frame)
        sights = {leaf: sight.changed(change) for leaf, sight in self.sights.items()}
        return None if frame.lost else Product(self.site, self.scaling, sights, frame)


@dataclass(frozen=True)
class Data:
    """A value that inputs have a part in."""

    product: Product | None = None


Fact: TypeAlias = Const | Made | Data


def leaves_of(facts: Sequence[Fact]) -> frozenset[int]:
    """The parameters that have a part in any of these."""
    made = [fact for fact in facts if isinstance(fact, Made)]
    return frozenset(leaf for fact in made for leaf in fact.scaling.leaves | fact.sights.keys())
