"""Variance scaling, and the parts that its named cases (Glorot, He, LeCun) are made of.

May import: jax, numpy, `jinit.core`, `jinit.axes`, `jinit.checks`, `jinit.fans`,
`jinit.gains`, `jinit.factory`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jinit.axes import check_roles
from jinit.checks import check_choice, check_non_negative, check_number
from jinit.core.draw import real_dtype
from jinit.core.laws import Law, Normal, TruncatedNormal, Uniform
from jinit.factory import Elementwise, Recipe, scheme
from jinit.fans import MODES, Fans, compute_fans
from jinit.gains import calculate_gain

__all__ = [
    "Axis",
    "Gain",
    "fan_reader",
    "squared_gain",
    "variance_recipe",
    "variance_scaling",
]

Axis: TypeAlias = int | Sequence[int]
Gain: TypeAlias = float | str | Callable[[Any], Any]
FanReader: TypeAlias = Callable[[tuple[int, ...]], Fans]

DISTRIBUTIONS = ("normal", "truncated_normal", "uniform")
NORMALS = ("normal", "truncated_normal")

# Standard deviation of a standard normal cut at +-2, as JAX writes it: its bits are JAX's.
_TRUNCATED_STD = 0.87962566103423978
# The same for the modulus of a circular complex normal cut at 2: sqrt(1 - 4 / (e^4 - 1)).
_TRUNCATED_MODULUS_STD = math.sqrt(1 - 4 / math.expm1(4))


@scheme
def variance_scaling(
    scale: Any,
    mode: str,
    distribution: str,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    dtype: Any = None,
    *,
    fans: Any = None,
    layout: str | None = None,
    groups: int = 1,
) -> Recipe:
    """Variance scaling: `Var W = scale / n`, n the fan that `mode` chooses.

    Args:
        scale: the variance's numerator; 1 keeps a linear layer's variance, 2 a ReLU layer's.
        mode: "fan_in" keeps the forward variance, "fan_out" the backward one, "fan_avg" their
            arithmetic and "fan_geo_avg" their geometric mean.
        distribution: "truncated_normal" (cut at two standard deviations and widened so that the
            variance is exact), "normal" or "uniform".
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels (experts, stacked layers).
        dtype: floating or complex dtype of the weights, unless the call gives one.
        fans: the pair `(fan_in, fan_out)` itself, where the shape does not tell.
        layout: the axes by letter instead, such as "OIHW".
        groups: feature groups of a convolution, of which fan_out is one's share.

    Raises:
        ValueError: an option is unknown, negative or contradicts another; when drawing, the shape
            has no such axes.

    >>> import jax, jinit
    >>> init = jinit.variance_scaling(2.0, "fan_in", "truncated_normal")
    >>> init == jinit.variance_scaling(scale=2.0, mode="fan_in", distribution="truncated_normal")
    True
    >>> print(f"{init.std((784, 512)) ** 2 * 784:.4f}")
    2.0000

    Differences: float32 and float64 draws equal `jax.nn.initializers.variance_scaling` to the
    bit; narrower dtypes are drawn in float32 and rounded once, where JAX draws 128 values.
    """
    check_non_negative("scale", scale)
    return variance_recipe(
        scale, mode, distribution, fan_reader(in_axis, out_axis, batch_axis, fans, layout, groups)
    )


def fan_reader(
    in_axis: Axis, out_axis: Axis, batch_axis: Axis, fans: Any, layout: str | None, groups: int
) -> FanReader:
    """The function from shape to fans that these options mean."""
    check_roles(in_axis=in_axis, out_axis=out_axis, batch_axis=batch_axis)
    if fans is not None:
        given = _checked_fans(fans)
        return lambda shape: given
    return lambda shape: compute_fans(
        shape,
        in_axis=in_axis,
        out_axis=out_axis,
        batch_axis=batch_axis,
        layout=layout,
        groups=groups,
    )


def _checked_fans(fans: Any) -> Fans:
    if not isinstance(fans, (tuple, list)) or len(fans) != 2:
        raise ValueError(f"`fans` (={fans!r}) must be a pair (fan_in, fan_out)")
    for fan in fans:
        check_number("fans", fan)
    if min(fans) <= 0:
        raise ValueError(f"`fans` (={tuple(fans)}) must be positive")
    return Fans(*fans)


def variance_recipe(scale: Any, mode: str, distribution: str, fans: FanReader) -> Recipe:
    """The recipe of `Var W = scale / n`, n the fan of the shape that `mode` chooses."""
    check_choice("mode", mode, MODES)
    check_choice("distribution", distribution, DISTRIBUTIONS)

    def law(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Law:
        fan = fans(shape).select(mode)
        variance = scale / fan if fan else 0.0 * scale  # no fan, no weights
        return _LAWS[distribution](variance, real_dtype(dtype), dtype.kind == "c")

    return Elementwise(law)


# JAX takes these roots and quotients in the dtype of the draw; the last bits depend on it.


def _root(variance: Any, real: np.dtype[Any], factor: int = 1) -> Any:
    if isinstance(variance, jax.Array):
        return jnp.sqrt(factor * jnp.asarray(variance, real))
    return np.sqrt(real.type(factor) * np.asarray(variance, real)[()])


def _normal_law(variance: Any, real: np.dtype[Any], is_complex: bool) -> Law:
    return Normal(0.0, _root(variance, real))


def _truncated_law(variance: Any, real: np.dtype[Any], is_complex: bool) -> Law:
    std = real.type(_TRUNCATED_MODULUS_STD if is_complex else _TRUNCATED_STD)
    return TruncatedNormal(0.0, _root(variance, real) / std)


def _uniform_law(variance: Any, real: np.dtype[Any], is_complex: bool) -> Law:
    # A disk of radius r has E|w|^2 = r^2 / 2, an interval of half-width b has variance b^2 / 3.
    return Uniform(-1.0, 1.0, _root(variance, real, factor=2 if is_complex else 3))


_LAWS = {"normal": _normal_law, "truncated_normal": _truncated_law, "uniform": _uniform_law}


def squared_gain(gain: Any) -> Any:
    """`gain` squared, of a number, the name of an activation or an elementwise function."""
    if isinstance(gain, str) or callable(gain):
        # From the closed form, so that ReLU's is 2 and not the square of a rounded root.
        return 2.0 if gain == "relu" else calculate_gain(gain) ** 2
    return check_non_negative("gain", gain) ** 2
