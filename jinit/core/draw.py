"""Draws fused with their bits: one compiled program for each law, shape, dtype and sharding.

May import: jax, numpy, and of `jinit.core` bits, inputs, laws, outside, programs.

Keys, scales and bounds are runtime arguments, so every layer of one shape runs the same program,
and the values do not depend on the route: eager, jitted, mapped, scanned or sharded.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.core import programs
from jinit.core.bits import Window
from jinit.core.inputs import check_broadcasts
from jinit.core.laws import Constant, Law, Normal, TruncatedNormal, Uniform
from jinit.core.outside import run_outside
from jinit.core.programs import real_dtype

__all__ = ["place", "prepare", "real_dtype", "sample"]

Shape: TypeAlias = tuple[int, ...]
DType: TypeAlias = np.dtype[Any]
Program: TypeAlias = Callable[..., Array]
Parameters: TypeAlias = tuple[Any, ...]

# Beyond this many standard deviations the error function leaves float32 too few distinct values
# between the bounds (about 20,000 at 3, none at 5.4), and the tail is inverted instead.
TAIL = 3.0

# How jax.nn.initializers multiplies: (sqrt 2 * std) * erf_inv(u) since jax 0.12, and
# (sqrt 2 * erf_inv(u)) * std before. The last bit differs, and jinit's is that of its jax.
_MERGES_FACTORS = jax.__version_info__ >= (0, 12)


def sample(
    law: Law,
    key: Array | None,
    shape: Shape,
    dtype: DType,
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
        window: draw the part that `shape` is of a larger array (see `jinit.core.bits.Window`);
            the law's parameters are then those of the part.

    Raises:
        ValueError: a parameter does not broadcast to `shape`, or a complex dtype is asked of a law
            that is not symmetric about its centre.
    """
    program, parameters = prepare(law, shape, dtype)
    if out_sharding is None:
        return program(key, parameters, shape=shape, dtype=dtype, window=window)
    explicit = _explicit_axes(out_sharding)
    placed = _placed_program(program, shape, dtype, out_sharding, explicit)
    return placed(key, parameters, window=window)


def prepare(law: Law, shape: Shape, dtype: DType) -> tuple[Program, Any]:
    """The compiled program that draws `law`, and the parameters that it takes after the key.

    A caller that draws the same law at the same shape again keeps both and saves the preparation:
    `program(key, parameters, shape=shape, dtype=dtype, window=None)`. Numbers are packed into one
    vector, because a call pays for every argument.
    """
    program, parameters = _PROGRAMS[type(law)](law, dtype)
    kind = dtype if program is programs.constant else real_dtype(dtype)
    values = tuple(_parameter(p, kind, shape) for p in parameters)
    if all(isinstance(value, np.generic) and value.dtype == kind for value in values):
        return program, np.array(values, kind)
    return program, values


def _parameter(value: Any, dtype: DType, shape: Shape | None) -> Any:
    """`value` in `dtype`, of the rank of `shape` unless scalar; host values stay on the host."""
    if isinstance(value, (int, float)):
        return dtype.type(value)
    if not isinstance(value, jax.Array):
        array = np.asarray(value)
        value = array.astype(array.dtype if array.dtype.kind == "c" else dtype)[()]
    elif not jnp.issubdtype(value.dtype, np.complexfloating):
        value = lax.convert_element_type(value, dtype)
    if value.ndim == 0 or shape is None:
        return value
    check_broadcasts("a parameter", value, shape)
    return value.reshape((1,) * (len(shape) - value.ndim) + value.shape)


def place(run: Callable[..., Array], out_sharding: Any) -> Callable[..., Array]:
    """`run`, compiled so that its result comes out with `out_sharding`.

    On a mesh with explicit axes the draw happens in auto mode and the result is typed with the
    sharding; elsewhere the partitioner is told the sharding of the output.
    """
    return _place(run, out_sharding, _explicit_axes(out_sharding))


