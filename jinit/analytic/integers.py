"""Integers and conditions that come from the inputs: tokens, one-hot vectors, lengths.

May import: the standard library, NumPy, jax, and of `jinit.analytic` facts, world.
"""

from collections.abc import Sequence

import numpy as np
from jax.extend.core import JaxprEqn

from jinit.analytic.axes import Places
from jinit.analytic.facts import Fact, Index, Known, Signal
from jinit.analytic.world import World
from jinit.tracing.atoms import dtype_of, shape_of

__all__ = ["as_number", "follow_index"]


def follow_index(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> Fact | None:
    """What an elementwise operation makes of integers; None where it mixes them with signals."""
    if any(isinstance(fact, Signal) for fact in facts):
        return None
    shape, kind = shape_of(eqn.outvars[0]), dtype_of(eqn.outvars[0]).kind
    index = next(fact for fact in facts if isinstance(fact, Index))
    places = index.places if index.shape == shape else world.axes.places(shape)
    axis = _counted(facts, shape) if eqn.primitive.name == "eq" else None
    if axis is not None:
        return _one_hot(world, index, shape, axis)
    if kind in "iub":
        return Index(places, shape)
    return as_number(world, Index(places, shape), dtype_of(eqn.invars[0]).kind == "b")


def as_number(world: World, index: Index, condition: bool) -> Signal:
    """An integer or a condition in a computation with real numbers."""
    names = frozenset(name for place in index.places for name in world.axes.known(place))
    if condition:
        world.note("a condition on integer inputs is taken to hold half of the time")
        return world.signal(world.fresh(index.places, index.shape, 0.5, {names: 0.25}))
    world.note("an integer input is taken as a number from N(0, 1)")
    return world.signal(world.fresh(index.places, index.shape, 0.0, {names: 1.0}))


def _counted(facts: Sequence[Fact], shape: Sequence[int]) -> int | None:
    """The axis along which integers are compared with 0, 1, 2 ..."""
    arrays = [fact.value for fact in facts if isinstance(fact, Known)]
    if len(arrays) != 1 or arrays[0].ndim != len(shape):
        return None
    for axis, size in enumerate(shape):
        if size > 1 and arrays[0].shape[axis] == size:
            counted = np.moveaxis(arrays[0], axis, -1)
            if np.array_equal(counted, np.broadcast_to(np.arange(size), counted.shape)):
                return axis
    return None


def _one_hot(world: World, index: Index, shape: Sequence[int], axis: int) -> Signal:
    """One of `size` entries is 1, each as often as the others."""
    size = shape[axis]
    places = list(world.axes.places(shape))
    for position, known in enumerate(index.places):
        if position != axis and index.shape[position] == shape[position]:
            places[position] = known
    names = _flat(world, tuple(places))
    row = names - _flat(world, (places[axis],))
    variance = (1 - 1 / size) / size
    components = {names: variance * size / (size - 1), row: -variance / (size - 1)}
    return world.signal(world.fresh(tuple(places), tuple(shape), 1 / size, components))


def _flat(world: World, places: Places) -> frozenset[int]:
    return frozenset(name for place in places for name in world.axes.known(place))
