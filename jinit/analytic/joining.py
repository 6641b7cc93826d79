"""Values side by side along an axis: joined, stacked, with a border around them.

May import: the standard library, NumPy, jax, and of `jinit.analytic` arithmetic, facts, meeting,
parts, world; of `jinit.tracing` atoms.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from jax.extend.core import JaxprEqn

from jinit.analytic.arithmetic import as_field
from jinit.analytic.facts import Fact, Field, Index, Known, Signal
from jinit.analytic.meeting import meet
from jinit.analytic.parts import picked
from jinit.analytic.world import World
from jinit.tracing.atoms import shape_of

__all__ = ["JOINING", "mixture"]


def mixture(
    world: World, fields: Sequence[Field], shares: Sequence[float], axis: int, shape: Sequence[int]
) -> Field:
    """Values side by side along an axis, as one value whose entries come from each.

    Args:
        world: the state of the walk.
        fields: the values.
        shares: what part of the entries each one is.
        axis: the axis, along which names are new.
        shape: the outcome's shape.
    """
    own = world.axes.new(shape[axis])
    mean = float(np.dot(shares, [field.mean for field in fields]))
    first = fields[0]
    made: dict[frozenset[int], float] = {}
    others = [p for p in range(len(shape)) if p != axis]
    spread = sum(
        share * (field.mean - mean) ** 2 for field, share in zip(fields, shares, strict=True)
    )
    size = shape[axis]
    _add(made, frozenset(own), spread * size / (size - 1))
    _add(made, frozenset(), -spread / (size - 1))
    places, beside = list(first.places), replace(first, terms={})
    for field, share in zip(fields, shares, strict=True):
        meeting = meet(world, beside, field, [(p, p) for p in others])
        for position in others:
            places[position] = meeting.places[position]
        new = world.varying(meeting.other) - world.varying(beside)
        terms = {**beside.terms, **meeting.other.terms} if new else beside.terms
        beside = replace(beside, places=tuple(places), terms=terms)
        old = frozenset(world.axes.known(field.places[axis]))
        for names, value in world.components(meeting.other).items():
            if names & old:
                _add(made, (names - old) | frozenset(own), value * share)
            else:
                both = share * max(0.0, share * size - 1) / (size - 1)  # of two, in the same part
                _add(made, names, value * both)
                _add(made, names | frozenset(own), value * (share - both))
    places[axis] = own
    return world.fresh(tuple(places), tuple(shape), mean, {s: v for s, v in made.items() if v})


def _add(made: dict[frozenset[int], float], names: frozenset[int], value: float) -> None:
    made[names] = made.get(names, 0.0) + value


def _concatenated(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> list[Fact]:
    """Values and arrays joined along an axis."""
    axis, shape = eqn.params["dimension"], shape_of(eqn.outvars[0])
    if any(isinstance(fact, Index) for fact in facts):
        return [Index(world.axes.places(shape), shape)]
    fields = [_own_field(world, fact) for fact in facts]
    shares = [field.shape[axis] / shape[axis] for field in fields]
    return [world.signal(mixture(world, fields, shares, axis, shape))]


def _own_field(world: World, fact: Fact) -> Field:
    if isinstance(fact, Signal):
        return world.settled(fact)
    assert isinstance(fact, Known)
    like = Field(world.axes.places(fact.shape), fact.shape, 0.0, {})
    return as_field(world, fact, like)


def _pad(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> list[Fact] | None:
    """A value with a border: zeros, as a rule."""
    fact, shape = facts[0], shape_of(eqn.outvars[0])
    if isinstance(fact, Index):
        return [Index(world.axes.places(shape), shape)]
    if not isinstance(fact, Signal) or not isinstance(facts[1], Known):
        return None
    field, border = world.settled(fact), float(facts[1].value)
    for axis, size in enumerate(shape):
        if size != field.shape[axis]:
            grown = (*field.shape[:axis], size, *field.shape[axis + 1 :])
            share = min(1.0, field.shape[axis] / size)
            empty = Field(field.places, field.shape, border, {})
            if size < field.shape[axis]:
                field = world.settled(picked(world, world.signal(field), grown))
            else:
                field = mixture(world, [field, empty], [share, 1 - share], axis, grown)
    return [world.signal(field)]


Rule: TypeAlias = Callable[[World, JaxprEqn, Sequence[Fact]], list[Fact] | None]

JOINING: Mapping[str, Rule] = {"concatenate": _concatenated, "pad": _pad}
