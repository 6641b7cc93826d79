"""Parameter trees: nested dicts, lists, dataclasses, named tuples; Linen's variables; Haiku's.

May import: the standard library, jax, and of `jinit.model` structure, and of `jinit.model.targets`
arrays, loaded, naming, roles, uses, and boxes where flax is loaded.
"""

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

import jax

from jinit.axes import Shape
from jinit.model.structure import Slot, Structure
from jinit.model.targets.arrays import as_slot, check_array, is_abstract, share_tokens
from jinit.model.targets.loaded import is_loaded
from jinit.model.targets.naming import Path, families, key_names, last_name, sibling_shapes
from jinit.model.targets.roles import guess_use
from jinit.model.targets.uses import Use, without_axes

__all__ = [
    "PARAMS",
    "Known",
    "Telling",
    "describe_tree",
    "describe_variables",
    "flatten_tree",
    "is_variables",
    "named_stack",
]

PARAMS = "params"


class Known(NamedTuple):
    """What a model tells of one of its parameters, beyond its shape.

    Attributes:
        layer: class of the layer that owns it.
        use: what the layer does with it.
        stack: the axes along which layers are stacked.
    """

    layer: str | None
    use: Use
    stack: Shape = ()


Telling: TypeAlias = Callable[[Path], Known | None]


class Flat(NamedTuple):
    """A tree, flattened with boxes as leaves."""

    paths: tuple[Path, ...]
    leaves: tuple[Any, ...]
    treedef: Any

    def values(self) -> list[Any]:
        """The leaves out of their boxes."""
        return [_value(leaf) for leaf in self.leaves]

    def shapes(self) -> dict[Path, Shape]:
        """The shapes of the leaves, by their paths."""
        pairs = zip(self.paths, self.values(), strict=True)
        return {parts: tuple(value.shape) for parts, value in pairs}

    def refilled(self, values: Sequence[Any]) -> Any:
        """The tree with other values, in the same boxes."""
        filled = [_refill(leaf, value) for leaf, value in zip(self.leaves, values, strict=True)]
        return jax.tree.unflatten(self.treedef, filled)


def describe_tree(
    tree: Any,
    mesh: Any = None,
    *,
    known: Telling = lambda parts: None,
    shapes_alone: bool = False,
) -> Structure:
    """Take apart a tree of arrays or of shapes; every leaf is a parameter.

    Args:
        tree: the tree; Linen's variables are told from other trees by their collections.
        mesh: the mesh that names on boxes refer to.
        known: what the model tells of the parameter at a path, or None.
        shapes_alone: whether other collections of Linen's variables may be abstract.

    Returns:
        The tree's structure; `rebuild` gives a tree of the same kind.

    Raises:
        TypeError: a leaf is no array.
        ValueError: Linen's variables have a collection other than `params` that is abstract.
    """
    if is_variables(tree):
        return describe_variables(tree, mesh, known=known, shapes_alone=shapes_alone)
    flat = flatten_tree(tree)
    return Structure(
        slots=_slots(flat, mesh, known),
        rebuild=lambda values, rest: flat.refilled(values),
        as_mask=flat.refilled,
    )


def is_variables(tree: Any) -> bool:
    """Whether a tree is Linen's variables: mappings by collection, one of them the parameters."""
    return (
        isinstance(tree, Mapping)
        and PARAMS in tree
        and all(isinstance(name, str) and isinstance(tree[name], Mapping) for name in tree)
    )


def flatten_tree(tree: Any) -> Flat:
    """Paths and leaves of a tree, metadata boxes being leaves."""
    boxes = _boxes()
    is_leaf = boxes.is_box if boxes else None
    pairs, treedef = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_leaf)
    return Flat(
        tuple(key_names(path) for path, _ in pairs), tuple(leaf for _, leaf in pairs), treedef
    )


