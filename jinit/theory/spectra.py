"""Singular values of the Jacobian of a deep network.

May import: the standard library, `jinit.checks` and the maps of `jinit.theory`.
"""

import math
from dataclasses import dataclass

from jinit.checks import check_integer, check_positive
from jinit.theory.maps import MeanField, slope_moment

__all__ = ["JacobianSpectrum", "jacobian_spectrum"]


@dataclass(frozen=True)
class JacobianSpectrum:
    """The squared singular values s**2 of `d h_L / d h_0`, in the limit of infinite width.

    Attributes:
        mean: `E[s**2] = chi**L`.
        spread: `sqrt(Var[s**2]) / E[s**2]`; beneath 1 or so is dynamical isometry.
    """

    mean: float
    spread: float


def jacobian_spectrum(
    field: MeanField, depth: int, q: float, *, orthogonal: bool = True
) -> JacobianSpectrum:
    """Return mean and relative spread of the squared singular values of `depth` layers' Jacobian.

    `Var[s**2] / E[s**2]**2 = depth (E[phi'**4] / E[phi'**2]**2 - 1 + g)`, with g = 0 for
    orthogonal and 1 for Gaussian weights: factors that are free of each other add what they
    spread. Use it to see what orthogonal weights gain: with tanh at small q they keep the spread
    small at any depth, with ReLU they cannot.

    Args:
        field: Activation, sigma_w and sigma_b.
        depth: How many layers, the activation before each linear map counted with it.
        q: Variance of the pre-activations, at the fixed point.
        orthogonal: Orthogonal weights times sigma_w; else independent Gaussian ones.

    Returns:
        The mean and the spread.

    >>> linear = MeanField("linear", 1.0)
    >>> jacobian_spectrum(linear, 9, 1.0).spread
    0.0
    >>> round(jacobian_spectrum(linear, 9, 1.0, orthogonal=False).spread, 9)
    3.0

    Reference: Pennington et al. 2017 (arXiv:1711.04735) and 2018 (arXiv:1802.09979).
    """
    check_integer("depth", depth)
    check_positive("q", q)
    second, fourth = (slope_moment(field.phi, q, power) for power in (2, 4))
    layer = max(fourth / second**2 - 1, 0.0) + (0.0 if orthogonal else 1.0)
    if layer < 1e-12:
        layer = 0.0
    return JacobianSpectrum((field.sigma_w**2 * second) ** depth, math.sqrt(depth * layer))
