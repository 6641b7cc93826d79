"""`torch.nn.init`: Xavier, Kaiming, orthogonal and sparse weights.

May import: `jinit.checks`, `jinit.fans`, `jinit.initializer`, `jinit.schemes`, and of
`jinit.frameworks` borrowing, fan_rules, shapes, torch.fills.

Torch reads fans of the shape alone: `fan_in = in * taps`, `fan_out = out * taps`, strides and
groups unseen. So do these, for kernels `(*taps, in, out)` unless axes or `layout` say otherwise.

Reference: torch 2.13, `torch/nn/init.py`; Glorot and Bengio 2010 (AISTATS), He et al. 2015
(arXiv:1502.01852), Saxe et al. 2014 (arXiv:1312.6120), Martens 2010.
"""

from typing import Any

from jinit.checks import check_choice, check_non_negative
from jinit.fans import resolve_axes
from jinit.frameworks.borrowing import borrow
from jinit.frameworks.fan_rules import axes_fans
from jinit.frameworks.shapes import in_layout, of_rank
from jinit.frameworks.torch.fills import calculate_gain
from jinit.initializer import Recipe
from jinit.schemes.matrices import MatrixView, check_matrix, matrix_view
from jinit.schemes.orthogonality import isometry_recipe
from jinit.schemes.sparsity import sparse
from jinit.schemes.variance import Axis, variance_recipe

__all__ = [
    "kaiming_normal_",
    "kaiming_uniform_",
    "orthogonal_",
    "sparse_",
    "xavier_normal_",
    "xavier_uniform_",
]


@borrow("torch")
def xavier_uniform_(
    gain: float = 1.0,
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    layout: str | None = None,
) -> Recipe:
    """Xavier uniform: `W ~ U[-b, b)`, `b = gain * sqrt(6 / (fan_in + fan_out))`.

    Args:
        gain: factor of the bound; `calculate_gain(name)` in torch's code.
        dtype: floating or complex dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
        layout: the axes by letter instead; "OI..." is torch's order.

    Raises:
        ValueError: `gain` is negative; when drawing, the shape has fewer than two axes.

    >>> print(f"{xavier_uniform_().law((300, 300)).scale:.6f}")
    0.100000
    """
    rule = axes_fans(in_axis, out_axis, batch_axis, layout)
    return variance_recipe(check_non_negative("gain", gain) ** 2, "fan_avg", "uniform", rule)


@borrow("torch")
def xavier_normal_(
    gain: float = 1.0,
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    layout: str | None = None,
) -> Recipe:
    """Xavier normal, not truncated: `W ~ N(0, gain^2 * 2 / (fan_in + fan_out))`.

    Args:
        gain: factor of the standard deviation.
        dtype: floating or complex dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
        layout: the axes by letter instead; "OI..." is torch's order.

    Raises:
        ValueError: `gain` is negative; when drawing, the shape has fewer than two axes.

    >>> print(f"{xavier_normal_().std((300, 500)):.4f}")
    0.0500

    Differences: JAX and Keras cut theirs at two standard deviations, and widen it to the same
    variance.
    """
    rule = axes_fans(in_axis, out_axis, batch_axis, layout)
    return variance_recipe(check_non_negative("gain", gain) ** 2, "fan_avg", "normal", rule)


@borrow("torch")
def kaiming_uniform_(
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    layout: str | None = None,
) -> Recipe:
    """Kaiming uniform: `W ~ U[-b, b)`, `b = gain * sqrt(3 / fan)`, gain sqrt(2 / (1 + a^2)).

    Args:
        a: negative slope of the rectifier before the layer; used by "leaky_relu" alone.
        mode: "fan_in" or "fan_out".
        nonlinearity: a name that torch's `calculate_gain` knows.
        dtype: floating or complex dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
        layout: the axes by letter instead; "OI..." is torch's order.

    Raises:
        ValueError: `mode` or `nonlinearity` is unknown; when drawing, the shape has fewer than
            two axes.

    >>> print(f"{kaiming_uniform_(a=5 ** 0.5).law((100, 10)).scale:.6f}")
    0.100000
    """
    rule = axes_fans(in_axis, out_axis, batch_axis, layout)
    return variance_recipe(calculate_gain(nonlinearity, a) ** 2, _mode(mode), "uniform", rule)


