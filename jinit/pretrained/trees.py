"""Weights in memory: trees of arrays, live models.

May import: the standard library, jax, numpy, of `jinit.model.targets` dispatch, loaded, trees, and
of `jinit.pretrained` sources.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jinit.model.targets.arrays import check_array, is_abstract
from jinit.model.targets.dispatch import describe_target
from jinit.model.targets.loaded import holds
from jinit.model.targets.trees import PARAMS, flatten_tree, is_variables
from jinit.pretrained.sources import Array, Source, TensorSpec, Window

__all__ = ["TreeSource"]


class TreeSource(Source):
    """The arrays of a tree or of a live model, each read where it lies."""

    def __init__(self, tree: Any) -> None:
        self._leaves = _leaves_of(tree)
        specs = {
            name: TensorSpec(tuple(leaf.shape), np.dtype(leaf.dtype))
            for name, leaf in self._leaves.items()
        }
        super().__init__(specs, f"{type(tree).__name__} in memory")

    def _read(self, name: str, window: Window | None) -> Array:
        leaf = self._leaves[name]
        return np.asarray(leaf if window is None else leaf[window])


def _leaves_of(tree: Any) -> dict[str, Any]:
    """The arrays by their paths; of Linen's variables, parameters without the collection's name."""
    if is_variables(tree):
        others = {name: tree[name] for name in tree if name != PARAMS}
        return _joined(tree[PARAMS]) | _joined(others)
    if isinstance(tree, Mapping) and not holds(tree, "equinox.Module"):
        return _joined(tree)
    slots = describe_target(tree).slots
    return {"/".join(slot.parts): _with_values("/".join(slot.parts), slot.value) for slot in slots}


def _joined(tree: Any) -> dict[str, Any]:
    flat = flatten_tree(tree)
    leaves: dict[str, Any] = {}
    for parts, leaf in zip(flat.paths, flat.values(), strict=True):
        check_array(parts, leaf)
        name = "/".join(parts)
        if name in leaves:
            raise ValueError(f"two leaves are called {name!r}; rename one, or pass the tree nested")
        leaves[name] = _with_values(name, leaf)
    return leaves


def _with_values(name: str, leaf: Any) -> Any:
    if leaf is None or is_abstract(leaf):
        raise TypeError(f"{name!r} is a shape without values; pass a model that has its weights")
    return leaf
