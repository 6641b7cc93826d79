"""Components of a variance: for sets of axes, what varies along these and no others.

May import: the standard library.

The covariance of two entries that agree along the axes T is the sum of the components of all
S within T. Components below the largest set may be negative: entries that sum to 1 have them.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

__all__ = [
    "Components",
    "Names",
    "added",
    "covariance",
    "joint",
    "of_covariance",
    "product",
    "scaled",
    "total",
    "unions",
]

Names: TypeAlias = frozenset[int]
Components: TypeAlias = Mapping[Names, float]

_MOST = 96  # sets of axes; programs have a handful


def total(components: Components) -> float:
    """The variance of an entry."""
    return math.fsum(components.values())


def covariance(components: Components, agree: Names) -> float:
    """The covariance of two entries whose positions agree along these axes."""
    return math.fsum(v for names, v in components.items() if names <= agree)


def added(*parts: Components) -> dict[Names, float]:
    """The sum of independent values."""
    found: dict[Names, float] = {}
    for names, value in joint(parts):
        found[names] = found.get(names, 0.0) + value
    return found


def joint(parts: Iterable[Components]) -> Iterator[tuple[Names, float]]:
    """The entries of all of them."""
    for part in parts:
        yield from part.items()


def scaled(components: Components, factor: float) -> dict[Names, float]:
    """With every component times a factor."""
    return {names: value * factor for names, value in components.items()}


def product(one: Components, other: Components) -> dict[Names, float]:
    """The product of two independent values of mean zero: covariances multiply.

    >>> product({frozenset({0}): 2.0}, {frozenset({1}): 3.0})
    {frozenset({0, 1}): 6.0}
    """
    found: dict[Names, float] = {}
    for names, value in one.items():
        for more, factor in other.items():
            found[names | more] = found.get(names | more, 0.0) + value * factor
    return found


def unions(sets: Iterable[Names]) -> list[Names]:
    """All unions of these sets, smaller ones first; some, where there are very many."""
    found: set[Names] = {frozenset()}
    for each in sets:
        grown = found | {each | other for other in found}
        found = grown if len(grown) <= _MOST else found | {each, frozenset().union(*found, each)}
    return sorted(found, key=len)


def of_covariance(sets: Iterable[Names], at: Callable[[Names], float]) -> dict[Names, float]:
    """The components of which `at(T)` is the covariance for the sets T, and all their unions.

    >>> of_covariance([frozenset({0, 1})], lambda agree: 3.0 if agree else 1.0)
    {frozenset(): 1.0, frozenset({0, 1}): 2.0}
    """
    found: dict[Names, float] = {}
    for agree in unions(sets):
        value = at(agree) - covariance(found, agree)
        if value:
            found[agree] = value
    return found
