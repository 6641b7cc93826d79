"""The weights of a model, and those of them that a scale is learned for.

May import: jax, numpy, and of `jinit.model` declaring, leaf, ruleset, selectors, targets.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jinit.model.declaring import declare_stacks, declare_usage
from jinit.model.leaf import Leaf, as_leaves
from jinit.model.ruleset import RuleError
from jinit.model.selectors import as_selector
from jinit.model.structure import Structure

__all__ = ["Arrays", "Weights", "open_weights"]

Arrays: TypeAlias = Sequence[Any]


@dataclass(frozen=True, eq=False)
class Weights:
    """A model's floating parameters, each array once, and which of them have a scale.

    Attributes:
        leaves: the parameters, in the model's order.
        scaled: the places among them of those that have a scale.
        norms: of each of these its norm, or the norms of its slices; as many axes as the leaf,
            stacked ones of their extents and others of 1, as scales have.
        skipped: paths of leaves that would have a scale and are zero.
        dtype: what scales, norms and sums are computed in.
        rebuild: puts the model together from values of the leaves.
    """

    leaves: tuple[Leaf, ...]
    scaled: tuple[int, ...]
    norms: tuple[np.ndarray[Any, Any], ...]
    skipped: tuple[str, ...]
    dtype: np.dtype[Any]
    rebuild: Callable[[Arrays], Any]

    @property
    def values(self) -> list[Any]:
        """The values of the leaves, as they were given."""
        return [leaf.slot.value for leaf in self.leaves]

    @property
    def scaled_leaves(self) -> list[Leaf]:
        """The leaves that have a scale."""
        return [self.leaves[place] for place in self.scaled]

    def rescale(self, values: Arrays, scales: Arrays) -> list[Any]:
        """The values, those that have a scale multiplied by it."""
        scaled = list(values)
        for place, scale in zip(self.scaled, scales, strict=True):
            value = values[place]
            scaled[place] = (_as(self.dtype, value) * scale).astype(value.dtype)
        return scaled

    def slopes(self, values: Arrays, cotangents: Arrays) -> list[Any]:
        """Derivatives with respect to the scales, from those with respect to the leaves."""
        pairs = zip(self.scaled, self.scaled_leaves, strict=True)
        return [
            _slice_sums(leaf, _as(self.dtype, values[place]) * _as(self.dtype, cotangents[place]))
            for place, leaf in pairs
        ]

    def told(self, numbers: Arrays) -> dict[str, Any]:
        """By path, a float; of a stacked leaf an array that has its stacked axes."""
        found = {}
        for leaf, number in zip(self.scaled_leaves, numbers, strict=True):
            array = np.array(number).reshape([leaf.shape[axis] for axis in leaf.stack])
            array.flags.writeable = False
            found[leaf.path] = array if leaf.stack else float(array)
        return found

    def finish(self, scales: Arrays) -> Any:
        """The model with its weights rescaled, each where it was; other leaves are not copied."""
        made = jax.jit(self.rescale)(self.values, scales)
        finished = self.values
        for place in self.scaled:
            sharding = getattr(finished[place], "sharding", made[place].sharding)
            moved = sharding != made[place].sharding
            finished[place] = jax.device_put(made[place], sharding) if moved else made[place]
        return self.rebuild(finished)


def open_weights(
    params: Any,
    *,
    only: Any = None,
    stacked: Mapping[Any, Any] | None = None,
    usage: Mapping[str, Any] | None = None,
    least_axes: int = 0,
) -> Weights:
    """Take a model apart.

    Args:
        params: a tree of arrays, Linen's variables, an NNX module or state, an Equinox module.
        only: selector, or several, of the leaves that get a scale; None for all that can have one.
        stacked: by selector, how many leading axes (or which axes) hold layers stacked by hand.
        usage: from `jinit.trace`; tells roles, and stacks that a scan goes along.
        least_axes: how many axes, stacked ones apart, a leaf needs to get a scale.

    Raises:
        TypeError: a parameter is traced, complex or no array.
        ValueError: a parameter has no value, or no leaf gets a scale.
        jinit.RuleError: a selector selects no leaf.
    """
    from jinit.model.targets.dispatch import describe_target

    structure = describe_target(params)
    slots = declare_usage(structure.slots, usage) if usage else structure.slots
    every = as_leaves(declare_stacks(slots, stacked) if stacked else slots)
    owners = dict(zip(every, _owners(every), strict=True))
    leaves = tuple(leaf for leaf in dict.fromkeys(owners.values()) if _is_weight(leaf))
    if not leaves:
        raise ValueError(
            f"`params` (a {type(params).__name__}) holds no floating parameter; pass what "
            "`loss` takes first, such as a Linen module's variables or an NNX module"
        )
    dtype = np.dtype(np.float64 if any(map(_is_double, leaves)) else np.float32)
    selected = {owners[leaf] for leaf in _selected(every, only)}
    wanted = [leaf for leaf in leaves if leaf in selected]
    eligible = [leaf for leaf in wanted if len(leaf.shape) - len(leaf.stack) >= least_axes]
    norms = dict(zip(eligible, _norms_of(eligible, dtype), strict=True))
    chosen = [leaf for leaf in eligible if norms[leaf].any()]
    if not chosen:
        raise ValueError(_nothing_to_scale(wanted, eligible, least_axes))
    return Weights(
        leaves=leaves,
        scaled=tuple(leaves.index(leaf) for leaf in chosen),
        norms=tuple(norms[leaf] for leaf in chosen),
        skipped=tuple(leaf.path for leaf in eligible if leaf not in chosen),
        dtype=dtype,
        rebuild=_rebuilder(structure, owners, leaves),
    )


def _as(dtype: Any, array: Any) -> Any:
    return jnp.asarray(array).astype(dtype)


def _slice_sums(leaf: Leaf, array: Any) -> Any:
    """The sum over a leaf, or over each of the slices stacked in it, axes being kept."""
    axes = tuple(axis for axis in range(len(leaf.shape)) if axis not in leaf.stack)
    return array.sum(axis=axes, keepdims=True)


def _owners(leaves: Sequence[Leaf]) -> list[Leaf]:
    """For each leaf the first that is the same array."""
    first: dict[Any, Leaf] = {}
    tokens = [id(leaf) if leaf.slot.shared is None else (leaf.slot.shared,) for leaf in leaves]
    return [first.setdefault(token, leaf) for token, leaf in zip(tokens, leaves, strict=True)]


def _is_weight(leaf: Leaf) -> bool:
    """Whether a leaf is a floating array with values; integers stay as they are."""
    value = leaf.slot.value
    if value is None:
        raise ValueError(f"{leaf} has no values; initialize the model first (jinit.initialize)")
    if isinstance(value, jax.core.Tracer):
        raise TypeError(
            f"{leaf} is traced and has no values yet; learn scales outside of jax.jit, vmap and "
            "grad: their steps are compiled anyway"
        )
    if jnp.issubdtype(leaf.dtype, jnp.complexfloating):
        raise TypeError(
            f"{leaf} is complex, for which the objectives are not defined; hold its real and "
            "imaginary parts as two leaves, or close over it in `loss`"
        )
    return jnp.issubdtype(leaf.dtype, jnp.floating) and leaf.size > 0


def _is_double(leaf: Leaf) -> bool:
    return leaf.dtype == np.float64


def _selected(leaves: Sequence[Leaf], only: Any) -> list[Leaf]:
    if only is None:
        return list(leaves)
    several = isinstance(only, Sequence) and not isinstance(only, str)
    selectors = [as_selector(one) for one in (only if several else [only])]
    for selector in selectors:
        if not any(map(selector, leaves)):
            paths = ", ".join(repr(leaf.path) for leaf in leaves[:5])
            raise RuleError(f"`only` (={selector!r}) selects no leaf; paths are such as {paths}")
    return [leaf for leaf in leaves if any(selector(leaf) for selector in selectors)]


def _norms_of(leaves: Sequence[Leaf], dtype: Any) -> list[np.ndarray[Any, Any]]:
    """The norm of each leaf, or of each slice."""

    def norms(values: Arrays) -> list[Any]:
        pairs = zip(leaves, values, strict=True)
        squares = [(leaf, jnp.square(_as(dtype, value))) for leaf, value in pairs]
        return [jnp.sqrt(_slice_sums(leaf, square)) for leaf, square in squares]

    return jax.device_get(jax.jit(norms)([leaf.slot.value for leaf in leaves]))  # type: ignore[no-any-return]


def _nothing_to_scale(wanted: Sequence[Leaf], eligible: Sequence[Leaf], least: int) -> str:
    """Why none of the leaves that were asked for can have a scale."""
    reasons = [
        f"{leaf} {'is zero' if leaf in eligible else f'has fewer than {least} axes'}"
        for leaf in wanted[:5]
    ]
    seen = ", ".join(reasons) or "they are no floating arrays"
    return f"no leaf can be scaled: {seen}; draw weights first, and let `only` select some of them"


def _rebuilder(
    structure: Structure, owners: Mapping[Leaf, Leaf], leaves: Sequence[Leaf]
) -> Callable[[Arrays], Any]:
    """A function from values of `leaves` to the model."""

    def rebuild(values: Arrays) -> Any:
        given = dict(zip(leaves, values, strict=True))
        filled = [given.get(owner, leaf.slot.value) for leaf, owner in owners.items()]
        return structure.rebuild(filled, None)

    return rebuild
