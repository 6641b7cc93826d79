# ruff: noqa: N802 - the names are Haiku's
"""Haiku: `haiku.initializers`, and what its modules start from.

May import: numpy, `jinit.checks`, `jinit.fans`, `jinit.initializer`, `jinit.schemes`, and of
`jinit.frameworks` arguments, borrowing, fan_rules, layers.

Fans are those of `(*taps, in, out)`, strides and groups unseen; of a vector of n both are n, of a
scalar 1.

Reference: dm-haiku 0.0.17, `haiku/_src/initializers.py`, and the modules beside it.
"""

from collections.abc import Sequence
from typing import Any

from jinit.checks import check_choice, check_integer, check_non_negative
from jinit.fans import Fans
from jinit.frameworks.arguments import check_ends
from jinit.frameworks.borrowing import borrow
from jinit.frameworks.fan_rules import FanRule, axes_fans, cut_recipe, named_fans, with_vectors
from jinit.frameworks.layers import Layer
from jinit.initializer import Recipe
from jinit.schemes import constants
from jinit.schemes.constants import ones, zeros
from jinit.schemes.distributions import normal, truncated_normal, uniform
from jinit.schemes.identities import identity
from jinit.schemes.orthogonality import orthogonal
from jinit.schemes.unit import uniform_unit_scaling
from jinit.schemes.variance import Axis, variance_recipe

__all__ = [
    "Constant",
    "Identity",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "UniformScaling",
    "VarianceScaling",
    "conv",
    "default_w_init",
    "embed",
    "gru",
    "layer_norm",
    "linear",
    "lstm",
]

_MODES = ("fan_avg", "fan_in", "fan_out")
_LAWS = ("normal", "truncated_normal", "uniform")


@borrow("haiku", keyless=True)
def Constant(constant: Any, *, dtype: Any = None) -> Recipe:
    """Everywhere `constant`: `W = constant`, broadcast to the shape.

    Args:
        constant: a number, or an array that broadcasts to the weights.
        dtype: dtype of the weights, unless the call gives one.
    """
    return constants.constant(constant).recipe


@borrow("haiku")
def RandomNormal(stddev: Any = 1.0, mean: Any = 0.0, *, dtype: Any = None) -> Recipe:
    """Normal: `W ~ N(mean, stddev^2)`, not truncated.

    Args:
        stddev: standard deviation.
        mean: mean.
        dtype: floating or complex dtype of the weights, unless the call gives one.

    Differences: `stddev` is 0.01 by default in JAX, 0.05 in Keras.
    """
    return normal(stddev, mean=mean).recipe


@borrow("haiku")
def TruncatedNormal(
    stddev: Any = 1.0,
    mean: Any = 0.0,
    lower: Any = -2.0,
    upper: Any = 2.0,
    *,
    dtype: Any = None,
) -> Recipe:
    """Truncated normal: `W = mean + stddev * T`, T standard normal in `(lower, upper)`.

    Args:
        stddev: standard deviation before truncation; after it, 0.88 of that by default.
        mean: mean before truncation.
        lower: lower bound, in standard deviations from the mean.
        upper: upper bound, in standard deviations from the mean.
        dtype: floating or complex dtype of the weights, unless the call gives one.

    >>> print(f"{TruncatedNormal(0.02).std((8, 8)):.5f}")
    0.01759
    """
    return truncated_normal(stddev, mean=mean, lower=lower, upper=upper).recipe


@borrow("haiku")
def RandomUniform(minval: Any = 0.0, maxval: Any = 1.0, *, dtype: Any = None) -> Recipe:
    """Uniform: `W ~ U[minval, maxval)`, by default from 0 to 1.

    Args:
        minval: lower end.
        maxval: upper end.
        dtype: floating dtype of the weights, unless the call gives one.
    """
    check_ends(minval=minval, maxval=maxval)
    return uniform(low=minval, high=maxval).recipe


