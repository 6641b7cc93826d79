# ruff: noqa: N802 - the names are Keras'
"""`keras.initializers`: variance scaling and its named cases, and orthogonal matrices.

May import: `jinit.checks`, `jinit.fans`, `jinit.initializer`, `jinit.schemes`, and of
`jinit.frameworks` borrowing, fan_rules.

Keras reads fans of the shape alone: of `(*taps, in, out)` they are `taps * in` and `taps * out`,
strides and groups unseen; of a vector of n both are n, of a scalar 1. `input_axes` with
`output_axes` name the axes that count, and then no other axis does. Beside these the axes can be
given in JAX's way, `in_axis`, `out_axis` and `batch_axis`, with which other axes are taps.

Reference: Keras 3.15, `keras/src/initializers/random_initializers.py`.
"""

from collections.abc import Sequence
from typing import Any

from jinit.checks import check_choice, check_non_negative, check_positive
from jinit.fans import Fans
from jinit.frameworks.borrowing import borrow
from jinit.frameworks.fan_rules import FanRule, axes_fans, named_fans, with_vectors
from jinit.initializer import Recipe
from jinit.schemes.orthogonality import orthogonal
from jinit.schemes.variance import Axis, variance_recipe

__all__ = [
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
    "Orthogonal",
    "VarianceScaling",
]

_Axes = Sequence[int] | None
_MODES = ("fan_avg", "fan_in", "fan_out")
# What Keras calls the laws, and what jinit does.
_LAWS = {
    "normal": "truncated_normal",
    "truncated_normal": "truncated_normal",
    "uniform": "uniform",
    "untruncated_normal": "normal",
}


