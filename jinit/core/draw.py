"""Draws fused with their bits: one compiled program for each law, shape, dtype and sharding.

May import: jax, numpy, `jinit.core.bits`, `jinit.core.inputs`, `jinit.core.laws`,
`jinit.core.outside`.

Keys, scales and bounds are runtime arguments, so every layer of one shape runs the same program.
Whatever the dtype asked for, values are computed in float32 (float64 for 64-bit dtypes) and rounded
once, at the end, inside the same fusion.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.core.bits import Window, random_bits, split_key
from jinit.core.inputs import check_broadcasts
from jinit.core.laws import Constant, Law, Normal, TruncatedNormal, Uniform
from jinit.core.outside import run_outside

__all__ = ["draw", "place", "prepare", "real_dtype"]

Shape: TypeAlias = tuple[int, ...]

_SQRT2 = np.sqrt(2.0)
_SQRT_HALF = np.sqrt(0.5)

# Beyond this many standard deviations the error function leaves float32 too few distinct values
# between the bounds (about 20,000 at 3, none at 5.4), and the tail is inverted instead.
TAIL = 3.0


def real_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that values of `dtype` are computed in: float64 for 64-bit parts, else float32."""
    wide = dtype in (np.dtype(np.float64), np.dtype(np.complex128))
    return np.dtype(np.float64 if wide else np.float32)


def draw(
    law: Law,
    key: Array | None,
    shape: Shape,
    dtype: np.dtype[Any],
    out_sharding: Any = None,
    window: Window | None = None,
) -> Array:
    """Draw an array of `shape` and `dtype` from `law`.

    Args:
        law: the distribution; its parameters are numbers or arrays that broadcast to `shape`.
        key: a scalar PRNG key; a `Constant` ignores it.
        shape: dimensions of the result.
        dtype: a floating or complex dtype (any dtype for a `Constant`).
        out_sharding: sharding of the result; each device draws only its own shard.
        window: draw the part that `shape` is of a larger array (see `jinit.core.bits.Window`).

    Raises:
        ValueError: a parameter does not broadcast to `shape`, or a complex dtype is asked of a law
            that is not symmetric about its centre.
    """
    program, values = prepare(law, shape, dtype)
    if out_sharding is None:
        return program(key, *values, shape=shape, dtype=dtype, window=window)
    run = functools.partial(program, shape=shape, dtype=dtype, window=window)
    return place(run, out_sharding)(key, *values)


def prepare(law: Law, shape: Shape, dtype: np.dtype[Any]) -> tuple[Callable[..., Array], list[Any]]:
    """The compiled program that draws `law`, and its parameters ready to be passed after the key.

    A caller that draws the same law at the same shape again keeps both and saves the preparation:
    `program(key, *values, shape=shape, dtype=dtype, window=None)`.
    """
    program, parameters = _PROGRAMS[type(law)](law, dtype)
    kind = dtype if program is _constant else real_dtype(dtype)
    return program, [_parameter(p, kind, shape) for p in parameters]


def _parameter(value: Any, dtype: np.dtype[Any], shape: Shape) -> Any:
    """`value` in `dtype`, of the rank of `shape` unless scalar; host values stay on the host."""
    if isinstance(value, (int, float)):
        return dtype.type(value)
    if not isinstance(value, jax.Array):
        array = np.asarray(value)
        value = array.astype(array.dtype if array.dtype.kind == "c" else dtype)
    elif not jnp.issubdtype(value.dtype, np.complexfloating):
        value = lax.convert_element_type(value, dtype)
    check_broadcasts("a parameter", value, shape)
    return value.reshape((1,) * (len(shape) - value.ndim) + value.shape) if value.ndim else value


# --- sharding ---------------------------------------------------------------------------------


def place(run: Callable[..., Array], out_sharding: Any) -> Callable[..., Array]:
    """`run`, compiled so that its result comes out with `out_sharding`.

    On a mesh with explicit axes the draw happens in auto mode and the result is typed with the
    sharding; elsewhere the partitioner is told the sharding of the output.
    """
    mesh = getattr(out_sharding, "mesh", None)
    if isinstance(out_sharding, jax.sharding.PartitionSpec):
        mesh = jax.sharding.get_abstract_mesh()
        if mesh.empty:
            raise ValueError(
                f"`out_sharding` (={out_sharding}) is a PartitionSpec and no mesh is set; "
                "enter one with jax.set_mesh(mesh), or pass jax.sharding.NamedSharding(mesh, spec)"
            )
    explicit = mesh is not None and mesh.explicit_axes
    if explicit:
        typed: Callable[..., Array] = jax.sharding.auto_axes(
            run, axes=explicit, out_sharding=out_sharding
        )
        return typed
    return jax.jit(run, out_shardings=out_sharding)


