"""The evaluator: goes through a program operation by operation, on values, under `jit` or not.

May import: jax, and of `jinit.tracing` jaxprs, ledger, and of `jinit.evaluation` control,
parts, tape.

Operations that call a program are gone into, so that a step sees what is really computed, at the
places under which `jinit.tracing` enters the uses of parameters. What has a derivative of its own
(`custom_jvp`, `custom_vjp`) is one operation where derivatives matter, as are `shard_map`, kernels
and callbacks always.
"""

from collections.abc import Sequence
from typing import Any

import jax
from jax.extend.core import JaxprEqn, Literal

from jinit.evaluation.control import CONTROL
from jinit.evaluation.parts import Part
from jinit.evaluation.tape import Step, Tape
from jinit.tracing.jaxprs import Program, inner_program, open_program
from jinit.tracing.ledger import Scope

__all__ = ["DERIVED", "Evaluator", "run_operation"]

# What has a derivative of its own.
DERIVED = frozenset(("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"))
_SAVING = frozenset(("checkpoint", "remat", "remat2"))


def run_operation(eqn: JaxprEqn, values: Sequence[Any]) -> list[Any]:
    """The outcomes of an operation, as the program has it."""
    primitive: Any = eqn.primitive
    found = primitive.get_bind_params(eqn.params)
    functions, params = found if isinstance(found, tuple) else ([], found)  # since jax 0.12
    with eqn.ctx.manager:
        outcome = primitive.bind(*functions, *values, **params)
    return list(outcome) if primitive.multiple_results else [outcome]


class Evaluator:
    """Runs programs, with a step at every operation that calls none.

    Args:
        step: runs one operation; by default `run_operation` alone.
        derivatives: whether what is computed will be differentiated: operations keep derivatives of
            their own, and what a program recomputes is recomputed.
    """

    def __init__(self, step: Step | None = None, *, derivatives: bool = False) -> None:
        self._step = step or (lambda eqn, scope, values, tape: run_operation(eqn, values))
        self._derivatives = derivatives

    def through(
        self, program: Program, values: Sequence[Any], scope: Scope, tape: Tape
    ) -> list[Any]:
        """A program's outputs.

        Args:
            program: the program.
            values: its inputs.
            scope: where it is called.
            tape: what goes beside the values; written to.
        """
        body, consts = open_program(program)
        known: dict[Any, Any] = dict(zip(body.invars, values, strict=True))
        known |= zip(body.constvars, consts, strict=True)

        def look_up(atom: Any) -> Any:
            return atom.val if isinstance(atom, Literal) else known[atom]

        for eqn in body.eqns:
            outcome = self._run(eqn, [look_up(atom) for atom in eqn.invars], scope, tape)
            known |= zip(eqn.outvars, outcome, strict=True)
        return [look_up(atom) for atom in body.outvars]

    def _run(self, eqn: JaxprEqn, values: Sequence[Any], scope: Scope, tape: Tape) -> Sequence[Any]:
        name = eqn.primitive.name
        if name in CONTROL:
            return CONTROL[name](self, eqn, values, scope, tape)
        program = inner_program(eqn)
        if program is None or (name in DERIVED and self._derivatives):
            return self._step(eqn, scope, values, tape)
        inside = scope.entered(id(eqn))
        if name in _SAVING and self._derivatives:
            return self._saving(eqn, values, Part(self, program, inside, tape))
        return self.through(program, values, inside, tape)

    def _saving(self, eqn: JaxprEqn, values: Sequence[Any], part: Part) -> Sequence[Any]:
        """A part of the program whose values are computed again on the way back."""
        options = {name: eqn.params[name] for name in ("policy", "prevent_cse")}
        outcome, state, notes = jax.checkpoint(part, **options)(
            list(values), part.state, part.slots
        )
        part.leave(state, notes)
        return outcome  # type: ignore[no-any-return]
