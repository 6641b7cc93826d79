"""He (Kaiming) initialization: the fan, times the gain of the activation before.

May import: `jinit.checks`, `jinit.factory`, `jinit.schemes.variance`.
"""

from collections.abc import Callable
from typing import Any

from jinit.checks import check_choice, check_number
from jinit.factory import Recipe, scheme
from jinit.schemes.variance import (
    NORMALS,
    Axis,
    Gain,
    fan_reader,
    squared_gain,
    variance_recipe,
)

__all__ = ["he_normal", "he_uniform", "kaiming_normal", "kaiming_uniform"]


def _squared_he_gain(gain: Any, nonlinearity: Any, negative_slope: Any) -> Any:
    if gain is not None:
        if nonlinearity != "relu" or negative_slope is not None:
            raise ValueError(
                f"`gain` (={gain!r}) and `nonlinearity` (={nonlinearity!r}) or `negative_slope` "
                f"(={negative_slope!r}) each set the gain; give one"
            )
        return squared_gain(gain)
    if negative_slope is None:
        return squared_gain(nonlinearity)
    if nonlinearity not in ("leaky_relu", "prelu", "relu"):
        raise ValueError(
            f"`negative_slope` (={negative_slope!r}) belongs to 'leaky_relu', 'prelu' or 'relu', "
            f"not to `nonlinearity` (={nonlinearity!r})"
        )
    return 2.0 / (1 + check_number("negative_slope", negative_slope) ** 2)


@scheme
def he_uniform(
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    dtype: Any = None,
    *,
    mode: str = "fan_in",
    nonlinearity: str | Callable[[Any], Any] = "relu",
    negative_slope: float | None = None,
    gain: Gain | None = None,
    fans: Any = None,
    layout: str | None = None,
    groups: int = 1,
) -> Recipe:
    """He (Kaiming) uniform: `W ~ U[-b, b)`, `b = gain * sqrt(3 / fan_in)`, gain sqrt(2) for ReLU.

    For layers that take in the output of a rectifier or another activation.

    Args:
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels (experts, stacked layers).
        dtype: floating or complex dtype of the weights, unless the call gives one.
        mode: "fan_in" keeps the forward, "fan_out" the backward variance; also "fan_avg" and
            "fan_geo_avg".
        nonlinearity: the activation whose gain is used, by name or as a function.
        negative_slope: slope a of a leaky rectifier, gain sqrt(2 / (1 + a^2)).
        gain: the gain itself, in place of `nonlinearity`.
        fans: the pair `(fan_in, fan_out)` itself.
        layout: the axes by letter instead, such as "OIHW".
        groups: feature groups of a convolution.

    >>> import jinit
    >>> print(f"{jinit.he_uniform().law((600, 10)).scale:.6f}")
    0.100000
    >>> print(f"{jinit.he_uniform(negative_slope=5 ** 0.5).law((100, 10)).scale:.6f}")
    0.100000

    Reference: He et al. 2015 (arXiv:1502.01852), equations 10 and 14.

    Differences: torch's `kaiming_uniform_(a=sqrt(5))`, its layers' default, is the last example.
    """
    squared = _squared_he_gain(gain, nonlinearity, negative_slope)
    return variance_recipe(
        squared, mode, "uniform", fan_reader(in_axis, out_axis, batch_axis, fans, layout, groups)
    )


@scheme
def he_normal(
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    dtype: Any = None,
    *,
    mode: str = "fan_in",
    nonlinearity: str | Callable[[Any], Any] = "relu",
    negative_slope: float | None = None,
    gain: Gain | None = None,
    distribution: str = "truncated_normal",
    fans: Any = None,
    layout: str | None = None,
    groups: int = 1,
) -> Recipe:
    """He (Kaiming) normal, truncated: `Var W = gain^2 / fan_in`, gain^2 = 2 for ReLU.

    For layers that take in the output of a rectifier or another activation. Cut at two standard
    deviations and widened so that the variance is exact; `distribution="normal"` does not cut.

    Args:
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels (experts, stacked layers).
        dtype: floating or complex dtype of the weights, unless the call gives one.
        mode: "fan_in" keeps the forward, "fan_out" the backward variance; also "fan_avg" and
            "fan_geo_avg".
        nonlinearity: the activation whose gain is used, by name or as a function.
        negative_slope: slope a of a leaky rectifier, gain sqrt(2 / (1 + a^2)).
        gain: the gain itself, in place of `nonlinearity`.
        distribution: "truncated_normal" or "normal".
        fans: the pair `(fan_in, fan_out)` itself.
        layout: the axes by letter instead, such as "OIHW".
        groups: feature groups of a convolution.

    >>> import jax, jinit
    >>> w = jinit.he_normal(jax.random.key(0), (784, 512))
    >>> print(f"{jinit.he_normal().std((784, 512)):.4f} asked, {w.std():.2f} drawn")
    0.0505 asked, 0.05 drawn
    >>> print(f"{jinit.he_normal(nonlinearity='gelu').std((784, 512)) * 28:.6f}")
    1.533530

    Reference: He et al. 2015 (arXiv:1502.01852), equations 10 and 14.

    Differences: JAX and Keras truncate, as here; torch's `kaiming_normal_` does not.
    """
    check_choice("distribution", distribution, NORMALS)
    squared = _squared_he_gain(gain, nonlinearity, negative_slope)
    return variance_recipe(
        squared, mode, distribution, fan_reader(in_axis, out_axis, batch_axis, fans, layout, groups)
    )


kaiming_normal = he_normal
kaiming_uniform = he_uniform
