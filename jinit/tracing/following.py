"""Following a program: what is known of each value, from what is known of the inputs.

May import: jax, `jinit.tracing.jaxprs`.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from jax.extend.core import JaxprEqn, Literal

from jinit.tracing.jaxprs import Program, open_program

__all__ = ["follow_program"]

Fact = TypeVar("Fact")


def follow_program(
    program: Program,
    facts: Sequence[Fact],
    constant: Callable[[Any], Fact],
    step: Callable[[JaxprEqn, list[Fact]], Sequence[Fact]],
) -> list[Fact]:
    """What is known of a program's outputs.

    Args:
        program: the program.
        facts: what is known of its inputs.
        constant: what is known of a value that the program brings along.
        step: what is known of an operation's outcomes, from what is known of its operands.
    """
    body, consts = open_program(program)
    known: dict[Any, Fact] = dict(zip(body.invars, facts, strict=True))
    known |= zip(body.constvars, map(constant, consts), strict=True)

    def look_up(atom: Any) -> Fact:
        return constant(atom.val) if isinstance(atom, Literal) else known[atom]

    for eqn in body.eqns:
        outcome = step(eqn, [look_up(atom) for atom in eqn.invars])
        known |= zip(eqn.outvars, outcome, strict=True)
    return [look_up(atom) for atom in body.outvars]
