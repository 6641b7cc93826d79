"""Random numbers that a model draws: keys, and bits whose law is known.

May import: the standard library, NumPy, jax, and of `jinit.analytic` facts, world.

What a model makes of the bits - a uniform number, a mask of dropout, a normal number - are
functions of one value as any others.
"""

from collections.abc import Sequence

import numpy as np
from jax.extend.core import JaxprEqn

from jinit.analytic.facts import Chance, Fact, Index, Law, Signal
from jinit.analytic.world import World
from jinit.tracing.atoms import shape_of

__all__ = ["follow_chance", "is_chance"]

_NODES = 8192


def is_chance(eqn: JaxprEqn, facts: Sequence[Fact]) -> bool:
    """Whether an operation handles keys or draws bits."""
    name = eqn.primitive.name
    return name.startswith(("random_", "threefry", "rng_")) or any(
        isinstance(fact, Chance) for fact in facts
    )


def follow_chance(world: World, eqn: JaxprEqn) -> list[Fact]:
    """Keys stay keys; bits are uniform."""
    name = eqn.primitive.name
    if name in ("random_bits", "threefry2x32"):
        return [_bits(world, out) for out in eqn.outvars]
    if name == "rng_bit_generator":
        return [Chance(), _bits(world, eqn.outvars[1])]
    if name == "random_unwrap":
        shape = shape_of(eqn.outvars[0])
        return [Index(world.axes.places(shape), shape)]
    if name == "random_gamma":
        world.note("a gamma variable is taken as N(1, 1)")
        shape = shape_of(eqn.outvars[0])
        places = world.axes.places(shape)
        names = frozenset(n for place in places for n in place)
        return [world.signal(world.fresh(places, shape, 1.0, {names: 1.0}))]
    return [Chance() for _ in eqn.outvars]


def _bits(world: World, out: object) -> Signal:
    """Every integer as often as the others."""
    aval = out.aval  # type: ignore[attr-defined]
    width = np.iinfo(aval.dtype).bits
    count = min(_NODES, 2**width)
    step = 2**width // count
    nodes = (np.arange(count, dtype=np.uint64) * step + step // 2).astype(aval.dtype)
    law = Law(nodes, np.full(count, 1 / count))
    places = world.axes.places(aval.shape)
    names = frozenset(name for place in places for name in place)
    mean, variance = float(nodes.astype(float).mean()), float(nodes.astype(float).var())
    return world.signal(world.fresh(places, tuple(aval.shape), mean, {names: variance}), law)
