"""Passes through a model that rescale it or measure it, each one compiled program.

May import: the standard library, jax, NumPy, `jinit.axes`, and of `jinit.tracing` jaxprs, ledger,
of `jinit.evaluation` control, evaluator, operations, tape, and of `jinit.data_dependent` moments,
planning, stepping.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jinit.axes import Shape
from jinit.data_dependent.moments import Asked, Pool, wide
from jinit.data_dependent.planning import Scheme
from jinit.data_dependent.stepping import (
    Measuring,
    Rescaling,
    initial_state,
    positions_of,
    times,
)
from jinit.evaluation.control import has_control
from jinit.evaluation.evaluator import Evaluator
from jinit.evaluation.operations import InTurn
from jinit.evaluation.tape import Tape
from jinit.tracing.jaxprs import Closed
from jinit.tracing.ledger import Place, Scope

__all__ = ["Outcome", "Passes"]

FOUND = ("scale", "before", "rms")
_SHALLOW = 24  # layers that are compiled into one program


class Outcome(NamedTuple):
    """What a pass leaves.

    Attributes:
        leaves: new values, by parameter.
        state: the vectors "scale", "before" and "rms" by name, and those of a pool if there is one.
    """

    leaves: dict[int, Any]
    state: dict[str, Any]


class Passes:
    """The passes of one model, for inputs of one shape; compiled when they are first run.

    Args:
        program: the model, from all of its arrays.
        scheme: what to do where.
        statistic: "std" or "rms".
        shardings: of each parameter, and of each input after these, where it is if it is divided
            over devices; new values of parameters are put there too.
    """

    def __init__(
        self, program: Closed, scheme: Scheme, statistic: str, shardings: Sequence[Any]
    ) -> None:
        self._program, self.scheme = program, scheme
        self.statistic, self._shardings = statistic, shardings
        self._divided = any(sharding is not None for sharding in shardings)
        self._noted: list[Place] = []

    @cached_property
    def dtype(self) -> Any:
        """The dtype of scales."""
        avals: list[Any] = [var.aval for var in self._program.jaxpr.invars]
        is_double = any(aval.dtype in (jnp.float64, jnp.complex128) for aval in avals)
        return jnp.float64 if is_double else jnp.float32

    def known(self, scale: Any, arrays: Sequence[Any]) -> tuple[Any, Any]:
        """Scales, and no shifts, on the devices that the arrays are on."""
        vectors = scale.astype(self.dtype), np.full(self.scheme.n_shifts, np.nan, self.dtype)
        shardings = [array.sharding for array in arrays if isinstance(array, jax.Array)]
        mesh = next((s.mesh for s in shardings if isinstance(s, NamedSharding)), None)
        if mesh is None:
            return vectors
        whole = NamedSharding(mesh, PartitionSpec())  # type: ignore[no-untyped-call]
        scales, shifts = jax.device_put(vectors, whole)
        return scales, shifts

    @cached_property
    def rescale(self) -> Any:
        """`rescale(arrays, known, target) -> Outcome`, with scales and shifts known already."""
        if self._is_deep:
            return InTurn(self._rescale)
        leaves = {n: self._shardings[n] for n in (*self.scheme.blocks, *self.scheme.biases)}
        if all(sharding is None for sharding in leaves.values()):
            return jax.jit(self._rescale)
        return jax.jit(self._rescale, out_shardings=Outcome(leaves, None))  # type: ignore[arg-type]

    @property
    def _is_deep(self) -> bool:
        """Whether many layers follow one another, none of them in a loop.

        They run operation by operation: layers of one shape share all that is compiled, where one
        program would be compiled in minutes.
        """
        deep = len(self.scheme.decisions) > _SHALLOW
        return deep and not (self._divided or has_control(self._program))

    def measured(self, arrays: Sequence[Any]) -> dict[Place, Any]:
        """By site, the statistic of its outcome in a plain run, a number for each time it is run.

        Loops of unknown length tell nothing.
        """
        notes = self._measure_compiled(arrays)
        return dict(zip(self._noted, map(np.asarray, notes), strict=True))

    @cached_property
    def _measure_compiled(self) -> Any:
        return InTurn(self._measure) if self._is_deep else jax.jit(self._measure)

    def _rescale(self, arrays: Sequence[Any], known: tuple[Any, Any], target: Any) -> Outcome:
        tape = Tape(initial_state(self.scheme, *known), positions_of(self.scheme))
        step = Rescaling(self.scheme, Asked(self.statistic, target, self._divided))
        Evaluator(step).through(self._program, arrays, Scope(), tape)
        vectors = dict(zip(FOUND, tape.state["found"], strict=True))
        if "pool" in tape.state:
            vectors |= dict(zip(Pool._fields, tape.state["pool"], strict=True))
        shifts = tape.state["shift"][0] if "shift" in tape.state else None
        return Outcome(self._applied(arrays, vectors["scale"], shifts), vectors)

    def _measure(self, arrays: Sequence[Any]) -> list[Any]:
        tape = Tape()
        step = Measuring(self.scheme, Asked(self.statistic, 1.0, self._divided))
        Evaluator(step).through(self._program, arrays, Scope(), tape)
        self._noted = list(tape.notes)
        return list(tape.notes.values())

    def _applied(self, arrays: Sequence[Any], scales: Any, shifts: Any) -> dict[int, Any]:
        """The parameters, rescaled and shifted, each rounded once."""
        found = {}
        for group in self.scheme.groups:
            for leaf, exponent in group.exponents.items():
                block = self.scheme.blocks[leaf]
                start = np.int32(block.offset)
                found[leaf] = _scaled(arrays[leaf], scales, start, block.broadcast, exponent)
        for leaf, block in self.scheme.biases.items():
            found[leaf] = _shifted(arrays[leaf], shifts, np.int32(block.offset))
        return found


@partial(jax.jit, static_argnums=(3, 4))
def _scaled(leaf: Any, scales: Any, start: Any, shape: Shape, exponent: Fraction) -> Any:
    """A parameter times a power of its scales, those that are not known left out."""
    part = jax.lax.dynamic_slice(scales, (start,), (math.prod(shape),))
    part = jnp.where(part > 0, part, jnp.ones_like(part)).reshape(shape)
    power = part if exponent == 1 else part ** np.asarray(float(exponent), part.dtype)
    return times(leaf, power)


@jax.jit
def _shifted(leaf: Any, shifts: Any, start: Any) -> Any:
    """A parameter plus its shifts."""
    part = jnp.nan_to_num(jax.lax.dynamic_slice(shifts, (start,), (leaf.size,)))
    bias = wide(leaf)
    return (bias + part.astype(bias.dtype).reshape(leaf.shape)).astype(leaf.dtype)
