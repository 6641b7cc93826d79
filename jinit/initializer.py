"""Configured schemes: immutable values that draw weights.

May import: jax, numpy, `jinit.core`, `jinit.options`.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import jax
import numpy as np
from jax import Array

from jinit.core.draw import place, prepare, sample
from jinit.core.inputs import as_dtype, as_shape, check_key, is_key
from jinit.core.laws import Law
from jinit.options import hashable, same, show

if TYPE_CHECKING:
    from jinit.factory import Scheme

__all__ = ["Elementwise", "Initializer", "Recipe", "Structured"]

_KEPT = 256  # shapes that an initializer remembers how to draw

Shape: TypeAlias = tuple[int, ...]
DType: TypeAlias = np.dtype[Any]


@dataclass(frozen=True)
class Elementwise:
    """Weights are independent; `law` maps their shape and dtype to the distribution they share.

    `inexact=False` lets the scheme fill integer and boolean arrays too.
    """

    law: Callable[[Shape, DType], Law]
    inexact: bool = True


@dataclass(frozen=True)
class Structured:
    """Weights depend on each other; `build` draws them all, already in `dtype`.

    `std` is the root mean square that a weight of this shape has, or None where none is known.
    """

    build: Callable[[Any, Shape, DType], Array]
    std: Callable[[Shape], float] | None = None
    inexact: bool = True


Recipe: TypeAlias = Elementwise | Structured


class Initializer:
    """A configured scheme: an immutable value, and a pure function `(key, shape, dtype) -> array`.

    Two initializers are equal when their schemes and options are, so a module that holds one is
    as hashable, comparable and picklable as before. The repr evaluates.

    >>> import jinit
    >>> init = jinit.he_normal(mode="fan_out")
    >>> init
    jinit.he_normal(mode='fan_out')
    >>> init == jinit.he_normal(mode="fan_out"), init == jinit.he_normal()
    (True, False)
    """

    __slots__ = ("__weakref__", "_drawers", "_hash", "_options", "_recipe", "_scheme")

    _scheme: "Scheme[...]"
    _options: Mapping[str, Any]
    _recipe: Recipe
    _hash: int | None
    _drawers: dict[tuple[Any, Any, bool], Callable[[Any], Array]]

    def __init__(self, scheme: "Scheme[...]", options: Mapping[str, Any]) -> None:
        set_ = functools.partial(object.__setattr__, self)
        set_("_scheme", scheme)
        set_("_options", MappingProxyType(dict(options)))
        set_("_recipe", scheme.recipe(self._options))
        set_("_hash", None)
        set_("_drawers", {})
        if self._options.get("dtype") is not None:
            as_dtype(self._options["dtype"], inexact=self._recipe.inexact)

    @property
    def scheme(self) -> "Scheme[...]":
        """The scheme that this value configures."""
        return self._scheme

    @property
    def options(self) -> Mapping[str, Any]:
        """Every option and its value, defaults included."""
        return self._options

    @property
    def recipe(self) -> Recipe:
        """How the weights come about: a law for each of them, or a function that builds them."""
        return self._recipe

    def replace(self, **changes: Any) -> "Initializer":
        """The same scheme with some options changed; the others keep their values.

        >>> import jinit
        >>> jinit.he_normal(mode="fan_out").replace(in_axis=0, out_axis=1)
        jinit.he_normal(in_axis=0, out_axis=1, mode='fan_out')
        """
        return self._scheme.configure(**{**self.changed(), **changes})

    def changed(self) -> dict[str, Any]:
        """The options that differ from the scheme's defaults."""
        defaults = self._scheme.defaults
        return {
            name: value
            for name, value in self._options.items()
            if name not in defaults or not same(value, defaults[name])
        }

    # Drawing.

    def __call__(
        self, key: Array | None, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None
    ) -> Array:
        """Draw weights.

        Args:
            key: a PRNG key, new-style or legacy; schemes without randomness accept None.
            shape: dimensions of the weights.
            dtype: dtype of the weights; None is the configured dtype, else JAX's default float.
            out_sharding: sharding of the result (`NamedSharding`, `PartitionSpec` under a mesh).
        """
        if self._scheme.keyless and (key is None or is_key(key)):
            key = None
        else:
            check_key(key)
        if out_sharding is not None:
            return self._draw_sharded(key, shape, dtype, out_sharding)
        x64 = jax.config.jax_enable_x64
        try:
            drawer = self._drawers[shape, dtype, x64]
        except (KeyError, TypeError):  # a new shape, or one that cannot be hashed
            drawer = self._drawer(shape, dtype, x64)
        return drawer(key)

    def _resolved(self, shape: Any, dtype: Any) -> tuple[Shape, DType]:
        dtype = self._options.get("dtype") if dtype is None else dtype
        return as_shape(shape), as_dtype(dtype, inexact=self._recipe.inexact)

    def _draw_sharded(self, key: Any, shape: Any, dtype: Any, out_sharding: Any) -> Array:
        recipe = self._recipe
        shape, dtype = self._resolved(shape, dtype)
        if isinstance(recipe, Elementwise):
            return sample(recipe.law(shape, dtype), key, shape, dtype, out_sharding)
        mesh = jax.sharding.get_abstract_mesh()
        return _placed_build(recipe, shape, dtype, out_sharding, mesh)(key)

    def _drawer(self, shape: Any, dtype: Any, x64: bool) -> Callable[[Any], Array]:
        """What is left to do once shape and dtype are known; kept for the next call."""
        recipe, asked = self._recipe, (shape, dtype, x64)
        shape, dtype = self._resolved(shape, dtype)
        if isinstance(recipe, Structured):
            return lambda key: recipe.build(key, shape, dtype)
        program, parameters = prepare(recipe.law(shape, dtype), shape, dtype)
        drawer = functools.partial(
            program, parameters=parameters, shape=shape, dtype=dtype, window=None
        )
        # Not kept: parameters that are traced, or as large as weights.
        small = isinstance(parameters, np.ndarray) and isinstance(asked[0], tuple)
        if small and len(self._drawers) < _KEPT:
            self._drawers[asked] = drawer
        return drawer

    # What will be drawn.

    def law(self, shape: Sequence[int], dtype: Any = None) -> Law | None:
        """The distribution of each weight of `shape`; None where weights depend on each other.

        >>> import jinit
        >>> jinit.normal(0.02).law((784, 512))
        Normal(center=0.0, stddev=0.02)
        """
        recipe = self._recipe
        if isinstance(recipe, Structured):
            return None
        return recipe.law(as_shape(shape), as_dtype(dtype, inexact=recipe.inexact))

    def std(self, shape: Sequence[int], dtype: Any = None) -> float | None:
        """The standard deviation that this scheme gives weights of `shape`, where one is known.

        >>> import jinit
        >>> print(f"{jinit.he_normal().std((784, 512)):.4f}")
        0.0505
        """
        recipe = self._recipe
        if isinstance(recipe, Structured):
            return None if recipe.std is None else recipe.std(as_shape(shape))
        resolved = as_dtype(dtype, inexact=recipe.inexact)
        std = recipe.law(as_shape(shape), resolved).std(complex_values=resolved.kind == "c")
        return float(std) if np.ndim(std) == 0 else std

    # Being a value.

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Initializer):
            return NotImplemented
        if self is other:
            return True
        return self._scheme is other._scheme and all(
            same(value, other._options[name]) for name, value in self._options.items()
        )

    def __hash__(self) -> int:
        if self._hash is None:
            items = tuple((name, hashable(value)) for name, value in self._options.items())
            object.__setattr__(self, "_hash", hash((self._scheme.__name__, items)))
        assert self._hash is not None
        return self._hash

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={show(value)}" for name, value in self.changed().items())
        return f"jinit.{self._scheme.__name__}({options})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._scheme, self.changed())

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{self!r} is a value; use .replace({name}=...) to get another")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{self!r} is a value; its {name!r} cannot be deleted")


@functools.lru_cache(maxsize=256)
def _placed_build(
    recipe: Structured, shape: Shape, dtype: DType, out_sharding: Any, mesh: Any
) -> Callable[[Any], Array]:
    """A structured draw, placed; kept, because a fresh jit would compile once more.

    `mesh` is that which is set: what a PartitionSpec means depends on it.
    """
    return place(lambda key: recipe.build(key, shape, dtype), out_sharding)


def _restore(scheme: "Scheme[...]", options: dict[str, Any]) -> Initializer:
    return scheme.configure(**options)
