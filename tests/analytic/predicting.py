"""Predictions for any function, and what the function does to random inputs."""

import jax
import jax.numpy as jnp
import numpy as np
from analytic.running import fresh_inputs

from jinit.analytic.facts import Known, Signal
from jinit.analytic.rescaling import _input
from jinit.analytic.scaling import Scaling
from jinit.analytic.walk import Walk
from jinit.analytic.world import World
from jinit.tracing.jaxprs import make_program


def predicted(function, *inputs, mean=0.0, std=1.0):
    """The world after a walk, and what is known of the function's outputs."""
    world = World(Scaling(1.0, "std", frozenset(), ()))
    shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in inputs]
    program = make_program(lambda *xs: jax.tree.leaves(function(*xs)), *shapes)
    facts = [_input(world, s, x, mean, std) for s, x in zip(shapes, inputs, strict=True)]
    return world, Walk(world).through(program, facts)


def law_of(world, fact):
    """Mean and variance, or those of an array's entries."""
    if isinstance(fact, Known):
        return float(np.mean(fact.value)), float(np.var(fact.value))
    assert isinstance(fact, Signal)
    field = world.settled(fact)
    return field.mean, world.variance(field)


def simulated(function, *inputs, draws=32, mean=0.0, std=1.0):
    """Mean and variance of all entries of the first output, over draws of the inputs."""
    run = jax.jit(lambda *xs: jax.tree.leaves(function(*xs))[0].astype(jnp.float32))
    values = []
    for seed in range(draws):
        arrays = fresh_inputs(seed, inputs)
        floating = [jnp.issubdtype(x.dtype, jnp.floating) and x.ndim for x in arrays]
        pairs = zip(arrays, floating, strict=True)
        values.append(np.asarray(run(*(mean + std * x if f else x for x, f in pairs)), np.float64))
    stacked = np.stack(values)
    assert stacked.shape[0] == draws
    return stacked.mean(), np.mean(np.square(stacked - stacked.mean()))
