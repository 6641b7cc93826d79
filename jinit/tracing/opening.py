"""What is traced: the arrays of parameter trees, modules and arguments, and these closed again.

May import: jax, NumPy, and of `jinit.model` targets (arrays, loaded, naming, trees).

Modules of NNX and Equinox are pytrees, so that no framework has to be imported here.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinit.model.targets.arrays import is_array
from jinit.model.targets.loaded import holds, is_a
from jinit.model.targets.naming import key_names
from jinit.model.targets.trees import PARAMS, flatten_tree, is_variables

__all__ = ["Opened", "open_arguments", "open_params"]


@dataclass(frozen=True)
class Opened:
    """Something with arrays in it.

    Attributes:
        arrays: the shapes of its arrays.
        values: these arrays as they are given: with values, or shapes themselves.
        paths: of each array the paths under which it is a parameter; none for other arrays.
        close: puts it together again, from arrays in the same order.
    """

    arrays: tuple[jax.ShapeDtypeStruct, ...]
    values: tuple[Any, ...]
    paths: tuple[tuple[str, ...], ...]
    close: Callable[[Sequence[Any]], Any]


def open_params(params: Any) -> Opened:
    """Take parameters apart: a tree, Linen's variables, a module or a state."""
    if is_a(params, "flax.nnx.State") or holds(params, "flax.nnx.Module", "flax.nnx.Variable"):
        return _open_nnx(params)
    if holds(params, "equinox.Module"):
        return _open_leaves(params, _in_equinox, _is_equinox_state)
    if is_variables(params):
        return _open_variables(params)
    return _open_boxed(params)


def open_arguments(arguments: Any) -> Opened:
    """Take arguments apart; what is no array, such as `train=False`, stays as it is."""
    return _open_leaves(arguments, lambda node, leaf: False, None)


def _shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
    """The shape of an array, with the sharding that its mesh's axes give."""
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return leaf
    dtype = leaf.dtype
    if not jnp.issubdtype(dtype, jax.dtypes.extended):
        dtype = jax.dtypes.canonicalize_dtype(dtype)
    return jax.ShapeDtypeStruct(np.shape(leaf), dtype)  # type: ignore[no-untyped-call]


def _open_leaves(
    tree: Any, is_param: Callable[[Any, Any], bool], is_node: Callable[[Any], bool] | None
) -> Opened:
    """Take a tree apart whose arrays are parameters where `is_param(node, leaf)` says so."""
    nodes, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_node)
    leaves, paths = [], []
    for path, node in nodes:
        for leaf in jax.tree.leaves(node):
            leaves.append(leaf)
            named = is_array(leaf) and is_param(node, leaf)
            paths.append(("/".join(key_names(path)),) if named else ())
    return _opened(leaves, paths, partial(jax.tree.unflatten, jax.tree.structure(tree)))


def _opened(
    leaves: Sequence[Any], paths: Sequence[tuple[str, ...]], build: Callable[[list[Any]], Any]
) -> Opened:
    """The arrays among the leaves, each once, however often it stands there."""
    tokens: dict[Hashable, int] = {}
    place_of: list[int | None] = []
    named: list[list[str]] = []
    arrays: list[Any] = []
    for leaf, names in zip(leaves, paths, strict=True):
        if not is_array(leaf):
            place_of.append(None)
            continue
        token = id(leaf) if isinstance(leaf, jax.Array) else object()
        place = tokens.setdefault(token, len(arrays))
        if place == len(arrays):
            arrays.append(leaf)
            named.append([])
        named[place] += names
        place_of.append(place)

    def close(values: Sequence[Any]) -> Any:
        pairs = zip(leaves, place_of, strict=True)
        return build([leaf if place is None else values[place] for leaf, place in pairs])

    return Opened(tuple(map(_shape_of, arrays)), tuple(arrays), tuple(map(tuple, named)), close)


def _open_boxed(tree: Any) -> Opened:
    """A tree of arrays, in metadata boxes or not: all are parameters."""
    flat = flatten_tree(tree)
    return _opened(flat.values(), [("/".join(path),) for path in flat.paths], flat.refilled)


def _open_variables(variables: Any) -> Opened:
    """Linen's variables: the collection `params` holds the parameters."""
    params = flatten_tree(variables[PARAMS])
    others = flatten_tree({name: variables[name] for name in variables if name != PARAMS})
    count = len(params.leaves)

    def build(values: list[Any]) -> Any:
        rest = others.refilled(values[count:])
        return {
            name: params.refilled(values[:count]) if name == PARAMS else rest[name]
            for name in variables
        }

    paths = [("/".join(path),) for path in params.paths] + [()] * len(others.leaves)
    return _opened([*params.values(), *others.values()], paths, build)


# --- modules ----------------------------------------------------------------------------------


def _in_equinox(node: Any, leaf: Any) -> bool:
    return not _is_equinox_state(node) and bool(jnp.issubdtype(leaf.dtype, jnp.inexact))


def _is_equinox_state(node: Any) -> bool:
    return is_a(node, "equinox.nn.State", "equinox.nn.StateIndex")


def _is_variable(node: Any) -> bool:
    return is_a(node, "flax.nnx.Variable")


def _open_nnx(module: Any) -> Opened:
    """An NNX module or state: its `nnx.Param` variables, one that stands in two places once."""
    nodes, treedef = jax.tree_util.tree_flatten_with_path(module, is_leaf=_is_variable)
    first: dict[int, int] = {}
    leaves: list[Any] = []
    paths: list[list[str]] = []
    spans = []
    for path, node in nodes:
        start = first.setdefault(id(node), len(leaves))
        if start == len(leaves):
            leaves += jax.tree.leaves(node)
            paths += [[] for _ in jax.tree.leaves(node)]
        stop = start + len(jax.tree.leaves(node))
        spans.append((start, stop))
        if is_a(node, "flax.nnx.Param") or not _is_variable(node):
            for names in paths[start:stop]:
                names.append("/".join(_nnx_names(path)))

    def build(values: list[Any]) -> Any:
        made: dict[int, Any] = {}
        for (_, node), (start, stop) in zip(nodes, spans, strict=True):
            if id(node) not in made:
                structure = jax.tree.structure(node)
                made[id(node)] = jax.tree.unflatten(structure, values[start:stop])
        return jax.tree.unflatten(treedef, [made[id(node)] for _, node in nodes])

    return _opened(leaves, [tuple(names) for names in paths], build)


def _nnx_names(path: Sequence[Any]) -> Sequence[str]:
    """Keys as names; one that is itself a path is taken name by name."""
    names: list[str] = []
    for key in path:
        inner = getattr(key, "key", key)
        names += [str(part) for part in inner] if isinstance(inner, tuple) else key_names([key])
    return names
