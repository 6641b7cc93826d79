"""Products of two values: scores of queries and keys, averages that attention takes.

For independent values with components v_S and w_R, the means being components without axes, a sum
over the axis c of their products has components v_S w_R times n_c where S or R has c, as products
of different entries are then independent, and times n_c^2 where none has it.

May import: the standard library, jax, and of `jinit.analytic` facts, meeting, world.
"""

import math
from collections.abc import Sequence

from jax.extend.core import JaxprEqn

from jinit.analytic.facts import Field, Signal
from jinit.analytic.meeting import meet
from jinit.analytic.world import World
from jinit.tracing.atoms import shape_of

__all__ = ["multiply_values"]


def multiply_values(world: World, eqn: JaxprEqn, one: Signal, other: Signal) -> Signal:
    """`dot_general` of two values."""
    contracted, batch = eqn.params["dimension_numbers"]
    a, b = world.settled(one), world.settled(other)
    if world.components(a, b):
        world.note("two values with a common source are taken as independent")
    pairs = [*zip(*batch, strict=True), *zip(*contracted, strict=True)]
    meeting = meet(world, a, b, pairs, apart=True)
    a, b = meeting.one, meeting.other
    summed = [name for p in contracted[0] for name in world.axes.known(meeting.places[p])]
    places = (
        *(meeting.places[p] for p in batch[0]),
        *_free(a, (*contracted[0], *batch[0])),
        *_free(b, (*contracted[1], *batch[1])),
    )
    made: dict[frozenset[int], float] = {}
    for names, value in _parts(world, a):
        for more, factor in _parts(world, b):
            varying = names | more
            if varying:
                count = math.prod(
                    world.axes.size((name,)) ** (1 if name in varying else 2) for name in summed
                )
                left = varying - frozenset(summed)
                made[left] = made.get(left, 0.0) + value * factor * count
    mean = a.mean * b.mean * world.axes.size(summed)
    return world.signal(world.fresh(places, shape_of(eqn.outvars[0]), mean, made))


def _free(field: Field, taken: Sequence[int]) -> list[tuple[int, ...]]:
    return [names for position, names in enumerate(field.places) if position not in taken]


def _parts(world: World, field: Field) -> list[tuple[frozenset[int], float]]:
    """Components, the square of the mean among them."""
    found = dict(world.components(field))
    nothing: frozenset[int] = frozenset()
    parts = [*found.items()]
    return [*parts, (nothing, field.mean**2)] if field.mean else parts
