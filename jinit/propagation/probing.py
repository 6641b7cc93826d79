"""Probes of a model's Jacobian by products with vectors, for all inputs of a batch at once.

May import: jax, NumPy, and of `jinit.evaluation` evaluator, tape, and of `jinit.tracing` jaxprs,
ledger, and of `jinit.propagation` bidiagonal, gauges, spectrum.

Where inputs have no part in each other's outputs, one product with the batch's Jacobian is a
product with each input's own.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jinit.evaluation.evaluator import Evaluator
from jinit.evaluation.tape import Tape
from jinit.propagation.bidiagonal import bidiagonalize
from jinit.propagation.gauges import accurate
from jinit.propagation.spectrum import Spectrum, spectrum_of_bidiagonal, spectrum_of_matrices
from jinit.tracing.jaxprs import Closed
from jinit.tracing.ledger import Scope

__all__ = ["EXACT", "Ends", "Prober"]

EXACT = 32  # inputs or outputs up to which whole Jacobians are computed
_COUPLED = 1e-5  # of an input's own change, what reaches another's output


@dataclass(frozen=True)
class Ends:
    """Between what a Jacobian is.

    Attributes:
        inputs: which of the program's inputs vary.
        outputs: which of its outputs count.
        axis: where the inputs of a batch lie, in both; None to take a batch as one input.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    axis: int | None


class _Linear(NamedTuple):
    """A Jacobian as products, on one row of numbers an input."""

    forth: Callable[[Array], Array]
    back: Callable[[Array], Array]
    wide: int
    high: int


class Prober:
    """Finds spectra of a program's Jacobian: `prober(arrays, key)`, compiled once.

    Args:
        program: the program.
        ends: between what.
        steps: of the Lanczos process.
    """

    def __init__(self, program: Closed, ends: Ends, steps: int) -> None:
        self._program, self._ends, self._steps = program, ends, steps
        self._whole = jax.jit(self._matrices)
        self._probes = jax.jit(self._bidiagonal)

    def __call__(self, arrays: Sequence[Any], key: Any) -> Spectrum:
        """The spectrum at these arguments."""
        high, wide = self._shape(arrays)
        if min(high, wide) <= EXACT:
            matrices, coupled = self._whole(list(arrays), key)
            if not coupled:
                return spectrum_of_matrices(np.asarray(matrices))
        diagonal, below, coupled = jax.device_get(self._probes(list(arrays), key))
        if coupled:  # all columns are one
            inputs = diagonal.shape[1]
            shape = (inputs * high, inputs * wide)
            return spectrum_of_bidiagonal(diagonal[:, :1], below[:, :1], shape)
        return spectrum_of_bidiagonal(diagonal, below, (high, wide))

    def _shape(self, arrays: Sequence[Any]) -> tuple[int, int]:
        def widths(arrays: Sequence[Any]) -> tuple[Array, Array]:
            linear, _ = self._linear(arrays)
            return jnp.zeros(linear.high), jnp.zeros(linear.wide)

        high, wide = jax.eval_shape(widths, list(arrays))
        return high.size, wide.size

    def _linear(self, arrays: Sequence[Any]) -> tuple[_Linear, Array]:
        """The Jacobian at some arguments, and the point it is taken at."""
        ends = self._ends
        given = [arrays[place] for place in ends.inputs]
        split = partial(_split, like=given, axis=ends.axis)
        evaluator = Evaluator(derivatives=True)

        def function(x: Array) -> Array:
            values = list(arrays)
            for place, value in zip(ends.inputs, split(x), strict=True):
                values[place] = value
            outcome = evaluator.through(self._program, values, Scope(), Tape())
            return _joined([outcome[place] for place in ends.outputs], ends.axis)

        x = _joined(given, ends.axis)
        y, forth = jax.linearize(function, x)
        transposed = jax.linear_transpose(forth, x)
        return _Linear(forth, lambda g: transposed(g)[0], x.shape[1], y.shape[1]), x

    def _matrices(self, arrays: Sequence[Any], key: Any) -> tuple[Array, Array]:
        """Whole Jacobians, shape (inputs, outputs, inputs' numbers), and whether these mix."""
        linear, x = self._linear(arrays)
        tall = linear.high > linear.wide
        size, apply = (linear.wide, linear.forth) if tall else (linear.high, linear.back)
        basis = jnp.eye(size, dtype=x.dtype)
        rows = jax.lax.map(
            lambda one: apply(jnp.broadcast_to(one, (x.shape[0], size))), basis
        )  # (size, inputs, other)
        matrices = jnp.moveaxis(rows, 0, -1 if tall else 1)
        return matrices, _coupled(linear, x, key)

    def _bidiagonal(self, arrays: Sequence[Any], key: Any) -> tuple[Array, Array, Array]:
        """Golub and Kahan's process from a random vector on the smaller side."""
        linear, x = self._linear(arrays)
        coupled = _coupled(linear, x, key)
        if linear.high > linear.wide:
            small, into, out_of = linear.wide, linear.forth, linear.back
        else:
            small, into, out_of = linear.high, linear.back, linear.forth
        start = jax.random.normal(jax.random.fold_in(key, 1), (x.shape[0], small), x.dtype)
        diagonal, below = bidiagonalize(into, out_of, start, self._steps, coupled)
        return diagonal, below, coupled


def _coupled(linear: _Linear, x: Array, key: Any) -> Array:
    """Whether a change of the first input changes another's output."""
    if x.shape[0] == 1:
        return jnp.asarray(False)
    change = jax.random.normal(jax.random.fold_in(key, 2), x.shape[1:], x.dtype)
    answer = linear.forth(jnp.zeros_like(x).at[0].set(change))
    sizes = jnp.max(jnp.abs(answer), axis=1)
    return jnp.max(sizes[1:]) > _COUPLED * sizes[0]


def _joined(arrays: Sequence[Any], axis: int | None) -> Array:
    """A row of numbers for each input."""
    dtype = max((accurate(array.dtype) for array in arrays), key=lambda dtype: dtype.itemsize)
    rows = []
    for array in arrays:
        count = 1 if axis is None else array.shape[axis]
        front = array if axis is None else jnp.moveaxis(array, axis, 0)
        rows.append(front.reshape(count, -1).astype(dtype))
    return jnp.concatenate(rows, axis=1)


def _split(joined: Array, like: Sequence[Any], axis: int | None) -> list[Array]:
    """The arrays that were joined."""
    arrays, start = [], 0
    for array in like:
        moved = list(array.shape)
        if axis is not None:
            moved.insert(0, moved.pop(axis))
        size = math.prod(moved) // joined.shape[0]
        part = joined[:, start : start + size].reshape(moved).astype(array.dtype)
        arrays.append(part if axis is None else jnp.moveaxis(part, 0, axis))
        start += size
    return arrays