@borrow("haiku")
def VarianceScaling(
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "truncated_normal",
    fan_in_axes: Sequence[int] | None = None,
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """Variance scaling: `Var W = scale / n`, n the fan that `mode` chooses.

    Args:
        scale: the variance's numerator.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal", cut at two standard deviations and widened to the
            variance asked for; "normal", not truncated; or "uniform".
        fan_in_axes: axes whose product is fan_in; fan_out is that of the others. Shapes of two
            axes ignore it, as in Haiku.
        dtype: floating or complex dtype of the weights, unless the call gives one.
        in_axis: JAX's way: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.

    Raises:
        ValueError: `scale` is negative, an option is unknown, or an axis negative, which Haiku
            counts in both fans.

    >>> init = VarianceScaling(2.0, fan_in_axes=(0, 1))
    >>> print(f"{init.std((8, 25, 10)):.4f}")
    0.1000
    """
    check_non_negative("scale", scale)
    folded = distribution.lower() if isinstance(distribution, str) else distribution
    law = check_choice("distribution", folded, _LAWS)
    rule = _rule(fan_in_axes, (in_axis, out_axis, batch_axis))
    return variance_recipe(scale, check_choice("mode", mode, _MODES), law, rule)


def _rule(inputs: Sequence[int] | None, axes: tuple[Axis, Axis, Axis]) -> FanRule:
    usual = with_vectors(axes_fans(*axes), axes, lambda n: Fans(n, n))
    if inputs is None:
        return usual
    for axis in inputs:
        check_integer("fan_in_axes", axis, least=0)
    if axes != (-2, -1, ()):
        raise ValueError(
            f"`fan_in_axes` (={inputs}) and `in_axis`, `out_axis`, `batch_axis` (={axes}) both "
            "name the kernel's axes; give one"
        )

    def read(shape: tuple[int, ...]) -> Fans:
        if len(shape) <= 2:
            return usual(shape)
        outputs = [axis for axis in range(len(shape)) if axis not in inputs]
        return named_fans(shape, inputs, outputs)

    return read


@borrow("haiku")
def UniformScaling(scale: Any = 1.0, *, dtype: Any = None) -> Recipe:
    """Uniform scaling: `W ~ U[-b, b)`, `b = scale * sqrt(3 / n)`, n all axes but the last.

    Args:
        scale: factor of the bound.
        dtype: floating dtype of the weights, unless the call gives one.

    >>> print(f"{UniformScaling().law((300, 10)).scale:.4f}")
    0.1000
    """
    return uniform_unit_scaling(scale).recipe


@borrow("haiku")
def Orthogonal(scale: float = 1.0, axis: int = -1, *, dtype: Any = None) -> Recipe:
    """Orthogonal: `W = scale * Q`, the outputs along `axis` against all other axes, Q Haar.

    Args:
        scale: factor of the matrix.
        axis: axis of the outputs.
        dtype: floating or complex dtype of the weights, unless the call gives one; narrow ones
            too, which Haiku refuses.

    Raises:
        ValueError: when drawing, the shape has fewer than two axes.

    >>> print(f"{Orthogonal().std((64, 16)):.4f}")
    0.1250
    """
    return orthogonal(scale, axis).recipe


@borrow("haiku", keyless=True)
def Identity(gain: Any = 1.0, *, dtype: Any = None) -> Recipe:
    """Identity: `W[..., i, i] = gain`, zeros elsewhere; the same along axes before these.

    Args:
        gain: value on the diagonal.
        dtype: dtype of the weights, unless the call gives one.

    Raises:
        ValueError: when drawing, the shape has fewer than two axes.
    """
    return identity(gain).recipe


@borrow("haiku")
def default_w_init(
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """The `w_init` that Haiku's layers have: `N(0, 1 / fan_in)` cut at 2 std and not widened.

    Args:
        dtype: floating or complex dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.

    >>> print(f"{default_w_init().std((400, 1000)):.4f}")
    0.0440

    Reference: dm-haiku 0.0.17, `haiku/_src/basic.py`, `conv.py`.

    Differences: `flax.linen.Dense` is widened: its weights have 1 / sqrt(fan_in).
    """
    axes = (in_axis, out_axis, batch_axis)
    rule = with_vectors(axes_fans(*axes), axes, lambda n: Fans(n, n))
    return cut_recipe(1.0, "fan_in", rule)


def linear() -> Layer:
    """`hk.Linear`: `N(0, 1 / fan_in)` cut at 2 std and not widened, bias 0.

    >>> from jinit.frameworks import haiku
    >>> print(f"{haiku.linear().weight.std((400, 1000)):.4f}")
    0.0440
    """
    return Layer(default_w_init(), zeros())


def conv() -> Layer:
    """`hk.Conv1D` to `3D`, transposed and depthwise ones too: as `linear`, fan_in of all taps.

    The fan of a transposed convolution is its inputs times its taps, that of a depthwise one its
    taps.
    """
    return Layer(default_w_init(), zeros())


def embed() -> Layer:
    """`hk.Embed`: `N(0, 1)` cut at 2 std."""
    return Layer(TruncatedNormal())


def lstm() -> Layer:
    """`hk.LSTM`: one kernel for input and state, as `linear`; bias 0.

    In the forward pass 1 is added to the forget gate.
    """
    return linear()


def gru() -> Layer:
    """`hk.GRU`: both kernels `Var W = 1 / fan_in`, truncated and widened; bias 0."""
    return Layer(VarianceScaling(), zeros())


def layer_norm() -> Layer:
    """`hk.LayerNorm`, also `BatchNorm`: scale 1, offset 0."""
    return Layer(ones(), zeros())
