"""Any callable as an initializer: what the combinators draw from, and `from_function`.

May import: jax, numpy, `jinit.core`, `jinit.initializer`, `jinit.factory`,
`jinit.schemes.building`.

Whoever combines initializers draws each in the working dtype, through `draw_inner`, and rounds
once, at the end.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.core.inputs import describe
from jinit.factory import Structured, scheme
from jinit.initializer import Initializer, Recipe
from jinit.schemes.building import working_dtype

__all__ = [
    "InitFunction",
    "check_inner",
    "draw_inner",
    "from_function",
    "inner_inexact",
    "inner_recipe",
    "inner_std",
]

# A jinit initializer or any other function (key, shape, dtype) -> array.
InitFunction: TypeAlias = Callable[..., Any]


@scheme
def from_function(function: InitFunction, dtype: Any = None) -> Recipe:
    """Your own function as an initializer: `W = function(key, shape, dtype)`, checked.

    It then prints, compares and combines as schemes do, is handed float32 where a narrower dtype
    is asked for (so that it need not know of the bias that drawing in bfloat16 has), and a result
    of another shape is an error at the draw, not a surprise in training.

    Args:
        function: pure; takes a key, a shape and a dtype, all positional, and returns an array. An
            object that is called so may have a method `std(shape)`, which plans then show.
        dtype: dtype of the weights, unless the call gives one; any dtype that `function` takes.

    Raises:
        TypeError: `function` is not callable; when drawing, it returns no array.
        ValueError: when drawing, its result has another shape, or values the dtype cannot hold.

    >>> import jax, jax.numpy as jnp, jinit
    >>> init = jinit.from_function(lambda key, shape, dtype: jax.random.cauchy(key, shape, dtype))
    >>> init(jax.random.key(0), (2, 3), jnp.bfloat16).dtype.name
    'bfloat16'
    """
    check_inner("function", function, dtype)

    def build(key: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return lax.convert_element_type(draw_inner(function, key, shape, dtype), dtype)

    return Structured(build, lambda shape: inner_std(function, shape), inner_inexact(function))


def check_inner(name: str, init: Any, dtype: Any) -> InitFunction:
    """`init`, if it can be drawn from and its own dtype does not go unheard.

    Args:
        name: the option that holds `init`.
        init: what should be an initializer.
        dtype: the `dtype` option of the combinator, which decides.
    """
    if not callable(init):
        hint = f"; jinit.get({init!r}) makes one of a name" if isinstance(init, str) else ""
        raise TypeError(
            f"`{name}` (={init!r}) must be an initializer: a scheme of jinit, or a function "
            f"(key, shape, dtype) -> array{hint}"
        )
    own = init.options.get("dtype") if isinstance(init, Initializer) else None
    if own is not None and dtype is None:
        raise ValueError(
            f"`{name}` (={init!r}) sets a dtype of its own, which the whole would not have; "
            f"give the whole `dtype={own!r}`"
        )
    return init  # type: ignore[no-any-return]


def draw_inner(init: InitFunction, key: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Draw from `init` in the working dtype of `dtype`, and check what came.

    Raises:
        TypeError: `init` returned no array.
        ValueError: the array has another shape, or values that `dtype` cannot hold.
    """
    working = working_dtype(dtype) if jnp.issubdtype(dtype, np.inexact) else dtype
    drawn = init(key, shape, working)
    if not isinstance(drawn, (np.ndarray, np.generic, Array, int, float, complex)):
        hint = "; is it a factory, to be called first?" if callable(drawn) else ""
        raise TypeError(f"{init!r} must return an array, got {describe(drawn)}{hint}")
    weights = jnp.asarray(drawn)
    if weights.shape != shape:
        raise ValueError(
            f"{init!r} was asked for shape {shape} and returned {describe(weights)}; it must "
            "return the shape it is given"
        )
    _check_holds(init, weights.dtype, working)
    return lax.convert_element_type(weights, working)


def _check_holds(init: InitFunction, found: np.dtype[Any], asked: np.dtype[Any]) -> None:
    for kind in (np.complexfloating, np.inexact):
        if jnp.issubdtype(found, kind) and not jnp.issubdtype(asked, kind):
            raise ValueError(
                f"{init!r} was asked for {asked.name} and returned {found.name}, which it cannot "
                "hold; use the dtype that the function is given"
            )


def inner_recipe(init: InitFunction) -> Recipe | None:
    """The recipe of a jinit initializer; None of any other function."""
    return init.scheme.recipe(init.options) if isinstance(init, Initializer) else None


def inner_inexact(init: InitFunction) -> bool:
    """Whether `init` is known to refuse integer dtypes."""
    recipe = inner_recipe(init)
    return recipe is not None and recipe.inexact


def inner_std(init: InitFunction, shape: tuple[int, ...]) -> Any:
    """The standard deviation that `init` states for `shape`, by a method `std`, or None."""
    std = getattr(init, "std", None)
    return std(shape) if callable(std) else None
