"""LeCun initialization: the fan alone, for linear and self-normalizing layers.

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

__all__ = ["lecun_normal", "lecun_uniform"]


@scheme
def lecun_uniform(
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    dtype: Any = None,
    *,
    mode: str = "fan_in",
    gain: Gain = 1.0,
    fans: Any = None,
    layout: str | None = None,
    groups: int = 1,
) -> Recipe:
    """LeCun uniform: `W ~ U[-b, b)`, `b = gain * sqrt(3 / fan_in)`.

    For linear layers and for self-normalizing networks (SELU).

    Args:
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels (experts, stacked layers).
        dtype: floating or complex dtype of the weights, unless the call gives one.
        mode: the fan: "fan_in", "fan_out", "fan_avg" or "fan_geo_avg".
        gain: a number, an activation's name or an elementwise function (`jinit.calculate_gain`).
        fans: the pair `(fan_in, fan_out)` itself.
        layout: the axes by letter instead, such as "OIHW".
        groups: feature groups of a convolution.

    >>> import jinit
    >>> print(f"{jinit.lecun_uniform().law((300, 10)).scale:.6f}")
    0.100000

    Reference: LeCun, Bottou, Orr and Müller 1998, "Efficient BackProp", equation 16.

    Differences: Caffe calls this "xavier".
    """
    return variance_recipe(
        squared_gain(gain),
        mode,
        "uniform",
        fan_reader(in_axis, out_axis, batch_axis, fans, layout, groups),
    )


@scheme
def lecun_normal(
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    dtype: Any = None,
    *,
    mode: str = "fan_in",
    gain: Gain = 1.0,
    distribution: str = "truncated_normal",
    fans: Any = None,
    layout: str | None = None,
    groups: int = 1,
) -> Recipe:
    """LeCun normal, truncated: `Var W = gain^2 / fan_in`. The default of Flax's layers.

    Cut at two standard deviations and widened so that the variance is exact;
    `distribution="normal"` does not cut.

    Args:
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels (experts, stacked layers).
        dtype: floating or complex dtype of the weights, unless the call gives one.
        mode: the fan: "fan_in", "fan_out", "fan_avg" or "fan_geo_avg".
        gain: a number, an activation's name or an elementwise function (`jinit.calculate_gain`).
        distribution: "truncated_normal" or "normal".
        fans: the pair `(fan_in, fan_out)` itself.
        layout: the axes by letter instead, such as "OIHW".
        groups: feature groups of a convolution.

    >>> import jinit
    >>> print(f"{jinit.lecun_normal().std((400, 10)):.4f}")
    0.0500

    Reference: LeCun, Bottou, Orr and Müller 1998, "Efficient BackProp", equation 16; for SELU
    Klambauer et al. 2017 (arXiv:1706.02515).
    """
    check_choice("distribution", distribution, NORMALS)
    reader = fan_reader(in_axis, out_axis, batch_axis, fans, layout, groups)
    return variance_recipe(squared_gain(gain), mode, distribution, reader)
