"""Leaves as adapters meet them: arrays, or shapes and dtypes in their place.

May import: the standard library, jax, numpy, and of `jinit.model` structure, and of
`jinit.model.targets` uses.
"""

from collections.abc import Sequence
from typing import Any, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AbstractMesh, NamedSharding

from jinit.axes import Shape
from jinit.model.structure import Slot
from jinit.model.targets.uses import Use, stack_use

__all__ = [
    "as_slot",
    "check_array",
    "is_abstract",
    "is_array",
    "share_tokens",
]


def is_abstract(leaf: Any) -> TypeGuard[jax.ShapeDtypeStruct]:
    """Whether a leaf has a shape and a dtype and no values."""
    return isinstance(leaf, jax.ShapeDtypeStruct)


def is_array(leaf: Any) -> bool:
    """Whether a leaf is an array, of JAX or of NumPy, or the shape of one."""
    return isinstance(leaf, (jax.Array, np.ndarray, np.generic, jax.ShapeDtypeStruct))


def check_array(parts: Sequence[str], leaf: Any) -> None:
    """Raise unless `leaf` can be a parameter."""
    path = "/".join(parts)
    if not is_array(leaf):
        raise TypeError(
            f"{path!r} (={leaf!r}) is of type {type(leaf).__name__}; leaves must be arrays or "
            "jax.ShapeDtypeStruct. Take it out of the tree, or pass the part that holds parameters"
        )
    if jnp.issubdtype(leaf.dtype, jax.dtypes.extended):
        raise TypeError(
            f"{path!r} has dtype {leaf.dtype}: a PRNG key is no parameter. Take it out of the "
            "tree, or pass the part that holds parameters"
        )


def as_slot(
    parts: tuple[str, ...],
    leaf: Any,
    use: Use,
    *,
    stack: Shape = (),
    layer: str | None = None,
    shared: Any = None,
    sharding: Any = None,
    mesh: Any = None,
) -> Slot:
    """The slot of a leaf, from what its layer does with one slice of it.

    Args:
        parts: the leaf's path.
        leaf: an array, or its shape and dtype.
        use: of one layer, on its own shape.
        stack: the axes along which layers are stacked.
        layer: class of the layer.
        shared: token of the leaves that are this one.
        sharding: the sharding that metadata ask for, if any; otherwise it is the leaf's own.
        mesh: the mesh of shardings that name axes only.
    """
    check_array(parts, leaf)
    shape = tuple(leaf.shape)
    use = stack_use(use, stack, len(shape))
    return Slot(
        parts=parts,
        shape=shape,
        dtype=np.dtype(leaf.dtype),
        sharding=_own_sharding(leaf, mesh) if sharding is None else sharding,
        value=None if is_abstract(leaf) else leaf,
        layer=layer,
        role=use.role,
        axes=use.axes,
        fans=use.fans,
        stack=stack,
        shared=shared,
    )


def share_tokens(paths: Sequence[tuple[str, ...]], leaves: Sequence[Any]) -> list[Any]:
    """For each leaf the path of its first place, where one array stands in several; else None.

    Equal shapes are not shared: only an array has an identity.
    """
    first: dict[int, tuple[str, ...]] = {}
    count: dict[int, int] = {}
    for path, leaf in zip(paths, leaves, strict=True):
        first.setdefault(id(leaf), path)
        count[id(leaf)] = count.get(id(leaf), 0) + 1
    return [
        first[id(leaf)] if count[id(leaf)] > 1 and not is_abstract(leaf) else None
        for leaf in leaves
    ]


def _own_sharding(leaf: Any, mesh: Any) -> Any:
    """The sharding a leaf has, where it says more than the default device."""
    if isinstance(leaf, jax.core.Tracer):
        return None
    sharding = getattr(leaf, "sharding", None)
    if isinstance(sharding, NamedSharding) and isinstance(sharding.mesh, AbstractMesh):
        return _on_devices(sharding, mesh)
    if sharding is None or (not is_abstract(leaf) and len(sharding.device_set) == 1):
        return None
    return sharding


def _on_devices(sharding: NamedSharding, mesh: Any) -> NamedSharding | None:
    """A sharding by names alone, on the mesh given or set; None where there is none for it."""
    for candidate in (mesh, jax.sharding.get_mesh()):
        if candidate is not None and set(sharding.mesh.axis_names) <= set(candidate.axis_names):
            return NamedSharding(candidate, sharding.spec)
    return None
