"""Where variance and correlation settle with depth, and how fast.

May import: the standard library, NumPy, `jinit.checks` and the maps of `jinit.theory`.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from jinit.checks import check_positive
from jinit.theory.maps import MeanField
from jinit.theory.roots import bisected, doubled

__all__ = ["FixedPoint", "Phase", "depth_scale", "fixed_point", "fixed_variance"]

Phase: TypeAlias = Literal["chaotic", "critical", "ordered"]

_CRITICAL = 1e-9  # |chi - 1| beneath this is the quadrature's
_SAME = 1e-11  # relative change of q that is none
_LEAST, _MOST = 1e-10, 1e10  # a variance that leaves these goes to 0, or to infinity
_STEPS = 60


@dataclass(frozen=True)
class FixedPoint:
    """What a deep network does to its inputs, whatever they are.

    Attributes:
        q: `q* = V(q*)`, the variance of deep pre-activations; 0 or inf where they die or grow.
        c: `c* = C(c*)`, the correlation that two inputs end up with; nan where every one is kept.
        chi: `chi(q*)`, the growth of the squared gradient in a layer, and the slope of C at 1.
        variance_slope: `V'(q*)`; q* attracts where it is in (-1, 1).
        correlation_slope: `C'(c*)`, at most 1.
        xi_q: Layers in which a deviation of the variance shrinks e-fold: `-1 / log|V'(q*)|`.
        xi_c: The same of the correlation: `-1 / log C'(c*)`. Infinite at criticality.
        xi_gradient: Layers in which the squared gradient changes e-fold: `1 / |log chi|`.
        phase: "ordered" where chi < 1 (inputs merge, gradients vanish), "chaotic" where chi > 1
            (gradients explode), "critical" between.

    Reference: Schoenholz et al. 2017 (arXiv:1611.01232).
    """

    q: float
    c: float
    chi: float
    variance_slope: float
    correlation_slope: float
    xi_q: float
    xi_c: float
    xi_gradient: float
    phase: Phase


def fixed_point(field: MeanField, q: float = 1.0) -> FixedPoint:
    """Return the fixed point that an input of variance q flows to: `q* = V(q*)`, `c* = C(c*)`.

    Use it to see whether depth keeps a signal. Where V grows with q, as for all usual
    activations, q* is where layer after layer leads; where it does not, it is the nearest fixed
    point in that direction, and attracts only if `|variance_slope| < 1`.

    Args:
        field: Activation, sigma_w and sigma_b.
        q: Variance at the first layer. Only ReLU and its like remember it at criticality.

    Returns:
        The fixed point. Where q* is 0 or infinite, c* and the slopes are limits along the way.

    Raises:
        ValueError: `q` is not positive, or an expectation is infinite.

    >>> deep = fixed_point(MeanField("tanh", sigma_w=1.5, sigma_b=0.3))
    >>> round(deep.q, 4), round(deep.c, 4), deep.phase
    (0.9608, 0.7668, 'chaotic')
    >>> relu = fixed_point(MeanField("relu", sigma_w=2**0.5), q=3.0)
    >>> round(relu.q, 9), relu.c, relu.xi_c, relu.phase
    (3.0, 1.0, inf, 'critical')

    Reference: Poole et al. 2016 (arXiv:1606.05340); Schoenholz et al. 2017 (arXiv:1611.01232).
    """
    check_positive("q", q)
    found = fixed_variance(field, q)
    where = min(max(found, _LEAST), _MOST)
    chi = _snapped(field.chi(0.0 if found == 0 else where))
    variance_slope = _snapped(field.variance_slope(where))
    c, slope = _fixed_correlation(field, where)
    return FixedPoint(
        q=found,
        c=c,
        chi=chi,
        variance_slope=variance_slope,
        correlation_slope=slope,
        xi_q=depth_scale(variance_slope),
        xi_c=depth_scale(slope),
        xi_gradient=depth_scale(chi),
        phase="critical" if chi == 1 else "ordered" if chi < 1 else "chaotic",
    )


def fixed_variance(field: MeanField, q: float = 1.0) -> float:
    """Return q* alone: the nearest fixed point of V in the direction in which it moves q.

    Args:
        field: Activation, sigma_w and sigma_b.
        q: Variance at the first layer.

    >>> fixed_variance(MeanField("tanh", sigma_w=0.9))
    0.0
    """

    def excess(x: float) -> float:
        change = field.variance(x) - x
        return 0.0 if abs(change) <= _SAME * x else change

    start = excess(q)
    if start == 0:
        return q
    end = doubled(excess, q, _MOST) if start > 0 else doubled(excess, q, _lowest(field))
    if end is not None:
        return bisected(excess, *end)
    return math.inf if start > 0 else field.sigma_b**2


def depth_scale(slope: float) -> float:
    """Return `1 / |log|slope||`: the layers in which `slope**depth` changes e-fold.

    >>> round(depth_scale(0.9), 3), depth_scale(1.0), depth_scale(0.0)
    (9.491, inf, 0.0)
    """
    if slope == 0 or math.isinf(slope):
        return 0.0
    rate = abs(math.log(abs(slope)))
    return 1 / rate if rate > 0 else math.inf


def _lowest(field: MeanField) -> float:
    return max(field.sigma_b**2, _LEAST)


def _snapped(slope: float) -> float:
    return 1.0 if abs(slope - 1) <= _CRITICAL else slope


def _fixed_correlation(field: MeanField, q: float) -> tuple[float, float]:
    """Return the attracting c* and `C'(c*)`.

    C has non-negative Taylor coefficients, hence is convex on [0, 1]: c* = 1 where its slope
    there is at most 1, and otherwise Newton's steps from 0 rise to the one other root.
    """
    at_one = _snapped(field.correlation_slope(1.0, q))
    at_zero = _snapped(field.correlation_slope(0.0, q))
    if at_one == 1 and at_zero == 1:
        return math.nan, 1.0
    if at_one <= 1:
        return 1.0, at_one
    c, slope = 0.0, at_zero
    for _ in range(_STEPS):
        rise = (1 - c) - field.decorrelation(c, q)
        if rise <= 1e-13 * (1 - c) or slope >= 1:
            break
        c += rise / (1 - slope)
        slope = field.correlation_slope(c, q)
    return c, slope