# --- programs ---------------------------------------------------------------------------------

_compiled = functools.partial(jax.jit, static_argnames=("shape", "dtype", "window"))


def _opaque(*parameters: Array) -> tuple[Array, ...]:
    """Hide parameters from the compiler's algebra, which trades bits for speed.

    Inside a caller's jit they may be constants to fold. And (x * sqrt 2) * std would become
    x * (sqrt 2 * std), which rounds differently: an opaque operation must stand between.
    """
    hidden: tuple[Array, ...] = lax.optimization_barrier(parameters)  # type: ignore[no-untyped-call]
    return hidden


def _unit(key: Array, shape: Shape, dtype: np.dtype[Any], window: Window | None) -> Array:
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


def _above_minus_one(dtype: np.dtype[Any]) -> Any:
    return np.nextafter(dtype.type(-1), dtype.type(0))


@_compiled
def _uniform(
    key: Array, low: Any, high: Any, scale: Any, *, shape: Shape, dtype: Any, window: Any
) -> Array:
    low, high, scale = _opaque(low, high, scale)
    unit = _unit(key, shape, real_dtype(dtype), window)
    return lax.convert_element_type(_between(unit, low, high) * scale, dtype)


@_compiled
def _normal(
    key: Array, center: Any, stddev: Any, *, shape: Shape, dtype: Any, window: Any
) -> Array:
    real = real_dtype(dtype)
    # No draw is near the floor; the maximum is there to keep two factors apart, see `_opaque`.
    center, stddev, floor = _opaque(center, stddev, jnp.full((), -100, real))
    z = _gauss(_unit(key, shape, real, window), _above_minus_one(real), real.type(1))
    return lax.convert_element_type(lax.max(z, floor) * stddev + center, dtype)


@_compiled
def _truncated(
    key: Array,
    center: Any,
    stddev: Any,
    lower: Any,
    upper: Any,
    low: Any,
    high: Any,
    *,
    shape: Shape,
    dtype: Any,
    window: Any,
) -> Array:
    center, stddev, lower, upper, low, high = _opaque(center, stddev, lower, upper, low, high)
    z = _gauss(_unit(key, shape, real_dtype(dtype), window), low, high)
    return lax.convert_element_type(_inside(z, lower, upper) * stddev + center, dtype)


@jax.jit
def _erf_window(lower: Array, upper: Array) -> tuple[Array, Array]:
    """The ends of the error function over `(lower, upper)`, in their dtype."""
    low, high = (lax.erf(bound / bound.dtype.type(_SQRT2)) for bound in (lower, upper))
    # An open end must not reach -1, where the quantile is infinite.
    return jnp.where(jnp.isneginf(lower), _above_minus_one(lower.dtype), low), high


@functools.lru_cache(maxsize=256)
def _erf_numbers(lower: float, upper: float, dtype: np.dtype[Any], backend: str) -> Any:
    """`_erf_window` of numbers, run at once even while tracing.

    Left to the compiler's constant folding, the ends can differ in their last bit from those
    computed at run time, and with them every value drawn.
    """

    def ends() -> Any:
        return [np.asarray(end)[()] for end in _erf_window(dtype.type(lower), dtype.type(upper))]

    device = jax.config.jax_default_device  # type: ignore[attr-defined]
    return run_outside(ends, x64=dtype.itemsize == 8, device=device)


def _inside(z: Array, lower: Any, upper: Any) -> Array:
    """Rounding must not leave the open interval."""
    infinity = jnp.full_like(lower, np.inf)
    return jnp.clip(z, lax.nextafter(lower, infinity), lax.nextafter(upper, -infinity))


@_compiled
def _tail(
    key: Array,
    center: Any,
    stddev: Any,
    near: Any,
    far: Any,
    *,
    shape: Shape,
    dtype: Any,
    window: Any,
) -> Array:
    """Truncation to one tail, `3 <= |near| < |far|`: the distance past `near` by Newton's method.

    With M the Mills ratio, the survival function falls by exp(-(n d + d^2/2)) M(n + d) / M(n) over
    a distance d. Working with d, not with n + d, keeps every digit however far out `near` is.
    """
    center, stddev, near, far = _opaque(center, stddev, near, far)
    sign, near, far = jnp.sign(near), jnp.abs(near), jnp.abs(far)
    unit = _unit(key, shape, real_dtype(dtype), window)
    lost = -jnp.expm1(-_log_survival(far - near, near))
    goal = -jnp.log1p(-unit * lost)
    distance = 2 * goal / (jnp.sqrt(near * near + 2 * goal) + near)
    for _ in range(3):
        step = (_log_survival(distance, near) - goal) * _mills(near + distance)
        distance = jnp.maximum(distance - step, jnp.zeros_like(distance))
    z = _inside(near + distance, near, far)
    return lax.convert_element_type(sign * z * stddev + center, dtype)


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


