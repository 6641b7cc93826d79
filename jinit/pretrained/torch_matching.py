"""A matching of PyTorch's checkpoints with models of JAX, derived from pairs of module names.

May import: the standard library, `jinit.axes`, and of `jinit.pretrained` leaves, matching, recipes,
sources, templates, torch_layers, torch_names, torch_recurrent.
"""

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jinit.axes import Axes
from jinit.pretrained.leaves import Wanted
from jinit.pretrained.matching import Matched
from jinit.pretrained.recipes import Joined, Recipe, Tensor, tensors_of
from jinit.pretrained.sources import TensorSpec
from jinit.pretrained.templates import compile_pattern, natural
from jinit.pretrained.torch_layers import Layer, attention, plain
from jinit.pretrained.torch_names import (
    Names,
    Pair,
    TorchModule,
    as_pairs,
    torch_modules,
)
from jinit.pretrained.torch_recurrent import recurrent

__all__ = ["torch_to_flax"]

_FUSED = ("in_proj_weight", "q_proj_weight")
_COUNTER = "num_batches_tracked"
_ONLY_LAYER = re.compile(r"\.?l0$")


def torch_to_flax(pairs: Any = None, *, untransposed: Sequence[str] = ()) -> "TorchMatching":
    """Match a PyTorch checkpoint with a model of JAX, from pairs of module names.

    For `jinit.load(match=)`. Names of modules agree where their words and numbers do, however
    joined: "layers.0.self_attn" and "layers_0/self_attn". What becomes of a module's tensors
    follows from the leaves it goes to:

    - `weight`: (out, in) transposed for a Dense, its inputs or outputs split into heads for
      DenseGeneral and attention; OIHW to HWIO for convolutions of any rank, grouped ones too; those
      of transposed convolutions mirrored where the layer does not; as it is for an Embed, and for
      the scale of a norm; as it is where the leaf has PyTorch's own layout (Equinox).
    - `running_mean`, `running_var`: statistics, of `batch_stats` or `nnx.BatchStat`.
      `num_batches_tracked` is left aside.
    - `nn.MultiheadAttention`, or one matrix of query, key and value: split into modules "query",
      "key" and "value", where that is what there is.
    - `nn.LSTM`, `nn.GRU`, `nn.RNN` and their cells: gates apart or joined, biases added. One layer
      of several is the module "rnn.l1", "rnn.l0_reverse".
    - Layers of equal names but for a number: stacked, where the leaf is a stack (`nn.scan`).
    - Any other tensor: to the leaf of the same name in the module.

    Args:
        pairs: by the name of a module in the checkpoint, the path of one in the model; modules
            within follow. A name may have `*` and `**`, and a path `*`, or `{1}`, `{2}`, ... for
            what they stood for. Of several that fit, the one that fits most of a name counts. A
            tuple of names is fused into one module, side by side.
        untransposed: patterns on names of modules whose matrices are kept (in, out) as it is:
            `Conv1D` of transformers' GPT-2.

    Returns:
        The matching. It reads both ways: see `jinit.pretrained.export`.

    Raises:
        TypeError: `pairs` are no pairs of names.

    >>> import jax, numpy as np, jinit
    >>> from jinit.pretrained import torch_to_flax
    >>> saved = {"net.0.weight": np.ones((8, 4), np.float32), "net.0.bias": np.zeros(8, np.float32)}
    >>> model = {"hidden": {"kernel": jax.ShapeDtypeStruct((4, 8), "float32"),
    ...                     "bias": jax.ShapeDtypeStruct((8,), "float32")}}
    >>> params, report = jinit.load(model, saved, match=torch_to_flax({"net.0": "hidden"}))
    >>> print([(row.path, row.source, row.how) for row in report])
    [('hidden/bias', 'net.0.bias', ''), ('hidden/kernel', 'net.0.weight', 'transpose(1, 0)')]
    """
    for pattern in untransposed:
        compile_pattern(pattern)
    return TorchMatching(as_pairs(pairs), tuple(untransposed))


