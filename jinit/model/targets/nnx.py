"""Flax NNX: modules taken apart and put together anew, never changed in place.

May import: the standard library, flax, jax, and of `jinit.model` structure, and of
`jinit.model.targets` arrays, naming, nnx_layers, uses.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import jax
from flax import nnx
from jax.sharding import NamedSharding

from jinit.axes import Shape
from jinit.model.structure import Slot, Structure
from jinit.model.targets.arrays import as_slot, check_array, is_abstract
from jinit.model.targets.naming import Path, families, sibling_shapes
from jinit.model.targets.nnx_layers import layer_shape, nnx_use
from jinit.model.targets.uses import stacked_axes, without_axes

__all__ = ["describe_nnx", "describe_nnx_state"]

Keys: TypeAlias = tuple[Any, ...]

# What a stacked axis is called by, where metadata name it.
_STACK_NAMES = {"block", "blocks", "layer", "layers", "stack", "stage", "stages"}


def describe_nnx(
    module: Any,
    mesh: Any = None,
    rest_of: Callable[[Any], Any] | None = None,
    *,
    shapes_alone: bool = False,
) -> Structure:
    """Take apart an NNX module, or a container of modules, concrete or abstract.

    Args:
        module: the module.
        mesh: the mesh that names in the variables' metadata refer to.
        rest_of: computes the state that is no `nnx.Param`, for modules without values.
        shapes_alone: whether that may be abstract and nothing compute it.

    Returns:
        The module's structure, every path to a shared variable a slot of its own; `rebuild` gives
        a new module of the same graph, with new variables of the same types and metadata.

    Raises:
        TypeError: a parameter holds no array, or several.
        ValueError: a variable that is no `nnx.Param` is abstract, and nothing computes it.
    """
    graphdef, params, *rest = nnx.split(module, nnx.Param, ...)
    if rest_of is None and not shapes_alone:
        _check_concrete(*rest)
    places = _places(params, _shared_paths(module))

    def rebuild(values: Sequence[Any], computed: Any) -> Any:
        others = rest if computed is None else computed
        return nnx.merge(graphdef, _filled(params, places, values), *map(_copied, others))

    return Structure(
        slots=_slots(params, places, mesh, module),
        rebuild=rebuild,
        as_mask=lambda flags: _mask(places, flags),
        rest_of=rest_of,
        rest=tuple(rest) if rest_of is None else None,
    )


def describe_nnx_state(state: Any, mesh: Any = None, *, shapes_alone: bool = False) -> Structure:
    """Take apart what `nnx.state` or `nnx.split` returned; variables that are no `nnx.Param` stay.

    Args:
        state: the state.
        mesh: the mesh that names in the variables' metadata refer to.
        shapes_alone: whether variables that are no `nnx.Param` may be abstract.

    Returns:
        The state's structure; `rebuild` gives a new state.

    Raises:
        TypeError: a parameter holds no array, or several.
        ValueError: a variable that is no `nnx.Param` is abstract.
    """
    params, *rest = nnx.split_state(state, nnx.Param, ...)
    if not shapes_alone:
        _check_concrete(*rest)
    places = _places(params, ())

    def rebuild(values: Sequence[Any], computed: Any) -> Any:
        others = rest if computed is None else computed
        return nnx.merge_state(_filled(params, places, values), *map(_copied, others))

    return Structure(
        slots=_slots(params, places, mesh, None),
        rebuild=rebuild,
        as_mask=lambda flags: _mask(places, flags),
        rest=tuple(rest),
    )


class _Place(NamedTuple):
    """One of the paths to a variable.

    Attributes:
        path: this path.
        canonical: the path under which the state has the variable.
        alone: whether there is no other.
    """

    path: Keys
    canonical: Keys
    alone: bool


def _places(params: Any, shared: Sequence[Sequence[Keys]]) -> list[_Place]:
    places = []
    for canonical, _ in nnx.to_flat_state(params):
        paths = _aliases(canonical, shared)
        places += [_Place(path, canonical, len(paths) == 1) for path in paths]
    return places


def _shared_paths(module: Any) -> list[list[Keys]]:
    """The paths of each variable or module that stands in several places.

    References upwards make no other places.
    """
    groups = nnx.find_duplicates(module)
    return [
        [first, *(path for path in others if path[: len(first)] != first)]
        for first, *others in groups
    ]


def _aliases(path: Keys, shared: Sequence[Sequence[Keys]]) -> list[Keys]:
    """Every path to the variable at `path`, this one first."""
    paths = [path]
    for known in paths:  # which grows as it is gone through
        for group in shared:
            for prefix in group:
                if known[: len(prefix)] == prefix:
                    others = (other + known[len(prefix) :] for other in group)
                    paths += [other for other in others if other not in paths]
    return paths


def _slots(params: Any, places: Sequence[_Place], mesh: Any, module: Any) -> tuple[Slot, ...]:
    variables = dict(nnx.to_flat_state(params))
    layers = families({_names(path): _shape(path, it) for path, it in variables.items()})
    slots = []
    for place in places:
        family = layers[_names(place.canonical)[:-1]]
        slots.append(_slot(place, variables[place.canonical], family, mesh, module))
    told = {slot.shared: slot for slot in reversed(slots) if slot.role != "unknown"}
    return tuple(_as_told(slot, told.get(slot.shared, slot)) for slot in slots)


def _as_told(slot: Slot, other: Slot) -> Slot:
    """A shared parameter, used as the first of its layers that is known uses it."""
    if slot.shared is None or slot.role != "unknown":
        return slot
    return replace(slot, role=other.role, axes=other.axes, fans=other.fans, stack=other.stack)


def _slot(
    place: _Place, variable: Any, family: Mapping[str, Shape], mesh: Any, module: Any
) -> Slot:
    layer, parent = _at(module, place.path[:-1]), _at(module, place.path[:-2])
    names, canonical = _names(place.path), _names(place.canonical)
    shape = family[canonical[-1]]
    stack = _stack(layer, names[-1], shape, variable)
    siblings = sibling_shapes(family, canonical[-1], stack)
    return as_slot(
        names,
        _value(variable),
        nnx_use(layer, parent, names, without_axes(shape, stack), siblings),
        stack=stack,
        layer=_layer_name(layer),
        shared=None if place.alone else canonical,
        sharding=_declared_sharding(names, variable, mesh),
        mesh=mesh,
    )


def _stack(layer: Any, name: str, shape: Shape, variable: Any) -> Shape:
    """The axes that a parameter has beyond those that its layer defines.

    Where several axes could be these, metadata that name one decide, or else the leading ones do.
    """
    extents = layer_shape(layer, name)
    choices = () if extents is None else stacked_axes(shape, extents)
    names = _declared_names(variable)
    for axes in choices:
        if axes and all(axis < len(names) and names[axis] in _STACK_NAMES for axis in axes):
            return axes
    return choices[0] if choices else ()


def _at(module: Any, path: Keys) -> Any:
    """What stands at a path of a module; None where there is no module."""
    for key in path:
        if module is None:
            return None
        module = module[key] if _has_items(module) else getattr(module, str(key), None)
    return module


def _names(path: Keys) -> Path:
    """Keys as names; one that is itself a path, as in `nnx.WeightNorm`, is taken name by name."""
    keys = (key if isinstance(key, tuple) else (key,) for key in path)
    return tuple(str(name) for names in keys for name in names)


def _has_items(node: Any) -> bool:
    return isinstance(node, (Mapping, Sequence, nnx.List, nnx.Dict))


def _layer_name(layer: Any) -> str | None:
    is_layer = isinstance(layer, nnx.Module) and not _has_items(layer)
    return type(layer).__name__ if is_layer else None


def _shape(path: Keys, variable: Any) -> Shape:
    arrays = jax.tree.leaves(variable)
    if len(arrays) != 1:
        raise TypeError(
            f"{'/'.join(_names(path))!r} ({type(variable).__name__}) holds {len(arrays)} arrays; "
            "an nnx.Param must hold one, or a jax.ShapeDtypeStruct"
        )
    check_array(_names(path), arrays[0])
    return tuple(arrays[0].shape)


def _value(variable: Any) -> Any:
    return jax.tree.leaves(variable)[0]


def _declared_names(variable: Any) -> tuple[Any, ...]:
    """The names of a variable's axes, under each of the keys that Flax has had for them."""
    metadata = variable.get_metadata() if isinstance(variable, nnx.Variable) else {}
    for key in ("out_sharding", "sharding_names", "sharding"):
        if metadata.get(key):
            return tuple(metadata[key])
    return ()


