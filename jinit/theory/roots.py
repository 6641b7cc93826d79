"""Roots of functions of one positive variable whose scale is unknown.

May import: the standard library only.
"""

import math
from collections.abc import Callable

__all__ = ["bisected", "doubled"]

_STEPS = 200


def doubled(
    function: Callable[[float], float], start: float, limit: float, factor: float = 2.0
) -> tuple[float, float] | None:
    """Return two points, a factor apart, between which the sign differs from that at `start`.

    Args:
        function: Of a positive number.
        start: Where the search begins.
        limit: Where it ends, above or below `start`.
        factor: How far a step goes.

    Returns:
        The points, the one nearer to `start` first; or None.

    >>> doubled(lambda x: x - 10, 1.0, 100.0)
    (8.0, 16.0)
    """
    sign = math.copysign(1.0, function(start))
    here, step = start, factor if limit > start else 1 / factor
    while here != limit:
        there = min(here * step, limit) if limit > start else max(here * step, limit)
        if sign * function(there) <= 0:
            return here, there
        here = there
    return None


def bisected(
    function: Callable[[float], float], near: float, far: float, rtol: float = 4e-16
) -> float:
    """Return a root between two points of different sign, by regula falsi (Illinois).

    Args:
        function: Continuous.
        near: One end.
        far: The other.
        rtol: How far apart the last two guesses may be, in shares of the root.

    Returns:
        The root, usually far better than `rtol`.

    >>> round(bisected(lambda x: x * x - 2, 1.0, 2.0), 12)
    1.414213562373
    """
    low, high = function(near), function(far)
    for _ in range(_STEPS):
        if high == 0 or abs(far - near) <= rtol * abs(far):
            break
        middle = far - high * (far - near) / (high - low)
        value = function(middle)
        if (value < 0) != (high < 0):
            near, low = far, high
        else:
            low /= 2  # the end that stays weighs less
        far, high = middle, value
    return far