# Complex laws are radius times phase, from two keys.


def _polar(key: Array, shape: Shape, dtype: Any, window: Any, radius: Any) -> Array:
    """`radius(u)` at a uniform angle."""
    real = real_dtype(dtype)
    key_radius, key_phase = split_key(key)
    modulus = radius(_unit(key_radius, shape, real, window))
    phase = _unit(key_phase, shape, real, window) * real.type(2 * np.pi)
    return lax.complex(modulus * jnp.cos(phase), modulus * jnp.sin(phase))


@_compiled
def _disk(key: Array, radius: Any, *, shape: Shape, dtype: Any, window: Any) -> Array:
    (radius,) = _opaque(radius)
    return _polar(key, shape, dtype, window, lambda u: jnp.sqrt(u) * radius)


@_compiled
def _complex_normal(
    key: Array, center: Any, stddev: Any, *, shape: Shape, dtype: Any, window: Any
) -> Array:
    center, stddev = _opaque(center, stddev)
    real = real_dtype(dtype)
    bounds = (_above_minus_one(real), real.type(1))
    re, im = (_gauss(_unit(k, shape, real, window), *bounds) for k in split_key(key))
    share = stddev * real.type(_SQRT_HALF)
    return lax.complex(re * share, im * share) + lax.convert_element_type(center, dtype)


@_compiled
def _complex_truncated(
    key: Array, center: Any, stddev: Any, upper: Any, *, shape: Shape, dtype: Any, window: Any
) -> Array:
    center, stddev, upper = _opaque(center, stddev, upper)
    inside = -jnp.expm1(-upper * upper)
    w = _polar(key, shape, dtype, window, lambda u: jnp.sqrt(-jnp.log1p(-u * inside)) * stddev)
    return w + lax.convert_element_type(center, dtype)


@_compiled
def _constant(key: Array | None, value: Any, *, shape: Shape, dtype: Any, window: Any) -> Array:
    return lax.convert_element_type(jnp.broadcast_to(value, shape), dtype)


# --- which program draws which law ------------------------------------------------------------

Plan: TypeAlias = tuple[Callable[..., Array], tuple[Any, ...]]


def _is_complex(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "c"


def _plan_uniform(law: Uniform, dtype: np.dtype[Any]) -> Plan:
    if not _is_complex(dtype):
        return _uniform, tuple(law)
    _require_symmetry(law, law.low, law.high, dtype)
    return _disk, (law.high * law.scale,)


def _plan_normal(law: Normal, dtype: np.dtype[Any]) -> Plan:
    return (_complex_normal if _is_complex(dtype) else _normal), tuple(law)


def _plan_truncated(law: TruncatedNormal, dtype: np.dtype[Any]) -> Plan:
    if _is_complex(dtype):
        _require_symmetry(law, law.lower, law.upper, dtype)
        return _complex_truncated, (law.center, law.stddev, law.upper)
    lower, upper = law.lower, law.upper
    if isinstance(lower, (int, float)) and isinstance(upper, (int, float)):
        if lower >= TAIL:
            return _tail, (law.center, law.stddev, lower, upper)
        if upper <= -TAIL:
            return _tail, (law.center, law.stddev, upper, lower)
        ends = _erf_numbers(lower, upper, real_dtype(dtype), jax.default_backend())
        return _truncated, (*law, *ends)
    real = real_dtype(dtype)
    bounds = [jnp.asarray(bound, real) for bound in (lower, upper)]
    return _truncated, (*law, *_erf_window(*bounds))


def _require_symmetry(law: Law, low: Any, high: Any, dtype: np.dtype[Any]) -> None:
    if isinstance(low, jax.core.Tracer) or isinstance(high, jax.core.Tracer):
        return
    if np.any(np.asarray(low) != -np.asarray(high)):
        raise ValueError(
            f"{type(law).__name__} from {low} to {high} has no law on the complex plane (dtype "
            f"{dtype.name}); bounds must be symmetric about zero, for a disk of that radius"
        )


_PROGRAMS: dict[type, Callable[[Any, np.dtype[Any]], Plan]] = {
    Constant: lambda law, dtype: (_constant, (law.value,)),
    Normal: _plan_normal,
    TruncatedNormal: _plan_truncated,
    Uniform: _plan_uniform,
}
