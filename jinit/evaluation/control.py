"""Loops and branches, run as loops and branches.

May import: jax, and of `jinit.tracing` jaxprs, ledger, and of `jinit.evaluation` parts, tape.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax.extend.core import JaxprEqn

from jinit.evaluation.parts import Part, Runner
from jinit.evaluation.tape import Tape
from jinit.tracing.jaxprs import Program, inner_program, open_program, scan_counts
from jinit.tracing.ledger import Place, Scope

__all__ = ["CONTROL", "has_control"]

Control: TypeAlias = Callable[[Runner, JaxprEqn, Sequence[Any], Scope, Tape], Sequence[Any]]


def _scan(
    runner: Runner, eqn: JaxprEqn, values: Sequence[Any], scope: Scope, tape: Tape
) -> Sequence[Any]:
    params, counts = eqn.params, scan_counts(eqn)
    first = counts.consts + counts.carry
    consts, carry, xs = values[: counts.consts], values[counts.consts : first], values[first:]
    part = Part(runner, params["jaxpr"], scope.entered(id(eqn)), tape)

    def body(carried: Any, step: Any) -> Any:
        (carry, state), (x, slots) = carried, step
        outcome, state, notes = part([*consts, *carry, *x], state, slots)
        return (outcome[: counts.carry], state), (outcome[counts.carry :], notes)

    (last, state), (ys, notes) = jax.lax.scan(
        body,
        (list(carry), part.state),
        (list(xs), part.slots),
        length=params["length"],
        reverse=params["reverse"],
        unroll=params["unroll"],
    )
    part.leave(state, notes)
    return [*last, *ys]


def _while(
    runner: Runner, eqn: JaxprEqn, values: Sequence[Any], scope: Scope, tape: Tape
) -> Sequence[Any]:
    params, inside = eqn.params, scope.entered(id(eqn))
    n_cond, n_body = params["cond_nconsts"], params["body_nconsts"]
    cond_consts, consts = values[:n_cond], values[n_cond : n_cond + n_body]
    test = Part(runner, params["cond_jaxpr"], inside, Tape())
    part = Part(runner, params["body_jaxpr"], inside, tape)

    def goes_on(carried: Any) -> Any:
        return test([*cond_consts, *carried[0]], [], [])[0][0]

    def body(carried: Any) -> Any:
        outcome, state, _ = part([*consts, *carried[0]], carried[1], part.slots)
        return outcome, state

    last, state = jax.lax.while_loop(goes_on, body, (list(values[n_cond + n_body :]), part.state))
    part.places = []
    part.leave(state, [])
    return last


def _cond(
    runner: Runner, eqn: JaxprEqn, values: Sequence[Any], scope: Scope, tape: Tape
) -> Sequence[Any]:
    parts = [
        Part(runner, branch, scope.entered((id(eqn), number)), tape)
        for number, branch in enumerate(eqn.params["branches"])
    ]
    operands = list(values[1:])
    shapes = [jax.eval_shape(part, operands, part.state, part.slots)[2] for part in parts]
    blank: dict[Place, Any] = {}
    for part, notes in zip(parts, shapes, strict=True):
        blank |= zip(part.places, notes, strict=True)

    def branch(part: Part) -> Callable[[Any, Any], Any]:
        def run(operands: Any, state: Any) -> Any:
            outcome, state, notes = part(operands, state, part.slots)
            taken = dict(zip(part.places, notes, strict=True))
            return outcome, state, [taken.get(place, _blank(blank[place])) for place in blank]

        return run

    outcome, state, notes = jax.lax.switch(
        values[0], [branch(part) for part in parts], operands, parts[0].state
    )
    parts[0].places = list(blank)
    parts[0].leave(state, notes)
    return outcome  # type: ignore[no-any-return]


def _blank(shapes: Any) -> Any:
    """What a branch that is not taken notes."""

    def fill(shape: jax.ShapeDtypeStruct) -> Any:
        missing = jnp.nan if jnp.issubdtype(shape.dtype, jnp.inexact) else 0
        return jnp.full(shape.shape, missing, shape.dtype)

    return jax.tree.map(fill, shapes)


CONTROL: Mapping[str, Control] = {"cond": _cond, "scan": _scan, "while": _while}


def has_control(program: Program) -> bool:
    """Whether there is any loop or branch in a program, or in those that it calls."""
    body, _ = open_program(program)
    inner = [inner_program(eqn) for eqn in body.eqns]
    names = {eqn.primitive.name for eqn in body.eqns}
    return bool(names & CONTROL.keys()) or any(has_control(p) for p in inner if p is not None)
