"""Golub and Kahan's process: linear maps as bidiagonal matrices, many at once.

May import: jax.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["bidiagonalize"]


def bidiagonalize(
    into: Callable[[Array], Array],
    out_of: Callable[[Array], Array],
    start: Array,
    steps: int,
    coupled: Array,
) -> tuple[Array, Array]:
    """The diagonal, and what is beneath it, of the lower bidiagonal matrix of each map.

    Args:
        into: products with the maps' transposes, row by row: (maps, n) -> (maps, m).
        out_of: products with the maps.
        start: a vector for each map, shape (maps, n).
        steps: how many; n at most are made.
        coupled: whether all rows together are one vector, and the maps one map.

    Returns:
        The diagonals, shape (steps, maps), and the entries below, shape (steps - 1, maps).

    Reference: Golub & Kahan 1965; reorthogonalized on the side of `start`, after Simon & Zha 2000.
    """
    steps = min(steps, start.shape[-1])

    def dot(a: Array, b: Array) -> Array:
        each = jnp.sum(a * b, axis=-1)
        total = jnp.sum(each, axis=-1, keepdims=True)
        return jnp.where(coupled, jnp.broadcast_to(total, each.shape), each)

    def unit(a: Array) -> tuple[Array, Array]:
        size = jnp.sqrt(dot(a, a))
        return a / jnp.where(size > 0, size, jnp.ones_like(size))[:, None], size

    def orthogonal(w: Array, basis: Array) -> Array:
        shares = dot(jnp.broadcast_to(w, basis.shape), basis)
        return w - jnp.sum(shares[..., None] * basis, axis=0)

    def step(carried: Any, number: Array) -> Any:
        basis, v, below = carried
        u = basis[number]
        v, diagonal = unit(into(u) - below[:, None] * v)
        w = out_of(v) - diagonal[:, None] * u
        for _ in range(2):  # once is not enough
            w = orthogonal(w, basis)
        u, below = unit(w)
        return (basis.at[number + 1].set(u, mode="drop"), v, below), (diagonal, below)

    first, _ = unit(start)
    basis = jnp.zeros((steps, *start.shape), start.dtype).at[0].set(first)
    nothing = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(into, first))
    carried = (basis, nothing, jnp.zeros(start.shape[:1], start.dtype))
    _, (diagonal, below) = jax.lax.scan(step, carried, jnp.arange(steps))
    return diagonal, below[:-1]
