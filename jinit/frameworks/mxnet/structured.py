# ruff: noqa: N802 - the names are MXNet's
"""`mxnet.initializer`: matrices, upsampling kernels and the bias of an LSTM.

May import: jax, numpy, `jinit.core`, `jinit.checks`, `jinit.fans`, `jinit.initializer`,
`jinit.schemes`, and of `jinit.frameworks` borrowing, shapes.
"""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.checks import check_choice, check_non_negative, check_number
from jinit.core.draw import sample
from jinit.core.haar import random_orthogonal
from jinit.core.laws import Uniform
from jinit.fans import resolve_axes
from jinit.frameworks.borrowing import borrow
from jinit.frameworks.shapes import in_layout, of_rank
from jinit.initializer import Recipe, Structured
from jinit.schemes.building import scaled_recipe, working_dtype
from jinit.schemes.gates import lstm_bias
from jinit.schemes.matrices import MatrixView, check_matrix, matrix_view
from jinit.schemes.variance import Axis

__all__ = ["Bilinear", "LSTMBias", "Orthogonal"]


@borrow("mxnet")
def Orthogonal(
    scale: float = 1.414,
    rand_type: str = "uniform",
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    layout: str | None = None,
) -> Recipe:
    """Orthogonal: `W = scale * Q`, Q the singular vectors of a matrix of U[-1, 1) or N(0, 1).

    Of the uniform matrix, the default, Q is not Haar-distributed, though nearly so if it is large;
    of the normal one it is.

    Args:
        scale: factor of the matrix; the default is about sqrt(2), the gain of ReLU.
        rand_type: "uniform" or "normal".
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts; taps count with them.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
        layout: the axes by letter instead; "OI..." is MXNet's order.

    Raises:
        ValueError: `scale` is negative, or `rand_type` unknown; when drawing, the shape has fewer
            than two axes.

    >>> print(f"{Orthogonal().std((64, 16)):.5f}")
    0.17675
    """
    check_non_negative("scale", scale)
    drawn = _DRAWS[check_choice("rand_type", rand_type, tuple(_DRAWS))]

    def view(shape: tuple[int, ...]) -> MatrixView:
        check_matrix(shape)
        axes = resolve_axes(
            shape, in_axis=in_axis, out_axis=out_axis, batch_axis=batch_axis, layout=layout
        )
        return matrix_view(shape, axes)

    return scaled_recipe(view, drawn, lambda view: scale, _rms)


def _rms(view: MatrixView) -> float:
    return 1 / math.sqrt(max(view.rows, view.columns))


def _of_normal(key: Any, view: MatrixView, dtype: np.dtype[Any]) -> Array:
    return view.fold(random_orthogonal(key, view.rows, view.columns, dtype, view.batch))


def _of_uniform(key: Any, view: MatrixView, dtype: np.dtype[Any]) -> Array:
    matrices = sample(Uniform(-1.0, 1.0), key, (*view.batch, view.rows, view.columns), dtype)
    left, _, right = jnp.linalg.svd(matrices, full_matrices=False)
    return view.fold(left if view.rows >= view.columns else right)


_DRAWS = {"normal": _of_normal, "uniform": _of_uniform}


@borrow("mxnet", keyless=True)
def Bilinear(*, dtype: Any = None, layout: str | None = None) -> Recipe:
    """Bilinear upsampling: `(1 - |x / f - c|) (1 - |y / f - c|)` in every pair of channels.

    Here `f = ceil(w / 2)` of w taps across, and `c = (2 f - 1 - f % 2) / (2 f)`. That centre is
    right for w = 2 f - f % 2 taps; 3 of them are .25, .75, .75.

    Args:
        dtype: floating dtype of the weights, unless the call gives one.
        layout: "OIHW" is MXNet's order; None is `(height, width, in, out)`.

    Raises:
        ValueError: when drawing, the shape does not have four axes.

    >>> Bilinear()(None, (1, 4, 1, 1)).ravel().tolist() == [0.0625, 0.1875, 0.1875, 0.0625]
    True

    Differences: `jinit.bilinear` has the right centre for every number of taps, and keeps channels
    apart unless told otherwise.
    """

    def build(key: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        height, width = shape[:2]
        taps = np.multiply.outer(_triangle(height, width), _triangle(width, width))
        taps = taps.astype(working_dtype(dtype))[:, :, None, None]
        return lax.convert_element_type(jnp.broadcast_to(jnp.asarray(taps), shape), dtype)

    return of_rank(in_layout(Structured(build), layout), "MXNet's Bilinear", 4)


def _triangle(taps: int, width: int) -> np.ndarray[Any, Any]:
    """The slope and the centre are those of the taps across, along both axes."""
    factor = max(math.ceil(width / 2), 1)
    centre = (2 * factor - 1 - factor % 2) / (2 * factor)
    values: np.ndarray[Any, Any] = 1 - np.abs(np.arange(taps) / factor - centre)
    return values


@borrow("mxnet", keyless=True)
def LSTMBias(forget_bias: float = 1.0, *, dtype: Any = None) -> Recipe:
    """LSTM bias: `forget_bias` in the second quarter, that of the forget gate, 0 elsewhere.

    Args:
        forget_bias: bias of the forget gate.
        dtype: floating dtype of the bias, unless the call gives one.

    Raises:
        ValueError: when drawing, the bias does not divide into four gates.

    >>> LSTMBias()(None, (4,)).tolist()
    [0.0, 1.0, 0.0, 0.0]
    """
    check_number("forget_bias", forget_bias)
    return of_rank(lstm_bias(forget_bias).recipe, "MXNet's LSTMBias", 1)
