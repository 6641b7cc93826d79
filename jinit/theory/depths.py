"""Choosing sigma_w and sigma_b for a depth.

May import: the standard library, NumPy, `jinit.checks`, `jinit.elementwise` and the maps of
`jinit.theory`.
"""

import math
from collections.abc import Callable

from jinit.checks import check_integer, check_positive
from jinit.elementwise import Elementwise
from jinit.theory.activation import resolve
from jinit.theory.criticality import bias_variance, critical_for_variance
from jinit.theory.maps import MeanField
from jinit.theory.roots import bisected
from jinit.theory.tabulated import tabulate

__all__ = ["critical_for_depth"]

_LEAST = 1e-5  # beneath it sigma_b**2, of the order of q**2 or q**3, is rounding
_STEP = math.log(8)


def critical_for_depth(
    activation: str | Elementwise,
    depth: int,
    *,
    correlation: float = 0.9,
    q: float = 1.0,
    param: float | None = None,
) -> MeanField:
    """Return the critical network in which `depth` layers keep orthogonal inputs apart.

    At criticality gradients keep their size at any depth (chi = 1, xi_c infinite), but inputs
    still merge, as `1 - c ~ 1 / (k depth)`, the sooner the larger q* is. This takes the largest
    q* <= `q`, hence the most nonlinear network, for which inputs of correlation 0 leave
    `depth` layers with at most `correlation`; and, where q* repels, as GELU's small ones do, for
    which a deviation of the variance grows no more than e-fold.

    Args:
        activation: A name or an elementwise function.
        depth: How many layers.
        correlation: What `C` composed `depth` times makes of 0, at most; in (0, 1).
        q: The variance wanted if depth allows it.
        param: Parameter of a named activation.

    Returns:
        The network.

    Raises:
        ValueError: No q* does, as for ReLU, whose C does not depend on q (see `tat_slope`); or
            `q` itself is no fixed point at criticality.

    >>> shallow, deep = critical_for_depth("tanh", 3), critical_for_depth("tanh", 100)
    >>> round(shallow.sigma_w, 3), round(deep.sigma_w, 3), round(deep.sigma_b, 4)
    (1.467, 1.257, 0.1544)

    Reference: criticality is Schoenholz et al. 2017's (arXiv:1611.01232), the bound on the
    correlation Zhang et al. 2022's (arXiv:2203.08120), who bend the activation instead.
    """
    check_integer("depth", depth)
    check_positive("q", q)
    if not 0 < correlation < 1:
        raise ValueError(f"`correlation` (={correlation!r}) must lie between 0 and 1.")
    phi = resolve(activation, param)

    def network(variance: float) -> MeanField:
        weights, biases = bias_variance(phi, variance)
        return MeanField(activation, math.sqrt(weights), math.sqrt(max(biases, 0.0)), param)

    def excess(log_q: float) -> float:
        variance = math.exp(log_q)
        field = network(variance)
        kept = tabulate(field, variance).composed(depth)[-1]
        merged = math.log1p(-correlation) - math.log1p(-min(kept, 1 - 1e-15))
        drifted = depth * math.log(max(field.variance_slope(variance), 1e-300)) - 1
        return float(max(merged, drifted))

    largest = critical_for_variance(activation, q, param=param)
    if excess(math.log(q)) <= 0:
        return largest
    return critical_for_variance(
        activation, math.exp(_root(excess, q, activation, depth)), param=param
    )


def _root(
    excess: Callable[[float], float], q: float, activation: str | Elementwise, depth: int
) -> float:
    """The logarithm of the largest variance beneath q at which nothing exceeds."""
    near = math.log(q)
    while near > math.log(_LEAST):
        far = near - _STEP
        if excess(far) <= 0:
            return bisected(excess, near, far, rtol=1e-8)
        near = far
    raise ValueError(
        f"`depth` (={depth}) is too much for {activation!r} at criticality, whatever the variance: "
        "inputs merge further than `correlation` allows, or their variance drifts. Leaky ReLU with "
        "`tat_slope(depth)`, a smooth activation, or a larger `correlation` does better."
    )