def describe_variables(
    variables: Mapping[str, Any],
    mesh: Any = None,
    *,
    known: Telling = lambda parts: None,
    rest_of: Callable[[Any], Any] | None = None,
    shapes_alone: bool = False,
) -> Structure:
    """Take apart Linen's variables, `{"params": ..., "batch_stats": ...}`.

    The collection `params` is taken, without its name in the paths, and the others are kept.

    Args:
        variables: the collections.
        mesh: the mesh that names on boxes refer to.
        known: what the module tells of the parameter at a path, or None.
        rest_of: computes the other collections, for variables without their values.
        shapes_alone: whether these may be abstract and nothing compute them.

    Returns:
        The variables' structure; `rebuild` gives variables.

    Raises:
        TypeError: a parameter is no array.
        ValueError: a collection other than `params` is abstract, and nothing computes it.
    """
    params = flatten_tree(variables.get(PARAMS, {}))
    kept = {name: variables[name] for name in variables if name != PARAMS}
    if rest_of is None and not shapes_alone:
        _check_concrete(kept)

    def rebuild(values: Sequence[Any], rest: Any) -> Any:
        others = kept if rest is None else rest
        made = {PARAMS: params.refilled(values)}
        make: Any = type(variables)
        return make({name: made[name] if name in made else others[name] for name in variables})

    rest = kept if rest_of is None else None
    return Structure(_slots(params, mesh, known), rebuild, params.refilled, rest_of, rest)


def _check_concrete(collections: Mapping[str, Any]) -> None:
    flat = flatten_tree(dict(collections))
    abstract = [
        "/".join(parts)
        for parts, leaf in zip(flat.paths, flat.values(), strict=True)
        if is_abstract(leaf)
    ]
    if abstract:
        raise ValueError(
            f"{', '.join(abstract)} are shapes without values, and no parameters, so that only the "
            "model can compute them; pass jinit.with_inputs(module, *inputs) in place of its "
            "variables, or the parameters alone"
        )


def _slots(flat: Flat, mesh: Any, known: Telling) -> tuple[Slot, ...]:
    values = flat.values()
    for parts, value in zip(flat.paths, values, strict=True):
        check_array(parts, value)
    layers = families(flat.shapes())
    tokens = share_tokens(flat.paths, values)
    slots = []
    for parts, leaf, value, token in zip(flat.paths, flat.leaves, values, tokens, strict=True):
        told = known(parts) or _guess(parts, layers[parts[:-1]])
        slots.append(
            as_slot(
                parts,
                value,
                told.use,
                stack=told.stack,
                layer=told.layer,
                shared=token,
                sharding=_boxed_sharding(parts, leaf, mesh),
                mesh=mesh,
            )
        )
    return tuple(slots)


def _guess(parts: Path, family: Mapping[str, Shape]) -> Known:
    stack, name = named_stack(parts), last_name(parts)
    shape = without_axes(family[name], stack)
    return Known(None, guess_use(name, shape, sibling_shapes(family, name, stack)), stack)


def named_stack(parts: Path) -> Shape:
    """The stacked axes that a path tells: each `layer_stack` of Haiku has a name that says so."""
    return tuple(range(sum(part.startswith("__layer_stack") for part in parts)))


def _boxes() -> ModuleType | None:
    """The adapter of Flax's boxes; without Flax there are none."""
    if not is_loaded("flax.core.meta"):
        return None
    from jinit.model.targets import boxes

    return boxes


def _value(leaf: Any) -> Any:
    boxes = _boxes()
    return boxes.boxed_value(leaf) if boxes and boxes.is_box(leaf) else leaf


def _refill(leaf: Any, value: Any) -> Any:
    boxes = _boxes()
    return boxes.refill(leaf, value) if boxes and boxes.is_box(leaf) else value


def _boxed_sharding(parts: Path, leaf: Any, mesh: Any) -> Any:
    boxes = _boxes()
    if not (boxes and boxes.is_box(leaf)):
        return None
    try:
        return boxes.boxed_sharding(leaf, mesh)
    except ValueError as error:
        raise ValueError(f"{'/'.join(parts)}: {error}") from None
