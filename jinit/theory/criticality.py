"""The edge of chaos: where a deep network neither merges nor scatters its inputs.

May import: the standard library, NumPy, `jinit.checks`, `jinit.elementwise`, `jinit.quadrature`
(for its types) and the maps of `jinit.theory`.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from jinit.checks import check_non_negative, check_positive
from jinit.elementwise import Elementwise
from jinit.quadrature import FloatArray
from jinit.theory.activation import Activation, resolve
from jinit.theory.maps import MeanField, slope_moment, square_moment
from jinit.theory.roots import bisected

__all__ = [
    "CriticalLine",
    "bias_variance",
    "critical_for_bias",
    "critical_for_variance",
    "critical_line",
]

_ROUNDING = 1e-11  # of q: a bias variance beneath this is 0
_LEAST, _MOST = 1e-6, 1e6  # variances that are searched


@dataclass(frozen=True)
class CriticalLine:
    """The edge of chaos of an activation: points (sigma_w, sigma_b), one for each variance q*.

    Attributes:
        q: Variances that are fixed points, shape (n,).
        sigma_w: `E[phi'(sqrt(q) z)**2] ** -0.5`, shape (n,).
        sigma_b: The root of `q - sigma_w**2 E[phi(sqrt(q) z)**2]`; nan where that is negative.
        variance_slope: `V'(q)`, shape (n,): where it is above 1, q is a fixed point that repels.
    """

    q: FloatArray
    sigma_w: FloatArray
    sigma_b: FloatArray
    variance_slope: FloatArray


def critical_for_variance(
    activation: str | Elementwise, q: float = 1.0, *, param: float | None = None
) -> MeanField:
    """Return the network whose fixed point is `q* = q` with `chi(q*) = 1`.

    `sigma_w**2 = 1 / E[phi'(sqrt(q) z)**2]` and `sigma_b**2 = q - sigma_w**2 E[phi(sqrt(q) z)**2]`.
    Use it to start a deep plain network, with orthogonal weights best of all. Small q makes a
    smooth activation nearly linear: see `critical_for_depth` for how small it should be. The fixed
    point of GELU and SiLU repels, slowly, where q < 3.56 and q < 14.32: `variance_slope` tells.

    Args:
        activation: A name or an elementwise function.
        q: The variance of the pre-activations, positive.
        param: Parameter of a named activation.

    Returns:
        The network. Its weights are `jinit.orthogonal(sigma_w)`, say, its biases
        `jinit.normal(sigma_b)`.

    Raises:
        ValueError: No bias variance >= 0 makes q a fixed point at criticality.

    >>> tanh = critical_for_variance("tanh", q=0.5)
    >>> round(tanh.sigma_w**2, 4), round(tanh.sigma_b**2, 4)
    (1.688, 0.038)
    >>> relu = critical_for_variance("relu")
    >>> round(relu.sigma_w, 6), relu.sigma_b
    (1.414214, 0.0)

    Reference: Poole et al. 2016 (arXiv:1606.05340); Hayou et al. 2019 (arXiv:1902.06853); Roberts
    et al. 2021 (arXiv:2106.10165) on GELU and SiLU.
    """
    check_positive("q", q)
    phi = resolve(activation, param)
    weights, biases = bias_variance(phi, q)
    if biases < 0:
        raise ValueError(
            f"`q` (={q!r}) is no fixed point of {activation!r} at criticality: the bias variance "
            f"would be {biases:.3g} < 0; use another `q` or activation (`critical_line` shows "
            "where its edge of chaos lies)."
        )
    return MeanField(activation, math.sqrt(weights), math.sqrt(biases), param)


def critical_for_bias(
    activation: str | Elementwise, sigma_b: float = 0.0, *, param: float | None = None
) -> MeanField:
    """Return the network of this `sigma_b` that is at the edge of chaos.

    Use it where the biases are given, zero for instance.

    Args:
        activation: A name or an elementwise function.
        sigma_b: Standard deviation of the biases.
        param: Parameter of a named activation.

    Returns:
        The network with the smallest q* there is. For GELU and SiLU it may repel: see
        `critical_for_variance`.

    Raises:
        ValueError: The edge of chaos does not reach this `sigma_b`.

    >>> round(critical_for_bias("tanh", 0.0).sigma_w, 6)
    1.0
    >>> round(critical_for_bias("tanh", 0.05).sigma_w, 4)
    1.1225

    Reference: Schoenholz et al. 2017 (arXiv:1611.01232); Hayou et al. 2019 (arXiv:1902.06853).
    """
    check_non_negative("sigma_b", sigma_b)
    phi = resolve(activation, param)
    q = _unbiased(phi) if sigma_b == 0 else _variance_of(phi, sigma_b)
    if q is None:
        raise ValueError(
            f"`sigma_b` (={sigma_b!r}) is not on the edge of chaos of {activation!r} for any "
            f"variance in [{_LEAST:g}, {_MOST:g}]; use another `sigma_b` (`critical_line` shows "
            "which there are)."
        )
    return MeanField(activation, slope_moment(phi, q) ** -0.5, sigma_b, param)


def critical_line(
    activation: str | Elementwise, q: Iterable[float], *, param: float | None = None
) -> CriticalLine:
    """Return the edge of chaos as a curve: `(sigma_w, sigma_b)` for each variance q*.

    Use it for a picture or a table; a point that is not on it, its bias variance being negative,
    has `sigma_b` nan.

    Args:
        activation: A name or an elementwise function.
        q: Positive variances.
        param: Parameter of a named activation.

    Returns:
        The curve.

    >>> line = critical_line("erf", [0.5, 1.0])
    >>> print(line.sigma_w.round(4), line.sigma_b.round(4))
    [1.1663 1.3252] [0.2158 0.4291]

    Reference: Poole et al. 2016 (arXiv:1606.05340).
    """
    phi = resolve(activation, param)
    variances = [float(check_positive("q", each)) for each in q]
    moments = np.array([bias_variance(phi, each) for each in variances]).reshape(-1, 2)
    with np.errstate(invalid="ignore"):
        sigma_w, sigma_b = np.sqrt(moments).T
    fields = [MeanField(activation, float(weight), 0.0, param) for weight in sigma_w]
    slopes = [f.variance_slope(each) for f, each in zip(fields, variances, strict=True)]
    return CriticalLine(np.array(variances), sigma_w, sigma_b, np.array(slopes))


def bias_variance(phi: Activation, q: float) -> tuple[float, float]:
    """Return `sigma_w**2` and `sigma_b**2`, which may be negative, of the critical point at q."""
    weights = 1 / slope_moment(phi, q)
    biases = q - weights * square_moment(phi, q)
    return weights, 0.0 if abs(biases) <= _ROUNDING * q else biases


def _unbiased(phi: Activation) -> float | None:
    """The variance at which no bias is needed: any for ReLU's like, else 0 if phi(0) = 0."""
    if bias_variance(phi, 1.0)[1] == 0:
        return 1.0
    return 0.0 if float(phi.values(np.zeros(1))[0]) == 0 else None


def _variance_of(phi: Activation, sigma_b: float) -> float | None:
    def excess(log_q: float) -> float:
        q = math.exp(log_q)
        return (bias_variance(phi, q)[1] - sigma_b**2) / q

    grid = np.linspace(math.log(_LEAST), math.log(_MOST), 57)
    values = [excess(each) for each in grid]
    for i in range(len(grid) - 1):
        if values[i] < 0 <= values[i + 1]:
            return math.exp(bisected(excess, float(grid[i]), float(grid[i + 1])))
    return None
