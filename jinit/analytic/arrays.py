"""Components of an array that is there, as if its entries were shuffled along each axis.

May import: the standard library, NumPy, and of `jinit.analytic` components.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np

from jinit.analytic.components import of_covariance

__all__ = ["components_of"]

Positions: TypeAlias = frozenset[int]


def components_of(array: Any, names: Sequence[frozenset[int]]) -> dict[frozenset[int], float]:
    """The components of a zero-mean array.

    The mean over some axes, squared, is the mean of products over all pairs of entries that agree
    along the others; pairs that happen to agree along more of them are taken out, so that what is
    left is the covariance of different entries. An average over all entries is 0, as it is.

    Args:
        array: the array.
        names: by axis, its names.

    >>> components_of(np.array([-1.0, 1.0]), [frozenset({0})])
    {frozenset(): -1.0, frozenset({0}): 2.0}
    """
    varying = [p for p, size in enumerate(array.shape) if size > 1 and np.ptp(array, axis=p).any()]
    if not varying:
        return {}
    sizes = {p: array.shape[p] for p in varying}
    found: dict[Positions, float] = {}
    for count in range(len(varying), -1, -1):
        for agree in map(frozenset, combinations(varying, count)):
            found[agree] = _of_pairs(array, agree, sizes, found)
    by_names = {frozenset[int]().union(*(names[p] for p in agree)): agree for agree in found}
    return of_covariance(
        [names[p] for p in varying],
        lambda agree: found[by_names[agree]] if agree in by_names else 0.0,
    )


def _of_pairs(
    array: Any, agree: Positions, sizes: dict[int, int], found: dict[Positions, float]
) -> float:
    """The mean product of entries that agree along these axes and along no others."""
    others = tuple(p for p in sizes if p not in agree)
    pairs = float(np.mean(np.square(array.mean(axis=others))))
    for more, value in found.items():
        if agree < more:
            pairs -= value * math.prod(
                1 / sizes[p] if p in more else 1 - 1 / sizes[p] for p in others
            )
    return pairs / math.prod(1 - 1 / sizes[p] for p in others)
