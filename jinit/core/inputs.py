"""What callers hand in (keys, shapes, dtypes), recognized, checked and made canonical.

May import: jax and numpy only.
"""

import functools
import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

__all__ = [
    "as_dtype",
    "as_shape",
    "check_broadcasts",
    "check_holds",
    "check_key",
    "describe",
    "is_key",
    "is_typed_key",
]


def is_typed_key(value: Any) -> bool:
    """Whether `value` is an array of new-style keys (`jax.random.key`), of any shape."""
    dtype = getattr(value, "dtype", None)
    return dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key)


def is_key(value: Any) -> bool:
    """Whether `value` is a PRNG key: new-style of any shape, or legacy of two or four words."""
    if not hasattr(value, "dtype"):
        return False
    return is_typed_key(value) or (value.dtype == np.uint32 and value.shape in ((2,), (4,)))


def check_key(key: Any) -> None:
    """Raise unless `key` is one PRNG key."""
    if is_typed_key(key) and key.ndim == 0:  # the common case, on the path of every eager call
        return
    if not is_key(key):
        raise TypeError(
            f"`key` must be a PRNG key, got {describe(key)}; make one with jax.random.key(seed)"
            + (", or map over a batch of keys with jax.vmap" if _looks_like_keys(key) else "")
        )
    if is_typed_key(key):
        raise ValueError(
            f"`key` must be one PRNG key, got an array of keys of shape {tuple(key.shape)}; "
            "map over the keys with jax.vmap(lambda key: init(key, shape))(keys)"
        )


def _looks_like_keys(value: Any) -> bool:
    return getattr(value, "dtype", None) == np.uint32 and value.ndim == 2


def as_shape(shape: Any) -> tuple[int, ...]:
    """`shape` as a tuple of non-negative ints; a single int is a one-dimensional shape.

    >>> as_shape([3, 4]), as_shape(5)
    ((3, 4), (5,))
    """
    if type(shape) is tuple and all(type(n) is int and n >= 0 for n in shape):
        return shape
    if is_key(shape) or isinstance(shape, str):
        raise TypeError(f"`shape` must be a sequence of integers, got {describe(shape)}")
    try:
        dims = shape if isinstance(shape, Sequence) or np.ndim(shape) else (shape,)
        canonical = tuple(operator.index(n) for n in dims)
    except TypeError:
        raise TypeError(
            f"`shape` must be a sequence of non-negative integers, got {describe(shape)}; "
            "dimensions must be known while tracing"
        ) from None
    if any(n < 0 for n in canonical):
        raise ValueError(f"`shape` (={canonical}) must have no negative dimension")
    return canonical


def as_dtype(dtype: Any, *, inexact: bool = True) -> np.dtype[Any]:
    """`dtype` as JAX will use it: None is the default float, 64 bits become 32 unless x64 is on.

    Raises:
        ValueError: `inexact` is asked and `dtype` is not a floating or complex dtype.
        TypeError: `dtype` names no dtype.
    """
    x64 = jax.config.jax_enable_x64
    return _as_dtype(dtype, inexact, x64)


@functools.lru_cache(maxsize=256)
def _as_dtype(dtype: Any, inexact: bool, x64: bool) -> np.dtype[Any]:
    if dtype is None:
        return np.dtype(np.float64 if x64 else np.float32)
    canonical: np.dtype[Any] = jax.dtypes.canonicalize_dtype(dtype)
    if inexact and not jnp.issubdtype(canonical, np.inexact):
        raise ValueError(
            f"`dtype` (={canonical.name}) must be a floating or complex dtype: random weights are "
            "real numbers; draw in float32 and convert, or use jinit.constant for integers"
        )
    return canonical


def check_broadcasts(name: str, value: Any, shape: tuple[int, ...]) -> None:
    """Raise unless `value`, a number or an array, broadcasts to weights of `shape`."""
    found = tuple(np.shape(value))
    try:
        fits = np.broadcast_shapes(found, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name} has shape {found}, which does not broadcast to weights of shape {shape}; "
            "its trailing axes must be 1 or equal the weights'"
        )


def check_holds(name: str, value: Any, dtype: np.dtype[Any]) -> None:
    """Raise unless `value`, a number or an array, survives in an integer or boolean `dtype`."""
    if dtype.kind not in "biu" or isinstance(value, jax.core.Tracer):
        return
    array = np.asarray(value)
    if not np.array_equal(array.astype(dtype), array):
        shown = describe(array) if array.ndim else repr(value)
        raise ValueError(f"dtype {dtype.name} cannot hold {name} (={shown}); use a floating dtype")


def describe(value: Any) -> str:
    """`value` for an error message: arrays by dtype and shape, the rest by repr and type."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype}[{','.join(map(str, value.shape))}]"
    return f"{value!r} of type {type(value).__name__}"
