"""What a program really does: every linear outcome of parameters, measured by running it.

Operations are run by JAX, one by one under `jit`; loops are unrolled, so that outcomes come in the
order in which the program computes them.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from jinit.evaluation.evaluator import run_operation
from jinit.tracing.jaxprs import inner_program, open_program, scan_counts
from jinit.tracing.reading import read_model

_PRODUCTS = ("dot_general", "conv_general_dilated", "ragged_dot_general")


class Value(NamedTuple):
    """A value, and whether parameters or inputs have a part in it."""

    array: Any
    params: bool = False
    inputs: bool = False


class Measured(NamedTuple):
    """Mean and variance of each linear outcome in order, and of the program's first output."""

    means: Any
    variances: Any
    output: Any


def runner(apply, params, inputs, **kwargs):
    """A function from parameters and inputs to what is measured."""
    reading = read_model(apply, params, inputs, kwargs)
    flags = [Value(None, params=bool(paths)) for paths in reading.params.paths]

    @jax.jit
    def run(values: Sequence[Any], arrays: Sequence[Any]) -> Measured:
        known = [flag._replace(array=value) for flag, value in zip(flags, values, strict=True)]
        found: list[Any] = []
        outcome = _through(
            reading.program, [*known, *(Value(array, inputs=True) for array in arrays)], found
        )
        means = [jnp.mean(_wide(y)) for y in found]
        return Measured(means, [jnp.var(_wide(y)) for y in found], _wide(outcome[0].array))

    def measure(params: Any, inputs: Sequence[Any]) -> Measured:
        again = read_model_values(params, inputs, kwargs)
        return jax.device_get(run(*again))

    return measure


def read_model_values(params, inputs, kwargs):
    """The arrays of parameters and of arguments, in the order of the program's inputs."""
    from jinit.tracing.opening import open_arguments, open_params

    return open_params(params).values, open_arguments((tuple(inputs), dict(kwargs))).values


def _wide(array):
    return array.astype(jnp.float32)


def _through(program, values, found):
    body, consts = open_program(program)
    known = dict(zip(body.invars, values, strict=True))
    known |= zip(body.constvars, map(Value, consts), strict=True)

    def look_up(atom):
        return Value(atom.val) if isinstance(atom, Literal) else known[atom]

    for eqn in body.eqns:
        known |= zip(eqn.outvars, _step(eqn, [*map(look_up, eqn.invars)], found), strict=True)
    return [look_up(atom) for atom in body.outvars]


def _step(eqn, values, found):
    program = inner_program(eqn)
    if program is not None:
        return _through(program, values, found)
    if eqn.primitive.name == "scan":
        return _scan(eqn, values, found)
    params = any(value.params for value in values)
    inputs = any(value.inputs for value in values)
    arrays = run_operation(eqn, [value.array for value in values])
    if _is_linear(eqn.primitive.name, values):
        found.append(arrays[0])
    return [Value(array, params, inputs) for array in arrays]


def _is_linear(name, values):
    if name in _PRODUCTS:
        one, other = values[:2]
    elif name in ("gather", "dynamic_slice"):
        one, other = values[0], values[-1]
        return one.params and not one.inputs and other.inputs
    else:
        return False
    return any(w.params and not w.inputs and x.inputs for w, x in ((one, other), (other, one)))


def _scan(eqn, values, found):
    counts, length = scan_counts(eqn), eqn.params["length"]
    first = counts.consts + counts.carry
    consts, carry, xs = values[: counts.consts], values[counts.consts : first], values[first:]
    rows = []
    steps = range(length)
    for step in reversed(steps) if eqn.params["reverse"] else steps:
        now = [x._replace(array=x.array[step]) for x in xs]
        outcome = _through(eqn.params["jaxpr"], [*consts, *carry, *now], found)
        carry = outcome[: counts.carry]
        rows.append(outcome[counts.carry :])
    if eqn.params["reverse"]:
        rows.reverse()
    return [*carry, *map(_stack, zip(*rows, strict=True))]


def _stack(column):
    flags = any(value.params for value in column), any(value.inputs for value in column)
    return Value(jnp.stack([value.array for value in column]), *flags)


def normal_like(key, shape):
    """A draw for an abstract input: normal, tokens below 50, or a key."""
    if jnp.issubdtype(shape.dtype, jax.dtypes.extended):
        return key
    if jnp.issubdtype(shape.dtype, jnp.integer):
        return jax.random.randint(key, shape.shape, 0, 50, shape.dtype)
    return jax.random.normal(key, shape.shape, shape.dtype)


def fresh_inputs(seed, inputs):
    """Inputs with values in place of shapes."""
    keys = jax.random.split(jax.random.key(seed), len(inputs))
    return [
        normal_like(key, x) if isinstance(x, jax.ShapeDtypeStruct) else x
        for key, x in zip(keys, inputs, strict=True)
    ]


def average(rows):
    """The mean of many measurements."""
    return np.mean(np.array(rows, dtype=np.float64), axis=0)
