"""Values on their devices: read, cast once, and put where they belong.

May import: the standard library, jax, numpy, of `jinit.model` leaf, and of `jinit.pretrained`
binary, operations, recipes, sources.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jinit.model.leaf import Leaf
from jinit.pretrained.binary import aligned_empty
from jinit.pretrained.operations import Array, Window
from jinit.pretrained.recipes import Joined, Recipe, read, windowed
from jinit.pretrained.sources import Source

__all__ = ["cast", "place", "read_onto"]


def read_onto(recipe: Recipe, source: Source, leaf: Leaf) -> jax.Array:
    """A leaf read from its tensors; with a sharding each device reads its window, once for all."""
    fresh = source.fresh or isinstance(recipe, Joined)
    sharding = _sharding(leaf)
    if sharding is None:
        return place(read(recipe, source), leaf, fresh=fresh)
    windows = {
        _window(index, leaf)
        for index in sharding.addressable_devices_indices_map(leaf.shape).values()
    }
    if not all(windowed(recipe, source, _slices(window)) for window in windows):
        return place(read(recipe, source), leaf, fresh=fresh)
    parts: dict[Any, Array] = {}

    def part(index: Any) -> Array:
        window = _window(index, leaf)
        if window not in parts:
            parts[window] = cast(read(recipe, source, _slices(window)), leaf, fresh=fresh)
        return parts[window]

    return _ready(jax.make_array_from_callback(leaf.shape, sharding, part))


def place(value: Any, leaf: Leaf, *, fresh: bool = False) -> jax.Array:
    """A whole value, cast and put where the leaf belongs.

    Args:
        value: the value.
        leaf: what it is for.
        fresh: whether it is memory that nobody else has.

    Raises:
        ValueError: it has another shape than the leaf, or does not fit its dtype.
    """
    if np.shape(value) != leaf.shape:
        raise ValueError(f"{leaf} was given values of shape {list(np.shape(value))}")
    whole = cast(value, leaf, fresh=fresh)
    sharding = _sharding(leaf)
    if sharding is None:
        return _ready(jax.device_put(whole))
    return _ready(jax.make_array_from_callback(leaf.shape, sharding, lambda at: whole[at]))


def _ready(array: jax.Array) -> jax.Array:
    """The array, once it is there: one tensor after another, not all of them under way."""
    array.block_until_ready()
    return array


def cast(value: Any, leaf: Leaf, *, fresh: bool = False) -> Array:
    """A value in the leaf's dtype, rounded once, in memory that JAX can take over as it is.

    On the host JAX uses aligned memory in place; an array of the user's, or a file mapped into
    memory, is therefore copied.

    Raises:
        ValueError: a finite value is beyond the dtype's range.
    """
    array = np.asarray(value)
    if fresh and array.dtype == leaf.dtype and array.flags.c_contiguous:
        return array
    made = aligned_empty(array.shape, leaf.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        np.copyto(made, array, casting="unsafe")
    if _narrows(array.dtype, leaf.dtype):
        lost = np.isfinite(array) & ~np.isfinite(made)
        if lost.any():
            raise ValueError(
                f"{leaf}: {int(lost.sum())} values are beyond the range of {leaf.dtype.name}, such "
                f"as {float(array[lost][0]):g}; load it in a wider dtype"
            )
    return made


def _narrows(old: Any, new: Any) -> bool:
    """Whether finite values of one floating dtype may be infinite in another."""
    if not (jnp.issubdtype(old, jnp.floating) and jnp.issubdtype(new, jnp.floating)):
        return False
    largest = [float(jnp.finfo(dtype).max) for dtype in (new, old)]  # type: ignore[no-untyped-call]
    return largest[0] < largest[1]


def _sharding(leaf: Leaf) -> Any:
    """The leaf's sharding, on the mesh that is set where it is a PartitionSpec alone.

    Raises:
        ValueError: there is no mesh.
    """
    if not isinstance(leaf.sharding, PartitionSpec):
        return leaf.sharding
    mesh = jax.sharding.get_mesh()
    if mesh.empty:
        raise ValueError(f"{leaf} is to be laid out as {leaf.sharding}; give the mesh: mesh=...")
    return NamedSharding(mesh, leaf.sharding)


def _window(index: Any, leaf: Leaf) -> tuple[tuple[int, int], ...]:
    """An index as starts and stops."""
    pairs = zip(index, leaf.shape, strict=True)
    return tuple(cut.indices(extent)[:2] for cut, extent in pairs)


def _slices(window: tuple[tuple[int, int], ...]) -> Window:
    return tuple(slice(*pair) for pair in window)