@borrow("keras")
def VarianceScaling(
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "truncated_normal",
    seed: int | None = None,
    input_axes: _Axes = None,
    output_axes: _Axes = None,
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
        distribution: "truncated_normal" (or "normal"), cut at two standard deviations and widened
            to the variance asked for; "untruncated_normal"; or "uniform".
        seed: an int binds a key.
        input_axes: axes whose product is fan_in, with `output_axes`.
        output_axes: axes whose product is fan_out, with `input_axes`.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: JAX's way: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.

    Raises:
        ValueError: `scale` is not positive, an option is unknown, or one of `input_axes` and
            `output_axes` is given alone, which Keras ignores.

    >>> init = VarianceScaling(2.0, distribution="untruncated_normal")
    >>> init.law((50, 10))
    Normal(center=0.0, stddev=np.float32(0.2))

    Differences: "normal" is truncated here and not in JAX.
    """
    check_positive("scale", scale)
    folded = distribution.lower() if isinstance(distribution, str) else distribution
    law = _LAWS[check_choice("distribution", folded, tuple(_LAWS))]
    rule = _rule(input_axes, output_axes, (in_axis, out_axis, batch_axis))
    return variance_recipe(scale, check_choice("mode", mode, _MODES), law, rule)


def _rule(inputs: _Axes, outputs: _Axes, axes: tuple[Axis, Axis, Axis]) -> FanRule:
    if inputs is None and outputs is None:
        return with_vectors(axes_fans(*axes), axes, lambda n: Fans(n, n))
    if inputs is None or outputs is None:
        raise ValueError(
            f"`input_axes` (={inputs}) and `output_axes` (={outputs}) must be given together; one "
            "alone is ignored by Keras"
        )
    if axes != (-2, -1, ()):
        raise ValueError(
            f"`input_axes` (={inputs}) and `in_axis`, `out_axis`, `batch_axis` (={axes}) both name "
            "the kernel's axes; give one"
        )
    return lambda shape: named_fans(shape, inputs, outputs)


@borrow("keras")
def GlorotUniform(
    seed: int | None = None,
    input_axes: _Axes = None,
    output_axes: _Axes = None,
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """Glorot uniform: `W ~ U[-b, b)`, `b = sqrt(6 / (fan_in + fan_out))`; the layers' default.

    Args:
        seed: an int binds a key.
        input_axes: axes whose product is fan_in, with `output_axes`.
        output_axes: axes whose product is fan_out, with `input_axes`.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: JAX's way: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.

    >>> GlorotUniform(seed=3)
    jinit.frameworks.keras.GlorotUniform(seed=3)
    >>> print(f"{GlorotUniform().law((300, 300)).scale:.6f}")
    0.100000
    """
    rule = _rule(input_axes, output_axes, (in_axis, out_axis, batch_axis))
    return variance_recipe(1.0, "fan_avg", "uniform", rule)


@borrow("keras")
def GlorotNormal(
    seed: int | None = None,
    input_axes: _Axes = None,
    output_axes: _Axes = None,
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """Glorot normal, truncated and widened: `Var W = 2 / (fan_in + fan_out)`.

    Args:
        seed: an int binds a key.
        input_axes: axes whose product is fan_in, with `output_axes`.
        output_axes: axes whose product is fan_out, with `input_axes`.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: JAX's way: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
    """
    rule = _rule(input_axes, output_axes, (in_axis, out_axis, batch_axis))
    return variance_recipe(1.0, "fan_avg", "truncated_normal", rule)


@borrow("keras")
def LecunNormal(
    seed: int | None = None,
    input_axes: _Axes = None,
    output_axes: _Axes = None,
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """LeCun normal, truncated and widened: `Var W = 1 / fan_in`.

    Args:
        seed: an int binds a key.
        input_axes: axes whose product is fan_in, with `output_axes`.
        output_axes: axes whose product is fan_out, with `input_axes`.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: JAX's way: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
    """
    rule = _rule(input_axes, output_axes, (in_axis, out_axis, batch_axis))
    return variance_recipe(1.0, "fan_in", "truncated_normal", rule)


@borrow("keras")
def LecunUniform(
    seed: int | None = None,
    input_axes: _Axes = None,
    output_axes: _Axes = None,
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """LeCun uniform: `W ~ U[-b, b)`, `b = sqrt(3 / fan_in)`.

    Args:
        seed: an int binds a key.
        input_axes: axes whose product is fan_in, with `output_axes`.
        output_axes: axes whose product is fan_out, with `input_axes`.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: JAX's way: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
    """
    rule = _rule(input_axes, output_axes, (in_axis, out_axis, batch_axis))
    return variance_recipe(1.0, "fan_in", "uniform", rule)


@borrow("keras")
def HeNormal(
    seed: int | None = None,
    input_axes: _Axes = None,
    output_axes: _Axes = None,
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """He normal, truncated and widened: `Var W = 2 / fan_in`.

    Args:
        seed: an int binds a key.
        input_axes: axes whose product is fan_in, with `output_axes`.
        output_axes: axes whose product is fan_out, with `input_axes`.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: JAX's way: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
    """
    rule = _rule(input_axes, output_axes, (in_axis, out_axis, batch_axis))
    return variance_recipe(2.0, "fan_in", "truncated_normal", rule)


@borrow("keras")
def HeUniform(
    seed: int | None = None,
    input_axes: _Axes = None,
    output_axes: _Axes = None,
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """He uniform: `W ~ U[-b, b)`, `b = sqrt(6 / fan_in)`.

    Args:
        seed: an int binds a key.
        input_axes: axes whose product is fan_in, with `output_axes`.
        output_axes: axes whose product is fan_out, with `input_axes`.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: JAX's way: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
    """
    rule = _rule(input_axes, output_axes, (in_axis, out_axis, batch_axis))
    return variance_recipe(2.0, "fan_in", "uniform", rule)


@borrow("keras")
def Orthogonal(gain: float = 1.0, seed: int | None = None, *, dtype: Any = None) -> Recipe:
    """Orthogonal: `W = gain * Q`, the last axis against all others, Q Haar.

    Args:
        gain: factor of the matrix.
        seed: an int binds a key.
        dtype: floating or complex dtype of the weights, unless the call gives one.

    Raises:
        ValueError: when drawing, the shape has fewer than two axes.

    >>> print(f"{Orthogonal().std((64, 16)):.4f}")
    0.1250
    """
    return orthogonal(check_non_negative("gain", gain)).recipe
