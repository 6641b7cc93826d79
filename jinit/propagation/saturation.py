"""Where an activation is saturated: outcomes at which its slope is nearly gone.

May import: the standard library, NumPy, `jinit.nonlinearities`, and of `jinit.tracing` recognition.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from jinit.nonlinearities import NONLINEARITIES
from jinit.tracing.recognition import GRID

__all__ = ["FLAT", "Limits", "saturation_limits"]

FLAT = 0.05  # of the largest slope: beneath, an entry is saturated

# Bounded on both sides, and increasing in between.
_BOUNDED = ("erf", "hard_sigmoid", "hard_tanh", "sigmoid", "softsign", "tanh")


class Limits(NamedTuple):
    """Outcomes beneath `low` and above `high` are saturated, `low` and `high` themselves too."""

    low: float
    high: float


def saturation_limits(name: str, probe: Any, param: float | None) -> Limits | None:
    """The limits of an activation, times whatever positive factor stands in front of it.

    Args:
        name: its name.
        probe: its values at the points of `jinit.tracing.recognition.GRID`.
        param: its parameter.

    Returns:
        The limits; None for those that do not saturate.

    >>> limits = saturation_limits("tanh", 2 * np.tanh(GRID), None)
    >>> print(f"{limits.low:.3f} {limits.high:.3f}")  # 2 sqrt(1 - 0.05)
    -1.949 1.949
    """
    if name not in _BOUNDED:
        return None
    values = NONLINEARITIES[name].bind(param)(GRID)
    factor = float(probe @ values / (values @ values))
    low, high = _limits(name)
    return Limits(factor * low, factor * high)


@lru_cache(maxsize=len(_BOUNDED))
def _limits(name: str) -> Limits:
    x = np.linspace(-12.0, 12.0, 240_001)
    y = np.asarray(NONLINEARITIES[name].bind(None)(x), dtype=np.float64)
    slopes = np.gradient(y, x)
    steep = np.flatnonzero(slopes > FLAT * slopes.max())
    first, last = steep[0], steep[-1]
    if min(slopes[first - 1], slopes[last + 1]) < 1e-9:  # a corner: only the ends themselves
        return Limits(float(y[0]), float(y[-1]))
    return Limits(_between(x, y, slopes, first - 1), _between(x, y, slopes, last))


def _between(x: Any, y: Any, slopes: Any, i: int) -> float:
    """The outcome where the slope passes the threshold between two points."""
    pair = slopes[i : i + 2]
    share = (FLAT * slopes.max() - pair[0]) / (pair[1] - pair[0])
    return math.fsum((y[i] * (1 - share), y[i + 1] * share))
