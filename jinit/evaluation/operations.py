"""Programs run operation by operation, each compiled by itself, and shared by all that are alike.

May import: the standard library, jax, and of `jinit.tracing` jaxprs, and of `jinit.evaluation`
evaluator.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, Literal

from jinit.evaluation.evaluator import run_operation
from jinit.tracing.jaxprs import Closed, Program, make_program, open_program

__all__ = ["InTurn", "run_in_turn"]


class InTurn:
    """A function of trees of arrays, traced once and then run operation by operation.

    In place of `jax.jit` where a program is long and repeats itself: compiling takes as long as for
    the parts of it that differ.

    Args:
        function: a pure function; its later arguments must be structured as the first ones are.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._outcome: Any = None
        self.program: Closed | None = None

    def __call__(self, *args: Any) -> Any:
        """The function's outcome."""
        values, structure = jax.tree.flatten(args)
        if self.program is None:

            def flat(*leaves: Any) -> list[Any]:
                found = self._function(*jax.tree.unflatten(structure, leaves))
                self._outcome = jax.tree.structure(found)
                return jax.tree.leaves(found)

            self.program = make_program(flat, *values)
        arrays = [x if isinstance(x, jax.Array) else jnp.asarray(x) for x in values]
        found = run_in_turn(self.program, arrays)
        return jax.tree.unflatten(self._outcome, found)


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
