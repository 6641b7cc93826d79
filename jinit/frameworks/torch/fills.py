"""`torch.nn.init`: what does not depend on fans, and torch's table of gains.

May import: `jinit.checks`, `jinit.gains`, `jinit.initializer`, `jinit.schemes`, and of
`jinit.frameworks` arguments, borrowing, shapes.

Arguments, their order and their defaults are torch's, without the tensor, whose place the shape
takes, and without the generator, whose place the key takes. Kernels are `(*taps, in, out)`;
`layout="OI..."` is torch's own order.

Reference: torch 2.13, `torch/nn/init.py`.
"""

from typing import Any

import jinit.gains as gains
from jinit.checks import check_non_negative, check_positive
from jinit.frameworks.arguments import check_ends
from jinit.frameworks.borrowing import borrow
from jinit.frameworks.shapes import of_rank
from jinit.initializer import Recipe
from jinit.schemes.constants import constant, ones, zeros
from jinit.schemes.distributions import normal, truncated_normal, uniform
from jinit.schemes.identities import dirac, identity

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "normal_",
    "ones_",
    "trunc_normal_",
    "uniform_",
    "zeros_",
]

_CONVOLUTIONS = tuple(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3))
_KNOWN = ("leaky_relu", "linear", "relu", "selu", "sigmoid", "tanh", *_CONVOLUTIONS)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Torch's gain of an activation: 1, 5/3 (tanh), sqrt(2) (relu), 3/4 (selu), by name alone.

    Args:
        nonlinearity: "linear", "conv1d" and the like, "sigmoid", "tanh", "relu", "leaky_relu" or
            "selu".
        param: negative slope of "leaky_relu", 0.01 if None; others ignore it, as in torch.

    Raises:
        ValueError: torch has no such name, or the slope is no number.

    >>> round(calculate_gain("leaky_relu", 0.2), 6)
    1.38675

    Differences: `jinit.calculate_gain` has the same values for these names, and takes any other
    activation. Of sigmoid, tanh and selu the exact gains are 1.8462, 1.5925 and 1.
    """
    if nonlinearity not in _KNOWN:
        raise ValueError(
            f"`nonlinearity` (={nonlinearity!r}) must be one of torch's, "
            f"{', '.join(map(repr, _KNOWN))}; jinit.calculate_gain knows more"
        )
    return gains.calculate_gain(nonlinearity, param if nonlinearity == "leaky_relu" else None)


@borrow("torch")
def uniform_(a: float = 0.0, b: float = 1.0, *, dtype: Any = None) -> Recipe:
    """Uniform: `W ~ U[a, b)`.

    Args:
        a: lower end.
        b: upper end.
        dtype: floating dtype of the weights, unless the call gives one.

    Raises:
        ValueError: `a` is not below `b`.

    >>> uniform_(-0.1, 0.1).law((8, 8))
    Uniform(low=-0.1, high=0.1, scale=1.0)

    Differences: `jax.nn.initializers.uniform(s)` is U[0, s).
    """
    check_ends(a=a, b=b)
    return uniform(low=a, high=b).recipe


@borrow("torch")
def normal_(mean: float = 0.0, std: float = 1.0, *, dtype: Any = None) -> Recipe:
    """Normal: `W ~ N(mean, std^2)`, not truncated.

    Args:
        mean: mean.
        std: standard deviation.
        dtype: floating or complex dtype of the weights, unless the call gives one.

    Raises:
        ValueError: `std` is negative.

    >>> normal_(std=0.02).law((8, 8))
    Normal(center=0.0, stddev=0.02)

    Differences: the standard deviation comes second, and is 1 by default; in JAX it comes first,
    and is 0.01.
    """
    return normal(check_non_negative("std", std), mean=mean).recipe


@borrow("torch")
def trunc_normal_(
    mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, *, dtype: Any = None
) -> Recipe:
    """Truncated normal: `W ~ N(mean, std^2)` given `a < W < b`, not widened again.

    The bounds are absolute: the default +-2 cuts nothing where std is 0.02.

    Args:
        mean: mean before truncation.
        std: standard deviation before truncation.
        a: lower bound on the weights.
        b: upper bound on the weights.
        dtype: floating dtype of the weights, unless the call gives one.

    Raises:
        ValueError: `std` is not positive, or `a` not below `b`.

    >>> print(f"{trunc_normal_(std=0.02).std((8, 8)):.4f} {trunc_normal_().std((8, 8)):.4f}")
    0.0200 0.8796

    Differences: JAX's `truncated_normal` takes its bounds in standard deviations.
    """
    check_ends(a=a, b=b)
    return truncated_normal(check_positive("std", std), mean=mean, bounds=(a, b)).recipe


@borrow("torch", keyless=True)
def constant_(val: Any, *, dtype: Any = None) -> Recipe:
    """Everywhere `val`: `W = val`.

    Args:
        val: a number.
        dtype: dtype of the weights, unless the call gives one.

    >>> constant_(0.25)(None, (2,)).tolist()
    [0.25, 0.25]
    """
    return constant(val).recipe


@borrow("torch", keyless=True)
def ones_(*, dtype: Any = None) -> Recipe:
    """All ones: `W = 1`.

    Args:
        dtype: dtype of the weights, unless the call gives one.
    """
    return ones().recipe


@borrow("torch", keyless=True)
def zeros_(*, dtype: Any = None) -> Recipe:
    """All zeros: `W = 0`.

    Args:
        dtype: dtype of the weights, unless the call gives one.
    """
    return zeros().recipe


@borrow("torch", keyless=True)
def eye_(*, dtype: Any = None) -> Recipe:
    """Identity matrix: `W[i, i] = 1`, zeros elsewhere; two axes, square or not.

    Args:
        dtype: dtype of the weights, unless the call gives one.

    Raises:
        ValueError: when drawing, the shape does not have two axes.

    >>> eye_()(None, (2, 3)).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]

    Differences: `jinit.identity` fills any number of axes before the last two.
    """
    return of_rank(identity().recipe, "torch's eye_", 2)


@borrow("torch", keyless=True)
def dirac_(groups: int = 1, *, dtype: Any = None, layout: str | None = None) -> Recipe:
    """Dirac: `K[centre, i, i] = 1` in each group of channels, centre k // 2, zeros elsewhere.

    Args:
        groups: groups of the convolution.
        dtype: dtype of the weights, unless the call gives one.
        layout: the axes by letter, "OI..." in torch; None is `(*taps, in, out)`.

    Raises:
        ValueError: when drawing, the shape is not 3-D, 4-D or 5-D, or the outputs do not divide
            into `groups`.

    >>> dirac_()(None, (3, 1, 1)).ravel().tolist()
    [0.0, 1.0, 0.0]
    """
    return of_rank(dirac(groups=groups, layout=layout).recipe, "torch's dirac_", 3, 4, 5)
