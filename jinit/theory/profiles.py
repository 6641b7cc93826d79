"""Curves of the theory: the correlation map over c, depth scales over sigma_w.

May import: the standard library, NumPy, `jinit.checks`, `jinit.elementwise`, `jinit.quadrature`
(for its types) and `jinit.theory`'s maps.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from jinit.checks import check_positive
from jinit.elementwise import Elementwise
from jinit.quadrature import FloatArray
from jinit.theory.fixed_points import FixedPoint, fixed_point, fixed_variance
from jinit.theory.maps import MeanField
from jinit.theory.tabulated import tabulate

__all__ = ["CorrelationCurve", "DepthScales", "correlation_curve", "depth_scales"]

_POINTS = 201


@dataclass(frozen=True)
class CorrelationCurve:
    """C over [0, 1].

    Attributes:
        field: The network.
        q: The variance at which C is taken.
        c: Correlations before a layer, shape (201,).
        mapped: `C(c)`, shape (201,).
    """

    field: MeanField
    q: float
    c: FloatArray
    mapped: FloatArray


@dataclass(frozen=True)
class DepthScales:
    """Depth scales along a line of constant sigma_b.

    Attributes:
        sigma_w: Shape (n,).
        sigma_b: The standard deviation of the biases.
        points: The fixed point of each sigma_w: n of them.
    """

    sigma_w: FloatArray
    sigma_b: float
    points: tuple[FixedPoint, ...]

    @property
    def xi_q(self) -> FloatArray:
        """Depth scales of the variance, shape (n,)."""
        return np.array([point.xi_q for point in self.points])

    @property
    def xi_c(self) -> FloatArray:
        """Depth scales of the correlation, shape (n,)."""
        return np.array([point.xi_c for point in self.points])

    @property
    def xi_gradient(self) -> FloatArray:
        """Depth scales of the gradient, shape (n,)."""
        return np.array([point.xi_gradient for point in self.points])


def correlation_curve(field: MeanField, q: float | None = None) -> CorrelationCurve:
    """Return C over [0, 1], at the variance q* unless `q` is given.

    Args:
        field: Activation, sigma_w and sigma_b.
        q: A positive variance.

    Raises:
        ValueError: q* is 0 or infinite, and no `q` is given.

    >>> curve = correlation_curve(MeanField("relu", 2**0.5))
    >>> print(curve.mapped[[0, 100, 200]].round(4))
    [0.3183 0.609  1.    ]

    Reference: Poole et al. 2016 (arXiv:1606.05340).
    """
    where = fixed_variance(field) if q is None else float(check_positive("q", q))
    if not 0 < where < math.inf:
        raise ValueError(
            f"the variance of {field!r} goes to {where:g} with depth; give the variance `q` at "
            "which the correlation map is wanted."
        )
    c = np.linspace(0.0, 1.0, _POINTS)
    return CorrelationCurve(field, where, c, 1 - tabulate(field, where).decorrelation(1 - c))


def depth_scales(
    activation: str | Elementwise,
    sigma_w: Iterable[float],
    sigma_b: float = 0.0,
    *,
    param: float | None = None,
) -> DepthScales:
    """Return xi_q, xi_c and xi_gradient for each `sigma_w`: xi_c peaks at the edge of chaos.

    Use it to see how deep a plain network can be: about six xi_c, Schoenholz et al. found.

    Args:
        activation: A name or an elementwise function.
        sigma_w: Positive numbers, n of them.
        sigma_b: Standard deviation of the biases.
        param: Parameter of a named activation.

    Returns:
        The depth scales.

    >>> print(depth_scales("tanh", [1.0, 1.4, 2.0], sigma_b=0.3).xi_c.round(1))
    [  2.8 378.8   6.6]

    Reference: Schoenholz et al. 2017 (arXiv:1611.01232).
    """
    weights = np.array([float(each) for each in sigma_w])
    fields = (MeanField(activation, float(each), sigma_b, param) for each in weights)
    return DepthScales(weights, float(sigma_b), tuple(fixed_point(field) for field in fields))
