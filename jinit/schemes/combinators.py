"""Initializers made of one other: scaled, masked, clipped, with rows of zeros.

May import: jax, numpy, `jinit.core`, `jinit.checks`, `jinit.factory`, `jinit.schemes.building`,
`jinit.schemes.callables`.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.checks import check_number
from jinit.core.inputs import check_broadcasts
from jinit.core.laws import Constant, Law, Uniform
from jinit.factory import Elementwise, Recipe, Structured, scheme
from jinit.schemes.building import parameter, working_dtype
from jinit.schemes.callables import (
    InitFunction,
    check_inner,
    draw_inner,
    inner_inexact,
    inner_recipe,
    inner_std,
)

__all__ = ["clipped", "masked", "scaled", "zero_rows"]

Shape = tuple[int, ...]


@scheme
def scaled(init: InitFunction, factor: Any, axis: int | None = None, dtype: Any = None) -> Recipe:
    """Scaled: `W = factor * init`; std and mean are those of `init` times `factor`.

    For residual branches that shrink with depth, `jinit.scaled(init, (2 * depth) ** -0.5)`, also
    layer by layer in a stack that one array holds. Where the weights of `init` are independent
    the factor goes into their law, and the draw costs what that of `init` does.

    Args:
        init: an initializer, of jinit or any function (key, shape, dtype) -> array.
        factor: a real number, or an array that broadcasts to the weights.
        axis: the axis along which `factor`, then a vector, runs: 0 for one factor a layer, where
            layers are stacked on the first axis.
        dtype: floating or complex dtype of the weights, unless the call gives one.

    Raises:
        TypeError: `init` is not an initializer, or `factor` not a number.
        ValueError: `factor` is not finite and real, or no vector although there is an `axis`; when
            drawing, it does not fit the shape.

    >>> import jinit
    >>> jinit.scaled(jinit.normal(0.02), 0.25).law((64, 64))
    Normal(center=0.0, stddev=0.005)
    >>> jinit.scaled(jinit.he_normal(), [1.0, 0.5], axis=0)
    jinit.scaled(init=jinit.he_normal(), factor=(1.0, 0.5), axis=0)
    """
    check_inner("init", init, dtype)
    factor = _checked_factor(factor, axis)
    recipe = inner_recipe(init)
    if isinstance(recipe, Elementwise) and not _is_negative(factor):
        law = recipe.law
        return Elementwise(
            lambda shape, dtype: _scaled_law(law(shape, dtype), _along(factor, axis, shape))
        )

    def build(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Array:
        by = parameter("factor", _along(factor, axis, shape), shape, working_dtype(dtype))
        weights = draw_inner(init, key, shape, dtype) * _at_rank(by, shape)
        return lax.convert_element_type(weights, dtype)

    return Structured(build, lambda shape: _scaled_std(inner_std(init, shape), factor))


def _checked_factor(factor: Any, axis: int | None) -> Any:
    check_number("factor", factor)
    if np.iscomplexobj(factor):
        raise ValueError(f"`factor` (={factor!r}) must be real")
    if axis is not None and np.ndim(factor) != 1:
        raise ValueError(
            f"`factor` (={factor!r}) must be a vector to run along `axis` (={axis}); without "
            "`axis` it broadcasts to the weights"
        )
    return factor if isinstance(factor, (int, float, jax.Array)) else np.asarray(factor)


def _is_negative(factor: Any) -> bool:
    return not isinstance(factor, jax.core.Tracer) and bool(np.any(np.asarray(factor) < 0))


def _along(factor: Any, axis: int | None, shape: Shape) -> Any:
    """`factor` with as many axes as it needs to broadcast to `shape`."""
    if axis is None:
        return factor
    position = _checked_axis(axis, shape)
    if len(factor) != shape[position]:
        raise ValueError(
            f"`factor` has {len(factor)} entries and axis {axis} of the weights {shape} has "
            f"{shape[position]}; give one for each"
        )
    return factor.reshape((-1,) + (1,) * (len(shape) - position - 1))


def _checked_axis(axis: int, shape: Shape) -> int:
    if not -len(shape) <= axis < len(shape):
        raise ValueError(
            f"`axis` (={axis}) is out of range for the {len(shape)}-D shape {shape}; it must lie "
            f"in [{-len(shape)}, {len(shape) - 1}]"
        )
    return axis % len(shape)


def _at_rank(array: Any, shape: Shape) -> Any:
    """`array` with leading axes of 1, so that it has as many as the weights."""
    return array.reshape((1,) * (len(shape) - array.ndim) + array.shape)


def _scaled_law(law: Law, factor: Any) -> Law:
    if isinstance(law, Constant):
        return Constant(_times(law.value, factor))
    if isinstance(law, Uniform):
        return law._replace(scale=_times(law.scale, factor))
    return law._replace(center=_times(law.center, factor), stddev=_times(law.stddev, factor))


def _times(value: Any, factor: Any) -> Any:
    return value * (jnp.asarray(factor, value.dtype) if isinstance(value, jax.Array) else factor)


def _scaled_std(std: Any, factor: Any) -> Any:
    """Of a number, its multiple; of a vector of factors the law is not one and has no one std."""
    return None if std is None or np.ndim(factor) else std * abs(factor)


@scheme
def masked(init: InitFunction, mask: Any, dtype: Any = None) -> Recipe:
    """Masked: `W = init` where `mask` is true, 0 elsewhere.

    For autoregressive, block-diagonal and otherwise sparse kernels. The weights that stay are those
    that `init` would draw, with its fans: a denser layer's.

    Args:
        init: an initializer, of jinit or any function (key, shape, dtype) -> array.
        mask: array of booleans, or of zeros and ones, that broadcasts to the weights.
        dtype: dtype of the weights, unless the call gives one; any dtype that `init` takes.

    Raises:
        TypeError: `init` is not an initializer.
        ValueError: `mask` has other values; when drawing, it does not broadcast to the shape.

    >>> import jax, jinit
    >>> jinit.masked(jinit.ones, [[1, 0], [1, 1]])(jax.random.key(0), (2, 2)).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    check_inner("init", init, dtype)
    keep = _checked_mask(mask)

    def build(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Array:
        check_broadcasts("`mask`", keep, shape)
        return _kept(draw_inner(init, key, shape, dtype), _at_rank(keep, shape), dtype)

    return Structured(build, inexact=inner_inexact(init))


def _checked_mask(mask: Any) -> np.ndarray[Any, Any]:
    array = np.asarray(mask)
    if array.dtype != bool and not np.isin(array, (0, 1)).all():
        raise ValueError(f"`mask` (={mask!r}) must hold booleans, or zeros and ones")
    return array.astype(bool)


def _kept(weights: Array, keep: Any, dtype: np.dtype[Any]) -> Array:
    kept = jnp.where(keep, weights, jnp.zeros((), weights.dtype))
    return lax.convert_element_type(kept, dtype)


@scheme
def zero_rows(
    init: InitFunction, rows: int | Sequence[int] | None, axis: int = 0, dtype: Any = None
) -> Recipe:
    """Zero rows: `W = init`, but 0 at the indices `rows` of `axis`.

    For the padding row of an embedding, and for special tokens. The other rows are to the bit
    those that `init` draws.

    Args:
        init: an initializer, of jinit or any function (key, shape, dtype) -> array.
        rows: an index or several; negative ones count from the end. None zeroes no row, so that an
            optional padding index can be handed on as it is.
        axis: the axis that the rows are counted along: 1 for tables stacked on the first axis.
        dtype: dtype of the weights, unless the call gives one; any dtype that `init` takes.

    Raises:
        TypeError: `init` is not an initializer, or a row not an int.
        ValueError: when drawing, a row or the axis is out of range.

    >>> import jax, jinit
    >>> w = jinit.zero_rows(jinit.normal(), [0, -1])(jax.random.key(0), (4, 8))
    >>> (w == 0).all(axis=1).tolist()
    [True, False, False, True]
    """
    check_inner("init", init, dtype)
    indices = _checked_rows(rows)

    def build(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Array:
        position = _checked_axis(axis, shape)
        keep = np.ones(shape[position], bool)
        keep[[_in_range(row, axis, shape) for row in indices]] = False
        keep = keep.reshape((-1,) + (1,) * (len(shape) - position - 1))
        return _kept(draw_inner(init, key, shape, dtype), _at_rank(keep, shape), dtype)

    return Structured(build, lambda shape: inner_std(init, shape), inner_inexact(init))


def _checked_rows(rows: Any) -> tuple[int, ...]:
    indices = () if rows is None else (rows,) if np.ndim(rows) == 0 else tuple(np.asarray(rows))
    for row in indices:
        if isinstance(row, (bool, np.bool)) or not isinstance(row, (int, np.integer)):
            raise TypeError(f"`rows` (={rows!r}) must be an int, several, or None")
    return tuple(int(row) for row in indices)


def _in_range(row: int, axis: int, shape: Shape) -> int:
    extent = shape[axis]
    if not -extent <= row < extent:
        raise ValueError(
            f"`rows` has {row}, which is out of range for axis {axis} of the shape {shape}; rows "
            f"lie in [{-extent}, {extent - 1}]"
        )
    return row % extent


@scheme
def clipped(
    init: InitFunction, low: float | None = None, high: float | None = None, dtype: Any = None
) -> Recipe:
    """Clipped: `W = min(max(init, low), high)`.

    For weights that must start inside a range. What lies beyond an end is moved onto it and so
    piles up there; for a normal without tails use `jinit.truncated_normal`.

    Args:
        init: an initializer, of jinit or any function (key, shape, dtype) -> array.
        low: lower end; None leaves that side open.
        high: upper end; None leaves that side open.
        dtype: floating dtype of the weights, unless the call gives one.

    Raises:
        TypeError: `init` is not an initializer, or an end not a number.
        ValueError: neither end is given, or they are not in order; when drawing, the dtype is
            complex.

    >>> import jax, jinit
    >>> w = jinit.clipped(jinit.normal(1.0), -0.5, 0.5)(jax.random.key(0), (100,))
    >>> print(w.min(), w.max())
    -0.5 0.5
    """
    check_inner("init", init, dtype)
    _check_ends(low, high)

    def build(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Array:
        if dtype.kind == "c":
            raise ValueError(
                f"complex weights (dtype {dtype.name}) have no order and cannot be clipped"
            )
        weights = jnp.clip(draw_inner(init, key, shape, dtype), low, high)
        return lax.convert_element_type(weights, dtype)

    return Structured(build)


def _check_ends(low: Any, high: Any) -> None:
    ends = [end for end in (low, high) if end is not None]
    if not ends:
        raise ValueError("clipping needs `low`, `high` or both; there is neither")
    for name, end in (("low", low), ("high", high)):
        if end is not None:
            check_number(name, end)
    if len(ends) == 2 and not np.all(np.asarray(low) <= np.asarray(high)):
        raise ValueError(f"`low` (={low!r}) must not be above `high` (={high!r})")
