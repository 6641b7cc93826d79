"""The grid on which functions of a Gaussian are known, and their Hermite coefficients.

May import: the standard library, NumPy, and of `jinit.analytic` facts.

A trapezoid rule: it is exact to all digits for smooth functions, good to 1e-6 with kinks and to
1e-3 with jumps, wherever these lie; and functions are compared and composed on it.
"""

import math
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jinit.analytic.facts import Law

__all__ = [
    "Moments",
    "gaussian_law",
    "hermite_shares",
    "mixed_law",
    "moments",
    "on_grid",
    "standard_grid",
]

Array: TypeAlias = NDArray[Any]

_NODES = 4000  # an even number, so that none lies on a kink at the mean
_CUTOFF = 9.0
_MOST = 64  # Gaussians in a mixture; quantiles stand for more
_ORDERS = 12


class Moments(NamedTuple):
    """A function of a value: its mean and variance, and its slope by least squares."""

    mean: float
    variance: float
    slope: float


@cache
def standard_grid() -> tuple[Array, Array]:
    """Nodes z and weights of N(0, 1)."""
    nodes = np.linspace(-_CUTOFF, _CUTOFF, _NODES)
    weights = np.exp(-np.square(nodes) / 2)
    return nodes, weights / weights.sum()


def gaussian_law(mean: float, variance: float) -> Law:
    """The law N(mean, variance)."""
    nodes, weights = standard_grid()
    return Law(mean + math.sqrt(max(0.0, variance)) * nodes, weights, gaussian=True)


def mixed_law(mean: float, variances: Array) -> Law:
    """The law of an entry of which it is open which of several Gaussians it is from."""
    if len(variances) > _MOST:
        variances = np.quantile(variances, (np.arange(_MOST) + 0.5) / _MOST)
    widest = float(variances.max())
    z, _ = standard_grid()
    inverse = np.sqrt(widest / np.maximum(variances, 1e-4 * widest))[:, None]
    weights = np.mean(np.exp(-np.square(z * inverse) / 2) * inverse, axis=0)
    return Law(mean + math.sqrt(widest) * z, weights / weights.sum())


def on_grid(law: Law, probe: Array) -> Array:
    """A function of a value as one of the Gaussian that has the same rank."""
    if law.gaussian:
        return probe
    _, weights = standard_grid()
    below, own = np.cumsum(weights), np.cumsum(law.weights)
    values = np.asarray(probe, dtype=np.float64)
    return np.asarray(np.interp(below - weights / 2, own - law.weights / 2, values))


def moments(law: Law, probe: Array) -> Moments:
    """The moments of the function that a probe is."""
    nodes, values = law.nodes.astype(np.float64), np.asarray(probe).astype(np.float64)
    centre, mean = float(law.weights @ nodes), float(law.weights @ values)
    spread, rest = nodes - centre, values - mean
    variance = float(law.weights @ np.square(rest))
    around = float(law.weights @ np.square(spread))
    slope = float(law.weights @ (spread * rest)) / around if around else 0.0
    return Moments(mean, variance, slope)


def hermite_shares(probe: Array) -> Array:
    """The variance of a function of a Gaussian by order: `a_k^2` for k from 0, the mean's.

    >>> hermite_shares(np.square(standard_grid()[0]))[:4].round(6)
    array([1., 0., 2., 0.])
    """
    _, weights = standard_grid()
    values = np.asarray(probe, dtype=np.float64)
    return np.asarray(np.square(_polynomials() @ (weights * values)))


@cache
def _polynomials() -> Array:
    """Normalized Hermite polynomials at the nodes, a row each."""
    z, _ = standard_grid()
    rows = [np.ones_like(z), z]
    for k in range(1, _ORDERS):
        rows.append((z * rows[k] - math.sqrt(k) * rows[k - 1]) / math.sqrt(k + 1))
    return np.stack(rows)
