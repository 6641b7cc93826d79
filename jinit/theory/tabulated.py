"""The correlation map as a polynomial, for maps that are applied many times.

May import: the standard library, NumPy, `jinit.quadrature` (for its types) and the maps of
`jinit.theory`.
"""

import math
from dataclasses import dataclass

import numpy as np

from jinit.quadrature import FloatArray
from jinit.theory.maps import MeanField

__all__ = ["TabulatedMap", "tabulate"]

_SIZES = (24, 48, 96)
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class TabulatedMap:
    """`C(c) = 1 - t**2 g(t)` with `t = sqrt(1 - c)` and a polynomial g, for c in [0, 1].

    In t the map is smooth even at t = 0, where an activation with a kink has
    `1 - C(c) = chi t**2 - O(t**3)`.

    Attributes:
        coefficients: g's Chebyshev coefficients on [0, 1].
    """

    coefficients: FloatArray

    def decorrelation(self, epsilon: FloatArray) -> FloatArray:
        """Return `1 - C(1 - epsilon)` for epsilon in [0, 1], of any shape."""
        t = np.sqrt(epsilon)
        factor = np.polynomial.chebyshev.chebval(2 * t - 1, self.coefficients)
        return np.clip(epsilon * factor, 0.0, 1.0)

    def composed(self, depth: int, c: float = 0.0) -> FloatArray:
        """Return the correlation by layer, shape (depth + 1,), from c in [0, 1] on."""
        left = [np.asarray(1.0 - c)]
        for _ in range(depth):
            left.append(self.decorrelation(left[-1]))
        return 1 - np.array(left)


def tabulate(field: MeanField, q: float) -> TabulatedMap:
    """Return `C` at variance q as a polynomial good to nine digits.

    Args:
        field: Activation, sigma_w and sigma_b.
        q: Variance, positive.

    >>> relu = tabulate(MeanField("relu", 2**0.5), 1.0)
    >>> print(relu.composed(2).round(4))
    [0.     0.3183 0.4937]
    """
    coefficients = np.zeros(1)
    for size in _SIZES:
        coefficients = _coefficients(field, q, size)
        if np.abs(coefficients[-2:]).max() <= _TOLERANCE * np.abs(coefficients).max():
            break
    return TabulatedMap(coefficients)


def _coefficients(field: MeanField, q: float, size: int) -> FloatArray:
    angles = math.pi * (np.arange(size) + 0.5) / size
    epsilon = np.square((1 + np.cos(angles)) / 2)
    values = np.array([field.decorrelation(1 - float(e), q) / (1 - (1 - e)) for e in epsilon])
    cosines = np.cos(np.outer(np.arange(size), angles))
    halved = np.where(np.arange(size) == 0, 0.5, 1.0)
    return np.asarray(cosines @ values * 2 / size * halved)
