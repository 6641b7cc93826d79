"""The distributions that weights are drawn from, as values that know their mean and spread.

May import: numpy only. `jinit.core.draw` samples them.

A law's parameters may be numbers, arrays that broadcast to the shape of the weights (one scale for
each layer of a stack, say), or traced values; `mean()` and `std()` need numbers or arrays.
"""

import functools
import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np

__all__ = [
    "Constant",
    "Law",
    "Normal",
    "TruncatedNormal",
    "Uniform",
    "half_width",
    "truncated_moments",
]

Parameter: TypeAlias = Any


class Constant(NamedTuple):
    """Every element is `value` (a number, or an array that broadcasts to the shape)."""

    value: Parameter = 0.0

    def mean(self) -> Parameter:
        """The value itself."""
        return self.value

    def std(self, *, complex_values: bool = False) -> Parameter:
        """Zero."""
        return 0.0


class Uniform(NamedTuple):
    """`scale * U[low, high)`; for complex dtypes a disk, which needs `low == -high`.

    The scale stands apart because rounding does: `U[-1, 1) * bound` is what `jax.nn.initializers`
    computes, and `U[-bound, bound)` differs from it in the last bit.
    """

    low: Parameter = 0.0
    high: Parameter = 1.0
    scale: Parameter = 1.0

    def mean(self) -> Parameter:
        """The midpoint."""
        return self.scale * (self.low + self.high) / 2

    def std(self, *, complex_values: bool = False) -> Parameter:
        """Width / sqrt(12); on a disk radius / sqrt(2), the root of E|w|^2."""
        if complex_values:
            return self.scale * self.high / math.sqrt(2)
        return self.scale * (self.high - self.low) / math.sqrt(12)


class Normal(NamedTuple):
    """`N(mean, stddev^2)`; for complex dtypes circular, with E|w - mean|^2 = stddev^2."""

    center: Parameter = 0.0
    stddev: Parameter = 1.0

    def mean(self) -> Parameter:
        """The centre."""
        return self.center

    def std(self, *, complex_values: bool = False) -> Parameter:
        """The standard deviation."""
        return self.stddev


class TruncatedNormal(NamedTuple):
    """`center + stddev * T`, T standard normal conditioned on `lower < T < upper`.

    `stddev` is the one before truncation. Complex dtypes condition the modulus of a circular
    normal on `|T| < upper` and need `lower == -upper`.
    """

    center: Parameter = 0.0
    stddev: Parameter = 1.0
    lower: Parameter = -2.0
    upper: Parameter = 2.0

    def mean(self) -> Parameter:
        """The mean after truncation."""
        return self.center + self.stddev * truncated_moments(self.lower, self.upper)[0]

    def std(self, *, complex_values: bool = False) -> Parameter:
        """The standard deviation after truncation."""
        if complex_values:
            return self.stddev * truncated_modulus_std(self.upper)
        return self.stddev * truncated_moments(self.lower, self.upper)[1]


Law: TypeAlias = Constant | Uniform | Normal | TruncatedNormal

# A weight exp(-x^2/2) below e^-46 of its largest value changes no moment in double precision.
_NEGLIGIBLE = 92.0


def half_width(dtype: np.dtype[Any]) -> float:
    """Half-width over std of a uniform law about zero: sqrt(3); sqrt(2) on the complex disk."""
    return math.sqrt(2 if dtype.kind == "c" else 3)


@functools.lru_cache(maxsize=256)
def truncated_moments(lower: float, upper: float) -> tuple[float, float]:
    """Mean and standard deviation of a standard normal conditioned on `lower < x < upper`.

    By quadrature of the density relative to its largest value in the window, so that it stays
    exact where the closed form cancels: narrow windows and far tails.

    >>> mean, std = truncated_moments(-2.0, 2.0)
    >>> print(f"{mean:.1f} {std:.13f}")
    0.0 0.8796256610342
    """
    nearest = min(max(lower, 0.0), upper)
    reach = math.sqrt(nearest**2 + _NEGLIGIBLE)
    edges = np.linspace(max(lower, -reach), min(upper, reach), 65)
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half = np.diff(edges)[:, None] / 2
    x = edges[:-1, None] + half * (1 + nodes)
    density = np.exp((nearest - x) * (nearest + x) / 2) * (half * weights)
    mass = density.sum()
    mean = float((x * density).sum() / mass)
    variance = float(((x - mean) ** 2 * density).sum() / mass)
    return mean, math.sqrt(variance)


def truncated_modulus_std(upper: float) -> float:
    """Root of E|z|^2 for a standard circular normal conditioned on `|z| < upper`.

    `|z|^2` is exponential, cut at `upper^2`: E = 1 - t / (e^t - 1) with t = upper^2.

    >>> print(f"{truncated_modulus_std(2.0):.14f}")
    0.96196182800821
    """
    if math.isinf(upper):
        return 1.0
    square = upper**2
    return math.sqrt(1.0 - square / math.expm1(square))
