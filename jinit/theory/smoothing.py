"""Moments of an activation of two correlated Gaussians, by a quadrature within a quadrature.

Two standard normals of correlation c >= 0 are `sqrt(c) x + sqrt(1 - c) y_i` with a common x and
private y_1, y_2. Given x they are independent, so that with `u = sqrt(q) (sqrt(c) x + sqrt(1-c) y)`

    E[phi(u1) phi(u2)] = E_x[E_y[phi(u)]**2]
    E[(phi(u1) - phi(u2))**2] / 2 = E_x[Var_y[phi(u)]]              (nothing cancels as c -> 1)
    E[phi'(u1) phi'(u2)] = E_x[E_y[y phi(u)]**2] / (q (1 - c))     (Stein: no derivative needed)

and for c < 0 the second factor is taken at -x. Both integrals are Gauss-Legendre on panels that are
as fine as the activation needs and cut at its kinks; the outer one also where, near each kink, the
inner one changes within `sqrt((1 - c) / c)`.

May import: the standard library, NumPy, `jinit.quadrature`, `jinit.theory.activation` and
`jinit.theory.kinks`.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from jinit.quadrature import FloatArray, expectation
from jinit.theory.activation import Activation
from jinit.theory.kinks import NODES, Texture, legendre, texture

__all__ = ["GaussianPair"]

_OUTER = 12.0  # where `expectation` ends
_INNER = 8.5  # beyond lies 2e-17 of the mass
_LAYER = np.linspace(-9.0, 9.0, 10)  # panels about a kink, in widths of its blur
_CHUNK = 2**19  # nodes at once


class _Given(NamedTuple):
    """Moments over y given x: of `phi(u)` its mean and variance, and `E[y phi(u)]`."""

    mean: FloatArray
    variance: FloatArray
    tilt: FloatArray


@dataclass(frozen=True)
class GaussianPair:
    """Moments of `phi(u1), phi(u2)` for Gaussians of variance q and any correlation.

    Attributes:
        phi: The activation.
        q: The variance of both, positive.
    """

    phi: Activation
    q: float

    def difference(self, c: float) -> float:
        """Return `E[(phi(u1) - phi(u2))**2] / 2` at correlation c, good in all digits as c -> 1."""
        if c == 1:
            return 0.0
        if c == -1:
            return expectation(lambda z: np.square(self._odd(z)) / 2)

        x, weights = self._outer(abs(c))
        given = self._given(x, abs(c))
        total = given.variance
        if c < 0:
            total = total + np.square(given.mean - self._given(-x, -c).mean) / 2
        return float(weights @ total)

    def slope_product(self, c: float) -> float:
        """Return `E[phi'(u1) phi'(u2)]` at correlation c."""
        if abs(c) == 1:
            deviation = math.sqrt(self.q)
            slopes = self.phi.slopes
            if c == 1:
                return expectation(lambda z: np.square(slopes(deviation * z)))
            return expectation(lambda z: slopes(deviation * z) * slopes(-deviation * z))

        x, weights = self._outer(abs(c))
        tilt = self._given(x, abs(c)).tilt
        other = tilt if c >= 0 else self._given(-x, -c).tilt
        return float(weights @ (tilt * other)) / (self.q * (1 - abs(c)))

    def _odd(self, z: FloatArray) -> FloatArray:
        u = math.sqrt(self.q) * z
        return self.phi.values(u) - self.phi.values(-u)

    @cached_property
    def _texture(self) -> Texture:
        return texture(self.phi.values, _OUTER * math.sqrt(self.q))

    def _outer(self, c: float) -> tuple[FloatArray, FloatArray]:
        """Return nodes x and their weights, normal density included."""
        scale, blur = math.sqrt(self.q * c), math.sqrt(self.q * (1 - c))
        panels = math.ceil(2 * _OUTER * max(1.0, scale / max(self._texture.width, 1.5 * blur)))
        edges = np.linspace(-_OUTER, _OUTER, panels + 1)
        layer = math.sqrt((1 - c) / c) if c > 0 else math.inf
        if layer < 1:
            around = self._texture.kinks[:, None] / scale + layer * _LAYER
            edges = np.sort(np.concatenate([edges, np.clip(around.ravel(), -_OUTER, _OUTER)]))
        return _composite(edges)

    def _given(self, x: FloatArray, c: float) -> _Given:
        centre, spread = math.sqrt(self.q * c) * x, math.sqrt(self.q * (1 - c))
        panels = math.ceil(2 * _INNER * max(0.5, spread / self._texture.width))
        rows = max(1, _CHUNK // (NODES * (panels + len(self._texture.kinks))))
        parts = [self._inner(centre[i : i + rows], spread, panels) for i in range(0, x.size, rows)]
        return _Given(*map(np.concatenate, zip(*parts, strict=True)))

    def _inner(self, centre: FloatArray, spread: float, panels: int) -> _Given:
        y, weights = self._nodes(centre, spread, panels)
        at_centre = self.phi.values(centre[:, None])
        values = self.phi.values(centre[:, None] + spread * y) - at_centre
        weighted = weights * values
        shift = weighted.sum(axis=1)
        variance = (weighted * values).sum(axis=1) - np.square(shift)
        return _Given(at_centre[:, 0] + shift, variance, (weighted * y).sum(axis=1))

    def _nodes(
        self, centre: FloatArray, spread: float, panels: int
    ) -> tuple[FloatArray, FloatArray]:
        """Return nodes y and their weights, normal density included, a row for each centre."""
        even = np.broadcast_to(np.linspace(-_INNER, _INNER, panels + 1), (centre.size, panels + 1))
        cuts = np.clip((self._texture.kinks - centre[:, None]) / spread, -_INNER, _INNER)
        edges = np.sort(np.concatenate([even, cuts], axis=1), axis=1)
        return _composite(edges)


def _composite(edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the nodes and weights for N(0, 1) on the panels between edges, the last axis'."""
    nodes, weights = legendre()
    half = np.diff(edges)[..., None] / 2
    points = edges[..., :-1, None] + half * (nodes + 1)
    density = np.exp(-np.square(points) / 2) * (half * weights / math.sqrt(2 * math.pi))
    shape = (*edges.shape[:-1], -1)
    return points.reshape(shape), density.reshape(shape)
