"""Ensembles: many members of one model, drawn together, each as if it were alone.

May import: jax, numpy, `jinit.core`, and of `jinit.model` paths, planning.
"""

import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jinit.core.inputs import check_key
from jinit.model.leaf import Leaf
from jinit.model.paths import derive_keys, fold_words, host_words, is_threefry, path_words
from jinit.model.planning import Plan, plan

__all__ = ["ensemble", "member", "member_key", "replace_member"]


def member_key(key: Any, index: int) -> Any:
    """The key of one member: `fold_in(key, index)`, whatever the size of the ensemble.

    >>> import jax, jinit
    >>> key = jax.random.key(0)
    >>> params = {"w": jax.ShapeDtypeStruct((3, 4), "float32")}
    >>> members = jinit.ensemble(params, jinit.he_normal(), key, size=5)
    >>> alone = jinit.initialize(params, jinit.he_normal(), jinit.member_key(key, 3))
    >>> bool((members["w"][3] == alone["w"]).all())
    True
    """
    return jax.random.fold_in(key, index)


def ensemble(
    target: Any, rules: Any, key: Any, size: int, *, axis_name: str | None = None, **options: Any
) -> Any:
    """Draw `size` members of a model: one model, with a leading axis of members on every leaf.

    Member i is, to the bit, what `jinit.initialize` gives from `jinit.member_key(key, i)`; a
    larger ensemble therefore begins with the members of a smaller one. Train it under `jax.vmap`.

    Args:
        target: as for `jinit.initialize`.
        rules: as for `jinit.initialize`.
        key: a PRNG key.
        size: how many members.
        axis_name: mesh axis to spread the members over; needs `mesh=`.
        options: other options of `jinit.plan`: `mesh`, `shardings`, `usage`, `stacked`, ...

    Returns:
        The model, with `size` as first axis of every leaf. Leaves that are kept are repeated.

    Raises:
        ValueError: `size` is below 1, or `axis_name` is no axis of the mesh or does not divide
            the members evenly.
        jinit.RuleError: as for `jinit.plan`.

    >>> import jax, jinit
    >>> params = {"w": jax.ShapeDtypeStruct((3, 4), "float32")}
    >>> jinit.ensemble(params, jinit.he_normal(), jax.random.key(0), size=5)["w"].shape
    (5, 3, 4)
    """
    check_key(key)
    size = operator.index(size)
    if size < 1:
        raise ValueError(f"`size` (={size}) must be at least 1")
    mesh = options.get("mesh")
    _check_axis(axis_name, mesh, size)
    made = plan(target, rules, **options)

    def spread(leaf: Leaf) -> Any:
        if axis_name is None and leaf.sharding is None:
            return None
        return _member_sharding(leaf.sharding, axis_name, mesh)

    values = made.draw(_member_keys(made, key, size), size=size, spread=spread)
    return made.assemble(key, values, size)


def member(params: Any, index: int) -> Any:
    """One member of an ensemble: the model with leaf `i` of every leaf.

    >>> import jax.numpy as jnp
    >>> import jinit
    >>> jinit.member({"w": jnp.arange(6.0).reshape(2, 3)}, 1)["w"].tolist()
    [3.0, 4.0, 5.0]
    """
    return jax.tree.map(lambda leaf: leaf[index], params)


def replace_member(params: Any, index: int, replacement: Any) -> Any:
    """The ensemble with one member put in place of another; the others stay as they are.

    Draw the replacement with `jinit.initialize`. Use the same on an optimizer's state.

    >>> import jax.numpy as jnp
    >>> import jinit
    >>> jinit.replace_member({"w": jnp.zeros((2, 2))}, 1, {"w": jnp.ones(2)})["w"].tolist()
    [[0.0, 0.0], [1.0, 1.0]]
    """
    return jax.tree.map(lambda leaf, new: leaf.at[index].set(new), params, replacement)


def _check_axis(axis_name: str | None, mesh: Any, size: int) -> None:
    if axis_name is None:
        return
    axes = {} if mesh is None else dict(mesh.shape)
    if axis_name not in axes:
        there = ", ".join(map(repr, axes)) or "none: pass `mesh=`"
        raise ValueError(f"`axis_name` (={axis_name!r}) is no axis of the mesh; there are: {there}")
    if size % axes[axis_name]:
        raise ValueError(
            f"`size` (={size}) must be a multiple of the {axes[axis_name]} devices along "
            f"{axis_name!r}"
        )


def _member_sharding(sharding: Any, axis_name: str | None, mesh: Any) -> Any:
    spec = getattr(sharding, "spec", sharding) or PartitionSpec()  # type: ignore[no-untyped-call]
    if not isinstance(spec, PartitionSpec):
        raise ValueError(f"a leaf has the sharding {sharding}; ensembles need NamedShardings")
    mesh = getattr(sharding, "mesh", mesh)
    spec = PartitionSpec(axis_name, *spec)  # type: ignore[no-untyped-call]
    return spec if mesh is None else NamedSharding(mesh, spec)


def _member_keys(made: Plan, key: Any, size: int) -> list[Any]:
    """For each leaf the keys of all members: fold in the member, then the leaf's path."""
    paths = [row.leaf.parts for row in made.rows]
    if is_threefry(key) and not isinstance(key, jax.core.Tracer):
        members = fold_words(host_words(key), np.arange(size, dtype=np.uint32)[:, None])
        words = (np.array([path_words(parts, made.key_scheme)], np.uint32) for parts in paths)
        return [fold_words(members, np.repeat(pair, size, axis=0)) for pair in words]
    keys = [derive_keys(member_key(key, index), paths, made.key_scheme) for index in range(size)]
    return [jnp.stack(leaf_keys) for leaf_keys in zip(*keys, strict=True)]
