"""What structured schemes share: draw at unit scale, multiply by a runtime number, round once.

May import: jax, numpy, `jinit.core`, `jinit.checks`, `jinit.gains`, `jinit.factory`.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.checks import check_non_negative
from jinit.core.draw import real_dtype
from jinit.core.inputs import check_broadcasts
from jinit.factory import Recipe, Structured
from jinit.gains import calculate_gain

__all__ = ["Scale", "as_scale", "parameter", "scaled_recipe", "working_dtype"]

DType: TypeAlias = np.dtype[Any]
Scale: TypeAlias = float | str | Callable[[Any], Any]


def as_scale(scale: Any) -> Any:
    """`scale` itself, if it is a number >= 0, or the gain of an activation."""
    if isinstance(scale, str) or callable(scale):
        return calculate_gain(scale)
    return check_non_negative("scale", scale)


def working_dtype(dtype: DType) -> DType:
    """The dtype that weights of `dtype` are computed in: itself, and float32 for narrower ones."""
    return dtype if dtype.kind == "c" else real_dtype(dtype)


def parameter(name: str, value: Any, shape: tuple[int, ...], dtype: DType) -> Any:
    """`value` ready to be an argument of a compiled program; it must broadcast to the weights."""
    check_broadcasts(f"`{name}`", value, shape)
    if isinstance(value, jax.Array):
        return lax.convert_element_type(value, dtype)
    return np.asarray(value, dtype)


def scaled_recipe(
    read: Callable[[tuple[int, ...]], Any],
    unit: Callable[[Any, Any, DType], Array],
    factor: Callable[[Any], Any],
    rms: Callable[[Any], float],
) -> Recipe:
    """The recipe of `W = factor * U`, U a structure of unit scale.

    Args:
        read: the plan of a shape: a hashable value, or an error where the shape has none.
        unit: draws U, given a key, the plan and the dtype to compute in; a module's function, so
            that equal plans compile once.
        factor: of a plan, a number, or an array that broadcasts to the weights.
        rms: root mean square of an element of U.
    """

    def build(key: Any, shape: tuple[int, ...], dtype: DType) -> Array:
        plan, work = read(shape), working_dtype(dtype)
        if 0 in shape:
            return jnp.zeros(shape, dtype)
        scale = parameter("scale", factor(plan), shape, work)
        weights: Array = _scaled(key, scale, unit=unit, plan=plan, shape=shape, dtype=work)
        # Outside the compiled program, so that every narrow dtype rounds the same float32 values.
        return lax.convert_element_type(weights, dtype)

    def std(shape: tuple[int, ...]) -> Any:
        plan = read(shape)
        return factor(plan) * rms(plan) if 0 not in shape else 0.0

    return Structured(build, std)


@functools.partial(jax.jit, static_argnames=("unit", "plan", "shape", "dtype"))
def _scaled(
    key: Any, factor: Array, *, unit: Any, plan: Any, shape: tuple[int, ...], dtype: DType
) -> Any:
    return unit(key, plan, dtype) * jnp.broadcast_to(factor, shape)
