"""Gaussian expectations of functions of one variable, kinks included, by adaptive quadrature.

May import: the standard library and NumPy.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["FloatArray", "RealFunction", "expectation", "slope"]

FloatArray: TypeAlias = NDArray[np.float64]
RealFunction: TypeAlias = Callable[[FloatArray], FloatArray]

# Unit panels on [-12, 12]: beyond lies less than 4e-33 of the mass, and most kinks in use sit on
# integers (0, +-1, +-3, 6), where a panel ends and Gauss-Legendre does not notice them.
_CUTOFF = 12
_NODES = 16
_ROUNDS = 48  # halvings: a jump left inside a panel of width 2**-48 is beneath float64
_PANELS = 1024  # so many rough panels at once mean noise, which halving cannot cure
_ENOUGH = 1e-6


def expectation(function: RealFunction, *, rtol: float = 1e-12) -> float:
    """Return `E f(z)` for z ~ N(0, 1).

    Use it for gains and mean-field maps. Sixteen-point Gauss-Legendre on unit panels; a panel
    whose halves disagree with it is split, so that kinks and jumps may lie anywhere.

    Args:
        function: Elementwise; called with float64 arrays of shape (panels, 16), the nodes of
            one panel a row.
        rtol: A panel is split while its error exceeds this share of `E |f(z)|`.

    Returns:
        The expectation. Noise in `function` (float32 arithmetic, say) limits its accuracy.

    Raises:
        ValueError: No two refinements agree to six digits: the expectation is infinite, or
            `function` is too rough.

    >>> round(expectation(np.square), 12)
    1.0
    """
    left, width = np.arange(-_CUTOFF, _CUTOFF, dtype=np.float64), np.ones(2 * _CUTOFF)
    coarse = _integrate(function, left, width)
    scale = float(np.abs(coarse).sum())
    _check_converged(float(np.abs(coarse[[0, -1]]).sum()), scale)
    settled: list[float] = []
    error = np.zeros(0)
    for _ in range(_ROUNDS):
        left, width = _halve(left, width)
        fine = _integrate(function, left, width)
        error = np.abs(fine.reshape(-1, 2).sum(axis=1) - coarse)
        scale = max(scale, float(np.abs(fine).sum()))
        rough = np.repeat(error > rtol * scale, 2)
        settled.extend(fine[~rough])
        left, width, coarse = left[rough], width[rough], fine[rough]
        if not 0 < coarse.size <= _PANELS:
            break
    _check_converged(float(error.sum()), scale)
    return math.fsum([*settled, *coarse])


def slope(function: RealFunction) -> RealFunction:
    """Return `f'` as a function of the panels of `expectation`.

    Use it for functions that cannot be differentiated otherwise: the derivative is that of the
    polynomial through the sixteen nodes of a panel, which for a smooth `f` is good to nine digits.

    Args:
        function: Elementwise.

    Returns:
        The derivative, to be called on arrays of shape (panels, 16) as `expectation` does.

    >>> abs(expectation(slope(np.sin)) - math.exp(-0.5)) < 1e-12
    True
    """
    nodes, _, differentiate = _rule()

    def derivative(points: FloatArray) -> FloatArray:
        stretch = (nodes[-1] - nodes[0]) / (points[:, -1] - points[:, 0])
        return np.asarray(function(points) @ differentiate.T * stretch[:, None])

    return derivative


@cache
def _rule() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return nodes and weights on [-1, 1], and the matrix that differentiates at the nodes."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    gaps = nodes[:, None] - nodes[None, :] + np.eye(_NODES)
    barycentric = 1 / np.prod(gaps, axis=1)
    matrix = barycentric[None, :] / barycentric[:, None] / gaps
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, -matrix.sum(axis=1))  # a constant has no slope
    return nodes, weights, matrix


def _integrate(function: RealFunction, left: FloatArray, width: FloatArray) -> FloatArray:
    """Return the integral of `f` times the normal density over each panel."""
    nodes, weights, _ = _rule()
    points = left[:, None] + width[:, None] * (nodes + 1) / 2
    density = np.exp(-np.square(points) / 2) / math.sqrt(2 * math.pi)
    return np.asarray((function(points) * density) @ weights * width / 2)


def _halve(left: FloatArray, width: FloatArray) -> tuple[FloatArray, FloatArray]:
    half = np.repeat(width / 2, 2)
    return np.repeat(left, 2) + half * np.tile([0.0, 1.0], left.size), half


def _check_converged(error: float, scale: float) -> None:
    if not error <= _ENOUGH * scale:
        raise ValueError(
            f"the expectation over z ~ N(0, 1) did not converge (error {error:.1e} of {scale:.1e}, "
            f"allowed {_ENOUGH:.0e} of it): it is infinite or the function is too rough; use a "
            "function of finite second moment without noise."
        )
