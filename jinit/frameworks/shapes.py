"""Recipes made to fit a framework: shapes that it refuses, kernels stored in another order.

May import: jax, numpy, `jinit.axes`, `jinit.notation`, `jinit.initializer`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jax import Array

from jinit.axes import Shape
from jinit.initializer import Elementwise, Recipe, Structured
from jinit.notation import layout_axes

__all__ = ["in_layout", "of_rank", "with_equal_taps"]


def of_rank(recipe: Recipe, name: str, *ranks: int) -> Recipe:
    """`recipe`, for shapes of these numbers of axes; an error for others, as in the framework."""

    def check(shape: Shape) -> None:
        if len(shape) not in ranks:
            *firsts, last = (f"{rank}-D" for rank in ranks)
            allowed = f"{', '.join(firsts)} or {last}" if firsts else last
            raise ValueError(
                f"`shape` (={shape}) is {len(shape)}-D; {name} is defined for {allowed} weights"
            )

    return _checked(recipe, check)


def _checked(recipe: Recipe, check: Callable[[Shape], None]) -> Recipe:
    def checked(function: Callable[..., Any], at: int) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            check(args[at])
            return function(*args)

        return run

    if isinstance(recipe, Elementwise):
        return Elementwise(checked(recipe.law, 0), recipe.inexact)
    std = None if recipe.std is None else checked(recipe.std, 0)
    return Structured(checked(recipe.build, 1), std, recipe.inexact)


def in_layout(recipe: Recipe, layout: str | None) -> Recipe:
    """A structure of kernels `(*taps, in, out)`, for kernels stored in `layout`.

    Args:
        recipe: a structured recipe; others know no order.
        layout: one letter an axis, such as "OIHW"; None is the order of the recipe.
    """
    if layout is None or isinstance(recipe, Elementwise):
        return recipe

    def order(shape: Shape) -> Shape:
        axes = layout_axes(shape, layout)
        return (*axes.batch_axis, *axes.receptive_axis(len(shape)), *axes.in_axis, *axes.out_axis)

    def usual(shape: Shape) -> Shape:
        return tuple(shape[axis] for axis in order(shape))

    def build(key: Any, shape: Shape, dtype: np.dtype[Any]) -> Array:
        return recipe.build(key, usual(shape), dtype).transpose(np.argsort(order(shape)))

    std = recipe.std
    return Structured(build, None if std is None else lambda s: std(usual(s)), recipe.inexact)


def with_equal_taps(recipe: Recipe, name: str) -> Recipe:
    """`recipe`, for kernels `(*taps, in, out)` that have as many taps along every axis."""

    def check(shape: Shape) -> None:
        if len(set(shape[:-2])) > 1:
            raise ValueError(
                f"`shape` (={shape}) has {shape[:-2]} taps; {name} needs as many along every axis"
            )

    return _checked(recipe, check)
