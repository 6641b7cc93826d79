"""Equinox: modules, and trees that hold modules; inexact arrays are their parameters.

May import: the standard library, equinox, jax, and of `jinit.model` structure, and of
`jinit.model.targets` arrays, equinox_layers, naming, uses.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from jinit.axes import Shape
from jinit.model.structure import Slot, Structure
from jinit.model.targets.arrays import (
    as_slot,
    is_abstract,
    is_array,
    share_tokens,
)
from jinit.model.targets.equinox_layers import equinox_use, layer_shape
from jinit.model.targets.naming import families, key_names, last_name, sibling_shapes
from jinit.model.targets.uses import Use, stacked_axes, without_axes

__all__ = ["describe_equinox", "other_arrays"]


def describe_equinox(
    module: Any, mesh: Any = None, rest_of: Callable[[Any], Any] | None = None
) -> Structure:
    """Take apart an Equinox module, or a tree that holds some, concrete or abstract.

    Its inexact arrays are parameters, except in `eqx.nn.State` and where it is kept until then;
    everything else stays what it is.

    Args:
        module: the module.
        mesh: the mesh of shardings that name axes only.
        rest_of: computes `other_arrays`, for modules without values.

    Returns:
        The module's structure; `rebuild` gives a module.

    Raises:
        ValueError: an array that is no parameter is abstract, and nothing computes it.
    """
    flat = _flatten(module)
    if rest_of is None:
        _check_concrete(flat)
    slots = _slots(module, [leaf for leaf in flat.leaves if leaf.is_parameter], mesh)

    def rebuild(values: Sequence[Any], others: Any) -> Any:
        given = iter(values)
        kept = iter(_others(flat) if others is None else others)
        leaves = [
            next(given) if leaf.is_parameter else next(kept) if is_array(leaf.value) else leaf.value
            for leaf in flat.leaves
        ]
        return jax.tree.unflatten(flat.treedef, leaves)

    def as_mask(flags: Sequence[bool]) -> Any:
        given = iter(flags)
        leaves = [
            next(given) if leaf.is_parameter else False if is_array(leaf.value) else None
            for leaf in flat.leaves
        ]
        return jax.tree.unflatten(flat.treedef, leaves)

    return Structure(slots, rebuild, as_mask, rest_of)


def other_arrays(module: Any) -> list[Any]:
    """The arrays of a module that are no parameters, in the module's order."""
    return _others(_flatten(module))


class _Leaf(NamedTuple):
    path: tuple[Any, ...]
    value: Any
    is_parameter: bool


class _Flat(NamedTuple):
    leaves: tuple[_Leaf, ...]
    treedef: Any


def _flatten(module: Any) -> _Flat:
    nodes, _ = jax.tree_util.tree_flatten_with_path(module, is_leaf=_is_state)
    leaves: list[_Leaf] = []
    for path, node in nodes:
        in_state = _is_state(node)
        leaves += [
            _Leaf(path, value, not in_state and _is_inexact(value))
            for value in jax.tree.leaves(node)
        ]
    return _Flat(tuple(leaves), jax.tree.structure(module))


def _is_state(node: Any) -> bool:
    return isinstance(node, (eqx.nn.State, eqx.nn.StateIndex))


def _is_inexact(leaf: Any) -> bool:
    return is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.inexact)


def _others(flat: _Flat) -> list[Any]:
    return [leaf.value for leaf in flat.leaves if not leaf.is_parameter and is_array(leaf.value)]


def _check_concrete(flat: _Flat) -> None:
    abstract = dict.fromkeys(
        "/".join(key_names(leaf.path))
        for leaf in flat.leaves
        if not leaf.is_parameter and is_abstract(leaf.value)
    )
    if abstract:
        raise ValueError(
            f"{', '.join(abstract)} are shapes without values, and no parameters, so that only the "
            "model can compute them; pass a function that builds it in its place, such as "
            "lambda: Model(key=jax.random.key(0))"
        )


def _slots(module: Any, leaves: Sequence[_Leaf], mesh: Any) -> tuple[Slot, ...]:
    paths = [key_names(leaf.path) for leaf in leaves]
    values = [leaf.value for leaf in leaves]
    layers = families({p: tuple(value.shape) for p, value in zip(paths, values, strict=True)})
    tokens = share_tokens(paths, values)
    slots = []
    for leaf, parts, token in zip(leaves, paths, tokens, strict=True):
        layer = _at(module, leaf.path[:-1])
        use, stack = _use(layer, last_name(parts), layers[parts[:-1]])
        name = type(layer).__name__ if isinstance(layer, eqx.Module) else None
        slots.append(
            as_slot(parts, leaf.value, use, stack=stack, layer=name, shared=token, mesh=mesh)
        )
    return tuple(slots)


def _use(layer: Any, name: str, family: Mapping[str, Shape]) -> tuple[Use, Shape]:
    """What one layer does with an array, and the axes along which there are several layers."""
    extents = layer_shape(layer, name)
    choices = () if extents is None else stacked_axes(family[name], extents)
    stack = choices[0] if choices else ()
    shape = without_axes(family[name], stack)
    return equinox_use(layer, name, shape, sibling_shapes(family, name, stack)), stack


def _at(module: Any, path: Sequence[Any]) -> Any:
    """What stands at a key path of a module; None where the path cannot be followed."""
    for key in path:
        if isinstance(key, jax.tree_util.GetAttrKey):
            module = getattr(module, key.name, None)
        elif isinstance(key, jax.tree_util.SequenceKey):
            module = module[key.idx]
        elif isinstance(key, jax.tree_util.DictKey):
            module = module[key.key]
        else:
            return None
    return module
