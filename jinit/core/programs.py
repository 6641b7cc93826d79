"""The compiled programs behind the draws: bits, transform, scaling and rounding in one fusion.

May import: jax, numpy, `jinit.core.bits`.

A program takes a key, its law's parameters (one vector of numbers, or a tuple of arrays that
broadcast to the shape) and maybe a window, whose place is a value at run time. Shape and dtype are
static. It computes in float32 (float64 for 64-bit dtypes) and rounds once, at the end.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.core.bits import Window, random_bits, split_key

__all__ = [
    "complex_normal",
    "complex_truncated",
    "constant",
    "disk",
    "erf_window",
    "normal",
    "real_dtype",
    "tail",
    "truncated",
    "uniform",
]

Shape: TypeAlias = tuple[int, ...]
DType: TypeAlias = np.dtype[Any]
Placed: TypeAlias = Window | None

_SQRT2 = np.sqrt(2.0)
_SQRT_HALF = np.sqrt(0.5)

_compiled = functools.partial(jax.jit, static_argnames=("shape", "dtype"))


def real_dtype(dtype: DType) -> DType:
    """The dtype that values of `dtype` are computed in: float64 for 64-bit parts, else float32."""
    wide = dtype in (np.dtype(np.float64), np.dtype(np.complex128))
    return np.dtype(np.float64 if wide else np.float32)


# --- parts ------------------------------------------------------------------------------------


def _opaque(parameters: Any) -> list[Array]:
    """The parameters, hidden from the compiler's algebra, which trades bits for speed.

    Inside a caller's jit they may be constants, and then (x * sqrt 2) * std would become
    x * (sqrt 2 * std), which rounds differently.
    """
    hidden = lax.optimization_barrier(parameters)  # type: ignore[no-untyped-call]
    return [hidden[i] for i in range(len(hidden))]


def _rounded(values: Array, dtype: DType) -> Array:
    return lax.convert_element_type(values, dtype)


def _unit(key: Array, shape: Shape, dtype: DType, window: Placed) -> Array:
    """Uniform on [0, 1): random mantissa bits under the exponent of one, less one."""
    mantissa = np.finfo(dtype).nmant
    width = dtype.itemsize * 8
    unsigned = np.dtype(f"uint{width}").type
    bits = random_bits(key, shape, width, window) >> unsigned(width - mantissa)
    one = np.ones((), dtype).view(unsigned)
    return lax.bitcast_convert_type(bits | one, dtype) - np.ones((), dtype)


def _between(unit: Array, low: Any, high: Any) -> Array:
    # The maximum keeps rounding from stepping below the lower end.
    return lax.max(jnp.broadcast_to(low, unit.shape), unit * (high - low) + low)


def _gauss(unit: Array, low: Any, high: Any) -> Array:
    """The normal quantile of the window of erf between `low` and `high`."""
    z: Array = lax.erf_inv(_between(unit, low, high)) * unit.dtype.type(_SQRT2)
    return z


def _above_minus_one(dtype: DType) -> Any:
    return np.nextafter(dtype.type(-1), dtype.type(0))


def _inside(z: Array, lower: Any, upper: Any) -> Array:
    """Rounding must not leave the open interval."""
    infinity = jnp.full_like(lower, np.inf)
    return jnp.clip(z, lax.nextafter(lower, infinity), lax.nextafter(upper, -infinity))


# --- real laws --------------------------------------------------------------------------------


@_compiled
def constant(
    key: Array | None, parameters: Any, *, shape: Shape, dtype: DType, window: Placed
) -> Array:
    """`value` everywhere; the key is not used."""
    return _rounded(jnp.broadcast_to(parameters[0], shape), dtype)


@_compiled
def uniform(key: Array, parameters: Any, *, shape: Shape, dtype: DType, window: Placed) -> Array:
    """`scale * U[low, high)`, from (low, high, scale)."""
    low, high, scale = _opaque(parameters)
    unit = _unit(key, shape, real_dtype(dtype), window)
    return _rounded(_between(unit, low, high) * scale, dtype)


@_compiled
def normal(key: Array, parameters: Any, *, shape: Shape, dtype: DType, window: Placed) -> Array:
    """`center + first * second * erf_inv(u)`, from (center, first, second).

    The factors' product is sqrt(2) times the standard deviation. Neither is a constant here, or
    the compiler would merge them and change the last bit.
    """
    center, first, second = _opaque(parameters)
    real = real_dtype(dtype)
    unit = _unit(key, shape, real, window)
    quantile = lax.erf_inv(_between(unit, _above_minus_one(real), real.type(1)))
    z = quantile * first
    return _rounded(z * second + center, dtype)


@_compiled
def truncated(key: Array, parameters: Any, *, shape: Shape, dtype: DType, window: Placed) -> Array:
    """`center + stddev * T`, from (center, stddev, lower, upper, low, high).

    `low` and `high` are the error function's values at the bounds (`erf_window`).
    """
    center, stddev, lower, upper, low, high = _opaque(parameters)
    z = _gauss(_unit(key, shape, real_dtype(dtype), window), low, high)
    return _rounded(_inside(z, lower, upper) * stddev + center, dtype)


@jax.jit
def erf_window(lower: Array, upper: Array) -> tuple[Array, Array]:
    """The values of erf(x / sqrt 2) at both bounds, in their dtype."""
    low, high = (lax.erf(bound / bound.dtype.type(_SQRT2)) for bound in (lower, upper))
    # An open end must not reach -1, where the quantile is infinite.
    return jnp.where(jnp.isneginf(lower), _above_minus_one(lower.dtype), low), high


@_compiled
def tail(key: Array, parameters: Any, *, shape: Shape, dtype: DType, window: Placed) -> Array:
    """Truncation to one tail, from (center, stddev, near, far) with `3 <= |near| < |far|`.

    The distance past `near` by Newton's method: with M the Mills ratio, the survival function
    falls by exp(-(n d + d^2/2)) M(n + d) / M(n) over a distance d. Working with d, not with
    n + d, keeps every digit however far out `near` is.
    """
    center, stddev, near, far = _opaque(parameters)
    sign, near, far = jnp.sign(near), jnp.abs(near), jnp.abs(far)
    unit = _unit(key, shape, real_dtype(dtype), window)
    lost = -jnp.expm1(-_log_survival(far - near, near))
    goal = -jnp.log1p(-unit * lost)
    distance = 2 * goal / (jnp.sqrt(near * near + 2 * goal) + near)
    for _ in range(3):
        step = (_log_survival(distance, near) - goal) * _mills(near + distance)
        distance = jnp.maximum(distance - step, jnp.zeros_like(distance))
    z = _inside(near + distance, near, far)
    return _rounded(sign * z * stddev + center, dtype)


def _log_survival(distance: Any, near: Any) -> Any:
    """-log of the probability to exceed `near + distance`, given that `near` is exceeded."""
    ratio = jnp.log(_mills(near)) - jnp.log(_mills(near + distance))
    return distance * (near + distance / 2) + ratio


def _mills(x: Any) -> Any:
    """Mills ratio (1 - Phi(x)) / phi(x) for x >= 3, by its continued fraction."""
    fraction = x
    for k in range(16, 0, -1):
        fraction = x + k / fraction
    return 1 / fraction


# --- complex laws: a radius at a uniform angle, from two keys -----------------------------------


def _polar(
    key: Array, shape: Shape, dtype: DType, window: Placed, radius: Callable[[Array], Array]
) -> Array:
    """`radius(u)` at a uniform angle."""
    real = real_dtype(dtype)
    key_radius, key_phase = split_key(key)
    modulus = radius(_unit(key_radius, shape, real, window))
    phase = _unit(key_phase, shape, real, window) * real.type(2 * np.pi)
    return lax.complex(modulus * jnp.cos(phase), modulus * jnp.sin(phase))


@_compiled
def disk(key: Array, parameters: Any, *, shape: Shape, dtype: DType, window: Placed) -> Array:
    """Uniform on a disk, from (radius,)."""
    (radius,) = _opaque(parameters)
    return _polar(key, shape, dtype, window, lambda u: jnp.sqrt(u) * radius)


@_compiled
def complex_normal(
    key: Array, parameters: Any, *, shape: Shape, dtype: DType, window: Placed
) -> Array:
    """Circular normal about `center` with E|w - center|^2 = stddev^2, from (center, stddev)."""
    center, stddev = _opaque(parameters)
    real = real_dtype(dtype)
    ends = (_above_minus_one(real), real.type(1))
    re, im = (_gauss(_unit(part, shape, real, window), *ends) for part in split_key(key))
    share = stddev * real.type(_SQRT_HALF)
    return lax.complex(re * share, im * share) + _rounded(center, dtype)


@_compiled
def complex_truncated(
    key: Array, parameters: Any, *, shape: Shape, dtype: DType, window: Placed
) -> Array:
    """Circular normal with its modulus cut, from (center, stddev, upper)."""
    center, stddev, upper = _opaque(parameters)
    inside = -jnp.expm1(-upper * upper)
    w = _polar(key, shape, dtype, window, lambda u: jnp.sqrt(-jnp.log1p(-u * inside)) * stddev)
    return w + _rounded(center, dtype)
