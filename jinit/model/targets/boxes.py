"""Flax's metadata boxes: `nn.Partitioned`, `nn.LogicallyPartitioned`, variables of NNX.

May import: the standard library, flax, jax, and of `jinit.model.targets` loaded.
"""

from collections.abc import Callable
from typing import Any

import jax
from flax import linen as nn
from flax.core.meta import AxisMetadata
from flax.linen.spmd import logical_to_mesh_axes
from jax.sharding import NamedSharding, PartitionSpec

from jinit.model.targets.loaded import is_a

__all__ = ["boxed_sharding", "boxed_value", "is_box", "refill"]


def is_box(node: Any) -> bool:
    """Whether a node is a box around an array."""
    return isinstance(node, AxisMetadata) or is_a(node, "flax.nnx.Variable")


def boxed_value(box: Any) -> Any:
    """What is in a box, or in a box within it; no sharding constraint is applied."""
    leaves = jax.tree.leaves(box)
    return leaves[0] if len(leaves) == 1 else box


def refill(box: Any, value: Any) -> Any:
    """The box with another value, its metadata kept."""
    return jax.tree.unflatten(jax.tree.structure(box), [value])


def boxed_sharding(box: Any, mesh: Any) -> NamedSharding | None:
    """The sharding that the names on a box ask for on `mesh`, or on a mesh of the box's own.

    Logical names go through the box's own rules, or those of `nn.logical_axis_rules`; without
    rules they mean nothing.

    Raises:
        ValueError: a name is no axis of the mesh.
    """
    mesh = mesh or getattr(box, "mesh", None)
    names = getattr(box, "names", None)
    if mesh is None or names is None:
        return None
    make_spec: Callable[..., Any] = PartitionSpec
    if isinstance(box, nn.LogicallyPartitioned):
        rules = box.rules or nn.get_logical_axis_rules()
        spec = logical_to_mesh_axes(names, rules) if rules else None
    else:
        spec = make_spec(*names)
    return None if spec is None else NamedSharding(mesh, spec)
