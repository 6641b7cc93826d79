"""Glorot (Xavier) initialization: the mean of both fans.

May import: `jinit.checks`, `jinit.factory`, `jinit.schemes.variance`.
"""

from typing import Any

from jinit.checks import check_choice
from jinit.factory import Recipe, scheme
from jinit.schemes.variance import (
    NORMALS,
    Axis,
    Gain,
    fan_reader,
    squared_gain,
    variance_recipe,
)

__all__ = ["glorot_normal", "glorot_uniform", "xavier_normal", "xavier_uniform"]


@scheme
def glorot_uniform(
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    dtype: Any = None,
    *,
    mode: str = "fan_avg",
    gain: Gain = 1.0,
    fans: Any = None,
    layout: str | None = None,
    groups: int = 1,
) -> Recipe:
    """Glorot (Xavier) uniform: `W ~ U[-b, b)`, `b = gain * sqrt(6 / (fan_in + fan_out))`.

    For layers whose activation is linear near zero (tanh, softsign): the forward and the backward
    variance are kept as nearly as one scale can keep both.

    Args:
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels (experts, stacked layers).
        dtype: floating or complex dtype of the weights, unless the call gives one.
        mode: the fan n: "fan_avg", "fan_geo_avg", "fan_in" or "fan_out".
        gain: a number, an activation's name or an elementwise function (`jinit.calculate_gain`).
        fans: the pair `(fan_in, fan_out)` itself.
        layout: the axes by letter instead, such as "OIHW".
        groups: feature groups of a convolution.

    >>> import jinit
    >>> print(f"{jinit.glorot_uniform().law((300, 300)).scale:.6f}")
    0.100000

    Reference: Glorot and Bengio 2010 (AISTATS), equation 16.

    Differences: torch's `xavier_uniform_` reads (out, in) kernels (`layout="OI"`).
    """
    return variance_recipe(
        squared_gain(gain),
        mode,
        "uniform",
        fan_reader(in_axis, out_axis, batch_axis, fans, layout, groups),
    )


@scheme
def glorot_normal(
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    dtype: Any = None,
    *,
    mode: str = "fan_avg",
    gain: Gain = 1.0,
    distribution: str = "truncated_normal",
    fans: Any = None,
    layout: str | None = None,
    groups: int = 1,
) -> Recipe:
    """Glorot (Xavier) normal, truncated: `Var W = gain^2 / n`, n = (fan_in + fan_out) / 2.

    Cut at two standard deviations and widened so that the variance is exact;
    `distribution="normal"` does not cut.

    Args:
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels (experts, stacked layers).
        dtype: floating or complex dtype of the weights, unless the call gives one.
        mode: the fan n: "fan_avg", "fan_geo_avg", "fan_in" or "fan_out".
        gain: a number, an activation's name or an elementwise function (`jinit.calculate_gain`).
        distribution: "truncated_normal" or "normal".
        fans: the pair `(fan_in, fan_out)` itself.
        layout: the axes by letter instead, such as "OIHW".
        groups: feature groups of a convolution.

    >>> import jinit
    >>> print(f"{jinit.glorot_normal(gain='tanh').std((300, 300)) * 300 ** 0.5:.4f}")
    1.6667

    Reference: Glorot and Bengio 2010 (AISTATS), equation 12.

    Differences: JAX and Keras truncate, as here; torch's `xavier_normal_` does not.
    """
    check_choice("distribution", distribution, NORMALS)
    reader = fan_reader(in_axis, out_axis, batch_axis, fans, layout, groups)
    return variance_recipe(squared_gain(gain), mode, distribution, reader)


xavier_normal = glorot_normal
xavier_uniform = glorot_uniform
