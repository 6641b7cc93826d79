"""The steps that rescale a model's linear operations as they are computed, or only measure them.

May import: jax, NumPy, and of `jinit.tracing` atoms, ledger, of `jinit.evaluation` evaluator, tape,
and of `jinit.data_dependent` blocks, moments, planning.
"""

from collections.abc import Hashable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import JaxprEqn

from jinit.data_dependent.blocks import Index
from jinit.data_dependent.moments import Asked, Layout, Pool, wide
from jinit.data_dependent.planning import Actions, Correction, Decision, Scheme
from jinit.evaluation.evaluator import run_operation
from jinit.evaluation.tape import Tape
from jinit.tracing.atoms import shape_of
from jinit.tracing.ledger import Place, Scope

__all__ = ["Measuring", "Rescaling", "initial_state", "positions_of", "times"]


def positions_of(scheme: Scheme) -> dict[Place, Any]:
    """The slots of a tape: by operation, the step that each scan around it is at."""
    found: dict[Place, Any] = {}
    for place, lengths in scheme.lengths.items():
        steps = [np.arange(n, dtype=np.int32) for n in lengths]
        grids = np.meshgrid(*steps, indexing="ij")
        found[place] = [jnp.asarray(grid) for grid in grids]
    return found


class Rescaling:
    """A step that decides on scales, and takes those decided on.

    Of the tape's state it reads and writes "found", of which the rows are scales (0 where nothing
    is decided yet), statistics before and root mean squares; "pool", "shift" and "position".
    """

    def __init__(self, scheme: Scheme, asked: Asked) -> None:
        self._scheme, self._asked = scheme, asked

    def __call__(
        self, eqn: JaxprEqn, scope: Scope, values: Sequence[Any], tape: Tape
    ) -> Sequence[Any]:
        """Run one operation."""
        place = scope.place(eqn)
        actions = self._scheme.actions.get(place)
        if actions is None:
            return run_operation(eqn, values)
        operands = self._corrected(actions, list(values), place, tape)
        if actions.position is not None and "position" in tape.state:
            _note_position(eqn, operands, actions.position, tape)
        decision = actions.decision
        if decision is None:
            return run_operation(eqn, operands)
        if decision.site.bias is not None:
            operands = self._with_bias(decision, operands, place, tape)
            return run_operation(eqn, operands)
        (outcome,) = run_operation(eqn, operands)
        return [self._rescaled(decision, outcome, None, place, tape)[0]]

    def _corrected(
        self, actions: Actions, operands: list[Any], place: Place, tape: Tape
    ) -> list[Any]:
        for correction in actions.corrections:
            operand = operands[correction.operand]
            operands[correction.operand] = self._taken(correction, operand, place, tape)
        return operands

    def _taken(self, correction: Correction, operand: Any, place: Place, tape: Tape) -> Any:
        known = _read(tape.state["found"], self._where(correction.index, place, tape))[0]
        factor = jnp.where(known > 0, known, jnp.ones_like(known))
        factor = factor ** np.asarray(float(correction.exponent), factor.dtype)
        if factor.size == 1 or factor.ndim != operand.ndim:
            factor = factor.reshape(())
        return times(operand, factor)

    def _with_bias(
        self, decision: Decision, operands: list[Any], place: Place, tape: Tape
    ) -> list[Any]:
        site = decision.site
        assert site.bias is not None
        assert site.operand is not None
        kernel, other = site.operand, site.bias.operand
        scaled, bias = self._rescaled(decision, operands[kernel], operands[other], place, tape)
        operands[kernel], operands[other] = scaled, bias
        return operands

    def _rescaled(
        self, decision: Decision, y: Any, bias: Any, place: Place, tape: Tape
    ) -> tuple[Any, Any]:
        """A kernel's outcome, and the bias that is added to it, as they will be."""
        if decision.pooled:
            return self._pooled(decision, y, bias, place, tape), bias
        kernel, shift, mean = wide(y), decision.shift, None
        if shift is not None:
            mean = shift.layout.mean(kernel)
            kernel = kernel - mean
        beside = None if bias is None or shift is not None else wide(bias)
        tape.state["found"], scale, factor, rescaled = _decide(
            tape.state["found"],
            y,
            kernel,
            beside,
            self._where(decision.read, place, tape),
            [self._where(index, place, tape) for index in decision.writes.values()],
            self._asked.target,
            self._asked._replace(target=None),
            decision.layout,
            decision.once,
        )
        if shift is not None:
            mean = jnp.where(scale == 0, jnp.nan, mean * factor.astype(kernel.dtype))
            bias = self._shifted(decision, mean, bias, place, tape)
        return rescaled, bias

    def _shifted(self, decision: Decision, mean: Any, bias: Any, place: Place, tape: Tape) -> Any:
        """The bias that removes a mean, if it is not known already; NaN is none."""
        shift = decision.shift
        assert shift is not None
        at = self._where(shift.index, place, tape)
        known = _read(tape.state["shift"], at)[0]
        found = jnp.broadcast_to(-mean.astype(known.dtype) - bias.astype(known.dtype), known.shape)
        added = jnp.where(jnp.isnan(known), found, known)
        tape.state["shift"] = _written(tape.state["shift"], at, added[None])
        return (bias.astype(known.dtype) + jnp.nan_to_num(added)).astype(bias.dtype)

    def _pooled(self, decision: Decision, y: Any, bias: Any, place: Place, tape: Tape) -> Any:
        """A kernel's outcome by the scale that is tried; it is added to those judged together."""
        read = self._where(decision.read, place, tape)
        y = times(y, _read(tape.state["found"], read)[0])
        z = wide(y) if bias is None else wide(y) + wide(jnp.broadcast_to(bias, y.shape))
        pool = Pool(*_read(tape.state["pool"], read))
        pool = pool.joined(z, decision.layout, self._asked.statistic)
        self._write(decision, place, tape, "pool", jnp.stack(pool))
        return y

    def _write(self, decision: Decision, place: Place, tape: Tape, name: str, rows: Any) -> None:
        for index in decision.writes.values():
            at = self._where(index, place, tape)
            tape.state[name] = _written(tape.state[name], at, rows)

    def _where(self, index: Index, place: Place, tape: Tape) -> Any:
        """Positions in a vector: numbers, or what they are as the program runs."""
        at = index.fixed
        for factor, pick in index.moving:
            if isinstance(pick.source, int):
                step = tape.slots[place][pick.source]
            else:
                step = tape.state["position"][self._scheme.positions[pick.source]]
            entry = (step // np.int32(pick.inner)) % np.int32(pick.piece.size)
            at = at + np.int32(factor) * entry
        return at


class Measuring:
    """A step that notes the statistic of each site's outcome, as it is."""

    def __init__(self, scheme: Scheme, asked: Asked) -> None:
        self._scheme, self._asked = scheme, asked

    def __call__(
        self, eqn: JaxprEqn, scope: Scope, values: Sequence[Any], tape: Tape
    ) -> Sequence[Any]:
        """Run one operation."""
        place = scope.place(eqn)
        outcome = run_operation(eqn, values)
        actions = self._scheme.actions.get(place)
        if actions is not None and actions.decision is not None:
            layout = actions.decision.layout
            _, found, _ = self._asked.measure(wide(outcome[0]), None, layout)
            tape.notes[place] = layout.pick(found)
        return outcome


@partial(jax.jit, static_argnums=(7, 8, 9))
def _decide(
    rows: Any,
    y: Any,
    kernel: Any,
    bias: Any,
    read: Any,
    writes: Sequence[Any],
    target: Any,
    asked: Asked,
    layout: Layout,
    once: bool,
) -> tuple[Any, Any, Any, Any]:
    """The rows with what an outcome asks for, unless they have it; its scale, factor and product.

    Traced once for all layers of one shape.
    """
    found = asked._replace(target=target).measure(kernel, bias, layout).astype(rows.dtype)
    if not once:
        known = _read(rows, read)
        found = jnp.where(known[:1] != 0, known, found)
    for at in writes:
        rows = _written(rows, at, found)
    scale = found[0]
    factor = jnp.where(scale == 0, jnp.ones_like(scale), scale)
    return rows, scale, factor, times(y, factor)


def _note_position(eqn: JaxprEqn, operands: Sequence[Any], number: int, tape: Tape) -> None:
    """The position along the axis that is cut, as `dynamic_slice` takes it: within bounds."""
    shape, sizes = shape_of(eqn.invars[0]), eqn.params["slice_sizes"]
    cut = [axis for axis, size in enumerate(sizes) if size < shape[axis]]
    if len(cut) != 1:
        return
    last = shape[cut[0]] - sizes[cut[0]]
    start = jnp.clip(jnp.asarray(operands[1 + cut[0]]).astype(jnp.int32), 0, last)
    tape.state["position"] = tape.state["position"].at[number].set(start)


@jax.jit
def times(y: Any, factor: Any) -> Any:
    """An array times numbers, in its own dtype."""
    if jnp.issubdtype(y.dtype, jnp.complexfloating):
        return y * factor.astype(y.dtype)
    return (wide(y) * factor.astype(wide(y).dtype)).astype(y.dtype)


def _read(rows: Any, at: Any) -> Any:
    """In each row, the numbers at these positions."""
    if at.size == 1:
        column = jax.lax.dynamic_slice_in_dim(rows, jnp.asarray(at).reshape(()), 1, axis=1)
        return column.reshape(-1, *at.shape)
    return jnp.take(rows, at, axis=1, mode="clip")


def _written(rows: Any, at: Any, values: Any) -> Any:
    """Rows with values at these positions, which may have axes of their own in front."""
    count = rows.shape[0]
    if at.size == 1:
        start = (jnp.int32(0), jnp.asarray(at).reshape(()))
        return jax.lax.dynamic_update_slice(rows, values.reshape(count, 1), start)
    ones = (1,) * (at.ndim + 1 - values.ndim)
    values = values.reshape(count, *ones, *values.shape[1:])
    return rows.at[:, at].set(jnp.broadcast_to(values, (count, *at.shape)))


def initial_state(scheme: Scheme, scale: Any, shift: Any) -> dict[Hashable, Any]:
    """The state of a tape at the beginning of a pass, with what is known already."""
    blank = scale * 0  # on the devices that it is on
    unknown = blank + jnp.nan
    state: dict[Hashable, Any] = {"found": jnp.stack([scale, unknown, unknown])}
    if any(decision.pooled for decision in scheme.decisions):
        state["pool"] = jnp.stack([blank] * len(Pool._fields))
    if scheme.biases:
        state["shift"] = shift[None]
    if scheme.positions:
        state["position"] = jnp.zeros(len(scheme.positions), jnp.int32)
    return state
