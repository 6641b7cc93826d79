"""Where a function is not smooth, and how fine the rest of it is.

May import: the standard library, NumPy and `jinit.quadrature` (for its types).
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from jinit.quadrature import FloatArray, RealFunction

__all__ = ["NODES", "Texture", "legendre", "texture"]

NODES = 16
_TOLERANCE = 1e-11  # a panel is smooth when its last Chebyshev coefficients are beneath this share
_PANELS = 24
_DEEP = 10  # halvings after which what is still rough is a kink or a jump ...
_ROUNDS = 50  # ... and those after which a jump is located to float64's last digits
_MOST = 64  # kinks; more of them mean noise, which no cut cures
_FINEST = 2.0**-7
# Edges that no kink in use sits on: a kink on an edge would hide from the search.
_LEFT, _RIGHT = -1.0137, 1.0091


class Texture(NamedTuple):
    """What a composite quadrature needs to know of a function.

    Attributes:
        kinks: Where the function or a low derivative jumps, in order.
        width: Panels of this width, cut at the kinks, resolve the function.
    """

    kinks: FloatArray
    width: float


def texture(function: RealFunction, reach: float) -> Texture:
    """Return kinks and smoothness of `function` on [-reach, reach], found by bisection.

    Use it before quadratures that move over the function, so that each can cut its panels.

    Args:
        function: Elementwise.
        reach: Half the length of the interval.

    Returns:
        The texture. A function with noise has no kinks.

    >>> print(np.round(texture(lambda x: np.clip(x, -1, 2), 12.0).kinks, 6))
    [-1.  2.]
    """
    edges = np.linspace(_LEFT * reach, _RIGHT * reach, _PANELS + 1)
    scale = float(np.abs(function(np.linspace(-reach / 2, reach / 2, 65))).mean())
    kinks = _search(function, edges[:-1], np.diff(edges), scale)
    width = reach / 6
    while width > reach * _FINEST and not _resolves(function, _cut(reach, width, kinks), scale):
        width /= 2
    return Texture(kinks, width)


@cache
def legendre() -> tuple[FloatArray, FloatArray]:
    """Return the nodes and weights of sixteen-point Gauss-Legendre quadrature on [-1, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return nodes, weights


@cache
def _interior() -> tuple[FloatArray, FloatArray]:
    """Return Legendre's nodes, and the matrix from values there to the last coefficients."""
    nodes, _ = legendre()
    return nodes, _last_coefficients(nodes)


@cache
def _closed() -> tuple[FloatArray, FloatArray]:
    """Return nodes that include both ends, behind which no kink hides, and their matrix."""
    nodes = -np.cos(np.pi * np.arange(NODES) / (NODES - 1))
    return nodes, _last_coefficients(nodes)


def _last_coefficients(nodes: FloatArray) -> FloatArray:
    """Return the matrix from values at the nodes to the last three Chebyshev coefficients."""
    return np.asarray(np.linalg.inv(np.polynomial.chebyshev.chebvander(nodes, NODES - 1))[-3:].T)


def _search(
    function: RealFunction, left: FloatArray, width: FloatArray, scale: float
) -> FloatArray:
    found: list[float] = []
    rough = _is_rough(function, left, width, scale, _closed())
    left, width = left[rough], width[rough]
    for depth in range(_ROUNDS):
        if left.size == 0 or (depth > _DEEP and left.size > _MOST):
            break
        middle, half = left + width / 2, np.repeat(width / 2, 2)
        halves = np.stack([left, middle], axis=1).ravel()
        rough = _is_rough(function, halves, half, scale, _closed())
        ended = ~rough.reshape(-1, 2).any(axis=1) | (depth == _ROUNDS - 1)
        if depth >= _DEEP:
            found.extend(middle[ended])
        left, width = halves[rough], half[rough]
    return _merge(np.sort(found)) if len(found) <= _MOST else np.zeros(0)


def _merge(points: FloatArray) -> FloatArray:
    """Drop all but the first of points that bisection found twice."""
    span = 1e-7 * (1 + np.abs(points))
    return points[np.diff(points, prepend=-np.inf) > span]


def _cut(reach: float, width: float, kinks: FloatArray) -> FloatArray:
    even = np.linspace(-reach, reach, round(2 * reach / width) + 1)
    inside = kinks[np.abs(kinks) < reach]
    return np.sort(np.concatenate([even, inside]))


def _resolves(function: RealFunction, edges: FloatArray, scale: float) -> bool:
    wide = np.diff(edges) > 1e-6 * edges[-1]
    left, width = edges[:-1][wide], np.diff(edges)[wide]
    return not _is_rough(function, left, width, scale, _interior()).any()


def _is_rough(
    function: RealFunction,
    left: FloatArray,
    width: FloatArray,
    scale: float,
    rule: tuple[FloatArray, FloatArray],
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    nodes, projection = rule
    values = function(left[:, None] + width[:, None] * (nodes + 1) / 2)
    size = np.maximum(np.abs(values).max(axis=1), scale)
    return np.asarray(np.abs(values @ projection).max(axis=1) > _TOLERANCE * size)