@borrow("torch")
def kaiming_normal_(
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    layout: str | None = None,
) -> Recipe:
    """Kaiming normal, not truncated: `W ~ N(0, gain^2 / fan)`, gain sqrt(2 / (1 + a^2)).

    Args:
        a: negative slope of the rectifier before the layer; used by "leaky_relu" alone.
        mode: "fan_in" or "fan_out", the taps times output channels whatever the stride.
        nonlinearity: a name that torch's `calculate_gain` knows.
        dtype: floating or complex dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
        layout: the axes by letter instead; "OI..." is torch's order.

    Raises:
        ValueError: `mode` or `nonlinearity` is unknown; when drawing, the shape has fewer than
            two axes.

    >>> init = kaiming_normal_(mode="fan_out", nonlinearity="relu")
    >>> print(f"{init.std((3, 3, 64, 128)) ** 2 * 9 * 128:.4f}")
    2.0000

    Differences: `jax.nn.initializers.he_normal` and Keras' `HeNormal` are truncated, and know no
    slope.
    """
    rule = axes_fans(in_axis, out_axis, batch_axis, layout)
    return variance_recipe(calculate_gain(nonlinearity, a) ** 2, _mode(mode), "normal", rule)


def _mode(mode: Any) -> Any:
    """Torch folds case, and has two modes."""
    folded = mode.lower() if isinstance(mode, str) else mode
    return check_choice("mode", folded, ("fan_in", "fan_out"))


@borrow("torch")
def orthogonal_(
    gain: float = 1,
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    layout: str | None = None,
) -> Recipe:
    """Orthogonal: `W = gain * Q`, outputs against inputs and taps, rows or columns orthonormal.

    Args:
        gain: factor of the matrix.
        dtype: floating or complex dtype of the weights, unless the call gives one; narrow ones
            too, which torch refuses.
        in_axis: axis or axes that the layer contracts; taps count with them.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
        layout: the axes by letter instead; "OI..." is torch's order.

    Raises:
        ValueError: `gain` is negative; when drawing, the shape has fewer than two axes.

    >>> print(f"{orthogonal_().std((64, 16)):.4f}")
    0.1250
    """
    check_non_negative("gain", gain)

    def view(shape: tuple[int, ...]) -> MatrixView:
        check_matrix(shape)
        axes = resolve_axes(
            shape, in_axis=in_axis, out_axis=out_axis, batch_axis=batch_axis, layout=layout
        )
        return matrix_view(shape, axes)

    return isometry_recipe(view, lambda view: gain)


@borrow("torch")
def sparse_(
    sparsity: float, std: float = 0.01, *, dtype: Any = None, layout: str | None = None
) -> Recipe:
    """Sparse: of the weights *out of* one input `ceil(sparsity * out)` are 0, others `N(0, std^2)`.

    Args:
        sparsity: fraction of zeros, from 0 to 1.
        std: standard deviation of the weights that are not zero.
        dtype: floating or complex dtype of the weights, unless the call gives one.
        layout: "OI" is torch's order; None is `(in, out)`.

    Raises:
        ValueError: `sparsity` is out of range; when drawing, the shape does not have two axes.

    >>> import jax
    >>> (sparse_(0.9)(jax.random.key(0), (2, 100)) == 0).sum(1).tolist()
    [90, 90]

    Differences: `jinit.sparse` counts the weights *into* an output. A product that is whole but
    for rounding, as 0.07 * 100, is taken as whole here; torch takes the next number.
    """
    check_non_negative("std", std)
    recipe = sparse(sparsity, std, in_axis=-1, out_axis=-2).recipe
    return of_rank(in_layout(recipe, layout), "torch's sparse_", 2)
