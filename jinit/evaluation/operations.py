"""Programs run operation by operation, each compiled by itself, and shared by all that are alike.

May import: the standard library, jax, and of `jinit.tracing` jaxprs, and of `jinit.evaluation`
evaluator.
"""

from collections.abc import Sequence
from typing import Any

from jax.extend.core import Jaxpr, Literal

from jinit.evaluation.evaluator import run_operation
from jinit.tracing.jaxprs import Program, open_program

__all__ = ["run_in_turn"]


def run_in_turn(program: Program, values: Sequence[Any]) -> list[Any]:
    """A program's outputs, from concrete values; what is not needed any more is let go.

    Operations that call a program (`jit`) are one operation.
    """
    body, consts = open_program(program)
    known: dict[Any, Any] = dict(zip(body.invars, values, strict=True))
    known |= zip(body.constvars, consts, strict=True)

    def look_up(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else known[atom]

    done = _last_uses(body)
    for number, eqn in enumerate(body.eqns):
        outcome = run_operation(eqn, [look_up(atom) for atom in eqn.invars])
        known |= zip(eqn.outvars, outcome, strict=True)
        for atom in done[number]:
            known.pop(atom, None)
    return [look_up(atom) for atom in body.outvars]


def _last_uses(body: Jaxpr) -> list[list[Any]]:
    """By operation, the values that nothing reads after it."""
    last: dict[Any, int] = {}
    for number, eqn in enumerate(body.eqns):
        last |= {atom: number for atom in (*eqn.invars, *eqn.outvars) if _is_value(atom)}
    for atom in filter(_is_value, body.outvars):
        last.pop(atom, None)
    found: list[list[Any]] = [[] for _ in body.eqns]
    for atom, number in last.items():
        found[number].append(atom)
    return found


def _is_value(atom: Any) -> bool:
    return not isinstance(atom, Literal)