def _declared_sharding(names: Sequence[str], variable: Any, mesh: Any) -> NamedSharding | None:
    if not _declared_names(variable):
        return None
    mesh = mesh or variable.get_metadata().get("mesh")
    if mesh is None:
        return None
    try:
        return NamedSharding(mesh, jax.tree.leaves(nnx.get_partition_spec([variable]))[0])
    except ValueError as error:
        raise ValueError(f"{'/'.join(names)}: {error}") from None


def _check_concrete(*rest: Any) -> None:
    abstract = [
        f"{'/'.join(_names(path))} ({type(variable).__name__})"
        for state in rest
        for path, variable in nnx.to_flat_state(state)
        if any(map(is_abstract, jax.tree.leaves(variable)))
    ]
    if abstract:
        raise ValueError(
            f"{', '.join(abstract)} are shapes without values, and no nnx.Param, so that only the "
            "model can compute them; pass a function that builds it in its place, such as "
            "lambda: Model(rngs=nnx.Rngs(0))"
        )


def _filled(params: Any, places: Sequence[_Place], values: Sequence[Any]) -> Any:
    """The parameters as new variables, of the same types and metadata, with other values."""
    by_path = _canonical_only(places, values)
    flat = [
        (path, jax.tree.unflatten(jax.tree.structure(variable), [by_path[path]]))
        for path, variable in nnx.to_flat_state(params)
    ]
    return nnx.from_flat_state(flat)


def _copied(state: Any) -> Any:
    """The state with new variables: two modules must not share one."""
    return jax.tree.map(lambda leaf: leaf, state)


def _mask(places: Sequence[_Place], flags: Sequence[bool]) -> Any:
    """Booleans in place of the variables, as `nnx.Optimizer` shows optax its parameters."""
    return nnx.from_flat_state(_canonical_only(places, flags))


def _canonical_only(places: Sequence[_Place], values: Sequence[Any]) -> dict[Keys, Any]:
    return {
        place.canonical: value
        for place, value in zip(places, values, strict=True)
        if place.path == place.canonical
    }
