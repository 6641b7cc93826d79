"""Orthogonal matrices: the kernel of a linear layer that turns its input and changes no length.

May import: jax, numpy, `jinit.core`, `jinit.axes`, `jinit.factory`, `jinit.schemes.building`,
`jinit.schemes.matrices`.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jax import Array

from jinit.axes import AxisSpec, Shape, check_roles, explicit_axes
from jinit.core.haar import random_orthogonal
from jinit.factory import Recipe, scheme
from jinit.schemes.building import Scale, as_scale, scaled_recipe
from jinit.schemes.matrices import (
    MatrixView,
    ViewReader,
    check_matrix,
    matrix_view,
    view_reader,
)

__all__ = ["isometry_recipe", "orthogonal"]


@scheme
def orthogonal(
    scale: Scale = 1.0,
    column_axis: int = -1,
    dtype: Any = None,
    *,
    in_axis: AxisSpec | None = None,
    out_axis: AxisSpec | None = None,
    batch_axis: AxisSpec = (),
) -> Recipe:
    """Orthogonal: `W = scale * Q`, Q a Haar-distributed matrix with orthonormal rows or columns.

    For recurrent kernels, and for deep nets without normalization: the layer changes no norm, in
    the forward pass where it does not narrow, in the backward pass where it does not widen.

    The kernel is one matrix, whose columns run along `column_axis` and whose rows run along all
    other axes; or, with `out_axis`, whose columns run along all of these: a query kernel of shape
    (d, heads, head_dim) is an orthogonal (d, heads * head_dim) matrix under `out_axis=(1, 2)`,
    and so for an output kernel (heads, head_dim, d) the default is already right. Columns are
    orthonormal if there are at least as many rows, else rows are.

    Args:
        scale: a number, or the name of the activation before this layer, or that activation
            itself, for its gain (`jinit.calculate_gain`).
        column_axis: axis of the outputs.
        dtype: floating or complex dtype of the weights, unless the call gives one; complex
            matrices are unitary.
        in_axis: axis or axes that the layer contracts, with `out_axis`. Axes that have no role
            are taps of a convolution and count with these.
        out_axis: axis or axes of the outputs, in place of `column_axis`.
        batch_axis: axes of independent matrices (experts, stacked layers).

    Raises:
        ValueError: `scale` is negative, the columns are given twice or two roles name one axis;
            when drawing, the shape has no such axes or is not a matrix.

    >>> import jax, jax.numpy as jnp, jinit
    >>> w = jinit.orthogonal()(jax.random.key(0), (64, 16))
    >>> bool(jnp.allclose(w.T @ w, jnp.eye(16), atol=1e-5))
    True
    >>> print(f"{jinit.orthogonal('relu').std((64, 16)):.4f}")
    0.1768

    Reference: Saxe, McClelland and Ganguli 2014 (arXiv:1312.6120).

    Differences: the law is that of `jax.nn.initializers.orthogonal`, the bits are not; narrow
    dtypes, which it refuses, are rounded from float32. torch's `orthogonal_` has its outputs on
    the first axis (`column_axis=0`). A convolution with such a kernel is no isometry: see
    `jinit.delta_orthogonal` and `jinit.conv_orthogonal`.
    """
    factor = as_scale(scale)
    view_of = _view_reader(column_axis, in_axis, out_axis, batch_axis)
    return isometry_recipe(view_of, lambda view: factor)


def _view_reader(
    column_axis: int, in_axis: AxisSpec | None, out_axis: AxisSpec | None, batch_axis: AxisSpec
) -> ViewReader:
    if out_axis is None:
        if in_axis is not None:
            raise ValueError(
                f"`in_axis` (={in_axis}) needs `out_axis`: axes in neither count as rows; "
                "name the axes of the outputs too"
            )
        check_roles(column_axis=column_axis, batch_axis=batch_axis)
        return lambda shape: _column_view(shape, column_axis, batch_axis)
    if column_axis != -1:
        raise ValueError(
            f"`column_axis` (={column_axis}) and `out_axis` (={out_axis}) both name the columns; "
            "give one"
        )
    return view_reader(() if in_axis is None else in_axis, out_axis, batch_axis)


def _column_view(shape: Shape, column_axis: int, batch_axis: AxisSpec) -> MatrixView:
    check_matrix(shape)
    ndim = len(shape)
    if not -ndim <= column_axis < ndim:
        raise ValueError(
            f"`column_axis` (={column_axis}) is out of range for the {ndim}-D shape {shape}; it "
            f"must lie in [{-ndim}, {ndim - 1}]"
        )
    return matrix_view(shape, explicit_axes(shape, (), column_axis, batch_axis))


def isometry_recipe(view_of: ViewReader, factor: Callable[[MatrixView], Any]) -> Recipe:
    """The recipe of `W = factor * Q`, Q Haar, the matrices and the factor read from the shape."""
    return scaled_recipe(view_of, _isometries, factor, _rms)


def _isometries(key: Any, view: MatrixView, dtype: np.dtype[Any]) -> Array:
    return view.fold(random_orthogonal(key, view.rows, view.columns, dtype, view.batch))


def _rms(view: MatrixView) -> float:
    """min(rows, columns) unit vectors share rows * columns elements."""
    return 1 / math.sqrt(max(view.rows, view.columns))
