"""Options as values: one canonical form each, comparable, hashable, printable.

May import: jax and numpy only.
"""

import inspect
import math
from typing import Any

import jax
import numpy as np

from jinit.core.inputs import describe, is_typed_key

__all__ = [
    "FrozenArray",
    "canonical",
    "canonical_dtype",
    "function_name",
    "hashable",
    "plain",
    "same",
    "show",
]


class FrozenArray:
    """An array option: immutable, compared and hashed by its contents."""

    __slots__ = ("_hash", "array")

    def __init__(self, array: Any) -> None:
        self.array = np.array(array)
        self.array.flags.writeable = False
        self._hash = hash((self.array.dtype.name, self.array.shape, self.array.tobytes()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FrozenArray):
            return NotImplemented
        mine, theirs = self.array, other.array
        same_type = mine.dtype == theirs.dtype and mine.shape == theirs.shape
        return same_type and mine.tobytes() == theirs.tobytes()

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenArray, (self.array,)


def canonical(value: Any) -> Any:
    """One form for each option value: numbers as Python numbers, lists as tuples, arrays frozen.

    A scheme stands for itself with its defaults. Traced values stay as they are.
    """
    if isinstance(value, (bool, str, int, float, complex, type(None), jax.core.Tracer)):
        return value
    if isinstance(value, (np.generic, np.ndarray, jax.Array)) and not is_typed_key(value):
        array = np.asarray(value)
        return (
            array.item() if array.ndim == 0 and array.dtype.kind in "biufc" else FrozenArray(array)
        )
    if isinstance(value, (list, tuple)):
        return tuple(canonical(item) for item in value)
    return getattr(value, "configured", value)


def canonical_dtype(dtype: Any) -> str | None:
    """The name of a dtype given in any of the forms JAX takes; None stays None.

    >>> import jax.numpy as jnp
    >>> canonical_dtype(jnp.bfloat16), canonical_dtype("f4"), canonical_dtype(None)
    ('bfloat16', 'float32', None)
    """
    if dtype is None:
        return None
    try:
        return str(np.dtype(dtype).name)
    except TypeError:
        raise TypeError(
            f"`dtype` (={dtype!r}) is not a dtype; give one such as jnp.float32 or 'bfloat16'"
        ) from None


def plain(value: Any) -> Any:
    """The value as a scheme takes it."""
    return value.array if isinstance(value, FrozenArray) else value


def same(a: Any, b: Any) -> bool:
    """Whether two canonical options are equal; traced values only to themselves."""
    if a is b:
        return True
    if (
        isinstance(a, jax.Array)
        or isinstance(b, jax.Array)
        or isinstance(a, bool) != isinstance(b, bool)
    ):
        return False
    return bool(a == b)


def hashable(value: Any) -> Any:
    """A stand-in to hash: traced values have no hash of their own."""
    return id(value) if isinstance(value, jax.Array) else value


def show(value: Any) -> str:
    """`value` as an expression that evaluates to it, given the names `jax`, `jinit` and `np`."""
    if isinstance(value, FrozenArray):
        return _show_array(value.array)
    if isinstance(value, jax.Array):
        return describe(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    if isinstance(value, tuple):
        return f"({', '.join(map(show, value))}{',' if len(value) == 1 else ''})"
    return function_name(value) or _own_name(value) or repr(value)


def _own_name(value: Any) -> str | None:
    """The name of a function at the top of its module: by which its author calls it."""
    name = value.__qualname__ if inspect.isfunction(value) else ""
    return name if name.isidentifier() else None


def _show_array(array: np.ndarray[Any, Any]) -> str:
    if array.size > 64:
        return f"<{describe(array)}>"
    return f"np.array({array.tolist()}, {array.dtype.name!r})"


def function_name(function: Any) -> str | None:
    """The public dotted name of a function of `jax.nn`, `jax.numpy` or `jax.lax`, if it has one."""
    name = getattr(function, "__name__", None)
    for module in (jax.nn, jax.numpy, jax.lax):
        if name is not None and getattr(module, name, None) is function:
            return f"{module.__name__}.{name}"
    return None
