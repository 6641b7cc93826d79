"""Leaky ReLU with a slope tailored to the depth (TAT).

May import: the standard library and `jinit.checks`.
"""

import math

from jinit.checks import check_integer

__all__ = ["leaky_relu_correlation", "tat_slope"]

_HALVINGS = 60


def tat_slope(depth: int, correlation: float = 0.9) -> float:
    """Return the slope a of leaky ReLU for which `C` composed `depth` times takes 0 to this value.

    Use it for plain networks, without normalization or skips, of `depth` activations
    `sqrt(2 / (1 + a**2)) leaky_relu(x, a)` over weights of gain 1; or of leaky ReLU itself over
    weights of gain `jinit.calculate_gain("leaky_relu", a)`, which is the same. ReLU would make
    all inputs alike in depth; a = 1 would be linear.

    Args:
        depth: How many activations a signal passes.
        correlation: What inputs of correlation 0 end up with, in (0, 1). The paper
            recommends 0.8 to 0.95.

    Returns:
        The slope, in [0, 1). It is 0, ReLU's, where `depth` ReLUs stay beneath `correlation`.

    Raises:
        ValueError: An argument is out of range.

    >>> round(tat_slope(100), 5)
    0.57044

    Reference: Zhang et al. 2022 (arXiv:2203.08120), Tailored Activation Transformation.
    """
    check_integer("depth", depth)
    if not 0 < correlation < 1:
        raise ValueError(f"`correlation` (={correlation!r}) must lie between 0 and 1.")
    if _composed(0.0, depth) <= correlation:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _composed(middle, depth) > correlation:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def leaky_relu_correlation(c: float, negative_slope: float) -> float:
    """Return `C(c) = c + (1-a)**2 (sqrt(1 - c**2) - c acos c) / (pi (1 + a**2))`.

    Use it for leaky ReLU of slope a without biases, at any variance.

    Args:
        c: Correlation, in [-1, 1].
        negative_slope: a; 0 for ReLU.

    >>> round(leaky_relu_correlation(0.0, 0.0), 6)  # 1 / pi
    0.31831

    Reference: Cho and Saul 2009 for a = 0; Zhang et al. 2022 (arXiv:2203.08120).
    """
    bend = (1 - negative_slope) ** 2 / (math.pi * (1 + negative_slope**2))
    return c + bend * (math.sqrt(1 - c * c) - c * math.acos(c))


def _composed(negative_slope: float, depth: int) -> float:
    c = 0.0
    for _ in range(depth):
        c = min(1.0, leaky_relu_correlation(c, negative_slope))
    return c
