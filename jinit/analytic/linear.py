"""Products with an array: dense layers, einsums, experts; and rows of tables.

May import: the standard library, NumPy, jax, and of `jinit.analytic` axes, facts, kernel, outcomes,
world.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.extend.core import JaxprEqn

from jinit.analytic.axes import Names
from jinit.analytic.facts import Fact, Field, Index, Known, Signal
from jinit.analytic.kernel import Kernel
from jinit.analytic.outcomes import Layer, identity_of, outcome, output_names, scaled_outcome
from jinit.analytic.world import World
from jinit.tracing.atoms import shape_of

__all__ = ["apply_array", "look_up", "ragged_array"]

_NOTHING: frozenset[int] = frozenset()


def apply_array(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> Signal:
    """`dot_general` of a value with an array, on either side."""
    contracted, batch = eqn.params["dimension_numbers"]
    side = 0 if isinstance(facts[0], Known) else 1
    known, signal = facts[side], facts[1 - side]
    assert isinstance(known, Known)
    assert isinstance(signal, Signal)
    field = world.settled(signal)
    summed = contracted[1 - side], contracted[side]
    kernel = _matrix(world, field, known, summed, batch[side])
    identity = identity_of(world, known)
    own = _own_names(world, known, identity, (*contracted[side], *batch[side]))
    rows = [field.places[p] for p in batch[1 - side]]
    kept = _left(field, (*contracted[1 - side], *batch[1 - side]))
    batches = _flat(world, rows)
    layer = Layer(
        known,
        kernel,
        (*rows, *((*own, *kept) if side == 0 else (*kept, *own))),
        shape_of(eqn.outvars[0]),
        _gone(kernel),
        _flat(world, own) | batches,
        batches,
        identity,
    )
    return outcome(world, field, layer)


def ragged_array(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> Signal | None:
    """A product in which each row has one of the experts; None for its other forms."""
    numbers = eqn.params["ragged_dot_dimension_numbers"]
    signal, known = facts[:2]
    (contracted, batch) = numbers.dot_dimension_numbers
    groups = tuple(numbers.rhs_group_dimensions)
    if not isinstance(signal, Signal) or not isinstance(known, Known) or batch[0] or not groups:
        return None
    field, identity = world.settled(signal), identity_of(world, known)
    kernel = _matrix(world, field, known, contracted, groups)
    own = _own_names(world, known, identity, (*contracted[1], *groups))
    rows = _flat(world, [field.places[p] for p in numbers.lhs_ragged_dimensions])
    layer = Layer(
        known,
        kernel,
        (*_left(field, contracted[0]), *own),
        shape_of(eqn.outvars[0]),
        _gone(kernel),
        _flat(world, own) | rows,
        rows,
        identity,
    )
    return outcome(world, field, layer)


def _matrix(
    world: World,
    field: Field,
    known: Known,
    contracted: tuple[Sequence[int], Sequence[int]],
    batch: Sequence[int],
) -> Kernel:
    """The array with its axes in order, and contracted ones as the value's names have them."""
    array = np.asarray(known.value, dtype=np.float64)
    free = [p for p in range(array.ndim) if p not in (*contracted[1], *batch)]
    names = [name for p in contracted[0] for name in world.axes.known(field.places[p])]
    sizes = [world.axes.size((name,)) for name in names]
    copies = math.prod(array.shape[p] for p in batch)
    ordered = np.transpose(array, (*batch, *contracted[1], *free))
    shaped = ordered.reshape((copies, *sizes, math.prod(array.shape[p] for p in free)))
    return Kernel(shaped, tuple(frozenset((name,)) for name in names))


def _own_names(world: World, known: Known, identity: Any, taken: Sequence[int]) -> list[Names]:
    free = [p for p in range(known.value.ndim) if p not in taken]
    return [output_names(world, identity, p, known.shape[p]) for p in free]


def _left(field: Field, taken: Sequence[int]) -> list[Names]:
    return [names for position, names in enumerate(field.places) if position not in taken]


def _gone(kernel: Kernel) -> dict[int, frozenset[int]]:
    return {name: _NOTHING for names in kernel.names for name in names}


def _flat(world: World, places: Sequence[Names]) -> frozenset[int]:
    return frozenset(name for names in places for name in world.axes.known(names))


# --- tables -----------------------------------------------------------------------------------


def look_up(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> Signal:
    """Rows of an array that integers from the inputs pick: each row as often as the others."""
    known, shape = facts[0], shape_of(eqn.outvars[0])
    assert isinstance(known, Known)
    array = np.asarray(known.value, dtype=np.float64)
    array = array * world.scaling.factor(known.degrees)
    is_gather = eqn.primitive.name == "gather"
    kept = (
        eqn.params["dimension_numbers"].offset_dims
        if is_gather
        else [p for p in range(len(shape)) if array.shape[p] == shape[p]]
    )
    places = list(world.axes.places(shape))
    index = next((fact for fact in facts[1:] if isinstance(fact, Index)), None)
    if index is not None and is_gather:
        rows = [p for p in range(len(shape)) if p not in kept]
        for position, names in zip(rows, index.places, strict=False):
            places[position] = names
    common = _column_variance(eqn, array) if kept else 0.0
    components = {_flat(world, [places[p] for p in kept]): common}
    components[_flat(world, places)] = float(array.var()) - common
    made = world.fresh(tuple(places), shape, float(array.mean()), components)
    return scaled_outcome(world, made, known)


def _column_variance(eqn: JaxprEqn, array: Any) -> float:
    """The variance of the average row: what rows from a short table have in common."""
    if eqn.primitive.name != "gather":
        return 0.0
    rows = tuple(eqn.params["dimension_numbers"].collapsed_slice_dims)
    return float(array.mean(axis=rows).var()) if rows else 0.0
