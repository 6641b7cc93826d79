"""Changes of shape after which every entry is still there: reshaped, transposed, repeated.

May import: the standard library, NumPy, jax, and of `jinit.analytic` components, facts, world; of
`jinit.tracing` atoms.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jax.extend.core import JaxprEqn

from jinit.analytic.components import total
from jinit.analytic.facts import Fact, Field, Given, Index, Signal
from jinit.analytic.world import World
from jinit.tracing.atoms import shape_of

__all__ = ["SHAPES", "reshape_value"]

_MOST = 2**22  # entries of an array that is kept beside a value


def _reshape(world: World, eqn: JaxprEqn, field: Field) -> Field:
    shape, order = shape_of(eqn.outvars[0]), eqn.params.get("dimensions")
    if eqn.primitive.name == "reshape" and order is not None:
        field = _permuted(field, order)
    names = [name for place in field.places for name in place]
    places = world.axes.regrouped(names, shape)
    if places is None:
        return _mixed_up(world, field, shape)
    return replace(field, places=places, shape=shape, given=_reshaped(field, shape))


def _reshaped(field: Field, shape: tuple[int, ...]) -> Given | None:
    if field.given is None or math.prod(shape) > _MOST:
        return None
    array = np.broadcast_to(field.given.value, field.shape).reshape(shape)
    return field.given._replace(value=array)


def _mixed_up(world: World, field: Field, shape: tuple[int, ...]) -> Field:
    """Entries whose axes cannot be told apart any more: all vary along all of them."""
    world.note(f"the axes of {field.shape} are mixed in {shape}: entries are taken as independent")
    places = world.axes.places(shape)
    names = frozenset(name for place in places for name in place)
    components = world.components(field)
    common = components.get(frozenset(), 0.0)
    made = {names: total(components) - common, frozenset[int](): common}
    return world.fresh(places, shape, field.mean, {s: v for s, v in made.items() if v})


def _transpose(world: World, eqn: JaxprEqn, field: Field) -> Field:
    return _permuted(field, eqn.params["permutation"])


def _permuted(field: Field, order: Sequence[int]) -> Field:
    given = field.given and field.given._replace(value=np.transpose(field.given.value, order))
    return replace(
        field,
        places=tuple(field.places[p] for p in order),
        shape=tuple(field.shape[p] for p in order),
        given=given,
    )


def _broadcast(world: World, eqn: JaxprEqn, field: Field) -> Field:
    shape, positions = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    places, spread = list(world.axes.places(shape)), [1] * len(shape)
    for place, position, size in zip(field.places, positions, field.shape, strict=True):
        if size == shape[position]:
            places[position] = place
    given = field.given
    if given is not None:
        for size, position in zip(given.value.shape, positions, strict=True):
            spread[position] = size
        given = given._replace(value=given.value.reshape(spread))
    return replace(field, places=tuple(places), shape=tuple(shape), given=given)


def _squeeze(world: World, eqn: JaxprEqn, field: Field) -> Field:
    gone = eqn.params["dimensions"]
    kept = [position for position in range(len(field.shape)) if position not in gone]
    given = field.given and field.given._replace(value=np.squeeze(field.given.value, tuple(gone)))
    return replace(
        field,
        places=tuple(field.places[p] for p in kept),
        shape=tuple(field.shape[p] for p in kept),
        given=given,
    )


SHAPES: Mapping[str, Callable[[World, JaxprEqn, Field], Field]] = {
    "broadcast_in_dim": _broadcast,
    "expand_dims": _reshape,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "transpose": _transpose,
}


def reshape_value(world: World, eqn: JaxprEqn, fact: Fact) -> Fact:
    """What is known of a value after a change of shape."""
    change = SHAPES[eqn.primitive.name]
    if isinstance(fact, Index):
        moved = change(world, eqn, Field(fact.places, fact.shape, 0.0, {}))
        return Index(moved.places, moved.shape)
    assert isinstance(fact, Signal)
    changed = change(world, eqn, fact.field)
    return replace(fact, field=changed, gaps=_gaps(eqn, fact), rows=_rows(eqn, fact))


def _rows(eqn: JaxprEqn, signal: Signal) -> tuple[int, tuple[Fact, ...]] | None:
    """The steps of a loop, after a transposition that leaves their own axes in order."""
    if signal.rows is None or eqn.primitive.name != "transpose":
        return None
    (axis, steps), order = signal.rows, list(eqn.params["permutation"])
    others = [p for p in order if p != axis]
    return (order.index(axis), steps) if others == sorted(others) else None


def _gaps(eqn: JaxprEqn, signal: Signal) -> Any:
    """A mask, moved as the scores are."""
    if signal.gaps is None:
        return None
    gaps, params = np.broadcast_to(signal.gaps, signal.shape), eqn.params
    if eqn.primitive.name == "transpose":
        return np.transpose(gaps, params["permutation"])
    if eqn.primitive.name == "broadcast_in_dim":
        spread = [1] * len(params["shape"])
        for size, position in zip(gaps.shape, params["broadcast_dimensions"], strict=True):
            spread[position] = size
        return gaps.reshape(spread)
    return gaps.reshape(shape_of(eqn.outvars[0]))
