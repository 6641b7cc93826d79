"""What is known of a program's values: arrays, and values that follow from random inputs.

May import: the standard library, NumPy, and of `jinit.analytic` axes.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jinit.analytic.axes import Places
from jinit.axes import Shape

__all__ = ["Atom", "Chance", "Fact", "Field", "Given", "Index", "Known", "Law", "Peak", "Signal"]

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class Known:
    """An array that is there: a constant, or made of parameters alone.

    Attributes:
        value: the array, with parameters as they were given.
        degrees: by set of slices of parameters, to which power the array scales when all of these
            are scaled; NaN where it does otherwise. A slice is a leaf's number and the indices
            along its first axes.
        stacked: whether its first axis is the next one of these slices.
    """

    value: Array
    degrees: Mapping[frozenset[Hashable], float] = field(default_factory=dict)
    stacked: bool = False

    @property
    def shape(self) -> Shape:
        """Its shape."""
        return tuple(self.value.shape)

    @property
    def constant(self) -> Any:
        """Its one value, as an array without axes, or None where entries differ."""
        if self.value.size == 0 or self.value.dtype == object:
            return None
        first = self.value.reshape(-1)[0]
        same = (self.value == first) | ((self.value != self.value) & (first != first))  # or all NaN
        return first if bool(np.all(same)) else None


class Atom(NamedTuple):
    """The random part of a value, averaged over some axes."""

    source: int
    over: frozenset[int] = frozenset()


class Given(NamedTuple):
    """The part of a value that is an array: zero-mean, of the value's rank, axes of 1 repeated.

    Attributes:
        value: the array.
        atoms: by which the value's terms count it.
    """

    value: Array
    atoms: frozenset[Atom]


@dataclass(frozen=True)
class Field:
    """A value whose random part is a sum of sources: `mean + sum of coefficient * atom`.

    Attributes:
        places: the names of its axes.
        shape: its shape.
        mean: its mean.
        terms: the sum's coefficients.
        given: the part of it that is an array, if it has one.
    """

    places: Places
    shape: Shape
    mean: float
    terms: Mapping[Atom, float]
    given: Given | None = None

    def times(self, factor: float, plus: float = 0.0) -> "Field":
        """The value times a number, plus a number."""
        given = self.given and self.given._replace(value=self.given.value * factor)
        terms = {atom: c * factor for atom, c in self.terms.items()} if factor else {}
        return replace(
            self,
            mean=self.mean * factor + plus,
            terms=terms,
            given=given if factor else None,
        )


class Law(NamedTuple):
    """How an entry is distributed: values and their probabilities.

    Attributes:
        nodes: the values, rising.
        weights: the probabilities.
        gaussian: whether these are the nodes of a Gaussian.
    """

    nodes: Array
    weights: Array
    gaussian: bool = False


class Peak(NamedTuple):
    """What a maximum or a sum along an axis was taken of.

    Attributes:
        base: the value beneath.
        probe: the function of it.
        names: the axes.
        size: how many entries there are along them.
    """

    base: int
    probe: Array
    names: frozenset[int]
    size: int


@dataclass(frozen=True)
class Signal:
    """A value that comes from the inputs: a function of each entry of a field.

    Attributes:
        field: the field.
        base: its number; functions of one base are one function.
        law: how an entry of the field is distributed.
        probe: the function's values at the law's nodes.
        statistic: if it is a sum or average over entries, or made of such alone: over how many.
        greatest: of what it is the maximum.
        summed: of what it is the sum.
        gaps: where entries are left out of sums, as a mask says.
        rows: an axis, and the value at each place along it, where these differ: steps of a loop.
    """

    field: Field
    base: int
    law: Law
    probe: Array
    statistic: int = 0
    greatest: Peak | None = None
    summed: Peak | None = None
    gaps: Array | None = None
    rows: "tuple[int, tuple[Fact, ...]] | None" = None

    @property
    def shape(self) -> Shape:
        """Its shape."""
        return self.field.shape

    @property
    def identity(self) -> bool:
        """Whether the function is none."""
        return self.probe is self.law.nodes


@dataclass(frozen=True)
class Chance:
    """A random key."""


@dataclass(frozen=True)
class Index:
    """Integers that come from the inputs, of which nothing is known.

    Attributes:
        places: the names of its axes.
        shape: its shape.
    """

    places: Places
    shape: Shape


Fact: TypeAlias = Known | Signal | Chance | Index
