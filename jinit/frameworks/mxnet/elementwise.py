# ruff: noqa: N802 - the names are MXNet's
"""`mxnet.initializer`: weights that are independent of each other.

May import: `jinit.checks`, `jinit.initializer`, `jinit.schemes`, and of `jinit.frameworks`
borrowing, fan_rules.

Kernels are `(*taps, in, out)`; `layout="OI..."` is MXNet's own order. MXNet asks an initializer for
weights alone: biases, `gamma`, `beta` and statistics go by the end of their names, to 0, 1, 0, 0
and 1, whatever the initializer.

Reference: MXNet 1.9, `python/mxnet/initializer.py`.
"""

from typing import Any

from jinit.checks import check_choice, check_non_negative, check_number, check_positive
from jinit.frameworks.borrowing import borrow
from jinit.frameworks.fan_rules import axes_fans
from jinit.initializer import Recipe
from jinit.schemes.constants import constant, ones, zeros
from jinit.schemes.distributions import normal, uniform
from jinit.schemes.variance import Axis, variance_recipe

__all__ = ["Constant", "MSRAPrelu", "Normal", "One", "Uniform", "Xavier", "Zero"]

_FACTORS = {"avg": "fan_avg", "in": "fan_in", "out": "fan_out"}
_LAWS = {"gaussian": "normal", "uniform": "uniform"}


@borrow("mxnet", keyless=True)
def Zero(*, dtype: Any = None) -> Recipe:
    """All zeros: `W = 0`.

    Args:
        dtype: dtype of the weights, unless the call gives one.
    """
    return zeros().recipe


@borrow("mxnet", keyless=True)
def One(*, dtype: Any = None) -> Recipe:
    """All ones: `W = 1`.

    Args:
        dtype: dtype of the weights, unless the call gives one.
    """
    return ones().recipe


@borrow("mxnet", keyless=True)
def Constant(value: Any, *, dtype: Any = None) -> Recipe:
    """Everywhere `value`: `W = value`, broadcast to the shape.

    Args:
        value: a number, or an array that broadcasts to the weights.
        dtype: dtype of the weights, unless the call gives one.
    """
    return constant(value).recipe


@borrow("mxnet")
def Uniform(scale: float = 0.07, *, dtype: Any = None) -> Recipe:
    """Uniform: `W ~ U[-scale, scale)`; the default of Gluon's layers.

    Args:
        scale: half-width of the range.
        dtype: floating dtype of the weights, unless the call gives one.

    >>> Uniform().law((8, 8))
    Uniform(low=-1.0, high=1.0, scale=0.07)

    Differences: `jax.nn.initializers.uniform(s)` is U[0, s).
    """
    return uniform(bound=check_non_negative("scale", scale)).recipe


@borrow("mxnet")
def Normal(sigma: float = 0.01, *, dtype: Any = None) -> Recipe:
    """Normal: `W ~ N(0, sigma^2)`, not truncated.

    Args:
        sigma: standard deviation.
        dtype: floating or complex dtype of the weights, unless the call gives one.
    """
    return normal(check_non_negative("sigma", sigma)).recipe


@borrow("mxnet")
def Xavier(
    rnd_type: str = "uniform",
    factor_type: str = "avg",
    magnitude: float = 3,
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    layout: str | None = None,
) -> Recipe:
    """Xavier: `W ~ U[-s, s)` or `N(0, s^2)`, `s = sqrt(magnitude / fan)`.

    With the default magnitude the uniform law is Glorot's, `Var W = 1 / fan`, and the normal one
    has three times its variance.

    Args:
        rnd_type: "uniform" or "gaussian", which is not truncated.
        factor_type: the fan: "avg", "in" or "out".
        magnitude: numerator of s^2.
        dtype: floating or complex dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
        layout: the axes by letter instead; "OI..." is MXNet's order.

    Raises:
        ValueError: an option is unknown, or `magnitude` not positive; when drawing, the shape has
            fewer than two axes.

    >>> print(f"{Xavier().std((300, 300)) ** 2 * 300:.2f}")
    1.00
    >>> print(f"{Xavier('gaussian').std((300, 300)) ** 2 * 300:.2f}")
    3.00
    """
    law = _LAWS[check_choice("rnd_type", rnd_type, tuple(_LAWS))]
    mode = _FACTORS[check_choice("factor_type", factor_type, tuple(_FACTORS))]
    # Of a uniform law the magnitude is the squared bound, three times the variance.
    variance = check_positive("magnitude", magnitude) / (3 if law == "uniform" else 1)
    return variance_recipe(variance, mode, law, axes_fans(in_axis, out_axis, batch_axis, layout))


@borrow("mxnet")
def MSRAPrelu(
    factor_type: str = "avg",
    slope: float = 0.25,
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    layout: str | None = None,
) -> Recipe:
    """He's normal law for PReLU, not truncated: `W ~ N(0, 2 / ((1 + slope^2) fan))`.

    By default for a slope of 0.25 and the mean of both fans, where He's own law has 0 and fan_in.

    Args:
        factor_type: the fan: "avg", "in" or "out".
        slope: slope of the rectifier at negative values.
        dtype: floating or complex dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
        layout: the axes by letter instead; "OI..." is MXNet's order.

    Raises:
        ValueError: `factor_type` is unknown; when drawing, the shape has fewer than two axes.

    >>> print(f"{MSRAPrelu('in', 0.0).std((200, 10)):.4f} {MSRAPrelu().std((200, 200)):.4f}")
    0.1000 0.0970
    """
    mode = _FACTORS[check_choice("factor_type", factor_type, tuple(_FACTORS))]
    variance = 2 / (1 + check_number("slope", slope) ** 2)
    rule = axes_fans(in_axis, out_axis, batch_axis, layout)
    return variance_recipe(variance, mode, "normal", rule)
