"""Weights in memory: trees of arrays, of PyTorch's tensors too, and live models.

May import: the standard library, jax, numpy, of `jinit.model.targets` arrays, dispatch, loaded,
trees, and of `jinit.pretrained` leaves, sources, and formats.torch_tensors where torch is loaded.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jinit.model.targets.arrays import check_array, is_abstract
from jinit.model.targets.building import NNX
from jinit.model.targets.loaded import holds, is_a
from jinit.model.targets.trees import PARAMS, flatten_tree, is_variables
from jinit.pretrained.leaves import describe_model
from jinit.pretrained.sources import Array, Source, TensorSpec, Window

__all__ = ["TreeSource"]

_MODELS = (*NNX, "flax.nnx.State", "flax.nnx.Variable", "equinox.Module")


class TreeSource(Source):
    """The arrays of a tree or of a live model, each read where it lies."""

    def __init__(self, tree: Any) -> None:
        self._leaves = _leaves_of(tree)
        specs = {name: _spec(name, leaf) for name, leaf in self._leaves.items()}
        super().__init__(specs, f"{type(tree).__name__} in memory")

    def _read(self, name: str, window: Window | None) -> Array:
        leaf = self._leaves[name]
        if is_a(leaf, "torch.Tensor"):
            from jinit.pretrained.formats.torch_tensors import tensor_values

            return tensor_values(leaf, self[name].dtype, window)
        values = np.asarray(leaf if window is None else leaf[window])
        return values.astype(self[name].dtype, copy=False)


def _spec(name: str, leaf: Any) -> TensorSpec:
    if is_a(leaf, "torch.Tensor"):
        from jinit.pretrained.formats.torch_tensors import tensor_spec

        return tensor_spec(leaf, "state_dict", name)
    if leaf is None or is_abstract(leaf):
        raise TypeError(f"{name!r} is a shape without values; pass a model that has its weights")
    if isinstance(leaf, jax.core.Tracer):
        raise TypeError(f"{name!r} is traced and has no values yet; load outside jax.jit")
    return TensorSpec(tuple(leaf.shape), np.dtype(leaf.dtype).newbyteorder("="))


def _leaves_of(tree: Any) -> dict[str, Any]:
    """The arrays by their paths; of Linen's variables, parameters without the collection's name."""
    if is_a(tree, "torch.nn.Module"):
        return dict(tree.state_dict())
    if holds(tree, *_MODELS):
        return {leaf.path: leaf.value for leaf in describe_model(tree).wanted}
    if is_variables(tree):
        others = {name: tree[name] for name in tree if name != PARAMS}
        return _joined(tree[PARAMS]) | _joined(others)
    return _joined(tree)


def _joined(tree: Mapping[str, Any]) -> dict[str, Any]:
    flat = flatten_tree(tree)
    leaves: dict[str, Any] = {}
    for parts, leaf in zip(flat.paths, flat.values(), strict=True):
        name = "/".join(parts)
        if not is_a(leaf, "torch.Tensor"):
            check_array(parts, leaf)
        if name in leaves:
            raise ValueError(f"two leaves are called {name!r}; rename one, or pass the tree nested")
        leaves[name] = leaf
    return leaves
