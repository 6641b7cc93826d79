"""`tf.compat.v1`: variance scaling and its named cases, and orthogonal matrices.

May import: `jinit.checks`, `jinit.fans`, `jinit.initializer`, `jinit.schemes`, and of
`jinit.frameworks` borrowing, fan_rules.

Fans are Keras': of `(*taps, in, out)` they are `taps * in` and `taps * out`, of a vector of n both
are n, of a scalar 1. Early TensorFlow 1 cut its normals at two standard deviations and did not
widen them, so that their standard deviation was 0.88 of the one asked for; `legacy=True` is that.

Reference: TensorFlow 1.15, `tensorflow/python/ops/init_ops.py`.
"""

from typing import Any

from jinit.checks import check_choice, check_non_negative, check_positive
from jinit.fans import Fans
from jinit.frameworks.borrowing import borrow
from jinit.frameworks.fan_rules import axes_fans, cut_recipe, with_vectors
from jinit.initializer import Recipe
from jinit.schemes.orthogonality import orthogonal
from jinit.schemes.unit import uniform_unit_scaling
from jinit.schemes.variance import Axis, variance_recipe

__all__ = [
    "glorot_normal_initializer",
    "glorot_uniform_initializer",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "orthogonal_initializer",
    "uniform_unit_scaling_initializer",
    "variance_scaling_initializer",
]

_MODES = ("fan_avg", "fan_in", "fan_out")
_LAWS = {
    "normal": "truncated_normal",
    "truncated_normal": "truncated_normal",
    "uniform": "uniform",
    "untruncated_normal": "normal",
}


def _scaled(
    scale: float, mode: str, law: str, axes: tuple[Axis, Axis, Axis], legacy: bool = False
) -> Recipe:
    rule = with_vectors(axes_fans(*axes), axes, lambda n: Fans(n, n))
    if legacy and law == "truncated_normal":
        return cut_recipe(scale, mode, rule)
    return variance_recipe(scale, mode, law, rule)


@borrow("tensorflow")
def variance_scaling_initializer(
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "truncated_normal",
    seed: int | None = None,
    dtype: Any = None,
    *,
    legacy: bool = False,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """Variance scaling: `Var W = scale / n`, n the fan that `mode` chooses; 0.77 of it, if legacy.

    Args:
        scale: the variance's numerator.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal" (or "normal"), "untruncated_normal" or "uniform".
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.
        legacy: do not widen what is truncated, as early TensorFlow 1 did not.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.

    Raises:
        ValueError: `scale` is not positive, or an option is unknown.

    >>> early = variance_scaling_initializer(distribution="normal", legacy=True)
    >>> print(f"{early.std((400, 10)):.4f} {variance_scaling_initializer().std((400, 10)):.4f}")
    0.0440 0.0500
    """
    check_positive("scale", scale)
    folded = distribution.lower() if isinstance(distribution, str) else distribution
    law = _LAWS[check_choice("distribution", folded, tuple(_LAWS))]
    axes = (in_axis, out_axis, batch_axis)
    return _scaled(scale, check_choice("mode", mode, _MODES), law, axes, legacy)


@borrow("tensorflow")
def glorot_uniform_initializer(
    seed: int | None = None,
    dtype: Any = None,
    *,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """Glorot uniform: `W ~ U[-b, b)`, `b = sqrt(6 / (fan_in + fan_out))`; `get_variable`'s default.

    Args:
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
    """
    return _scaled(1.0, "fan_avg", "uniform", (in_axis, out_axis, batch_axis))


@borrow("tensorflow")
def glorot_normal_initializer(
    seed: int | None = None,
    dtype: Any = None,
    *,
    legacy: bool = False,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """Glorot normal, truncated: `Var W = 2 / (fan_in + fan_out)`; 0.77 of it, if legacy.

    Args:
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.
        legacy: do not widen what is truncated, as early TensorFlow 1 did not.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
    """
    axes = (in_axis, out_axis, batch_axis)
    return _scaled(1.0, "fan_avg", "truncated_normal", axes, legacy)


@borrow("tensorflow")
def he_normal(
    seed: int | None = None,
    *,
    dtype: Any = None,
    legacy: bool = False,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """He normal, truncated: `Var W = 2 / fan_in`; 0.77 of it, if legacy.

    Args:
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.
        legacy: do not widen what is truncated, as early TensorFlow 1 did not.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
    """
    return _scaled(2.0, "fan_in", "truncated_normal", (in_axis, out_axis, batch_axis), legacy)


@borrow("tensorflow")
def he_uniform(
    seed: int | None = None,
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """He uniform: `W ~ U[-b, b)`, `b = sqrt(6 / fan_in)`.

    Args:
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
    """
    return _scaled(2.0, "fan_in", "uniform", (in_axis, out_axis, batch_axis))


@borrow("tensorflow")
def lecun_normal(
    seed: int | None = None,
    *,
    dtype: Any = None,
    legacy: bool = False,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """LeCun normal, truncated: `Var W = 1 / fan_in`; 0.77 of it, if legacy.

    Args:
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.
        legacy: do not widen what is truncated, as early TensorFlow 1 did not.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
    """
    return _scaled(1.0, "fan_in", "truncated_normal", (in_axis, out_axis, batch_axis), legacy)


@borrow("tensorflow")
def lecun_uniform(
    seed: int | None = None,
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """LeCun uniform: `W ~ U[-b, b)`, `b = sqrt(3 / fan_in)`.

    Args:
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
    """
    return _scaled(1.0, "fan_in", "uniform", (in_axis, out_axis, batch_axis))


@borrow("tensorflow")
def uniform_unit_scaling_initializer(
    factor: float = 1.0, seed: int | None = None, dtype: Any = None
) -> Recipe:
    """Uniform unit scaling: `W ~ U[-b, b)`, `b = factor * sqrt(3 / n)`, n all axes but the last.

    Args:
        factor: gain of the activation: 1.0 for linear layers, 1.43 for ReLU, 1.15 for tanh.
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.

    >>> print(f"{uniform_unit_scaling_initializer(1.43).law((300, 10)).scale:.3f}")
    0.143

    Reference: Sussillo and Abbott 2014 (arXiv:1412.6558), section 2.3, for the factors.
    """
    return uniform_unit_scaling(check_non_negative("factor", factor)).recipe


@borrow("tensorflow")
def orthogonal_initializer(gain: float = 1.0, seed: int | None = None, dtype: Any = None) -> Recipe:
    """Orthogonal: `W = gain * Q`, the last axis against all others, Q Haar.

    Args:
        gain: factor of the matrix.
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.

    Raises:
        ValueError: when drawing, the shape has fewer than two axes.
    """
    return orthogonal(check_non_negative("gain", gain)).recipe
