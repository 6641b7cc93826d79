"""What the user says of leaves beyond what the model tells: layouts, stacks, ties, shardings, use.

May import: jax, `jinit.axes`, `jinit.fans`, and of `jinit.model` leaf, paths, ruleset, selectors,
structure; of `jinit.model.targets` naming.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
from jax.sharding import NamedSharding, PartitionSpec, Sharding

from jinit.axes import Axes
from jinit.fans import resolve_axes
from jinit.model.leaf import Leaf, as_leaves
from jinit.model.paths import join
from jinit.model.ruleset import RuleError
from jinit.model.selectors import Selector, as_selector
from jinit.model.structure import Slot
from jinit.model.targets.naming import key_names

__all__ = [
    "declare_layouts",
    "declare_shardings",
    "declare_stacks",
    "declare_ties",
    "declare_usage",
]


def declare_stacks(slots: Sequence[Slot], stacked: Mapping[Any, int | Sequence[int]]) -> list[Slot]:
    """The slots, with the axes along which layers are stacked.

    Args:
        slots: the model's parameters.
        stacked: by selector, how many leading axes count layers, or which axes do.
    """

    def change(slot: Slot, spec: Any) -> Slot:
        axes = tuple(range(spec)) if isinstance(spec, int) else tuple(spec)
        ndim = len(slot.shape)
        if not all(-ndim <= axis < ndim for axis in axes):
            raise ValueError(f"`stacked` (={spec}) names an axis that {slot} does not have")
        stack = tuple(sorted(axis % ndim for axis in axes))
        return replace(slot, stack=stack, axes=_axes_in_stack(slot, stack))

    return _changed(slots, stacked, "stacked", change)


def _axes_in_stack(slot: Slot, stack: tuple[int, ...]) -> Axes | None:
    """A matrix a layer is (in, out); of more axes nothing is known from the shape alone."""
    inner = [axis for axis in range(len(slot.shape)) if axis not in stack]
    if slot.axes is not None and set(stack) <= set(slot.axes.batch_axis):
        return slot.axes
    return Axes((inner[0],), (inner[1],), stack) if len(inner) == 2 else None


def declare_layouts(slots: Sequence[Slot], layouts: Mapping[Any, str]) -> list[Slot]:
    """The slots, with axes read from layouts such as "HWIO" or einsums such as "btd,dhk->bthk".

    A layout describes one layer's kernel; stacked axes come on top of it.
    """

    def change(slot: Slot, spec: str) -> Slot:
        inner = [axis for axis in range(len(slot.shape)) if axis not in slot.stack]
        notation = {"einsum" if "->" in spec else "layout": spec}
        try:
            axes = resolve_axes([slot.shape[axis] for axis in inner], **notation)  # type: ignore[arg-type]
        except ValueError as error:
            raise ValueError(f"{slot}: {error}") from None
        named = [tuple(inner[axis] for axis in role) for role in axes]
        return replace(slot, axes=Axes(named[0], named[1], (*slot.stack, *named[2])), fans=None)

    return _changed(slots, layouts, "layouts", change)


def declare_ties(slots: Sequence[Slot], tied: Sequence[Sequence[Any]]) -> list[Slot]:
    """The slots, those of each group in `tied` (paths or selectors) sharing one array."""
    slots, leaves = list(slots), as_leaves(slots)
    for number, group in enumerate(tied):
        members = [
            place
            for selector in group
            for place in _selected(leaves, as_selector(selector), "tied")
        ]
        shapes = {slots[place].shape for place in members}
        if len(members) < 2 or len(shapes) > 1:
            names = ", ".join(str(slots[place]) for place in members)
            raise ValueError(f"`tied` needs two leaves or more, of one shape; {group!r} is {names}")
        for place in members:
            slots[place] = replace(slots[place], shared=("tied", number))
    return slots


def declare_usage(slots: Sequence[Slot], usage: Mapping[str, Any]) -> list[Slot]:
    """The slots, with fans, axes, role and activation as `usage` (from `jinit.trace`) has them."""
    return [
        _used(slot, usage[join(slot.parts)]) if join(slot.parts) in usage else slot
        for slot in slots
    ]


def _used(slot: Slot, use: Any) -> Slot:
    if use.role in ("unknown", "unused"):  # what the layer itself tells is more
        return slot
    stack = tuple(sorted({*slot.stack, *use.stack_axes}))
    batch = tuple(dict.fromkeys((*stack, *use.batch_axes)))
    axes = Axes(tuple(use.in_axes), tuple(use.out_axes), batch) if use.in_axes else slot.axes
    return replace(
        slot,
        role=use.role,
        axes=axes,
        fans=use.fans,
        stack=stack,
        activation=use.activation,
        activation_param=use.activation_param,
    )


def declare_shardings(slots: Sequence[Slot], shardings: Any, mesh: Any) -> list[Slot]:
    """The slots, with the sharding that each leaf is to have.

    Args:
        slots: the model's parameters.
        shardings: None for those that the model asks for; one sharding or PartitionSpec for all
            leaves; a function of the leaf; or a mapping or tree of them, whose paths are selectors.
        mesh: the mesh that PartitionSpecs refer to.

    Raises:
        ValueError: a spec names an axis that the mesh lacks, or cannot divide the leaf evenly.
    """
    if shardings is None:
        changed = list(slots)
    elif isinstance(shardings, (PartitionSpec, Sharding)):
        changed = [replace(slot, sharding=shardings) for slot in slots]
    elif callable(shardings):
        leaves = as_leaves(slots)
        changed = [replace(leaf.slot, sharding=shardings(leaf)) for leaf in leaves]
    else:
        by_path = shardings if _is_flat(shardings) else dict(_by_path(shardings))
        changed = _changed(
            slots, by_path, "shardings", lambda slot, spec: replace(slot, sharding=spec)
        )
    return [replace(slot, sharding=_checked(slot, mesh)) for slot in changed]


def _is_flat(shardings: Any) -> bool:
    """Whether this is a mapping of selectors, in the order in which they are tried."""
    return isinstance(shardings, Mapping) and all(map(_is_spec, shardings.values()))


def _is_spec(value: Any) -> bool:
    return value is None or isinstance(value, (PartitionSpec, Sharding))


def _by_path(tree: Any) -> Iterator[tuple[str, Any]]:
    flat, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=_is_spec)
    for path, spec in flat:
        names = key_names(path)
        yield join(names[1:] if names[:1] == ("params",) else names), spec


def _checked(slot: Slot, mesh: Any) -> Any:
    sharding = slot.sharding
    if isinstance(sharding, PartitionSpec) and mesh is not None:
        try:
            sharding = NamedSharding(mesh, sharding)
        except ValueError as error:
            raise ValueError(f"{slot}: {error}") from None
    if isinstance(sharding, Sharding):
        try:
            sharding.shard_shape(slot.shape)
        except ValueError as error:
            raise ValueError(f"{slot} cannot be laid out so: {error}") from None
    return sharding


def _changed(
    slots: Sequence[Slot],
    specs: Mapping[Any, Any],
    option: str,
    change: Callable[[Slot, Any], Slot],
) -> list[Slot]:
    """The slots, each changed by the first of `specs` that selects it; all must select some."""
    first: dict[int, Any] = {}
    leaves = as_leaves(slots)
    for spec, value in specs.items():
        for place in _selected(leaves, as_selector(spec), option):
            first.setdefault(place, value)
    return [
        change(slot, first[place]) if place in first else slot for place, slot in enumerate(slots)
    ]


def _selected(leaves: Sequence[Leaf], selector: Selector, option: str) -> list[int]:
    found = [place for place, leaf in enumerate(leaves) if selector(leaf)]
    if not found:
        paths = ", ".join(repr(leaf.path) for leaf in leaves[:5])
        raise RuleError(f"{selector!r} in `{option}` selects no leaf; paths are such as {paths}")
    return found
