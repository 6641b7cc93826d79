"""Initializers with a seed of their own, as Keras and TensorFlow have them.

May import: jax, `jinit.core`, `jinit.initializer`.

A key and a seed would be two answers to one question, so a seeded initializer takes no key: it is
called with the shape alone, and gives the same weights each time. Given a key, as models give to
every leaf, it raises; were the seed to win, all layers of one shape would start equal.
"""

from collections.abc import Callable
from typing import Any, NoReturn

import jax
from jax import Array

from jinit.core.inputs import is_key
from jinit.initializer import Elementwise, Initializer, Recipe, Structured

__all__ = ["Seeded", "check_seed", "refuse_keys"]


class Seeded(Initializer):
    """An initializer whose key is bound: `init(shape, dtype)`, the same weights at each call.

    >>> from jinit.frameworks import keras
    >>> init = keras.GlorotUniform(seed=7)
    >>> bool((init((3, 4)) == init((3, 4), "float32")).all())
    True
    >>> bool((init((3, 4)) == keras.GlorotUniform()(jax.random.key(7), (3, 4))).all())
    True
    """

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Array:
        """Draw weights from the bound key.

        Args:
            args: shape, dtype and out_sharding, after an optional None in the key's place.
            kwargs: the same by name.

        Raises:
            ValueError: a key is given too.
        """
        key = args[0] if args else kwargs.pop("key", None)
        if is_key(key):
            _refuse(self.scheme.__name__, self.options["seed"])
        rest = args[1:] if args and key is None else args
        return self.unbound(jax.random.key(self.options["seed"]), *rest, **kwargs)

    @property
    def unbound(self) -> Initializer:
        """The same initializer without its seed, for a model that hands out keys."""
        return self.replace(seed=None)


def check_seed(seed: Any) -> int:
    """`seed`, if it is an int.

    Raises:
        TypeError: it is something else, such as Keras' `SeedGenerator`, which is a state.
    """
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(
            f"`seed` (={seed!r}) must be an int, or None to draw from the key that is given; "
            "a generator that changes from call to call is what keys are for"
        )
    return seed


def refuse_keys(recipe: Recipe, name: str, seed: int) -> Recipe:
    """`recipe` as one that knows its spread and draws from no key."""

    def build(key: Any, shape: tuple[int, ...], dtype: Any) -> Array:
        _refuse(name, seed)

    return Structured(build, _std_of(recipe), recipe.inexact)


def _std_of(recipe: Recipe) -> Callable[[tuple[int, ...]], float] | None:
    if isinstance(recipe, Elementwise):
        law = recipe.law
        return lambda shape: law(shape, jax.dtypes.canonicalize_dtype(float)).std()
    return recipe.std


def _refuse(name: str, seed: int) -> NoReturn:
    raise ValueError(
        f"jinit.{name} was given a key, and `seed` (={seed}) has bound one; leave out the seed to "
        "draw from keys, or call it with the shape alone"
    )
