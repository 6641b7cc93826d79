"""Orthogonal kernels scaled by their fans: to keep mean squares, or to set the spectral norm.

May import: numpy, `jinit.core`, `jinit.axes`, `jinit.checks`, `jinit.factory`,
`jinit.schemes.building`, `jinit.schemes.conv_orthogonality`, `jinit.schemes.convolutions`,
`jinit.schemes.matrices`, `jinit.schemes.orthogonality`.
"""

import math
from typing import Any

import numpy as np

from jinit.axes import AxisSpec, Shape
from jinit.checks import check_choice
from jinit.core.laws import Normal
from jinit.factory import Elementwise, Recipe, scheme
from jinit.schemes.building import Scale, as_scale
from jinit.schemes.conv_orthogonality import delta_recipe
from jinit.schemes.convolutions import conv_shape
from jinit.schemes.matrices import MatrixView, view_reader
from jinit.schemes.orthogonality import isometry_recipe

__all__ = ["scaled_uniform_orthogonal", "spectral"]


@scheme
def scaled_uniform_orthogonal(
    scale: Scale = 1.0,
    dtype: Any = None,
    *,
    delta: bool = False,
    in_axis: AxisSpec = -2,
    out_axis: AxisSpec = -1,
    batch_axis: AxisSpec = (),
) -> Recipe:
    """Scaled uniform orthogonal: `W = scale * max(1, sqrt(out / in)) * Q`, Q Haar.

    For nets shaped by their kernel (deep kernel shaping, TAT), and wherever plain orthogonal
    weights would shrink a layer's outputs: a layer that widens keeps the mean square of its
    input exactly, one that narrows keeps it on average.

    Args:
        scale: a number, or the name of the activation before this layer, or that activation
            itself, for its gain (`jinit.calculate_gain`).
        dtype: floating or complex dtype of the weights, unless the call gives one.
        delta: put the matrix (inputs, outputs) at the centre tap of a convolution's kernel
            `(*taps, inputs, outputs)`; else taps count as inputs.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels (experts, stacked layers).

    Raises:
        ValueError: `scale` is negative, two roles name one axis, or axes are given under `delta`,
            which has its own; when drawing, the shape does not have them.

    >>> import jax, jax.numpy as jnp, jinit
    >>> w = jinit.scaled_uniform_orthogonal()(jax.random.key(0), (16, 64))
    >>> x = jax.random.normal(jax.random.key(1), (16,))
    >>> print(f"{jnp.mean((x @ w) ** 2) / jnp.mean(x ** 2):.4f}")
    1.0000

    Reference: Martens et al. 2021 (arXiv:2110.01765).
    """
    gain = as_scale(scale)
    view_of = view_reader(in_axis, out_axis, batch_axis)
    if not delta:
        return isometry_recipe(view_of, lambda view: gain * _expansion(view.rows, view.columns))
    if (in_axis, out_axis, batch_axis) != (-2, -1, ()):
        raise ValueError(
            f"`delta` reads kernels as (*taps, inputs, outputs), and `in_axis` (={in_axis}), "
            f"`out_axis` (={out_axis}) or `batch_axis` (={batch_axis}) says otherwise; "
            "leave the axes out"
        )
    return delta_recipe(conv_shape, lambda conv: gain * _expansion(conv.inputs, conv.outputs))


def _expansion(inputs: int, outputs: int) -> float:
    return max(1.0, math.sqrt(outputs / inputs))


@scheme
def spectral(
    scale: Scale = 1.0,
    dtype: Any = None,
    *,
    distribution: str = "orthogonal",
    in_axis: AxisSpec = -2,
    out_axis: AxisSpec = -1,
    batch_axis: AxisSpec = (),
) -> Recipe:
    """Spectral: `|W|_2 = scale * sqrt(out / in)`, the norm that lets features learn at any width.

    For nets whose learning rate should transfer across widths, and as the start that goes with
    Muon and other optimizers that bound the spectral norm of their steps. An input of root mean
    square 1 has an output of root mean square `scale` at most.

    Args:
        scale: a number, or the name of the activation before this layer, or that activation
            itself, for its gain (`jinit.calculate_gain`).
        dtype: floating or complex dtype of the weights, unless the call gives one.
        distribution: "orthogonal" gives every singular value that norm; "normal" is Gaussian with
            std = scale / sqrt(in) * min(1, sqrt(out / in)), whose norm is within a factor of
            about 2 of it at any width.
        in_axis: axis or axes that the layer contracts; taps of a convolution count with them.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels (experts, stacked layers).

    Raises:
        ValueError: `scale` is negative, `distribution` is unknown or two roles name one axis;
            when drawing, the shape has no such axes.

    >>> import jax, jax.numpy as jnp, jinit
    >>> w = jinit.spectral()(jax.random.key(0), (16, 64))
    >>> singular = jnp.linalg.svd(w, compute_uv=False)
    >>> print(f"{singular.min():.4f} {singular.max():.4f}")
    2.0000 2.0000

    Reference: Yang, Simon and Bernstein 2023 (arXiv:2310.17813).
    """
    gain = as_scale(scale)
    check_choice("distribution", distribution, ("normal", "orthogonal"))
    view_of = view_reader(in_axis, out_axis, batch_axis)
    if distribution == "orthogonal":
        return isometry_recipe(view_of, lambda view: gain * _norm(view))

    def law(shape: Shape, dtype: np.dtype[Any]) -> Normal:
        view = view_of(shape)
        return Normal(0.0, gain * _normal_std(view) if 0 not in shape else 0.0)

    return Elementwise(law)


def _norm(view: MatrixView) -> float:
    return math.sqrt(view.columns / view.rows)


def _normal_std(view: MatrixView) -> float:
    return min(1.0, _norm(view)) / math.sqrt(view.rows)
