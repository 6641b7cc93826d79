"""How values that are made of parameters change as parameters are rescaled.

May import: the standard library.

With each parameter i multiplied by its own c_i > 0, a value is *homogeneous* if it is multiplied by
the product of all c_i ** d_i. Products add degrees, roots halve them; a sum is homogeneous if its
terms have equal degrees, and `exp(v)` if v does not change at all. What has to hold for that is a
linear equation in the logarithms of the c_i: a tie. So whether a weight can be rescaled by s, and
by rescaling which parameters, is a system of linear equations: degree . k = 1, and tie . k = 0 for
each tie, with c_i = s ** k_i.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, TypeAlias

__all__ = ["Exponents", "Scaling", "Tie", "Vector"]

Vector: TypeAlias = tuple[tuple[int, Fraction], ...]  # entries that are not 0, by number
Exponents: TypeAlias = Mapping[int, Fraction]


class Tie(NamedTuple):
    """What must not change, lest an operation is not homogeneous any more."""

    vector: Vector
    operation: str


@dataclass(frozen=True)
class Scaling:
    """How a value changes as parameters are rescaled; a constant does not.

    Attributes:
        degree: the exponents d_i.
        ties: what has to hold.
    """

    degree: Vector = ()
    ties: frozenset[Tie] = frozenset()

    @classmethod
    def of(cls, leaf: int) -> "Scaling":
        """The parameter itself.

        >>> Scaling.of(3).power(2).degree
        ((3, Fraction(2, 1)),)
        """
        return cls(((leaf, Fraction(1)),))

    @property
    def leaves(self) -> frozenset[int]:
        """The parameters that have a part in it."""
        vectors = [self.degree, *(tie.vector for tie in self.ties)]
        return frozenset(leaf for vector in vectors for leaf, _ in vector)

    def times(self, other: "Scaling", power: int = 1) -> "Scaling":
        """Multiplied by a power of another value."""
        degree = _sum((1, self.degree), (power, other.degree))
        return Scaling(degree, self.ties | other.ties)

    def power(self, exponent: Fraction | int) -> "Scaling":
        """Raised to a power."""
        return Scaling(_sum((exponent, self.degree)), self.ties)

    def beside(self, other: "Scaling", operation: str) -> "Scaling":
        """Added to, or beside, another value, of which it must not differ in degree."""
        tied = _tied(_sum((1, self.degree), (-1, other.degree)), operation)
        return Scaling(self.degree, self.ties | other.ties | tied)

    def fixed(self, operation: str) -> "Scaling":
        """After an operation that follows no scale: its outcome is homogeneous if it is fixed."""
        return Scaling((), self.ties | _tied(self.degree, operation))

    def degree_along(self, exponents: Exponents) -> Fraction:
        """The power of s that this is multiplied by if parameters are, as `exponents` say."""
        return _along(self.degree, exponents)

    def broken_by(self, exponents: Exponents) -> Tie | None:
        """A tie that does not hold if parameters are rescaled so."""
        return next((tie for tie in self.ties if _along(tie.vector, exponents)), None)

    def solve(self, leaves: Sequence[int]) -> Exponents | None:
        """How to rescale some of these parameters so that this is multiplied by s.

        Where there is a choice, parameters that come first are taken, and no more than needed.

        Returns:
            Exponents that are not 0, or None if there is no way.

        >>> low_rank = Scaling.of(0).beside(Scaling.of(1).times(Scaling.of(2)), "add")
        >>> {leaf: int(k) for leaf, k in low_rank.solve([0, 1, 2]).items()}
        {0: 1, 1: 1}
        >>> Scaling.of(0).fixed("exp").solve([0]) is None
        True
        """
        rows = [_row(self.degree, leaves, 1), *(_row(tie.vector, leaves, 0) for tie in self.ties)]
        found = _solved(rows, len(leaves))
        return None if found is None else {leaves[n]: k for n, k in found.items()}


def _sum(*terms: tuple[Fraction | int, Vector]) -> Vector:
    total: dict[int, Fraction] = {}
    for factor, vector in terms:
        for leaf, degree in vector:
            total[leaf] = total.get(leaf, Fraction(0)) + factor * degree
    return tuple(sorted((leaf, degree) for leaf, degree in total.items() if degree))


def _tied(vector: Vector, operation: str) -> frozenset[Tie]:
    return frozenset({Tie(vector, operation)} if vector else ())


def _along(vector: Vector, exponents: Exponents) -> Fraction:
    return sum((d * exponents.get(leaf, Fraction(0)) for leaf, d in vector), Fraction(0))


def _row(vector: Vector, leaves: Sequence[int], right: int) -> list[Fraction]:
    entries = dict(vector)
    return [*(entries.get(leaf, Fraction(0)) for leaf in leaves), Fraction(right)]


def _solved(rows: list[list[Fraction]], count: int) -> dict[int, Fraction] | None:
    """A solution of linear equations (the right side last) in which first unknowns count most."""
    pivots: list[int] = []
    for column in range(count):
        top = len(pivots)
        found = next((n for n in range(top, len(rows)) if rows[n][column]), None)
        if found is None:
            continue
        rows[top], rows[found] = rows[found], rows[top]
        rows[top] = [entry / rows[top][column] for entry in rows[top]]
        for n, row in enumerate(rows):
            if n != top and row[column]:
                rows[n] = [a - row[column] * b for a, b in zip(row, rows[top], strict=True)]
        pivots.append(column)
    if any(row[-1] for row in rows[len(pivots) :]):
        return None
    return {column: rows[n][-1] for n, column in enumerate(pivots) if rows[n][-1]}