@dataclass(frozen=True)
class TorchMatching:
    """What `torch_to_flax` returns."""

    pairs: tuple[Pair, ...]
    untransposed: tuple[str, ...] = ()

    def match(self, wanted: Sequence[Wanted], specs: Mapping[str, TensorSpec]) -> Matched:
        """What each leaf is made of."""
        found = Matched()
        modules = torch_modules(specs)
        names, within = Names(self.pairs, wanted), _by_module(wanted)
        fused = {module.name for module in modules if any(n in module.tensors for n in _FUSED)}
        groups: dict[str, list[tuple[int, TorchModule]]] = {}
        for module in modules:
            goes_to = self._goes_to(module, names, fused, within)
            if goes_to is not None:
                groups.setdefault(goes_to[0], []).append((goes_to[1], module))
        for path, placed in groups.items():
            self._match_group([_layer(one, path) for one in within[path]], placed, specs, found)
        found.ignored += [n for m in modules for own, n in m.tensors.items() if own == _COUNTER]
        found.problems += names.problems
        found.problems += names.idle([name for m in modules for name in _around(m.name)])
        found.problems += [
            f"the pattern {pattern!r} in `untransposed` fits no module"
            for pattern in self.untransposed
            if not any(compile_pattern(pattern).fullmatch(module.name) for module in modules)
        ]
        return found

    def _goes_to(
        self, module: TorchModule, names: Names, fused: set[str], within: Container[str]
    ) -> tuple[str, int] | None:
        """The model's module; `nn.MultiheadAttention` calls its own last one "out_proj"."""
        around, _, own = module.name.rpartition(".")
        if own == "out_proj" and around in fused:
            parent = names.find(around)
            path = None if parent is None else f"{parent[0]}/out".strip("/")
            if path is not None and path in within:
                return path, 0
        if list(module.tensors) == [_COUNTER]:
            return None
        only = _ONLY_LAYER.sub("", module.name) if "weight_ih" in module.tensors else module.name
        return names.find(module.name) or names.find(only)

    def _match_group(
        self,
        layers: Sequence[Layer],
        placed: Sequence[tuple[int, TorchModule]],
        specs: Mapping[str, TensorSpec],
        found: Matched,
    ) -> None:
        """The leaves of one module, of all modules of the checkpoint that go there."""
        by_leaf: dict[str, list[_Placed]] = {}
        for place, module in placed:
            try:
                recipes = self._layer_recipes(module, layers, specs)
            except ValueError as error:
                found.problems.append(f"{module.name}: {error}")
                continue
            for leaf, recipe in recipes.items():
                by_leaf.setdefault(leaf, []).append(_Placed(place, module.name, recipe))
        by_path = {layer.wanted.path: layer for layer in layers}
        for leaf, parts in by_leaf.items():
            found.hints |= _stored_hint(by_path[leaf], parts[0].recipe, specs)
            try:
                found.recipes[leaf] = _joined(by_path[leaf], parts)
            except ValueError as error:
                found.problems.append(str(error))

    def _layer_recipes(
        self, module: TorchModule, layers: Sequence[Layer], specs: Mapping[str, TensorSpec]
    ) -> dict[str, Recipe]:
        """What the leaves of one layer are made of."""
        if "weight_ih" in module.tensors:
            rows, hidden = (specs[module.tensors[n]].shape for n in ("weight_ih", "weight_hh"))
            return recurrent(module.tensors, layers, hidden[1], rows[0])
        tensors = {own: specs[name] for own, name in module.tensors.items()}
        stored = any(compile_pattern(p).fullmatch(module.name) for p in self.untransposed)
        splits = any(layer.within[0] == "query" for layer in layers)
        made = plain(tensors, layers, stored)
        if splits and not any(len(layer.within) == 1 for layer in layers):
            made.update(attention(tensors, layers, stored))
        return {
            path: Tensor(module.tensors[own], operations)
            for path, (own, operations) in made.items()
        }


class _Placed(NamedTuple):
    """A part of a leaf: its place among those fused, and the module that it comes from."""

    place: int
    module: str
    recipe: Recipe


def _stored_hint(layer: Layer, recipe: Recipe, specs: Mapping[str, TensorSpec]) -> dict[str, str]:
    """What may help where a matrix would fit as it is, and not transposed."""
    shapes = [specs[tensor.name].shape for tensor in tensors_of(recipe) if tensor.operations]
    if shapes != [layer.shape] or len(layer.shape) != 2:
        return {}
    return {
        layer.wanted.path: "it fits as it is: if it is kept so, name its module in `untransposed`"
    }


def _joined(layer: Layer, parts: Sequence[_Placed]) -> Recipe:
    """The recipe of a leaf: within a layer what is fused side by side, and layers stacked."""
    leaf = layer.wanted.leaf
    places: dict[int, list[_Placed]] = {}
    for part in sorted(parts, key=lambda part: (part.place, natural(part.module))):
        places.setdefault(part.place, []).append(part)
    names = ", ".join(str(part.recipe) for part in parts)
    if len({len(column) for column in places.values()}) > 1:
        raise ValueError(f"{leaf} would be made of {names}: not as many of each in all layers")
    layers = [_fused(layer, row) for row in zip(*places.values(), strict=True)]
    if len(leaf.stack) == 1:
        return Joined(tuple(layers), "stack", leaf.stack[0])
    if len(layers) > 1 or leaf.stack:
        raise ValueError(
            f"{leaf}, stacked along {leaf.stack or 'no axis'}, would be made of {names}; give each "
            f"a module of its own, or say that layers are stacked: stacked={{{leaf.path!r}: 1}}"
        )
    return layers[0]


def _fused(layer: Layer, parts: Sequence[_Placed]) -> Recipe:
    """Parts side by side along the leaf's outputs."""
    if len(parts) == 1:
        return parts[0].recipe
    recipes = tuple(part.recipe for part in parts)
    outputs = (0,) if layer.axes is None else layer.axes.out_axis
    if len(outputs) > 1:
        names = ", ".join(map(str, recipes))
        raise ValueError(f"{layer.wanted.leaf} has outputs of several axes; {names} fuse into one")
    return Joined(recipes, "concatenate", outputs[0])


def _by_module(wanted: Sequence[Wanted]) -> dict[str, list[Wanted]]:
    """The leaves within each module, by its path."""
    within: dict[str, list[Wanted]] = {}
    for one in wanted:
        for depth in range(len(one.module) + 1):
            within.setdefault("/".join(one.module[:depth]), []).append(one)
    return within


def _layer(one: Wanted, path: str) -> Layer:
    """A leaf of the module at a path, one layer of it where layers are stacked."""
    leaf = one.leaf
    depth = len(path.split("/")) if path else 0
    kept = [axis for axis in range(len(leaf.shape)) if axis not in leaf.stack]
    axes = leaf.axes
    if axes is not None and leaf.stack:
        inputs, outputs, batch = (
            tuple(kept.index(axis) for axis in role if axis in kept) for role in axes
        )
        axes = Axes(inputs, outputs, batch)
    shape = tuple(leaf.shape[axis] for axis in kept)
    return Layer(one, (*one.module[depth:], leaf.name), shape, axes)


def _around(name: str) -> Iterator[str]:
    """A module and those that it is in, the root first."""
    words = name.split(".")
    yield from (".".join(words[:at]) for at in range(len(words) + 1))