def _explicit_axes(out_sharding: Any) -> tuple[str, ...]:
    """The explicit axes of the mesh that is set; an error where a spec has no mesh."""
    current = jax.sharding.get_abstract_mesh()
    if isinstance(out_sharding, jax.sharding.PartitionSpec) and current.empty:
        raise ValueError(
            f"`out_sharding` (={out_sharding}) is a PartitionSpec and no mesh is set; "
            "enter one with jax.set_mesh(mesh), or pass jax.sharding.NamedSharding(mesh, spec)"
        )
    return () if current.empty else tuple(current.explicit_axes)


def _place(
    run: Callable[..., Array], out_sharding: Any, explicit: tuple[str, ...]
) -> Callable[..., Array]:
    if explicit:
        # Under jit, or each device would first make the whole array.
        return jax.jit(jax.sharding.auto_axes(run, axes=explicit, out_sharding=out_sharding))
    return jax.jit(run, out_shardings=out_sharding)


@functools.lru_cache(maxsize=1024)
def _placed_program(
    program: Program, shape: Shape, dtype: DType, out_sharding: Any, explicit: tuple[str, ...]
) -> Program:
    """A program of `programs`, placed; kept, because a fresh jit would compile once more."""
    run = functools.partial(program, shape=shape, dtype=dtype)
    return _place(run, out_sharding, explicit)


# --- which program draws which law ------------------------------------------------------------


def _plan_constant(law: Constant, dtype: DType) -> tuple[Program, Parameters]:
    return programs.constant, (law.value,)


def _plan_uniform(law: Uniform, dtype: DType) -> tuple[Program, Parameters]:
    if dtype.kind != "c":
        return programs.uniform, tuple(law)
    _require_symmetry(law, law.low, law.high, dtype)
    return programs.disk, (law.high * law.scale,)


def _plan_normal(law: Normal, dtype: DType) -> tuple[Program, Parameters]:
    if dtype.kind == "c":
        return programs.complex_normal, tuple(law)
    real = real_dtype(dtype)
    root, stddev = real.type(np.sqrt(2)), _parameter(law.stddev, real, None)
    if _MERGES_FACTORS:
        return programs.normal, (law.center, root * stddev, 1.0)
    return programs.normal, (law.center, root, stddev)


def _plan_truncated(law: TruncatedNormal, dtype: DType) -> tuple[Program, Parameters]:
    lower, upper = law.lower, law.upper
    if dtype.kind == "c":
        _require_symmetry(law, lower, upper, dtype)
        return programs.complex_truncated, (law.center, law.stddev, upper)
    real = real_dtype(dtype)
    if not (isinstance(lower, (int, float)) and isinstance(upper, (int, float))):
        ends = programs.erf_window(jnp.asarray(lower, real), jnp.asarray(upper, real))
        return programs.truncated, (*law, *ends)
    if lower >= TAIL or upper <= -TAIL:
        near, far = (lower, upper) if lower >= TAIL else (upper, lower)
        return programs.tail, (law.center, law.stddev, near, far)
    return programs.truncated, (*law, *_erf_numbers(lower, upper, real, jax.default_backend()))


@functools.lru_cache(maxsize=256)
def _erf_numbers(lower: float, upper: float, dtype: DType, backend: str) -> Parameters:
    """`erf_window` of numbers, computed at once even while tracing.

    Left to the compiler's constant folding, the ends can differ in their last bit from those
    computed at run time, and with them every value drawn.
    """

    def ends() -> Parameters:
        values = programs.erf_window(dtype.type(lower), dtype.type(upper))
        return tuple(np.asarray(end)[()] for end in values)

    device = jax.config.jax_default_device
    return run_outside(ends, x64=dtype.itemsize == 8, device=device)


def _require_symmetry(law: Law, low: Any, high: Any, dtype: DType) -> None:
    if isinstance(low, jax.core.Tracer) or isinstance(high, jax.core.Tracer):
        return
    if np.any(np.asarray(low) != -np.asarray(high)):
        raise ValueError(
            f"{type(law).__name__} from {low} to {high} has no law on the complex plane (dtype "
            f"{dtype.name}); bounds must be symmetric about zero, for a disk of that radius"
        )


_PROGRAMS: dict[type, Callable[[Any, DType], tuple[Program, Parameters]]] = {
    Constant: _plan_constant,
    Normal: _plan_normal,
    TruncatedNormal: _plan_truncated,
    Uniform: _plan_uniform,
}
