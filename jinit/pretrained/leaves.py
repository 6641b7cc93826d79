"""What a model wants of a checkpoint: its parameters, and what else it keeps in floating point.

May import: the standard library, jax, numpy, of `jinit.model` declaring, leaf, paths, structure,
and of `jinit.model.targets` arrays, dispatch, trees.
"""

import functools
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinit.model.declaring import (
    declare_layouts,
    declare_shardings,
    declare_stacks,
    declare_usage,
)
from jinit.model.leaf import Leaf, as_leaves
from jinit.model.paths import Parts
from jinit.model.structure import Slot, Structure
from jinit.model.targets.arrays import is_abstract, is_array
from jinit.model.targets.dispatch import describe_target
from jinit.model.targets.trees import Flat, flatten_tree

__all__ = ["Model", "Wanted", "check_value", "describe_model"]


@dataclass(frozen=True)
class Wanted:
    """A leaf that a checkpoint can fill.

    Attributes:
        leaf: the leaf.
        module: path of the module that owns it, without the name of a collection.
        is_parameter: whether it is a parameter, and not a statistic.
    """

    leaf: Leaf
    module: Parts
    is_parameter: bool = True

    @property
    def path(self) -> str:
        """The leaf's path."""
        return self.leaf.path

    @property
    def value(self) -> Any:
        """The value that the model has, or None."""
        return self.leaf.slot.value


@dataclass(frozen=True)
class Model:
    """A target, taken apart.

    Attributes:
        structure: its parameters, and how it is put together.
        wanted: its leaves, parameters first.
        rest: what is no parameter, flattened; None where there is nothing.
        filled: the places in `rest` of the last of `wanted`, those that are no parameters.
    """

    structure: Structure
    wanted: tuple[Wanted, ...]
    rest: Flat | None = None
    filled: tuple[int, ...] = ()

    @property
    def parameters(self) -> tuple[Wanted, ...]:
        """The leaves that are parameters."""
        return self.wanted[: len(self.structure.slots)]

    @property
    def statistics(self) -> tuple[Wanted, ...]:
        """The leaves that are none."""
        return self.wanted[len(self.structure.slots) :]

    @functools.cached_property
    def by_path(self) -> Mapping[str, Wanted]:
        """The leaves by their paths."""
        return {one.path: one for one in self.wanted}

    @property
    def completes_rest(self) -> bool:
        """Whether all that is no parameter is among the leaves."""
        return self.rest is None or len(self.filled) == len(self.rest.leaves)

    def unknown(self, paths: Container[str]) -> list[str]:
        """What is no parameter and has no value: of its own, computed, or at `paths`."""
        if self.rest is None or self.structure.rest_of is not None:
            return []
        statistics = {
            place: one.path for place, one in zip(self.filled, self.statistics, strict=True)
        }
        return [
            "/".join(_named(parts))
            for place, (parts, value) in enumerate(
                zip(self.rest.paths, self.rest.values(), strict=True)
            )
            if is_abstract(value) and statistics.get(place) not in paths
        ]

    def rebuild(self, values: Mapping[str, Any], rest: Any = None) -> Any:
        """The model with values by path, and others for what has none, as `rest_of` computes.

        Raises:
            ValueError: something would be left without a value: shapes do not get out.
        """
        params = [values.get(one.path) for one in self.parameters]
        for one, value in zip(self.parameters, params, strict=True):
            check_value(one.path, value)
        if self.rest is None:
            return self.structure.rebuild(params, None)
        others = self.rest.values() if rest is None else flatten_tree(rest).values()
        for place, one in zip(self.filled, self.statistics, strict=True):
            others[place] = values.get(one.path, others[place])
        for parts, value in zip(self.rest.paths, others, strict=True):
            check_value("/".join(parts), value)
        return self.structure.rebuild(params, self.rest.refilled(others))


def describe_model(
    target: Any,
    *,
    mesh: Any = None,
    shardings: Any = None,
    stacked: Mapping[Any, Any] | None = None,
    layouts: Mapping[Any, str] | None = None,
    usage: Mapping[str, Any] | None = None,
    dtype: Any = None,
) -> Model:
    """Take a target apart into what a checkpoint can fill.

    Args:
        target: what `jinit.load` takes.
        mesh: the mesh that names refer to.
        shardings: of parameters, as `jinit.plan` takes them.
        stacked: by selector, how many leading axes hold layers stacked by hand.
        layouts: by selector, the axes of kernels that only the user knows.
        usage: how the model uses its parameters, as `jinit.trace` tells.
        dtype: of all floating leaves, in place of their own.
    """
    structure = describe_target(target, mesh=mesh, shapes_alone=True)
    slots: Sequence[Slot] = structure.slots
    slots = declare_usage(slots, usage) if usage else slots
    slots = declare_stacks(slots, stacked) if stacked else slots
    slots = declare_layouts(slots, layouts) if layouts else slots
    slots = [_cast(slot, dtype) for slot in declare_shardings(slots, shardings, mesh)]
    parameters = [Wanted(leaf, leaf.parts[:-1]) for leaf in as_leaves(slots)]
    structure = replace(structure, slots=tuple(slots))
    rest = _rest_of(structure)
    if rest is None:
        return Model(structure, tuple(parameters))
    pairs = enumerate(zip(rest.paths, rest.values(), strict=True))
    places = [place for place, (parts, leaf) in pairs if _named(parts) and _is_statistic(leaf)]
    stacks = {one.module: one.leaf for one in parameters if one.leaf.stack}
    statistics = as_leaves([_cast(_slot(rest, place, stacks), dtype) for place in places])
    others = [Wanted(leaf, _owner(leaf.parts, rest), False) for leaf in statistics]
    return Model(structure, (*parameters, *others), rest, tuple(places))


def check_value(path: str, value: Any) -> None:
    """Raise unless something of a model has a value."""
    if value is None or is_abstract(value):
        raise ValueError(f"{path!r} has no value but {value!r}; nothing was loaded")


def _rest_of(structure: Structure) -> Flat | None:
    """What is no parameter, its shapes alone where the model would have to compute it."""
    rest = structure.rest
    if structure.rest_of is not None:
        rest = jax.eval_shape(structure.rest_of, jax.random.key(0))
    flat = flatten_tree(rest)
    return flat if flat.leaves else None


def _is_statistic(leaf: Any) -> bool:
    return is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.inexact)


def _slot(rest: Flat, place: int, stacks: Mapping[Parts, Leaf]) -> Slot:
    value = rest.values()[place]
    parts = _named(rest.paths[place])
    held = None if is_abstract(value) else value
    beside = stacks.get(_owner(parts, rest))
    stack = beside.stack if beside and len(beside.shape) == len(value.shape) else ()
    return Slot(parts, tuple(value.shape), np.dtype(value.dtype), value=held, stack=stack)


def _named(parts: Parts) -> Parts:
    """The path without the number of the state that NNX splits off; Equinox has no more."""
    return parts[1:] if parts[0].isdigit() else parts


def _owner(parts: Parts, rest: Flat) -> Parts:
    """The module, without the collection in whose name Linen keeps statistics."""
    by_state = rest.paths[0][0].isdigit()
    return parts[:-1] if by_state else parts[1:-1]


def _cast(slot: Slot, dtype: Any) -> Slot:
    if dtype is None or not jnp.issubdtype(slot.dtype, jnp.floating):
        return slot
    return replace(slot, dtype=np.dtype(dtype))
