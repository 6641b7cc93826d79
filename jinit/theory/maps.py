"""The mean-field maps of a wide network: how variance and correlation pass a layer.

May import: the standard library, NumPy, `jinit.checks`, `jinit.elementwise`, `jinit.quadrature`
and `jinit.theory`'s activations and quadratures.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from jinit.checks import check_integer, check_non_negative, check_positive
from jinit.elementwise import Elementwise
from jinit.quadrature import FloatArray, expectation
from jinit.theory.activation import Activation, resolve
from jinit.theory.smoothing import GaussianPair

__all__ = ["MeanField", "slope_moment", "square_moment"]


@dataclass(frozen=True)
class MeanField:
    """An infinitely wide fully connected network: `h' = W phi(h) + b`.

    Weights are independent of variance `sigma_w**2 / fan_in`, or orthogonal times `sigma_w`;
    biases have variance `sigma_b**2`. The pre-activations h of one input are then Gaussian of a
    variance q, those of two inputs have a correlation c, and a layer maps, with z ~ N(0, 1) and
    (u1, u2) Gaussian of variance q and correlation c,

        V(q)    = sigma_w**2 E[phi(sqrt(q) z)**2] + sigma_b**2
        C(c)    = (sigma_w**2 E[phi(u1) phi(u2)] + sigma_b**2) / V(q)
        chi(q)  = sigma_w**2 E[phi'(sqrt(q) z)**2]

    chi is what a layer multiplies the squared gradient by. All is computed on the host in
    float64, JAX's callables included; kinks and c -> 1 cost no accuracy.

    Attributes:
        activation: A name that `jinit.calculate_gain` knows, or an elementwise function.
        sigma_w: Standard deviation of the weights times `sqrt(fan_in)`, positive.
        sigma_b: Standard deviation of the biases.
        param: Parameter of a named activation.

    Raises:
        ValueError: A value is out of range or the activation is unknown or not elementwise.
        TypeError: `activation` is neither a name nor callable.

    >>> relu = MeanField("relu", sigma_w=2**0.5)
    >>> round(relu.variance(3.0), 9), round(relu.chi(3.0), 9)
    (3.0, 1.0)
    >>> round(relu.correlation(0.0), 9)  # 1 / pi
    0.318309886

    Reference: Poole et al. 2016 (arXiv:1606.05340); Schoenholz et al. 2017 (arXiv:1611.01232).
    """

    activation: str | Elementwise
    sigma_w: float
    sigma_b: float = 0.0
    param: float | None = None

    def __post_init__(self) -> None:
        check_positive("sigma_w", self.sigma_w)
        check_non_negative("sigma_b", self.sigma_b)
        for name in ("sigma_w", "sigma_b"):  # NumPy's scalars would show in every result
            object.__setattr__(self, name, float(getattr(self, name)))
        _ = self.phi

    def __reduce__(self) -> tuple[type["MeanField"], tuple[Any, ...]]:
        return MeanField, (self.activation, self.sigma_w, self.sigma_b, self.param)

    @property
    def name(self) -> str:
        """The activation's name."""
        given = self.activation
        return given if isinstance(given, str) else str(getattr(given, "__name__", given))

    @cached_property
    def phi(self) -> Activation:
        """The activation in float64 NumPy."""
        return resolve(self.activation, self.param)

    def variance(self, q: float) -> float:
        """Return `V(q)`.

        Args:
            q: Variance of the pre-activations, >= 0.

        >>> round(MeanField("linear", 0.5, sigma_b=1.0).variance(4.0), 9)
        2.0
        """
        check_non_negative("q", q)
        return self.sigma_w**2 * square_moment(self.phi, q) + self.sigma_b**2

    def variance_slope(self, q: float) -> float:
        """Return `V'(q) = sigma_w**2 E[phi**2 (z**2 - 1)] / (2 q)`.

        Deviations from the fixed point shrink by it: Schoenholz et al.'s `exp(-1 / xi_q)`.

        Args:
            q: Variance of the pre-activations, > 0.

        >>> round(MeanField("relu", 2**0.5).variance_slope(3.0), 9)
        1.0
        """
        check_positive("q", q)
        values, origin = self.phi.values, float(self.phi.values(np.zeros(1))[0])

        def integrand(z: FloatArray) -> FloatArray:
            above = values(math.sqrt(q) * z) - origin  # a constant has no slope, nor rounding's
            return np.asarray(above * (above + 2 * origin) * (np.square(z) - 1))

        return self.sigma_w**2 * expectation(integrand) / (2 * q)

    def chi(self, q: float) -> float:
        """Return `chi(q) = sigma_w**2 E[phi'(sqrt(q) z)**2]`, the growth of squared gradients.

        Args:
            q: Variance of the pre-activations; at 0 the limit q -> 0 is meant.

        >>> round(MeanField("tanh", 1.5).chi(0.0), 9)
        2.25
        """
        check_non_negative("q", q)
        return self.sigma_w**2 * slope_moment(self.phi, float(q))

    def correlation(self, c: float, q: float = 1.0) -> float:
        """Return `C(c)`: the correlation after a layer.

        Args:
            c: Correlation of two inputs' pre-activations, in [-1, 1].
            q: Their variance, > 0.

        >>> round(MeanField("erf", 1.0).correlation(0.5, q=1.0), 9)  # asin(1/3) / asin(2/3)
        0.465703755
        """
        return 1 - self.decorrelation(c, q)

    def decorrelation(self, c: float, q: float = 1.0) -> float:
        """Return `1 - C(c)`, without the cancellation where c is near 1.

        Args:
            c: Correlation, in [-1, 1].
            q: Variance, > 0.

        >>> f"{MeanField('linear', 1.0).decorrelation(1 - 2**-40):.6e}"
        '9.094947e-13'
        """
        _check_correlation(c)
        check_positive("q", q)
        return self.sigma_w**2 * GaussianPair(self.phi, q).difference(c) / self.variance(q)

    def correlation_slope(self, c: float, q: float = 1.0) -> float:
        """Return `C'(c) = sigma_w**2 q E[phi'(u1) phi'(u2)] / V(q)`.

        At a fixed point of V it is Schoenholz et al.'s `exp(-1 / xi_c)`, and chi at c = 1.

        Args:
            c: Correlation, in [-1, 1].
            q: Variance, > 0.

        >>> round(MeanField("relu", 2**0.5).correlation_slope(0.0), 9)
        0.5
        """
        _check_correlation(c)
        check_positive("q", q)
        product = GaussianPair(self.phi, q).slope_product(c)
        return self.sigma_w**2 * q * product / self.variance(q)

    def variances(self, q: float, depth: int) -> FloatArray:
        """Return q, V(q), V(V(q)), ...: shape (depth + 1,).

        Args:
            q: Variance at the first layer.
            depth: How many layers follow.

        >>> print(MeanField("linear", 0.5).variances(1.0, 3).round(6))
        [1.       0.25     0.0625   0.015625]
        """
        check_integer("depth", depth, least=0)
        found = [float(q)]
        for _ in range(depth):
            found.append(self.variance(found[-1]))
        return np.array(found)

    def correlations(self, c: float, depth: int, q: float = 1.0) -> FloatArray:
        """Return the correlation of two inputs by layer, their variance going its own way.

        Args:
            c: Correlation at the first layer.
            depth: How many layers follow.
            q: Variance of both at the first layer.

        Returns:
            An array of shape (depth + 1,).

        >>> print(MeanField("relu", 2**0.5).correlations(0.0, 2).round(4))
        [0.     0.3183 0.4937]
        """
        found = [float(c)]
        for variance in self.variances(q, depth)[:-1]:
            found.append(min(1.0, self.correlation(found[-1], float(variance))))
        return np.array(found)


def square_moment(phi: Activation, q: float) -> float:
    """Return `E[phi(sqrt(q) z)**2]`."""
    return expectation(lambda z: np.square(phi.values(math.sqrt(q) * z)))


def slope_moment(phi: Activation, q: float, power: int = 2) -> float:
    """Return `E[phi'(sqrt(q) z)**power]`; at q = 0 its limit, on both sides of a kink."""
    deviation = math.sqrt(max(q, 1e-14))
    return expectation(lambda z: phi.slopes(deviation * z) ** power)


def _check_correlation(c: float) -> None:
    if not -1 <= c <= 1:
        raise ValueError(f"`c` (={c!r}) must be a correlation, in [-1, 1].")
